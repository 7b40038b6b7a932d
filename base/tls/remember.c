/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions in memory.  An entry is a small block of its own; its secret lies in a slot of one slab,
 * which is locked memory and so better not scattered.  Nothing here decides whether a session may be
 * used: it knows only that it is of that scope and not too old.
 */
#include "base/tls/remember.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes/lru.h"
#include "base/secret/secret.h"

/* So many secrets fit into one block of protected memory. */
#define SESSIONS_MAX 20000

struct tls_peer {
	int64_t not_before;
	int64_t not_after;
	uint8_t anchor[SEAL_HASH_LEN];
	char text[]; /* name, URI and serial number, each with its NUL */
};

struct entry {
	struct seal_lru_node node; /* first */
	uint8_t scope[TLS_KEY_LEN];
	int64_t made_at;
	int64_t expires_at;
	uint32_t slot;
	uint16_t cipher;
	uint8_t psk_len;
	struct tls_peer *peer;
	uint8_t *record;
	size_t record_len;
};

struct tls_memory {
	pthread_mutex_t mutex;
	struct seal_lru lru;
	struct seal_secret *slab;
	uint32_t *slots; /* free ones, the last first */
	size_t slots_left;
};

static size_t
add_text(char *to, const char *from)
{
	size_t len = strlen(from) + 1;

	memcpy(to, from, len);
	return len;
}

struct tls_peer *
tls_peer_pack(const struct seal_peer *peer)
{
	size_t len = strlen(peer->name) + strlen(peer->uri) + strlen(peer->serial) + 3;
	struct tls_peer *packed = malloc(sizeof(*packed) + len);
	size_t at = 0;

	if (packed == NULL)
		return NULL;
	packed->not_before = peer->not_before;
	packed->not_after = peer->not_after;
	memcpy(packed->anchor, peer->anchor, sizeof(packed->anchor));
	at += add_text(packed->text, peer->name);
	at += add_text(packed->text + at, peer->uri);
	(void)add_text(packed->text + at, peer->serial);
	return packed;
}

void
tls_peer_unpack(struct seal_peer *ret_peer, const struct tls_peer *packed)
{
	struct seal_peer peer = { .not_before = packed->not_before,
				  .not_after = packed->not_after };
	size_t at = 0;

	memcpy(peer.anchor, packed->anchor, sizeof(peer.anchor));
	/* Each was one of these fields, so each fits. */
	at += add_text(peer.name, packed->text);
	at += add_text(peer.uri, packed->text + at);
	(void)add_text(peer.serial, packed->text + at);
	*ret_peer = peer;
}

void
tls_kept_release(struct tls_kept *kept)
{
	seal_wipe(kept->psk, sizeof(kept->psk));
	kept->psk_len = 0;
	seal_bytes_release(&kept->record);
}

int
tls_memory_new(struct tls_memory **ret_memory, size_t max, struct seal_err *err)
{
	struct tls_memory *memory = NULL;
	int r;

	if (max == 0 || max > SESSIONS_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%zu sessions to remember, not 1 to %d", max,
				 SESSIONS_MAX);
	memory = calloc(1, sizeof(*memory));
	if (memory == NULL)
		return seal_fail_memory(err);
	r = pthread_mutex_init(&memory->mutex, NULL);
	if (r != 0) {
		free(memory);
		return seal_fail_errno(err, r, "cannot make a lock");
	}
	r = seal_lru_init(&memory->lru, max, err);
	if (r == 0)
		r = seal_secret_new(&memory->slab, max * TLS_PSK_MAX, err);
	if (r == 0)
		memory->slots = calloc(max, sizeof(*memory->slots));
	if (r == 0 && memory->slots == NULL)
		r = seal_fail_memory(err);
	if (r < 0) {
		tls_memory_free(memory);
		return r;
	}
	for (size_t i = 0; i < max; i++)
		memory->slots[i] = (uint32_t)(max - 1 - i);
	memory->slots_left = max;
	*ret_memory = memory;
	return 0;
}

static uint8_t *
psk_of(struct tls_memory *memory, const struct entry *entry)
{
	return seal_secret_bytes(memory->slab) + (size_t)entry->slot * TLS_PSK_MAX;
}

static void
free_entry(struct entry *entry)
{
	free(entry->record);
	free(entry->peer);
	free(entry);
}

static void
forget(struct tls_memory *memory, struct entry *entry)
{
	seal_lru_remove(&memory->lru, &entry->node);
	seal_wipe(psk_of(memory, entry), TLS_PSK_MAX);
	memory->slots[memory->slots_left++] = entry->slot;
	free_entry(entry);
}

