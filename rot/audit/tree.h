/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_AUDIT_TREE_H
#define SEAL_AUDIT_TREE_H

/*
 * The Merkle tree of RFC 9162 section 2.1 with SHA-256, as far as a log needs it that is read whole: leaves are
 * appended, and the root of all so far is known at any time.  What is kept are the roots of the complete
 * subtrees, at most one for each bit of the size.  Knows no entry and no signature.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"

#define AUDIT_TREE_LEVELS      53 /* sizes stay below 2^53, which JSON can tell */
#define AUDIT_SIZE_MAX         ((UINT64_C(1) << AUDIT_TREE_LEVELS) - 1)
#define AUDIT_TREE_ENCODED_MAX (8 + SEAL_HASH_LEN * (AUDIT_TREE_LEVELS + 1)) /* bytes */

struct audit_tree {
	uint64_t size;
	uint8_t nodes[AUDIT_TREE_LEVELS][SEAL_HASH_LEN]; /* those whose bit is set in size count */
};

/* SHA-256(0x00 | entry), RFC 9162 section 2.1.1.  SEAL_E_LIMIT beyond AUDIT_ENTRY_MAX bytes. */
SEAL_CHECKED int audit_leaf(const void *entry, size_t len, uint8_t ret_hash[static SEAL_HASH_LEN],
			    struct seal_err *err);
/* SEAL_E_LIMIT when it is full.  On failure the tree is what it was. */
SEAL_CHECKED int audit_tree_add(struct audit_tree *tree, const uint8_t leaf[static SEAL_HASH_LEN],
				struct seal_err *err);
/* Of no leaves: SHA-256 of nothing. */
SEAL_CHECKED int audit_tree_root(const struct audit_tree *tree,
				 uint8_t ret_root[static SEAL_HASH_LEN], struct seal_err *err);

/*
 * The tree as bytes, to be kept beside the log: the size (8 bytes, big endian), the nodes that count from the
 * largest subtree to the smallest, and the root, by which a damaged one is known.
 */
SEAL_CHECKED int audit_tree_encode(const struct audit_tree *tree, struct seal_bytes *out,
				   struct seal_err *err);
/* SEAL_E_FORMAT for whatever audit_tree_encode does not write. */
SEAL_CHECKED int audit_tree_parse(struct audit_tree *ret_tree, const void *data, size_t len,
				  struct seal_err *err);

#endif
