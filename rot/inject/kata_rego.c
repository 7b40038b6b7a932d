/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy as text: the rules, and behind them what comes from a manifest as data, in strings that nothing
 * can leave.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/kata_internal.h"

/* ---- Strings ---- */

/* The next character of text, which is UTF-8 as YAML gives it; what is not becomes U+FFFD. */
static uint32_t
next_character(const char **text)
{
	const uint8_t *at = (const uint8_t *)*text;
	unsigned more = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
	uint32_t code = more == 0 ? at[0] : at[0] & (0x3fu >> more);

	for (unsigned i = 1; i <= more; i++) {
		if ((at[i] & 0xc0) != 0x80 || at[0] < 0xc2) {
			(*text)++;
			return 0xfffd;
		}
		code = code << 6 | (at[i] & 0x3f);
	}
	*text += more + 1;
	return code;
}

static bool
is_harmless(uint32_t code)
{
	return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') ||
	       (code >= '0' && code <= '9') ||
	       (code > 0 && code < 0x80 && strchr(" +,-./:=@_", (int)code) != NULL);
}

int
kata_rego_string(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	int r = seal_bytes_append_str(out, "\"", err);

	while (r == 0 && *text != '\0') {
		uint32_t code = next_character(&text);

		if (is_harmless(code))
			r = seal_bytes_append_fmt(out, err, "%c", (char)code);
		else if (code < 0x10000)
			r = seal_bytes_append_fmt(out, err, "\\u%04x", code);
		else /* as JSON has it: RFC 8259 section 7 */
			r = seal_bytes_append_fmt(out, err, "\\u%04x\\u%04x",
						  0xd800 + ((code - 0x10000) >> 10),
						  0xdc00 + (code & 0x3ff));
	}
	return r < 0 ? r : seal_bytes_append_str(out, "\"", err);
}

/* ---- Data ---- */

static int write_value(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
		       struct seal_err *err);

static int
indent(struct seal_bytes *out, unsigned depth, struct seal_err *err)
{
	return seal_bytes_append_fmt(out, err, "\n%.*s", (int)depth, "\t\t\t\t\t\t\t\t");
}

static int
write_array(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	    struct seal_err *err)
{
	size_t count = seal_json_count(value);
	int r = seal_bytes_append_str(out, "[", err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			r = seal_bytes_append_str(out, ",", err);
		if (r == 0)
			r = indent(out, depth + 1, err);
		if (r == 0)
			r = write_value(out, seal_json_at(value, i), depth + 1, err);
	}
	if (r == 0 && count > 0)
		r = indent(out, depth, err);
	return r < 0 ? r : seal_bytes_append_str(out, "]", err);
}

/* Never an empty one, which would be a set to some. */
static int
write_object(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	     struct seal_err *err)
{
	const char *separator = "{";
	int r = 0;

	for (const char *name = seal_json_next(value, NULL); r == 0 && name != NULL;
	     name = seal_json_next(value, name)) {
		r = seal_bytes_append_str(out, separator, err);
		separator = ",";
		if (r == 0)
			r = indent(out, depth + 1, err);
		if (r == 0)
			r = kata_rego_string(out, name, err);
		if (r == 0)
			r = seal_bytes_append_str(out, ": ", err);
		if (r == 0)
			r = write_value(out, seal_json_member(value, name), depth + 1, err);
	}
	if (r == 0)
		r = indent(out, depth, err);
	return r < 0 ? r : seal_bytes_append_str(out, "}", err);
}

static int
write_value(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	    struct seal_err *err)
{
	char number[SEAL_JSON_NUMBER_SIZE];
	int r;

	switch (seal_json_kind(value)) {
	case SEAL_JSON_OBJECT:
		return write_object(out, value, depth, err);
	case SEAL_JSON_ARRAY:
		return write_array(out, value, depth, err);
	case SEAL_JSON_STRING:
		return kata_rego_string(out, seal_json_str(value), err);
	case SEAL_JSON_NUMBER:
		r = seal_json_number(value, number, sizeof(number), err);
		return r < 0 ? r : seal_bytes_append_str(out, number, err);
	case SEAL_JSON_BOOL:
		return seal_bytes_append_str(out, seal_json_bool(value) ? "true" : "false", err);
	case SEAL_JSON_NULL:
		break;
	}
	return seal_bytes_append_str(out, "null", err);
}

int
kata_rego_write(struct seal_bytes *out, const struct seal_json *data,
		const struct kata_options *options, struct seal_err *err)
{
	int r = kata_rules_write(out, options, err);

	if (r == 0)
		r = write_value(out, data, 0, err);
	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}
