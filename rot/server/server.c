/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires the API to the world and watches over what may end.  Decides nothing about requests.
 *
 * Connections are this thread's; the store and the signer, which are waited for, have one of their own.
 */

#include "rot/server/server.h"

#include <signal.h>
#include <unistd.h>

#include "base/http/health.h"
#include "base/http/http.h"
#include "base/log/log.h"
#include "rot/server/api.h"
#include "rot/server/est.h"
#include "rot/server/est_serve.h"
#include "rot/server/metrics.h"
#include "rot/server/page.h"
#include "rot/wire/wire.h"

#define MAX_CONNECTIONS 16384 /* one for each pod that waits for news, and some */
/* Of those who may come without a certificate: they are not to take the places of the others. */
#define MAX_EST_CONNECTIONS 256
#define HANDSHAKE_MS        10000
#define REQUEST_MS          15000 /* 64 KiB in a quarter of a minute: slower is no client of ours */
#define IDLE_MS             60000
#define REPLY_MS            30000
#define DRAIN_MS            30000
#define LOOK_MS             2000
#define DAY                 86400
/* The first time soon: not every root of trust runs for a day. */
#define FIRST_MS 1000
/*
 * Whether a day has gone by is asked of the clock each minute, not of a timer: a machine that slept, or whose clock was
 * set, has another idea of it.  After a failure the same: the certificate at hand lives for six more days.
 */
#define TICK_MS 60000
/* What is forgotten is forgotten in steps, with time for requests between them. */
#define PURGE_AGAIN_MS 200

struct rot_server {
	struct seal_loop *loop;
	struct rot_signer *signer;
	struct rot_api *api;
	struct seal_staging *staging;
	struct seal_http *http;
	struct seal_http *est; /* NULL: not served */
	struct seal_health *health;
	struct rot_page *page;
	struct seal_usage_source *usage;
	struct seal_timer *look;
	struct seal_timer *daily;
	struct seal_timer *deadline;
	struct seal_signal *terminate;
	struct seal_signal *interrupt;
	struct seal_signal *hangup;
	struct seal_watch *signer_watch;
	struct seal_endpoint local;
	uint16_t port;
	uint16_t est_port;
	uint32_t tidied;    /* connections when memory was last given back */
	unsigned undrained; /* HTTP servers that still have connections */
	bool draining;
	bool failed;
	bool purging;    /* the day's other work is done */
	bool in_upkeep;  /* it is being done */
	bool hung_up;    /* to be done whole when that is over */
	bool reloading;  /* it is done because somebody asked */
	int64_t kept_at; /* when it was last; 0: never */
	int64_t (*clock)(void);
	uint64_t tick_ms;
};

static int start(struct rot_server *server, const struct rot_server_config *config,
		 struct rot_store *store, struct seal_err *err);
static void on_daily(void *arg);
static void on_look(void *arg);
static void begin_reload(struct rot_server *server);
static void on_hangup(void *arg, int number);
static void on_deadline(void *arg);
static void on_signal(void *arg, int number);
static void on_signer(void *arg, bool readable, bool writable);
static void on_drained(void *arg);

int
rot_server_new(struct rot_server **ret_server, struct seal_loop *loop,
	       const struct rot_server_config *config, struct rot_store *store,
	       struct rot_signer *signer, struct seal_err *err)
{
	SEAL_SCOPED(rot_server_freep) struct rot_server *server = calloc(1, sizeof(*server));
	int r;

	if (server == NULL)
		return seal_fail_memory(err);
	server->loop = loop;
	server->signer = signer;
	server->clock = config->clock != NULL ? config->clock : seal_clock_now;
	server->tick_ms = config->tick_ms != 0 ? config->tick_ms : TICK_MS;
	r = start(server, config, store, err);
	if (r < 0)
		return r;
	*ret_server = SEAL_TAKE(server);
	return 0;
}

