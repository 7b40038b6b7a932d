/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots of workloads' keys, and the generations of the objects sealed with these.  A generation is
 * given out in the transaction that records it, and what is made with it is made before that commits:
 * nobody ever sees a generation that could be given again, and none is lost on a sealing that failed.
 */

#include <inttypes.h>

#include "rot/server/store.h"
#include "rot/server/store_internal.h"

#define WRAPPED_MAX 1024
/* Letters of all names of a peer's objects: with ROT_MAX_FLOOR they fit into its credentials. */
#define FLOOR_NAMES_MAX (2 * 1024 * 1024)
#define OBJECT_NAME_MAX 512

struct retirement {
	const char *workload;
	uint64_t generation;
	bool force;
	int64_t now;
};

struct addition {
	const struct rot_root *root;
	int64_t now;
};

struct sealing {
	const struct rot_sealing *asked;
	uint64_t *gens;
	rot_sealing_fn fn;
	void *arg;
	int64_t workload_id;
};

void
rot_roots_release(struct rot_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		rot_root_release(&roots->items[i]);
	roots->count = 0;
}

static int
read_root(const struct rot_query *query, const char *workload, struct rot_root *root,
	  struct seal_err *err)
{
	(void)snprintf(root->workload, sizeof(root->workload), "%s", workload);
	root->generation = (uint64_t)rot_column_i64(query, 0);
	seal_bytes_init(&root->wrapped, WRAPPED_MAX);
	return rot_column_bytes(query, 1, &root->wrapped, err);
}

int
rot_store_roots(struct rot_store *store, const char *workload, struct rot_roots *ret_roots,
		struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_LIVE);
	SEAL_SCOPED(rot_roots_release) struct rot_roots roots = { .count = 0 };
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, workload, &id, NULL, err);
	if (r < 0)
		return r;
	rot_bind_i64(&query, 1, id);
	while ((r = rot_query_step(&query, err)) == 1) {
		if (roots.count == ROT_MAX_ROOTS)
			return seal_fail(err, SEAL_E_SYSTEM,
					 "the store is damaged: more roots "
					 "than can be made");
		memset(&roots.items[roots.count], 0, sizeof(roots.items[0]));
		r = read_root(&query, workload, &roots.items[roots.count++], err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_roots = roots;
	roots.count = 0; /* the caller owns them now */
	return 0;
}

/* The newest generation, 0 for none, and how many are in use. */
static int
find_newest(struct rot_store *store, int64_t id, uint64_t *ret_newest, uint64_t *ret_live,
	    struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_NEWEST);
	int r;

	rot_bind_i64(&query, 1, id);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	*ret_newest = (uint64_t)rot_column_i64(&query, 0);
	*ret_live = (uint64_t)rot_column_i64(&query, 1);
	return 0;
}

int
rot_store_put_root(struct rot_store *store, const struct rot_root *root, int64_t workload_id,
		   int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_ADD);
	uint64_t newest = 0, live = 0;
	int r;

	r = find_newest(store, workload_id, &newest, &live, err);
	if (r < 0)
		return r;
	if (root->generation != newest + 1)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "the newest key generation of '%s' is %" PRIu64 " by now",
				 root->workload, newest);
	if (live >= ROT_MAX_ROOTS)
		return seal_fail(err, SEAL_E_LIMIT,
				 "'%s' has %d key generations: retire old ones first",
				 root->workload, ROT_MAX_ROOTS);
	rot_bind_i64(&query, 1, workload_id);
	rot_bind_i64(&query, 2, (int64_t)root->generation);
	rot_bind_i64(&query, 3, now);
	rot_bind_blob(&query, 4, root->wrapped.data, root->wrapped.len);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
}

static int
add_root(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct addition *addition = arg;
	int64_t id = 0;
	int r = rot_store_workload_id(store, addition->root->workload, &id, NULL, err);

	return r < 0 ? r : rot_store_put_root(store, addition->root, id, addition->now, err);
}

int
rot_store_add_root(struct rot_store *store, const struct rot_root *root, int64_t now,
		   struct seal_err *err)
{
	struct addition addition = { .root = root, .now = now };

