/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONN_H
#define SEAL_PROXY_CONN_H

/*
 * Connections of one worker: a state machine each (conn.c), kept in lists by state (conns.c).  A
 * connection has two legs, the wire (TLS, a peer) and the application (plain, local).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/stream/stream.h"
#include "proxy/proxy.h"

enum proxy_conn_state {
	CONN_NONE, /* as a state: not begun; as the next state in a rule: cannot happen */
	CONN_HANDSHAKE,
	CONN_ADMIT,
	CONN_DIAL,
	CONN_RELAY,
	CONN_DRAIN,
	CONN_CLOSED,
	CONN_N_STATES
};

enum proxy_conn_event {
	CONN_EV_FROM_WIRE, /* accepted on an inbound listener */
	CONN_EV_FROM_APP,  /* accepted on an outbound listener */
	CONN_EV_WIRE_UP,   /* outbound: TCP to the peer stands */
	CONN_EV_TLS_UP,    /* the handshake is done */
	CONN_EV_ALLOWED,   /* inbound: the peer may, the application is yet to be dialled */
	CONN_EV_JOINED,    /* both legs stand and the peer is admitted */
	CONN_EV_DENIED,    /* the peer may not */
	CONN_EV_EOF,       /* both sides have ended; unsent bytes remain */
	CONN_EV_FLUSHED,   /* nothing remains */
	CONN_EV_FAILED,    /* something broke */
	CONN_EV_DEADLINE,  /* the state's time is up */
	CONN_EV_WITHDRAWN, /* what was allowed no longer is, or the worker ends */
	CONN_N_EVENTS
};

/* Totals since the start, for one worker; read in its thread. */
struct proxy_counters {
	uint64_t accepted;
	uint64_t admitted;
	uint64_t refused;     /* by verification or policy */
	uint64_t no_identity; /* accepted and closed at once: no valid certificate of our own */
	uint64_t failed;      /* broken before or after admission */
	uint64_t slow;        /* missed a deadline */
	uint64_t withdrawn;
	uint64_t finished;     /* ended in order */
	uint64_t bytes_to_app; /* of ended connections */
	uint64_t bytes_to_wire;
	uint64_t open; /* now */
};

/* A listener as connections see it; outlives them. */
struct proxy_listener {
	const struct proxy_listener_config *config;
	char name[SEAL_HOSTNAME_MAX + 16];
	size_t next_target; /* round robin */
};

struct proxy_conn;

/* The connections of a worker. */
struct proxy_conns;
SEAL_CHECKED int proxy_conns_new(struct proxy_conns **ret_conns, struct seal_loop *loop,
				 const struct proxy_config *config, struct seal_err *err);
/* Ends every connection. */
void proxy_conns_free(struct proxy_conns *conns);

/*
 * Begin a connection on an accepted socket, which is taken over in any case.  What goes wrong is
 * logged here.  Requires a state (proxy_conns_set_state).
 */
void proxy_conns_accept(struct proxy_conns *conns, struct proxy_listener *listener, int fd,
			const struct sockaddr *addr, socklen_t addr_len);
/*
 * New connections use this state, of which a reference is taken; live ones whose peer is no longer
 * allowed are closed, others are untouched.
 */
void proxy_conns_set_state(struct proxy_conns *conns, struct proxy_identity_state *state);
/* Borrowed; NULL before the first. */
const struct proxy_identity_state *proxy_conns_state(const struct proxy_conns *conns);
/* Close every connection, with the reason in its line. */
void proxy_conns_end_all(struct proxy_conns *conns, const char *reason);
/* Call fn in the loop each time the last connection has gone. */
void proxy_conns_on_empty(struct proxy_conns *conns, seal_timer_fn fn, void *arg);
struct seal_staging *proxy_conns_staging(const struct proxy_conns *conns);
struct proxy_counters *proxy_conns_counters(struct proxy_conns *conns);

#endif
