/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/guard: when it looks, and what of a look it tells. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config-verify/guard.h"

/* What the looks find: a rule for each file; NULL ends. */
struct found {
	enum verify_rule rule;
	const char *file;
};

struct eye {
	const struct found *found;
	unsigned looks;
	int fails;
};

static int
look(void *arg, struct verify_findings *findings, struct seal_err *err)
{
	struct eye *eye = arg;

	eye->looks++;
	for (const struct found *at = eye->found; at != NULL && at->file != NULL; at++)
		verify_suspect(findings, at->rule, at->file, 0, "another", "this");
	return eye->fails == 0 ? 0 : seal_fail(err, eye->fails, "no look");
}

static const struct found clean[] = { { 0, NULL } };
static const struct found hosts[] = { { VERIFY_RULE_HOSTS_LOCALHOST, "hosts" }, { 0, NULL } };
static const struct found missing[] = { { VERIFY_RULE_FILE_MISSING, "hosts" }, { 0, NULL } };
static const struct found mounted[] = { { VERIFY_RULE_MOUNT_UNEXPLAINED, "table" }, { 0, NULL } };
static const struct found both[] = { { VERIFY_RULE_HOSTS_LOCALHOST, "hosts" },
				     { VERIFY_RULE_RESOLV_SERVER, "resolv" },
				     { 0, NULL } };
static const struct found missing_and_mounted[] = { { VERIFY_RULE_FILE_MISSING, "hosts" },
						    { VERIFY_RULE_MOUNT_HIDDEN, "table" },
						    { 0, NULL } };

static struct verify_guard *
new_guard(struct eye *eye)
{
	const struct verify_guard_setup setup = { .look = look, .arg = eye };
	struct verify_guard *guard = NULL;

	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	return guard;
}

/* The number told by a step at that time. */
static int
step(struct verify_guard *guard, uint64_t now)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *fresh = NULL;
	int r;

	cr_assert_eq(verify_findings_new(&fresh, NULL), 0);
	r = verify_guard_step(guard, now, fresh, NULL);
	cr_expect(r < 0 || verify_findings_count(fresh) == (size_t)r);
	return r;
}

/* Criterion's own timeouts leak, which counts as ours. */
static void
limit_time(void)
{
	(void)alarm(60);
}

TestSuite(verify_guard, .init = limit_time);

Test(verify_guard, it_looks_at_once_and_then_in_periods)
{
	struct eye eye = { .found = clean };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(verify_guard_patience(guard, 1000), 0);
	cr_expect_eq(step(guard, 1000), 0);
	cr_expect_eq(eye.looks, 1);
	cr_expect_eq(verify_guard_patience(guard, 1000), VERIFY_GUARD_PERIOD_MS);
	cr_expect_eq(step(guard, 1000 + VERIFY_GUARD_PERIOD_MS - 1), 0);
	cr_expect_eq(eye.looks, 1);
	cr_expect_eq(step(guard, 1000 + VERIFY_GUARD_PERIOD_MS), 0);
	cr_expect_eq(eye.looks, 2);
}

Test(verify_guard, what_is_told_is_looked_at_soon_and_telling_without_end_does_not_put_it_off)
{
	struct eye eye = { .found = clean };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(step(guard, 1000), 0);
	for (uint64_t now = 5000; now < 5000 + VERIFY_GUARD_SETTLE_MS; now += 10) {
		verify_guard_nudge(guard, now);
		cr_expect_eq(step(guard, now), 0);
		cr_expect_eq(eye.looks, 1);
	}
	cr_expect_eq(step(guard, 5000 + VERIFY_GUARD_SETTLE_MS), 0);
	cr_expect_eq(eye.looks, 2);
}

Test(verify_guard, a_mount_counts_at_once)
{
	struct eye eye = { .found = mounted };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(step(guard, 1000), 1);
	eye.found = missing_and_mounted;
	cr_expect_eq(step(guard, 1000 + VERIFY_GUARD_PERIOD_MS), 2);
}

Test(verify_guard, what_a_file_says_counts_when_it_is_said_twice)
{
	struct eye eye = { .found = hosts };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(step(guard, 1000), 0);
	cr_expect_eq(verify_guard_patience(guard, 1000), VERIFY_GUARD_SETTLE_MS);
	cr_expect_eq(step(guard, 1000 + VERIFY_GUARD_SETTLE_MS), 1);
}

