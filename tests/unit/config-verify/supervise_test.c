/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/supervise: how programs are started and how they end.  Each test is a process of its own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "config-verify/supervise.h"

static char *const no_variables[] = { NULL };

static int
start(struct verify_supervisor *supervisor, const char *command, const char *argument,
      const char *cwd, int *ret_exit)
{
	/* execve takes what it only reads. */
	char *const argv[] = { (char *)(uintptr_t)command, (char *)(uintptr_t) "-c",
			       (char *)(uintptr_t)argument, NULL };
	const struct verify_program program = {
		.argv = argv,
		.environment = no_variables,
		.path = "relative::/nonexistent:/usr/bin:/bin",
		.cwd = cwd,
	};

	return verify_supervisor_start(supervisor, &program, ret_exit, NULL);
}

static int
await_end(struct verify_supervisor *supervisor)
{
	struct pollfd polled = { .fd = verify_supervisor_fd(supervisor), .events = POLLIN };

	do
		cr_assert_gt(poll(&polled, 1, 20000), 0, "it does not end");
	while (verify_supervisor_step(supervisor));
	return verify_supervisor_exit(supervisor);
}

static void
expect_end(const char *script, int want)
{
	struct verify_supervisor *supervisor = NULL;
	int code = -1;

	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	cr_assert_eq(start(supervisor, "/bin/sh", script, "/", &code), 0);
	code = await_end(supervisor);
	cr_expect_eq(code, want, "%s: %d", script, code);
	verify_supervisor_free(supervisor);
}

Test(verify_supervise, the_end_of_a_program_is_told_as_a_shell_tells_it)
{
	expect_end("exit 0", 0);
	expect_end("exit 42", 42);
	expect_end("kill -TERM $$", 128 + SIGTERM);
	expect_end("kill -KILL $$", 128 + SIGKILL);
}

static void
expect_no_start(const char *command, const char *cwd, int want)
{
	struct verify_supervisor *supervisor = NULL;
	int code = -1;

	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	cr_expect_lt(start(supervisor, command, "true", cwd, &code), 0, "%s in %s", command, cwd);
	cr_expect_eq(code, want, "%s in %s: %d", command, cwd, code);
	cr_expect_not(verify_supervisor_is_over(supervisor));
	errno = 0;
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
	verify_supervisor_free(supervisor);
}

Test(verify_supervise, what_cannot_be_executed_leaves_nothing)
{
	expect_no_start("/nonexistent", "/", VERIFY_EXIT_NOT_FOUND);
	expect_no_start("no-such-program", "/", VERIFY_EXIT_NOT_FOUND);
	expect_no_start("", "/", VERIFY_EXIT_CANNOT);
	expect_no_start("/etc/passwd", "/", VERIFY_EXIT_CANNOT);
	expect_no_start("/etc", "/", VERIFY_EXIT_CANNOT);
	expect_no_start("/bin/sh", "/nonexistent", VERIFY_EXIT_REFUSED);
	expect_no_start("/bin/sh", "/etc/passwd", VERIFY_EXIT_REFUSED);
}

Test(verify_supervise, a_name_is_looked_for_where_the_path_says_in_absolute_places)
{
	struct verify_supervisor *supervisor = NULL;
	int code = -1;

	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	cr_assert_eq(start(supervisor, "sh", "exit 5", "/", &code), 0);
	cr_expect_eq(await_end(supervisor), 5);
	verify_supervisor_free(supervisor);
	/* "" and "relative" are places the application could fill. */
	expect_no_start("group", "/etc", VERIFY_EXIT_NOT_FOUND);
}

