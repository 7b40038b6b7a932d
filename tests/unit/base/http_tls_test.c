/* SPDX-License-Identifier: Apache-2.0 */
/* base/http over TLS: who is served, and who is not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/http/http_internal.h"
#include "tests/support/pki.h"

#define PATIENCE_MS 6000

struct rig {
	struct seal_loop *loop;
	struct seal_timer *tick;
	struct seal_staging *staging;
	struct seal_http *http;
	struct seal_endpoint endpoint;
	struct pki_id ca;
	struct pki_id ids[3]; /* server, client, the server's next */
	struct seal_tls *tls[3];
	int verdict; /* what the verifier answers */
	unsigned verified;
	unsigned freed;
	unsigned handled;
	/* the client */
	struct seal_stream *client;
	char server_serial[SEAL_SERIAL_LEN + 1];
	struct seal_bytes heard;
};

static void
tick(void *arg)
{
	struct rig *rig = arg;

	seal_loop_stop(rig->loop);
}

static void
pump(struct rig *rig)
{
	seal_timer_arm(rig->tick, 1);
	cr_assert_eq(seal_loop_run(rig->loop, NULL), 0);
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
free_client(void *client)
{
	unsigned *freed = client;

	(*freed)++;
}

/* As a careless verifier might, it leaves a value even when it refuses. */
static int
verify_client(void *arg, struct seal_certs *presented, void **ret_client, struct seal_err *err)
{
	struct rig *rig = arg;

	cr_expect_geq(seal_certs_count(presented), 1);
	rig->verified++;
	*ret_client = &rig->freed;
	return rig->verdict == 0 ? 0 : seal_fail(err, SEAL_E_REFUSED, "not you");
}

static void
handle(void *arg, struct seal_http_request *request)
{
	struct rig *rig = arg;

	rig->handled++;
	cr_expect_eq(seal_http_client(request), &rig->freed);
	cr_expect_not(seal_http_is_local(request));
	seal_http_reply(request, 200, NULL, "hello", 5, 0);
}

static void
setup(struct rig *rig)
{
	struct seal_http_config config = { .max_body = 100,
					   .max_connections = 10,
					   .handshake_ms = 300,
					   .request_ms = 300,
					   .idle_ms = 5000,
					   .reply_ms = 300,
					   .handler = handle,
					   .verify = verify_client,
					   .free_client = free_client,
					   .arg = rig };
	struct seal_err err = { 0 };
	int fd;

	*rig = (struct rig){ .ca = pki_ca("ca") };
	seal_bytes_init(&rig->heard, 100000);
	for (int i = 0; i < 3; i++) {
		struct seal_tls_config tls;

		rig->ids[i] = pki_pod(&rig->ca, "shop", "web", NULL);
		tls = (struct seal_tls_config){ .side = i == 1 ? SEAL_SIDE_CLIENT
							       : SEAL_SIDE_SERVER,
						.chain = rig->ids[i].chain,
						.key = rig->ids[i].key };
		cr_assert_eq(seal_tls_new(&rig->tls[i], &tls, &err), 0, "%s", err.text);
	}
	cr_assert_eq(seal_loop_new(&rig->loop, NULL), 0);
	cr_assert_eq(seal_timer_new(&rig->tick, rig->loop, tick, rig, NULL), 0);
	cr_assert_eq(seal_staging_new(&rig->staging, NULL), 0);
	config.staging = rig->staging;
	cr_assert_eq(seal_http_new(&rig->http, rig->loop, &config, &err), 0);
	cr_assert_eq(seal_endpoint_parse(&rig->endpoint, "127.0.0.1:0", NULL, NULL), 0);
	fd = seal_listen(&rig->endpoint, 0, &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert_eq(seal_http_listen(rig->http, fd, rig->tls[0], &err), 0);
	rig->endpoint.port = seal_listen_port(fd);
}

static void
hang_up(struct rig *rig)
{
	seal_stream_free(rig->client, false);
	rig->client = NULL;
	seal_bytes_reset(&rig->heard);
}

static void
teardown(struct rig *rig)
{
	hang_up(rig);
	seal_http_free(rig->http);
	for (int i = 0; i < 3; i++) {
		seal_tls_unref(rig->tls[i]);
		pki_id_release(&rig->ids[i]);
	}
	pki_id_release(&rig->ca);
	seal_staging_free(rig->staging);
	seal_timer_free(rig->tick);
	seal_loop_free(rig->loop);
	seal_bytes_release(&rig->heard);
}

static int
dial_plain(const struct rig *rig)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd;

	cr_assert_eq(seal_endpoint_addr(&rig->endpoint, &addr, &len, NULL), 0);
	fd = seal_connect((struct sockaddr *)&addr, len, NULL);
	cr_assert_geq(fd, 0);
	return fd;
}

static int
look_at_server(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	       struct seal_err *err)
{
	struct rig *rig = arg;

	(void)ret_peer;
	return seal_cert_serial(seal_certs_at(presented, 0), rig->server_serial, err);
}

static void
dial(struct rig *rig)
{
	const struct seal_tls_session_config session = { .server_name = "rot",
							 .verify = look_at_server,
							 .arg = rig };

	cr_assert_eq(seal_stream_new_tls(&rig->client, dial_plain(rig), rig->staging, rig->tls[1],
					 &session, NULL),
		     0);
}

/* True once the handshake is done; a failure of it shows up when reading. */
static bool
shaken(struct rig *rig)
{
	enum seal_io io = seal_stream_handshake(rig->client, NULL);

	cr_assert_neq(io, SEAL_IO_FAIL);
	return io == SEAL_IO_DONE;
}

static void
say(struct rig *rig, const char *text)
{
	cr_assert_neq(seal_stream_write(rig->client, text, strlen(text), NULL), SEAL_IO_FAIL);
}

/* Hear what there is, and say what became of the stream. */
static enum seal_io
hear(struct rig *rig)
{
	static uint8_t buf[32 * 1024];
	size_t len = 0;
	enum seal_io io = seal_stream_read(rig->client, buf, sizeof(buf), &len, NULL);

	cr_assert_eq(seal_bytes_append(&rig->heard, buf, len, NULL), 0);
	return io;
}

static bool
heard(struct rig *rig, const char *text)
{
	(void)hear(rig);
	return strstr(seal_bytes_str(&rig->heard), text) != NULL;
}

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

Test(http_tls, serves_a_verified_client_and_verifies_it_once)
{
	struct rig rig;

	setup(&rig);
	dial(&rig);
	PUMP_UNTIL(&rig, shaken(&rig));
	for (unsigned i = 1; i <= 20; i++) {
		say(&rig, GET);
		PUMP_UNTIL(&rig, heard(&rig, "hello"));
		seal_bytes_reset(&rig.heard);
		cr_expect_eq(rig.handled, i);
	}
	cr_expect_eq(rig.verified, 1);
	cr_expect_eq(rig.freed, 0);
	hang_up(&rig);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	cr_expect_eq(rig.freed, 1);
	teardown(&rig);
}

Test(http_tls, reads_a_request_that_came_with_the_last_flight)
{
	struct rig rig;

	setup(&rig);
	dial(&rig);
	PUMP_UNTIL(&rig, shaken(&rig));
	/* The server has not yet seen our Finished: both wait in its socket. */
	cr_assert_eq(rig.http->conns->state, HTTP_HANDSHAKE);
	say(&rig, GET GET);
	PUMP_UNTIL(&rig, rig.handled == 2);
	PUMP_UNTIL(&rig, heard(&rig, "hello"));
	teardown(&rig);
}

Test(http_tls, no_handler_sees_a_refused_client)
{
	struct rig rig;
	enum seal_io io;

	setup(&rig);
	rig.verdict = -1;
	dial(&rig);
	PUMP_UNTIL(&rig, shaken(&rig)); /* TLS 1.3: our side is done before the server judges */
	say(&rig, GET);
	PUMP_UNTIL(&rig, (io = hear(&rig)) != SEAL_IO_READ);
	cr_expect_eq(io, SEAL_IO_FAIL);
	cr_expect_eq(rig.heard.len, 0);
	cr_expect_eq(rig.verified, 1);
	cr_expect_eq(rig.handled, 0);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);
	cr_expect_eq(rig.freed, 1, "what the verifier left is not leaked");
	teardown(&rig);
}

