/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: it begins, identities and configurations are swapped while connections go on, and it ends when
 * they have.  Doors are doors.c's, who comes in is porter.c's, what happens on a connection is conn.c's.
 */
#include "proxy/worker.h"

#include <stdatomic.h>

#include "base/log/log.h"
#include "base/loop/net.h"
#include "proxy/admit.h"
#include "proxy/doors.h"
#include "proxy/porter.h"

/* How often a drain tells how far it is. */
#define PROGRESS_MS 1000
/* And how often opening again is tried. */
#define REOPEN_MS 1000

struct proxy_worker {
	struct seal_loop *loop;
	struct proxy_conns *conns;
	struct proxy_doors *doors;
	struct proxy_counters gone; /* of listeners that have ended */
	struct seal_wake *wake;
	_Atomic(struct proxy_identity_state *) published; /* not yet taken by the worker */
	_Atomic(struct news *) news;                      /* the latest first */
	struct proxy_porter porter;
	struct seal_timer *drain;
	struct seal_timer *progress;
	seal_timer_fn on_drained;
	void *on_drained_arg;
	proxy_worker_failed_fn on_failed;
	void *on_failed_arg;
	struct seal_timer *reopen;
	uint64_t severed; /* of the state before */
	bool open;        /* listening */
	bool suspended;
	bool draining;
};

/* A certificate for a public listener, on its way from another thread. */
struct news {
	struct news *next;
	struct proxy_config *config; /* referenced */
	size_t index;
	struct proxy_public *public; /* referenced */
};

static void
on_knock(void *arg, struct proxy_door *door)
{
	struct proxy_worker *worker = arg;

	proxy_porter_answer(&worker->porter, worker->conns, door);
}

static int
make_doors(struct proxy_worker *worker, struct proxy_config *config, struct proxy_doors **ret_doors,
	   struct seal_err *err)
{
	const struct proxy_doors_config wanted = {
		.loop = worker->loop,
		.config = config,
		.gone = &worker->gone,
		.on_knock = on_knock,
		.arg = worker,
	};

	return proxy_doors_new(ret_doors, &wanted, worker->doors, worker->open, err);
}

static void
free_news(struct news *news)
{
	proxy_config_free(news->config);
	proxy_public_unref(news->public);
	free(news);
}

/* Of several for one listener the first in the list is the latest; older ones must not replace it. */
static void
take_news(struct proxy_worker *worker)
{
	struct news *news = atomic_exchange(&worker->news, NULL);
	struct news *oldest_first = NULL;
	struct news *next;

	for (; news != NULL; news = next) {
		next = news->next;
		news->next = oldest_first;
		oldest_first = news;
	}
	for (news = oldest_first; news != NULL; news = next) {
		next = news->next;
		if (news->config == proxy_doors_config(worker->doors)) {
			struct proxy_listener *listener =
				proxy_doors_at(worker->doors, news->index)->listener;
			struct proxy_public *before = listener->public;

			listener->public = news->public;
			news->public = before;
		}
		free_news(news);
	}
}

/* What is configured and can never happen was meant otherwise: said when either side of it changes. */
static void
warn_of_strangers(const struct proxy_worker *worker)
{
	const struct proxy_identity_state *state = proxy_conns_state(worker->conns);

	for (size_t i = 0; state != NULL && i < proxy_doors_count(worker->doors); i++) {
		const struct proxy_listener *listener = proxy_doors_at(worker->doors, i)->listener;
		const struct seal_strv *peers = &listener->config->peers;

		for (size_t k = 0; k < peers->count; k++)
			if (!proxy_admit_can_match(peers->items[k], listener->config, state))
				seal_log(SEAL_LOG_WARN, "peer_never_allowed",
					 SEAL_STR("listener", listener->name),
					 SEAL_STR("peer", peers->items[k]),
					 SEAL_STR("reason", "the root of trust allows no such "
							    "pair: seal peer allow"));
	}
}

/*
 * Counted, not looked at: the state by which nobody is met may have been overtaken by the next identity, and
 * connections made with the certificate that was withdrawn end all the same.
 */
static void
set_state(struct proxy_worker *worker, struct proxy_identity_state *state)
{
	bool severed = state->severed != worker->severed;

	worker->severed = state->severed;
	if (severed)
		proxy_conns_end_all(worker->conns,
				    "the root of trust has withdrawn our certificate");
	proxy_conns_set_state(worker->conns, state);
	if (state->not_after != 0) /* withdrawn: there is no policy to be a stranger to */
		warn_of_strangers(worker);
}

