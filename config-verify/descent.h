/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_DESCENT_H
#define SEAL_VERIFY_DESCENT_H

/*
 * Ending all that descends from a process, whatever groups and sessions it has made for itself.
 */

#include <sys/types.h>

#include "base/err/err.h"

struct verify_descent;

/* For now or later: somebody may have mounted something over /proc by then.  Fails where /proc is not ours. */
SEAL_CHECKED int verify_descent_new(struct verify_descent **ret_descent, struct seal_err *err);
void verify_descent_free(struct verify_descent *descent);
void verify_descent_freep(struct verify_descent **descent);
/* Of its descriptor; for who closes all others. */
int verify_descent_fd(const struct verify_descent *descent);

/*
 * SIGKILL for all descendants of ancestor but the caller, until there are none or a second has passed: what
 * a file system keeps in the kernel dies when it comes back.  Those of process 1 are all processes there are.
 * Orphans among them are found when ancestor, alive or stopped, is their subreaper.
 */
void verify_descent_kill(struct verify_descent *descent, pid_t ancestor);

#endif
