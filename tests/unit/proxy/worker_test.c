/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "tests/unit/proxy/rig.h"

/* A connection through both workers: the two applications' ends. */
struct pair {
	int client;
	int server;
};

static struct pair
join(struct rig *rig)
{
	struct pair pair = { .client = rig_connect_out(rig) };

	rig_send(pair.client, "hello");
	pair.server = rig_accept(rig, 5000);
	cr_assert_geq(pair.server, 0, "the application was never called");
	rig_expect(pair.server, "hello");
	return pair;
}

static void
close_pair(struct pair *pair)
{
	close(pair->client);
	close(pair->server);
}

Test(proxy_worker, carries_bytes_both_ways)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	for (int i = 0; i < 100; i++) {
		rig_send(pair.server, "pong");
		rig_expect(pair.client, "pong");
		rig_send(pair.client, "ping");
		rig_expect(pair.server, "ping");
	}
	close_pair(&pair);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).bytes_to_app, 405);
	cr_expect_eq(rig_counters(&rig, RIG_IN).bytes_to_wire, 400);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).bytes_to_wire, 405);
	rig_stop(&rig);
}

Test(proxy_worker, lets_the_application_speak_first)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair.client = rig_connect_out(&rig);
	pair.server = rig_accept(&rig, 5000);
	cr_assert_geq(pair.server, 0);
	rig_send(pair.server, "220 ready");
	rig_expect(pair.client, "220 ready");
	close_pair(&pair);
	rig_stop(&rig);
}

Test(proxy_worker, passes_on_the_client_s_end_and_keeps_the_other_direction)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	rig_send(pair.client, "last");
	cr_assert_eq(shutdown(pair.client, SHUT_WR), 0);
	rig_expect(pair.server, "last");
	cr_expect_eq(rig_next(pair.server), 0);
	rig_send(pair.server, "the answer");
	rig_expect(pair.client, "the answer");
	close(pair.server);
	cr_expect_eq(rig_next(pair.client), 0);
	close(pair.client);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).finished, 1);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).finished, 1);
	rig_stop(&rig);
}

Test(proxy_worker, passes_on_the_server_s_end_and_keeps_the_other_direction)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	rig_send(pair.server, "bye");
	cr_assert_eq(shutdown(pair.server, SHUT_WR), 0);
	rig_expect(pair.client, "bye");
	cr_expect_eq(rig_next(pair.client), 0);
	rig_send(pair.client, "still here");
	rig_expect(pair.server, "still here");
	close(pair.client);
	cr_expect_eq(rig_next(pair.server), 0);
	close(pair.server);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	rig_stop(&rig);
}

Test(proxy_worker, passes_a_reset_on_as_a_reset)
{
	const struct linger abort_now = { .l_onoff = 1 };
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
	close(pair.client);
	cr_expect_eq(rig_next(pair.server), -1, "an aborted upload looks complete");
	close(pair.server);
	rig_stop(&rig);
}

/* A server may answer and leave before it has read all, and TCP would still deliver its answer. */
static void
await_bytes(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };

	cr_assert_eq(poll(&wanted, 1, 20000), 1);
}

Test(proxy_worker, delivers_what_the_application_said_before_it_left_an_upload)
{
	static const char block[16 * 1024 * 1024];
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	for (int i = 0; i < 20; i++) {
		pair = join(&rig);
		fcntl(pair.client, F_SETFL, O_NONBLOCK);
		(void)send(pair.client, block, sizeof(block), MSG_NOSIGNAL);
		await_bytes(pair.server); /* something has arrived, nothing was read */
		rig_send(pair.server, "413 too large");
		close(pair.server);
		fcntl(pair.client, F_SETFL, 0);
		rig_expect(pair.client, "413 too large");
		cr_expect_eq(rig_next(pair.client), -1, "a broken upload looks complete");
		close(pair.client);
	}
	rig_stop(&rig);
}

#define BULK (64u * 1024 * 1024)

static uint8_t
bulk_byte(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

/* Send bulk bytes from *at on until the end or, on a non-blocking socket, until it is full. */
static void
send_bulk(int fd, size_t *at)
{
	static uint8_t block[64 * 1024];

	while (*at < BULK) {
		size_t len = BULK - *at < sizeof(block) ? BULK - *at : sizeof(block);
		ssize_t n;

		for (size_t i = 0; i < len; i++)
			block[i] = bulk_byte(*at + i);
		n = send(fd, block, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		cr_assert_gt(n, 0, "%s", strerror(errno));
		*at += (size_t)n;
	}
}

static void *
send_rest(void *arg)
{
	int fd = *(int *)arg;
	size_t at = 0;

	send_bulk(fd, &at);
	shutdown(fd, SHUT_WR);
	return NULL;
}

static size_t
expect_bulk(int fd)
{
	static uint8_t block[64 * 1024];
	size_t at = 0;
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			cr_assert_eq(block[i], bulk_byte(at), "byte %zu differs", at);
	cr_assert_eq(n, 0, "%s", strerror(errno));
	return at;
}

Test(proxy_worker, carries_64_mib_each_way_unchanged, .timeout = 60)
{
	struct rig rig;
	struct pair pair;
	pthread_t sender;

	rig_start(&rig, NULL);
	pair = join(&rig);
	pthread_create(&sender, NULL, send_rest, &pair.client);
	cr_expect_eq(expect_bulk(pair.server), BULK);
	pthread_join(sender, NULL);
	pthread_create(&sender, NULL, send_rest, &pair.server);
	cr_expect_eq(expect_bulk(pair.client), BULK);
	pthread_join(sender, NULL);
	close_pair(&pair);
	rig_stop(&rig);
}

Test(proxy_worker, holds_little_for_a_reader_that_does_not_read, .timeout = 60)
{
	struct rig rig;
	struct pair pair;
	size_t before;
	size_t held;
	size_t at = 0;
	int flags;

	rig_start(&rig, NULL);
	pair = join(&rig);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	flags = fcntl(pair.client, F_GETFL);
	fcntl(pair.client, F_SETFL, flags | O_NONBLOCK);
	for (int quiet = 0; quiet < 20; quiet++) {
		size_t was = at;

		send_bulk(pair.client, &at);
		quiet = at == was ? quiet : 0;
		usleep(10000);
	}
	held = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	cr_expect_lt(at, BULK, "the sender was never held back");
	cr_expect_lt(held, 2u * 1024 * 1024, "%zu bytes held for one connection", held);

	/* And nothing is lost once the reader wakes up. */
	fcntl(pair.client, F_SETFL, flags);
	{
		static uint8_t block[64 * 1024];
		size_t got = 0;

		while (got < at) {
			ssize_t n = recv(pair.server, block, sizeof(block), 0);

			cr_assert_gt(n, 0, "after %zu of %zu: %s", got, at, strerror(errno));
			for (ssize_t i = 0; i < n; i++, got++)
				cr_assert_eq(block[i], bulk_byte(got));
		}
	}
	close_pair(&pair);
	rig_stop(&rig);
}

/* A client that says all it can to an application that reads nothing. */
static size_t
talk_to_the_deaf(int client)
{
	int flags = fcntl(client, F_GETFL);
	size_t at = 0;

	fcntl(client, F_SETFL, flags | O_NONBLOCK);
	for (int quiet = 0; quiet < 20; quiet++) {
		size_t was = at;

		send_bulk(client, &at);
		quiet = at == was ? quiet : 0;
		usleep(10000);
	}
	fcntl(client, F_SETFL, flags);
	cr_assert_lt(at, BULK, "the sender was never held back");
	return at;
}

static void
reset(int fd)
{
	const struct linger abort_now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
	close(fd);
}

Test(proxy_worker, notices_a_reset_while_the_application_does_not_read, .timeout = 60)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	(void)talk_to_the_deaf(pair.client);
	reset(pair.client);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0, "the caller's reset went unnoticed");
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0, "it was not passed on");
	cr_expect_eq(rig_counters(&rig, RIG_OUT).failed, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).failed, 1);
	close(pair.server);
	rig_stop(&rig);
}

