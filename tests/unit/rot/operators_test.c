/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server: operators come, renew and go, and a revoked one is refused with its next request. */

#include <criterion/criterion.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/server/init.h"
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

TestSuite(rot_operators, .init = setup, .fini = teardown);

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

static void
expect_state(const char *name, const char *state)
{
	struct seal_json *shown;
	char path[128];

	(void)snprintf(path, sizeof(path), "/v1/operators/%s", name);
	shown = get(path);
	cr_expect_str_eq(text_of(shown, "state"), state, "%s is %s", name, text_of(shown, "state"));
	seal_json_free(shown);
}

static void
expect_refused(struct rot_client *client, const char *part)
{
	rig_expect_error(client, 403, "forbidden", part, "GET", "/v1/status", NULL);
}

/* The client of the credential that init wrote. */
static struct rot_client *
first_admin(void)
{
	struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_secret *key_pem = NULL;
	struct seal_certs *cert = NULL;
	struct seal_key *key = NULL;
	struct rot_client *client;
	int fd;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.1000s/admin", rig.home);
	fd = seal_fs_open_dir(path, SEAL_FS_PRIVATE, NULL);
	cr_assert_geq(fd, 0);
	cr_assert_eq(seal_fs_read(&pem, fd, "cert.pem", pem.max, NULL), 0);
	cr_assert_eq(seal_fs_read_secret(&key_pem, fd, "key.pem", SEAL_CHAIN_MAX_LEN, NULL), 0);
	cr_assert_eq(seal_certs_from_pem(&cert, seal_bytes_str(&pem), pem.len, pem.max, NULL), 0);
	cr_assert_eq(seal_key_from_pem(&key, key_pem, NULL), 0);
	client = rig_client(&rig, cert, key);
	seal_close(fd);
	seal_bytes_release(&pem);
	seal_secret_free(key_pem);
	seal_certs_free(cert);
	seal_key_free(key);
	return client;
}

Test(rot_operators, begin_with_the_one_that_init_made)
{
	struct rot_client *admin = first_admin();
	struct seal_json *list = get("/v1/operators");
	const struct seal_json *operators = NULL;

	cr_assert_eq(seal_json_get_array(list, "operators", &operators, NULL), 0);
	cr_assert_eq(seal_json_count(operators), 1);
	cr_expect_str_eq(text_of(seal_json_at(operators, 0), "name"), ROT_ADMIN_NAME);
	cr_expect_str_eq(text_of(seal_json_at(operators, 0), "role"), "admin");
	cr_expect_str_eq(text_of(seal_json_at(operators, 0), "state"), "live");
	cr_expect_eq(strlen(text_of(seal_json_at(operators, 0), "serial")), 32);
	cr_expect_eq(rig_call(admin, "GET", "/v1/status", NULL, NULL), 200);
	seal_json_free(list);
	rot_client_free(admin);
}

Test(rot_operators, are_refused_with_the_next_request_once_revoked)
{
	struct rot_client *alice = rig_operator_named(&rig, "admin", "alice");
	struct rot_client *bob = rig_operator_named(&rig, "ci", "bob");
	struct seal_json *body = rig_json("{'name':'shop'}");
	struct seal_json *reply = NULL;
	uint64_t admins = 99;

	cr_expect_eq(rig_call(alice, "GET", "/v1/status", NULL, NULL), 200);
	cr_assert_eq(rig_call(rig.local, "DELETE", "/v1/operators/alice", NULL, &reply), 200);
	cr_expect_str_eq(text_of(reply, "state"), "revoked");
	cr_assert_eq(seal_json_get_u64(reply, "admins", 99, &admins, NULL), 0);
	cr_expect_eq(admins, 1, "the first one is left");
	expect_refused(alice, "revoked");
	rig_expect_error(alice, 403, "forbidden", "revoked", "POST", "/v1/workloads", body);
	cr_expect_eq(rig_count(rig.db, "workload/"), 0);
	cr_expect_eq(rig_call(bob, "GET", "/v1/status", NULL, NULL), 200);
	rig_expect(&rig, 200, "DELETE", "/v1/operators/alice", NULL);
	expect_state("alice", "revoked");
	seal_json_free(body);
	seal_json_free(reply);
	rot_client_free(alice);
	rot_client_free(bob);
}

