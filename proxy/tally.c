/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts by name.  A table of pointers with linear probing, at most three quarters full, that grows
 * by doubling and shrinks when a burst is over.  Entries never move, so that whoever holds one can
 * give it back without looking it up.
 *
 * Strangers choose the keys: an IPv6 address costs nothing.  SipHash (Aumasson, Bernstein 2012) under a
 * seed of our own keeps them from choosing ones that meet in the same slots.
 */
#include "proxy/tally.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "proxy/address.h"
#include "proxy/tally_internal.h"

#define FIRST_SLOTS 16 /* a power of two, as all sizes */
#define V6_NET_LEN  8  /* one /64: what one host is given, at the least */

struct proxy_tally_entry {
	uint64_t hash;
	uint32_t count;
	uint8_t key_len;
	uint8_t key[];
};

struct proxy_tally {
	uint8_t seed[PROXY_TALLY_SEED_LEN];
	struct proxy_tally_entry **slots; /* NULL: free */
	size_t slot_count;
	size_t names;
};

int
proxy_tally_new(struct proxy_tally **ret_tally, struct seal_err *err)
{
	struct proxy_tally *tally = calloc(1, sizeof(*tally));
	int r;

	if (tally == NULL)
		return seal_fail_memory(err);
	r = seal_random(tally->seed, sizeof(tally->seed), err);
	if (r < 0) {
		free(tally);
		return r;
	}
	tally->slots = calloc(FIRST_SLOTS, sizeof(struct proxy_tally_entry *));
	if (tally->slots == NULL) {
		free(tally);
		return seal_fail_memory(err);
	}
	tally->slot_count = FIRST_SLOTS;
	*ret_tally = tally;
	return 0;
}

void
proxy_tally_free(struct proxy_tally *tally)
{
	if (tally == NULL)
		return;
	for (size_t i = 0; i < tally->slot_count; i++)
		free(tally->slots[i]);
	free(tally->slots);
	free(tally);
}

size_t
proxy_tally_names(const struct proxy_tally *tally)
{
	return tally->names;
}

size_t
proxy_tally_slots(const struct proxy_tally *tally)
{
	return tally->slot_count;
}

static uint64_t
load_le(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static uint64_t
rotl(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void
sip_rounds(uint64_t v[static 4], unsigned rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] = rotl(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] = rotl(v[2], 32);
	}
}

uint64_t
proxy_tally_hash(const uint8_t seed[static PROXY_TALLY_SEED_LEN], const uint8_t *key,
		 size_t key_len)
{
	uint64_t k0 = load_le(seed, 8);
	uint64_t k1 = load_le(seed + 8, 8);
	uint64_t v[4] = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
			  k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573) };
	uint64_t word;
	size_t at;

	for (at = 0; key_len - at >= 8; at += 8) {
		word = load_le(key + at, 8);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	word = load_le(key + at, key_len - at) | (uint64_t)(key_len & 0xff) << 56;
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds the key, or the free one where it would go. */
static size_t
find(const struct proxy_tally *tally, uint64_t hash, const void *key, size_t key_len)
{
	size_t mask = tally->slot_count - 1;
	size_t i = hash & mask;

	for (; tally->slots[i] != NULL; i = (i + 1) & mask) {
		const struct proxy_tally_entry *entry = tally->slots[i];

		if (entry->hash == hash && entry->key_len == key_len &&
		    memcmp(entry->key, key, key_len) == 0)
			break;
	}
	return i;
}

/* Move to a table of another size.  False when there is no memory: all is as it was. */
static bool
resize(struct proxy_tally *tally, size_t slot_count)
{
	struct proxy_tally_entry **old = tally->slots;
	size_t old_count = tally->slot_count;
	struct proxy_tally_entry **slots = calloc(slot_count, sizeof(struct proxy_tally_entry *));

	if (slots == NULL)
		return false;
	tally->slots = slots;
	tally->slot_count = slot_count;
	for (size_t i = 0; i < old_count; i++)
		if (old[i] != NULL)
			slots[find(tally, old[i]->hash, old[i]->key, old[i]->key_len)] = old[i];
	free(old);
	return true;
}

static bool
has_room(const struct proxy_tally *tally)
{
	return tally->names < tally->slot_count - tally->slot_count / 4;
}

static int
add(struct proxy_tally *tally, uint64_t hash, const void *key, size_t key_len,
    struct proxy_tally_entry **ret_entry, struct seal_err *err)
{
	struct proxy_tally_entry *entry;

	if (!has_room(tally) && !resize(tally, tally->slot_count * 2))
		return seal_fail_memory(err);
	entry = calloc(1, sizeof(*entry) + key_len);
	if (entry == NULL)
		return seal_fail_memory(err);
	entry->hash = hash;
	entry->key_len = (uint8_t)key_len;
	memcpy(entry->key, key, key_len);
	tally->slots[find(tally, hash, key, key_len)] = entry;
	tally->names++;
	*ret_entry = entry;
	return 0;
}

int
proxy_tally_take(struct proxy_tally *tally, const void *key, size_t key_len, uint32_t max,
		 struct proxy_tally_entry **ret_entry, struct seal_err *err)
{
	struct proxy_tally_entry *entry;
	uint64_t hash;
	int r;

	if (key_len == 0 || key_len > PROXY_TALLY_KEY_MAX)
		return seal_fail(err, SEAL_E_BUG, "a name of %zu bytes cannot be counted", key_len);
	hash = proxy_tally_hash(tally->seed, key, key_len);
	entry = tally->slots[find(tally, hash, key, key_len)];
	if (entry != NULL && entry->count >= (max != 0 ? max : UINT32_MAX))
		return seal_fail(err, SEAL_E_LIMIT, "%u connections are there already",
				 entry->count);
	if (entry == NULL) {
		r = add(tally, hash, key, key_len, &entry, err);
		if (r < 0)
			return r;
	}
	entry->count++;
	*ret_entry = entry;
	return 0;
}

/*
 * Empty a slot, and close the gap: whoever stands behind it, and could have stood in it, moves up.  No
 * tombstones, so that a table through which millions of names have passed is as fast as a new one.
 */
static void
vacate(struct proxy_tally *tally, size_t gap)
{
	size_t mask = tally->slot_count - 1;

	for (size_t i = (gap + 1) & mask; tally->slots[i] != NULL; i = (i + 1) & mask) {
		size_t home = tally->slots[i]->hash & mask;

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		tally->slots[gap] = tally->slots[i];
		gap = i;
	}
	tally->slots[gap] = NULL;
}

void
proxy_tally_drop(struct proxy_tally *tally, struct proxy_tally_entry *entry)
{
	if (entry == NULL || --entry->count > 0)
		return;
	vacate(tally, find(tally, entry->hash, entry->key, entry->key_len));
	free(entry);
	tally->names--;
	/* Without memory for a smaller table the larger one will do. */
	if (tally->slot_count > FIRST_SLOTS && tally->names < tally->slot_count / 8)
		(void)resize(tally, tally->slot_count / 2);
}

size_t
proxy_tally_source(uint8_t key[static PROXY_TALLY_KEY_MAX], const struct sockaddr *addr)
{
	socklen_t len = addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						    : sizeof(struct sockaddr_in);
	struct proxy_address address;

	if (!proxy_address_read(&address, addr, len))
		return 0;
	if (address.is_v4) {
		memcpy(key, address.ip + PROXY_ADDRESS_V4_AT, 4);
		return 4;
	}
	memcpy(key, address.ip, V6_NET_LEN);
	return V6_NET_LEN;
}
