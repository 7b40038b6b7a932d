/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proxy/known.h"
#include "tests/support/alloc.h"

static struct seal_peer
make(const char *name, unsigned serial)
{
	struct seal_peer peer = { .not_before = 1, .not_after = 2 };

	(void)snprintf(peer.name, sizeof(peer.name), "%s", name);
	(void)snprintf(peer.uri, sizeof(peer.uri), "spiffe://seal.test/peer/%s", name);
	(void)snprintf(peer.serial, sizeof(peer.serial), "%032x", serial);
	return peer;
}

static size_t
count(const struct proxy_known_table *table)
{
	size_t used = 0;

	for (size_t i = 0; i < PROXY_KNOWN_SLOTS; i++)
		used += table->slots[i] != NULL ? 1 : 0;
	return used;
}

Test(proxy_known, equal_peers_share_one_copy_until_the_last_has_gone)
{
	struct proxy_known_table table = { 0 };
	struct seal_peer web = make("web", 1);
	struct seal_peer again = make("web", 1);
	struct proxy_known *first = proxy_known_ref(&table, &web);
	struct proxy_known *second = proxy_known_ref(&table, &again);

	cr_assert_not_null(first);
	cr_expect_eq(first, second);
	cr_expect_eq(first->refs, 2);
	memset(&web, 'x', sizeof(web)); /* it is a copy */
	cr_expect_str_eq(first->peer.name, "web");
	proxy_known_unref(&table, first);
	cr_expect_eq(count(&table), 1);
	cr_expect_eq(proxy_known_ref(&table, &again), second);
	proxy_known_unref(&table, second);
	proxy_known_unref(&table, second);
	cr_expect_eq(count(&table), 0);
}

Test(proxy_known, peers_that_differ_in_anything_do_not_share)
{
	struct seal_peer web = make("web", 1);
	struct seal_peer others[5];

	for (size_t i = 0; i < SEAL_COUNT(others); i++)
		others[i] = web;
	others[0].name[0] = 'W';
	others[1].uri[0] = 'S';
	others[2].serial[0] = '1';
	others[3].not_before++;
	others[4].not_after++;
	for (size_t i = 0; i < SEAL_COUNT(others); i++) {
		struct proxy_known_table table = { 0 };
		struct proxy_known *a = proxy_known_ref(&table, &web);
		struct proxy_known *b = proxy_known_ref(&table, &others[i]);

		cr_assert(a != NULL && b != NULL);
		cr_expect_neq(a, b, "case %zu", i);
		cr_expect_eq(memcmp(&a->peer, &web, sizeof(web)), 0);
		cr_expect_eq(memcmp(&b->peer, &others[i], sizeof(web)), 0);
		proxy_known_unref(&table, a);
		proxy_known_unref(&table, b);
		cr_expect_eq(count(&table), 0);
	}
}

Test(proxy_known, those_that_share_a_place_go_in_any_order)
{
	for (int order = 0; order < 2; order++) {
		struct proxy_known_table table = { 0 };
		struct seal_peer peers[2] = { make("web", 1), make("ops", 1) }; /* one serial */
		struct proxy_known *known[2];

		for (int i = 0; i < 2; i++)
			known[i] = proxy_known_ref(&table, &peers[i]);
		cr_assert_neq(known[0], known[1]);
		cr_assert_eq(count(&table), 1);
		proxy_known_unref(&table, known[order]);
		/* Whoever is left keeps what it has, and the newer one is still shared. */
		cr_expect_str_eq(known[1 - order]->peer.name, order == 0 ? "ops" : "web");
		cr_expect_eq(count(&table), order == 0 ? 1 : 0);
		proxy_known_unref(&table, known[1 - order]);
		cr_expect_eq(count(&table), 0);
	}
}

Test(proxy_known, many_peers_stay_apart)
{
	static struct proxy_known *known[1000];
	struct proxy_known_table table = { 0 };

	for (unsigned i = 0; i < SEAL_COUNT(known); i++) {
		struct seal_peer peer = make("web", i);

		known[i] = proxy_known_ref(&table, &peer);
		cr_assert_not_null(known[i]);
	}
	for (unsigned i = 0; i < SEAL_COUNT(known); i++) {
		struct seal_peer peer = make("web", i);

		cr_expect_str_eq(known[i]->peer.serial, peer.serial);
		proxy_known_unref(&table, known[i]);
	}
	cr_expect_eq(count(&table), 0);
}

Test(proxy_known, without_memory_there_is_none_and_the_others_stay)
{
	struct proxy_known_table table = { 0 };
	struct seal_peer web = make("web", 1);
	struct seal_peer ops = make("ops", 1);
	struct proxy_known *first = proxy_known_ref(&table, &web);

	alloc_fail_at(1);
	cr_expect_null(proxy_known_ref(&table, &ops));
	cr_expect(alloc_call_off());
	cr_expect_eq(proxy_known_ref(&table, &web), first);
	proxy_known_unref(&table, first);
	proxy_known_unref(&table, first);
	proxy_known_unref(&table, NULL);
	cr_expect_eq(count(&table), 0);
}
