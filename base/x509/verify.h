/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_VERIFY_H
#define SEAL_BASE_VERIFY_H

/*
 * Who is at the other end.  seal_peer_verify is the single function by which every side of every
 * connection between peers decides; seal_role_verify is its sibling for the root of trust's own
 * connections.  Both stand on seal_chain_verify: path validation (RFC 5280 section 6) to pinned
 * anchors and to nothing else, stricter than the library beneath.  The clock is always handed in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/x509/x509.h"

/* What the presenter of a certificate is acting as. */
enum seal_side { SEAL_SIDE_CLIENT, SEAL_SIDE_SERVER };

/* A clock that says less than this cannot be right: 2024-01-01T00:00:00Z. */
#define SEAL_CLOCK_FLOOR INT64_C(1704067200)

struct seal_chain_opts {
	int64_t now;          /* seconds since the epoch */
	enum seal_side side;  /* decides which extended key usage is demanded */
	unsigned max_between; /* intermediate certificates allowed between leaf and anchor */
};

/*
 * Verify presented (leaf first, any order behind it) up to an anchor.  SEAL_E_UNAUTH with the reason
 * on any doubt.
 */
SEAL_CHECKED int seal_chain_verify(const struct seal_certs *anchors,
				   const struct seal_certs *presented,
				   const struct seal_chain_opts *opts, struct seal_err *err);

/*
 * Is name, an exact host name, among the DNS subject alternative names?  Wildcards match one whole
 * left-most label (RFC 6125 section 6.4.3); the subject's common name is never looked at.
 */
bool seal_cert_has_hostname(const struct seal_cert *cert, const char *name);

/*
 * Would ordinary clients take the certificate for name, as they sent it: in any case of letters, and
 * certified by a public CA?  For choosing what to show, never for deciding whom to believe.
 */
bool seal_cert_serves(const struct seal_cert *cert, const char *name);

/* Whom we accept: everything the RoT told us, and the caller's narrowing. */
struct seal_peer_rules {
	const struct seal_certs *anchors; /* the workload's CA bundle */
	/* NULL, or CAs that were in it: they certify nobody any more, and whoever was met before may stay. */
	const struct seal_certs *former;
	const char *trust_domain;
	const char *workload;
	const struct seal_strv *allowed;  /* peer names; "*" is every peer; empty is nobody */
	const struct seal_strv *narrowed; /* NULL, or the subset this listener accepts */
	const struct seal_strv *revoked;  /* serial numbers, sorted; may be NULL */
	const char *hostname;             /* NULL, or a DNS name demanded in addition */
	struct seal_peer_cache *cache;    /* NULL, or one made for exactly these anchors */
};

/* Who it is, once verified. */
struct seal_peer {
	char name[SEAL_PEER_MAX + 1];
	char uri[SEAL_IDENTITY_URI_MAX];
	char serial[SEAL_SERIAL_LEN + 1];
	uint8_t anchor[SEAL_HASH_LEN]; /* the CA that certified it: a digest of its name and key */
	int64_t not_before;
	int64_t not_after;
};

/*
 * Certificates verified before.  Everything about a certificate that does not depend on the clock or
 * on policy is established once and then remembered by the digest of the whole certificate, for one
 * set of anchors, one trust domain and workload, and each side; the clock and policy are asked every
 * time.  Bounded; the one not met for longest goes first.  For use by several threads.
 */
struct seal_peer_cache;
SEAL_CHECKED int seal_peer_cache_new(struct seal_peer_cache **ret_cache, size_t max,
				     struct seal_err *err);
void seal_peer_cache_free(struct seal_peer_cache *cache);

/*
 * The verification of design section 4: directly under a pinned anchor, valid now, key usage and
 * extended key usage for the side it acts as, not revoked; SAN any; exactly one SPIFFE ID, with our
 * trust domain and workload; DNS names consistent with it; and its peer name allowed.
 * SEAL_E_UNAUTH when identity fails, SEAL_E_REFUSED when policy does; *ret_peer changes only on
 * success.  With a cache, a leaf met before is replaced in presented by its equal of then, so that
 * all sessions of a peer share one.
 */
SEAL_CHECKED int seal_peer_verify(struct seal_peer *ret_peer, const struct seal_peer_rules *rules,
				  struct seal_certs *presented, enum seal_side side, int64_t now,
				  struct seal_err *err);

/*
 * What may have changed since a peer was verified: it is allowed and not narrowed away, not revoked, valid
 * now, and the CA that certified it is still among the anchors, or the former ones.  Run again whenever the rules change, and
 * before a session is resumed.
 */
SEAL_CHECKED int seal_peer_check_policy(const struct seal_peer *peer,
					const struct seal_peer_rules *rules, int64_t now,
					struct seal_err *err);

/*
 * Verify a certificate of the RoT's own world (the RoT itself, an egg, an operator): chain to the
 * system CA, exactly one SPIFFE ID of our trust domain (any trust domain when NULL), and the wanted
 * role.  SEAL_ROLE_NONE accepts every role but the pods'.
 */
SEAL_CHECKED int seal_role_verify(struct seal_identity *ret_identity,
				  const struct seal_certs *anchors, const char *trust_domain,
				  enum seal_role role, const struct seal_certs *presented,
				  enum seal_side side, int64_t now, struct seal_err *err);

#endif
