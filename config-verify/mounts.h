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
 * Directories that are links in many images, and where they lead: a runtime mounts at the end of links, and
 * that is what the table shows.  Which of them an image has is told by a bit for each.
 */
struct verify_link {
	const char *path;
	const char *target;
};
#define VERIFY_LINK_COUNT   8
#define VERIFY_LINK_VAR_RUN 1u                               /* the first */
#define VERIFY_LINKS_ALL    ((1u << VERIFY_LINK_COUNT) - 1u) /* for who cannot look at the image */
extern const struct verify_link verify_links[VERIFY_LINK_COUNT];

/*
 * What a host can do later counts as well as what it did: the root and the runtime's own mounts may be
 * slaves of the host (runtimes leave them so) but not shared, unless a volume is declared Bidirectional;
 * declared mounts are private unless declared otherwise; optional fields nobody knows are findings.
 *
 * What is declared goes before what a runtime mounts (a volume at /dev/shm), but never to a place that is
 * not verify_is_mountable.  Below a volume declared HostToContainer or Bidirectional more mounts may
 * appear.  The service account's volume is explained by policy->account.mounted alone, too, at /var/run or
 * /run; where it is VERIFY_NO, it is found as account.unexpected.  Paths of the policy are looked for as
 * they are, then where those of verify_links lead that the image has.
 *
 * policy NULL, before the spec has been opened: declared mounts are not known yet, so that
 * mount.unexplained is found only where nobody may declare one (verify_is_mountable), mount.missing not at
 * all, and mount.propagation only for what is never right.
 */
void verify_mounts_judge(const struct verify_mountinfo *info, const struct verify_policy *policy,
			 unsigned links, struct verify_findings *findings);

/*
 * May a pod declare a mount at this path?  Not over the root or /etc, nor at or below /proc, /sys and
 * /etc/seal, nor over /dev and its standard devices, the loader's files (/etc/ld.so.preload) and directories
 * that hold the image's programs and libraries (/usr, /lib, /bin…); in those, deeper down, it may.
 */
bool verify_is_mountable(const char *path);

/*
 * The mount a path lies on: that with the longest mount point that is the path or above it; NULL when
 * there is none.
 */
const struct verify_mount *verify_mount_of(const struct verify_mountinfo *info, const char *path);

#endif
