/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BENCH_CLIENT_H
#define SEAL_BENCH_CLIENT_H

/*
 * The load's connections: each does one exchange after another, and whatever is refused, short or
 * wrong ends the program.
 */

#include "tests/bench/traffic.h"

struct crowd;

struct client {
	struct crowd *crowd;
	int fd;
	bool busy;
	struct message exchange;
	uint64_t to_send;
	uint64_t sent;
	uint64_t to_receive;
	uint64_t received;
	uint8_t answer[MESSAGE_LEN];
};

/* Called when an exchange is over; may begin the next or close the client. */
typedef void (*client_done_fn)(struct client *client);

/* Clients and the one who waits for them. */
struct crowd {
	uint16_t port;
	int epoll;
	struct client *clients;
	size_t count;
	uint64_t exchanges; /* over, in all */
	uint64_t begun;     /* of the present task, for its client_done_fn */
	uint64_t wanted;
	client_done_fn on_done;
	uint8_t buffer[CHUNK];
};

void crowd_init(struct crowd *crowd, uint16_t port, size_t count);
/* Let those ready have their turns; waits at most so long, -1 for ever. */
void crowd_turn(struct crowd *crowd, int timeout_ms);
/* Turns until so many exchanges are over. */
void crowd_until(struct crowd *crowd, uint64_t exchanges);
/* Are all open clients silent and still connected? */
bool crowd_is_quiet(const struct crowd *crowd);

void client_open(struct client *client);
void client_close(struct client *client);
/* On an open client without an exchange. */
void client_begin(struct client *client, enum exchange kind, uint64_t bytes);

#endif
