/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/inspect: what is opened, how, and what of it is a finding.  Saved files, and our own /proc. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/evidence.h"
#include "config-verify/inspect.h"
#include "config-verify/inspect_internal.h"
#include "config-verify/mounts.h"

#define GOOD_HOSTS "127.0.0.1\tlocalhost\n::1\tlocalhost\n10.1.2.3\tweb\n"
#define GOOD_TABLE                                                                                 \
	"71 47 0:39 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w\n"     \
	"72 71 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"

static char dir[64];
static int root = -1;

static const char *
in_root(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % SEAL_COUNT(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void
shell(const char *command)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "cd %s && %s", dir, command);
	cr_assert_eq(system(text), 0, "%s", command);
}

static void
write_file(const char *name, const char *text, size_t len)
{
	FILE *out = fopen(in_root(name), "w");

	cr_assert_not_null(out, "%s", name);
	cr_assert_eq(fwrite(text, 1, len, out), len);
	cr_assert_eq(fclose(out), 0);
}

static void
setup(void)
{
	(void)alarm(120); /* Criterion's own timeouts leak, which counts as ours */
	(void)snprintf(dir, sizeof(dir), "/tmp/inspect-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	shell("mkdir -p etc proc/self dev var/run run");
	write_file("etc/hosts", GOOD_HOSTS, strlen(GOOD_HOSTS));
	write_file("etc/hostname", "web\n", 4);
	write_file("etc/resolv.conf", "nameserver 10.96.0.10\n", 22);
	write_file("proc/self/mountinfo", GOOD_TABLE, strlen(GOOD_TABLE));
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(root, 0);
}

static void
clean(void)
{
	shell("rm -rf *");
	cr_expect_eq(rmdir(dir), 0);
	seal_close(root);
}

static struct verify_findings *
look(const struct verify_policy *policy)
{
	const struct verify_scene scene = { .root = root, .proc = -1 };
	struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	cr_assert_eq(verify_inspect(&scene, policy, findings, NULL), 0);
	return findings;
}

/* Exactly one finding, of this rule, about this file. */
static void
expect_finding(const struct verify_policy *policy, enum verify_rule rule, const char *file)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = look(policy);
	const struct verify_finding *first = verify_findings_at(findings, 0);

	cr_assert_eq(verify_findings_count(findings), 1, "%zu findings, not one of %s",
		     verify_findings_count(findings), verify_rule_name(rule));
	cr_expect_eq(first->rule, rule, "%s: %s: %s", first->file, verify_rule_name(first->rule),
		     first->found);
	cr_expect_str_eq(first->file, file);
}

static void
expect_none(const struct verify_policy *policy)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = look(policy);
	const struct verify_finding *first = verify_findings_at(findings, 0);

	cr_expect_null(first, "%s: %s: %s", first->file, verify_rule_name(first->rule),
		       first->found);
}

TestSuite(verify_inspect, .init = setup, .fini = clean);

Test(verify_inspect, saved_files_as_they_should_be_are_no_finding)
{
	expect_none(NULL);
	write_file("dev/termination-log", "", 0);
	shell("chmod 0666 dev/termination-log");
	expect_none(NULL);
}

Test(verify_inspect, what_is_no_regular_file_is_told_without_waiting)
{
	static const char *const makers[] = {
		"mkfifo etc/hosts",
		"ln -s /etc/passwd etc/hosts",
		"ln -s ../real etc/hosts; cp etc/hostname real",
		"mkdir etc/hosts",
		"python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"etc/hosts\")'",
	};

	for (size_t i = 0; i < SEAL_COUNT(makers); i++) {
		shell("rm -rf etc/hosts");
		shell(makers[i]);
		expect_finding(NULL, VERIFY_RULE_FILE_TYPE, "/etc/hosts");
	}
	shell("rm -rf etc/hosts");
	if (mknod(in_root("etc/hosts"), S_IFCHR | 0644, makedev(1, 5)) == 0)
		expect_finding(NULL, VERIFY_RULE_FILE_TYPE, "/etc/hosts");
	else
		(void)fprintf(stderr, "needs root, to make a device\n");
}

