/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two doors through which a running proxy is looked at.  Metrics are for whoever reaches their
 * address, which the owner chooses; the local socket is for our own user and root: by its mode, and by
 * the kernel's word about who connected.  Either serves a handful of connections at a time, so a flood
 * costs the flooder's own turns and nobody else's.
 *
 * What is answered is made by metrics.c and status.c from a view of the moment.
 */
#include "proxy/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/http/http.h"
#include "base/log/log.h"
#include "base/loop/net.h"
#include "base/metrics/metrics.h"

#define CONNECTIONS_MAX 16
#define REQUEST_MS      5000
#define IDLE_MS         10000
/*
 * Making the text of many listeners takes milliseconds of the thread that moves bytes; who scrapes asks a
 * few times a minute.
 */
#define METRICS_PER_SECOND 20
#define SOCKET_MODE        0600
#define FOLDER_MODE        0755

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"

/* One address and who serves there. */
struct door {
	struct seal_endpoint endpoint;
	struct seal_socket_file file;
	struct seal_http *http;
};

struct proxy_control {
	struct seal_loop *loop;
	struct seal_staging *staging;
	proxy_view_fn fill;
	const void *arg;
	const struct proxy_agent *agent;
	struct proxy_agent_view *agent_view; /* with an agent: room for one look at it */
	struct proxy_sync_stats *news;
	struct proxy_sync_view news_view;
	struct seal_usage_source *usage;
	struct seal_log_limit failures; /* strangers can make them */
	uint64_t second;                /* in which metrics were made so many times */
	unsigned made;
	int64_t started;
	uint64_t started_ms;
	struct door metrics;
	struct door local;
};

/* ---- answers ---- */

static void
reply_error(struct seal_http_request *request, unsigned status, const char *code,
	    const char *message)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(4096);
	SEAL_SCOPED(seal_json_freep) struct seal_json *root = seal_json_new();
	struct seal_json *error = seal_json_set_object(root, "error");

	seal_json_set_str(error, "code", code);
	seal_json_set_str(error, "message", message);
	if (seal_json_dump(root, false, &text, NULL) < 0)
		seal_bytes_reset(&text); /* the status has to do */
	seal_http_reply(request, status, TYPE_JSON, seal_bytes_str(&text), text.len, 0);
}

static int
take_view(struct proxy_control *control, struct proxy_view *ret_view, struct seal_err *err)
{
	int r = control->fill(control->arg, ret_view, err);

	if (r < 0)
		return r;
	ret_view->now = seal_clock_now();
	ret_view->started = control->started;
	ret_view->uptime_s = (seal_loop_now_ms(control->loop) - control->started_ms) / 1000;
	seal_usage_read(control->usage, &ret_view->usage);
	if (control->agent != NULL) {
		proxy_agent_look(control->agent, control->agent_view);
		ret_view->agent = control->agent_view;
	}
	if (control->news != NULL && proxy_sync_look(control->news, &control->news_view))
		ret_view->news = &control->news_view;
	return 0;
}

static int
write_metrics(struct proxy_control *control, struct seal_bytes *out, struct seal_err *err)
{
	struct proxy_view view = { 0 };
	int r = take_view(control, &view, err);

	if (r == 0)
		r = proxy_metrics_write(&view, out, err);
	proxy_view_release(&view);
	return r;
}

static int
write_status(struct proxy_control *control, bool with_conns, struct seal_bytes *out,
	     struct seal_err *err)
{
	struct proxy_view view = { 0 };
	int r = take_view(control, &view, err);

	if (r == 0)
		r = proxy_status_write(&view, with_conns, out, err);
	proxy_view_release(&view);
	return r;
}

static void
log_unanswered(struct proxy_control *control, const char *path, const struct seal_err *err)
{
	uint64_t missed;

	if (seal_log_may(&control->failures, 1, &missed))
		seal_log(SEAL_LOG_WARN, "control_failed", SEAL_STR("path", path),
			 SEAL_STR("reason", err->text), SEAL_U64("missed", missed));
}

static bool
may_make_metrics(struct proxy_control *control)
{
	uint64_t second = seal_loop_now_ms(control->loop) / 1000;

	if (second != control->second) {
		control->second = second;
		control->made = 0;
	}
	if (control->made >= METRICS_PER_SECOND)
		return false;
	control->made++;
	return true;
}

