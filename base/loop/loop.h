/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_LOOP_H
#define SEAL_BASE_LOOP_H

/*
 * The event loop: descriptors, timers, signals, wake-ups from other threads, name resolution.  One
 * loop belongs to one thread.  With base/stream, the only door to libevent.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err/err.h"

struct seal_loop;

SEAL_CHECKED int seal_loop_new(struct seal_loop **ret_loop, struct seal_err *err);
/* What was made on the loop must be freed before it. */
void seal_loop_free(struct seal_loop *loop);
void seal_loop_freep(struct seal_loop **loop);
/* Run until seal_loop_stop. */
SEAL_CHECKED int seal_loop_run(struct seal_loop *loop, struct seal_err *err);
void seal_loop_stop(struct seal_loop *loop);
/* Monotonic milliseconds, as fine as the kernel's tick.  Cheap. */
uint64_t seal_loop_now_ms(const struct seal_loop *loop);
/* Monotonic microseconds, for measuring. */
uint64_t seal_loop_now_us(void);
/* Seconds since the epoch by the system clock; 0 when it cannot be read. */
int64_t seal_clock_now(void);

/* One-shot timer; arming again moves it.  cb may free it. */
struct seal_timer;
typedef void (*seal_timer_fn)(void *arg);
SEAL_CHECKED int seal_timer_new(struct seal_timer **ret_timer, struct seal_loop *loop,
				seal_timer_fn fn, void *arg, struct seal_err *err);
void seal_timer_arm(struct seal_timer *timer, uint64_t delay_ms);
void seal_timer_disarm(struct seal_timer *timer);
void seal_timer_free(struct seal_timer *timer);

/* Watch a descriptor (not owned).  Level triggered; nothing is wanted at first. */
struct seal_watch;
typedef void (*seal_watch_fn)(void *arg, bool readable, bool writable);
SEAL_CHECKED int seal_watch_new(struct seal_watch **ret_watch, struct seal_loop *loop, int fd,
				seal_watch_fn fn, void *arg, struct seal_err *err);
/* Cheap when nothing changes. */
void seal_watch_want(struct seal_watch *watch, bool readable, bool writable);
void seal_watch_free(struct seal_watch *watch);

struct seal_signal;
typedef void (*seal_signal_fn)(void *arg, int number);
SEAL_CHECKED int seal_signal_new(struct seal_signal **ret_signal, struct seal_loop *loop,
				 int number, seal_signal_fn fn, void *arg, struct seal_err *err);
void seal_signal_free(struct seal_signal *sig);

/* Run fn(arg) in the loop's thread soon after seal_wake_now was called in any thread. */
struct seal_wake;
SEAL_CHECKED int seal_wake_new(struct seal_wake **ret_wake, struct seal_loop *loop,
			       seal_timer_fn fn, void *arg, struct seal_err *err);
void seal_wake_now(struct seal_wake *wake);
void seal_wake_free(struct seal_wake *wake);

/*
 * Resolve host (a name or a literal address) to at most SEAL_RESOLVE_MAX stream addresses, without
 * blocking: the hosts file first, then the servers of resolv.conf, both as they are at this moment.
 * fn is called exactly once, later or before the function returns, unless cancelled; on failure the
 * count is 0 and why says the reason.  Nothing is remembered here: who asks often keeps the answer.
 */
#define SEAL_RESOLVE_MAX       8
#define SEAL_RESOLVE_TTL_MAX_S 3600
struct seal_addresses {
	/* Both families in turn, IPv6 first (RFC 8305 section 4); localhost: IPv4 first. */
	struct sockaddr_storage at[SEAL_RESOLVE_MAX];
	unsigned count;
	uint32_t ttl_s; /* for how long they hold: 1 to SEAL_RESOLVE_TTL_MAX_S; 0: for ever */
};
struct seal_resolve;
typedef void (*seal_resolve_fn)(void *arg, const struct seal_addresses *found, const char *why);
SEAL_CHECKED int seal_resolve_new(struct seal_resolve **ret_resolve, struct seal_loop *loop,
				  const char *host, uint16_t port, seal_resolve_fn fn, void *arg,
				  struct seal_err *err);
/* Forget the question; fn will not be called.  Also frees after fn was called.  NULL is allowed. */
void seal_resolve_free(struct seal_resolve *resolve);

#endif
