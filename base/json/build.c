/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building JSON and writing it.  A call that fails leaves a mark on the object or array it was for, so that a
 * text is made in one go and judged at its end; reading is json.c's.
 */
#include <assert.h>

#include "base/json/json_internal.h"

struct seal_json *
seal_json_new(void)
{
	seal_json_setup();
	return wrap(json_object());
}

struct seal_json *
seal_json_take(struct seal_json *object, const char *name)
{
	json_t *value = json_incref(json_object_get(native(object), name));

	if (value != NULL)
		(void)json_object_del(native(object), name); /* it is there */
	return wrap(value);
}

static bool has_failed(json_t *value);

/* Puts value, whose reference it takes over, into the parent, or marks the parent as failed. */
static struct seal_json *
put(struct seal_json *parent, const char *name, json_t *value)
{
	json_t *to = native(parent);
	int r;

	if (to == NULL) {
		json_decref(value);
		return NULL;
	}
	assert(json_is_object(to) || json_is_array(to));
	r = name != NULL ? json_object_set_new(to, name, value) : json_array_append_new(to, value);
	if (r == 0)
		return wrap(value);
	seal_json_spoil(to);
	return NULL;
}

void
seal_json_set_str(struct seal_json *object, const char *name, const char *value)
{
	(void)put(object, name, json_string(value)); /* the builder remembers */
}

void
seal_json_set_u64(struct seal_json *object, const char *name, uint64_t value)
{
	json_t *number = value > INT64_MAX ? NULL : json_integer((json_int_t)value);

	(void)put(object, name, number); /* the builder remembers */
}

void
seal_json_set_i64(struct seal_json *object, const char *name, int64_t value)
{
	(void)put(object, name, json_integer(value)); /* the builder remembers */
}

void
seal_json_set_real(struct seal_json *object, const char *name, double value)
{
	(void)put(object, name, json_real(value)); /* the builder remembers */
}

void
seal_json_set_bool(struct seal_json *object, const char *name, bool value)
{
	(void)put(object, name, json_boolean(value)); /* the builder remembers */
}

void
seal_json_set_null(struct seal_json *object, const char *name)
{
	(void)put(object, name, json_null()); /* the builder remembers */
}

void
seal_json_set_strv(struct seal_json *object, const char *name, const struct seal_strv *list)
{
	struct seal_json *array = seal_json_set_array(object, name);

	for (size_t i = 0; i < list->count; i++)
		seal_json_add_str(array, list->items[i]);
}

/* The library's copy would have forgotten that something is missing. */
static json_t *
copy_whole(const struct seal_json *value)
{
	json_t *from = native(value);

	return has_failed(from) ? NULL : json_deep_copy(from);
}

void
seal_json_set_copy(struct seal_json *object, const char *name, const struct seal_json *value)
{
	(void)put(object, name, copy_whole(value)); /* the builder remembers */
}

void
seal_json_add_copy(struct seal_json *array, const struct seal_json *value)
{
	(void)put(array, NULL, copy_whole(value)); /* the builder remembers */
}

struct seal_json *
seal_json_set_object(struct seal_json *object, const char *name)
{
	return put(object, name, json_object());
}

struct seal_json *
seal_json_set_array(struct seal_json *object, const char *name)
{
	return put(object, name, json_array());
}

struct seal_json *
seal_json_add_object(struct seal_json *array)
{
	return put(array, NULL, json_object());
}

void
seal_json_add_str(struct seal_json *array, const char *value)
{
	(void)put(array, NULL, json_string(value)); /* the builder remembers */
}

void
seal_json_set_failed(struct seal_json *object)
{
	if (object != NULL)
		seal_json_spoil(native(object));
}

/* What is printed was built by us or parsed, so its depth is bounded. */
static bool
has_failed(json_t *value)
{
	const char *name;
	json_t *child;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return false;
	if (seal_json_is_spoiled(value))
		return true;
	json_object_foreach(value, name, child)
	{
		if (has_failed(child))
			return true;
	}
	json_array_foreach(value, i, child)
	{
		if (has_failed(child))
			return true;
	}
	return false;
}

bool
seal_json_has_failed(const struct seal_json *value)
{
	return value == NULL || has_failed(native(value));
}

struct sink {
	struct seal_bytes *out;
	struct seal_err *err;
	int failed; /* 0, or why out took no more */
};

/* The library goes on when the name of a member found no room, so a failure sticks here. */
static int
append(const char *text, size_t len, void *arg)
{
	struct sink *sink = arg;

	if (sink->failed == 0)
		sink->failed = seal_bytes_append(sink->out, text, len, sink->err);
	return sink->failed;
}

int
seal_json_dump(const struct seal_json *json, bool indent, struct seal_bytes *out,
	       struct seal_err *err)
{
	const size_t form = JSON_ENCODE_ANY | (indent ? JSON_INDENT(2) : JSON_COMPACT);
	struct sink sink = { out, err, 0 };
	json_t *value = native(json);
	size_t start = out->len;

	if (value == NULL || has_failed(value))
		return seal_fail_memory(err);
	if (json_dump_callback(value, append, &sink, form) == 0 && sink.failed == 0)
		return 0;
	if (out->len > start) {
		explicit_bzero(out->data + start, out->len - start);
		out->len = start;
	}
	return sink.failed < 0 ? sink.failed : seal_fail_memory(err);
}