Test(verify_inspect, links_on_the_way_are_told_for_each_file)
{
	shell("mv etc etc-real && ln -s etc-real etc");
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = look(NULL);

	cr_expect_eq(verify_findings_count(findings), 3);
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(verify_findings_at(findings, i)->rule, VERIFY_RULE_FILE_TYPE);
}

Test(verify_inspect, what_is_missing_is_told)
{
	static const char *const names[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/hostname" };

	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		cr_assert_eq(rename(in_root(names[i] + 1), in_root("away")), 0);
		expect_finding(NULL, VERIFY_RULE_FILE_MISSING, names[i]);
		cr_assert_eq(rename(in_root("away"), in_root(names[i] + 1)), 0);
	}
	cr_assert_eq(unlink(in_root("proc/self/mountinfo")), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_MISSING, "/proc/self/mountinfo");
}

Test(verify_inspect, files_that_are_too_large_are_not_read)
{
	cr_assert_eq(truncate(in_root("etc/hosts"), VERIFY_HOSTS_MAX + 1), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_SIZE, "/etc/hosts");
	write_file("etc/hosts", GOOD_HOSTS, strlen(GOOD_HOSTS));
	cr_assert_eq(truncate(in_root("etc/resolv.conf"), (off_t)1 << 40), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_SIZE, "/etc/resolv.conf");
}

Test(verify_inspect, files_that_others_may_write_are_told)
{
	cr_assert_eq(chmod(in_root("etc/hosts"), 0646), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_OWNER, "/etc/hosts");
	cr_assert_eq(chmod(in_root("etc/hosts"), 0444), 0);
	expect_none(NULL);
	if (geteuid() != 0)
		return;
	cr_assert_eq(chmod(in_root("etc/hosts"), 0664), 0);
	expect_none(NULL); /* group root */
	cr_assert_eq(chown(in_root("etc/hosts"), 0, 100), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_OWNER, "/etc/hosts");
	cr_assert_eq(chmod(in_root("etc/hosts"), 0644), 0);
	cr_assert_eq(chown(in_root("etc/hosts"), 1234, 0), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_OWNER, "/etc/hosts");
}

Test(verify_inspect, a_table_that_cannot_be_parsed_is_told)
{
	write_file("proc/self/mountinfo", "nonsense\n", 9);
	expect_finding(NULL, VERIFY_RULE_MOUNT_FORMAT, "/proc/self/mountinfo");
}

/* ---- The service account ---- */

#define ACCOUNT "var/run/secrets/kubernetes.io/serviceaccount"

static size_t
count_of(const struct verify_policy *policy, enum verify_rule rule)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = look(policy);
	const struct verify_finding *at;
	size_t count = 0;

	for (size_t i = 0; (at = verify_findings_at(findings, i)) != NULL; i++)
		count += at->rule == rule;
	return count;
}

Test(verify_inspect, a_service_account_is_there_or_not_as_it_is_wanted)
{
	struct verify_policy policy = { .mode = VERIFY_ENFORCE, .hosts = { .has_others = true } };

	policy.account.mounted = VERIFY_YES;
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_MISSING), 1);
	policy.account.mounted = VERIFY_NO;
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_UNEXPECTED), 0);
	shell("mkdir -p " ACCOUNT "/..v1 && cd " ACCOUNT
	      " && ln -s ..v1 ..data && ln -s ..data/namespace namespace");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_UNEXPECTED), 1);
	policy.account.mounted = VERIFY_YES;
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_MISSING), 3);
	policy.account.mounted = VERIFY_ANY;
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_MISSING), 0);
}

Test(verify_inspect, links_of_a_service_account_lead_nowhere_else)
{
	struct verify_policy policy = { .mode = VERIFY_ENFORCE,
					.account = {
						.mounted = VERIFY_ANY,
					} };

	shell("mkdir -p " ACCOUNT "/..v1 && cd " ACCOUNT
	      " && ln -s ..v1 ..data && ln -s ..data/namespace namespace && printf shop "
	      ">..v1/namespace");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_TYPE), 0);
	policy.pod.ns = "shop";
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_NAMESPACE), 0);
	policy.pod.ns = "mall";
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_NAMESPACE), 1);
	shell("printf shop >etc/namespace && cd " ACCOUNT
	      " && ln -sfn ../../../../../etc/namespace namespace");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_TYPE), 1);
	shell("cd " ACCOUNT " && ln -sfn /etc/namespace namespace");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_TYPE), 1);
}