Test(verify_guard, kubelet_rewriting_a_file_is_no_finding)
{
	struct eye eye = { .found = hosts };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(step(guard, 1000), 0);
	eye.found = clean;
	cr_expect_eq(step(guard, 1100), 0);
	cr_expect_eq(verify_guard_patience(guard, 1100), VERIFY_GUARD_PERIOD_MS);
}

Test(verify_guard, a_file_may_be_missing_for_as_long_as_a_rotation_takes)
{
	struct eye eye = { .found = missing };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);
	uint64_t now = 1000;

	for (; now < 1000 + VERIFY_GUARD_ROTATE_MS; now += VERIFY_GUARD_SETTLE_MS)
		cr_expect_eq(step(guard, now), 0);
	cr_expect_eq(step(guard, now), 1);
}

Test(verify_guard, who_changes_things_to_and_fro_is_found)
{
	struct eye eye = { .found = hosts };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);
	uint64_t now = 1000;
	int told = 0;

	for (unsigned i = 0; i < 40 && told == 0; i++) {
		eye.found = i % 2 == 0 ? hosts : clean;
		told = step(guard, now);
		verify_guard_nudge(guard, now);
		now += VERIFY_GUARD_SETTLE_MS;
	}
	cr_expect_eq(told, 1);
	cr_expect_lt(now, 1000 + VERIFY_GUARD_PERIOD_MS);
}

Test(verify_guard, what_was_told_is_told_again_only_after_it_was_gone)
{
	struct eye eye = { .found = mounted };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);
	uint64_t now = 1000;

	cr_expect_eq(step(guard, now), 1);
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	eye.found = both;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	cr_expect_eq(step(guard, now += VERIFY_GUARD_SETTLE_MS), 2);
	eye.found = clean;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	eye.found = mounted;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 1);
}

Test(verify_guard, what_is_known_before_is_not_told)
{
	struct eye eye = { .found = both };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *known = NULL;

	cr_assert_eq(verify_findings_new(&known, NULL), 0);
	verify_suspect(known, hosts[0].rule, hosts[0].file, 0, "another", "this");
	verify_guard_know(guard, known);
	cr_expect_eq(step(guard, 1000), 0);
	cr_expect_eq(step(guard, 1100), 1);
}

Test(verify_guard, who_cannot_look_for_a_whole_period_says_so)
{
	struct eye eye = { .found = clean, .fails = SEAL_E_SYSTEM };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(step(guard, 1000), 0);
	cr_expect_leq(verify_guard_patience(guard, 1000), 1000);
	cr_expect_eq(step(guard, 2000), 0);
	eye.fails = 0;
	cr_expect_eq(step(guard, 3000), 0);
	eye.fails = SEAL_E_SYSTEM;
	cr_expect_eq(step(guard, 3000 + VERIFY_GUARD_PERIOD_MS), 0);
	cr_expect_lt(step(guard, 3000 + 2 * VERIFY_GUARD_PERIOD_MS), 0);
}

Test(verify_guard, what_a_look_has_found_before_it_failed_counts)
{
	struct eye eye = { .found = mounted, .fails = SEAL_E_SYSTEM };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);

	cr_expect_eq(step(guard, 1000), 1);
	cr_expect_eq(step(guard, 1100), 0, "it was told");
	eye.found = hosts;
	cr_expect_eq(step(guard, 1200), 0);
	cr_expect_eq(step(guard, 1300), 1);
	eye.found = clean;
	cr_expect_lt(step(guard, 1300 + VERIFY_GUARD_PERIOD_MS), 0, "it is blind all the same");
}

