/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pod gets for its request: certificate, policy, keys, floor.  What key ids and objects mean is
 * for others; here they are names within limits, none twice.
 */

#include "rot/wire/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json/json.h"
#include "rot/wire/wire_internal.h"

void
rot_floor_free(struct rot_floor *floor, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(floor[i].object);
	free(floor);
}

void
rot_credentials_release(struct rot_credentials *credentials)
{
	free(credentials->certificate);
	free(credentials->ca_bundle);
	seal_strv_release(&credentials->clients);
	seal_strv_release(&credentials->servers);
	for (size_t i = 0; i < credentials->key_count; i++) {
		free(credentials->keys[i].id);
		seal_secret_free(credentials->keys[i].key);
	}
	free(credentials->keys);
	rot_floor_free(credentials->floor, credentials->floor_count);
	*credentials = (struct rot_credentials){ 0 };
}

/* The second part of a key's name, for readers that do not take names apart. */
static void
set_purpose(struct seal_json *object, const char *id)
{
	char purpose[ROT_KEY_ID_MAX + 1] = "";
	const char *from = strchr(id, '/');

	if (from != NULL)
		(void)snprintf(purpose, sizeof(purpose), "%.*s", (int)strcspn(from + 1, "/"),
			       from + 1);
	seal_json_set_str(object, "purpose", purpose);
}

static int
set_keys(struct seal_json *json, const struct rot_credentials *credentials, struct seal_err *err)
{
	struct seal_json *keys = seal_json_set_array(json, "keys");
	int r;

	for (size_t i = 0; i < credentials->key_count; i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(64);
		const struct rot_key *key = &credentials->keys[i];
		struct seal_json *object = seal_json_add_object(keys);

		r = seal_base64url_encode(&text, seal_secret_peek(key->key),
					  seal_secret_len(key->key), err);
		if (r < 0)
			return r;
		seal_json_set_str(object, "id", key->id);
		set_purpose(object, key->id);
		seal_json_set_str(object, "key", seal_bytes_str(&text));
	}
	return 0;
}

void
rot_wire_set_floor(struct seal_json *json, const struct rot_floor *floor, size_t count)
{
	struct seal_json *object = seal_json_set_object(json, "floor");

	for (size_t i = 0; i < count; i++)
		seal_json_set_u64(object, floor[i].object, floor[i].gen);
}

int
rot_credentials_encode(const struct rot_credentials *credentials, struct seal_bytes *out,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r;

	if (credentials->renew_after < 0)
		return seal_fail(err, SEAL_E_BUG, "credentials to be renewed before 1970");

	json = seal_json_new();
	seal_json_set_str(json, "certificate", credentials->certificate);
	seal_json_set_str(json, "ca_bundle", credentials->ca_bundle);
	seal_json_set_str(json, "workload", credentials->workload);
	seal_json_set_str(json, "peer", credentials->peer);
	seal_json_set_strv(json, "clients", &credentials->clients);
	seal_json_set_strv(json, "servers", &credentials->servers);
	r = set_keys(json, credentials, err);
	if (r < 0)
		return r;
	rot_wire_set_floor(json, credentials->floor, credentials->floor_count);
	seal_json_set_u64(json, "epoch", credentials->epoch);
	seal_json_set_u64(json, "renew_after", (uint64_t)credentials->renew_after);
	return seal_json_dump(json, false, out, err);
}

static int
parse_policy(struct rot_credentials *credentials, const struct seal_json *json,
	     struct seal_err *err)
{
	uint64_t renew_after;
	int r;

