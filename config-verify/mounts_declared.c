/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts that the policy knows of: found in the table, and held against what was said of them.  What a
 * volume holds is not judged, for its host may write there; but memory must be memory, a token's directory
 * must not be writable, and what is private must stay so.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/mounts_internal.h"
#include "config-verify/sysfiles.h"

struct verify_declared {
	const struct verify_mountinfo *info;
	const struct verify_policy *policy;
	const struct verify_declared_mount **by_line;
	unsigned links;
	enum verify_propagation propagation;
};

/* The service account's volume, which Kubernetes adds without a word in the policy's list. */
static const struct verify_declared_mount account = {
	.path = VERIFY_ACCOUNT_DIR,
	.source = VERIFY_FROM_ACCOUNT,
	.is_read_only = true,
};

const struct verify_link verify_links[VERIFY_LINK_COUNT] = {
	{ "/var/run", "/run" },     { "/run", "/var/run" },     { "/var/lock", "/run/lock" },
	{ "/bin", "/usr/bin" },     { "/sbin", "/usr/sbin" },   { "/lib", "/usr/lib" },
	{ "/lib32", "/usr/lib32" }, { "/lib64", "/usr/lib64" },
};

static const struct verify_mount *
find_linked(const struct verify_declared *declared, const char *path)
{
	for (size_t i = 0; i < VERIFY_LINK_COUNT; i++) {
		const struct verify_link *link = &verify_links[i];
		size_t len = strlen(link->path);
		char target[4096 + 16];

		if ((declared->links & 1u << i) == 0 || strncmp(path, link->path, len) != 0 ||
		    (path[len] != '/' && path[len] != '\0'))
			continue;
		if ((size_t)snprintf(target, sizeof(target), "%s%s", link->target, path + len) >=
		    sizeof(target))
			return NULL;
		return verify_mountinfo_find(declared->info, target);
	}
	return NULL;
}

static const struct verify_mount *
find_place(const struct verify_declared *declared, const char *path)
{
	const struct verify_mount *mount;

	if (!verify_is_mountable(path))
		return NULL;
	mount = verify_mountinfo_find(declared->info, path);
	if (mount == NULL)
		mount = find_linked(declared, path);
	return mount != NULL && verify_is_mountable(mount->point) ? mount : NULL;
}

static void
note_place(struct verify_declared *declared, const struct verify_declared_mount *as)
{
	const struct verify_mount *mount = find_place(declared, as->path);

	for (; mount != NULL; mount = mount->same)
		if (declared->by_line[mount->line - 1] == NULL)
			declared->by_line[mount->line - 1] = as;
}

struct verify_declared *
verify_declared_new(const struct verify_mountinfo *info, const struct verify_policy *policy,
		    unsigned links)
{
	SEAL_SCOPED(verify_declared_freep)
	struct verify_declared *declared = calloc(1, sizeof(*declared));

	if (declared == NULL)
		return NULL;
	declared->info = info;
	declared->policy = policy;
	declared->links = links;
	declared->by_line =
		calloc(verify_mountinfo_count(info), sizeof(struct verify_declared_mount *));
	if (declared->by_line == NULL)
		return NULL;
	for (size_t i = 0; policy != NULL && i < policy->mount_count; i++) {
		note_place(declared, &policy->mounts[i]);
		if (policy->mounts[i].propagation > declared->propagation)
			declared->propagation = policy->mounts[i].propagation;
	}
	if (policy != NULL && policy->account.mounted != VERIFY_NO)
		note_place(declared, &account);
	return SEAL_TAKE(declared);
}

void
verify_declared_freep(struct verify_declared **declared)
{
	struct verify_declared *taken = SEAL_TAKE(*declared);

	if (taken == NULL)
		return;
	free(taken->by_line);
	free(taken);
}

const struct verify_declared_mount *
verify_declared_at(const struct verify_declared *declared, const struct verify_mount *mount)
{
	return declared->by_line[mount->line - 1];
}

const struct verify_declared_mount *
verify_declared_above(const struct verify_declared *declared, const struct verify_mount *mount)
{
	for (mount = mount->above; mount != NULL; mount = mount->above)
		if (declared->by_line[mount->line - 1] != NULL)
			return declared->by_line[mount->line - 1];
	return NULL;
}

enum verify_propagation
verify_declared_propagation(const struct verify_declared *declared)
{
	return declared->propagation;
}

/* ---- As it was declared? ---- */

/*
 * A tmpfs from its root on, or a file at its root: a file that is mounted alone.  Deeper down it would be
 * part of somebody's state directory, which others can reach; but of a volume its owner may mount parts.
 */
