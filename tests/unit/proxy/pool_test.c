/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/pool: who is chosen, who is left out and for how long, and what becomes of names. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/support/alloc.h"
#include "tests/unit/proxy/dial_rig.h"

/* Nobody connects here: the pool itself opens nothing. */
#define THREE "10.0.0.1", 1, "10.0.0.2", 2, "10.0.0.3", 3, NULL

static unsigned
choose(struct dial_rig *rig, uint32_t tried)
{
	unsigned target = 99;

	return proxy_pool_choose(rig->pool, tried, &target) ? target : 99;
}

/* Chosen and let go at once. */
static unsigned
turn(struct dial_rig *rig)
{
	unsigned target = choose(rig, 0);

	cr_assert_neq(target, 99);
	proxy_pool_release(rig->pool, target);
	return target;
}

static void
fail(struct dial_rig *rig, unsigned target)
{
	proxy_pool_failed(rig->pool, target);
}

/* ---- Choice ---- */

Test(proxy_pool, chooses_the_one_with_the_fewest_connections)
{
	DIAL_RIG(rig);
	unsigned seen = 0;

	dial_rig_pool(&rig, THREE);
	for (int i = 0; i < 3; i++)
		seen |= 1u << choose(&rig, 0);
	cr_expect_eq(seen, 7, "one of them has two");
	proxy_pool_release(rig.pool, 1);
	cr_expect_eq(choose(&rig, 0), 1);
	proxy_pool_release(rig.pool, 2);
	proxy_pool_release(rig.pool, 0);
	seen = (1u << choose(&rig, 0)) | (1u << choose(&rig, 0));
	cr_expect_eq(seen, 5);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(dial_rig_status(&rig, i).connections, 1);
}

Test(proxy_pool, takes_equals_in_turn)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, THREE);
	for (unsigned i = 0; i < 9; i++)
		cr_expect_eq(turn(&rig), i % 3);
}

Test(proxy_pool, chooses_nobody_when_all_have_been_tried)
{
	DIAL_RIG(rig);
	unsigned target = 77;

	dial_rig_pool(&rig, THREE);
	cr_expect_eq(choose(&rig, 5), 1);
	cr_expect_eq(choose(&rig, 5), 1, "it has a connection, and the others have been tried");
	cr_expect_not(proxy_pool_choose(rig.pool, 7, &target));
	cr_expect_eq(target, 77);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(dial_rig_status(&rig, i).connections, i == 1 ? 2 : 0);
}

