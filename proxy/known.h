/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_KNOWN_H
#define SEAL_PROXY_KNOWN_H

/*
 * The verified peers that have connections, one copy of each: a thousand connections of one
 * certificate hold one description of it.  Belongs to one thread.
 */

#include "base/err/err.h"
#include "base/x509/verify.h"

#define PROXY_KNOWN_SLOTS 256

struct proxy_known {
	unsigned refs;
	unsigned slot;
	struct seal_peer peer;
};

/* By serial number; the last one of each slot, borrowed.  All zero is empty. */
struct proxy_known_table {
	struct proxy_known *slots[PROXY_KNOWN_SLOTS];
};

/* The copy of peer, referenced; released by proxy_known_unref.  NULL when memory is out. */
struct proxy_known *proxy_known_ref(struct proxy_known_table *table, const struct seal_peer *peer);
void proxy_known_unref(struct proxy_known_table *table, struct proxy_known *known);

#endif
