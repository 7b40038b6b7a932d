/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SUPERVISE_H
#define SEAL_VERIFY_SUPERVISE_H

/*
 * Starting a program so that it finds the world as if it had been started instead of us, and standing in
 * for it afterwards: signals to us are signals to it, its end is ours.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err/err.h"
#include "config-verify/program.h"

#define VERIFY_EXIT_USAGE  2
#define VERIFY_EXIT_SIGNAL 128 /* + the signal; others are in program.h */

/*
 * Become the program (for probes and hooks), judged as in program.h.  Returns only when that failed:
 * *ret_exit is then the code to end with.
 */
SEAL_CHECKED int verify_program_become(const struct verify_program *program, int *ret_exit,
				       struct seal_err *err);

struct verify_supervisor;

/*
 * From now on signals are told by verify_supervisor_fd instead of ending us.  Call before anything is
 * waited for: as process 1, unhandled signals would be lost.
 */
SEAL_CHECKED int verify_supervisor_new(struct verify_supervisor **ret_supervisor,
				       struct seal_err *err);
/* Signals are as they were before. */
void verify_supervisor_free(struct verify_supervisor *supervisor);
void verify_supervisor_freep(struct verify_supervisor **supervisor);

/*
 * Judge the program as in program.h and start it in a process group of its own, in the foreground of our terminal when we are; without
 * any signal blocked, handled or ignored, or a descriptor of ours.  Returns when it executes, or when it
 * cannot: then *ret_exit says how to end, and nothing of it is left.  From then on orphans among its
 * descendants are ours to reap.
 */
SEAL_CHECKED int verify_supervisor_start(struct verify_supervisor *supervisor,
					 const struct verify_program *program, int *ret_exit,
					 struct seal_err *err);

/* For POLLIN. */
int verify_supervisor_fd(const struct verify_supervisor *supervisor);
/*
 * See to what has been told: pass signals on, reap.  False when it is over: the program has ended, or
 * before it was started a signal asked us to end; verify_supervisor_exit says with which code.
 */
bool verify_supervisor_step(struct verify_supervisor *supervisor);

/*
 * End the program, which must have been started, and what it started: SIGTERM to its group now, SIGKILL to
 * all our descendants VERIFY_STOP_S later (which verify_supervisor_fd tells, too), or when it has ended before.
 * Its end is then told by this code, whatever it ended with.
 */
#define VERIFY_STOP_S 10
void verify_supervisor_stop(struct verify_supervisor *supervisor, int code);
bool verify_supervisor_is_stopping(const struct verify_supervisor *supervisor);
bool verify_supervisor_is_over(const struct verify_supervisor *supervisor);
int verify_supervisor_exit(const struct verify_supervisor *supervisor);

#endif
