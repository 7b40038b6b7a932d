/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/certs: certificates for clients and servers outside, on machines the owner trusts. */

#include "rot/server/api_internal.h"

static int
read_order(struct rot_call *call, struct rot_cert *cert, uint64_t *ret_ttl, struct seal_err *err)
{
	const char *workload = NULL, *peer = NULL;
	int r;

	r = rot_body_name(call, "workload", NULL, seal_workload_check, &workload, err);
	if (r == 0)
		rot_call_about(call, workload);
	if (r == 0)
		r = rot_body_name(call, "peer", SEAL_PEER_ANY, seal_peer_check, &peer, err);
	if (r == 0)
		r = rot_body_names(call, "hostnames", seal_hostname_check, &cert->hostnames, err);
	if (r == 0)
		r = rot_body_number(call, "ttl", ROT_LIFETIME, ROT_MIN_LIFETIME, ROT_MAX_LIFETIME,
				    ret_ttl, err);
	if (r < 0)
		return r;
	(void)snprintf(cert->workload, sizeof(cert->workload), "%s", workload);
	(void)snprintf(cert->peer, sizeof(cert->peer), "%s", peer);
	cert->created_at = call->now;
	return 0;
}

static void
set_cert(struct rot_call *call, const struct rot_cert *cert, const struct rot_issued *issued,
	 const struct seal_bytes *bundle)
{
	seal_json_set_str(call->reply, "serial", cert->serial);
	seal_json_set_str(call->reply, "workload", cert->workload);
	seal_json_set_str(call->reply, "peer", cert->peer);
	seal_json_set_strv(call->reply, "hostnames", &cert->hostnames);
	seal_json_set_u64(call->reply, "not_before", (uint64_t)cert->not_before);
	seal_json_set_u64(call->reply, "not_after", (uint64_t)cert->not_after);
	seal_json_set_str(call->reply, "certificate", seal_bytes_str(&issued->pem));
	seal_json_set_str(call->reply, "ca_bundle", seal_bytes_str(bundle));
}

int
rot_certs_issue(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes bundle = SEAL_BYTES(ROT_BUNDLE_MAX);
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct rot_store *store = call->api->config.store;
	uint64_t ttl = 0;
	int r;

	r = read_order(call, &cert, &ttl, err);
	if (r == 0)
		r = rot_body_key(call, &key, err);
	if (r == 0)
		r = rot_store_ca_bundle(store, cert.workload, &bundle, err);
	if (r == 0)
		r = rot_issue_pod(call->api, cert.workload, cert.peer, &cert.hostnames, key, ttl,
				  call->now, &issued, err);
	if (r < 0)
		return r;
	(void)snprintf(cert.serial, sizeof(cert.serial), "%s", issued.serial);
	cert.not_before = issued.not_before;
	cert.not_after = issued.not_after;
	cert.ca = issued.ca;
	cert.newest_ca = issued.newest_ca;
	r = rot_store_add_cert(store, &cert, err);
	if (r < 0)
		return r;
	call->status = 201;
	rot_call_issued(call, &cert);
	set_cert(call, &cert, &issued, &bundle);
	return 0;
}
