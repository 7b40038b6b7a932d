/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of public listeners.  Looked at rather than notified about, as credentials are: it works on
 * every file system and sees through the links of a Kubernetes volume.
 */
#include "proxy/follow.h"

#include <pthread.h>

#include "base/log/log.h"

#define LOOK_MS 2000u

struct proxy_follow {
	struct proxy_worker *worker;
	pthread_mutex_t lock;        /* over next */
	struct proxy_config *next;   /* referenced: to be followed instead; NULL: nothing new */
	struct proxy_config *config; /* referenced; of the looking thread, as is the rest */
	uint64_t marks[PROXY_MAX_LISTENERS];
	uint64_t refused[PROXY_MAX_LISTENERS]; /* the mark of files that could not be used */
};

int
proxy_follow_new(struct proxy_follow **ret_follow, struct proxy_worker *worker,
		 struct seal_err *err)
{
	struct proxy_follow *follow = calloc(1, sizeof(*follow));
	int r;

	if (follow == NULL)
		return seal_fail_memory(err);
	follow->worker = worker;
	r = pthread_mutex_init(&follow->lock, NULL);
	if (r != 0) {
		free(follow);
		return seal_fail_errno(err, r, "cannot make a lock");
	}
	*ret_follow = follow;
	return 0;
}

void
proxy_follow_free(struct proxy_follow *follow)
{
	if (follow == NULL)
		return;
	proxy_config_free(follow->next);
	proxy_config_free(follow->config);
	pthread_mutex_destroy(&follow->lock);
	free(follow);
}

void
proxy_follow_set_config(struct proxy_follow *follow, struct proxy_config *config)
{
	struct proxy_config *before;

	pthread_mutex_lock(&follow->lock);
	before = follow->next;
	follow->next = proxy_config_ref(config);
	pthread_mutex_unlock(&follow->lock);
	proxy_config_free(before);
}

static bool
is_public(const struct proxy_config *config, size_t at)
{
	return config->listeners[at].direction == PROXY_PUBLIC;
}

/*
 * Files may have changed between their loading and now.  So a new configuration starts with marks that
 * fit nothing: everything is loaded once more, which is cheap, and nothing is missed.
 */
static void
take_next(struct proxy_follow *follow)
{
	struct proxy_config *next;

	pthread_mutex_lock(&follow->lock);
	next = SEAL_TAKE(follow->next);
	pthread_mutex_unlock(&follow->lock);
	if (next == NULL)
		return;
	proxy_config_free(follow->config);
	follow->config = next;
	memset(follow->marks, 0, sizeof(follow->marks));
	memset(follow->refused, 0, sizeof(follow->refused));
}

static void
look(struct proxy_follow *follow, size_t at)
{
	const struct proxy_listener_config *listener = &follow->config->listeners[at];
	uint64_t mark = proxy_public_mark(listener); /* before reading: a change meanwhile shows */
	struct proxy_public *public = NULL;
	struct seal_err err = { 0 };

	if (mark == follow->marks[at])
		return;
	if (proxy_public_load(&public, listener, seal_clock_now(), &err) < 0) {
		if (mark != follow->refused[at])
			seal_log(SEAL_LOG_WARN, "certificate_refused",
				 SEAL_STR("listener", listener->origin),
				 SEAL_STR("reason", err.text), SEAL_BOOL("keeping_old", true));
		follow->refused[at] = mark;
		return;
	}
	/* The first time nothing has changed, unless what was there could not be used. */
	if (follow->marks[at] != 0 || follow->refused[at] != 0)
		seal_log(SEAL_LOG_NOTICE, "certificate_loaded",
			 SEAL_STR("listener", listener->origin),
			 SEAL_U64("not_after", (uint64_t) public->not_after));
	follow->marks[at] = mark;
	follow->refused[at] = 0;
	proxy_worker_publish_public(follow->worker, follow->config, at, public);
}

uint64_t
proxy_follow_turn(void *arg)
{
	struct proxy_follow *follow = arg;

	take_next(follow);
	for (size_t i = 0; follow->config != NULL && i < follow->config->listener_count; i++)
		if (is_public(follow->config, i))
			look(follow, i);
	return LOOK_MS;
}
