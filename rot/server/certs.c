/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/certs: certificates of pods, and of clients and servers outside, on machines the owner trusts: issue these, list,
 * show and revoke all.
 */

#include <inttypes.h>

#include "rot/server/api_internal.h"

static int
read_order(struct rot_call *call, struct rot_cert *cert, uint64_t *ret_ttl, struct seal_err *err)
{
	const char *workload = NULL, *peer = NULL;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_body_name(call, "peer", SEAL_PEER_ANY, seal_peer_check, &peer, err);
	if (r == 0)
		r = rot_body_names(call, "hostnames", seal_hostname_check, &cert->hostnames, err);
	if (r == 0)
		r = rot_body_number(call, "ttl", ROT_LIFETIME, ROT_MIN_LIFETIME, ROT_MAX_LIFETIME,
				    ret_ttl, err);
	if (r < 0)
		return r;
	(void)snprintf(cert->workload, sizeof(cert->workload), "%s", workload);
	(void)snprintf(cert->peer, sizeof(cert->peer), "%s", peer);
	cert->created_at = call->now;
	return 0;
}

static void
set_cert(struct rot_call *call, const struct rot_cert *cert, const struct rot_issued *issued,
	 const struct seal_bytes *bundle)
{
	seal_json_set_str(call->reply, "serial", cert->serial);
	seal_json_set_str(call->reply, "workload", cert->workload);
	seal_json_set_str(call->reply, "peer", cert->peer);
	seal_json_set_strv(call->reply, "hostnames", &cert->hostnames);
	seal_json_set_u64(call->reply, "not_before", (uint64_t)cert->not_before);
	seal_json_set_u64(call->reply, "not_after", (uint64_t)cert->not_after);
	seal_json_set_str(call->reply, "certificate", seal_bytes_str(&issued->pem));
	seal_json_set_str(call->reply, "ca_bundle", seal_bytes_str(bundle));
}

int
rot_certs_issue(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes bundle = SEAL_BYTES(ROT_BUNDLE_MAX);
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct rot_store *store = call->api->config.store;
	uint64_t ttl = 0;
	int r;

	r = read_order(call, &cert, &ttl, err);
	if (r == 0)
		r = rot_body_key(call, &key, err);
	if (r == 0)
		r = rot_store_ca_bundle(store, cert.workload, &bundle, err);
	if (r == 0)
		r = rot_issue_pod(call->api, cert.workload, cert.peer, &cert.hostnames, key, ttl,
				  call->now, &issued, err);
	if (r < 0)
		return r;
	(void)snprintf(cert.serial, sizeof(cert.serial), "%s", issued.serial);
	cert.not_before = issued.not_before;
	cert.not_after = issued.not_after;
	cert.ca = issued.ca;
	cert.newest_ca = issued.newest_ca;
	r = rot_store_add_cert(store, &cert, err);
	if (r < 0)
		return r;
	call->status = 201;
	rot_call_issued(call, &cert);
	set_cert(call, &cert, &issued, &bundle);
	return 0;
}

/* ---- Listing ---- */

static const struct {
	const char *name;
	enum rot_cert_state state;
} states[] = {
	{ "live", ROT_CERT_LIVE },
	{ "revoked", ROT_CERT_REVOKED },
	{ "expired", ROT_CERT_EXPIRED },
};

static const char *
state_of(const struct rot_cert *cert, int64_t now)
{
	if (cert->revoked_at != 0)
		return "revoked";
	return cert->not_after <= now ? "expired" : "live";
}

static void
set_or_null(struct seal_json *object, const char *name, const char *text)
{
	if (text[0] != '\0')
		seal_json_set_str(object, name, text);
	else
		seal_json_set_null(object, name);
}

