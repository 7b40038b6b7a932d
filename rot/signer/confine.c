/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the signer may ask of the kernel once it serves: memory, time, randomness, its socket, its
 * end.  No files, no new sockets, no processes, no programs.  Whoever subverts it finds the keys it
 * holds and no way to carry them off but the answers it gives anyway.
 */

#include <sys/syscall.h>

#include "base/confine/confine.h"
#include "rot/signer/signer_internal.h"

static const struct seal_call calls[] = {
	/* its socket, and its last words on standard error */
	SEAL_CALL(recvfrom),
	SEAL_CALL(recvmsg),
	SEAL_CALL(sendto),
	SEAL_CALL(sendmsg),
	SEAL_CALL(read),
	SEAL_CALL(write),
	SEAL_CALL(writev),
	SEAL_CALL(close),
	/* memory */
	SEAL_CALL(mmap),
	SEAL_CALL(munmap),
	SEAL_CALL(mremap),
	SEAL_CALL(mprotect),
	SEAL_CALL(madvise),
	SEAL_CALL(brk),
	SEAL_CALL(mlock),
	SEAL_CALL(mlock2),
	SEAL_CALL(munlock),
	/* time, randomness, locks */
	SEAL_CALL(clock_gettime),
	SEAL_CALL(gettimeofday),
	SEAL_CALL(getrandom),
	SEAL_CALL(futex),
	SEAL_CALL(sched_yield),
	/* what OpenSSL and the C library ask about this process */
	SEAL_CALL(getpid),
	SEAL_CALL(gettid),
	SEAL_CALL(getuid),
	SEAL_CALL(geteuid),
	SEAL_CALL(getgid),
	SEAL_CALL(getegid),
	/* signals and the end */
	SEAL_CALL(rt_sigaction),
	SEAL_CALL(rt_sigprocmask),
	SEAL_CALL(rt_sigreturn),
	SEAL_CALL(sigaltstack),
	SEAL_CALL(tgkill),
	SEAL_CALL(restart_syscall),
	SEAL_CALL(exit),
	SEAL_CALL(exit_group),
};

#ifdef __has_feature
#define HAS_SANITIZER __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

bool
rot_signer_confine(void)
{
	bool applied = false;

	if (HAS_SANITIZER)
		return false; /* it starts a thread of its own, at a time of its own */
	return seal_confine_calls(calls, SEAL_COUNT(calls), &applied, NULL) == 0 && applied;
}
