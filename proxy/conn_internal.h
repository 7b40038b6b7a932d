/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONN_INTERNAL_H
#define SEAL_PROXY_CONN_INTERNAL_H

/*
 * What the machine (conn.c), its legs (handshake.c, legs.c) and the lists it lives in (conns.c) share.
 */

#include <netinet/in.h>

#include "base/log/log.h"
#include "proxy/conn.h"
#include "proxy/dial.h"
#include "proxy/doors.h"
#include "proxy/known.h"
#include "proxy/relay.h"
#include "proxy/tally.h"

enum conn_leg { LEG_WIRE, LEG_APP, LEG_COUNT };

/* Lists are by state, but for handshakes that our own applications wait for: they never give way. */
#define CONN_LIST_OWN_HANDSHAKES CONN_N_STATES
#define CONN_N_LISTS             (CONN_N_STATES + 1)

/* An address of a peer, in as many bytes as it needs. */
union conn_addr {
	sa_family_t family;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Every connection at rest holds one: what only a passing state needs is in struct conn_passing. */
struct proxy_conn {
	TAILQ_ENTRY(proxy_conn) link;    /* in the list of its state */
	TAILQ_ENTRY(proxy_conn) more;    /* in the list of those with bytes at hand */
	TAILQ_ENTRY(proxy_conn) unheard; /* in the list of those with a leg nobody waits for */
	struct proxy_conns *conns;
	struct proxy_listener *listener;       /* referenced */
	struct proxy_identity_state *identity; /* of its handshake, referenced */
	struct proxy_relay relay;              /* owns sides[LEG_WIRE] and sides[LEG_APP] */
	struct seal_watch *watches[LEG_COUNT];
	struct conn_passing *passing; /* NULL once relaying */
	struct proxy_pool *pool;      /* referenced, while target is counted */
	struct proxy_known *peer;     /* who is there, once verified; NULL for the public */
	struct proxy_tally_entry *source_count;
	struct proxy_tally_entry *peer_count;
	char *client_name; /* public: the verified certificate's common name */
	uint64_t id;
	uint64_t started_ms;
	uint64_t deadline_ms; /* UINT64_MAX: none */
	int64_t admitted_at;  /* seconds since the epoch */
	union conn_addr addr; /* of the peer */
	unsigned target;
	enum proxy_conn_state state;
	enum proxy_conn_state reached; /* the last one before CLOSED */
	bool refused;                  /* the verification, or the handshake itself, said no */
	bool limited;                  /* a limit said no */
	bool admitted;                 /* ADMIT said yes: only now bytes may pass */
	bool clean;                    /* ended in order: no reset needed */
	bool cut;                      /* we ended it */
	bool has_more;
	bool is_unheard;
};

/* What is needed until both legs stand. */
struct conn_passing {
	struct proxy_dial *dial;
	struct proxy_pool *pool;     /* referenced: what is dialled */
	struct proxy_public *public; /* referenced: of its handshake */
	uint32_t tried;              /* targets whose handshake broke */
	uint64_t dial_until_ms;      /* outbound: no other target is tried after that */
	uint64_t handshake_us;       /* when it began */
	char *scope;                 /* of the session to resume */
};

TAILQ_HEAD(conn_list, proxy_conn);

struct proxy_conns {
	struct seal_loop *loop;
	struct seal_staging *staging;
	struct proxy_limits limits;
	uint32_t connect_ms;
	struct proxy_identity_state *identity;
	struct conn_list lists[CONN_N_LISTS]; /* by deadline, the nearest first */
	struct conn_list more;
	struct conn_list unheard;
	uint32_t deadlines[CONN_N_STATES]; /* milliseconds; 0: none */
	struct seal_timer *deadline;
	uint64_t deadline_armed_ms; /* UINT64_MAX: not armed */
	struct seal_timer *after;   /* the turn: reaps, and gives those with more their next turn */
	struct seal_timer *tidy;    /* after many have come or gone: memory back to the system */
	struct seal_timer *listen;  /* asks after the unheard; runs while there are any */
	bool listening;             /* it runs */
	unsigned churn;             /* how many, since the last time */
	size_t open;
	size_t handshakes; /* in flight, of those who came to us */
	unsigned budget;   /* handshake steps left in this turn */
	struct proxy_tally *sources;
	struct proxy_tally *peers;
	struct proxy_known_table known;
	seal_timer_fn on_empty;
	void *on_empty_arg;
	uint64_t next_id;
	struct seal_log_limit refused_limit;
	struct seal_log_limit limited_limit;
	struct seal_log_limit failed_limit;
};

/* A row and column of the table. */
struct conn_rule {
	enum proxy_conn_state next;
	void (*act)(struct proxy_conn *conn, const char *why);
};
const struct conn_rule *proxy_conn_rule(enum proxy_conn_state state, enum proxy_conn_event event);
const char *proxy_conn_event_name(enum proxy_conn_event event);

/* What happened, and for failures why; the only way into the machine. */
void proxy_conn_step(struct proxy_conn *conn, enum proxy_conn_event event, const char *why);
/* What entering a state begins (handshake.c, legs.c); why is NULL. */
void proxy_conn_begin_handshake(struct proxy_conn *conn, const char *why);
void proxy_conn_begin_admit(struct proxy_conn *conn, const char *why);
void proxy_conn_begin_dial(struct proxy_conn *conn, const char *why);
void proxy_conn_begin_relay(struct proxy_conn *conn, const char *why);
/* After a handshake that broke: forget the wire, dial another target. */
void proxy_conn_begin_again(struct proxy_conn *conn, const char *why);

enum proxy_direction proxy_conn_direction(const struct proxy_conn *conn);
/* From the wire, not from our applications. */
bool proxy_conn_comes_in(const struct proxy_conn *conn);
const char *proxy_conn_peer_name(const struct proxy_conn *conn);
void proxy_conn_address(const struct proxy_conn *conn, char text[static SEAL_ADDR_TEXT_MAX]);
/* What a leg waits for. */
void proxy_conn_want(struct proxy_conn *conn, enum conn_leg leg, bool readable, bool writable);
/* Begin TLS on the connected socket of the wire's leg (handshake.c); fd is the caller's on failure. */
SEAL_CHECKED int proxy_conn_open_wire(struct proxy_conn *conn, int fd, struct seal_err *err);
/* One more step of the handshake, or turn of relaying. */
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
/*
 * While we wait for nothing on a leg (its bytes would have nowhere to go, or it has said its last), the
 * loop does not tell that it broke: it is asked, once a second (unheard.c).
 */
void proxy_conns_set_unheard(struct proxy_conn *conn, bool unheard);
SEAL_CHECKED int proxy_unheard_new(struct proxy_conns *conns, struct seal_err *err);

/* True when one more handshake step fits into this turn; otherwise it is for the next. */
bool proxy_conns_may_shake(struct proxy_conns *conns);

#endif
