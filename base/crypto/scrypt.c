/* SPDX-License-Identifier: Apache-2.0 */
/* A key from what a person remembers: scrypt (RFC 7914), slow and large on purpose. */

#include <openssl/evp.h>

#include "base/crypto/crypto.h"

#define ROUNDS_MIN (UINT64_C(1) << 14)
#define ROUNDS_MAX (UINT64_C(1) << 22)
#define BLOCKS_MAX 16u /* with the largest N: 8 GiB, which is refused below */
#define LANES_MAX  16u
#define MEMORY_MAX (UINT64_C(2) * 1024 * 1024 * 1024)
#define SPARE      (UINT64_C(1024) * 1024) /* what OpenSSL needs besides */

static int
check(const struct seal_scrypt *cost, struct seal_err *err)
{
	bool is_power = cost->n != 0 && (cost->n & (cost->n - 1)) == 0;

	if (!is_power || cost->n < ROUNDS_MIN || cost->n > ROUNDS_MAX || cost->r < 1 ||
	    cost->r > BLOCKS_MAX || cost->p < 1 || cost->p > LANES_MAX ||
	    128 * cost->n * cost->r > MEMORY_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "no cost that scrypt is used with here");
	return 0;
}

int
seal_scrypt(struct seal_secret **ret_key, const struct seal_secret *passphrase, const void *salt,
	    size_t salt_len, const struct seal_scrypt *cost, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	int r = check(cost, err);

	if (r == 0)
		r = seal_secret_new(&key, SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	if (EVP_PBE_scrypt(seal_secret_chars(passphrase), seal_secret_len(passphrase), salt,
			   salt_len, cost->n, cost->r, cost->p,
			   128 * cost->r * (cost->n + cost->p) + SPARE, seal_secret_bytes(key),
			   SEAL_KEY_LEN) != 1)
		return seal_fail_ssl(err, "scrypt failed (it needs %llu MiB of memory)",
				     (unsigned long long)(cost->n * cost->r / 8192));
	*ret_key = SEAL_TAKE(key);
	return 0;
}
