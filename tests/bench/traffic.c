/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages, the pattern, and sockets on loopback.  Knows nothing of rounds or measures.
 */

#include "tests/bench/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char magic[8] = "bench-1";

/* Where each part of a message lies; the rest is pattern. */
enum { AT_KIND = 8, AT_BYTES = 16, AT_NUMBER = 24, AT_REST = 32 };

/* A prime, so that whole buffers swapped or repeated do not fit. */
#define PATTERN_PERIOD 65521u

const uint8_t *
pattern_at(uint64_t offset)
{
	static uint8_t pattern[PATTERN_PERIOD + CHUNK];
	static bool made;

	if (!made) {
		uint32_t state = 2463534242u;

		for (size_t i = 0; i < sizeof(pattern); i++) {
			if (i >= PATTERN_PERIOD) {
				pattern[i] = pattern[i - PATTERN_PERIOD];
				continue;
			}
			state ^= state << 13;
			state ^= state >> 17;
			state ^= state << 5;
			pattern[i] = (uint8_t)(state >> 24);
		}
		made = true;
	}
	return pattern + offset % PATTERN_PERIOD;
}

void
message_write(uint8_t to[static MESSAGE_LEN], const struct message *message)
{
	uint64_t kind = message->kind;

	memcpy(to, magic, sizeof(magic));
	memcpy(to + AT_KIND, &kind, sizeof(kind));
	memcpy(to + AT_BYTES, &message->bytes, sizeof(message->bytes));
	memcpy(to + AT_NUMBER, &message->number, sizeof(message->number));
	memcpy(to + AT_REST, pattern_at(message->number), MESSAGE_LEN - AT_REST);
}

bool
message_read(struct message *ret_message, const uint8_t from[static MESSAGE_LEN])
{
	struct message message;
	uint64_t kind;

	if (memcmp(from, magic, sizeof(magic)) != 0)
		return false;
	memcpy(&kind, from + AT_KIND, sizeof(kind));
	memcpy(&message.bytes, from + AT_BYTES, sizeof(message.bytes));
	memcpy(&message.number, from + AT_NUMBER, sizeof(message.number));
	if (kind < EXCHANGE_ECHO || kind > EXCHANGE_DOWNLOAD ||
	    memcmp(from + AT_REST, pattern_at(message.number), MESSAGE_LEN - AT_REST) != 0)
		return false;
	message.kind = (enum exchange)kind;
	*ret_message = message;
	return true;
}

void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

uint64_t
number_of(const char *what, const char *text, uint64_t min, uint64_t max)
{
	char *end = NULL;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min ||
	    value > max)
		die("%s: \"%s\" is not a number from %llu to %llu", what, text,
		    (unsigned long long)min, (unsigned long long)max);
	return value;
}

void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("descriptor limit: %m");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("descriptor limit: %m");
}

uint64_t
now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		die("clock: %m");
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
set_no_delay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		die("TCP_NODELAY: %m");
}

static struct sockaddr_in
loopback(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

int
listen_on(uint16_t port)
{
	struct sockaddr_in addr = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4096) < 0)
		die("listen on port %u: %m", (unsigned)port);
	return fd;
}

int
accept_from(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return -1;
		die("accept: %m");
	}
	set_no_delay(fd);
	return fd;
}

int
connect_to(uint16_t port)
{
	struct sockaddr_in addr = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %m");
	set_no_delay(fd);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != EINPROGRESS)
		die("connect to port %u: %m", (unsigned)port);
	return fd;
}

ssize_t
receive(int fd, uint8_t *to, size_t len)
{
	ssize_t got = recv(fd, to, len, 0);

	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got == 0)
		errno = 0;
	return -1;
}

ssize_t
transmit(int fd, const uint8_t *from, size_t len)
{
	ssize_t sent = send(fd, from, len, MSG_NOSIGNAL);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return sent;
}
