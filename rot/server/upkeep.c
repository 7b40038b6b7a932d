/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's thread does besides calls, once a day: make the RoT's own credential, certify CAs again, forget what
 * is over.
 */

#include <inttypes.h>

#include "rot/server/api_internal.h"

#define RENEWED_MAX 32 /* CAs, of a step */
#define DAY         INT64_C(86400)
#define WRAPPED_MAX (64u * 1024)

/* CAs that are to be certified again. */
struct aged {
	int64_t now;
	struct rot_ca items[RENEWED_MAX];
	size_t count;
};

static void
release_aged(struct aged *aged)
{
	for (size_t i = 0; i < aged->count; i++)
		rot_ca_release(&aged->items[i]);
}

static int
copy_ca(struct rot_ca *copy, const struct rot_ca *ca, struct seal_err *err)
{
	int r;

	*copy = (struct rot_ca){ .generation = ca->generation };
	(void)snprintf(copy->workload, sizeof(copy->workload), "%s", ca->workload);
	seal_bytes_init(&copy->cert, SEAL_CHAIN_MAX_LEN);
	seal_bytes_init(&copy->wrapped, WRAPPED_MAX);
	r = seal_bytes_append(&copy->cert, ca->cert.data, ca->cert.len, err);
	return r < 0 ? r
		     : seal_bytes_append(&copy->wrapped, ca->wrapped.data, ca->wrapped.len, err);
}

/* Long before it ends: those who keep its certificate, in eggs and in files, are to have met the new one by then. */
static int
note_aged(void *arg, const struct rot_ca_info *ca, struct seal_err *err)
{
	struct aged *aged = arg;
	int64_t not_before = 0, not_after = 0;
	int r = rot_ca_times(ca->cert, &not_before, &not_after, err);

	if (r < 0 || aged->count == RENEWED_MAX ||
	    aged->now < not_after - (not_after - not_before) / 3)
		return r;
	return copy_ca(&aged->items[aged->count++], ca->ca, err);
}

struct renewal {
	struct rot_api *api;
	const struct rot_ca *ca;
};

/* With its entry in the audit log, in one transaction. */
static int
keep_renewed(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct renewal *renewal = arg;
	const struct rot_ca *ca = renewal->ca;
	char subject[AUDIT_SUBJECT_MAX];
	int r = rot_store_renew_ca(store, ca, err);

	if (r < 0)
		return r;
	(void)snprintf(subject, sizeof(subject), "%s: generation %" PRIu64,
		       ca->workload[0] != '\0' ? ca->workload : "the root of trust's own CA",
		       ca->generation);
	return rot_audit_own(renewal->api, AUDIT_CA_RENEW, ca->workload, subject, err);
}

/* The same generation and the same key: what it has certified is good under either certificate. */
static int
renew_ca(struct rot_api *api, struct rot_ca *ca, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes cert = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct renewal renewal = { .api = api, .ca = ca };
	int r = rot_signer_renew_ca(api->config.signer, ca, now, &cert, err);

	if (r < 0)
		return r;
	seal_bytes_reset(&ca->cert);
	r = seal_bytes_append(&ca->cert, cert.data, cert.len, err);
	if (r == 0)
		r = rot_store_change(api->config.store, keep_renewed, &renewal, err);
	if (r == SEAL_E_MISSING)
		return 0; /* retired, or its workload deleted, just now */
	if (r == 0)
		seal_log(SEAL_LOG_NOTICE, "ca_renewed", SEAL_STR("workload", ca->workload),
			 SEAL_U64("generation", ca->generation));
	return r;
}

/*
 * Some of those that are due: 1 when there may be more.  One that cannot be renewed does not keep the others from it; the
 * first failure is what is told.
 */
static int
renew_cas(struct rot_api *api, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(release_aged) struct aged aged = { .now = now };
	int r = rot_store_every_ca(api->config.store, note_aged, &aged, err);

	for (size_t i = 0; i < aged.count; i++) {
		struct seal_err why = { 0 };
		int renewed = renew_ca(api, &aged.items[i], now, &why);

		if (renewed < 0 && r == 0)
			r = seal_fail(err, renewed, "CA of '%s': %s", aged.items[i].workload,
				      why.text);
	}
	if (aged.count > 0)
		api->gathered_at = INT64_MIN; /* what is told of their ends */
	return r < 0 ? r : aged.count == RENEWED_MAX;
}

