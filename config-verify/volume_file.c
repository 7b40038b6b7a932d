/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for mounts of one file.  A file that is itself a mount cannot be replaced by a rename, so
 * there is no version of it: it is written before anybody reads, and is empty when that fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "config-verify/beneath.h"
#include "config-verify/volume_internal.h"

static int
check_placeholder(int fd, struct stat *ret_st, struct seal_err *err)
{
	if (fstat(fd, ret_st) < 0)
		return seal_fail_errno(err, errno, "cannot look at it");
	if (!S_ISREG(ret_st->st_mode))
		return seal_fail(err, SEAL_E_REFUSED, "not a regular file");
	if (ret_st->st_nlink != 1)
		return seal_fail(err, SEAL_E_REFUSED, "it has other names");
	if (ret_st->st_uid != geteuid())
		return seal_fail(err, SEAL_E_REFUSED, "it belongs to user %u, not to us",
				 ret_st->st_uid);
	return 0;
}

/* The directory a path ends in, and its last name. */
static int
open_above(const char *path, const char **ret_name, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes above = SEAL_BYTES(PATH_MAX);
	const char *slash = strrchr(path, '/');
	int r;

	if (slash == NULL || slash[1] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "not an absolute path of a file");
	r = seal_bytes_append(&above, path, slash == path ? 1 : (size_t)(slash - path), err);
	if (r < 0)
		return r;
	*ret_name = slash + 1;
	return verify_open_directory(seal_bytes_str(&above), O_PATH, err);
}

/*
 * Open the placeholder for writing.  It is looked at before it is opened, for opening a device may do
 * something; an earlier run may have left it 0400, so its mode comes first; and both opens must have
 * met the same file.  RESOLVE_NO_XDEV is not for this: the file is a mount.
 */
static int
open_placeholder(int above, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int seen = openat(above, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	SEAL_SCOPED(seal_closep) int reading = -1;
	SEAL_SCOPED(seal_closep) int writing = -1;
	struct stat first;
	struct stat then;
	int r;

	if (seen < 0)
		return seal_fail_errno(err, errno, "cannot open it");
	r = check_placeholder(seen, &first, err);
	if (r == 0)
		r = verify_check_memory(seen, err);
	if (r == 0)
		r = verify_check_mounted(seen, above, err);
	if (r < 0)
		return r;
	reading = openat(above, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (reading < 0)
		return seal_fail_errno(err, errno, "cannot open it");
	if (fstat(reading, &then) < 0 || then.st_dev != first.st_dev || then.st_ino != first.st_ino)
		return seal_fail(err, SEAL_E_CONFLICT, "it was replaced meanwhile");
	if (fchmod(reading, 0600) < 0)
		return seal_fail_errno(err, errno, "cannot set its mode");
	writing = openat(above, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (writing < 0)
		return seal_fail_errno(err, errno, "cannot open it for writing");
	r = check_placeholder(writing, &then, err);
	if (r == 0 && (then.st_dev != first.st_dev || then.st_ino != first.st_ino))
		r = seal_fail(err, SEAL_E_CONFLICT, "it was replaced meanwhile");
	if (r < 0)
		return r;
	r = writing;
	writing = -1;
	return r;
}

static int
replace_content(int fd, const struct verify_file *file, struct seal_err *err)
{
	int r;

	if (ftruncate(fd, 0) < 0)
		return seal_fail_errno(err, errno, "cannot empty it");
	r = verify_write_content(fd, file->content, err);
	if (r == 0 && fchmod(fd, file->mode) < 0)
		r = seal_fail_errno(err, errno, "cannot set its mode");
	if (r < 0 && ftruncate(fd, 0) < 0)
		r = seal_note(err, r, "what was written could not be taken back");
	return r;
}

int
verify_volume_fill(const char *path, const struct verify_file *file, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int above = -1;
	SEAL_SCOPED(seal_closep) int fd = -1;
	const char *name = "";
	int r = verify_mode_check(file, err);

	if (r == 0)
		r = above = open_above(path, &name, err);
	if (r >= 0)
		r = fd = open_placeholder(above, name, err);
	if (r >= 0)
		r = replace_content(fd, file, err);
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}

static int
make_placeholder(int parent, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep)
	int fd = verify_open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	SEAL_SCOPED(seal_closep) int there = -1;
	struct stat st;

	if (fd >= 0 && fchmod(fd, 0600) < 0)
		return seal_fail_errno(err, errno, "cannot set its mode");
	if (fd >= 0)
		return 0;
	if (errno != EEXIST)
		return seal_fs_fail_resolved(err, errno, name);
	there = verify_open_beneath(parent, name, O_PATH, 0);
	if (there < 0)
		return seal_fs_fail_resolved(err, errno, name);
	return check_placeholder(there, &st, err);
}

int
verify_volume_place(const char *directory, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int top = -1;
	SEAL_SCOPED(seal_closep) int parent = -1;
	const char *name = NULL;
	size_t made = 0;
	int r = verify_relative_check(path, err);

	if (r < 0)
		return r;
	top = verify_volume_directory(directory, err);
	if (top < 0)
		return top;
	parent = verify_make_parents(top, path, 0700, &name, &made, err);
	if (parent < 0)
		return seal_note(err, parent, "'%s' in '%s'", path, directory);
	r = make_placeholder(parent, name, err);
	return r < 0 ? seal_note(err, r, "'%s' in '%s'", path, directory) : 0;
}
