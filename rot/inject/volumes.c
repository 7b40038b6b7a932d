/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volumes of a pod that ConfigMaps and Secrets come by: which they are, what is in them, and how
 * the host has to hand them in so that any user may read the sealed files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

#define SOURCE_MODE  0444 /* what the host writes is sealed */
#define OPENSHIFT_CA "openshift-service-ca.crt"

/* ---- Sources ---- */

bool
inject_is_plain(const struct inject_pod *pod, const char *kind, const char *name)
{
	char full[VERIFY_OBJECT_MAX];

	if (strcmp(kind, "ConfigMap") == 0 &&
	    (strcmp(name, INJECT_ROOT_CA) == 0 || strcmp(name, OPENSHIFT_CA) == 0))
		return true;
	(void)snprintf(full, sizeof(full), "%s/%s", kind, name);
	return seal_strv_contains(&pod->rules.plain, full);
}

static int
read_source(const struct inject_pod *pod, struct seal_tree_node *node, const char *kind,
	    const char *name_member, struct inject_source *source, struct seal_err *err)
{
	const char *name = NULL;
	int r;

	if (seal_tree_kind(node) != SEAL_TREE_MAP)
		return inject_fail(pod->item, node, err, SEAL_E_FORMAT, "%s must be a map", kind);
	r = inject_member_text(pod->item, node, name_member, &name, err);
	if (r < 0)
		return r;
	if (name == NULL)
		return inject_fail(pod->item, node, err, SEAL_E_FORMAT, "no %s: which %s is meant?",
				   name_member, kind);
	*source = (struct inject_source){ kind, name, node };
	return 0;
}

int
inject_source_of(const struct inject_pod *pod, const struct seal_tree_node *node, bool projected,
		 struct inject_source *source, struct seal_err *err)
{
	struct seal_tree_node *map = inject_get(node, "configMap");
	struct seal_tree_node *secret = inject_get(node, "secret");

	*source = (struct inject_source){ 0 };
	if (map != NULL)
		return read_source(pod, map, "ConfigMap", "name", source, err);
	if (secret != NULL)
		return read_source(pod, secret, "Secret", projected ? "name" : "secretName", source,
				   err);
	return 0;
}

/* ---- subPath ---- */

static enum inject_sub
sub_in_items(const struct seal_tree_node *items, const char *path)
{
	enum inject_sub found = INJECT_SUB_NONE;

	for (const struct seal_tree_node *at = seal_tree_first(items); at != NULL;
	     at = seal_tree_next_of(at)) {
		const struct seal_tree_node *node = inject_get(at, "path");
		size_t len = 0;
		const char *text;

		if (node == NULL || seal_tree_kind(node) != SEAL_TREE_STRING)
			continue;
		text = seal_tree_text(node, &len);
		if (strcmp(text, path) == 0)
			return INJECT_SUB_FILE;
		if (inject_below(text, path) != NULL)
			found = INJECT_SUB_DIR;
	}
	return found;
}

static enum inject_sub
sub_in_source(const struct seal_tree_node *source, const char *path)
{
	const struct seal_tree_node *items = inject_get(source, "items");

	if (items != NULL && seal_tree_kind(items) == SEAL_TREE_LIST && seal_tree_count(items) > 0)
		return sub_in_items(items, path);
	/* Every key under its own name, and no key holds a slash. */
	return strchr(path, '/') == NULL ? INJECT_SUB_FILE : INJECT_SUB_NONE;
}

enum inject_sub
inject_volume_sub(const struct inject_pod *pod, const struct inject_volume *volume,
		  const char *path)
{
	const struct seal_tree_node *sources =
		inject_path(volume->node, "projected", "sources", NULL);
	enum inject_sub found = INJECT_SUB_NONE;
	struct inject_source source;

	if (sources == NULL)
		return inject_source_of(pod, volume->node, false, &source, NULL) == 0 &&
				       source.kind != NULL
			       ? sub_in_source(source.node, path)
			       : INJECT_SUB_NONE;
	for (const struct seal_tree_node *at = seal_tree_first(sources);
	     at != NULL && found == INJECT_SUB_NONE; at = seal_tree_next_of(at)) {
		if (inject_source_of(pod, at, true, &source, NULL) == 0 && source.kind != NULL)
			found = sub_in_source(source.node, path);
	}
	return found;
}

/* ---- Which volumes there are ---- */

static int
is_sealed_volume(const struct inject_pod *pod, const struct seal_tree_node *node, bool *ret_sealed,
		 struct seal_err *err)
{
	const struct seal_tree_node *sources = inject_path(node, "projected", "sources", NULL);
	struct inject_source source;
	int r = inject_source_of(pod, node, false, &source, err);

	*ret_sealed = false;
	if (r < 0)
		return r;
	if (source.kind != NULL)
		*ret_sealed = !inject_is_plain(pod, source.kind, source.name);
	if (sources == NULL || seal_tree_kind(sources) != SEAL_TREE_LIST)
		return 0;
	for (const struct seal_tree_node *at = seal_tree_first(sources); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		r = inject_source_of(pod, at, true, &source, err);
		if (r == 0 && source.kind != NULL &&
		    !inject_is_plain(pod, source.kind, source.name))
			*ret_sealed = true;
	}
	return r;
}

const struct inject_volume *
inject_volume_find(const struct inject_pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->volume_count; i++) {
		if (strcmp(pod->volumes[i].name, name) == 0)
			return &pod->volumes[i];
	}
	return NULL;
}

