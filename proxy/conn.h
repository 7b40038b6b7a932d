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
#include "proxy/pool.h"
#include "proxy/proxy.h"
#include "proxy/public.h"

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
	CONN_EV_RETRY,     /* outbound: this target's handshake broke, another may do */
	CONN_EV_DEADLINE,  /* the state's time is up */
	CONN_EV_WITHDRAWN, /* what was allowed no longer is, or the worker ends */
	CONN_N_EVENTS
};

/* Handshake times: upper bounds of the buckets, microseconds; the last bucket has none. */
#define PROXY_HANDSHAKE_BUCKETS 10
extern const uint32_t proxy_handshake_bounds_us[PROXY_HANDSHAKE_BUCKETS - 1];

const char *proxy_conn_state_name(enum proxy_conn_state state);

/* Totals of one listener since the start; read in its thread. */
struct proxy_counters {
	uint64_t accepted;
	uint64_t admitted;
	uint64_t refused;     /* by verification or policy */
	uint64_t limited;     /* by a limit: connections, source, peer, handshakes, descriptors */
	uint64_t no_identity; /* accepted and closed at once: no valid certificate of our own */
	uint64_t failed;      /* broken before or after admission */
	uint64_t slow;        /* missed a deadline */
	uint64_t withdrawn;
	uint64_t finished; /* ended in order */
	uint64_t resumed;  /* handshakes that resumed a session */
	uint64_t retried;  /* outbound: another target was tried after a handshake failed */
	uint64_t bytes_to_app;
	uint64_t bytes_to_wire;
	uint64_t open; /* now */
	uint64_t handshakes[PROXY_HANDSHAKE_BUCKETS];
	uint64_t handshake_us; /* the sum */
};

void proxy_counters_add(struct proxy_counters *sum, const struct proxy_counters *more);

/*
 * A listener as connections see it.  Reference counted within its thread: it outlives its removal by a
 * reload until its last connection has ended.
 */
struct proxy_listener {
	unsigned refs;
	struct proxy_config *origin;                /* referenced; holds config */
	const struct proxy_listener_config *config; /* as of the last reload */
	struct proxy_pool *pool;
	struct proxy_public *public; /* public listeners */
	char name[SEAL_HOSTNAME_MAX + 16];
	struct proxy_counters counters;
	struct proxy_counters *gone; /* where they are added when it ends */
	bool removed;
};

/* What is told about a connection. */
struct proxy_conn_info {
	uint64_t id;
	const struct proxy_listener *listener;
	enum proxy_conn_state state;
	const char *peer; /* "" before it is verified */
	const char *address;
	uint64_t bytes_up;
	uint64_t bytes_down;
	uint64_t age_ms;
};
typedef void (*proxy_conn_info_fn)(void *arg, const struct proxy_conn_info *info);

struct proxy_conn;

/* The connections of a worker. */
struct proxy_conns;
SEAL_CHECKED int proxy_conns_new(struct proxy_conns **ret_conns, struct seal_loop *loop,
				 const struct proxy_config *config, struct seal_err *err);
/* Ends every connection. */
void proxy_conns_free(struct proxy_conns *conns);

/*
 * Is there room for one more connection?  Makes some where slow handshakes hold it; says why not.
 */
bool proxy_conns_make_room(struct proxy_conns *conns, const char **ret_why);
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
/*
 * Limits and deadlines of this configuration from now on; live connections are held against what their
 * listeners say now.
 */
void proxy_conns_set_config(struct proxy_conns *conns, const struct proxy_config *config);
/* Close every connection, with the reason in its line. */
void proxy_conns_end_all(struct proxy_conns *conns, const char *reason);
/* Call fn in the loop each time the last connection has gone. */
void proxy_conns_on_empty(struct proxy_conns *conns, seal_timer_fn fn, void *arg);
void proxy_conns_each(const struct proxy_conns *conns, proxy_conn_info_fn fn, void *arg);
struct seal_staging *proxy_conns_staging(const struct proxy_conns *conns);
/* Now. */
size_t proxy_conns_open(const struct proxy_conns *conns);
size_t proxy_conns_handshakes(const struct proxy_conns *conns);

#endif
