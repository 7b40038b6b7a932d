/* SPDX-License-Identifier: Apache-2.0 */
/* base/fs: what is read and what is refused, judged on the descriptor. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "tests/support/child.h"
#include "tests/support/place.h"

#define BYTES       SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define FREE_SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define FD          SEAL_SCOPED(seal_closep) int

TestSuite(fs, .init = place_enter, .fini = place_leave);

Test(fs, closing_nothing_is_allowed_and_keeps_errno)
{
	int fd = -1;

	errno = ENOTTY;
	seal_close(-1);
	seal_closep(&fd);
	cr_expect_eq(fd, -1);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	errno = ENOTTY;
	seal_closep(&fd);
	cr_expect_eq(fd, -1);
	cr_expect_eq(errno, ENOTTY);
}

Test(fs, reads_up_to_the_cap_and_no_more)
{
	static char text[40001];
	static const size_t lens[] = { 0, 1, 16383, 16384, 16385, 32768, 40000 };

	for (size_t i = 0; i < SEAL_COUNT(lens); i++) {
		BYTES fits = SEAL_BYTES(50000);
		BYTES not = SEAL_BYTES(50000);
		struct seal_err err = { 0 };

		memset(text, 'x', lens[i]);
		text[lens[i]] = '\0';
		place_put("file", text, 0644);
		cr_assert_eq(seal_bytes_append_str(&fits, "before", NULL), 0);
		cr_expect_eq(seal_fs_read(&fits, place_dir, "file", lens[i], NULL), 0);
		cr_expect_eq(fits.len, 6 + lens[i]);
		cr_expect_eq(strcmp(seal_bytes_str(&fits) + 6, text), 0);
		if (lens[i] == 0)
			continue;
		cr_assert_eq(seal_bytes_append_str(&not, "before", NULL), 0);
		cr_expect_eq(seal_fs_read(&not, place_dir, "file", lens[i] - 1, &err),
			     SEAL_E_LIMIT);
		cr_expect_not_null(strstr(err.text, "'file'"));
		cr_expect_str_eq(seal_bytes_str(&not ), "before");
		for (size_t n = not .len; n < not .cap; n++) {
			if (not .data[n] != 0)
				cr_assert_fail("left byte %zu behind", n);
		}
	}
}

Test(fs, the_limit_of_the_buffer_counts_too)
{
	BYTES out = SEAL_BYTES(3);

	place_put("file", "four", 0644);
	cr_expect_eq(seal_fs_read(&out, place_dir, "file", 100, NULL), SEAL_E_LIMIT);
	cr_expect_eq(out.len, 0);
	cr_expect_eq(seal_fs_read(&out, place_dir, "file", SIZE_MAX, NULL), SEAL_E_LIMIT);
}

Test(fs, reads_files_that_do_not_tell_their_size)
{
	BYTES out = SEAL_BYTES(100000);

	cr_expect_eq(seal_fs_read(&out, AT_FDCWD, "/proc/self/status", 100000, NULL), 0);
	cr_expect_gt(out.len, 0);
}

Test(fs, reads_regular_files_only_and_waits_for_nobody, .timeout = 10)
{
	place_put_things();
	for (size_t i = 0; i < PLACE_THING_COUNT; i++) {
		BYTES out = SEAL_BYTES(1000);
		struct seal_secret *secret = NULL;
		int r = seal_fs_read(&out, place_dir, place_things[i], 1000, NULL);

		cr_expect(r == SEAL_E_REFUSED || (r == SEAL_E_SYSTEM && i == 1), "%s: %d",
			  place_things[i], r);
		cr_expect_eq(out.len, 0);
		r = seal_fs_read_secret(&secret, place_dir, place_things[i], 1000, NULL);
		cr_expect(r == SEAL_E_REFUSED || (r == SEAL_E_SYSTEM && i == 1), "%s: %d",
			  place_things[i], r);
		cr_expect_null(secret);
	}
}

Test(fs, a_stable_file_is_read_whole)
{
	BYTES text = SEAL_BYTES(100);
	BYTES again = SEAL_BYTES(100);
	struct seal_err err = { 0 };

	place_put("file", "content", 0644);
	cr_assert_eq(symlinkat("file", place_dir, "link"), 0);
	cr_expect_eq(seal_fs_read_stable(&text, place_dir, "file", 100, &err), 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&text), "content");
	cr_expect_eq(seal_fs_read_stable(&again, place_dir, "link", 100, &err), 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&again), "content");
	cr_expect_eq(seal_fs_read_stable(&again, place_dir, "file", 6, &err), SEAL_E_LIMIT);
	cr_expect_eq(seal_fs_read_stable(&again, place_dir, "nothing", 6, &err), SEAL_E_MISSING);
	cr_expect_str_eq(seal_bytes_str(&again), "content");
}

#define LEN_A 30000
#define LEN_B 20000

static atomic_bool swapping;

/* Put one file in the other's place, over and over. */
static void *
swap_files(void *arg)
{
	while (atomic_load(&swapping))
		cr_assert_eq(syscall(SYS_renameat2, place_dir, "file", place_dir, "other",
				     2 /* RENAME_EXCHANGE */),
			     0);
	return arg;
}

