/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON spells what lies beyond 16 bits as two escapes (RFC 8259 section 7), which the library does not know.
 * In documents that are strict JSON, and only there, such pairs are replaced by their letter before the
 * library sees the text; in a block of lines the same bytes would be content.  Remembers where it did so, for
 * places in the text to be found again.
 */
#include "base/yaml/tree_pairs.h"

#include <string.h>

#define ESCAPE_LEN 6 /* "\ud83d" */

/* ---- Strict JSON ---- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number behind "\u"; -1 when there is none. */
static long
escaped_unit(const char *at, const char *end)
{
	long unit = 0;

	if (end - at < ESCAPE_LEN || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < ESCAPE_LEN; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static bool
is_high(long unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool
is_low(long unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* Behind an escape, both halves of a pair; NULL when it is none of JSON's. */
static const char *
skip_escape(const char *at, const char *end)
{
	long unit;

	if (end - at < 2)
		return NULL;
	if (at[1] != 'u')
		return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2 : NULL;
	unit = escaped_unit(at, end);
	if (unit < 0 || is_low(unit))
		return NULL;
	if (!is_high(unit))
		return at + ESCAPE_LEN;
	return is_low(escaped_unit(at + ESCAPE_LEN, end)) ? at + 2 * (size_t)ESCAPE_LEN : NULL;
}

static const char *
skip_string(const char *at, const char *end)
{
	for (at++; at != NULL && at < end;) {
		if (*at == '"')
			return at + 1;
		if ((unsigned char)*at < ' ')
			return NULL;
		at = *at == '\\' ? skip_escape(at, end) : at + 1;
	}
	return NULL;
}

static const char *
skip_literal(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && ((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') ||
			    *at == 'E' || *at == '-' || *at == '+' || *at == '.'))
		at++;
	return tree_is_json_literal(from, (size_t)(at - from)) ? at : NULL;
}

static const char *
skip_white(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* A member's name and its colon. */
static const char *
skip_name(const char *at, const char *end)
{
	if (at == end || *at != '"')
		return NULL;
	at = skip_string(at, end);
	if (at != NULL)
		at = skip_white(at, end);
	return at != NULL && at < end && *at == ':' ? skip_white(at + 1, end) : NULL;
}

/* What is open, innermost last. */
struct nest {
	char closers[SEAL_TREE_MAX_DEPTH];
	size_t depth;
};

/* Behind what ends with the value before: its closers, or a comma and the next name. */
static const char *
skip_ends(struct nest *nest, const char *at, const char *end)
{
	for (; nest->depth > 0; nest->depth--) {
		at = skip_white(at, end);
		if (at == end)
			return NULL;
		if (*at == ',') {
			at = skip_white(at + 1, end);
			return nest->closers[nest->depth - 1] == '}' ? skip_name(at, end) : at;
		}
		if (*at++ != nest->closers[nest->depth - 1])
			return NULL;
	}
	return at;
}

/* Behind "{" and the first name, or behind "["; an empty one is a value. */
static const char *
skip_open(struct nest *nest, const char *at, const char *end, bool *ret_is_empty)
{
	char closer = *at == '{' ? '}' : ']';

	at = skip_white(at + 1, end);
	*ret_is_empty = at < end && *at == closer;
	if (*ret_is_empty)
		return at + 1;
	if (nest->depth == SEAL_TREE_MAX_DEPTH)
		return NULL;
	nest->closers[nest->depth++] = closer;
	return closer == '}' ? skip_name(at, end) : at;
}

/* Behind the map or list that begins here, NULL when it is not strict JSON. */
static const char *
skip_json(const char *at, const char *end)
{
	struct nest nest = { .depth = 0 };

	do {
		bool is_value = true;

		if (at == end)
			return NULL;
		if (*at == '{' || *at == '[')
			at = skip_open(&nest, at, end, &is_value);
		else
			at = *at == '"' ? skip_string(at, end) : skip_literal(at, end);
		if (at != NULL && is_value)
			at = skip_ends(&nest, at, end);
	} while (at != NULL && nest.depth > 0);
	return at;
}

/* ---- Documents ---- */

static bool
is_marker(const char *at, const char *end, const char *marker)
{
	return end - at >= 3 && memcmp(at, marker, 3) == 0 &&
	       (end - at == 3 || (at[3] != '\0' && strchr(" \t\r\n", at[3]) != NULL));
}

static const char *
skip_line(const char *at, const char *end)
{
	const char *line = memchr(at, '\n', (size_t)(end - at));

	return line == NULL ? end : line + 1;
}

/* To the first content of the document that begins here. */
static const char *
find_content(const char *at, const char *end)
{
	if (is_marker(at, end, "---"))
		at += 3;
	at = skip_white(at, end);
	while (at < end && *at == '#')
		at = skip_white(skip_line(at, end), end);
	return at;
}

static const char *
find_next_document(const char *at, const char *end)
{
	do
		at = skip_line(at, end);
	while (at < end && !is_marker(at, end, "---"));
	return at;
}

/* ---- Replacing ---- */

static bool
has_pair(const char *at, const char *end)
{
	while ((at = memmem(at, (size_t)(end - at), "\\u", 2)) != NULL) {
		if (is_high(escaped_unit(at, end)))
			return true;
		at += 2;
	}
	return false;
}

/*
 * Where the library sees a line's end in a string of JSON, which has none, and changes it: U+0085, and a blank
 * beside U+2028 or U+2029.
 */
static const char *
find_break(const char *begin, const char *end)
{
	for (const char *at = begin; at < end; at++) {
		size_t left = (size_t)(end - at);

		if (left > 1 && memcmp(at, "\xc2\x85", 2) == 0)
			return at;
		if (left > 3 &&
		    (memcmp(at, "\xe2\x80\xa8", 3) == 0 || memcmp(at, "\xe2\x80\xa9", 3) == 0) &&
		    (at[3] == ' ' || (at > begin && at[-1] == ' ')))
			return at;
	}
	return NULL;
}

static size_t
put_letter(char *out, long high, long low)
{
	uint32_t point = 0x10000u + ((uint32_t)(high & 0x3ff) << 10 | (uint32_t)(low & 0x3ff));

	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

static int
remember(struct tree_pairs *pairs, struct seal_err *err)
{
	if (pairs->count == pairs->cap) {
		size_t cap = pairs->cap == 0 ? 16 : pairs->cap * 2;
		size_t *bigger = reallocarray(pairs->at, cap, sizeof(*bigger));

		if (bigger == NULL)
			return seal_fail_memory(err);
		pairs->at = bigger;
		pairs->cap = cap;
	}
	pairs->at[pairs->count++] = pairs->len;
	return 0;
}

static void
copy(struct tree_pairs *pairs, const char *from, const char *to)
{
	memcpy(pairs->text + pairs->len, from, (size_t)(to - from));
	pairs->len += (size_t)(to - from);
}

/* Strict JSON: a backslash is an escape wherever it stands. */
static int
copy_json(struct tree_pairs *pairs, const char *at, const char *to, struct seal_err *err)
{
	if (find_break(at, to) != NULL)
		return seal_fail(
			err, SEAL_E_FORMAT,
			"JSON with U+0085, U+2028 or U+2029 in a string, which is one "
			"text to readers of JSON and another to those of YAML: write it as "
			"\\u0085, \\u2028 or \\u2029");
	while (at < to) {
		const char *escape = memchr(at, '\\', (size_t)(to - at));
		long unit = escape == NULL ? -1 : escaped_unit(escape, to);
		int r;

		if (escape == NULL)
			escape = to;
		copy(pairs, at, escape);
		at = escape;
		if (is_high(unit)) {
			r = remember(pairs, err);
			if (r < 0)
				return r;
			pairs->len += put_letter(pairs->text + pairs->len, unit,
						 escaped_unit(at + ESCAPE_LEN, to));
			at += 2 * (size_t)ESCAPE_LEN;
		} else if (at < to) {
			copy(pairs, at, at + 2);
			at += 2;
		}
	}
	return 0;
}

int
tree_pairs_replace(struct tree_pairs *pairs, const char *text, size_t len, struct seal_err *err)
{
	const char *at = text, *end = text + len;

	if (!has_pair(text, end) && find_break(text, end) == NULL)
		return 0;
	pairs->text = malloc(len);
	if (pairs->text == NULL)
		return seal_fail_memory(err);
	pairs->text_size = len;
	while (at < end) {
		const char *content = find_content(at, end), *json_end = NULL, *rest;
		int r;

		copy(pairs, at, content);
		if (content < end && (*content == '{' || *content == '['))
			json_end = skip_json(content, end);
		rest = json_end == NULL ? end : skip_white(json_end, end);
		at = content;
		if (json_end != NULL &&
		    (rest == end || is_marker(rest, end, "---") || is_marker(rest, end, "..."))) {
			r = copy_json(pairs, content, json_end, err);
			if (r < 0)
				return r;
			at = json_end;
		}
		rest = find_next_document(at, end);
		copy(pairs, at, rest);
		at = rest;
	}
	return 0;
}

size_t
tree_pairs_find(struct tree_pairs *pairs, size_t at)
{
	while (pairs->passed < pairs->count && pairs->at[pairs->passed] < at)
		pairs->passed++;
	return at + pairs->passed * (2 * (size_t)ESCAPE_LEN - 4);
}

void
tree_pairs_release(struct tree_pairs *pairs)
{
	if (pairs->text != NULL)
		explicit_bzero(pairs->text, pairs->text_size);
	free(pairs->text);
	free(pairs->at);
	*pairs = (struct tree_pairs){ 0 };
}
