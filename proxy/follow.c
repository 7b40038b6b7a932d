/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of public listeners.  Looked at rather than notified about, as credentials are: it works on
 * every file system and sees through the links of a Kubernetes volume.
 */
#include "proxy/follow.h"

#include <pthread.h>

#include "base/log/log.h"

#define LOOK_MS 2000u
/*
 * A certificate that ends is spoken of when a sixth of its life is left, or two weeks of a long one:
 * who renews at two thirds should have done so.
 */
#define LIFE_SHARE  6
#define AHEAD_MAX_S (14 * 24 * 3600)

enum told { TOLD_NOTHING, TOLD_ENDING, TOLD_OVER };

struct proxy_follow {
	struct proxy_worker *worker;
	pthread_mutex_t lock;        /* over next */
	struct proxy_config *next;   /* referenced: to be followed instead; NULL: nothing new */
	struct proxy_config *config; /* referenced; of the looking thread, as is the rest */
	uint64_t marks[PROXY_MAX_LISTENERS];
	uint64_t refused[PROXY_MAX_LISTENERS]; /* the mark of files that could not be used */
	struct proxy_public *serving[PROXY_MAX_LISTENERS]; /* referenced; NULL before the first */
	uint8_t told[PROXY_MAX_LISTENERS][PROXY_MAX_CERTIFICATES]; /* enum told */
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

static void
forget_serving(struct proxy_follow *follow)
{
	for (size_t i = 0; i < PROXY_MAX_LISTENERS; i++)
		proxy_public_unref(SEAL_TAKE(follow->serving[i]));
	memset(follow->told, TOLD_NOTHING, sizeof(follow->told));
}

void
proxy_follow_free(struct proxy_follow *follow)
{
	if (follow == NULL)
		return;
	forget_serving(follow);
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
	forget_serving(follow);
}

/* What was told of a certificate is not told again while it stays. */
static void
take_serving(struct proxy_follow *follow, size_t at, struct proxy_public *public)
{
	struct proxy_public *before = follow->serving[at];

	for (size_t i = 0; before != NULL && i < public->count; i++)
		if (i >= before->count || memcmp(before->leaves[i].fingerprint,
						 public->leaves[i].fingerprint, SEAL_HASH_LEN) != 0)
			follow->told[at][i] = TOLD_NOTHING;
	proxy_public_unref(before);
	follow->serving[at] = proxy_public_ref(public);
}

static enum told
to_tell(const struct proxy_public_leaf *leaf, int64_t now)
{
	int64_t ahead = (leaf->not_after - leaf->not_before) / LIFE_SHARE;

	if (ahead > AHEAD_MAX_S)
		ahead = AHEAD_MAX_S;
	if (now > leaf->not_after)
		return TOLD_OVER;
	return now > leaf->not_after - ahead ? TOLD_ENDING : TOLD_NOTHING;
}

static void
warn_of_ends(struct proxy_follow *follow, size_t at, int64_t now)
{
	const struct proxy_listener_config *listener = &follow->config->listeners[at];
	const struct proxy_public *public = follow->serving[at];

	for (size_t i = 0; public != NULL && i < public->count; i++) {
		const struct proxy_public_leaf *leaf = &public->leaves[i];
		enum told tell = to_tell(leaf, now);

		if (tell <= follow->told[at][i])
			continue;
		follow->told[at][i] = (uint8_t)tell;
		seal_log(SEAL_LOG_WARN,
			 tell == TOLD_OVER ? "certificate_expired" : "certificate_expires",
			 SEAL_STR("listener", listener->origin),
			 SEAL_STR("certificate", listener->certificates[i].certificate),
			 SEAL_U64("not_after", (uint64_t)leaf->not_after));
	}
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
	if (proxy_public_load(&public, listener, follow->serving[at], seal_clock_now(), &err) < 0) {
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
	take_serving(follow, at, public);
	proxy_worker_publish_public(follow->worker, follow->config, at, public);
}

uint64_t
proxy_follow_turn(void *arg)
{
	struct proxy_follow *follow = arg;

	take_next(follow);
	for (size_t i = 0; follow->config != NULL && i < follow->config->listener_count; i++)
		if (is_public(follow->config, i)) {
			look(follow, i);
			warn_of_ends(follow, i, seal_clock_now());
		}
	return LOOK_MS;
}
