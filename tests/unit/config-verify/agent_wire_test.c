/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/agent_wire: frames, hellos, requests and answers as bytes. */
#include <criterion/criterion.h>
#include <string.h>

#include "config-verify/agent.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes

static const struct verify_hello good_hello = {
	.container = "web-1",
	.generation = 3,
	.nonce = { 1, 2, 3, 255 },
};

static const struct verify_request good_open = {
	.kind = VERIFY_ASK_OPEN,
	.object_kind = "ConfigMap",
	.object_name = "app",
	.key = "config.yaml",
	.data = (const uint8_t *)"sealed",
	.data_len = 6,
};

static const struct verify_answer good_answer = {
	.binding = { .ns = "shop",
		     .kind = "ConfigMap",
		     .name = "app",
		     .key = "a",
		     .gen = 7,
		     .of = 2 },
	.data = (const uint8_t *)"plain",
	.data_len = 5,
};

static const struct verify_answer good_failure = { .code = SEAL_E_REFUSED, .message = "not yours" };

/* ---- Frames ---- */

Test(verify_frame, a_frame_comes_back_whole)
{
	BYTES stream = SEAL_BYTES(1024);
	const uint8_t *data = NULL;
	size_t len = 0;

	cr_assert_eq(verify_frame_append(&stream, "abc", 3, NULL), 0);
	cr_assert_eq(verify_frame_append(&stream, "de", 2, NULL), 0);
	cr_assert_eq(verify_frame_next(stream.data, stream.len, 8, &data, &len, NULL), 0);
	cr_assert_eq(len, 3);
	cr_expect_arr_eq(data, "abc", 3);
	seal_bytes_drop(&stream, VERIFY_FRAME_HEAD + len);
	cr_assert_eq(verify_frame_next(stream.data, stream.len, 8, &data, &len, NULL), 0);
	cr_assert_eq(len, 2);
	cr_expect_arr_eq(data, "de", 2);
}

Test(verify_frame, nothing_is_taken_before_all_of_it_is_there)
{
	BYTES stream = SEAL_BYTES(1024);

	cr_assert_eq(verify_frame_append(&stream, "abcdef", 6, NULL), 0);
	for (size_t len = 0; len < stream.len; len++) {
		const uint8_t *data = stream.data;
		size_t got = 99;

		cr_expect_eq(verify_frame_next(stream.data, len, 8, &data, &got, NULL), 0);
		cr_expect_null(data, "%zu bytes were enough", len);
		cr_expect_eq(got, 0);
	}
}

Test(verify_frame, of_nothing_nothing_is_taken)
{
	const uint8_t *data = (const uint8_t *)"x";
	size_t len = 9;

	cr_expect_eq(verify_frame_next(NULL, 0, 8, &data, &len, NULL), 0);
	cr_expect_null(data);
	cr_expect_eq(len, 0);
}

Test(verify_frame, a_length_beyond_the_limit_is_refused_before_its_bytes_come)
{
	static const uint8_t head[] = { 0, 0, 2, 1 };
	static const uint8_t most[] = { 0xff, 0xff, 0xff, 0xff };
	const uint8_t *data = NULL;
	size_t len = 0;

	cr_expect_eq(verify_frame_next(head, sizeof(head), 512, &data, &len, NULL), SEAL_E_LIMIT);
	cr_expect_eq(verify_frame_next(head, sizeof(head), 513, &data, &len, NULL), 0);
	cr_expect_eq(verify_frame_next(most, sizeof(most), VERIFY_FRAME_MAX, &data, &len, NULL),
		     SEAL_E_LIMIT);
}

Test(verify_frame, an_empty_frame_is_refused_on_both_sides)
{
	static const uint8_t head[] = { 0, 0, 0, 0 };
	BYTES stream = SEAL_BYTES(1024);
	const uint8_t *data = NULL;
	size_t len = 0;

	cr_expect_eq(verify_frame_next(head, sizeof(head), 512, &data, &len, NULL), SEAL_E_FORMAT);
	cr_expect_eq(verify_frame_append(&stream, "", 0, NULL), SEAL_E_LIMIT);
	cr_expect_eq(stream.len, 0);
}

