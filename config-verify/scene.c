/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own container as the kernel tells it, and whether what calls itself /proc is the kernel's.
 *
 * A /proc is believed when the file system is proc, seen from its top, of our own process namespace (its
 * "self" is our number), and is the very mount that its own table lists at /proc, with nothing mounted
 * between its top and the table.  Options such as hidepid and subset take something away; they add nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/evidence.h"
#include "config-verify/inspect.h"
#include "config-verify/mounts.h"

#define PROC_DIR      "/proc"
#define PROC_ROOT_INO 1 /* of every proc, by linux/proc_ns.h */
#define MAX_ADDRESSES 1024

struct verify_own_scene {
	struct verify_scene scene;
	struct utsname names;
	struct verify_address addresses[MAX_ADDRESSES];
};

static int
open_path(int dirfd, const char *path, uint64_t resolve)
{
	return seal_fs_open_resolved(dirfd, path, O_PATH | O_DIRECTORY, 0, resolve);
}

static int
open_proc(int root)
{
	return open_path(root, &PROC_DIR[1],
			 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* ---- Links of the image ---- */

/* In full, or from where the link lies. */
static bool
is_target(const struct verify_link *link, const char *text)
{
	if (strcmp(text, link->target) == 0)
		return true;
	for (const char *at = strchr(link->path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		if (strncmp(text, "../", 3) != 0)
			return false;
		text += 3;
	}
	return strcmp(text, link->target + 1) == 0;
}

static bool
has_link(int root, const struct verify_link *link)
{
	SEAL_SCOPED(seal_closep)
	int fd = seal_fs_open_resolved(root, link->path + 1, O_PATH | O_NOFOLLOW, 0,
				       RESOLVE_IN_ROOT | RESOLVE_NO_XDEV);
	char text[16];
	ssize_t len;

	if (fd < 0)
		return false;
	len = readlinkat(fd, "", text, sizeof(text));
	if (len < 0 || (size_t)len == sizeof(text))
		return false;
	text[len] = '\0';
	return is_target(link, text);
}

unsigned
verify_scene_links(int root)
{
	unsigned links = 0;

	for (size_t i = 0; i < VERIFY_LINK_COUNT; i++)
		if (has_link(root, &verify_links[i]))
			links |= 1u << i;
	return links;
}

/* ---- Ourselves ---- */

int
verify_own_scene_new(struct verify_own_scene **ret_own, struct seal_err *err)
{
	SEAL_SCOPED(verify_own_scene_freep) struct verify_own_scene *own = calloc(1, sizeof(*own));
	SEAL_SCOPED(seal_closep) int proc = -1;

	if (own == NULL)
		return seal_fail_memory(err);
	own->scene.proc = -1;
	own->scene.is_ours = true;
	own->scene.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (own->scene.root < 0)
		return seal_fail_errno(err, errno, "cannot open the root directory");
	own->scene.links = verify_scene_links(own->scene.root);
	proc = open_proc(own->scene.root);
	/* "self" is a link with a number; whether it is ours is judged later. */
	if (proc >= 0)
		own->scene.proc = open_path(
			proc, "self", RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	*ret_own = SEAL_TAKE(own);
	return 0;
}

void
verify_own_scene_freep(struct verify_own_scene **own)
{
	if (*own == NULL)
		return;
	seal_close((*own)->scene.root);
	seal_close((*own)->scene.proc);
	free(SEAL_TAKE(*own));
}

static int
ask_addresses(struct verify_own_scene *own, struct seal_err *err)
{
	struct ifaddrs *list = NULL;
	size_t count = 0;

	if (getifaddrs(&list) < 0)
		return seal_fail_errno(err, errno, "cannot ask for our addresses");
	for (const struct ifaddrs *at = list; at != NULL && count < MAX_ADDRESSES;
	     at = at->ifa_next)
		if ((at->ifa_flags & IFF_LOOPBACK) == 0 &&
		    verify_address_of_socket(&own->addresses[count], at->ifa_addr))
			count++;
	freeifaddrs(list);
	own->scene.self.addresses = own->addresses;
	own->scene.self.address_count = count;
	return 0;
}

int
verify_own_scene_look(struct verify_own_scene *own, const struct verify_scene **ret_scene,
		      struct seal_err *err)
{
	const time_t now = time(NULL);
	int r;

	if (uname(&own->names) < 0)
		return seal_fail_errno(err, errno, "cannot ask for the name of this machine");
	r = ask_addresses(own, err);
	if (r < 0)
		return r;
	own->scene.self.hostname = own->names.nodename;
	own->scene.self.now = now < 1 ? 1 : (uint64_t)now; /* 0 would mean that nobody knows */
	*ret_scene = &own->scene;
	return 0;
}

/* ---- /proc ---- */

static void
suspect(struct verify_findings *findings, const char *expected, const char *found)
{
	verify_suspect(findings, VERIFY_RULE_PROC_GENUINE, PROC_DIR, 0, expected, "%s", found);
}

static void
judge_top(int proc, struct verify_findings *findings)
{
	struct statfs fs;
	struct stat st;
	char self[32];
	char want[32];
	ssize_t len;

	if (fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
		suspect(findings, "a file system of type proc", "another type");
		return;
	}
	if (fstat(proc, &st) < 0 || st.st_ino != PROC_ROOT_INO)
		suspect(findings, "the top of proc", "a directory within it");
	len = readlinkat(proc, "self", self, sizeof(self) - 1);
	self[len < 0 ? 0 : len] = '\0';
	(void)snprintf(want, sizeof(want), "%ld", (long)getpid());
	if (strcmp(self, want) != 0)
		suspect(findings, "proc of our own processes", "proc of others");
}

/* The one that is seen is the last that was mounted there, and the table's own words. */
static bool
is_listed(int proc, const struct verify_mountinfo *info)
{
	struct statx st;

	if (statx(proc, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 ||
	    (st.stx_mask & STATX_MNT_ID) == 0)
		return false;
	for (size_t i = 0; i < verify_mountinfo_count(info); i++) {
		const struct verify_mount *mount = verify_mountinfo_at(info, i);

		if (mount->id == st.stx_mnt_id)
			return strcmp(mount->point, PROC_DIR) == 0 &&
			       strcmp(mount->root, "/") == 0 && strcmp(mount->type, "proc") == 0 &&
			       mount->major == st.stx_dev_major && mount->minor == st.stx_dev_minor;
	}
	return false;
}

/* Is self, of this proc, the directory that the table was read from? */
static bool
is_same_process(int self, int process)
{
	struct stat a;
	struct stat b;

	return self >= 0 && fstat(self, &a) == 0 && fstat(process, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
verify_scene_judge_proc(const struct verify_scene *scene, const struct verify_mountinfo *info,
			struct verify_findings *findings, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int proc = open_proc(scene->root);
	SEAL_SCOPED(seal_closep) int self = -1;

	if (proc < 0 && verify_is_shortage(errno))
		return seal_fail_errno(err, errno, "cannot open '%s'", PROC_DIR);
	if (proc < 0 || scene->proc < 0) {
		suspect(findings, "the kernel's", "none that leads to our own process");
		return 0;
	}
	self = open_path(proc, "self", RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	if (self < 0 && verify_is_shortage(errno))
		return seal_fail_errno(err, errno, "cannot open '%s/self'", PROC_DIR);
	judge_top(proc, findings);
	if (!is_same_process(self, scene->proc))
		suspect(findings, "the one that we started with", "another");
	if (info != NULL && !is_listed(proc, info))
		suspect(findings, "the mount that its own table lists", "another mount");
	return 0;
}
