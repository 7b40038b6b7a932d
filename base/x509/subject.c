/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a certificate says about its subject that is not a name to verify: what people call it, and
 * whether it is a CA.
 */
#include <openssl/err.h>
#include <string.h>

#include "base/x509/x509_internal.h"

/* The value of the one common name as UTF-8; NULL when there is not exactly one. */
static uint8_t *
read_common_name(const struct seal_cert *cert, size_t *ret_len)
{
	const X509_NAME *subject = X509_get_subject_name(native_cert(cert));
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const X509_NAME_ENTRY *entry;
	uint8_t *text = NULL;
	int len;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return NULL;
	entry = X509_NAME_get_entry(subject, at);
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
	if (len < 0) {
		ERR_clear_error();
		return NULL;
	}
	*ret_len = (size_t)len;
	return text;
}

void
seal_cert_common_name(const struct seal_cert *cert, char *name, size_t size)
{
	size_t len = 0;
	uint8_t *text = read_common_name(cert, &len);

	name[0] = '\0';
	if (text != NULL && len < size) {
		for (size_t i = 0; i < len; i++)
			name[i] = text[i] >= ' ' && text[i] <= '~' ? (char)text[i] : '?';
		name[len] = '\0';
	}
	OPENSSL_free(text);
}

bool
seal_cert_is_ca(const struct seal_cert *cert)
{
	/* 1 is the only answer that stands for the extension; the others are guesses. */
	return X509_check_ca(native_cert(cert)) == 1;
}