Test(verify_guard, blindness_is_told_once_until_it_can_look_again)
{
	struct eye eye = { .found = clean, .fails = SEAL_E_SYSTEM };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);
	uint64_t now = 1000;

	cr_expect_eq(step(guard, now), 0);
	cr_expect_lt(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	eye.fails = 0;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	eye.fails = SEAL_E_MEMORY;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	cr_expect_lt(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
}

/* Blind time is summed over all looks that were not whole, those that found something among them. */
Test(verify_guard, only_a_whole_look_ends_blindness)
{
	struct eye eye = { .found = mounted, .fails = SEAL_E_SYSTEM };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = new_guard(&eye);
	static const struct found *const turns[] = { clean, mounted, hosts };
	uint64_t now = 1000;
	int r = 0;

	for (unsigned i = 0; r >= 0 && now < 1000 + 2 * VERIFY_GUARD_PERIOD_MS; i++) {
		eye.found = turns[i % SEAL_COUNT(turns)];
		r = step(guard, now);
		now += 1000;
	}
	cr_expect_lt(r, 0);
	cr_expect_leq(now, 1000 + VERIFY_GUARD_PERIOD_MS + 4000);
}

/* ---- More than a list keeps ---- */

static int
look_at_many(void *arg, struct verify_findings *findings, struct seal_err *err)
{
	const size_t *count = arg;

	(void)err;
	for (size_t i = 0; i < *count; i++)
		verify_suspect(findings, VERIFY_RULE_MOUNT_UNEXPLAINED, "table", i + 1, "none",
			       "one");
	return 0;
}

Test(verify_guard, what_is_known_leaves_room_for_what_is_not)
{
	size_t count = VERIFY_MAX_FINDINGS;
	const struct verify_guard_setup setup = { .look = look_at_many, .arg = &count };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = NULL;
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *told = NULL;
	uint64_t now = 1000;

	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	cr_expect_eq(step(guard, now), VERIFY_MAX_FINDINGS);
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	count++;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 1, "one that finds no room");
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0, "is told once");
	count += 2;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 3, "and when there are others");
	count = 1;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	count = VERIFY_MAX_FINDINGS + 3;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), VERIFY_MAX_FINDINGS + 2);
	/* The same from what was told before the start. */
	verify_guard_free(SEAL_TAKE(guard));
	cr_assert_eq(verify_findings_new(&told, NULL), 0);
	cr_assert_eq(look_at_many(&count, told, NULL), 0);
	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	verify_guard_know(guard, told);
	cr_expect_eq(step(guard, now), 0);
	count++;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 4);
}

/* ---- A token that has expired ---- */

struct token {
	const char *expected; /* "a token that …"; NULL: it is as it should be */
	bool has_mount;
};

#define EXPIRED "a token that has not expired" /* as its judge says it, see account_test.c */

static int
look_at_token(void *arg, struct verify_findings *findings, struct seal_err *err)
{
	const struct token *token = arg;

	(void)err;
	if (token->expected != NULL)
		verify_suspect(findings, VERIFY_RULE_TOKEN_TIME, "token", 0, token->expected,
			       "exp 1");
	if (token->has_mount)
		verify_suspect(findings, VERIFY_RULE_MOUNT_UNEXPLAINED, "table", 0, "none", "one");
	return 0;
}

Test(verify_guard, a_token_that_expired_in_its_sleep_may_be_renewed_and_is_found_when_it_is_not)
{
	struct token token = { .expected = EXPIRED };
	const struct verify_guard_setup setup = { .look = look_at_token, .arg = &token };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = NULL;
	uint64_t now = 1000;

	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	cr_expect_eq(step(guard, now), 0);
	cr_expect_eq(verify_guard_patience(guard, now), VERIFY_GUARD_PERIOD_MS, "it is no doubt");
	token.has_mount = true;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 1, "nothing else is excused");
	token.has_mount = false;
	token.expected = NULL;
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0);
	token.expected = EXPIRED;
	now += VERIFY_GUARD_PERIOD_MS;
	for (uint64_t end = now + VERIFY_GUARD_RENEW_MS; now < end; now += VERIFY_GUARD_PERIOD_MS)
		cr_expect_eq(step(guard, now), 0);
	cr_expect_eq(step(guard, now), 0);
	cr_expect_eq(step(guard, now += VERIFY_GUARD_SETTLE_MS), 1);
	cr_expect_eq(step(guard, now += VERIFY_GUARD_PERIOD_MS), 0, "it is told once");
}

Test(verify_guard, a_token_of_another_time_is_not_excused_nor_one_before_the_start)
{
	struct token token = { .expected = "a token that is valid already" };
	const struct verify_guard_setup setup = { .look = look_at_token, .arg = &token };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = NULL;
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	cr_expect_eq(step(guard, 1000), 0);
	cr_expect_eq(step(guard, 1000 + VERIFY_GUARD_SETTLE_MS), 1);
	token.expected = EXPIRED;
	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	cr_assert_eq(look_at_token(&token, findings, NULL), 0);
	cr_expect_eq(verify_guard_grace(findings), VERIFY_GUARD_SETTLE_MS);
}

/* ---- With the kernel ---- */

static short
await(const struct verify_guard *guard, int ms)
{
	struct pollfd polled[VERIFY_GUARD_FDS];

	verify_guard_prepare(guard, polled);
	return poll(polled, VERIFY_GUARD_FDS, ms) > 0 ? polled[0].revents | polled[1].revents : 0;
}

