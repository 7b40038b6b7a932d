/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/workloads/NAME/cas: a workload's CAs one after the other, without anything breaking: introduce, switch, retire.
 * The store says who stands in the way; the signer makes the keys.
 */

#include <inttypes.h>

#include "rot/server/api_internal.h"

/* As the signer has it: the number stands in the CA's name. */
#define MAX_GENERATION 999

/* ---- What depends on them ---- */

static void
add_holder(struct seal_json *array, const struct rot_cert *cert)
{
	struct seal_json *entry = seal_json_add_object(array);

	seal_json_set_str(entry, "peer", cert->peer);
	seal_json_set_str(entry, "serial", cert->serial);
	if (cert->egg[0] != '\0')
		seal_json_set_str(entry, "egg", cert->egg);
	else
		seal_json_set_null(entry, "egg");
	seal_json_set_u64(entry, "not_after", (uint64_t)cert->not_after);
}

int
rot_set_holders(struct rot_call *call, struct seal_json *object, const char *total,
		const char *list, const char *workload, enum rot_which which, uint64_t generation,
		struct seal_err *err)
{
	struct rot_holders holders = { .which = which, .generation = generation };
	struct seal_json *array;
	int r = rot_store_find_holders(call->api->config.store, workload, call->now, &holders, err);

	if (r < 0)
		return r;
	seal_json_set_u64(object, total, holders.total);
	array = seal_json_set_array(object, list);
	for (size_t i = 0; i < holders.count; i++)
		add_holder(array, &holders.items[i]);
	return 0;
}

/* ---- Showing them ---- */

struct listing {
	struct rot_call *call;
	const char *workload;
	struct seal_json *array;
};

static int
set_dependents(const struct listing *listing, struct seal_json *entry, const struct rot_ca_info *ca,
	       struct seal_err *err)
{
	int r;

	/* Nobody can use what a retired one has certified. */
	if (ca->phase == ROT_PHASE_RETIRED) {
		seal_json_set_u64(entry, "certificates", 0);
		seal_json_set_u64(entry, "waiting", 0);
		return 0;
	}
	r = rot_set_holders(listing->call, entry, "certificates", "certified", listing->workload,
			    ROT_SIGNED_BY, ca->generation, err);
	if (r < 0)
		return r;
	/* Who has not taken it in matters until it signs. */
	if (ca->phase == ROT_PHASE_INTRODUCED)
		return rot_set_holders(listing->call, entry, "waiting", "waiting_for",
				       listing->workload, ROT_WITHOUT_CA, ca->generation, err);
	seal_json_set_u64(entry, "waiting", 0);
	return 0;
}

static int
add_ca(void *arg, const struct rot_ca_info *ca, struct seal_err *err)
{
	const struct listing *listing = arg;
	struct seal_json *entry = seal_json_add_object(listing->array);
	char fingerprint[ROT_FINGERPRINT_LEN + 1];
	int64_t not_after = 0;
	int r = rot_ca_describe(ca->cert, fingerprint, &not_after, err);

	if (r < 0)
		return r;
	seal_json_set_u64(entry, "generation", ca->generation);
	seal_json_set_str(entry, "phase", rot_phase_name(ca->phase));
	seal_json_set_str(entry, "fingerprint", fingerprint);
	seal_json_set_u64(entry, "not_after", (uint64_t)not_after);
	seal_json_set_u64(entry, "created_at", (uint64_t)ca->created_at);
	if (ca->retired_at != 0)
		seal_json_set_u64(entry, "retired_at", (uint64_t)ca->retired_at);
	else
		seal_json_set_null(entry, "retired_at");
	return set_dependents(listing, entry, ca, err);
}

int
rot_set_cas(struct rot_call *call, struct seal_json *object, const char *workload,
	    struct seal_err *err)
{
	struct listing listing = { .call = call,
				   .workload = workload,
				   .array = seal_json_set_array(object, "cas") };

	return rot_store_each_ca(call->api->config.store, workload, add_ca, &listing, err);
}

static int
reply_cas(struct rot_call *call, uint64_t generation, bool force, struct seal_err *err)
{
	(void)snprintf(call->subject, sizeof(call->subject), "%s: generation %" PRIu64 "%s",
		       call->param, generation, force ? ", forced" : "");
	seal_json_set_str(call->reply, "workload", call->param);
	return rot_set_cas(call, call->reply, call->param, err);
}

/* ---- Changing them ---- */

int
rot_cas_introduce(struct rot_call *call, struct seal_err *err)
{
	struct rot_api *api = call->api;
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	uint64_t generation = 0;
	int r;

	r = seal_workload_check(call->param, err);
	if (r == 0)
		rot_call_about(call, call->param);
	if (r == 0)
		r = rot_store_next_ca(api->config.store, call->param, &generation, err);
	if (r < 0)
		return r;
	if (generation > MAX_GENERATION)
		return seal_fail(err, SEAL_E_LIMIT, "there are no more CA generations");
	r = rot_clock_use(api, call->now, err);
	if (r == 0)
		r = rot_signer_new_ca(api->config.signer, call->param, generation, call->now, &ca,
				      err);
	if (r == 0)
		r = rot_store_introduce_ca(api->config.store, &ca, call->now, err);
	if (r < 0)
		return r;
	call->status = 201;
	return reply_cas(call, generation, false, err);
}

/* WORKLOAD, GENERATION and force of a request. */
static int
read_target(struct rot_call *call, uint64_t *ret_generation, bool *ret_force, struct seal_err *err)
{
	int r = seal_workload_check(call->param, err);

	if (r == 0)
		rot_call_about(call, call->param);
	if (r == 0)
		r = seal_number_parse(call->param2, 1, MAX_GENERATION, ret_generation, err);
	return r < 0 ? r : rot_query_flag(call, "force", ret_force, err);
}

int
rot_cas_switch(struct rot_call *call, struct seal_err *err)
{
	uint64_t generation = 0;
	bool force = false;
	int r = read_target(call, &generation, &force, err);

	if (r == 0)
		r = rot_store_switch_ca(call->api->config.store, call->param, generation, force,
					call->now, err);
	return r < 0 ? r : reply_cas(call, generation, force, err);
}

int
rot_cas_retire(struct rot_call *call, struct seal_err *err)
{
	uint64_t generation = 0;
	bool force = false;
	int r = read_target(call, &generation, &force, err);

	if (r == 0)
		r = rot_store_retire_ca(call->api->config.store, call->param, generation, force,
					call->now, err);
	return r < 0 ? r : reply_cas(call, generation, force, err);
}
