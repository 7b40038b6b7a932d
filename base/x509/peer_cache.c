/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates verified before.  What is remembered is what the verification found, never that it
 * refused, and never an answer of policy or of the clock: the verification asks those itself, after
 * remembering as after establishing.
 *
 * What is found by its digest is the very certificate that was verified, byte for byte, so its path,
 * its usage and its names need no second look while every certificate of that path is valid.  Proof
 * that the peer holds its key is no part of this; TLS demands it in every full handshake.
 *
 * Sharing the parsed certificate among the sessions of a peer saves each of them about 5 KiB, and
 * decoding and importing the public key.
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes/lru.h"
#include "base/x509/x509_internal.h"

struct entry {
	struct seal_lru_node node; /* first; the key is the certificate's digest */
	X509 *leaf;
	struct seal_window window;
	struct seal_peer peer;
};

struct seal_peer_cache {
	pthread_mutex_t mutex;
	struct seal_lru as[2]; /* by the side the peer was on */
	/* What everything in here was established under; other rules are not served. */
	const struct seal_certs *anchors;
	char *trust_domain;
	char *workload;
};

static void
free_entry(struct seal_lru_node *node)
{
	struct entry *entry = (struct entry *)node;

	if (entry == NULL)
		return;
	X509_free(entry->leaf);
	free(entry);
}

int
seal_peer_cache_new(struct seal_peer_cache **ret_cache, size_t max, struct seal_err *err)
{
	struct seal_peer_cache *cache = calloc(1, sizeof(*cache));
	int r;

	if (cache == NULL)
		return seal_fail_memory(err);
	r = pthread_mutex_init(&cache->mutex, NULL);
	if (r != 0) {
		free(cache);
		return seal_fail_errno(err, r, "cannot make a lock");
	}
	r = seal_lru_init(&cache->as[SEAL_SIDE_CLIENT], max, err);
	if (r == 0)
		r = seal_lru_init(&cache->as[SEAL_SIDE_SERVER], max, err);
	if (r < 0) {
		seal_peer_cache_free(cache);
		return r;
	}
	*ret_cache = cache;
	return 0;
}

void
seal_peer_cache_free(struct seal_peer_cache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; i < SEAL_COUNT(cache->as); i++) {
		struct seal_lru_node *node;

		while ((node = seal_lru_oldest(&cache->as[i])) != NULL) {
			seal_lru_remove(&cache->as[i], node);
			free_entry(node);
		}
		seal_lru_release(&cache->as[i]);
	}
	(void)pthread_mutex_destroy(&cache->mutex); /* nobody holds it */
	free(cache->trust_domain);
	free(cache->workload);
	free(cache);
}

/* The first rules bind the cache; afterwards only the same are served.  With the lock held. */
static bool
serves(struct seal_peer_cache *cache, const struct seal_peer_rules *rules)
{
	if (rules->trust_domain == NULL || rules->anchors == NULL)
		return false;
	if (cache->workload == NULL) {
		free(cache->trust_domain);
		cache->trust_domain =
			seal_strndup(rules->trust_domain, strlen(rules->trust_domain));
		if (cache->trust_domain != NULL)
			cache->workload = seal_strndup(rules->workload, strlen(rules->workload));
		cache->anchors = rules->anchors;
	}
	return cache->workload != NULL && cache->anchors == rules->anchors &&
	       strcmp(cache->trust_domain, rules->trust_domain) == 0 &&
	       strcmp(cache->workload, rules->workload) == 0;
}

/* More than a leaf could mean another path; a peer of ours presents nothing else. */
static bool
is_cacheable(const struct seal_peer_rules *rules, const struct seal_certs *presented,
	     uint8_t key[static SEAL_LRU_KEY_LEN])
{
	_Static_assert(SEAL_LRU_KEY_LEN == SEAL_HASH_LEN, "keys are digests");

	return rules->cache != NULL && seal_certs_count(presented) == 1 &&
	       seal_cert_fingerprint(seal_certs_at(presented, 0), key, NULL) == 0;
}

bool
seal_peer_recall(struct seal_peer *ret_peer, const struct seal_peer_rules *rules,
		 struct seal_certs *presented, enum seal_side side, int64_t now)
{
	struct seal_peer_cache *cache = rules->cache;
	uint8_t key[SEAL_LRU_KEY_LEN] = { 0 };
	struct entry *entry = NULL;
	X509 *leaf = NULL;

	if (!is_cacheable(rules, presented, key))
		return false;
	(void)pthread_mutex_lock(&cache->mutex);
	if (serves(cache, rules))
		entry = (struct entry *)seal_lru_find(&cache->as[side], key);
	if (entry != NULL && now >= SEAL_CLOCK_FLOOR && now >= entry->window.from &&
	    now < entry->window.to && X509_up_ref(entry->leaf) == 1) {
		leaf = entry->leaf;
		*ret_peer = entry->peer;
	}
	(void)pthread_mutex_unlock(&cache->mutex);
	if (leaf == NULL)
		return false;
	X509_free(sk_X509_value(native_certs(presented), 0));
	(void)sk_X509_set(native_certs(presented), 0, leaf);
	return true;
}

static struct entry *
new_entry(const struct seal_peer *peer, const struct seal_window *window,
	  const struct seal_cert *leaf, const uint8_t key[static SEAL_LRU_KEY_LEN])
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (entry == NULL || X509_up_ref(native_cert(leaf)) != 1) {
		free(entry);
		return NULL;
	}
	entry->leaf = native_cert(leaf);
	entry->peer = *peer;
	entry->window = *window;
	memcpy(entry->node.key, key, sizeof(entry->node.key));
	return entry;
}

void
seal_peer_remember(const struct seal_peer *peer, const struct seal_window *window,
		   const struct seal_peer_rules *rules, const struct seal_certs *presented,
		   enum seal_side side)
{
	struct seal_peer_cache *cache = rules->cache;
	uint8_t key[SEAL_LRU_KEY_LEN] = { 0 };
	struct seal_lru_node *gone[2] = { NULL, NULL };
	struct entry *entry;

	if (!is_cacheable(rules, presented, key))
		return;
	entry = new_entry(peer, window, seal_certs_at(presented, 0), key);
	if (entry == NULL)
		return;
	(void)pthread_mutex_lock(&cache->mutex);
	if (serves(cache, rules)) {
		/* Found again by another path, or by two threads at once: the latest counts. */
		gone[0] = seal_lru_find(&cache->as[side], key);
		if (gone[0] != NULL)
			seal_lru_remove(&cache->as[side], gone[0]);
		gone[1] = seal_lru_add(&cache->as[side], &entry->node);
	} else {
		gone[1] = &entry->node;
	}
	(void)pthread_mutex_unlock(&cache->mutex);
	free_entry(gone[0]);
	free_entry(gone[1]);
}
