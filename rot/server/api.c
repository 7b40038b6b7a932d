/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to an answer: find the route, ask whether the caller may, parse the body, run the
 * handler, turn its verdict into a status.  What the endpoints mean is in the files of their groups.
 *
 *   route ─▶ right ─▶ body ─▶ handler ─▶ 2xx and its JSON
 *     404/405  403     400      by the code of its failure
 *
 * The pods' endpoints answer every refusal with one sentence, whatever was wrong: the rest is for
 * our log.
 */

#include <unistd.h>

#include "rot/server/api_internal.h"

#define OPERATORS (ROT_MAY_ADMIN | ROT_MAY_CI)
/* Buckets kept: so many busy eggs, so many busy addresses. */
#define LIMITS_CAPACITY 8192
/* Lines a second about refusals; the rest is counted. */
#define REFUSALS_LOGGED 50

struct route {
	const char *method;
	const char *path; /* * stands for one part: a parameter */
	unsigned rights;
	bool is_big; /* its body and its answer may be long */
	rot_handler_fn run;
	const char *const *members; /* of the body, ending with NULL; NULL: no body is read */
	const char *refusal; /* the one sentence for every refusal, or NULL: say what it is */
	const char *event;   /* in the log, of a refusal or of a change */
};

static const char *const workload_members[] = { "name", "open", NULL };
static const char *const pair_members[] = { "client", "server", "workload", NULL };
static const char *const egg_members[] = { "containers",  "csr",      "hostnames",
					   "max_hatches", "peer",     "plain_config",
					   "ttl",         "workload", NULL };
static const char *const seal_members[] = { "objects", "peer", "workload", NULL };
static const char *const unseal_members[] = { "values", NULL };
static const char *const cert_members[] = { "csr", "hostnames", "peer", "ttl", "workload", NULL };

#define ADMIN ROT_MAY_ADMIN
#define SAY   NULL /* say what was wrong */
#define SMALL false
#define BIG   true
static const struct route routes[] = {
	{ "GET", "/v1/status", OPERATORS, SMALL, rot_status_get, NULL, SAY, NULL },
	{ "GET", "/v1/workloads", OPERATORS, SMALL, rot_workloads_list, NULL, SAY, NULL },
	{ "POST", "/v1/workloads", ADMIN, SMALL, rot_workloads_create, workload_members, SAY,
	  "workload_created" },
	{ "GET", "/v1/workloads/*", OPERATORS, SMALL, rot_workloads_get, NULL, SAY, NULL },
	{ "DELETE", "/v1/workloads/*", ADMIN, SMALL, rot_workloads_delete, NULL, SAY,
	  "workload_deleted" },
	{ "POST", "/v1/workloads/*/keys", ADMIN, SMALL, rot_keys_rotate, NULL, SAY, "key_rotated" },
	{ "DELETE", "/v1/workloads/*/keys/*", ADMIN, SMALL, rot_keys_retire, NULL, SAY,
	  "key_retired" },
	{ "GET", "/v1/peers", OPERATORS, SMALL, rot_peers_list, NULL, SAY, NULL },
	{ "POST", "/v1/peers", ADMIN, SMALL, rot_peers_allow, pair_members, SAY, "pair_allowed" },
	{ "DELETE", "/v1/peers", ADMIN, SMALL, rot_peers_deny, NULL, SAY, "pair_denied" },
	{ "GET", "/v1/eggs", OPERATORS, SMALL, rot_eggs_list, NULL, SAY, NULL },
	{ "POST", "/v1/eggs", OPERATORS, SMALL, rot_eggs_mint, egg_members, SAY, "egg_minted" },
	{ "GET", "/v1/eggs/*", OPERATORS, SMALL, rot_eggs_get, NULL, SAY, NULL },
	{ "DELETE", "/v1/eggs/*", ADMIN, SMALL, rot_eggs_revoke, NULL, SAY, "egg_revoked" },
	{ "POST", "/v1/certs", ADMIN, SMALL, rot_certs_issue, cert_members, SAY,
	  "certificate_issued" },
	{ "POST", "/v1/seal", OPERATORS, BIG, rot_seal, seal_members, SAY, "sealed" },
	{ "POST", "/v1/unseal", ADMIN, BIG, rot_unseal, unseal_members, SAY, "unsealed" },
	{ "POST", "/v1/hatch", ROT_MAY_HATCH, SMALL, rot_hatch, NULL, "hatch refused",
	  "hatch_refused" },
	{ "POST", "/v1/renew", ROT_MAY_RENEW, SMALL, rot_renew, NULL, "renewal refused",
	  "renew_refused" },
};

