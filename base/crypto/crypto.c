/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symmetric work: randomness, digests, derivation, AES-256-GCM.  Algorithms are fetched once for the
 * life of the process.  Knows nothing of what is sealed or why.
 */
#include "base/crypto/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
seal_err_set_ssl(struct seal_err *err, const char *fmt, ...)
{
	char what[SEAL_ERR_TEXT_LEN];
	const char *reason = NULL;
	unsigned long code;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args); /* cut off is good enough for a sentence */
	va_end(args);

	/* The first entry is the deepest; the rest repeat it with less detail. */
	code = ERR_get_error();
	if (code != 0)
		reason = ERR_reason_error_string(code);
	ERR_clear_error();
	if (reason == NULL)
		return seal_fail(err, SEAL_E_CRYPTO, "%s", what);
	return seal_fail(err, SEAL_E_CRYPTO, "%s: %s", what, reason);
}

int
seal_random(void *out, size_t len, struct seal_err *err)
{
	if (len > INT_MAX || RAND_priv_bytes(out, (int)len) != 1)
		return seal_fail_ssl(err, "no randomness");
	return 0;
}

int
seal_sha256(uint8_t ret_hash[static SEAL_HASH_LEN], const void *data, size_t len,
	    struct seal_err *err)
{
	uint8_t hash[SEAL_HASH_LEN];
	size_t hash_len = sizeof(hash);

	if (EVP_Q_digest(NULL, "SHA256", NULL, data, len, hash, &hash_len) != 1 ||
	    hash_len != sizeof(hash))
		return seal_fail_ssl(err, "SHA-256 failed");
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

int
seal_sha384(uint8_t ret_hash[static SEAL_SHA384_LEN], const void *data, size_t len,
	    struct seal_err *err)
{
	uint8_t hash[SEAL_SHA384_LEN];
	size_t hash_len = sizeof(hash);

	if (EVP_Q_digest(NULL, "SHA384", NULL, data, len, hash, &hash_len) != 1 ||
	    hash_len != sizeof(hash))
		return seal_fail_ssl(err, "SHA-384 failed");
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

int
seal_hmac_sha256(uint8_t ret_mac[static SEAL_HASH_LEN], const struct seal_secret *key,
		 const void *data, size_t len, struct seal_err *err)
{
	uint8_t mac[SEAL_HASH_LEN];
	size_t mac_len = 0;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, seal_secret_peek(key),
		      seal_secret_len(key), data, len, mac, sizeof(mac), &mac_len) == NULL ||
	    mac_len != sizeof(mac))
		return seal_fail_ssl(err, "HMAC-SHA-256 failed");
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

static void
free_kdf_ctx(EVP_KDF_CTX **ctx)
{
	EVP_KDF_CTX_free(*ctx);
}

int
seal_hkdf(struct seal_secret **ret_key, const struct seal_secret *root, const char *info,
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	SEAL_SCOPED(free_kdf_ctx) EVP_KDF_CTX *ctx = NULL;
	char digest[] = "SHA256";
	EVP_KDF *kdf;
	OSSL_PARAM params[4];
	int r;

	/* OSSL_PARAM wants writable pointers and only reads through them. */
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
						      (void *)(uintptr_t)seal_secret_peek(root),
						      seal_secret_len(root));
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info,
						      strlen(info));
	params[3] = OSSL_PARAM_construct_end();

	r = seal_secret_new(&key, SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (kdf == NULL)
		return seal_fail_ssl(err, "no HKDF");
	ctx = EVP_KDF_CTX_new(kdf);
	EVP_KDF_free(kdf);
	if (ctx == NULL || EVP_KDF_derive(ctx, seal_secret_bytes(key), SEAL_KEY_LEN, params) != 1)
		return seal_fail_ssl(err, "HKDF failed");
	*ret_key = SEAL_TAKE(key);
	return 0;
}

static void
free_cipher_ctx(EVP_CIPHER_CTX **ctx)
{
	EVP_CIPHER_CTX_free(*ctx);
}

