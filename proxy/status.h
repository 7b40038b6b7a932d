/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_STATUS_H
#define SEAL_PROXY_STATUS_H

/*
 * What is told about a running proxy, as texts: metrics for Prometheus, status for programs (JSON) and
 * for people (a table).  The texts are made of a view, a snapshot taken in the worker's thread; where
 * it comes from is control.h's.  No key, session, ticket or egg is part of a view.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/json/json.h"
#include "base/metrics/usage.h"
#include "proxy/agent.h"
#include "proxy/conn.h"
#include "proxy/pool.h"
#include "proxy/proxy.h"
#include "proxy/sync.h"

/* Either text at most; beyond it nobody would read it. */
#define PROXY_STATUS_MAX (4u * 1024 * 1024)
/* Live connections listed at most; the rest is counted. */
#define PROXY_STATUS_CONNS_MAX 1000

struct proxy_listener_view {
	const struct proxy_listener *listener;
	struct proxy_target_status *targets;
	size_t target_count;
	/* Of a public listener's certificates; 0 for others. */
	int64_t public_not_after; /* of the first that ends */
	size_t public_count;
	size_t public_over;
};

/* Call fn for every live connection. */
typedef void (*proxy_each_conn_fn)(const void *source, proxy_conn_info_fn fn, void *arg);

/* Pointers are borrowed from the worker for the turn, except for listeners and their targets. */
struct proxy_view {
	const struct proxy_config *config;
	const struct proxy_identity_state *state; /* NULL before the first */
	const struct proxy_agent_view *agent;     /* NULL without one */
	const struct proxy_sync_view *news;       /* NULL when nobody asks for any */
	struct proxy_listener_view *listeners;
	size_t listener_count;
	struct proxy_counters totals; /* of listeners that are gone, too */
	uint64_t kept_bytes;          /* held for slow readers */
	bool is_ready;
	bool is_draining;
	int64_t now;     /* seconds since the epoch; 0: no readable clock */
	int64_t started; /* likewise */
	uint64_t uptime_s;
	struct seal_usage usage;
	proxy_each_conn_fn each_conn;
	const void *source; /* for each_conn */
};

/* Room for count listeners, all zero.  proxy_view_release in any case. */
SEAL_CHECKED int proxy_view_init(struct proxy_view *view, size_t listener_count,
				 struct seal_err *err);
void proxy_view_release(struct proxy_view *view);

/* Append the metrics in the Prometheus text format 0.0.4. */
SEAL_CHECKED int proxy_metrics_write(const struct proxy_view *view, struct seal_bytes *out,
				     struct seal_err *err);
/* Append the status as one JSON object; with_conns lists live connections too. */
SEAL_CHECKED int proxy_status_write(const struct proxy_view *view, bool with_conns,
				    struct seal_bytes *out, struct seal_err *err);
/*
 * Print a status object for people.  It comes over a socket: a missing part is SEAL_E_FORMAT, and
 * nothing in it can control a terminal.
 */
SEAL_CHECKED int proxy_status_print(const struct seal_json *status, FILE *out,
				    struct seal_err *err);

#endif
