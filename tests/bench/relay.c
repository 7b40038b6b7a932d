/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench-relay LISTEN TARGET: the floor.  Copies bytes between two plain sockets on loopback, 64 KiB at
 * a time, half-close passed on, back-pressure by not reading; no TLS, no policy, no limits, no log.
 */

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/traffic.h"

/* One direction: what was read and could not be written waits here, and nothing is read meanwhile. */
struct flow {
	uint8_t *waiting;
	size_t at;
	size_t len;
	bool ending; /* the other side has said that it ends: read on until that shows */
	bool ended;  /* nothing more to read, and the end was passed on */
};

struct pair;

struct end {
	struct pair *pair;
	int fd;
	struct flow from; /* what is read here */
};

struct pair {
	struct end ends[2];
	struct pair *next_dead;
	bool dead;
};

struct relay {
	int epoll;
	int listener;
	uint16_t target;
	struct pair *dead; /* freed after the batch of events they may still be in */
	uint8_t buffer[CHUNK];
};

static void
watch(struct relay *relay, int fd, void *of, uint32_t events)
{
	struct epoll_event event = { .events = events };

	event.data.ptr = of;
	if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll: %m");
}

static void
flow_keep(struct flow *flow, const uint8_t *bytes, size_t len)
{
	flow->waiting = malloc(len);
	if (flow->waiting == NULL)
		die("no memory");
	memcpy(flow->waiting, bytes, len);
	flow->at = 0;
	flow->len = len;
}

/* 1: nothing waits; 0: it would block; -1: broken. */
static int
flow_flush(struct flow *flow, int to)
{
	while (flow->waiting != NULL) {
		ssize_t sent = transmit(to, flow->waiting + flow->at, flow->len - flow->at);

		if (sent <= 0)
			return (int)sent;
		flow->at += (size_t)sent;
		if (flow->at == flow->len) {
			free(flow->waiting);
			flow->waiting = NULL;
		}
	}
	return 1;
}

/* Move what there is from one end to the other; -1 when the pair is broken. */
static int
flow_run(struct relay *relay, struct end *from, struct end *to)
{
	struct flow *flow = &from->from;
	int state = flow_flush(flow, to->fd);

	while (state > 0 && !flow->ended) {
		ssize_t got = receive(from->fd, relay->buffer, CHUNK);
		ssize_t sent;

		if (got == 0)
			return 0;
		if (got < 0) {
			flow->ended = true;
			return errno == 0 && shutdown(to->fd, SHUT_WR) == 0 ? 0 : -1;
		}
		sent = transmit(to->fd, relay->buffer, (size_t)got);
		if (sent < 0)
			return -1;
		if (sent < got) {
			flow_keep(flow, relay->buffer + sent, (size_t)(got - sent));
			return 0;
		}
		/* Nothing was left, and what comes is a new edge. */
		if (got < (ssize_t)CHUNK && !flow->ending)
			return 0;
	}
	return state < 0 ? -1 : 0;
}

static void
end_pair(struct relay *relay, struct pair *pair)
{
	for (size_t i = 0; i < 2; i++) {
		close(pair->ends[i].fd);
		free(pair->ends[i].from.waiting);
	}
	pair->dead = true;
	pair->next_dead = relay->dead;
	relay->dead = pair;
}

static void
turn(struct relay *relay, struct end *end, uint32_t events)
{
	struct pair *pair = end->pair;
	struct end *other = &pair->ends[end == &pair->ends[0]];

	if (pair->dead)
		return;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		end->from.ending = true;
	if (flow_run(relay, end, other) < 0 || flow_run(relay, other, end) < 0 ||
	    (end->from.ended && other->from.ended))
		end_pair(relay, pair);
}

static void
welcome(struct relay *relay)
{
	int fd;

	while ((fd = accept_from(relay->listener)) >= 0) {
		struct pair *pair = calloc(1, sizeof(*pair));

		if (pair == NULL)
			die("no memory");
		pair->ends[0].fd = fd;
		pair->ends[1].fd = connect_to(relay->target);
		for (size_t i = 0; i < 2; i++) {
			pair->ends[i].pair = pair;
			watch(relay, pair->ends[i].fd, &pair->ends[i],
			      EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP);
		}
	}
}

static void
bury(struct relay *relay)
{
	while (relay->dead != NULL) {
		struct pair *pair = relay->dead;

		relay->dead = pair->next_dead;
		free(pair);
	}
}

int
main(int argc, char **argv)
{
	static struct relay relay;
	struct epoll_event events[256];

	if (argc != 3)
		die("usage: bench-relay LISTEN TARGET");
	raise_descriptor_limit();
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	relay.target = (uint16_t)number_of("TARGET", argv[2], 1, 65535);
	relay.listener = listen_on((uint16_t)number_of("LISTEN", argv[1], 1, 65535));
	watch(&relay, relay.listener, NULL, EPOLLIN);
	for (;;) {
		int count = epoll_wait(relay.epoll, events, 256, -1);

		if (count < 0 && errno != EINTR)
			die("epoll: %m");
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				welcome(&relay);
			else
				turn(&relay, events[i].data.ptr, events[i].events);
		}
		bury(&relay);
	}
}
