/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from the tables of schemas 1 and 2, which an earlier seal-rot kept in the same file: every row becomes its
 * records, then the tables are dropped, all of it within the transaction that the engine has opened for it.  Schema
 * 1 has no roots and no objects.
 */

#include "rot/kv/db.h"
#include "rot/server/init.h"
#include "rot/server/store_internal.h"

#define NAMES_MAX (64u * 1024) /* a joined list of names */

struct migration {
	struct rot_store store; /* lent */
	struct rot_db *db;
};

static int
fail_column(const char *what, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged, restore a backup: %s", what);
}

/* No host name and no URL of ours holds a comma. */
static int
split(struct seal_strv *names, const char *text, struct seal_err *err)
{
	int r = seal_strv_split(names, text, ',', err);

	return r == SEAL_E_FORMAT ? fail_column("a list", err) : r;
}

/* Every row of a question; fn's failure ends it. */
typedef int (*row_fn)(struct migration *migration, const struct rot_query *row,
		      struct seal_err *err);

static int
each_row(struct migration *migration, const char *sql, row_fn fn, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query_once(migration->db, sql);
	int r;

	while ((r = rot_query_step(&query, err)) == 1) {
		r = fn(migration, &query, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- What holds for the whole ---- */

static int
get_meta(struct migration *migration, const char *key, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query =
		rot_query_once(migration->db, "SELECT value FROM meta WHERE key = ?1");
	int r;

	rot_bind_text(&query, 1, key);
	r = rot_query_step(&query, err);
	if (r == 0)
		return fail_column(key, err);
	return r < 0 ? r : rot_column_bytes(&query, 0, out, err);
}

static int
move_meta(struct migration *migration, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes domain = SEAL_BYTES(NAMES_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes urls = SEAL_BYTES(NAMES_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes created_at = SEAL_BYTES(32);
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	uint64_t seconds = 0;
	int r;

	seal_bytes_init(&meta.statement_key, ROT_BLOB_MAX);
	r = get_meta(migration, "trust_domain", &domain, err);
	if (r == 0)
		r = seal_trust_domain_check(seal_bytes_str(&domain), err);
	if (r == 0)
		r = get_meta(migration, "urls", &urls, err);
	if (r == 0)
		r = split(&meta.urls, seal_bytes_str(&urls), err);
	if (r == 0)
		r = get_meta(migration, "created_at", &created_at, err);
	if (r == 0)
		r = seal_number_parse(seal_bytes_str(&created_at), 0, INT64_MAX, &seconds, err);
	if (r == 0)
		r = get_meta(migration, "statement_key", &meta.statement_key, err);
	if (r < 0)
		return r;
	(void)snprintf(meta.trust_domain, sizeof(meta.trust_domain), "%s", seal_bytes_str(&domain));
	meta.created_at = (int64_t)seconds;
	return rot_store_put_meta(&migration->store, &meta, err);
}

static int
move_ca(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	int r;

	seal_bytes_init(&ca.cert, ROT_BLOB_MAX);
	seal_bytes_init(&ca.wrapped, ROT_BLOB_MAX);
	ca.generation = (uint64_t)rot_column_i64(row, 1);
	r = rot_column_copy(row, 0, ca.workload, sizeof(ca.workload), err);
	if (r == 0)
		r = rot_column_bytes(row, 3, &ca.cert, err);
	if (r == 0)
		r = rot_column_bytes(row, 4, &ca.wrapped, err);
	return r < 0 ? r : rot_store_put_ca(&migration->store, &ca, rot_column_i64(row, 2), err);
}

/* ---- Workloads ---- */

static int
move_workload(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	char name[SEAL_WORKLOAD_MAX + 1];
	int r = rot_column_copy(row, 0, name, sizeof(name), err);

	if (r == 0)
		r = rot_store_put_workload(&migration->store, name, rot_column_i64(row, 1), err);
	pairs.epoch = (uint64_t)rot_column_i64(row, 2);
	return r < 0 ? r : rot_store_put_pairs(&migration->store, name, &pairs, err);
}

/* Pairs come sorted. */
static int
move_pair(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	SEAL_SCOPED(rot_pairs_release) struct rot_pairs pairs = { 0 };
	char name[SEAL_WORKLOAD_MAX + 1], pair[2 * (SEAL_PEER_MAX + 1)];
	int r = rot_column_copy(row, 0, name, sizeof(name), err);

	if (r == 0)
		r = rot_column_copy(row, 1, pair, sizeof(pair), err);
	if (r == 0)
		r = rot_store_get_pairs(&migration->store, name, &pairs, err);
	if (r == 0)
		r = seal_strv_add(&pairs.items, pair, err);
	return r < 0 ? r : rot_store_put_pairs(&migration->store, name, &pairs, err);
}

/* ---- Eggs and certificates ---- */

static int
read_egg(const struct rot_query *row, struct rot_egg *egg, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes key_id = SEAL_BYTES(SEAL_HASH_LEN);
	int r;

	r = rot_column_copy(row, 0, egg->id, sizeof(egg->id), err);
	if (r == 0)
		r = rot_column_copy(row, 1, egg->workload, sizeof(egg->workload), err);
	if (r == 0)
		r = rot_column_copy(row, 2, egg->peer, sizeof(egg->peer), err);
	if (r == 0)
		r = split(&egg->hostnames, rot_column_text(row, 3), err);
	if (r == 0)
		r = rot_column_copy(row, 10, egg->serial, sizeof(egg->serial), err);
	if (r < 0)
		return r;
	if (rot_column_bytes(row, 9, &key_id, NULL) < 0 || key_id.len != SEAL_HASH_LEN)
		return fail_column("a key id", err);
	memcpy(egg->key_id, key_id.data, SEAL_HASH_LEN);
	return 0;
}

static int
move_egg(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = read_egg(row, &egg, err);

	if (r < 0)
		return r;
	egg.created_at = rot_column_i64(row, 4);
	egg.not_after = rot_column_i64(row, 5);
	egg.max_hatches = (uint64_t)rot_column_i64(row, 6);
	egg.hatches = (uint64_t)rot_column_i64(row, 7);
	egg.plain_config = rot_column_i64(row, 8) != 0;
	egg.revoked_at = rot_column_i64(row, 11);
	r = rot_store_put_egg(&migration->store, &egg, err);
	return r < 0 ? seal_note(err, r, "egg %s", egg.id) : 0;
}

static int
move_cert(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r;

	r = rot_column_copy(row, 0, cert.serial, sizeof(cert.serial), err);
	if (r == 0)
		r = rot_column_copy(row, 1, cert.workload, sizeof(cert.workload), err);
	if (r == 0)
		r = rot_column_copy(row, 2, cert.egg, sizeof(cert.egg), err);
	if (r == 0)
		r = rot_column_copy(row, 3, cert.peer, sizeof(cert.peer), err);
	if (r == 0)
		r = split(&cert.hostnames, rot_column_text(row, 4), err);
	if (r < 0)
		return r;
	cert.created_at = rot_column_i64(row, 5);
	cert.not_before = rot_column_i64(row, 6);
	cert.not_after = rot_column_i64(row, 7);
	cert.revoked_at = rot_column_i64(row, 8);
	return rot_store_put_cert(&migration->store, &cert, err);
}

/* ---- Roots and objects ---- */

/* By generation.  A retired one was in use before. */
static int
move_root(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	SEAL_SCOPED(rot_root_release) struct rot_root root = { 0 };
	int64_t retired_at = rot_column_i64(row, 4);
	int r;

	seal_bytes_init(&root.wrapped, ROT_BLOB_MAX);
	root.generation = (uint64_t)rot_column_i64(row, 1);
	r = rot_column_copy(row, 0, root.workload, sizeof(root.workload), err);
	if (r == 0)
		r = rot_column_bytes(row, 3, &root.wrapped, err);
	if (r == 0)
		r = rot_store_put_root(&migration->store, &root, rot_column_i64(row, 2), err);
	if (r == 0 && retired_at != 0)
		r = rot_store_drop_root(&migration->store, root.workload, root.generation,
					retired_at, err);
	return r;
}

static int
move_object(struct migration *migration, const struct rot_query *row, struct seal_err *err)
{
	char workload[SEAL_WORKLOAD_MAX + 1], peer[SEAL_PEER_MAX + 1];
	const struct rot_object object = { .gen = (uint64_t)rot_column_i64(row, 3),
					   .key_generation = (uint64_t)rot_column_i64(row, 4),
					   .sealed_at = rot_column_i64(row, 5) };
	int r;

	r = rot_column_copy(row, 0, workload, sizeof(workload), err);
	if (r == 0)
		r = rot_column_copy(row, 1, peer, sizeof(peer), err);
	if (r < 0)
		return r;
	return rot_store_put_object(&migration->store, workload, peer, rot_column_text(row, 2),
				    &object, NULL, err);
}

/* ---- Operators ---- */

/*
 * Before there were records of operators the system CA issued to one of them, once, when the root of trust was made:
 * whoever comes with its certificate and this name is that one.
 */
static int
adopt_admin(struct migration *migration, struct seal_err *err)
{
	struct rot_operator admin = { .name = ROT_ADMIN_NAME,
				      .role = "admin",
				      .is_adopted = true,
				      .ttl = ROT_ADMIN_SECONDS };
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	int r = rot_store_meta(&migration->store, &meta, err);

	if (r < 0)
		return r;
	admin.created_at = meta.created_at;
	admin.not_after = meta.created_at + ROT_ADMIN_SECONDS;
	return rot_store_put_operator(&migration->store, &admin, err);
}

/* ---- All of it ---- */

static const struct {
	const char *sql;
	row_fn move;
	uint64_t since;
} tables[] = {
	{ "SELECT name, created_at, epoch FROM workload ORDER BY id", move_workload, 1 },
	{ "SELECT ifnull(w.name, ''), c.generation, c.created_at, c.cert, c.wrapped FROM ca c"
	  " LEFT JOIN workload w ON w.id = c.workload_id ORDER BY c.workload_id, c.generation",
	  move_ca, 1 },
	{ "SELECT w.name, p.client || ' ' || p.server FROM peer_pair p"
	  " JOIN workload w ON w.id = p.workload_id ORDER BY 1, 2",
	  move_pair, 1 },
	{ "SELECT e.id, w.name, e.peer, e.hostnames, e.created_at, e.not_after, e.max_hatches,"
	  " e.hatches, e.plain_config, e.key_id, e.serial, ifnull(e.revoked_at, 0) FROM egg e"
	  " JOIN workload w ON w.id = e.workload_id ORDER BY e.seq",
	  move_egg, 1 },
	{ "SELECT c.serial, w.name, ifnull(c.egg_id, ''), c.peer, c.hostnames, c.created_at,"
	  " c.not_before, c.not_after, ifnull(c.revoked_at, 0) FROM cert c"
	  " JOIN workload w ON w.id = c.workload_id",
	  move_cert, 1 },
	{ "SELECT w.name, r.generation, r.created_at, r.wrapped, ifnull(r.retired_at, 0) FROM root "
	  "r"
	  " JOIN workload w ON w.id = r.workload_id ORDER BY r.workload_id, r.generation",
	  move_root, 2 },
	{ "SELECT w.name, o.peer, o.name, o.gen, o.key_generation, o.sealed_at FROM object o"
	  " JOIN workload w ON w.id = o.workload_id",
	  move_object, 2 },
};

/* What refers to others first. */
static const char drop_1[] = "DROP TABLE cert; DROP TABLE egg; DROP TABLE peer_pair; DROP TABLE ca;"
			     "DROP TABLE workload; DROP TABLE meta;";
static const char drop_2[] = "DROP TABLE object; DROP TABLE root;";

int
rot_store_adopt(struct rot_kv *kv, struct rot_db *db, uint64_t version, struct seal_err *err)
{
	struct migration migration = { .store = { .kv = kv }, .db = db };
	int r = move_meta(&migration, err);

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(tables); i++) {
		if (tables[i].since <= version)
			r = each_row(&migration, tables[i].sql, tables[i].move, err);
	}
	if (r == 0)
		r = adopt_admin(&migration, err);
	if (r == 0 && version >= 2)
		r = rot_db_exec(db, drop_2, err);
	return r < 0 ? r : rot_db_exec(db, drop_1, err);
}
