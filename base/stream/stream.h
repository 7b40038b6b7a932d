/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_STREAM_H
#define SEAL_BASE_STREAM_H

/*
 * A duplex stream over a connected socket, plain or TLS alike.  It never blocks and never decides:
 * steps return what happened, the owner watches the descriptor and owns the deadlines.
 *
 * Bytes pass through staging areas that all streams of a thread share, so a stream at rest holds no
 * buffer.  Reading returns what is at hand; writing takes everything, sends what the kernel takes
 * and keeps the rest.  Back-pressure is therefore one rule for the owner: do not read from one side
 * while seal_stream_unsent of the other side is not zero.  What a stream keeps is bounded by the
 * largest single write plus one staging area.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/tls/tls.h"

#define SEAL_STAGING_LEN (256u * 1024)

/* The shared areas of one thread. */
struct seal_staging;
SEAL_CHECKED int seal_staging_new(struct seal_staging **ret_staging, struct seal_err *err);
void seal_staging_free(struct seal_staging *staging);
/* Bytes that all streams on this staging hold for slow readers. */
size_t seal_staging_kept(const struct seal_staging *staging);
/*
 * What they may hold in all before each is held to a single record (16 KiB) per read: slow readers then
 * share what there is.  0: no limit.
 */
void seal_staging_set_limit(struct seal_staging *staging, uint64_t limit);
/* How much to read at once now: the area's length, or a record's. */
size_t seal_staging_room(const struct seal_staging *staging);
/* The area for plain bytes, SEAL_STAGING_LEN long: free for the owner's use within one turn. */
uint8_t *seal_staging_plain(struct seal_staging *staging);

enum seal_io {
	SEAL_IO_DONE,  /* progress was made */
	SEAL_IO_READ,  /* nothing now: wait until readable */
	SEAL_IO_WRITE, /* nothing now: wait until writable */
	SEAL_IO_EOF,   /* the other side has properly ended its direction */
	SEAL_IO_FAIL,  /* broken; err says why */
};

struct seal_stream;

/* A plain stream; takes over fd on success. */
SEAL_CHECKED int seal_stream_new(struct seal_stream **ret_stream, int fd,
				 struct seal_staging *staging, struct seal_err *err);
/*
 * A TLS stream, before its handshake; takes over fd on success.  What config points to is borrowed for
 * the call, its arg for the handshake.
 */
SEAL_CHECKED int seal_stream_new_tls(struct seal_stream **ret_stream, int fd,
				     struct seal_staging *staging, struct seal_tls *tls,
				     const struct seal_tls_session_config *config,
				     struct seal_err *err);
/* Closes the socket and wipes.  With reset, the peer sees a TCP reset instead of an orderly end. */
void seal_stream_free(struct seal_stream *stream, bool reset);

int seal_stream_fd(const struct seal_stream *stream);
bool seal_stream_is_tls(const struct seal_stream *stream);

/* Drive the handshake: DONE, READ, WRITE or FAIL (err holds the verifier's sentence if it refused). */
enum seal_io seal_stream_handshake(struct seal_stream *stream, struct seal_err *err);
/* After the handshake: who it is, by this handshake or the one resumed (empty name: no peer). */
const struct seal_peer *seal_stream_peer(const struct seal_stream *stream);
/*
 * Before the handshake: what its end leaves to be sent (TLS 1.3: a client's Finished, a server's tickets)
 * is held, to go with what is written next: one segment, one system call, one wake of the peer.  It does
 * not count as unsent.  A client has to flush when it has nothing to write, for the peer waits (owes);
 * a server's tickets have time.
 */
void seal_stream_hold(struct seal_stream *stream);
bool seal_stream_owes(const struct seal_stream *stream);
void seal_stream_facts(struct seal_stream *stream, struct seal_tls_facts *ret_facts);
/* The handshake is over and admitted or refused: let go of what only it needed (facts, peer). */
void seal_stream_settle(struct seal_stream *stream);

/*
 * Read up to cap bytes (at least 16 KiB of room for TLS).  DONE with *ret_len > 0, READ, EOF, or
 * FAIL.  A TLS peer that closes the socket without close_notify is FAIL: cut off, not ended.
 */
enum seal_io seal_stream_read(struct seal_stream *stream, uint8_t *buf, size_t cap, size_t *ret_len,
			      struct seal_err *err);
/* True when bytes, an end or a failure are already at hand that no readable event will announce. */
bool seal_stream_pending(const struct seal_stream *stream);

/* True when the last read, or step of the handshake, may not have emptied the socket. */
bool seal_stream_may_have_more(const struct seal_stream *stream);

/* Take all len bytes: DONE when all are sent, WRITE when some are kept, or FAIL. */
enum seal_io seal_stream_write(struct seal_stream *stream, const void *data, size_t len,
			       struct seal_err *err);
/* Send what is kept: DONE when nothing is left, WRITE, or FAIL. */
enum seal_io seal_stream_flush(struct seal_stream *stream, struct seal_err *err);
size_t seal_stream_unsent(const struct seal_stream *stream);

/*
 * End our direction, after what is kept: close_notify for TLS, then shutdown.  DONE, WRITE, FAIL.  With
 * last, nothing more is to come from the other side either, and the owner will free the stream at once:
 * that ends the socket as well.
 */
enum seal_io seal_stream_end(struct seal_stream *stream, bool last, struct seal_err *err);

#endif
