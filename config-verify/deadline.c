/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for a process, and for no longer than it is told to.
 */

#include "config-verify/deadline.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"

static int64_t
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1 when it has ended, 0 when the time is over. */
static int
wait_for(int process, uint64_t seconds, struct seal_err *err)
{
	const int64_t end = now_ms() + (int64_t)seconds * 1000;
	struct pollfd ended = { .fd = process, .events = POLLIN };

	for (;;) {
		const int64_t left = end - now_ms();
		const int n = poll(&ended, 1, left > 0 ? (int)left : 0);

		if (n >= 0)
			return n;
		if (errno != EINTR)
			return seal_fail_errno(err, errno, "cannot wait for our own process");
	}
}

static int
wait_within(pid_t child, uint64_t seconds, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int process = (int)syscall(SYS_pidfd_open, child, 0);
	int r = process < 0 ? seal_fail_errno(err, errno, "cannot wait for our own process")
			    : wait_for(process, seconds, err);

	if (r <= 0)
		(void)kill(child, SIGKILL); /* it is ours, and nobody has taken its number */
	if (r == 0)
		return seal_fail(err, SEAL_E_TIMEOUT,
				 "not judged after %" PRIu64
				 " seconds: a file system does not answer (--timeout)",
				 seconds);
	return r;
}

int
verify_within(uint64_t seconds, int (*work)(const void *arg), const void *arg, struct seal_err *err)
{
	const pid_t us = getpid();
	const pid_t child = fork();
	int status = 0;
	int r;

	if (child < 0)
		return seal_fail_errno(err, errno, "no process");
	if (child == 0) {
		/* Whoever ends us means both. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != us)
			_exit(EXIT_FAILURE);
		_exit(work(arg));
	}
	r = wait_within(child, seconds, err);
	if (r < 0)
		return r;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status))
		return seal_fail(err, SEAL_E_CLOSED, "ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}
