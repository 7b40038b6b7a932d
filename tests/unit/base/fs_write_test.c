/* SPDX-License-Identifier: Apache-2.0 */
/* base/fs: a file is written as a whole or not at all, and nothing is left behind. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "tests/support/alloc.h"
#include "tests/support/child.h"
#include "tests/support/place.h"

#define BYTES       SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define FREE_SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define FD          SEAL_SCOPED(seal_closep) int

TestSuite(fs_write, .init = place_enter, .fini = place_leave);

static size_t
count_descriptors(void)
{
	FD fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return place_count(fds);
}

static mode_t
mode_of(const char *name)
{
	struct stat st = { 0 };

	cr_expect_eq(fstatat(place_dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode;
}

Test(fs_write, writes_a_whole_file_with_the_mode_asked_for)
{
	static const mode_t modes[] = { 0600, 0644, 0400, 0640 };

	(void)umask(077);
	for (size_t i = 0; i < SEAL_COUNT(modes); i++) {
		cr_assert_eq(seal_fs_write(place_dir, "file", "content", 7, modes[i], i > 0, NULL),
			     0);
		cr_expect_eq(mode_of("file"), S_IFREG | modes[i]);
		place_expect("file", "content");
		cr_expect_eq(place_count(place_dir), 1);
	}
	cr_expect_eq(seal_fs_write(place_dir, "empty", NULL, 0, 0600, false, NULL), 0);
	place_expect("empty", "");
}

Test(fs_write, writes_into_folders_below_and_by_absolute_path)
{
	char path[64];

	cr_assert_eq(mkdirat(place_dir, "sub", 0700), 0);
	cr_expect_eq(seal_fs_write(place_dir, "sub/file", "x", 1, 0600, false, NULL), 0);
	place_expect("sub/file", "x");
	(void)snprintf(path, sizeof(path), "%s/absolute", place_path);
	cr_expect_eq(seal_fs_write(AT_FDCWD, path, "y", 1, 0600, false, NULL), 0);
	place_expect("absolute", "y");
	cr_expect_eq(place_count(place_dir), 2);
}

Test(fs_write, does_not_overwrite_unless_told_to)
{
	struct seal_err err = { 0 };

	place_put("file", "old", 0640);
	cr_assert_eq(symlinkat("nowhere", place_dir, "dangling"), 0);
	cr_assert_eq(symlinkat("file", place_dir, "link"), 0);
	place_put_things();
	cr_expect_eq(seal_fs_write(place_dir, "file", "new", 3, 0600, false, &err),
		     SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "'file' exists already"));
	cr_expect_eq(seal_fs_write(place_dir, "link", "new", 3, 0600, false, NULL),
		     SEAL_E_CONFLICT);
	cr_expect_eq(seal_fs_write(place_dir, "dangling", "new", 3, 0600, false, NULL),
		     SEAL_E_CONFLICT);
	for (size_t i = 0; i < PLACE_THING_COUNT; i++)
		cr_expect_eq(seal_fs_write(place_dir, place_things[i], "new", 3, 0600, false, NULL),
			     SEAL_E_CONFLICT);
	place_expect("file", "old");
	cr_expect_eq(mode_of("file"), S_IFREG | 0640);
	cr_expect_eq(place_count(place_dir), 7, "left something behind");
}

Test(fs_write, replaces_files_and_links_but_nothing_else)
{
	place_put("file", "old", 0640);
	cr_assert_eq(symlinkat("file", place_dir, "link"), 0);
	place_put_things();
	cr_expect_eq(seal_fs_write(place_dir, "link", "new", 3, 0600, true, NULL), 0);
	cr_expect_eq(mode_of("link"), S_IFREG | 0600, "wrote through the link");
	place_expect("file", "old");
	for (size_t i = 0; i < 3; i++) {
		cr_expect_eq(seal_fs_write(place_dir, place_things[i], "new", 3, 0600, true, NULL),
			     SEAL_E_REFUSED, "%s", place_things[i]);
		cr_expect_not(S_ISREG(mode_of(place_things[i])));
	}
	cr_expect_eq(place_count(place_dir), 6, "left something behind");
}

Test(fs_write, what_reads_the_old_file_keeps_it)
{
	char text[4] = "";
	FD old = -1;

	place_put("file", "old", 0600);
	old = openat(place_dir, "file", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(seal_fs_write(place_dir, "file", "new", 3, 0600, true, NULL), 0);
	cr_expect_eq(read(old, text, 3), 3);
	cr_expect_str_eq(text, "old");
	place_expect("file", "new");
}

Test(fs_write, names_that_are_no_files_are_refused)
{
	static const char *const bad[] = { "", "/", "sub/", "./", "nope/file", "file/file" };
	char far[6000];

	place_put("file", "x", 0600);
	for (int replace = 0; replace < 2; replace++) {
		for (size_t i = 0; i < SEAL_COUNT(bad); i++)
			cr_expect_lt(
				seal_fs_write(place_dir, bad[i], "x", 1, 0600, replace != 0, NULL),
				0, "'%s'", bad[i]);
		cr_expect_lt(seal_fs_write(place_dir, ".", "x", 1, 0600, replace != 0, NULL), 0);
		cr_expect_lt(seal_fs_write(place_dir, "..", "x", 1, 0600, replace != 0, NULL), 0);
		memset(far, 'x', sizeof(far) - 1);
		far[sizeof(far) - 1] = '\0';
		cr_expect_lt(seal_fs_write(place_dir, far, "x", 1, 0600, replace != 0, NULL), 0);
		far[5000] = '/';
		cr_expect_eq(seal_fs_write(place_dir, far, "x", 1, 0600, replace != 0, NULL),
			     SEAL_E_LIMIT);
	}
	cr_expect_eq(place_count(place_dir), 1, "left something behind");
	place_expect("file", "x");
}

static void
runs_out_of_disk(void *arg)
{
	const struct rlimit small = { 4096, 4096 };
	static char text[10000];

	(void)arg;
	MUST(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	MUST(setrlimit(RLIMIT_FSIZE, &small) == 0);
	MUST(seal_fs_write(place_dir, "file", text, sizeof(text), 0600, true, NULL) ==
	     SEAL_E_SYSTEM);
	MUST(seal_fs_write(place_dir, "new", text, sizeof(text), 0600, false, NULL) ==
	     SEAL_E_SYSTEM);
}

Test(fs_write, leaves_nothing_and_keeps_the_old_file_when_the_disk_is_full)
{
	place_put("file", "old", 0600);
	cr_expect_eq(child_run(runs_out_of_disk, NULL), 0);
	cr_expect_eq(place_count(place_dir), 1, "left something behind");
	place_expect("file", "old");
}

Test(fs_write, leaves_nothing_when_memory_is_gone)
{
	BYTES out = SEAL_BYTES(100);
	struct seal_secret *secret = NULL;

	alloc_fail_at(1);
	cr_expect_eq(seal_fs_write(place_dir, "file", "x", 1, 0600, false, NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	cr_expect_eq(place_count(place_dir), 0);
	place_put("file", "x", 0600);
	alloc_fail_at(1);
	cr_expect_eq(seal_fs_read(&out, place_dir, "file", 100, NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	alloc_fail_at(1);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "file", 100, NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	cr_expect_eq(out.len, 0);
	cr_expect_null(secret);
}

Test(fs_write, no_descriptor_is_left_open_by_success_or_failure)
{
	size_t before = count_descriptors();

	place_put("key", "key", 0600);
	place_put_things();
	for (int i = 0; i < 20; i++) {
		BYTES out = SEAL_BYTES(100);
		FREE_SECRET secret = NULL;

		cr_expect_eq(seal_fs_read(&out, place_dir, "key", 100, NULL), 0);
		cr_expect_lt(seal_fs_read(&out, place_dir, "key", 1, NULL), 0);
		cr_expect_lt(seal_fs_read(&out, place_dir, "fifo", 100, NULL), 0);
		cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", 100, NULL), 0);
		cr_expect_lt(seal_fs_read_secret(&secret, place_dir, "key", 1, NULL), 0);
		cr_expect_lt(seal_fs_read_secret(&secret, place_dir, "folder", 1, NULL), 0);
		cr_expect_eq(seal_fs_write(place_dir, "new", "x", 1, 0600, true, NULL), 0);
		cr_expect_lt(seal_fs_write(place_dir, "new", "x", 1, 0600, false, NULL), 0);
		cr_expect_lt(seal_fs_write(place_dir, "folder", "x", 1, 0600, true, NULL), 0);
		cr_expect_lt(seal_fs_open_dir(place_path, SEAL_FS_PRIVATE, NULL), 0);
		cr_expect_lt(seal_fs_open_on_root("/seal-no-such-file", NULL), 0);
	}
	cr_expect_eq(count_descriptors(), before);
}
