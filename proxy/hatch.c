/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a pod's certificate.
 *
 *              ┌── failed: backoff ──┐            ┌──── failed: backoff ────┐
 *              ▼                     │            ▼                         │
 *   start ─▶ hatch ─────────────────▶│  two thirds of life ─▶ renew ────────┤
 *              ▲                     └▶ valid ◀──────────────── │ renewed    │
 *              └── refused, or the certificate is over, or was withdrawn ◀──┘
 *
 * Every certificate has a key of its own, made here and never written anywhere.  What the root of
 * trust answers is believed only after the same checks a peer would make (proxy_state_new).
 */
#include "proxy/hatch_internal.h"

#include <errno.h>
#include <unistd.h>

#include "base/log/log.h"
#include "base/loop/loop.h"
#include "proxy/schedule.h"
#include "rot/client/client.h"

/* The clock may be set while we sleep: look at it at least this often. */
#define NAP_MS 30000u
/* CAs that are remembered after they have left the bundle. */
#define MAX_FORMER 32

int
proxy_hatch_new(struct proxy_hatch **ret_hatch, struct egg **egg,
		const struct proxy_hatch_config *config, struct seal_err *err)
{
	struct proxy_hatch *hatch = calloc(1, sizeof(*hatch));
	struct seal_identity identity = { 0 };
	int r;

	if (hatch == NULL)
		return seal_fail_memory(err);
	r = pthread_mutex_init(&hatch->lock, NULL);
	if (r != 0) {
		free(hatch);
		return seal_fail_errno(err, r, "cannot make a lock");
	}
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
	seal_strv_release(&hatch->key_ids);
	seal_certs_free(hatch->chain);
	seal_key_free(hatch->key);
	proxy_state_unref(hatch->latest);
	(void)pthread_mutex_destroy(&hatch->lock); /* nobody holds it */
	free(hatch);
}

uint64_t
proxy_now_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for a known clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint32_t
proxy_chance(void)
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

/* The client holds what it needs of ours: from here on either may be replaced. */
static int
make_client(struct proxy_hatch *hatch, bool renew, struct rot_client **ret_client,
	    struct seal_err *err)
{
	struct rot_client_config config = { .urls = egg_urls(hatch->egg),
					    .ca = egg_ca(hatch->egg),
					    .cert = egg_cert(hatch->egg),
					    .key = egg_key(hatch->egg),
					    .abort = hatch->abort };
	int r;

	pthread_mutex_lock(&hatch->lock);
	config.first_url = hatch->first_url;
	if (renew) {
		config.cert = hatch->chain;
		config.key = hatch->key;
	}
	r = rot_client_new(ret_client, &config, err);
	pthread_mutex_unlock(&hatch->lock);
	return r;
}

static int
ask(struct proxy_hatch *hatch, bool renew, const struct seal_key *key,
    struct rot_credentials *ret_credentials, struct seal_err *err)
{
	SEAL_SCOPED(rot_client_freep) struct rot_client *client = NULL;
	SEAL_SCOPED(rot_request_release) struct rot_request request = { 0 };
	int r = renew ? 0 : check_egg(hatch, err);

	if (r == 0)
		r = make_request(&request, hatch, renew, key, err);
	if (r == 0)
		r = make_client(hatch, renew, &client, err);
	if (r == 0)
		r = rot_client_credentials(client, renew ? "/v1/renew" : "/v1/hatch", &request,
					   ret_credentials, err);
	if (r == 0)
		proxy_hatch_set_first_url(hatch, rot_client_first_url(client));
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

void
proxy_hatch_set_latest(struct proxy_hatch *hatch, struct proxy_identity_state **state,
		       struct proxy_identity_state **ret_state)
{
	proxy_state_unref(hatch->latest);
	hatch->latest = proxy_state_ref(*state);
	hatch->generation = (*state)->generation;
	*ret_state = SEAL_TAKE(*state);
}

static int
has_authority(const struct seal_certs *certs, const uint8_t id[static SEAL_HASH_LEN], bool *ret_has,
	      struct seal_err *err)
{
	for (size_t i = 0; !*ret_has && i < seal_certs_count(certs); i++) {
		uint8_t one[SEAL_HASH_LEN];
		int r = seal_anchor_id(seal_certs_at(certs, i), one, err);

		if (r < 0)
			return r;
		*ret_has = memcmp(one, id, sizeof(one)) == 0;
	}
	return 0;
}

/* Those that are neither in the bundle nor among former already. */
static int
add_former(struct seal_certs *former, const struct seal_certs *certs,
	   const struct seal_certs *bundle, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && certs != NULL && i < seal_certs_count(certs) &&
			   seal_certs_count(former) < MAX_FORMER;
	     i++) {
		const struct seal_cert *cert = seal_certs_at(certs, i);
		uint8_t id[SEAL_HASH_LEN];
		bool known = false;

		r = seal_anchor_id(cert, id, err);
		if (r == 0)
			r = has_authority(bundle, id, &known, err);
		if (r == 0)
			r = has_authority(former, id, &known, err);
		if (r == 0 && !known)
			r = seal_certs_add(former, cert, err);
	}
	return r;
}

