/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/yaml/tree: any bytes.  The sources of the documents are the whole text; what is read is written, read
 * again with the same values and written the same once more.
 */
#include <assert.h>
#include <string.h>

#include "base/yaml/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (256u * 1024 * 1024)

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes

/* Of documents without a root it does not matter how many there are. */
static void
append_json(struct seal_tree *tree, struct seal_bytes *out)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;

	if (seal_tree_root(tree) == NULL)
		return;
	if (seal_tree_to_json(tree, seal_tree_root(tree), &json, NULL) == 0)
		assert(seal_json_dump(json, false, out, NULL) == 0);
	assert(seal_bytes_append_str(out, "\n", NULL) == 0);
}

/* A change here and there must be possible anywhere. */
static void
change(struct seal_tree *tree, struct seal_tree_node *node)
{
	for (; node != NULL; node = seal_tree_first(node)) {
		if (seal_tree_kind(node) == SEAL_TREE_MAP) {
			seal_tree_set_str(tree, node, "~", "yes");
			seal_tree_set_str(tree, node, "a", "x y");
		}
		if (seal_tree_next_of(node) != NULL)
			seal_tree_drop(seal_tree_next_of(node));
	}
}

static int
digest(const char *text, size_t len, bool changing, struct seal_bytes *written,
       struct seal_bytes *json)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	size_t at = 0, part = 0;
	int r = seal_tree_stream_new(&stream, "fuzz", text, len, NULL);

	while (r == 0) {
		SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;

		r = seal_tree_next(stream, &tree, NULL);
		if (r < 0 || tree == NULL)
			break;
		assert(seal_tree_source(tree, &part) == text + at);
		at += part;
		if (changing)
			change(tree, seal_tree_root(tree));
		assert(seal_tree_write(tree, written, NULL) == 0);
		append_json(tree, json);
	}
	assert(r < 0 || at == len);
	assert(r != SEAL_E_BUG);
	return r;
}

static void
check(const char *text, size_t len, bool changing)
{
	BYTES first = SEAL_BYTES(MOST);
	BYTES second = SEAL_BYTES(MOST);
	BYTES value = SEAL_BYTES(MOST);
	BYTES same = SEAL_BYTES(MOST);

	if (digest(text, len, changing, &first, &value) < 0)
		return;
	assert(digest(seal_bytes_str(&first), first.len, false, &second, &same) == 0);
	/* A text of comments alone leaves nothing, which is no document. */
	assert(first.len == 0 || strcmp(seal_bytes_str(&value), seal_bytes_str(&same)) == 0);
	assert(strcmp(seal_bytes_str(&first), seal_bytes_str(&second)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 64 * 1024)
		return 0;
	check((const char *)data, size, false);
	check((const char *)data, size, true);
	return 0;
}
