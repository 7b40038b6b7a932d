/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the order in which a version appears, so that a reader, a crash or a full file system
 * at any point finds one version, whole:
 *
 *     ..2026_01_02_03_04_05.123/   complete, nobody looks there yet
 *     NAME -> ..data/NAME          for what is new: leads nowhere until
 *     ..data_tmp -> ..data         one rename, the only step that anybody sees
 *     sweep                        the old version, and links to what it alone had
 *
 * Whatever fails before the rename is swept away like a crash would be at the next open.  Knows nothing
 * of what the files are.
 */

#include "config-verify/volume_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/beneath.h"

struct verify_volume {
	int fd;
};

/* ..data/NAME, whose NAME is one part */
#define LINK_LEN (sizeof(VERIFY_DATA_LINK) + VERIFY_NAME_LEN)

static void
format_link(char out[static LINK_LEN], const char *name)
{
	(void)snprintf(out, LINK_LEN, "%s/%s", VERIFY_DATA_LINK, name);
}

bool
verify_is_our_link(int top, const char *name)
{
	char wanted[LINK_LEN];
	char found[LINK_LEN];
	const ssize_t len = readlinkat(top, name, found, sizeof(found));

	format_link(wanted, name);
	return len > 0 && (size_t)len == strlen(wanted) && memcmp(found, wanted, (size_t)len) == 0;
}

/* Whoever may write here could lead ..data elsewhere: where it is ours to say, only we may. */
static int
close_to_others(int fd, struct seal_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return seal_fail_errno(err, errno, "cannot look at it");
	if (st.st_uid != geteuid() || (st.st_mode & 022) == 0)
		return 0;
	if (fchmod(fd, st.st_mode & 07755 & ~02u) < 0)
		return seal_fail_errno(err, errno, "cannot close it to others");
	return 0;
}

int
verify_volume_directory(const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = verify_open_directory(path, O_RDONLY, err);
	SEAL_SCOPED(seal_closep) int parent = -1;
	int r;

	if (fd < 0)
		return fd;
	parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return seal_fail_errno(err, errno, "cannot open the directory above '%s'", path);
	r = verify_check_memory(fd, err);
	if (r == 0)
		r = verify_check_mounted(fd, parent, err);
	if (r == 0)
		r = close_to_others(fd, err);
	if (r < 0)
		return seal_note(err, r, "'%s'", path);
	r = fd;
	fd = -1;
	return r;
}

/* Two that write and sweep would remove each other's drafts.  The lock ends with the process. */
static int
lock(int fd, struct seal_err *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return seal_fail(err, SEAL_E_CONFLICT, "another process is writing there");
	return seal_fail_errno(err, errno, "cannot lock the directory");
}

static void
unlock(int fd)
{
	(void)flock(fd, LOCK_UN); /* it is held, and closing gives it up as well */
}

int
verify_volume_open(struct verify_volume **ret_volume, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(verify_volume_closep) struct verify_volume *volume = malloc(sizeof(*volume));
	int r;

	if (volume == NULL)
		return seal_fail_memory(err);
	volume->fd = verify_volume_directory(path, err);
	if (volume->fd < 0)
		return volume->fd;
	r = lock(volume->fd, err);
	if (r == 0)
		r = verify_volume_sweep(volume->fd, err);
	unlock(volume->fd);
	if (r < 0)
		return seal_note(err, r, "'%s'", path);
	*ret_volume = SEAL_TAKE(volume);
	return 0;
}

void
verify_volume_close(struct verify_volume *volume)
{
	if (volume == NULL)
		return;
	seal_closep(&volume->fd);
	free(volume);
}

void
verify_volume_closep(struct verify_volume **volume)
{
	verify_volume_close(SEAL_TAKE(*volume));
}

int
verify_mode_check(const struct verify_file *file, struct seal_err *err)
{
	if (file->mode != 0400 && file->mode != 0500 && file->mode != 0444 && file->mode != 0555)
		return seal_fail(err, SEAL_E_REFUSED,
				 "mode %04o: unsealed files are 0400 or 0500, or 0444 or 0555",
				 file->mode);
	return 0;
}

static int
check_files(const struct verify_file *files, size_t file_count, struct seal_err *err)
{
	int r;

	if (file_count > VERIFY_MAX_VOLUME_FILES)
		return seal_fail(err, SEAL_E_LIMIT, "%zu files: at most %d", file_count,
				 VERIFY_MAX_VOLUME_FILES);
	for (size_t i = 0; i < file_count; i++) {
		r = verify_relative_check(files[i].path, err);
		if (r < 0)
			return r;
		r = verify_mode_check(&files[i], err);
		if (r < 0)
			return seal_note(err, r, "'%s'", files[i].path);
	}
	return 0;
}

/* A link at the top, before the version is there that it is for: until then it leads nowhere. */
static int
make_link(int top, const char *name, struct seal_err *err)
{
	char target[LINK_LEN];

	format_link(target, name);
	if (symlinkat(target, top, name) == 0)
		return 0;
	if (errno != EEXIST)
		return seal_fail_errno(err, errno, "cannot make the link '%s'", name);
	/* A mount inside the volume hides what would be under it, as everywhere. */
	if (verify_is_our_link(top, name) || verify_is_mount(top, name))
		return 0;
	return seal_fail(err, SEAL_E_CONFLICT, "'%s' is there already, and is not ours", name);
}

static int
make_links(int top, const struct verify_file *files, size_t file_count, struct seal_err *err)
{
	char last[VERIFY_NAME_LEN] = "";
	int r = 0;

	for (size_t i = 0; r == 0 && i < file_count; i++) {
		const size_t len = strcspn(files[i].path, "/");

		if (last[len] == '\0' && memcmp(last, files[i].path, len) == 0)
			continue;
		memcpy(last, files[i].path, len);
		last[len] = '\0';
		r = make_link(top, last, err);
	}
	return r;
}

static int
turn_data(int top, const char *version, struct seal_err *err)
{
	if (symlinkat(version, top, VERIFY_DATA_DRAFT) < 0)
		return seal_fail_errno(err, errno, "cannot make the link '%s'", VERIFY_DATA_DRAFT);
	if (renameat(top, VERIFY_DATA_DRAFT, top, VERIFY_DATA_LINK) < 0)
		return seal_fail_errno(err, errno, "cannot turn '%s'", VERIFY_DATA_LINK);
	return 0;
}

static int
publish(int top, const struct verify_file *files, size_t file_count, struct seal_err *err)
{
	char version[VERIFY_NAME_LEN];
	int r = verify_version_write(top, files, file_count, version, err);

	if (r == 0)
		r = make_links(top, files, file_count, err);
	if (r == 0)
		r = turn_data(top, version, err);
	return r;
}

int
verify_volume_publish(struct verify_volume *volume, const struct verify_file *files,
		      size_t file_count, struct seal_err *err)
{
	struct seal_err unswept = { 0 };
	int r = check_files(files, file_count, err);

	if (r < 0)
		return r;
	r = lock(volume->fd, err);
	if (r < 0)
		return r;
	r = publish(volume->fd, files, file_count, err);
	/* What is done is done, what failed has failed: what stays is swept by the next. */
	if (verify_volume_sweep(volume->fd, &unswept) < 0 && r < 0)
		r = seal_note(err, r, "%s, after", unswept.text);
	unlock(volume->fd);
	return r;
}
