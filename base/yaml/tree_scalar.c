/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plain scalar means to Kubernetes: the types of YAML 1.1 as its Go library sees them, which is not
 * all of YAML 1.1 (no base 60) and a little more (0o17).  Where that library's versions differ, and beyond the
 * range of a double, the text counts as a number: whoever wants a string then refuses it and asks for quotes.
 * One departure: a lone y or n, a boolean to that library and to no other reader, is a string here too.
 */
#include "base/yaml/tree_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define DIGITS_MAX 512 /* of a number whose value is asked for */

struct word {
	const char *text;
	enum tree_type type;
};

static const struct word words[] = {
	{ "~", TREE_T_NULL },      { "null", TREE_T_NULL },   { "Null", TREE_T_NULL },
	{ "NULL", TREE_T_NULL },   { "true", TREE_T_BOOL },   { "True", TREE_T_BOOL },
	{ "TRUE", TREE_T_BOOL },   { "false", TREE_T_BOOL },  { "False", TREE_T_BOOL },
	{ "FALSE", TREE_T_BOOL },  { "yes", TREE_T_BOOL },    { "Yes", TREE_T_BOOL },
	{ "YES", TREE_T_BOOL },    { "no", TREE_T_BOOL },     { "No", TREE_T_BOOL },
	{ "NO", TREE_T_BOOL },     { "on", TREE_T_BOOL },     { "On", TREE_T_BOOL },
	{ "ON", TREE_T_BOOL },     { "off", TREE_T_BOOL },    { "Off", TREE_T_BOOL },
	{ "OFF", TREE_T_BOOL },    { ".nan", TREE_T_FLOAT },  { ".NaN", TREE_T_FLOAT },
	{ ".NAN", TREE_T_FLOAT },  { ".inf", TREE_T_FLOAT },  { ".Inf", TREE_T_FLOAT },
	{ ".INF", TREE_T_FLOAT },  { "+.inf", TREE_T_FLOAT }, { "+.Inf", TREE_T_FLOAT },
	{ "+.INF", TREE_T_FLOAT }, { "-.inf", TREE_T_FLOAT }, { "-.Inf", TREE_T_FLOAT },
	{ "-.INF", TREE_T_FLOAT },
};

/* A place in a text whose length is known: it may hold NULs. */
struct scan {
	const char *at;
	const char *end;
};

static bool
find_word(const char *text, size_t len, enum tree_type *ret_type)
{
	if (len == 0) {
		*ret_type = TREE_T_NULL;
		return true;
	}
	if (len > 5 || strchr("~nNtTfFyYoO.+-", text[0]) == NULL)
		return false;
	for (size_t i = 0; i < SEAL_COUNT(words); i++) {
		if (strlen(words[i].text) == len && memcmp(words[i].text, text, len) == 0) {
			*ret_type = words[i].type;
			return true;
		}
	}
	return false;
}

static bool
skip_one_of(struct scan *scan, const char *set)
{
	if (scan->at == scan->end || *scan->at == '\0' || strchr(set, *scan->at) == NULL)
		return false;
	scan->at++;
	return true;
}

/* How many of them come next; underscores between are allowed when asked for, and not counted. */
static size_t
skip_digits(struct scan *scan, const char *set, bool underscores)
{
	size_t count = 0;

	for (; scan->at < scan->end; scan->at++) {
		if (*scan->at != '\0' && strchr(set, *scan->at) != NULL)
			count++;
		else if (*scan->at != '_' || !underscores)
			break;
	}
	return count;
}

#define BINARY  "01"
#define OCTAL   "01234567"
#define DECIMAL "0123456789"
#define HEX     "0123456789abcdefABCDEF"

/* The digits behind a prefix such as 0x, or behind the zero of an octal number. */
static const char *
skip_base(struct scan *scan)
{
	if (scan->at == scan->end || *scan->at != '0')
		return DECIMAL;
	scan->at++;
	if (skip_one_of(scan, "xX"))
		return HEX;
	if (skip_one_of(scan, "bB"))
		return BINARY;
	if (skip_one_of(scan, "oO"))
		return OCTAL;
	scan->at--; /* the zero is a digit too, and perhaps the only one */
	return OCTAL;
}

static bool
is_int(const char *text, size_t len)
{
	struct scan scan = { text, text + len };

	(void)skip_one_of(&scan, "+-"); /* or none */
	return skip_digits(&scan, skip_base(&scan), true) > 0 && scan.at == scan.end;
}

static size_t
copy_digits(const char *text, size_t len, char out[static DIGITS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < len && count < DIGITS_MAX - 1; i++) {
		if (text[i] != '_')
			out[count++] = text[i];
	}
	out[count] = '\0';
	return count;
}

static bool
is_float(const char *text, size_t len)
{
	struct scan scan = { text, text + len };
	size_t before, behind = 0;

	(void)skip_one_of(&scan, "+-"); /* or none */
	before = skip_digits(&scan, DECIMAL, true);
	if (skip_one_of(&scan, "."))
		behind = skip_digits(&scan, DECIMAL, true);
	if (before + behind == 0)
		return false;
	if (skip_one_of(&scan, "eE")) {
		(void)skip_one_of(&scan, "+-"); /* or none */
		if (skip_digits(&scan, DECIMAL, true) == 0)
			return false;
	}
	return scan.at == scan.end;
}

static bool
skip_between(struct scan *scan, size_t least, size_t most)
{
	size_t count = skip_digits(scan, DECIMAL, false);

	return count >= least && count <= most;
}