Test(proxy_worker, notices_a_reset_of_who_has_only_an_answer_to_wait_for)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	cr_assert_eq(shutdown(pair.client, SHUT_WR), 0);
	cr_expect_eq(rig_next(pair.server), 0);
	reset(pair.client);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_lt(send(pair.server, "?", 1, MSG_NOSIGNAL), 0, "works for nobody, unknowingly");
	close(pair.server);
	rig_stop(&rig);
}

/* Longer than a look at those nobody waits for takes to come. */
#define SOME_LOOKS_US 2500000

Test(proxy_worker, delivers_all_that_came_before_an_end_to_who_reads_late, .timeout = 60)
{
	static uint8_t block[64 * 1024];
	struct rig rig;
	struct pair pair;
	size_t said;
	size_t got = 0;
	ssize_t n;

	rig_start(&rig, NULL);
	pair = join(&rig);
	said = talk_to_the_deaf(pair.client);
	cr_assert_eq(shutdown(pair.client, SHUT_WR), 0);
	usleep(SOME_LOOKS_US);
	while ((n = recv(pair.server, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, got++)
			cr_assert_eq(block[i], bulk_byte(got));
	cr_expect_eq(n, 0, "%s", strerror(errno));
	cr_expect_eq(got, said);
	rig_send(pair.server, "the answer");
	rig_expect(pair.client, "the answer");
	close_pair(&pair);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).finished, 1);
	rig_stop(&rig);
}

Test(proxy_worker, never_calls_the_application_for_a_client_not_allowed)
{
	struct rig rig;
	int client;

	rig_start(&rig, NULL);
	rig_identify(&rig, RIG_IN, "db", "admins");
	client = rig_connect_out(&rig);
	(void)send(client, "hello", 5, MSG_NOSIGNAL);
	cr_expect_leq(rig_next(client), 0, "bytes came back");
	cr_expect_eq(rig_accept(&rig, 200), -1, "the application was called");
	cr_expect_eq(rig_counters(&rig, RIG_IN).refused, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).admitted, 0);
	close(client);
	rig_stop(&rig);
}

Test(proxy_worker, sends_no_byte_to_a_server_not_allowed)
{
	struct rig rig;
	int client;

	rig_start(&rig, NULL);
	rig_identify(&rig, RIG_OUT, "web", "cache");
	client = rig_connect_out(&rig);
	(void)send(client, "hello", 5, MSG_NOSIGNAL);
	cr_expect_leq(rig_next(client), 0, "bytes came back");
	cr_expect_eq(rig_accept(&rig, 200), -1, "the application was called");
	cr_expect_eq(rig_counters(&rig, RIG_OUT).refused, 1);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).admitted, 0);
	close(client);
	rig_stop(&rig);
}

static void
narrow_to_ops(struct rig *rig)
{
	struct seal_err err = { 0 };

	cr_assert_eq(seal_strv_add(&rig->configs[RIG_IN]->listeners[0].peers, "ops", &err), 0);
}

Test(proxy_worker, never_calls_the_application_for_a_client_its_listener_does_not_name)
{
	struct rig rig;
	int client;

	rig_start(&rig, narrow_to_ops);
	rig_identify(&rig, RIG_IN, "db", "*");
	client = rig_connect_out(&rig);
	cr_expect_leq(rig_next(client), 0);
	cr_expect_eq(rig_accept(&rig, 200), -1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).refused, 1);
	close(client);
	rig_stop(&rig);
}

