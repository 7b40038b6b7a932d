/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a pod's certificate.
 *
 *              ┌── failed: backoff ──┐            ┌──── failed: backoff ────┐
 *              ▼                     │            ▼                         │
 *   start ─▶ hatch ─────────────────▶│  two thirds of life ─▶ renew ────────┤
 *              ▲                     └▶ valid ◀──────────────── │ renewed    │
 *              └───────────── refused, or the certificate is over ◀─────────┘
 *
 * Every certificate has a key of its own, made here and never written anywhere.  What the root of
 * trust answers is believed only after the same checks a peer would make (proxy_state_new).
 */
#include "proxy/hatch.h"

#include <errno.h>
#include <unistd.h>

#include "base/log/log.h"
#include "base/loop/loop.h"
#include "proxy/schedule.h"
#include "rot/client/client.h"

/* The clock may be set while we sleep: look at it at least this often. */
#define NAP_MS 30000u

struct proxy_hatch {
	struct egg *egg;
	char *path; /* NULL: nothing to remove (any more) */
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	struct seal_strv hostnames;
	struct proxy_keys *keys; /* NULL: they are not kept */
	const atomic_bool *abort;
	struct seal_certs *chain; /* ours; NULL before the first hatch */
	struct seal_key *key;
	int64_t not_after;
	int64_t life;
	int64_t renew_at;
	unsigned failures;
	bool renew_refused;
	uint64_t retry_at_ms; /* monotonic */
	uint64_t generation;
	uint32_t max_sessions;
};

int
proxy_hatch_new(struct proxy_hatch **ret_hatch, struct egg **egg,
		const struct proxy_hatch_config *config, struct seal_err *err)
{
	struct proxy_hatch *hatch = calloc(1, sizeof(*hatch));
	struct seal_identity identity = { 0 };
	int r;

	if (hatch == NULL)
		return seal_fail_memory(err);
	hatch->max_sessions = config->max_sessions;
	hatch->abort = config->abort;
	hatch->keys = config->keys;
	r = seal_cert_identity(seal_certs_at(egg_cert(*egg), 0), &identity, err);
	if (r == 0)
		r = seal_strv_copy(&hatch->hostnames, config->hostnames, err);
	if (r == 0 && config->path != NULL) {
		hatch->path = seal_strndup(config->path, strlen(config->path));
		r = hatch->path == NULL ? seal_fail_memory(err) : 0;
	}
	if (r < 0) {
		proxy_hatch_free(hatch);
		return r;
	}
	memcpy(hatch->trust_domain, identity.trust_domain, sizeof(hatch->trust_domain));
	hatch->egg = SEAL_TAKE(*egg);
	*ret_hatch = hatch;
	return 0;
}

void
proxy_hatch_free(struct proxy_hatch *hatch)
{
	if (hatch == NULL)
		return;
	egg_free(hatch->egg);
	free(hatch->path);
	seal_strv_release(&hatch->hostnames);
	seal_certs_free(hatch->chain);
	seal_key_free(hatch->key);
	free(hatch);
}

static uint64_t
monotonic_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for a known clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Without randomness the middle will do: nothing secret hangs on it. */
static uint32_t
chance(void)
{
	uint32_t value = 0;

	return seal_random(&value, sizeof(value), NULL) == 0 ? value : UINT32_MAX / 2;
}

/* The egg has done its work; what is left of it in memory is for when renewal fails. */
static void
remove_egg(struct proxy_hatch *hatch)
{
	if (hatch->path == NULL)
		return;
	if (unlink(hatch->path) == 0)
		seal_log(SEAL_LOG_NOTICE, "egg_removed", SEAL_STR("path", hatch->path));
	else if (errno != ENOENT)
		seal_log(SEAL_LOG_NOTICE, "egg_kept", SEAL_STR("path", hatch->path),
			 SEAL_STR("reason", strerror(errno)));
	free(SEAL_TAKE(hatch->path));
}

static int
make_request(struct rot_request *request, const struct proxy_hatch *hatch, bool renew,
	     const struct seal_key *key, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes csr = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	const char *statement = egg_statement(hatch->egg);
	int r = seal_csr_new(&csr, key, err);

	if (r < 0)
		return r;
	request->csr = seal_strndup(seal_bytes_str(&csr), csr.len);
	if (!renew)
		request->statement = seal_strndup(statement, strlen(statement));
	if (request->csr == NULL || (!renew && request->statement == NULL))
		return seal_fail_memory(err);
	/* A renewal keeps the names the certificate was given. */
	return renew ? 0 : seal_strv_copy(&request->hostnames, &hatch->hostnames, err);
}

