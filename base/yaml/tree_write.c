/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as text: block style, or JSON where it was JSON.  Readers of YAML 1.1 and 1.2 must see the value
 * that we see, so what is quoted here uses only the escapes they share with JSON, no line is folded, and a
 * text is plain only where it was or where nobody can mistake it.
 */
#include <assert.h>
#include <string.h>

#include "base/yaml/tree_internal.h"

#define BUFFER_SIZE 4096
#define DEPTH_MAX   (SEAL_TREE_MAX_DEPTH + SEAL_JSON_MAX_DEPTH + 4) /* with what was put in */
#define STEP        2

struct writer {
	const struct seal_tree *tree;
	struct seal_bytes *out;
	struct seal_err *err;
	int failed;
	size_t len;
	char buffer[BUFFER_SIZE];
};

static void
flush(struct writer *w)
{
	if (w->failed == 0)
		w->failed = seal_bytes_append(w->out, w->buffer, w->len, w->err);
	w->len = 0;
}

static void
put(struct writer *w, const char *text, size_t len)
{
	while (len > 0 && w->failed == 0) {
		size_t part = BUFFER_SIZE - w->len < len ? BUFFER_SIZE - w->len : len;

		memcpy(w->buffer + w->len, text, part);
		w->len += part;
		text += part;
		len -= part;
		if (w->len == BUFFER_SIZE)
			flush(w);
	}
}

