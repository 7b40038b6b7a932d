/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's self-test, for operators: does this kernel, in this container, refuse what it should?
 * Each attempt is made in a child of its own that has entered the sandbox, so that one which succeeds
 * changes nothing here.  Only "you may not" counts as refused: any other failure means that the
 * request was looked at.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/sandbox_internal.h"

#define PROGRAM "/bin/true"

enum wall { WALL_CALLS, WALL_FILES };

/* Each returns less than 0 when it failed, with errno. */
struct attempt {
	const char *name;
	long (*run)(void);
	enum wall wall;
};

/* Shared with the child. */
struct outcome {
	struct proxy_sandbox_report report;
	bool entered;
	bool failed; /* the attempt; without it, it was possible */
	int errnum;
	struct seal_err err;
};

static long
a_program(void)
{
	char name[] = PROGRAM;
	char *const argv[] = { name, NULL };

	return execve(PROGRAM, argv, &argv[1]);
}

static long
a_program_by_descriptor(void)
{
	char name[] = PROGRAM;
	char *const argv[] = { name, NULL };

	return syscall(SYS_execveat, AT_FDCWD, PROGRAM, argv, &argv[1], 0);
}

static long
a_process(void)
{
	long pid = syscall(SYS_clone, (unsigned long)SIGCHLD, NULL, NULL, NULL, 0UL);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
being_traced(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
anothers_memory(void)
{
	char byte;
	struct iovec here = { &byte, 1 };
	struct iovec there = { &byte, 1 }; /* forked from it: the same address is mapped */

	return process_vm_readv(getppid(), &here, 1, &there, 1, 0);
}

static long
a_signal_to_another(void)
{
	return kill(getppid(), 0);
}

static long
a_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
}

static long
a_raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long
a_netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long
a_mount(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static long
an_unmount(void)
{
	return umount2("/proc", MNT_DETACH);
}

static long
another_root(void)
{
	return syscall(SYS_pivot_root, "/", "/");
}

static long
a_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
anothers_namespace(void)
{
	return setns(STDERR_FILENO, 0);
}

static long
a_kernel_program(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long
a_performance_counter(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long
an_io_ring(void)
{
	return syscall(SYS_io_uring_setup, 1, NULL);
}

static long
page_faults_of_its_own(void)
{
	return syscall(SYS_userfaultfd, O_CLOEXEC);
}

static long
the_key_ring(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
}

static long
another_kernel(void)
{
	return syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL);
}

static long
a_kernel_module(void)
{
	return syscall(SYS_init_module, NULL, 0UL, "");
}

static long
another_user(void)
{
	return setuid(0);
}

static long
writable_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	return at == MAP_FAILED ? -1 : 0;
}

static long
data_made_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? -1 : mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

static long
writing_a_file(void)
{
	return open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

static long
a_file_outside(void)
{
	return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long
anothers_environment(void)
{
	return open("/proc/1/environ", O_RDONLY | O_CLOEXEC);
}

static const struct attempt attempts[] = {
	{ "start a program", a_program, WALL_CALLS },
	{ "start a program by descriptor", a_program_by_descriptor, WALL_CALLS },
	{ "start a process", a_process, WALL_CALLS },
	{ "be traced", being_traced, WALL_CALLS },
	{ "read another process's memory", anothers_memory, WALL_CALLS },
	{ "signal another process", a_signal_to_another, WALL_CALLS },
	{ "open a packet socket", a_packet_socket, WALL_CALLS },
	{ "open a raw socket", a_raw_socket, WALL_CALLS },
	{ "open a netlink socket", a_netlink_socket, WALL_CALLS },
	{ "mount", a_mount, WALL_CALLS },
	{ "unmount", an_unmount, WALL_CALLS },
	{ "change the root", another_root, WALL_CALLS },
	{ "make a user namespace", a_namespace, WALL_CALLS },
	{ "join a namespace", anothers_namespace, WALL_CALLS },
	{ "load a BPF program", a_kernel_program, WALL_CALLS },
	{ "open a performance counter", a_performance_counter, WALL_CALLS },
	{ "make an io_uring", an_io_ring, WALL_CALLS },
	{ "handle page faults", page_faults_of_its_own, WALL_CALLS },
	{ "use the kernel's key ring", the_key_ring, WALL_CALLS },
	{ "load another kernel", another_kernel, WALL_CALLS },
	{ "load a kernel module", a_kernel_module, WALL_CALLS },
	{ "become another user", another_user, WALL_CALLS },
	{ "map writable code", writable_code, WALL_CALLS },
	{ "make data executable", data_made_code, WALL_CALLS },
	{ "write a file", writing_a_file, WALL_CALLS },
	{ "list the root folder", a_file_outside, WALL_FILES },
	{ "read another's environment", anothers_environment, WALL_FILES },
};

static _Noreturn void
run_child(const struct attempt *attempt, const struct proxy_sandbox_paths *paths,
	  struct outcome *outcome)
{
	int r = proxy_sandbox_enter(paths, &outcome->report, &outcome->err);

	outcome->entered = r == 0;
	if (r == 0 && attempt->run() < 0) {
		outcome->errnum = errno;
		outcome->failed = true;
	}
	_exit(0);
}

/* The outcome stays as it is when the child is killed before or in its attempt. */
static int
run_attempt(const struct attempt *attempt, const struct proxy_sandbox_paths *paths,
	    struct outcome *outcome, struct seal_err *err)
{
	int status = 0;
	pid_t pid;

	memset(outcome, 0, sizeof(*outcome));
	pid = fork();
	if (pid < 0)
		return seal_fail_errno(err, errno, "cannot start a process");
	if (pid == 0)
		run_child(attempt, paths, outcome);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return seal_fail_errno(err, errno, "cannot wait for a process");
	if (!outcome->entered)
		return outcome->err.code < 0
			       ? seal_fail(err, outcome->err.code, "%s", outcome->err.text)
			       : seal_fail(err, SEAL_E_SYSTEM, "the sandbox could not be entered");
	return 0;
}

static bool
is_refusal(const struct outcome *outcome)
{
	return outcome->failed &&
	       (outcome->errnum == EPERM || outcome->errnum == EACCES || outcome->errnum == ENOSYS);
}

/* False when something was possible. */
static bool
tell(FILE *out, const struct attempt *attempt, const struct outcome *outcome)
{
	const char *word = "POSSIBLE";
	const char *why = outcome->failed ? strerror(outcome->errnum) : "done";

	if (is_refusal(outcome)) {
		word = "refused";
	} else if (attempt->wall == WALL_FILES && outcome->report.landlock_abi == 0) {
		word = "open";
		why = "not enforced: this kernel has no Landlock";
	}
	(void)fprintf(out, "%-9s %s: %s\n", word, attempt->name, why);
	return strcmp(word, "POSSIBLE") != 0;
}

static void
tell_walls(FILE *out, const struct proxy_sandbox_report *report)
{
	(void)fprintf(out, "%-9s capabilities but binding low ports\n",
		      report->capabilities_dropped ? "dropped" : "KEPT");
	(void)fprintf(out, "%-9s system call filter (seccomp)\n",
		      report->seccomp ? "in force" : "ABSENT");
	if (report->landlock_abi > 0)
		(void)fprintf(out, "%-9s file rules (Landlock ABI %d)\n", "in force",
			      report->landlock_abi);
	else
		(void)fprintf(out, "%-9s file rules: this kernel has no Landlock\n", "absent");
}

static int
run_all(const struct proxy_sandbox_paths *paths, struct outcome *outcome, FILE *out,
	struct seal_err *err)
{
	unsigned possible = 0;

	for (size_t i = 0; i < SEAL_COUNT(attempts); i++) {
		int r;

		(void)fflush(out); /* or a child would hold it too; main looks at its health */
		r = run_attempt(&attempts[i], paths, outcome, err);
		if (r < 0)
			return seal_note(err, r, "%s", attempts[i].name);
		if (i == 0)
			tell_walls(out, &outcome->report);
		possible += !tell(out, &attempts[i], outcome);
	}
	if (possible > 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "%u of %zu attempts that should be refused were possible",
				 possible, SEAL_COUNT(attempts));
	return 0;
}

int
proxy_sandbox_test(FILE *out, struct seal_err *err)
{
	const struct proxy_sandbox_sources nothing = { 0 };
	struct proxy_sandbox_paths paths = { 0 };
	struct outcome *outcome;
	int r = proxy_sandbox_collect(&paths, &nothing, err);

	if (r < 0)
		return r;
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (outcome == MAP_FAILED) {
		r = seal_fail_errno(err, errno, "no memory to share");
	} else {
		r = run_all(&paths, outcome, out, err);
		(void)munmap(outcome, sizeof(*outcome));
	}
	proxy_sandbox_paths_release(&paths);
	return r;
}