/* An egg that is over is refused in the handshake, without a word: better said here. */
static int
check_egg(const struct proxy_hatch *hatch, struct seal_err *err)
{
	int64_t from = 0;
	int64_t to = 0;
	int r = seal_cert_times(seal_certs_at(egg_cert(hatch->egg), 0), &from, &to, err);

	if (r == 0 && seal_clock_now() > to)
		r = seal_fail(err, SEAL_E_REFUSED, "egg %s has expired: mint another",
			      egg_id(hatch->egg));
	return r;
}

static int
ask(struct proxy_hatch *hatch, bool renew, const struct seal_key *key,
    struct rot_credentials *ret_credentials, struct seal_err *err)
{
	const struct rot_client_config config = {
		.urls = egg_urls(hatch->egg),
		.ca = egg_ca(hatch->egg),
		.cert = renew ? hatch->chain : egg_cert(hatch->egg),
		.key = renew ? hatch->key : egg_key(hatch->egg),
		.abort = hatch->abort,
	};
	SEAL_SCOPED(rot_client_freep) struct rot_client *client = NULL;
	SEAL_SCOPED(rot_request_release) struct rot_request request = { 0 };
	int r = renew ? 0 : check_egg(hatch, err);

	if (r == 0)
		r = make_request(&request, hatch, renew, key, err);
	if (r == 0)
		r = rot_client_new(&client, &config, err);
	if (r == 0)
		r = rot_client_credentials(client, renew ? "/v1/renew" : "/v1/hatch", &request,
					   ret_credentials, err);
	return r;
}

static int
check_names(const struct proxy_hatch *hatch, const struct proxy_identity_state *state,
	    const struct rot_credentials *credentials, struct seal_err *err)
{
	if (strcmp(state->trust_domain, hatch->trust_domain) != 0)
		return seal_fail(err, SEAL_E_UNAUTH,
				 "the certificate is of trust domain '%s', the egg of '%s'",
				 state->trust_domain, hatch->trust_domain);
	if (strcmp(state->workload, credentials->workload) != 0 ||
	    strcmp(state->peer, credentials->peer) != 0)
		return seal_fail(
			err, SEAL_E_FORMAT, "the answer names '%s/%s', its certificate '%s/%s'",
			credentials->workload, credentials->peer, state->workload, state->peer);
	return 0;
}

static int
read_chains(const struct rot_credentials *credentials, struct seal_certs **ret_chain,
	    struct seal_certs **ret_anchors, struct seal_err *err)
{
	int r;

	if (credentials->certificate == NULL || credentials->ca_bundle == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "the answer holds no certificate");
	r = seal_certs_from_pem(ret_chain, credentials->certificate,
				strlen(credentials->certificate), SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return seal_note(err, r, "the certificate received");
	r = seal_certs_from_pem(ret_anchors, credentials->ca_bundle, strlen(credentials->ca_bundle),
				ROT_MAX_BODY, err);
	return r < 0 ? seal_note(err, r, "the CA bundle received") : 0;
}

/* Turn an answer into a state and remember what the next renewal needs. */
static int
accept_answer(struct proxy_hatch *hatch, const struct rot_credentials *credentials,
	      struct seal_key **key, struct proxy_identity_state **ret_state, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(proxy_state_unrefp) struct proxy_identity_state *state = NULL;
	struct proxy_state_parts parts = { .key = *key,
					   .clients = &credentials->clients,
					   .servers = &credentials->servers,
					   .generation = hatch->generation + 1,
					   .max_sessions = hatch->max_sessions,
					   .now = seal_clock_now() };
	int r = read_chains(credentials, &chain, &anchors, err);

	if (r != 0)
		return r;
	parts.chain = chain;
	parts.anchors = anchors;
	r = proxy_state_new(&state, &parts, err);
	if (r == 0)
		r = check_names(hatch, state, credentials, err);
	if (r != 0)
		return seal_note(err, r, "the certificate received");
	if (hatch->keys != NULL)
		r = proxy_keys_update(hatch->keys, credentials, err);
	if (r < 0)
		return r;
	seal_certs_free(hatch->chain);
	seal_key_free(hatch->key);
	hatch->chain = SEAL_TAKE(chain);
	hatch->key = SEAL_TAKE(*key);
	hatch->generation++;
	hatch->not_after = state->not_after;
	hatch->life = state->not_after - parts.now;
	hatch->renew_at =
		proxy_renew_at(parts.now, state->not_after, credentials->renew_after, chance());
	*ret_state = SEAL_TAKE(state);
	return 0;
}

static int
attempt(struct proxy_hatch *hatch, bool renew, struct proxy_identity_state **ret_state,
	struct seal_err *err)
{
	SEAL_SCOPED(rot_credentials_release) struct rot_credentials credentials = { 0 };
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int r = seal_key_new(&key, err);