static void
reply_text(struct seal_http_request *request, unsigned status, const char *text)
{
	seal_http_reply(request, status, TYPE_TEXT, text, strlen(text), 0);
}

/* Strangers may ask: they get numbers, or a word. */
static void
handle_metrics(void *arg, struct seal_http_request *request)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_STATUS_MAX);
	struct seal_err err = { 0 };

	if (strcmp(seal_http_path(request), "/metrics") != 0) {
		reply_text(request, 404, "not found\n");
	} else if (strcmp(seal_http_method(request), "GET") != 0) {
		reply_text(request, 405, "GET only\n");
	} else if (!may_make_metrics(arg)) {
		seal_http_reply(request, 503, TYPE_TEXT, "too often\n", 10, 1);
	} else if (write_metrics(arg, &text, &err) < 0) {
		log_unanswered(arg, "/metrics", &err);
		reply_text(request, 503, "not now\n");
	} else {
		seal_http_reply(request, 200, SEAL_METRICS_TYPE, seal_bytes_str(&text), text.len,
				0);
	}
}

static void
get_status(struct proxy_control *control, struct seal_http_request *request)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_STATUS_MAX);
	const char *wanted = seal_http_query(request, "connections");
	bool with_conns = wanted != NULL && strcmp(wanted, "1") == 0;
	struct seal_err err = { 0 };

	if (wanted != NULL && !with_conns && strcmp(wanted, "0") != 0) {
		reply_error(request, 400, "invalid", "connections is 0 or 1");
	} else if (write_status(control, with_conns, &text, &err) < 0) {
		log_unanswered(control, "/v1/status", &err);
		reply_error(request, 503, "unavailable", err.text);
	} else {
		seal_http_reply(request, 200, TYPE_JSON, seal_bytes_str(&text), text.len, 0);
	}
}

/* The change is logged at whichever of the two levels still says it. */
static void
set_log_level(enum seal_level level)
{
	enum seal_level old = seal_log_level();

	if (level > old)
		seal_log_set_level(level);
	seal_log(SEAL_LOG_NOTICE, "log_level", SEAL_STR("from", seal_level_name(old)),
		 SEAL_STR("to", seal_level_name(level)));
	seal_log_set_level(level);
}

static void
put_log_level(struct proxy_control *control, struct seal_http_request *request)
{
	const char *wanted = seal_http_query(request, "level");
	enum seal_level level = SEAL_LOG_INFO;
	struct seal_err err = { 0 };

	(void)control; /* it is the process's */
	if (wanted == NULL) {
		reply_error(request, 400, "invalid", "write /v1/log-level?level=LEVEL");
	} else if (seal_level_parse(&level, wanted, &err) < 0) {
		reply_error(request, 400, "invalid", err.text);
	} else {
		set_log_level(level);
		seal_http_reply(request, 204, NULL, NULL, 0, 0);
	}
}

static const struct route {
	const char *method;
	const char *path;
	void (*handle)(struct proxy_control *control, struct seal_http_request *request);
} routes[] = {
	{ "GET", "/v1/status", get_status },
	{ "PUT", "/v1/log-level", put_log_level },
};

/* Our own user and root.  Who that is, the kernel knows since the connection was made. */
static bool
may_ask(const struct seal_http_request *request)
{
	uid_t uid = (uid_t)-1;

	return seal_http_peer_uid(request, &uid, NULL) == 0 && (uid == 0 || uid == geteuid());
}

static void
handle_local(void *arg, struct seal_http_request *request)
{
	const struct route *route = NULL;

	if (!may_ask(request)) {
		reply_error(request, 403, "refused", "only for the proxy's own user and root");
		return;
	}
	for (size_t i = 0; i < SEAL_COUNT(routes) && route == NULL; i++) {
		if (strcmp(seal_http_path(request), routes[i].path) == 0)
			route = &routes[i];
	}
	if (route == NULL)
		reply_error(request, 404, "missing", "no such path");
	else if (strcmp(seal_http_method(request), route->method) != 0)
		reply_error(request, 405, "refused", "not by this method");
	else
		route->handle(arg, request);
}

/* ---- doors ---- */

/* Whoever dies without closing leaves a socket behind, which seal_listen replaces.  The name goes first. */
static void
close_door(struct door *door)
{
	seal_socket_file_remove(&door->file, &door->endpoint);
	seal_http_free(door->http);
	*door = (struct door){ 0 };
}

