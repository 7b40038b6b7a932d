/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits, takes turns, publishes.  Where an identity comes from is hatch.c's and credentials.c's, news of it are
 * sync.c's; both threads' states pass through here, so that an older one never follows a newer one.
 */
#include "proxy/identity.h"

#include <pthread.h>

#include "base/log/log.h"
#include "proxy/credentials.h"
#include "proxy/sleeper.h"

/* So long nobody is served by policy alone, without the list of revoked certificates that comes with news. */
#define FIRST_NEWS_MS 5000u

struct proxy_identity {
	struct proxy_hatch *hatch; /* or: */
	struct proxy_credentials *credentials;
	struct proxy_sync *sync; /* with a hatch */
	proxy_publish_fn publish;
	void *arg;
	uint64_t (*also)(void *also_arg);
	void *also_arg;
	struct proxy_sleeper sleeper;
	pthread_mutex_t lock;              /* of what follows */
	struct proxy_identity_state *held; /* not yet published */
	uint64_t latest;                   /* generation */
	uint64_t settle_ms;                /* when waiting for the first news ends; 0: not begun */
	bool settled;                      /* it has ended */
};

/* Takes a reference of state, which may be NULL, and publishes when it is time. */
static void
offer(struct proxy_identity *identity, struct proxy_identity_state *state, bool settles)
{
	pthread_mutex_lock(&identity->lock);
	if (state != NULL && state->generation <= identity->latest) {
		proxy_state_unref(state); /* overtaken on the way */
	} else if (state != NULL) {
		identity->latest = state->generation;
		proxy_state_unref(identity->held);
		identity->held = state;
	}
	identity->settled |= settles;
	if (identity->settled && identity->held != NULL)
		identity->publish(identity->arg, SEAL_TAKE(identity->held));
	else if (identity->held != NULL && identity->settle_ms == 0)
		identity->settle_ms = proxy_now_ms() + FIRST_NEWS_MS;
	pthread_mutex_unlock(&identity->lock);
}

/* Serve by what the hatch brought, if nothing else comes.  Returns the milliseconds until that. */
static uint64_t
settle(struct proxy_identity *identity)
{
	uint64_t now = proxy_now_ms();
	uint64_t left = UINT64_MAX;

	pthread_mutex_lock(&identity->lock);
	if (!identity->settled && identity->settle_ms != 0)
		left = identity->settle_ms > now ? identity->settle_ms - now : 0;
	pthread_mutex_unlock(&identity->lock);
	if (left > 0)
		return left;
	seal_log(SEAL_LOG_WARN, "sync_late", SEAL_U64("waited_ms", FIRST_NEWS_MS),
		 SEAL_STR("reason", "serving without knowing which certificates are revoked"));
	offer(identity, NULL, true);
	return UINT64_MAX;
}

/* In the thread that asks for news. */
static void
on_news(void *arg, struct proxy_identity_state *state, bool settles, bool due)
{
	struct proxy_identity *identity = arg;

	offer(identity, state, settles);
	if (due)
		proxy_sleeper_wake(&identity->sleeper);
}

static uint64_t
take_turn(struct proxy_identity *identity)
{
	struct proxy_identity_state *state = NULL;
	uint64_t wait;

	if (identity->hatch != NULL)
		wait = proxy_hatch_turn(identity->hatch, &state);
	else
		wait = proxy_credentials_turn(identity->credentials, &state);
	if (state == NULL)
		return wait;
	offer(identity, state, identity->sync == NULL);
	if (identity->sync != NULL)
		proxy_sync_restart(identity->sync);
	return wait;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void *
run(void *arg)
{
	struct proxy_identity *identity = arg;
	uint64_t wait;

	do {
		wait = take_turn(identity);
		wait = least(wait, settle(identity));
		if (identity->also != NULL)
			wait = least(wait, identity->also(identity->also_arg));
	} while (proxy_sleeper_sleep(&identity->sleeper, wait));
	return NULL;
}

static int
find_source(struct proxy_identity *identity, const struct proxy_identity_config *config,
	    struct seal_err *err)
{
	const struct proxy_hatch_config of_egg = { .path = config->egg_path,
						   .hostnames = config->hostnames,
						   .max_sessions = config->max_sessions,
						   .abort = &identity->sleeper.ending };

	if (config->hatch != NULL) {
		identity->hatch = SEAL_TAKE(*config->hatch);
		proxy_hatch_set_abort(identity->hatch, &identity->sleeper.ending);
		return 0;
	}
	if (config->egg != NULL)
		return proxy_hatch_new(&identity->hatch, config->egg, &of_egg, err);
	return proxy_credentials_new(&identity->credentials, config->credentials,
				     config->max_sessions, err);
}

static int
start_sync(struct proxy_identity *identity, const struct proxy_identity_config *config,
	   struct seal_err *err)
{
	const struct proxy_sync_config of_news = {
		.hatch = identity->hatch, .stats = config->stats, .told = on_news, .arg = identity
	};

	return identity->hatch == NULL || config->stats == NULL
		       ? 0
		       : proxy_sync_start(&identity->sync, &of_news, err);
}

/* Of an egg that has hatched before: what it was hatched to is the first one offered. */
static void
begin(struct proxy_identity *identity, const struct proxy_identity_config *config)
{
	if (config->state != NULL && *config->state != NULL)
		offer(identity, SEAL_TAKE(*config->state), identity->sync == NULL);
	if (config->hatch != NULL && identity->sync != NULL)
		proxy_sync_restart(identity->sync);
}

static int
init_locks(struct proxy_identity *identity, struct seal_err *err)
{
	int r = pthread_mutex_init(&identity->lock, NULL);

	if (r != 0)
		return seal_fail_errno(err, r, "cannot make a lock");
	return proxy_sleeper_init(&identity->sleeper, err);
}

int
proxy_identity_start(struct proxy_identity **ret_identity,
		     const struct proxy_identity_config *config, struct seal_err *err)
{
	struct proxy_identity *identity = calloc(1, sizeof(*identity));
	int r;

	if (identity == NULL)
		return seal_fail_memory(err);
	identity->publish = config->publish;
	identity->arg = config->arg;
	identity->also = config->also;
	identity->also_arg = config->also_arg;
	r = init_locks(identity, err);
	if (r < 0) {
		free(identity);
		return r;
	}
	r = find_source(identity, config, err);
	if (r == 0)
		r = start_sync(identity, config, err);
	if (r == 0) {
		begin(identity, config);
		r = proxy_sleeper_start(&identity->sleeper, run, identity, err);
	}
	if (r < 0) {
		proxy_identity_free(identity);
		return r;
	}
	*ret_identity = identity;
	return 0;
}

void
proxy_identity_poke(struct proxy_identity *identity)
{
	proxy_sleeper_wake(&identity->sleeper);
}

void
proxy_identity_free(struct proxy_identity *identity)
{
	if (identity == NULL)
		return;
	/* This thread first: it restarts the other, which only wakes it. */
	proxy_sleeper_end(&identity->sleeper);
	proxy_sync_free(identity->sync);
	proxy_sleeper_release(&identity->sleeper);
	proxy_hatch_free(identity->hatch);
	proxy_credentials_free(identity->credentials);
	proxy_state_unref(identity->held);
	(void)pthread_mutex_destroy(&identity->lock); /* nobody holds it */
	free(identity);
}
