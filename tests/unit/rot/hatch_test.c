/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/hatch: what a pod gets for an egg, and the one dull answer to everything else. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log/log.h"
#include "egg/statement.h"
#include "rot/server/api.h"
#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

static struct rig rig;

static void
start(void (*change)(struct rot_server_config *config))
{
	struct seal_json *body = rig_json("{'name':'shop'}");

	rig_start(&rig, change);
	rig_expect(&rig, 201, "POST", "/v1/workloads", body);
	seal_json_free(body);
}

static void
setup(void)
{
	(void)alarm(60);
	start(NULL);
}

static void
teardown(void)
{
	rig_stop(&rig);
}

TestSuite(rot_hatch, .init = setup, .fini = teardown);

/* A request made with somebody else's tool: P-384. */
static const char p384_csr[] = "-----BEGIN CERTIFICATE REQUEST-----\n"
			       "MIIBBTCBjQIBADAOMQwwCgYDVQQDDAN3ZWIwdjAQBgcqhkjOPQIBBgUrgQQAIgNi\n"
			       "AATye+OsVtAOeaXj11E0/HQA/lXA1alI+U7qH0fesGrbSP1k81rku5kkIxjqjPhN\n"
			       "6FO2He4MShZv3FvYiBZ93dYxLfGDXXWfzGNtzPyiE9PFpCyj+RvocEB/mA+U7HlI\n"
			       "nmygADAKBggqhkjOPQQDAgNnADBkAjAVwBriXk6Fu5dbO5iT7pDyOS/e6Tfyt7Cl\n"
			       "vr43rS/MGW8SvJB/QIZU77tRmLHqeOsCMCsAT8RTKLhRAwGBm0ihbimYAIq+UgQs\n"
			       "Bh+ZwNIYm1b3314v0Zz7moahftkZOzuf4g==\n"
			       "-----END CERTIFICATE REQUEST-----\n";

/*
 * A good key with bad wishes: O=evil, CN=admin; SANs any, db, evil.example.com, an operator's URI, an
 * address; CA:TRUE, keyCertSign.
 */
static const char greedy_csr[] =
	"-----BEGIN CERTIFICATE REQUEST-----\n"
	"MIIBYzCCAQkCAQAwHzENMAsGA1UECgwEZXZpbDEOMAwGA1UEAwwFYWRtaW4wWTAT\n"
	"BgcqhkjOPQIBBggqhkjOPQMBBwNCAARgknLXa8qRqgZSH1DEISg93w+NcVQhAbM4\n"
	"Ll+me5J3Vz2h0n6DGNn3+b2goolhD0SnSY2UIU/g3tjg4yhIafMzoIGHMIGEBgkq\n"
	"hkiG9w0BCQ4xdzB1MFUGA1UdEQROMEyCA2FueYICZGKCEGV2aWwuZXhhbXBsZS5j\n"
	"b22GKXNwaWZmZTovL3JvdC5leGFtcGxlLmNvbS9vcGVyYXRvci9hZG1pbi94hwQK\n"
	"AAABMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgIEMAoGCCqGSM49BAMCA0gA\n"
	"MEUCIQCgv+k+heKvMnH/ItAw9Uje62Jm7D6ToRraxU+RI3upRgIgd6HwjvXWVmsP\n"
	"KWBwU0hKP1T7DePqTCVs0k+Yj9/VP6w=\n"
	"-----END CERTIFICATE REQUEST-----\n";

#define WEB "{'workload':'shop','peer':'web','hostnames':['*.apps.example.com','web.example.com']}"

/* A pod: what it asks with, and what it got. */
struct pod {
	struct rot_client *client;
	struct seal_key *key;
	char *csr;
	struct rot_credentials got;
};

static void
pod_init(struct pod *pod, const struct rig_egg *egg)
{
	memset(pod, 0, sizeof(*pod));
	cr_assert_eq(seal_key_new(&pod->key, NULL), 0);
	pod->csr = rig_csr(pod->key);
	pod->client = rig_client(&rig, egg->cert, egg->key);
}

