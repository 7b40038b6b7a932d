/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/hatch and /v1/renew: the two ways a pod gets a certificate.  Whatever is wrong, the pod hears
 * one sentence (api.c); the reasons given here are for our log, and hold nothing the pod sent.
 *
 *   rate ─▶ body ─▶ statement: ours, this egg's, this key's ─▶ egg: there, live ─▶ host names
 *        ─▶ key: P-256, not the egg's ─▶ signer ─▶ budget and record, in one transaction ─▶ answer
 */

#include <time.h>

#include "egg/statement.h"
#include "rot/server/api_internal.h"

static int check_rate(struct rot_call *call, const char *egg, struct seal_err *err);
static int check_key(const struct rot_call *call, const struct seal_key *key, struct seal_err *err);
static int reply_credentials(struct rot_call *call, struct rot_cert *cert,
			     const struct rot_issued *issued, struct seal_err *err);
static void note_issued(struct rot_call *call, const char *event, const struct rot_cert *cert);

/* The statement speaks for the egg on this connection, and for no other. */
static int
open_statement(const struct rot_call *call, const char *text, struct egg_statement *statement,
	       struct seal_err *err)
{
	const struct rot_caller *caller = call->caller;
	int r;

	r = egg_statement_open(statement, call->api->statement_key, text, strlen(text), NULL);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0)
		return seal_fail(err, SEAL_E_REFUSED, "the statement was not sealed by us");
	if (strcmp(statement->id, caller->identity.egg) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the statement belongs to another egg");
	if (!seal_equal(statement->key_id, caller->key_id, SEAL_HASH_LEN))
		return seal_fail(err, SEAL_E_REFUSED, "the statement belongs to another key");
	if (statement->not_after <= call->now)
		return seal_fail(err, SEAL_E_REFUSED, "the statement has expired");
	return 0;
}

/* What we recorded must say the same as what we sealed. */
static int
check_egg(const struct rot_call *call, const struct egg_statement *statement, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r;

	r = rot_store_get_egg(call->api->config.store, statement->id, &egg, err);
	if (r < 0)
		return r;
	if (strcmp(egg.workload, statement->workload) != 0 ||
	    strcmp(egg.peer, statement->peer) != 0 ||
	    !seal_equal(egg.key_id, statement->key_id, SEAL_HASH_LEN))
		return seal_fail(err, SEAL_E_REFUSED, "the statement differs from the record");
	if (egg.revoked_at != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the egg is revoked");
	if (egg.not_after <= call->now)
		return seal_fail(err, SEAL_E_REFUSED, "the egg has expired");
	if (egg.max_hatches != 0 && egg.hatches >= egg.max_hatches)
		return seal_fail(err, SEAL_E_REFUSED, "the egg's hatch budget is spent");
	return 0;
}

static int
check_hostnames(const struct egg_statement *statement, const struct seal_strv *hostnames,
		struct seal_err *err)
{
	int r;

	for (size_t i = 0; i < hostnames->count; i++) {
		bool fits = false;

		r = seal_hostname_check(hostnames->items[i], NULL);
		for (size_t j = 0; r == 0 && !fits && j < statement->hostnames.count; j++)
			fits = seal_hostname_matches(statement->hostnames.items[j],
						     hostnames->items[i]);
		if (!fits)
			return seal_fail(err, SEAL_E_REFUSED,
					 "host name %zu fits none of the egg's patterns", i + 1);
	}
	return 0;
}

static void
fill_cert(struct rot_cert *cert, const struct rot_issued *issued, int64_t now)
{
	(void)snprintf(cert->serial, sizeof(cert->serial), "%s", issued->serial);
	cert->created_at = now;
	cert->not_before = issued->not_before;
	cert->not_after = issued->not_after;
	cert->ca = issued->ca;
	cert->newest_ca = issued->newest_ca;
}

/* All checks have passed: make the certificate, then spend and record, then answer. */
static int
hatch(struct rot_call *call, const struct egg_statement *statement, const struct rot_request *asked,
      const struct seal_key *key, struct seal_err *err)
{
	struct rot_api *api = call->api;
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	int r;

	r = rot_issue_pod(api, statement->workload, statement->peer, &asked->hostnames, key,
			  api->config.lifetime, call->now, &issued, err);
	if (r == 0)
		r = seal_strv_copy(&cert.hostnames, &asked->hostnames, err);
	if (r < 0)
		return r;
	(void)snprintf(cert.workload, sizeof(cert.workload), "%s", statement->workload);
	(void)snprintf(cert.peer, sizeof(cert.peer), "%s", statement->peer);
	(void)snprintf(cert.egg, sizeof(cert.egg), "%s", statement->id);
	fill_cert(&cert, &issued, call->now);
	r = reply_credentials(call, &cert, &issued, err);
	if (r == 0)
		r = rot_store_hatch(api->config.store, &cert, call->now, err);
	if (r < 0)
		return r;
	note_issued(call, "hatched", &cert);
	return 0;
}

int
rot_hatch(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_request_release) struct rot_request asked = { 0 };
	SEAL_SCOPED(egg_statement_release) struct egg_statement statement = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	const uint8_t *body;
	size_t len = 0;
	int r;

	r = check_rate(call, call->caller->identity.egg, err);
	if (r < 0)
		return r;
	body = seal_http_body(call->request, &len);
	r = rot_request_parse(&asked, true, body, len, NULL);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT, "the body is malformed (%s)",
				 seal_code_name(r));
	r = open_statement(call, asked.statement, &statement, err);
	if (r == 0)
		rot_call_about(call, statement.workload);
	if (r == 0)
		r = check_egg(call, &statement, err);
	if (r == 0)
		r = check_hostnames(&statement, &asked.hostnames, err);
	if (r == 0)
		r = seal_csr_public_key(&key, asked.csr, strlen(asked.csr), err);
	if (r == 0)
		r = check_key(call, key, err);
	if (r == 0)
		r = hatch(call, &statement, &asked, key, err);
	return r;
}

