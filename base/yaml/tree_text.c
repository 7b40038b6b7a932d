/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Letters: what UTF-8 holds, what a plain scalar may look like, what needs quotes or an escape so that
 * readers of YAML 1.1, of YAML 1.2 and of JSON see the same.
 */
#include "base/yaml/tree_internal.h"

#include <string.h>

#define NEXT_LINE      0x85u /* a line break to YAML 1.1, as the two separators are */
#define LINE_SEP       0x2028u
#define PARAGRAPH_SEP  0x2029u
#define BYTE_MARK      0xfeffu
#define SURROGATE      0xd800u
#define SURROGATE_END  0xe000u
#define LAST_OF_BMP    0xfffdu /* the two behind it are no characters */
#define FIRST_BEYOND   0x10000u
#define LAST_CODEPOINT 0x10ffffu

size_t
tree_decode(const char *text, size_t len, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *bytes = (const unsigned char *)text;
	size_t size;
	uint32_t point;

	if (len == 0)
		return 0;
	if (bytes[0] < 0x80) {
		*ret_point = bytes[0];
		return 1;
	}
	size = (bytes[0] & 0xe0) == 0xc0   ? 2
	       : (bytes[0] & 0xf0) == 0xe0 ? 3
	       : (bytes[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	if (size == 0 || size > len)
		return 0;
	point = bytes[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (bytes[i] & 0x3fu);
	}
	if (point < least[size] || point > LAST_CODEPOINT ||
	    (point >= SURROGATE && point < SURROGATE_END))
		return 0;
	*ret_point = point;
	return size;
}

bool
tree_is_utf8(const char *text, size_t len)
{
	uint32_t point = 0;

	for (size_t at = 0, size; at < len; at += size) {
		size = tree_decode(text + at, len - at, &point);
		if (size == 0)
			return false;
	}
	return true;
}

bool
tree_needs_escape(uint32_t point)
{
	return point < ' ' || point == '"' || point == '\\' || (point >= 0x7f && point < 0xa0) ||
	       point == LINE_SEP || point == PARAGRAPH_SEP || point == BYTE_MARK ||
	       (point > LAST_OF_BMP && point < FIRST_BEYOND);
}

size_t
tree_quoted_len(const char *text, size_t len)
{
	size_t count = 2;
	uint32_t point = 0;

	for (size_t at = 0, size; at < len; at += size) {
		size = tree_decode(text + at, len - at, &point);
		if (size == 0)
			break;
		count += tree_needs_escape(point) ? 6 : 1;
	}
	return count;
}

/* Letters that may not stand in plain text, or not beside each other; a NUL and tabs are among them. */
static bool
has_special(const char *text, size_t len)
{
	uint32_t point = 0;

	for (size_t at = 0, size; at < len; at += size) {
		size = tree_decode(text + at, len - at, &point);
		if (size == 0)
			return true;
		if (point == ':' && text[at + 1] == ' ') /* a NUL at the end */
			return true;
		if (point == '#' && at > 0 && text[at - 1] == ' ')
			return true;
		if (point != '"' && point != '\\' && tree_needs_escape(point))
			return true;
	}
	return false;
}

bool
tree_is_plain_safe(const char *text, size_t len)
{
	if (len == 0 || has_special(text, len))
		return false;
	if (text[0] == ' ' || text[len - 1] == ' ' || text[len - 1] == ':')
		return false;
	if (strchr(",[]{}#&*!|>'\"%@`", text[0]) != NULL)
		return false;
	/* A space behind them makes them an indicator, three of them the end of a document. */
	if (strchr("-?:", text[0]) != NULL && (len == 1 || text[1] == ' '))
		return false;
	return strncmp(text, "---", 3) != 0 && strncmp(text, "...", 3) != 0;
}

static bool
is_reserved(const char *text, size_t len)
{
	static const char *const words[] = { "y",   "n",    "yes",   "no",   "on",
					     "off", "true", "false", "null", NULL };

	for (size_t i = 0; words[i] != NULL; i++) {
		if (strlen(words[i]) == len && strncasecmp(words[i], text, len) == 0)
			return true;
	}
	return false;
}

/* Narrow on purpose: begins with a letter or a slash, as no number does. */
bool
tree_is_plainly_string(const char *text, size_t len)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/";
	static const char more[] = "0123456789_-.+@=:";

	if (len == 0 || memchr(text, '\0', len) != NULL || strchr(first, text[0]) == NULL ||
	    text[len - 1] == ':' || is_reserved(text, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (strchr(first, text[i]) == NULL && strchr(more, text[i]) == NULL)
			return false;
	}
	return true;
}

static int
base64_value(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

/* Groups of four letters, the last perhaps with padding. */
bool
tree_base64_decode(const char *text, size_t len, char *out, size_t *ret_len)
{
	size_t letters = 0, padding = 0, count = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < len; i++) {
		int value = base64_value(text[i]);

		if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ')
			continue;
		if (text[i] == '=')
			value = ++padding > 2 ? -1 : 0;
		else if (padding > 0)
			return false;
		if (value < 0 || (letters == 0 && padding > 0))
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (++letters < 4)
			continue;
		for (size_t k = 0; k < 3 - padding; k++)
			out[count++] = (char)(bits >> (16 - 8 * k) & 0xff);
		letters = 0;
		bits = 0;
	}
	*ret_len = count;
	return letters == 0;
}
