/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_TLS_REMEMBER_H
#define SEAL_BASE_TLS_REMEMBER_H

/*
 * The table of sessions that may be resumed: what is kept of one, for how long, and where.  Bounded;
 * the one not used for longest goes first.  For use by several threads.  Secrets lie in memory of
 * their own that is locked, not dumped, and wiped when a session goes.  Knows no TLS.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/x509/verify.h"

#define TLS_KEY_LEN 32 /* a session's name: random on a server, a digest of its scope on a client */
#define TLS_PSK_MAX 48 /* SHA-384 */

/* A peer's facts without the room for the longest of names. */
struct tls_peer;
struct tls_peer *tls_peer_pack(const struct seal_peer *peer); /* NULL: out of memory; free() it */
void tls_peer_unpack(struct seal_peer *ret_peer, const struct tls_peer *packed);

/* A session on its way into the table or out of it.  Release it after use. */
struct tls_kept {
	uint8_t key[TLS_KEY_LEN];
	uint8_t scope[TLS_KEY_LEN];
	int64_t made_at;
	int64_t expires_at; /* exclusive */
	uint16_t cipher;
	uint8_t psk_len;
	uint8_t psk[TLS_PSK_MAX];
	struct seal_peer peer;
	struct seal_bytes record; /* client: what else it needs (record.c); put and get copy it */
};
/* Wipe the secret, and let go of the record. */
void tls_kept_release(struct tls_kept *kept);

struct tls_memory;
SEAL_CHECKED int tls_memory_new(struct tls_memory **ret_memory, size_t max, struct seal_err *err);
void tls_memory_free(struct tls_memory *memory);
/* Keep a session in place of one with the same key.  Failing to is no failure. */
void tls_memory_put(struct tls_memory *memory, const struct tls_kept *kept);
/* A session that has this key, belongs to this scope and has not expired. */
bool tls_memory_get(struct tls_memory *memory, const uint8_t key[static TLS_KEY_LEN],
		    const uint8_t scope[static TLS_KEY_LEN], int64_t now,
		    struct tls_kept *ret_kept);
void tls_memory_drop(struct tls_memory *memory, const uint8_t key[static TLS_KEY_LEN]);
size_t tls_memory_count(struct tls_memory *memory);

#endif
