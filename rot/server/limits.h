/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_LIMITS_H
#define SEAL_ROT_LIMITS_H

/*
 * Rates: a bounded table of token buckets, one per name.  A bucket holds twice its rate; when the
 * table is full, the bucket that rested longest makes room.
 */

#include <stdint.h>

#include "base/err/err.h"

#define ROT_LIMITS_NAME_MAX 64

struct rot_limits;

/* At most capacity buckets that fill at rate tokens a second; rate 0 allows everything. */
SEAL_CHECKED int rot_limits_new(struct rot_limits **ret_limits, uint32_t capacity, uint32_t rate,
				struct seal_err *err);
void rot_limits_free(struct rot_limits *limits);

/*
 * Take a token from name's bucket at now_ms, a monotonic clock.  0: granted; otherwise the number of
 * whole seconds after which to ask again.
 */
unsigned rot_limits_take(struct rot_limits *limits, const char *name, uint64_t now_ms);

/* The name under which an address is counted: itself, or an IPv6 network of 64 bits. */
void rot_limits_address(const char *host, char name[static ROT_LIMITS_NAME_MAX]);

#endif