static void
pod_release(struct pod *pod)
{
	rot_client_free(pod->client);
	seal_key_free(pod->key);
	free(pod->csr);
	rot_credentials_release(&pod->got);
}

static void
pod_hatch(struct pod *pod, const struct rig_egg *egg, struct seal_strv hostnames)
{
	struct rot_request request = { .statement = egg->statement,
				       .csr = pod->csr,
				       .hostnames = hostnames };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_client_credentials(pod->client, "/v1/hatch", &request, &pod->got, &err), 0,
		     "%s", err.text);
	seal_strv_release(&hostnames);
}

static struct seal_certs *
parse(const char *pem)
{
	struct seal_certs *certs = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_certs_from_pem(&certs, pem, strlen(pem), SEAL_CHAIN_MAX_LEN, &err), 0,
		     "%s", err.text);
	return certs;
}

/* The certificate passes the one verification as web of shop, with exactly these DNS names. */
static void
expect_web(const struct rot_credentials *got, const char *const *names)
{
	struct seal_certs *chain = parse(got->certificate), *anchors = parse(got->ca_bundle);
	struct seal_strv allowed = pki_strv("web", NULL);
	const struct seal_peer_rules rules = { .anchors = anchors,
					       .trust_domain = RIG_DOMAIN,
					       .workload = "shop",
					       .allowed = &allowed };
	struct seal_err err = { 0 };
	struct seal_peer peer;

	for (int side = SEAL_SIDE_CLIENT; side <= SEAL_SIDE_SERVER; side++)
		cr_expect_eq(seal_peer_verify(&peer, &rules, chain, (enum seal_side)side,
					      seal_clock_now(), &err),
			     0, "%s", err.text);
	cr_expect_eq(seal_certs_count(chain), 1);
	for (; *names != NULL; names++)
		cr_expect(seal_cert_has_hostname(seal_certs_at(chain, 0), *names), "no %s", *names);
	cr_expect_not(seal_cert_has_hostname(seal_certs_at(chain, 0), "evil.example.com"));
	cr_expect_not(seal_cert_has_hostname(seal_certs_at(chain, 0), "db"));
	seal_strv_release(&allowed);
	seal_certs_free(chain);
	seal_certs_free(anchors);
}

static int64_t
hatches(void)
{
	return rig_sum(rig.db, "egg/", "hatches");
}

static int64_t
certificates(void)
{
	return rig_count(rig.db, "cert/");
}

Test(rot_hatch, gives_a_pod_its_credentials)
{
	static const char *const names[] = { "web.example.com", "a.apps.example.com", NULL };
	struct rig_egg egg;
	struct pod pod;
	int64_t now = seal_clock_now();

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	pod_hatch(&pod, &egg, pki_strv("web.example.com", "a.apps.example.com", NULL));
	cr_expect_str_eq(pod.got.workload, "shop");
	cr_expect_str_eq(pod.got.peer, "web");
	cr_expect_eq(pod.got.clients.count, 0, "a named peer is called by nobody at first");
	cr_expect_eq(pod.got.servers.count, 0);
	cr_expect_gt(pod.got.epoch, 0);
	cr_expect_geq(pod.got.renew_after, now + 57600);
	cr_expect_leq(pod.got.renew_after, now + 57660);
	expect_web(&pod.got, names);
	cr_expect_eq(hatches(), 1);
	cr_expect_eq(certificates(), 1);
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, hands_out_the_policy_of_the_peer)
{
	struct seal_json *pair = rig_json("{'workload':'shop','client':'web','server':'db'}");
	struct rig_egg egg;
	struct pod pod;

	rig_expect(&rig, 201, "POST", "/v1/peers", pair);
	seal_json_set_str(pair, "client", "*");
	seal_json_set_str(pair, "server", "web");
	rig_expect(&rig, 201, "POST", "/v1/peers", pair);
	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	pod_hatch(&pod, &egg, (struct seal_strv){ 0 });
	cr_assert_eq(pod.got.clients.count, 1);
	cr_expect_str_eq(pod.got.clients.items[0], "*");
	cr_assert_eq(pod.got.servers.count, 2, "db, and itself by the pair with *");
	cr_expect_str_eq(pod.got.servers.items[0], "db");
	cr_expect_gt(pod.got.epoch, 0);
	pod_release(&pod);
	rig_egg_release(&egg);
	seal_json_free(pair);
}

