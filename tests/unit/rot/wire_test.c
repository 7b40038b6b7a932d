/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of docs/ROT-PROTOCOL.md, written and read back, and everything that is none of them. */

#include "rot/wire/wire.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs/fs.h"
#include "tests/support/pki.h"

#define HATCH                                                                                      \
	"{\"statement\":\"s\",\"csr\":\"c\",\"hostnames\":[\"a.example.com\",\"b.example.com\"]}"
#define RENEWAL "{\"csr\":\"c\"}"
#define CREDENTIALS                                                                                \
	"{\"certificate\":\"C\",\"ca_bundle\":\"B\",\"workload\":\"shop\",\"peer\":\"web\","       \
	"\"clients\":[\"*\"],\"servers\":[\"db\",\"cache\"],\"keys\":[],\"floor\":{},"             \
	"\"epoch\":7,\"renew_after\":1800000000}"

/* Parses as a hatch or a renewal; what is refused must leave nothing behind. */
static int
parse_request(const char *text, size_t len, bool hatch)
{
	struct rot_request request = { 0 };
	struct seal_err err = { 0 };
	int r = rot_request_parse(&request, hatch, text, len, &err);

	if (r < 0) {
		cr_expect_null(request.csr, "left something behind: %.*s", (int)len, text);
		cr_expect_null(request.statement);
		cr_expect_eq(request.hostnames.count, 0);
		cr_expect_eq(err.code, r, "%s", err.text);
		cr_expect_neq(err.text[0], '\0');
	}
	rot_request_release(&request);
	return r;
}

static int
parse_credentials(const char *text, size_t len)
{
	struct rot_credentials got = { 0 };
	struct seal_err err = { 0 };
	int r = rot_credentials_parse(&got, text, len, &err);

	if (r < 0) {
		cr_expect_eq(got.key_count + got.floor_count, 0);
		cr_expect_null(got.keys);
		cr_expect_null(got.floor);
		cr_expect_null(got.certificate, "left something behind: %.*s", (int)len, text);
		cr_expect_null(got.ca_bundle);
		cr_expect_eq(got.clients.count + got.servers.count, 0);
		cr_expect_eq(err.code, r, "%s", err.text);
	}
	rot_credentials_release(&got);
	return r;
}

/* text with the first occurrence of from replaced by to.  Owned by the caller. */
static char *
with(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out = NULL;

	cr_assert_not_null(at, "'%s' is not in '%s'", from, text);
	cr_assert_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
	return out;
}

Test(wire_request, comes_back_as_it_was_sent)
{
	struct rot_request sent = { .statement = (char *)(uintptr_t) "st\"ate",
				    .csr = (char *)(uintptr_t) "line\nline\n" };
	struct rot_request got = { 0 };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);

	sent.hostnames = pki_strv("a.example.com", "b.example.com", NULL);
	cr_assert_eq(rot_request_encode(&sent, &body, NULL), 0);
	cr_assert_eq(rot_request_parse(&got, true, body.data, body.len, NULL), 0);
	cr_expect_str_eq(got.statement, sent.statement);
	cr_expect_str_eq(got.csr, sent.csr);
	cr_expect(seal_strv_equal(&got.hostnames, &sent.hostnames));
	rot_request_release(&got);
	seal_strv_release(&sent.hostnames);
	seal_bytes_release(&body);
}

Test(wire_request, of_a_renewal_is_the_key_and_nothing_else)
{
	struct rot_request sent = { .csr = (char *)(uintptr_t) "c" };
	struct rot_request got = { 0 };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);

	sent.hostnames = pki_strv("a.example.com", NULL);
	cr_assert_eq(rot_request_encode(&sent, &body, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&body), RENEWAL);
	cr_assert_eq(rot_request_parse(&got, false, body.data, body.len, NULL), 0);
	cr_expect_null(got.statement);
	cr_expect_eq(got.hostnames.count, 0);
	rot_request_release(&got);
	seal_strv_release(&sent.hostnames);
	seal_bytes_release(&body);
}

Test(wire_request, needs_no_hostnames)
{
	static const char text[] = "{\"statement\":\"s\",\"csr\":\"c\"}";

	cr_expect_eq(parse_request(text, strlen(text), true), 0);
}

