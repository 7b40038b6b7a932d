/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_HEALTH_H
#define SEAL_PROXY_HEALTH_H

/*
 * Health over plain HTTP: GET /healthz and /readyz answer "ok" when the worker serves with a valid
 * certificate, otherwise 503 and "not ok".  Nothing else is told.
 */

#include "proxy/worker.h"

struct proxy_health;

/* Serves in the worker's loop; the worker is borrowed and must outlive it. */
SEAL_CHECKED int proxy_health_new(struct proxy_health **ret_health, struct seal_loop *loop,
				  const struct seal_endpoint *endpoint,
				  const struct proxy_worker *worker, struct seal_err *err);
void proxy_health_free(struct proxy_health *health);

#endif
