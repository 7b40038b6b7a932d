/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/tally.h"
#include "proxy/tally_internal.h"
#include "tests/support/alloc.h"

#define MANY 100000u

static struct proxy_tally *tally;
static struct seal_err err;

static void
enter(void)
{
	cr_assert_eq(proxy_tally_new(&tally, &err), 0);
}

static void
leave(void)
{
	proxy_tally_free(tally);
}

TestSuite(proxy_tally, .init = enter, .fini = leave);

static struct proxy_tally_entry *
take(const char *key, uint32_t max)
{
	struct proxy_tally_entry *entry = NULL;

	cr_assert_eq(proxy_tally_take(tally, key, strlen(key), max, &entry, &err), 0, "%s",
		     err.text);
	return entry;
}

static void
expect_full(const char *key, uint32_t max)
{
	struct proxy_tally_entry *entry = NULL;
	size_t names = proxy_tally_names(tally);

	cr_expect_eq(proxy_tally_take(tally, key, strlen(key), max, &entry, &err), SEAL_E_LIMIT);
	cr_expect_null(entry);
	cr_expect_eq(proxy_tally_names(tally), names);
}

/* The vectors of the algorithm's authors: key 00..0f, text 00, 01, ... of 0, 8 and 15 bytes. */
Test(proxy_tally, hashes_as_siphash_does)
{
	uint8_t bytes[16];

	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	cr_expect_eq(proxy_tally_hash(bytes, bytes, 0), UINT64_C(0x726fdb47dd0e0e31));
	cr_expect_eq(proxy_tally_hash(bytes, bytes, 8), UINT64_C(0x93f5f5799a932462));
	cr_expect_eq(proxy_tally_hash(bytes, bytes, 15), UINT64_C(0xa129ca6149be45e5));
}

Test(proxy_tally, counts_each_name_up_to_its_limit)
{
	struct proxy_tally_entry *first = take("web", 2);
	struct proxy_tally_entry *second = take("web", 2);

	cr_expect_eq(first, second);
	expect_full("web", 2);
	expect_full("web", 1);
	cr_expect_not_null(take("db", 2));
	cr_expect_eq(proxy_tally_names(tally), 2);

	proxy_tally_drop(tally, first);
	cr_expect_not_null(take("web", 2));
	expect_full("web", 2);
}

Test(proxy_tally, a_limit_of_zero_is_none)
{
	for (unsigned i = 0; i < 5000; i++)
		cr_assert_not_null(take("web", 0));
	expect_full("web", 5000);
	cr_expect_eq(proxy_tally_names(tally), 1);
}

Test(proxy_tally, a_name_ends_with_its_last_connection)
{
	struct proxy_tally_entry *web[3] = { take("web", 3), take("web", 3), take("web", 3) };
	struct proxy_tally_entry *db = take("db", 3);

	proxy_tally_drop(tally, web[1]);
	proxy_tally_drop(tally, web[0]);
	cr_expect_eq(proxy_tally_names(tally), 2);
	proxy_tally_drop(tally, web[2]);
	cr_expect_eq(proxy_tally_names(tally), 1);
	proxy_tally_drop(tally, db);
	cr_expect_eq(proxy_tally_names(tally), 0);
	proxy_tally_drop(tally, NULL);
	(void)take("web", 1); /* held by the tally; only the limit is asked for */
	expect_full("web", 1);
}

Test(proxy_tally, names_that_begin_alike_are_different_ones)
{
	struct proxy_tally_entry *entry = NULL;

	(void)take("a", 1); /* as above */
	(void)take("aa", 1);
	cr_expect_eq(proxy_tally_take(tally, "a\0", 2, 1, &entry, &err), 0);
	cr_expect_eq(proxy_tally_names(tally), 3);
}

Test(proxy_tally, names_that_are_none_are_refused)
{
	struct proxy_tally_entry *entry = NULL;
	char key[PROXY_TALLY_KEY_MAX + 1] = "";

	cr_expect_eq(proxy_tally_take(tally, key, 0, 0, &entry, &err), SEAL_E_BUG);
	cr_expect_eq(proxy_tally_take(tally, key, sizeof(key), 0, &entry, &err), SEAL_E_BUG);
	cr_expect_eq(proxy_tally_names(tally), 0);
	cr_expect_eq(proxy_tally_take(tally, key, PROXY_TALLY_KEY_MAX, 0, &entry, &err), 0);
}

static uint32_t seed = 12345;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static void
take_numbers(struct proxy_tally_entry **entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(proxy_tally_take(tally, &i, sizeof(i), 1, &entries[i], &err), 0);
}

static void
shuffle(struct proxy_tally_entry **entries, uint32_t count)
{
	for (uint32_t i = count - 1; i > 0; i--) {
		uint32_t k = draw(i + 1);
		struct proxy_tally_entry *other = entries[k];

		entries[k] = entries[i];
		entries[i] = other;
	}
}