Test(rot_hatch, takes_the_key_alone_from_a_request)
{
	static const char *const none[] = { NULL };
	struct rig_egg egg;
	struct pod pod;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	free(pod.csr);
	pod.csr = seal_strndup(greedy_csr, strlen(greedy_csr));
	pod_hatch(&pod, &egg, (struct seal_strv){ 0 });
	expect_web(&pod.got, none);
	pod_release(&pod);
	rig_egg_release(&egg);
}

/* ---- refusals ---- */

/* One body, sent by client: 403 and the sentence, exactly; nothing spent, nothing recorded. */
static void
expect_refused_text(struct rot_client *client, const char *path, const void *body, size_t len,
		    const char *what)
{
	const char *sentence = strcmp(path, "/v1/hatch") == 0 ? "hatch refused" : "renewal refused";
	struct seal_bytes reply = SEAL_BYTES(65536);
	struct seal_err err = { 0 };
	int64_t before = certificates(), spent = hatches();
	unsigned status = 0;
	char expected[128];

	cr_assert_eq(rot_client_call(client, "POST", path, body, len, &status, &reply, &err), 0,
		     "%s: %s", what, err.text);
	(void)snprintf(expected, sizeof(expected),
		       "{\"error\":{\"code\":\"refused\",\"message\":\"%s\"}}", sentence);
	cr_expect_eq(status, 403, "%s: %u", what, status);
	cr_expect_str_eq(seal_bytes_str(&reply), expected, "%s: %s", what, seal_bytes_str(&reply));
	cr_expect_eq(certificates(), before, "%s was recorded", what);
	cr_expect_eq(hatches(), spent, "%s spent a hatch", what);
	seal_bytes_release(&reply);
}

static void
expect_refused(struct rot_client *client, const char *statement, const char *csr,
	       const char *hostname, const char *what)
{
	struct seal_json *body = seal_json_new();
	struct seal_bytes text = SEAL_BYTES(ROT_MAX_BODY);

	seal_json_set_str(body, "csr", csr);
	if (statement != NULL)
		seal_json_set_str(body, "statement", statement);
	if (hostname != NULL)
		seal_json_add_str(seal_json_set_array(body, "hostnames"), hostname);
	cr_assert_eq(seal_json_dump(body, false, &text, NULL), 0);
	expect_refused_text(client, "/v1/hatch", text.data, text.len, what);
	seal_bytes_release(&text);
	seal_json_free(body);
}

Test(rot_hatch, ties_the_statement_to_the_egg_on_the_connection)
{
	struct rig_egg web, db;
	struct pod pod;

	rig_mint(&rig, WEB, &web);
	rig_mint(&rig, "{'workload':'shop','peer':'db'}", &db);
	pod_init(&pod, &web);
	expect_refused(pod.client, db.statement, pod.csr, NULL, "another egg's statement");
	pod_release(&pod);
	rig_egg_release(&web);
	rig_egg_release(&db);
}

