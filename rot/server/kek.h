/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KEK_H
#define SEAL_ROT_KEK_H

/*
 * The key-encryption key: where it comes from.  It is 32 bytes, or is made from a passphrase; the store says which
 * (struct rot_kek_scheme), so that every replica knows.  In this order, the first there is:
 *
 *   a key           --kek-file, the systemd credential seal-kek, DIR/kek
 *   a passphrase    --kek-passphrase-file, the systemd credential seal-kek, the terminal
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/secret/secret.h"

#define ROT_KEK_NAME       "kek"
#define ROT_KEK_CREDENTIAL "seal-kek" /* below $CREDENTIALS_DIRECTORY */
#define ROT_KEK_SALT_LEN   16
#define ROT_PASSPHRASE_MIN 16
#define ROT_PASSPHRASE_MAX 1024

/* What the store says of the key that it is under. */
struct rot_kek_scheme {
	uint64_t number; /* 1, and one more with each seal rekey */
	bool is_passphrase;
	uint8_t salt[ROT_KEK_SALT_LEN];
	struct seal_scrypt cost;
};
#define ROT_KEK_SCHEME                                                                             \
	{                                                                                          \
		.number = 1                                                                        \
	}

struct rot_kek_source {
	const char *file;            /* 64 hexadecimal digits */
	const char *passphrase_file; /* "-": standard input, or the terminal */
};

/* SEAL_E_USAGE when both are given. */
SEAL_CHECKED int rot_kek_source_check(const struct rot_kek_source *source, struct seal_err *err);
/* The key of an existing store.  dir_fd: DIR, or negative. */
SEAL_CHECKED int rot_kek_get(struct seal_secret **ret_kek, const struct rot_kek_source *source,
			     const struct rot_kek_scheme *scheme, int dir_fd, struct seal_err *err);
/*
 * A key for a new store, or to change to: the file's, or the passphrase's, with a new salt (a terminal is asked twice);
 * a random one without either.  Sets the scheme, but for its number.
 */
SEAL_CHECKED int rot_kek_new(struct seal_secret **ret_kek, const struct rot_kek_source *source,
			     struct rot_kek_scheme *scheme, struct seal_err *err);

/*
 * Read a key-encryption key: 64 hexadecimal digits and at most one newline, in a file only its owner
 * can read.
 */
SEAL_CHECKED int rot_kek_read(struct seal_secret **ret_kek, int dirfd, const char *name,
			      struct seal_err *err);
/* The same, to be written: text is 65 bytes. */
SEAL_CHECKED int rot_kek_text(const struct seal_secret *kek, struct seal_secret **ret_text,
			      struct seal_err *err);

/* ---- kek_ask.c ---- */

/* Ask at the terminal, without echo.  SEAL_E_MISSING where there is none. */
SEAL_CHECKED int rot_kek_ask(const char *prompt, struct seal_secret **ret_line,
			     struct seal_err *err);

#endif
