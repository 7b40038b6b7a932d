/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SANDBOX_H
#define SEAL_PROXY_SANDBOX_H

/*
 * What the serving process may still do: no capabilities but binding low ports, the system calls of a
 * network server (seccomp: no execve, no ptrace, no mount, no new kinds of sockets, no file opened for
 * writing), and the files it was configured with (Landlock, where the kernel has it).  Entered once,
 * after everything it does not allow any more has been done, before the second thread is started.
 */

#include <stdbool.h>
#include <stdio.h>

#include "base/err/err.h"
#include "proxy/proxy.h"

struct proxy_sandbox_paths {
	struct seal_strv read;   /* files, or folders and all beneath, that may be read */
	struct seal_strv remove; /* folders beneath which files may be removed and sockets made */
};

/* Where the configuration came from, for what a reload reads; NULL: from nowhere. */
struct proxy_sandbox_sources {
	const struct proxy_config *config;
	const char *config_file;
	const char *credentials; /* folder */
	const char *egg;         /* file, removed after the hatch */
};

/*
 * The paths that sources name, and those of the system that serving needs.  A file stands for its
 * folder, because files are replaced by renaming; where it is a link, for the folder it leads to as
 * well; in / and /etc, for itself alone.  *ret_paths is released by the caller.
 */
SEAL_CHECKED int proxy_sandbox_collect(struct proxy_sandbox_paths *ret_paths,
				       const struct proxy_sandbox_sources *sources,
				       struct seal_err *err);
void proxy_sandbox_paths_release(struct proxy_sandbox_paths *paths);

/* What is in force; all zero before. */
struct proxy_sandbox_report {
	bool capabilities_dropped;
	bool seccomp;
	int landlock_abi; /* 0: the kernel has none */
};

/*
 * A first wall, for who has to speak with others before it knows its paths (the egg is hatched before the
 * sealed configuration can be read): capabilities, and the system calls but for those that lead further
 * in.  Files wait, because the rules for them can only ever become narrower.
 */
SEAL_CHECKED int proxy_sandbox_begin(struct proxy_sandbox_report *report, struct seal_err *err);
/*
 * All of it; *ret_report is what proxy_sandbox_begin reported, or all zero.  Paths that do not exist are
 * passed over.  What the kernel does not have is reported, not failed.  A build for sanitizers or
 * coverage gives up capabilities alone: its tools write files and trace.
 */
SEAL_CHECKED int proxy_sandbox_enter(const struct proxy_sandbox_paths *paths,
				     struct proxy_sandbox_report *ret_report, struct seal_err *err);

/*
 * seal-proxy sandbox-test: enter in child processes, try there what must not work (a program, a
 * debugger, a raw socket, a file outside, ...) and print one line each.  SEAL_E_REFUSED when anything
 * was possible that should not be.
 */
SEAL_CHECKED int proxy_sandbox_test(FILE *out, struct seal_err *err);

#endif
