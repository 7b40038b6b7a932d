/* SPDX-License-Identifier: Apache-2.0 */
/* base/bytes: the bounded buffer and the encodings of RFC 4648. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes/bytes.h"
#include "tests/support/alloc.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes

static void
expect_text(const struct seal_bytes *bytes, const char *text)
{
	cr_expect_eq(bytes->len, strlen(text), "%zu bytes, not '%s'", bytes->len, text);
	cr_expect_str_eq(seal_bytes_str(bytes), text);
}

Test(bytes_buffer, grows_byte_by_byte_to_its_limit_and_not_beyond)
{
	static const size_t limits[] = { 0, 1, 2, 31, 32, 33, 63, 64, 65, 127, 1000 };

	for (size_t i = 0; i < SEAL_COUNT(limits); i++) {
		BYTES out = SEAL_BYTES(limits[i]);

		for (size_t n = 0; n < limits[i]; n++) {
			char c = (char)('a' + n % 26);

			cr_assert_eq(seal_bytes_append(&out, &c, 1, NULL), 0);
			cr_assert_lt(out.len, out.cap, "no room for the NUL");
			cr_assert_eq(out.data[out.len], 0);
		}
		cr_expect_eq(seal_bytes_append(&out, "!", 1, NULL), SEAL_E_LIMIT);
		cr_expect_eq(seal_bytes_append_str(&out, "!", NULL), SEAL_E_LIMIT);
		cr_expect_eq(seal_bytes_append_fmt(&out, NULL, "!"), SEAL_E_LIMIT);
		cr_expect_eq(seal_bytes_reserve(&out, 1, NULL), SEAL_E_LIMIT);
		cr_expect_eq(out.len, limits[i]);
		cr_expect_leq(out.cap, limits[i] + 1 < 64 ? 64 : limits[i] + 1);
		for (size_t n = 0; n < limits[i]; n++)
			cr_assert_eq(out.data[n], 'a' + n % 26);
	}
}

Test(bytes_buffer, lengths_cannot_overflow)
{
	static const size_t lens[] = { 5, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX };
	BYTES out = SEAL_BYTES(4);
	BYTES boundless = SEAL_BYTES(SIZE_MAX);

	cr_assert_eq(seal_bytes_append(&out, "abc", 3, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(lens); i++) {
		cr_expect_eq(seal_bytes_reserve(&out, lens[i], NULL), SEAL_E_LIMIT);
		cr_expect_eq(seal_bytes_append(&out, "x", lens[i], NULL), SEAL_E_LIMIT);
		expect_text(&out, "abc");
	}
	cr_expect_eq(seal_bytes_reserve(&boundless, SIZE_MAX, NULL), SEAL_E_MEMORY);
	cr_assert_eq(seal_bytes_append(&boundless, "abc", 3, NULL), 0);
	cr_expect_eq(seal_bytes_reserve(&boundless, SIZE_MAX - 3, NULL), SEAL_E_MEMORY);
	cr_expect_eq(seal_bytes_reserve(&boundless, SIZE_MAX - 2, NULL), SEAL_E_LIMIT);
	expect_text(&boundless, "abc");
}

Test(bytes_buffer, is_unchanged_when_memory_is_gone)
{
	BYTES out = SEAL_BYTES(1000);
	char many[500];

	memset(many, 'x', sizeof(many));
	cr_assert_eq(seal_bytes_append(&out, "abc", 3, NULL), 0);
	alloc_fail_at(1);
	cr_expect_eq(seal_bytes_append(&out, many, sizeof(many), NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	expect_text(&out, "abc");
	alloc_fail_at(1);
	cr_expect_eq(seal_bytes_append_fmt(&out, NULL, "%100d", 1), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	expect_text(&out, "abc");
	cr_expect_eq(seal_bytes_append(&out, many, sizeof(many), NULL), 0);
}

Test(bytes_buffer, nothing_is_a_string_and_needs_no_memory)
{
	BYTES out = SEAL_BYTES(0);

	cr_expect_eq(seal_bytes_append(&out, NULL, 0, NULL), 0);
	cr_expect_eq(seal_bytes_append_str(&out, "", NULL), 0);
	cr_expect_eq(seal_bytes_append_fmt(&out, NULL, "%s", ""), 0);
	cr_expect_null(out.data);
	expect_text(&out, "");
	seal_bytes_reset(&out);
	seal_bytes_drop(&out, 0);
	seal_bytes_release(NULL);
}

Test(bytes_buffer, formats_exactly_up_to_the_limit)
{
	BYTES out = SEAL_BYTES(8);

	cr_expect_eq(seal_bytes_append_fmt(&out, NULL, "%s-%d", "ab", 12345), 0);
	expect_text(&out, "ab-12345");
	seal_bytes_reset(&out);
	cr_expect_eq(seal_bytes_append_fmt(&out, NULL, "%s-%d", "ab", 123456), SEAL_E_LIMIT);
	expect_text(&out, "");
}

Test(bytes_buffer, drops_from_the_front)
{
	BYTES out = SEAL_BYTES(100);

	cr_assert_eq(seal_bytes_append_str(&out, "hello world", NULL), 0);
	seal_bytes_drop(&out, 0);
	expect_text(&out, "hello world");
	seal_bytes_drop(&out, 6);
	expect_text(&out, "world");
	cr_expect_eq(memcmp(out.data + 5, "\0\0\0\0\0\0", 6), 0, "what moved was left behind");
	seal_bytes_drop(&out, 5);
	expect_text(&out, "");
	cr_assert_eq(seal_bytes_append_str(&out, "again", NULL), 0);
	expect_text(&out, "again");
}

Test(bytes_buffer, wipes_what_it_forgets)
{
	BYTES out = SEAL_BYTES(100);

	cr_assert_eq(seal_bytes_append_str(&out, "a secret", NULL), 0);
	seal_bytes_reset(&out);
	for (size_t i = 0; i < out.cap; i++)
		cr_expect_eq(out.data[i], 0, "byte %zu", i);
	expect_text(&out, "");
}

Test(bytes_buffer, may_be_used_again_once_released)
{
	BYTES out = SEAL_BYTES(5);

	cr_assert_eq(seal_bytes_append_str(&out, "12345", NULL), 0);
	seal_bytes_release(&out);
	seal_bytes_release(&out);
	expect_text(&out, "");
	cr_expect_eq(seal_bytes_append_str(&out, "123456", NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_bytes_append_str(&out, "12345", NULL), 0);
}

Test(bytes_base64url, spells_the_vectors_of_rfc_4648_without_padding)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "f", "Zg" },
		{ "fo", "Zm8" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "-__-" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		BYTES text = SEAL_BYTES(100);
		BYTES back = SEAL_BYTES(100);

		cr_expect_eq(seal_base64url_encode(&text, cases[i][0], strlen(cases[i][0]), NULL),
			     0);
		expect_text(&text, cases[i][1]);
		cr_expect_eq(seal_base64url_decode(&back, cases[i][1], strlen(cases[i][1]), NULL),
			     0);
		expect_text(&back, cases[i][0]);
	}
}

/* The letter of a value by the table of RFC 4648 section 5, and not by arithmetic. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Test(bytes_base64, spells_the_vectors_of_rfc_4648)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xef\xbe\xff\xff\xff", "++++////" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		BYTES text = SEAL_BYTES(100);
		BYTES back = SEAL_BYTES(100);

		cr_assert_eq(seal_base64_encode(&text, cases[i][0], strlen(cases[i][0]), NULL), 0);
		expect_text(&text, cases[i][1]);
		cr_assert_eq(seal_base64_decode(&back, cases[i][1], strlen(cases[i][1]), NULL), 0);
		expect_text(&back, cases[i][0]);
	}
}

Test(bytes_base64, passes_over_blanks_and_ends_of_lines)
{
	static const char *const spellings[] = {
		"Zm9vYg==",
		"Zm9v\r\nYg==\r\n",
		" Z m\t9 v Y g = =\n",
		"\n\nZm9vYg=\n=",
	};

	for (size_t i = 0; i < SEAL_COUNT(spellings); i++) {
		BYTES out = SEAL_BYTES(100);

		cr_assert_eq(seal_base64_decode(&out, spellings[i], strlen(spellings[i]), NULL), 0,
			     "%s", spellings[i]);
		expect_text(&out, "foob");
	}
}

Test(bytes_base64, decodes_one_spelling_and_leaves_nothing_of_others)
{
	static const char *const bad[] = {
		"Z",     "Zg",    "Zg=",  "Zm8",  "=",    "====",     "Z===",     "Zg==Zg==",
		"Zg===", "Zg==Z", "Zh==", "Zm9=", "Zg=a", "Zm9v-___", "Zm9v*m9v", "Zm9v\v",
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		BYTES out = SEAL_BYTES(100);

		cr_assert_eq(seal_bytes_append_str(&out, "was", NULL), 0);
		cr_expect_eq(seal_base64_decode(&out, bad[i], strlen(bad[i]), NULL), SEAL_E_FORMAT,
			     "%s", bad[i]);
		expect_text(&out, "was");
	}
	for (unsigned c = 0; c < 256; c++) {
		BYTES out = SEAL_BYTES(100);
		const char text[] = { 'Z', 'm', (char)c, 'v' };
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			      (c >= '0' && c <= '9') || c == '+' || c == '/';

		cr_expect_eq(seal_base64_decode(&out, text, 4, NULL) == 0, letter, "%u", c);
	}
}

Test(bytes_base64url, every_pair_of_bytes_has_the_one_spelling)
{
	for (unsigned v = 0; v < 65536; v++) {
		const uint8_t in[2] = { (uint8_t)(v >> 8), (uint8_t)v };
		const char want[3] = { alphabet[v >> 10], alphabet[(v >> 4) & 63],
				       alphabet[(v << 2) & 63] };
		BYTES text = SEAL_BYTES(3);

		if (seal_base64url_encode(&text, in, 2, NULL) < 0 || text.len != 3 ||
		    memcmp(text.data, want, 3) != 0)
			cr_assert_fail("%04x", v);
	}
}

/* Decode all texts of two and of three bytes; count those that are accepted. */
static size_t
count_accepted(size_t len, unsigned texts)
{
	BYTES out = SEAL_BYTES(4);
	size_t accepted = 0;

	for (unsigned v = 0; v < texts; v++) {
		const char text[3] = { (char)v, (char)(v >> 8), alphabet[(v >> 16) & 63] };
		int r = seal_base64url_decode(&out, text, len, NULL);

		if ((r != 0 && r != SEAL_E_FORMAT) || out.len != (r == 0 ? len - 1 : 0))
			cr_assert_fail("%06x: %d, %zu bytes", v, r, out.len);
		accepted += r == 0;
		out.len = 0;
	}
	return accepted;
}

