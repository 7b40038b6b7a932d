/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_USAGE_H
#define SEAL_BASE_USAGE_H

/*
 * What the kernel says this process uses.  Files are opened once, before a sandbox forbids it, and
 * read again through the descriptors.
 */

#include <stdbool.h>
#include <stdint.h>

struct seal_usage {
	bool has_memory;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	bool has_fds;
	uint64_t open_fds;
	uint64_t max_fds;
	uint64_t cpu_us;
};

struct seal_usage_source;

/* NULL when out of memory, which all below allow: what cannot be known is not told. */
struct seal_usage_source *seal_usage_open(void);
void seal_usage_close(struct seal_usage_source *source);
void seal_usage_read(struct seal_usage_source *source, struct seal_usage *ret_usage);

#endif
