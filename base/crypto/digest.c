/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 of what comes in pieces. */

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto/crypto.h"

struct seal_digest {
	EVP_MD_CTX *context;
};

int
seal_digest_new(struct seal_digest **ret_digest, struct seal_err *err)
{
	SEAL_SCOPED(seal_digest_freep) struct seal_digest *digest = calloc(1, sizeof(*digest));

	if (digest == NULL)
		return seal_fail_memory(err);
	digest->context = EVP_MD_CTX_new();
	if (digest->context == NULL)
		return seal_fail_memory(err);
	if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
		return seal_fail_ssl(err, "SHA-256 failed");
	*ret_digest = SEAL_TAKE(digest);
	return 0;
}

void
seal_digest_free(struct seal_digest *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->context);
	free(digest);
}

void
seal_digest_freep(struct seal_digest **digest)
{
	seal_digest_free(*digest);
	*digest = NULL;
}

int
seal_digest_add(struct seal_digest *digest, const void *data, size_t len, struct seal_err *err)
{
	if (EVP_DigestUpdate(digest->context, data, len) != 1)
		return seal_fail_ssl(err, "SHA-256 failed");
	return 0;
}

int
seal_digest_end(struct seal_digest *digest, uint8_t ret_hash[static SEAL_HASH_LEN],
		struct seal_err *err)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_DigestFinal_ex(digest->context, hash, &len) != 1 || len != SEAL_HASH_LEN)
		return seal_fail_ssl(err, "SHA-256 failed");
	memcpy(ret_hash, hash, SEAL_HASH_LEN);
	return 0;
}
