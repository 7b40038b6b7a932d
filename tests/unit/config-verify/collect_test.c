/* SPDX-License-Identifier: Apache-2.0 */
/* From sealed files to unsealed ones: what the spec explains, and that nothing is left out. */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "config-verify/collect.h"
#include "tests/support/place.h"

static struct verify_ring *ring;

static void
enter(void)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *root = NULL;
	struct seal_secret *key = NULL;
	struct verify_key_id id = { "shop", VERIFY_CONFIG, "web", 1 };

	place_enter();
	cr_assert_eq(seal_secret_from(&root, "0123456789abcdef0123456789abcdef", 32, NULL), 0);
	cr_assert_eq(verify_key_derive(&key, root, &id, NULL), 0);
	cr_assert_eq(verify_ring_new(&ring, "shop", "web", NULL), 0);
	cr_assert_eq(verify_ring_add(ring, &id, &key, NULL), 0);
}

static void
leave(void)
{
	verify_ring_freep(&ring);
	place_leave();
}

TestSuite(collect, .init = enter, .fini = leave);

/* A sealed value in a file of the source. */
static void
put(const char *path, const char *kind, const char *name, const char *key, uint64_t gen,
    uint64_t of, const char *plain)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SEALED_MAX);
	struct verify_binding binding = { .ns = "default", .gen = gen, .of = of };

	(void)snprintf(binding.kind, sizeof(binding.kind), "%s", kind);
	(void)snprintf(binding.name, sizeof(binding.name), "%s", name);
	(void)snprintf(binding.key, sizeof(binding.key), "%s", key);
	cr_assert_eq(verify_seal(&text, ring, &binding, plain, strlen(plain), NULL), 0);
	place_put(path, seal_bytes_str(&text), 0600);
}

static int
open_with_ring(void *arg, const struct verify_object *object, const char *key, const char *text,
	       size_t text_len, struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	       struct seal_err *err)
{
	struct verify_binding expect = { .ns = "default", .gen = 3 }; /* the floor of all of them */

	++*(unsigned *)arg;
	(void)snprintf(expect.kind, sizeof(expect.kind), "%s", object->kind);
	(void)snprintf(expect.name, sizeof(expect.name), "%s", object->name);
	(void)snprintf(expect.key, sizeof(expect.key), "%s", key);
	return verify_open(ret_plain, ret_binding, ring, &expect, text, text_len, err);
}

/* One who believes whatever is shown to him. */
static int
open_blindly(void *arg, const struct verify_object *object, const char *key, const char *text,
	     size_t text_len, struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	     struct seal_err *err)
{
	(void)arg;
	(void)object;
	(void)key;
	return verify_open_any(ret_plain, ret_binding, ring, text, text_len, err);
}

static unsigned opened;
static struct verify_opener opener = { open_with_ring, &opened };

static int
collect(struct verify_collection **ret_collection, const struct verify_files *files)
{
	SEAL_SCOPED(verify_source_freep) struct verify_source *source = NULL;
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;
	struct seal_err err = { 0 };
	int r;

	cr_assert_eq(verify_source_read(&source, place_path, NULL), 0);
	r = verify_collect(&collection, files, source, &opener, &err);
	cr_expect_eq(r, err.code, "%s", err.text);
	cr_expect_eq(r == 0, collection != NULL);
	if (ret_collection != NULL)
		*ret_collection = SEAL_TAKE(collection);
	return r;
}

static void
expect_file(const struct verify_collection *collection, const char *path, const char *text,
	    mode_t mode)
{
	size_t count;
	const struct verify_file *files = verify_collection_files(collection, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i].path, path) != 0)
			continue;
		cr_expect_eq(files[i].mode, mode);
		if (files[i].content == NULL)
			cr_expect_str_eq(text, "");
		else
			cr_expect_str_eq(seal_secret_chars(files[i].content), text);
		return;
	}
	cr_expect_fail("no '%s'", path);
}