/* Our umask is narrow, and others of the pod keep their sockets there. */
static int
make_folder(const char *path, struct seal_err *err)
{
	const char *slash = strrchr(path, '/');
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes folder = SEAL_BYTES(4096);
	int r;

	if (slash == NULL || slash == path)
		return 0;
	r = seal_bytes_append(&folder, path, (size_t)(slash - path), err);
	if (r < 0)
		return r;
	if (mkdir(seal_bytes_str(&folder), FOLDER_MODE) == 0) {
		if (chmod(seal_bytes_str(&folder), FOLDER_MODE) < 0)
			return seal_fail_errno(err, errno, "cannot set the mode of '%s'",
					       seal_bytes_str(&folder));
		return 0;
	}
	return errno == EEXIST ? 0
			       : seal_fail_errno(err, errno, "cannot make the folder '%s'",
						 seal_bytes_str(&folder));
}

static int
open_door(struct door *ret_door, struct proxy_control *control,
	  const struct seal_endpoint *endpoint, seal_http_fn handler, struct seal_err *err)
{
	const struct seal_http_config config = {
		.staging = control->staging,
		.max_connections = CONNECTIONS_MAX,
		.handshake_ms = REQUEST_MS,
		.request_ms = REQUEST_MS,
		.idle_ms = IDLE_MS,
		.reply_ms = REQUEST_MS,
		.handler = handler,
		.arg = control,
	};
	struct door door = { .endpoint = *endpoint };
	int fd = -1;
	int r = endpoint->is_unix ? make_folder(endpoint->host, err) : 0;

	if (r == 0)
		r = fd = seal_listen(endpoint, SOCKET_MODE, err);
	if (r < 0)
		return r;
	seal_socket_file_note(&door.file, endpoint);
	r = seal_http_new(&door.http, control->loop, &config, err);
	if (r == 0)
		r = seal_http_listen(door.http, fd, NULL, err);
	if (r < 0) {
		close_door(&door);
		seal_close(fd);
		return r;
	}
	*ret_door = door;
	return 0;
}

static int
open_local(struct proxy_control *control, const struct proxy_control_source *source,
	   struct seal_err *err)
{
	const struct seal_endpoint *endpoint = &source->config->control;
	struct seal_err why = { 0 };
	int r;

	if (!endpoint->is_unix)
		return seal_fail(err, SEAL_E_REFUSED, "--control: only a unix socket is private");
	r = open_door(&control->local, control, endpoint, handle_local, &why);
	if (r == 0)
		return 0;
	if (source->must_have_control)
		return seal_fail(err, (enum seal_code)r, "--control: %s", why.text);
	seal_log(SEAL_LOG_NOTICE, "no_control", SEAL_STR("path", endpoint->host),
		 SEAL_STR("reason", why.text));
	return 0;
}

static int
open_doors(struct proxy_control *control, const struct proxy_control_source *source,
	   struct seal_err *err)
{
	const struct proxy_config *config = source->config;
	int r = 0;

	if (config->has_metrics)
		r = open_door(&control->metrics, control, &config->metrics, handle_metrics, err);
	if (r < 0)
		return seal_note(err, r, "--metrics");
	return config->has_control ? open_local(control, source, err) : 0;
}

static int
make_agent_view(struct proxy_control *control, struct seal_err *err)
{
	if (control->agent == NULL)
		return 0;
	control->agent_view = calloc(1, sizeof(*control->agent_view));
	return control->agent_view == NULL ? seal_fail_memory(err) : 0;
}

int
proxy_control_open(struct proxy_control **ret_control, struct seal_loop *loop,
		   const struct proxy_control_source *source, struct seal_err *err)
{
	struct proxy_control *control = calloc(1, sizeof(*control));
	int r;

	if (control == NULL)
		return seal_fail_memory(err);
	control->loop = loop;
	control->staging = source->staging;
	control->fill = source->fill;
	control->arg = source->arg;
	control->agent = source->agent;
	control->news = source->news;
	control->started = seal_clock_now();
	control->started_ms = seal_loop_now_ms(loop);
	control->usage = seal_usage_open();
	r = make_agent_view(control, err);
	if (r == 0)
		r = open_doors(control, source, err);
	if (r < 0) {
		proxy_control_free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

void
proxy_control_free(struct proxy_control *control)
{
	if (control == NULL)
		return;
	close_door(&control->metrics);
	close_door(&control->local);
	seal_usage_close(control->usage);
	free(control->agent_view);
	free(control);
}
