/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/mounts: what runtimes mount, in all their ways, and what only resembles it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/config-verify/mounts_rig.h"

static const struct verify_policy nothing;

/* ---- Whole containers ---- */

/* runc in a user namespace: devices cannot be made there. */
#define DEVICES "devtmpfs devtmpfs rw,mode=755\n"
static const char in_user_namespace[] =
	"359 333 0:88 / / rw,relatime - overlay overlay rw,lowerdir=/l/M,upperdir=/u,workdir=/w\n"
	"360 359 0:91 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
	"361 359 0:92 / /dev rw,nosuid,noexec - tmpfs tmpfs rw,mode=755,uid=100000,gid=100000\n"
	"362 359 0:93 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro\n"
	"363 361 0:94 / /dev/pts rw,nosuid,noexec - devpts devpts rw,gid=100005,mode=620\n"
	"364 361 0:90 / /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw\n"
	"369 362 0:95 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755,uid=100000\n"
	"370 369 0:29 /libpod_parent/a /sys/fs/cgroup/cpu,cpuacct ro master:9 - cgroup cgroup "
	"rw,cpu\n"
	"378 369 0:37 /libpod_parent/a /sys/fs/cgroup/systemd ro - cgroup cgroup rw,name=systemd\n"
	"371 369 0:38 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n"
	"379 361 0:6 /null /dev/null rw,relatime - " DEVICES
	"380 361 0:6 /random /dev/random rw,relatime - " DEVICES
	"382 361 0:6 /tty /dev/tty rw,relatime - " DEVICES
	"381 361 0:6 /net/tun /dev/net/tun rw,relatime - " DEVICES
	"334 361 0:94 /0 /dev/console rw,nosuid,noexec - devpts devpts rw,gid=100005\n"
	"335 360 0:91 /bus /proc/bus ro,nosuid,nodev,noexec,relatime - proc proc rw\n"
	"339 360 0:96 / /proc/acpi ro,relatime - tmpfs tmpfs ro,uid=100000,gid=100000\n"
	"340 360 0:6 /null /proc/keys rw,relatime - " DEVICES
	"342 362 0:97 / /sys/firmware ro,relatime - tmpfs tmpfs ro,uid=100000,gid=100000\n";

/* A privileged pod of podman under crun, which masks nothing and lets it write to /sys. */
static const char privileged[] =
	"320 293 0:88 / / rw master:31 - overlay overlay rw,lowerdir=/l/M,upperdir=/u,workdir=/w\n"
	"321 320 0:91 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
	"322 320 0:92 / /dev rw,nosuid,noexec - tmpfs tmpfs rw,size=65536k,mode=755\n"
	"323 320 0:93 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n"
	"330 323 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec - cgroup2 cgroup2 rw,nsdelegate\n"
	"326 320 0:25 /containers/storage/u/hosts /etc/hosts rw - tmpfs tmpfs rw,mode=755\n"
	"327 322 0:87 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=64000k\n"
	"328 320 0:25 /containers/u/.containerenv /run/.containerenv rw - tmpfs tmpfs "
	"rw,mode=755\n";

/* A Kata guest whose host shares no file system: what is handed in is copied into the guest's memory. */
static const char in_guest_memory[] =
	"71 47 253:1 / / rw,relatime - ext4 /dev/dm-1 rw\n"
	"72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
	"73 71 0:43 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755\n"
	"76 73 0:45 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k\n"
	"77 71 0:22 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n"
	"78 71 0:20 /kata-containers/shared/containers/a-hosts /etc/hosts rw - tmpfs tmpfs rw\n"
	"79 73 0:20 /kata-containers/shared/containers/a-log /dev/termination-log rw - tmpfs tmpfs "
	"rw\n"
	"80 71 0:20 /kata-containers/shared/containers/a-name /etc/hostname rw - tmpfs tmpfs rw\n"
	"82 71 0:20 /kata-containers/shared/containers/a-sa "
	"/var/run/secrets/kubernetes.io/serviceaccount ro - tmpfs tmpfs rw\n";

Test(mounts_system, containers_of_every_runtime_pass)
{
	rig_expect_none(in_user_namespace, &nothing, "in a user namespace");
	rig_expect_none(in_user_namespace, NULL, "in a user namespace");
	rig_expect_none(privileged, &nothing, "privileged");
	rig_expect_none(in_guest_memory, &nothing, "in a Kata guest");
}

