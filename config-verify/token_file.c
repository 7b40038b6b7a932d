/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token where the image has it.  The host mounts what it likes over a path; it cannot put anything
 * onto the (encrypted) root file system itself, so that is where the token must lie.
 */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/client.h"

static int
judge(int fd, const char *path, struct seal_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return seal_fail_errno(err, errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return seal_fail(err, SEAL_E_REFUSED, "'%s' is not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' belongs to user %u: it must be root's or ours", path,
				 st.st_uid);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' can be changed by others: chmod go-w in the image", path);
	return 0;
}

static int
read_all(int fd, struct seal_secret **ret_text, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	size_t len = 0;
	ssize_t n;
	int r = seal_secret_new(&text, VERIFY_TOKEN_MAX_LEN + 1, err);

	if (r < 0)
		return r;
	do {
		n = read(fd, seal_secret_bytes(text) + len, seal_secret_len(text) - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return seal_fail_errno(err, errno, "cannot read '%s'", path);
	if (len == 0 || len > VERIFY_TOKEN_MAX_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' holds no token", path);
	seal_secret_truncate(text, len);
	*ret_text = SEAL_TAKE(text);
	return 0;
}

int
verify_token_load(struct verify_token *ret_token, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = seal_fs_open_on_root(path, err);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	if (fd < 0)
		return fd;
	r = judge(fd, path, err);
	if (r == 0)
		r = read_all(fd, &text, path, err);
	if (r < 0)
		return r;
	r = verify_token_parse(ret_token, seal_secret_chars(text), seal_secret_len(text), err);
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}
