/* SPDX-License-Identifier: Apache-2.0 */
/* base/yaml: any bytes; the whole tree is walked. */
#include <assert.h>

#include "base/yaml/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct seal_yaml_node *node, unsigned depth)
{
	const char *text = NULL;

	assert(depth <= SEAL_YAML_MAX_DEPTH);
	if (seal_yaml_kind(node) == SEAL_YAML_SCALAR) {
		if (seal_yaml_str(node, &text, NULL) == 0)
			assert(text != NULL);
		return;
	}
	for (size_t i = 0; i < seal_yaml_count(node); i++) {
		if (seal_yaml_kind(node) == SEAL_YAML_MAP)
			assert(seal_yaml_get(node, seal_yaml_key(node, i)) != NULL);
		walk(seal_yaml_at(node, i), depth + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_yaml_freep) struct seal_yaml *yaml = NULL;

	if (size <= 64 * 1024 &&
	    seal_yaml_parse(&yaml, "fuzz", (const char *)data, size, NULL) == 0 &&
	    seal_yaml_root(yaml) != NULL)
		walk(seal_yaml_root(yaml), 0);
	return 0;
}