Test(rot_operators, may_revoke_the_last_admin_for_the_socket_remains)
{
	struct rot_client *admin = first_admin();
	struct seal_json *reply = NULL;
	uint64_t admins = 99;

	cr_assert_eq(rig_call(admin, "DELETE", "/v1/operators/" ROT_ADMIN_NAME, NULL, &reply), 200);
	cr_assert_eq(seal_json_get_u64(reply, "admins", 99, &admins, NULL), 0);
	cr_expect_eq(admins, 0);
	expect_refused(admin, "revoked");
	rot_client_free(admin);
	admin = rig_operator_named(&rig, "admin", "second");
	cr_expect_eq(rig_call(admin, "GET", "/v1/status", NULL, NULL), 200);
	rot_client_free(admin);
	seal_json_free(reply);
}

Test(rot_operators, of_the_same_name_are_told_apart)
{
	struct rot_client *first = rig_operator_named(&rig, "admin", "alice");
	struct rot_client *second;
	struct seal_json *body = rig_json("{'name':'alice','role':'ci'}");
	struct seal_key *key = NULL;
	char *csr;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	seal_json_set_str(body, "csr", csr);
	rig_expect_error(rig.local, 409, "conflict", "alice", "POST", "/v1/operators", body);
	rig_expect(&rig, 200, "DELETE", "/v1/operators/alice", NULL);
	second = rig_operator_named(&rig, "admin", "alice");
	cr_expect_eq(rig_call(second, "GET", "/v1/status", NULL, NULL), 200);
	expect_refused(first, "revoked");
	rig_expect(&rig, 200, "DELETE", "/v1/operators/alice", NULL);
	rot_client_free(first);
	first = rig_operator_named(&rig, "ci", "alice");
	cr_expect_eq(rig_call(first, "GET", "/v1/status", NULL, NULL), 200);
	expect_refused(second, "not known");
	rot_client_free(first);
	rot_client_free(second);
	free(csr);
	seal_key_free(key);
	seal_json_free(body);
}

/* Renew over a client: its successor, with the answer's status. */
static struct rot_client *
renew(struct rot_client *client)
{
	struct seal_json *body = seal_json_new();
	struct seal_json *reply = NULL;
	struct seal_certs *cert = NULL;
	struct seal_key *key = NULL;
	struct rot_client *next;
	const char *pem;
	char *csr;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	seal_json_set_str(body, "csr", csr);
	cr_assert_eq(rig_call(client, "POST", "/v1/operators/self/renew", body, &reply), 200);
	pem = text_of(reply, "certificate");
	cr_assert_eq(seal_certs_from_pem(&cert, pem, strlen(pem), SEAL_CHAIN_MAX_LEN, NULL), 0);
	cr_expect_not_null(strstr(text_of(reply, "ca"), "BEGIN CERTIFICATE"));
	next = rig_client(&rig, cert, key);
	free(csr);
	seal_certs_free(cert);
	seal_key_free(key);
	seal_json_free(body);
	seal_json_free(reply);
	return next;
}

Test(rot_operators, renew_their_own_and_nobody_elses)
{
	struct rot_client *alice = rig_operator_named(&rig, "auditor", "alice");
	struct rot_client *lost = renew(alice);
	struct rot_client *next = renew(alice); /* the first answer was lost on the way */
	struct seal_json *body = seal_json_new();
	struct seal_json *status = NULL;
	const struct seal_json *caller = NULL;

	cr_expect_eq(rig_call(next, "GET", "/v1/status", NULL, &status), 200);
	cr_assert_eq(seal_json_get_object(status, "caller", &caller, NULL), 0);
	cr_expect_str_eq(text_of(caller, "name"), "alice");
	cr_expect_str_eq(text_of(caller, "role"), "auditor");
	cr_expect_eq(rig_call(alice, "GET", "/v1/status", NULL, NULL), 200,
		     "the old one is good until the next renewal");
	expect_refused(lost, "revoked");
	rot_client_free(lost);
	lost = renew(next);
	expect_refused(alice, "revoked");
	rig_expect_error(alice, 403, "forbidden", "revoked", "POST", "/v1/operators/self/renew",
			 body);
	rig_expect_error(rig.local, 409, "conflict", "socket", "POST", "/v1/operators/self/renew",
			 body);
	rig_expect_error(next, 400, "invalid", "csr", "POST", "/v1/operators/self/renew", body);
	rig_expect(&rig, 200, "DELETE", "/v1/operators/alice", NULL);
	expect_refused(next, "revoked");
	expect_refused(lost, "revoked");
	seal_json_free(body);
	seal_json_free(status);
	rot_client_free(alice);
	rot_client_free(next);
	rot_client_free(lost);
}

