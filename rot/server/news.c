/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for news, by workload.  All of it is the loop's thread's; what a waiter hears is found out by sync.c, to
 * which it is lent meanwhile.  A waiter ends in one of three ways: it is answered, its pod goes, or the server ends.
 *
 * Whether anything has changed is asked after each change of our own, and twice a second, for those of other replicas;
 * the question is one word, and a list of epochs when that is another one.  Nothing is asked while nobody waits.
 */

#include "rot/server/news.h"

#include <stdatomic.h>

#include "base/crypto/crypto.h"

#define TICK_MS         500
#define SWEEP_TICKS     120 /* a replica that died may have left something half revoked */
#define WAIT_MS         50000
#define SPREAD_MS       5000 /* so that those who came together do not come again together */
#define BUCKETS         1024
#define REFUSALS_LOGGED 50 /* lines a second; the rest is counted */

struct rot_news {
	struct rot_api *api;
	struct seal_timer *tick; /* runs while anybody waits */
	struct seal_timer *soon;
	struct rot_group *buckets[BUCKETS];
	size_t group_count;
	atomic_size_t count;               /* may be read in any thread */
	char word[ROT_STORE_WORD_LEN + 1]; /* of the store when all epochs were last looked at */
	bool is_known; /* there was such a time, and nothing speaks against it */
	unsigned ticks;
	uint64_t doubts; /* how often something did */
	bool is_looking;
	bool must_look; /* again */
	bool has_late;  /* somebody was parked since the look began, which does not look for them */
	bool is_draining;
};

/* ---- Groups ---- */

static size_t
bucket_of(const char *workload)
{
	uint32_t hash =
		2166136261u; /* FNV-1a: names are of operators, who gain nothing by collisions */

	for (; *workload != '\0'; workload++)
		hash = (hash ^ (uint8_t)*workload) * 16777619u;
	return hash % BUCKETS;
}

/* Those who have heard of this epoch; others of the same workload may be on their way to be told. */
static struct rot_group *
find_group(struct rot_news *news, const char *workload, uint64_t epoch)
{
	struct rot_group *group = news->buckets[bucket_of(workload)];

	while (group != NULL && (strcmp(group->workload, workload) != 0 || group->epoch != epoch))
		group = group->next;
	return group;
}

static struct rot_group *
have_group(struct rot_news *news, const char *workload, uint64_t epoch)
{
	struct rot_group *group = find_group(news, workload, epoch);
	struct rot_group **bucket = &news->buckets[bucket_of(workload)];

	if (group != NULL)
		return group;
	group = calloc(1, sizeof(*group));
	if (group == NULL)
		return NULL;
	(void)snprintf(group->workload, sizeof(group->workload), "%s", workload);
	group->epoch = epoch;
	group->next = *bucket;
	*bucket = group;
	news->group_count++;
	return group;
}

/* Out of the table; the caller has it now. */
static void
take_group(struct rot_news *news, struct rot_group *group)
{
	struct rot_group **at = &news->buckets[bucket_of(group->workload)];

	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	news->group_count--;
}

/* ---- Waiters ---- */

/* What is known of the epochs may not be so: they are all looked at again. */
static void
doubt(struct rot_news *news)
{
	news->is_known = false;
	news->doubts++;
}

static void
link_waiter(struct rot_group *group, struct rot_waiter *waiter)
{
	waiter->group = group;
	waiter->prev = NULL;
	waiter->next = group->first;
	if (waiter->next != NULL)
		waiter->next->prev = waiter;
	group->first = waiter;
	group->count++;
}

static void
unlink_waiter(struct rot_news *news, struct rot_waiter *waiter)
{
	struct rot_group *group = waiter->group;

	if (waiter->prev != NULL)
		waiter->prev->next = waiter->next;
	else
		group->first = waiter->next;
	if (waiter->next != NULL)
		waiter->next->prev = waiter->prev;
	news->count--;
	if (--group->count > 0)
		return;
	take_group(news, group);
	free(group);
}