Test(wire_request, refuses_every_truncation)
{
	for (size_t n = 0; n < strlen(HATCH); n++)
		cr_expect_lt(parse_request(HATCH, n, true), 0, "accepted %zu bytes", n);
	for (size_t n = 0; n < strlen(RENEWAL); n++)
		cr_expect_lt(parse_request(RENEWAL, n, false), 0, "accepted %zu bytes", n);
}

Test(wire_request, is_not_one_where_the_other_is_meant)
{
	cr_expect_eq(parse_request(HATCH, strlen(HATCH), false), SEAL_E_FORMAT);
	cr_expect_eq(parse_request(RENEWAL, strlen(RENEWAL), true), SEAL_E_FORMAT);
}

Test(wire_request, evidence_may_come_with_it)
{
	static const char with[] = "{\"evidence\":{\"tee\":\"x\"},\"csr\":\"c\"}";

	cr_expect_eq(parse_request(with, strlen(with), false), 0);
}

Test(wire_request, refuses_what_it_does_not_know_or_cannot_be_meant)
{
	static const struct {
		const char *from, *to;
	} bad[] = {
		{ "{", "{\"subject\":\"x\"," },
		{ "{", "{\"Csr\":\"x\"," },
		{ "{", "{\"csr\":\"x\"," }, /* twice */
		{ "\"statement\":\"s\",", "" },
		{ ",\"csr\":\"c\"", "" },
		{ "\"s\"", "\"\"" },
		{ "\"c\"", "\"\"" },
		{ "\"s\"", "1" },
		{ "\"s\"", "null" },
		{ "\"c\"", "[\"c\"]" },
		{ "\"c\"", "true" },
		{ "\"s\"", "\"a\\u0000b\"" },
		{ "[\"a.example.com\",\"b.example.com\"]", "\"a.example.com\"" },
		{ "[\"a.example.com\",\"b.example.com\"]", "{}" },
		{ "[\"a.example.com\",\"b.example.com\"]", "null" },
		{ "\"a.example.com\"", "1" },
		{ "\"a.example.com\"", "\"\"" },
		{ "\"a.example.com\"", "\"b.example.com\"" }, /* twice */
		{ "\"a.example.com\"", "\"*.example.com\"" }, /* patterns are the egg's */
		{ "\"a.example.com\"", "\"web\"" },           /* would collide with a peer */
		{ "\"a.example.com\"", "\"A.example.com\"" },
		{ "\"a.example.com\"", "\"10.0.0.1\"" },
		{ "\"a.example.com\"", "\"a.example.com.\"" },
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		char *text = with(HATCH, bad[i].from, bad[i].to);
		int r = parse_request(text, strlen(text), true);

		cr_expect_eq(r, SEAL_E_FORMAT, "%d for %s", r, text);
		free(text);
	}
}

Test(wire_request, bounds_the_host_names)
{
	struct rot_request sent = { .statement = (char *)(uintptr_t) "s",
				    .csr = (char *)(uintptr_t) "c" };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);

	for (int i = 0; i <= ROT_MAX_HOSTNAMES; i++) {
		char name[32];

		seal_bytes_reset(&body);
		cr_assert_eq(rot_request_encode(&sent, &body, NULL), 0);
		cr_expect_eq(parse_request(seal_bytes_str(&body), body.len, true), 0, "%d names",
			     i);
		(void)snprintf(name, sizeof(name), "h%d.example.com", i);
		cr_assert_eq(seal_strv_add(&sent.hostnames, name, NULL), 0);
	}
	seal_bytes_reset(&body);
	cr_assert_eq(rot_request_encode(&sent, &body, NULL), 0);
	cr_expect_eq(parse_request(seal_bytes_str(&body), body.len, true), SEAL_E_LIMIT);
	seal_strv_release(&sent.hostnames);
	seal_bytes_release(&body);
}

Test(wire_request, bounds_the_body)
{
	size_t len = ROT_MAX_BODY + 1;
	char *text = malloc(len);

	cr_assert_not_null(text);
	memset(text, ' ', len);
	memcpy(text, RENEWAL, strlen(RENEWAL));
	cr_expect_eq(parse_request(text, len, false), SEAL_E_LIMIT);
	cr_expect_eq(parse_request(text, len - 1, false), 0);
	free(text);
}

