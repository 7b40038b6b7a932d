/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's thread does besides calls: say whether the store answers, make the RoT's own credential,
 * forget what is over.
 */

#include "rot/server/api_internal.h"

#define STALE_MS 5000 /* who has not answered for so long is not ready */

/* ---- Does it answer? ---- */

struct ping {
	struct rot_task task;
	struct rot_api *api;
	bool is_well;
};

static void
run_ping(struct rot_task *task)
{
	struct ping *ping = (struct ping *)task;

	ping->is_well = rot_store_ping(ping->api->config.store, NULL) == 0;
}

static void
end_ping(struct rot_task *task)
{
	struct ping *ping = (struct ping *)task;

	ping->api->is_well = ping->is_well;
	ping->api->asked_ms = 0;
	free(ping);
}

static void
drop_ping(struct rot_task *task)
{
	free(task);
}

/* One question at a time; its answer is for who asks next. */
static void
ask_store(struct rot_api *api)
{
	struct ping *ping = calloc(1, sizeof(*ping));

	if (ping == NULL)
		return;
	ping->task.run = run_ping;
	ping->task.done = end_ping;
	ping->task.drop = drop_ping;
	ping->api = api;
	api->asked_ms = seal_loop_now_us() / 1000;
	rot_worker_add(api->worker, &ping->task.job);
}

bool
rot_api_is_ready(void *arg)
{
	struct rot_api *api = arg;

	if (api->asked_ms == 0)
		ask_store(api);
	return api->is_well && api->config.clock() >= SEAL_CLOCK_FLOOR &&
	       (api->asked_ms == 0 || seal_loop_now_us() / 1000 - api->asked_ms < STALE_MS);
}

/* ---- Once a day ---- */

/* What nobody can ask for any more, a step of it: 1 when there is more. */
static int
purge(struct rot_api *api, struct seal_err *err)
{
	/* A month on, for whoever wants to look back. */
	int r = rot_store_purge(api->config.store, api->config.clock() - 30 * 86400, err);

	return r != 0 ? r : rot_store_sweep(api->config.store, err);
}

struct upkeep {
	struct rot_task task;
	struct rot_api *api;
	bool only_purge;
	rot_upkeep_fn fn;
	void *arg;
	struct seal_tls *tls;
	int result;
	struct seal_err err;
};

static void
run_upkeep(struct rot_task *task)
{
	struct upkeep *upkeep = (struct upkeep *)task;

	if (!upkeep->only_purge)
		upkeep->result = rot_api_credential(upkeep->api, &upkeep->tls, &upkeep->err);
	if (upkeep->result == 0)
		upkeep->result = purge(upkeep->api, &upkeep->err);
}

static void
drop_upkeep(struct rot_task *task)
{
	struct upkeep *upkeep = (struct upkeep *)task;

	seal_tls_unref(upkeep->tls);
	free(upkeep);
}

static void
end_upkeep(struct rot_task *task)
{
	struct upkeep *upkeep = (struct upkeep *)task;

	upkeep->fn(upkeep->arg, upkeep->tls, upkeep->result, &upkeep->err);
	drop_upkeep(task);
}

int
rot_api_upkeep(struct rot_api *api, bool only_purge, rot_upkeep_fn fn, void *arg,
	       struct seal_err *err)
{
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));

	if (upkeep == NULL)
		return seal_fail_memory(err);
	upkeep->task.run = run_upkeep;
	upkeep->task.done = end_upkeep;
	upkeep->task.drop = drop_upkeep;
	upkeep->api = api;
	upkeep->only_purge = only_purge;
	upkeep->fn = fn;
	upkeep->arg = arg;
	rot_worker_add(api->worker, &upkeep->task.job);
	return 0;
}
