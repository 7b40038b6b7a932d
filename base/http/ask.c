/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request and its answer, from connecting to hanging up.  Written as it happens, one step after the
 * other; wherever a step has to wait it runs the loop (wait.c).  It knows nothing of what is said, and
 * believes of the other side what verify believes.
 */
#include "base/http/ask.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/http/http_internal.h"

struct call {
	const struct seal_ask *ask;
	struct http_wait wait;
	struct seal_staging *staging;
	struct seal_stream *stream;
	struct seal_watch *watch;
	struct http_answer_parse answer;
};

/* ---- The request ---- */

/* No blank, nothing that could end a line: whoever made this text cannot write a second request. */
static bool
is_printable(const char *text, char least)
{
	for (; *text != '\0'; text++) {
		if (*text < least || *text > 0x7e)
			return false;
	}
	return true;
}

static int
check_ask(const struct seal_ask *ask, struct seal_err *err)
{
	if (ask->method[0] == '\0' ||
	    ask->method[strspn(ask->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] ||
	    strcmp(ask->method, "HEAD") == 0)
		return seal_fail(err, SEAL_E_BUG, "cannot ask with the method '%s'", ask->method);
	if (ask->path[0] != '/' || !is_printable(ask->path, '!'))
		return seal_fail(err, SEAL_E_BUG, "cannot ask for the path '%s'", ask->path);
	for (size_t i = 0; i < ask->header_count; i++) {
		if (!is_printable(ask->headers[i], ' '))
			return seal_fail(err, SEAL_E_BUG, "cannot send the header '%s'",
					 ask->headers[i]);
	}
	if ((ask->body == NULL && ask->body_len != 0) || (ask->tls != NULL && ask->verify == NULL))
		return seal_fail(err, SEAL_E_BUG, "an incomplete question");
	return 0;
}

static bool
is_name(const struct seal_endpoint *to)
{
	struct in6_addr ip6;
	struct in_addr ip;

	return !to->is_unix && inet_pton(AF_INET, to->host, &ip) != 1 &&
	       inet_pton(AF_INET6, to->host, &ip6) != 1;
}

/* RFC 9112 section 3.2, without the port that goes without saying. */
static int
add_host(struct seal_bytes *out, const struct seal_ask *ask, struct seal_err *err)
{
	bool is_v6 = strchr(ask->to->host, ':') != NULL;
	int r;

	if (ask->to->is_unix)
		return seal_bytes_append_str(out, "Host: localhost\r\n", err);
	r = seal_bytes_append_fmt(out, err, "Host: %s%s%s", is_v6 ? "[" : "", ask->to->host,
				  is_v6 ? "]" : "");
	if (r == 0 && (ask->tls == NULL || ask->to->port != 443))
		r = seal_bytes_append_fmt(out, err, ":%u", ask->to->port);
	return r == 0 ? seal_bytes_append_str(out, "\r\n", err) : r;
}

static int
make_request(struct seal_bytes *out, const struct seal_ask *ask, struct seal_err *err)
{
	int r = seal_bytes_append_fmt(out, err, "%s %s HTTP/1.1\r\n", ask->method, ask->path);

	if (r == 0)
		r = add_host(out, ask, err);
	for (size_t i = 0; r == 0 && i < ask->header_count; i++)
		r = seal_bytes_append_fmt(out, err, "%s\r\n", ask->headers[i]);
	/* RFC 9110 section 8.6: these are expected to have a body, so that they have none is said. */
	if (r == 0 && (ask->body != NULL || strcmp(ask->method, "POST") == 0 ||
		       strcmp(ask->method, "PUT") == 0))
		r = seal_bytes_append_fmt(out, err, "Content-Length: %zu\r\n", ask->body_len);
	if (r == 0)
		r = seal_bytes_append_str(out, "Connection: close\r\n\r\n", err);
	if (r == SEAL_E_LIMIT)
		return seal_note(err, r, "the head of the request");
	if (r == 0) {
		out->max = out->len + ask->body_len;
		r = seal_bytes_append(out, ask->body, ask->body_len, err);
	}
	return r;
}

/* ---- The connection ---- */

static void
on_event(void *arg, bool readable, bool writable)
{
	(void)readable;
	(void)writable;
	http_wait_end(arg);
}

/* Takes fd over, also when it fails. */
static int
open_stream(struct call *call, int fd, struct seal_err *err)
{
	const struct seal_ask *ask = call->ask;
	const struct seal_tls_session_config session = {
		.server_name = is_name(ask->to) ? ask->to->host : NULL,
		.verify = ask->verify,
		.arg = ask->verify_arg,
		.wipes = true,
	};
	int r = ask->tls != NULL ? seal_stream_new_tls(&call->stream, fd, call->staging, ask->tls,
						       &session, err)
				 : seal_stream_new(&call->stream, fd, call->staging, err);

	if (r < 0) {
		(void)close(fd); /* nothing was written that could be lost */
		return r;
	}
	seal_stream_hold(call->stream); /* the request goes with the end of the handshake */
	return seal_watch_new(&call->watch, call->wait.loop, fd, on_event, &call->wait, err);
}

static int
wait_for(struct call *call, bool readable, bool writable, struct seal_err *err)
{
	seal_watch_want(call->watch, readable, writable);
	return http_wait_run(&call->wait, UINT64_MAX, err);
}

/* What the crypto library objects to is about who the other side is, or who we are. */
static int
stream_failure(struct seal_err *why, struct seal_err *err)
{
	if (why->code == SEAL_E_CRYPTO)
		why->code = SEAL_E_UNAUTH;
	return seal_fail(err, (enum seal_code)why->code, "%s", why->text);
}

static int
shake_hands(struct call *call, struct seal_err *err)
{
	struct seal_err why = { 0 };
	enum seal_io io;
	int r = 0;

	while (r == 0) {
		io = seal_stream_handshake(call->stream, &why);
		if (io == SEAL_IO_DONE)
			break;
		if (io != SEAL_IO_READ && io != SEAL_IO_WRITE)
			return stream_failure(&why, err);
		r = wait_for(call, true, io == SEAL_IO_WRITE, err);
	}
	if (r == 0)
		call->wait.connect_ms = 0; /* it is there */
	return r;
}

/* ---- The answer ---- */

/* Send what is kept.  A peer that takes no more may have answered all the same: reading will tell. */
static bool
send_more(struct call *call)
{
	size_t before = seal_stream_unsent(call->stream);
	enum seal_io io = before > 0 ? seal_stream_flush(call->stream, NULL) : SEAL_IO_DONE;

	if (seal_stream_unsent(call->stream) < before)
		http_wait_progress(&call->wait);
	return io == SEAL_IO_WRITE;
}

/* One read.  True when there is nothing to wait for. */
static int
receive_some(struct call *call, bool *ret_wait, struct seal_err *err)
{
	uint8_t *plain = seal_staging_plain(call->staging);
	struct seal_err why = { 0 };
	size_t len = 0;

	switch (seal_stream_read(call->stream, plain, HTTP_READ_LEN, &len, &why)) {
	case SEAL_IO_DONE:
		http_wait_progress(&call->wait);
		*ret_wait = false;
		return http_answer_feed(&call->answer, plain, len, err);
	case SEAL_IO_READ:
	case SEAL_IO_WRITE:
		*ret_wait = true;
		return 0;
	case SEAL_IO_EOF:
		*ret_wait = false;
		return http_answer_end(&call->answer, err);
	case SEAL_IO_FAIL:
	default:
		break;
	}
	if (why.code == SEAL_E_CLOSED && call->answer.head.len > 0)
		return seal_fail(err, SEAL_E_CLOSED, "the answer was cut short: %s", why.text);
	return stream_failure(&why, err);
}

static int
exchange(struct call *call, const struct seal_bytes *request, struct seal_err *err)
{
	/* What cannot be sent is not the end yet: there may be an answer that says why. */
	bool sends =
		seal_stream_write(call->stream, request->data, request->len, NULL) == SEAL_IO_WRITE;
	int r = 0;

	while (r == 0 && call->answer.stage != HTTP_ANSWER_DONE) {
		bool must_wait = false;

		if (sends)
			sends = send_more(call);
		r = receive_some(call, &must_wait, err);
		if (r == 0 && must_wait)
			r = wait_for(call, true, sends, err);
	}
	return r;
}

/* ---- A call ---- */

static int
prepare(struct call *call, struct seal_err *err)
{
	const struct seal_ask *ask = call->ask;
	uint64_t now;
	int r = http_wait_init(&call->wait, err);

	if (r == 0)
		r = seal_staging_new(&call->staging, err);
	if (r < 0)
		return r;
	now = seal_loop_now_ms(call->wait.loop);
	call->wait.deadline_ms = now + ask->timeout_ms;
	call->wait.connect_ms = now + SEAL_ASK_CONNECT_MS;
	call->wait.stall_ms = ask->stall_ms;
	call->wait.abort = ask->abort;
	http_wait_progress(&call->wait);
	return 0;
}

static int
converse(struct call *call, const struct seal_bytes *request, struct seal_err *err)
{
	int fd;
	int r = prepare(call, err);

	if (r < 0)
		return r;
	fd = http_connect(&call->wait, call->ask->to, err);
	if (fd < 0)
		return fd;
	r = open_stream(call, fd, err);
	if (r == 0)
		r = shake_hands(call, err);
	if (r == 0)
		r = exchange(call, request, err);
	if (r == 0)
		(void)seal_stream_end(call->stream, true,
				      NULL); /* a courtesy: we have what we came for */
	return r;
}

int
seal_ask(const struct seal_ask *ask, unsigned *ret_status, struct seal_bytes *reply,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes request = SEAL_BYTES(SEAL_HTTP_HEAD_MAX);
	struct call call = { .ask = ask };
	int r = check_ask(ask, err);

	if (r == 0)
		r = make_request(&request, ask, err);
	if (r < 0)
		return r;
	http_answer_init(&call.answer, reply->max, ask->needs_length);
	r = converse(&call, &request, err);
	if (r == 0) {
		seal_bytes_release(reply);
		*reply = call.answer.body;
		call.answer.body = (struct seal_bytes){ 0 };
		*ret_status = call.answer.status;
	}
	http_answer_release(&call.answer);
	seal_watch_free(call.watch);
	seal_stream_free(call.stream, false);
	seal_staging_free(call.staging);
	http_wait_release(&call.wait);
	return r;
}