/* A statement sealed with the RoT's own key, which only a thief of that key could make. */
static char *
reseal(const struct rig_egg *egg, const char *id, bool other_key, int64_t not_after)
{
	struct egg_statement statement = { .workload = "shop", .peer = "web" };
	struct seal_bytes wrapped = SEAL_BYTES(4096), out = SEAL_BYTES(8192);
	struct seal_secret *key = NULL;
	struct rot_meta meta = { 0 };
	char *text;

	cr_assert_eq(rot_store_meta(rig.store, &meta, NULL), 0);
	{
		/* The same process serves the server's signer: ask its state directly. */
		struct seal_bytes message = SEAL_BYTES(4096);
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
		struct seal_writer w = { .out = &message };
		struct seal_reader r;
		const uint8_t *secret;
		size_t len = 0;

		seal_put_u8(&w, ROT_OP_OPEN_SECRET);
		seal_put_str(&w, "statement");
		seal_put_block(&w, meta.statement_key.data, meta.statement_key.len);
		rot_signer_answer(&rig.signer.state, message.data, message.len, &reply);
		r = (struct seal_reader){ .at = reply.data, .end = reply.data + reply.len };
		cr_assert_eq(seal_get_u8(&r), 0);
		secret = seal_get_block(&r, &len);
		cr_assert_eq(seal_secret_from(&key, secret, len, NULL), 0);
		seal_bytes_release(&message);
		seal_bytes_release(&reply);
	}
	(void)snprintf(statement.id, sizeof(statement.id), "%s", id);
	cr_assert_eq(seal_key_id(egg->key, statement.key_id, NULL), 0);
	if (other_key)
		statement.key_id[5] ^= 1;
	statement.not_after = not_after;
	cr_assert_eq(egg_statement_seal(&statement, key, &out, NULL), 0);
	text = seal_strndup(seal_bytes_str(&out), out.len);
	seal_secret_free(key);
	rot_meta_release(&meta);
	seal_bytes_release(&wrapped);
	seal_bytes_release(&out);
	return text;
}

Test(rot_hatch, believes_no_statement_against_the_connection_or_the_record)
{
	int64_t later = seal_clock_now() + 1000;
	struct rig_egg egg, db;
	struct pod pod;
	char key[SEAL_ID_LEN + 8];
	char *text;

	rig_mint(&rig, WEB, &egg);
	rig_mint(&rig, "{'workload':'shop','peer':'db'}", &db);
	pod_init(&pod, &egg);
	text = reseal(&egg, db.id, false, later);
	expect_refused(pod.client, text, pod.csr, NULL, "another egg's id with this egg's key");
	free(text);
	text = reseal(&egg, egg.id, true, later);
	expect_refused(pod.client, text, pod.csr, NULL, "another key");
	free(text);
	text = reseal(&egg, egg.id, false, seal_clock_now() - 1);
	expect_refused(pod.client, text, pod.csr, NULL, "a statement that has expired");
	free(text);
	text = reseal(&egg, egg.id, false, later);
	(void)snprintf(key, sizeof(key), "egg/%s", egg.id);
	rig_edit(rig.db, key, "peer", "'api'");
	expect_refused(pod.client, text, pod.csr, NULL, "a peer other than the recorded one");
	free(text);
	pod_release(&pod);
	rig_egg_release(&egg);
	rig_egg_release(&db);
}

