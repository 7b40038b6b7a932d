/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: every endpoint there is, asked by everybody there is.  A route without a line in this table fails
 * the test, and so does a line without a route.
 */

#include <criterion/criterion.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rot/server/api_internal.h"
#include "tests/unit/rot/rig.h"

enum who { ADMIN, CI, AUDITOR, EGG, POD, LOCAL, WHO_COUNT };

static const char *const who_names[] = { "admin", "ci", "auditor", "egg", "pod", "local" };

/*
 * A letter for each that may, in the order above.  refusal: the one sentence of pods' endpoints, NULL elsewhere; id:
 * what stands for the path's first *.
 */
static const struct line {
	const char *method;
	const char *path;
	const char *may; /* a, c, u(ditor), e, p, l */
	const char *refusal;
	const char *id;
} table[] = {
	{ "GET", "/v1/status", "acu--l", NULL, NULL },
	{ "GET", "/v1/workloads", "acu--l", NULL, NULL },
	{ "POST", "/v1/workloads", "a----l", NULL, NULL },
	{ "GET", "/v1/workloads/*", "acu--l", NULL, "shop" },
	{ "DELETE", "/v1/workloads/*", "a----l", NULL, "gone" },
	{ "POST", "/v1/workloads/*/keys", "a----l", NULL, "shop" },
	{ "POST", "/v1/workloads/*/keys/*/switch", "a----l", NULL, "shop" },
	{ "DELETE", "/v1/workloads/*/keys/*", "a----l", NULL, "shop" },
	{ "POST", "/v1/workloads/*/cas", "a----l", NULL, "shop" },
	{ "POST", "/v1/workloads/*/cas/*/switch", "a----l", NULL, "shop" },
	{ "DELETE", "/v1/workloads/*/cas/*", "a----l", NULL, "shop" },
	{ "GET", "/v1/operators", "a-u--l", NULL, NULL },
	{ "POST", "/v1/operators", "a----l", NULL, NULL },
	{ "POST", "/v1/operators/self/renew", "acu--l", NULL, NULL },
	{ "GET", "/v1/operators/*", "a-u--l", NULL, "first" },
	{ "DELETE", "/v1/operators/*", "a----l", NULL, "nobody" },
	{ "GET", "/v1/peers", "acu--l", NULL, NULL },
	{ "POST", "/v1/peers", "a----l", NULL, NULL },
	{ "DELETE", "/v1/peers", "a----l", NULL, NULL },
	{ "POST", "/v1/peers/revoke", "a----l", NULL, NULL },
	{ "GET", "/v1/eggs", "acu--l", NULL, NULL },
	{ "POST", "/v1/eggs", "ac---l", NULL, NULL },
	{ "GET", "/v1/eggs/*", "acu--l", NULL, "00000000000000000000000000000000" },
	{ "DELETE", "/v1/eggs/*", "a----l", NULL, "00000000000000000000000000000000" },
	{ "POST", "/v1/certs", "a----l", NULL, NULL },
	{ "GET", "/v1/certs", "acu--l", NULL, NULL },
	{ "GET", "/v1/certs/*", "acu--l", NULL, "00000000000000000000000000000000" },
	{ "DELETE", "/v1/certs/*", "a----l", NULL, "00000000000000000000000000000000" },
	{ "POST", "/v1/seal", "ac---l", NULL, NULL },
	{ "POST", "/v1/unseal", "a----l", NULL, NULL },
	{ "GET", "/v1/audit", "a-u--l", NULL, NULL },
	{ "GET", "/v1/audit/head", "a-u--l", NULL, NULL },
	{ "GET", "/v1/audit/heads", "a-u--l", NULL, NULL },
	{ "GET", "/v1/audit/log", "a-u--l", NULL, NULL },
	{ "GET", "/v1/enrolments", "a-u--l", NULL, NULL },
	{ "POST", "/v1/enrolments", "a----l", NULL, NULL },
	{ "DELETE", "/v1/enrolments/*", "a----l", NULL, "00000000000000000000000000000000" },
	{ "POST", "/v1/hatch", "---e--", "hatch refused", NULL },
	{ "POST", "/v1/renew", "----p-", "renewal refused", NULL },
	{ "GET", "/v1/sync", "----p-", "sync refused", NULL },
};

