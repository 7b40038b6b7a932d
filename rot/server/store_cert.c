/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod certificates that were issued.  A hatch spends its budget and records its certificate in one transaction:
 * of any number that race, no more than the budget win, and what was not recorded was never handed out.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define MAX_HOSTNAMES 64

void
rot_cert_release(struct rot_cert *cert)
{
	seal_strv_release(&cert->hostnames);
}

/* ---- The record ---- */

static struct rot_path
cert_key(const char *serial)
{
	return rot_path("cert/%s", serial);
}

static struct rot_path
revoked_key(const struct rot_cert *cert)
{
	return rot_path("revoked/%s/" ROT_TIME "/%s", cert->workload,
			rot_path_time(cert->not_after), cert->serial);
}

static int
write_cert(struct rot_store *store, const struct rot_cert *cert, enum rot_record_how how,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_str(record, "workload", cert->workload);
	seal_json_set_str(record, "egg", cert->egg);
	seal_json_set_str(record, "peer", cert->peer);
	seal_json_set_strv(record, "hostnames", &cert->hostnames);
	seal_json_set_i64(record, "created_at", cert->created_at);
	seal_json_set_i64(record, "not_before", cert->not_before);
	seal_json_set_i64(record, "not_after", cert->not_after);
	seal_json_set_i64(record, "revoked_at", cert->revoked_at);
	seal_json_set_u64(record, "ca", cert->ca);
	if (cert->from[0] != '\0')
		seal_json_set_str(record, "from", cert->from);
	return rot_record_put(store, cert_key(cert->serial).text, record, how, err);
}

static int
parse_cert(const struct seal_json *record, const char *key, struct rot_cert *cert,
	   struct seal_err *err)
{
	static const char *const members[] = { "workload",  "egg",        "peer",
					       "hostnames", "created_at", "not_before",
					       "not_after", "revoked_at", "ca",
					       "from",      NULL };
	struct rot_fields fields = { .key = key, .record = record };

	rot_field_text(&fields, "workload", cert->workload, sizeof(cert->workload));
	rot_field_text(&fields, "egg", cert->egg, sizeof(cert->egg));
	rot_field_text(&fields, "peer", cert->peer, sizeof(cert->peer));
	rot_field_strv(&fields, "hostnames", MAX_HOSTNAMES, &cert->hostnames);
	rot_field_time(&fields, "created_at", &cert->created_at);
	rot_field_time(&fields, "not_before", &cert->not_before);
	rot_field_time(&fields, "not_after", &cert->not_after);
	rot_field_time(&fields, "revoked_at", &cert->revoked_at);
	rot_field_u64_or(&fields, "ca", &cert->ca);
	rot_field_text_or(&fields, "from", cert->from, sizeof(cert->from));
	return rot_fields_done(&fields, members, err);
}

static int
read_cert(struct rot_store *store, const char *serial, struct rot_cert *ret_cert,
	  struct seal_err *err)
{
	const struct rot_path key = cert_key(serial);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r = rot_record_get(store, key.text, &record, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, r, "there is no certificate '%s'", serial);
	if (r == 0)
		r = parse_cert(record, key.text, &cert, err);
	if (r < 0)
		return r;
	(void)snprintf(cert.serial, sizeof(cert.serial), "%s", serial);
	*ret_cert = cert;
	memset(&cert, 0, sizeof(cert)); /* the caller owns it now */
	return 0;
}

int
rot_store_put_cert(struct rot_store *store, const struct rot_cert *cert, struct seal_err *err)
{
	const uint64_t end = rot_path_time(cert->not_after);
	const struct rot_path at = rot_path("cert-end/" ROT_TIME "/%s", end, cert->serial);
	char owner[ROT_OWNER_MAX];
	int r;

	/* With what it takes to forget it without reading it. */
	(void)snprintf(owner, sizeof(owner), "%s %s%s%s", cert->workload, cert->egg,
		       cert->from[0] != '\0' ? " " : "", cert->from);
	r = write_cert(store, cert, ROT_RECORD_ADD, err);
	if (r < 0)
		return seal_note(err, r, "certificate %s", cert->serial);
	r = rot_kv_put(store->kv, at.text, owner, strlen(owner), err);
	if (r == 0)
		r = rot_store_put_holder(store, cert, err);
	if (r == 0 && cert->egg[0] != '\0')
		r = rot_record_flag(store, rot_path("cert-egg/%s/%s", cert->egg, cert->serial).text,
				    err);
	if (r == 0 && cert->from[0] != '\0')
		r = rot_record_flag(
			store,
			rot_path("cert-next/%s/%s/%s", cert->workload, cert->from, cert->serial)
				.text,
			err);
	if (r == 0 && cert->revoked_at != 0)
		r = rot_record_flag(store, revoked_key(cert).text, err);
	return r;
}

/* ---- Issuing ---- */

struct issue {
	const char *old_serial;
	const struct rot_cert *cert;
	int64_t now;
};

static int
hatch(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct issue *issue = arg;
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	struct rot_cert cert = *issue->cert; /* its list is lent */
	int r = rot_store_spend_egg(store, cert.egg, issue->now, &egg, err);

	if (r < 0)
		return r;
	memcpy(cert.workload, egg.workload, sizeof(cert.workload));
	memcpy(cert.peer, egg.peer, sizeof(cert.peer));
	return rot_store_put_cert(store, &cert, err);
}

