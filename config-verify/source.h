/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SOURCE_H
#define SEAL_VERIFY_SOURCE_H

/*
 * The directories in which the host puts sealed files, and noticing when it puts others there.  The
 * host is not trusted: whatever it does gives one version of the files, or a refusal, in bounded time
 * and memory.  Whether the files are the right ones is not asked here (collect.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/err/err.h"

#define VERIFY_SOURCE_MAX   (64u * 1024 * 1024) /* bytes of all files of one source */
#define VERIFY_SOURCE_DEPTH 16                  /* directories above a file */

struct verify_source;

/*
 * Read all files below an absolute path.  Two forms are known: the kubelet's, where every name at the
 * top is a link to ..data/NAME and ..data one to the directory of a version; and a plain tree.  Other
 * links and other kinds of files are SEAL_E_REFUSED; SEAL_E_LIMIT beyond VERIFY_MAX_VALUES files,
 * VERIFY_SEALED_MAX characters in one, or the limits above; SEAL_E_MISSING without the directory;
 * SEAL_E_CONFLICT when the version kept changing or is not finished: try again when something is told.
 */
SEAL_CHECKED int verify_source_read(struct verify_source **ret_source, const char *path,
				    struct seal_err *err);
void verify_source_free(struct verify_source *source);
void verify_source_freep(struct verify_source **source);

struct verify_source_file {
	const char *path; /* relative, canonical as in volume.h */
	const char *text; /* a NUL stands behind it */
	size_t text_len;
};
size_t verify_source_count(const struct verify_source *source);
/* In the order of strcmp of the paths; valid until the source is freed. */
const struct verify_source_file *verify_source_file(const struct verify_source *source,
						    size_t index);
/* NULL when there is none. */
const struct verify_source_file *verify_source_find(const struct verify_source *source,
						    const char *path);
/* SHA-256 of all paths and contents: the same as long as nothing changed. */
void verify_source_digest(const struct verify_source *source,
			  uint8_t ret_digest[static SEAL_HASH_LEN]);

/* ---- Watching, from a poll(2) loop ---- */

/* Look again after so long even when nothing was told: not every file system of a guest tells. */
#define VERIFY_WATCH_PERIOD_MS 30000

struct verify_watch;

/* Watch directories (paths are copied); which one is told by its index. */
SEAL_CHECKED int verify_watch_new(struct verify_watch **ret_watch, const char *const *paths,
				  size_t count, struct seal_err *err);
void verify_watch_free(struct verify_watch *watch);
void verify_watch_freep(struct verify_watch **watch);
/* For POLLIN; -1, which poll ignores, when the kernel grants no watching: then the period remains. */
int verify_watch_fd(const struct verify_watch *watch);
/*
 * Take what was told and set changed[i] for each directory that may have changed; others are left as
 * they are.  Never blocks.  Changes come in groups: read the source, and once more when it says
 * SEAL_E_CONFLICT or what it has is not complete.
 */
void verify_watch_read(struct verify_watch *watch, bool *changed);

#endif
