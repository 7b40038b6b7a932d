/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_STORE_INTERNAL_H
#define SEAL_ROT_STORE_INTERNAL_H

/* The store's inside, for its own files and its tests.  docs/design/0013 says what is under which key. */

#include "base/json/json.h"
#include "rot/kv/kv.h"
#include "rot/server/store.h"

struct rot_store {
	struct rot_kv *kv;
	/* Entries of the transaction that is open, to be numbered and written when it is committed. */
	struct rot_pending {
		struct audit_entry *items;
		size_t count;
		size_t room;
		size_t at_mark[ROT_KV_MARKS_MAX +
			       1]; /* how many there were when the mark was set */
	} pending;
	uint64_t written; /* entries, in all transactions that were committed */
};

/* The same as rot_store_change for what changes nothing. */
SEAL_CHECKED int rot_store_look(struct rot_store *store, rot_change_fn look, void *arg,
				struct seal_err *err);
/* Tell the other processes that something is new. */
SEAL_CHECKED int rot_store_touch(struct rot_store *store, struct seal_err *err);

/* ---- store_news.c ---- */

/*
 * Something that a workload's pods are told has changed: policy, CAs, roots, floors, revocations.  To be called in the
 * change itself; gives the workload another epoch, and touches.
 */
SEAL_CHECKED int rot_store_news(struct rot_store *store, const char *workload,
				struct seal_err *err);
/* The same with what the epoch was, and without touching. */
SEAL_CHECKED int rot_store_set_epoch(struct rot_store *store, const char *workload, uint64_t before,
				     uint64_t *ret_epoch, struct seal_err *err);

/* ---- store_record.c ---- */

/* One that does not fit is empty, which the engine refuses. */
struct rot_path {
	char text[ROT_KV_KEY_MAX + 1];
};
struct rot_path rot_path(const char *fmt, ...) SEAL_PRINTF(1, 2);

/* A time in a key: so many hexadecimal digits, in the order of the times. */
#define ROT_TIME_LEN 10
#define ROT_TIME     "%010" PRIx64
#define ROT_TIME_MAX ((INT64_C(1) << 40) - 1)
uint64_t rot_path_time(int64_t time);
/* The parts of a key behind its prefix; false: it is none such. */
bool rot_path_parts(const char *key, const char *prefix, int64_t *ret_time, const char **ret_rest);

/* What lies under a key.  SEAL_E_MISSING without it. */
SEAL_CHECKED int rot_record_get(struct rot_store *store, const char *key,
				struct seal_json **ret_record, struct seal_err *err);
SEAL_CHECKED int rot_record_parse(const char *key, const void *text, size_t len,
				  struct seal_json **ret_record, struct seal_err *err);
enum rot_record_how { ROT_RECORD_PUT, ROT_RECORD_ADD };
SEAL_CHECKED int rot_record_put(struct rot_store *store, const char *key,
				const struct seal_json *record, enum rot_record_how how,
				struct seal_err *err);
/* A key that says all by being there. */
SEAL_CHECKED int rot_record_flag(struct rot_store *store, const char *key, struct seal_err *err);
SEAL_CHECKED int rot_record_has(struct rot_store *store, const char *key, bool *ret_has,
				struct seal_err *err);
/*
 * Reading members: a failure sticks, and at the end says that the record is damaged; members that are not among
 * names are damage as well.
 */
struct rot_fields {
	const char *key;
	const struct seal_json *record;
	int failed; /* SEAL_E_MEMORY, or another */
};
void rot_field_text(struct rot_fields *fields, const char *name, char *out, size_t size);
void rot_field_u64(struct rot_fields *fields, const char *name, uint64_t *ret_value);
/* Unchanged where there is no such member. */
/* Where it is absent, out is as it was. */
void rot_field_text_or(struct rot_fields *fields, const char *name, char *out, size_t size);
void rot_field_u64_or(struct rot_fields *fields, const char *name, uint64_t *value);
void rot_field_time(struct rot_fields *fields, const char *name, int64_t *ret_value);
void rot_field_bool(struct rot_fields *fields, const char *name, bool *ret_value);
void rot_field_bytes(struct rot_fields *fields, const char *name, struct seal_bytes *out);
void rot_field_strv(struct rot_fields *fields, const char *name, size_t max,
		    struct seal_strv *ret_list);
SEAL_CHECKED int rot_fields_done(const struct rot_fields *fields, const char *const *names,
				 struct seal_err *err);
