/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PROXY_RIG_H
#define SEAL_TESTS_PROXY_RIG_H

/*
 * Two workers back to back over loopback, in a thread of their own, between an application that
 * connects and one that listens; the test plays both applications with blocking sockets:
 *
 *   test ─plain─▶ outbound worker (peer "web") ─TLS─▶ inbound worker (peer "db") ─plain─▶ test
 *
 * Every wait has a limit: a test that hangs fails.
 */

#include <pthread.h>
#include <semaphore.h>

#include "base/log/log.h"
#include "proxy/worker.h"
#include "tests/support/pki.h"

enum rig_side { RIG_OUT, RIG_IN, RIG_SIDES };

struct rig {
	struct seal_loop *loop;
	struct proxy_config *configs[RIG_SIDES];
	struct proxy_worker *workers[RIG_SIDES];
	struct pki_id ca;
	int app_fd; /* the listening application */
	uint64_t generation;
	pthread_t thread;
	struct seal_wake *call; /* runs fn in the loop's thread */
	void (*fn)(struct rig *rig);
	sem_t called;
	sem_t drained;
};

/* Change the defaults of rig_start before it binds; may be NULL. */
typedef void (*rig_tune_fn)(struct rig *rig);
/* Workers up, both with identities that allow each other. */
void rig_start(struct rig *rig, rig_tune_fn tune);
void rig_stop(struct rig *rig);

/* Publish an identity for a side: its peer name, and whom it allows ("" is nobody). */
void rig_identify(struct rig *rig, enum rig_side side, const char *peer, const char *allowed);
/* The same with a certificate of another CA, or a time of validity that is over. */
struct proxy_identity_state *rig_state(struct rig *rig, const struct pki_id *id,
				       const char *allowed);

/* Run fn in the loop's thread and wait for it. */
void rig_call(struct rig *rig, void (*fn)(struct rig *rig));
struct proxy_counters rig_counters(struct rig *rig, enum rig_side side);
/* Wait (5 s at most) until the side has this many open connections; the number it has. */
uint64_t rig_wait_open(struct rig *rig, enum rig_side side, uint64_t open);

/* Blocking sockets with limits of 5 s. */
int rig_dial(uint16_t port);
/* Connect to the outbound worker / the inbound worker's TLS port. */
int rig_connect_out(struct rig *rig);
void rig_connect_with(struct rig *rig, int fd); /* the same with a socket that is there */
int rig_connect_in(struct rig *rig);
/* The application's next connection, or -1 when none comes within wait_ms. */
int rig_accept(struct rig *rig, int wait_ms);
void rig_send(int fd, const char *text);
/* Read exactly the text, or fail the test. */
void rig_expect(int fd, const char *text);
/* What the socket says next: 0 an orderly end, -1 a reset, or a positive number of bytes. */
int rig_next(int fd);

#endif