static size_t
count_files(const struct verify_collection *collection)
{
	size_t count;

	(void)verify_collection_files(collection, &count);
	return count;
}

static const struct verify_files_object whole_map = { { "ConfigMap", "app", false }, NULL, 0 };
static const struct verify_files_object optional_map = { { "ConfigMap", "app", true }, NULL, 0 };
static const struct verify_item tls_items[] = { { "tls.crt", "tls/cert.pem", 0 },
						{ "run", "tls/run", 0555 } };
static const struct verify_files_object some_secret = { { "Secret", "tls", false }, tls_items, 2 };
static const struct verify_files_object optional_secret = { { "Secret", "tls", true },
							    tls_items,
							    2 };

#define FILES(array, count, ...)                                                                   \
	(const struct verify_files)                                                                \
	{                                                                                          \
		.source = "source", .target = "target", .objects = (array),                        \
		.object_count = (count), __VA_ARGS__                                               \
	}

static void
put_map(void)
{
	put("a.conf", "ConfigMap", "app", "a.conf", 3, 2, "a is 1");
	put("b.conf", "ConfigMap", "app", "b.conf", 3, 2, "");
}

static void
put_secret(void)
{
	cr_assert_eq(mkdirat(place_dir, "tls", 0755), 0);
	put("tls/cert.pem", "Secret", "tls", "tls.crt", 5, 9, "certificate");
	put("tls/run", "Secret", "tls", "run", 5, 9, "#!/bin/sh");
}

Test(collect, unseals_every_key_under_its_own_name)
{
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;

	put_map();
	cr_assert_eq(collect(&collection, &FILES(&whole_map, 1)), 0);
	cr_expect_eq(count_files(collection), 2);
	expect_file(collection, "a.conf", "a is 1", 0400);
	expect_file(collection, "b.conf", "", 0400);
	cr_expect_eq(verify_collection_absent_count(collection), 0);
}

Test(collect, joins_objects_items_and_plain_files)
{
	static const struct verify_files_object objects[] = {
		{ { "ConfigMap", "app", false }, NULL, 0 },
		{ { "Secret", "tls", false }, tls_items, 2 },
	};
	static const char *const plain[] = { "token", "tls/ca.crt", "absent", "empty" };
	const struct verify_files files =
		FILES(objects, SEAL_COUNT(objects), .plain = plain, .plain_count = 4, .mode = 0700);
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;

	put_map();
	put_secret();
	place_put("token", "of the cluster", 0644);
	place_put("tls/ca.crt", "as well", 0644);
	place_put("empty", "", 0644);
	opened = 0;
	cr_assert_eq(collect(&collection, &files), 0);
	cr_expect_eq(opened, 4);
	cr_expect_eq(count_files(collection), 7);
	expect_file(collection, "a.conf", "a is 1", 0500); /* mode of all */
	expect_file(collection, "tls/cert.pem", "certificate", 0500);
	expect_file(collection, "tls/run", "#!/bin/sh", 0500);
	expect_file(collection, "token", "of the cluster", 0500);
	expect_file(collection, "tls/ca.crt", "as well", 0500);
	expect_file(collection, "empty", "", 0500);
}

Test(collect, grants_no_more_than_reading_and_the_owner_s_right_to_run)
{
	static const struct {
		uint32_t all;
		uint32_t item;
		mode_t wanted;
	} rows[] = {
		{ 0, 0, 0400 },     { 0644, 0, 0400 },  { 0777, 0, 0500 },    { 0011, 0, 0400 },
		{ 0, 0600, 0400 },  { 0, 0100, 0500 },  { 0755, 0644, 0400 }, { 0644, 0755, 0500 },
		{ 06777, 0, 0500 }, { 0, 06666, 0400 },
	};

	put("x", "Secret", "s", "k", 3, 1, "x");
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		const struct verify_item item = { "k", "x", rows[i].item };
		const struct verify_files_object object = { { "Secret", "s", false }, &item, 1 };
		SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;

		cr_assert_eq(collect(&collection, &FILES(&object, 1, .mode = rows[i].all)), 0);
		expect_file(collection, "x", "x", rows[i].wanted);
		verify_collection_freep(&collection);
		cr_assert_eq(collect(&collection,
				     &FILES(&object, 1, .mode = rows[i].all, .shared = true)),
			     0);
		expect_file(collection, "x", "x", rows[i].wanted == 0400 ? 0444 : 0555);
	}
}

