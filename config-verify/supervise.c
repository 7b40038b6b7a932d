/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a program under us.
 *
 *   us:     block signals ── fork ──▶ read the pipe ──eof──▶ pass on, reap ──▶ its exit code
 *                             │            ▲   └─errno─▶ 126, 127
 *   child:                    └▶ own group, terminal, signals as by default, fchdir, execveat
 *
 * The pipe is close-on-exec: its end is the program's beginning, and what comes through it before is why
 * there is none.
 */

#include "config-verify/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/descent.h"

/* Signals that a fault of ours raises, or that nobody can catch: never blocked, never passed on. */
static const int own_signals[] = { SIGILL,  SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
				   SIGSEGV, SIGSYS,  SIGKILL, SIGSTOP };

struct verify_supervisor {
	int fd; /* of signals */
	sigset_t before;
	struct verify_descent *descent; /* from the start on */
	pid_t child;                    /* 0: not started */
	int terminal;                   /* which we gave to the child, or -1 */
	bool is_over;
	int exit;
	bool is_stopping;
};

/* ---- Executing ---- */

enum stage { STAGE_READY, STAGE_CWD, STAGE_EXEC };

struct failure {
	enum stage stage;
	int errnum;
};

static struct failure
execute(const struct verify_executable *executable, char *const *environment)
{
	const int r = verify_executable_enter(executable);

	if (r != 0)
		return (struct failure){ STAGE_CWD, r };
	return (struct failure){ STAGE_EXEC, verify_executable_execute(executable, environment) };
}

static int
tell_failure(struct failure failure, int *ret_exit, struct seal_err *err)
{
	return failure.stage == STAGE_CWD ? verify_fail_directory(failure.errnum, ret_exit, err)
					  : verify_fail_program(failure.errnum, ret_exit, err);
}

static void
reset_signals(void)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &by_default, NULL); /* those of nobody fail */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* neither can fail */
}

int
verify_program_become(const struct verify_program *program, int *ret_exit, struct seal_err *err)
{
	SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
	int r = verify_executable_open(&executable, program, ret_exit, err);

	if (r < 0)
		return r;
	reset_signals();
	return tell_failure(execute(executable, program->environment), ret_exit, err);
}

/* ---- Signals ---- */

int
verify_supervisor_new(struct verify_supervisor **ret_supervisor, struct seal_err *err)
{
	SEAL_SCOPED(verify_supervisor_freep) struct verify_supervisor *supervisor = NULL;
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t ours;

	supervisor = calloc(1, sizeof(*supervisor));
	if (supervisor == NULL)
		return seal_fail_memory(err);
	supervisor->terminal = -1;
	(void)sigfillset(&ours); /* these cannot fail for signals there are */
	for (size_t i = 0; i < SEAL_COUNT(own_signals); i++)
		(void)sigdelset(&ours, own_signals[i]);
	supervisor->fd = -1;
	/* Who ignores it gets no status of a child. */
	if (sigaction(SIGCHLD, &by_default, NULL) < 0)
		return seal_fail_errno(err, errno, "cannot take signals");
	if (sigprocmask(SIG_SETMASK, &ours, &supervisor->before) < 0)
		return seal_fail_errno(err, errno, "cannot block signals");
	supervisor->fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->fd < 0)
		return seal_fail_errno(err, errno, "cannot take signals");
	*ret_supervisor = SEAL_TAKE(supervisor);
	return 0;
}

void
verify_supervisor_free(struct verify_supervisor *supervisor)
{
	if (supervisor == NULL)
		return;
	seal_close(supervisor->fd);
	seal_close(supervisor->terminal);
	verify_descent_free(supervisor->descent);
	(void)sigprocmask(SIG_SETMASK, &supervisor->before, NULL); /* it was valid before */
	free(supervisor);
}

void
verify_supervisor_freep(struct verify_supervisor **supervisor)
{
	verify_supervisor_free(*supervisor);
	*supervisor = NULL;
}

int
verify_supervisor_fd(const struct verify_supervisor *supervisor)
{
	return supervisor->fd;
}

bool
verify_supervisor_is_over(const struct verify_supervisor *supervisor)
{
	return supervisor->is_over;
}

int
verify_supervisor_exit(const struct verify_supervisor *supervisor)
{
	return supervisor->exit;
}

/* ---- Starting ---- */

/*
 * Our terminal, when we are in its foreground; -1 otherwise.  In the background, or without one, there is
 * nothing to hand over.
 */
static int
open_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	/* An image may have no such file, but its standard input may be the terminal. */
	if (fd < 0 && isatty(STDIN_FILENO) == 1)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && tcgetpgrp(fd) == getpgrp())
		return fd;
	seal_close(fd);
	return -1;
}

/* Signals are still blocked: SIGTTOU would stop us. */
static void
enter_group(int terminal)
{
	(void)setpgid(0, 0); /* fails where parent or child has done so before */
	if (terminal >= 0)
		(void)tcsetpgrp(terminal, getpid()); /* then the terminal is gone */
}