/* ---- File systems of the kernel ---- */

Test(mounts_system, each_is_of_its_own_type_and_whole)
{
	static const struct {
		const char *piece;
		const char *other;
	} cases[] = {
		{ "0:51 / /proc rw", "0:51 /1 /proc rw" },
		{ "/proc rw,nosuid,nodev,noexec,relatime - proc", "/proc rw - tmpfs" },
		{ "/dev rw,nosuid - tmpfs tmpfs", "/dev rw,nosuid - devtmpfs tmpfs" },
		{ "/dev rw,nosuid - tmpfs tmpfs", "/dev rw,nosuid - ext4 tmpfs" },
		{ "0:52 / /dev rw", "0:52 /host /dev rw" },
		{ "- devpts", "- tmpfs" },
		{ "0:53 / /dev/pts", "0:53 /x /dev/pts" },
		{ "tmpfs shm", "ext4 shm" },
		{ "0:54 / /dev/shm", "0:54 /x /dev/shm" },
		{ "- sysfs sysfs", "- tmpfs sysfs" },
		{ "0:55 / /sys", "0:55 /x /sys" },
		{ "- cgroup2", "- ext4" },
		{ "- cgroup2", "- cgroup" },
		{ "0:30 /../../pod1 /sys/fs/cgroup ro,nosuid - cgroup2",
		  "0:30 /x /sys/fs/cgroup ro - tmpfs" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		/* What depends on them, parts of /proc and devices of /dev, is found as well. */
		rig_expect_among(rig_where(rig_plain, cases[i].piece, cases[i].other), &nothing,
				 VERIFY_RULE_MOUNT_SYSTEM, cases[i].other);
}

Test(mounts_system, nothing_else_is_mounted_in_proc_and_sys)
{
	static const char *const lines[] = {
		"120 108 0:9 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw",
		"120 105 0:9 / /sys/fs/bpf rw - bpf bpf rw",
		"120 105 0:9 / /sys/kernel/debug rw - debugfs debugfs rw",
		"120 105 0:9 / /sys/kernel/tracing rw - tracefs tracefs rw",
		"120 105 0:9 / /sys/kernel/security ro - securityfs securityfs rw",
		"120 101 0:9 /f /proc/1/environ rw - proc proc rw",
		"120 101 0:51 /1/environ /proc/1/environ ro - proc proc rw",
		"120 101 0:51 /self /proc/self ro - proc proc rw",
		"120 101 0:52 /null /proc/self/mountinfo rw - tmpfs tmpfs rw",
		"120 101 0:52 /null /proc/cpuinfo rw - tmpfs tmpfs rw",
		"120 101 0:60 /proc/cpuinfo /proc/cpuinfo rw - fuse.lxcfs lxcfs rw",
		"120 108 0:60 / /proc/sys/kernel ro - tmpfs tmpfs ro",
		"120 105 0:60 / /sys/kernel ro - tmpfs tmpfs ro",
		"120 106 0:9 /a /sys/fs/cgroup/a/b rw - cgroup cgroup rw",
		"120 105 0:9 / /sys/fs/cgroups rw - cgroup2 cgroup rw",
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		rig_expect_line(lines[i], VERIFY_RULE_MOUNT_UNEXPLAINED);
		rig_expect(rig_with(rig_plain, lines[i]), NULL, VERIFY_RULE_MOUNT_UNEXPLAINED,
			   lines[i]);
	}
}

/* ---- Parts of /proc ---- */

Test(mounts_system, a_part_of_proc_is_the_same_part_of_the_same_proc)
{
	static const char *const good[] = {
		"120 101 0:51 /bus /proc/bus ro - proc proc rw",
		"120 101 0:51 /fs /proc/fs ro,nosuid - proc proc rw",
		"120 101 0:51 /irq /proc/irq ro - proc proc rw",
		"120 101 0:51 /sysrq-trigger /proc/sysrq-trigger ro - proc proc rw",
		"120 101 0:51 /asound /proc/asound ro - proc proc rw",
	};
	static const char *const bad[] = {
		"120 101 0:99 /bus /proc/bus ro - proc proc rw",
		"120 101 0:51 /fs /proc/bus ro - proc proc rw",
		"120 101 0:51 / /proc/bus ro - proc proc rw",
		"120 101 0:51 /bus /proc/bus rw - proc proc rw",
		"120 101 0:51 /bus /proc/bus rw - proc proc ro",
		"120 101 0:51 /sys/kernel /proc/sys2 ro - proc proc rw",
	};

	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		rig_expect_good_line(good[i]);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		rig_expect_line(bad[i], VERIFY_RULE_MOUNT_SYSTEM);
	rig_expect_line("120 101 0:51 /bus /proc/bus ro - sysfs proc rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
}

/* ---- Masks ---- */

Test(mounts_system, a_mask_hides_and_shows_nothing)
{
	static const char *const points[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/interrupts",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/sys/dev/block",
		"/sys/fs/selinux",
		"/sys/devices/virtual/powercap",
		"/sys/devices/system/cpu/cpu0/thermal_throttle",
		"/sys/devices/system/cpu/cpu127/thermal_throttle",
	};
	static const struct {
		const char *from;
		const char *rest;
		bool is_good;
	} masks[] = {
		{ "0:52 /null", "rw,nosuid - tmpfs tmpfs rw", true },
		{ "0:6 /null", "rw - devtmpfs udev rw", true },
		{ "0:80 /", "ro - tmpfs tmpfs ro", true },
		{ "0:80 /", "ro - tmpfs tmpfs rw,size=0k", true },
		{ "0:81 /crun/.empty-directory", "ro - tmpfs tmpfs rw,mode=755", true },
		{ "0:53 /null", "rw,nosuid - tmpfs tmpfs rw", false },
		{ "0:99 /null", "ro - tmpfs tmpfs ro", false },
		{ "0:52 /zero", "rw,nosuid - tmpfs tmpfs rw", false },
		{ "0:6 /zero", "rw - devtmpfs udev rw", false },
		{ "0:6 /", "ro - devtmpfs udev ro", false },
		{ "0:52 /x/null", "rw,nosuid - tmpfs tmpfs rw", false },
		{ "0:80 /", "rw - tmpfs tmpfs rw", false },
		{ "0:80 /x", "ro - tmpfs tmpfs ro", false },
		{ "8:1 /null", "ro - ext4 /dev/sda1 ro", false },
		{ "8:1 /x/.empty-directory", "ro - ext4 /dev/sda1 ro", false },
		{ "0:80 /", "ro - overlay overlay ro", false },
	};
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(points); i++)
		for (size_t j = 0; j < SEAL_COUNT(masks); j++) {
			(void)snprintf(line, sizeof(line), "120 %d %s %s %s",
				       points[i][1] == 'p' ? 101 : 105, masks[j].from, points[i],
				       masks[j].rest);
			if (masks[j].is_good)
				rig_expect_good_line(line);
			else
				rig_expect_line(line, VERIFY_RULE_MOUNT_SYSTEM);
		}
}

Test(mounts_system, masks_have_their_places)
{
	static const char *const points[] = {
		"/sys/devices/system/cpu/cpu/thermal_throttle",
		"/sys/devices/system/cpu/cpu0x/thermal_throttle",
		"/sys/devices/system/cpu/cpu0/thermal_throttle/x",
		"/sys/devices/system/cpu/cpu0",
		"/sys/firmware2",
		"/sys/devices/virtual",
		"/sys/power",
	};
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(points); i++) {
		(void)snprintf(line, sizeof(line), "120 105 0:80 / %s ro - tmpfs tmpfs ro",
			       points[i]);
		rig_expect_line(line, VERIFY_RULE_MOUNT_UNEXPLAINED);
	}
}

/* ---- Devices ---- */

Test(mounts_system, a_device_is_the_kernels_of_this_name)
{
	rig_expect_good_line("120 102 0:6 /urandom /dev/urandom rw - devtmpfs udev rw");
	rig_expect_good_line("120 102 0:6 /net/tun /dev/net/tun rw - devtmpfs udev rw");
	rig_expect_good_line("120 102 0:53 /0 /dev/console rw - devpts devpts rw");
	rig_expect_good_line("120 102 0:99 /17 /dev/console rw - devpts devpts rw");
	rig_expect_line("120 102 0:6 /zero /dev/urandom rw - devtmpfs udev rw",
			VERIFY_RULE_MOUNT_SYSTEM);
	rig_expect_line("120 102 8:1 /urandom /dev/urandom rw - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
	rig_expect_line("120 102 0:52 /zero /dev/urandom rw - tmpfs tmpfs rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
	rig_expect_line("120 102 0:53 / /dev/console rw - devpts devpts rw",
			VERIFY_RULE_MOUNT_SYSTEM);
	rig_expect_line("120 102 0:53 /ptmx /dev/console rw - devpts devpts rw",
			VERIFY_RULE_MOUNT_SYSTEM);
	rig_expect_line("120 102 8:1 /0 /dev/console rw - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_SYSTEM);
}

/* ---- System files ---- */

Test(mounts_system, the_files_of_kubelet_and_runtime_are_local_files)
{
	static const char *const points[] = { "/dev/termination-log", "/etc/hostname",
					      "/etc/resolv.conf", "/run/.containerenv" };
	static const struct {
		const char *from;
		const char *rest;
		bool is_good;
	} files[] = {
		{ "8:1 /var/x/a.containerenv", "rw - ext4 /dev/sda1 rw", true },
		{ "0:9 /x/.containerenv", "ro - tmpfs tmpfs rw", true },
		{ "0:9 /x/.containerenv", "rw master:3 - xfs /dev/sda1 rw", true },
		{ "0:9 /passthrough/b-.containerenv", "rw - virtiofs kataShared rw", true },
		{ "0:9 /b-.containerenv", "rw - 9p kataShared rw", true },
		{ "0:9 /b-.containerenv", "rw - overlay overlay rw", true },
		{ "0:9 /b-.containerenv", "rw - 9p other rw", false },
		{ "0:9 /", "rw - tmpfs tmpfs rw", false },
		{ "8:1 /", "rw - ext4 /dev/sda1 rw", false },
		{ "8:1 /x/.containerenv//deleted", "rw - ext4 /dev/sda1 rw", false },
		{ "0:9 /x.containerenv", "rw - fuse.sshfs evil@h:/ rw", false },
		{ "0:9 /x.containerenv", "rw - fuse x rw", false },
		{ "0:9 /x.containerenv", "rw - nfs h:/ rw", false },
		{ "0:9 /x.containerenv", "rw - nfs4 h:/ rw", false },
		{ "0:9 /x.containerenv", "rw - cifs //h/x rw", false },
		{ "0:9 /x.containerenv", "rw - ceph h:/ rw", false },
		{ "0:51 /x.containerenv", "rw - proc proc rw", false },
		{ "0:9 /x.containerenv", "rw - sysfs sysfs rw", false },
		{ "0:9 /x.containerenv", "rw - cgroup2 cgroup rw", false },
		{ "0:9 /x.containerenv", "rw - unheard-of x rw", false },
	};
	char line[256];

	for (size_t i = 0; i < SEAL_COUNT(points); i++)
		for (size_t j = 0; j < SEAL_COUNT(files); j++) {
			(void)snprintf(line, sizeof(line), "120 %d %s %s %s",
				       strncmp(points[i], "/dev", 4) == 0 ? 102 : 100,
				       files[j].from, points[i], files[j].rest);
			if (files[j].is_good)
				rig_expect_good_line(line);
			else
				rig_expect_line(line, VERIFY_RULE_MOUNT_SYSTEM);
		}
}

Test(mounts_system, podmans_mark_has_its_own_name)
{
	rig_expect_line("120 100 8:1 /x/passwd /run/.containerenv rw - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_SYSTEM);
	rig_expect_line("120 100 8:1 /x/.containerenv /.containerenv rw - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_UNEXPLAINED);
}

Test(mounts_system, they_are_never_shared_or_unbindable)
{
	rig_expect_line("120 100 8:1 /x /etc/resolv.conf rw shared:7 - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_PROPAGATION);
	rig_expect_line("120 100 8:1 /x /etc/resolv.conf rw unbindable - ext4 /dev/sda1 rw",
			VERIFY_RULE_MOUNT_PROPAGATION);
	rig_expect_line("120 101 0:51 /bus /proc/bus ro shared:7 - proc proc rw",
			VERIFY_RULE_MOUNT_PROPAGATION);
}
