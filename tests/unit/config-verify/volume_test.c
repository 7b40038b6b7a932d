/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: what becomes of a version, what a volume must be, and what others may have put there. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "tests/support/place.h"
#include "tests/unit/config-verify/volume_rig.h"

TestSuite(volume, .init = place_enter, .fini = place_leave);

#define RUN(test, options) rig_run(#test, options, test)

static mode_t
mode_of(const char *path)
{
	struct stat st;

	MUST(fstatat(rig_top, path, &st, AT_SYMLINK_NOFOLLOW) == 0);
	return st.st_mode & 07777;
}

/* ---- Versions ---- */

/* For every user: the directories on the way, too. */
static void
publishes_for_all(void *arg)
{
	struct verify_volume *volume = rig_open();
	struct verify_file files[] = {
		{ "app.conf", rig_secret("listen 80;\n", 11), 0444 },
		{ "bin/sub/run", rig_secret("#!/bin/sh\n", 10), 0555 },
	};
	const struct verify_file open = { "x", NULL, 0640 };

	(void)arg;
	(void)umask(077);
	MUST(verify_volume_publish(volume, files, SEAL_COUNT(files), NULL) == 0);
	MUST(mode_of("..data/app.conf") == 0444 && mode_of("..data/bin/sub/run") == 0555);
	MUST(mode_of("..data/") == 0755 && mode_of("..data/bin") == 0755 &&
	     mode_of("..data/bin/sub") == 0755);
	MUST(verify_volume_publish(volume, &open, 1, NULL) == SEAL_E_REFUSED);
	verify_volume_close(volume);
}

static void
publishes(void *arg)
{
	struct verify_volume *volume = rig_open();
	struct verify_file files[] = {
		{ "app.conf", rig_secret("listen 80;\n", 11), 0400 },
		{ ".hidden", NULL, 0400 },
		{ "bin/run", rig_secret("#!/bin/sh\n", 10), 0500 },
		{ "bin/..data/x", rig_secret("x", 1), 0400 },
	};
	char link[PATH_MAX] = "";

	(void)arg;
	MUST(strcmp(rig_list(), "") == 0);
	MUST(verify_volume_publish(volume, files, SEAL_COUNT(files), NULL) == 0);
	MUST(strcmp(rig_list(), "..V ..data .hidden app.conf bin ") == 0);
	rig_must_hold("app.conf", "listen 80;\n");
	rig_must_hold(".hidden", "");
	rig_must_hold("bin/run", "#!/bin/sh\n");
	rig_must_hold("bin/..data/x", "x");
	MUST(mode_of("..data/app.conf") == 0400 && mode_of("..data/bin/run") == 0500);
	MUST(mode_of("..data/bin") == 0700);
	MUST(readlinkat(rig_top, "app.conf", link, sizeof(link)) == 15);
	MUST(strncmp(link, "..data/app.conf", 15) == 0);
	MUST(readlinkat(rig_top, "..data", link, sizeof(link)) > 22);
	MUST(strncmp(link, "..20", 4) == 0 && link[21] == '.' &&
	     strspn(link + 22, "0123456789") > 0);
	MUST(mode_of(link) == 0700);
	verify_volume_close(volume);
}

Test(volume, puts_the_files_of_a_version_where_kubernetes_would)
{
	RUN(publishes, "");
}

Test(volume, writes_for_every_user_when_asked)
{
	RUN(publishes_for_all, "");
}

static void
replaces(void *arg)
{
	struct verify_volume *volume = rig_open();

	(void)arg;
	for (unsigned n = 1; n < 20; n++) {
		MUST(rig_publish_in(volume, n) == 0);
		MUST(rig_read() == n && rig_read_name("a") == n && rig_read_name("b") == n);
		MUST(strcmp(rig_list(), rig_listing(n)) == 0);
	}
	MUST(verify_volume_publish(volume, NULL, 0, NULL) == 0);
	MUST(strcmp(rig_list(), "..V ..data ") == 0);
	verify_volume_close(volume);
	verify_volume_close(rig_open());
	MUST(strcmp(rig_list(), "..V ..data ") == 0);
}

