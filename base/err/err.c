/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the one error value: its text is always one printable line that ends in a NUL, and a
 * failure is never reported as success.  Allocates nothing and knows no library but the system's.
 */

#include "base/err/err.h"

#include <errno.h>
#include <stdarg.h>

static const char *const names[] = {
	[-SEAL_OK] = "ok",
	[-SEAL_E_FORMAT] = "format",
	[-SEAL_E_LIMIT] = "limit",
	[-SEAL_E_REFUSED] = "refused",
	[-SEAL_E_UNAUTH] = "unauthenticated",
	[-SEAL_E_MISSING] = "missing",
	[-SEAL_E_CONFLICT] = "conflict",
	[-SEAL_E_TIMEOUT] = "timeout",
	[-SEAL_E_CLOSED] = "closed",
	[-SEAL_E_SYSTEM] = "system",
	[-SEAL_E_CRYPTO] = "crypto",
	[-SEAL_E_MEMORY] = "memory",
	[-SEAL_E_USAGE] = "usage",
	[-SEAL_E_BUG] = "bug",
};

static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static void SEAL_PRINTF(3, 0) write_text(char *text, size_t size, const char *fmt, va_list args)
{
	/* A format the C library cannot print (an invalid wide string) leaves nothing to say. */
	if (vsnprintf(text, size, fmt, args) < 0)
		text[0] = '\0';
	make_printable(text);
}

const char *
seal_code_name(int code)
{
	if (code > 0 || code <= -(int)SEAL_COUNT(names))
		return "unknown";
	return names[-code];
}

int
seal_err_set(struct seal_err *err, enum seal_code code, const char *fmt, ...)
{
	va_list args;

	if (err == NULL)
		return seal_negative(code);
	err->code = seal_negative(code);
	va_start(args, fmt);
	write_text(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return err->code;
}

static enum seal_code
code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return SEAL_E_MISSING;
	case EEXIST:
		return SEAL_E_CONFLICT;
	case ENOMEM:
		return SEAL_E_MEMORY;
	case ETIMEDOUT:
		return SEAL_E_TIMEOUT;
	case EPIPE:
	case ECONNRESET:
		return SEAL_E_CLOSED;
	default:
		return SEAL_E_SYSTEM;
	}
}

int
seal_err_set_errno(struct seal_err *err, int errnum, const char *fmt, ...)
{
	char what[SEAL_ERR_TEXT_LEN];
	char reason[128];
	va_list args;

	va_start(args, fmt);
	write_text(what, sizeof(what), fmt, args);
	va_end(args);
	/* The GNU form: the text may lie elsewhere than in the buffer. */
	return seal_err_set(err, code_of_errno(errnum), "%s: %s", what,
			    strerror_r(errnum, reason, sizeof(reason)));
}

int
seal_err_set_memory(struct seal_err *err)
{
	return seal_err_set(err, SEAL_E_MEMORY, "out of memory");
}

int
seal_err_note(struct seal_err *err, int r, const char *fmt, ...)
{
	char where[SEAL_ERR_TEXT_LEN];
	char both[2 * SEAL_ERR_TEXT_LEN + 2];
	va_list args;

	if (err == NULL || r >= 0)
		return r;
	err->code = r;
	va_start(args, fmt);
	write_text(where, sizeof(where), fmt, args);
	va_end(args);
	/* Cut at the end if both together are too long: where it happened matters more. */
	(void)snprintf(both, sizeof(both), "%s: %s", where, err->text);
	memcpy(err->text, both, sizeof(err->text));
	err->text[sizeof(err->text) - 1] = '\0';
	return r;
}