Test(rot_hatch, refuses_a_statement_with_any_letter_changed_or_missing)
{
	struct rig_egg egg;
	struct pod pod;
	size_t len;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	len = strlen(egg.statement);
	for (size_t i = 0; i < len; i += 3) {
		char was = egg.statement[i];

		egg.statement[i] = was == 'A' ? 'B' : 'A';
		expect_refused(pod.client, egg.statement, pod.csr, NULL, "an altered statement");
		egg.statement[i] = '\0';
		expect_refused(pod.client, egg.statement, pod.csr, NULL, "a truncated statement");
		egg.statement[i] = was;
	}
	expect_refused(pod.client, NULL, pod.csr, NULL, "no statement");
	pod_hatch(&pod, &egg, (struct seal_strv){ 0 });
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, grants_host_names_that_fit_a_pattern_and_no_others)
{
	static const char *const wrong[] = { "example.com",
					     "evil.example.com",
					     "apps.example.com",
					     "a.b.apps.example.com",
					     "*.apps.example.com",
					     "web",
					     "any",
					     "localhost",
					     "A.apps.example.com",
					     "web.example.com.",
					     "10.0.0.1",
					     "",
					     "web.example.com/../",
					     "xapps.example.com" };
	struct rig_egg egg;
	struct pod pod;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	for (size_t i = 0; i < SEAL_COUNT(wrong); i++)
		expect_refused(pod.client, egg.statement, pod.csr, wrong[i], wrong[i]);
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, certifies_p256_keys_other_than_the_eggs)
{
	struct rig_egg egg;
	struct pod pod;
	char *own, *bent;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	own = rig_csr(egg.key);
	expect_refused(pod.client, egg.statement, own, NULL, "the egg's own key");
	expect_refused(pod.client, egg.statement, p384_csr, NULL, "a P-384 key");
	expect_refused(pod.client, egg.statement, "not a request", NULL, "text");
	bent = seal_strndup(pod.csr, strlen(pod.csr));
	bent[strlen(bent) / 2] = bent[strlen(bent) / 2] == 'A' ? 'B' : 'A';
	expect_refused(pod.client, egg.statement, bent, NULL, "an altered request");
	free(bent);
	free(own);
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, hides_what_is_wrong_with_a_body)
{
	static const char *const bodies[] = {
		"",
		"{",
		"null",
		"[]",
		"{}",
		"{\"csr\":1}",
		"{\"statement\":\"x\",\"statement\":\"x\"}",
		"{\"statement\":\"x\",\"csr\":\"x\",\"peer\":\"db\"}",
		"{\"statement\":\"x\",\"csr\":\"x\",\"hostnames\":\"a.example.com\"}",
		"\xff\xfe",
		"{\"statement\":\"\\u0000\"}",
	};
	struct rig_egg egg;
	struct pod pod;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	for (size_t i = 0; i < SEAL_COUNT(bodies); i++)
		expect_refused_text(pod.client, "/v1/hatch", bodies[i], strlen(bodies[i]),
				    bodies[i]);
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, ends_with_revocation_expiry_budget_and_workload)
{
	struct seal_json *reply = NULL;
	struct rig_egg egg;
	struct pod pod;
	char path[64];

	rig_mint(&rig, "{'workload':'shop','peer':'web','max_hatches':1}", &egg);
	pod_init(&pod, &egg);
	rig_edit(rig.db, "egg/", "not_after", "1");
	expect_refused(pod.client, egg.statement, pod.csr, NULL, "an expired egg");
	rig_edit(rig.db, "egg/", "not_after", "4102444800");
	pod_hatch(&pod, &egg, (struct seal_strv){ 0 });
	expect_refused(pod.client, egg.statement, pod.csr, NULL, "a spent egg");
	rig_egg_release(&egg);
	pod_release(&pod);

	rig_mint(&rig, "{'workload':'shop','peer':'web'}", &egg);
	pod_init(&pod, &egg);
	(void)snprintf(path, sizeof(path), "/v1/eggs/%s", egg.id);
	cr_assert_eq(rig_call(rig.local, "DELETE", path, NULL, &reply), 200);
	seal_json_free(reply);
	expect_refused(pod.client, egg.statement, pod.csr, NULL, "a revoked egg");
	rig_egg_release(&egg);
	pod_release(&pod);

	rig_mint(&rig, "{'workload':'shop','peer':'web'}", &egg);
	pod_init(&pod, &egg);
	cr_assert_eq(rig_call(rig.local, "DELETE", "/v1/workloads/shop", NULL, NULL), 200);
	{
		struct rig_egg other;
		struct seal_json *again = rig_json("{'name':'shop'}");

		/* The same name is another workload: the old egg is none of its own. */
		rig_expect(&rig, 201, "POST", "/v1/workloads", again);
		rig_mint(&rig, WEB, &other);
		expect_refused(pod.client, egg.statement, pod.csr, NULL, "a deleted workload");
		rig_egg_release(&other);
		seal_json_free(again);
	}
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, an_egg_whose_certificate_has_expired_does_not_even_connect)
{
	struct seal_bytes reply = SEAL_BYTES(65536);
	struct rig_egg egg;
	struct pod pod;
	unsigned status = 0;

	rig_mint(&rig, "{'workload':'shop','peer':'web','ttl':1}", &egg);
	pod_init(&pod, &egg);
	(void)sleep(2);
	cr_expect_lt(
		rot_client_call(pod.client, "POST", "/v1/hatch", "{}", 2, &status, &reply, NULL), 0,
		"answered %u", status);
	seal_bytes_release(&reply);
	pod_release(&pod);
	rig_egg_release(&egg);
}

