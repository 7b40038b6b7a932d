/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: listeners, the list of connections, draining, and what a handler may ask and answer.
 * What happens on one connection is conn.c's business.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/http/http_internal.h"

/* Connections taken per turn: a burst on one listener must not starve the rest. */
#define ACCEPTS_PER_TURN 32
/* Out of descriptors: a level-triggered listener would spin, so it sleeps until some may be free. */
#define ACCEPT_PAUSE_MS 100

struct http_listener {
	struct seal_http *http;
	struct http_listener *next;
	int fd;
	struct seal_tls *tls; /* NULL: plain */
	struct seal_watch *watch;
	struct seal_timer *pause;
};

static void on_drained(void *arg);

int
seal_http_new(struct seal_http **ret_http, struct seal_loop *loop,
	      const struct seal_http_config *config, struct seal_err *err)
{
	struct seal_http *http;
	int r;

	if (config->handler == NULL || config->staging == NULL || config->max_connections == 0 ||
	    config->handshake_ms == 0 || config->request_ms == 0 || config->idle_ms == 0 ||
	    config->reply_ms == 0)
		return seal_fail(err, SEAL_E_BUG,
				 "an HTTP server needs a handler, a staging area, "
				 "and a limit for everything");
	http = calloc(1, sizeof(*http));
	if (http == NULL)
		return seal_fail_memory(err);
	http->loop = loop;
	http->config = *config;
	r = seal_timer_new(&http->drained, loop, on_drained, http, err);
	if (r < 0) {
		free(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

static void
free_listener(struct http_listener *listener)
{
	seal_watch_free(listener->watch);
	seal_timer_free(listener->pause);
	seal_tls_unref(listener->tls);
	if (listener->fd >= 0)
		(void)close(listener->fd); /* a listening socket has nothing to lose */
	free(listener);
}

static void
free_listeners(struct seal_http *http)
{
	while (http->listeners != NULL) {
		struct http_listener *listener = http->listeners;

		http->listeners = listener->next;
		free_listener(listener);
	}
}

void
seal_http_free(struct seal_http *http)
{
	if (http == NULL)
		return;
	free_listeners(http);
	http->draining = false; /* nobody is told any more */
	while (http->conns != NULL)
		http_conn_free(http->conns);
	seal_timer_free(http->drained);
	free(http);
}

void
http_add_conn(struct seal_http *http, struct http_conn *conn)
{
	conn->next = http->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	http->conns = conn;
	http->conn_count++;
}

void
http_remove_conn(struct seal_http *http, struct http_conn *conn)
{
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		http->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	if (--http->conn_count == 0 && http->draining)
		seal_timer_arm(http->drained, 0);
}

/* Take one connection; false when nobody is waiting or the listener has to pause. */
static bool
accept_one(struct http_listener *listener)
{
	struct seal_http *http = listener->http;
	struct sockaddr_storage addr;
	socklen_t len;
	int fd = seal_accept(listener->fd, &addr, &len, NULL);

	if (fd == SEAL_E_TIMEOUT)
		return false;
	if (fd < 0) {
		seal_watch_want(listener->watch, false, false);
		seal_timer_arm(listener->pause, ACCEPT_PAUSE_MS);
		return false;
	}
	if (http->conn_count >= http->config.max_connections ||
	    http_conn_start(http, fd, &addr, len, listener->tls, NULL) < 0)
		(void)close(fd); /* no room for it; nothing was written */
	return true;
}

static void
on_acceptable(void *arg, bool readable, bool writable)
{
	struct http_listener *listener = arg;
	struct seal_http *http = listener->http;

	(void)readable;
	(void)writable;
	/* A handler run by a first turn may begin to drain, which frees the listener. */
	for (int i = 0; i < ACCEPTS_PER_TURN && !http->draining; i++) {
		if (!accept_one(listener))
			break;
	}
}

static void
on_pause_over(void *arg)
{
	struct http_listener *listener = arg;

	seal_watch_want(listener->watch, true, false);
}

int
seal_http_listen(struct seal_http *http, int fd, struct seal_tls *tls, struct seal_err *err)
{
	struct http_listener *listener;
	int r;

	if (tls != NULL && http->config.verify == NULL)
		return seal_fail(err, SEAL_E_BUG,
				 "a TLS listener needs somebody to verify clients");
	listener = calloc(1, sizeof(*listener));
	if (listener == NULL)
		return seal_fail_memory(err);
	listener->http = http;
	listener->fd = -1;
	r = seal_timer_new(&listener->pause, http->loop, on_pause_over, listener, err);
	if (r == 0)
		r = seal_watch_new(&listener->watch, http->loop, fd, on_acceptable, listener, err);
	if (r < 0) {
		free_listener(listener);
		return r;
	}
	listener->fd = fd;
	if (tls != NULL)
		listener->tls = seal_tls_ref(tls);
	listener->next = http->listeners;
	http->listeners = listener;
	seal_watch_want(listener->watch, true, false);
	return 0;
}

void
seal_http_set_tls(struct seal_http *http, struct seal_tls *tls)
{
	for (struct http_listener *listener = http->listeners; listener != NULL;
	     listener = listener->next) {
		if (listener->tls == NULL)
			continue;
		seal_tls_unref(listener->tls);
		listener->tls = seal_tls_ref(tls);
	}
}

/* In a turn of its own, and last: the callback may free the server. */
static void
on_drained(void *arg)
{
	struct seal_http *http = arg;

	if (http->drained_fn != NULL)
		http->drained_fn(http->drained_arg);
}

void
seal_http_drain(struct seal_http *http, seal_timer_fn fn, void *arg)
{
	struct http_conn *next;

	http->draining = true;
	http->drained_fn = fn;
	http->drained_arg = arg;
	free_listeners(http);
	for (struct http_conn *conn = http->conns; conn != NULL; conn = next) {
		next = conn->next;
		http_conn_drain(conn);
	}
	if (http->conn_count == 0)
		seal_timer_arm(http->drained, 0);
}

uint32_t
seal_http_connections(const struct seal_http *http)
{
	return http->conn_count;
}

const char *
seal_http_method(const struct seal_http_request *request)
{
	return request->parse.method;
}

const char *
seal_http_path(const struct seal_http_request *request)
{
	return request->parse.target.path;
}

const char *
seal_http_host(const struct seal_http_request *request)
{
	return request->parse.host;
}

const char *
seal_http_query(const struct seal_http_request *request, const char *name)
{
	const struct http_target *target = &request->parse.target;

	for (size_t i = 0; i < target->param_count; i++) {
		if (strcmp(target->params[i].name, name) == 0)
			return target->params[i].value;
	}
	return NULL;
}

const uint8_t *
seal_http_body(const struct seal_http_request *request, size_t *ret_len)
{
	const struct seal_bytes *body = &request->parse.body;

	*ret_len = body->len;
	return body->len > 0 ? body->data : (const uint8_t *)"";
}

const char *
seal_http_header(const struct seal_http_request *request, const char *name)
{
	return http_parse_kept(&request->parse, name);
}

const char *
seal_http_peer(const struct seal_http_request *request)
{
	return request->conn->peer;
}

const char *
seal_http_peer_host(const struct seal_http_request *request)
{
	return request->conn->host;
}

bool
seal_http_is_local(const struct seal_http_request *request)
{
	return request->conn->is_local;
}

int
seal_http_peer_uid(const struct seal_http_request *request, uid_t *ret_uid, struct seal_err *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (!request->conn->is_local)
		return seal_fail(err, SEAL_E_MISSING, "only a local peer has a user id");
	if (getsockopt(seal_stream_fd(request->conn->stream), SOL_SOCKET, SO_PEERCRED, &cred,
		       &len) < 0 ||
	    len != sizeof(cred))
		return seal_fail(err, SEAL_E_SYSTEM, "cannot tell who the local peer is");
	*ret_uid = cred.uid;
	return 0;
}

void *
seal_http_client(const struct seal_http_request *request)
{
	return request->conn->client;
}

void *
seal_http_arg(const struct seal_http_request *request)
{
	return request->conn->http->config.arg;
}

void
seal_http_await_gone(struct seal_http_request *request, seal_http_gone_fn fn, void *arg)
{
	struct http_conn *conn = request->conn;
	bool at_hand = fn != NULL && seal_stream_pending(conn->stream);

	assert(conn->state == HTTP_HANDLER && conn->request == request);
	request->gone = fn;
	request->gone_arg = arg;
	/* What no readable event will announce is looked at in the next turn, which being writable brings. */
	if (!conn->in_turn)
		seal_watch_want(conn->watch, fn != NULL && conn->ahead.len == 0, at_hand);
}

void
seal_http_reply(struct seal_http_request *request, unsigned status, const char *content_type,
		const void *body, size_t body_len, unsigned retry_after)
{
	seal_http_reply_with(request, status, NULL, content_type, body, body_len, retry_after);
}

void
seal_http_reply_with(struct seal_http_request *request, unsigned status, const char *headers,
		     const char *content_type, const void *body, size_t body_len,
		     unsigned retry_after)
{
	struct http_conn *conn = request->conn;
	const struct seal_http *http = conn->http;
	struct http_answer answer = {
		.status = status,
		.more = headers,
		.content_type = content_type,
		.headers = http->config.headers,
		.body = body,
		.body_len = body_len,
		.retry_after = retry_after,
		.is_head = strcmp(request->parse.method, "HEAD") == 0,
	};

	assert(conn->state == HTTP_HANDLER && conn->request == request);
	request->gone = NULL;
	if (http->draining)
		conn->keep_alive = false;
	answer.keep_alive = conn->keep_alive;
	if (http_answer_write(conn->stream, http->config.staging, &answer) == SEAL_IO_FAIL)
		http_conn_step(conn, HTTP_EV_FAIL);
	else
		http_conn_step(conn, HTTP_EV_REPLY);
	http_conn_turn(conn);
}