	return rot_store_change(store, add_root, &addition, err);
}

/* ---- Retiring ---- */

static int
check_idle(struct rot_store *store, int64_t id, const struct retirement *asked,
	   struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_GET);
	uint64_t newest = 0, live = 0;
	int r;

	rot_bind_i64(&query, 1, id);
	rot_bind_i64(&query, 2, (int64_t)asked->generation);
	r = rot_query_step(&query, err);
	if (r == 0)
		return seal_fail(err, SEAL_E_MISSING,
				 "workload '%s' has no key generation %" PRIu64, asked->workload,
				 asked->generation);
	if (r == 1)
		r = find_newest(store, id, &newest, &live, err);
	if (r < 0)
		return r;
	if (asked->generation == newest)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "key generation %" PRIu64 " is the newest: rotate the key first",
				 newest);
	if (rot_column_i64(&query, 0) == 0 && rot_column_i64(&query, 1) > 0 && !asked->force)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%" PRId64
				 " object(s) were last sealed with key generation %" PRIu64
				 ": seal them again first, or force it",
				 rot_column_i64(&query, 1), asked->generation);
	return 0;
}

static int
retire_root(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct retirement *asked = arg;
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_RETIRE);
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, asked->workload, &id, NULL, err);
	if (r == 0)
		r = check_idle(store, id, asked, err);
	if (r < 0)
		return r;
	rot_bind_i64(&query, 1, id);
	rot_bind_i64(&query, 2, (int64_t)asked->generation);
	rot_bind_i64(&query, 3, asked->now);
	r = rot_query_run(&query, err);
	return r < 0 ? r : 0;
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

int
rot_store_each_root(struct rot_store *store, const char *workload, uint64_t limit, rot_root_fn fn,
		    void *arg, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_EACH);
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, workload, &id, NULL, err);
	if (r < 0)
		return r;
	rot_bind_i64(&query, 1, id);
	rot_bind_i64(&query, 2, (int64_t)limit);
	while ((r = rot_query_step(&query, err)) == 1) {
		const struct rot_root_info info = {
			.generation = (uint64_t)rot_column_i64(&query, 0),
			.created_at = rot_column_i64(&query, 1),
			.retired_at = rot_column_i64(&query, 2),
			.objects = (uint64_t)rot_column_i64(&query, 3),
		};

		r = fn(arg, &info, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- Sealing ---- */

static int
check_usable(struct rot_store *store, const struct sealing *sealing, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_ROOT_GET);
	int r;

	rot_bind_i64(&query, 1, sealing->workload_id);
	rot_bind_i64(&query, 2, (int64_t)sealing->asked->key_generation);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (r == 0 || rot_column_i64(&query, 0) != 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "key generation %" PRIu64 " of '%s' was retired meanwhile",
				 sealing->asked->key_generation, sealing->asked->workload);
	return 0;
}

static int
bump(struct rot_store *store, const struct sealing *sealing, const char *object,
     struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_OBJECT_SEAL);
	int r;

	rot_bind_i64(&query, 1, sealing->workload_id);
	rot_bind_text(&query, 2, sealing->asked->peer);
	rot_bind_text(&query, 3, object);
	rot_bind_i64(&query, 4, (int64_t)sealing->asked->key_generation);
	rot_bind_i64(&query, 5, sealing->asked->now);
	r = rot_query_run(&query, err);
	return r < 0 ? seal_note(err, r, "%s", object) : 0;
}

static int
read_gen(struct rot_store *store, const struct sealing *sealing, const char *object,
	 uint64_t *ret_gen, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_OBJECT_GET);
	int r;

	rot_bind_i64(&query, 1, sealing->workload_id);
	rot_bind_text(&query, 2, sealing->asked->peer);
	rot_bind_text(&query, 3, object);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	*ret_gen = (uint64_t)rot_column_i64(&query, 0);
	return 0;
}