/* Another process may have renewed it: the new one signs and is told; both are one to whoever verifies. */
static int
read_system_ca(struct rot_api *api, struct seal_certs **ret_certs, struct seal_err *err)
{
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	int r = rot_store_ca(api->config.store, "", &ca, err);

	if (r == 0)
		r = seal_certs_from_pem(ret_certs, seal_bytes_str(&ca.cert), ca.cert.len,
					SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return r;
	rot_ca_release(&api->system_ca);
	api->system_ca = ca;
	memset(&ca, 0, sizeof(ca)); /* it is the API's now */
	return 0;
}

/*
 * By which time it is forgotten: a clock that has jumped ahead takes a day at most with it, counted from what was recorded
 * before.  All runs of a day have the same, for the first of them records its own time.
 */
static int64_t
choose_horizon(struct rot_api *api, int64_t before, int64_t now)
{
	if (api->horizon_at != 0 && now >= api->horizon_at && now < api->horizon_at + DAY)
		return api->horizon;
	/* Something may have been issued since it jumped. */
	if (api->horizon_at != 0 && api->horizon_at < before)
		before = api->horizon_at;
	api->horizon_at = now;
	if (before == 0)
		api->horizon = 0;
	else
		api->horizon = now < before + DAY ? now : before + DAY;
	return api->horizon;
}

/* What nobody can ask for any more, a step of it: 1 when there is more. */
static int
purge(struct rot_api *api, int64_t horizon, struct seal_err *err)
{
	int64_t until = horizon - 30 * DAY; /* a month on, for whoever wants to look back */
	int r = 0;

	if (horizon != 0)
		r = rot_store_purge(api->config.store, until, err);
	if (r == 0 && horizon != 0)
		r = rot_store_purge_enrolments(api->config.store, until, err);
	return r != 0 ? r : rot_store_sweep(api->config.store, err);
}

struct upkeep {
	struct rot_task task;
	struct rot_api *api;
	bool only_purge;
	rot_upkeep_fn fn;
	void *arg;
	struct seal_tls *tls;
	struct seal_certs *system_certs;
	int result;
	struct seal_err err;
};

/* With a clock that cannot be right everything stays as it is: nothing renews, and nothing is forgotten. */
static int
keep_up(struct upkeep *upkeep, int64_t now, struct seal_err *err)
{
	struct rot_api *api = upkeep->api;
	struct seal_err why = { 0 };
	int64_t before = 0;
	int more = 0;
	int r = rot_store_clock(api->config.store, &before, err);

	if (r == 0)
		r = rot_clock_use(api, now, err);
	if (r == 0 && !upkeep->only_purge)
		more = renew_cas(api, now, &why);
	if (r == 0 && !upkeep->only_purge)
		r = read_system_ca(api, &upkeep->system_certs, err);
	if (r == 0 && !upkeep->only_purge)
		r = rot_api_credential(api, &upkeep->tls, err);
	if (r == 0 && !upkeep->only_purge)
		r = rot_store_reread(api->config.store, err);
	if (r == 0)
		r = purge(api, choose_horizon(api, before, now), err);
	if (r >= 0 && more < 0) {
		*err = why;
		return more;
	}
	return r < 0 ? r : more == 1 ? ROT_UPKEEP_AGAIN : r;
}

static void
run_upkeep(struct rot_task *task)
{
	struct upkeep *upkeep = (struct upkeep *)task;

	upkeep->result = keep_up(upkeep, upkeep->api->config.clock(), &upkeep->err);
}

static void
drop_upkeep(struct rot_task *task)
{
	struct upkeep *upkeep = (struct upkeep *)task;

	seal_tls_unref(upkeep->tls);
	seal_certs_free(upkeep->system_certs);
	free(upkeep);
}

static void
end_upkeep(struct rot_task *task)
{
	struct upkeep *upkeep = (struct upkeep *)task;

	if (upkeep->system_certs != NULL) {
		seal_certs_free(upkeep->api->system_certs);
		upkeep->api->system_certs = SEAL_TAKE(upkeep->system_certs);
	}
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
