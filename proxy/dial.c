/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dial: a walk over the targets of a pool and, within each, a race of its addresses (RFC 8305).
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

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "proxy/pool_internal.h"

/* RFC 8305 section 8, the recommended Connection Attempt Delay. */
#define ATTEMPT_DELAY_MS 250
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

struct attempt {
	struct proxy_dial *dial;
	int fd; /* -1: not under way */
	struct seal_watch *watch;
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
	uint64_t next_attempt_ms;
	uint64_t pause_ms;
	struct proxy_wait wait;
	struct seal_timer *timer; /* for whatever comes first */
	struct seal_addresses addresses;
	unsigned begun;                            /* addresses tried */
	unsigned under_way;                        /* attempts */
	struct attempt attempts[SEAL_RESOLVE_MAX]; /* by address; only those begun are set */
	struct seal_err why;
};

static void next_target(struct proxy_dial *dial);

static socklen_t
addr_len(const struct sockaddr_storage *addr)
{
	switch (addr->ss_family) {
	case AF_INET6:
		return sizeof(struct sockaddr_in6);
	case AF_INET:
		return sizeof(struct sockaddr_in);
	default:
		return sizeof(struct sockaddr_un);
	}
}

static void
format_address(const struct proxy_dial *dial, unsigned at, char text[static SEAL_ADDR_TEXT_MAX])
{
	const struct sockaddr_storage *addr = &dial->addresses.at[at];

	seal_addr_format((const struct sockaddr *)addr, addr_len(addr), text);
}

static void
note_target(struct proxy_dial *dial)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	seal_endpoint_format(proxy_pool_endpoint(dial->pool, dial->target), text);
	(void)seal_note(&dial->why, dial->why.code, "connect to %s", text);
}

static void
end_attempt(struct attempt *attempt)
{
	if (attempt->fd < 0)
		return;
	seal_watch_free(SEAL_TAKE(attempt->watch));
	seal_closep(&attempt->fd);
	attempt->dial->under_way--;
}

