/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against roots of trust that behave, misbehave and are none: each a thread with a blocking
 * TLS session on loopback that answers one connection after another by its script.
 */

#include "rot/client/client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/tls/tls_internal.h"
#include "tests/support/pki.h"

#define EGG_URI "spiffe://" PKI_DOMAIN "/egg/00112233445566778899aabbccddeeff"
#define ROT_URI "spiffe://" PKI_DOMAIN "/rot"
#define ANSWER(status, body)                                                                       \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

enum behaviour {
	ANSWERS,      /* with the script's reply */
	HANGS_EARLY,  /* takes the connection and says nothing */
	HANGS_LATE,   /* finishes the handshake, reads the request, says nothing */
	CLOSES_EARLY, /* before the handshake */
	CLOSES_LATE,  /* after the request */
	NO_TLS,       /* talks plain text */
};

/* ---- A root of trust of sorts ---- */

struct server {
	enum behaviour behaviour;
	const char *reply;
	size_t repeat; /* send the reply's last line so often, too */
	struct seal_tls *tls;
	int listen_fd;
	pthread_t thread;
	char url[64];
	atomic_int connections;
	atomic_bool stop;
	char request[8192]; /* the last one's bytes */
};

static int
admit_all(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	(void)ret_peer;
	(void)arg, (void)presented, (void)err;
	return 0;
}

static void
wait_until_stopped(const struct server *server)
{
	while (!atomic_load(&server->stop))
		(void)poll(NULL, 0, 5);
}

/* Head and body of what the client sends; it waits for us, so there is no more than that. */
static void
read_request(struct server *server, SSL *ssl)
{
	size_t len = 0;

	memset(server->request, 0, sizeof(server->request));
	for (;;) {
		const char *end = strstr(server->request, "\r\n\r\n");
		const char *length = strstr(server->request, "Content-Length: ");
		int n;

		if (end != NULL &&
		    strlen(end + 4) >= (length != NULL ? strtoul(length + 16, NULL, 10) : 0))
			return;
		n = SSL_read(ssl, server->request + len, (int)(sizeof(server->request) - 1 - len));
		if (n <= 0)
			return;
		len += (size_t)n;
	}
}

static void
answer(struct server *server, SSL *ssl)
{
	if (SSL_accept(ssl) != 1)
		return;
	read_request(server, ssl);
	if (server->behaviour == HANGS_LATE)
		wait_until_stopped(server);
	if (server->behaviour != ANSWERS)
		return;
	(void)SSL_write(ssl, server->reply, (int)strlen(server->reply));
	for (size_t i = 0; i < server->repeat; i++) {
		if (SSL_write(ssl, "X-Filler: 0123456789abcdef0123456789abcdef\r\n", 44) <= 0)
			return;
	}
	(void)SSL_shutdown(ssl);
}

static void
serve_one(struct server *server, int fd)
{
	static const char plain[] = "220 mail.example.com ESMTP\r\n";
	const struct seal_tls_session_config session = { .verify = admit_all };
	struct seal_err err = { 0 };
	void *ssl = NULL;

	atomic_fetch_add(&server->connections, 1);
	if (server->behaviour == HANGS_EARLY)
		wait_until_stopped(server);
	if (server->behaviour == NO_TLS)
		(void)send(fd, plain, strlen(plain), MSG_NOSIGNAL);
	if (server->behaviour != ANSWERS && server->behaviour != HANGS_LATE &&
	    server->behaviour != CLOSES_LATE)
		return;
	cr_assert_eq(seal_tls_session(&ssl, server->tls, &session, &err), 0);
	(void)SSL_set_fd(ssl, fd);
	answer(server, ssl);
	SSL_free(ssl);
}

static void *
serve(void *arg)
{
	struct server *server = arg;

	while (!atomic_load(&server->stop)) {
		struct pollfd wait = { .fd = server->listen_fd, .events = POLLIN };
		int fd;

		if (poll(&wait, 1, 5) != 1)
			continue;
		fd = accept(server->listen_fd, NULL, NULL);
		if (fd < 0)
			continue;
		serve_one(server, fd);
		(void)close(fd);
	}
	return NULL;
}

static void
server_start(struct server *server, const struct pki_id *id)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct seal_tls_config config = { .side = SEAL_SIDE_SERVER };
	socklen_t len = sizeof(addr);

	(void)signal(SIGPIPE, SIG_IGN);
	if (id != NULL) {
		config.chain = id->chain;
		config.key = id->key;
		cr_assert_eq(seal_tls_new(&server->tls, &config, NULL), 0);
	}
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server->listen_fd, (struct sockaddr *)&addr, len), 0);
	cr_assert_eq(listen(server->listen_fd, 8), 0);
	cr_assert_eq(getsockname(server->listen_fd, (struct sockaddr *)&addr, &len), 0);
	(void)snprintf(server->url, sizeof(server->url), "https://127.0.0.1:%u",
		       ntohs(addr.sin_port));
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
server_stop(struct server *server)
{
	atomic_store(&server->stop, true);
	(void)pthread_join(server->thread, NULL);
	(void)close(server->listen_fd);
	seal_tls_unref(server->tls);
}

