/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_STORE_INTERNAL_H
#define SEAL_ROT_STORE_INTERNAL_H

/* The store's inside, for its own files and its tests. */

#include "rot/server/db.h"
#include "rot/server/store.h"

enum rot_sql {
	ROT_SQL_META_PUT,
	ROT_SQL_META_GET,
	ROT_SQL_CA_ADD,
	ROT_SQL_CA_SYSTEM,
	ROT_SQL_CA_WORKLOAD,
	ROT_SQL_WORKLOAD_ADD,
	ROT_SQL_WORKLOAD_GET,
	ROT_SQL_WORKLOAD_EACH,
	ROT_SQL_WORKLOAD_DELETE,
	ROT_SQL_WORKLOAD_ID,
	ROT_SQL_EPOCH_BUMP,
	ROT_SQL_PAIR_ADD,
	ROT_SQL_PAIR_DELETE,
	ROT_SQL_PAIR_COUNT,
	ROT_SQL_PAIR_EACH,
	ROT_SQL_PAIR_WIDER,
	ROT_SQL_CLIENTS,
	ROT_SQL_SERVERS,
	ROT_SQL_EGG_ADD,
	ROT_SQL_EGG_GET,
	ROT_SQL_EGG_EACH,
	ROT_SQL_EGG_SEQ,
	ROT_SQL_EGG_REVOKE,
	ROT_SQL_EGG_SPEND,
	ROT_SQL_CERT_HATCH,
	ROT_SQL_CERT_RENEW,
	ROT_SQL_CERT_ADD,
	ROT_SQL_CERT_GET,
	ROT_SQL_CERT_PURGE,
	ROT_SQL_ROOT_ADD,
	ROT_SQL_ROOT_LIVE,
	ROT_SQL_ROOT_NEWEST,
	ROT_SQL_ROOT_GET,
	ROT_SQL_ROOT_EACH,
	ROT_SQL_ROOT_RETIRE,
	ROT_SQL_OBJECT_SEAL,
	ROT_SQL_OBJECT_GET,
	ROT_SQL_OBJECT_ROOM,
	ROT_SQL_FLOOR,
	ROT_SQL_TOTALS,
	ROT_SQL_COUNT,
};

extern const char *const rot_store_statements[ROT_SQL_COUNT];
/* What leads from each version of the schema to the next: the first makes version 1 of nothing. */
extern const char *const rot_store_steps[ROT_STORE_SCHEMA];

struct rot_store {
	struct rot_db *db;
};

/* Run change inside a transaction: all of it is kept, or nothing. */
typedef int (*rot_change_fn)(struct rot_store *store, void *arg, struct seal_err *err);
SEAL_CHECKED int rot_store_change(struct rot_store *store, rot_change_fn change, void *arg,
				  struct seal_err *err);

/* The workload's row, or SEAL_E_MISSING naming it. */
SEAL_CHECKED int rot_store_workload_id(struct rot_store *store, const char *name, int64_t *ret_id,
				       uint64_t *ret_epoch, struct seal_err *err);
/* A list of names as one text, for a column, and back. */
SEAL_CHECKED int rot_store_join(struct seal_bytes *out, const struct seal_strv *names,
				struct seal_err *err);
SEAL_CHECKED int rot_store_split(struct seal_strv *names, const char *text, struct seal_err *err);
/* The next root of a workload, within a transaction: SEAL_E_CONFLICT when its number is not the next. */
SEAL_CHECKED int rot_store_put_root(struct rot_store *store, const struct rot_root *root,
				    int64_t workload_id, int64_t now, struct seal_err *err);
SEAL_CHECKED int rot_store_put_ca(struct rot_store *store, const struct rot_ca *ca,
				  const int64_t *workload_id, int64_t now, struct seal_err *err);

#endif