static void
on_published(void *arg)
{
	struct proxy_worker *worker = arg;
	struct proxy_identity_state *state = atomic_exchange(&worker->published, NULL);
	bool first = proxy_conns_state(worker->conns) == NULL;
	struct seal_err err = { 0 };

	take_news(worker);
	if (state == NULL)
		return;
	set_state(worker, state);
	proxy_state_unref(state);
	if (!first || worker->draining || worker->suspended)
		return;
	if (proxy_doors_open(worker->doors, &err) < 0)
		worker->on_failed(worker->on_failed_arg, &err);
	else
		worker->open = true;
}

/* ---- Pauses ---- */

void
proxy_worker_suspend(struct proxy_worker *worker, const char *reason)
{
	worker->suspended = true;
	seal_timer_disarm(worker->reopen);
	if (worker->draining)
		proxy_doors_close(worker->doors, true);
	else if (worker->open)
		proxy_doors_rest(worker->doors);
	worker->open = false;
	proxy_conns_end_all(worker->conns, reason);
}

/* All or none: who finds one listener open relies on the others. */
static void
reopen(void *arg)
{
	struct proxy_worker *worker = arg;
	struct seal_err err = { 0 };

	if (worker->suspended || worker->draining || worker->open ||
	    proxy_conns_state(worker->conns) == NULL)
		return;
	if (proxy_doors_open(worker->doors, &err) == 0) {
		worker->open = true;
		return;
	}
	proxy_doors_rest(worker->doors);
	seal_log(SEAL_LOG_ERROR, "not_opened_again", SEAL_STR("reason", err.text),
		 SEAL_U64("retry_in_ms", REOPEN_MS));
	seal_timer_arm(worker->reopen, REOPEN_MS);
}

void
proxy_worker_resume(struct proxy_worker *worker)
{
	worker->suspended = false;
	reopen(worker);
}

/* ---- Ends ---- */

static void
on_drain_deadline(void *arg)
{
	struct proxy_worker *worker = arg;

	proxy_doors_close(worker->doors, true);
	proxy_conns_end_all(worker->conns, "drain deadline");
}

static void
on_progress(void *arg)
{
	struct proxy_worker *worker = arg;

	seal_log(SEAL_LOG_NOTICE, "draining",
		 SEAL_U64("connections", proxy_conns_open(worker->conns)));
	seal_timer_arm(worker->progress, PROGRESS_MS);
}

static void
on_empty(void *arg)
{
	struct proxy_worker *worker = arg;
	seal_timer_fn fn = worker->on_drained;

	if (!worker->draining || fn == NULL)
		return;
	worker->on_drained = NULL;
	proxy_doors_close(worker->doors, true);
	seal_timer_disarm(worker->progress);
	seal_timer_disarm(worker->drain);
	fn(worker->on_drained_arg);
}

/*
 * Nobody new from the wire.  Our own applications may still call out: they are told to end at the same
 * time as we are, and some say goodbye.
 */
void
proxy_worker_drain(struct proxy_worker *worker, seal_timer_fn fn, void *arg)
{
	if (worker->draining)
		return;
	worker->draining = true;
	worker->on_drained = fn;
	worker->on_drained_arg = arg;
	proxy_doors_close(worker->doors, !worker->open);
	if (proxy_conns_open(worker->conns) == 0) {
		on_empty(worker);
		return;
	}
	seal_timer_arm(worker->drain, proxy_worker_config(worker)->drain_ms);
	seal_timer_arm(worker->progress, PROGRESS_MS);
}

int
proxy_worker_reload(struct proxy_worker *worker, struct proxy_config *config, struct seal_err *err)
{
	struct proxy_doors *doors = NULL;
	int r;

	if (worker->draining)
		return seal_fail(err, SEAL_E_REFUSED, "the proxy is ending");
	r = make_doors(worker, config, &doors, err);
	if (r < 0)
		return r;
	proxy_doors_take_over(doors, worker->doors, worker->open);
	worker->doors = doors;
	proxy_conns_set_config(worker->conns, config);
	warn_of_strangers(worker);
	return 0;
}

/* ---- Beginning ---- */

static int
make_parts(struct proxy_worker *worker, struct proxy_config *config, struct seal_err *err)
{
	int r = proxy_conns_new(&worker->conns, worker->loop, config, err);

	if (r == 0)
		r = seal_wake_new(&worker->wake, worker->loop, on_published, worker, err);
	if (r == 0)
		r = seal_timer_new(&worker->drain, worker->loop, on_drain_deadline, worker, err);
	if (r == 0)
		r = seal_timer_new(&worker->progress, worker->loop, on_progress, worker, err);
	if (r == 0)
		r = seal_timer_new(&worker->reopen, worker->loop, reopen, worker, err);
	if (r == 0)
		r = make_doors(worker, config, &worker->doors, err);
	return r;
}

