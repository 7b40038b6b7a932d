/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a verified certificate speaks of, and whether we want to hear it: the verification of design
 * section 4.  All sides of all connections between peers come through seal_peer_verify.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/x509/x509_internal.h"

/* Identities are issued directly under an anchor: an intermediate is somebody's escalation. */
#define MAX_BETWEEN 0

/* Key usage must be stated (it may be absent in RFC 5280), and the key must be an elliptic one. */
static int
check_ours(X509 *leaf, struct seal_err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);

	if ((X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) == 0)
		return seal_fail(err, SEAL_E_UNAUTH, "the certificate names no key usage");
	if (key == NULL || !EVP_PKEY_is_a(key, "EC"))
		return seal_fail(err, SEAL_E_UNAUTH, "the certificate's key is not an ECDSA key");
	return 0;
}

/* Chain, usage and names of a certificate of our own making, whoever it is for. */
static int
verify_identity(struct seal_identity *ret_identity, struct seal_alt_names *ret_names,
		struct seal_window *ret_window, const struct seal_certs *anchors,
		const char *trust_domain, const struct seal_certs *presented, enum seal_side side,
		int64_t now, struct seal_err *err)
{
	const struct seal_chain_opts opts = { .now = now,
					      .side = side,
					      .max_between = MAX_BETWEEN };
	const struct seal_cert *leaf = seal_certs_at(presented, 0);
	int r;

	r = seal_chain_verify_window(anchors, presented, &opts, ret_window, err);
	if (r == 0)
		r = check_ours(native_cert(leaf), err);
	if (r < 0)
		return r;
	r = seal_alt_names_read(ret_names, leaf, err);
	if (r == 0 && ret_names->uris.count != 1)
		r = seal_fail(err, SEAL_E_FORMAT, "%zu URI names instead of one",
			      ret_names->uris.count);
	if (r == 0)
		r = seal_identity_parse(ret_identity, ret_names->uris.items[0],
					strlen(ret_names->uris.items[0]), err);
	if (r < 0)
		return seal_note(err, SEAL_E_UNAUTH, "subject alternative names");
	if (trust_domain != NULL && strcmp(ret_identity->trust_domain, trust_domain) != 0)
		return seal_fail(err, SEAL_E_UNAUTH, "trust domain '%s' is not ours",
				 ret_identity->trust_domain);
	return 0;
}

/*
 * The DNS names must tell the same story as the SPIFFE ID: any, the peer's own name, and host names,
 * which have a dot; nothing else.
 */
static int
check_pod_names(const struct seal_alt_names *names, const char *peer, struct seal_err *err)
{
	if (names->odd_dns || names->other_kinds)
		return seal_fail(err, SEAL_E_UNAUTH, "a name of a kind or spelling not ours");
	if (!seal_strv_contains(&names->dns, SEAL_PEER_ANY))
		return seal_fail(err, SEAL_E_UNAUTH, "the name 'any' is missing");
	if (!seal_strv_contains(&names->dns, peer))
		return seal_fail(err, SEAL_E_UNAUTH, "the peer's name '%s' is missing", peer);
	for (size_t i = 0; i < names->dns.count; i++) {
		const char *name = names->dns.items[i];

		if (strcmp(name, SEAL_PEER_ANY) != 0 && strcmp(name, peer) != 0 &&
		    seal_hostname_check(name, NULL) < 0)
			return seal_fail(err, SEAL_E_UNAUTH,
					 "the name '%s' does not belong to peer '%s'", name, peer);
	}
	return 0;
}

static bool
is_listed(const struct seal_strv *list, const char *peer)
{
	return seal_strv_contains(list, peer) || seal_strv_contains(list, SEAL_PEER_EVERY);
}

/* Verified before, perhaps under other anchors: the path was one certificate long, so its end says it all. */
static int
find_anchor(const struct seal_peer *peer, const struct seal_certs *anchors, bool *ret_found,
	    struct seal_err *err)
{
	for (size_t i = 0; i < seal_certs_count(anchors); i++) {
		uint8_t id[SEAL_HASH_LEN];
		int r = seal_anchor_id(seal_certs_at(anchors, i), id, err);

		if (r < 0)
			return r;
		if (memcmp(id, peer->anchor, sizeof(id)) == 0)
			*ret_found = true;
	}
	return 0;
}

static int
check_anchor(const struct seal_peer *peer, const struct seal_peer_rules *rules,
	     struct seal_err *err)
{
	bool found = false;
	int r = find_anchor(peer, rules->anchors, &found, err);

	if (r == 0 && !found && rules->former != NULL)
		r = find_anchor(peer, rules->former, &found, err);
	if (r < 0 || found)
		return r;
	return seal_fail(err, SEAL_E_UNAUTH, "the CA that certified peer '%s' is trusted no more",
			 peer->name);
}

