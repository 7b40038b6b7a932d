/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/resource.h>

#include "proxy/limits.h"
#include "tests/support/child.h"

#define MIB (UINT64_C(1) << 20)

static const struct proxy_limits unset = {
	.connections = PROXY_LIMIT_UNSET,
	.per_peer = PROXY_LIMIT_UNSET,
	.per_source = PROXY_LIMIT_UNSET,
	.handshakes = PROXY_LIMIT_UNSET,
	.memory = PROXY_LIMIT_UNSET_BYTES,
};

static struct proxy_limits
fit(const struct proxy_limits *wanted, uint64_t descriptors, uint64_t memory)
{
	const struct proxy_room room = { .descriptors = descriptors, .memory = memory };

	return proxy_limits_fit(wanted, &room);
}

static uint32_t
fit_connections(uint32_t wanted, uint64_t descriptors, uint64_t memory)
{
	struct proxy_limits limits = unset;

	limits.connections = wanted;
	return fit(&limits, descriptors, memory).connections;
}

Test(proxy_limits, have_their_defaults_on_a_machine_without_limits)
{
	struct proxy_limits limits = fit(&unset, 0, 0);

	cr_expect_eq(limits.connections, 100000);
	cr_expect_eq(limits.per_peer, 0);
	cr_expect_eq(limits.per_source, 0);
	cr_expect_eq(limits.handshakes, PROXY_HANDSHAKES);
	cr_expect_eq(limits.memory, PROXY_MEMORY);
}

Test(proxy_limits, what_was_said_is_what_counts)
{
	const struct proxy_limits said = { .connections = 1234,
					   .per_peer = 5,
					   .per_source = 6,
					   .handshakes = 70000,
					   .memory = 1 };
	struct proxy_limits limits = fit(&said, 1000000, 64 * MIB);

	cr_expect_eq(limits.connections, 1234);
	cr_expect_eq(limits.per_peer, 5);
	cr_expect_eq(limits.per_source, 6);
	cr_expect_eq(limits.handshakes, 70000);
	cr_expect_eq(limits.memory, 1);
}

Test(proxy_limits, no_limit_is_said_by_0_and_stays_0)
{
	const struct proxy_limits none = { 0 };
	struct proxy_limits limits = fit(&none, 0, 64 * MIB);

	cr_expect_eq(limits.per_peer, 0);
	cr_expect_eq(limits.per_source, 0);
	cr_expect_eq(limits.handshakes, 0);
	cr_expect_eq(limits.memory, 0);
	cr_expect_geq(limits.connections, 1000000000);
}

Test(proxy_limits, never_promise_more_connections_than_descriptors)
{
	static const struct {
		uint64_t descriptors;
		uint32_t fit;
	} cases[] = { { 1024, 496 }, { 1023, 495 }, { 65536, 32752 }, { 32 + 2 * 8, 8 } };

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		uint64_t room = cases[i].descriptors;

		cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, room, 0), cases[i].fit);
		cr_expect_eq(fit_connections(0, room, 0), cases[i].fit, "0 is more");
		cr_expect_eq(fit_connections(cases[i].fit - 1, room, 0), cases[i].fit - 1);
		cr_expect_eq(fit_connections(cases[i].fit, room, 0), cases[i].fit);
		cr_expect_eq(fit_connections(cases[i].fit + 1, room, 0), cases[i].fit);
		cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET - 1, room, 0), cases[i].fit);
	}
}

Test(proxy_limits, memory_bounds_what_was_left_open_and_not_what_was_said)
{
	uint32_t small = fit_connections(PROXY_LIMIT_UNSET, 1000000, 32 * MIB);
	uint32_t larger = fit_connections(PROXY_LIMIT_UNSET, 1000000, 64 * MIB);

	cr_expect_eq(small, (32 - 12) * 1024 / 24);
	cr_expect_eq(larger, (64 - 12) * 1024 / 24);
	cr_expect_eq(fit_connections(5000, 1000000, 32 * MIB), 5000);
	cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, 1000000, 1024 * 1024 * MIB), 100000);
	cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, 1024, 64 * MIB), 496, "descriptors too");
}

Test(proxy_limits, a_few_connections_are_tried_however_little_there_is)
{
	static const uint64_t little[] = { 1, 31, 32, 33, 47 };

	for (size_t i = 0; i < SEAL_COUNT(little); i++)
		cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, little[i], 0), 8);
	cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, 1024, 1), 8);
	cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, 1024, 12 * MIB), 8);
	cr_expect_eq(fit_connections(3, 1024, 12 * MIB), 3);
}

/* 0 is no limit, and so the last thing that a room too large to be counted may come to. */
Test(proxy_limits, are_never_cut_off_to_none)
{
	static const uint64_t rooms[] = { UINT64_C(1) << 33, (UINT64_C(1) << 33) + 32,
					  (UINT64_C(1) << 33) + 34, UINT64_MAX };

	for (size_t i = 0; i < SEAL_COUNT(rooms); i++) {
		cr_expect_eq(fit_connections(PROXY_LIMIT_UNSET, rooms[i], 0), 100000, "%zu", i);
		cr_expect_geq(fit_connections(0, rooms[i], 0), 1000000000, "%zu", i);
		cr_expect_eq(fit_connections(77, rooms[i], rooms[i]), 77, "%zu", i);
	}
}

Test(proxy_limits, little_memory_means_fewer_handshakes_and_less_for_slow_readers)
{
	struct proxy_limits limits = fit(&unset, 0, 48 * MIB);

	cr_expect_eq(limits.handshakes, 12 * 1024 / 96);
	cr_expect_eq(limits.memory, 12 * MIB);
	limits = fit(&unset, 0, 1 * MIB);
	cr_expect_eq(limits.handshakes, 8);
	limits = fit(&unset, 0, 1024 * MIB);
	cr_expect_eq(limits.handshakes, PROXY_HANDSHAKES);
	cr_expect_eq(limits.memory, PROXY_MEMORY);
}

static void
measure_with_few(void *arg)
{
	const struct rlimit few = { .rlim_cur = 321, .rlim_max = 321 };
	struct proxy_room room = { .descriptors = 7 };

	(void)arg;
	MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
	proxy_room_measure(&room);
	MUST(room.descriptors == 321);
	MUST(room.memory == 0 || room.memory > MIB);
}

Test(proxy_limits, measures_the_descriptors_that_there_are)
{
	cr_expect_eq(child_run(measure_with_few, NULL), 0);
}
