/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_LOOP_INTERNAL_H
#define SEAL_BASE_LOOP_INTERNAL_H

/*
 * For this room and its tests only: what loop.c and resolve.c share.
 */

#include "base/loop/loop.h"

struct event_base;
struct evdns_base;

struct seal_loop {
	struct event_base *base;
	struct evdns_base *dns; /* made when the first name is asked for */
	bool stopped;
};

/* Make the resolver from a file like resolv.conf.  The first question does it with the system's. */
SEAL_CHECKED int seal_resolve_setup(struct seal_loop *loop, const char *resolv_conf,
				    struct seal_err *err);
/* Free the resolver.  No question may be left that was not forgotten. */
void seal_resolve_shutdown(struct seal_loop *loop);

#endif
