/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/channel: what opens on a connection to the agent, and what does not. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "config-verify/agent.h"

#define BYTES   SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define SECRET  SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define CHANNEL SEAL_SCOPED(verify_channel_freep) struct verify_channel *

static const uint8_t one[VERIFY_AGENT_NONCE_LEN] = { 1 };
static const uint8_t two[VERIFY_AGENT_NONCE_LEN] = { 2 };

static struct verify_channel *
open_end(enum verify_end end, uint8_t key_byte, const uint8_t *container, const uint8_t *agent)
{
	const uint8_t key[SEAL_KEY_LEN] = { key_byte };
	SECRET secret = NULL;
	struct verify_token token = { .container = "web", .generation = 1 };
	struct verify_channel *channel = NULL;

	cr_assert_eq(seal_secret_from(&secret, key, sizeof(key), NULL), 0);
	token.key = secret;
	cr_assert_eq(verify_channel_new(&channel, end, &token, container, agent, NULL), 0);
	return channel;
}

/* The inside of the one frame that a channel makes of text. */
static void
seal_frame(struct verify_channel *channel, struct seal_bytes *frame, const char *text)
{
	const uint8_t *data = NULL;
	size_t len = 0;

	cr_assert_eq(verify_channel_seal(channel, frame, text, strlen(text), NULL), 0);
	cr_assert_eq(
		verify_frame_next(frame->data, frame->len, VERIFY_FRAME_MAX, &data, &len, NULL), 0);
	cr_assert_eq(VERIFY_FRAME_HEAD + len, frame->len);
	seal_bytes_drop(frame, VERIFY_FRAME_HEAD);
}

static void
expect_opens(struct verify_channel *channel, const struct seal_bytes *frame, const char *text)
{
	SECRET plain = NULL;

	cr_assert_eq(verify_channel_open(channel, &plain, frame->data, frame->len, NULL), 0);
	cr_expect_str_eq(seal_secret_chars(plain), text);
}

static void
expect_stays_shut(struct verify_channel *channel, const void *data, size_t len)
{
	SECRET plain = NULL;

	cr_expect_eq(verify_channel_open(channel, &plain, data, len, NULL), SEAL_E_UNAUTH);
	cr_expect_null(plain);
}

Test(verify_channel, both_sides_understand_each_other)
{
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	for (int turn = 0; turn < 300; turn++) {
		BYTES request = SEAL_BYTES(1024);
		BYTES answer = SEAL_BYTES(1024);

		seal_frame(container, &request, "request");
		expect_opens(agent, &request, "request");
		seal_frame(agent, &answer, "answer");
		expect_opens(container, &answer, "answer");
	}
}

Test(verify_channel, every_flipped_bit_is_refused)
{
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);

	seal_frame(container, &frame, "a request");
	for (size_t bit = 0; bit < frame.len * 8; bit++) {
		CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

		frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_stays_shut(agent, frame.data, frame.len);
		frame.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

Test(verify_channel, every_truncation_is_refused)
{
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);

	seal_frame(container, &frame, "a request");
	for (size_t len = 0; len < frame.len; len++) {
		CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

		expect_stays_shut(agent, frame.data, len);
	}
}

Test(verify_channel, a_frame_opens_once)
{
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	seal_frame(container, &frame, "a request");
	expect_opens(agent, &frame, "a request");
	expect_stays_shut(agent, frame.data, frame.len);
}

Test(verify_channel, frames_open_in_their_order_only)
{
	BYTES first = SEAL_BYTES(1024);
	BYTES second = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	seal_frame(container, &first, "first");
	seal_frame(container, &second, "second");
	expect_stays_shut(agent, second.data, second.len);
}

Test(verify_channel, nothing_opens_behind_a_frame_that_did_not)
{
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	seal_frame(container, &frame, "a request");
	expect_stays_shut(agent, "nonsense that is long enough", 28);
	expect_stays_shut(agent, frame.data, frame.len);
}

