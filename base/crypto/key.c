/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key pairs: ECDSA P-256 for all that is ours, and what public CAs sign besides.  A struct seal_key is
 * OpenSSL's EVP_PKEY under a name of ours, so that no header of theirs is needed by callers; private
 * parts lie in the locked arena.
 */
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/crypto/crypto.h"

#define PEM_MAX_LEN  8192
#define CURVE_LEN    32
#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 4096

void *
seal_key_native(const struct seal_key *key)
{
	return (void *)(uintptr_t)key;
}

struct seal_key *
seal_key_wrap(void *native)
{
	return native;
}

void
seal_key_free(struct seal_key *key)
{
	EVP_PKEY_free(seal_key_native(key));
}

void
seal_key_freep(struct seal_key **key)
{
	seal_key_free(*key);
}

int
seal_key_copy(struct seal_key **ret_key, const struct seal_key *from, struct seal_err *err)
{
	if (EVP_PKEY_up_ref(seal_key_native(from)) != 1)
		return seal_fail_ssl(err, "cannot share a key");
	*ret_key = seal_key_wrap(seal_key_native(from));
	return 0;
}

int
seal_key_new(struct seal_key **ret_key, struct seal_err *err)
{
	/* By the one of the curve's names that all of the library's roads know. */
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", SN_X9_62_prime256v1);

	if (key == NULL)
		return seal_fail_ssl(err, "cannot make a key pair");
	*ret_key = seal_key_wrap(key);
	return 0;
}

/* The name of an elliptic key's curve, or "" for keys of other kinds. */
static void
read_curve(EVP_PKEY *key, char curve[static CURVE_LEN])
{
	size_t len = 0;

	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, curve, CURVE_LEN, &len) != 1) {
		ERR_clear_error();
		curve[0] = '\0';
	}
}

/* Explicit parameters that happen to describe a curve are refused: nothing honest writes them. */
static int
check_named(EVP_PKEY *key, struct seal_err *err)
{
	int explicit = 1;

	if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
				   &explicit) != 1 ||
	    explicit != 0) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_REFUSED, "the key does not name its curve");
	}
	return 0;
}

static int
check_p256(EVP_PKEY *key, struct seal_err *err)
{
	char curve[CURVE_LEN] = "";

	read_curve(key, curve);
	if (strcmp(curve, "prime256v1") != 0)
		return seal_fail(err, SEAL_E_REFUSED, "the key is not an ECDSA P-256 key");
	return check_named(key, err);
}

/* What public CAs sign, and browsers take.  Longer RSA keys would only cost us. */
static int
check_site(EVP_PKEY *key, struct seal_err *err)
{
	char curve[CURVE_LEN] = "";

	if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_MIN_BITS &&
	    EVP_PKEY_get_bits(key) <= RSA_MAX_BITS)
		return 0;
	read_curve(key, curve);
	if (strcmp(curve, "prime256v1") != 0 && strcmp(curve, "secp384r1") != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the key is neither ECDSA P-256 or P-384 nor RSA of %d to %d bits",
				 RSA_MIN_BITS, RSA_MAX_BITS);
	return check_named(key, err);
}

static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1; /* never ask a terminal */
}

/*
 * The public half that a file states must be that of its private half: what one signs, the other
 * verifies.  The library's own check proves the primes of RSA once more, which takes a third of a
 * second, and does not know every form in which it itself holds elliptic keys.
 */
static int
check_pair(EVP_PKEY *key, struct seal_err *err)
{
	static const uint8_t text[] = "one key pair";
	EVP_MD_CTX *signing = EVP_MD_CTX_new();
	EVP_MD_CTX *verifying = EVP_MD_CTX_new();
	uint8_t signature[RSA_MAX_BITS / 8];
	size_t len = sizeof(signature);
	bool sound;

	sound = signing != NULL && verifying != NULL &&
		EVP_DigestSignInit(signing, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(signing, signature, &len, text, sizeof(text)) == 1 &&
		EVP_DigestVerifyInit(verifying, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(verifying, signature, len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(signing);
	EVP_MD_CTX_free(verifying);
	ERR_clear_error();
	return sound ? 0 : seal_fail(err, SEAL_E_FORMAT, "the private key is damaged");
}

static int
read_pem(struct seal_key **ret_key, const struct seal_secret *pem, struct seal_err *err)
{
	struct seal_key *key;
	BIO *bio;

	if (seal_secret_len(pem) > PEM_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "a key file is at most %d bytes", PEM_MAX_LEN);
	bio = BIO_new_mem_buf(seal_secret_peek(pem), (int)seal_secret_len(pem));
	if (bio == NULL)
		return seal_fail_memory(err);
	key = seal_key_wrap(PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL));
	BIO_free(bio);
	if (key == NULL) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "not an unencrypted private key in PEM");
	}
	*ret_key = key;
	return 0;
}

typedef int (*check_fn)(EVP_PKEY *key, struct seal_err *err);