Test(proxy_worker, never_calls_the_application_for_another_workload_or_ca)
{
	struct rig rig;
	struct pki_id other_ca;
	struct pki_id ids[2];

	rig_start(&rig, NULL);
	other_ca = pki_ca("another");
	ids[0] = pki_pod(&rig.ca, "blog", "web", NULL);
	ids[1] = pki_pod(&other_ca, "shop", "web", NULL);
	for (size_t i = 0; i < SEAL_COUNT(ids); i++) {
		struct rig view = rig; /* a bundle that our own certificate leads to */
		int client;

		view.ca = i == 0 ? rig.ca : other_ca;
		proxy_worker_publish(rig.workers[RIG_OUT], rig_state(&view, &ids[i], "db"));
		client = rig_connect_out(&rig);
		cr_expect_leq(rig_next(client), 0);
		cr_expect_eq(rig_accept(&rig, 200), -1);
		close(client);
		pki_id_release(&ids[i]);
	}
	cr_expect_eq(rig_counters(&rig, RIG_IN).admitted, 0);
	pki_id_release(&other_ca);
	rig_stop(&rig);
}

Test(proxy_worker, never_calls_the_application_for_plaintext)
{
	struct rig rig;
	int client;

	rig_start(&rig, NULL);
	client = rig_connect_in(&rig);
	rig_send(client, "GET / HTTP/1.1\r\nHost: db\r\n\r\n");
	while (rig_next(client) > 0)
		; /* an alert may come */
	cr_expect_eq(rig_accept(&rig, 200), -1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).refused, 1);
	close(client);
	rig_stop(&rig);
}

Test(proxy_worker, takes_a_port_probe_for_no_refusal)
{
	struct rig rig;

	rig_start(&rig, NULL);
	close(rig_connect_in(&rig));
	for (int i = 0; i < 500 && rig_counters(&rig, RIG_IN).failed == 0; i++)
		usleep(10000);
	cr_expect_eq(rig_counters(&rig, RIG_IN).failed, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).refused, 0);
	rig_stop(&rig);
}

Test(proxy_worker, listens_only_with_an_identity)
{
	struct proxy_config *config = NULL;
	struct proxy_worker *worker = NULL;
	struct seal_loop *loop = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_config_new(&config, &err), 0);
	cr_assert_eq(proxy_config_add_inbound(config, "127.0.0.1:1=8080", &err), 0);
	config->listeners[0].listen.port = 0;
	cr_assert_eq(seal_loop_new(&loop, &err), 0);
	cr_assert_eq(proxy_worker_new(&worker, loop, config, NULL, NULL, &err), 0, "%s", err.text);
	cr_expect_neq(proxy_worker_port(worker, 0), 0, "the address is not taken");
	cr_expect_eq(rig_dial(proxy_worker_port(worker, 0)), -1, "listens without an identity");
	cr_expect_not(proxy_worker_is_ready(worker));
	proxy_worker_free(worker);
	proxy_config_free(config);
	seal_loop_free(loop);
}

/* The peer "web" played by the test itself, over a blocking socket. */
struct raw_peer {
	struct seal_staging *staging;
	struct proxy_identity_state *identity;
	struct seal_stream *stream;
};

static int
accept_anyone(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	      struct seal_err *err)
{
	(void)ret_peer;
	(void)arg;
	(void)presented;
	(void)err;
	return 0;
}

static void
raw_open(struct raw_peer *peer, struct rig *rig, int fd)
{
	const struct seal_tls_session_config session = { .verify = accept_anyone };
	struct pki_id id = pki_pod(&rig->ca, "shop", "web", NULL);
	struct seal_err err = { 0 };

	cr_assert_geq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	peer->identity = rig_state(rig, &id, "db");
	pki_id_release(&id);
	cr_assert_eq(seal_staging_new(&peer->staging, &err), 0);
	cr_assert_eq(seal_stream_new_tls(&peer->stream, fd, peer->staging,
					 peer->identity->as_client, &session, &err),
		     0, "%s", err.text);
}

static void
raw_connect(struct raw_peer *peer, struct rig *rig)
{
	struct seal_err err = { 0 };
	enum seal_io io;

	raw_open(peer, rig, rig_connect_in(rig));
	do
		io = seal_stream_handshake(peer->stream, &err);
	while (io == SEAL_IO_READ || io == SEAL_IO_WRITE);
	cr_assert_eq(io, SEAL_IO_DONE, "%s", err.text);
}

static void
raw_release(struct raw_peer *peer, bool reset)
{
	seal_stream_free(peer->stream, reset);
	seal_staging_free(peer->staging);
	proxy_state_unref(peer->identity);
}

Test(proxy_worker, resets_the_application_when_the_peer_is_cut_off)
{
	struct rig rig;
	struct raw_peer peer;
	struct seal_err err = { 0 };
	int server;

	rig_start(&rig, NULL);
	raw_connect(&peer, &rig);
	cr_assert_eq(seal_stream_write(peer.stream, "half a mes", 10, &err), SEAL_IO_DONE);
	server = rig_accept(&rig, 5000);
	rig_expect(server, "half a mes");
	raw_release(&peer, false); /* FIN without close_notify: anybody on the path can send that */
	cr_expect_eq(rig_next(server), -1, "a truncated stream looks complete");
	close(server);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).finished, 0);
	rig_stop(&rig);
}

/* Hand over all that waits at one end to the other, in one piece. */
static void
pump(int from, int to)
{
	uint8_t block[64 * 1024];
	ssize_t n = recv(from, block, sizeof(block), MSG_DONTWAIT);

	if (n > 0)
		cr_assert_eq(send(to, block, (size_t)n, MSG_NOSIGNAL), n);
}

/*
 * RFC 8446 section 6.1: the end is the close_notify.  Here it arrives in one segment with the last
 * bytes and no FIN ever follows, so nothing announces it but the bytes before it.
 */
Test(proxy_worker, sees_an_end_that_comes_with_the_last_bytes_and_without_a_fin)
{
	struct rig rig;
	struct raw_peer peer;
	struct seal_err err = { 0 };
	int wire;
	int ends[2];
	int server;

	rig_start(&rig, NULL);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	wire = rig_connect_in(&rig);
	raw_open(&peer, &rig, ends[0]);
	while (seal_stream_handshake(peer.stream, &err) == SEAL_IO_READ) {
		pump(ends[1], wire);
		pump(wire, ends[1]);
	}
	pump(ends[1], wire);
	server = rig_accept(&rig, 5000);
	cr_assert_geq(server, 0, "%s", err.text);
	cr_assert_eq(seal_stream_write(peer.stream, "last words", 10, &err), SEAL_IO_DONE);
	cr_assert_eq(seal_stream_end(peer.stream, false, &err), SEAL_IO_DONE);
	pump(ends[1], wire);
	rig_expect(server, "last words");
	cr_expect_eq(rig_next(server), 0);
	close(server);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).finished, 1);
	raw_release(&peer, false);
	close(ends[1]);
	close(wire);
	rig_stop(&rig);
}

