/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_CRYPTO_H
#define SEAL_BASE_CRYPTO_H

/*
 * Keys, sealing, derivation, digests, randomness, signing requests.  ECDSA P-256, AES-256-GCM,
 * HKDF-SHA-256, scrypt, SHA-256 and nothing else, but for keys that a public CA certified.  The only door to
 * OpenSSL's EVP.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"

#define SEAL_KEY_LEN       32 /* a symmetric key */
#define SEAL_NONCE_LEN     12 /* AES-GCM */
#define SEAL_TAG_LEN       16
#define SEAL_HASH_LEN      32 /* SHA-256 */
#define SEAL_SHA384_LEN    48
#define SEAL_SIGNATURE_LEN 64 /* ECDSA P-256, RFC 7518 section 3.4: R and S */

/* Record a failure of the crypto library, draining its error queue into the sentence. */
#define seal_fail_ssl(err, ...) seal_negative(seal_err_set_ssl((err), __VA_ARGS__))
int seal_err_set_ssl(struct seal_err *err, const char *fmt, ...) SEAL_PRINTF(2, 3);

SEAL_CHECKED int seal_random(void *out, size_t len, struct seal_err *err);
SEAL_CHECKED int seal_sha384(uint8_t ret_hash[static SEAL_SHA384_LEN], const void *data, size_t len,
			     struct seal_err *err);
SEAL_CHECKED int seal_sha256(uint8_t ret_hash[static SEAL_HASH_LEN], const void *data, size_t len,
			     struct seal_err *err);
/* SHA-256 of what comes in pieces; after _end only to be freed. */
struct seal_digest;
SEAL_CHECKED int seal_digest_new(struct seal_digest **ret_digest, struct seal_err *err);
void seal_digest_free(struct seal_digest *digest);
void seal_digest_freep(struct seal_digest **digest);
SEAL_CHECKED int seal_digest_add(struct seal_digest *digest, const void *data, size_t len,
				 struct seal_err *err);
SEAL_CHECKED int seal_digest_end(struct seal_digest *digest, uint8_t ret_hash[static SEAL_HASH_LEN],
				 struct seal_err *err);

SEAL_CHECKED int seal_hmac_sha256(uint8_t ret_mac[static SEAL_HASH_LEN],
				  const struct seal_secret *key, const void *data, size_t len,
				  struct seal_err *err);

/* RFC 5869 with SHA-256 and an empty salt: a key for the purpose that info names. */
SEAL_CHECKED int seal_hkdf(struct seal_secret **ret_key, const struct seal_secret *root,
			   const char *info, struct seal_err *err);

/*
 * A key from a passphrase: scrypt (RFC 7914), which needs 128 * n * r bytes of memory.  SEAL_E_FORMAT for a cost out
 * of bounds: n a power of two from 2^14 to 2^22, r and p up to 16, 2 GiB in all.
 */
struct seal_scrypt {
	uint64_t n;
	uint64_t r;
	uint64_t p;
};
SEAL_CHECKED int seal_scrypt(struct seal_secret **ret_key, const struct seal_secret *passphrase,
			     const void *salt, size_t salt_len, const struct seal_scrypt *cost,
			     struct seal_err *err);

/*
 * AES-256-GCM (NIST SP 800-38D).  The nonce is the caller's: never twice under one key.  Sealing
 * appends ciphertext, then the tag.
 */
SEAL_CHECKED int seal_aead_seal(struct seal_bytes *out, const struct seal_secret *key,
				const uint8_t nonce[static SEAL_NONCE_LEN], const void *aad,
				size_t aad_len, const void *plain, size_t plain_len,
				struct seal_err *err);
/* One dull failure, SEAL_E_UNAUTH, for every wrong key, nonce, text or tag.  sealed ends in the tag. */
SEAL_CHECKED int seal_aead_open(struct seal_secret **ret_plain, const struct seal_secret *key,
				const uint8_t nonce[static SEAL_NONCE_LEN], const void *aad,
				size_t aad_len, const void *sealed, size_t sealed_len,
				struct seal_err *err);

