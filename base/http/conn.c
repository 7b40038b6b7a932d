/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the server, as a state machine:
 *
 *   accept ─▶ HANDSHAKE ─up─▶ IDLE ─bytes─▶ HEAD ─head─▶ BODY
 *                 │             ▲ ▲           │ │request   │ │
 *                 │             │ └───────┐   │ └─▶ HANDLER ◀┘ request
 *                 │             │         │   │bad,     │reply │bad, deadline
 *                 │             │         │   │deadline ▼      │
 *                 │             │         └──sent──── REPLY ◀──┘
 *                 │             │ drain, eof            │ last sent
 *                 │ failed      │ deadline              ▼
 *                 │ deadline    │                     LINGER
 *                 ▼             ▼                       │ eof, spent, deadline
 *               CLOSED ◀────────┴───────────────────────┘       (failed: from everywhere)
 *
 * Requests are served one at a time.  Nothing is read while one is being answered, so a peer that
 * pipelines fills its own socket, not our memory; and a peer that leaves is noticed when the reply is
 * sent, so a request outlives its peer and a handler may answer as late as it likes.  HANDLER is
 * therefore the one state without a deadline: it waits for ourselves.  A handler that wants to know
 * whether anybody still waits asks to be told (eof, failed: from HANDLER to CLOSED).
 *
 * Callbacks turn what happened into an event and take a turn (drive.c).
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http/http_internal.h"

/*
 * After the last reply the peer may still be sending: to close with its bytes unread would reset the
 * connection and could destroy the reply on its way (RFC 9112 section 9.6).  drive.c bounds how much
 * is thrown away meanwhile, this how long.
 */
#define LINGER_MS 2000

typedef void (*http_act)(struct http_conn *conn);

struct http_rule {
	enum http_state next;
	http_act act;
};

static void forget_request(struct http_conn *conn);
static void forget_ahead(struct http_conn *conn);
static void run_handler(struct http_conn *conn);
static void tell_gone(struct http_conn *conn);
static void refuse_request(struct http_conn *conn);
static void refuse_slow_request(struct http_conn *conn);
static void say_goodbye(struct http_conn *conn);
static void be_rude(struct http_conn *conn);

/* Rows are states, columns events.  An empty cell cannot happen. */
static const struct http_rule rules[HTTP_N_STATES][HTTP_N_EVENTS] = {
	[HTTP_HANDSHAKE] = {
		[HTTP_EV_UP]       = { HTTP_IDLE, NULL },
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, NULL },
		[HTTP_EV_DEADLINE] = { HTTP_CLOSED, NULL },
		[HTTP_EV_DRAIN]    = { HTTP_CLOSED, NULL },
	},
	[HTTP_IDLE] = {
		[HTTP_EV_BYTES]    = { HTTP_HEAD, NULL },
		[HTTP_EV_EOF]      = { HTTP_CLOSED, say_goodbye },
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, NULL },
		[HTTP_EV_DEADLINE] = { HTTP_CLOSED, say_goodbye },
		[HTTP_EV_DRAIN]    = { HTTP_CLOSED, say_goodbye },
	},
	[HTTP_HEAD] = {
		[HTTP_EV_HEAD]     = { HTTP_BODY, NULL },
		[HTTP_EV_REQUEST]  = { HTTP_HANDLER, run_handler },
		[HTTP_EV_BAD]      = { HTTP_REPLY, refuse_request },
		[HTTP_EV_EOF]      = { HTTP_CLOSED, NULL },
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, NULL },
		[HTTP_EV_DEADLINE] = { HTTP_REPLY, refuse_slow_request },
		[HTTP_EV_DRAIN]    = { HTTP_HEAD, NULL },
	},
	[HTTP_BODY] = {
		[HTTP_EV_REQUEST]  = { HTTP_HANDLER, run_handler },
		[HTTP_EV_BAD]      = { HTTP_REPLY, refuse_request },
		[HTTP_EV_EOF]      = { HTTP_CLOSED, NULL },
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, NULL },
		[HTTP_EV_DEADLINE] = { HTTP_REPLY, refuse_slow_request },
		[HTTP_EV_DRAIN]    = { HTTP_BODY, NULL },
	},
	[HTTP_HANDLER] = {
		[HTTP_EV_REPLY]    = { HTTP_REPLY, forget_request },
		[HTTP_EV_EOF]      = { HTTP_CLOSED, tell_gone },
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, tell_gone },
		[HTTP_EV_DRAIN]    = { HTTP_HANDLER, NULL },
	},
	[HTTP_REPLY] = {
		[HTTP_EV_SENT]      = { HTTP_IDLE, NULL },
		[HTTP_EV_LAST_SENT] = { HTTP_LINGER, forget_ahead },
		[HTTP_EV_FAIL]      = { HTTP_CLOSED, NULL },
		[HTTP_EV_DEADLINE]  = { HTTP_CLOSED, be_rude },
		[HTTP_EV_DRAIN]     = { HTTP_REPLY, NULL },
	},
	[HTTP_LINGER] = {
		[HTTP_EV_EOF]      = { HTTP_CLOSED, NULL },
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, NULL },
		[HTTP_EV_DEADLINE] = { HTTP_CLOSED, NULL },
		[HTTP_EV_DRAIN]    = { HTTP_LINGER, NULL },
	},
	[HTTP_CLOSED] = {
		/* What was already on its way when it closed changes nothing. */
		[HTTP_EV_FAIL]     = { HTTP_CLOSED, NULL },
		[HTTP_EV_DRAIN]    = { HTTP_CLOSED, NULL },
	},
};

