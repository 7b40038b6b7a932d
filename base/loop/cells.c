/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libevent remembers every descriptor it ever watched in a small piece of memory that it never frees.
 * Made while connections come and go, these pieces lie scattered, each keeping a page of the heap
 * alive for ever: ten thousand connections leave 25 MB behind.  So they get cells of their own.
 */
#include <event2/event.h>

#include "base/bytes/slab.h"
#include "base/loop/loop_internal.h"

#define CELL_LEN   64u
#define CELL_COUNT 131072u /* descriptors; beyond them the common heap will do */

static struct seal_slab cells = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void *
take(size_t len)
{
	return seal_slab_take(&cells, len);
}

static void
give(void *ptr)
{
	seal_slab_give(&cells, ptr);
}

static void *
resize(void *ptr, size_t len)
{
	return seal_slab_resize(&cells, ptr, len);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
setup(void)
{
	if (seal_slab_init(&cells, 1, CELL_LEN, CELL_COUNT))
		event_set_mem_functions(take, resize, give);
}

void
seal_cells_setup(void)
{
	(void)pthread_once(&once, setup); /* fails for a bad argument only */
}
