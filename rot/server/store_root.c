/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots of workloads' keys.  Those in use are one record, so that a pod's birth reads one; retired ones lie beside it
 * and are never used again.  No generation is given twice.  "active" is the one that seals (absent: the newest in use);
 * a newer one is introduced: pods get its keys, and when all have them it can be switched to.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define WRAPPED_MAX 1024

void
rot_roots_release(struct rot_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		rot_root_release(&roots->items[i]);
	roots->count = 0;
}

/* The record: the newest generation ever, the one that seals, and the roots in use, the newest last. */
struct ring {
	uint64_t newest;
	uint64_t active;
	struct rot_roots roots;
	int64_t created_at[ROT_MAX_ROOTS];
};

static void
release_ring(struct ring *ring)
{
	rot_roots_release(&ring->roots);
}

static struct rot_path
ring_key(const char *workload)
{
	return rot_path("roots/%s", workload);
}

static int
read_root(const struct seal_json *entry, const char *key, const char *workload, struct ring *ring,
	  struct seal_err *err)
{
	static const char *const members[] = { "generation", "created_at", "wrapped", NULL };
	struct rot_fields fields = { .key = key, .record = entry };
	struct rot_root *root = &ring->roots.items[ring->roots.count];

	memset(root, 0, sizeof(*root));
	seal_bytes_init(&root->wrapped, WRAPPED_MAX);
	(void)snprintf(root->workload, sizeof(root->workload), "%s", workload);
	rot_field_u64(&fields, "generation", &root->generation);
	rot_field_time(&fields, "created_at", &ring->created_at[ring->roots.count++]);
	rot_field_bytes(&fields, "wrapped", &root->wrapped);
	return rot_fields_done(&fields, members, err);
}

/* The place among those in use; their number when it is not among them. */
static size_t
find_root(const struct ring *ring, uint64_t generation)
{
	size_t i = 0;

	while (i < ring->roots.count && ring->roots.items[i].generation != generation)
		i++;
	return i;
}

static int
parse_ring(const struct seal_json *record, const char *key, const char *workload, struct ring *ring,
	   struct seal_err *err)
{
	static const char *const members[] = { "active", "live", "newest", NULL };
	struct rot_fields fields = { .key = key, .record = record };
	const struct seal_json *live = NULL;
	int r;

	rot_field_u64(&fields, "newest", &ring->newest);
	r = rot_fields_done(&fields, members, err);
	if (r < 0)
		return r;
	if (seal_json_get_array(record, "live", &live, NULL) < 0 ||
	    seal_json_count(live) > ROT_MAX_ROOTS)
		return rot_fail_damaged(key, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(live); i++)
		r = read_root(seal_json_at(live, i), key, workload, ring, err);
	if (r < 0 || ring->roots.count == 0)
		return r;
	ring->active = ring->roots.items[ring->roots.count - 1].generation;
	rot_field_u64_or(&fields, "active", &ring->active);
	r = rot_fields_done(&fields, members, err);
	if (r == 0 && find_root(ring, ring->active) == ring->roots.count)
		return rot_fail_damaged(key, err);
	return r;
}

/* A workload made before there were roots has none. */
static int
read_ring(struct rot_store *store, const char *workload, struct ring *ring, struct seal_err *err)
{
	const struct rot_path key = ring_key(workload);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	int r = rot_store_need_workload(store, workload, err);

	if (r < 0)
		return r;
	r = rot_record_get(store, key.text, &record, err);
	if (r == SEAL_E_MISSING)
		return 0;
	return r < 0 ? r : parse_ring(record, key.text, workload, ring, err);
}

static void
set_root(struct seal_json *entry, const struct rot_root *root, int64_t created_at)
{
	seal_json_set_u64(entry, "generation", root->generation);
	seal_json_set_i64(entry, "created_at", created_at);
	rot_set_bytes(entry, "wrapped", root->wrapped.data, root->wrapped.len);
}

