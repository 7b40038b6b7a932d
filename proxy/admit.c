/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peer policy of a listener.  Decides nothing itself: it says which names count and asks
 * seal_peer_verify and seal_peer_check_policy.
 */
#include "proxy/admit.h"

static struct seal_peer_rules
rules_of(const struct proxy_listener_config *listener, const struct proxy_identity_state *state)
{
	bool inbound = listener->direction == PROXY_INBOUND;
	/* A listener that names "*", or nobody, takes everyone the state allows. */
	bool narrows =
		listener->peers.count > 0 && !seal_strv_contains(&listener->peers, SEAL_PEER_EVERY);

	return (struct seal_peer_rules){
		.anchors = state->anchors,
		.trust_domain = state->trust_domain,
		.workload = state->workload,
		.allowed = inbound ? &state->clients : &state->servers,
		.narrowed = narrows ? &listener->peers : NULL,
		.revoked = &state->revoked,
		.cache = state->verified,
	};
}

int
proxy_admit_verify(struct seal_peer *ret_peer, const struct proxy_listener_config *listener,
		   const struct proxy_identity_state *state, const char *hostname,
		   struct seal_certs *presented, int64_t now, struct seal_err *err)
{
	struct seal_peer_rules rules = rules_of(listener, state);
	enum seal_side side =
		listener->direction == PROXY_INBOUND ? SEAL_SIDE_CLIENT : SEAL_SIDE_SERVER;

	if (now < SEAL_CLOCK_FLOOR)
		return seal_fail(err, SEAL_E_REFUSED, "the system clock cannot be right");
	if (listener->verify_hostname && hostname == NULL)
		return seal_fail(err, SEAL_E_REFUSED, "there is no host name to verify");
	rules.hostname = listener->verify_hostname ? hostname : NULL;
	return seal_peer_verify(ret_peer, &rules, presented, side, now, err);
}

bool
proxy_admit_can_match(const char *peer, const struct proxy_listener_config *listener,
		      const struct proxy_identity_state *state)
{
	const struct seal_strv *allowed = rules_of(listener, state).allowed;

	return strcmp(peer, SEAL_PEER_EVERY) == 0 || seal_strv_contains(allowed, peer) ||
	       seal_strv_contains(allowed, SEAL_PEER_EVERY);
}

int
proxy_admit_again(const struct seal_peer *peer, const struct proxy_listener_config *listener,
		  const struct proxy_identity_state *state, int64_t now, struct seal_err *err)
{
	struct seal_peer_rules rules = rules_of(listener, state);

	return seal_peer_check_policy(peer, &rules, now, err);
}

/* Who we are must not have changed. */
static int
check_same_home(const struct proxy_identity_state *then, const struct proxy_identity_state *now,
		struct seal_err *err)
{
	if (strcmp(then->trust_domain, now->trust_domain) != 0 ||
	    strcmp(then->workload, now->workload) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "we now belong to another workload");
	return 0;
}

int
proxy_admit_late(const struct seal_peer *peer, const struct proxy_listener_config *listener,
		 const struct proxy_identity_state *then, const struct proxy_identity_state *now,
		 int64_t admitted_at, struct seal_err *err)
{
	int r = check_same_home(then, now, err);

	return r < 0 ? r : proxy_admit_again(peer, listener, now, admitted_at, err);
}

int
proxy_admit_recheck(const struct seal_peer *peer, const struct proxy_listener_config *listener,
		    const struct proxy_identity_state *then, const struct proxy_identity_state *now,
		    int64_t admitted_at, struct seal_err *err)
{
	struct seal_peer_rules rules = rules_of(listener, now);

	int r = check_same_home(then, now, err);

	if (r < 0)
		return r;
	rules.former = now->former;
	return seal_peer_check_policy(peer, &rules, admitted_at, err);
}