/* ---- The two parties ---- */

struct world {
	struct pki_id ca;
	struct pki_id rot;
	struct pki_id egg;
	struct server server;
	struct rot_client *client;
	atomic_bool abort;
	struct seal_bytes reply;
	unsigned status;
	struct seal_err err;
};

static struct pki_id
issue(const struct pki_id *ca, enum seal_cert_kind kind, const char *uri)
{
	const struct seal_cert_spec spec = { .kind = kind, .common_name = "x", .uri = uri };

	return pki_issue(ca, &spec);
}

static void
world_new(struct world *world, enum behaviour behaviour, const char *reply)
{
	*world = (struct world){ .reply = SEAL_BYTES(4096) };
	world->ca = pki_ca("system");
	world->rot = issue(&world->ca, SEAL_CERT_SERVER, ROT_URI);
	world->egg = issue(&world->ca, SEAL_CERT_CLIENT, EGG_URI);
	world->server.behaviour = behaviour;
	world->server.reply = reply;
}

static void
world_connect(struct world *world, const struct seal_strv *urls)
{
	const struct rot_client_config config = {
		.urls = urls,
		.ca = world->ca.chain,
		.cert = world->egg.chain,
		.key = world->egg.key,
		.timeout_ms = 1500,
		.abort = &world->abort,
	};

	cr_assert_eq(rot_client_new(&world->client, &config, &world->err), 0, "%s",
		     world->err.text);
}

/* Start the server as id and make one GET. */
static int
world_get(struct world *world, const struct pki_id *id)
{
	struct seal_strv urls;

	server_start(&world->server, id);
	urls = pki_strv(world->server.url, NULL);
	world_connect(world, &urls);
	seal_strv_release(&urls);
	return rot_client_call(world->client, "GET", "/v1/status", NULL, 0, &world->status,
			       &world->reply, &world->err);
}

static void
world_free(struct world *world)
{
	rot_client_free(world->client);
	if (world->server.thread != 0)
		server_stop(&world->server);
	pki_id_release(&world->ca);
	pki_id_release(&world->rot);
	pki_id_release(&world->egg);
	seal_bytes_release(&world->reply);
}