/* All but the one that is not to be in use any longer (0: all). */
static int
write_ring(struct rot_store *store, const char *workload, const struct ring *ring, uint64_t without,
	   const struct rot_root *fresh, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	struct seal_json *live = seal_json_set_array(record, "live");

	seal_json_set_u64(record, "newest", fresh != NULL ? fresh->generation : ring->newest);
	if (ring->active != 0)
		seal_json_set_u64(record, "active", ring->active);
	for (size_t i = 0; i < ring->roots.count; i++) {
		if (ring->roots.items[i].generation != without)
			set_root(seal_json_add_object(live), &ring->roots.items[i],
				 ring->created_at[i]);
	}
	if (fresh != NULL)
		set_root(seal_json_add_object(live), fresh, now);
	return rot_record_put(store, ring_key(workload).text, record, ROT_RECORD_PUT, err);
}

/* ---- Those in use ---- */

struct roots_look {
	const char *workload;
	struct rot_roots *ret_roots;
};

static int
look_at_roots(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct roots_look *look = arg;
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	int r = read_ring(store, look->workload, &ring, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ring.roots.count; i++)
		look->ret_roots->items[i] = ring.roots.items[ring.roots.count - 1 - i];
	look->ret_roots->count = ring.roots.count;
	look->ret_roots->newest = ring.newest;
	look->ret_roots->active = ring.roots.count - 1 - find_root(&ring, ring.active);
	ring.roots.count = 0; /* the caller owns them now */
	return 0;
}

int
rot_store_roots(struct rot_store *store, const char *workload, struct rot_roots *ret_roots,
		struct seal_err *err)
{
	struct roots_look look = { .workload = workload, .ret_roots = ret_roots };

	return rot_store_look(store, look_at_roots, &look, err);
}

int
rot_store_oldest_root(struct rot_store *store, const char *workload, uint64_t *ret_generation,
		      struct seal_err *err)
{
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	int r = read_ring(store, workload, &ring, err);

	if (r == 0)
		*ret_generation =
			ring.roots.count > 0 ? ring.roots.items[0].generation : UINT64_MAX;
	return r;
}

/* ---- Adding ---- */

static int
check_next(const struct ring *ring, const struct rot_root *root, struct seal_err *err)
{
	if (root->generation != ring->newest + 1)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "the newest key generation of '%s' is %" PRIu64 " by now",
				 root->workload, ring->newest);
	if (ring->roots.count >= ROT_MAX_ROOTS)
		return seal_fail(err, SEAL_E_LIMIT,
				 "'%s' has %d key generations: retire old ones first",
				 root->workload, ROT_MAX_ROOTS);
	return 0;
}

int
rot_store_put_root(struct rot_store *store, const struct rot_root *root, int64_t created_at,
		   struct seal_err *err)
{
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	int r = read_ring(store, root->workload, &ring, err);

	if (r == 0)
		r = check_next(&ring, root, err);
	ring.active = root->generation;
	return r < 0 ? r : write_ring(store, root->workload, &ring, 0, root, created_at, err);
}

struct addition {
	const struct rot_root *root;
	int64_t now;
};

static int
add_root(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct addition *addition = arg;
	int r = rot_store_put_root(store, addition->root, addition->now, err);

	return r < 0 ? r : rot_store_news(store, addition->root->workload, err);
}

int
rot_store_add_root(struct rot_store *store, const struct rot_root *root, int64_t now,
		   struct seal_err *err)
{
	struct addition addition = { .root = root, .now = now };

	return rot_store_change(store, add_root, &addition, err);
}

static int
introduce_root(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct addition *addition = arg;
	const struct rot_root *root = addition->root;
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	uint64_t last;
	int r = read_ring(store, root->workload, &ring, err);

	if (r < 0)
		return r;
	last = ring.roots.count > 0 ? ring.roots.items[ring.roots.count - 1].generation : 0;
	if (last > ring.active)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "key generation %" PRIu64
				 " of '%s' is introduced already: switch to it, or retire it",
				 last, root->workload);
	r = check_next(&ring, root, err);
	if (r == 0)
		r = write_ring(store, root->workload, &ring, 0, root, addition->now, err);
	return r < 0 ? r : rot_store_news(store, root->workload, err);
}

int
rot_store_introduce_root(struct rot_store *store, const struct rot_root *root, int64_t now,
			 struct seal_err *err)
{
	struct addition addition = { .root = root, .now = now };

