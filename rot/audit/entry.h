/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_AUDIT_ENTRY_H
#define SEAL_AUDIT_ENTRY_H

/*
 * One entry of the audit log: who did what to whom, when, and how it ended.  It is kept as the bytes it was
 * written as, a JSON object on one line in one spelling (all members, in the order below, no blanks), and these
 * bytes are the leaf of the tree.  Holds no secret, and nothing of a caller's that was not checked.
 *
 *   {"n":0,"time":1790000000,"kind":"init","actor":"rot","address":"","workload":"","subject":"","refused":false,
 *   "reason":"","count":1}                                                                  (all on one line)
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/names/names.h"

#define AUDIT_ENTRY_MAX   4096u /* bytes of one */
#define AUDIT_SUBJECT_MAX 512u
#define AUDIT_REASON_MAX  256u

/* What can happen.  The texts stand in logs that are kept for years: they are added to, never changed. */
#define AUDIT_KINDS(X)                                                                             \
	X(INIT, "init")                                                                            \
	X(WORKLOAD_CREATE, "workload.create")                                                      \
	X(WORKLOAD_DELETE, "workload.delete")                                                      \
	X(CA_INTRODUCE, "ca.introduce")                                                            \
	X(CA_SWITCH, "ca.switch")                                                                  \
	X(CA_RETIRE, "ca.retire")                                                                  \
	X(CA_RENEW, "ca.renew")                                                                    \
	X(KEY_ROTATE, "key.rotate")                                                                \
	X(KEY_SWITCH, "key.switch")                                                                \
	X(KEY_RETIRE, "key.retire")                                                                \
	X(PEER_ALLOW, "peer.allow")                                                                \
	X(PEER_DENY, "peer.deny")                                                                  \
	X(PEER_REVOKE, "peer.revoke")                                                              \
	X(EGG_MINT, "egg.mint")                                                                    \
	X(EGG_REVOKE, "egg.revoke")                                                                \
	X(CERT_ISSUE, "cert.issue")                                                                \
	X(CERT_REVOKE, "cert.revoke")                                                              \
	X(HATCH, "hatch")                                                                          \
	X(RENEW, "renew")                                                                          \
	X(ENROL, "enrol")                                                                          \
	X(ENROLMENT_CREATE, "enrolment.create")                                                    \
	X(ENROLMENT_REVOKE, "enrolment.revoke")                                                    \
	X(SEAL, "seal")                                                                            \
	X(UNSEAL, "unseal")                                                                        \
	X(OPERATOR_ADD, "operator.add")                                                            \
	X(OPERATOR_REVOKE, "operator.revoke")                                                      \
	X(OPERATOR_RENEW, "operator.renew")                                                        \
	X(BACKUP, "backup")                                                                        \
	X(RESTORE, "restore")                                                                      \
	X(REKEY, "rekey")                                                                          \
	X(MIGRATE, "migrate")                                                                      \
	X(REFUSALS, "refusals") /* so many that they are counted instead of told one by one */     \
	X(OTHER, "other")       /* a refusal of what is none of these */

enum audit_kind {
#define AUDIT_ENUM(name, text) AUDIT_##name,
	AUDIT_KINDS(AUDIT_ENUM)
#undef AUDIT_ENUM
		AUDIT_KIND_COUNT
};

const char *audit_kind_name(enum audit_kind kind);
/* SEAL_E_FORMAT for what is none. */
SEAL_CHECKED int audit_kind_parse(const char *text, enum audit_kind *ret_kind,
				  struct seal_err *err);

struct audit_entry {
	uint64_t n;   /* its place in the log, from 0 */
	int64_t time; /* seconds since the epoch */
	enum audit_kind kind;
	char actor[192];  /* "operator/admin/alice", "egg/ID", "pod/WORKLOAD/PEER/SERIAL", "rot" */
	char address[64]; /* where the request came from; "" for none */
	char workload[SEAL_WORKLOAD_MAX + 1]; /* "" for none */
	char subject
		[AUDIT_SUBJECT_MAX]; /* what was changed or handed out: a serial, a pair, an object */
	bool refused;
	char reason[AUDIT_REASON_MAX]; /* of a refusal; "" otherwise */
	uint64_t count;                /* of refusals, at least 1; otherwise 1 */
};

#define AUDIT_TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/*
 * SEAL_E_FORMAT for an entry that cannot be: texts that are not printable ASCII, no actor, a workload that is not
 * spelled like one, a refusal without a reason or a reason without a refusal, a count of none, or of more than one
 * where nothing was refused.  Appended to out.
 */
SEAL_CHECKED int audit_entry_encode(const struct audit_entry *entry, struct seal_bytes *out,
				    struct seal_err *err);
/* Only what audit_entry_encode writes, byte for byte. */
SEAL_CHECKED int audit_entry_parse(struct audit_entry *ret_entry, const void *data, size_t len,
				   struct seal_err *err);

#endif