static void
hurry(struct rig *rig)
{
	for (size_t i = 0; i < RIG_SIDES; i++) {
		rig->configs[i]->handshake_ms = 200;
		rig->configs[i]->connect_ms = 200;
		rig->configs[i]->drain_ms = 300;
	}
}

Test(proxy_worker, gives_up_on_a_silent_handshake)
{
	struct rig rig;
	int client;

	rig_start(&rig, hurry);
	client = rig_connect_in(&rig);
	cr_expect_leq(rig_next(client), 0);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).slow, 1);
	close(client);
	rig_stop(&rig);
}

static void
connect_to_silence(struct rig *rig)
{
	hurry(rig);
	/* The application's own port: it accepts (in its backlog) and never speaks TLS. */
	rig->configs[RIG_OUT]->listeners[0].targets[0].port =
		rig->configs[RIG_IN]->listeners[0].targets[0].port;
}

Test(proxy_worker, gives_up_on_a_server_that_never_shakes_hands)
{
	struct rig rig;
	int client;

	rig_start(&rig, connect_to_silence);
	client = rig_connect_out(&rig);
	cr_expect_eq(rig_next(client), -1);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).slow, 1);
	close(client);
	rig_stop(&rig);
}

static void
connect_to_nobody(struct rig *rig)
{
	rig->configs[RIG_OUT]->listeners[0].targets[0].port = 2;
	rig->configs[RIG_IN]->listeners[0].targets[0].port = 2;
}

Test(proxy_worker, resets_the_client_when_nobody_answers)
{
	struct rig rig;
	int client;

	rig_start(&rig, connect_to_nobody);
	client = rig_connect_out(&rig);
	cr_expect_eq(rig_next(client), -1);
	close(client);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).failed, 1);
	rig_stop(&rig);
}

static void
add_dead_target(struct rig *rig)
{
	struct proxy_listener_config *listener = &rig->configs[RIG_IN]->listeners[0];
	struct seal_err err = { 0 };

	listener->targets = realloc(listener->targets, 2 * sizeof(*listener->targets));
	cr_assert_eq(seal_endpoint_parse(&listener->targets[1], "127.0.0.1:2", NULL, &err), 0);
	listener->target_count = 2;
}

Test(proxy_worker, goes_on_to_the_next_target_when_one_is_dead)
{
	struct rig rig;

	rig_start(&rig, add_dead_target);
	for (int i = 0; i < 4; i++) {
		struct pair pair = join(&rig);

		close_pair(&pair);
	}
	rig_stop(&rig);
}

static int silent_fd;

/* A port whose queue is full: whoever connects hears nothing. */
static uint16_t
make_silent_port(void)
{
	struct seal_endpoint endpoint;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_endpoint_parse(&endpoint, "127.0.0.1:0", NULL, &err), 0);
	silent_fd = seal_listen(&endpoint, 0, &err);
	cr_assert_geq(silent_fd, 0);
	cr_assert_eq(listen(silent_fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		struct sockaddr_storage addr;
		socklen_t len;

		endpoint.port = seal_listen_port(silent_fd);
		cr_assert_eq(seal_endpoint_addr(&endpoint, &addr, &len, &err), 0);
		cr_assert_geq(seal_connect((struct sockaddr *)&addr, len, &err), 0);
	}
	return seal_listen_port(silent_fd);
}

static void
add_silent_target(struct rig *rig)
{
	struct proxy_listener_config *listener = &rig->configs[RIG_IN]->listeners[0];

	add_dead_target(rig);
	listener->targets[1] = listener->targets[0];
	listener->targets[0].port = make_silent_port();
	rig->configs[RIG_IN]->connect_ms = 1000;
}

Test(proxy_worker, leaves_time_for_the_next_target_when_one_is_silent)
{
	struct rig rig;

	rig_start(&rig, add_silent_target);
	for (int i = 0; i < 2; i++) {
		struct pair pair = join(&rig);

		close_pair(&pair);
	}
	close(silent_fd);
	rig_stop(&rig);
}

static void
only_silent_target(struct rig *rig)
{
	rig->configs[RIG_IN]->listeners[0].targets[0].port = make_silent_port();
	rig->configs[RIG_IN]->connect_ms = 300;
}

Test(proxy_worker, gives_up_on_a_silent_target_in_time)
{
	struct rig rig;
	int client;

	rig_start(&rig, only_silent_target);
	client = rig_connect_out(&rig);
	cr_expect_eq(rig_next(client), -1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).failed + rig_counters(&rig, RIG_IN).slow, 1);
	close(client);
	close(silent_fd);
	rig_stop(&rig);
}

static void
forward_to_unix(struct rig *rig)
{
	struct seal_endpoint *target = &rig->configs[RIG_IN]->listeners[0].targets[0];
	struct seal_endpoint *listen = &rig->configs[RIG_OUT]->listeners[0].listen;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_endpoint_parse(target, "unix:/tmp/seal-test-app.sock", NULL, &err), 0);
	cr_assert_eq(seal_endpoint_parse(listen, "unix:/tmp/seal-test-out.sock", NULL, &err), 0);
	close(rig->app_fd);
	rig->app_fd = seal_listen(target, 0600, &err);
	cr_assert_geq(rig->app_fd, 0, "%s", err.text);
}

