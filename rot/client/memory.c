/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libcurl gets from this process.  Its buffers hold whole replies, and with them keys, so its
 * memory is ours: blocks are wiped before they go back, and growing never leaves a stale copy.
 */

#include "rot/client/client_internal.h"

#include "base/secret/secret.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Stands before each block and remembers its length; keeps the block aligned for any type. */
union block_head {
	size_t len;
	max_align_t align;
};

static void *
block_new(size_t len)
{
	union block_head *head;

	if (len > SIZE_MAX - sizeof(*head))
		return NULL;
	head = malloc(sizeof(*head) + len);
	if (head == NULL)
		return NULL;
	head->len = len;
	return head + 1;
}

static void
block_free(void *block)
{
	union block_head *head = block;

	if (head == NULL)
		return;
	head--;
	seal_wipe(head, sizeof(*head) + head->len);
	free(head);
}

static void *
block_resize(void *block, size_t len)
{
	const union block_head *head = block;
	void *larger;

	if (block == NULL)
		return block_new(len);
	larger = block_new(len);
	if (larger == NULL)
		return NULL;
	memcpy(larger, block, head[-1].len < len ? head[-1].len : len);
	block_free(block);
	return larger;
}

static void *
block_zeroed(size_t count, size_t len)
{
	void *block;

	if (len != 0 && count > SIZE_MAX / len)
		return NULL;
	block = block_new(count * len);
	if (block != NULL)
		memset(block, 0, count * len);
	return block;
}

static char *
block_of_text(const char *text)
{
	size_t len = strlen(text) + 1;
	char *block = block_new(len);

	if (block != NULL)
		memcpy(block, text, len);
	return block;
}

static CURLcode setup_result = CURLE_FAILED_INIT;

static void
setup_once(void)
{
	/*
	 * libcurl reads this variable when it is initialised and would then write every session's
	 * secrets to a file.  In the enclave the environment is the attacker's.
	 */
	if (unsetenv("SSLKEYLOGFILE") != 0)
		return;
	setup_result = curl_global_init_mem(CURL_GLOBAL_DEFAULT, block_new, block_free,
					    block_resize, block_of_text, block_zeroed);
}

int
rot_curl_setup(struct seal_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (pthread_once(&once, setup_once) != 0 || setup_result != CURLE_OK)
		return seal_fail(err, SEAL_E_SYSTEM, "libcurl cannot be initialised");
	return 0;
}
