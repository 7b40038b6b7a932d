/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_POLICY_INTERNAL_H
#define SEAL_VERIFY_POLICY_INTERNAL_H

/* A policy while it is made, for the files that parse its parts. */

#include "config-verify/policy.h"

struct verify_policy_store {
	struct verify_policy policy; /* first: who holds the one holds the other */
	void **blocks;               /* all its memory */
	size_t block_count;
};

typedef int (*verify_policy_check)(const char *text, struct seal_err *err);

/* Zeroed memory that goes with the policy; NULL, and err says so. */
void *verify_policy_room(struct verify_policy_store *store, size_t count, size_t size,
			 struct seal_err *err);
char *verify_policy_copy(struct verify_policy_store *store, const char *text, struct seal_err *err);
/* Lower case, and without a final dot, as names are compared. */
void verify_policy_lower(char *name);
/* A name of LDH labels (RFC 1123 section 2.1), lower case; one label will do. */
SEAL_CHECKED int verify_policy_check_hostname(const char *name, struct seal_err *err);

/* A member that is an object with known members, or a list of at most max; NULL when it is not there. */
SEAL_CHECKED int verify_policy_object(const struct seal_json *json, const char *name,
				      const char *const *known, const struct seal_json **ret_object,
				      struct seal_err *err);
SEAL_CHECKED int verify_policy_list(const struct seal_json *json, const char *name, size_t max,
				    const struct seal_json **ret_list, struct seal_err *err);
/* A member that is one of a few words: its number; *ret_index stays when it is not there. */
SEAL_CHECKED int verify_policy_word(const struct seal_json *json, const char *name,
				    const char *const *words, size_t count, size_t *ret_index,
				    struct seal_err *err);
/* A member that is a string, checked; *ret_text stays when it is not there. */
SEAL_CHECKED int verify_policy_text(struct verify_policy_store *store, const struct seal_json *json,
				    const char *name, verify_policy_check check,
				    const char **ret_text, struct seal_err *err);
/* A list of strings, checked, names made lower case before. */
SEAL_CHECKED int verify_policy_texts(struct verify_policy_store *store,
				     const struct seal_json *list, verify_policy_check check,
				     bool is_name, const char *const **ret_texts, size_t *ret_count,
				     struct seal_err *err);

/* ---- policy_names.c, policy_account.c ---- */

SEAL_CHECKED int verify_policy_parse_hosts(struct verify_policy_store *store,
					   const struct seal_json *json, struct seal_err *err);
SEAL_CHECKED int verify_policy_parse_resolv(struct verify_policy_store *store,
					    const struct seal_json *json, struct seal_err *err);
/* After the mounts, with which it has to agree. */
SEAL_CHECKED int verify_policy_parse_account(struct verify_policy_store *store,
					     const struct seal_json *json, struct seal_err *err);

#endif
