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
#include "proxy/keys.h"
#include "proxy/proxy.h"

struct proxy_hatch;

struct proxy_hatch_config {
	const char *
		path; /* NULL, or the egg's file: removed after the first hatch where that can be */
	const struct seal_strv *hostnames; /* to ask for */
	struct proxy_keys
		*keys;         /* NULL, or where the keys of each answer go before its state does */
	uint32_t max_sessions; /* of each state */
	const atomic_bool *abort; /* calls end early when it becomes true */
};

/* Takes the egg over on success. */
SEAL_CHECKED int proxy_hatch_new(struct proxy_hatch **ret_hatch, struct egg **egg,
				 const struct proxy_hatch_config *config, struct seal_err *err);
void proxy_hatch_free(struct proxy_hatch *hatch);

/*
 * Do what is due now.  *ret_state becomes a new state, or stays NULL; returns the milliseconds until
 * the next turn.  Logs what it did and what failed.
 */
uint64_t proxy_hatch_turn(struct proxy_hatch *hatch, struct proxy_identity_state **ret_state);

/*
 * Who hatched before knowing how many sessions are kept says so now: later states keep as many, and
 * *state, the latest one, is replaced by one that does.  Nobody is asked anything.
 */
SEAL_CHECKED int proxy_hatch_set_sessions(struct proxy_hatch *hatch, uint32_t max_sessions,
					  struct proxy_identity_state **state,
					  struct seal_err *err);
/* Calls end early when this one becomes true instead. */
void proxy_hatch_set_abort(struct proxy_hatch *hatch, const atomic_bool *abort);

#endif
