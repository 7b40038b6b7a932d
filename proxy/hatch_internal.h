/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_HATCH_INTERNAL_H
#define SEAL_PROXY_HATCH_INTERNAL_H

/*
 * What the two halves of an identity's life share: hatch.c asks for certificates, in the identity's thread;
 * hatch_sync.c takes in what the root of trust says between two of them, in the thread that asks for it.
 */

#include <pthread.h>

#include "proxy/hatch.h"

struct proxy_hatch {
	struct egg *egg;
	char *path; /* NULL: nothing to remove (any more) */
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	struct seal_strv hostnames;
	struct proxy_keys *keys;  /* NULL: they are not kept, */
	struct seal_strv key_ids; /* but what those that came are called */
	const atomic_bool *abort;
	char said[SEAL_ERR_TEXT_LEN]; /* why it failed last */

	pthread_mutex_t lock;     /* never held while asking; of all that follows */
	struct seal_certs *chain; /* ours; NULL before the first hatch, and when it was withdrawn */
	struct seal_key *key;
	struct proxy_identity_state *latest; /* referenced; NULL before the first */
	uint64_t cert_no;                    /* which certificate of ours it is, from 1 */
	uint64_t generation;                 /* of states */
	uint64_t ask_from;                   /* the epoch to ask with */
	uint64_t demanded_epoch;             /* whose word made us renew last */
	uint64_t demanded_ms;                /* and when; 0: never */
	uint64_t demand_ms;                  /* when to renew because of it; 0: not */
	unsigned withdrawals;                /* in a row */
	size_t first_url;
	int64_t not_after;
	int64_t life;
	int64_t renew_at;
	unsigned failures;
	bool renew_refused;
	uint64_t retry_at_ms; /* monotonic, like all _ms */
	uint32_t max_sessions;
};

/* A new state, known to be the latest.  Takes *state over and gives a reference out. */
void proxy_hatch_set_latest(struct proxy_hatch *hatch, struct proxy_identity_state **state,
			    struct proxy_identity_state **ret_state);

#endif
