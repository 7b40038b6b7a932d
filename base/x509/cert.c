/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates as objects: parsing, lists, and what they say.  A struct seal_cert is OpenSSL's X509
 * and a struct seal_certs its stack, under names of ours.  Nothing here believes a certificate.
 */
#include "base/x509/x509.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/x509/x509_internal.h"

#define SERIAL_BYTES (SEAL_SERIAL_LEN / 2)

void *
seal_cert_native(const struct seal_cert *cert)
{
	return (void *)(uintptr_t)cert;
}

void *
seal_certs_native(const struct seal_certs *certs)
{
	return (void *)(uintptr_t)certs;
}

void
seal_cert_free(struct seal_cert *cert)
{
	X509_free(native_cert(cert));
}

void
seal_cert_freep(struct seal_cert **cert)
{
	seal_cert_free(*cert);
}

int
seal_cert_to_pem(const struct seal_cert *cert, struct seal_bytes *out, struct seal_err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;
	int r;

	if (bio == NULL)
		return seal_fail_memory(err);
	if (PEM_write_bio_X509(bio, native_cert(cert)) != 1) {
		BIO_free(bio);
		return seal_fail_ssl(err, "cannot write a certificate");
	}
	len = BIO_get_mem_data(bio, &text);
	r = seal_bytes_append(out, text, (size_t)len, err);
	BIO_free(bio);
	return r;
}

int
seal_cert_serial(const struct seal_cert *cert, char serial[static SEAL_SERIAL_LEN + 1],
		 struct seal_err *err)
{
	const ASN1_INTEGER *number = X509_get0_serialNumber(native_cert(cert));
	int len = ASN1_STRING_length(number);

	/* Content octets are the magnitude; the sign is in the type. */
	if (len <= 0 || len > SERIAL_BYTES || ASN1_STRING_type(number) != V_ASN1_INTEGER)
		return seal_fail(err, SEAL_E_FORMAT, "the serial number is not a positive one");
	seal_hex_encode(serial, ASN1_STRING_get0_data(number), (size_t)len);
	return 0;
}

static int
read_time(const ASN1_TIME *at, int64_t *ret_seconds, struct seal_err *err)
{
	struct tm tm = { 0 };

	if (at == NULL || ASN1_TIME_to_tm(at, &tm) != 1) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "the certificate's validity is not a time");
	}
	*ret_seconds = (int64_t)timegm(&tm);
	return 0;
}

int
seal_cert_times(const struct seal_cert *cert, int64_t *ret_not_before, int64_t *ret_not_after,
		struct seal_err *err)
{
	int64_t not_before = 0;
	int64_t not_after = 0;
	int r;

	r = read_time(X509_get0_notBefore(native_cert(cert)), &not_before, err);
	if (r == 0)
		r = read_time(X509_get0_notAfter(native_cert(cert)), &not_after, err);
	if (r < 0)
		return r;
	*ret_not_before = not_before;
	*ret_not_after = not_after;
	return 0;
}

int
seal_cert_key(const struct seal_cert *cert, struct seal_key **ret_key, struct seal_err *err)
{
	EVP_PKEY *key = X509_get_pubkey(native_cert(cert));

	if (key == NULL) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT, "the certificate holds no usable key");
	}
	*ret_key = seal_key_wrap(key);
	return 0;
}

int
seal_cert_fingerprint(const struct seal_cert *cert, uint8_t ret_hash[static SEAL_HASH_LEN],
		      struct seal_err *err)
{
	unsigned len = 0;
	uint8_t hash[EVP_MAX_MD_SIZE];

	if (X509_digest(native_cert(cert), EVP_sha256(), hash, &len) != 1 || len != SEAL_HASH_LEN)
		return seal_fail_ssl(err, "cannot digest a certificate");
	memcpy(ret_hash, hash, SEAL_HASH_LEN);
	return 0;
}

int
seal_cert_identity(const struct seal_cert *cert, struct seal_identity *ret_identity,
		   struct seal_err *err)
{
	SEAL_SCOPED(seal_alt_names_release) struct seal_alt_names names = { 0 };
	int r;

