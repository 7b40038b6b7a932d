/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_VOLUME_H
#define SEAL_VERIFY_VOLUME_H

/*
 * Writing unsealed files where an application expects them: into memory and nowhere else, all of a
 * version or none, so that who reads while it changes sees one version.  As in volumes of Kubernetes,
 * the names at the top are links to ..data/NAME, ..data is a link to the directory of one version, and
 * a new version is one rename of ..data; watchers of that work.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err/err.h"
#include "base/secret/secret.h"

#define VERIFY_MAX_VOLUME_FILES 100000

struct verify_volume;

/* One file of a version.  path is relative, in canonical form, no part "." or ".." or beginning "..". */
struct verify_file {
	const char *path;
	const struct seal_secret *content; /* NULL, or of length 0: empty */
	mode_t mode;                       /* 0400, or 0500 for what is run */
};

/*
 * Open the directory path, which must be a tmpfs or ramfs (fstatfs), a mount of its own, and not
 * read-only.  What an interrupted write of ours left behind is removed.  SEAL_E_REFUSED otherwise.
 */
SEAL_CHECKED int verify_volume_open(struct verify_volume **ret_volume, const char *path,
				    struct seal_err *err);
void verify_volume_close(struct verify_volume *volume);
void verify_volume_closep(struct verify_volume **volume);

/*
 * Make these files the content, whole: written with openat2 beneath the directory, through no link and
 * no mount, each created new (O_EXCL), owned by this process.  On failure nothing has changed and
 * nothing is left.  Names of ours that the version does not have go away; what others put there stays.
 */
SEAL_CHECKED int verify_volume_publish(struct verify_volume *volume,
				       const struct verify_file *files, size_t file_count,
				       struct seal_err *err);

/*
 * A mount of one file: path is an empty placeholder on a tmpfs that verify_place_file made, opened
 * without following links.  Its content is replaced before anybody reads it.
 */
SEAL_CHECKED int verify_volume_fill(const char *path, const struct verify_file *file,
				    struct seal_err *err);
/* Make an empty file (0600) for it, in a directory on a tmpfs; what is there already may stay. */
SEAL_CHECKED int verify_volume_place(const char *directory, const char *path, struct seal_err *err);

#endif
