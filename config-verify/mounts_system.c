/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What container runtimes mount without being asked: runc and crun under containerd, CRI-O and podman, with
 * cgroup v1 and v2, in user namespaces and not, and the agent of Kata guests.  Each is known by where it
 * is, and believed by what the kernel says of it.
 *
 * Runtimes hide parts of /proc and /sys ("masked paths"): a file under /dev/null, a directory under an
 * empty memory file system.  And they mount parts of /proc over themselves, read-only.  Nothing else has
 * a place below /proc and /sys, for there is nothing else that a program could not be deceived with.
 */

#include <string.h>

#include "config-verify/mounts_internal.h"

enum root_kind {
	ROOT_WHOLE, /* the file system from its root on */
	ROOT_FILE,  /* something in it, which is still there */
	ROOT_PTY,   /* a pseudo-terminal */
	ROOT_MARK,  /* a file of this name, as the runtime calls it */
};

static const struct place {
	const char *point;
	const char *type; /* NULL: any that stores files on this machine */
	enum root_kind root;
	const char *expected;
} places[] = {
	{ "/proc", "proc", ROOT_WHOLE, "proc, whole" },
	{ "/sys", "sysfs", ROOT_WHOLE, "sysfs, whole" },
	{ "/dev", "tmpfs", ROOT_WHOLE, "a tmpfs, whole" },
	{ "/dev/pts", "devpts", ROOT_WHOLE, "devpts, whole" },
	{ "/dev/mqueue", "mqueue", ROOT_WHOLE, "mqueue, whole" },
	{ "/dev/shm", "tmpfs", ROOT_WHOLE, "a tmpfs, whole" },
	{ "/dev/console", "devpts", ROOT_PTY, "a pseudo-terminal" },
	{ "/dev/termination-log", NULL, ROOT_FILE, "a file of a local file system" },
	{ "/etc/hosts", NULL, ROOT_FILE, "a file of a local file system" },
	{ "/etc/hostname", NULL, ROOT_FILE, "a file of a local file system" },
	{ "/etc/resolv.conf", NULL, ROOT_FILE, "a file of a local file system" },
	{ "/run/.containerenv", NULL, ROOT_MARK, "a runtime's own .containerenv" },
};

/* What may be masked.  Only what tells of the machine: nothing there is to be trusted by a program. */
static const char *const masks[] = {
	"/proc/acpi",        "/proc/asound",    "/proc/interrupts",
	"/proc/kcore",       "/proc/keys",      "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi",      "/proc/timer_list",
	"/proc/timer_stats", "/sys/dev",        "/sys/dev/block",
	"/sys/firmware",     "/sys/fs/selinux", "/sys/devices/virtual/powercap",
};

#define SYS_CPU  "/sys/devices/system/cpu/cpu"
#define THROTTLE "/thermal_throttle"

static bool
is_mask_point(const char *point)
{
	size_t digits;

	for (size_t i = 0; i < SEAL_COUNT(masks); i++)
		if (strcmp(point, masks[i]) == 0)
			return true;
	if (strncmp(point, SYS_CPU, strlen(SYS_CPU)) != 0)
		return false;
	digits = strspn(point + strlen(SYS_CPU), "0123456789");
	return digits > 0 && strcmp(point + strlen(SYS_CPU) + digits, THROTTLE) == 0;
}

/* Of the container's own /dev, or, in user namespaces and with crun, of the kernel's. */
static bool
is_null_device(const struct verify_mountinfo *info, const struct verify_mount *mount)
{
	const struct verify_mount *dev = verify_mountinfo_find(info, "/dev");

	if (strcmp(mount->root, "/null") != 0)
		return false;
	if (strcmp(mount->type, "devtmpfs") == 0)
		return true;
	return dev != NULL && strcmp(mount->type, "tmpfs") == 0 &&
	       strcmp(dev->type, "tmpfs") == 0 && verify_mount_is_same_device(dev, mount);
}

static bool
has_ending(const char *text, const char *ending)
{
	size_t len = strlen(text);
	size_t end = strlen(ending);

	return len >= end && strcmp(text + len - end, ending) == 0;
}

/* One that nobody can write to.  crun keeps an empty directory for all its masks. */
static bool
is_empty_directory(const struct verify_mount *mount)
{
	return strcmp(mount->type, "tmpfs") == 0 && verify_mount_is_read_only(mount) &&
	       (strcmp(mount->root, "/") == 0 || has_ending(mount->root, "/.empty-directory"));
}