static void
set_record(struct seal_json *object, const struct rot_cert *cert, int64_t now)
{
	seal_json_set_str(object, "serial", cert->serial);
	seal_json_set_str(object, "workload", cert->workload);
	seal_json_set_str(object, "peer", cert->peer);
	seal_json_set_strv(object, "hostnames", &cert->hostnames);
	set_or_null(object, "egg", cert->egg);
	set_or_null(object, "renewed_from", cert->from);
	seal_json_set_u64(object, "created_at", (uint64_t)cert->created_at);
	seal_json_set_u64(object, "not_before", (uint64_t)cert->not_before);
	seal_json_set_u64(object, "not_after", (uint64_t)cert->not_after);
	if (cert->revoked_at != 0)
		seal_json_set_u64(object, "revoked_at", (uint64_t)cert->revoked_at);
	else
		seal_json_set_null(object, "revoked_at");
	seal_json_set_str(object, "state", state_of(cert, now));
}

struct page {
	struct rot_call *call;
	struct seal_json *array;
	uint64_t limit;
	uint64_t count;
	char last[SEAL_SERIAL_LEN + 1];
};

static int
add_to_page(void *arg, const struct rot_cert *cert, struct seal_err *err)
{
	struct page *page = arg;

	(void)err; /* failure sticks in the builder */
	if (++page->count > page->limit) {
		seal_json_set_str(page->call->reply, "next", page->last);
		return 0;
	}
	(void)snprintf(page->last, sizeof(page->last), "%s", cert->serial);
	set_record(seal_json_add_object(page->array), cert, page->call->now);
	return 0;
}

static int
query_state(const struct rot_call *call, enum rot_cert_state *ret_state, struct seal_err *err)
{
	const char *text = seal_http_query(call->request, "state");

	*ret_state = ROT_CERT_ANY;
	for (size_t i = 0; text != NULL && i < SEAL_COUNT(states); i++) {
		if (strcmp(states[i].name, text) == 0)
			*ret_state = states[i].state;
	}
	if (text == NULL || *ret_state != ROT_CERT_ANY)
		return 0;
	return seal_fail(err, SEAL_E_FORMAT,
			 "query parameter 'state': '%.64s' is not live, revoked or expired", text);
}

/* Ours have the length of an id. */
static int
check_serial(const char *serial, struct seal_err *err)
{
	if (seal_id_check(serial, NULL) < 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "'%.64s' is no serial number: 32 lower-case hexadecimal digits",
				 serial);
	return 0;
}

int
rot_certs_list(struct rot_call *call, struct seal_err *err)
{
	struct page page = { .call = call };
	const char *workload = "", *after = "";
	enum rot_cert_state state = ROT_CERT_ANY;
	int r;

	r = rot_query_name(call, "workload", "", seal_workload_check, &workload, err);
	if (r == 0)
		r = rot_query_name(call, "after", "", check_serial, &after, err);
	if (r == 0)
		r = rot_query_limit(call, &page.limit, err);
	if (r == 0)
		r = query_state(call, &state, err);
	if (r < 0)
		return r;
	page.array = seal_json_set_array(call->reply, "certificates");
	return rot_store_each_cert(call->api->config.store, workload, state, after, page.limit + 1,
				   call->now, add_to_page, &page, err);
}

int
rot_certs_get(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r;

	r = check_serial(call->param, err);
	if (r == 0)
		r = rot_store_get_cert(call->api->config.store, call->param, &cert, err);
	if (r < 0)
		return r;
	set_record(call->reply, &cert, call->now);
	rot_call_about(call, cert.workload);
	return 0;
}

/* ---- Revoking ---- */

int
rot_certs_revoke(struct rot_call *call, struct seal_err *err)
{
	uint64_t certificates = 0;
	int r;

	r = check_serial(call->param, err);
	if (r == 0)
		r = rot_store_revoke_cert(call->api->config.store, call->param, call->now,
					  &certificates, err);
	if (r == 0)
		r = rot_certs_get(call, err);
	if (r < 0)
		return r;
	atomic_store(&call->api->must_sweep, true);
	seal_json_set_u64(call->reply, "certificates", certificates);
	(void)snprintf(call->subject, sizeof(call->subject), "%s: %" PRIu64 " certificates",
		       call->param, certificates);
	return 0;
}
