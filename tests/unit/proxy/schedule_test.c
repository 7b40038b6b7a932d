/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proxy/schedule.h"

#define NOW 1800000000

Test(proxy_schedule, renews_around_two_thirds_of_life)
{
	cr_expect_eq(proxy_renew_at(NOW, NOW + 86400, 0, UINT32_MAX / 2), NOW + 57600 - 1);
	cr_expect_eq(proxy_renew_at(NOW, NOW + 86400, 0, 0), NOW + 57600 - 4320);
	cr_expect_eq(proxy_renew_at(NOW, NOW + 86400, 0, UINT32_MAX), NOW + 57600 + 4320);
}

Test(proxy_schedule, renews_when_the_root_of_trust_says_if_that_makes_sense)
{
	int64_t own = proxy_renew_at(NOW, NOW + 60, 0, 7);

	cr_expect_eq(proxy_renew_at(NOW, NOW + 60, NOW + 30, 0), NOW + 27);
	cr_expect_eq(proxy_renew_at(NOW, NOW + 60, NOW - 1, 7), own, "a time gone by");
	cr_expect_eq(proxy_renew_at(NOW, NOW + 60, NOW + 60, 7), own, "too late");
	cr_expect_eq(proxy_renew_at(NOW, NOW + 60, INT64_MAX, 7), own);
}

Test(proxy_schedule, never_renews_after_the_end)
{
	cr_expect_leq(proxy_renew_at(NOW, NOW + 100, NOW + 99, UINT32_MAX), NOW + 100);
	cr_expect_leq(proxy_renew_at(NOW, NOW - 5, 0, UINT32_MAX), NOW);
}

Test(proxy_schedule, is_never_in_a_hurry_whatever_the_root_of_trust_says)
{
	cr_expect_eq(proxy_renew_at(NOW, NOW + 86400, NOW + 1, 0), NOW + 21600);
	cr_expect_eq(proxy_renew_at(NOW, NOW + 60, NOW + 2, UINT32_MAX), NOW + 15);
}

Test(proxy_schedule, waits_longer_after_each_failure_up_to_a_limit)
{
	cr_expect_eq(proxy_backoff_ms(1, 60000, 0), 500);
	cr_expect_eq(proxy_backoff_ms(1, 60000, UINT32_MAX), 1000);
	cr_expect_eq(proxy_backoff_ms(2, 60000, UINT32_MAX), 2000);
	cr_expect_eq(proxy_backoff_ms(4, 60000, UINT32_MAX), 8000);
	cr_expect_eq(proxy_backoff_ms(7, 60000, UINT32_MAX), 60000);
	cr_expect_eq(proxy_backoff_ms(UINT32_MAX, 60000, UINT32_MAX), 60000);
	cr_expect_eq(proxy_backoff_ms(UINT32_MAX, 60000, 0), 30000);
}

Test(proxy_schedule, tries_often_enough_for_short_lives)
{
	cr_expect_eq(proxy_backoff_max_ms(0), 30000);
	cr_expect_eq(proxy_backoff_max_ms(-1), 30000);
	cr_expect_eq(proxy_backoff_max_ms(60), 7500);
	cr_expect_eq(proxy_backoff_max_ms(2), 1000);
	cr_expect_eq(proxy_backoff_max_ms(86400), 60000);
	cr_expect_eq(proxy_backoff_max_ms(INT64_MAX), 60000);
}

Test(proxy_schedule, asks_for_news_again_soon_and_then_less_often)
{
	cr_expect_eq(proxy_sync_backoff_ms(1, 0), 250);
	cr_expect_eq(proxy_sync_backoff_ms(1, UINT32_MAX), 500);
	cr_expect_eq(proxy_sync_backoff_ms(2, UINT32_MAX), 1000);
	cr_expect_eq(proxy_sync_backoff_ms(6, UINT32_MAX), 16000);
	cr_expect_eq(proxy_sync_backoff_ms(7, UINT32_MAX), 30000);
	cr_expect_eq(proxy_sync_backoff_ms(UINT32_MAX, UINT32_MAX), 30000);
	cr_expect_eq(proxy_sync_backoff_ms(UINT32_MAX, 0), 15000);
}

Test(proxy_schedule, spreads_those_who_are_told_together)
{
	cr_expect_eq(proxy_spread_ms(30000, 0), 0);
	cr_expect_eq(proxy_spread_ms(30000, UINT32_MAX), 30000);
	cr_expect_eq(proxy_spread_ms(30000, UINT32_MAX / 2), 14999);
	cr_expect_eq(proxy_spread_ms(0, UINT32_MAX), 0);
}