Test(fs, a_file_replaced_while_being_read_is_a_conflict, .timeout = 60)
{
	static char text[LEN_A + 1];
	struct seal_err err = { 0 };
	pthread_t thread;
	int conflicts = 0;

	memset(text, 'a', LEN_A);
	place_put("file", text, 0644);
	memset(text, 'b', LEN_B);
	text[LEN_B] = '\0';
	place_put("other", text, 0644);
	atomic_store(&swapping, true);
	cr_assert_eq(pthread_create(&thread, NULL, swap_files, NULL), 0);
	while (conflicts < 10) {
		BYTES out = SEAL_BYTES(LEN_A);
		int r = seal_fs_read_stable(&out, place_dir, "file", LEN_A, &err);

		if (r < 0) {
			cr_assert_eq(r, SEAL_E_CONFLICT, "%s", err.text);
			cr_assert(strstr(err.text, "try again") != NULL, "%s", err.text);
			cr_assert_eq(out.len, 0);
			conflicts++;
		} else {
			cr_assert(out.len == (out.data[0] == 'a' ? LEN_A : LEN_B));
		}
	}
	atomic_store(&swapping, false);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void *
append_for_ever(void *arg)
{
	FD fd = openat(place_dir, "file", O_WRONLY | O_APPEND | O_CLOEXEC);

	while (atomic_load(&swapping)) {
		cr_assert_eq(write(fd, "x", 1), 1);
		if (lseek(fd, 0, SEEK_CUR) > LEN_A)
			cr_assert_eq(ftruncate(fd, 0), 0);
	}
	return arg;
}

Test(fs, a_file_written_while_being_read_is_a_conflict, .timeout = 60)
{
	struct seal_err err = { 0 };
	pthread_t thread;
	int conflicts = 0;

	place_put("file", "", 0644);
	atomic_store(&swapping, true);
	cr_assert_eq(pthread_create(&thread, NULL, append_for_ever, NULL), 0);
	while (conflicts < 10) {
		BYTES out = SEAL_BYTES(2 * LEN_A);
		int r = seal_fs_read_stable(&out, place_dir, "file", 2 * LEN_A, &err);

		if (r < 0) {
			cr_assert_eq(r, SEAL_E_CONFLICT, "%s", err.text);
			cr_assert_eq(out.len, 0);
			conflicts++;
		}
	}
	atomic_store(&swapping, false);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(fs, what_is_missing_is_missing)
{
	BYTES out = SEAL_BYTES(10);
	struct seal_secret *secret = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(seal_fs_read(&out, place_dir, "nope", 10, &err), SEAL_E_MISSING);
	cr_expect_not_null(strstr(err.text, "'nope'"));
	cr_expect_eq(seal_fs_read(&out, place_dir, "", 10, NULL), SEAL_E_MISSING);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "nope", 10, NULL), SEAL_E_MISSING);
	cr_expect_eq(seal_fs_open_dir("/tmp/seal-no-such-folder", SEAL_FS_ANY, NULL),
		     SEAL_E_MISSING);
	cr_expect_null(secret);
}

