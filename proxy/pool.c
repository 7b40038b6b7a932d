/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which target next.  Knows targets, their connections and whether they answered; does not know how
 * one connects to them (dial.c), nor where their addresses come from (pool_names.c).
 *
 *               failed                       its time is up
 *   HEALTHY ──────────────▶ OUT (1 s to 30 s) ─────────────▶ DUE: one connection tries it
 *      ▲                     ▲                                │ │
 *      │                     └───────── failed: twice the time┘ │
 *      └──────────────────────────────── succeeded ─────────────┘
 */
#include "proxy/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/log/log.h"
#include "proxy/pool_internal.h"

/* Lines per target and second. */
#define LOG_BURST 2

_Static_assert(PROXY_MAX_TARGETS <= 32, "a set of targets is a uint32_t");

struct target {
	struct seal_endpoint endpoint;
	struct seal_addresses *fixed; /* of a literal or a path; else NULL */
	struct proxy_names *names;    /* of a name; else NULL */
	uint32_t connections;
	uint64_t failures;
	uint64_t out_ms; /* 0: healthy */
	uint64_t out_until_ms;
	bool on_trial; /* one connection is finding out */
	struct seal_log_limit limit;
};

struct proxy_pool {
	unsigned refs;
	struct seal_loop *loop;
	size_t count;
	size_t next; /* where to begin, so that equals take turns */
	struct target targets[];
};

static int
init_target(struct proxy_pool *pool, struct target *target, const struct seal_endpoint *endpoint,
	    struct seal_err *err)
{
	struct seal_err ignored = { 0 };
	struct sockaddr_storage addr;
	socklen_t len;

	target->endpoint = *endpoint;
	if (seal_endpoint_addr(endpoint, &addr, &len, &ignored) < 0 && !endpoint->is_unix)
		return proxy_names_new(&target->names, pool, pool->loop, &target->endpoint, err);
	if (ignored.code < 0) /* a path that fits no socket address */
		return seal_fail(err, ignored.code, "%s", ignored.text);
	target->fixed = calloc(1, sizeof(*target->fixed));
	if (target->fixed == NULL)
		return seal_fail_memory(err);
	target->fixed->at[0] = addr;
	target->fixed->count = 1;
	return 0;
}

int
proxy_pool_new(struct proxy_pool **ret_pool, struct seal_loop *loop,
	       const struct seal_endpoint *targets, size_t target_count, struct seal_err *err)
{
	struct proxy_pool *pool;
	int r;

	if (target_count == 0 || target_count > PROXY_MAX_TARGETS)
		return seal_fail(err, SEAL_E_LIMIT, "a listener has 1 to %d targets",
				 PROXY_MAX_TARGETS);
	pool = calloc(1, sizeof(*pool) + target_count * sizeof(pool->targets[0]));
	if (pool == NULL)
		return seal_fail_memory(err);
	pool->refs = 1;
	pool->loop = loop;
	pool->count = target_count;
	for (size_t i = 0; i < target_count; i++) {
		r = init_target(pool, &pool->targets[i], &targets[i], err);
		if (r < 0) {
			proxy_pool_unref(pool);
			return r;
		}
	}
	*ret_pool = pool;
	return 0;
}

struct proxy_pool *
proxy_pool_ref(struct proxy_pool *pool)
{
	pool->refs++;
	return pool;
}

void
proxy_pool_unref(struct proxy_pool *pool)
{
	if (pool == NULL || --pool->refs > 0)
		return;
	for (size_t i = 0; i < pool->count; i++) {
		proxy_names_free(pool->targets[i].names);
		free(pool->targets[i].fixed);
	}
	free(pool);
}

/* Lower is better: first who is to be tried again, then who answers, then who does not. */
enum rank { RANK_DUE, RANK_HEALTHY, RANK_OUT };

static enum rank
rank_of(const struct target *target, uint64_t now)
{
	if (target->out_ms == 0)
		return RANK_HEALTHY;
	return now >= target->out_until_ms && !target->on_trial ? RANK_DUE : RANK_OUT;
}

/* Among the healthy fewer connections are better, among the others whose time is up earlier. */
static bool
is_better(const struct target *a, const struct target *b, uint64_t now)
{
	enum rank rank_a = rank_of(a, now);
	enum rank rank_b = rank_of(b, now);

	if (rank_a != rank_b)
		return rank_a < rank_b;
	if (rank_a == RANK_HEALTHY)
		return a->connections < b->connections;
	return a->out_until_ms < b->out_until_ms;
}

