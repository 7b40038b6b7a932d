/* SPDX-License-Identifier: Apache-2.0 */
/* base/http: the parser; fed in one piece and byte by byte it must come to the same end. */
#include <assert.h>
#include <string.h>

#include "base/http/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_parse whole;
	struct http_parse bytes;
	size_t used;
	size_t used_bytes = 0;

	http_parse_init(&whole, 4096);
	http_parse_init(&bytes, 4096);
	used = http_parse_feed(&whole, data, size);
	for (size_t i = 0; i < size && bytes.stage < HTTP_STAGE_DONE; i++)
		used_bytes += http_parse_feed(&bytes, data + i, 1);
	assert(whole.stage == bytes.stage);
	if (whole.stage == HTTP_STAGE_DONE) {
		assert(used == used_bytes);
		assert(strcmp(whole.target.path, bytes.target.path) == 0);
		assert(whole.body.len == bytes.body.len);
	}
	http_parse_release(&whole);
	http_parse_release(&bytes);
	return 0;
}