struct verdict {
	unsigned status;
	const char *code;
};

static int prepare(struct rot_api *api, struct seal_err *err);
static const struct route *find_route(struct rot_call *call,
				      const struct seal_http_request *request,
				      bool *ret_path_known);
static int run_route(struct rot_call *call, const struct route *route, struct seal_err *err);
static int find_caller(struct rot_call *call, struct rot_caller *local, struct seal_err *err);
static void answer(struct rot_call *call, const struct route *route);
static void answer_failure(struct rot_call *call, const struct route *route, int r,
			   const struct seal_err *err);
static void answer_error(struct rot_call *call, struct verdict verdict, const char *message);
static void log_failure(const struct rot_call *call, const struct route *route, unsigned status,
			const struct seal_err *err);
static void log_change(const struct rot_call *call, const struct route *route);

int
rot_api_new(struct rot_api **ret_api, const struct rot_api_config *config, struct seal_err *err)
{
	SEAL_SCOPED(rot_api_freep) struct rot_api *api = calloc(1, sizeof(*api));
	int r;

	if (api == NULL)
		return seal_fail_memory(err);
	api->config = *config;
	api->started_at = config->clock();
	r = prepare(api, err);
	if (r < 0)
		return r;
	*ret_api = SEAL_TAKE(api);
	return 0;
}

void
rot_api_free(struct rot_api *api)
{
	if (api == NULL)
		return;
	rot_meta_release(&api->meta);
	rot_ca_release(&api->system_ca);
	seal_certs_free(api->system_certs);
	seal_secret_free(api->statement_key);
	rot_limits_free(api->per_egg);
	rot_limits_free(api->per_address);
	free(api);
}

void
rot_api_freep(struct rot_api **api)
{
	rot_api_free(*api);
	*api = NULL;
}

const struct rot_meta *
rot_api_meta(const struct rot_api *api)
{
	return &api->meta;
}

int
rot_api_purge(struct rot_api *api, struct seal_err *err)
{
	/* A month on, for whoever wants to look back. */
	return rot_store_purge(api->config.store, api->config.clock() - 30 * 86400, err);
}

/* The peer gets an alert and nothing else; who runs the root of trust wants to know. */
static void
log_unknown_client(struct rot_api *api, const struct seal_err *err)
{
	uint64_t missed;

	if (seal_log_may(&api->unknown, REFUSALS_LOGGED, &missed))
		seal_log(SEAL_LOG_WARN, "client_refused", SEAL_STR("reason", err->text),
			 SEAL_U64("missed", missed));
}

int
rot_api_verify(void *arg, struct seal_certs *presented, void **ret_client, struct seal_err *err)
{
	struct rot_api *api = arg;
	struct rot_caller *caller = NULL;
	int r;

	r = rot_caller_verify(&caller, api->config.store, api->system_certs, api->meta.trust_domain,
			      presented, api->config.clock(), err);
	if (r < 0) {
		log_unknown_client(api, err);
		return r;
	}
	*ret_client = caller;
	return 0;
}

void
rot_api_free_client(void *client)
{
	rot_caller_free(client);
}

static void
release_call(struct rot_call *call)
{
	seal_json_free(call->body);
	seal_json_free(call->reply);
	seal_bytes_release(&call->raw);
}

void
rot_api_handle(void *arg, struct seal_http_request *request)
{
	struct rot_api *api = arg;
	SEAL_SCOPED(release_call)
	struct rot_call call = {
		.api = api,
		.request = request,
		.raw = SEAL_BYTES(ROT_REPLY_MAX),
		.status = 200,
		.now = api->config.clock(),
	};
	struct seal_err err = { 0 };
	const struct route *route;
	bool path_known = false;
	int r;

	r = find_caller(&call, &api->local, &err);
	if (r < 0) {
		log_failure(&call, NULL, 403, &err);
		answer_error(&call, (struct verdict){ 403, "forbidden" }, "not for this caller");
		return;
	}
	route = find_route(&call, request, &path_known);
	if (route == NULL && path_known) {
		answer_error(&call, (struct verdict){ 405, "method" }, "no such method here");
		return;
	}
	if (route == NULL) {
		answer_error(&call, (struct verdict){ 404, "missing" }, "no such endpoint");
		return;
	}
	r = run_route(&call, route, &err);
	if (r < 0)
		answer_failure(&call, route, r, &err);
	else
		answer(&call, route);
}

