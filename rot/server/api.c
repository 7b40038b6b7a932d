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
#include "rot/server/news.h"

#define OPERATORS (ROT_MAY_ADMIN | ROT_MAY_CI)
#define READERS   (OPERATORS | ROT_MAY_AUDIT)
#define WATCHERS  (ROT_MAY_ADMIN | ROT_MAY_AUDIT) /* of what is no business of a machine's */
/* Buckets kept: so many busy eggs, so many busy addresses. */
#define LIMITS_CAPACITY 8192
/* Lines a second about refusals; the rest is counted. */
#define REFUSALS_LOGGED 50
/* Tries a second with one enrolment's credential: it is good for one. */
#define RATE_PER_ENROLMENT 5
#define MAX_BATCH          64 /* calls in one transaction */

static const char *const workload_members[] = { "name", "open", NULL };
static const char *const pair_members[] = { "client", "server", "workload", NULL };
static const char *const peer_members[] = { "peer", "workload", NULL };
static const char *const egg_members[] = { "containers",  "csr",      "hostnames",
					   "max_hatches", "peer",     "plain_config",
					   "ttl",         "workload", NULL };
static const char *const seal_members[] = { "objects", "peer", "workload", NULL };
static const char *const unseal_members[] = { "values", NULL };
static const char *const operator_members[] = { "csr", "name", "role", "ttl", NULL };
static const char *const renewal_members[] = { "csr", NULL };
static const char *const cert_members[] = { "csr", "hostnames", "peer", "ttl", "workload", NULL };

static const char *const enrolment_members[] = { "expires", "hostnames", "peer",
						 "ttl",     "workload",  NULL };

