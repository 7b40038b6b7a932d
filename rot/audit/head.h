/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_AUDIT_HEAD_H
#define SEAL_AUDIT_HEAD_H

/*
 * A signed head says: at this time the log had this size and this root.  Who keeps one elsewhere finds out
 * later whether anything before it was removed, changed, inserted, put in another order or cut off.
 *
 *   seal-audit-head 1
 *   LOG ID (32 hexadecimal digits, the store's)
 *   SIZE
 *   TIME
 *   ROOT (base64url)
 *   KEY (base64url of the SubjectPublicKeyInfo of an ECDSA P-256 key)
 *   SIGNATURE (base64url of the ECDSA signature, as in RFC 7518 section 3.4, over all lines before with their ends)
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"

#define AUDIT_HEAD_MAX 1024u

struct audit_head {
	char log[SEAL_ID_LEN + 1];
	uint64_t size;
	int64_t time;
	uint8_t root[SEAL_HASH_LEN];
	uint8_t key_id[SEAL_HASH_LEN]; /* SHA-256 of the key's SubjectPublicKeyInfo */
};

/*
 * The lines that are signed, appended to out.  The key written is key; the head's key_id is what reading finds, and is
 * not looked at here.  SEAL_E_FORMAT for members that cannot be.
 */
SEAL_CHECKED int audit_head_begin(const struct audit_head *head, const struct seal_key *key,
				  struct seal_bytes *out, struct seal_err *err);
/* The same, signed: the whole text. */
SEAL_CHECKED int audit_head_sign(const struct audit_head *head, const struct seal_key *key,
				 struct seal_bytes *out, struct seal_err *err);
/*
 * SEAL_E_FORMAT for whatever is not spelled as heads are, SEAL_E_UNAUTH when the signature is not the key's.  Whose
 * key it is has to be known otherwise: compare key_id.
 */
SEAL_CHECKED int audit_head_parse(struct audit_head *ret_head, const void *text, size_t len,
				  struct seal_err *err);

/* ---- The log against its heads ---- */

#define AUDIT_CHECK_HEADS 10000u /* in one check */
/* Seconds that the clocks of those who write one log may differ. */
#define AUDIT_TIME_SLACK 300

struct audit_report {
	uint64_t size;
	uint64_t
		covered; /* so many entries from the first are proven by a head; the rest is only well formed */
	uint8_t root[SEAL_HASH_LEN];
	/*
	 * Entries and heads dated before what stands before them by more than AUDIT_TIME_SLACK, and the place of the
	 * first.  No proof of anything, since a clock that was wrong gets set right, but worth a look.
	 */
	uint64_t backward;
	uint64_t first_backward;
};

struct audit_check;
/* Entries are given in order, each as the bytes it was kept as, and heads in any. */
SEAL_CHECKED int audit_check_new(struct audit_check **ret_check, struct seal_err *err);
void audit_check_free(struct audit_check *check);
void audit_check_freep(struct audit_check **check);
/*
 * A head to be met, by a key that the caller trusts; before the entry of its size.  SEAL_E_REFUSED when two
 * contradict each other, or are of two logs, or the entries so far do not lead to it.
 */
SEAL_CHECKED int audit_check_head(struct audit_check *check, const struct audit_head *head,
				  struct seal_err *err);
/* SEAL_E_REFUSED, with the place, when the number or the form is wrong, or a head is not met here. */
SEAL_CHECKED int audit_check_entry(struct audit_check *check, const void *entry, size_t len,
				   struct seal_err *err);
/* SEAL_E_REFUSED when a head is beyond the end.  A log that was refused once stays refused. */
SEAL_CHECKED int audit_check_end(struct audit_check *check, struct audit_report *ret_report,
				 struct seal_err *err);

#endif
