/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store says of the key that it is under, and everything that is wrapped under it, wrapped again.
 *
 *   kek    how many keys there have been, and what a passphrase is made a key with.  While the key is being changed:
 *          the last record that was done
 *
 * A record is a part of the JSON object that holds it: what else is in it stays as it is.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define KEK_KEY "kek"

/* ---- The record ---- */

static void
read_scrypt(const struct seal_json *record, const char *name, struct rot_kek_scheme *scheme,
	    struct rot_fields *fields)
{
	static const char *const members[] = { "n", "r", "p", "salt", NULL };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes salt = SEAL_BYTES(ROT_KEK_SALT_LEN);
	struct rot_fields parts = { .key = KEK_KEY };
	int r;

	if (!seal_json_has(record, name))
		return;
	r = seal_json_get_object(record, name, &parts.record, NULL);
	if (r == 0) {
		rot_field_u64(&parts, "n", &scheme->cost.n);
		rot_field_u64(&parts, "r", &scheme->cost.r);
		rot_field_u64(&parts, "p", &scheme->cost.p);
		rot_field_bytes(&parts, "salt", &salt);
		r = rot_fields_done(&parts, members, NULL);
	}
	if (r < 0 || salt.len != sizeof(scheme->salt)) {
		fields->failed = SEAL_E_FORMAT;
		return;
	}
	memcpy(scheme->salt, salt.data, salt.len);
	scheme->is_passphrase = true;
}

static int
parse_kek(const struct seal_json *record, struct rot_kek_state *state, struct seal_err *err)
{
	static const char *const members[] = { "number", "scrypt", "done", "old_scrypt", NULL };
	struct rot_fields fields = { .key = KEK_KEY, .record = record };

	rot_field_u64(&fields, "number", &state->scheme.number);
	state->old.number = state->scheme.number - 1;
	read_scrypt(record, "scrypt", &state->scheme, &fields);
	read_scrypt(record, "old_scrypt", &state->old, &fields);
	if (seal_json_has(record, "done")) {
		state->is_changing = true;
		rot_field_text(&fields, "done", state->done, sizeof(state->done));
	}
	return rot_fields_done(&fields, members, err);
}

static int
read_kek(struct rot_store *store, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_kek_state state = { .scheme = ROT_KEK_SCHEME };
	int r = rot_record_get(store, KEK_KEY, &record, err);

	if (r == 0)
		r = parse_kek(record, &state, err);
	if (r < 0 && r != SEAL_E_MISSING)
		return r;
	*(struct rot_kek_state *)arg = state;
	return 0;
}

int
rot_store_kek_state(struct rot_store *store, struct rot_kek_state *ret_state, struct seal_err *err)
{
	return rot_store_look(store, read_kek, ret_state, err);
}

int
rot_store_kek(struct rot_store *store, struct rot_kek_scheme *ret_scheme, struct seal_err *err)
{
	struct rot_kek_state state = { .is_changing = false };
	int r = rot_store_kek_state(store, &state, err);

	if (r < 0)
		return r;
	if (state.is_changing)
		return seal_fail(err, SEAL_E_REFUSED,
				 "seal rekey was interrupted: run it again, with the same old key "
				 "and the same new one");
	*ret_scheme = state.scheme;
	return 0;
}

static void
set_scrypt(struct seal_json *record, const char *name, const struct rot_kek_scheme *scheme)
{
	struct seal_json *parts;

	if (!scheme->is_passphrase)
		return;
	parts = seal_json_set_object(record, name);
	seal_json_set_u64(parts, "n", scheme->cost.n);
	seal_json_set_u64(parts, "r", scheme->cost.r);
	seal_json_set_u64(parts, "p", scheme->cost.p);
	rot_set_bytes(parts, "salt", scheme->salt, sizeof(scheme->salt));
}

int
rot_store_put_kek(struct rot_store *store, const struct rot_kek_state *state, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_u64(record, "number", state->scheme.number);
	set_scrypt(record, "scrypt", &state->scheme);
	if (state->is_changing) {
		seal_json_set_str(record, "done", state->done);
		set_scrypt(record, "old_scrypt", &state->old);
	}
	return rot_record_put(store, KEK_KEY, record, ROT_RECORD_PUT, err);
}

/* ---- What is wrapped ---- */

enum whose {
	NOBODYS,  /* name says it */
	MEMBERS,  /* the member that name names does */
	WORKLOAD, /* what follows the prefix in the key, up to a slash; "-" is the system */
};

/* Where blobs are, in the order of their keys. */
static const struct place {
	const char *prefix; /* of the key, or all of it */
	bool is_whole;
	const char *list; /* the array whose elements hold one each; NULL: the record does */
	const char *blob; /* the member */
	enum rot_blob kind;
	enum whose whose;
	const char *name;
} places[] = {
	{ "audit-key", true, NULL, "key", ROT_BLOB_AUDIT_KEY, MEMBERS, "log" },
	{ "ca/", false, "generations", "wrapped", ROT_BLOB_CA, WORKLOAD, NULL },
	{ "meta", true, NULL, "statement_key", ROT_BLOB_SECRET, NOBODYS, "statement" },
	{ "root/", false, NULL, "wrapped", ROT_BLOB_ROOT, WORKLOAD, NULL },
	{ "roots/", false, "live", "wrapped", ROT_BLOB_ROOT, WORKLOAD, NULL },
};

