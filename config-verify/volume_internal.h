/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_VOLUME_INTERNAL_H
#define SEAL_VERIFY_VOLUME_INTERNAL_H

/* What the files of the volume share. */

#include <limits.h>

#include "config-verify/volume.h"

#define VERIFY_DATA_LINK  "..data"
#define VERIFY_DATA_DRAFT "..data_tmp"
#define VERIFY_NAME_LEN   (NAME_MAX + 1)

/* Files and directories in one version. */
#define VERIFY_MAX_ENTRIES (4u * VERIFY_MAX_VOLUME_FILES)

/* Is it a name that only volumes use?  "." and ".." are not. */
bool verify_is_reserved(const char *name);

/* The version that ..data leads to: name is "" and fd -1 when it leads to none of ours. */
struct verify_version {
	int fd;
	char name[VERIFY_NAME_LEN];
};
/* Where ..data leads, when that is the name of a version beside it.  False otherwise. */
bool verify_read_data_link(int top, char name[static VERIFY_NAME_LEN]);

void verify_version_release(struct verify_version *version);
/* SEAL_E_SYSTEM and so on when it cannot be told: then nothing may be removed. */
SEAL_CHECKED int verify_version_find(struct verify_version *version, int top, struct seal_err *err);

/* Is anything in a directory? */
SEAL_CHECKED int verify_look_inside(bool *ret_empty, int dir, struct seal_err *err);
/* True when name in top is a symbolic link to ..data/NAME. */
bool verify_is_our_link(int top, const char *name);
/* Remove every reserved name but ..data and its version, and links of ours that lead nowhere in it. */
SEAL_CHECKED int verify_volume_sweep(int top, struct seal_err *err);

/* A descriptor of an existing directory that is fit to be a volume. */
SEAL_CHECKED int verify_volume_directory(const char *path, struct seal_err *err);
/* Make the directories of path below top and open the last; *ret_name is the part behind them. */
SEAL_CHECKED int verify_make_parents(int top, const char *path, mode_t mode, const char **ret_name,
				     size_t *made, struct seal_err *err);
/* Everything, or a failure. */
SEAL_CHECKED int verify_write_content(int fd, const struct seal_secret *content,
				      struct seal_err *err);
SEAL_CHECKED int verify_mode_check(const struct verify_file *file, struct seal_err *err);

/* A complete version beside the others, not yet led to; its name is left in name. */
SEAL_CHECKED int verify_version_write(int top, const struct verify_file *files, size_t file_count,
				      char name[static VERIFY_NAME_LEN], struct seal_err *err);

#endif