Test(fs, reads_a_secret_that_only_its_owner_can)
{
	FREE_SECRET secret = NULL;

	place_put("key", "0123456789", 0600);
	cr_assert_eq(seal_fs_read_secret(&secret, place_dir, "key", 10, NULL), 0);
	cr_expect_eq(seal_secret_len(secret), 10);
	cr_expect_str_eq(seal_secret_chars(secret), "0123456789");
	seal_secret_freep(&secret);
	cr_expect_eq(fchmodat(place_dir, "key", 0400, 0), 0);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", 10, NULL), 0);
}

Test(fs, a_secret_has_a_length)
{
	struct seal_secret *secret = NULL;
	static char text[3 * 1024 * 1024];

	place_put("key", "0123456789", 0600);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", 9, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", 0, NULL), SEAL_E_LIMIT);
	place_put("key", "", 0600);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", 10, NULL), SEAL_E_FORMAT);
	memset(text, 'x', sizeof(text) - 1);
	place_put("key", text, 0600);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", SIZE_MAX, NULL), SEAL_E_LIMIT);
	cr_expect_null(secret);
}

Test(fs, a_secret_open_to_others_is_refused_with_the_remedy)
{
	/* Group read (040) is the owner root's to grant. */
	static const mode_t modes[] = { 0601, 0602, 0604, 0607, 0610, 0620, 0630,
					0644, 0660, 0666, 0777, 0004, 0640 };

	place_put("key", "key", 0600);
	for (size_t i = 0; i < SEAL_COUNT(modes); i++) {
		struct seal_secret *secret = NULL;
		struct seal_err err = { 0 };

		if (modes[i] == 0640 && geteuid() == 0)
			continue;
		cr_assert_eq(fchmodat(place_dir, "key", modes[i], 0), 0);
		cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "key", 10, &err),
			     SEAL_E_REFUSED, "mode %04o", modes[i]);
		cr_expect_not_null(strstr(err.text, "'key'"));
		cr_expect_not_null(strstr(err.text, "chmod"));
		cr_expect_null(secret);
	}
}

Test(fs, a_secret_behind_a_link_is_read_where_links_are_usual_by_the_same_rules)
{
	static const struct {
		mode_t mode;
		int verdict;
	} rows[] = { { 0600, 0 }, { 0400, 0 }, { 0604, SEAL_E_REFUSED }, { 0620, SEAL_E_REFUSED } };

	place_put("key", "key", 0600);
	cr_assert_eq(symlinkat("key", place_dir, "..data"), 0);
	cr_assert_eq(symlinkat("..data", place_dir, "link"), 0);
	cr_assert_eq(symlinkat("loop", place_dir, "loop"), 0);
	cr_assert_eq(symlinkat("gone", place_dir, "dangling"), 0);
	cr_assert_eq(symlinkat(".", place_dir, "folder"), 0);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		FREE_SECRET secret = NULL;

		cr_assert_eq(fchmodat(place_dir, "key", rows[i].mode, 0), 0);
		cr_expect_eq(seal_fs_read_secret_linked(&secret, place_dir, "link", 10, NULL),
			     rows[i].verdict, "mode %04o", rows[i].mode);
		cr_expect_eq(secret != NULL, rows[i].verdict == 0);
	}
	{
		FREE_SECRET secret = NULL;

		cr_expect_lt(seal_fs_read_secret_linked(&secret, place_dir, "loop", 10, NULL), 0);
		cr_expect_eq(seal_fs_read_secret_linked(&secret, place_dir, "dangling", 10, NULL),
			     SEAL_E_MISSING);
		cr_expect_eq(seal_fs_read_secret_linked(&secret, place_dir, "folder", 10, NULL),
			     SEAL_E_REFUSED);
		cr_expect_null(secret);
	}
}

Test(fs, a_secret_behind_a_symbolic_link_is_refused)
{
	struct seal_secret *secret = NULL;
	struct seal_err err = { 0 };

	place_put("key", "key", 0600);
	cr_assert_eq(symlinkat("key", place_dir, "link"), 0);
	cr_assert_eq(symlinkat("loop", place_dir, "loop"), 0);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "link", 10, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "symbolic link"));
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "loop", 10, NULL), SEAL_E_REFUSED);
	cr_expect_null(secret);
}

