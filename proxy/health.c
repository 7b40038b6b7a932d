/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health port.  Whoever can reach it learns one bit.
 */
#include "proxy/health.h"

#include "base/http/http.h"

#define MAX_CONNECTIONS 32 /* probes: one or two at a time */
#define REQUEST_MS      5000
#define IDLE_MS         30000

struct proxy_health {
	const struct proxy_worker *worker;
	struct seal_http *http;
};

static void
reply(struct seal_http_request *request, unsigned status, const char *text)
{
	seal_http_reply(request, status, "text/plain", text, strlen(text), 0);
}

static void
handle(void *arg, struct seal_http_request *request)
{
	const struct proxy_health *health = arg;
	const char *path = seal_http_path(request);

	if (strcmp(path, "/healthz") != 0 && strcmp(path, "/readyz") != 0)
		reply(request, 404, "not found\n");
	else if (strcmp(seal_http_method(request), "GET") != 0)
		reply(request, 405, "GET only\n");
	else if (proxy_worker_is_ready(health->worker))
		reply(request, 200, "ok\n");
	else
		reply(request, 503, "not ok\n");
}

static int
serve(struct proxy_health *health, struct seal_loop *loop, const struct seal_endpoint *endpoint,
      struct seal_err *err)
{
	const struct seal_http_config config = {
		.staging = proxy_worker_staging(health->worker),
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
	fd = seal_listen(endpoint, 0600, err);
	if (fd < 0)
		return fd;
	return seal_http_listen(health->http, fd, NULL, err);
}

int
proxy_health_new(struct proxy_health **ret_health, struct seal_loop *loop,
		 const struct seal_endpoint *endpoint, const struct proxy_worker *worker,
		 struct seal_err *err)
{
	struct proxy_health *health = calloc(1, sizeof(*health));
	int r;

	if (health == NULL)
		return seal_fail_memory(err);
	health->worker = worker;
	r = serve(health, loop, endpoint, err);
	if (r < 0) {
		proxy_health_free(health);
		return seal_note(err, r, "--health");
	}
	*ret_health = health;
	return 0;
}

void
proxy_health_free(struct proxy_health *health)
{
	if (health == NULL)
		return;
	seal_http_free(health->http);
	free(health);
}
