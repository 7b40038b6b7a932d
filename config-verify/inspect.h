/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_INSPECT_H
#define SEAL_VERIFY_INSPECT_H

/*
 * One look at a container, from inside (seal-wrap) or from outside (seal-verify): open what there is to be
 * judged, once each, and have it judged from the same descriptor.
 */

#include <stdbool.h>

#include "config-verify/finding.h"
#include "config-verify/mountinfo.h"
#include "config-verify/policy.h"
#include "config-verify/sysfiles.h"

struct verify_scene {
	int root; /* O_PATH of the container's root directory */
	int proc; /* O_PATH of the /proc/PID directory to believe; -1: saved files, then mountinfo is
	                 root's proc/self/mountinfo, a regular file; of ours -1: there is none to believe */
	bool is_ours; /* the container is the one we run in: proc.genuine is judged */
	struct verify_self self;
	const char *const *environment; /* NULL: not judged */
	const char *const *image;       /* see verify_environment_judge */
	unsigned links;                 /* of the image, see mounts.h */
};

/* Which of verify_links this root directory has, and on its own file system: none that a volume could bring. */
unsigned verify_scene_links(int root);

/* The scene of our own container: /, /proc/self, the kernel's name for us, our interfaces' addresses. */
struct verify_own_scene;
SEAL_CHECKED int verify_own_scene_new(struct verify_own_scene **ret_own, struct seal_err *err);
void verify_own_scene_freep(struct verify_own_scene **own);
/* Name, addresses and time are asked anew.  SEAL_E_SYSTEM when the kernel does not tell them. */
SEAL_CHECKED int verify_own_scene_look(struct verify_own_scene *own,
				       const struct verify_scene **ret_scene, struct seal_err *err);
/*
 * Judge /proc of a scene that is ours: proc.genuine.  info: what it says of itself; NULL when it was not read.
 * Fails as verify_inspect.
 */
SEAL_CHECKED int verify_scene_judge_proc(const struct verify_scene *scene,
					 const struct verify_mountinfo *info,
					 struct verify_findings *findings, struct seal_err *err);

/*
 * Judge the mount table and, when it is ours, /proc: what is known before any file can be believed to be the
 * image's own.  policy NULL as in mounts.h.  Fails as verify_inspect.
 */
SEAL_CHECKED int verify_inspect_mounts(const struct verify_scene *scene,
				       const struct verify_policy *policy,
				       struct verify_findings *findings, struct seal_err *err);

/*
 * Judge everything.  policy NULL as in mounts.h: system rules alone, and no file of the service account.
 * What cannot be opened or read is a finding, too; fails only for want of memory or descriptors.
 */
SEAL_CHECKED int verify_inspect(const struct verify_scene *scene,
				const struct verify_policy *policy,
				struct verify_findings *findings, struct seal_err *err);

#endif
