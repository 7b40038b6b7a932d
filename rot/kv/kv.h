/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KV_H
#define SEAL_ROT_KV_H

/*
 * Ordered keys with values, changed in transactions: what the root of trust's memory is written on.  Two
 * engines, one promise: a transaction that rot_kv_commit acknowledged survives the loss of power, of this
 * process and of a minority of etcd's members; any other left nothing behind.  Knows no record.
 *
 *   sqlite   one file, WAL, full synchronisation; one process at a time (a lock beside it)
 *   etcd     version 3 over its JSON gateway, mTLS; any number of processes.  What a transaction has read is
 *            compared by revision when it commits: who was overtaken gets SEAL_E_CONFLICT, and begins again
 *
 * A key is printable ASCII without blanks, 1 to ROT_KV_KEY_MAX bytes, and does not begin with '!'; keys are
 * ordered by their bytes.  A value is 0 to ROT_KV_VALUE_MAX bytes of anything.  Every value is kept with a checksum of itself and its key:
 * a damaged one, or one under another's key, is SEAL_E_SYSTEM with the key's name, and never handed out.
 *
 * Not for more than one thread at a time.  Failures of the engine (full disk, damage, no quorum) are
 * SEAL_E_SYSTEM, SEAL_E_TIMEOUT or SEAL_E_MEMORY: none passes for a fault of the request.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

#define ROT_KV_KEY_MAX   768u
#define ROT_KV_VALUE_MAX (1024u * 1024)
#define ROT_KV_MARKS_MAX 16 /* in one another */

struct rot_kv;
struct rot_db;

/*
 * Make a store of what an earlier version has left in a SQLite file (rot/kv/db.h), which gave it the number
 * version: within the transaction that the change of form is, so all of it or nothing.
 */
typedef int (*rot_kv_adopt_fn)(struct rot_kv *kv, struct rot_db *db, uint64_t version,
			       struct seal_err *err);

struct rot_kv_config {
	const char *where;  /* "sqlite:PATH", or "etcd:https://HOST:PORT[,https://…]" */
	const char *prefix; /* etcd: what all keys begin with, "/seal/" when NULL */
	const char *ca;     /* etcd: PEM files: who to believe, */
	const char *cert;   /*       and who we are */
	const char *key;
	rot_kv_adopt_fn adopt; /* sqlite: NULL: files of earlier versions are refused */
	bool moved;            /* also one that was moved away (rot_kv_move) */
};

/*
 * create: there must be nothing yet (SEAL_E_CONFLICT), and the store exists from its first commit on; else
 * there must be something (SEAL_E_MISSING).  SEAL_E_CONFLICT as well when another process holds the SQLite
 * file, with its process id.  SEAL_E_REFUSED for what is no store, or one of a newer version.
 */
SEAL_CHECKED int rot_kv_open(struct rot_kv **ret_kv, const struct rot_kv_config *config,
			     bool create, struct seal_err *err);
/*
 * To look only: every transaction sees one state of the store, and cannot be committed.  Beside any number of
 * processes that change it, also of a SQLite file.  SEAL_E_CONFLICT when etcd was compacted meanwhile: begin again.
 */
SEAL_CHECKED int rot_kv_open_reader(struct rot_kv **ret_kv, const struct rot_kv_config *config,
				    struct seal_err *err);
void rot_kv_close(struct rot_kv *kv);
void rot_kv_closep(struct rot_kv **kv);

/* Which store this is, as long as it exists: a random name given at its creation; etcd's cluster besides. */
const char *rot_kv_id(const struct rot_kv *kv);
/* What it was filled from (rot_kv_fill); "": it was not. */
const char *rot_kv_origin(const struct rot_kv *kv);

/*
 * A new store that is to hold what another held: filled in as many transactions as it takes, and a store only once
 * rot_kv_filled has returned 0.  Until then nobody can open it; who begins to fill it again begins with nothing, and
 * shuts out whoever began before.  origin: whence it comes, at most ROT_KV_ORIGIN_MAX letters.
 */
#define ROT_KV_ORIGIN_MAX 512
SEAL_CHECKED int rot_kv_fill(struct rot_kv **ret_kv, const struct rot_kv_config *config,
			     const char *origin, struct seal_err *err);
SEAL_CHECKED int rot_kv_filled(struct rot_kv *kv, struct seal_err *err);

/*
 * Say of the store that it has moved elsewhere (to: in the operator's words): nobody can open it any more, and whoever
 * has it open can change nothing.  NULL takes that back.  A transaction of its own.
 */
SEAL_CHECKED int rot_kv_move(struct rot_kv *kv, const char *to, struct seal_err *err);
/* Where it has moved to; "": it has not.  Only ever seen with rot_kv_config.moved. */
const char *rot_kv_moved_to(const struct rot_kv *kv);
/*
 * The point of no return: from now on where it has moved to may be a store, and rot_kv_move cannot take it back.
 * SEAL_E_REFUSED when it was taken back meanwhile.
 */
