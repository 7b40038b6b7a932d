/* SPDX-License-Identifier: Apache-2.0 */
/* The directory and its lock.  What is in the files is for others. */

#include "rot/server/home.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
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
open_all(struct rot_home *home, const char *dir, struct seal_err *err)
{
	int n = snprintf(home->path, sizeof(home->path), "%s", dir);

	if (n < 0 || (size_t)n >= sizeof(home->path))
		return seal_fail(err, SEAL_E_LIMIT, "the path is too long");
	home->dir_fd = seal_fs_open_dir(dir, SEAL_FS_PRIVATE, err);
	if (home->dir_fd == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_MISSING,
				 "there is no root of trust: make one with seal init --dir %s",
				 dir);
	if (home->dir_fd < 0)
		return home->dir_fd;
	if (faccessat(home->dir_fd, ROT_DB_NAME, F_OK, 0) < 0)
		return seal_fail(err, SEAL_E_MISSING,
				 "there is no root of trust: make one with seal init --dir %s",
				 dir);
	return lock(home, err);
}

int
rot_home_open(struct rot_home *ret_home, const char *dir, struct seal_err *err)
{
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	int r = open_all(&home, dir, err);

	if (r < 0)
		return seal_note(err, r, "%s", dir);
	*ret_home = home;
	home.dir_fd = home.lock_fd = -1; /* the caller owns them now */
	return 0;
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