Test(fs, a_public_file_is_read_unless_others_may_write_it)
{
	static const mode_t good[] = { 0644, 0600, 0400, 0444, 0755, 0640, 0604 };
	static const mode_t bad[] = { 0664, 0646, 0666, 0620, 0602, 0777 };
	struct seal_err err = { 0 };
	BYTES out = SEAL_BYTES(100);

	place_put("cert", "x", 0600);
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		cr_assert_eq(fchmodat(place_dir, "cert", good[i], 0), 0);
		cr_expect_eq(seal_fs_read_public(&out, place_dir, "cert", 1, NULL), 0, "mode %04o",
			     good[i]);
	}
	cr_expect_str_eq(seal_bytes_str(&out), "xxxxxxx");
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		cr_assert_eq(fchmodat(place_dir, "cert", bad[i], 0), 0);
		cr_expect_eq(seal_fs_read_public(&out, place_dir, "cert", 1, &err), SEAL_E_REFUSED,
			     "mode %04o", bad[i]);
		cr_expect_not_null(strstr(err.text, "chmod 644"));
	}
	cr_assert_eq(fchmodat(place_dir, "cert", 0644, 0), 0);
	cr_expect_eq(seal_fs_read_public(&out, place_dir, "cert", 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_fs_read_public(&out, place_dir, "none", 1, NULL), SEAL_E_MISSING);
	if (geteuid() == 0) {
		cr_assert_eq(fchownat(place_dir, "cert", 4242, 4242, 0), 0);
		cr_expect_eq(seal_fs_read_public(&out, place_dir, "cert", 1, &err), SEAL_E_REFUSED);
		cr_expect_not_null(strstr(err.text, "chown"));
	}
	cr_expect_str_eq(seal_bytes_str(&out), "xxxxxxx");
}

static void
reads_as_nobody(void *arg)
{
	struct seal_secret *secret = NULL;
	struct seal_err err = { 0 };
	BYTES out = SEAL_BYTES(100);
	FD roots = openat(place_dir, "roots", O_RDONLY | O_CLOEXEC);

	(void)arg;
	child_become_nobody();
	/* Root's, given to everybody's group: only what the descriptor says counts. */
	MUST(seal_fs_read_secret_fd(&secret, roots, "roots", 10, NULL) == 0);
	seal_secret_freep(&secret);
	/* Its own, but open to its group. */
	MUST(seal_fs_read_secret(&secret, place_dir, "own", 10, NULL) == 0);
	seal_secret_freep(&secret);
	MUST(seal_fs_read_secret(&secret, place_dir, "own-group", 10, &err) == SEAL_E_REFUSED);
	MUST(strstr(err.text, "chmod") != NULL);
	/* Somebody else's, although it could be read. */
	MUST(seal_fs_read_secret(&secret, place_dir, "others", 10, &err) == SEAL_E_REFUSED);
	MUST(strstr(err.text, "chown") != NULL && strstr(err.text, "4242") != NULL);
	/* What it may not read at all. */
	MUST(seal_fs_read_secret(&secret, place_dir, "closed", 10, NULL) == SEAL_E_SYSTEM);
	MUST(seal_fs_read(&out, place_dir, "closed", 10, NULL) == SEAL_E_SYSTEM);
	MUST(secret == NULL);
	/* A place_path it may not write. */
	MUST(seal_fs_write(place_dir, "new", "x", 1, 0600, false, NULL) == SEAL_E_SYSTEM);
	MUST(seal_fs_write(place_dir, "own", "x", 1, 0600, true, NULL) == SEAL_E_SYSTEM);
}

Test(fs, an_owner_other_than_us_and_root_is_refused)
{
	struct seal_secret *secret = NULL;
	struct seal_err err = { 0 };

	if (!child_may_be_root("fs/an_owner_other_than_us_and_root_is_refused"))
		cr_skip_test("needs root");
	place_put("roots", "key", 0640);
	place_put("closed", "key", 0600);
	place_put("own", "key", 0600);
	place_put("own-group", "key", 0640);
	place_put("others", "key", 0604);
	cr_assert_eq(fchownat(place_dir, "own", 65534, 65534, 0), 0);
	cr_assert_eq(fchownat(place_dir, "own-group", 65534, 65534, 0), 0);
	cr_assert_eq(fchownat(place_dir, "others", 4242, 4242, 0), 0);
	cr_expect_eq(child_run(reads_as_nobody, NULL), 0);
	cr_expect_eq(place_count(place_dir), 5);
	place_expect("own", "key");
	/* Root reads everything, and still refuses what is not its own. */
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "roots", 10, NULL), 0);
	seal_secret_freep(&secret);
	cr_expect_eq(seal_fs_read_secret(&secret, place_dir, "own", 10, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "65534"));
	cr_expect_null(secret);
}

