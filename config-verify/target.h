/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_TARGET_H
#define SEAL_VERIFY_TARGET_H

/*
 * The container that seal-verify looks at from outside: a running process, or a directory with saved files.
 * What the kernel knows of it is asked of the kernel, never read from files the container could have put
 * in the kernel's place.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "config-verify/inspect.h"
#include "config-verify/unjudged.h"

struct verify_target;

/*
 * A process, and all that is found through its directory in /proc, opened once: a process that ends is
 * not taken for the next of its number.  Name and addresses are those of its namespaces; where these
 * cannot be entered they are not known (verify_target_unjudged).  SEAL_E_MISSING when there is none.
 */
SEAL_CHECKED int verify_target_of_process(struct verify_target **ret_target, pid_t pid,
					  bool has_environment, struct seal_err *err);
/* DIR/etc/hosts and the others, DIR/proc/self/mountinfo.  Times are not judged: files may be old. */
SEAL_CHECKED int verify_target_of_directory(struct verify_target **ret_target, const char *path,
					    struct seal_err *err);
void verify_target_free(struct verify_target *target);
void verify_target_freep(struct verify_target **target);

const struct verify_scene *verify_target_scene(const struct verify_target *target);
/* What is not known of it, and so is not judged. */
const struct verify_unjudged *verify_target_unjudged(const struct verify_target *target);

/* Append a regular file, named as the container does; its links lead nowhere outside. */
SEAL_CHECKED int verify_target_read(const struct verify_target *target, const char *path,
				    size_t max, struct seal_bytes *out, struct seal_err *err);
/* Append the mount table. */
SEAL_CHECKED int verify_target_mountinfo(const struct verify_target *target, struct seal_bytes *out,
					 struct seal_err *err);

#endif
