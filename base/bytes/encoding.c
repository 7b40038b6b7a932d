/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the text encodings of RFC 4648.  Letters are computed and not looked up, because keys
 * pass through here and a table's cache lines would tell about them.
 */

#include "base/bytes/bytes.h"

/* RFC 4648 table 2: A-Z a-z 0-9 - _ for 0..63.  Right shifts of negative values keep the sign. */
static char
letter_of(unsigned six_bits)
{
	int v = (int)six_bits;

	return (char)(v + 'A' + (((25 - v) >> 8) & 6) - (((51 - v) >> 8) & 75) -
		      (((61 - v) >> 8) & 13) + (((62 - v) >> 8) & 49));
}

/* All ones when first <= c <= last, else zero. */
static int
within(int c, int first, int last)
{
	return ((first - 1 - c) & (c - last - 1)) >> 8;
}

/* 0..63, or -1 for a foreign letter. */
static int
bits_of(char letter)
{
	int c = (unsigned char)letter;

	return -1 + (within(c, 'A', 'Z') & (c - 'A' + 1)) +
	       (within(c, 'a', 'z') & (c - 'a' + 26 + 1)) +
	       (within(c, '0', '9') & (c - '0' + 52 + 1)) + (within(c, '-', '-') & (62 + 1)) +
	       (within(c, '_', '_') & (63 + 1));
}

int
seal_base64url_encode(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	const uint8_t *in = data;
	size_t groups, full = len / 3, rest = len % 3;
	char *to;
	int r;

	if (len == 0)
		return 0;
	if (__builtin_mul_overflow(full, 4, &groups) ||
	    __builtin_add_overflow(groups, rest == 0 ? 0 : rest + 1, &groups))
		return seal_fail_memory(err);
	r = seal_bytes_reserve(out, groups, err);
	if (r < 0)
		return r;

	to = (char *)out->data + out->len;
	for (; full > 0; full--, in += 3) {
		*to++ = letter_of(in[0] >> 2);
		*to++ = letter_of((in[0] & 3u) << 4 | in[1] >> 4);
		*to++ = letter_of((in[1] & 15u) << 2 | in[2] >> 6);
		*to++ = letter_of(in[2] & 63u);
	}
	if (rest > 0) {
		unsigned second = rest == 2 ? in[1] : 0;

		*to++ = letter_of(in[0] >> 2);
		*to++ = letter_of((in[0] & 3u) << 4 | second >> 4);
		if (rest == 2)
			*to++ = letter_of((second & 15u) << 2);
	}
	*to = '\0';
	out->len += groups;
	return 0;
}

/* Decode count (2..4) letters into count - 1 bytes; negative when one is foreign or has stray bits. */
static int
decode_group(uint8_t *to, const char *text, size_t count)
{
	int bits[4] = { 0 };
	int bad = 0;

	for (size_t i = 0; i < count; i++) {
		bits[i] = bits_of(text[i]);
		bad |= bits[i];
	}
	if (count == 2)
		bad |= -(bits[1] & 15);
	if (count == 3)
		bad |= -(bits[2] & 3);

	to[0] = (uint8_t)((unsigned)bits[0] << 2 | (unsigned)bits[1] >> 4);
	if (count > 2)
		to[1] = (uint8_t)((unsigned)bits[1] << 4 | (unsigned)bits[2] >> 2);
	if (count > 3)
		to[2] = (uint8_t)((unsigned)bits[2] << 6 | (unsigned)bits[3]);
	return bad;
}

int
seal_base64url_decode(struct seal_bytes *out, const char *text, size_t text_len,
		      struct seal_err *err)
{
	size_t rest = text_len % 4;
	size_t len = text_len / 4 * 3 + (rest == 0 ? 0 : rest - 1);
	uint8_t *to;
	int r, bad = 0;

	if (rest == 1)
		return seal_fail(err, SEAL_E_FORMAT, "base64url text of impossible length");
	if (len == 0)
		return 0;
	r = seal_bytes_reserve(out, len, err);
	if (r < 0)
		return r;

	to = out->data + out->len;
	for (; text_len >= 4; text_len -= 4, text += 4, to += 3)
		bad |= decode_group(to, text, 4);
	if (rest > 0)
		bad |= decode_group(to, text, rest);
	if (bad < 0) {
		explicit_bzero(out->data + out->len, len + 1);
		return seal_fail(err, SEAL_E_FORMAT, "not base64url without padding");
	}
	out->len += len;
	out->data[out->len] = '\0';
	return 0;
}

static char
digit_of(unsigned four_bits)
{
	int v = (int)four_bits;

	return (char)(v + '0' + (((9 - v) >> 8) & ('a' - '0' - 10)));
}

/* 0..15, or -1. */
static int
nibble_of(char digit)
{
	int c = (unsigned char)digit;

	return -1 + (within(c, '0', '9') & (c - '0' + 1)) +
	       (within(c, 'a', 'f') & (c - 'a' + 10 + 1)) +
	       (within(c, 'A', 'F') & (c - 'A' + 10 + 1));
}

void
seal_hex_encode(char *out, const void *data, size_t len)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digit_of(in[i] >> 4);
		*out++ = digit_of(in[i] & 15u);
	}
	*out = '\0';
}

int
seal_hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len, struct seal_err *err)
{
	int bad = 0;

	if (text_len % 2 != 0 || text_len / 2 != len)
		return seal_fail(err, SEAL_E_FORMAT, "not %zu bytes of hexadecimal digits", len);
	for (size_t i = 0; i < text_len; i++)
		bad |= nibble_of(text[i]);
	if (bad < 0)
		return seal_fail(err, SEAL_E_FORMAT, "not a hexadecimal digit");
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(nibble_of(text[2 * i]) << 4 | nibble_of(text[2 * i + 1]));
	return 0;
}
