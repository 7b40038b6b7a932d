/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of verified peers.  A slot remembers one copy at a time, which it does not keep alive: two
 * peers that share a slot cost a copy more, never a mistake, since copies are compared whole.
 */
#include "proxy/known.h"

#include <stdlib.h>
#include <string.h>

/* Serial numbers are random (docs/IDENTITY.md); their issuer is ours. */
static unsigned
slot_of(const struct seal_peer *peer)
{
	unsigned hash = 0;

	for (const char *at = peer->serial; *at != '\0'; at++)
		hash = hash * 31 + (unsigned char)*at;
	return hash % PROXY_KNOWN_SLOTS;
}

static bool
is_same(const struct seal_peer *a, const struct seal_peer *b)
{
	return strcmp(a->serial, b->serial) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->uri, b->uri) == 0 &&
	       memcmp(a->anchor, b->anchor, sizeof(a->anchor)) == 0 &&
	       a->not_before == b->not_before && a->not_after == b->not_after;
}

struct proxy_known *
proxy_known_ref(struct proxy_known_table *table, const struct seal_peer *peer)
{
	unsigned slot = slot_of(peer);
	struct proxy_known *known = table->slots[slot];

	if (known != NULL && is_same(&known->peer, peer)) {
		known->refs++;
		return known;
	}
	known = malloc(sizeof(*known));
	if (known == NULL)
		return NULL;
	*known = (struct proxy_known){ .refs = 1, .slot = slot, .peer = *peer };
	table->slots[slot] = known;
	return known;
}

void
proxy_known_unref(struct proxy_known_table *table, struct proxy_known *known)
{
	if (known == NULL || --known->refs > 0)
		return;
	if (table->slots[known->slot] == known)
		table->slots[known->slot] = NULL;
	free(known);
}
