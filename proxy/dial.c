/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dial: a walk over the targets of a pool and, within each, a race of its addresses, which is race.c's.
 *
 *            ┌──────────────── all were tried: PAUSE ◀───────────────┐
 *            ▼                                                       │
 *   next target ─a name─▶ NAMES ─addresses─▶ RACE ─one connects─▶ reported
 *        ▲                  │ no answer       │ all failed, or the target's time is up
 *        └──────────────────┴─────────────────┘
 *
 * The first attempt starts at once; a failure that is known before proxy_dial_new returns waits for the
 * timer, so that the caller has its handle first.  What a target did wrong is told to the pool; what we
 * ran out of is not its fault.
 */
#include "proxy/dial.h"

#include <poll.h>
#include <stdlib.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "proxy/pool_internal.h"
#include "proxy/race.h"

/* How long a new answer is waited for when an old one is there (RFC 8767 section 5 allows 1.8 s). */
#define NEW_NAMES_MS 500
/* How long a target that failed before may take when others are left: the others are likelier. */
#define TRIAL_MS 1000
/* Between two rounds over all targets: doubling, and up to a quarter more by chance. */
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 1000
/* A round shorter than this says nothing about the targets. */
#define ROUND_MIN_MS 50

enum phase {
	PHASE_NAMES,
	PHASE_RACE,
	PHASE_PAUSE,
	PHASE_FAILED, /* to be reported */
};

struct proxy_dial {
	enum phase phase;
	bool starting; /* inside proxy_dial_new */
	struct seal_loop *loop;
	struct proxy_pool *pool;
	proxy_dial_fn fn;
	void *arg;
	uint32_t tried; /* in this round */
	bool counted;   /* a connection of target, which the pool counts */
	unsigned target;
	uint64_t deadline_ms;
	uint64_t target_until_ms;
	uint64_t pause_ms;
	struct proxy_wait wait;
	struct seal_timer *timer; /* for whatever comes first */
	struct proxy_race race;
	struct seal_err why;
};

static void next_target(struct proxy_dial *dial);

static void
note_target(struct proxy_dial *dial)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	seal_endpoint_format(proxy_pool_endpoint(dial->pool, dial->target), text);
	(void)seal_note(&dial->why, dial->why.code, "connect to %s", text);
}

/* Leave nothing of the target under way. */
static void
forget_target(struct proxy_dial *dial)
{
	proxy_wait_cancel(&dial->wait);
	proxy_race_end(&dial->race);
	if (dial->counted)
		proxy_pool_release(dial->pool, dial->target);
	dial->counted = false;
}

static bool
is_our_shortage(const struct seal_err *why)
{
	return why->code == SEAL_E_LIMIT || why->code == SEAL_E_MEMORY;
}

/* The target did not answer; why says what happened. */
static void
give_up_target(struct proxy_dial *dial)
{
	if (!is_our_shortage(&dial->why))
		proxy_pool_blame(dial->pool, dial->target, dial->why.text);
	note_target(dial);
	forget_target(dial);
}

static void
report_failure(struct proxy_dial *dial)
{
	struct proxy_dial_result result = { .fd = -1 };

	if (dial->why.code == 0)
		(void)seal_fail(&dial->why, SEAL_E_TIMEOUT, "connect deadline");
	if (dial->starting) {
		dial->phase = PHASE_FAILED;
		seal_timer_arm(dial->timer, 0);
		return;
	}
	seal_timer_disarm(dial->timer);
	result.why = dial->why;
	dial->fn(dial->arg, &result);
}

/* The count of the target goes to the callee with the descriptor. */
static void
report_winner(struct proxy_dial *dial)
{
	struct proxy_dial_result result = { .target = dial->target };

	result.fd = proxy_race_take(&dial->race, result.address);
	dial->counted = false;
	forget_target(dial);
	seal_timer_disarm(dial->timer);
	dial->fn(dial->arg, &result);
}

static void
arm_until(struct proxy_dial *dial, uint64_t until_ms)
{
	uint64_t now = seal_loop_now_ms(dial->loop);

	seal_timer_arm(dial->timer, until_ms > now ? until_ms - now : 0);
}

