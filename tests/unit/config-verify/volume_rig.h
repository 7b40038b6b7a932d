/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_VOLUME_RIG_H
#define SEAL_TESTS_VOLUME_RIG_H

/*
 * A volume to try things on: a tmpfs of its own in a mount namespace of its own, which is gone with the
 * child that runs the test.  And versions that a reader can tell from each other, and from halves.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config-verify/volume.h"
#include "tests/support/child.h"

extern char rig_volume[64];  /* the tmpfs, mode 0777 like an emptyDir */
extern char rig_outside[64]; /* a directory beside it that holds one file, "canary" */
extern int rig_top;          /* of the volume */

/* Run fn in such a child and expect its MUSTs to hold; options are the tmpfs's ("" or "size=64k"). */
void rig_run(const char *test, const char *options, void (*fn)(void *arg));

/* rig_volume/NAME or rig_outside/NAME; one of four buffers. */
const char *rig_path(const char *dir, const char *name);
/* Nothing outside was made, removed or changed. */
void rig_must_be_untouched(void);
/* Names at the top, sorted, each followed by a blank; the version's name is shown as "..V". */
const char *rig_list(void);

/* Open, publish version n, close: 0 or the code. */
int rig_publish(unsigned n);
/* In an open volume. */
int rig_publish_in(struct verify_volume *volume, unsigned n);
/* What rig_list says of version n, when nothing else is there. */
const char *rig_listing(unsigned n);
/*
 * Read a version through one descriptor of ..data.  Its number; 0 when there is none, or it was removed
 * meanwhile.  Half a file, or files of two versions, end the child.
 */
unsigned rig_read(void);
/* The same by the names at the top, one file only. */
unsigned rig_read_name(const char *name);
/* A secret of len bytes of text; the child does not free it. */
struct seal_secret *rig_secret(const char *text, size_t len);
/* Open must succeed; everything else is over. */
struct verify_volume *rig_open(void);
/* Publish one file. */
int rig_publish_one(struct verify_volume *volume, const char *path, const char *text, mode_t mode,
		    struct seal_err *err);
/* The content of a file below the volume must be that. */
void rig_must_hold(const char *path, const char *text);

#endif
