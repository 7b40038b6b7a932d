/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health address.  Whoever can reach it learns one bit, and at most one sentence about it; and
 * numbers, where the owner wants that.
 */
#include "base/http/health.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/http/http.h"
#include "base/metrics/metrics.h"

#define MAX_CONNECTIONS 32 /* probes: one or two at a time */
#define REQUEST_MS      5000
#define IDLE_MS         30000
#define WHY_MAX         1024
#define METRICS_MAX     (1024u * 1024)
/* Making the text takes turns of the thread that serves others; who scrapes asks a few times a minute. */
#define METRICS_PER_SECOND 20

struct seal_health {
	struct seal_health_config config;
	struct seal_http *http;
	struct seal_socket_file file;
	struct seal_loop *loop;
	uint64_t second; /* in which metrics were made so many times */
	unsigned made;
};

static void
reply(struct seal_http_request *request, unsigned status, const char *text)
{
	seal_http_reply(request, status, "text/plain", text, strlen(text), 0);
}

static void
reply_no(struct seal_http_request *request, const struct seal_health_config *config, bool live)
{
	const char *why = live || config->why_not == NULL ? NULL : config->why_not(config->arg);
	char text[WHY_MAX];

	(void)snprintf(text, sizeof(text), "%.*s\n", WHY_MAX - 2, why != NULL ? why : "not ok");
	reply(request, 503, text);
}

static bool
may_make_metrics(struct seal_health *health)
{
	uint64_t second = seal_loop_now_ms(health->loop) / 1000;

	if (second != health->second) {
		health->second = second;
		health->made = 0;
	}
	return health->made++ < METRICS_PER_SECOND;
}

static void
reply_metrics(struct seal_health *health, struct seal_http_request *request)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(METRICS_MAX);
	const struct seal_health_config *config = &health->config;

	if (!may_make_metrics(health))
		seal_http_reply(request, 503, "text/plain", "too often\n", 10, 1);
	else if (config->metrics(config->arg, &text, NULL) < 0)
		reply(request, 503, "not now\n");
	else
		seal_http_reply(request, 200, SEAL_METRICS_TYPE, text.data, text.len, 0);
}

static void
handle(void *arg, struct seal_http_request *request)
{
	struct seal_health *health = arg;
	const struct seal_health_config *config = &health->config;
	const char *path = seal_http_path(request);
	bool live = strcmp(path, "/healthz") == 0;
	bool metrics = config->metrics != NULL && strcmp(path, "/metrics") == 0;

	if (!live && !metrics && strcmp(path, "/readyz") != 0)
		reply(request, 404, "not found\n");
	else if (strcmp(seal_http_method(request), "GET") != 0)
		reply(request, 405, "GET only\n");
	else if (metrics)
		reply_metrics(health, request);
	else if (live ? config->is_live == NULL || config->is_live(config->arg)
		      : config->is_ready(config->arg))
		reply(request, 200, "ok\n");
	else
		reply_no(request, config, live);
}

static int
serve(struct seal_health *health, struct seal_loop *loop, struct seal_err *err)
{
	const struct seal_http_config config = {
		.staging = health->config.staging,
		.max_connections = MAX_CONNECTIONS,
		.handshake_ms = REQUEST_MS,
		.request_ms = REQUEST_MS,
		.idle_ms = IDLE_MS,
		.reply_ms = REQUEST_MS,
		.handler = handle,
		.arg = health,
	};
	int fd;
	int r = seal_http_new(&health->http, loop, &config, err);

	if (r < 0)
		return r;
	fd = seal_listen(&health->config.endpoint, 0600, err);
	if (fd < 0)
		return fd;
	seal_socket_file_note(&health->file, &health->config.endpoint);
	r = seal_http_listen(health->http, fd, NULL, err);
	if (r < 0)
		(void)close(fd); /* nobody connected yet */
	return r;
}

int
seal_health_new(struct seal_health **ret_health, struct seal_loop *loop,
		const struct seal_health_config *config, struct seal_err *err)
{
	struct seal_health *health = calloc(1, sizeof(*health));
	int r;

	if (health == NULL)
		return seal_fail_memory(err);
	health->config = *config;
	health->loop = loop;
	r = serve(health, loop, err);
	if (r < 0) {
		seal_health_free(health);
		return seal_note(err, r, "--health");
	}
	*ret_health = health;
	return 0;
}

void
seal_health_free(struct seal_health *health)
{
	if (health == NULL)
		return;
	seal_socket_file_remove(&health->file, &health->config.endpoint);
	seal_http_free(health->http);
	free(health);
}
