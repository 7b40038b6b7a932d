/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_RACE_H
#define SEAL_PROXY_RACE_H

/*
 * Several addresses of one target are connected to, the next one a moment after the last, as RFC 8305
 * section 5 has it: the first that answers wins.  Time is the caller's: it says when to go on.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"

struct proxy_race;

/* Of an attempt the outcome is known: proxy_race_is_won, or it is time to go on.  May end or free the race. */
typedef void (*proxy_race_fn)(void *arg);

struct proxy_attempt {
	struct proxy_race *race;
	int fd; /* -1: not under way */
	struct seal_watch *watch;
};

/* Part of a dial.  Only addresses may be set from outside, while nothing is under way. */
struct proxy_race {
	struct seal_loop *loop;
	proxy_race_fn fn;
	void *arg;
	struct seal_err *why; /* borrowed: of the last failure */
	struct seal_addresses addresses;
	uint64_t next_ms;
	unsigned begun;                                  /* addresses tried */
	unsigned under_way;                              /* attempts */
	struct proxy_attempt *winner;                    /* NULL: nobody yet */
	struct proxy_attempt attempts[SEAL_RESOLVE_MAX]; /* by address; only those begun are set */
};

void proxy_race_init(struct proxy_race *race, struct seal_loop *loop, proxy_race_fn fn, void *arg,
		     struct seal_err *why);
/* Nothing is under way any more, and the next race is another one. */
void proxy_race_end(struct proxy_race *race);

/* Begin with the next address, if there is one.  False when nothing is under way then. */
bool proxy_race_on(struct proxy_race *race);
/* When to go on though nothing is known; UINT64_MAX when no address is left. */
uint64_t proxy_race_next_ms(const struct proxy_race *race);

bool proxy_race_is_won(const struct proxy_race *race);
/* The winner's descriptor, now the caller's, and its address. */
int proxy_race_take(struct proxy_race *race, char address[static SEAL_ADDR_TEXT_MAX]);
/* One address that has not answered, if there is any: which of several does not matter. */
void proxy_race_format_silent(const struct proxy_race *race, char text[static SEAL_ADDR_TEXT_MAX]);

/*
 * A port of our own that nobody listens on may be the one that the kernel gives to the socket itself,
 * which then connects to itself (simultaneous open, RFC 9293 section 3.5): that is no answer.
 */
bool proxy_race_is_reflection(int fd, const struct sockaddr_storage *remote);

#endif