/* What a pod is told at its birth has to fit into one answer. */
static int
check_room(struct rot_store *store, const struct sealing *sealing, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end)
	struct rot_query query = rot_query(store->db, ROT_SQL_OBJECT_ROOM);
	int r;

	rot_bind_i64(&query, 1, sealing->workload_id);
	rot_bind_text(&query, 2, sealing->asked->peer);
	r = rot_query_step(&query, err);
	if (r < 0)
		return r;
	if (rot_column_i64(&query, 0) > ROT_MAX_FLOOR ||
	    rot_column_i64(&query, 1) > FLOOR_NAMES_MAX)
		return seal_fail(err, SEAL_E_LIMIT,
				 "a peer has at most %d sealed objects, with %d letters in all "
				 "their names: seal for several peers, or rotate the key, seal "
				 "what is in use again and retire the old generation",
				 ROT_MAX_FLOOR, FLOOR_NAMES_MAX);
	return 0;
}

static int
seal_all(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct sealing *sealing = arg;
	const struct rot_sealing *asked = sealing->asked;
	int r;

	r = rot_store_workload_id(store, asked->workload, &sealing->workload_id, NULL, err);
	if (r == 0)
		r = check_usable(store, sealing, err);
	for (size_t i = 0; r == 0 && i < asked->count; i++) {
		r = bump(store, sealing, asked->objects[i], err);
		if (r == 0)
			r = read_gen(store, sealing, asked->objects[i], &sealing->gens[i], err);
	}
	if (r == 0)
		r = check_room(store, sealing, err);
	return r < 0 ? r : sealing->fn(sealing->arg, sealing->gens, err);
}

int
rot_store_seal(struct rot_store *store, const struct rot_sealing *asked, rot_sealing_fn fn,
	       void *arg, struct seal_err *err)
{
	struct sealing sealing = { .asked = asked, .fn = fn, .arg = arg };
	int r;

	sealing.gens = calloc(asked->count > 0 ? asked->count : 1, sizeof(*sealing.gens));
	if (sealing.gens == NULL)
		return seal_fail_memory(err);
	r = rot_store_change(store, seal_all, &sealing, err);
	free(sealing.gens);
	return r;
}

/* ---- The floor ---- */

struct floor {
	struct rot_floor *items;
	size_t count;
	size_t cap;
};

static void
release_floor(struct floor *floor)
{
	for (size_t i = 0; i < floor->count; i++)
		free(floor->items[i].object);
	free(floor->items);
}

static int
add_to_floor(struct floor *floor, const char *object, int64_t gen, struct seal_err *err)
{
	if (floor->count == ROT_MAX_FLOOR)
		return seal_fail(err, SEAL_E_LIMIT, "the peer has more than %d sealed objects",
				 ROT_MAX_FLOOR);
	if (floor->count == floor->cap) {
		size_t cap = floor->cap > 0 ? 2 * floor->cap : 16;
		void *items = realloc(floor->items, cap * sizeof(*floor->items));

		if (items == NULL)
			return seal_fail_memory(err);
		floor->items = items;
		floor->cap = cap;
	}
	floor->items[floor->count].object = seal_strndup(object, strnlen(object, OBJECT_NAME_MAX));
	floor->items[floor->count].gen = (uint64_t)gen;
	if (floor->items[floor->count].object == NULL)
		return seal_fail_memory(err);
	floor->count++;
	return 0;
}

int
rot_store_floor(struct rot_store *store, const char *workload, const char *peer,
		struct rot_floor **ret_floor, size_t *ret_count, struct seal_err *err)
{
	SEAL_SCOPED(rot_query_end) struct rot_query query = rot_query(store->db, ROT_SQL_FLOOR);
	SEAL_SCOPED(release_floor) struct floor floor = { 0 };
	int64_t id = 0;
	int r;

	r = rot_store_workload_id(store, workload, &id, NULL, err);
	if (r < 0)
		return r;
	rot_bind_i64(&query, 1, id);
	rot_bind_text(&query, 2, peer);
	while ((r = rot_query_step(&query, err)) == 1) {
		r = add_to_floor(&floor, rot_column_text(&query, 0), rot_column_i64(&query, 1),
				 err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_count = floor.count;
	*ret_floor = SEAL_TAKE(floor.items);
	floor.count = 0; /* the caller owns them now */
	return 0;
}
