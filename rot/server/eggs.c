/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/eggs: mint, list, show, revoke.  The egg's key never comes here: a signing request does.
 */

#include <inttypes.h>

#include "egg/statement.h"
#include "rot/server/api_internal.h"

#define STATEMENT_MAX (32u * 1024) /* 32 patterns of 253 letters, twice in base64 */

static const char *
egg_state(const struct rot_egg *egg, int64_t now)
{
	if (egg->revoked_at != 0)
		return "revoked";
	if (egg->not_after <= now)
		return "expired";
	if (egg->max_hatches != 0 && egg->hatches >= egg->max_hatches)
		return "spent";
	return "live";
}

static void
set_egg(struct seal_json *object, const struct rot_egg *egg, int64_t now)
{
	seal_json_set_str(object, "id", egg->id);
	seal_json_set_str(object, "workload", egg->workload);
	seal_json_set_str(object, "peer", egg->peer);
	seal_json_set_strv(object, "hostnames", &egg->hostnames);
	seal_json_set_u64(object, "created_at", (uint64_t)egg->created_at);
	seal_json_set_u64(object, "not_after", (uint64_t)egg->not_after);
	seal_json_set_u64(object, "max_hatches", egg->max_hatches);
	seal_json_set_u64(object, "hatches", egg->hatches);
	seal_json_set_bool(object, "plain_config", egg->plain_config);
	seal_json_set_str(object, "serial", egg->serial);
	if (egg->revoked_at != 0)
		seal_json_set_u64(object, "revoked_at", (uint64_t)egg->revoked_at);
	else
		seal_json_set_null(object, "revoked_at");
	seal_json_set_str(object, "state", egg_state(egg, now));
}

/* What the operator asked for; ttl is not part of an egg. */
static int
read_order(struct rot_call *call, struct rot_egg *egg, uint64_t *ret_ttl, struct seal_err *err)
{
	const char *workload = NULL, *peer = NULL;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_body_name(call, "peer", SEAL_PEER_ANY, seal_peer_check, &peer, err);
	if (r == 0)
		r = rot_body_names(call, "hostnames", seal_hostname_pattern_check, &egg->hostnames,
				   err);
	if (r == 0)
		r = rot_body_number(call, "ttl", ROT_EGG_SECONDS, 1, ROT_EGG_MAX_SECONDS, ret_ttl,
				    err);
	if (r == 0)
		r = rot_body_number(call, "max_hatches", 0, 0, ROT_MAX_HATCHES, &egg->max_hatches,
				    err);
	if (r == 0)
		r = rot_body_flag(call, "plain_config", &egg->plain_config, err);
	if (r < 0)
		return r;
	(void)snprintf(egg->workload, sizeof(egg->workload), "%s", workload);
	(void)snprintf(egg->peer, sizeof(egg->peer), "%s", peer);
	egg->created_at = call->now;
	egg->not_after = call->now + (int64_t)*ret_ttl;
	return 0;
}

static int
draw_id(char id[static SEAL_ID_LEN + 1], struct seal_err *err)
{
	uint8_t raw[SEAL_ID_LEN / 2];
	int r = seal_random(raw, sizeof(raw), err);

	if (r == 0)
		seal_hex_encode(id, raw, sizeof(raw));
	return r;
}

/* The egg's own certificate, for talking to us. */
static int
issue_egg_cert(const struct rot_call *call, const struct rot_egg *egg, const struct seal_key *key,
	       uint64_t ttl, struct rot_issued *issued, struct seal_err *err)
{
	struct seal_identity identity = { .role = SEAL_ROLE_EGG };
	const struct rot_wish wish = {
		.ca = &call->api->system_ca,
		.identity = &identity,
		.key = key,
		.seconds = ttl,
	};

	(void)snprintf(identity.trust_domain, sizeof(identity.trust_domain), "%s",
		       call->api->meta.trust_domain);
	(void)snprintf(identity.egg, sizeof(identity.egg), "%s", egg->id);
	return rot_issue_cert(call->api, &wish, call->now, issued, err);
}

static int
seal_statement(const struct rot_call *call, const struct rot_egg *egg, struct seal_bytes *out,
	       struct seal_err *err)
{
	struct egg_statement statement = {
		.hostnames = egg->hostnames, /* borrowed, so never released */
		.not_after = egg->not_after,
		.max_hatches = egg->max_hatches,
	};

