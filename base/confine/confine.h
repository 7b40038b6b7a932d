/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_CONFINE_H
#define SEAL_BASE_CONFINE_H

/*
 * What a process gives up for good once it serves: system calls (seccomp), files (Landlock) and
 * capabilities.  What the kernel or the architecture does not offer is told to the caller; what it
 * offers and then fails is a failure.  Each of these sets "no new privileges".
 */

#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

/* One condition: (the lower half of argument arg & mask) is value.  A mask of 0 asks for nothing. */
struct seal_call_test {
	uint8_t arg; /* 0 to 5 */
	uint32_t mask;
	uint32_t value;
};

#define SEAL_CALL_TESTS 2

/*
 * One row of a list of system calls: a call with this number whose arguments pass every test is
 * allowed.  A call may have several rows; one of them is enough.  With refusal set, what would be
 * allowed fails with that errno instead (a caller may know what to do without the call).
 *
 * Tests look at integers, never behind a pointer: memory can change after the look.
 */
struct seal_call {
	uint32_t number; /* __NR_... */
	int refusal;
	struct seal_call_test tests[SEAL_CALL_TESTS];
};

#define SEAL_CALL(call)                                                                            \
	{                                                                                          \
		.number = __NR_##call                                                              \
	}

/*
 * Allow every thread of this process, present and future, the calls listed and no others: those fail
 * with EPERM, so that a library which tries something better first falls back or reports.  A call in
 * the numbers of another architecture ends the process.  *ret_applied is false where there is no
 * filter to be had.
 */
SEAL_CHECKED int seal_confine_calls(const struct seal_call *calls, size_t count, bool *ret_applied,
				    struct seal_err *err);

struct seal_confine_files {
	const struct seal_strv *read; /* files, and folders with all beneath, that may be read */
	const struct seal_strv
		*remove; /* folders beneath which files may be removed, sockets made */
};

/*
 * Allow this thread and those it will start the files listed and no others, and, where the kernel
 * tells inside from outside (ABI 6), no signals and no abstract sockets outside.  Descriptors that
 * are open stay as they are; connecting and binding, by TCP or to a socket's path, is not judged.  A
 * path that does not exist or cannot be reached is passed over; one that is replaced later is another
 * file.
 *
 * *ret_abi is the kernel's Landlock ABI, 0 where it has none.
 */
SEAL_CHECKED int seal_confine_files(const struct seal_confine_files *files, int *ret_abi,
				    struct seal_err *err);

/* Give up every capability that is not in keep, a set of 1 << CAP_...; this thread only. */
SEAL_CHECKED int seal_confine_capabilities(uint64_t keep, struct seal_err *err);

#endif
