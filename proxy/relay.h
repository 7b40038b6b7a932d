/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_RELAY_H
#define SEAL_PROXY_RELAY_H

/*
 * Bytes between two streams, both ways.  Nothing is buffered here: bytes go through the thread's
 * staging area, and one side is not read while the other still holds unsent bytes.  The end of one
 * direction is passed on behind its last byte while the other direction goes on.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/stream/stream.h"

/* What one connection may move per direction before the others have their turn. */
#define PROXY_TURN_MAX SEAL_STAGING_LEN

/* The direction numbered i reads from the side numbered i and writes to the other. */
struct proxy_way {
	uint64_t bytes;
	bool ready;       /* the side may have something to read: set by the owner, cleared here */
	bool read_to_end; /* the side has ended its direction */
	bool passed_on;   /* and the other side has been told, behind the last byte */
	bool wants_write; /* reading waits for the side to become writable (TLS) */
};

struct proxy_relay {
	struct seal_stream *sides[2]; /* borrowed */
	struct proxy_way ways[2];
};

enum proxy_relay_result {
	PROXY_RELAY_WAIT,  /* until a wanted readiness */
	PROXY_RELAY_AGAIN, /* bytes are at hand that no readiness will announce */
	PROXY_RELAY_EOF,   /* both sides have ended, unsent bytes remain */
	PROXY_RELAY_DONE,  /* both ends are passed on */
	PROXY_RELAY_FAIL,  /* one side broke; err says which and why */
};

/*
 * Move what can be moved within one turn.  Only ways that are ready, or have bytes at hand already, are
 * read: asking a socket that has nothing costs as much as one that has.  *ret_moved tells whether anything
 * was.
 */
enum proxy_relay_result proxy_relay_turn(struct proxy_relay *relay, struct seal_staging *staging,
					 bool *ret_moved, struct seal_err *err);
/* What to wait for on a side. */
void proxy_relay_wants(const struct proxy_relay *relay, unsigned side, bool *ret_readable,
		       bool *ret_writable);

#endif
