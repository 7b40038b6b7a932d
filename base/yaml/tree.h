/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_YAML_TREE_H
#define SEAL_BASE_YAML_TREE_H

/*
 * A stream of YAML documents, one after the other, as trees that can be changed and written again with
 * the same values.  Made for manifests of Kubernetes: JSON is YAML, anchors and merge keys are expanded,
 * types are those that Kubernetes' own tools see (YAML 1.1 with the JSON schema on top), but for a lone y or
 * n, which is a string to all other readers and so is one here.
 *
 * Limits: 16 MiB before and after aliases are expanded, depth 64 (the parse stops there), two million
 * nodes a document; duplicate keys, keys that are no scalars, unknown tags, undefined aliases and lone
 * surrogates (and pairs of them, outside of JSON) are refused, with name:line:column.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/json/json.h"

#define SEAL_TREE_MAX_LEN   (16u * 1024 * 1024)
#define SEAL_TREE_MAX_DEPTH 64
#define SEAL_TREE_MAX_NODES 2000000

struct seal_tree_stream; /* reads; borrows the text */
struct seal_tree;        /* one document; owns its nodes, from one arena */
struct seal_tree_node;   /* borrowed from its tree */

/* name is what errors call the text. */
SEAL_CHECKED int seal_tree_stream_new(struct seal_tree_stream **ret_stream, const char *name,
				      const char *text, size_t text_len, struct seal_err *err);
void seal_tree_stream_free(struct seal_tree_stream *stream);
void seal_tree_stream_freep(struct seal_tree_stream **stream);

/*
 * The next document, or *ret_tree NULL at the end.  A document without content (comments only) is a tree
 * without a root.  The bytes of all documents in order, separators and comments with the document they
 * stand before or in, are the whole text: what is not changed can be copied.
 */
SEAL_CHECKED int seal_tree_next(struct seal_tree_stream *stream, struct seal_tree **ret_tree,
				struct seal_err *err);
void seal_tree_free(struct seal_tree *tree);
void seal_tree_freep(struct seal_tree **tree);
/* The document's bytes in the text, its separator line ("---") included; borrowed from the text. */
const char *seal_tree_source(const struct seal_tree *tree, size_t *ret_len);
/* True when it is written as JSON (the root is in flow style and every key is quoted). */
bool seal_tree_is_json(const struct seal_tree *tree);
struct seal_tree_node *seal_tree_root(struct seal_tree *tree);

enum seal_tree_kind {
	SEAL_TREE_MAP,
	SEAL_TREE_LIST,
	SEAL_TREE_STRING,
	SEAL_TREE_NUMBER, /* too large ones, .inf and .nan among them; these cannot become JSON */
	SEAL_TREE_BOOL,
	SEAL_TREE_NULL,
	SEAL_TREE_BINARY, /* !!binary */
	SEAL_TREE_TIME,   /* an unquoted timestamp: a string to Kubernetes, but say so */
};
enum seal_tree_kind seal_tree_kind(const struct seal_tree_node *node);
/* "a map", "a number": for sentences. */
const char *seal_tree_kind_name(enum seal_tree_kind kind);

/* Children of a map (its values) and of a list, in order. */
size_t seal_tree_count(const struct seal_tree_node *node);
struct seal_tree_node *seal_tree_first(const struct seal_tree_node *node);
struct seal_tree_node *seal_tree_next_of(const struct seal_tree_node *child); /* NULL at the end */
/* Of a map's value; without a NUL inside. */
const char *seal_tree_key(const struct seal_tree_node *child);
/*
 * What the key was: SEAL_TREE_STRING, or SEAL_TREE_NUMBER or SEAL_TREE_BOOL for one without quotes that all
 * readers turn into the same string (404, true); it is written with quotes.  Keys that become different
 * strings (yes, 0x1f, ~) are refused.
 */
enum seal_tree_kind seal_tree_key_kind(const struct seal_tree_node *child);
struct seal_tree_node *seal_tree_get(const struct seal_tree_node *map, const char *key);
/* A scalar's text; NUL-terminated, and may hold NULs only when its length says so. */
const char *seal_tree_text(const struct seal_tree_node *node, size_t *ret_len);

/* "name:line:column: $.spec.containers[0].env[2].value: sentence": where a node was written, and its path. */
#define seal_tree_fail(tree, node, err, code, ...)                                                 \
	seal_negative(seal_tree_err((tree), (node), (err), (code), __VA_ARGS__))
int seal_tree_err(const struct seal_tree *tree, const struct seal_tree_node *node,
		  struct seal_err *err, enum seal_code code, const char *fmt, ...)
	SEAL_PRINTF(5, 6);
/* The same place as text ("name:line:column: $.path"), for notes. */
void seal_tree_where(const struct seal_tree *tree, const struct seal_tree_node *node, char *out,
		     size_t size);
/* "name:line:column" alone, which costs the same however long the list is that it stands in. */
void seal_tree_place(const struct seal_tree *tree, const struct seal_tree_node *node, char *out,
		     size_t size);

/* ---- Changing.  New nodes belong to the tree; failure sticks and comes out of seal_tree_write. ---- */

void seal_tree_set_str(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
		       const char *text);
/* Replace a scalar, list or map by a string, in place. */
void seal_tree_make_str(struct seal_tree *tree, struct seal_tree_node *node, const char *text,
			size_t len);
/* Set (replace or append) a member, or append or prepend to a list, a copy of a JSON value. */
void seal_tree_set_json(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
			const struct seal_json *value);
struct seal_tree_node *seal_tree_add_json(struct seal_tree *tree, struct seal_tree_node *list,
					  const struct seal_json *value);
struct seal_tree_node *seal_tree_push_json(struct seal_tree *tree, struct seal_tree_node *list,
					   const struct seal_json *value);
/* The member key, made an empty list or map when it is absent or null. */
struct seal_tree_node *seal_tree_need_list(struct seal_tree *tree, struct seal_tree_node *map,
					   const char *key);
struct seal_tree_node *seal_tree_need_map(struct seal_tree *tree, struct seal_tree_node *map,
					  const char *key);
void seal_tree_remove(struct seal_tree_node *map, const char *key);
/* Take a node out of its parent. */
void seal_tree_drop(struct seal_tree_node *node);

/* A node as JSON, members in order; SEAL_E_LIMIT beyond the depth of base/json.  NULL members stay. */
SEAL_CHECKED int seal_tree_to_json(const struct seal_tree *tree, const struct seal_tree_node *node,
				   struct seal_json **ret_json, struct seal_err *err);
/* The same set as a member or appended to an array, so that any kind of value can be carried. */
void seal_tree_set_in_json(const struct seal_tree_node *node, struct seal_json *object,
			   const char *name);

/*
 * Append the document as text: "---" when the source had it, then block style (or indented JSON when
 * seal_tree_is_json), two spaces, members in order, comments gone; strings that were plain stay plain,
 * all others are quoted so that every parser reads the same value.
 */
SEAL_CHECKED int seal_tree_write(const struct seal_tree *tree, struct seal_bytes *out,
				 struct seal_err *err);

#endif
