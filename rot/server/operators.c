/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/operators: add, list, show, revoke, and each for itself, renew.  An operator's key never comes here: a signing
 * request does.
 */

#include "rot/server/api_internal.h"

static void
set_time(struct seal_json *object, const char *name, int64_t time)
{
	if (time != 0)
		seal_json_set_u64(object, name, (uint64_t)time);
	else
		seal_json_set_null(object, name);
}

static void
set_operator(struct seal_json *object, const struct rot_operator *holder, int64_t now)
{
	seal_json_set_str(object, "name", holder->name);
	seal_json_set_str(object, "role", holder->role);
	seal_json_set_str(object, "state", rot_operator_state(holder, now));
	if (holder->is_adopted)
		seal_json_set_null(object, "serial");
	else
		seal_json_set_str(object, "serial", holder->serial);
	seal_json_set_u64(object, "created_at", (uint64_t)holder->created_at);
	seal_json_set_u64(object, "not_after", (uint64_t)holder->not_after);
	set_time(object, "renewed_at", holder->renewed_at);
	set_time(object, "revoked_at", holder->revoked_at);
}

static int
issue_operator(const struct rot_call *call, const struct rot_operator *holder,
	       const struct seal_key *key, struct rot_issued *issued, struct seal_err *err)
{
	struct seal_identity identity = { .role = SEAL_ROLE_OPERATOR };
	const struct rot_wish wish = {
		.ca = &call->api->system_ca,
		.identity = &identity,
		.key = key,
		.seconds = holder->ttl,
	};

	(void)snprintf(identity.trust_domain, sizeof(identity.trust_domain), "%s",
		       call->api->meta.trust_domain);
	(void)snprintf(identity.operator_role, sizeof(identity.operator_role), "%s", holder->role);
	(void)snprintf(identity.operator_name, sizeof(identity.operator_name), "%s", holder->name);
	return rot_issue_cert(call->api, &wish, call->now, issued, err);
}

/* The operator, and what its credential is made of. */
static void
reply_credential(struct rot_call *call, const struct rot_operator *holder,
		 const struct rot_issued *issued)
{
	set_operator(call->reply, holder, call->now);
	seal_json_set_str(call->reply, "certificate", seal_bytes_str(&issued->pem));
	seal_json_set_str(call->reply, "ca", seal_bytes_str(&call->api->system_ca.cert));
	seal_json_set_strv(call->reply, "urls", &call->api->meta.urls);
}

static void
set_subject(struct rot_call *call, const struct rot_operator *holder)
{
	(void)snprintf(call->subject, sizeof(call->subject), "%s/%s%s%s", holder->role,
		       holder->name, holder->serial[0] != '\0' ? ": " : "", holder->serial);
}

/* ---- Adding ---- */

static int
read_order(const struct rot_call *call, struct rot_operator *holder, struct seal_err *err)
{
	const char *name = NULL, *role = NULL;
	int r;

	r = rot_body_name(call, "name", NULL, seal_operator_check, &name, err);
	if (r == 0)
		r = rot_body_name(call, "role", NULL, rot_operator_role_check, &role, err);
	if (r == 0)
		r = rot_body_number(call, "ttl", ROT_OPERATOR_SECONDS, ROT_OPERATOR_MIN_SECONDS,
				    ROT_OPERATOR_MAX_SECONDS, &holder->ttl, err);
	if (r < 0)
		return r;
	(void)snprintf(holder->name, sizeof(holder->name), "%s", name);
	(void)snprintf(holder->role, sizeof(holder->role), "%s", role);
	holder->created_at = call->now;
	return 0;
}

int
rot_operators_add(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct rot_operator holder = { 0 };
	int r;

	r = read_order(call, &holder, err);
	if (r == 0)
		r = rot_body_key(call, &key, err);
	if (r < 0)
		return r;
	set_subject(call, &holder);
	r = issue_operator(call, &holder, key, &issued, err);
	if (r < 0)
		return r;
	(void)snprintf(holder.serial, sizeof(holder.serial), "%s", issued.serial);
	holder.not_after = issued.not_after;
	r = rot_store_add_operator(call->api->config.store, &holder, call->now, err);
	if (r < 0)
		return r;
	call->status = 201;
	set_subject(call, &holder);
	reply_credential(call, &holder, &issued);
	return 0;
}