void
rot_server_free(struct rot_server *server)
{
	if (server == NULL)
		return;
	seal_watch_free(server->signer_watch);
	seal_signal_free(server->terminate);
	seal_signal_free(server->interrupt);
	seal_signal_free(server->hangup);
	seal_timer_free(server->look);
	seal_timer_free(server->daily);
	seal_timer_free(server->deadline);
	if (server->api != NULL)
		rot_api_stop(server->api); /* first: it reads requests */
	seal_http_free(server->http);
	seal_http_free(server->est);
	seal_health_free(server->health);
	rot_page_close(server->page);
	seal_usage_close(server->usage);
	seal_staging_free(server->staging);
	rot_api_free(server->api);
	if (server->local.is_unix)
		(void)unlink(server->local.host); /* a stale socket is replaced at the next start */
	free(server);
}

void
rot_server_freep(struct rot_server **server)
{
	rot_server_free(*server);
	*server = NULL;
}

void
rot_server_drain(struct rot_server *server)
{
	if (server->draining) {
		seal_loop_stop(server->loop);
		return;
	}
	server->draining = true;
	seal_timer_arm(server->deadline, DRAIN_MS);
	rot_api_drain(server->api);
	server->undrained = server->est != NULL ? 2 : 1;
	seal_http_drain(server->http, on_drained, server);
	if (server->est != NULL)
		seal_http_drain(server->est, on_drained, server);
}

size_t
rot_server_waiting(const struct rot_server *server)
{
	return rot_api_waiting(server->api);
}

uint16_t
rot_server_port(const struct rot_server *server)
{
	return server->port;
}

uint16_t
rot_server_est_port(const struct rot_server *server)
{
	return server->est_port;
}

bool
rot_server_failed(const struct rot_server *server)
{
	return server->failed;
}

static int
make_api(struct rot_server *server, const struct rot_server_config *config, struct rot_store *store,
	 struct seal_err *err)
{
	const struct rot_api_config api = {
		.loop = server->loop,
		.store = store,
		.signer = server->signer,
		.rate_per_egg = config->rate_per_egg,
		.rate_per_address = config->rate_per_address,
		.lifetime = config->lifetime,
		.clock = server->clock,
	};

	return rot_api_new(&server->api, &api, err);
}

static int
make_http(struct rot_server *server, struct seal_err *err)
{
	const struct seal_http_config config = {
		.staging = server->staging,
		.max_body = ROT_MAX_BODY,
		.limit = rot_api_body_limit,
		.max_connections = MAX_CONNECTIONS,
		.handshake_ms = HANDSHAKE_MS,
		.request_ms = REQUEST_MS,
		.idle_ms = IDLE_MS,
		.reply_ms = REPLY_MS,
		.handler = rot_api_handle,
		.verify = rot_api_verify,
		.free_client = rot_api_free_client,
		.arg = server->api,
	};

	return seal_http_new(&server->http, server->loop, &config, err);
}

static int
make_est(struct rot_server *server, struct seal_err *err)
{
	const struct seal_http_config config = {
		.staging = server->staging,
		.max_body = ROT_EST_MAX_BODY,
		.max_connections = MAX_EST_CONNECTIONS,
		.handshake_ms = HANDSHAKE_MS,
		.request_ms = REQUEST_MS,
		.idle_ms = REQUEST_MS, /* they come once */
		.reply_ms = REPLY_MS,
		.handler = rot_est_handle,
		.verify = rot_api_verify,
		.anonymous = true,
		.free_client = rot_api_free_client,
		.arg = server->api,
	};

	return seal_http_new(&server->est, server->loop, &config, err);
}

/* The descriptor belongs to the server on success, to nobody after a failure. */
static int
serve(struct seal_http *http, const struct seal_endpoint *endpoint, struct seal_tls *tls,
      uint16_t *ret_port, struct seal_err *err)
{
	char text[SEAL_HOSTNAME_MAX + 16];
	int fd, r;

	seal_endpoint_format(endpoint, text);
	fd = seal_listen(endpoint, 0600, err);
	if (fd < 0)
		return seal_note(err, fd, "cannot listen on %s", text);
	*ret_port = endpoint->is_unix ? 0 : seal_listen_port(fd);
	r = seal_http_listen(http, fd, tls, err);
	if (r < 0)
		(void)close(fd); /* nobody has used it yet */
	return r;
}

