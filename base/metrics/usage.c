/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, descriptors and processor time of this process, from proc(5) and the clocks.  Metrics are
 * worth having, not worth failing for: what is not there is left out.
 */
#include "base/metrics/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"

#define STATM_MAX 128 /* seven numbers */

struct seal_usage_source {
	int statm; /* -1: not to be had */
	DIR *fds;  /* NULL: not to be had */
};

struct seal_usage_source *
seal_usage_open(void)
{
	struct seal_usage_source *source = calloc(1, sizeof(*source));
	int fd;

	if (source == NULL)
		return NULL;
	source->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		source->fds = fdopendir(fd);
	if (source->fds == NULL)
		seal_close(fd);
	return source;
}

void
seal_usage_close(struct seal_usage_source *source)
{
	if (source == NULL)
		return;
	seal_close(source->statm);
	if (source->fds != NULL)
		(void)closedir(source->fds); /* it was only read */
	free(source);
}

/* "size resident shared ...", in pages. */
static void
read_memory(int fd, struct seal_usage *usage)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char text[STATM_MAX];
	char *end;
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return;
	text[n] = '\0';
	usage->virtual_bytes = strtoull(text, &end, 10) * page;
	if (*end != ' ')
		return;
	usage->resident_bytes = strtoull(end + 1, &end, 10) * page;
	usage->has_memory = *end == ' ';
}

static void
read_fds(DIR *fds, struct seal_usage *usage)
{
	const struct dirent *entry;
	struct rlimit limit;

	if (fds == NULL || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	rewinddir(fds);
	while ((entry = readdir(fds)) != NULL)
		usage->open_fds += entry->d_name[0] != '.';
	usage->max_fds = limit.rlim_cur;
	usage->has_fds = usage->open_fds > 0;
}

void
seal_usage_read(struct seal_usage_source *source, struct seal_usage *ret_usage)
{
	struct timespec cpu = { 0 };

	*ret_usage = (struct seal_usage){ 0 };
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu); /* cannot fail for this clock */
	ret_usage->cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
	if (source == NULL)
		return;
	read_memory(source->statm, ret_usage);
	read_fds(source->fds, ret_usage);
}
