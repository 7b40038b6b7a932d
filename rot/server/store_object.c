/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generations of the objects sealed with workloads' keys.  A generation is given out in the transaction that
 * records it, and what is made with it is made before that commits: nobody ever sees a generation that could be given
 * again, and none is lost on a sealing that failed.
 *
 * Beside a peer's objects there is one record of how many were sealed last with which key, so that neither room nor
 * use has to be counted.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

/* Letters of all names of a peer's objects: with ROT_MAX_FLOOR they fit into its credentials. */
#define FLOOR_NAMES_MAX (2 * 1024 * 1024)
#define OBJECT_NAME_MAX 512
#define MAX_KEYS        4096 /* generations that objects were sealed with last */

/* ---- An object ---- */

static struct rot_path
object_key(const char *workload, const char *peer, const char *name)
{
	return rot_path("object/%s/%s/%s", workload, peer, name);
}

static int
parse_object(const char *key, const void *text, size_t len, struct rot_object *object,
	     struct seal_err *err)
{
	static const char *const members[] = { "at", "gen", "key", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_fields fields = { .key = key };
	int r = rot_record_parse(key, text, len, &record, err);

	if (r < 0)
		return r;
	fields.record = record;
	rot_field_u64(&fields, "gen", &object->gen);
	rot_field_u64(&fields, "key", &object->key_generation);
	rot_field_time(&fields, "at", &object->sealed_at);
	return rot_fields_done(&fields, members, err);
}

static int
read_object(struct rot_store *store, const struct rot_sealing *asked, const char *name,
	    struct rot_object *object, struct seal_err *err)
{
	const struct rot_path key = object_key(asked->workload, asked->peer, name);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_KV_VALUE_MAX);
	int r = rot_kv_get(store->kv, key.text, &text, err);

	return r < 0 ? r : parse_object(key.text, text.data, text.len, object, err);
}

/* ---- How many a peer has ---- */

struct use {
	uint64_t generation;
	uint64_t objects;
	uint64_t letters; /* of their names */
};

struct uses {
	struct use *items;
	size_t count;
};

static void
release_uses(struct uses *uses)
{
	free(uses->items);
}

static struct rot_path
uses_key(const char *workload, const char *peer)
{
	return rot_path("sealed/%s/%s", workload, peer);
}

static int
add_use(struct uses *uses, const struct use *use, struct seal_err *err)
{
	void *items = reallocarray(uses->items, uses->count + 1, sizeof(*uses->items));

	if (items == NULL)
		return seal_fail_memory(err);
	uses->items = items;
	uses->items[uses->count++] = *use;
	return 0;
}

static int
parse_uses(const char *key, const void *text, size_t len, struct uses *uses, struct seal_err *err)
{
	static const char *const members[] = { "generation", "letters", "objects", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	const struct seal_json *list = NULL;
	int r = rot_record_parse(key, text, len, &record, err);

	if (r < 0)
		return r;
	if (seal_json_get_array(record, "keys", &list, NULL) < 0 ||
	    seal_json_count(list) > MAX_KEYS)
		return rot_fail_damaged(key, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(list); i++) {
		struct rot_fields fields = { .key = key, .record = seal_json_at(list, i) };
		struct use use = { 0 };

		rot_field_u64(&fields, "generation", &use.generation);
		rot_field_u64(&fields, "objects", &use.objects);
		rot_field_u64(&fields, "letters", &use.letters);
		r = rot_fields_done(&fields, members, err);
		if (r == 0)
			r = add_use(uses, &use, err);
	}
	return r;
}

static int
read_uses(struct rot_store *store, const char *workload, const char *peer, struct uses *uses,
	  struct seal_err *err)
{
	const struct rot_path key = uses_key(workload, peer);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_KV_VALUE_MAX);
	int r = rot_kv_get(store->kv, key.text, &text, err);

	if (r == SEAL_E_MISSING)
		return 0;
	return r < 0 ? r : parse_uses(key.text, text.data, text.len, uses, err);
}

static int
write_uses(struct rot_store *store, const char *workload, const char *peer, const struct uses *uses,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	struct seal_json *list = seal_json_set_array(record, "keys");

	for (size_t i = 0; i < uses->count; i++) {
		struct seal_json *entry;

		if (uses->items[i].objects == 0)
			continue;
		entry = seal_json_add_object(list);
		seal_json_set_u64(entry, "generation", uses->items[i].generation);
		seal_json_set_u64(entry, "objects", uses->items[i].objects);
		seal_json_set_u64(entry, "letters", uses->items[i].letters);
	}
	return rot_record_put(store, uses_key(workload, peer).text, record, ROT_RECORD_PUT, err);
}

