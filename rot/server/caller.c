/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From certificates to a caller.  The identity in a certificate chooses the CA it is held against and
 * is believed only after that; a pod's certificate passes the same verification that pods use among
 * themselves.
 */

#include "rot/server/caller.h"

#define BUNDLE_MAX (256u * 1024) /* PEM of all generations of a workload's CA */

static int verify_system(struct rot_caller *caller, const struct seal_certs *system_ca,
			 const char *trust_domain, enum seal_role role,
			 struct seal_certs *presented, int64_t now, struct seal_err *err);
static int hear_pod(struct rot_caller *caller, const char *trust_domain,
		    const struct seal_identity *claim, const struct seal_certs *presented,
		    struct seal_err *err);
static int find_right(struct rot_caller *caller, struct seal_err *err);
static int note_leaf(struct rot_caller *caller, const struct seal_cert *leaf, struct seal_err *err);

int
rot_caller_verify(struct rot_caller **ret_caller, const struct seal_certs *system_ca,
		  const char *trust_domain, struct seal_certs *presented, int64_t now,
		  struct seal_err *err)
{
	SEAL_SCOPED(rot_caller_freep) struct rot_caller *caller = calloc(1, sizeof(*caller));
	const struct seal_cert *leaf = seal_certs_at(presented, 0);
	struct seal_identity claim = { 0 };
	int r;

	if (caller == NULL)
		return seal_fail_memory(err);
	if (leaf == NULL)
		return seal_fail(err, SEAL_E_UNAUTH, "no certificate");
	r = seal_cert_identity(leaf, &claim, err);
	if (r < 0)
		return r;
	if (claim.role == SEAL_ROLE_POD)
		r = hear_pod(caller, trust_domain, &claim, presented, err);
	else
		r = verify_system(caller, system_ca, trust_domain, claim.role, presented, now, err);
	if (r == 0)
		r = find_right(caller, err);
	if (r == 0)
		r = note_leaf(caller, leaf, err);
	if (r < 0)
		return r;
	*ret_caller = SEAL_TAKE(caller);
	return 0;
}

void
rot_caller_free(struct rot_caller *caller)
{
	if (caller == NULL)
		return;
	seal_certs_free(caller->chain);
	free(caller);
}

void
rot_caller_freep(struct rot_caller **caller)
{
	rot_caller_free(*caller);
	*caller = NULL;
}

void
rot_caller_local(struct rot_caller *caller, const char *trust_domain)
{
	memset(caller, 0, sizeof(*caller));
	caller->right = ROT_MAY_ADMIN;
	caller->identity.role = SEAL_ROLE_OPERATOR;
	(void)snprintf(caller->identity.trust_domain, sizeof(caller->identity.trust_domain), "%s",
		       trust_domain);
	(void)snprintf(caller->identity.operator_role, sizeof(caller->identity.operator_role),
		       "admin");
	(void)snprintf(caller->identity.operator_name, sizeof(caller->identity.operator_name),
		       "local");
}

void
rot_caller_name(const struct rot_caller *caller, char name[static ROT_CALLER_NAME_MAX])
{
	const struct seal_identity *identity = &caller->identity;
	size_t scheme = strlen("spiffe://") + strlen(identity->trust_domain) + 1;
	char uri[SEAL_IDENTITY_URI_MAX];

	if (identity->role == SEAL_ROLE_NONE) {
		(void)snprintf(name, ROT_CALLER_NAME_MAX, "%s%s",
			       caller->enrolment[0] != '\0' ? "enrolment/" : "anybody",
			       caller->enrolment);
		return;
	}
	seal_identity_format(identity, uri);
	(void)snprintf(name, ROT_CALLER_NAME_MAX, "%s", strlen(uri) > scheme ? uri + scheme : uri);
}

static int
verify_system(struct rot_caller *caller, const struct seal_certs *system_ca,
	      const char *trust_domain, enum seal_role role, struct seal_certs *presented,
	      int64_t now, struct seal_err *err)
{
	if (role != SEAL_ROLE_EGG && role != SEAL_ROLE_OPERATOR)
		return seal_fail(err, SEAL_E_UNAUTH, "this identity is no client of ours");
	return seal_role_verify(&caller->identity, system_ca, trust_domain, role, presented,
				SEAL_SIDE_CLIENT, now, err);
}

static int
hear_pod(struct rot_caller *caller, const char *trust_domain, const struct seal_identity *claim,
	 const struct seal_certs *presented, struct seal_err *err)
{
	int r;

	if (strcmp(claim->trust_domain, trust_domain) != 0)
		return seal_fail(err, SEAL_E_UNAUTH, "a pod of another trust domain");
	r = seal_certs_new(&caller->chain, err);
	for (size_t i = 0; r == 0 && i < seal_certs_count(presented); i++)
		r = seal_certs_add(caller->chain, seal_certs_at(presented, i), err);
	if (r < 0)
		return r;
	caller->identity = *claim;
	return 0;
}

