/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's write-ahead log, looked at before SQLite does.  SQLite ends a log at the first frame that is not as it
 * should be, and goes on without what is behind it: right for the one transaction that a crash has torn, which nobody
 * was told of; but a byte that changed on the disk takes every later transaction with it, in silence.  Each of those
 * has a frame that commits it: more than one of them behind the end is such a log.
 *
 * What changed within the last transaction cannot be told from a crash.  Of the log's form: "WAL-mode File Format" in
 * SQLite's documentation.
 */

#include "rot/kv/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"

#define MAGIC      0x377f0682u /* and one more: sums of big endian words */
#define HEAD_LEN   32
#define FRAME_HEAD 24
#define PAGE_MIN   512u
#define PAGE_MAX   65536u

struct log {
	int fd;
	bool big;
	uint32_t page;
	uint32_t salt[2];
	uint32_t sum[2];
	uint8_t *frame;
};

static void
release(struct log *log)
{
	if (log->fd >= 0)
		seal_close(log->fd);
	free(log->frame);
}

static uint32_t
big_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t
word_at(const struct log *log, const uint8_t *at)
{
	if (log->big)
		return big_at(at);
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void
add_up(const struct log *log, const uint8_t *data, size_t len, uint32_t sum[static 2])
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		sum[0] += word_at(log, data + i) + sum[1];
		sum[1] += word_at(log, data + i + 4) + sum[0];
	}
}

static int
fail_damaged(const char *name, struct seal_err *err)
{
	return seal_fail(
		err, SEAL_E_SYSTEM,
		"the store is damaged, restore a backup: acknowledged changes in its log %s "
		"cannot be read",
		name);
}

static bool
is_blank(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != 0)
			return false;
	}
	return true;
}

/* 1: there are frames to be read; 0: there is nothing in it. */
static int
read_head(struct log *log, const char *name, struct seal_err *err)
{
	uint8_t head[HEAD_LEN];
	uint32_t sum[2] = { 0, 0 };
	ssize_t len = pread(log->fd, head, sizeof(head), 0);

	if (len < 0)
		return seal_fail_errno(err, errno, "%s", name);
	if (len < HEAD_LEN || is_blank(head, sizeof(head)))
		return 0;
	log->big = (big_at(head) & 1) != 0;
	log->page = big_at(head + 8);
	add_up(log, head, HEAD_LEN - 8, sum);
	if ((big_at(head) & ~1u) != MAGIC || sum[0] != big_at(head + 24) ||
	    sum[1] != big_at(head + 28) || log->page < PAGE_MIN || log->page > PAGE_MAX)
		return fail_damaged(name, err);
	for (unsigned i = 0; i < 2; i++) {
		log->salt[i] = big_at(head + 16 + 4 * i);
		log->sum[i] = sum[i];
	}
	return 1;
}

static bool
is_ours(const struct log *log)
{
	return big_at(log->frame + 8) == log->salt[0] && big_at(log->frame + 12) == log->salt[1];
}

static bool
is_commit(const struct log *log)
{
	return is_ours(log) && big_at(log->frame + 4) != 0;
}

/* Does the frame go on from the one before? */
static bool
goes_on(struct log *log)
{
	uint32_t sum[2] = { log->sum[0], log->sum[1] };

	add_up(log, log->frame, 8, sum);
	add_up(log, log->frame + FRAME_HEAD, log->page, sum);
	if (!is_ours(log) || sum[0] != big_at(log->frame + 16) || sum[1] != big_at(log->frame + 20))
		return false;
	log->sum[0] = sum[0];
	log->sum[1] = sum[1];
	return true;
}

static int
read_frames(struct log *log, const char *name, struct seal_err *err)
{
	size_t size = FRAME_HEAD + log->page;
	off_t at = HEAD_LEN;
	unsigned lost = 0;
	bool ended = false;
	ssize_t len;

	log->frame = malloc(size);
	if (log->frame == NULL)
		return seal_fail_memory(err);
	while ((len = pread(log->fd, log->frame, size, at)) == (ssize_t)size) {
		ended = ended || !goes_on(log);
		lost += ended && is_commit(log);
		at += (off_t)size;
	}
	if (len < 0)
		return seal_fail_errno(err, errno, "%s", name);
	return lost > 1 ? fail_damaged(name, err) : 0;
}

int
rot_log_check(const char *path, struct seal_err *err)
{
	SEAL_SCOPED(release) struct log log = { .fd = -1 };
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s-wal", path);
	int r;

	if (n < 0 || (size_t)n >= sizeof(name))
		return seal_fail(err, SEAL_E_LIMIT, "the path of the store is too long");
	log.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (log.fd < 0)
		return errno == ENOENT ? 0 : seal_fail_errno(err, errno, "%s", name);
	r = read_head(&log, name, err);
	return r == 1 ? read_frames(&log, name, err) : r;
}
