/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML 1.2 from a value of JSON.  Plain scalars only where no reader could take them for anything but
 * text; PEM and other lines as literal blocks; everything else in double quotes, whose escapes YAML
 * shares with JSON.
 */

#include <string.h>

#include "rot/cli/cli.h"

static int put_value(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
		     struct seal_err *err);

static int
put_indent(struct seal_bytes *out, unsigned depth, struct seal_err *err)
{
	int r = 0;

	while (r == 0 && depth-- > 0)
		r = seal_bytes_append_str(out, "  ", err);
	return r;
}

/* ---- Texts ---- */

/* Words some reader, of YAML 1.1 too, takes for a truth, a number or nothing. */
static bool
is_taken(const char *text)
{
	static const char *const words[] = { "y",    "n",     "yes",  "no",  "on", "off",
					     "true", "false", "null", "nan", "inf" };

	for (size_t i = 0; i < SEAL_COUNT(words); i++) {
		if (strcasecmp(words[i], text) == 0)
			return true;
	}
	return false;
}

/* Starts with a letter and holds nothing but letters, digits, '-', '_' and '/'. */
static bool
is_plain(const char *text)
{
	static const char *const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char *const rest = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789-_/.";

	return text[0] != '\0' && strchr(letters, text[0]) != NULL &&
	       text[strspn(text, rest)] == '\0' && !is_taken(text);
}

/* Printable lines, none of them starting or ending with a blank, the last one ended. */
static bool
is_block(const char *text)
{
	size_t len = strlen(text);

	if (len < 2 || text[len - 1] != '\n' || text[len - 2] == '\n')
		return false;
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || text[i - 1] == '\n';

		if (text[i] == '\n' && (first || text[i - 1] == ' '))
			return false;
		if (text[i] != '\n' &&
		    (text[i] < ' ' || text[i] > '~' || (first && text[i] == ' ')))
			return false;
	}
	return true;
}

static int
put_block(struct seal_bytes *out, const char *text, unsigned depth, struct seal_err *err)
{
	int r;

	r = seal_bytes_append_str(out, " |\n", err);
	while (r == 0 && *text != '\0') {
		size_t len = strcspn(text, "\n") + 1; /* is_block: every line is ended */

		r = put_indent(out, depth, err);
		if (r == 0)
			r = seal_bytes_append(out, text, len, err);
		text += len;
	}
	return r;
}

/* The code point at text, which is valid UTF-8 (base/json saw to it); *text moves behind it. */
static uint32_t
next_point(const char **text)
{
	const uint8_t *at = (const uint8_t *)*text;
	unsigned more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : at[0] >= 0xc0 ? 1 : 0;
	uint32_t point = more == 0 ? at[0] : at[0] & (0x3fu >> more);

	for (unsigned i = 1; i <= more && at[i] != '\0'; i++)
		point = point << 6 | (at[i] & 0x3fu);
	*text += 1;
	while ((**text & 0xc0) == 0x80)
		*text += 1;
	return point;
}

static int
put_quoted(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	int r;

	r = seal_bytes_append_str(out, " \"", err);
	while (r == 0 && *text != '\0') {
		uint32_t point = next_point(&text);

		if (point == '"' || point == '\\')
			r = seal_bytes_append_fmt(out, err, "\\%c", (int)point);
		else if (point >= ' ' && point <= '~')
			r = seal_bytes_append_fmt(out, err, "%c", (int)point);
		else if (point <= 0xffff)
			r = seal_bytes_append_fmt(out, err, "\\u%04x", (unsigned)point);
		else
			r = seal_bytes_append_fmt(out, err, "\\U%08x", (unsigned)point);
	}
	return r < 0 ? r : seal_bytes_append_str(out, "\"\n", err);
}

static int
put_string(struct seal_bytes *out, const char *text, unsigned depth, struct seal_err *err)
{
	if (is_plain(text))
		return seal_bytes_append_fmt(out, err, " %s\n", text);
	if (is_block(text))
		return put_block(out, text, depth, err);
	return put_quoted(out, text, err);
}

/* ---- Collections ---- */

static int
put_array(struct seal_bytes *out, const struct seal_json *array, unsigned depth,
	  struct seal_err *err)
{
	int r;

	if (seal_json_count(array) == 0)
		return seal_bytes_append_str(out, " []\n", err);
	r = seal_bytes_append_str(out, "\n", err);
	for (size_t i = 0; r == 0 && i < seal_json_count(array); i++) {
		r = put_indent(out, depth, err);
		if (r == 0)
			r = seal_bytes_append_str(out, "-", err);
		if (r == 0)
			r = put_value(out, seal_json_at(array, i), depth + 1, err);
	}
	return r;
}

/* The names are the protocol's own: plain words. */
static int
put_members(struct seal_bytes *out, const struct seal_json *object, unsigned depth,
	    struct seal_err *err)
{
	const char *name = NULL;
	int r = 0;

	while (r == 0 && (name = seal_json_next(object, name)) != NULL) {
		r = put_indent(out, depth, err);
		if (r == 0)
			r = seal_bytes_append_fmt(out, err,
						  is_plain(name) ? "%s:" : "\"%s\":", name);
		if (r == 0)
			r = put_value(out, seal_json_member(object, name), depth + 1, err);
	}
	return r;
}

static int
put_object(struct seal_bytes *out, const struct seal_json *object, unsigned depth,
	   struct seal_err *err)
{
	int r;

	if (seal_json_next(object, NULL) == NULL)
		return seal_bytes_append_str(out, " {}\n", err);
	r = seal_bytes_append_str(out, "\n", err);
	return r < 0 ? r : put_members(out, object, depth, err);
}

/* A value behind "name:" or "-", with the blank or the line's end before it. */
static int
put_value(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	  struct seal_err *err)
{
	switch (seal_json_kind(value)) {
	case SEAL_JSON_OBJECT:
		return put_object(out, value, depth, err);
	case SEAL_JSON_ARRAY:
		return put_array(out, value, depth, err);
	case SEAL_JSON_STRING:
		return put_string(out, seal_json_str(value), depth, err);
	case SEAL_JSON_NUMBER:
		return seal_bytes_append_fmt(out, err, " %llu\n",
					     (unsigned long long)seal_json_u64(value));
	case SEAL_JSON_BOOL:
		return seal_bytes_append_str(out, seal_json_bool(value) ? " true\n" : " false\n",
					     err);
	case SEAL_JSON_NULL:
		break;
	}
	return seal_bytes_append_str(out, " null\n", err);
}

int
cli_yaml(const struct seal_json *value, struct seal_bytes *out, struct seal_err *err)
{
	if (seal_json_kind(value) != SEAL_JSON_OBJECT || seal_json_next(value, NULL) == NULL)
		return seal_bytes_append_str(out, "{}\n", err);
	return put_members(out, value, 0, err);
}
