/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Renewal and retry times.
 */
#include "proxy/schedule.h"

#define FIRST_MS        1000u
#define LONGEST_MS      60000u
#define HATCH_MS        30000u
#define SYNC_FIRST_MS   500u
#define SYNC_LONGEST_MS 30000u

int64_t
proxy_renew_at(int64_t now, int64_t not_after, int64_t renew_after, uint32_t chance)
{
	int64_t life = not_after > now ? not_after - now : 0;
	int64_t at =
		renew_after > now && renew_after < not_after ? renew_after : now + life / 3 * 2;
	int64_t spread = life / 20;

	/* chance covers -spread .. +spread */
	at += (int64_t)((uint64_t)chance * (uint64_t)(2 * spread) / UINT32_MAX) - spread;
	/* Never in a hurry: a time that is all but now would be one request after the other. */
	if (at < now + life / 4)
		at = now + life / 4;
	return at < not_after ? at : not_after;
}

static uint64_t
backoff(unsigned failures, uint64_t first_ms, uint64_t max_ms, uint32_t chance)
{
	uint64_t wait = first_ms;

	for (unsigned i = 1; i < failures && wait < max_ms; i++)
		wait *= 2;
	wait = wait < max_ms ? wait : max_ms;
	return wait / 2 + wait / 2 * (uint64_t)chance / UINT32_MAX;
}

uint64_t
proxy_backoff_ms(unsigned failures, uint64_t max_ms, uint32_t chance)
{
	return backoff(failures, FIRST_MS, max_ms, chance);
}

uint64_t
proxy_sync_backoff_ms(unsigned failures, uint32_t chance)
{
	return backoff(failures, SYNC_FIRST_MS, SYNC_LONGEST_MS, chance);
}

uint64_t
proxy_spread_ms(uint64_t spread_ms, uint32_t chance)
{
	return spread_ms * (uint64_t)chance / UINT32_MAX;
}

uint64_t
proxy_backoff_max_ms(int64_t life)
{
	uint64_t eighth;

	if (life <= 0)
		return HATCH_MS;
	if (life >= (int64_t)LONGEST_MS / 1000 * 8)
		return LONGEST_MS;
	eighth = (uint64_t)life * 1000 / 8;
	return eighth < FIRST_MS ? FIRST_MS : eighth;
}
