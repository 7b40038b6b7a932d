/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how a file gets from its name into memory; knows nothing of what files say.
 *
 * Readable and writable: everybody may read what is looked at here, nobody but root and we may write it.
 * Group root may, as in images made for users of any number.
 *
 * Nothing is opened before it is known to be a regular file: opening a device may do something, and who has
 * put it there may not be allowed to open it himself.
 */

#include "config-verify/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"

#define READ_LEN     65536
#define MAX_READINGS 20 /* of a table that changes meanwhile */
/* Attempts at what is to be tried again: whose file system it is may say so for ever. */
#define MAX_ATTEMPTS 100

static const char *
kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
	case S_IFCHR:
		return "a device";
	case S_IFLNK:
		return "a symbolic link";
	default:
		return "something else";
	}
}

/* Want of memory or descriptors is ours; who interrupts each of so many attempts lets nobody look. */
bool
verify_is_shortage(int errnum)
{
	return errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE || errnum == EINTR;
}

static int
tell_unopened(const struct verify_evidence *evidence, struct verify_findings *findings, int errnum,
	      struct seal_err *err)
{
	if (verify_is_shortage(errnum) || errnum == ENOSYS)
		return seal_fail_errno(err, errnum, "cannot open '%s'", evidence->file);
	switch (errnum) {
	case ELOOP:
		verify_suspect(findings, VERIFY_RULE_FILE_TYPE, evidence->file, 0, "a regular file",
			       "a symbolic link");
		return 0;
	case EXDEV:
		verify_suspect(findings, VERIFY_RULE_FILE_TYPE, evidence->file, 0,
			       "a file that lies where it belongs", "one that lies elsewhere");
		return 0;
	case ENXIO:
		verify_suspect(findings, VERIFY_RULE_FILE_TYPE, evidence->file, 0, "a regular file",
			       "a socket or a device without a driver");
		return 0;
	case ENOENT:
	case ENOTDIR:
		if (!evidence->may_be_absent)
			verify_suspect(findings, VERIFY_RULE_FILE_MISSING, evidence->file, 0,
				       "a regular file", "nothing");
		return 0;
	default:
		verify_suspect(findings, VERIFY_RULE_FILE_MISSING, evidence->file, 0,
			       "a file that can be read", "%s", strerror(errnum));
		return 0;
	}
}

/* True when it may be read. */
static bool
judge(const struct verify_evidence *evidence, const struct stat *st,
      struct verify_findings *findings)
{
	const size_t before = verify_findings_count(findings);

	if (!S_ISREG(st->st_mode)) {
		verify_suspect(findings, VERIFY_RULE_FILE_TYPE, evidence->file, 0, "a regular file",
			       "%s", kind_of(st->st_mode));
		return false;
	}
	if (evidence->max == 0)
		return true;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		verify_suspect(findings, VERIFY_RULE_FILE_OWNER, evidence->file, 0, "root or us",
			       "user %u", (unsigned)st->st_uid);
	if ((st->st_mode & S_IWOTH) != 0 || ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0))
		verify_suspect(findings, VERIFY_RULE_FILE_OWNER, evidence->file, 0,
			       "writable for its owner alone", "mode %o, group %u",
			       (unsigned)(st->st_mode & 07777), (unsigned)st->st_gid);
	if (st->st_size < 0 || (uint64_t)st->st_size > evidence->max)
		verify_suspect(findings, VERIFY_RULE_FILE_SIZE, evidence->file, 0,
			       "no more than such a file can have", "%lld bytes",
			       (long long)st->st_size);
	return verify_findings_count(findings) == before;
}

/* Until there is no more, or there is more than max: then SEAL_E_LIMIT; SEAL_E_CLOSED for what is the file's. */
static int
read_all(struct seal_bytes *out, int fd, size_t max, struct seal_err *err)
{
	const size_t begin = out->len;
	ssize_t n = 1;

	while (n > 0) {
		const size_t left = max - (out->len - begin) + 1;
		const size_t want = left < READ_LEN ? left : READ_LEN;
		unsigned attempts = 0;
		int r = seal_bytes_reserve(out, want, err);

		if (r < 0)
			return r;
		do
			n = read(fd, out->data + out->len, want);
		while (n < 0 && errno == EINTR && ++attempts < MAX_ATTEMPTS);
		if (n < 0 && verify_is_shortage(errno))
			return seal_fail_errno(err, errno, "cannot read");
		if (n < 0)
			return seal_fail(err, SEAL_E_CLOSED, "cannot read: %s", strerror(errno));
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len - begin > max)
			return seal_fail(err, SEAL_E_LIMIT, "longer than %zu bytes", max);
	}
	return 0;
}

