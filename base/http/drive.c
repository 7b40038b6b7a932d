/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection does by itself in each state: try, turn the outcome into an event, and say whether
 * to go on or to wait.  It decides nothing; the table in conn.c does.  A turn is a loop, never a
 * recursion, so pipelined requests and handlers that answer at once cost no stack; a connection that
 * reached CLOSED is freed at the end of its outermost turn.
 */
#include <stdlib.h>

#include "base/http/http_internal.h"
#include "base/secret/secret.h"

/* Steps a connection may take before it lets others have their turn. */
#define TURN_STEPS 32
/* What is thrown away at most of what a peer sends after its last reply (conn.c, LINGER). */
#define LINGER_LEN (1024u * 1024)

/* Nothing was done, for that reason: wait until it has gone, or fail. */
static bool
wait_or_fail(struct http_conn *conn, enum seal_io io)
{
	if (io != SEAL_IO_READ && io != SEAL_IO_WRITE) {
		http_conn_step(conn, HTTP_EV_FAIL);
		return true;
	}
	conn->wants_read = conn->wants_read || io == SEAL_IO_READ;
	conn->wants_write = conn->wants_write || io == SEAL_IO_WRITE;
	return false;
}

static bool
drive_handshake(struct http_conn *conn)
{
	enum seal_io io = seal_stream_handshake(conn->stream, NULL);

	if (io != SEAL_IO_DONE)
		return wait_or_fail(conn, io);
	conn->may_read = true; /* the first request may have come with the last flight */
	seal_stream_settle(conn->stream);
	http_conn_step(conn, HTTP_EV_UP);
	return true;
}

static size_t
body_limit(void *arg)
{
	const struct seal_http_request *request = arg;
	const struct seal_http_config *config = &request->conn->http->config;

	return config->limit(config->arg, request);
}

/* The request exists from its first byte on: a connection at rest is small. */
static bool
begin_request(struct http_conn *conn)
{
	if (conn->request != NULL)
		return true;
	conn->request = calloc(1, sizeof(*conn->request));
	if (conn->request == NULL)
		return false;
	conn->request->conn = conn;
	http_parse_init(&conn->request->parse, conn->http->config.max_body);
	if (conn->http->config.limit != NULL) {
		conn->request->parse.limit = body_limit;
		conn->request->parse.limit_arg = conn->request;
	}
	http_conn_step(conn, HTTP_EV_BYTES);
	return true;
}

static void
judge_request(struct http_conn *conn)
{
	switch (conn->request->parse.stage) {
	case HTTP_STAGE_REQUEST:
	case HTTP_STAGE_HEADERS:
		break;
	case HTTP_STAGE_BODY:
		if (conn->state == HTTP_HEAD)
			http_conn_step(conn, HTTP_EV_HEAD);
		break;
	case HTTP_STAGE_DONE:
		http_conn_step(conn, HTTP_EV_REQUEST);
		break;
	case HTTP_STAGE_BAD:
		http_conn_step(conn, HTTP_EV_BAD);
		break;
	}
}

/* What lies ahead was read before, so it is served before anything is read. */
static void
serve_ahead(struct http_conn *conn)
{
	size_t used;

	if (!begin_request(conn)) {
		http_conn_step(conn, HTTP_EV_FAIL);
		return;
	}
	used = http_parse_feed(&conn->request->parse, conn->ahead.data, conn->ahead.len);
	if (used < conn->ahead.len)
		seal_bytes_drop(&conn->ahead, used);
	else
		seal_bytes_release(&conn->ahead);
	judge_request(conn);
}

/* data lies in the staging area, which the handler may use: what is left goes ahead first. */
static void
serve_fresh(struct http_conn *conn, const uint8_t *data, size_t len)
{
	size_t used;

	if (!begin_request(conn)) {
		http_conn_step(conn, HTTP_EV_FAIL);
		return;
	}
	used = http_parse_feed(&conn->request->parse, data, len);
	if (seal_bytes_append(&conn->ahead, data + used, len - used, NULL) < 0)
		http_conn_step(conn, HTTP_EV_FAIL);
	else
		judge_request(conn);
}

