/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/peers: who may call whom. */

#include <inttypes.h>

#include "rot/server/api_internal.h"

static int
add_pair(void *arg, const char *client, const char *server, struct seal_err *err)
{
	struct seal_json *pair = seal_json_add_object(arg);

	(void)err; /* failure sticks in the builder */
	seal_json_set_str(pair, "client", client);
	seal_json_set_str(pair, "server", server);
	return 0;
}

int
rot_peers_list(struct rot_call *call, struct seal_err *err)
{
	struct rot_store *store = call->api->config.store;
	struct rot_workload workload = { 0 };
	const char *name = NULL;
	int r;

	r = rot_query_name(call, "workload", NULL, seal_workload_check, &name, err);
	if (r == 0)
		r = rot_store_get_workload(store, name, call->now, &workload, err);
	if (r < 0)
		return r;
	seal_json_set_str(call->reply, "workload", name);
	seal_json_set_u64(call->reply, "epoch", workload.epoch);
	return rot_store_each_pair(store, name, add_pair, seal_json_set_array(call->reply, "pairs"),
				   err);
}

static void
set_pair(struct rot_call *call, const char *workload, const char *client, const char *server,
	 uint64_t epoch)
{
	seal_json_set_str(call->reply, "workload", workload);
	seal_json_set_str(call->reply, "client", client);
	seal_json_set_str(call->reply, "server", server);
	seal_json_set_u64(call->reply, "epoch", epoch);
	(void)snprintf(call->subject, sizeof(call->subject), "%s: %s -> %s", workload, client,
		       server);
}

int
rot_peers_allow(struct rot_call *call, struct seal_err *err)
{
	const char *workload = NULL, *client = NULL, *server = NULL;
	uint64_t epoch = 0;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_body_name(call, "client", NULL, seal_peer_or_every_check, &client, err);
	if (r == 0)
		r = rot_body_name(call, "server", NULL, seal_peer_or_every_check, &server, err);
	if (r == 0)
		r = rot_store_add_pair(call->api->config.store, workload, client, server, &epoch,
				       err);
	if (r < 0)
		return r;
	call->status = 201;
	set_pair(call, workload, client, server, epoch);
	return 0;
}

int
rot_peers_revoke(struct rot_call *call, struct seal_err *err)
{
	const char *workload = NULL, *peer = NULL;
	uint64_t eggs = 0, certificates = 0;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_body_name(call, "peer", NULL, seal_peer_check, &peer, err);
	if (r == 0)
		r = rot_store_revoke_peer(call->api->config.store, workload, peer, call->now, &eggs,
					  &certificates, err);
	if (r < 0)
		return r;
	atomic_store(&call->api->must_sweep, true);
	seal_json_set_str(call->reply, "workload", workload);
	seal_json_set_str(call->reply, "peer", peer);
	seal_json_set_u64(call->reply, "eggs", eggs);
	seal_json_set_u64(call->reply, "certificates", certificates);
	(void)snprintf(call->subject, sizeof(call->subject),
		       "%s/%s: %" PRIu64 " eggs, %" PRIu64 " certificates", workload, peer, eggs,
		       certificates);
	return 0;
}

int
rot_peers_deny(struct rot_call *call, struct seal_err *err)
{
	const char *workload = NULL, *client = NULL, *server = NULL;
	uint64_t epoch = 0;
	int r;

	r = rot_query_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_query_name(call, "client", NULL, seal_peer_or_every_check, &client, err);
	if (r == 0)
		r = rot_query_name(call, "server", NULL, seal_peer_or_every_check, &server, err);
	if (r == 0)
		r = rot_store_delete_pair(call->api->config.store, workload, client, server, &epoch,
					  err);
	if (r < 0)
		return r;
	set_pair(call, workload, client, server, epoch);
	return 0;
}