int
seal_peer_check_policy(const struct seal_peer *peer, const struct seal_peer_rules *rules,
		       int64_t now, struct seal_err *err)
{
	int r;

	if (now < SEAL_CLOCK_FLOOR || now > peer->not_after)
		return seal_fail(err, SEAL_E_UNAUTH, "the certificate of peer '%s' has expired",
				 peer->name);
	if (now < peer->not_before)
		return seal_fail(err, SEAL_E_UNAUTH,
				 "the certificate of peer '%s' is not valid yet", peer->name);
	r = check_anchor(peer, rules, err);
	if (r < 0)
		return r;
	if (rules->revoked != NULL && seal_strv_contains_sorted(rules->revoked, peer->serial))
		return seal_fail(err, SEAL_E_REFUSED, "certificate %s of peer '%s' is revoked",
				 peer->serial, peer->name);
	if (rules->allowed == NULL || !is_listed(rules->allowed, peer->name))
		return seal_fail(err, SEAL_E_REFUSED, "peer '%s' is not allowed by policy",
				 peer->name);
	if (rules->narrowed != NULL && !is_listed(rules->narrowed, peer->name))
		return seal_fail(err, SEAL_E_REFUSED, "peer '%s' is not accepted by this listener",
				 peer->name);
	return 0;
}

static int
describe(struct seal_peer *peer, const struct seal_identity *identity, const struct seal_cert *leaf,
	 struct seal_err *err)
{
	int r;

	memcpy(peer->name, identity->peer, sizeof(peer->name));
	seal_identity_format(identity, peer->uri);
	r = seal_cert_serial(leaf, peer->serial, err);
	if (r == 0)
		r = seal_cert_times(leaf, &peer->not_before, &peer->not_after, err);
	return r < 0 ? seal_note(err, SEAL_E_UNAUTH, "peer '%s'", peer->name) : 0;
}

/* Everything about the peer that depends neither on policy nor on more of the clock than the window. */
static int
establish(struct seal_peer *peer, struct seal_window *window, const struct seal_peer_rules *rules,
	  const struct seal_certs *presented, enum seal_side side, int64_t now,
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_alt_names_release) struct seal_alt_names names = { 0 };
	struct seal_identity identity = { 0 };
	int r;

	r = verify_identity(&identity, &names, window, rules->anchors, rules->trust_domain,
			    presented, side, now, err);
	if (r < 0)
		return r;
	if (identity.role != SEAL_ROLE_POD || strcmp(identity.workload, rules->workload) != 0)
		return seal_fail(err, SEAL_E_UNAUTH, "not a peer of workload '%s'",
				 rules->workload);
	r = check_pod_names(&names, identity.peer, err);
	if (r < 0)
		return r;
	memcpy(peer->anchor, window->anchor, sizeof(peer->anchor));
	return describe(peer, &identity, seal_certs_at(presented, 0), err);
}

int
seal_peer_verify(struct seal_peer *ret_peer, const struct seal_peer_rules *rules,
		 struct seal_certs *presented, enum seal_side side, int64_t now,
		 struct seal_err *err)
{
	struct seal_window window = { 0 };
	struct seal_peer peer = { 0 };
	int r;

	if (!seal_peer_recall(&peer, rules, presented, side, now)) {
		r = establish(&peer, &window, rules, presented, side, now, err);
		if (r < 0)
			return r;
		seal_peer_remember(&peer, &window, rules, presented, side);
	}
	r = seal_peer_check_policy(&peer, rules, now, err);
	if (r < 0)
		return r;
	if (rules->hostname != NULL &&
	    !seal_cert_has_hostname(seal_certs_at(presented, 0), rules->hostname))
		return seal_fail(err, SEAL_E_UNAUTH, "peer '%s' does not carry the host name '%s'",
				 peer.name, rules->hostname);
	*ret_peer = peer;
	return 0;
}

int
seal_role_verify(struct seal_identity *ret_identity, const struct seal_certs *anchors,
		 const char *trust_domain, enum seal_role role, const struct seal_certs *presented,
		 enum seal_side side, int64_t now, struct seal_err *err)
{
	SEAL_SCOPED(seal_alt_names_release) struct seal_alt_names names = { 0 };
	struct seal_identity identity = { 0 };
	struct seal_window ignored = { 0 };
	int r;

	r = verify_identity(&identity, &names, &ignored, anchors, trust_domain, presented, side,
			    now, err);
	if (r < 0)
		return r;
	if (identity.role == SEAL_ROLE_POD || identity.role == SEAL_ROLE_NONE ||
	    (role != SEAL_ROLE_NONE && identity.role != role))
		return seal_fail(err, SEAL_E_UNAUTH, "the certificate is for another role");
	*ret_identity = identity;
	return 0;
}
