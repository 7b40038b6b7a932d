/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SCHEDULE_H
#define SEAL_PROXY_SCHEDULE_H

/*
 * When to ask the root of trust again.  Pure arithmetic: clock and chance are handed in.
 */

#include <stdint.h>

/*
 * When to renew a certificate received now: at renew_after when that lies within its life, otherwise
 * after two thirds of what is left, up to a twentieth of the life earlier or later as chance says, so
 * that pods started together do not renew together.  Seconds since the epoch.
 */
int64_t proxy_renew_at(int64_t now, int64_t not_after, int64_t renew_after, uint32_t chance);

/*
 * How long to wait after the n-th failure in a row (n from 1): a second, doubled each time up to
 * max_ms, and of that between half and all as chance says.  Milliseconds.
 */
uint64_t proxy_backoff_ms(unsigned failures, uint64_t max_ms, uint32_t chance);

/*
 * The longest such wait: a minute, but a certificate that lives shortly is tried for more often, at
 * least eight times within its life.  Half a minute without a certificate (life 0).
 */
uint64_t proxy_backoff_max_ms(int64_t life);

/*
 * How long to wait before asking for news again after the n-th failure in a row: half a second, doubled
 * each time up to half a minute, and of that between half and all.
 */
uint64_t proxy_sync_backoff_ms(unsigned failures, uint32_t chance);

/*
 * When to renew because the root of trust has said that it is time: at a random moment of the first spread_ms,
 * so that pods told together do not come together.
 */
uint64_t proxy_spread_ms(uint64_t spread_ms, uint32_t chance);

#endif
