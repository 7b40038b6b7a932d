/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to variables in texts of a container.  A '$' means something before '(' and before another
 * '$'; everywhere else, and before a '(' that is never closed, it is a letter like others.
 */

#include <string.h>

#include "config-verify/environment.h"

/* What begins at a '$': appends what it stands for and returns how long it is, or a failure. */
static int
expand_one(struct seal_bytes *out, const char *at, verify_lookup *lookup, const void *arg,
	   size_t *ret_len, struct seal_err *err)
{
	const char *close = at[1] == '(' ? strchr(at + 2, ')') : NULL;
	const char *value;

	if (at[1] == '$') {
		*ret_len = 2;
		return seal_bytes_append(out, "$", 1, err);
	}
	if (close == NULL) {
		*ret_len = 1;
		return seal_bytes_append(out, "$", 1, err);
	}
	*ret_len = (size_t)(close + 1 - at);
	value = lookup(arg, at + 2, (size_t)(close - at) - 2);
	return value != NULL ? seal_bytes_append_str(out, value, err)
			     : seal_bytes_append(out, at, *ret_len, err);
}

int
verify_expand(struct seal_bytes *out, const char *text, verify_lookup *lookup, const void *arg,
	      struct seal_err *err)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "$");
		int r = seal_bytes_append(out, text, len, err);

		text += len;
		if (r == 0 && *text == '$') {
			r = expand_one(out, text, lookup, arg, &len, err);
			text += len;
		}
		if (r < 0)
			return r;
	}
	return 0;
}