/* base64url. */
void rot_set_bytes(struct seal_json *object, const char *name, const void *data, size_t len);
SEAL_CHECKED int rot_fail_damaged(const char *key, struct seal_err *err);
/* Delete every key of a range, so many at most; *ret_count: how many there were. */
SEAL_CHECKED int rot_range_delete(struct rot_store *store, const char *from, const char *to,
				  uint64_t limit, uint64_t *ret_count, struct seal_err *err);
/* Append the keys of a range, limit at most, to a list. */
SEAL_CHECKED int rot_range_keys(struct rot_store *store, const char *from, const char *to,
				uint64_t limit, struct seal_strv *keys, struct seal_err *err);

/* ---- Parts of records, within a transaction ---- */

#define ROT_BLOB_MAX  (64u * 1024) /* a certificate, a wrapped key */
#define ROT_OWNER_MAX (SEAL_WORKLOAD_MAX + SEAL_ID_LEN + SEAL_SERIAL_LEN + 3) /* of a certificate */

SEAL_CHECKED int rot_store_no_workload(const char *name, struct seal_err *err);
/*
 * SEAL_E_MISSING naming it.  Whoever writes something of a workload has to ask: then who deletes it, and sweeps, is
 * not raced.
 */
SEAL_CHECKED int rot_store_need_workload(struct rot_store *store, const char *name,
					 struct seal_err *err);
SEAL_CHECKED int rot_store_put_workload(struct rot_store *store, const char *name,
					int64_t created_at, struct seal_err *err);
SEAL_CHECKED int rot_store_put_meta(struct rot_store *store, const struct rot_meta *meta,
				    struct seal_err *err);
/* The next generation of a CA ("": the system's), which signs from now on. */
SEAL_CHECKED int rot_store_put_ca(struct rot_store *store, const struct rot_ca *ca,
				  int64_t created_at, struct seal_err *err);
/* The next root, which seals from now on: SEAL_E_CONFLICT when its number is not the next. */
SEAL_CHECKED int rot_store_put_root(struct rot_store *store, const struct rot_root *root,
				    int64_t created_at, struct seal_err *err);
/* Move a root out of use, unconditionally. */
SEAL_CHECKED int rot_store_drop_root(struct rot_store *store, const char *workload,
				     uint64_t generation, int64_t now, struct seal_err *err);
/* How many objects of a workload were sealed last with keys of a generation. */
SEAL_CHECKED int rot_store_count_objects(struct rot_store *store, const char *workload,
					 uint64_t generation, uint64_t *ret_count,
					 struct seal_err *err);
struct rot_object {
	uint64_t gen;
	uint64_t key_generation;
	int64_t sealed_at;
};
/* The new state of an object, counted among those of its key; was: its state before, or NULL. */
SEAL_CHECKED int rot_store_put_object(struct rot_store *store, const char *workload,
				      const char *peer, const char *name,
				      const struct rot_object *object, const struct rot_object *was,
				      struct seal_err *err);
/* As it is, over whatever was there. */
SEAL_CHECKED int rot_store_put_operator(struct rot_store *store, const struct rot_operator *holder,
					struct seal_err *err);
/* The oldest generation in use, UINT64_MAX without one. */
SEAL_CHECKED int rot_store_oldest_root(struct rot_store *store, const char *workload,
				       uint64_t *ret_generation, struct seal_err *err);
/* What a certificate's holder has; or that it was renewed. */
SEAL_CHECKED int rot_store_put_holder(struct rot_store *store, const struct rot_cert *cert,
				      struct seal_err *err);
SEAL_CHECKED int rot_store_replace_holder(struct rot_store *store, const struct rot_cert *cert,
					  struct seal_err *err);
/* Its holder has taken in a CA: *ret_written when that was not known. */
SEAL_CHECKED int rot_store_holder_knows(struct rot_store *store, const struct rot_cert *cert,
					uint64_t generation, bool *ret_written,
					struct seal_err *err);
/* "2 certificate(s) WHAT generation 3: REMEDY (web 0123..., ...)" */
SEAL_CHECKED int rot_store_fail_holders(const struct rot_holders *holders, const char *what,
					const char *remedy, struct seal_err *err);
/* Egg and certificate with all their index keys. */
SEAL_CHECKED int rot_store_put_egg(struct rot_store *store, const struct rot_egg *egg,
				   struct seal_err *err);
SEAL_CHECKED int rot_store_put_cert(struct rot_store *store, const struct rot_cert *cert,
				    struct seal_err *err);
/* Mark it, and its absence from those that can hatch; the caller sees to the news.  *ret_live: it could have hatched. */
SEAL_CHECKED int rot_store_mark_egg(struct rot_store *store, const char *id, int64_t now,
				    char ret_workload[static SEAL_WORKLOAD_MAX + 1],
				    bool *ret_was_good, struct seal_err *err);