static bool
skip_time(struct scan *scan)
{
	if (!skip_between(scan, 1, 2) || !skip_one_of(scan, ":") || !skip_between(scan, 1, 2) ||
	    !skip_one_of(scan, ":") || !skip_between(scan, 1, 2))
		return false;
	if (skip_one_of(scan, "."))
		(void)skip_digits(scan, DECIMAL, false); /* or none */
	return true;
}

static void
skip_blanks(struct scan *scan)
{
	while (skip_one_of(scan, " "))
		continue;
}

/* What YAML 1.1 calls a timestamp; all spellings, since each is one to some reader. */
static bool
is_time(const char *text, size_t len)
{
	struct scan scan = { text, text + len };

	if (!skip_between(&scan, 4, 4) || !skip_one_of(&scan, "-") || !skip_between(&scan, 1, 2) ||
	    !skip_one_of(&scan, "-") || !skip_between(&scan, 1, 2))
		return false;
	if (scan.at == scan.end)
		return true;
	if (!skip_one_of(&scan, "Tt ")) /* one letter, or blanks */
		return false;
	skip_blanks(&scan);
	if (!skip_time(&scan))
		return false;
	skip_blanks(&scan);
	if (scan.at == scan.end || skip_one_of(&scan, "Z"))
		return scan.at == scan.end;
	if (!skip_one_of(&scan, "+-") || !skip_between(&scan, 1, 2))
		return false;
	return scan.at == scan.end ||
	       (skip_one_of(&scan, ":") && skip_between(&scan, 2, 2) && scan.at == scan.end);
}

enum tree_type
tree_resolve(const char *text, size_t len)
{
	enum tree_type type = TREE_T_STR;

	if (find_word(text, len, &type))
		return type;
	if (strchr("+-.0123456789", text[0]) == NULL || text[0] == '\0')
		return TREE_T_STR;
	if (is_time(text, len))
		return TREE_T_TIME;
	if (is_int(text, len))
		return TREE_T_INT;
	return is_float(text, len) ? TREE_T_FLOAT : TREE_T_STR;
}

enum seal_tree_kind
tree_kind_of(enum tree_type type)
{
	switch (type) {
	case TREE_T_INT:
	case TREE_T_FLOAT:
		return SEAL_TREE_NUMBER;
	case TREE_T_BOOL:
		return SEAL_TREE_BOOL;
	case TREE_T_NULL:
		return SEAL_TREE_NULL;
	case TREE_T_TIME:
		return SEAL_TREE_TIME;
	case TREE_T_STR:
		break;
	}
	return SEAL_TREE_STRING;
}

/* RFC 8259 section 6. */
static bool
is_json_number(const char *text, size_t len)
{
	struct scan scan = { text, text + len };

	(void)skip_one_of(&scan, "-"); /* or none */
	if (!skip_one_of(&scan, "0") && skip_digits(&scan, DECIMAL, false) == 0)
		return false;
	if (skip_one_of(&scan, ".") && skip_digits(&scan, DECIMAL, false) == 0)
		return false;
	if (skip_one_of(&scan, "eE")) {
		(void)skip_one_of(&scan, "+-"); /* or none */
		if (skip_digits(&scan, DECIMAL, false) == 0)
			return false;
	}
	return scan.at == scan.end;
}

bool
tree_is_json_literal(const char *text, size_t len)
{
	return (len == 4 && (memcmp(text, "true", 4) == 0 || memcmp(text, "null", 4) == 0)) ||
	       (len == 5 && memcmp(text, "false", 5) == 0) || is_json_number(text, len);
}

/* Few enough digits that the nearest double is printed with the same ones. */
bool
tree_is_canonical_number(const char *text, size_t len)
{
	size_t sign = len > 0 && text[0] == '-';

	if (!is_json_number(text, len) || len > 15 || memchr(text, 'e', len) != NULL ||
	    memchr(text, 'E', len) != NULL || (sign > 0 && text[1] == '0'))
		return false;
	if (memchr(text, '.', len) == NULL)
		return true;
	return text[len - 1] != '0' && text[sign] != '0';
}

bool
tree_truth(const struct seal_tree_node *node)
{
	return strchr("tTyY", node->text[0]) != NULL || strcasecmp(node->text, "on") == 0;
}

static bool
to_integer(const char *digits, int64_t *ret_value)
{
	const char *from = digits + (*digits == '+' || *digits == '-');
	bool is_negative = *digits == '-';
	unsigned long long value;
	int base = 10;

	if (from[0] == '0' && from[1] != '\0') {
		base = strchr("xX", from[1]) != NULL ? 16 : strchr("bB", from[1]) != NULL ? 2 : 8;
		from += strchr("xXbBoO", from[1]) != NULL ? 2 : 1;
	}
	errno = 0;
	value = strtoull(from, NULL, base);
	if (errno != 0 || value > (unsigned long long)INT64_MAX + is_negative)
		return false;
	*ret_value = is_negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

bool
tree_number_of(const struct seal_tree_node *node, struct tree_number *ret_number)
{
	struct tree_number number = { .is_int = is_int(node->text, node->len) };
	char digits[DIGITS_MAX];

	if (node->len >= DIGITS_MAX)
		return false;
	(void)copy_digits(node->text, node->len, digits); /* all of them: it fits */
	if (number.is_int) {
		if (!to_integer(digits, &number.integer))
			return false;
	} else {
		char *end = NULL;

		number.real = strtod(digits, &end);
		if (*end != '\0' || !isfinite(number.real))
			return false;
	}
	*ret_number = number;
	return true;
}
