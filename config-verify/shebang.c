/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line of a script, read to the letter as Linux reads it: of the first 256 bytes, blanks are spaces
 * and tabs, what follows the interpreter's name is one argument, and a name that does not end within them
 * is none.
 */

#include <errno.h>
#include <string.h>

#include "config-verify/program.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *
skip_blanks(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

/* A blank or a NUL ends a name. */
static const char *
end_of_name(const char *at, const char *end)
{
	while (at < end && !is_blank(*at) && *at != '\0')
		at++;
	return at;
}

static void
copy(char *out, const char *at, const char *end)
{
	const size_t len = strnlen(at, (size_t)(end - at));

	memcpy(out, at, len);
	out[len] = '\0';
}

int
verify_shebang_parse(struct verify_shebang *ret_shebang, const void *head, size_t len)
{
	char buffer[VERIFY_SHEBANG_LEN] = { 0 };
	const char *limit = buffer + sizeof(buffer) - 1;
	const char *end, *name, *rest;

	memcpy(buffer, head, len < sizeof(buffer) ? len : sizeof(buffer));
	if (buffer[0] != '#' || buffer[1] != '!')
		return 0;
	end = memchr(buffer, '\n', sizeof(buffer));
	if (end == NULL) {
		name = skip_blanks(buffer + 2, limit);
		/* It might go on behind what we see. */
		if (end_of_name(name, limit) == limit && !is_blank(*limit) && *limit != '\0')
			return -ENOEXEC;
		end = limit;
	}
	while (end > buffer + 2 && is_blank(end[-1]))
		end--;
	name = skip_blanks(buffer + 2, end);
	rest = end_of_name(name, end);
	if (rest == name)
		return -ENOEXEC;
	copy(ret_shebang->interpreter, name, rest);
	ret_shebang->has_argument = false;
	ret_shebang->argument[0] = '\0';
	if (rest < end && *rest != '\0') {
		rest = skip_blanks(rest, end);
		ret_shebang->has_argument = rest < end;
		copy(ret_shebang->argument, rest, end);
	}
	return 1;
}
