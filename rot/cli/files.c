/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where results with keys in them go: new files and new directories, closed to everybody else,
 * complete or not there.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/secret/secret.h"
#include "rot/cli/cli.h"

void
cli_place_release(struct cli_place *place)
{
	seal_close(place->dirfd);
	free(place->name);
	*place = (struct cli_place)CLI_PLACE_NONE;
}

/* The directory that the first len bytes of path name; none is the current one. */
static int
open_parent(const char *path, size_t len, struct seal_err *err)
{
	char *parent;
	int fd;

	if (len == 0)
		return seal_fs_open_dir(".", SEAL_FS_ANY, err);
	parent = seal_strndup(path, len); /* with its slash: "/" stays itself */
	if (parent == NULL)
		return seal_fail_memory(err);
	fd = seal_fs_open_dir(parent, SEAL_FS_ANY, err);
	free(parent);
	return fd;
}

/* Split "a/b/c/" into "a/b/" and "c". */
static int
split(struct cli_place *place, const char *path, struct seal_err *err)
{
	size_t end = strlen(path);
	size_t start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	place->name = seal_strndup(path + start, end - start);
	if (place->name == NULL)
		return seal_fail_memory(err);
	if (end == start || strcmp(place->name, ".") == 0 || strcmp(place->name, "..") == 0)
		return seal_fail(err, SEAL_E_USAGE, "'%s' is no name for something new", path);
	place->dirfd = open_parent(path, start, err);
	return place->dirfd < 0 ? place->dirfd : 0;
}

int
cli_place_old(struct cli_place *ret_place, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	int r = split(&place, path, err);

	if (r < 0)
		return r;
	*ret_place = place;
	place = (struct cli_place)CLI_PLACE_NONE; /* the caller owns it now */
	return 0;
}

int
cli_place_new(struct cli_place *ret_place, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	struct stat st;
	int r;

	r = split(&place, path, err);
	if (r < 0)
		return r;
	if (fstatat(place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "'%s' is there already: choose another name, or move it away",
				 path);
	if (errno != ENOENT)
		return seal_fail_errno(err, errno, "'%s'", path);

	*ret_place = place;
	place = (struct cli_place)CLI_PLACE_NONE; /* the caller owns it now */
	return 0;
}

/* ---- Files beside each other, all or nothing ---- */

int
cli_write_files(int dirfd, const struct cli_file *files, size_t file_count, struct seal_err *err)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < file_count) {
		r = seal_fs_write(dirfd, files[done].name, files[done].data, files[done].len, 0600,
				  false, err);
		if (r == 0)
			done++;
	}
	while (r < 0 && done > 0)
		(void)unlinkat(dirfd, files[--done].name, 0); /* nothing better can be done */
	return r;
}

/* ---- Standard input, or a file ---- */

static int
read_stream(struct seal_bytes *out, int fd, const char *name, struct seal_err *err)
{
	uint8_t piece[16 * 1024];
	ssize_t n;
	int r = 0;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			r = seal_bytes_append(out, piece, (size_t)n, err);
	} while (r == 0 && (n > 0 || (n < 0 && errno == EINTR)));
	seal_wipe(piece, sizeof(piece));
	if (r < 0)
		return r;
	return n < 0 ? seal_fail_errno(err, errno, "%s", name) : 0;
}

int
cli_read_input(struct seal_bytes *out, const char *path, struct seal_err *err)
{
	bool is_stdin = path == NULL || strcmp(path, "-") == 0;
	const char *name = is_stdin ? "standard input" : path;
	SEAL_SCOPED(seal_closep) int pipe = -1;
	struct stat st;
	int r;

	/* A shell's <(command) is a pipe with a name. */
	if (!is_stdin && (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode)))
		return seal_fs_read(out, AT_FDCWD, path, out->max, err);
	if (!is_stdin) {
		pipe = open(path, O_RDONLY | O_CLOEXEC);
		if (pipe < 0)
			return seal_fail_errno(err, errno, "'%s'", path);
	}
	r = read_stream(out, is_stdin ? STDIN_FILENO : pipe, name, err);
	return r == SEAL_E_LIMIT ? seal_fail(err, r, "%s is longer than %zu bytes", name, out->max)
				 : r;
}

