/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONFIG_INTERNAL_H
#define SEAL_PROXY_CONFIG_INTERNAL_H

/*
 * How one listener is filled in, shared by the two spellings of a configuration (flags and YAML).
 * A listener starts zeroed with its direction set; each setter checks what it is given.
 */

#include "proxy/proxy.h"

void proxy_listener_release(struct proxy_listener_config *listener);
SEAL_CHECKED int proxy_listener_set_listen(struct proxy_listener_config *listener, const char *text,
					   struct seal_err *err);
SEAL_CHECKED int proxy_listener_add_target(struct proxy_listener_config *listener, const char *text,
					   struct seal_err *err);
SEAL_CHECKED int proxy_listener_add_peer(struct proxy_listener_config *listener, const char *name,
					 struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_server_name(struct proxy_listener_config *listener,
						const char *name, struct seal_err *err);

/*
 * Append a finished listener.  On success the configuration owns what it holds and the variable is
 * empty; another listener on the same address is SEAL_E_CONFLICT.
 */
SEAL_CHECKED int proxy_config_add(struct proxy_config *config,
				  struct proxy_listener_config *listener, struct seal_err *err);

#endif
