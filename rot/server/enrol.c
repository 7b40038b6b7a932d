/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/enrolments: credentials for clients outside, to be used once (est_enrol.c).  The secret is told to who asks for
 * it, and kept nowhere: the store has its digest.
 */

#include "rot/server/api_internal.h"
#include "rot/server/est.h"

#define EXPIRES_DEFAULT 3600
#define EXPIRES_MAX     UINT64_C(2592000) /* 30 days */

static const char *
state_of(const struct rot_enrolment *enrolment, int64_t now)
{
	if (enrolment->revoked_at != 0)
		return "revoked";
	if (enrolment->spent_at != 0)
		return "spent";
	return enrolment->not_after <= now ? "expired" : "live";
}

static void
set_time(struct seal_json *object, const char *name, int64_t time)
{
	if (time != 0)
		seal_json_set_u64(object, name, (uint64_t)time);
	else
		seal_json_set_null(object, name);
}

static void
set_enrolment(struct seal_json *object, const struct rot_enrolment *enrolment, int64_t now)
{
	struct seal_json *serials;

	seal_json_set_str(object, "id", enrolment->id);
	seal_json_set_str(object, "workload", enrolment->workload);
	seal_json_set_str(object, "peer", enrolment->peer);
	seal_json_set_strv(object, "hostnames", &enrolment->hostnames);
	seal_json_set_u64(object, "ttl", enrolment->lifetime);
	seal_json_set_u64(object, "created_at", (uint64_t)enrolment->created_at);
	seal_json_set_u64(object, "not_after", (uint64_t)enrolment->not_after);
	set_time(object, "spent_at", enrolment->spent_at);
	set_time(object, "revoked_at", enrolment->revoked_at);
	seal_json_set_str(object, "state", state_of(enrolment, now));
	serials = seal_json_set_array(object, "serials");
	for (size_t i = 0; i < enrolment->cert_count; i++) {
		if (enrolment->certs[i].not_after > now)
			seal_json_add_str(serials, enrolment->certs[i].serial);
	}
}

static int
read_order(struct rot_call *call, struct rot_enrolment *enrolment, struct seal_err *err)
{
	const char *workload = NULL, *peer = NULL;
	uint64_t expires = 0;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_body_name(call, "peer", SEAL_PEER_ANY, seal_peer_check, &peer, err);
	if (r == 0)
		r = rot_body_names(call, "hostnames", seal_hostname_check, &enrolment->hostnames,
				   err);
	if (r == 0)
		r = rot_body_number(call, "ttl", ROT_LIFETIME, ROT_MIN_LIFETIME, ROT_MAX_LIFETIME,
				    &enrolment->lifetime, err);
	if (r == 0)
		r = rot_body_number(call, "expires", EXPIRES_DEFAULT, 1, EXPIRES_MAX, &expires,
				    err);
	if (r < 0)
		return r;
	(void)snprintf(enrolment->workload, sizeof(enrolment->workload), "%s", workload);
	(void)snprintf(enrolment->peer, sizeof(enrolment->peer), "%s", peer);
	enrolment->created_at = call->now;
	enrolment->not_after = call->now + (int64_t)expires;
	return 0;
}

/* An id, a secret (which the caller has room for), and its digest. */
static int
draw(struct rot_enrolment *enrolment, struct seal_bytes *secret, struct seal_err *err)
{
	uint8_t id[SEAL_ID_LEN / 2];
	uint8_t raw[SEAL_KEY_LEN];
	int r = seal_random(id, sizeof(id), err);

	if (r == 0)
		r = seal_random(raw, sizeof(raw), err);
	if (r == 0)
		r = seal_base64url_encode(secret, raw, sizeof(raw), err);
	seal_wipe(raw, sizeof(raw));
	if (r < 0)
		return r;
	seal_hex_encode(enrolment->id, id, sizeof(id));
	return seal_sha256(enrolment->secret, secret->data, secret->len, err);
}

int
rot_enrolments_create(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes secret = SEAL_BYTES(ROT_EST_SECRET_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes ca = SEAL_BYTES(ROT_BUNDLE_MAX);
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	int r;

	r = read_order(call, &enrolment, err);
	if (r == 0)
		r = draw(&enrolment, &secret, err);
	if (r == 0)
		r = rot_store_ca_bundle(call->api->config.store, "", &ca, err);
	if (r == 0)
		r = rot_store_add_enrolment(call->api->config.store, &enrolment, err);
	if (r < 0)
		return r;
	call->status = 201;
	(void)snprintf(call->subject, sizeof(call->subject), "%s for %s/%s", enrolment.id,
		       enrolment.workload, enrolment.peer);
	set_enrolment(call->reply, &enrolment, call->now);
	seal_json_set_str(call->reply, "secret", seal_bytes_str(&secret));
	seal_json_set_str(call->reply, "ca", seal_bytes_str(&ca));
	return 0;
}

struct page {
	struct rot_call *call;
	struct seal_json *array;
	uint64_t limit;
	uint64_t count;
	char last[SEAL_ID_LEN + 1];
};

static int
add_to_page(void *arg, const struct rot_enrolment *enrolment, struct seal_err *err)
{
	struct page *page = arg;

	(void)err; /* failure sticks in the builder */
	if (++page->count > page->limit) {
		seal_json_set_str(page->call->reply, "next", page->last);
		return 0;
	}
	(void)snprintf(page->last, sizeof(page->last), "%s", enrolment->id);
	set_enrolment(seal_json_add_object(page->array), enrolment, page->call->now);
	return 0;
}

int
rot_enrolments_list(struct rot_call *call, struct seal_err *err)
{
	struct page page = { .call = call };
	const char *workload = "", *after = "";
	int r;

	r = rot_query_name(call, "workload", "", seal_workload_check, &workload, err);
	if (r == 0)
		r = rot_query_name(call, "after", "", seal_id_check, &after, err);
	if (r == 0)
		r = rot_query_limit(call, &page.limit, err);
	if (r < 0)
		return r;
	page.array = seal_json_set_array(call->reply, "enrolments");
	return rot_store_each_enrolment(call->api->config.store, workload, after, page.limit + 1,
					add_to_page, &page, err);
}

int
rot_enrolments_revoke(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_enrolment_release) struct rot_enrolment enrolment = { 0 };
	struct rot_store *store = call->api->config.store;
	int r;

	r = seal_id_check(call->param, err);
	if (r == 0)
		r = rot_store_revoke_enrolment(store, call->param, call->now, err);
	if (r == 0)
		r = rot_store_get_enrolment(store, call->param, &enrolment, err);
	if (r < 0)
		return r;
	(void)snprintf(call->subject, sizeof(call->subject), "%s for %s/%s", enrolment.id,
		       enrolment.workload, enrolment.peer);
	rot_call_about(call, enrolment.workload);
	set_enrolment(call->reply, &enrolment, call->now);
	return 0;
}
