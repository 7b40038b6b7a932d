/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock.  Everything about files that the running kernel can refuse is refused, then what is listed
 * is given back.  The header of the build machine may be older than the kernel that runs us: what it
 * lacks is written out here, and which rights a kernel knows is told by its ABI alone.
 *
 * TCP (ABI 4) is left out: whom to connect to and where to listen is the configuration's to say, and
 * that may change while we run.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine/confine_internal.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#define SCOPE_ABSTRACT_SOCKETS (1ULL << 0)
#define SCOPE_SIGNALS          (1ULL << 1)

/* Each ABI's rights, cumulatively. */
#define FILES_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define FILES_ABI_2 (FILES_ABI_1 | LANDLOCK_ACCESS_FS_REFER)
#define FILES_ABI_3 (FILES_ABI_2 | LANDLOCK_ACCESS_FS_TRUNCATE)
#define FILES_ABI_5 (FILES_ABI_3 | LANDLOCK_ACCESS_FS_IOCTL_DEV)

#define READ_FILE   LANDLOCK_ACCESS_FS_READ_FILE
#define READ_FOLDER (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define REMOVE      (LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_SOCK)

static const struct {
	struct seal_landlock_rules rules;
	size_t size; /* of the structure that this kernel knows */
} abis[] = {
	[1] = { { .files = FILES_ABI_1 }, 8 },
	[2] = { { .files = FILES_ABI_2 }, 8 },
	[3] = { { .files = FILES_ABI_3 }, 8 },
	[4] = { { .files = FILES_ABI_3 }, 16 },
	[5] = { { .files = FILES_ABI_5 }, 16 },
	[6] = { { .files = FILES_ABI_5, .scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS }, 24 },
};

static int
kernel_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int
kernel_create(const struct seal_landlock_rules *rules, size_t size)
{
	return (int)syscall(SYS_landlock_create_ruleset, rules, size, 0);
}

static int
kernel_allow(int ruleset, int fd, uint64_t access)
{
	const struct landlock_path_beneath_attr beneath = { .allowed_access = access,
							    .parent_fd = fd };

	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath,
			    0);
}

static int
kernel_restrict_self(int ruleset)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

const struct seal_landlock seal_landlock_kernel = {
	kernel_version,
	kernel_create,
	kernel_allow,
	kernel_restrict_self,
};

static void
close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written to it */
}

/* A file has none of a folder's rights; naming them for it would be an error. */
static int
allow_path(const struct seal_landlock *kernel, int ruleset, const char *path, uint64_t file,
	   uint64_t folder, struct seal_err *err)
{
	SEAL_SCOPED(close_fd) const int fd = open(path, O_PATH | O_CLOEXEC);
	uint64_t access;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : seal_fail_errno(err, errno, "'%s'", path);
	if (fstat(fd, &st) < 0)
		return seal_fail_errno(err, errno, "'%s'", path);
	access = S_ISDIR(st.st_mode) ? folder : file;
	if (access != 0 && kernel->allow(ruleset, fd, access) < 0)
		return seal_fail_errno(err, errno, "cannot keep '%s'", path);
	return 0;
}

static int
allow_all(const struct seal_landlock *kernel, int ruleset, const struct seal_confine_files *files,
	  struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < files->read->count; i++)
		r = allow_path(kernel, ruleset, files->read->items[i], READ_FILE, READ_FOLDER, err);
	for (size_t i = 0; r == 0 && i < files->remove->count; i++)
		r = allow_path(kernel, ruleset, files->remove->items[i], 0, REMOVE, err);
	return r;
}

int
seal_landlock_apply(const struct seal_landlock *kernel, const struct seal_confine_files *files,
		    int *ret_abi, struct seal_err *err)
{
	SEAL_SCOPED(close_fd) int ruleset = -1;
	int abi = kernel->version();
	size_t known;
	int r = seal_no_new_privileges(err);

	if (r < 0)
		return r;
	if (abi < 1) {
		*ret_abi = 0;
		return 0;
	}
	known = (size_t)abi < SEAL_COUNT(abis) ? (size_t)abi : SEAL_COUNT(abis) - 1;
	ruleset = kernel->create(&abis[known].rules, abis[known].size);
	if (ruleset < 0)
		return seal_fail_errno(err, errno, "cannot give up files");
	r = allow_all(kernel, ruleset, files, err);
	if (r < 0)
		return seal_note(err, r, "giving up files");
	if (kernel->restrict_self(ruleset) < 0)
		return seal_fail_errno(err, errno, "cannot give up files");
	*ret_abi = abi;
	return 0;
}

int
seal_confine_files(const struct seal_confine_files *files, int *ret_abi, struct seal_err *err)
{
	return seal_landlock_apply(&seal_landlock_kernel, files, ret_abi, err);
}
