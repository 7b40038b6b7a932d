/* SPDX-License-Identifier: Apache-2.0 */
/* What the root of trust says between two certificates, and what becomes of the identity by it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#include "base/log/log.h"
#include "proxy/hatch.h"
#include "proxy/identity.h"
#include "tests/unit/proxy/rot_rig.h"
#include "tests/unit/proxy/sealed_rig.h"

#define SERIAL "40000000000000000000000000000001"

static atomic_bool never;

static void
must(int r, const struct seal_err *err)
{
	cr_assert_eq(r, 0, "%s", err->text);
}

static void
quiet(void)
{
	seal_log_setup("test", SEAL_LOG_ERROR, false);
}

static uint64_t
now_ms(void)
{
	return proxy_now_ms();
}

struct world {
	struct fake_rot rot;
	struct proxy_keys *keys;
	struct proxy_hatch *hatch;
	struct proxy_identity_state *state; /* the latest */
};

static struct proxy_identity_state *
turn_until(struct proxy_hatch *hatch, unsigned max_ms)
{
	struct proxy_identity_state *state = NULL;
	uint64_t end = now_ms() + max_ms;

	while (state == NULL && now_ms() < end) {
		uint64_t wait = proxy_hatch_turn(hatch, &state);

		if (state == NULL)
			usleep((unsigned)(wait < 20 ? wait : 20) * 1000);
	}
	return state;
}

static void
replace(struct world *world, struct proxy_identity_state *state)
{
	proxy_state_unref(world->state);
	world->state = state;
}

/* Hatched. */
static void
world_start(struct world *world, unsigned key_generations)
{
	struct seal_strv none = { 0 };
	struct seal_err err = { 0 };
	struct egg *egg;

	*world = (struct world){ 0 };
	rot_start(&world->rot);
	world->rot.key_generations = key_generations;
	if (key_generations != 0)
		must(proxy_keys_new(&world->keys, &err), &err);
	egg = lay_egg(&world->rot);
	{
		const struct proxy_hatch_config config = {
			.hostnames = &none, .keys = world->keys, .max_sessions = 8, .abort = &never
		};

		must(proxy_hatch_new(&world->hatch, &egg, &config, &err), &err);
	}
	world->state = turn_until(world->hatch, 5000);
	cr_assert_not_null(world->state);
}

static void
world_end(struct world *world)
{
	proxy_state_unref(world->state);
	proxy_hatch_free(world->hatch);
	proxy_keys_freep(&world->keys);
	rot_stop(&world->rot);
}

/* The news are released. */
static int
apply(struct world *world, struct rot_sync *news)
{
	struct proxy_identity_state *state = NULL;
	struct seal_err err = { 0 };
	int r = proxy_hatch_apply(world->hatch, news, &state, &err);

	if (state != NULL)
		replace(world, state);
	rot_sync_release(news);
	return r;
}

static struct proxy_hatch_question
question(struct world *world)
{
	struct proxy_hatch_question question;

	proxy_hatch_question(world->hatch, &question);
	return question;
}

/* Milliseconds until something is due, nothing having been due at once. */
static uint64_t
rest(struct world *world)
{
	struct proxy_identity_state *state = NULL;
	uint64_t wait = proxy_hatch_turn(world->hatch, &state);

	cr_expect_null(state);
	return wait;
}

/* ---- States ---- */

