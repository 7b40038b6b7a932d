/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_HATCH_H
#define SEAL_PROXY_HATCH_H

/*
 * An identity from an egg: hatched once, renewed with the pod's own certificate from then on, and
 * hatched again when renewal is refused or the certificate has run out.  Blocking; for the identity's
 * thread.
 */

#include <stdatomic.h>

#include "egg/egg.h"
#include "proxy/proxy.h"

struct proxy_hatch;

/*
 * Takes the egg over on success.  path, when not NULL, names the egg's file, which is removed after
 * the first hatch where the file system allows.  Calls end early when *abort becomes true.
 */
SEAL_CHECKED int proxy_hatch_new(struct proxy_hatch **ret_hatch, struct egg **egg, const char *path,
				 const struct seal_strv *hostnames, uint32_t max_sessions,
				 const atomic_bool *abort, struct seal_err *err);
void proxy_hatch_free(struct proxy_hatch *hatch);

/*
 * Do what is due now.  *ret_state becomes a new state, or stays NULL; returns the milliseconds until
 * the next turn.  Logs what it did and what failed.
 */
uint64_t proxy_hatch_turn(struct proxy_hatch *hatch, struct proxy_identity_state **ret_state);

#endif
