/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Legs nobody waits for: bytes from them would have nowhere to go, or they have said their last.  An
 * event loop tells nothing of a descriptor from which nothing is wanted, so that a caller could leave
 * behind an application that does not read, and nobody would notice.  Asked a second later, in a bulk
 * transfer that stalls and goes on in microseconds this costs no system call.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "proxy/conn_internal.h"

#define LISTEN_MS 1000u
/* So many at a time: many of them must not stop those that move. */
#define ASKED_A_TURN 1000u

/* What a leg came to: the socket's error, once it has one. */
static int
broken(const struct seal_stream *stream)
{
	socklen_t len = sizeof(int);
	int outcome = 0;

	if (getsockopt(seal_stream_fd(stream), SOL_SOCKET, SO_ERROR, &outcome, &len) < 0)
		return errno;
	return outcome == 0 ? ECONNRESET : outcome;
}

/* What we hold is of no use to anybody, and the other leg is told so at once: cut off, not ended. */
static void
end_broken(struct proxy_conn *conn, enum conn_leg leg)
{
	struct seal_err err = { 0 };

	(void)seal_fail_errno(&err, broken(conn->relay.sides[leg]), "%s",
			      leg == LEG_WIRE ? "peer" : "application");
	conn->cut = true;
	proxy_conn_step(conn, CONN_EV_FAILED, err.text);
}

/*
 * A reset, or a host that no longer answers, ends the connection.  Who has only ended his own direction
 * may still wait for an answer, however long; but who has left both ways waits for nothing, and what he
 * said last is all that is left to do.
 */
static void
ask(struct proxy_conn *conn)
{
	for (enum conn_leg leg = 0; leg < LEG_COUNT; leg++) {
		struct pollfd leg_fd = { .fd = seal_stream_fd(conn->relay.sides[leg]) };

		if (poll(&leg_fd, 1, 0) != 1)
			continue;
		if ((leg_fd.revents & POLLERR) != 0) {
			end_broken(conn, leg);
			return;
		}
		if ((leg_fd.revents & POLLHUP) != 0 && conn->state == CONN_RELAY &&
		    !conn->relay.ways[leg].read_to_end) {
			proxy_conn_step(conn, CONN_EV_EOF, NULL);
			return;
		}
	}
}

/* The longest in the list first; who stays in it goes to its end. */
static void
on_listen(void *arg)
{
	struct proxy_conns *conns = arg;
	struct proxy_conn *last = TAILQ_LAST(&conns->unheard, conn_list);
	struct proxy_conn *conn = NULL;

	for (unsigned i = 0; i < ASKED_A_TURN && conn != last; i++) {
		conn = TAILQ_FIRST(&conns->unheard);
		TAILQ_REMOVE(&conns->unheard, conn, unheard);
		TAILQ_INSERT_TAIL(&conns->unheard, conn, unheard);
		if (conn->state == CONN_RELAY || conn->state == CONN_DRAIN)
			ask(conn);
	}
	conns->listening = last != NULL;
	if (last != NULL)
		seal_timer_arm(conns->listen, LISTEN_MS);
}

void
proxy_conns_set_unheard(struct proxy_conn *conn, bool unheard)
{
	struct proxy_conns *conns = conn->conns;

	if (conn->is_unheard == unheard)
		return;
	conn->is_unheard = unheard;
	if (!unheard) {
		TAILQ_REMOVE(&conns->unheard, conn, unheard);
		return;
	}
	TAILQ_INSERT_TAIL(&conns->unheard, conn, unheard);
	if (!conns->listening)
		seal_timer_arm(conns->listen, LISTEN_MS);
	conns->listening = true;
}

int
proxy_unheard_new(struct proxy_conns *conns, struct seal_err *err)
{
	return seal_timer_new(&conns->listen, conns->loop, on_listen, conns, err);
}
