/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server: the operators' endpoints over the local socket and over TLS, and who may reach them. */
#include "rot/server/api.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

static struct rig rig;

static void
setup(void)
{
	(void)alarm(60);
	rig_start(&rig, NULL);
}

static void
teardown(void)
{
	rig_stop(&rig);
}

TestSuite(rot_api, .init = setup, .fini = teardown);

static void
expect(unsigned status, const char *method, const char *path, const char *text)
{
	struct seal_json *body = text != NULL ? rig_json(text) : NULL;

	rig_expect(&rig, status, method, path, body);
	seal_json_free(body);
}

static void
expect_error(unsigned status, const char *code, const char *part, const char *method,
	     const char *path, const char *text)
{
	struct seal_json *body = text != NULL ? rig_json(text) : NULL;

	rig_expect_error(rig.local, status, code, part, method, path, body);
	seal_json_free(body);
}

static struct seal_json *
get(const char *path)
{
	struct seal_json *reply = NULL;

	cr_assert_eq(rig_call(rig.local, "GET", path, NULL, &reply), 200, "GET %s", path);
	cr_assert_not_null(reply);
	return reply;
}

static uint64_t
number(const struct seal_json *object, const char *name)
{
	uint64_t value = UINT64_MAX;

	cr_assert_eq(seal_json_get_u64(object, name, INT64_MAX, &value, NULL), 0, "no '%s'", name);
	return value;
}

static const char *
text_of(const struct seal_json *object, const char *name)
{
	const char *text = NULL;

	cr_assert_eq(seal_json_get_str(object, name, &text, NULL), 0, "no '%s'", name);
	return text;
}

Test(rot_api, says_what_it_is_and_who_asks)
{
	struct seal_json *status = get("/v1/status");
	const struct seal_json *caller = NULL;
	struct seal_strv urls = { 0 };

	cr_expect_str_eq(text_of(status, "trust_domain"), RIG_DOMAIN);
	cr_expect_str_eq(text_of(status, "version"), SEAL_VERSION);
	cr_expect_eq(strlen(text_of(status, "ca_fingerprint")), 64);
	cr_expect_not_null(strstr(text_of(status, "ca"), "BEGIN CERTIFICATE"));
	cr_expect_gt(number(status, "ca_not_after"), number(status, "time"));
	cr_expect_eq(number(status, "workloads"), 0);
	cr_assert_eq(seal_json_get_strv(status, "urls", 16, &urls, NULL), 0);
	cr_expect_eq(urls.count, 2);
	cr_assert_eq(seal_json_get_object(status, "caller", &caller, NULL), 0);
	cr_expect_str_eq(text_of(caller, "role"), "admin");
	cr_expect_str_eq(text_of(caller, "name"), "local");
	seal_strv_release(&urls);
	seal_json_free(status);
}

