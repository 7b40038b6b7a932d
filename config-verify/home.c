/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's home, from the image's own list of users.  The C library would read it by whatever modules
 * nsswitch.conf names; a static program has none, and a file of lines needs none.
 */

#include <fcntl.h>
#include <string.h>

#include "base/fs/fs.h"
#include "base/names/names.h"
#include "config-verify/environment.h"

#define PASSWD_MAX (1024u * 1024)
#define UID_FIELD  2
#define HOME_FIELD 5

/* Field number n of the line [line, end); the field's end is returned through ret_len. */
static const char *
field(const char *line, const char *end, unsigned n, size_t *ret_len)
{
	while (n > 0) {
		const char *colon = memchr(line, ':', (size_t)(end - line));

		if (colon == NULL)
			return NULL;
		line = colon + 1;
		n--;
	}
	*ret_len = strcspn(line, ":\n");
	return line;
}

static bool
is_user(const char *line, const char *end, unsigned uid)
{
	size_t len = 0;
	const char *text = field(line, end, UID_FIELD, &len);
	char digits[16];
	uint64_t value = 0;

	if (text == NULL || len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return seal_number_parse(digits, 0, UINT32_MAX, &value, NULL) == 0 && value == uid;
}

static bool
take_home(char *out, size_t size, const char *line, const char *end)
{
	size_t len = 0;
	const char *home = field(line, end, HOME_FIELD, &len);

	if (home == NULL || len == 0 || len >= size || home[0] != '/')
		return false;
	memcpy(out, home, len);
	out[len] = '\0';
	return true;
}

void
verify_home_of(char *out, size_t size, const char *passwd, unsigned uid)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PASSWD_MAX);
	const char *line;

	(void)snprintf(out, size, "/");
	/* An image may have no such file: then nobody has a home. */
	if (seal_fs_read(&text, AT_FDCWD, passwd, PASSWD_MAX, NULL) < 0)
		return;
	line = seal_bytes_str(&text);
	while (*line != '\0') {
		const char *end = line + strcspn(line, "\n");

		if (is_user(line, end, uid)) {
			if (!take_home(out, size, line, end))
				(void)snprintf(out, size, "/");
			return;
		}
		line = *end == '\n' ? end + 1 : end;
	}
}