/* ---- Hellos ---- */

Test(verify_hello, what_was_written_is_read)
{
	BYTES out = SEAL_BYTES(VERIFY_HELLO_MAX);
	struct verify_hello hello = { .generation = 0 };

	cr_assert_eq(verify_hello_encode(&good_hello, &out, NULL), 0);
	cr_assert_eq(verify_hello_parse(&hello, out.data, out.len, NULL), 0);
	cr_expect_str_eq(hello.container, "web-1");
	cr_expect_eq(hello.generation, 3);
	cr_expect_arr_eq(hello.nonce, good_hello.nonce, sizeof(hello.nonce));
}

Test(verify_hello, every_truncation_and_every_byte_more_is_refused)
{
	BYTES out = SEAL_BYTES(VERIFY_HELLO_MAX);
	struct verify_hello hello = { .generation = 0 };

	cr_assert_eq(verify_hello_encode(&good_hello, &out, NULL), 0);
	for (size_t len = 0; len < out.len; len++)
		cr_expect_lt(verify_hello_parse(&hello, out.data, len, NULL), 0, "%zu bytes", len);
	cr_assert_eq(seal_bytes_append(&out, "", 1, NULL), 0);
	cr_expect_eq(verify_hello_parse(&hello, out.data, out.len, NULL), SEAL_E_FORMAT);
	cr_expect_eq(hello.generation, 0, "the output changed");
}

Test(verify_hello, another_version_is_refused)
{
	BYTES out = SEAL_BYTES(VERIFY_HELLO_MAX);
	struct verify_hello hello;

	cr_assert_eq(verify_hello_encode(&good_hello, &out, NULL), 0);
	for (unsigned version = 0; version < 256; version++) {
		out.data[0] = (uint8_t)version;
		cr_expect_eq(verify_hello_parse(&hello, out.data, out.len, NULL),
			     version == VERIFY_AGENT_VERSION ? 0 : SEAL_E_REFUSED);
	}
}

Test(verify_hello, a_name_that_is_no_containers_is_refused_on_both_sides)
{
	static const char *const bad[] = { "", "-a", "a-", "A", "a.b", "a b", "../a", "a\n" };
	BYTES good = SEAL_BYTES(VERIFY_HELLO_MAX);

	cr_assert_eq(verify_hello_encode(&good_hello, &good, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		BYTES out = SEAL_BYTES(VERIFY_HELLO_MAX);
		struct seal_writer w = { .out = &out };
		struct verify_hello hello = good_hello;

		(void)snprintf(hello.container, sizeof(hello.container), "%s", bad[i]);
		cr_expect_eq(verify_hello_encode(&hello, &out, NULL), SEAL_E_FORMAT, "'%s'",
			     bad[i]);
		cr_expect_eq(out.len, 0);
		seal_put_u8(&w, VERIFY_AGENT_VERSION);
		seal_put_str(&w, bad[i]);
		seal_put_u64(&w, 1);
		seal_put_block(&w, hello.nonce, sizeof(hello.nonce));
		cr_expect_eq(verify_hello_parse(&hello, out.data, out.len, NULL), SEAL_E_FORMAT,
			     "'%s'", bad[i]);
	}
}

Test(verify_hello, a_generation_there_cannot_be_is_refused)
{
	static const uint64_t bad[] = { 0, VERIFY_MAX_KEY_GENERATION + 1, UINT64_MAX };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		BYTES out = SEAL_BYTES(VERIFY_HELLO_MAX);
		struct verify_hello hello = good_hello;

		hello.generation = bad[i];
		cr_expect_eq(verify_hello_encode(&hello, &out, NULL), SEAL_E_FORMAT);
	}
}

