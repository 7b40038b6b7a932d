/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets of singly linked nodes, and one doubly linked list through all of them in the order they
 * were last met.  Knows nothing of what its members are.
 */
#include "base/bytes/lru.h"

#include <stdlib.h>
#include <string.h>

#define LRU_MAX ((size_t)1 << 24) /* beyond any configuration; keeps the arithmetic below safe */

int
seal_lru_init(struct seal_lru *lru, size_t max, struct seal_err *err)
{
	size_t buckets = 1;

	if (max > LRU_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a table of %zu members; at most %zu", max,
				 LRU_MAX);
	while (buckets < max)
		buckets *= 2;
	*lru = (struct seal_lru){ .mask = buckets - 1, .max = max };
	lru->buckets = calloc(buckets, sizeof(*lru->buckets));
	return lru->buckets == NULL ? seal_fail_memory(err) : 0;
}

void
seal_lru_release(struct seal_lru *lru)
{
	free(lru->buckets);
	*lru = (struct seal_lru){ 0 };
}

static struct seal_lru_node **
bucket_of(const struct seal_lru *lru, const uint8_t key[static SEAL_LRU_KEY_LEN])
{
	size_t hash = 0;

	memcpy(&hash, key, sizeof(hash));
	return &lru->buckets[hash & lru->mask];
}

static void
unlink_age(struct seal_lru *lru, const struct seal_lru_node *node)
{
	if (node->newer != NULL)
		node->newer->older = node->older;
	else
		lru->newest = node->older;
	if (node->older != NULL)
		node->older->newer = node->newer;
	else
		lru->oldest = node->newer;
}

static void
make_newest(struct seal_lru *lru, struct seal_lru_node *node)
{
	node->newer = NULL;
	node->older = lru->newest;
	if (lru->newest != NULL)
		lru->newest->newer = node;
	else
		lru->oldest = node;
	lru->newest = node;
}

struct seal_lru_node *
seal_lru_find(struct seal_lru *lru, const uint8_t key[static SEAL_LRU_KEY_LEN])
{
	struct seal_lru_node *at;

	if (lru->buckets == NULL)
		return NULL;
	at = *bucket_of(lru, key);
	while (at != NULL && memcmp(at->key, key, SEAL_LRU_KEY_LEN) != 0)
		at = at->next;
	if (at != NULL && at != lru->newest) {
		unlink_age(lru, at);
		make_newest(lru, at);
	}
	return at;
}

struct seal_lru_node *
seal_lru_add(struct seal_lru *lru, struct seal_lru_node *node)
{
	struct seal_lru_node *evicted = NULL;
	struct seal_lru_node **bucket;

	if (lru->max == 0)
		return node;
	if (lru->count == lru->max) {
		evicted = lru->oldest;
		seal_lru_remove(lru, evicted);
	}
	bucket = bucket_of(lru, node->key);
	node->next = *bucket;
	*bucket = node;
	make_newest(lru, node);
	lru->count++;
	return evicted;
}

void
seal_lru_remove(struct seal_lru *lru, struct seal_lru_node *node)
{
	struct seal_lru_node **at = bucket_of(lru, node->key);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	unlink_age(lru, node);
	lru->count--;
}

struct seal_lru_node *
seal_lru_oldest(const struct seal_lru *lru)
{
	return lru->oldest;
}
