/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An open loop: the schedule is fixed beforehand, request i at i / rate on connection i mod count, so
 * the n-th answer of a connection tells which request it is for and when that was due.
 */

#include "tests/bench/rate.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A connection's part of the schedule. */
struct lane {
	uint64_t due;  /* messages whose time has come */
	uint64_t sent; /* bytes */
	uint64_t received;
	uint8_t answer[MESSAGE_LEN];
};

struct schedule {
	struct crowd *crowd;
	struct lane *lanes;
	uint64_t start_ns;
	uint64_t per_second;
	uint64_t count;
	uint64_t begun;
	uint64_t answered;
	uint64_t *latencies;
};

static uint64_t
due_ns(const struct schedule *schedule, uint64_t request)
{
	return schedule->start_ns + request * 1000000000u / schedule->per_second;
}

static uint64_t
request_of(const struct schedule *schedule, size_t lane, uint64_t nth)
{
	return nth * schedule->crowd->count + lane;
}

static void
lane_send(struct schedule *schedule, size_t index)
{
	struct lane *lane = &schedule->lanes[index];
	uint8_t bytes[MESSAGE_LEN];

	while (lane->sent < lane->due * MESSAGE_LEN) {
		struct message message = { EXCHANGE_ECHO, 0,
					   request_of(schedule, index, lane->sent / MESSAGE_LEN) };
		size_t at = lane->sent % MESSAGE_LEN;
		ssize_t sent;

		message_write(bytes, &message);
		sent = transmit(schedule->crowd->clients[index].fd, bytes + at, MESSAGE_LEN - at);
		if (sent < 0)
			die("request %" PRIu64 ": not sent: %m", message.number);
		if (sent == 0)
			return;
		lane->sent += (uint64_t)sent;
	}
}

/* The last byte of the connection's next answer has come. */
static void
lane_answer(struct schedule *schedule, size_t index, uint64_t now)
{
	struct lane *lane = &schedule->lanes[index];
	uint64_t request = request_of(schedule, index, lane->received / MESSAGE_LEN - 1);
	struct message message;

	if (lane->received > lane->due * MESSAGE_LEN || !message_read(&message, lane->answer) ||
	    message.number != request)
		die("request %" PRIu64 ": wrong answer", request);
	schedule->latencies[schedule->answered++] = now - due_ns(schedule, request);
}

static void
lane_take(struct schedule *schedule, size_t index, const uint8_t *bytes, size_t len, uint64_t now)
{
	struct lane *lane = &schedule->lanes[index];

	while (len > 0) {
		size_t at = lane->received % MESSAGE_LEN;
		size_t part = len < MESSAGE_LEN - at ? len : MESSAGE_LEN - at;

		memcpy(lane->answer + at, bytes, part);
		lane->received += part;
		bytes += part;
		len -= part;
		if (lane->received % MESSAGE_LEN == 0)
			lane_answer(schedule, index, now);
	}
}

static void
lane_receive(struct schedule *schedule, size_t index)
{
	struct crowd *crowd = schedule->crowd;
	ssize_t got;

	do {
		got = receive(crowd->clients[index].fd, crowd->buffer, CHUNK);
		if (got < 0)
			die("closed after %" PRIu64 " answers", schedule->answered);
		if (got > 0)
			lane_take(schedule, index, crowd->buffer, (size_t)got, now_ns());
	} while (got > 0);
}

static void
send_what_is_due(struct schedule *schedule)
{
	uint64_t now = now_ns();

	while (schedule->begun < schedule->count && due_ns(schedule, schedule->begun) <= now) {
		size_t lane = schedule->begun++ % schedule->crowd->count;

		schedule->lanes[lane].due++;
		lane_send(schedule, lane);
	}
}

static void
set_alarm(const struct schedule *schedule, int timer)
{
	uint64_t at = due_ns(schedule, schedule->begun);
	struct itimerspec when = { 0 };

	when.it_value.tv_sec = (time_t)(at / 1000000000u);
	when.it_value.tv_nsec = (long)(at % 1000000000u);
	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		die("timer: %m");
}

static void
run(struct schedule *schedule, int timer)
{
	struct crowd *crowd = schedule->crowd;
	struct epoll_event events[256];

	while (schedule->answered < schedule->count) {
		int count;

		if (schedule->begun < schedule->count)
			set_alarm(schedule, timer);
		count = epoll_wait(crowd->epoll, events, 256, -1);
		if (count < 0 && errno != EINTR)
			die("epoll: %m");
		send_what_is_due(schedule);
		for (int i = 0; i < count; i++) {
			struct client *client = events[i].data.ptr;
			size_t lane;

			if (client == NULL)
				continue;
			lane = (size_t)(client - crowd->clients);
			lane_send(schedule, lane);
			lane_receive(schedule, lane);
		}
	}
}

static int
ascending(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* The n-th thousandth of sorted values, rounded up. */
static uint64_t
quantile(const uint64_t *sorted, uint64_t count, uint64_t thousandths)
{
	return sorted[(count * thousandths + 999) / 1000 - 1];
}

void
rate_run(struct crowd *crowd, uint64_t per_second, uint64_t seconds, struct rate *ret_rate)
{
	struct schedule schedule = { .crowd = crowd,
				     .per_second = per_second,
				     .count = per_second * seconds };
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	schedule.lanes = calloc(crowd->count, sizeof(*schedule.lanes));
	schedule.latencies = calloc(schedule.count, sizeof(*schedule.latencies));
	if (timer < 0 || schedule.lanes == NULL || schedule.latencies == NULL)
		die("no memory for %" PRIu64 " requests", schedule.count);
	if (epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, timer, &event) < 0 ||
	    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul) < 0)
		die("timer: %m");
	schedule.start_ns = now_ns() + 1000000u;
	run(&schedule, timer);
	qsort(schedule.latencies, schedule.count, sizeof(*schedule.latencies), ascending);
	*ret_rate = (struct rate){ .count = schedule.count,
				   .p50_ns = quantile(schedule.latencies, schedule.count, 500),
				   .p99_ns = quantile(schedule.latencies, schedule.count, 990),
				   .p999_ns = quantile(schedule.latencies, schedule.count, 999),
				   .max_ns = schedule.latencies[schedule.count - 1] };
	close(timer);
	free(schedule.lanes);
	free(schedule.latencies);
}