Test(verify_inspect, the_images_link_to_run_is_followed_and_no_other)
{
	struct verify_policy policy = { .mode = VERIFY_ENFORCE,
					.account = { .mounted = VERIFY_NO } };

	shell("mkdir -p run/secrets/kubernetes.io/serviceaccount && touch "
	      "run/secrets/kubernetes.io/serviceaccount/token && rmdir var/run && ln -s /run "
	      "var/run");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_UNEXPECTED), 1);
	shell("ln -sfn ../run var/run");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_ACCOUNT_UNEXPECTED), 1);
	shell("ln -sfn /etc var/run");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_TYPE), 1);
	shell("ln -sfn ../run var/run && mv run/secrets run/real && ln -s real run/secrets");
	cr_expect_eq(count_of(&policy, VERIFY_RULE_FILE_TYPE), 1);
}

/* ---- Links of the image ---- */

Test(verify_inspect, says_which_of_the_known_links_an_image_has)
{
	static const struct {
		const char *make;
		unsigned links;
	} rows[] = {
		{ "true", 0 },
		{ "ln -s /run var/run", 1u << 0 },
		{ "ln -s ../run var/run", 1u << 0 },
		{ "ln -s run var/run", 0 },
		{ "ln -s ../../run var/run", 0 },
		{ "ln -s /run/ var/run", 0 },
		{ "ln -s /run/of/a/long/name var/run", 0 },
		{ "ln -s var/run run", 1u << 1 },
		{ "ln -s ../run/lock var/lock; ln -s /usr/bin bin; ln -s usr/lib64 lib64; ln -s "
		  "usr/lib sbin",
		  1u << 2 | 1u << 3 | 1u << 7 },
		{ "touch bin; mkdir lib", 0 },
		{ "ln -s usr/lib lib; ln -s usr/sbin sbin; ln -s usr/lib32 lib32",
		  1u << 4 | 1u << 5 | 1u << 6 },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		shell("rm -rf var run bin sbin lib lib32 lib64 && mkdir var");
		shell(rows[i].make);
		cr_expect_eq(verify_scene_links(root), rows[i].links, "%s: %x", rows[i].make,
			     verify_scene_links(root));
	}
}

/* A volume over /var is its host's, and so are its links. */
Test(verify_inspect, takes_no_link_on_a_mount_for_the_images)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("needs root, to mount");
	seal_close(root);
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC); /* in this namespace */
	cr_assert_geq(root, 0);
	cr_assert_eq(mount("tmpfs", in_root("var"), "tmpfs", 0, NULL), 0);
	shell("ln -s ../run var/run");
	cr_expect_eq(verify_scene_links(root), 0);
	cr_assert_eq(umount(in_root("var")), 0);
	shell("rmdir var/run && ln -s ../run var/run");
	cr_expect_eq(verify_scene_links(root), VERIFY_LINK_VAR_RUN);
}

Test(verify_inspect, follows_of_a_scene_its_own_links)
{
	const struct verify_declared_mount app = { .path = "/var/run/app",
						   .source = VERIFY_FROM_VOLUME };
	const struct verify_policy policy = { .mounts = &app, .mount_count = 1 };
	static const char table[] = GOOD_TABLE "190 71 8:1 /d /run/app rw - ext4 /dev/sda1 rw\n";
	struct verify_scene scene = { .root = root, .proc = -1 };

	write_file("proc/self/mountinfo", table, strlen(table));
	for (unsigned links = 0; links <= VERIFY_LINK_VAR_RUN; links++) {
		SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

		scene.links = links;
		cr_assert_eq(verify_findings_new(&findings, NULL), 0);
		cr_assert_eq(verify_inspect_mounts(&scene, &policy, findings, NULL), 0);
		cr_expect_eq(verify_findings_count(findings), links == 0 ? 2 : 0, "%u", links);
	}
}

