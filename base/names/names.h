/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_NAMES_H
#define SEAL_BASE_NAMES_H

/*
 * The grammar of every name in the system.  One place decides what a workload, a peer, a host name,
 * a trust domain or an identity may look like; all text is ASCII and lower case.  Checks return
 * SEAL_E_FORMAT with a sentence that says the rule.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"

#define SEAL_WORKLOAD_MAX     60  /* [a-z][a-z0-9-]{2,59} */
#define SEAL_PEER_MAX         63  /* [a-z][a-z0-9-]{0,62}, no '-' at the end */
#define SEAL_HOSTNAME_MAX     253 /* RFC 1123, at least one dot */
#define SEAL_TRUST_DOMAIN_MAX 253 /* SPIFFE-ID section 2.1, here: host name letters */
#define SEAL_ID_LEN           32  /* egg ids: 128 bits as lower-case hexadecimal */
#define SEAL_SERIAL_LEN                                                                            \
	40 /* serial numbers as hexadecimal: at most (RFC 5280); ours have 32 digits */
#define SEAL_PEER_ANY   "any"
#define SEAL_PEER_EVERY "*" /* in a policy: every peer of the workload */

SEAL_CHECKED int seal_workload_check(const char *name, struct seal_err *err);
/* A peer name; the reserved ones (rot init admin ci egg localhost) are refused, any is allowed. */
SEAL_CHECKED int seal_peer_check(const char *name, struct seal_err *err);
/* A peer name, or * for every peer, as a side of a policy pair. */
SEAL_CHECKED int seal_peer_or_every_check(const char *name, struct seal_err *err);
/* An exact host name: LDH labels, at least one dot, none at the end, not an IPv4 address. */
SEAL_CHECKED int seal_hostname_check(const char *name, struct seal_err *err);
/* An exact host name, or one whose first label is * followed by at least two labels. */
SEAL_CHECKED int seal_hostname_pattern_check(const char *pattern, struct seal_err *err);
/* True when an exact host name fits the pattern; * stands for exactly one label. */
bool seal_hostname_matches(const char *pattern, const char *name);
SEAL_CHECKED int seal_trust_domain_check(const char *name, struct seal_err *err);
/* 32 lower-case hexadecimal digits. */
SEAL_CHECKED int seal_id_check(const char *id, struct seal_err *err);
/* https://host[:port][/], nothing else: no user, query, fragment or path. */
SEAL_CHECKED int seal_url_check(const char *url, struct seal_err *err);
/* Copies the host of a checked URL (without brackets) and its port (443 when it names none). */
SEAL_CHECKED int seal_url_split(const char *url, char host[static SEAL_HOSTNAME_MAX + 1],
				uint16_t *ret_port, struct seal_err *err);

/* "90s", "15m", "24h", "30d", or plain seconds.  SEAL_E_LIMIT outside min..max seconds. */
SEAL_CHECKED int seal_duration_parse(const char *text, uint64_t min, uint64_t max,
				     uint64_t *ret_seconds, struct seal_err *err);
/* "65536", "64KiB", "16MiB", "2GiB": bytes.  SEAL_E_LIMIT outside min..max bytes. */
SEAL_CHECKED int seal_size_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
				 struct seal_err *err);
/* A decimal number without sign or white space.  SEAL_E_LIMIT outside min..max. */
SEAL_CHECKED int seal_number_parse(const char *text, uint64_t min, uint64_t max,
				   uint64_t *ret_value, struct seal_err *err);

/*
 * In TARGET[,TARGET][/PEERS], what stands behind the '=' of a listener: the slash before its peers, or NULL.  It is
 * the first one, but a unix path has slashes of its own and ends at ".sock/".
 */
char *seal_spec_peers(char *targets);

/* An operator's name: spelled like a peer's; local (the socket) and self are reserved. */
SEAL_CHECKED int seal_operator_check(const char *name, struct seal_err *err);

/* Who a SPIFFE ID speaks of. */
enum seal_role {
	SEAL_ROLE_NONE = 0,
	SEAL_ROLE_ROT,      /* spiffe://TD/rot */
	SEAL_ROLE_EGG,      /* spiffe://TD/egg/ID */
	SEAL_ROLE_OPERATOR, /* spiffe://TD/operator/ROLE/NAME, both spelled like peers */
	SEAL_ROLE_POD,      /* spiffe://TD/workload/WORKLOAD/peer/PEER */
};

struct seal_identity {
	enum seal_role role;
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	char egg[SEAL_ID_LEN + 1];
	char operator_role[SEAL_PEER_MAX + 1];
	char operator_name[SEAL_PEER_MAX + 1];
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
};

#define SEAL_IDENTITY_URI_MAX 512

/* Parse exactly one of the forms above: no escapes, port, user, query or trailing slash. */
SEAL_CHECKED int seal_identity_parse(struct seal_identity *ret_identity, const char *uri,
				     size_t uri_len, struct seal_err *err);
/* The canonical text of an identity whose fields are valid. */
void seal_identity_format(const struct seal_identity *identity,
			  char uri[static SEAL_IDENTITY_URI_MAX]);

#endif
