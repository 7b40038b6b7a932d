/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities, by the kernel's own calls: two structures are no reason for a library.
 */

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine/confine_internal.h"

#define CAPABILITY_BITS 64

int
seal_no_new_privileges(struct seal_err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return seal_fail_errno(err, errno, "cannot give up new privileges");
	return 0;
}

/*
 * What a program started from here could get back.  Without CAP_SETPCAP the set cannot be made
 * smaller, and with no new privileges it is of no use to anybody: so far as possible.
 */
static void
bound(uint64_t keep)
{
	for (unsigned long cap = 0; cap < CAPABILITY_BITS; cap++)
		if ((keep & (UINT64_C(1) << cap)) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return; /* EINVAL: behind the last one there is */
}

static bool
is_within(const struct __user_cap_data_struct *halves, uint64_t keep)
{
	uint64_t held = 0;

	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		const struct __user_cap_data_struct *half = &halves[i];

		held |= (uint64_t)(half->effective | half->permitted | half->inheritable) << 32 * i;
	}
	return (held & ~keep) == 0;
}

int
seal_confine_capabilities(uint64_t keep, struct seal_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct halves[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int r = seal_no_new_privileges(err);

	if (r < 0)
		return r;
	bound(keep);
	/* An old kernel has no ambient set, and so nothing in it. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &head, halves) < 0)
		return seal_fail_errno(err, errno, "cannot look at the capabilities");
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		const uint32_t kept = (uint32_t)(keep >> 32 * i);

		halves[i].effective &= kept;
		halves[i].permitted &= kept;
		halves[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, halves) < 0)
		return seal_fail_errno(err, errno, "cannot give up capabilities");
	if (syscall(SYS_capget, &head, halves) < 0 || !is_within(halves, keep))
		return seal_fail(err, SEAL_E_SYSTEM, "capabilities were kept");
	return 0;
}
