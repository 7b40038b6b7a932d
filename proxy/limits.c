/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits from what there is.  The figures are upper bounds of what docs/performance.md measures, so
 * that a proxy in a small container refuses connections instead of being killed.
 */
#include "proxy/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs/fs.h"

/* Descriptors that are not for connections: listeners, health, status, renewal, names. */
#define RESERVED_DESCRIPTORS 32u
#define PER_CONNECTION       2u
/* The process at rest, and what a connection at rest and one in its handshake hold, rounded up. */
#define PROCESS_BYTES    (12ull * 1024 * 1024)
#define CONNECTION_BYTES (24ull * 1024)
#define HANDSHAKE_BYTES  (96ull * 1024)
#define MANY_CONNECTIONS 100000u
#define FEWEST           8u

/* The number in a file of the kernel's; 0 when there is none ("max"). */
static uint64_t
read_number(const char *path)
{
	SEAL_SCOPED(seal_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	uint64_t number = 0;

	if (len <= 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return seal_number_parse(text, 1, UINT64_MAX, &number, NULL) < 0 ? 0 : number;
}

/* The least limit of a control group and those above it, up to the mount. */
static uint64_t
least_of_groups(const char *mount, char *group, const char *file)
{
	uint64_t least = 0;

	for (;;) {
		char path[1024];
		uint64_t limit;
		char *slash;

		/* A path too long to be written is no path of ours: the number is missing. */
		(void)snprintf(path, sizeof(path), "%s%s/%s", mount, group, file);
		limit = read_number(path);
		if (limit != 0 && (least == 0 || limit < least))
			least = limit;
		slash = strrchr(group, '/');
		if (slash == NULL)
			return least;
		*slash = '\0';
	}
}

/* cgroups(7): "0::/path" is version 2, "N:memory:/path" version 1. */
static uint64_t
memory_limit(void)
{
	uint64_t least = 0;
	char line[512];
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *controllers = strchr(line, ':');
		char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
		uint64_t limit = 0;

		if (group == NULL)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (controllers[1] == '\0')
			limit = least_of_groups("/sys/fs/cgroup", group, "memory.max");
		else if (strcmp(controllers + 1, "memory") == 0)
			limit = least_of_groups("/sys/fs/cgroup/memory", group,
						"memory.limit_in_bytes");
		if (limit != 0 && (least == 0 || limit < least))
			least = limit;
	}
	if (file != NULL)
		(void)fclose(file); /* only read */
	return least;
}

void
proxy_room_measure(struct proxy_room *ret_room)
{
	struct rlimit limit;

	*ret_room = (struct proxy_room){ .memory = memory_limit() };
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		ret_room->descriptors = limit.rlim_cur;
}

static uint64_t
at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static uint64_t
at_least(uint64_t value, uint64_t least)
{
	return value > least ? value : least;
}

/* What the descriptors hold is a fact: more than that is never promised. */
static uint32_t
fit_connections(uint32_t wanted, const struct proxy_room *room)
{
	uint64_t most = MANY_CONNECTIONS;
	uint64_t fit = UINT32_MAX;

	if (room->memory != 0)
		most = at_most(most, room->memory > PROCESS_BYTES
					     ? (room->memory - PROCESS_BYTES) / CONNECTION_BYTES
					     : 0);
	if (room->descriptors != 0)
		fit = room->descriptors > RESERVED_DESCRIPTORS
			      ? (room->descriptors - RESERVED_DESCRIPTORS) / PER_CONNECTION
			      : 0;
	fit = at_most(at_least(fit, FEWEST), UINT32_MAX);
	if (wanted == PROXY_LIMIT_UNSET)
		return (uint32_t)at_least(at_most(most, fit), FEWEST);
	return (uint32_t)(wanted == 0 ? fit : at_most(wanted, fit));
}

struct proxy_limits
proxy_limits_fit(const struct proxy_limits *wanted, const struct proxy_room *room)
{
	struct proxy_limits limits = *wanted;
	uint64_t memory = room->memory;

	limits.connections = fit_connections(wanted->connections, room);
	if (limits.handshakes == PROXY_LIMIT_UNSET)
		limits.handshakes =
			memory == 0 ? PROXY_HANDSHAKES
				    : (uint32_t)at_least(at_most(memory / 4 / HANDSHAKE_BYTES,
								 PROXY_HANDSHAKES),
							 FEWEST);
	if (limits.memory == PROXY_LIMIT_UNSET_BYTES)
		limits.memory = memory == 0 ? PROXY_MEMORY : at_most(memory / 4, PROXY_MEMORY);
	if (limits.per_peer == PROXY_LIMIT_UNSET)
		limits.per_peer = 0;
	if (limits.per_source == PROXY_LIMIT_UNSET)
		limits.per_source = 0;
	return limits;
}
