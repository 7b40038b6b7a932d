/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_EGG_STATEMENT_H
#define SEAL_EGG_STATEMENT_H

/*
 * The statement: what an egg is good for, sealed by the root of trust to itself (JWE, base/jwe) with
 * a key only it holds.  Everybody else sees opaque text.
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/names/names.h"

struct egg_statement {
	char id[SEAL_ID_LEN + 1];
	uint8_t key_id[SEAL_HASH_LEN]; /* SHA-256 of the egg key's SubjectPublicKeyInfo */
	char workload[SEAL_WORKLOAD_MAX + 1];
	char peer[SEAL_PEER_MAX + 1];
	struct seal_strv hostnames; /* patterns */
	int64_t not_after;
	uint64_t max_hatches; /* 0: unlimited */
};

void egg_statement_release(struct egg_statement *statement);
SEAL_CHECKED int egg_statement_seal(const struct egg_statement *statement,
				    const struct seal_secret *key, struct seal_bytes *out,
				    struct seal_err *err);
/*
 * Open and check.  *ret_statement must be zeroed; the caller releases it after success.  SEAL_E_UNAUTH
 * or SEAL_E_FORMAT; the caller answers its peer with one dull refusal for either.
 */
SEAL_CHECKED int egg_statement_open(struct egg_statement *ret_statement,
				    const struct seal_secret *key, const char *text,
				    size_t text_len, struct seal_err *err);

#endif