struct racer {
	pthread_t thread;
	struct pod pod;
	struct rot_request request;
	int verdict;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;

	racer->verdict = rot_client_credentials(racer->pod.client, "/v1/hatch", &racer->request,
						&racer->pod.got, NULL);
	return NULL;
}

Test(rot_hatch, a_budget_of_one_under_a_hundred_racing_pods_yields_exactly_one)
{
	static struct racer racers[100];
	struct rig_egg egg;
	unsigned won = 0, refused = 0;

	rig_mint(&rig, "{'workload':'shop','peer':'web','max_hatches':1}", &egg);
	for (size_t i = 0; i < SEAL_COUNT(racers); i++) {
		pod_init(&racers[i].pod, &egg);
		racers[i].request.statement = egg.statement;
		racers[i].request.csr = racers[i].pod.csr;
	}
	for (size_t i = 0; i < SEAL_COUNT(racers); i++)
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (size_t i = 0; i < SEAL_COUNT(racers); i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		won += racers[i].verdict == 0;
		refused += racers[i].verdict == SEAL_E_REFUSED;
		pod_release(&racers[i].pod);
	}
	cr_expect_eq(won, 1, "%u won", won);
	cr_expect_eq(won + refused, SEAL_COUNT(racers), "%u were refused", refused);
	cr_expect_eq(certificates(), 1);
	cr_expect_eq(hatches(), 1);
	rig_egg_release(&egg);
}

/* ---- renewal ---- */

/* A hatched pod that talks with its own certificate from here on. */
static void
grow_up(struct pod *pod, const struct rig_egg *egg)
{
	struct seal_certs *cert;

	pod_init(pod, egg);
	pod_hatch(pod, egg, pki_strv("web.example.com", NULL));
	rot_client_free(pod->client);
	cert = parse(pod->got.certificate);
	pod->client = rig_client(&rig, cert, pod->key);
	seal_certs_free(cert);
}

static void
expect_renewal_refused(struct pod *pod, const char *csr, const char *what)
{
	struct rot_request request = { .csr = seal_strndup(csr, strlen(csr)) };
	struct seal_bytes text = SEAL_BYTES(ROT_MAX_BODY);

	cr_assert_eq(rot_request_encode(&request, &text, NULL), 0);
	expect_refused_text(pod->client, "/v1/renew", text.data, text.len, what);
	rot_request_release(&request);
	seal_bytes_release(&text);
}

