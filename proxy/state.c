/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published identity: built once, checked whole, shared by reference between threads.  Nothing
 * that fails its own checks is ever published, so a bad renewal changes nothing.
 */
#include "proxy/proxy.h"

/* Certificates of peers remembered as verified; more peers than that cost a verification again. */
#define MAX_VERIFIED 1024u

static int
check_leaf(struct proxy_identity_state *state, const struct proxy_state_parts *parts,
	   struct seal_err *err)
{
	const struct seal_cert *leaf = seal_certs_at(parts->chain, 0);
	SEAL_SCOPED(seal_key_freep) struct seal_key *public_key = NULL;
	struct seal_identity identity = { 0 };
	int r;

	if (leaf == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "no certificate");
	r = seal_cert_key(leaf, &public_key, err);
	if (r < 0)
		return r;
	if (!seal_key_same_public(public_key, parts->key))
		return seal_fail(err, SEAL_E_REFUSED, "the key is not the certificate's");
	r = seal_cert_identity(leaf, &identity, err);
	if (r < 0)
		return r;
	if (identity.role != SEAL_ROLE_POD)
		return seal_fail(err, SEAL_E_REFUSED, "the certificate is not a pod's");
	/* Same sizes on both sides. */
	(void)snprintf(state->trust_domain, sizeof(state->trust_domain), "%s",
		       identity.trust_domain);
	(void)snprintf(state->workload, sizeof(state->workload), "%s", identity.workload);
	(void)snprintf(state->peer, sizeof(state->peer), "%s", identity.peer);
	return seal_cert_times(leaf, &state->not_before, &state->not_after, err);
}

/* Peers will demand this of us: notice now rather than in every handshake. */
static int
check_chain(const struct proxy_state_parts *parts, struct seal_err *err)
{
	static const enum seal_side sides[] = { SEAL_SIDE_CLIENT, SEAL_SIDE_SERVER };

	for (size_t i = 0; i < SEAL_COUNT(sides); i++) {
		struct seal_chain_opts opts = { .now = parts->now, .side = sides[i] };
		int r = seal_chain_verify(parts->anchors, parts->chain, &opts, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A list of our own: the caller's may be gone tomorrow. */
static int
copy_certs(struct seal_certs **ret_certs, const struct seal_certs *from, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	int r = seal_certs_new(&certs, err);

	for (size_t i = 0; r == 0 && i < seal_certs_count(from); i++)
		r = seal_certs_add(certs, seal_certs_at(from, i), err);
	if (r < 0)
		return r;
	*ret_certs = SEAL_TAKE(certs);
	return 0;
}

static int
make_tls(struct seal_tls **ret_tls, const struct proxy_state_parts *parts, enum seal_side side,
	 struct seal_err *err)
{
	struct seal_tls_config config = { .side = side,
					  .chain = parts->chain,
					  .key = parts->key,
					  .max_sessions = parts->max_sessions };

	return seal_tls_new(ret_tls, &config, err);
}

static int
make_both(struct proxy_identity_state *state, const struct proxy_state_parts *parts,
	  struct seal_err *err)
{
	int r;

	if (parts->like != NULL) {
		state->as_client = seal_tls_ref(parts->like->as_client);
		state->as_server = seal_tls_ref(parts->like->as_server);
		return 0;
	}
	r = make_tls(&state->as_client, parts, SEAL_SIDE_CLIENT, err);
	return r < 0 ? r : make_tls(&state->as_server, parts, SEAL_SIDE_SERVER, err);
}

static int
copy_policy(struct proxy_identity_state *state, const struct proxy_state_parts *parts,
	    struct seal_err *err)
{
	int r = copy_certs(&state->anchors, parts->anchors, err);

	if (r == 0 && parts->former != NULL)
		r = copy_certs(&state->former, parts->former, err);
	if (r == 0)
		r = seal_strv_copy(&state->clients, parts->clients, err);
	if (r == 0)
		r = seal_strv_copy(&state->servers, parts->servers, err);
	if (r == 0 && parts->revoked != NULL)
		r = seal_strv_copy(&state->revoked, parts->revoked, err);
	return r;
}

int
proxy_state_new(struct proxy_identity_state **ret_state, const struct proxy_state_parts *parts,
		struct seal_err *err)
{
	SEAL_SCOPED(proxy_state_unrefp)
	struct proxy_identity_state *state = calloc(1, sizeof(*state));
	int r;

	if (state == NULL)
		return seal_fail_memory(err);
	atomic_init(&state->refs, 1);
	state->generation = parts->generation;
	state->epoch = parts->epoch;
	state->severed = parts->severed;
	r = check_leaf(state, parts, err);
	if (r == 0 && parts->like == NULL)
		r = check_chain(parts, err);
	if (r == 0)
		r = copy_policy(state, parts, err);
	if (r == 0)
		r = seal_peer_cache_new(&state->verified, MAX_VERIFIED, err);
	if (r == 0)
		r = make_both(state, parts, err);
	if (r < 0)
		return r;
	*ret_state = SEAL_TAKE(state);
	return 0;
}

int
proxy_state_sever(struct proxy_identity_state **ret_state, const struct proxy_identity_state *like,
		  uint64_t generation, struct seal_err *err)
{
	SEAL_SCOPED(proxy_state_unrefp)
	struct proxy_identity_state *state = calloc(1, sizeof(*state));
	int r;

	if (state == NULL)
		return seal_fail_memory(err);
	atomic_init(&state->refs, 1);
	state->generation = generation;
	state->severed = like->severed + 1;
	memcpy(state->trust_domain, like->trust_domain, sizeof(state->trust_domain));
	memcpy(state->workload, like->workload, sizeof(state->workload));
	memcpy(state->peer, like->peer, sizeof(state->peer));
	state->as_client = seal_tls_ref(like->as_client);
	state->as_server = seal_tls_ref(like->as_server);
	r = seal_certs_new(&state->anchors, err);
	if (r == 0)
		r = seal_strv_copy(&state->revoked, &like->revoked, err);
	if (r == 0)
		r = seal_peer_cache_new(&state->verified, MAX_VERIFIED, err);
	if (r < 0)
		return r;
	*ret_state = SEAL_TAKE(state);
	return 0;
}

struct proxy_identity_state *
proxy_state_ref(struct proxy_identity_state *state)
{
	if (state != NULL)
		atomic_fetch_add_explicit(&state->refs, 1, memory_order_relaxed);
	return state;
}

void
proxy_state_unref(struct proxy_identity_state *state)
{
	if (state == NULL)
		return;
	if (atomic_fetch_sub_explicit(&state->refs, 1, memory_order_acq_rel) != 1)
		return;
	seal_tls_unref(state->as_client);
	seal_tls_unref(state->as_server);
	seal_peer_cache_free(state->verified);
	seal_certs_free(state->anchors);
	seal_certs_free(state->former);
	seal_strv_release(&state->clients);
	seal_strv_release(&state->servers);
	seal_strv_release(&state->revoked);
	free(state);
}

void
proxy_state_unrefp(struct proxy_identity_state **state)
{
	proxy_state_unref(*state);
	*state = NULL;
}

bool
proxy_state_is_valid(const struct proxy_identity_state *state, int64_t now)
{
	return state != NULL && now >= SEAL_CLOCK_FLOOR && now >= state->not_before &&
	       now <= state->not_after;
}
