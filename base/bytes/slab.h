/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_SLAB_H
#define SEAL_BASE_SLAB_H

/*
 * Cells of one size in a region of their own: for what a library allocates many of, and which in the
 * common heap would lie between things of other ages and keep their pages from being given back.
 * What is too small or too large for a cell, or comes when all are taken, is the common heap's.
 * For use by several threads.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is a slab without cells; initialise mutex with PTHREAD_MUTEX_INITIALIZER. */
struct seal_slab {
	pthread_mutex_t mutex;
	char *region;
	size_t least; /* bytes that are worth a cell */
	size_t cell_len;
	size_t count;
	uint32_t *free; /* indexes of free cells, a stack: the last one given is taken first */
	size_t free_count;
	size_t touched; /* cells below this index have been taken at some time */
	uint8_t *has_pages;
};

/*
 * Cells for what has between least and cell_len bytes; cell_len is a multiple of 16.  False, and no
 * cells, when there is no memory; a slab is for the life of the process.
 */
bool seal_slab_init(struct seal_slab *slab, size_t least, size_t cell_len, size_t count);

/* As malloc, realloc and free, but that nothing is allocated for no bytes; what leaves a cell is wiped there. */
void *seal_slab_take(struct seal_slab *slab, size_t len);
void *seal_slab_resize(struct seal_slab *slab, void *ptr, size_t len);
void seal_slab_give(struct seal_slab *slab, void *ptr);

/* Whether it lies in a cell. */
bool seal_slab_owns(const struct seal_slab *slab, const void *ptr);
/* Give the pages of free cells back, but for so many; for cells that are whole pages. */
void seal_slab_tidy(struct seal_slab *slab, size_t warm);
/* Whether this build ends the process that touches what was not taken (with the address sanitizer). */
bool seal_slab_is_watched(void);

#endif
