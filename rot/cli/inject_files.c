/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests from where kubectl reads them, and to where it will.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/yaml/tree.h"
#include "rot/cli/inject.h"

#define MAX_DEPTH 32 /* of folders */

void
cli_manifests_release(struct cli_manifests *manifests)
{
	for (size_t i = 0; i < manifests->count; i++) {
		struct inject_input *input = &manifests->inputs[i];

		if (input->text != NULL)
			seal_wipe((void *)(uintptr_t)input->text, input->len);
		free((void *)(uintptr_t)input->text);
		free((void *)(uintptr_t)input->name);
	}
	free(manifests->inputs);
	*manifests = (struct cli_manifests){ 0 };
}

/* ---- One file ---- */

static int
add(struct cli_manifests *manifests, const char *name, struct seal_bytes *text,
    struct seal_err *err)
{
	struct inject_input *grown =
		reallocarray(manifests->inputs, manifests->count + 1, sizeof(*grown));
	struct inject_input *input;

	if (grown == NULL)
		return seal_fail_memory(err);
	manifests->inputs = grown;
	input = &grown[manifests->count++];
	*input = (struct inject_input){ .name = seal_strndup(name, strlen(name)) };
	if (input->name == NULL)
		return seal_fail_memory(err);
	/* The buffer's storage is handed over: a copy of 16 MiB would be for nothing. */
	input->len = text->len;
	input->text = text->data != NULL ? (char *)text->data : seal_strndup("", 0);
	*text = (struct seal_bytes)SEAL_BYTES(0);
	return input->text != NULL ? 0 : seal_fail_memory(err);
}

static int
read_file(struct cli_manifests *manifests, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(SEAL_TREE_MAX_LEN);
	bool is_input = strcmp(path, "-") == 0;
	int r = cli_read_input(&text, path, err);

	if (r < 0)
		return r;
	manifests->total += text.len;
	if (manifests->total > SEAL_TREE_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT,
				 "all manifests together are more than %u bytes: divide them",
				 SEAL_TREE_MAX_LEN);
	return add(manifests, is_input ? "standard input" : path, &text, err);
}

/* ---- A folder ---- */

static bool
is_manifest(const char *name)
{
	static const char *const ends[] = { ".json", ".yaml", ".yml" };
	size_t len = strlen(name);

	for (size_t i = 0; i < SEAL_COUNT(ends); i++) {
		size_t end = strlen(ends[i]);

		if (len > end && strcmp(name + len - end, ends[i]) == 0)
			return true;
	}
	return false;
}

static int read_path(struct cli_manifests *manifests, const char *path, bool recursive,
		     unsigned depth, struct seal_err *err);

static int
read_entry(struct cli_manifests *manifests, const char *folder, const char *name, bool recursive,
	   unsigned depth, struct seal_err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return seal_fail(err, SEAL_E_LIMIT, "a path in '%.64s' is too long", folder);
	if (stat(path, &st) < 0)
		return seal_fail_errno(err, errno, "'%s'", path);
	if (S_ISDIR(st.st_mode))
		return recursive ? read_path(manifests, path, true, depth + 1, err) : 0;
	return is_manifest(name) ? read_file(manifests, path, err) : 0;
}

static int
read_folder(struct cli_manifests *manifests, const char *path, bool recursive, unsigned depth,
	    struct seal_err *err)
{
	struct dirent **names = NULL;
	int count = scandir(path, &names, NULL, alphasort);
	int r = 0;

	if (count < 0)
		return seal_fail_errno(err, errno, "'%s'", path);
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = read_entry(manifests, path, names[i]->d_name, recursive, depth, err);
		free(names[i]);
	}
	free(names);
	return r;
}

static int
read_path(struct cli_manifests *manifests, const char *path, bool recursive, unsigned depth,
	  struct seal_err *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return read_file(manifests, path, err);
	if (depth > MAX_DEPTH)
		return seal_fail(err, SEAL_E_LIMIT, "'%s': folders in folders without end", path);
	if (stat(path, &st) < 0)
		return seal_fail_errno(err, errno, "'%s'", path);
	return S_ISDIR(st.st_mode) ? read_folder(manifests, path, recursive, depth, err)
				   : read_file(manifests, path, err);
}

int
cli_manifests_read(struct cli_manifests *manifests, const struct seal_strv *paths, bool recursive,
		   struct seal_err *err)
{
	int r = 0;

	if (paths->count == 0)
		return seal_fail(err, SEAL_E_USAGE, "say which manifest is meant: -f FILE");
	for (size_t i = 0; r == 0 && i < paths->count; i++)
		r = read_path(manifests, paths->items[i], recursive, 0, err);
	if (r == 0 && manifests->count == 0)
		return seal_fail(
			err, SEAL_E_MISSING,
			"no *.yaml, *.yml or *.json there (-R looks into folders of folders)");
	return r;
}

/* ---- The output ---- */

/* The folder of the output, opened, and the output's name in it. */
static int
open_parent(const char *path, int *ret_dirfd, const char **ret_name, struct seal_err *err)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".";
	int r;

	if (strlen(path) >= sizeof(parent) || path[0] == '\0' ||
	    (slash != NULL && slash[1] == '\0'))
		return seal_fail(err, SEAL_E_USAGE, "'%.64s' is no name of a file", path);
	if (slash != NULL)
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path) + 1, path);
	r = seal_fs_open_dir(parent, SEAL_FS_ANY, err);
	if (r < 0)
		return r;
	*ret_dirfd = r;
	*ret_name = slash != NULL ? slash + 1 : path;
	return 0;
}

int
cli_manifests_check(const struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	const char *path = cli->opt.out;
	const char *name = NULL;
	struct stat st;
	int r;

	if (path == NULL || strcmp(path, "-") == 0)
		return 0;
	r = open_parent(path, &dirfd, &name, err);
	if (r < 0)
		return r;
	if (faccessat(dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return seal_fail_errno(err, errno, "'%s' cannot be written", path);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISLNK(st.st_mode))
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is not a regular file: it is not replaced (without -o, "
				 "standard output)",
				 path);
	return 0;
}

int
cli_manifests_write(const struct cli *cli, const struct seal_bytes *out, mode_t mode,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	const char *path = cli->opt.out;
	const char *name = NULL;
	int r;

	if (path == NULL || strcmp(path, "-") == 0)
		return cli_write_out(seal_bytes_str(out), out->len, err);
	r = open_parent(path, &dirfd, &name, err);
	return r < 0 ? r
		     : seal_fs_write(dirfd, name, seal_bytes_str(out), out->len, mode, true, err);
}
