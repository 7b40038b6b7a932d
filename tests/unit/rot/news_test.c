/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/news, sync: who waits hears what has changed, at once and whole; and who counts no more hears that. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/loop/loop.h"
#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

#define PATIENCE_MS 5000
#define AT_ONCE_MS  2000 /* what is promised */
#define PODS_MAX    8

static struct rig rig;

static void
setup(void)
{
	struct seal_json *body = rig_json("{'name':'shop'}");

	(void)alarm(60);
	rig_start(&rig, NULL);
	rig_expect(&rig, 201, "POST", "/v1/workloads", body);
	seal_json_free(body);
}

static void
teardown(void)
{
	rig_stop(&rig);
}

TestSuite(rot_news, .init = setup, .fini = teardown);

static void
expect(unsigned status, const char *method, const char *path, const char *text)
{
	struct seal_json *body = text != NULL ? rig_json(text) : NULL;

	rig_expect(&rig, status, method, path, body);
	seal_json_free(body);
}

/* ---- A pod that asks in a thread of its own ---- */

struct pod {
	struct rig_egg egg;
	struct rot_credentials got;
	struct seal_certs *chain;
	struct seal_key *key;
	struct rot_client *client;
	char serial[SEAL_SERIAL_LEN + 1];
	atomic_bool abort;
	pthread_t thread;
	uint64_t epoch; /* asked with */
	struct rot_sync news;
	bool changed;
	int result;
	struct seal_err err;
	uint64_t ended_us;
};

static void
pod_hatch(struct pod *pod)
{
	char *csr;
	struct rot_request request = { .statement = pod->egg.statement };
	struct rot_client *client = rig_client(&rig, pod->egg.cert, pod->egg.key);
	struct rot_client_config config = { .urls = &rig.urls, .ca = rig.ca };

	cr_assert_eq(seal_key_new(&pod->key, NULL), 0);
	csr = rig_csr(pod->key);
	request.csr = csr;
	cr_assert_eq(rot_client_credentials(client, "/v1/hatch", &request, &pod->got, &pod->err), 0,
		     "%s", pod->err.text);
	free(csr);
	rot_client_free(client);
	cr_assert_eq(seal_certs_from_pem(&pod->chain, pod->got.certificate,
					 strlen(pod->got.certificate), SEAL_CHAIN_MAX_LEN, NULL),
		     0);
	cr_assert_eq(seal_cert_serial(seal_certs_at(pod->chain, 0), pod->serial, NULL), 0);
	config.cert = pod->chain;
	config.key = pod->key;
	config.abort = &pod->abort;
	cr_assert_eq(rot_client_new(&pod->client, &config, NULL), 0);
}

static void
pod_make(struct pod *pod, const char *order)
{
	memset(pod, 0, sizeof(*pod));
	rig_mint(&rig, order, &pod->egg);
	pod_hatch(pod);
}

#define WEB "{'workload':'shop','peer':'web'}"
#define DB  "{'workload':'shop','peer':'db'}"

static void
pod_release(struct pod *pod)
{
	rot_sync_release(&pod->news);
	rot_client_free(pod->client);
	seal_certs_free(pod->chain);
	seal_key_free(pod->key);
	rot_credentials_release(&pod->got);
	rig_egg_release(&pod->egg);
}

static void *
run_pod(void *arg)
{
	struct pod *pod = arg;

	pod->result =
		rot_client_sync(pod->client, pod->epoch, &pod->news, &pod->changed, &pod->err);
	pod->ended_us = seal_loop_now_us();
	return NULL;
}

/* Ask now, and have the answer. */
static int
pod_ask(struct pod *pod, uint64_t epoch)
{
	rot_sync_release(&pod->news);
	pod->epoch = epoch;
	(void)run_pod(pod);
	return pod->result;
}

static void
await_waiting(size_t count)
{
	uint64_t end = seal_loop_now_us() + PATIENCE_MS * 1000;

	while (rot_server_waiting(rig.server) != count) {
		cr_assert_lt(seal_loop_now_us(), end, "%zu wait, not %zu",
			     rot_server_waiting(rig.server), count);
		(void)usleep(1000);
	}
}

/* Ask, and wait for news. */
static void
pod_wait(struct pod *pod, uint64_t epoch)
{
	size_t before = rot_server_waiting(rig.server);

	rot_sync_release(&pod->news);
	pod->epoch = epoch;
	cr_assert_eq(pthread_create(&pod->thread, NULL, run_pod, pod), 0);
	await_waiting(before + 1);
}

/* It has heard something since: how soon? */
static void
pod_heard(struct pod *pod, uint64_t since_us)
{
	cr_assert_eq(pthread_join(pod->thread, NULL), 0);
	cr_expect_lt(pod->ended_us - since_us, AT_ONCE_MS * 1000);
}

static void
expect_names(const struct seal_strv *list, const char *first, const char *second)
{
	size_t count = first == NULL ? 0 : second == NULL ? 1 : 2;

	cr_assert_eq(list->count, count);
	if (count > 0)
		cr_expect_str_eq(list->items[0], first);
	if (count > 1)
		cr_expect_str_eq(list->items[1], second);
}