/* ---- Our own /proc ---- */

static size_t
suspicions_of_proc(void)
{
	SEAL_SCOPED(verify_own_scene_freep) struct verify_own_scene *own = NULL;
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	const struct verify_scene *scene = NULL;
	const struct verify_finding *at;
	size_t count = 0;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	cr_assert_eq(verify_own_scene_new(&own, NULL), 0);
	cr_assert_eq(verify_own_scene_look(own, &scene, NULL), 0);
	cr_assert_eq(verify_inspect_mounts(scene, NULL, findings, NULL), 0);
	for (size_t i = 0; (at = verify_findings_at(findings, i)) != NULL; i++)
		count += at->rule == VERIFY_RULE_PROC_GENUINE;
	return count;
}

static void
own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("needs root, to mount");
}

Test(verify_inspect, the_kernels_proc_is_believed)
{
	cr_expect_eq(suspicions_of_proc(), 0);
}

Test(verify_inspect, a_directory_of_files_is_no_proc)
{
	own_mounts();
	shell("cp /proc/self/mountinfo proc/self/mountinfo");
	cr_assert_eq(mount(in_root("proc"), "/proc", NULL, MS_BIND, NULL), 0);
	cr_expect_gt(suspicions_of_proc(), 0);
	cr_assert_eq(umount("/proc"), 0);
}

Test(verify_inspect, something_over_the_table_is_found)
{
	char path[64];

	own_mounts();
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)getpid());
	cr_assert_eq(mount(in_root("proc/self/mountinfo"), path, NULL, MS_BIND, NULL), 0);
	cr_expect_gt(suspicions_of_proc(), 0);
	cr_assert_eq(umount(path), 0);
}

Test(verify_inspect, a_part_of_proc_is_no_proc)
{
	own_mounts();
	shell("mkdir -p real");
	cr_assert_eq(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL), 0);
	cr_expect_gt(suspicions_of_proc(), 0);
}

