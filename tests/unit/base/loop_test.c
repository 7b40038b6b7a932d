/* SPDX-License-Identifier: Apache-2.0 */
/* base/loop: timers, watches, signals, wake-ups. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop/loop.h"

/* Nothing here should take so long; a test that hangs fails with this. */
#define TOO_LONG_MS 8000

struct rig {
	struct seal_loop *loop;
	struct seal_timer *patience;
	struct seal_timer *timer;
	struct seal_watch *watch;
	unsigned fired;
	bool out_of_patience;
	/* what a callback saw */
	bool readable;
	bool writable;
	int number;
};

static void
lose_patience(void *arg)
{
	struct rig *rig = arg;

	rig->out_of_patience = true;
	seal_loop_stop(rig->loop);
}

static void
stop(void *arg)
{
	struct rig *rig = arg;

	rig->fired++;
	seal_loop_stop(rig->loop);
}

static void
setup(struct rig *rig)
{
	*rig = (struct rig){ 0 };
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_timer_new(&rig->patience, rig->loop, lose_patience, rig, NULL), 0);
	seal_timer_arm(rig->patience, TOO_LONG_MS);
}

static void
run(struct rig *rig)
{
	cr_assert_eq(seal_loop_run(rig->loop, NULL), 0);
	cr_assert_not(rig->out_of_patience, "nothing happened");
}

/* Run for a while, to see what does not happen. */
static void
run_for(struct rig *rig, uint64_t ms)
{
	struct seal_timer *enough = NULL;

	cr_assert_eq(seal_timer_new(&enough, rig->loop, stop, rig, NULL), 0);
	seal_timer_arm(enough, ms);
	run(rig);
	rig->fired--;
	seal_timer_free(enough);
}

static void
teardown(struct rig *rig)
{
	seal_timer_free(rig->timer);
	seal_watch_free(rig->watch);
	seal_timer_free(rig->patience);
	seal_loop_freep(&rig->loop);
	cr_expect_null(rig->loop);
}

Test(loop, ignores_broken_pipes)
{
	struct rig rig;
	int fds[2];

	setup(&rig);
	cr_assert_eq(pipe(fds), 0);
	close(fds[0]);
	cr_expect_eq(write(fds[1], "x", 1), -1);
	close(fds[1]);
	teardown(&rig);
}

Test(loop, keeps_a_stop_that_came_before_the_run)
{
	struct rig rig;

	setup(&rig);
	seal_loop_stop(rig.loop);
	run(&rig);
	run_for(&rig, 1); /* and it counts once */
	teardown(&rig);
}

Test(loop, tells_the_time)
{
	struct rig rig;
	uint64_t before;

	setup(&rig);
	before = seal_loop_now_ms(rig.loop);
	run_for(&rig, 30);
	cr_expect_geq(seal_loop_now_ms(rig.loop) - before, 30);
	cr_expect_gt(seal_clock_now(), 1600000000);
	teardown(&rig);
}

Test(timer, fires_once_after_its_delay)
{
	struct rig rig;
	uint64_t before;

	setup(&rig);
	cr_assert_eq(seal_timer_new(&rig.timer, rig.loop, stop, &rig, NULL), 0);
	before = seal_loop_now_ms(rig.loop);
	seal_timer_arm(rig.timer, 20);
	run(&rig);
	cr_expect_geq(seal_loop_now_ms(rig.loop) - before, 20);
	run_for(&rig, 50);
	cr_expect_eq(rig.fired, 1);
	teardown(&rig);
}

Test(timer, moves_when_armed_again_and_rests_when_disarmed)
{
	struct rig rig;
	uint64_t before;

	setup(&rig);
	cr_assert_eq(seal_timer_new(&rig.timer, rig.loop, stop, &rig, NULL), 0);
	before = seal_loop_now_ms(rig.loop);
	seal_timer_arm(rig.timer, 1);
	seal_timer_arm(rig.timer, 60);
	run(&rig);
	cr_expect_geq(seal_loop_now_ms(rig.loop) - before, 60);
	seal_timer_arm(rig.timer, 1);
	seal_timer_disarm(rig.timer);
	seal_timer_disarm(rig.timer);
	run_for(&rig, 30);
	cr_expect_eq(rig.fired, 1);
	seal_timer_arm(rig.timer, UINT64_MAX); /* no overflow into now */
	run_for(&rig, 30);
	cr_expect_eq(rig.fired, 1);
	teardown(&rig);
}

static void
free_own_timer(void *arg)
{
	struct rig *rig = arg;

	seal_timer_free(rig->timer);
	rig->timer = NULL;
	stop(rig);
}

Test(timer, may_be_freed_in_its_own_callback)
{
	struct rig rig;

	setup(&rig);
	cr_assert_eq(seal_timer_new(&rig.timer, rig.loop, free_own_timer, &rig, NULL), 0);
	seal_timer_arm(rig.timer, 0);
	run(&rig);
	cr_expect_eq(rig.fired, 1);
	seal_timer_free(NULL);
	teardown(&rig);
}