/* The failure has the code, names the URL, says why, and left nothing in the reply. */
static void
expect_failure(const struct world *world, int r, int code, const char *why)
{
	cr_expect_eq(r, code, "%d: %s", r, world->err.text);
	cr_expect_eq(world->err.code, code, "%s", world->err.text);
	cr_expect_not_null(strstr(world->err.text, world->server.url), "%s", world->err.text);
	cr_expect_not_null(strstr(world->err.text, why), "no '%s' in: %s", why, world->err.text);
	cr_expect_eq(world->reply.len, 0);
	cr_expect_eq(world->status, 0);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- A root of trust that behaves ---- */

Test(client_call, gets_status_and_body)
{
	struct world world;

	world_new(&world, ANSWERS, ANSWER("200 OK", "{\"a\":1}"));
	cr_assert_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	cr_expect_eq(world.status, 200);
	cr_expect_str_eq(seal_bytes_str(&world.reply), "{\"a\":1}");
	cr_expect_not_null(strstr(world.server.request, "GET /v1/status HTTP/1.1\r\n"));
	world_free(&world);
}

Test(client_call, sends_a_body_in_one_piece_with_its_length)
{
	struct world world;

	world_new(&world, ANSWERS, ANSWER("201 Created", "{}"));
	cr_assert_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	cr_assert_eq(rot_client_call(world.client, "POST", "/v1/x", "{\"b\":2}", 7, &world.status,
				     &world.reply, &world.err),
		     0, "%s", world.err.text);
	cr_expect_eq(world.status, 201);
	cr_expect_not_null(strstr(world.server.request, "POST /v1/x HTTP/1.1\r\n"));
	cr_expect_not_null(strstr(world.server.request, "Content-Length: 7\r\n"));
	cr_expect_not_null(strstr(world.server.request, "Content-Type: application/json\r\n"));
	cr_expect_not_null(strstr(world.server.request, "\r\n\r\n{\"b\":2}"));
	cr_expect_null(strstr(world.server.request, "Expect:"));
	cr_expect_null(strstr(world.server.request, "chunked"));
	world_free(&world);
}

Test(client_call, hands_on_every_status_of_a_judgement)
{
	struct world world;

	world_new(&world, ANSWERS, ANSWER("404 Not Found", "{}"));
	cr_expect_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	cr_expect_eq(world.status, 404);
	world_free(&world);
}

Test(client_call, follows_no_redirect)
{
	struct world world;

	world_new(&world, ANSWERS,
		  "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nConnection: "
		  "close\r\n\r\n");
	cr_expect_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	cr_expect_eq(world.status, 302);
	cr_expect_eq(atomic_load(&world.server.connections), 1);
	world_free(&world);
}

/* ---- Somebody who is no root of trust of ours ---- */

static void
refuses_server(const struct pki_id *(*choose)(const struct world *, struct pki_id *),
	       const char *why)
{
	struct pki_id impostor = { 0 };
	struct world world;
	int r;

	world_new(&world, ANSWERS, ANSWER("200 OK", "{}"));
	r = world_get(&world, choose(&world, &impostor));
	expect_failure(&world, r, r == SEAL_E_REFUSED ? SEAL_E_REFUSED : SEAL_E_UNAUTH, why);
	cr_expect_str_empty(world.server.request, "an impostor got the request");
	world_free(&world);
	pki_id_release(&impostor);
}

static const struct pki_id *
of_another_ca(const struct world *world, struct pki_id *impostor)
{
	struct pki_id ca = pki_ca("system");

	(void)world;
	*impostor = issue(&ca, SEAL_CERT_SERVER, ROT_URI);
	pki_id_release(&ca);
	return impostor;
}

static const struct pki_id *
of_another_domain(const struct world *world, struct pki_id *impostor)
{
	*impostor = issue(&world->ca, SEAL_CERT_SERVER, "spiffe://other.test/rot");
	return impostor;
}

static const struct pki_id *
an_egg(const struct world *world, struct pki_id *impostor)
{
	(void)impostor;
	return &world->egg;
}

static const struct pki_id *
a_serving_egg(const struct world *world, struct pki_id *impostor)
{
	*impostor = issue(&world->ca, SEAL_CERT_SERVER, EGG_URI);
	return impostor;
}

static const struct pki_id *
expired(const struct world *world, struct pki_id *impostor)
{
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_SERVER,
					     .common_name = "x",
					     .uri = ROT_URI,
					     .not_before = SEAL_CLOCK_FLOOR + 1,
					     .not_after = SEAL_CLOCK_FLOOR + 3600 };

	*impostor = pki_issue(&world->ca, &spec);
	return impostor;
}

Test(client_trust, refuses_a_server_of_another_ca)
{
	refuses_server(of_another_ca, "");
}

Test(client_trust, refuses_a_server_of_another_trust_domain)
{
	refuses_server(of_another_domain, "");
}

Test(client_trust, refuses_an_egg_posing_as_the_server)
{
	refuses_server(an_egg, "");
}

Test(client_trust, refuses_another_role_even_with_a_server_certificate)
{
	refuses_server(a_serving_egg, "");
}

Test(client_trust, refuses_an_expired_server)
{
	refuses_server(expired, "expired");
}

/* Weakness 5: the system's trust store and its variables decide nothing. */
Test(client_trust, ignores_the_variables_of_trust_stores_and_proxies)
{
	struct pki_id ca = pki_ca("public");
	struct pki_id fake = issue(&ca, SEAL_CERT_SERVER, ROT_URI);
	struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	char path[] = "/tmp/seal-client-ca.XXXXXX";
	int fd = mkstemp(path);
	struct world world;
	int r;

	cr_assert_geq(fd, 0);
	cr_assert_eq(seal_certs_to_pem(ca.chain, &pem, NULL), 0);
	cr_assert_eq(write(fd, pem.data, pem.len), (ssize_t)pem.len);
	(void)close(fd);
	(void)setenv("SSL_CERT_FILE", path, 1);
	(void)setenv("CURL_CA_BUNDLE", path, 1);
	(void)setenv("https_proxy", "http://127.0.0.1:1", 1);
	(void)setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
	(void)setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);

	world_new(&world, ANSWERS, ANSWER("200 OK", "{}"));
	r = world_get(&world, &fake);
	expect_failure(&world, r, SEAL_E_UNAUTH, "");
	cr_expect_eq(atomic_load(&world.server.connections), 1, "a proxy was asked");
	world_free(&world);

	world_new(&world, ANSWERS, ANSWER("200 OK", "{}"));
	cr_expect_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	world_free(&world);
	(void)unlink(path);
	pki_id_release(&fake);
	pki_id_release(&ca);
	seal_bytes_release(&pem);
}

