/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's frame: versions, transactions, what holds for the whole root of trust, and CAs.
 * Workloads with their pairs, eggs with their certificates, and roots with the objects sealed with
 * their keys are in files of their own.  Holds no secret: keys come and go wrapped.
 */

#include <inttypes.h>

#include "base/x509/x509.h"
#include "rot/server/store.h"
#include "rot/server/store_internal.h"

#define NAMES_MAX (64u * 1024) /* a joined list of names */
#define BLOB_MAX  (64u * 1024) /* a certificate, a wrapped key */

static int upgrade(struct rot_store *store, struct seal_err *err);
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
	r = rot_db_open(&store->db, path, create, rot_store_statements, ROT_SQL_COUNT, err);
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
		r = upgrade(store, err);
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

/* From the version it has to ours.  Within a transaction, so that no two do it at once, nor one by half. */
static int
take_steps(struct rot_store *store, void *arg, struct seal_err *err)
{
	uint64_t version = 0;
	int r;

	(void)arg;
	r = rot_db_version(store->db, &version, err);
	while (r == 0 && version < ROT_STORE_SCHEMA)
		r = rot_db_exec(store->db, rot_store_steps[version++], err);
	return r;
}

/* A store of an earlier version becomes one of ours; what is none is left alone. */
static int
upgrade(struct rot_store *store, struct seal_err *err)
{
	uint64_t version = 0;
	int r;

	r = rot_db_version(store->db, &version, err);
	if (r < 0 || version == 0 || version >= ROT_STORE_SCHEMA)
		return r;
	r = rot_store_change(store, take_steps, NULL, err);
	return r < 0 ? seal_note(err, r, "upgrade from schema %" PRIu64, version) : 0;
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

	r = take_steps(store, NULL, err);
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
