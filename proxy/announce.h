/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_ANNOUNCE_H
#define SEAL_PROXY_ANNOUNCE_H

/*
 * Tell the application who is there: a PROXY protocol version 2 header in front of the peer's first
 * byte.  TLVs: ALPN 0x01, AUTHORITY 0x02 (the server name), SSL 0x20 with VERSION 0x21, CN 0x22 (the
 * peer's name) and CIPHER 0x23, and 0xE0, ours: the peer's SPIFFE ID.
 */

#include <stdbool.h>
#include <sys/socket.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/tls/tls.h"

#define PROXY_ANNOUNCE_MAX  1536 /* more than the longest of all names together come to */
#define PROXY_TLV_SPIFFE_ID 0xE0

struct proxy_announcement {
	const struct sockaddr *from; /* who connected, and to which address of ours */
	socklen_t from_len;
	const struct sockaddr *to;
	socklen_t to_len;
	struct seal_tls_facts tls;
	const struct seal_peer *peer; /* NULL, or verified */
	const char *common_name; /* of a public client's verified certificate; NULL: the peer's */
};

/*
 * Append the header, at most PROXY_ANNOUNCE_MAX bytes.  Addresses of another family than IPv4 or IPv6
 * become UNSPEC; those of an IPv4 connection on an IPv6 socket become IPv4.  SEAL_E_LIMIT for a name
 * that is too long, SEAL_E_FORMAT for one that is not printable ASCII: nothing is appended then, and
 * the connection is not to be relayed.
 */
SEAL_CHECKED int proxy_announce(struct seal_bytes *out,
				const struct proxy_announcement *announcement,
				struct seal_err *err);

#endif