static void
write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	cr_assert_not_null(out);
	cr_assert_geq(fputs(text, out), 0);
	cr_assert_eq(fclose(out), 0);
}

Test(verify_guard, files_written_in_place_and_links_turned_are_told)
{
	char dir[] = "/tmp/guard-test-XXXXXX";
	char file[64], link[64], fresh[64], command[64];
	const char *paths[] = { file, dir };
	struct eye eye = { .found = clean };
	const struct verify_guard_setup setup = {
		.look = look, .arg = &eye, .paths = paths, .path_count = 2
	};
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = NULL;

	cr_assert_not_null(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/hosts", dir);
	(void)snprintf(link, sizeof(link), "%s/..data", dir);
	(void)snprintf(fresh, sizeof(fresh), "%s/..data_tmp", dir);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	write_file(file, "one");
	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	cr_expect_eq(await(guard, 0), 0);
	write_file(file, "two");
	cr_expect_neq(await(guard, 10000), 0);
	verify_guard_nudge(guard, 1000);
	cr_expect_eq(await(guard, 0), 0);
	cr_assert_eq(symlink("new", fresh), 0);
	verify_guard_nudge(guard, 1000);
	cr_assert_eq(rename(fresh, link), 0);
	cr_expect_neq(await(guard, 10000), 0);
	/* Another file of the name is watched from the next look on. */
	cr_assert_eq(unlink(file), 0);
	write_file(file, "three");
	verify_guard_nudge(guard, 1000);
	cr_expect_eq(step(guard, 2000), 0);
	cr_expect_eq(eye.looks, 1);
	write_file(file, "four");
	cr_expect_neq(await(guard, 10000), 0);
	cr_expect_eq(system(command), 0);
}

Test(verify_guard, a_mount_is_told)
{
	struct eye eye = { .found = clean };
	const struct verify_guard_setup setup = { .look = look,
						  .arg = &eye,
						  .mountinfo = "/proc/self/mountinfo" };
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = NULL;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("needs root, to mount");
	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	(void)await(guard, 0);
	cr_expect_eq(await(guard, 0), 0);
	cr_assert_eq(mount("tmpfs", "/mnt", "tmpfs", 0, NULL), 0);
	cr_expect_neq(await(guard, 10000), 0);
	cr_assert_eq(umount("/mnt"), 0);
	cr_expect_neq(await(guard, 10000), 0);
}

/* Of user namespaces each has its own numbers of what inotify grants: here there is none. */
static bool
forbid_inotify(const char *what)
{
	char path[64];
	FILE *out;
	bool is_written;

	(void)snprintf(path, sizeof(path), "/proc/sys/user/%s", what);
	if (unshare(CLONE_NEWUSER) < 0)
		return false;
	out = fopen(path, "w");
	if (out == NULL)
		return false;
	is_written = fputs("0", out) >= 0;
	return fclose(out) == 0 && is_written;
}

Test(verify_guard, that_nobody_tells_of_files_is_known_with_the_reason)
{
	static const char *const limits[] = { "max_inotify_instances", "max_inotify_watches" };
	static const char *const paths[] = { "/etc", "/nonexistent" };
	static const int reasons[] = { EMFILE, ENOSPC };
	struct eye eye = { .found = clean };
	const struct verify_guard_setup setup = {
		.look = look, .arg = &eye, .paths = paths, .path_count = 2
	};
	struct verify_guard *guard = NULL;

	cr_assert_eq(verify_guard_new(&guard, &setup, NULL), 0);
	cr_expect_eq(verify_guard_deafness(guard), 0, "that a path is not there is no reason");
	verify_guard_free(guard);
	for (size_t i = 0; i < SEAL_COUNT(limits); i++) {
		int status = 0;
		const pid_t child = fork();

		if (child == 0) {
			if (!forbid_inotify(limits[i]))
				_exit(77);
			if (verify_guard_new(&guard, &setup, NULL) < 0)
				_exit(1);
			_exit(verify_guard_deafness(guard) == reasons[i] ? 0 : 2);
		}
		cr_assert_eq(waitpid(child, &status, 0), child);
		if (WEXITSTATUS(status) == 77)
			cr_skip_test("needs a user namespace");
		cr_expect_eq(status, 0, "%s: %d", limits[i], WEXITSTATUS(status));
	}
}
