/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_MOUNTS_H
#define SEAL_VERIFY_MOUNTS_H

/*
 * The judgement of a mount table: each line is the root, one of those every runtime makes, or declared;
 * whatever is not explained is a finding.  Rules for containers of runc and crun, and for those of a Kata
 * guest (virtiofs kataShared, block devices), both.  Pure: a table and a policy in, findings out.
 */

#include "config-verify/finding.h"
#include "config-verify/mountinfo.h"
#include "config-verify/policy.h"

#define VERIFY_MOUNTINFO_FILE "/proc/self/mountinfo"

/*
 * policy NULL, before the spec has been opened: declared mounts are not known yet, so that
 * mount.unexplained is found only where nobody may declare one (verify_is_mountable), and mount.missing
 * not at all.
 */
void verify_mounts_judge(const struct verify_mountinfo *info, const struct verify_policy *policy,
			 struct verify_findings *findings);

/*
 * May a pod declare a mount at this path?  Not over the root, /proc, /sys, /etc/seal, or over directories
 * that hold the image's programs and libraries (/usr, /lib, /bin…); in those, deeper down, it may.
 */
bool verify_is_mountable(const char *path);

/*
 * The mount a path lies on: that with the longest mount point that is the path or above it; NULL when
 * there is none.
 */
const struct verify_mount *verify_mount_of(const struct verify_mountinfo *info, const char *path);

#endif
