/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing requests (PKCS#10, RFC 2986) as envelopes for a public key: made with an empty subject and
 * no attributes, and read for the key alone, whatever else somebody wrote into them.
 */
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/crypto/crypto.h"

#define CSR_MAX_LEN   8192
#define SIGNATURE_MAX 128 /* ECDSA P-256 takes 72 at most */
#define CSR_BEGIN     "-----BEGIN CERTIFICATE REQUEST-----"

static void
free_req(X509_REQ **req)
{
	X509_REQ_free(*req);
}

static void
free_bio(BIO **bio)
{
	BIO_free(*bio);
}

/*
 * What X509_REQ_sign does, which does not know every form in which the library holds keys (see
 * base/tls/shortcut.c): ECDSA with SHA-256 (RFC 5758 section 3.2) over the request's body.
 */
static int
sign(X509_REQ *req, EVP_PKEY *key, struct seal_err *err)
{
	X509_ALGOR *algorithm = X509_ALGOR_new();
	ASN1_BIT_STRING *signature = ASN1_BIT_STRING_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t bytes[SIGNATURE_MAX];
	size_t len = sizeof(bytes);
	uint8_t *body = NULL;
	int body_len = 0;
	bool done;

	done = algorithm != NULL && signature != NULL && ctx != NULL &&
	       X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_UNDEF, NULL) ==
		       1 &&
	       X509_REQ_set1_signature_algo(req, algorithm) == 1 &&
	       (body_len = i2d_re_X509_REQ_tbs(req, &body)) > 0 &&
	       EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestSign(ctx, bytes, &len, body, (size_t)body_len) == 1 &&
	       ASN1_BIT_STRING_set(signature, bytes, (int)len) == 1;
	if (done) {
		/* No bits unused, whatever the last one is. */
		signature->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
		signature->flags |= ASN1_STRING_FLAG_BITS_LEFT;
		X509_REQ_set0_signature(req, signature);
		signature = NULL;
	}
	X509_ALGOR_free(algorithm);
	ASN1_BIT_STRING_free(signature);
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(body);
	return done ? 0 : seal_fail_ssl(err, "cannot sign a signing request");
}

int
seal_csr_new(struct seal_bytes *out_pem, const struct seal_key *key, struct seal_err *err)
{
	SEAL_SCOPED(free_req) X509_REQ *req = X509_REQ_new();
	SEAL_SCOPED(free_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;
	int r;

	if (req == NULL || bio == NULL)
		return seal_fail_memory(err);
	if (X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(req, seal_key_native(key)) != 1)
		return seal_fail_ssl(err, "cannot make a signing request");
	r = sign(req, seal_key_native(key), err);
	if (r < 0)
		return r;
	if (PEM_write_bio_X509_REQ(bio, req) != 1)
		return seal_fail_ssl(err, "cannot write a signing request");
	len = BIO_get_mem_data(bio, &text);
	return seal_bytes_append(out_pem, text, (size_t)len, err);
}

/* Exactly one request: its opening line first, and nothing but white space behind it. */
static int
read_one(X509_REQ **ret_req, const char *pem, size_t pem_len, struct seal_err *err)
{
	SEAL_SCOPED(free_req) X509_REQ *req = NULL;
	SEAL_SCOPED(free_bio) BIO *bio = NULL;
	char *rest = NULL;
	long rest_len;

	if (pem_len > CSR_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "a signing request is at most %d bytes",
				 CSR_MAX_LEN);
	if (pem_len < strlen(CSR_BEGIN) || memcmp(pem, CSR_BEGIN, strlen(CSR_BEGIN)) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "not a PEM signing request");
	bio = BIO_new_mem_buf(pem, (int)pem_len);
	if (bio == NULL)
		return seal_fail_memory(err);
	req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	if (req == NULL) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "not a PEM signing request");
	}
	rest_len = BIO_get_mem_data(bio, &rest);
	for (long i = 0; i < rest_len; i++)
		if (rest[i] != '\n' && rest[i] != '\r' && rest[i] != ' ')
			return seal_fail(err, SEAL_E_FORMAT, "text behind the signing request");
	*ret_req = SEAL_TAKE(req);
	return 0;
}

/* The key of a request, through its encoding, so that the key's own rules are applied in one place. */
static int
take_key(struct seal_key **ret_key, X509_REQ *req, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	EVP_PKEY *offered = X509_REQ_get0_pubkey(req);
	int r;

	if (offered == NULL) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "the signing request holds no usable key");
	}
	r = seal_key_spki(seal_key_wrap(offered), &spki, err);
	if (r < 0)
		return r;
	r = seal_key_from_spki(&key, spki.data, spki.len, err);
	if (r < 0)
		return seal_note(err, r, "signing request");
	if (X509_REQ_verify(req, offered) != 1) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_UNAUTH,
				 "the signing request is not signed by its own key");
	}
	*ret_key = SEAL_TAKE(key);
	return 0;
}

int
seal_csr_public_key(struct seal_key **ret_key, const char *pem, size_t pem_len,
		    struct seal_err *err)
{
	SEAL_SCOPED(free_req) X509_REQ *req = NULL;
	int r = read_one(&req, pem, pem_len, err);

	return r < 0 ? r : take_key(ret_key, req, err);
}

int
seal_csr_public_key_der(struct seal_key **ret_key, const void *der, size_t der_len,
			struct seal_err *err)
{
	SEAL_SCOPED(free_req) X509_REQ *req = NULL;
	const uint8_t *at = der;

	if (der_len > CSR_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "a signing request is at most %d bytes",
				 CSR_MAX_LEN);
	req = d2i_X509_REQ(NULL, &at, (long)der_len);
	if (req == NULL || at != (const uint8_t *)der + der_len) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "not a DER signing request");
	}
	return take_key(ret_key, req, err);
}
