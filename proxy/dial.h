/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_DIAL_H
#define SEAL_PROXY_DIAL_H

/*
 * Connect to one of several targets: names are resolved, addresses and targets tried one after
 * another, all within one time.  Each attempt gets its fair share of what is left, so that one silent
 * address cannot use up the time of the others.
 */

#include <stdint.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"

struct proxy_dial;

struct proxy_dial_result {
	int fd;                             /* connected and now the callee's, or -1 */
	const struct seal_endpoint *target; /* which one answered; NULL when none did */
	char address[SEAL_ADDR_TEXT_MAX];   /* and at which address */
	struct seal_err why;                /* the last failure, with its target */
};

/* Called once, from the loop, never before proxy_dial_new returns; may free the dial. */
typedef void (*proxy_dial_fn)(void *arg, const struct proxy_dial_result *result);

struct proxy_dial_config {
	const struct seal_endpoint *targets; /* borrowed for the life of the dial */
	size_t target_count;
	size_t first; /* where to begin in the ring of targets */
	uint32_t timeout_ms;
};

SEAL_CHECKED int proxy_dial_new(struct proxy_dial **ret_dial, struct seal_loop *loop,
				const struct proxy_dial_config *config, proxy_dial_fn fn, void *arg,
				struct seal_err *err);
/* Give up what is under way; fn will not be called.  NULL is allowed. */
void proxy_dial_free(struct proxy_dial *dial);

#endif
