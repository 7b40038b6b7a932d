/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other process, and the way to it.  It knows one thing of us: when we were last heard of.
 */

#include "config-verify/deadman.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "base/log/log.h"
#include "config-verify/descent.h"

struct verify_deadman {
	int fd;
	pid_t pid;
};

/* What a beat says is to be done when there is no other. */
enum order { ORDER_NONE = 0, ORDER_TELL = 't', ORDER_KILL = 'k' };

/* ---- The other process ---- */

struct listener {
	int fd;
	pid_t parent;
	struct verify_descent *descent;
	unsigned slice_ms;
	unsigned slices;
	enum order order;
};

static void
close_range_of(int first, int last)
{
	if (first <= last)
		(void)close_range((unsigned)first, (unsigned)last,
				  0); /* an old kernel: they stay */
}

/* Standard error is for our one line. */
static void
close_others(int a, int b)
{
	const int low = a < b ? a : b;
	const int high = a < b ? b : a;

	close_range_of(STDIN_FILENO, STDOUT_FILENO);
	close_range_of(STDERR_FILENO + 1, low - 1);
	close_range_of(low + 1, high - 1);
	close_range_of(high + 1, INT32_MAX);
}

static void
detach(const struct listener *listener)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL); /* an application may signal whom it finds */
	(void)setsid();                             /* a fork is no leader: it cannot fail */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "seal-deadman", 0, 0, 0);
	close_others(listener->fd, verify_descent_fd(listener->descent));
}

/* First what is urgent: whoever reads our log may have stopped to. */
static void
act(const struct listener *listener)
{
	const bool kills = listener->order == ORDER_KILL;

	if (kills)
		verify_descent_kill(listener->descent, listener->parent);
	seal_log(SEAL_LOG_ERROR, "watch_stalled",
		 SEAL_U64("seconds", (uint64_t)listener->slice_ms * listener->slices / 1000),
		 SEAL_STR("application", kills ? "killed" : "goes on"));
	if (kills)
		_exit(0);
}

/* False when nobody will be heard any more. */
static bool
hear(struct listener *listener)
{
	char beats[64];
	const ssize_t n = recv(listener->fd, beats, sizeof(beats), MSG_DONTWAIT);

	if (n > 0)
		listener->order = beats[n - 1] == ORDER_KILL ? ORDER_KILL : ORDER_TELL;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static _Noreturn void
listen_on(struct listener *listener)
{
	unsigned silent = 0;

	detach(listener);
	for (;;) {
		struct pollfd polled = { .fd = listener->fd, .events = POLLIN };
		const int patience = listener->order == ORDER_NONE ? -1 : (int)listener->slice_ms;
		const int r = poll(&polled, 1, patience);

		if (r > 0 && !hear(listener))
			_exit(0);
		if (r > 0)
			silent = 0;
		else if (r == 0 && ++silent == listener->slices)
			act(listener);
	}
}

/* ---- The way to it ---- */

int
verify_deadman_new(struct verify_deadman **ret_deadman, unsigned slice_ms, unsigned slices,
		   struct seal_err *err)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = NULL;
	SEAL_SCOPED(verify_descent_freep) struct verify_descent *descent = NULL;
	SEAL_SCOPED(seal_closep) int theirs = -1;
	struct listener listener = { .parent = getpid(), .slice_ms = slice_ms, .slices = slices };
	int ends[2];
	int r = verify_descent_new(&descent, err);

	if (r < 0)
		return r;
	deadman = calloc(1, sizeof(*deadman));
	if (deadman == NULL)
		return seal_fail_memory(err);
	deadman->fd = -1;
	/* No pipe: one that nobody reads would raise a signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return seal_fail_errno(err, errno, "cannot make a pair of sockets");
	deadman->fd = ends[0];
	theirs = ends[1];
	deadman->pid = fork();
	if (deadman->pid < 0) {
		deadman->pid = 0;
		return seal_fail_errno(err, errno, "cannot fork");
	}
	if (deadman->pid == 0) {
		seal_close(deadman->fd); /* or the end of ours would never be told */
		listener.fd = theirs;
		listener.descent = descent;
		listen_on(&listener);
	}
	*ret_deadman = SEAL_TAKE(deadman);
	return 0;
}

/* Whoever reaps all orphans may have reaped this one, too: then its number is nobody's, or another's. */
void
verify_deadman_free(struct verify_deadman *deadman)
{
	if (deadman == NULL)
		return;
	if (deadman->pid > 0 && waitpid(deadman->pid, NULL, WNOHANG) == 0) {
		(void)kill(deadman->pid, SIGKILL);
		while (waitpid(deadman->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	seal_close(deadman->fd);
	free(deadman);
}

void
verify_deadman_freep(struct verify_deadman **deadman)
{
	verify_deadman_free(SEAL_TAKE(*deadman));
}

void
verify_deadman_beat(struct verify_deadman *deadman, bool kills)
{
	const char beat = kills ? ORDER_KILL : ORDER_TELL;

	if (deadman != NULL) /* there is room, unless it does not listen: then that is noticed */
		(void)!send(deadman->fd, &beat, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool
verify_deadman_is_there(struct verify_deadman *deadman)
{
	return waitpid(deadman->pid, NULL, WNOHANG | WUNTRACED) == 0;
}