Test(proxy_pool, holds_as_many_targets_as_a_listener_may_have)
{
	struct seal_endpoint targets[PROXY_MAX_TARGETS + 1] = { 0 };
	DIAL_RIG(rig);
	struct proxy_pool *none = NULL;
	uint32_t tried = 0;

	for (unsigned i = 0; i <= PROXY_MAX_TARGETS; i++) {
		(void)snprintf(targets[i].host, sizeof(targets[i].host), "10.0.0.%u", i);
		targets[i].port = 1;
	}
	cr_expect_eq(proxy_pool_new(&none, rig.loop, targets, 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(proxy_pool_new(&none, rig.loop, targets, PROXY_MAX_TARGETS + 1, NULL),
		     SEAL_E_LIMIT);
	cr_expect_null(none);
	cr_assert_eq(proxy_pool_new(&rig.pool, rig.loop, targets, PROXY_MAX_TARGETS, NULL), 0);
	cr_expect_eq(proxy_pool_count(rig.pool), PROXY_MAX_TARGETS);
	memset(targets, 0, sizeof(targets)); /* it has copies */
	for (unsigned i = 0; i < PROXY_MAX_TARGETS; i++) {
		unsigned target = choose(&rig, tried);

		cr_assert_eq(target, i);
		cr_expect_neq(proxy_pool_endpoint(rig.pool, target)->host[0], '\0');
		tried |= UINT32_C(1) << target;
	}
	cr_expect_eq(choose(&rig, tried), 99);
}

Test(proxy_pool, refuses_a_path_that_is_no_socket_s)
{
	struct seal_endpoint target = { .is_unix = true };
	DIAL_RIG(rig);
	struct proxy_pool *pool = NULL;

	memset(target.host, 'p', 200);
	target.host[0] = '/';
	cr_expect_lt(proxy_pool_new(&pool, rig.loop, &target, 1, NULL), 0);
	cr_expect_null(pool);
}

Test(proxy_pool, is_made_whole_or_not_at_all)
{
	const struct seal_endpoint targets[] = { { .host = "10.0.0.1", .port = 1 },
						 { .host = "db.seal.test", .port = 1 },
						 { .is_unix = true, .host = "/run/x" } };
	DIAL_RIG(rig);
	bool failed = true;

	for (size_t n = 1; failed; n++) {
		struct proxy_pool *pool = NULL;
		int r;

		alloc_fail_at(n);
		r = proxy_pool_new(&pool, rig.loop, targets, SEAL_COUNT(targets), NULL);
		failed = alloc_call_off();
		cr_expect_eq(r, failed ? SEAL_E_MEMORY : 0);
		cr_expect_eq(pool == NULL, failed);
		proxy_pool_unref(pool);
	}
}

/* ---- Passive health ---- */

Test(proxy_pool, leaves_out_a_target_that_failed_and_has_one_connection_try_it_again)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, THREE);
	fail(&rig, 1);
	cr_expect_not(dial_rig_status(&rig, 1).healthy);
	cr_expect_eq(dial_rig_status(&rig, 1).failures, 1);
	for (int i = 0; i < 6; i++)
		cr_expect_neq(turn(&rig), 1);
	dial_rig_later(PROXY_POOL_OUT_MIN_MS - 500);
	for (int i = 0; i < 6; i++)
		cr_expect_neq(turn(&rig), 1, "too early");
	dial_rig_later(500);
	cr_expect_eq(choose(&rig, 0), 1, "nobody finds out");
	for (int i = 0; i < 6; i++)
		cr_expect_neq(turn(&rig), 1, "one is enough");
	proxy_pool_succeeded(rig.pool, 1);
	cr_expect(dial_rig_status(&rig, 1).healthy);
	proxy_pool_release(rig.pool, 1);
	for (unsigned seen = 0, i = 0; i < 3; i++) {
		seen |= 1u << turn(&rig);
		cr_expect(i < 2 || seen == 7);
	}
}

Test(proxy_pool, tries_again_when_a_trial_was_given_up)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, THREE);
	fail(&rig, 1);
	dial_rig_later(PROXY_POOL_OUT_MIN_MS);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(turn(&rig), 1);
}

/* The time for which target 0 of several is left out, by trying, within 100 ms. */
static uint64_t
time_out(struct dial_rig *rig)
{
	for (uint64_t ms = 100; ms <= 100000; ms += 100) {
		dial_rig_later(100);
		if (turn(rig) == 0)
			return ms;
	}
	return 0;
}

Test(proxy_pool, doubles_the_time_with_each_failure_up_to_a_maximum)
{
	static const uint64_t times[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	DIAL_RIG(rig);

	dial_rig_pool(&rig, THREE);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < SEAL_COUNT(times); i++) {
			uint64_t ms;

			fail(&rig, 0);
			ms = time_out(&rig);
			cr_expect(ms <= times[i] && ms + 400 >= times[i], "%zu: %d ms", i, (int)ms);
		}
		proxy_pool_succeeded(rig.pool, 0); /* and all begins anew */
	}
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 2 * SEAL_COUNT(times));
}

Test(proxy_pool, many_failures_at_once_are_one)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, THREE);
	for (int i = 0; i < 50; i++)
		fail(&rig, 0);
	cr_expect_eq(dial_rig_status(&rig, 0).failures, 50);
	cr_expect_leq(time_out(&rig), 1000);
}

Test(proxy_pool, tries_the_one_due_first_when_all_are_out)
{
	DIAL_RIG(rig);

	dial_rig_pool(&rig, THREE);
	fail(&rig, 2);
	dial_rig_later(100);
	fail(&rig, 0);
	dial_rig_later(100);
	fail(&rig, 1);
	cr_expect_eq(choose(&rig, 0), 2);
	cr_expect_eq(choose(&rig, 0), 2, "nobody is left out twice because of the first");
	cr_expect_eq(choose(&rig, 4), 0);
	cr_expect_eq(choose(&rig, 5), 1);
	cr_expect_eq(choose(&rig, 7), 99);
	proxy_pool_succeeded(rig.pool, 1);
	cr_expect_eq(choose(&rig, 0), 1);
}