static void
on_gone(void *arg)
{
	struct rot_waiter *waiter = arg;
	struct rot_news *news = ((struct rot_api *)seal_http_arg(waiter->request))->news;

	unlink_waiter(news, waiter);
	free(waiter);
}

static void
answer_nothing(struct seal_http_request *request)
{
	seal_http_reply(request, 204, NULL, NULL, 0, 0);
}

static uint64_t
now_ms(void)
{
	return seal_loop_now_us() / 1000;
}

static uint64_t
spread_ms(void)
{
	uint8_t dice[2] = { 0 };

	if (seal_random(dice, sizeof(dice), NULL) < 0)
		return 0;
	return (uint64_t)(dice[0] << 8 | dice[1]) * SPREAD_MS / 65536;
}

bool
rot_news_park(struct rot_news *news, const struct rot_call *call)
{
	const char *workload = call->caller->identity.workload;
	struct rot_waiter *waiter;
	struct rot_group *group;

	if (news->is_draining) {
		answer_nothing(call->request);
		return true;
	}
	waiter = calloc(1, sizeof(*waiter));
	group = waiter != NULL ? have_group(news, workload, call->epoch) : NULL;
	if (group == NULL) {
		free(waiter);
		return false;
	}
	waiter->request = call->request;
	waiter->standing = call->standing;
	waiter->until_ms = now_ms() + WAIT_MS + spread_ms();
	link_waiter(group, waiter);
	if (news->count++ == 0)
		seal_timer_arm(news->tick, TICK_MS);
	seal_http_await_gone(waiter->request, on_gone, waiter);
	news->has_late = news->is_looking;
	/* It was asked before, or after, all epochs were looked at: its own may have been another one then. */
	if (!news->is_known || strcmp(call->word, news->word) != 0) {
		doubt(news);
		rot_news_look(news);
	}
	return true;
}

/* ---- Telling a group ---- */

struct telling {
	struct rot_task task;
	struct rot_api *api;
	struct rot_group *group;
	int64_t now;
	int result;
	struct seal_err err;
};

static void
run_telling(struct rot_task *task)
{
	struct telling *telling = (struct telling *)task;

	telling->result = rot_sync_tell(telling->api, telling->group, telling->now, &telling->err);
}

static void
refuse(struct rot_api *api, struct seal_http_request *request, const struct rot_waiter *waiter)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(4096);
	uint64_t missed = 0;

	if (seal_log_may(&api->refusals, REFUSALS_LOGGED, &missed))
		seal_log(SEAL_LOG_WARN, "sync_refused",
			 SEAL_STR("workload", waiter->group->workload),
			 SEAL_STR("peer", waiter->standing.peer),
			 SEAL_STR("serial", waiter->standing.serial),
			 SEAL_STR("egg", waiter->standing.egg), SEAL_STR("reason", waiter->reason),
			 SEAL_U64("not_logged", missed));
	/* Without memory for a body the answer tells nothing, and is asked for again. */
	if (rot_error_encode("refused", "sync refused", &body, NULL) < 0)
		seal_bytes_reset(&body);
	seal_http_reply(request, 403, "application/json", body.data, body.len, 0);
}

static void
answer_waiter(struct rot_api *api, struct rot_waiter *waiter)
{
	struct seal_http_request *request = waiter->request;

	if (waiter->hearing == ROT_HEARS_NEWS)
		seal_http_reply(request, 200, "application/json", waiter->text->bytes.data,
				waiter->text->bytes.len, 0);
	else
		refuse(api, request, waiter);
	rot_text_unref(waiter->text);
	free(waiter);
}

