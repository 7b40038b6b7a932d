/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is shown the page, and how often the store is asked for it.
 *
 *   request ─▶ Host ─▶ method ─▶ path ─▶ fresh copy? ─▶ 200
 *             421      405      404         │ no
 *                                           └─▶ asked of the store's thread, once for all who wait ─▶ 200
 *                                                                   │ too long, or it failed: 503
 *
 * A browser believes whatever name it was told: a page on the internet can give its own name our address and then read
 * what we answer (DNS rebinding).  So only names of this machine are answered.
 */
#include "rot/server/page_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "base/http/http.h"
#include "base/log/log.h"
#include "rot/server/api_internal.h"

#define MAX_CONNECTIONS 16
#define REQUEST_MS      5000
#define IDLE_MS         30000
#define REPLY_MS        10000
#define PATIENCE_MS     5000 /* how long somebody waits for the store */
/* A copy is shown for so long, and so many times as long as it took to make: reloads cost the store next to nothing. */
#define FRESH_MS       1000
#define FRESH_SHARE    20
#define STYLE_HASH_MAX 64
#define COPIES         8 /* documents that are kept */
#define TYPE_HTML      "text/html; charset=utf-8"
#define TYPE_TEXT      "text/plain; charset=utf-8"

struct target {
	enum rot_page_kind kind;
	char name[ROT_PAGE_NAME_MAX + 1];
};

struct waiter {
	struct waiter *next;
	struct seal_http_request *request;
};

enum copy_state { COPY_EMPTY, COPY_ASKED, COPY_THERE };

/* A document, or the wish for one. */
struct copy {
	struct rot_page *page;
	enum copy_state state;
	struct target target;
	struct waiter *waiters;
	struct seal_timer *patience;
	struct seal_bytes text;
	int result;
	uint64_t until_ms; /* fresh */
	uint64_t used_ms;
	bool is_asked; /* the store's thread has its task */
};

struct rot_page {
	struct seal_loop *loop;
	struct rot_api *api;
	struct seal_endpoint endpoint;
	struct seal_socket_file file;
	uint16_t port;
	struct seal_http *http;
	struct seal_log_limit failures;
	char headers[SEAL_HTTP_HEADERS_MAX];
	struct copy copies[COPIES];
};

/* What the store's thread makes. */
struct draw {
	struct rot_task task;
	struct copy *copy;
	struct rot_api *api;
	struct target target;
	struct seal_bytes text;
	int result;
	struct seal_err err;
	uint64_t took_us;
};

/* ---- Answers ---- */

static void
reply_text(struct seal_http_request *request, unsigned status, const char *text)
{
	seal_http_reply(request, status, TYPE_TEXT, text, strlen(text), status == 503 ? 1 : 0);
}

static void
reply_copy(struct seal_http_request *request, const struct copy *copy)
{
	if (copy->result == SEAL_E_MISSING)
		reply_text(request, 404, "there is no such workload\n");
	else if (copy->result < 0)
		reply_text(request, 503, "the store does not answer: try again\n");
	else
		seal_http_reply(request, 200, TYPE_HTML, copy->text.data, copy->text.len, 0);
}

static void
answer_waiters(struct copy *copy)
{
	struct waiter *waiter = copy->waiters;

	copy->waiters = NULL;
	seal_timer_disarm(copy->patience);
	while (waiter != NULL) {
		struct waiter *next = waiter->next;

		reply_copy(waiter->request, copy);
		free(waiter);
		waiter = next;
	}
}

static void
on_patience(void *arg)
{
	struct copy *copy = arg;

	copy->result = SEAL_E_TIMEOUT;
	answer_waiters(copy);
}

/* ---- In the store's thread ---- */

static int
write_page(struct draw *draw, struct seal_err *err)
{
	struct rot_api *api = draw->api;
	struct rot_expiries expiries;
	const struct rot_page_facts facts = { .trust_domain = api->meta.trust_domain,
					      .version = SEAL_VERSION,
					      .now = api->config.clock(),
					      .started = api->started_at,
					      .expiries = &expiries };
	int r = rot_expiries(api, facts.now, &expiries, err);

	return r < 0 ? r
		     : rot_page_write(api->config.store, &facts, draw->target.kind,
				      draw->target.name, &draw->text, err);
}

