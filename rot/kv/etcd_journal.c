/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transaction has read, or written, so far: entries in the order they came, so that it can be taken back to
 * any earlier place, and beside them the newest entry of each key, in the order of the keys.
 */

#include "rot/kv/etcd_internal.h"

static void
release_entry(struct etcd_entry *entry)
{
	free(entry->key);
	seal_bytes_release(&entry->value);
}

void
etcd_journal_release(struct etcd_journal *journal)
{
	etcd_journal_cut(journal, 0);
	free(journal->entries);
	free(journal->heads);
	memset(journal, 0, sizeof(*journal));
}

size_t
etcd_journal_place(const struct etcd_journal *journal, const char *key)
{
	size_t low = 0, high = journal->head_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(etcd_journal_head(journal, middle)->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct etcd_entry *
etcd_journal_head(const struct etcd_journal *journal, size_t place)
{
	return &journal->entries[journal->heads[place]];
}

static bool
is_at(const struct etcd_journal *journal, size_t place, const char *key)
{
	return place < journal->head_count &&
	       strcmp(etcd_journal_head(journal, place)->key, key) == 0;
}

struct etcd_entry *
etcd_journal_find(const struct etcd_journal *journal, const char *key)
{
	size_t place = etcd_journal_place(journal, key);

	return is_at(journal, place, key) ? etcd_journal_head(journal, place) : NULL;
}

/* There are never more heads than entries: both have room for as many. */
static int
grow(struct etcd_journal *journal, struct seal_err *err)
{
	size_t cap = journal->cap > 0 ? 2 * journal->cap : 64;
	void *entries, *heads;

	if (journal->count < journal->cap)
		return 0;
	entries = reallocarray(journal->entries, cap, sizeof(*journal->entries));
	if (entries == NULL)
		return seal_fail_memory(err);
	journal->entries = entries;
	heads = reallocarray(journal->heads, cap, sizeof(*journal->heads));
	if (heads == NULL)
		return seal_fail_memory(err);
	journal->heads = heads;
	journal->cap = cap;
	return 0;
}

int
etcd_journal_add(struct etcd_journal *journal, const char *key, struct etcd_entry **ret_entry,
		 struct seal_err *err)
{
	size_t place = etcd_journal_place(journal, key);
	struct etcd_entry entry = { .value = SEAL_BYTES(ROT_KV_STORED_MAX) };
	int r = grow(journal, err);

	if (r < 0)
		return r;
	entry.key = seal_strndup(key, strlen(key));
	if (entry.key == NULL)
		return seal_fail_memory(err);
	if (is_at(journal, place, key)) {
		entry.before = journal->heads[place] + 1;
	} else {
		memmove(journal->heads + place + 1, journal->heads + place,
			(journal->head_count - place) * sizeof(*journal->heads));
		journal->head_count++;
	}
	journal->heads[place] = journal->count;
	journal->entries[journal->count] = entry;
	*ret_entry = &journal->entries[journal->count++];
	return 0;
}

void
etcd_journal_cut(struct etcd_journal *journal, size_t count)
{
	while (journal->count > count) {
		struct etcd_entry *entry = &journal->entries[journal->count - 1];
		size_t place = etcd_journal_place(journal, entry->key);

		if (entry->before > 0) {
			journal->heads[place] = entry->before - 1;
		} else {
			journal->head_count--;
			memmove(journal->heads + place, journal->heads + place + 1,
				(journal->head_count - place) * sizeof(*journal->heads));
		}
		release_entry(entry);
		journal->count--;
	}
}
