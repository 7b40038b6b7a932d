/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BENCH_ROT_LINE_H
#define SEAL_BENCH_ROT_LINE_H

/*
 * Connections to a root of trust: TLS with a client certificate, and on each one HTTP request after another.  What
 * is refused, broken or malformed ends the program.
 */

#include <openssl/ssl.h>

#include "tests/bench/traffic.h"

/* Who is calling.  The server is not verified: what the client spends is not what is measured. */
struct identity {
	SSL_CTX *tls;
	char *body; /* what it asks with */
	size_t body_len;
};

/* DIR/NAME.pem, certificate and key, and DIR/NAME.body. */
void identity_load(struct identity *identity, const char *dir, size_t name);

struct fleet;

enum line_state { LINE_CLOSED, LINE_OPENING, LINE_IDLE, LINE_BUSY };

struct line {
	struct fleet *fleet;
	enum line_state state;
	int fd;
	SSL *ssl;
	const struct identity *who;
	X509 *cert;    /* its own, instead of who's; NULL: who's */
	EVP_PKEY *key; /* with it */
	uint64_t due_ns;
	char *request;
	size_t request_len;
	size_t sent;
	char *answer; /* head and body; a string */
	size_t answer_len;
	size_t answer_size;
	size_t head_len; /* 0: not all there yet */
	size_t body_len;
	unsigned status;
	uint64_t epoch; /* of hold's */
};

/* The line is open and has nothing to do: after its handshake, and after each answer. */
typedef void (*line_fn)(struct line *line);

struct fleet {
	uint16_t port;
	int epoll;
	struct line *lines;
	size_t count;
	size_t opening;
	line_fn on_open;
	line_fn on_answer;
};

void fleet_init(struct fleet *fleet, uint16_t port, size_t count);
/* Let those ready have their turns; waits at most so long, -1 for ever. */
void fleet_turn(struct fleet *fleet, int timeout_ms);

void line_open(struct line *line);
void line_close(struct line *line);
/* On an idle line, within its on_open or on_answer, or before line_go; body NULL: none. */
void line_ask(struct line *line, const char *method, const char *path, const char *body,
	      size_t body_len);
void line_go(struct line *line);
/* Give back what the last answer lies in. */
void line_forget(struct line *line);
/* The body of the answer. */
const char *line_answer(const struct line *line);

#endif