static void
run_draw(struct rot_task *task)
{
	struct draw *draw = (struct draw *)task;
	uint64_t began = seal_loop_now_us();

	draw->result = write_page(draw, &draw->err);
	draw->took_us = seal_loop_now_us() - began;
}

/* ---- And back ---- */

static void
drop_draw(struct rot_task *task)
{
	struct draw *draw = (struct draw *)task;

	seal_bytes_release(&draw->text);
	free(draw);
}

static void
log_failure(struct rot_page *page, const struct draw *draw)
{
	uint64_t missed;

	if (seal_log_may(&page->failures, 1, &missed))
		seal_log(SEAL_LOG_WARN, "page_failed", SEAL_STR("reason", draw->err.text),
			 SEAL_U64("missed", missed));
}

static void
end_draw(struct rot_task *task)
{
	struct draw *draw = (struct draw *)task;
	struct copy *copy = draw->copy;
	uint64_t fresh_ms = draw->took_us / 1000 * FRESH_SHARE;

	seal_bytes_release(&copy->text);
	copy->text = draw->text;
	draw->text = (struct seal_bytes){ 0 };
	copy->result = draw->result;
	copy->is_asked = false;
	/* A failure is told to who waited for it, and to nobody else. */
	copy->state = draw->result == 0 ? COPY_THERE : COPY_EMPTY;
	copy->until_ms =
		seal_loop_now_ms(copy->page->loop) + (fresh_ms > FRESH_MS ? fresh_ms : FRESH_MS);
	if (draw->result < 0 && draw->result != SEAL_E_MISSING)
		log_failure(copy->page, draw);
	answer_waiters(copy);
	drop_draw(task);
}

static int
ask_for(struct copy *copy)
{
	struct draw *draw = calloc(1, sizeof(*draw));

	if (draw == NULL)
		return SEAL_E_MEMORY;
	draw->task.run = run_draw;
	draw->task.done = end_draw;
	draw->task.drop = drop_draw;
	draw->copy = copy;
	draw->api = copy->page->api;
	draw->target = copy->target;
	seal_bytes_init(&draw->text, ROT_PAGE_DOCUMENT_MAX);
	copy->is_asked = true;
	copy->state = COPY_ASKED;
	rot_worker_add(draw->api->worker, &draw->task.job);
	return 0;
}

/* ---- Copies ---- */

static bool
is_of(const struct copy *copy, const struct target *target)
{
	return copy->state != COPY_EMPTY && copy->target.kind == target->kind &&
	       strcmp(copy->target.name, target->name) == 0;
}

/* The one of this target, or the one that was not used for longest; NULL: all are being made. */
static struct copy *
find_copy(struct rot_page *page, const struct target *target)
{
	struct copy *oldest = NULL;

	for (size_t i = 0; i < COPIES; i++) {
		struct copy *copy = &page->copies[i];

		if (is_of(copy, target))
			return copy;
		if (!copy->is_asked && (oldest == NULL || copy->used_ms < oldest->used_ms))
			oldest = copy;
	}
	if (oldest != NULL) {
		oldest->state = COPY_EMPTY;
		oldest->target = *target;
	}
	return oldest;
}

static int
wait_for(struct copy *copy, struct seal_http_request *request)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (waiter == NULL)
		return SEAL_E_MEMORY;
	if (!copy->is_asked && ask_for(copy) < 0) {
		free(waiter);
		return SEAL_E_MEMORY;
	}
	if (copy->waiters == NULL)
		seal_timer_arm(copy->patience, PATIENCE_MS);
	waiter->request = request;
	waiter->next = copy->waiters;
	copy->waiters = waiter;
	return 0;
}

