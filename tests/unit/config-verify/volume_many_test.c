/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: many files, no room, signals, deep and endless left-overs. */

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "tests/support/place.h"
#include "tests/unit/config-verify/volume_rig.h"

TestSuite(volume_many, .init = place_enter, .fini = place_leave);

#define RUN(test, options) rig_run(#test, options, test)

static void
publishes_many(void *arg)
{
	static struct verify_file files[VERIFY_MAX_VOLUME_FILES + 1];
	static char names[VERIFY_MAX_VOLUME_FILES + 1][24];
	struct seal_secret *content = rig_secret("one of many", 11);
	struct verify_volume *volume = rig_open();

	(void)arg;
	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		(void)snprintf(names[i], sizeof(names[i]), i % 2 == 0 ? "%zu" : "d%zu/x", i);
		files[i] = (struct verify_file){ names[i], content, 0400 };
	}
	MUST(verify_volume_publish(volume, files, SEAL_COUNT(files), NULL) == SEAL_E_LIMIT);
	MUST(strcmp(rig_list(), "") == 0);
	MUST(verify_volume_publish(volume, files, SEAL_COUNT(files) - 1, NULL) == 0);
	MUST(place_count(rig_top) == VERIFY_MAX_VOLUME_FILES + 2);
	rig_must_hold("99998", "one of many");
	rig_must_hold("d99999/x", "one of many");
	MUST(rig_publish_in(volume, 1) == 0);
	MUST(rig_read() == 1 && strcmp(rig_list(), rig_listing(1)) == 0);
	verify_volume_close(volume);
}

Test(volume_many, holds_a_hundred_thousand_files_and_not_one_more)
{
	RUN(publishes_many, "size=2g,nr_inodes=1000000");
}

static void
refuses_directories_without_end(void *arg)
{
	static struct verify_file files[300];
	static char names[300][4000];
	struct verify_volume *volume = rig_open();

	(void)arg;
	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%03zu", i);
		for (size_t at = 3; at < sizeof(names[i]) - 1; at++)
			names[i][at] = at % 2 == 0 ? 'd' : '/';
		files[i] = (struct verify_file){ names[i], NULL, 0400 };
	}
	MUST(verify_volume_publish(volume, files, SEAL_COUNT(files), NULL) == SEAL_E_LIMIT);
	MUST(strcmp(rig_list(), "") == 0);
	verify_volume_close(volume);
}

Test(volume_many, bounds_directories_and_files_together)
{
	RUN(refuses_directories_without_end, "size=2g,nr_inodes=1000000");
}

/* ---- No room ---- */

