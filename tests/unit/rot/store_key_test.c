/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: roots and the generations of sealed objects. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)

TestSuite(rot_store_keys_sqlite);
TestSuite(rot_store_keys_etcd);

static struct kv_rig rig;
static struct rot_store *store;

static void
setup(void)
{
	store = rig_store(&rig.config, NOW);
	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
}

static void
rot_store_keys_setup_sqlite(void)
{
	kv_rig_sqlite(&rig);
	setup();
}

static void
rot_store_keys_setup_etcd(void)
{
	kv_rig_etcd(&rig);
	setup();
}

static void
rot_store_keys_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

static int
add_root(struct rot_store *in, const char *workload, uint64_t generation)
{
	struct rot_root root;
	int r;

	rig_fake_root(&root, workload, generation);
	r = rot_store_add_root(in, &root, NOW, NULL);
	rot_root_release(&root);
	return r;
}

static int
retire(uint64_t generation, bool force)
{
	return rot_store_retire_root(store, "shop", generation, force, NOW + 1, NULL);
}

static int
keep_gens(void *arg, const uint64_t *gens, struct seal_err *err)
{
	uint64_t *kept = arg;

	(void)err;
	kept[0] = gens[0];
	return 0;
}

static int
fail_late(void *arg, const uint64_t *gens, struct seal_err *err)
{
	(void)arg;
	(void)gens;
	return seal_fail(err, SEAL_E_SYSTEM, "no");
}

static int
seal_in(struct rot_store *in, const char *workload, const char *peer, const char *object,
	uint64_t key, uint64_t *ret_gen)
{
	const struct rot_sealing sealing = { .workload = workload,
					     .peer = peer,
					     .key_generation = key,
					     .objects = &object,
					     .count = 1,
					     .now = NOW };

	return rot_store_seal(in, &sealing, keep_gens, ret_gen, NULL);
}

static uint64_t
seal_one(const char *workload, const char *peer, const char *object, uint64_t key)
{
	uint64_t gen = 0;

	cr_assert_eq(seal_in(store, workload, peer, object, key, &gen), 0, "%s", object);
	return gen;
}

