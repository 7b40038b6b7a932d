/* SPDX-License-Identifier: Apache-2.0 */
/* base/stream and base/tls over socket pairs: no network, both ends in this process. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/stream/stream.h"
#include "tests/support/pki.h"

#define BIG (3u * 1024 * 1024)

struct end {
	struct seal_stream *stream;
	struct seal_tls *tls;
	int verdict; /* what the verifier answers */
	unsigned asked;
};

struct pair {
	struct pki_id ca;
	struct pki_id ids[2];
	struct seal_staging *staging;
	struct end ends[2]; /* server, client */
};

static int
verify(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	struct end *end = arg;

	(void)ret_peer;
	cr_expect_geq(seal_certs_count(presented), 1);
	end->asked++;
	return end->verdict == 0 ? 0 : seal_fail(err, SEAL_E_REFUSED, "not you");
}

static void
make_pair(struct pair *pair, bool with_tls)
{
	int fds[2];
	struct seal_err err = { 0 };

	*pair = (struct pair){ .ca = pki_ca("ca") };
	cr_assert_eq(seal_staging_new(&pair->staging, &err), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++) {
		struct end *end = &pair->ends[i];
		struct seal_tls_session_config session = { .server_name =
								   i == 1 ? "db.example.com" : NULL,
							   .verify = verify,
							   .arg = end };
		struct seal_tls_config config;

		pair->ids[i] = pki_pod(&pair->ca, "shop", i == 0 ? "db" : "web", NULL);
		config = (struct seal_tls_config){ .side = i == 0 ? SEAL_SIDE_SERVER
								  : SEAL_SIDE_CLIENT,
						   .chain = pair->ids[i].chain,
						   .key = pair->ids[i].key };
		if (!with_tls) {
			cr_assert_eq(seal_stream_new(&end->stream, fds[i], pair->staging, &err), 0);
			continue;
		}
		cr_assert_eq(seal_tls_new(&end->tls, &config, &err), 0, "%s", err.text);
		cr_assert_eq(seal_stream_new_tls(&end->stream, fds[i], pair->staging, end->tls,
						 &session, &err),
			     0, "%s", err.text);
	}
}

static void
release_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		seal_stream_free(pair->ends[i].stream, false);
		seal_tls_unref(pair->ends[i].tls);
		pki_id_release(&pair->ids[i]);
	}
	pki_id_release(&pair->ca);
	seal_staging_free(pair->staging);
}

#define PAIR(name, with_tls)                                                                       \
	SEAL_SCOPED(release_pair) struct pair name;                                                \
	make_pair(&(name), (with_tls))

/* Both ends in turn until neither waits; the outcome of each. */
static void
shake(struct pair *pair, enum seal_io ret_io[static 2], struct seal_err errs[static 2])
{
	ret_io[0] = ret_io[1] = SEAL_IO_READ;
	for (int turn = 0; turn < 20; turn++)
		for (int i = 1; i >= 0; i--)
			if (ret_io[i] == SEAL_IO_READ || ret_io[i] == SEAL_IO_WRITE)
				ret_io[i] = seal_stream_handshake(pair->ends[i].stream, &errs[i]);
}

static void
must_shake(struct pair *pair)
{
	struct seal_err errs[2] = { 0 };
	enum seal_io io[2];

	shake(pair, io, errs);
	cr_assert_eq(io[0], SEAL_IO_DONE, "server: %s", errs[0].text);
	cr_assert_eq(io[1], SEAL_IO_DONE, "client: %s", errs[1].text);
}

static uint8_t
byte_at(size_t at)
{
	return (uint8_t)(at * 131 + at / 251);
}

