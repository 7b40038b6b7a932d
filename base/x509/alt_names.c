/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subject alternative names (RFC 5280 section 4.2.1.6), read as bytes with a length: a NUL, a
 * newline, a capital or a foreign letter never becomes part of a string that is compared.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/x509/x509_internal.h"

#define NAMES_MAX 256

void
seal_alt_names_release(struct seal_alt_names *names)
{
	seal_strv_release(&names->dns);
	seal_strv_release(&names->uris);
}

static bool
is_dns_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* Spelled as the grammar of names spells them; whether it is a good name is for others to say. */
static bool
is_plain_dns(const unsigned char *name, size_t len)
{
	if (len == 0 || len > SEAL_HOSTNAME_MAX)
		return false;
	for (size_t i = len > 2 && name[0] == '*' && name[1] == '.' ? 2 : 0; i < len; i++)
		if (!is_dns_letter(name[i]))
			return false;
	return name[0] != '.' && name[len - 1] != '.' && name[len - 1] != '-';
}

static bool
is_printable(const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0;
}

static int
add_copy(struct seal_strv *list, const unsigned char *text, size_t len, struct seal_err *err)
{
	char *copy = seal_strndup((const char *)text, len);
	int r;

	if (copy == NULL)
		return seal_fail_memory(err);
	r = seal_strv_add(list, copy, err);
	free(copy);
	return r;
}

static int
read_name(struct seal_alt_names *names, const GENERAL_NAME *name, struct seal_err *err)
{
	const ASN1_STRING *text;
	const unsigned char *at;
	size_t len;

	if (name->type != GEN_DNS && name->type != GEN_URI) {
		names->other_kinds = true;
		return 0;
	}
	text = name->type == GEN_DNS ? name->d.dNSName : name->d.uniformResourceIdentifier;
	at = ASN1_STRING_get0_data(text);
	len = (size_t)ASN1_STRING_length(text);
	if (name->type == GEN_DNS) {
		if (is_plain_dns(at, len))
			return add_copy(&names->dns, at, len, err);
		names->odd_dns = true;
		return 0;
	}
	if (!is_printable(at, len))
		return seal_fail(err, SEAL_E_FORMAT, "a URI name is not printable ASCII");
	return add_copy(&names->uris, at, len, err);
}

int
seal_alt_names_read(struct seal_alt_names *ret_names, const struct seal_cert *cert,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_alt_names_release) struct seal_alt_names names = { 0 };
	GENERAL_NAMES *list;
	int critical = 0;
	int r = 0;

	list = X509_get_ext_d2i(native_cert(cert), NID_subject_alt_name, &critical, NULL);
	if (list == NULL && critical != -1) {
		ERR_clear_error();
		return seal_fail(err, SEAL_E_FORMAT,
				 "the subject alternative names are repeated or malformed");
	}
	if (sk_GENERAL_NAME_num(list) > NAMES_MAX)
		r = seal_fail(err, SEAL_E_LIMIT, "more than %d subject alternative names",
			      NAMES_MAX);
	for (int i = 0; r == 0 && i < sk_GENERAL_NAME_num(list); i++)
		r = read_name(&names, sk_GENERAL_NAME_value(list, i), err);
	GENERAL_NAMES_free(list);
	if (r < 0)
		return r;
	*ret_names = names;
	names = (struct seal_alt_names){ 0 };
	return 0;
}

bool
seal_cert_has_hostname(const struct seal_cert *cert, const char *name)
{
	SEAL_SCOPED(seal_alt_names_release) struct seal_alt_names names = { 0 };

	if (seal_alt_names_read(&names, cert, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.dns.count; i++)
		if (seal_hostname_pattern_check(names.dns.items[i], NULL) == 0 &&
		    seal_hostname_matches(names.dns.items[i], name))
			return true;
	return false;
}

bool
seal_cert_serves(const struct seal_cert *cert, const char *name)
{
	X509 *x509 = seal_cert_native(cert);
	unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	size_t len = strnlen(name, SEAL_HOSTNAME_MAX + 1);
	bool serves;

	/* A dot in front would mean any name below, to the library. */
	if (len == 0 || len > SEAL_HOSTNAME_MAX || name[0] == '.')
		return false;
	serves = X509_check_host(x509, name, len, flags, NULL) == 1;
	ERR_clear_error();
	return serves;
}
