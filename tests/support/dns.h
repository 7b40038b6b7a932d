/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_DNS_H
#define SEAL_TESTS_DNS_H

/*
 * A name server that is played in the loop of a test, with a resolv.conf that names it and a hosts
 * file, all of them changeable while the test runs.
 */

#include "base/loop/loop.h"

/* What a question is answered with: a response code (0: nothing found), or one of these. */
#define DNS_ADDRESS   100
#define DNS_SILENCE   101
#define DNS_TRUNCATED 102
#define DNS_GARBAGE   103 /* an answer cut off in the middle of an address */

#define DNS_MAX_ADDRESSES 12

/* One kind of question and its answer. */
struct dns_row {
	const char *name; /* NULL: every name */
	int family;       /* AF_INET: A, AF_INET6: AAAA */
	int what;
	uint32_t ttl_s;
	const char *addresses[DNS_MAX_ADDRESSES];
};

struct dns {
	struct seal_loop *loop;
	int fd;
	uint16_t port;
	struct seal_watch *watch;
	const struct dns_row *rows; /* the first that fits; none: no such name */
	size_t row_count;
	unsigned asked;
	char last[256]; /* the last name asked for */
	char dir[64];
	char resolv_conf[96];
	char hosts[96];
};

/* Play, and have the loop ask here.  Nobody is called anything at first. */
void dns_start(struct dns *dns, struct seal_loop *loop);
void dns_set(struct dns *dns, const struct dns_row *rows, size_t row_count);
/* Free what this holds, before the loop is freed.  The loop must not resolve any longer. */
void dns_stop(struct dns *dns);
/* Replace the files.  resolv.conf begins with the server played here unless whole is set. */
void dns_write_hosts(const struct dns *dns, const char *text, size_t len);
void dns_write_resolv_conf(const struct dns *dns, bool whole, const char *text);

#endif
