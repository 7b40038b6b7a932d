/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/http, the asking side, against servers that are a thread each: they take one connection after
 * another, read, say what they are told to say and hang up or wait.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/http/ask.h"
#include "base/tls/tls_internal.h"
#include "tests/support/pki.h"

#define OK      "HTTP/1.1 200 OK\r\n"
#define OK_BODY OK "Content-Length: 2\r\n\r\n{}"

struct server {
	struct seal_endpoint at;
	struct seal_tls *tls;
	const char *says;
	size_t says_len; /* 0: all of it */
	size_t drip_ms;  /* between its bytes; 0: all at once */
	bool deaf;       /* reads nothing before it speaks */
	bool waits;      /* for the client to leave, instead of hanging up */
	bool polite;     /* says goodbye in TLS */
	int fd;
	pthread_t thread;
	atomic_bool stop;
	atomic_int connections;
	char heard[4096];
	char sni[256];
	char dir[32];
};

static void
nap(int ms)
{
	(void)poll(NULL, 0, ms);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static ssize_t
hear(SSL *ssl, int fd, void *to, size_t len)
{
	return ssl != NULL ? SSL_read(ssl, to, (int)len) : recv(fd, to, len, 0);
}

static ssize_t
say(SSL *ssl, int fd, const char *text, size_t len)
{
	if (len == 0)
		return 0;
	return ssl != NULL ? SSL_write(ssl, text, (int)len) : send(fd, text, len, MSG_NOSIGNAL);
}

static void
speak(const struct server *server, SSL *ssl, int fd)
{
	size_t len = server->says_len != 0 ? server->says_len : strlen(server->says);

	if (server->drip_ms == 0)
		(void)say(ssl, fd, server->says, len);
	for (size_t i = 0; server->drip_ms != 0 && i < len && !atomic_load(&server->stop); i++) {
		(void)say(ssl, fd, server->says + i, 1);
		nap((int)server->drip_ms);
	}
}

static void
serve_one(struct server *server, SSL *ssl, int fd)
{
	size_t len = 0;

	memset(server->heard, 0, sizeof(server->heard));
	while (!server->deaf && strstr(server->heard, "\r\n\r\n") == NULL) {
		ssize_t n = hear(ssl, fd, server->heard + len, sizeof(server->heard) - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
	}
	speak(server, ssl, fd);
	if (server->polite && ssl != NULL)
		(void)SSL_shutdown(ssl);
	while (server->waits && !atomic_load(&server->stop))
		nap(5);
}

static int
admit(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	(void)arg, (void)presented, (void)ret_peer, (void)err;
	return 0;
}

static int
note_sni(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct server *server = arg;

	(void)alert;
	(void)snprintf(server->sni, sizeof(server->sni), "%s", name != NULL ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static void
take_one(struct server *server, int fd)
{
	const struct seal_tls_session_config session = { .verify = admit };
	void *ssl = NULL;

	(void)fcntl(fd, F_SETFL, 0);
	atomic_fetch_add(&server->connections, 1);
	if (server->tls == NULL) {
		serve_one(server, NULL, fd);
		return;
	}
	cr_assert_eq(seal_tls_session(&ssl, server->tls, &session, NULL), 0);
	(void)SSL_CTX_set_tlsext_servername_callback(SSL_get_SSL_CTX(ssl), note_sni);
	(void)SSL_CTX_set_tlsext_servername_arg(SSL_get_SSL_CTX(ssl), server);
	(void)SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		serve_one(server, ssl, fd);
	SSL_free(ssl);
}

static void *
serve(void *arg)
{
	struct server *server = arg;

	while (!atomic_load(&server->stop)) {
		struct pollfd wait = { .fd = server->fd, .events = POLLIN };
		int fd = poll(&wait, 1, 5) == 1 ? accept(server->fd, NULL, NULL) : -1;

		if (fd < 0)
			continue;
		take_one(server, fd);
		(void)close(fd);
	}
	return NULL;
}

/* at NULL: a unix socket in a folder of its own. */
static void
start(struct server *server, const char *at)
{
	struct seal_err err = { 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	if (at == NULL) {
		(void)snprintf(server->dir, sizeof(server->dir), "/tmp/seal-ask.XXXXXX");
		cr_assert_not_null(mkdtemp(server->dir));
		server->at = (struct seal_endpoint){ .is_unix = true };
		(void)snprintf(server->at.host, sizeof(server->at.host), "%s/s", server->dir);
	} else {
		cr_assert_eq(seal_endpoint_parse(&server->at, at, NULL, &err), 0, "%s", err.text);
	}
	server->fd = seal_listen(&server->at, 0600, &err);
	cr_assert_geq(server->fd, 0, "%s", err.text);
	if (at != NULL)
		server->at.port = seal_listen_port(server->fd);
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
stop(struct server *server)
{
	atomic_store(&server->stop, true);
	(void)pthread_join(server->thread, NULL);
	(void)close(server->fd);
	if (server->at.is_unix) {
		(void)unlink(server->at.host);
		(void)rmdir(server->dir);
	}
}

struct outcome {
	int r;
	unsigned status;
	char body[64];
	struct seal_err err;
	int64_t took_ms;
};

/* What ask leaves open is filled in; what it comes to keeps its promises about outputs. */
static struct outcome
ask(struct seal_ask *question)
{
	struct seal_bytes reply = SEAL_BYTES(1000);
	struct outcome outcome = { .status = 7 };
	int64_t start_ms = now_ms();

	question->method = question->method != NULL ? question->method : "GET";
	question->path = question->path != NULL ? question->path : "/";
	question->timeout_ms = question->timeout_ms != 0 ? question->timeout_ms : 3000;
	cr_assert_eq(seal_bytes_append_str(&reply, "as it was", NULL), 0);
	outcome.r = seal_ask(question, &outcome.status, &reply, &outcome.err);
	outcome.took_ms = now_ms() - start_ms;
	(void)snprintf(outcome.body, sizeof(outcome.body), "%s", seal_bytes_str(&reply));
	cr_expect_eq(reply.max, 1000);
	cr_expect_eq(outcome.r, outcome.err.code);
	if (outcome.r < 0) {
		cr_expect_eq(outcome.status, 7);
		cr_expect_str_eq(outcome.body, "as it was");
	}
	seal_bytes_release(&reply);
	return outcome;
}

static struct outcome
ask_server(struct server *server)
{
	struct seal_ask question = { .to = &server->at };

	return ask(&question);
}

#define EXPECT(outcome, code, why)                                                                 \
	do {                                                                                       \
		cr_expect_eq((outcome).r, (code), "%d: %s", (outcome).r, (outcome).err.text);      \
		cr_expect_not_null(strstr((outcome).err.text, (why)), "no '%s' in: %s", (why),     \
				   (outcome).err.text);                                            \
	} while (0)

/* ---- What is sent ---- */

Test(ask, sends_one_request_and_says_that_it_is_the_only_one)
{
	static const char *const headers[] = { "Accept: text/plain", "X-Y: z" };
	struct server server = { .says = OK_BODY };
	struct seal_ask question = {
		.to = &server.at, .path = "/v1/x?y=z", .headers = headers, .header_count = 2
	};
	char expected[256];
	struct outcome outcome;

	start(&server, "127.0.0.1:0");
	outcome = ask(&question);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_eq(outcome.status, 200);
	cr_expect_str_eq(outcome.body, "{}");
	(void)snprintf(expected, sizeof(expected),
		       "GET /v1/x?y=z HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: text/plain\r\n"
		       "X-Y: z\r\nConnection: close\r\n\r\n",
		       server.at.port);
	cr_expect_str_eq(server.heard, expected);
	cr_expect_eq(atomic_load(&server.connections), 1);
	stop(&server);
}

Test(ask, sends_a_body_with_its_length)
{
	struct server server = { .says = OK_BODY };
	struct seal_ask question = {
		.to = &server.at, .method = "POST", .body = "abc", .body_len = 3
	};
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask(&question);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_str_eq(server.heard, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
				       "Connection: close\r\n\r\nabc");
	question.body = NULL;
	question.body_len = 0;
	outcome = ask(&question);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_not_null(strstr(server.heard, "Content-Length: 0\r\n"));
	stop(&server);
}

Test(ask, refuses_to_write_what_could_be_a_second_request)
{
	static const char *const paths[] = { "",      "x",     "/a b", "/a\r\nX: y",
					     "/a\nb", "/\x80", "/a\tb" };
	static const char *const methods[] = { "", "GET ", "get", "HEAD", "GET\r\n" };
	static const char *const headers[] = { "X: y\r\nZ: a", "X: y\n", "X: \x01" };
	struct server server = { .says = OK_BODY };

	start(&server, NULL);
	for (size_t i = 0; i < SEAL_COUNT(paths); i++) {
		struct seal_ask question = { .to = &server.at, .path = paths[i] };

		cr_expect_eq(ask(&question).r, SEAL_E_BUG, "path %zu", i);
	}
	for (size_t i = 0; i < SEAL_COUNT(methods); i++) {
		struct seal_ask question = { .to = &server.at, .method = methods[i] };

		cr_expect_eq(ask(&question).r, SEAL_E_BUG, "method %zu", i);
	}
	for (size_t i = 0; i < SEAL_COUNT(headers); i++) {
		struct seal_ask question = { .to = &server.at,
					     .headers = &headers[i],
					     .header_count = 1 };

		cr_expect_eq(ask(&question).r, SEAL_E_BUG, "header %zu", i);
	}
	cr_expect_eq(atomic_load(&server.connections), 0);
	stop(&server);
}

/* ---- What is answered ---- */

Test(ask, takes_an_answer_that_comes_byte_by_byte)
{
	struct server server = { .says = OK_BODY, .drip_ms = 2 };
	struct outcome outcome;

	start(&server, "[::1]:0");
	outcome = ask_server(&server);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_str_eq(outcome.body, "{}");
	stop(&server);
}

/* The server neither reads the request nor takes all of it. */
Test(ask, takes_an_answer_before_the_request_is_gone)
{
	static char body[4u * 1024 * 1024];
	struct server server = { .says = "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\n{}",
				 .deaf = true,
				 .waits = true };
	struct seal_ask question = {
		.to = &server.at, .method = "POST", .body = body, .body_len = sizeof(body)
	};
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask(&question);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_eq(outcome.status, 413);
	stop(&server);
}

Test(ask, does_not_wait_for_the_end_of_the_connection_when_the_length_is_known)
{
	struct server server = { .says = OK_BODY, .waits = true };
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask_server(&server);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_lt(outcome.took_ms, 1000);
	stop(&server);
}

Test(ask, refuses_an_answer_that_is_none)
{
	static const struct {
		const char *says;
		int code;
		const char *why;
	} cases[] = {
		{ "SSH-2.0-x\r\n\r\n", SEAL_E_FORMAT, "not HTTP" },
		{ OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", SEAL_E_FORMAT, "chunked" },
		{ OK "Content-Length: 1001\r\n\r\n", SEAL_E_LIMIT, "1000 bytes" },
		{ OK "Content-Length: 3\r\n\r\n{}", SEAL_E_CLOSED, "cut short" },
		{ OK "Content-Le", SEAL_E_CLOSED, "cut short" },
		{ "", SEAL_E_CLOSED, "without an answer" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct server server = { .says = cases[i].says };
		struct outcome outcome;

		start(&server, NULL);
		outcome = ask_server(&server);
		EXPECT(outcome, cases[i].code, cases[i].why);
		cr_expect_eq(atomic_load(&server.connections), 1, "asked again");
		stop(&server);
	}
}

/* ---- Time ---- */

Test(ask, gives_up_in_time_on_a_server_that_says_nothing)
{
	struct server server = { .says = "", .waits = true };
	struct seal_ask question = { .to = &server.at, .timeout_ms = 300 };
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask(&question);
	EXPECT(outcome, SEAL_E_TIMEOUT, "timed out");
	cr_expect_geq(outcome.took_ms, 250);
	cr_expect_lt(outcome.took_ms, 2000);
	stop(&server);
}

Test(ask, gives_up_in_time_on_a_server_that_never_ends)
{
	struct server server = { .says = OK_BODY, .drip_ms = 50 };
	struct seal_ask question = { .to = &server.at, .timeout_ms = 500 };
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask(&question);
	EXPECT(outcome, SEAL_E_TIMEOUT, "timed out");
	cr_expect_lt(outcome.took_ms, 2000);
	stop(&server);
}

Test(ask, gives_up_on_a_server_that_has_stopped_before_the_time_is_over)
{
	struct server server = { .says = OK, .waits = true };
	struct seal_ask question = { .to = &server.at, .timeout_ms = 10000, .stall_ms = 300 };
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask(&question);
	EXPECT(outcome, SEAL_E_TIMEOUT, "nothing moved");
	cr_expect_lt(outcome.took_ms, 3000);
	stop(&server);
}

Test(ask, has_patience_with_a_server_that_is_slow_but_moves)
{
	struct server server = { .says = OK_BODY, .drip_ms = 20 };
	struct seal_ask question = { .to = &server.at, .timeout_ms = 20000, .stall_ms = 600 };
	struct outcome outcome;

	start(&server, NULL);
	outcome = ask(&question);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_gt(outcome.took_ms, 600);
	stop(&server);
}

static void *
abort_soon(void *arg)
{
	nap(150);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

Test(ask, ends_when_told_to)
{
	struct server server = { .says = "", .waits = true };
	atomic_bool abort = false;
	struct seal_ask question = { .to = &server.at, .timeout_ms = 10000, .abort = &abort };
	struct outcome outcome;
	pthread_t thread;

	start(&server, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, abort_soon, &abort), 0);
	outcome = ask(&question);
	EXPECT(outcome, SEAL_E_CLOSED, "given up");
	cr_expect_lt(outcome.took_ms, 2000);
	(void)pthread_join(thread, NULL);
	stop(&server);
}

/* ---- Where to ---- */

/* localhost is 127.0.0.1 first: nobody is there, and somebody is at the next address. */
Test(ask, tries_every_address_of_a_name)
{
	struct server server = { .says = OK_BODY };
	struct seal_ask question = { .to = &server.at };
	struct outcome outcome;

	start(&server, "[::1]:0");
	(void)snprintf(server.at.host, sizeof(server.at.host), "localhost");
	outcome = ask(&question);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_not_null(strstr(server.heard, "Host: localhost:"));
	stop(&server);
}

Test(ask, says_why_nobody_could_be_reached)
{
	struct seal_endpoint to = { .host = "127.0.0.1", .port = 1 };
	struct seal_ask question = { .to = &to };
	struct outcome outcome = ask(&question);

	EXPECT(outcome, SEAL_E_SYSTEM, "refused");
	EXPECT(outcome, SEAL_E_SYSTEM, "127.0.0.1:1");
}

Test(ask, tells_missing_sockets_from_closed_ones)
{
	struct seal_endpoint to = { .is_unix = true, .host = "/nowhere/at/all" };
	struct seal_ask question = { .to = &to };
	struct outcome outcome = ask(&question);

	EXPECT(outcome, SEAL_E_MISSING, "No such file");
	memset(to.host, 'x', 150);
	to.host[150] = '\0';
	outcome = ask(&question);
	EXPECT(outcome, SEAL_E_LIMIT, "path");
}

/* ---- TLS ---- */

struct parties {
	struct pki_id ca;
	struct pki_id ids[2]; /* server, client */
	struct seal_tls *tls[2];
	int verdict;
	unsigned verified;
};

static int
verify(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	struct parties *parties = arg;

	(void)ret_peer;
	cr_expect_geq(seal_certs_count(presented), 1);
	parties->verified++;
	return parties->verdict == 0 ? 0 : seal_fail(err, SEAL_E_UNAUTH, "not you");
}

static void
parties_new(struct parties *parties)
{
	*parties = (struct parties){ .ca = pki_ca("ca") };
	for (int i = 0; i < 2; i++) {
		struct seal_tls_config config = { .side = i == 0 ? SEAL_SIDE_SERVER
								 : SEAL_SIDE_CLIENT };

		parties->ids[i] = pki_pod(&parties->ca, "shop", "web", NULL);
		config.chain = parties->ids[i].chain;
		config.key = parties->ids[i].key;
		cr_assert_eq(seal_tls_new(&parties->tls[i], &config, NULL), 0);
	}
}

static void
parties_free(struct parties *parties)
{
	for (int i = 0; i < 2; i++) {
		seal_tls_unref(parties->tls[i]);
		pki_id_release(&parties->ids[i]);
	}
	pki_id_release(&parties->ca);
}

static struct outcome
ask_tls(struct parties *parties, struct server *server)
{
	struct seal_ask question = {
		.to = &server->at, .tls = parties->tls[1], .verify = verify, .verify_arg = parties
	};

	return ask(&question);
}

Test(ask_tls, asks_whom_it_believes_and_nobody_else)
{
	struct server server = { .says = OK_BODY, .polite = true };
	struct parties parties;
	struct outcome outcome;

	parties_new(&parties);
	server.tls = parties.tls[0];
	start(&server, "127.0.0.1:0");
	outcome = ask_tls(&parties, &server);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_str_eq(outcome.body, "{}");
	cr_expect_eq(parties.verified, 1);

	memset(server.heard, 0, sizeof(server.heard));
	parties.verdict = -1;
	outcome = ask_tls(&parties, &server);
	EXPECT(outcome, SEAL_E_UNAUTH, "not you");
	cr_expect_str_eq(server.heard, "", "the request went out all the same");
	stop(&server);
	parties_free(&parties);
}

/* Only close_notify ends a body without a length; with one, only all of it is enough. */
Test(ask_tls, refuses_an_answer_cut_short_at_any_byte)
{
	static const char *const answers[] = { OK "Content-Length: 2\r\n\r\n{}", OK "\r\n{}" };
	struct parties parties;

	parties_new(&parties);
	for (size_t i = 0; i < SEAL_COUNT(answers); i++) {
		struct server server = { .says = answers[i], .tls = parties.tls[0] };
		bool has_length = strstr(answers[i], "Length") != NULL;
		size_t len = strlen(answers[i]);
		struct outcome outcome;

		start(&server, "127.0.0.1:0");
		for (size_t cut = 1; cut < len + (has_length ? 0 : 1); cut++) {
			server.says_len = cut;
			outcome = ask_tls(&parties, &server);
			cr_expect_eq(outcome.r, SEAL_E_CLOSED, "answer %zu cut at %zu: %s", i, cut,
				     outcome.err.text);
		}
		server.says_len = len;
		server.polite = !has_length;
		outcome = ask_tls(&parties, &server);
		cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
		stop(&server);
	}
	parties_free(&parties);
}

Test(ask_tls, refuses_a_server_that_speaks_no_tls)
{
	struct server server = { .says = "220 mail.example.com ESMTP\r\n", .deaf = true };
	struct parties parties;
	struct outcome outcome;

	parties_new(&parties);
	start(&server, "127.0.0.1:0");
	outcome = ask_tls(&parties, &server);
	EXPECT(outcome, SEAL_E_UNAUTH, "");
	stop(&server);
	parties_free(&parties);
}

Test(ask_tls, gives_up_in_time_on_a_server_that_never_shakes_hands)
{
	struct server server = { .says = "", .deaf = true, .waits = true };
	struct parties parties;
	struct outcome outcome;
	struct seal_ask question;

	parties_new(&parties);
	start(&server, "127.0.0.1:0");
	question = (struct seal_ask){
		.to = &server.at, .tls = parties.tls[1], .verify = admit, .timeout_ms = 300
	};
	outcome = ask(&question);
	EXPECT(outcome, SEAL_E_TIMEOUT, "timed out");
	stop(&server);
	parties_free(&parties);
}

/* RFC 6066 section 3: names only; a passthrough route finds its way by it. */
Test(ask_tls, sends_the_name_it_connects_to_but_no_address)
{
	struct server server = { .says = OK_BODY, .polite = true };
	struct parties parties;
	struct outcome outcome;

	parties_new(&parties);
	server.tls = parties.tls[0];
	start(&server, "127.0.0.1:0");
	outcome = ask_tls(&parties, &server);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_str_eq(server.sni, "");
	(void)snprintf(server.at.host, sizeof(server.at.host), "localhost");
	outcome = ask_tls(&parties, &server);
	cr_expect_eq(outcome.r, 0, "%s", outcome.err.text);
	cr_expect_str_eq(server.sni, "localhost");
	stop(&server);
	parties_free(&parties);
}