Test(verify_hello, a_nonce_of_another_length_is_refused)
{
	static const uint8_t nonce[VERIFY_AGENT_NONCE_LEN + 1];

	for (size_t len = 0; len <= sizeof(nonce); len++) {
		BYTES out = SEAL_BYTES(VERIFY_HELLO_MAX);
		struct seal_writer w = { .out = &out };
		struct verify_hello hello;

		seal_put_u8(&w, VERIFY_AGENT_VERSION);
		seal_put_str(&w, "web");
		seal_put_u64(&w, 1);
		seal_put_block(&w, nonce, len);
		cr_expect_eq(verify_hello_parse(&hello, out.data, out.len, NULL),
			     len == VERIFY_AGENT_NONCE_LEN ? 0 : SEAL_E_FORMAT);
	}
}

/* ---- Requests ---- */

Test(verify_request, what_was_written_is_read)
{
	BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct verify_request got = { .kind = 0 };

	cr_assert_eq(verify_request_encode(&good_open, &out, NULL), 0);
	cr_assert_eq(verify_request_parse(&got, out.data, out.len, NULL), 0);
	cr_expect_eq(got.kind, VERIFY_ASK_OPEN);
	cr_expect_str_eq(got.object_kind, "ConfigMap");
	cr_expect_str_eq(got.object_name, "app");
	cr_expect_str_eq(got.key, "config.yaml");
	cr_assert_eq(got.data_len, 6);
	cr_expect_arr_eq(got.data, "sealed", 6);
}

Test(verify_request, every_kind_can_be_asked)
{
	static const struct verify_request requests[] = {
		{ .kind = VERIFY_ASK_SPEC, .data = (const uint8_t *)"s", .data_len = 1 },
		{ .kind = VERIFY_ASK_READY, .wait_ms = VERIFY_WAIT_MAX_MS },
		{ .kind = VERIFY_ASK_STATUS },
		{ .kind = VERIFY_ASK_ENCRYPT },
		{ .kind = VERIFY_ASK_ENCRYPT, .data = (const uint8_t *)"p", .data_len = 1 },
		{ .kind = VERIFY_ASK_DECRYPT, .data = (const uint8_t *)"s", .data_len = 1 },
		{ .kind = VERIFY_ASK_SUSPECT, .data = (const uint8_t *)" ~", .data_len = 2 },
		{ .kind = VERIFY_ASK_SUSPECT,
		  .wait_ms = VERIFY_SUSPECT_SUSPEND,
		  .data = (const uint8_t *)"s",
		  .data_len = 1 },
	};

	for (size_t i = 0; i < SEAL_COUNT(requests); i++) {
		BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);
		struct verify_request got = { .kind = 0 };

		cr_assert_eq(verify_request_encode(&requests[i], &out, NULL), 0);
		cr_assert_eq(verify_request_parse(&got, out.data, out.len, NULL), 0);
		cr_expect_eq(got.kind, requests[i].kind);
		cr_expect_eq(got.wait_ms, requests[i].wait_ms);
		cr_expect_eq(got.data_len, requests[i].data_len);
	}
}

Test(verify_request, every_truncation_and_every_byte_more_is_refused)
{
	BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct verify_request got = { .kind = VERIFY_ASK_STATUS };

	cr_assert_eq(verify_request_encode(&good_open, &out, NULL), 0);
	for (size_t len = 0; len < out.len; len++)
		cr_expect_lt(verify_request_parse(&got, out.data, len, NULL), 0, "%zu bytes", len);
	cr_assert_eq(seal_bytes_append(&out, "", 1, NULL), 0);
	cr_expect_eq(verify_request_parse(&got, out.data, out.len, NULL), SEAL_E_FORMAT);
	cr_expect_eq(got.kind, VERIFY_ASK_STATUS, "the output changed");
}

