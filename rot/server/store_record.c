/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and records: how they are spelled, and that what is read is what was written.  A record that does not parse,
 * lacks a member or has one too many is damage: the store's own version says what is in it.
 */

#include <inttypes.h>
#include <stdarg.h>

#include "base/names/names.h"
#include "rot/server/store_internal.h"

#define RECORD_MAX ROT_KV_VALUE_MAX

struct rot_path
rot_path(const char *fmt, ...)
{
	struct rot_path key;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(key.text, sizeof(key.text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(key.text))
		key.text[0] = '\0';
	return key;
}

uint64_t
rot_path_time(int64_t time)
{
	return time < 0 ? 0 : time > ROT_TIME_MAX ? (uint64_t)ROT_TIME_MAX : (uint64_t)time;
}

bool
rot_path_parts(const char *key, const char *prefix, int64_t *ret_time, const char **ret_rest)
{
	size_t len = strlen(prefix);
	char digits[ROT_TIME_LEN + 1];
	char *end = NULL;

	if (strncmp(key, prefix, len) != 0 || strlen(key + len) <= ROT_TIME_LEN + 1 ||
	    key[len + ROT_TIME_LEN] != '/')
		return false;
	memcpy(digits, key + len, ROT_TIME_LEN);
	digits[ROT_TIME_LEN] = '\0';
	*ret_time = (int64_t)strtoull(digits, &end, 16);
	*ret_rest = key + len + ROT_TIME_LEN + 1;
	return *end == '\0';
}

int
rot_fail_damaged(const char *key, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged, restore a backup: '%s'", key);
}

/* ---- Records ---- */

int
rot_record_parse(const char *key, const void *text, size_t len, struct seal_json **ret_record,
		 struct seal_err *err)
{
	int r = seal_json_parse(ret_record, text, len, RECORD_MAX, err);

	return r == 0 || r == SEAL_E_MEMORY ? r : rot_fail_damaged(key, err);
}

int
rot_record_get(struct rot_store *store, const char *key, struct seal_json **ret_record,
	       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(RECORD_MAX);
	int r = rot_kv_get(store->kv, key, &text, err);

	return r < 0 ? r : rot_record_parse(key, text.data, text.len, ret_record, err);
}

int
rot_record_put(struct rot_store *store, const char *key, const struct seal_json *record,
	       enum rot_record_how how, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(RECORD_MAX);
	int r = seal_json_dump(record, false, &text, err);

	if (r < 0)
		return r;
	return how == ROT_RECORD_ADD ? rot_kv_add(store->kv, key, text.data, text.len, err)
				     : rot_kv_put(store->kv, key, text.data, text.len, err);
}

int
rot_record_flag(struct rot_store *store, const char *key, struct seal_err *err)
{
	return rot_kv_put(store->kv, key, "", 0, err);
}

int
rot_record_has(struct rot_store *store, const char *key, bool *ret_has, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(RECORD_MAX);
	int r = rot_kv_get(store->kv, key, &text, err);

	if (r < 0 && r != SEAL_E_MISSING)
		return r;
	*ret_has = r == 0;
	return 0;
}

/* ---- Members ---- */

static void
note(struct rot_fields *fields, int r)
{
	if (fields->failed == 0)
		fields->failed = r;
}

void
rot_field_text(struct rot_fields *fields, const char *name, char *out, size_t size)
{
	const char *text = NULL;
	int r = seal_json_get_str(fields->record, name, &text, NULL);

	if (r == 0 && strlen(text) >= size)
		r = SEAL_E_LIMIT;
	if (r == 0)
		memcpy(out, text, strlen(text) + 1);
	note(fields, r);
}

void
rot_field_u64(struct rot_fields *fields, const char *name, uint64_t *ret_value)
{
	note(fields, seal_json_get_u64(fields->record, name, INT64_MAX, ret_value, NULL));
}

void
rot_field_text_or(struct rot_fields *fields, const char *name, char *out, size_t size)
{
	if (seal_json_member(fields->record, name) != NULL)
		rot_field_text(fields, name, out, size);
}

void
rot_field_u64_or(struct rot_fields *fields, const char *name, uint64_t *value)
{
	if (seal_json_has(fields->record, name))
		rot_field_u64(fields, name, value);
}

void
rot_field_time(struct rot_fields *fields, const char *name, int64_t *ret_value)
{
	uint64_t value = 0;

	note(fields, seal_json_get_u64(fields->record, name, INT64_MAX, &value, NULL));
	*ret_value = (int64_t)value;
}

void
rot_field_bool(struct rot_fields *fields, const char *name, bool *ret_value)
{
	note(fields, seal_json_get_bool(fields->record, name, ret_value, NULL));
}

void
rot_field_bytes(struct rot_fields *fields, const char *name, struct seal_bytes *out)
{
	const char *text = NULL;
	int r = seal_json_get_str(fields->record, name, &text, NULL);

	if (r == 0)
		r = seal_base64url_decode(out, text, strlen(text), NULL);
	note(fields, r);
}

void
rot_field_strv(struct rot_fields *fields, const char *name, size_t max, struct seal_strv *ret_list)
{
	note(fields, seal_json_get_strv(fields->record, name, max, ret_list, NULL));
}

int
rot_fields_done(const struct rot_fields *fields, const char *const *names, struct seal_err *err)
{
	int r = fields->failed;

	if (r == 0)
		r = seal_json_only(fields->record, names, NULL);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	return r < 0 ? rot_fail_damaged(fields->key, err) : 0;
}

void
rot_set_bytes(struct seal_json *object, const char *name, const void *data, size_t len)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(2 * ROT_BLOB_MAX);

	if (seal_base64url_encode(&text, data, len, NULL) < 0)
		seal_json_set_failed(object);
	else
		seal_json_set_str(object, name, seal_bytes_str(&text));
}

/* ---- Ranges ---- */

static int
add_key(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	(void)value;
	(void)len;
	return seal_strv_add(arg, key, err);
}

int
rot_range_keys(struct rot_store *store, const char *from, const char *to, uint64_t limit,
	       struct seal_strv *keys, struct seal_err *err)
{
	const struct rot_kv_range range = {
		.from = from, .to = to, .limit = limit, .keys_only = true, .loose = true
	};

	return rot_kv_each(store->kv, &range, add_key, keys, err);
}

int
rot_range_delete(struct rot_store *store, const char *from, const char *to, uint64_t limit,
		 uint64_t *ret_count, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = rot_range_keys(store, from, to, limit, &keys, err);

	for (size_t i = 0; r == 0 && i < keys.count; i++)
		r = rot_kv_delete(store->kv, keys.items[i], err);
	if (r == 0)
		*ret_count = keys.count;
	return r;
}
