/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SANDBOX_INTERNAL_H
#define SEAL_PROXY_SANDBOX_INTERNAL_H

/*
 * The list of system calls, for the sandbox's own files and its tests.
 */

#include <sys/types.h>

#include "base/confine/confine.h"
#include "proxy/sandbox.h"

#define PROXY_SANDBOX_CALLS_MAX 192

/* Everything the serving process with this number may call; returns how many rows there are. */
size_t proxy_sandbox_calls(struct seal_call calls[static PROXY_SANDBOX_CALLS_MAX], pid_t self);
/* The same before it serves: what it takes to open its doors and to go on to the above, besides. */
size_t proxy_sandbox_first_calls(struct seal_call calls[static PROXY_SANDBOX_CALLS_MAX],
				 pid_t self);

#endif
