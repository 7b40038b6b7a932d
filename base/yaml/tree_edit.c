/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing a document.  A change that fails leaves its code on the tree, and writing the tree then fails, so
 * that a chain of changes is judged once.
 */
#include <stdio.h>
#include <string.h>

#include "base/yaml/tree_internal.h"

static void
stick(struct seal_tree *tree, int code)
{
	if (tree->failed == 0)
		tree->failed = code;
}

/* A node of ours, which no line of the text stands for. */
static struct seal_tree_node *
new_node(struct seal_tree *tree, enum seal_tree_kind kind)
{
	struct seal_tree_node *node = tree_new_node(tree, kind);

	if (node == NULL)
		stick(tree, SEAL_E_MEMORY);
	else
		node->style = TREE_FRESH;
	return node;
}

static void
set_text(struct seal_tree *tree, struct seal_tree_node *node, enum seal_tree_kind kind,
	 const char *text, size_t len)
{
	const char *copy = tree_new_text(tree, text, len);

	if (copy == NULL) {
		stick(tree, SEAL_E_MEMORY);
		return;
	}
	node->kind = kind;
	node->style = kind == SEAL_TREE_STRING ? TREE_FRESH : TREE_PLAIN;
	node->text = copy;
	node->len = (uint32_t)len;
}

/* In place, so that whoever holds the node holds the new value. */
static void
replace(struct seal_tree_node *node, const struct seal_tree_node *by)
{
	node->kind = by->kind;
	node->style = by->style;
	node->text = by->text;
	node->len = by->len;
	if (!tree_is_parent(node))
		return;
	node->last = by->last;
	for (struct seal_tree_node *child = seal_tree_first(by); child != NULL;
	     child = child->next) {
		child->parent = node;
		if (child == by->last)
			break;
	}
}

static bool
is_usable(struct seal_tree *tree, const struct seal_tree_node *node, enum seal_tree_kind kind)
{
	if (node != NULL && node->kind == kind)
		return true;
	stick(tree, node == NULL ? SEAL_E_MISSING : SEAL_E_FORMAT);
	return false;
}

static void
append_member(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
	      struct seal_tree_node *node)
{
	node->key = tree_new_text(tree, key, strlen(key));
	node->key_style = TREE_FRESH;
	node->key_kind = SEAL_TREE_STRING;
	if (node->key == NULL)
		stick(tree, SEAL_E_MEMORY);
	else
		tree_append(map, node);
}

void
seal_tree_make_str(struct seal_tree *tree, struct seal_tree_node *node, const char *text,
		   size_t len)
{
	if (node == NULL)
		stick(tree, SEAL_E_MISSING);
	else
		set_text(tree, node, SEAL_TREE_STRING, text, len);
}

/* A member to be overwritten: there, or new and null. */
static struct seal_tree_node *
need_member(struct seal_tree *tree, struct seal_tree_node *map, const char *key)
{
	struct seal_tree_node *node = NULL;

	if (!is_usable(tree, map, SEAL_TREE_MAP))
		return NULL;
	node = seal_tree_get(map, key);
	if (node != NULL)
		return node;
	node = new_node(tree, SEAL_TREE_NULL);
	if (node == NULL)
		return NULL;
	set_text(tree, node, SEAL_TREE_NULL, "null", 4);
	append_member(tree, map, key, node);
	return node->parent == NULL ? NULL : node;
}

void
seal_tree_set_str(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
		  const char *text)
{
	struct seal_tree_node *node = need_member(tree, map, key);

	if (node != NULL)
		set_text(tree, node, SEAL_TREE_STRING, text, strlen(text));
}

static struct seal_tree_node *
need_parent(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
	    enum seal_tree_kind kind)
{
	struct seal_tree_node *node = need_member(tree, map, key);

	if (node == NULL)
		return NULL;
	if (node->kind == SEAL_TREE_NULL)
		replace(node, &(struct seal_tree_node){ .kind = kind });
	return is_usable(tree, node, kind) ? node : NULL;
}

struct seal_tree_node *
seal_tree_need_list(struct seal_tree *tree, struct seal_tree_node *map, const char *key)
{
	return need_parent(tree, map, key, SEAL_TREE_LIST);
}

struct seal_tree_node *
seal_tree_need_map(struct seal_tree *tree, struct seal_tree_node *map, const char *key)
{
	return need_parent(tree, map, key, SEAL_TREE_MAP);
}

void
seal_tree_remove(struct seal_tree_node *map, const char *key)
{
	seal_tree_drop(seal_tree_get(map, key));
}

/* ---- From JSON ---- */

