/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection as a table of states and events.  The two directions walk the same states with the
 * legs in the other order: an inbound connection comes from the wire and dials the application last,
 * an outbound one comes from the application and dials the peer first.
 *
 *   inbound:  accept ─▶ HANDSHAKE ─tls up─▶ ADMIT ─allowed─▶ DIAL ─joined─▶ RELAY ─eof─▶ DRAIN
 *   outbound: accept ─▶ DIAL ─wire up─▶ HANDSHAKE ─tls up─▶ ADMIT ─joined─▶ RELAY ─eof─▶ DRAIN
 *
 *   outbound: HANDSHAKE ─retry─▶ DIAL   (this target broke, another is left, nothing was sent)
 *
 *   HANDSHAKE, DIAL, RELAY, DRAIN ─failed, deadline, withdrawn─▶ CLOSED
 *   ADMIT ─denied, withdrawn─▶ CLOSED        RELAY, DRAIN ─flushed─▶ CLOSED
 *
 * No byte passes before ADMIT has said yes: the application's stream is first written to, and read
 * from, in RELAY.  One side's end is passed on within RELAY while the other side goes on; DRAIN is
 * entered when both have ended and bytes are still to be sent.
 *
 * proxy_conn_step is the only writer of the state.  Callbacks of the loop turn what happened into an
 * event and decide nothing.
 */
#include "proxy/conn_internal.h"

/* Lines per second about refused peers, and about our own bugs and shortages. */
#define REFUSED_BURST 100
#define FAILED_BURST  5

static void try_elsewhere(struct proxy_conn *conn, const char *why);
static void end_handshake(struct proxy_conn *conn, const char *why);
static void end_denied(struct proxy_conn *conn, const char *why);
static void end_failed(struct proxy_conn *conn, const char *why);
static void end_slow(struct proxy_conn *conn, const char *why);
static void end_withdrawn(struct proxy_conn *conn, const char *why);
static void end_in_order(struct proxy_conn *conn, const char *why);

/* Rows are states, columns events.  An empty cell (CONN_NONE is 0) cannot happen. */
static const struct conn_rule rules[CONN_N_STATES][CONN_N_EVENTS] = {
	[CONN_NONE] = {
		[CONN_EV_FROM_WIRE] = { CONN_HANDSHAKE, proxy_conn_begin_handshake },
		[CONN_EV_FROM_APP]  = { CONN_DIAL, proxy_conn_begin_dial },
		[CONN_EV_DENIED]    = { CONN_CLOSED, end_denied },
		[CONN_EV_FAILED]    = { CONN_CLOSED, end_failed },
	},
	[CONN_HANDSHAKE] = {
		[CONN_EV_TLS_UP]    = { CONN_ADMIT, proxy_conn_begin_admit },
		[CONN_EV_FAILED]    = { CONN_CLOSED, end_handshake },
		[CONN_EV_RETRY]     = { CONN_DIAL, try_elsewhere },
		[CONN_EV_DEADLINE]  = { CONN_CLOSED, end_slow },
		[CONN_EV_WITHDRAWN] = { CONN_CLOSED, end_withdrawn },
	},
	[CONN_ADMIT] = {
		[CONN_EV_ALLOWED]   = { CONN_DIAL, proxy_conn_begin_dial },
		[CONN_EV_JOINED]    = { CONN_RELAY, proxy_conn_begin_relay },
		[CONN_EV_DENIED]    = { CONN_CLOSED, end_denied },
		[CONN_EV_WITHDRAWN] = { CONN_CLOSED, end_withdrawn },
	},
	[CONN_DIAL] = {
		[CONN_EV_WIRE_UP]   = { CONN_HANDSHAKE, proxy_conn_begin_handshake },
		[CONN_EV_JOINED]    = { CONN_RELAY, proxy_conn_begin_relay },
		[CONN_EV_FAILED]    = { CONN_CLOSED, end_failed },
		[CONN_EV_DEADLINE]  = { CONN_CLOSED, end_slow },
		[CONN_EV_WITHDRAWN] = { CONN_CLOSED, end_withdrawn },
	},
	[CONN_RELAY] = {
		[CONN_EV_EOF]       = { CONN_DRAIN, NULL },
		[CONN_EV_FLUSHED]   = { CONN_CLOSED, end_in_order },
		[CONN_EV_FAILED]    = { CONN_CLOSED, end_failed },
		[CONN_EV_DEADLINE]  = { CONN_CLOSED, end_slow },
		[CONN_EV_WITHDRAWN] = { CONN_CLOSED, end_withdrawn },
	},
	[CONN_DRAIN] = {
		[CONN_EV_FLUSHED]   = { CONN_CLOSED, end_in_order },
		[CONN_EV_FAILED]    = { CONN_CLOSED, end_failed },
		[CONN_EV_DEADLINE]  = { CONN_CLOSED, end_slow },
		[CONN_EV_WITHDRAWN] = { CONN_CLOSED, end_withdrawn },
	},
};