bool
rot_api_is_ready(void *arg)
{
	struct rot_api *api = arg;

	return rot_store_ping(api->config.store, NULL) == 0 &&
	       api->config.clock() >= SEAL_CLOCK_FLOOR;
}

static int
open_statement_key(struct rot_api *api, struct seal_err *err)
{
	int r = rot_signer_open_secret(api->config.signer, "statement", &api->meta.statement_key,
				       &api->statement_key, err);

	/* The first thing opened with the key-encryption key tells whether it is the right one. */
	if (r == SEAL_E_UNAUTH)
		return seal_fail(err, SEAL_E_REFUSED,
				 "this is not the key-encryption key of this root of trust: give "
				 "the right one with --kek-file");
	return r;
}

static int
prepare(struct rot_api *api, struct seal_err *err)
{
	int r;

	r = rot_store_meta(api->config.store, &api->meta, err);
	if (r == 0)
		r = open_statement_key(api, err);
	if (r == 0)
		r = rot_store_ca(api->config.store, "", &api->system_ca, err);
	if (r == 0)
		r = seal_certs_from_pem(&api->system_certs, seal_bytes_str(&api->system_ca.cert),
					api->system_ca.cert.len, SEAL_CHAIN_MAX_LEN, err);
	if (r == 0)
		r = rot_limits_new(&api->per_egg, LIMITS_CAPACITY, api->config.rate_per_egg, err);
	if (r == 0)
		r = rot_limits_new(&api->per_address, LIMITS_CAPACITY, api->config.rate_per_address,
				   err);
	if (r < 0)
		return r;
	rot_caller_local(&api->local, api->meta.trust_domain);
	return 0;
}

/* On the local socket the kernel says who it is; elsewhere the handshake did. */
static int
find_caller(struct rot_call *call, struct rot_caller *local, struct seal_err *err)
{
	uid_t uid = (uid_t)-1;
	int r;

	if (!seal_http_is_local(call->request)) {
		call->caller = seal_http_client(call->request);
		if (call->caller == NULL)
			return seal_fail(err, SEAL_E_UNAUTH, "a connection without a caller");
		return 0;
	}
	r = seal_http_peer_uid(call->request, &uid, err);
	if (r < 0)
		return r;
	if (uid != 0 && uid != geteuid())
		return seal_fail(err, SEAL_E_REFUSED, "user %lu on the local socket",
				 (unsigned long)uid);
	call->caller = local;
	return 0;
}

/* Does the path fit?  Each * of the route takes one part of it, not empty. */
static bool
path_fits(const struct route *route, const char *path, struct rot_call *call)
{
	char *const params[] = { call->param, call->param2 };
	size_t count = 0;

	for (const char *at = route->path; *at != '\0'; at++) {
		size_t len = strcspn(path, "/");

		if (*at != '*') {
			if (*path++ != *at)
				return false;
			continue;
		}
		if (len == 0 || len >= ROT_PATH_PARAM_MAX || count == SEAL_COUNT(params))
			return false;
		memcpy(params[count], path, len);
		params[count++][len] = '\0';
		path += len;
	}
	return *path == '\0';
}

static const struct route *
find_route(struct rot_call *call, const struct seal_http_request *request, bool *ret_path_known)
{
	const char *method = seal_http_method(request);
	const char *path = seal_http_path(request);

	for (size_t i = 0; i < SEAL_COUNT(routes); i++) {
		if (!path_fits(&routes[i], path, call))
			continue;
		*ret_path_known = true;
		if (strcmp(routes[i].method, method) == 0)
			return &routes[i];
	}
	return NULL;
}

/* Long bodies are for those who may send them, and for nobody else. */
size_t
rot_api_body_limit(void *arg, const struct seal_http_request *request)
{
	const struct rot_api *api = arg;
	const struct rot_caller *caller =
		seal_http_is_local(request) ? &api->local : seal_http_client(request);
	struct rot_call scratch;
	bool path_known = false;
	const struct route *route = find_route(&scratch, request, &path_known);

	if (route == NULL || !route->is_big || caller == NULL ||
	    (route->rights & caller->right) == 0)
		return ROT_MAX_BODY;
	return ROT_MAX_SEAL_BODY;
}

static int
parse_body(struct rot_call *call, const struct route *route, struct seal_err *err)
{
	const uint8_t *body;
	size_t len = 0;
	int r;

	if (route->members == NULL)
		return 0;
	body = seal_http_body(call->request, &len);
	r = seal_json_parse(&call->body, body, len,
			    route->is_big ? ROT_MAX_SEAL_BODY : ROT_MAX_BODY, err);
	if (r == 0)
		r = seal_json_only(call->body, route->members, err);
	return r;
}