/* A context keyed and ready for the associated data; lengths that EVP cannot take are refused. */
static int
begin_gcm(EVP_CIPHER_CTX **ret_ctx, int encrypt, const struct seal_secret *key,
	  const uint8_t nonce[static SEAL_NONCE_LEN], const void *aad, size_t aad_len,
	  size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(free_cipher_ctx) EVP_CIPHER_CTX *ctx = NULL;
	int ignored = 0;

	if (seal_secret_len(key) != SEAL_KEY_LEN)
		return seal_fail(err, SEAL_E_BUG, "an AES-256 key must have %d bytes",
				 SEAL_KEY_LEN);
	if (aad_len > INT_MAX || text_len > INT_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "too long to seal in one piece");
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL || EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), seal_secret_peek(key), nonce,
					      encrypt, NULL) != 1)
		return seal_fail_ssl(err, "AES-256-GCM is not available");
	if (aad_len > 0 && EVP_CipherUpdate(ctx, NULL, &ignored, aad, (int)aad_len) != 1)
		return seal_fail_ssl(err, "AES-256-GCM failed");
	*ret_ctx = SEAL_TAKE(ctx);
	return 0;
}

int
seal_aead_seal(struct seal_bytes *out, const struct seal_secret *key,
	       const uint8_t nonce[static SEAL_NONCE_LEN], const void *aad, size_t aad_len,
	       const void *plain, size_t plain_len, struct seal_err *err)
{
	SEAL_SCOPED(free_cipher_ctx) EVP_CIPHER_CTX *ctx = NULL;
	uint8_t tag[SEAL_TAG_LEN];
	size_t before = out->len;
	uint8_t *at;
	int done = 0;
	int last = 0;
	int r;

	r = begin_gcm(&ctx, 1, key, nonce, aad, aad_len, plain_len, err);
	if (r < 0)
		return r;
	r = seal_bytes_reserve(out, plain_len + SEAL_TAG_LEN, err);
	if (r < 0)
		return r;
	at = out->data + before;
	if ((plain_len > 0 && EVP_CipherUpdate(ctx, at, &done, plain, (int)plain_len) != 1) ||
	    EVP_CipherFinal_ex(ctx, at + done, &last) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_LEN, tag) != 1)
		return seal_fail_ssl(err, "AES-256-GCM failed");
	memcpy(at + plain_len, tag, SEAL_TAG_LEN);
	out->len += plain_len + SEAL_TAG_LEN;
	out->data[out->len] = 0;
	return 0;
}

int
seal_aead_open(struct seal_secret **ret_plain, const struct seal_secret *key,
	       const uint8_t nonce[static SEAL_NONCE_LEN], const void *aad, size_t aad_len,
	       const void *sealed, size_t sealed_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	SEAL_SCOPED(free_cipher_ctx) EVP_CIPHER_CTX *ctx = NULL;
	uint8_t tag[SEAL_TAG_LEN];
	size_t plain_len;
	int done = 0;
	int last = 0;
	int r;

	if (sealed_len < SEAL_TAG_LEN)
		return seal_fail(err, SEAL_E_UNAUTH, "the sealed value cannot be opened");
	plain_len = sealed_len - SEAL_TAG_LEN;
	memcpy(tag, (const uint8_t *)sealed + plain_len, SEAL_TAG_LEN);
	r = begin_gcm(&ctx, 0, key, nonce, aad, aad_len, plain_len, err);
	if (r < 0)
		return r;
	/* An empty text still needs a place; its length is given back below. */
	r = seal_secret_new(&plain, plain_len > 0 ? plain_len : 1, err);
	if (r < 0)
		return r;
	if ((plain_len > 0 &&
	     EVP_CipherUpdate(ctx, seal_secret_bytes(plain), &done, sealed, (int)plain_len) != 1) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_LEN, tag) != 1 ||
	    EVP_CipherFinal_ex(ctx, seal_secret_bytes(plain) + done, &last) != 1) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_UNAUTH, "the sealed value cannot be opened");
	}
	if (plain_len == 0)
		seal_secret_truncate(plain, 0);
	*ret_plain = SEAL_TAKE(plain);
	return 0;
}
