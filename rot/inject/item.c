/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object of a document: its members, with sentences for what they are not, and who it is.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

/* ---- Members ---- */

struct seal_tree_node *
inject_get(const struct seal_tree_node *map, const char *key)
{
	struct seal_tree_node *node;

	if (map == NULL || seal_tree_kind(map) != SEAL_TREE_MAP)
		return NULL;
	node = seal_tree_get(map, key);
	return node != NULL && seal_tree_kind(node) != SEAL_TREE_NULL ? node : NULL;
}

struct seal_tree_node *
inject_path(const struct seal_tree_node *map, ...)
{
	struct seal_tree_node *node = NULL;
	const char *key;
	va_list keys;

	va_start(keys, map);
	key = va_arg(keys, const char *);
	do {
		node = inject_get(node != NULL ? node : map, key);
		key = va_arg(keys, const char *);
	} while (node != NULL && key != NULL);
	va_end(keys);
	return node;
}

int
inject_text(const struct inject_item *item, const struct seal_tree_node *node, const char *what,
	    const char **ret_text, struct seal_err *err)
{
	enum seal_tree_kind kind = seal_tree_kind(node);
	const char *text;
	size_t len = 0;

	if (kind != SEAL_TREE_STRING && kind != SEAL_TREE_TIME)
		return inject_fail(item, node, err, SEAL_E_FORMAT,
				   "%s must be a string, and is %s: put quotes around it", what,
				   seal_tree_kind_name(kind));
	text = seal_tree_text(node, &len);
	if (memchr(text, '\0', len) != NULL)
		return inject_fail(item, node, err, SEAL_E_FORMAT, "%s holds a NUL", what);
	*ret_text = text;
	return 0;
}

int
inject_member_text(const struct inject_item *item, const struct seal_tree_node *map,
		   const char *key, const char **ret_text, struct seal_err *err)
{
	const struct seal_tree_node *node = inject_get(map, key);

	return node == NULL ? 0 : inject_text(item, node, key, ret_text, err);
}

const char *
inject_peek_text(const struct seal_tree_node *map, const char *key, const char *other)
{
	const struct seal_tree_node *node = inject_get(map, key);
	size_t len = 0;

	return node != NULL && seal_tree_kind(node) == SEAL_TREE_STRING ? seal_tree_text(node, &len)
									: other;
}

static int
member_of(const struct inject_item *item, const struct seal_tree_node *map, const char *key,
	  enum seal_tree_kind kind, struct seal_tree_node **ret_node, struct seal_err *err)
{
	struct seal_tree_node *node = inject_get(map, key);

	if (node != NULL && seal_tree_kind(node) != kind)
		return inject_fail(item, node, err, SEAL_E_FORMAT, "%s must be %s, and is %s", key,
				   seal_tree_kind_name(kind),
				   seal_tree_kind_name(seal_tree_kind(node)));
	*ret_node = node;
	return 0;
}

int
inject_member_list(const struct inject_item *item, const struct seal_tree_node *map,
		   const char *key, struct seal_tree_node **ret_list, struct seal_err *err)
{
	return member_of(item, map, key, SEAL_TREE_LIST, ret_list, err);
}

int
inject_member_map(const struct inject_item *item, const struct seal_tree_node *map, const char *key,
		  struct seal_tree_node **ret_map, struct seal_err *err)
{
	return member_of(item, map, key, SEAL_TREE_MAP, ret_map, err);
}

bool
inject_is_true(const struct seal_tree_node *map, const char *key)
{
	const struct seal_tree_node *node = inject_get(map, key);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	bool value = false;

	if (node == NULL || seal_tree_kind(node) != SEAL_TREE_BOOL)
		return false;
	json = seal_json_new();
	seal_tree_set_in_json(node, json, "is");
	return seal_json_get_bool(json, "is", &value, NULL) == 0 && value;
}

int
inject_number(const struct inject_item *item, const struct seal_tree_node *node, const char *what,
	      uint64_t max, uint64_t *ret_value, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();

	seal_tree_set_in_json(node, json, "is");
	if (seal_tree_kind(node) != SEAL_TREE_NUMBER ||
	    seal_json_get_u64(json, "is", max, ret_value, NULL) < 0)
		return inject_fail(item, node, err, SEAL_E_FORMAT,
				   "%s must be a whole number up to %llu", what,
				   (unsigned long long)max);
	return 0;
}

void
inject_set_u64(struct seal_tree *tree, struct seal_tree_node *map, const char *key, uint64_t value)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();

	seal_json_set_u64(json, key, value);
	seal_tree_set_json(tree, map, key, seal_json_member(json, key));
}

void
inject_set_strings(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
		   const char *const *strings)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *array = seal_json_set_array(json, key);

	for (; *strings != NULL; strings++)
		seal_json_add_str(array, *strings);
	seal_tree_set_json(tree, map, key, array);
}

/* ---- Who it is ---- */