Test(wire_credentials, come_back_as_they_were_sent)
{
	struct rot_credentials sent = { .certificate = (char *)(uintptr_t) "C\n",
					.ca_bundle = (char *)(uintptr_t) "B\n",
					.workload = "shop",
					.peer = "any",
					.epoch = UINT64_C(1) << 40,
					.renew_after = 1800000000 };
	struct rot_credentials got = { 0 };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);

	sent.clients = pki_strv("*", NULL);
	sent.servers = pki_strv("any", "db", NULL);
	cr_assert_eq(rot_credentials_encode(&sent, &body, NULL), 0);
	cr_expect_not_null(strstr(seal_bytes_str(&body), "\"keys\":[]"));
	cr_expect_not_null(strstr(seal_bytes_str(&body), "\"floor\":{}"));
	cr_assert_eq(rot_credentials_parse(&got, body.data, body.len, NULL), 0);
	cr_expect_str_eq(got.certificate, "C\n");
	cr_expect_str_eq(got.ca_bundle, "B\n");
	cr_expect_str_eq(got.workload, "shop");
	cr_expect_str_eq(got.peer, "any");
	cr_expect(seal_strv_equal(&got.clients, &sent.clients));
	cr_expect(seal_strv_equal(&got.servers, &sent.servers));
	cr_expect_eq(got.epoch, sent.epoch);
	cr_expect_eq(got.renew_after, sent.renew_after);
	rot_credentials_release(&got);
	seal_strv_release(&sent.clients);
	seal_strv_release(&sent.servers);
	seal_bytes_release(&body);
}

Test(wire_credentials, may_have_members_of_later_versions)
{
	char *text = with(CREDENTIALS, "{", "{\"later\":{\"x\":[1]},");

	cr_expect_eq(parse_credentials(text, strlen(text)), 0);
	free(text);
	cr_expect_eq(parse_credentials(CREDENTIALS, strlen(CREDENTIALS)), 0);
}

Test(wire_credentials, refuse_every_truncation)
{
	for (size_t n = 0; n < strlen(CREDENTIALS); n++)
		cr_expect_lt(parse_credentials(CREDENTIALS, n), 0, "accepted %zu bytes", n);
}

Test(wire_credentials, refuse_missing_wrong_and_impossible_members)
{
	static const struct {
		const char *from, *to;
	} bad[] = {
		{ "\"certificate\":\"C\",", "" },
		{ "\"ca_bundle\":\"B\",", "" },
		{ "\"workload\":\"shop\",", "" },
		{ "\"peer\":\"web\",", "" },
		{ "\"clients\":[\"*\"],", "" },
		{ "\"servers\":[\"db\",\"cache\"],", "" },
		{ "\"epoch\":7,", "" },
		{ ",\"renew_after\":1800000000", "" },
		{ "\"C\"", "\"\"" },
		{ "\"C\"", "{}" },
		{ "\"B\"", "null" },
		{ "\"shop\"", "\"Shop\"" },
		{ "\"shop\"", "\"sh\"" },
		{ "\"shop\"", "\"../../etc\"" },
		{ "\"web\"", "\"\"" },
		{ "\"web\"", "\"*\"" }, /* nobody is every peer */
		{ "\"web\"", "\"rot\"" },
		{ "\"web\"", "\"web-\"" },
		{ "[\"*\"]", "\"*\"" },
		{ "[\"*\"]", "[\"\"]" }, /* the empty name once let everybody in */
		{ "[\"*\"]", "[\"**\"]" },
		{ "[\"*\"]", "[\"db\",\"db\"]" },
		{ "[\"*\"]", "[[\"db\"]]" },
		{ "\"epoch\":7", "\"epoch\":\"7\"" },
		{ "\"epoch\":7", "\"epoch\":7.5" },
		{ "\"renew_after\":1800000000", "\"renew_after\":true" },
		{ "\"renew_after\":1800000000", "\"renew_after\":1e9" },
	};
	static const struct {
		const char *from, *to;
	} beyond[] = {
		{ "\"epoch\":7", "\"epoch\":-1" },
		{ "\"renew_after\":1800000000", "\"renew_after\":-1" },
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		char *text = with(CREDENTIALS, bad[i].from, bad[i].to);
		int r = parse_credentials(text, strlen(text));

		cr_expect_eq(r, SEAL_E_FORMAT, "%d for %s", r, text);
		free(text);
	}
	for (size_t i = 0; i < SEAL_COUNT(beyond); i++) {
		char *text = with(CREDENTIALS, beyond[i].from, beyond[i].to);

		cr_expect_eq(parse_credentials(text, strlen(text)), SEAL_E_LIMIT, "%s", text);
		free(text);
	}
}