	return rot_store_change(store, introduce_root, &addition, err);
}

/* ---- Switching ---- */

struct retirement {
	const char *workload;
	uint64_t generation;
	bool force;
	int64_t now;
};

static int
check_delivered(struct rot_store *store, const struct retirement *asked, struct seal_err *err)
{
	struct rot_holders waiting = { .which = ROT_WITHOUT_KEY, .generation = asked->generation };
	int r;

	if (asked->force)
		return 0;
	r = rot_store_find_holders(store, asked->workload, asked->now, &waiting, err);
	if (r < 0 || waiting.total == 0)
		return r;
	return rot_store_fail_holders(&waiting, "are of pods that have not got key",
				      "wait, revoke them, or force it", err);
}

static int
switch_root(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct retirement *asked = arg;
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	int r = read_ring(store, asked->workload, &ring, err);

	if (r < 0)
		return r;
	if (find_root(&ring, asked->generation) == ring.roots.count)
		return seal_fail(err, SEAL_E_MISSING,
				 "workload '%s' has no key generation %" PRIu64 " in use",
				 asked->workload, asked->generation);
	if (asked->generation == ring.active)
		return 0;
	if (asked->generation < ring.active)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "key generation %" PRIu64 " is old: introduce a new one",
				 asked->generation);
	r = check_delivered(store, asked, err);
	ring.active = asked->generation;
	if (r == 0)
		r = write_ring(store, asked->workload, &ring, 0, NULL, 0, err);
	return r < 0 ? r : rot_store_news(store, asked->workload, err);
}

int
rot_store_switch_root(struct rot_store *store, const char *workload, uint64_t generation,
		      bool force, int64_t now, struct seal_err *err)
{
	struct retirement asked = {
		.workload = workload, .generation = generation, .force = force, .now = now
	};

	return rot_store_change(store, switch_root, &asked, err);
}

/* ---- Retiring ---- */

static struct rot_path
retired_key(const char *workload, uint64_t generation)
{
	return rot_path("root/%s/%016" PRIx64, workload, generation);
}

static int
retire(struct rot_store *store, const char *workload, const struct ring *ring, size_t which,
       int64_t now, struct seal_err *err)
{
	const struct rot_root *root = &ring->roots.items[which];
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	int r;

	set_root(record, root, ring->created_at[which]);
	seal_json_set_i64(record, "retired_at", now);
	r = rot_record_put(store, retired_key(workload, root->generation).text, record,
			   ROT_RECORD_PUT, err);
	return r < 0 ? r : write_ring(store, workload, ring, root->generation, NULL, 0, err);
}

int
rot_store_drop_root(struct rot_store *store, const char *workload, uint64_t generation, int64_t now,
		    struct seal_err *err)
{
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	size_t which;
	int r = read_ring(store, workload, &ring, err);

	if (r < 0)
		return r;
	which = find_root(&ring, generation);
	return which == ring.roots.count ? 0 : retire(store, workload, &ring, which, now, err);
}

static int
check_idle(struct rot_store *store, const struct retirement *asked, struct seal_err *err)
{
	char word[ROT_STORE_WORD_LEN + 1];
	uint64_t objects = 0;
	int r;

	/* Every sealing changes it: what is counted is compared by it when this commits. */
	r = rot_store_word(store, word, err);
	if (r == 0)
		r = rot_store_count_objects(store, asked->workload, asked->generation, &objects,
					    err);
	if (r < 0 || objects == 0 || asked->force)
		return r;
	return seal_fail(err, SEAL_E_CONFLICT,
			 "%" PRIu64 " object(s) were last sealed with key generation %" PRIu64
			 ": seal them again first, or force it",
			 objects, asked->generation);
}