Test(fs, a_private_folder_is_closed_to_all_others)
{
	static const mode_t bad[] = { 0701, 0710, 0750, 0755, 0770, 0777, 01777, 0707, 0704 };
	struct seal_err err = { 0 };
	int fd;

	cr_assert_eq(fchmod(place_dir, 0700), 0);
	fd = seal_fs_open_dir(place_path, SEAL_FS_PRIVATE, NULL);
	cr_assert_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	seal_close(fd);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		cr_assert_eq(fchmod(place_dir, bad[i]), 0);
		cr_expect_eq(seal_fs_open_dir(place_path, SEAL_FS_PRIVATE, &err), SEAL_E_REFUSED,
			     "mode %04o", bad[i]);
		cr_expect_not_null(strstr(err.text, "chmod 700"));
		fd = seal_fs_open_dir(place_path, SEAL_FS_ANY, NULL);
		cr_expect_geq(fd, 0);
		seal_close(fd);
	}
	if (geteuid() == 0) {
		cr_assert_eq(fchmod(place_dir, 0700), 0);
		cr_assert_eq(fchown(place_dir, 4242, 4242), 0);
		cr_expect_eq(seal_fs_open_dir(place_path, SEAL_FS_PRIVATE, &err), SEAL_E_REFUSED);
		cr_expect_not_null(strstr(err.text, "chown"));
	}
}

Test(fs, a_file_is_no_folder)
{
	char path[64];

	place_put("file", "x", 0600);
	(void)snprintf(path, sizeof(path), "%s/file", place_path);
	cr_expect_eq(seal_fs_open_dir(path, SEAL_FS_ANY, NULL), SEAL_E_SYSTEM);
	cr_expect_eq(seal_fs_open_dir(path, SEAL_FS_PRIVATE, NULL), SEAL_E_SYSTEM);
}

/* False, aloud, where root or openat2 (valgrind knows none) is missing. */
static bool
can_try_mounts(const char *test)
{
	if (syscall(SYS_openat2, -1, NULL, NULL, 0) < 0 && errno == ENOSYS) {
		fprintf(stderr, "SKIP: %s needs openat2\n", test);
		return false;
	}
	return child_may_be_root(test);
}