Test(verify_channel, what_a_side_said_does_not_open_for_itself)
{
	BYTES request = SEAL_BYTES(1024);
	BYTES answer = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	seal_frame(container, &request, "a request");
	expect_stays_shut(container, request.data, request.len);
	seal_frame(agent, &answer, "an answer");
	expect_stays_shut(agent, answer.data, answer.len);
}

/* Who echoes the container's nonce gains nothing: the directions still differ. */
Test(verify_channel, what_a_side_said_does_not_open_with_one_nonce_for_both)
{
	BYTES request = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, one);

	seal_frame(container, &request, "a request");
	expect_stays_shut(container, request.data, request.len);
}

Test(verify_channel, another_token_does_not_open)
{
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 8, one, two);

	seal_frame(container, &frame, "a request");
	expect_stays_shut(agent, frame.data, frame.len);
}

Test(verify_channel, frames_of_another_connection_do_not_open)
{
	static const uint8_t *const pairs[][2] = { { one, one }, { two, two }, { two, one } };
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);

	seal_frame(container, &frame, "a request");
	for (size_t i = 0; i < SEAL_COUNT(pairs); i++) {
		CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, pairs[i][0], pairs[i][1]);

		expect_stays_shut(agent, frame.data, frame.len);
	}
}

Test(verify_channel, a_frame_is_as_the_protocol_says)
{
	static const uint8_t key_bytes[SEAL_KEY_LEN] = { 7 };
	uint8_t nonce[SEAL_NONCE_LEN] = { 0 };
	char info[256];
	char container_hex[2 * sizeof(one) + 1];
	char agent_hex[2 * sizeof(two) + 1];
	BYTES ignored = SEAL_BYTES(1024);
	BYTES frame = SEAL_BYTES(1024);
	SECRET root = NULL;
	SECRET key = NULL;
	SECRET plain = NULL;
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);

	seal_frame(container, &ignored, "frame 0");
	seal_frame(container, &frame, "frame 1");
	seal_hex_encode(container_hex, one, sizeof(one));
	seal_hex_encode(agent_hex, two, sizeof(two));
	(void)snprintf(info, sizeof(info), "seal/1/agent/request/%s%s", container_hex, agent_hex);
	cr_assert_eq(seal_secret_from(&root, key_bytes, sizeof(key_bytes), NULL), 0);
	cr_assert_eq(seal_hkdf(&key, root, info, NULL), 0);
	nonce[SEAL_NONCE_LEN - 1] = 1;
	cr_assert_eq(seal_aead_open(&plain, key, nonce, NULL, 0, frame.data, frame.len, NULL), 0);
	cr_expect_str_eq(seal_secret_chars(plain), "frame 1");
}

Test(verify_channel, the_largest_message_passes_and_none_larger)
{
	static char text[VERIFY_FRAME_MAX];
	BYTES frame = SEAL_BYTES(VERIFY_FRAME_HEAD + VERIFY_FRAME_MAX);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	memset(text, 'x', sizeof(text));
	cr_expect_eq(verify_channel_seal(container, &frame, text,
					 VERIFY_FRAME_MAX - SEAL_TAG_LEN + 1, NULL),
		     SEAL_E_LIMIT);
	cr_expect_eq(verify_channel_seal(container, &frame, text, 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(frame.len, 0);
	text[VERIFY_FRAME_MAX - SEAL_TAG_LEN] = '\0';
	seal_frame(container, &frame, text);
	expect_opens(agent, &frame, text);
}

Test(verify_channel, a_message_that_finds_no_room_leaves_nothing_and_costs_no_number)
{
	BYTES small = SEAL_BYTES(20);
	BYTES frame = SEAL_BYTES(1024);
	CHANNEL container = open_end(VERIFY_AT_CONTAINER, 7, one, two);
	CHANNEL agent = open_end(VERIFY_AT_AGENT, 7, one, two);

	cr_assert_eq(seal_bytes_append(&small, "ab", 2, NULL), 0);
	cr_expect_eq(verify_channel_seal(container, &small, "text", 4, NULL), SEAL_E_LIMIT);
	cr_expect_eq(small.len, 2);
	seal_frame(container, &frame, "text");
	expect_opens(agent, &frame, "text");
}
