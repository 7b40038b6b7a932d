/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to look, and what of a look counts.  Knows no file and no rule but for how long each may be doubtful;
 * what it is told by the kernel is a hint to look and is believed no further.
 */

#include "config-verify/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"

/* ..data being renamed is IN_MOVED_TO; files that the runtime mounts are written in place. */
#define WATCHED                                                                                    \
	(IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |        \
	 IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)
#define MAX_READS  64 /* of one call: who writes without end does not hold us here */
#define MAX_DOUBTS 10 /* in one period; kubelet rewrites a file for each container that starts */

enum { FD_MOUNTS, FD_FILES };

struct verify_guard {
	struct verify_guard_setup setup;
	struct seal_strv paths;
	int fds[VERIFY_GUARD_FDS];
	struct verify_findings *known;
	uint64_t look_at;
	uint64_t doubtful_since; /* 0: not in doubt, in all of these */
	uint64_t doubts_since;
	unsigned doubts;
	uint64_t blind_since;
};

/* ---- What is told ---- */

/* Again and again: a file that was replaced is another file.  The same file keeps its watch. */
static void
watch(struct verify_guard *guard)
{
	for (size_t i = 0; guard->fds[FD_FILES] >= 0 && i < guard->paths.count; i++)
		(void)inotify_add_watch(guard->fds[FD_FILES], guard->paths.items[i], WATCHED);
}

int
verify_guard_new(struct verify_guard **ret_guard, const struct verify_guard_setup *setup,
		 struct seal_err *err)
{
	SEAL_SCOPED(verify_guard_freep) struct verify_guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (guard == NULL)
		return seal_fail_memory(err);
	guard->setup = *setup;
	guard->fds[FD_MOUNTS] = guard->fds[FD_FILES] = -1;
	r = verify_findings_new(&guard->known, err);
	for (size_t i = 0; r == 0 && i < setup->path_count; i++)
		r = seal_strv_add(&guard->paths, setup->paths[i], err);
	if (r < 0)
		return r;
	/* Without either there is the period. */
	if (setup->mountinfo != NULL)
		guard->fds[FD_MOUNTS] = open(setup->mountinfo, O_RDONLY | O_CLOEXEC);
	guard->fds[FD_FILES] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch(guard);
	*ret_guard = SEAL_TAKE(guard);
	return 0;
}

void
verify_guard_free(struct verify_guard *guard)
{
	if (guard == NULL)
		return;
	for (size_t i = 0; i < VERIFY_GUARD_FDS; i++)
		seal_close(guard->fds[i]);
	verify_findings_free(guard->known);
	seal_strv_release(&guard->paths);
	free(guard);
}

void
verify_guard_freep(struct verify_guard **guard)
{
	verify_guard_free(SEAL_TAKE(*guard));
}

void
verify_guard_prepare(const struct verify_guard *guard,
		     struct pollfd polled[static VERIFY_GUARD_FDS])
{
	polled[FD_MOUNTS] = (struct pollfd){ .fd = guard->fds[FD_MOUNTS], .events = POLLPRI };
	polled[FD_FILES] = (struct pollfd){ .fd = guard->fds[FD_FILES], .events = POLLIN };
}

int
verify_guard_patience(const struct verify_guard *guard, uint64_t now_ms)
{
	if (guard->look_at <= now_ms)
		return 0;
	return guard->look_at - now_ms < VERIFY_GUARD_PERIOD_MS ? (int)(guard->look_at - now_ms)
								: VERIFY_GUARD_PERIOD_MS;
}

/* What it was does not matter: the look will tell. */
static void
drain(int fd)
{
	alignas(struct inotify_event) char events[4096];
	ssize_t n = 1;

	for (unsigned reads = 0; n > 0 && reads < MAX_READS; reads++)
		do
			n = read(fd, events, sizeof(events));
		while (n < 0 && errno == EINTR);
}

void
verify_guard_nudge(struct verify_guard *guard, uint64_t now_ms)
{
	if (guard->fds[FD_FILES] >= 0)
		drain(guard->fds[FD_FILES]);
	if (guard->look_at > now_ms + VERIFY_GUARD_SETTLE_MS)
		guard->look_at = now_ms + VERIFY_GUARD_SETTLE_MS;
}

/* ---- What of a look counts ---- */

static uint64_t
grace_of(enum verify_rule rule)
{
	switch (rule) {
	case VERIFY_RULE_FILE_MISSING:
	case VERIFY_RULE_FILE_CHANGED:
	case VERIFY_RULE_ACCOUNT_MISSING:
		return VERIFY_GUARD_ROTATE_MS;
	default:
		return rule <= VERIFY_RULE_PROC_GENUINE ? 0 : VERIFY_GUARD_SETTLE_MS;
	}
}

