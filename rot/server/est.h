/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_EST_H
#define SEAL_ROT_EST_H

/*
 * Enrollment over Secure Transport (RFC 7030, clarified by RFC 8951), for clients outside: which operation a path
 * means, who an Authorization header says is calling, the key in a request, certificates as an answer.  Knows neither
 * the store nor connections; est_serve.c puts it behind a listener.
 */

#include <stddef.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/x509/x509.h"

/* base64 of the longest request we read, in lines. */
#define ROT_EST_MAX_BODY (16u * 1024)
/* Letters of a secret: base64url of 256 bits. */
#define ROT_EST_SECRET_LEN 43

enum rot_est_operation {
	ROT_EST_CACERTS,
	ROT_EST_CSRATTRS,
	ROT_EST_ENROLL,
	ROT_EST_REENROLL,
};

/* /.well-known/est/[LABEL/]OPERATION (RFC 7030 section 3.2.2); a label is a workload's name. */
struct rot_est_target {
	enum rot_est_operation operation;
	char label[SEAL_WORKLOAD_MAX + 1]; /* "" without one */
};
/* SEAL_E_MISSING for what is none of ours. */
SEAL_CHECKED int rot_est_target_parse(struct rot_est_target *ret_target, const char *path,
				      struct seal_err *err);

/* The user of HTTP Basic authentication (RFC 7617): an enrolment's id, with its secret already digested. */
struct rot_est_user {
	char id[SEAL_ID_LEN + 1];
	uint8_t hash[SEAL_HASH_LEN];
};
/* header NULL: there was none.  SEAL_E_UNAUTH for all that is not exactly that. */
SEAL_CHECKED int rot_est_user_parse(struct rot_est_user *ret_user, const char *header,
				    struct seal_err *err);

/*
 * The key of an enrolment request (RFC 7030 section 4.2.1, RFC 8951 section 3.1): base64 of a PKCS#10 request in DER,
 * in lines or not, signed by that key.  Everything else in it is ignored.  content_type may be NULL.  SEAL_E_FORMAT
 * or SEAL_E_LIMIT with a sentence for the client.
 */
SEAL_CHECKED int rot_est_key(struct seal_key **ret_key, const char *content_type, const void *body,
			     size_t len, struct seal_err *err);

#define ROT_EST_ANSWER_TYPE "application/pkcs7-mime; smime-type=certs-only"
/* Append certificates, given in PEM, as the body of an answer: base64 of a certs-only PKCS#7, in lines. */
SEAL_CHECKED int rot_est_answer(struct seal_bytes *out, const char *pem, size_t pem_len,
				struct seal_err *err);

#endif
