/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_STORE_RIG_H
#define SEAL_TESTS_STORE_RIG_H

/*
 * The store over either engine: a promise is a function, and each is tested with both.  Counting and editing go
 * through the store's own handle.
 */

#include <unistd.h>

#include "rot/server/store_internal.h"
#include "tests/unit/rot/kv_rig.h"

#define BOTH(suite, name, ...)                                                                     \
	static void suite##_##name(void);                                                          \
	Test(suite##_sqlite, name, .init = suite##_setup_sqlite, .fini = suite##_teardown)         \
	{                                                                                          \
		(void)alarm(60);                                                                   \
		suite##_##name();                                                                  \
	}                                                                                          \
	Test(suite##_etcd, name, .init = suite##_setup_etcd, .fini = suite##_teardown)             \
	{                                                                                          \
		(void)alarm(60);                                                                   \
		suite##_##name();                                                                  \
	}                                                                                          \
	static void suite##_##name(void)

/* How many keys begin so; the sum of a member of their records, or of its elements' number. */
int64_t store_count(struct rot_store *store, const char *prefix);
int64_t store_sum(struct rot_store *store, const char *prefix, const char *member);
/* Set a member of all records whose keys begin so to a number. */
void store_edit(struct rot_store *store, const char *prefix, const char *member, uint64_t value);

#endif
