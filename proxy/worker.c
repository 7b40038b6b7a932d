/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners: bound first, listening once there is an identity, silent for a moment when the system has
 * no descriptor left, closed when the worker drains.  What happens on a connection is conn.c's.
 */
#include "proxy/worker.h"

#include <stdatomic.h>

#include "base/fs/fs.h"
#include "base/log/log.h"
#include "base/loop/net.h"

/* Accepted per readiness: a flood of arrivals must not starve the connections there are. */
#define ACCEPT_BATCH 64
/* How long a listener rests when accepting fails (no descriptors, no memory). */
#define ACCEPT_REST_MS 100
/*
 * Every process of the pod may connect to a loopback port; a unix socket is open to the same ones,
 * and its directory can narrow that.
 */
#define UNIX_MODE 0666

struct worker_listener {
	struct proxy_worker *worker;
	struct proxy_listener listener;
	int fd;
	struct seal_watch *watch;
	struct seal_timer *rest;
};

struct proxy_worker {
	struct seal_loop *loop;
	const struct proxy_config *config;
	struct proxy_conns *conns;
	struct worker_listener *listeners;
	size_t listener_count;
	struct seal_wake *wake;
	_Atomic(struct proxy_identity_state *) published; /* not yet taken by the worker */
	struct seal_timer *drain;
	seal_timer_fn on_drained;
	void *on_drained_arg;
	proxy_worker_failed_fn on_failed;
	void *on_failed_arg;
	bool open; /* listening */
	bool draining;
	struct seal_log_limit accept_limit;
	struct seal_log_limit identity_limit;
};

static void
close_listener(struct worker_listener *listener)
{
	seal_timer_free(SEAL_TAKE(listener->rest));
	seal_watch_free(SEAL_TAKE(listener->watch));
	seal_closep(&listener->fd);
}

static void
log_shortage(struct worker_listener *listener, const struct seal_err *err)
{
	uint64_t missed;

	if (seal_log_may(&listener->worker->accept_limit, 1, &missed))
		seal_log(SEAL_LOG_WARN, "accept_failed",
			 SEAL_STR("listener", listener->listener.name),
			 SEAL_STR("reason", err->text), SEAL_U64("missed", missed));
}

/* Fail closed: without a valid certificate of our own nobody is served, and nobody waits. */
static void
turn_away(struct worker_listener *listener, int fd)
{
	struct proxy_worker *worker = listener->worker;
	uint64_t missed;

	seal_close(fd);
	proxy_conns_counters(worker->conns)->no_identity++;
	if (seal_log_may(&worker->identity_limit, 1, &missed))
		seal_log(SEAL_LOG_WARN, "no_identity",
			 SEAL_STR("listener", listener->listener.name),
			 SEAL_STR("reason", "our certificate is not valid now"),
			 SEAL_U64("missed", missed));
}

static void
on_acceptable(void *arg, bool readable, bool writable)
{
	struct worker_listener *listener = arg;
	struct proxy_worker *worker = listener->worker;

	(void)readable;
	(void)writable;
	for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage addr = { 0 };
		socklen_t len = sizeof(addr);
		struct seal_err err = { 0 };
		int fd = seal_accept(listener->fd, &addr, &len, &err);

		if (fd == SEAL_E_TIMEOUT)
			return;
		if (fd < 0) {
			log_shortage(listener, &err);
			seal_watch_want(listener->watch, false, false);
			seal_timer_arm(listener->rest, ACCEPT_REST_MS);
			return;
		}
		if (proxy_state_is_valid(proxy_conns_state(worker->conns), seal_clock_now()))
			proxy_conns_accept(worker->conns, &listener->listener, fd,
					   (const struct sockaddr *)&addr, len);
		else
			turn_away(listener, fd);
	}
}

static void
on_rested(void *arg)
{
	struct worker_listener *listener = arg;

	seal_watch_want(listener->watch, true, false);
}

static int
open_listener(struct worker_listener *listener, struct proxy_worker *worker,
	      const struct proxy_listener_config *config, struct seal_err *err)
{
	int r;

	listener->worker = worker;
	listener->listener.config = config;
	seal_endpoint_format(&config->listen, listener->listener.name);
	listener->fd = seal_bind(&config->listen, UNIX_MODE, err);
	if (listener->fd < 0)
		return listener->fd;
	r = seal_watch_new(&listener->watch, worker->loop, listener->fd, on_acceptable, listener,
			   err);
	if (r == 0)
		r = seal_timer_new(&listener->rest, worker->loop, on_rested, listener, err);
	return r;
}

