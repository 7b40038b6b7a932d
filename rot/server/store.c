/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's frame: schema, statements, transactions, what holds for the whole root of trust, and
 * CAs.  Workloads with their pairs, and eggs with their certificates, are in files of their own.
 * Holds no secret: keys come and go wrapped.
 */

#include <inttypes.h>

#include "base/x509/x509.h"
#include "rot/server/store.h"
#include "rot/server/store_internal.h"

#define NAMES_MAX (64u * 1024) /* a joined list of names */
#define BLOB_MAX  (64u * 1024) /* a certificate, a wrapped key */

/*
 * Everything of a workload refers to its row and goes with it.  The checks repeat what the code
 * promises: a mistake there is refused here.
 */
static const char schema[] =
	"CREATE TABLE meta ("
	" key TEXT PRIMARY KEY,"
	" value BLOB NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE workload ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE,"
	" created_at INTEGER NOT NULL,"
	" epoch INTEGER NOT NULL CHECK (epoch > 0)"
	");"
	"CREATE TABLE ca ("
	" workload_id INTEGER REFERENCES workload(id) ON DELETE CASCADE," /* NULL: the system CA */
	" generation INTEGER NOT NULL CHECK (generation > 0),"
	" created_at INTEGER NOT NULL,"
	" cert TEXT NOT NULL,"
	" wrapped BLOB NOT NULL"
	");"
	"CREATE UNIQUE INDEX ca_generation ON ca (ifnull(workload_id, 0), generation);"
	"CREATE INDEX ca_workload ON ca (workload_id);"
	"CREATE TABLE peer_pair ("
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" client TEXT NOT NULL,"
	" server TEXT NOT NULL,"
	" PRIMARY KEY (workload_id, client, server)"
	") WITHOUT ROWID;"
	"CREATE TABLE egg ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id TEXT NOT NULL UNIQUE CHECK (length(id) = 32),"
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" peer TEXT NOT NULL,"
	" hostnames TEXT NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" not_after INTEGER NOT NULL,"
	" max_hatches INTEGER NOT NULL CHECK (max_hatches >= 0),"
	" hatches INTEGER NOT NULL DEFAULT 0"
	"  CHECK (hatches >= 0 AND (max_hatches = 0 OR hatches <= max_hatches)),"
	" plain_config INTEGER NOT NULL CHECK (plain_config IN (0, 1)),"
	" key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 32),"
	" serial TEXT NOT NULL UNIQUE,"
	" revoked_at INTEGER"
	");"
	"CREATE INDEX egg_workload ON egg (workload_id, seq);"
	"CREATE TABLE cert ("
	" serial TEXT PRIMARY KEY CHECK (length(serial) = 32),"
	" workload_id INTEGER NOT NULL REFERENCES workload(id) ON DELETE CASCADE,"
	" egg_id TEXT REFERENCES egg(id) ON DELETE CASCADE," /* NULL: not born of an egg */
	" peer TEXT NOT NULL,"
	" hostnames TEXT NOT NULL,"
	" created_at INTEGER NOT NULL,"
	" not_before INTEGER NOT NULL,"
	" not_after INTEGER NOT NULL,"
	" revoked_at INTEGER"
	") WITHOUT ROWID;"
	"CREATE INDEX cert_workload ON cert (workload_id, not_after);"
	"CREATE INDEX cert_egg ON cert (egg_id);"
	"CREATE INDEX cert_expiry ON cert (not_after);"
	"PRAGMA application_id = 1397047628;" /* "SEAL" */
	"PRAGMA user_version = 1;";

#define EGG_COLUMNS                                                                                \
	"e.id, w.name, e.peer, e.hostnames, e.created_at, e.not_after, e.max_hatches, e.hatches,"  \
	" e.plain_config, e.key_id, e.serial, ifnull(e.revoked_at, 0), e.seq"

/* ?1 is now. */
#define EGG_LIVE                                                                                   \
	"revoked_at IS NULL AND not_after > ?1 AND (max_hatches = 0 OR hatches < max_hatches)"
