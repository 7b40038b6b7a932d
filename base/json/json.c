/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for JSON: nothing deep, ambiguous or oversized reaches the library beneath, no sentence
 * repeats the text it complains about (it may be an egg), and freed memory is wiped.
 *
 * A struct seal_json is the library's json_t under another name.  The library's allocator is ours:
 * every block has a header in front, which serves to wipe it and, for the objects and arrays of a
 * builder, to remember that a call failed.  While it reads a text the library does not look whether
 * a letter found room, so the allocator also remembers for it that memory ran out.
 */

#include "base/json/json_internal.h"

#include <pthread.h>
#include <stdalign.h>

struct block {
	size_t len;
	bool failed; /* a builder call on this value failed */
	alignas(max_align_t) uint8_t data[];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* An allocation of the library failed in this thread. */
static _Thread_local bool exhausted;

static void *
allocate(size_t len)
{
	struct block *block = NULL;
	size_t whole;

	if (!__builtin_add_overflow(len, sizeof(*block), &whole))
		block = malloc(whole);
	if (block == NULL) {
		exhausted = true;
		return NULL;
	}
	block->len = len;
	block->failed = false;
	return block->data;
}

static struct block *
block_of(void *data)
{
	return (struct block *)((uint8_t *)data - offsetof(struct block, data));
}

static void
wipe_and_free(void *data)
{
	if (data == NULL)
		return;
	explicit_bzero(data, block_of(data)->len);
	free(block_of(data));
}

static void
install(void)
{
	json_set_alloc_funcs(allocate, wipe_and_free);
}

void
seal_json_setup(void)
{
	(void)pthread_once(&once, install); /* fails only for an invalid argument */
}

void
seal_json_spoil(json_t *value)
{
	block_of(value)->failed = true;
}

bool
seal_json_is_spoiled(json_t *value)
{
	return block_of(value)->failed;
}

/*
 * The nesting of brackets outside strings, as the library will meet it: up to the first error in the
 * text both read the same tokens.
 */
static bool
is_too_deep(const char *text, size_t len)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\') {
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '{' || c == '[')) {
			if (++depth > SEAL_JSON_MAX_DEPTH)
				return true;
		} else if (!in_string && (c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static int
fail_parse(const json_error_t *error, struct seal_err *err)
{
	switch (json_error_code(error)) {
	case json_error_duplicate_key:
		return seal_fail(err, SEAL_E_FORMAT, "a JSON member occurs twice (line %d)",
				 error->line);
	default:
		return seal_fail(err, SEAL_E_FORMAT, "not valid JSON (line %d, column %d)",
				 error->line, error->column);
	}
}

int
seal_json_parse(struct seal_json **ret_json, const void *text, size_t text_len, size_t max_len,
		struct seal_err *err)
{
	json_error_t error = { 0 };
	json_t *value;
	int r;

	seal_json_setup();
	if (text_len > max_len)
		return seal_fail(err, SEAL_E_LIMIT, "JSON longer than %zu bytes", max_len);
	if (is_too_deep(text, text_len))
		return seal_fail(err, SEAL_E_LIMIT, "JSON deeper than %d levels",
				 SEAL_JSON_MAX_DEPTH);
	exhausted = false;
	value = json_loadb(text, text_len, JSON_REJECT_DUPLICATES, &error);
	if (exhausted) {
		json_decref(value); /* a letter may be missing from it */
		explicit_bzero(&error, sizeof(error));
		return seal_fail_memory(err);
	}
	if (value == NULL) {
		r = fail_parse(&error, err);
		explicit_bzero(&error, sizeof(error)); /* it quotes the text */
		return r;
	}
	if (!json_is_object(value)) {
		json_decref(value);
		return seal_fail(err, SEAL_E_FORMAT, "the outermost JSON value is not an object");
	}
	*ret_json = wrap(value);
	return 0;
}

void
seal_json_free(struct seal_json *json)
{
	json_decref(native(json));
}

void
seal_json_freep(struct seal_json **json)
{
	seal_json_free(*json);
	*json = NULL;
}

static int
get(const struct seal_json *object, const char *name, const json_t **ret_value,
    struct seal_err *err)
{
	const json_t *value = json_object_get(native(object), name);

	if (value == NULL)
		return seal_fail(err, SEAL_E_MISSING, "member '%s' is missing", name);
	*ret_value = value;
	return 0;
}

static int
fail_type(const char *name, const char *type, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_FORMAT, "member '%s' is not %s", name, type);
}

int
seal_json_get_str(const struct seal_json *object, const char *name, const char **ret_str,
		  struct seal_err *err)
{
	const json_t *value = NULL;
	int r = get(object, name, &value, err);

	if (r < 0)
		return r;
	if (!json_is_string(value))
		return fail_type(name, "a string", err);
	*ret_str = json_string_value(value);
	return 0;
}

int
seal_json_get_u64(const struct seal_json *object, const char *name, uint64_t max,
		  uint64_t *ret_value, struct seal_err *err)
{
	const json_t *value = NULL;
	json_int_t number;
	int r = get(object, name, &value, err);

	if (r < 0)
		return r;
	if (!json_is_integer(value))
		return fail_type(name, "an integer", err);
	number = json_integer_value(value);
	if (number < 0 || (uint64_t)number > max)
		return seal_fail(err, SEAL_E_LIMIT, "member '%s' is not between 0 and %llu", name,
				 (unsigned long long)max);
	*ret_value = (uint64_t)number;
	return 0;
}

int
seal_json_get_bool(const struct seal_json *object, const char *name, bool *ret_value,
		   struct seal_err *err)
{
	const json_t *value = NULL;
	int r = get(object, name, &value, err);

	if (r < 0)
		return r;
	if (!json_is_boolean(value))
		return fail_type(name, "true or false", err);
	*ret_value = json_is_true(value);
	return 0;
}

int
seal_json_get_object(const struct seal_json *object, const char *name,
		     const struct seal_json **ret_object, struct seal_err *err)
{
	const json_t *value = NULL;
	int r = get(object, name, &value, err);

	if (r < 0)
		return r;
	if (!json_is_object(value))
		return fail_type(name, "an object", err);
	*ret_object = (const struct seal_json *)value;
	return 0;
}

int
seal_json_get_array(const struct seal_json *object, const char *name,
		    const struct seal_json **ret_array, struct seal_err *err)
{
	const json_t *value = NULL;
	int r = get(object, name, &value, err);

	if (r < 0)
		return r;
	if (!json_is_array(value))
		return fail_type(name, "an array", err);
	*ret_array = (const struct seal_json *)value;
	return 0;
}

int
seal_json_get_strv(const struct seal_json *object, const char *name, size_t max,
		   struct seal_strv *ret_list, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };
	const struct seal_json *array = NULL;
	int r = seal_json_get_array(object, name, &array, err);

	if (r < 0)
		return r;
	if (seal_json_count(array) > max)
		return seal_fail(err, SEAL_E_LIMIT, "member '%s' has more than %zu elements", name,
				 max);
	for (size_t i = 0; i < seal_json_count(array); i++) {
		const char *str = seal_json_str(seal_json_at(array, i));

		if (str == NULL)
			return fail_type(name, "an array of strings", err);
		r = seal_strv_add(&list, str, err);
		if (r < 0)
			return r;
	}
	seal_strv_release(ret_list);
	*ret_list = list;
	list = (struct seal_strv){ 0 };
	return 0;
}

