/* SPDX-License-Identifier: Apache-2.0 */
/* rot/wire: any bytes as each message; what is accepted is written again and read again. */
#include <assert.h>

#include "rot/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_request(const uint8_t *data, size_t size, bool with_statement)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(4 * ROT_MAX_BODY);
	SEAL_SCOPED(rot_request_release) struct rot_request request = { 0 };
	SEAL_SCOPED(rot_request_release) struct rot_request again = { 0 };

	if (rot_request_parse(&request, with_statement, data, size, NULL) < 0)
		return;
	assert(rot_request_encode(&request, &out, NULL) == 0);
	if (out.len <= ROT_MAX_BODY)
		assert(rot_request_parse(&again, with_statement, out.data, out.len, NULL) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(rot_credentials_release) struct rot_credentials credentials = { 0 };
	char message[ROT_ERROR_TEXT_MAX];
	char code[64];

	try_request(data, size, true);
	try_request(data, size, false);
	rot_error_parse(data, size, code, message);
	if (rot_credentials_parse(&credentials, data, size, NULL) == 0)
		assert(credentials.certificate != NULL);
	return 0;
}
