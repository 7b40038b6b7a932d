/* SPDX-License-Identifier: Apache-2.0 */
/* base/http, the server: real sockets, server and clients in one thread and one loop. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/http/http_internal.h"

#define PATIENCE_MS 4000 /* less than the 5000 of the limits below: it must not be their doing */
#define MAX_BODY    (64u * 1024)
#define BIG_LEN     (4u * 1024 * 1024)
#define PARKED_MAX  16
#define HEARD_MAX   (8u * 1024 * 1024)

struct rig {
	struct seal_loop *loop;
	struct seal_timer *tick;
	struct seal_staging *staging;
	struct seal_http *http;
	struct seal_http_config config;
	struct seal_endpoint endpoint;
	struct seal_http_request *parked[PARKED_MAX];
	unsigned parked_count;
	unsigned handled;
	unsigned drained;
	char *big;
	struct seal_bytes heard;
	char peer[HTTP_PEER_MAX];
	char host[HTTP_PEER_MAX];
	bool is_local;
	int uid_result;
	uid_t uid;
};

static void
tick(void *arg)
{
	struct rig *rig = arg;

	seal_loop_stop(rig->loop);
}

/* Let the server work for a moment. */
static void
pump(struct rig *rig)
{
	seal_timer_arm(rig->tick, 1);
	cr_assert_eq(seal_loop_run(rig->loop, NULL), 0);
}

static void
pump_for(struct rig *rig, uint64_t ms)
{
	uint64_t begin = seal_loop_now_ms(rig->loop);

	while (seal_loop_now_ms(rig->loop) - begin < ms)
		pump(rig);
}

#define PUMP_UNTIL(rig, condition)                                                                 \
	do {                                                                                       \
		uint64_t begin_ = seal_loop_now_ms((rig)->loop);                                   \
                                                                                                   \
		while (!(condition)) {                                                             \
			cr_assert_lt(seal_loop_now_ms((rig)->loop) - begin_, PATIENCE_MS,          \
				     "waited in vain for " #condition);                            \
			pump(rig);                                                                 \
		}                                                                                  \
	} while (0)

static void
reply_text(struct seal_http_request *request, unsigned status, const char *text)
{
	seal_http_reply(request, status, "text/plain", text, strlen(text), 0);
}

static void
look_at_peer(struct rig *rig, struct seal_http_request *request)
{
	struct seal_err err = { 0 };

	(void)snprintf(rig->peer, sizeof(rig->peer), "%s", seal_http_peer(request));
	(void)snprintf(rig->host, sizeof(rig->host), "%s", seal_http_peer_host(request));
	rig->is_local = seal_http_is_local(request);
	rig->uid_result = seal_http_peer_uid(request, &rig->uid, &err);
	reply_text(request, 200, "ok");
}

static void
on_drained(void *arg)
{
	struct rig *rig = arg;

	rig->drained++;
}

/* The path says what to do. */
static void
handle(void *arg, struct seal_http_request *request)
{
	struct rig *rig = arg;
	const char *path = seal_http_path(request);
	const uint8_t *body;
	size_t len;

	rig->handled++;
	cr_expect_eq(seal_http_arg(request), arg);
	body = seal_http_body(request, &len);
	if (strcmp(path, "/echo") == 0)
		seal_http_reply(request, 200, "text/plain", body, len, 0);
	else if (strcmp(path, "/big") == 0)
		seal_http_reply(request, 200, "text/plain", rig->big, BIG_LEN, 0);
	else if (strcmp(path, "/method") == 0)
		reply_text(request, 200, seal_http_method(request));
	else if (strcmp(path, "/query") == 0)
		reply_text(request, 200,
			   seal_http_query(request, "name") != NULL
				   ? seal_http_query(request, "name")
				   : "(none)");
	else if (strcmp(path, "/nothing") == 0)
		seal_http_reply(request, 204, NULL, NULL, 0, 0);
	else if (strcmp(path, "/later") == 0)
		seal_http_reply(request, 429, NULL, NULL, 0, 7);
	else if (strcmp(path, "/peer") == 0)
		look_at_peer(rig, request);
	else if (strcmp(path, "/drain") == 0) {
		seal_http_drain(rig->http, on_drained, rig);
		reply_text(request, 200, "draining");
	} else if (strcmp(path, "/park") == 0 && rig->parked_count < PARKED_MAX)
		rig->parked[rig->parked_count++] = request;
	else if (strcmp(path, "/release") == 0) {
		while (rig->parked_count > 0)
			reply_text(rig->parked[--rig->parked_count], 200, "released");
		reply_text(request, 200, "done");
	} else
		reply_text(request, 404, "none");
}

static void
new_server(struct rig *rig, const char *where)
{
	struct seal_err err = { 0 };
	int fd;

	rig->config.staging = rig->staging;
	rig->config.handler = handle;
	rig->config.arg = rig;
	cr_assert_eq(seal_http_new(&rig->http, rig->loop, &rig->config, &err), 0, "%s", err.text);
	cr_assert_eq(seal_endpoint_parse(&rig->endpoint, where, NULL, &err), 0);
	fd = seal_listen(&rig->endpoint, 0600, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert_eq(seal_http_listen(rig->http, fd, NULL, &err), 0);
	if (!rig->endpoint.is_unix)
		rig->endpoint.port = seal_listen_port(fd);
}

static void
setup_at(struct rig *rig, const char *where)
{
	*rig = (struct rig){ 0 };
	rig->config = (struct seal_http_config){ .max_body = MAX_BODY,
						 .max_connections = 1000,
						 .handshake_ms = 5000,
						 .request_ms = 5000,
						 .idle_ms = 5000,
						 .reply_ms = 5000 };
	seal_bytes_init(&rig->heard, HEARD_MAX);
	rig->big = malloc(BIG_LEN);
	cr_assert_not_null(rig->big);
	memset(rig->big, 'b', BIG_LEN);
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_timer_new(&rig->tick, rig->loop, tick, rig, NULL), 0);
	cr_assert_eq(seal_staging_new(&rig->staging, NULL), 0);
	new_server(rig, where);
}

static void
setup(struct rig *rig)
{
	setup_at(rig, "127.0.0.1:0");
}

/* Another server with other limits, before anything is connected. */
static void
limit(struct rig *rig, struct seal_http_config config)
{
	seal_http_free(rig->http);
	rig->config = config;
	new_server(rig, "127.0.0.1:0");
}

static void
teardown(struct rig *rig)
{
	seal_http_free(rig->http);
	seal_staging_free(rig->staging);
	seal_timer_free(rig->tick);
	seal_loop_free(rig->loop);
	seal_bytes_release(&rig->heard);
	free(rig->big);
}

static int
dial(const struct rig *rig)
{
	struct sockaddr_storage addr;
	struct seal_err err = { 0 };
	socklen_t len;
	int fd;

	cr_assert_eq(seal_endpoint_addr(&rig->endpoint, &addr, &len, NULL), 0);
	fd = seal_connect((struct sockaddr *)&addr, len, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	return fd;
}

static void
say_bytes(struct rig *rig, int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
			continue;
		}
		cr_assert(errno == EAGAIN, "the server does not listen any more");
		pump(rig);
	}
}

