/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_YAML_TREE_INTERNAL_H
#define SEAL_BASE_YAML_TREE_INTERNAL_H

#include "base/yaml/tree.h"

/* How a scalar or a key was spelled, which decides how it is spelled again. */
enum tree_style {
	TREE_QUOTED, /* quoted, or a block of lines: quoted again */
	TREE_PLAIN,  /* plain: plain again, wherever the text allows */
	TREE_FRESH,  /* ours: plain when every reader takes it for a string */
};

/*
 * Two million of these must fit in memory beside their text: 48 bytes.  Children form a ring, whose end
 * the parent knows.  Texts are never changed in place, so that copies of a node may share them.
 */
struct seal_tree_node {
	struct seal_tree_node *parent;
	struct seal_tree_node *next; /* the ring of siblings; NULL outside of one */
	const char *key;             /* of a map's value */
	union {
		const char *text;            /* of a scalar */
		struct seal_tree_node *last; /* of a list or map; NULL when empty */
	};
	uint32_t len; /* bytes of text, or number of children */
	uint32_t line;
	uint32_t column;
	unsigned kind : 4;      /* enum seal_tree_kind */
	unsigned style : 2;     /* enum tree_style */
	unsigned key_style : 2; /* the same of the key */
	unsigned key_kind : 4; /* enum seal_tree_kind: what the key was before it became a string */
	unsigned is_in_front : 1; /* of the merge in the same map */
};

struct tree_chunk;

struct seal_tree {
	struct tree_chunk *chunks; /* newest first */
	const char *name;
	const char *source;
	size_t source_len;
	struct seal_tree_node *root;
	size_t node_count;
	size_t text_len; /* of all scalars and keys, what aliases stand for counted each time */
	int failed;      /* 0, or the code of the first change that failed */
	bool has_start;  /* "---" */
	bool has_end;    /* "..." */
	bool is_json;
};

/* The key under which a merge waits for its map to be complete; compared as a pointer. */
extern const char tree_merge_key[];

/* ---- Memory (tree_memory.c); NULL when there is none. ---- */

struct seal_tree *tree_new(const char *name);
struct seal_tree_node *tree_new_node(struct seal_tree *tree, enum seal_tree_kind kind);
/* A copy with a NUL behind. */
const char *tree_new_text(struct seal_tree *tree, const char *text, size_t len);
/* Any small thing that lives as long as the tree, aligned for pointers. */
void *tree_new_room(struct seal_tree *tree, size_t size);

/* ---- Shape (tree.c) ---- */

bool tree_is_parent(const struct seal_tree_node *node);
void tree_append(struct seal_tree_node *parent, struct seal_tree_node *child);

/* ---- What a plain text means (tree_scalar.c) ---- */

enum tree_type {
	TREE_T_STR,
	TREE_T_INT,
	TREE_T_FLOAT,
	TREE_T_BOOL,
	TREE_T_NULL,
	TREE_T_TIME,
};

enum tree_type tree_resolve(const char *text, size_t len);
enum seal_tree_kind tree_kind_of(enum tree_type type);
/* Is a number or word spelled as JSON spells it? */
bool tree_is_json_literal(const char *text, size_t len);
/* Is the number spelled the one way in which it would be printed? */
bool tree_is_canonical_number(const char *text, size_t len);
/* Of a node that is a BOOL. */
bool tree_truth(const struct seal_tree_node *node);

struct tree_number {
	bool is_int;
	int64_t integer;
	double real;
};

/* False when it fits neither a signed 64-bit integer nor a finite double. */
bool tree_number_of(const struct seal_tree_node *node, struct tree_number *ret_number);

/* ---- Maps (tree_map.c) ---- */

/* All keys were added: refuse twins and put in the merge's place what it stands for. */
SEAL_CHECKED int tree_finish_map(struct seal_tree *tree, struct seal_tree_node *map,
				 struct seal_err *err);

/* ---- Text (tree_text.c) ---- */

/* One code point of UTF-8 and its length; 0 when the bytes at text are not valid. */
size_t tree_decode(const char *text, size_t len, uint32_t *ret_point);
bool tree_is_utf8(const char *text, size_t len);
/* Must the code point be escaped between double quotes? */
bool tree_needs_escape(uint32_t point);
/* The length between quotes, quotes included, in characters. */
size_t tree_quoted_len(const char *text, size_t len);
/* May the text, which was plain somewhere, be plain in block style? */
bool tree_is_plain_safe(const char *text, size_t len);
/* Do all schemas agree that this is a string when it is plain? */
bool tree_is_plainly_string(const char *text, size_t len);
/* RFC 4648 section 4 with padding; line breaks are skipped.  Returns false for anything else. */
bool tree_base64_decode(const char *text, size_t len, char *out, size_t *ret_len);

/* Longest key that may stand before its colon: readers look 1024 characters back. */
#define TREE_SIMPLE_KEY_MAX 1000

#endif
