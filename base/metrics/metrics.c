/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text format.  Knows nothing of what is measured, but for the process itself.
 */
#include "base/metrics/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LABELS_MAX 4096

void
seal_metrics_head(struct seal_metrics *metrics, const char *name, const char *type,
		  const char *help)
{
	if (metrics->failed == 0)
		metrics->failed = seal_bytes_append_fmt(metrics->out, metrics->err,
							"# HELP %s %s\n# TYPE %s %s\n", name, help,
							name, type);
}

void
seal_metrics_sample(struct seal_metrics *metrics, const char *name, const char *labels,
		    uint64_t value)
{
	const char *open = labels[0] != '\0' ? "{" : "";
	const char *close = labels[0] != '\0' ? "}" : "";

	if (metrics->failed == 0)
		metrics->failed =
			seal_bytes_append_fmt(metrics->out, metrics->err, "%s%s%s%s %" PRIu64 "\n",
					      name, open, labels, close, value);
}

void
seal_metrics_seconds(struct seal_metrics *metrics, const char *name, const char *labels,
		     uint64_t us)
{
	const char *open = labels[0] != '\0' ? "{" : "";
	const char *close = labels[0] != '\0' ? "}" : "";

	if (metrics->failed == 0)
		metrics->failed = seal_bytes_append_fmt(
			metrics->out, metrics->err, "%s%s%s%s %" PRIu64 ".%06u\n", name, open,
			labels, close, us / 1000000, (unsigned)(us % 1000000));
}

void
seal_metrics_alone(struct seal_metrics *metrics, const char *name, const char *type,
		   const char *help, uint64_t value)
{
	seal_metrics_head(metrics, name, type, help);
	seal_metrics_sample(metrics, name, "", value);
}

void
seal_metrics_escape(char *out, size_t size, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 0;

	for (; *text != '\0' && len + 6 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\\' || c == '"') {
			out[len++] = '\\';
			out[len++] = (char)c;
		} else if (c >= ' ' && c <= '~') {
			out[len++] = (char)c;
		} else {
			memcpy(out + len, "\\\\x", 3);
			out[len + 3] = digits[c >> 4];
			out[len + 4] = digits[c & 15];
			len += 5;
		}
	}
	out[len] = '\0';
}

/* ---- Histograms ---- */

size_t
seal_histogram_bucket(const uint32_t *bounds, size_t bound_count, uint64_t value)
{
	size_t at = 0;

	while (at < bound_count && value > bounds[at])
		at++;
	return at;
}

/* "0.0005", "2.5", "10": no zeros at the end. */
static void
format_bound(char out[static 32], uint32_t millionths)
{
	int len = snprintf(out, 32, "%u.%06u", millionths / 1000000, millionths % 1000000);

	while (out[len - 1] == '0')
		out[--len] = '\0';
	if (out[len - 1] == '.')
		out[len - 1] = '\0';
}

/* Further labels, then the bound. */
static void
put_bucket(struct seal_metrics *metrics, const char *name, const char *labels, const char *bound,
	   uint64_t value)
{
	char with_bound[LABELS_MAX];

	(void)snprintf(with_bound, sizeof(with_bound), "%s%sle=\"%s\"", labels,
		       labels[0] != '\0' ? "," : "", bound);
	seal_metrics_sample(metrics, name, with_bound, value);
}

void
seal_metrics_histogram(struct seal_metrics *metrics, const char *name, const char *labels,
		       const struct seal_histogram *histogram)
{
	char part[128];
	uint64_t sum = 0;

	(void)snprintf(part, sizeof(part), "%s_bucket", name);
	for (size_t i = 0; i <= histogram->bound_count; i++) {
		char bound[32] = "+Inf";

		if (i < histogram->bound_count)
			format_bound(bound, histogram->bounds[i]);
		sum += histogram->buckets[i];
		put_bucket(metrics, part, labels, bound, sum);
	}
	(void)snprintf(part, sizeof(part), "%s_sum", name);
	seal_metrics_seconds(metrics, part, labels, histogram->sum);
	(void)snprintf(part, sizeof(part), "%s_count", name);
	seal_metrics_sample(metrics, part, labels, sum);
}

/* ---- The process ---- */

void
seal_metrics_process(struct seal_metrics *metrics, const struct seal_usage *usage, int64_t started)
{
	seal_metrics_head(metrics, "process_cpu_seconds_total", "counter", "Processor time used.");
	seal_metrics_seconds(metrics, "process_cpu_seconds_total", "", usage->cpu_us);
	if (usage->has_fds) {
		seal_metrics_alone(metrics, "process_max_fds", "gauge",
				   "Descriptors that may be open.", usage->max_fds);
		seal_metrics_alone(metrics, "process_open_fds", "gauge",
				   "Descriptors that are open.", usage->open_fds);
	}
	if (usage->has_memory) {
		seal_metrics_alone(metrics, "process_resident_memory_bytes", "gauge",
				   "Memory in use.", usage->resident_bytes);
		seal_metrics_alone(metrics, "process_virtual_memory_bytes", "gauge",
				   "Addresses in use.", usage->virtual_bytes);
	}
	if (started > 0)
		seal_metrics_alone(metrics, "process_start_time_seconds", "gauge",
				   "When it started, since the epoch.", (uint64_t)started);
}
