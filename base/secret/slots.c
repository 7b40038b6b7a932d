/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the crypto library's record buffers lie.  Each session takes three of them for its handshake and
 * one for as long as a read lasts, 16 to 22 KiB each, between small pieces that stay for the life of
 * the session.  In the common heap they leave holes twice as large as everything that stays; here they
 * are cells of a slab.  What does not fit, or comes when all are taken, is the common heap's.
 */
#include "base/secret/secret_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes/slab.h"

#define SMALLEST   (16u * 1024)
#define SLOT_LEN   (24u * 1024) /* whole pages, and more than the largest buffer */
#define SLOT_COUNT 1024u
/* Free slots that keep their pages. */
#define WARM_COUNT 16u

static struct seal_slab slots = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void *
take(size_t len, const char *file, int line)
{
	void *slot = len >= SMALLEST && len <= SLOT_LEN ? seal_slab_take(&slots) : NULL;

	(void)file;
	(void)line;
	if (slot != NULL)
		return slot;
	return len == 0 ? NULL : malloc(len);
}

static void
give(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	if (seal_slab_owns(&slots, ptr))
		seal_slab_give(&slots, ptr);
	else
		free(ptr);
}

static void *
resize(void *ptr, size_t len, const char *file, int line)
{
	void *other;

	if (ptr == NULL)
		return take(len, file, line);
	if (len == 0) {
		give(ptr, file, line);
		return NULL;
	}
	if (!seal_slab_owns(&slots, ptr))
		return realloc(ptr, len);
	if (len <= SLOT_LEN)
		return ptr;
	other = malloc(len);
	if (other == NULL)
		return NULL;
	memcpy(other, ptr, SLOT_LEN);
	OPENSSL_cleanse(ptr, SLOT_LEN);
	seal_slab_give(&slots, ptr);
	return other;
}

void
seal_slots_setup(void)
{
	/* Either may fail: the library allocates already, or there is no room.  Then all stays as it is. */
	if (CRYPTO_set_mem_functions(take, resize, give) == 1)
		(void)seal_slab_init(&slots, SLOT_LEN, SLOT_COUNT);
}

void
seal_slots_tidy(void)
{
	seal_slab_tidy(&slots, WARM_COUNT);
}