/* A key of a kind that check takes, and whole. */
static int
from_pem(struct seal_key **ret_key, const struct seal_secret *pem, check_fn check,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int r;

	r = read_pem(&key, pem, err);
	if (r == 0)
		r = check(seal_key_native(key), err);
	if (r == 0)
		r = check_pair(seal_key_native(key), err);
	if (r < 0)
		return r;
	*ret_key = SEAL_TAKE(key);
	return 0;
}

int
seal_key_from_pem(struct seal_key **ret_key, const struct seal_secret *pem, struct seal_err *err)
{
	return from_pem(ret_key, pem, check_p256, err);
}

int
seal_key_from_site_pem(struct seal_key **ret_key, const struct seal_secret *pem,
		       struct seal_err *err)
{
	return from_pem(ret_key, pem, check_site, err);
}

int
seal_key_to_pem(const struct seal_key *key, struct seal_secret **ret_pem, struct seal_err *err)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long len;
	int r;

	if (bio == NULL)
		return seal_fail_memory(err);
	if (PEM_write_bio_PKCS8PrivateKey(bio, seal_key_native(key), NULL, NULL, 0, NULL, NULL) !=
	    1) {
		BIO_free(bio);
		return seal_fail_ssl(err, "cannot write the private key");
	}
	len = BIO_get_mem_data(bio, &text);
	r = seal_secret_from(ret_pem, text, (size_t)len, err);
	BIO_free(bio); /* secmem: wiped */
	return r;
}

/* ---- Public keys, encoded ---- */

/*
 * How the encoding of a P-256 key begins (RFC 5480), before the point, uncompressed.  The library searches through
 * all of its decoders for who could read it, and through its encoders for who could write it, which takes five times
 * as long as everything else; whatever looks otherwise goes that way.
 */
static const uint8_t p256_head[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};
#define POINT_LEN    65
#define P256_LEN     (sizeof(p256_head) + POINT_LEN)
#define UNCOMPRESSED 0x04

static bool
write_p256(EVP_PKEY *key, uint8_t der[static P256_LEN])
{
	uint8_t *point = der + sizeof(p256_head);
	size_t len = 0;
	bool done;

	done = check_p256(key, NULL) == 0 &&
	       EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_LEN,
					       &len) == 1 &&
	       len == POINT_LEN && point[0] == UNCOMPRESSED;
	ERR_clear_error();
	memcpy(der, p256_head, sizeof(p256_head));
	return done;
}

/* NULL when it is none, or does not lie on its curve. */
static EVP_PKEY *
read_p256(const uint8_t *der, size_t der_len)
{
	char curve[] = SN_X9_62_prime256v1;
	uint8_t point[POINT_LEN];
	OSSL_PARAM parts[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx;

	if (der_len != P256_LEN || memcmp(der, p256_head, sizeof(p256_head)) != 0 ||
	    der[sizeof(p256_head)] != UNCOMPRESSED)
		return NULL;
	memcpy(point, der + sizeof(p256_head), sizeof(point));
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, parts) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

int
seal_key_spki(const struct seal_key *key, struct seal_bytes *out, struct seal_err *err)
{
	uint8_t known[P256_LEN];
	uint8_t *der = NULL;
	int len;
	int r;

	if (write_p256(seal_key_native(key), known))
		return seal_bytes_append(out, known, sizeof(known), err);
	len = i2d_PUBKEY(seal_key_native(key), &der);
	if (len <= 0)
		return seal_fail_ssl(err, "cannot encode the public key");
	r = seal_bytes_append(out, der, (size_t)len, err);
	OPENSSL_free(der);
	return r;
}

static int
read_any(struct seal_key **ret_key, const uint8_t *der, size_t der_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	const uint8_t *at = der;
	int r;

	key = seal_key_wrap(d2i_PUBKEY(NULL, &at, (long)der_len));
	if (key == NULL || at != der + der_len) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "not a public key");
	}
	r = check_p256(seal_key_native(key), err);
	if (r < 0)
		return r;
	*ret_key = SEAL_TAKE(key);
	return 0;
}

int
seal_key_from_spki(struct seal_key **ret_key, const void *der, size_t der_len, struct seal_err *err)
{
	EVP_PKEY *known;

	if (der_len == 0 || der_len > 1024)
		return seal_fail(err, SEAL_E_FORMAT, "not a public key");
	known = read_p256(der, der_len);
	if (known == NULL)
		return read_any(ret_key, der, der_len, err);
	*ret_key = seal_key_wrap(known);
	return 0;
}

int
seal_key_id(const struct seal_key *key, uint8_t ret_id[static SEAL_HASH_LEN], struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	int r;

	r = seal_key_spki(key, &spki, err);
	if (r < 0)
		return r;
	return seal_sha256(ret_id, spki.data, spki.len, err);
}

bool
seal_key_same_public(const struct seal_key *a, const struct seal_key *b)
{
	bool same = EVP_PKEY_eq(seal_key_native(a), seal_key_native(b)) == 1;

	ERR_clear_error();
	return same;
}
