/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_PROGRAM_H
#define SEAL_VERIFY_PROGRAM_H

/*
 * A program and its working directory, each opened once, judged, and used from that descriptor: what was
 * judged is what runs, whatever happens to the names meanwhile.
 */

#include "base/err/err.h"
#include "config-verify/finding.h"
#include "config-verify/policy.h"

/* Exit codes of our own, as shells have them for a program that could not be started. */
#define VERIFY_EXIT_REFUSED   1
#define VERIFY_EXIT_CANNOT    126 /* found, and cannot be executed */
#define VERIFY_EXIT_NOT_FOUND 127

/* What findings call them: names and places were sealed, and the host reads what we say. */
#define VERIFY_PROGRAM_FILE   "the program"
#define VERIFY_DIRECTORY_FILE "the working directory"

struct verify_program {
	char *const *argv;
	char *const *environment;
	const char *path; /* where a name without '/' is looked for; absolute parts only */
	const char *cwd;
	const struct verify_policy
		*policy; /* NULL: the directory may be on any mount that may be there */
	struct verify_findings *findings; /* program.place, directory.place; may be NULL */
};

struct verify_executable;

/*
 * Open and judge.  The program must lie on the root file system, and so must every interpreter that its
 * first lines name ("#!", as the kernel reads them); the directory there, reached through nothing else, or
 * in a mount that the policy declares, by its name there.  What does not is a finding, and SEAL_E_REFUSED unless the policy's mode is audit.  On failure
 * *ret_exit is the code to end with; neither program nor directory is told in the sentence.
 */
SEAL_CHECKED int verify_executable_open(struct verify_executable **ret_executable,
					const struct verify_program *program, int *ret_exit,
					struct seal_err *err);
void verify_executable_free(struct verify_executable *executable);
void verify_executable_freep(struct verify_executable **executable);

/* Enter the directory: 0, or an errno. */
SEAL_CHECKED int verify_executable_enter(const struct verify_executable *executable);
/* Become the program, with argv as the kernel would build it.  Returns only with an errno. */
int verify_executable_execute(const struct verify_executable *executable, char *const *environment);

/* Sentence and exit code for these errnos. */
SEAL_CHECKED int verify_fail_directory(int errnum, int *ret_exit, struct seal_err *err);
SEAL_CHECKED int verify_fail_program(int errnum, int *ret_exit, struct seal_err *err);

/* ---- The first line of a script ---- */

#define VERIFY_SHEBANG_LEN 256 /* bytes that the kernel looks at */

struct verify_shebang {
	char interpreter[VERIFY_SHEBANG_LEN];
	char argument[VERIFY_SHEBANG_LEN]; /* ""; the rest of the line, blanks inside included */
	bool has_argument;
};

/*
 * Read it from the first bytes of a file.  1 for a script; 0 for none; an errno, negative, for one that the
 * kernel would not execute.
 */
SEAL_CHECKED int verify_shebang_parse(struct verify_shebang *ret_shebang, const void *head,
				      size_t len);

#endif