Test(proxy_worker, speaks_to_applications_over_unix_sockets)
{
	struct sockaddr_storage addr;
	socklen_t len;
	struct seal_err err = { 0 };
	struct rig rig;
	int client;
	int server;

	rig_start(&rig, forward_to_unix);
	cr_assert_eq(
		seal_endpoint_addr(&rig.configs[RIG_OUT]->listeners[0].listen, &addr, &len, &err),
		0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&addr, len), 0);
	rig_send(client, "hello");
	server = rig_accept(&rig, 5000);
	cr_assert_geq(server, 0);
	rig_expect(server, "hello");
	close(client);
	cr_expect_eq(rig_next(server), 0);
	close(server);
	unlink("/tmp/seal-test-app.sock");
	unlink("/tmp/seal-test-out.sock");
	rig_stop(&rig);
}

static struct proxy_config *
unix_config(const char *first, const char *second)
{
	const char *const paths[] = { first, second };
	struct proxy_config *config = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(proxy_config_new(&config, &err), 0);
	for (size_t i = 0; i < SEAL_COUNT(paths); i++) {
		cr_assert_eq(proxy_config_add_inbound(config, i == 0 ? "1=8080" : "2=8080", &err),
			     0, "%s", err.text);
		cr_assert_eq(
			seal_endpoint_parse(&config->listeners[i].listen, paths[i], NULL, &err), 0);
	}
	return config;
}

#define ONE   "/tmp/seal-test-one.sock"
#define TWO   "/tmp/seal-test-two.sock"
#define THREE "/tmp/seal-test-three.sock"

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

Test(proxy_worker, leaves_no_unix_socket_behind_that_it_no_longer_listens_on)
{
	struct proxy_config *config = unix_config("unix:" ONE, "unix:" TWO);
	struct proxy_config *next = unix_config("unix:" ONE, "unix:" THREE);
	struct proxy_config *bad = unix_config("unix:" TWO, "unix:/nowhere/at/all.sock");
	struct proxy_worker *worker = NULL;
	struct seal_loop *loop = NULL;
	struct seal_err err = { 0 };
	struct stat before;
	struct stat after;

	cr_assert_eq(seal_loop_new(&loop, &err), 0);
	cr_assert_eq(proxy_worker_new(&worker, loop, config, NULL, NULL, &err), 0, "%s", err.text);
	cr_assert(is_there(ONE) && is_there(TWO));
	cr_assert_eq(stat(ONE, &before), 0);

	cr_assert_eq(proxy_worker_reload(worker, next, &err), 0, "%s", err.text);
	cr_expect_not(is_there(TWO), "removed by the reload, and still there");
	cr_expect(is_there(THREE));
	cr_assert_eq(stat(ONE, &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino, "what stays stays");

	/* A reload that fails takes only its own with it. */
	cr_expect_lt(proxy_worker_reload(worker, bad, &err), 0);
	cr_expect(is_there(ONE) && is_there(THREE));
	cr_expect_not(is_there(TWO));

	/* Somebody else's by now. */
	cr_assert_eq(unlink(THREE), 0);
	cr_assert_eq(mkdir(THREE, 0700), 0);
	proxy_worker_free(worker);
	cr_expect_not(is_there(ONE));
	cr_expect(is_there(THREE));
	cr_assert_eq(rmdir(THREE), 0);
	proxy_config_free(config);
	proxy_config_free(next);
	proxy_config_free(bad);
	seal_loop_free(loop);
}

static uint64_t
cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

Test(proxy_worker, rests_when_descriptors_run_out_and_serves_afterwards)
{
	struct rlimit limit;
	struct rlimit low;
	struct rig rig;
	uint64_t before;
	int client;
	int server;

	rig_start(&rig, NULL);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3; /* what is open stays open */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig_connect_with(&rig, client);
	rig_send(client, "patience");
	before = cpu_ms();
	usleep(500000);
	cr_expect_lt(cpu_ms() - before, 100, "accepting in a tight loop");
	cr_expect_eq(rig_counters(&rig, RIG_OUT).accepted, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	server = rig_accept(&rig, 5000);
	cr_assert_geq(server, 0, "never recovered");
	rig_expect(server, "patience");
	close(client);
	close(server);
	rig_stop(&rig);
}

static void
connect_by_name(struct rig *rig)
{
	(void)snprintf(rig->configs[RIG_OUT]->listeners[0].targets[0].host,
		       sizeof(rig->configs[RIG_OUT]->listeners[0].targets[0].host), "localhost");
}

Test(proxy_worker, resolves_names)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, connect_by_name);
	pair = join(&rig);
	close_pair(&pair);
	rig_stop(&rig);
}

static void
short_idle(struct rig *rig)
{
	rig->configs[RIG_IN]->idle_ms = 200;
}

Test(proxy_worker, closes_an_idle_connection_and_no_busy_one)
{
	struct rig rig;
	struct pair busy;
	struct pair idle;

	rig_start(&rig, short_idle);
	busy = join(&rig);
	idle = join(&rig);
	for (int i = 0; i < 10; i++) {
		rig_send(busy.client, ".");
		rig_expect(busy.server, ".");
		usleep(50000);
	}
	cr_expect_eq(rig_next(idle.client), -1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).open, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).slow, 1);
	close_pair(&busy);
	close_pair(&idle);
	rig_stop(&rig);
}

static void
longer_idle(struct rig *rig)
{
	rig->configs[RIG_IN]->idle_ms = 1500;
}

Test(proxy_worker, bounds_by_idleness_how_long_an_end_waits_behind_bytes_nobody_reads,
     .timeout = 60)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, longer_idle);
	pair = join(&rig);
	(void)talk_to_the_deaf(pair.client);
	(void)shutdown(pair.client, SHUT_WR);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).slow, 1);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0, "it was not passed on");
	close_pair(&pair);
	rig_stop(&rig);
}

static void
listen_on_unix_in_a_hurry(struct rig *rig)
{
	struct seal_endpoint *listen = &rig->configs[RIG_OUT]->listeners[0].listen;
	struct seal_err err = { 0 };

	hurry(rig);
	cr_assert_eq(seal_endpoint_parse(listen, "unix:/tmp/seal-test-left.sock", NULL, &err), 0);
}