int
proxy_worker_new(struct proxy_worker **ret_worker, struct seal_loop *loop,
		 struct proxy_config *config, proxy_worker_failed_fn on_failed, void *arg,
		 struct seal_err *err)
{
	SEAL_SCOPED(proxy_worker_freep)
	struct proxy_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (worker == NULL)
		return seal_fail_memory(err);
	worker->loop = loop;
	worker->on_failed = on_failed;
	worker->on_failed_arg = arg;
	proxy_porter_init(&worker->porter, &worker->gone);
	atomic_init(&worker->published, NULL);
	atomic_init(&worker->news, NULL);
	r = make_parts(worker, config, err);
	if (r < 0)
		return r;
	proxy_conns_on_empty(worker->conns, on_empty, worker);
	*ret_worker = SEAL_TAKE(worker);
	return 0;
}

static void
free_all_news(struct proxy_worker *worker)
{
	struct news *next;

	for (struct news *news = atomic_exchange(&worker->news, NULL); news != NULL; news = next) {
		next = news->next;
		free_news(news);
	}
}

void
proxy_worker_free(struct proxy_worker *worker)
{
	if (worker == NULL)
		return;
	worker->on_drained = NULL;
	proxy_conns_free(worker->conns);
	proxy_doors_free(worker->doors);
	seal_timer_free(worker->reopen);
	seal_timer_free(worker->progress);
	seal_timer_free(worker->drain);
	seal_wake_free(worker->wake);
	proxy_state_unref(atomic_exchange(&worker->published, NULL));
	free_all_news(worker);
	proxy_porter_release(&worker->porter);
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
proxy_worker_publish_public(struct proxy_worker *worker, struct proxy_config *config, size_t index,
			    struct proxy_public *public)
{
	struct news *news = malloc(sizeof(*news));

	if (news == NULL) {
		proxy_public_unref(public); /* the old certificate serves on */
		return;
	}
	*news = (struct news){ .config = proxy_config_ref(config),
			       .index = index,
			       .public = public,
			       .next = atomic_load(&worker->news) };
	while (!atomic_compare_exchange_weak(&worker->news, &news->next, news))
		;
	seal_wake_now(worker->wake);
}

/* ---- What there is ---- */

/* A listener that has no valid certificate left can serve nobody. */
static bool
can_serve(const struct proxy_listener *listener, int64_t now)
{
	return listener->public == NULL ||
	       proxy_public_over(listener->public, now) < listener->public->count;
}

static bool
has_what_it_needs(const struct proxy_worker *worker)
{
	int64_t now = seal_clock_now();

	if (worker->draining || !proxy_state_is_valid(proxy_conns_state(worker->conns), now))
		return false;
	for (size_t i = 0; i < proxy_doors_count(worker->doors); i++)
		if (!can_serve(proxy_doors_at(worker->doors, i)->listener, now))
			return false;
	return true;
}

bool
proxy_worker_is_ready(const struct proxy_worker *worker)
{
	return worker->open && has_what_it_needs(worker);
}

bool
proxy_worker_is_live(const struct proxy_worker *worker)
{
	return (worker->open || worker->suspended) && has_what_it_needs(worker);
}

bool
proxy_worker_is_draining(const struct proxy_worker *worker)
{
	return worker->draining;
}

uint16_t
proxy_worker_port(const struct proxy_worker *worker, size_t listener)
{
	return seal_listen_port(proxy_doors_at(worker->doors, listener)->fd);
}

const struct proxy_config *
proxy_worker_config(const struct proxy_worker *worker)
{
	return proxy_doors_config(worker->doors);
}

const struct proxy_identity_state *
proxy_worker_state(const struct proxy_worker *worker)
{
	return proxy_conns_state(worker->conns);
}

size_t
proxy_worker_listener_count(const struct proxy_worker *worker)
{
	return proxy_doors_count(worker->doors);
}

const struct proxy_listener *
proxy_worker_listener(const struct proxy_worker *worker, size_t index)
{
	return proxy_doors_at(worker->doors, index)->listener;
}

void
proxy_worker_totals(const struct proxy_worker *worker, struct proxy_counters *ret_totals)
{
	*ret_totals = worker->gone;
	for (size_t i = 0; i < proxy_doors_count(worker->doors); i++)
		proxy_counters_add(ret_totals,
				   &proxy_doors_at(worker->doors, i)->listener->counters);
	ret_totals->open = proxy_conns_open(worker->conns);
}

void
proxy_worker_each_conn(const struct proxy_worker *worker, proxy_conn_info_fn fn, void *arg)
{
	proxy_conns_each(worker->conns, fn, arg);
}

struct seal_staging *
proxy_worker_staging(const struct proxy_worker *worker)
{
	return proxy_conns_staging(worker->conns);
}
