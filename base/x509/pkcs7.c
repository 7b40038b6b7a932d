/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates in the form in which enrolment protocols hand them out: a PKCS#7 SignedData (RFC 2315 section 9.1, RFC
 * 5652 section 5) without content and without signers.
 */
#include <openssl/err.h>
#include <openssl/pkcs7.h>

#include "base/x509/x509_internal.h"

static void
free_pkcs7(PKCS7 **pkcs7)
{
	PKCS7_free(*pkcs7);
}

static bool
fill(PKCS7 *pkcs7, const struct seal_certs *certs)
{
	bool ok = PKCS7_set_type(pkcs7, NID_pkcs7_signed) == 1 &&
		  PKCS7_content_new(pkcs7, NID_pkcs7_data) == 1 &&
		  PKCS7_set_detached(pkcs7, 1) == 1;

	for (size_t i = 0; ok && i < seal_certs_count(certs); i++)
		ok = PKCS7_add_certificate(pkcs7, native_cert(seal_certs_at(certs, i))) == 1;
	return ok;
}

int
seal_certs_to_pkcs7(const struct seal_certs *certs, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(free_pkcs7) PKCS7 *pkcs7 = PKCS7_new();
	uint8_t *der = NULL;
	int len, r;

	if (pkcs7 == NULL)
		return seal_fail_memory(err);
	if (!fill(pkcs7, certs) || (len = i2d_PKCS7(pkcs7, &der)) <= 0)
		return seal_fail_ssl(err, "cannot make a PKCS#7 message");
	r = seal_bytes_append(out, der, (size_t)len, err);
	OPENSSL_free(der);
	return r;
}