Test(client_trust, writes_no_session_secrets_for_the_environment)
{
	char path[] = "/tmp/seal-client-keys.XXXXXX";
	struct world world;
	struct stat st;

	cr_assert_not_null(mkdtemp(path));
	cr_assert_eq(chdir(path), 0);
	(void)setenv("SSLKEYLOGFILE", "keys", 1);
	world_new(&world, ANSWERS, ANSWER("200 OK", "{}"));
	cr_expect_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	cr_expect_lt(stat("keys", &st), 0, "the keys of the session are in a file");
	world_free(&world);
	(void)unlink("keys");
	(void)rmdir(path);
}

/* ---- Roots of trust that are unwell ---- */

Test(client_trouble, gives_up_on_a_server_that_never_shakes_hands)
{
	int64_t start = now_ms();
	struct world world;
	int r;

	world_new(&world, HANGS_EARLY, NULL);
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_TIMEOUT, "timed out");
	cr_expect_lt(now_ms() - start, 4000);
	world_free(&world);
}

Test(client_trouble, gives_up_on_a_server_that_never_answers)
{
	int64_t start = now_ms();
	struct world world;
	int r;

	world_new(&world, HANGS_LATE, NULL);
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_TIMEOUT, "timed out");
	cr_expect_lt(now_ms() - start, 4000);
	world_free(&world);
}

Test(client_trouble, reports_a_server_that_closes_before_the_handshake)
{
	struct world world;
	int r;

	world_new(&world, CLOSES_EARLY, NULL);
	r = world_get(&world, &world.rot);
	cr_expect(r == SEAL_E_UNAUTH || r == SEAL_E_CLOSED, "%d: %s", r, world.err.text);
	expect_failure(&world, r, r, "");
	world_free(&world);
}

Test(client_trouble, reports_a_server_that_closes_instead_of_answering)
{
	struct world world;
	int r;

	world_new(&world, CLOSES_LATE, NULL);
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_CLOSED, "");
	world_free(&world);
}

Test(client_trouble, reports_a_server_without_tls)
{
	struct world world;
	int r;

	world_new(&world, NO_TLS, NULL);
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_UNAUTH, "");
	world_free(&world);
}

Test(client_trouble, reports_an_answer_that_is_no_http)
{
	struct world world;
	int r;

	world_new(&world, ANSWERS, "SSH-2.0-OpenSSH\r\n\r\n");
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_FORMAT, "");
	world_free(&world);
}

Test(client_trouble, reports_an_answer_cut_short)
{
	struct world world;
	int r;

	world_new(&world, ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_CLOSED, "");
	world_free(&world);
}

Test(client_trouble, takes_no_more_than_the_reply_may_hold)
{
	struct world world;
	int r;

	world_new(&world, ANSWERS, ANSWER("200 OK", ""));
	world.server.repeat = 200;
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_LIMIT, "");
	world_free(&world);
}

Test(client_trouble, takes_no_headers_without_end)
{
	struct world world;
	int r;

	world_new(&world, ANSWERS, "HTTP/1.1 200 OK\r\n");
	world.server.repeat = 100000;
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_LIMIT, "headers");
	world_free(&world);
}

static void *
abort_soon(void *arg)
{
	(void)poll(NULL, 0, 200);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

Test(client_trouble, ends_a_call_when_told_to)
{
	int64_t start = now_ms();
	struct world world;
	pthread_t thread;
	int r;

	world_new(&world, HANGS_LATE, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, abort_soon, &world.abort), 0);
	r = world_get(&world, &world.rot);
	expect_failure(&world, r, SEAL_E_CLOSED, "given up");
	cr_expect_lt(now_ms() - start, 1400);
	(void)pthread_join(thread, NULL);

	r = rot_client_call(world.client, "GET", "/", NULL, 0, &world.status, &world.reply,
			    &world.err);
	cr_expect_eq(r, SEAL_E_CLOSED, "an aborted client called again");
	cr_expect_eq(atomic_load(&world.server.connections), 1);
	world_free(&world);
}

/* ---- Several URLs ---- */

/* A first server that behaves so, and world's as the second. */
static int
call_two(struct world *world, struct server *first)
{
	struct seal_strv urls;

	server_start(first, &world->rot);
	server_start(&world->server, &world->rot);
	urls = pki_strv(first->url, world->server.url, NULL);
	world_connect(world, &urls);
	seal_strv_release(&urls);
	return rot_client_call(world->client, "GET", "/", NULL, 0, &world->status, &world->reply,
			       &world->err);
}