static _Noreturn void
run_child(const struct verify_executable *executable, char *const *environment, int terminal,
	  pid_t parent, int out)
{
	struct failure failure;

	enter_group(terminal);
	/* An application without its guard would go on unwatched. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(VERIFY_EXIT_REFUSED);
	reset_signals();
	failure = execute(executable, environment);
	while (write(out, &failure, sizeof(failure)) < 0 && errno == EINTR)
		continue;
	_exit(VERIFY_EXIT_REFUSED);
}

/* 0 when the program executes. */
static int
await_exec(struct verify_supervisor *supervisor, int in, int *ret_exit, struct seal_err *err)
{
	struct failure failure = { .stage = STAGE_READY };
	int status = 0;
	ssize_t n;

	do
		n = read(in, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0; /* it executes, or was killed on the way: its status will say */
	while (waitpid(supervisor->child, &status, 0) < 0 && errno == EINTR)
		continue;
	supervisor->child = 0;
	if (n != (ssize_t)sizeof(failure)) {
		*ret_exit = VERIFY_EXIT_REFUSED;
		return seal_fail(err, SEAL_E_SYSTEM, "cannot tell whether the program was started");
	}
	return tell_failure(failure, ret_exit, err);
}

int
verify_supervisor_start(struct verify_supervisor *supervisor, const struct verify_program *program,
			int *ret_exit, struct seal_err *err)
{
	const pid_t self = getpid();
	SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
	SEAL_SCOPED(seal_closep) int in = -1;
	SEAL_SCOPED(seal_closep) int out = -1;
	int ends[2];
	pid_t child;
	int r = verify_executable_open(&executable, program, ret_exit, err);

	if (r < 0)
		return r;
	*ret_exit = VERIFY_EXIT_REFUSED;
	/* Whose parent dies becomes our child; as process 1 that is so anyway. */
	if (self != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return seal_fail_errno(err, errno, "cannot reap orphans");
	if (supervisor->descent == NULL)
		r = verify_descent_new(&supervisor->descent, err);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return seal_fail_errno(err, errno, "cannot make a pipe");
	in = ends[0];
	out = ends[1];
	supervisor->terminal = open_terminal();
	child = fork();
	if (child < 0)
		return seal_fail_errno(err, errno, "cannot fork");
	if (child == 0)
		run_child(executable, program->environment, supervisor->terminal, self, out);
	supervisor->child = child;
	(void)setpgid(child, child); /* whoever is first; the child may even execute already */
	seal_closep(&out);
	return await_exec(supervisor, in, ret_exit, err);
}

/* ---- Standing in for it ---- */

/* Whatever group or session they are in; whose parent has ended is our child. */
static void
kill_all(const struct verify_supervisor *supervisor)
{
	verify_descent_kill(supervisor->descent, getpid());
}

static void
end_with(struct verify_supervisor *supervisor, int status)
{
	supervisor->is_over = true;
	supervisor->child = 0;
	if (!supervisor->is_stopping)
		supervisor->exit = WIFEXITED(status) ? WEXITSTATUS(status)
						     : VERIFY_EXIT_SIGNAL + WTERMSIG(status);
	else
		kill_all(supervisor); /* who is left of it; nobody, usually */
	if (supervisor->terminal >= 0)
		(void)tcsetpgrp(supervisor->terminal, getpgrp()); /* then it is gone, too */
}

/* SIGCHLD is told once for many. */
static void
reap(struct verify_supervisor *supervisor)
{
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == supervisor->child)
			end_with(supervisor, status);
}

/* Before there is anybody to pass them on to, signals that end programs end us. */
static void
take_early(struct verify_supervisor *supervisor, int sig)
{
	if (sig != SIGTERM && sig != SIGINT && sig != SIGHUP && sig != SIGQUIT)
		return;
	supervisor->is_over = true;
	supervisor->exit = VERIFY_EXIT_SIGNAL + sig;
}

/*
 * The kernel raises some for what we do ourselves: SIGPIPE when nobody reads our log.  What comes from a
 * terminal or from a process is meant for the program.
 */
static bool
is_for_program(const struct signalfd_siginfo *told)
{
	switch (told->ssi_signo) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGTERM:
	case SIGTSTP:
	case SIGCONT:
	case SIGWINCH:
		return true;
	default:
		/* SI_USER, SI_QUEUE, SI_TKILL: sent by a process, as the kernel says of SIGPIPE, too. */
		return told->ssi_code <= 0 && (pid_t)told->ssi_pid != getpid();
	}
}

static void
take(struct verify_supervisor *supervisor, const struct signalfd_siginfo *told)
{
	const int sig = (int)told->ssi_signo;

	if (supervisor->is_over)
		return;
	if (sig == SIGCHLD)
		reap(supervisor);
	else if (supervisor->is_stopping && sig == SIGALRM)
		kill_all(supervisor);
	else if (supervisor->child == 0)
		take_early(supervisor, sig);
	else if (is_for_program(told))
		(void)kill(supervisor->child, sig); /* its end, if that is why, is told next */
}

/* ---- Ending it ---- */

/* The kernel reminds us by a signal, which is told like all others. */
void
verify_supervisor_stop(struct verify_supervisor *supervisor, int code)
{
	if (supervisor->is_over || supervisor->child == 0 || supervisor->is_stopping)
		return;
	supervisor->exit = code;
	supervisor->is_stopping = true;
	(void)alarm(VERIFY_STOP_S);
	(void)kill(-supervisor->child, SIGTERM); /* it may be gone already: that is told next */
	(void)kill(-supervisor->child, SIGCONT); /* who was stopped would not hear it */
}

bool
verify_supervisor_is_stopping(const struct verify_supervisor *supervisor)
{
	return supervisor->is_stopping;
}

bool
verify_supervisor_step(struct verify_supervisor *supervisor)
{
	struct signalfd_siginfo told;

	while (read(supervisor->fd, &told, sizeof(told)) == (ssize_t)sizeof(told))
		take(supervisor, &told);
	return !supervisor->is_over;
}