static void
say(struct rig *rig, int fd, const char *text)
{
	say_bytes(rig, fd, text, strlen(text));
}

/* Take what is there; false at the end of the stream. */
static bool
hear_some(struct rig *rig, int fd)
{
	static char buf[64 * 1024];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n > 0)
		cr_assert_eq(seal_bytes_append(&rig->heard, buf, (size_t)n, NULL), 0);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* The length of the whole reply at the front of what was heard, or 0. */
static size_t
whole_reply(const struct rig *rig)
{
	const char *text = seal_bytes_str(&rig->heard);
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "Content-Length: ");
	size_t need;

	if (end == NULL)
		return 0;
	need = (size_t)(end - text) + 4;
	if (length != NULL && length < end)
		need += strtoul(length + strlen("Content-Length: "), NULL, 10);
	return rig->heard.len >= need ? need : 0;
}

/* Hear one reply and forget it; returns its status.  body may be NULL. */
static unsigned
hear(struct rig *rig, int fd, const char *body)
{
	const char *text;
	unsigned status;
	size_t len;

	PUMP_UNTIL(rig, !hear_some(rig, fd) || whole_reply(rig) > 0);
	len = whole_reply(rig);
	text = seal_bytes_str(&rig->heard);
	cr_assert_gt(len, 0, "cut off after: %s", text);
	cr_assert_eq(strncmp(text, "HTTP/1.1 ", 9), 0, "%s", text);
	status = (unsigned)strtoul(text + 9, NULL, 10);
	if (body != NULL) {
		const char *got = strstr(text, "\r\n\r\n") + 4;

		cr_expect_eq(strncmp(got, body, strlen(body)), 0, "got '%s'", got);
		cr_expect_eq((size_t)(got - text) + strlen(body), len);
	}
	seal_bytes_drop(&rig->heard, len);
	return status;
}

static void
expect_closed(struct rig *rig, int fd)
{
	PUMP_UNTIL(rig, !hear_some(rig, fd));
	cr_expect_eq(rig->heard.len, 0, "something was said before: %s",
		     seal_bytes_str(&rig->heard));
}

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: x\r\n"

Test(http, serves_one_request_after_another)
{
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, POST("/echo") "Content-Length: 5\r\n\r\nhello");
	cr_expect_eq(hear(&rig, fd, "hello"), 200);
	say(&rig, fd, GET("/query?name=%61b"));
	cr_expect_eq(hear(&rig, fd, "ab"), 200);
	say(&rig, fd, GET("/query?other=1"));
	cr_expect_eq(hear(&rig, fd, "(none)"), 200);
	say(&rig, fd, "DELETE /method HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_eq(hear(&rig, fd, "DELETE"), 200);
	say(&rig, fd, GET("/other"));
	cr_expect_eq(hear(&rig, fd, "none"), 404);
	cr_expect_eq(rig.http->conn_count, 1);
	close(fd);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	teardown(&rig);
}