Test(rot_hatch, renews_a_pod_with_a_new_key_and_its_old_names)
{
	static const char *const names[] = { "web.example.com", NULL };
	struct rot_credentials fresh = { 0 };
	struct rot_request request = { 0 };
	struct seal_key *key = NULL;
	struct seal_err err = { 0 };
	struct rig_egg egg;
	struct pod pod;

	rig_mint(&rig,
		 "{'workload':'shop','peer':'web','hostnames':['web.example.com'],'max_hatches':1}",
		 &egg);
	grow_up(&pod, &egg);
	rig_edit(rig.db, "egg/", "not_after", "1"); /* does not count here */
	cr_assert_eq(seal_key_new(&key, NULL), 0);
	request.csr = rig_csr(key);
	cr_assert_eq(rot_client_credentials(pod.client, "/v1/renew", &request, &fresh, &err), 0,
		     "%s", err.text);
	expect_web(&fresh, names);
	cr_expect_str_neq(fresh.certificate, pod.got.certificate);
	cr_expect_eq(hatches(), 1, "a renewal spent a hatch");
	cr_expect_eq(certificates(), 2);
	rot_credentials_release(&fresh);
	rot_request_release(&request);
	seal_key_free(key);
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, renews_nothing_for_the_same_key_or_with_wishes)
{
	struct rig_egg egg;
	struct pod pod;
	const char *wish = "{\"csr\":\"x\",\"hostnames\":[\"evil.example.com\"]}";

	rig_mint(&rig, WEB, &egg);
	grow_up(&pod, &egg);
	expect_renewal_refused(&pod, pod.csr, "the same key");
	expect_renewal_refused(&pod, p384_csr, "a P-384 key");
	expect_renewal_refused(&pod, "x", "text");
	expect_refused_text(pod.client, "/v1/renew", wish, strlen(wish), "host names");
	expect_refused_text(pod.client, "/v1/renew", "", 0, "nothing");
	expect_refused_text(pod.client, "/v1/hatch", wish, strlen(wish), "a pod that hatches");
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, renews_nothing_that_is_revoked_unknown_or_of_a_revoked_egg)
{
	struct rig_egg egg;
	struct pod pod;
	char name[SEAL_ID_LEN + 3];

	rig_mint(&rig, WEB, &egg);
	grow_up(&pod, &egg);
	rig_edit(rig.db, "cert/", "revoked_at", "1");
	expect_renewal_refused(&pod, greedy_csr, "a revoked certificate");
	rig_edit(rig.db, "cert/", "revoked_at", "0");
	rig_edit(rig.db, "cert/", "egg", "''");
	expect_renewal_refused(&pod, greedy_csr, "a certificate not born of an egg");
	(void)snprintf(name, sizeof(name), "'%s'", egg.id);
	rig_edit(rig.db, "cert/", "egg", name);
	rig_edit(rig.db, "egg/", "revoked_at", "1");
	expect_renewal_refused(&pod, greedy_csr, "of a revoked egg");
	rig_edit(rig.db, "egg/", "revoked_at", "0");
	rig_edit(rig.db, "cert/", "peer", "'db'");
	expect_renewal_refused(&pod, greedy_csr, "a record that differs");
	rig_remove(rig.db, "cert/");
	expect_renewal_refused(&pod, greedy_csr, "an unknown certificate");
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, eggs_and_pods_are_no_operators)
{
	struct seal_json *body = rig_json("{'name':'bank'}");
	struct rig_egg egg;
	struct pod pod, grown;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	grow_up(&grown, &egg);
	rig_expect_error(pod.client, 403, "forbidden", NULL, "GET", "/v1/status", NULL);
	rig_expect_error(pod.client, 403, "forbidden", NULL, "POST", "/v1/workloads", body);
	rig_expect_error(pod.client, 403, "refused", NULL, "POST", "/v1/renew", body);
	rig_expect_error(grown.client, 403, "forbidden", NULL, "GET", "/v1/eggs", NULL);
	rig_expect_error(grown.client, 403, "forbidden", NULL, "POST", "/v1/workloads", body);
	pod_release(&pod);
	pod_release(&grown);
	rig_egg_release(&egg);
	seal_json_free(body);
}

/* ---- rates, failures, logs ---- */

static void
slow_eggs(struct rot_server_config *config)
{
	config->rate_per_egg = 1;
}

static void
slow_addresses(struct rot_server_config *config)
{
	config->rate_per_address = 1;
}

static void
expect_slowed(const struct rig_egg *first, const struct rig_egg *second, unsigned last)
{
	const struct rig_egg *turns[] = { first, first, second };
	unsigned status = 0;

	for (size_t i = 0; i < SEAL_COUNT(turns); i++) {
		struct pod pod;

		pod_init(&pod, turns[i]);
		status = rig_call(pod.client, "POST", "/v1/hatch", NULL, NULL);
		cr_expect_eq(status, i < 2 ? 403 : last, "number %zu: %u", i, status);
		pod_release(&pod);
	}
}

