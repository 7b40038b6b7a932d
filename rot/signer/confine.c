/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the signer may ask of the kernel once it serves: memory, time, randomness, its socket, its
 * end.  No files, no new sockets, no processes, no programs.  Whoever subverts it finds the keys it
 * holds and no way to carry them off but the answers it gives anyway.
 *
 * What is not listed fails with EPERM instead of killing: a library that tries something better
 * first (a newer call, a hint) falls back or reports, and the signer answers with an error.
 */

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "rot/signer/signer_internal.h"

#if defined(__x86_64__)
#define CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CONFINE_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef CONFINE_ARCH

#define ALLOW(name)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1),                                    \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))

static const struct sock_filter rules[] = {
	/* Another architecture has other numbers: nothing of it is meant. */
	FIELD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CONFINE_ARCH, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	FIELD(nr),
	/* its socket, and its last words on standard error */
	ALLOW(recvfrom),
	ALLOW(recvmsg),
	ALLOW(sendto),
	ALLOW(sendmsg),
	ALLOW(read),
	ALLOW(write),
	ALLOW(writev),
	ALLOW(close),
	/* memory */
	ALLOW(mmap),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(mprotect),
	ALLOW(madvise),
	ALLOW(brk),
	ALLOW(mlock),
	ALLOW(mlock2),
	ALLOW(munlock),
	/* time, randomness, locks */
	ALLOW(clock_gettime),
	ALLOW(gettimeofday),
	ALLOW(getrandom),
	ALLOW(futex),
	ALLOW(sched_yield),
	/* what OpenSSL and the C library ask about this process */
	ALLOW(getpid),
	ALLOW(gettid),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),
	/* signals and the end */
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(sigaltstack),
	ALLOW(tgkill),
	ALLOW(restart_syscall),
	ALLOW(exit),
	ALLOW(exit_group),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

bool
rot_signer_confine(void)
{
	/* The kernel copies the rules; its structure merely lacks the const. */
	const struct sock_fprog program = {
		.len = SEAL_COUNT(rules),
		.filter = (struct sock_filter *)(uintptr_t)rules,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

#else

bool
rot_signer_confine(void)
{
	return false;
}

#endif