Test(hatch_news, become_a_state_of_the_same_certificate, .init = quiet)
{
	struct proxy_identity_state *before;
	struct rot_sync news;
	struct world world;

	world_start(&world, 0);
	cr_expect_eq(question(&world).epoch, 0, "who is revoked is not in credentials");
	cr_expect_eq(question(&world).cert_no, 1);
	before = proxy_state_ref(world.state);
	news = rot_news(&world.rot, 7, "mail");
	cr_assert_eq(seal_strv_add(&news.revoked, SERIAL, NULL), 0);
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_eq(world.state->generation, before->generation + 1);
	cr_expect_eq(world.state->epoch, 7);
	cr_expect(seal_strv_contains(&world.state->clients, "mail"));
	cr_expect_not(seal_strv_contains(&world.state->clients, "ops"));
	cr_expect(seal_strv_contains(&world.state->revoked, SERIAL));
	cr_expect_eq(world.state->as_client, before->as_client, "sessions are lost");
	cr_expect_eq(world.state->as_server, before->as_server);
	cr_expect_eq(world.state->not_after, before->not_after);
	cr_expect_eq(question(&world).epoch, 7);
	cr_expect_gt(rest(&world), 5000, "nothing asks for a renewal");

	/* A restored store: its word counts. */
	news = rot_news(&world.rot, 3, "ops");
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_eq(world.state->epoch, 3);
	cr_expect_eq(world.state->revoked.count, 0);
	cr_expect_eq(question(&world).epoch, 3);
	cr_expect_eq(world.rot.hatches + world.rot.renewals, 1, "somebody was asked");
	proxy_state_unref(before);
	world_end(&world);
}

Test(hatch_news, that_cannot_be_meant_change_nothing, .init = quiet)
{
	static const char *const bundles[] = {
		"garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\n"
	};
	struct world world;

	world_start(&world, 0);
	for (size_t i = 0; i < SEAL_COUNT(bundles); i++) {
		struct rot_sync news = rot_news(&world.rot, 7, "mail");
		uint64_t generation = world.state->generation;

		free(news.ca_bundle);
		news.ca_bundle = seal_strndup(bundles[i], strlen(bundles[i]));
		cr_expect_lt(apply(&world, &news), 0, "bundle %zu", i);
		cr_expect_eq(world.state->generation, generation);
		cr_expect_eq(question(&world).epoch, 0);
	}
	world_end(&world);
}

Test(hatch_news, that_overtook_a_renewal_are_not_undone_by_it, .init = quiet)
{
	struct rot_sync news;
	struct world world;

	world_start(&world, 0);
	news = rot_news(&world.rot, 9, "mail");
	cr_assert_eq(seal_strv_add(&news.revoked, SERIAL, NULL), 0);
	news.renew = true;
	cr_assert_eq(apply(&world, &news), 0);
	world.rot.epoch = 5; /* as it was when the renewal was answered */
	replace(&world, turn_until(world.hatch, 31000));
	cr_assert_not_null(world.state);
	cr_expect_eq(world.rot.renewals, 1);
	cr_expect(seal_strv_contains(&world.state->clients, "mail"),
		  "the policy of before is back");
	cr_expect_eq(world.state->epoch, 9);
	cr_expect(seal_strv_contains(&world.state->revoked, SERIAL));
	cr_expect_eq(question(&world).epoch, 0, "who is right is not asked");
	cr_expect_eq(question(&world).cert_no, 2);
	world_end(&world);
}

Test(hatch_news, are_kept_by_a_renewal_which_brings_no_list_of_the_revoked, .init = quiet)
{
	struct rot_sync news;
	struct world world;

	world_start(&world, SEALED_GEN(1));
	news = rot_news(&world.rot, 9, "mail");
	cr_assert_eq(seal_strv_add(&news.revoked, SERIAL, NULL), 0);
	cr_assert_eq(seal_strv_add(&news.keys, "shop/config/web/2", NULL), 0); /* a reason */
	cr_assert_eq(apply(&world, &news), 0);
	world.rot.epoch = 9;
	replace(&world, turn_until(world.hatch, 3000));
	cr_assert_not_null(world.state);
	cr_expect(seal_strv_contains(&world.state->revoked, SERIAL));
	cr_expect(seal_strv_contains(&world.state->clients, "ops"), "the renewal's own policy");
	cr_expect_eq(question(&world).epoch, 9, "of the same epoch: nothing is to be asked again");
	world_end(&world);
}

/* ---- Renewing because of them ---- */

