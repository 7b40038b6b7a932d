/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CALLER_H
#define SEAL_ROT_CALLER_H

/*
 * Who is calling: what a verified client certificate says, or the local socket.
 */

#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/x509/verify.h"
#include "rot/server/store.h"

/* What a caller may do; routes hold sets of them. */
enum rot_right {
	ROT_MAY_ADMIN = 1u << 0,
	ROT_MAY_CI = 1u << 1,
	ROT_MAY_HATCH = 1u << 2,
	ROT_MAY_RENEW = 1u << 3,
	ROT_MAY_AUDIT = 1u << 4, /* read everything that an operator may read, and the log */
	ROT_MAY_ENROL = 1u << 5, /* try to, with a credential in the request */
};

struct rot_caller {
	struct seal_identity identity;
	enum rot_right right;
	char serial[SEAL_SERIAL_LEN + 1]; /* of the client certificate; "" on the local socket */
	int64_t not_after;                /* of it */
	uint8_t key_id[SEAL_HASH_LEN];
	char enrolment[SEAL_ID_LEN + 1]; /* whose credential this is, of who has no certificate */
	struct seal_certs *chain;        /* of a pod, still to be confirmed; NULL for others */
};

/* SEAL_E_FORMAT for a role that no operator can have. */
SEAL_CHECKED int rot_operator_role_check(const char *role, struct seal_err *err);

/*
 * Verify a client's certificates: the RoT's own world against system_ca.  SEAL_E_UNAUTH on any doubt.  A pod is
 * only heard: what it is held against is in the store, and rot_caller_confirm does that, for each of its requests.
 * An operator is held against its record there, likewise.
 * On success *ret_caller belongs to the caller (rot_caller_free).
 */
SEAL_CHECKED int rot_caller_verify(struct rot_caller **ret_caller,
				   const struct seal_certs *system_ca, const char *trust_domain,
				   struct seal_certs *presented, int64_t now, struct seal_err *err);
/*
 * Hold a pod against its workload's CAs, and an operator against its record: revoked, it is refused with its next
 * request.  SEAL_E_UNAUTH as above, SEAL_E_REFUSED, or the store's failure.  *ret_peer is a pod's as verified, and
 * untouched for others.
 */
SEAL_CHECKED int rot_caller_confirm(const struct rot_caller *caller, struct rot_store *store,
				    const char *trust_domain, int64_t now,
				    struct seal_peer *ret_peer, struct seal_err *err);
/* Is now within the validity that its certificate claims?  True for who has shown none. */
bool rot_caller_is_timely(const struct rot_caller *caller, int64_t now);
void rot_caller_free(struct rot_caller *caller);
void rot_caller_freep(struct rot_caller **caller);

/* The operator on the local socket, admin/local. */
void rot_caller_local(struct rot_caller *caller, const char *trust_domain);

/* For logs and status: "operator/admin/NAME", "egg/ID", "workload/W/peer/P". */
#define ROT_CALLER_NAME_MAX SEAL_IDENTITY_URI_MAX
void rot_caller_name(const struct rot_caller *caller, char name[static ROT_CALLER_NAME_MAX]);

#endif
