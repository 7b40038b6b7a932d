/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/deadman and descent: who ends when nothing more is heard.  Each test is a process of its own. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log/log.h"
#include "config-verify/deadman.h"
#include "config-verify/descent.h"

#define SLICE_MS 20
#define SLICES   5

static void
pause_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL);
}

/* A child that sleeps; with a child of its own, in a session of its own, whose parent has ended.  All of them hold out. */
static pid_t
start_family(int out)
{
	const pid_t child = fork();

	if (child == 0) {
		(void)close(STDIN_FILENO); /* whoever reads what tests say does not wait for us */
		(void)close(STDOUT_FILENO);
		(void)close(STDERR_FILENO);
		if (fork() == 0) {
			(void)setsid();
			if (fork() > 0)
				_exit(0);
			for (;;)
				(void)pause();
		}
		while (wait(NULL) < 0 && errno == EINTR)
			continue;
		(void)!write(out, "x", 1); /* all are there */
		for (;;)
			(void)pause();
	}
	return child;
}

struct family {
	int in; /* its end is told when nobody of them is left */
};

static struct family
new_family(void)
{
	struct family family;
	char byte;
	int ends[2];

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	family.in = ends[0];
	cr_assert_gt(start_family(ends[1]), 0);
	cr_assert_eq(close(ends[1]), 0);
	cr_assert_eq(read(family.in, &byte, 1), 1);
	return family;
}

static void
end_family(const struct family *family)
{
	SEAL_SCOPED(verify_descent_freep) struct verify_descent *descent = NULL;
	char byte;

	cr_assert_eq(verify_descent_new(&descent, NULL), 0);
	verify_descent_kill(descent, getpid());
	cr_expect_eq(read(family->in, &byte, 1), 0);
}

static bool
is_gone_within(const struct family *family, int ms)
{
	struct pollfd polled = { .fd = family->in, .events = POLLIN };

	return poll(&polled, 1, ms) > 0;
}

static struct verify_deadman *
new_deadman(void)
{
	struct verify_deadman *deadman = NULL;

	cr_assert_eq(verify_deadman_new(&deadman, SLICE_MS, SLICES, NULL), 0);
	return deadman;
}

/* The only child there is. */
static pid_t
pid_of_deadman(void)
{
	char path[64], text[64];
	FILE *in;
	long pid = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	in = fopen(path, "r");
	if (in == NULL)
		cr_skip_test("a kernel without lists of children");
	cr_assert_not_null(fgets(text, sizeof(text), in));
	cr_assert_eq(fclose(in), 0);
	pid = strtol(text, NULL, 10);
	cr_assert_gt(pid, 1);
	return (pid_t)pid;
}

/* The death or stop of a child is told to a process; here, it is waited for. */
static bool
is_lost_within(struct verify_deadman *deadman, int ms)
{
	for (int waited = 0; waited < ms; waited += 5) {
		if (!verify_deadman_is_there(deadman))
			return true;
		pause_ms(5);
	}
	return false;
}

/* Criterion's own timeouts leak, which counts as ours. */
static void
limit_time(void)
{
	(void)alarm(60);
}

TestSuite(verify_deadman, .init = limit_time);

Test(verify_deadman, silence_ends_all_we_started_wherever_it_is)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = new_deadman();
	const struct family family = new_family();

	verify_deadman_beat(deadman, true);
	cr_expect(is_gone_within(&family, 20000));
	cr_expect(is_lost_within(deadman, 20000), "it has done what it was there for");
}

Test(verify_deadman, whoever_is_heard_of_keeps_all)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = new_deadman();
	const struct family family = new_family();

	for (unsigned i = 0; i < 3 * SLICES; i++) {
		verify_deadman_beat(deadman, true);
		cr_expect_not(is_gone_within(&family, SLICE_MS));
	}
	cr_expect(verify_deadman_is_there(deadman));
	cr_expect(is_gone_within(&family, 20000), "and then is silent");
}

Test(verify_deadman, before_the_first_beat_there_is_no_silence)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = new_deadman();
	const struct family family = new_family();

	cr_expect_not(is_gone_within(&family, 3 * SLICES * SLICE_MS));
	cr_expect(verify_deadman_is_there(deadman));
	end_family(&family);
}

Test(verify_deadman, in_audit_mode_silence_is_told_once_and_nobody_is_killed)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = NULL;
	const struct family family = new_family();
	char text[4096];
	size_t len = 0;
	ssize_t n;
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	deadman = new_deadman();
	verify_deadman_beat(deadman, true);
	verify_deadman_beat(deadman, false);
	cr_expect_not(is_gone_within(&family, 4 * SLICES * SLICE_MS));
	cr_expect(verify_deadman_is_there(deadman));
	while ((n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	cr_assert_not_null(strstr(text, "watch_stalled"), "%s", text);
	cr_expect_not_null(strstr(text, "goes on"), "%s", text);
	cr_expect_eq(strchr(text, '\n'), text + len - 1, "%s", text);
	end_family(&family);
}

Test(verify_deadman, a_log_that_nobody_reads_does_not_keep_it_from_killing)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = NULL;
	const struct family family = new_family();
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], "x", 1) == 1)
		continue;
	cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	seal_log_set_patience(10);
	deadman = new_deadman();
	verify_deadman_beat(deadman, true);
	cr_expect(is_gone_within(&family, 20000));
	cr_expect(is_lost_within(deadman, 20000));
}

