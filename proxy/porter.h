/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_PORTER_H
#define SEAL_PROXY_PORTER_H

/*
 * Accepts connections at a worker's doors: lets them in, or turns them away and says so.
 */

#include "base/log/log.h"
#include "proxy/conn.h"
#include "proxy/doors.h"

/* Part of a worker. */
struct proxy_porter {
	struct proxy_counters *gone; /* borrowed: what is no listener's is counted here */
	int reserve; /* a descriptor to give up when there is none left to accept with */
	struct seal_log_limit accept_limit;
	struct seal_log_limit turned_limit;
};

void proxy_porter_init(struct proxy_porter *porter, struct proxy_counters *gone);
void proxy_porter_release(struct proxy_porter *porter);

/* Somebody is at the door: in with them, to the connections there are, if that may be. */
void proxy_porter_answer(struct proxy_porter *porter, struct proxy_conns *conns,
			 struct proxy_door *door);

#endif
