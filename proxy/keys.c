/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and bounds under one lock.  Opening a value takes a millisecond at most, and the identity's
 * thread, which is the only other to come, has time.
 */
#include "proxy/keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/jwe/jwe.h"
#include "base/log/log.h"

/* "shop/ConfigMap/app" and the oldest generation of it that may be opened. */
struct bound {
	char *object;
	uint64_t gen;
};

struct bounds {
	struct bound *items; /* sorted by object */
	size_t count;
	size_t room;
};

struct proxy_keys {
	pthread_mutex_t lock;
	struct verify_ring *ring; /* NULL before the first update */
	struct bounds bounds;
};

/* ---- Bounds ---- */

static void
release_bounds(struct bounds *bounds)
{
	for (size_t i = 0; i < bounds->count; i++)
		free(bounds->items[i].object);
	free(bounds->items);
	*bounds = (struct bounds){ 0 };
}

/* Where the object is, or would be. */
static size_t
find_place(const struct bounds *bounds, const char *object, bool *ret_found)
{
	size_t low = 0;
	size_t high = bounds->count;

	*ret_found = false;
	while (low < high && !*ret_found) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(bounds->items[middle].object, object);

		if (order < 0)
			low = middle + 1;
		else
			high = middle;
		*ret_found = order == 0;
	}
	return high;
}

static uint64_t
bound_of(const struct bounds *bounds, const char *object)
{
	bool found;
	size_t at = find_place(bounds, object, &found);

	return found ? bounds->items[at].gen : 0;
}

static int
make_room(struct bounds *bounds, size_t more, struct seal_err *err)
{
	size_t wanted = bounds->count + more;
	struct bound *grown;

	if (wanted <= bounds->room)
		return 0;
	if (wanted > PROXY_KEYS_OBJECTS_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "more than %u sealed objects",
				 PROXY_KEYS_OBJECTS_MAX);
	grown = reallocarray(bounds->items, wanted, sizeof(*grown));
	if (grown == NULL)
		return seal_fail_memory(err);
	bounds->items = grown;
	bounds->room = wanted;
	return 0;
}

/* Never down. */
static int
raise_bound(struct bounds *bounds, const char *object, uint64_t gen, struct seal_err *err)
{
	bool found;
	size_t at = find_place(bounds, object, &found);
	char *copy;
	int r;

	if (found) {
		if (gen > bounds->items[at].gen)
			bounds->items[at].gen = gen;
		return 0;
	}
	r = make_room(bounds, 1, err);
	if (r < 0)
		return r;
	copy = seal_strndup(object, strlen(object));
	if (copy == NULL)
		return seal_fail_memory(err);
	memmove(&bounds->items[at + 1], &bounds->items[at],
		(bounds->count - at) * sizeof(*bounds->items));
	bounds->items[at] = (struct bound){ copy, gen };
	bounds->count++;
	return 0;
}

/* ---- What the root of trust says ---- */

static int
make_ring(struct verify_ring **ret_ring, const struct rot_credentials *credentials,
	  struct seal_err *err)
{
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	int r = verify_ring_new(&ring, credentials->workload, credentials->peer, err);

	for (size_t i = 0; r == 0 && i < credentials->key_count; i++) {
		SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
		const struct rot_key *from = &credentials->keys[i];
		struct verify_key_id id = { 0 };

		r = verify_key_id_parse(&id, from->id, err);
		if (r == 0)
			r = seal_secret_from(&key, seal_secret_peek(from->key),
					     seal_secret_len(from->key), err);
		if (r == 0)
			r = verify_ring_add(ring, &id, &key, err);
	}
	if (r < 0)
		return r;
	*ret_ring = SEAL_TAKE(ring);
	return 0;
}

/*
 * A root of trust that knows less than we have seen was restored from a backup: what it seals now we refuse, until
 * it is past that.  Not under the lock: nobody else changes a bound but upwards.
 */
