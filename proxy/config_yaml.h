/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONFIG_YAML_H
#define SEAL_PROXY_CONFIG_YAML_H

/*
 * What config_yaml.c (which keys there are, and where) and config_values.c (what one value may be)
 * share.  Values are read by functions of one type, so that the table can name them.
 */

#include "base/yaml/yaml.h"
#include "proxy/config_internal.h"

/* The maps there are. */
enum proxy_section {
	IN_TOP = 1 << 0,
	IN_INBOUND = 1 << 1,
	IN_OUTBOUND = 1 << 2,
	IN_PUBLIC = 1 << 3,
	IN_CERTIFICATES = 1 << 4, /* one item of the list */
	IN_CAPTURE = 1 << 5,
	IN_LIMITS = 1 << 6,
	IN_TIMEOUTS = 1 << 7,
	IN_LOG = 1 << 8,
};

#define IN_FORWARDING (IN_INBOUND | IN_PUBLIC)
#define IN_LISTENERS  (IN_FORWARDING | IN_OUTBOUND)

/* What is being filled in. */
struct proxy_key_target {
	struct proxy_config *config;
	struct proxy_listener_config *listener; /* NULL outside of listeners */
};

struct proxy_key;
typedef int proxy_read_fn(const struct proxy_key_target *target, const struct proxy_key *key,
			  const struct seal_yaml_node *node, struct seal_err *err);
typedef int (*proxy_set_fn)(struct proxy_listener_config *listener, const char *text,
			    struct seal_err *err);

/* A key: where it may stand and who reads it.  Keys of a map are read in the table's order. */
struct proxy_key {
	const char *name;
	unsigned sections;
	proxy_read_fn *read;
	bool is_required;
	bool is_fixed;              /* a reload cannot change it */
	proxy_set_fn set;           /* for read_one and read_each */
	enum proxy_section inner;   /* for read_map and the lists of maps */
	enum proxy_address address; /* for read_address */
	size_t offset; /* for read_count and read_time: a uint32_t of the configuration */
	uint32_t max;
};

/* Put the node's place in front of what a setter said; its code. */
SEAL_CHECKED int proxy_fail_at(const struct seal_yaml_node *node, const struct seal_err *inner,
			       struct seal_err *err);
/* "name:line:column"; NULL when out of memory.  The caller frees. */
char *proxy_place_of(const struct seal_yaml_node *node);

/* Listeners: one text, or a list of them too, for the setter of the key; yes or no. */
proxy_read_fn proxy_read_one;
proxy_read_fn proxy_read_each;
proxy_read_fn proxy_read_unsafe;
proxy_read_fn proxy_read_captured;
/* The configuration as a whole. */
proxy_read_fn proxy_read_address;
proxy_read_fn proxy_read_allow;
proxy_read_fn proxy_read_count;
proxy_read_fn proxy_read_memory;
proxy_read_fn proxy_read_time;
proxy_read_fn proxy_read_idle;
proxy_read_fn proxy_read_level;
proxy_read_fn proxy_read_format;

#endif
