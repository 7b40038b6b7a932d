/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONN_INTERNAL_H
#define SEAL_PROXY_CONN_INTERNAL_H

/*
 * What the machine (conn.c) and the lists it lives in (conns.c) share.
 */

#include "base/log/log.h"
#include "proxy/conn.h"
#include "proxy/dial.h"
#include "proxy/relay.h"

enum conn_leg { LEG_WIRE, LEG_APP, LEG_COUNT };

struct proxy_conn {
	TAILQ_ENTRY(proxy_conn) link; /* in the list of its state */
	TAILQ_ENTRY(proxy_conn) more; /* in the list of those with bytes at hand */
	struct proxy_conns *conns;
	struct proxy_listener *listener;
	struct proxy_identity_state *identity; /* of its handshake, referenced */
	struct proxy_relay relay;              /* owns sides[LEG_WIRE] and sides[LEG_APP] */
	struct seal_watch *watches[LEG_COUNT];
	struct proxy_dial *dial; /* while dialling */
	uint64_t id;
	uint64_t started_ms;
	uint64_t deadline_ms; /* UINT64_MAX: none */
	int64_t admitted_at;  /* seconds since the epoch */
	enum proxy_conn_state state;
	enum proxy_conn_state reached; /* the last one before CLOSED */
	bool verified;                 /* peer holds who is there */
	bool refused;                  /* the verification, or the handshake itself, said no */
	bool admitted;                 /* ADMIT said yes: only now bytes may pass */
	bool clean;                    /* ended in order: no reset needed */
	bool cut;                      /* we ended it */
	bool has_more;
	struct seal_peer peer;
	char address[SEAL_ADDR_TEXT_MAX]; /* of the peer */
};

TAILQ_HEAD(conn_list, proxy_conn);

struct proxy_conns {
	struct seal_loop *loop;
	struct seal_staging *staging;
	const struct proxy_config *config;
	struct proxy_identity_state *identity;
	struct conn_list lists[CONN_N_STATES]; /* by deadline, the nearest first */
	struct conn_list more;
	uint32_t deadlines[CONN_N_STATES]; /* milliseconds; 0: none */
	struct seal_timer *deadline;
	uint64_t deadline_armed_ms; /* UINT64_MAX: not armed */
	struct seal_timer *after;   /* the turn: reaps, and gives those with more their next turn */
	seal_timer_fn on_empty;
	void *on_empty_arg;
	uint64_t next_id;
	struct proxy_counters counters;
	struct seal_log_limit refused_limit;
	struct seal_log_limit failed_limit;
};

/* A row and column of the table. */
struct conn_rule {
	enum proxy_conn_state next;
	void (*act)(struct proxy_conn *conn, const char *why);
};
const struct conn_rule *proxy_conn_rule(enum proxy_conn_state state, enum proxy_conn_event event);
const char *proxy_conn_state_name(enum proxy_conn_state state);
const char *proxy_conn_event_name(enum proxy_conn_event event);

/* What happened, and for failures why; the only way into the machine. */
void proxy_conn_step(struct proxy_conn *conn, enum proxy_conn_event event, const char *why);
/* What entering a state begins (legs.c); why is NULL. */
void proxy_conn_begin_handshake(struct proxy_conn *conn, const char *why);
void proxy_conn_begin_admit(struct proxy_conn *conn, const char *why);
void proxy_conn_begin_dial(struct proxy_conn *conn, const char *why);
void proxy_conn_begin_relay(struct proxy_conn *conn, const char *why);

bool proxy_conn_is_inbound(const struct proxy_conn *conn);
/* One more turn of relaying. */
void proxy_conn_turn(struct proxy_conn *conn);
/* Nothing calls back any more; the rest is released when the turn is over. */
void proxy_conn_unhook(struct proxy_conn *conn);
/* Release everything; the connection must be CLOSED and in no list. */
void proxy_conn_free(struct proxy_conn *conn);

/* Lists: move to the list of its state, with that state's deadline. */
void proxy_conns_move(struct proxy_conns *conns, struct proxy_conn *conn,
		      enum proxy_conn_state from);
/* Something moved: the state's time begins anew. */
void proxy_conns_touch(struct proxy_conns *conns, struct proxy_conn *conn);
/* Give the connection another turn after this one. */
void proxy_conns_add_more(struct proxy_conns *conns, struct proxy_conn *conn);

#endif
