/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml-rewrite [--json] FILE: every document of a file parsed and written again, or as one line of JSON each;
 * exit 1 with the reason when it is refused.  For comparing what other readers see before and after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml/tree.h"

static int
put(const struct seal_tree *tree, struct seal_tree_node *root, bool as_json, struct seal_bytes *out,
    struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r;

	if (!as_json)
		return seal_tree_write(tree, out, err);
	if (root == NULL)
		return 0;
	r = seal_tree_to_json(tree, root, &json, err);
	if (r == 0)
		r = seal_json_dump(json, false, out, err);
	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}

/* Returns an error, too, when the documents' sources are not the whole text. */
static int
rewrite(const char *name, const char *text, size_t len, bool as_json, struct seal_bytes *out,
	struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	size_t at = 0, part = 0;
	int r = seal_tree_stream_new(&stream, name, text, len, err);

	while (r == 0) {
		SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;

		r = seal_tree_next(stream, &tree, err);
		if (r < 0 || tree == NULL)
			break;
		if (seal_tree_source(tree, &part) != text + at)
			return seal_fail(err, SEAL_E_BUG, "a gap before byte %zu", at);
		at += part;
		r = put(tree, seal_tree_root(tree), as_json, out, err);
	}
	if (r == 0 && at != len)
		return seal_fail(err, SEAL_E_BUG, "only %zu of %zu bytes", at, len);
	return r;
}

static char *
read_file(const char *name, size_t *ret_len)
{
	FILE *file = fopen(name, "re");
	char *text = malloc(SEAL_TREE_MAX_LEN + 2);

	if (file == NULL || text == NULL) {
		perror(name);
		exit(2);
	}
	*ret_len = fread(text, 1, SEAL_TREE_MAX_LEN + 2, file);
	(void)fclose(file);
	return text;
}

int
main(int argc, char **argv)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(SIZE_MAX / 2);
	bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	struct seal_err err = { 0 };
	size_t len = 0;
	char *text;
	int r;

	if (argc != 2 + as_json) {
		(void)fputs("usage: yaml-rewrite [--json] FILE\n", stderr);
		return 2;
	}
	text = read_file(argv[1 + as_json], &len);
	r = rewrite(argv[1 + as_json], text, len, as_json, &out, &err);
	free(text);
	if (r < 0) {
		(void)fprintf(stderr, "%s: %s\n", seal_code_name(r), err.text);
		return r == SEAL_E_BUG ? 3 : 1;
	}
	return out.len == 0 || fwrite(out.data, out.len, 1, stdout) == 1 ? 0 : 2;
}
