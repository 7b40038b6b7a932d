/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolments: a credential that clients outside use once, and the certificates that came of it.  It is spent in the
 * transaction that records the first of them, so that of any number that race one wins; each further one is recorded
 * with it, so that revoking it reaches them all.
 *
 *   enrol/ID                     the record
 *   enrol-at/TIME/ID             by age
 *   enrol-of/WORKLOAD/TIME/ID    the same of a workload
 *   enrol-end/TIME/ID            when to look whether it can be forgotten: not before that
 *   enrolled/SERIAL              the id of the enrolment that a certificate came of
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define MAX_HOSTNAMES 64
/* Between a time and a serial number in the record's list. */
#define CERT_FORMAT ROT_TIME "/%s"
#define CERT_LEN    (ROT_TIME_LEN + 1 + SEAL_SERIAL_LEN)

void
rot_enrolment_release(struct rot_enrolment *enrolment)
{
	seal_strv_release(&enrolment->hostnames);
}

/* ---- The record ---- */

static struct rot_path
record_key(const char *id)
{
	return rot_path("enrol/%s", id);
}

static struct rot_path
age_key(const struct rot_enrolment *enrolment)
{
	return rot_path("enrol-at/" ROT_TIME "/%s", rot_path_time(enrolment->created_at),
			enrolment->id);
}

static struct rot_path
age_of_key(const struct rot_enrolment *enrolment)
{
	return rot_path("enrol-of/%s/" ROT_TIME "/%s", enrolment->workload,
			rot_path_time(enrolment->created_at), enrolment->id);
}

static struct rot_path
end_key(int64_t end, const char *id)
{
	return rot_path("enrol-end/" ROT_TIME "/%s", rot_path_time(end), id);
}

static struct rot_path
cert_key(const char *serial)
{
	return rot_path("enrolled/%s", serial);
}

static void
set_certs(struct seal_json *record, const struct rot_enrolment *enrolment)
{
	struct seal_json *list = seal_json_set_array(record, "certificates");

	for (size_t i = 0; i < enrolment->cert_count; i++) {
		char text[CERT_LEN + 1];

		(void)snprintf(text, sizeof(text), CERT_FORMAT,
			       rot_path_time(enrolment->certs[i].not_after),
			       enrolment->certs[i].serial);
		seal_json_add_str(list, text);
	}
}

static int
write_record(struct rot_store *store, const struct rot_enrolment *enrolment,
	     enum rot_record_how how, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_str(record, "workload", enrolment->workload);
	seal_json_set_str(record, "peer", enrolment->peer);
	seal_json_set_strv(record, "hostnames", &enrolment->hostnames);
	rot_set_bytes(record, "secret", enrolment->secret, sizeof(enrolment->secret));
	seal_json_set_u64(record, "lifetime", enrolment->lifetime);
	seal_json_set_i64(record, "created_at", enrolment->created_at);
	seal_json_set_i64(record, "not_after", enrolment->not_after);
	seal_json_set_i64(record, "spent_at", enrolment->spent_at);
	seal_json_set_i64(record, "revoked_at", enrolment->revoked_at);
	set_certs(record, enrolment);
	return rot_record_put(store, record_key(enrolment->id).text, record, how, err);
}

static int
read_certs(struct rot_fields *fields, struct rot_enrolment *enrolment)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };

	rot_field_strv(fields, "certificates", ROT_ENROLMENT_CERTS, &list);
	for (size_t i = 0; fields->failed == 0 && i < list.count; i++) {
		struct rot_enrolled *cert = &enrolment->certs[i];
		const char *serial = NULL;

		if (!rot_path_parts(list.items[i], "", &cert->not_after, &serial) ||
		    strlen(serial) > SEAL_SERIAL_LEN)
			return SEAL_E_FORMAT;
		memcpy(cert->serial, serial, strlen(serial) + 1);
	}
	enrolment->cert_count = list.count;
	return 0;
}

static int
parse_record(const struct seal_json *record, const char *key, struct rot_enrolment *enrolment,
	     struct seal_err *err)
{
	static const char *const members[] = { "workload",     "peer",     "hostnames",
					       "secret",       "lifetime", "created_at",
					       "not_after",    "spent_at", "revoked_at",
					       "certificates", NULL };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes secret = SEAL_BYTES(SEAL_HASH_LEN);
	struct rot_fields fields = { .key = key, .record = record };