/* Nothing new, or it could not be found out: it waits on, its time running. */
static void
park_again(struct rot_news *news, struct rot_group *group, struct rot_waiter *waiter)
{
	struct rot_group *home =
		news->is_draining ? NULL : have_group(news, group->workload, group->epoch);

	if (home == NULL) {
		answer_nothing(waiter->request);
		free(waiter);
		return;
	}
	link_waiter(home, waiter);
	if (news->count++ == 0)
		seal_timer_arm(news->tick, TICK_MS);
	seal_http_await_gone(waiter->request, on_gone, waiter);
	news->has_late = news->is_looking;
}

static void
end_telling(struct rot_task *task)
{
	struct telling *telling = (struct telling *)task;
	struct rot_news *news = telling->api->news;
	struct rot_group *group = telling->group;
	struct rot_waiter *next;

	if (telling->result < 0) {
		seal_log(SEAL_LOG_WARN, "news_failed", SEAL_STR("workload", group->workload),
			 SEAL_STR("reason", telling->err.text));
		doubt(news); /* the next tick tries again */
	}
	for (struct rot_waiter *at = group->first; at != NULL; at = next) {
		next = at->next;
		if (at->hearing == ROT_HEARS_NOTHING)
			park_again(news, group, at);
		else
			answer_waiter(telling->api, at);
	}
	free(group);
	free(telling);
}

/* Their requests have gone with the server. */
static void
free_group(struct rot_group *group)
{
	struct rot_waiter *next;

	for (struct rot_waiter *at = group->first; at != NULL; at = next) {
		next = at->next;
		rot_text_unref(at->text);
		free(at);
	}
	free(group);
}

static void
drop_telling(struct rot_task *task)
{
	struct telling *telling = (struct telling *)task;

	free_group(telling->group);
	free(telling);
}

/* From here on it is the store's thread's, and no pod's going takes anything away. */
static void
tell_group(struct rot_news *news, struct rot_group *group)
{
	struct telling *telling = calloc(1, sizeof(*telling));

	if (telling == NULL) {
		doubt(news);
		return;
	}
	take_group(news, group);
	news->count -= group->count;
	for (struct rot_waiter *at = group->first; at != NULL; at = at->next)
		seal_http_await_gone(at->request, NULL, NULL);
	telling->task.run = run_telling;
	telling->task.done = end_telling;
	telling->task.drop = drop_telling;
	telling->api = news->api;
	telling->group = group;
	telling->now = news->api->config.clock();
	rot_worker_add(news->api->worker, &telling->task.job);
}

/* ---- Looking ---- */

static void start_looking(struct rot_news *news);

struct looking {
	struct rot_task task;
	struct rot_api *api;
	char word[ROT_STORE_WORD_LEN + 1];
	uint64_t doubts; /* there were when it began */
	size_t count;
	int result;
	struct seal_err err;
	struct rot_glance glances[];
};

static void
run_looking(struct rot_task *task)
{
	struct looking *looking = (struct looking *)task;

	looking->result = rot_sync_look(looking->api, looking->word, looking->glances,
					looking->count, &looking->err);
}

static void
end_looking(struct rot_task *task)
{
	struct looking *looking = (struct looking *)task;
	struct rot_news *news = looking->api->news;
	bool has_moved;

	news->is_looking = false;
	has_moved = looking->result == 0 && strcmp(news->word, looking->word) != 0;
	if (looking->result == 0) {
		memcpy(news->word, looking->word, sizeof(news->word));
		news->is_known = looking->doubts == news->doubts;
	}
	/* What this look has found may be of those, too: under the word as it is now nobody would look for them again. */
	if (has_moved && news->has_late) {
		doubt(news);
		news->must_look = true;
	}
	for (size_t i = 0; i < looking->count; i++) {
		struct rot_group *group =
			find_group(news, looking->glances[i].workload, looking->glances[i].epoch);

		if (looking->glances[i].changed && group != NULL)
			tell_group(news, group);
	}
	free(looking);
	if (news->must_look)
		start_looking(news);
}

static void
drop_looking(struct rot_task *task)
{
	free(task);
}

static int
by_workload(const void *a, const void *b)
{
	const struct rot_glance *left = a, *right = b;

	return strcmp(left->workload, right->workload);
}

