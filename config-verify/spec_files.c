/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a container spec: which sealed objects are unsealed where.  What the host put into a
 * source, and how it is written, is not known here.
 */

#include <string.h>

#include "config-verify/sealed.h"
#include "config-verify/spec_internal.h"

#define MODE_MASK 0777u
#define MAX_PATHS 16384 /* keys, and plain paths; the text's length is the real limit */

/* Below a directory, in one spelling; a first part that begins ".." is the volume's own. */
static int
check_relative(const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes absolute = SEAL_BYTES(VERIFY_SPEC_MAX);
	int r = seal_bytes_append_fmt(&absolute, err, "/%s", path);

	if (r == 0)
		r = verify_path_check(seal_bytes_str(&absolute), err);
	if (r < 0)
		return r;
	if (path[0] == '\0' || strncmp(path, "..", 2) == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%.128s' is no path below its directory",
				 path);
	return 0;
}

static int
parse_mode(const struct seal_json *object, uint32_t *ret_mode, struct seal_err *err)
{
	uint64_t mode = 0;
	int r;

	if (verify_spec_member(object, "mode") == NULL)
		return 0;
	r = seal_json_get_u64(object, "mode", MODE_MASK, &mode, err);
	if (r < 0)
		return r;
	*ret_mode = (uint32_t)mode;
	return 0;
}

static int
parse_item(const struct seal_json *json, const struct verify_object *object,
	   struct verify_item *item, struct seal_err *err)
{
	static const char *const known[] = { "key", "path", "mode", NULL };
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "not an object");
	r = seal_json_only(json, known, err);
	if (r == 0)
		r = seal_json_get_str(json, "key", &item->key, err);
	if (r == 0)
		r = seal_json_get_str(json, "path", &item->path, err);
	if (r == 0)
		r = verify_spec_check_object(object->kind, object->name, item->key, err);
	if (r == 0)
		r = check_relative(item->path, err);
	return r < 0 ? r : parse_mode(json, &item->mode, err);
}

static int
parse_items(const struct seal_json *list, struct verify_files_object *object, struct seal_err *err)
{
	size_t count = list == NULL ? 0 : seal_json_count(list);
	struct verify_item *items;

	if (list != NULL && count == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'items' is empty");
	if (count == 0)
		return 0;
	items = calloc(count, sizeof(*items));
	if (items == NULL)
		return seal_fail_memory(err);
	object->items = items; /* freed with the spec, whatever happens */
	object->item_count = count;
	for (size_t i = 0; i < count; i++) {
		int r = parse_item(seal_json_at(list, i), &object->object, &items[i], err);

		if (r < 0)
			return seal_note(err, r, "'items' %zu", i);
	}
	return 0;
}

static int
parse_object(struct verify_spec *spec, const struct seal_json *json,
	     struct verify_files_object *object, struct seal_err *err)
{
	static const char *const known[] = { "kind", "name", "optional", "items", NULL };
	const struct seal_json *items = NULL;
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "not an object");
	r = seal_json_only(json, known, err);
	if (r == 0)
		r = seal_json_get_str(json, "kind", &object->object.kind, err);
	if (r == 0)
		r = seal_json_get_str(json, "name", &object->object.name, err);
	if (r == 0)
		r = verify_spec_get_bool(json, "optional", &object->object.optional, err);
	if (r == 0)
		r = verify_spec_check_object(object->object.kind, object->object.name, NULL, err);
	if (r == 0)
		r = verify_spec_add_object(spec, &object->object, err);
	if (r == 0)
		r = verify_spec_get_array(json, "items", MAX_PATHS, &items, err);
	return r < 0 ? r : parse_items(items, object, err);
}

static int
parse_objects(struct verify_spec *spec, const struct seal_json *list, struct verify_files *files,
	      struct seal_err *err)
{
	size_t count = list == NULL ? 0 : seal_json_count(list);
	struct verify_files_object *objects;

	if (count == 0)
		return 0;
	objects = calloc(count, sizeof(*objects));
	if (objects == NULL)
		return seal_fail_memory(err);
	files->objects = objects;
	files->object_count = count;
	for (size_t i = 0; i < count; i++) {
		int r = parse_object(spec, seal_json_at(list, i), &objects[i], err);

		if (r < 0)
			return seal_note(err, r, "'objects' %zu", i);
	}
	return 0;
}

