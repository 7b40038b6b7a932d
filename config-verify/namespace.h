/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_NAMESPACE_H
#define SEAL_VERIFY_NAMESPACE_H

/*
 * What the kernel knows of a process' namespaces: the name of its host, the addresses of its interfaces.
 */

#include <stddef.h>
#include <sys/utsname.h>

#include "base/err/err.h"
#include "config-verify/policy.h"

#define VERIFY_MAX_ADDRESSES 4096

struct verify_kernel_view {
	char hostname[sizeof(((struct utsname *)NULL)->nodename)];
	struct verify_address *addresses; /* loopback left out */
	size_t address_count;
};

/*
 * proc is the process' directory in /proc.  A child of ours enters its namespaces and asks: nothing that
 * the process can mount or write is read.  Where they are ours, nothing need be entered.
 */
SEAL_CHECKED int verify_kernel_view_ask(struct verify_kernel_view *ret_view, int proc,
					struct seal_err *err);
void verify_kernel_view_release(struct verify_kernel_view *view);

#endif
