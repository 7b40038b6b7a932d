/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits, takes turns, publishes.  Where an identity comes from is hatch.c's and credentials.c's.
 */
#include "proxy/identity.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "proxy/credentials.h"

struct proxy_identity {
	struct proxy_hatch *hatch; /* or: */
	struct proxy_credentials *credentials;
	proxy_publish_fn publish;
	void *arg;
	uint64_t (*also)(void *also_arg);
	void *also_arg;
	bool poked; /* under the lock */
	atomic_bool stop;
	bool running;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* stop or poked has been set */
};

static struct timespec
after_ms(uint64_t wait_ms)
{
	struct timespec at = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &at); /* cannot fail for a known clock */
	at.tv_sec += (time_t)(wait_ms / 1000);
	at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

/* False when the thread is to end. */
static bool
wait_ms(struct proxy_identity *identity, uint64_t wait)
{
	struct timespec until = after_ms(wait);
	int r = 0;

	pthread_mutex_lock(&identity->lock);
	while (!atomic_load(&identity->stop) && !identity->poked && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&identity->changed, &identity->lock, &until);
	identity->poked = false;
	pthread_mutex_unlock(&identity->lock);
	return !atomic_load(&identity->stop);
}

static void *
run(void *arg)
{
	struct proxy_identity *identity = arg;
	uint64_t wait;

	do {
		struct proxy_identity_state *state = NULL;

		if (identity->hatch != NULL)
			wait = proxy_hatch_turn(identity->hatch, &state);
		else
			wait = proxy_credentials_turn(identity->credentials, &state);
		if (state != NULL)
			identity->publish(identity->arg, state);
		if (identity->also != NULL) {
			uint64_t also = identity->also(identity->also_arg);

			wait = also < wait ? also : wait;
		}
	} while (wait_ms(identity, wait));
	return NULL;
}

/* Signals are the worker's. */
static int
start_thread(struct proxy_identity *identity, struct seal_err *err)
{
	sigset_t all;
	sigset_t before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&identity->thread, NULL, run, identity);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return seal_fail_errno(err, r, "cannot start the identity's thread");
	identity->running = true;
	return 0;
}

static int
init_waiting(struct proxy_identity *identity, struct seal_err *err)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r == 0)
		r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (r == 0)
		r = pthread_cond_init(&identity->changed, &attr);
	if (r == 0)
		r = pthread_mutex_init(&identity->lock, NULL);
	return r == 0 ? 0 : seal_fail_errno(err, r, "cannot make a condition");
}

static int
find_source(struct proxy_identity *identity, const struct proxy_identity_config *config,
	    struct seal_err *err)
{
	const struct proxy_hatch_config of_egg = { .path = config->egg_path,
						   .hostnames = config->hostnames,
						   .max_sessions = config->max_sessions,
						   .abort = &identity->stop };

	if (config->hatch != NULL) {
		identity->hatch = SEAL_TAKE(*config->hatch);
		proxy_hatch_set_abort(identity->hatch, &identity->stop);
		return 0;
	}
	if (config->egg != NULL)
		return proxy_hatch_new(&identity->hatch, config->egg, &of_egg, err);
	return proxy_credentials_new(&identity->credentials, config->credentials,
				     config->max_sessions, err);
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
	r = init_waiting(identity, err);
	if (r < 0) {
		free(identity);
		return r;
	}
	r = find_source(identity, config, err);
	if (r == 0)
		r = start_thread(identity, err);
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
	pthread_mutex_lock(&identity->lock);
	identity->poked = true;
	pthread_cond_signal(&identity->changed);
	pthread_mutex_unlock(&identity->lock);
}

void
proxy_identity_free(struct proxy_identity *identity)
{
	if (identity == NULL)
		return;
	if (identity->running) {
		pthread_mutex_lock(&identity->lock);
		atomic_store(&identity->stop, true);
		pthread_cond_signal(&identity->changed);
		pthread_mutex_unlock(&identity->lock);
		pthread_join(identity->thread, NULL);
	}
	proxy_hatch_free(identity->hatch);
	proxy_credentials_free(identity->credentials);
	pthread_cond_destroy(&identity->changed);
	pthread_mutex_destroy(&identity->lock);
	free(identity);
}
