/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_CONFINE_INTERNAL_H
#define SEAL_BASE_CONFINE_INTERNAL_H

/*
 * The filter as the kernel gets it, and the kernel's Landlock as a table, for the room's own files and
 * its tests.
 */

#include <linux/audit.h>
#include <linux/filter.h>
#include <stdint.h>

#include "base/confine/confine.h"

/* Where the numbers and the order of an argument's halves are known to these files. */
#if defined(__x86_64__)
#define SEAL_CONFINE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define SEAL_CONFINE_ARCH AUDIT_ARCH_AARCH64
#endif

#define SEAL_FILTER_MAX 1024 /* instructions; the kernel takes 4096 */
#define SEAL_CALLS_MAX  256

struct seal_filter {
	struct sock_filter code[SEAL_FILTER_MAX];
	unsigned short len;
};

/* SEAL_E_LIMIT when the list is too long, SEAL_E_BUG when a row cannot be meant. */
SEAL_CHECKED int seal_filter_build(struct seal_filter *ret_filter, uint32_t arch,
				   const struct seal_call *calls, size_t count,
				   struct seal_err *err);

SEAL_CHECKED int seal_no_new_privileges(struct seal_err *err);

/* As <linux/landlock.h> of a newer kernel has it; an older kernel is given the size it knows. */
struct seal_landlock_rules {
	uint64_t files;
	uint64_t net;
	uint64_t scopes;
};

/* The kernel's side, so that tests can put an older kernel in its place.  Each sets errno. */
struct seal_landlock {
	int (*version)(void);
	int (*create)(const struct seal_landlock_rules *rules, size_t size);
	int (*allow)(int ruleset, int fd, uint64_t access);
	int (*restrict_self)(int ruleset);
};

SEAL_CHECKED int seal_landlock_apply(const struct seal_landlock *kernel,
				     const struct seal_confine_files *files, int *ret_abi,
				     struct seal_err *err);
extern const struct seal_landlock seal_landlock_kernel;

#endif
