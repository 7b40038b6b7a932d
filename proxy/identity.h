/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_IDENTITY_H
#define SEAL_PROXY_IDENTITY_H

/*
 * The thread that keeps the proxy's identity current, and the one that asks for news of it (sync.h).  They may
 * block; the worker never does.
 */

#include "egg/egg.h"
#include "proxy/hatch.h"
#include "proxy/proxy.h"
#include "proxy/sync.h"

struct proxy_identity;

/*
 * Receives each new state, with a reference, in either thread, each newer than the one before.  The first is held
 * back until there are news of it, which say who is revoked, or for five seconds when there are none.
 */
typedef void (*proxy_publish_fn)(void *arg, struct proxy_identity_state *state);

struct proxy_identity_config {
	struct proxy_hatch **hatch; /* taken over: an egg that has hatched; or NULL, and: */
	struct proxy_identity_state *
		*state;   /* taken over: with hatch, what it hatched to, or NULL */
	struct egg **egg; /* taken over; or NULL, and a folder: */
	const char *credentials;
	const char *egg_path;              /* removed after the first hatch; may be NULL */
	const struct seal_strv *hostnames; /* to ask for, with an egg */
	uint32_t max_sessions;             /* kept for resumption, on each side */
	struct proxy_sync_stats *stats; /* with an egg: outlives this; NULL: nobody asks for news */
	proxy_publish_fn publish;
	void *arg;
	/* Something else to look at in this thread: returns the milliseconds until the next time. */
	uint64_t (*also)(void *also_arg);
	void *also_arg;
};

SEAL_CHECKED int proxy_identity_start(struct proxy_identity **ret_identity,
				      const struct proxy_identity_config *config,
				      struct seal_err *err);
/* Look now: something was changed that the thread would notice later.  From any thread. */
void proxy_identity_poke(struct proxy_identity *identity);
/* Ends the thread, aborting a call that is under way. */
void proxy_identity_free(struct proxy_identity *identity);

#endif
