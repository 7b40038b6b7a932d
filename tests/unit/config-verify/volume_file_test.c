/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of one file: placeholders, and filling them. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "tests/support/place.h"
#include "tests/unit/config-verify/volume_rig.h"

TestSuite(volume_file, .init = place_enter, .fini = place_leave);

#define RUN(test, options) rig_run(#test, options, test)

static int
place(const char *path)
{
	struct seal_err err = { 0 };
	int r = verify_volume_place(rig_volume, path, &err);

	MUST(r == err.code);
	return r;
}

/* rig_volume/NAME on a target of its own, as a mount with subPath would be. */
static const char *
mount_file(const char *name, const char *target)
{
	const char *path = strdup(rig_path(place_path, target));

	MUST(mknod(path, S_IFREG | 0644, 0) == 0 || errno == EEXIST);
	MUST(mount(rig_path(rig_volume, name), path, NULL, MS_BIND, NULL) == 0);
	return path;
}

static int
fill(const char *path, const char *text, mode_t mode)
{
	struct seal_secret *content = text[0] == '\0' ? NULL : rig_secret(text, strlen(text));
	const struct verify_file file = { "app.conf", content, mode };
	struct seal_err err = { 0 };
	int r = verify_volume_fill(path, &file, &err);

	MUST(r == err.code);
	seal_secret_free(content);
	return r;
}

static void
must_hold(const char *path, const char *text, mode_t mode)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(100000);
	struct stat st;

	MUST(seal_fs_read(&out, AT_FDCWD, path, 100000, NULL) == 0);
	MUST(strcmp(seal_bytes_str(&out), text) == 0);
	MUST(stat(path, &st) == 0 && (st.st_mode & 07777) == mode);
}

static void
places_and_fills(void *arg)
{
	const char *target;

	(void)arg;
	MUST(place("app.conf") == 0 && place("sub/dir/file") == 0);
	MUST(place("app.conf") == 0 && place("sub/dir/file") == 0); /* a second time */
	target = mount_file("app.conf", "target");
	must_hold(target, "", 0600);
	MUST(fill(target, "a long content\n", 0400) == 0);
	must_hold(target, "a long content\n", 0400);
	MUST(fill(target, "short", 0500) == 0); /* a restart */
	must_hold(target, "short", 0500);
	MUST(place("app.conf") == 0);
	must_hold(target, "short", 0500);
	MUST(fill(target, "", 0400) == 0);
	must_hold(target, "", 0400);
	MUST(fill(target, "x", 0600) == SEAL_E_REFUSED &&
	     fill(target, "x", 0640) == SEAL_E_REFUSED);
	must_hold(target, "", 0400);
	MUST(fill(target, "for all", 0444) == 0);
	must_hold(target, "for all", 0444);
}

Test(volume_file, makes_placeholders_and_fills_them_again_after_a_restart)
{
	RUN(places_and_fills, "");
}

static void
fills_as_nobody(void *arg)
{
	const char *target;

	(void)arg;
	MUST(mknodat(rig_top, "f", S_IFREG | 0600, 0) == 0);
	MUST(fchownat(rig_top, "f", 65534, 65534, 0) == 0);
	MUST(mknodat(rig_top, "roots", S_IFREG | 0666, 0) == 0);
	target = mount_file("f", "target");
	const char *roots = mount_file("roots", "roots");

	child_become_nobody();
	MUST(fill(target, "one", 0400) == 0 && fill(target, "two", 0400) == 0);
	must_hold(target, "two", 0400);
	MUST(fill(roots, "x", 0400) == SEAL_E_REFUSED);
	must_hold(roots, "", 0666);
	MUST(place("theirs") == 0);
}

Test(volume_file, is_filled_by_its_owner_alone_who_need_not_be_root)
{
	(void)umask(0);
	RUN(fills_as_nobody, "");
}

