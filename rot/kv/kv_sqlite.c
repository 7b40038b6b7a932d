/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded engine: one table of one SQLite file, and a lock beside the file, so that a second process is told
 * of the first instead of waiting for it.  Marks are savepoints.
 *
 * The file's user_version: 1 and 2 are tables of earlier versions, to be adopted; 3 is a file that was, whose pages
 * are to be given checksums (rot/kv/pages.h); 4 is ours.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/names/names.h"
#include "rot/kv/db.h"
#include "rot/kv/kv_internal.h"
#include "rot/kv/log.h"

#define FILE_VERSION   4
#define FILE_ADOPTED   3
#define APPLICATION_ID UINT64_C(1397047628) /* "SEAL" */

/* Those of marks are followed by one for each depth. */
enum statement {
	GET,
	PUT,
	ADD,
	DELETE,
	EACH,
	EACH_BACK,
	KEYS,
	KEYS_BACK,
	COUNT,
	BEGIN,
	LOOK,
	COMMIT,
	MARK,
	KEEP = MARK + ROT_KV_MARKS_MAX,
	BACK = KEEP + ROT_KV_MARKS_MAX,
	N_STATEMENTS = BACK + ROT_KV_MARKS_MAX,
};

/* The statements of mark n, and of the three behind it. */
#define MARKED(n)                                                                                  \
	[MARK + (n)-1] = "SAVEPOINT m" #n, [KEEP + (n)-1] = "RELEASE m" #n,                        \
		[BACK + (n)-1] = "ROLLBACK TO m" #n

#define WITHIN "FROM kv WHERE k >= ?1 AND k < ?2"

static const char *const statements[N_STATEMENTS] = {
	[GET] = "SELECT v FROM kv WHERE k = ?1",
	[PUT] = "INSERT INTO kv (k, v) VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = "
		"excluded.v",
	[ADD] = "INSERT INTO kv (k, v) VALUES (?1, ?2)",
	[DELETE] = "DELETE FROM kv WHERE k = ?1",
	[EACH] = "SELECT k, v " WITHIN " ORDER BY k LIMIT ?3",
	[EACH_BACK] = "SELECT k, v " WITHIN " ORDER BY k DESC LIMIT ?3",
	[KEYS] = "SELECT k " WITHIN " ORDER BY k LIMIT ?3",
	[KEYS_BACK] = "SELECT k " WITHIN " ORDER BY k DESC LIMIT ?3",
	[COUNT] = "SELECT count(*) " WITHIN,
	/* IMMEDIATE: take the write lock now, so that what is read is still true when written. */
	[BEGIN] = "BEGIN IMMEDIATE",
	/* What it reads first decides what it sees; nobody waits for it. */
	[LOOK] = "BEGIN",
	[COMMIT] = "COMMIT",
	MARKED(1),
	MARKED(2),
	MARKED(3),
	MARKED(4),
	MARKED(5),
	MARKED(6),
	MARKED(7),
	MARKED(8),
	MARKED(9),
	MARKED(10),
	MARKED(11),
	MARKED(12),
	MARKED(13),
	MARKED(14),
	MARKED(15),
	MARKED(16),
};

/* Numbers are APPLICATION_ID, FILE_VERSION and FILE_ADOPTED. */
static const char table[] = "CREATE TABLE kv ("
			    " k TEXT PRIMARY KEY COLLATE BINARY NOT NULL,"
			    " v BLOB NOT NULL"
			    ") WITHOUT ROWID;"
			    "PRAGMA application_id = 1397047628;"
			    "PRAGMA user_version = 4;";
static const char adopted[] = "PRAGMA user_version = 3;";

struct sqlite {
	struct rot_db *db;
	int lock_fd;
	uint64_t older; /* 0, or the version to be adopted */
	bool reader;
	bool locked;
};

static void
close_store(void *state)
{
	struct sqlite *store = state;

	if (store == NULL)
		return;
	rot_db_close(store->db);
	if (store->lock_fd >= 0)
		seal_close(store->lock_fd);
	free(store);
}

static void
close_storep(struct sqlite **store)
{
	close_store(*store);
	*store = NULL;
}

/* ---- The lock ---- */

