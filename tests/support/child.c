/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for running a piece of a test in a process of its own. */

#include "tests/support/child.h"

#include <errno.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

int
child_run(void (*fn)(void *arg), void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (pid < 0)
		return 1;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void
child_must(bool ok, const char *file, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	_exit(1);
}

void
child_become_nobody(void)
{
	MUST(setgroups(0, NULL) == 0);
	MUST(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	MUST(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

bool
child_may_be_root(const char *test)
{
	if (geteuid() == 0)
		return true;
	fprintf(stderr, "SKIP: %s needs root\n", test);
	return false;
}
