/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: sockets with or without TLS, seen alike.  Steps return what happened; this file never
 * waits, never retries on its own, and knows no deadlines.
 */
#include "base/stream/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/stream/stream_internal.h"

/* The largest write that may be kept whole; owners stop far below (see stream.h). */
#define KEPT_OUT_MAX (8u * 1024 * 1024)
/* RFC 8446 section 5.1; reading from TLS needs room for one. */
#define RECORD_LEN (16u * 1024)
/*
 * Records without data are legal (RFC 8446 section 4.6: tickets, key updates) and cost as much as those
 * with it.  Who sends nothing else is not using the connection.
 */
#define BARREN_MAX (32u * 1024)
/* Handshake flights are small; more would only have to be kept. */
#define HANDSHAKE_RECV (16u * 1024)

/*
 * Pages of their own: freed in the common heap, an area of this size would stay there, and teach malloc
 * to keep as much from then on.
 */
int
seal_staging_new(struct seal_staging **ret_staging, struct seal_err *err)
{
	void *pages = mmap(NULL, sizeof(struct seal_staging), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return seal_fail_errno(err, errno, "no memory for streams");
	*ret_staging = pages; /* all zero */
	return 0;
}

void
seal_staging_free(struct seal_staging *staging)
{
	if (staging == NULL)
		return;
	OPENSSL_cleanse(staging, sizeof(*staging)); /* other people's bytes have passed here */
	(void)munmap(staging, sizeof(*staging));    /* fails for no whole mapping */
}

size_t
seal_staging_kept(const struct seal_staging *staging)
{
	return staging->kept;
}

void
seal_staging_set_limit(struct seal_staging *staging, uint64_t limit)
{
	staging->limit = limit;
}

size_t
seal_staging_room(const struct seal_staging *staging)
{
	bool is_short = staging->limit != 0 && staging->kept >= staging->limit;

	return is_short ? RECORD_LEN : SEAL_STAGING_LEN;
}

uint8_t *
seal_staging_plain(struct seal_staging *staging)
{
	return staging->plain;
}

int
seal_stream_new(struct seal_stream **ret_stream, int fd, struct seal_staging *staging,
		struct seal_err *err)
{
	struct seal_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return seal_fail_memory(err);
	stream->fd = fd;
	stream->staging = staging;
	seal_bytes_init(&stream->kept_in, SEAL_STAGING_LEN);
	seal_bytes_init(&stream->kept_out, KEPT_OUT_MAX);
	*ret_stream = stream;
	return 0;
}

int
seal_stream_new_tls(struct seal_stream **ret_stream, int fd, struct seal_staging *staging,
		    struct seal_tls *tls, const struct seal_tls_session_config *config,
		    struct seal_err *err)
{
	struct seal_stream *stream = NULL;
	void *ssl = NULL;
	BIO *bio = NULL;
	int r;

	r = seal_stream_new(&stream, -1, staging, err);
	if (r < 0)
		return r;
	r = seal_stream_bio(&bio, stream, err);
	if (r == 0)
		r = seal_tls_session(&ssl, tls, config, err);
	if (r < 0) {
		BIO_free(bio);
		seal_stream_free(stream, false);
		return r;
	}
	SSL_set_bio(ssl, bio, bio);
	stream->ssl = ssl;
	stream->fd = fd;
	stream->reach = RECORD_LEN;
	*ret_stream = stream;
	return 0;
}

void
seal_stream_free(struct seal_stream *stream, bool reset)
{
	const struct linger abort_now = { .l_onoff = 1, .l_linger = 0 };

	if (stream == NULL)
		return;
	SSL_free(stream->ssl);
	if (stream->fd >= 0) {
		if (reset)
			(void)setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &abort_now,
					 sizeof(abort_now)); /* a unix socket just closes */
		(void)close(stream->fd);
	}
	stream->staging->kept -= stream->kept_in.len + stream->kept_out.len;
	seal_bytes_release(&stream->kept_in);
	seal_bytes_release(&stream->kept_out);
	free(stream->alpn);
	free(stream);
}

int
seal_stream_fd(const struct seal_stream *stream)
{
	return stream->fd;
}

bool
seal_stream_is_tls(const struct seal_stream *stream)
{
	return stream->ssl != NULL;
}