static int
fail_locked(int fd, const char *path, struct seal_err *err)
{
	char pid[16] = "";
	ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);
	uint64_t number = 0;

	if (len > 0)
		pid[strcspn(pid, "\n")] = '\0';
	if (seal_number_parse(pid, 1, INT32_MAX, &number, NULL) < 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "another process holds the store %s: stop that one first", path);
	return seal_fail(err, SEAL_E_CONFLICT,
			 "process %" PRIu64 " holds the store %s: stop that one first", number,
			 path);
}

static int
lock(struct sqlite *store, const char *path, struct seal_err *err)
{
	char name[PATH_MAX], pid[16];
	int n = snprintf(name, sizeof(name), "%s-lock", path);
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	if (n < 0 || (size_t)n >= sizeof(name))
		return seal_fail(err, SEAL_E_LIMIT, "the path of the store is too long");
	store->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return seal_fail_errno(err, errno, "cannot open the lock %s", name);
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return seal_fail_errno(err, errno, "cannot lock %s", name);
		/* Whoever has it has looked at the log. */
		return store->reader ? 0 : fail_locked(store->lock_fd, path, err);
	}
	store->locked = true;
	if (store->reader)
		return 0;
	/* Only for the sentence above: on a full disk it may fail. */
	if (ftruncate(store->lock_fd, 0) == 0)
		(void)!pwrite(store->lock_fd, pid, (size_t)len, 0);
	return 0;
}

/* A reader needs it for its first look only: who serves the store need not wait for it. */
static void
unlock_reader(struct sqlite *store)
{
	if (!store->reader || !store->locked)
		return;
	(void)flock(store->lock_fd, LOCK_UN); /* cannot fail for a lock that we have */
	store->locked = false;
}

/* ---- Opening ---- */

/* Its mode is our choice, not the umask's; what SQLite puts beside it follows it. */
static int
touch(const char *path, struct seal_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return seal_fail_errno(err, errno, "%s", path);
	seal_close(fd);
	return 0;
}

static uint32_t
number_at(const uint8_t *head, size_t at)
{
	return (uint32_t)head[at] << 24 | (uint32_t)head[at + 1] << 16 |
	       (uint32_t)head[at + 2] << 8 | head[at + 3];
}

static int
fail_newer(uint64_t version, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_REFUSED,
			 "the store was written by a newer seal-rot (schema %" PRIu64
			 ", this one knows %d): upgrade this seal-rot",
			 version, FILE_VERSION);
}

/* A newer version may have pages of another form: look before SQLite does. */
static int
check_head(const char *path, struct seal_err *err)
{
	uint8_t head[100] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return seal_fail_errno(err, errno, "%s", path);
	len = pread(fd, head, sizeof(head), 0);
	seal_close(fd);
	if (len != sizeof(head) || number_at(head, 68) != APPLICATION_ID ||
	    number_at(head, 60) <= FILE_VERSION)
		return 0;
	return seal_note(err, fail_newer(number_at(head, 60), err), "%s", path);
}

static int
check_file(const char *path, bool create, struct seal_err *err)
{
	if (create)
		return touch(path, err);
	if (access(path, F_OK) == 0)
		return 0;
	if (errno == ENOENT)
		return seal_fail(err, SEAL_E_MISSING,
				 "there is no store %s: make one with seal init", path);
	return seal_fail_errno(err, errno, "%s", path);
}

static int
check_empty(struct sqlite *store, uint64_t application, struct seal_err *err)
{
	uint64_t tables = 0;
	int r = rot_db_number(store->db, "SELECT count(*) FROM sqlite_master", &tables, err);

	if (r < 0)
		return r;
	if (application == APPLICATION_ID)
		return seal_fail(err, SEAL_E_CONFLICT, "it holds a store already");
	if (tables != 0)
		return seal_fail(err, SEAL_E_CONFLICT, "it is a database of something else");
	return 0;
}

/* The rows are in their new form; now the pages.  Whoever is stopped before the end begins again. */
static int
finish_adoption(struct sqlite *store, struct seal_err *err)
{
	int r = rot_db_rewrite(store->db, err);

	if (r == 0 && !rot_db_is_summed(store->db))
		r = seal_fail(err, SEAL_E_SYSTEM, "SQLite leaves no room for checksums");
	return r < 0 ? r : rot_db_exec(store->db, "PRAGMA user_version = 4", err);
}