/* ---- Answers ---- */

Test(rot_news, tells_whoever_knows_nothing_everything)
{
	struct pod pod;

	expect(201, "POST", "/v1/peers", "{'workload':'shop','client':'db','server':'web'}");
	pod_make(&pod, WEB);
	cr_assert_eq(pod_ask(&pod, 0), 0, "%s", pod.err.text);
	cr_expect(pod.changed);
	cr_expect_eq(pod.news.epoch, pod.got.epoch);
	expect_names(&pod.news.clients, "db", NULL);
	expect_names(&pod.news.servers, NULL, NULL);
	cr_expect_str_eq(pod.news.ca_bundle, pod.got.ca_bundle);
	cr_expect_eq(pod.news.revoked.count, 0);
	cr_expect_eq(pod.news.floor_count, 0);
	cr_expect_not(pod.news.renew);
	cr_assert_eq(pod.news.keys.count, pod.got.key_count);
	for (size_t i = 0; i < pod.got.key_count; i++)
		cr_expect(seal_strv_contains(&pod.news.keys, pod.got.keys[i].id));
	pod_release(&pod);
}

Test(rot_news, tells_those_who_wait_of_a_change_at_once)
{
	struct pod web, db;
	uint64_t since;

	pod_make(&web, WEB);
	pod_make(&db, DB);
	pod_wait(&web, web.got.epoch);
	pod_wait(&db, db.got.epoch);
	since = seal_loop_now_us();
	expect(201, "POST", "/v1/peers", "{'workload':'shop','client':'web','server':'db'}");
	pod_heard(&web, since);
	pod_heard(&db, since);
	cr_assert_eq(web.result, 0, "%s", web.err.text);
	cr_assert_eq(db.result, 0, "%s", db.err.text);
	cr_expect(web.changed);
	cr_expect_gt(web.news.epoch, web.epoch);
	expect_names(&web.news.servers, "db", NULL);
	expect_names(&web.news.clients, NULL, NULL);
	expect_names(&db.news.clients, "web", NULL);
	cr_expect_eq(rot_server_waiting(rig.server), 0);
	pod_release(&web);
	pod_release(&db);
}

Test(rot_news, lets_other_workloads_wait_on)
{
	struct pod pod;

	expect(201, "POST", "/v1/workloads", "{'name':'bank'}");
	pod_make(&pod, WEB);
	pod_wait(&pod, pod.got.epoch);
	expect(201, "POST", "/v1/peers", "{'workload':'bank','client':'web','server':'db'}");
	(void)usleep(700 * 1000); /* beyond the next look of its own */
	cr_expect_eq(rot_server_waiting(rig.server), 1);
	expect(201, "POST", "/v1/peers", "{'workload':'shop','client':'web','server':'db'}");
	pod_heard(&pod, seal_loop_now_us());
	cr_expect_eq(pod.result, 0);
	pod_release(&pod);
}

Test(rot_news, every_change_of_what_is_told_has_another_epoch)
{
	static const struct {
		const char *method;
		const char *path;
		const char *body;
		unsigned status;
	} changes[] = {
		{ "POST", "/v1/peers", "{'workload':'shop','client':'web','server':'db'}", 201 },
		{ "DELETE", "/v1/peers?workload=shop&client=web&server=db", NULL, 200 },
		{ "POST", "/v1/workloads/shop/keys", NULL, 201 },
		{ "POST", "/v1/workloads/shop/keys/2/switch?force=1", NULL, 200 },
		{ "DELETE", "/v1/workloads/shop/keys/1?force=1", NULL, 200 },
		{ "POST", "/v1/workloads/shop/cas", NULL, 201 },
		{ "POST", "/v1/workloads/shop/cas/2/switch?force=1", NULL, 200 },
		{ "POST", "/v1/seal",
		  "{'workload':'shop','peer':'web','objects':[{'ns':'n','kind':'ConfigMap','name':'"
		  "c',"
		  "'values':[{'key':'k','text':'v'}]}]}",
		  200 },
	};
	uint64_t epoch;
	struct pod pod;

	pod_make(&pod, WEB);
	epoch = pod.got.epoch;
	for (size_t i = 0; i < SEAL_COUNT(changes); i++) {
		uint64_t since;

		pod_wait(&pod, epoch);
		since = seal_loop_now_us();
		expect(changes[i].status, changes[i].method, changes[i].path, changes[i].body);
		pod_heard(&pod, since);
		cr_assert_eq(pod.result, 0, "%s: %s", changes[i].path, pod.err.text);
		cr_assert(pod.changed, "%s", changes[i].path);
		cr_expect_neq(pod.news.epoch, epoch);
		epoch = pod.news.epoch;
	}
	cr_expect(pod.news.renew, "its CA signs no more");
	cr_assert_eq(pod.news.floor_count, 1);
	cr_expect_str_eq(pod.news.floor[0].object, "n/ConfigMap/c");
	pod_release(&pod);
}