Test(proxy_pool, lives_as_long_as_somebody_holds_it)
{
	DIAL_RIG(rig);
	struct proxy_pool *again;

	dial_rig_pool(&rig, THREE);
	again = proxy_pool_ref(rig.pool);
	cr_expect_eq(again, rig.pool);
	proxy_pool_unref(again);
	cr_expect_eq(choose(&rig, 0), 0);
	proxy_pool_unref(NULL);
}

/* ---- Addresses ---- */

static unsigned woken;

static void
on_wait(void *arg)
{
	struct dial_rig *rig = arg;

	woken++;
	seal_loop_stop(rig->loop);
}

static int
ask(struct dial_rig *rig, struct proxy_wait *wait, struct seal_addresses *ret_addresses,
    struct seal_err *err)
{
	*wait = (struct proxy_wait){ .fn = on_wait, .arg = rig };
	return proxy_pool_addresses(rig->pool, 0, wait, ret_addresses, err);
}

/* The first address there is, after waiting for it if need be: its last byte; 0: none. */
static int
first_address(struct dial_rig *rig)
{
	struct seal_addresses found = { 0 };
	struct sockaddr_in in;
	struct proxy_wait wait;
	int r = ask(rig, &wait, &found, NULL);

	if (r == PROXY_NAMES_WAIT) {
		dial_rig_run(rig);
		r = ask(rig, &wait, &found, NULL);
	}
	if (r != 0 || found.count == 0)
		return 0;
	memcpy(&in, &found.at[0], sizeof(in));
	cr_assert_eq(in.sin_family, AF_INET);
	cr_expect_eq(ntohs(in.sin_port), 5432);
	return (int)(ntohl(in.sin_addr.s_addr) & 0xff);
}

#define ROW(...)                                                                                   \
	{                                                                                          \
		.family = AF_INET, .what = DNS_ADDRESS, .ttl_s = 10, .addresses = { __VA_ARGS__ }  \
	}

static const struct dns_row two[] = { ROW("10.0.0.1", "10.0.0.2") };
static const struct dns_row moved[] = { ROW("10.0.0.7") };
static const struct dns_row broken[] = { { .family = AF_INET, .what = 2 },
					 { .family = AF_INET6, .what = 2 } };
static const struct dns_row silent[] = { { .family = AF_INET, .what = DNS_SILENCE },
					 { .family = AF_INET6, .what = DNS_SILENCE } };

static void
pool_of_a_name(struct dial_rig *rig, const struct dns_row *rows)
{
	dial_rig_pool(rig, "db.seal.test", 5432, NULL);
	dns_set(&rig->dns, rows, rows == broken || rows == silent ? 2 : 1);
}

Test(proxy_pool, gives_a_literal_address_at_once)
{
	struct seal_addresses found = { 0 };
	DIAL_RIG(rig);
	struct proxy_wait wait;

	dial_rig_pool(&rig, "10.0.0.9", 5432, NULL);
	cr_expect_eq(ask(&rig, &wait, &found, NULL), 0);
	cr_expect_eq(found.count, 1);
	cr_expect_eq(first_address(&rig), 9);
	cr_expect_not(proxy_pool_old_addresses(rig.pool, 0, &found));
	cr_expect_eq(rig.dns.asked, 0);
}

Test(proxy_pool, asks_once_for_many_and_wakes_all_who_still_wait)
{
	struct proxy_wait waits[5];
	struct seal_addresses found = { 0 };
	DIAL_RIG(rig);
	unsigned asked;

	woken = 0;
	pool_of_a_name(&rig, two);
	for (size_t i = 0; i < SEAL_COUNT(waits); i++)
		cr_expect_eq(ask(&rig, &waits[i], &found, NULL), PROXY_NAMES_WAIT);
	proxy_wait_cancel(&waits[0]);
	proxy_wait_cancel(&waits[2]);
	proxy_wait_cancel(&waits[2]); /* no longer in it */
	dial_rig_run(&rig);
	cr_expect_eq(woken, 3);
	asked = rig.dns.asked;
	cr_expect_leq(asked, 2, "A and AAAA");
	for (size_t i = 0; i < SEAL_COUNT(waits); i++)
		cr_expect_eq(ask(&rig, &waits[i], &found, NULL), 0);
	cr_expect_eq(rig.dns.asked, asked);
}

