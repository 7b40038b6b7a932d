/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite, tamed: write-ahead log with full synchronisation (a commit that returned has reached the
 * disk), statements prepared once.  What the tables mean is the store's business.
 */

#include "rot/kv/db.h"

#include <errno.h>
#include <sqlite3.h>

#include "rot/kv/pages.h"

/* Only another tool holding the file makes us wait: seal-rot itself is alone in its directory. */
#define BUSY_MS 5000

struct rot_db {
	sqlite3 *handle;
	const char *const *statements;
	sqlite3_stmt **prepared;
	size_t count;
};

static const char settings[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = FULL;"
	"PRAGMA cache_size = -65536;" /* KiB: what is warm of a million certificates */
	"PRAGMA trusted_schema = OFF;"
	"PRAGMA cell_size_check = ON;"
	"PRAGMA secure_delete = ON;";

static const char reading[] = "PRAGMA cache_size = -16384;"
			      "PRAGMA trusted_schema = OFF;"
			      "PRAGMA cell_size_check = ON;";

/* The disk may be full in two dialects. */
static bool
is_full(int code, int system_errno)
{
	return code == SQLITE_FULL ||
	       (code == SQLITE_IOERR && (system_errno == ENOSPC || system_errno == EDQUOT));
}

static int
fail(struct rot_db *db, int code, struct seal_err *err)
{
	int errnum = db->handle != NULL ? sqlite3_system_errno(db->handle) : 0;
	int detail = db->handle != NULL ? sqlite3_extended_errcode(db->handle) : code;

	code &= 0xff; /* the primary code */
	if (code == SQLITE_IOERR && detail == SQLITE_IOERR_DATA)
		code = SQLITE_CORRUPT; /* a page is not as it was written */
	if (is_full(code, errnum))
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the disk of the store is full: nothing was changed, make room");
	switch (code) {
	case SQLITE_CONSTRAINT:
		return seal_fail(err, SEAL_E_CONFLICT, "it exists already");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return seal_fail(err, SEAL_E_TIMEOUT,
				 "the store is busy: another process holds it");
	case SQLITE_NOMEM:
		return seal_fail_memory(err);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: restore a backup");
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store cannot be written: check its owner "
				 "and mode");
	case SQLITE_CANTOPEN:
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store cannot be opened: check that it "
				 "exists, its owner and mode");
	default:
		return seal_fail(err, SEAL_E_SYSTEM, "the store failed: %s", sqlite3_errstr(code));
	}
}

int
rot_db_open(struct rot_db **ret_db, const char *path, enum rot_db_mode mode,
	    const char *const *statements, size_t statement_count, struct seal_err *err)
{
	static const int flags[] = {
		[ROT_DB_WRITE] = SQLITE_OPEN_READWRITE,
		[ROT_DB_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		[ROT_DB_READ] = SQLITE_OPEN_READONLY,
	};
	SEAL_SCOPED(rot_db_closep) struct rot_db *db = calloc(1, sizeof(*db));
	int code, r;

	if (db == NULL)
		return seal_fail_memory(err);
	db->prepared = calloc(statement_count > 0 ? statement_count : 1, sizeof(sqlite3_stmt *));
	if (db->prepared == NULL)
		return seal_fail_memory(err);
	db->statements = statements;
	db->count = statement_count;
	code = sqlite3_open_v2(path, &db->handle, flags[mode], rot_pages_name());
	if (code == SQLITE_OK && mode == ROT_DB_CREATE)
		code = rot_pages_ask(db->handle);
	if (code != SQLITE_OK)
		return fail(db, code, err);
	(void)sqlite3_extended_result_codes(db->handle, 0);
	(void)sqlite3_busy_timeout(db->handle, BUSY_MS); /* fails only for a NULL handle */
	r = rot_db_exec(db, mode == ROT_DB_READ ? reading : settings, err);
	if (r < 0)
		return r;
	*ret_db = SEAL_TAKE(db);
	return 0;
}

void
rot_db_close(struct rot_db *db)
{
	if (db == NULL)
		return;
	for (size_t i = 0; db->prepared != NULL && i < db->count; i++)
		(void)sqlite3_finalize(db->prepared[i]); /* repeats an old failure, if any */
	/* With no statements left this cannot be refused. */
	(void)sqlite3_close(db->handle);
	free(db->prepared);
	free(db);
}

void
rot_db_closep(struct rot_db **db)
{
	rot_db_close(*db);
	*db = NULL;
}

int
rot_db_exec(struct rot_db *db, const char *sql, struct seal_err *err)
{
	int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : fail(db, code, err);
}

int
rot_db_number(struct rot_db *db, const char *sql, uint64_t *ret_number, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query_once(db, sql);
	int r = rot_query_step(&query, err);

	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_BUG, "a question to the store without an answer");
	*ret_number = (uint64_t)rot_column_i64(&query, 0);
	return 0;
}

bool
rot_db_is_summed(struct rot_db *db)
{
	return rot_pages_are_summed(db->handle);
}

int
rot_db_rewrite(struct rot_db *db, struct seal_err *err)
{
	int code = rot_pages_ask(db->handle);

	if (code != SQLITE_OK)
		return fail(db, code, err);
	/*
	 * Beside the log the form of pages cannot be changed.  Without spilling the first page, which says that there
	 * are checksums, is written before all others.
	 */
	return rot_db_exec(db,
			   "PRAGMA temp_store = MEMORY; PRAGMA cache_spill = OFF;"
			   "PRAGMA journal_mode = DELETE; VACUUM; PRAGMA journal_mode = WAL;"
			   "PRAGMA cache_spill = ON;",
			   err);
}

