/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client keeps of a session besides its secret: the library's own serialisation, written here
 * field by field.  The library has no other way in for a ticket; its own writing would take the
 * server's certificate along, and its reading would leave the secret behind in freed memory.  So a
 * record has neither: where the secret belongs there are zeros, and it is put in afterwards.
 */
#include <openssl/asn1.h>
#include <openssl/err.h>

#include "base/tls/room.h"

#define TICKET_MAX   4096          /* somebody else's server may put a certificate into one */
#define OVERHEAD     256           /* of a record, beyond its ticket */
#define CONTEXT(n)   (0xa0u | (n)) /* the tag of an optional field */
#define TAG_TIME     1
#define TAG_TIMEOUT  2
#define TAG_LIFETIME 9
#define TAG_TICKET   10
#define TAG_AGE_ADD  14

/* DER (X.690 section 8.1): a tag and a length, which here is below 64 KiB. */
static int
put_head(struct seal_bytes *out, unsigned tag, size_t len)
{
	uint8_t head[4] = { (uint8_t)tag };
	size_t used = 1;

	if (len > 255) {
		head[used++] = 0x82;
		head[used++] = (uint8_t)(len >> 8);
	} else if (len > 127) {
		head[used++] = 0x81;
	}
	head[used++] = (uint8_t)len;
	return seal_bytes_append(out, head, used, NULL);
}

static int
put(struct seal_bytes *out, unsigned tag, const void *data, size_t len)
{
	int r = put_head(out, tag, len);

	return r < 0 ? r : seal_bytes_append(out, data, len, NULL);
}

static int
put_integer(struct seal_bytes *out, uint64_t value)
{
	uint8_t octets[9] = { 0 };
	size_t from = 0;

	for (size_t i = 0; i < 8; i++)
		octets[1 + i] = (uint8_t)(value >> (56 - 8 * i));
	/* As few as there can be, with a leading 0 where it would read as negative. */
	while (from < 8 && octets[from] == 0 && (octets[from + 1] & 0x80) == 0)
		from++;
	return put(out, V_ASN1_INTEGER, octets + from, sizeof(octets) - from);
}

static int
put_optional_integer(struct seal_bytes *out, unsigned number, uint64_t value)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes inner = SEAL_BYTES(16);
	int r = put_integer(&inner, value);

	return r < 0 ? r : put(out, CONTEXT(number), inner.data, inner.len);
}

static int
put_optional_octets(struct seal_bytes *out, unsigned number, const uint8_t *data, size_t len)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes inner = SEAL_BYTES(TICKET_MAX + OVERHEAD);
	int r = put(&inner, V_ASN1_OCTET_STRING, data, len);

	return r < 0 ? r : put(out, CONTEXT(number), inner.data, inner.len);
}

/* One field of what der holds; false at its end, and when it is no DER. */
static bool
next_field(const uint8_t **at, const uint8_t *end, int *ret_tag, int *ret_class, long *ret_len)
{
	return *at < end &&
	       (ASN1_get_object(at, ret_len, ret_tag, ret_class, end - *at) & 0x80) == 0;
}

static uint32_t
find_age_add(const uint8_t *der, size_t der_len)
{
	const uint8_t *at = der;
	const uint8_t *end = der + der_len;
	uint32_t value = 0;
	long len = 0;
	int tag = 0;
	int class = 0;

	if (!next_field(&at, end, &tag, &class, &len))
		return 0;
	while (next_field(&at, end, &tag, &class, &len)) {
		if (class != V_ASN1_CONTEXT_SPECIFIC || tag != TAG_AGE_ADD) {
			at += len;
			continue;
		}
		if (next_field(&at, end, &tag, &class, &len) && tag == V_ASN1_INTEGER && len <= 5)
			for (long i = 0; i < len; i++)
				value = value << 8 | at[i];
		return value;
	}
	return 0; /* a field that is 0 is left out */
}

/* The one thing about a ticket that the library tells nobody: what is added to its age. */
static bool
read_age_add(SSL_SESSION *from, uint32_t *ret_age_add)
{
	uint8_t *der = NULL;
	int len = i2d_SSL_SESSION(from, &der);

	if (len <= 0)
		return false;
	*ret_age_add = find_age_add(der, (size_t)len);
	OPENSSL_clear_free(der, (size_t)len); /* the secret is in it */
	return true;
}

static int
put_fields(struct seal_bytes *out, const struct tls_kept *kept, const SSL_SESSION *from,
	   uint32_t age_add)
{
	static const uint8_t blank[TLS_PSK_MAX];
	const uint8_t cipher[] = { (uint8_t)(kept->cipher >> 8), (uint8_t)kept->cipher };
	const unsigned char *ticket = NULL;
	size_t ticket_len = 0;
	int r;

	SSL_SESSION_get0_ticket(from, &ticket, &ticket_len);
	r = put_integer(out, 1); /* the serialisation's version */
	if (r == 0)
		r = put_integer(out, TLS1_3_VERSION);
	if (r == 0)
		r = put(out, V_ASN1_OCTET_STRING, cipher, sizeof(cipher));
	if (r == 0)
		r = put(out, V_ASN1_OCTET_STRING, kept->key, TLS_KEY_LEN);
	if (r == 0)
		r = put(out, V_ASN1_OCTET_STRING, blank, kept->psk_len);
	if (r == 0)
		r = put_optional_integer(out, TAG_TIME, (uint64_t)kept->made_at);
	if (r == 0)
		r = put_optional_integer(out, TAG_TIMEOUT,
					 (uint64_t)(kept->expires_at - kept->made_at));
	if (r == 0)
		r = put_optional_integer(out, TAG_LIFETIME,
					 SSL_SESSION_get_ticket_lifetime_hint(from));
	if (r == 0)
		r = put_optional_octets(out, TAG_TICKET, ticket, ticket_len);
	return r < 0 ? r : put_optional_integer(out, TAG_AGE_ADD, age_add);
}

bool
tls_record_write(struct tls_kept *kept, SSL_SESSION *from)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes fields = SEAL_BYTES(TICKET_MAX + OVERHEAD);
	uint32_t age_add = 0;
	bool written;

	seal_bytes_init(&kept->record, TICKET_MAX + 2 * OVERHEAD);
	written = SSL_SESSION_has_ticket(from) == 1 && read_age_add(from, &age_add) &&
		  put_fields(&fields, kept, from, age_add) == 0 &&
		  put(&kept->record, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, fields.data,
		      fields.len) == 0;
	ERR_clear_error();
	return written;
}

SSL_SESSION *
tls_record_read(const struct tls_kept *kept)
{
	const unsigned char *at = kept->record.data;
	SSL_SESSION *native = d2i_SSL_SESSION(NULL, &at, (long)kept->record.len);

	if (native != NULL && SSL_SESSION_set1_master_key(native, kept->psk, kept->psk_len) == 1 &&
	    SSL_SESSION_set1_id_context(native, tls_context, sizeof(tls_context)) == 1)
		return native;
	ERR_clear_error();
	SSL_SESSION_free(native);
	return NULL;
}
