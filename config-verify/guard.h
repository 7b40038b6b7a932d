/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_GUARD_H
#define SEAL_VERIFY_GUARD_H

/*
 * Looking again, for as long as an application runs: when the kernel tells of a mount or of a file, and every
 * 30 seconds whatever it tells.  What kubelet does is allowed for: it rewrites /etc/hosts in place and
 * turns the links of a service account, and for a moment that looks like anything.
 *
 *   clean ──look finds──▶ doubtful ──lasts, or comes again and again──▶ found: told once
 *     ▲                       │                                           │
 *     └───────look is clean───┴───────────────look is clean───────────────┘
 *
 * A finding about mounts counts at once; a file that is missing or two versions after 3 s; all others when
 * they are there in a second look, or come for the tenth time in half a minute, for who changes things to and
 * fro is not kubelet.  That a token has expired counts when it lasts longer than kubelet takes to renew it on a
 * machine that was asleep.  Of more findings than a list can keep the number is told whenever it is another.
 */

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"
#include "config-verify/finding.h"

#define VERIFY_GUARD_PERIOD_MS 30000
#define VERIFY_GUARD_SETTLE_MS 100  /* from what was told to the look, and between looks in doubt */
#define VERIFY_GUARD_ROTATE_MS 3000 /* a rotation may take so long */
#define VERIFY_GUARD_RENEW_MS                                                                      \
	180000 /* kubelet looks after a pod's token every 90 s at the latest */
#define VERIFY_GUARD_FDS       2
#define VERIFY_GUARD_MAX_PATHS 8

struct verify_guard;

struct verify_guard_setup {
	/* One look.  Fails only for want of memory or descriptors: a look that could not be made is no clean one. */
	int (*look)(void *arg, struct verify_findings *findings, struct seal_err *err);
	void *arg;
	const char *mountinfo; /* polled; NULL: not */
	const char *const
		*paths; /* files and directories to be told of; they need not exist; copied */
	size_t path_count;
};

/* The first look is due at once: much may have happened since whoever starts a guard looked himself. */
SEAL_CHECKED int verify_guard_new(struct verify_guard **ret_guard,
				  const struct verify_guard_setup *setup, struct seal_err *err);
void verify_guard_free(struct verify_guard *guard);
void verify_guard_freep(struct verify_guard **guard);

/* These are known and need not be told again (audit). */
void verify_guard_know(struct verify_guard *guard, const struct verify_findings *findings);

/* For poll or epoll: what tells of changes, -1 for what does not; and for how long to wait in vain. */
void verify_guard_prepare(const struct verify_guard *guard,
			  struct pollfd polled[static VERIFY_GUARD_FDS]);
int verify_guard_patience(const struct verify_guard *guard, uint64_t now_ms);
/* Why nobody tells of files, so that only the period is left: an errno, or 0. */
int verify_guard_deafness(const struct verify_guard *guard);
/* Something was told, by whichever. */
void verify_guard_nudge(struct verify_guard *guard, uint64_t now_ms);

/*
 * Look when it is time.  Adds to fresh what has been found to last and was not told before, and returns its
 * number; nothing that was told is told again while it lasts.  SEAL_E_SYSTEM when no look was whole for
 * VERIFY_GUARD_PERIOD_MS, once until one is.
 */
SEAL_CHECKED int verify_guard_step(struct verify_guard *guard, uint64_t now_ms,
				   struct verify_findings *fresh, struct seal_err *err);

/*
 * May what was found be a host at work, so that it is to be looked at again before it counts?  how long, in
 * ms; 0: no.
 */
uint64_t verify_guard_grace(const struct verify_findings *findings);

#endif
