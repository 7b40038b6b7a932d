/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_LOOP_INTERNAL_H
#define SEAL_BASE_LOOP_INTERNAL_H

/*
 * For this room only: what loop.c and resolve.c share.
 */

#include "base/loop/loop.h"

struct event_base;
struct evdns_base;

struct seal_loop {
	struct event_base *base;
	struct evdns_base *dns; /* made when the first name is asked for */
	unsigned questions;     /* names the resolver still holds a callback for */
	bool stopped;
};

/* Forget the resolver, once no question is left with it. */
void seal_resolve_shutdown(struct seal_loop *loop);

#endif
