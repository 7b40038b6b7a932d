/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for which sealed file becomes which unsealed one, and that all of them are there.  Paths are
 * the host's: each is looked up in the sealed spec, and the spec says which object and key must open
 * there.  Where the spec names no paths (every key of an object), the path is the key.
 */

#include "config-verify/collect.h"

#include "base/bytes/bytes.h"

struct verify_collection {
	struct verify_file *files;
	size_t file_count;
	const struct verify_object **absent;
	size_t absent_count;
};

/* What was found of one member of "objects"; of several with one name, first is the first. */
struct tally {
	const struct verify_files_object *entry;
	struct tally *first;
	size_t found; /* values of the object, wherever; counted in first only, like the rest */
	size_t whole; /* of these under their own name */
	uint64_t gen;
	uint64_t of;
};

struct collector {
	const struct verify_files *files;
	const struct verify_source *source;
	const struct verify_opener *opener;
	struct tally *tallies; /* of files->objects, in that order */
	struct verify_collection *collection;
};

/* Why a file may be there: an item, a key of an object, or neither (then it is plain). */
struct reason {
	struct tally *tally;
	const struct verify_item *item;
};

void
verify_collection_free(struct verify_collection *collection)
{
	if (collection == NULL)
		return;
	for (size_t i = 0; i < collection->file_count; i++) {
		free((char *)collection->files[i].path);
		seal_secret_free((struct seal_secret *)collection->files[i].content);
	}
	free(collection->files);
	free(collection->absent);
	free(collection);
}

void
verify_collection_freep(struct verify_collection **collection)
{
	verify_collection_free(SEAL_TAKE(*collection));
}

const struct verify_file *
verify_collection_files(const struct verify_collection *collection, size_t *ret_count)
{
	*ret_count = collection->file_count;
	return collection->files;
}

size_t
verify_collection_absent_count(const struct verify_collection *collection)
{
	return collection->absent_count;
}

const struct verify_object *
verify_collection_absent(const struct verify_collection *collection, size_t index)
{
	return collection->absent[index];
}

static bool
is_object(const struct verify_object *object, const char *kind, const char *name)
{
	return strcmp(object->kind, kind) == 0 && strcmp(object->name, name) == 0;
}

static void
release_collector(struct collector *collector)
{
	free(collector->tallies);
	verify_collection_free(collector->collection);
}

static int
init_collector(struct collector *c, struct seal_err *err)
{
	const size_t objects = c->files->object_count;

	c->tallies = calloc(objects + 1, sizeof(*c->tallies));
	c->collection = calloc(1, sizeof(*c->collection));
	if (c->tallies == NULL || c->collection == NULL)
		return seal_fail_memory(err);
	c->collection->absent = calloc(objects + 1, sizeof(struct verify_object *));
	c->collection->files =
		calloc(verify_source_count(c->source) + 1, sizeof(*c->collection->files));
	if (c->collection->absent == NULL || c->collection->files == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < objects; i++) {
		const struct verify_object *object = &c->files->objects[i].object;
		struct tally *first = c->tallies;

		c->tallies[i].entry = &c->files->objects[i];
		while (!is_object(&first->entry->object, object->kind, object->name))
			first++;
		c->tallies[i].first = first;
	}
	return 0;
}

static bool
find_item(const struct collector *c, const char *path, struct reason *ret_reason)
{
	for (size_t i = 0; i < c->files->object_count; i++) {
		const struct verify_files_object *entry = c->tallies[i].entry;

		for (size_t j = 0; j < entry->item_count; j++)
			if (strcmp(entry->items[j].path, path) == 0) {
				ret_reason->tally = &c->tallies[i];
				ret_reason->item = &entry->items[j];
				return true;
			}
	}
	return false;
}

static bool
is_plain(const struct collector *c, const char *path)
{
	for (size_t i = 0; i < c->files->plain_count; i++)
		if (strcmp(c->files->plain[i], path) == 0)
			return true;
	return false;
}

