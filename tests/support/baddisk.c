/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails now and then, for a program that is started with LD_PRELOAD: files whose name has ".db" in it.  How
 * often, in millionths of the calls, is read from a file of five 32-bit numbers, which may be changed at any time:
 *
 *   reads that fail | writes that fail | syncs that fail | reads with a bit changed | errno of the failures
 *
 *   BADDISK  that file
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { READ, WRITE, SYNC, FLIP, ERRNO, COUNT };

static volatile uint32_t *control;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
find_control(void)
{
	const char *path = getenv("BADDISK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, COUNT * sizeof(uint32_t), PROT_READ, MAP_SHARED, fd, 0)
			   : MAP_FAILED;

	if (at != MAP_FAILED)
		control = at;
	if (fd >= 0)
		(void)close(fd);
}

static uint32_t
dice(void)
{
	uint32_t value = 0;

	return getrandom(&value, sizeof(value), 0) == (ssize_t)sizeof(value) ? value : 0;
}

static int
falls_on(int fd, int what)
{
	char link[64], name[4096];
	ssize_t len;

	(void)pthread_once(&once, find_control);
	if (control == NULL || control[what] == 0)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, sizeof(name) - 1);
	if (len <= 0)
		return 0;
	name[len] = '\0';
	return strstr(name, ".db") != NULL && dice() % 1000000u < control[what];
}

static int
fails(int fd, int what)
{
	if (!falls_on(fd, what))
		return 0;
	errno = (int)control[ERRNO];
	return 1;
}

/* The function that we stand before. */
static void *
next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	return found;
}

static ssize_t
spoil(int fd, void *data, ssize_t got)
{
	if (got > 0 && falls_on(fd, FLIP))
		((uint8_t *)data)[dice() % (size_t)got] ^= (uint8_t)(1u << dice() % 8);
	return got;
}

#define READER(name, type)                                                                         \
	ssize_t name(int fd, void *data, size_t len, type at)                                      \
	{                                                                                          \
		ssize_t (*real)(int, void *, size_t, type) = next(#name);                          \
                                                                                                   \
		return fails(fd, READ) ? -1 : spoil(fd, data, real(fd, data, len, at));            \
	}
#define WRITER(name, type)                                                                         \
	ssize_t name(int fd, const void *data, size_t len, type at)                                \
	{                                                                                          \
		ssize_t (*real)(int, const void *, size_t, type) = next(#name);                    \
                                                                                                   \
		return fails(fd, WRITE) ? -1 : real(fd, data, len, at);                            \
	}
#define SYNCER(name)                                                                               \
	int name(int fd)                                                                           \
	{                                                                                          \
		int (*real)(int) = next(#name);                                                    \
                                                                                                   \
		return fails(fd, SYNC) ? -1 : real(fd);                                            \
	}

READER(pread, off_t)
READER(pread64, off64_t)
WRITER(pwrite, off_t)
WRITER(pwrite64, off64_t)
SYNCER(fsync)
SYNCER(fdatasync)
