/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_INIT_H
#define SEAL_ROT_INIT_H

/*
 * A new root of trust: the directory that seal-rot serves.
 *
 *   DIR/            0700
 *     store         where the store is, and which one
 *     seal.db       it, unless it is in etcd
 *     kek           the key-encryption key, 64 hexadecimal digits (absent with a key of one's own, or a passphrase)
 *     admin/        the first operator's credential: ca.pem cert.pem key.pem urls
 *
 * The process must be hardened (seal_process_harden) and single-threaded: a signer is forked for the
 * time it takes to make the first certificates.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/names/names.h"
#include "base/secret/secret.h"
#include "rot/server/kek.h"
#include "rot/server/place.h"

#define ROT_SOCKET_NAME   "rot.sock"
#define ROT_LOCK_NAME     "lock"
#define ROT_MAX_URLS      16
#define ROT_ADMIN_NAME    "first" /* spiffe://TD/operator/admin/first */
#define ROT_ADMIN_SECONDS (365 * 86400)

struct rot_init_options {
	const char *dir;
	const struct seal_strv *urls;   /* at least one */
	const char *trust_domain;       /* NULL: the host of the first URL */
	struct rot_kek_source kek;      /* without one: make DIR/kek */
	struct rot_place_options store; /* without one: DIR/seal.db */
	int64_t now;
};

/*
 * Make DIR with everything in it, or nothing.  Built beside it and renamed into place.
 * SEAL_E_CONFLICT, saying what to do, when DIR holds a root of trust or anything else.  On success
 * the trust domain chosen is copied out.
 */
SEAL_CHECKED int rot_init(const struct rot_init_options *options,
			  char ret_trust_domain[static SEAL_TRUST_DOMAIN_MAX + 1],
			  struct seal_err *err);

#endif