static void
warn_of_old(struct proxy_keys *keys, const struct rot_floor *floor, size_t count)
{
	uint64_t seen = 0;
	size_t i = 0;

	pthread_mutex_lock(&keys->lock);
	while (i < count && (seen = bound_of(&keys->bounds, floor[i].object)) <= floor[i].gen)
		i++;
	pthread_mutex_unlock(&keys->lock);
	if (i < count)
		seal_log(SEAL_LOG_WARN, "generation_went_back", SEAL_STR("object", floor[i].object),
			 SEAL_U64("seen", seen), SEAL_U64("said", floor[i].gen),
			 SEAL_STR("advice", "the root of trust was restored from an older backup: "
					    "seal the object again"));
}

/* A raised bound that outlives a failure is only stricter. */
static int
raise_all(struct bounds *bounds, const struct rot_floor *floor, size_t count, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = raise_bound(bounds, floor[i].object, floor[i].gen, err);
	return r;
}

int
proxy_keys_update(struct proxy_keys *keys, const struct rot_credentials *credentials,
		  struct seal_err *err)
{
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *ring = NULL;
	int r = make_ring(&ring, credentials, err);

	if (r < 0)
		return seal_note(err, r, "the keys received");
	warn_of_old(keys, credentials->floor, credentials->floor_count);
	pthread_mutex_lock(&keys->lock);
	r = raise_all(&keys->bounds, credentials->floor, credentials->floor_count, err);
	if (r == 0) {
		struct verify_ring *before = keys->ring;

		keys->ring = ring;
		ring = before;
	}
	pthread_mutex_unlock(&keys->lock);
	return r < 0 ? seal_note(err, r, "the generations received") : 0;
}

/* A key of ours by its name, or none.  Under the lock. */
static const struct seal_secret *
find_key(const struct verify_ring *ring, const char *text, struct verify_key_id *ret_id)
{
	if (ring == NULL || verify_key_id_parse(ret_id, text, NULL) < 0 ||
	    strcmp(ret_id->workload, verify_ring_workload(ring)) != 0 ||
	    strcmp(ret_id->peer, verify_ring_peer(ring)) != 0)
		return NULL;
	return verify_ring_find(ring, ret_id->purpose, ret_id->generation);
}

/* Of the keys in ring those that are named. */
static int
keep_named(struct verify_ring **ret_kept, const struct verify_ring *ring,
	   const struct seal_strv *ids, bool *ret_lacks, struct seal_err *err)
{
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *kept = NULL;
	int r = verify_ring_new(&kept, verify_ring_workload(ring), verify_ring_peer(ring), err);

	for (size_t i = 0; r == 0 && i < ids->count; i++) {
		SEAL_SCOPED(seal_secret_freep) struct seal_secret *copy = NULL;
		struct verify_key_id id = { 0 };
		const struct seal_secret *key = find_key(ring, ids->items[i], &id);

		if (key == NULL) {
			*ret_lacks = true;
			continue;
		}
		r = seal_secret_from(&copy, seal_secret_peek(key), seal_secret_len(key), err);
		if (r == 0)
			r = verify_ring_add(kept, &id, &copy, err);
	}
	if (r < 0)
		return r;
	*ret_kept = SEAL_TAKE(kept);
	return 0;
}

int
proxy_keys_sync(struct proxy_keys *keys, const struct rot_sync *sync, bool *ret_lacks,
		struct seal_err *err)
{
	SEAL_SCOPED(verify_ring_freep) struct verify_ring *kept = NULL;
	bool lacks = false;
	int r;

	warn_of_old(keys, sync->floor, sync->floor_count);
	pthread_mutex_lock(&keys->lock);
	r = raise_all(&keys->bounds, sync->floor, sync->floor_count, err);
	if (r == 0 && keys->ring != NULL)
		r = keep_named(&kept, keys->ring, &sync->keys, &lacks, err);
	if (r == 0 && kept != NULL) {
		struct verify_ring *before = keys->ring;

		keys->ring = kept;
		kept = before;
	}
	pthread_mutex_unlock(&keys->lock);
	if (r < 0)
		return seal_note(err, r, "the keys and generations named");
	*ret_lacks = lacks;
	return 0;
}

void
proxy_keys_forget(struct proxy_keys *keys)
{
	struct verify_ring *before;

	pthread_mutex_lock(&keys->lock);
	before = SEAL_TAKE(keys->ring);
	pthread_mutex_unlock(&keys->lock);
	verify_ring_free(before);
}