static int
open_listeners(struct proxy_worker *worker, struct seal_err *err)
{
	const struct proxy_config *config = worker->config;

	worker->listeners = calloc(config->listener_count, sizeof(*worker->listeners));
	if (worker->listeners == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < config->listener_count; i++)
		worker->listeners[i].fd = -1;
	worker->listener_count = config->listener_count;
	for (size_t i = 0; i < config->listener_count; i++) {
		int r = open_listener(&worker->listeners[i], worker, &config->listeners[i], err);

		if (r < 0)
			return config->listeners[i].origin == NULL
				       ? r
				       : seal_note(err, r, "%s", config->listeners[i].origin);
	}
	return 0;
}

/* From here on peers and applications can connect. */
static void
open_doors(struct proxy_worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++) {
		struct worker_listener *listener = &worker->listeners[i];
		struct seal_err err = { 0 };
		int r = seal_bind_listen(&listener->listener.config->listen, listener->fd, &err);

		if (r < 0) {
			worker->on_failed(worker->on_failed_arg, &err);
			return;
		}
		seal_watch_want(listener->watch, true, false);
	}
	worker->open = true;
}

static void
on_published(void *arg)
{
	struct proxy_worker *worker = arg;
	struct proxy_identity_state *state = atomic_exchange(&worker->published, NULL);
	bool first = proxy_conns_state(worker->conns) == NULL;

	if (state == NULL)
		return;
	proxy_conns_set_state(worker->conns, state);
	proxy_state_unref(state);
	if (first && !worker->draining)
		open_doors(worker);
}

static void
on_drain_deadline(void *arg)
{
	struct proxy_worker *worker = arg;

	proxy_conns_end_all(worker->conns, "drain deadline");
}

static void
on_empty(void *arg)
{
	struct proxy_worker *worker = arg;
	seal_timer_fn fn = worker->on_drained;

	if (!worker->draining || fn == NULL)
		return;
	worker->on_drained = NULL;
	seal_timer_disarm(worker->drain);
	fn(worker->on_drained_arg);
}

int
proxy_worker_new(struct proxy_worker **ret_worker, struct seal_loop *loop,
		 const struct proxy_config *config, proxy_worker_failed_fn on_failed, void *arg,
		 struct seal_err *err)
{
	SEAL_SCOPED(proxy_worker_freep)
	struct proxy_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (worker == NULL)
		return seal_fail_memory(err);
	worker->loop = loop;
	worker->config = config;
	worker->on_failed = on_failed;
	worker->on_failed_arg = arg;
	atomic_init(&worker->published, NULL);
	r = proxy_conns_new(&worker->conns, loop, config, err);
	if (r == 0)
		r = seal_wake_new(&worker->wake, loop, on_published, worker, err);
	if (r == 0)
		r = seal_timer_new(&worker->drain, loop, on_drain_deadline, worker, err);
	if (r == 0)
		r = open_listeners(worker, err);
	if (r < 0)
		return r;
	proxy_conns_on_empty(worker->conns, on_empty, worker);
	*ret_worker = SEAL_TAKE(worker);
	return 0;
}

void
proxy_worker_free(struct proxy_worker *worker)
{
	if (worker == NULL)
		return;
	worker->on_drained = NULL;
	for (size_t i = 0; i < worker->listener_count; i++)
		close_listener(&worker->listeners[i]);
	proxy_conns_free(worker->conns);
	seal_timer_free(worker->drain);
	seal_wake_free(worker->wake);
	proxy_state_unref(atomic_exchange(&worker->published, NULL));
	free(worker->listeners);
	free(worker);
}

void
proxy_worker_freep(struct proxy_worker **worker)
{
	proxy_worker_free(*worker);
	*worker = NULL;
}

void
proxy_worker_publish(struct proxy_worker *worker, struct proxy_identity_state *state)
{
	/* What the worker has not taken yet is overtaken. */
	proxy_state_unref(atomic_exchange(&worker->published, state));
	seal_wake_now(worker->wake);
}

void
proxy_worker_drain(struct proxy_worker *worker, seal_timer_fn fn, void *arg)
{
	if (worker->draining)
		return;
	worker->draining = true;
	worker->on_drained = fn;
	worker->on_drained_arg = arg;
	for (size_t i = 0; i < worker->listener_count; i++)
		close_listener(&worker->listeners[i]);
	if (proxy_conns_counters(worker->conns)->open == 0)
		on_empty(worker);
	else
		seal_timer_arm(worker->drain, worker->config->drain_ms);
}

bool
proxy_worker_is_ready(const struct proxy_worker *worker)
{
	return worker->open && !worker->draining &&
	       proxy_state_is_valid(proxy_conns_state(worker->conns), seal_clock_now());
}

uint16_t
proxy_worker_port(const struct proxy_worker *worker, size_t listener)
{
	return seal_listen_port(worker->listeners[listener].fd);
}

const struct proxy_counters *
proxy_worker_counters(const struct proxy_worker *worker)
{
	return proxy_conns_counters(worker->conns);
}

struct seal_staging *
proxy_worker_staging(const struct proxy_worker *worker)
{
	return proxy_conns_staging(worker->conns);
}
