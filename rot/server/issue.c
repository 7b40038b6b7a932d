/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the signer: serial numbers, times, and the RoT's own credential.  What may be asked for has
 * been decided by the handlers; the signer checks it again.
 */

#include <arpa/inet.h>

#include "rot/server/api_internal.h"

/* The RoT's own certificate; made anew each day, so that a missed day or five do no harm. */
#define OWN_SECONDS (7 * 86400)

void
rot_issued_release(struct rot_issued *issued)
{
	seal_bytes_release(&issued->pem);
}

/*
 * 96 bits of chance behind 30 of the time: what the store keeps by serial number then lies where it has just been at
 * work, and the millionth certificate costs what the first did.  The time is in the certificate anyway.
 */
static int
draw_serial(uint8_t serial[static 16], int64_t now, struct seal_err *err)
{
	int r = seal_random(serial + 4, 12, err);

	/* Positive, and always 16 bytes long: its spelling has one length everywhere. */
	serial[0] = (uint8_t)(((uint64_t)now >> 24 & 0x3f) | 0x40);
	for (unsigned i = 1; i < 4; i++)
		serial[i] = (uint8_t)((uint64_t)now >> (24 - 8 * i));
	return r;
}

/* Failures that pass stay what they are; a refusal says that we asked for something wrong. */
static int
judge(int r, struct seal_err *err)
{
	switch (r) {
	case 0:
	case SEAL_E_CLOSED:
	case SEAL_E_TIMEOUT:
	case SEAL_E_SYSTEM:
	case SEAL_E_MEMORY:
		return r;
	default:
		return seal_note(err, SEAL_E_BUG, "certificate");
	}
}

int
rot_issue_cert(struct rot_api *api, const struct rot_wish *wish, int64_t now,
	       struct rot_issued *ret_issued, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(4096);
	SEAL_SCOPED(rot_issued_release)
	struct rot_issued issued = { .not_before = now - ROT_BACKDATE,
				     .not_after = now + (int64_t)wish->seconds };
	struct rot_issue issue = {
		.identity = *wish->identity,
		.dns = wish->dns,
		.ips = wish->ips,
		.spki = &spki,
		.not_before = issued.not_before,
		.not_after = issued.not_after,
	};
	bool is_own = wish->identity->role == SEAL_ROLE_ROT;
	int r;

	/* Our own is checked by whoever renews it: without one there would be nobody to ask. */
	r = is_own ? 0 : rot_clock_use(api, now, err);
	if (r == 0)
		r = seal_key_spki(wish->key, &spki, err);
	if (r == 0)
		r = draw_serial(issue.serial, now, err);
	if (r < 0)
		return r;
	seal_bytes_init(&issued.pem, SEAL_CHAIN_MAX_LEN);
	r = judge(rot_signer_issue(api->config.signer, wish->ca, &issue, &issued.pem, err), err);
	if (r < 0)
		return r;
	seal_hex_encode(issued.serial, issue.serial, sizeof(issue.serial));
	*ret_issued = issued;
	memset(&issued, 0, sizeof(issued)); /* the caller owns it now */
	return 0;
}

void
rot_identity_pod(const struct rot_api *api, const char *workload, const char *peer,
		 struct seal_identity *ret_identity)
{
	*ret_identity = (struct seal_identity){ .role = SEAL_ROLE_POD };
	(void)snprintf(ret_identity->trust_domain, sizeof(ret_identity->trust_domain), "%s",
		       api->meta.trust_domain);
	(void)snprintf(ret_identity->workload, sizeof(ret_identity->workload), "%s", workload);
	(void)snprintf(ret_identity->peer, sizeof(ret_identity->peer), "%s", peer);
}

int
rot_issue_pod(struct rot_api *api, const char *workload, const char *peer,
	      const struct seal_strv *hostnames, const struct seal_key *key, uint64_t seconds,
	      int64_t now, struct rot_issued *ret_issued, struct seal_err *err)
{
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	struct seal_identity identity;
	struct rot_wish wish = {
		.ca = &ca,
		.identity = &identity,
		.dns = hostnames,
		.key = key,
		.seconds = seconds,
	};
	uint64_t newest = 0;
	int r;

	r = rot_store_signing_ca(api->config.store, workload, &ca, &newest, err);
	if (r < 0)
		return r;
	rot_identity_pod(api, workload, peer, &identity);
	r = rot_issue_cert(api, &wish, now, ret_issued, err);
	if (r < 0)
		return r;
	ret_issued->ca = ca.generation;
	ret_issued->newest_ca = newest;
	return 0;
}