/* ---- Opening ---- */

/* Under the lock. */
static int
open_value(struct proxy_keys *keys, struct seal_secret **ret_plain,
	   struct verify_binding *ret_binding, const struct verify_binding *expect,
	   const char *text, size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding bounded = *expect;
	struct verify_binding binding = { 0 };
	char object[VERIFY_OBJECT_MAX];
	uint64_t bound;
	int r;

	if (keys->ring == NULL)
		return seal_fail(err, SEAL_E_UNAUTH, "there are no keys yet");
	verify_object_format(expect, object);
	bound = bound_of(&keys->bounds, object);
	if (bound > bounded.gen)
		bounded.gen = bound;
	r = verify_open(&plain, &binding, keys->ring, &bounded, text, text_len, err);
	if (r == 0)
		r = raise_bound(&keys->bounds, object, binding.gen, err);
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	*ret_binding = binding;
	return 0;
}

int
proxy_keys_open(struct proxy_keys *keys, struct seal_secret **ret_plain,
		struct verify_binding *ret_binding, const struct verify_binding *expect,
		const char *text, size_t text_len, struct seal_err *err)
{
	int r;

	pthread_mutex_lock(&keys->lock);
	r = open_value(keys, ret_plain, ret_binding, expect, text, text_len, err);
	pthread_mutex_unlock(&keys->lock);
	return r;
}

/* Under the lock. */
static int
open_own(struct proxy_keys *keys, struct seal_secret **ret_plain,
	 struct verify_binding *ret_binding, const struct verify_binding *expect, const char *text,
	 size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding = { 0 };
	int r;

	if (keys->ring == NULL)
		return seal_fail(err, SEAL_E_UNAUTH, "there are no keys yet");
	r = verify_open(&plain, &binding, keys->ring, expect, text, text_len, err);
	if (r == 0 && binding.gen != expect->gen)
		r = seal_fail(err, SEAL_E_REFUSED,
			      "sealed later than this pod's other parts: apply the whole manifest");
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	*ret_binding = binding;
	return 0;
}

int
proxy_keys_open_own(struct proxy_keys *keys, struct seal_secret **ret_plain,
		    struct verify_binding *ret_binding, const struct verify_binding *expect,
		    const char *text, size_t text_len, struct seal_err *err)
{
	int r;

	pthread_mutex_lock(&keys->lock);
	r = open_own(keys, ret_plain, ret_binding, expect, text, text_len, err);
	pthread_mutex_unlock(&keys->lock);
	return r;
}

int
proxy_keys_open_again(struct proxy_keys *keys, struct seal_secret **ret_plain,
		      struct verify_binding *ret_binding, const struct verify_binding *expect,
		      const char *text, size_t text_len, struct seal_err *err)
{
	int r;

	pthread_mutex_lock(&keys->lock);
	if (keys->ring == NULL)
		r = seal_fail(err, SEAL_E_UNAUTH, "there are no keys yet");
	else
		r = verify_open(ret_plain, ret_binding, keys->ring, expect, text, text_len, err);
	pthread_mutex_unlock(&keys->lock);
	return r;
}

int
proxy_keys_token(struct proxy_keys *keys, struct verify_token *ret_token, const char *container,
		 uint64_t generation, struct seal_err *err)
{
	int r;

	if (generation == 0) /* for a ring, the newest; for a caller, no answer */
		return seal_fail(err, SEAL_E_MISSING, "a token without a generation");
	pthread_mutex_lock(&keys->lock);
	if (keys->ring == NULL)
		r = seal_fail(err, SEAL_E_MISSING, "there are no keys yet");
	else
		r = verify_token_make(ret_token, keys->ring, container, generation, err);
	pthread_mutex_unlock(&keys->lock);
	return r;
}

/* ---- Data ---- */

/* Under the lock. */
static int
encrypt(const struct proxy_keys *keys, struct seal_bytes *out, const void *plain, size_t plain_len,
	struct seal_err *err)
{
	struct verify_key_id id = { .purpose = VERIFY_DATA };
	char kid[VERIFY_KEY_ID_MAX];