Test(hatch_news, make_us_renew_at_once_when_our_ca_is_gone_and_count_all_the_same, .init = quiet)
{
	struct pki_id next = pki_ca("the next one");
	struct seal_bytes bundle = SEAL_BYTES(65536);
	struct rot_sync news;
	struct world world;

	world_start(&world, 0);
	news = rot_news(&world.rot, 7, "mail");
	cr_assert_eq(seal_certs_to_pem(next.chain, &bundle, NULL), 0);
	free(news.ca_bundle);
	news.ca_bundle = seal_strndup(seal_bytes_str(&bundle), bundle.len);
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect(seal_strv_contains(&world.state->clients, "mail"));
	cr_expect_eq(seal_certs_count(world.state->anchors), 1);
	pki_id_release(&world.rot.workload_ca);
	world.rot.workload_ca = next;
	world.rot.epoch = 7;
	replace(&world, turn_until(world.hatch, 3000));
	cr_assert_not_null(world.state, "not renewed");
	cr_expect_eq(world.rot.renewals, 1);
	cr_expect_eq(world.rot.hatches, 1);
	cr_expect_eq(seal_certs_count(world.state->former), 0,
		     "what is in the bundle is no former CA");
	seal_bytes_release(&bundle);
	world_end(&world);
}

Test(hatch_news, that_ask_for_a_renewal_are_followed_within_half_a_minute_and_once, .init = quiet)
{
	struct rot_sync news;
	struct world world;

	world_start(&world, 0);
	news = rot_news(&world.rot, 7, "mail");
	news.renew = true;
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_leq(rest(&world), 30001);
	/* Said again, for the same epoch: it does not begin anew. */
	for (int i = 0; i < 100; i++) {
		news = rot_news(&world.rot, 7, "mail");
		news.renew = true;
		cr_assert_eq(apply(&world, &news), 0);
	}
	replace(&world, turn_until(world.hatch, 31000));
	cr_assert_not_null(world.state);
	cr_expect_eq(world.rot.renewals, 1);
	/* And once more, which did not help: not before a minute. */
	news = rot_news(&world.rot, 7, "mail");
	news.renew = true;
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_gt(rest(&world), 25000);
	cr_expect_eq(world.rot.renewals, 1);
	world_end(&world);
}

/* ---- Keys and floor ---- */

static bool
opens(struct proxy_keys *keys, unsigned generation, uint64_t gen)
{
	struct verify_ring *ring = sealed_ring("shop", "web", SEALED_GEN(generation));
	struct verify_binding at = sealed_at("ConfigMap", "app", "a", gen);
	char *value = sealed_value(ring, &at, "plain");
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding;
	int r;

	at.gen = 1;
	r = proxy_keys_open(keys, &plain, &binding, &at, value, strlen(value), NULL);
	free(value);
	verify_ring_free(ring);
	return r == 0;
}

static void
name_keys(struct rot_sync *news, unsigned generation)
{
	static const char *const purposes[] = { "config", "container", "data" };
	char id[64];

	for (size_t i = 0; i < SEAL_COUNT(purposes); i++) {
		(void)snprintf(id, sizeof(id), "shop/%s/web/%u", purposes[i], generation);
		cr_assert_eq(seal_strv_add(&news->keys, id, NULL), 0);
	}
}

static void
set_floor(struct rot_sync *news, uint64_t gen)
{
	static const char object[] = "shop/ConfigMap/app";

	news->floor = calloc(1, sizeof(*news->floor));
	news->floor[0] = (struct rot_floor){ seal_strndup(object, strlen(object)), gen };
	news->floor_count = 1;
}

Test(hatch_news, raise_the_floor_forget_keys_and_fetch_others, .init = quiet)
{
	struct rot_sync news;
	struct world world;
	uint64_t start;

	world_start(&world, SEALED_GEN(1) | SEALED_GEN(2));
	cr_expect(opens(world.keys, 1, 3));
	news = rot_news(&world.rot, 7, "mail");
	name_keys(&news, 1);
	name_keys(&news, 2);
	set_floor(&news, 5);
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_not(opens(world.keys, 1, 4), "below the floor");
	cr_expect(opens(world.keys, 1, 5));
	cr_expect_gt(rest(&world), 5000, "all keys are here");

	news = rot_news(&world.rot, 8, "mail");
	name_keys(&news, 2);
	set_floor(&news, 2);
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_not(opens(world.keys, 1, 5), "a retired key opens");
	cr_expect(opens(world.keys, 2, 5));
	cr_expect_not(opens(world.keys, 2, 4), "the floor went down");
	cr_expect_gt(rest(&world), 5000);

	news = rot_news(&world.rot, 9, "mail");
	name_keys(&news, 2);
	name_keys(&news, 3);
	cr_assert_eq(apply(&world, &news), 0);
	world.rot.key_generations = SEALED_GEN(2) | SEALED_GEN(3);
	start = now_ms();
	replace(&world, turn_until(world.hatch, 3000));
	cr_assert_not_null(world.state, "the new key was not fetched");
	cr_expect_leq(now_ms() - start, 2000);
	cr_expect(opens(world.keys, 3, 5));
	cr_expect_eq(world.rot.renewals, 1);
	world_end(&world);
}