/* How long a state may last.  NONE waits for ourselves; KEEP lives on what its predecessor had left. */
enum limit_kind { LIMIT_NONE, LIMIT_KEEP, LIMIT_CONFIG, LIMIT_FIXED };

static const struct {
	enum limit_kind kind;
	size_t at; /* of the number of milliseconds in struct seal_http_config, or that number */
} limits[HTTP_N_STATES] = {
	[HTTP_HANDSHAKE] = { LIMIT_CONFIG, offsetof(struct seal_http_config, handshake_ms) },
	[HTTP_IDLE] = { LIMIT_CONFIG, offsetof(struct seal_http_config, idle_ms) },
	[HTTP_HEAD] = { LIMIT_CONFIG, offsetof(struct seal_http_config, request_ms) },
	[HTTP_BODY] = { LIMIT_KEEP, 0 },
	[HTTP_HANDLER] = { LIMIT_NONE, 0 },
	[HTTP_REPLY] = { LIMIT_CONFIG, offsetof(struct seal_http_config, reply_ms) },
	[HTTP_LINGER] = { LIMIT_FIXED, LINGER_MS },
	[HTTP_CLOSED] = { LIMIT_NONE, 0 },
};

enum http_state
http_next_state(enum http_state state, enum http_event event)
{
	return rules[state][event].next;
}

/* The only writer of the state. */
static void
enter(struct http_conn *conn, enum http_state state)
{
	uint32_t ms;

	conn->state = state;
	switch (limits[state].kind) {
	case LIMIT_KEEP:
		break;
	case LIMIT_NONE:
		seal_timer_disarm(conn->deadline);
		break;
	case LIMIT_FIXED:
		seal_timer_arm(conn->deadline, limits[state].at);
		break;
	case LIMIT_CONFIG:
		memcpy(&ms, (const char *)&conn->http->config + limits[state].at, sizeof(ms));
		seal_timer_arm(conn->deadline, ms);
		break;
	}
}

void
http_conn_step(struct http_conn *conn, enum http_event event)
{
	static const struct http_rule give_up = { HTTP_CLOSED, be_rude };
	const struct http_rule *rule = &rules[conn->state][event];

	if (rule->next == HTTP_NONE)
		rule = &give_up; /* our bug; the connection pays for it */
	if (rule->next != conn->state)
		enter(conn, rule->next);
	if (rule->act != NULL)
		rule->act(conn);
}

static void
forget_request(struct http_conn *conn)
{
	if (conn->request == NULL)
		return;
	http_parse_release(&conn->request->parse);
	free(conn->request);
	conn->request = NULL;
}

static void
forget_ahead(struct http_conn *conn)
{
	seal_bytes_release(&conn->ahead);
}

static void
run_handler(struct http_conn *conn)
{
	const struct seal_http_config *config = &conn->http->config;

	conn->keep_alive = !conn->request->parse.wants_close;
	config->handler(config->arg, conn->request);
}

static void
tell_gone(struct http_conn *conn)
{
	seal_http_gone_fn gone = conn->request->gone;

	conn->request->gone = NULL;
	if (gone != NULL)
		gone(conn->request->gone_arg);
}

