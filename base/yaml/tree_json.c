/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A value of a document as JSON, with the types that Kubernetes sees; what JSON's readers would not take is
 * refused with its place.
 */
#include <string.h>

#include "base/yaml/tree_internal.h"

#define TOO_DEEP "deeper than the %d levels of JSON"

static int
check_scalar(const struct seal_tree *tree, const struct seal_tree_node *node, struct seal_err *err)
{
	struct tree_number number;

	if (node->kind == SEAL_TREE_NUMBER && !tree_number_of(node, &number))
		return seal_tree_fail(tree, node, err, SEAL_E_LIMIT,
				      "a number beyond those of JSON's readers");
	if (memchr(node->text, '\0', node->len) != NULL)
		return seal_tree_fail(tree, node, err, SEAL_E_FORMAT, "a NUL inside");
	if (!tree_is_utf8(node->text, node->len))
		return seal_tree_fail(tree, node, err, SEAL_E_FORMAT, "bytes that are no UTF-8");
	return 0;
}

/* Can all of it be carried?  The builder beneath could not say where it failed. */
static int
check_carried(const struct seal_tree *tree, const struct seal_tree_node *node, unsigned depth,
	      struct seal_err *err)
{
	int r = 0;

	if (!tree_is_parent(node))
		return check_scalar(tree, node, err);
	if (depth >= SEAL_JSON_MAX_DEPTH)
		return seal_tree_fail(tree, node, err, SEAL_E_LIMIT, TOO_DEEP, SEAL_JSON_MAX_DEPTH);
	for (struct seal_tree_node *at = seal_tree_first(node); at != NULL && r == 0;
	     at = seal_tree_next_of(at))
		r = check_carried(tree, at, depth + 1, err);
	return r;
}

static void
carry_number(const struct seal_tree_node *node, struct seal_json *json, const char *name)
{
	struct tree_number number;

	if (!tree_number_of(node, &number))
		seal_json_set_failed(json);
	else if (number.is_int)
		seal_json_set_i64(json, name, number.integer);
	else
		seal_json_set_real(json, name, number.real);
}

static void
carry(const struct seal_tree_node *node, struct seal_json *json, const char *name)
{
	struct seal_json *child;

	switch ((enum seal_tree_kind)node->kind) {
	case SEAL_TREE_MAP:
	case SEAL_TREE_LIST:
		child = node->kind == SEAL_TREE_MAP ? seal_json_set_object(json, name)
						    : seal_json_set_array(json, name);
		for (struct seal_tree_node *at = seal_tree_first(node); at != NULL;
		     at = seal_tree_next_of(at))
			carry(at, child, at->key);
		return;
	case SEAL_TREE_NUMBER:
		carry_number(node, json, name);
		return;
	case SEAL_TREE_BOOL:
		seal_json_set_bool(json, name, tree_truth(node));
		return;
	case SEAL_TREE_NULL:
		seal_json_set_null(json, name);
		return;
	case SEAL_TREE_STRING:
	case SEAL_TREE_BINARY:
	case SEAL_TREE_TIME:
		seal_json_set_str(json, name, node->text);
	}
}

void
seal_tree_set_in_json(const struct seal_tree_node *node, struct seal_json *object, const char *name)
{
	struct seal_tree nameless = { .name = "" };

	if (node == NULL || check_carried(&nameless, node, 1, NULL) < 0)
		seal_json_set_failed(object);
	else
		carry(node, object, name);
}

int
seal_tree_to_json(const struct seal_tree *tree, const struct seal_tree_node *node,
		  struct seal_json **ret_json, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *around = NULL;
	struct seal_json *json;
	int r;

	if (node == NULL)
		return seal_fail(err, SEAL_E_MISSING, "%.128s: no value", tree->name);
	r = check_carried(tree, node, 0, err);
	if (r < 0)
		return r;
	around = seal_json_new();
	carry(node, around, "value");
	json = seal_json_take(around, "value");
	if (seal_json_has_failed(json)) {
		seal_json_free(json);
		return seal_fail_memory(err);
	}
	*ret_json = json;
	return 0;
}
