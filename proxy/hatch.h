/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_PROXY_HATCH_H
#define SEAL_PROXY_HATCH_H

/*
 * An identity from an egg: hatched once, renewed with the pod's own certificate from then on, and
 * hatched again when renewal is refused or the certificate has run out.  What the root of trust says between two
 * certificates makes a new state of the same one, or ends it.
 *
 * proxy_hatch_turn blocks; it is for the identity's thread.  News are for any other: they are taken in while a
 * turn asks, and never wait for it.  Of two states the one with the greater generation counts.
 */

#include <stdatomic.h>

#include "egg/egg.h"
#include "proxy/keys.h"
#include "proxy/proxy.h"
#include "rot/client/client.h"

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

/* Milliseconds of the clock that only goes forward. */
uint64_t proxy_now_ms(void);
/* For spreading.  Without randomness the middle will do: nothing secret hangs on it. */
uint32_t proxy_chance(void);

/* ---- News ---- */

/* Who asks for news, and from which epoch on. */
struct proxy_hatch_question {
	uint64_t cert_no; /* which of our certificates; 0: there is none to ask with */
	uint64_t epoch;
};
void proxy_hatch_question(struct proxy_hatch *hatch, struct proxy_hatch_question *ret_question);
/*
 * A client that asks with the certificate of now, whose number is told; SEAL_E_MISSING when there is none.
 * Calls end early when abort becomes true.
 */
SEAL_CHECKED int proxy_hatch_client(struct proxy_hatch *hatch, const atomic_bool *abort,
				    struct rot_client **ret_client, uint64_t *ret_cert_no,
				    struct seal_err *err);
/* The URL that answered: where all calls begin from now on. */
void proxy_hatch_set_first_url(struct proxy_hatch *hatch, size_t first_url);

/*
 * Take in what the root of trust says: *ret_state becomes a new state, or stays NULL when there is no
 * certificate any more.  What it says of keys and of renewing is seen to: the next turn may be due earlier.
 * SEAL_E_FORMAT when the bundle is none; then nothing changes.
 */
SEAL_CHECKED int proxy_hatch_apply(struct proxy_hatch *hatch, const struct rot_sync *sync,
				   struct proxy_identity_state **ret_state, struct seal_err *err);
/*
 * The root of trust has withdrawn our certificate of that number: it is forgotten, and so are all keys.  *ret_state
 * becomes a state by which nobody is met, and the next turn hatches from the egg; at once the first time, and
 * later each time that no news came between two withdrawals.  False when it is not our certificate any more.
 */
bool proxy_hatch_withdraw(struct proxy_hatch *hatch, uint64_t cert_no,
			  struct proxy_identity_state **ret_state);

#endif
