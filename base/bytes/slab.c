/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slabs.  The region is address space only until a cell is used; cells that were never taken follow the
 * free ones, so that a slab that is hardly used touches hardly anything.
 */
#include "base/bytes/slab.h"

#include <stdlib.h>
#include <sys/mman.h>

static void *
map(size_t len)
{
	void *mapped = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mapped == MAP_FAILED)
		return NULL;
	(void)madvise(mapped, len, MADV_DONTDUMP); /* where the kernel does not know it, no harm */
	return mapped;
}

bool
seal_slab_init(struct seal_slab *slab, size_t cell_len, size_t count)
{
	char *region = map(cell_len * count);
	uint32_t *free_cells = map(count * sizeof(*free_cells));
	uint8_t *has_pages = map(count);

	if (region == NULL || free_cells == NULL || has_pages == NULL)
		return false;
	slab->free = free_cells;
	slab->has_pages = has_pages;
	slab->cell_len = cell_len;
	slab->count = count;
	slab->region = region;
	return true;
}

bool
seal_slab_owns(const struct seal_slab *slab, const void *ptr)
{
	const char *at = ptr;

	return slab->region != NULL && at >= slab->region &&
	       at < slab->region + slab->cell_len * slab->count;
}

void *
seal_slab_take(struct seal_slab *slab)
{
	void *cell = NULL;
	size_t index;

	(void)pthread_mutex_lock(&slab->mutex);
	if (slab->free_count > 0 || slab->touched < slab->count) {
		index = slab->free_count > 0 ? slab->free[--slab->free_count] : slab->touched++;
		slab->has_pages[index] = 1;
		cell = slab->region + index * slab->cell_len;
	}
	(void)pthread_mutex_unlock(&slab->mutex);
	return cell;
}

void
seal_slab_give(struct seal_slab *slab, const void *cell)
{
	size_t index = (size_t)((const char *)cell - slab->region) / slab->cell_len;

	(void)pthread_mutex_lock(&slab->mutex);
	slab->free[slab->free_count++] = (uint32_t)index;
	(void)pthread_mutex_unlock(&slab->mutex);
}

void
seal_slab_tidy(struct seal_slab *slab, size_t warm)
{
	(void)pthread_mutex_lock(&slab->mutex);
	for (size_t i = 0; i + warm < slab->free_count; i++) {
		size_t index = slab->free[i];

		if (slab->has_pages[index] == 0)
			continue;
		slab->has_pages[index] = 0;
		(void)madvise(slab->region + index * slab->cell_len, slab->cell_len,
			      MADV_DONTNEED); /* or they stay */
	}
	(void)pthread_mutex_unlock(&slab->mutex);
}