static int
parse_plain(const struct seal_json *list, struct verify_files *files, struct seal_err *err)
{
	size_t count = list == NULL ? 0 : seal_json_count(list);
	const char **paths;

	if (count == 0)
		return 0;
	paths = calloc(count, sizeof(*paths));
	if (paths == NULL)
		return seal_fail_memory(err);
	files->plain = paths;
	files->plain_count = count;
	for (size_t i = 0; i < count; i++) {
		int r;

		paths[i] = seal_json_str(seal_json_at(list, i));
		if (paths[i] == NULL)
			return seal_fail(err, SEAL_E_FORMAT, "'plain' %zu is no string", i);
		r = check_relative(paths[i], err);
		if (r < 0)
			return seal_note(err, r, "'plain' %zu", i);
	}
	return 0;
}

static int
parse_paths(const struct seal_json *json, struct verify_files *files, struct seal_err *err)
{
	int r = seal_json_get_str(json, "source", &files->source, err);

	if (r == 0)
		r = seal_json_get_str(json, "target", &files->target, err);
	if (r == 0)
		r = verify_path_check(files->source, err);
	if (r == 0)
		r = verify_path_check(files->target, err);
	if (r == 0)
		r = verify_spec_get_str(json, "file", &files->file, err);
	if (r == 0 && files->file != NULL)
		r = check_relative(files->file, err);
	if (r < 0)
		return r;
	if (files->source[1] == '\0' || files->target[1] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "'/' is no place for files");
	return 0;
}

static int
parse_files(struct verify_spec *spec, const struct seal_json *json, struct verify_files *files,
	    struct seal_err *err)
{
	static const char *const known[] = { "source", "target", "file",   "objects",
					     "plain",  "mode",   "shared", NULL };
	const struct seal_json *objects = NULL;
	const struct seal_json *plain = NULL;
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "not an object");
	r = seal_json_only(json, known, err);
	if (r == 0)
		r = parse_paths(json, files, err);
	if (r == 0)
		r = parse_mode(json, &files->mode, err);
	if (r == 0)
		r = verify_spec_get_bool(json, "shared", &files->shared, err);
	if (r == 0)
		r = verify_spec_get_array(json, "objects", VERIFY_MAX_OBJECTS, &objects, err);
	if (r == 0)
		r = parse_objects(spec, objects, files, err);
	if (r == 0)
		r = verify_spec_get_array(json, "plain", MAX_PATHS, &plain, err);
	if (r == 0)
		r = parse_plain(plain, files, err);
	if (r < 0)
		return r;
	if (files->object_count == 0 && files->plain_count == 0)
		return seal_fail(err, SEAL_E_FORMAT, "nothing to write");
	return 0;
}

static bool
is_target_taken(const struct verify_spec *spec, const char *target)
{
	for (size_t i = 0; i < spec->files_count; i++) {
		const char *other = spec->files[i].target;

		if (other != NULL && strcmp(other, target) == 0)
			return true;
	}
	return false;
}

int
verify_spec_parse_files(struct verify_spec *spec, const struct seal_json *list,
			struct seal_err *err)
{
	size_t count = seal_json_count(list);

	spec->files = calloc(count > 0 ? count : 1, sizeof(*spec->files));
	if (spec->files == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct verify_files files = { 0 };
		bool taken;
		int r = parse_files(spec, seal_json_at(list, i), &files, err);

		taken = r == 0 && is_target_taken(spec, files.target);
		spec->files[spec->files_count++] = files; /* half parsed it is freed, too */
		if (taken)
			r = seal_fail(err, SEAL_E_FORMAT, "another has this target");
		if (r < 0)
			return seal_note(err, r, "'files' %zu", i);
	}
	return 0;
}

void
verify_spec_free_files(struct verify_spec *spec)
{
	for (size_t i = 0; i < spec->files_count; i++) {
		struct verify_files *files = &spec->files[i];

		for (size_t j = 0; j < files->object_count; j++)
			free((void *)(uintptr_t)files->objects[j].items);
		free((void *)(uintptr_t)files->objects);
		free((void *)(uintptr_t)files->plain);
	}
	free(spec->files);
}