#define KEY_1 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
#define KEY_2 "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
#define WITH_KEYS                                                                                  \
	"{\"certificate\":\"C\",\"ca_bundle\":\"B\",\"workload\":\"shop\",\"peer\":\"web\","       \
	"\"clients\":[],\"servers\":[],\"keys\":[{\"id\":\"shop/config/web/1\",\"key\":\"" KEY_1   \
	"\"},"                                                                                     \
	"{\"id\":\"shop/data/web/1\",\"key\":\"" KEY_2 "\"}],"                                     \
	"\"floor\":{\"b/Secret/y\":2,\"a/ConfigMap/x\":9007199254740992},"                         \
	"\"epoch\":7,\"renew_after\":1800000000}"

static struct rot_key
make_key(const char *id, int byte)
{
	struct rot_key key = { .id = seal_strndup(id, strlen(id)) };

	cr_assert_eq(seal_secret_new(&key.key, ROT_KEY_LEN, NULL), 0);
	memset(seal_secret_bytes(key.key), byte, ROT_KEY_LEN);
	return key;
}

Test(wire_credentials, carry_keys_and_floor_to_the_byte)
{
	struct rot_key keys[] = { make_key("shop/config/web/2", 2),
				  make_key("shop/data/web/1", 1) };
	struct rot_floor floor[] = { { (char *)(uintptr_t) "a/ConfigMap/x", ROT_MAX_GEN },
				     { (char *)(uintptr_t) "b/Secret/y", 1 } };
	struct rot_credentials sent = { .certificate = (char *)(uintptr_t) "C",
					.ca_bundle = (char *)(uintptr_t) "B",
					.workload = "shop",
					.peer = "web",
					.keys = keys,
					.key_count = 2,
					.floor = floor,
					.floor_count = 2 };
	struct rot_credentials got = { 0 };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);

	cr_assert_eq(rot_credentials_encode(&sent, &body, NULL), 0);
	cr_assert_eq(rot_credentials_parse(&got, body.data, body.len, NULL), 0);
	cr_assert_eq(got.key_count, 2);
	cr_assert_eq(got.floor_count, 2);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_str_eq(got.keys[i].id, keys[i].id);
		cr_expect(seal_secret_equal(got.keys[i].key, keys[i].key));
		cr_expect_str_eq(got.floor[i].object, floor[i].object);
		cr_expect_eq(got.floor[i].gen, floor[i].gen);
		free(keys[i].id);
		seal_secret_free(keys[i].key);
	}
	rot_credentials_release(&got);
	cr_expect_null(got.keys);
	cr_expect_null(got.floor);
	seal_bytes_release(&body);
}

Test(wire_credentials, come_with_the_floor_sorted)
{
	struct rot_credentials got = { 0 };

	cr_assert_eq(rot_credentials_parse(&got, WITH_KEYS, strlen(WITH_KEYS), NULL), 0);
	cr_expect_str_eq(got.floor[0].object, "a/ConfigMap/x");
	cr_expect_eq(got.floor[0].gen, ROT_MAX_GEN);
	cr_expect_str_eq(got.floor[1].object, "b/Secret/y");
	rot_credentials_release(&got);
}