static const enum rot_right rights[] = {
	[ADMIN] = ROT_MAY_ADMIN, [CI] = ROT_MAY_CI,     [AUDITOR] = ROT_MAY_AUDIT,
	[EGG] = ROT_MAY_HATCH,   [POD] = ROT_MAY_RENEW, [LOCAL] = ROT_MAY_ADMIN,
};

static const struct line *
line_of(const char *method, const char *path)
{
	for (size_t i = 0; i < SEAL_COUNT(table); i++) {
		if (strcmp(table[i].method, method) == 0 && strcmp(table[i].path, path) == 0)
			return &table[i];
	}
	return NULL;
}

Test(rot_roles, have_a_line_for_every_route_and_a_route_for_every_line)
{
	const struct rot_route *route;
	size_t count = 0;

	for (; (route = rot_api_route(count)) != NULL; count++) {
		const struct line *line = line_of(route->method, route->path);

		cr_expect_not_null(line, "who may %s %s? add a line to the table in %s",
				   route->method, route->path, __FILE__);
		for (size_t w = 0; line != NULL && w < WHO_COUNT; w++)
			cr_expect_eq((route->rights & rights[w]) != 0, line->may[w] != '-',
				     "%s %s by %s", route->method, route->path, who_names[w]);
		/* What changes or hands out something is told in the log. */
		cr_expect(!route->changes || route->event != NULL, "%s %s", route->method,
			  route->path);
	}
	cr_expect_eq(count, SEAL_COUNT(table), "%zu routes, %zu lines", count, SEAL_COUNT(table));
}

/* ---- Asking ---- */

static struct rig rig;
static struct rot_client *clients[WHO_COUNT];

static struct rot_client *
pod_client(struct rig_egg *egg)
{
	struct rot_client *hatching = rig_client(&rig, egg->cert, egg->key);
	struct rot_request request = { .statement = egg->statement };
	struct rot_credentials credentials = { 0 };
	struct seal_certs *cert = NULL;
	struct rot_client *client;
	struct seal_key *key = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	request.csr = rig_csr(key);
	cr_assert_eq(rot_client_credentials(hatching, "/v1/hatch", &request, &credentials, &err), 0,
		     "%s", err.text);
	cr_assert_eq(seal_certs_from_pem(&cert, credentials.certificate,
					 strlen(credentials.certificate), SEAL_CHAIN_MAX_LEN, &err),
		     0, "%s", err.text);
	client = rig_client(&rig, cert, key);
	free(request.csr);
	seal_certs_free(cert);
	seal_key_free(key);
	rot_credentials_release(&credentials);
	rot_client_free(hatching);
	return client;
}

static void
setup(void)
{
	struct seal_json *body = rig_json("{'name':'shop'}");
	struct rig_egg egg;

	(void)alarm(60);
	rig_start(&rig, NULL);
	rig_expect(&rig, 201, "POST", "/v1/workloads", body);
	seal_json_free(body);
	rig_mint(&rig, "{'workload':'shop'}", &egg);
	clients[ADMIN] = rig_operator(&rig, "admin");
	clients[CI] = rig_operator(&rig, "ci");
	clients[AUDITOR] = rig_operator(&rig, "auditor");
	clients[EGG] = rig_client(&rig, egg.cert, egg.key);
	clients[POD] = pod_client(&egg);
	clients[LOCAL] = rig.local;
	rig_egg_release(&egg);
}

static void
teardown(void)
{
	for (size_t w = 0; w < LOCAL; w++)
		rot_client_free(clients[w]);
	rig_stop(&rig);
}

static void
fill_path(const struct line *line, char *out, size_t size)
{
	size_t len = 0;
	bool first = true;

	/* A second star is a generation. */
	for (const char *at = line->path; *at != '\0' && len + 1 < size; at++) {
		if (*at != '*') {
			out[len++] = *at;
			continue;
		}
		len += (size_t)snprintf(out + len, size - len, "%s", first ? line->id : "1");
		first = false;
	}
	out[len < size ? len : size - 1] = '\0';
}

