/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eggs and the pod certificates that were issued.  A hatch spends its budget and records its
 * certificate in one transaction: of any number that race, no more than the budget win, and what was
 * not recorded was never handed out.
 */

#include "rot/server/store.h"
#include "rot/server/store_internal.h"

#define NAMES_MAX (16u * 1024) /* 32 host names of 253 letters */

struct hatch {
	const struct rot_cert *cert;
	const char *hostnames;
	int64_t now;
};

static int read_egg(const struct rot_query *query, struct rot_egg *egg, struct seal_err *err);
static int spend_and_record(struct rot_store *store, void *arg, struct seal_err *err);
static void bind_cert(struct rot_query *query, const struct rot_cert *cert, const char *hostnames);

void
rot_egg_release(struct rot_egg *egg)
{
	seal_strv_release(&egg->hostnames);
}

void
rot_cert_release(struct rot_cert *cert)
{
	seal_strv_release(&cert->hostnames);
}

static void
bind_egg(struct rot_query *query, const struct rot_egg *egg, int64_t workload_id,
	 const char *hostnames)
{
	rot_bind_text(query, 1, egg->id);
	rot_bind_i64(query, 2, workload_id);
	rot_bind_text(query, 3, egg->peer);
	rot_bind_text(query, 4, hostnames);
	rot_bind_i64(query, 5, egg->created_at);
	rot_bind_i64(query, 6, egg->not_after);
	rot_bind_i64(query, 7, (int64_t)egg->max_hatches);
	rot_bind_i64(query, 8, egg->plain_config ? 1 : 0);
	rot_bind_blob(query, 9, egg->key_id, sizeof(egg->key_id));
	rot_bind_text(query, 10, egg->serial);
}

int
rot_store_add_egg(struct rot_store *store, const struct rot_egg *egg, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes hostnames = SEAL_BYTES(NAMES_MAX);
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_EGG_ADD);
	int64_t workload_id = 0;
	int r;

	r = rot_store_workload_id(store, egg->workload, &workload_id, NULL, err);
	if (r == 0)
		r = rot_store_join(&hostnames, &egg->hostnames, err);
	if (r < 0)
		return r;
	bind_egg(&query, egg, workload_id, seal_bytes_str(&hostnames));
	r = rot_query_run(&query, err);
	if (r == SEAL_E_CONFLICT)
		return seal_fail(err, r, "this key belongs to another egg: make a fresh one");
	return r < 0 ? r : 0;
}

int
rot_store_get_egg(struct rot_store *store, const char *id, struct rot_egg *ret_egg,
		  struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_EGG_GET);
	int r;

	rot_bind_text(&query, 1, id);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no egg '%s'", id);
	return read_egg(&query, ret_egg, err);
}

static int
find_seq(struct rot_store *store, const char *id, int64_t *ret_seq, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_EGG_SEQ);
	int r;

	rot_bind_text(&query, 1, id);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no egg '%s'", id);
	*ret_seq = rot_column_i64(&query, 0);
	return 0;
}

static int
walk_eggs(struct rot_query *query, rot_egg_fn fn, void *arg, struct seal_err *err)
{
	int r;

	while ((r = rot_query_step(query, err)) == 1) {
		SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };

		r = read_egg(query, &egg, err);
		if (r == 0)
			r = fn(arg, &egg, err);
		if (r < 0)
			return r;
	}
	return r;
}

int
rot_store_each_egg(struct rot_store *store, const char *workload, const char *after, uint64_t limit,
		   rot_egg_fn fn, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_EGG_EACH);
	int64_t workload_id = 0, seq = 0;
	int r = 0;

	if (workload[0] != '\0')
		r = rot_store_workload_id(store, workload, &workload_id, NULL, err);
	if (r == 0 && after[0] != '\0')
		r = find_seq(store, after, &seq, err);
	if (r < 0)
		return r;
	rot_bind_i64(&query, 1, seq);
	rot_bind_i64(&query, 2, workload_id);
	rot_bind_i64(&query, 3, (int64_t)limit);
	return walk_eggs(&query, fn, arg, err);
}

int
rot_store_revoke_egg(struct rot_store *store, const char *id, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_EGG_REVOKE);
	int r;

	rot_bind_i64(&query, 1, now);
	rot_bind_text(&query, 2, id);
	r = rot_query_run(&query, err);
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no egg '%s'", id);
	return r < 0 ? r : 0;
}

int
rot_store_hatch(struct rot_store *store, const struct rot_cert *cert, int64_t now,
		struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes hostnames = SEAL_BYTES(NAMES_MAX);
	struct hatch hatch = { .cert = cert, .now = now };
	int r;

	r = rot_store_join(&hostnames, &cert->hostnames, err);
	if (r < 0)
		return r;
	hatch.hostnames = seal_bytes_str(&hostnames);
	return rot_store_change(store, spend_and_record, &hatch, err);
}

int
rot_store_renew(struct rot_store *store, const char *old_serial, const struct rot_cert *cert,
		struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_CERT_RENEW);
	int r;

	bind_cert(&query, cert, "");
	rot_bind_text(&query, 6, old_serial);
	r = rot_query_run(&query, err);
	if (r == 0)
		return seal_fail(err, SEAL_E_REFUSED, "certificate or egg revoked, or no egg's");
	return r < 0 ? r : 0;
}