static void
see(void *arg, bool readable, bool writable)
{
	struct rig *rig = arg;

	rig->readable |= readable;
	rig->writable |= writable;
	stop(rig);
}

static void
pair(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

Test(watch, reports_only_what_is_wanted)
{
	struct rig rig;
	int fds[2];

	setup(&rig);
	pair(fds);
	cr_assert_eq(seal_watch_new(&rig.watch, rig.loop, fds[0], see, &rig, NULL), 0);
	cr_assert_eq(write(fds[1], "x", 1), 1);
	run_for(&rig, 20);
	cr_expect_eq(rig.fired, 0, "nothing was wanted");

	seal_watch_want(rig.watch, false, true);
	run(&rig);
	cr_expect(rig.writable && !rig.readable);

	rig.writable = false;
	seal_watch_want(rig.watch, true, false);
	run(&rig);
	run(&rig); /* level triggered: still there */
	cr_expect(rig.readable && !rig.writable);

	rig.fired = 0;
	seal_watch_want(rig.watch, false, false);
	run_for(&rig, 20);
	cr_expect_eq(rig.fired, 0, "no longer wanted");
	close(fds[0]);
	close(fds[1]);
	teardown(&rig);
}

Test(watch, reports_the_end_of_the_peer)
{
	struct rig rig;
	int fds[2];

	setup(&rig);
	pair(fds);
	cr_assert_eq(seal_watch_new(&rig.watch, rig.loop, fds[0], see, &rig, NULL), 0);
	seal_watch_want(rig.watch, true, false);
	close(fds[1]);
	run(&rig);
	cr_expect(rig.readable);
	close(fds[0]);
	teardown(&rig);
}

static void
free_own_watch(void *arg, bool readable, bool writable)
{
	struct rig *rig = arg;

	seal_watch_free(rig->watch);
	rig->watch = NULL;
	see(rig, readable, writable);
}

Test(watch, may_be_freed_in_its_own_callback)
{
	struct rig rig;
	int fds[2];

	setup(&rig);
	pair(fds);
	cr_assert_eq(seal_watch_new(&rig.watch, rig.loop, fds[0], free_own_watch, &rig, NULL), 0);
	cr_assert_eq(write(fds[1], "x", 1), 1);
	seal_watch_want(rig.watch, true, true); /* both are ready: the second must not come */
	run(&rig);
	run_for(&rig, 20);
	cr_expect_eq(rig.fired, 1);
	close(fds[0]);
	close(fds[1]);
	teardown(&rig);
}

static void
on_signal(void *arg, int number)
{
	struct rig *rig = arg;

	rig->number = number;
	stop(rig);
}

Test(signals, arrive_in_the_loop)
{
	struct rig rig;
	struct seal_signal *sig = NULL;

	setup(&rig);
	cr_assert_eq(seal_signal_new(&sig, rig.loop, SIGTERM, on_signal, &rig, NULL), 0);
	cr_assert_eq(raise(SIGTERM), 0);
	cr_expect_eq(rig.fired, 0, "not in the handler itself");
	run(&rig);
	cr_expect_eq(rig.number, SIGTERM);
	cr_assert_eq(raise(SIGTERM), 0);
	run(&rig);
	cr_expect_eq(rig.fired, 2);
	seal_signal_free(sig);
	seal_signal_free(NULL);
	teardown(&rig);
}

#define WAKES 1000

struct waker {
	struct rig rig;
	struct seal_wake *wake;
	atomic_uint asked;
	unsigned seen;
};

static void *
ask_often(void *arg)
{
	struct waker *waker = arg;

	for (int i = 0; i < WAKES; i++) {
		atomic_fetch_add_explicit(&waker->asked, 1, memory_order_release);
		seal_wake_now(waker->wake);
	}
	return NULL;
}

static void
woken(void *arg)
{
	struct waker *waker = arg;

	waker->rig.fired++;
	waker->seen = atomic_load_explicit(&waker->asked, memory_order_acquire);
	if (waker->seen == WAKES)
		seal_loop_stop(waker->rig.loop);
}

Test(wake, no_call_from_another_thread_is_lost)
{
	struct waker waker = { 0 };
	pthread_t thread;

	setup(&waker.rig);
	cr_assert_eq(seal_wake_new(&waker.wake, waker.rig.loop, woken, &waker, NULL), 0);
	cr_assert_eq(pthread_create(&thread, NULL, ask_often, &waker), 0);
	run(&waker.rig);
	cr_expect_eq(waker.seen, WAKES);
	cr_expect_leq(waker.rig.fired, WAKES);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	seal_wake_free(waker.wake);
	seal_wake_free(NULL);
	teardown(&waker.rig);
}