Test(http, writes_the_headers_that_matter)
{
	const char *text;
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, GET("/later"));
	PUMP_UNTIL(&rig, !hear_some(&rig, fd) || whole_reply(&rig) > 0);
	text = seal_bytes_str(&rig.heard);
	cr_expect_not_null(strstr(text, "HTTP/1.1 429 Too Many Requests\r\n"), "%s", text);
	cr_expect_not_null(strstr(text, "\r\nRetry-After: 7\r\n"), "%s", text);
	cr_expect_not_null(strstr(text, "\r\nContent-Length: 0\r\n"), "%s", text);
	cr_expect_not_null(strstr(text, "\r\nCache-Control: no-store\r\n"), "%s", text);
	cr_expect_not_null(strstr(text, " GMT\r\n"), "%s", text);
	cr_expect_null(strstr(text, "Content-Type"), "%s", text);
	cr_expect_null(strstr(text, "close"), "%s", text);
	close(fd);
	teardown(&rig);
}

Test(http, sends_no_body_where_there_must_be_none)
{
	const char *text;
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, GET("/nothing"));
	cr_expect_eq(hear(&rig, fd, ""), 204);
	say(&rig, fd, "HEAD /method HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	shutdown(fd, SHUT_WR);
	PUMP_UNTIL(&rig, !hear_some(&rig, fd));
	text = seal_bytes_str(&rig.heard);
	cr_expect_not_null(strstr(text, "Content-Length: 4\r\n"), "%s", text);
	cr_expect_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
	teardown(&rig);
}

Test(http, takes_a_request_in_single_bytes)
{
	const char text[] = POST("/echo") "Content-Length: 2\r\n\r\nhi";
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		say_bytes(&rig, fd, text + i, 1);
		pump(&rig);
		cr_expect_eq(rig.handled, i == sizeof(text) - 2 ? 1 : 0);
	}
	cr_expect_eq(hear(&rig, fd, "hi"), 200);
	close(fd);
	teardown(&rig);
}

Test(http, serves_pipelined_requests_in_order_without_recursion)
{
	struct seal_bytes many = SEAL_BYTES(16u * 1024 * 1024);
	const unsigned count = 20000; /* enough to overflow a stack that grew with each */
	struct rig rig;
	char body[16];
	int fd;

	setup(&rig);
	fd = dial(&rig);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(seal_bytes_append_fmt(
				     &many, NULL, POST("/echo") "Content-Length: 5\r\n\r\n%05u", i),
			     0);
	for (unsigned done = 0; done < count; done += 100) {
		say_bytes(&rig, fd, (const char *)many.data, many.len);
		for (unsigned i = 0; i < 100; i++) {
			(void)snprintf(body, sizeof(body), "%05u", i);
			cr_assert_eq(hear(&rig, fd, body), 200);
		}
	}
	cr_expect_eq(rig.handled, count);
	close(fd);
	seal_bytes_release(&many);
	teardown(&rig);
}

Test(http, reads_nothing_while_a_reply_is_unsent)
{
	struct rig rig;
	size_t sent = 0;
	int small = 16 * 1024;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	/* Until nothing more fits between us, or for long enough. */
	for (unsigned full = 0; full < 50 && sent < 100000;) {
		const char request[] = GET("/big");
		ssize_t n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);

		if (n > 0)
			sent++;
		else
			full++;
		if (n <= 0 || sent % 1000 == 0)
			pump(&rig);
	}
	PUMP_UNTIL(&rig, rig.handled > 0);
	cr_expect_gt(sent, 1000, "the test pipelines a lot");
	cr_expect_leq(rig.handled, 2, "one reply at a time");
	cr_expect_leq(rig.http->conns->ahead.cap, HTTP_READ_LEN + 1);
	close(fd);
	teardown(&rig);
}

Test(http, a_connection_at_rest_holds_no_buffer)
{
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	PUMP_UNTIL(&rig, rig.http->conns != NULL);
	cr_expect_null(rig.http->conns->request);
	say(&rig, fd, POST("/echo") "Content-Length: 5\r\n\r\nhello");
	cr_expect_eq(hear(&rig, fd, "hello"), 200);
	PUMP_UNTIL(&rig, rig.http->conns->state == HTTP_IDLE);
	cr_expect_null(rig.http->conns->request);
	cr_expect_null(rig.http->conns->ahead.data);
	cr_expect_lt(sizeof(struct http_conn), 512);
	close(fd);
	teardown(&rig);
}

Test(http, closes_when_asked)
{
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, "GET /method HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	say(&rig, fd, GET("/method"));
	cr_expect_eq(hear(&rig, fd, "GET"), 200);
	expect_closed(&rig, fd);
	cr_expect_eq(rig.handled, 1, "what follows is not served");
	close(fd);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	teardown(&rig);
}