Test(proxy_pool, gives_the_addresses_of_a_name_in_turn)
{
	DIAL_RIG(rig);
	int first;

	pool_of_a_name(&rig, two);
	first = first_address(&rig);
	cr_expect(first == 1 || first == 2);
	cr_expect_eq(first_address(&rig), 3 - first);
	cr_expect_eq(first_address(&rig), first);
}

Test(proxy_pool, asks_again_when_the_time_to_live_is_over)
{
	DIAL_RIG(rig);
	unsigned asked;

	pool_of_a_name(&rig, two);
	cr_expect_neq(first_address(&rig), 0);
	asked = rig.dns.asked;
	dns_set(&rig.dns, moved, 1);
	dial_rig_later(9500);
	cr_expect_leq(first_address(&rig), 2);
	cr_expect_eq(rig.dns.asked, asked);
	dial_rig_later(600);
	cr_expect_eq(first_address(&rig), 7);
	cr_expect_gt(rig.dns.asked, asked);
}

Test(proxy_pool, doubts_the_addresses_of_a_target_that_failed)
{
	DIAL_RIG(rig);
	unsigned asked;

	pool_of_a_name(&rig, two);
	cr_expect_neq(first_address(&rig), 0);
	asked = rig.dns.asked;
	dns_set(&rig.dns, moved, 1);
	fail(&rig, 0);
	cr_expect_leq(first_address(&rig), 2, "not more than once a second");
	cr_expect_eq(rig.dns.asked, asked);
	dial_rig_later(PROXY_NAMES_AGAIN_MS);
	cr_expect_eq(first_address(&rig), 7, "who moved is not found");
}

Test(proxy_pool, goes_on_with_old_addresses_while_no_new_ones_are_to_be_had)
{
	struct seal_addresses found = { 0 };
	DIAL_RIG(rig);
	struct proxy_wait wait;

	pool_of_a_name(&rig, two);
	cr_expect_neq(first_address(&rig), 0);
	dns_set(&rig.dns, broken, 2);
	dial_rig_later(10000);
	cr_expect_neq(first_address(&rig), 0);
	/* From now on nobody waits for an answer that is known to fail. */
	dial_rig_later(PROXY_NAMES_AGAIN_MS);
	cr_expect_eq(ask(&rig, &wait, &found, NULL), 0);
	cr_expect_eq(found.count, 2);
	cr_expect(proxy_pool_old_addresses(rig.pool, 0, &found));
	dial_rig_later(PROXY_NAMES_STALE_MS);
	cr_expect_not(proxy_pool_old_addresses(rig.pool, 0, &found));
	cr_expect_eq(first_address(&rig), 0);
	dns_set(&rig.dns, moved, 1);
	dial_rig_later(PROXY_NAMES_AGAIN_MS);
	cr_expect_eq(first_address(&rig), 7);
}

Test(proxy_pool, says_why_there_are_no_addresses_and_asks_at_most_once_a_second)
{
	struct seal_addresses found = { .count = 3 };
	struct seal_err err = { 0 };
	DIAL_RIG(rig);
	struct proxy_wait wait;
	unsigned asked;

	pool_of_a_name(&rig, two);
	dns_set(&rig.dns, NULL, 0); /* no such name */
	cr_expect_eq(first_address(&rig), 0);
	asked = rig.dns.asked;
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(ask(&rig, &wait, &found, &err), SEAL_E_MISSING);
		cr_expect_neq(err.text[0], '\0');
	}
	cr_expect_eq(found.count, 3, "something was changed");
	cr_expect_eq(rig.dns.asked, asked);
	dial_rig_later(PROXY_NAMES_AGAIN_MS);
	cr_expect_eq(ask(&rig, &wait, &found, &err), PROXY_NAMES_WAIT);
	proxy_wait_cancel(&wait);
}

Test(proxy_pool, may_go_while_a_name_is_asked_for)
{
	struct seal_addresses found;
	DIAL_RIG(rig);
	struct proxy_wait wait;

	pool_of_a_name(&rig, silent);
	cr_expect_eq(ask(&rig, &wait, &found, NULL), PROXY_NAMES_WAIT);
	woken = 0;
	proxy_wait_cancel(&wait);
	proxy_pool_unref(SEAL_TAKE(rig.pool));
	dial_rig_run_for(&rig, 20);
	cr_expect_eq(woken, 0);
}
