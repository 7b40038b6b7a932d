/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_HEALTH_H
#define SEAL_BASE_HEALTH_H

/*
 * A health address over plain HTTP, for probes: GET /healthz and /readyz answer 200 "ok" or 503
 * "not ok", or one sentence that is for whoever can reach it, and nothing else is told;
 * unless the owner has metrics: then GET /metrics answers with these.
 */

#include <stdbool.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "base/stream/stream.h"

struct seal_health;

struct seal_health_config {
	struct seal_endpoint endpoint;
	struct seal_staging *staging;
	bool (*is_live)(void *arg);  /* /healthz; NULL: as long as the process answers */
	bool (*is_ready)(void *arg); /* /readyz */
	const char *(*why_not)(
		void *arg); /* what /readyz says instead of "not ok"; NULL, or NULL: that */
	/* GET /metrics: append them.  NULL: there is no such thing.  A failure is 503, and told to nobody here. */
	int (*metrics)(void *arg, struct seal_bytes *out, struct seal_err *err);
	void *arg;
};

SEAL_CHECKED int seal_health_new(struct seal_health **ret_health, struct seal_loop *loop,
				 const struct seal_health_config *config, struct seal_err *err);
void seal_health_free(struct seal_health *health);

#endif