Test(http, answers_what_it_refuses_and_closes)
{
	static const struct {
		const char *text;
		unsigned status;
	} rows[] = {
		{ "nonsense\r\n\r\n", 400 },
		{ "\x16\x03\x01\x02", 400 },
		{ GET("http://x/"), 400 },
		{ "GET / HTTP/1.0\r\n\r\n", 505 },
		{ POST("/echo") "Content-Length: 65537\r\n\r\n", 413 },
		{ POST("/echo") "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 417 },
		{ POST("/echo") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501 },
		{ POST("/echo") "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" GET("/method"),
		  400 },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct rig rig;
		int fd;

		setup(&rig);
		fd = dial(&rig);
		say(&rig, fd, rows[i].text);
		cr_expect_eq(hear(&rig, fd, NULL), rows[i].status, "row %zu", i);
		expect_closed(&rig, fd);
		cr_expect_eq(rig.handled, 0, "row %zu reached the handler", i);
		close(fd);
		PUMP_UNTIL(&rig, rig.http->conn_count == 0);
		teardown(&rig);
	}
}

static size_t
limit_of(void *arg, const struct seal_http_request *request)
{
	(void)arg;
	return strcmp(seal_http_path(request), "/echo") == 0 &&
			       strcmp(seal_http_method(request), "POST") == 0 &&
			       seal_http_query(request, "big") != NULL
		       ? 2 * MAX_BODY
		       : 10;
}

Test(http, a_limit_may_depend_on_the_request)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned status;
	} rows[] = {
		{ POST("/echo?big=1") "Content-Length: 131072\r\n\r\n", 2 * MAX_BODY, 200 },
		{ POST("/echo?big=1") "Content-Length: 131073\r\n\r\n", 0, 413 },
		{ POST("/echo") "Content-Length: 10\r\n\r\n", 10, 200 },
		{ POST("/echo") "Content-Length: 11\r\n\r\n", 0, 413 },
		{ POST("/other?big=1") "Content-Length: 11\r\n\r\n", 0, 413 },
	};
	char *body = calloc(1, 2 * MAX_BODY);

	cr_assert_not_null(body);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct seal_http_config config;
		struct rig rig;
		int fd;

		setup(&rig);
		config = rig.config;
		config.limit = limit_of;
		limit(&rig, config);
		fd = dial(&rig);
		say(&rig, fd, rows[i].text);
		say_bytes(&rig, fd, body, rows[i].len);
		cr_expect_eq(hear(&rig, fd, NULL), rows[i].status, "row %zu", i);
		close(fd);
		PUMP_UNTIL(&rig, rig.http->conn_count == 0);
		teardown(&rig);
	}
	free(body);
}

Test(http, the_413_arrives_although_the_client_goes_on_sending)
{
	char *body = calloc(1, 600000);
	struct rig rig;
	int fd;

	cr_assert_not_null(body);
	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, POST("/echo") "Content-Length: 600000\r\n\r\n");
	say_bytes(&rig, fd, body, 600000);
	pump_for(&rig, 50);
	cr_expect_eq(hear(&rig, fd, NULL), 413);
	expect_closed(&rig, fd);
	cr_expect_eq(rig.handled, 0);
	close(fd);
	free(body);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	teardown(&rig);
}

Test(http, does_not_listen_for_ever_to_what_it_refused)
{
	static char body[64 * 1024];
	struct rig rig;
	size_t sent = 0;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, POST("/echo") "Content-Length: 1073741824\r\n\r\n");
	PUMP_UNTIL(&rig, rig.http->conns != NULL);
	for (uint64_t begin = seal_loop_now_ms(rig.loop); rig.http->conns != NULL;) {
		ssize_t n = send(fd, body, sizeof(body), MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		cr_assert_lt(seal_loop_now_ms(rig.loop) - begin, 1500, "long after %zu bytes",
			     sent);
		pump(&rig);
	}
	cr_expect_lt(sent, 64u * 1024 * 1024);
	close(fd);
	teardown(&rig);
}

Test(http, does_not_wait_for_ever_for_the_end_of_what_it_refused)
{
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, POST("/echo") "Content-Length: 1073741824\r\n\r\n");
	cr_expect_eq(hear(&rig, fd, NULL), 413);
	PUMP_UNTIL(&rig, rig.http->conns == NULL); /* though we neither send nor close */
	close(fd);
	teardown(&rig);
}

static struct seal_http_config
quick(const struct rig *rig)
{
	struct seal_http_config config = rig->config;

	config.request_ms = 200;
	config.idle_ms = 200;
	config.reply_ms = 200;
	config.handshake_ms = 200;
	return config;
}

Test(http, cuts_off_a_slow_head)
{
	struct rig rig;
	int fd;

	setup(&rig);
	limit(&rig, quick(&rig));
	fd = dial(&rig);
	say(&rig, fd, "GET / HT");
	cr_expect_eq(hear(&rig, fd, NULL), 408);
	expect_closed(&rig, fd);
	cr_expect_eq(rig.handled, 0);
	close(fd);
	teardown(&rig);
}