size_t
seal_stream_unsent(const struct seal_stream *stream)
{
	return stream->held ? 0 : stream->kept_out.len - stream->kept_out_at;
}

void
seal_stream_hold(struct seal_stream *stream)
{
	stream->holds = true;
}

bool
seal_stream_owes(const struct seal_stream *stream)
{
	return stream->held && SSL_is_server(stream->ssl) == 0;
}

bool
seal_stream_pending(const struct seal_stream *stream)
{
	return stream->more || stream->kept_in.len > 0 ||
	       (stream->ssl != NULL && SSL_pending(stream->ssl) > 0);
}

bool
seal_stream_may_have_more(const struct seal_stream *stream)
{
	return stream->filled;
}

/* How many of len bytes the kernel took; negative when the socket is broken. */
static ssize_t
send_some(int fd, const uint8_t *data, size_t len, struct seal_err *err)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t n = send(fd, data + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return seal_fail_errno(err, errno, "send");
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}

static int
keep(struct seal_stream *stream, struct seal_bytes *kept, const uint8_t *data, size_t len,
     struct seal_err *err)
{
	int r = seal_bytes_append(kept, data, len, err);

	if (r == 0)
		stream->staging->kept += len;
	return r;
}

/* Send what is kept, as far as the kernel takes it. */
static int
send_kept(struct seal_stream *stream, struct seal_err *err)
{
	size_t left = stream->kept_out.len - stream->kept_out_at;
	ssize_t sent =
		send_some(stream->fd, stream->kept_out.data + stream->kept_out_at, left, err);

	if (sent < 0)
		return (int)sent;
	stream->held = false;
	stream->kept_out_at += (size_t)sent;
	if ((size_t)sent == left) {
		stream->staging->kept -= stream->kept_out.len;
		seal_bytes_release(&stream->kept_out);
		stream->kept_out_at = 0;
	}
	return 0;
}

int
seal_stream_send(struct seal_stream *stream, const void *data, size_t len, struct seal_err *err)
{
	ssize_t sent = 0;
	int r;

	if (len == 0)
		return 0;
	if (stream->held) {
		r = keep(stream, &stream->kept_out, data, len, err);
		return r < 0 ? r : send_kept(stream, err);
	}
	if (seal_stream_unsent(stream) == 0) {
		sent = send_some(stream->fd, data, len, err);
		if (sent < 0)
			return (int)sent;
	}
	if ((size_t)sent == len)
		return 0;
	return keep(stream, &stream->kept_out, (const uint8_t *)data + sent, len - (size_t)sent,
		    err);
}

/* Our direction ends: nothing of ours is kept any more. */
static int
finish(struct seal_stream *stream, struct seal_err *err)
{
	if (!stream->ending || stream->ended)
		return 0;
	stream->ended = true;
	if (!stream->last && shutdown(stream->fd, SHUT_WR) < 0 && errno != ENOTCONN)
		return seal_fail_errno(err, errno, "shutdown");
	return 0;
}

enum seal_io
seal_stream_flush(struct seal_stream *stream, struct seal_err *err)
{
	if (stream->kept_out.len > 0 && send_kept(stream, err) < 0)
		return SEAL_IO_FAIL;
	if (seal_stream_unsent(stream) > 0)
		return SEAL_IO_WRITE;
	return finish(stream, err) < 0 ? SEAL_IO_FAIL : SEAL_IO_DONE;
}

/* Every call that may touch the session is framed by these two. */
static void
enter(struct seal_stream *stream, size_t recv_room)
{
	stream->recv_room = recv_room < SEAL_STAGING_LEN ? recv_room : SEAL_STAGING_LEN;
	stream->would_block = false;
	if (ERR_peek_error() != 0) /* looking is cheaper than clearing */
		ERR_clear_error();
}

/* Leave the staging areas empty: keep what was received and not consumed, send what was written. */
static int
leave(struct seal_stream *stream, struct seal_err *err)
{
	struct seal_staging *staging = stream->staging;
	size_t unread = staging->in_len - staging->in_at;
	size_t written = staging->out_len;
	int r = 0;

	if (unread > 0)
		r = keep(stream, &stream->kept_in, staging->in + staging->in_at, unread, err);
	staging->in_at = 0;
	staging->in_len = 0;
	staging->out_len = 0;
	if (r == 0)
		r = seal_stream_send(stream, staging->out, written, err);
	return r;
}

