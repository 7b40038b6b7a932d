/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_ADMIT_H
#define SEAL_PROXY_ADMIT_H

/*
 * Who is let through a listener: the identity's state and the listener's narrowing, turned into the
 * rules of the one verification function.
 */

#include "proxy/proxy.h"

/*
 * Verify what the other side presented during the handshake.  now 0 (no readable clock) refuses.
 * hostname is what the peer's certificate must carry besides, when the listener says so.
 * SEAL_E_UNAUTH or SEAL_E_REFUSED; *ret_peer changes only on success.
 */
SEAL_CHECKED int proxy_admit_verify(struct seal_peer *ret_peer,
				    const struct proxy_listener_config *listener,
				    const struct proxy_identity_state *state, const char *hostname,
				    struct seal_certs *presented, int64_t now,
				    struct seal_err *err);

/*
 * Is this name, one of the listener's peers, allowed by the root of trust at all?  A listener narrows
 * policy and never widens it: a name that is not can never match.
 */
bool proxy_admit_can_match(const char *peer, const struct proxy_listener_config *listener,
			   const struct proxy_identity_state *state);

/*
 * May a peer, verified in an earlier handshake with the same certificate of ours, be met again now?  What a
 * full handshake would ask, without what cannot have changed: the clock, policy, revocation, and whether the
 * CA that certified it is still trusted.
 */
SEAL_CHECKED int proxy_admit_again(const struct seal_peer *peer,
				   const struct proxy_listener_config *listener,
				   const struct proxy_identity_state *state, int64_t now,
				   struct seal_err *err);

/*
 * May a peer, verified in a handshake that began under the state then, be admitted under the state now?  It is new:
 * a CA that was retired in between admits nobody.
 */
SEAL_CHECKED int proxy_admit_late(const struct seal_peer *peer,
				  const struct proxy_listener_config *listener,
				  const struct proxy_identity_state *then,
				  const struct proxy_identity_state *now, int64_t admitted_at,
				  struct seal_err *err);

/*
 * Is a peer that was verified under the state then still allowed under the state now?  The
 * certificate it showed may have expired since, at admitted_at it had not: a connection outlives the
 * renewals of both sides, and what withdraws it is policy, revocation, or the end of the CA that certified it.
 */
SEAL_CHECKED int proxy_admit_recheck(const struct seal_peer *peer,
				     const struct proxy_listener_config *listener,
				     const struct proxy_identity_state *then,
				     const struct proxy_identity_state *now, int64_t admitted_at,
				     struct seal_err *err);

#endif
