/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONTROL_H
#define SEAL_PROXY_CONTROL_H

/*
 * What is told about a running proxy and by whom it can be asked: metrics over TCP (loopback), status
 * and log level over a local socket, to our own user and root only.
 *
 *   GET /metrics                  Prometheus text format 0.0.4, on config->metrics
 *   GET /v1/status                JSON, on config->control; ?connections=1 lists live connections
 *   PUT /v1/log-level?level=L     on config->control; 204
 *
 * Errors on the local socket are {"error":{"code","message"}}, as everywhere in seal.
 */

#include <stdbool.h>
#include <stdio.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "proxy/status.h"
#include "proxy/worker.h"

struct proxy_control;

/*
 * Open what the worker's configuration names; neither address changes afterwards.  The socket's folder
 * is made when it is missing.  A socket nobody asked for (the default one) that cannot be opened is
 * only said in the log.  agent and news may be NULL; otherwise they are told about too, and outlive this.
 */
SEAL_CHECKED int proxy_control_new(struct proxy_control **ret_control, struct seal_loop *loop,
				   struct proxy_worker *worker, const struct proxy_agent *agent,
				   struct proxy_sync_stats *news, struct seal_err *err);
void proxy_control_free(struct proxy_control *control);
/*
 * The same without a worker: fill makes a view (proxy_view_init), which is released for it; its usage,
 * started, uptime_s and now are filled in afterwards.
 */
typedef int (*proxy_view_fn)(const void *arg, struct proxy_view *ret_view, struct seal_err *err);
struct proxy_control_source {
	const struct proxy_config *config; /* borrowed for the call */
	bool must_have_control;            /* the socket was asked for */
	struct seal_staging *staging;
	proxy_view_fn fill;
	const void *arg;
	const struct proxy_agent *agent; /* NULL: there is none */
	struct proxy_sync_stats *news;   /* NULL: nobody asks for any */
};
SEAL_CHECKED int proxy_control_open(struct proxy_control **ret_control, struct seal_loop *loop,
				    const struct proxy_control_source *source,
				    struct seal_err *err);

/*
 * The other end, which blocks, for at most five seconds: print the status, as JSON or for people, with
 * live connections on demand.  Nothing is printed on failure.
 */
struct proxy_status_query {
	const char *socket_path;
	bool json;
	bool connections;
};
SEAL_CHECKED int proxy_control_status(const struct proxy_status_query *query, FILE *out,
				      struct seal_err *err);
SEAL_CHECKED int proxy_control_log_level(const char *socket_path, const char *level,
					 struct seal_err *err);

#endif
