/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_METRICS_H
#define SEAL_BASE_METRICS_H

/*
 * Writing metrics in the Prometheus text format 0.0.4: base units, _total for what only grows, and all samples of a
 * name together.  Labels are the caller's: words of ours, or what the owner configured.  What a stranger can choose
 * is never a label: it could make as many series as it likes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/metrics/usage.h"

#define SEAL_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The text in the making; the first failure sticks. */
struct seal_metrics {
	struct seal_bytes *out;
	struct seal_err *err;
	int failed;
};

/* type: "counter", "gauge" or "histogram".  Then the samples of that name. */
void seal_metrics_head(struct seal_metrics *metrics, const char *name, const char *type,
		       const char *help);
/* labels: what stands between the braces, or "". */
void seal_metrics_sample(struct seal_metrics *metrics, const char *name, const char *labels,
			 uint64_t value);
/* A number of microseconds, as seconds. */
void seal_metrics_seconds(struct seal_metrics *metrics, const char *name, const char *labels,
			  uint64_t us);
/* A name with one sample, without labels. */
void seal_metrics_alone(struct seal_metrics *metrics, const char *name, const char *type,
			const char *help, uint64_t value);

/*
 * A label's value.  The format wants \, " and line ends escaped, and UTF-8; bytes beyond printable ASCII are written as
 * \xNN.  Cut short when out, of at least 6 bytes, is full; SEAL_METRICS_ESCAPED holds any text of that length.
 */
#define SEAL_METRICS_ESCAPED(len) (5 * (len) + 6)
void seal_metrics_escape(char *out, size_t size, const char *text);

/*
 * A histogram's samples.  Bounds and sum are millionths (microseconds, of a duration), rising; there is one bucket
 * more than bounds.  Values are counted each in its bucket, and told as so many up to each bound.
 */
struct seal_histogram {
	const uint32_t *bounds;
	size_t bound_count;
	const uint64_t *buckets;
	uint64_t sum;
};
void seal_metrics_histogram(struct seal_metrics *metrics, const char *name, const char *labels,
			    const struct seal_histogram *histogram);
/* The bucket that a value belongs to. */
size_t seal_histogram_bucket(const uint32_t *bounds, size_t bound_count, uint64_t value);

/* What the process uses and since when it runs (0: unknown), under the names all Prometheus clients use. */
void seal_metrics_process(struct seal_metrics *metrics, const struct seal_usage *usage,
			  int64_t started);

#endif
