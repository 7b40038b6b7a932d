/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How things stand, asked of the store every few seconds and whenever somebody wants to know whether it answers: one
 * question at a time, whose answer is for who asks next.  So neither probes nor metrics wait for the store, and
 * neither cost it more than a small part of its time.
 */

#include "rot/server/api_internal.h"
#include "rot/server/news.h"

#define STALE_MS 5000 /* who has not answered for so long is not ready */
/* Counting a million certificates takes a while: so often at most, and this part of the store's time. */
#define COUNT_MS    2000
#define COUNT_SHARE 100

struct look {
	struct rot_task task;
	struct rot_api *api;
	bool counts;
	bool answers;
	bool has_time; /* the clock can be right */
	struct rot_totals totals;
	struct rot_expiries expiries;
	uint64_t took_us;
};

static int
count(struct look *look)
{
	struct rot_api *api = look->api;
	int64_t now = api->config.clock();
	int r = rot_store_totals(api->config.store, now, &look->totals, NULL);

	return r < 0 ? r : rot_expiries(api, now, &look->expiries, NULL);
}

static void
run_look(struct rot_task *task)
{
	struct look *look = (struct look *)task;
	struct rot_api *api = look->api;
	uint64_t began = seal_loop_now_us();

	look->answers = rot_store_ping(api->config.store, NULL) == 0;
	if (look->answers && look->counts)
		look->answers = count(look) == 0;
	look->has_time = rot_clock_check(api, api->config.clock(), NULL) == 0;
	look->took_us = seal_loop_now_us() - began;
}

static void
end_look(struct rot_task *task)
{
	struct look *look = (struct look *)task;
	struct rot_api *api = look->api;

	api->is_well = look->answers;
	api->has_time = look->has_time;
	api->asked_ms = 0;
	if (look->answers && look->counts) {
		uint64_t rest_ms = look->took_us / 1000 * COUNT_SHARE;

		api->totals = look->totals;
		memcpy(api->next, look->expiries.next, sizeof(api->next));
		api->count_after_ms =
			seal_loop_now_us() / 1000 + (rest_ms > COUNT_MS ? rest_ms : COUNT_MS);
	}
	free(look);
}

static void
drop_look(struct rot_task *task)
{
	free(task);
}

void
rot_api_look(struct rot_api *api)
{
	uint64_t now = seal_loop_now_us() / 1000;
	struct look *look;

	if (api->asked_ms != 0)
		return;
	look = calloc(1, sizeof(*look));
	if (look == NULL)
		return;
	look->task.run = run_look;
	look->task.done = end_look;
	look->task.drop = drop_look;
	look->api = api;
	look->counts = now >= api->count_after_ms;
	api->asked_ms = now;
	rot_worker_add(api->worker, &look->task.job);
}

static bool
store_is_up(const struct rot_api *api)
{
	return api->is_well &&
	       (api->asked_ms == 0 || seal_loop_now_us() / 1000 - api->asked_ms < STALE_MS);
}

bool
rot_api_is_ready(void *arg)
{
	struct rot_api *api = arg;

	rot_api_look(api);
	return store_is_up(api) && api->has_time && api->config.clock() >= SEAL_CLOCK_FLOOR;
}

/* ---- Metrics ---- */

static void
add_expiries(struct rot_view *view, const struct rot_expiry next[static ROT_EXPIRY_KINDS])
{
	for (enum rot_expiry_kind kind = 0; kind < ROT_EXPIRY_KINDS; kind++) {
		if (next[kind].not_after == 0)
			continue;
		view->expiries[view->expiry_count].what = rot_expiry_kind_name(kind);
		view->expiries[view->expiry_count++].at = next[kind].not_after;
	}
}

int
rot_api_metrics(struct rot_api *api, struct rot_view *view, struct seal_bytes *out,
		struct seal_err *err)
{
	view->counters = &api->counters;
	view->work = &api->work;
	view->endpoint = rot_endpoint_name;
	view->store_up = store_is_up(api);
	/* Our own question is no request. */
	view->queue = rot_worker_pending(api->worker) - (api->asked_ms != 0);
	view->waiting = rot_news_count(api->news);
	view->workloads = api->totals.workloads;
	view->eggs = api->totals.eggs;
	view->certificates = api->totals.certificates;
	add_expiries(view, api->next);
	view->now = api->config.clock();
	view->started = api->started_at;
	return rot_metrics_write(view, out, err);
}

/* The certificates that an endpoint hands out. */
static void
count_issued(const struct rot_call *call)
{
	static const struct {
		enum audit_kind kind;
		enum rot_certified whom;
	} issuing[] = {
		{ AUDIT_CERT_ISSUE, ROT_CERTIFIED_OUTSIDE },
		{ AUDIT_EGG_MINT, ROT_CERTIFIED_EGG },
		{ AUDIT_HATCH, ROT_CERTIFIED_POD },
		{ AUDIT_OPERATOR_ADD, ROT_CERTIFIED_OPERATOR },
		{ AUDIT_RENEW, ROT_CERTIFIED_POD },
	};

	for (size_t i = 0; i < SEAL_COUNT(issuing); i++)
		if (call->route->kind == issuing[i].kind)
			rot_api_count_certified(call->api, issuing[i].whom);
}

void
rot_api_count(const struct rot_call *call, unsigned status)
{
	struct rot_counters *counters = &call->api->counters;
	enum rot_result result = rot_result_of(status);

	counters->requests[result]++;
	if (call->route == NULL)
		return;
	rot_count_latency(&counters->endpoints[rot_endpoint_of(call->route)],
			  seal_loop_now_us() - call->began_us);
	if (call->route->kind == AUDIT_HATCH)
		counters->hatches[result]++;
	if (call->route->kind == AUDIT_RENEW)
		counters->renewals[result]++;
	if (result == ROT_RESULT_OK)
		count_issued(call);
}

void
rot_api_count_certified(struct rot_api *api, enum rot_certified whom)
{
	atomic_fetch_add_explicit(&api->work.certified[whom], 1, memory_order_relaxed);
}
