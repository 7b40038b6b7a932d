/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting in a call that blocks.  The loop is run until something of interest happens; deadlines and the
 * wish to give up are looked at before and between.  It does not know what is waited for.
 */
#include "base/http/http_internal.h"

/* How long a call may take to notice that it was given up. */
#define ABORT_MS 100u

static void
on_tick(void *arg)
{
	http_wait_end(arg);
}

int
http_wait_init(struct http_wait *wait, struct seal_err *err)
{
	int r = seal_loop_new(&wait->loop, err);

	return r < 0 ? r : seal_timer_new(&wait->tick, wait->loop, on_tick, wait, err);
}

void
http_wait_release(struct http_wait *wait)
{
	seal_timer_free(wait->tick);
	seal_loop_free(wait->loop);
}

void
http_wait_end(struct http_wait *wait)
{
	seal_loop_stop(wait->loop);
}

void
http_wait_progress(struct http_wait *wait)
{
	wait->progress_ms = seal_loop_now_ms(wait->loop);
}

/* Lower *most to what is left of a deadline; false when nothing is. */
static bool
is_left(uint64_t deadline, uint64_t now, uint64_t *most)
{
	if (now >= deadline)
		return false;
	if (*most > deadline - now)
		*most = deadline - now;
	return true;
}

static int
check(const struct http_wait *wait, uint64_t *most, struct seal_err *err)
{
	uint64_t now = seal_loop_now_ms(wait->loop);

	if (wait->abort != NULL && atomic_load(wait->abort))
		return seal_fail(err, SEAL_E_CLOSED, "given up on request");
	if (wait->connect_ms != 0 && !is_left(wait->connect_ms, now, most))
		return seal_fail(err, SEAL_E_TIMEOUT, "timed out: no connection in time");
	if (!is_left(wait->deadline_ms, now, most))
		return seal_fail(err, SEAL_E_TIMEOUT, "timed out: no answer in time");
	if (wait->stall_ms != 0 && !is_left(wait->progress_ms + wait->stall_ms, now, most))
		return seal_fail(err, SEAL_E_TIMEOUT, "timed out: nothing moved for %u s",
				 wait->stall_ms / 1000);
	if (wait->abort != NULL && *most > ABORT_MS)
		*most = ABORT_MS;
	return 0;
}

int
http_wait_run(struct http_wait *wait, uint64_t most_ms, struct seal_err *err)
{
	int r = check(wait, &most_ms, err);

	if (r < 0)
		return r;
	seal_timer_arm(wait->tick, most_ms);
	return seal_loop_run(wait->loop, err);
}
