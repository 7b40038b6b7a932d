/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slabs.  The region is address space only until a cell is used; cells that were never taken follow the
 * free ones, so that a slab that is hardly used touches hardly anything.
 *
 * The address sanitizer knows nothing of cells unless it is told: under it, all bytes are poisoned that
 * nobody has asked for, and cells are used again only when there are no others left, which gives the use
 * of a cell that was given back a chance to be seen.
 */
#include "base/bytes/slab.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __has_feature
#define HAS_SANITIZER __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

#if HAS_SANITIZER
#include <sanitizer/asan_interface.h>
#define HIDE(at, len) __asan_poison_memory_region((at), (len))
#define SHOW(at, len) __asan_unpoison_memory_region((at), (len))
#else
#define HIDE(at, len) ((void)(at), (void)(len))
#define SHOW(at, len) ((void)(at), (void)(len))
#endif

bool
seal_slab_is_watched(void)
{
	return HAS_SANITIZER != 0;
}

/* From now on so many bytes of the cell are somebody's, and the rest nobody's. */
static void
lend(const struct seal_slab *slab, const char *cell, size_t len)
{
	SHOW(cell, len);
	HIDE(cell + len, slab->cell_len - len);
}

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
seal_slab_init(struct seal_slab *slab, size_t least, size_t cell_len, size_t count)
{
	char *region = map(cell_len * count);
	uint32_t *free_cells = map(count * sizeof(*free_cells));
	uint8_t *has_pages = map(count);

	if (region == NULL || free_cells == NULL || has_pages == NULL)
		return false;
	HIDE(region, cell_len * count);
	slab->free = free_cells;
	slab->has_pages = has_pages;
	slab->least = least;
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

/* The index of a free cell; false when there is none. */
static bool
pick(struct seal_slab *slab, size_t *ret_index)
{
	bool has_fresh = slab->touched < slab->count;

	if (slab->free_count > 0 && !(HAS_SANITIZER && has_fresh))
		*ret_index = slab->free[--slab->free_count];
	else if (has_fresh)
		*ret_index = slab->touched++;
	else
		return false;
	return true;
}

static char *
take_cell(struct seal_slab *slab)
{
	char *cell = NULL;
	size_t index;

	(void)pthread_mutex_lock(&slab->mutex);
	if (pick(slab, &index)) {
		slab->has_pages[index] = 1;
		cell = slab->region + index * slab->cell_len;
	}
	(void)pthread_mutex_unlock(&slab->mutex);
	return cell;
}

void *
seal_slab_take(struct seal_slab *slab, size_t len)
{
	char *cell;

	if (len == 0)
		return NULL;
	cell = len >= slab->least && len <= slab->cell_len ? take_cell(slab) : NULL;
	if (cell == NULL)
		return malloc(len);
	lend(slab, cell, len);
	return cell;
}

void
seal_slab_give(struct seal_slab *slab, void *ptr)
{
	size_t index;

	if (!seal_slab_owns(slab, ptr)) {
		free(ptr);
		return;
	}
	index = (size_t)((const char *)ptr - slab->region) / slab->cell_len;
	(void)pthread_mutex_lock(&slab->mutex);
	lend(slab, ptr, 0);
	slab->free[slab->free_count++] = (uint32_t)index;
	(void)pthread_mutex_unlock(&slab->mutex);
}

/* Out of its cell, for which it has become too large. */
static void *
move_out(struct seal_slab *slab, void *cell, size_t len)
{
	void *other = malloc(len);

	if (other == NULL)
		return NULL;
	lend(slab, cell, slab->cell_len);
	memcpy(other, cell, slab->cell_len);
	OPENSSL_cleanse(cell, slab->cell_len);
	seal_slab_give(slab, cell);
	return other;
}

void *
seal_slab_resize(struct seal_slab *slab, void *ptr, size_t len)
{
	if (ptr == NULL)
		return seal_slab_take(slab, len);
	if (len == 0) {
		seal_slab_give(slab, ptr);
		return NULL;
	}
	if (!seal_slab_owns(slab, ptr))
		return realloc(ptr, len);
	if (len > slab->cell_len)
		return move_out(slab, ptr, len);
	lend(slab, ptr, len);
	return ptr;
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