/* The only object that can have keys which nobody named; NULL when there are none or several. */
static struct tally *
find_open_ended(const struct collector *c)
{
	struct tally *found = NULL;

	for (size_t i = 0; i < c->files->object_count; i++) {
		if (c->tallies[i].entry->item_count > 0)
			continue;
		if (found != NULL)
			return NULL;
		found = &c->tallies[i];
	}
	return found;
}

/*
 * Among several, what the value says of itself chooses the object; that it is true is found out by
 * opening.  Where there is but one, opening says best what is wrong.
 */
static bool
find_object(const struct collector *c, const struct verify_source_file *file,
	    struct reason *ret_reason)
{
	struct tally *only = find_open_ended(c);
	struct verify_key_id id;
	struct verify_binding binding;

	if (strchr(file->path, '/') != NULL)
		return false;
	if (only != NULL) {
		ret_reason->tally = only;
		return true;
	}
	if (verify_peek(file->text, file->text_len, &id, &binding, NULL) < 0)
		return false;
	for (size_t i = 0; i < c->files->object_count; i++) {
		const struct verify_files_object *entry = c->tallies[i].entry;

		if (entry->item_count == 0 &&
		    is_object(&entry->object, binding.kind, binding.name)) {
			ret_reason->tally = &c->tallies[i];
			return true;
		}
	}
	return false;
}

static int
explain(const struct collector *c, const struct verify_source_file *file, struct reason *ret_reason,
	struct seal_err *err)
{
	if (find_item(c, file->path, ret_reason) || is_plain(c, file->path) ||
	    find_object(c, file, ret_reason))
		return 0;
	return seal_fail(err, SEAL_E_REFUSED, "nothing in the sealed spec explains it");
}

/* One generation of an object, or the host shows us a mix. */
static int
count_value(struct tally *first, const struct verify_binding *binding, bool whole,
	    struct seal_err *err)
{
	if (first->found > 0 && (first->gen != binding->gen || first->of != binding->of))
		return seal_fail(err, SEAL_E_CONFLICT, "%s/%s is of several generations",
				 binding->kind, binding->name);
	first->gen = binding->gen;
	first->of = binding->of;
	first->found++;
	first->whole += whole ? 1 : 0;
	return 0;
}

static int
open_value(const struct collector *c, const struct reason *reason,
	   const struct verify_source_file *file, struct seal_secret **ret_plain,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	const struct verify_object *object = &reason->tally->entry->object;
	const char *key = reason->item != NULL ? reason->item->key : file->path;
	struct verify_binding binding = { .gen = 0 };
	int r;

	r = c->opener->open(c->opener->arg, object, key, file->text, file->text_len, &plain,
			    &binding, err);
	if (r < 0)
		return r;
	if (!is_object(object, binding.kind, binding.name) || strcmp(binding.key, key) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "it is %s/%s '%s', not %s/%s '%s'",
				 binding.kind, binding.name, binding.key, object->kind,
				 object->name, key);
	r = count_value(reason->tally->first, &binding, strcmp(key, file->path) == 0, err);
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	return 0;
}

static mode_t
choose_mode(const struct verify_files *files, const struct verify_item *item)
{
	const uint32_t asked = item != NULL && item->mode != 0 ? item->mode : files->mode;

	const mode_t mode = (asked & 0100) != 0 ? 0500 : 0400;

	return files->shared ? mode | mode >> 3 | mode >> 6 : mode;
}

static int
take_file(struct collector *c, const struct verify_source_file *file, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_collection *collection = c->collection;
	struct reason reason = { .tally = NULL };
	char *path;
	int r = explain(c, file, &reason, err);

	if (r == 0 && reason.tally != NULL)
		r = open_value(c, &reason, file, &plain, err);
	else if (r == 0 && file->text_len > 0)
		r = seal_secret_from(&plain, file->text, file->text_len, err);
	if (r < 0)
		return r;
	path = seal_strndup(file->path, strlen(file->path));
	if (path == NULL)
		return seal_fail_memory(err);
	collection->files[collection->file_count++] = (struct verify_file){
		.path = path,
		.content = SEAL_TAKE(plain),
		.mode = choose_mode(c->files, reason.item),
	};
	return 0;
}

