/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_ALLOC_H
#define SEAL_TESTS_ALLOC_H

/*
 * Allocations that fail on demand.  Works in programs linked with ALLOC_WRAP; what shared
 * libraries allocate for themselves is not touched.
 */

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now on fails, once.  n counts from 1. */
void alloc_fail_at(size_t n);
/* Call the plan off.  Did the failure happen? */
bool alloc_call_off(void);

#endif