static int
check_version(struct sqlite *store, uint64_t application, struct seal_err *err)
{
	uint64_t version = 0;
	int r = rot_db_number(store->db, "PRAGMA user_version", &version, err);

	if (r < 0)
		return r;
	if (application != APPLICATION_ID || version == 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "not a store of a root of trust: make one with seal init");
	if (version > FILE_VERSION)
		return fail_newer(version, err);
	if (version == FILE_VERSION && !rot_db_is_summed(store->db))
		return seal_fail(
			err, SEAL_E_SYSTEM,
			"the store is damaged, restore a backup: its pages have no checksums");
	if (version == FILE_VERSION)
		return rot_db_settle(store->db, err);
	if (version == FILE_ADOPTED)
		return store->reader ? 0 : finish_adoption(store, err);
	store->older = version < FILE_ADOPTED ? version : 0;
	return 0;
}

/* One that is to be filled has its table before it has anything else. */
static int
begin_filling(struct sqlite *store, uint64_t application, struct seal_err *err)
{
	int r;

	if (application == APPLICATION_ID)
		return check_version(store, application, err);
	r = check_empty(store, application, err);
	if (r == 0)
		r = rot_db_begin(store->db, err);
	if (r == 0)
		r = rot_db_exec(store->db, table, err);
	if (r == 0)
		r = rot_db_commit(store->db, err);
	rot_db_rollback(store->db);
	return r;
}

static int
inspect(struct sqlite *store, enum rot_kv_mode mode, struct seal_err *err)
{
	uint64_t application = 0;
	int r = rot_db_number(store->db, "PRAGMA application_id", &application, err);

	if (r < 0)
		return r;
	if (mode == ROT_KV_FILL)
		return begin_filling(store, application, err);
	return mode == ROT_KV_CREATE ? check_empty(store, application, err)
				     : check_version(store, application, err);
}

static int
open_store(void **ret_state, const struct rot_kv_config *config, const char *path,
	   enum rot_kv_mode mode, struct seal_err *err)
{
	static const enum rot_db_mode how[] = {
		[ROT_KV_OPEN] = ROT_DB_WRITE,
		[ROT_KV_CREATE] = ROT_DB_CREATE,
		[ROT_KV_READ] = ROT_DB_READ,
		[ROT_KV_FILL] = ROT_DB_CREATE,
	};
	SEAL_SCOPED(close_storep) struct sqlite *store = calloc(1, sizeof(*store));
	int r;

	(void)config;
	if (store == NULL)
		return seal_fail_memory(err);
	store->lock_fd = -1;
	store->reader = mode == ROT_KV_READ;
	r = check_file(path, mode == ROT_KV_CREATE || mode == ROT_KV_FILL, err);
	if (r == 0)
		r = lock(store, path, err);
	if (r < 0)
		return r;
	/* Not before the lock: closing the file takes away the locks that SQLite may have on it in this process. */
	r = check_head(path, err);
	if (r == 0 && store->locked)
		r = rot_log_check(path, err);
	if (r < 0)
		return r;
	r = rot_db_open(&store->db, path, how[mode], statements, N_STATEMENTS, err);
	if (r == 0)
		r = inspect(store, mode, err);
	if (r < 0)
		return seal_note(err, r, "%s", path);
	unlock_reader(store);
	*ret_state = SEAL_TAKE(store);
	return 0;
}

static const char *
holder(const void *state)
{
	(void)state;
	return "";
}

static struct rot_db *
get_db(void *state)
{
	struct sqlite *store = state;

	return store->db;
}

static uint64_t
older(const void *state)
{
	const struct sqlite *store = state;

	return store->older;
}

static int
ping(void *state, struct seal_err *err)
{
	struct sqlite *store = state;
	uint64_t version = 0;
	int r = rot_db_number(store->db, "PRAGMA user_version", &version, err);

	if (r == 0 && version != FILE_VERSION)
		r = seal_fail(err, SEAL_E_REFUSED, "the store has another schema by now: %" PRIu64,
			      version);
	return r;
}

static int
check(void *state, struct seal_err *err)
{
	struct sqlite *store = state;

	return rot_db_check(store->db, err);
}

/* ---- Transactions ---- */

static int
run(struct sqlite *store, size_t statement, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, statement);
	int r = rot_query_run(&query, err);

	return r < 0 ? r : 0;
}

