/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_LIMITS_H
#define SEAL_PROXY_LIMITS_H

/*
 * What the configured limits come to on this machine: what was left open is derived from the
 * descriptors and the memory there are, and nothing is promised that they do not hold.
 */

#include <stdint.h>

#include "proxy/proxy.h"

/* 0: unknown, or no limit. */
struct proxy_room {
	uint64_t descriptors; /* RLIMIT_NOFILE */
	uint64_t memory;      /* of the control group, bytes */
};

void proxy_room_measure(struct proxy_room *ret_room);
struct proxy_limits proxy_limits_fit(const struct proxy_limits *wanted,
				     const struct proxy_room *room);

#endif
