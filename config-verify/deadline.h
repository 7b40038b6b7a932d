/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_DEADLINE_H
#define SEAL_VERIFY_DEADLINE_H

/*
 * Work that somebody else may stall: who reads a file of a file system in user space waits for whoever serves
 * it, in the kernel, where no handler runs.
 */

#include <stdint.h>

#include "base/err/err.h"

/*
 * Do the work in a process of its own, and return what it returned: an exit status, 0 to 125.  SEAL_E_TIMEOUT
 * when it has not ended after so many seconds: it is killed, and not waited for, as it may not even then end.
 * SEAL_E_CLOSED when it ended in another way.  Nothing is to be buffered for standard output.
 */
SEAL_CHECKED int verify_within(uint64_t seconds, int (*work)(const void *arg), const void *arg,
			       struct seal_err *err);

#endif
