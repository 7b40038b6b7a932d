/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_STREAM_INTERNAL_H
#define SEAL_BASE_STREAM_INTERNAL_H

/*
 * What stream.c and bio.c share.
 *
 *             recv                  SSL_read
 *   socket ─────────▶ staging.in ─────────────▶ the caller's buffer
 *             send                  SSL_write
 *   socket ◀───────── staging.out ◀──────────── the caller's bytes
 *
 * The staging areas belong to no stream between two calls: what is left over at the end of a call is
 * copied to the stream (kept_in, kept_out) and sent or consumed first next time.
 */

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "base/bytes/bytes.h"
#include "base/stream/stream.h"
#include "base/tls/tls_internal.h"

/*
 * Bytes are copied between these areas and the library's record buffers, which begin with a page (see
 * base/secret/slots.c).  Where a copy's target lies in its page up to 16 bytes behind the place of its
 * source, AMD's processors take 25 times as long ("rep movsb", which the C library uses from 8 KiB on
 * some of them): 0.3 s/GiB.  So each area begins somewhere else in its page.
 */
#define SEAL_STAGING_APART 1024u
/* The output of a full area of plain bytes in full records: 22 bytes more each (RFC 8446 section 5.2). */
#define SEAL_STAGING_OUT (SEAL_STAGING_LEN + 1024u)

struct seal_staging {
	uint8_t apart[SEAL_STAGING_APART];
	uint8_t plain[SEAL_STAGING_LEN];
	uint8_t apart_too[SEAL_STAGING_APART];
	uint8_t in[SEAL_STAGING_LEN];
	uint8_t apart_again[SEAL_STAGING_APART];
	uint8_t out[SEAL_STAGING_OUT];
	size_t in_at;
	size_t in_len;
	size_t out_len;
	uint64_t limit; /* of kept; 0: none */
	size_t kept;    /* by all streams */
};

struct seal_stream {
	int fd;
	SSL *ssl; /* NULL: plain */
	struct seal_staging *staging;
	struct seal_bytes kept_in; /* received, not yet decrypted */
	size_t kept_in_at;
	struct seal_bytes kept_out; /* ready to send, not yet taken by the kernel */
	size_t kept_out_at;
	char *alpn;       /* for who asks; NULL: not asked */
	size_t recv_room; /* what this call may still receive; 0: nothing */
	size_t barren;    /* bytes received since the last that carried data */
	size_t reach;     /* how much a read may receive: more as long as it is data that comes */
	bool filled;      /* the last read received all it might: there may be more */
	bool drained;     /* the last recv emptied the socket */
	bool holds;       /* what the handshake leaves goes with the first bytes */
	bool held;        /* and there it is, in kept_out */
	int recv_errno;   /* why the socket broke */
	bool eof;         /* the socket ended */
	bool would_block; /* the socket had nothing */
	bool more;        /* behind the bytes last read came an end or a failure, not yet told */
	bool ending;      /* our direction ends once kept_out is sent */
	bool last;        /* and with it the socket: no need to say so */
	bool ended;
};

/* A BIO that moves bytes between the session and the staging areas; it never fails for want of room. */
SEAL_CHECKED int seal_stream_bio(BIO **ret_bio, struct seal_stream *stream, struct seal_err *err);

/* Send data, keeping what the kernel does not take.  Fails only when the socket is broken. */
SEAL_CHECKED int seal_stream_send(struct seal_stream *stream, const void *data, size_t len,
				  struct seal_err *err);

#endif
