/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_CHILD_H
#define SEAL_TESTS_CHILD_H

/*
 * What changes a process for good (its user, its mounts, its limits) is tried in a child.
 */

#include <stdbool.h>

/* Run fn in a forked child.  0 when all its MUSTs held; 1, or minus the signal, when not. */
int child_run(void (*fn)(void *arg), void *arg);

/* In the child: say which condition failed, and end. */
void child_must(bool ok, const char *file, int line, const char *what);
#define MUST(condition) child_must((condition), __FILE__, __LINE__, #condition)

/* In the child, as root: become the user nobody, for good. */
void child_become_nobody(void);

/* False, aloud, when this process is not root. */
bool child_may_be_root(const char *test);

#endif