static const struct place *
find_place(const char *key)
{
	for (size_t i = 0; i < SEAL_COUNT(places); i++) {
		const struct place *place = &places[i];

		if (place->is_whole ? strcmp(key, place->prefix) == 0
				    : strncmp(key, place->prefix, strlen(place->prefix)) == 0)
			return place;
	}
	return NULL;
}

static int
name_blob(const struct place *place, const char *key, const struct seal_json *holder,
	  char name[static SEAL_WORKLOAD_MAX + 1], struct seal_err *err)
{
	const char *from = place->name;
	size_t len;

	if (place->whose == WORKLOAD)
		from = key + strlen(place->prefix);
	else if (place->whose == MEMBERS && seal_json_get_str(holder, place->name, &from, NULL) < 0)
		return rot_fail_damaged(key, err);
	len = place->whose == WORKLOAD ? strcspn(from, "/") : strlen(from);
	if (len > SEAL_WORKLOAD_MAX)
		return rot_fail_damaged(key, err);
	if (place->whose == WORKLOAD && len == 1 && from[0] == '-')
		len = 0;
	memcpy(name, from, len);
	name[len] = '\0';
	return 0;
}

/* Put a new blob into the place of the one that holder holds. */
static int
rewrap_one(const struct place *place, const char *key, struct seal_json *holder,
	   const struct rot_rewrap *how, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes old = SEAL_BYTES(ROT_BLOB_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes new = SEAL_BYTES(ROT_BLOB_MAX);
	struct rot_fields fields = { .key = key, .record = holder };
	char name[SEAL_WORKLOAD_MAX + 1];
	uint64_t generation = 0;
	int r;

	rot_field_bytes(&fields, place->blob, &old);
	if (seal_json_has(holder, "generation"))
		rot_field_u64(&fields, "generation", &generation);
	if (fields.failed != 0)
		return rot_fail_damaged(key, err);
	r = name_blob(place, key, holder, name, err);
	if (r == 0)
		r = how->fn(how->arg, place->kind, name, generation, &old, &new, err);
	if (r < 0)
		return seal_note(err, r, "'%s'", key);
	seal_json_free(seal_json_take(holder, place->blob));
	rot_set_bytes(holder, place->blob, new.data, new.len);
	return 0;
}

static void
copy_members(struct seal_json *to, const struct seal_json *from)
{
	const char *name = NULL;

	while ((name = seal_json_next(from, name)) != NULL)
		seal_json_set_copy(to, name, seal_json_member(from, name));
}

static int
rewrap_list(const struct place *place, const char *key, struct seal_json *record,
	    const struct rot_rewrap *how, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *old = seal_json_take(record, place->list);
	struct seal_json *list = seal_json_set_array(record, place->list);
	int r = old == NULL || seal_json_kind(old) != SEAL_JSON_ARRAY ? rot_fail_damaged(key, err)
								      : 0;

	for (size_t i = 0; r == 0 && i < seal_json_count(old); i++) {
		struct seal_json *entry = seal_json_add_object(list);

		copy_members(entry, seal_json_at(old, i));
		r = rewrap_one(place, key, entry, how, err);
	}
	return r;
}

int
rot_store_rewrap_record(struct rot_store *store, const char *key, const struct rot_rewrap *how,
			struct seal_err *err)
{
	const struct place *place = find_place(key);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	int r;

	if (place == NULL)
		return seal_fail(err, SEAL_E_BUG, "'%s' holds nothing that is wrapped", key);
	r = rot_record_get(store, key, &record, err);
	if (r == 0)
		r = place->list != NULL ? rewrap_list(place, key, record, how, err)
					: rewrap_one(place, key, record, how, err);
	return r < 0 ? r : rot_record_put(store, key, record, ROT_RECORD_PUT, err);
}

struct search {
	struct seal_strv *keys;
	const struct place *place;
};

static int
note_key(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	const struct search *search = arg;

	(void)value;
	(void)len;
	return find_place(key) == search->place ? seal_strv_add(search->keys, key, err) : 0;
}

/* The keys of a place behind after, limit at most. */
static int
list_place(struct rot_store *store, const struct place *place, const char *after, uint64_t limit,
	   struct seal_strv *keys, struct seal_err *err)
{
	struct search search = { .keys = keys, .place = place };
	const struct rot_path next = rot_path("%s!", after);
	const struct rot_path end = rot_path("%s~", place->prefix);
	struct rot_kv_range range = { .from = place->prefix,
				      .to = end.text,
				      .limit = limit,
				      .keys_only = true,
				      .loose = true };

	if (strcmp(after, range.from) >= 0)
		range.from = next.text;
	if (place->is_whole)
		range.limit = 1;
	return rot_kv_each(store->kv, &range, note_key, &search, err);
}

int
rot_store_wrapped_keys(struct rot_store *store, const char *after, uint64_t limit,
		       struct seal_strv *keys, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(places) && keys->count < limit; i++)
		r = list_place(store, &places[i], after, limit - keys->count, keys, err);
	return r;
}
