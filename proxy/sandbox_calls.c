/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of the serving process: found by tracing it and its resolver, and kept as narrow
 * as their arguments allow.  All others fail with EPERM.  How that is enforced is
 * base/confine's.
 *
 * Absent on purpose: execve, fork and vfork (the proxy starts nothing), openat2 (its flags lie in
 * memory and cannot be judged; the egg is read before), netlink sockets, rename, mkdir, link (nothing
 * is written), memfd_create, and all that inspects or changes other processes.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "proxy/sandbox_internal.h"

/* Argument number is value, one of a kind under a mask, or has none of some bits. */
#define IS(number, is)                                                                             \
	{                                                                                          \
		.arg = (number), .mask = UINT32_MAX, .value = (is)                                 \
	}
#define KIND(number, bits, is)                                                                     \
	{                                                                                          \
		.arg = (number), .mask = (bits), .value = (is)                                     \
	}
#define NONE_OF(number, bits)                                                                      \
	{                                                                                          \
		.arg = (number), .mask = (bits), .value = 0                                        \
	}
#define ONLY(call, test)                                                                           \
	{                                                                                          \
		.number = __NR_##call, .tests = { test }                                           \
	}
#define ONLY_BOTH(call, one, two)                                                                  \
	{                                                                                          \
		.number = __NR_##call, .tests = { one, two }                                       \
	}

/* socket(): the type shares its argument with flags. */
#define SOCKET_KIND          0xf
#define SOCKET(family, kind) ONLY_BOTH(socket, IS(0, family), KIND(1, SOCKET_KIND, kind))

/* Nothing is created, emptied or written to. */
#define OPEN_FOR_CHANGE (O_ACCMODE | O_CREAT | O_TRUNC)
#define SPECIAL_MODES   (S_ISUID | S_ISGID)

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
/* A thread of this process, and nothing else. */
#define CLONE_THREADS (CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)

