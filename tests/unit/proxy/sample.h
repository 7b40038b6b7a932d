/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PROXY_SAMPLE_H
#define SEAL_TESTS_PROXY_SAMPLE_H

/*
 * Views of proxies that never were, for what is told about them.
 */

#include "proxy/status.h"

#define SAMPLE_NOW INT64_C(1800000000) /* 2027-01-15T08:00:00Z */

/* What a peer might call itself, where it is shown and where it must not be. */
#define SAMPLE_EVIL "evil\033[31m\xff\""

/* One inbound listener, one target, an identity; no connection listed. */
void sample_small(struct proxy_view *view);
/* An inbound, an outbound and a public listener with awkward addresses; 3 connections. */
void sample_large(struct proxy_view *view);
/* An agent with two containers, of which one runs; to be put into a view. */
extern const struct proxy_agent_view sample_agent;
/* News that have come; to be put into a view. */
extern const struct proxy_sync_view sample_news;
/* As many connections as the view's totals.open says. */
void sample_each_conn(const void *source, proxy_conn_info_fn fn, void *arg);

#endif