static bool
is_one_version(const struct stat *a, const struct stat *b, size_t len)
{
	return a->st_size == b->st_size && (uint64_t)a->st_size == len &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The very file, for reading; -1 with errno.  Whatever calls itself /proc, it is no other. */
static int
reopen(int place, const struct stat *st)
{
	struct stat now;
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
	fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT) /* it is there: it was opened once */
		return -1;
	if (fd >= 0 && fstat(fd, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		return fd;
	seal_close(fd);
	errno = ESTALE;
	return -1;
}

int
verify_evidence_read(const struct verify_evidence *evidence, struct verify_findings *findings,
		     struct seal_bytes *out, struct seal_err *err)
{
	const bool is_read = evidence->max > 0;
	SEAL_SCOPED(seal_closep)
	int place = seal_fs_open_resolved(evidence->dirfd, evidence->path, O_PATH, 0,
					  evidence->resolve);
	SEAL_SCOPED(seal_closep) int fd = -1;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(evidence->max + 2);
	struct stat before;
	struct stat after;
	int r;

	if (place < 0)
		return tell_unopened(evidence, findings, errno, err);
	if (fstat(place, &before) < 0)
		return seal_fail_errno(err, errno, "cannot ask for '%s'", evidence->file);
	if (!judge(evidence, &before, findings))
		return 0;
	if (!is_read)
		return 1;
	fd = reopen(place, &before);
	if (fd < 0)
		return tell_unopened(evidence, findings, errno, err);
	r = read_all(&text, fd, evidence->max, err);
	if (r == 0 && fstat(fd, &after) < 0)
		return seal_fail_errno(err, errno, "cannot ask for '%s'", evidence->file);
	if (r == SEAL_E_MEMORY || r == SEAL_E_SYSTEM)
		return seal_note(err, r, "'%s'", evidence->file);
	if (r == SEAL_E_LIMIT || (r == 0 && !is_one_version(&before, &after, text.len))) {
		verify_suspect(findings, VERIFY_RULE_FILE_CHANGED, evidence->file, 0, "one version",
			       "it changed while it was read");
		return 0;
	}
	if (r < 0) {
		verify_suspect(findings, VERIFY_RULE_FILE_MISSING, evidence->file, 0,
			       "a file that can be read", "it cannot be read");
		return 0;
	}
	r = seal_bytes_append(out, text.data, text.len, err);
	return r < 0 ? r : 1;
}

/* ---- Tables of the kernel ---- */

static int
read_once(struct seal_bytes *text, int fd, size_t max, struct seal_err *err)
{
	seal_bytes_reset(text);
	if (lseek(fd, 0, SEEK_SET) != 0)
		return seal_fail(err, SEAL_E_CLOSED, "cannot begin anew: %s", strerror(errno));
	return read_all(text, fd, max, err);
}

static bool
are_equal(const struct seal_bytes *a, const struct seal_bytes *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* 1: both are what the file says; 0: it never says the same twice. */
static int
read_until_equal(int fd, size_t max, struct seal_bytes readings[static 2], struct seal_err *err)
{
	int r = read_once(&readings[0], fd, max, err);

	for (unsigned i = 1; r == 0 && i < MAX_READINGS; i++) {
		r = read_once(&readings[i % 2], fd, max, err);
		if (r == 0 && are_equal(&readings[0], &readings[1]))
			return 1;
	}
	return r;
}

int
verify_evidence_read_table(int fd, const char *file, size_t max, struct verify_findings *findings,
			   struct seal_bytes *out, struct seal_err *err)
{
	struct seal_bytes readings[] = { SEAL_BYTES(max + 2), SEAL_BYTES(max + 2) };
	struct seal_err why = { 0 };
	int r = read_until_equal(fd, max, readings, &why);

	if (r == 1) {
		r = seal_bytes_append(out, readings[0].data, readings[0].len, err);
		r = r < 0 ? r : 1;
	} else if (r == 0) {
		/* No file that kubelet is about to replace: who mounts without end hides something. */
		verify_suspect(findings, VERIFY_RULE_MOUNT_FORMAT, file, 0, "one version",
			       "another each time it is read");
	} else if (r == SEAL_E_LIMIT) {
		verify_suspect(findings, VERIFY_RULE_FILE_SIZE, file, 0,
			       "no more than such a file can have", "more than %zu bytes", max);
		r = 0;
	} else if (r == SEAL_E_MEMORY || r == SEAL_E_SYSTEM) {
		r = seal_fail(err, r, "'%s': %s", file, why.text);
	} else {
		verify_suspect(findings, VERIFY_RULE_FILE_MISSING, file, 0,
			       "a file that can be read", "%s", why.text);
		r = 0;
	}
	seal_bytes_release(&readings[0]);
	seal_bytes_release(&readings[1]);
	return r;
}
