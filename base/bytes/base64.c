/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 4648 section 4, base64 with padding, as mail and HTTP have it: text in lines, or in one.  Letters are computed
 * and not looked up, as in encoding.c: secrets pass through here.
 */

#include "base/bytes/bytes.h"

/* RFC 4648 table 1: A-Z a-z 0-9 + / for 0..63.  Right shifts of negative values keep the sign. */
static char
letter_of(unsigned six_bits)
{
	int v = (int)six_bits;

	return (char)(v + 'A' + (((25 - v) >> 8) & 6) - (((51 - v) >> 8) & 75) -
		      (((61 - v) >> 8) & 15) + (((62 - v) >> 8) & 3));
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
	       (within(c, '0', '9') & (c - '0' + 52 + 1)) + (within(c, '+', '+') & (62 + 1)) +
	       (within(c, '/', '/') & (63 + 1));
}

static void
put_letters(char *to, uint32_t bits, size_t len)
{
	to[0] = letter_of(bits >> 18);
	to[1] = letter_of(bits >> 12 & 63);
	to[2] = len > 1 ? letter_of(bits >> 6 & 63) : '=';
	to[3] = len > 2 ? letter_of(bits & 63) : '=';
}

int
seal_base64_encode(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	const uint8_t *in = data;
	size_t groups = len / 3 + (len % 3 != 0);
	size_t letters;
	char *to;
	int r;

	if (len == 0)
		return 0;
	if (__builtin_mul_overflow(groups, 4, &letters))
		return seal_fail_memory(err);
	r = seal_bytes_reserve(out, letters, err);
	if (r < 0)
		return r;
	to = (char *)out->data + out->len;
	for (size_t i = 0; i < len; i += 3, to += 4) {
		size_t left = len - i;

		put_letters(to,
			    (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				    (left > 2 ? in[i + 2] : 0),
			    left);
	}
	*to = '\0';
	out->len += letters;
	return 0;
}

/* What has been read of a group of four letters. */
struct group {
	uint32_t bits;
	unsigned count; /* of letters and padding */
	unsigned pad;
	int bad; /* negative: a foreign letter, or bits that are not used and not zero */
};

static void
take_letter(struct group *group, char letter)
{
	int value = bits_of(letter);

	if (letter == '=' && group->count >= 2) {
		group->pad++;
		value = 0;
	} else if (group->pad > 0) {
		value = -1;
	}
	group->bad |= value;
	group->bits = group->bits << 6 | ((uint32_t)value & 63);
	group->count++;
}

static size_t
end_group(struct group *group, uint8_t *to)
{
	size_t len = 3 - group->pad;

	if (group->pad > 0 && (group->bits & ((1u << 8 * group->pad) - 1)) != 0)
		group->bad = -1;
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(group->bits >> (16 - 8 * i));
	group->bits = 0;
	group->count = 0;
	return len;
}

int
seal_base64_decode(struct seal_bytes *out, const char *text, size_t text_len, struct seal_err *err)
{
	struct group group = { 0 };
	uint8_t *begin, *to;
	int r = seal_bytes_reserve(out, text_len / 4 * 3 + 3, err);

	if (r < 0)
		return r;
	begin = to = out->data + out->len;
	for (size_t i = 0; i < text_len; i++) {
		if (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n')
			continue;
		if (group.count == 0 && group.pad > 0) {
			group.bad = -1; /* something behind the end */
			break;
		}
		take_letter(&group, text[i]);
		if (group.count == 4)
			to += end_group(&group, to);
	}
	if (group.bad < 0 || group.count != 0) {
		explicit_bzero(begin, (size_t)(to - begin) + 1);
		return seal_fail(err, SEAL_E_FORMAT, "not base64 with padding");
	}
	out->len += (size_t)(to - begin);
	out->data[out->len] = '\0';
	return 0;
}
