/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BENCH_TRAFFIC_H
#define SEAL_BENCH_TRAFFIC_H

/*
 * What the load and the sink agree on, and the sockets under both.  Every exchange begins with a
 * message of MESSAGE_LEN bytes from the load.  The answer to an echo is the message; to an upload,
 * the message after all its bytes have come; to a download, that many bytes.  Bytes are those of one
 * endless pattern, and each side compares every one: a wrong, short or surplus byte ends the program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MESSAGE_LEN 100
#define CHUNK       (64u * 1024) /* read and written at a time */

enum exchange { EXCHANGE_ECHO = 1, EXCHANGE_UPLOAD, EXCHANGE_DOWNLOAD };

struct message {
	enum exchange kind;
	uint64_t bytes;  /* of an upload or download */
	uint64_t number; /* the load's own count, so that no answer passes for another */
};

void message_write(uint8_t to[static MESSAGE_LEN], const struct message *message);
/* False if these are not the bytes of a message. */
bool message_read(struct message *ret_message, const uint8_t from[static MESSAGE_LEN]);

/* The pattern from this offset on, CHUNK bytes of it. */
const uint8_t *pattern_at(uint64_t offset);

/* Say what happened and exit with 1; errno, if any, is named by the caller's format (%m). */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The number in a text, all of it, or die naming what it is. */
uint64_t number_of(const char *what, const char *text, uint64_t min, uint64_t max);

/* As many descriptors as the system gives. */
void raise_descriptor_limit(void);
uint64_t now_ns(void);

/* Sockets on 127.0.0.1, non-blocking, without delay of small segments; or die. */
int listen_on(uint16_t port);
/* -1 when nothing is to be accepted now. */
int accept_from(int listener);
/* A connection that may still be under way. */
int connect_to(uint16_t port);

/*
 * Bytes moved; 0 when it would block; -1 when the other side has ended (errno 0) or the connection
 * is broken (errno says how).
 */
ssize_t receive(int fd, uint8_t *to, size_t len);
ssize_t transmit(int fd, const uint8_t *from, size_t len);

#endif