/* ---- Withdrawal ---- */

Test(hatch_news, of_a_withdrawal_forget_certificate_and_keys_and_the_egg_is_hatched_again,
     .init = quiet)
{
	struct proxy_identity_state *state = NULL;
	struct rot_sync news;
	struct world world;
	uint64_t start;

	world_start(&world, SEALED_GEN(1));
	news = rot_news(&world.rot, 7, "mail");
	name_keys(&news, 1);
	cr_assert_eq(seal_strv_add(&news.revoked, SERIAL, NULL), 0);
	cr_assert_eq(apply(&world, &news), 0);
	cr_expect_not(proxy_hatch_withdraw(world.hatch, 2, &state), "another certificate's");
	cr_expect_null(state);
	cr_assert(proxy_hatch_withdraw(world.hatch, 1, &state));
	cr_assert_not_null(state);
	cr_expect_not(proxy_state_is_valid(state, seal_clock_now()));
	cr_expect_eq(state->severed, 1);
	cr_expect_eq(state->clients.count, 0);
	cr_expect_str_eq(state->peer, "web");
	replace(&world, state);
	state = NULL;
	cr_expect_eq(question(&world).cert_no, 0, "it would be used again");
	cr_expect_not(opens(world.keys, 1, 5), "keys are left");
	cr_expect_not(proxy_hatch_withdraw(world.hatch, 1, &state), "twice");
	news = rot_news(&world.rot, 8, "mail");
	cr_expect_eq(apply(&world, &news), 0);
	cr_expect_eq(world.state->severed, 1, "late news made a state of nothing");

	replace(&world, turn_until(world.hatch, 1000));
	cr_assert_not_null(world.state);
	cr_expect_eq(world.rot.hatches, 2);
	cr_expect_eq(world.rot.renewals, 0);
	cr_expect_str_eq(world.rot.last_role, "egg");
	cr_expect(proxy_state_is_valid(world.state, seal_clock_now()));
	cr_expect_eq(world.state->severed, 1);
	cr_expect(seal_strv_contains(&world.state->revoked, SERIAL), "the revoked are back");
	cr_expect(opens(world.keys, 1, 5));
	cr_expect_eq(question(&world).epoch, 0);

	/* Withdrawn again without any news between: not so fast. */
	cr_assert(proxy_hatch_withdraw(world.hatch, 2, &state));
	replace(&world, state);
	state = NULL;
	start = now_ms();
	replace(&world, turn_until(world.hatch, 5000));
	cr_assert_not_null(world.state);
	cr_expect_geq(now_ms() - start, 450);
	cr_expect_eq(world.state->severed, 2);
	world_end(&world);
}

Test(hatch_news, of_a_withdrawal_leave_nothing_while_the_egg_is_refused_too, .init = quiet)
{
	struct proxy_identity_state *state = NULL;
	struct world world;

	seal_log_setup("test", SEAL_LOG_ERROR, false);
	world_start(&world, 0);
	world.rot.mood = ROT_REFUSES;
	cr_assert(proxy_hatch_withdraw(world.hatch, 1, &state));
	replace(&world, state);
	cr_expect_null(turn_until(world.hatch, 1500));
	cr_expect_geq(world.rot.hatches, 2);
	cr_expect_eq(question(&world).cert_no, 0);
	world.rot.mood = ROT_GRANTS;
	replace(&world, turn_until(world.hatch, 5000));
	cr_expect_not_null(world.state, "it gave up");
	world_end(&world);
}