#define CERT_LIVE "revoked_at IS NULL AND not_after > ?1"

#define WORKLOAD_COLUMNS                                                                           \
	"w.name, w.created_at, w.epoch,"                                                           \
	" (SELECT count(*) FROM peer_pair p WHERE p.workload_id = w.id),"                          \
	" (SELECT count(*) FROM egg e WHERE e.workload_id = w.id),"                                \
	" (SELECT count(*) FROM egg e WHERE e.workload_id = w.id AND " EGG_LIVE "),"               \
	" (SELECT count(*) FROM cert c WHERE c.workload_id = w.id AND " CERT_LIVE ")"

/*
 * The pair (?2, ?3) is allowed by a wider one.  The widest that stands is named: denying it is what
 * helps.
 */
#define WIDER                                                                                      \
	"workload_id = ?1 AND client IN (?2, '*') AND server IN (?3, '*')"                         \
	" ORDER BY (client = '*') + (server = '*') DESC LIMIT 1"

static const char *const statements[ROT_SQL_COUNT] = {
	[ROT_SQL_META_PUT] = "INSERT INTO meta (key, value) VALUES (?1, ?2)",
	[ROT_SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
	[ROT_SQL_CA_ADD] = "INSERT INTO ca (workload_id, generation, created_at, cert, wrapped)"
			   " VALUES (?1, ?2, ?3, ?4, ?5)",
	[ROT_SQL_CA_SYSTEM] = "SELECT generation, cert, wrapped FROM ca WHERE workload_id IS NULL"
			      " ORDER BY generation DESC",
	[ROT_SQL_CA_WORKLOAD] = "SELECT generation, cert, wrapped FROM ca WHERE workload_id ="
				" (SELECT id FROM workload WHERE name = ?1)"
				" ORDER BY generation DESC",
	[ROT_SQL_WORKLOAD_ADD] =
		"INSERT INTO workload (name, created_at, epoch) VALUES (?1, ?2, 1)",
	[ROT_SQL_WORKLOAD_GET] = "SELECT " WORKLOAD_COLUMNS " FROM workload w WHERE w.name = ?2",
	[ROT_SQL_WORKLOAD_EACH] = "SELECT " WORKLOAD_COLUMNS " FROM workload w WHERE w.name > ?2"
				  " ORDER BY w.name LIMIT ?3",
	[ROT_SQL_WORKLOAD_DELETE] = "DELETE FROM workload WHERE name = ?1",
	[ROT_SQL_WORKLOAD_ID] = "SELECT id, epoch FROM workload WHERE name = ?1",
	[ROT_SQL_EPOCH_BUMP] = "UPDATE workload SET epoch = epoch + 1 WHERE id = ?1",
	[ROT_SQL_PAIR_ADD] = "INSERT INTO peer_pair (workload_id, client, server)"
			     " VALUES (?1, ?2, ?3)",
	[ROT_SQL_PAIR_DELETE] = "DELETE FROM peer_pair"
				" WHERE workload_id = ?1 AND client = ?2 AND server = ?3",
	[ROT_SQL_PAIR_COUNT] = "SELECT count(*) FROM peer_pair WHERE workload_id = ?1",
	[ROT_SQL_PAIR_EACH] = "SELECT client, server FROM peer_pair WHERE workload_id = ?1"
			      " ORDER BY client, server",
	[ROT_SQL_PAIR_WIDER] = "SELECT client, server FROM peer_pair WHERE " WIDER,
	[ROT_SQL_CLIENTS] = "SELECT DISTINCT client FROM peer_pair"
			    " WHERE workload_id = ?1 AND server IN (?2, '*') ORDER BY client",
	[ROT_SQL_SERVERS] = "SELECT DISTINCT server FROM peer_pair"
			    " WHERE workload_id = ?1 AND client IN (?2, '*') ORDER BY server",
	[ROT_SQL_EGG_ADD] = "INSERT INTO egg (id, workload_id, peer, hostnames, created_at,"
			    " not_after, max_hatches, plain_config, key_id, serial)"
			    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ROT_SQL_EGG_GET] = "SELECT " EGG_COLUMNS " FROM egg e"
			    " JOIN workload w ON w.id = e.workload_id WHERE e.id = ?1",
	[ROT_SQL_EGG_EACH] = "SELECT " EGG_COLUMNS " FROM egg e"
			     " JOIN workload w ON w.id = e.workload_id"
			     " WHERE e.seq > ?1 AND (?2 = 0 OR e.workload_id = ?2)"
			     " ORDER BY e.seq LIMIT ?3",
	[ROT_SQL_EGG_SEQ] = "SELECT seq FROM egg WHERE id = ?1",
	[ROT_SQL_EGG_REVOKE] = "UPDATE egg SET revoked_at = ifnull(revoked_at, ?1) WHERE id = ?2",
	[ROT_SQL_EGG_SPEND] = "UPDATE egg SET hatches = hatches + 1 WHERE id = ?2 AND " EGG_LIVE,
	[ROT_SQL_CERT_HATCH] = "INSERT INTO cert (serial, workload_id, egg_id, peer, hostnames,"
			       " created_at, not_before, not_after)"
			       " SELECT ?1, workload_id, id, peer, ?2, ?3, ?4, ?5 FROM egg"
			       " WHERE id = ?6",
	[ROT_SQL_CERT_RENEW] = "INSERT INTO cert (serial, workload_id, egg_id, peer, hostnames,"
			       " created_at, not_before, not_after)"
			       " SELECT ?1, c.workload_id, c.egg_id, c.peer, c.hostnames,"
			       " ?3, ?4, ?5 FROM cert c JOIN egg e ON e.id = c.egg_id"
			       " WHERE c.serial = ?6 AND c.revoked_at IS NULL"
			       " AND e.revoked_at IS NULL",
	[ROT_SQL_CERT_ADD] = "INSERT INTO cert (serial, workload_id, peer, hostnames,"
			     " created_at, not_before, not_after)"
			     " VALUES (?1, ?6, ?7, ?2, ?3, ?4, ?5)",
	[ROT_SQL_CERT_GET] = "SELECT c.serial, w.name, ifnull(c.egg_id, ''), c.peer, c.hostnames,"
			     " c.created_at, c.not_before, c.not_after, ifnull(c.revoked_at, 0)"
			     " FROM cert c JOIN workload w ON w.id = c.workload_id"
			     " WHERE c.serial = ?1",
	[ROT_SQL_CERT_PURGE] = "DELETE FROM cert WHERE not_after < ?1",
	[ROT_SQL_TOTALS] = "SELECT (SELECT count(*) FROM workload),"
			   " (SELECT count(*) FROM egg WHERE " EGG_LIVE "),"
			   " (SELECT count(*) FROM cert WHERE " CERT_LIVE ")",
};