Test(collect, refuses_files_that_the_spec_does_not_explain)
{
	static const struct verify_files_object several[] = {
		{ { "ConfigMap", "app", false }, NULL, 0 },
		{ { "Secret", "more", true }, NULL, 0 },
	};
	const struct verify_files map = FILES(&whole_map, 1);
	const struct verify_files secret = FILES(&some_secret, 1);

	put_map();
	for (unsigned empty = 0; empty < 2; empty++) {
		place_put("plain", empty != 0 ? "" : "in clear", 0600);
		cr_expect_eq(collect(NULL, &map), SEAL_E_FORMAT); /* opening says what it is not */
		cr_expect_eq(collect(NULL, &FILES(several, 2)), SEAL_E_REFUSED);
	}
	put("plain", "ConfigMap", "other", "plain", 3, 1, "of another object");
	cr_expect_eq(collect(NULL, &map), SEAL_E_REFUSED);
	put("plain", "Secret", "app", "plain", 3, 2, "of another kind");
	cr_expect_eq(collect(NULL, &map), SEAL_E_REFUSED);
	put("plain", "ConfigMap", "app", "c.conf", 3, 2, "of another key");
	cr_expect_eq(collect(NULL, &map), SEAL_E_REFUSED);
	cr_assert_eq(unlinkat(place_dir, "plain", 0), 0);
	cr_expect_eq(collect(NULL, &map), 0);

	cr_assert_eq(mkdirat(place_dir, "d", 0755), 0);
	put("d/c.conf", "ConfigMap", "app", "c.conf", 3, 3, "keys have no folders");
	cr_expect_eq(collect(NULL, &map), SEAL_E_REFUSED);
	cr_assert_eq(unlinkat(place_dir, "d/c.conf", 0), 0);

	put_secret();
	cr_expect_eq(collect(NULL, &secret), SEAL_E_REFUSED); /* no ConfigMap is named */
}

Test(collect, refuses_values_in_each_other_s_place)
{
	const struct verify_files secret = FILES(&some_secret, 1);

	for (unsigned blind = 0; blind < 2; blind++) {
		opener.open = blind != 0 ? open_blindly : open_with_ring;
		(void)mkdirat(place_dir, "tls", 0755);
		put("tls/cert.pem", "Secret", "tls", "run", 5, 9, "swapped");
		put("tls/run", "Secret", "tls", "tls.crt", 5, 9, "swapped");
		cr_expect_eq(collect(NULL, &secret), SEAL_E_REFUSED);
		put("tls/cert.pem", "Secret", "tls", "tls.crt", 5, 9, "right");
		put("tls/run", "Secret", "tls2", "run", 5, 9, "of another object");
		cr_expect_eq(collect(NULL, &secret), SEAL_E_REFUSED);
		put("tls/run", "ConfigMap", "tls", "run", 5, 9, "of another kind");
		cr_expect_eq(collect(NULL, &secret), SEAL_E_REFUSED);
		put("tls/run", "Secret", "tls", "run", 5, 9, "right");
		cr_expect_eq(collect(NULL, &secret), 0);
	}
}