/* Push BIG bytes through, never writing while something is kept; every byte is compared. */
static void
pump(struct pair *pair, int from)
{
	struct seal_stream *source = pair->ends[from].stream;
	struct seal_stream *sink = pair->ends[1 - from].stream;
	uint8_t *plain = seal_staging_plain(pair->staging);
	size_t sent = 0;
	size_t seen = 0;

	for (size_t turn = 0; seen < BIG && turn < 100000; turn++) {
		size_t got = 0;
		enum seal_io io;

		if (seal_stream_unsent(source) > 0) {
			cr_assert_neq(seal_stream_flush(source, NULL), SEAL_IO_FAIL);
		} else if (sent < BIG) {
			size_t some = BIG - sent < SEAL_STAGING_LEN ? BIG - sent : SEAL_STAGING_LEN;

			for (size_t i = 0; i < some; i++)
				plain[i] = byte_at(sent + i);
			cr_assert_neq(seal_stream_write(source, plain, some, NULL), SEAL_IO_FAIL);
			sent += some;
			cr_assert_leq(seal_stream_unsent(source), 2 * SEAL_STAGING_LEN);
		}
		io = seal_stream_read(sink, plain, SEAL_STAGING_LEN, &got, NULL);
		cr_assert(io == SEAL_IO_DONE || io == SEAL_IO_READ);
		for (size_t i = 0; i < got; i++)
			if (plain[i] != byte_at(seen + i))
				cr_assert_fail("byte %zu differs", seen + i);
		seen += got;
	}
	cr_expect_eq(seen, BIG);
}

Test(stream, carries_megabytes_both_ways_in_plain)
{
	PAIR(pair, false);

	cr_expect_not(seal_stream_is_tls(pair.ends[0].stream));
	pump(&pair, 0);
	pump(&pair, 1);
}

Test(stream, carries_megabytes_both_ways_in_tls)
{
	PAIR(pair, true);

	must_shake(&pair);
	cr_expect_eq(pair.ends[0].asked, 1);
	cr_expect_eq(pair.ends[1].asked, 1);
	pump(&pair, 0);
	pump(&pair, 1);
}

