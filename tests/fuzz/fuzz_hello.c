/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/stream and base/tls against whatever a socket may carry before anybody is authenticated.  The
 * first byte of an input says what it is:
 *
 *   server   the rest is a client's flight, fed to our server
 *   client   the rest is a server's flight, fed to our client
 *   public   the rest is a client's flight, fed to our server for the public
 *   between  the rest is what somebody does to the records between our client and our server
 *
 * The second byte cuts: how many bytes arrive at a time (0: all at once).  Its top bit ends the input
 * with the end of the connection.  Whatever comes, nobody is taken for verified without the key, and what
 * a server reads is what its client wrote, or the beginning of it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/stream/stream.h"
#include "tests/fuzz/hello.h"
#include "tests/support/pki.h"

enum mode { MODE_SERVER, MODE_CLIENT, MODE_PUBLIC, MODE_BETWEEN, MODE_COUNT };

#define HEADER     2
#define CUT_END    0x80u
#define WIRE_MAX   (64u * 1024)
#define STEPS_MAX  64 /* of small pieces; the rest comes at once */
#define SECRET     "what the application says"
#define ANSWER_MAX (24u * 1024) /* a server's whole flight has 1 KiB */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* There only when a fuzzer drives. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

/* Made once: contexts are expensive, and sessions kept in them are part of what is tried. */
static struct world {
	struct seal_tls *server;
	struct seal_tls *client;
	struct seal_tls *public_server;
	struct seal_staging *staging;
	struct pki_id ca;
	struct pki_id ids[2];
	unsigned asked; /* how often somebody was presented for verification */
} world;

static int
verify(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	(void)err;
	assert(seal_certs_count(presented) >= 1);
	world.asked++;
	(void)snprintf(ret_peer->name, sizeof(ret_peer->name), "%s", (const char *)arg);
	return 0;
}

static bool
resume(void *arg, const struct seal_peer *peer)
{
	assert(strcmp(peer->name, arg) == 0);
	return true;
}

static void
make_world(void)
{
	struct seal_tls_config config = { .max_sessions = 64 };
	struct seal_tls_credential credential;
	struct seal_tls_public_config public_config = { .credentials = &credential,
							.credential_count = 1,
							.max_sessions = 64 };
	struct seal_err err = { 0 };
	int r;

	world.ca = pki_ca("ca");
	world.ids[0] = pki_pod(&world.ca, "shop", "db", NULL);
	world.ids[1] = pki_pod(&world.ca, "shop", "web", NULL);
	config.chain = world.ids[0].chain;
	config.key = world.ids[0].key;
	config.side = SEAL_SIDE_SERVER;
	r = seal_tls_new(&world.server, &config, &err);
	assert(r == 0);
	config.chain = world.ids[1].chain;
	config.key = world.ids[1].key;
	config.side = SEAL_SIDE_CLIENT;
	r = seal_tls_new(&world.client, &config, &err);
	assert(r == 0);
	credential = (struct seal_tls_credential){ world.ids[0].chain, world.ids[0].key };
	r = seal_tls_new_public(&world.public_server, &public_config, &err);
	assert(r == 0);
	r = seal_staging_new(&world.staging, &err);
	assert(r == 0);
}

/* One of our streams, and the other end of its socket. */
struct end {
	struct seal_stream *stream;
	enum seal_io io;
	int wire;
};

static void
open_end(struct end *end, struct seal_tls *tls, enum seal_side side, const char *scope)
{
	const char *alpn_names[] = { "h2", "http/1.1" };
	const struct seal_strv alpn = { .items = (char **)alpn_names, .count = 2 };
	struct seal_tls_session_config config = {
		.server_name = side == SEAL_SIDE_CLIENT ? "db.example.com" : NULL,
		.alpn = &alpn,
		.scope = scope,
		.verify = tls == world.public_server ? NULL : verify,
		.resume = scope != NULL ? resume : NULL,
		.arg = side == SEAL_SIDE_CLIENT ? (char *)"db" : (char *)"web",
	};
	int fds[2];
	int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);

	assert(r == 0);
	r = seal_stream_new_tls(&end->stream, fds[0], world.staging, tls, &config, NULL);
	assert(r == 0);
	end->wire = fds[1];
	end->io = SEAL_IO_READ;
}

static void
close_end(struct end *end)
{
	seal_stream_free(end->stream, false);
	(void)close(end->wire); /* a socket pair; nothing is written back */
}

static void
step(struct end *end)
{
	struct seal_err err = { 0 };

	if (end->io != SEAL_IO_READ && end->io != SEAL_IO_WRITE)
		return;
	end->io = seal_stream_handshake(end->stream, &err);
	assert(end->io != SEAL_IO_EOF);
	assert(end->io != SEAL_IO_FAIL || (err.code != 0 && err.code != SEAL_E_BUG));
}

