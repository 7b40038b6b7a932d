/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key-encryption key's file: hexadecimal text, so that it can be made, printed and kept in a safe
 * with ordinary tools.
 */

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "rot/server/init.h"

#define KEK_TEXT_LEN (2 * SEAL_KEY_LEN)

int
rot_kek_read(struct seal_secret **ret_kek, int dirfd, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	size_t len;
	int r;

	/* Room for more than is right, so that a wrong file is told apart from one cut short. */
	r = seal_fs_read_secret(&text, dirfd, name, 4096, err);
	if (r < 0)
		return seal_note(err, r, "key-encryption key");
	len = seal_secret_len(text);
	if (len == KEK_TEXT_LEN + 1 && seal_secret_peek(text)[KEK_TEXT_LEN] == '\n')
		len = KEK_TEXT_LEN;
	r = seal_secret_new(&kek, SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	r = seal_hex_decode(seal_secret_bytes(kek), SEAL_KEY_LEN, seal_secret_chars(text), len,
			    NULL);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "key-encryption key: '%s' does not hold 64 hexadecimal digits: "
				 "make one with: openssl rand -hex 32",
				 name);
	*ret_kek = SEAL_TAKE(kek);
	return 0;
}
