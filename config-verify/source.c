/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for reading one version of a directory that somebody else writes.  The version is opened
 * once and read through that descriptor; what ..data says afterwards tells whether it is still the one.
 * Knows nothing of sealed values.
 */

#include "config-verify/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "config-verify/beneath.h"
#include "config-verify/sealed.h"
#include "config-verify/volume_internal.h"

#define MAX_TRIES   10                       /* a kubelet swaps once a minute */
#define MAX_ENTRIES (4u * VERIFY_MAX_VALUES) /* files, directories, and links at the top */

struct verify_source {
	struct verify_source_file *files;
	size_t count;
	size_t cap;
	size_t total; /* bytes */
	uint8_t digest[SEAL_HASH_LEN];
};

/* Where the reading is. */
struct walk {
	struct verify_source *source;
	size_t entries;
	unsigned depth;
	size_t len;
	char path[PATH_MAX];
};

static void
release_file(struct verify_source_file *file)
{
	free((char *)file->path);
	if (file->text != NULL)
		seal_wipe((char *)file->text, file->text_len);
	free((char *)file->text);
}

void
verify_source_free(struct verify_source *source)
{
	if (source == NULL)
		return;
	for (size_t i = 0; i < source->count; i++)
		release_file(&source->files[i]);
	free(source->files);
	free(source);
}

void
verify_source_freep(struct verify_source **source)
{
	verify_source_free(SEAL_TAKE(*source));
}

/* Take *file over. */
static int
add_file(struct verify_source *source, struct verify_source_file *file, struct seal_err *err)
{
	if (source->count >= VERIFY_MAX_VALUES)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d files", VERIFY_MAX_VALUES);
	if (source->count == source->cap) {
		const size_t cap = source->cap == 0 ? 16 : 2 * source->cap;
		struct verify_source_file *more = reallocarray(source->files, cap, sizeof(*more));

		if (more == NULL)
			return seal_fail_memory(err);
		source->files = more;
		source->cap = cap;
	}
	source->files[source->count++] = *file;
	*file = (struct verify_source_file){ 0 };
	return 0;
}

/* As many bytes as the file says it has, and then its end. */
static int
read_exactly(int fd, char *to, size_t len, struct seal_err *err)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = read(fd, to + done, len + 1 - done);
		if (n < 0 && errno != EINTR)
			return seal_fail_errno(err, errno, "cannot read it");
		done += n > 0 ? (size_t)n : 0;
	} while (n != 0 && done <= len);
	if (done != len)
		return seal_fail(err, SEAL_E_CONFLICT, "it changed while it was read");
	to[len] = '\0';
	return 0;
}