#define ADMIN   ROT_MAY_ADMIN
#define SAY     NULL /* say what was wrong */
#define SMALL   false
#define BIG     true
#define READS   false
#define CHANGES true
static const struct rot_route routes[] = {
	{ "GET", "/v1/status", READERS, SMALL, READS, rot_status_get, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "GET", "/v1/workloads", READERS, SMALL, READS, rot_workloads_list, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "POST", "/v1/workloads", ADMIN, SMALL, CHANGES, rot_workloads_create, workload_members,
	  SAY, "workload_created", AUDIT_WORKLOAD_CREATE },
	{ "GET", "/v1/workloads/*", READERS, SMALL, READS, rot_workloads_get, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "DELETE", "/v1/workloads/*", ADMIN, SMALL, CHANGES, rot_workloads_delete, NULL, SAY,
	  "workload_deleted", AUDIT_WORKLOAD_DELETE },
	{ "POST", "/v1/workloads/*/cas", ADMIN, SMALL, CHANGES, rot_cas_introduce, NULL, SAY,
	  "ca_introduced", AUDIT_CA_INTRODUCE },
	{ "POST", "/v1/workloads/*/cas/*/switch", ADMIN, SMALL, CHANGES, rot_cas_switch, NULL, SAY,
	  "ca_switched", AUDIT_CA_SWITCH },
	{ "DELETE", "/v1/workloads/*/cas/*", ADMIN, SMALL, CHANGES, rot_cas_retire, NULL, SAY,
	  "ca_retired", AUDIT_CA_RETIRE },
	{ "POST", "/v1/workloads/*/keys", ADMIN, SMALL, CHANGES, rot_keys_rotate, NULL, SAY,
	  "key_introduced", AUDIT_KEY_ROTATE },
	{ "POST", "/v1/workloads/*/keys/*/switch", ADMIN, SMALL, CHANGES, rot_keys_switch, NULL,
	  SAY, "key_switched", AUDIT_KEY_SWITCH },
	{ "DELETE", "/v1/workloads/*/keys/*", ADMIN, SMALL, CHANGES, rot_keys_retire, NULL, SAY,
	  "key_retired", AUDIT_KEY_RETIRE },
	{ "GET", "/v1/operators", WATCHERS, SMALL, READS, rot_operators_list, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "POST", "/v1/operators", ADMIN, SMALL, CHANGES, rot_operators_add, operator_members, SAY,
	  "operator_added", AUDIT_OPERATOR_ADD },
	{ "POST", "/v1/operators/self/renew", READERS, SMALL, CHANGES, rot_operators_renew,
	  renewal_members, SAY, "operator_renewed", AUDIT_OPERATOR_RENEW },
	{ "GET", "/v1/operators/*", WATCHERS, SMALL, READS, rot_operators_get, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "DELETE", "/v1/operators/*", ADMIN, SMALL, CHANGES, rot_operators_revoke, NULL, SAY,
	  "operator_revoked", AUDIT_OPERATOR_REVOKE },
	{ "GET", "/v1/peers", READERS, SMALL, READS, rot_peers_list, NULL, SAY, NULL, AUDIT_OTHER },
	{ "POST", "/v1/peers", ADMIN, SMALL, CHANGES, rot_peers_allow, pair_members, SAY,
	  "pair_allowed", AUDIT_PEER_ALLOW },
	{ "DELETE", "/v1/peers", ADMIN, SMALL, CHANGES, rot_peers_deny, NULL, SAY, "pair_denied",
	  AUDIT_PEER_DENY },
	{ "POST", "/v1/peers/revoke", ADMIN, SMALL, CHANGES, rot_peers_revoke, peer_members, SAY,
	  "peer_revoked", AUDIT_PEER_REVOKE },
	{ "GET", "/v1/eggs", READERS, SMALL, READS, rot_eggs_list, NULL, SAY, NULL, AUDIT_OTHER },
	{ "POST", "/v1/eggs", OPERATORS, SMALL, CHANGES, rot_eggs_mint, egg_members, SAY,
	  "egg_minted", AUDIT_EGG_MINT },
	{ "GET", "/v1/eggs/*", READERS, SMALL, READS, rot_eggs_get, NULL, SAY, NULL, AUDIT_OTHER },
	{ "DELETE", "/v1/eggs/*", ADMIN, SMALL, CHANGES, rot_eggs_revoke, NULL, SAY, "egg_revoked",
	  AUDIT_EGG_REVOKE },
	{ "POST", "/v1/certs", ADMIN, SMALL, CHANGES, rot_certs_issue, cert_members, SAY,
	  "certificate_issued", AUDIT_CERT_ISSUE },
	{ "GET", "/v1/certs", READERS, SMALL, READS, rot_certs_list, NULL, SAY, NULL, AUDIT_OTHER },
	{ "GET", "/v1/certs/*", READERS, SMALL, READS, rot_certs_get, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "DELETE", "/v1/certs/*", ADMIN, SMALL, CHANGES, rot_certs_revoke, NULL, SAY,
	  "certificate_revoked", AUDIT_CERT_REVOKE },
	{ "GET", "/v1/enrolments", WATCHERS, SMALL, READS, rot_enrolments_list, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "POST", "/v1/enrolments", ADMIN, SMALL, CHANGES, rot_enrolments_create, enrolment_members,
	  SAY, "enrolment_created", AUDIT_ENROLMENT_CREATE },
	{ "DELETE", "/v1/enrolments/*", ADMIN, SMALL, CHANGES, rot_enrolments_revoke, NULL, SAY,
	  "enrolment_revoked", AUDIT_ENROLMENT_REVOKE },
	{ "POST", "/v1/seal", OPERATORS, BIG, CHANGES, rot_seal, seal_members, SAY, "sealed",
	  AUDIT_SEAL },
	{ "POST", "/v1/unseal", ADMIN, BIG, READS, rot_unseal, unseal_members, SAY, "unsealed",
	  AUDIT_UNSEAL },
	{ "GET", "/v1/audit", WATCHERS, SMALL, READS, rot_audit_list, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "GET", "/v1/audit/head", WATCHERS, SMALL, READS, rot_audit_get_head, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "GET", "/v1/audit/heads", WATCHERS, SMALL, READS, rot_audit_get_heads, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "GET", "/v1/audit/log", WATCHERS, SMALL, READS, rot_audit_get_log, NULL, SAY, NULL,
	  AUDIT_OTHER },
	{ "POST", "/v1/hatch", ROT_MAY_HATCH, SMALL, CHANGES, rot_hatch, NULL, "hatch refused",
	  "hatch_refused", AUDIT_HATCH },
	{ "POST", "/v1/renew", ROT_MAY_RENEW, SMALL, CHANGES, rot_renew, NULL, "renewal refused",
	  "renew_refused", AUDIT_RENEW },
	{ "GET", "/v1/sync", ROT_MAY_RENEW, SMALL, CHANGES, rot_sync, NULL, "sync refused",
	  "sync_refused", AUDIT_OTHER },
};

_Static_assert(SEAL_COUNT(routes) <= ROT_ENDPOINTS_MAX, "every endpoint is counted");

const struct rot_route *
rot_api_route(size_t n)
{
	return n < SEAL_COUNT(routes) ? &routes[n] : NULL;
}

const char *
rot_endpoint_name(size_t n)
{
	static _Thread_local char name[64];

	if (n >= SEAL_COUNT(routes))
		return NULL;
	(void)snprintf(name, sizeof(name), "%s %s", routes[n].method, routes[n].path);
	return name;
}

size_t
rot_endpoint_of(const struct rot_route *route)
{
	return (size_t)(route - routes);
}

struct verdict {
	unsigned status;
	const char *code;
};

static int prepare(struct rot_api *api, struct seal_err *err);
static const struct rot_route *find_route(struct rot_call *call,
					  const struct seal_http_request *request,
					  bool *ret_path_known);
