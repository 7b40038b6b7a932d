/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_PUBLIC_H
#define SEAL_PROXY_PUBLIC_H

/*
 * The certificates of a public listener, from files: read and checked whole (each key is its
 * certificate's, each is valid now, the client CA holds CAs), and read again when they change.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/tls/tls.h"
#include "proxy/proxy.h"

/* Of one certificate, in the order of the configuration. */
struct proxy_public_leaf {
	int64_t not_before;
	int64_t not_after;
	uint8_t fingerprint[SEAL_HASH_LEN];
};

/* Immutable, reference counted (atomically). */
struct proxy_public {
	atomic_uint refs;
	struct seal_tls *tls;
	struct seal_certs *client_anchors; /* NULL: clients are not asked */
	int64_t not_after;                 /* of the certificate that ends first */
	size_t count;
	struct proxy_public_leaf leaves[PROXY_MAX_CERTIFICATES];
};

/*
 * Read everything anew; on failure nothing has changed, and err names the file.  SEAL_E_REFUSED for a
 * key of another certificate, a certificate out of its time, a client CA that is none, and for files
 * that others could have written or, keys, read.  Names may be symbolic links.
 *
 * What serves already (may be NULL) and has come to its end meanwhile is no reason to refuse others that
 * were renewed: a certificate of before may be over.
 */
SEAL_CHECKED int proxy_public_load(struct proxy_public **ret_public,
				   const struct proxy_listener_config *listener,
				   const struct proxy_public *before, int64_t now,
				   struct seal_err *err);
/* How many of its certificates are over. */
size_t proxy_public_over(const struct proxy_public *public, int64_t now);
struct proxy_public *proxy_public_ref(struct proxy_public *public);
void proxy_public_unref(struct proxy_public *public);
/*
 * A digest over which files there are (device, inode, size, times of change), to notice a change
 * without reading: equal means unchanged.  Taken BEFORE they are loaded, it also tells that they
 * changed meanwhile; after a failure it tells when trying again makes sense.
 */
uint64_t proxy_public_mark(const struct proxy_listener_config *listener);
/*
 * Verify a client's certificate up to the client CA: path, validity, usage; names mean nothing.  The
 * subject's common name, printable, goes to name for logs and the application; "" when it has none.
 * SEAL_E_UNAUTH on any doubt, and then name is unchanged.
 */
SEAL_CHECKED int proxy_public_verify(const struct proxy_public *public,
				     const struct seal_certs *presented, int64_t now,
				     char name[static SEAL_HOSTNAME_MAX + 1], struct seal_err *err);

#endif