bool
seal_json_has(const struct seal_json *object, const char *name)
{
	return json_object_get(native(object), name) != NULL;
}

int
seal_json_only(const struct seal_json *object, const char *const *names, struct seal_err *err)
{
	for (const char *name = seal_json_next(object, NULL); name != NULL;
	     name = seal_json_next(object, name)) {
		size_t i = 0;

		while (names[i] != NULL && strcmp(names[i], name) != 0)
			i++;
		if (names[i] == NULL)
			return seal_fail(err, SEAL_E_FORMAT, "unknown member '%.64s'", name);
	}
	return 0;
}

size_t
seal_json_count(const struct seal_json *array)
{
	return json_array_size(native(array));
}

const struct seal_json *
seal_json_at(const struct seal_json *array, size_t index)
{
	return wrap(json_array_get(native(array), index));
}

const char *
seal_json_str(const struct seal_json *value)
{
	return json_string_value(native(value));
}

enum seal_json_kind
seal_json_kind(const struct seal_json *value)
{
	switch (json_typeof(native(value))) {
	case JSON_OBJECT:
		return SEAL_JSON_OBJECT;
	case JSON_ARRAY:
		return SEAL_JSON_ARRAY;
	case JSON_STRING:
		return SEAL_JSON_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return SEAL_JSON_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return SEAL_JSON_BOOL;
	case JSON_NULL:
		break;
	}
	return SEAL_JSON_NULL;
}

uint64_t
seal_json_u64(const struct seal_json *value)
{
	json_int_t number = json_integer_value(native(value));

	return number < 0 ? 0 : (uint64_t)number;
}

int
seal_json_number(const struct seal_json *value, char *out, size_t size, struct seal_err *err)
{
	size_t len;

	if (!json_is_number(native(value)))
		return seal_fail(err, SEAL_E_FORMAT, "a JSON value is not a number");
	len = json_dumpb(native(value), out, size, JSON_ENCODE_ANY);
	if (len == 0)
		return seal_fail_memory(err);
	if (len >= size)
		return seal_fail(err, SEAL_E_LIMIT, "a number needs more than %zu bytes", size);
	out[len] = '\0';
	return 0;
}

bool
seal_json_bool(const struct seal_json *value)
{
	return json_is_true(native(value));
}

const char *
seal_json_next(const struct seal_json *object, const char *name)
{
	json_t *value = native(object);
	void *at = name == NULL ? json_object_iter(value)
				: json_object_iter_next(value, json_object_iter_at(value, name));

	return json_object_iter_key(at);
}

const struct seal_json *
seal_json_member(const struct seal_json *object, const char *name)
{
	return wrap(json_object_get(native(object), name));
}