Test(client_urls, are_tried_in_order_until_one_answers)
{
	static const enum behaviour bad[] = { HANGS_LATE, CLOSES_EARLY, CLOSES_LATE, NO_TLS };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct server first = { .behaviour = bad[i] };
		struct world world;

		world_new(&world, ANSWERS, ANSWER("200 OK", "second"));
		cr_expect_eq(call_two(&world, &first), 0, "%s", world.err.text);
		cr_expect_str_eq(seal_bytes_str(&world.reply), "second");
		cr_expect_eq(atomic_load(&first.connections), 1);
		server_stop(&first);
		world_free(&world);
	}
}

Test(client_urls, after_the_one_that_answers_are_left_alone)
{
	struct server first = { .behaviour = ANSWERS, .reply = ANSWER("403 Forbidden", "first") };
	struct world world;

	world_new(&world, ANSWERS, ANSWER("200 OK", "second"));
	cr_expect_eq(call_two(&world, &first), 0, "%s", world.err.text);
	cr_expect_eq(world.status, 403);
	cr_expect_str_eq(seal_bytes_str(&world.reply), "first");
	cr_expect_eq(atomic_load(&world.server.connections), 0);
	server_stop(&first);
	world_free(&world);
}

Test(client_urls, behind_a_server_error_get_their_chance)
{
	struct server first = { .behaviour = ANSWERS, .reply = ANSWER("503 Unavailable", "first") };
	struct world world;

	world_new(&world, ANSWERS, ANSWER("200 OK", "second"));
	cr_expect_eq(call_two(&world, &first), 0, "%s", world.err.text);
	cr_expect_eq(world.status, 200);
	cr_expect_str_eq(seal_bytes_str(&world.reply), "second");
	server_stop(&first);
	world_free(&world);
}

Test(client_urls, that_fail_leave_the_only_answer_there_was)
{
	struct server first = { .behaviour = ANSWERS, .reply = ANSWER("503 Unavailable", "first") };
	struct world world;

	world_new(&world, CLOSES_EARLY, NULL);
	cr_expect_eq(call_two(&world, &first), 0, "%s", world.err.text);
	cr_expect_eq(world.status, 503);
	cr_expect_str_eq(seal_bytes_str(&world.reply), "first");
	server_stop(&first);
	world_free(&world);
}

Test(client_new, refuses_urls_that_are_not_https)
{
	static const char *const bad[] = { "http://rot.example.com",
					   "rot.example.com",
					   "",
					   "https://user@rot.example.com",
					   "https://rot.example.com/path",
					   "file:///etc/passwd" };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_strv urls = pki_strv(bad[i], NULL);
		struct rot_client_config config = { .urls = &urls };
		struct rot_client *client = NULL;

		cr_expect_lt(rot_client_new(&client, &config, NULL), 0, "'%s'", bad[i]);
		cr_expect_null(client);
		seal_strv_release(&urls);
	}
}

Test(client_new, refuses_to_be_without_a_credential)
{
	struct seal_strv urls = pki_strv("https://rot.example.com", NULL);
	struct rot_client_config config = { .urls = &urls };
	struct rot_client *client = NULL;

	cr_expect_lt(rot_client_new(&client, &config, NULL), 0);
	cr_expect_null(client);
	seal_strv_release(&urls);
}

/* ---- The local socket ---- */

static void *
serve_socket(void *arg)
{
	static const char reply[] = ANSWER("200 OK", "{\"local\":true}");
	int fd = accept(*(int *)arg, NULL, NULL);
	char buffer[1024];

	if (recv(fd, buffer, sizeof(buffer), 0) > 0)
		(void)send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	(void)close(fd);
	return NULL;
}

Test(client_socket, is_spoken_to_without_tls)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct rot_client_config config = { .unix_path = addr.sun_path };
	struct seal_bytes reply = SEAL_BYTES(4096);
	char dir[] = "/tmp/seal-client.XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct rot_client *client = NULL;
	struct seal_err err = { 0 };
	unsigned status = 0;
	pthread_t thread;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/rot.sock", dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(pthread_create(&thread, NULL, serve_socket, &fd), 0);
	cr_assert_eq(rot_client_new(&client, &config, &err), 0, "%s", err.text);
	cr_expect_eq(rot_client_call(client, "GET", "/v1/status", NULL, 0, &status, &reply, &err),
		     0, "%s", err.text);
	cr_expect_eq(status, 200);
	cr_expect_str_eq(seal_bytes_str(&reply), "{\"local\":true}");
	(void)pthread_join(thread, NULL);
	(void)close(fd);
	(void)unlink(addr.sun_path);

	cr_expect_lt(rot_client_call(client, "GET", "/", NULL, 0, &status, &reply, &err), 0);
	cr_expect_not_null(strstr(err.text, addr.sun_path), "%s", err.text);
	cr_expect_not_null(strstr(err.text, "No such file"), "%s", err.text);
	rot_client_free(client);
	seal_bytes_release(&reply);
	(void)rmdir(dir);
}