/* The record of the certificate this connection was made with, if it may be renewed. */
static int
find_renewable(const struct rot_call *call, struct rot_cert *cert, struct seal_err *err)
{
	const struct rot_caller *caller = call->caller;
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r;

	r = rot_store_get_cert(call->api->config.store, caller->serial, cert, err);
	if (r < 0)
		return r;
	if (strcmp(cert->workload, caller->identity.workload) != 0 ||
	    strcmp(cert->peer, caller->identity.peer) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate differs from its record");
	if (cert->revoked_at != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate is revoked");
	if (cert->egg[0] == '\0')
		return seal_fail(err, SEAL_E_REFUSED, "the certificate was not born of an egg");
	r = rot_store_get_egg(call->api->config.store, cert->egg, &egg, err);
	if (r < 0)
		return r;
	if (egg.revoked_at != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the egg is revoked");
	return 0;
}

static int
renew(struct rot_call *call, struct rot_cert *cert, const struct seal_key *key,
      struct seal_err *err)
{
	struct rot_api *api = call->api;
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	int r;

	r = rot_issue_pod(api, cert->workload, cert->peer, &cert->hostnames, key,
			  api->config.lifetime, call->now, &issued, err);
	if (r < 0)
		return r;
	fill_cert(cert, &issued, call->now);
	r = reply_credentials(call, cert, &issued, err);
	if (r == 0)
		r = rot_store_renew(api->config.store, call->caller->serial, cert, err);
	if (r < 0)
		return r;
	note_issued(call, "renewed", cert);
	return 0;
}

int
rot_renew(struct rot_call *call, struct seal_err *err)
{
	SEAL_SCOPED(rot_request_release) struct rot_request asked = { 0 };
	SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	const uint8_t *body;
	size_t len = 0;
	int r;

	rot_call_about(call, call->caller->identity.workload);
	r = check_rate(call, NULL, err);
	if (r == 0)
		r = find_renewable(call, &cert, err);
	if (r == 0)
		r = check_rate(call, cert.egg, err);
	if (r < 0)
		return r;
	body = seal_http_body(call->request, &len);
	r = rot_request_parse(&asked, false, body, len, NULL);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT, "the body is malformed (%s)",
				 seal_code_name(r));
	r = seal_csr_public_key(&key, asked.csr, strlen(asked.csr), err);
	if (r == 0)
		r = check_key(call, key, err);
	if (r == 0)
		r = renew(call, &cert, key, err);
	return r;
}

static uint64_t
monotonic_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int
too_fast(struct rot_call *call, unsigned seconds, const char *whose, struct seal_err *err)
{
	call->retry_after = seconds;
	return seal_fail(err, SEAL_E_LIMIT, "too many requests from this %s", whose);
}

/* The address is counted once a request, the egg when it is known; neither again when the call is run again. */
static int
check_rate(struct rot_call *call, const char *egg, struct seal_err *err)
{
	bool hatching = call->caller->right == ROT_MAY_HATCH;
	char address[ROT_LIMITS_NAME_MAX];
	unsigned wait = 0;

	if ((egg == NULL || hatching) && (call->counted & ROT_COUNTED_ADDRESS) == 0) {
		rot_limits_address(seal_http_peer_host(call->request), address);
		wait = rot_limits_take(call->api->per_address, address, monotonic_ms());
		if (wait > 0)
			return too_fast(call, wait, "address", err);
		call->counted |= ROT_COUNTED_ADDRESS;
	}
	if (egg == NULL || (call->counted & ROT_COUNTED_SUBJECT) != 0)
		return 0;
	wait = rot_limits_take(call->api->per_egg, egg, monotonic_ms());
	if (wait > 0)
		return too_fast(call, wait, "egg", err);
	call->counted |= ROT_COUNTED_SUBJECT;
	return 0;
}

/* A new certificate is for a new key: neither the egg's nor the one being replaced. */
static int
check_key(const struct rot_call *call, const struct seal_key *key, struct seal_err *err)
{
	uint8_t id[SEAL_HASH_LEN];
	int r = seal_key_id(key, id, err);

	if (r < 0)
		return r;
	if (seal_equal(id, call->caller->key_id, sizeof(id)))
		return seal_fail(err, SEAL_E_REFUSED, "the request is for the caller's own key");
	return 0;
}

static int
encode_credentials(struct rot_call *call, struct rot_credentials *credentials,
		   struct rot_cert *cert, struct seal_err *err)
{
	int64_t life = cert->not_after - cert->created_at;
	int r;

	(void)snprintf(credentials->workload, sizeof(credentials->workload), "%s", cert->workload);
	(void)snprintf(credentials->peer, sizeof(credentials->peer), "%s", cert->peer);
	credentials->renew_after = cert->created_at + life * 2 / 3;
	r = rot_store_policy(call->api->config.store, cert->workload, cert->peer,
			     &credentials->clients, &credentials->servers, &credentials->epoch,
			     err);
	if (r == 0)
		r = rot_fill_keys(call, credentials, &cert->newest_key, err);
	if (r < 0)
		return r;
	return rot_credentials_encode(credentials, &call->raw, err);
}

/* Written before the record is made, so that what was recorded can always be answered; and says what is delivered. */
static int
reply_credentials(struct rot_call *call, struct rot_cert *cert, const struct rot_issued *issued,
		  struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes bundle = SEAL_BYTES(ROT_BUNDLE_MAX);
	struct rot_credentials credentials = { 0 };
	int r;

	r = rot_store_ca_bundle(call->api->config.store, cert->workload, &bundle, err);
	if (r < 0)
		return r;
	credentials.certificate = seal_strndup(seal_bytes_str(&issued->pem), issued->pem.len);
	credentials.ca_bundle = seal_strndup(seal_bytes_str(&bundle), bundle.len);
	if (credentials.certificate == NULL || credentials.ca_bundle == NULL)
		r = seal_fail_memory(err);
	else
		r = encode_credentials(call, &credentials, cert, err);
	rot_credentials_release(&credentials);
	return r;
}

/* It is said when it is in the store for good. */
static void
note_issued(struct rot_call *call, const char *event, const struct rot_cert *cert)
{
	rot_call_about(call, cert->workload);
	rot_call_issued(call, cert);
	call->issued = *cert;
	call->issued.hostnames = (struct seal_strv){ 0 }; /* stay where they are */
	call->issued_event = event;
}
