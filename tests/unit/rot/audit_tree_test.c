/* SPDX-License-Identifier: Apache-2.0 */
/* rot/audit/tree: the roots of RFC 9162, at every size, kept and read back whole or not at all. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/tree.h"

#define MANY 100000u

/* The inputs and roots that implementations of certificate transparency are tested with. */
static const char *const known_leaves[] = {
	"",
	"00",
	"10",
	"2021",
	"3031",
	"40414243",
	"5051525354555657",
	"606162636465666768696a6b6c6d6e6f",
};
static const char *const known_roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void
hash(const void *data, size_t len, uint8_t out[static SEAL_HASH_LEN])
{
	cr_assert_eq(seal_sha256(out, data, len, NULL), 0);
}

/* A leaf of a few bytes that follow from its number. */
static size_t
leaf_text(uint64_t n, uint8_t text[static 16])
{
	for (size_t i = 0; i < 8; i++)
		text[i] = (uint8_t)(n >> (8 * i));
	memset(text + 8, (int)(n & 0xff), 8);
	return 1 + n % 16;
}

/* RFC 9162 section 2.1.1, word by word: MTH of the leaves from first to end. */
static void
define(uint64_t first, uint64_t end, uint8_t out[static SEAL_HASH_LEN])
{
	uint8_t text[1 + 2 * SEAL_HASH_LEN] = { 0 };
	uint64_t k = 1;

	if (first == end) {
		hash("", 0, out);
		return;
	}
	if (end - first == 1) {
		hash(text, 1 + leaf_text(first, text + 1), out);
		return;
	}
	while (2 * k < end - first)
		k *= 2;
	text[0] = 1;
	define(first, first + k, text + 1);
	define(first + k, end, text + 1 + SEAL_HASH_LEN);
	hash(text, sizeof(text), out);
}

static void
add(struct audit_tree *tree, uint64_t n)
{
	uint8_t text[16], leaf[SEAL_HASH_LEN];

	cr_assert_eq(audit_leaf(text, leaf_text(n, text), leaf, NULL), 0);
	cr_assert_eq(audit_tree_add(tree, leaf, NULL), 0);
}

static void
expect_defined(const struct audit_tree *tree)
{
	uint8_t root[SEAL_HASH_LEN], want[SEAL_HASH_LEN];

	define(0, tree->size, want);
	cr_assert_eq(audit_tree_root(tree, root, NULL), 0);
	cr_assert_arr_eq(root, want, sizeof(root), "size %llu", (unsigned long long)tree->size);
}

Test(audit_tree, has_the_roots_that_are_published_for_none_to_eight_leaves)
{
	struct audit_tree tree = { 0 };

	for (size_t n = 0; n < SEAL_COUNT(known_roots); n++) {
		uint8_t text[16], leaf[SEAL_HASH_LEN], root[SEAL_HASH_LEN];
		char hex[2 * SEAL_HASH_LEN + 1];

		cr_assert_eq(audit_tree_root(&tree, root, NULL), 0);
		seal_hex_encode(hex, root, sizeof(root));
		cr_expect_str_eq(hex, known_roots[n], "%zu leaves", n);
		if (n == SEAL_COUNT(known_leaves))
			break;
		cr_assert_eq(seal_hex_decode(text, strlen(known_leaves[n]) / 2, known_leaves[n],
					     strlen(known_leaves[n]), NULL),
			     0);
		cr_assert_eq(audit_leaf(text, strlen(known_leaves[n]) / 2, leaf, NULL), 0);
		cr_assert_eq(audit_tree_add(&tree, leaf, NULL), 0);
	}
}

Test(audit_tree, has_the_root_of_the_definition_at_every_size_to_600_and_at_some_to_100000)
{
	struct audit_tree tree = { 0 };

	for (uint64_t n = 0; n <= MANY; n++) {
		bool near_power = (n & (n - 1)) == 0 || (n & (n + 1)) == 0;

		if (n <= 600 || near_power || n % 9973 == 0 || n == MANY)
			expect_defined(&tree);
		add(&tree, n);
	}
}

Test(audit_tree, takes_no_leaf_of_more_bytes_than_an_entry_has)
{
	static uint8_t text[AUDIT_ENTRY_MAX + 1];
	uint8_t leaf[SEAL_HASH_LEN];

	cr_expect_eq(audit_leaf(text, AUDIT_ENTRY_MAX, leaf, NULL), 0);
	cr_expect_eq(audit_leaf(text, AUDIT_ENTRY_MAX + 1, leaf, NULL), SEAL_E_LIMIT);
}