/* A private key, or a public one.  Reference counted by the library beneath. */
struct seal_key;

/* A fresh ECDSA P-256 key pair. */
SEAL_CHECKED int seal_key_new(struct seal_key **ret_key, struct seal_err *err);
void seal_key_free(struct seal_key *key);
void seal_key_freep(struct seal_key **key);
/* Another reference to the same key, owned by the caller. */
SEAL_CHECKED int seal_key_copy(struct seal_key **ret_key, const struct seal_key *from,
			       struct seal_err *err);
/* PKCS#8 PEM, unencrypted.  Only P-256 private keys are accepted. */
SEAL_CHECKED int seal_key_from_pem(struct seal_key **ret_key, const struct seal_secret *pem,
				   struct seal_err *err);
/*
 * The same for the key of a certificate that others issued, to show to the public: ECDSA P-256 or P-384,
 * RSA of 2048 to 4096 bits; PKCS#8 or the older forms.
 */
SEAL_CHECKED int seal_key_from_site_pem(struct seal_key **ret_key, const struct seal_secret *pem,
					struct seal_err *err);
SEAL_CHECKED int seal_key_to_pem(const struct seal_key *key, struct seal_secret **ret_pem,
				 struct seal_err *err);
/* The SubjectPublicKeyInfo (RFC 5280 section 4.1), DER, appended to out. */
SEAL_CHECKED int seal_key_spki(const struct seal_key *key, struct seal_bytes *out,
			       struct seal_err *err);
/* A public key from its SubjectPublicKeyInfo; P-256 only, uncompressed named curve. */
SEAL_CHECKED int seal_key_from_spki(struct seal_key **ret_key, const void *der, size_t der_len,
				    struct seal_err *err);
/* SHA-256 of the SubjectPublicKeyInfo. */
SEAL_CHECKED int seal_key_id(const struct seal_key *key, uint8_t ret_id[static SEAL_HASH_LEN],
			     struct seal_err *err);
bool seal_key_same_public(const struct seal_key *a, const struct seal_key *b);

/* ECDSA with SHA-256 by a P-256 key.  Who may have what signed is decided above. */
SEAL_CHECKED int seal_key_sign(const struct seal_key *key, const void *data, size_t len,
			       uint8_t ret_signature[static SEAL_SIGNATURE_LEN],
			       struct seal_err *err);
/* SEAL_E_UNAUTH when it is not this key's signature over these bytes. */
SEAL_CHECKED int seal_key_verify(const struct seal_key *key, const void *data, size_t len,
				 const uint8_t signature[static SEAL_SIGNATURE_LEN],
				 struct seal_err *err);

/* A PKCS#10 request (RFC 2986) in PEM that carries nothing but the public key. */
SEAL_CHECKED int seal_csr_new(struct seal_bytes *out_pem, const struct seal_key *key,
			      struct seal_err *err);
/*
 * The public key of a request, whose self-signature proves possession.  Everything else in the
 * request is ignored.  SEAL_E_FORMAT for what is not exactly one request, SEAL_E_REFUSED for keys
 * other than P-256, SEAL_E_UNAUTH for a wrong signature.
 */
SEAL_CHECKED int seal_csr_public_key(struct seal_key **ret_key, const char *pem, size_t pem_len,
				     struct seal_err *err);
/* The same for a request in DER. */
SEAL_CHECKED int seal_csr_public_key_der(struct seal_key **ret_key, const void *der, size_t der_len,
					 struct seal_err *err);

/* For the rooms x509 and tls only: the native handle (EVP_PKEY), borrowed. */
void *seal_key_native(const struct seal_key *key);
/* Wrap a native handle, taking over its reference. */
struct seal_key *seal_key_wrap(void *native);

#endif
