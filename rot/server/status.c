/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/status: what this root of trust is, and who it takes the caller for. */

#include "rot/server/api_internal.h"

static void
set_caller(struct rot_call *call)
{
	const struct rot_caller *caller = call->caller;
	struct seal_json *object = seal_json_set_object(call->reply, "caller");

	seal_json_set_str(object, "role", caller->identity.operator_role);
	seal_json_set_str(object, "name", caller->identity.operator_name);
}

int
rot_status_get(struct rot_call *call, struct seal_err *err)
{
	struct rot_api *api = call->api;
	char fingerprint[ROT_FINGERPRINT_LEN + 1];
	struct rot_totals totals = { 0 };
	int64_t not_after = 0;
	int r;

	r = rot_store_totals(api->config.store, call->now, &totals, err);
	if (r == 0)
		r = rot_ca_describe(seal_bytes_str(&api->system_ca.cert), fingerprint, &not_after,
				    err);
	if (r < 0)
		return r;
	seal_json_set_str(call->reply, "version", SEAL_VERSION);
	seal_json_set_str(call->reply, "trust_domain", api->meta.trust_domain);
	seal_json_set_strv(call->reply, "urls", &api->meta.urls);
	seal_json_set_str(call->reply, "ca", seal_bytes_str(&api->system_ca.cert));
	seal_json_set_str(call->reply, "ca_fingerprint", fingerprint);
	seal_json_set_u64(call->reply, "ca_not_after", (uint64_t)not_after);
	seal_json_set_u64(call->reply, "workloads", totals.workloads);
	seal_json_set_u64(call->reply, "eggs", totals.eggs);
	seal_json_set_u64(call->reply, "certificates", totals.certificates);
	seal_json_set_u64(call->reply, "time", (uint64_t)call->now);
	seal_json_set_u64(call->reply, "started_at", (uint64_t)api->started_at);
	set_caller(call);
	return rot_expiry_set(api, call->now, call->reply, err);
}
