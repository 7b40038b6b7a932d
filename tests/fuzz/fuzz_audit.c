/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rot/audit: any bytes as an entry, as a head, as a kept tree, and as a log of one entry a line.  What is read has
 * one spelling: written again, it is the same bytes.  A head that is read carries a signature, so none is by chance;
 * the bytes are therefore signed, too, as members of a head.
 */
#include <assert.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/audit/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_entry(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes again = SEAL_BYTES(AUDIT_ENTRY_MAX);
	struct audit_entry entry;
	int r;

	if (audit_entry_parse(&entry, data, size, NULL) < 0)
		return;
	r = audit_entry_encode(&entry, &again, NULL);
	assert(r == 0 && again.len == size && memcmp(again.data, data, size) == 0);
}

static void
try_tree(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes again = SEAL_BYTES(AUDIT_TREE_ENCODED_MAX);
	struct audit_tree tree;
	int r;

	if (audit_tree_parse(&tree, data, size, NULL) < 0)
		return;
	r = audit_tree_encode(&tree, &again, NULL);
	assert(r == 0 && again.len == size && memcmp(again.data, data, size) == 0);
}

/* The nodes are the input's, the size and the root are made to fit: what is read is the same. */
static void
try_fitting_tree(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes kept = SEAL_BYTES(AUDIT_TREE_ENCODED_MAX);
	struct audit_tree tree = { 0 }, read;
	int r;

	for (size_t i = 0; i < 8 && i < size; i++)
		tree.size = tree.size << 8 | data[i];
	tree.size &= AUDIT_SIZE_MAX;
	for (size_t i = 0; i < AUDIT_TREE_LEVELS; i++) {
		if ((tree.size >> i & 1) != 0)
			memset(tree.nodes[i], i < size ? data[i] : 0, SEAL_HASH_LEN);
	}
	r = audit_tree_encode(&tree, &kept, NULL);
	assert(r == 0);
	r = audit_tree_parse(&read, kept.data, kept.len, NULL);
	assert(r == 0 && memcmp(&read, &tree, sizeof(tree)) == 0);
}

/* Signed lines that are the input's, under a key of ours: read only when they are spelled right. */
static void
try_signed_head(const struct seal_key *key, const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(2 * AUDIT_HEAD_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes again = SEAL_BYTES(2 * AUDIT_HEAD_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	uint8_t signature[SEAL_SIGNATURE_LEN];
	struct audit_head head;
	int r;

	if (size > AUDIT_HEAD_MAX / 2)
		return;
	r = seal_bytes_append(&text, data, size, NULL);
	assert(r == 0);
	r = seal_key_spki(key, &spki, NULL);
	assert(r == 0);
	r = seal_base64url_encode(&text, spki.data, spki.len, NULL);
	assert(r == 0);
	r = seal_bytes_append_str(&text, "\n", NULL);
	assert(r == 0);
	r = seal_key_sign(key, text.data, text.len, signature, NULL);
	assert(r == 0);
	size = text.len;
	r = seal_base64url_encode(&text, signature, sizeof(signature), NULL);
	assert(r == 0);
	r = seal_bytes_append_str(&text, "\n", NULL);
	assert(r == 0);
	if (audit_head_parse(&head, text.data, text.len, NULL) < 0)
		return;
	r = audit_head_begin(&head, key, &again, NULL);
	assert(r == 0 && again.len == size && memcmp(again.data, text.data, size) == 0);
}

/* A log, an entry a line: what is taken counts up from 0. */
static void
try_log(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(audit_check_freep) struct audit_check *check = NULL;
	struct audit_report report;
	uint64_t count = 0;
	int r = audit_check_new(&check, NULL);

	assert(r == 0);
	while (r == 0 && size > 0) {
		const uint8_t *stop = memchr(data, '\n', size);
		size_t len = stop != NULL ? (size_t)(stop - data) : size;

		r = audit_check_entry(check, data, len, NULL);
		count += r == 0;
		data += stop != NULL ? len + 1 : len;
		size -= stop != NULL ? len + 1 : len;
	}
	if (r == 0) {
		r = audit_check_end(check, &report, NULL);
		assert(r == 0 && report.size == count && report.covered == 0);
	} else {
		assert(audit_check_end(check, &report, NULL) < 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seal_key *key;
	struct audit_head head;

	if (key == NULL) {
		int r = seal_key_new(&key, NULL);

		assert(r == 0);
	}
	try_entry(data, size);
	try_tree(data, size);
	try_fitting_tree(data, size);
	try_log(data, size);
	(void)(audit_head_parse(&head, data, size, NULL) == 0);
	try_signed_head(key, data, size);
	return 0;
}