Test(volume, replaces_a_version_as_a_whole_and_leaves_nothing_of_it)
{
	RUN(replaces, "");
}

static void
survives(void *arg)
{
	(void)arg;
	MUST(rig_publish(1) == 0);
	MUST(rig_publish(2) == 0); /* as after a restart: opened again */
	verify_volume_close(rig_open());
	MUST(rig_read() == 2 && strcmp(rig_list(), rig_listing(2)) == 0);
}

Test(volume, keeps_its_version_over_a_restart)
{
	RUN(survives, "");
}

static void
publishes_as_nobody(void *arg)
{
	struct stat st;

	(void)arg;
	MUST(chmod(place_path, 0755) == 0);
	child_become_nobody();
	for (unsigned n = 1; n < 4; n++)
		MUST(rig_publish(n) == 0);
	MUST(rig_read() == 3 && strcmp(rig_list(), rig_listing(3)) == 0);
	MUST(fstatat(rig_top, "..data/a", &st, 0) == 0 && st.st_uid == 65534);
	MUST(mode_of(".") == 0777); /* not ours to close */
}

Test(volume, serves_a_user_who_is_not_root_in_a_directory_open_to_all)
{
	RUN(publishes_as_nobody, "");
}

static void
closes(void *arg)
{
	(void)arg;
	verify_volume_close(rig_open());
	MUST(mode_of(".") == 0755);
	MUST(fchmod(rig_top, 02770) == 0);
	verify_volume_close(rig_open());
	MUST(mode_of(".") == 02750);
}

Test(volume, takes_the_right_to_write_from_others_where_the_directory_is_ours)
{
	RUN(closes, "");
}

static void
ignores_the_umask(void *arg)
{
	(void)arg;
	(void)umask(0777);
	child_become_nobody();
	MUST(rig_publish(1) == 0 || geteuid() != 0);
	(void)umask(0);
	MUST(rig_publish(2) == 0);
	MUST(rig_read() == 2 && mode_of("..data/dir") == 0700 &&
	     mode_of("..data/dir/deep") == 0700);
}

Test(volume, gives_the_same_modes_under_an_open_umask)
{
	RUN(ignores_the_umask, "");
}

/* ---- Names ---- */

static void
refuses_names(void *arg)
{
	static const struct {
		const char *path;
		int code;
	} rows[] = {
		{ "", SEAL_E_FORMAT },
		{ "/", SEAL_E_FORMAT },
		{ "/etc/passwd", SEAL_E_FORMAT },
		{ "a/", SEAL_E_FORMAT },
		{ "a//b", SEAL_E_FORMAT },
		{ ".", SEAL_E_FORMAT },
		{ "..", SEAL_E_FORMAT },
		{ "./a", SEAL_E_FORMAT },
		{ "a/.", SEAL_E_FORMAT },
		{ "a/..", SEAL_E_FORMAT },
		{ "../outside/x", SEAL_E_FORMAT },
		{ "a/../../outside/x", SEAL_E_FORMAT },
		{ "..data", SEAL_E_FORMAT },
		{ "..data/x", SEAL_E_FORMAT },
		{ "..data_tmp", SEAL_E_FORMAT },
		{ "..x", SEAL_E_FORMAT },
		{ "...", SEAL_E_FORMAT },
	};
	struct verify_volume *volume = rig_open();
	struct seal_err err = { 0 };

	(void)arg;
	MUST(rig_publish_in(volume, 1) == 0);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		MUST(rig_publish_one(volume, rows[i].path, "x", 0400, &err) == rows[i].code);
		MUST(rig_read() == 1 && strcmp(rig_list(), rig_listing(1)) == 0);
	}
	verify_volume_close(volume);
}