static void
refuse_with(struct http_conn *conn, unsigned status)
{
	forget_request(conn);
	conn->keep_alive = false;
	if (http_refusal_write(conn->stream, conn->http->config.staging, status,
			       conn->http->config.headers) == SEAL_IO_FAIL)
		http_conn_step(conn, HTTP_EV_FAIL);
}

static void
refuse_request(struct http_conn *conn)
{
	refuse_with(conn, conn->request->parse.status);
}

static void
refuse_slow_request(struct http_conn *conn)
{
	refuse_with(conn, 408);
}

/* A TLS peer can then tell our closing from an attacker's; it gets one chance to be sent. */
static void
say_goodbye(struct http_conn *conn)
{
	(void)seal_stream_end(conn->stream, false, NULL); /* we are leaving anyway */
}

static void
be_rude(struct http_conn *conn)
{
	conn->reset = true;
}

void
http_conn_drain(struct http_conn *conn)
{
	http_conn_step(conn, HTTP_EV_DRAIN);
	if (conn->state == HTTP_CLOSED && !conn->in_turn)
		http_conn_free(conn);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct http_conn *conn = arg;

	(void)writable;
	if (readable)
		conn->may_read = true;
	http_conn_turn(conn);
}

static void
on_deadline(void *arg)
{
	struct http_conn *conn = arg;

	http_conn_step(conn, HTTP_EV_DEADLINE);
	http_conn_turn(conn);
}

static int
verify_client(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	      struct seal_err *err)
{
	struct http_conn *conn = arg;
	const struct seal_http_config *config = &conn->http->config;

	(void)ret_peer; /* callers keep what they found in a value of their own */
	if (conn->client != NULL)
		return seal_fail(err, SEAL_E_BUG, "a client was verified twice");
	return config->verify(config->arg, presented, &conn->client, err);
}

/* "1.2.3.4:5" and "[::1]:5" without the port and the brackets. */
static void
copy_host(struct http_conn *conn)
{
	const char *colon = strrchr(conn->peer, ':');
	const char *begin = conn->peer + (conn->peer[0] == '[' ? 1 : 0);
	size_t len = colon == NULL ? strlen(begin) : (size_t)(colon - begin);

	if (conn->peer[0] == '[')
		len--;
	memcpy(conn->host, begin, len);
	conn->host[len] = '\0';
}

static void
name_peer(struct http_conn *conn, const struct sockaddr_storage *addr, socklen_t len)
{
	char text[SEAL_ADDR_TEXT_MAX];

	seal_addr_format((const struct sockaddr *)addr, len, text);
	(void)snprintf(conn->peer, sizeof(conn->peer), "%.*s", HTTP_PEER_MAX - 1, text);
	conn->is_local = addr->ss_family == AF_UNIX;
	copy_host(conn);
}

int
http_conn_start(struct seal_http *http, int fd, const struct sockaddr_storage *addr, socklen_t len,
		struct seal_tls *tls, struct seal_err *err)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));
	struct seal_tls_session_config tls_config = { .verify = verify_client,
						      .arg = conn,
						      .wipes = true,
						      .anonymous = http->config.anonymous };
	int r;

	if (conn == NULL)
		return seal_fail_memory(err);
	conn->http = http;
	seal_bytes_init(&conn->ahead, HTTP_READ_LEN);
	name_peer(conn, addr, len);
	r = seal_timer_new(&conn->deadline, http->loop, on_deadline, conn, err);
	if (r == 0)
		r = seal_watch_new(&conn->watch, http->loop, fd, on_ready, conn, err);
	if (r == 0 && tls == NULL)
		r = seal_stream_new(&conn->stream, fd, http->config.staging, err);
	else if (r == 0)
		r = seal_stream_new_tls(&conn->stream, fd, http->config.staging, tls, &tls_config,
					err);
	if (r < 0) {
		seal_watch_free(conn->watch);
		seal_timer_free(conn->deadline);
		free(conn);
		return r;
	}
	http_add_conn(http, conn);
	enter(conn, HTTP_HANDSHAKE);
	http_conn_turn(conn);
	return 0;
}

void
http_conn_free(struct http_conn *conn)
{
	assert(!conn->in_turn);
	http_remove_conn(conn->http, conn);
	forget_request(conn);
	seal_bytes_release(&conn->ahead);
	seal_watch_free(conn->watch);
	seal_timer_free(conn->deadline);
	seal_stream_free(conn->stream, conn->reset);
	if (conn->client != NULL && conn->http->config.free_client != NULL)
		conn->http->config.free_client(conn->client);
	free(conn);
}