static int
find_anchors(struct seal_certs **ret_anchors, struct rot_store *store, const char *workload,
	     struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(BUNDLE_MAX);
	int r = rot_store_ca_bundle(store, workload, &pem, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_UNAUTH, "no such workload");
	return r < 0 ? r
		     : seal_certs_from_pem(ret_anchors, seal_bytes_str(&pem), pem.len, BUNDLE_MAX,
					   err);
}

/* One small record for each request of an operator: there is nothing to be kept up to date anywhere. */
static int
confirm_operator(const struct rot_caller *caller, struct rot_store *store, int64_t now,
		 struct seal_err *err)
{
	const char *name = caller->identity.operator_name;
	struct rot_operator holder = { 0 };
	int r;

	if (caller->serial[0] == '\0')
		return 0; /* the local socket */
	if (caller->not_after <= now)
		return seal_fail(err, SEAL_E_REFUSED, "this credential has expired");
	r = rot_store_get_operator(store, name, &holder, err);
	if (r < 0 && r != SEAL_E_MISSING)
		return r;
	if (r == SEAL_E_MISSING || strcmp(holder.role, caller->identity.operator_role) != 0)
		return seal_fail(err, SEAL_E_REFUSED, "this credential is not known here");
	if (holder.revoked_at != 0 || !rot_operator_holds(&holder, caller->serial))
		return seal_fail(err, SEAL_E_REFUSED, "this credential was revoked");
	return 0;
}

int
rot_caller_confirm(const struct rot_caller *caller, struct rot_store *store,
		   const char *trust_domain, int64_t now, struct seal_peer *ret_peer,
		   struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(seal_strv_release) struct seal_strv every = { 0 };
	struct seal_peer_rules rules = { .trust_domain = trust_domain,
					 .workload = caller->identity.workload,
					 .allowed = &every };
	char uri[SEAL_IDENTITY_URI_MAX];
	struct seal_peer peer;
	int r;

	if (caller->identity.role == SEAL_ROLE_OPERATOR)
		return confirm_operator(caller, store, now, err);
	if (caller->chain == NULL)
		return 0;
	r = find_anchors(&anchors, store, caller->identity.workload, err);
	if (r == 0)
		r = seal_strv_add(&every, SEAL_PEER_EVERY, err);
	rules.anchors = anchors;
	if (r == 0)
		r = seal_peer_verify(&peer, &rules, caller->chain, SEAL_SIDE_CLIENT, now, err);
	if (r < 0)
		return r;
	seal_identity_format(&caller->identity, uri);
	if (strcmp(peer.uri, uri) != 0)
		return seal_fail(err, SEAL_E_UNAUTH, "the certificate says two things");
	*ret_peer = peer;
	return 0;
}

bool
rot_caller_is_timely(const struct rot_caller *caller, int64_t now)
{
	const struct seal_cert *leaf =
		caller->chain != NULL ? seal_certs_at(caller->chain, 0) : NULL;
	int64_t not_before = 0, not_after = 0;

	if (leaf == NULL)
		return true;
	return seal_cert_times(leaf, &not_before, &not_after, NULL) == 0 && not_before <= now &&
	       now < not_after;
}

static const struct {
	const char *role;
	enum rot_right right;
} operator_roles[] = {
	{ "admin", ROT_MAY_ADMIN },
	{ "auditor", ROT_MAY_AUDIT },
	{ "ci", ROT_MAY_CI },
};

int
rot_operator_role_check(const char *role, struct seal_err *err)
{
	for (size_t i = 0; i < SEAL_COUNT(operator_roles); i++) {
		if (strcmp(operator_roles[i].role, role) == 0)
			return 0;
	}
	return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no role: admin, auditor or ci", role);
}

static int
find_operator_right(struct rot_caller *caller, struct seal_err *err)
{
	const char *role = caller->identity.operator_role;

	for (size_t i = 0; i < SEAL_COUNT(operator_roles); i++) {
		if (strcmp(operator_roles[i].role, role) == 0) {
			caller->right = operator_roles[i].right;
			return 0;
		}
	}
	return seal_fail(err, SEAL_E_UNAUTH, "no operator has this role");
}

static int
find_right(struct rot_caller *caller, struct seal_err *err)
{

	switch (caller->identity.role) {
	case SEAL_ROLE_EGG:
		caller->right = ROT_MAY_HATCH;
		return 0;
	case SEAL_ROLE_POD:
		caller->right = ROT_MAY_RENEW;
		return 0;
	case SEAL_ROLE_OPERATOR:
		return find_operator_right(caller, err);
	case SEAL_ROLE_ROT:
	case SEAL_ROLE_NONE:
		break;
	}
	return seal_fail(err, SEAL_E_UNAUTH, "this identity has no rights here");
}

static int
note_leaf(struct rot_caller *caller, const struct seal_cert *leaf, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int64_t not_before = 0;
	int r;

	r = seal_cert_serial(leaf, caller->serial, err);
	if (r == 0)
		r = seal_cert_times(leaf, &not_before, &caller->not_after, err);
	if (r == 0)
		r = seal_cert_key(leaf, &key, err);
	if (r == 0)
		r = seal_key_id(key, caller->key_id, err);
	return r;
}
