/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the directory of one version: new, private, every file created and none opened, complete
 * before anybody is led to it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/beneath.h"
#include "config-verify/volume_internal.h"

int
verify_write_content(int fd, const struct seal_secret *content, struct seal_err *err)
{
	size_t left = content == NULL ? 0 : seal_secret_len(content);
	const uint8_t *at = left == 0 ? NULL : seal_secret_peek(content);

	while (left > 0) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return seal_fail_errno(err, n < 0 ? errno : EIO, "cannot write");
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

/* A directory we made, to others: what mkdir was told passed through the umask. */
static int
open_to(int dir, mode_t mode, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = -1;

	if (mode == 0700)
		return 0;
	fd = verify_open_beneath(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return seal_fs_fail_resolved(err, errno, ".");
	return fchmod(fd, mode) < 0
		       ? seal_fail_errno(err, errno, "cannot set the mode of a directory")
		       : 0;
}

/* Make or find a directory and move *at, which the caller owns, into it. */
static int
enter(int *at, const char *name, mode_t mode, size_t *made, struct seal_err *err)
{
	int next;

	if (mkdirat(*at, name, mode) == 0)
		++*made;
	else if (errno == EEXIST)
		mode = 0; /* it has its mode */
	else
		return seal_fail_errno(err, errno, "cannot make the directory '%s'", name);
	next = verify_open_beneath(*at, name, O_PATH | O_DIRECTORY, 0);
	if (next < 0 && errno == ENOTDIR)
		return seal_fail(err, SEAL_E_CONFLICT, "'%s' is no directory", name);
	if (next < 0)
		return seal_fs_fail_resolved(err, errno, name);
	seal_closep(at);
	*at = next;
	return mode == 0 ? 0 : open_to(next, mode, err);
}

int
verify_make_parents(int top, const char *path, mode_t mode, const char **ret_name, size_t *made,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int at = verify_open_beneath(top, ".", O_PATH | O_DIRECTORY, 0);
	char part[VERIFY_NAME_LEN];
	size_t len;
	int r;

	if (at < 0)
		return seal_fs_fail_resolved(err, errno, ".");
	for (; path[len = strcspn(path, "/")] != '\0'; path += len + 1) {
		memcpy(part, path, len); /* checked: a part fits */
		part[len] = '\0';
		r = enter(&at, part, mode, made, err);
		if (r < 0)
			return r;
	}
	*ret_name = path;
	r = at;
	at = -1;
	return r;
}

static int
write_file(int dir, const struct verify_file *file, mode_t dir_mode, size_t *made,
	   struct seal_err *err)
{
	const char *name = "";
	SEAL_SCOPED(seal_closep)
	int parent = verify_make_parents(dir, file->path, dir_mode, &name, made, err);
	SEAL_SCOPED(seal_closep) int fd = -1;
	int r;

	if (parent < 0)
		return parent;
	fd = verify_open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return seal_fs_fail_resolved(err, errno, name);
	++*made;
	r = verify_write_content(fd, file->content, err);
	if (r == 0 && fchmod(fd, file->mode) < 0)
		r = seal_fail_errno(err, errno, "cannot set the mode");
	return r;
}

/* In the manner of Kubernetes: when it was made, then what nobody can foresee. */
static int
make_name(char name[static VERIFY_NAME_LEN], struct seal_err *err)
{
	const time_t now = time(NULL);
	uint64_t random;
	struct tm tm;
	size_t len;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return seal_fail_errno(err, errno, "cannot draw a random name");
	if (gmtime_r(&now, &tm) == NULL)
		return seal_fail(err, SEAL_E_SYSTEM, "the clock shows no time");
	len = strftime(name, VERIFY_NAME_LEN, "..%Y_%m_%d_%H_%M_%S.", &tm);
	(void)snprintf(name + len, VERIFY_NAME_LEN - len, "%" PRIu64, random);
	return 0;
}

/* Made by us a moment ago, and still that: nobody else can own it, and nothing is in it. */
static int
check_new(int dir, struct seal_err *err)
{
	bool empty;
	struct stat st;
	int r = verify_look_inside(&empty, dir, err);

	if (r < 0)
		return r;
	if (fstat(dir, &st) < 0)
		return seal_fail_errno(err, errno, "cannot look at the new directory");
	if (st.st_uid != geteuid() || !empty)
		return seal_fail(err, SEAL_E_REFUSED,
				 "somebody put another directory in its place");
	return 0;
}

static int
open_new(int top, const char *name, mode_t mode, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dir = -1;
	int r;

	if (mkdirat(top, name, 0700) < 0)
		return seal_fail_errno(err, errno, "cannot make a directory");
	dir = verify_open_beneath(top, name, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return seal_fs_fail_resolved(err, errno, name);
	r = check_new(dir, err);
	/* Whatever the umask, and whatever a group bit above handed down. */
	if (r == 0 && fchmod(dir, mode) < 0)
		r = seal_fail_errno(err, errno, "cannot set the mode of '%s'", name);
	if (r < 0)
		return r;
	r = dir;
	dir = -1;
	return r;
}

/* Directories are open to whom the files in them are. */
static mode_t
choose_dir_mode(const struct verify_file *files, size_t file_count)
{
	for (size_t i = 0; i < file_count; i++)
		if ((files[i].mode & 077) != 0)
			return 0755;
	return 0700;
}

int
verify_version_write(int top, const struct verify_file *files, size_t file_count,
		     char name[static VERIFY_NAME_LEN], struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dir = -1;
	const mode_t dir_mode = choose_dir_mode(files, file_count);
	size_t made = 0;
	int r = make_name(name, err);

	if (r < 0)
		return r;
	dir = open_new(top, name, dir_mode, err);
	if (dir < 0)
		return dir;
	for (size_t i = 0; i < file_count; i++) {
		r = write_file(dir, &files[i], dir_mode, &made, err);
		if (r < 0)
			return seal_note(err, r, "'%s'", files[i].path);
		if (made > VERIFY_MAX_ENTRIES)
			return seal_fail(err, SEAL_E_LIMIT, "more than %u files and directories",
					 VERIFY_MAX_ENTRIES);
	}
	return 0;
}
