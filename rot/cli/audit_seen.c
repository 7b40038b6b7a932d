/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of each root of trust's log that was verified here last, so that a log which went back, or was replaced,
 * is noticed without anybody having kept a head on purpose.  It holds no secret.
 *
 *   $XDG_STATE_HOME/seal/audit/NAME.head   NAME: from where the root of trust was reached
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs/fs.h"
#include "rot/audit/head.h"
#include "rot/cli/cli.h"

#define WHERE_MAX (PATH_MAX + 8)
#define NAME_LEN  16 /* bytes of the digest: enough to keep a few apart */

/* "": nobody has told where such things go. */
static int
find_folder(char *out, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int len = 0;

	out[0] = '\0';
	if (state != NULL && state[0] == '/')
		len = snprintf(out, size, "%s/seal/audit", state);
	else if (home != NULL && home[0] == '/')
		len = snprintf(out, size, "%s/.local/state/seal/audit", home);
	if (len < 0 || (size_t)len >= size)
		out[0] = '\0';
	return out[0] == '\0' ? SEAL_E_MISSING : 0;
}

int
cli_seen_path(struct cli *cli, char *out, size_t size, struct seal_err *err)
{
	char where[WHERE_MAX], folder[PATH_MAX], name[2 * NAME_LEN + 1];
	uint8_t hash[SEAL_HASH_LEN];
	int len, r = cli_call_where(cli, where, sizeof(where), err);

	if (r == 0)
		r = seal_sha256(hash, where, strlen(where), err);
	if (r < 0)
		return r;
	out[0] = '\0';
	if (find_folder(folder, sizeof(folder)) < 0)
		return 0;
	seal_hex_encode(name, hash, NAME_LEN);
	len = snprintf(out, size, "%s/%s.head", folder, name);
	if (len < 0 || (size_t)len >= size)
		out[0] = '\0';
	return 0;
}

int
cli_seen_read(const char *path, struct seal_bytes *out, struct seal_err *err)
{
	int r = path[0] == '\0' ? SEAL_E_MISSING
				: seal_fs_read_public(out, AT_FDCWD, path, AUDIT_HEAD_MAX, err);

	return r == SEAL_E_MISSING ? 0 : r;
}

/* Every folder on the way, those that are not there closed to others. */
static int
make_folders(char *path, struct seal_err *err)
{
	for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return seal_fail_errno(err, errno, "'%s'", path);
		*at = '/';
	}
	return 0;
}

int
cli_seen_write(char *path, const struct seal_bytes *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	char *slash = strrchr(path, '/');
	int r;

	if (slash == NULL)
		return 0;
	r = make_folders(path, err);
	if (r < 0)
		return r;
	*slash = '\0';
	dirfd = seal_fs_open_dir(path, SEAL_FS_ANY, err);
	*slash = '/';
	if (dirfd < 0)
		return dirfd;
	return seal_fs_write(dirfd, slash + 1, text->data, text->len, 0600, true, err);
}
