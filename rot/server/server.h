/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_SERVER_H
#define SEAL_ROT_SERVER_H

/*
 * The running server: the API behind its HTTPS listener and the local socket, the health address, the
 * RoT's own credential and its daily renewal, the end by a signal or with the signer.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err/err.h"
#include "base/loop/loop.h"
#include "base/loop/net.h"
#include "rot/server/store.h"
#include "rot/signer/signer.h"

struct rot_server;

struct rot_server_config {
	struct seal_endpoint listen;
	struct seal_endpoint local; /* the Unix socket */
	bool has_health;
	struct seal_endpoint health;
	bool has_est;
	struct seal_endpoint est;
	bool has_page;
	struct seal_endpoint page; /* of this machine alone */
	uint32_t rate_per_egg;
	uint32_t rate_per_address;
	uint64_t lifetime; /* of hatched certificates, seconds */
	bool accept_clock; /* it is right, whatever the store says */
	/* For tests: seconds since the epoch (NULL: the machine's); how often it looks whether a day is over (0: each minute). */
	int64_t (*clock)(void);
	uint64_t tick_ms;
};

/* Starts listening.  Loop, store and signer are borrowed and outlive it. */
SEAL_CHECKED int rot_server_new(struct rot_server **ret_server, struct seal_loop *loop,
				const struct rot_server_config *config, struct rot_store *store,
				struct rot_signer *signer, struct seal_err *err);
void rot_server_free(struct rot_server *server);
void rot_server_freep(struct rot_server **server);

/* Stop listening, finish what is under way, then stop the loop; a second call stops it at once. */
void rot_server_drain(struct rot_server *server);
/* The port of the HTTPS listener, also when 0 was asked for. */
/* Calls that wait for news; for any thread. */
size_t rot_server_waiting(const struct rot_server *server);
uint16_t rot_server_port(const struct rot_server *server);
/* The same of the EST listener; 0 without one. */
uint16_t rot_server_est_port(const struct rot_server *server);
/* True when the end was not asked for: the signer has died. */
bool rot_server_failed(const struct rot_server *server);

#endif