static int
listen_all(struct rot_server *server, const struct rot_server_config *config, struct seal_err *err)
{
	SEAL_SCOPED(seal_tls_unrefp) struct seal_tls *tls = NULL;
	uint16_t none;
	int r;

	r = rot_api_credential(server->api, &tls, err);
	if (r == 0)
		r = serve(server->http, &config->listen, tls, &server->port, err);
	if (r == 0)
		r = serve(server->http, &config->local, NULL, &none, err);
	if (r < 0)
		return r;
	server->local = config->local; /* ours to remove from now on */
	if (!config->has_est)
		return 0;
	r = make_est(server, err);
	return r < 0 ? r : serve(server->est, &config->est, tls, &server->est_port, err);
}

/* Who is asked to end sends nobody here any more. */
static bool
is_ready(void *arg)
{
	struct rot_server *server = arg;

	return rot_api_is_ready(server->api) && !server->draining && !server->failed;
}

static int
write_metrics(void *arg, struct seal_bytes *out, struct seal_err *err)
{
	struct rot_server *server = arg;
	struct rot_view view = { .is_ready = is_ready(server),
				 .is_draining = server->draining,
				 .connections = seal_http_connections(server->http) };

	seal_usage_read(server->usage, &view.usage);
	return rot_api_metrics(server->api, &view, out, err);
}

static int
start_health(struct rot_server *server, const struct rot_server_config *config,
	     struct seal_err *err)
{
	const struct seal_health_config health = {
		.endpoint = config->health,
		.staging = server->staging,
		.is_ready = is_ready,
		.metrics = write_metrics,
		.arg = server,
	};

	if (!config->has_health)
		return 0;
	server->usage = seal_usage_open();
	return seal_health_new(&server->health, server->loop, &health, err);
}

static int
watch(struct rot_server *server, struct seal_err *err)
{
	int r;

	r = seal_timer_new(&server->daily, server->loop, on_daily, server, err);
	if (r == 0)
		r = seal_timer_new(&server->deadline, server->loop, on_deadline, server, err);
	if (r == 0)
		r = seal_signal_new(&server->terminate, server->loop, SIGTERM, on_signal, server,
				    err);
	if (r == 0)
		r = seal_signal_new(&server->interrupt, server->loop, SIGINT, on_signal, server,
				    err);
	if (r == 0)
		r = seal_signal_new(&server->hangup, server->loop, SIGHUP, on_hangup, server, err);
	if (r == 0)
		r = seal_timer_new(&server->look, server->loop, on_look, server, err);
	if (r == 0)
		r = seal_watch_new(&server->signer_watch, server->loop,
				   rot_signer_fd(server->signer), on_signer, server, err);
	if (r < 0)
		return r;
	seal_watch_want(server->signer_watch, true, false);
	seal_timer_arm(server->daily, FIRST_MS);
	seal_timer_arm(server->look, LOOK_MS);
	return 0;
}

/* An operator's word: from now on the store's idea of the time is ours. */
static int
accept_clock(const struct rot_server *server, struct rot_store *store, struct seal_err *err)
{
	int64_t now = server->clock();

	if (now < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_REFUSED,
				 "--accept-clock: the clock of this machine is not set");
	seal_log(SEAL_LOG_NOTICE, "clock_accepted", SEAL_U64("time", (uint64_t)now));
	return rot_store_set_clock(store, now, err);
}

static int
start(struct rot_server *server, const struct rot_server_config *config, struct rot_store *store,
      struct seal_err *err)
{
	int r = config->accept_clock ? accept_clock(server, store, err) : 0;

	if (r == 0)
		r = make_api(server, config, store, err);
	if (r == 0)
		r = seal_staging_new(&server->staging, err);
	if (r == 0)
		r = make_http(server, err);
	if (r == 0)
		r = watch(server, err);
	if (r == 0)
		r = listen_all(server, config, err);
	if (r == 0)
		r = start_health(server, config, err);
	if (r == 0 && config->has_page)
		r = rot_page_open(&server->page, server->loop, server->staging, &config->page,
				  server->api, err);
	return r;
}

