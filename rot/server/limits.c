/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets in a table of fixed size: hash chains to find them, one list in order of use to
 * choose whose place is taken.  All memory is there from the start; nothing a peer does makes it
 * grow.
 */

#include "rot/server/limits.h"

#include <arpa/inet.h>

#include "base/crypto/crypto.h"

#define NONE  UINT32_MAX
#define TOKEN 1000u /* tokens are counted in thousandths: one millisecond at one per second */
#define DEPTH 2u    /* a bucket holds so many seconds' worth */

struct bucket {
	char name[ROT_LIMITS_NAME_MAX];
	uint64_t tokens; /* thousandths */
	uint64_t filled_ms;
	uint32_t next; /* in the hash chain */
	uint32_t newer, older;
};

struct rot_limits {
	uint32_t capacity;
	uint32_t rate;
	uint32_t used;
	uint32_t newest, oldest;
	uint64_t salt; /* so that nobody can aim at one chain */
	uint32_t *chains;
	struct bucket *buckets;
};

int
rot_limits_new(struct rot_limits **ret_limits, uint32_t capacity, uint32_t rate,
	       struct seal_err *err)
{
	struct rot_limits *limits = calloc(1, sizeof(*limits));
	int r;

	if (limits == NULL)
		return seal_fail_memory(err);
	limits->capacity = capacity;
	limits->rate = rate;
	limits->newest = limits->oldest = NONE;
	limits->chains = calloc(capacity, sizeof(*limits->chains));
	limits->buckets = calloc(capacity, sizeof(*limits->buckets));
	if (limits->chains == NULL || limits->buckets == NULL)
		r = seal_fail_memory(err);
	else
		r = seal_random(&limits->salt, sizeof(limits->salt), err);
	if (r < 0) {
		rot_limits_free(limits);
		return r;
	}
	memset(limits->chains, 0xff, capacity * sizeof(*limits->chains)); /* all NONE */
	*ret_limits = limits;
	return 0;
}

void
rot_limits_free(struct rot_limits *limits)
{
	if (limits == NULL)
		return;
	free(limits->chains);
	free(limits->buckets);
	free(limits);
}

/* FNV-1a, salted: cheap, and its order is unknown outside. */
static uint32_t *
chain_of(struct rot_limits *limits, const char *name)
{
	uint64_t hash = limits->salt ^ UINT64_C(0xcbf29ce484222325);

	for (const char *at = name; *at != '\0'; at++)
		hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return &limits->chains[hash % limits->capacity];
}

static uint32_t
find(struct rot_limits *limits, const char *name)
{
	uint32_t at = *chain_of(limits, name);

	while (at != NONE && strcmp(limits->buckets[at].name, name) != 0)
		at = limits->buckets[at].next;
	return at;
}

static void
unlist(struct rot_limits *limits, uint32_t at)
{
	struct bucket *bucket = &limits->buckets[at];

	if (bucket->newer != NONE)
		limits->buckets[bucket->newer].older = bucket->older;
	else
		limits->newest = bucket->older;
	if (bucket->older != NONE)
		limits->buckets[bucket->older].newer = bucket->newer;
	else
		limits->oldest = bucket->newer;
}

static void
list_newest(struct rot_limits *limits, uint32_t at)
{
	struct bucket *bucket = &limits->buckets[at];

	bucket->newer = NONE;
	bucket->older = limits->newest;
	if (limits->newest != NONE)
		limits->buckets[limits->newest].newer = at;
	else
		limits->oldest = at;
	limits->newest = at;
}

static void
unchain(struct rot_limits *limits, uint32_t at)
{
	uint32_t *link = chain_of(limits, limits->buckets[at].name);

	while (*link != at)
		link = &limits->buckets[*link].next;
	*link = limits->buckets[at].next;
}

/* A free bucket, or the one that rested longest. */
static uint32_t
claim(struct rot_limits *limits)
{
	uint32_t at = limits->oldest;

	if (limits->used < limits->capacity)
		return limits->used++;
	unchain(limits, at);
	unlist(limits, at);
	return at;
}

static uint32_t
add(struct rot_limits *limits, const char *name, uint64_t now_ms)
{
	uint32_t at = claim(limits);
	struct bucket *bucket = &limits->buckets[at];
	uint32_t *chain;

	(void)snprintf(bucket->name, sizeof(bucket->name), "%s", name);
	bucket->tokens = (uint64_t)DEPTH * limits->rate * TOKEN;
	bucket->filled_ms = now_ms;
	chain = chain_of(limits, bucket->name);
	bucket->next = *chain;
	*chain = at;
	list_newest(limits, at);
	return at;
}

static void
refill(const struct rot_limits *limits, struct bucket *bucket, uint64_t now_ms)
{
	uint64_t full = (uint64_t)DEPTH * limits->rate * TOKEN;
	uint64_t passed = now_ms > bucket->filled_ms ? now_ms - bucket->filled_ms : 0;

	if (passed >= DEPTH * 1000u)
		bucket->tokens = full;
	else
		bucket->tokens += passed * limits->rate;
	if (bucket->tokens > full)
		bucket->tokens = full;
	bucket->filled_ms = now_ms;
}

unsigned
rot_limits_take(struct rot_limits *limits, const char *name, uint64_t now_ms)
{
	struct bucket *bucket;
	uint64_t missing;
	uint32_t at;

	if (limits->rate == 0)
		return 0;
	at = find(limits, name);
	if (at == NONE) {
		at = add(limits, name, now_ms);
	} else {
		unlist(limits, at);
		list_newest(limits, at);
	}
	bucket = &limits->buckets[at];
	refill(limits, bucket, now_ms);
	if (bucket->tokens >= TOKEN) {
		bucket->tokens -= TOKEN;
		return 0;
	}
	missing = (TOKEN - bucket->tokens) / limits->rate; /* milliseconds */
	return (unsigned)(missing / 1000) + 1;
}

void
rot_limits_address(const char *host, char name[static ROT_LIMITS_NAME_MAX])
{
	struct in6_addr addr;
	char text[INET6_ADDRSTRLEN];

	(void)snprintf(name, ROT_LIMITS_NAME_MAX, "%s", host);
	if (inet_pton(AF_INET6, host, &addr) != 1 || IN6_IS_ADDR_V4MAPPED(&addr))
		return;
	/* One customer owns a whole /64 (RFC 6177): counting single addresses would count nobody. */
	memset(&addr.s6_addr[8], 0, 8);
	if (inet_ntop(AF_INET6, &addr, text, sizeof(text)) != NULL)
		(void)snprintf(name, ROT_LIMITS_NAME_MAX, "%s/64", text);
}
