/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_INIT_H
#define SEAL_ROT_INIT_H

/*
 * A new root of trust: the directory that seal-rot serves.
 *
 *   DIR/            0700
 *     seal.db       the store
 *     kek           the key-encryption key, 64 hexadecimal digits (absent with a key file of one's own)
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

#define ROT_DB_NAME       "seal.db"
#define ROT_KEK_NAME      "kek"
#define ROT_SOCKET_NAME   "rot.sock"
#define ROT_LOCK_NAME     "lock"
#define ROT_MAX_URLS      16
#define ROT_ADMIN_NAME    "first" /* spiffe://TD/operator/admin/first */
#define ROT_ADMIN_SECONDS (365 * 86400)

struct rot_init_options {
	const char *dir;
	const struct seal_strv *urls; /* at least one */
	const char *trust_domain;     /* NULL: the host of the first URL */
	const char *kek_file;         /* an existing key file; NULL: make DIR/kek */
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

/*
 * Read a key-encryption key: 64 hexadecimal digits and at most one newline, in a file only its owner
 * can read.
 */
SEAL_CHECKED int rot_kek_read(struct seal_secret **ret_kek, int dirfd, const char *name,
			      struct seal_err *err);

#endif
