/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SOURCE_H
#define SEAL_PROXY_SOURCE_H

/*
 * Where identity and configuration come from, and which configuration the identity allows.  The host
 * chooses our arguments and environment.  Neither can choose the egg or whom to trust; listeners come
 * from a sealed value, and from arguments and files only when the egg says so (plain_config), or on
 * machines the owner trusts (--credentials).
 */

#include "egg/egg.h"
#include "proxy/limits.h"
#include "proxy/options.h"

#define PROXY_EGG_PATH "/etc/seal/egg"

/*
 * The egg, which must be there and allow what the options ask; or, with --credentials, credentials that
 * can be used, and *ret_egg stays NULL.
 */
SEAL_CHECKED int proxy_source_find(const struct proxy_options *options, struct egg **ret_egg,
				   struct seal_err *err);
/* The configuration in clear, as it can be served in this room; anew with each call. */
SEAL_CHECKED int proxy_source_configure(const struct proxy_options *options,
					const struct proxy_room *room,
					struct proxy_config **ret_config, struct seal_err *err);
/* The host names to ask for: the host chooses among those that the egg grants. */
SEAL_CHECKED int proxy_source_hostnames(struct seal_strv *ret_hostnames, struct seal_err *err);

/* Everything that can be found out without binding an address or asking anybody; says "ok" and why. */
SEAL_CHECKED int proxy_source_check(const struct proxy_options *options,
				    const struct proxy_config *config, FILE *out,
				    struct seal_err *err);

#endif