static bool
is_untouched(int fd, const struct stat *before)
{
	struct stat now;

	return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
	       now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static int
read_content(struct verify_source_file *file, int fd, size_t room, struct seal_err *err)
{
	struct stat st;
	char *text;
	int r;

	if (fstat(fd, &st) < 0)
		return seal_fail_errno(err, errno, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return seal_fail(err, SEAL_E_REFUSED, "not a regular file");
	if (st.st_size < 0 || (uintmax_t)st.st_size > VERIFY_SEALED_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "longer than %u bytes", VERIFY_SEALED_MAX);
	if ((size_t)st.st_size > room)
		return seal_fail(err, SEAL_E_LIMIT, "all files are longer than %u bytes",
				 VERIFY_SOURCE_MAX);
	text = calloc(1, (size_t)st.st_size + 1);
	if (text == NULL)
		return seal_fail_memory(err);
	file->text = text;
	file->text_len = (size_t)st.st_size;
	r = read_exactly(fd, text, file->text_len, err);
	if (r == 0 && !is_untouched(fd, &st))
		r = seal_fail(err, SEAL_E_CONFLICT, "it changed while it was read");
	return r;
}

static int
read_file(struct walk *walk, int dir, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = verify_open_beneath(dir, name, O_RDONLY, 0);
	SEAL_SCOPED(release_file) struct verify_source_file file = { 0 };
	int r;

	if (fd < 0)
		return seal_fs_fail_resolved(err, errno, name);
	file.path = seal_strndup(walk->path, walk->len);
	if (file.path == NULL)
		return seal_fail_memory(err);
	r = read_content(&file, fd, VERIFY_SOURCE_MAX - walk->source->total, err);
	if (r < 0)
		return r;
	walk->source->total += file.text_len;
	return add_file(walk->source, &file, err);
}

static int read_tree(struct walk *walk, int dir, struct seal_err *err);

static int
read_directory(struct walk *walk, int dir, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep)
	int below = verify_open_beneath(dir, name, O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (below < 0)
		return seal_fs_fail_resolved(err, errno, walk->path);
	if (walk->depth >= VERIFY_SOURCE_DEPTH)
		return seal_fail(err, SEAL_E_LIMIT, "directories are nested deeper than %d",
				 VERIFY_SOURCE_DEPTH);
	walk->depth++;
	r = read_tree(walk, below, err);
	walk->depth--;
	return r;
}

/* Looked at before it is opened: opening a device may do something. */
static int
read_kind(struct walk *walk, int dir, const char *name, struct seal_err *err)
{
	struct stat st;
	int r;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return seal_fail_errno(err, errno, "cannot look at '%s'", walk->path);
	if (S_ISDIR(st.st_mode))
		return read_directory(walk, dir, name, err);
	if (!S_ISREG(st.st_mode))
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is neither a regular file nor a directory", walk->path);
	r = read_file(walk, dir, name, err);
	return r < 0 ? seal_note(err, r, "'%s'", walk->path) : 0;
}

static int
read_entry(struct walk *walk, int dir, const char *name, struct seal_err *err)
{
	const size_t len = walk->len;
	int r;

	if (++walk->entries > MAX_ENTRIES)
		return seal_fail(err, SEAL_E_LIMIT, "more than %u entries", MAX_ENTRIES);
	r = snprintf(walk->path + len, sizeof(walk->path) - len, "%s%s", len == 0 ? "" : "/", name);
	if (r < 0 || (size_t)r >= sizeof(walk->path) - len)
		return seal_fail(err, SEAL_E_LIMIT, "a path longer than %d bytes", PATH_MAX);
	walk->len += (size_t)r;
	r = read_kind(walk, dir, name, err);
	walk->len = len;
	walk->path[len] = '\0';
	return r;
}

static void
close_list(DIR **entries)
{
	if (*entries != NULL)
		(void)closedir(*entries); /* it was only read */
}

/* Call entry for each name but "." and "..", until one fails. */
static int
for_each(struct walk *walk, int dir,
	 int (*entry)(struct walk *walk, int dir, const char *name, struct seal_err *err),
	 struct seal_err *err)
{
	SEAL_SCOPED(close_list) DIR *entries = NULL;
	const struct dirent *at;
	int fd = verify_open_beneath(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	int r = 0;

	if (fd < 0)
		return seal_fs_fail_resolved(err, errno, ".");
	entries = fdopendir(fd);
	if (entries == NULL) {
		seal_close(fd);
		return seal_fail_errno(err, errno, "cannot list a directory");
	}
	while (errno = 0, r == 0 && (at = readdir(entries)) != NULL)
		if (strcmp(at->d_name, ".") != 0 && strcmp(at->d_name, "..") != 0)
			r = entry(walk, dir, at->d_name, err);
	if (r == 0 && errno != 0)
		return seal_fail_errno(err, errno, "cannot list a directory");
	return r;
}

static int
read_tree(struct walk *walk, int dir, struct seal_err *err)
{
	return for_each(walk, dir, read_entry, err);
}

/* At the top of a plain tree: the kubelet's names without its link are a version being made. */
static int
read_plain_entry(struct walk *walk, int top, const char *name, struct seal_err *err)
{
	if (verify_is_reserved(name))
		return seal_fail(err, SEAL_E_CONFLICT, "'%s' is there without '%s'", name,
				 VERIFY_DATA_LINK);
	return read_entry(walk, top, name, err);
}

/* At the top of the kubelet's form: what is not its pattern was put there by somebody else. */
static int
check_link(struct walk *walk, int top, const char *name, struct seal_err *err)
{
	if (++walk->entries > MAX_ENTRIES)
		return seal_fail(err, SEAL_E_LIMIT, "more than %u entries", MAX_ENTRIES);
	if (verify_is_reserved(name) || verify_is_our_link(top, name))
		return 0;
	return seal_fail(err, SEAL_E_REFUSED, "'%s' is not a link to %s/%s", name, VERIFY_DATA_LINK,
			 name);
}

static int
read_version(struct walk *walk, int top, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep)
	int version = verify_open_beneath(top, name, O_RDONLY | O_DIRECTORY, 0);
	char now[VERIFY_NAME_LEN];
	int r;

	r = version < 0 ? seal_fs_fail_resolved(err, errno, name) : read_tree(walk, version, err);
	if (!verify_read_data_link(top, now) || strcmp(name, now) != 0)
		return seal_fail(err, SEAL_E_CONFLICT, "the version changed while it was read");
	if (r == 0)
		r = for_each(walk, top, check_link, err);
	return r;
}

/* Whichever form it has. */
static int
read_once(struct walk *walk, int top, struct seal_err *err)
{
	char name[VERIFY_NAME_LEN];
	struct stat st;

	if (verify_read_data_link(top, name))
		return read_version(walk, top, name, err);
	if (fstatat(top, VERIFY_DATA_LINK, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return seal_fail(err, SEAL_E_REFUSED, "'%s' is not a link to a version beside it",
				 VERIFY_DATA_LINK);
	return for_each(walk, top, read_plain_entry, err);
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct verify_source_file *)a)->path,
		      ((const struct verify_source_file *)b)->path);
}

/* Over each path and the digest of its content, so that no two listings look alike. */
static int
make_digest(struct verify_source *source, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes all = SEAL_BYTES((PATH_MAX + 64u) * (size_t)VERIFY_MAX_VALUES);
	struct seal_writer w = { .out = &all };
	uint8_t hash[SEAL_HASH_LEN];
	int r;

	for (size_t i = 0; i < source->count; i++) {
		r = seal_sha256(hash, source->files[i].text, source->files[i].text_len, err);
		if (r < 0)
			return r;
		seal_put_str(&w, source->files[i].path);
		seal_put_block(&w, hash, sizeof(hash));
	}
	r = seal_put_done(&w, err);
	return r < 0 ? r : seal_sha256(source->digest, seal_bytes_str(&all), all.len, err);
}

static int
try_once(struct verify_source **ret_source, int top, struct seal_err *err)
{
	SEAL_SCOPED(verify_source_freep) struct verify_source *source = calloc(1, sizeof(*source));
	struct walk walk = { .source = source };
	int r;

	if (source == NULL)
		return seal_fail_memory(err);
	r = read_once(&walk, top, err);
	if (r == 0 && source->count > 0)
		qsort(source->files, source->count, sizeof(*source->files), by_path);
	if (r == 0)
		r = make_digest(source, err);
	if (r == 0)
		*ret_source = SEAL_TAKE(source);
	return r;
}

int
verify_source_read(struct verify_source **ret_source, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int top = verify_open_directory(path, O_RDONLY, err);
	int r = SEAL_E_CONFLICT;

	if (top < 0)
		return top;
	/* A name that vanished between being listed and being opened is a change, too. */
	for (unsigned i = 0; i < MAX_TRIES && (r == SEAL_E_CONFLICT || r == SEAL_E_MISSING); i++)
		r = try_once(ret_source, top, err);
	if (r == SEAL_E_MISSING)
		r = SEAL_E_CONFLICT;
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}

size_t
verify_source_count(const struct verify_source *source)
{
	return source->count;
}

const struct verify_source_file *
verify_source_file(const struct verify_source *source, size_t index)
{
	return &source->files[index];
}

const struct verify_source_file *
verify_source_find(const struct verify_source *source, const char *path)
{
	const struct verify_source_file key = { .path = path };

	if (source->count == 0)
		return NULL;
	return bsearch(&key, source->files, source->count, sizeof(key), by_path);
}

void
verify_source_digest(const struct verify_source *source, uint8_t ret_digest[static SEAL_HASH_LEN])
{
	memcpy(ret_digest, source->digest, SEAL_HASH_LEN);
}
