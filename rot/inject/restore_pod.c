/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back of pods: each container as its spec has it, the pod as the sidecar's value has it, and
 * what we added gone.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

static const char *const owned[] = { "command",       "args",           "env",
				     "envFrom",       "workingDir",     "volumeMounts",
				     "livenessProbe", "readinessProbe", "startupProbe",
				     "lifecycle" };

static int
open_json(const struct inject_item *item, const char *key, const char *container, const char *text,
	  size_t len, struct seal_json **ret_json, struct seal_err *err)
{
	const struct inject_sealed *opened = NULL;
	int r = inject_open(item, key, container, text, len, &opened, err);

	if (r < 0)
		return r;
	r = seal_json_parse(ret_json, opened->plain, opened->plain_len, VERIFY_SPEC_MAX, err);
	return r < 0 ? seal_note(err, r, "%s: %s of container %s", item->label, key, container) : 0;
}

/* ---- Containers ---- */

/* The source of a variable that came from the host in clear is in the output only; see env.c. */
static const struct seal_tree_node *
find_source(const struct seal_tree_node *env, size_t index)
{
	char name[64];

	if (env == NULL || seal_tree_kind(env) != SEAL_TREE_LIST)
		return NULL;
	(void)snprintf(name, sizeof(name), VERIFY_ENV_VAR "%zu", index);
	for (const struct seal_tree_node *at = seal_tree_first(env); at != NULL;
	     at = seal_tree_next_of(at)) {
		const struct seal_tree_node *is = inject_get(at, "name");
		size_t len = 0;

		if (is != NULL && seal_tree_kind(is) == SEAL_TREE_STRING &&
		    strcmp(seal_tree_text(is, &len), name) == 0)
			return inject_get(at, "valueFrom");
	}
	return NULL;
}

static bool
is_plain_source(const struct seal_json *variable)
{
	const struct seal_json *from = seal_json_member(variable, "valueFrom");
	const struct seal_json *field = NULL;
	const char *path = "";

	return from != NULL && seal_json_kind(from) == SEAL_JSON_OBJECT &&
	       seal_json_get_object(from, "fieldRef", &field, NULL) == 0 &&
	       seal_json_get_str(field, "fieldPath", &path, NULL) == 0 &&
	       strcmp(path, "plain") == 0;
}

static void
restore_sources(struct seal_json *env, const struct seal_tree_node *output)
{
	if (env == NULL || seal_json_kind(env) != SEAL_JSON_ARRAY)
		return;
	for (size_t i = 0; i < seal_json_count(env); i++) {
		struct seal_json *variable = (struct seal_json *)(uintptr_t)seal_json_at(env, i);
		const struct seal_tree_node *source = find_source(output, i);

		if (seal_json_kind(variable) == SEAL_JSON_OBJECT && is_plain_source(variable) &&
		    source != NULL)
			seal_tree_set_in_json(source, variable, "valueFrom");
	}
}

static int
restore_container(struct inject_item *item, struct seal_tree_node *node, const char *name,
		  struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	const struct seal_json *container = NULL;
	size_t len = 0;
	const char *text = inject_command_value(inject_get(node, "command"), &len);
	int r;

	if (text == NULL || !verify_is_sealed(text, len)) {
		inject_note(item, node, INJECT_LEFT, "it is not sealed", "container %s", name);
		return 0;
	}
	r = open_json(item, VERIFY_SPEC_KEY, name, text, len, &spec, err);
	if (r == 0)
		r = seal_json_get_object(spec, "container", &container, err);
	if (r < 0)
		return r;
	/* The text is our own copy. */
	restore_sources((struct seal_json *)(uintptr_t)seal_json_member(container, "env"),
			inject_get(node, "env"));
	for (size_t i = 0; i < SEAL_COUNT(owned); i++) {
		const struct seal_json *member = seal_json_member(container, owned[i]);

		if (member != NULL)
			seal_tree_set_json(item->tree, node, owned[i], member);
		else
			seal_tree_remove(node, owned[i]);
	}
	item->changed = true;
	inject_note(item, node, INJECT_CHANGED, "opened", "container %s", name);
	return 0;
}

/* ---- The pod ---- */

static bool
is_ours(const char *name)
{
	return strcmp(name, VERIFY_PROXY_NAME) == 0 ||
	       strncmp(name, INJECT_PLACE_PREFIX, strlen(INJECT_PLACE_PREFIX)) == 0;
}

static int
open_proxy(const struct inject_item *item, const struct seal_tree_node *node,
	   struct seal_json **ret_value, struct seal_err *err)
{
	const struct seal_tree_node *args = inject_get(node, "args");
	const struct seal_tree_node *value = NULL;
	size_t len = 0;

	if (args != NULL && seal_tree_kind(args) == SEAL_TREE_LIST && seal_tree_count(args) == 2)
		value = seal_tree_next_of(seal_tree_first(args));
	if (value == NULL || seal_tree_kind(value) != SEAL_TREE_STRING)
		return inject_fail(item, node, err, SEAL_E_FORMAT,
				   "a sidecar without a sealed configuration");
	(void)seal_tree_text(value, &len);
	return open_json(item, VERIFY_PROXY_KEY, VERIFY_PROXY_NAME, seal_tree_text(value, &len),
			 len, ret_value, err);
}