/* "a/B/c=3 d/E/f=1 " */
static void
expect_floor(const char *workload, const char *peer, const char *want)
{
	struct rot_floor *floor = NULL;
	char text[1024] = "";
	size_t count = 0, len = 0;

	cr_assert_eq(rot_store_floor(store, workload, peer, &floor, &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%llu ", floor[i].object,
					(unsigned long long)floor[i].gen);
	cr_expect_str_eq(text, want);
	rot_floor_free(floor, count);
}

static size_t
live_roots(const char *workload)
{
	struct rot_roots roots = { .count = 0 };
	size_t count;

	cr_assert_eq(rot_store_roots(store, workload, &roots, NULL), 0);
	count = roots.count;
	rot_roots_release(&roots);
	return count;
}

BOTH(rot_store_keys, roots_come_back_newest_first)
{
	struct rot_roots roots = { .count = 0 };

	cr_assert_eq(add_root(store, "shop", 2), 0);
	cr_assert_eq(rot_store_roots(store, "shop", &roots, NULL), 0);
	cr_assert_eq(roots.count, 2);
	cr_expect_eq(roots.items[0].generation, 2);
	cr_expect_eq(roots.items[1].generation, 1);
	cr_expect_str_eq(roots.items[0].workload, "shop");
	cr_expect_str_eq(seal_bytes_str(&roots.items[0].wrapped), "wrapped root");
	rot_roots_release(&roots);
	cr_expect_eq(live_roots("bank"), 1);
	cr_expect_eq(rot_store_roots(store, "none", &roots, NULL), SEAL_E_MISSING);
}

BOTH(rot_store_keys, a_root_has_the_next_generation_or_is_refused)
{
	static const uint64_t wrong[] = { 0, 1, 3, 4, 1000 };

	for (size_t i = 0; i < SEAL_COUNT(wrong); i++)
		cr_expect_eq(add_root(store, "shop", wrong[i]), SEAL_E_CONFLICT, "%llu",
			     (unsigned long long)wrong[i]);
	cr_expect_eq(add_root(store, "none", 1), SEAL_E_MISSING);
	cr_expect_eq(live_roots("shop"), 1);
	cr_expect_eq(add_root(store, "shop", 2), 0);
	cr_expect_eq(add_root(store, "shop", 2), SEAL_E_CONFLICT, "made twice");
	cr_expect_eq(live_roots("shop"), 2);
}

BOTH(rot_store_keys, a_workload_has_so_many_roots_in_use_at_most)
{
	for (uint64_t g = 2; g <= ROT_MAX_ROOTS; g++)
		cr_assert_eq(add_root(store, "shop", g), 0);
	cr_expect_eq(add_root(store, "shop", ROT_MAX_ROOTS + 1), SEAL_E_LIMIT);
	cr_assert_eq(retire(1, false), 0);
	cr_expect_eq(add_root(store, "shop", ROT_MAX_ROOTS + 1), 0);
	cr_expect_eq(live_roots("shop"), ROT_MAX_ROOTS);
}

BOTH(rot_store_keys, a_root_is_retired_unless_newest_or_used)
{
	struct seal_err err = { 0 };

	cr_expect_eq(retire(1, false), SEAL_E_CONFLICT, "the newest");
	cr_expect_eq(retire(1, true), SEAL_E_CONFLICT, "the newest, forced");
	cr_expect_eq(retire(2, false), SEAL_E_MISSING);
	cr_expect_eq(retire(0, false), SEAL_E_MISSING);
	(void)seal_one("shop", "web", "a/B/c", 1);
	(void)seal_one("shop", "db", "a/B/c", 1);
	(void)seal_one("bank", "db", "a/B/d", 1);
	cr_assert_eq(add_root(store, "shop", 2), 0);
	cr_expect_eq(rot_store_retire_root(store, "shop", 1, false, NOW, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "2 object"), "%s", err.text);
	cr_expect_eq(live_roots("shop"), 2, "retired all the same");
	(void)seal_one("shop", "web", "a/B/c", 2);
	cr_expect_eq(retire(1, false), SEAL_E_CONFLICT, "one object is left");
	(void)seal_one("shop", "db", "a/B/c", 2);
	cr_expect_eq(retire(1, false), 0);
	cr_expect_eq(retire(1, false), 0, "again");
	cr_expect_eq(live_roots("shop"), 1);
	cr_expect_eq(live_roots("bank"), 1);
	cr_expect_eq(store_sum(store, "root/", "retired_at"), NOW + 1);
}

BOTH(rot_store_keys, force_retires_what_is_used_and_takes_it_from_the_floor)
{
	cr_expect_eq(seal_one("shop", "web", "a/B/old", 1), 1);
	cr_assert_eq(add_root(store, "shop", 2), 0);
	cr_expect_eq(seal_one("shop", "web", "a/B/new", 2), 1);
	cr_expect_eq(retire(1, false), SEAL_E_CONFLICT);
	expect_floor("shop", "web", "a/B/new=1 a/B/old=1 ");
	cr_expect_eq(retire(1, true), 0);
	expect_floor("shop", "web", "a/B/new=1 ");
	cr_expect_eq(seal_one("shop", "web", "a/B/old", 2), 2, "a generation came twice");
	expect_floor("shop", "web", "a/B/new=1 a/B/old=2 ");
}

/* An older root that is still in use could have sealed an earlier generation of the object. */
BOTH(rot_store_keys, the_floor_stands_while_anything_older_opens)
{
	(void)seal_one("shop", "web", "a/B/c", 1);
	cr_assert_eq(add_root(store, "shop", 2), 0);
	(void)seal_one("shop", "web", "a/B/c", 2);
	cr_assert_eq(add_root(store, "shop", 3), 0);
	cr_assert_eq(retire(2, true), 0);
	expect_floor("shop", "web", "a/B/c=2 ");
	cr_assert_eq(retire(1, false), 0);
	expect_floor("shop", "web", "");
}

BOTH(rot_store_keys, generations_grow_by_workload_peer_and_object)
{
	cr_expect_eq(seal_one("shop", "web", "a/B/c", 1), 1);
	cr_expect_eq(seal_one("shop", "web", "a/B/c", 1), 2);
	cr_expect_eq(seal_one("shop", "db", "a/B/c", 1), 1);
	cr_expect_eq(seal_one("bank", "web", "a/B/c", 1), 1);
	cr_expect_eq(seal_one("shop", "web", "a/B/d", 1), 1);
	cr_expect_eq(seal_one("shop", "web", "a/B/c", 1), 3);
	expect_floor("shop", "web", "a/B/c=3 a/B/d=1 ");
	expect_floor("shop", "db", "a/B/c=1 ");
	expect_floor("shop", "any", "");
	expect_floor("bank", "web", "a/B/c=1 ");
}

BOTH(rot_store_keys, generations_outlive_the_process)
{
	(void)seal_one("shop", "web", "a/B/c", 1);
	(void)seal_one("shop", "web", "a/B/c", 1);
	rot_store_close(store);
	store = NULL;
	cr_assert_eq(rot_store_open(&store, &rig.config, NULL), 0);
	cr_expect_eq(seal_one("shop", "web", "a/B/c", 1), 3);
	expect_floor("shop", "web", "a/B/c=3 ");
}

BOTH(rot_store_keys, a_sealing_that_fails_spends_no_generation)
{
	const char *objects[] = { "a/B/c", "a/B/d" };
	struct rot_sealing sealing = { .workload = "shop",
				       .peer = "web",
				       .key_generation = 1,
				       .objects = objects,
				       .count = 2,
				       .now = NOW };

	(void)seal_one("shop", "web", "a/B/c", 1);
	cr_expect_eq(rot_store_seal(store, &sealing, fail_late, NULL, NULL), SEAL_E_SYSTEM);
	expect_floor("shop", "web", "a/B/c=1 ");
	sealing.workload = "none";
	cr_expect_eq(rot_store_seal(store, &sealing, fail_late, NULL, NULL), SEAL_E_MISSING);
	cr_expect_eq(seal_one("shop", "web", "a/B/c", 1), 2);
}

BOTH(rot_store_keys, nothing_is_sealed_with_a_root_that_is_retired_or_not_there)
{
	uint64_t gen = 0;

	cr_assert_eq(add_root(store, "shop", 2), 0);
	cr_assert_eq(retire(1, false), 0);
	cr_expect_eq(seal_in(store, "shop", "web", "a/B/c", 1, &gen), SEAL_E_CONFLICT);
	cr_expect_eq(seal_in(store, "shop", "web", "a/B/c", 3, &gen), SEAL_E_CONFLICT);
	cr_expect_eq(gen, 0);
	expect_floor("shop", "web", "");
	cr_expect_eq(store_count(store, "object/"), 0);
}

/* So many objects at once, called by their numbers. */
static int
seal_many(const char *format, unsigned count)
{
	const char **names = calloc(count, sizeof(*names));
	struct rot_sealing sealing = { .workload = "shop",
				       .peer = "web",
				       .key_generation = 1,
				       .objects = names,
				       .count = count,
				       .now = NOW };
	uint64_t first = 0;
	int r;

	cr_assert_not_null(names);
	for (unsigned i = 0; i < count; i++) {
		char name[600];

		(void)snprintf(name, sizeof(name), "%s%0*u", format,
			       (int)strlen(format) > 4 ? 400 : 1, i + 1);
		names[i] = seal_strndup(name, strlen(name));
		cr_assert_not_null(names[i]);
	}
	r = rot_store_seal(store, &sealing, keep_gens, &first, NULL);
	for (unsigned i = 0; i < count; i++)
		free((char *)(uintptr_t)names[i]);
	free(names);
	return r;
}

Test(rot_store_keys_sqlite, a_peer_has_so_many_objects_at_most, .init = rot_store_keys_setup_sqlite,
     .fini = rot_store_keys_teardown)
{
	struct rot_floor *floor = NULL;
	size_t count = 0;
	uint64_t gen = 0;

	(void)alarm(60);
	cr_assert_eq(seal_many("a/B/", 16384), 0);
	cr_expect_eq(seal_in(store, "shop", "web", "a/B/more", 1, &gen), SEAL_E_LIMIT);
	cr_expect_eq(gen, 0);
	cr_expect_eq(store_count(store, "object/"), 16384);
	cr_expect_eq(seal_one("shop", "web", "a/B/16384", 1), 2, "one that is there");
	cr_expect_eq(seal_one("shop", "db", "a/B/more", 1), 1, "another peer");
	cr_assert_eq(rot_store_floor(store, "shop", "web", &floor, &count, NULL), 0);
	cr_expect_eq(count, ROT_MAX_FLOOR);
	rot_floor_free(floor, count);
	/* The remedy: what is sealed with retired keys counts no more. */
	cr_assert_eq(add_root(store, "shop", 2), 0);
	cr_assert_eq(retire(1, true), 0);
	cr_expect_eq(seal_one("shop", "web", "a/B/more", 2), 1);
}

Test(rot_store_keys_sqlite, the_names_of_a_peers_objects_have_so_many_letters_at_most,
     .init = rot_store_keys_setup_sqlite, .fini = rot_store_keys_teardown)
{
	uint64_t gen = 0;

	(void)alarm(60);
	cr_assert_eq(seal_many("aa/B/", 5178),
		     0); /* of 405 letters: all but 62 of those there are */
	cr_expect_eq(seal_in(store, "shop", "web",
			     "a/B/0123456789012345678901234567890123456789"
			     "01234567890123456789",
			     1, &gen),
		     SEAL_E_LIMIT);
	cr_expect_eq(seal_in(store, "shop", "web", "a/B/more", 1, &gen), 0);
	cr_expect_eq(seal_in(store, "shop", "db", "a/B/more", 1, &gen), 0);
}

BOTH(rot_store_keys, go_with_their_workload_and_start_anew_with_a_new_one)
{
	(void)seal_one("shop", "web", "a/B/c", 1);
	(void)seal_one("bank", "web", "a/B/c", 1);
	cr_assert_eq(add_root(store, "shop", 2), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", NULL), 0);
	cr_expect_eq(store_count(store, "roots/"), 1);
	cr_expect_eq(store_count(store, "object/"), 1);
	rig_add_workload(store, "shop", false, NOW);
	expect_floor("shop", "web", "");
	expect_floor("bank", "web", "a/B/c=1 ");
}

struct seen {
	uint64_t generations[16];
	uint64_t objects[16];
	uint64_t retired[16];
	size_t count;
};

static int
note_root(void *arg, const struct rot_root_info *root, struct seal_err *err)
{
	struct seen *seen = arg;

	(void)err;
	cr_assert_lt(seen->count, 16);
	seen->generations[seen->count] = root->generation;
	seen->objects[seen->count] = root->objects;
	seen->retired[seen->count++] = (uint64_t)root->retired_at;
	return 0;
}

BOTH(rot_store_keys, are_listed_with_what_depends_on_them)
{
	struct seen seen = { .count = 0 };

	(void)seal_one("shop", "web", "a/B/c", 1);
	(void)seal_one("shop", "db", "a/B/c", 1);
	for (uint64_t g = 2; g <= 5; g++)
		cr_assert_eq(add_root(store, "shop", g), 0);
	for (uint64_t g = 2; g <= 4; g++)
		cr_assert_eq(retire(g, false), 0);
	(void)seal_one("shop", "db", "a/B/c", 5);
	cr_assert_eq(rot_store_each_root(store, "shop", 3, note_root, &seen, NULL), 0);
	/* Three: the two in use, and the newest of the others. */
	cr_assert_eq(seen.count, 3);
	cr_expect_eq(seen.generations[0], 5);
	cr_expect_eq(seen.objects[0], 1);
	cr_expect_eq(seen.generations[1], 4);
	cr_expect_eq(seen.retired[1], NOW + 1);
	cr_expect_eq(seen.generations[2], 1);
	cr_expect_eq(seen.objects[2], 1);
	cr_expect_eq(rot_store_each_root(store, "none", 3, note_root, &seen, NULL), SEAL_E_MISSING);
}

/* ---- Races ---- */

#define RACERS 4
#define LAPS   15

static void *
race(void *arg)
{
	uint64_t *gens = arg;
	struct rot_store *mine = NULL;

	if (rot_store_open(&mine, &rig.config, NULL) < 0)
		return arg;
	for (size_t i = 0; i < LAPS; i++) {
		if (seal_in(mine, "shop", "web", "a/B/c", 1, &gens[i]) < 0)
			gens[i] = 0;
	}
	rot_store_close(mine);
	return NULL;
}

Test(rot_store_keys_etcd, no_generation_is_given_twice_however_many_ask,
     .init = rot_store_keys_setup_etcd, .fini = rot_store_keys_teardown)
{
	static uint64_t gens[RACERS][LAPS];
	bool given[RACERS * LAPS + 1] = { false };
	pthread_t threads[RACERS];

	(void)alarm(120);
	for (size_t i = 0; i < RACERS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, race, gens[i]), 0);
	for (size_t i = 0; i < RACERS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < RACERS; i++) {
		for (size_t j = 0; j < LAPS; j++) {
			uint64_t gen = gens[i][j];

			cr_assert(gen >= 1 && gen <= RACERS * LAPS, "generation %llu",
				  (unsigned long long)gen);
			cr_expect_not(given[gen], "generation %llu twice", (unsigned long long)gen);
			cr_expect(j == 0 || gen > gens[i][j - 1], "generations go back");
			given[gen] = true;
		}
	}
}
