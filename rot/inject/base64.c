/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 4648 section 4, the way Kubernetes reads it: padding demanded, line ends passed over, the unused bits of
 * the last letter not looked at.
 */
#include <string.h>

#include "rot/inject/inject_internal.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four letters, pad of them '=', into three bytes or fewer. */
static void
put_group(struct seal_bytes *out, uint32_t bits, unsigned pad)
{
	out->data[out->len++] = (uint8_t)(bits >> 16);
	if (pad < 2)
		out->data[out->len++] = (uint8_t)(bits >> 8);
	if (pad < 1)
		out->data[out->len++] = (uint8_t)bits;
}

static int
refuse(char c, size_t at, struct seal_err *err)
{
	if (c == '-' || c == '_')
		return seal_fail(err, SEAL_E_FORMAT,
				 "no base64: '%c' at byte %zu is of the URL alphabet", c, at);
	return seal_fail(err, SEAL_E_FORMAT, "no base64: a foreign letter at byte %zu", at);
}

static int
decode(struct seal_bytes *out, const char *text, size_t len, struct seal_err *err)
{
	uint32_t bits = 0;
	unsigned count = 0;
	unsigned pad = 0;

	for (size_t i = 0; i < len; i++) {
		int value = digit(text[i]);

		if (text[i] == '\r' || text[i] == '\n')
			continue;
		if (text[i] == '=' && count >= 2)
			pad++;
		else if (value < 0 || pad > 0)
			return refuse(text[i], i, err);
		bits = bits << 6 | (uint32_t)(value < 0 ? 0 : value);
		if (++count < 4)
			continue;
		put_group(out, bits, pad);
		count = 0;
		bits = 0;
	}
	if (count != 0)
		return seal_fail(err, SEAL_E_FORMAT, "no base64: it is cut off, or not padded");
	return 0;
}

int
inject_base64_decode(struct seal_bytes *out, const char *text, size_t len, struct seal_err *err)
{
	size_t start = out->len;
	int r = seal_bytes_reserve(out, len / 4 * 3 + 4, err);

	if (r == 0)
		r = decode(out, text, len, err);
	if (r < 0)
		out->len = start;
	if (out->data != NULL)
		out->data[out->len] = 0;
	return r;
}

int
inject_base64_encode(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	const uint8_t *in = data;
	int r = seal_bytes_reserve(out, (len + 2) / 3 * 4, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				(left > 2 ? in[i + 2] : 0);

		out->data[out->len++] = (uint8_t)alphabet[bits >> 18];
		out->data[out->len++] = (uint8_t)alphabet[bits >> 12 & 63];
		out->data[out->len++] = left > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
		out->data[out->len++] = left > 2 ? (uint8_t)alphabet[bits & 63] : '=';
	}
	if (out->data != NULL)
		out->data[out->len] = 0;
	return 0;
}