Test(rot_api, creates_shows_and_deletes_workloads)
{
	struct seal_json *shown;

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	shown = get("/v1/workloads/shop");
	cr_expect_str_eq(text_of(shown, "name"), "shop");
	cr_expect_eq(number(shown, "pairs"), 1);
	cr_expect_gt(number(shown, "epoch"), 0);
	cr_expect_eq(number(shown, "ca_generation"), 1);
	cr_expect_not_null(strstr(text_of(shown, "ca_bundle"), "BEGIN CERTIFICATE"));
	seal_json_free(shown);
	expect_error(409, "conflict", "shop", "POST", "/v1/workloads", "{'name':'shop'}");
	expect_error(404, "missing", "bank", "GET", "/v1/workloads/bank", NULL);
	expect_error(404, "missing", "bank", "DELETE", "/v1/workloads/bank", NULL);
	expect(200, "DELETE", "/v1/workloads/shop", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/workloads/shop", NULL);
	cr_expect_eq(rig_count(rig.db, "ca/"), 1);
}

Test(rot_api, refuses_workloads_that_break_a_rule_with_a_sentence)
{
	static const struct {
		const char *body;
		const char *part;
	} cases[] = {
		{ "{}", "name" },
		{ "{'name':'sh'}", "name" },
		{ "{'name':'Shop'}", "name" },
		{ "{'name':'1shop'}", "name" },
		{ "{'name':7}", "name" },
		{ "{'name':null}", "name" },
		{ "{'name':'shop','open':'yes'}", "open" },
		{ "{'name':'shop','colour':'red'}", "colour" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		expect_error(400, "invalid", cases[i].part, "POST", "/v1/workloads", cases[i].body);
	cr_expect_eq(rig_count(rig.db, "workload/"), 0);
}

static unsigned
send_raw(struct rot_client *client, const char *method, const char *path, const void *body,
	 size_t len)
{
	struct seal_bytes reply = SEAL_BYTES(1u << 20);
	struct seal_err err = { 0 };
	unsigned status = 0;

	cr_assert_eq(rot_client_call(client, method, path, body, len, &status, &reply, &err), 0,
		     "%s", err.text);
	seal_bytes_release(&reply);
	return status;
}

Test(rot_api, refuses_bodies_that_are_no_object)
{
	static const char *const bodies[] = { "",
					      "null",
					      "[]",
					      "\"name\"",
					      "{",
					      "{}x",
					      "{\"name\":\"shop\",\"name\":\"bank\"}",
					      "{\"name\":\"sh\\u0000op\"}",
					      "{\"name\":\"sh\xff op\"}" };

	for (size_t i = 0; i < SEAL_COUNT(bodies); i++)
		cr_expect_eq(
			send_raw(rig.local, "POST", "/v1/workloads", bodies[i], strlen(bodies[i])),
			400, "body %zu", i);
	cr_expect_eq(rig_count(rig.db, "workload/"), 0);
}

Test(rot_api, refuses_bodies_that_are_too_long)
{
	char *body = malloc(ROT_MAX_BODY + 1);

	cr_assert_not_null(body);
	memset(body, ' ', ROT_MAX_BODY + 1);
	cr_expect_eq(send_raw(rig.local, "POST", "/v1/workloads", body, ROT_MAX_BODY + 1), 413);
	memcpy(body, "{\"name\":\"shop\"}", 15);
	cr_expect_eq(send_raw(rig.local, "POST", "/v1/workloads", body, ROT_MAX_BODY), 201);
	free(body);
}

Test(rot_api, knows_its_paths_and_methods)
{
	expect_error(404, "missing", NULL, "GET", "/", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1", NULL);
	expect_error(404, "missing", NULL, "GET", "/v2/status", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/statuses", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/workloads/", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/workloads/shop/x", NULL);
	expect_error(405, "method", NULL, "DELETE", "/v1/status", NULL);
	expect_error(405, "method", NULL, "POST", "/v1/workloads/shop", "{}");
	expect_error(405, "method", NULL, "GET", "/v1/hatch", NULL);
	expect_error(400, "invalid", NULL, "GET", "/v1/workloads/NO", NULL);
	expect_error(400, "invalid", NULL, "GET", "/v1/eggs/xyz", NULL);
}

Test(rot_api, pages_through_workloads)
{
	struct seal_json *page;
	const struct seal_json *list = NULL;
	char body[64];

	for (int i = 0; i < 5; i++) {
		(void)snprintf(body, sizeof(body), "{'name':'shop-%d'}", i);
		expect(201, "POST", "/v1/workloads", body);
	}
	page = get("/v1/workloads?limit=3");
	cr_assert_eq(seal_json_get_array(page, "workloads", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), 3);
	cr_expect_str_eq(text_of(page, "next"), "shop-2");
	seal_json_free(page);
	page = get("/v1/workloads?limit=3&after=shop-2");
	cr_assert_eq(seal_json_get_array(page, "workloads", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), 2);
	cr_expect_not(seal_json_has(page, "next"));
	seal_json_free(page);
	page = get("/v1/workloads?limit=5");
	cr_expect_not(seal_json_has(page, "next"), "a page that is exactly full has no next");
	seal_json_free(page);
	expect_error(400, "invalid", "limit", "GET", "/v1/workloads?limit=0", NULL);
	expect_error(400, "invalid", "limit", "GET", "/v1/workloads?limit=501", NULL);
	expect_error(400, "invalid", "limit", "GET", "/v1/workloads?limit=x", NULL);
	expect_error(400, "invalid", "after", "GET", "/v1/workloads?after=%2A", NULL);
}

Test(rot_api, allows_and_denies_pairs)
{
	struct seal_json *list;
	const struct seal_json *pairs = NULL;

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	expect(201, "POST", "/v1/peers", "{'workload':'shop','client':'web','server':'db'}");
	expect_error(409, "conflict", "web -> db", "POST", "/v1/peers",
		     "{'workload':'shop','client':'web','server':'db'}");
	expect_error(404, "missing", "bank", "POST", "/v1/peers",
		     "{'workload':'bank','client':'web','server':'db'}");
	list = get("/v1/peers?workload=shop");
	cr_expect_gt(number(list, "epoch"), 0);
	cr_assert_eq(seal_json_get_array(list, "pairs", &pairs, NULL), 0);
	cr_assert_eq(seal_json_count(pairs), 2);
	cr_expect_str_eq(text_of(seal_json_at(pairs, 1), "client"), "web");
	cr_expect_str_eq(text_of(seal_json_at(pairs, 1), "server"), "db");
	seal_json_free(list);
	expect(201, "POST", "/v1/peers", "{'workload':'shop','client':'*','server':'db'}");
	expect(200, "DELETE", "/v1/peers?workload=shop&client=web&server=db", NULL);
	expect_error(409, "conflict", "'*' -> 'db'", "DELETE",
		     "/v1/peers?workload=shop&client=web&server=db", NULL);
	expect(200, "DELETE", "/v1/peers?workload=shop&client=%2A&server=db", NULL);
	expect_error(404, "missing", NULL, "DELETE", "/v1/peers?workload=shop&client=web&server=db",
		     NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/peers?workload=bank", NULL);
}

Test(rot_api, refuses_pairs_that_break_a_rule)
{
	static const char *const bodies[] = {
		"{'workload':'shop','client':'web'}",
		"{'workload':'shop','client':'rot','server':'db'}",
		"{'workload':'shop','client':'web','server':'DB'}",
		"{'workload':'shop','client':'web','server':''}",
		"{'workload':'shop','client':'web','server':'db','also':'x'}",
		"{'client':'web','server':'db'}",
	};

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	for (size_t i = 0; i < SEAL_COUNT(bodies); i++)
		expect_error(400, "invalid", NULL, "POST", "/v1/peers", bodies[i]);
	expect_error(400, "invalid", "workload", "GET", "/v1/peers", NULL);
	expect_error(400, "invalid", "server", "DELETE", "/v1/peers?workload=shop&client=web",
		     NULL);
	cr_expect_eq(rig_sum(rig.db, "policy/", "pairs"), 1);
}

Test(rot_api, mints_shows_lists_and_revokes_eggs)
{
	struct rig_egg egg, other;
	struct seal_json *shown;
	const struct seal_json *list = NULL;
	struct seal_identity identity;
	struct seal_strv hostnames = { 0 };
	struct seal_err err = { 0 };
	char path[128];

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	rig_mint(&rig,
		 "{'workload':'shop','peer':'web','hostnames':['*.apps.example.com'],'ttl':600,"
		 "'max_hatches':3,'plain_config':true}",
		 &egg);
	rig_mint(&rig, "{'workload':'shop'}", &other);
	cr_expect_eq(seal_role_verify(&identity, rig.ca, RIG_DOMAIN, SEAL_ROLE_EGG, egg.cert,
				      SEAL_SIDE_CLIENT, seal_clock_now(), &err),
		     0, "%s", err.text);
	cr_expect_str_eq(identity.egg, egg.id);
	cr_expect_null(strstr(egg.statement, "web"));

	(void)snprintf(path, sizeof(path), "/v1/eggs/%s", egg.id);
	shown = get(path);
	cr_expect_str_eq(text_of(shown, "state"), "live");
	cr_expect_str_eq(text_of(shown, "peer"), "web");
	cr_expect_eq(number(shown, "max_hatches"), 3);
	cr_expect_eq(number(shown, "hatches"), 0);
	cr_expect_eq(number(shown, "not_after") - number(shown, "created_at"), 600);
	cr_assert_eq(seal_json_get_strv(shown, "hostnames", 32, &hostnames, NULL), 0);
	cr_expect_str_eq(hostnames.items[0], "*.apps.example.com");
	cr_expect_not(seal_json_has(shown, "statement"));
	cr_expect_not(seal_json_has(shown, "certificate"));
	seal_strv_release(&hostnames);
	seal_json_free(shown);

	shown = get("/v1/eggs?workload=shop&limit=1");
	cr_assert_eq(seal_json_get_array(shown, "eggs", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), 1);
	cr_expect_str_eq(text_of(shown, "next"), egg.id);
	seal_json_free(shown);
	expect(200, "DELETE", path, NULL);
	expect(200, "DELETE", path, NULL);
	shown = get(path);
	cr_expect_str_eq(text_of(shown, "state"), "revoked");
	seal_json_free(shown);
	expect_error(404, "missing", NULL, "DELETE", "/v1/eggs/00000000000000000000000000000000",
		     NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/eggs?workload=bank", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/eggs?after=00000000000000000000000000000000",
		     NULL);
	rig_egg_release(&egg);
	rig_egg_release(&other);
}

/* Each is a good order but for one thing; csr is added. */
static void
expect_order_refused(const char *path, const char *order, const char *part)
{
	struct seal_json *body = rig_json(order);
	struct seal_key *key = NULL;
	char *csr;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	if (!seal_json_has(body, "csr"))
		seal_json_set_str(body, "csr", csr);
	rig_expect_error(rig.local, 400, "invalid", part, "POST", path, body);
	free(csr);
	seal_key_free(key);
	seal_json_free(body);
}

Test(rot_api, refuses_eggs_that_break_a_rule_with_a_sentence)
{
	static const struct {
		const char *order;
		const char *part;
	} cases[] = {
		{ "{}", "workload" },
		{ "{'workload':'shop','peer':'rot'}", "peer" },
		{ "{'workload':'shop','peer':'*'}", "peer" },
		{ "{'workload':'shop','peer':''}", "peer" },
		{ "{'workload':'shop','hostnames':['db']}", "hostnames" },
		{ "{'workload':'shop','hostnames':['a.*.example.com']}", "hostnames" },
		{ "{'workload':'shop','hostnames':['*.com']}", "hostnames" },
		{ "{'workload':'shop','hostnames':['a.example.com','a.example.com']}", "twice" },
		{ "{'workload':'shop','hostnames':'a.example.com'}", "hostnames" },
		{ "{'workload':'shop','ttl':0}", "ttl" },
		{ "{'workload':'shop','ttl':31622401}", "ttl" },
		{ "{'workload':'shop','ttl':-1}", "ttl" },
		{ "{'workload':'shop','ttl':'30d'}", "ttl" },
		{ "{'workload':'shop','ttl':1.5}", "ttl" },
		{ "{'workload':'shop','max_hatches':1000000001}", "max_hatches" },
		{ "{'workload':'shop','plain_config':1}", "plain_config" },
		{ "{'workload':'shop','csr':'hello'}", "csr" },
		{ "{'workload':'shop','csr':''}", "csr" },
		{ "{'workload':'shop','csr':7}", "csr" },
		{ "{'workload':'shop','key':'mine'}", "key" },
	};

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		expect_order_refused("/v1/eggs", cases[i].order, cases[i].part);
	expect_error(400, "invalid", "csr", "POST", "/v1/eggs", "{'workload':'shop'}");
	cr_expect_eq(rig_count(rig.db, "egg/"), 0);
}

Test(rot_api, mints_no_egg_for_a_missing_workload_nor_twice_for_one_key)
{
	struct seal_json *body = rig_json("{'workload':'bank'}");
	struct seal_key *key = NULL;
	char *csr;

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	seal_json_set_str(body, "csr", csr);
	rig_expect_error(rig.local, 404, "missing", "bank", "POST", "/v1/eggs", body);
	seal_json_set_str(body, "workload", "shop");
	rig_expect(&rig, 201, "POST", "/v1/eggs", body);
	rig_expect_error(rig.local, 409, "conflict", "key", "POST", "/v1/eggs", body);
	cr_expect_eq(rig_count(rig.db, "egg/"), 1);
	free(csr);
	seal_key_free(key);
	seal_json_free(body);
}

Test(rot_api, issues_certificates_for_machines_outside)
{
	struct seal_json *body = rig_json("{'workload':'shop','peer':'db','ttl':600,"
					  "'hostnames':['db.example.com']}");
	struct seal_strv allowed = pki_strv("db", NULL);
	struct seal_certs *chain = NULL, *anchors = NULL;
	struct seal_json *reply = NULL;
	struct seal_key *key = NULL;
	struct seal_peer peer;
	struct seal_err err = { 0 };
	const char *pem;
	char *csr;

	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	seal_json_set_str(body, "csr", csr);
	cr_assert_eq(rig_call(rig.local, "POST", "/v1/certs", body, &reply), 201);
	pem = text_of(reply, "certificate");
	cr_assert_eq(seal_certs_from_pem(&chain, pem, strlen(pem), 16384, &err), 0, "%s", err.text);
	pem = text_of(reply, "ca_bundle");
	cr_assert_eq(seal_certs_from_pem(&anchors, pem, strlen(pem), 16384, &err), 0);
	const struct seal_peer_rules rules = { .anchors = anchors,
					       .trust_domain = RIG_DOMAIN,
					       .workload = "shop",
					       .allowed = &allowed,
					       .hostname = "db.example.com" };
	cr_expect_eq(
		seal_peer_verify(&peer, &rules, chain, SEAL_SIDE_SERVER, seal_clock_now(), &err), 0,
		"%s", err.text);
	cr_expect_str_eq(text_of(reply, "serial"), peer.serial);
	cr_expect_eq((int64_t)number(reply, "not_after"), peer.not_after);
	seal_json_free(reply);
	seal_json_set_str(body, "workload", "bank");
	rig_expect_error(rig.local, 404, "missing", "bank", "POST", "/v1/certs", body);
	free(csr);
	seal_key_free(key);
	seal_certs_free(chain);
	seal_certs_free(anchors);
	seal_strv_release(&allowed);
	seal_json_free(body);
}

Test(rot_api, refuses_certificates_that_break_a_rule)
{
	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	expect_order_refused("/v1/certs", "{'workload':'shop','ttl':59}", "ttl");
	expect_order_refused("/v1/certs", "{'workload':'shop','ttl':604801}", "ttl");
	expect_order_refused("/v1/certs", "{'workload':'shop','hostnames':['*.example.com']}",
			     "hostnames");
	expect_order_refused("/v1/certs", "{'workload':'shop','hostnames':['db']}", "hostnames");
	expect_order_refused("/v1/certs", "{'workload':'shop','peer':'admin'}", "peer");
	expect_order_refused("/v1/certs", "{'workload':'shop','max_hatches':1}", "max_hatches");
	cr_expect_eq(rig_count(rig.db, "cert/"), 0);
}

Test(rot_api, the_local_socket_is_for_its_owner_alone)
{
	struct stat st;

	cr_assert_eq(stat(rig.socket, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	rig_expect_error(rig.local, 403, "refused", "hatch refused", "POST", "/v1/hatch", NULL);
	rig_expect_error(rig.local, 403, "refused", "renewal refused", "POST", "/v1/renew", NULL);
}

Test(rot_api, serves_operators_over_tls_by_their_role)
{
	struct rot_client *admin = rig_operator(&rig, "admin");
	struct rot_client *ci = rig_operator(&rig, "ci");
	struct seal_json *body = rig_json("{'name':'shop'}");

	cr_expect_eq(rig_call(admin, "GET", "/v1/status", NULL, NULL), 200);
	cr_expect_eq(rig_call(admin, "POST", "/v1/workloads", body, NULL), 201);
	cr_expect_eq(rig_call(ci, "GET", "/v1/status", NULL, NULL), 200);
	cr_expect_eq(rig_call(ci, "GET", "/v1/workloads/shop", NULL, NULL), 200);
	cr_expect_eq(rig_call(ci, "GET", "/v1/eggs", NULL, NULL), 200);
	rig_expect_error(ci, 403, "forbidden", NULL, "POST", "/v1/workloads", body);
	rig_expect_error(ci, 403, "forbidden", NULL, "DELETE", "/v1/workloads/shop", NULL);
	rig_expect_error(ci, 403, "forbidden", NULL, "POST", "/v1/peers", body);
	rig_expect_error(ci, 403, "forbidden", NULL, "POST", "/v1/certs", body);
	rig_expect_error(ci, 403, "forbidden", NULL, "DELETE",
			 "/v1/eggs/00000000000000000000000000000000", NULL);
	rig_expect_error(ci, 403, "refused", NULL, "POST", "/v1/hatch", body);
	rig_expect_error(ci, 400, "invalid", NULL, "POST", "/v1/eggs", body);
	cr_expect_eq(rig_count(rig.db, "workload/"), 1);
	rot_client_free(admin);
	rot_client_free(ci);
	seal_json_free(body);
}

static void
expect_no_connection(const struct pki_id *id, const char *what)
{
	struct rot_client *client = rig_client(&rig, id->chain, id->key);
	struct seal_bytes reply = SEAL_BYTES(65536);
	struct seal_err err = { 0 };
	unsigned status = 0;

	cr_expect_lt(rot_client_call(client, "GET", "/v1/status", NULL, 0, &status, &reply, &err),
		     0, "answered %u to %s", status, what);
	seal_bytes_release(&reply);
	rot_client_free(client);
}

Test(rot_api, speaks_to_nobody_whose_certificate_it_did_not_issue)
{
	struct pki_id ca = pki_ca("seal system 1");
	struct seal_cert_spec spec = { .kind = SEAL_CERT_CLIENT,
				       .common_name = "alice",
				       .uri = "spiffe://" RIG_DOMAIN "/operator/admin/alice" };
	struct pki_id id = pki_issue(&ca, &spec);

	expect_no_connection(&id, "an operator of another CA");
	pki_id_release(&id);
	id = pki_pod(&ca, "shop", "web", NULL);
	expect_no_connection(&id, "a pod of no workload of ours");
	pki_id_release(&id);
	spec.uri = "spiffe://" RIG_DOMAIN "/rot";
	id = pki_issue(&ca, &spec);
	expect_no_connection(&id, "another root of trust");
	pki_id_release(&id);
	pki_id_release(&ca);
	expect(200, "GET", "/v1/status", NULL);
}

Test(rot_api, speaks_to_nobody_without_a_certificate)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(rot_server_port(rig.server)),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char hello[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[1024] = "";
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(write(fd, hello, sizeof(hello) - 1), (ssize_t)sizeof(hello) - 1);
	n = read(fd, answer, sizeof(answer) - 1);
	cr_expect_null(strstr(answer, "HTTP/"), "plain HTTP on the TLS port: %zd bytes", n);
	(void)close(fd);
}

Test(rot_api, a_store_that_fails_is_a_503_and_may_be_tried_again)
{
	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	rig_sql(rig.db, "ALTER TABLE kv RENAME TO hidden");
	expect_error(503, "unavailable", NULL, "GET", "/v1/workloads/shop", NULL);
	expect_error(503, "unavailable", NULL, "POST", "/v1/workloads", "{'name':'bank'}");
	rig_sql(rig.db, "ALTER TABLE hidden RENAME TO kv");
	expect(200, "GET", "/v1/workloads/shop", NULL);
	expect_error(404, "missing", NULL, "GET", "/v1/workloads/bank", NULL);
}

/* ---- the server around it ---- */

static void
with_health(struct rot_server_config *config)
{
	config->has_health = true;
	config->health.is_unix = true; /* a name that cannot be taken, unlike a port */
	(void)snprintf(config->health.host, sizeof(config->health.host), "%.200s.health",
		       config->local.host);
}

static unsigned
ask_health(const char *path, const char *method)
{
	struct rot_client_config config = { .unix_path = rig.config.health.host };
	struct rot_client *client = NULL;
	unsigned status;

	cr_assert_eq(rot_client_new(&client, &config, NULL), 0);
	status = send_raw(client, method, path, NULL, 0);
	rot_client_free(client);
	return status;
}

Test(rot_server, answers_for_its_health)
{
	(void)alarm(60);
	rig_start(&rig, with_health);
	cr_expect_eq(ask_health("/healthz", "GET"), 200);
	cr_expect_eq(ask_health("/readyz", "GET"), 200);
	cr_expect_eq(ask_health("/v1/status", "GET"), 404);
	cr_expect_eq(ask_health("/healthz", "DELETE"), 405);
	rig_sql(rig.db, "PRAGMA user_version = 9");
	/* Who asks hears what the store said last, and has it asked again. */
	for (unsigned i = 0; i < 500 && ask_health("/readyz", "GET") != 503; i++)
		(void)usleep(10000);
	cr_expect_eq(ask_health("/readyz", "GET"), 503);
	cr_expect_eq(ask_health("/healthz", "GET"), 200);
	rig_stop(&rig);
}

Test(rot_server, ends_and_says_so_when_the_signer_dies)
{
	(void)alarm(60);
	rig_start(&rig, NULL);
	cr_expect_not(rot_server_failed(rig.server));
	cr_assert_eq(shutdown(rig.signer.their_fd, SHUT_RDWR), 0);
	rig_ended(&rig);
	cr_expect(rot_server_failed(rig.server));
	rot_server_free(SEAL_TAKE(rig.server));
	cr_expect_neq(access(rig.socket, F_OK), 0, "the socket was left behind");
	rot_client_free(rig.local);
	rig_release(&rig);
}

Test(rot_server, says_which_address_it_cannot_listen_on)
{
	struct rot_server_config config;
	struct rot_server *server = NULL;
	struct seal_err err = { 0 };
	char port[16];

	(void)alarm(60);
	rig_start(&rig, NULL);
	config = rig.config;
	config.listen.port = rot_server_port(rig.server);
	(void)snprintf(config.local.host, sizeof(config.local.host), "%.200s/other", rig.home);
	cr_expect_lt(
		rot_server_new(&server, rig.loop, &config, rig.store, &rig.signer.signer, &err), 0);
	(void)snprintf(port, sizeof(port), ":%u", config.listen.port);
	cr_expect_not_null(strstr(err.text, port), "%s", err.text);
	cr_expect_null(server);
	cr_expect_neq(access(config.local.host, F_OK), 0, "a socket was left behind");
	rig_stop(&rig);
}
