/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is to look at in a container, and who judges it.  Knows where things lie and which of them have
 * to be there; what they may say is known to mounts, sysfiles and policy alone.
 *
 * The runtime's files are opened through no link.  Those of the service account lie behind links, as kubelet
 * lays them (..data), which lead nowhere but beneath their directory and onto no other mount.  The directory
 * itself may be reached through the link /var/run that images have, when it is the image's own.
 */

#include "config-verify/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/evidence.h"
#include "config-verify/inspect_internal.h"
#include "config-verify/mounts.h"

#define TERMINATION_LOG "/dev/termination-log"
#define SAVED_TABLE     "proc/self/mountinfo"

#define IN_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define BENEATH (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS)

struct look {
	const struct verify_scene *scene;
	const struct verify_policy *policy;
	struct verify_findings *findings;
};

static int
open_directory(int dirfd, const char *path, uint64_t resolve)
{
	return seal_fs_open_resolved(dirfd, path, O_PATH | O_DIRECTORY, 0, resolve);
}

/* ---- Mounts ---- */

static int
read_live_table(const struct look *look, struct seal_bytes *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep)
	int fd = seal_fs_open_resolved(look->scene->proc, "mountinfo", O_RDONLY, 0,
				       BENEATH | RESOLVE_NO_SYMLINKS);

	if (fd < 0 && (errno == EXDEV || errno == ELOOP)) {
		verify_suspect(look->findings, VERIFY_RULE_PROC_GENUINE, VERIFY_MOUNTINFO_FILE, 0,
			       "the kernel's own", "something mounted over it");
		return 0;
	}
	if (fd < 0 && verify_is_shortage(errno))
		return seal_fail_errno(err, errno, "cannot open '%s'", VERIFY_MOUNTINFO_FILE);
	if (fd < 0) {
		verify_suspect(look->findings, VERIFY_RULE_FILE_MISSING, VERIFY_MOUNTINFO_FILE, 0,
			       "a file that can be read", "%s", strerror(errno));
		return 0;
	}
	return verify_evidence_read_table(fd, VERIFY_MOUNTINFO_FILE, VERIFY_MOUNTINFO_MAX,
					  look->findings, text, err);
}

/* 1 when it was read, 0 for a finding. */
static int
read_table(const struct look *look, struct seal_bytes *text, struct seal_err *err)
{
	const struct verify_evidence saved = {
		.dirfd = look->scene->root,
		.path = SAVED_TABLE,
		.file = VERIFY_MOUNTINFO_FILE,
		.resolve = IN_ROOT,
		.max = VERIFY_MOUNTINFO_MAX,
	};

	if (look->scene->proc >= 0)
		return read_live_table(look, text, err);
	if (look->scene->is_ours)
		return 0; /* said by who judges /proc */
	return verify_evidence_read(&saved, look->findings, text, err);
}

static int
parse_table(const struct look *look, struct verify_mountinfo **ret_info, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(VERIFY_MOUNTINFO_MAX + 2);
	struct seal_err why = { 0 };
	int r = read_table(look, &text, err);

	if (r <= 0)
		return r;
	r = verify_mountinfo_parse(ret_info, text.data, text.len, &why);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0)
		verify_suspect(look->findings, VERIFY_RULE_MOUNT_FORMAT, VERIFY_MOUNTINFO_FILE, 0,
			       "as in proc_pid_mountinfo(5)", "%s", why.text);
	return 0;
}

static int
inspect_mounts(const struct look *look, struct seal_err *err)
{
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;
	int r = parse_table(look, &info, err);

	if (r < 0)
		return r;
	if (look->scene->is_ours)
		r = verify_scene_judge_proc(look->scene, info, look->findings, err);
	if (info != NULL)
		verify_mounts_judge(info, look->policy, look->scene->links, look->findings);
	return r;
}

int
verify_inspect_mounts(const struct verify_scene *scene, const struct verify_policy *policy,
		      struct verify_findings *findings, struct seal_err *err)
{
	const struct look look = { scene, policy, findings };

	return inspect_mounts(&look, err);
}

/* ---- The runtime's files ---- */

static void
judge_hosts(const struct look *look, const char *file, const void *text, size_t len)
{
	(void)file; /* there is one of its kind */
	verify_hosts_judge(text, len, look->policy, &look->scene->self, look->findings);
}

static void
judge_resolv(const struct look *look, const char *file, const void *text, size_t len)
{
	(void)file;
	verify_resolv_judge(text, len, look->policy, look->findings);
}

static void
judge_hostname(const struct look *look, const char *file, const void *text, size_t len)
{
	(void)file;
	verify_hostname_judge(text, len, look->policy, &look->scene->self, look->findings);
}

static void
judge_namespace(const struct look *look, const char *file, const void *text, size_t len)
{
	verify_namespace_judge(file, text, len, look->policy, look->findings);
}

static void
judge_ca(const struct look *look, const char *file, const void *text, size_t len)
{
	verify_ca_judge(file, text, len, look->policy, look->findings);
}

static void
judge_token(const struct look *look, const char *file, const void *text, size_t len)
{
	verify_token_judge(file, text, len, look->policy, &look->scene->self, look->findings);
}

struct kind {
	const char *file; /* its absolute name, or that in the service account's directory */
	size_t max;
	bool may_be_absent;
	void (*judge)(const struct look *look, const char *file, const void *text, size_t len);
};

