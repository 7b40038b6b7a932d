/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/est: any bytes as a path, as an Authorization header and as a body; what is accepted is what it should be. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rot/server/est.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_text(const char *text)
{
	struct rot_est_target target;
	struct rot_est_user user;

	if (rot_est_target_parse(&target, text, NULL) == 0)
		assert(target.label[0] == '\0' || seal_workload_check(target.label, NULL) == 0);
	if (rot_est_user_parse(&user, text, NULL) == 0)
		assert(seal_id_check(user.id, NULL) == 0);
}

/* Two spellings of what was decoded are one: encoding it and decoding that gives the same. */
static void
try_base64(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes der = SEAL_BYTES(65536);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(131072);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes again = SEAL_BYTES(65536);

	if (seal_base64_decode(&der, (const char *)data, size, NULL) < 0)
		return;
	assert(seal_base64_encode(&text, der.data, der.len, NULL) == 0);
	assert(seal_base64_decode(&again, seal_bytes_str(&text), text.len, NULL) == 0);
	assert(again.len == der.len &&
	       (der.len == 0 || memcmp(again.data, der.data, der.len) == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *raw = NULL;
	char *text = seal_strndup((const char *)data, size);

	assert(text != NULL);
	try_text(text);
	free(text);
	try_base64(data, size);
	if (rot_est_key(&key, NULL, data, size, NULL) == 0)
		assert(key != NULL);
	if (seal_csr_public_key_der(&raw, data, size, NULL) == 0)
		assert(raw != NULL);
	return 0;
}
