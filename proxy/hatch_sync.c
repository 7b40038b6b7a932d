/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the root of trust says between two certificates, turned into states.  It is whole each time, and it counts
 * whatever it does to us: a bundle by which our own certificate is worth nothing any more is obeyed like any
 * other, and is the reason to renew at once.
 */
#include "proxy/hatch_internal.h"

#include "base/log/log.h"
#include "base/loop/loop.h"
#include "proxy/schedule.h"

/* Within which those who are told at the same time to renew spread themselves. */
#define RENEW_SPREAD_MS 30000u
#define KEYS_SPREAD_MS  1000u
/* The same word is followed again after so long: it did not help. */
#define DEMAND_AGAIN_MS 60000u
/* Between hatches that end in withdrawals, at most. */
#define WITHDRAWN_MAX_MS 30000u

void
proxy_hatch_question(struct proxy_hatch *hatch, struct proxy_hatch_question *ret_question)
{
	pthread_mutex_lock(&hatch->lock);
	*ret_question =
		(struct proxy_hatch_question){ .cert_no = hatch->chain != NULL ? hatch->cert_no : 0,
					       .epoch = hatch->ask_from };
	pthread_mutex_unlock(&hatch->lock);
}

int
proxy_hatch_client(struct proxy_hatch *hatch, const atomic_bool *abort,
		   struct rot_client **ret_client, uint64_t *ret_cert_no, struct seal_err *err)
{
	struct rot_client_config config = { .urls = egg_urls(hatch->egg),
					    .ca = egg_ca(hatch->egg),
					    .abort = abort };
	int r;

	pthread_mutex_lock(&hatch->lock);
	config.cert = hatch->chain;
	config.key = hatch->key;
	config.first_url = hatch->first_url;
	if (hatch->chain == NULL)
		r = seal_fail(err, SEAL_E_MISSING, "there is no certificate to ask with");
	else
		r = rot_client_new(ret_client, &config, err);
	if (r == 0)
		*ret_cert_no = hatch->cert_no;
	pthread_mutex_unlock(&hatch->lock);
	return r;
}

void
proxy_hatch_set_first_url(struct proxy_hatch *hatch, size_t first_url)
{
	pthread_mutex_lock(&hatch->lock);
	hatch->first_url = first_url;
	pthread_mutex_unlock(&hatch->lock);
}

/* ---- Renewing because of it ---- */

/* Would our peers, who are told the same, take our certificate? */
static bool
leads_to(const struct seal_certs *chain, const struct seal_certs *anchors)
{
	const struct seal_chain_opts opts = { .now = seal_clock_now(), .side = SEAL_SIDE_SERVER };

	return seal_chain_verify(anchors, chain, &opts, NULL) == 0;
}

/*
 * Not twice for one epoch in a short time: what a renewal did not change, the next one will not.  Under the
 * lock.
 */
static void
demand_renewal(struct proxy_hatch *hatch, uint64_t epoch, uint64_t spread_ms, const char *why)
{
	uint64_t now = proxy_now_ms();
	uint64_t at = now + 1 + proxy_spread_ms(spread_ms, proxy_chance());

	if (hatch->demanded_ms != 0 && hatch->demanded_epoch == epoch &&
	    at < hatch->demanded_ms + DEMAND_AGAIN_MS)
		at = hatch->demanded_ms + DEMAND_AGAIN_MS;
	hatch->demanded_ms = now;
	hatch->demanded_epoch = epoch;
	if (hatch->demand_ms != 0 && hatch->demand_ms <= at)
		return;
	hatch->demand_ms = at;
	seal_log(SEAL_LOG_NOTICE, "renewal_due", SEAL_STR("reason", why),
		 SEAL_U64("in_ms", at > now ? at - now : 0));
}

/* ---- News ---- */

/*
 * Where keys are not kept, none is missed here; but the root of trust has to know that this pod, too, has got what it
 * introduces, before it seals with that.
 */
static bool
has_not_got(const struct proxy_hatch *hatch, const struct seal_strv *ids)
{
	for (size_t i = 0; i < ids->count; i++) {
		if (!seal_strv_contains(&hatch->key_ids, ids->items[i]))
			return true;
	}
	return false;
}

