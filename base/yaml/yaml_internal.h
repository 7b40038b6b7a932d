/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_YAML_INTERNAL_H
#define SEAL_BASE_YAML_INTERNAL_H

#include "base/yaml/yaml.h"

struct seal_yaml_node {
	const struct seal_yaml *yaml;
	struct seal_yaml_node *older; /* all nodes of a document, for freeing */
	enum seal_yaml_kind kind;
	bool is_plain; /* a scalar without quotes */
	size_t line;
	size_t column;
	char *text; /* a scalar's, with len bytes and a NUL */
	size_t len;
	const struct seal_yaml_node **items; /* a list's; a map's keys and values by turns */
	size_t item_count;
};

struct seal_yaml {
	char *name;
	struct seal_yaml_node *newest;
	const struct seal_yaml_node *root;
};

#endif