bool
proxy_pool_choose(struct proxy_pool *pool, uint32_t tried, unsigned *ret_target)
{
	uint64_t now = seal_loop_now_ms(pool->loop);
	struct target *best = NULL;

	for (size_t i = 0; i < pool->count; i++) {
		size_t at = (pool->next + i) % pool->count;
		struct target *target = &pool->targets[at];

		if ((tried & (UINT32_C(1) << at)) == 0 &&
		    (best == NULL || is_better(target, best, now)))
			best = target;
	}
	if (best == NULL)
		return false;
	if (rank_of(best, now) == RANK_DUE)
		best->on_trial = true;
	best->connections++;
	*ret_target = (unsigned)(best - pool->targets);
	pool->next = *ret_target + 1u;
	return true;
}

void
proxy_pool_release(struct proxy_pool *pool, unsigned target)
{
	struct target *at = &pool->targets[target];

	at->connections--;
	/*
	 * Perhaps it was another one that ended.  Then there may be a second trial, which is better than
	 * none ever again after one that was given up.
	 */
	at->on_trial = false;
}

void
proxy_pool_put_back(struct proxy_pool *pool, unsigned target)
{
	proxy_pool_release(pool, target);
	pool->next = target;
}

static void
log_change(struct target *target, bool up, const char *why)
{
	char text[SEAL_HOSTNAME_MAX + 16];
	uint64_t missed;

	if (!seal_log_may(&target->limit, LOG_BURST, &missed))
		return;
	seal_endpoint_format(&target->endpoint, text);
	if (up)
		seal_log(SEAL_LOG_NOTICE, "target_up", SEAL_STR("target", text),
			 SEAL_U64("failures", target->failures), SEAL_U64("missed", missed));
	else
		seal_log(SEAL_LOG_WARN, "target_down", SEAL_STR("target", text),
			 SEAL_STR("reason", why), SEAL_U64("missed", missed));
}

void
proxy_pool_succeeded(struct proxy_pool *pool, unsigned target)
{
	struct target *at = &pool->targets[target];

	at->on_trial = false;
	if (at->out_ms == 0)
		return;
	at->out_ms = 0;
	log_change(at, true, NULL);
}

void
proxy_pool_blame(struct proxy_pool *pool, unsigned target, const char *why)
{
	struct target *at = &pool->targets[target];
	uint64_t now = seal_loop_now_ms(pool->loop);
	bool was_healthy = at->out_ms == 0;

	at->failures++;
	at->on_trial = false;
	if (at->names != NULL)
		proxy_names_doubt(at->names);
	/* Many connections that fail together are one failure. */
	if (!was_healthy && now < at->out_until_ms)
		return;
	at->out_ms = was_healthy ? PROXY_POOL_OUT_MIN_MS : at->out_ms * 2;
	if (at->out_ms > PROXY_POOL_OUT_MAX_MS)
		at->out_ms = PROXY_POOL_OUT_MAX_MS;
	at->out_until_ms = now + at->out_ms;
	if (was_healthy)
		log_change(at, false, why);
}

void
proxy_pool_failed(struct proxy_pool *pool, unsigned target)
{
	proxy_pool_blame(pool, target, "refused after connecting");
}

size_t
proxy_pool_count(const struct proxy_pool *pool)
{
	return pool->count;
}

const struct seal_endpoint *
proxy_pool_endpoint(const struct proxy_pool *pool, unsigned target)
{
	return &pool->targets[target].endpoint;
}

bool
proxy_pool_is_healthy(const struct proxy_pool *pool, unsigned target)
{
	return pool->targets[target].out_ms == 0;
}

void
proxy_pool_status(const struct proxy_pool *pool, unsigned target,
		  struct proxy_target_status *ret_status)
{
	const struct target *at = &pool->targets[target];

	*ret_status = (struct proxy_target_status){
		.endpoint = &at->endpoint,
		.connections = at->connections,
		.failures = at->failures,
		.healthy = at->out_ms == 0,
	};
}

int
proxy_pool_addresses(struct proxy_pool *pool, unsigned target, struct proxy_wait *wait,
		     struct seal_addresses *ret_addresses, struct seal_err *err)
{
	struct target *at = &pool->targets[target];

	if (at->names != NULL)
		return proxy_names_get(at->names, wait, ret_addresses, err);
	ret_addresses->at[0] = at->fixed->at[0];
	ret_addresses->count = 1;
	ret_addresses->ttl_s = 0;
	return 0;
}

bool
proxy_pool_old_addresses(struct proxy_pool *pool, unsigned target,
			 struct seal_addresses *ret_addresses)
{
	struct proxy_names *names = pool->targets[target].names;

	return names != NULL && proxy_names_get_old(names, ret_addresses);
}