static int check_version(struct rot_store *store, struct seal_err *err);
static int fill(struct rot_store *store, void *arg, struct seal_err *err);

void
rot_meta_release(struct rot_meta *meta)
{
	seal_strv_release(&meta->urls);
	seal_bytes_release(&meta->statement_key);
	memset(meta, 0, sizeof(*meta));
}

struct fresh {
	const struct rot_meta *meta;
	const struct rot_ca *system_ca;
};

static int
new_store(struct rot_store **ret_store, const char *path, bool create, struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = calloc(1, sizeof(*store));
	int r;

	if (store == NULL)
		return seal_fail_memory(err);
	r = rot_db_open(&store->db, path, create, statements, ROT_SQL_COUNT, err);
	if (r < 0)
		return r;
	*ret_store = SEAL_TAKE(store);
	return 0;
}

int
rot_store_create(const char *path, const struct rot_meta *meta, const struct rot_ca *system_ca,
		 struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	struct fresh fresh = { .meta = meta, .system_ca = system_ca };
	uint64_t version = 0;
	int r;

	r = new_store(&store, path, true, err);
	if (r < 0)
		return r;
	r = rot_db_version(store->db, &version, err);
	if (r < 0)
		return r;
	if (version != 0)
		return seal_fail(err, SEAL_E_CONFLICT, "'%s' holds a store already", path);
	return rot_store_change(store, fill, &fresh, err);
}

