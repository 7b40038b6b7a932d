/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_HOSTS_NAMES_H
#define SEAL_VERIFY_HOSTS_NAMES_H

/*
 * What a policy says of names in /etc/hosts, sorted: a file may have a hundred thousand of them.
 */

#include "config-verify/policy.h"

struct verify_hosts_names;

/* Borrows from policy, which may be NULL. */
SEAL_CHECKED int verify_hosts_names_new(struct verify_hosts_names **ret_names,
					const struct verify_policy *policy, struct seal_err *err);
void verify_hosts_names_free(struct verify_hosts_names *names);
void verify_hosts_names_freep(struct verify_hosts_names **names);

enum verify_hosts_known {
	VERIFY_HOSTS_NONE,  /* of this name nothing is said */
	VERIFY_HOSTS_SAME,  /* and this address is what is said */
	VERIFY_HOSTS_OTHER, /* but not of this address */
};

enum verify_hosts_known verify_hosts_pinned(const struct verify_hosts_names *names,
					    const char *name, const struct verify_address *address);
/* The aliases with SAME are noted as present. */
enum verify_hosts_known verify_hosts_alias(struct verify_hosts_names *names, const char *name,
					   const struct verify_address *address);
/* Call fn for every alias that verify_hosts_alias was not asked for. */
void verify_hosts_missing(const struct verify_hosts_names *names,
			  void (*fn)(void *arg, const char *name,
				     const struct verify_address *address),
			  void *arg);

#endif
