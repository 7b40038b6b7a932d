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

static int
add_public(struct proxy_config *config, const char *spec, struct seal_err *err)
{
	return proxy_config_add_public(config, spec, spec, "key.pem", NULL, err);
}

/* A file as it would be reloaded: itself in place of itself changes nothing that may not change. */
static void
try_file(const char *text, size_t len)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *again = NULL;

	if (proxy_config_new(&config, NULL) < 0 || proxy_config_new(&again, NULL) < 0)
		return;
	if (proxy_config_add_yaml(config, "fuzz", text, len, NULL) < 0) {
		if (config->listener_count > 0 || config->has_health || config->capture.enabled)
			abort();
		return;
	}
	if (proxy_config_check(config, true, NULL) < 0)
		return;
	if (proxy_config_add_yaml(again, "fuzz", text, len, NULL) < 0 ||
	    proxy_config_check_reload(config, again, NULL) < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size < 4096 ? seal_strndup((const char *)data, size) : NULL;

	if (text != NULL) {
		try_spec(proxy_config_add_inbound, text);
		try_spec(proxy_config_add_outbound, text);
		try_spec(add_public, text);
		free(text);
	}
	if (size < 64 * 1024)
		try_file((const char *)data, size);
	return 0;
}