Test(volume, refuses_every_path_that_is_not_plainly_beneath)
{
	RUN(refuses_names, "");
}

static void
measures_names(void *arg)
{
	struct verify_volume *volume = rig_open();
	char longest[NAME_MAX + 2];
	char path[PATH_MAX + 2];

	(void)arg;
	memset(longest, 'n', sizeof(longest));
	longest[NAME_MAX + 1] = '\0';
	MUST(rig_publish_one(volume, longest, "x", 0400, NULL) == SEAL_E_LIMIT);
	MUST(strcmp(rig_list(), "") == 0);
	longest[NAME_MAX] = '\0';
	MUST(rig_publish_one(volume, longest, "255", 0400, NULL) == 0);
	rig_must_hold(longest, "255");

	(void)snprintf(path, sizeof(path), "a/%s", longest);
	MUST(rig_publish_one(volume, path, "nested", 0400, NULL) == 0);
	rig_must_hold(path, "nested");
	for (size_t i = 0; i < PATH_MAX; i++)
		path[i] = i % 2 == 0 ? 'd' : '/';
	path[PATH_MAX] = '\0';
	MUST(rig_publish_one(volume, path, "x", 0400, NULL) == SEAL_E_LIMIT);
	path[PATH_MAX - 1] = '\0'; /* 2,047 directories deep, the longest path that can be opened */
	MUST(rig_publish_one(volume, path, "deep", 0400, NULL) == 0);
	MUST(rig_publish_one(volume, "a", "flat", 0400, NULL) == 0);
	MUST(strcmp(rig_list(), "..V ..data a ") == 0);
	verify_volume_close(volume);
}

Test(volume, takes_names_of_255_bytes_and_refuses_256)
{
	RUN(measures_names, "");
}

static void
refuses_files(void *arg)
{
	static const mode_t modes[] = { 0, 0600, 0440, 0404, 0644, 0700, 0777, 04500, 0100 };
	static const char *const pairs[][2] = {
		{ "a", "a" }, { "a", "a/b" }, { "a/b", "a" }, { "d/x", "d/x" }
	};
	struct verify_volume *volume = rig_open();

	(void)arg;
	MUST(rig_publish_in(volume, 1) == 0);
	for (size_t i = 0; i < SEAL_COUNT(modes); i++)
		MUST(rig_publish_one(volume, "a", "x", modes[i], NULL) == SEAL_E_REFUSED);
	for (size_t i = 0; i < SEAL_COUNT(pairs); i++) {
		struct verify_file files[] = { { pairs[i][0], NULL, 0400 },
					       { pairs[i][1], NULL, 0400 } };

		MUST(verify_volume_publish(volume, files, 2, NULL) == SEAL_E_CONFLICT);
		MUST(rig_read() == 1 && strcmp(rig_list(), rig_listing(1)) == 0);
	}
	verify_volume_close(volume);
}

Test(volume, refuses_open_modes_and_paths_that_cannot_both_be)
{
	RUN(refuses_files, "");
}

/* ---- What a volume must be ---- */

static int
open_code(const char *path)
{
	struct verify_volume *volume = NULL;
	struct seal_err err = { 0 };
	int r = verify_volume_open(&volume, path, &err);

	MUST((r == 0) == (volume != NULL) && r == err.code);
	if (r < 0 && getenv("SEAL_DEBUG") != NULL)
		fprintf(stderr, "%s\n", err.text);
	verify_volume_close(volume);
	return r;
}

