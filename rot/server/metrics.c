/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting, and telling it.  Knows nothing of requests: who answers them says what became of them.
 */
#include "rot/server/metrics.h"

#include <stdio.h>

#define LABELS_MAX 256

/* A hatch takes about two milliseconds, most of it the disk's. */
static const uint32_t latency_bounds[ROT_LATENCY_BOUNDS] = { 1000,    2500,    5000,   10000,
							     25000,   50000,   100000, 250000,
							     1000000, 10000000 };
#define CALLS UINT32_C(1000000) /* a whole one, in millionths */
static const uint32_t batch_bounds[ROT_BATCH_BOUNDS] = { 1 * CALLS, 2 * CALLS,  4 * CALLS,
							 8 * CALLS, 16 * CALLS, 32 * CALLS,
							 64 * CALLS };

static const char *const result_names[ROT_RESULT_COUNT] = {
	[ROT_RESULT_OK] = "ok",
	[ROT_RESULT_REFUSED] = "refused",
	[ROT_RESULT_LIMITED] = "limited",
	[ROT_RESULT_FAILED] = "failed",
};

static const char *const certified_names[ROT_CERTIFIED_COUNT] = {
	[ROT_CERTIFIED_EGG] = "egg",         [ROT_CERTIFIED_OPERATOR] = "operator",
	[ROT_CERTIFIED_OUTSIDE] = "outside", [ROT_CERTIFIED_POD] = "pod",
	[ROT_CERTIFIED_ROT] = "rot",
};

/* ---- Counting ---- */

enum rot_result
rot_result_of(unsigned status)
{
	if (status < 400)
		return ROT_RESULT_OK;
	if (status == 429)
		return ROT_RESULT_LIMITED;
	return status < 500 ? ROT_RESULT_REFUSED : ROT_RESULT_FAILED;
}

void
rot_count_latency(struct rot_latency *latency, uint64_t took_us)
{
	latency->buckets[seal_histogram_bucket(latency_bounds, ROT_LATENCY_BOUNDS, took_us)]++;
	latency->sum_us += took_us;
}

