/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the short words of the tests of base/yaml/tree. */
#include "tests/unit/base/tree_rig.h"

#include <criterion/criterion.h>
#include <string.h>

struct seal_tree_stream *
stream_of(const char *text)
{
	struct seal_tree_stream *stream = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_tree_stream_new(&stream, "t.yaml", text, strlen(text), &err), 0, "%s",
		     err.text);
	cr_assert_not_null(stream);
	return stream;
}

struct seal_tree *
next_tree(struct seal_tree_stream *stream)
{
	struct seal_tree *tree = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_tree_next(stream, &tree, &err), 0, "%s", err.text);
	return tree;
}

struct seal_tree *
only_tree(const char *text)
{
	STREAM stream = stream_of(text);
	struct seal_tree *tree = next_tree(stream);

	cr_assert_not_null(tree, "'%s'", text);
	return tree;
}

void
expect_refused(const char *text, int code, const char *where)
{
	STREAM stream = NULL;
	struct seal_err err = { 0 };
	int r = seal_tree_stream_new(&stream, "t.yaml", text, strlen(text), &err);

	if (r < 0)
		cr_expect_null(stream);
	while (r == 0) {
		TREE tree = NULL;

		r = seal_tree_next(stream, &tree, &err);
		if (r < 0)
			cr_expect_null(tree);
		cr_assert(r < 0 || tree != NULL, "'%.80s' was accepted", text);
	}
	cr_expect_eq(r, code, "'%.80s': %s", text, err.text);
	cr_expect_eq(strncmp(err.text, where, strlen(where)), 0, "'%s' does not begin with '%s'",
		     err.text, where);
}

void
expect_json(struct seal_tree *tree, const char *json)
{
	BYTES out = SEAL_BYTES(1 << 20);
	JSON value = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_tree_to_json(tree, seal_tree_root(tree), &value, &err), 0, "%s",
		     err.text);
	cr_assert_eq(seal_json_dump(value, false, &out, &err), 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&out), json);
}

void
expect_written(const struct seal_tree *tree, const char *text)
{
	BYTES out = SEAL_BYTES(1 << 20);
	struct seal_err err = { 0 };

	cr_assert_eq(seal_tree_write(tree, &out, &err), 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&out), text);
}

struct seal_json *
json_of(const char *text)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_json_parse(&json, text, strlen(text), 1 << 20, &err), 0, "%s", err.text);
	return json;
}
