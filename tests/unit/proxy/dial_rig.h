/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PROXY_DIAL_RIG_H
#define SEAL_TESTS_PROXY_DIAL_RIG_H

/*
 * A pool and a dial in a loop of their own, with targets on loopback that answer, refuse or keep
 * silent, a name server played by the test, and a clock that can be put forward.
 */

#include "base/log/log.h"
#include "proxy/dial.h"
#include "proxy/pool_internal.h"
#include "tests/support/dns.h"

#define DIAL_RIG_SOCKETS 16

struct dial_rig {
	struct seal_loop *loop;
	struct seal_timer *patience;
	bool out_of_patience;
	struct dns dns;
	struct proxy_pool *pool;
	struct proxy_dial *dial;
	unsigned fired;
	struct proxy_dial_result result;
	int sockets[DIAL_RIG_SOCKETS]; /* of the targets */
	unsigned socket_count;
};

void dial_rig_start(struct dial_rig *rig);
void dial_rig_stop(struct dial_rig *rig);
#define DIAL_RIG(name)                                                                             \
	SEAL_SCOPED(dial_rig_stop) struct dial_rig name;                                           \
	dial_rig_start(&(name))

/* From now on the clock shows so much more. */
void dial_rig_later(uint64_t ms);

/* From now on the system connects nobody, and says this; 0: it does again. */
void dial_rig_fail_connects(int errnum);

/* Targets: their ports.  port 0: any; address NULL: 127.0.0.1. */
uint16_t dial_rig_listener(struct dial_rig *rig, const char *address, uint16_t port);
uint16_t dial_rig_refusing(struct dial_rig *rig);
uint16_t dial_rig_silent(struct dial_rig *rig, const char *address);
/* The one made last that refuses begins to answer. */
void dial_rig_open(struct dial_rig *rig);

/* A pool of targets: host and port in turn, ended by NULL. */
void dial_rig_pool(struct dial_rig *rig, const char *host, ...);
/* Of unix sockets. */
void dial_rig_pool_unix(struct dial_rig *rig, const char *path);

void dial_rig_dial(struct dial_rig *rig, uint32_t tried, uint32_t timeout_ms);
/* Run until the dial has said what came of it, which it does once; then free it. */
void dial_rig_finish(struct dial_rig *rig);
/* Run for a while. */
void dial_rig_run_for(struct dial_rig *rig, uint64_t ms);
/* Run until somebody stops the loop. */
void dial_rig_run(struct dial_rig *rig);

struct proxy_target_status dial_rig_status(const struct dial_rig *rig, unsigned target);
size_t dial_rig_descriptors(void);

#endif
