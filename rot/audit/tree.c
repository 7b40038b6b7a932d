/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree: leaves in, roots out.  A complete subtree of 2^k leaves is a node at level k, and the bits of the size
 * say at which levels one stands: adding a leaf is counting up in binary.
 */
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/tree.h"

/* RFC 9162 section 2.1.1: what makes a leaf's hash differ from an inner node's. */
#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01

int
audit_leaf(const void *entry, size_t len, uint8_t ret_hash[static SEAL_HASH_LEN],
	   struct seal_err *err)
{
	uint8_t text[1 + AUDIT_ENTRY_MAX] = { LEAF_PREFIX };

	if (len > AUDIT_ENTRY_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "an entry has at most %u bytes",
				 AUDIT_ENTRY_MAX);
	if (len > 0)
		memcpy(text + 1, entry, len);
	return seal_sha256(ret_hash, text, 1 + len, err);
}

/* right becomes the node over left and right. */
static int
join(const uint8_t left[static SEAL_HASH_LEN], uint8_t right[static SEAL_HASH_LEN],
     struct seal_err *err)
{
	uint8_t text[1 + 2 * SEAL_HASH_LEN] = { NODE_PREFIX };

	memcpy(text + 1, left, SEAL_HASH_LEN);
	memcpy(text + 1 + SEAL_HASH_LEN, right, SEAL_HASH_LEN);
	return seal_sha256(right, text, sizeof(text), err);
}

static bool
has_level(const struct audit_tree *tree, unsigned level)
{
	return (tree->size >> level & 1) != 0;
}

int
audit_tree_add(struct audit_tree *tree, const uint8_t leaf[static SEAL_HASH_LEN],
	       struct seal_err *err)
{
	uint8_t node[SEAL_HASH_LEN];
	unsigned level;
	int r;

	if (tree->size >= AUDIT_SIZE_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the log is full");
	memcpy(node, leaf, sizeof(node));
	for (level = 0; has_level(tree, level); level++) {
		r = join(tree->nodes[level], node, err);
		if (r < 0)
			return r;
	}
	/* This level's node did not count until now, and those below do not from now on. */
	memcpy(tree->nodes[level], node, sizeof(node));
	tree->size++;
	return 0;
}

int
audit_tree_root(const struct audit_tree *tree, uint8_t ret_root[static SEAL_HASH_LEN],
		struct seal_err *err)
{
	uint8_t root[SEAL_HASH_LEN];
	bool begun = false;
	int r = 0;

	if (tree->size == 0)
		return seal_sha256(ret_root, "", 0, err);
	/* From the right: what is to the right of a complete subtree is always the smaller part. */
	for (unsigned level = 0; r == 0 && level < AUDIT_TREE_LEVELS; level++) {
		if (!has_level(tree, level))
			continue;
		if (begun)
			r = join(tree->nodes[level], root, err);
		else
			memcpy(root, tree->nodes[level], sizeof(root));
		begun = true;
	}
	if (r < 0)
		return r;
	memcpy(ret_root, root, sizeof(root));
	return 0;
}

int
audit_tree_encode(const struct audit_tree *tree, struct seal_bytes *out, struct seal_err *err)
{
	uint8_t text[AUDIT_TREE_ENCODED_MAX];
	size_t len = 0;
	int r;

	if (tree->size > AUDIT_SIZE_MAX)
		return seal_fail(err, SEAL_E_BUG, "a tree of impossible size");
	for (unsigned i = 0; i < 8; i++)
		text[len++] = (uint8_t)(tree->size >> (56 - 8 * i));
	for (unsigned level = AUDIT_TREE_LEVELS; level-- > 0;) {
		if (!has_level(tree, level))
			continue;
		memcpy(text + len, tree->nodes[level], SEAL_HASH_LEN);
		len += SEAL_HASH_LEN;
	}
	r = audit_tree_root(tree, text + len, err);
	return r < 0 ? r : seal_bytes_append(out, text, len + SEAL_HASH_LEN, err);
}

/* How many bytes a tree of that size is. */
static size_t
encoded_len(uint64_t size)
{
	return 8 + SEAL_HASH_LEN * ((size_t)__builtin_popcountll(size) + 1);
}

int
audit_tree_parse(struct audit_tree *ret_tree, const void *data, size_t len, struct seal_err *err)
{
	struct audit_tree tree = { 0 };
	uint8_t root[SEAL_HASH_LEN];
	const uint8_t *at = data;
	int r;

	for (unsigned i = 0; len >= 8 && i < 8; i++)
		tree.size = tree.size << 8 | *at++;
	if (len < 8 || tree.size > AUDIT_SIZE_MAX || len != encoded_len(tree.size))
		return seal_fail(err, SEAL_E_FORMAT, "not the tree of an audit log");
	for (unsigned level = AUDIT_TREE_LEVELS; level-- > 0;) {
		if (!has_level(&tree, level))
			continue;
		memcpy(tree.nodes[level], at, SEAL_HASH_LEN);
		at += SEAL_HASH_LEN;
	}
	r = audit_tree_root(&tree, root, err);
	if (r < 0)
		return r;
	if (memcmp(root, at, sizeof(root)) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "the tree of the audit log is damaged");
	*ret_tree = tree;
	return 0;
}