static void
refuses_places(void *arg)
{
	(void)arg;
	MUST(place("") == SEAL_E_FORMAT && place("../x") == SEAL_E_FORMAT);
	MUST(place("/x") == SEAL_E_FORMAT && place("..data") == SEAL_E_FORMAT);
	MUST(symlinkat(rig_outside, rig_top, "link") == 0 &&
	     symlinkat("nothing", rig_top, "dangling") == 0);
	MUST(place("link/new") == SEAL_E_REFUSED || place("link/new") == SEAL_E_CONFLICT);
	MUST(place("link") == SEAL_E_REFUSED && place("dangling") == SEAL_E_REFUSED);
	MUST(mknodat(rig_top, "fifo", S_IFIFO | 0600, 0) == 0 && place("fifo") == SEAL_E_REFUSED);
	MUST(mkdirat(rig_top, "dir", 0700) == 0 && place("dir") == SEAL_E_REFUSED);
	MUST(place("file") == 0 && place("file/below") == SEAL_E_CONFLICT);
	MUST(linkat(rig_top, "file", rig_top, "second", 0) == 0 &&
	     place("second") == SEAL_E_REFUSED);
	MUST(verify_volume_place(rig_outside, "x", NULL) == SEAL_E_REFUSED);
	MUST(verify_volume_place(rig_path(rig_volume, "dir"), "x", NULL) == SEAL_E_REFUSED);
	MUST(mount(rig_outside, rig_path(rig_volume, "dir"), NULL, MS_BIND, NULL) == 0);
	MUST(place("dir/x") == SEAL_E_REFUSED);
	MUST(umount(rig_path(rig_volume, "dir")) == 0);
}

Test(volume_file, makes_placeholders_nowhere_else)
{
	RUN(refuses_places, "");
}

static void
refuses_targets(void *arg)
{
	const char *plain = strdup(rig_path(rig_outside, "canary"));
	const char *target;
	const char *link = strdup(rig_path(place_path, "link"));

	(void)arg;
	MUST(fill(plain, "x", 0400) == SEAL_E_REFUSED); /* no tmpfs, or no mount */
	MUST(place("file") == 0);
	MUST(fill(rig_path(rig_volume, "file"), "x", 0400) == SEAL_E_REFUSED); /* not a mount */
	target = mount_file("file", "target");
	MUST(symlink(target, link) == 0);
	MUST(fill(link, "x", 0400) == SEAL_E_REFUSED);
	MUST(fill(rig_path(place_path, "absent"), "x", 0400) == SEAL_E_MISSING);
	MUST(fill(rig_volume, "x", 0400) == SEAL_E_REFUSED &&
	     fill("/", "x", 0400) == SEAL_E_FORMAT);
	MUST(fill("target", "x", 0400) == SEAL_E_FORMAT);
	MUST(linkat(rig_top, "file", rig_top, "second", 0) == 0);
	MUST(fill(target, "x", 0400) == SEAL_E_REFUSED);
	MUST(unlinkat(rig_top, "second", 0) == 0);
	MUST(mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
	MUST(fill(target, "x", 0400) == SEAL_E_REFUSED);
	must_hold(target, "", 0600);
}

static void
refuses_kinds(void *arg)
{
	const char *const names[] = { "fifo", "device" };

	(void)arg;
	MUST(mknodat(rig_top, "fifo", S_IFIFO | 0666, 0) == 0);
	MUST(mknodat(rig_top, "device", S_IFCHR | 0666, 0x103) == 0);
	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		MUST(fill(mount_file(names[i], names[i]), "x", 0400) == SEAL_E_REFUSED);
}

Test(volume_file, fills_nothing_but_a_placeholder_of_its_own)
{
	RUN(refuses_targets, "");
	RUN(refuses_kinds, "");
}

static void
is_full(void *arg)
{
	struct seal_secret *large = NULL;
	const char *target;
	struct verify_file file = { "x", NULL, 0400 };
	struct statfs fs;

	(void)arg;
	MUST(seal_secret_new(&large, 100000, NULL) == 0);
	file.content = large;
	MUST(place("file") == 0);
	target = mount_file("file", "target");
	MUST(fill(target, "before", 0400) == 0);
	MUST(verify_volume_fill(target, &file, NULL) == SEAL_E_SYSTEM);
	MUST(statfs(target, &fs) == 0 && fs.f_bfree == fs.f_blocks);
	must_hold(target, "", 0600);
	MUST(fill(target, "after", 0400) == 0);
	must_hold(target, "after", 0400);
}

Test(volume_file, holds_nothing_rather_than_half)
{
	RUN(is_full, "size=64k");
}
