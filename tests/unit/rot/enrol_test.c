/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/enrolments: what operators ask for, and what they are told once. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "rot/server/est.h"
#include "tests/unit/rot/rig.h"

#define NOBODY "00000000000000000000000000000000"

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

TestSuite(rot_enrolments, .init = setup, .fini = teardown);

static struct seal_json *
create(const char *order)
{
	struct seal_json *body = rig_json(order), *reply = NULL;

	cr_assert_eq(rig_call(rig.local, "POST", "/v1/enrolments", body, &reply), 201, "%s", order);
	seal_json_free(body);
	return reply;
}

static const char *
text_of(const struct seal_json *object, const char *name)
{
	const char *text = NULL;

	cr_assert_eq(seal_json_get_str(object, name, &text, NULL), 0, "%s", name);
	return text;
}

static uint64_t
number_of(const struct seal_json *object, const char *name)
{
	uint64_t number = 0;

	cr_assert_eq(seal_json_get_u64(object, name, UINT64_MAX, &number, NULL), 0, "%s", name);
	return number;
}

Test(rot_enrolments, tell_the_secret_once_and_keep_its_digest)
{
	struct seal_json *made = create("{'workload':'shop','peer':'web','ttl':600,'expires':60,"
					"'hostnames':['web.example.com']}");
	struct seal_json *list = NULL;
	const char *secret = text_of(made, "secret");
	const struct seal_json *first;
	int fd;

	cr_expect_eq(strlen(secret), ROT_EST_SECRET_LEN);
	cr_expect_str_eq(text_of(made, "state"), "live");
	cr_expect_str_eq(text_of(made, "peer"), "web");
	cr_expect_eq(number_of(made, "ttl"), 600);
	cr_expect_eq(number_of(made, "not_after") - number_of(made, "created_at"), 60);
	cr_expect_not_null(strstr(text_of(made, "ca"), "BEGIN CERTIFICATE"));
	cr_assert_eq(rig_call(rig.local, "GET", "/v1/enrolments", NULL, &list), 200);
	first = seal_json_at(seal_json_member(list, "enrolments"), 0);
	cr_assert_not_null(first);
	cr_expect_str_eq(text_of(first, "id"), text_of(made, "id"));
	cr_expect_not(seal_json_has(first, "secret"));
	/* Nor does it lie in the store, or in its log. */
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX + 8];
		uint8_t buf[65536];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "%s%s", rig.db, i == 0 ? "" : "-wal");
		fd = open(path, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
			cr_expect_null(memmem(buf, (size_t)n, secret, strlen(secret)));
		if (fd >= 0)
			(void)close(fd);
	}
	seal_json_free(list);
	seal_json_free(made);
}

Test(rot_enrolments, no_two_have_an_id_or_a_secret_in_common)
{
	struct seal_json *one = create("{'workload':'shop'}"), *two = create("{'workload':'shop'}");

	cr_expect_str_neq(text_of(one, "id"), text_of(two, "id"));
	cr_expect_str_neq(text_of(one, "secret"), text_of(two, "secret"));
	cr_expect_eq(number_of(one, "ttl"), ROT_LIFETIME);
	cr_expect_eq(number_of(one, "not_after") - number_of(one, "created_at"), 3600);
	seal_json_free(one);
	seal_json_free(two);
}

Test(rot_enrolments, are_refused_for_what_cannot_be)
{
	static const struct {
		const char *order;
		unsigned status;
		const char *code;
	} bad[] = {
		{ "{}", 400, "invalid" },
		{ "{'workload':'nothere'}", 404, "missing" },
		{ "{'workload':'Shop'}", 400, "invalid" },
		{ "{'workload':'shop','peer':'rot'}", 400, "invalid" },
		{ "{'workload':'shop','hostnames':['*.example.com']}", 400, "invalid" },
		{ "{'workload':'shop','hostnames':['a.example.com','a.example.com']}", 400,
		  "invalid" },
		{ "{'workload':'shop','ttl':59}", 400, "invalid" },
		{ "{'workload':'shop','ttl':604801}", 400, "invalid" },
		{ "{'workload':'shop','expires':0}", 400, "invalid" },
		{ "{'workload':'shop','expires':2592001}", 400, "invalid" },
		{ "{'workload':'shop','secret':'mine'}", 400, "invalid" },
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_json *body = rig_json(bad[i].order);

		rig_expect_error(rig.local, bad[i].status, bad[i].code, NULL, "POST",
				 "/v1/enrolments", body);
		seal_json_free(body);
	}
	cr_expect_eq(rig_count(rig.db, "enrol"), 0);
}

Test(rot_enrolments, are_revoked_by_id)
{
	struct seal_json *made = create("{'workload':'shop'}"), *gone = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "/v1/enrolments/%s", text_of(made, "id"));
	cr_assert_eq(rig_call(rig.local, "DELETE", path, NULL, &gone), 200);
	cr_expect_str_eq(text_of(gone, "state"), "revoked");
	cr_expect_not(seal_json_has(gone, "secret"));
	rig_expect(&rig, 200, "DELETE", path, NULL);
	rig_expect_error(rig.local, 404, "missing", NULL, "DELETE", "/v1/enrolments/" NOBODY, NULL);
	rig_expect_error(rig.local, 400, "invalid", NULL, "DELETE", "/v1/enrolments/all", NULL);
	seal_json_free(made);
	seal_json_free(gone);
}

Test(rot_enrolments, est_is_served_only_when_it_was_asked_for)
{
	cr_expect_eq(rot_server_est_port(rig.server), 0);
}
