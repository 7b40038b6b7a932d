/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often names came, for streams of a hundred thousand objects.
 */
#include <stdlib.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

#define FIRST 64

struct inject_seen_slot {
	char *name; /* NULL: free */
	size_t times;
};

void
inject_seen_release(struct inject_seen *seen)
{
	for (size_t i = 0; i < seen->slot_count; i++)
		free(seen->slots[i].name);
	free(seen->slots);
	*seen = (struct inject_seen){ 0 };
}

/* FNV-1a.  Who writes the manifest is its owner: slow only for himself. */
static size_t
place_of(const char *name, size_t slot_count)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(1099511628211);
	return (size_t)hash & (slot_count - 1);
}

/* The slot of the name, or the free one where it belongs. */
static struct inject_seen_slot *
find(struct inject_seen_slot *slots, size_t slot_count, const char *name)
{
	size_t at = place_of(name, slot_count);

	while (slots[at].name != NULL && strcmp(slots[at].name, name) != 0)
		at = (at + 1) & (slot_count - 1);
	return &slots[at];
}

/* Never more than half full. */
static int
make_room(struct inject_seen *seen, struct seal_err *err)
{
	size_t slot_count = seen->slot_count == 0 ? FIRST : 2 * seen->slot_count;
	struct inject_seen_slot *slots;

	if (2 * (seen->count + 1) <= seen->slot_count)
		return 0;
	slots = calloc(slot_count, sizeof(*slots));
	if (slots == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < seen->slot_count; i++) {
		if (seen->slots[i].name != NULL)
			*find(slots, slot_count, seen->slots[i].name) = seen->slots[i];
	}
	free(seen->slots);
	seen->slots = slots;
	seen->slot_count = slot_count;
	return 0;
}

int
inject_seen_add(struct inject_seen *seen, const char *name, size_t *ret_before,
		struct seal_err *err)
{
	struct inject_seen_slot *slot;
	int r = make_room(seen, err);

	if (r < 0)
		return r;
	slot = find(seen->slots, seen->slot_count, name);
	if (slot->name == NULL) {
		slot->name = seal_strndup(name, strlen(name));
		if (slot->name == NULL)
			return seal_fail_memory(err);
		seen->count++;
	}
	*ret_before = slot->times++;
	return 0;
}