static void
judges_directories(void *arg)
{
	const char *sub = strdup(rig_path(rig_volume, "sub"));
	const char *file = strdup(rig_path(rig_volume, "file"));

	(void)arg;
	MUST(open_code("/proc") == SEAL_E_REFUSED); /* a mount of its own, and not memory */
	MUST(open_code("/") == SEAL_E_REFUSED);
	MUST(open_code(rig_outside) == SEAL_E_REFUSED);
	MUST(open_code(rig_path(rig_volume, "absent")) == SEAL_E_MISSING);
	MUST(open_code("relative") == SEAL_E_FORMAT && open_code("") == SEAL_E_FORMAT);
	MUST(mkdir(sub, 0777) == 0 && mknod(file, S_IFREG | 0600, 0) == 0);
	MUST(open_code(sub) == SEAL_E_REFUSED); /* memory, and somebody else's mount */
	MUST(open_code(file) == SEAL_E_SYSTEM);
	MUST(mount(sub, sub, NULL, MS_BIND, NULL) == 0);
	MUST(open_code(sub) == 0);
	MUST(mount(NULL, sub, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
	MUST(open_code(sub) == SEAL_E_REFUSED);
	MUST(open_code(rig_volume) == 0);
	MUST(mount("none", rig_volume, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	MUST(open_code(rig_volume) == SEAL_E_REFUSED);
	MUST(mount("none", rig_outside, "ramfs", 0, NULL) == 0);
	MUST(open_code(rig_outside) == 0);
	MUST(umount(rig_outside) == 0);
}

Test(volume, must_be_memory_a_mount_of_its_own_and_writable)
{
	RUN(judges_directories, "");
}

static void
follows_links_of_the_image_only(void *arg)
{
	struct statx here;
	struct statx root;
	char links[96];

	(void)arg;
	(void)snprintf(links, sizeof(links), "%s/links", place_path);
	MUST(mkdir(links, 0755) == 0);
	MUST(symlink("../volume", rig_path(links, "relative")) == 0);
	MUST(symlink(rig_volume, rig_path(links, "absolute")) == 0);
	MUST(symlink("..", rig_path(links, "up")) == 0);
	MUST(symlink("loop", rig_path(links, "loop")) == 0);
	MUST(statx(AT_FDCWD, links, 0, STATX_MNT_ID, &here) == 0);
	MUST(statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root) == 0);
	if (here.stx_mnt_id == root.stx_mnt_id) {
		MUST(open_code(rig_path(links, "relative")) == 0);
		MUST(open_code(rig_path(links, "absolute")) == 0);
		MUST(open_code(rig_path(links, "up/links/../volume/")) == 0);
		MUST(open_code(rig_path(links, "loop")) == SEAL_E_LIMIT);
		MUST(open_code(rig_path(links, "up")) == SEAL_E_REFUSED);
	}
	MUST(mount(links, links, NULL, MS_BIND, NULL) == 0);
	MUST(open_code(rig_path(links, "relative")) == SEAL_E_REFUSED);
	MUST(open_code(rig_path(links, "absolute")) == SEAL_E_REFUSED);
	MUST(open_code(rig_path(links, "up/volume")) == SEAL_E_REFUSED);
	MUST(open_code("/proc/self/cwd") == SEAL_E_REFUSED);
}

Test(volume, is_reached_by_links_of_the_image_and_no_others)
{
	RUN(follows_links_of_the_image_only, "");
}

static void
locks(void *arg)
{
	struct verify_volume *volume = rig_open();

	(void)arg;
	MUST(flock(rig_top, LOCK_EX | LOCK_NB) == 0); /* an open volume alone locks nothing */
	MUST(open_code(rig_volume) == SEAL_E_CONFLICT);
	MUST(rig_publish_in(volume, 1) == SEAL_E_CONFLICT);
	MUST(strcmp(rig_list(), "") == 0);
	MUST(flock(rig_top, LOCK_UN) == 0);
	MUST(rig_publish_in(volume, 1) == 0);
	MUST(flock(rig_top, LOCK_EX | LOCK_NB) == 0);
	verify_volume_close(volume);
}

Test(volume, is_not_written_while_another_process_writes)
{
	RUN(locks, "");
}

/* ---- What others put there ---- */

static void
put_thing(int dir, const char *name, unsigned kind)
{
	switch (kind) {
	case 0:
		MUST(symlinkat(rig_outside, dir, name) == 0);
		break;
	case 1:
		MUST(symlinkat(rig_path(rig_outside, "canary"), dir, name) == 0);
		break;
	case 2:
		MUST(symlinkat(rig_path(rig_outside, "new"), dir, name) == 0);
		break;
	case 3:
		MUST(mknodat(dir, name, S_IFIFO | 0666, 0) == 0);
		break;
	case 4:
		MUST(mknodat(dir, name, S_IFREG | 0666, 0) == 0);
		break;
	case 5:
		MUST(mkdirat(dir, name, 0777) == 0);
		break;
	case 6:
		MUST(mknodat(dir, name, S_IFCHR | 0666, 0x103) == 0); /* /dev/null */
		break;
	case 7:
		MUST(mknodat(dir, "other", S_IFREG | 0600, 0) == 0);
		MUST(linkat(dir, "other", dir, name, 0) == 0);
		MUST(unlinkat(dir, "other", 0) == 0);
		break;
	case 8:
		MUST(mkdirat(dir, name, 0777) == 0);
		MUST(symlinkat(rig_outside, dir, rig_path(name, "out")) == 0);
		MUST(mkdirat(dir, rig_path(name, "more"), 0) == 0);
		MUST(mknodat(dir, rig_path(name, "file"), S_IFREG, 0) == 0);
		break;
	case 9:
		MUST(symlinkat(".", dir, name) == 0);
		break;
	case 10:
		MUST(symlinkat("..data/..", dir, name) == 0);
		break;
	default:
		MUST(symlinkat("..data/other", dir, name) == 0);
	}
}
#define THINGS 12u

static void
meets_things(void *arg)
{
	struct verify_volume *volume = rig_open();
	struct stat before;
	struct stat after;

	(void)arg;
	MUST(rig_publish_in(volume, 1) == 0);
	for (unsigned kind = 0; kind < THINGS; kind++) {
		put_thing(rig_top, "even", kind);
		MUST(fstatat(rig_top, "even", &before, AT_SYMLINK_NOFOLLOW) == 0);
		MUST(rig_publish_in(volume, 2) == SEAL_E_CONFLICT);
		MUST(fstatat(rig_top, "even", &after, AT_SYMLINK_NOFOLLOW) == 0);
		MUST(before.st_ino == after.st_ino && before.st_size == after.st_size);
		MUST(rig_read() == 1 && strcmp(rig_list(), "..V ..data a b dir even odd ") == 0);
		MUST(rig_publish_in(volume, 3) == 0); /* has no such file */
		MUST(rig_publish_in(volume, 1) == 0);
		MUST(fstatat(rig_top, "even", &after, AT_SYMLINK_NOFOLLOW) == 0);
		(void)unlinkat(rig_top, "even", 0);
		if (unlinkat(rig_top, "even", AT_REMOVEDIR) < 0 && errno == ENOTEMPTY) {
			MUST(unlinkat(rig_top, "even/out", 0) == 0);
			MUST(unlinkat(rig_top, "even/file", 0) == 0);
			MUST(unlinkat(rig_top, "even/more", AT_REMOVEDIR) == 0);
			MUST(unlinkat(rig_top, "even", AT_REMOVEDIR) == 0);
		}
		rig_must_be_untouched();
	}
	verify_volume_close(volume);
}

Test(volume, neither_follows_nor_replaces_what_others_put_in_a_file_s_place)
{
	RUN(meets_things, "");
}

static void
meets_reserved_things(void *arg)
{
	static const char *const names[] = { "..data", "..data_tmp", "..2026_01_01_00_00_00.1",
					     "..gone.1", "..." };

	(void)arg;
	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		for (unsigned kind = 0; kind < THINGS; kind++) {
			put_thing(rig_top, names[i], kind);
			verify_volume_close(rig_open());
			MUST(strcmp(rig_list(), "") == 0);
			put_thing(rig_top, names[i], kind); /* and beside an open volume */
			MUST(rig_publish(1) == 0);
			MUST(rig_read() == 1 && strcmp(rig_list(), rig_listing(1)) == 0);
			rig_must_be_untouched();
			MUST(unlinkat(rig_top, "..data", 0) == 0); /* and then none is led to */
			verify_volume_close(rig_open());
			MUST(strcmp(rig_list(), "") == 0);
		}
}

Test(volume, removes_whatever_has_a_reserved_name_without_following_it)
{
	RUN(meets_reserved_things, "");
}

static void
meets_a_hostile_data_link(void *arg)
{
	static const char *const targets[] = { "..",     ".",          "../outside", "..x/y",
					       "..data", "..data_tmp", "a",          "..absent" };
	struct verify_volume *volume = rig_open();

	(void)arg;
	for (size_t i = 0; i < SEAL_COUNT(targets); i++) {
		MUST(rig_publish_in(volume, 1) == 0);
		MUST(unlinkat(rig_top, "..data", 0) == 0);
		MUST(symlinkat(targets[i], rig_top, "..data") == 0);
		MUST(rig_publish_in(volume, 2) == 0);
		MUST(rig_read() == 2 && strcmp(rig_list(), rig_listing(2)) == 0);
	}
	MUST(unlinkat(rig_top, "..data", 0) == 0);
	MUST(symlinkat(rig_outside, rig_top, "..data") == 0);
	MUST(rig_publish_in(volume, 3) == 0);
	MUST(rig_read() == 3 && strcmp(rig_list(), rig_listing(3)) == 0);
	verify_volume_close(volume);
}

Test(volume, is_not_led_astray_by_its_data_link)
{
	RUN(meets_a_hostile_data_link, "");
}

static void
meets_mounts(void *arg)
{
	struct verify_volume *volume = rig_open();
	const char *file = strdup(rig_path(rig_volume, "a"));
	const char *dir = strdup(rig_path(rig_volume, "dir"));

	(void)arg;
	MUST(mknod(file, S_IFREG | 0644, 0) == 0 && mkdir(dir, 0755) == 0);
	MUST(mount(rig_path(rig_outside, "canary"), file, NULL, MS_BIND, NULL) == 0);
	MUST(mount(rig_outside, dir, NULL, MS_BIND, NULL) == 0);
	MUST(rig_publish_in(volume, 1) == 0);
	MUST(rig_read() == 1 && rig_read_name("b") == 1);
	rig_must_hold("a", "sings"); /* hidden, as it would be in a volume of the kubelet */
	rig_must_hold("dir/canary", "sings");
	MUST(rig_publish_in(volume, 2) == 0 && rig_read() == 2);
	MUST(umount(file) == 0 && umount(dir) == 0);
	verify_volume_close(volume);
}

Test(volume, leaves_mounts_inside_it_alone_and_writes_nothing_through_them)
{
	RUN(meets_mounts, "");
}

static void
keeps_descriptors(void *arg)
{
	struct verify_volume *volume = rig_open();
	int before = dup(rig_top);
	int after;

	(void)arg;
	for (unsigned n = 1; n < 10; n++)
		MUST(rig_publish_in(volume, n) == 0);
	MUST(rig_publish_one(volume, "a/b/..", "x", 0400, NULL) < 0);
	MUST(mkdirat(rig_top, "x", 0700) == 0);
	MUST(rig_publish_one(volume, "x/y/z", "x", 0400, NULL) == SEAL_E_CONFLICT);
	verify_volume_close(volume);
	MUST(close(before) == 0);
	after = dup(rig_top);
	MUST(after <= before);
}

Test(volume, leaks_no_descriptor)
{
	RUN(keeps_descriptors, "");
}
