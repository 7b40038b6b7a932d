/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_ERR_H
#define SEAL_BASE_ERR_H

/*
 * The one error pattern.  Whatever can fail returns int: 0, or one of the negative codes below, and
 * takes a caller-owned struct seal_err as its last parameter.  The lowest layer says what happened
 * (seal_fail), each layer above adds where (seal_note).  Codes say what the caller can do about it.
 *
 * A NULL err is allowed everywhere: the code is still returned, the sentence is lost.
 */

#include <stdbool.h>
#include <stddef.h>

#define SEAL_CHECKED      __attribute__((warn_unused_result))
#define SEAL_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* Releases a variable when its scope ends.  fn takes a pointer to the variable. */
#define SEAL_SCOPED(fn) __attribute__((cleanup(fn)))
/* Hands a pointer over: the value of the expression is the pointer, the variable becomes NULL. */
#define SEAL_TAKE(ptr)                                                                             \
	__extension__({                                                                            \
		__typeof__(ptr) *seal_take_at_ = &(ptr);                                           \
		__typeof__(ptr) seal_taken_ = *seal_take_at_;                                      \
		*seal_take_at_ = NULL;                                                             \
		seal_taken_;                                                                       \
	})
/* Number of elements of an array (not of a pointer). */
#define SEAL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum seal_code {
	SEAL_OK = 0,
	SEAL_E_FORMAT = -1,   /* the input is malformed */
	SEAL_E_LIMIT = -2,    /* a stated limit was exceeded */
	SEAL_E_REFUSED = -3,  /* understood, and not allowed */
	SEAL_E_UNAUTH = -4,   /* who is asking could not be established */
	SEAL_E_MISSING = -5,  /* the thing named does not exist */
	SEAL_E_CONFLICT = -6, /* the thing exists already, or changed meanwhile */
	SEAL_E_TIMEOUT = -7,  /* a deadline passed */
	SEAL_E_CLOSED = -8,   /* the other side went away */
	SEAL_E_SYSTEM = -9,   /* the operating system said no */
	SEAL_E_CRYPTO = -10,  /* the crypto library said no */
	SEAL_E_MEMORY = -11,  /* out of memory */
	SEAL_E_USAGE = -12,   /* a command line that cannot be meant */
	SEAL_E_BUG = -13,     /* we broke our own rule */
};

#define SEAL_ERR_TEXT_LEN 512

/* A plain stack value; initialise with { 0 }.  text is always NUL-terminated, one line, printable. */
struct seal_err {
	int code;
	char text[SEAL_ERR_TEXT_LEN];
};

/* A short stable word for a code ("format", "limit", ...), for logs and JSON.  Never NULL. */
const char *seal_code_name(int code);

/*
 * The value of every failing call below is negative, and compilers and analysers can see that.  They
 * are macros for this reason alone; the functions behind them are not called directly.
 */
static inline int
seal_negative(int code)
{
	return code < 0 ? code : SEAL_E_BUG;
}

/* Record a fresh failure and return code.  Bytes outside printable ASCII are replaced by '?'. */
#define seal_fail(err, code, ...) seal_negative(seal_err_set((err), (code), __VA_ARGS__))

/*
 * Record a failed system call, appending strerror(errnum), and return the code that fits errnum:
 * ENOENT is SEAL_E_MISSING, EEXIST SEAL_E_CONFLICT, ENOMEM SEAL_E_MEMORY, ETIMEDOUT SEAL_E_TIMEOUT,
 * EPIPE and ECONNRESET SEAL_E_CLOSED, all others SEAL_E_SYSTEM.
 */
#define seal_fail_errno(err, errnum, ...)                                                          \
	seal_negative(seal_err_set_errno((err), (errnum), __VA_ARGS__))

/* Out of memory: a fixed sentence, no allocation.  Returns SEAL_E_MEMORY. */
#define seal_fail_memory(err) seal_negative(seal_err_set_memory(err))

/*
 * Put where it happened in front of what happened ("where: what"), and return r, a failure, which is
 * err's code from now on: a layer may say that what it got means something else to its caller.
 */
#define seal_note(err, r, ...) seal_negative(seal_err_note((err), (r), __VA_ARGS__))

int seal_err_set(struct seal_err *err, enum seal_code code, const char *fmt, ...) SEAL_PRINTF(3, 4);
int seal_err_set_errno(struct seal_err *err, int errnum, const char *fmt, ...) SEAL_PRINTF(3, 4);
int seal_err_set_memory(struct seal_err *err);
int seal_err_note(struct seal_err *err, int r, const char *fmt, ...) SEAL_PRINTF(3, 4);

#endif
