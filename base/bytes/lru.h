/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_LRU_H
#define SEAL_BASE_LRU_H

/*
 * A bounded table in which the member not met for longest makes room for a new one.  Members are the
 * owner's structures with a struct seal_lru_node as their FIRST field; the table owns none of them
 * and locks nothing.
 *
 * Keys are digests or random numbers, which spread by themselves; who could choose the keys of
 * members freely could make finding them slow, so nobody outside may.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"

#define SEAL_LRU_KEY_LEN 32

struct seal_lru_node {
	uint8_t key[SEAL_LRU_KEY_LEN];
	struct seal_lru_node *next; /* in the same bucket */
	struct seal_lru_node *newer;
	struct seal_lru_node *older;
};

/* All zero is a table that holds nothing and never will. */
struct seal_lru {
	struct seal_lru_node **buckets;
	size_t mask; /* number of buckets - 1, a power of two */
	size_t count;
	size_t max;
	struct seal_lru_node *newest;
	struct seal_lru_node *oldest;
};

SEAL_CHECKED int seal_lru_init(struct seal_lru *lru, size_t max, struct seal_err *err);
/* The table's own memory; whoever empties it first takes the members out (seal_lru_oldest). */
void seal_lru_release(struct seal_lru *lru);

/* NULL when there is none; what is found has just been met. */
struct seal_lru_node *seal_lru_find(struct seal_lru *lru,
				    const uint8_t key[static SEAL_LRU_KEY_LEN]);
/*
 * Add a node whose key is set and not in the table.  Returns the one that had to make room, now no
 * member, or NULL; with max 0 that is the node itself.
 */
SEAL_CHECKED struct seal_lru_node *seal_lru_add(struct seal_lru *lru, struct seal_lru_node *node);
void seal_lru_remove(struct seal_lru *lru, struct seal_lru_node *node);
/* The next to go; NULL when empty. */
struct seal_lru_node *seal_lru_oldest(const struct seal_lru *lru);

#endif
