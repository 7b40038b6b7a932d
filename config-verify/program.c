/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a command to descriptors that can be executed and entered, and to findings.
 *
 * Names are resolved by the kernel in one go (openat2) and may lead through links, as long as no mount is
 * crossed and the end lies on the mount that is our root.  A script is not executed from its descriptor, for
 * its interpreter opens it again by name: we do what the kernel does with it, and execute the interpreter
 * from its own descriptor, with the name of the script as the kernel would give it.
 *
 * What the program sees of this: AT_EXECFN is "/dev/fd/N", which nobody uses to find himself (/proc/self/exe
 * is right).  /proc/self/comm is the file's own name since Linux 6.14; before it is the number of the
 * descriptor.  Executing by name from a judged directory would give the name on every kernel, and would
 * execute what somebody has put there since: the name that a list of processes shows is not worth that.
 */

#include "config-verify/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs/fs.h"

#define MAX_SCRIPTS 5 /* scripts whose interpreter is a script; the kernel's own number */
#define MAX_ATTEMPTS                                                                               \
	100 /* at what is to be tried again: whose file system it is may say so for ever */

struct verify_executable {
	int cwd;
	int file;
	char path[PATH_MAX]; /* of what was asked for */
	struct verify_shebang scripts[MAX_SCRIPTS];
	size_t script_count;
	char **argv; /* borrowed words, our own array */
};

struct judgement {
	const struct verify_program *program;
	struct verify_executable *executable;
	int root; /* O_PATH */
	size_t suspected;
};

void
verify_executable_free(struct verify_executable *executable)
{
	if (executable == NULL)
		return;
	seal_close(executable->cwd);
	seal_close(executable->file);
	free(executable->argv);
	explicit_bzero(executable, sizeof(*executable)); /* the command was sealed */
	free(executable);
}

void
verify_executable_freep(struct verify_executable **executable)
{
	verify_executable_free(SEAL_TAKE(*executable));
}

/* ---- Sentences ---- */

/* Neither the directory nor the command is told: both were sealed, and the host reads what we say. */
int
verify_fail_directory(int errnum, int *ret_exit, struct seal_err *err)
{
	*ret_exit = VERIFY_EXIT_REFUSED;
	return seal_fail_errno(err, errnum, "cannot enter the working directory");
}

int
verify_fail_program(int errnum, int *ret_exit, struct seal_err *err)
{
	*ret_exit = errnum == ENOENT ? VERIFY_EXIT_NOT_FOUND : VERIFY_EXIT_CANNOT;
	return seal_fail_errno(err, errnum, "cannot execute the command");
}

static void
suspect(struct judgement *judgement, enum verify_rule rule, const char *file, const char *expected,
	const char *found)
{
	judgement->suspected++;
	if (judgement->program->findings != NULL)
		verify_suspect(judgement->program->findings, rule, file, 0, expected, "%s", found);
}

/* ---- Where a descriptor lies ---- */

static int
open_it(int dirfd, const char *path, int flags, uint64_t resolve)
{
	return seal_fs_open_resolved(dirfd, path, flags | O_PATH, 0, resolve);
}

struct place {
	uint64_t mount;
	bool is_top; /* of that mount */
};

static bool
place_of(int fd, struct place *ret_place)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 ||
	    (st.stx_mask & STATX_MNT_ID) == 0)
		return false;
	ret_place->mount = st.stx_mnt_id;
	ret_place->is_top = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return true;
}

static bool
is_on_same_mount(int a, int b)
{
	struct place one;
	struct place other;

	return place_of(a, &one) && place_of(b, &other) && one.mount == other.mount;
}

/* ---- The working directory ---- */