Test(rot_news, what_changes_nothing_has_the_same_epoch)
{
	struct pod pod, other;

	pod_make(&pod, WEB);
	pod_make(&other, WEB);
	expect(200, "GET", "/v1/workloads/shop", NULL);
	cr_assert_eq(pod_ask(&pod, 0), 0);
	cr_expect_eq(pod.news.epoch, pod.got.epoch, "a hatch is news to nobody");
	pod_release(&pod);
	pod_release(&other);
}

/* ---- Who counts no more ---- */

static void
expect_refused(struct pod *pod)
{
	cr_expect_eq(pod->result, SEAL_E_REFUSED, "%d: %s", pod->result, pod->err.text);
	cr_expect_not_null(strstr(pod->err.text, "sync refused"), "%s", pod->err.text);
	cr_expect_null(strstr(pod->err.text, "egg"), "a reason was given: %s", pod->err.text);
}

Test(rot_news, refuses_those_whose_egg_is_revoked_and_no_others)
{
	char path[64];
	struct pod pod, other;
	uint64_t since;

	pod_make(&pod, WEB);
	pod_make(&other, WEB);
	pod_wait(&pod, pod.got.epoch);
	(void)snprintf(path, sizeof(path), "/v1/eggs/%s", pod.egg.id);
	since = seal_loop_now_us();
	expect(200, "DELETE", path, NULL);
	pod_heard(&pod, since);
	expect_refused(&pod);
	cr_expect_eq(pod_ask(&pod, 0), SEAL_E_REFUSED);
	expect_refused(&pod);
	cr_expect_eq(pod_ask(&other, 0), 0);
	pod_release(&pod);
	pod_release(&other);
}

Test(rot_news, refuses_those_whose_workload_is_gone_until_they_know)
{
	struct pod pod;
	uint64_t since;

	pod_make(&pod, WEB);
	pod_wait(&pod, pod.got.epoch);
	since = seal_loop_now_us();
	expect(200, "DELETE", "/v1/workloads/shop", NULL);
	pod_heard(&pod, since);
	expect_refused(&pod);
	cr_expect_eq(pod_ask(&pod, 7), SEAL_E_REFUSED);
	expect_refused(&pod);
	/* A workload of the same name is another one. */
	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	cr_expect_eq(pod_ask(&pod, 0), SEAL_E_REFUSED);
	expect_refused(&pod);
	pod_release(&pod);
}

Test(rot_news, answers_malformed_questions_without_ending_anybody)
{
	static const char *const paths[] = { "/v1/sync?epoch=x", "/v1/sync?epoch=-1",
					     "/v1/sync?epoch=" };
	struct pod pod;

	pod_make(&pod, WEB);
	for (size_t i = 0; i < SEAL_COUNT(paths); i++)
		rig_expect_error(pod.client, 400, "invalid", NULL, "GET", paths[i], NULL);
	rig_expect_error(pod.client, 405, "method", NULL, "POST", "/v1/sync", NULL);
	cr_expect_eq(pod_ask(&pod, UINT64_MAX), 0, "%s", pod.err.text);
	cr_expect(pod.changed);
	pod_release(&pod);
}

Test(rot_news, is_for_pods_alone)
{
	struct rot_client *admin = rig_operator(&rig, "admin");
	struct rot_client *egg;
	struct pod pod;

	pod_make(&pod, WEB);
	egg = rig_client(&rig, pod.egg.cert, pod.egg.key);
	rig_expect_error(admin, 403, "refused", "sync refused", "GET", "/v1/sync", NULL);
	rig_expect_error(egg, 403, "refused", "sync refused", "GET", "/v1/sync", NULL);
	rig_expect_error(rig.local, 403, "refused", "sync refused", "GET", "/v1/sync", NULL);
	rot_client_free(admin);
	rot_client_free(egg);
	pod_release(&pod);
}

/* ---- Coming and going ---- */

Test(rot_news, forgets_those_who_go)
{
	struct pod pods[PODS_MAX];

	for (size_t i = 0; i < PODS_MAX; i++) {
		pod_make(&pods[i], WEB);
		pod_wait(&pods[i], pods[i].got.epoch);
	}
	for (size_t i = 0; i < PODS_MAX; i += 2)
		atomic_store(&pods[i].abort, true);
	await_waiting(PODS_MAX / 2);
	for (size_t i = 1; i < PODS_MAX; i += 2)
		atomic_store(&pods[i].abort, true);
	await_waiting(0);
	for (size_t i = 0; i < PODS_MAX; i++) {
		cr_assert_eq(pthread_join(pods[i].thread, NULL), 0);
		pod_release(&pods[i]);
	}
	expect(200, "GET", "/v1/status", NULL);
}

Test(rot_news_end, lets_all_go_when_the_server_ends, .init = setup)
{
	struct pod pod;
	uint64_t since;

	pod_make(&pod, WEB);
	pod_wait(&pod, pod.got.epoch);
	since = seal_loop_now_us();
	rot_client_free(rig.local);
	seal_wake_now(rig.stop); /* as SIGTERM does */
	pod_heard(&pod, since);
	cr_expect_eq(pod.result, 0, "%s", pod.err.text);
	cr_expect_not(pod.changed);
	rig_ended(&rig);
	rig_release(&rig);
	pod_release(&pod);
}
