/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_TESTS_PROXY_SEALED_RIG_H
#define SEAL_TESTS_PROXY_SEALED_RIG_H

/*
 * What a root of trust would have: keys of workload shop, answers that carry them, and sealed values.
 */

#include "config-verify/sealed.h"
#include "config-verify/token.h"
#include "proxy/keys.h"

/* A bit for each generation of keys. */
#define SEALED_GEN(n) (1u << (n))

/* The ring of a peer of shop, or of another workload. */
struct verify_ring *sealed_ring(const char *workload, const char *peer, unsigned generations);
/* An answer with those keys and no floor; released by rot_credentials_release. */
struct rot_credentials sealed_answer(const char *workload, const char *peer, unsigned generations);
void sealed_add_floor(struct rot_credentials *answer, const char *object, uint64_t gen);
/* Keys of shop/web as after a hatch, generations 1 and 2. */
struct proxy_keys *sealed_keys(void);

/* A place in namespace shop. */
struct verify_binding sealed_at(const char *kind, const char *name, const char *key, uint64_t gen);
/* A value sealed there, with the newest key of the ring; malloc'ed. */
char *sealed_value(const struct verify_ring *ring, const struct verify_binding *at,
		   const char *plain);

#endif