/* Leave nothing of the target under way. */
static void
forget_target(struct proxy_dial *dial)
{
	proxy_wait_cancel(&dial->wait);
	for (unsigned i = 0; i < dial->begun; i++)
		end_attempt(&dial->attempts[i]);
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
report_winner(struct proxy_dial *dial, unsigned at)
{
	struct proxy_dial_result result = { .fd = dial->attempts[at].fd, .target = dial->target };

	format_address(dial, at, result.address);
	seal_watch_free(SEAL_TAKE(dial->attempts[at].watch));
	dial->attempts[at].fd = -1;
	dial->under_way--;
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

static void
arm_race(struct proxy_dial *dial)
{
	uint64_t until = dial->target_until_ms;

	if (dial->begun < dial->addresses.count && dial->next_attempt_ms < until)
		until = dial->next_attempt_ms;
	arm_until(dial, until);
}

/*
 * A port of our own that nobody listens on may be the one that the kernel gives to the socket itself,
 * which then connects to itself (simultaneous open, RFC 9293 section 3.5).
 */
static bool
is_own_reflection(int fd, const struct sockaddr_storage *remote)
{
	struct sockaddr_storage local = { 0 };
	socklen_t len = sizeof(local);
	struct sockaddr_in6 in6[2];
	struct sockaddr_in in[2];

	if (remote->ss_family == AF_UNIX || getsockname(fd, (struct sockaddr *)&local, &len) < 0)
		return false;
	memcpy(&in6[0], remote, sizeof(in6[0]));
	memcpy(&in6[1], &local, sizeof(in6[1]));
	memcpy(&in[0], remote, sizeof(in[0]));
	memcpy(&in[1], &local, sizeof(in[1]));
	if (remote->ss_family == AF_INET)
		return in[0].sin_port == in[1].sin_port &&
		       in[0].sin_addr.s_addr == in[1].sin_addr.s_addr;
	return in6[0].sin6_port == in6[1].sin6_port &&
	       memcmp(&in6[0].sin6_addr, &in6[1].sin6_addr, sizeof(in6[0].sin6_addr)) == 0;
}

/* A target that is an address already says where it is. */
static bool
is_one_of_a_name(const struct proxy_dial *dial)
{
	return dial->addresses.count > 1 || dial->addresses.ttl_s > 0;
}

static int
outcome(struct proxy_dial *dial, unsigned at)
{
	char text[SEAL_ADDR_TEXT_MAX];
	int r = seal_connect_result(dial->attempts[at].fd, &dial->why);

	if (r == 0 && is_own_reflection(dial->attempts[at].fd, &dial->addresses.at[at]))
		r = seal_fail(&dial->why, SEAL_E_CLOSED, "nobody listens");
	if (r < 0 && is_one_of_a_name(dial)) {
		format_address(dial, at, text);
		r = seal_note(&dial->why, r, "%s", text);
	}
	return r;
}

static int try_address(struct proxy_dial *dial, unsigned at);

/* Begin with the next address.  False when none is left and none is under way. */
static bool
race_on(struct proxy_dial *dial)
{
	while (dial->begun < dial->addresses.count) {
		unsigned at = dial->begun++;

		dial->attempts[at] = (struct attempt){ .dial = dial, .fd = -1 };
		if (try_address(dial, at) < 0)
			continue;
		dial->next_attempt_ms = seal_loop_now_ms(dial->loop) + ATTEMPT_DELAY_MS;
		break;
	}
	if (dial->under_way == 0)
		return false;
	arm_race(dial);
	return true;
}

static void
on_writable(void *arg, bool readable, bool writable)
{
	struct attempt *attempt = arg;
	struct proxy_dial *dial = attempt->dial;
	unsigned at = (unsigned)(attempt - dial->attempts);

	(void)readable;
	(void)writable; /* either way the outcome is known */
	if (outcome(dial, at) == 0) {
		report_winner(dial, at);
		return;
	}
	end_attempt(attempt);
	if (!race_on(dial)) { /* RFC 8305 section 5: a failure does not wait for the delay */
		give_up_target(dial);
		next_target(dial);
	}
}

static int
try_address(struct proxy_dial *dial, unsigned at)
{
	const struct sockaddr_storage *addr = &dial->addresses.at[at];
	struct attempt *attempt = &dial->attempts[at];
	int fd = seal_connect((const struct sockaddr *)addr, addr_len(addr), &dial->why);
	int r;

	if (fd < 0)
		return fd;
	r = seal_watch_new(&attempt->watch, dial->loop, fd, on_writable, attempt, &dial->why);
	if (r < 0) {
		seal_close(fd);
		return r;
	}
	attempt->fd = fd;
	dial->under_way++;
	seal_watch_want(attempt->watch, false, true);
	return 0;
}

/* The addresses are there, or will be, or will not.  False: on to the next target. */
static bool
begin_race(struct proxy_dial *dial, int r)
{
	struct seal_addresses old;

	if (r == PROXY_NAMES_WAIT) {
		dial->phase = PHASE_NAMES;
		dial->next_attempt_ms = dial->target_until_ms;
		if (proxy_pool_old_addresses(dial->pool, dial->target, &old))
			dial->next_attempt_ms = seal_loop_now_ms(dial->loop) + NEW_NAMES_MS;
		arm_until(dial, dial->next_attempt_ms < dial->target_until_ms
					? dial->next_attempt_ms
					: dial->target_until_ms);
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
	dial->begun = 0;
	set_target_time(dial, now);
	return proxy_pool_addresses(dial->pool, dial->target, &dial->wait, &dial->addresses,
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
						   &dial->addresses, &dial->why)))
		next_target(dial);
}

/* Which of several silent addresses is named does not matter: the last one. */
static void
target_is_late(struct proxy_dial *dial)
{
	char text[SEAL_ADDR_TEXT_MAX] = "name servers";

	for (unsigned i = 0; dial->phase == PHASE_RACE && i < dial->begun; i++) {
		if (dial->attempts[i].fd >= 0)
			format_address(dial, i, text);
	}
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
	if (!proxy_pool_old_addresses(dial->pool, dial->target, &dial->addresses))
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
	       !is_own_reflection(fd, remote);
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