static bool
judge_mask(const struct verify_mountinfo *info, const struct verify_mount *mount,
	   struct verify_findings *findings)
{
	if (!is_mask_point(mount->point))
		return false;
	if (!is_null_device(info, mount) && !is_empty_directory(mount))
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_SYSTEM, mount,
			      "/dev/null, or a read-only empty tmpfs", "%s %s at %s", mount->type,
			      mount->root, mount->point);
	return true;
}

/* A part of /proc over itself.  Not of a process, whose number may be another's tomorrow. */
static bool
judge_part(const struct verify_mountinfo *info, const struct verify_mount *mount,
	   struct verify_findings *findings)
{
	const struct verify_mount *proc = verify_mountinfo_find(info, "/proc");
	const char *part = mount->point + strlen("/proc");

	if (strncmp(mount->point, "/proc/", 6) != 0 || strcmp(mount->type, "proc") != 0 ||
	    strspn(part, "/0123456789") > 1 || strncmp(part, "/self", 5) == 0 ||
	    strncmp(part, "/thread-self", 12) == 0)
		return false;
	if (proc == NULL || strcmp(proc->type, "proc") != 0 ||
	    !verify_mount_is_same_device(proc, mount) || strcmp(mount->root, part) != 0 ||
	    !verify_mount_has(mount->options, "ro"))
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_SYSTEM, mount,
			      "the same part of the same proc, read-only", "proc %s, %s, at %s",
			      mount->root, mount->options, mount->point);
	return true;
}

/* In user namespaces no device can be made, so that those of the kernel are bound, each by its name. */
static bool
judge_device(const struct verify_mount *mount, struct verify_findings *findings)
{
	if (strncmp(mount->point, "/dev/", 5) != 0 || strcmp(mount->type, "devtmpfs") != 0)
		return false;
	if (strcmp(mount->root, mount->point + 4) != 0)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_SYSTEM, mount, "the device of this name",
			      "the device %s at %s", mount->root, mount->point);
	return true;
}

#define CGROUP "/sys/fs/cgroup"

/* v2 is one file system; v1 is a tmpfs with one for each controller.  Written to by privileged pods. */
static bool
judge_cgroup(const struct verify_mount *mount, struct verify_findings *findings)
{
	const char *below = mount->point + strlen(CGROUP);
	bool is_top = strcmp(mount->point, CGROUP) == 0;
	bool is_good;

	if (!is_top &&
	    (strncmp(mount->point, CGROUP "/", sizeof(CGROUP)) != 0 || strchr(below + 1, '/')))
		return false;
	is_good = strcmp(mount->type, "cgroup2") == 0 ||
		  (is_top ? strcmp(mount->type, "tmpfs") == 0 && strcmp(mount->root, "/") == 0
			  : strcmp(mount->type, "cgroup") == 0);
	if (!is_good)
		MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_SYSTEM, mount, "control groups",
			      "%s %s at %s", mount->type, mount->root, mount->point);
	return true;
}

static bool
is_root_good(const struct verify_mount *mount, enum root_kind kind)
{
	bool is_whole = strcmp(mount->root, "/") == 0;

	switch (kind) {
	case ROOT_WHOLE:
		return is_whole;
	case ROOT_FILE:
		return !is_whole && !verify_mount_is_deleted(mount);
	case ROOT_PTY:
		return mount->root[0] == '/' && mount->root[1] != '\0' &&
		       mount->root[1 + strspn(mount->root + 1, "0123456789")] == '\0';
	case ROOT_MARK:
		return has_ending(mount->root, ".containerenv");
	}
	return false;
}

static bool
judge_place(const struct verify_mount *mount, struct verify_findings *findings)
{
	for (size_t i = 0; i < SEAL_COUNT(places); i++) {
		const struct place *place = &places[i];
		bool is_type;

		if (strcmp(mount->point, place->point) != 0)
			continue;
		is_type = place->type != NULL ? strcmp(mount->type, place->type) == 0
					      : verify_mount_is_local(mount);
		if (!is_type || !is_root_good(mount, place->root))
			MOUNT_SUSPECT(findings, VERIFY_RULE_MOUNT_SYSTEM, mount, place->expected,
				      "%s %s at %s", mount->type, mount->root, mount->point);
		return true;
	}
	return false;
}

bool
verify_system_judge(const struct verify_mountinfo *info, const struct verify_mount *mount,
		    struct verify_findings *findings)
{
	return judge_place(mount, findings) || judge_cgroup(mount, findings) ||
	       judge_part(info, mount, findings) || judge_mask(info, mount, findings) ||
	       judge_device(mount, findings);
}