/* ---- Reading ---- */

struct page {
	struct rot_call *call;
	struct seal_json *array;
	uint64_t limit;
	uint64_t count;
	char last[SEAL_PEER_MAX + 1];
};

static int
add_to_page(void *arg, const struct rot_operator *holder, struct seal_err *err)
{
	struct page *page = arg;

	(void)err; /* failure sticks in the builder */
	if (++page->count > page->limit) {
		seal_json_set_str(page->call->reply, "next", page->last);
		return 0;
	}
	(void)snprintf(page->last, sizeof(page->last), "%s", holder->name);
	set_operator(seal_json_add_object(page->array), holder, page->call->now);
	return 0;
}

int
rot_operators_list(struct rot_call *call, struct seal_err *err)
{
	struct page page = { .call = call };
	const char *after = "";
	int r;

	r = rot_query_name(call, "after", "", seal_operator_check, &after, err);
	if (r == 0)
		r = rot_query_limit(call, &page.limit, err);
	if (r < 0)
		return r;
	page.array = seal_json_set_array(call->reply, "operators");
	return rot_store_each_operator(call->api->config.store, after, page.limit + 1, add_to_page,
				       &page, err);
}

static int
read_named(struct rot_call *call, struct rot_operator *holder, struct seal_err *err)
{
	int r = seal_operator_check(call->param, err);

	return r < 0 ? r
		     : rot_store_get_operator(call->api->config.store, call->param, holder, err);
}

int
rot_operators_get(struct rot_call *call, struct seal_err *err)
{
	struct rot_operator holder = { 0 };
	int r = read_named(call, &holder, err);

	if (r < 0)
		return r;
	set_operator(call->reply, &holder, call->now);
	return 0;
}

/* ---- Revoking ---- */

struct census {
	int64_t now;
	uint64_t admins;
};

static int
count_admin(void *arg, const struct rot_operator *holder, struct seal_err *err)
{
	struct census *census = arg;

	(void)err;
	if (strcmp(holder->role, "admin") == 0 &&
	    strcmp(rot_operator_state(holder, census->now), "live") == 0)
		census->admins++;
	return 0;
}

int
rot_operators_revoke(struct rot_call *call, struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	struct census census = { .now = call->now };
	struct rot_operator holder = { 0 };
	int r;

	r = read_named(call, &holder, err);
	if (r < 0)
		return r;
	set_subject(call, &holder);
	r = rot_store_revoke_operator(store, call->param, call->now, err);
	if (r == 0)
		r = rot_operators_get(call, err);
	if (r == 0)
		r = rot_store_each_operator(store, "", 0, count_admin, &census, err);
	if (r < 0)
		return r;
	/* None is no accident to be kept from: the local socket is always there. */
	seal_json_set_u64(call->reply, "admins", census.admins);
	return 0;
}

/* ---- Renewing: whoever calls, its own ---- */

static int
check_new_key(const struct rot_call *call, const struct seal_key *key, struct seal_err *err)
{
	uint8_t id[SEAL_HASH_LEN];
	int r = seal_key_id(key, id, err);

	if (r == 0 && memcmp(id, call->caller->key_id, sizeof(id)) == 0)
		return seal_fail(err, SEAL_E_FORMAT, "csr: the key is the old one: make a new one");
	return r;
}

int
rot_operators_renew(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	const struct rot_caller *caller = call->caller;
	struct rot_store *store = call->api->config.store;
	struct rot_operator holder = { 0 };
	int r;

	if (caller->serial[0] == '\0')
		return seal_fail(err, SEAL_E_CONFLICT,
				 "the local socket has no credential that could be renewed");
	r = rot_body_key(call, &key, err);
	if (r == 0)
		r = check_new_key(call, key, err);
	if (r == 0)
		r = rot_store_get_operator(store, caller->identity.operator_name, &holder, err);
	if (r < 0)
		return r;
	set_subject(call, &holder);
	r = issue_operator(call, &holder, key, &issued, err);
	if (r == 0)
		r = rot_store_renew_operator(store, holder.name, caller->serial, issued.serial,
					     issued.not_after, call->now, &holder, err);
	if (r < 0)
		return r;
	set_subject(call, &holder);
	reply_credential(call, &holder, &issued);
	return 0;
}