static void
expect_closed(struct rig *rig, int fd)
{
	char buf[64];
	ssize_t n;

	do {
		pump(rig);
		n = recv(fd, buf, sizeof(buf), 0);
		/* An alert may come first, a reply never. */
		cr_assert(n < 4 || memcmp(buf, "HTTP", 4) != 0);
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	close(fd);
	PUMP_UNTIL(rig, rig->http->conn_count == 0);
}

Test(http_tls, answers_plain_http_with_nothing)
{
	struct rig rig;
	int fd;

	setup(&rig);
	fd = dial_plain(&rig);
	cr_assert_gt(send(fd, GET, strlen(GET), MSG_NOSIGNAL), 0);
	expect_closed(&rig, fd);
	cr_expect_eq(rig.handled, 0);
	cr_expect_eq(rig.verified, 0);
	teardown(&rig);
}

Test(http_tls, does_not_wait_for_ever_for_a_handshake)
{
	struct rig rig;
	uint64_t begin;
	int fd;

	setup(&rig);
	begin = seal_loop_now_ms(rig.loop);
	fd = dial_plain(&rig);
	PUMP_UNTIL(&rig, rig.http->conn_count == 1);
	expect_closed(&rig, fd);
	cr_expect_geq(seal_loop_now_ms(rig.loop) - begin, 290);
	cr_expect_eq(rig.handled, 0);
	teardown(&rig);
}

Test(http_tls, new_connections_see_the_new_credential_and_old_ones_live_on)
{
	struct seal_stream *first;
	char before[SEAL_SERIAL_LEN + 1];
	struct rig rig;

	setup(&rig);
	dial(&rig);
	PUMP_UNTIL(&rig, shaken(&rig));
	memcpy(before, rig.server_serial, sizeof(before));
	seal_http_set_tls(rig.http, rig.tls[2]);
	first = rig.client;
	dial(&rig);
	PUMP_UNTIL(&rig, shaken(&rig));
	cr_expect_str_neq(rig.server_serial, before);
	seal_stream_free(rig.client, false);
	rig.client = first;
	say(&rig, GET);
	PUMP_UNTIL(&rig, heard(&rig, "hello"));
	teardown(&rig);
}

Test(http_tls, ends_properly_so_that_nothing_looks_cut_off)
{
	struct rig rig;
	enum seal_io io;

	setup(&rig);
	dial(&rig);
	PUMP_UNTIL(&rig, shaken(&rig));
	say(&rig, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	PUMP_UNTIL(&rig, heard(&rig, "hello"));
	PUMP_UNTIL(&rig, (io = hear(&rig)) != SEAL_IO_READ);
	cr_expect_eq(io, SEAL_IO_EOF);
	hang_up(&rig);
	PUMP_UNTIL(&rig, rig.http->conn_count == 0);

	dial(&rig); /* an idle connection that is drained */
	PUMP_UNTIL(&rig, shaken(&rig));
	PUMP_UNTIL(&rig, rig.http->conns != NULL && rig.http->conns->state == HTTP_IDLE);
	seal_http_drain(rig.http, NULL, NULL);
	PUMP_UNTIL(&rig, (io = hear(&rig)) != SEAL_IO_READ);
	cr_expect_eq(io, SEAL_IO_EOF);
	teardown(&rig);
}

Test(http_tls, needs_somebody_to_verify_clients)
{
	struct seal_http_config config;
	struct seal_http *http = NULL;
	struct rig rig;

	setup(&rig);
	config = rig.http->config;
	config.verify = NULL;
	cr_assert_eq(seal_http_new(&http, rig.loop, &config, NULL), 0);
	cr_expect_eq(seal_http_listen(http, 0, rig.tls[0], NULL), SEAL_E_BUG);
	seal_http_free(http);
	teardown(&rig);
}
