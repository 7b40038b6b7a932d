/* SPDX-License-Identifier: Apache-2.0 */
/* base/jwe and statements: nothing that was not sealed with the key opens. */
#include <assert.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "base/jwe/jwe.h"
#include "egg/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t raw[SEAL_KEY_LEN] = { 'k' };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct egg_statement statement = { 0 };

	if (seal_secret_from(&key, raw, sizeof(raw), NULL) < 0)
		return 0;
	assert(egg_statement_open(&statement, key, (const char *)data, size, NULL) < 0);
	assert(seal_jwe_open(&plain, NULL, key, (const char *)data, size, NULL) < 0);
	return 0;
}
