/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dial: a walk over targets and, within each, over its addresses.
 *
 *   next target ─name─▶ resolving ─addresses─▶ next address ─▶ connecting ─writable─▶ reported
 *        ▲                  │ failed, slice over    ▲ │ none left    │ failed, slice over
 *        └──────────────────┴───────────────────────┼─┘              │
 *                                                   └────────────────┘
 * The first attempt starts at once; an answer that is known before proxy_dial_new returns waits for the
 * timer, so that the caller has its handle first.
 */
#include "proxy/dial.h"

#include <netinet/in.h>

#include "base/fs/fs.h"

/* An attempt shorter than this says nothing about the other side. */
#define MIN_SLICE_MS 50

enum phase {
	PHASE_RESOLVING,
	PHASE_RESOLVED, /* well or badly: the next step is due */
	PHASE_CONNECTING,
	PHASE_FAILED, /* to be reported */
};

struct proxy_dial {
	enum phase phase;
	bool starting; /* inside proxy_dial_new */
	struct seal_loop *loop;
	struct proxy_dial_config config;
	proxy_dial_fn fn;
	void *arg;
	uint64_t deadline_ms;
	size_t tried; /* targets begun */
	const struct seal_endpoint *target;
	struct seal_resolve *resolve;
	struct sockaddr_storage addrs[SEAL_RESOLVE_MAX];
	socklen_t addr_lens[SEAL_RESOLVE_MAX];
	unsigned addr_count;
	unsigned addr_next;
	int fd;
	struct seal_watch *watch;
	struct seal_timer *slice; /* of the attempt under way */
	struct seal_err why;
};

static void next_step(struct proxy_dial *dial);

static void
report(struct proxy_dial *dial, int fd)
{
	struct proxy_dial_result result = { .fd = fd };

	seal_timer_disarm(dial->slice);
	if (fd >= 0) {
		unsigned at = dial->addr_next - 1;

		result.target = dial->target;
		seal_addr_format((const struct sockaddr *)&dial->addrs[at], dial->addr_lens[at],
				 result.address);
	} else {
		result.why = dial->why;
	}
	dial->fn(dial->arg, &result);
}

static void
report_failure(struct proxy_dial *dial)
{
	if (dial->why.code == 0)
		(void)seal_fail(&dial->why, SEAL_E_TIMEOUT, "connect deadline");
	dial->phase = PHASE_FAILED;
	if (dial->starting)
		seal_timer_arm(dial->slice, 0);
	else
		report(dial, -1);
}

static void
note_target(struct proxy_dial *dial)
{
	char text[SEAL_HOSTNAME_MAX + 16];

	seal_endpoint_format(dial->target, text);
	(void)seal_note(&dial->why, dial->why.code, "connect to %s", text);
}

static void
forget_attempt(struct proxy_dial *dial)
{
	seal_resolve_free(SEAL_TAKE(dial->resolve));
	if (dial->watch != NULL)
		seal_watch_free(SEAL_TAKE(dial->watch));
	seal_closep(&dial->fd);
}

/* Share what is left evenly among the attempts that may still come. */
static void
arm_slice(struct proxy_dial *dial)
{
	uint64_t now = seal_loop_now_ms(dial->loop);
	uint64_t left = dial->deadline_ms > now ? dial->deadline_ms - now : 0;
	uint64_t attempts = dial->config.target_count - dial->tried + 1;

	if (dial->addr_count > dial->addr_next)
		attempts += dial->addr_count - dial->addr_next;
	left /= attempts;
	seal_timer_arm(dial->slice, left < MIN_SLICE_MS ? MIN_SLICE_MS : left);
}

static void
on_writable(void *arg, bool readable, bool writable)
{
	struct proxy_dial *dial = arg;
	int fd = dial->fd;

	(void)readable;
	(void)writable; /* either way the outcome is known */
	if (seal_connect_result(fd, &dial->why) < 0) {
		note_target(dial);
		forget_attempt(dial);
		next_step(dial);
		return;
	}
	dial->fd = -1; /* goes to the callee */
	forget_attempt(dial);
	report(dial, fd);
}

