/* SPDX-License-Identifier: Apache-2.0 */
/* base/json: any bytes; what is accepted is written again and read again. */
#include <assert.h>

#include "base/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(16u * 1024 * 1024);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *again = NULL;

	if (seal_json_parse(&json, data, size, 64 * 1024, NULL) < 0)
		return 0;
	assert(seal_json_dump(json, false, &out, NULL) == 0);
	assert(seal_json_parse(&again, out.data, out.len, out.max, NULL) == 0);
	return 0;
}
