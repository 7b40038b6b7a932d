/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/audit: what the log of a running root of trust says, and to whom. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "rot/audit/entry.h"
#include "rot/audit/head.h"
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

TestSuite(rot_audit, .init = setup, .fini = teardown);

static void
expect(unsigned status, const char *method, const char *path, const char *text)
{
	struct seal_json *body = text != NULL ? rig_json(text) : NULL;

	rig_expect(&rig, status, method, path, body);
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

static const char *
text_of(const struct seal_json *object, const char *name)
{
	const char *text = NULL;

	cr_assert_eq(seal_json_get_str(object, name, &text, NULL), 0, "no '%s'", name);
	return text;
}

static uint64_t
number_of(const struct seal_json *object, const char *name)
{
	uint64_t value = UINT64_MAX;

	cr_assert_eq(seal_json_get_u64(object, name, INT64_MAX, &value, NULL), 0, "no '%s'", name);
	return value;
}

/* The entries that a question gets, all of them on one page. */
static size_t
count(const char *query)
{
	char path[512];
	struct seal_json *reply;
	const struct seal_json *entries = NULL;
	size_t got;

	(void)snprintf(path, sizeof(path), "/v1/audit?limit=500%s", query);
	reply = get(path);
	cr_assert_eq(seal_json_get_array(reply, "entries", &entries, NULL), 0);
	got = seal_json_count(entries);
	seal_json_free(reply);
	return got;
}

/* The newest entry of a question: "actor|address|workload|subject|reason". */
static void
newest(const char *query, char *out, size_t size)
{
	char path[512];
	struct seal_json *reply;
	const struct seal_json *entries = NULL, *entry;

	(void)snprintf(path, sizeof(path), "/v1/audit?limit=500%s", query);
	reply = get(path);
	cr_assert_eq(seal_json_get_array(reply, "entries", &entries, NULL), 0);
	cr_assert_gt(seal_json_count(entries), 0, "nothing for %s", query);
	entry = seal_json_at(entries, seal_json_count(entries) - 1);
	(void)snprintf(out, size, "%s|%s|%s|%s|%s", text_of(entry, "actor"),
		       text_of(entry, "address"), text_of(entry, "workload"),
		       text_of(entry, "subject"), text_of(entry, "reason"));
	seal_json_free(reply);
}

/* By the operator on the local socket. */
static void
expect_newest(const char *query, const char *workload, const char *subject, const char *reason)
{
	char got[1024], want[1024];

	newest(query, got, sizeof(got));
	(void)snprintf(want, sizeof(want), "operator/admin/local|uid %lu|%s|%s|%s",
		       (unsigned long)getuid(), workload, subject, reason);
	cr_expect_str_eq(got, want, "%s: %s", query, got);
}

static void
prepare(void)
{
	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
}

/* ---- Entries ---- */

Test(rot_audit, has_an_entry_for_every_change_and_who_made_it)
{
	char got[1024];

	prepare();
	expect_newest("&kind=workload.create", "shop", "shop", "");
	expect(201, "POST", "/v1/peers", "{'workload':'shop','client':'web','server':'db'}");
	expect_newest("&kind=peer.allow", "shop", "shop: web -> db", "");
	expect(200, "DELETE", "/v1/peers?workload=shop&client=web&server=db", NULL);
	expect_newest("&kind=peer.deny", "shop", "shop: web -> db", "");
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_newest("&kind=key.rotate", "shop", "shop: generation 2", "");
	expect(201, "POST", "/v1/workloads/shop/cas", NULL);
	expect_newest("&kind=ca.introduce", "shop", "shop: generation 2", "");
	expect(200, "DELETE", "/v1/workloads/shop", NULL);
	expect_newest("&kind=workload.delete", "shop", "shop", "");
	newest("&kind=init", got, sizeof(got));
	cr_expect_eq(strncmp(got, "rot|||" RIG_DOMAIN ": ", strlen("rot|||" RIG_DOMAIN ": ")), 0,
		     "%s", got);
	cr_expect_not_null(strstr(got, " for operator/admin/"), "%s", got);
	newest("&kind=cert.issue", got, sizeof(got));
	cr_expect_not_null(strstr(got, " for the root of trust itself|"), "%s", got);
}

Test(rot_audit, has_an_entry_for_every_refusal_and_none_for_reading)
{
	struct rot_client *ci = rig_operator(&rig, "ci");
	size_t before;
	char got[1024];

	prepare();
	before = count("");
	seal_json_free(get("/v1/workloads"));
	expect(404, "GET", "/v1/workloads/bank", NULL);
	cr_expect_eq(count(""), before, "reading is told");
	expect(409, "POST", "/v1/workloads", "{'name':'shop'}");
	expect_newest("&refused=1&kind=workload.create", "shop", "",
		      "there is a workload 'shop' already");
	expect(404, "DELETE", "/v1/workloads/bank", NULL);
	cr_expect_eq(count("&refused=1&workload=bank"), 1);
	rig_expect_error(ci, 403, "forbidden", NULL, "GET", "/v1/audit", NULL);
	newest("&refused=1&kind=other", got, sizeof(got));
	cr_expect_eq(strncmp(got, "operator/ci/", 12), 0, "%s", got);
	cr_expect_not_null(strstr(got, "|this role may not do that"), "%s", got);
	rig_expect_error(ci, 403, "forbidden", NULL, "DELETE", "/v1/workloads/shop", NULL);
	cr_expect_eq(count("&refused=1&kind=workload.delete"), 2);
	rot_client_free(ci);
}

/* A secret in the wrong place of a request is not kept for ever. */
Test(rot_audit, repeats_nothing_of_a_malformed_request)
{
	char got[1024];

	expect(400, "POST", "/v1/workloads", "{'name':'Hunter2 secret'}");
	expect(400, "POST", "/v1/workloads", "{'hunter2':'shop'}");
	newest("&refused=1&kind=workload.create", got, sizeof(got));
	cr_expect_not_null(strstr(got, "not a valid request"), "%s", got);
	cr_expect_eq(count("&refused=1&kind=workload.create"), 2);
	cr_expect_null(strstr(got, "unter2"), "%s", got);
}

Test(rot_audit, tells_hatches_and_what_pods_are_refused)
{
	struct rot_client *client;
	struct rig_egg egg;
	struct rot_request request = { 0 };
	struct rot_credentials got = { 0 };
	struct seal_key *key = NULL;
	struct seal_err err = { 0 };
	char line[1024], actor[80];
	char *csr;

	prepare();
	rig_mint(&rig,
		 "{'workload':'shop','peer':'web','max_hatches':1,"
		 "'hostnames':['*.shop.example.com']}",
		 &egg);
	client = rig_client(&rig, egg.cert, egg.key);
	cr_assert_eq(seal_key_new(&key, &err), 0);
	csr = rig_csr(key);
	request.statement = egg.statement;
	request.csr = csr;
	cr_assert_eq(seal_strv_add(&request.hostnames, "a.shop.example.com", &err), 0);
	cr_assert_eq(rot_client_credentials(client, "/v1/hatch", &request, &got, &err), 0, "%s",
		     err.text);
	(void)snprintf(actor, sizeof(actor), "egg/%s|127.0.0.1:", egg.id);
	newest("&kind=hatch", line, sizeof(line));
	cr_expect_eq(strncmp(line, actor, strlen(actor)), 0, "%s", line);
	cr_expect_not_null(strstr(line, "|shop|"), "%s", line);
	cr_expect_not_null(strstr(line, " for shop/web: a.shop.example.com|"), "%s", line);
	rot_credentials_release(&got);
	cr_expect_eq(rot_client_credentials(client, "/v1/hatch", &request, &got, &err),
		     SEAL_E_REFUSED);
	newest("&kind=hatch&refused=1&workload=shop", line, sizeof(line));
	cr_expect_eq(strncmp(line, actor, strlen(actor)), 0, "%s", line);
	cr_expect_not_null(strstr(line, "|the egg's hatch budget is spent"), "%s", line);
	cr_expect_eq(count("&kind=hatch"), 2);
	seal_strv_release(&request.hostnames);
	free(csr);
	seal_key_free(key);
	rot_client_free(client);
	rig_egg_release(&egg);
}

Test(rot_audit, tells_what_was_sealed_and_opened)
{
	struct seal_json *reply = NULL, *body, *order = seal_json_new();
	const struct seal_json *list = NULL;

	prepare();
	body = rig_json(
		"{'workload':'shop','peer':'web','objects':[{'ns':'default','kind':'Secret',"
		"'name':'db','values':[{'key':'k','text':'hunter2'}]}]}");
	cr_assert_eq(rig_call(rig.local, "POST", "/v1/seal", body, &reply), 200);
	expect_newest("&kind=seal", "shop", "shop/web: 1 objects, 1 values: default/Secret/db", "");
	cr_assert_eq(seal_json_get_array(reply, "objects", &list, NULL), 0);
	cr_assert_eq(seal_json_get_array(seal_json_at(list, 0), "values", &list, NULL), 0);
	seal_json_add_str(seal_json_set_array(order, "values"),
			  text_of(seal_json_at(list, 0), "sealed"));
	rig_expect(&rig, 200, "POST", "/v1/unseal", order);
	expect_newest("&kind=unseal", "shop", "1 values of shop/web", "");
	expect(400, "POST", "/v1/unseal", "{'values':['nonsense']}");
	cr_expect_eq(count("&kind=unseal&refused=1"), 1);
	seal_json_free(order);
	seal_json_free(reply);
	seal_json_free(body);
}

Test(rot_audit, what_cannot_be_told_is_not_done)
{
	prepare();
	rig_remove(rig.db, "audit-tree");
	expect(503, "POST", "/v1/workloads", "{'name':'bank'}");
	expect(404, "GET", "/v1/workloads/bank", NULL);
	expect(503, "POST", "/v1/workloads", "{'name':'shop'}");
	expect(200, "GET", "/v1/workloads/shop", NULL);
}

/* ---- Refusals without end ---- */

static int
read_last(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	(void)n;
	return audit_entry_parse(arg, text, len, err);
}

Test(rot_audit_end, counts_refusals_after_the_first_fifty_of_a_minute)
{
	struct audit_entry last = { 0 };
	struct seal_err err = { 0 };
	size_t told;

	(void)alarm(60);
	rig_start(&rig, NULL);
	prepare();
	for (unsigned i = 0; i < 73; i++)
		expect(409, "POST", "/v1/workloads", "{'name':'shop'}");
	told = count("&refused=1&kind=workload.create");
	cr_expect_eq(told, 50);
	cr_expect_eq(count("&kind=refusals"), 0);
	expect(404, "DELETE", "/v1/workloads/bank", NULL);
	cr_expect_eq(count("&refused=1&kind=workload.delete"), 1, "of another kind");
	/* Its end writes what was counted. */
	rot_client_free(rig.local);
	seal_wake_now(rig.stop);
	rig_ended(&rig);
	rot_server_free(SEAL_TAKE(rig.server));
	cr_assert_eq(rot_store_each_entry(rig.store, 0, 0, read_last, &last, &err), 0, "%s",
		     err.text);
	cr_expect_eq(last.kind, AUDIT_REFUSALS);
	cr_expect_str_eq(last.subject, "workload.create");
	cr_expect_eq(last.count, 73 - told);
	cr_expect(last.refused);
	cr_expect_geq(rig_count(rig.db, "audit-head/"), 1);
	rig_release(&rig);
}

/* ---- Questions ---- */

Test(rot_audit, answers_what_was_asked)
{
	char query[128];
	struct seal_json *reply;
	const struct seal_json *entries = NULL;

	prepare();
	expect(201, "POST", "/v1/workloads", "{'name':'bank'}");
	cr_expect_eq(count("&workload=bank"), 1);
	cr_expect_eq(count("&kind=workload.create"), 2);
	cr_expect_eq(count("&kind=workload.create,init"), 3);
	cr_expect_eq(count("&until=1000"), 0);
	(void)snprintf(query, sizeof(query), "&since=%lld", (long long)seal_clock_now() + 1000);
	cr_expect_eq(count(query), 0);
	cr_expect_eq(count("&refused=1"), 0);
	reply = get("/v1/audit?limit=1");
	cr_expect_eq(number_of(reply, "next"), 0);
	seal_json_free(reply);
	reply = get("/v1/audit?limit=1&after=0");
	cr_assert_eq(seal_json_get_array(reply, "entries", &entries, NULL), 0);
	cr_assert_eq(seal_json_count(entries), 1);
	cr_expect_eq(number_of(seal_json_at(entries, 0), "n"), 1);
	seal_json_free(reply);
	reply = get("/v1/audit?after=100");
	cr_expect_not(seal_json_has(reply, "next"));
	cr_expect_not(seal_json_has(reply, "last"));
	seal_json_free(reply);
}

Test(rot_audit, refuses_questions_that_cannot_be_meant)
{
	static const char *const paths[] = {
		"/v1/audit?limit=0",        "/v1/audit?limit=501",     "/v1/audit?after=-1",
		"/v1/audit?after=x",        "/v1/audit?kind=nonsense", "/v1/audit?kind=",
		"/v1/audit?workload=B",     "/v1/audit?since=today",   "/v1/audit?refused=yes",
		"/v1/audit/log?from=x",     "/v1/audit/log?limit=x",   "/v1/audit/heads?from=x",
		"/v1/audit/log?from=1e300", "/v1/audit?until=-5",
	};

	for (size_t i = 0; i < SEAL_COUNT(paths); i++)
		expect(400, "GET", paths[i], NULL);
}

/* ---- The log against its head ---- */

static uint64_t
check_lines(struct audit_check *check, const struct seal_bytes *text)
{
	const char *at = seal_bytes_str(text);
	struct seal_err err = { 0 };
	uint64_t lines = 0;

	while (*at != '\0') {
		size_t len = strcspn(at, "\n");

		cr_assert_eq(audit_check_entry(check, at, len, &err), 0, "%s", err.text);
		lines++;
		at += len + 1;
	}
	return lines;
}

Test(rot_audit, hands_out_a_log_that_its_head_proves)
{
	struct seal_bytes page = SEAL_BYTES(1u << 20);
	struct audit_report report = { 0 };
	struct audit_check *check = NULL;
	struct audit_head head = { 0 };
	struct seal_err err = { 0 };
	struct seal_json *reply;
	char path[64];

	prepare();
	expect(201, "POST", "/v1/workloads", "{'name':'bank'}");
	reply = get("/v1/audit/head");
	cr_assert_eq(audit_head_parse(&head, text_of(reply, "head"), strlen(text_of(reply, "head")),
				      &err),
		     0, "%s", err.text);
	cr_expect_eq(number_of(reply, "size"), head.size);
	seal_json_free(reply);
	expect(201, "POST", "/v1/workloads", "{'name':'later'}");
	cr_assert_eq(audit_check_new(&check, &err), 0);
	cr_assert_eq(audit_check_head(check, &head, &err), 0);
	for (uint64_t from = 0, lines = 1; lines > 0; from += lines) {
		seal_bytes_reset(&page);
		(void)snprintf(path, sizeof(path), "/v1/audit/log?limit=2&from=%llu",
			       (unsigned long long)from);
		cr_assert_eq(rig_get(rig.local, path, &page), 200);
		lines = check_lines(check, &page);
		cr_assert_leq(lines, 2);
	}
	cr_assert_eq(audit_check_end(check, &report, &err), 0, "%s", err.text);
	cr_expect_eq(report.covered, head.size);
	cr_expect_gt(report.size, head.size);
	audit_check_free(check);
	seal_bytes_release(&page);
}
