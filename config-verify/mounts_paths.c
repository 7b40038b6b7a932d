/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which mount a path lies on, and where a pod has no business to mount anything, whoever asks for it.
 */

#include <string.h>

#include "config-verify/mounts_internal.h"

/* Whole, and all that lies below: the kernel's view, and the egg and tokens of the image. */
static const char *const closed[] = { "/proc", "/sys", "/etc/seal" };

/*
 * These themselves.  Directories that hold what programs are made of, those above a closed one, and files
 * and devices that decide which code runs or what is random.
 */
static const char *const held[] = {
	"/",
	"/bin",
	"/sbin",
	"/lib",
	"/lib32",
	"/lib64",
	"/libx32",
	"/usr",
	"/usr/bin",
	"/usr/sbin",
	"/usr/lib",
	"/usr/lib32",
	"/usr/lib64",
	"/usr/libx32",
	"/usr/libexec",
	"/usr/local",
	"/usr/local/bin",
	"/usr/local/sbin",
	"/usr/local/lib",
	"/usr/local/lib64",
	"/usr/local/libexec",
	"/nix",
	"/nix/store",
	"/etc",
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/ld.so.preload",
	"/dev",
	"/dev/console",
	"/dev/fd",
	"/dev/full",
	"/dev/null",
	"/dev/ptmx",
	"/dev/pts",
	"/dev/random",
	"/dev/stderr",
	"/dev/stdin",
	"/dev/stdout",
	"/dev/tty",
	"/dev/urandom",
	"/dev/zero",
};

/* Is path the directory, or below it? */
static bool
is_at_or_below(const char *directory, const char *path)
{
	size_t len = strlen(directory);

	if (len == 1)
		return path[0] == '/';
	return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Debian's multi-arch directories: /usr/lib/x86_64-linux-gnu holds the C library. */
static bool
is_multiarch(const char *path)
{
	const char *name = NULL;

	if (strncmp(path, "/lib/", 5) == 0)
		name = path + 5;
	else if (strncmp(path, "/usr/lib/", 9) == 0)
		name = path + 9;
	return name != NULL && strchr(name, '/') == NULL && strstr(name, "-linux-") != NULL;
}

bool
verify_is_mountable(const char *path)
{
	if (path[0] != '/')
		return false;
	for (size_t i = 0; i < SEAL_COUNT(closed); i++)
		if (is_at_or_below(closed[i], path))
			return false;
	for (size_t i = 0; i < SEAL_COUNT(held); i++)
		if (strcmp(path, held[i]) == 0)
			return false;
	return !is_multiarch(path);
}

const struct verify_mount *
verify_mount_of(const struct verify_mountinfo *info, const char *path)
{
	const struct verify_mount *best = NULL;

	for (size_t i = 0; i < verify_mountinfo_count(info); i++) {
		const struct verify_mount *mount = verify_mountinfo_at(info, i);

		if (is_at_or_below(mount->point, path) &&
		    (best == NULL || strlen(mount->point) >= strlen(best->point)))
			best = mount;
	}
	if (best == NULL)
		return NULL;
	/* Of several at one point the one that no other lies on. */
	for (best = verify_mountinfo_find(info, best->point); best->is_covered && best->same;)
		best = best->same;
	return best;
}
