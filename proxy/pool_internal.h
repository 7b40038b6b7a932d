/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_POOL_INTERNAL_H
#define SEAL_PROXY_POOL_INTERNAL_H

/*
 * What a pool offers to dial besides pool.h: the addresses of its targets, and failures with their
 * reason.
 *
 * Addresses of a name are kept for their time to live.  While a new answer is awaited and when none
 * comes, the old ones still serve for a while (RFC 8767): a name server that is away does not take the
 * targets with it.  Equal questions of many connections are one question, and a failure is an answer
 * for a moment too.
 */

#include "proxy/pool.h"
#include "proxy/proxy.h"

/* For how long addresses serve beyond their time to live, when no new ones are to be had. */
#define PROXY_NAMES_STALE_MS (5u * 60 * 1000)
/* A name that was asked for is not asked for again within this time. */
#define PROXY_NAMES_AGAIN_MS 1000

/* A place in the queue for an answer; belongs to who waits.  All zero: not in a queue. */
struct proxy_wait {
	struct proxy_wait *prev;
	struct proxy_wait *next;
	void (*fn)(void *arg); /* called once, from the loop: ask again now */
	void *arg;
};

/*
 * The addresses of a target, several ones of a family in turns: each call begins with the next one.
 * 0, or a failure that says why there are none, or PROXY_NAMES_WAIT: they have been asked for, and
 * wait->fn will be called.
 */
#define PROXY_NAMES_WAIT 1
SEAL_CHECKED int proxy_pool_addresses(struct proxy_pool *pool, unsigned target,
				      struct proxy_wait *wait, struct seal_addresses *ret_addresses,
				      struct seal_err *err);
/* Leave the queue. */
void proxy_wait_cancel(struct proxy_wait *wait);
/* Are there old addresses to go on with, for who does not want to wait any longer? */
bool proxy_pool_old_addresses(struct proxy_pool *pool, unsigned target,
			      struct seal_addresses *ret_addresses);

/* As if it had not been chosen: it is still its turn. */
void proxy_pool_put_back(struct proxy_pool *pool, unsigned target);
/* proxy_pool_failed, with what happened. */
void proxy_pool_blame(struct proxy_pool *pool, unsigned target, const char *why);
/* Does the target answer, as far as is known? */
bool proxy_pool_is_healthy(const struct proxy_pool *pool, unsigned target);

/* The addresses of one name (pool_names.c). */
struct proxy_names;
SEAL_CHECKED int proxy_names_new(struct proxy_names **ret_names, struct proxy_pool *pool,
				 struct seal_loop *loop, const struct seal_endpoint *endpoint,
				 struct seal_err *err);
void proxy_names_free(struct proxy_names *names);
SEAL_CHECKED int proxy_names_get(struct proxy_names *names, struct proxy_wait *wait,
				 struct seal_addresses *ret_addresses, struct seal_err *err);
bool proxy_names_get_old(struct proxy_names *names, struct seal_addresses *ret_addresses);
/* They may be wrong: ask again as soon as is decent. */
void proxy_names_doubt(struct proxy_names *names);

#endif