static int find_caller(struct rot_call *call, struct rot_caller *local, struct seal_err *err);
static void answer(struct rot_task *task);
static void drop(struct rot_task *task);
static void on_done(void *arg, struct rot_job *job);
static void on_drop(void *arg, struct rot_job *job);
static void answer_error(struct rot_call *call, struct verdict verdict, const char *message);
static void log_failure(const struct rot_call *call, const struct rot_route *route, unsigned status,
			const struct seal_err *err);
static void log_change(const struct rot_call *call, const struct rot_route *route);
static void log_issued(const struct rot_call *call);

static int
start_worker(struct rot_api *api, struct seal_err *err)
{
	const struct rot_worker_config config = { .max_batch = MAX_BATCH,
						  .run = rot_batch_run,
						  .done = on_done,
						  .drop = on_drop,
						  .arg = api };

	api->is_well = api->has_time = true;  /* it has just answered */
	atomic_store(&api->must_sweep, true); /* what a crash has left, with the first call */
	return rot_worker_new(&api->worker, api->config.loop, &config, err);
}

void
rot_api_stop(struct rot_api *api)
{
	if (api->worker == NULL)
		return;
	rot_worker_free(SEAL_TAKE(api->worker));
	rot_audit_stop(api); /* the store is this thread's again */
}

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
	if (r == 0)
		r = rot_news_new(&api->news, api, err);
	if (r == 0)
		r = start_worker(api, err);
	if (r == 0)
		r = rot_audit_start(api, err);
	if (r < 0)
		return r;
	*ret_api = SEAL_TAKE(api);
	return 0;
}

void
rot_api_drain(struct rot_api *api)
{
	rot_news_drain(api->news);
}

size_t
rot_api_waiting(const struct rot_api *api)
{
	return rot_news_count(api->news);
}

