/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses from wherever they come: each once, at most SEAL_RESOLVE_MAX, and in the order in which
 * they are to be tried.  Which of them is reachable is found out by trying.
 */
#include <string.h>

#include "base/loop/loop_internal.h"

void
seal_found_add_v4(struct seal_found *found, const struct in_addr *ip)
{
	for (unsigned i = 0; i < found->v4_count; i++) {
		if (memcmp(&found->v4[i], ip, sizeof(*ip)) == 0)
			return;
	}
	if (found->v4_count < SEAL_RESOLVE_MAX)
		found->v4[found->v4_count++] = *ip;
}

void
seal_found_add_v6(struct seal_found *found, const struct in6_addr *ip)
{
	for (unsigned i = 0; i < found->v6_count; i++) {
		if (memcmp(&found->v6[i], ip, sizeof(*ip)) == 0)
			return;
	}
	if (found->v6_count < SEAL_RESOLVE_MAX)
		found->v6[found->v6_count++] = *ip;
}

static void
append_v4(struct seal_addresses *addresses, const struct in_addr *ip, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = *ip };

	memset(&addresses->at[addresses->count], 0, sizeof(addresses->at[0]));
	memcpy(&addresses->at[addresses->count++], &in, sizeof(in));
}

static void
append_v6(struct seal_addresses *addresses, const struct in6_addr *ip, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port),
				    .sin6_addr = *ip };

	memset(&addresses->at[addresses->count], 0, sizeof(addresses->at[0]));
	memcpy(&addresses->at[addresses->count++], &in6, sizeof(in6));
}

/* RFC 8305 section 4: so that a family that leads nowhere costs one attempt, not all of its own. */
void
seal_found_order(const struct seal_found *found, bool v6_first, uint16_t port,
		 struct seal_addresses *ret_addresses)
{
	bool v6_turn = v6_first;
	unsigned v6 = 0;
	unsigned v4 = 0;

	ret_addresses->count = 0;
	while (ret_addresses->count < SEAL_RESOLVE_MAX &&
	       (v6 < found->v6_count || v4 < found->v4_count)) {
		if (v6_turn && v6 < found->v6_count)
			append_v6(ret_addresses, &found->v6[v6++], port);
		else if (!v6_turn && v4 < found->v4_count)
			append_v4(ret_addresses, &found->v4[v4++], port);
		v6_turn = !v6_turn;
	}
}