/* ---- A directory, all or nothing ---- */

/* Remove what was begun under a name only we know; nothing better can be done when that fails. */
static void
discard(int parent, const char *name, const struct cli_file *files, size_t file_count)
{
	SEAL_SCOPED(seal_closep)
	int fd = openat(parent, name, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < file_count; i++)
		(void)unlinkat(fd, files[i].name, 0);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

static int
fill(int parent, const char *name, const struct cli_file *files, size_t file_count,
     struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = -1;
	int r = 0;

	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return seal_fail_errno(err, errno, "'%s'", name);
	for (size_t i = 0; r == 0 && i < file_count; i++)
		r = seal_fs_write(fd, files[i].name, files[i].data, files[i].len, 0600, false, err);
	return r;
}

int
cli_draft_name(char *out, size_t size, const char *name, struct seal_err *err)
{
	uint8_t random[8];
	char text[2 * sizeof(random) + 1];
	int r;

	r = seal_random(random, sizeof(random), err);
	if (r < 0)
		return r;
	seal_hex_encode(text, random, sizeof(random));
	if ((size_t)snprintf(out, size, ".%.200s.%s", name, text) >= size)
		return seal_fail(err, SEAL_E_LIMIT, "'%.64s...' is too long", name);
	return 0;
}

/* A directory of a name only we know, with all files; discarded where it could not be filled. */
static int
make_draft(const struct cli_place *place, const struct cli_file *files, size_t file_count,
	   char *draft, size_t size, struct seal_err *err)
{
	int r = cli_draft_name(draft, size, place->name, err);

	if (r < 0)
		return r;
	if (mkdirat(place->dirfd, draft, 0700) < 0)
		return seal_fail_errno(err, errno, "'%s'", place->name);
	r = fill(place->dirfd, draft, files, file_count, err);
	if (r < 0)
		discard(place->dirfd, draft, files, file_count);
	return r;
}

/* The draft takes its place in one step. */
static int
put_in_place(const struct cli_place *place, const char *draft, unsigned how, struct seal_err *err)
{
	if (renameat2(place->dirfd, draft, place->dirfd, place->name, how) < 0)
		return seal_fail_errno(err, errno, "'%s'", place->name);
	return 0;
}

int
cli_write_dir(const struct cli_place *place, const struct cli_file *files, size_t file_count,
	      struct seal_err *err)
{
	char draft[256];
	int r;

	r = make_draft(place, files, file_count, draft, sizeof(draft), err);
	if (r < 0)
		return r;
	r = put_in_place(place, draft, RENAME_NOREPLACE, err);
	if (r < 0)
		discard(place->dirfd, draft, files, file_count);
	else if (fsync(place->dirfd) < 0)
		r = seal_fail_errno(err, errno, "'%s'", place->name);
	return r;
}

int
cli_replace_dir(const struct cli_place *place, const struct cli_file *files, size_t file_count,
		struct seal_err *err)
{
	char draft[256];
	int r;

	r = make_draft(place, files, file_count, draft, sizeof(draft), err);
	if (r < 0)
		return seal_note(err, r, "what was there is as it was, and good");
	r = put_in_place(place, draft, RENAME_EXCHANGE, err);
	if (r == 0 && fsync(place->dirfd) < 0) {
		/* After a loss of power the old one may be in its place again, if it is still there. */
		r = seal_fail_errno(err, errno, "'%s'", place->name);
		return seal_note(err, r, "the new one may not last; the old one is '%s' beside it",
				 draft);
	}
	discard(place->dirfd, draft, files, file_count); /* the old one, or the new one in vain */
	return r < 0 ? seal_note(err, r, "what was there is as it was, and good") : 0;
}