/* Once, however often the object is named. */
static void
note_absent(struct collector *c, const struct tally *tally)
{
	struct verify_collection *collection = c->collection;
	const struct verify_object *object = &tally->entry->object;

	for (size_t i = 0; i < collection->absent_count; i++)
		if (is_object(collection->absent[i], object->kind, object->name))
			return;
	collection->absent[collection->absent_count++] = object;
}

/* Also of an optional object that is there in part: the host must not choose what to leave out. */
static int
check_items(const struct collector *c, const struct verify_files_object *entry,
	    struct seal_err *err)
{
	for (size_t i = 0; i < entry->item_count; i++) {
		const struct verify_item *item = &entry->items[i];
		struct reason reason = { .tally = NULL };

		if (verify_source_find(c->source, item->path) == NULL)
			return seal_fail(err, SEAL_E_MISSING, "%s/%s: its key '%s' is not at '%s'",
					 entry->object.kind, entry->object.name, item->key,
					 item->path);
		if (!find_item(c, item->path, &reason) || reason.item != item)
			return seal_fail(err, SEAL_E_REFUSED, "two items want to be at '%s'",
					 item->path);
	}
	return 0;
}

static int
check_object(struct collector *c, const struct tally *tally, struct seal_err *err)
{
	const struct verify_object *object = &tally->entry->object;
	const struct tally *first = tally->first;

	if (first->found == 0 && object->optional) {
		note_absent(c, tally);
		return 0;
	}
	if (first->found == 0)
		return seal_fail(err, SEAL_E_MISSING, "%s/%s: nothing of it is there", object->kind,
				 object->name);
	if (tally->entry->item_count > 0)
		return check_items(c, tally->entry, err);
	if (first->whole != first->of)
		return seal_fail(err, SEAL_E_MISSING, "%s/%s: %zu of its %llu values are there",
				 object->kind, object->name, first->whole,
				 (unsigned long long)first->of);
	return 0;
}

static int
collect_all(struct collector *c, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < verify_source_count(c->source); i++) {
		const struct verify_source_file *file = verify_source_file(c->source, i);

		r = take_file(c, file, err);
		if (r < 0)
			return seal_note(err, r, "'%s'", file->path);
	}
	for (size_t i = 0; r == 0 && i < c->files->object_count; i++)
		r = check_object(c, &c->tallies[i], err);
	return r;
}

/* The one file is not there.  That is as may be if all that could be there is optional. */
static int
check_absent_file(struct collector *c, struct seal_err *err)
{
	const char *path = c->files->file;
	struct reason reason = { .tally = NULL };
	const bool is_item = find_item(c, path, &reason);
	bool may_lack = is_item || strchr(path, '/') == NULL;

	for (size_t i = 0; may_lack && i < c->files->object_count; i++) {
		const struct tally *tally = &c->tallies[i];

		if (is_item ? tally != reason.tally : tally->entry->item_count > 0)
			continue;
		may_lack = tally->entry->object.optional;
		if (may_lack)
			note_absent(c, tally);
	}
	if (!may_lack || c->collection->absent_count == 0)
		return seal_fail(err, SEAL_E_MISSING, "'%s' is not there", path);
	return 0;
}

static int
collect_file(struct collector *c, struct seal_err *err)
{
	const struct verify_source_file *file = verify_source_find(c->source, c->files->file);
	int r;

	if (file == NULL)
		return check_absent_file(c, err);
	r = take_file(c, file, err);
	return r < 0 ? seal_note(err, r, "'%s'", file->path) : 0;
}

int
verify_collect(struct verify_collection **ret_collection, const struct verify_files *files,
	       const struct verify_source *source, const struct verify_opener *opener,
	       struct seal_err *err)
{
	SEAL_SCOPED(release_collector)
	struct collector c = { .files = files, .source = source, .opener = opener };
	int r = init_collector(&c, err);

	if (r == 0)
		r = files->file != NULL ? collect_file(&c, err) : collect_all(&c, err);
	if (r < 0)
		return seal_note(err, r, "'%s'", files->source);
	*ret_collection = SEAL_TAKE(c.collection);
	return 0;
}