	(void)snprintf(statement.id, sizeof(statement.id), "%s", egg->id);
	(void)snprintf(statement.workload, sizeof(statement.workload), "%s", egg->workload);
	(void)snprintf(statement.peer, sizeof(statement.peer), "%s", egg->peer);
	memcpy(statement.key_id, egg->key_id, sizeof(statement.key_id));
	return egg_statement_seal(&statement, call->api->statement_key, out, err);
}

/* Everything that goes into the answer is made before the egg is recorded: the rest cannot fail. */
static int
mint(struct rot_call *call, struct rot_egg *egg, const struct seal_key *key, uint64_t ttl,
     struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes statement = SEAL_BYTES(STATEMENT_MAX);
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	int r;

	r = draw_id(egg->id, err);
	if (r == 0)
		r = seal_key_id(key, egg->key_id, err);
	if (r == 0)
		r = seal_statement(call, egg, &statement, err);
	if (r == 0)
		r = issue_egg_cert(call, egg, key, ttl, &issued, err);
	if (r == 0)
		r = rot_set_tokens(call, egg->workload, egg->peer, err);
	if (r < 0)
		return r;
	(void)snprintf(egg->serial, sizeof(egg->serial), "%s", issued.serial);
	r = rot_store_add_egg(call->api->config.store, egg, err);
	if (r < 0)
		return r;
	(void)snprintf(call->subject, sizeof(call->subject), "%s for %s/%s", egg->id, egg->workload,
		       egg->peer);
	set_egg(call->reply, egg, call->now);
	seal_json_set_str(call->reply, "certificate", seal_bytes_str(&issued.pem));
	seal_json_set_str(call->reply, "ca", seal_bytes_str(&call->api->system_ca.cert));
	seal_json_set_strv(call->reply, "urls", &call->api->meta.urls);
	seal_json_set_str(call->reply, "statement", seal_bytes_str(&statement));
	return 0;
}

int
rot_eggs_mint(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct rot_workload workload = { 0 };
	uint64_t ttl = 0;
	int r;

	r = read_order(call, &egg, &ttl, err);
	if (r == 0)
		r = rot_body_key(call, &key, err);
	if (r == 0)
		r = rot_store_get_workload(call->api->config.store, egg.workload, call->now,
					   &workload, err);
	if (r == 0)
		r = mint(call, &egg, key, ttl, err);
	if (r < 0)
		return r;
	call->status = 201;
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
add_to_page(void *arg, const struct rot_egg *egg, struct seal_err *err)
{
	struct page *page = arg;

	(void)err; /* failure sticks in the builder */
	if (++page->count > page->limit) {
		seal_json_set_str(page->call->reply, "next", page->last);
		return 0;
	}
	(void)snprintf(page->last, sizeof(page->last), "%s", egg->id);
	set_egg(seal_json_add_object(page->array), egg, page->call->now);
	return 0;
}

int
rot_eggs_list(struct rot_call *call, struct seal_err *err)
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
	page.array = seal_json_set_array(call->reply, "eggs");
	return rot_store_each_egg(call->api->config.store, workload, after, page.limit + 1,
				  add_to_page, &page, err);
}

int
rot_eggs_get(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r;

	r = seal_id_check(call->param, err);
	if (r == 0)
		r = rot_store_get_egg(call->api->config.store, call->param, &egg, err);
	if (r < 0)
		return r;
	rot_call_about(call, egg.workload);
	set_egg(call->reply, &egg, call->now);
	return 0;
}

int
rot_eggs_revoke(struct rot_call *call, struct seal_err *err)
{
	uint64_t certificates = 0;
	int r;

	r = seal_id_check(call->param, err);
	if (r == 0)
		r = rot_store_revoke_egg(call->api->config.store, call->param, call->now,
					 &certificates, err);
	if (r == 0)
		r = rot_eggs_get(call, err);
	if (r < 0)
		return r;
	atomic_store(&call->api->must_sweep, true);
	seal_json_set_u64(call->reply, "certificates", certificates);
	(void)snprintf(call->subject, sizeof(call->subject), "%s: %" PRIu64 " certificates",
		       call->param, certificates);
	return 0;
}