static int
run_route(struct rot_call *call, const struct route *route, struct seal_err *err)
{
	int r;

	if ((route->rights & call->caller->right) == 0)
		return seal_fail(err, SEAL_E_REFUSED, "this role may not do that");
	r = parse_body(call, route, err);
	if (r < 0)
		return r;
	if (call->now < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_SYSTEM, "the clock of this machine is not set");
	call->reply = seal_json_new();
	if (route->is_big)
		seal_bytes_init(&call->raw, ROT_MAX_SEALED);
	return route->run(call, err);
}

static void
answer(struct rot_call *call, const struct route *route)
{
	struct seal_err err = { 0 };
	int r = 0;

	if (call->raw.len == 0)
		r = seal_json_dump(call->reply, false, &call->raw, &err);
	if (r < 0) {
		answer_failure(call, route, r, &err);
		return;
	}
	log_change(call, route);
	seal_http_reply(call->request, call->status, "application/json", call->raw.data,
			call->raw.len, 0);
}

static struct verdict
judge(int r)
{
	switch (r) {
	case SEAL_E_FORMAT:
	case SEAL_E_LIMIT:
	case SEAL_E_USAGE:
		return (struct verdict){ 400, "invalid" };
	case SEAL_E_REFUSED:
	case SEAL_E_UNAUTH:
		return (struct verdict){ 403, "forbidden" };
	case SEAL_E_MISSING:
		return (struct verdict){ 404, "missing" };
	case SEAL_E_CONFLICT:
		return (struct verdict){ 409, "conflict" };
	case SEAL_E_TIMEOUT:
	case SEAL_E_CLOSED:
	case SEAL_E_SYSTEM:
		return (struct verdict){ 503, "unavailable" };
	default:
		return (struct verdict){ 500, "internal" };
	}
}

static void
answer_failure(struct rot_call *call, const struct route *route, int r, const struct seal_err *err)
{
	struct verdict verdict = judge(r);
	const char *message = err->text;

	if (call->retry_after > 0)
		verdict = (struct verdict){ 429, "rate" };
	log_failure(call, route, verdict.status, err);
	if (route->refusal != NULL && verdict.status < 500 && verdict.status != 429) {
		verdict = (struct verdict){ 403, "refused" };
		message = route->refusal;
	} else if (route->refusal != NULL) {
		message = "not now";
	}
	if (verdict.status == 503)
		call->retry_after = 1;
	answer_error(call, verdict, message);
}

static void
answer_error(struct rot_call *call, struct verdict verdict, const char *message)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(4096);

	/* Without memory for a body the status alone has to do. */
	if (rot_error_encode(verdict.code, message, &body, NULL) < 0)
		seal_bytes_reset(&body);
	seal_http_reply(call->request, verdict.status, "application/json", body.data, body.len,
			call->retry_after);
}

/* A field of its own, so that one egg's refusals are found; "" for callers that are no eggs. */
static const char *
egg_of(const struct rot_call *call)
{
	return call->caller != NULL ? call->caller->identity.egg : "";
}

static void
log_failure(const struct rot_call *call, const struct route *route, unsigned status,
	    const struct seal_err *err)
{
	enum seal_level level = status >= 500 ? SEAL_LOG_ERROR : SEAL_LOG_WARN;
	char name[ROT_CALLER_NAME_MAX] = "";
	const char *event = "request_refused";
	uint64_t missed = 0;

	if (!seal_log_may(&call->api->refusals, REFUSALS_LOGGED, &missed))
		return;
	if (status >= 500)
		event = "request_failed";
	else if (route != NULL && route->refusal != NULL)
		event = route->event;
	if (call->caller != NULL)
		rot_caller_name(call->caller, name);
	seal_log(level, event, SEAL_STR("caller", name), SEAL_STR("egg", egg_of(call)),
		 SEAL_STR("address", seal_http_peer(call->request)),
		 SEAL_STR("path", seal_http_path(call->request)), SEAL_U64("status", status),
		 SEAL_STR("reason", err->text), SEAL_U64("not_logged", missed));
}

/* Every change an operator made, by whom. */
static void
log_change(const struct rot_call *call, const struct route *route)
{
	char name[ROT_CALLER_NAME_MAX];

	if (route->event == NULL || route->refusal != NULL)
		return;
	rot_caller_name(call->caller, name);
	seal_log(SEAL_LOG_NOTICE, route->event, SEAL_STR("caller", name),
		 SEAL_STR("address", seal_http_peer(call->request)),
		 SEAL_STR("subject", call->subject));
}