/* Who closed a unix socket waits for no answer: only his last bytes count, and as long as in a drain. */
Test(proxy_worker, bounds_by_the_drain_time_what_it_does_for_a_caller_who_has_left, .timeout = 60)
{
	struct seal_err err = { 0 };
	struct sockaddr_storage addr;
	struct rig rig;
	socklen_t len;
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	int server;

	rig_start(&rig, listen_on_unix_in_a_hurry);
	cr_assert_eq(
		seal_endpoint_addr(&rig.configs[RIG_OUT]->listeners[0].listen, &addr, &len, &err),
		0);
	cr_assert_eq(connect(client, (struct sockaddr *)&addr, len), 0);
	rig_send(client, "hello");
	server = rig_accept(&rig, 5000);
	rig_expect(server, "hello");
	(void)talk_to_the_deaf(client);
	close(client);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).slow, 1);
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	close(server);
	unlink("/tmp/seal-test-left.sock");
	rig_stop(&rig);
}

static void
on_drained(void *arg)
{
	struct rig *rig = arg;

	sem_post(&rig->drained);
}

static void
drain_in(struct rig *rig)
{
	proxy_worker_drain(rig->workers[RIG_IN], on_drained, rig);
}

static bool
is_drained(struct rig *rig, int wait_ms)
{
	for (int i = 0; i < wait_ms / 10; i++) {
		if (sem_trywait(&rig->drained) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

Test(proxy_worker, drains_by_letting_connections_end)
{
	struct rig rig;
	struct pair pair;
	uint16_t port;

	rig_start(&rig, NULL);
	pair = join(&rig);
	port = proxy_worker_port(rig.workers[RIG_IN], 0);
	rig_call(&rig, drain_in);
	cr_expect_eq(rig_dial(port), -1, "still listening");
	cr_expect_not(proxy_worker_is_ready(rig.workers[RIG_IN]));
	rig_send(pair.client, "unhurried");
	rig_expect(pair.server, "unhurried");
	cr_expect_not(is_drained(&rig, 50), "drained over a living connection");
	close_pair(&pair);
	cr_expect(is_drained(&rig, 5000));
	rig_stop(&rig);
}

Test(proxy_worker, drains_for_a_limited_time)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, hurry);
	pair = join(&rig);
	rig_call(&rig, drain_in);
	cr_expect_eq(rig_next(pair.server), -1);
	cr_expect(is_drained(&rig, 5000));
	close_pair(&pair);
	rig_stop(&rig);
}

Test(proxy_worker, drains_at_once_when_there_is_nothing)
{
	struct rig rig;

	rig_start(&rig, NULL);
	rig_call(&rig, drain_in);
	cr_expect(is_drained(&rig, 20));
	rig_stop(&rig);
}

/* ---- Suspended ---- */

static void
suspend_in(struct rig *rig)
{
	proxy_worker_suspend(rig->workers[RIG_IN], "a test");
}

static void
resume_in(struct rig *rig)
{
	proxy_worker_resume(rig->workers[RIG_IN]);
}

static void
reload_in(struct rig *rig)
{
	struct seal_err err = { 0 };

	cr_expect_eq(proxy_worker_reload(rig->workers[RIG_IN], rig->configs[RIG_IN], &err), 0, "%s",
		     err.text);
}

/* A real port: one that the kernel chose is lost when nobody listens. */
static void
listen_on_real_port(struct rig *rig)
{
	struct seal_endpoint *listen = &rig->configs[RIG_IN]->listeners[0].listen;
	int fd = seal_bind(listen, 0, NULL);

	cr_assert_geq(fd, 0);
	listen->port = seal_listen_port(fd);
	close(fd);
}

Test(proxy_worker, serves_nobody_while_it_is_suspended_and_everybody_afterwards)
{
	struct rig rig;
	struct pair pair;
	uint16_t port;

	rig_start(&rig, listen_on_real_port);
	for (int i = 0; i < 3; i++) {
		pair = join(&rig);
		port = proxy_worker_port(rig.workers[RIG_IN], 0);
		rig_call(&rig, suspend_in);
		cr_expect_eq(rig_dial(port), -1, "still listening");
		cr_expect_leq(rig_next(pair.server), 0);
		cr_expect_leq(rig_next(pair.client), 0);
		cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
		cr_expect_eq(rig_counters(&rig, RIG_IN).withdrawn, (uint64_t)i + 1);
		cr_expect_not(proxy_worker_is_ready(rig.workers[RIG_IN]));
		cr_expect(proxy_worker_is_live(rig.workers[RIG_IN]));
		rig_call(&rig, suspend_in); /* again changes nothing */
		close_pair(&pair);
		rig_call(&rig, resume_in);
		cr_expect(proxy_worker_is_ready(rig.workers[RIG_IN]));
		cr_expect_eq(proxy_worker_port(rig.workers[RIG_IN], 0), port);
	}
	pair = join(&rig);
	close_pair(&pair);
	rig_stop(&rig);
}

Test(proxy_worker, opens_nothing_by_a_reload_or_a_renewal_while_it_is_suspended)
{
	struct rig rig;
	struct pair pair;
	uint16_t port;
	uint64_t before;

	rig_start(&rig, listen_on_real_port);
	port = proxy_worker_port(rig.workers[RIG_IN], 0);
	rig_call(&rig, suspend_in);
	for (int i = 0; i < 3; i++) {
		rig_call(&rig, reload_in);
		rig_identify(&rig, RIG_IN, "db", "web");
		cr_expect_eq(rig_dial(port), -1, "listening again");
		cr_expect_not(proxy_worker_is_ready(rig.workers[RIG_IN]));
	}
	before = cpu_ms();
	usleep(200000);
	cr_expect_lt(cpu_ms() - before, 100, "it looks at what cannot be accepted from");
	rig_call(&rig, resume_in);
	cr_expect(proxy_worker_is_ready(rig.workers[RIG_IN]));
	pair = join(&rig);
	close_pair(&pair);
	rig_stop(&rig);
}

Test(proxy_worker, drains_at_once_while_it_is_suspended_and_opens_nothing_then)
{
	struct rig rig;
	uint16_t port;

	rig_start(&rig, listen_on_real_port);
	port = proxy_worker_port(rig.workers[RIG_IN], 0);
	rig_call(&rig, suspend_in);
	rig_call(&rig, drain_in);
	cr_expect(is_drained(&rig, 1000));
	cr_expect_not(proxy_worker_is_live(rig.workers[RIG_IN]));
	rig_call(&rig, resume_in);
	cr_expect_eq(rig_dial(port), -1);
	rig_stop(&rig);
}

Test(proxy_worker, ends_what_it_was_draining_when_it_is_suspended)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, listen_on_real_port);
	pair = join(&rig);
	rig_call(&rig, drain_in);
	cr_expect_not(is_drained(&rig, 50));
	rig_call(&rig, suspend_in);
	cr_expect(is_drained(&rig, 1000));
	cr_expect_leq(rig_next(pair.server), 0);
	close_pair(&pair);
	rig_stop(&rig);
}