Test(http, cuts_off_a_slow_body_however_steadily_it_drips)
{
	struct rig rig;
	uint64_t begin;
	int fd;

	setup(&rig);
	limit(&rig, quick(&rig));
	fd = dial(&rig);
	begin = seal_loop_now_ms(rig.loop);
	say(&rig, fd, POST("/echo") "Content-Length: 60000\r\n\r\n");
	while (hear_some(&rig, fd) && whole_reply(&rig) == 0) {
		cr_assert_lt(seal_loop_now_ms(rig.loop) - begin, 1000);
		say_bytes(&rig, fd, "x", 1);
		pump_for(&rig, 10);
	}
	cr_expect_eq(hear(&rig, fd, NULL), 408);
	cr_expect_geq(seal_loop_now_ms(rig.loop) - begin, 190);
	cr_expect_eq(rig.handled, 0);
	close(fd);
	teardown(&rig);
}

Test(http, closes_an_idle_connection_without_a_word)
{
	struct rig rig;
	int fresh, used;

	setup(&rig);
	limit(&rig, quick(&rig));
	fresh = dial(&rig);
	used = dial(&rig);
	say(&rig, used, GET("/method"));
	cr_expect_eq(hear(&rig, used, "GET"), 200);
	expect_closed(&rig, fresh);
	expect_closed(&rig, used);
	cr_expect_eq(rig.http->conn_count, 0);
	close(fresh);
	close(used);
	teardown(&rig);
}

Test(http, closes_on_a_reader_that_is_too_slow)
{
	struct rig rig;
	int small = 4096;
	int fd;

	setup(&rig);
	limit(&rig, quick(&rig));
	fd = dial(&rig);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	say(&rig, fd, GET("/big"));
	PUMP_UNTIL(&rig, rig.handled == 1);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	errno = 0;
	while (hear_some(&rig, fd))
		errno = 0;
	cr_expect_lt(rig.heard.len, BIG_LEN);
	cr_expect_eq(errno, ECONNRESET, "it could be taken for the whole");
	close(fd);
	teardown(&rig);
}

Test(http, delivers_a_big_reply_whole)
{
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	for (int i = 0; i < 2; i++) {
		say(&rig, fd, GET("/big"));
		PUMP_UNTIL(&rig, !hear_some(&rig, fd) || whole_reply(&rig) > 0);
		cr_assert_gt(whole_reply(&rig), BIG_LEN);
		cr_expect_eq(memcmp(strstr(seal_bytes_str(&rig.heard), "\r\n\r\n") + 4, rig.big,
				    BIG_LEN),
			     0);
		seal_bytes_reset(&rig.heard);
	}
	close(fd);
	teardown(&rig);
}

Test(http, a_handler_may_answer_later)
{
	struct seal_http_config config;
	struct rig rig;
	int fd, other;

	setup(&rig);
	config = quick(&rig); /* no deadline runs while it is our turn */
	config.idle_ms = 5000;
	limit(&rig, config);
	fd = dial(&rig);
	say(&rig, fd, GET("/park") GET("/method"));
	PUMP_UNTIL(&rig, rig.parked_count == 1);
	pump_for(&rig, 400);
	cr_expect(hear_some(&rig, fd));
	cr_expect_eq(rig.heard.len, 0);
	cr_expect_eq(rig.handled, 1, "the next request waits");
	other = dial(&rig);
	say(&rig, other, GET("/release"));
	cr_expect_eq(hear(&rig, other, "done"), 200);
	cr_expect_eq(hear(&rig, fd, "released"), 200);
	cr_expect_eq(hear(&rig, fd, "GET"), 200);
	close(fd);
	close(other);
	teardown(&rig);
}

Test(http, a_request_outlives_its_peer)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct rig rig;
	int polite, rude;

	setup(&rig);
	polite = dial(&rig);
	rude = dial(&rig);
	say(&rig, polite, GET("/park"));
	say(&rig, rude, GET("/park"));
	PUMP_UNTIL(&rig, rig.parked_count == 2);
	(void)setsockopt(rude, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(polite);
	close(rude);
	pump_for(&rig, 50);
	cr_expect_eq(rig.http->conn_count, 2);
	cr_expect_str_eq(seal_http_path(rig.parked[0]), "/park");
	while (rig.parked_count > 0)
		reply_text(rig.parked[--rig.parked_count], 200, "nobody hears this");
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	teardown(&rig);
}

static void
on_gone(void *arg)
{
	++*(unsigned *)arg;
}

Test(http, tells_of_a_peer_that_leaves_while_it_waits)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	unsigned gone = 0;
	struct rig rig;

	setup(&rig);
	for (int how = 0; how < 3; how++) {
		int fd = dial(&rig);

		say(&rig, fd, GET("/park"));
		PUMP_UNTIL(&rig, rig.parked_count == 1);
		seal_http_await_gone(rig.parked[--rig.parked_count], on_gone, &gone);
		pump_for(&rig, 20);
		cr_expect_eq(gone, (unsigned)how, "nobody has gone yet");
		if (how == 1)
			(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		if (how == 2)
			(void)shutdown(fd, SHUT_WR);
		else
			close(fd);
		PUMP_UNTIL(&rig, rig.http->conn_count == 0);
		cr_expect_eq(gone, (unsigned)how + 1);
		if (how == 2)
			close(fd);
	}
	teardown(&rig);
}

