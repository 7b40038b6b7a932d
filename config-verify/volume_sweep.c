/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for what a volume holds beside its version: nothing of ours.  Content may be hostile, so
 * nothing here recurses or climbs: a directory that is not empty is moved to the top of the volume,
 * under a name made here, and its turn comes later.  What cannot be removed (a mount, another user's) stays.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/beneath.h"
#include "config-verify/volume_internal.h"

/* Two versions, an old and a new one, in 4 steps an entry, is the most that we can have left. */
#define MAX_STEPS (8u * VERIFY_MAX_ENTRIES)

struct sweep {
	int top;
	const struct verify_version *keep;
	uint64_t random; /* in the names of what was moved up */
	uint64_t moved;  /* so many were */
	uint64_t done;   /* and so many of them were looked at */
	unsigned steps;
	bool removed; /* something, in this pass */
};

bool
verify_is_reserved(const char *name)
{
	return name[0] == '.' && name[1] == '.' && name[2] != '\0';
}

void
verify_version_release(struct verify_version *version)
{
	seal_closep(&version->fd);
	version->name[0] = '\0';
}

bool
verify_read_data_link(int top, char name[static VERIFY_NAME_LEN])
{
	const ssize_t len = readlinkat(top, VERIFY_DATA_LINK, name, VERIFY_NAME_LEN);

	if (len < 0 || len >= VERIFY_NAME_LEN)
		return false;
	name[len] = '\0';
	return strlen(name) == (size_t)len && verify_is_reserved(name) &&
	       strchr(name, '/') == NULL && strcmp(name, VERIFY_DATA_LINK) != 0 &&
	       strcmp(name, VERIFY_DATA_DRAFT) != 0;
}

int
verify_version_find(struct verify_version *version, int top, struct seal_err *err)
{
	SEAL_SCOPED(verify_version_release) struct verify_version found = { .fd = -1 };
	struct stat st;

	*version = found;
	if (!verify_read_data_link(top, found.name))
		return 0;
	found.fd = verify_open_beneath(top, found.name, O_RDONLY | O_DIRECTORY, 0);
	if (found.fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	/* Anything else (no descriptor left, no memory) does not tell that there is no version. */
	if (found.fd < 0)
		return seal_fs_fail_resolved(err, errno, found.name);
	if (fstat(found.fd, &st) < 0)
		return seal_fail_errno(err, errno, "cannot look at '%s'", found.name);
	if (st.st_uid != geteuid())
		return 0;
	*version = found;
	found.fd = -1;
	return 0;
}

/* Move a directory that is not empty out of the way of its parent's removal. */
static void
move_up(struct sweep *sweep, int dir, const char *name)
{
	char up[64];

	(void)snprintf(up, sizeof(up), "..gone.%016" PRIx64 ".%" PRIu64, sweep->random,
		       sweep->moved);
	if (renameat(dir, name, sweep->top, up) == 0)
		sweep->moved++;
}

/* True when it is gone. */
static bool
remove_entry(struct sweep *sweep, int dir, const char *name)
{
	sweep->steps++;
	if (unlinkat(dir, name, 0) == 0)
		return true;
	return (errno == EISDIR || errno == EPERM) && unlinkat(dir, name, AT_REMOVEDIR) == 0;
}

/* Entries of a directory, by a descriptor of their own; NULL with errno. */
static DIR *
list(int dir, const char *name)
{
	SEAL_SCOPED(seal_closep) int fd = verify_open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (entries != NULL)
		fd = -1;
	return entries;
}

static void
close_list(DIR **entries)
{
	if (*entries != NULL)
		(void)closedir(*entries); /* it was only read */
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int
verify_look_inside(bool *ret_empty, int dir, struct seal_err *err)
{
	SEAL_SCOPED(close_list) DIR *entries = list(dir, ".");
	const struct dirent *entry;

	if (entries == NULL)
		return seal_fail_errno(err, errno, "cannot list a directory");
	do
		errno = 0;
	while ((entry = readdir(entries)) != NULL && is_dots(entry->d_name));
	if (entry == NULL && errno != 0)
		return seal_fail_errno(err, errno, "cannot list a directory");
	*ret_empty = entry == NULL;
	return 0;
}

/* Remove name at the top, or as much of it as can be: its directories move up. */
static void
discard(struct sweep *sweep, const char *name)
{
	SEAL_SCOPED(close_list) DIR *entries = NULL;
	const struct dirent *entry;

	if (remove_entry(sweep, sweep->top, name)) {
		sweep->removed = true;
		return;
	}
	if (errno != ENOTEMPTY)
		return;
	entries = list(sweep->top, name);
	while (entries != NULL && sweep->steps < MAX_STEPS && (entry = readdir(entries)) != NULL)
		if (!is_dots(entry->d_name) &&
		    !remove_entry(sweep, dirfd(entries), entry->d_name) && errno == ENOTEMPTY)
			move_up(sweep, dirfd(entries), entry->d_name);
	if (remove_entry(sweep, sweep->top, name))
		sweep->removed = true;
}

static bool
is_kept(const struct sweep *sweep, const char *name)
{
	return sweep->keep->fd >= 0 &&
	       (strcmp(name, VERIFY_DATA_LINK) == 0 || strcmp(name, sweep->keep->name) == 0);
}

static bool
leads_nowhere(const struct sweep *sweep, const char *name)
{
	struct stat st;

	if (!verify_is_our_link(sweep->top, name))
		return false;
	return sweep->keep->fd < 0 ||
	       (fstatat(sweep->keep->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT);
}

static void
consider(struct sweep *sweep, const char *name)
{
	if (is_dots(name) || is_kept(sweep, name))
		return;
	if (verify_is_reserved(name))
		discard(sweep, name);
	else if (leads_nowhere(sweep, name) && remove_entry(sweep, sweep->top, name))
		sweep->removed = true;
}

static void
discard_moved(struct sweep *sweep)
{
	char name[64];

	for (; sweep->done < sweep->moved && sweep->steps < MAX_STEPS; sweep->done++) {
		(void)snprintf(name, sizeof(name), "..gone.%016" PRIx64 ".%" PRIu64, sweep->random,
			       sweep->done);
		discard(sweep, name);
	}
}

/* Once through the top.  Removing while listing may hide an entry: a pass that removed is not the last. */
static int
pass(struct sweep *sweep, struct seal_err *err)
{
	SEAL_SCOPED(close_list) DIR *entries = list(sweep->top, ".");
	const struct dirent *entry;

	if (entries == NULL)
		return seal_fs_fail_resolved(err, errno, ".");
	sweep->removed = false;
	while (sweep->steps < MAX_STEPS && (entry = readdir(entries)) != NULL)
		consider(sweep, entry->d_name);
	discard_moved(sweep);
	if (sweep->steps >= MAX_STEPS)
		return seal_fail(err, SEAL_E_LIMIT, "left-overs without end");
	return 0;
}

int
verify_volume_sweep(int top, struct seal_err *err)
{
	SEAL_SCOPED(verify_version_release) struct verify_version keep = { .fd = -1 };
	struct sweep sweep = { .top = top, .keep = &keep };
	int r = verify_version_find(&keep, top, err);

	if (r < 0)
		return r;
	if (getrandom(&sweep.random, sizeof(sweep.random), 0) != (ssize_t)sizeof(sweep.random))
		return seal_fail_errno(err, errno, "cannot draw a random name");
	do
		r = pass(&sweep, err);
	while (r == 0 && sweep.removed);
	return r;
}