static void
show(struct rot_page *page, const struct target *target, struct seal_http_request *request)
{
	struct copy *copy = find_copy(page, target);
	uint64_t now = seal_loop_now_ms(page->loop);

	if (copy == NULL) {
		reply_text(request, 503, "busy: try again\n");
		return;
	}
	copy->used_ms = now;
	if (copy->state == COPY_THERE && now < copy->until_ms)
		reply_copy(request, copy);
	else if (wait_for(copy, request) < 0)
		reply_text(request, 503, "out of memory\n");
}

/* ---- Requests ---- */

/* "localhost", a name below it (RFC 6761 section 6.3), or a loopback address. */
static bool
is_loopback_name(const char *host)
{
	struct seal_endpoint endpoint = { .port = 1 };
	size_t len = strlen(host);

	if (len > SEAL_HOSTNAME_MAX)
		return false;
	if (strcmp(host, "localhost") == 0 ||
	    (len > 10 && strcmp(host + len - 10, ".localhost") == 0))
		return true;
	memcpy(endpoint.host, host, len + 1);
	return seal_endpoint_is_local(&endpoint);
}

/* "name:port"; the port may be left out where it is HTTP's own.  Over the socket it says nothing. */
static bool
is_our_name(const struct rot_page *page, const char *sent)
{
	struct seal_endpoint endpoint = { .port = 80 };
	char host[SEAL_HOSTNAME_MAX + 8] = "";

	if (strlen(sent) >= sizeof(host))
		return false;
	/* Names are the same in capitals (RFC 4343). */
	for (size_t i = 0; sent[i] != '\0'; i++)
		host[i] = (char)tolower((unsigned char)sent[i]);
	if (is_loopback_name(host)) /* without a port */
		return page->endpoint.is_unix || page->port == 80;
	if (seal_endpoint_parse(&endpoint, host, NULL, NULL) < 0 || endpoint.is_unix)
		return false;
	return is_loopback_name(endpoint.host) &&
	       (page->endpoint.is_unix || endpoint.port == page->port);
}

/* SEAL_E_MISSING for what no document is. */
static int
parse_target(const struct seal_http_request *request, struct target *ret_target)
{
	const char *path = seal_http_path(request);
	const char *name = "";

	ret_target->kind = ROT_PAGE_HOME;
	if (strcmp(path, "/workloads") == 0) {
		ret_target->kind = ROT_PAGE_WORKLOADS;
		name = seal_http_query(request, "after");
		name = name != NULL ? name : "";
	} else if (strncmp(path, "/workload/", 10) == 0) {
		ret_target->kind = ROT_PAGE_WORKLOAD;
		name = path + 10;
	} else if (strcmp(path, "/") != 0) {
		return SEAL_E_MISSING;
	}
	if ((ret_target->kind == ROT_PAGE_WORKLOAD || name[0] != '\0') &&
	    seal_workload_check(name, NULL) < 0)
		return SEAL_E_MISSING;
	(void)snprintf(ret_target->name, sizeof(ret_target->name), "%s", name);
	return 0;
}