static int
move_use(struct uses *uses, const char *name, const struct rot_object *was, uint64_t generation,
	 struct seal_err *err)
{
	const struct use fresh = { .generation = generation };
	size_t i = 0;
	int r = 0;

	for (size_t j = 0; was != NULL && j < uses->count; j++) {
		if (uses->items[j].generation != was->key_generation)
			continue;
		if (uses->items[j].objects == 0 || uses->items[j].letters < strlen(name))
			return seal_fail(
				err, SEAL_E_SYSTEM,
				"the store is damaged, restore a backup: a count of objects");
		uses->items[j].objects--;
		uses->items[j].letters -= strlen(name);
	}
	while (i < uses->count && uses->items[i].generation != generation)
		i++;
	if (i == uses->count)
		r = add_use(uses, &fresh, err);
	if (r < 0)
		return r;
	uses->items[i].objects++;
	uses->items[i].letters += strlen(name);
	return 0;
}

/* ---- Counting the objects of a key ---- */

struct count {
	uint64_t generation;
	uint64_t objects;
};

static int
count_peer(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct count *count = arg;
	SEAL_SCOPED(release_uses) struct uses uses = { 0 };
	int r = parse_uses(key, value, len, &uses, err);

	for (size_t i = 0; r == 0 && i < uses.count; i++) {
		if (uses.items[i].generation == count->generation)
			count->objects += uses.items[i].objects;
	}
	return r;
}

int
rot_store_count_objects(struct rot_store *store, const char *workload, uint64_t generation,
			uint64_t *ret_count, struct seal_err *err)
{
	const struct rot_path from = rot_path("sealed/%s/", workload),
			      to = rot_path("sealed/%s0", workload);
	const struct rot_kv_range range = { .from = from.text, .to = to.text, .loose = true };
	struct count count = { .generation = generation };
	int r = rot_kv_each(store->kv, &range, count_peer, &count, err);

	if (r == 0)
		*ret_count = count.objects;
	return r;
}

/* ---- Sealing ---- */

struct sealing {
	const struct rot_sealing *asked;
	uint64_t *gens;
	rot_sealing_fn fn;
	void *arg;
	struct uses uses;
};

static int
write_object(struct rot_store *store, const char *workload, const char *peer, const char *name,
	     const struct rot_object *object, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_u64(record, "gen", object->gen);
	seal_json_set_u64(record, "key", object->key_generation);
	seal_json_set_i64(record, "at", object->sealed_at);
	return rot_record_put(store, object_key(workload, peer, name).text, record, ROT_RECORD_PUT,
			      err);
}

int
rot_store_put_object(struct rot_store *store, const char *workload, const char *peer,
		     const char *name, const struct rot_object *object,
		     const struct rot_object *was, struct seal_err *err)
{
	SEAL_SCOPED(release_uses) struct uses uses = { 0 };
	int r = read_uses(store, workload, peer, &uses, err);

	if (r == 0)
		r = move_use(&uses, name, was, object->key_generation, err);
	if (r == 0)
		r = write_uses(store, workload, peer, &uses, err);
	return r < 0 ? r : write_object(store, workload, peer, name, object, err);
}

/* Its root has to be in use, which is compared: nobody retires it meanwhile. */
static int
check_usable(struct rot_store *store, const struct rot_sealing *asked, struct seal_err *err)
{
	SEAL_SCOPED(rot_roots_release) struct rot_roots roots = { .count = 0 };
	int r = rot_store_roots(store, asked->workload, &roots, err);

	for (size_t i = 0; r == 0 && i < roots.count; i++) {
		if (roots.items[i].generation == asked->key_generation)
			return 0;
	}
	if (r < 0)
		return r;
	return seal_fail(err, SEAL_E_CONFLICT,
			 "key generation %" PRIu64 " of '%s' was retired meanwhile",
			 asked->key_generation, asked->workload);
}

/* One object's next generation; the same object may be named twice, and gets two. */
static int
bump(struct rot_store *store, struct sealing *sealing, const char *name, uint64_t *ret_gen,
     struct seal_err *err)
{
	const struct rot_sealing *asked = sealing->asked;
	struct rot_object was = { 0 }, next;
	int r = read_object(store, asked, name, &was, err);
	bool fresh = r == SEAL_E_MISSING;