static void
add(atomic_uint_fast64_t *counter, uint64_t value)
{
	atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

void
rot_count_commit(struct rot_work_counters *work, uint64_t took_us)
{
	add(&work->commits[seal_histogram_bucket(latency_bounds, ROT_LATENCY_BOUNDS, took_us)], 1);
	add(&work->commit_us, took_us);
}

void
rot_count_batch(struct rot_work_counters *work, uint64_t calls)
{
	add(&work->batches[seal_histogram_bucket(batch_bounds, ROT_BATCH_BOUNDS, calls * CALLS)],
	    1);
	add(&work->batched, calls);
}

/* ---- Telling ---- */

static uint64_t
get(atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
put_results(struct seal_metrics *page, const char *name, const char *help,
	    const uint64_t results[static ROT_RESULT_COUNT])
{
	char labels[LABELS_MAX];

	seal_metrics_head(page, name, "counter", help);
	for (enum rot_result i = 0; i < ROT_RESULT_COUNT; i++) {
		(void)snprintf(labels, sizeof(labels), "result=\"%s\"", result_names[i]);
		seal_metrics_sample(page, name, labels, results[i]);
	}
}

static void
put_certified(struct seal_metrics *page, struct rot_work_counters *work)
{
	char labels[LABELS_MAX];

	seal_metrics_head(page, "seal_issued_total", "counter",
			  "Certificates issued, by whom they are for.");
	for (enum rot_certified i = 0; i < ROT_CERTIFIED_COUNT; i++) {
		(void)snprintf(labels, sizeof(labels), "kind=\"%s\"", certified_names[i]);
		seal_metrics_sample(page, "seal_issued_total", labels, get(&work->certified[i]));
	}
}

static void
put_endpoints(struct seal_metrics *page, const struct rot_view *view)
{
	seal_metrics_head(page, "seal_request_seconds", "histogram",
			  "Time from a whole request to its answer.");
	for (size_t i = 0; i < ROT_ENDPOINTS_MAX && view->endpoint(i) != NULL; i++) {
		const struct rot_latency *latency = &view->counters->endpoints[i];
		const struct seal_histogram histogram = { .bounds = latency_bounds,
							  .bound_count = ROT_LATENCY_BOUNDS,
							  .buckets = latency->buckets,
							  .sum = latency->sum_us };
		char labels[LABELS_MAX];

		(void)snprintf(labels, sizeof(labels), "endpoint=\"%s\"", view->endpoint(i));
		seal_metrics_histogram(page, "seal_request_seconds", labels, &histogram);
	}
}

static void
put_requests(struct seal_metrics *page, const struct rot_view *view)
{
	const struct rot_counters *counters = view->counters;

	put_results(page, "seal_hatch_total", "Hatches, by how they ended.", counters->hatches);
	put_results(page, "seal_renew_total", "Renewals, by how they ended.", counters->renewals);
	put_results(page, "seal_requests_total", "Requests of all kinds, by how they ended.",
		    counters->requests);
	seal_metrics_alone(page, "seal_clients_refused_total", "counter",
			   "Connections whose client certificate was not accepted.",
			   counters->unknown_clients);
	put_certified(page, view->work);
	put_endpoints(page, view);
	seal_metrics_alone(page, "seal_connections", "gauge", "Connections to the API open now.",
			   view->connections);
	seal_metrics_alone(page, "seal_sync_waiting", "gauge", "Pods that wait for news.",
			   view->waiting);
}

/* The same moment of what another thread goes on counting: near enough. */
static void
put_work(struct seal_metrics *page, const char *name, const char *help,
	 const struct seal_histogram *of, atomic_uint_fast64_t *counted)
{
	uint64_t buckets[ROT_LATENCY_BOUNDS + 1];
	struct seal_histogram histogram = *of;

	for (size_t i = 0; i <= of->bound_count; i++)
		buckets[i] = get(&counted[i]);
	histogram.buckets = buckets;
	seal_metrics_head(page, name, "histogram", help);
	seal_metrics_histogram(page, name, "", &histogram);
}

static void
put_store(struct seal_metrics *page, const struct rot_view *view)
{
	struct rot_work_counters *work = view->work;
	const struct seal_histogram commits = { .bounds = latency_bounds,
						.bound_count = ROT_LATENCY_BOUNDS,
						.sum = get(&work->commit_us) };
	const struct seal_histogram batches = { .bounds = batch_bounds,
						.bound_count = ROT_BATCH_BOUNDS,
						.sum = get(&work->batched) * CALLS };

	put_work(page, "seal_store_commit_seconds", "Time the store took to acknowledge a batch.",
		 &commits, work->commits);
	put_work(page, "seal_store_batch_requests", "Requests that were committed together.",
		 &batches, work->batches);
	seal_metrics_alone(page, "seal_store_conflicts_total", "counter",
			   "Batches that another process overtook, and that were run again.",
			   get(&work->conflicts));
	seal_metrics_alone(page, "seal_store_queue", "gauge",
			   "Requests that wait for the store, or that it works on.", view->queue);
	seal_metrics_alone(page, "seal_store_up", "gauge", "1 while the store answers.",
			   view->store_up);
}

static void
put_expiries(struct seal_metrics *page, const struct rot_view *view)
{
	char labels[LABELS_MAX];

	seal_metrics_head(page, "seal_expires_seconds", "gauge",
			  "Time until the first of its kind ends; 0 when it has.");
	for (size_t i = 0; i < view->expiry_count; i++) {
		int64_t at = view->expiries[i].at;

		(void)snprintf(labels, sizeof(labels), "what=\"%s\"", view->expiries[i].what);
		seal_metrics_sample(page, "seal_expires_seconds", labels,
				    view->now > 0 && at > view->now ? (uint64_t)(at - view->now)
								    : 0);
	}
}

static void
put_kept(struct seal_metrics *page, const struct rot_view *view)
{
	seal_metrics_alone(page, "seal_certificates", "gauge",
			   "Certificates that are neither expired nor revoked.",
			   view->certificates);
	seal_metrics_alone(page, "seal_eggs", "gauge", "Eggs that can still hatch.", view->eggs);
	put_expiries(page, view);
	seal_metrics_alone(page, "seal_workloads", "gauge", "Workloads.", view->workloads);
}

int
rot_metrics_write(const struct rot_view *view, struct seal_bytes *out, struct seal_err *err)
{
	struct seal_metrics page = { .out = out, .err = err };

	put_requests(&page, view);
	put_store(&page, view);
	put_kept(&page, view);
	seal_metrics_head(&page, "seal_build_info", "gauge", "Always 1; the version is its label.");
	seal_metrics_sample(&page, "seal_build_info", "version=\"" SEAL_VERSION "\"", 1);
	seal_metrics_alone(&page, "seal_draining", "gauge", "1 while requests are only finished.",
			   view->is_draining);
	seal_metrics_alone(&page, "seal_ready", "gauge", "What /readyz says.", view->is_ready);
	seal_metrics_process(&page, &view->usage, view->started);
	return page.failed < 0 ? seal_note(err, page.failed, "metrics") : 0;
}