/* Begin with the next address.  False when none is left and none is under way. */
static bool
race_on(struct proxy_dial *dial)
{
	uint64_t until;

	if (!proxy_race_on(&dial->race))
		return false;
	until = proxy_race_next_ms(&dial->race);
	arm_until(dial, until < dial->target_until_ms ? until : dial->target_until_ms);
	return true;
}

static void
on_race(void *arg)
{
	struct proxy_dial *dial = arg;

	if (proxy_race_is_won(&dial->race)) {
		report_winner(dial);
	} else if (!race_on(dial)) { /* RFC 8305 section 5: a failure does not wait for the delay */
		give_up_target(dial);
		next_target(dial);
	}
}

/* The addresses are there, or will be, or will not.  False: on to the next target. */
static bool
begin_race(struct proxy_dial *dial, int r)
{
	struct seal_addresses old;
	uint64_t until;

	if (r == PROXY_NAMES_WAIT) {
		dial->phase = PHASE_NAMES;
		until = dial->target_until_ms;
		if (proxy_pool_old_addresses(dial->pool, dial->target, &old))
			until = seal_loop_now_ms(dial->loop) + NEW_NAMES_MS;
		arm_until(dial, until < dial->target_until_ms ? until : dial->target_until_ms);
		return true;
	}
	dial->phase = PHASE_RACE;
	if (r == 0 && race_on(dial))
		return true;
	give_up_target(dial);
	return false;
}

/* Share what is left evenly among the targets that may still come. */
static void
set_target_time(struct proxy_dial *dial, uint64_t now)
{
	uint64_t left = dial->deadline_ms - now;
	unsigned others = 0;

	for (unsigned i = 0; i < proxy_pool_count(dial->pool); i++)
		others += (dial->tried & (UINT32_C(1) << i)) == 0 ? 1 : 0;
	left /= others + 1;
	if (others > 0 && left > TRIAL_MS && !proxy_pool_is_healthy(dial->pool, dial->target))
		left = TRIAL_MS;
	dial->target_until_ms = now + left;
}

static int
begin_target(struct proxy_dial *dial, uint64_t now)
{
	dial->counted = true;
	dial->tried |= UINT32_C(1) << dial->target;
	set_target_time(dial, now);
	return proxy_pool_addresses(dial->pool, dial->target, &dial->wait, &dial->race.addresses,
				    &dial->why);
}

/* All have been tried.  Wait, so that nobody is hammered, and begin again while there is time. */
static void
pause_round(struct proxy_dial *dial, uint64_t now)
{
	uint8_t chance = 0;
	uint64_t pause;

	if (seal_random(&chance, sizeof(chance), NULL) < 0)
		chance = 0; /* all wait equally long then */
	pause = dial->pause_ms + dial->pause_ms * chance / 1024;
	if (now + pause + ROUND_MIN_MS > dial->deadline_ms) {
		report_failure(dial);
		return;
	}
	dial->phase = PHASE_PAUSE;
	dial->pause_ms = dial->pause_ms * 2 < PAUSE_MAX_MS ? dial->pause_ms * 2 : PAUSE_MAX_MS;
	seal_timer_arm(dial->timer, pause);
}

/* Walk on until something is under way, or there is no time left. */
static void
next_target(struct proxy_dial *dial)
{
	uint64_t now = seal_loop_now_ms(dial->loop);

	while (now < dial->deadline_ms) {
		if (!proxy_pool_choose(dial->pool, dial->tried, &dial->target)) {
			pause_round(dial, now);
			return;
		}
		if (begin_race(dial, begin_target(dial, now)))
			return;
		now = seal_loop_now_ms(dial->loop);
	}
	report_failure(dial);
}

/* The names have been answered, well or badly. */
static void
on_names(void *arg)
{
	struct proxy_dial *dial = arg;

	if (!begin_race(dial, proxy_pool_addresses(dial->pool, dial->target, &dial->wait,
						   &dial->race.addresses, &dial->why)))
		next_target(dial);
}

static void
target_is_late(struct proxy_dial *dial)
{
	char text[SEAL_ADDR_TEXT_MAX] = "name servers";

	if (dial->phase == PHASE_RACE)
		proxy_race_format_silent(&dial->race, text);
	(void)seal_fail(&dial->why, SEAL_E_TIMEOUT, "%s: no answer in time", text);
	give_up_target(dial);
	next_target(dial);
}

