/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of EST: from a request to an answer, in plain text where it is no certificate.  The work between is the
 * store's thread's, in the batches of all other calls.
 *
 *   path ─▶ method ─▶ who ─▶ (est_enrol.c) ─▶ 200 and certificates
 *    404      405     403      400 401 403 404 429 503
 *
 * A client certificate is asked for and not demanded; one that is shown has to be of ours, or the handshake fails.
 */

#include "rot/server/est_serve.h"

#include "rot/server/est_internal.h"

/* Lines a second about refusals; the rest is counted. */
#define REFUSALS_LOGGED 20

#define CHALLENGE "WWW-Authenticate: Basic realm=\"est\"\r\n"
/* RFC 8951 section 3.2 has it ignored; clients of RFC 7030 ask for it. */
#define BASE64 "Content-Transfer-Encoding: base64\r\n"

#define SAY     NULL
#define READS   false
#define CHANGES true
static const struct {
	const char *method;
	struct rot_route route;
} table[] = {
	[ROT_EST_CACERTS] = { "GET",
			      { NULL, NULL, ROT_MAY_ENROL, false, READS, rot_est_cacerts, NULL, SAY,
				NULL, AUDIT_OTHER } },
	[ROT_EST_CSRATTRS] = { "GET", { 0 } },
	[ROT_EST_ENROLL] = { "POST",
			     { NULL, NULL, ROT_MAY_ENROL, false, CHANGES, rot_est_enroll, NULL,
			       "enrolment refused", "enrol_refused", AUDIT_ENROL } },
	[ROT_EST_REENROLL] = { "POST",
			       { NULL, NULL, ROT_MAY_RENEW, false, CHANGES, rot_est_reenroll, NULL,
				 "enrolment refused", "reenrol_refused", AUDIT_ENROL } },
};

static void
reply(struct seal_http_request *request, unsigned status, const char *headers, const char *sentence,
      unsigned retry_after)
{
	char text[sizeof(((struct seal_err *)0)->text) + 2];
	int len = snprintf(text, sizeof(text), "%s\n", sentence);

	seal_http_reply_with(request, status, headers, "text/plain", text, (size_t)len,
			     retry_after);
}

static void
free_est(struct rot_est_call *est)
{
	seal_json_free(est->call.body);
	seal_json_free(est->call.reply);
	seal_bytes_release(&est->call.raw);
	seal_wipe(&est->user, sizeof(est->user));
	free(est);
}

static unsigned
status_of(const struct rot_call *call)
{
	if (call->retry_after > 0)
		return 429;
	switch (call->result) {
	case SEAL_E_FORMAT:
	case SEAL_E_LIMIT:
		return 400;
	case SEAL_E_UNAUTH:
		return call->route->rights == ROT_MAY_ENROL ? 401 : 403;
	case SEAL_E_REFUSED:
		return 403;
	case SEAL_E_MISSING:
		return 404;
	case SEAL_E_TIMEOUT:
	case SEAL_E_CLOSED:
	case SEAL_E_SYSTEM:
		return 503;
	default:
		return 500;
	}
}

static void
log_refusal(const struct rot_est_call *est, unsigned status)
{
	const struct rot_call *call = &est->call;
	uint64_t missed = 0;

	if (!seal_log_may(&call->api->est_refusals, REFUSALS_LOGGED, &missed))
		return;
	seal_log(status >= 500 ? SEAL_LOG_ERROR : SEAL_LOG_WARN,
		 status >= 500                ? "request_failed"
		 : call->route->event != NULL ? call->route->event
					      : "request_refused",
		 SEAL_STR("enrolment", est->has_user ? est->user.id : ""),
		 SEAL_STR("serial", call->caller->serial),
		 SEAL_STR("address", seal_http_peer(call->request)),
		 SEAL_STR("path", seal_http_path(call->request)), SEAL_U64("status", status),
		 SEAL_STR("reason", call->err.text), SEAL_U64("not_logged", missed));
}

static void
count(const struct rot_call *call, unsigned status)
{
	call->api->counters.requests[rot_result_of(status)]++;
	if (status == 200 && call->issued_event != NULL)
		rot_api_count_certified(call->api, ROT_CERTIFIED_OUTSIDE);
}