/* A worker of the test's own thread, whose loop runs when it is told to. */
struct lone {
	struct rig rig; /* its certificates */
	struct proxy_config *config;
	struct proxy_worker *worker;
	struct seal_loop *loop;
	struct seal_timer *stop;
};

static void
stop_lone(void *arg)
{
	seal_loop_stop(((struct lone *)arg)->loop);
}

static void
lone_begin(struct lone *lone, struct proxy_config *config)
{
	struct seal_err err = { 0 };

	*lone = (struct lone){ .rig = { .ca = pki_ca("workload shop") }, .config = config };
	cr_assert_eq(seal_loop_new(&lone->loop, &err), 0);
	cr_assert_eq(seal_timer_new(&lone->stop, lone->loop, stop_lone, lone, &err), 0);
	cr_assert_eq(proxy_worker_new(&lone->worker, lone->loop, config, NULL, NULL, &err), 0, "%s",
		     err.text);
}

static void
lone_identify(struct lone *lone)
{
	struct pki_id id = pki_pod(&lone->rig.ca, "shop", "db", NULL);

	proxy_worker_publish(lone->worker, rig_state(&lone->rig, &id, "web"));
	pki_id_release(&id);
}

static void
lone_run(struct lone *lone, unsigned ms)
{
	seal_timer_arm(lone->stop, ms);
	cr_assert_eq(seal_loop_run(lone->loop, NULL), 0);
}

static void
lone_end(struct lone *lone)
{
	proxy_worker_free(lone->worker);
	proxy_config_free(lone->config);
	seal_timer_free(lone->stop);
	seal_loop_free(lone->loop);
	pki_id_release(&lone->rig.ca);
}

Test(proxy_worker, is_not_opened_by_its_first_identity_while_it_is_suspended)
{
	struct proxy_config *config = NULL;
	struct lone lone;
	uint16_t port;

	cr_assert_eq(proxy_config_new(&config, NULL), 0);
	cr_assert_eq(proxy_config_add_inbound(config, "127.0.0.1:1=8080", NULL), 0);
	config->listeners[0].listen.port = 0;
	lone_begin(&lone, config);
	port = proxy_worker_port(lone.worker, 0);
	proxy_worker_suspend(lone.worker, "a test");
	lone_identify(&lone);
	lone_run(&lone, 50);
	cr_expect_eq(rig_dial(port), -1);
	cr_expect_not(proxy_worker_is_ready(lone.worker));
	proxy_worker_resume(lone.worker);
	cr_expect(proxy_worker_is_ready(lone.worker));
	close(rig_dial(port)); /* it never listened: the port is the same */
	lone_end(&lone);

	/* And the other way round: resumed before there is anybody to be. */
	cr_assert_eq(proxy_config_new(&config, NULL), 0);
	cr_assert_eq(proxy_config_add_inbound(config, "127.0.0.1:1=8080", NULL), 0);
	config->listeners[0].listen.port = 0;
	lone_begin(&lone, config);
	proxy_worker_suspend(lone.worker, "a test");
	proxy_worker_resume(lone.worker);
	cr_expect_eq(rig_dial(proxy_worker_port(lone.worker, 0)), -1);
	lone_identify(&lone);
	lone_run(&lone, 50);
	cr_expect(proxy_worker_is_ready(lone.worker));
	lone_end(&lone);
}

static bool
answers(const char *path)
{
	const struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct sockaddr_un to = addr;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool is_open;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	is_open = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
	cr_expect(is_open || errno == ECONNREFUSED || errno == ENOENT, "%s", strerror(errno));
	close(fd);
	return is_open;
}

Test(proxy_worker, takes_its_unix_sockets_back_when_it_is_resumed)
{
	struct lone lone;

	lone_begin(&lone, unix_config("unix:" ONE, "unix:" TWO));
	lone_identify(&lone);
	lone_run(&lone, 50);
	for (int i = 0; i < 3; i++) {
		cr_expect(answers(ONE) && answers(TWO));
		proxy_worker_suspend(lone.worker, "a test");
		cr_expect_not(answers(ONE) || answers(TWO));
		lone_run(&lone, 10);
		proxy_worker_resume(lone.worker);
	}
	cr_expect(proxy_worker_is_ready(lone.worker));
	proxy_worker_suspend(lone.worker, "a test");
	lone_end(&lone);
	cr_expect_not(is_there(ONE) || is_there(TWO));
}

#define PLACE "/tmp/seal-test-place"

