/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_X509_H
#define SEAL_BASE_X509_H

/*
 * Certificates (RFC 5280): parse, issue, bundle, export.  Verification is in verify.h.  The only
 * door to OpenSSL's X509.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"

#define SEAL_CHAIN_MAX_LEN (16u * 1024) /* bytes of PEM or DER a peer may present */

/* One certificate.  Reference counted by the library beneath. */
struct seal_cert;

void seal_cert_free(struct seal_cert *cert);
void seal_cert_freep(struct seal_cert **cert);
SEAL_CHECKED int seal_cert_to_pem(const struct seal_cert *cert, struct seal_bytes *out,
				  struct seal_err *err);
/* The serial number as lower-case hexadecimal digits, two a byte, at most SEAL_SERIAL_LEN. */
SEAL_CHECKED int seal_cert_serial(const struct seal_cert *cert,
				  char serial[static SEAL_SERIAL_LEN + 1], struct seal_err *err);
/* Seconds since the epoch. */
SEAL_CHECKED int seal_cert_times(const struct seal_cert *cert, int64_t *ret_not_before,
				 int64_t *ret_not_after, struct seal_err *err);
/* The public key.  Owned by the caller. */
SEAL_CHECKED int seal_cert_key(const struct seal_cert *cert, struct seal_key **ret_key,
			       struct seal_err *err);
/*
 * What makes two CA certificates the same authority: the name that issues and the key that signs.  One that
 * was issued again, for a longer life, is no other.
 */
SEAL_CHECKED int seal_anchor_id(const struct seal_cert *anchor,
				uint8_t ret_id[static SEAL_HASH_LEN], struct seal_err *err);
/* SHA-256 of the whole certificate, DER. */
SEAL_CHECKED int seal_cert_fingerprint(const struct seal_cert *cert,
				       uint8_t ret_hash[static SEAL_HASH_LEN],
				       struct seal_err *err);
/*
 * The one SPIFFE ID in the subject alternative names, parsed, NOT verified.  SEAL_E_FORMAT when
 * there is none, or more than one URI.
 */
SEAL_CHECKED int seal_cert_identity(const struct seal_cert *cert,
				    struct seal_identity *ret_identity, struct seal_err *err);

/*
 * The subject's one common name, for people and logs: bytes outside printable ASCII become '?'.  ""
 * when there is none, more than one, or one that does not fit into size: no name is ever shortened.
 */
void seal_cert_common_name(const struct seal_cert *cert, char *name, size_t size);
/* May it sign certificates: version 3, basic constraints CA, and no key usage against it. */
bool seal_cert_is_ca(const struct seal_cert *cert);

/* An ordered list of certificates: a chain (leaf first) or a bundle of trust anchors. */
struct seal_certs;

SEAL_CHECKED int seal_certs_new(struct seal_certs **ret_certs, struct seal_err *err);
/*
 * Parse one or more PEM certificates; text between them is ignored, any other PEM block is
 * SEAL_E_FORMAT, and so is an empty list.  SEAL_E_LIMIT beyond max_len bytes.
 */
SEAL_CHECKED int seal_certs_from_pem(struct seal_certs **ret_certs, const char *pem, size_t pem_len,
				     size_t max_len, struct seal_err *err);
SEAL_CHECKED int seal_certs_to_pem(const struct seal_certs *certs, struct seal_bytes *out,
				   struct seal_err *err);
/* Append a certificate; the list takes a reference of its own. */
SEAL_CHECKED int seal_certs_add(struct seal_certs *certs, const struct seal_cert *cert,
				struct seal_err *err);
/* A list of its own over the same certificates. */
SEAL_CHECKED int seal_certs_copy(struct seal_certs **ret_certs, const struct seal_certs *from,
				 struct seal_err *err);
void seal_certs_free(struct seal_certs *certs);
void seal_certs_freep(struct seal_certs **certs);
size_t seal_certs_count(const struct seal_certs *certs);
/* Borrowed; NULL beyond the end. */
const struct seal_cert *seal_certs_at(const struct seal_certs *certs, size_t index);

/* What is to be issued.  Every field is the issuer's decision. */
enum seal_cert_kind {
	SEAL_CERT_CA,     /* keyCertSign, path length 0 */
	SEAL_CERT_SERVER, /* EKU serverAuth: the RoT itself */
	SEAL_CERT_CLIENT, /* EKU clientAuth: eggs and operators */
	SEAL_CERT_POD,    /* both */
};

struct seal_cert_spec {
	enum seal_cert_kind kind;
	const char *common_name;
	const char *uri;             /* NULL only for a CA */
	const struct seal_strv *dns; /* DNS names, may be NULL */
	const struct seal_strv *ips; /* IP addresses as text, may be NULL; for the RoT's own */
	const uint8_t *serial;       /* 16 bytes, positive; NULL: random */
	int64_t not_before;
	int64_t not_after;
};

/*
 * Issue a certificate for the public key.  issuer NULL makes it self-signed with issuer_key (a CA).
 * Critical key usage and basic constraints, SKI and AKI, ECDSA with SHA-256.
 */
SEAL_CHECKED int seal_cert_issue(struct seal_cert **ret_cert, const struct seal_cert_spec *spec,
				 const struct seal_key *public_key, const struct seal_cert *issuer,
				 const struct seal_key *issuer_key, struct seal_err *err);
/* The same, appended as PEM. */
SEAL_CHECKED int seal_cert_issue_pem(struct seal_bytes *out, const struct seal_cert_spec *spec,
				     const struct seal_key *public_key,
				     const struct seal_cert *issuer,
				     const struct seal_key *issuer_key, struct seal_err *err);

/* PKCS#12 (RFC 7292) with AES-256 and the password, for key stores outside.  Appends DER. */
SEAL_CHECKED int seal_pkcs12(struct seal_bytes *out, const struct seal_key *key,
			     const struct seal_certs *chain, const struct seal_certs *anchors,
			     const char *friendly_name, const char *password, struct seal_err *err);

/* A PKCS#7 (RFC 2315) of these certificates and nothing else: no content, no signature.  Appends DER. */
SEAL_CHECKED int seal_certs_to_pkcs7(const struct seal_certs *certs, struct seal_bytes *out,
				     struct seal_err *err);

/* For the rooms x509 and tls only: native handles (X509, STACK_OF(X509)), borrowed. */
void *seal_cert_native(const struct seal_cert *cert);
void *seal_certs_native(const struct seal_certs *certs);

#endif