/* The message of a 403, or "" with any other status, which is left in *ret_status. */
static void
ask(struct rot_client *client, const struct line *line, unsigned *ret_status, char *message,
    size_t size)
{
	struct seal_json *body = strcmp(line->method, "POST") == 0 ? seal_json_new() : NULL;
	const struct seal_json *error = NULL;
	struct seal_json *reply = NULL;
	const char *code = "", *text = "";
	char path[256];

	fill_path(line, path, sizeof(path));
	*ret_status = rig_call(client, line->method, path, body, &reply);
	message[0] = '\0';
	if (*ret_status == 403) {
		cr_assert_not_null(reply, "%s", path);
		cr_assert_eq(seal_json_get_object(reply, "error", &error, NULL), 0);
		cr_assert_eq(seal_json_get_str(error, "code", &code, NULL), 0);
		cr_assert_eq(seal_json_get_str(error, "message", &text, NULL), 0);
		(void)snprintf(message, size, "%s: %s", code, text);
	}
	seal_json_free(body);
	seal_json_free(reply);
}

static void
expect_refused(const struct line *line, const char *who, unsigned status, const char *message)
{
	char wanted[128];

	if (line->refusal != NULL)
		(void)snprintf(wanted, sizeof(wanted), "refused: %s", line->refusal);
	else
		(void)snprintf(wanted, sizeof(wanted), "forbidden: this role may not do that");
	cr_expect_eq(status, 403, "%s %s by %s: %u", line->method, line->path, who, status);
	cr_expect_str_eq(message, wanted, "%s %s by %s: '%s'", line->method, line->path, who,
			 message);
}

Test(rot_roles, are_kept_by_every_endpoint, .init = setup, .fini = teardown)
{
	char message[256];
	unsigned status;

	for (size_t i = 0; i < SEAL_COUNT(table); i++) {
		const struct line *line = &table[i];

		for (size_t w = 0; w < WHO_COUNT; w++) {
			ask(clients[w], line, &status, message, sizeof(message));
			if (line->may[w] == '-')
				expect_refused(line, who_names[w], status, message);
			else if (line->refusal == NULL) /* the request itself may be a bad one */
				cr_expect(status != 403 && status < 500, "%s %s by %s: %u %s",
					  line->method, line->path, who_names[w], status, message);
		}
	}
	/* None of all that has changed anything but an admin's key generation, or been forgotten. */
	cr_expect_eq(rig_count(rig.db, "workload/"), 1);
	cr_expect_eq(rig_count(rig.db, "egg/"), 1);
	cr_expect_eq(rig_count(rig.db, "operator/"), 4);
	cr_expect_eq(rig_sum(rig.db, "operator/", "revoked_at"), 0);
}

Test(rot_roles, give_the_auditor_no_secret, .init = setup, .fini = teardown)
{
	for (size_t i = 0; i < SEAL_COUNT(table); i++) {
		const struct line *line = &table[i];
		struct seal_bytes text = SEAL_BYTES(1u << 20);
		char path[256];

		if (line->may[AUDITOR] == '-' || strcmp(line->method, "GET") != 0)
			continue;
		fill_path(line, path, sizeof(path));
		(void)rig_get(clients[AUDITOR], path, &text);
		cr_expect_null(strstr(seal_bytes_str(&text), "PRIVATE KEY"), "%s", path);
		cr_expect_null(strstr(seal_bytes_str(&text), "\"statement\""), "%s", path);
		cr_expect_null(strstr(seal_bytes_str(&text), "wrapped"), "%s", path);
		cr_expect_null(strstr(seal_bytes_str(&text), "token"), "%s", path);
		seal_bytes_release(&text);
	}
}

/*
 * ---- Nobody ----
 *
 * Without a certificate there is no caller: the handshake ends first (tests/e2e/54-operators.sh).
 */

/* What another user hears on the local socket, which somebody has opened to all: 0 when it is what it should be. */
static int
ask_as_another(void)
{
	const struct rot_client_config config = { .unix_path = rig.socket, .timeout_ms = 20000 };
	struct rot_client *client = NULL;
	char message[256];
	unsigned status;
	int bad = 0;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 2;
	if (rot_client_new(&client, &config, NULL) < 0)
		return 3;
	for (size_t i = 0; i < SEAL_COUNT(table); i++) {
		ask(client, &table[i], &status, message, sizeof(message));
		bad |= status != 403 || strcmp(message, "forbidden: not for this caller") != 0;
	}
	rot_client_free(client);
	return bad;
}

Test(rot_roles, are_no_other_users_on_the_local_socket, .init = setup, .fini = teardown)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("needs root, to be somebody else");
	cr_assert_eq(chmod(rig.dir, 0755), 0);
	cr_assert_eq(chmod(rig.home, 0755), 0);
	cr_assert_eq(chmod(rig.socket, 0666), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(ask_as_another());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
}
