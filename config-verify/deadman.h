/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_DEADMAN_H
#define SEAL_VERIFY_DEADMAN_H

/*
 * Who watches the watcher: a process that hears from us again and again, and ends the application when it
 * does not.  A host can keep us in a file system of its own that does not answer, or stop us by a signal;
 * both leave this one alone, for it opens no file and waits for nothing but us.
 *
 *   quiet ──first beat──▶ hears ◀──beat── silent: slices without one ──all──▶ all we started is killed
 *     └───────── we are gone: it ends ──────────┘                               (or: one line says so)
 *
 * Silence is counted in slices, not by the clock: when all of a container, or its machine, was frozen, no
 * more than one slice is over afterwards, and we have the time of the others to be heard.
 */

#include <stdbool.h>

#include "base/err/err.h"

#define VERIFY_DEADMAN_SLICE_MS 5000
#define VERIFY_DEADMAN_SLICES   9 /* half as long again as the period of looks */

struct verify_deadman;

/*
 * Make it; before anything secret is read, for it is a copy of us.  It has no descriptor of ours but standard
 * error, no terminal, and heeds no signal that can be left unheeded.
 */
SEAL_CHECKED int verify_deadman_new(struct verify_deadman **ret_deadman, unsigned slice_ms,
				    unsigned slices, struct seal_err *err);
/* It is ended, and gone on return. */
void verify_deadman_free(struct verify_deadman *deadman);
void verify_deadman_freep(struct verify_deadman **deadman);

/* We are there.  If this is the last that is heard of us: kill, or say so only.  NULL: nobody hears. */
void verify_deadman_beat(struct verify_deadman *deadman, bool kills);
/* False when it has ended, or was stopped (SIGCHLD): from then on nobody would notice our silence. */
bool verify_deadman_is_there(struct verify_deadman *deadman);

#endif
