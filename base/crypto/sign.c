/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA P-256 signatures over bytes, in the fixed form of RFC 7518 section 3.4: R, then S, 32 bytes each.  What the
 * bytes mean, and whether they may be signed at all, is the caller's to say.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/crypto/crypto.h"

#define NUMBER_LEN (SEAL_SIGNATURE_LEN / 2)
#define DER_MAX    80 /* two INTEGERs of at most 33 bytes in a SEQUENCE: 72 */

static void
free_sig(ECDSA_SIG **sig)
{
	ECDSA_SIG_free(*sig);
}

static void
free_md_ctx(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static int
check_size(const struct seal_key *key, struct seal_err *err)
{
	if (!EVP_PKEY_is_a(seal_key_native(key), "EC") ||
	    EVP_PKEY_get_bits(seal_key_native(key)) != 8 * NUMBER_LEN)
		return seal_fail(err, SEAL_E_BUG, "only ECDSA P-256 keys sign here");
	return 0;
}

int
seal_key_sign(const struct seal_key *key, const void *data, size_t len,
	      uint8_t ret_signature[static SEAL_SIGNATURE_LEN], struct seal_err *err)
{
	SEAL_SCOPED(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	SEAL_SCOPED(free_sig) ECDSA_SIG *sig = NULL;
	uint8_t der[DER_MAX], raw[SEAL_SIGNATURE_LEN];
	const uint8_t *at = der;
	size_t der_len = sizeof(der);
	int r = check_size(key, err);

	if (r < 0)
		return r;
	if (ctx == NULL ||
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, seal_key_native(key)) != 1 ||
	    EVP_DigestSign(ctx, der, &der_len, data, len) != 1)
		return seal_fail_ssl(err, "cannot sign");
	sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
	if (sig == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, NUMBER_LEN) != NUMBER_LEN ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + NUMBER_LEN, NUMBER_LEN) != NUMBER_LEN)
		return seal_fail_ssl(err, "cannot write a signature");
	memcpy(ret_signature, raw, sizeof(raw));
	return 0;
}

/* The signature as the library wants it: DER, to be freed by the caller. */
static int
to_der(const uint8_t signature[static SEAL_SIGNATURE_LEN], uint8_t **ret_der)
{
	SEAL_SCOPED(free_sig) ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, NUMBER_LEN, NULL);
	BIGNUM *s = BN_bin2bn(signature + NUMBER_LEN, NUMBER_LEN, NULL);

	if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return -1;
	}
	return i2d_ECDSA_SIG(sig, ret_der); /* sig owns both numbers now */
}

int
seal_key_verify(const struct seal_key *key, const void *data, size_t len,
		const uint8_t signature[static SEAL_SIGNATURE_LEN], struct seal_err *err)
{
	SEAL_SCOPED(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	bool good = false;
	int der_len, r = check_size(key, err);

	if (r < 0)
		return r;
	der_len = to_der(signature, &der);
	if (ctx == NULL || der_len <= 0) {
		OPENSSL_free(der);
		return seal_fail_ssl(err, "cannot read a signature");
	}
	if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, seal_key_native(key)) == 1)
		good = EVP_DigestVerify(ctx, der, (size_t)der_len, data, len) == 1;
	OPENSSL_free(der);
	ERR_clear_error();
	return good ? 0 : seal_fail(err, SEAL_E_UNAUTH, "the signature is not that key's");
}