static int
retire_root(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct retirement *asked = arg;
	SEAL_SCOPED(release_ring) struct ring ring = { 0 };
	size_t which;
	int r = read_ring(store, asked->workload, &ring, err);

	if (r < 0)
		return r;
	if (asked->generation == 0 || asked->generation > ring.newest)
		return seal_fail(err, SEAL_E_MISSING,
				 "workload '%s' has no key generation %" PRIu64, asked->workload,
				 asked->generation);
	if (asked->generation == ring.active)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "key generation %" PRIu64
				 " is the one that seals: introduce a new one and switch to it "
				 "first",
				 ring.active);
	which = find_root(&ring, asked->generation);
	if (which == ring.roots.count)
		return 0; /* it is retired */
	r = check_idle(store, asked, err);
	if (r == 0)
		r = retire(store, asked->workload, &ring, which, asked->now, err);
	return r < 0 ? r : rot_store_news(store, asked->workload, err);
}

int
rot_store_retire_root(struct rot_store *store, const char *workload, uint64_t generation,
		      bool force, int64_t now, struct seal_err *err)
{
	struct retirement asked = {
		.workload = workload, .generation = generation, .force = force, .now = now
	};

	return rot_store_change(store, retire_root, &asked, err);
}

/* ---- Listing ---- */

struct listing {
	struct rot_store *store;
	const char *workload;
	uint64_t limit;
	rot_root_fn fn;
	void *arg;
	struct ring ring;
	size_t left; /* of those in use, to be listed yet */
};

static void
release_listing(struct listing *listing)
{
	release_ring(&listing->ring);
}

static int
list_one(struct listing *listing, struct rot_root_info *info, struct seal_err *err)
{
	int r = rot_store_count_objects(listing->store, listing->workload, info->generation,
					&info->objects, err);

	return r < 0 ? r : listing->fn(listing->arg, info, err);
}

/* Those in use down to a generation, the newest first. */
static int
list_live(struct listing *listing, uint64_t down_to, struct seal_err *err)
{
	int r = 0;

	while (r == 0 && listing->left > 0) {
		size_t i = listing->left - 1;
		struct rot_root_info info = {
			.generation = listing->ring.roots.items[i].generation,
			.phase = rot_phase_of(listing->ring.roots.items[i].generation,
					      listing->ring.active),
			.created_at = listing->ring.created_at[i],
		};

		if (info.generation < down_to)
			return 0;
		listing->left--;
		r = list_one(listing, &info, err);
	}
	return r;
}

static int
list_retired(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	static const char *const members[] = { "generation", "created_at", "wrapped", "retired_at",
					       NULL };
	struct listing *listing = arg;
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_fields fields = { .key = key };
	struct rot_root_info info = { .phase = ROT_PHASE_RETIRED };
	int r = rot_record_parse(key, value, len, &record, err);

	if (r < 0)
		return r;
	fields.record = record;
	rot_field_u64(&fields, "generation", &info.generation);
	rot_field_time(&fields, "created_at", &info.created_at);
	rot_field_time(&fields, "retired_at", &info.retired_at);
	r = rot_fields_done(&fields, members, err);
	if (r == 0)
		r = list_live(listing, info.generation, err);
	return r < 0 ? r : list_one(listing, &info, err);
}

static int
look_at_all(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct listing *listing = arg;
	const struct rot_path from = rot_path("root/%s/", listing->workload);
	const struct rot_path to = rot_path("root/%s0", listing->workload);
	struct rot_kv_range range = {
		.from = from.text, .to = to.text, .backwards = true, .loose = true
	};
	int r = read_ring(store, listing->workload, &listing->ring, err);

	if (r < 0)
		return r;
	listing->store = store;
	listing->left = listing->ring.roots.count;
	if (listing->limit > listing->left) {
		range.limit = listing->limit - listing->left;
		r = rot_kv_each(store->kv, &range, list_retired, listing, err);
	} else {
		/* The newest ones: then the oldest in use do not fit. */
		uint64_t down_to =
			listing->limit > 0
				? listing->ring.roots.items[listing->left - listing->limit]
					  .generation
				: UINT64_MAX;

		return list_live(listing, down_to, err);
	}
	return r < 0 ? r : list_live(listing, 0, err);
}

int
rot_store_each_root(struct rot_store *store, const char *workload, uint64_t limit, rot_root_fn fn,
		    void *arg, struct seal_err *err)
{
	SEAL_SCOPED(release_listing)
	struct listing listing = { .workload = workload, .limit = limit, .fn = fn, .arg = arg };

	return rot_store_look(store, look_at_all, &listing, err);
}