static const struct seal_call always[] = {
	/* connections */
	SEAL_CALL(recvfrom),
	SEAL_CALL(recvmsg),
	SEAL_CALL(sendto),
	SEAL_CALL(sendmsg),
	SEAL_CALL(read),
	SEAL_CALL(readv),
	SEAL_CALL(write),
	SEAL_CALL(writev),
	SEAL_CALL(shutdown),
	SEAL_CALL(close),
	SEAL_CALL(accept4),
	SEAL_CALL(connect),
	SEAL_CALL(bind),
	SEAL_CALL(listen),
	SEAL_CALL(getsockname),
	SEAL_CALL(getpeername),
	SEAL_CALL(getsockopt),
	SEAL_CALL(setsockopt),
	SOCKET(AF_INET, SOCK_STREAM),
	SOCKET(AF_INET, SOCK_DGRAM), /* names are resolved so */
	SOCKET(AF_INET6, SOCK_STREAM),
	SOCKET(AF_INET6, SOCK_DGRAM),
	SOCKET(AF_UNIX, SOCK_STREAM),
	SOCKET(AF_UNIX, SOCK_DGRAM),
	ONLY(socketpair, IS(0, AF_UNIX)),
	/* waiting */
	SEAL_CALL(epoll_pwait),
	SEAL_CALL(epoll_ctl),
	SEAL_CALL(epoll_create1),
	SEAL_CALL(ppoll),
	SEAL_CALL(eventfd2),
	SEAL_CALL(pipe2),
	SEAL_CALL(timerfd_create),
	SEAL_CALL(timerfd_settime),
	/* descriptors */
	SEAL_CALL(dup),
	SEAL_CALL(dup3),
	ONLY(fcntl, IS(1, F_GETFL)),
	ONLY(fcntl, IS(1, F_SETFL)),
	ONLY(fcntl, IS(1, F_GETFD)),
	ONLY(fcntl, IS(1, F_SETFD)),
	ONLY(fcntl, IS(1, F_DUPFD_CLOEXEC)),
	ONLY(ioctl, IS(1, FIONREAD)),
	ONLY(ioctl, IS(1, FIONBIO)),
	ONLY(ioctl, IS(1, TIOCOUTQ)),
	ONLY(ioctl, IS(1, TCGETS)), /* "is this a terminal?" */
	/* files: read, and sockets of our own put away */
	ONLY(openat, NONE_OF(2, OPEN_FOR_CHANGE)),
	SEAL_CALL(newfstatat),
	SEAL_CALL(fstat),
	SEAL_CALL(statx),
	SEAL_CALL(lseek),
	SEAL_CALL(pread64),
	SEAL_CALL(readlinkat),
	SEAL_CALL(getdents64),
	SEAL_CALL(faccessat),
	SEAL_CALL(faccessat2),
	SEAL_CALL(getcwd),
	SEAL_CALL(unlinkat),
	SEAL_CALL(umask),
	ONLY(fchmod, NONE_OF(1, SPECIAL_MODES)),
	ONLY(fchmodat, NONE_OF(2, SPECIAL_MODES)),
	/* memory: written or executed, and nothing is made executable any more */
	ONLY(mmap, NONE_OF(2, PROT_EXEC)),
	ONLY(mprotect, NONE_OF(2, PROT_EXEC)),
	SEAL_CALL(munmap),
	SEAL_CALL(mremap),
	SEAL_CALL(madvise),
	SEAL_CALL(brk),
	SEAL_CALL(mlock),
	SEAL_CALL(mlock2),
	SEAL_CALL(munlock),
	/* threads; glibc takes clone when clone3, whose flags lie in memory, does not exist */
	{ .number = __NR_clone3, .refusal = ENOSYS },
	ONLY_BOTH(clone, KIND(0, CLONE_THREADS, CLONE_THREADS), NONE_OF(0, CLONE_NAMESPACES)),
	SEAL_CALL(futex),
	SEAL_CALL(rseq),
	SEAL_CALL(set_robust_list),
	SEAL_CALL(sched_yield),
	SEAL_CALL(sched_getaffinity),
	SEAL_CALL(getcpu),
	ONLY(prctl, IS(0, PR_SET_NAME)),
	/* time, randomness, and what a process asks about itself and its machine */
	SEAL_CALL(clock_gettime),
	SEAL_CALL(clock_getres),
	SEAL_CALL(clock_nanosleep),
	SEAL_CALL(nanosleep),
	SEAL_CALL(gettimeofday),
	SEAL_CALL(getrandom),
	SEAL_CALL(getpid),
	SEAL_CALL(gettid),
	SEAL_CALL(getuid),
	SEAL_CALL(geteuid),
	SEAL_CALL(getgid),
	SEAL_CALL(getegid),
	SEAL_CALL(getrusage),
	ONLY(prlimit64, IS(0, 0)),
	SEAL_CALL(sysinfo),
	SEAL_CALL(uname),
	/* signals and the end */
	SEAL_CALL(rt_sigaction),
	SEAL_CALL(rt_sigprocmask),
	SEAL_CALL(rt_sigreturn),
	SEAL_CALL(sigaltstack),
	SEAL_CALL(restart_syscall),
	SEAL_CALL(exit),
	SEAL_CALL(exit_group),
/* What newer architectures do without, and newer headers know. */
#ifdef __NR_epoll_wait
	SEAL_CALL(epoll_wait),
	SEAL_CALL(poll),
	SEAL_CALL(time),
	SEAL_CALL(stat),
	SEAL_CALL(lstat),
	SEAL_CALL(access),
	SEAL_CALL(readlink),
	SEAL_CALL(unlink),
	SEAL_CALL(getrlimit),
	ONLY(open, NONE_OF(1, OPEN_FOR_CHANGE)),
	ONLY(chmod, NONE_OF(1, SPECIAL_MODES)),
#endif
#ifdef __NR_epoll_pwait2
	SEAL_CALL(epoll_pwait2),
#endif
};

/*
 * Between the first wall and the others: a folder for the control socket, and the calls that make the
 * rules of files and the next filter, which does not have them any more.
 */
static const struct seal_call at_first[] = {
	SEAL_CALL(mkdirat),
#ifdef __NR_mkdir
	SEAL_CALL(mkdir),
#endif
	SEAL_CALL(landlock_create_ruleset),
	SEAL_CALL(landlock_add_rule),
	SEAL_CALL(landlock_restrict_self),
	ONLY(prctl, IS(0, PR_SET_NO_NEW_PRIVS)),
	ONLY(seccomp, IS(0, SECCOMP_GET_ACTION_AVAIL)),
	ONLY(seccomp, IS(0, SECCOMP_SET_MODE_FILTER)),
};

_Static_assert(SEAL_COUNT(always) + SEAL_COUNT(at_first) < PROXY_SANDBOX_CALLS_MAX,
	       "room for one row more");

size_t
proxy_sandbox_calls(struct seal_call calls[static PROXY_SANDBOX_CALLS_MAX], pid_t self)
{
	/* abort() and pthread_kill(): to ourselves. */
	const struct seal_call signal_self = ONLY(tgkill, IS(0, (uint32_t)self));

	memcpy(calls, always, sizeof(always));
	calls[SEAL_COUNT(always)] = signal_self;
	return SEAL_COUNT(always) + 1;
}

size_t
proxy_sandbox_first_calls(struct seal_call calls[static PROXY_SANDBOX_CALLS_MAX], pid_t self)
{
	size_t count = proxy_sandbox_calls(calls, self);

	memcpy(calls + count, at_first, sizeof(at_first));
	return count + SEAL_COUNT(at_first);
}
