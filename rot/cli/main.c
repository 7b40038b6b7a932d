/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seal command: harden, do what the command line says, report in one line.
 */

#include <signal.h>
#include <stdio.h>

#include "base/secret/secret.h"
#include "rot/cli/cli.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

int
main(int argc, char **argv)
{
	struct seal_err err = { 0 };
	int r;

	/* A reader who leaves is an error to report, not a reason to die between two changes. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = seal_process_harden(&err);
	if (r == 0)
		r = cli_run(argc, argv, &err);
	if (r == 0)
		return EXIT_DONE;
	(void)fprintf(stderr, "seal: %s\n", err.text); /* nobody is left to tell */
	return r == SEAL_E_USAGE ? EXIT_USAGE : EXIT_REFUSED;
}
