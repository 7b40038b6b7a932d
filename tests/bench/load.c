/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench-load: the client at the near end of a chain.  It says "ready" when its connections stand and
 * have each exchanged a message, works when it reads "go", prints one line of JSON, and keeps its
 * connections until standard input says or is at its end: what is measured lies between two quiet
 * moments.  Whatever is refused, short or wrong ends it with 1.
 */

#include <inttypes.h>

#include "tests/bench/client.h"
#include "tests/bench/rate.h"

static const char usage[] =
	"usage: bench-load MODE PORT ARGUMENT...\n"
	"  conns PORT COUNT AT-A-TIME        connect, one request, one answer, close\n"
	"  requests PORT COUNT CONNECTIONS   one request after another on each\n"
	"  upload PORT BYTES CONNECTIONS     bytes in all, evenly over the connections\n"
	"  download PORT BYTES CONNECTIONS\n"
	"  rate PORT PER-SECOND CONNECTIONS SECONDS\n"
	"  idle PORT CONNECTIONS...          open ever more, each line of input the next";

#define MAX_CONNECTIONS 100000u
#define OPENING         64u /* connections under way at a time, outside of conns */

/* A line from whoever measures; false at the end. */
static bool
is_told(void)
{
	char line[64];

	return fgets(line, sizeof(line), stdin) != NULL;
}

static void
say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static void
wait_for_go(void)
{
	say("ready");
	if (!is_told())
		exit(1);
}

static void
finish(struct crowd *crowd)
{
	fflush(stdout);
	if (is_told() && !crowd_is_quiet(crowd))
		die("a connection did not stay open");
	for (size_t i = 0; i < crowd->count; i++) {
		if (crowd->clients[i].fd >= 0)
			client_close(&crowd->clients[i]);
	}
}

static void
do_nothing(struct client *client)
{
	(void)client;
}

/* Open the clients up to this one, an exchange each. */
static void
open_up_to(struct crowd *crowd, size_t from, size_t to)
{
	uint64_t before = crowd->exchanges;

	crowd->on_done = do_nothing;
	for (size_t i = from; i < to; i++) {
		client_open(&crowd->clients[i]);
		client_begin(&crowd->clients[i], EXCHANGE_ECHO, 0);
		if (i - from >= OPENING)
			crowd_until(crowd, before + i - from - OPENING);
	}
	crowd_until(crowd, before + to - from);
}

static void
start(struct crowd *crowd, uint64_t wanted, client_done_fn on_done)
{
	crowd->begun = 0;
	crowd->exchanges = 0;
	crowd->wanted = wanted;
	crowd->on_done = on_done;
}

static void
connect_again(struct client *client)
{
	client_close(client);
	if (client->crowd->begun == client->crowd->wanted)
		return;
	client_open(client);
	client_begin(client, EXCHANGE_ECHO, 0);
}

static void
do_conns(struct crowd *crowd, uint64_t count)
{
	uint64_t begin;

	wait_for_go();
	begin = now_ns();
	start(crowd, count, connect_again);
	for (size_t i = 0; i < crowd->count && crowd->begun < count; i++) {
		client_open(&crowd->clients[i]);
		client_begin(&crowd->clients[i], EXCHANGE_ECHO, 0);
	}
	crowd_until(crowd, count);
	printf("{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n", count, now_ns() - begin);
}

static void
request_again(struct client *client)
{
	if (client->crowd->begun < client->crowd->wanted)
		client_begin(client, EXCHANGE_ECHO, 0);
}

static void
do_requests(struct crowd *crowd, uint64_t count)
{
	uint64_t begin;

	open_up_to(crowd, 0, crowd->count);
	wait_for_go();
	begin = now_ns();
	start(crowd, count, request_again);
	for (size_t i = 0; i < crowd->count && crowd->begun < count; i++)
		client_begin(&crowd->clients[i], EXCHANGE_ECHO, 0);
	crowd_until(crowd, count);
	printf("{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n", count, now_ns() - begin);
}

static void
do_bytes(struct crowd *crowd, enum exchange kind, uint64_t bytes)
{
	uint64_t each = bytes / crowd->count;
	uint64_t begin;

	if (each == 0)
		die("BYTES: less than one a connection");
	open_up_to(crowd, 0, crowd->count);
	wait_for_go();
	begin = now_ns();
	start(crowd, crowd->count, do_nothing);
	for (size_t i = 0; i < crowd->count; i++)
		client_begin(&crowd->clients[i], kind, each);
	crowd_until(crowd, crowd->count);
	printf("{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n", each * crowd->count,
	       now_ns() - begin);
}

static void
do_rate(struct crowd *crowd, uint64_t per_second, uint64_t seconds)
{
	struct rate rate;

	open_up_to(crowd, 0, crowd->count);
	wait_for_go();
	rate_run(crowd, per_second, seconds, &rate);
	printf("{\"count\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64
	       ",\"p999_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 "}\n",
	       rate.count, rate.p50_ns, rate.p99_ns, rate.p999_ns, rate.max_ns);
}

/* Each count is how many are open then, not how many more. */
static void
do_idle(struct crowd *crowd, char **counts, size_t count)
{
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		size_t to = number_of("CONNECTIONS", counts[i], open, crowd->count);

		wait_for_go();
		open_up_to(crowd, open, to);
		open = to;
		printf("{\"count\":%zu}\n", open);
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	static struct crowd crowd;
	const char *mode = argc > 1 ? argv[1] : "";
	bool idle = strcmp(mode, "idle") == 0;
	bool rate = strcmp(mode, "rate") == 0;
	uint64_t count;
	size_t connections;

	if (idle ? argc < 4 : argc != (rate ? 6 : 5))
		die("%s", usage);
	raise_descriptor_limit();
	count = idle ? 1 : number_of("COUNT", argv[3], 1, UINT64_C(1) << 40);
	connections = number_of("CONNECTIONS", idle ? argv[argc - 1] : argv[4], 1, MAX_CONNECTIONS);
	crowd_init(&crowd, (uint16_t)number_of("PORT", argv[2], 1, 65535), connections);
	if (idle)
		do_idle(&crowd, argv + 3, (size_t)argc - 3);
	else if (rate)
		do_rate(&crowd, count, number_of("SECONDS", argv[5], 1, 3600));
	else if (strcmp(mode, "conns") == 0)
		do_conns(&crowd, count);
	else if (strcmp(mode, "requests") == 0)
		do_requests(&crowd, count);
	else if (strcmp(mode, "upload") == 0)
		do_bytes(&crowd, EXCHANGE_UPLOAD, count);
	else if (strcmp(mode, "download") == 0)
		do_bytes(&crowd, EXCHANGE_DOWNLOAD, count);
	else
		die("%s", usage);
	finish(&crowd);
	return 0;
}
