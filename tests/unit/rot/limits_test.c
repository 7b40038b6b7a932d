/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/limits: rates per name, in a table that never grows. */
#include "rot/server/limits.h"

#include <criterion/criterion.h>

static struct rot_limits *
make(uint32_t capacity, uint32_t rate)
{
	struct rot_limits *limits = NULL;

	cr_assert_eq(rot_limits_new(&limits, capacity, rate, NULL), 0);
	return limits;
}

Test(rot_limits, grants_twice_the_rate_at_once_and_then_the_rate)
{
	struct rot_limits *limits = make(4, 10);

	for (int i = 0; i < 20; i++)
		cr_expect_eq(rot_limits_take(limits, "egg", 1000), 0, "refused number %d", i);
	cr_expect_eq(rot_limits_take(limits, "egg", 1000), 1);
	cr_expect_eq(rot_limits_take(limits, "egg", 1099), 1, "too early");
	cr_expect_eq(rot_limits_take(limits, "egg", 1100), 0);
	cr_expect_gt(rot_limits_take(limits, "egg", 1100), 0);
	rot_limits_free(limits);
}

Test(rot_limits, says_when_to_come_back)
{
	struct rot_limits *limits = make(4, 1);

	cr_expect_eq(rot_limits_take(limits, "egg", 0), 0);
	cr_expect_eq(rot_limits_take(limits, "egg", 0), 0);
	cr_expect_eq(rot_limits_take(limits, "egg", 0), 2);
	cr_expect_eq(rot_limits_take(limits, "egg", 500), 1);
	cr_expect_eq(rot_limits_take(limits, "egg", 1000), 0);
	rot_limits_free(limits);
}

Test(rot_limits, counts_each_name_for_itself)
{
	struct rot_limits *limits = make(4, 1);

	for (int i = 0; i < 2; i++)
		cr_expect_eq(rot_limits_take(limits, "one", 0), 0);
	cr_expect_gt(rot_limits_take(limits, "one", 0), 0);
	cr_expect_eq(rot_limits_take(limits, "two", 0), 0);
	rot_limits_free(limits);
}

Test(rot_limits, forgets_the_name_that_rested_longest_when_full)
{
	struct rot_limits *limits = make(3, 1);

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(rot_limits_take(limits, "a", 0), i < 2 ? 0 : 2);
		(void)rot_limits_take(limits, "b", 0);
		(void)rot_limits_take(limits, "c", 0);
	}
	(void)rot_limits_take(limits, "a", 0); /* "b" rests longest now */
	cr_expect_eq(rot_limits_take(limits, "d", 0), 0);
	cr_expect_gt(rot_limits_take(limits, "a", 0), 0, "'a' was forgotten");
	cr_expect_gt(rot_limits_take(limits, "c", 0), 0, "'c' was forgotten");
	cr_expect_eq(rot_limits_take(limits, "b", 0), 0, "'b' was not forgotten");
	rot_limits_free(limits);
}

Test(rot_limits, survives_many_more_names_than_places)
{
	struct rot_limits *limits = make(64, 5);
	char name[ROT_LIMITS_NAME_MAX];

	for (unsigned i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
		cr_assert_eq(rot_limits_take(limits, name, i), 0, "a fresh name was refused");
		cr_assert_lt(rot_limits_take(limits, name, i), 2);
	}
	rot_limits_free(limits);
}

Test(rot_limits, of_zero_are_none)
{
	struct rot_limits *limits = make(4, 0);

	for (int i = 0; i < 100000; i++)
		cr_assert_eq(rot_limits_take(limits, "egg", 0), 0);
	rot_limits_free(limits);
}

Test(rot_limits, are_not_fooled_by_a_clock_that_stands_or_jumps)
{
	struct rot_limits *limits = make(4, 1);

	for (int i = 0; i < 2; i++)
		cr_expect_eq(rot_limits_take(limits, "egg", 5000), 0);
	cr_expect_gt(rot_limits_take(limits, "egg", 4000), 0, "time that ran backwards paid");
	cr_expect_eq(rot_limits_take(limits, "egg", UINT64_MAX / 2), 0);
	cr_expect_eq(rot_limits_take(limits, "egg", UINT64_MAX / 2), 0);
	cr_expect_gt(rot_limits_take(limits, "egg", UINT64_MAX / 2), 0, "a bucket overflowed");
	rot_limits_free(limits);
}

Test(rot_limits, count_an_ipv6_network_as_one_address)
{
	char name[ROT_LIMITS_NAME_MAX];

	rot_limits_address("2001:db8:1:2:3:4:5:6", name);
	cr_expect_str_eq(name, "2001:db8:1:2::/64");
	rot_limits_address("192.0.2.7", name);
	cr_expect_str_eq(name, "192.0.2.7");
	rot_limits_address("::ffff:192.0.2.7", name);
	cr_expect_str_eq(name, "::ffff:192.0.2.7");
	rot_limits_address("unix", name);
	cr_expect_str_eq(name, "unix");
}
