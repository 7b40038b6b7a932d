/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SLEEPER_H
#define SEAL_PROXY_SLEEPER_H

/*
 * A thread that mostly sleeps, can be woken, and ends when told.  Its two flags may be given to calls that block as
 * what aborts them.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"

#define PROXY_SLEEP_UNTIL_WOKEN UINT64_MAX

struct proxy_sleeper {
	atomic_bool ending; /* told to end */
	atomic_bool woken;  /* told to end, or woken since it last began to work */
	bool running;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

SEAL_CHECKED int proxy_sleeper_init(struct proxy_sleeper *sleeper, struct seal_err *err);
/* Once; the thread gets no signals. */
SEAL_CHECKED int proxy_sleeper_start(struct proxy_sleeper *sleeper, void *(*run)(void *arg),
				     void *arg, struct seal_err *err);
/* In the thread: until woken, or wait_ms are over.  False when it is to end. */
bool proxy_sleeper_sleep(struct proxy_sleeper *sleeper, uint64_t wait_ms);
/* From any thread. */
void proxy_sleeper_wake(struct proxy_sleeper *sleeper);
/* Tell it to end, and wait until it has; it may still be woken, to no effect. */
void proxy_sleeper_end(struct proxy_sleeper *sleeper);
/* The same, and then it is nothing any more. */
void proxy_sleeper_release(struct proxy_sleeper *sleeper);

#endif
