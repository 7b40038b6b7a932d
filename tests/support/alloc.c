/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for allocations that fail on demand; the linker puts it between the code and libc. */

#include "tests/support/alloc.h"

static size_t countdown;
static bool happened;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void
alloc_fail_at(size_t n)
{
	happened = false;
	countdown = n;
}

bool
alloc_call_off(void)
{
	countdown = 0;
	return happened;
}

static bool
fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	happened = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}