/* Write text to path below the current root. */
static void
put_path(const char *path, const char *text)
{
	FD fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* A root of our own: the test's folder, as a file system of its own. */
static void
make_root(void)
{
	MUST(unshare(CLONE_NEWNS) == 0);
	MUST(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0);
	MUST(mount("tmpfs", place_path, "tmpfs", 0, NULL) == 0);
	MUST(chroot(place_path) == 0 && chdir("/") == 0);
	MUST(mkdir("/etc", 0755) == 0 && mkdir("/etc/seal", 0755) == 0);
	put_path("/etc/seal/egg", "the egg");
}

static int
open_on_root(const char *path)
{
	struct seal_err err = { 0 };
	int fd = seal_fs_open_on_root(path, &err);

	if (fd >= 0) {
		MUST((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		seal_close(fd);
		return 0;
	}
	MUST(err.code == fd && strchr(err.text, '\'') != NULL);
	return fd;
}

static void
opens_on_root(void *arg)
{
	FREE_SECRET secret = NULL;
	FD fd = -1;

	(void)arg;
	make_root();
	fd = seal_fs_open_on_root("/etc/seal/egg", NULL);
	MUST(fd >= 0);
	MUST(seal_fs_read_secret_fd(&secret, fd, "egg", 100, NULL) == 0);
	MUST(strcmp(seal_secret_chars(secret), "the egg") == 0);
	MUST(open_on_root("//etc/seal/egg") == 0);
	MUST(open_on_root("etc/seal/egg") == SEAL_E_REFUSED);
	MUST(open_on_root("") == SEAL_E_REFUSED);
	MUST(open_on_root("./etc/seal/egg") == SEAL_E_REFUSED);
	MUST(open_on_root("/../etc/seal/egg") == SEAL_E_REFUSED);
	MUST(open_on_root("/etc/../../etc/seal/egg") == SEAL_E_REFUSED);
	MUST(open_on_root("/etc/seal/none") == SEAL_E_MISSING);
	MUST(open_on_root("/none/egg") == SEAL_E_MISSING);
	MUST(open_on_root("/") < 0);
	/* Links: at the end, on the way, relative, absolute, dangling. */
	MUST(symlink("egg", "/etc/seal/link") == 0);
	MUST(symlink("/etc/seal/egg", "/etc/seal/far") == 0);
	MUST(symlink("nowhere", "/etc/seal/dangling") == 0);
	MUST(symlink("seal", "/etc/way") == 0);
	MUST(open_on_root("/etc/seal/link") == SEAL_E_REFUSED);
	MUST(open_on_root("/etc/seal/far") == SEAL_E_REFUSED);
	MUST(open_on_root("/etc/seal/dangling") == SEAL_E_REFUSED);
	MUST(open_on_root("/etc/way/egg") == SEAL_E_REFUSED);
}

Test(fs, opens_on_root_passes_no_link_and_does_not_leave)
{
	if (!can_try_mounts("fs/opens_on_root_passes_no_link_and_does_not_leave"))
		cr_skip_test("needs root and openat2");
	cr_expect_eq(child_run(opens_on_root, NULL), 0);
}

static void
meets_mounts(void *arg)
{
	(void)arg;
	make_root();
	/* The file itself, bound over: from elsewhere, and even from its own file system. */
	put_path("/other", "not the egg");
	MUST(mount("/other", "/etc/seal/egg", "none", MS_BIND, NULL) == 0);
	MUST(open_on_root("/etc/seal/egg") == SEAL_E_REFUSED);
	MUST(umount("/etc/seal/egg") == 0);
	MUST(open_on_root("/etc/seal/egg") == 0);
	MUST(mount("/etc/seal/egg", "/etc/seal/egg", "none", MS_BIND, NULL) == 0);
	MUST(open_on_root("/etc/seal/egg") == SEAL_E_REFUSED);
	MUST(umount("/etc/seal/egg") == 0);
	/* A folder on the way. */
	MUST(mount("tmpfs", "/etc", "tmpfs", 0, NULL) == 0);
	MUST(mkdir("/etc/seal", 0755) == 0);
	put_path("/etc/seal/egg", "not the egg");
	MUST(open_on_root("/etc/seal/egg") == SEAL_E_REFUSED);
	MUST(umount("/etc") == 0);
	MUST(mkdir("/mnt", 0755) == 0);
	MUST(mount("/etc", "/mnt", "none", MS_BIND, NULL) == 0);
	MUST(open_on_root("/mnt/seal/egg") == SEAL_E_REFUSED);
	/* Through a mount and back again is no way either. */
	MUST(open_on_root("/mnt/../etc/seal/egg") == SEAL_E_REFUSED);
	MUST(open_on_root("/etc/seal/egg") == 0);
	/* Descriptors of others. */
	MUST(mkdir("/proc", 0755) == 0);
	MUST(mount("proc", "/proc", "proc", 0, NULL) == 0);
	MUST(open_on_root("/proc/self/root/etc/seal/egg") == SEAL_E_REFUSED);
	MUST(open_on_root("/proc/self/status") == SEAL_E_REFUSED);
}

Test(fs, opens_on_root_crosses_no_mount)
{
	if (!can_try_mounts("fs/opens_on_root_crosses_no_mount"))
		cr_skip_test("needs root and openat2");
	cr_expect_eq(child_run(meets_mounts, NULL), 0);
}

static void
has_no_openat2(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { SEAL_COUNT(code), code };
	struct seal_err err = { 0 };

	(void)arg;
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		fprintf(stderr, "SKIP: fs/without_openat2 needs seccomp\n");
	else
		MUST(seal_fs_open_on_root("/etc/passwd", &err) == SEAL_E_SYSTEM &&
		     strstr(err.text, "openat2") != NULL);
}

Test(fs, opens_nothing_on_root_where_the_kernel_has_no_openat2)
{
	cr_expect_eq(child_run(has_no_openat2, NULL), 0);
}
