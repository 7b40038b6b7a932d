/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of one name: kept for their time to live, asked for once however many wait, and used
 * beyond their time when no new ones are to be had.
 *
 *   wanted ─▶ fresh? ─yes─▶ given
 *               │ no
 *               ▼
 *             ask, at most once a second ─▶ the answer comes ─▶ all who wait are told to ask again
 *               │ the last answer was a failure, and old addresses are there
 *               └──▶ the old ones are given meanwhile
 */
#include <stdlib.h>

#include "base/loop/loop.h"
#include "proxy/pool_internal.h"

struct proxy_names {
	struct proxy_pool *pool;
	struct seal_loop *loop;
	const struct seal_endpoint *endpoint;
	struct seal_resolve *question; /* NULL: none under way */
	struct proxy_wait queue;       /* a ring; this is its head */
	struct seal_addresses found;   /* the last good answer */
	uint64_t fresh_until_ms;
	uint64_t ask_after_ms;
	unsigned turn;
	struct seal_err why; /* code 0: the last answer was a good one */
};

int
proxy_names_new(struct proxy_names **ret_names, struct proxy_pool *pool, struct seal_loop *loop,
		const struct seal_endpoint *endpoint, struct seal_err *err)
{
	struct proxy_names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return seal_fail_memory(err);
	names->pool = pool;
	names->loop = loop;
	names->endpoint = endpoint;
	names->queue.prev = &names->queue;
	names->queue.next = &names->queue;
	*ret_names = names;
	return 0;
}

/* Who waits holds the pool, so nobody does now. */
void
proxy_names_free(struct proxy_names *names)
{
	if (names == NULL)
		return;
	seal_resolve_free(names->question);
	free(names);
}

void
proxy_wait_cancel(struct proxy_wait *wait)
{
	if (wait->next == NULL)
		return;
	wait->prev->next = wait->next;
	wait->next->prev = wait->prev;
	wait->prev = NULL;
	wait->next = NULL;
}

static void
enqueue(struct proxy_names *names, struct proxy_wait *wait)
{
	wait->next = &names->queue;
	wait->prev = names->queue.prev;
	wait->prev->next = wait;
	wait->next->prev = wait;
}

/*
 * The queue is taken over first: who joins while we call waits for another answer.  What is called may
 * free anything, other waiters and the last reference but ours included.
 */
static void
wake_all(struct proxy_names *names)
{
	struct proxy_pool *pool = proxy_pool_ref(names->pool);
	struct proxy_wait ring = names->queue;

	if (names->queue.next != &names->queue) {
		ring.next->prev = &ring;
		ring.prev->next = &ring;
		names->queue.prev = &names->queue;
		names->queue.next = &names->queue;
		while (ring.next != &ring) {
			struct proxy_wait *wait = ring.next;

			proxy_wait_cancel(wait);
			wait->fn(wait->arg);
		}
	}
	proxy_pool_unref(pool);
}

static void
on_answer(void *arg, const struct seal_addresses *found, const char *why)
{
	struct proxy_names *names = arg;
	uint64_t now = seal_loop_now_ms(names->loop);

	names->ask_after_ms = now + PROXY_NAMES_AGAIN_MS;
	if (found->count > 0) {
		names->found = *found;
		names->fresh_until_ms =
			found->ttl_s == 0 ? UINT64_MAX : now + UINT64_C(1000) * found->ttl_s;
		names->why = (struct seal_err){ 0 };
	} else {
		(void)seal_fail(&names->why, SEAL_E_MISSING, "%s", why);
	}
	seal_resolve_free(SEAL_TAKE(names->question));
	wake_all(names); /* nobody, when the answer came while we were asking */
}

static void
ask(struct proxy_names *names)
{
	/* The answer may come at once, and the question is over then. */
	if (seal_resolve_new(&names->question, names->loop, names->endpoint->host,
			     names->endpoint->port, on_answer, names, &names->why) < 0)
		names->ask_after_ms = seal_loop_now_ms(names->loop) + PROXY_NAMES_AGAIN_MS;
}

static bool
is_fresh(const struct proxy_names *names, uint64_t now)
{
	return names->found.count > 0 && now < names->fresh_until_ms;
}

static bool
is_usable(const struct proxy_names *names, uint64_t now)
{
	return names->found.count > 0 &&
	       (now < names->fresh_until_ms || now - names->fresh_until_ms < PROXY_NAMES_STALE_MS);
}

/* The place of the next address of the same family, round and round. */
static unsigned
next_of_family(const struct seal_addresses *found, unsigned at)
{
	sa_family_t family = found->at[at].ss_family;

	do {
		at = (at + 1) % found->count;
	} while (found->at[at].ss_family != family);
	return at;
}

/*
 * Each place keeps its family, and the members of a family move on by one with every turn: targets
 * behind one name share the load, as with name servers that rotate their answers.
 */
static void
give(struct proxy_names *names, struct seal_addresses *ret_addresses)
{
	const struct seal_addresses *found = &names->found;
	unsigned turn = names->turn++;

	ret_addresses->count = found->count;
	ret_addresses->ttl_s = found->ttl_s;
	for (unsigned i = 0; i < found->count; i++) {
		unsigned members = 1; /* itself */
		unsigned from = i;

		for (unsigned k = 0; k < found->count; k++)
			members += k != i && found->at[k].ss_family == found->at[i].ss_family;
		for (unsigned n = turn % members; n > 0; n--)
			from = next_of_family(found, from);
		ret_addresses->at[i] = found->at[from];
	}
}

int
proxy_names_get(struct proxy_names *names, struct proxy_wait *wait,
		struct seal_addresses *ret_addresses, struct seal_err *err)
{
	uint64_t now = seal_loop_now_ms(names->loop);
	bool failing = names->why.code < 0;

	if (!is_fresh(names, now) && names->question == NULL && now >= names->ask_after_ms)
		ask(names);
	if (!is_fresh(names, now) && names->question != NULL &&
	    !(failing && is_usable(names, now))) {
		enqueue(names, wait);
		return PROXY_NAMES_WAIT;
	}
	if (is_usable(names, now)) {
		give(names, ret_addresses);
		return 0;
	}
	return seal_fail(err, names->why.code, "%s", names->why.text);
}

bool
proxy_names_get_old(struct proxy_names *names, struct seal_addresses *ret_addresses)
{
	if (!is_usable(names, seal_loop_now_ms(names->loop)))
		return false;
	give(names, ret_addresses);
	return true;
}

void
proxy_names_doubt(struct proxy_names *names)
{
	if (names->question == NULL && names->ask_after_ms < names->fresh_until_ms)
		names->fresh_until_ms = names->ask_after_ms;
}
