/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handshake between peers costs each side, and what a stream at rest holds: both ends in one
 * thread over socket pairs, the clock of that thread read around every step of either side.  Prints
 * microseconds per handshake (the median of the rounds) and KiB per stream.
 *
 *   bench-handshake [ROUNDS [long]]      long: without the shortcut of base/tls/shortcut.c
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/stream/stream.h"
#include "tests/support/pki.h"

#define PER_ROUND    200
#define ROUNDS       15
#define ROUNDS_MAX   1000
#define AT_REST      2000
#define SESSIONS_MAX 4096

enum { SERVER, CLIENT };

struct side {
	struct pki_id id;
	struct seal_tls *tls;
	struct seal_peer_rules rules;
	struct seal_stream *stream;
	enum seal_side of_peer;
	double spent; /* microseconds */
};

struct rig {
	struct pki_id ca;
	struct seal_strv everybody;
	struct seal_peer_cache *cache;
	struct seal_staging *staging;
	struct side sides[2];
};

static void
must(int r, const struct seal_err *err)
{
	if (r == 0)
		return;
	(void)fprintf(stderr, "bench-handshake: %s\n", err->text);
	exit(1);
}

static double
now_us(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
verify(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	const struct side *side = arg;

	return seal_peer_verify(ret_peer, &side->rules, presented, side->of_peer, PKI_NOW, err);
}

static bool
resume(void *arg, const struct seal_peer *peer)
{
	const struct side *side = arg;

	return seal_peer_check_policy(peer, &side->rules, PKI_NOW, NULL) == 0;
}

static void
set_up(struct rig *rig, bool with_cache, size_t max_sessions)
{
	struct seal_err err = { 0 };

	*rig = (struct rig){ .ca = pki_ca("bench"), .everybody = pki_strv("*", NULL) };
	must(seal_staging_new(&rig->staging, &err), &err);
	if (with_cache)
		must(seal_peer_cache_new(&rig->cache, 64, &err), &err);
	for (int i = 0; i < 2; i++) {
		struct side *side = &rig->sides[i];
		struct seal_tls_config config;

		side->id = pki_pod(&rig->ca, "shop", i == SERVER ? "db" : "web", NULL);
		side->of_peer = i == SERVER ? SEAL_SIDE_CLIENT : SEAL_SIDE_SERVER;
		side->rules = (struct seal_peer_rules){ .anchors = rig->ca.chain,
							.trust_domain = PKI_DOMAIN,
							.workload = "shop",
							.allowed = &rig->everybody,
							.cache = rig->cache };
		config = (struct seal_tls_config){ .side = i == SERVER ? SEAL_SIDE_SERVER
								       : SEAL_SIDE_CLIENT,
						   .chain = side->id.chain,
						   .key = side->id.key,
						   .max_sessions = max_sessions };
		must(seal_tls_new(&side->tls, &config, &err), &err);
	}
}

static void
tear_down(struct rig *rig)
{
	for (int i = 0; i < 2; i++) {
		seal_tls_unref(rig->sides[i].tls);
		pki_id_release(&rig->sides[i].id);
	}
	seal_peer_cache_free(rig->cache);
	seal_staging_free(rig->staging);
	seal_strv_release(&rig->everybody);
	pki_id_release(&rig->ca);
}

static void
open_pair(struct rig *rig)
{
	struct seal_err err = { 0 };
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		must(seal_fail(&err, SEAL_E_SYSTEM, "no socket pair"), &err);
	for (int i = 0; i < 2; i++) {
		struct side *side = &rig->sides[i];
		const struct seal_tls_session_config config = {
			.server_name = i == CLIENT ? "db.example.com" : NULL,
			.scope = "bench",
			.verify = verify,
			.resume = resume,
			.arg = side
		};
		double before = now_us();

		must(seal_stream_new_tls(&side->stream, fds[i], rig->staging, side->tls, &config,
					 &err),
		     &err);
		side->spent += now_us() - before;
	}
}

/* A handshake; then a word from the server, with which its session ticket comes. */
static bool
shake(struct rig *rig)
{
	struct seal_err err = { 0 };
	enum seal_io io[2] = { SEAL_IO_READ, SEAL_IO_READ };
	struct seal_tls_facts facts = { 0 };
	uint8_t *plain = seal_staging_plain(rig->staging);
	size_t got = 0;
	double before;

	for (int turn = 0; turn < 6; turn++) {
		int i = turn % 2 == 0 ? CLIENT : SERVER;

		if (io[i] != SEAL_IO_READ)
			continue;
		before = now_us();
		io[i] = seal_stream_handshake(rig->sides[i].stream, &err);
		if (io[i] == SEAL_IO_DONE)
			seal_stream_facts(rig->sides[i].stream, &facts);
		if (io[i] == SEAL_IO_DONE)
			seal_stream_settle(rig->sides[i].stream);
		rig->sides[i].spent += now_us() - before;
	}
	if (io[0] != SEAL_IO_DONE || io[1] != SEAL_IO_DONE)
		must(seal_note(&err, SEAL_E_CLOSED, "handshake"), &err);
	before = now_us();
	if (seal_stream_write(rig->sides[SERVER].stream, "hello", 5, &err) != SEAL_IO_DONE)
		must(seal_note(&err, SEAL_E_CLOSED, "write"), &err);
	rig->sides[SERVER].spent += now_us() - before;
	before = now_us();
	if (seal_stream_read(rig->sides[CLIENT].stream, plain, SEAL_STAGING_LEN, &got, &err) !=
	    SEAL_IO_DONE)
		must(seal_note(&err, SEAL_E_CLOSED, "read"), &err);
	rig->sides[CLIENT].spent += now_us() - before;
	return facts.resumed;
}

static void
close_pair(struct rig *rig)
{
	for (int i = 0; i < 2; i++) {
		double before = now_us();

		seal_stream_free(rig->sides[i].stream, false);
		rig->sides[i].spent += now_us() - before;
		rig->sides[i].stream = NULL;
	}
}

static int
compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static void
measure(const char *what, size_t rounds, bool with_cache, size_t max_sessions)
{
	static double spent[2][ROUNDS_MAX];
	size_t resumed = 0;
	struct rig rig;

	set_up(&rig, with_cache, max_sessions);
	for (size_t round = 0; round < rounds + 1; round++) { /* the first warms up */
		rig.sides[0].spent = rig.sides[1].spent = 0;
		resumed = 0;
		for (size_t i = 0; i < PER_ROUND; i++) {
			open_pair(&rig);
			resumed += shake(&rig) ? 1 : 0;
			close_pair(&rig);
		}
		for (size_t i = 0; i < 2 && round > 0; i++)
			spent[i][round - 1] = rig.sides[i].spent / PER_ROUND;
	}
	for (size_t i = 0; i < 2; i++)
		qsort(spent[i], rounds, sizeof(double), compare);
	printf("%-24s originate %6.1f us   terminate %6.1f us   resumed %3zu%%\n", what,
	       spent[CLIENT][rounds / 2], spent[SERVER][rounds / 2], resumed * 100 / PER_ROUND);
	tear_down(&rig);
}

/* Both ends of many connections, kept: what the allocator has handed out for them. */
static void
weigh(const char *what, bool with_cache, size_t max_sessions)
{
	static struct seal_stream *streams[AT_REST][2];
	struct mallinfo2 before;
	struct mallinfo2 after;
	struct rig rig;

	set_up(&rig, with_cache, max_sessions);
	open_pair(&rig);
	(void)shake(&rig);
	close_pair(&rig);
	for (int side = 0; side < 2; side++) {
		size_t count = 0;

		before = mallinfo2();
		for (; count < AT_REST; count++) {
			open_pair(&rig);
			(void)shake(&rig);
			streams[count][0] = rig.sides[side].stream;
			/* The other end goes at once, so what stays belongs to this side. */
			seal_stream_free(rig.sides[1 - side].stream, false);
		}
		after = mallinfo2();
		printf("%-24s %s %5.2f KiB a stream at rest\n", what,
		       side == CLIENT ? "originate" : "terminate",
		       (double)(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) /
			       (double)count / 1024);
		while (count > 0)
			seal_stream_free(streams[--count][0], false);
	}
	tear_down(&rig);
}

int
main(int argc, char **argv)
{
	struct rlimit files = { 3 * AT_REST, 3 * AT_REST };
	size_t rounds = ROUNDS;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (rounds == 0 || rounds > ROUNDS_MAX)
		rounds = ROUNDS;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* if not, opening will say so */
	must(seal_process_harden(NULL), &(struct seal_err){ 0 });
	printf("shortcut %s\n", argc < 3 && seal_tls_shortcut() ? "taken" : "not taken");
	measure("full, peer never met", rounds, false, 0);
	measure("full, peer known", rounds, true, 0);
	measure("resumed", rounds, true, SESSIONS_MAX);
	weigh("full, peer never met", false, 0);
	weigh("full, peer known", true, 0);
	weigh("resumed", true, SESSIONS_MAX);
	return 0;
}