/* As the other side would write it, without our checks. */
static int
parse_raw(const struct verify_request *request)
{
	BYTES out = SEAL_BYTES(2 * VERIFY_FRAME_MAX);
	struct seal_writer w = { .out = &out };
	struct verify_request got;

	seal_put_u8(&w, (uint8_t)request->kind);
	seal_put_str(&w, request->object_kind);
	seal_put_str(&w, request->object_name);
	seal_put_str(&w, request->key);
	seal_put_u32(&w, request->wait_ms);
	seal_put_block(&w, request->data, request->data_len);
	return verify_request_parse(&got, out.data, out.len, NULL);
}

static void
expect_refused(const struct verify_request *request, int code)
{
	BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);

	cr_expect_eq(verify_request_encode(request, &out, NULL), code, "written: kind %d",
		     request->kind);
	cr_expect_eq(out.len, 0);
	cr_expect_eq(parse_raw(request), code, "read: kind %d", request->kind);
}

Test(verify_request, a_kind_that_is_none_is_refused)
{
	static const unsigned kinds[] = { 0, VERIFY_ASK_SUSPECT + 1, 255 };

	for (size_t i = 0; i < SEAL_COUNT(kinds); i++) {
		struct verify_request request = { .kind = (enum verify_request_kind)kinds[i] };

		expect_refused(&request, SEAL_E_FORMAT);
	}
}

Test(verify_request, members_that_the_kind_does_not_use_are_refused)
{
	for (unsigned kind = VERIFY_ASK_SPEC; kind <= VERIFY_ASK_SUSPECT; kind++) {
		struct verify_request request = good_open;

		if (kind == VERIFY_ASK_OPEN)
			continue;
		request.kind = (enum verify_request_kind)kind;
		expect_refused(&request, SEAL_E_FORMAT);
		request.object_kind[0] = request.object_name[0] = '\0';
		expect_refused(&request, SEAL_E_FORMAT); /* the key is left */
		request.key[0] = '\0';
		request.wait_ms = 1;
		if (kind != VERIFY_ASK_READY && kind != VERIFY_ASK_SUSPECT)
			expect_refused(&request, SEAL_E_LIMIT);
	}
}

Test(verify_request, a_suspicion_is_a_sentence_and_one_of_two_words)
{
	static const uint8_t bad[] = { 0, '\t', '\n', 0x1b, 0x1f, 0x7f, 0x80, 0xc3, 0xff };
	uint8_t text[VERIFY_SUSPECT_MAX + 1];
	struct verify_request request = { .kind = VERIFY_ASK_SUSPECT, .data = text };

	memset(text, 'a', sizeof(text));
	request.data_len = VERIFY_SUSPECT_MAX;
	cr_expect_eq(parse_raw(&request), 0);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		text[i * VERIFY_SUSPECT_MAX / SEAL_COUNT(bad)] = bad[i];
		expect_refused(&request, SEAL_E_FORMAT);
		text[i * VERIFY_SUSPECT_MAX / SEAL_COUNT(bad)] = 'a';
	}
	text[VERIFY_SUSPECT_MAX - 1] = '\n';
	expect_refused(&request, SEAL_E_FORMAT);
	text[VERIFY_SUSPECT_MAX - 1] = 'a';
	request.data_len = VERIFY_SUSPECT_MAX + 1;
	expect_refused(&request, SEAL_E_LIMIT);
	request.data_len = 0;
	expect_refused(&request, SEAL_E_FORMAT);
	request.data_len = 1;
	request.wait_ms = VERIFY_SUSPECT_SUSPEND + 1;
	expect_refused(&request, SEAL_E_LIMIT);
	request.wait_ms = UINT32_MAX;
	expect_refused(&request, SEAL_E_LIMIT);
}

Test(verify_request, to_open_takes_a_kind_and_a_name)
{
	struct verify_request request = good_open;

	request.object_kind[0] = '\0';
	expect_refused(&request, SEAL_E_FORMAT);
	request = good_open;
	request.object_name[0] = '\0';
	expect_refused(&request, SEAL_E_FORMAT);
}