int
rot_store_add_cert(struct rot_store *store, const struct rot_cert *cert, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes hostnames = SEAL_BYTES(NAMES_MAX);
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_CERT_ADD);
	int64_t workload_id = 0;
	int r;

	r = rot_store_workload_id(store, cert->workload, &workload_id, NULL, err);
	if (r == 0)
		r = rot_store_join(&hostnames, &cert->hostnames, err);
	if (r < 0)
		return r;
	bind_cert(&query, cert, seal_bytes_str(&hostnames));
	rot_bind_i64(&query, 6, workload_id);
	rot_bind_text(&query, 7, cert->peer);
	r = rot_query_run(&query, err);
	return r < 0 ? seal_note(err, r, "certificate %s", cert->serial) : 0;
}

static int
read_cert(const struct rot_query *query, struct rot_cert *cert, struct seal_err *err)
{
	int r;

	r = rot_column_copy(query, 0, cert->serial, sizeof(cert->serial), err);
	if (r == 0)
		r = rot_column_copy(query, 1, cert->workload, sizeof(cert->workload), err);
	if (r == 0)
		r = rot_column_copy(query, 2, cert->egg, sizeof(cert->egg), err);
	if (r == 0)
		r = rot_column_copy(query, 3, cert->peer, sizeof(cert->peer), err);
	if (r == 0)
		r = rot_store_split(&cert->hostnames, rot_column_text(query, 4), err);
	if (r < 0)
		return r;
	cert->created_at = rot_column_i64(query, 5);
	cert->not_before = rot_column_i64(query, 6);
	cert->not_after = rot_column_i64(query, 7);
	cert->revoked_at = rot_column_i64(query, 8);
	return 0;
}

int
rot_store_get_cert(struct rot_store *store, const char *serial, struct rot_cert *ret_cert,
		   struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_CERT_GET);
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r;

	rot_bind_text(&query, 1, serial);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no certificate '%s'", serial);
	r = read_cert(&query, &cert, err);
	if (r < 0)
		return r;
	*ret_cert = cert;
	memset(&cert, 0, sizeof(cert)); /* the caller owns it now */
	return 0;
}

int
rot_store_purge(struct rot_store *store, int64_t before, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_CERT_PURGE);
	int r;

	rot_bind_i64(&query, 1, before);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}

static int
read_key_id(const struct rot_query *query, int at, uint8_t key_id[static SEAL_HASH_LEN],
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes blob = SEAL_BYTES(SEAL_HASH_LEN);
	int r = rot_column_bytes(query, at, &blob, err);

	if (r < 0 || blob.len != SEAL_HASH_LEN)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: a key id");
	memcpy(key_id, blob.data, blob.len);
	return 0;
}

static int
read_egg_names(const struct rot_query *query, struct rot_egg *egg, struct seal_err *err)
{
	int r;

	r = rot_column_copy(query, 0, egg->id, sizeof(egg->id), err);
	if (r == 0)
		r = rot_column_copy(query, 1, egg->workload, sizeof(egg->workload), err);
	if (r == 0)
		r = rot_column_copy(query, 2, egg->peer, sizeof(egg->peer), err);
	if (r == 0)
		r = read_key_id(query, 9, egg->key_id, err);
	if (r == 0)
		r = rot_column_copy(query, 10, egg->serial, sizeof(egg->serial), err);
	if (r == 0)
		r = rot_store_split(&egg->hostnames, rot_column_text(query, 3), err);
	return r;
}

static int
read_egg(const struct rot_query *query, struct rot_egg *ret_egg, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r;

	r = read_egg_names(query, &egg, err);
	if (r < 0)
		return r;
	egg.created_at = rot_column_i64(query, 4);
	egg.not_after = rot_column_i64(query, 5);
	egg.max_hatches = (uint64_t)rot_column_i64(query, 6);
	egg.hatches = (uint64_t)rot_column_i64(query, 7);
	egg.plain_config = rot_column_i64(query, 8) != 0;
	egg.revoked_at = rot_column_i64(query, 11);
	*ret_egg = egg;
	memset(&egg, 0, sizeof(egg)); /* the caller owns it now */
	return 0;
}

/* What ?1 to ?5 are in every statement that records a certificate. */
static void
bind_cert(struct rot_query *query, const struct rot_cert *cert, const char *hostnames)
{
	rot_bind_text(query, 1, cert->serial);
	rot_bind_text(query, 2, hostnames);
	rot_bind_i64(query, 3, cert->created_at);
	rot_bind_i64(query, 4, cert->not_before);
	rot_bind_i64(query, 5, cert->not_after);
}

static int
spend(struct rot_store *store, const char *id, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_EGG_SPEND);
	int r;

	rot_bind_i64(&query, 1, now);
	rot_bind_text(&query, 2, id);
	r = rot_query_run(&query, err);
	if (r == 0)
		return seal_fail(err, SEAL_E_REFUSED, "egg revoked, expired, spent or gone");
	return r < 0 ? r : 0;
}

static int
spend_and_record(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct hatch *hatch = arg;
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_CERT_HATCH);
	int r;

	r = spend(store, hatch->cert->egg, hatch->now, err);
	if (r < 0)
		return r;
	bind_cert(&query, hatch->cert, hatch->hostnames);
	rot_bind_text(&query, 6, hatch->cert->egg);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}