Test(proxy_tally, a_hundred_thousand_names_come_and_go_in_any_order)
{
	struct proxy_tally_entry **entries = calloc(MANY, sizeof(*entries));
	struct proxy_tally_entry *again = NULL;
	size_t before = proxy_tally_slots(tally);

	cr_assert_not_null(entries);
	for (unsigned round = 0; round < 3; round++) {
		take_numbers(entries, MANY);
		cr_expect_eq(proxy_tally_names(tally), MANY);
		for (uint32_t i = 0; i < MANY; i++)
			cr_assert_eq(proxy_tally_take(tally, &i, sizeof(i), 1, &again, &err),
				     SEAL_E_LIMIT, "%u was lost", i);
		shuffle(entries, MANY);
		for (uint32_t i = 0; i < MANY; i++)
			proxy_tally_drop(tally, entries[i]);
		cr_expect_eq(proxy_tally_names(tally), 0);
		cr_expect_eq(proxy_tally_slots(tally), before, "the burst's table was kept");
	}
	free(entries);
}

/* Every interleaving must leave exactly the names that count something where they can be found. */
Test(proxy_tally, agrees_with_a_plain_array)
{
	enum { NAMES = 200 };
	struct proxy_tally_entry *entries[NAMES] = { NULL };
	uint32_t counts[NAMES] = { 0 };

	for (unsigned turn = 0; turn < 200000; turn++) {
		uint32_t i = draw(NAMES);
		struct proxy_tally_entry *entry = NULL;

		if (draw(2) == 0) {
			int r = proxy_tally_take(tally, &i, sizeof(i), 3, &entry, &err);

			cr_assert_eq(r, counts[i] < 3 ? 0 : SEAL_E_LIMIT, "turn %u", turn);
			if (r == 0) {
				entries[i] = entry;
				counts[i]++;
			}
		} else if (counts[i] > 0) {
			proxy_tally_drop(tally, entries[i]);
			counts[i]--;
		}
	}
	for (uint32_t i = 0; i < NAMES; i++)
		for (; counts[i] > 0; counts[i]--)
			proxy_tally_drop(tally, entries[i]);
	cr_expect_eq(proxy_tally_names(tally), 0);
}

Test(proxy_tally, survives_every_failing_allocation)
{
	struct proxy_tally_entry *entries[200] = { NULL };
	uint32_t failures = 0;

	for (uint32_t i = 0; i < SEAL_COUNT(entries); i++) {
		for (size_t n = 1;; n++) {
			bool failed;
			int r;

			alloc_fail_at(n);
			r = proxy_tally_take(tally, &i, sizeof(i), 1, &entries[i], &err);
			failed = alloc_call_off();
			if (r == 0)
				break;
			cr_assert(failed);
			cr_expect_eq(r, SEAL_E_MEMORY);
			cr_expect_null(entries[i]);
			cr_assert_eq(proxy_tally_names(tally), i);
			failures++;
		}
	}
	cr_expect_gt(failures, SEAL_COUNT(entries), "growth was not among them");
	for (uint32_t i = 0; i < SEAL_COUNT(entries); i++) {
		alloc_fail_at(1); /* shrinking is a favour */
		proxy_tally_drop(tally, entries[i]);
		(void)alloc_call_off(); /* most do not shrink */
	}
	cr_expect_eq(proxy_tally_names(tally), 0);
}

Test(proxy_tally, is_made_whole_or_not_at_all)
{
	struct proxy_tally *other = NULL;

	for (size_t n = 1;; n++) {
		int r;

		alloc_fail_at(n);
		r = proxy_tally_new(&other, &err);
		if (!alloc_call_off())
			break;
		cr_expect_lt(r, 0);
		cr_expect_null(other);
	}
	cr_expect_not_null(other);
	proxy_tally_free(other);
	proxy_tally_free(NULL);
}

static size_t
source(uint8_t key[static PROXY_TALLY_KEY_MAX], const char *text)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(7) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(7) };
	size_t len = 0;

	memset(key, 0xee, PROXY_TALLY_KEY_MAX);
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		len = proxy_tally_source(key, (const struct sockaddr *)&in);
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		len = proxy_tally_source(key, (const struct sockaddr *)&in6);
	else
		cr_assert_fail("'%s' is no address", text);
	return len;
}

Test(proxy_tally, a_source_is_an_ipv4_address_or_an_ipv6_network)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
		{ "10.0.0.7", "10.0.0.7", true },
		{ "10.0.0.7", "10.0.0.8", false },
		{ "10.0.0.7", "::ffff:10.0.0.7", true },
		{ "::ffff:10.0.0.7", "::ffff:10.0.0.8", false },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "0.0.0.0", "::", false },
	};
	uint8_t a[PROXY_TALLY_KEY_MAX];
	uint8_t b[PROXY_TALLY_KEY_MAX];

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		size_t a_len = source(a, cases[i].a);
		size_t b_len = source(b, cases[i].b);

		cr_expect_gt(a_len, 0);
		cr_expect_eq(a_len == b_len && memcmp(a, b, a_len) == 0, cases[i].same, "%s and %s",
			     cases[i].a, cases[i].b);
	}
}

Test(proxy_tally, other_families_are_not_counted)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };
	uint8_t key[PROXY_TALLY_KEY_MAX];

	cr_expect_eq(proxy_tally_source(key, (const struct sockaddr *)&addr), 0);
	addr.ss_family = AF_UNSPEC;
	cr_expect_eq(proxy_tally_source(key, (const struct sockaddr *)&addr), 0);
}
