/* SPDX-License-Identifier: Apache-2.0 */
/* egg/: any text as an egg, and any JSON inside a well-formed envelope. */
#include "egg/egg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(EGG_MAX_LEN);
	SEAL_SCOPED(egg_freep) struct egg *raw = NULL;
	SEAL_SCOPED(egg_freep) struct egg *wrapped = NULL;

	if (egg_parse(&raw, (const char *)data, size, NULL) < 0 &&
	    seal_bytes_append_str(&text, EGG_PREFIX, NULL) == 0 &&
	    seal_base64url_encode(&text, data, size, NULL) == 0 &&
	    egg_parse(&wrapped, seal_bytes_str(&text), text.len, NULL) == 0)
		return 0;
	return 0;
}
