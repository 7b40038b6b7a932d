/* SPDX-License-Identifier: Apache-2.0 */
/* The directory and its lock.  What is in the files is for others. */

#include "rot/server/home.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/server/init.h"

static int
lock(struct rot_home *home, struct seal_err *err)
{
	home->lock_fd = openat(home->dir_fd, ROT_LOCK_NAME,
			       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (home->lock_fd < 0)
		return seal_fail_errno(err, errno, "cannot open the lock");
	if (flock(home->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "another seal-rot serves this directory: stop that one first");
	return seal_fail_errno(err, errno, "cannot lock");
}

static int
fail_missing(const char *dir, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING,
			 "there is no root of trust: make one with seal init --dir %s", dir);
}

static int
open_dir(struct rot_home *home, const char *dir, bool create, struct seal_err *err)
{
	int n = snprintf(home->path, sizeof(home->path), "%s", dir);

	if (n < 0 || (size_t)n >= sizeof(home->path))
		return seal_fail(err, SEAL_E_LIMIT, "the path is too long");
	if (create && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return seal_fail_errno(err, errno, "cannot be made");
	home->dir_fd = seal_fs_open_dir(dir, SEAL_FS_PRIVATE, err);
	if (home->dir_fd == SEAL_E_MISSING)
		return fail_missing(dir, err);
	return home->dir_fd < 0 ? home->dir_fd : 0;
}

/* The caller owns what home holds after success. */
static int
finish(struct rot_home *ret_home, struct rot_home *home, const char *dir, int r,
       struct seal_err *err)
{
	if (r == 0)
		r = lock(home, err);
	if (r < 0)
		return seal_note(err, r, "%s", dir);
	*ret_home = *home;
	home->dir_fd = home->lock_fd = -1;
	return 0;
}

int
rot_home_open(struct rot_home *ret_home, const char *dir, struct seal_err *err)
{
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	int r = open_dir(&home, dir, false, err);

	if (r == 0 && faccessat(home.dir_fd, ROT_DB_NAME, F_OK, 0) < 0 &&
	    faccessat(home.dir_fd, ROT_PLACE_NAME, F_OK, 0) < 0)
		r = fail_missing(dir, err);
	return finish(ret_home, &home, dir, r, err);
}

int
rot_home_open_any(struct rot_home *ret_home, const char *dir, bool create, struct seal_err *err)
{
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	int r = open_dir(&home, dir, create, err);

	return finish(ret_home, &home, dir, r, err);
}

void
rot_home_release(struct rot_home *home)
{
	if (home->lock_fd >= 0)
		seal_close(home->lock_fd);
	if (home->dir_fd >= 0)
		seal_close(home->dir_fd);
	home->lock_fd = home->dir_fd = -1;
}

int
rot_home_path(const struct rot_home *home, const char *name, char path[static PATH_MAX],
	      struct seal_err *err)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", home->path, name);

	if (n < 0 || n >= PATH_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%s: the path is too long", home->path);
	return 0;
}
