/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/unseal: values in any number of places, of any workload, opened with the keys in use; all of
 * them, or none.  What a retired key sealed is closed for good.
 */

#include <inttypes.h>

#include "config-verify/sealed.h"
#include "rot/server/api_internal.h"

#define RINGS_MAX 64 /* peers whose values come in one request */

struct opener {
	struct rot_call *call;
	struct verify_ring *rings[RINGS_MAX];
	size_t count;
};

static void
release_opener(struct opener *opener)
{
	for (size_t i = 0; i < opener->count; i++)
		verify_ring_free(opener->rings[i]);
}

static int
find_ring(struct opener *opener, const struct verify_key_id *id,
	  const struct verify_ring **ret_ring, struct seal_err *err)
{
	int r;

	for (size_t i = 0; i < opener->count; i++) {
		if (strcmp(verify_ring_workload(opener->rings[i]), id->workload) == 0 &&
		    strcmp(verify_ring_peer(opener->rings[i]), id->peer) == 0) {
			*ret_ring = opener->rings[i];
			return 0;
		}
	}
	if (opener->count == RINGS_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "values of more than %d peers", RINGS_MAX);
	rot_call_about(opener->call, id->workload); /* the last one, of several */
	r = rot_ring(opener->call, id->workload, id->peer, ROT_PURPOSE(VERIFY_CONFIG), false,
		     &opener->rings[opener->count], err);
	if (r == 0)
		*ret_ring = opener->rings[opener->count++];
	return r;
}

/* What JSON can write with at most two letters for one. */
static bool
is_plain_control(uint8_t c)
{
	return c == '\t' || c == '\n' || c == '\r';
}

/* Well-formed UTF-8 (Unicode, table 3-7) without control characters but those of text. */
static bool
is_text(const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;

	while (at < end) {
		uint8_t low = 0x80, high = 0xbf;
		int more = 0;

		if ((*at < 0x20 && !is_plain_control(*at)) || (*at >= 0x80 && *at < 0xc2) ||
		    *at > 0xf4)
			return false;
		if (*at >= 0xc2)
			more = *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
		if (*at == 0xe0)
			low = 0xa0; /* or it could be shorter */
		else if (*at == 0xed)
			high = 0x9f; /* no surrogates */
		else if (*at == 0xf0)
			low = 0x90;
		else if (*at == 0xf4)
			high = 0x8f; /* U+10FFFF is the last */
		for (at++; more > 0; more--, at++) {
			if (at == end || *at < low || *at > high)
				return false;
			low = 0x80;
			high = 0xbf;
		}
	}
	return true;
}

static int
set_plain(struct seal_json *entry, const struct seal_secret *plain, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes data = SEAL_BYTES(2 * VERIFY_PLAIN_MAX);
	int r;

	if (is_text(seal_secret_peek(plain), seal_secret_len(plain))) {
		seal_json_set_str(entry, "text", seal_secret_chars(plain));
		return 0;
	}
	r = seal_base64url_encode(&data, seal_secret_peek(plain), seal_secret_len(plain), err);
	if (r == 0)
		seal_json_set_str(entry, "data", seal_bytes_str(&data));
	return r;
}

static void
set_place(struct seal_json *entry, const struct verify_key_id *id,
	  const struct verify_binding *binding)
{
	seal_json_set_str(entry, "ns", binding->ns);
	seal_json_set_str(entry, "kind", binding->kind);
	seal_json_set_str(entry, "name", binding->name);
	seal_json_set_str(entry, "key", binding->key);
	if (binding->container[0] != '\0')
		seal_json_set_str(entry, "container", binding->container);
	seal_json_set_u64(entry, "gen", binding->gen);
	seal_json_set_u64(entry, "of", binding->of);
	seal_json_set_str(entry, "workload", id->workload);
	seal_json_set_str(entry, "peer", id->peer);
}

static int
open_value(struct opener *opener, const char *text, struct seal_json *entry, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	const struct verify_ring *ring = NULL;
	struct verify_binding binding = { 0 };
	struct verify_key_id id = { 0 };
	int r;

	if (text == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "it is no string");
	r = verify_peek(text, strlen(text), &id, &binding, err);
	if (r == 0)
		r = find_ring(opener, &id, &ring, err);
	if (r < 0)
		return r;
	if (verify_ring_find(ring, VERIFY_CONFIG, id.generation) == NULL)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "key generation %" PRIu64 " of workload '%s' is not in use",
				 id.generation, id.workload);
	r = verify_open_any(&plain, &binding, ring, text, strlen(text), err);
	if (r == SEAL_E_UNAUTH) /* it is the value that is wrong, not the caller */
		return seal_fail(err, SEAL_E_FORMAT,
				 "it was altered, or not sealed by this root of trust");
	if (r < 0)
		return r;
	set_place(entry, &id, &binding);
	return set_plain(entry, plain, err);
}

static int
open_all(struct opener *opener, const struct seal_json *sealed, struct seal_err *err)
{
	struct seal_json *values = seal_json_set_array(opener->call->reply, "values");
	int r;

	for (size_t i = 0; i < seal_json_count(sealed); i++) {
		r = open_value(opener, seal_json_str(seal_json_at(sealed, i)),
			       seal_json_add_object(values), err);
		if (r < 0)
			return seal_note(err, r, "value %zu", i + 1);
	}
	return 0;
}

int
rot_unseal(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(release_opener) struct opener opener = { .call = call };
	const struct seal_json *sealed = NULL;
	int r;

	if (!seal_json_has(call->body, "values"))
		return seal_fail(err, SEAL_E_FORMAT, "the member 'values' is missing");
	r = seal_json_get_array(call->body, "values", &sealed, err);
	if (r < 0)
		return r;
	if (seal_json_count(sealed) < 1 || seal_json_count(sealed) > VERIFY_MAX_VALUES)
		return seal_fail(err, SEAL_E_LIMIT, "a request has 1 to %u values",
				 VERIFY_MAX_VALUES);
	r = open_all(&opener, sealed, err);
	if (r < 0)
		return r;
	(void)snprintf(call->subject, sizeof(call->subject), "%zu values of %s/%s%s",
		       seal_json_count(sealed), verify_ring_workload(opener.rings[0]),
		       verify_ring_peer(opener.rings[0]), opener.count > 1 ? " and others" : "");
	return 0;
}
