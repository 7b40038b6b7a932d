/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/token: any text as a container token, and any JSON inside a well-formed one. */
#include <assert.h>

#include "config-verify/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
parse(const char *text, size_t len)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *again = NULL;
	struct verify_token token = { .generation = 0 };

	if (verify_token_parse(&token, text, len, NULL) < 0) {
		assert(token.key == NULL);
		return;
	}
	assert(verify_token_encode(&token, &again, NULL) == 0);
	verify_token_release(&token);
	assert(verify_token_parse(&token, seal_secret_chars(again), seal_secret_len(again), NULL) ==
	       0);
	verify_token_release(&token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_TOKEN_MAX_LEN);

	parse((const char *)data, size);
	if (seal_bytes_append_str(&text, VERIFY_TOKEN_PREFIX, NULL) == 0 &&
	    seal_base64url_encode(&text, data, size, NULL) == 0)
		parse(seal_bytes_str(&text), text.len);
	return 0;
}