Test(verify_request, unprintable_names_are_refused)
{
	struct verify_request request = good_open;

	request.key[0] = '\n';
	expect_refused(&request, SEAL_E_FORMAT);
	request = good_open;
	request.object_name[0] = '\x1b';
	expect_refused(&request, SEAL_E_FORMAT);
	request = good_open;
	request.object_kind[0] = (char)0xc3;
	expect_refused(&request, SEAL_E_FORMAT);
}

Test(verify_request, data_beyond_the_kinds_limit_is_refused)
{
	static const struct {
		enum verify_request_kind kind;
		size_t max;
	} rows[] = {
		{ VERIFY_ASK_SPEC, VERIFY_SEALED_MAX },
		{ VERIFY_ASK_OPEN, VERIFY_SEALED_MAX },
		{ VERIFY_ASK_READY, 0 },
		{ VERIFY_ASK_STATUS, 0 },
		{ VERIFY_ASK_ENCRYPT, VERIFY_PLAIN_MAX },
		{ VERIFY_ASK_DECRYPT, VERIFY_SEALED_MAX },
	};
	static uint8_t data[VERIFY_SEALED_MAX + 1];

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct verify_request request = { .kind = rows[i].kind, .data = data };

		if (rows[i].kind == VERIFY_ASK_OPEN)
			request = good_open;
		request.data = data;
		request.data_len = rows[i].max;
		cr_expect_eq(parse_raw(&request), 0);
		request.data_len++;
		expect_refused(&request, SEAL_E_LIMIT);
	}
}

Test(verify_request, a_value_that_is_missing_is_refused)
{
	struct verify_request request = good_open;

	request.data_len = 0;
	expect_refused(&request, SEAL_E_FORMAT);
	request = (struct verify_request){ .kind = VERIFY_ASK_SPEC };
	expect_refused(&request, SEAL_E_FORMAT);
	request.kind = VERIFY_ASK_DECRYPT;
	expect_refused(&request, SEAL_E_FORMAT);
}

Test(verify_request, waiting_has_a_limit)
{
	struct verify_request request = { .kind = VERIFY_ASK_READY,
					  .wait_ms = VERIFY_WAIT_MAX_MS + 1 };

	expect_refused(&request, SEAL_E_LIMIT);
}

Test(verify_request, what_does_not_fit_leaves_nothing_behind)
{
	BYTES out = SEAL_BYTES(40);

	cr_assert_eq(seal_bytes_append(&out, "before", 6, NULL), 0);
	cr_expect_eq(verify_request_encode(&good_open, &out, NULL), SEAL_E_LIMIT);
	cr_expect_eq(out.len, 6);
	cr_expect_str_eq(seal_bytes_str(&out), "before");
}

/* ---- Answers ---- */

Test(verify_answer, what_was_written_is_read)
{
	BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct verify_answer got = { .code = 1 };

	cr_assert_eq(verify_answer_encode(&good_answer, &out, NULL), 0);
	cr_assert_eq(verify_answer_parse(&got, out.data, out.len, NULL), 0);
	cr_expect_eq(got.code, 0);
	cr_expect_str_eq(got.message, "");
	cr_expect_str_eq(got.binding.ns, "shop");
	cr_expect_str_eq(got.binding.kind, "ConfigMap");
	cr_expect_str_eq(got.binding.name, "app");
	cr_expect_str_eq(got.binding.key, "a");
	cr_expect_eq(got.binding.gen, 7);
	cr_expect_eq(got.binding.of, 2);
	cr_assert_eq(got.data_len, 5);
	cr_expect_arr_eq(got.data, "plain", 5);
}

Test(verify_answer, every_code_comes_back)
{
	for (int code = SEAL_E_FORMAT; code >= SEAL_E_BUG; code--) {
		BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);
		struct verify_answer answer = good_failure;
		struct verify_answer got = { .code = 1 };

		answer.code = code;
		cr_assert_eq(verify_answer_encode(&answer, &out, NULL), 0);
		cr_assert_eq(verify_answer_parse(&got, out.data, out.len, NULL), 0);
		cr_expect_eq(got.code, code);
		cr_expect_str_eq(got.message, "not yours");
	}
}

