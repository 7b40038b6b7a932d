/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_FS_H
#define SEAL_BASE_FS_H

/*
 * Files: read whole with a cap, relative to a directory descriptor, opened once and judged on the
 * descriptor; replaced atomically.  Descriptors are close-on-exec.
 */

#include <sys/types.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/secret/secret.h"

void seal_close(int fd);
void seal_closep(int *fd);

/*
 * Open an existing directory and return its descriptor.  With SEAL_FS_PRIVATE it must belong to us
 * or root and be closed to group and others.
 */
enum seal_fs_rule { SEAL_FS_ANY, SEAL_FS_PRIVATE };
SEAL_CHECKED int seal_fs_open_dir(const char *path, enum seal_fs_rule rule, struct seal_err *err);

/* Append a regular file's content to out.  SEAL_E_LIMIT when it is longer than max bytes. */
SEAL_CHECKED int seal_fs_read(struct seal_bytes *out, int dirfd, const char *name, size_t max,
			      struct seal_err *err);

/*
 * The same for a file that people edit under our eyes: what was read is one version of it, whole, and
 * the one that has the name now.  SEAL_E_CONFLICT when it changed or was replaced meanwhile.
 */
SEAL_CHECKED int seal_fs_read_stable(struct seal_bytes *out, int dirfd, const char *name,
				     size_t max, struct seal_err *err);

/*
 * The same as seal_fs_read for a file that others may read but must not be able to change (certificates): owned by
 * us or root, and not writable by group or others.  SEAL_E_REFUSED otherwise.
 */
SEAL_CHECKED int seal_fs_read_public(struct seal_bytes *out, int dirfd, const char *name,
				     size_t max, struct seal_err *err);

/*
 * Read a file that holds a key.  Refused (SEAL_E_REFUSED, saying which and the remedy): a symbolic
 * link, anything but a regular file, an owner other than us or root, any access for others, write
 * access for the group, and group read unless the file is root's.  Empty files are SEAL_E_FORMAT.
 */
SEAL_CHECKED int seal_fs_read_secret(struct seal_secret **ret_secret, int dirfd, const char *name,
				     size_t max, struct seal_err *err);

/*
 * The same for a file whose name may be a symbolic link, as all are in a volume of Kubernetes, which
 * replaces them by turning one link (..data).  What the links lead to is judged by the same rules.
 */
SEAL_CHECKED int seal_fs_read_secret_linked(struct seal_secret **ret_secret, int dirfd,
					    const char *name, size_t max, struct seal_err *err);

/* The same rules and reading for a descriptor that is already open; name is for the sentence. */
SEAL_CHECKED int seal_fs_read_secret_fd(struct seal_secret **ret_secret, int fd, const char *name,
					size_t max, struct seal_err *err);

/*
 * openat2(2), again when it was disturbed.  resolve: RESOLVE_… of <linux/openat2.h>; mode is that of a new file.
 * A descriptor, or -1 with errno: ENOSYS where the kernel cannot, so that nothing is opened.
 */
int seal_fs_open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve);
/* The sentence for it: SEAL_E_REFUSED for a link or a mount on the way. */
SEAL_CHECKED int seal_fs_fail_resolved(struct seal_err *err, int errnum, const char *path);

/*
 * Open path, which must be absolute, below the root directory for reading, refusing symbolic links
 * and mount crossings on the way (openat2 with RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS): what is found
 * lies on the root file system itself.  Returns the descriptor.  SEAL_E_REFUSED when the path leaves
 * the root file system or passes a link.  Where the kernel has no openat2 it fails closed.
 */
SEAL_CHECKED int seal_fs_open_on_root(const char *path, struct seal_err *err);

/*
 * Write a file so that either the whole content or nothing is there, durably: a temporary file in
 * the same directory, fsync, rename, fsync of the directory.  With replace false an existing file is
 * SEAL_E_CONFLICT and stays as it is.
 */
SEAL_CHECKED int seal_fs_write(int dirfd, const char *name, const void *data, size_t len,
			       mode_t mode, bool replace, struct seal_err *err);

#endif
