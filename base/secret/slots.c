/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the crypto library's record buffers lie.  Each session takes three of them for its handshake and
 * one for as long as a read lasts, 16 to 22 KiB each, between small pieces that stay for the life of
 * the session.  In the common heap they leave holes twice as large as everything that stays; here they
 * are cells of a slab.
 */
#include "base/secret/secret_internal.h"

#include <openssl/crypto.h>

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
	(void)file;
	(void)line;
	return seal_slab_take(&slots, len);
}

static void
give(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	seal_slab_give(&slots, ptr);
}

static void *
resize(void *ptr, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return seal_slab_resize(&slots, ptr, len);
}

void
seal_slots_setup(void)
{
	/* Either may fail: the library allocates already, or there is no room.  Then all stays as it is. */
	if (CRYPTO_set_mem_functions(take, resize, give) == 1)
		(void)seal_slab_init(&slots, SMALLEST, SLOT_LEN, SLOT_COUNT);
}

void
seal_slots_tidy(void)
{
	seal_slab_tidy(&slots, WARM_COUNT);
}