/* ---- Credentials ---- */

#define GOOD                                                                                       \
	"{\"certificate\":\"C\",\"ca_bundle\":\"B\",\"workload\":\"shop\",\"peer\":\"web\","       \
	"\"clients\":[],\"servers\":[],\"keys\":[],\"floor\":{},\"epoch\":1,\"renew_after\":2}"

static int
ask(struct world *world, struct rot_credentials *credentials)
{
	const struct rot_request request = { .statement = (char *)(uintptr_t) "s",
					     .csr = (char *)(uintptr_t) "c" };
	struct seal_strv urls;

	server_start(&world->server, &world->rot);
	urls = pki_strv(world->server.url, NULL);
	world_connect(world, &urls);
	seal_strv_release(&urls);
	return rot_client_credentials(world->client, "/v1/hatch", &request, credentials,
				      &world->err);
}

Test(client_credentials, are_what_the_answer_holds)
{
	struct rot_credentials got = { 0 };
	struct world world;

	world_new(&world, ANSWERS, ANSWER("200 OK", GOOD));
	cr_assert_eq(ask(&world, &got), 0, "%s", world.err.text);
	cr_expect_str_eq(got.workload, "shop");
	cr_expect_not_null(strstr(world.server.request, "POST /v1/hatch HTTP/1.1\r\n"));
	cr_expect_not_null(strstr(world.server.request, "\"statement\":\"s\""));
	rot_credentials_release(&got);
	world_free(&world);
}

