/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pod is told between two certificates.  Policy is whole, lists have one order whoever sent them, and
 * none of it is secret.  What a serial number or a key's name stands for is for others.
 */

#include "rot/wire/wire.h"

#include <string.h>

#include "base/json/json.h"
#include "rot/wire/wire_internal.h"

void
rot_sync_release(struct rot_sync *sync)
{
	seal_strv_release(&sync->clients);
	seal_strv_release(&sync->servers);
	free(sync->ca_bundle);
	free(sync->former_cas);
	seal_strv_release(&sync->revoked);
	rot_floor_free(sync->floor, sync->floor_count);
	seal_strv_release(&sync->keys);
	*sync = (struct rot_sync){ 0 };
}

int
rot_sync_encode(const struct rot_sync *sync, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();

	seal_json_set_u64(json, "epoch", sync->epoch);
	seal_json_set_strv(json, "clients", &sync->clients);
	seal_json_set_strv(json, "servers", &sync->servers);
	seal_json_set_str(json, "ca_bundle", sync->ca_bundle);
	if (sync->former_cas != NULL)
		seal_json_set_str(json, "former_cas", sync->former_cas);
	seal_json_set_strv(json, "revoked", &sync->revoked);
	rot_wire_set_floor(json, sync->floor, sync->floor_count);
	seal_json_set_strv(json, "keys", &sync->keys);
	seal_json_set_bool(json, "renew", sync->renew);
	return seal_json_dump(json, false, out, err);
}

/* As the root of trust makes them: sixteen bytes. */
#define SERIAL_DIGITS 32

static int
check_serial(const char *serial, struct seal_err *err)
{
	if (strlen(serial) != SERIAL_DIGITS || strspn(serial, "0123456789abcdef") != SERIAL_DIGITS)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no serial number", serial);
	return 0;
}

static int
check_key_id(const char *id, struct seal_err *err)
{
	size_t len = strlen(id);

	if (len > ROT_KEY_ID_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the name of a key is too long");
	for (size_t i = 0; i < len; i++) {
		if (id[i] <= ' ' || id[i] > '~')
			return seal_fail(err, SEAL_E_FORMAT, "no name of a key");
	}
	return len == 0 ? seal_fail(err, SEAL_E_FORMAT, "a key without a name") : 0;
}

/* A list that may be long, sorted: neighbours tell what is there twice. */
static int
parse_sorted(struct seal_strv *list, const struct seal_json *json, const char *name, size_t max,
	     rot_wire_check_fn check, struct seal_err *err)
{
	int r = seal_json_get_strv(json, name, max, list, err);

	if (r < 0)
		return rot_wire_malformed(err, r);
	for (size_t i = 0; i < list->count; i++) {
		r = check(list->items[i], err);
		if (r < 0)
			return seal_note(err, r, "member '%s'", name);
	}
	seal_strv_sort(list);
	for (size_t i = 1; i < list->count; i++) {
		if (strcmp(list->items[i - 1], list->items[i]) == 0)
			return seal_fail(err, SEAL_E_FORMAT, "member '%s' repeats '%.64s'", name,
					 list->items[i]);
	}
	return 0;
}

static int
parse_policy(struct rot_sync *sync, const struct seal_json *json, struct seal_err *err)
{
	int r = seal_json_get_u64(json, "epoch", INT64_MAX, &sync->epoch, err);

	if (r < 0)
		return rot_wire_malformed(err, r);
	r = rot_wire_names(&sync->clients, json, "clients", ROT_MAX_PEERS, seal_peer_or_every_check,
			   err);
	if (r == 0)
		r = rot_wire_names(&sync->servers, json, "servers", ROT_MAX_PEERS,
				   seal_peer_or_every_check, err);
	if (r == 0)
		r = rot_wire_text(&sync->ca_bundle, json, "ca_bundle", err);
	/* Not of those who have never retired one, nor of earlier versions. */
	if (r == 0 && seal_json_has(json, "former_cas"))
		r = rot_wire_text(&sync->former_cas, json, "former_cas", err);
	return r;
}

int
rot_sync_parse(struct rot_sync *ret_sync, const void *body, size_t body_len, struct seal_err *err)
{
	SEAL_SCOPED(rot_sync_release) struct rot_sync sync = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r = seal_json_parse(&json, body, body_len, ROT_MAX_SYNC, err);

	if (r == 0)
		r = parse_policy(&sync, json, err);
	if (r == 0)
		r = parse_sorted(&sync.revoked, json, "revoked", ROT_MAX_REVOKED, check_serial,
				 err);
	if (r == 0)
		r = rot_wire_floor(&sync.floor, &sync.floor_count, json, err);
	if (r == 0)
		r = parse_sorted(&sync.keys, json, "keys", ROT_MAX_KEYS, check_key_id, err);
	if (r < 0)
		return r;
	r = seal_json_get_bool(json, "renew", &sync.renew, err);
	if (r < 0)
		return rot_wire_malformed(err, r);

	*ret_sync = sync;
	sync = (struct rot_sync){ 0 }; /* the caller owns it now */
	return 0;
}
