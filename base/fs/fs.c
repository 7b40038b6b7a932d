/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for files: opened once, judged on the descriptor and not on the path, read with a cap,
 * replaced as a whole.  Knows nothing of what is in them.
 */

#include "base/fs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO put in a file's place must not stop us before we have looked at it. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define CHUNK_LEN  (16u * 1024)
/* Whose file system it is may disturb us for ever. */
#define MAX_ATTEMPTS 100

void
seal_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* what was written was fsynced, what was read is read */
	errno = saved;
}

void
seal_closep(int *fd)
{
	seal_close(*fd);
	*fd = -1;
}

static bool
is_ours_or_roots(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0;
}

static int
check_private_dir(int fd, const char *path, struct seal_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return seal_fail_errno(err, errno, "cannot look at '%s'", path);
	if (!is_ours_or_roots(&st))
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' belongs to user %u, not to us or root: chown it", path,
				 st.st_uid);
	if ((st.st_mode & 077) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is open to others (mode %04o): chmod 700 it", path,
				 st.st_mode & 07777);
	return 0;
}

int
seal_fs_open_dir(const char *path, enum seal_fs_rule rule, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot open the directory '%s'", path);
	if (rule == SEAL_FS_PRIVATE) {
		r = check_private_dir(fd, path, err);
		if (r < 0)
			return r;
	}
	r = fd;
	fd = -1;
	return r;
}

/* One read into out; ret_count 0 at the end.  Never more than one byte beyond left. */
static int
read_chunk(struct seal_bytes *out, int fd, size_t left, size_t *ret_count, const char *name,
	   struct seal_err *err)
{
	uint8_t chunk[CHUNK_LEN];
	ssize_t n;
	int r = 0;

	do
		n = read(fd, chunk, left < sizeof(chunk) ? left + 1 : sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		r = seal_fail_errno(err, errno, "cannot read '%s'", name);
	else if ((size_t)n > left)
		r = seal_fail(err, SEAL_E_LIMIT, "'%s' is too long", name);
	else
		r = seal_bytes_append(out, chunk, (size_t)n, err);
	seal_wipe(chunk, sizeof(chunk));
	if (r == 0)
		*ret_count = (size_t)n;
	return r;
}

static int
check_regular(int fd, struct stat *ret_st, const char *name, struct seal_err *err)
{
	if (fstat(fd, ret_st) < 0)
		return seal_fail_errno(err, errno, "cannot look at '%s'", name);
	if (!S_ISREG(ret_st->st_mode))
		return seal_fail(err, SEAL_E_REFUSED, "'%s' is not a regular file", name);
	return 0;
}

/* Who could have written it?  Nobody but its owner, who is us or root. */
static int
check_unwritable(const struct stat *st, const char *name, struct seal_err *err)
{
	if (!is_ours_or_roots(st))
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' belongs to user %u, not to us or root: chown it", name,
				 st->st_uid);
	if ((st->st_mode & 022) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' may be written by others (mode %04o): chmod 644 it", name,
				 st->st_mode & 07777);
	return 0;
}