	rot_field_text(&fields, "workload", enrolment->workload, sizeof(enrolment->workload));
	rot_field_text(&fields, "peer", enrolment->peer, sizeof(enrolment->peer));
	rot_field_strv(&fields, "hostnames", MAX_HOSTNAMES, &enrolment->hostnames);
	rot_field_bytes(&fields, "secret", &secret);
	rot_field_u64(&fields, "lifetime", &enrolment->lifetime);
	rot_field_time(&fields, "created_at", &enrolment->created_at);
	rot_field_time(&fields, "not_after", &enrolment->not_after);
	rot_field_time(&fields, "spent_at", &enrolment->spent_at);
	rot_field_time(&fields, "revoked_at", &enrolment->revoked_at);
	if (read_certs(&fields, enrolment) < 0 ||
	    (fields.failed == 0 && secret.len != sizeof(enrolment->secret)))
		return rot_fail_damaged(key, err);
	if (fields.failed == 0)
		memcpy(enrolment->secret, secret.data, sizeof(enrolment->secret));
	return rot_fields_done(&fields, members, err);
}

int
rot_store_read_enrolment(struct rot_store *store, const char *id,
			 struct rot_enrolment *ret_enrolment, struct seal_err *err)
{
	const struct rot_path key = record_key(id);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r = rot_record_get(store, key.text, &record, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, r, "there is no enrolment '%s'", id);
	if (r == 0)
		r = parse_record(record, key.text, &enrolment, err);
	if (r < 0)
		return r;
	(void)snprintf(enrolment.id, sizeof(enrolment.id), "%s", id);
	*ret_enrolment = enrolment;
	memset(&enrolment, 0, sizeof(enrolment)); /* the caller owns it now */
	return 0;
}

/* The enrolment a certificate came of. */
static int
find_record(struct rot_store *store, const char *serial, struct rot_enrolment *ret_enrolment,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes id = SEAL_BYTES(ROT_KV_VALUE_MAX);
	const struct rot_path key = cert_key(serial);
	int r = rot_kv_get(store->kv, key.text, &id, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, r, "certificate '%s' came of no enrolment", serial);
	if (r == 0 && seal_id_check(seal_bytes_str(&id), NULL) < 0)
		return rot_fail_damaged(key.text, err);
	if (r == 0)
		r = rot_store_read_enrolment(store, seal_bytes_str(&id), ret_enrolment, err);
	return r == SEAL_E_MISSING ? rot_fail_damaged(key.text, err) : r;
}

int
rot_store_drop_enrolment(struct rot_store *store, const char *id, int64_t end, struct seal_err *err)
{
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r = rot_store_read_enrolment(store, id, &enrolment, err);

	for (size_t i = 0; r == 0 && i < enrolment.cert_count; i++)
		r = rot_kv_delete(store->kv, cert_key(enrolment.certs[i].serial).text, err);
	if (r == 0)
		r = rot_kv_delete(store->kv, age_key(&enrolment).text, err);
	if (r == 0)
		r = rot_kv_delete(store->kv, age_of_key(&enrolment).text, err);
	if (r == 0 && end != 0)
		r = rot_kv_delete(store->kv, end_key(end, id).text, err);
	return r < 0 ? r : rot_kv_delete(store->kv, record_key(id).text, err);
}

/* ---- Making and finding ---- */

static int
add(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct rot_enrolment *enrolment = arg;
	int r = rot_store_need_workload(store, enrolment->workload, err);

	if (r == 0)
		r = write_record(store, enrolment, ROT_RECORD_ADD, err);
	if (r == 0)
		r = rot_record_flag(store, age_key(enrolment).text, err);
	if (r == 0)
		r = rot_record_flag(store, age_of_key(enrolment).text, err);
	return r < 0 ? r
		     : rot_record_flag(store, end_key(enrolment->not_after, enrolment->id).text,
				       err);
}

int
rot_store_add_enrolment(struct rot_store *store, const struct rot_enrolment *enrolment,
			struct seal_err *err)
{
	struct rot_enrolment fresh = *enrolment; /* its list is lent */

	fresh.spent_at = 0;
	fresh.revoked_at = 0;
	fresh.cert_count = 0;
	return rot_store_change(store, add, &fresh, err);
}

