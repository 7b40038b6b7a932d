/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crypto of one connection between a container and the agent: two keys, one for each direction, and
 * two counters.  Both nonces are in both keys, so nothing of another connection opens on this one; the
 * direction is, so nothing opens for the side that said it; the counter is the nonce, so nothing opens
 * twice, or out of order, or behind a gap.
 */

#include <string.h>

#include "base/crypto/crypto.h"
#include "config-verify/agent.h"

#define INFO_REQUEST "seal/1/agent/request/"
#define INFO_ANSWER  "seal/1/agent/answer/"
#define INFO_MAX     (sizeof(INFO_REQUEST) + 4 * (size_t)VERIFY_AGENT_NONCE_LEN)

struct direction {
	struct seal_secret *key;
	uint64_t count; /* of frames so far */
};

struct verify_channel {
	struct direction out;
	struct direction in;
	bool broken; /* a frame did not open */
};

static int
derive(struct seal_secret **ret_key, const struct seal_secret *token, const char *prefix,
       const uint8_t *container_nonce, const uint8_t *agent_nonce, struct seal_err *err)
{
	char container[2 * VERIFY_AGENT_NONCE_LEN + 1];
	char agent[2 * VERIFY_AGENT_NONCE_LEN + 1];
	char info[INFO_MAX];

	seal_hex_encode(container, container_nonce, VERIFY_AGENT_NONCE_LEN);
	seal_hex_encode(agent, agent_nonce, VERIFY_AGENT_NONCE_LEN);
	(void)snprintf(info, sizeof(info), "%s%s%s", prefix, container, agent); /* it fits */
	return seal_hkdf(ret_key, token, info, err);
}

int
verify_channel_new(struct verify_channel **ret_channel, enum verify_end end,
		   const struct verify_token *token,
		   const uint8_t container_nonce[static VERIFY_AGENT_NONCE_LEN],
		   const uint8_t agent_nonce[static VERIFY_AGENT_NONCE_LEN], struct seal_err *err)
{
	SEAL_SCOPED(verify_channel_freep) struct verify_channel *channel = NULL;
	struct direction *request;
	struct direction *answer;
	int r;

	channel = calloc(1, sizeof(*channel));
	if (channel == NULL)
		return seal_fail_memory(err);
	request = end == VERIFY_AT_CONTAINER ? &channel->out : &channel->in;
	answer = end == VERIFY_AT_CONTAINER ? &channel->in : &channel->out;
	r = derive(&request->key, token->key, INFO_REQUEST, container_nonce, agent_nonce, err);
	if (r == 0)
		r = derive(&answer->key, token->key, INFO_ANSWER, container_nonce, agent_nonce,
			   err);
	if (r < 0)
		return seal_note(err, r, "agent channel");
	*ret_channel = SEAL_TAKE(channel);
	return 0;
}

void
verify_channel_free(struct verify_channel *channel)
{
	if (channel == NULL)
		return;
	seal_secret_free(channel->out.key);
	seal_secret_free(channel->in.key);
	free(channel);
}

void
verify_channel_freep(struct verify_channel **channel)
{
	verify_channel_free(*channel);
	*channel = NULL;
}

static void
nonce_of(const struct direction *direction, uint8_t nonce[static SEAL_NONCE_LEN])
{
	memset(nonce, 0, SEAL_NONCE_LEN);
	for (unsigned i = 0; i < sizeof(direction->count); i++)
		nonce[SEAL_NONCE_LEN - 1 - i] = (uint8_t)(direction->count >> 8 * i);
}

int
verify_channel_seal(struct verify_channel *channel, struct seal_bytes *out, const void *plain,
		    size_t plain_len, struct seal_err *err)
{
	struct seal_writer w = { .out = out };
	const size_t before = out->len;
	uint8_t nonce[SEAL_NONCE_LEN];
	int r;

	if (plain_len == 0 || plain_len > VERIFY_FRAME_MAX - SEAL_TAG_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "a message to or from the agent of %zu bytes",
				 plain_len);
	nonce_of(&channel->out, nonce);
	seal_put_u32(&w, (uint32_t)(plain_len + SEAL_TAG_LEN));
	r = seal_put_done(&w, err);
	if (r == 0)
		r = seal_aead_seal(out, channel->out.key, nonce, NULL, 0, plain, plain_len, err);
	if (r < 0) {
		if (out->data != NULL && out->len > before) {
			out->len = before;
			out->data[before] = '\0';
		}
		return r;
	}
	channel->out.count++;
	return 0;
}

int
verify_channel_open(struct verify_channel *channel, struct seal_secret **ret_plain,
		    const void *data, size_t len, struct seal_err *err)
{
	uint8_t nonce[SEAL_NONCE_LEN];
	int r;

	if (channel->broken || len <= SEAL_TAG_LEN || len > VERIFY_FRAME_MAX) {
		channel->broken = true;
		return seal_fail(err, SEAL_E_UNAUTH, "the sealed value cannot be opened");
	}
	nonce_of(&channel->in, nonce);
	r = seal_aead_open(ret_plain, channel->in.key, nonce, NULL, 0, data, len, err);
	if (r < 0) {
		channel->broken = true;
		return r;
	}
	channel->in.count++;
	return 0;
}
