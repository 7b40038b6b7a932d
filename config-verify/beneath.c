/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for where an opened file lies: the kernel confines the way there (openat2), and tells what
 * kind of file system and which mount it is.  Where the kernel cannot, nothing is opened.
 */

#include "config-verify/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"

#define MAX_LINKS 40 /* as the kernel itself */

#define NO_LINKS (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int
open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	const int more =
		(flags & O_PATH) != 0 ? 0 : O_NONBLOCK | O_NOCTTY; /* invalid with O_PATH */

	return seal_fs_open_resolved(dirfd, path, flags | more | O_NOFOLLOW, mode, resolve);
}

int
verify_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_resolved(dirfd, path, flags, mode,
			     RESOLVE_BENEATH | RESOLVE_NO_XDEV | NO_LINKS);
}

/* Which mount a name is on, or what is mounted on it; of dirfd itself with "".  False: cannot tell. */
static bool
mount_of(int dirfd, const char *name, uint64_t *ret_mount)
{
	struct statx st;

	if (statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID,
		  &st) < 0 ||
	    (st.stx_mask & STATX_MNT_ID) == 0)
		return false;
	*ret_mount = st.stx_mnt_id;
	return true;
}

/* A path on the way to being known: done holds directories without links, rest what is still to see. */
struct way {
	char done[PATH_MAX];
	char rest[PATH_MAX];
	unsigned links;
};

static void
forget_last(struct way *way)
{
	char *slash = strrchr(way->done, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* A link's text takes the place of its name.  Only the image, never a mount, may say where to go. */
static int
follow(struct way *way, int link, struct seal_err *err)
{
	char target[PATH_MAX];
	char rest[PATH_MAX];
	uint64_t here;
	uint64_t root;
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
	int r;

	if (len < 0)
		return seal_fail_errno(err, errno, "cannot read the link '%s'", way->done);
	target[len] = '\0';
	if (!mount_of(link, "", &here) || !mount_of(AT_FDCWD, "/", &root) || here != root)
		return seal_fail(err, SEAL_E_REFUSED, "'%s' is a symbolic link on a mount",
				 way->done);
	if (++way->links > MAX_LINKS)
		return seal_fail(err, SEAL_E_LIMIT, "'%s': too many symbolic links", way->done);
	r = snprintf(rest, sizeof(rest), "%s/%s", target, way->rest);
	if (r < 0 || (size_t)r >= sizeof(rest))
		return seal_fail(err, SEAL_E_LIMIT, "'%s' leads too far", way->done);
	memcpy(way->rest, rest, (size_t)r + 1);
	if (target[0] == '/')
		way->done[0] = '\0';
	else
		forget_last(way);
	return 0;
}

/* One part of rest becomes part of done, or is replaced by what its link says. */
static int
step(struct way *way, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = -1;
	const char *part = way->rest + strspn(way->rest, "/");
	const size_t len = strcspn(part, "/");
	const size_t at = strlen(way->done);
	struct stat st = { 0 };

	if (len == 2 && memcmp(part, "..", 2) == 0)
		forget_last(way);
	if (at + 1 + len >= sizeof(way->done))
		return seal_fail(err, SEAL_E_LIMIT, "'%s' leads too far", way->done);
	if (len > 2 || (len > 0 && strspn(part, ".") < len)) {
		(void)snprintf(way->done + at, sizeof(way->done) - at, "/%.*s", (int)len, part);
		fd = open_resolved(AT_FDCWD, way->done, O_PATH, 0, NO_LINKS);
		if (fd < 0 || fstat(fd, &st) < 0)
			return seal_fs_fail_resolved(err, errno, way->done);
	}
	memmove(way->rest, part + len, strlen(part + len) + 1);
	return fd >= 0 && S_ISLNK(st.st_mode) ? follow(way, fd, err) : 0;
}

static int
find_way(struct way *way, struct seal_err *err)
{
	int r = 0;

	while (r == 0 && way->rest[strspn(way->rest, "/")] != '\0')
		r = step(way, err);
	return r;
}

int
verify_open_directory(const char *path, int flags, struct seal_err *err)
{
	struct way way = { .links = 0 };
	int fd, r;

	if (path[0] != '/' || strlen(path) >= sizeof(way.rest))
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is not an absolute path", path);
	fd = open_resolved(AT_FDCWD, path, flags | O_DIRECTORY, 0, NO_LINKS);
	if (fd >= 0)
		return fd;
	if (errno != ELOOP && errno != ENOTDIR) /* the latter for a link in the last place */
		return seal_fs_fail_resolved(err, errno, path);
	memcpy(way.rest, path, strlen(path) + 1);
	r = find_way(&way, err);
	if (r < 0)
		return r;
	fd = open_resolved(AT_FDCWD, way.done[0] == '\0' ? "/" : way.done, flags | O_DIRECTORY, 0,
			   NO_LINKS);
	return fd >= 0 ? fd : seal_fs_fail_resolved(err, errno, path);
}

int
verify_check_memory(int fd, struct seal_err *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return seal_fail_errno(err, errno, "cannot tell the file system");
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
		return seal_fail(err, SEAL_E_REFUSED,
				 "not in memory (tmpfs): unsealed files are written nowhere else");
	if ((fs.f_flags & ST_RDONLY) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "mounted read-only");
	return 0;
}

int
verify_check_mounted(int fd, int parent, struct seal_err *err)
{
	uint64_t here;
	uint64_t above;

	if (!mount_of(fd, "", &here) || !mount_of(parent, "", &above))
		return seal_fail(err, SEAL_E_SYSTEM, "the kernel does not tell mounts apart");
	if (here == above)
		return seal_fail(err, SEAL_E_REFUSED, "not a mount of its own");
	return 0;
}

bool
verify_is_mount(int dirfd, const char *name)
{
	uint64_t here;
	uint64_t above;

	return mount_of(dirfd, name, &here) && mount_of(dirfd, "", &above) && here != above;
}

static int
check_part(const char *part, size_t len, struct seal_err *err)
{
	if (len == 0)
		return seal_fail(err, SEAL_E_FORMAT, "a part is empty");
	if (len > NAME_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a part is longer than %d bytes", NAME_MAX);
	if (len <= 2 && strspn(part, ".") >= len)
		return seal_fail(err, SEAL_E_FORMAT, "a part is '.' or '..'");
	return 0;
}

int
verify_relative_check(const char *path, struct seal_err *err)
{
	const char *part = path;
	int r;

	if (strlen(path) >= PATH_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a path longer than %d bytes", PATH_MAX - 1);
	if (strncmp(path, "..", 2) == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' begins with '..'", path);
	for (;;) {
		const size_t len = strcspn(part, "/");

		r = check_part(part, len, err);
		if (r < 0)
			return seal_note(err, r, "'%s'", path);
		if (part[len] == '\0')
			return 0;
		part += len + 1;
	}
}
