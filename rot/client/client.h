/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLIENT_H
#define SEAL_ROT_CLIENT_H

/*
 * Speaking with the root of trust: over HTTPS to one of several URLs, authenticated both ways
 * against the pinned system CA, or over its local Unix socket.  Calls block; a call may be aborted
 * from another thread.  Proxies, system trust stores and their variables are ignored.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/x509/x509.h"
#include "rot/wire/wire.h"

struct rot_client;

struct rot_client_config {
	const struct seal_strv *urls; /* tried in order, */
	size_t first_url;             /* from this one on (the first comes after the last) */
	const char *unix_path;        /* instead of urls: the local socket */
	const struct seal_certs *ca;  /* the system CA */
	const struct seal_certs *cert;
	const struct seal_key *key;
	uint32_t
		timeout_ms; /* for a whole call to one URL; for rot_client_sync, to all; 0: usual */
	const atomic_bool *abort; /* NULL, or: when it becomes true the call ends */
};

/* Everything is copied or referenced. */
SEAL_CHECKED int rot_client_new(struct rot_client **ret_client,
				const struct rot_client_config *config, struct seal_err *err);
void rot_client_free(struct rot_client *client);
void rot_client_freep(struct rot_client **client);

/* The URL that answered last: where the next call, or another client, may as well begin. */
size_t rot_client_first_url(const struct rot_client *client);

/*
 * One call.  body may be NULL.  Returns 0 when some URL answered with any HTTP status; the next URL
 * is tried after every failure to get an answer (but an abort), and after a status of 500 and more.
 * Otherwise the last failure, with its URL.  reply, bounded by its own maximum, is replaced on success.
 * A request whose answer was lost may have been carried out, and is carried out again at the next URL.
 */
SEAL_CHECKED int rot_client_call(struct rot_client *client, const char *method, const char *path,
				 const void *body, size_t body_len, unsigned *ret_status,
				 struct seal_bytes *reply, struct seal_err *err);

/*
 * Ask for credentials: path is "/v1/hatch" or "/v1/renew".  SEAL_E_REFUSED when the RoT said no for
 * good (4xx other than 408 and 429); every other failure may be tried again.
 */
SEAL_CHECKED int rot_client_credentials(struct rot_client *client, const char *path,
					const struct rot_request *request,
					struct rot_credentials *ret_credentials,
					struct seal_err *err);

/*
 * Wait for what is different from epoch (0: for anything): for ROT_SYNC_CALL_MS unless configured, over all URLs
 * together; given up within 0.2 s of an abort.  True in *ret_changed: ret_sync was replaced, and is to be
 * released; false: nothing has changed so far.  SEAL_E_REFUSED when the root of trust has withdrawn our
 * certificate; SEAL_E_MISSING when it answers that it knows no such endpoint; every other failure may be
 * tried again.
 */
#define ROT_SYNC_CALL_MS 65000u
SEAL_CHECKED int rot_client_sync(struct rot_client *client, uint64_t epoch,
				 struct rot_sync *ret_sync, bool *ret_changed,
				 struct seal_err *err);

#endif