static bool
drive_request(struct http_conn *conn)
{
	uint8_t *plain = seal_staging_plain(conn->http->config.staging);
	enum seal_io io;
	size_t len = 0;

	if (conn->ahead.len > 0) {
		serve_ahead(conn);
		return true;
	}
	if (!conn->may_read && !seal_stream_pending(conn->stream))
		return wait_or_fail(conn, SEAL_IO_READ);
	conn->may_read = false;
	io = seal_stream_read(conn->stream, plain, HTTP_READ_LEN, &len, NULL);
	if (io == SEAL_IO_EOF) {
		http_conn_step(conn, HTTP_EV_EOF);
		return true;
	}
	if (io != SEAL_IO_DONE)
		return wait_or_fail(conn, io);
	conn->may_read = len == HTTP_READ_LEN; /* else the socket is empty, or says so again */
	serve_fresh(conn, plain, len);
	seal_wipe(plain, len); /* it may have been a secret */
	return true;
}

/* It calls us; all there is to do is to see whether the peer is still there, if that matters. */
static bool
drive_handler(struct http_conn *conn)
{
	uint8_t *plain = seal_staging_plain(conn->http->config.staging);
	enum seal_io io;
	size_t len = 0;

	if (conn->request->gone == NULL || conn->ahead.len > 0)
		return false;
	if (!conn->may_read && !seal_stream_pending(conn->stream))
		return wait_or_fail(conn, SEAL_IO_READ);
	conn->may_read = false;
	io = seal_stream_read(conn->stream, plain, HTTP_READ_LEN, &len, NULL);
	if (io == SEAL_IO_EOF) {
		http_conn_step(conn, HTTP_EV_EOF);
		return true;
	}
	if (io != SEAL_IO_DONE)
		return wait_or_fail(conn, io);
	conn->may_read = len == HTTP_READ_LEN;
	if (seal_bytes_append(&conn->ahead, plain, len, NULL) < 0)
		http_conn_step(conn, HTTP_EV_FAIL);
	seal_wipe(plain, len);
	return conn->state != HTTP_HANDLER;
}

static bool
drive_reply(struct http_conn *conn)
{
	bool goes_on = conn->keep_alive && !conn->http->draining;
	enum seal_io io = seal_stream_flush(conn->stream, NULL);

	if (io != SEAL_IO_DONE)
		return wait_or_fail(conn, io);
	http_conn_step(conn, goes_on ? HTTP_EV_SENT : HTTP_EV_LAST_SENT);
	return true;
}

/* End our direction, then throw away what comes until the peer ends its own, within bounds. */
static bool
drive_linger(struct http_conn *conn)
{
	uint8_t *plain = seal_staging_plain(conn->http->config.staging);
	enum seal_io io = seal_stream_end(conn->stream, false, NULL);
	size_t len = 0;

	if (io == SEAL_IO_DONE)
		io = seal_stream_read(conn->stream, plain, HTTP_READ_LEN, &len, NULL);
	if (io == SEAL_IO_READ || io == SEAL_IO_WRITE)
		return wait_or_fail(conn, io);
	conn->lingered += len;
	if (io == SEAL_IO_EOF)
		http_conn_step(conn, HTTP_EV_EOF);
	else if (io != SEAL_IO_DONE || conn->lingered > LINGER_LEN)
		http_conn_step(conn, HTTP_EV_FAIL);
	return true;
}

static bool
drive_closed(struct http_conn *conn)
{
	(void)conn;
	return false;
}

/* What a state can do by itself: true when it moved on, false when it has to wait. */
static bool (*const drives[HTTP_N_STATES])(struct http_conn *conn) = {
	[HTTP_HANDSHAKE] = drive_handshake, [HTTP_IDLE] = drive_request,
	[HTTP_HEAD] = drive_request,        [HTTP_BODY] = drive_request,
	[HTTP_HANDLER] = drive_handler,     [HTTP_REPLY] = drive_reply,
	[HTTP_LINGER] = drive_linger,       [HTTP_CLOSED] = drive_closed,
};

void
http_conn_turn(struct http_conn *conn)
{
	unsigned steps = 0;

	if (conn->in_turn)
		return; /* a handler answered at once: the turn that called it goes on */
	conn->in_turn = true;
	conn->wants_read = false;
	conn->wants_write = false;
	while (drives[conn->state](conn)) {
		if (++steps == TURN_STEPS) {
			conn->wants_write = true; /* which it is: back after the others */
			break;
		}
	}
	conn->in_turn = false;
	if (conn->state == HTTP_CLOSED)
		http_conn_free(conn);
	else
		seal_watch_want(conn->watch, conn->wants_read, conn->wants_write);
}
