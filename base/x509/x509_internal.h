/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_X509_INTERNAL_H
#define SEAL_BASE_X509_INTERNAL_H

/* What the files of this room share; the only header besides tls' that names OpenSSL's types. */

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/x509/verify.h"
#include "base/x509/x509.h"

static inline X509 *
native_cert(const struct seal_cert *cert)
{
	return seal_cert_native(cert);
}

static inline STACK_OF(X509) * native_certs(const struct seal_certs *certs)
{
	return seal_certs_native(certs);
}

/* The subject alternative names of a certificate, each checked byte by byte. */
struct seal_alt_names {
	struct seal_strv dns; /* lower-case letters, digits, '-', '.', and a leading "*." */
	struct seal_strv uris;
	bool odd_dns;     /* there are DNS names spelled otherwise */
	bool other_kinds; /* there are names of other kinds */
};

void seal_alt_names_release(struct seal_alt_names *names);
/*
 * SEAL_E_FORMAT when the extension is repeated, malformed, or a URI is not printable ASCII.  No
 * extension at all is no names.
 */
SEAL_CHECKED int seal_alt_names_read(struct seal_alt_names *ret_names, const struct seal_cert *cert,
				     struct seal_err *err);

/* Of a verified path: from when on, and until when, every certificate is valid; and what it ends at. */
struct seal_window {
	int64_t from;
	int64_t to;
	uint8_t anchor[SEAL_HASH_LEN];
};

SEAL_CHECKED int seal_chain_verify_window(const struct seal_certs *anchors,
					  const struct seal_certs *presented,
					  const struct seal_chain_opts *opts,
					  struct seal_window *ret_window, struct seal_err *err);

/*
 * What was established before about the one certificate presented.  false: nothing that holds now.
 * On success the leaf in presented is the one of then.
 */
bool seal_peer_recall(struct seal_peer *ret_peer, const struct seal_peer_rules *rules,
		      struct seal_certs *presented, enum seal_side side, int64_t now);
/* Remember what has just been established.  Failing to is no failure. */
void seal_peer_remember(const struct seal_peer *peer, const struct seal_window *window,
			const struct seal_peer_rules *rules, const struct seal_certs *presented,
			enum seal_side side);

#endif