/* Each is a good order but for one thing. */
Test(rot_operators, are_refused_with_a_sentence_when_an_order_breaks_a_rule)
{
	static const struct {
		const char *order;
		const char *part;
	} cases[] = {
		{ "{}", "name" },
		{ "{'name':'alice'}", "role" },
		{ "{'role':'ci'}", "name" },
		{ "{'name':'Alice','role':'ci'}", "name" },
		{ "{'name':'-','role':'ci'}", "name" },
		{ "{'name':'alice-','role':'ci'}", "name" },
		{ "{'name':'local','role':'ci'}", "reserved" },
		{ "{'name':'self','role':'ci'}", "reserved" },
		{ "{'name':'alice','role':'root'}", "role" },
		{ "{'name':'alice','role':'Admin'}", "role" },
		{ "{'name':'alice','role':''}", "role" },
		{ "{'name':'alice','role':7}", "role" },
		{ "{'name':'alice','role':'ci','ttl':59}", "ttl" },
		{ "{'name':'alice','role':'ci','ttl':31622401}", "ttl" },
		{ "{'name':'alice','role':'ci','ttl':'90d'}", "ttl" },
		{ "{'name':'alice','role':'ci','csr':'x'}", "csr" },
		{ "{'name':'alice','role':'ci','serial':'x'}", "serial" },
	};
	struct seal_key *key = NULL;
	char *csr;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_json *body = rig_json(cases[i].order);

		if (!seal_json_has(body, "csr"))
			seal_json_set_str(body, "csr", csr);
		rig_expect_error(rig.local, 400, "invalid", cases[i].part, "POST", "/v1/operators",
				 body);
		seal_json_free(body);
	}
	cr_expect_eq(rig_count(rig.db, "operator/"), 1);
	rig_expect_error(rig.local, 404, "missing", "nobody", "GET", "/v1/operators/nobody", NULL);
	rig_expect_error(rig.local, 404, "missing", "nobody", "DELETE", "/v1/operators/nobody",
			 NULL);
	rig_expect_error(rig.local, 400, "invalid", NULL, "GET", "/v1/operators/NO", NULL);
	free(csr);
	seal_key_free(key);
}

Test(rot_operators, are_listed_in_pages)
{
	struct seal_json *page;
	const struct seal_json *list = NULL;
	char name[16];

	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "o%s",
			       i == 0   ? ""
			       : i == 1 ? "-a"
			       : i == 2 ? "0"
					: "a");
		rot_client_free(rig_operator_named(&rig, "ci", name));
	}
	/* first, o, o-a, o0, oa */
	page = get("/v1/operators?limit=2");
	cr_assert_eq(seal_json_get_array(page, "operators", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), 2);
	cr_expect_str_eq(text_of(page, "next"), "o");
	seal_json_free(page);
	page = get("/v1/operators?limit=2&after=o");
	cr_assert_eq(seal_json_get_array(page, "operators", &list, NULL), 0);
	cr_expect_str_eq(text_of(seal_json_at(list, 0), "name"), "o-a");
	cr_expect_str_eq(text_of(page, "next"), "o0");
	seal_json_free(page);
	page = get("/v1/operators?limit=2&after=o0");
	cr_assert_eq(seal_json_get_array(page, "operators", &list, NULL), 0);
	cr_expect_eq(seal_json_count(list), 1);
	cr_expect_not(seal_json_has(page, "next"));
	seal_json_free(page);
}

/* A store that knew no operators: the certificate of its first one counts, until it is renewed. */
Test(rot_operators, of_an_older_store_are_the_one_that_it_had)
{
	struct rot_client *admin = first_admin();
	struct rot_client *alice = rig_operator_named(&rig, "ci", "alice");
	struct seal_json *shown;
	struct rot_client *next;

	rig_edit(rig.db, "operator/first", "serial", "''");
	rig_edit(rig.db, "operator/first", "adopted", "true");
	cr_expect_eq(rig_call(admin, "GET", "/v1/status", NULL, NULL), 200);
	shown = get("/v1/operators/first");
	cr_expect_eq(seal_json_kind(seal_json_member(shown, "serial")), SEAL_JSON_NULL);
	seal_json_free(shown);
	next = renew(admin);
	rot_client_free(renew(next));
	expect_refused(admin, "revoked");
	/* Without a record a good certificate is nobody's. */
	rig_remove(rig.db, "operator/alice");
	expect_refused(alice, "not known");
	rig_edit(rig.db, "operator/first", "serial", "''");
	rig_expect_error(next, 503, "unavailable", NULL, "GET", "/v1/status", NULL);
	rot_client_free(admin);
	rot_client_free(alice);
	rot_client_free(next);
}