static int
try_address(struct proxy_dial *dial, unsigned at)
{
	int fd = seal_connect((const struct sockaddr *)&dial->addrs[at], dial->addr_lens[at],
			      &dial->why);
	int r;

	if (fd < 0)
		return fd;
	r = seal_watch_new(&dial->watch, dial->loop, fd, on_writable, dial, &dial->why);
	if (r < 0) {
		seal_close(fd);
		return r;
	}
	dial->fd = fd;
	dial->phase = PHASE_CONNECTING;
	seal_watch_want(dial->watch, false, true);
	arm_slice(dial);
	return 0;
}

static socklen_t
addr_len(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					   : sizeof(struct sockaddr_in);
}

static void
on_resolved(void *arg, const struct sockaddr_storage *addrs, unsigned count, const char *why)
{
	struct proxy_dial *dial = arg;

	for (unsigned i = 0; i < count && i < SEAL_RESOLVE_MAX; i++) {
		dial->addrs[i] = addrs[i];
		dial->addr_lens[i] = addr_len(&addrs[i]);
		dial->addr_count = i + 1;
	}
	if (count == 0) {
		(void)seal_fail(&dial->why, SEAL_E_MISSING, "%s", why == NULL ? "no address" : why);
		note_target(dial);
	}
	dial->phase = PHASE_RESOLVED;
	seal_timer_arm(dial->slice, 0); /* may be inside seal_resolve_new: go on from the loop */
}

/* Find the addresses of the next target.  True when there are some at once. */
static bool
begin_target(struct proxy_dial *dial)
{
	size_t at = (dial->config.first + dial->tried) % dial->config.target_count;
	struct seal_err ignored = { 0 };

	dial->target = &dial->config.targets[at];
	dial->tried++;
	dial->addr_next = 0;
	dial->addr_count = 0;
	if (seal_endpoint_addr(dial->target, &dial->addrs[0], &dial->addr_lens[0], &ignored) == 0) {
		dial->addr_count = 1;
		return true;
	}
	arm_slice(dial);
	dial->phase = PHASE_RESOLVING;
	if (seal_resolve_new(&dial->resolve, dial->loop, dial->target->host, dial->target->port,
			     on_resolved, dial, &dial->why) < 0) {
		note_target(dial);
		return true; /* with no addresses: on to the next target */
	}
	return false;
}

/* Walk on until an attempt is under way, or nothing is left to try. */
static void
next_step(struct proxy_dial *dial)
{
	while (seal_loop_now_ms(dial->loop) < dial->deadline_ms) {
		if (dial->addr_next < dial->addr_count) {
			if (try_address(dial, dial->addr_next++) == 0)
				return;
			note_target(dial);
		} else if (dial->tried >= dial->config.target_count) {
			break;
		} else if (!begin_target(dial)) {
			return;
		}
	}
	report_failure(dial);
}

/* The end of an attempt's slice, or what could not be done where it was found out. */
static void
on_slice(void *arg)
{
	struct proxy_dial *dial = arg;

	if (dial->phase == PHASE_FAILED) {
		report(dial, -1);
		return;
	}
	if (dial->phase != PHASE_RESOLVED) {
		(void)seal_fail(&dial->why, SEAL_E_TIMEOUT, "no answer in time");
		note_target(dial);
	}
	forget_attempt(dial);
	next_step(dial);
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
	dial->loop = loop;
	dial->config = *config;
	dial->fn = fn;
	dial->arg = arg;
	dial->fd = -1;
	dial->deadline_ms = seal_loop_now_ms(loop) + config->timeout_ms;
	r = seal_timer_new(&dial->slice, loop, on_slice, dial, err);
	if (r < 0) {
		free(dial);
		return r;
	}
	dial->starting = true;
	next_step(dial);
	dial->starting = false;
	*ret_dial = dial;
	return 0;
}

void
proxy_dial_free(struct proxy_dial *dial)
{
	if (dial == NULL)
		return;
	forget_attempt(dial);
	seal_timer_free(dial->slice);
	free(dial);
}