static bool
is_same_version(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The descriptor tells of writing into the file, the name of another file put in its place. */
static int
check_stable(int fd, int dirfd, const struct stat *before, size_t len, const char *name,
	     struct seal_err *err)
{
	struct stat now;
	struct stat named;

	if (fstat(fd, &now) < 0)
		return seal_fail_errno(err, errno, "cannot look at '%s'", name);
	if (fstatat(dirfd, name, &named, 0) < 0 || !is_same_version(before, &now) ||
	    !is_same_version(before, &named) || (uintmax_t)before->st_size != len)
		return seal_fail(err, SEAL_E_CONFLICT, "'%s' changed while being read: try again",
				 name);
	return 0;
}

/* Who is satisfied with what kind of file. */
enum reading { READ_ANY, READ_BY_OWNER_ONLY, READ_STABLE };

static int
read_whole(struct seal_bytes *out, int dirfd, const char *name, size_t max, enum reading reading,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = openat(dirfd, name, READ_FLAGS);
	size_t start = out->len;
	size_t count = 1;
	struct stat st;
	int r;

	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot open '%s'", name);
	r = check_regular(fd, &st, name, err);
	if (r == 0 && reading == READ_BY_OWNER_ONLY)
		r = check_unwritable(&st, name, err);
	/* Sizes are not believed: files under /proc say 0, and others grow. */
	while (r == 0 && count > 0)
		r = read_chunk(out, fd, max - (out->len - start), &count, name, err);
	if (r == 0 && reading == READ_STABLE)
		r = check_stable(fd, dirfd, &st, out->len - start, name, err);
	if (r < 0 && out->len > start) {
		seal_wipe(out->data + start, out->len - start);
		out->len = start;
	}
	return r;
}

int
seal_fs_read(struct seal_bytes *out, int dirfd, const char *name, size_t max, struct seal_err *err)
{
	return read_whole(out, dirfd, name, max, READ_ANY, err);
}

int
seal_fs_read_public(struct seal_bytes *out, int dirfd, const char *name, size_t max,
		    struct seal_err *err)
{
	return read_whole(out, dirfd, name, max, READ_BY_OWNER_ONLY, err);
}

int
seal_fs_read_stable(struct seal_bytes *out, int dirfd, const char *name, size_t max,
		    struct seal_err *err)
{
	return read_whole(out, dirfd, name, max, READ_STABLE, err);
}

static int
check_secret_file(const struct stat *st, const char *name, struct seal_err *err)
{
	/* Root may hand a key to a group: that is how services are given theirs. */
	mode_t forbidden = st->st_uid == 0 ? 037 : 077;

	if (!is_ours_or_roots(st))
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' belongs to user %u, not to us or root: chown it", name,
				 st->st_uid);
	if ((st->st_mode & forbidden) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is open to others (mode %04o): chmod 600 it", name,
				 st->st_mode & 07777);
	if (st->st_size == 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is empty", name);
	return 0;
}

/* Exactly len bytes and then the end, or it was changed under our hands. */
static int
read_exactly(int fd, uint8_t *to, size_t len, const char *name, struct seal_err *err)
{
	size_t done = 0;
	uint8_t extra;
	ssize_t n;

	for (;;) {
		bool at_end = done == len;

		n = pread(fd, at_end ? &extra : to + done, at_end ? 1 : len - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return seal_fail_errno(err, errno, "cannot read '%s'", name);
		if (at_end != (n == 0))
			return seal_fail(err, SEAL_E_CONFLICT, "'%s' changed while being read",
					 name);
		if (at_end)
			return 0;
		done += (size_t)n;
	}
}

int
seal_fs_read_secret_fd(struct seal_secret **ret_secret, int fd, const char *name, size_t max,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *secret = NULL;
	struct stat st;
	int r;

	r = check_regular(fd, &st, name, err);
	if (r < 0)
		return r;
	r = check_secret_file(&st, name, err);
	if (r < 0)
		return r;
	if ((uintmax_t)st.st_size > max)
		return seal_fail(err, SEAL_E_LIMIT, "'%s' is longer than %zu bytes", name, max);
	r = seal_secret_new(&secret, (size_t)st.st_size, err);
	if (r < 0)
		return seal_note(err, r, "'%s'", name);
	r = read_exactly(fd, seal_secret_bytes(secret), (size_t)st.st_size, name, err);
	if (r < 0)
		return r;
	*ret_secret = SEAL_TAKE(secret);
	return 0;
}

int
seal_fs_read_secret(struct seal_secret **ret_secret, int dirfd, const char *name, size_t max,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = openat(dirfd, name, READ_FLAGS | O_NOFOLLOW);

	if (fd < 0 && errno == ELOOP)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is a symbolic link: name the file itself", name);
	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot open '%s'", name);
	return seal_fs_read_secret_fd(ret_secret, fd, name, max, err);
}

int
seal_fs_read_secret_linked(struct seal_secret **ret_secret, int dirfd, const char *name, size_t max,
			   struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = openat(dirfd, name, READ_FLAGS);

	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot open '%s'", name);
	return seal_fs_read_secret_fd(ret_secret, fd, name, max, err);
}

int
seal_fs_open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve,
	};
	unsigned attempts = 0;
	long fd;

	/* EAGAIN: somebody renames or mounts somewhere, and the kernel cannot tell whether it concerns us. */
	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++attempts < MAX_ATTEMPTS);
	return (int)fd;
}

int
seal_fs_fail_resolved(struct seal_err *err, int errnum, const char *path)
{
	switch (errnum) {
	case EXDEV:
		return seal_fail(err, SEAL_E_REFUSED, "'%s' leads onto another mount", path);
	case ELOOP:
		return seal_fail(err, SEAL_E_REFUSED, "'%s' passes a symbolic link", path);
	case ENOSYS:
		return seal_fail(err, SEAL_E_SYSTEM,
				 "'%s' cannot be opened safely: the kernel has no openat2", path);
	default:
		return seal_fail_errno(err, errnum, "cannot open '%s'", path);
	}
}

int
seal_fs_open_on_root(const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int root = -1;
	int fd;

	if (path[0] != '/')
		return seal_fail(err, SEAL_E_REFUSED, "'%s' is not an absolute path", path);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return seal_fail_errno(err, errno, "cannot open '/'");
	fd = seal_fs_open_resolved(root, path + strspn(path, "/"), READ_FLAGS, 0,
				   RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
					   RESOLVE_BENEATH);
	if (fd < 0 && errno == EXDEV)
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is not on the root file system: it must not lie on a mount",
				 path);
	return fd < 0 ? seal_fs_fail_resolved(err, errno, path) : fd;
}

