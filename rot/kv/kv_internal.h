/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KV_INTERNAL_H
#define SEAL_ROT_KV_INTERNAL_H

/*
 * Between the front (kv.c: rules, checksums, what a store is) and the engines, which keep keys with what the
 * front gives them ("stored": checksum and value) and know no more.
 */

#include "rot/kv/kv.h"

#define ROT_KV_SUM_LEN    16
#define ROT_KV_STORED_MAX (ROT_KV_SUM_LEN + ROT_KV_VALUE_MAX)
#define ROT_KV_SELF       "!kv" /* what the store says of itself */
#define ROT_KV_FORM       1
#define ROT_KV_ID_LEN     32 /* hexadecimal digits */
/* Around all keys of the user's. */
#define ROT_KV_FIRST "\""
#define ROT_KV_LAST  "\x7f"

/* How a store is opened. */
enum rot_kv_mode {
	ROT_KV_OPEN,   /* there is one */
	ROT_KV_CREATE, /* there is nothing */
	ROT_KV_READ,   /* there is one, which somebody else may have open: nothing is changed */
	ROT_KV_FILL,   /* there is nothing, or one that was never filled */
};

/* Bounds are never NULL here. */
typedef int (*rot_kv_stored_fn)(void *arg, const char *key, const void *stored, size_t len,
				struct seal_err *err);

/*
 * The contract is rot_kv_*'s of the same name, but that whoever calls has checked arguments and state.  get and
 * each hand out what put was given.
 */
struct rot_kv_engine {
	const char *scheme;

	int (*open)(void **ret_state, const struct rot_kv_config *config, const char *where,
		    enum rot_kv_mode mode, struct seal_err *err);
	void (*close)(void *state);
	/* Besides the store's own name: "", or what holds it. */
	const char *(*holder)(const void *state);
	int (*ping)(void *state, struct seal_err *err);
	int (*reread)(void *state, struct seal_err *err); /* NULL: there is nothing to read again */
	int (*check)(void *state, struct seal_err *err);
	/* The file (NULL: the engine has none), and its version when that is still to be adopted, else 0. */
	struct rot_db *(*db)(void *state);
	uint64_t (*older)(const void *state);

	int (*begin)(void *state, struct seal_err *err);
	/* Within the first transaction: whatever there has to be before anything can be put. */
	int (*create)(void *state, struct seal_err *err);
	int (*commit)(void *state, struct seal_err *err);
	void (*rollback)(void *state);
	bool (*is_open)(const void *state); /* false once a failure has ended the transaction */
	uint64_t (*room)(const void *state);
	/* Marks are numbered from 1 by how deep they are. */
	int (*mark)(void *state, uint64_t mark, struct seal_err *err);
	int (*undo)(void *state, uint64_t mark, struct seal_err *err);
	int (*keep)(void *state, uint64_t mark, struct seal_err *err);

	int (*get)(void *state, const char *key, struct seal_bytes *stored, struct seal_err *err);
	int (*get_newest)(void *state, const char *key, struct seal_bytes *stored,
			  struct seal_err *err);
	int (*put)(void *state, const char *key, const void *stored, size_t len, bool add,
		   struct seal_err *err);
	int (*delete)(void *state, const char *key, struct seal_err *err);
	int (*each)(void *state, const struct rot_kv_range *range, rot_kv_stored_fn fn, void *arg,
		    struct seal_err *err);
	int (*count)(void *state, const char *from, const char *to, uint64_t *ret_count,
		     struct seal_err *err);
};

extern const struct rot_kv_engine rot_kv_sqlite;
extern const struct rot_kv_engine rot_kv_etcd;

/* The file of a store, for tests; NULL: it has none. */
struct rot_db *rot_kv_db(struct rot_kv *kv);
/* Append what is stored for a value: its checksum, and the value.  For tests, too, which write behind our back. */
SEAL_CHECKED int rot_kv_wrap(struct seal_bytes *out, const char *key, const void *value, size_t len,
			     struct seal_err *err);

#endif
