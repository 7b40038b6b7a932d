/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document says, for those who walk it, and where: whoever finds fault with a value names its line
 * and its path.  How the tree came about is not known here.
 */
#include "base/yaml/tree_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 256 /* of an error's 512; what is longer loses its beginning */

const char *
seal_tree_source(const struct seal_tree *tree, size_t *ret_len)
{
	*ret_len = tree->source_len;
	return tree->source;
}

bool
seal_tree_is_json(const struct seal_tree *tree)
{
	return tree->is_json;
}

struct seal_tree_node *
seal_tree_root(struct seal_tree *tree)
{
	return tree->root;
}

enum seal_tree_kind
seal_tree_kind(const struct seal_tree_node *node)
{
	return node == NULL ? SEAL_TREE_NULL : (enum seal_tree_kind)node->kind;
}

const char *
seal_tree_kind_name(enum seal_tree_kind kind)
{
	static const char *const names[] = {
		[SEAL_TREE_MAP] = "a map",       [SEAL_TREE_LIST] = "a list",
		[SEAL_TREE_STRING] = "a string", [SEAL_TREE_NUMBER] = "a number",
		[SEAL_TREE_BOOL] = "a boolean",  [SEAL_TREE_NULL] = "null",
		[SEAL_TREE_BINARY] = "!!binary", [SEAL_TREE_TIME] = "a timestamp",
	};

	return (size_t)kind < SEAL_COUNT(names) ? names[kind] : "unknown";
}

bool
tree_is_parent(const struct seal_tree_node *node)
{
	return node != NULL && (node->kind == SEAL_TREE_MAP || node->kind == SEAL_TREE_LIST);
}

size_t
seal_tree_count(const struct seal_tree_node *node)
{
	return tree_is_parent(node) ? node->len : 0;
}

struct seal_tree_node *
seal_tree_first(const struct seal_tree_node *node)
{
	return tree_is_parent(node) && node->last != NULL ? node->last->next : NULL;
}

struct seal_tree_node *
seal_tree_next_of(const struct seal_tree_node *child)
{
	if (child->parent == NULL || child->parent->last == child)
		return NULL;
	return child->next;
}

const char *
seal_tree_key(const struct seal_tree_node *child)
{
	return child->key;
}

enum seal_tree_kind
seal_tree_key_kind(const struct seal_tree_node *child)
{
	return (enum seal_tree_kind)child->key_kind;
}

struct seal_tree_node *
seal_tree_get(const struct seal_tree_node *map, const char *key)
{
	if (seal_tree_kind(map) != SEAL_TREE_MAP)
		return NULL;
	for (struct seal_tree_node *child = seal_tree_first(map); child != NULL;
	     child = seal_tree_next_of(child)) {
		if (strcmp(child->key, key) == 0)
			return child;
	}
	return NULL;
}

const char *
seal_tree_text(const struct seal_tree_node *node, size_t *ret_len)
{
	bool has_text = node != NULL && !tree_is_parent(node);

	if (ret_len != NULL)
		*ret_len = has_text ? node->len : 0;
	return has_text ? node->text : NULL;
}

void
tree_append(struct seal_tree_node *parent, struct seal_tree_node *child)
{
	child->parent = parent;
	child->next = parent->last == NULL ? child : parent->last->next;
	if (parent->last != NULL)
		parent->last->next = child;
	parent->last = child;
	parent->len++;
}

/* The sibling in front, which is the last one for the first. */
static struct seal_tree_node *
sibling_before(const struct seal_tree_node *child)
{
	struct seal_tree_node *at = child->next;

	while (at->next != child)
		at = at->next;
	return at;
}

void
seal_tree_drop(struct seal_tree_node *node)
{
	struct seal_tree_node *parent = node == NULL ? NULL : node->parent;
	struct seal_tree_node *front;

	if (parent == NULL)
		return;
	front = sibling_before(node);
	front->next = node->next;
	if (parent->last == node)
		parent->last = front == node ? NULL : front;
	parent->len--;
	node->parent = NULL;
	node->next = NULL;
}

/* A piece of a path, written in front of what is there; what finds no room is left out. */
static size_t
put_in_front(char *path, size_t at, const char *piece)
{
	size_t len = strlen(piece);

	if (len > at)
		return 0;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the end is there already */
	memcpy(path + at - len, piece, len);
	return at - len;
}

static bool
is_word(const char *key)
{
	size_t len =
		strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return len > 0 && key[len] == '\0';
}

static void
name_step(const struct seal_tree_node *node, char *out, size_t size)
{
	size_t index = 0;

	if (node->parent->kind == SEAL_TREE_LIST) {
		for (struct seal_tree_node *at = seal_tree_first(node->parent);
		     at != NULL && at != node; at = at->next)
			index++;
		(void)snprintf(out, size, "[%zu]", index);
	} else if (is_word(node->key)) {
		(void)snprintf(out, size, ".%.100s", node->key);
	} else {
		(void)snprintf(out, size, "[\"%.100s\"]", node->key);
	}
}

/* "$.spec.containers[0]", from the leaf up: a path that is too long keeps its end. */
static const char *
find_path(const struct seal_tree_node *node, char path[static PATH_SIZE])
{
	size_t at = PATH_SIZE - 1;
	char step[128];

	path[at] = '\0';
	for (; node->parent != NULL && at > sizeof(step); node = node->parent) {
		name_step(node, step, sizeof(step));
		at = put_in_front(path, at, step);
	}
	at = put_in_front(path, at, node->parent == NULL ? "$" : "...");
	return path + at;
}

void
seal_tree_where(const struct seal_tree *tree, const struct seal_tree_node *node, char *out,
		size_t size)
{
	char path[PATH_SIZE];

	if (node == NULL)
		(void)snprintf(out, size, "%.128s", tree->name);
	else if (node->line == 0) /* not from the text */
		(void)snprintf(out, size, "%.128s: %s", tree->name, find_path(node, path));
	else
		(void)snprintf(out, size, "%.128s:%u:%u: %s", tree->name, node->line, node->column,
			       find_path(node, path));
}

void
seal_tree_place(const struct seal_tree *tree, const struct seal_tree_node *node, char *out,
		size_t size)
{
	if (node == NULL || node->line == 0)
		(void)snprintf(out, size, "%.128s", tree->name);
	else
		(void)snprintf(out, size, "%.128s:%u:%u", tree->name, node->line, node->column);
}

int
seal_tree_err(const struct seal_tree *tree, const struct seal_tree_node *node, struct seal_err *err,
	      enum seal_code code, const char *fmt, ...)
{
	char what[SEAL_ERR_TEXT_LEN], where[SEAL_ERR_TEXT_LEN];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(what, sizeof(what), fmt, args) < 0)
		what[0] = '\0';
	va_end(args);
	seal_tree_where(tree, node, where, sizeof(where));
	return seal_fail(err, code, "%s: %s", where, what);
}
