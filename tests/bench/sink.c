/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench-sink PORT: the application at the far end of a chain.  Answers every exchange, checks every
 * byte, and ends with 1 at the first that is wrong.  Each line on standard input is answered with the
 * number of messages served so far; its end ends the program.
 *
 * A connection that breaks off is no failure here: whether it should have is the load's judgement.
 */

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/traffic.h"

struct guest {
	int fd;
	uint8_t message[MESSAGE_LEN];
	size_t message_len; /* how much of it has come */
	struct message exchange;
	uint64_t upload_left;
	uint64_t answer_len;
	uint64_t answered;
};

struct sink {
	int epoll;
	int listener;
	uint64_t served;
	uint8_t buffer[CHUNK];
};

static void
watch(struct sink *sink, int fd, void *of)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };

	event.data.ptr = of;
	if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll: %m");
}

static void
begin_answer(struct sink *sink, struct guest *guest)
{
	guest->answer_len =
		guest->exchange.kind == EXCHANGE_DOWNLOAD ? guest->exchange.bytes : MESSAGE_LEN;
	guest->answered = 0;
	guest->message_len = 0;
	sink->served++;
}

static void
take_message(struct sink *sink, struct guest *guest)
{
	if (!message_read(&guest->exchange, guest->message))
		die("not a message");
	guest->upload_left = guest->exchange.kind == EXCHANGE_UPLOAD ? guest->exchange.bytes : 0;
	if (guest->upload_left == 0)
		begin_answer(sink, guest);
}

static void
take_upload(struct sink *sink, struct guest *guest, const uint8_t *bytes, size_t len)
{
	uint64_t offset = guest->exchange.bytes - guest->upload_left;

	if (memcmp(bytes, pattern_at(offset), len) != 0)
		die("wrong bytes near offset %" PRIu64 " of an upload", offset);
	guest->upload_left -= len;
	if (guest->upload_left == 0)
		begin_answer(sink, guest);
}

/* Send what is due: 1 when nothing is left, 0 when it would block, -1 when the connection broke. */
static int
answer(struct guest *guest)
{
	while (guest->answered < guest->answer_len) {
		uint64_t left = guest->answer_len - guest->answered;
		const uint8_t *from = guest->exchange.kind == EXCHANGE_DOWNLOAD
					      ? pattern_at(guest->answered)
					      : guest->message + guest->answered;
		ssize_t sent = transmit(guest->fd, from, left < CHUNK ? (size_t)left : CHUNK);

		if (sent <= 0)
			return (int)sent;
		guest->answered += (uint64_t)sent;
	}
	return 1;
}

/* Take what there is of a message or upload; as answer. */
static int
take(struct sink *sink, struct guest *guest)
{
	bool uploading = guest->upload_left > 0;
	size_t want = uploading ? CHUNK : MESSAGE_LEN - guest->message_len;
	uint8_t *to = uploading ? sink->buffer : guest->message + guest->message_len;
	ssize_t got;

	if (uploading && guest->upload_left < want)
		want = (size_t)guest->upload_left;
	got = receive(guest->fd, to, want);
	if (got <= 0)
		return (int)got;
	if (uploading) {
		take_upload(sink, guest, to, (size_t)got);
		return 1;
	}
	guest->message_len += (size_t)got;
	if (guest->message_len == MESSAGE_LEN)
		take_message(sink, guest);
	return 1;
}

/* Messages may come before the answer to the last has gone: one at a time, in order. */
static void
turn(struct sink *sink, struct guest *guest)
{
	int more;

	do {
		more = answer(guest);
		if (more > 0)
			more = take(sink, guest);
	} while (more > 0);
	if (more < 0) {
		close(guest->fd);
		free(guest);
	}
}

static void
welcome(struct sink *sink)
{
	int fd;

	while ((fd = accept_from(sink->listener)) >= 0) {
		struct guest *guest = calloc(1, sizeof(*guest));

		if (guest == NULL)
			die("no memory");
		guest->fd = fd;
		watch(sink, fd, guest);
	}
}

/* False at the end of standard input. */
static bool
report(const struct sink *sink)
{
	char line[64];
	ssize_t got = read(STDIN_FILENO, line, sizeof(line));

	if (got > 0) {
		printf("%" PRIu64 "\n", sink->served);
		fflush(stdout);
	}
	return got > 0;
}

int
main(int argc, char **argv)
{
	static struct sink sink;
	struct epoll_event events[256];
	struct epoll_event input = { .events = EPOLLIN, .data.ptr = &sink.epoll };

	if (argc != 2)
		die("usage: bench-sink PORT");
	raise_descriptor_limit();
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	sink.listener = listen_on((uint16_t)number_of("PORT", argv[1], 1, 65535));
	watch(&sink, sink.listener, NULL);
	if (epoll_ctl(sink.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0)
		die("standard input: %m");
	for (;;) {
		int count = epoll_wait(sink.epoll, events, 256, -1);

		if (count < 0 && errno != EINTR)
			die("epoll: %m");
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				welcome(&sink);
			else if (events[i].data.ptr != &sink.epoll)
				turn(&sink, events[i].data.ptr);
			else if (!report(&sink))
				return 0;
		}
	}
}