static void
put_str(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void
put_indent(struct writer *w, size_t indent)
{
	static const char blanks[] = "                                ";

	while (indent > 0) {
		size_t part = indent < sizeof(blanks) - 1 ? indent : sizeof(blanks) - 1;

		put(w, blanks, part);
		indent -= part;
	}
}

/* ---- Scalars ---- */

static void
put_escape(struct writer *w, uint32_t point)
{
	static const char digits[] = "0123456789abcdef";
	static const char *const shorts[] = {
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",  ['\f'] = "\\f",
		['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\",
	};
	char escape[] = "\\u0000";

	if (point < SEAL_COUNT(shorts) && shorts[point] != NULL) {
		put_str(w, shorts[point]);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		escape[5 - i] = digits[point >> (4 * i) & 0xf];
	put_str(w, escape);
}

/* What is safe is put in runs. */
static void
put_quoted(struct writer *w, const struct seal_tree_node *node, const char *text, size_t len)
{
	size_t from = 0, size;
	uint32_t point = 0;

	put_str(w, "\"");
	for (size_t at = 0; at < len && w->failed == 0; at += size) {
		size = tree_decode(text + at, len - at, &point);
		if (size == 0) {
			w->failed = seal_tree_fail(w->tree, node, w->err, SEAL_E_FORMAT,
						   "bytes that are no UTF-8");
			return;
		}
		if (!tree_needs_escape(point))
			continue;
		put(w, text + from, at - from);
		put_escape(w, point);
		from = at + size;
	}
	put(w, text + from, len - from);
	put_str(w, "\"");
}

static void
put_binary(struct writer *w, const struct seal_tree_node *node)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *bytes = (const unsigned char *)node->text;

	put_str(w, "!!binary \"");
	for (size_t at = 0; at < node->len; at += 3) {
		size_t left = node->len - at;
		uint32_t bits = (uint32_t)bytes[at] << 16 |
				(left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
				(left > 2 ? bytes[at + 2] : 0);
		char four[] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
				left > 1 ? alphabet[bits >> 6 & 63] : '=',
				left > 2 ? alphabet[bits & 63] : '=' };

		put(w, four, sizeof(four));
	}
	put_str(w, "\"");
}

static bool
is_plain(enum tree_style style, const char *text, size_t len)
{
	switch (style) {
	case TREE_PLAIN:
		return tree_is_plain_safe(text, len);
	case TREE_FRESH:
		return tree_is_plainly_string(text, len);
	case TREE_QUOTED:
		break;
	}
	return false;
}

static void
put_scalar(struct writer *w, const struct seal_tree_node *node, bool is_json)
{
	switch ((enum seal_tree_kind)node->kind) {
	case SEAL_TREE_NULL:
		put_str(w, is_json || node->len == 0 ? "null" : node->text);
		return;
	case SEAL_TREE_BOOL:
	case SEAL_TREE_NUMBER:
		put(w, node->text, node->len);
		return;
	case SEAL_TREE_BINARY:
		put_binary(w, node);
		return;
	default:
		break;
	}
	if (!is_json && is_plain((enum tree_style)node->style, node->text, node->len))
		put(w, node->text, node->len);
	else
		put_quoted(w, node, node->text, node->len);
}

/* ---- Block style ---- */

static void put_block(struct writer *w, const struct seal_tree_node *node, size_t indent,
		      size_t depth);

/* A key and its colon; one too long to be found as a key is announced with a question mark. */
static void
put_key(struct writer *w, const struct seal_tree_node *node, size_t indent)
{
	size_t len = strlen(node->key);
	bool is_long = len > TREE_SIMPLE_KEY_MAX / 6 &&
		       tree_quoted_len(node->key, len) > TREE_SIMPLE_KEY_MAX;

	if (is_long)
		put_str(w, "? ");
	if (is_plain((enum tree_style)node->key_style, node->key, len))
		put(w, node->key, len);
	else
		put_quoted(w, node, node->key, len);
	if (is_long) {
		put_str(w, "\n");
		put_indent(w, indent);
	}
	put_str(w, ":");
}

/* What stands behind "key:" or "-" on the same line, to the line's end. */
static bool
put_inline(struct writer *w, const struct seal_tree_node *node)
{
	if (tree_is_parent(node) && node->len > 0)
		return false;
	put_str(w, " ");
	if (tree_is_parent(node))
		put_str(w, node->kind == SEAL_TREE_MAP ? "{}" : "[]");
	else
		put_scalar(w, node, false);
	put_str(w, "\n");
	return true;
}

/* The first line is already indented, for the map may stand behind a dash. */
static void
put_block_map(struct writer *w, const struct seal_tree_node *map, size_t indent, size_t depth)
{
	const struct seal_tree_node *first = seal_tree_first(map);

	for (const struct seal_tree_node *at = first; at != NULL && w->failed == 0;
	     at = seal_tree_next_of(at)) {
		size_t inner = indent + (at->kind == SEAL_TREE_MAP ? STEP : 0);

		if (at != first)
			put_indent(w, indent);
		put_key(w, at, indent);
		if (put_inline(w, at))
			continue;
		put_str(w, "\n");
		put_indent(w, inner);
		put_block(w, at, inner, depth + 1);
	}
}

static void
put_block_list(struct writer *w, const struct seal_tree_node *list, size_t indent, size_t depth)
{
	const struct seal_tree_node *first = seal_tree_first(list);

	for (const struct seal_tree_node *at = first; at != NULL && w->failed == 0;
	     at = seal_tree_next_of(at)) {
		if (at != first)
			put_indent(w, indent);
		put_str(w, "-");
		if (put_inline(w, at))
			continue;
		put_str(w, " ");
		put_block(w, at, indent + STEP, depth + 1);
	}
}

static bool
is_too_deep(struct writer *w, const struct seal_tree_node *node, size_t depth)
{
	if (depth < DEPTH_MAX)
		return false;
	w->failed = seal_tree_fail(w->tree, node, w->err, SEAL_E_LIMIT, "deeper than %d levels",
				   DEPTH_MAX);
	return true;
}

/* A list or map that has children. */
static void
put_block(struct writer *w, const struct seal_tree_node *node, size_t indent, size_t depth)
{
	if (is_too_deep(w, node, depth))
		return;
	if (node->kind == SEAL_TREE_MAP)
		put_block_map(w, node, indent, depth);
	else
		put_block_list(w, node, indent, depth);
}

/* ---- JSON ---- */

static void
put_json(struct writer *w, const struct seal_tree_node *node, size_t indent, size_t depth)
{
	bool is_map = node->kind == SEAL_TREE_MAP;

	if (!tree_is_parent(node)) {
		put_scalar(w, node, true);
		return;
	}
	if (is_too_deep(w, node, depth))
		return;
	put_str(w, is_map ? "{" : "[");
	for (const struct seal_tree_node *at = seal_tree_first(node); at != NULL && w->failed == 0;
	     at = seal_tree_next_of(at)) {
		put_str(w, "\n");
		put_indent(w, indent + STEP);
		if (is_map) {
			put_quoted(w, at, at->key, strlen(at->key));
			put_str(w, ": ");
		}
		put_json(w, at, indent + STEP, depth + 1);
		put_str(w, seal_tree_next_of(at) == NULL ? "" : ",");
	}
	if (node->len > 0) {
		put_str(w, "\n");
		put_indent(w, indent);
	}
	put_str(w, is_map ? "}" : "]");
}

/* ---- Documents ---- */

static void
put_root(struct writer *w)
{
	const struct seal_tree_node *root = w->tree->root;

	if (root == NULL)
		return;
	if (w->tree->is_json) {
		put_json(w, root, 0, 0);
		put_str(w, "\n");
	} else if (!tree_is_parent(root)) {
		put_scalar(w, root, false);
		put_str(w, "\n");
	} else if (root->len == 0) {
		put_str(w, root->kind == SEAL_TREE_MAP ? "{}\n" : "[]\n");
	} else {
		put_block(w, root, 0, 0);
	}
}

int
seal_tree_write(const struct seal_tree *tree, struct seal_bytes *out, struct seal_err *err)
{
	struct writer w = { .tree = tree, .out = out, .err = err };
	size_t start = out->len;

	if (tree->failed == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (tree->failed < 0)
		return seal_fail(err, tree->failed, "%.128s: a change was not possible",
				 tree->name);
	/* An end alone is no document. */
	if (tree->has_start || (tree->has_end && tree->root == NULL))
		put_str(&w, "---\n");
	put_root(&w);
	if (tree->has_end)
		put_str(&w, "...\n");
	flush(&w);
	explicit_bzero(w.buffer, sizeof(w.buffer));
	if (w.failed < 0 && out->len > start) {
		explicit_bzero(out->data + start, out->len - start);
		out->len = start;
	}
	return w.failed;
}