/* What the stream has sent; how much. */
static size_t
receive(const struct end *end, uint8_t *buf, size_t size)
{
	size_t total = 0;
	ssize_t got;

	while (total < size && (got = recv(end->wire, buf + total, size - total, 0)) > 0)
		total += (size_t)got;
	return total;
}

static bool
deliver(const struct end *end, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(end->wire, data, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return false; /* it has hung up, or does not read any more */
		data += sent;
		len -= (size_t)sent;
	}
	return true;
}

/* ---- one side, and a stranger ------------------------------------------------------------------- */

/* The whole input, in pieces, with a step after each. */
static void
feed(struct end *end, const uint8_t *data, size_t len, unsigned cut)
{
	size_t piece = cut & ~CUT_END;
	unsigned steps = 0;

	step(end);
	while (len > 0 && (end->io == SEAL_IO_READ || end->io == SEAL_IO_WRITE)) {
		size_t some = piece == 0 || piece > len || steps > STEPS_MAX ? len : piece;

		if (!deliver(end, data, some))
			break;
		step(end);
		data += some;
		len -= some;
		steps++;
	}
	for (int i = 0; i < 4; i++) /* a step takes a bounded amount */
		step(end);
	if ((cut & CUT_END) != 0) {
		(void)shutdown(end->wire, SHUT_WR); /* may have been closed by the other side */
		step(end);
		step(end);
		assert(end->io == SEAL_IO_FAIL);
	}
}

/* What is said back to a stranger: records, and not many. */
static void
check_answer(const uint8_t *answer, size_t len)
{
	assert(len < ANSWER_MAX);
	while (len >= 5) {
		size_t record = 5 + ((size_t)answer[3] << 8 | answer[4]);

		assert(answer[0] >= 20 && answer[0] <= 23);
		assert(record <= len);
		answer += record;
		len -= record;
	}
	assert(len == 0);
}

static void
try_server(struct seal_tls *tls, const uint8_t *data, size_t len, unsigned cut)
{
	static uint8_t answer[WIRE_MAX];
	struct end end;

	open_end(&end, tls, SEAL_SIDE_SERVER, "listener");
	feed(&end, data, len, cut);
	assert(end.io != SEAL_IO_DONE && world.asked == 0);
	check_answer(answer, receive(&end, answer, sizeof(answer)));
	close_end(&end);
}

/*
 * A ServerHello must repeat the session identifier of a hello it cannot know; where there is one of the
 * right size, it is put in.
 */
static void
try_client(const uint8_t *data, size_t len, unsigned cut)
{
	enum { ID_AT = 5 + 4 + 34, ID_LEN = 32 };
	static uint8_t flight[WIRE_MAX];
	static uint8_t hello[WIRE_MAX];
	struct end end;
	size_t hello_len;

	if (len > sizeof(flight))
		return;
	open_end(&end, world.client, SEAL_SIDE_CLIENT, NULL);
	step(&end);
	hello_len = receive(&end, hello, sizeof(hello));
	assert(hello_len > ID_AT + 1 + ID_LEN && hello[0] == 22 && hello[5] == 1);
	memcpy(flight, data, len);
	if (len > ID_AT + 1 + ID_LEN && flight[0] == 22 && flight[5] == 2 &&
	    flight[ID_AT] == ID_LEN)
		memcpy(flight + ID_AT + 1, hello + ID_AT + 1, ID_LEN);
	feed(&end, flight, len, cut);
	assert(end.io != SEAL_IO_DONE && world.asked == 0);
	check_answer(hello, receive(&end, hello, sizeof(hello)));
	close_end(&end);
}

/* ---- both sides, and somebody between ----------------------------------------------------------- */

enum op { OP_FLIP, OP_DROP, OP_TWICE, OP_SPLIT, OP_SHORTEN, OP_INJECT, OP_END, OP_PASS, OP_COUNT };

struct between {
	const uint8_t *ops; /* four bytes each: which record of all, what, and two arguments */
	size_t op_count;
	unsigned record; /* how many have passed */
	bool touched;
};

static void
pass(struct between *between, const struct end *to, const uint8_t *record, size_t len)
{
	uint8_t *copy = malloc(len + 8);

	assert(copy != NULL);
	memcpy(copy, record, len);
	for (size_t i = 0; i < between->op_count; i++) {
		const uint8_t *op = between->ops + 4 * i;
		const size_t arg = (size_t)op[2] << 8 | op[3];
		const uint8_t injected[] = { (uint8_t)(20 + op[2] % 5), 3, 3, 0, 2, 1, op[3] };

		if (op[0] % 16 != between->record)
			continue;
		switch (op[1] % OP_COUNT) {
		case OP_FLIP:
			copy[arg % len] ^= (uint8_t)(1u << (op[3] % 8));
			break;
		case OP_DROP:
			len = 0;
			break;
		case OP_TWICE:
			(void)deliver(to, copy, len);
			break;
		case OP_SPLIT: /* into two records of the same kind */
			if (len > 7) {
				size_t first = 1 + arg % (len - 6);
				const uint8_t head[] = { copy[0], 3, 3, (uint8_t)(first >> 8),
							 (uint8_t)first };

				(void)deliver(to, head, sizeof(head));
				(void)deliver(to, copy + 5, first);
				memmove(copy + 5, copy + 5 + first, len - 5 - first);
				len -= first;
				copy[3] = (uint8_t)((len - 5) >> 8);
				copy[4] = (uint8_t)(len - 5);
			}
			break;
		case OP_SHORTEN:
			len = arg % (len + 1);
			break;
		case OP_INJECT:
			(void)deliver(to, injected, sizeof(injected));
			break;
		case OP_END:
			(void)shutdown(to->wire, SHUT_WR);
			len = 0;
			break;
		default:
			break;
		}
		between->touched = true;
		if (len == 0)
			break;
	}
	(void)deliver(to, copy, len);
	free(copy);
	between->record++;
}