int
rot_store_open(struct rot_store **ret_store, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	int r;

	r = new_store(&store, path, false, err);
	if (r == 0)
		r = check_version(store, err);
	if (r < 0)
		return seal_note(err, r, "%s", path);
	*ret_store = SEAL_TAKE(store);
	return 0;
}

void
rot_store_close(struct rot_store *store)
{
	if (store == NULL)
		return;
	rot_db_close(store->db);
	free(store);
}

void
rot_store_closep(struct rot_store **store)
{
	rot_store_close(*store);
	*store = NULL;
}

int
rot_store_ping(struct rot_store *store, struct seal_err *err)
{
	return check_version(store, err);
}

static int
check_version(struct rot_store *store, struct seal_err *err)
{
	uint64_t version = 0;
	int r;

	r = rot_db_version(store->db, &version, err);
	if (r < 0)
		return r;
	if (version > ROT_STORE_SCHEMA)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was written by a newer seal-rot (schema %" PRIu64
				 ", this one knows %d): upgrade this seal-rot",
				 version, ROT_STORE_SCHEMA);
	if (version != ROT_STORE_SCHEMA)
		return seal_fail(err, SEAL_E_REFUSED,
				 "not a store of a root of trust: make one with seal init");
	return 0;
}

int
rot_store_change(struct rot_store *store, rot_change_fn change, void *arg, struct seal_err *err)
{
	int r;

	r = rot_db_begin(store->db, err);
	if (r < 0)
		return r;
	r = change(store, arg, err);
	if (r == 0)
		r = rot_db_commit(store->db, err);
	if (r < 0)
		rot_db_rollback(store->db);
	return r;
}

static int
put_meta(struct rot_store *store, const char *key, const void *value, size_t len,
	 struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_META_PUT);
	int r;

	rot_bind_text(&query, 1, key);
	rot_bind_blob(&query, 2, value, len);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}

static int
fill(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct fresh *fresh = arg;
	const struct rot_meta *meta = fresh->meta;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes urls = SEAL_BYTES(NAMES_MAX);
	char created_at[32];
	int r;

	r = rot_db_exec(store->db, schema, err);
	if (r == 0)
		r = rot_store_join(&urls, &meta->urls, err);
	if (r < 0)
		return r;
	(void)snprintf(created_at, sizeof(created_at), "%" PRId64, meta->created_at);
	r = put_meta(store, "trust_domain", meta->trust_domain, strlen(meta->trust_domain), err);
	if (r == 0)
		r = put_meta(store, "urls", urls.data, urls.len, err);
	if (r == 0)
		r = put_meta(store, "created_at", created_at, strlen(created_at), err);
	if (r == 0)
		r = put_meta(store, "statement_key", meta->statement_key.data,
			     meta->statement_key.len, err);
	if (r < 0)
		return r;
	return rot_store_put_ca(store, fresh->system_ca, NULL, meta->created_at, err);
}

static int
get_meta(struct rot_store *store, const char *key, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_META_GET);
	int r;

	rot_bind_text(&query, 1, key);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: it has no '%s'", key);
	return rot_column_bytes(&query, 0, out, err);
}