static void
fill_glances(const struct rot_news *news, struct looking *looking)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct rot_group *at = news->buckets[i]; at != NULL; at = at->next) {
			struct rot_glance *glance = &looking->glances[looking->count++];

			memcpy(glance->workload, at->workload, sizeof(glance->workload));
			glance->epoch = at->epoch;
		}
	}
	qsort(looking->glances, looking->count, sizeof(*looking->glances), by_workload);
}

/* One at a time: what changes meanwhile is found by the next one. */
static void
start_looking(struct rot_news *news)
{
	struct looking *looking;

	if (news->is_looking || news->count == 0)
		return;
	looking = calloc(1, sizeof(*looking) + news->group_count * sizeof(*looking->glances));
	if (looking == NULL)
		return; /* the next tick tries again */
	looking->task.run = run_looking;
	looking->task.done = end_looking;
	looking->task.drop = drop_looking;
	looking->api = news->api;
	looking->doubts = news->doubts;
	if (news->is_known)
		memcpy(looking->word, news->word, sizeof(looking->word));
	else
		(void)snprintf(looking->word, sizeof(looking->word), "?");
	fill_glances(news, looking);
	news->is_looking = true;
	news->must_look = false;
	news->has_late = false;
	rot_worker_add(news->api->worker, &looking->task.job);
}

/* When all that is done in this turn has been parked. */
void
rot_news_look(struct rot_news *news)
{
	if (news->count > 0)
		seal_timer_arm(news->soon, 0);
}

static void
on_soon(void *arg)
{
	struct rot_news *news = arg;

	news->must_look = news->is_looking;
	start_looking(news);
}

/* ---- Time ---- */

static void
end_overdue(struct rot_news *news, struct rot_group *group, uint64_t now)
{
	struct rot_waiter *next;
	bool is_last = false;

	for (struct rot_waiter *at = group->first; at != NULL && !is_last; at = next) {
		struct seal_http_request *request = at->request;

		next = at->next;
		if (at->until_ms > now)
			continue;
		is_last = group->count == 1; /* then the group goes with it */
		unlink_waiter(news, at);
		free(at);
		answer_nothing(request);
	}
}

static void
end_all_overdue(struct rot_news *news, uint64_t now)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct rot_group *next;

		for (struct rot_group *at = news->buckets[i]; at != NULL; at = next) {
			next = at->next;
			end_overdue(news, at, now);
		}
	}
}

static void
on_tick(void *arg)
{
	struct rot_news *news = arg;

	end_all_overdue(news, now_ms());
	if (news->count == 0)
		return;
	seal_timer_arm(news->tick, TICK_MS);
	if (++news->ticks % SWEEP_TICKS == 0)
		rot_batch_sweep(news->api);
	start_looking(news);
}

/* ---- Beginning and end ---- */

void
rot_news_drain(struct rot_news *news)
{
	news->is_draining = true;
	end_all_overdue(news, UINT64_MAX);
}

size_t
rot_news_count(const struct rot_news *news)
{
	return news->count;
}

int
rot_news_new(struct rot_news **ret_news, struct rot_api *api, struct seal_err *err)
{
	struct rot_news *news = calloc(1, sizeof(*news));
	int r;

	if (news == NULL)
		return seal_fail_memory(err);
	news->api = api;
	r = seal_timer_new(&news->tick, api->config.loop, on_tick, news, err);
	if (r == 0)
		r = seal_timer_new(&news->soon, api->config.loop, on_soon, news, err);
	if (r < 0) {
		rot_news_free(news);
		return r;
	}
	*ret_news = news;
	return 0;
}

void
rot_news_free(struct rot_news *news)
{
	if (news == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (news->buckets[i] != NULL) {
			struct rot_group *group = news->buckets[i];

			take_group(news, group);
			free_group(group);
		}
	}
	seal_timer_free(news->tick);
	seal_timer_free(news->soon);
	free(news);
}