Test(collect, refuses_what_does_not_open)
{
	const struct verify_files map = FILES(&whole_map, 1);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SEALED_MAX);

	put("a.conf", "ConfigMap", "app", "a.conf", 3, 1, "whole");
	cr_assert_eq(seal_fs_read(&text, place_dir, "a.conf", VERIFY_SEALED_MAX, NULL), 0);
	text.data[text.len - 5] ^= 1;
	place_put("a.conf", seal_bytes_str(&text), 0600);
	cr_expect_lt(collect(NULL, &map), 0);
	put("a.conf", "ConfigMap", "app", "a.conf", 2, 1, "below the floor");
	cr_expect_eq(collect(NULL, &map), SEAL_E_CONFLICT);
}

Test(collect, notices_values_that_are_left_out)
{
	const struct verify_files map = FILES(&whole_map, 1);
	const struct verify_files optional = FILES(&optional_map, 1);
	const struct verify_files secret = FILES(&some_secret, 1);
	const struct verify_files optional_items = FILES(&optional_secret, 1);

	cr_expect_eq(collect(NULL, &map), SEAL_E_MISSING);
	cr_expect_eq(collect(NULL, &secret), SEAL_E_MISSING);
	put_map();
	cr_assert_eq(unlinkat(place_dir, "b.conf", 0), 0);
	cr_expect_eq(collect(NULL, &map), SEAL_E_MISSING);
	cr_expect_eq(collect(NULL, &optional), SEAL_E_MISSING); /* in part is not absent */
	cr_assert_eq(unlinkat(place_dir, "a.conf", 0), 0);
	put_secret();
	cr_assert_eq(unlinkat(place_dir, "tls/run", 0), 0);
	cr_expect_eq(collect(NULL, &secret), SEAL_E_MISSING);
	cr_expect_eq(collect(NULL, &optional_items), SEAL_E_MISSING);
}

Test(collect, lists_optional_objects_that_are_wholly_absent)
{
	static const struct verify_files_object objects[] = {
		{ { "ConfigMap", "app", true }, NULL, 0 },
		{ { "ConfigMap", "app", true }, NULL, 0 },
		{ { "Secret", "tls", true }, tls_items, 2 },
	};
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;

	cr_assert_eq(collect(&collection, &FILES(objects, SEAL_COUNT(objects))), 0);
	cr_expect_eq(count_files(collection), 0);
	cr_assert_eq(verify_collection_absent_count(collection), 2);
	cr_expect_eq(verify_collection_absent(collection, 0), &objects[0].object);
	cr_expect_eq(verify_collection_absent(collection, 1), &objects[2].object);
	verify_collection_freep(&collection);
	put_map();
	cr_assert_eq(collect(&collection, &FILES(objects, SEAL_COUNT(objects))), 0);
	cr_expect_eq(count_files(collection), 2);
	cr_assert_eq(verify_collection_absent_count(collection), 1);
	cr_expect_eq(verify_collection_absent(collection, 0), &objects[2].object);
}

Test(collect, refuses_a_mix_of_generations)
{
	const struct verify_files map = FILES(&whole_map, 1);
	const struct verify_files secret = FILES(&some_secret, 1);

	put_map();
	put("b.conf", "ConfigMap", "app", "b.conf", 4, 2, "newer");
	cr_expect_eq(collect(NULL, &map), SEAL_E_CONFLICT);
	put("b.conf", "ConfigMap", "app", "b.conf", 3, 3, "of more");
	cr_expect_eq(collect(NULL, &map), SEAL_E_CONFLICT);
	put("a.conf", "ConfigMap", "app", "a.conf", 4, 1, "of fewer than there are");
	put("b.conf", "ConfigMap", "app", "b.conf", 4, 1, "of fewer than there are");
	cr_expect_eq(collect(NULL, &map), SEAL_E_MISSING);
	cr_assert_eq(unlinkat(place_dir, "a.conf", 0) | unlinkat(place_dir, "b.conf", 0), 0);
	put_secret();
	put("tls/run", "Secret", "tls", "run", 6, 9, "newer");
	cr_expect_eq(collect(NULL, &secret), SEAL_E_CONFLICT);
}

