/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_MOUNTS_INTERNAL_H
#define SEAL_VERIFY_MOUNTS_INTERNAL_H

/* What the parts of the judgement of mounts share. */

#include "config-verify/mounts.h"

#define MOUNT_SUSPECT(findings, rule, mount, expected, ...)                                        \
	verify_suspect((findings), (rule), VERIFY_MOUNTINFO_FILE, (mount)->line, (expected),       \
		       __VA_ARGS__)

/* ---- What a mount is (mounts_kind.c) ---- */

bool verify_mount_is_read_only(const struct verify_mount *mount);
bool verify_mount_is_same_device(const struct verify_mount *a, const struct verify_mount *b);
/* What was bound has been removed since. */
bool verify_mount_is_deleted(const struct verify_mount *mount);
/* A file system that shows the kernel's own state instead of storing what was written. */
bool verify_mount_is_kernel(const struct verify_mount *mount);
/* A file system that stores files on this machine, or in what the guest shares with its host. */
bool verify_mount_is_local(const struct verify_mount *mount);

/* ---- What every runtime mounts (mounts_system.c) ---- */

/*
 * Is this one of those?  If it is, and not as it should be, that is a finding.  False: it must be explained
 * otherwise.
 */
bool verify_system_judge(const struct verify_mountinfo *info, const struct verify_mount *mount,
			 struct verify_findings *findings);

/* ---- What is declared (mounts_declared.c) ---- */

/*
 * The declared mounts of a table, by line: lookup tells which one a mount is.  NULL policy: none.
 * NULL when memory is wanting.
 */
struct verify_declared;
struct verify_declared *verify_declared_new(const struct verify_mountinfo *info,
					    const struct verify_policy *policy, unsigned links);
void verify_declared_freep(struct verify_declared **declared);
const struct verify_declared_mount *verify_declared_at(const struct verify_declared *declared,
						       const struct verify_mount *mount);
/* That which lies nearest above a mount; NULL: none. */
const struct verify_declared_mount *verify_declared_above(const struct verify_declared *declared,
							  const struct verify_mount *mount);
/* The widest propagation any of them has. */
enum verify_propagation verify_declared_propagation(const struct verify_declared *declared);
/* A mount as it was declared, or findings. */
void verify_declared_judge(const struct verify_declared *declared, const struct verify_mount *mount,
			   const struct verify_declared_mount *as,
			   struct verify_findings *findings);
/* Those that are not there. */
void verify_declared_missing(const struct verify_declared *declared,
			     struct verify_findings *findings);

/* Does a mount receive, or send, what a mount of this propagation does not? */
void verify_propagation_judge(const struct verify_mount *mount, enum verify_propagation allowed,
			      struct verify_findings *findings);

/* ---- The root (mounts_root.c) ---- */

void verify_root_judge(const struct verify_mount *mount, const struct verify_policy *policy,
		       struct verify_findings *findings);
/* Layers of an overlay with these options of the file system: those below and the upper one. */
size_t verify_overlay_layers(const char *super);

#endif