struct look {
	const char *id;
	const char *serial; /* NULL: by id */
	struct rot_enrolment *ret_enrolment;
};

static int
look_at_one(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct look *look = arg;

	return look->serial != NULL
		       ? find_record(store, look->serial, look->ret_enrolment, err)
		       : rot_store_read_enrolment(store, look->id, look->ret_enrolment, err);
}

int
rot_store_get_enrolment(struct rot_store *store, const char *id,
			struct rot_enrolment *ret_enrolment, struct seal_err *err)
{
	struct look look = { .id = id, .ret_enrolment = ret_enrolment };

	return rot_store_look(store, look_at_one, &look, err);
}

int
rot_store_enrolment_of(struct rot_store *store, const char *serial,
		       struct rot_enrolment *ret_enrolment, struct seal_err *err)
{
	struct look look = { .serial = serial, .ret_enrolment = ret_enrolment };

	return rot_store_look(store, look_at_one, &look, err);
}

/* ---- Issuing ---- */

struct issue {
	const char *from; /* an enrolment's id, or the serial number of the certificate before */
	const struct rot_cert *cert;
	int64_t now;
};

/* Certificates that have expired are no longer of interest. */
static int
drop_expired(struct rot_store *store, struct rot_enrolment *enrolment, int64_t now,
	     struct seal_err *err)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < enrolment->cert_count; i++) {
		struct rot_enrolled cert = enrolment->certs[i];

		if (cert.not_after <= now)
			r = rot_kv_delete(store->kv, cert_key(cert.serial).text, err);
		else
			enrolment->certs[kept++] = cert;
	}
	enrolment->cert_count = kept;
	return r;
}

/* One certificate more: of the enrolment's names, whatever the caller wrote. */
static int
put_cert(struct rot_store *store, struct rot_enrolment *enrolment, const struct issue *issue,
	 struct seal_err *err)
{
	struct rot_cert cert = *issue->cert; /* with its list, lent, as the enrolment's is */
	struct rot_enrolled *last;
	int r = drop_expired(store, enrolment, issue->now, err);

	if (r < 0)
		return r;
	if (enrolment->cert_count == ROT_ENROLMENT_CERTS)
		return seal_fail(err, SEAL_E_LIMIT,
				 "%d certificates of this enrolment have not expired",
				 ROT_ENROLMENT_CERTS);
	memcpy(cert.workload, enrolment->workload, sizeof(cert.workload));
	memcpy(cert.peer, enrolment->peer, sizeof(cert.peer));
	cert.hostnames = enrolment->hostnames;
	cert.egg[0] = '\0';
	cert.revoked_at = 0;
	last = &enrolment->certs[enrolment->cert_count++];
	memcpy(last->serial, cert.serial, sizeof(last->serial));
	last->not_after = cert.not_after;
	r = rot_store_put_cert(store, &cert, err);
	if (r == 0)
		r = rot_kv_put(store->kv, cert_key(cert.serial).text, enrolment->id,
			       strlen(enrolment->id), err);
	return r < 0 ? r : write_record(store, enrolment, ROT_RECORD_PUT, err);
}

static bool
can_be_spent(const struct rot_enrolment *enrolment, int64_t now)
{
	return enrolment->spent_at == 0 && enrolment->revoked_at == 0 && enrolment->not_after > now;
}

static int
enrol(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct issue *issue = arg;
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r = rot_store_read_enrolment(store, issue->from, &enrolment, err);

	if (r == 0 && !can_be_spent(&enrolment, issue->now))
		r = SEAL_E_MISSING;
	if (r == 0)
		r = rot_store_need_workload(store, enrolment.workload, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_REFUSED, "enrolment revoked, expired, spent or gone");
	if (r < 0)
		return r;
	enrolment.spent_at = issue->now;
	return put_cert(store, &enrolment, issue, err);
}

int
rot_store_enrol(struct rot_store *store, const char *id, const struct rot_cert *cert, int64_t now,
		struct seal_err *err)
{
	struct issue issue = { .from = id, .cert = cert, .now = now };

	return rot_store_change(store, enrol, &issue, err);
}

