/* SPDX-License-Identifier: Apache-2.0 */
/* base/bytes: messages between our own processes. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes/bytes.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes

/* One message with a field of every kind. */
static void
write_message(struct seal_bytes *out)
{
	struct seal_writer w = { .out = out };

	seal_put_u8(&w, 0xfe);
	seal_put_u32(&w, 0x01020304);
	seal_put_u64(&w, UINT64_C(0x8090a0b0c0d0e0f0));
	seal_put_block(&w, "a\0b", 3);
	seal_put_block(&w, NULL, 0);
	seal_put_str(&w, "text");
	cr_assert_eq(seal_put_done(&w, NULL), 0);
}

static int
read_message(const uint8_t *data, size_t len)
{
	struct seal_reader r = { .at = data, .end = data + len };
	char text[5] = "????";
	size_t block_len, empty_len;
	uint8_t u8 = seal_get_u8(&r);
	uint32_t u32 = seal_get_u32(&r);
	uint64_t u64 = seal_get_u64(&r);
	const uint8_t *block = seal_get_block(&r, &block_len);
	const uint8_t *empty = seal_get_block(&r, &empty_len);

	seal_get_str(&r, text, sizeof(text));
	cr_expect_not_null(memchr(text, '\0', sizeof(text)));
	if (r.failed) {
		cr_expect_str_eq(text, "");
		cr_expect(empty != NULL || empty_len == 0);
	} else {
		cr_expect_eq(u8, 0xfe);
		cr_expect_eq(u32, 0x01020304);
		cr_expect_eq(u64, UINT64_C(0x8090a0b0c0d0e0f0));
		cr_expect(block_len == 3 && memcmp(block, "a\0b", 3) == 0);
		cr_expect_eq(empty_len, 0);
		cr_expect_str_eq(text, "text");
	}
	return seal_get_done(&r, NULL);
}

Test(bytes_message, reads_what_was_put_and_refuses_every_truncation)
{
	BYTES out = SEAL_BYTES(100);

	write_message(&out);
	cr_expect_eq(out.len, 1 + 4 + 8 + 4 + 3 + 4 + 4 + 4);
	cr_expect_eq(memcmp(out.data, "\xfe\1\2\3\4\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0\0\0\0\3", 17),
		     0, "not big endian");
	cr_expect_eq(read_message(out.data, out.len), 0);
	for (size_t len = 0; len < out.len; len++) {
		/* A block of its own, so that reading behind it is seen. */
		uint8_t *copy = malloc(len + 1);

		cr_assert_not_null(copy);
		memcpy(copy + 1, out.data, len);
		cr_expect_eq(read_message(copy + 1, len), SEAL_E_FORMAT, "%zu bytes", len);
		free(copy);
	}
	cr_assert_eq(seal_bytes_append(&out, "", 1, NULL), 0);
	cr_expect_eq(read_message(out.data, out.len), SEAL_E_FORMAT, "a byte too many");
}

Test(bytes_message, a_length_beyond_the_message_is_a_failure)
{
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 'a', 'b' };
	struct seal_reader r = { .at = huge, .end = huge + sizeof(huge) };
	size_t len = 9;

	cr_expect_null(seal_get_block(&r, &len));
	cr_expect_eq(len, 0);
	cr_expect(r.failed);
	cr_expect_eq(seal_get_u8(&r), 0, "went on after a failure");
	cr_expect_eq(seal_get_u32(&r), 0);
	cr_expect_eq(seal_get_u64(&r), 0);
	cr_expect_null(seal_get_block(&r, &len));
	cr_expect_eq(seal_get_done(&r, NULL), SEAL_E_FORMAT);
}

Test(bytes_message, a_string_has_no_nul_inside_and_fits)
{
	static const uint8_t nul[] = { 0, 0, 0, 3, 'a', 0, 'b' };
	static const uint8_t four[] = { 0, 0, 0, 4, 'a', 'b', 'c', 'd' };
	struct seal_reader r = { .at = nul, .end = nul + sizeof(nul) };
	char text[5] = "????";

	seal_get_str(&r, text, sizeof(text));
	cr_expect(r.failed);
	cr_expect_str_eq(text, "");
	for (size_t size = 1; size <= 5; size++) {
		r = (struct seal_reader){ .at = four, .end = four + sizeof(four) };
		seal_get_str(&r, text, size);
		cr_expect_eq(r.failed, size < 5, "into %zu bytes", size);
		cr_expect_str_eq(text, size < 5 ? "" : "abcd");
	}
}

Test(bytes_message, an_empty_reader_is_done_and_holds_nothing)
{
	struct seal_reader r = { 0 };

	cr_expect_eq(seal_get_done(&r, NULL), 0);
	cr_expect_eq(seal_get_u8(&r), 0);
	cr_expect_eq(seal_get_done(&r, NULL), SEAL_E_FORMAT);
}

Test(bytes_message, the_first_failure_to_write_sticks)
{
	for (size_t max = 0; max < 10; max++) {
		BYTES out = SEAL_BYTES(max);
		struct seal_writer w = { .out = &out };
		size_t len;

		seal_put_u32(&w, 1);
		seal_put_str(&w, "ab");
		cr_expect_eq(seal_put_done(&w, NULL), SEAL_E_LIMIT);
		len = out.len;
		seal_put_u8(&w, 1);
		cr_expect_eq(out.len, len, "went on after a failure");
		cr_expect_eq(seal_put_done(&w, NULL), SEAL_E_LIMIT);
	}
}

Test(bytes_message, a_block_whose_length_does_not_fit_is_a_failure)
{
	BYTES out = SEAL_BYTES(100);
	struct seal_writer w = { .out = &out };

	seal_put_block(&w, "a", (size_t)UINT32_MAX + 1);
	cr_expect_eq(out.len, 0);
	cr_expect_eq(seal_put_done(&w, NULL), SEAL_E_LIMIT);
}