void
tls_memory_free(struct tls_memory *memory)
{
	if (memory == NULL)
		return;
	while (memory->lru.count > 0)
		forget(memory, (struct entry *)seal_lru_oldest(&memory->lru));
	seal_lru_release(&memory->lru);
	seal_secret_free(memory->slab);
	free(memory->slots);
	(void)pthread_mutex_destroy(&memory->mutex); /* nobody holds it */
	free(memory);
}

/* Everything but the secret, and not yet in the table. */
static struct entry *
new_entry(const struct tls_kept *kept)
{
	struct entry *entry = malloc(sizeof(*entry));

	if (entry == NULL)
		return NULL;
	*entry = (struct entry){ .made_at = kept->made_at,
				 .expires_at = kept->expires_at,
				 .cipher = kept->cipher,
				 .psk_len = kept->psk_len,
				 .peer = tls_peer_pack(&kept->peer) };
	memcpy(entry->node.key, kept->key, sizeof(entry->node.key));
	memcpy(entry->scope, kept->scope, sizeof(entry->scope));
	if (kept->record.len > 0)
		entry->record = malloc(kept->record.len);
	if (entry->peer == NULL || (kept->record.len > 0 && entry->record == NULL)) {
		free_entry(entry);
		return NULL;
	}
	if (entry->record != NULL)
		memcpy(entry->record, kept->record.data, kept->record.len);
	entry->record_len = kept->record.len;
	return entry;
}

void
tls_memory_put(struct tls_memory *memory, const struct tls_kept *kept)
{
	struct entry *entry;
	struct entry *old;

	if (kept->psk_len == 0 || kept->psk_len > TLS_PSK_MAX)
		return;
	entry = new_entry(kept);
	if (entry == NULL)
		return;
	(void)pthread_mutex_lock(&memory->mutex);
	old = (struct entry *)seal_lru_find(&memory->lru, kept->key);
	if (old == NULL && memory->lru.count == memory->lru.max)
		old = (struct entry *)seal_lru_oldest(&memory->lru);
	if (old != NULL)
		forget(memory, old); /* frees a slot too */
	entry->slot = memory->slots[--memory->slots_left];
	memcpy(psk_of(memory, entry), kept->psk, kept->psk_len);
	if (seal_lru_add(&memory->lru, &entry->node) != NULL)
		abort(); /* there was room */
	(void)pthread_mutex_unlock(&memory->mutex);
}

/* False: out of memory, and nothing was given. */
static bool
copy_out(struct tls_memory *memory, const struct entry *entry, struct tls_kept *kept)
{
	seal_bytes_init(&kept->record, entry->record_len);
	if (entry->record_len > 0 &&
	    seal_bytes_append(&kept->record, entry->record, entry->record_len, NULL) < 0)
		return false;
	memcpy(kept->key, entry->node.key, sizeof(kept->key));
	memcpy(kept->scope, entry->scope, sizeof(kept->scope));
	kept->made_at = entry->made_at;
	kept->expires_at = entry->expires_at;
	kept->cipher = entry->cipher;
	kept->psk_len = entry->psk_len;
	memcpy(kept->psk, psk_of(memory, entry), entry->psk_len);
	tls_peer_unpack(&kept->peer, entry->peer);
	return true;
}

bool
tls_memory_get(struct tls_memory *memory, const uint8_t key[static TLS_KEY_LEN],
	       const uint8_t scope[static TLS_KEY_LEN], int64_t now, struct tls_kept *ret_kept)
{
	struct entry *entry;
	bool found;

	(void)pthread_mutex_lock(&memory->mutex);
	entry = (struct entry *)seal_lru_find(&memory->lru, key);
	/* A clock before its making has been set back: how old it is can no longer be told. */
	if (entry != NULL && (now >= entry->expires_at || now < entry->made_at)) {
		forget(memory, entry);
		entry = NULL;
	}
	found = entry != NULL && memcmp(entry->scope, scope, TLS_KEY_LEN) == 0 &&
		copy_out(memory, entry, ret_kept);
	(void)pthread_mutex_unlock(&memory->mutex);
	return found;
}

void
tls_memory_drop(struct tls_memory *memory, const uint8_t key[static TLS_KEY_LEN])
{
	struct entry *entry;

	(void)pthread_mutex_lock(&memory->mutex);
	entry = (struct entry *)seal_lru_find(&memory->lru, key);
	if (entry != NULL)
		forget(memory, entry);
	(void)pthread_mutex_unlock(&memory->mutex);
}

size_t
tls_memory_count(struct tls_memory *memory)
{
	size_t count;

	(void)pthread_mutex_lock(&memory->mutex);
	count = memory->lru.count;
	(void)pthread_mutex_unlock(&memory->mutex);
	return count;
}
