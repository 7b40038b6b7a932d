/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/workloads: create, list, show, delete. */

#include "rot/server/api_internal.h"

static int
set_workload(const struct rot_call *call, struct seal_json *object,
	     const struct rot_workload *workload, struct seal_err *err)
{
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	char fingerprint[ROT_FINGERPRINT_LEN + 1];
	int64_t not_after = 0;
	int r;

	r = rot_store_ca(call->api->config.store, workload->name, &ca, err);
	if (r == 0)
		r = rot_ca_describe(seal_bytes_str(&ca.cert), fingerprint, &not_after, err);
	if (r < 0)
		return r;
	seal_json_set_str(object, "name", workload->name);
	seal_json_set_u64(object, "created_at", (uint64_t)workload->created_at);
	seal_json_set_u64(object, "epoch", workload->epoch);
	seal_json_set_u64(object, "ca_generation", ca.generation);
	seal_json_set_str(object, "ca_fingerprint", fingerprint);
	seal_json_set_u64(object, "ca_not_after", (uint64_t)not_after);
	seal_json_set_u64(object, "pairs", workload->pairs);
	seal_json_set_u64(object, "eggs", workload->eggs);
	seal_json_set_u64(object, "eggs_live", workload->eggs_live);
	seal_json_set_u64(object, "certificates", workload->certificates);
	return 0;
}

static int
reply_workload(struct rot_call *call, const char *name, struct seal_err *err)
{
	struct rot_workload workload = { 0 };
	int r;

	r = rot_store_get_workload(call->api->config.store, name, call->now, &workload, err);
	if (r < 0)
		return r;
	return set_workload(call, call->reply, &workload, err);
}

/* Is the name free?  Asked before the signer makes a key for nothing. */
static int
check_free(const struct rot_call *call, const char *name, struct seal_err *err)
{
	struct rot_workload workload = { 0 };
	int r = rot_store_get_workload(call->api->config.store, name, call->now, &workload, err);

	if (r == SEAL_E_MISSING)
		return 0;
	if (r < 0)
		return r;
	return seal_fail(err, SEAL_E_CONFLICT, "there is a workload '%s' already", name);
}

int
rot_workloads_create(struct rot_call *call, struct seal_err *err)
{
	struct rot_api *api = call->api;
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	SEAL_SCOPED(rot_root_release) struct rot_root root = { 0 };
	const char *name = NULL;
	bool open = false;
	int r;

	r = rot_body_name(call, "name", NULL, seal_workload_check, &name, err);
	if (r == 0)
		rot_call_about(call, name);
	if (r == 0)
		r = rot_body_flag(call, "open", &open, err);
	if (r == 0)
		r = check_free(call, name, err);
	if (r == 0)
		r = rot_clock_use(api, call->now, err);
	if (r == 0)
		r = rot_signer_new_ca(api->config.signer, name, 1, call->now, &ca, err);
	if (r == 0)
		r = rot_signer_new_root(api->config.signer, name, 1, &root, err);
	if (r == 0)
		r = rot_store_add_workload(api->config.store, &ca, &root, open, call->now, err);
	if (r < 0)
		return r;
	call->status = 201;
	(void)snprintf(call->subject, sizeof(call->subject), "%s", name);
	return reply_workload(call, name, err);
}

struct page {
	struct rot_call *call;
	struct seal_json *array;
	uint64_t limit;
	uint64_t count;
	char last[SEAL_WORKLOAD_MAX + 1];
};

static int
add_to_page(void *arg, const struct rot_workload *workload, struct seal_err *err)
{
	struct page *page = arg;

	/* One more than asked for is fetched, to know whether there is more. */
	if (++page->count > page->limit) {
		seal_json_set_str(page->call->reply, "next", page->last);
		return 0;
	}
	(void)snprintf(page->last, sizeof(page->last), "%s", workload->name);
	return set_workload(page->call, seal_json_add_object(page->array), workload, err);
}

int
rot_workloads_list(struct rot_call *call, struct seal_err *err)
{
	struct page page = { .call = call };
	const char *after = "";
	int r;

	r = rot_query_name(call, "after", "", seal_workload_check, &after, err);
	if (r == 0)
		r = rot_query_limit(call, &page.limit, err);
	if (r < 0)
		return r;
	page.array = seal_json_set_array(call->reply, "workloads");
	return rot_store_each_workload(call->api->config.store, after, page.limit + 1, call->now,
				       add_to_page, &page, err);
}

int
rot_workloads_get(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes bundle = SEAL_BYTES(ROT_BUNDLE_MAX);
	int r;

	r = seal_workload_check(call->param, err);
	if (r == 0)
		r = reply_workload(call, call->param, err);
	if (r == 0)
		r = rot_set_cas(call, call->reply, call->param, err);
	if (r == 0)
		r = rot_set_keys(call, call->reply, call->param, err);
	if (r == 0)
		r = rot_store_ca_bundle(call->api->config.store, call->param, &bundle, err);
	if (r < 0)
		return r;
	seal_json_set_str(call->reply, "ca_bundle", seal_bytes_str(&bundle));
	return 0;
}

int
rot_workloads_delete(struct rot_call *call, struct seal_err *err)
{
	int r;

	r = seal_workload_check(call->param, err);
	if (r == 0)
		rot_call_about(call, call->param);
	if (r == 0)
		r = reply_workload(call, call->param, err);
	if (r < 0)
		return r;
	(void)snprintf(call->subject, sizeof(call->subject), "%s", call->param);
	atomic_store(&call->api->must_sweep, true);
	return rot_store_delete_workload(call->api->config.store, call->param, err);
}
