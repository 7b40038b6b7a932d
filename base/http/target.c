/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets: path and query, decoded once, strictly.  Two spellings that some other party might
 * read differently are refused rather than normalised, so that what is routed is what was meant.
 */
#include <stdlib.h>
#include <string.h>

#include "base/http/http_internal.h"

/* RFC 3986 section 3.3, pchar without the escapes. */
static bool
is_pchar(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * One letter of a path segment, a parameter name or a value, escaped or not: moves *at behind it and
 * returns it, or -1.  also: letters allowed raw besides pchar.  Printable ASCII only: a control
 * character, a NUL or half a UTF-8 sequence has no business in a name of ours.
 */
static int
next_letter(const char **at, const char *also)
{
	const char *p = *at;
	int high, low, c;

	if (*p != '%') {
		*at = p + 1;
		return *p != '\0' && (is_pchar(*p) || strchr(also, *p) != NULL) ? *p : -1;
	}
	high = hex_digit(p[1]);
	low = high < 0 ? -1 : hex_digit(p[2]);
	if (low < 0)
		return -1;
	c = high * 16 + low;
	*at = p + 3;
	return c >= 0x20 && c <= 0x7e ? c : -1;
}

static bool
is_dot_segment(const char *segment, size_t len)
{
	return (len == 1 && segment[0] == '.') ||
	       (len == 2 && segment[0] == '.' && segment[1] == '.');
}

/* Decode one segment in place: *out moves behind it, *in to the '/' or the end. */
static bool
decode_segment(const char **in, char **out)
{
	const char *begin = *out;

	while (**in != '\0' && **in != '/') {
		int c = next_letter(in, "");

		if (c < 0 || c == '/')
			return false;
		*(*out)++ = (char)c;
	}
	return !is_dot_segment(begin, (size_t)(*out - begin));
}

/* Decode a NUL-terminated path in place.  Only the last segment may be empty. */
static bool
decode_path(char *path)
{
	const char *in = path;
	char *out = path;

	if (*in != '/')
		return false;
	while (*in == '/') {
		const char *begin;

		in++;
		*out++ = '/';
		begin = out;
		if (!decode_segment(&in, &out) || (out == begin && *in == '/'))
			return false;
	}
	*out = '\0';
	return true;
}

/*
 * Decode one side of a parameter in place.  A raw '+' is a blank to some and a plus to others, so it
 * has to be escaped.
 */
static bool
decode_part(char *part)
{
	const char *in = part;
	char *out = part;

	while (*in != '\0') {
		int c = *in == '+' ? -1 : next_letter(&in, "/?");

		if (c < 0)
			return false;
		*out++ = (char)c;
	}
	*out = '\0';
	return true;
}

static bool
has_param(const struct http_target *target, const char *name)
{
	for (size_t i = 0; i < target->param_count; i++) {
		if (strcmp(target->params[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool
add_param(struct http_target *target, char *param)
{
	char *equals = strchr(param, '=');

	if (equals == NULL || equals == param || target->param_count == HTTP_PARAMS_MAX)
		return false;
	*equals = '\0';
	if (!decode_part(param) || !decode_part(equals + 1) || has_param(target, param))
		return false;
	target->params[target->param_count++] = (struct http_param){ param, equals + 1 };
	return true;
}

static bool
split_query(struct http_target *target, char *query)
{
	while (query != NULL) {
		char *next = strchr(query, '&');

		if (next != NULL)
			*next++ = '\0';
		if (!add_param(target, query))
			return false;
		query = next;
	}
	return true;
}

int
http_target_parse(struct http_target *ret_target, const char *text, size_t len,
		  struct seal_err *err)
{
	struct http_target target = { .text = seal_strndup(text, len) };
	char *query;

	if (target.text == NULL)
		return seal_fail_memory(err);
	target.path = target.text;
	query = strchr(target.text, '?');
	if (query != NULL)
		*query++ = '\0';
	/* Decoding would stop at a NUL; the parser lets none through, but this is the last look. */
	if (strnlen(text, len) != len || !decode_path(target.text) ||
	    !split_query(&target, query)) {
		http_target_release(&target);
		return seal_fail(err, SEAL_E_FORMAT, "malformed request target");
	}
	*ret_target = target;
	return 0;
}

void
http_target_release(struct http_target *target)
{
	free(target->text);
	*target = (struct http_target){ 0 };
}
