/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_API_H
#define SEAL_ROT_API_H

/*
 * The HTTP API of docs/ROT-PROTOCOL.md: requests in, answers out, over a store and a signer it
 * borrows, which work in a thread of their own.  Knows nothing of sockets; server.h puts it behind
 * listeners.
 */

#include <stdint.h>

#include "base/err/err.h"
#include "base/http/http.h"
#include "base/loop/loop.h"
#include "base/tls/tls.h"
#include "rot/server/store.h"
#include "rot/signer/signer.h"

struct rot_api;

struct rot_api_config {
	struct seal_loop *loop;    /* borrowed */
	struct rot_store *store;   /* borrowed: the store's thread's from now on, */
	struct rot_signer *signer; /* and so is the signer */
	uint32_t rate_per_egg;     /* hatches and renewals a second; 0: no limit */
	uint32_t rate_per_address;
	uint64_t lifetime;      /* seconds a hatched certificate lives */
	int64_t (*clock)(void); /* seconds since the epoch */
};

/* Opens the statement key: SEAL_E_REFUSED, with the remedy, when the key-encryption key is wrong. */
SEAL_CHECKED int rot_api_new(struct rot_api **ret_api, const struct rot_api_config *config,
			     struct seal_err *err);
/* Ends the store's thread; requests that are not answered yet will not be.  Before their server is freed. */
void rot_api_stop(struct rot_api *api);
/* Whoever waits for news is let go at once, and nobody waits any more: the server is to end. */
void rot_api_drain(struct rot_api *api);
/* Calls that wait for news; for any thread. */
size_t rot_api_waiting(const struct rot_api *api);
void rot_api_free(struct rot_api *api);
void rot_api_freep(struct rot_api **api);

const struct rot_meta *rot_api_meta(const struct rot_api *api);
/* A fresh credential of the RoT itself, for its listener; never stored.  Before the first request only. */
SEAL_CHECKED int rot_api_credential(struct rot_api *api, struct seal_tls **ret_tls,
				    struct seal_err *err);
/*
 * In the store's thread: certify CAs again whose end comes near, and make a fresh credential (unless only_purge), and
 * forget what nobody can ask for any more, a step of it.  fn is called in the loop's thread: result 1 when there is more
 * to forget, ROT_UPKEEP_AGAIN when there is more of all; tls is lent.
 */
#define ROT_UPKEEP_AGAIN 2
typedef void (*rot_upkeep_fn)(void *arg, struct seal_tls *tls, int result,
			      const struct seal_err *err);
SEAL_CHECKED int rot_api_upkeep(struct rot_api *api, bool only_purge, rot_upkeep_fn fn, void *arg,
				struct seal_err *err);

/* The callbacks of seal_http; arg is the struct rot_api. */
void rot_api_handle(void *arg, struct seal_http_request *request);
size_t rot_api_body_limit(void *arg, const struct seal_http_request *request);
int rot_api_verify(void *arg, struct seal_certs *presented, void **ret_client,
		   struct seal_err *err);
void rot_api_free_client(void *client);
/* For the health address: the store answers and the clock can be right. */
bool rot_api_is_ready(void *arg);
/* Ask the store how things stand; the answer is for who asks next. */
void rot_api_look(struct rot_api *api);
/* Append metrics.  What a view has of requests, store and times is filled in here, the rest is the caller's. */
struct rot_view;
SEAL_CHECKED int rot_api_metrics(struct rot_api *api, struct rot_view *view, struct seal_bytes *out,
				 struct seal_err *err);

#endif
