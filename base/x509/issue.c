/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issuing: a specification in, a certificate out.  All extensions are built from typed values; no
 * text from outside passes through a configuration syntax.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/x509/x509_internal.h"

#define SERIAL_BYTES 16
/* A P-256 key's encoding, and its point at the end of it (RFC 5480). */
#define P256_SPKI_LEN  91
#define P256_POINT_LEN 65

static const struct {
	const char *constraints;
	const char *usage;
	const char *extended;
} profiles[] = {
	[SEAL_CERT_CA] = { "critical,CA:TRUE,pathlen:0", "critical,keyCertSign", NULL },
	[SEAL_CERT_SERVER] = { "critical,CA:FALSE", "critical,digitalSignature", "serverAuth" },
	[SEAL_CERT_CLIENT] = { "critical,CA:FALSE", "critical,digitalSignature", "clientAuth" },
	[SEAL_CERT_POD] = { "critical,CA:FALSE", "critical,digitalSignature",
			    "serverAuth,clientAuth" },
};

static int
add_constant(X509 *cert, X509V3_CTX *ctx, int kind, const char *value, struct seal_err *err)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, kind, value);
	int done = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return done ? 0 : seal_fail_ssl(err, "cannot write an extension");
}

static int
add_name(GENERAL_NAMES *names, int type, const void *data, size_t len, struct seal_err *err)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *text =
		ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

	if (name == NULL || text == NULL || ASN1_STRING_set(text, data, (int)len) != 1) {
		ASN1_STRING_free(text);
		GENERAL_NAME_free(name);
		return seal_fail_memory(err);
	}
	GENERAL_NAME_set0_value(name, type, text);
	if (sk_GENERAL_NAME_push(names, name) <= 0) {
		GENERAL_NAME_free(name);
		return seal_fail_memory(err);
	}
	return 0;
}

static int
add_ip(GENERAL_NAMES *names, const char *text, struct seal_err *err)
{
	uint8_t raw[16];

	if (inet_pton(AF_INET, text, raw) == 1)
		return add_name(names, GEN_IPADD, raw, 4, err);
	if (inet_pton(AF_INET6, text, raw) == 1)
		return add_name(names, GEN_IPADD, raw, 16, err);
	return seal_fail(err, SEAL_E_FORMAT, "'%s' is not an IP address", text);
}

static int
collect_names(GENERAL_NAMES *names, const struct seal_cert_spec *spec, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && spec->dns != NULL && i < spec->dns->count; i++)
		r = add_name(names, GEN_DNS, spec->dns->items[i], strlen(spec->dns->items[i]), err);
	for (size_t i = 0; r == 0 && spec->ips != NULL && i < spec->ips->count; i++)
		r = add_ip(names, spec->ips->items[i], err);
	if (r == 0 && spec->uri != NULL)
		r = add_name(names, GEN_URI, spec->uri, strlen(spec->uri), err);
	return r;
}

static int
add_alt_names(X509 *cert, const struct seal_cert_spec *spec, struct seal_err *err)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	int r;

	if (names == NULL)
		return seal_fail_memory(err);
	r = collect_names(names, spec, err);
	if (r == 0 && sk_GENERAL_NAME_num(names) > 0 &&
	    X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
		r = seal_fail_ssl(err, "cannot write the subject alternative names");
	GENERAL_NAMES_free(names);
	return r;
}

static int
add_extensions(X509 *cert, X509 *issuer, const struct seal_cert_spec *spec, struct seal_err *err)
{
	X509V3_CTX ctx;
	int r;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	r = add_constant(cert, &ctx, NID_basic_constraints, profiles[spec->kind].constraints, err);
	if (r == 0)
		r = add_constant(cert, &ctx, NID_key_usage, profiles[spec->kind].usage, err);
	if (r == 0 && profiles[spec->kind].extended != NULL)
		r = add_constant(cert, &ctx, NID_ext_key_usage, profiles[spec->kind].extended, err);
	if (r == 0)
		r = add_constant(cert, &ctx, NID_subject_key_identifier, "hash", err);
	if (r == 0)
		r = add_constant(cert, &ctx, NID_authority_key_identifier, "keyid:always", err);
	return r == 0 ? add_alt_names(cert, spec, err) : r;
}

/* 16 bytes whose first is 1..127: positive, and always of one length. */
static int
set_serial(X509 *cert, const uint8_t *given, struct seal_err *err)
{
	uint8_t raw[SERIAL_BYTES];
	ASN1_INTEGER *number;
	int done;

	if (given != NULL) {
		memcpy(raw, given, sizeof(raw));
		if (raw[0] == 0 || raw[0] > 0x7f)
			return seal_fail(err, SEAL_E_BUG, "a serial number must be positive");
	} else {
		int r = seal_random(raw, sizeof(raw), err);

		if (r < 0)
			return r;
		raw[0] = (uint8_t)((raw[0] & 0x7f) | 0x40);
	}
	number = ASN1_INTEGER_new();
	done = number != NULL && ASN1_STRING_set(number, raw, sizeof(raw)) == 1 &&
	       X509_set_serialNumber(cert, number) == 1;
	ASN1_INTEGER_free(number);
	return done ? 0 : seal_fail_ssl(err, "cannot set the serial number");
}