static struct seal_tree_node *from_json(struct seal_tree *tree, const struct seal_json *value);

/* Readers of YAML 1.1 want a dot in what has an exponent, and a sign behind the e. */
static void
set_number(struct seal_tree *tree, struct seal_tree_node *node, const struct seal_json *value)
{
	char number[SEAL_JSON_NUMBER_SIZE], text[SEAL_JSON_NUMBER_SIZE + 4];
	int r = seal_json_number(value, number, sizeof(number), NULL);
	const char *e = r < 0 ? NULL : strchr(number, 'e');

	if (r < 0) {
		stick(tree, r);
		return;
	}
	if (e == NULL)
		(void)snprintf(text, sizeof(text), "%s", number);
	else
		(void)snprintf(text, sizeof(text), "%.*s%s%s%s", (int)(e - number), number,
			       memchr(number, '.', (size_t)(e - number)) == NULL ? ".0e" : "e",
			       e[1] == '-' || e[1] == '+' ? "" : "+", e + 1);
	set_text(tree, node, SEAL_TREE_NUMBER, text, strlen(text));
}

static void
add_members(struct seal_tree *tree, struct seal_tree_node *map, const struct seal_json *object)
{
	for (const char *name = seal_json_next(object, NULL); name != NULL;
	     name = seal_json_next(object, name)) {
		struct seal_tree_node *node = from_json(tree, seal_json_member(object, name));

		if (node != NULL)
			append_member(tree, map, name, node);
	}
}

static void
add_elements(struct seal_tree *tree, struct seal_tree_node *list, const struct seal_json *array)
{
	for (size_t i = 0; i < seal_json_count(array); i++) {
		struct seal_tree_node *node = from_json(tree, seal_json_at(array, i));

		if (node != NULL)
			tree_append(list, node);
	}
}

static void
fill_from_json(struct seal_tree *tree, struct seal_tree_node *node, const struct seal_json *value)
{
	const char *text;

	switch (seal_json_kind(value)) {
	case SEAL_JSON_OBJECT:
		replace(node, &(struct seal_tree_node){ .kind = SEAL_TREE_MAP });
		add_members(tree, node, value);
		return;
	case SEAL_JSON_ARRAY:
		replace(node, &(struct seal_tree_node){ .kind = SEAL_TREE_LIST });
		add_elements(tree, node, value);
		return;
	case SEAL_JSON_STRING:
		text = seal_json_str(value);
		set_text(tree, node, SEAL_TREE_STRING, text, strlen(text));
		return;
	case SEAL_JSON_NUMBER:
		set_number(tree, node, value);
		return;
	case SEAL_JSON_BOOL:
		text = seal_json_bool(value) ? "true" : "false";
		set_text(tree, node, SEAL_TREE_BOOL, text, strlen(text));
		return;
	case SEAL_JSON_NULL:
		set_text(tree, node, SEAL_TREE_NULL, "null", 4);
	}
}

/* As deep as base/json lets a value be. */
static struct seal_tree_node *
from_json(struct seal_tree *tree, const struct seal_json *value)
{
	struct seal_tree_node *node = new_node(tree, SEAL_TREE_MAP);

	if (node != NULL)
		fill_from_json(tree, node, value);
	return node;
}

static struct seal_tree_node *
from_caller(struct seal_tree *tree, const struct seal_json *value)
{
	if (value != NULL && !seal_json_has_failed(value))
		return from_json(tree, value);
	stick(tree, value == NULL ? SEAL_E_MISSING : SEAL_E_MEMORY);
	return NULL;
}

void
seal_tree_set_json(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
		   const struct seal_json *value)
{
	struct seal_tree_node *by = from_caller(tree, value);
	struct seal_tree_node *node = by == NULL ? NULL : need_member(tree, map, key);

	if (node != NULL)
		replace(node, by);
}

struct seal_tree_node *
seal_tree_add_json(struct seal_tree *tree, struct seal_tree_node *list,
		   const struct seal_json *value)
{
	struct seal_tree_node *node = NULL;

	if (is_usable(tree, list, SEAL_TREE_LIST))
		node = from_caller(tree, value);
	if (node != NULL)
		tree_append(list, node);
	return node;
}

struct seal_tree_node *
seal_tree_push_json(struct seal_tree *tree, struct seal_tree_node *list,
		    const struct seal_json *value)
{
	struct seal_tree_node *last = seal_tree_kind(list) == SEAL_TREE_LIST ? list->last : NULL;
	struct seal_tree_node *node = seal_tree_add_json(tree, list, value);

	if (node != NULL && last != NULL)
		list->last = last; /* the ring turns by one: what was added last is now the first */
	return node;
}
