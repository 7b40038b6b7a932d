/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes whose writer is killed, at every system call and at random; readers who look all the while;
 * and a process of the same user that swaps everything it can for links that lead outside.
 */

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/names/names.h"
#include "tests/support/place.h"
#include "tests/unit/config-verify/volume_rig.h"

TestSuite(volume_kill, .init = place_enter, .fini = place_leave);

#define RUN(test, options) rig_run(#test, options, test)

/* How many random kills; make check-volume asks for more. */
static unsigned
wanted_kills(void)
{
	const char *text = getenv("SEAL_VOLUME_KILLS");
	uint64_t kills = 100;

	if (text != NULL)
		MUST(seal_number_parse(text, 1, 10000000, &kills, NULL) == 0);
	return (unsigned)kills;
}

/* ---- At every system call ---- */

static void
wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		MUST(errno == EINTR);
}

/*
 * Run work in a child that is killed at its n-th stop before or behind a system call.  False: it ended
 * before that.
 */
static bool
kill_at(unsigned n, void (*work)(unsigned), unsigned arg)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (pid == 0) {
		MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
		(void)raise(SIGSTOP);
		work(arg);
		_exit(0);
	}
	wait_for(pid, &status);
	MUST(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	for (unsigned i = 0; i < n; i++) {
		MUST(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
		wait_for(pid, &status);
		if (!WIFSTOPPED(status)) {
			MUST(WIFEXITED(status) && WEXITSTATUS(status) == 0);
			return false;
		}
		MUST(WSTOPSIG(status) == SIGTRAP);
	}
	MUST(kill(pid, SIGKILL) == 0);
	wait_for(pid, &status);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return true;
}

static void
publish_work(unsigned n)
{
	MUST(rig_publish(n) == 0);
}

/* From version from to version to, killed everywhere; with or without tidying up in between. */
static unsigned
kill_everywhere(unsigned from, bool tidy)
{
	unsigned n = 1;
	unsigned old = 0;
	unsigned new = 0;

	for (bool killed = true; killed; n++) {
		unsigned now;

		if (from != 0 && (tidy || n == 1))
			MUST(rig_publish(from) == 0);
		if (from == 0) { /* nothing was there before */
			(void)unlinkat(rig_top, "..data", 0);
			verify_volume_close(rig_open());
		}
		killed = kill_at(n, publish_work, from + 1);
		now = rig_read();
		MUST(now == from || now == from + 1);
		MUST(killed || now == from + 1);
		old += now == from;
		new += now == from + 1;
		if (tidy) {
			verify_volume_close(rig_open());
			MUST(rig_read() == now && strcmp(rig_list(), rig_listing(now)) == 0);
		}
		MUST(n < 10000);
	}
	MUST(old > 50 && new > 5);
	return n;
}

static void
is_killed_at_every_call(void *arg)
{
	unsigned stops;

	(void)arg;
	stops = kill_everywhere(1, true);
	stops += kill_everywhere(2, true);
	stops += kill_everywhere(0, true);
	fprintf(stderr, "killed at %u stops\n", stops);
}

Test(volume_kill, leaves_one_whole_version_wherever_its_writer_is_killed)
{
	RUN(is_killed_at_every_call, "");
}

static void
prepare_mess(void)
{
	static const char *const dirs[] = { "..mess", "..mess/a", "..mess/a/b", "..mess/c" };
	static const char *const files[] = { "..mess/a/b/f", "..mess/c/f", "..mess/f" };

	for (size_t i = 0; i < SEAL_COUNT(dirs); i++)
		MUST(mkdirat(rig_top, dirs[i], 0700) == 0 || errno == EEXIST);
	for (size_t i = 0; i < SEAL_COUNT(files); i++)
		MUST(mknodat(rig_top, files[i], S_IFREG | 0400, 0) == 0 || errno == EEXIST);
	MUST(symlinkat("..mess", rig_top, "..data_tmp") == 0 || errno == EEXIST);
	MUST(symlinkat("..data/gone", rig_top, "gone") == 0 || errno == EEXIST);
}

static void
open_work(unsigned n)
{
	(void)n;
	verify_volume_close(rig_open());
}

static void
is_killed_while_sweeping(void *arg)
{
	bool killed = true;

	(void)arg;
	MUST(rig_publish(1) == 0);
	for (unsigned n = 1; killed; n++) {
		prepare_mess();
		killed = kill_at(n, open_work, 0);
		MUST(rig_read() == 1 && n < 10000);
		verify_volume_close(rig_open());
		MUST(rig_read() == 1 && strcmp(rig_list(), rig_listing(1)) == 0);
	}
}

Test(volume_kill, is_swept_by_the_next_wherever_a_sweep_is_killed)
{
	RUN(is_killed_while_sweeping, "");
}

/* ---- At random, with readers ---- */

/* What readers report, in memory that they share with us. */
struct reports {
	volatile unsigned versions; /* times that the version was another */
	volatile unsigned reads;
};

static struct reports *
share(void)
{
	struct reports *reports = mmap(NULL, sizeof(*reports), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(reports != MAP_FAILED);
	return reports;
}

static pid_t
start_reader(struct reports *reports)
{
	pid_t pid = fork();
	unsigned last = 0;

	MUST(pid >= 0);
	while (pid == 0) {
		unsigned now =
			rig_read(); /* ends this process at the first half or mixed version */

		MUST(now == 0 || now >= last); /* versions do not come back */
		(void)rig_read_name("a");
		(void)rig_read_name("b");
		reports->versions += now > last;
		reports->reads += 1;
		last = now > last ? now : last;
	}
	return pid;
}

static void
stop(pid_t pid)
{
	int status;

	MUST(kill(pid, SIGKILL) == 0);
	wait_for(pid, &status);
	MUST(WIFSIGNALED(status)); /* it had nothing to complain of until then */
}

static void
is_read_meanwhile(void *arg)
{
	struct reports *reports[2] = { share(), share() };
	pid_t readers[2] = { start_reader(reports[0]), start_reader(reports[1]) };
	struct verify_volume *volume = rig_open();
	unsigned n = 0;

	(void)arg;
	while (n < 500 || reports[0]->versions < 50 || reports[1]->versions < 50) {
		MUST(rig_publish_in(volume, ++n) == 0 && n < 1000000);
		MUST(waitpid(-1, NULL, WNOHANG) == 0);
	}
	stop(readers[0]);
	stop(readers[1]);
	verify_volume_close(volume);
}

Test(volume_kill, shows_readers_whole_versions_only)
{
	RUN(is_read_meanwhile, "");
}

static pid_t
start_writer(unsigned n)
{
	pid_t pid = fork();
	struct verify_volume *volume;

	MUST(pid >= 0);
	if (pid != 0)
		return pid;
	volume = rig_open();
	for (;;)
		MUST(rig_publish_in(volume, ++n) == 0);
}

static void
is_killed_at_random(void *arg)
{
	struct reports *reports = share();
	pid_t reader = start_reader(reports);
	unsigned kills = wanted_kills();
	unsigned n = 0;

	(void)arg;
	srandom((unsigned)getpid());
	for (unsigned i = 0; i < kills; i++) {
		pid_t writer = start_writer(n);
		unsigned now;

		(void)usleep((useconds_t)(random() % 5000));
		stop(writer);
		MUST(waitpid(reader, NULL, WNOHANG) == 0);
		now = rig_read();
		MUST(now >= n);
		n = now;
		if (i % 2 == 0) { /* otherwise the next writer's open is what tidies up */
			verify_volume_close(rig_open());
			MUST(rig_read() == n && strcmp(rig_list(), rig_listing(n)) == 0);
		}
	}
	stop(reader);
	fprintf(stderr, "%u kills, %u versions, a reader saw %u in %u looks\n", kills, n,
		reports->versions, reports->reads);
	MUST(n > kills / 10 && reports->reads > 10);
}

Test(volume_kill, leaves_one_whole_version_whenever_its_writer_is_killed)
{
	RUN(is_killed_at_random, "");
}

/* ---- Raced ---- */

static unsigned links; /* that the attacker made */

static void
swap(int dir, const char *name, unsigned round)
{
	char aside[64];

	(void)snprintf(aside, sizeof(aside), "..taken-%u", round);
	if (renameat(dir, name, rig_top, aside) == 0)
		links += symlinkat(rig_outside, dir, name) == 0;
}

/*
 * Whatever appears in the volume is moved aside, and a link outside takes its place.  Aside is where the
 * sweep looks, so that it is raced too.
 */
static void
attack(void)
{
	for (unsigned round = 0;; round++) {
		DIR *entries = fdopendir(openat(rig_top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		struct dirent *entry;

		if (entries == NULL)
			_exit(1);
		while ((entry = readdir(entries)) != NULL) {
			int dir;

			if (strncmp(entry->d_name, "..", 2) != 0 || entry->d_name[2] == '\0')
				continue;
			dir = openat(rig_top, entry->d_name,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			switch (round % 4) {
			case 0:
				swap(rig_top, entry->d_name, round);
				break;
			case 1:
				swap(dir, "dir", round);
				break;
			case 2:
				links += symlinkat(rig_path(rig_outside, "new"), dir, "b") == 0;
				break;
			default:
				swap(rig_top, "..data", round);
			}
			if (dir >= 0)
				(void)close(dir);
		}
		(void)closedir(entries);
	}
}

static void
is_raced(void *arg)
{
	pid_t attacker = fork();
	struct verify_volume *volume;
	unsigned hit = 0;

	(void)arg;
	MUST(attacker >= 0);
	if (attacker == 0)
		attack();
	volume = rig_open();
	for (unsigned n = 1; n < 1000 || hit < 20; n++) {
		hit += rig_publish_in(volume, n) < 0;
		rig_must_be_untouched();
		MUST(n < 1000000);
	}
	stop(attacker);
	fprintf(stderr, "%u attempts were spoilt\n", hit);
	MUST(rig_publish_in(volume, 1) == 0 && rig_read() == 1);
	verify_volume_close(volume);
}

Test(volume_kill, writes_nothing_outside_while_somebody_swaps_what_it_makes_for_links)
{
	RUN(is_raced, "size=1g,nr_inodes=1000000");
}