Test(wire_credentials, refuse_keys_and_floors_that_cannot_be)
{
	static const struct {
		const char *from, *to;
		int want;
	} bad[] = {
		{ "\"keys\":[{", "\"keyz\":[{", SEAL_E_FORMAT },
		{ "\"keys\":[{", "\"keys\":[1,{", SEAL_E_FORMAT },
		{ "\"keys\":[{", "\"keys\":[[],{", SEAL_E_FORMAT },
		{ "\"keys\":[{", "\"keys\":[{},{", SEAL_E_FORMAT },
		{ "\"keys\":[{", "\"keys\":[null,{", SEAL_E_FORMAT },
		{ "\"id\":\"shop/config/web/1\",", "", SEAL_E_FORMAT },
		{ "\"shop/config/web/1\"", "\"\"", SEAL_E_FORMAT },
		{ "\"shop/config/web/1\"", "1", SEAL_E_FORMAT },
		{ "shop/config/web/1", "shop/data/web/1", SEAL_E_FORMAT }, /* twice */
		{ ",\"key\":\"" KEY_1 "\"", "", SEAL_E_FORMAT },
		{ KEY_1, "", SEAL_E_FORMAT },
		{ KEY_1, "AQE", SEAL_E_FORMAT },
		{ KEY_1, KEY_1 "=", SEAL_E_LIMIT },
		{ "AQEBAQE\"", "AQE+AQE\"", SEAL_E_FORMAT },
		{ "AQE\"}", "AQF\"}", SEAL_E_FORMAT }, /* unused bits: another spelling */
		{ KEY_1, KEY_1 "AQEB", SEAL_E_LIMIT },
		{ "\"floor\":{", "\"flor\":{", SEAL_E_FORMAT },
		{ "\"floor\":{\"b/Secret/y\":2,\"a/ConfigMap/x\":9007199254740992}", "\"floor\":[]",
		  SEAL_E_FORMAT },
		{ "\"a/ConfigMap/x\"", "\"b/Secret/y\"", SEAL_E_FORMAT }, /* twice */
		{ "b/Secret/y", "b/Secret", SEAL_E_FORMAT },
		{ "b/Secret/y", "b/Secret/", SEAL_E_FORMAT },
		{ "b/Secret/y", "/Secret/y", SEAL_E_FORMAT },
		{ "b/Secret/y", "b//y", SEAL_E_FORMAT },
		{ "b/Secret/y", "b/Secret/y/z", SEAL_E_FORMAT },
		{ "b/Secret/y", "b/Sec ret/y", SEAL_E_FORMAT },
		{ "b/Secret/y", "b/Secret/\\n", SEAL_E_FORMAT },
		{ "b/Secret/y", "b/Secret/\u00e4", SEAL_E_FORMAT },
		{ "b/Secret/y", "", SEAL_E_FORMAT },
		{ ":2,", ":0,", SEAL_E_FORMAT },
		{ ":2,", ":\"2\",", SEAL_E_FORMAT },
		{ ":2,", ":2.0,", SEAL_E_FORMAT },
		{ ":2,", ":-1,", SEAL_E_LIMIT },
		{ "9007199254740992", "9007199254740993", SEAL_E_LIMIT },
	};

	cr_assert_eq(parse_credentials(WITH_KEYS, strlen(WITH_KEYS)), 0);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		char *text = with(WITH_KEYS, bad[i].from, bad[i].to);
		int r = parse_credentials(text, strlen(text));

		cr_expect_eq(r, bad[i].want, "%d for %s", r, text);
		free(text);
	}
	for (size_t n = 0; n < strlen(WITH_KEYS); n++)
		cr_expect_lt(parse_credentials(WITH_KEYS, n), 0, "accepted %zu bytes", n);
}

/* Credentials with so many keys and objects, names of objects being len letters long. */
static int
parse_many(size_t keys, size_t objects, int len)
{
	struct seal_bytes text = SEAL_BYTES((size_t)16 * 1024 * 1024);
	int r;

	cr_assert_eq(
		seal_bytes_append_str(&text,
				      "{\"certificate\":\"C\",\"ca_bundle\":\"B\","
				      "\"workload\":\"shop\",\"peer\":\"web\",\"clients\":[],"
				      "\"servers\":[],\"epoch\":7,\"renew_after\":1,\"keys\":[",
				      NULL),
		0);
	for (size_t i = 0; i < keys; i++)
		cr_assert_eq(
			seal_bytes_append_fmt(&text, NULL,
					      "%s{\"id\":\"shop/config/web/%zu\",\"key\":\"%s\"}",
					      i > 0 ? "," : "", i + 1, KEY_1),
			0);
	cr_assert_eq(seal_bytes_append_str(&text, "],\"floor\":{", NULL), 0);
	for (size_t i = 0; i < objects; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "%s\"a/B/%0*zu\":1",
						   i > 0 ? "," : "", len - 4, i),
			     0);
	cr_assert_eq(seal_bytes_append_str(&text, "}}", NULL), 0);
	r = parse_credentials(seal_bytes_str(&text), text.len);
	seal_bytes_release(&text);
	return r;
}