static bool
reads(const struct seal_http_request *request)
{
	const char *method = seal_http_method(request);

	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void
handle(void *arg, struct seal_http_request *request)
{
	struct rot_page *page = arg;
	struct target target = { 0 };

	if (!is_our_name(page, seal_http_host(request)))
		reply_text(request, 421, "only by the name localhost, or a loopback address\n");
	else if (!reads(request))
		reply_text(request, 405, "GET and HEAD only: changes are made with seal\n");
	else if (parse_target(request, &target) < 0)
		reply_text(request, 404, "not found\n");
	else
		show(page, &target, request);
}

/* ---- Beginning and end ---- */

int
rot_page_check(const struct seal_endpoint *endpoint, struct seal_err *err)
{
	if (seal_endpoint_is_local(endpoint))
		return 0;
	return seal_fail(err, SEAL_E_USAGE,
			 "the page is for this machine alone: give a loopback address or "
			 "unix:PATH, not '%s'",
			 endpoint->host);
}

/* As a policy spells it: the letters of base64 with their filling, not base64url's. */
static int
hash_style(char out[static STYLE_HASH_MAX], struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes base64 = SEAL_BYTES(STYLE_HASH_MAX);
	uint8_t hash[SEAL_HASH_LEN];
	int r = seal_sha256(hash, page_style, strlen(page_style), err);

	if (r == 0)
		r = seal_base64url_encode(&base64, hash, sizeof(hash), err);
	if (r < 0)
		return r;
	(void)snprintf(out, STYLE_HASH_MAX, "%s=", seal_bytes_str(&base64));
	for (char *at = out; *at != '\0'; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	return 0;
}

/* Nothing but our own style, and pictures that are in the document. */
static int
make_headers(struct rot_page *page, struct seal_err *err)
{
	char hash[STYLE_HASH_MAX];
	int r = hash_style(hash, err);

	if (r < 0)
		return r;
	(void)snprintf(page->headers, sizeof(page->headers),
		       "Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
		       "img-src 'self' data:; base-uri 'none'; form-action 'none'; "
		       "frame-ancestors 'none'\r\n"
		       "X-Content-Type-Options: nosniff\r\n"
		       "X-Frame-Options: DENY\r\n"
		       "Referrer-Policy: no-referrer\r\n"
		       "Cross-Origin-Opener-Policy: same-origin\r\n"
		       "Cross-Origin-Resource-Policy: same-origin\r\n",
		       hash);
	return 0;
}

static int
make_copies(struct rot_page *page, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < COPIES; i++) {
		page->copies[i].page = page;
		r = seal_timer_new(&page->copies[i].patience, page->loop, on_patience,
				   &page->copies[i], err);
	}
	return r;
}

static int
serve(struct rot_page *page, struct seal_staging *staging, struct seal_err *err)
{
	const struct seal_http_config config = {
		.staging = staging,
		.max_connections = MAX_CONNECTIONS,
		.handshake_ms = REQUEST_MS,
		.request_ms = REQUEST_MS,
		.idle_ms = IDLE_MS,
		.reply_ms = REPLY_MS,
		.handler = handle,
		.arg = page,
		.headers = page->headers,
	};
	int fd;
	int r = seal_http_new(&page->http, page->loop, &config, err);

	if (r < 0)
		return r;
	fd = seal_listen(&page->endpoint, 0600, err);
	if (fd < 0)
		return fd;
	seal_socket_file_note(&page->file, &page->endpoint);
	page->port = page->endpoint.is_unix ? 0 : seal_listen_port(fd);
	r = seal_http_listen(page->http, fd, NULL, err);
	if (r < 0)
		(void)close(fd); /* nobody connected yet */
	return r;
}

int
rot_page_open(struct rot_page **ret_page, struct seal_loop *loop, struct seal_staging *staging,
	      const struct seal_endpoint *endpoint, struct rot_api *api, struct seal_err *err)
{
	struct rot_page *page = calloc(1, sizeof(*page));
	int r;

	if (page == NULL)
		return seal_fail_memory(err);
	page->loop = loop;
	page->api = api;
	page->endpoint = *endpoint;
	r = rot_page_check(endpoint, err);
	if (r == 0)
		r = make_headers(page, err);
	if (r == 0)
		r = make_copies(page, err);
	if (r == 0)
		r = serve(page, staging, err);
	if (r < 0) {
		rot_page_close(page);
		return seal_note(err, r, "--page");
	}
	*ret_page = page;
	return 0;
}

/* The store's thread has ended: no task comes back any more. */
void
rot_page_close(struct rot_page *page)
{
	if (page == NULL)
		return;
	seal_socket_file_remove(&page->file, &page->endpoint);
	seal_http_free(page->http);
	for (size_t i = 0; i < COPIES; i++) {
		struct copy *copy = &page->copies[i];

		while (copy->waiters != NULL) {
			struct waiter *next = copy->waiters->next;

			free(copy->waiters);
			copy->waiters = next;
		}
		seal_timer_free(copy->patience);
		seal_bytes_release(&copy->text);
	}
	free(page);
}