/* For a cell that cannot happen, and did. */
static const struct conn_rule give_up = { CONN_CLOSED, end_failed };

/* What the log says when a state's time is up.  The times are in conns.c. */
static const char *const deadline_reasons[CONN_N_STATES] = {
	[CONN_HANDSHAKE] = "handshake deadline",
	[CONN_DIAL] = "connect deadline",
	[CONN_RELAY] = "idle",
	[CONN_DRAIN] = "drain deadline",
};

static const char *const state_names[CONN_N_STATES] = {
	[CONN_NONE] = "none",     [CONN_HANDSHAKE] = "handshake", [CONN_ADMIT] = "admit",
	[CONN_DIAL] = "dial",     [CONN_RELAY] = "relay",         [CONN_DRAIN] = "drain",
	[CONN_CLOSED] = "closed",
};

static const char *const event_names[CONN_N_EVENTS] = {
	[CONN_EV_FROM_WIRE] = "from_wire", [CONN_EV_FROM_APP] = "from_app",
	[CONN_EV_WIRE_UP] = "wire_up",     [CONN_EV_TLS_UP] = "tls_up",
	[CONN_EV_ALLOWED] = "allowed",     [CONN_EV_JOINED] = "joined",
	[CONN_EV_DENIED] = "denied",       [CONN_EV_EOF] = "eof",
	[CONN_EV_FLUSHED] = "flushed",     [CONN_EV_FAILED] = "failed",
	[CONN_EV_RETRY] = "retry",         [CONN_EV_DEADLINE] = "deadline",
	[CONN_EV_WITHDRAWN] = "withdrawn",
};

const struct conn_rule *
proxy_conn_rule(enum proxy_conn_state state, enum proxy_conn_event event)
{
	return &rules[state][event];
}

const char *
proxy_conn_state_name(enum proxy_conn_state state)
{
	return state_names[state];
}

const char *
proxy_conn_event_name(enum proxy_conn_event event)
{
	return event_names[event];
}

/* The one line about a connection.  Up is from who connected to who was connected. */
static void
log_end(const struct proxy_conn *conn, const char *why)
{
	enum conn_leg from = proxy_conn_comes_in(conn) ? LEG_WIRE : LEG_APP;
	uint64_t now = seal_loop_now_ms(conn->conns->loop);
	char address[SEAL_ADDR_TEXT_MAX];

	if (!seal_log_enabled(SEAL_LOG_INFO))
		return;
	proxy_conn_address(conn, address);
	seal_log(SEAL_LOG_INFO, "connection", SEAL_U64("conn", conn->id),
		 SEAL_STR("direction", proxy_direction_name(proxy_conn_direction(conn))),
		 SEAL_STR("listener", conn->listener->name),
		 SEAL_STR("peer", proxy_conn_peer_name(conn)),
		 SEAL_STR("workload", conn->peer != NULL ? conn->identity->workload : ""),
		 SEAL_STR("address", address), SEAL_U64("bytes_up", conn->relay.ways[from].bytes),
		 SEAL_U64("bytes_down", conn->relay.ways[!from].bytes),
		 SEAL_U64("duration_ms", now - conn->started_ms),
		 SEAL_STR("state", state_names[conn->reached]), SEAL_STR("reason", why));
}