	if (r == 0)
		r = ask(hatch, renew, key, &credentials, err);
	if (r < 0)
		return r;
	r = accept_answer(hatch, &credentials, &key, ret_state, err);
	/* What we refused was not the root of trust's final word. */
	return r == SEAL_E_REFUSED ? SEAL_E_UNAUTH : r;
}

static void
log_success(const struct proxy_hatch *hatch, bool renew, const struct proxy_identity_state *state)
{
	seal_log(SEAL_LOG_NOTICE, renew ? "renewed" : "hatched",
		 SEAL_STR("workload", state->workload), SEAL_STR("peer", state->peer),
		 SEAL_U64("not_after", (uint64_t)hatch->not_after),
		 SEAL_U64("renew_at", (uint64_t)hatch->renew_at));
}

/* A refusal needs a person, unless the other way is still to be tried. */
static uint64_t
fail_turn(struct proxy_hatch *hatch, bool renew, int code, const struct seal_err *err)
{
	bool refused = code == SEAL_E_REFUSED;
	uint64_t wait = 0;

	hatch->failures++;
	if (!(renew && refused))
		wait = proxy_backoff_ms(hatch->failures, proxy_backoff_max_ms(hatch->life),
					chance());
	hatch->retry_at_ms = monotonic_ms() + wait;
	hatch->renew_refused = renew && refused;
	if (atomic_load(hatch->abort))
		return wait;
	seal_log(refused && !renew ? SEAL_LOG_ERROR : SEAL_LOG_WARN,
		 renew ? "renew_failed" : "hatch_failed", SEAL_STR("reason", err->text),
		 SEAL_U64("attempt", hatch->failures), SEAL_U64("retry_in_ms", wait));
	return wait;
}

uint64_t
proxy_hatch_turn(struct proxy_hatch *hatch, struct proxy_identity_state **ret_state)
{
	int64_t now = seal_clock_now();
	uint64_t now_ms = monotonic_ms();
	bool valid = hatch->chain != NULL && now <= hatch->not_after;
	bool renew = valid && !hatch->renew_refused;
	struct seal_err err = { 0 };
	int r;

	if (valid && now < hatch->renew_at) {
		uint64_t left = (uint64_t)(hatch->renew_at - now) * 1000;

		return left < NAP_MS ? left : NAP_MS;
	}
	if (now_ms < hatch->retry_at_ms)
		return hatch->retry_at_ms - now_ms;
	r = attempt(hatch, renew, ret_state, &err);
	if (r < 0)
		return fail_turn(hatch, renew, r, &err);
	hatch->failures = 0;
	hatch->renew_refused = false;
	log_success(hatch, renew, *ret_state);
	remove_egg(hatch);
	return 0;
}

int
proxy_hatch_set_sessions(struct proxy_hatch *hatch, uint32_t max_sessions,
			 struct proxy_identity_state **state, struct seal_err *err)
{
	const struct proxy_state_parts parts = { .chain = hatch->chain,
						 .anchors = (*state)->anchors,
						 .key = hatch->key,
						 .clients = &(*state)->clients,
						 .servers = &(*state)->servers,
						 .generation = (*state)->generation,
						 .max_sessions = max_sessions,
						 .now = seal_clock_now() };
	struct proxy_identity_state *again = NULL;
	int r = proxy_state_new(&again, &parts, err);

	if (r < 0)
		return r;
	hatch->max_sessions = max_sessions;
	proxy_state_unref(*state);
	*state = again;
	return 0;
}

void
proxy_hatch_set_abort(struct proxy_hatch *hatch, const atomic_bool *abort)
{
	hatch->abort = abort;
}
