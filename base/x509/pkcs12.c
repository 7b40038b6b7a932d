/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PKCS#12 (RFC 7292) for key stores outside: browsers, Java, Windows.  AES-256-CBC with PBKDF2, and a
 * SHA-256 MAC, which all current readers know.
 */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "base/x509/x509_internal.h"

#define ITERATIONS 100000

/* What follows the leaf, then the anchors, as readers expect to find them. */
static STACK_OF(X509) * join(const struct seal_certs *chain, const struct seal_certs *anchors)
{
	STACK_OF(X509) *rest = sk_X509_new_null();

	if (rest == NULL)
		return NULL;
	for (size_t i = 1; i < seal_certs_count(chain); i++)
		if (sk_X509_push(rest, native_cert(seal_certs_at(chain, i))) <= 0)
			goto failed;
	for (size_t i = 0; i < seal_certs_count(anchors); i++)
		if (sk_X509_push(rest, native_cert(seal_certs_at(anchors, i))) <= 0)
			goto failed;
	return rest;
failed:
	sk_X509_free(rest); /* the certificates are borrowed */
	return NULL;
}

int
seal_pkcs12(struct seal_bytes *out, const struct seal_key *key, const struct seal_certs *chain,
	    const struct seal_certs *anchors, const char *friendly_name, const char *password,
	    struct seal_err *err)
{
	STACK_OF(X509) *rest = join(chain, anchors);
	uint8_t *der = NULL;
	PKCS12 *store;
	int len;
	int r;

	if (rest == NULL)
		return seal_fail_memory(err);
	store = PKCS12_create_ex(password, friendly_name, seal_key_native(key),
				 native_cert(seal_certs_at(chain, 0)), rest, NID_aes_256_cbc,
				 NID_aes_256_cbc, ITERATIONS, -1, 0, NULL, NULL);
	sk_X509_free(rest);
	if (store == NULL ||
	    PKCS12_set_mac(store, password, -1, NULL, 0, ITERATIONS, EVP_sha256()) != 1) {
		PKCS12_free(store);
		return seal_fail_ssl(err, "cannot make a PKCS#12 file");
	}
	len = i2d_PKCS12(store, &der);
	PKCS12_free(store);
	if (len <= 0)
		return seal_fail_ssl(err, "cannot encode a PKCS#12 file");
	r = seal_bytes_append(out, der, (size_t)len, err);
	OPENSSL_clear_free(der, (size_t)len);
	return r;
}
