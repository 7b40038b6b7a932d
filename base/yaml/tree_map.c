/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map whose end was read: no key twice, and the merge key gives way to what it stands for.  An explicit
 * key wins over a merged one, and an earlier map of a list over a later one.  Go's library lets the merge win
 * when it comes after the explicit key, others do not: that is refused, as is a second merge key.
 */
#include "base/yaml/tree_internal.h"

#include <search.h>
#include <string.h>

#define FEW_KEYS 12 /* so many are compared each with each */

const char tree_merge_key[] = "<<";

static bool
is_twin(const struct seal_tree_node *a, const struct seal_tree_node *b)
{
	return strcmp(a->key, b->key) == 0;
}

static struct seal_tree_node *
find_twin_of_few(const struct seal_tree_node *map)
{
	for (struct seal_tree_node *at = seal_tree_first(map); at != NULL;
	     at = seal_tree_next_of(at)) {
		for (struct seal_tree_node *older = seal_tree_first(map); older != at;
		     older = seal_tree_next_of(older)) {
			if (is_twin(at, older))
				return at;
		}
	}
	return NULL;
}

static int
compare_nodes(const void *a, const void *b)
{
	const struct seal_tree_node *left = *(struct seal_tree_node *const *)a;
	const struct seal_tree_node *right = *(struct seal_tree_node *const *)b;
	int order = strcmp(left->key, right->key);

	if (order != 0)
		return order;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->column < right->column ? -1 : left->column > right->column;
}

/* Sorted, twins lie side by side: a map of many keys must not cost their square. */
static int
find_twin_of_many(const struct seal_tree_node *map, struct seal_tree_node **ret_twin,
		  struct seal_err *err)
{
	struct seal_tree_node **nodes = calloc(map->len, sizeof(struct seal_tree_node *));
	size_t count = 0;

	if (nodes == NULL)
		return seal_fail_memory(err);
	for (struct seal_tree_node *at = seal_tree_first(map); at != NULL;
	     at = seal_tree_next_of(at))
		nodes[count++] = at;
	qsort(nodes, count, sizeof(*nodes), compare_nodes);
	*ret_twin = NULL;
	for (size_t i = 1; i < count && *ret_twin == NULL; i++) {
		if (is_twin(nodes[i - 1], nodes[i]))
			*ret_twin = nodes[i];
	}
	free(nodes);
	return 0;
}

static int
check_distinct(const struct seal_tree *tree, const struct seal_tree_node *map, struct seal_err *err)
{
	struct seal_tree_node *twin = NULL;
	int r;

	if (map->len <= FEW_KEYS) {
		twin = find_twin_of_few(map);
	} else {
		r = find_twin_of_many(map, &twin, err);
		if (r < 0)
			return r;
	}
	if (twin == NULL)
		return 0;
	return seal_tree_fail(tree, twin, err, SEAL_E_FORMAT, "this key occurs twice");
}

/* ---- Merging ---- */

struct merge {
	struct seal_tree *tree;
	struct seal_tree_node *map;
	struct seal_tree_node *place; /* the member named "<<" */
	void *keys;                   /* a search tree of the nodes that have a key */
};

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct seal_tree_node *)a)->key,
		      ((const struct seal_tree_node *)b)->key);
}

static void
free_nothing(void *node)
{
	(void)node; /* it belongs to the document */
}

/* Give the key to the node, unless another has it: that is *ret_owner then. */
static int
claim(struct merge *merge, struct seal_tree_node *node, struct seal_tree_node **ret_owner,
      struct seal_err *err)
{
	struct seal_tree_node **found = tsearch(node, &merge->keys, compare_keys);

	if (found == NULL)
		return seal_fail_memory(err);
	*ret_owner = *found;
	return 0;
}

static int
claim_explicit(struct merge *merge, struct seal_err *err)
{
	struct seal_tree_node *owner = NULL;
	bool is_in_front = true;
	int r = 0;

	for (struct seal_tree_node *at = seal_tree_first(merge->map); at != NULL && r == 0;
	     at = seal_tree_next_of(at)) {
		if (at == merge->place) {
			is_in_front = false;
			continue;
		}
		at->is_in_front = is_in_front;
		r = claim(merge, at, &owner, err);
	}
	return r;
}

static int
merge_map(struct merge *merge, struct seal_tree_node *source, struct seal_err *err)
{
	struct seal_tree_node *member = seal_tree_first(source), *next, *owner = NULL;
	int r;

	if (seal_tree_kind(source) != SEAL_TREE_MAP)
		return seal_tree_fail(merge->tree, source, err, SEAL_E_FORMAT,
				      "a merge (<<) takes a map or a list of maps");
	for (; member != NULL; member = next) {
		next = seal_tree_next_of(member);
		member->is_in_front = false; /* of a merge of its own */
		r = claim(merge, member, &owner, err);
		if (r < 0 || owner == NULL)
			return r;
		if (owner->is_in_front)
			return seal_tree_fail(merge->tree, owner, err, SEAL_E_FORMAT,
					      "readers differ on a key in front of a merge (<<) "
					      "that also has it: put the merge first");
		if (owner == member)
			tree_append(merge->map, member);
	}
	return 0;
}

/* The source loses its members; nobody will look at it again. */
static int
merge_all(struct merge *merge, struct seal_err *err)
{
	struct seal_tree_node *source = merge->place;
	int r = 0;

	if (seal_tree_kind(source) != SEAL_TREE_LIST)
		return merge_map(merge, source, err);
	for (source = seal_tree_first(source); source != NULL && r == 0;
	     source = seal_tree_next_of(source))
		r = merge_map(merge, source, err);
	return r;
}

/* The map is filled anew, in order, with the merged members where the merge stood. */
static int
refill(struct merge *merge, struct seal_err *err)
{
	struct seal_tree_node *at = seal_tree_first(merge->map), *next;
	int r = 0;

	merge->map->last->next = NULL;
	merge->map->last = NULL;
	merge->map->len = 0;
	for (; at != NULL && r == 0; at = next) {
		next = at->next;
		if (at == merge->place)
			r = merge_all(merge, err);
		else
			tree_append(merge->map, at);
	}
	return r;
}

static struct seal_tree_node *
find_merge(const struct seal_tree_node *map)
{
	struct seal_tree_node *at = seal_tree_first(map);

	while (at != NULL && at->key != tree_merge_key)
		at = seal_tree_next_of(at);
	return at;
}

int
tree_finish_map(struct seal_tree *tree, struct seal_tree_node *map, struct seal_err *err)
{
	struct merge merge = { .tree = tree, .map = map };
	int r = check_distinct(tree, map, err);

	merge.place = find_merge(map);
	if (r < 0 || merge.place == NULL)
		return r;
	r = claim_explicit(&merge, err);
	if (r == 0)
		r = refill(&merge, err);
	tdestroy(merge.keys, free_nothing);
	return r;
}
