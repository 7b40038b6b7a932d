/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks, hands over what comes, and decides when to ask again.  What an answer means for the identity is
 * hatch_sync.c's.  Whatever goes wrong, what was last known goes on counting until our certificate ends.
 */
#include "proxy/sync.h"

#include "base/log/log.h"
#include "proxy/schedule.h"
#include "proxy/sleeper.h"

/*
 * Questions are at least so far apart.  An answer is applied when it comes; but a root of trust whose policy
 * changes all the time, or that answers without end, is not asked without end.
 */
#define CHANGED_APART_MS   100u
#define UNCHANGED_APART_MS 1000u
/* An older one may have been replaced. */
#define ABSENT_MS 60000u
/* Told that our certificate is withdrawn while memory was out: asked again. */
#define AGAIN_MS 1000u

struct proxy_sync {
	struct proxy_hatch *hatch;
	struct proxy_sync_stats *stats;
	proxy_sync_fn told;
	void *arg;
	struct proxy_sync_machine machine;
	struct rot_client *client; /* NULL, or one that asks with: */
	uint64_t cert_no;
	char said[SEAL_ERR_TEXT_LEN];
	struct proxy_sleeper sleeper; /* who wakes it aborts its call */
};

const char *
proxy_sync_result_name(enum proxy_sync_result result)
{
	static const char *const names[PROXY_SYNC_N_RESULTS] = {
		[PROXY_SYNC_CHANGED] = "changed", [PROXY_SYNC_UNCHANGED] = "unchanged",
		[PROXY_SYNC_REFUSED] = "refused", [PROXY_SYNC_ABSENT] = "absent",
		[PROXY_SYNC_FAILED] = "failed",   [PROXY_SYNC_ABORTED] = "aborted",
	};

	return names[result];
}

/* ---- What follows from an answer ---- */

static uint64_t
rest_of(uint64_t apart_ms, uint64_t took_ms)
{
	return took_ms < apart_ms ? apart_ms - took_ms : 0;
}

static struct proxy_sync_move
answered(struct proxy_sync_machine *machine, uint64_t wait_ms)
{
	struct proxy_sync_move move = { .wait_ms = wait_ms, .settles = true };

	move.recovered = machine->failures > 0 || machine->is_absent;
	*machine = (struct proxy_sync_machine){ 0 };
	return move;
}

struct proxy_sync_move
proxy_sync_step(struct proxy_sync_machine *machine, enum proxy_sync_result result, uint64_t took_ms,
		uint32_t chance)
{
	struct proxy_sync_move move = { 0 };

	switch (result) {
	case PROXY_SYNC_CHANGED:
		return answered(machine, rest_of(CHANGED_APART_MS, took_ms));
	case PROXY_SYNC_UNCHANGED:
		return answered(machine, rest_of(UNCHANGED_APART_MS, took_ms));
	case PROXY_SYNC_REFUSED:
		move = answered(machine, PROXY_SLEEP_UNTIL_WOKEN);
		move.recovered = false;
		move.is_news = true;
		return move;
	case PROXY_SYNC_ABSENT:
		move.settles = true;
		move.is_news = !machine->is_absent;
		move.wait_ms = ABSENT_MS / 2 + proxy_spread_ms(ABSENT_MS / 2, chance);
		*machine = (struct proxy_sync_machine){ .is_absent = true };
		return move;
	case PROXY_SYNC_FAILED:
		move.is_news = machine->failures == 0;
		machine->failures += machine->failures < UINT16_MAX;
		move.wait_ms = proxy_sync_backoff_ms(machine->failures, chance);
		return move;
	case PROXY_SYNC_ABORTED:
	case PROXY_SYNC_N_RESULTS:
	default:
		return move;
	}
}

/* ---- Numbers ---- */