Test(stream, passes_on_a_half_close_and_still_receives)
{
	for (int with_tls = 0; with_tls < 2; with_tls++) {
		PAIR(pair, with_tls == 1);
		struct seal_stream *a = pair.ends[0].stream;
		struct seal_stream *b = pair.ends[1].stream;
		uint8_t *plain = seal_staging_plain(pair.staging);
		size_t got = 0;

		if (with_tls == 1)
			must_shake(&pair);
		cr_assert_eq(seal_stream_write(a, "last words", 10, NULL), SEAL_IO_DONE);
		cr_assert_eq(seal_stream_end(a, false, NULL), SEAL_IO_DONE);
		cr_assert_eq(seal_stream_read(b, plain, SEAL_STAGING_LEN, &got, NULL),
			     SEAL_IO_DONE);
		cr_expect_eq(got, 10);
		cr_assert_eq(seal_stream_read(b, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_EOF);
		cr_assert_eq(seal_stream_write(b, "an answer", 9, NULL), SEAL_IO_DONE);
		cr_assert_eq(seal_stream_end(b, false, NULL), SEAL_IO_DONE);
		cr_assert_eq(seal_stream_read(a, plain, SEAL_STAGING_LEN, &got, NULL),
			     SEAL_IO_DONE);
		cr_expect_eq(got, 9);
		cr_expect_eq(memcmp(plain, "an answer", 9), 0);
		cr_assert_eq(seal_stream_read(a, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_EOF);
	}
}

/* How many bytes lie in front of the other end, untouched. */
static size_t
in_flight(const struct pair *pair, int end)
{
	uint8_t buf[4096];
	ssize_t got = recv(seal_stream_fd(pair->ends[end].stream), buf, sizeof(buf),
			   MSG_PEEK | MSG_DONTWAIT);

	return got < 0 ? 0 : (size_t)got;
}

Test(stream, the_end_of_a_clients_handshake_goes_with_its_first_bytes)
{
	PAIR(pair, true);
	struct seal_stream *server = pair.ends[0].stream;
	struct seal_stream *client = pair.ends[1].stream;
	uint8_t *plain = seal_staging_plain(pair.staging);
	size_t got = 0;

	seal_stream_hold(client);
	cr_assert_eq(seal_stream_handshake(client, NULL), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(server, NULL), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(client, NULL), SEAL_IO_DONE);
	cr_expect_eq(in_flight(&pair, 0), 0, "sent alone");
	cr_expect_eq(seal_stream_unsent(client), 0, "nobody has to wait for it");
	cr_expect(seal_stream_owes(client));
	cr_assert_eq(seal_stream_write(client, "first", 5, NULL), SEAL_IO_DONE);
	cr_expect_not(seal_stream_owes(client));
	cr_assert_eq(seal_stream_handshake(server, NULL), SEAL_IO_DONE);
	cr_expect_not(seal_stream_may_have_more(server));
	cr_expect(seal_stream_pending(server), "what came along waits inside");
	cr_assert_eq(seal_stream_read(server, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_DONE);
	cr_expect_eq(got, 5);
	cr_expect_eq(seal_stream_read(server, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_READ);
	pump(&pair, 0);
	pump(&pair, 1);
}

Test(stream, what_is_held_goes_alone_when_there_is_nothing_to_go_with)
{
	PAIR(pair, true);
	struct seal_stream *client = pair.ends[1].stream;

	seal_stream_hold(client);
	seal_stream_hold(pair.ends[0].stream);
	cr_assert_eq(seal_stream_handshake(client, NULL), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(pair.ends[0].stream, NULL), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(client, NULL), SEAL_IO_DONE);
	cr_assert_eq(seal_stream_flush(client, NULL), SEAL_IO_DONE);
	cr_expect_not(seal_stream_owes(client));
	cr_expect_gt(in_flight(&pair, 0), 0);
	cr_assert_eq(seal_stream_handshake(pair.ends[0].stream, NULL), SEAL_IO_DONE);
	cr_expect_not(seal_stream_owes(pair.ends[0].stream), "nobody waits for tickets");
	pump(&pair, 0);
	pump(&pair, 1);
}

Test(stream, what_is_held_goes_before_the_end)
{
	PAIR(pair, true);
	struct seal_stream *server = pair.ends[0].stream;
	struct seal_stream *client = pair.ends[1].stream;
	uint8_t *plain = seal_staging_plain(pair.staging);
	size_t got = 0;

	seal_stream_hold(client);
	cr_assert_eq(seal_stream_handshake(client, NULL), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(server, NULL), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(client, NULL), SEAL_IO_DONE);
	cr_assert_eq(seal_stream_end(client, false, NULL), SEAL_IO_DONE);
	cr_assert_eq(seal_stream_handshake(server, NULL), SEAL_IO_DONE);
	cr_expect_eq(seal_stream_read(server, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_EOF);
}

/* The socket's own end is left to its closing. */
Test(stream, a_last_end_says_close_notify_and_leaves_the_socket_open)
{
	PAIR(pair, true);
	struct seal_stream *a = pair.ends[0].stream;
	struct seal_stream *b = pair.ends[1].stream;
	uint8_t *plain = seal_staging_plain(pair.staging);
	uint8_t octet;
	size_t got = 0;

	must_shake(&pair);
	cr_assert_eq(seal_stream_end(a, true, NULL), SEAL_IO_DONE);
	cr_expect_eq(seal_stream_read(b, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_EOF);
	cr_expect_lt(recv(seal_stream_fd(b), &octet, 1, MSG_PEEK | MSG_DONTWAIT), 0);
	cr_assert_eq(seal_stream_end(b, false, NULL), SEAL_IO_DONE);
	cr_expect_eq(seal_stream_read(a, plain, SEAL_STAGING_LEN, &got, NULL), SEAL_IO_EOF);
	cr_expect_eq(recv(seal_stream_fd(a), &octet, 1, MSG_PEEK | MSG_DONTWAIT), 0);
}

Test(stream, a_cut_connection_is_a_failure_and_not_an_end)
{
	PAIR(pair, true);
	uint8_t *plain = seal_staging_plain(pair.staging);
	struct seal_err err = { 0 };
	size_t got = 0;

	must_shake(&pair);
	cr_assert_eq(seal_stream_write(pair.ends[0].stream, "half a mess", 11, NULL), SEAL_IO_DONE);
	seal_stream_free(pair.ends[0].stream, false); /* no close_notify */
	pair.ends[0].stream = NULL;
	cr_assert_eq(seal_stream_read(pair.ends[1].stream, plain, SEAL_STAGING_LEN, &got, &err),
		     SEAL_IO_DONE);
	cr_expect_eq(got, 11);
	cr_expect_eq(seal_stream_read(pair.ends[1].stream, plain, SEAL_STAGING_LEN, &got, &err),
		     SEAL_IO_FAIL);
	cr_expect_eq(err.code, SEAL_E_CLOSED, "%s", err.text);
}

Test(stream, tells_why_the_verifier_refused_and_the_peer_only_that)
{
	for (int who = 0; who < 2; who++) {
		PAIR(pair, true);
		struct seal_err errs[2] = { 0 };
		enum seal_io io[2];
		uint8_t *plain = seal_staging_plain(pair.staging);
		size_t got = 0;

		pair.ends[who].verdict = -1;
		shake(&pair, io, errs);
		cr_expect_eq(io[who], SEAL_IO_FAIL);
		cr_expect_eq(errs[who].code, SEAL_E_REFUSED);
		cr_expect_str_eq(errs[who].text, "not you");
		/* In TLS 1.3 the client is done before the server has judged it: it learns on reading. */
		if (io[1 - who] == SEAL_IO_DONE)
			io[1 - who] = seal_stream_read(pair.ends[1 - who].stream, plain,
						       SEAL_STAGING_LEN, &got, &errs[1 - who]);
		cr_expect_eq(io[1 - who], SEAL_IO_FAIL);
		cr_expect_null(strstr(errs[1 - who].text, "not you"));
	}
}

Test(stream, early_bytes_wait_until_they_are_read)
{
	PAIR(pair, true);
	struct seal_err errs[2] = { 0 };
	enum seal_io io = SEAL_IO_READ;
	uint8_t *plain = seal_staging_plain(pair.staging);
	size_t got = 0;

	/* Client hello, server flight, then the client's Finished together with its first bytes. */
	cr_assert_eq(seal_stream_handshake(pair.ends[1].stream, &errs[1]), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(pair.ends[0].stream, &errs[0]), SEAL_IO_READ);
	cr_assert_eq(seal_stream_handshake(pair.ends[1].stream, &errs[1]), SEAL_IO_DONE);
	cr_assert_eq(seal_stream_write(pair.ends[1].stream, "early", 5, NULL), SEAL_IO_DONE);
	io = seal_stream_handshake(pair.ends[0].stream, &errs[0]);
	cr_assert_eq(io, SEAL_IO_DONE, "%s", errs[0].text);
	cr_expect(seal_stream_pending(pair.ends[0].stream));
	cr_assert_eq(seal_stream_read(pair.ends[0].stream, plain, SEAL_STAGING_LEN, &got, NULL),
		     SEAL_IO_DONE);
	cr_expect_eq(got, 5);
	cr_expect_not(seal_stream_pending(pair.ends[0].stream));
}

Test(stream, refuses_plain_text_and_garbage_where_tls_is_spoken)
{
	static const char *const texts[] = { "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01",
					     "\x80\x2e\x01\x00\x02 old hello" };

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		PAIR(pair, true);
		struct seal_err err = { 0 };
		int raw = dup(seal_stream_fd(pair.ends[1].stream));
		enum seal_io io;

		cr_assert_eq(write(raw, texts[i], strlen(texts[i])), (ssize_t)strlen(texts[i]));
		cr_assert_eq(shutdown(raw, SHUT_WR), 0);
		io = seal_stream_handshake(pair.ends[0].stream, &err);
		if (io == SEAL_IO_READ)
			io = seal_stream_handshake(pair.ends[0].stream, &err);
		cr_expect_eq(io, SEAL_IO_FAIL, "case %zu", i);
		cr_expect_eq(pair.ends[0].asked, 0);
		close(raw);
	}
}

/* Each session at rest holds its handshake's key in the protected arena: there must be room. */
Test(stream, protected_memory_is_enough_for_a_hundred_thousand_connections)
{
	size_t before = 0;

	cr_assert_eq(seal_process_harden(NULL), 0);
	for (int round = 0; round < 3; round++) { /* the first makes what the process keeps */
		PAIR(pair, true);
		size_t made = CRYPTO_secure_used();

		must_shake(&pair);
		if (round > 0)
			cr_expect_leq(CRYPTO_secure_used() - made, 2 * 32);
		if (round > 1)
			cr_expect_eq(made, before, "something stayed");
		before = made;
	}
	for (int i = 0; i < 100000; i++)
		cr_assert_not_null(OPENSSL_secure_malloc(32), "only %d", i);
}

Test(stream, refuses_a_context_whose_key_is_another)
{
	SEAL_SCOPED(pki_id_release) struct pki_id ca = pki_ca("ca");
	SEAL_SCOPED(pki_id_release) struct pki_id a = pki_pod(&ca, "shop", "web", NULL);
	SEAL_SCOPED(pki_id_release) struct pki_id b = pki_pod(&ca, "shop", "web", NULL);
	const struct seal_tls_config config = { .side = SEAL_SIDE_SERVER,
						.chain = a.chain,
						.key = b.key };
	struct seal_tls *tls = NULL;

	cr_expect_eq(seal_tls_new(&tls, &config, NULL), SEAL_E_CRYPTO);
	cr_expect_null(tls);
}
