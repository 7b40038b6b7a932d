/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view of a worker.  Taken in its thread, so everything in it is of one moment.
 */
#include "proxy/control.h"

#include <stdlib.h>

#include "proxy/public.h"

static void
each_conn(const void *source, proxy_conn_info_fn fn, void *arg)
{
	const struct proxy_worker *worker = source;

	proxy_worker_each_conn(worker, fn, arg);
}

static int
view_listener(struct proxy_listener_view *ret_view, const struct proxy_listener *listener,
	      struct seal_err *err)
{
	size_t count = listener->pool != NULL ? proxy_pool_count(listener->pool) : 0;

	ret_view->listener = listener;
	if (listener->public != NULL) {
		ret_view->public_not_after = listener->public->not_after;
		ret_view->public_count = listener->public->count;
		ret_view->public_over = proxy_public_over(listener->public, seal_clock_now());
	}
	ret_view->targets = calloc(count + 1, sizeof(*ret_view->targets));
	if (ret_view->targets == NULL)
		return seal_fail_memory(err);
	ret_view->target_count = count;
	for (size_t i = 0; i < count; i++)
		proxy_pool_status(listener->pool, (unsigned)i, &ret_view->targets[i]);
	return 0;
}

static int
view_worker(const void *arg, struct proxy_view *ret_view, struct seal_err *err)
{
	/* Accessors do not change the worker; the staging area is asked for a number only. */
	const struct proxy_worker *worker = arg;
	int r = proxy_view_init(ret_view, proxy_worker_listener_count(worker), err);

	for (size_t i = 0; r == 0 && i < ret_view->listener_count; i++)
		r = view_listener(&ret_view->listeners[i], proxy_worker_listener(worker, i), err);
	if (r < 0)
		return r;
	ret_view->config = proxy_worker_config(worker);
	ret_view->state = proxy_worker_state(worker);
	proxy_worker_totals(worker, &ret_view->totals);
	ret_view->kept_bytes = seal_staging_kept(proxy_worker_staging(worker));
	ret_view->is_ready = proxy_worker_is_ready(worker);
	ret_view->is_draining = proxy_worker_is_draining(worker);
	ret_view->each_conn = each_conn;
	ret_view->source = worker;
	return 0;
}

int
proxy_control_new(struct proxy_control **ret_control, struct seal_loop *loop,
		  struct proxy_worker *worker, const struct proxy_agent *agent,
		  struct proxy_sync_stats *news, struct seal_err *err)
{
	const struct proxy_control_source source = {
		.config = proxy_worker_config(worker),
		.must_have_control = proxy_worker_config(worker)->control_explicit,
		.staging = proxy_worker_staging(worker),
		.fill = view_worker,
		.arg = worker,
		.agent = agent,
		.news = news,
	};

	return proxy_control_open(ret_control, loop, &source, err);
}