/* What is left of path below the directory; "." for itself; NULL when it is not below. */
static const char *
below(const char *path, const char *directory)
{
	const size_t len = strlen(directory);

	if (strncmp(path, directory, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	path += len;
	path += strspn(path, "/");
	return *path != '\0' ? path : ".";
}

/* Within one declared mount, by name and in fact: a descriptor, or -1. */
static int
open_below(const struct judgement *judgement, const char *declared)
{
	const char *rest = below(judgement->program->cwd, declared);
	SEAL_SCOPED(seal_closep) int fd = -1;
	struct place place;

	if (rest == NULL)
		return -1;
	fd = open_it(judgement->root, declared + 1, O_DIRECTORY,
		     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 || !place_of(fd, &place) || !place.is_top)
		return -1;
	return open_it(fd, rest, O_DIRECTORY,
		       RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

static int
open_declared(const struct judgement *judgement)
{
	const struct verify_policy *policy = judgement->program->policy;
	int fd = -1;

	for (size_t i = 0; policy != NULL && fd < 0 && i < policy->mount_count; i++)
		fd = open_below(judgement, policy->mounts[i].path);
	return fd;
}

/*
 * 0, or an errno.  Links of the image may lead anywhere in the image; those in a volume are its host's, and may
 * lead nowhere but within: not to another of the image's directories either.
 */
static int
find_directory(struct judgement *judgement)
{
	const char *path = judgement->program->cwd;
	int fd = open_it(AT_FDCWD, path, O_DIRECTORY, RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);

	if (fd < 0 && errno == EXDEV)
		fd = open_declared(judgement);
	if (fd < 0) {
		fd = open_it(AT_FDCWD, path, O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
		if (fd < 0)
			return errno;
		if (judgement->program->policy != NULL)
			suspect(judgement, VERIFY_RULE_DIRECTORY_PLACE, VERIFY_DIRECTORY_FILE,
				"on the root file system, or on a declared mount",
				"it lies elsewhere, or is reached that way");
	}
	judgement->executable->cwd = fd;
	return 0;
}

/* ---- A file that can be executed ---- */

/* EACCES is what execve says of what is no file or has no such bit. */
static int
check_executable(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0 ? errno : 0;
}

/*
 * Open path, from the working directory when it is relative, and judge.  0, or an errno.  It always begins at
 * the root: the kernel takes an absolute link on the way of a relative path for one onto another mount.
 */
static int
try_file(struct judgement *judgement, const char *path, int *ret_fd)
{
	SEAL_SCOPED(seal_closep) int fd = -1;
	char full[2 * PATH_MAX];
	bool is_foreign = false;
	int errnum, r;

	(void)snprintf(full, sizeof(full), "%s%s%s", path[0] == '/' ? "" : judgement->program->cwd,
		       path[0] == '/' ? "" : "/", path);
	fd = open_it(AT_FDCWD, full, 0, RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP)) {
		fd = open_it(AT_FDCWD, full, 0, 0);
		is_foreign = true;
	}
	errnum = errno;
	explicit_bzero(full, sizeof(full)); /* the command was sealed */
	if (fd < 0)
		return errnum;
	r = check_executable(fd);
	if (r != 0)
		return r;
	if (is_foreign || !is_on_same_mount(fd, judgement->root))
		suspect(judgement, VERIFY_RULE_PROGRAM_PLACE, VERIFY_PROGRAM_FILE,
			"on the root file system, the image's own", "it lies on another mount");
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Every part of PATH in turn, as a shell does; a relative part would be the application's to fill. */
static int
try_path(struct judgement *judgement, const char *name, int *ret_fd)
{
	char *file = judgement->executable->path;
	const size_t size = sizeof(judgement->executable->path);
	int worst = ENOENT;

	for (const char *part = judgement->program->path; *part != '\0'; part += *part == ':') {
		const size_t len = strcspn(part, ":");
		const int n = snprintf(file, size, "%.*s/%s", (int)len, part, name);

		if (*part == '/' && n > 0 && (size_t)n < size) {
			const int r = try_file(judgement, file, ret_fd);

			/* Something was there that could not be executed: that is to be told, if nothing can. */
			if (r != ENOENT && r != ENOTDIR && r != EACCES)
				return r;
			if (r == EACCES)
				worst = EACCES;
		}
		part += len;
	}
	return worst;
}

static int
find_file(struct judgement *judgement)
{
	struct verify_executable *executable = judgement->executable;
	const char *name = judgement->program->argv[0];

	if (name == NULL)
		return ENOENT;
	if (strchr(name, '/') == NULL)
		return try_path(judgement, name, &executable->file);
	if (strlen(name) >= sizeof(executable->path))
		return ENAMETOOLONG;
	memcpy(executable->path, name, strlen(name) + 1);
	return try_file(judgement, name, &executable->file);
}

/* ---- Scripts ---- */

/*
 * The bytes of the very file that was opened: through our own descriptor, since one that was opened for its
 * place alone cannot be read.  What cannot be read is no script that an interpreter could read.
 */
static size_t
read_head(int fd, char head[static VERIFY_SHEBANG_LEN])
{
	SEAL_SCOPED(seal_closep) int readable = -1;
	char name[64];
	unsigned attempts = 0;
	size_t len = 0;
	ssize_t n = 1;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	readable = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (readable < 0)
		return 0;
	while (n > 0 && len < VERIFY_SHEBANG_LEN) {
		do
			n = read(readable, head + len, VERIFY_SHEBANG_LEN - len);
		while (n < 0 && errno == EINTR && ++attempts < MAX_ATTEMPTS);
		len += n > 0 ? (size_t)n : 0;
	}
	return len;
}

/* 0, or an errno. */
static int
resolve_scripts(struct judgement *judgement)
{
	struct verify_executable *executable = judgement->executable;

	for (;;) {
		struct verify_shebang shebang;
		char head[VERIFY_SHEBANG_LEN];
		int fd = -1;
		int r = verify_shebang_parse(&shebang, head, read_head(executable->file, head));

		if (r <= 0)
			return -r;
		if (executable->script_count == MAX_SCRIPTS)
			return ELOOP;
		r = try_file(judgement, shebang.interpreter, &fd);
		if (r != 0)
			return r;
		seal_close(executable->file);
		executable->file = fd;
		executable->scripts[executable->script_count++] = shebang;
	}
}

/*
 * Each interpreter and its argument, the innermost script's last, then that script, then what was behind
 * argv[0].
 */
static int
make_argv(struct verify_executable *executable, char *const *argv, struct seal_err *err)
{
	size_t count = 0;
	size_t at = 0;

	while (argv[count] != NULL)
		count++;
	executable->argv = calloc(count + 2 * MAX_SCRIPTS + 1, sizeof(*executable->argv));
	if (executable->argv == NULL)
		return seal_fail_memory(err);
	for (size_t i = executable->script_count; i > 0; i--) {
		struct verify_shebang *script = &executable->scripts[i - 1];

		executable->argv[at++] = script->interpreter;
		if (script->has_argument)
			executable->argv[at++] = script->argument;
	}
	executable->argv[at++] = executable->script_count > 0 ? executable->path : argv[0];
	for (size_t i = 1; i < count; i++)
		executable->argv[at++] = argv[i];
	return 0;
}

/* ---- All of it ---- */

static int
judge_all(struct judgement *judgement, int *ret_exit, struct seal_err *err)
{
	const struct verify_policy *policy = judgement->program->policy;
	int r = find_directory(judgement);

	if (r != 0)
		return verify_fail_directory(r, ret_exit, err);
	r = find_file(judgement);
	if (r == 0)
		r = resolve_scripts(judgement);
	if (r != 0)
		return verify_fail_program(r, ret_exit, err);
	*ret_exit = VERIFY_EXIT_REFUSED;
	if (judgement->suspected > 0 && (policy == NULL || policy->mode == VERIFY_ENFORCE))
		return seal_fail(err, SEAL_E_REFUSED,
				 "program or working directory are not where they should be");
	return make_argv(judgement->executable, judgement->program->argv, err);
}

int
verify_executable_open(struct verify_executable **ret_executable,
		       const struct verify_program *program, int *ret_exit, struct seal_err *err)
{
	SEAL_SCOPED(verify_executable_freep) struct verify_executable *executable = NULL;
	SEAL_SCOPED(seal_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct judgement judgement = { .program = program, .root = root };
	int r;

	*ret_exit = VERIFY_EXIT_REFUSED;
	if (root < 0)
		return seal_fail_errno(err, errno, "cannot open the root directory");
	executable = calloc(1, sizeof(*executable));
	if (executable == NULL)
		return seal_fail_memory(err);
	executable->cwd = executable->file = -1;
	judgement.executable = executable;
	r = judge_all(&judgement, ret_exit, err);
	if (r < 0)
		return r;
	*ret_executable = SEAL_TAKE(executable);
	return 0;
}

int
verify_executable_enter(const struct verify_executable *executable)
{
	return fchdir(executable->cwd) < 0 ? errno : 0;
}

int
verify_executable_execute(const struct verify_executable *executable, char *const *environment)
{
	(void)execveat(executable->file, "", executable->argv, environment, AT_EMPTY_PATH);
	return errno;
}
