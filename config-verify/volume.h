/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_VOLUME_H
#define SEAL_VERIFY_VOLUME_H

/*
 * Writing unsealed files where an application expects them: into memory and nowhere else, all of a
 * version or none, so that who reads while it changes sees one version.  As in volumes of Kubernetes,
 * the names at the top are links to ..data/NAME, ..data is a link to the directory of one version, and
 * a new version is one rename of ..data; watchers of that work.  Design: docs/design/0009-unsealed-files.md.
 *
 * Names that begin with ".." at the top of a volume are ours alone: they are removed without asking
 * whose they are.  A name at the top that is not a link of ours belongs to somebody else and stays.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err/err.h"
#include "base/secret/secret.h"

#define VERIFY_MAX_VOLUME_FILES 100000

struct verify_volume;

/*
 * One file of a version.  path is relative and canonical: no empty part, none that is "." or "..", the
 * first not beginning with "..", none longer than 255 bytes.
 */
struct verify_file {
	const char *path;
	const struct seal_secret *content; /* NULL, or of length 0: empty */
	mode_t mode; /* 0400, or 0500 for what is run; open to all users: 0444, 0555 */
};

/*
 * Open the directory path, which must be a tmpfs or ramfs (fstatfs), a mount of its own, and not
 * read-only; symbolic links on the way are followed only where the image itself holds them.  What an
 * interrupted write of ours left behind is removed.  A directory that is ours is closed to the writes of
 * others.  SEAL_E_REFUSED otherwise; SEAL_E_CONFLICT while another process writes there; SEAL_E_LIMIT
 * when there is more to remove than any version has.
 */
SEAL_CHECKED int verify_volume_open(struct verify_volume **ret_volume, const char *path,
				    struct seal_err *err);
void verify_volume_close(struct verify_volume *volume);
void verify_volume_closep(struct verify_volume **volume);

/*
 * Make these files the content, whole: written with openat2 beneath the directory, through no link and
 * no mount, each created new (O_EXCL), owned by this process.  On failure nothing has changed and
 * nothing is left.  Names of ours that the version does not have go away; what others put there stays,
 * and is SEAL_E_CONFLICT where a file of the version should be, unless it is a mount: that hides our
 * file, as it would anywhere.  Files and directories together are at most 4 * VERIFY_MAX_VOLUME_FILES.
 */
SEAL_CHECKED int verify_volume_publish(struct verify_volume *volume,
				       const struct verify_file *files, size_t file_count,
				       struct seal_err *err);

/*
 * A mount of one file: path (absolute) is a placeholder on a tmpfs that verify_volume_place made, opened
 * without following its last name: a regular file of ours, a mount of its own, with one link.  Its content,
 * of an earlier run, is replaced; after a failure it is empty.  file's path is not looked at.
 */
SEAL_CHECKED int verify_volume_fill(const char *path, const struct verify_file *file,
				    struct seal_err *err);
/*
 * Make an empty file (0600) for it at path, canonical as above, in directory, judged as by
 * verify_volume_open.  A regular file that is there already stays; anything else is SEAL_E_REFUSED.
 */
SEAL_CHECKED int verify_volume_place(const char *directory, const char *path, struct seal_err *err);

#endif