	if (r < 0 && !fresh)
		return r;
	next = (struct rot_object){ .gen = was.gen + 1,
				    .key_generation = asked->key_generation,
				    .sealed_at = asked->now };
	r = move_use(&sealing->uses, name, fresh ? NULL : &was, asked->key_generation, err);
	if (r == 0)
		r = write_object(store, asked->workload, asked->peer, name, &next, err);
	if (r == 0)
		*ret_gen = next.gen;
	return r < 0 ? seal_note(err, r, "%s", name) : 0;
}

/*
 * What a pod is told at its birth has to fit into one answer.  What counts is what can still be opened: a root that
 * its latest sealing, or an older one, was made with is not retired.
 */
static int
check_room(struct rot_store *store, const struct sealing *sealing, struct seal_err *err)
{
	uint64_t oldest = 0, objects = 0, letters = 0;
	int r = rot_store_oldest_root(store, sealing->asked->workload, &oldest, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sealing->uses.count; i++) {
		if (sealing->uses.items[i].generation >= oldest) {
			objects += sealing->uses.items[i].objects;
			letters += sealing->uses.items[i].letters;
		}
	}
	if (objects > ROT_MAX_FLOOR || letters > FLOOR_NAMES_MAX)
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

	release_uses(&sealing->uses); /* of a turn before */
	memset(&sealing->uses, 0, sizeof(sealing->uses));
	r = check_usable(store, asked, err);
	if (r == 0)
		r = read_uses(store, asked->workload, asked->peer, &sealing->uses, err);
	for (size_t i = 0; r == 0 && i < asked->count; i++)
		r = bump(store, sealing, asked->objects[i], &sealing->gens[i], err);
	if (r == 0)
		r = check_room(store, sealing, err);
	if (r == 0)
		r = write_uses(store, asked->workload, asked->peer, &sealing->uses, err);
	if (r == 0)
		r = rot_store_news(store, asked->workload, err);
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
	release_uses(&sealing.uses);
	free(sealing.gens);
	return r;
}

/* ---- The floor ---- */

struct floor {
	const char *workload;
	const char *peer;
	uint64_t oldest;
	size_t prefix;
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
grow_floor(struct floor *floor, struct seal_err *err)
{
	size_t cap = floor->cap > 0 ? 2 * floor->cap : 16;
	void *items;

	if (floor->count == ROT_MAX_FLOOR)
		return seal_fail(err, SEAL_E_LIMIT, "the peer has more than %d sealed objects",
				 ROT_MAX_FLOOR);
	if (floor->count < floor->cap)
		return 0;
	items = reallocarray(floor->items, cap, sizeof(*floor->items));
	if (items == NULL)
		return seal_fail_memory(err);
	floor->items = items;
	floor->cap = cap;
	return 0;
}

static int
add_to_floor(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct floor *floor = arg;
	struct rot_object object = { 0 };
	const char *name = key + floor->prefix;
	int r = parse_object(key, value, len, &object, err);

	if (r < 0 || object.key_generation < floor->oldest)
		return r;
	r = grow_floor(floor, err);
	if (r < 0)
		return r;
	floor->items[floor->count].object = seal_strndup(name, strnlen(name, OBJECT_NAME_MAX));
	floor->items[floor->count].gen = object.gen;
	if (floor->items[floor->count].object == NULL)
		return seal_fail_memory(err);
	floor->count++;
	return 0;
}

static int
look_at_floor(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct floor *floor = arg;
	const struct rot_path from = rot_path("object/%s/%s/", floor->workload, floor->peer);
	const struct rot_path to = rot_path("object/%s/%s0", floor->workload, floor->peer);
	const struct rot_kv_range range = { .from = from.text, .to = to.text, .loose = true };
	int r = rot_store_oldest_root(store, floor->workload, &floor->oldest, err);

	if (r < 0)
		return r;
	floor->prefix = strlen(from.text);
	return rot_kv_each(store->kv, &range, add_to_floor, floor, err);
}

int
rot_store_floor(struct rot_store *store, const char *workload, const char *peer,
		struct rot_floor **ret_floor, size_t *ret_count, struct seal_err *err)
{
	SEAL_SCOPED(release_floor) struct floor floor = { .workload = workload, .peer = peer };
	int r = rot_store_look(store, look_at_floor, &floor, err);

	if (r < 0)
		return r;
	*ret_count = floor.count;
	*ret_floor = SEAL_TAKE(floor.items);
	floor.count = 0; /* the caller owns them now */
	return 0;
}