Test(http, answers_a_peer_that_is_watched_and_serves_what_it_sent_meanwhile)
{
	unsigned gone = 0;
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, GET("/park"));
	PUMP_UNTIL(&rig, rig.parked_count == 1);
	seal_http_await_gone(rig.parked[0], on_gone, &gone);
	say(&rig, fd, GET("/method"));
	pump_for(&rig, 50);
	cr_expect_eq(rig.handled, 1);
	reply_text(rig.parked[--rig.parked_count], 200, "released");
	cr_expect_eq(hear(&rig, fd, "released"), 200);
	cr_expect_eq(hear(&rig, fd, "GET"), 200);
	cr_expect_eq(gone, 0);
	close(fd);
	teardown(&rig);
}

Test(http, a_request_that_is_not_watched_any_more_outlives_its_peer)
{
	unsigned gone = 0;
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, GET("/park"));
	PUMP_UNTIL(&rig, rig.parked_count == 1);
	seal_http_await_gone(rig.parked[0], on_gone, &gone);
	pump_for(&rig, 20);
	seal_http_await_gone(rig.parked[0], NULL, NULL);
	close(fd);
	pump_for(&rig, 50);
	cr_expect_eq(rig.http->conn_count, 1);
	cr_expect_str_eq(seal_http_path(rig.parked[0]), "/park");
	reply_text(rig.parked[--rig.parked_count], 200, "nobody hears this");
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	cr_expect_eq(gone, 0);
	teardown(&rig);
}

Test(http, forgets_a_peer_that_leaves_in_the_middle_of_a_request)
{
	static const char *const rows[] = { "G", "GET / HTTP/1.1\r\nHost",
					    POST("/echo") "Content-Length: 9\r\n\r\nx" };
	struct rig rig;

	setup(&rig);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		int fd = dial(&rig);

		say(&rig, fd, rows[i]);
		PUMP_UNTIL(&rig, rig.http->conn_count == 1 && rig.http->conns->request != NULL);
		close(fd);
		PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	}
	cr_expect_eq(rig.handled, 0);
	teardown(&rig);
}

Test(http, drains)
{
	struct rig rig;
	int idle, pending, begun, late;

	setup(&rig);
	idle = dial(&rig);
	pending = dial(&rig);
	begun = dial(&rig);
	say(&rig, pending, GET("/park"));
	say(&rig, begun, "GET /method HTTP/1.1\r\n");
	PUMP_UNTIL(&rig, rig.parked_count == 1 && rig.http->conn_count == 3);
	pump_for(&rig, 20);
	seal_http_drain(rig.http, on_drained, &rig);
	cr_expect_eq(rig.drained, 0, "never from within the call");
	expect_closed(&rig, idle);
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(late, 0);
	{
		struct sockaddr_storage addr;
		socklen_t len;

		cr_assert_eq(seal_endpoint_addr(&rig.endpoint, &addr, &len, NULL), 0);
		cr_expect_neq(connect(late, (struct sockaddr *)&addr, len), 0,
			      "nobody listens any more");
	}
	say(&rig, begun, "Host: x\r\n\r\n");
	cr_expect_eq(hear(&rig, begun, "GET"), 200);
	expect_closed(&rig, begun);
	close(begun);
	cr_expect_eq(rig.drained, 0);
	reply_text(rig.parked[0], 200, "at last");
	cr_expect_eq(hear(&rig, pending, "at last"), 200);
	expect_closed(&rig, pending);
	close(pending);
	PUMP_UNTIL(&rig, rig.drained > 0);
	cr_expect_eq(rig.http->conn_count, 0);
	pump_for(&rig, 20);
	cr_expect_eq(rig.drained, 1);
	close(idle);
	close(late);
	teardown(&rig);
}

