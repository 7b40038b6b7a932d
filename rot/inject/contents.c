/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container is told of a volume: which objects are in it, under which paths, and what comes from
 * the cluster in clear.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

/* ---- Items ---- */

const char *
inject_below(const char *path, const char *subdir)
{
	size_t len;

	if (subdir == NULL)
		return path;
	len = strlen(subdir);
	return strncmp(path, subdir, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static int
check_item_path(const struct inject_pod *pod, const struct seal_tree_node *node, const char *path,
		struct seal_err *err)
{
	char full[4096];

	if ((size_t)snprintf(full, sizeof(full), "/%s", path) >= sizeof(full) || path[0] == '\0' ||
	    strncmp(path, "..", 2) == 0 || verify_path_check(full, NULL) < 0)
		return inject_fail(pod->item, node, err, SEAL_E_FORMAT,
				   "'%.128s' is no path in a volume: relative, and no '..'", path);
	return 0;
}

static int
read_item(const struct inject_pod *pod, const struct seal_tree_node *item, const char **ret_key,
	  const char **ret_path, struct seal_err *err)
{
	int r = inject_member_text(pod->item, item, "key", ret_key, err);

	if (r == 0)
		r = inject_member_text(pod->item, item, "path", ret_path, err);
	if (r < 0)
		return r;
	if (*ret_key == NULL || *ret_path == NULL)
		return inject_fail(pod->item, item, err, SEAL_E_FORMAT, "an item has key and path");
	return check_item_path(pod, inject_get(item, "path"), *ret_path, err);
}

static int
describe_item(const struct inject_pod *pod, const struct seal_tree_node *item, const char *subdir,
	      struct seal_json *items, struct seal_err *err)
{
	const struct seal_tree_node *mode_node = inject_get(item, "mode");
	struct seal_json *entry;
	const char *key = NULL;
	const char *path = NULL;
	uint64_t mode = 0;
	int r = read_item(pod, item, &key, &path, err);

	if (r == 0 && mode_node != NULL)
		r = inject_number(pod->item, mode_node, "mode", 0777, &mode, err);
	if (r < 0 || path == NULL || inject_below(path, subdir) == NULL)
		return r;
	entry = seal_json_add_object(items);
	seal_json_set_str(entry, "key", key);
	seal_json_set_str(entry, "path", inject_below(path, subdir));
	if (mode_node != NULL)
		seal_json_set_u64(entry, "mode", mode);
	return 0;
}

/* ---- What a container is told of a volume ---- */

static int
describe_plain(const struct inject_pod *pod, const struct inject_source *source,
	       struct seal_json *plain, struct seal_err *err)
{
	struct seal_tree_node *items = NULL;
	int r = inject_member_list(pod->item, source->node, "items", &items, err);

	if (r < 0)
		return r;
	if (items == NULL && strcmp(source->name, INJECT_ROOT_CA) == 0) {
		seal_json_add_str(plain, "ca.crt");
		return 0;
	}
	if (items == NULL)
		return inject_fail(pod->item, source->node, err, SEAL_E_REFUSED,
				   "%s %s is in clear and among sealed ones: say by items which of "
				   "its keys are meant",
				   source->kind, source->name);
	for (struct seal_tree_node *at = seal_tree_first(items); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		const char *key = NULL;
		const char *path = NULL;

		r = read_item(pod, at, &key, &path, err);
		if (r == 0)
			seal_json_add_str(plain, path);
	}
	return r;
}

static int
describe_object(const struct inject_pod *pod, const struct inject_source *source,
		const char *subdir, struct seal_json *files, struct seal_json *objects,
		struct seal_json *plain, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *object = NULL;
	struct seal_tree_node *items = NULL;
	struct seal_json *list;
	int r;

	(void)files;
	if (inject_is_plain(pod, source->kind, source->name))
		return describe_plain(pod, source, plain, err);
	object = seal_json_new();
	seal_json_set_str(object, "kind", source->kind);
	seal_json_set_str(object, "name", source->name);
	if (inject_is_true(source->node, "optional"))
		seal_json_set_bool(object, "optional", true);
	r = inject_member_list(pod->item, source->node, "items", &items, err);
	if (r < 0)
		return r;
	if (items == NULL || seal_tree_count(items) == 0) {
		if (subdir == NULL)
			seal_json_add_copy(objects, object);
		return 0;
	}
	list = seal_json_set_array(object, "items");
	for (struct seal_tree_node *at = seal_tree_first(items); r == 0 && at != NULL;
	     at = seal_tree_next_of(at))
		r = describe_item(pod, at, subdir, list, err);
	if (r == 0 && seal_json_count(list) > 0)
		seal_json_add_copy(objects, object);
	return r;
}

/* What the cluster writes in clear into a projected volume. */
static int
describe_cluster(const struct inject_pod *pod, const struct seal_tree_node *source,
		 struct seal_json *plain, struct seal_err *err)
{
	static const char *const single[] = { "serviceAccountToken", "clusterTrustBundle" };
	const struct seal_tree_node *api = inject_get(source, "downwardAPI");
	const char *path = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && path == NULL && i < SEAL_COUNT(single); i++)
		r = inject_member_text(pod->item, inject_get(source, single[i]), "path", &path,
				       err);
	if (r < 0)
		return r;
	if (path != NULL) {
		seal_json_add_str(plain, path);
		return check_item_path(pod, source, path, err);
	}
	if (api == NULL || inject_get(api, "items") == NULL ||
	    seal_tree_kind(inject_get(api, "items")) != SEAL_TREE_LIST)
		return inject_fail(pod->item, source, err, SEAL_E_REFUSED,
				   "a source of a projected volume that is not known here");
	for (struct seal_tree_node *at = seal_tree_first(inject_get(api, "items"));
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		path = "";
		r = inject_member_text(pod->item, at, "path", &path, err);
		if (r == 0)
			r = check_item_path(pod, at, path, err);
		if (r == 0)
			seal_json_add_str(plain, path);
	}
	return r;
}

static int
describe_projected(const struct inject_pod *pod, const struct seal_tree_node *projected,
		   const char *subdir, struct seal_json *files, struct seal_json *objects,
		   struct seal_json *plain, struct seal_err *err)
{
	struct seal_tree_node *sources = NULL;
	int r = inject_member_list(pod->item, projected, "sources", &sources, err);

	if (r < 0 || sources == NULL)
		return r;
	for (struct seal_tree_node *at = seal_tree_first(sources); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		struct inject_source source;

		r = inject_source_of(pod, at, true, &source, err);
		if (r == 0 && source.kind != NULL)
			r = describe_object(pod, &source, subdir, files, objects, plain, err);
		else if (r == 0 && subdir == NULL)
			r = describe_cluster(pod, at, plain, err);
	}
	return r;
}

static int
set_mode(const struct inject_pod *pod, const struct seal_tree_node *map, struct seal_json *files,
	 struct seal_err *err)
{
	const struct seal_tree_node *node = inject_get(map, "defaultMode");
	uint64_t mode = 0;
	int r;

	if (node == NULL)
		return 0;
	r = inject_number(pod->item, node, "defaultMode", 0777, &mode, err);
	if (r < 0)
		return r;
	seal_json_set_u64(files, "mode", mode);
	return 0;
}

int
inject_volume_describe(const struct inject_pod *pod, const struct inject_volume *volume,
		       const char *subdir, struct seal_json *files, struct seal_err *err)
{
	const struct seal_tree_node *projected = inject_get(volume->node, "projected");
	struct seal_json *objects = seal_json_set_array(files, "objects");
	SEAL_SCOPED(seal_json_freep) struct seal_json *hold = seal_json_new();
	struct seal_json *plain = seal_json_set_array(hold, "plain");
	struct inject_source source = { 0 };
	int r;

	if (projected != NULL) {
		r = describe_projected(pod, projected, subdir, files, objects, plain, err);
		source.node = inject_get(volume->node, "projected");
	} else {
		r = inject_source_of(pod, volume->node, false, &source, err);
		if (r == 0)
			r = describe_object(pod, &source, subdir, files, objects, plain, err);
	}
	if (r == 0)
		r = set_mode(pod, source.node, files, err);
	if (r == 0 && seal_json_count(plain) > 0)
		seal_json_set_copy(files, "plain", plain);
	return r;
}