static void
on_old_names(struct proxy_dial *dial)
{
	int r = 0;

	proxy_wait_cancel(&dial->wait);
	/* They may have grown too old in this very moment. */
	if (!proxy_pool_old_addresses(dial->pool, dial->target, &dial->race.addresses))
		r = seal_fail(&dial->why, SEAL_E_TIMEOUT, "no answer from the name servers");
	if (!begin_race(dial, r))
		next_target(dial);
}

static void
on_timer(void *arg)
{
	struct proxy_dial *dial = arg;
	bool late = seal_loop_now_ms(dial->loop) >= dial->target_until_ms;

	switch (dial->phase) {
	case PHASE_FAILED:
		report_failure(dial);
		break;
	case PHASE_PAUSE:
		dial->tried = 0;
		next_target(dial);
		break;
	case PHASE_NAMES:
		if (late)
			target_is_late(dial);
		else
			on_old_names(dial);
		break;
	case PHASE_RACE:
		if (late)
			target_is_late(dial);
		else
			(void)race_on(dial); /* true: what was under way still is */
		break;
	}
}

static bool
is_connected(int fd, const struct sockaddr_storage *remote)
{
	struct pollfd wanted = { .fd = fd, .events = POLLOUT };

	/* Nothing but that: an error would be told with it. */
	return poll(&wanted, 1, 0) == 1 && wanted.revents == POLLOUT &&
	       !proxy_race_is_reflection(fd, remote);
}

static int
connect_at_once(const struct seal_endpoint *endpoint, char address[static SEAL_ADDR_TEXT_MAX])
{
	struct sockaddr_storage remote = { 0 };
	socklen_t len = 0;
	int fd;

	if (!seal_endpoint_is_local(endpoint) ||
	    seal_endpoint_addr(endpoint, &remote, &len, NULL) < 0)
		return -1;
	fd = seal_connect((const struct sockaddr *)&remote, len, NULL);
	if (fd >= 0 && !is_connected(fd, &remote)) {
		seal_close(fd);
		return -1;
	}
	if (fd >= 0)
		seal_addr_format((const struct sockaddr *)&remote, len, address);
	return fd;
}

bool
proxy_dial_at_once(struct proxy_pool *pool, uint32_t tried, struct proxy_dial_result *ret_result)
{
	if (!proxy_pool_choose(pool, tried, &ret_result->target))
		return false;
	ret_result->fd =
		connect_at_once(proxy_pool_endpoint(pool, ret_result->target), ret_result->address);
	/* The long way begins with the same one: it says what is wrong with it. */
	if (ret_result->fd < 0)
		proxy_pool_put_back(pool, ret_result->target);
	return ret_result->fd >= 0;
}

int
proxy_dial_new(struct proxy_dial **ret_dial, struct seal_loop *loop,
	       const struct proxy_dial_config *config, proxy_dial_fn fn, void *arg,
	       struct seal_err *err)
{
	struct proxy_dial *dial = calloc(1, sizeof(*dial));
	int r;

	if (dial == NULL)
		return seal_fail_memory(err);
	r = seal_timer_new(&dial->timer, loop, on_timer, dial, err);
	if (r < 0) {
		free(dial);
		return r;
	}
	dial->loop = loop;
	dial->pool = proxy_pool_ref(config->pool);
	dial->fn = fn;
	dial->arg = arg;
	dial->tried = config->tried;
	dial->deadline_ms = seal_loop_now_ms(loop) + config->timeout_ms;
	dial->pause_ms = PAUSE_MIN_MS;
	dial->wait.fn = on_names;
	dial->wait.arg = dial;
	proxy_race_init(&dial->race, loop, on_race, dial, &dial->why);
	dial->starting = true;
	next_target(dial);
	dial->starting = false;
	*ret_dial = dial;
	return 0;
}

void
proxy_dial_free(struct proxy_dial *dial)
{
	if (dial == NULL)
		return;
	forget_target(dial);
	seal_timer_free(dial->timer);
	proxy_pool_unref(dial->pool);
	free(dial);
}
