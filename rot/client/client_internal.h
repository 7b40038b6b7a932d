/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLIENT_INTERNAL_H
#define SEAL_ROT_CLIENT_INTERNAL_H

/*
 * Shared by the files of this room: client.c owns a client and tries its URLs, transfer.c makes one
 * attempt.
 */

#include "base/err/err.h"
#include "base/names/names.h"
#include "base/tls/tls.h"
#include "rot/client/client.h"

#define ROT_TIMEOUT_MS 15000u /* a whole call: a hatch is one signature and one commit */

struct rot_client {
	struct seal_strv urls; /* for a Unix socket its path, alone */
	size_t first_url;
	bool is_local;
	struct seal_certs *ca;
	struct seal_tls *tls;
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	uint32_t timeout_ms;
	uint32_t sync_ms;
	const atomic_bool *abort;
	bool verified; /* in the attempt under way */
};

/* One request, as the caller put it. */
struct rot_call {
	const char *method;
	const char *path;
	const void *body;
	size_t body_len;
	uint32_t whole_ms; /* 0: each URL has the client's time; otherwise all together have this */
};

/* rot_client_call. */
SEAL_CHECKED int rot_client_run(struct rot_client *client, const struct rot_call *call,
				unsigned *ret_status, struct seal_bytes *reply,
				struct seal_err *err);

/* What somebody answered who is not 2xx, as a failure; SEAL_E_REFUSED is for us to be believed. */
SEAL_CHECKED int rot_client_explain(unsigned status, const struct seal_bytes *reply,
				    struct seal_err *err);
/* What we refused, or somebody in between, must not read as the root of trust's final word. */
SEAL_CHECKED int rot_client_not_final(struct seal_err *err);

/*
 * Send the request to one URL, and wait for timeout_ms.  Whatever HTTP answer comes is success, and replaces
 * *ret_status and reply.
 */
SEAL_CHECKED int rot_client_attempt(struct rot_client *client, const char *url,
				    const struct rot_call *call, uint32_t timeout_ms,
				    unsigned *ret_status, struct seal_bytes *reply,
				    struct seal_err *err);

#endif
