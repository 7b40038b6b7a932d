/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLIENT_INTERNAL_H
#define SEAL_ROT_CLIENT_INTERNAL_H

/*
 * Shared by the files of this room: client.c owns a client and tries its URLs, transfer.c makes one
 * attempt, memory.c readies libcurl.
 */

#include <curl/curl.h>

#include "base/err/err.h"
#include "base/tls/tls.h"
#include "rot/client/client.h"

#define ROT_TIMEOUT_MS 15000u /* a whole call: a hatch is one signature and one commit */

struct rot_client {
	CURL *curl;
	struct curl_slist *headers;
	struct seal_strv urls; /* for a Unix socket the one, made-up, URL */
	char *unix_path;
	struct seal_certs *ca;
	struct seal_certs *cert;
	struct seal_key *key;
	struct seal_tls_config tls;
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	uint32_t timeout_ms;
	const atomic_bool *abort;

	/* The attempt under way. */
	struct seal_bytes reply;
	size_t head_len;
	bool verified;
	struct seal_err verdict; /* why the peer was not believed, or the reply not taken */
	char reason[CURL_ERROR_SIZE];
};

/* One request, as the caller put it. */
struct rot_call {
	const char *method;
	const char *path;
	const void *body;
	size_t body_len;
};

/*
 * Ready libcurl for this process, once: memory that is wiped when freed, since replies carry keys, and
 * no file of TLS secrets, whatever the environment says.
 */
SEAL_CHECKED int rot_curl_setup(struct seal_err *err);

/* Send the request to one URL; whatever HTTP answer comes is success, and lies in client->reply. */
SEAL_CHECKED int rot_client_attempt(struct rot_client *client, const char *base,
				    const struct rot_call *call, unsigned *ret_status,
				    struct seal_err *err);

#endif