/* ---- Both threads ---- */

struct inbox {
	pthread_mutex_t lock;
	struct proxy_identity_state *states[64];
	size_t count;
};

static void
take(void *arg, struct proxy_identity_state *state)
{
	struct inbox *inbox = arg;

	pthread_mutex_lock(&inbox->lock);
	if (inbox->count < SEAL_COUNT(inbox->states))
		inbox->states[inbox->count++] = state;
	else
		proxy_state_unref(state);
	pthread_mutex_unlock(&inbox->lock);
}

/* The count-th state, borrowed, or NULL when none comes in time. */
static struct proxy_identity_state *
wait_state(struct inbox *inbox, size_t count, unsigned max_ms)
{
	uint64_t end = now_ms() + max_ms;
	struct proxy_identity_state *state = NULL;

	while (state == NULL && now_ms() < end) {
		pthread_mutex_lock(&inbox->lock);
		if (inbox->count >= count)
			state = inbox->states[count - 1];
		pthread_mutex_unlock(&inbox->lock);
		if (state == NULL)
			usleep(5000);
	}
	return state;
}

struct running {
	struct fake_rot rot;
	struct inbox inbox;
	struct proxy_sync_stats stats;
	struct proxy_identity *identity;
};

static void
running_start(struct running *running)
{
	struct seal_strv none = { 0 };
	struct seal_err err = { 0 };
	struct egg *egg = lay_egg(&running->rot);
	const struct proxy_identity_config config = { .egg = &egg,
						      .hostnames = &none,
						      .stats = &running->stats,
						      .publish = take,
						      .arg = &running->inbox };

	cr_assert_eq(pthread_mutex_init(&running->inbox.lock, NULL), 0);
	must(proxy_identity_start(&running->identity, &config, &err), &err);
}

static void
running_end(struct running *running)
{
	uint64_t start = now_ms();

	proxy_identity_free(running->identity);
	cr_expect_leq(now_ms() - start, 500, "it ends slowly");
	for (size_t i = 0; i < running->inbox.count; i++)
		proxy_state_unref(running->inbox.states[i]);
	rot_stop(&running->rot);
}

static void
tell(struct running *running, uint64_t epoch, const char *client, const char *revoked)
{
	struct rot_sync news = rot_news(&running->rot, epoch, client);

	if (revoked != NULL)
		cr_assert_eq(seal_strv_add(&news.revoked, revoked, NULL), 0);
	rot_tell(&running->rot, &news);
	rot_sync_release(&news);
}

Test(identity_news, come_before_the_first_state_and_then_as_they_are_told, .init = quiet)
{
	struct running running = { 0 };
	struct proxy_identity_state *state;

	rot_start(&running.rot);
	tell(&running, 7, "mail", SERIAL);
	running_start(&running);
	state = wait_state(&running.inbox, 1, 3000);
	cr_assert_not_null(state);
	cr_expect_eq(state->epoch, 7, "served by what the hatch brought");
	cr_expect(seal_strv_contains(&state->revoked, SERIAL));
	tell(&running, 8, "ops", NULL);
	state = wait_state(&running.inbox, 2, 3000);
	cr_assert_not_null(state);
	cr_expect(seal_strv_contains(&state->clients, "ops"));
	cr_expect_eq(state->revoked.count, 0);
	tell(&running, 2, "mail", NULL);
	state = wait_state(&running.inbox, 3, 3000);
	cr_assert_not_null(state, "an epoch that went backwards was not applied");
	cr_expect_eq(state->epoch, 2);
	cr_expect_eq(atomic_load(&running.stats.epoch), 2);
	cr_expect_geq(atomic_load(&running.stats.results[PROXY_SYNC_CHANGED]), 3);
	running_end(&running);
	cr_expect_eq(running.rot.hatches, 1);
}

