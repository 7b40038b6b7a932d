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
#include "config-verify/sysfiles.h"

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
	int deaf; /* errno */
	struct verify_findings *known;
	size_t rest; /* of what was told, that could not be kept */
	uint64_t look_at;
	uint64_t doubtful_since; /* 0: not in doubt, in all of these */
	uint64_t doubts_since;
	unsigned doubts;
	uint64_t expired_since; /* a token has; 0: not */
	uint64_t blind_since;   /* no look was whole; 0: the last one was */
	bool is_blindness_told;
};

/* ---- What is told ---- */

/* Again and again: a file that was replaced is another file.  The same file keeps its watch. */
static void
watch(struct verify_guard *guard)
{
	for (size_t i = 0; guard->fds[FD_FILES] >= 0 && i < guard->paths.count; i++)
		if (inotify_add_watch(guard->fds[FD_FILES], guard->paths.items[i], WATCHED) < 0 &&
		    (errno == ENOSPC || errno == ENOMEM)) /* others are the file's: a look tells */
			guard->deaf = errno;
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
	if (guard->fds[FD_FILES] < 0)
		guard->deaf = errno;
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
verify_guard_deafness(const struct verify_guard *guard)
{
	return guard->deaf;
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

static size_t
kept_of(const struct verify_findings *findings)
{
	size_t kept = 0;

	while (verify_findings_at(findings, kept) != NULL)
		kept++;
	return kept;
}

static size_t
rest_of(const struct verify_findings *findings)
{
	return verify_findings_count(findings) - kept_of(findings);
}

static void
copy_all(struct verify_findings *to, const struct verify_findings *findings)
{
	for (size_t i = 0; verify_findings_at(findings, i) != NULL; i++)
		copy(to, verify_findings_at(findings, i));
	verify_findings_miss(to, rest_of(findings));
}

/*
 * A token that has expired on a machine that was asleep is no finding until kubelet has had the time to see
 * to it.  The rest of seen is found.  True: there is one.
 */
static bool
excuse(struct verify_guard *guard, uint64_t now_ms, const struct verify_findings *seen,
       struct verify_findings *found)
{
	const struct verify_finding *finding;
	bool is_expired = false;

	for (size_t i = 0; (finding = verify_findings_at(seen, i)) != NULL; i++) {
		if (verify_token_has_expired(finding)) {
			is_expired = true;
			if (guard->expired_since == 0)
				guard->expired_since = now_ms;
			if (now_ms - guard->expired_since < VERIFY_GUARD_RENEW_MS)
				continue;
		}
		copy(found, finding);
	}
	verify_findings_miss(found, rest_of(seen));
	return is_expired;
}

/* Those of found that are not known.  Of what could not be kept the number is known: a larger one is told. */
static void
subtract(const struct verify_guard *guard, const struct verify_findings *found,
	 struct verify_findings *out)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(found, i)) != NULL; i++)
		if (!is_known(guard->known, finding))
			copy(out, finding);
	if (rest_of(found) > guard->rest)
		verify_findings_miss(out, rest_of(found));
}

void
verify_guard_know(struct verify_guard *guard, const struct verify_findings *findings)
{
	const struct verify_finding *finding;

	for (size_t i = 0; (finding = verify_findings_at(findings, i)) != NULL; i++)
		copy(guard->known, finding);
	if (rest_of(findings) > guard->rest)
		guard->rest = rest_of(findings);
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

/* SEAL_E_SYSTEM, once, when no look was whole for too long. */
static int
be_blind(struct verify_guard *guard, uint64_t now_ms, int r, struct seal_err *err)
{
	if (guard->blind_since == 0)
		guard->blind_since = now_ms;
	if (guard->is_blindness_told || now_ms - guard->blind_since < VERIFY_GUARD_PERIOD_MS)
		return 0;
	guard->is_blindness_told = true;
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
	guard->rest = rest_of(guard->known);
}

/* Into found: also what is found before it fails. */
static int
look_once(struct verify_guard *guard, uint64_t now_ms, struct verify_findings *found,
	  struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *seen = NULL;
	bool is_expired;
	int r = verify_findings_new(&seen, err);

	if (r < 0)
		return r;
	r = guard->setup.look(guard->setup.arg, seen, err);
	is_expired = excuse(guard, now_ms, seen, found);
	if (r < 0 && guard->blind_since == 0)
		guard->blind_since = now_ms;
	if (r < 0)
		return r;
	guard->blind_since = 0;
	guard->is_blindness_told = false;
	if (!is_expired)
		guard->expired_since = 0;
	return 0;
}

int
verify_guard_step(struct verify_guard *guard, uint64_t now_ms, struct verify_findings *fresh,
		  struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *found = NULL;
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *unknown = NULL;
	bool is_told;
	int r;

	if (guard->look_at > now_ms)
		return 0;
	watch(guard); /* first: what happens from now on is told */
	guard->look_at = now_ms + VERIFY_GUARD_SETTLE_MS;
	r = verify_findings_new(&found, err);
	if (r == 0)
		r = verify_findings_new(&unknown, err);
	if (r < 0)
		return be_blind(guard, now_ms, r, err);
	r = look_once(guard, now_ms, found, err);
	subtract(guard, found, unknown);
	is_told = verify_findings_count(unknown) > 0 && has_lasted(guard, unknown, now_ms);
	if (!is_told && r < 0)
		return be_blind(guard, now_ms, r, err);
	if (!is_told && verify_findings_count(unknown) > 0)
		return 0;
	guard->doubtful_since = 0;
	if (r == 0)
		guard->look_at = now_ms + VERIFY_GUARD_PERIOD_MS;
	remember(guard, &found, unknown, r == 0);
	copy_all(fresh, unknown);
	return (int)verify_findings_count(unknown);
}