	if (keys->ring != NULL)
		id.generation = verify_ring_newest(keys->ring, VERIFY_DATA);
	if (id.generation == 0)
		return seal_fail(err, SEAL_E_MISSING, "there is no key for data");
	(void)snprintf(id.workload, sizeof(id.workload), "%s", verify_ring_workload(keys->ring));
	(void)snprintf(id.peer, sizeof(id.peer), "%s", verify_ring_peer(keys->ring));
	verify_key_id_format(&id, kid);
	return seal_jwe_seal(out, verify_ring_find(keys->ring, VERIFY_DATA, id.generation), kid,
			     NULL, plain, plain_len, err);
}

int
proxy_keys_encrypt(struct proxy_keys *keys, struct seal_bytes *out, const void *plain,
		   size_t plain_len, struct seal_err *err)
{
	int r;

	if (plain_len > VERIFY_PLAIN_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%zu bytes, more than %u", plain_len,
				 VERIFY_PLAIN_MAX);
	pthread_mutex_lock(&keys->lock);
	r = encrypt(keys, out, plain, plain_len, err);
	pthread_mutex_unlock(&keys->lock);
	return r;
}

/* The key a value names, when it is one of ours for data.  Borrowed, under the lock. */
static const struct seal_secret *
find_data_key(const struct proxy_keys *keys, const char *kid)
{
	struct verify_key_id id = { 0 };
	const struct seal_secret *key = find_key(keys->ring, kid, &id);

	return key != NULL && id.purpose == VERIFY_DATA ? key : NULL;
}

int
proxy_keys_decrypt(struct proxy_keys *keys, struct seal_secret **ret_plain, const char *text,
		   size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	const struct seal_secret *key;
	const char *kid = NULL;
	int r;

	if (text_len > VERIFY_SEALED_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%zu characters, more than %u", text_len,
				 VERIFY_SEALED_MAX);
	r = seal_jwe_header(&header, text, text_len, err);
	if (r == 0)
		r = seal_json_get_str(header, "kid", &kid, err);
	if (r < 0)
		return seal_note(err, SEAL_E_FORMAT, "no sealed data");
	pthread_mutex_lock(&keys->lock);
	key = find_data_key(keys, kid);
	if (key == NULL) /* the same words as for a wrong one */
		r = seal_fail(err, SEAL_E_UNAUTH, "the sealed data cannot be opened");
	else
		r = seal_jwe_open(ret_plain, NULL, key, text, text_len, err);
	pthread_mutex_unlock(&keys->lock);
	return r;
}

/* ---- Beginning and end ---- */

void
proxy_keys_owner(struct proxy_keys *keys, char workload[static SEAL_WORKLOAD_MAX + 1],
		 char peer[static SEAL_PEER_MAX + 1])
{
	bool known;

	pthread_mutex_lock(&keys->lock);
	known = keys->ring != NULL;
	(void)snprintf(workload, SEAL_WORKLOAD_MAX + 1, "%s",
		       known ? verify_ring_workload(keys->ring) : "");
	(void)snprintf(peer, SEAL_PEER_MAX + 1, "%s", known ? verify_ring_peer(keys->ring) : "");
	pthread_mutex_unlock(&keys->lock);
}

int
proxy_keys_new(struct proxy_keys **ret_keys, struct seal_err *err)
{
	struct proxy_keys *keys = calloc(1, sizeof(*keys));
	int r;

	if (keys == NULL)
		return seal_fail_memory(err);
	r = pthread_mutex_init(&keys->lock, NULL);
	if (r != 0) {
		free(keys);
		return seal_fail_errno(err, r, "cannot make a lock");
	}
	*ret_keys = keys;
	return 0;
}

void
proxy_keys_free(struct proxy_keys *keys)
{
	if (keys == NULL)
		return;
	verify_ring_free(keys->ring);
	release_bounds(&keys->bounds);
	pthread_mutex_destroy(&keys->lock);
	free(keys);
}

void
proxy_keys_freep(struct proxy_keys **keys)
{
	proxy_keys_free(*keys);
	*keys = NULL;
}