/*
 * An answer has the bundle of today, and not what became of the CAs that are not in it any more: whoever was met by these
 * stays until the next news say so.
 */
static int
gather_former(const struct proxy_hatch *hatch, const struct seal_certs *bundle,
	      struct seal_certs **ret_former, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *former = NULL;
	const struct proxy_identity_state *latest = hatch->latest;
	int r = seal_certs_new(&former, err);

	if (r == 0 && latest != NULL)
		r = add_former(former, latest->anchors, bundle, err);
	if (r == 0 && latest != NULL)
		r = add_former(former, latest->former, bundle, err);
	if (r < 0)
		return r;
	*ret_former = SEAL_TAKE(former);
	return 0;
}

/*
 * Policy by the later word: what came since this answer was on its way counts more than it.  When instead the
 * root of trust has become younger, its store having been restored, the next news say so.
 */
static void
choose_policy(const struct proxy_hatch *hatch, const struct rot_credentials *credentials,
	      struct proxy_state_parts *parts)
{
	const struct proxy_identity_state *latest = hatch->latest;

	parts->epoch = credentials->epoch;
	parts->clients = &credentials->clients;
	parts->servers = &credentials->servers;
	if (latest == NULL)
		return;
	parts->severed = latest->severed;
	parts->revoked = &latest->revoked;
	if (latest->not_after == 0 || latest->epoch <= credentials->epoch)
		return;
	parts->epoch = latest->epoch;
	parts->clients = &latest->clients;
	parts->servers = &latest->servers;
	parts->anchors = latest->anchors;
}

static void
remember(struct proxy_hatch *hatch, const struct rot_credentials *credentials,
	 struct seal_certs **chain, struct seal_key **key, const struct proxy_identity_state *state,
	 int64_t now)
{
	seal_certs_free(hatch->chain);
	seal_key_free(hatch->key);
	hatch->chain = SEAL_TAKE(*chain);
	hatch->key = SEAL_TAKE(*key);
	hatch->cert_no++;
	hatch->demand_ms = 0;
	hatch->not_after = state->not_after;
	hatch->life = state->not_after - now;
	hatch->renew_at =
		proxy_renew_at(now, state->not_after, credentials->renew_after, proxy_chance());
	/* Another epoch than the news were of: whoever is right, all of it is asked for again. */
	if (hatch->ask_from != credentials->epoch)
		hatch->ask_from = 0;
}

static int
note_keys(struct proxy_hatch *hatch, const struct rot_credentials *credentials,
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < credentials->key_count; i++)
		r = seal_strv_add(&ids, credentials->keys[i].id, err);
	if (r < 0)
		return r;
	seal_strv_release(&hatch->key_ids);
	hatch->key_ids = ids;
	ids = (struct seal_strv){ 0 }; /* the hatch's now */
	return 0;
}

/* Turn an answer into a state and remember what the next renewal needs.  Under the lock. */
static int
take_answer(struct proxy_hatch *hatch, const struct rot_credentials *credentials,
	    struct seal_key **key, struct proxy_identity_state **ret_state, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *former = NULL;
	SEAL_SCOPED(proxy_state_unrefp) struct proxy_identity_state *state = NULL;
	struct proxy_state_parts parts = { .key = *key,
					   .generation = hatch->generation + 1,
					   .max_sessions = hatch->max_sessions,
					   .now = seal_clock_now() };
	int r = read_chains(credentials, &chain, &anchors, err);

	if (r != 0)
		return r;
	parts.chain = chain;
	parts.anchors = anchors;
	choose_policy(hatch, credentials, &parts);
	r = gather_former(hatch, parts.anchors, &former, err);
	if (r != 0)
		return r;
	parts.former = former;
	r = proxy_state_new(&state, &parts, err);
	if (r == 0)
		r = check_names(hatch, state, credentials, err);
	if (r != 0)
		return seal_note(err, r, "the certificate received");
	r = hatch->keys != NULL ? proxy_keys_update(hatch->keys, credentials, err)
				: note_keys(hatch, credentials, err);
	if (r < 0)
		return r;
	remember(hatch, credentials, &chain, key, state, parts.now);
	proxy_hatch_set_latest(hatch, &state, ret_state);
	return 0;
}

static int
accept_answer(struct proxy_hatch *hatch, const struct rot_credentials *credentials,
	      struct seal_key **key, struct proxy_identity_state **ret_state, struct seal_err *err)
{
	int r;