static int
begin(void *state, struct seal_err *err)
{
	const struct sqlite *store = state;

	return run(state, store->reader ? LOOK : BEGIN, err);
}

static int
create_table(void *state, struct seal_err *err)
{
	struct sqlite *store = state;

	int r = rot_db_exec(store->db, table, err);

	return r < 0 || store->older == 0 ? r : rot_db_exec(store->db, adopted, err);
}

static int
commit(void *state, struct seal_err *err)
{
	struct sqlite *store = state;
	int r = run(store, COMMIT, err);

	if (r < 0 || store->older == 0)
		return r;
	store->older = 0;
	return finish_adoption(store, err);
}

static void
rollback(void *state)
{
	struct sqlite *store = state;

	rot_db_rollback(store->db);
}

static bool
is_open(const void *state)
{
	const struct sqlite *store = state;

	return rot_db_in_transaction(store->db);
}

static uint64_t
room(const void *state)
{
	(void)state;
	return UINT64_MAX;
}

_Static_assert(ROT_KV_MARKS_MAX == 16, "each has its statements");

static int
set_mark(void *state, uint64_t mark, struct seal_err *err)
{
	return run(state, MARK + mark - 1, err);
}

static int
keep(void *state, uint64_t mark, struct seal_err *err)
{
	return run(state, KEEP + mark - 1, err);
}

static int
undo(void *state, uint64_t mark, struct seal_err *err)
{
	int r = run(state, BACK + mark - 1, err);

	return r < 0 ? r : keep(state, mark, err);
}

/* ---- Keys ---- */

static int
get(void *state, const char *key, struct seal_bytes *stored, struct seal_err *err)
{
	struct sqlite *store = state;
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, GET);
	int r;

	rot_bind_text(&query, 1, key);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "the store has no '%s'", key);
	return rot_column_bytes(&query, 0, stored, err);
}

static int
put(void *state, const char *key, const void *stored, size_t len, bool add, struct seal_err *err)
{
	struct sqlite *store = state;
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, add ? ADD : PUT);
	int r;

	rot_bind_text(&query, 1, key);
	rot_bind_blob(&query, 2, stored, len);
	r = rot_query_run(&query, err);
	if (r == SEAL_E_CONFLICT)
		return seal_fail(err, r, "the store has '%s' already", key);
	return r < 0 ? r : 0;
}

static int delete (void *state, const char *key, struct seal_err *err)
{
	struct sqlite *store = state;
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, DELETE);
	int r;

	rot_bind_text(&query, 1, key);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}

static int
each(void *state, const struct rot_kv_range *range, rot_kv_stored_fn fn, void *arg,
     struct seal_err *err)
{
	struct sqlite *store = state;
	enum statement which = range->keys_only ? (range->backwards ? KEYS_BACK : KEYS)
						: (range->backwards ? EACH_BACK : EACH);
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, which);
	int r;

	rot_bind_text(&query, 1, range->from);
	rot_bind_text(&query, 2, range->to);
	rot_bind_i64(&query, 3, range->limit > 0 ? (int64_t)range->limit : -1);
	while ((r = rot_query_step(&query, err)) == 1) {
		const void *stored = NULL;
		size_t len = 0;

		if (!range->keys_only)
			stored = rot_column_blob(&query, 1, &len);
		r = fn(arg, rot_column_text(&query, 0), stored, len, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int
count(void *state, const char *from, const char *to, uint64_t *ret_count, struct seal_err *err)
{
	struct sqlite *store = state;
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, COUNT);
	int r;

	rot_bind_text(&query, 1, from);
	rot_bind_text(&query, 2, to);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	*ret_count = (uint64_t)rot_column_i64(&query, 0);
	return 0;
}

const struct rot_kv_engine rot_kv_sqlite = {
	.scheme = "sqlite",
	.open = open_store,
	.close = close_store,
	.holder = holder,
	.ping = ping,
	.check = check,
	.db = get_db,
	.older = older,
	.begin = begin,
	.create = create_table,
	.commit = commit,
	.rollback = rollback,
	.is_open = is_open,
	.room = room,
	.mark = set_mark,
	.undo = undo,
	.keep = keep,
	.get = get,
	.get_newest = get,
	.put = put,
	.delete = delete,
	.each = each,
	.count = count,
};
