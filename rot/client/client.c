/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the root of trust: whom it may speak with, as whom, and which URL comes next.  It knows
 * nothing of what is said, nor how a request travels (transfer.c).
 */

#include "rot/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rot/client/client_internal.h"

#define MAX_URLS 16
/* With less time than this nobody is asked any more. */
#define LEAST_MS 100u

/* ---- One call ---- */

static bool
is_final(const struct rot_client *client, int r)
{
	if (client->abort != NULL && atomic_load(client->abort))
		return true;
	return r == SEAL_E_MEMORY || r == SEAL_E_BUG;
}

static int
check_call(const struct rot_client *client, const struct rot_call *call, struct seal_err *err)
{
	if (call->path[0] != '/')
		return seal_fail(err, SEAL_E_BUG, "the path '%s' does not start with '/'",
				 call->path);
	if (call->body == NULL && call->body_len != 0)
		return seal_fail(err, SEAL_E_BUG, "a body of %zu bytes that is not there",
				 call->body_len);
	if (client->abort != NULL && atomic_load(client->abort))
		return seal_fail(err, SEAL_E_CLOSED, "given up on request");
	return 0;
}

static uint64_t
monotonic_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for a known clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* How long the next URL may take; 0: there is no time left. */
static uint32_t
time_left(const struct rot_client *client, const struct rot_call *call, uint64_t started_ms)
{
	uint64_t gone = monotonic_ms() - started_ms;

	if (call->whole_ms == 0)
		return client->timeout_ms;
	return gone + LEAST_MS <= call->whole_ms ? (uint32_t)(call->whole_ms - gone) : 0;
}

int
rot_client_run(struct rot_client *client, const struct rot_call *call, unsigned *ret_status,
	       struct seal_bytes *reply, struct seal_err *err)
{
	size_t count = client->urls.count;
	size_t first = client->first_url;
	uint64_t started_ms = monotonic_ms();
	bool answered = false;
	int r = check_call(client, call, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		size_t at = (first + i) % count;
		uint32_t left = time_left(client, call, started_ms);
		unsigned status = 0;

		if (i > 0 && left == 0)
			break;
		r = rot_client_attempt(client, client->urls.items[at], call, left, &status, reply,
				       err);
		if (r == 0) {
			answered = true;
			*ret_status = status;
		}
		if (r == 0 && status < 500)
			client->first_url = at;
		/* It has used up the time of those behind it: their turn comes first next time. */
		if (r == SEAL_E_TIMEOUT && time_left(client, call, started_ms) == 0)
			client->first_url = (at + 1) % count;
		if ((r == 0 && status < 500) || is_final(client, r))
			break;
	}
	return answered ? 0 : r;
}

int
rot_client_call(struct rot_client *client, const char *method, const char *path, const void *body,
		size_t body_len, unsigned *ret_status, struct seal_bytes *reply,
		struct seal_err *err)
{
	const struct rot_call call = {
		.method = method, .path = path, .body = body, .body_len = body_len
	};

	return rot_client_run(client, &call, ret_status, reply, err);
}

size_t
rot_client_first_url(const struct rot_client *client)
{
	return client->first_url;
}

/* ---- Life of a client ---- */

/* The root of trust must be of the trust domain that our own certificate names. */
static int
copy_credential(struct rot_client *client, const struct rot_client_config *config,
		struct seal_err *err)
{
	const struct seal_tls_config tls = {
		.side = SEAL_SIDE_CLIENT,
		.chain = config->cert,
		.key = config->key,
	};
	struct seal_identity self = { 0 };
	int r;

	if (config->ca == NULL || config->cert == NULL || config->key == NULL ||
	    seal_certs_count(config->ca) == 0 || seal_certs_count(config->cert) == 0)
		return seal_fail(err, SEAL_E_BUG, "a client without CA, certificate or key");

	r = seal_certs_copy(&client->ca, config->ca, err);
	if (r == 0)
		r = seal_tls_new(&client->tls, &tls, err);
	if (r == 0)
		r = seal_cert_identity(seal_certs_at(config->cert, 0), &self, err);
	if (r < 0)
		return seal_note(err, r, "our own credential");

	/* Same sizes on both sides. */
	(void)snprintf(client->trust_domain, sizeof(client->trust_domain), "%s", self.trust_domain);
	return 0;
}

static int
copy_urls(struct rot_client *client, const struct rot_client_config *config, struct seal_err *err)
{
	int r;

	if (client->is_local)
		return seal_strv_add(&client->urls, config->unix_path, err);
	if (config->urls == NULL || config->urls->count == 0 || config->urls->count > MAX_URLS)
		return seal_fail(err, SEAL_E_USAGE,
				 "one to %d URLs of the root of trust are needed", MAX_URLS);
	for (size_t i = 0; i < config->urls->count; i++) {
		r = seal_url_check(config->urls->items[i], err);
		if (r < 0)
			return r;
	}
	return seal_strv_copy(&client->urls, config->urls, err);
}

int
rot_client_new(struct rot_client **ret_client, const struct rot_client_config *config,
	       struct seal_err *err)
{
	SEAL_SCOPED(rot_client_freep) struct rot_client *client = NULL;
	int r;

	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return seal_fail_memory(err);
	client->timeout_ms = config->timeout_ms != 0 ? config->timeout_ms : ROT_TIMEOUT_MS;
	client->sync_ms = config->timeout_ms != 0 ? config->timeout_ms : ROT_SYNC_CALL_MS;
	client->abort = config->abort;
	client->is_local = config->unix_path != NULL;

	r = copy_urls(client, config, err);
	if (r == 0)
		client->first_url = config->first_url % client->urls.count;
	if (r == 0 && !client->is_local)
		r = copy_credential(client, config, err);
	if (r < 0)
		return r;
	*ret_client = SEAL_TAKE(client);
	return 0;
}

void
rot_client_free(struct rot_client *client)
{
	if (client == NULL)
		return;
	seal_strv_release(&client->urls);
	seal_certs_free(client->ca);
	seal_tls_unref(client->tls);
	free(client);
}

void
rot_client_freep(struct rot_client **client)
{
	rot_client_free(*client);
}