int
rot_store_hatch(struct rot_store *store, const struct rot_cert *cert, int64_t now,
		struct seal_err *err)
{
	struct issue issue = { .cert = cert, .now = now };

	return rot_store_change(store, hatch, &issue, err);
}

/* May what is known of the old certificate go on? */
static int
check_renewable(struct rot_store *store, const struct rot_cert *old, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r;

	if (old->revoked_at != 0 || old->egg[0] == '\0')
		return SEAL_E_MISSING;
	r = rot_store_get_egg(store, old->egg, &egg, err);
	if (r == 0 && egg.revoked_at != 0)
		return SEAL_E_MISSING;
	return r < 0 ? r : rot_store_need_workload(store, old->workload, err);
}

static int
renew(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct issue *issue = arg;
	SEAL_SCOPED(rot_cert_release) struct rot_cert old = { 0 };
	struct rot_cert cert;
	int r;

	r = read_cert(store, issue->old_serial, &old, err);
	if (r == 0)
		r = check_renewable(store, &old, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_REFUSED, "certificate or egg revoked, or no egg's");
	if (r < 0)
		return r;
	cert = old; /* with its list, lent */
	memcpy(cert.from, old.serial, sizeof(cert.from));
	memcpy(cert.serial, issue->cert->serial, sizeof(cert.serial));
	cert.created_at = issue->cert->created_at;
	cert.not_before = issue->cert->not_before;
	cert.not_after = issue->cert->not_after;
	cert.revoked_at = 0;
	cert.ca = issue->cert->ca;
	cert.newest_ca = issue->cert->newest_ca;
	cert.newest_key = issue->cert->newest_key;
	r = rot_store_put_cert(store, &cert, err);
	return r < 0 ? r : rot_store_replace_holder(store, &old, err);
}

int
rot_store_renew(struct rot_store *store, const char *old_serial, const struct rot_cert *cert,
		struct seal_err *err)
{
	struct issue issue = { .old_serial = old_serial, .cert = cert };

	return rot_store_change(store, renew, &issue, err);
}

static int
add_cert(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct issue *issue = arg;
	struct rot_cert cert = *issue->cert; /* its list is lent */
	int r = rot_store_need_workload(store, cert.workload, err);

	cert.egg[0] = '\0';
	cert.from[0] = '\0';
	cert.revoked_at = 0;
	return r < 0 ? r : rot_store_put_cert(store, &cert, err);
}

int
rot_store_add_cert(struct rot_store *store, const struct rot_cert *cert, struct seal_err *err)
{
	struct issue issue = { .cert = cert };

	return rot_store_change(store, add_cert, &issue, err);
}

/* ---- Reading and revoking ---- */

struct cert_look {
	const char *serial;
	const char *name; /* of a workload or an egg */
	int64_t now;
	struct rot_cert *ret_cert;
	rot_serial_fn fn;
	void *arg;
};

static int
look_at_cert(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct cert_look *look = arg;

	return read_cert(store, look->serial, look->ret_cert, err);
}

int
rot_store_get_cert(struct rot_store *store, const char *serial, struct rot_cert *ret_cert,
		   struct seal_err *err)
{
	struct cert_look look = { .serial = serial, .ret_cert = ret_cert };

	return rot_store_look(store, look_at_cert, &look, err);
}

int
rot_store_mark_cert(struct rot_store *store, const char *serial, int64_t now, bool *ret_was_good,
		    struct seal_err *err)
{
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r = read_cert(store, serial, &cert, err);

	*ret_was_good = r == 0 && cert.revoked_at == 0;
	if (r == SEAL_E_MISSING)
		return 0;
	if (r < 0 || cert.revoked_at != 0)
		return r;
	cert.revoked_at = now;
	r = write_cert(store, &cert, ROT_RECORD_PUT, err);
	return r < 0 ? r : rot_record_flag(store, revoked_key(&cert).text, err);
}

static int
give_serial(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	const struct cert_look *look = arg;

	(void)value;
	(void)len;
	return look->fn(look->arg, strrchr(key, '/') + 1, err);
}

static int
look_at_revoked(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct cert_look *look = arg;
	const struct rot_path from =
		rot_path("revoked/%s/" ROT_TIME "/", look->name, rot_path_time(look->now + 1));
	const struct rot_path to = rot_path("revoked/%s0", look->name);
	const struct rot_kv_range range = { .from = from.text,
					    .to = to.text,
					    .limit = ROT_MAX_REVOKED,
					    .backwards = true,
					    .keys_only = true,
					    .loose = true };

	return rot_kv_each(store->kv, &range, give_serial, look, err);
}

int
rot_store_each_revoked(struct rot_store *store, const char *workload, int64_t now, rot_serial_fn fn,
		       void *arg, struct seal_err *err)
{
	struct cert_look look = { .name = workload, .now = now, .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_revoked, &look, err);
}

static int
look_at_born(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct cert_look *look = arg;
	const struct rot_path from = rot_path("cert-egg/%s/", look->name);
	const struct rot_path to = rot_path("cert-egg/%s0", look->name);
	const struct rot_kv_range range = {
		.from = from.text, .to = to.text, .keys_only = true, .loose = true
	};

	return rot_kv_each(store->kv, &range, give_serial, look, err);
}

int
rot_store_each_born(struct rot_store *store, const char *egg, rot_serial_fn fn, void *arg,
		    struct seal_err *err)
{
	struct cert_look look = { .name = egg, .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_born, &look, err);
}
