/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/bytes/lru.h"

#define MANY 64

static struct seal_lru_node nodes[MANY];

static struct seal_lru_node *
node(unsigned number)
{
	memset(nodes[number].key, 0, sizeof(nodes[number].key));
	nodes[number].key[0] = (uint8_t)(number % 4); /* several share a bucket */
	nodes[number].key[31] = (uint8_t)number;
	return &nodes[number];
}

static void
fill(struct seal_lru *lru, size_t max, unsigned count)
{
	cr_assert_eq(seal_lru_init(lru, max, NULL), 0);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(seal_lru_add(lru, node(i)), i < max ? NULL : &nodes[i - max]);
}

Test(lru, holds_its_maximum_and_drops_the_one_not_met_for_longest)
{
	SEAL_SCOPED(seal_lru_release) struct seal_lru lru = { 0 };

	fill(&lru, 8, MANY);
	cr_expect_eq(lru.count, 8);
	for (unsigned i = 0; i < MANY; i++)
		cr_expect_eq(seal_lru_find(&lru, node(i)->key), i < MANY - 8 ? NULL : &nodes[i]);
}

Test(lru, what_was_just_found_stays)
{
	SEAL_SCOPED(seal_lru_release) struct seal_lru lru = { 0 };

	fill(&lru, 3, 3);
	cr_expect_eq(seal_lru_find(&lru, nodes[0].key), &nodes[0]);
	cr_expect_eq(seal_lru_add(&lru, node(10)), &nodes[1]);
	cr_expect_eq(seal_lru_find(&lru, nodes[2].key), &nodes[2]);
	cr_expect_eq(seal_lru_add(&lru, node(11)), &nodes[0]);
}

Test(lru, forgets_what_is_removed_wherever_it_stands)
{
	for (unsigned which = 0; which < 5; which++) {
		SEAL_SCOPED(seal_lru_release) struct seal_lru lru = { 0 };

		fill(&lru, 5, 5);
		seal_lru_remove(&lru, &nodes[which]);
		cr_expect_eq(lru.count, 4);
		cr_expect_null(seal_lru_find(&lru, nodes[which].key));
		for (unsigned left = 4; left > 0; left--)
			seal_lru_remove(&lru, seal_lru_oldest(&lru));
		cr_expect_null(seal_lru_oldest(&lru));
		cr_expect_null(lru.newest);
	}
}

Test(lru, a_table_for_nothing_gives_back_what_it_is_given)
{
	SEAL_SCOPED(seal_lru_release) struct seal_lru lru = { 0 };
	struct seal_lru empty = { 0 };

	cr_assert_eq(seal_lru_init(&lru, 0, NULL), 0);
	cr_expect_eq(seal_lru_add(&lru, node(1)), &nodes[1]);
	cr_expect_null(seal_lru_find(&lru, nodes[1].key));
	cr_expect_null(seal_lru_find(&empty, nodes[1].key));
	cr_expect_eq(seal_lru_add(&empty, node(1)), &nodes[1]);
}

Test(lru, refuses_a_maximum_that_cannot_be_meant)
{
	struct seal_lru lru = { 0 };

	cr_expect_eq(seal_lru_init(&lru, SIZE_MAX, NULL), SEAL_E_LIMIT);
	cr_expect_null(lru.buckets);
}