Test(bytes_base64url, decodes_one_spelling_per_value_and_nothing_else)
{
	cr_expect_eq(count_accepted(2, 65536), 256);
	cr_expect_eq(count_accepted(3, 65536 * 64), 65536);
}

Test(bytes_base64url, refuses_foreign_letters_at_every_place)
{
	for (size_t len = 2; len <= 9; len++) {
		for (size_t at = 0; at < len && len % 4 != 1; at++) {
			for (int c = 0; c < 256; c++) {
				BYTES out = SEAL_BYTES(100);
				char text[10] = "AAAAAAAAA";
				bool ours = c != 0 && strchr(alphabet, c) != NULL;
				int r;

				cr_assert_eq(seal_bytes_append_str(&out, "kept", NULL), 0);
				text[at] = (char)c;
				r = seal_base64url_decode(&out, text, len, NULL);
				if (ours && (r == 0 || at == len - 1))
					continue; /* stray bits are counted elsewhere */
				cr_assert_eq(r, SEAL_E_FORMAT, "byte %d at %zu of %zu", c, at, len);
				expect_text(&out, "kept");
				cr_assert_eq(out.data[4] | out.data[5] | out.data[6], 0,
					     "left part of it behind");
			}
		}
	}
}

Test(bytes_base64url, refuses_padding_white_space_and_impossible_lengths)
{
	static const char *const bad[] = { "A",    "Zg=",   "Zg==",  "Zm8=",   "Zm9vA", " Zg",
					   "Zg ",  "Zg\n",  "Zm\n8", "Zm9v\n", "Zm+v",  "Zm/v",
					   "====", "Zm9v=", "Zh",    "Zm9" };
	BYTES out = SEAL_BYTES(100);

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		cr_expect_eq(seal_base64url_decode(&out, bad[i], strlen(bad[i]), NULL),
			     SEAL_E_FORMAT, "'%s'", bad[i]);
		cr_expect_eq(out.len, 0);
	}
}