	pthread_mutex_lock(&hatch->lock);
	r = take_answer(hatch, credentials, key, ret_state, err);
	pthread_mutex_unlock(&hatch->lock);
	return r;
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

/* Who was withdrawn may be refused for days: that is said when it begins, and when it changes. */
static enum seal_level
level_of(struct proxy_hatch *hatch, bool needs_person, const struct seal_err *err)
{
	bool again = strcmp(hatch->said, err->text) == 0;

	(void)snprintf(hatch->said, sizeof(hatch->said), "%s", err->text);
	if (again && hatch->withdrawals > 0)
		return SEAL_LOG_DEBUG;
	return needs_person ? SEAL_LOG_ERROR : SEAL_LOG_WARN;
}

/* A refusal needs a person, unless the other way is still to be tried.  Under the lock. */
static uint64_t
fail_turn(struct proxy_hatch *hatch, bool renew, int code, const struct seal_err *err)
{
	bool refused = code == SEAL_E_REFUSED;
	uint64_t wait = 0;

	hatch->failures++;
	if (!(renew && refused))
		wait = proxy_backoff_ms(hatch->failures, proxy_backoff_max_ms(hatch->life),
					proxy_chance());
	hatch->retry_at_ms = proxy_now_ms() + wait;
	hatch->renew_refused = renew && refused;
	if (atomic_load(hatch->abort))
		return wait;
	seal_log(level_of(hatch, refused && !renew, err), renew ? "renew_failed" : "hatch_failed",
		 SEAL_STR("reason", err->text), SEAL_U64("attempt", hatch->failures),
		 SEAL_U64("retry_in_ms", wait));
	return wait;
}

/* How long there is nothing to do; 0: something is due now.  Under the lock. */
static uint64_t
time_to_rest(const struct proxy_hatch *hatch, bool valid)
{
	int64_t now = seal_clock_now();
	uint64_t now_ms = proxy_now_ms();
	uint64_t rest = 0;

	if (valid && now < hatch->renew_at) {
		uint64_t left = (uint64_t)(hatch->renew_at - now) * 1000;

		rest = left < NAP_MS ? left : NAP_MS;
		if (hatch->demand_ms != 0 && hatch->demand_ms < now_ms + rest)
			rest = hatch->demand_ms > now_ms ? hatch->demand_ms - now_ms : 0;
	}
	if (rest == 0 && now_ms < hatch->retry_at_ms)
		rest = hatch->retry_at_ms - now_ms;
	return rest;
}

static uint64_t
end_turn(struct proxy_hatch *hatch, bool renew, int code, const struct proxy_identity_state *state,
	 const struct seal_err *err)
{
	uint64_t wait = 0;

	pthread_mutex_lock(&hatch->lock);
	if (code < 0) {
		wait = fail_turn(hatch, renew, code, err);
	} else {
		hatch->failures = 0;
		hatch->renew_refused = false;
		hatch->said[0] = '\0';
		log_success(hatch, renew, state);
	}
	pthread_mutex_unlock(&hatch->lock);
	if (code == 0)
		remove_egg(hatch);
	return wait;
}

uint64_t
proxy_hatch_turn(struct proxy_hatch *hatch, struct proxy_identity_state **ret_state)
{
	struct seal_err err = { 0 };
	uint64_t rest;
	bool valid;
	bool renew;
	int r;

	pthread_mutex_lock(&hatch->lock);
	valid = hatch->chain != NULL && seal_clock_now() <= hatch->not_after;
	renew = valid && !hatch->renew_refused;
	rest = time_to_rest(hatch, valid);
	pthread_mutex_unlock(&hatch->lock);
	if (rest > 0)
		return rest;
	r = attempt(hatch, renew, ret_state, &err);
	return end_turn(hatch, renew, r, *ret_state, &err);
}

int
proxy_hatch_set_sessions(struct proxy_hatch *hatch, uint32_t max_sessions,
			 struct proxy_identity_state **state, struct seal_err *err)
{
	const struct proxy_state_parts parts = { .chain = hatch->chain,
						 .anchors = (*state)->anchors,
						 .former = (*state)->former,
						 .key = hatch->key,
						 .clients = &(*state)->clients,
						 .servers = &(*state)->servers,
						 .revoked = &(*state)->revoked,
						 .generation = (*state)->generation,
						 .epoch = (*state)->epoch,
						 .severed = (*state)->severed,
						 .max_sessions = max_sessions,
						 .now = seal_clock_now() };
	struct proxy_identity_state *again = NULL;
	struct proxy_identity_state *made = NULL;
	int r = proxy_state_new(&again, &parts, err);

	if (r < 0)
		return r;
	hatch->max_sessions = max_sessions;
	proxy_hatch_set_latest(hatch, &again, &made);
	proxy_state_unref(*state);
	*state = made;
	return 0;
}

void
proxy_hatch_set_abort(struct proxy_hatch *hatch, const atomic_bool *abort)
{
	hatch->abort = abort;
}