static int
parse_ca(const char *pem, struct seal_certs **ret_certs, struct seal_err *err)
{
	int r = seal_certs_from_pem(ret_certs, pem, strlen(pem), SEAL_CHAIN_MAX_LEN, err);

	return r < 0 ? seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: a CA's certificate")
		     : 0;
}

void
rot_call_issued(struct rot_call *call, const struct rot_cert *cert)
{
	(void)snprintf(call->subject, sizeof(call->subject), "%s for %s/%s", cert->serial,
		       cert->workload, cert->peer);
	for (size_t i = 0; i < cert->hostnames.count; i++) {
		if (!rot_call_name(call, i == 0 ? ": " : ", ", cert->hostnames.items[i],
				   cert->hostnames.count - i))
			break;
	}
}

int
rot_ca_times(const char *pem, int64_t *ret_not_before, int64_t *ret_not_after, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	int r = parse_ca(pem, &certs, err);

	return r < 0 ? r
		     : seal_cert_times(seal_certs_at(certs, 0), ret_not_before, ret_not_after, err);
}

int
rot_ca_describe(const char *pem, char ret_fingerprint[static ROT_FINGERPRINT_LEN + 1],
		int64_t *ret_not_after, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	uint8_t hash[SEAL_HASH_LEN];
	int64_t not_before = 0;
	int r = parse_ca(pem, &certs, err);

	if (r == 0)
		r = seal_cert_fingerprint(seal_certs_at(certs, 0), hash, err);
	if (r == 0)
		r = seal_cert_times(seal_certs_at(certs, 0), &not_before, ret_not_after, err);
	if (r < 0)
		return r;
	seal_hex_encode(ret_fingerprint, hash, sizeof(hash));
	return 0;
}

/* The names under which the RoT is called: the hosts of its URLs. */
static int
own_names(const struct rot_api *api, struct seal_strv *dns, struct seal_strv *ips,
	  struct seal_err *err)
{
	unsigned char addr[sizeof(struct in6_addr)];
	char host[SEAL_HOSTNAME_MAX + 1];
	uint16_t port;
	int r;

	for (size_t i = 0; i < api->meta.urls.count; i++) {
		struct seal_strv *list = dns;

		r = seal_url_split(api->meta.urls.items[i], host, &port, err);
		if (r < 0)
			return r;
		if (inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1)
			list = ips;
		if (seal_strv_contains(list, host))
			continue;
		r = seal_strv_add(list, host, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
own_cert(struct rot_api *api, const struct seal_key *key, struct rot_issued *issued,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv dns = { 0 };
	SEAL_SCOPED(seal_strv_release) struct seal_strv ips = { 0 };
	struct seal_identity identity = { .role = SEAL_ROLE_ROT };
	char subject[AUDIT_SUBJECT_MAX];
	struct rot_wish wish = {
		.ca = &api->system_ca,
		.identity = &identity,
		.dns = &dns,
		.ips = &ips,
		.key = key,
		.seconds = OWN_SECONDS,
	};
	int r;

	r = own_names(api, &dns, &ips, err);
	if (r < 0)
		return r;
	(void)snprintf(identity.trust_domain, sizeof(identity.trust_domain), "%s",
		       api->meta.trust_domain);
	r = rot_issue_cert(api, &wish, api->config.clock(), issued, err);
	if (r < 0)
		return r;
	(void)snprintf(subject, sizeof(subject), "%s for the root of trust itself", issued->serial);
	return rot_audit_own(api, AUDIT_CERT_ISSUE, "", subject, err);
}

int
rot_api_credential(struct rot_api *api, struct seal_tls **ret_tls, struct seal_err *err)
{
	SEAL_SCOPED(rot_issued_release) struct rot_issued issued = { 0 };
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct seal_tls_config config = { .side = SEAL_SIDE_SERVER };
	int r;

	r = seal_key_new(&key, err);
	if (r == 0)
		r = own_cert(api, key, &issued, err);
	if (r == 0)
		r = seal_certs_from_pem(&chain, seal_bytes_str(&issued.pem), issued.pem.len,
					SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return r;
	config.chain = chain;
	config.key = key;
	r = seal_tls_new(ret_tls, &config, err);
	if (r < 0)
		return r;
	api->own_not_before = issued.not_before;
	api->own_not_after = issued.not_after;
	rot_api_count_certified(api, ROT_CERTIFIED_ROT);
	return 0;
}