Test(verify_answer, every_truncation_and_every_byte_more_is_refused)
{
	BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);
	struct verify_answer got = { .code = 1 };

	cr_assert_eq(verify_answer_encode(&good_answer, &out, NULL), 0);
	for (size_t len = 0; len < out.len; len++)
		cr_expect_lt(verify_answer_parse(&got, out.data, len, NULL), 0, "%zu bytes", len);
	cr_assert_eq(seal_bytes_append(&out, "", 1, NULL), 0);
	cr_expect_eq(verify_answer_parse(&got, out.data, out.len, NULL), SEAL_E_FORMAT);
	cr_expect_eq(got.code, 1, "the output changed");
}

static int
parse_raw_answer(uint8_t code, const struct verify_answer *answer)
{
	BYTES out = SEAL_BYTES(2 * VERIFY_FRAME_MAX);
	struct seal_writer w = { .out = &out };
	struct verify_answer got;

	seal_put_u8(&w, code);
	seal_put_str(&w, answer->message);
	seal_put_str(&w, answer->binding.ns);
	seal_put_str(&w, answer->binding.kind);
	seal_put_str(&w, answer->binding.name);
	seal_put_str(&w, answer->binding.key);
	seal_put_str(&w, answer->binding.container);
	seal_put_u64(&w, answer->binding.gen);
	seal_put_u64(&w, answer->binding.of);
	seal_put_block(&w, answer->data, answer->data_len);
	return verify_answer_parse(&got, out.data, out.len, NULL);
}

static void
expect_bad_answer(const struct verify_answer *answer, int code)
{
	BYTES out = SEAL_BYTES(VERIFY_FRAME_MAX);

	cr_expect_eq(verify_answer_encode(answer, &out, NULL), code);
	cr_expect_eq(out.len, 0);
	cr_expect_eq(parse_raw_answer((uint8_t)-answer->code, answer), code);
}

Test(verify_answer, a_code_that_is_none_is_refused)
{
	for (unsigned code = (unsigned)-SEAL_E_BUG + 1; code < 256; code++)
		cr_expect_eq(parse_raw_answer((uint8_t)code, &good_failure), SEAL_E_FORMAT);
	expect_bad_answer(&(struct verify_answer){ .code = 1, .message = "x" }, SEAL_E_FORMAT);
}

Test(verify_answer, a_failure_brings_a_message_and_nothing_else)
{
	struct verify_answer answer = good_failure;

	answer.message[0] = '\0';
	expect_bad_answer(&answer, SEAL_E_FORMAT);
	answer = good_failure;
	answer.data = (const uint8_t *)"x";
	answer.data_len = 1;
	expect_bad_answer(&answer, SEAL_E_FORMAT);
	answer = good_failure;
	answer.binding.of = 1;
	expect_bad_answer(&answer, SEAL_E_FORMAT);
	answer = good_answer;
	(void)snprintf(answer.message, sizeof(answer.message), "but");
	expect_bad_answer(&answer, SEAL_E_FORMAT);
}

Test(verify_answer, text_that_could_forge_a_line_is_refused)
{
	struct verify_answer answer = good_failure;

	(void)snprintf(answer.message, sizeof(answer.message), "a\nlevel=notice");
	expect_bad_answer(&answer, SEAL_E_FORMAT);
	answer = good_answer;
	answer.binding.key[0] = '\r';
	expect_bad_answer(&answer, SEAL_E_FORMAT);
}

Test(verify_answer, more_than_a_sealed_value_is_refused)
{
	static uint8_t data[VERIFY_SEALED_MAX + 1];
	struct verify_answer answer = good_answer;

	answer.data = data;
	answer.data_len = sizeof(data);
	expect_bad_answer(&answer, SEAL_E_LIMIT);
}
