/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_SECRET_H
#define SEAL_BASE_SECRET_H

/*
 * Memory for keys: taken from one locked, undumpable arena, wiped when freed, never grown in place,
 * never printed.  Asking for the bytes is a call that greps well.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"

struct seal_secret;

/*
 * Prepare this process for holding keys, before any is read: no core files, not dumpable (and so
 * not ptraceable by its own user), no new privileges, umask 077, and the locked arena, which the
 * crypto library's private keys then share.  Call once, first thing in main.
 */
SEAL_CHECKED int seal_process_harden(struct seal_err *err);
/*
 * The part of it that ends with this process image, for a program that starts another one which must
 * find the world as it was: not dumpable (and so no core files), the host's hands off the crypto
 * library, the locked arena.  umask, limits and privileges stay.
 */
SEAL_CHECKED int seal_process_protect(struct seal_err *err);

/* Give memory that is free back to the system: for when much has been freed. */
void seal_memory_tidy(void);

/* A zeroed secret of len bytes (1 .. 2 MiB).  Owned by the caller (seal_secret_free). */
SEAL_CHECKED int seal_secret_new(struct seal_secret **ret_secret, size_t len, struct seal_err *err);
/* A copy of data.  The caller still has to wipe its own. */
SEAL_CHECKED int seal_secret_from(struct seal_secret **ret_secret, const void *data, size_t len,
				  struct seal_err *err);
void seal_secret_free(struct seal_secret *secret);
void seal_secret_freep(struct seal_secret **secret);

uint8_t *seal_secret_bytes(struct seal_secret *secret);
const uint8_t *seal_secret_peek(const struct seal_secret *secret);
/* As text: one NUL stands behind the last byte. */
const char *seal_secret_chars(const struct seal_secret *secret);
size_t seal_secret_len(const struct seal_secret *secret);
/* Forget the bytes from len on (len <= seal_secret_len), wiping them. */
void seal_secret_truncate(struct seal_secret *secret, size_t len);

/* Constant-time comparison of two secrets, or of two blocks. */
bool seal_secret_equal(const struct seal_secret *a, const struct seal_secret *b);
bool seal_equal(const void *a, const void *b, size_t len);
/* Overwrite memory in a way no compiler removes. */
void seal_wipe(void *data, size_t len);

#endif
