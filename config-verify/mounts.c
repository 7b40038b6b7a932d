/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a mount table, line by line: how the mounts hang together first, then what each of them
 * is.  Nothing is explained by default: what is neither the root, nor declared, nor a runtime's own is a
 * finding, and so is everything below it.
 */

#include <string.h>

#include "config-verify/mounts_internal.h"
#include "config-verify/sysfiles.h"

struct judgement {
	const struct verify_mountinfo *info;
	const struct verify_policy *policy;
	const struct verify_declared *declared;
	struct verify_findings *findings;
	/* Of the root and the runtime's own mounts.  Runtimes leave the container a slave of the host unless
	 * a volume is to be shared both ways, for which the root has to be shared as well. */
	enum verify_propagation tolerated;
};

/* ---- How they hang together ---- */

static bool
is_same_point(const struct verify_mount *a, const struct verify_mount *b)
{
	return strcmp(a->point, b->point) == 0;
}

/* What a table in order has exactly one of: the mount nothing else of the table lies above or under. */
static bool
is_root(const struct verify_mount *mount)
{
	return strcmp(mount->point, "/") == 0 && (mount->on == NULL || mount->on == mount);
}

/* A mount on what is not above it is not reachable, or the table is not one the kernel made. */
static void
judge_parent(struct judgement *judgement, const struct verify_mount *mount)
{
	const struct verify_mount *on = mount->on;

	if (on == NULL || on == mount || (mount->above == NULL && !is_same_point(on, mount))) {
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_MOUNT_TREE, mount,
			      "a parent that lies above it",
			      "mount %u at %s has the parent %u, which does not", mount->id,
			      mount->point, mount->parent);
		return;
	}
	if (is_same_point(on, mount))
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_MOUNT_HIDDEN, mount,
			      "one mount at one place", "a mount at %s over that of line %zu",
			      mount->point, on->line);
	else if (mount->above != NULL && !is_same_point(on, mount->above))
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_MOUNT_HIDDEN, mount,
			      "no mount under another",
			      "the mount at %s lies on that at %s, not on that at %s", mount->point,
			      on->point, mount->above->point);
}

static bool
is_on(const struct verify_mount *mount, const struct verify_mount *other)
{
	return mount->on != NULL && mount->on != mount && is_same_point(mount->on, other);
}

static void
judge_place(struct judgement *judgement, const struct verify_mount *mount)
{
	if (mount->is_id_twice)
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_MOUNT_TREE, mount,
			      "one mount of each number", "a second mount %u, at %s", mount->id,
			      mount->point);
	/* Two at one place, of which neither is on the other. */
	if (mount->same != NULL && !is_on(mount, mount) && !is_on(mount->same, mount))
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_MOUNT_HIDDEN, mount,
			      "one mount at one place", "a mount at %s, as in line %zu",
			      mount->point, mount->same->line);
	if (!is_root(mount))
		judge_parent(judgement, mount);
}

static void
judge_roots(struct judgement *judgement)
{
	size_t count = 0;

	for (size_t i = 0; i < verify_mountinfo_count(judgement->info); i++)
		count += is_root(verify_mountinfo_at(judgement->info, i));
	if (count != 1)
		verify_suspect(judgement->findings, VERIFY_RULE_MOUNT_TREE, VERIFY_MOUNTINFO_FILE,
			       0, "one root", "%zu mounts that could be the root", count);
	if (verify_mountinfo_find(judgement->info, "/proc") == NULL)
		verify_suspect(judgement->findings, VERIFY_RULE_MOUNT_SYSTEM, VERIFY_MOUNTINFO_FILE,
			       0, "proc at /proc", "nothing mounted at /proc");
}

/* ---- What they are ---- */

static bool
is_account(const char *point)
{
	return strcmp(point, VERIFY_ACCOUNT_DIR) == 0 ||
	       strcmp(point, &VERIFY_ACCOUNT_DIR[strlen("/var")]) == 0;
}

/* Who asks for a volume's later mounts gets them: they are more of what its host stores. */
static bool
is_wanted_below(struct judgement *judgement, const struct verify_mount *mount)
{
	const struct verify_declared_mount *above =
		verify_declared_above(judgement->declared, mount);

	return above != NULL && above->source == VERIFY_FROM_VOLUME &&
	       above->propagation != VERIFY_PRIVATE && verify_is_mountable(mount->point) &&
	       !verify_mount_is_kernel(mount);
}

static void
judge_unexplained(struct judgement *judgement, const struct verify_mount *mount)
{
	if (is_wanted_below(judgement, mount))
		return;
	if (judgement->policy == NULL && verify_is_mountable(mount->point))
		return;
	if (is_account(mount->point))
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_ACCOUNT_UNEXPECTED, mount,
			      "no service account", "%s at %s", mount->type, mount->point);
	else
		MOUNT_SUSPECT(judgement->findings, VERIFY_RULE_MOUNT_UNEXPLAINED, mount,
			      "no mount there, for none is declared", "%s %s at %s", mount->type,
			      mount->root, mount->point);
}

static void
judge_mount(struct judgement *judgement, const struct verify_mount *mount)
{
	const struct verify_declared_mount *as = verify_declared_at(judgement->declared, mount);
	enum verify_propagation tolerated = judgement->tolerated;

	if (as != NULL) {
		verify_declared_judge(judgement->declared, mount, as, judgement->findings);
		return;
	}
	if (strcmp(mount->point, "/") == 0)
		verify_root_judge(mount, judgement->policy, judgement->findings);
	else if (!verify_system_judge(judgement->info, mount, judgement->findings)) {
		judge_unexplained(judgement, mount);
		tolerated = VERIFY_SHARED;
	}
	verify_propagation_judge(mount, tolerated, judgement->findings);
}

void
verify_mounts_judge(const struct verify_mountinfo *info, const struct verify_policy *policy,
		    unsigned links, struct verify_findings *findings)
{
	SEAL_SCOPED(verify_declared_freep)
	struct verify_declared *declared = verify_declared_new(info, policy, links);
	struct judgement judgement = {
		.info = info,
		.policy = policy,
		.declared = declared,
		.findings = findings,
	};

	if (declared == NULL) {
		verify_suspect(findings, VERIFY_RULE_MOUNT_FORMAT, VERIFY_MOUNTINFO_FILE, 0,
			       "memory to judge it in", "out of memory");
		return;
	}
	/* Without a policy nobody knows what is to be shared. */
	judgement.tolerated =
		policy == NULL || verify_declared_propagation(declared) == VERIFY_SHARED
			? VERIFY_SHARED
			: VERIFY_SLAVE;
	judge_roots(&judgement);
	for (size_t i = 0; i < verify_mountinfo_count(info); i++) {
		judge_place(&judgement, verify_mountinfo_at(info, i));
		judge_mount(&judgement, verify_mountinfo_at(info, i));
	}
	verify_declared_missing(declared, findings);
}