/* The same at the end of a handshake, sending nothing yet. */
static int
hold(struct seal_stream *stream, struct seal_err *err)
{
	size_t written = stream->staging->out_len;
	int r = keep(stream, &stream->kept_out, stream->staging->out, written, err);

	stream->staging->out_len = 0;
	stream->held = written > 0;
	return r < 0 ? r : leave(stream, err);
}

/* Why a session failed: the verifier's sentence, the socket's, or the library's. */
static enum seal_io
fail_tls(struct seal_stream *stream, const char *what, struct seal_err *err)
{
	struct seal_err verdict = seal_tls_verdict(stream->ssl);

	if (verdict.code != 0)
		(void)seal_fail(err, (enum seal_code)verdict.code, "%s", verdict.text);
	else if (stream->recv_errno != 0)
		(void)seal_fail_errno(err, stream->recv_errno, "%s", what);
	else if (stream->eof)
		(void)seal_fail(err, SEAL_E_CLOSED, "%s: the peer closed the connection early",
				what);
	else
		(void)seal_fail_ssl(err, "%s", what);
	ERR_clear_error();
	return SEAL_IO_FAIL;
}

enum seal_io
seal_stream_handshake(struct seal_stream *stream, struct seal_err *err)
{
	enum seal_io io = SEAL_IO_DONE;
	int done;

	if (stream->ssl == NULL)
		return SEAL_IO_DONE;
	io = seal_stream_flush(stream, err);
	if (io != SEAL_IO_DONE)
		return io;
	enter(stream, HANDSHAKE_RECV);
	done = SSL_do_handshake(stream->ssl);
	if (done != 1 && SSL_get_error(stream->ssl, done) != SSL_ERROR_WANT_READ)
		io = fail_tls(stream, "TLS handshake", err);
	else if (done != 1)
		io = SEAL_IO_READ;
	else if (seal_tls_finish(stream->ssl, err) < 0)
		io = SEAL_IO_FAIL;
	stream->barren = 0;
	stream->filled = !stream->drained;
	if (io == SEAL_IO_DONE && stream->holds && SSL_version(stream->ssl) == TLS1_3_VERSION)
		return hold(stream, err) < 0 ? SEAL_IO_FAIL : SEAL_IO_DONE;
	/* After a failure too: the alert has to go out. */
	if (leave(stream, io == SEAL_IO_FAIL ? NULL : err) < 0)
		return SEAL_IO_FAIL;
	if (io == SEAL_IO_READ && seal_stream_unsent(stream) > 0)
		return SEAL_IO_WRITE;
	return io;
}

const struct seal_peer *
seal_stream_peer(const struct seal_stream *stream)
{
	return stream->ssl == NULL ? NULL : seal_tls_peer(stream->ssl);
}

void
seal_stream_facts(struct seal_stream *stream, struct seal_tls_facts *ret_facts)
{
	const char *alpn = NULL;
	size_t len = 0;

	*ret_facts = (struct seal_tls_facts){
		.version = "", .cipher = "", .alpn = "", .server_name = ""
	};
	if (stream->ssl == NULL)
		return;
	seal_tls_facts(stream->ssl, ret_facts, &alpn, &len);
	if (stream->alpn == NULL && len > 0)
		stream->alpn = seal_strndup(alpn, len);
	if (stream->alpn != NULL)
		ret_facts->alpn = stream->alpn;
}

void
seal_stream_settle(struct seal_stream *stream)
{
	free(stream->alpn);
	stream->alpn = NULL;
	if (stream->ssl != NULL)
		seal_tls_settle(stream->ssl);
}

static enum seal_io
read_plain(struct seal_stream *stream, uint8_t *buf, size_t cap, size_t *ret_len,
	   struct seal_err *err)
{
	ssize_t got;

	do {
		got = recv(stream->fd, buf, cap, 0);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*ret_len = (size_t)got;
		return SEAL_IO_DONE;
	}
	if (got == 0)
		return SEAL_IO_EOF;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return SEAL_IO_READ;
	(void)seal_fail_errno(err, errno, "receive");
	return SEAL_IO_FAIL;
}

