/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping and waking.  What the thread does when it is awake is its owner's.
 */
#include "proxy/sleeper.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

int
proxy_sleeper_init(struct proxy_sleeper *sleeper, struct seal_err *err)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r == 0)
		r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (r == 0)
		r = pthread_cond_init(&sleeper->changed, &attr);
	if (r == 0)
		r = pthread_mutex_init(&sleeper->lock, NULL);
	return r == 0 ? 0 : seal_fail_errno(err, r, "cannot make a condition");
}

/* Signals are the worker's. */
int
proxy_sleeper_start(struct proxy_sleeper *sleeper, void *(*run)(void *arg), void *arg,
		    struct seal_err *err)
{
	sigset_t all;
	sigset_t before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&sleeper->thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return seal_fail_errno(err, r, "cannot start a thread");
	sleeper->running = true;
	return 0;
}

static struct timespec
after_ms(uint64_t wait_ms)
{
	struct timespec at = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &at); /* cannot fail for a known clock */
	at.tv_sec += (time_t)(wait_ms / 1000);
	at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

bool
proxy_sleeper_sleep(struct proxy_sleeper *sleeper, uint64_t wait_ms)
{
	bool for_ever = wait_ms == PROXY_SLEEP_UNTIL_WOKEN;
	struct timespec until = after_ms(for_ever ? 0 : wait_ms);
	bool goes_on;
	int r = 0;

	pthread_mutex_lock(&sleeper->lock);
	while (!atomic_load(&sleeper->woken) && r != ETIMEDOUT)
		r = for_ever ? pthread_cond_wait(&sleeper->changed, &sleeper->lock)
			     : pthread_cond_timedwait(&sleeper->changed, &sleeper->lock, &until);
	goes_on = !atomic_load(&sleeper->ending);
	if (goes_on)
		atomic_store(&sleeper->woken, false);
	pthread_mutex_unlock(&sleeper->lock);
	return goes_on;
}

static void
tell(struct proxy_sleeper *sleeper, bool to_end)
{
	pthread_mutex_lock(&sleeper->lock);
	if (to_end)
		atomic_store(&sleeper->ending, true);
	atomic_store(&sleeper->woken, true);
	pthread_cond_signal(&sleeper->changed);
	pthread_mutex_unlock(&sleeper->lock);
}

void
proxy_sleeper_wake(struct proxy_sleeper *sleeper)
{
	tell(sleeper, false);
}

void
proxy_sleeper_end(struct proxy_sleeper *sleeper)
{
	if (!sleeper->running)
		return;
	tell(sleeper, true);
	pthread_join(sleeper->thread, NULL);
	sleeper->running = false;
}

void
proxy_sleeper_release(struct proxy_sleeper *sleeper)
{
	proxy_sleeper_end(sleeper);
	pthread_cond_destroy(&sleeper->changed);
	pthread_mutex_destroy(&sleeper->lock);
}