SEAL_CHECKED int rot_kv_hand_over(struct rot_kv *kv, struct seal_err *err);
bool rot_kv_is_handed_over(const struct rot_kv *kv);
/* Part of a transaction: once it is committed, whoever else has the store open can change nothing any more. */
SEAL_CHECKED int rot_kv_shut_out(struct rot_kv *kv, struct seal_err *err);

/*
 * Read the files again by which the engine makes itself known (etcd's CA, our certificate and its key), for connections
 * from now on.  After a failure the old ones are used.  Not within a transaction.
 */
SEAL_CHECKED int rot_kv_reread(struct rot_kv *kv, struct seal_err *err);
/* Does it answer, now?  SEAL_E_REFUSED once somebody has shut us out. */
SEAL_CHECKED int rot_kv_ping(struct rot_kv *kv, struct seal_err *err);
/* Read all of it: every checksum, and what the engine can check of itself. */
SEAL_CHECKED int rot_kv_check(struct rot_kv *kv, uint64_t *ret_keys, struct seal_err *err);

/*
 * One transaction at a time.  It sees the store as it was when it first looked, and what it has changed itself.
 * After a failed commit, or rot_kv_rollback (harmless without one), it was as if it had never begun: but for
 * SEAL_E_TIMEOUT from an etcd out of reach, whose sentence says that nobody knows.  SEAL_E_LIMIT: it holds more
 * than the engine takes at once.
 */
SEAL_CHECKED int rot_kv_begin(struct rot_kv *kv, struct seal_err *err);
SEAL_CHECKED int rot_kv_commit(struct rot_kv *kv, struct seal_err *err);
void rot_kv_rollback(struct rot_kv *kv);
bool rot_kv_is_open(const struct rot_kv *kv); /* within a transaction */
/*
 * How many operations (reads of what was not read before, changes) surely fit into this transaction yet, or into
 * a new one: etcd takes so many at once, SQLite any number.
 */
uint64_t rot_kv_room(const struct rot_kv *kv);

/*
 * A place in the transaction to which it can be taken back.  A mark ends, with those that were set after it, by
 * _undo (as if nothing had been changed or read since), or by _keep.
 */
SEAL_CHECKED int rot_kv_mark(struct rot_kv *kv, uint64_t *ret_mark, struct seal_err *err);
SEAL_CHECKED int rot_kv_undo(struct rot_kv *kv, uint64_t mark, struct seal_err *err);
SEAL_CHECKED int rot_kv_keep(struct rot_kv *kv, uint64_t mark, struct seal_err *err);

/* The following need a transaction.  Append the value; SEAL_E_MISSING, naming the key, without one. */
SEAL_CHECKED int rot_kv_get(struct rot_kv *kv, const char *key, struct seal_bytes *value,
			    struct seal_err *err);
/*
 * The same, by etcd of this moment instead of the transaction's, for what everybody changes: who reads it last is
 * seldom overtaken in it.  All else that was read must still be so when it commits, as ever.
 */
SEAL_CHECKED int rot_kv_get_newest(struct rot_kv *kv, const char *key, struct seal_bytes *value,
				   struct seal_err *err);
SEAL_CHECKED int rot_kv_put(struct rot_kv *kv, const char *key, const void *value, size_t len,
			    struct seal_err *err);
/* The same for what must not be there yet: SEAL_E_CONFLICT, by etcd only when it commits. */
SEAL_CHECKED int rot_kv_add(struct rot_kv *kv, const char *key, const void *value, size_t len,
			    struct seal_err *err);
/* What is not there is gone already. */
SEAL_CHECKED int rot_kv_delete(struct rot_kv *kv, const char *key, struct seal_err *err);

/*
 * The keys from "from" (inclusive; NULL: the first) to "to" (exclusive; NULL: no end), in order, or backwards,
 * limit at most (0: all); fn ends the walk by failing, and may not change anything while it lasts, but read.  Key
 * and value are lent.
 */
struct rot_kv_range {
	const char *from;
	const char *to;
	uint64_t limit;
	bool backwards;
	bool keys_only; /* then values are empty, and not checked */
	bool loose;     /* it decides nothing: who changes it meanwhile does not overtake us */
};
typedef int (*rot_kv_fn)(void *arg, const char *key, const void *value, size_t len,
			 struct seal_err *err);
SEAL_CHECKED int rot_kv_each(struct rot_kv *kv, const struct rot_kv_range *range, rot_kv_fn fn,
			     void *arg, struct seal_err *err);
/* How many there are.  Loose, too. */
SEAL_CHECKED int rot_kv_count(struct rot_kv *kv, const char *from, const char *to,
			      uint64_t *ret_count, struct seal_err *err);

#endif
