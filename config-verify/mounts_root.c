/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's root file system.  Where nothing is pinned any file system that stores files will do:
 * runtimes differ, and what the image holds is not in the mount table.
 */

#include <string.h>

#include "config-verify/mounts_internal.h"

/*
 * The entries of a list of layers, as the kernel shows it: ':' between them, and a backslash, itself shown
 * as \134, before a ':' that belongs to a name.  Two colons set off layers that hold data only.
 */
static size_t
count_entries(const char *list, size_t len)
{
	size_t count = 0;
	bool is_empty = true;

	for (size_t i = 0; i < len; i++) {
		if (list[i] == ':') {
			count += !is_empty;
			is_empty = true;
			continue;
		}
		is_empty = false;
		if (len - i >= 4 && strncmp(list + i, "\\134", 4) == 0) {
			i += 4;
			if (len - i >= 4 && strncmp(list + i, "\\134", 4) == 0)
				i += 3;
		}
	}
	return count + !is_empty;
}

/* The value of an option of this name, '=' included; NULL when it is another one. */
static const char *
value_of(const char *option, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	return len >= name_len && strncmp(option, name, name_len) == 0 ? option + name_len : NULL;
}

size_t
verify_overlay_layers(const char *super)
{
	size_t count = 0;

	while (*super != '\0') {
		size_t len = strcspn(super, ",");
		const char *list = value_of(super, len, "lowerdir=");

		if (list != NULL)
			count += count_entries(list, len - (size_t)(list - super));
		else if (value_of(super, len, "lowerdir+=") != NULL ||
			 value_of(super, len, "datadir+=") != NULL ||
			 value_of(super, len, "upperdir=") != NULL)
			count++;
		super += len;
		super += *super == ',';
	}
	return count;
}

static bool
is_pinned_type(const struct verify_mount *mount, const struct verify_policy *policy)
{
	for (size_t i = 0; i < policy->root.type_count; i++)
		if (strcmp(policy->root.types[i], mount->type) == 0)
			return true;
	return false;
}

static void
judge_layers(const struct verify_mount *mount, size_t pinned, struct verify_findings *findings)
{
	size_t count;

	if (strcmp(mount->type, "overlay") != 0) {
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_ROOT, mount,
			      "an overlay, for its layers are pinned", "a root of type %s",
			      mount->type);
		return;
	}
	count = verify_overlay_layers(mount->super);
	if (count != pinned)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_ROOT, mount,
			      "as many layers as are pinned", "%zu layers where %zu are pinned",
			      count, pinned);
}

void
verify_root_judge(const struct verify_mount *mount, const struct verify_policy *policy,
		  struct verify_findings *findings)
{
	if (verify_mount_is_kernel(mount))
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_ROOT, mount,
			      "a file system that stores files", "a root of type %s", mount->type);
	if (verify_mount_is_deleted(mount))
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_ROOT, mount, "a root that exists",
			      "a root directory that has been removed");
	if (policy == NULL)
		return;
	if (policy->root.types != NULL && !is_pinned_type(mount, policy))
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_ROOT, mount, "a type that is pinned",
			      "a root of type %s", mount->type);
	if (policy->root.layers > 0)
		judge_layers(mount, policy->root.layers, findings);
}
