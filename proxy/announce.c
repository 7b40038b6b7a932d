/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol, version 2 (its specification's section 2.2), as a sender.  The header is put
 * together aside and appended as a whole, so that an application never gets half of one.  Whether the
 * application wants one is for others to know.
 *
 * The receiver believes every byte, so what strangers choose is bounded and printable: a name that is
 * not is a refusal, never a shortened name, which might be somebody else's.
 */
#include "proxy/announce.h"

#include <string.h>

#include "proxy/address.h"

#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LEN 12
#define VERSION_PROXY 0x21 /* version 2, command PROXY: somebody is there, it is not ourselves */
#define FAMILY_UNSPEC 0x00
#define FAMILY_TCP4   0x11
#define FAMILY_TCP6   0x21
#define LENGTH_AT     14 /* the length of what follows the first 16 bytes */

#define TLV_ALPN      0x01
#define TLV_AUTHORITY 0x02
#define TLV_SSL       0x20
#define SUB_VERSION   0x21
#define SUB_CN        0x22
#define SUB_CIPHER    0x23

#define CLIENT_SSL       0x01 /* the client came over TLS */
#define CLIENT_CERT_CONN 0x02 /* and showed a certificate on this very connection */
#define CLIENT_CERT_SESS 0x04 /* or on the one whose session it resumed */

#define AUTHORITY_MAX 255 /* as much as a server name may be in TLS */
#define FACT_MAX      64  /* names of versions and ciphers: longer ones do not exist */

static void
put_u16(struct seal_writer *w, uint16_t value)
{
	seal_put_u8(w, (uint8_t)(value >> 8));
	seal_put_u8(w, (uint8_t)value);
}

static void
put_raw(struct seal_writer *w, const void *data, size_t len)
{
	if (w->failed == 0)
		w->failed = seal_bytes_append(w->out, data, len, NULL);
}

/* Fill in a length of two bytes, at from, of everything behind it. */
static void
set_len(struct seal_writer *w, size_t from)
{
	size_t len;

	if (w->failed != 0)
		return;
	len = w->out->len - from - 2;
	w->out->data[from] = (uint8_t)(len >> 8); /* PROXY_ANNOUNCE_MAX is far below 65536 */
	w->out->data[from + 1] = (uint8_t)len;
}

static void
put_addresses(struct seal_writer *w, const struct proxy_announcement *a)
{
	struct proxy_address from, to;
	size_t skip;

	if (!proxy_address_read(&from, a->from, a->from_len) ||
	    !proxy_address_read(&to, a->to, a->to_len)) {
		seal_put_u8(w, FAMILY_UNSPEC);
		put_u16(w, 0);
		return;
	}
	/* Of two families, which is not to be expected, the larger one can hold both. */
	skip = from.is_v4 && to.is_v4 ? PROXY_ADDRESS_V4_AT : 0;
	seal_put_u8(w, skip != 0 ? FAMILY_TCP4 : FAMILY_TCP6);
	put_u16(w, 0);
	put_raw(w, from.ip + skip, sizeof(from.ip) - skip);
	put_raw(w, to.ip + skip, sizeof(to.ip) - skip);
	put_u16(w, from.port);
	put_u16(w, to.port);
}

static bool
is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

/* Absent text, NULL or "", is no TLV. */
static void
put_text(struct seal_writer *w, uint8_t type, const char *text, size_t max)
{
	size_t len = text == NULL ? 0 : strlen(text);

	if (len == 0 || w->failed != 0)
		return;
	if (len > max) {
		w->failed = SEAL_E_LIMIT;
		return;
	}
	if (!is_printable(text, len)) {
		w->failed = SEAL_E_FORMAT;
		return;
	}
	seal_put_u8(w, type);
	put_u16(w, (uint16_t)len);
	put_raw(w, text, len);
}

/* Names of application protocols are bytes of any value (RFC 7301 section 3.1). */
static void
put_alpn(struct seal_writer *w, const char *alpn)
{
	size_t len = alpn == NULL ? 0 : strlen(alpn);

	if (len == 0)
		return;
	if (len > SEAL_ALPN_MAX) {
		w->failed = w->failed != 0 ? w->failed : SEAL_E_LIMIT;
		return;
	}
	seal_put_u8(w, TLV_ALPN);
	put_u16(w, (uint16_t)len);
	put_raw(w, alpn, len);
}

static bool
is_peer(const struct proxy_announcement *a)
{
	return a->peer != NULL && a->peer->name[0] != '\0';
}

static void
put_ssl(struct seal_writer *w, const struct proxy_announcement *a)
{
	bool verified = is_peer(a) || a->common_name != NULL;
	uint8_t client = CLIENT_SSL;
	size_t len_at;

	if (verified)
		client |= CLIENT_CERT_SESS;
	if (verified && !a->tls.resumed)
		client |= CLIENT_CERT_CONN;
	seal_put_u8(w, TLV_SSL);
	len_at = w->out->len;
	put_u16(w, 0);
	seal_put_u8(w, client);
	seal_put_u32(w, verified ? 0 : 1); /* verify: zero means a certificate, verified */
	put_text(w, SUB_VERSION, a->tls.version, FACT_MAX);
	if (a->common_name != NULL)
		put_text(w, SUB_CN, a->common_name, SEAL_HOSTNAME_MAX);
	else if (is_peer(a))
		put_text(w, SUB_CN, a->peer->name, SEAL_PEER_MAX);
	put_text(w, SUB_CIPHER, a->tls.cipher, FACT_MAX);
	set_len(w, len_at);
}

static int
fail(int r, struct seal_err *err)
{
	switch (r) {
	case SEAL_E_LIMIT:
		return seal_fail(err, SEAL_E_LIMIT,
				 "the connection cannot be announced: a name is too long");
	case SEAL_E_FORMAT:
		return seal_fail(err, SEAL_E_FORMAT,
				 "the connection cannot be announced: a name is not printable");
	default:
		return seal_fail_memory(err);
	}
}

int
proxy_announce(struct seal_bytes *out, const struct proxy_announcement *announcement,
	       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes header = SEAL_BYTES(PROXY_ANNOUNCE_MAX);
	struct seal_writer w = { .out = &header };

	/* The version is the one part of the SSL TLV that receivers may rely upon. */
	if (announcement->tls.version == NULL || announcement->tls.version[0] == '\0')
		return seal_fail(err, SEAL_E_BUG, "a connection without TLS is announced");
	put_raw(&w, SIGNATURE, SIGNATURE_LEN);
	seal_put_u8(&w, VERSION_PROXY);
	put_addresses(&w, announcement);
	put_alpn(&w, announcement->tls.alpn);
	put_text(&w, TLV_AUTHORITY, announcement->tls.server_name, AUTHORITY_MAX);
	put_ssl(&w, announcement);
	if (is_peer(announcement))
		put_text(&w, PROXY_TLV_SPIFFE_ID, announcement->peer->uri,
			 SEAL_IDENTITY_URI_MAX - 1);
	set_len(&w, LENGTH_AT);
	if (w.failed != 0)
		return fail(w.failed, err);
	return seal_bytes_append(out, header.data, header.len, err);
}
