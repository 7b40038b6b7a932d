/* SPDX-License-Identifier: Apache-2.0 */
/* See sample.h.  Everything is static: a test process makes one view at a time. */
#include "tests/unit/proxy/sample.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define AWKWARD "/run/a \"b\"\\c/\xc3\xa9\xff.sock"

static struct proxy_config config = {
	.limits = { .connections = 1000, .per_peer = 0, .handshakes = 64, .memory = 8u << 20 },
	.handshake_ms = 10000,
	.connect_ms = 5000,
	.drain_ms = 30000,
};
static struct proxy_identity_state state = {
	.generation = 3,
	.trust_domain = "seal.test",
	.workload = "shop",
	.peer = "db",
	.not_before = SAMPLE_NOW - 300,
	.not_after = SAMPLE_NOW + 5 * 3600 + 600,
};
static char *web[] = { (char[]){ "web" }, (char[]){ "ops" } };
static struct proxy_listener_config configs[3];
static struct proxy_listener listeners[3];
static struct seal_endpoint targets[4];

static void
put_endpoint(struct seal_endpoint *endpoint, const char *host, uint16_t port)
{
	*endpoint = (struct seal_endpoint){ .is_unix = host[0] == '/', .port = port };
	(void)snprintf(endpoint->host, sizeof(endpoint->host), "%s", host);
}

static void
put_listener(struct proxy_view *view, size_t at, enum proxy_direction direction, const char *host,
	     uint16_t port, size_t target_count)
{
	struct proxy_listener_config *of = &configs[at];
	struct proxy_listener *listener = &listeners[at];

	*of = (struct proxy_listener_config){ .direction = direction };
	put_endpoint(&of->listen, host, port);
	*listener = (struct proxy_listener){ .refs = 1, .config = of };
	seal_endpoint_format(&of->listen, listener->name);
	view->listeners[at].listener = listener;
	view->listeners[at].targets = calloc(target_count, sizeof(struct proxy_target_status));
	cr_assert_not_null(view->listeners[at].targets);
	view->listeners[at].target_count = target_count;
}

static void
put_target(struct proxy_view *view, size_t at, size_t target, size_t endpoint, bool healthy)
{
	view->listeners[at].targets[target] = (struct proxy_target_status){
		.endpoint = &targets[endpoint],
		.connections = (uint32_t)target + 1,
		.failures = healthy ? 0 : 7,
		.healthy = healthy,
	};
}

static void
put_inbound(struct proxy_view *view)
{
	struct proxy_counters *of = &listeners[0].counters;

	put_endpoint(&targets[0], "127.0.0.1", 8080);
	put_listener(view, 0, PROXY_INBOUND, "0.0.0.0", 8443, 1);
	configs[0].peers = (struct seal_strv){ .items = web, .count = 2 };
	put_target(view, 0, 0, 0, true);
	*of = (struct proxy_counters){
		.accepted = 120,
		.admitted = 110,
		.refused = 4,
		.limited = 2,
		.no_identity = 1,
		.failed = 5,
		.slow = 6,
		.withdrawn = 7,
		.finished = 90,
		.resumed = 40,
		.retried = 0,
		.bytes_to_app = 1536,
		.bytes_to_wire = UINT64_C(5) << 30,
		.open = 2,
		.handshakes = { 1, 0, 2 },
		.handshake_us = 1234567,
	};
	of->handshakes[PROXY_HANDSHAKE_BUCKETS - 1] = 4;
}

static void
put_whole(struct proxy_view *view)
{
	state.clients = (struct seal_strv){ .items = web, .count = 1 };
	view->config = &config;
	view->state = &state;
	view->is_ready = true;
	view->kept_bytes = 2048;
	view->now = SAMPLE_NOW;
	view->started = SAMPLE_NOW - 3661;
	view->uptime_s = 3661;
	view->usage = (struct seal_usage){ .has_memory = true,
					   .resident_bytes = 8u << 20,
					   .virtual_bytes = 32u << 20,
					   .has_fds = true,
					   .open_fds = 17,
					   .max_fds = 1024,
					   .cpu_us = 2000015 };
	view->totals.open = 3;
}

const struct proxy_agent_view sample_agent = {
	.own = { .ns = "shop", .kind = "Deployment", .name = "web", .key = "proxy", .gen = 7 },
	.counters = { .served = 11, .refused = 12, .limited = 13, .opened = 14, .unopened = 15 },
	.callers = 3,
	.containers = { { .name = "app", .callers = 2, .is_running = true },
			{ .name = "place", .callers = 1 } },
	.container_count = 2,
	.is_suspended = true,
	.suspects = { { .name = "app",
			.reason = "/etc/hosts changed",
			.reports = 2,
			.suspends = true },
		      { .name = "db", .reason = "a mount", .reports = 1 } },
	.suspect_count = 2,
};

const struct proxy_sync_view sample_news = {
	.results = { [PROXY_SYNC_CHANGED] = 4,
		     [PROXY_SYNC_UNCHANGED] = 50,
		     [PROXY_SYNC_REFUSED] = 1,
		     [PROXY_SYNC_ABSENT] = 2,
		     [PROXY_SYNC_FAILED] = 3,
		     [PROXY_SYNC_ABORTED] = 99 },
	.epoch = 17,
	.age_s = 61,
	.has_answer = true,
};

void
sample_small(struct proxy_view *view)
{
	cr_assert_eq(proxy_view_init(view, 1, NULL), 0);
	put_inbound(view);
	put_whole(view);
	view->totals = listeners[0].counters;
}

void
sample_large(struct proxy_view *view)
{
	cr_assert_eq(proxy_view_init(view, 3, NULL), 0);
	put_endpoint(&targets[1], "db.shop.svc", 8443);
	put_endpoint(&targets[2], "fd00::1", 8443);
	put_endpoint(&targets[3], "/run/app.sock", 0);
	put_inbound(view);
	put_listener(view, 1, PROXY_OUTBOUND, AWKWARD, 0, 3);
	put_target(view, 1, 0, 1, false);
	put_target(view, 1, 1, 2, true);
	put_target(view, 1, 2, 1, true); /* named twice */
	put_listener(view, 2, PROXY_PUBLIC, "::", 443, 1);
	put_target(view, 2, 0, 3, true);
	view->listeners[2].public_not_after = SAMPLE_NOW + 86400;
	view->listeners[2].public_count = 3;
	put_whole(view);
	view->each_conn = sample_each_conn;
	view->source = view;
}

void
sample_each_conn(const void *source, proxy_conn_info_fn fn, void *arg)
{
	const struct proxy_view *view = source;

	for (uint64_t i = 0; i < view->totals.open; i++) {
		const struct proxy_conn_info info = {
			.id = i + 1,
			.listener = &listeners[0],
			.state = i == 0 ? CONN_HANDSHAKE : CONN_RELAY,
			.peer = i == 0   ? ""
				: i == 1 ? "web"
					 : SAMPLE_EVIL,
			.address = "10.0.0.7:5111",
			.bytes_up = i * 100,
			.bytes_down = i * 2048,
			.age_ms = i * 61000,
		};

		fn(arg, &info);
	}
}
