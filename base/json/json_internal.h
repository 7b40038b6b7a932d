/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_JSON_INTERNAL_H
#define SEAL_BASE_JSON_INTERNAL_H

#include <jansson.h>

#include "base/json/json.h"

/* The library counts references and caches nothing, so a value it calls mutable may be shared. */
static inline json_t *
native(const struct seal_json *json)
{
	return (json_t *)(uintptr_t)json;
}

static inline struct seal_json *
wrap(json_t *value)
{
	return (struct seal_json *)value;
}

/* The library allocates by our means, from before its first value on. */
void seal_json_setup(void);

/* A builder's call on this object or array failed. */
void seal_json_spoil(json_t *value);
bool seal_json_is_spoiled(json_t *value);

#endif