Test(wire_credentials, bound_their_keys_and_their_floor)
{
	cr_expect_eq(parse_many(ROT_MAX_KEYS, ROT_MAX_FLOOR, 16), 0);
	cr_expect_eq(parse_many(ROT_MAX_KEYS + 1, 0, 16), SEAL_E_LIMIT);
	cr_expect_eq(parse_many(0, ROT_MAX_FLOOR + 1, 16), SEAL_E_LIMIT);
	cr_expect_eq(parse_many(0, 1, ROT_OBJECT_MAX), 0);
	cr_expect_eq(parse_many(0, 1, ROT_OBJECT_MAX + 1), SEAL_E_FORMAT);
	cr_expect_eq(parse_many(0, ROT_MAX_FLOOR, 300), SEAL_E_LIMIT, "longer than an answer");
}

Test(wire_error, comes_back_as_it_was_sent)
{
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);
	char message[ROT_ERROR_TEXT_MAX];
	char code[64];

	cr_assert_eq(rot_error_encode("refused", "hatch refused", &body, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&body),
			 "{\"error\":{\"code\":\"refused\",\"message\":\"hatch refused\"}}");
	rot_error_parse(body.data, body.len, code, message);
	cr_expect_str_eq(code, "refused");
	cr_expect_str_eq(message, "hatch refused");
	seal_bytes_release(&body);
}

Test(wire_error, that_is_something_else_is_empty)
{
	static const char *const bodies[] = { "",
					      "<html>502 Bad Gateway</html>",
					      "{}",
					      "{\"error\":\"no\"}",
					      "{\"error\":{}}",
					      "{\"error\":{\"code\":1,\"message\":[]}}",
					      "[{\"error\":{\"message\":\"x\"}}]" };

	for (size_t i = 0; i < SEAL_COUNT(bodies); i++) {
		char message[ROT_ERROR_TEXT_MAX] = "old";
		char code[64] = "old";

		rot_error_parse(bodies[i], strlen(bodies[i]), code, message);
		cr_expect_str_empty(code, "%s", bodies[i]);
		cr_expect_str_empty(message, "%s", bodies[i]);
	}
}

Test(wire_error, cannot_drive_a_terminal_or_fill_it)
{
	static const char text[] =
		"{\"error\":{\"code\":\"a\\u001b[2J\",\"message\":\"x\\ny\\u00e9\"}}";
	char long_text[2048];
	char message[ROT_ERROR_TEXT_MAX];
	char code[64];

	rot_error_parse(text, strlen(text), code, message);
	cr_expect_str_eq(code, "a?[2J");
	cr_expect_str_eq(message, "x?y??");

	(void)snprintf(long_text, sizeof(long_text), "{\"error\":{\"message\":\"%01500d\"}}", 0);
	rot_error_parse(long_text, strlen(long_text), code, message);
	cr_expect_eq(strlen(message), ROT_ERROR_TEXT_MAX - 1);
}

/* Every file of the JSON torture set, as a body: never a message, never a crash, always a sentence. */
Test(wire_any, refuses_every_file_of_the_json_vectors)
{
	char path[4096];
	const char *dir = pki_vectors("json-parsing", path, sizeof(path));
	const struct dirent *entry;
	size_t count = 0;
	DIR *list;

	if (dir == NULL)
		cr_skip_test("no vectors");
	list = opendir(dir);
	cr_assert_not_null(list);
	while ((entry = readdir(list)) != NULL) {
		struct seal_bytes body = SEAL_BYTES(4u * 1024 * 1024);
		char message[ROT_ERROR_TEXT_MAX];
		char code[64];

		if (strstr(entry->d_name, ".json") == NULL)
			continue;
		cr_assert_eq(seal_fs_read(&body, dirfd(list), entry->d_name, body.max, NULL), 0);
		cr_expect_lt(parse_request(seal_bytes_str(&body), body.len, true), 0, "%s",
			     entry->d_name);
		cr_expect_lt(parse_request(seal_bytes_str(&body), body.len, false), 0, "%s",
			     entry->d_name);
		cr_expect_lt(parse_credentials(seal_bytes_str(&body), body.len), 0, "%s",
			     entry->d_name);
		rot_error_parse(body.data, body.len, code, message);
		cr_expect_str_empty(message, "%s", entry->d_name);
		seal_bytes_release(&body);
		count++;
	}
	(void)closedir(list);
	cr_expect_gt(count, 100, "only %zu vectors", count);
}
