/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: what the kubelet and plain runtimes make, what a hostile host could, and watching. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "config-verify/sealed.h"
#include "config-verify/source.h"
#include "tests/support/child.h"
#include "tests/support/place.h"
#include "tests/unit/config-verify/volume_rig.h"

TestSuite(source, .init = place_enter, .fini = place_leave);
TestSuite(watch, .init = place_enter, .fini = place_leave);

/* The code, and what was read. */
static int
read_place(struct verify_source **ret_source)
{
	struct verify_source *source = NULL;
	struct seal_err err = { 0 };
	int r = verify_source_read(&source, place_path, &err);

	cr_expect(r == 0 || r == err.code, "%d, %d", r, err.code);
	cr_expect_eq(r == 0, source != NULL);
	if (ret_source != NULL)
		*ret_source = SEAL_TAKE(source);
	verify_source_free(source);
	return r;
}

static void
expect_file(const struct verify_source *source, const char *path, const char *text)
{
	const struct verify_source_file *file = verify_source_find(source, path);

	cr_assert_not_null(file, "%s", path);
	cr_expect_str_eq(file->path, path);
	cr_expect_str_eq(file->text, text);
	cr_expect_eq(file->text_len, strlen(text));
}

/* A version as the kubelet writes it, with "app" and "items/x"; ..data is turned by a rename. */
static void
put_version(const char *version, const char *text)
{
	char path[128];

	cr_assert_eq(mkdirat(place_dir, version, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/items", version);
	cr_assert_eq(mkdirat(place_dir, path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/items/x", version);
	place_put(path, text, 0644);
	(void)snprintf(path, sizeof(path), "%s/app", version);
	place_put(path, text, 0644);
	cr_assert_eq(symlinkat(version, place_dir, "..data_tmp"), 0);
	cr_assert_eq(renameat(place_dir, "..data_tmp", place_dir, "..data"), 0);
}

static void
put_links(void)
{
	cr_assert_eq(symlinkat("..data/app", place_dir, "app"), 0);
	cr_assert_eq(symlinkat("..data/items", place_dir, "items"), 0);
}

Test(source, reads_what_the_kubelet_made)
{
	SEAL_SCOPED(verify_source_freep) struct verify_source *source = NULL;

	put_version("..2026_01_01_00_00_00.1", "one");
	put_links();
	put_version("..2026_01_01_00_00_01.2", "two"); /* the old one lies there yet */
	cr_assert_eq(read_place(&source), 0);
	cr_expect_eq(verify_source_count(source), 2);
	expect_file(source, "app", "two");
	expect_file(source, "items/x", "two");
	cr_expect_str_eq(verify_source_file(source, 0)->path, "app");
	cr_expect_null(verify_source_find(source, "items"));
	cr_expect_null(verify_source_find(source, "..data/app"));
}

Test(source, reads_a_plain_tree)
{
	SEAL_SCOPED(verify_source_freep) struct verify_source *source = NULL;

	cr_assert_eq(read_place(&source), 0);
	cr_expect_eq(verify_source_count(source), 0);
	cr_expect_null(verify_source_find(source, "app"));
	verify_source_freep(&source);

	place_put("app", "text", 0644);
	place_put(".empty", "", 0400);
	cr_assert_eq(mkdirat(place_dir, "d", 0755), 0);
	cr_assert_eq(mkdirat(place_dir, "d/..e", 0755), 0);
	place_put("d/..e/f", "deep", 0644);
	cr_assert_eq(read_place(&source), 0);
	cr_expect_eq(verify_source_count(source), 3);
	expect_file(source, "app", "text");
	expect_file(source, ".empty", "");
	expect_file(source, "d/..e/f", "deep");
}

Test(source, has_a_digest_of_every_path_and_byte)
{
	static const char *const steps[][2] = {
		{ "a", "1" }, { "a", "2" }, { "b", "2" }, { "b", "" }, { "c", "" }
	};
	uint8_t digests[2 + SEAL_COUNT(steps)][SEAL_HASH_LEN];
	struct verify_source *source = NULL;

	for (size_t i = 0; i < 2 + SEAL_COUNT(steps); i++) {
		if (i < SEAL_COUNT(steps))
			place_put(steps[i][0], steps[i][1], 0600);
		else if (i == SEAL_COUNT(steps))
			cr_assert_eq(renameat(place_dir, "c", place_dir, "d"), 0);
		cr_assert_eq(read_place(&source), 0);
		verify_source_digest(source, digests[i]);
		verify_source_freep(&source);
	}
	for (size_t i = 0; i < SEAL_COUNT(digests); i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_eq(memcmp(digests[i], digests[j], SEAL_HASH_LEN) == 0,
				     i == SEAL_COUNT(digests) - 1 && j == i - 1, "%zu %zu", i, j);
}

Test(source, refuses_every_thing_that_is_no_file)
{
	for (size_t i = 0; i < PLACE_THING_COUNT; i++) {
		const bool is_folder = strcmp(place_things[i], "folder") == 0;

		place_put_things();
		for (size_t j = 0; j < PLACE_THING_COUNT; j++)
			if (i != j)
				cr_assert_eq(unlinkat(place_dir, place_things[j],
						      strcmp(place_things[j], "folder") == 0
							      ? AT_REMOVEDIR
							      : 0),
					     0);
		cr_expect_eq(read_place(NULL), is_folder ? 0 : SEAL_E_REFUSED, "%s",
			     place_things[i]);
		cr_assert_eq(unlinkat(place_dir, place_things[i], is_folder ? AT_REMOVEDIR : 0), 0);
	}
}

Test(source, follows_no_link_but_the_kubelet_s)
{
	static const char *const targets[] = {
		"/etc/passwd",      "file",      "..data/other", "./..data/l",
		"..data/../../etc", "..data/l/", "..data"
	};

	put_version("..2026_01_01_00_00_00.1", "one");
	put_links();
	for (size_t i = 0; i < SEAL_COUNT(targets); i++) {
		cr_assert_eq(symlinkat(targets[i], place_dir, "l"), 0);
		cr_expect_eq(read_place(NULL), SEAL_E_REFUSED, "%s", targets[i]);
		cr_assert_eq(unlinkat(place_dir, "l", 0), 0);
	}
	place_put("plain", "beside", 0644);
	cr_expect_eq(read_place(NULL), SEAL_E_REFUSED);
	cr_assert_eq(unlinkat(place_dir, "plain", 0), 0);
	cr_assert_eq(symlinkat("/etc/passwd", place_dir, "..data/l"), 0);
	cr_expect_eq(read_place(NULL), SEAL_E_REFUSED);
	cr_assert_eq(unlinkat(place_dir, "..data/l", 0), 0);
	cr_assert_eq(symlinkat("..data/gone", place_dir, "gone"), 0); /* stale, and soon removed */
	cr_expect_eq(read_place(NULL), 0);
}

Test(source, is_not_led_elsewhere_by_its_data_link)
{
	static const char *const targets[] = { "/etc", "/",      "..",       ".",     "../..",
					       "d",    "..data", "..v/../d", "..file" };

	cr_assert_eq(mkdirat(place_dir, "d", 0755), 0);
	cr_assert_eq(mkdirat(place_dir, "..v", 0755), 0);
	place_put("..file", "", 0600);
	for (size_t i = 0; i < SEAL_COUNT(targets); i++) {
		cr_assert_eq(symlinkat(targets[i], place_dir, "..data"), 0);
		cr_expect_lt(read_place(NULL), 0, "%s", targets[i]);
		cr_assert_eq(unlinkat(place_dir, "..data", 0), 0);
	}
	cr_assert_eq(mkdirat(place_dir, "..data", 0755), 0);
	cr_expect_eq(read_place(NULL), SEAL_E_REFUSED);
	cr_assert_eq(unlinkat(place_dir, "..data", AT_REMOVEDIR), 0);
	cr_assert_eq(symlinkat("..absent", place_dir, "..data"), 0);
	cr_expect_lt(read_place(NULL), 0);
}

Test(source, asks_to_try_again_before_the_first_version_is_finished)
{
	cr_assert_eq(mkdirat(place_dir, "..2026_01_01_00_00_00.1", 0755), 0);
	cr_expect_eq(read_place(NULL), SEAL_E_CONFLICT);
}

Test(source, says_that_its_directory_is_missing)
{
	struct verify_source *source = NULL;

	cr_expect_eq(verify_source_read(&source, "/nonexistent/source", NULL), SEAL_E_MISSING);
	cr_expect_eq(verify_source_read(&source, "relative", NULL), SEAL_E_FORMAT);
	cr_expect_lt(verify_source_read(&source, "/etc/passwd", NULL), 0);
	cr_expect_null(source);
}

static void
put_sized(const char *name, off_t len)
{
	SEAL_SCOPED(seal_closep)
	int fd = openat(place_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, len), 0);
}

Test(source, bounds_a_file_and_all_of_them)
{
	struct verify_source *source = NULL;
	char name[16];

	put_sized("large", VERIFY_SEALED_MAX);
	cr_assert_eq(read_place(&source), 0);
	cr_expect_eq(verify_source_file(source, 0)->text_len, VERIFY_SEALED_MAX);
	verify_source_freep(&source);
	put_sized("large", VERIFY_SEALED_MAX + 1);
	cr_expect_eq(read_place(NULL), SEAL_E_LIMIT);
	put_sized("large", INT64_C(1) << 40);
	cr_expect_eq(read_place(NULL), SEAL_E_LIMIT);
	cr_assert_eq(unlinkat(place_dir, "large", 0), 0);
	for (unsigned i = 0; i < VERIFY_SOURCE_MAX / VERIFY_SEALED_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		put_sized(name, VERIFY_SEALED_MAX);
	}
	cr_expect_eq(read_place(NULL), SEAL_E_LIMIT);
}

Test(source, bounds_how_many_files_there_are)
{
	struct verify_source *source = NULL;
	char name[16];

	for (unsigned i = 0; i < VERIFY_MAX_VALUES; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		put_sized(name, 0);
	}
	cr_assert_eq(read_place(&source), 0);
	cr_expect_eq(verify_source_count(source), VERIFY_MAX_VALUES);
	verify_source_freep(&source);
	put_sized("another", 0);
	cr_expect_eq(read_place(NULL), SEAL_E_LIMIT);
}

Test(source, bounds_directories_within_directories)
{
	char path[128] = "d";
	struct verify_source *source = NULL;

	for (unsigned i = 1; i <= VERIFY_SOURCE_DEPTH; i++) {
		cr_assert_eq(mkdirat(place_dir, path, 0755), 0);
		(void)snprintf(path + strlen(path), 3, "/d");
	}
	place_put(path, "x", 0600);
	cr_expect_eq(read_place(&source), 0);
	verify_source_freep(&source);
	cr_assert_eq(unlinkat(place_dir, path, 0), 0);
	cr_assert_eq(mkdirat(place_dir, path, 0755), 0);
	cr_expect_eq(read_place(NULL), SEAL_E_LIMIT);
	cr_assert_eq(unlinkat(place_dir, path, AT_REMOVEDIR), 0);
}

static void
has_empty_directories(void *arg)
{
	struct verify_source *source = NULL;
	char name[16];

	(void)arg;
	for (unsigned i = 0; i <= 4 * VERIFY_MAX_VALUES; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		MUST(mkdirat(rig_top, name, 0755) == 0);
	}
	MUST(verify_source_read(&source, rig_volume, NULL) == SEAL_E_LIMIT && source == NULL);
	MUST(unlinkat(rig_top, "0", AT_REMOVEDIR) == 0);
	MUST(verify_source_read(&source, rig_volume, NULL) == 0 &&
	     verify_source_count(source) == 0);
	verify_source_free(source);
}

Test(source, bounds_directories_without_a_file)
{
	rig_run("has_empty_directories", "nr_inodes=1000000", has_empty_directories);
}

/* Versions after versions, as fast as it goes, old ones removed. */
static void
swap_for_ever(void)
{
	char text[16];
	char version[32];
	char path[64];

	for (unsigned n = 10;; n++) {
		(void)snprintf(text, sizeof(text), "%u", n);
		(void)snprintf(version, sizeof(version), "..2026.%u", n);
		put_version(version, text);
		(void)snprintf(version, sizeof(version), "..2026.%u", n - 1);
		(void)snprintf(path, sizeof(path), "%s/app", version);
		(void)unlinkat(place_dir, path, 0);
		(void)snprintf(path, sizeof(path), "%s/items/x", version);
		(void)unlinkat(place_dir, path, 0);
		(void)snprintf(path, sizeof(path), "%s/items", version);
		(void)unlinkat(place_dir, path, AT_REMOVEDIR);
		(void)unlinkat(place_dir, version, AT_REMOVEDIR);
		(void)usleep(n % 5 * 20);
	}
}

Test(source, gives_one_version_while_versions_change, .timeout = 60)
{
	unsigned good = 0;
	unsigned changes = 0;
	uint8_t last[SEAL_HASH_LEN] = { 0 };
	uint8_t now[SEAL_HASH_LEN];
	pid_t writer;

	put_version("..2026.9", "9");
	put_links();
	writer = fork();
	if (writer == 0)
		swap_for_ever();
	while (good < 300 || changes < 20) {
		struct verify_source *source = NULL;
		int r = read_place(&source);

		cr_assert(r == 0 || r == SEAL_E_CONFLICT);
		if (r < 0)
			continue;
		good++;
		cr_assert_eq(verify_source_count(source), 2);
		cr_assert_str_eq(verify_source_find(source, "app")->text,
				 verify_source_find(source, "items/x")->text);
		verify_source_digest(source, now);
		changes += memcmp(now, last, sizeof(now)) != 0;
		memcpy(last, now, sizeof(now));
		verify_source_free(source);
	}
	cr_assert_eq(kill(writer, SIGKILL), 0);
	cr_assert_eq(waitpid(writer, NULL, 0), writer);
}

/* ---- Watching ---- */

/* Whether it is told within a second; changed is what is said then. */
static bool
is_told(struct verify_watch *watch, bool changed[2])
{
	struct pollfd pollfd = { .fd = verify_watch_fd(watch), .events = POLLIN };

	changed[0] = changed[1] = false;
	if (poll(&pollfd, 1, 1000) != 1)
		return false;
	verify_watch_read(watch, changed);
	return changed[0] || changed[1];
}

static void
drain(struct verify_watch *watch)
{
	bool changed[2];

	verify_watch_read(watch, changed);
}

Test(watch, tells_which_directory_changed)
{
	SEAL_SCOPED(verify_watch_freep) struct verify_watch *watch = NULL;
	char paths[2][64];
	const char *const list[] = { paths[0], paths[1] };
	bool changed[2];

	(void)snprintf(paths[0], sizeof(paths[0]), "%s/0", place_path);
	(void)snprintf(paths[1], sizeof(paths[1]), "%s/1", place_path);
	cr_assert_eq(mkdir(paths[0], 0755) | mkdir(paths[1], 0755), 0);
	cr_assert_eq(verify_watch_new(&watch, list, 2, NULL), 0);
	place_put("0/file", "new", 0600);
	cr_expect(is_told(watch, changed) && changed[0] && !changed[1]);
	drain(watch);
	place_put("1/file", "new", 0600);
	cr_expect(is_told(watch, changed) && !changed[0] && changed[1]);
	drain(watch);
	place_put("1/file", "other content", 0600);
	cr_expect(is_told(watch, changed) && !changed[0] && changed[1]);
	drain(watch);
	cr_assert_eq(symlinkat("..v", place_dir, "..data_tmp"), 0);
	cr_assert_eq(renameat(place_dir, "..data_tmp", place_dir, "0/..data"), 0);
	cr_expect(is_told(watch, changed) && changed[0] && !changed[1]);
	drain(watch);
	cr_assert_eq(unlinkat(place_dir, "0/file", 0), 0);
	cr_expect(is_told(watch, changed) && changed[0] && !changed[1]);
	drain(watch);
	changed[0] = changed[1] = false;
	verify_watch_read(watch, changed);
	cr_expect(!changed[0] && !changed[1]); /* and does not block */
}

Test(watch, finds_a_directory_that_was_replaced_or_comes_late)
{
	SEAL_SCOPED(verify_watch_freep) struct verify_watch *watch = NULL;
	char path[64];
	const char *const list[] = { path, path };
	bool changed[2] = { false, false };

	(void)snprintf(path, sizeof(path), "%s/late", place_path);
	cr_assert_eq(verify_watch_new(&watch, list, 2, NULL), 0);
	verify_watch_read(watch, changed);
	cr_expect(!changed[0] && !changed[1]);
	cr_assert_eq(mkdir(path, 0755), 0);
	verify_watch_read(watch, changed);
	cr_expect(changed[0] && changed[1]);
	cr_assert_eq(rmdir(path), 0);
	cr_expect(is_told(watch, changed));
	cr_assert_eq(mkdir(path, 0755), 0);
	drain(watch);
	place_put("late/file", "x", 0600);
	cr_expect(is_told(watch, changed) && changed[0] && changed[1]);
}

Test(watch, does_without_a_descriptor_when_there_is_none)
{
	SEAL_SCOPED(verify_watch_freep) struct verify_watch *watch = NULL;
	const char *const list[] = { place_path };
	const struct rlimit few = { 200, 200 };
	int fds[256];
	size_t count = 0;
	bool changed = false;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < SEAL_COUNT(fds) && (fds[count] = dup(place_dir)) >= 0)
		count++;
	cr_assert_lt(count, SEAL_COUNT(fds));
	cr_expect_eq(verify_watch_new(&watch, list, 1, NULL), 0);
	while (count > 0)
		seal_close(fds[--count]);
	cr_expect_eq(verify_watch_fd(watch), -1);
	verify_watch_read(watch, &changed);
	cr_expect_not(changed);
}
