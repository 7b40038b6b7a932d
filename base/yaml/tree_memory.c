/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one document: blocks that grow with it, given back at once and wiped, since what a manifest
 * holds before it is sealed is secret.  Knows nothing of what lies in it.
 */
#include "base/yaml/tree_internal.h"

#include <stdalign.h>
#include <string.h>

#define FIRST_CHUNK 4096u
#define LAST_CHUNK  (1024u * 1024)

struct tree_chunk {
	struct tree_chunk *older;
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

static struct tree_chunk *
add_chunk(struct seal_tree *tree, size_t least)
{
	size_t size = tree->chunks == NULL ? FIRST_CHUNK : tree->chunks->size * 2;
	struct tree_chunk *chunk;

	if (size > LAST_CHUNK)
		size = LAST_CHUNK;
	if (size < least)
		size = least;
	chunk = malloc(sizeof(*chunk) + size);
	if (chunk == NULL)
		return NULL;
	chunk->older = tree->chunks;
	chunk->size = size;
	chunk->used = 0;
	tree->chunks = chunk;
	return chunk;
}

static void *
take(struct seal_tree *tree, size_t size, size_t align)
{
	struct tree_chunk *chunk = tree->chunks;
	size_t at = chunk == NULL ? 0 : (chunk->used + align - 1) / align * align;

	if (chunk == NULL || at > chunk->size || size > chunk->size - at) {
		chunk = add_chunk(tree, size);
		at = 0;
	}
	if (chunk == NULL)
		return NULL;
	chunk->used = at + size;
	return chunk->data + at;
}

void *
tree_new_room(struct seal_tree *tree, size_t size)
{
	return take(tree, size, alignof(max_align_t));
}

const char *
tree_new_text(struct seal_tree *tree, const char *text, size_t len)
{
	char *copy;

	if (len >= UINT32_MAX)
		return NULL;
	copy = take(tree, len + 1, 1);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

struct seal_tree_node *
tree_new_node(struct seal_tree *tree, enum seal_tree_kind kind)
{
	struct seal_tree_node *node = take(tree, sizeof(*node), alignof(struct seal_tree_node));

	if (node == NULL)
		return NULL;
	*node = (struct seal_tree_node){ .kind = kind, .key_kind = SEAL_TREE_STRING };
	tree->node_count++;
	return node;
}

struct seal_tree *
tree_new(const char *name)
{
	struct seal_tree *tree = calloc(1, sizeof(*tree));

	if (tree == NULL)
		return NULL;
	tree->name = tree_new_text(tree, name, strlen(name));
	if (tree->name == NULL) {
		seal_tree_free(tree);
		return NULL;
	}
	return tree;
}

void
seal_tree_free(struct seal_tree *tree)
{
	if (tree == NULL)
		return;
	while (tree->chunks != NULL) {
		struct tree_chunk *chunk = tree->chunks;

		tree->chunks = chunk->older;
		explicit_bzero(chunk->data, chunk->used);
		free(chunk);
	}
	free(tree);
}

void
seal_tree_freep(struct seal_tree **tree)
{
	seal_tree_free(*tree);
	*tree = NULL;
}