Test(verify_supervise, signals_before_there_is_a_program_end_us_and_others_do_not)
{
	static const int ending[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	static const int others[] = { SIGUSR1, SIGWINCH, SIGCHLD, SIGPIPE };

	for (size_t i = 0; i < SEAL_COUNT(ending); i++) {
		struct verify_supervisor *supervisor = NULL;

		cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
		cr_expect(verify_supervisor_step(supervisor));
		(void)kill(getpid(), others[i]);
		cr_expect(verify_supervisor_step(supervisor), "signal %d", others[i]);
		(void)kill(getpid(), ending[i]);
		cr_expect_not(verify_supervisor_step(supervisor), "signal %d", ending[i]);
		cr_expect_eq(verify_supervisor_exit(supervisor), 128 + ending[i]);
		verify_supervisor_free(supervisor);
	}
}

Test(verify_supervise, signals_that_were_ignored_or_blocked_are_not_for_the_program)
{
	sigset_t blocked;

	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGUSR1);
	cr_assert_eq(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	expect_end("kill -TERM $$; exit 3", 128 + SIGTERM);
	expect_end("kill -USR1 $$; exit 3", 128 + SIGUSR1);
}

/* Start it, stop it with code 77 and wait for its end. */
static int
stop_it(const char *script)
{
	struct verify_supervisor *supervisor = NULL;
	int code = -1;

	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	cr_assert_eq(start(supervisor, "/bin/sh", script, "/", &code), 0);
	cr_expect_not(verify_supervisor_is_stopping(supervisor));
	verify_supervisor_stop(supervisor, 77);
	cr_expect(verify_supervisor_is_stopping(supervisor));
	code = await_end(supervisor);
	verify_supervisor_free(supervisor);
	return code;
}

Test(verify_supervise, what_is_stopped_ends_with_the_code_it_is_stopped_with)
{
	cr_expect_eq(stop_it("exec sleep 60"), 77);
	cr_expect_eq(stop_it("kill -STOP $$; sleep 60"), 77, "a stopped one is woken to hear it");
}

Test(verify_supervise, what_does_not_heed_is_killed_in_time)
{
	struct timespec begin, end;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	cr_expect_eq(stop_it("trap '' TERM; echo >/dev/null; while :; do sleep 1; done"), 77);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	cr_expect_leq(end.tv_sec - begin.tv_sec, VERIFY_STOP_S + 2);
}

/* A grandchild in a session of its own, whose parent has ended, and which heeds nothing. */
#define DAEMON                                                                                     \
	"(setsid sh -c 'trap \"\" TERM HUP; echo $$ >tmp && mv tmp pid; exec sleep 60 >&- 2>&-' "  \
	"&); "

static pid_t
await_daemon(const char *dir)
{
	char path[64];
	long pid = 0;
	FILE *in;

	(void)snprintf(path, sizeof(path), "%s/pid", dir);
	while ((in = fopen(path, "r")) == NULL)
		(void)usleep(1000);
	cr_assert_eq(fscanf(in, "%ld", &pid), 1);
	cr_assert_eq(fclose(in), 0);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(kill((pid_t)pid, 0), 0);
	return (pid_t)pid;
}

static void
expect_no_daemon_after(const char *script)
{
	struct verify_supervisor *supervisor = NULL;
	char dir[] = "/tmp/supervise-test-XXXXXX";
	int code = -1;
	pid_t pid;

	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	cr_assert_eq(start(supervisor, "/bin/sh", script, dir, &code), 0);
	pid = await_daemon(dir);
	verify_supervisor_stop(supervisor, 77);
	cr_expect_eq(await_end(supervisor), 77);
	verify_supervisor_free(supervisor);
	code = kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0; /* not even a zombie */
	if (code != 0)
		(void)kill(pid, SIGKILL);
	cr_expect_eq(code, 0, "it goes on: %s", script);
	cr_expect_eq(rmdir(dir), 0);
}

Test(verify_supervise, nothing_that_what_is_stopped_has_started_goes_on)
{
	expect_no_daemon_after(DAEMON "exec sleep 60");
	expect_no_daemon_after(DAEMON "trap '' TERM; while :; do sleep 1; done");
}

Test(verify_supervise, a_signal_that_we_raise_by_writing_to_nobody_is_not_for_the_program)
{
	struct verify_supervisor *supervisor = NULL;
	int code = -1;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	cr_assert_eq(start(supervisor, "/bin/sh", "sleep 1; exit 5", "/", &code), 0);
	cr_assert_eq(close(ends[0]), 0);
	cr_assert_lt(write(ends[1], "x", 1), 0);
	cr_expect_eq(await_end(supervisor), 5);
	verify_supervisor_free(supervisor);
}

Test(verify_supervise, what_is_over_is_not_stopped)
{
	struct verify_supervisor *supervisor = NULL;
	int code = -1;

	cr_assert_eq(verify_supervisor_new(&supervisor, NULL), 0);
	verify_supervisor_stop(supervisor, 77);
	cr_expect_not(verify_supervisor_is_stopping(supervisor), "nothing was started");
	cr_assert_eq(start(supervisor, "/bin/sh", "exit 5", "/", &code), 0);
	cr_expect_eq(await_end(supervisor), 5);
	verify_supervisor_stop(supervisor, 77);
	cr_expect_eq(verify_supervisor_exit(supervisor), 5);
	verify_supervisor_free(supervisor);
}
