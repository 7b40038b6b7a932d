/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_JSON_H
#define SEAL_BASE_JSON_H

/*
 * JSON (RFC 8259) with limits: depth at most 32, duplicate members refused, no NUL inside strings,
 * valid UTF-8, nothing behind the value.  Freed memory is wiped, since secrets pass through.
 * The only door to jansson.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

#define SEAL_JSON_MAX_DEPTH 32

/* A value; opaque.  What _new and _parse return belongs to the caller, what getters return is
 * borrowed from its parent. */
struct seal_json;

/* Parse text, whose outermost value must be an object.  SEAL_E_LIMIT beyond max_len or the depth. */
SEAL_CHECKED int seal_json_parse(struct seal_json **ret_json, const void *text, size_t text_len,
				 size_t max_len, struct seal_err *err);
void seal_json_free(struct seal_json *json);
void seal_json_freep(struct seal_json **json);

/*
 * Typed getters for members of an object.  A missing member is SEAL_E_MISSING and another type
 * SEAL_E_FORMAT, with the member's name in the sentence; outputs change only on success.
 */
SEAL_CHECKED int seal_json_get_str(const struct seal_json *object, const char *name,
				   const char **ret_str, struct seal_err *err);
/* An integer 0 <= value <= max; SEAL_E_LIMIT outside. */
SEAL_CHECKED int seal_json_get_u64(const struct seal_json *object, const char *name, uint64_t max,
				   uint64_t *ret_value, struct seal_err *err);
SEAL_CHECKED int seal_json_get_bool(const struct seal_json *object, const char *name,
				    bool *ret_value, struct seal_err *err);
SEAL_CHECKED int seal_json_get_object(const struct seal_json *object, const char *name,
				      const struct seal_json **ret_object, struct seal_err *err);
SEAL_CHECKED int seal_json_get_array(const struct seal_json *object, const char *name,
				     const struct seal_json **ret_array, struct seal_err *err);
/* An array of at most max strings, copied into the (empty) list. */
SEAL_CHECKED int seal_json_get_strv(const struct seal_json *object, const char *name, size_t max,
				    struct seal_strv *ret_list, struct seal_err *err);
bool seal_json_has(const struct seal_json *object, const char *name);

/* Refuse members that are not in names (NULL-terminated): SEAL_E_FORMAT naming the first. */
SEAL_CHECKED int seal_json_only(const struct seal_json *object, const char *const *names,
				struct seal_err *err);

size_t seal_json_count(const struct seal_json *array);
/* Element index < count; NULL beyond. */
const struct seal_json *seal_json_at(const struct seal_json *array, size_t index);
/* An element or value as a string; NULL when it is none. */
const char *seal_json_str(const struct seal_json *value);
/* A value's kind, for printing it without knowing its shape. */
enum seal_json_kind {
	SEAL_JSON_OBJECT,
	SEAL_JSON_ARRAY,
	SEAL_JSON_STRING,
	SEAL_JSON_NUMBER,
	SEAL_JSON_BOOL,
	SEAL_JSON_NULL,
};
enum seal_json_kind seal_json_kind(const struct seal_json *value);
uint64_t seal_json_u64(const struct seal_json *value);
/* A number as JSON writes it; SEAL_E_FORMAT when it is none, SEAL_E_LIMIT beyond size, NUL included. */
#define SEAL_JSON_NUMBER_SIZE 40
SEAL_CHECKED int seal_json_number(const struct seal_json *value, char *out, size_t size,
				  struct seal_err *err);
bool seal_json_bool(const struct seal_json *value);
/* Walk an object's members in the order they were added; start with NULL, ends with NULL. */
const char *seal_json_next(const struct seal_json *object, const char *name);
const struct seal_json *seal_json_member(const struct seal_json *object, const char *name);

/*
 * Builders.  Failure sticks in the builder: set what you like, then seal_json_dump fails once.
 * _add_ variants append to an array, and so does _set_ with NULL as the name.  The _object and _array forms
 * return the new child, borrowed.
 */
struct seal_json *seal_json_new(void);
/* Take a member out: it belongs to the caller from now on.  NULL when there is none. */
struct seal_json *seal_json_take(struct seal_json *object, const char *name);
void seal_json_set_str(struct seal_json *object, const char *name, const char *value);
void seal_json_set_u64(struct seal_json *object, const char *name, uint64_t value);
void seal_json_set_i64(struct seal_json *object, const char *name, int64_t value);
/* A finite number. */
void seal_json_set_real(struct seal_json *object, const char *name, double value);
void seal_json_set_bool(struct seal_json *object, const char *name, bool value);
void seal_json_set_null(struct seal_json *object, const char *name);
void seal_json_set_strv(struct seal_json *object, const char *name, const struct seal_strv *list);
/* A copy of a whole value. */
void seal_json_set_copy(struct seal_json *object, const char *name, const struct seal_json *value);
void seal_json_add_copy(struct seal_json *array, const struct seal_json *value);
struct seal_json *seal_json_set_object(struct seal_json *object, const char *name);
struct seal_json *seal_json_set_array(struct seal_json *object, const char *name);
struct seal_json *seal_json_add_object(struct seal_json *array);
void seal_json_add_str(struct seal_json *array, const char *value);

/* What should have been set could not be: seal_json_dump is to fail. */
void seal_json_set_failed(struct seal_json *object);
/* Did any call on the value, or on what it holds, fail? */
bool seal_json_has_failed(const struct seal_json *value);

/* Append compact (or, with indent, readable) text.  SEAL_E_MEMORY when a builder call had failed. */
SEAL_CHECKED int seal_json_dump(const struct seal_json *json, bool indent, struct seal_bytes *out,
				struct seal_err *err);

#endif