/* For the first process of a namespace /proc is still that of the one above. */
static int
look_from_below(void)
{
	int status = -1;
	pid_t child;

	if (unshare(CLONE_NEWPID) < 0)
		return 2;
	child = fork();
	if (child == 0)
		_exit(suspicions_of_proc() > 0 ? 0 : 1);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

Test(verify_inspect, a_proc_of_other_processes_is_none)
{
	int status = 0;
	pid_t child;

	own_mounts();
	child = fork(); /* who has made such a namespace can start nothing once its first is gone */
	if (child == 0)
		_exit(look_from_below());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
}

/* ---- One version ---- */

static atomic_bool is_over;

static void *
swap(void *unused)
{
	char a[256];
	char b[256];

	(void)unused;
	(void)snprintf(a, sizeof(a), "%s/etc/hosts", dir);
	(void)snprintf(b, sizeof(b), "%s/etc/evil", dir);
	while (!atomic_load(&is_over))
		(void)renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	return NULL;
}

/* A good file and a link to a bad one change places: what was read is the good one, or a finding. */
Test(verify_inspect, what_is_swapped_between_check_and_use_is_never_used)
{
	const struct verify_evidence evidence = {
		.dirfd = root,
		.path = "etc/hosts",
		.file = "/etc/hosts",
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
		.max = VERIFY_HOSTS_MAX,
	};
	pthread_t swapper;
	unsigned taken = 0;
	unsigned refused = 0;

	shell("echo evil >bad && ln -s ../bad etc/evil");
	cr_assert_eq(pthread_create(&swapper, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < 10000; i++) {
		SEAL_SCOPED(seal_bytes_release)
		struct seal_bytes text = SEAL_BYTES(VERIFY_HOSTS_MAX + 2);
		SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
		int r;

		cr_assert_eq(verify_findings_new(&findings, NULL), 0);
		r = verify_evidence_read(&evidence, findings, &text, NULL);
		cr_assert_eq(verify_findings_count(findings), r == 1 ? 0 : 1);
		if (r == 1)
			cr_assert_str_eq(seal_bytes_str(&text), GOOD_HOSTS, "round %u", i);
		taken += r == 1;
		refused += r == 0;
	}
	atomic_store(&is_over, true);
	cr_assert_eq(pthread_join(swapper, NULL), 0);
	cr_expect_gt(taken, 100);
	cr_expect_gt(refused, 100);
}

/* A table that no two readings agree on is told as mounts are: at once. */
Test(verify_inspect, a_table_that_never_says_the_same_twice_is_no_table)
{
	SEAL_SCOPED(seal_closep)
	int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1026);
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	cr_assert_geq(fd, 0);
	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	cr_expect_eq(verify_evidence_read_table(fd, "table", 1024, findings, &text, NULL), 0);
	cr_expect_eq(text.len, 0);
	cr_assert_eq(verify_findings_count(findings), 1);
	cr_expect_eq(verify_findings_at(findings, 0)->rule, VERIFY_RULE_MOUNT_FORMAT);
}

/* From now on the kernel says this of each such call; the last to be said counts. */
static void
fail_calls(unsigned call, int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = SEAL_COUNT(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		cr_skip_test("no seccomp");
}

Test(verify_inspect, a_file_system_that_says_try_again_for_ever_is_not_tried_for_ever)
{
	const struct verify_evidence evidence = {
		.dirfd = root,
		.path = "etc/hosts",
		.file = "/etc/hosts",
		.max = VERIFY_HOSTS_MAX,
	};
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(VERIFY_HOSTS_MAX + 2);
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	fail_calls(SYS_openat2, EAGAIN); /* as a file system of the host's may */
	cr_expect_eq(verify_evidence_read(&evidence, findings, &text, NULL), 0);
	cr_assert_eq(verify_findings_count(findings), 1);
	cr_expect_eq(verify_findings_at(findings, 0)->rule, VERIFY_RULE_FILE_MISSING);
}

/* Looks in a process of its own, of which such calls fail; with our own /proc, if it has to be. */
static void
expect_no_look(unsigned call, int errnum, bool is_ours)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	struct verify_own_scene *own = NULL;
	const struct verify_scene *scene = &(const struct verify_scene){ .root = root, .proc = -1 };
	int status = 0;
	pid_t child;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	child = fork();
	if (child == 0) {
		int r;

		if (is_ours && (verify_own_scene_new(&own, NULL) < 0 ||
				verify_own_scene_look(own, &scene, NULL) < 0))
			_exit(1);
		fail_calls(call, errnum);
		r = is_ours ? verify_inspect_mounts(scene, NULL, findings, NULL)
			    : verify_inspect(scene, NULL, findings, NULL);
		_exit(r != SEAL_E_SYSTEM && r != SEAL_E_MEMORY
			      ? 2
			      : verify_findings_count(findings) > 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0, "call %u, %s: %d", call, strerror(errnum), WEXITSTATUS(status));
}

Test(verify_inspect, what_we_lack_is_no_finding_about_a_file)
{
	static const int lacking[] = { EMFILE, ENFILE, ENOMEM, EINTR };
	static const unsigned calls[] = { SYS_openat2, SYS_openat, SYS_read };

	for (size_t i = 0; i < SEAL_COUNT(lacking); i++)
		for (size_t j = 0; j < SEAL_COUNT(calls); j++)
			expect_no_look(calls[j], lacking[i], false);
	for (size_t i = 0; i < SEAL_COUNT(lacking); i++) {
		expect_no_look(SYS_openat2, lacking[i], true);
		expect_no_look(SYS_read, lacking[i], true);
	}
}

/* Opening a device can do something (a watchdog begins to count): a FIFO stands for it. */
Test(verify_inspect, what_is_no_regular_file_is_not_even_opened)
{
	SEAL_SCOPED(seal_closep) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[512];

	shell("rm etc/hosts && mkfifo etc/hosts");
	cr_assert_geq(inotify_add_watch(watch, in_root("etc/hosts"), IN_OPEN), 0);
	expect_finding(NULL, VERIFY_RULE_FILE_TYPE, "/etc/hosts");
	cr_expect_lt(read(watch, event, sizeof(event)), 0, "it was opened");
	cr_expect_eq(errno, EAGAIN);
	seal_close(open(in_root("etc/hosts"), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	cr_expect_gt(read(watch, event, sizeof(event)), 0, "this test sees nothing");
}

/* ---- What it costs ---- */

Test(verify_inspect, a_hundred_mounts_and_a_thousand_names_cost_less_than_ten_milliseconds)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1u << 20);
	struct timespec begin, end;
	double best = 1e9;

	cr_assert_eq(seal_bytes_append_str(&text, GOOD_HOSTS, NULL), 0);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL,
						   "10.9.%u.%u name%u.example.com name%u\n",
						   i / 250, 1 + i % 250, i, i),
			     0);
	write_file("etc/hosts", (const char *)text.data, text.len);
	seal_bytes_reset(&text);
	cr_assert_eq(seal_bytes_append_str(&text, GOOD_TABLE, NULL), 0);
	for (unsigned i = 0; i < 98; i++)
		cr_assert_eq(
			seal_bytes_append_fmt(
				&text, NULL,
				"%u 71 0:%u / /data/%u rw,relatime - tmpfs tmpfs rw,size=1024k\n",
				100 + i, 100 + i, i),
			0);
	write_file("proc/self/mountinfo", (const char *)text.data, text.len);
	for (unsigned i = 0; i < 20; i++) {
		double ms;

		(void)clock_gettime(CLOCK_MONOTONIC, &begin);
		verify_findings_free(look(NULL));
		(void)clock_gettime(CLOCK_MONOTONIC, &end);
		ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
		     (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
		best = ms < best ? ms : best;
	}
	(void)fprintf(stderr, "100 mounts and 1000 lines: %.2f ms\n", best);
	/* Instrumented builds are slower by far; what the promise is about is the product. */
	cr_expect_lt(best, getenv("SEAL_SLOW") == NULL ? 10.0 : 200.0);
}

/* ---- Devices ---- */

static size_t
look_at_devices(void)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	cr_assert_eq(verify_inspect_devices(root, findings, NULL), 0);
	for (size_t i = 0; i < verify_findings_count(findings); i++)
		cr_expect_eq(verify_findings_at(findings, i)->rule, VERIFY_RULE_DEVICE_GENUINE);
	return verify_findings_count(findings);
}