int
rot_store_meta(struct rot_store *store, struct rot_meta *ret_meta, struct seal_err *err)
{
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes domain = SEAL_BYTES(NAMES_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes urls = SEAL_BYTES(NAMES_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes created_at = SEAL_BYTES(32);
	uint64_t seconds = 0;
	int r;

	seal_bytes_init(&meta.statement_key, BLOB_MAX);
	r = get_meta(store, "trust_domain", &domain, err);
	if (r == 0)
		r = seal_trust_domain_check(seal_bytes_str(&domain), err);
	if (r == 0)
		r = get_meta(store, "urls", &urls, err);
	if (r == 0)
		r = rot_store_split(&meta.urls, seal_bytes_str(&urls), err);
	if (r == 0)
		r = get_meta(store, "created_at", &created_at, err);
	if (r == 0)
		r = seal_number_parse(seal_bytes_str(&created_at), 0, INT64_MAX, &seconds, err);
	if (r == 0)
		r = get_meta(store, "statement_key", &meta.statement_key, err);
	if (r < 0)
		return r;
	(void)snprintf(meta.trust_domain, sizeof(meta.trust_domain), "%s", seal_bytes_str(&domain));
	meta.created_at = (int64_t)seconds;
	*ret_meta = meta;
	memset(&meta, 0, sizeof(meta)); /* the caller owns it now */
	return 0;
}

int
rot_store_put_ca(struct rot_store *store, const struct rot_ca *ca, const int64_t *workload_id,
		 int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_CA_ADD);
	int r;

	if (workload_id != NULL)
		rot_bind_i64(&query, 1, *workload_id);
	else
		rot_bind_null(&query, 1);
	rot_bind_i64(&query, 2, (int64_t)ca->generation);
	rot_bind_i64(&query, 3, now);
	rot_bind_text(&query, 4, seal_bytes_str(&ca->cert));
	rot_bind_blob(&query, 5, ca->wrapped.data, ca->wrapped.len);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}

static struct rot_query
query_ca(struct rot_store *store, const char *workload)
{
	bool system = workload[0] == '\0';
	struct rot_query query =
		rot_query(store->db, system ? ROT_SQL_CA_SYSTEM : ROT_SQL_CA_WORKLOAD);

	if (!system)
		rot_bind_text(&query, 1, workload);
	return query;
}

static int
no_workload(const char *name, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING, "there is no workload '%s'", name);
}

int
rot_store_ca(struct rot_store *store, const char *workload, struct rot_ca *ret_ca,
	     struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = query_ca(store, workload);
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	int r;

	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return no_workload(workload, err);
	(void)snprintf(ca.workload, sizeof(ca.workload), "%s", workload);
	ca.generation = (uint64_t)rot_column_i64(&query, 0);
	seal_bytes_init(&ca.cert, BLOB_MAX);
	seal_bytes_init(&ca.wrapped, BLOB_MAX);
	r = rot_column_bytes(&query, 1, &ca.cert, err);
	if (r == 0)
		r = rot_column_bytes(&query, 2, &ca.wrapped, err);
	if (r < 0)
		return r;
	*ret_ca = ca;
	memset(&ca, 0, sizeof(ca)); /* the caller owns it now */
	return 0;
}

int
rot_store_ca_bundle(struct rot_store *store, const char *workload, struct seal_bytes *out,
		    struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = query_ca(store, workload);
	size_t before = out->len;
	int r;

	while ((r = rot_query_step(&query, err)) == 1) {
		r = rot_column_bytes(&query, 1, out, err);
		if (r < 0)
			return r;
	}
	if (r == 0 && out->len == before)
		return no_workload(workload, err);
	return r;
}

int
rot_store_totals(struct rot_store *store, int64_t now, struct rot_totals *ret_totals,
		 struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_TOTALS);
	int r;

	rot_bind_i64(&query, 1, now);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	ret_totals->workloads = (uint64_t)rot_column_i64(&query, 0);
	ret_totals->eggs = (uint64_t)rot_column_i64(&query, 1);
	ret_totals->certificates = (uint64_t)rot_column_i64(&query, 2);
	return 0;
}

int
rot_store_join(struct seal_bytes *out, const struct seal_strv *names, struct seal_err *err)
{
	int r;

	for (size_t i = 0; i < names->count; i++) {
		r = seal_bytes_append_fmt(out, err, "%s%s", i > 0 ? "," : "", names->items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int
rot_store_split(struct seal_strv *names, const char *text, struct seal_err *err)
{
	/* No host name and no URL of ours holds a comma. */
	int r = seal_strv_split(names, text, ',', err);

	return r == SEAL_E_FORMAT ? seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: a list")
				  : r;
}