static bool
is_memory(const struct verify_mount *mount, const struct verify_declared_mount *as)
{
	return strcmp(mount->type, "tmpfs") == 0 && mount->root[0] == '/' &&
	       (as->volume != NULL || strchr(mount->root + 1, '/') == NULL);
}

/* One of the same memory, which is not another part of the same volume. */
static const struct verify_mount *
find_other(const struct verify_declared *declared, const struct verify_mount *mount,
	   const struct verify_declared_mount *as)
{
	for (size_t i = 0; i < verify_mountinfo_count(declared->info); i++) {
		const struct verify_mount *other = verify_mountinfo_at(declared->info, i);
		const struct verify_declared_mount *other_as = declared->by_line[i];

		if (other == mount || !verify_mount_is_same_device(other, mount))
			continue;
		if (as->volume == NULL || other_as == NULL || other_as->volume == NULL ||
		    strcmp(as->volume, other_as->volume) != 0)
			return other;
	}
	return NULL;
}

static void
judge_memory(const struct verify_declared *declared, const struct verify_mount *mount,
	     const struct verify_declared_mount *as, struct verify_findings *findings)
{
	const struct verify_mount *other;

	if (!is_memory(mount, as)) {
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_KIND, mount, "a tmpfs of its own",
			      "%s %s at %s", mount->type, mount->root, mount->point);
		return;
	}
	other = find_other(declared, mount, as);
	if (other != NULL)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_KIND, mount, "a tmpfs of its own",
			      "at %s the same tmpfs as at %s", mount->point, other->point);
}

static void
judge_kind(const struct verify_declared *declared, const struct verify_mount *mount,
	   const struct verify_declared_mount *as, struct verify_findings *findings)
{
	switch (as->source) {
	case VERIFY_FROM_MEMORY:
		judge_memory(declared, mount, as, findings);
		return;
	case VERIFY_FROM_VOLUME:
		if (verify_mount_is_kernel(mount))
			MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_KIND, mount,
				      "a volume that stores files", "%s at %s", mount->type,
				      mount->point);
		return;
	case VERIFY_FROM_ACCOUNT:
		if (!verify_mount_is_local(mount) || verify_mount_is_deleted(mount))
			MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_KIND, mount,
				      "a directory of a local file system", "%s %s at %s",
				      mount->type, mount->root, mount->point);
		return;
	}
}

void
verify_propagation_judge(const struct verify_mount *mount, enum verify_propagation allowed,
			 struct verify_findings *findings)
{
	if (mount->unknown != NULL)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_PROPAGATION, mount,
			      "shared, master, propagate_from or unbindable", "'%s' at %s",
			      mount->unknown, mount->point);
	if (mount->is_unbindable)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_PROPAGATION, mount,
			      "a mount as runtimes make them", "an unbindable mount at %s",
			      mount->point);
	if (mount->shared != 0 && allowed != VERIFY_SHARED)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_PROPAGATION, mount,
			      "a mount that others do not share", "%s is shared with peer group %u",
			      mount->point, mount->shared);
	if ((mount->master != 0 || mount->propagate_from != 0) && allowed == VERIFY_PRIVATE)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_PROPAGATION, mount, "a private mount",
			      "%s receives mounts from peer group %u", mount->point,
			      mount->master != 0 ? mount->master : mount->propagate_from);
}

void
verify_declared_judge(const struct verify_declared *declared, const struct verify_mount *mount,
		      const struct verify_declared_mount *as, struct verify_findings *findings)
{
	bool must_be_read_only = as->is_read_only || as->source == VERIFY_FROM_ACCOUNT;

	judge_kind(declared, mount, as, findings);
	if (must_be_read_only && !verify_mount_is_read_only(mount))
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_ACCESS, mount, "a read-only mount",
			      "a writable mount at %s", mount->point);
	verify_propagation_judge(mount, as->propagation, findings);
}

/* ---- Is it there? ---- */

static void
judge_presence(const struct verify_declared *declared, const struct verify_declared_mount *as,
	       struct verify_findings *findings)
{
	if (!as->is_optional && find_place(declared, as->path) == NULL)
		verify_suspect(findings, VERIFY_RULE_MOUNT_MISSING, VERIFY_MOUNTINFO_FILE, 0,
			       "the mount that is declared there", "nothing mounted at %s",
			       as->path);
}

void
verify_declared_missing(const struct verify_declared *declared, struct verify_findings *findings)
{
	const struct verify_policy *policy = declared->policy;

	if (policy == NULL)
		return;
	for (size_t i = 0; i < policy->mount_count; i++)
		judge_presence(declared, &policy->mounts[i], findings);
	if (policy->account.mounted == VERIFY_YES)
		judge_presence(declared, &account, findings);
}
