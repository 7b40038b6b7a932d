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

/* Keys have names and bytes, the floor is sorted, and all of it can be said again. */
static void
check_credentials(const struct rot_credentials *credentials)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes out = SEAL_BYTES((size_t)8 * ROT_MAX_CREDENTIALS);
	SEAL_SCOPED(rot_credentials_release) struct rot_credentials again = { 0 };

	assert(credentials->certificate != NULL);
	for (size_t i = 0; i < credentials->key_count; i++)
		assert(seal_secret_len(credentials->keys[i].key) == ROT_KEY_LEN);
	for (size_t i = 1; i < credentials->floor_count; i++)
		assert(strcmp(credentials->floor[i - 1].object, credentials->floor[i].object) < 0);
	assert(rot_credentials_encode(credentials, &out, NULL) == 0);
	if (out.len > ROT_MAX_CREDENTIALS)
		return;
	assert(rot_credentials_parse(&again, out.data, out.len, NULL) == 0);
	assert(again.key_count == credentials->key_count);
	assert(again.floor_count == credentials->floor_count);
}

static bool
is_sorted(const struct seal_strv *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (strcmp(list->items[i - 1], list->items[i]) >= 0)
			return false;
	return true;
}

/* One order whoever sent it: what is written of what was read is read as the same, to the byte. */
static void
check_sync(const struct rot_sync *sync)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes out = SEAL_BYTES((size_t)8 * ROT_MAX_SYNC);
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes two = SEAL_BYTES((size_t)8 * ROT_MAX_SYNC);
	SEAL_SCOPED(rot_sync_release) struct rot_sync again = { 0 };

	assert(sync->ca_bundle != NULL);
	assert(is_sorted(&sync->revoked) && is_sorted(&sync->keys));
	for (size_t i = 0; i < sync->revoked.count; i++)
		assert(strlen(sync->revoked.items[i]) == 32);
	assert(rot_sync_encode(sync, &out, NULL) == 0);
	if (out.len > ROT_MAX_SYNC)
		return;
	assert(rot_sync_parse(&again, out.data, out.len, NULL) == 0);
	assert(rot_sync_encode(&again, &two, NULL) == 0);
	assert(out.len == two.len && memcmp(out.data, two.data, out.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(rot_sync_release) struct rot_sync sync = { 0 };
	SEAL_SCOPED(rot_credentials_release) struct rot_credentials credentials = { 0 };
	char message[ROT_ERROR_TEXT_MAX];
	char code[64];

	try_request(data, size, true);
	try_request(data, size, false);
	rot_error_parse(data, size, code, message);
	if (rot_credentials_parse(&credentials, data, size, NULL) == 0)
		check_credentials(&credentials);
	if (rot_sync_parse(&sync, data, size, NULL) == 0)
		check_sync(&sync);
	return 0;
}
