/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices that every container has, by their numbers: who gets zeros for random numbers has keys that
 * others know.  They are made by the runtime, from what the host says, and need no mount.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/evidence.h"
#include "config-verify/inspect_internal.h"

/* Their numbers are Linux's, and for ever. */
static const struct {
	const char *path;
	unsigned major;
	unsigned minor;
} devices[] = {
	{ "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

/* Where links lead that programs open as their own descriptors. */
static const struct {
	const char *path;
	const char *target;
} links[] = {
	{ "/dev/fd", "/proc/self/fd" },
	{ "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" },
};

static int
open_device(int root, const char *path)
{
	return seal_fs_open_resolved(root, path + 1, O_PATH | O_NOFOLLOW, 0,
				     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static int
inspect_device(int root, const char *path, unsigned major, unsigned minor,
	       struct verify_findings *findings, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = open_device(root, path);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0; /* a program that needs it fails */
	if (fd < 0 && verify_is_shortage(errno))
		return seal_fail_errno(err, errno, "cannot open '%s'", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		verify_suspect(findings, VERIFY_RULE_DEVICE_GENUINE, path, 0,
			       "the device of this name", "%s", strerror(errno));
	else if (!S_ISCHR(st.st_mode))
		verify_suspect(findings, VERIFY_RULE_DEVICE_GENUINE, path, 0,
			       "the device of this name", "no character device");
	else if (st.st_rdev != makedev(major, minor))
		verify_suspect(findings, VERIFY_RULE_DEVICE_GENUINE, path, 0,
			       "the device of this name", "the device %u:%u", major(st.st_rdev),
			       minor(st.st_rdev));
	return 0;
}

static int
inspect_link(int root, const char *path, const char *wanted, struct verify_findings *findings,
	     struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = open_device(root, path);
	char target[64];
	ssize_t len;

	if (fd < 0 && errno == ENOENT)
		return 0;
	len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
	if (len < 0 && verify_is_shortage(errno))
		return seal_fail_errno(err, errno, "cannot read '%s'", path);
	if (len < 0) {
		verify_suspect(findings, VERIFY_RULE_DEVICE_GENUINE, path, 0, wanted, "no link");
		return 0;
	}
	target[len] = '\0';
	if (strcmp(target, wanted) != 0)
		verify_suspect(findings, VERIFY_RULE_DEVICE_GENUINE, path, 0, wanted,
			       "a link to %s", target);
	return 0;
}

int
verify_inspect_devices(int root, struct verify_findings *findings, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(devices); i++)
		r = inspect_device(root, devices[i].path, devices[i].major, devices[i].minor,
				   findings, err);
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(links); i++)
		r = inspect_link(root, links[i].path, links[i].target, findings, err);
	return r;
}