Test(verify_deadman, a_freeze_of_all_is_no_silence)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = NULL;
	pid_t pid;

	cr_assert_eq(verify_deadman_new(&deadman, 200, 5, NULL), 0);
	pid = pid_of_deadman();
	verify_deadman_beat(deadman, true);
	/* It is as for a machine: the deadline of its poll is long over when it goes on. */
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	pause_ms(2000);
	cr_assert_eq(kill(pid, SIGCONT), 0);
	pause_ms(300);
	verify_deadman_beat(deadman, true);
	pause_ms(300);
	cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0, "it has not ended");
}

Test(verify_deadman, its_end_and_its_stop_are_noticed)
{
	struct verify_deadman *deadman = new_deadman();
	pid_t pid = pid_of_deadman();

	verify_deadman_beat(deadman, true);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_expect(is_lost_within(deadman, 20000));
	verify_deadman_beat(deadman, true); /* and no signal comes of it */
	verify_deadman_free(deadman);
	deadman = new_deadman();
	pid = pid_of_deadman();
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_expect(is_lost_within(deadman, 20000));
	verify_deadman_free(deadman);
	cr_expect(kill(pid, 0) < 0 && errno == ESRCH, "one that was stopped can be ended");
}

Test(verify_deadman, nothing_of_it_is_left_when_it_is_freed)
{
	struct verify_deadman *deadman = new_deadman();

	verify_deadman_beat(deadman, true);
	verify_deadman_free(deadman);
	errno = 0;
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	/* Reaped by whoever reaps all: its number is not touched. */
	deadman = new_deadman();
	cr_assert_eq(kill(pid_of_deadman(), SIGKILL), 0);
	cr_assert_gt(waitpid(-1, NULL, 0), 0);
	cr_expect_not(verify_deadman_is_there(deadman));
	verify_deadman_free(deadman);
}

/* It ends when we do: another process stands for us. */
Test(verify_deadman, it_does_not_outlive_us)
{
	int ends[2];
	struct pollfd polled;
	pid_t us;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	cr_assert_eq(pipe2(ends, 0), 0);
	us = fork();
	if (us == 0) {
		cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO); /* it keeps this */
		verify_deadman_beat(new_deadman(), true);
		cr_assert_eq(close(ends[1]), 0);
		_exit(0);
	}
	cr_assert_eq(close(ends[1]), 0);
	polled = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	cr_expect_gt(poll(&polled, 1, 20000), 0);
	cr_expect_eq(waitpid(us, NULL, 0), us);
	cr_expect_gt(waitpid(-1, NULL, 0), 0, "and its end is told to who reaps orphans");
}

Test(verify_deadman, it_has_no_descriptor_of_ours_no_terminal_and_heeds_nobody)
{
	SEAL_SCOPED(verify_deadman_freep) struct verify_deadman *deadman = NULL;
	static const int others[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1 };
	const struct dirent *entry;
	unsigned open_ones = 0;
	char path[64];
	struct stat st;
	int secret[2];
	pid_t pid;
	DIR *fds;

	cr_assert_eq(pipe(secret), 0);
	deadman = new_deadman();
	pid = pid_of_deadman();
	for (unsigned i = 0; getsid(pid) != pid && i < 1000; i++)
		pause_ms(5);
	cr_expect_eq(getsid(pid), pid);
	for (size_t i = 0; i < SEAL_COUNT(others); i++)
		cr_assert_eq(kill(pid, others[i]), 0);
	cr_expect_not(is_lost_within(deadman, 100));
	(void)snprintf(path, sizeof(path), "/proc/%ld/mem", (long)pid);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_uid, 0, "who can be dumped belongs to his user");
	(void)snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	fds = opendir(path);
	if (fds == NULL)
		cr_skip_test("needs root, to look into a process that is not dumpable");
	while ((entry = readdir(fds)) != NULL)
		open_ones += entry->d_name[0] != '.';
	cr_expect_eq(open_ones, 3, "%u descriptors: not standard error, us and /proc", open_ones);
	cr_assert_eq(closedir(fds), 0);
}

Test(verify_deadman, as_process_1_all_others_of_its_namespace_end)
{
	int ends[2];
	struct pollfd polled;
	int status = 0;
	pid_t init;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		cr_skip_test("needs root, for a namespace of processes");
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	init = fork();
	if (init == 0) {
		struct verify_deadman *deadman = NULL;
		const int none = open("/dev/null", O_WRONLY);

		(void)dup2(none, STDERR_FILENO);
		if (system("mount --make-rprivate / && mount -t proc proc /proc") != 0 ||
		    verify_deadman_new(&deadman, SLICE_MS, SLICES, NULL) < 0)
			_exit(77);
		(void)start_family(ends[1]);
		(void)close(ends[1]);
		verify_deadman_beat(deadman, true);
		(void)raise(SIGSTOP); /* from within it has no effect: */
		for (;;)
			(void)pause();
	}
	cr_assert_eq(close(ends[1]), 0);
	polled = (struct pollfd){ .fd = ends[0], .events = 0 }; /* POLLHUP: nobody holds it */
	cr_expect_gt(poll(&polled, 1, 20000), 0);
	cr_expect_eq(waitpid(init, &status, WNOHANG), 0, "ended with %d", WEXITSTATUS(status));
	cr_expect_eq(kill(init, SIGKILL), 0);
	cr_expect_eq(waitpid(init, &status, 0), init);
}