/* The least of all: one that counts is enough.  What could not be kept has no rule to excuse it. */
uint64_t
verify_guard_grace(const struct verify_findings *findings)
{
	uint64_t least = VERIFY_GUARD_ROTATE_MS;
	const struct verify_finding *finding = verify_findings_at(findings, 0);

	if (finding == NULL)
		return 0;
	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		if (grace_of(finding->rule) < least)
			least = grace_of(finding->rule);
	return least;
}

static void
copy(struct verify_findings *to, const struct verify_finding *finding)
{
	verify_suspect(to, finding->rule, finding->file, finding->line, finding->expected, "%s",
		       finding->found);
}

static bool
is_known(const struct verify_findings *known, const struct verify_finding *finding)
{
	const struct verify_finding *at;

	for (size_t i = 0; (at = verify_findings_at(known, i)) != NULL; i++)
		if (at->rule == finding->rule && at->line == finding->line &&
		    strcmp(at->file, finding->file) == 0 && strcmp(at->found, finding->found) == 0)
			return true;
	return false;
}

/* Those of found that are not known. */
static void
subtract(const struct verify_findings *found, const struct verify_findings *known,
	 struct verify_findings *out)
{
	const struct verify_finding *finding;
	size_t kept = 0;

	for (; (finding = verify_findings_at(found, kept)) != NULL; kept++)
		if (!is_known(known, finding))
			copy(out, finding);
	/* More than can be kept, and not because they were so many before. */
	if (kept == 0 && verify_findings_count(found) > 0)
		verify_suspect(out, VERIFY_RULE_MOUNT_FORMAT, "", 0, "", "no memory to tell");
}

void
verify_guard_know(struct verify_guard *guard, const struct verify_findings *findings)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		copy(guard->known, finding);
}

/* True when it has lasted, or has been too often. */
static bool
has_lasted(struct verify_guard *guard, const struct verify_findings *fresh, uint64_t now_ms)
{
	const bool is_first = guard->doubtful_since == 0;

	if (is_first)
		guard->doubtful_since = now_ms;
	if (is_first && now_ms - guard->doubts_since > VERIFY_GUARD_PERIOD_MS) {
		guard->doubts_since = now_ms;
		guard->doubts = 0;
	}
	guard->doubts += is_first;
	return now_ms - guard->doubtful_since >= verify_guard_grace(fresh) ||
	       guard->doubts >= MAX_DOUBTS;
}

/* A look is one at all: SEAL_E_SYSTEM when it is not for too long. */
static int
be_blind(struct verify_guard *guard, uint64_t now_ms, int r, struct seal_err *err)
{
	guard->look_at = now_ms + VERIFY_GUARD_SETTLE_MS;
	if (guard->blind_since == 0)
		guard->blind_since = now_ms;
	if (now_ms - guard->blind_since < VERIFY_GUARD_PERIOD_MS)
		return 0;
	return seal_note(err, r == SEAL_E_MEMORY ? r : SEAL_E_SYSTEM, "cannot look again");
}

/* What is known from now on: what was found, or, when a look came to no end, that besides. */
static void
remember(struct verify_guard *guard, struct verify_findings **found,
	 const struct verify_findings *unknown, bool is_whole)
{
	if (!is_whole) {
		verify_guard_know(guard, unknown);
		return;
	}
	verify_findings_free(guard->known);
	guard->known = SEAL_TAKE(*found);
}

int
verify_guard_step(struct verify_guard *guard, uint64_t now_ms, struct verify_findings *fresh,
		  struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *found = NULL;
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *unknown = NULL;
	int r, blind;

	if (guard->look_at > now_ms)
		return 0;
	watch(guard); /* first: what happens from now on is told */
	r = verify_findings_new(&found, err);
	if (r == 0)
		r = verify_findings_new(&unknown, err);
	if (r < 0)
		return be_blind(guard, now_ms, r, err);
	r = guard->setup.look(guard->setup.arg, found, err);
	if (r == 0)
		guard->blind_since = 0;
	blind = r < 0 ? be_blind(guard, now_ms, r, err) : 0;
	subtract(found, guard->known, unknown);
	if (verify_findings_count(unknown) == 0 && r < 0)
		return blind;
	if (verify_findings_count(unknown) > 0 && !has_lasted(guard, unknown, now_ms)) {
		guard->look_at = now_ms + VERIFY_GUARD_SETTLE_MS;
		return blind;
	}
	guard->doubtful_since = 0;
	if (r == 0)
		guard->look_at = now_ms + VERIFY_GUARD_PERIOD_MS;
	remember(guard, &found, unknown, r == 0);
	for (size_t i = 0; verify_findings_at(unknown, i) != NULL; i++)
		copy(fresh, verify_findings_at(unknown, i));
	return (int)verify_findings_count(unknown);
}
