/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/: any text as a configuration file and as the specification of a listener. */
#include <stdlib.h>

#include "proxy/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*add_fn)(struct proxy_config *config, const char *spec, struct seal_err *err);

static void
try_spec(add_fn add, const char *spec)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;

	if (proxy_config_new(&config, NULL) == 0 && add(config, spec, NULL) == 0 &&
	    proxy_config_check(config, false, NULL) < 0)
		return;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	char *text = size < 4096 ? seal_strndup((const char *)data, size) : NULL;

	if (text != NULL) {
		try_spec(proxy_config_add_inbound, text);
		try_spec(proxy_config_add_outbound, text);
		free(text);
	}
	if (size < 64 * 1024 && proxy_config_new(&config, NULL) == 0 &&
	    proxy_config_add_yaml(config, "fuzz", (const char *)data, size, NULL) == 0 &&
	    proxy_config_check(config, true, NULL) < 0)
		return 0;
	return 0;
}