/* All or none, and again and again. */
Test(proxy_worker, opens_none_again_until_all_can_be)
{
	struct lone lone;

	(void)rmdir(PLACE);
	cr_assert_eq(mkdir(PLACE, 0700), 0);
	lone_begin(&lone, unix_config("unix:" ONE, "unix:" PLACE "/two"));
	lone_identify(&lone);
	lone_run(&lone, 50);
	cr_assert(answers(PLACE "/two"));
	cr_assert_eq(rename(PLACE, PLACE ".away"), 0);
	proxy_worker_suspend(lone.worker, "a test");
	proxy_worker_resume(lone.worker);
	cr_expect_not(proxy_worker_is_ready(lone.worker));
	cr_expect_not(proxy_worker_is_live(lone.worker), "starting it anew may help");
	cr_expect_not(answers(ONE), "one is open without the other");
	cr_assert_eq(rename(PLACE ".away", PLACE), 0);
	for (int i = 0; i < 50 && !proxy_worker_is_ready(lone.worker); i++)
		lone_run(&lone, 100);
	cr_expect(proxy_worker_is_ready(lone.worker));
	cr_expect(answers(ONE) && answers(PLACE "/two"));
	lone_end(&lone);
	(void)unlink(PLACE "/two");
	cr_expect_eq(rmdir(PLACE), 0);
}

Test(proxy_worker, closes_only_connections_a_new_state_no_longer_allows)
{
	struct rig rig;
	struct pair web;
	struct pair ops;

	rig_start(&rig, NULL);
	rig_identify(&rig, RIG_IN, "db", "web,ops");
	web = join(&rig);
	rig_identify(&rig, RIG_OUT, "ops", "db");
	ops = join(&rig);
	rig_identify(&rig, RIG_IN, "db", "web");
	cr_expect_eq(rig_next(ops.server), -1, "a peer no longer allowed goes on");
	cr_expect_eq(rig_next(ops.client), -1);
	rig_send(web.client, "untouched");
	rig_expect(web.server, "untouched");
	cr_expect_eq(rig_counters(&rig, RIG_IN).withdrawn, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).open, 1);
	close_pair(&web);
	close_pair(&ops);
	rig_stop(&rig);
}

Test(proxy_worker, keeps_connections_over_renewals_of_both_sides)
{
	struct rig rig;
	struct pair pair;

	rig_start(&rig, NULL);
	pair = join(&rig);
	for (int i = 0; i < 3; i++) {
		struct pair fresh;

		rig_identify(&rig, RIG_IN, "db", "web");
		rig_identify(&rig, RIG_OUT, "web", "db");
		rig_send(pair.client, "alive");
		rig_expect(pair.server, "alive");
		fresh = join(&rig);
		close_pair(&fresh);
	}
	close_pair(&pair);
	rig_stop(&rig);
}

/* A pod's certificate that lives for seconds. */
static struct pki_id
short_lived(struct rig *rig, const char *peer, int64_t seconds)
{
	struct seal_strv dns = pki_strv("any", peer, NULL);
	char uri[SEAL_IDENTITY_URI_MAX];
	struct seal_cert_spec spec = {
		.kind = SEAL_CERT_POD,
		.common_name = peer,
		.uri = uri,
		.dns = &dns,
		.not_before = seal_clock_now() - 60,
		.not_after = seal_clock_now() + seconds,
	};
	struct pki_id id;

	(void)snprintf(uri, sizeof(uri), "spiffe://%s/workload/shop/peer/%s", PKI_DOMAIN, peer);
	id = pki_issue(&rig->ca, &spec);
	seal_strv_release(&dns);
	return id;
}

Test(proxy_worker, keeps_a_connection_whose_peer_has_renewed_since)
{
	struct rig rig;
	struct pair pair;
	struct pki_id id;

	rig_start(&rig, NULL);
	id = short_lived(&rig, "web", 1);
	proxy_worker_publish(rig.workers[RIG_OUT], rig_state(&rig, &id, "db"));
	pki_id_release(&id);
	pair = join(&rig);
	rig_identify(&rig, RIG_OUT, "web", "db");
	usleep(2100000); /* the certificate of the handshake is over */
	rig_identify(&rig, RIG_IN, "db", "web");
	rig_send(pair.client, "alive");
	rig_expect(pair.server, "alive");
	close_pair(&pair);
	rig_stop(&rig);
}

Test(proxy_worker, turns_everybody_away_once_its_own_certificate_is_over)
{
	struct rig rig;
	struct pki_id id;
	int client;

	rig_start(&rig, NULL);
	cr_expect(proxy_worker_is_ready(rig.workers[RIG_OUT]));
	id = short_lived(&rig, "web", 1);
	proxy_worker_publish(rig.workers[RIG_OUT], rig_state(&rig, &id, "db"));
	pki_id_release(&id);
	usleep(2100000);
	cr_expect_not(proxy_worker_is_ready(rig.workers[RIG_OUT]));
	client = rig_connect_out(&rig);
	cr_expect_leq(rig_next(client), 0);
	cr_expect_eq(rig_counters(&rig, RIG_OUT).no_identity, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).accepted, 0);
	close(client);
	rig_stop(&rig);
}

static void
listen_on_taken_port(struct rig *rig)
{
	rig->configs[RIG_OUT]->listeners[0].listen.port = 0;
}

Test(proxy_worker, says_which_port_is_in_use)
{
	struct proxy_worker *second = NULL;
	struct seal_err err = { 0 };
	struct rig rig;

	rig_start(&rig, listen_on_taken_port);
	rig.configs[RIG_OUT]->listeners[0].listen.port = proxy_worker_port(rig.workers[RIG_OUT], 0);
	cr_expect_eq(proxy_worker_new(&second, rig.loop, rig.configs[RIG_OUT], NULL, NULL, &err),
		     SEAL_E_CONFLICT);
	cr_expect_null(second);
	cr_expect(strstr(err.text, "in use") != NULL, "%s", err.text);
	rig_stop(&rig);
}

static size_t
count_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

Test(proxy_worker, leaves_no_descriptor_behind)
{
	struct rig rig;
	size_t before;

	rig_start(&rig, NULL);
	before = count_descriptors();
	for (int i = 0; i < 50; i++) {
		struct pair pair = join(&rig);

		close_pair(&pair);
	}
	cr_expect_eq(rig_wait_open(&rig, RIG_IN, 0), 0);
	cr_expect_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	cr_expect_eq(count_descriptors(), before);
	rig_stop(&rig);
}