int
rot_db_check(struct rot_db *db, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query_once(db, "PRAGMA integrity_check(1)");
	int r = rot_query_step(&query, err);

	if (r < 0)
		return r;
	if (r == 0 || strcmp(rot_column_text(&query, 0), "ok") != 0)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store is damaged, restore a backup: %.200s",
				 r == 0 ? "it cannot be checked" : rot_column_text(&query, 0));
	return 0;
}

int
rot_db_settle(struct rot_db *db, struct seal_err *err)
{
	bool bare = false;
	int code = rot_pages_are_bare(db->handle, &bare);
	int r = code != SQLITE_OK ? fail(db, code, err) : 0;

	if (r < 0 || sqlite3_db_readonly(db->handle, "main") == 1)
		return r;
	/* From another tool, which knows no checksums?  Then all else is as it should be, and they get theirs. */
	if (bare)
		r = rot_db_check(db, err);
	if (r == 0 && bare)
		r = rot_db_rewrite(db, err);
	if (r == 0)
		rot_pages_insist(db->handle);
	return r;
}

int
rot_db_begin(struct rot_db *db, struct seal_err *err)
{
	/* IMMEDIATE: take the write lock now, so that what is read is still true when written. */
	return rot_db_exec(db, "BEGIN IMMEDIATE", err);
}

int
rot_db_commit(struct rot_db *db, struct seal_err *err)
{
	return rot_db_exec(db, "COMMIT", err);
}

void
rot_db_rollback(struct rot_db *db)
{
	/* Some failures have rolled back already, and a rollback itself leaves nothing to do. */
	if (rot_db_in_transaction(db))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool
rot_db_in_transaction(const struct rot_db *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

struct rot_query
rot_query_once(struct rot_db *db, const char *sql)
{
	struct rot_query query = { .db = db, .once = true };
	sqlite3_stmt *stmt = NULL;

	query.failed = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
	query.stmt = stmt;
	return query;
}

struct rot_query
rot_query(struct rot_db *db, size_t statement)
{
	struct rot_query query = { .db = db };

	if (db->prepared[statement] == NULL)
		query.failed = sqlite3_prepare_v3(db->handle, db->statements[statement], -1,
						  SQLITE_PREPARE_PERSISTENT,
						  &db->prepared[statement], NULL);
	if (query.failed == SQLITE_OK && sqlite3_stmt_busy(db->prepared[statement]) != 0)
		return rot_query_once(db, db->statements[statement]);
	query.stmt = db->prepared[statement];
	return query;
}

void
rot_query_end(struct rot_query *query)
{
	if (query->stmt == NULL)
		return;
	if (query->once) {
		(void)sqlite3_finalize(query->stmt); /* repeats the failure of the last step */
	} else {
		(void)sqlite3_reset(query->stmt);
		(void)sqlite3_clear_bindings(query->stmt);
	}
	query->stmt = NULL;
}

static void
note(struct rot_query *query, int code)
{
	if (query->failed == SQLITE_OK)
		query->failed = code;
}

void
rot_bind_text(struct rot_query *query, int at, const char *text)
{
	if (query->failed == SQLITE_OK)
		note(query, sqlite3_bind_text(query->stmt, at, text, -1, SQLITE_STATIC));
}

void
rot_bind_blob(struct rot_query *query, int at, const void *data, size_t len)
{
	if (query->failed == SQLITE_OK)
		note(query, sqlite3_bind_blob64(query->stmt, at, data, len, SQLITE_STATIC));
}

void
rot_bind_i64(struct rot_query *query, int at, int64_t value)
{
	if (query->failed == SQLITE_OK)
		note(query, sqlite3_bind_int64(query->stmt, at, value));
}

void
rot_bind_null(struct rot_query *query, int at)
{
	if (query->failed == SQLITE_OK)
		note(query, sqlite3_bind_null(query->stmt, at));
}

int
rot_query_step(struct rot_query *query, struct seal_err *err)
{
	int code = query->failed;

	if (code == SQLITE_OK)
		code = sqlite3_step(query->stmt);
	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE)
		return 0;
	return fail(query->db, code, err);
}

int
rot_query_run(struct rot_query *query, struct seal_err *err)
{
	int r = rot_query_step(query, err);

	return r < 0 ? r : sqlite3_changes(query->db->handle);
}

int64_t
rot_column_i64(const struct rot_query *query, int at)
{
	return sqlite3_column_int64(query->stmt, at);
}

bool
rot_column_is_null(const struct rot_query *query, int at)
{
	return sqlite3_column_type(query->stmt, at) == SQLITE_NULL;
}

const char *
rot_column_text(const struct rot_query *query, int at)
{
	const unsigned char *text = sqlite3_column_text(query->stmt, at);

	return text != NULL ? (const char *)text : "";
}

int
rot_column_copy(const struct rot_query *query, int at, char *out, size_t size, struct seal_err *err)
{
	const char *text = rot_column_text(query, at);
	size_t len = strlen(text);

	if (len >= size)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: a value is too long");
	memcpy(out, text, len + 1);
	return 0;
}

const void *
rot_column_blob(const struct rot_query *query, int at, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(query->stmt, at);
	int len = sqlite3_column_bytes(query->stmt, at);

	*ret_len = len > 0 ? (size_t)len : 0;
	return data;
}

int
rot_column_bytes(const struct rot_query *query, int at, struct seal_bytes *out,
		 struct seal_err *err)
{
	const void *data = sqlite3_column_blob(query->stmt, at);
	int len = sqlite3_column_bytes(query->stmt, at);

	if (len <= 0)
		return 0;
	return seal_bytes_append(out, data, (size_t)len, err);
}
