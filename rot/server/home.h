/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_HOME_H
#define SEAL_ROT_HOME_H

/*
 * The directory a seal-rot serves (rot/server/init.h says what is in it), locked: one process at a
 * time.
 */

#include <limits.h>
#include <stdbool.h>

#include "base/err/err.h"

struct rot_home {
	char path[PATH_MAX];
	int dir_fd;
	int lock_fd; /* the lock lasts as long as this is open */
};

#define ROT_HOME                                                                                   \
	{                                                                                          \
		.dir_fd = -1, .lock_fd = -1                                                        \
	}

/* SEAL_E_MISSING or SEAL_E_REFUSED with the remedy; SEAL_E_CONFLICT when another process serves it. */
SEAL_CHECKED int rot_home_open(struct rot_home *ret_home, const char *dir, struct seal_err *err);
/* The same for a directory that need not hold anything, and, with create, is made when it is not there. */
SEAL_CHECKED int rot_home_open_any(struct rot_home *ret_home, const char *dir, bool create,
				   struct seal_err *err);
void rot_home_release(struct rot_home *home);
/* The path of a file in it.  SEAL_E_LIMIT when it is too long. */
SEAL_CHECKED int rot_home_path(const struct rot_home *home, const char *name,
			       char path[static PATH_MAX], struct seal_err *err);

#endif
