/* SPDX-License-Identifier: Apache-2.0 */
/* base/bytes: lists of strings that own their members. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes/bytes.h"
#include "tests/support/alloc.h"

#define STRV SEAL_SCOPED(seal_strv_release) struct seal_strv

Test(bytes_strv, owns_any_number_of_members)
{
	STRV list = { 0 };
	STRV copy = { 0 };
	char name[32];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "name-%d", i);
		cr_assert_eq(seal_strv_add(&list, name, NULL), 0);
	}
	cr_expect_eq(list.count, 1000);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "name-%d", i);
		cr_assert_str_eq(list.items[i], name);
		cr_assert(seal_strv_contains(&list, name));
	}
	cr_expect_not(seal_strv_contains(&list, "name-"));
	cr_expect_not(seal_strv_contains(&list, ""));
	cr_assert_eq(seal_strv_copy(&copy, &list, NULL), 0);
	cr_expect(seal_strv_equal(&copy, &list));
	cr_assert_eq(seal_strv_add(&copy, "more", NULL), 0);
	cr_expect_not(seal_strv_equal(&copy, &list));
	cr_assert_eq(seal_strv_copy(&list, &list, NULL), 0);
	cr_expect_eq(list.count, 1000);
	seal_strv_release(NULL);
}

Test(bytes_strv, equality_minds_order_and_number)
{
	STRV ab = { 0 };
	STRV ba = { 0 };
	STRV none = { 0 };

	cr_assert_eq(seal_strv_split(&ab, "a,b", ',', NULL), 0);
	cr_assert_eq(seal_strv_split(&ba, "b,a", ',', NULL), 0);
	cr_expect_not(seal_strv_equal(&ab, &ba));
	cr_expect_not(seal_strv_equal(&ab, &none));
	cr_expect(seal_strv_equal(&none, &none));
}

Test(bytes_strv, splits_and_trims)
{
	static const struct {
		const char *text;
		size_t count;
		const char *first, *last;
	} cases[] = {
		{ "a", 1, "a", "a" },         { "a,b", 2, "a", "b" },
		{ " a ,\tb\t", 2, "a", "b" }, { "a b,c d", 2, "a b", "c d" },
		{ "a,a,a", 3, "a", "a" },     { "a\n", 1, "a\n", "a\n" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		STRV list = { 0 };

		cr_assert_eq(seal_strv_split(&list, cases[i].text, ',', NULL), 0);
		cr_assert_eq(list.count, cases[i].count, "'%s'", cases[i].text);
		cr_expect_str_eq(list.items[0], cases[i].first);
		cr_expect_str_eq(list.items[list.count - 1], cases[i].last);
	}
}

Test(bytes_strv, refuses_empty_parts_and_keeps_the_old_list)
{
	static const char *const bad[] = { " ", ",", "a,", ",a", "a,,b", "a, ,b", "\t", "a,\t" };
	STRV list = { 0 };

	cr_assert_eq(seal_strv_add(&list, "old", NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		cr_expect_eq(seal_strv_split(&list, bad[i], ',', NULL), SEAL_E_FORMAT, "'%s'",
			     bad[i]);
		cr_assert_eq(list.count, 1);
		cr_expect_str_eq(list.items[0], "old");
	}
	cr_expect_eq(seal_strv_split(&list, "", ',', NULL), 0);
	cr_expect_eq(list.count, 0);
}

Test(bytes_strv, keeps_the_old_list_wherever_memory_ends)
{
	STRV from = { 0 };

	cr_assert_eq(seal_strv_split(&from, "a,b,c,d,e", ',', NULL), 0);
	for (size_t n = 1;; n++) {
		STRV list = { 0 };
		int r, s;

		cr_assert_eq(seal_strv_add(&list, "old", NULL), 0);
		alloc_fail_at(n);
		r = seal_strv_split(&list, "a,b,c,d,e", ',', NULL);
		if (!alloc_call_off())
			break;
		alloc_fail_at(n);
		s = seal_strv_copy(&list, &from, NULL);
		cr_expect(alloc_call_off());
		cr_expect_eq(r, SEAL_E_MEMORY, "allocation %zu", n);
		cr_expect_eq(s, SEAL_E_MEMORY, "allocation %zu", n);
		cr_assert_eq(list.count, 1);
		cr_expect_str_eq(list.items[0], "old");
		cr_assert_lt(n, 100);
	}
}

Test(strv, can_be_sorted_and_searched)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };
	char name[16];

	cr_expect_not(seal_strv_contains_sorted(&list, "a"));
	seal_strv_sort(&list);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i * 7919 % 1000 * 2);
		cr_assert_eq(seal_strv_add(&list, name, NULL), 0);
	}
	seal_strv_sort(&list);
	for (size_t i = 1; i < list.count; i++)
		cr_expect_lt(strcmp(list.items[i - 1], list.items[i]), 0);
	for (unsigned i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		cr_expect_eq(seal_strv_contains_sorted(&list, name), i % 2 == 0, "%s", name);
	}
	cr_expect_not(seal_strv_contains_sorted(&list, ""));
	cr_expect_not(seal_strv_contains_sorted(&list, "n"));
	cr_expect_not(seal_strv_contains_sorted(&list, "z"));
}
