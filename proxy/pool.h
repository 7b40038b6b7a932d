/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_POOL_H
#define SEAL_PROXY_POOL_H

/*
 * The targets of one listener as they are now: how many connections each holds, whether it answered
 * last time, what its name resolves to.  Choice is by least connections among the healthy, in turn
 * among equals.  A target that fails is left out for a while that doubles with each failure
 * (passive health); when all are out, the one whose time is up first is tried rather than nobody.
 *
 * Reference counted: connections keep the pool they were dialled from.  Belongs to the loop's thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"

struct proxy_pool;

/* How long a target is left out after its first failure, and at most. */
#define PROXY_POOL_OUT_MIN_MS 1000
#define PROXY_POOL_OUT_MAX_MS 30000

/* targets are copied; at most PROXY_MAX_TARGETS. */
SEAL_CHECKED int proxy_pool_new(struct proxy_pool **ret_pool, struct seal_loop *loop,
				const struct seal_endpoint *targets, size_t target_count,
				struct seal_err *err);
struct proxy_pool *proxy_pool_ref(struct proxy_pool *pool);
void proxy_pool_unref(struct proxy_pool *pool);

/*
 * Choose a target not in the set tried (bit i: target i) and count a connection for it.  False when
 * all have been tried.
 */
bool proxy_pool_choose(struct proxy_pool *pool, uint32_t tried, unsigned *ret_target);
/* The connection counted by choose has ended, or was never made. */
void proxy_pool_release(struct proxy_pool *pool, unsigned target);
/*
 * The target served, or did not.  After a failure its name is soon asked for again, whatever the time
 * to live of its addresses: a target that moved is found.
 */
void proxy_pool_succeeded(struct proxy_pool *pool, unsigned target);
void proxy_pool_failed(struct proxy_pool *pool, unsigned target);

size_t proxy_pool_count(const struct proxy_pool *pool);
const struct seal_endpoint *proxy_pool_endpoint(const struct proxy_pool *pool, unsigned target);

/* For status and metrics. */
struct proxy_target_status {
	const struct seal_endpoint *endpoint;
	uint32_t connections;
	uint64_t failures; /* since the start */
	bool healthy;
};
void proxy_pool_status(const struct proxy_pool *pool, unsigned target,
		       struct proxy_target_status *ret_status);

#endif