/* A file on its way to its name. */
struct draft {
	int dir;
	int fd;
	char name[32]; /* "" once it is gone */
};

static void
release_draft(struct draft *draft)
{
	seal_closep(&draft->fd);
	if (draft->name[0] != '\0')
		(void)unlinkat(draft->dir, draft->name, 0); /* it holds nothing anybody waits for */
	seal_closep(&draft->dir);
}

static int
open_parent(int dirfd, const char *name, const char **ret_base, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes parent = SEAL_BYTES(4096);
	const char *slash = strrchr(name, '/');
	int fd, r;

	*ret_base = slash == NULL ? name : slash + 1;
	if ((*ret_base)[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is no file name", name);
	r = slash == NULL ? seal_bytes_append_str(&parent, ".", err)
			  : seal_bytes_append(&parent, name, (size_t)(slash - name) + 1, err);
	if (r < 0)
		return r;
	fd = openat(dirfd, seal_bytes_str(&parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot open the directory of '%s'", name);
	return fd;
}

static int
create_draft(struct draft *draft, mode_t mode, const char *name, struct seal_err *err)
{
	uint8_t random[8];
	char digits[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return seal_fail_errno(err, errno, "cannot draw a random name");
	seal_hex_encode(digits, random, sizeof(random));
	(void)snprintf(draft->name, sizeof(draft->name), ".seal-%s", digits);
	draft->fd = openat(draft->dir, draft->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (draft->fd < 0) {
		draft->name[0] = '\0';
		return seal_fail_errno(err, errno, "cannot create '%s'", name);
	}
	/* The mode asked for, whatever the umask. */
	if (fchmod(draft->fd, mode) < 0)
		return seal_fail_errno(err, errno, "cannot set the mode of '%s'", name);
	return 0;
}

static int
fill_draft(const struct draft *draft, const uint8_t *data, size_t len, const char *name,
	   struct seal_err *err)
{
	while (len > 0) {
		ssize_t n = write(draft->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return seal_fail_errno(err, errno, "cannot write '%s'", name);
		data += n;
		len -= (size_t)n;
	}
	if (fsync(draft->fd) < 0)
		return seal_fail_errno(err, errno, "cannot write '%s' to disk", name);
	return 0;
}

/* A device or a directory in its place was meant for something else. */
static int
check_replaceable(const struct draft *draft, const char *base, const char *name,
		  struct seal_err *err)
{
	struct stat st;

	if (fstatat(draft->dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : seal_fail_errno(err, errno, "cannot look at '%s'", name);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return seal_fail(err, SEAL_E_REFUSED,
				 "'%s' is not a regular file: it is not replaced", name);
	return 0;
}

/* 0, or -1 with errno.  File systems that cannot refuse to replace can at least link. */
static int
rename_new(struct draft *draft, const char *base)
{
	if (renameat2(draft->dir, draft->name, draft->dir, base, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(draft->dir, draft->name, draft->dir, base, 0) < 0)
		return -1;
	return unlinkat(draft->dir, draft->name, 0);
}

static int
publish_draft(struct draft *draft, const char *base, bool replace, const char *name,
	      struct seal_err *err)
{
	int r = replace ? check_replaceable(draft, base, name, err) : 0;

	if (r < 0)
		return r;
	r = replace ? renameat(draft->dir, draft->name, draft->dir, base) : rename_new(draft, base);
	if (r < 0 && errno == EEXIST)
		return seal_fail(err, SEAL_E_CONFLICT, "'%s' exists already", name);
	if (r < 0)
		return seal_fail_errno(err, errno, "cannot put '%s' in place", name);
	draft->name[0] = '\0';
	if (fsync(draft->dir) < 0)
		return seal_fail_errno(err, errno, "cannot write the directory of '%s' to disk",
				       name);
	return 0;
}

int
seal_fs_write(int dirfd, const char *name, const void *data, size_t len, mode_t mode, bool replace,
	      struct seal_err *err)
{
	SEAL_SCOPED(release_draft) struct draft draft = { .dir = -1, .fd = -1 };
	const char *base;
	int r;

	r = open_parent(dirfd, name, &base, err);
	if (r < 0)
		return r;
	draft.dir = r;
	r = create_draft(&draft, mode, name, err);
	if (r < 0)
		return r;
	r = fill_draft(&draft, data, len, name, err);
	if (r < 0)
		return r;
	return publish_draft(&draft, base, replace, name, err);
}