/* All but so many pages, or inodes, are taken. */
static void
leave_room(unsigned left, bool inodes)
{
	static char page[4096];
	char name[32];
	struct statfs fs;
	int fd;

	MUST(mkdirat(rig_top, "ballast", 0700) == 0);
	fd = openat(rig_top, "ballast/pages", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	MUST(fd >= 0 && fstatfs(fd, &fs) == 0);
	for (unsigned i = 0; inodes && fs.f_ffree > left; i++) {
		(void)snprintf(name, sizeof(name), "ballast/%u", i);
		MUST(mknodat(rig_top, name, S_IFREG | 0600, 0) == 0 && fstatfs(fd, &fs) == 0);
	}
	while (!inodes && fs.f_bfree > left) {
		MUST(write(fd, page, sizeof(page)) == sizeof(page) && fstatfs(fd, &fs) == 0);
	}
	MUST(close(fd) == 0);
}

static void
make_room(void)
{
	char command[PATH_MAX];

	(void)snprintf(command, sizeof(command), "rm -rf '%s/ballast'", rig_volume);
	MUST(system(command) == 0);
}

/* Version 2 in a volume that has room for more and more of it. */
static void
fill_up(bool inodes, unsigned at_least)
{
	struct verify_volume *volume = rig_open();
	struct statfs before;
	struct statfs after;
	unsigned left = 0;
	int r;

	MUST(rig_publish_in(volume, 1) == 0);
	for (r = -1; r != 0; left++) {
		leave_room(left, inodes);
		MUST(fstatfs(rig_top, &before) == 0);
		r = rig_publish_in(volume, 2);
		MUST(fstatfs(rig_top, &after) == 0);
		MUST(r == 0 || r == SEAL_E_SYSTEM);
		if (r < 0) {
			MUST(before.f_bfree == after.f_bfree && before.f_ffree == after.f_ffree);
			MUST(rig_read() == 1);
			MUST(strcmp(rig_list(), "..V ..data a b ballast dir odd ") == 0);
		}
		make_room();
		MUST(left < 1000);
	}
	MUST(left > at_least);
	MUST(rig_read() == 2 && strcmp(rig_list(), rig_listing(2)) == 0);
	verify_volume_close(volume);
}

static void
runs_out_of_pages(void *arg)
{
	(void)arg;
	fill_up(false, 4);
}

static void
runs_out_of_inodes(void *arg)
{
	(void)arg;
	fill_up(true, 7); /* a version, 4 files, 2 directories, 1 new link, ..data */
}

Test(volume_many, changes_nothing_and_leaves_nothing_when_there_is_no_room)
{
	RUN(runs_out_of_pages, "size=256k");
	RUN(runs_out_of_inodes, "size=1m,nr_inodes=100");
}

static void
first_runs_out_of_inodes(void *arg)
{
	struct verify_volume *volume = rig_open();
	struct statfs fs;

	(void)arg;
	MUST(rig_publish_in(volume, 1) == SEAL_E_SYSTEM);
	MUST(strcmp(rig_list(), "") == 0 && rig_read() == 0);
	MUST(fstatfs(rig_top, &fs) == 0 && fs.f_files - fs.f_ffree == 1);
	verify_volume_close(volume);
}

Test(volume_many, leaves_nothing_of_a_first_version_that_does_not_fit)
{
	RUN(first_runs_out_of_inodes, "size=1m,nr_inodes=3");
	RUN(first_runs_out_of_inodes, "size=1m,nr_inodes=7");
	RUN(first_runs_out_of_inodes, "size=1m,nr_inodes=9");
}

static void
runs_out_of_descriptors(void *arg)
{
	struct verify_volume *volume = rig_open();
	struct rlimit limit = { 0, 0 };
	unsigned failed = 0;
	int free_fd = dup(rig_top);
	int r = -1;

	(void)arg;
	MUST(close(free_fd) == 0 && rig_publish_in(volume, 1) == 0);
	for (rlim_t more = 0; r != 0; more++, failed++) {
		MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
		limit.rlim_cur = (rlim_t)free_fd + more;
		MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		r = rig_publish_in(volume, 2);
		limit.rlim_cur = limit.rlim_max;
		MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		MUST(rig_read() == (r == 0 ? 2 : 1)); /* and never removed for want of looking */
	}
	MUST(failed > 2);
	verify_volume_close(volume);
	verify_volume_close(rig_open());
	MUST(rig_read() == 2 && strcmp(rig_list(), rig_listing(2)) == 0);
}

Test(volume_many, keeps_its_version_when_descriptors_run_out)
{
	RUN(runs_out_of_descriptors, "");
}

/* ---- Signals ---- */

static volatile sig_atomic_t pelted;

static void
count_signal(int signo)
{
	(void)signo;
	pelted = pelted + 1;
}

static void
is_pelted(void *arg)
{
	const struct sigaction action = { .sa_handler = count_signal }; /* no SA_RESTART */
	const struct itimerval often = { { 0, 50 }, { 0, 50 } };
	struct verify_volume *volume = rig_open();
	unsigned n;

	(void)arg;
	MUST(sigaction(SIGALRM, &action, NULL) == 0);
	MUST(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (n = 1; n <= 300 || pelted < 200; n++) {
		MUST(rig_publish_in(volume, n) == 0);
		MUST(rig_read() == n && strcmp(rig_list(), rig_listing(n)) == 0);
		MUST(n < 1000000);
	}
	verify_volume_close(volume);
}

Test(volume_many, does_not_mind_signals)
{
	RUN(is_pelted, "");
}

/* ---- Left-overs ---- */

static void
goes_deep(void *arg)
{
	int at = openat(rig_top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int next;

	(void)arg;
	MUST(mkdirat(at, "..deep", 0700) == 0);
	for (unsigned i = 0; i < 50000; i++) {
		next = openat(at, i == 0 ? "..deep" : "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(next >= 0 && close(at) == 0);
		MUST(mkdirat(next, "d", 0700) == 0 && symlinkat(rig_outside, next, "l") == 0);
		at = next;
	}
	MUST(close(at) == 0);
	verify_volume_close(rig_open());
	MUST(strcmp(rig_list(), "") == 0);
}

Test(volume_many, removes_left_overs_nested_deeper_than_any_path)
{
	RUN(goes_deep, "size=2g,nr_inodes=1000000");
}

static void
meets_immovable_left_overs(void *arg)
{
	(void)arg;
	MUST(mkdirat(rig_top, "..theirs", 0700) == 0);
	MUST(mknodat(rig_top, "..theirs/file", S_IFREG | 0600, 0) == 0);
	child_become_nobody();
	MUST(rig_publish(1) ==
	     0); /* root's directory cannot be emptied: it stays, and matters to nobody */
	MUST(rig_read() == 1 && strcmp(rig_list(), "..V ..data ..theirs a b dir odd ") == 0);
}

Test(volume_many, ends_when_left_overs_cannot_be_removed)
{
	RUN(meets_immovable_left_overs, "");
}