Test(rot_rates, slow_down_one_egg_alone)
{
	struct rig_egg one, two;
	struct pod pod;

	(void)alarm(60);
	start(slow_eggs);
	rig_mint(&rig, "{'workload':'shop'}", &one);
	rig_mint(&rig, "{'workload':'shop'}", &two);
	expect_slowed(&one, &one, 429);
	pod_init(&pod, &two);
	cr_expect_eq(rig_call(pod.client, "POST", "/v1/hatch", NULL, NULL), 403);
	pod_release(&pod);
	rig_egg_release(&one);
	rig_egg_release(&two);
	rig_stop(&rig);
}

Test(rot_rates, slow_down_one_address_whatever_its_eggs)
{
	struct rig_egg one, two;
	struct pod pod;

	(void)alarm(60);
	start(slow_addresses);
	rig_mint(&rig, "{'workload':'shop'}", &one);
	rig_mint(&rig, "{'workload':'shop'}", &two);
	expect_slowed(&one, &two, 429);
	pod_init(&pod, &one);
	rig_expect_error(pod.client, 429, "rate", "not now", "POST", "/v1/hatch", NULL);
	pod_release(&pod);
	rig_egg_release(&one);
	rig_egg_release(&two);
	rig_stop(&rig);
}

Test(rot_hatch, a_store_that_fails_is_a_503_and_spends_nothing)
{
	struct seal_json *body = seal_json_new();
	struct rig_egg egg;
	struct pod pod;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	seal_json_set_str(body, "csr", pod.csr);
	seal_json_set_str(body, "statement", egg.statement);
	rig_sql(rig.db, "ALTER TABLE kv RENAME TO hidden");
	rig_expect_error(pod.client, 503, "unavailable", "not now", "POST", "/v1/hatch", body);
	rig_sql(rig.db, "ALTER TABLE hidden RENAME TO kv");
	cr_expect_eq(hatches(), 0);
	cr_expect_eq(certificates(), 0);
	cr_expect_eq(rig_call(pod.client, "POST", "/v1/hatch", body, NULL), 200);
	seal_json_free(body);
	pod_release(&pod);
	rig_egg_release(&egg);
}

Test(rot_hatch, logs_the_reason_and_the_egg_but_nothing_it_was_sent)
{
	char path[PATH_MAX], text[65536] = "";
	struct rig_egg egg;
	struct pod pod;
	int saved = dup(STDERR_FILENO), fd;

	rig_mint(&rig, WEB, &egg);
	pod_init(&pod, &egg);
	(void)snprintf(path, sizeof(path), "%.1000s/log", rig.dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	cr_assert_geq(fd, 0);
	seal_log_setup("seal-rot", SEAL_LOG_DEBUG, false);
	cr_assert_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	expect_refused(pod.client, egg.statement, pod.csr, "secret-name.example.com",
		       "a host name");
	pod_hatch(&pod, &egg, (struct seal_strv){ 0 });
	cr_assert_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	cr_assert_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	cr_expect_not_null(strstr(text, "level=warn event=hatch_refused"), "%s", text);
	cr_expect_not_null(strstr(text, "fits none of the egg's patterns"), "%s", text);
	cr_expect_not_null(strstr(text, egg.id), "%s", text);
	cr_expect_not_null(strstr(text, "event=hatched"), "%s", text);
	cr_expect_null(strstr(text, "secret-name"), "%s", text);
	cr_expect_null(strstr(text, "BEGIN"), "%s", text);
	egg.statement[40] = '\0';
	cr_expect_null(strstr(text, egg.statement), "%s", text);
	(void)close(fd);
	(void)close(saved);
	pod_release(&pod);
	rig_egg_release(&egg);
}
