/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of a container.  Where sealed files would have appeared there is memory now, and they
 * themselves are mounted elsewhere; everything else stays.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

struct mount {
	const struct seal_tree_node *node;
	const struct inject_volume *volume;
	char path[4096]; /* in its one spelling */
	const char *sub; /* NULL: none */
};

/* ---- Checks ---- */

/* Is path the directory, or in it? */
static bool
is_in(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(path, directory, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Would a mount there hide or replace what must be the image's, or ours? */
static const char *
hides(const struct inject_container *container, const char *path)
{
	const char *wrap = container->pod->item->run->options->wrap_path;

	if (strcmp(path, "/") == 0)
		return "it would hide the image";
	if (is_in(path, INJECT_RUN_DIR) || is_in(path, VERIFY_SOURCE_DIR) ||
	    is_in(path, INJECT_PLACE_DIR))
		return "that place is ours";
	if (is_in(wrap, path) || is_in(path, wrap))
		return "it would hide seal-wrap, which must be the image's";
	if (is_in(INJECT_TOKEN_PATH, path) || is_in(path, INJECT_TOKEN_PATH))
		return "it would hide the container's token, which must be the image's";
	if (is_in(path, "/proc"))
		return "the kernel's own view must be the kernel's";
	return NULL;
}

size_t
inject_path_len(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return len;
}

static int
check_path(const struct inject_container *container, struct mount *mount, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	struct seal_err why = { 0 };
	const char *path = NULL;
	size_t len;
	int r = inject_member_text(item, mount->node, "mountPath", &path, err);

	if (r < 0)
		return r;
	len = path != NULL ? inject_path_len(path) : 0;
	if (len == 0 || len >= sizeof(mount->path))
		return inject_fail(item, mount->node, err, SEAL_E_FORMAT,
				   "a mount without a mountPath, or with one that is too long");
	(void)snprintf(mount->path, sizeof(mount->path), "%.*s", (int)len, path);
	if (verify_path_check(mount->path, &why) < 0)
		return inject_fail(item, mount->node, err, SEAL_E_FORMAT, "mountPath %s", why.text);
	if (strchr(mount->path, ':') != NULL)
		return inject_fail(item, mount->node, err, SEAL_E_FORMAT,
				   "mountPath '%.128s' holds a ':'", mount->path);
	if (hides(container, mount->path) != NULL)
		return inject_fail(item, mount->node, err, SEAL_E_REFUSED, "mountPath '%.128s': %s",
				   mount->path, hides(container, mount->path));
	return 0;
}

/* Devices and the kernel's settings: a host's own business, and never where files of ours go. */
static int
check_system(const struct inject_container *container, const struct mount *mount,
	     struct seal_err *err)
{
	if (!is_in(mount->path, "/sys") && !is_in(mount->path, "/dev"))
		return 0;
	if (mount->volume->is_sealed)
		return inject_fail(container->pod->item, mount->node, err, SEAL_E_REFUSED,
				   "mountPath '%.128s': sealed files do not go into /sys or /dev",
				   mount->path);
	if (strcmp(mount->path, "/dev/shm") != 0)
		inject_note(container->pod->item, mount->node, INJECT_WARNED,
			    "it replaces what the kernel shows", "%s %s: mount at %s",
			    container->label, container->name, mount->path);
	return 0;
}

static int
check_twice(const struct inject_container *container, const struct mount *mount,
	    struct seal_strv *paths, struct seal_err *err)
{
	if (seal_strv_contains(paths, mount->path))
		return inject_fail(container->pod->item, mount->node, err, SEAL_E_FORMAT,
				   "two mounts at '%.128s'", mount->path);
	return seal_strv_add(paths, mount->path, err);
}

static int
find_volume(const struct inject_container *container, struct mount *mount, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const char *name = NULL;
	int r = inject_member_text(item, mount->node, "name", &name, err);

	if (r < 0)
		return r;
	if (name == NULL)
		return inject_fail(item, mount->node, err, SEAL_E_FORMAT, "a mount without a name");
	mount->volume = inject_volume_find(container->pod, name);
	if (mount->volume == NULL)
		return inject_fail(item, mount->node, err, SEAL_E_FORMAT,
				   "the pod has no volume '%.63s'", name);
	return 0;
}

static int
read_sub(const struct inject_container *container, struct mount *mount, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	char full[4096];
	int r = inject_member_text(item, mount->node, "subPath", &mount->sub, err);

	if (r < 0)
		return r;
	if (mount->sub != NULL && mount->sub[0] == '\0')
		mount->sub = NULL;
	if (!mount->volume->is_sealed)
		return 0;
	if (inject_get(mount->node, "subPathExpr") != NULL)
		return inject_fail(item, mount->node, err, SEAL_E_REFUSED,
				   "subPathExpr on a volume of sealed files: write it as subPath");
	if (mount->sub == NULL)
		return 0;
	if ((size_t)snprintf(full, sizeof(full), "/%s", mount->sub) >= sizeof(full) ||
	    strncmp(mount->sub, "..", 2) == 0 || verify_path_check(full, NULL) < 0)
		return inject_fail(item, mount->node, err, SEAL_E_FORMAT,
				   "subPath '%.128s': relative, and no '..'", mount->sub);
	if (inject_volume_sub(container->pod, mount->volume, mount->sub) == INJECT_SUB_NONE)
		return inject_fail(item, mount->node, err, SEAL_E_REFUSED,
				   "subPath '%.128s': volume '%s' has no such file or directory",
				   mount->sub, mount->volume->name);
	return 0;
}

/* ---- What takes its place ---- */

static void
add_mount(struct seal_json *mounts, const char *name, const char *path, const char *sub,
	  bool read_only)
{
	struct seal_json *mount = seal_json_add_object(mounts);

	seal_json_set_str(mount, "name", name);
	seal_json_set_str(mount, "mountPath", path);
	if (sub != NULL)
		seal_json_set_str(mount, "subPath", sub);
	if (read_only)
		seal_json_set_bool(mount, "readOnly", true);
}

void
inject_add_memory(struct inject_pod *pod, const char *name, const char *size_limit)
{
	struct seal_json *volume = seal_json_add_object(pod->memory);
	struct seal_json *empty;

	seal_json_set_str(volume, "name", name);
	empty = seal_json_set_object(volume, "emptyDir");
	seal_json_set_str(empty, "medium", "Memory");
	if (size_limit != NULL)
		seal_json_set_str(empty, "sizeLimit", size_limit);
}

static void
source_path(const struct inject_volume *volume, char *out, size_t size)
{
	(void)snprintf(out, size, VERIFY_SOURCE_DIR "/%zu", volume->index);
}

/* Once for each volume, however often the container mounts it. */
static void
add_source(struct inject_container *container, const struct inject_volume *volume)
{
	char path[64];

	source_path(volume, path, sizeof(path));
	for (size_t i = 0; i < seal_json_count(container->mounts); i++) {
		const char *there = "";
		const struct seal_json *mount = seal_json_at(container->mounts, i);

		if (seal_json_get_str(mount, "mountPath", &there, NULL) == 0 &&
		    strcmp(there, path) == 0)
			return;
	}
	add_mount(container->mounts, volume->name, path, NULL, true);
}

/* A mount of one file: an init container makes the file that can be mounted. */
static void
add_place(struct inject_container *container, const char *memory, size_t number, const char *base)
{
	char directory[64];
	char path[VERIFY_NAME_MAX + 128];

	(void)snprintf(directory, sizeof(directory), INJECT_PLACE_DIR "/%zu", number);
	(void)snprintf(path, sizeof(path), "%s/%s", directory, base);
	add_mount(container->place_mounts, memory, directory, NULL, false);
	seal_json_add_str(container->place_paths, path);
}

static int
describe(struct inject_container *container, const struct mount *mount, enum inject_sub sub,
	 struct seal_err *err)
{
	struct seal_json *files = seal_json_add_object(container->files);
	char source[4200];

	source_path(mount->volume, source, sizeof(source));
	if (sub == INJECT_SUB_DIR)
		(void)snprintf(source + strlen(source), sizeof(source) - strlen(source), "/%s",
			       mount->sub);
	seal_json_set_str(files, "source", source);
	seal_json_set_str(files, "target", mount->path);
	if (sub == INJECT_SUB_FILE)
		seal_json_set_str(files, "file", mount->sub);
	if (container->pod->rules.shared)
		seal_json_set_bool(files, "shared", true);
	return inject_volume_describe(container->pod, mount->volume,
				      sub == INJECT_SUB_DIR ? mount->sub : NULL, files, err);
}

static int
replace_mount(struct inject_container *container, const struct mount *mount, struct seal_err *err)
{
	struct inject_pod *pod = container->pod;
	enum inject_sub sub = mount->sub != NULL ? inject_volume_sub(pod, mount->volume, mount->sub)
						 : INJECT_SUB_NONE;
	const char *base = mount->sub != NULL ? strrchr(mount->sub, '/') : NULL;
	size_t number = pod->memory_count++;
	char memory[64];

	base = base != NULL ? base + 1 : mount->sub;
	(void)snprintf(memory, sizeof(memory), INJECT_FILES_PREFIX "%zu", number);
	inject_add_memory(pod, memory, NULL);
	add_source(container, mount->volume);
	add_mount(container->mounts, memory, mount->path, sub == INJECT_SUB_FILE ? base : NULL,
		  false);
	if (sub == INJECT_SUB_FILE)
		add_place(container, memory, number, base);
	inject_note(pod->item, mount->node, INJECT_CHANGED,
		    sub == INJECT_SUB_FILE ? "the sealed file appears there, in memory"
					   : "the sealed files appear there, in memory",
		    "%s %s: mount at %s", container->label, container->name, mount->path);
	return describe(container, mount, sub, err);
}

static int
read_mount(struct inject_container *container, const struct seal_tree_node *node,
	   struct seal_strv *paths, struct seal_err *err)
{
	struct mount mount = { .node = node };
	int r;

	if (seal_tree_kind(node) != SEAL_TREE_MAP)
		return inject_fail(container->pod->item, node, err, SEAL_E_FORMAT,
				   "a mount must be a map");
	r = check_path(container, &mount, err);
	if (r == 0)
		r = check_twice(container, &mount, paths, err);
	if (r == 0)
		r = find_volume(container, &mount, err);
	if (r == 0)
		r = check_system(container, &mount, err);
	if (r == 0)
		r = read_sub(container, &mount, err);
	if (r < 0)
		return r;
	if (mount.volume->is_sealed && seal_json_count(container->files) == VERIFY_MAX_FILES)
		return inject_fail(container->pod->item, node, err, SEAL_E_LIMIT,
				   "%s '%s' mounts sealed files in more than %d places",
				   container->label, container->name, VERIFY_MAX_FILES);
	if (mount.volume->is_sealed)
		return replace_mount(container, &mount, err);
	seal_tree_set_in_json(node, container->mounts, NULL);
	return 0;
}

int
inject_mounts(struct inject_container *container, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv paths = { 0 };
	struct seal_tree_node *list = NULL;
	int r = inject_member_list(container->pod->item, container->node, "volumeMounts", &list,
				   err);

	if (r == 0 && list != NULL && seal_tree_count(list) > INJECT_MAX_VOLUMES)
		return inject_fail(container->pod->item, list, err, SEAL_E_LIMIT,
				   "%s '%s' has more than %d mounts", container->label,
				   container->name, INJECT_MAX_VOLUMES);
	if (r == 0 && list != NULL)
		for (struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
		     at = seal_tree_next_of(at))
			r = read_mount(container, at, &paths, err);
	if (r < 0)
		return r;
	add_mount(container->mounts, INJECT_RUN_VOLUME, INJECT_RUN_DIR, NULL, true);
	if (seal_json_count(container->place_paths) > 0)
		add_mount(container->place_mounts, INJECT_RUN_VOLUME, INJECT_RUN_DIR, NULL, true);
	return 0;
}