Test(http, replies_while_draining_are_the_last)
{
	struct rig rig;
	int small = 16 * 1024;
	int begun, under_way;

	setup(&rig);
	begun = dial(&rig);
	under_way = dial(&rig);
	(void)setsockopt(under_way, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	say(&rig, begun, "GET /method HTTP/1.1\r\n");
	say(&rig, under_way, GET("/big"));
	PUMP_UNTIL(&rig, rig.handled == 1 && rig.http->conn_count == 2);
	pump_for(&rig, 20);
	seal_http_drain(rig.http, on_drained, &rig);

	say(&rig, begun, "Host: x\r\n\r\n");
	PUMP_UNTIL(&rig, !hear_some(&rig, begun) || whole_reply(&rig) > 0);
	cr_expect_not_null(strstr(seal_bytes_str(&rig.heard), "\r\nConnection: close\r\n"),
			   "it is told so");
	seal_bytes_reset(&rig.heard);
	close(begun);

	/* This one's head promised to stay, before the drain; it is closed all the same. */
	PUMP_UNTIL(&rig, !hear_some(&rig, under_way) || whole_reply(&rig) > 0);
	cr_expect_gt(whole_reply(&rig), BIG_LEN, "it was cut off");
	seal_bytes_reset(&rig.heard);
	expect_closed(&rig, under_way);
	close(under_way);
	PUMP_UNTIL(&rig, rig.drained == 1);
	teardown(&rig);
}

Test(http, drains_at_once_when_nobody_is_there)
{
	struct rig rig;

	setup(&rig);
	seal_http_drain(rig.http, on_drained, &rig);
	cr_expect_eq(rig.drained, 0);
	PUMP_UNTIL(&rig, rig.drained == 1);
	teardown(&rig);
}

Test(http, a_handler_may_start_the_drain)
{
	struct rig rig;
	int fd, idle;

	setup(&rig);
	idle = dial(&rig);
	fd = dial(&rig);
	say(&rig, fd, GET("/drain"));
	cr_expect_eq(hear(&rig, fd, "draining"), 200);
	expect_closed(&rig, fd);
	expect_closed(&rig, idle);
	close(fd);
	close(idle);
	PUMP_UNTIL(&rig, rig.drained == 1);
	teardown(&rig);
}

static void
free_server(void *arg)
{
	struct rig *rig = arg;

	seal_http_free(rig->http);
	rig->http = NULL;
}

Test(http, the_server_may_be_freed_when_it_has_drained)
{
	struct rig rig;

	setup(&rig);
	seal_http_drain(rig.http, free_server, &rig);
	PUMP_UNTIL(&rig, rig.http == NULL);
	teardown(&rig);
}

Test(http, may_be_freed_with_everything_under_way)
{
	static const char *const rows[] = { "",
					    "GET /",
					    POST("/echo") "Content-Length: 9\r\n\r\nx",
					    GET("/park") GET("/method"),
					    GET("/big"),
					    "nonsense\r\n" };
	int fds[SEAL_COUNT(rows)];
	struct rig rig;

	setup(&rig);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		fds[i] = dial(&rig);
		say(&rig, fds[i], rows[i]);
	}
	PUMP_UNTIL(&rig, rig.http->conn_count == SEAL_COUNT(rows) && rig.parked_count == 1);
	pump_for(&rig, 20);
	free_server(&rig);
	pump_for(&rig, 20);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++)
		close(fds[i]);
	teardown(&rig);
}

Test(http, closes_connections_beyond_the_limit)
{
	struct seal_http_config config;
	struct rig rig;
	int first, second, third;

	setup(&rig);
	config = rig.config;
	config.max_connections = 2;
	limit(&rig, config);
	first = dial(&rig);
	second = dial(&rig);
	PUMP_UNTIL(&rig, rig.http->conn_count == 2);
	third = dial(&rig);
	expect_closed(&rig, third);
	close(third);
	say(&rig, first, GET("/method"));
	cr_expect_eq(hear(&rig, first, "GET"), 200, "those within it are served");
	close(second);
	PUMP_UNTIL(&rig, rig.http->conn_count == 1);
	third = dial(&rig);
	say(&rig, third, GET("/method"));
	cr_expect_eq(hear(&rig, third, "GET"), 200);
	close(first);
	close(third);
	teardown(&rig);
}

Test(http, serves_many_connections_at_once)
{
	enum { MANY = 400 };
	int fds[MANY];
	struct rig rig;

	setup(&rig);
	for (int i = 0; i < MANY; i++) {
		fds[i] = dial(&rig);
		say(&rig, fds[i], "POST /echo HTTP/1.1\r\nHost: x\r\n");
	}
	PUMP_UNTIL(&rig, rig.http->conn_count == MANY);
	for (int i = MANY; i-- > 0;)
		say(&rig, fds[i], "Content-Length: 2\r\n\r\nok");
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(hear(&rig, fds[i], "ok"), 200);
	cr_expect_eq(rig.handled, MANY);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	teardown(&rig);
}

static long
cpu_ms(void)
{
	struct rusage usage;

	cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

Test(http, rests_while_there_are_no_descriptors_and_comes_back)
{
	struct seal_timer *enough = NULL;
	struct rlimit before, none;
	struct rig rig;
	long cpu;
	int fd;

	if (getenv("SEAL_UNDER_VALGRIND") != NULL)
		cr_skip_test("valgrind keeps the last descriptors for itself");
	setup(&rig);
	cr_assert_eq(seal_timer_new(&enough, rig.loop, tick, &rig, NULL), 0);
	fd = dial(&rig);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)fd + 1;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cpu = cpu_ms();
	seal_timer_arm(enough, 400);
	cr_assert_eq(seal_loop_run(rig.loop, NULL), 0);
	cpu = cpu_ms() - cpu;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_expect_eq(rig.http->conn_count, 0);
	cr_expect_lt(cpu, 60, "it spun for %ld ms", cpu);
	say(&rig, fd, GET("/method"));
	cr_expect_eq(hear(&rig, fd, "GET"), 200);
	seal_timer_free(enough);
	close(fd);
	teardown(&rig);
}