static const struct kind runtime_files[] = {
	{ VERIFY_HOSTS_FILE, VERIFY_HOSTS_MAX, false, judge_hosts },
	{ VERIFY_RESOLV_FILE, VERIFY_RESOLV_MAX, false, judge_resolv },
	{ VERIFY_HOSTNAME_FILE, VERIFY_HOSTNAME_MAX, false, judge_hostname },
	{ TERMINATION_LOG, 0, true, NULL }, /* the application writes it, kubelet reads it */
};

static int
inspect_file(const struct look *look, const struct verify_evidence *evidence,
	     const struct kind *kind, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(kind->max + 2);
	int r = verify_evidence_read(evidence, look->findings, &text, err);

	if (r == 1 && kind->judge != NULL)
		kind->judge(look, evidence->file, text.len > 0 ? text.data : (const void *)"",
			    text.len);
	return r < 0 ? r : 0;
}

static int
inspect_runtime_files(const struct look *look, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(runtime_files); i++) {
		const struct kind *kind = &runtime_files[i];
		const struct verify_evidence evidence = {
			.dirfd = look->scene->root,
			.path = kind->file + 1,
			.file = kind->file,
			.resolve = IN_ROOT,
			.max = kind->max,
			.may_be_absent = kind->may_be_absent,
		};

		r = inspect_file(look, &evidence, kind, err);
	}
	return r;
}

/* ---- The service account ---- */

static const struct kind account_files[] = {
	{ "namespace", VERIFY_ACCOUNT_NS_MAX, false, judge_namespace },
	{ "ca.crt", VERIFY_CA_MAX, false, judge_ca },
	{ "token", VERIFY_TOKEN_MAX, false, judge_token },
};

/* A descriptor, or -1 with errno. */
static int
open_account(int root)
{
	int fd = open_directory(root, &VERIFY_ACCOUNT_DIR[1], IN_ROOT);

	if (fd >= 0 || errno != ELOOP)
		return fd;
	if ((verify_scene_links(root) & VERIFY_LINK_VAR_RUN) != 0)
		return open_directory(root, &VERIFY_ACCOUNT_DIR[sizeof("/var/") - 1], IN_ROOT);
	errno = ELOOP;
	return -1;
}

/* Whether one of its files is there; that a directory is proves nothing. */
static bool
has_account(int dirfd)
{
	struct stat st;

	for (size_t i = 0; i < SEAL_COUNT(account_files); i++)
		if (fstatat(dirfd, account_files[i].file, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
		    errno != ENOENT)
			return true;
	return false;
}

static int
inspect_account_files(const struct look *look, int dirfd, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(account_files); i++) {
		const struct kind *kind = &account_files[i];
		char file[PATH_MAX];
		const struct verify_evidence evidence = {
			.dirfd = dirfd,
			.path = kind->file,
			.file = file,
			.resolve = BENEATH,
			.max = kind->max,
			/* Owners who mount one of their own take of it what they need. */
			.may_be_absent = look->policy->account.mounted == VERIFY_ANY,
		};

		(void)snprintf(file, sizeof(file), "%s/%s", VERIFY_ACCOUNT_DIR, kind->file);
		r = inspect_file(look, &evidence, kind, err);
	}
	return r;
}

static int
inspect_account(const struct look *look, struct seal_err *err)
{
	const enum verify_presence wanted = look->policy->account.mounted;
	SEAL_SCOPED(seal_closep) int fd = open_account(look->scene->root);

	if (fd < 0 && verify_is_shortage(errno))
		return seal_fail_errno(err, errno, "cannot open '%s'", VERIFY_ACCOUNT_DIR);
	if (fd < 0 && errno != ENOENT) {
		verify_suspect(look->findings, VERIFY_RULE_FILE_TYPE, VERIFY_ACCOUNT_DIR, 0,
			       "a directory, reached through no foreign link", "%s",
			       errno == ELOOP ? "a symbolic link on the way" : strerror(errno));
		return 0;
	}
	if (fd < 0 || !has_account(fd)) {
		if (wanted == VERIFY_YES)
			verify_suspect(look->findings, VERIFY_RULE_ACCOUNT_MISSING,
				       VERIFY_ACCOUNT_DIR, 0, "the pod's service account",
				       "nothing");
		return 0;
	}
	if (wanted == VERIFY_NO) {
		verify_suspect(look->findings, VERIFY_RULE_ACCOUNT_UNEXPECTED, VERIFY_ACCOUNT_DIR,
			       0, "nothing", "a service account");
		return 0;
	}
	return inspect_account_files(look, fd, err);
}

/* ---- All of it ---- */

int
verify_inspect(const struct verify_scene *scene, const struct verify_policy *policy,
	       struct verify_findings *findings, struct seal_err *err)
{
	const struct look look = { scene, policy, findings };
	int r = inspect_mounts(&look, err);

	if (r == 0)
		r = inspect_runtime_files(&look, err);
	if (r == 0 && scene->proc >= 0)
		r = verify_inspect_devices(scene->root, findings, err);
	if (r == 0 && policy != NULL)
		r = inspect_account(&look, err);
	if (r == 0 && scene->environment != NULL)
		verify_environment_judge(scene->environment, scene->image, findings);
	return r;
}
