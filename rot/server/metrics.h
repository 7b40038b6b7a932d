/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_METRICS_H
#define SEAL_ROT_METRICS_H

/*
 * What the server counts, and how it is told to Prometheus.  Labels are words of ours: endpoints as the table of
 * routes spells them, results, kinds.  No name of an egg, a host, a peer, a workload or an address is ever one.
 *
 * What the loop's thread counts is its own; what the store's thread counts is atomic, so that metrics are told while
 * the store hangs.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/metrics/metrics.h"

/* How a request ended. */
enum rot_result {
	ROT_RESULT_OK,
	ROT_RESULT_REFUSED, /* whatever was wrong with it */
	ROT_RESULT_LIMITED, /* too many */
	ROT_RESULT_FAILED,  /* our fault */
	ROT_RESULT_COUNT
};
enum rot_result rot_result_of(unsigned status);

/* Whom a certificate is for. */
enum rot_certified {
	ROT_CERTIFIED_EGG,
	ROT_CERTIFIED_OPERATOR,
	ROT_CERTIFIED_OUTSIDE, /* seal cert issue, EST */
	ROT_CERTIFIED_POD,
	ROT_CERTIFIED_ROT,
	ROT_CERTIFIED_COUNT
};

#define ROT_ENDPOINTS_MAX  64 /* of the table of routes */
#define ROT_LATENCY_BOUNDS 10
#define ROT_BATCH_BOUNDS   7
#define ROT_EXPIRIES_MAX   8

struct rot_latency {
	uint64_t buckets[ROT_LATENCY_BOUNDS + 1];
	uint64_t sum_us;
};

/* The loop's. */
struct rot_counters {
	struct rot_latency endpoints[ROT_ENDPOINTS_MAX]; /* in the order of the table */
	uint64_t hatches[ROT_RESULT_COUNT];
	uint64_t renewals[ROT_RESULT_COUNT];
	uint64_t requests[ROT_RESULT_COUNT];
	uint64_t unknown_clients; /* refused in their handshake */
};

/* The store's thread's; certified is everybody's. */
struct rot_work_counters {
	atomic_uint_fast64_t certified[ROT_CERTIFIED_COUNT];
	atomic_uint_fast64_t commits[ROT_LATENCY_BOUNDS + 1];
	atomic_uint_fast64_t commit_us;
	atomic_uint_fast64_t batches[ROT_BATCH_BOUNDS + 1];
	atomic_uint_fast64_t batched; /* calls in them */
	atomic_uint_fast64_t conflicts;
};

void rot_count_latency(struct rot_latency *latency, uint64_t took_us);
void rot_count_commit(struct rot_work_counters *work, uint64_t took_us);
void rot_count_batch(struct rot_work_counters *work, uint64_t calls);

/* Everything at one moment. */
struct rot_view {
	const struct rot_counters *counters;
	struct rot_work_counters *work;    /* read only */
	const char *(*endpoint)(size_t n); /* "METHOD /path"; NULL beyond the last */
	bool is_ready;
	bool is_draining;
	bool store_up;
	uint64_t connections;
	uint64_t queue;   /* calls that wait for the store, or are at work there */
	uint64_t waiting; /* parked in a long poll */
	uint64_t workloads;
	uint64_t eggs;
	uint64_t certificates;
	struct {
		const char *what; /* letters and _ */
		int64_t at;
	} expiries[ROT_EXPIRIES_MAX];
	size_t expiry_count;
	int64_t now;
	int64_t started;
	struct seal_usage usage;
};
SEAL_CHECKED int rot_metrics_write(const struct rot_view *view, struct seal_bytes *out,
				   struct seal_err *err);

#endif