static void
count(struct proxy_sync *sync, enum proxy_sync_result result)
{
	struct proxy_sync_stats *stats = sync->stats;

	atomic_fetch_add(&stats->results[result], 1);
	if (result == PROXY_SYNC_CHANGED || result == PROXY_SYNC_UNCHANGED) {
		atomic_store(&stats->answered_ms, proxy_now_ms());
		atomic_store(&stats->has_answer, true);
	}
}

bool
proxy_sync_look(struct proxy_sync_stats *stats, struct proxy_sync_view *ret_view)
{
	uint64_t now = proxy_now_ms();
	uint64_t at = atomic_load(&stats->answered_ms);

	if (!atomic_load(&stats->has_begun))
		return false;
	for (size_t i = 0; i < PROXY_SYNC_N_RESULTS; i++)
		ret_view->results[i] = atomic_load(&stats->results[i]);
	ret_view->epoch = atomic_load(&stats->epoch);
	ret_view->age_s = now > at ? (now - at) / 1000 : 0;
	ret_view->has_answer = atomic_load(&stats->has_answer);
	return true;
}

/* ---- One question ---- */

/* What one answer came to, besides its result. */
struct outcome {
	struct proxy_identity_state *state; /* NULL, or a new one */
	struct rot_sync news;
	struct seal_err why;
	bool due;
};

static bool
is_interrupted(const struct proxy_sync *sync)
{
	return atomic_load(&sync->sleeper.woken);
}

static enum proxy_sync_result
take_news(struct proxy_sync *sync, struct outcome *outcome)
{
	if (proxy_hatch_apply(sync->hatch, &outcome->news, &outcome->state, &outcome->why) < 0)
		return PROXY_SYNC_FAILED;
	outcome->due = true;
	atomic_store(&sync->stats->epoch, outcome->news.epoch);
	return PROXY_SYNC_CHANGED;
}

static enum proxy_sync_result
take_refusal(struct proxy_sync *sync, struct outcome *outcome)
{
	outcome->due = proxy_hatch_withdraw(sync->hatch, sync->cert_no, &outcome->state);
	rot_client_free(SEAL_TAKE(sync->client)); /* it holds what must not be used again */
	return outcome->due ? PROXY_SYNC_REFUSED : PROXY_SYNC_ABORTED;
}

/* A client is kept while the certificate is the same: making one is a fifth of a millisecond. */
static int
have_client(struct proxy_sync *sync, uint64_t cert_no, struct seal_err *err)
{
	if (sync->client != NULL && sync->cert_no == cert_no)
		return 0;
	rot_client_free(SEAL_TAKE(sync->client));
	return proxy_hatch_client(sync->hatch, &sync->sleeper.woken, &sync->client, &sync->cert_no,
				  err);
}

static enum proxy_sync_result
ask(struct proxy_sync *sync, struct outcome *outcome)
{
	struct proxy_hatch_question question;
	bool changed = false;
	int r;

	proxy_hatch_question(sync->hatch, &question);
	if (question.cert_no == 0)
		return PROXY_SYNC_ABORTED;
	r = have_client(sync, question.cert_no, &outcome->why);
	if (r == 0)
		r = rot_client_sync(sync->client, question.epoch, &outcome->news, &changed,
				    &outcome->why);
	if (r < 0 && is_interrupted(sync))
		return PROXY_SYNC_ABORTED;
	if (r == 0 || r == SEAL_E_REFUSED)
		proxy_hatch_set_first_url(sync->hatch, rot_client_first_url(sync->client));
	if (r == SEAL_E_REFUSED)
		return take_refusal(sync, outcome);
	if (r < 0)
		return r == SEAL_E_MISSING ? PROXY_SYNC_ABSENT : PROXY_SYNC_FAILED;
	return changed ? take_news(sync, outcome) : PROXY_SYNC_UNCHANGED;
}

/* ---- What is said of it ---- */