	r = rot_wire_names(&credentials->clients, json, "clients", ROT_MAX_PEERS,
			   seal_peer_or_every_check, err);
	if (r < 0)
		return r;
	r = rot_wire_names(&credentials->servers, json, "servers", ROT_MAX_PEERS,
			   seal_peer_or_every_check, err);
	if (r < 0)
		return r;
	r = seal_json_get_u64(json, "epoch", INT64_MAX, &credentials->epoch, err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	r = seal_json_get_u64(json, "renew_after", INT64_MAX, &renew_after, err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	credentials->renew_after = (int64_t)renew_after;
	return 0;
}

static int
parse_identity(struct rot_credentials *credentials, const struct seal_json *json,
	       struct seal_err *err)
{
	int r;

	r = rot_wire_text(&credentials->certificate, json, "certificate", err);
	if (r < 0)
		return r;
	r = rot_wire_text(&credentials->ca_bundle, json, "ca_bundle", err);
	if (r < 0)
		return r;
	r = rot_wire_name(credentials->workload, SEAL_WORKLOAD_MAX, json, "workload",
			  seal_workload_check, err);
	if (r < 0)
		return r;
	return rot_wire_name(credentials->peer, SEAL_PEER_MAX, json, "peer", seal_peer_check, err);
}

/* ---- Keys ---- */

/* Its text is wiped with the JSON it stands in; what is decoded here is wiped as it is left. */
static int
parse_secret(struct seal_secret **ret_key, const struct seal_json *object, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes raw = SEAL_BYTES(ROT_KEY_LEN);
	const char *text = NULL;
	int r;

	r = seal_json_get_str(object, "key", &text, err);
	if (r == 0)
		r = seal_base64url_decode(&raw, text, strlen(text), err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	if (raw.len != ROT_KEY_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "a key of %zu bytes", raw.len);
	return seal_secret_from(ret_key, raw.data, raw.len, err);
}

static int
parse_key(struct rot_credentials *credentials, const struct seal_json *object, struct seal_err *err)
{
	struct rot_key *key = &credentials->keys[credentials->key_count];
	int r;

	if (seal_json_kind(object) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "a key that is no object");
	r = rot_wire_text(&key->id, object, "id", err);
	if (r < 0)
		return r;
	credentials->key_count++; /* from here on released with the rest */
	if (strlen(key->id) > ROT_KEY_ID_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the name of a key is too long");
	for (size_t i = 0; i + 1 < credentials->key_count; i++) {
		if (strcmp(credentials->keys[i].id, key->id) == 0)
			return seal_fail(err, SEAL_E_FORMAT, "the same key twice");
	}
	return parse_secret(&key->key, object, err);
}

static int
parse_keys(struct rot_credentials *credentials, const struct seal_json *json, struct seal_err *err)
{
	const struct seal_json *keys = NULL;
	size_t count;
	int r;

	r = seal_json_get_array(json, "keys", &keys, err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	count = seal_json_count(keys);
	if (count > ROT_MAX_KEYS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d keys", ROT_MAX_KEYS);
	credentials->keys = calloc(count > 0 ? count : 1, sizeof(*credentials->keys));
	if (credentials->keys == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = parse_key(credentials, seal_json_at(keys, i), err);
	return r < 0 ? seal_note(err, r, "member 'keys'") : 0;
}

/* ---- The floor ---- */

/* Three parts between two slashes, of printable letters without blanks. */
static bool
is_object(const char *name)
{
	size_t len = strlen(name);
	const char *kind = strchr(name, '/');
	const char *last = kind != NULL ? strchr(kind + 1, '/') : NULL;

	if (len > ROT_OBJECT_MAX || last == NULL || kind == name || last == kind + 1 ||
	    last[1] == '\0' || strchr(last + 1, '/') != NULL)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	}
	return true;
}

static int
parse_object(struct rot_floor *entry, const struct seal_json *floor, const char *name,
	     struct seal_err *err)
{
	int r;

	if (!is_object(name))
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no name of an object", name);
	r = seal_json_get_u64(floor, name, ROT_MAX_GEN, &entry->gen, err);
	if (r < 0)
		return r;
	if (entry->gen == 0)
		return seal_fail(err, SEAL_E_FORMAT, "generations count from 1");
	entry->object = seal_strndup(name, strlen(name));
	return entry->object == NULL ? seal_fail_memory(err) : 0;
}

static int
by_object(const void *a, const void *b)
{
	const struct rot_floor *left = a, *right = b;

	return strcmp(left->object, right->object);
}

/* How many members, up to one more than allowed. */
static size_t
count_members(const struct seal_json *object)
{
	const char *name = NULL;
	size_t count = 0;

	while (count <= ROT_MAX_FLOOR && (name = seal_json_next(object, name)) != NULL)
		count++;
	return count;
}

int
rot_wire_floor(struct rot_floor **ret_floor, size_t *ret_count, const struct seal_json *json,
	       struct seal_err *err)
{
	const struct seal_json *object = NULL;
	struct rot_floor *floor;
	const char *name = NULL;
	size_t filled = 0;
	size_t count;
	int r;

	r = seal_json_get_object(json, "floor", &object, err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	count = count_members(object);
	if (count > ROT_MAX_FLOOR)
		return seal_fail(err, SEAL_E_LIMIT, "member 'floor' names more than %d objects",
				 ROT_MAX_FLOOR);
	floor = calloc(count > 0 ? count : 1, sizeof(*floor));
	if (floor == NULL)
		return seal_fail_memory(err);
	while (r == 0 && (name = seal_json_next(object, name)) != NULL) {
		r = parse_object(&floor[filled], object, name, err);
		filled += r == 0;
	}
	if (r < 0) {
		rot_floor_free(floor, filled);
		return seal_note(err, r, "member 'floor'");
	}
	qsort(floor, count, sizeof(*floor), by_object);
	*ret_floor = floor;
	*ret_count = count;
	return 0;
}

int
rot_credentials_parse(struct rot_credentials *ret_credentials, const void *body, size_t body_len,
		      struct seal_err *err)
{
	SEAL_SCOPED(rot_credentials_release) struct rot_credentials credentials = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r;

	r = seal_json_parse(&json, body, body_len, ROT_MAX_CREDENTIALS, err);
	if (r < 0)
		return r;
	r = parse_identity(&credentials, json, err);
	if (r < 0)
		return r;
	r = parse_policy(&credentials, json, err);
	if (r == 0)
		r = parse_keys(&credentials, json, err);
	if (r == 0)
		r = rot_wire_floor(&credentials.floor, &credentials.floor_count, json, err);
	if (r < 0)
		return r;

	*ret_credentials = credentials;
	credentials = (struct rot_credentials){ 0 }; /* the caller owns it now */
	return 0;
}