Test(bytes_base64url, keeps_to_the_limit_of_its_output)
{
	BYTES three = SEAL_BYTES(3);

	cr_expect_eq(seal_base64url_encode(&three, "abc", 3, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_base64url_encode(&three, "ab", SIZE_MAX / 2, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_base64url_encode(&three, "ab", SIZE_MAX, NULL), SEAL_E_MEMORY);
	cr_expect_eq(seal_base64url_decode(&three, "AAAAAA", 6, NULL), SEAL_E_LIMIT);
	cr_expect_eq(three.len, 0);
	cr_expect_eq(seal_base64url_encode(&three, "ab", 2, NULL), 0);
}

Test(bytes_hex, reads_back_what_it_wrote_in_either_case)
{
	uint8_t all[256], back[256];
	char text[513];

	for (size_t i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	memset(text, '#', sizeof(text));
	seal_hex_encode(text, all, sizeof(all));
	cr_expect_eq(strlen(text), 512);
	cr_expect_eq(strncmp(text, "000102030405060708090a0b0c0d0e0f10", 34), 0);
	cr_expect_eq(strspn(text, "0123456789abcdef"), 512);
	cr_expect_eq(seal_hex_decode(back, 256, text, 512, NULL), 0);
	cr_expect_eq(memcmp(all, back, 256), 0);
	for (char *at = text; *at != '\0'; at++)
		*at = *at >= 'a' ? (char)(*at - 32) : *at;
	memset(back, 0, sizeof(back));
	cr_expect_eq(seal_hex_decode(back, 256, text, 512, NULL), 0);
	cr_expect_eq(memcmp(all, back, 256), 0);
	seal_hex_encode(text, NULL, 0);
	cr_expect_str_eq(text, "");
}

Test(bytes_hex, refuses_other_lengths_and_letters_and_writes_nothing)
{
	uint8_t out[2] = { 0xaa, 0xbb };

	for (size_t len = 0; len < 10; len++) {
		if (len != 4)
			cr_expect_eq(seal_hex_decode(out, 2, "0000000000", len, NULL),
				     SEAL_E_FORMAT, "%zu digits", len);
	}
	for (int c = 0; c < 256; c++) {
		char text[4] = { '0', '0', '0', (char)c };

		if (c == 0 || strchr("0123456789abcdefABCDEF", c) == NULL)
			cr_expect_eq(seal_hex_decode(out, 2, text, 4, NULL), SEAL_E_FORMAT, "%d",
				     c);
	}
	cr_expect_eq(seal_hex_decode(out, SIZE_MAX, "00", 2, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_hex_decode(out, SIZE_MAX / 2 + 2, "00", 2, NULL), SEAL_E_FORMAT);
	cr_expect_eq(out[0], 0xaa);
	cr_expect_eq(out[1], 0xbb);
}

Test(bytes_strndup, copies_exactly_that_much)
{
	char *copy = seal_strndup("ab\0cd", 5);

	cr_assert_not_null(copy);
	cr_expect_eq(memcmp(copy, "ab\0cd", 6), 0);
	free(copy);
	copy = seal_strndup(NULL, 0);
	cr_assert_not_null(copy);
	cr_expect_str_eq(copy, "");
	free(copy);
	cr_expect_null(seal_strndup("x", SIZE_MAX));
}