	r = seal_alt_names_read(&names, cert, err);
	if (r < 0)
		return r;
	if (names.uris.count != 1)
		return seal_fail(err, SEAL_E_FORMAT,
				 "the certificate has %zu URI names instead of one",
				 names.uris.count);
	return seal_identity_parse(ret_identity, names.uris.items[0], strlen(names.uris.items[0]),
				   err);
}

int
seal_certs_new(struct seal_certs **ret_certs, struct seal_err *err)
{
	STACK_OF(X509) *stack = sk_X509_new_null();

	if (stack == NULL)
		return seal_fail_memory(err);
	*ret_certs = (struct seal_certs *)stack;
	return 0;
}

void
seal_certs_free(struct seal_certs *certs)
{
	sk_X509_pop_free(native_certs(certs), X509_free);
}

void
seal_certs_freep(struct seal_certs **certs)
{
	seal_certs_free(*certs);
}

size_t
seal_certs_count(const struct seal_certs *certs)
{
	int count = certs == NULL ? 0 : sk_X509_num(native_certs(certs));

	return count > 0 ? (size_t)count : 0;
}

const struct seal_cert *
seal_certs_at(const struct seal_certs *certs, size_t index)
{
	if (index >= seal_certs_count(certs))
		return NULL;
	return (const struct seal_cert *)sk_X509_value(native_certs(certs), (int)index);
}

int
seal_certs_add(struct seal_certs *certs, const struct seal_cert *cert, struct seal_err *err)
{
	if (X509_up_ref(native_cert(cert)) != 1)
		return seal_fail_ssl(err, "cannot share a certificate");
	if (sk_X509_push(native_certs(certs), native_cert(cert)) <= 0) {
		X509_free(native_cert(cert));
		return seal_fail_memory(err);
	}
	return 0;
}

int
seal_certs_copy(struct seal_certs **ret_certs, const struct seal_certs *from, struct seal_err *err)
{
	STACK_OF(X509) *stack = X509_chain_up_ref(native_certs(from));

	if (stack == NULL)
		return seal_fail_memory(err);
	*ret_certs = (struct seal_certs *)stack;
	return 0;
}

/* One PEM block: SEAL_E_MISSING at the end of the text. */
static int
read_block(struct seal_certs *certs, BIO *bio, struct seal_err *err)
{
	char *name = NULL;
	char *header = NULL;
	uint8_t *der = NULL;
	const uint8_t *at;
	long der_len = 0;
	X509 *cert = NULL;
	int r = 0;

	if (PEM_read_bio(bio, &name, &header, &der, &der_len) != 1) {
		bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

		ERR_clear_error();
		if (at_end)
			return SEAL_E_MISSING;
		return seal_fail(err, SEAL_E_FORMAT, "a PEM block is damaged");
	}
	at = der;
	if (strcmp(name, PEM_STRING_X509) == 0)
		cert = d2i_X509(NULL, &at, der_len);
	if (cert == NULL || at != der + der_len) {
		ERR_clear_error();
		r = seal_fail(err, SEAL_E_FORMAT, "a PEM block is not a certificate");
	} else {
		r = seal_certs_add(certs, (struct seal_cert *)cert, err);
	}
	X509_free(cert);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(der, (size_t)der_len); /* might have been a private key */
	return r;
}

int
seal_certs_from_pem(struct seal_certs **ret_certs, const char *pem, size_t pem_len, size_t max_len,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	BIO *bio;
	int r;

	if (pem_len > max_len || pem_len > INT_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "certificates of %zu bytes; at most %zu",
				 pem_len, max_len);
	r = seal_certs_new(&certs, err);
	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(pem, (int)pem_len);
	if (bio == NULL)
		return seal_fail_memory(err);
	do {
		r = read_block(certs, bio, err);
	} while (r == 0);
	BIO_free(bio);
	if (r != SEAL_E_MISSING)
		return r;
	if (seal_certs_count(certs) == 0)
		return seal_fail(err, SEAL_E_FORMAT, "no certificate in PEM");
	*ret_certs = SEAL_TAKE(certs);
	return 0;
}

int
seal_certs_to_pem(const struct seal_certs *certs, struct seal_bytes *out, struct seal_err *err)
{
	for (size_t i = 0; i < seal_certs_count(certs); i++) {
		int r = seal_cert_to_pem(seal_certs_at(certs, i), out, err);

		if (r < 0)
			return r;
	}
	return 0;
}
