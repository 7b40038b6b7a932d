/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_DIAL_H
#define SEAL_PROXY_DIAL_H

/*
 * Connect to one target of a pool, all within one time: the pool says which, names are resolved, and
 * the addresses of a name are tried as RFC 8305 has it, both families in turn, the next one starting
 * before a silent one is given up.  A target that cannot be reached is reported to the pool and the
 * next one tried; when all have failed, they are tried again after a pause that doubles, as long as
 * there is time.
 */

#include <stdint.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "proxy/pool.h"

struct proxy_dial;

struct proxy_dial_result {
	int fd;          /* connected and now the callee's, or -1 */
	unsigned target; /* which one answered; its count is the callee's to release */
	char address[SEAL_ADDR_TEXT_MAX]; /* and at which address */
	struct seal_err why;              /* the last failure, with its target */
};

/* Called once, from the loop, never before proxy_dial_new returns; may free the dial. */
typedef void (*proxy_dial_fn)(void *arg, const struct proxy_dial_result *result);

/*
 * Most targets are on this machine and answer, or refuse, while connect is being called.  Try one such
 * target of the pool: true when it answered, with its descriptor and count the callee's.  False
 * says nothing and changes nothing: dial, which begins with the same target.
 */
bool proxy_dial_at_once(struct proxy_pool *pool, uint32_t tried,
			struct proxy_dial_result *ret_result);

struct proxy_dial_config {
	struct proxy_pool *pool; /* the dial takes a reference of its own */
	uint32_t tried;          /* targets not to be tried before all others have been */
	uint32_t timeout_ms;
};

SEAL_CHECKED int proxy_dial_new(struct proxy_dial **ret_dial, struct seal_loop *loop,
				const struct proxy_dial_config *config, proxy_dial_fn fn, void *arg,
				struct seal_err *err);
/* Give up what is under way; fn will not be called.  NULL is allowed. */
void proxy_dial_free(struct proxy_dial *dial);

#endif