Test(client_credentials, tell_a_no_for_good_from_a_no_for_now)
{
	static const struct {
		const char *reply;
		int code;
		const char *why;
	} cases[] = {
		{ ANSWER("403 Forbidden",
			 "{\"error\":{\"code\":\"refused\",\"message\":\"hatch refused\"}}"),
		  SEAL_E_REFUSED, "hatch refused" },
		{ ANSWER("400 Bad Request", "{}"), SEAL_E_REFUSED, "400" },
		{ ANSWER("408 Timeout", ""), SEAL_E_TIMEOUT, "408" },
		{ ANSWER("429 Too Many Requests", ""), SEAL_E_LIMIT, "429" },
		{ ANSWER("500 Internal Server Error", "<html>"), SEAL_E_SYSTEM, "500" },
		{ ANSWER("503 Unavailable", ""), SEAL_E_SYSTEM, "503" },
		{ ANSWER("302 Found", ""), SEAL_E_FORMAT, "302" },
		{ ANSWER("204 No Content", ""), SEAL_E_FORMAT, "204" },
		{ ANSWER("200 OK", ""), SEAL_E_FORMAT, "answer" }, /* weakness 21: an empty 200 */
		{ ANSWER("200 OK", "{}"), SEAL_E_FORMAT, "certificate" },
		{ ANSWER("200 OK", "garbage"), SEAL_E_FORMAT, "JSON" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct rot_credentials got = { 0 };
		struct world world;
		int r;

		world_new(&world, ANSWERS, cases[i].reply);
		r = ask(&world, &got);
		cr_expect_eq(r, cases[i].code, "%d: %s", r, world.err.text);
		cr_expect_eq(world.err.code, cases[i].code);
		cr_expect_not_null(strstr(world.err.text, cases[i].why), "%s", world.err.text);
		cr_expect_null(got.certificate);
		world_free(&world);
	}
}

/* What stands in between can close or lie, but never say "no" for the root of trust. */
Test(client_credentials, are_not_refused_by_anybody_else)
{
	struct pki_id impostor = { 0 };
	struct rot_credentials got = { 0 };
	struct world world;
	struct pki_id kept;
	int r;

	world_new(&world, ANSWERS, ANSWER("403 Forbidden", ""));
	(void)a_serving_egg(&world, &impostor);
	kept = world.rot;
	world.rot = impostor;
	r = ask(&world, &got);
	cr_expect_lt(r, 0);
	cr_expect_neq(r, SEAL_E_REFUSED, "%s", world.err.text);
	world_free(&world);
	pki_id_release(&kept);
}

static size_t
open_files(void)
{
	DIR *list = opendir("/proc/self/fd");
	size_t count = 0;

	cr_assert_not_null(list);
	while (readdir(list) != NULL)
		count++;
	(void)closedir(list);
	return count;
}

Test(client_call, leaves_no_descriptor_behind)
{
	struct world world;
	size_t before;

	world_new(&world, ANSWERS, ANSWER("200 OK", "{}"));
	cr_assert_eq(world_get(&world, &world.rot), 0, "%s", world.err.text);
	before = open_files();
	for (int i = 0; i < 20; i++)
		cr_assert_eq(rot_client_call(world.client, "GET", "/", NULL, 0, &world.status,
					     &world.reply, &world.err),
			     0, "%s", world.err.text);
	cr_expect_leq(open_files(), before + 1, "was %zu",
		      before); /* the server's end may linger */
	world_free(&world);
}

/* ---- News ---- */

#define NEWS                                                                                       \
	"{\"epoch\":9,\"clients\":[\"ops\"],\"servers\":[],\"ca_bundle\":\"B\",\"revoked\":[],"    \
	"\"floor\":{},\"keys\":[],\"renew\":false}"
#define REFUSED "{\"error\":{\"code\":\"refused\",\"message\":\"sync refused\"}}"

static int
ask_news(struct world *world, uint64_t epoch, struct rot_sync *ret_sync, bool *ret_changed)
{
	struct seal_strv urls;

	server_start(&world->server, &world->rot);
	urls = pki_strv(world->server.url, NULL);
	world_connect(world, &urls);
	seal_strv_release(&urls);
	return rot_client_sync(world->client, epoch, ret_sync, ret_changed, &world->err);
}

Test(client_sync, brings_what_has_changed_or_says_that_nothing_has)
{
	struct rot_sync got = { 0 };
	bool changed = false;
	struct world world;

	world_new(&world, ANSWERS, ANSWER("200 OK", NEWS));
	cr_assert_eq(ask_news(&world, 7, &got, &changed), 0, "%s", world.err.text);
	cr_expect(changed);
	cr_expect_eq(got.epoch, 9);
	cr_expect(seal_strv_contains(&got.clients, "ops"));
	cr_expect_not_null(strstr(world.server.request, "GET /v1/sync?epoch=7 HTTP/1.1\r\n"));
	cr_expect_null(strstr(world.server.request, "Content-Length"));
	rot_sync_release(&got);
	world_free(&world);

	world_new(&world, ANSWERS, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
	cr_assert_eq(ask_news(&world, UINT64_MAX, &got, &changed), 0, "%s", world.err.text);
	cr_expect_not(changed);
	cr_expect_null(got.ca_bundle);
	cr_expect_not_null(strstr(world.server.request, "epoch=18446744073709551615 "));
	world_free(&world);
}

Test(client_sync, tells_a_withdrawal_from_all_that_merely_went_wrong)
{
	static const struct {
		const char *reply;
		int code;
		const char *why;
	} cases[] = {
		{ ANSWER("403 Forbidden", REFUSED), SEAL_E_REFUSED, "sync refused" },
		{ ANSWER("403 Forbidden", ""), SEAL_E_FORMAT, "403" },
		{ ANSWER("403 Forbidden", "{\"error\":{\"code\":\"forbidden\",\"message\":\"x\"}}"),
		  SEAL_E_FORMAT, "403" },
		{ ANSWER("401 Unauthorized", REFUSED), SEAL_E_FORMAT, "401" },
		{ ANSWER("400 Bad Request", REFUSED), SEAL_E_FORMAT, "400" },
		{ ANSWER("404 Not Found", ""), SEAL_E_MISSING, "404" },
		{ ANSWER("405 Method Not Allowed", ""), SEAL_E_MISSING, "405" },
		{ ANSWER("501 Not Implemented", ""), SEAL_E_MISSING, "501" },
		{ ANSWER("408 Timeout", ""), SEAL_E_TIMEOUT, "408" },
		{ ANSWER("429 Too Many Requests", ""), SEAL_E_LIMIT, "429" },
		{ ANSWER("500 Internal Server Error", REFUSED), SEAL_E_SYSTEM, "500" },
		{ ANSWER("302 Found", ""), SEAL_E_FORMAT, "302" },
		{ ANSWER("206 Partial Content", NEWS), SEAL_E_FORMAT, "206" },
		{ ANSWER("200 OK", ""), SEAL_E_FORMAT, "answer" },
		{ ANSWER("200 OK", "{}"), SEAL_E_FORMAT, "epoch" },
		{ "rubbish\r\n\r\n", SEAL_E_FORMAT, "HTTP" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct rot_sync got = { 0 };
		bool changed = false;
		struct world world;
		int r;

		world_new(&world, ANSWERS, cases[i].reply);
		r = ask_news(&world, 0, &got, &changed);
		cr_expect_eq(r, cases[i].code, "%zu: %d: %s", i, r, world.err.text);
		cr_expect_eq(world.err.code, cases[i].code, "%zu", i);
		cr_expect_not_null(strstr(world.err.text, cases[i].why), "%s", world.err.text);
		cr_expect_not(changed);
		cr_expect_null(got.ca_bundle);
		world_free(&world);
	}
}

Test(client_sync, is_not_refused_by_anybody_else)
{
	struct pki_id impostor = { 0 };
	struct rot_sync got = { 0 };
	bool changed = false;
	struct world world;
	struct pki_id kept;
	int r;

	world_new(&world, ANSWERS, ANSWER("403 Forbidden", REFUSED));
	(void)a_serving_egg(&world, &impostor);
	kept = world.rot;
	world.rot = impostor;
	r = ask_news(&world, 0, &got, &changed);
	cr_expect_lt(r, 0);
	cr_expect_neq(r, SEAL_E_REFUSED, "%s", world.err.text);
	cr_expect_neq(r, SEAL_E_MISSING, "%s", world.err.text);
	world_free(&world);
	pki_id_release(&kept);
}

Test(client_sync, ends_soon_after_it_is_told_to)
{
	struct rot_sync got = { 0 };
	bool changed = false;
	struct world world;
	pthread_t thread;
	int64_t start;
	int r;

	world_new(&world, HANGS_LATE, NULL);
	start = now_ms();
	cr_assert_eq(pthread_create(&thread, NULL, abort_soon, &world.abort), 0);
	r = ask_news(&world, 0, &got, &changed);
	cr_expect_eq(r, SEAL_E_CLOSED, "%s", world.err.text);
	cr_expect_lt(now_ms() - start, 1000);
	(void)pthread_join(thread, NULL);
	world_free(&world);
}

static void
connect_two(struct world *world, struct server *first)
{
	struct seal_strv urls;

	server_start(first, &world->rot);
	server_start(&world->server, &world->rot);
	urls = pki_strv(first->url, world->server.url, NULL);
	world_connect(world, &urls);
	seal_strv_release(&urls);
}

/* The client's time is for all URLs: one that hangs uses it up, and then it is another's turn. */
Test(client_sync, has_one_time_for_all_urls_and_begins_elsewhere_after_one_that_hangs)
{
	struct server first = { .behaviour = HANGS_LATE };
	struct rot_sync got = { 0 };
	bool changed = false;
	struct world world;
	int64_t start;
	int r;

	world_new(&world, ANSWERS, ANSWER("200 OK", NEWS));
	connect_two(&world, &first);
	start = now_ms();
	r = rot_client_sync(world.client, 0, &got, &changed, &world.err);
	cr_expect_eq(r, SEAL_E_TIMEOUT, "%s", world.err.text);
	cr_expect_lt(now_ms() - start, 2900, "more than the client's 1.5 s");
	cr_expect_eq(atomic_load(&world.server.connections), 0);
	cr_assert_eq(rot_client_sync(world.client, 0, &got, &changed, &world.err), 0, "%s",
		     world.err.text);
	cr_expect(changed);
	cr_expect_eq(atomic_load(&first.connections), 1);
	rot_sync_release(&got);
	server_stop(&first);
	world_free(&world);
}

Test(client_urls, that_answered_are_first_next_time)
{
	struct server first = { .behaviour = CLOSES_EARLY };
	struct rot_client_config config = { .timeout_ms = 1500 };
	struct rot_client *other = NULL;
	struct seal_strv urls;
	struct world world;

	world_new(&world, ANSWERS, ANSWER("200 OK", "second"));
	connect_two(&world, &first);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(rot_client_call(world.client, "GET", "/", NULL, 0, &world.status,
					     &world.reply, &world.err),
			     0, "%s", world.err.text);
	cr_expect_eq(atomic_load(&first.connections), 1);
	cr_expect_eq(rot_client_first_url(world.client), 1);

	/* And another client may be told. */
	urls = pki_strv(first.url, world.server.url, NULL);
	config.urls = &urls;
	config.first_url = rot_client_first_url(world.client);
	config.ca = world.ca.chain;
	config.cert = world.egg.chain;
	config.key = world.egg.key;
	cr_assert_eq(rot_client_new(&other, &config, &world.err), 0);
	cr_expect_eq(rot_client_call(other, "GET", "/", NULL, 0, &world.status, &world.reply,
				     &world.err),
		     0, "%s", world.err.text);
	cr_expect_eq(atomic_load(&first.connections), 1);

	/* When it fails, the others are tried as before: the first comes after the last. */
	world.server.behaviour = CLOSES_EARLY;
	cr_expect_lt(rot_client_call(other, "GET", "/", NULL, 0, &world.status, &world.reply,
				     &world.err),
		     0);
	cr_expect_eq(atomic_load(&first.connections), 2);
	rot_client_free(other);
	seal_strv_release(&urls);
	server_stop(&first);
	world_free(&world);
}