/* Move what one side has sent to the other, record by record. */
static size_t
carry(struct between *between, const struct end *from, const struct end *to)
{
	static uint8_t buf[WIRE_MAX];
	size_t len = receive(from, buf, sizeof(buf));
	size_t at = 0;

	while (len - at >= 5) {
		size_t record = 5 + ((size_t)buf[at + 3] << 8 | buf[at + 4]);

		assert(record <= len - at);
		pass(between, to, buf + at, record);
		at += record;
	}
	return len;
}

/* The server says nothing of its own, but for the tickets of the next handshake. */
static void
check_silent(struct end *client)
{
	static uint8_t buf[SEAL_STAGING_LEN];
	size_t len = 0;

	assert(seal_stream_read(client->stream, buf, sizeof(buf), &len, NULL) != SEAL_IO_DONE);
}

/* What the server hears is what the client said, as far as it goes. */
static void
check_heard(struct end *server)
{
	static uint8_t buf[SEAL_STAGING_LEN];
	struct seal_err err = { 0 };
	size_t len = 0;

	for (int i = 0; i < 3; i++) {
		if (seal_stream_read(server->stream, buf, sizeof(buf), &len, &err) != SEAL_IO_DONE)
			return;
		assert(len == sizeof(SECRET) && memcmp(buf, SECRET, len) == 0);
		assert(i == 0); /* once */
	}
}

static void
try_between(const uint8_t *data, size_t len, unsigned cut)
{
	struct between between = { .ops = data, .op_count = len / 4 < 16 ? len / 4 : 16 };
	const char *scope = (cut & 1) != 0 ? "listener" : NULL;
	struct end client;
	struct end server;
	size_t moved = 1;
	bool said = false;

	open_end(&client, world.client, SEAL_SIDE_CLIENT, scope);
	open_end(&server, world.server, SEAL_SIDE_SERVER, scope);
	for (int turn = 0; turn < 12 && moved > 0; turn++) {
		step(&client);
		if (client.io == SEAL_IO_DONE && !said) {
			said = true;
			(void)seal_stream_write(client.stream, SECRET, sizeof(SECRET), NULL);
		}
		moved = carry(&between, &client, &server);
		step(&server);
		moved += carry(&between, &server, &client);
		if (client.io == SEAL_IO_DONE)
			check_silent(&client);
	}
	assert(between.touched || (client.io == SEAL_IO_DONE && server.io == SEAL_IO_DONE));
	if (server.io == SEAL_IO_DONE) {
		assert(said && strcmp(seal_stream_peer(server.stream)->name, "web") == 0);
		check_heard(&server);
	}
	close_end(&client);
	close_end(&server);
}

/* ---- the target --------------------------------------------------------------------------------- */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (world.staging == NULL)
		make_world();
	if (size < HEADER || size > WIRE_MAX)
		return 0;
	world.asked = 0;
	switch ((enum mode)(data[0] % MODE_COUNT)) {
	case MODE_CLIENT:
		try_client(data + HEADER, size - HEADER, data[1]);
		break;
	case MODE_PUBLIC:
		try_server(world.public_server, data + HEADER, size - HEADER, data[1]);
		break;
	case MODE_BETWEEN:
		try_between(data + HEADER, size - HEADER, data[1]);
		break;
	default:
		try_server(world.server, data + HEADER, size - HEADER, data[1]);
		break;
	}
	return 0;
}

/* Mostly by structure; one in eight by chance alone, and so is what cannot be taken apart. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t len = 0;

	if (size >= HEADER && seed % 8 != 0 && data[0] % MODE_COUNT != MODE_BETWEEN)
		len = hello_mutate(data + HEADER, size - HEADER, max_size - HEADER, seed);
	if (len > 0) {
		if (seed % 16 == 1)
			data[1] = (uint8_t)(seed >> 8);
		return HEADER + len;
	}
	return LLVMFuzzerMutate != NULL ? LLVMFuzzerMutate(data, size, max_size) : size;
}