Test(inspect, what_we_lack_is_no_finding_about_a_device, .init = setup, .fini = clean)
{
	static const int lacking[] = { EMFILE, ENFILE, ENOMEM, EINTR };
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

	cr_assert_eq(verify_findings_new(&findings, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(lacking); i++) {
		fail_calls(SYS_openat2, lacking[i]);
		cr_expect_lt(verify_inspect_devices(root, findings, NULL), 0);
	}
	cr_expect_eq(verify_findings_count(findings), 0);
}

Test(inspect, devices_are_those_of_their_names, .init = setup, .fini = clean)
{
	static const char *const wrong[] = {
		"rm dev/urandom && mknod dev/urandom c 1 5",
		"rm dev/urandom && mknod dev/urandom b 1 9",
		"rm dev/null && : >dev/null",
		"rm dev/random && ln -s zero dev/random",
		"rm dev/fd && mkdir dev/fd",
		"rm dev/stdin && ln -s /etc/hosts dev/stdin",
		"rm dev/stdout && mknod dev/stdout c 1 3",
	};

	if (geteuid() != 0)
		cr_skip_test("devices are made by root");
	cr_expect_eq(look_at_devices(), 0, "none are there");
	for (size_t i = 0; i < SEAL_COUNT(wrong); i++) {
		shell("rm -rf dev && mkdir dev && mknod dev/null c 1 3 && mknod dev/zero c 1 5 &&"
		      " mknod dev/full c 1 7 && mknod dev/random c 1 8 && mknod dev/urandom c 1 9 "
		      "&&"
		      " mknod dev/tty c 5 0 && ln -s /proc/self/fd dev/fd &&"
		      " ln -s /proc/self/fd/0 dev/stdin && ln -s /proc/self/fd/1 dev/stdout &&"
		      " ln -s /proc/self/fd/2 dev/stderr");
		cr_expect_eq(look_at_devices(), 0);
		shell(wrong[i]);
		cr_expect_eq(look_at_devices(), 1, "%s", wrong[i]);
	}
}
