/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_SYNC_H
#define SEAL_PROXY_SYNC_H

/*
 * The thread that asks the root of trust for news, all the time: a question rests with it until there are some.
 * It is one of its own because it waits: a change must not wait for a renewal that hangs, nor a renewal for a
 * question that rests (docs/design/0014-sync.md).
 */

#include <stdatomic.h>

#include "proxy/hatch.h"
#include "proxy/proxy.h"
#include "proxy/sleeper.h"

/* What became of a question. */
enum proxy_sync_result {
	PROXY_SYNC_CHANGED,
	PROXY_SYNC_UNCHANGED,
	PROXY_SYNC_REFUSED, /* our certificate is withdrawn */
	PROXY_SYNC_ABSENT,  /* the root of trust is older than the question */
	PROXY_SYNC_FAILED,  /* no answer, or none that can be believed or read */
	PROXY_SYNC_ABORTED, /* given up: there is another certificate to ask with, or an end */
	PROXY_SYNC_N_RESULTS
};
/* "changed", ... */
const char *proxy_sync_result_name(enum proxy_sync_result result);

/* ---- What follows from it; pure arithmetic ---- */

struct proxy_sync_machine {
	unsigned failures; /* in a row */
	bool is_absent;    /* the last answer was that there is no such question */
};

struct proxy_sync_move {
	uint64_t wait_ms; /* before the next question; PROXY_SLEEP_UNTIL_WOKEN: until a restart */
	bool settles;     /* the first policy need not be waited for any more */
	bool is_news;     /* it is the first of its kind in a row: to be logged */
	bool recovered;   /* and questions are answered again */
};

/* took_ms: from the question to the answer. */
struct proxy_sync_move proxy_sync_step(struct proxy_sync_machine *machine,
				       enum proxy_sync_result result, uint64_t took_ms,
				       uint32_t chance);

/* ---- Numbers, for any thread ---- */

struct proxy_sync_stats {
	_Atomic uint64_t results[PROXY_SYNC_N_RESULTS];
	_Atomic uint64_t epoch;       /* of the last news; 0: none yet */
	_Atomic uint64_t answered_ms; /* monotonic; when asking began before the first answer */
	atomic_bool has_begun;
	atomic_bool has_answer;
};

struct proxy_sync_view {
	uint64_t results[PROXY_SYNC_N_RESULTS];
	uint64_t epoch;
	uint64_t age_s;
	bool has_answer;
};
/* False when nobody asks. */
bool proxy_sync_look(struct proxy_sync_stats *stats, struct proxy_sync_view *ret_view);

/* ---- The thread ---- */

struct proxy_sync;

/*
 * Called in the thread: a new state with its reference, or NULL; settles as above; due: the next turn of the
 * hatch may be due earlier than it said.
 */
typedef void (*proxy_sync_fn)(void *arg, struct proxy_identity_state *state, bool settles,
			      bool due);

struct proxy_sync_config {
	struct proxy_hatch *hatch;      /* outlives this */
	struct proxy_sync_stats *stats; /* likewise */
	proxy_sync_fn told;
	void *arg;
};

/* Asks nothing before the first restart. */
SEAL_CHECKED int proxy_sync_start(struct proxy_sync **ret_sync,
				  const struct proxy_sync_config *config, struct seal_err *err);
/* There is another certificate: ask with it, now.  From any thread. */
void proxy_sync_restart(struct proxy_sync *sync);
/* Ends the thread, aborting a call that is under way.  NULL is allowed. */
void proxy_sync_free(struct proxy_sync *sync);

#endif
