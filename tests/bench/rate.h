/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BENCH_RATE_H
#define SEAL_BENCH_RATE_H

/*
 * Requests at a fixed rate, whether or not the answers keep up.
 */

#include "tests/bench/client.h"

struct rate {
	uint64_t count;
	uint64_t p50_ns;
	uint64_t p99_ns;
	uint64_t p999_ns;
	uint64_t max_ns;
};

/*
 * Send per_second requests for so many seconds, over the crowd's open connections in turn.  A
 * request's time runs from when it was to be sent, not from when it could be: a stall counts against
 * every request that was due meanwhile.
 */
void rate_run(struct crowd *crowd, uint64_t per_second, uint64_t seconds, struct rate *ret_rate);

#endif