static int
restore_list(struct inject_item *item, struct seal_tree_node *list, struct seal_json **ret_value,
	     struct seal_err *err)
{
	struct seal_tree_node *next;
	int r = 0;

	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = next) {
		const char *name = "";

		next = seal_tree_next_of(at);
		r = inject_member_text(item, at, "name", &name, err);
		if (r < 0)
			return r;
		if (!is_ours(name)) {
			r = restore_container(item, at, name, err);
			continue;
		}
		if (strcmp(name, VERIFY_PROXY_NAME) == 0)
			r = open_proxy(item, at, ret_value, err);
		seal_tree_drop(at);
		item->changed = true;
	}
	return r;
}

/* The original of a volume, by its name. */
static const struct seal_json *
find_kept(const struct seal_json *kept, const char *name)
{
	for (size_t i = 0;
	     kept != NULL && seal_json_kind(kept) == SEAL_JSON_ARRAY && i < seal_json_count(kept);
	     i++) {
		const char *is = "";

		if (seal_json_get_str(seal_json_at(kept, i), "name", &is, NULL) == 0 &&
		    strcmp(is, name) == 0)
			return seal_json_at(kept, i);
	}
	return NULL;
}

static void
restore_volume(struct inject_item *item, struct seal_tree_node *volume,
	       const struct seal_json *original)
{
	static const char *const kinds[] = { "configMap", "secret", "projected" };

	for (size_t i = 0; i < SEAL_COUNT(kinds); i++) {
		const struct seal_json *member = seal_json_member(original, kinds[i]);

		if (member != NULL)
			seal_tree_set_json(item->tree, volume, kinds[i], member);
	}
}

/* What was absent or null is so again. */
static void
restore_empty(struct inject_item *item, struct seal_tree_node *spec, const char *member,
	      const struct seal_json *kept)
{
	if (kept == NULL)
		seal_tree_remove(spec, member);
	else if (seal_json_kind(kept) == SEAL_JSON_NULL)
		seal_tree_set_json(item->tree, spec, member, kept);
}

static bool
is_our_volume(const char *name)
{
	static const char *const prefixes[] = { INJECT_RUN_VOLUME, INJECT_FILES_PREFIX,
						INJECT_PUBLIC_PREFIX };

	for (size_t i = 0; i < SEAL_COUNT(prefixes); i++) {
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

static void
restore_volumes(struct inject_item *item, struct seal_tree_node *spec, const struct seal_json *kept)
{
	struct seal_tree_node *list = inject_get(spec, "volumes");
	struct seal_tree_node *next;

	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL; at != NULL;
	     at = next) {
		const char *name = inject_peek_text(at, "name", "");

		next = seal_tree_next_of(at);
		if (is_our_volume(name))
			seal_tree_drop(at);
		else if (find_kept(kept, name) != NULL)
			restore_volume(item, at, find_kept(kept, name));
	}
	restore_empty(item, spec, "volumes", kept);
}

static void
restore_notes(struct inject_item *item, struct seal_tree_node *meta, const struct seal_json *kept)
{
	struct seal_tree_node *notes;

	if (kept == NULL || meta == NULL || seal_json_kind(kept) != SEAL_JSON_OBJECT)
		return;
	notes = seal_tree_need_map(item->tree, meta, "annotations");
	for (const char *name = seal_json_next(kept, NULL); name != NULL;
	     name = seal_json_next(kept, name))
		seal_tree_set_json(item->tree, notes, name, seal_json_member(kept, name));
}

int
inject_restore_pod(struct inject_item *item, struct seal_err *err)
{
	static const char *const lists[] = { "initContainers", "containers" };
	SEAL_SCOPED(seal_json_freep) struct seal_json *value = NULL;
	const struct seal_json *kept = NULL;
	struct seal_tree_node *spec = NULL;
	struct seal_tree_node *meta = NULL;
	int r = inject_item_identify(item, err);

	if (r < 0 || !inject_find_pod(item, &spec, &meta))
		return r;
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(lists); i++) {
		struct seal_tree_node *list = NULL;

		r = inject_member_list(item, spec, lists[i], &list, err);
		if (r == 0)
			r = restore_list(item, list, &value, err);
	}
	if (r < 0 || value == NULL)
		return r;
	r = seal_json_get_object(value, "pod", &kept, err);
	if (r < 0)
		return r;
	restore_volumes(item, spec, seal_json_member(kept, "volumes"));
	restore_empty(item, spec, "initContainers", seal_json_member(kept, "initContainers"));
	restore_notes(item, meta, seal_json_member(kept, "annotations"));
	restore_notes(item, inject_get(item->root, "metadata"),
		      seal_json_member(kept, "objectAnnotations"));
	return 0;
}