Test(collect, refuses_a_mix_of_generations_among_several_mentions_of_an_object)
{
	static const struct verify_item item = { "a.conf", "other", 0 };
	static const struct verify_files_object objects[] = {
		{ { "ConfigMap", "app", false }, &item, 1 },
		{ { "ConfigMap", "app", false }, NULL, 0 },
	};
	const struct verify_files files = FILES(objects, SEAL_COUNT(objects));

	put_map();
	put("other", "ConfigMap", "app", "a.conf", 3, 2, "a is 1");
	cr_expect_eq(collect(NULL, &files), 0);
	put("other", "ConfigMap", "app", "a.conf", 4, 2, "a is 2");
	cr_expect_eq(collect(NULL, &files), SEAL_E_CONFLICT);
	cr_assert_eq(unlinkat(place_dir, "other", 0), 0);
	cr_expect_eq(collect(NULL, &files), SEAL_E_MISSING);
}

Test(collect, counts_a_key_that_an_item_puts_under_its_own_name)
{
	static const struct verify_item item = { "a.conf", "a.conf", 0 };
	static const struct verify_files_object objects[] = {
		{ { "ConfigMap", "app", false }, NULL, 0 },
		{ { "ConfigMap", "app", false }, &item, 1 },
	};

	put_map();
	cr_expect_eq(collect(NULL, &FILES(objects, SEAL_COUNT(objects))), 0);
}

Test(collect, refuses_two_items_for_one_path)
{
	static const struct verify_item items[] = { { "k", "x", 0 }, { "l", "x", 0 } };
	static const struct verify_files_object object = { { "Secret", "s", false }, items, 2 };

	put("x", "Secret", "s", "k", 3, 2, "x");
	cr_expect_eq(collect(NULL, &FILES(&object, 1)), SEAL_E_REFUSED);
}

Test(collect, takes_only_its_file_for_a_mount_of_one_file)
{
	const struct verify_files map = FILES(&whole_map, 1, .file = "a.conf");
	const struct verify_files secret = FILES(&some_secret, 1, .file = "tls/run");
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;

	put_map();
	place_put("unexplained", "x", 0600);
	cr_assert_eq(collect(&collection, &map), 0);
	cr_expect_eq(count_files(collection), 1);
	expect_file(collection, "a.conf", "a is 1", 0400);
	verify_collection_freep(&collection);
	put_secret();
	cr_assert_eq(collect(&collection, &secret), 0);
	cr_expect_eq(count_files(collection), 1);
	expect_file(collection, "tls/run", "#!/bin/sh", 0500);

	put("a.conf", "ConfigMap", "app", "b.conf", 3, 2, "another key");
	cr_expect_eq(collect(NULL, &map), SEAL_E_REFUSED);
	place_put("a.conf", "in clear", 0600);
	cr_expect_eq(collect(NULL, &map), SEAL_E_FORMAT);
}

Test(collect, lacks_its_one_file_only_when_what_it_could_be_of_is_optional)
{
	static const struct verify_files_object objects[] = {
		{ { "ConfigMap", "app", true }, NULL, 0 },
		{ { "Secret", "tls", false }, tls_items, 2 },
	};
	SEAL_SCOPED(verify_collection_freep) struct verify_collection *collection = NULL;

	cr_expect_eq(collect(NULL, &FILES(&whole_map, 1, .file = "a.conf")), SEAL_E_MISSING);
	cr_expect_eq(collect(NULL, &FILES(objects, SEAL_COUNT(objects), .file = "tls/run")),
		     SEAL_E_MISSING);
	cr_expect_eq(collect(NULL, &FILES(&some_secret, 1, .file = "other")), SEAL_E_MISSING);
	cr_assert_eq(collect(&collection, &FILES(objects, SEAL_COUNT(objects), .file = "a.conf")),
		     0);
	cr_expect_eq(count_files(collection), 0);
	cr_assert_eq(verify_collection_absent_count(collection), 1);
	cr_expect_str_eq(verify_collection_absent(collection, 0)->name, "app");
}
