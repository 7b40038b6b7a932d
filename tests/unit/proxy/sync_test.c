/* SPDX-License-Identifier: Apache-2.0 */
/* When the root of trust is asked again, and what of it is said: the machine of proxy/sync.h, as a table. */
#include <criterion/criterion.h>

#include "proxy/sync.h"

#define CHANGED PROXY_SYNC_CHANGED
#define SAME    PROXY_SYNC_UNCHANGED
#define REFUSED PROXY_SYNC_REFUSED
#define ABSENT  PROXY_SYNC_ABSENT
#define FAILED  PROXY_SYNC_FAILED
#define ABORTED PROXY_SYNC_ABORTED

/* In the order in which they come. */
static const struct {
	enum proxy_sync_result result;
	uint64_t took_ms;
	uint64_t least_ms; /* the wait with the least chance, and */
	uint64_t most_ms;  /* with the greatest */
	bool settles;
	bool is_news;
	bool recovered;
} steps[] = {
	/* Well. */
	{ CHANGED, 3, 97, 97, true, false, false },
	{ SAME, 55000, 0, 0, true, false, false },
	{ CHANGED, 20000, 0, 0, true, false, false },
	{ CHANGED, 99, 1, 1, true, false, false },
	/* Answers without end. */
	{ SAME, 0, 1000, 1000, true, false, false },
	{ CHANGED, 0, 100, 100, true, false, false },
	/* Away, once, */
	{ FAILED, 0, 250, 500, false, true, false },
	{ SAME, 55000, 0, 0, true, false, true },
	{ SAME, 55000, 0, 0, true, false, false },
	/* and for long. */
	{ FAILED, 65000, 250, 500, false, true, false },
	{ FAILED, 0, 500, 1000, false, false, false },
	{ FAILED, 0, 1000, 2000, false, false, false },
	{ FAILED, 0, 2000, 4000, false, false, false },
	{ FAILED, 0, 4000, 8000, false, false, false },
	{ FAILED, 0, 8000, 16000, false, false, false },
	{ FAILED, 0, 15000, 30000, false, false, false },
	{ FAILED, 0, 15000, 30000, false, false, false },
	/* Another certificate meanwhile says nothing of the root of trust. */
	{ ABORTED, 5, 0, 0, false, false, false },
	{ FAILED, 0, 15000, 30000, false, false, false },
	{ CHANGED, 10, 90, 90, true, false, true },
	/* Older than the question; replaced; older again. */
	{ ABSENT, 2, 30000, 60000, true, true, false },
	{ ABSENT, 2, 30000, 60000, true, false, false },
	{ FAILED, 0, 250, 500, false, true, false },
	{ ABSENT, 2, 30000, 60000, true, false, false },
	{ CHANGED, 2, 98, 98, true, false, true },
	{ ABSENT, 2, 30000, 60000, true, true, false },
	/* Withdrawn: nothing is asked until there is somebody to ask as. */
	{ REFUSED, 2, PROXY_SLEEP_UNTIL_WOKEN, PROXY_SLEEP_UNTIL_WOKEN, true, true, false },
	{ REFUSED, 2, PROXY_SLEEP_UNTIL_WOKEN, PROXY_SLEEP_UNTIL_WOKEN, true, true, false },
	{ FAILED, 0, 250, 500, false, true, false },
	{ REFUSED, 2, PROXY_SLEEP_UNTIL_WOKEN, PROXY_SLEEP_UNTIL_WOKEN, true, true, false },
	{ CHANGED, 2, 98, 98, true, false, false },
};

Test(sync_machine, goes_by_its_table)
{
	struct proxy_sync_machine machine = { 0 };

	for (size_t i = 0; i < SEAL_COUNT(steps); i++) {
		struct proxy_sync_machine copy = machine;
		struct proxy_sync_move least =
			proxy_sync_step(&copy, steps[i].result, steps[i].took_ms, 0);
		struct proxy_sync_move most =
			proxy_sync_step(&machine, steps[i].result, steps[i].took_ms, UINT32_MAX);

		cr_expect_eq(least.wait_ms, steps[i].least_ms, "step %zu: %zu", i,
			     (size_t)least.wait_ms);
		cr_expect_eq(most.wait_ms, steps[i].most_ms, "step %zu: %zu", i,
			     (size_t)most.wait_ms);
		cr_expect_eq(most.settles, steps[i].settles, "step %zu", i);
		cr_expect_eq(most.is_news, steps[i].is_news, "step %zu", i);
		cr_expect_eq(most.recovered, steps[i].recovered, "step %zu", i);
	}
}

Test(sync_machine, counts_failures_for_ever_without_losing_its_way)
{
	struct proxy_sync_machine machine = { 0 };
	struct proxy_sync_move move = { 0 };

	for (unsigned i = 0; i < 200000; i++)
		move = proxy_sync_step(&machine, PROXY_SYNC_FAILED, 0, UINT32_MAX);
	cr_expect_eq(move.wait_ms, 30000);
	cr_expect_not(move.is_news);
	cr_expect(proxy_sync_step(&machine, PROXY_SYNC_CHANGED, 0, 0).recovered);
}

Test(sync_machine, has_a_name_for_every_result)
{
	for (enum proxy_sync_result i = 0; i < PROXY_SYNC_N_RESULTS; i++)
		cr_expect_not_null(proxy_sync_result_name(i));
	cr_expect_str_eq(proxy_sync_result_name(PROXY_SYNC_CHANGED), "changed");
	cr_expect_str_eq(proxy_sync_result_name(PROXY_SYNC_FAILED), "failed");
}

Test(sync_stats, are_told_only_once_somebody_asks)
{
	struct proxy_sync_stats stats = { 0 };
	struct proxy_sync_view view = { 0 };

	cr_expect_not(proxy_sync_look(&stats, &view));
	atomic_store(&stats.has_begun, true);
	atomic_store(&stats.results[PROXY_SYNC_FAILED], 3);
	atomic_store(&stats.epoch, 7);
	atomic_store(&stats.answered_ms, proxy_now_ms() - 2500);
	cr_assert(proxy_sync_look(&stats, &view));
	cr_expect_eq(view.results[PROXY_SYNC_FAILED], 3);
	cr_expect_eq(view.epoch, 7);
	cr_expect_eq(view.age_s, 2);
	cr_expect_not(view.has_answer);
}