/* A name for what the cluster will name: every one made from it is the same object to us. */
static int
read_name(struct inject_item *item, const struct seal_tree_node *meta, const char **ret_name,
	  struct seal_err *err)
{
	const char *base = NULL;
	size_t len;
	int r = inject_member_text(item, meta, "name", ret_name, err);

	if (r < 0 || *ret_name != NULL)
		return r;
	r = inject_member_text(item, meta, "generateName", &base, err);
	if (r < 0)
		return r;
	if (base == NULL)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "%s without metadata.name: a sealed value belongs to a name",
				   item->kind);
	len = strlen(base);
	while (len > 0 && (base[len - 1] == '-' || base[len - 1] == '.'))
		len--;
	if (len >= sizeof(item->binding.name))
		return inject_fail(item, inject_get(meta, "generateName"), err, SEAL_E_LIMIT,
				   "generateName is too long");
	(void)snprintf(item->binding.name, sizeof(item->binding.name), "%.*s", (int)len, base);
	*ret_name = item->binding.name;
	item->is_generated = true;
	inject_note(item, inject_get(meta, "generateName"), INJECT_WARNED,
		    "sealing it again makes stale what was made from it before",
		    "generateName: sealed as '%s'", item->binding.name);
	return 0;
}

static int
copy_name(const struct inject_item *item, const struct seal_tree_node *meta, const char *what,
	  char *out, size_t size, const char *text, struct seal_err *err)
{
	const struct seal_tree_node *node = inject_get(meta, what);

	if (out == text)
		return 0;
	if (strlen(text) >= size)
		return inject_fail(item, node != NULL ? node : item->root, err, SEAL_E_LIMIT,
				   "%s is longer than %zu characters", what, size - 1);
	(void)snprintf(out, size, "%s", text);
	return 0;
}

/* The grammar of all three at once; key, gen and of are others' matter. */
static int
check_binding(struct inject_item *item, const struct seal_tree_node *meta, struct seal_err *err)
{
	struct verify_binding binding = item->binding;
	struct seal_err why = { 0 };
	const struct seal_tree_node *node = inject_get(meta, "name");

	(void)snprintf(binding.key, sizeof(binding.key), "key");
	binding.gen = 1;
	binding.of = 1;
	if (verify_binding_check(&binding, &why) == 0)
		return 0;
	return inject_fail(item, node != NULL ? node : item->root, err, SEAL_E_FORMAT, "%s%s",
			   why.text,
			   strstr(item->binding.name, "{{") != NULL
				   ? ": this looks like a template that was not rendered"
				   : "");
}

int
inject_item_identify(struct inject_item *item, struct seal_err *err)
{
	const char *ns = item->run->options->ns;
	const char *name = NULL;
	struct seal_tree_node *meta = NULL;
	int r = inject_member_map(item, item->root, "metadata", &meta, err);

	(void)snprintf(item->binding.kind, sizeof(item->binding.kind), "%s", item->kind);
	if (r == 0)
		r = read_name(item, meta, &name, err);
	if (r == 0)
		r = inject_member_text(item, meta, "namespace", &ns, err);
	if (r == 0)
		r = copy_name(item, meta, "name", item->binding.name, sizeof(item->binding.name),
			      name, err);
	if (r == 0)
		r = copy_name(item, meta, "namespace", item->binding.ns, sizeof(item->binding.ns),
			      ns, err);
	if (r == 0)
		r = check_binding(item, meta, err);
	if (r < 0)
		return r;
	verify_object_format(&item->binding, item->label);
	return 0;
}

static int
sealed_again(struct inject_item *item, struct seal_err *err)
{
	if (item->is_generated)
		return inject_fail(item, item->root, err, SEAL_E_REFUSED,
				   "two objects of this generateName: sealing the second makes the "
				   "first stale");
	inject_note(item, item->root, INJECT_WARNED, "the last one counts", "%s is there again",
		    item->kind);
	return 0;
}

int
inject_item_once(struct inject_item *item, struct seal_err *err)
{
	char seen[VERIFY_OBJECT_MAX + SEAL_PEER_MAX + 1];
	int r;

	(void)snprintf(seen, sizeof(seen), "%s/%s", item->peer, item->label);
	r = inject_seen_add(&item->run->seen, seen, &item->round, err);
	return r == 0 && item->round > 0 ? sealed_again(item, err) : r;
}

void
inject_drop_copies(struct inject_item *item)
{
	static const char *const copies[] = { INJECT_COPIES };
	struct seal_tree_node *notes = inject_path(item->root, "metadata", "annotations", NULL);

	for (size_t i = 0; i < SEAL_COUNT(copies); i++) {
		if (inject_get(notes, copies[i]) == NULL)
			continue;
		inject_note(item, notes, INJECT_CHANGED, "it repeats the object in clear",
			    "annotation %s removed", copies[i]);
		seal_tree_remove(notes, copies[i]);
		item->changed = true;
	}
}
