/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/metrics: what was counted is told, under fixed names.  tests/support/metrics.py reads all of it strictly. */
#include "rot/server/metrics.h"

#include <criterion/criterion.h>
#include <string.h>

static struct rot_counters counters;
static struct rot_work_counters work;
static struct seal_bytes out;
static struct seal_err err;

static const char *
endpoint(size_t n)
{
	static const char *const names[] = { "POST /v1/hatch", "GET /v1/workloads/*" };

	return n < SEAL_COUNT(names) ? names[n] : NULL;
}

static struct rot_view
make_view(void)
{
	return (struct rot_view){ .counters = &counters,
				  .work = &work,
				  .endpoint = endpoint,
				  .is_ready = true,
				  .store_up = true,
				  .connections = 7,
				  .waiting = 5,
				  .workloads = 3,
				  .eggs = 2,
				  .certificates = 1,
				  .expiries = { { "system_ca", 1800000100 }, { "operator", 5 } },
				  .expiry_count = 2,
				  .now = 1800000000,
				  .started = 1790000000 };
}

static void
setup(void)
{
	counters = (struct rot_counters){ 0 };
	memset(&work, 0, sizeof(work));
	err = (struct seal_err){ 0 };
	seal_bytes_init(&out, 256 * 1024);
}

static void
teardown(void)
{
	seal_bytes_release(&out);
}

TestSuite(rot_metrics, .init = setup, .fini = teardown);

static void
write_all(void)
{
	const struct rot_view view = make_view();

	cr_assert_eq(rot_metrics_write(&view, &out, &err), 0, "%s", err.text);
}

static void
expect_line(const char *line)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "\n%s\n", line);
	cr_expect_not_null(strstr(seal_bytes_str(&out), whole), "no line '%s'", line);
}

Test(rot_metrics, statuses_are_results)
{
	cr_expect_eq(rot_result_of(200), ROT_RESULT_OK);
	cr_expect_eq(rot_result_of(204), ROT_RESULT_OK);
	cr_expect_eq(rot_result_of(403), ROT_RESULT_REFUSED);
	cr_expect_eq(rot_result_of(429), ROT_RESULT_LIMITED);
	cr_expect_eq(rot_result_of(503), ROT_RESULT_FAILED);
}

Test(rot_metrics, counters_are_told_by_result_and_kind)
{
	counters.hatches[ROT_RESULT_OK] = 11;
	counters.hatches[ROT_RESULT_REFUSED] = 12;
	counters.renewals[ROT_RESULT_LIMITED] = 13;
	counters.requests[ROT_RESULT_FAILED] = 14;
	counters.unknown_clients = 15;
	work.certified[ROT_CERTIFIED_POD] = 16;
	work.conflicts = 17;
	write_all();
	expect_line("seal_hatch_total{result=\"ok\"} 11");
	expect_line("seal_hatch_total{result=\"refused\"} 12");
	expect_line("seal_renew_total{result=\"limited\"} 13");
	expect_line("seal_requests_total{result=\"failed\"} 14");
	expect_line("seal_clients_refused_total 15");
	expect_line("seal_issued_total{kind=\"pod\"} 16");
	expect_line("seal_issued_total{kind=\"egg\"} 0");
	expect_line("seal_store_conflicts_total 17");
}

Test(rot_metrics, latencies_are_told_up_to_each_bound)
{
	rot_count_latency(&counters.endpoints[0], 900);
	rot_count_latency(&counters.endpoints[0], 1000);
	rot_count_latency(&counters.endpoints[0], 1001);
	rot_count_latency(&counters.endpoints[0], 60000000);
	write_all();
	expect_line("seal_request_seconds_bucket{endpoint=\"POST /v1/hatch\",le=\"0.001\"} 2");
	expect_line("seal_request_seconds_bucket{endpoint=\"POST /v1/hatch\",le=\"0.0025\"} 3");
	expect_line("seal_request_seconds_bucket{endpoint=\"POST /v1/hatch\",le=\"10\"} 3");
	expect_line("seal_request_seconds_bucket{endpoint=\"POST /v1/hatch\",le=\"+Inf\"} 4");
	expect_line("seal_request_seconds_sum{endpoint=\"POST /v1/hatch\"} 60.002901");
	expect_line("seal_request_seconds_count{endpoint=\"POST /v1/hatch\"} 4");
	expect_line("seal_request_seconds_count{endpoint=\"GET /v1/workloads/*\"} 0");
}

Test(rot_metrics, batches_and_commits_are_histograms)
{
	rot_count_commit(&work, 4000);
	rot_count_batch(&work, 1);
	rot_count_batch(&work, 64);
	rot_count_batch(&work, 65);
	write_all();
	expect_line("seal_store_commit_seconds_bucket{le=\"0.0025\"} 0");
	expect_line("seal_store_commit_seconds_bucket{le=\"0.005\"} 1");
	expect_line("seal_store_commit_seconds_sum 0.004000");
	expect_line("seal_store_batch_requests_bucket{le=\"1\"} 1");
	expect_line("seal_store_batch_requests_bucket{le=\"64\"} 2");
	expect_line("seal_store_batch_requests_bucket{le=\"+Inf\"} 3");
	expect_line("seal_store_batch_requests_sum 130.000000");
}

Test(rot_metrics, how_things_stand_is_told)
{
	write_all();
	expect_line("seal_workloads 3");
	expect_line("seal_eggs 2");
	expect_line("seal_certificates 1");
	expect_line("seal_connections 7");
	expect_line("seal_sync_waiting 5");
	expect_line("seal_store_up 1");
	expect_line("seal_ready 1");
	expect_line("seal_draining 0");
	expect_line("seal_expires_seconds{what=\"system_ca\"} 100");
	expect_line("seal_expires_seconds{what=\"operator\"} 0");
	expect_line("process_start_time_seconds 1790000000");
}

Test(rot_metrics, nothing_is_left_without_a_readable_clock)
{
	struct rot_view view = make_view();

	view.now = 0;
	cr_assert_eq(rot_metrics_write(&view, &out, &err), 0);
	expect_line("seal_expires_seconds{what=\"system_ca\"} 0");
}

Test(rot_metrics, too_little_room_is_said)
{
	const struct rot_view view = make_view();

	seal_bytes_release(&out);
	seal_bytes_init(&out, 1000);
	cr_expect_eq(rot_metrics_write(&view, &out, &err), SEAL_E_LIMIT);
}