static void
say_upkeep(struct rot_server *server, int result, const struct seal_err *err)
{
	if (result < 0)
		seal_log(SEAL_LOG_ERROR,
			 server->reloading ? "reload_failed" : "daily_renewal_failed",
			 SEAL_STR("reason", err->text));
	else if (server->reloading)
		seal_log(SEAL_LOG_NOTICE, "reloaded");
	server->reloading = false;
}

static void
on_upkeep(void *arg, struct seal_tls *tls, int result, const struct seal_err *err)
{
	struct rot_server *server = arg;

	if (tls != NULL)
		seal_http_set_tls(server->http, tls);
	if (tls != NULL && server->est != NULL)
		seal_http_set_tls(server->est, tls);
	server->in_upkeep = false;
	if (server->hung_up) {
		begin_reload(server);
		return;
	}
	say_upkeep(server, result, err);
	server->purging = result == 1;
	server->kept_at = result == 0 ? server->clock() : 0;
	seal_timer_arm(server->daily, result > 0 ? PURGE_AGAIN_MS : server->tick_ms);
}

static bool
is_due(const struct rot_server *server)
{
	int64_t now = server->clock();

	return server->kept_at == 0 || now < server->kept_at - TICK_MS / 1000 ||
	       now >= server->kept_at + DAY;
}

static void
on_daily(void *arg)
{
	struct rot_server *server = arg;
	struct seal_err err = { 0 };
	int r;

	if (!is_due(server)) {
		seal_timer_arm(server->daily, server->tick_ms);
		return;
	}
	server->in_upkeep = true;
	r = rot_api_upkeep(server->api, server->purging, on_upkeep, server, &err);
	if (r < 0)
		on_upkeep(server, NULL, r, &err);
}

/* The day's work, now, and whole. */
static void
begin_reload(struct rot_server *server)
{
	server->hung_up = false;
	server->reloading = true;
	server->purging = false;
	server->kept_at = 0;
	seal_timer_disarm(server->daily);
	on_daily(server);
}

/* What is under way is finished first. */
static void
on_hangup(void *arg, int number)
{
	struct rot_server *server = arg;

	(void)number;
	if (server->draining)
		return;
	server->hung_up = true;
	if (!server->in_upkeep)
		begin_reload(server);
}

/*
 * A handshake needs three times the memory that a pod does which waits for news, and leaves holes between those that
 * stay: with thousands of pods they are worth more than all else.  Fewer connections are not worth the time.
 */
static void
tidy(struct rot_server *server)
{
	const uint32_t many = 256;
	uint32_t now = seal_http_connections(server->http);

	if (now >= many || server->tidied >= many)
		seal_memory_tidy();
	server->tidied = now;
}

static void
on_look(void *arg)
{
	struct rot_server *server = arg;

	rot_api_look(server->api);
	tidy(server);
	seal_timer_arm(server->look, LOOK_MS);
}

static void
on_deadline(void *arg)
{
	struct rot_server *server = arg;

	seal_log(SEAL_LOG_WARN, "drain_deadline");
	seal_loop_stop(server->loop);
}

static void
on_signal(void *arg, int number)
{
	struct rot_server *server = arg;

	seal_log(SEAL_LOG_NOTICE, "stopping", SEAL_U64("signal", (uint64_t)number));
	rot_server_drain(server);
}

/* Between two calls the signer has nothing to say: it can only have gone. */
static void
on_signer(void *arg, bool readable, bool writable)
{
	struct rot_server *server = arg;

	(void)writable;
	if (!readable)
		return;
	seal_log(SEAL_LOG_ERROR, "signer_died");
	server->failed = true;
	seal_watch_want(server->signer_watch, false, false);
	seal_loop_stop(server->loop);
}

static void
on_drained(void *arg)
{
	struct rot_server *server = arg;

	if (--server->undrained == 0)
		seal_loop_stop(server->loop);
}