Test(http, knows_its_peer)
{
	char folder[] = "/tmp/seal-http-XXXXXX";
	char where[64];
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial(&rig);
	say(&rig, fd, GET("/peer"));
	cr_expect_eq(hear(&rig, fd, "ok"), 200);
	cr_expect_eq(strncmp(rig.peer, "127.0.0.1:", 10), 0, "%s", rig.peer);
	cr_expect_str_eq(rig.host, "127.0.0.1");
	cr_expect_not(rig.is_local);
	cr_expect_eq(rig.uid_result, SEAL_E_MISSING);
	close(fd);
	teardown(&rig);

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(where, sizeof(where), "unix:%s/s", folder);
	setup_at(&rig, where);
	fd = dial(&rig);
	say(&rig, fd, GET("/peer"));
	cr_expect_eq(hear(&rig, fd, "ok"), 200);
	cr_expect_str_eq(rig.peer, "unix");
	cr_expect_str_eq(rig.host, "unix");
	cr_expect(rig.is_local);
	cr_expect_eq(rig.uid_result, 0);
	cr_expect_eq(rig.uid, getuid());
	close(fd);
	teardown(&rig);
	(void)unlink(where + strlen("unix:"));
	cr_expect_eq(rmdir(folder), 0);
}

Test(http, names_an_ipv6_peer_without_brackets)
{
	struct seal_endpoint v6;
	struct rig rig;
	int fd;

	setup(&rig);
	cr_assert_eq(seal_endpoint_parse(&v6, "[::1]:0", NULL, NULL), 0);
	fd = seal_listen(&v6, 0, NULL);
	if (fd < 0)
		cr_skip_test("no IPv6 on this machine");
	cr_assert_eq(seal_http_listen(rig.http, fd, NULL, NULL), 0);
	v6.port = seal_listen_port(fd);
	rig.endpoint = v6;
	fd = dial(&rig);
	say(&rig, fd, GET("/peer"));
	cr_expect_eq(hear(&rig, fd, "ok"), 200);
	cr_expect_eq(strncmp(rig.peer, "[::1]:", 6), 0, "%s", rig.peer);
	cr_expect_str_eq(rig.host, "::1");
	close(fd);
	teardown(&rig);
}

Test(http, needs_a_limit_for_everything)
{
	struct seal_http_config config;
	struct seal_http *http = NULL;
	struct rig rig;

	setup(&rig);
	for (int i = 0; i < 7; i++) {
		config = rig.config;
		switch (i) {
		case 0:
			config.handler = NULL;
			break;
		case 1:
			config.staging = NULL;
			break;
		case 2:
			config.max_connections = 0;
			break;
		case 3:
			config.handshake_ms = 0;
			break;
		case 4:
			config.request_ms = 0;
			break;
		case 5:
			config.idle_ms = 0;
			break;
		default:
			config.reply_ms = 0;
		}
		cr_expect_eq(seal_http_new(&http, rig.loop, &config, NULL), SEAL_E_BUG, "%d", i);
		cr_expect_null(http);
	}
	teardown(&rig);
}

Test(http_table, every_state_reaches_closed)
{
	for (enum http_state state = HTTP_HANDSHAKE; state < HTTP_CLOSED; state++) {
		cr_expect_eq(http_next_state(state, HTTP_EV_FAIL), HTTP_CLOSED, "state %d", state);
		cr_expect_neq(http_next_state(state, HTTP_EV_DRAIN), HTTP_NONE, "state %d", state);
	}
	for (enum http_event event = 0; event < HTTP_N_EVENTS; event++) {
		enum http_state next = http_next_state(HTTP_CLOSED, event);

		cr_expect(next == HTTP_CLOSED || next == HTTP_NONE, "CLOSED is left by %d", event);
	}
}

Test(http_table, every_state_that_waits_for_the_peer_has_a_deadline_that_ends_it)
{
	for (enum http_state state = HTTP_HANDSHAKE; state < HTTP_CLOSED; state++) {
		enum http_state next = http_next_state(state, HTTP_EV_DEADLINE);

		if (state == HTTP_HANDLER) /* it waits for us */
			cr_expect_eq(next, HTTP_NONE);
		else
			cr_expect(next == HTTP_CLOSED || next == HTTP_REPLY, "state %d", state);
	}
}

Test(http_table, a_handler_is_reached_by_whole_requests_only)
{
	for (enum http_state state = HTTP_HANDSHAKE; state < HTTP_N_STATES; state++) {
		for (enum http_event event = 0; event < HTTP_N_EVENTS; event++) {
			if (state != HTTP_HANDLER && event != HTTP_EV_REQUEST)
				cr_expect_neq(http_next_state(state, event), HTTP_HANDLER,
					      "state %d, event %d", state, event);
		}
	}
}