/* The next read may receive twice the data that this one brought, but at least a record. */
static void
adapt(struct seal_stream *stream, size_t data)
{
	stream->filled = data > 0 && stream->barren >= stream->reach;
	if (data > 0)
		stream->barren = 0;
	if (data > 0)
		stream->reach = data < RECORD_LEN / 2 ? RECORD_LEN : 2 * data;
}

/* True when asking the session for more would only have it ask the socket, in vain. */
static bool
is_used_up(const struct seal_stream *stream)
{
	return stream->recv_room == 0 && stream->staging->in_at == stream->staging->in_len &&
	       stream->kept_in.len == 0 && SSL_pending(stream->ssl) == 0;
}

/* Decrypt all that is at hand.  Bytes that came before an end or a failure are delivered first. */
static enum seal_io
read_records(struct seal_stream *stream, uint8_t *buf, size_t cap, size_t *ret_len,
	     struct seal_err *err)
{
	size_t total = 0;
	size_t got = 0;
	int why = SSL_ERROR_NONE;

	while (total < cap && why == SSL_ERROR_NONE) {
		if (SSL_read_ex(stream->ssl, buf + total, cap - total, &got) != 1) {
			why = SSL_get_error(stream->ssl, 0);
			break;
		}
		total += got;
		if (is_used_up(stream))
			why = SSL_ERROR_WANT_READ;
	}
	adapt(stream, total);
	stream->more = total > 0 && why != SSL_ERROR_WANT_READ;
	if (total > 0) {
		*ret_len = total;
		return SEAL_IO_DONE;
	}
	if (why == SSL_ERROR_WANT_READ && stream->barren > BARREN_MAX) {
		(void)seal_fail(err, SEAL_E_LIMIT, "the peer sends records without data");
		return SEAL_IO_FAIL;
	}
	if (why == SSL_ERROR_WANT_READ)
		return SEAL_IO_READ;
	if (why == SSL_ERROR_ZERO_RETURN)
		return SEAL_IO_EOF;
	return fail_tls(stream, "TLS", err);
}

enum seal_io
seal_stream_read(struct seal_stream *stream, uint8_t *buf, size_t cap, size_t *ret_len,
		 struct seal_err *err)
{
	size_t cap_recv = cap < stream->reach ? cap : stream->reach;
	enum seal_io io;

	if (stream->ssl == NULL)
		return read_plain(stream, buf, cap, ret_len, err);
	/* What is kept is all there was: another recv would find nothing.  Once, for more will come. */
	if (stream->kept_in.len > 0 && stream->drained)
		cap_recv = 0;
	stream->drained = false;
	enter(stream, cap_recv);
	io = read_records(stream, buf, cap, ret_len, err);
	if (leave(stream, io == SEAL_IO_FAIL ? NULL : err) < 0)
		return SEAL_IO_FAIL;
	return io;
}

enum seal_io
seal_stream_write(struct seal_stream *stream, const void *data, size_t len, struct seal_err *err)
{
	size_t written = 0;
	int r = 0;

	if (len == 0)
		return seal_stream_unsent(stream) > 0 ? SEAL_IO_WRITE : SEAL_IO_DONE;
	if (stream->ssl == NULL) {
		r = seal_stream_send(stream, data, len, err);
	} else {
		enter(stream, 0);
		if (SSL_write_ex(stream->ssl, data, len, &written) != 1 || written != len) {
			(void)leave(stream, NULL); /* the failure at hand is the one to tell */
			return fail_tls(stream, "TLS", err);
		}
		r = leave(stream, err);
	}
	if (r < 0)
		return SEAL_IO_FAIL;
	return seal_stream_unsent(stream) > 0 ? SEAL_IO_WRITE : SEAL_IO_DONE;
}

enum seal_io
seal_stream_end(struct seal_stream *stream, bool last, struct seal_err *err)
{
	if (!stream->ending) {
		stream->ending = true;
		stream->last = last;
		if (stream->ssl != NULL) {
			enter(stream, 0);
			/* 0: sent, the peer's own close_notify is still to come. */
			if (SSL_shutdown(stream->ssl) < 0) {
				(void)leave(stream, NULL); /* see seal_stream_write */
				return fail_tls(stream, "TLS close", err);
			}
			if (leave(stream, err) < 0)
				return SEAL_IO_FAIL;
		}
	}
	return seal_stream_flush(stream, err);
}