static int
add_volume(struct inject_pod *pod, const struct inject_volume *volume, struct seal_err *err)
{
	const size_t count = pod->volume_count;
	struct inject_volume *grown = pod->volumes;

	if (count == INJECT_MAX_VOLUMES)
		return inject_fail(pod->item, volume->node, err, SEAL_E_LIMIT,
				   "a pod with more than %d volumes", INJECT_MAX_VOLUMES);
	if (inject_volume_find(pod, volume->name) != NULL)
		return inject_fail(pod->item, volume->node, err, SEAL_E_FORMAT,
				   "two volumes named '%.63s'", volume->name);
	if (strncmp(volume->name, "seal-", 5) == 0)
		return inject_fail(pod->item, volume->node, err, SEAL_E_REFUSED,
				   "volume '%.63s': names that begin with 'seal-' are ours",
				   volume->name);
	if (count == 0 || (count & (count - 1)) == 0)
		grown = reallocarray(grown, count == 0 ? 1 : 2 * count, sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	pod->volumes = grown;
	grown[pod->volume_count++] = *volume;
	return 0;
}

/* Its files are sealed: any user may read them, and what modes the owner wants is in the spec. */
static void
open_modes(struct inject_pod *pod, struct seal_tree_node *map)
{
	struct seal_tree_node *lists[] = { inject_get(map, "items"), inject_get(map, "sources") };

	inject_set_u64(pod->item->tree, map, "defaultMode", SOURCE_MODE);
	if (lists[1] == NULL) {
		for (struct seal_tree_node *at = lists[0] != NULL ? seal_tree_first(lists[0])
								  : NULL;
		     at != NULL; at = seal_tree_next_of(at))
			seal_tree_remove(at, "mode");
		return;
	}
	for (struct seal_tree_node *at = seal_tree_first(lists[1]); at != NULL;
	     at = seal_tree_next_of(at)) {
		for (struct seal_tree_node *source = seal_tree_first(at); source != NULL;
		     source = seal_tree_next_of(source)) {
			struct seal_tree_node *items = inject_get(source, "items");

			for (struct seal_tree_node *item = items != NULL ? seal_tree_first(items)
									 : NULL;
			     item != NULL; item = seal_tree_next_of(item))
				seal_tree_remove(item, "mode");
		}
	}
}

static int
read_volume(struct inject_pod *pod, struct seal_tree_node *node, size_t *sealed_count,
	    struct seal_err *err)
{
	struct inject_volume volume = { .node = node, .index = *sealed_count };
	const struct seal_tree_node *host;
	int r;

	if (seal_tree_kind(node) != SEAL_TREE_MAP)
		return inject_fail(pod->item, node, err, SEAL_E_FORMAT, "a volume must be a map");
	r = inject_member_text(pod->item, node, "name", &volume.name, err);
	if (r == 0 && volume.name == NULL)
		r = inject_fail(pod->item, node, err, SEAL_E_FORMAT, "a volume without a name");
	if (r == 0)
		r = is_sealed_volume(pod, node, &volume.is_sealed, err);
	if (r == 0)
		r = add_volume(pod, &volume, err);
	if (r < 0)
		return r;
	host = inject_get(node, "hostPath");
	if (host != NULL)
		inject_note(pod->item, node, INJECT_WARNED,
			    "the host writes and reads there as it likes", "volume %s: hostPath",
			    volume.name);
	if (inject_path(node, "csi", "volumeAttributes", NULL) != NULL ||
	    inject_path(node, "flexVolume", "options", NULL) != NULL)
		inject_note(pod->item, node, INJECT_LEFT, "the host's driver reads them",
			    "volume %s: its driver's settings in clear", volume.name);
	if (volume.is_sealed)
		(*sealed_count)++;
	return 0;
}

/* The claims of a StatefulSet are volumes of its pods, too. */
static int
read_claims(struct inject_pod *pod, struct seal_err *err)
{
	struct seal_tree_node *claims =
		inject_path(pod->item->root, "spec", "volumeClaimTemplates", NULL);
	int r = 0;

	if (claims == NULL || seal_tree_kind(claims) != SEAL_TREE_LIST)
		return 0;
	for (struct seal_tree_node *at = seal_tree_first(claims); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		struct inject_volume volume = { .node = at };

		r = inject_member_text(pod->item, inject_get(at, "metadata"), "name", &volume.name,
				       err);
		/* A volume of the same name gives way to the claim. */
		if (r == 0 && volume.name != NULL && inject_volume_find(pod, volume.name) == NULL)
			r = add_volume(pod, &volume, err);
	}
	return r;
}

int
inject_volumes(struct inject_pod *pod, struct seal_err *err)
{
	struct seal_tree_node *list = NULL;
	size_t sealed_count = 0;
	int r = inject_member_list(pod->item, pod->spec, "volumes", &list, err);

	if (r == 0 && list != NULL)
		for (struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
		     at = seal_tree_next_of(at))
			r = read_volume(pod, at, &sealed_count, err);
	return r < 0 ? r : read_claims(pod, err);
}

/* After the containers were told what is in them. */
void
inject_volumes_open(struct inject_pod *pod)
{
	static const char *const kinds[] = { "configMap", "secret", "projected" };

	for (size_t i = 0; i < pod->volume_count; i++) {
		if (!pod->volumes[i].is_sealed)
			continue;
		seal_tree_set_in_json(pod->volumes[i].node, pod->kept_volumes, NULL);
		for (size_t k = 0; k < SEAL_COUNT(kinds); k++) {
			struct seal_tree_node *map = inject_get(pod->volumes[i].node, kinds[k]);

			if (map != NULL)
				open_modes(pod, map);
		}
		inject_note(pod->item, pod->volumes[i].node, INJECT_CHANGED,
			    "the host hands in sealed files, which appear in memory", "volume %s",
			    pod->volumes[i].name);
	}
}