/* May the certificate be followed by another? */
static int
check_followed(struct rot_store *store, const char *serial, const struct rot_enrolment *enrolment,
	       struct rot_cert *old, struct seal_err *err)
{
	int r;

	if (enrolment->revoked_at != 0)
		return SEAL_E_MISSING;
	r = rot_store_get_cert(store, serial, old, err);
	if (r == 0 && old->revoked_at != 0)
		return SEAL_E_MISSING;
	return r < 0 ? r : rot_store_need_workload(store, enrolment->workload, err);
}

static int
reenrol(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct issue *issue = arg;
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	SEAL_SCOPED(rot_cert_release) struct rot_cert old = { 0 };
	int r = find_record(store, issue->from, &enrolment, err);

	if (r == 0)
		r = check_followed(store, issue->from, &enrolment, &old, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_REFUSED,
				 "certificate or enrolment revoked, or of no enrolment");
	if (r == 0)
		r = put_cert(store, &enrolment, issue, err);
	return r < 0 ? r : rot_store_replace_holder(store, &old, err);
}

int
rot_store_reenrol(struct rot_store *store, const char *old_serial, const struct rot_cert *cert,
		  int64_t now, struct seal_err *err)
{
	struct rot_cert next = *cert; /* its list is lent */
	struct issue issue = { .from = old_serial, .cert = &next, .now = now };

	(void)snprintf(next.from, sizeof(next.from), "%s", old_serial);
	return rot_store_change(store, reenrol, &issue, err);
}

/* ---- Ending ---- */

static int
revoke(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct issue *issue = arg;
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r = rot_store_read_enrolment(store, issue->from, &enrolment, err);

	if (r < 0 || enrolment.revoked_at != 0)
		return r;
	enrolment.revoked_at = issue->now;
	for (size_t i = 0; r == 0 && i < enrolment.cert_count; i++) {
		bool was_good = false;

		r = rot_store_mark_cert(store, enrolment.certs[i].serial, issue->now, &was_good,
					err);
	}
	if (r == 0)
		r = rot_store_news(store, enrolment.workload, err);
	return r < 0 ? r : write_record(store, &enrolment, ROT_RECORD_PUT, err);
}

int
rot_store_revoke_enrolment(struct rot_store *store, const char *id, int64_t now,
			   struct seal_err *err)
{
	struct issue issue = { .from = id, .now = now };

	return rot_store_change(store, revoke, &issue, err);
}

struct purge {
	int64_t before;
	bool any;
};

/* When it began to be of no use to anybody, or will. */
static int64_t
end_of(const struct rot_enrolment *enrolment)
{
	int64_t end = enrolment->not_after;

	for (size_t i = 0; i < enrolment->cert_count; i++)
		if (enrolment->certs[i].not_after > end)
			end = enrolment->certs[i].not_after;
	return end;
}

/* Forget it, or look again later. */
static int
purge_one(struct rot_store *store, const char *key, int64_t before, struct seal_err *err)
{
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	const char *id = NULL;
	int64_t noted = 0;
	int r;

	if (!rot_path_parts(key, "enrol-end/", &noted, &id))
		return rot_fail_damaged(key, err);
	r = rot_store_read_enrolment(store, id, &enrolment, err);
	if (r == SEAL_E_MISSING) /* it went with its workload */
		return rot_kv_delete(store->kv, key, err);
	if (r == 0 && end_of(&enrolment) < before)
		return rot_store_drop_enrolment(store, id, noted, err);
	if (r == 0)
		r = rot_kv_delete(store->kv, key, err);
	return r < 0 ? r : rot_record_flag(store, end_key(end_of(&enrolment), id).text, err);
}

/* One at a time: with all its certificates it is not little. */
static int
purge_step(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct purge *purge = arg;
	const struct rot_path to =
		rot_path("enrol-end/" ROT_TIME "/", rot_path_time(purge->before));
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = rot_range_keys(store, "enrol-end/", to.text, 1, &keys, err);

	purge->any = keys.count > 0;
	return r < 0 || !purge->any ? r : purge_one(store, keys.items[0], purge->before, err);
}

int
rot_store_purge_enrolments(struct rot_store *store, int64_t before, struct seal_err *err)
{
	struct purge purge = { .before = before };
	int r = rot_store_change(store, purge_step, &purge, err);

	return r < 0 ? r : purge.any;
}
