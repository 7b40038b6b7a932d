/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_SIGNER_H
#define SEAL_ROT_SIGNER_H

/*
 * The signer: a process of its own that holds the key-encryption key, the CA keys, the audit log's key
 * and the roots from which workloads' keys are derived.  It makes CA keys and roots, issues certificates
 * whose every field it has checked itself, derives keys that pods get, signs heads of the audit log that
 * it has written itself, and hands out the statement key.  There is no message that signs bytes.  This
 * header is all the server sees of it.
 *
 * CA keys, the log's key and roots travel only encrypted: the signer returns a new one wrapped (AES-256-GCM under a
 * key derived from the key-encryption key, bound to the name of what it is), the server stores the blob
 * and gives it back with later requests.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/x509/x509.h"
#include "config-verify/ring.h"
#include "rot/audit/head.h"

struct rot_signer;

/*
 * Fork the signer, giving it the key-encryption key; the caller's copy is wiped and freed.  The
 * process must be hardened, single-threaded and have read no other secret.
 */
SEAL_CHECKED int rot_signer_start(struct rot_signer **ret_signer, struct seal_secret **kek,
				  const char *trust_domain, struct seal_err *err);
/* Ends the process and reaps it. */
void rot_signer_free(struct rot_signer *signer);
void rot_signer_freep(struct rot_signer **signer);
/* Readable when the signer has died, and not before; for any thread. */
int rot_signer_fd(const struct rot_signer *signer);

/* A CA as the store keeps it. */
struct rot_ca {
	char workload[SEAL_WORKLOAD_MAX + 1]; /* "" for the system CA */
	uint64_t generation;
	struct seal_bytes cert;    /* PEM */
	struct seal_bytes wrapped; /* the key, encrypted */
};
void rot_ca_release(struct rot_ca *ca);

/* Make a CA: key, self-signed certificate valid for ten years from now, wrapped key. */
SEAL_CHECKED int rot_signer_new_ca(struct rot_signer *signer, const char *workload,
				   uint64_t generation, int64_t now, struct rot_ca *ret_ca,
				   struct seal_err *err);

/* A root of a workload's keys as the store keeps it. */
struct rot_root {
	char workload[SEAL_WORKLOAD_MAX + 1];
	uint64_t generation;
	struct seal_bytes wrapped; /* encrypted */
};
void rot_root_release(struct rot_root *root);

/* Make a root. */
SEAL_CHECKED int rot_signer_new_root(struct rot_signer *signer, const char *workload,
				     uint64_t generation, struct rot_root *ret_root,
				     struct seal_err *err);

#define ROT_MAX_ROOTS 64 /* that a workload has at one time */

/*
 * Derive a peer's keys for the purposes (a set of ROT_PURPOSE) from roots of one workload: one ring.
 * No root, or more than ROT_MAX_ROOTS, or of different workloads, is a bug.
 */
#define ROT_PURPOSE(purpose) (1u << (purpose))
#define ROT_PURPOSES_ALL     ((1u << VERIFY_N_PURPOSES) - 1)
SEAL_CHECKED int rot_signer_derive(struct rot_signer *signer, const struct rot_root *roots,
				   size_t root_count, const char *peer, unsigned purposes,
				   struct verify_ring **ret_ring, struct seal_err *err);

/* What to issue.  The signer derives CN, SANs and usages from the identity and refuses the rest. */
struct rot_issue {
	struct seal_identity identity;
	const struct seal_strv *dns; /* POD: granted host names; ROT: its names; else empty */
	const struct seal_strv *ips; /* ROT only */
	const struct seal_bytes *spki;
	uint8_t serial[16];
	int64_t not_before;
	int64_t not_after;
};

/* Issue under a CA that must fit the identity: a workload's for a pod, the system CA otherwise. */
SEAL_CHECKED int rot_signer_issue(struct rot_signer *signer, const struct rot_ca *ca,
				  const struct rot_issue *issue, struct seal_bytes *ret_pem,
				  struct seal_err *err);

/* A fresh secret of SEAL_KEY_LEN bytes, wrapped and bound to purpose ("statement"). */
SEAL_CHECKED int rot_signer_new_secret(struct rot_signer *signer, const char *purpose,
				       struct seal_bytes *ret_wrapped, struct seal_err *err);
/* Unwrap such a secret.  Only "statement" is ever handed out.  SEAL_E_UNAUTH: wrong KEK or altered. */
SEAL_CHECKED int rot_signer_open_secret(struct rot_signer *signer, const char *purpose,
					const struct seal_bytes *wrapped,
					struct seal_secret **ret_secret, struct seal_err *err);

/* ---- What keeps a root of trust going for years ---- */

/*
 * A new certificate for a CA that exists: same subject, key and generation, ten years from now on.  What the CA
 * has issued stays good under either.  Appends PEM.
 */
SEAL_CHECKED int rot_signer_renew_ca(struct rot_signer *signer, const struct rot_ca *ca,
				     int64_t now, struct seal_bytes *out_cert,
				     struct seal_err *err);

/* The audit log's key, bound to the log's id: a new one, wrapped and appended; and the public half of one. */
SEAL_CHECKED int rot_signer_new_audit_key(struct rot_signer *signer, const char *log,
					  struct seal_bytes *out_wrapped, struct seal_err *err);
SEAL_CHECKED int rot_signer_audit_public(struct rot_signer *signer, const char *log,
					 const struct seal_bytes *wrapped,
					 struct seal_key **ret_key, struct seal_err *err);
/*
 * A signed head, appended as text (rot/audit/head.h), for the log, size, time and root of head; its key_id is not
 * looked at.  The time must be now.  SEAL_E_REFUSED for fewer entries than in the last head that this process
 * signed of the log, or for as many with another root.
 */
SEAL_CHECKED int rot_signer_sign_head(struct rot_signer *signer, const struct seal_bytes *wrapped,
				      const struct audit_head *head, struct seal_bytes *out,
				      struct seal_err *err);

/* What travels wrapped, by kind; what it is bound to stands behind. */
enum rot_blob {
	ROT_BLOB_CA,        /* workload ("" for the system CA) and generation */
	ROT_BLOB_ROOT,      /* workload and generation */
	ROT_BLOB_SECRET,    /* purpose */
	ROT_BLOB_AUDIT_KEY, /* log */
	ROT_BLOB_COUNT
};

/*
 * Change the key-encryption key: fork a signer that is given both (the caller's copies are wiped and freed) and
 * answers rot_signer_rewrap alone, have every blob wrapped again, store them all, end it.  A signer that was started
 * to serve never rewraps.  The same demands on the process as above.  SEAL_E_REFUSED when both keys are one.
 */
SEAL_CHECKED int rot_signer_start_rekey(struct rot_signer **ret_signer,
					struct seal_secret **old_kek, struct seal_secret **new_kek,
					const char *trust_domain, struct seal_err *err);
/* Appended to out, bound to the same name; generation 0 where there is none.  SEAL_E_UNAUTH: not ours, or altered. */
SEAL_CHECKED int rot_signer_rewrap(struct rot_signer *signer, enum rot_blob kind, const char *name,
				   uint64_t generation, const struct seal_bytes *wrapped,
				   struct seal_bytes *out, struct seal_err *err);

#endif