static void
answer_failure(const struct rot_est_call *est)
{
	const struct rot_call *call = &est->call;
	unsigned status = status_of(call);
	unsigned retry_after = status == 503 ? 1 : call->retry_after;
	const char *sentence = call->err.text;

	log_refusal(est, status);
	count(call, status);
	if (status >= 500)
		sentence = "not now, try again";
	else if (status == 403 && call->caller == &est->anybody)
		sentence = "simplereenroll needs the client certificate that another is to follow";
	else if (status == 401 || status == 403)
		sentence = call->route->refusal != NULL ? call->route->refusal : "refused";
	reply(call->request, status, status == 401 ? CHALLENGE : NULL, sentence, retry_after);
}

static void
log_issued(const struct rot_est_call *est)
{
	const struct rot_call *call = &est->call;
	const struct rot_cert *cert = &call->issued;

	if (call->issued_event == NULL)
		return;
	seal_log(SEAL_LOG_INFO, call->issued_event, SEAL_STR("enrolment", est->enrolment),
		 SEAL_STR("workload", cert->workload), SEAL_STR("peer", cert->peer),
		 SEAL_STR("serial", cert->serial),
		 SEAL_STR("address", seal_http_peer(call->request)));
}

/* What it was is known, and in the store. */
static void
answer(struct rot_task *task)
{
	struct rot_est_call *est = (struct rot_est_call *)task;
	struct rot_call *call = &est->call;

	if (call->result < 0) {
		answer_failure(est);
	} else {
		log_issued(est);
		count(call, 200);
		seal_http_reply_with(call->request, 200, BASE64, ROT_EST_ANSWER_TYPE,
				     call->raw.data, call->raw.len, 0);
	}
	free_est(est);
}

/* The request has gone with its server. */
static void
drop(struct rot_task *task)
{
	free_est((struct rot_est_call *)task);
}

/* Whoever follows a certificate has to show it; to all others it does not matter who they are. */
static const struct rot_caller *
find_caller(struct rot_est_call *est)
{
	const struct rot_caller *client = seal_http_client(est->call.request);

	est->anybody.right = ROT_MAY_ENROL;
	return est->target.operation == ROT_EST_REENROLL && client != NULL ? client : &est->anybody;
}

static struct rot_est_call *
new_call(struct rot_api *api, struct seal_http_request *request,
	 const struct rot_est_target *target)
{
	struct rot_est_call *est = calloc(1, sizeof(*est));

	if (est == NULL)
		return NULL;
	est->target = *target;
	est->call.task.done = answer;
	est->call.task.drop = drop;
	est->call.api = api;
	est->call.request = request;
	est->call.now = api->config.clock();
	est->call.route = &table[target->operation].route;
	est->call.caller = find_caller(est);
	if (target->operation == ROT_EST_ENROLL)
		est->has_user =
			rot_est_user_parse(&est->user, seal_http_header(request, "authorization"),
					   NULL) == 0;
	return est;
}

static void
dispatch(struct rot_api *api, struct seal_http_request *request,
	 const struct rot_est_target *target)
{
	struct rot_est_call *est = new_call(api, request, target);

	if (est == NULL)
		reply(request, 503, NULL, "not now, try again", 1);
	else
		rot_worker_add(api->worker, &est->call.task.job);
}

void
rot_est_handle(void *arg, struct seal_http_request *request)
{
	struct rot_est_target target;
	struct seal_err err = { 0 };

	if (rot_est_target_parse(&target, seal_http_path(request), &err) < 0)
		reply(request, 404, NULL, err.text, 0);
	else if (strcmp(seal_http_method(request), table[target.operation].method) != 0)
		reply(request, 405,
		      table[target.operation].method[0] == 'G' ? "Allow: GET\r\n"
							       : "Allow: POST\r\n",
		      "no such method here", 0);
	else if (target.operation == ROT_EST_CSRATTRS)
		seal_http_reply(request, 204, NULL, NULL, 0, 0); /* we want nothing of a request */
	else
		dispatch(arg, request, &target);
}