Test(audit_tree, that_is_full_takes_no_more_and_stays_what_it_is)
{
	struct audit_tree tree = { .size = AUDIT_SIZE_MAX - 1 }, before;
	const uint8_t leaf[SEAL_HASH_LEN] = { 1 };

	cr_assert_eq(audit_tree_add(&tree, leaf, NULL), 0);
	cr_assert_eq(tree.size, AUDIT_SIZE_MAX);
	before = tree;
	cr_expect_eq(audit_tree_add(&tree, leaf, NULL), SEAL_E_LIMIT);
	cr_expect_eq(memcmp(&tree, &before, sizeof(tree)), 0);
}

static void
encode(const struct audit_tree *tree, struct seal_bytes *out)
{
	seal_bytes_reset(out);
	cr_assert_eq(audit_tree_encode(tree, out, NULL), 0);
}

/* What was read goes on as the original does. */
static void
expect_same_future(struct audit_tree read, struct audit_tree original)
{
	uint8_t a[SEAL_HASH_LEN], b[SEAL_HASH_LEN];

	cr_assert_eq(read.size, original.size);
	for (uint64_t i = 0; i < 3; i++) {
		cr_assert_eq(audit_tree_root(&read, a, NULL), 0);
		cr_assert_eq(audit_tree_root(&original, b, NULL), 0);
		cr_assert_arr_eq(a, b, sizeof(a));
		add(&read, 1000 + i);
		add(&original, 1000 + i);
	}
}

static void
expect_refused(const void *data, size_t len, uint64_t size, const char *what, size_t at)
{
	struct audit_tree tree = { .size = 77 };

	cr_assert_eq(audit_tree_parse(&tree, data, len, NULL), SEAL_E_FORMAT, "size %llu: %s %zu",
		     (unsigned long long)size, what, at);
	cr_assert_eq(tree.size, 77);
}

Test(audit_tree, is_kept_and_read_back_at_every_size_to_300_and_refused_when_cut)
{
	struct seal_bytes kept = SEAL_BYTES(AUDIT_TREE_ENCODED_MAX + 1);
	struct audit_tree tree = { 0 };

	for (uint64_t n = 0; n <= 300; n++) {
		struct audit_tree read = { 0 };

		encode(&tree, &kept);
		cr_assert_eq(audit_tree_parse(&read, kept.data, kept.len, NULL), 0);
		expect_same_future(read, tree);
		for (size_t len = 0; len < kept.len; len++)
			expect_refused(kept.data, len, n, "cut to", len);
		cr_assert_eq(seal_bytes_append(&kept, "", 1, NULL), 0);
		expect_refused(kept.data, kept.len, n, "longer by", 1);
		add(&tree, n);
	}
	seal_bytes_release(&kept);
}

Test(audit_tree, that_was_kept_is_refused_with_any_bit_changed)
{
	struct seal_bytes kept = SEAL_BYTES(AUDIT_TREE_ENCODED_MAX);
	struct audit_tree tree = { 0 };

	for (uint64_t n = 0; n <= 300; n++) {
		encode(&tree, &kept);
		for (size_t bit = 0; bit < 8 * kept.len; bit++) {
			kept.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			expect_refused(kept.data, kept.len, n, "bit", bit);
			kept.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		add(&tree, n);
	}
	seal_bytes_release(&kept);
}

Test(audit_tree, of_the_largest_size_fits_into_its_stated_length)
{
	struct seal_bytes kept = SEAL_BYTES(AUDIT_TREE_ENCODED_MAX);
	struct audit_tree tree = { .size = AUDIT_SIZE_MAX }, read;

	for (size_t i = 0; i < AUDIT_TREE_LEVELS; i++)
		memset(tree.nodes[i], (int)i, SEAL_HASH_LEN);
	encode(&tree, &kept);
	cr_expect_eq(kept.len, AUDIT_TREE_ENCODED_MAX);
	cr_assert_eq(audit_tree_parse(&read, kept.data, kept.len, NULL), 0);
	cr_expect_eq(memcmp(&read, &tree, sizeof(tree)), 0);
	tree.size = AUDIT_SIZE_MAX + 1;
	seal_bytes_reset(&kept);
	cr_expect_eq(audit_tree_encode(&tree, &kept, NULL), SEAL_E_BUG);
	cr_expect_eq(kept.len, 0);
	seal_bytes_release(&kept);
}