void
rot_api_free(struct rot_api *api)
{
	if (api == NULL)
		return;
	rot_api_stop(api);
	rot_news_free(api->news);
	rot_audit_release(api);
	rot_meta_release(&api->meta);
	rot_ca_release(&api->system_ca);
	seal_certs_free(api->system_certs);
	seal_secret_free(api->statement_key);
	rot_limits_free(api->per_egg);
	rot_limits_free(api->per_address);
	rot_limits_free(api->per_est_address);
	rot_limits_free(api->per_enrolment);
	free(api->expiries);
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

/* The peer gets an alert and nothing else; who runs the root of trust wants to know. */
static void
log_unknown_client(struct rot_api *api, const struct seal_err *err)
{
	uint64_t missed;

	api->counters.unknown_clients++;
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

	r = rot_caller_verify(&caller, api->system_certs, api->meta.trust_domain, presented,
			      api->config.clock(), err);
	if (r < 0) {
		log_unknown_client(api, err);
		rot_audit_stranger(api, NULL, r);
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
free_call(struct rot_call *call)
{
	seal_json_free(call->body);
	seal_json_free(call->reply);
	seal_bytes_release(&call->raw);
	free(call);
}

static struct rot_call *
new_call(struct rot_api *api, struct seal_http_request *request)
{
	struct rot_call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	call->task.done = answer;
	call->task.drop = drop;
	call->api = api;
	call->request = request;
	call->now = api->config.clock();
	call->began_us = seal_loop_now_us();
	return call;
}

/* True when it is on its way to the store's thread; otherwise it has been answered. */
static bool
dispatch(struct rot_call *call)
{
	struct rot_api *api = call->api;
	struct seal_err err = { 0 };
	bool path_known = false;
	int r = find_caller(call, &api->local, &err);

	if (r < 0) {
		log_failure(call, NULL, 403, &err);
		rot_audit_stranger(api, call->request, r);
		answer_error(call, (struct verdict){ 403, "forbidden" }, "not for this caller");
		return false;
	}
	call->route = find_route(call, call->request, &path_known);
	if (call->route == NULL) {
		answer_error(call,
			     path_known ? (struct verdict){ 405, "method" }
					: (struct verdict){ 404, "missing" },
			     path_known ? "no such method here" : "no such endpoint");
		return false;
	}
	rot_worker_add(api->worker, &call->task.job);
	return true;
}

void
rot_api_handle(void *arg, struct seal_http_request *request)
{
	struct rot_call *call = new_call(arg, request);

	if (call == NULL)
		seal_http_reply(request, 503, "application/json", NULL, 0, 1);
	else if (!dispatch(call))
		free_call(call);
}

static void
on_done(void *arg, struct rot_job *job)
{
	struct rot_task *task = (struct rot_task *)job;
	struct rot_api *api = arg;

	task->done(task);
	if (atomic_load(&api->must_sweep))
		rot_batch_sweep(api);
}

static void
on_drop(void *arg, struct rot_job *job)
{
	struct rot_task *task = (struct rot_task *)job;

	(void)arg;
	task->drop(task);
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
				 "the right one with --kek-file, or --kek-passphrase-file");
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
		r = rot_store_totals(api->config.store, api->started_at, &api->totals, err);
	if (r == 0)
		r = rot_limits_new(&api->per_egg, LIMITS_CAPACITY, api->config.rate_per_egg, err);
	if (r == 0)
		r = rot_limits_new(&api->per_address, LIMITS_CAPACITY, api->config.rate_per_address,
				   err);
	/* Of its own: who is nobody yet does not spend what pods hatch and renew with. */
	if (r == 0)
		r = rot_limits_new(&api->per_est_address, LIMITS_CAPACITY,
				   api->config.rate_per_address, err);
	if (r == 0)
		r = rot_limits_new(&api->per_enrolment, LIMITS_CAPACITY, RATE_PER_ENROLMENT, err);
	if (r < 0)
		return r;
	rot_caller_local(&api->local, api->meta.trust_domain);
	return rot_audit_open(api, err);
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
path_fits(const struct rot_route *route, const char *path, struct rot_call *call)
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

static const struct rot_route *
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
	const struct rot_route *route = find_route(&scratch, request, &path_known);

	if (route == NULL || !route->is_big || caller == NULL ||
	    (route->rights & caller->right) == 0)
		return ROT_MAX_BODY;
	return ROT_MAX_SEAL_BODY;
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

/* A question for news that is malformed says so: to refuse it would be to end who asks. */
static bool
is_opaque(const struct rot_route *route, unsigned status)
{
	return route->refusal != NULL && status < 500 && status != 429 &&
	       !(route->run == rot_sync && status == 400);
}

static void
answer_failure(struct rot_call *call)
{
	const struct rot_route *route = call->route;
	struct verdict verdict = judge(call->result);
	const char *message = call->err.text;

	if (call->retry_after > 0)
		verdict = (struct verdict){ 429, "rate" };
	log_failure(call, route, verdict.status, &call->err);
	if (is_opaque(route, verdict.status)) {
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
park(struct rot_call *call)
{
	if (!rot_news_park(call->api->news, call))
		answer_error(call, (struct verdict){ 503, "unavailable" }, "not now");
}

/* What it was is known, and in the store. */
static void
answer(struct rot_task *task)
{
	struct rot_call *call = (struct rot_call *)task;

	if (call->result < 0) {
		answer_failure(call);
	} else if (call->waits) {
		park(call);
	} else {
		if (call->issued_event != NULL)
			log_issued(call);
		log_change(call, call->route);
		rot_api_count(call, call->status);
		/* What pods do is news to nobody. */
		if (call->route->changes && call->caller->identity.role == SEAL_ROLE_OPERATOR)
			rot_news_look(call->api->news);
		seal_http_reply(call->request, call->status,
				call->type != NULL ? call->type : "application/json",
				call->raw.data, call->raw.len, 0);
	}
	free_call(call);
}

/* The request has gone with its server. */
static void
drop(struct rot_task *task)
{
	free_call((struct rot_call *)task);
}

static void
answer_error(struct rot_call *call, struct verdict verdict, const char *message)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(4096);

	/* Without memory for a body the status alone has to do. */
	if (rot_error_encode(verdict.code, message, &body, NULL) < 0)
		seal_bytes_reset(&body);
	rot_api_count(call, verdict.status);
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
log_failure(const struct rot_call *call, const struct rot_route *route, unsigned status,
	    const struct seal_err *err)
{
	enum seal_level level = status >= 500 ? SEAL_LOG_ERROR : SEAL_LOG_WARN;
	char name[ROT_CALLER_NAME_MAX] = "";
	const char *event = "request_refused";
	struct rot_api *api = call->api;
	uint64_t missed = 0;

	/* Whoever is refused again and again must not hide what fails. */
	if (!seal_log_may(status >= 500 ? &api->failures : &api->refusals, REFUSALS_LOGGED,
			  &missed))
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

static void
log_issued(const struct rot_call *call)
{
	const struct rot_cert *cert = &call->issued;

	seal_log(SEAL_LOG_INFO, call->issued_event, SEAL_STR("egg", cert->egg),
		 SEAL_STR("workload", cert->workload), SEAL_STR("peer", cert->peer),
		 SEAL_STR("serial", cert->serial),
		 SEAL_STR("address", seal_http_peer(call->request)));
}

/* Every change an operator made, by whom. */
static void
log_change(const struct rot_call *call, const struct rot_route *route)
{
	char name[ROT_CALLER_NAME_MAX];

	if (route->event == NULL || route->refusal != NULL)
		return;
	rot_caller_name(call->caller, name);
	seal_log(SEAL_LOG_NOTICE, route->event, SEAL_STR("caller", name),
		 SEAL_STR("address", seal_http_peer(call->request)),
		 SEAL_STR("subject", call->subject));
}
