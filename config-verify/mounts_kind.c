/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of thing is mounted, by what the kernel says of it.  A file system's type cannot be feigned by
 * a host that does not own the kernel; its source and its content can.
 */

#include <string.h>

#include "config-verify/mounts_internal.h"

static bool
is_one_of(const char *type, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(type, list[i]) == 0)
			return true;
	return false;
}

bool
verify_mount_is_read_only(const struct verify_mount *mount)
{
	return verify_mount_has(mount->options, "ro") || verify_mount_has(mount->super, "ro");
}

bool
verify_mount_is_same_device(const struct verify_mount *a, const struct verify_mount *b)
{
	return a->major == b->major && a->minor == b->minor;
}

bool
verify_mount_is_deleted(const struct verify_mount *mount)
{
	static const char mark[] = "//deleted";
	size_t len = strlen(mount->root);

	return len >= sizeof(mark) - 1 && strcmp(mount->root + len - (sizeof(mark) - 1), mark) == 0;
}

bool
verify_mount_is_kernel(const struct verify_mount *mount)
{
	static const char *const types[] = {
		"proc",     "sysfs",      "cgroup",     "cgroup2",     "cpuset",       "devpts",
		"devtmpfs", "mqueue",     "bpf",        "binfmt_misc", "configfs",     "debugfs",
		"tracefs",  "securityfs", "selinuxfs",  "smackfs",     "apparmorfs",   "efivarfs",
		"pstore",   "fusectl",    "nsfs",       "pipefs",      "sockfs",       "rpc_pipefs",
		"nfsd",     "resctrl",    "functionfs", "bdev",        "anon_inodefs", "dax",
	};

	return is_one_of(mount->type, types, SEAL_COUNT(types));
}

bool
verify_mount_is_local(const struct verify_mount *mount)
{
	/* tmpfs: a runtime's state directory; virtiofs: a Kata guest's share of the host's. */
	static const char *const types[] = {
		"ext2", "ext3",  "ext4",    "xfs",   "btrfs", "bcachefs", "f2fs",     "jfs",
		"zfs",  "ntfs3", "overlay", "tmpfs", "erofs", "squashfs", "virtiofs",
	};

	/* The share of older Kata guests. */
	if (strcmp(mount->type, "9p") == 0)
		return strcmp(mount->source, "kataShared") == 0;
	return is_one_of(mount->type, types, SEAL_COUNT(types));
}
