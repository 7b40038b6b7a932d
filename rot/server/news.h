/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_NEWS_H
#define SEAL_ROT_NEWS_H

/*
 * Pods that wait for news (GET /v1/sync).  A call that has nothing to hear is parked in the loop's thread (news.c): it
 * holds its connection and a few hundred bytes, and no worker.  When something of its workload has changed, all that
 * wait for it are answered by the store's thread in one go (sync.c).
 *
 *   call ─▶ sync.c: another epoch ─▶ answered
 *                   the same one  ─▶ news.c: parked ─┬─ a change, here or in another replica ─▶ sync.c ─▶ answered
 *                                                    ├─ 50 to 55 seconds, or the server's end ─▶ 204
 *                                                    └─ the pod has gone ─▶ forgotten
 */

#include "rot/server/api_internal.h"

/* An answer that several pods get; counted, in one thread at a time. */
struct rot_text {
	size_t refs;
	struct seal_bytes bytes;
};
void rot_text_unref(struct rot_text *text);

enum rot_hearing {
	ROT_HEARS_NOTHING, /* it is as it was, or could not be found out: waits on */
	ROT_HEARS_NEWS,
	ROT_HEARS_REFUSAL,
};

struct rot_group;

struct rot_waiter {
	struct rot_waiter *next;
	struct rot_waiter *prev;
	struct rot_group *group;
	struct seal_http_request *request;
	uint64_t until_ms; /* monotonic */
	struct rot_standing standing;
	/* Set by sync.c: */
	enum rot_hearing hearing;
	struct rot_text *text; /* the news */
	const char *reason;    /* of a refusal */
};

/* Those of one workload, all of which have heard of the same epoch. */
struct rot_group {
	struct rot_group *next;
	char workload[SEAL_WORKLOAD_MAX + 1];
	uint64_t epoch;
	struct rot_waiter *first;
	size_t count;
};

/* ---- news.c, in the loop's thread ---- */

SEAL_CHECKED int rot_news_new(struct rot_news **ret_news, struct rot_api *api,
			      struct seal_err *err);
void rot_news_free(struct rot_news *news);
/* Take over the request of a call that rot_sync let wait; false: no memory for it. */
bool rot_news_park(struct rot_news *news, const struct rot_call *call);
/* Something may have changed: look when this turn of the loop is over. */
void rot_news_look(struct rot_news *news);
/* Let all go, and nobody wait any more. */
void rot_news_drain(struct rot_news *news);
/* How many wait; for any thread. */
size_t rot_news_count(const struct rot_news *news);

/* ---- sync.c, in the store's thread ---- */

/* One look at the store: which of these workloads have another epoch by now? */
struct rot_glance {
	char workload[SEAL_WORKLOAD_MAX + 1];
	uint64_t epoch;
	bool changed;
};
/*
 * Sorted by workload.  word: of the store when everything was last known to be unchanged; when it is another one by now
 * all are looked at, and it is set.
 */
SEAL_CHECKED int rot_sync_look(struct rot_api *api, char word[static ROT_STORE_WORD_LEN + 1],
			       struct rot_glance *glances, size_t count, struct seal_err *err);
/* Say what each of a group hears now; its epoch is set.  After a failure nobody hears anything. */
SEAL_CHECKED int rot_sync_tell(struct rot_api *api, struct rot_group *group, int64_t now,
			       struct seal_err *err);

#endif
