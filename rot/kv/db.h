/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KV_DB_H
#define SEAL_ROT_KV_DB_H

/*
 * One SQLite database: opening with the durability we promise, cached statements, transactions, and
 * failures turned into our codes.  Knows no table.  The only door to SQLite.  For rot/kv, and for what
 * has to read a file that was written before there was rot/kv.
 *
 * SEAL_E_CONFLICT is a broken constraint, SEAL_E_TIMEOUT a store that stays busy; whatever else goes
 * wrong (full disk, damage, permissions) is SEAL_E_SYSTEM or SEAL_E_MEMORY, so that no failure of
 * the store passes for a fault of the request.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

struct rot_db;

/* Statements are rows of a table; they are prepared once, at first use. */
enum rot_db_mode { ROT_DB_WRITE, ROT_DB_CREATE, ROT_DB_READ };
SEAL_CHECKED int rot_db_open(struct rot_db **ret_db, const char *path, enum rot_db_mode mode,
			     const char *const *statements, size_t statement_count,
			     struct seal_err *err);
void rot_db_close(struct rot_db *db);
void rot_db_closep(struct rot_db **db);

/* Run a script of statements without values or results. */
SEAL_CHECKED int rot_db_exec(struct rot_db *db, const char *sql, struct seal_err *err);
/* The number that a statement without values gives. */
SEAL_CHECKED int rot_db_number(struct rot_db *db, const char *sql, uint64_t *ret_number,
			       struct seal_err *err);
/* Do its pages have checksums (rot/kv/pages.h)?  Those of a file that we created do; of another, after this. */
bool rot_db_is_summed(struct rot_db *db);
SEAL_CHECKED int rot_db_rewrite(struct rot_db *db, struct seal_err *err);
/*
 * Before a file with checksums is used: pages without one are either another tool's, and get theirs, or damage.
 * From then on each has to have its own.  Changes nothing in a file that is only read.
 */
SEAL_CHECKED int rot_db_settle(struct rot_db *db, struct seal_err *err);
/* Everything that SQLite can check of its file.  SEAL_E_SYSTEM with what it found first. */
SEAL_CHECKED int rot_db_check(struct rot_db *db, struct seal_err *err);

/* A write transaction.  rot_db_rollback after a failure, and after success is harmless. */
SEAL_CHECKED int rot_db_begin(struct rot_db *db, struct seal_err *err);
SEAL_CHECKED int rot_db_commit(struct rot_db *db, struct seal_err *err);
void rot_db_rollback(struct rot_db *db);
/* Within a transaction?  Some failures end it. */
bool rot_db_in_transaction(const struct rot_db *db);

/*
 * One execution of a statement.  Failures stick: bind what you like, then step once.  Every query
 * that was begun must be ended; rot_query_end is the scope cleanup.
 */
struct rot_query {
	struct rot_db *db;
	void *stmt;
	bool once;  /* prepared for this query alone */
	int failed; /* SQLite's code of the first failure */
};

/* A statement may be run again while it is still running: the second time it is another one. */
struct rot_query rot_query(struct rot_db *db, size_t statement);
/* One that is no row of the table. */
struct rot_query rot_query_once(struct rot_db *db, const char *sql);
void rot_query_end(struct rot_query *query);
/* Positions count from 1; text and blobs must live until the query ends. */
void rot_bind_text(struct rot_query *query, int at, const char *text);
void rot_bind_blob(struct rot_query *query, int at, const void *data, size_t len);
void rot_bind_i64(struct rot_query *query, int at, int64_t value);
void rot_bind_null(struct rot_query *query, int at);

/* Advance to the next row: 1 there is one, 0 no more, negative a failure. */
SEAL_CHECKED int rot_query_step(struct rot_query *query, struct seal_err *err);
/* Run a statement without rows; the number of rows it changed, or a failure. */
SEAL_CHECKED int rot_query_run(struct rot_query *query, struct seal_err *err);

/* Columns of the current row, from 0. */
int64_t rot_column_i64(const struct rot_query *query, int at);
bool rot_column_is_null(const struct rot_query *query, int at);
/* Borrowed until the next step; "" for NULL. */
const char *rot_column_text(const struct rot_query *query, int at);
/* Copy text of less than size bytes. */
SEAL_CHECKED int rot_column_copy(const struct rot_query *query, int at, char *out, size_t size,
				 struct seal_err *err);
/* Borrowed until the next step. */
const void *rot_column_blob(const struct rot_query *query, int at, size_t *ret_len);
SEAL_CHECKED int rot_column_bytes(const struct rot_query *query, int at, struct seal_bytes *out,
				  struct seal_err *err);

#endif