/* A failure to take the floor in must not keep policy from counting.  Under the lock. */
static bool
lacks_keys(struct proxy_hatch *hatch, const struct rot_sync *sync)
{
	struct seal_err err = { 0 };
	bool lacks = false;

	if (hatch->keys == NULL)
		return has_not_got(hatch, &sync->keys);
	if (proxy_keys_sync(hatch->keys, sync, &lacks, &err) < 0)
		seal_log(SEAL_LOG_ERROR, "keys_not_synced", SEAL_STR("reason", err.text));
	return lacks;
}

static int
take_news(struct proxy_hatch *hatch, const struct rot_sync *sync, const struct seal_certs *anchors,
	  const struct seal_certs *former, struct proxy_identity_state **ret_state,
	  struct seal_err *err)
{
	SEAL_SCOPED(proxy_state_unrefp) struct proxy_identity_state *state = NULL;
	const struct proxy_state_parts parts = { .chain = hatch->chain,
						 .anchors = anchors,
						 .former = former,
						 .key = hatch->key,
						 .clients = &sync->clients,
						 .servers = &sync->servers,
						 .revoked = &sync->revoked,
						 .like = hatch->latest,
						 .generation = hatch->generation + 1,
						 .epoch = sync->epoch,
						 .severed = hatch->latest->severed,
						 .now = seal_clock_now() };
	int r = proxy_state_new(&state, &parts, err);

	if (r < 0)
		return r;
	hatch->ask_from = sync->epoch;
	hatch->withdrawals = 0;
	if (!leads_to(hatch->chain, anchors))
		demand_renewal(hatch, sync->epoch, KEYS_SPREAD_MS,
			       "the CA of our certificate is trusted no more");
	if (lacks_keys(hatch, sync))
		demand_renewal(hatch, sync->epoch, KEYS_SPREAD_MS, "there is another key");
	if (sync->renew)
		demand_renewal(hatch, sync->epoch, RENEW_SPREAD_MS, "the root of trust says so");
	proxy_hatch_set_latest(hatch, &state, ret_state);
	return 0;
}

int
proxy_hatch_apply(struct proxy_hatch *hatch, const struct rot_sync *sync,
		  struct proxy_identity_state **ret_state, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *former = NULL;
	int r = seal_certs_from_pem(&anchors, sync->ca_bundle, strlen(sync->ca_bundle),
				    ROT_MAX_BODY, err);

	if (r == 0 && sync->former_cas != NULL)
		r = seal_certs_from_pem(&former, sync->former_cas, strlen(sync->former_cas),
					ROT_MAX_BODY, err);
	if (r < 0)
		return seal_note(err, r, "the CA bundle received");
	pthread_mutex_lock(&hatch->lock);
	if (hatch->chain != NULL)
		r = take_news(hatch, sync, anchors, former, ret_state, err);
	pthread_mutex_unlock(&hatch->lock);
	return r;
}

/* ---- The end of a certificate ---- */

/* Under the lock. */
static void
forget_certificate(struct proxy_hatch *hatch)
{
	uint64_t wait = 0;

	seal_certs_free(SEAL_TAKE(hatch->chain));
	seal_key_free(SEAL_TAKE(hatch->key));
	if (hatch->keys != NULL)
		proxy_keys_forget(hatch->keys);
	hatch->ask_from = 0;
	hatch->demand_ms = 0;
	hatch->renew_refused = false;
	hatch->life = 0;
	if (hatch->withdrawals > 0)
		wait = proxy_backoff_ms(hatch->withdrawals, WITHDRAWN_MAX_MS, proxy_chance());
	hatch->withdrawals++;
	hatch->failures = 0;
	hatch->retry_at_ms = proxy_now_ms() + wait;
}

bool
proxy_hatch_withdraw(struct proxy_hatch *hatch, uint64_t cert_no,
		     struct proxy_identity_state **ret_state)
{
	struct proxy_identity_state *state = NULL;
	struct seal_err err = { 0 };
	bool ours;

	pthread_mutex_lock(&hatch->lock);
	ours = hatch->chain != NULL && hatch->cert_no == cert_no;
	if (ours) {
		if (proxy_state_sever(&state, hatch->latest, hatch->generation + 1, &err) == 0) {
			proxy_hatch_set_latest(hatch, &state, ret_state);
			forget_certificate(hatch);
		} else {
			ours = false; /* asked again, and told again */
		}
	}
	pthread_mutex_unlock(&hatch->lock);
	return ours;
}
