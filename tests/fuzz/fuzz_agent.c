/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-verify/agent.h: any bytes as a stream of frames, and each inside as a hello, a request, an answer
 * and a sealed frame.  What is read is written again as the same bytes.
 */
#include <assert.h>

#include "base/crypto/crypto.h"
#include "config-verify/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(int r, const struct seal_bytes *out, const uint8_t *data, size_t len)
{
	assert(r == 0 && out->len == len && memcmp(out->data, data, len) == 0);
}

static void
read_inside(const uint8_t *data, size_t len)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct verify_hello hello;
	struct verify_request request;
	struct verify_answer answer;

	if (verify_hello_parse(&hello, data, len, NULL) == 0)
		same(verify_hello_encode(&hello, &out, NULL), &out, data, len);
	seal_bytes_reset(&out);
	if (verify_request_parse(&request, data, len, NULL) == 0)
		same(verify_request_encode(&request, &out, NULL), &out, data, len);
	seal_bytes_reset(&out);
	if (verify_answer_parse(&answer, data, len, NULL) == 0)
		same(verify_answer_encode(&answer, &out, NULL), &out, data, len);
}

static void
open_inside(const uint8_t *data, size_t len)
{
	static const uint8_t nonce[VERIFY_AGENT_NONCE_LEN] = { 1 };
	static struct verify_token token = { .container = "web", .generation = 1 };
	SEAL_SCOPED(verify_channel_freep) struct verify_channel *channel = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;

	if (token.key == NULL)
		assert(seal_secret_new(&token.key, SEAL_KEY_LEN, NULL) == 0);
	assert(verify_channel_new(&channel, VERIFY_AT_AGENT, &token, nonce, nonce, NULL) == 0);
	assert(verify_channel_open(channel, &plain, data, len, NULL) < 0 && plain == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned frames = 0;

	read_inside(data, size);
	for (;;) {
		const uint8_t *inside = NULL;
		size_t len = 0;

		if (verify_frame_next(data, size, VERIFY_FRAME_MAX, &inside, &len, NULL) < 0 ||
		    inside == NULL)
			return 0;
		read_inside(inside, len);
		if (frames++ < 4)
			open_inside(inside, len);
		data = inside + len;
		size -= VERIFY_FRAME_HEAD + len;
	}
}
