/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a document says, for those who ask by name and type.  Whoever finds fault with a value says so with its
 * place; how the tree came about is parse.c's, and the library is not known here.
 */
#include "base/yaml/yaml_internal.h"

#include <stdarg.h>

#include "base/names/names.h"

static void
free_node(struct seal_yaml_node *node)
{
	if (node->text != NULL)
		explicit_bzero(node->text, node->len);
	free(node->text);
	free(node->items);
	free(node);
}

void
seal_yaml_free(struct seal_yaml *yaml)
{
	if (yaml == NULL)
		return;
	while (yaml->newest != NULL) {
		struct seal_yaml_node *node = yaml->newest;

		yaml->newest = node->older;
		free_node(node);
	}
	free(yaml->name);
	free(yaml);
}

void
seal_yaml_freep(struct seal_yaml **yaml)
{
	seal_yaml_free(*yaml);
	*yaml = NULL;
}

const struct seal_yaml_node *
seal_yaml_root(const struct seal_yaml *yaml)
{
	return yaml->root;
}

enum seal_yaml_kind
seal_yaml_kind(const struct seal_yaml_node *node)
{
	return node == NULL ? SEAL_YAML_SCALAR : node->kind;
}

size_t
seal_yaml_count(const struct seal_yaml_node *node)
{
	if (node == NULL)
		return 0;
	return node->kind == SEAL_YAML_MAP ? node->item_count / 2 : node->item_count;
}

const struct seal_yaml_node *
seal_yaml_at(const struct seal_yaml_node *node, size_t index)
{
	if (index >= seal_yaml_count(node))
		return NULL;
	return node->items[node->kind == SEAL_YAML_MAP ? 2 * index + 1 : index];
}

const char *
seal_yaml_key(const struct seal_yaml_node *map, size_t index)
{
	if (seal_yaml_kind(map) != SEAL_YAML_MAP || index >= seal_yaml_count(map))
		return NULL;
	return map->items[2 * index]->text;
}

const struct seal_yaml_node *
seal_yaml_get(const struct seal_yaml_node *map, const char *key)
{
	if (seal_yaml_kind(map) != SEAL_YAML_MAP)
		return NULL;
	for (size_t i = 0; i < seal_yaml_count(map); i++) {
		if (strcmp(seal_yaml_key(map, i), key) == 0)
			return seal_yaml_at(map, i);
	}
	return NULL;
}

int
seal_yaml_str(const struct seal_yaml_node *node, const char **ret_str, struct seal_err *err)
{
	if (node == NULL)
		return seal_fail(err, SEAL_E_MISSING, "a value is missing");
	if (node->kind != SEAL_YAML_SCALAR)
		return seal_yaml_fail(node, err, "a single value is expected, not a %s",
				      node->kind == SEAL_YAML_MAP ? "map" : "list");
	if (memchr(node->text, '\0', node->len) != NULL)
		return seal_yaml_fail(node, err, "a value with a NUL inside");
	*ret_str = node->text;
	return 0;
}

int
seal_yaml_bool(const struct seal_yaml_node *node, bool *ret_value, struct seal_err *err)
{
	const char *str = NULL;
	int r = seal_yaml_str(node, &str, err);

	if (r < 0)
		return r;
	if (!node->is_plain || (strcmp(str, "true") != 0 && strcmp(str, "false") != 0))
		return seal_yaml_fail(node, err, "true or false is expected");
	*ret_value = str[0] == 't';
	return 0;
}

int
seal_yaml_u64(const struct seal_yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret_value,
	      struct seal_err *err)
{
	struct seal_err why = { 0 };
	const char *str = NULL;
	int r = seal_yaml_str(node, &str, err);

	if (r < 0)
		return r;
	if (!node->is_plain)
		return seal_yaml_fail(node, err, "a number without quotes is expected");
	r = seal_number_parse(str, min, max, ret_value, &why);
	if (r < 0)
		(void)seal_yaml_fail(node, err, "%s", why.text); /* r says which it is */
	if (r < 0 && err != NULL)
		err->code = r;
	return r;
}

int
seal_yaml_strv(const struct seal_yaml_node *node, struct seal_strv *ret_list, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };
	bool is_list = seal_yaml_kind(node) == SEAL_YAML_LIST;
	size_t count = is_list ? seal_yaml_count(node) : 1;
	const char *str = NULL;
	int r;

	for (size_t i = 0; i < count; i++) {
		r = seal_yaml_str(is_list ? seal_yaml_at(node, i) : node, &str, err);
		if (r < 0)
			return r;
		r = seal_strv_add(&list, str, err);
		if (r < 0)
			return r;
	}
	seal_strv_release(ret_list);
	*ret_list = list;
	list = (struct seal_strv){ 0 };
	return 0;
}

int
seal_yaml_err(const struct seal_yaml_node *node, struct seal_err *err, const char *fmt, ...)
{
	char what[SEAL_ERR_TEXT_LEN];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return seal_fail(err, SEAL_E_FORMAT, "%s:%zu:%zu: %s", node->yaml->name, node->line,
			 node->column, what);
}

int
seal_yaml_only(const struct seal_yaml_node *map, const char *const *names, struct seal_err *err)
{
	if (map == NULL)
		return seal_fail(err, SEAL_E_MISSING, "a map is missing");
	if (map->kind != SEAL_YAML_MAP)
		return seal_yaml_fail(map, err, "a map is expected");
	for (size_t i = 0; i < seal_yaml_count(map); i++) {
		size_t n = 0;

		while (names[n] != NULL && strcmp(names[n], seal_yaml_key(map, i)) != 0)
			n++;
		if (names[n] == NULL)
			return seal_yaml_fail(map->items[2 * i], err, "unknown key '%.64s'",
					      seal_yaml_key(map, i));
	}
	return 0;
}