static void
say(struct proxy_sync *sync, enum proxy_sync_result result, const struct proxy_sync_move *move,
    const struct outcome *outcome)
{
	bool other = strcmp(sync->said, outcome->why.text) != 0;

	if (move->recovered)
		seal_log(SEAL_LOG_NOTICE, "sync_back",
			 SEAL_STR("result", proxy_sync_result_name(result)));
	if (result == PROXY_SYNC_CHANGED)
		seal_log(SEAL_LOG_NOTICE, "synced", SEAL_U64("epoch", outcome->news.epoch),
			 SEAL_U64("clients", outcome->news.clients.count),
			 SEAL_U64("servers", outcome->news.servers.count),
			 SEAL_U64("revoked", outcome->news.revoked.count));
	if (result == PROXY_SYNC_REFUSED)
		seal_log(SEAL_LOG_ERROR, "certificate_withdrawn",
			 SEAL_STR("reason", outcome->why.text));
	if (result == PROXY_SYNC_ABSENT && move->is_news)
		seal_log(SEAL_LOG_WARN, "sync_absent", SEAL_STR("reason", outcome->why.text));
	if (result == PROXY_SYNC_FAILED && (move->is_news || other))
		seal_log(SEAL_LOG_WARN, "sync_failed", SEAL_STR("reason", outcome->why.text),
			 SEAL_U64("retry_in_ms", move->wait_ms));
	(void)snprintf(sync->said, sizeof(sync->said), "%s", outcome->why.text);
}

/* How long to rest before the next one. */
static uint64_t
take_turn(struct proxy_sync *sync)
{
	struct outcome outcome = { 0 };
	uint64_t started_ms = proxy_now_ms();
	enum proxy_sync_result result = ask(sync, &outcome);
	struct proxy_sync_move move = proxy_sync_step(&sync->machine, result,
						      proxy_now_ms() - started_ms, proxy_chance());

	count(sync, result);
	if (outcome.state != NULL || move.settles || outcome.due)
		sync->told(sync->arg, SEAL_TAKE(outcome.state), move.settles, outcome.due);
	say(sync, result, &move, &outcome);
	rot_sync_release(&outcome.news);
	/* Nobody to ask as, or a refusal of who we were: a restart comes, or is here. */
	return result == PROXY_SYNC_ABORTED ? AGAIN_MS : move.wait_ms;
}

/* ---- The thread ---- */

static void *
run(void *arg)
{
	struct proxy_sync *sync = arg;
	uint64_t wait_ms = PROXY_SLEEP_UNTIL_WOKEN;

	while (proxy_sleeper_sleep(&sync->sleeper, wait_ms))
		wait_ms = take_turn(sync);
	return NULL;
}

int
proxy_sync_start(struct proxy_sync **ret_sync, const struct proxy_sync_config *config,
		 struct seal_err *err)
{
	struct proxy_sync *sync = calloc(1, sizeof(*sync));
	int r;

	if (sync == NULL)
		return seal_fail_memory(err);
	*sync = (struct proxy_sync){ .hatch = config->hatch,
				     .stats = config->stats,
				     .told = config->told,
				     .arg = config->arg };
	r = proxy_sleeper_init(&sync->sleeper, err);
	if (r < 0) {
		free(sync);
		return r;
	}
	r = proxy_sleeper_start(&sync->sleeper, run, sync, err);
	if (r < 0) {
		proxy_sync_free(sync);
		return r;
	}
	*ret_sync = sync;
	return 0;
}

void
proxy_sync_restart(struct proxy_sync *sync)
{
	if (!atomic_load(&sync->stats->has_begun)) {
		atomic_store(&sync->stats->answered_ms, proxy_now_ms());
		atomic_store(&sync->stats->has_begun, true);
	}
	proxy_sleeper_wake(&sync->sleeper);
}

void
proxy_sync_free(struct proxy_sync *sync)
{
	if (sync == NULL)
		return;
	proxy_sleeper_release(&sync->sleeper);
	rot_client_free(sync->client);
	free(sync);
}
