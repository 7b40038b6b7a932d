/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_BENEATH_H
#define SEAL_VERIFY_BENEATH_H

/*
 * Opening what lies beneath a directory and nowhere else, and asking what it lies on.  Everything that
 * reads sealed files or writes unsealed ones opens here.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err/err.h"

/*
 * openat2 beneath dirfd, through no link and onto no other mount.  flags as for open; added are
 * O_CLOEXEC, O_NOFOLLOW, O_NOCTTY and O_NONBLOCK (a FIFO must not stop us before we have looked at it).
 * mode is that of a new file.  A descriptor, or -1 with errno (seal_fs_fail_resolved has the sentence).
 */
int verify_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/*
 * Open a directory by its absolute path with these flags (O_RDONLY or O_PATH).  Links that the root
 * file system holds are followed, for images have /var/run -> /run; a link on any mount is SEAL_E_REFUSED,
 * for whoever mounts must not choose where we end.  Returns the descriptor.
 */
SEAL_CHECKED int verify_open_directory(const char *path, int flags, struct seal_err *err);

/* SEAL_E_REFUSED unless it is on a tmpfs or ramfs that may be written. */
SEAL_CHECKED int verify_check_memory(int fd, struct seal_err *err);
/* SEAL_E_REFUSED unless fd and parent lie on different mounts. */
SEAL_CHECKED int verify_check_mounted(int fd, int parent, struct seal_err *err);
/* True when name in dirfd is there and is a mount; what cannot be looked at is none. */
bool verify_is_mount(int dirfd, const char *name);

/*
 * A relative path in canonical form: no empty part, none that is "." or "..", the first not beginning
 * with ".." (those names are the volume's own).  SEAL_E_FORMAT; SEAL_E_LIMIT for what is too long.
 */
SEAL_CHECKED int verify_relative_check(const char *path, struct seal_err *err);

#endif
