/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop, its timers, watches, signals and wake-ups: a thin cover over libevent that knows nothing
 * of what the callbacks do.  The only rule it adds: every object may be freed inside its own callback,
 * so no trampoline below touches its object after the call.
 */

#include "base/loop/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/loop/loop_internal.h"

/* A nap longer than this is no deadline; the cap keeps the conversion to seconds from overflowing. */
#define TIMER_MAX_MS (UINT64_C(366) * 24 * 3600 * 1000)

struct seal_timer {
	struct event *event;
	seal_timer_fn fn;
	void *arg;
};

/* One block of memory: a connection has two of these for as long as it rests. */
struct seal_watch {
	struct event read;
	struct event write;
	seal_watch_fn fn;
	void *arg;
	bool wants_read;
	bool wants_write;
};

struct seal_signal {
	struct event *event;
	seal_signal_fn fn;
	void *arg;
};

struct seal_wake {
	struct event *event;
	int fd;
	seal_timer_fn fn;
	void *arg;
};

/* The library's own remarks would break our log's format, and what matters also arrives as an error. */
static void
drop_remark(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

/*
 * Only epoll will do.  The environment belongs to the host, so the variables by which the library lets
 * it choose another method are ignored.
 */
static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
	    event_config_avoid_method(config, "poll") == 0 &&
	    event_config_avoid_method(config, "select") == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int
seal_loop_new(struct seal_loop **ret_loop, struct seal_err *err)
{
	struct seal_loop *loop;

	/* A peer that goes away is an error of the write, never a signal. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return seal_fail_errno(err, errno, "cannot ignore SIGPIPE");
	seal_cells_setup();
	event_set_log_callback(drop_remark);

	loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return seal_fail_memory(err);
	loop->base = new_base();
	if (loop->base == NULL) {
		free(loop);
		return seal_fail(err, SEAL_E_SYSTEM, "cannot make an event loop (epoll)");
	}
	seal_resolve_setup(loop, "/etc/resolv.conf", "/etc/hosts");
	*ret_loop = loop;
	return 0;
}

void
seal_loop_free(struct seal_loop *loop)
{
	if (loop == NULL)
		return;
	seal_resolve_shutdown(loop);
	event_base_free(loop->base);
	free(loop);
}

void
seal_loop_freep(struct seal_loop **loop)
{
	seal_loop_free(*loop);
	*loop = NULL;
}

int
seal_loop_run(struct seal_loop *loop, struct seal_err *err)
{
	/* A stop asked for before the run counts: the library itself would forget it. */
	if (!loop->stopped && event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return seal_fail(err, SEAL_E_SYSTEM, "the event loop failed");
	loop->stopped = false;
	return 0;
}

void
seal_loop_stop(struct seal_loop *loop)
{
	loop->stopped = true;
	(void)event_base_loopbreak(loop->base); /* fails for a NULL base only */
}

/*
 * The clock that libevent's own timers follow: a timer armed for n ms never seems to fire early.  It
 * is a read of shared memory, so there is nothing to gain from remembering it for the turn.
 */
uint64_t
seal_loop_now_ms(const struct seal_loop *loop)
{
	struct timespec now = { 0 };

	(void)loop;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* cannot fail for a known clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t
seal_loop_now_us(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for a known clock */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t
seal_clock_now(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0 || now.tv_sec < 0)
		return 0;
	return (int64_t)now.tv_sec;
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct seal_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->fn(timer->arg);
}

int
seal_timer_new(struct seal_timer **ret_timer, struct seal_loop *loop, seal_timer_fn fn, void *arg,
	       struct seal_err *err)
{
	struct seal_timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		return seal_fail_memory(err);
	timer->fn = fn;
	timer->arg = arg;
	timer->event = event_new(loop->base, -1, 0, timer_fired, timer);
	if (timer->event == NULL) {
		free(timer);
		return seal_fail_memory(err);
	}
	*ret_timer = timer;
	return 0;
}

void
seal_timer_arm(struct seal_timer *timer, uint64_t delay_ms)
{
	struct timeval delay;

	if (delay_ms > TIMER_MAX_MS)
		delay_ms = TIMER_MAX_MS;
	delay.tv_sec = (time_t)(delay_ms / 1000);
	delay.tv_usec = (suseconds_t)(delay_ms % 1000) * 1000;
	/* No memory for one more timer: a deadline nobody would keep has passed now. */
	if (event_add(timer->event, &delay) < 0)
		event_active(timer->event, EV_TIMEOUT, 0);
}

void
seal_timer_disarm(struct seal_timer *timer)
{
	(void)event_del(timer->event); /* succeeds for a timer at rest too */
}

void
seal_timer_free(struct seal_timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}

static void
watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct seal_watch *watch = arg;

	(void)fd;
	watch->fn(watch->arg, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

int
seal_watch_new(struct seal_watch **ret_watch, struct seal_loop *loop, int fd, seal_watch_fn fn,
	       void *arg, struct seal_err *err)
{
	struct seal_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return seal_fail_memory(err);
	watch->fn = fn;
	watch->arg = arg;
	if (event_assign(&watch->read, loop->base, fd, EV_READ | EV_PERSIST, watch_fired, watch) <
		    0 ||
	    event_assign(&watch->write, loop->base, fd, EV_WRITE | EV_PERSIST, watch_fired, watch) <
		    0) {
		free(watch);
		return seal_fail(err, SEAL_E_BUG, "cannot watch descriptor %d", fd);
	}
	*ret_watch = watch;
	return 0;
}

/*
 * When the kernel has no memory to watch one more descriptor, the event is fired as if it had come:
 * the owner tries, finds nothing, asks again, and so polls until the shortage is over.
 */
static void
want(struct event *event, short what, bool *was, bool now)
{
	if (*was == now)
		return;
	*was = now;
	if (!now) {
		(void)event_del(event); /* fails for events of no base only */
	} else if (event_add(event, NULL) < 0) {
		*was = false;
		event_active(event, what, 0);
	}
}

void
seal_watch_want(struct seal_watch *watch, bool readable, bool writable)
{
	want(&watch->read, EV_READ, &watch->wants_read, readable);
	want(&watch->write, EV_WRITE, &watch->wants_write, writable);
}

void
seal_watch_free(struct seal_watch *watch)
{
	if (watch == NULL)
		return;
	(void)event_del(&watch->read); /* fails for events of no base only */
	(void)event_del(&watch->write);
	free(watch);
}

static void
signal_fired(evutil_socket_t number, short what, void *arg)
{
	struct seal_signal *sig = arg;

	(void)what;
	sig->fn(sig->arg, (int)number);
}

int
seal_signal_new(struct seal_signal **ret_signal, struct seal_loop *loop, int number,
		seal_signal_fn fn, void *arg, struct seal_err *err)
{
	struct seal_signal *sig = calloc(1, sizeof(*sig));

	if (sig == NULL)
		return seal_fail_memory(err);
	sig->fn = fn;
	sig->arg = arg;
	sig->event = event_new(loop->base, number, EV_SIGNAL | EV_PERSIST, signal_fired, sig);
	if (sig->event == NULL || event_add(sig->event, NULL) < 0) {
		seal_signal_free(sig);
		return seal_fail(err, SEAL_E_SYSTEM, "cannot watch for signal %d", number);
	}
	*ret_signal = sig;
	return 0;
}

void
seal_signal_free(struct seal_signal *sig)
{
	if (sig == NULL)
		return;
	if (sig->event != NULL)
		event_free(sig->event);
	free(sig);
}

static void
wake_fired(evutil_socket_t fd, short what, void *arg)
{
	struct seal_wake *wake = arg;
	uint64_t times;
	ssize_t n;

	(void)what;
	n = read(fd, &times, sizeof(times)); /* takes all calls so far at once */
	if (n == (ssize_t)sizeof(times))
		wake->fn(wake->arg);
}

int
seal_wake_new(struct seal_wake **ret_wake, struct seal_loop *loop, seal_timer_fn fn, void *arg,
	      struct seal_err *err)
{
	struct seal_wake *wake = calloc(1, sizeof(*wake));
	int r;

	if (wake == NULL)
		return seal_fail_memory(err);
	wake->fn = fn;
	wake->arg = arg;
	wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake->fd < 0) {
		r = seal_fail_errno(err, errno, "cannot make a wake-up descriptor");
		seal_wake_free(wake);
		return r;
	}
	wake->event = event_new(loop->base, wake->fd, EV_READ | EV_PERSIST, wake_fired, wake);
	if (wake->event == NULL || event_add(wake->event, NULL) < 0) {
		seal_wake_free(wake);
		return seal_fail_memory(err);
	}
	*ret_wake = wake;
	return 0;
}

void
seal_wake_now(struct seal_wake *wake)
{
	const uint64_t once = 1;

	/* EAGAIN means that the counter is full: the loop is about to wake anyway. */
	while (write(wake->fd, &once, sizeof(once)) < 0 && errno == EINTR)
		;
}

void
seal_wake_free(struct seal_wake *wake)
{
	if (wake == NULL)
		return;
	if (wake->event != NULL)
		event_free(wake->event);
	if (wake->fd >= 0)
		(void)close(wake->fd); /* nothing was written that could be lost */
	free(wake);
}
