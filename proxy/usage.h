/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_USAGE_H
#define SEAL_PROXY_USAGE_H

/*
 * What the kernel says this process uses.  Files are opened once, before a sandbox forbids it, and
 * read again through the descriptors.
 */

#include <stdbool.h>
#include <stdint.h>

struct proxy_usage {
	bool has_memory;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	bool has_fds;
	uint64_t open_fds;
	uint64_t max_fds;
	uint64_t cpu_us;
};

struct proxy_usage_source;

/* NULL when out of memory, which all below allow: what cannot be known is not told. */
struct proxy_usage_source *proxy_usage_open(void);
void proxy_usage_close(struct proxy_usage_source *source);
void proxy_usage_read(struct proxy_usage_source *source, struct proxy_usage *ret_usage);

#endif
