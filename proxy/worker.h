/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_WORKER_H
#define SEAL_PROXY_WORKER_H

/*
 * A thread's worth of proxy: listeners, and the connections accepted on them.  Everything here
 * belongs to the loop's thread, except what publishes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "proxy/conn.h"
#include "proxy/proxy.h"

struct proxy_worker;

/* Called when the bound addresses turn out not to be ours after all: the worker cannot serve. */
typedef void (*proxy_worker_failed_fn)(void *arg, const struct seal_err *err);

/*
 * Bind every listener, so that a port in use is found before anything else is done.  Nobody can
 * connect before the first state is published.  The worker takes a reference of config.
 */
SEAL_CHECKED int proxy_worker_new(struct proxy_worker **ret_worker, struct seal_loop *loop,
				  struct proxy_config *config, proxy_worker_failed_fn on_failed,
				  void *arg, struct seal_err *err);
/* Ends listeners and connections at once. */
void proxy_worker_free(struct proxy_worker *worker);
void proxy_worker_freep(struct proxy_worker **worker);

/* Hand over a new state, of which the caller's reference is taken.  From any thread. */
void proxy_worker_publish(struct proxy_worker *worker, struct proxy_identity_state *state);

/*
 * A public listener, the index-th of config, has another certificate; the caller's reference of public
 * is taken.  Forgotten when the worker serves by another configuration meanwhile.  From any thread.
 */
void proxy_worker_publish_public(struct proxy_worker *worker, struct proxy_config *config,
				 size_t index, struct proxy_public *public);

/*
 * Stop accepting and let connections end by themselves, for at most the configured drain time; fn is
 * called once, when the last one has gone; at once when there is none.
 */
void proxy_worker_drain(struct proxy_worker *worker, seal_timer_fn fn, void *arg);

/*
 * Serve by another configuration: what may fail is prepared first (addresses bound, certificates
 * loaded), then all is swapped at once.  A failure changes nothing.  Listeners whose address stays keep
 * their socket, live connections are held against what their listener says now, and those of
 * listeners that are gone end by themselves.
 */
SEAL_CHECKED int proxy_worker_reload(struct proxy_worker *worker, struct proxy_config *config,
				     struct seal_err *err);

/*
 * Until it is resumed nobody can connect and no connection lives; reloads, renewals and drains work, and
 * open nothing.  The reason is in the lines of the connections that end.  What cannot be opened again at
 * once is tried again until it can.
 */
void proxy_worker_suspend(struct proxy_worker *worker, const char *reason);
void proxy_worker_resume(struct proxy_worker *worker);

/* For status and metrics; all borrowed. */
const struct proxy_config *proxy_worker_config(const struct proxy_worker *worker);
const struct proxy_identity_state *proxy_worker_state(const struct proxy_worker *worker);
size_t proxy_worker_listener_count(const struct proxy_worker *worker);
const struct proxy_listener *proxy_worker_listener(const struct proxy_worker *worker, size_t index);
/* The sum over all listeners, those removed by reloads included. */
void proxy_worker_totals(const struct proxy_worker *worker, struct proxy_counters *ret_totals);
void proxy_worker_each_conn(const struct proxy_worker *worker, proxy_conn_info_fn fn, void *arg);
bool proxy_worker_is_draining(const struct proxy_worker *worker);

/* Listening, with a certificate that is valid now; of each public listener, with one at least. */
bool proxy_worker_is_ready(const struct proxy_worker *worker);
/* The same, or it would be if it were not suspended: starting it anew would help nobody. */
bool proxy_worker_is_live(const struct proxy_worker *worker);
/* The port a listener was given. */
uint16_t proxy_worker_port(const struct proxy_worker *worker, size_t listener);
/* The thread's staging areas, for others in the same loop. */
struct seal_staging *proxy_worker_staging(const struct proxy_worker *worker);

#endif
