/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of keys, their derivation, and the few keys that one peer has.  Knows nothing of what is done
 * with them.
 */
#include "config-verify/ring.h"

#include <inttypes.h>

struct entry {
	enum verify_purpose purpose;
	uint64_t generation;
	struct seal_secret *key;
};

struct verify_ring {
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct entry *entries;
	size_t count;
};

static const char *const purposes[VERIFY_N_PURPOSES] = {
	[VERIFY_CONFIG] = "config",
	[VERIFY_CONTAINER] = "container",
	[VERIFY_DATA] = "data",
};

const char *
verify_purpose_name(enum verify_purpose purpose)
{
	return purposes[purpose];
}

void
verify_key_id_format(const struct verify_key_id *id, char out[static VERIFY_KEY_ID_MAX])
{
	(void)snprintf(out, VERIFY_KEY_ID_MAX, "%s/%s/%s/%" PRIu64, id->workload,
		       verify_purpose_name(id->purpose), id->peer, id->generation);
}

static int
parse_purpose(enum verify_purpose *ret_purpose, const char *text, struct seal_err *err)
{
	for (size_t i = 0; i < VERIFY_N_PURPOSES; i++) {
		if (strcmp(purposes[i], text) == 0) {
			*ret_purpose = (enum verify_purpose)i;
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_FORMAT, "no key has the purpose '%.32s'", text);
}

/* The four parts between the slashes, each without leading zeros or blanks by its own grammar. */
static int
parse_parts(struct verify_key_id *id, const struct seal_strv *parts, struct seal_err *err)
{
	int r;

	if (parts->count != 4)
		return seal_fail(err, SEAL_E_FORMAT, "not WORKLOAD/PURPOSE/PEER/GENERATION");
	r = seal_workload_check(parts->items[0], err);
	if (r == 0)
		r = parse_purpose(&id->purpose, parts->items[1], err);
	if (r == 0)
		r = seal_peer_check(parts->items[2], err);
	if (r == 0)
		r = seal_number_parse(parts->items[3], 1, VERIFY_MAX_KEY_GENERATION,
				      &id->generation, err);
	if (r < 0)
		return r;
	(void)snprintf(id->workload, sizeof(id->workload), "%s", parts->items[0]);
	(void)snprintf(id->peer, sizeof(id->peer), "%s", parts->items[2]);
	return 0;
}

int
verify_key_id_parse(struct verify_key_id *ret_id, const char *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv parts = { 0 };
	struct verify_key_id id = { 0 };
	char again[VERIFY_KEY_ID_MAX];
	int r = seal_strv_split(&parts, text, '/', err);

	if (r == 0)
		r = parse_parts(&id, &parts, err);
	if (r < 0)
		return seal_note(err, r, "the name of a key");
	verify_key_id_format(&id, again);
	if (strcmp(again, text) != 0) /* blanks, leading zeros */
		return seal_fail(err, SEAL_E_FORMAT, "the name of a key has one spelling: %s",
				 again);
	*ret_id = id;
	return 0;
}

int
verify_key_derive(struct seal_secret **ret_key, const struct seal_secret *root,
		  const struct verify_key_id *id, struct seal_err *err)
{
	char text[VERIFY_KEY_ID_MAX];
	char info[VERIFY_KEY_ID_MAX + 8];

	if (seal_secret_len(root) != SEAL_KEY_LEN)
		return seal_fail(err, SEAL_E_BUG, "a root of %zu bytes", seal_secret_len(root));
	verify_key_id_format(id, text);
	(void)snprintf(info, sizeof(info), "seal/1/%s", text);
	return seal_hkdf(ret_key, root, info, err);
}

int
verify_ring_new(struct verify_ring **ret_ring, const char *workload, const char *peer,
		struct seal_err *err)
{
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	int r = seal_workload_check(workload, err);

	if (r == 0)
		r = seal_peer_check(peer, err);
	if (r < 0)
		return r;
	ring = calloc(1, sizeof(*ring));
	if (ring == NULL)
		return seal_fail_memory(err);
	(void)snprintf(ring->workload, sizeof(ring->workload), "%s", workload);
	(void)snprintf(ring->peer, sizeof(ring->peer), "%s", peer);
	*ret_ring = SEAL_TAKE(ring);
	return 0;
}

void
verify_ring_free(struct verify_ring *ring)
{
	if (ring == NULL)
		return;
	for (size_t i = 0; i < ring->count; i++)
		seal_secret_free(ring->entries[i].key);
	free(ring->entries);
	free(ring);
}

void
verify_ring_freep(struct verify_ring **ring)
{
	verify_ring_free(*ring);
	*ring = NULL;
}

const char *
verify_ring_workload(const struct verify_ring *ring)
{
	return ring->workload;
}

const char *
verify_ring_peer(const struct verify_ring *ring)
{
	return ring->peer;
}

int
verify_ring_add(struct verify_ring *ring, const struct verify_key_id *id, struct seal_secret **key,
		struct seal_err *err)
{
	struct entry *grown;

	if (strcmp(id->workload, ring->workload) != 0 || strcmp(id->peer, ring->peer) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "a key of %s/%s, not of %s/%s", id->workload,
				 id->peer, ring->workload, ring->peer);
	if (id->generation == 0 || seal_secret_len(*key) != SEAL_KEY_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "a key of %zu bytes, generation %" PRIu64,
				 seal_secret_len(*key), id->generation);
	if (verify_ring_find(ring, id->purpose, id->generation) != NULL)
		return seal_fail(err, SEAL_E_CONFLICT, "the %s key of generation %" PRIu64 " twice",
				 verify_purpose_name(id->purpose), id->generation);
	grown = reallocarray(ring->entries, ring->count + 1, sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	ring->entries = grown;
	grown[ring->count++] = (struct entry){ id->purpose, id->generation, SEAL_TAKE(*key) };
	return 0;
}

const struct seal_secret *
verify_ring_find(const struct verify_ring *ring, enum verify_purpose purpose, uint64_t generation)
{
	if (generation == 0)
		generation = verify_ring_newest(ring, purpose);
	for (size_t i = 0; i < ring->count; i++) {
		const struct entry *entry = &ring->entries[i];

		if (entry->purpose == purpose && entry->generation == generation)
			return entry->key;
	}
	return NULL;
}

uint64_t
verify_ring_newest(const struct verify_ring *ring, enum verify_purpose purpose)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < ring->count; i++)
		if (ring->entries[i].purpose == purpose && ring->entries[i].generation > newest)
			newest = ring->entries[i].generation;
	return newest;
}