/* The ids of a peer's enrolments that can be spent, limit at most; nothing of it is compared. */
SEAL_CHECKED int rot_store_find_enrolments(struct rot_store *store, const char *workload,
					   const char *peer, int64_t now, uint64_t limit,
					   struct seal_strv *ids, struct seal_err *err);
/* Without being compared, so that many can be asked for. */
SEAL_CHECKED int rot_store_is_egg_of(struct rot_store *store, const char *id, const char *peer,
				     bool *ret_is, struct seal_err *err);
/* Mark it; false: it was already, or is gone. */
SEAL_CHECKED int rot_store_mark_cert(struct rot_store *store, const char *serial, int64_t now,
				     bool *ret_was_good, struct seal_err *err);
/* A step of what is to be marked yet; *ret_any: there was something. */
SEAL_CHECKED int rot_store_revoke_step(struct rot_store *store, bool *ret_any,
				       struct seal_err *err);
/* How many things of so many keys each go into a step. */
uint64_t rot_store_step_of(const struct rot_store *store, uint64_t keys);

/* One hatch less: SEAL_E_REFUSED when it cannot, or its workload is gone. */
SEAL_CHECKED int rot_store_spend_egg(struct rot_store *store, const char *id, int64_t now,
				     struct rot_egg *ret_egg, struct seal_err *err);
SEAL_CHECKED int rot_store_drop_egg(struct rot_store *store, const char *id, struct seal_err *err);
SEAL_CHECKED int rot_store_read_enrolment(struct rot_store *store, const char *id,
					  struct rot_enrolment *ret_enrolment,
					  struct seal_err *err);
/* With all its keys but, for end 0, the one that says when to look at it again, which goes at that time. */
SEAL_CHECKED int rot_store_drop_enrolment(struct rot_store *store, const char *id, int64_t end,
					  struct seal_err *err);

/* A workload's pairs, "client server", sorted. */
struct rot_pairs {
	uint64_t epoch;
	struct seal_strv items;
};
void rot_pairs_release(struct rot_pairs *pairs);
SEAL_CHECKED int rot_store_get_pairs(struct rot_store *store, const char *workload,
				     struct rot_pairs *ret_pairs, struct seal_err *err);
SEAL_CHECKED int rot_store_put_pairs(struct rot_store *store, const char *workload,
				     const struct rot_pairs *pairs, struct seal_err *err);

/* ---- store_audit.c ---- */

#define ROT_AUDIT_TREE_KEY "audit-tree"

/* Operations that the entries of this transaction will take. */
size_t rot_pending_room(const struct rot_store *store);
/* Number the pending entries from the log's end on and write them, within the transaction. */
SEAL_CHECKED int rot_pending_write(struct rot_store *store, struct seal_err *err);

/* ---- store_kek.c ---- */

struct rot_kek_state {
	struct rot_kek_scheme scheme;
	struct rot_kek_scheme old; /* while it is being changed: from this one */
	bool is_changing;
	char done[ROT_KV_KEY_MAX + 1]; /* the last record that is under the new one */
};
SEAL_CHECKED int rot_store_kek_state(struct rot_store *store, struct rot_kek_state *ret_state,
				     struct seal_err *err);
/* Within a transaction, as the following. */
SEAL_CHECKED int rot_store_put_kek(struct rot_store *store, const struct rot_kek_state *state,
				   struct seal_err *err);
/* The keys of records that hold something wrapped, behind after (""), limit at most, appended in their order. */
SEAL_CHECKED int rot_store_wrapped_keys(struct rot_store *store, const char *after, uint64_t limit,
					struct seal_strv *keys, struct seal_err *err);
/* Give each blob of a record to fn, and put what it appends to new into its place. */
struct rot_rewrap {
	int (*fn)(void *arg, enum rot_blob kind, const char *name, uint64_t generation,
		  const struct seal_bytes *old, struct seal_bytes *new, struct seal_err *err);
	void *arg;
};
SEAL_CHECKED int rot_store_rewrap_record(struct rot_store *store, const char *key,
					 const struct rot_rewrap *how, struct seal_err *err);
/* Within a transaction. */
SEAL_CHECKED int rot_store_put_restored(struct rot_store *store,
					const struct rot_restored *restored, struct seal_err *err);
/* Open it although its key is being changed. */
SEAL_CHECKED int rot_store_open_rekey(struct rot_store **ret_store,
				      const struct rot_kv_config *config, struct seal_err *err);

/* The tables of schemas 1 and 2 (store_migrate.c). */
struct rot_db;
SEAL_CHECKED int rot_store_adopt(struct rot_kv *kv, struct rot_db *db, uint64_t version,
				 struct seal_err *err);

#endif