static int
set_subject(X509 *cert, const char *common_name, struct seal_err *err)
{
	X509_NAME *name = X509_get_subject_name(cert);

	if (X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_ASC,
				       (const unsigned char *)"seal", -1, -1, 0) != 1 ||
	    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
				       (const unsigned char *)common_name, -1, -1, 0) != 1)
		return seal_fail_ssl(err, "cannot set the subject");
	return 0;
}

static int
set_validity(X509 *cert, const struct seal_cert_spec *spec, struct seal_err *err)
{
	if (spec->not_before < 0 || spec->not_after <= spec->not_before)
		return seal_fail(err, SEAL_E_BUG, "a certificate must end after it begins");
	if (ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)spec->not_before) == NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)spec->not_after) == NULL)
		return seal_fail_ssl(err, "cannot set the validity");
	return 0;
}

/*
 * What X509_set_pubkey does by writing the key and reading it again, without the reading, which takes most of the time
 * that a certificate does.  The certificate is then good for being written only: nobody can ask it for its key.
 */
static bool
put_key(X509 *cert, const struct seal_key *key)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	X509_PUBKEY *place = X509_get_X509_PUBKEY(cert);
	const uint8_t *at;
	uint8_t *point;

	if (seal_key_spki(key, &spki, NULL) < 0 || spki.len != P256_SPKI_LEN)
		return false;
	at = spki.data + spki.len - P256_POINT_LEN;
	point = OPENSSL_memdup(at, P256_POINT_LEN);
	if (point != NULL &&
	    X509_PUBKEY_set0_param(place, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_OBJECT,
				   OBJ_nid2obj(NID_X9_62_prime256v1), point, P256_POINT_LEN) == 1)
		return true;
	OPENSSL_free(point);
	return false;
}

static int
set_key(X509 *cert, const struct seal_key *key, bool to_write, struct seal_err *err)
{
	if ((to_write && put_key(cert, key)) || X509_set_pubkey(cert, seal_key_native(key)) == 1)
		return 0;
	return seal_fail_ssl(err, "cannot prepare a certificate");
}

/* to_write: it is written and then forgotten. */
static int
issue(struct seal_cert **ret_cert, const struct seal_cert_spec *spec,
      const struct seal_key *public_key, const struct seal_cert *issuer,
      const struct seal_key *issuer_key, bool to_write, struct seal_err *err)
{
	SEAL_SCOPED(seal_cert_freep) struct seal_cert *cert = (struct seal_cert *)X509_new();
	X509 *raw = native_cert(cert);
	X509 *signer = issuer != NULL ? native_cert(issuer) : raw;
	int r;

	if (raw == NULL)
		return seal_fail_memory(err);
	if (X509_set_version(raw, X509_VERSION_3) != 1)
		return seal_fail_ssl(err, "cannot prepare a certificate");
	r = set_key(raw, public_key, to_write, err);
	if (r == 0)
		r = set_serial(raw, spec->serial, err);
	if (r == 0)
		r = set_subject(raw, spec->common_name, err);
	if (r == 0)
		r = set_validity(raw, spec, err);
	if (r < 0)
		return r;
	if (X509_set_issuer_name(raw, X509_get_subject_name(signer)) != 1)
		return seal_fail_ssl(err, "cannot name the issuer");
	r = add_extensions(raw, signer, spec, err);
	if (r < 0)
		return r;
	if (X509_sign(raw, seal_key_native(issuer_key), EVP_sha256()) <= 0)
		return seal_fail_ssl(err, "cannot sign a certificate");
	*ret_cert = SEAL_TAKE(cert);
	return 0;
}

int
seal_cert_issue(struct seal_cert **ret_cert, const struct seal_cert_spec *spec,
		const struct seal_key *public_key, const struct seal_cert *issuer,
		const struct seal_key *issuer_key, struct seal_err *err)
{
	return issue(ret_cert, spec, public_key, issuer, issuer_key, false, err);
}

int
seal_cert_issue_pem(struct seal_bytes *out, const struct seal_cert_spec *spec,
		    const struct seal_key *public_key, const struct seal_cert *issuer,
		    const struct seal_key *issuer_key, struct seal_err *err)
{
	SEAL_SCOPED(seal_cert_freep) struct seal_cert *cert = NULL;
	int r = issue(&cert, spec, public_key, issuer, issuer_key, true, err);

	return r < 0 ? r : seal_cert_to_pem(cert, out, err);
}