static void
trace(const struct proxy_conn *conn, enum proxy_conn_state next, enum proxy_conn_event event)
{
	if (!seal_log_enabled(SEAL_LOG_DEBUG))
		return;
	seal_log(SEAL_LOG_DEBUG, "state", SEAL_U64("conn", conn->id),
		 SEAL_STR("from", state_names[conn->state]), SEAL_STR("to", state_names[next]),
		 SEAL_STR("on", event_names[event]));
}

static void
enter(struct proxy_conn *conn, enum proxy_conn_state next, const char *why)
{
	enum proxy_conn_state from = conn->state;

	conn->state = next;
	proxy_conns_move(conn->conns, conn, from);
	if (next != CONN_CLOSED)
		return;
	conn->reached = from;
	proxy_conn_unhook(conn);
	log_end(conn, why);
}

static void
report_bug(const struct proxy_conn *conn, enum proxy_conn_event event)
{
	uint64_t missed;

	if (!seal_log_may(&conn->conns->failed_limit, FAILED_BURST, &missed))
		return;
	seal_log(SEAL_LOG_ERROR, "bug", SEAL_U64("conn", conn->id),
		 SEAL_STR("state", state_names[conn->state]), SEAL_STR("on", event_names[event]),
		 SEAL_U64("missed", missed));
}

void
proxy_conn_step(struct proxy_conn *conn, enum proxy_conn_event event, const char *why)
{
	const struct conn_rule *rule = &rules[conn->state][event];

	if (rule->next == CONN_NONE) {
		report_bug(conn, event);
		if (conn->state == CONN_CLOSED)
			return;
		rule = &give_up;
		why = "internal error";
	}
	if (event == CONN_EV_DEADLINE && deadline_reasons[conn->state] != NULL)
		why = deadline_reasons[conn->state];
	trace(conn, rule->next, event);
	enter(conn, rule->next, why == NULL ? "" : why);
	if (rule->act != NULL)
		rule->act(conn, why);
}

/* Ends. */

static void
log_refused(struct proxy_conn *conn, const char *why)
{
	char address[SEAL_ADDR_TEXT_MAX];
	uint64_t missed;

	if (conn->limited)
		conn->listener->counters.limited++;
	else
		conn->listener->counters.refused++;
	if (!seal_log_may(&conn->conns->refused_limit, REFUSED_BURST, &missed))
		return;
	proxy_conn_address(conn, address);
	seal_log(SEAL_LOG_WARN, conn->limited ? "limit_reached" : "peer_refused",
		 SEAL_U64("conn", conn->id),
		 SEAL_STR("direction", proxy_direction_name(proxy_conn_direction(conn))),
		 SEAL_STR("listener", conn->listener->name), SEAL_STR("address", address),
		 SEAL_STR("reason", why), SEAL_U64("missed", missed));
}

static void
try_elsewhere(struct proxy_conn *conn, const char *why)
{
	conn->listener->counters.retried++;
	if (conn->refused)
		log_refused(conn, why);
	conn->refused = false;
	proxy_conn_begin_again(conn, why);
}

static void
end_handshake(struct proxy_conn *conn, const char *why)
{
	if (conn->refused)
		log_refused(conn, why);
	else
		conn->listener->counters.failed++;
}

static void
end_denied(struct proxy_conn *conn, const char *why)
{
	log_refused(conn, why);
}

static void
end_failed(struct proxy_conn *conn, const char *why)
{
	(void)why;
	conn->listener->counters.failed++;
}

static void
end_slow(struct proxy_conn *conn, const char *why)
{
	(void)why;
	conn->cut = true;
	conn->listener->counters.slow++;
	if (conn->pool != NULL && !conn->admitted)
		proxy_pool_failed(conn->pool, conn->target);
}

static void
end_withdrawn(struct proxy_conn *conn, const char *why)
{
	(void)why;
	conn->cut = true;
	if (conn->limited)
		conn->listener->counters.limited++;
	else
		conn->listener->counters.withdrawn++;
}

static void
end_in_order(struct proxy_conn *conn, const char *why)
{
	(void)why;
	conn->clean = true;
	conn->listener->counters.finished++;
}