Test(identity_news, are_not_waited_for_where_there_are_none_to_be_had, .init = quiet)
{
	struct running running = { 0 };
	uint64_t start = now_ms();

	rot_start(&running.rot); /* answers 404 */
	running_start(&running);
	cr_assert_not_null(wait_state(&running.inbox, 1, 3000));
	cr_expect_leq(now_ms() - start, 2500);
	cr_expect_leq(atomic_load(&running.rot.questions), 1, "asked again and again");
	running_end(&running);
}

Test(identity_news, are_waited_for_five_seconds_when_there_is_no_answer, .init = quiet)
{
	struct running running = { 0 };
	struct proxy_identity_state *state;
	uint64_t start = now_ms();

	rot_start(&running.rot);
	atomic_store(&running.rot.sync_status, 503);
	running_start(&running);
	cr_expect_null(wait_state(&running.inbox, 1, 4500));
	state = wait_state(&running.inbox, 1, 3000);
	cr_assert_not_null(state, "a root of trust that is briefly down stops us");
	cr_expect_geq(now_ms() - start, 4900);
	cr_expect(seal_strv_contains(&state->clients, "ops"));
	cr_expect_eq(state->generation, 1);
	cr_expect_geq(atomic_load(&running.rot.questions), 3, "it gave up asking");
	cr_expect_leq(atomic_load(&running.rot.questions), 12, "it asks without end");
	tell(&running, 7, "mail", SERIAL);
	state = wait_state(&running.inbox, 2, 8000);
	cr_assert_not_null(state);
	cr_expect(seal_strv_contains(&state->revoked, SERIAL));
	running_end(&running);
}

Test(identity_news, that_are_none_change_nothing, .init = quiet)
{
	static const unsigned statuses[] = { 400, 401, 408, 429, 500, 503, 302 };
	struct running running = { 0 };

	rot_start(&running.rot);
	tell(&running, 7, "mail", NULL);
	running_start(&running);
	cr_assert_not_null(wait_state(&running.inbox, 1, 3000));
	for (size_t i = 0; i < SEAL_COUNT(statuses); i++) {
		unsigned before = atomic_load(&running.rot.questions);

		atomic_store(&running.rot.sync_status, statuses[i]);
		for (int k = 0; k < 300 && atomic_load(&running.rot.questions) == before; k++)
			usleep(10000);
		cr_expect_gt(atomic_load(&running.rot.questions), before);
		atomic_store(&running.rot.sync_status, 0);
		for (int k = 0; k < 600 && atomic_load(&running.rot.questions) == before + 1; k++)
			usleep(10000);
	}
	cr_expect_null(wait_state(&running.inbox, 2, 50));
	cr_expect_eq(running.rot.hatches, 1);
	running_end(&running);
}

Test(identity_news, of_a_withdrawal_end_one_identity_and_begin_another, .init = quiet)
{
	struct running running = { 0 };
	struct proxy_identity_state *state;

	rot_start(&running.rot);
	tell(&running, 7, "mail", NULL);
	running_start(&running);
	cr_assert_not_null(wait_state(&running.inbox, 1, 3000));
	running.rot.mood = ROT_REFUSES;
	atomic_store(&running.rot.sync_status, 403);
	state = wait_state(&running.inbox, 2, 3000);
	cr_assert_not_null(state);
	cr_expect_eq(state->not_after, 0);
	cr_expect_eq(state->severed, 1);
	cr_expect_null(wait_state(&running.inbox, 3, 1500), "refused, and yet there is a state");
	cr_expect_geq(running.rot.hatches, 2);
	atomic_store(&running.rot.sync_status, 0);
	running.rot.mood = ROT_GRANTS;
	state = wait_state(&running.inbox, 3, 8000);
	cr_assert_not_null(state, "it never came back");
	cr_expect(proxy_state_is_valid(state, seal_clock_now()));
	running_end(&running);
}

Test(identity_news, of_withdrawals_without_end_do_not_hatch_without_end, .init = quiet)
{
	struct running running = { 0 };

	rot_start(&running.rot);
	atomic_store(&running.rot.sync_status, 403);
	running_start(&running);
	usleep(4000000);
	cr_expect_geq(running.rot.hatches, 3);
	cr_expect_leq(running.rot.hatches, 7);
	running_end(&running);
}
