/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_CONFIG_INTERNAL_H
#define SEAL_PROXY_CONFIG_INTERNAL_H

/*
 * How a configuration is filled in, shared by its two spellings (flags and YAML).  Each setter checks
 * what it is given and changes nothing on failure.
 */

#include "proxy/proxy.h"

/*
 * One listener starts zeroed with its direction set.  What a setter looks at besides its argument is
 * set before: unsafe, then listen, captured, targets, server name, verify.
 */
void proxy_listener_release(struct proxy_listener_config *listener);
SEAL_CHECKED int proxy_listener_set_listen(struct proxy_listener_config *listener, const char *text,
					   struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_captured(struct proxy_listener_config *listener, bool captured,
					     struct seal_err *err);
SEAL_CHECKED int proxy_listener_add_target(struct proxy_listener_config *listener, const char *text,
					   struct seal_err *err);
SEAL_CHECKED int proxy_listener_add_peer(struct proxy_listener_config *listener, const char *name,
					 struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_server_name(struct proxy_listener_config *listener,
						const char *name, struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_verify(struct proxy_listener_config *listener, const char *word,
					   struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_proxy_protocol(struct proxy_listener_config *listener,
						   const char *word, struct seal_err *err);
SEAL_CHECKED int proxy_listener_add_alpn(struct proxy_listener_config *listener, const char *name,
					 struct seal_err *err);
/* A certificate, and then its key. */
SEAL_CHECKED int proxy_listener_add_certificate(struct proxy_listener_config *listener,
						const char *path, struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_key(struct proxy_listener_config *listener, const char *path,
					struct seal_err *err);
/* After its certificate and key. */
SEAL_CHECKED int proxy_listener_set_secret(struct proxy_listener_config *listener, const char *name,
					   struct seal_err *err);
SEAL_CHECKED int proxy_listener_set_client_ca(struct proxy_listener_config *listener,
					      const char *path, struct seal_err *err);

/*
 * Append a finished listener.  On success the configuration owns what it holds and the variable is
 * empty; another listener on the same address is SEAL_E_CONFLICT.
 */
SEAL_CHECKED int proxy_config_add(struct proxy_config *config,
				  struct proxy_listener_config *listener, struct seal_err *err);

/* Addresses besides those of listeners.  origin is copied. */
enum proxy_address { PROXY_HEALTH, PROXY_METRICS, PROXY_CONTROL, PROXY_AGENT, PROXY_CAPTURE };
SEAL_CHECKED int proxy_config_set_address(struct proxy_config *config, enum proxy_address which,
					  const char *text, const char *origin,
					  struct seal_err *err);
SEAL_CHECKED int proxy_capture_add_allow(struct proxy_capture_config *capture, const char *text,
					 struct seal_err *err);

/* Would binding b fail where a is bound?  A wildcard takes the port on every address of its family. */
bool proxy_endpoints_collide(const struct seal_endpoint *a, const struct seal_endpoint *b);
bool proxy_endpoint_is_wildcard(const struct seal_endpoint *endpoint);
bool proxy_host_is_literal(const char *host);
/* SEAL_E_CONFLICT when the two cannot both be served. */
SEAL_CHECKED int proxy_listeners_check_pair(const struct proxy_listener_config *earlier,
					    const struct proxy_listener_config *later,
					    struct seal_err *err);

/* Ranges of durations, in seconds; idle may be off (0) besides. */
#define PROXY_MAX_DEADLINE_S 300u
#define PROXY_MAX_DRAIN_S    3600u
#define PROXY_MAX_IDLE_S     (30u * 86400)
#define PROXY_MAX_COUNT      10000000u
#define PROXY_MAX_SESSIONS   1000000u
#define PROXY_MIN_MEMORY     (UINT64_C(1) << 20)
#define PROXY_MAX_MEMORY     (UINT64_C(1) << 40)

/* "off" is 0. */
SEAL_CHECKED int proxy_idle_parse(const char *text, uint32_t *ret_ms, struct seal_err *err);
/* 0, or what a proxy can work with. */
SEAL_CHECKED int proxy_memory_parse(const char *text, uint64_t *ret_bytes, struct seal_err *err);

/*
 * The index-th key of a section of the YAML file ("" is the top, "certificates" their items); NULL
 * beyond the last.  is_fixed: a reload cannot change it.  For comparing with the manual.
 */
const char *proxy_config_key(const char *section, size_t index, bool *ret_is_fixed);

#endif
