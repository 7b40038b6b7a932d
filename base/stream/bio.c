/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BIO beneath a TLS stream.  Reading serves what is kept, then what this call received, and
 * receives once per call; writing gathers records in the staging area, so that many records leave
 * with one system call.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/stream/stream_internal.h"

static size_t
take(uint8_t *out, size_t room, const uint8_t *from, size_t *at, size_t len)
{
	size_t some = len - *at < room ? len - *at : room;

	memcpy(out, from + *at, some);
	*at += some;
	return some;
}

/* One recv per call of the stream's interface: a busy peer cannot hold the thread. */
static void
receive(struct seal_stream *stream)
{
	struct seal_staging *staging = stream->staging;
	ssize_t got;

	do {
		got = recv(stream->fd, staging->in, stream->recv_room, 0);
	} while (got < 0 && errno == EINTR);
	stream->drained = got < (ssize_t)stream->recv_room;
	stream->recv_room = 0;
	staging->in_at = 0;
	staging->in_len = got > 0 ? (size_t)got : 0;
	stream->barren += staging->in_len;
	if (got == 0)
		stream->eof = true;
	else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		stream->would_block = true;
	else if (got < 0)
		stream->recv_errno = errno;
}

static int
bio_read(BIO *bio, char *out, size_t room, size_t *ret_len)
{
	struct seal_stream *stream = BIO_get_data(bio);
	struct seal_staging *staging = stream->staging;

	BIO_clear_retry_flags(bio);
	if (stream->kept_in.len > 0) {
		*ret_len = take((uint8_t *)out, room, stream->kept_in.data, &stream->kept_in_at,
				stream->kept_in.len);
		if (stream->kept_in_at == stream->kept_in.len) {
			staging->kept -= stream->kept_in.len;
			seal_bytes_release(&stream->kept_in);
			stream->kept_in_at = 0;
		}
		return 1;
	}
	if (staging->in_at == staging->in_len && stream->recv_room > 0)
		receive(stream);
	if (staging->in_at < staging->in_len) {
		*ret_len =
			take((uint8_t *)out, room, staging->in, &staging->in_at, staging->in_len);
		return 1;
	}
	*ret_len = 0;
	if (!stream->eof && stream->recv_errno == 0)
		BIO_set_retry_read(bio);
	return 0;
}

static int
bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
	struct seal_stream *stream = BIO_get_data(bio);
	struct seal_staging *staging = stream->staging;

	BIO_clear_retry_flags(bio);
	if (len > sizeof(staging->out) - staging->out_len) {
		size_t ready = staging->out_len;

		staging->out_len = 0;
		if (seal_stream_send(stream, staging->out, ready, NULL) < 0)
			return 0;
	}
	if (len > sizeof(staging->out)) /* records are 16 KiB; nothing honest gets here */
		return 0;
	memcpy(staging->out + staging->out_len, data, len);
	staging->out_len += len;
	*ret_len = len;
	return 1;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct seal_stream *stream = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return stream->eof ? 1 : 0;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void
make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "seal stream");
	if (method == NULL)
		return;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

int
seal_stream_bio(BIO **ret_bio, struct seal_stream *stream, struct seal_err *err)
{
	BIO *bio;

	if (CRYPTO_THREAD_run_once(&once, make_method) != 1 || method == NULL)
		return seal_fail_ssl(err, "cannot prepare streams");
	bio = BIO_new(method);
	if (bio == NULL)
		return seal_fail_memory(err);
	BIO_set_data(bio, stream);
	BIO_set_init(bio, 1);
	*ret_bio = bio;
	return 0;
}
