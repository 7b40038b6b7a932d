/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server: sealing and opening values, the life of keys, and what pods and containers get of them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log/log.h"
#include "config-verify/sealed.h"
#include "config-verify/token.h"
#include "tests/unit/rot/rig.h"

static struct rig rig;

static void
expect_from(struct rot_client *client, unsigned status, const char *method, const char *path,
	    const char *text)
{
	struct seal_json *body = text != NULL ? rig_json(text) : NULL;
	struct seal_json *reply = NULL;

	cr_expect_eq(rig_call(client, method, path, body, &reply), status, "%s %s %s", method, path,
		     text != NULL ? text : "");
	seal_json_free(reply);
	seal_json_free(body);
}

static void
expect(unsigned status, const char *method, const char *path, const char *text)
{
	expect_from(rig.local, status, method, path, text);
}

static void
expect_error(unsigned status, const char *code, const char *part, const char *method,
	     const char *path, const char *text)
{
	struct seal_json *body = text != NULL ? rig_json(text) : NULL;

	rig_expect_error(rig.local, status, code, part, method, path, body);
	seal_json_free(body);
}

static void
setup(void)
{
	(void)alarm(60);
	rig_start(&rig, NULL);
	expect(201, "POST", "/v1/workloads", "{'name':'shop'}");
	expect(201, "POST", "/v1/workloads", "{'name':'bank'}");
}

static void
teardown(void)
{
	rig_stop(&rig);
}

TestSuite(rot_keys, .init = setup, .fini = teardown);

static const struct seal_json *
array_of(const struct seal_json *object, const char *name)
{
	const struct seal_json *array = NULL;

	cr_assert_eq(seal_json_get_array(object, name, &array, NULL), 0, "no '%s'", name);
	return array;
}

static const char *
text_of(const struct seal_json *object, const char *name)
{
	const char *text = NULL;

	cr_assert_eq(seal_json_get_str(object, name, &text, NULL), 0, "no '%s'", name);
	return text;
}

static uint64_t
number(const struct seal_json *object, const char *name)
{
	uint64_t value = UINT64_MAX;

	cr_assert_eq(seal_json_get_u64(object, name, INT64_MAX, &value, NULL), 0, "no '%s'", name);
	return value;
}

static struct seal_json *
call_json(const char *path, const struct seal_json *body, unsigned status)
{
	struct seal_json *reply = NULL;
	unsigned got = rig_call(rig.local, body != NULL ? "POST" : "GET", path, body, &reply);

	cr_assert_eq(got, status, "%s: %u", path, got);
	cr_assert_not_null(reply);
	return reply;
}

static struct seal_json *
call(const char *path, const char *text, unsigned status)
{
	struct seal_json *body = rig_json(text);
	struct seal_json *reply = call_json(path, body, status);

	seal_json_free(body);
	return reply;
}

/* Seal one text in shop for a peer; the sealed value is the caller's. */
static char *
seal_text(const char *workload, const char *peer, const char *name, const char *text)
{
	struct seal_json *reply;
	const char *sealed;
	char body[1024], *copy;

	(void)snprintf(body, sizeof(body),
		       "{'workload':'%s','peer':'%s','objects':[{'ns':'default','kind':'Secret',"
		       "'name':'%s','values':[{'key':'k','text':'%s'}]}]}",
		       workload, peer, name, text);
	reply = call("/v1/seal", body, 200);
	sealed = text_of(
		seal_json_at(array_of(seal_json_at(array_of(reply, "objects"), 0), "values"), 0),
		"sealed");
	copy = seal_strndup(sealed, strlen(sealed));
	seal_json_free(reply);
	return copy;
}

/* The status of opening one value, and what the answer says. */
static unsigned
unseal(const char *sealed, struct seal_json **ret_reply)
{
	struct seal_json *body = seal_json_new(), *reply = NULL;
	unsigned status;

	seal_json_add_str(seal_json_set_array(body, "values"), sealed);
	status = rig_call(rig.local, "POST", "/v1/unseal", body, &reply);
	seal_json_free(body);
	if (ret_reply != NULL)
		*ret_reply = reply;
	else
		seal_json_free(reply);
	return status;
}

static void
expect_opens(const char *sealed, const char *text)
{
	struct seal_json *reply = NULL;

	cr_assert_eq(unseal(sealed, &reply), 200, "%s", sealed);
	cr_expect_str_eq(text_of(seal_json_at(array_of(reply, "values"), 0), "text"), text);
	seal_json_free(reply);
}

static int64_t
generations(void)
{
	return rig_sum(rig.db, "object/", "gen");
}

/* ---- Sealing ---- */

Test(rot_keys, seal_in_the_order_asked_and_open_to_the_byte)
{
	struct seal_json *sealed = call(
		"/v1/seal",
		"{'workload':'shop','peer':'web','objects':["
		"{'ns':'b','kind':'Secret','name':'z','values':[{'key':'text','text':'h\xc3\xa4llo'"
		"},"
		"{'key':'bytes','data':'AP8'},{'key':'empty','text':''},"
		"{'key':'spec','container':'app','text':'x'},{'key':'spec','text':'y'}]},"
		"{'ns':'a','kind':'ConfigMap','name':'y.z','values':[{'key':'.k_-1','data':''}]}]}",
		200);
	const struct seal_json *objects = array_of(sealed, "objects"), *values, *opened;
	struct seal_json *body = seal_json_new(), *reply = NULL;
	struct seal_json *list = seal_json_set_array(body, "values");

	cr_assert_eq(seal_json_count(objects), 2);
	cr_expect_str_eq(text_of(seal_json_at(objects, 0), "name"), "z");
	cr_expect_str_eq(text_of(seal_json_at(objects, 1), "name"), "y.z");
	cr_expect_eq(number(seal_json_at(objects, 0), "gen"), 1);
	for (size_t i = 0; i < 2; i++) {
		values = array_of(seal_json_at(objects, i), "values");
		for (size_t j = 0; j < seal_json_count(values); j++)
			seal_json_add_str(list, text_of(seal_json_at(values, j), "sealed"));
	}
	values = array_of(seal_json_at(objects, 0), "values");
	cr_expect_str_eq(text_of(seal_json_at(values, 3), "container"), "app");
	cr_expect_not(seal_json_has(seal_json_at(values, 4), "container"));

	reply = call_json("/v1/unseal", body, 200);
	opened = array_of(reply, "values");
	cr_assert_eq(seal_json_count(opened), 6);
	cr_expect_str_eq(text_of(seal_json_at(opened, 0), "text"), "h\xc3\xa4llo");
	cr_expect_str_eq(text_of(seal_json_at(opened, 1), "data"), "AP8");
	cr_expect_not(seal_json_has(seal_json_at(opened, 1), "text"));
	cr_expect_str_eq(text_of(seal_json_at(opened, 2), "text"), "");
	cr_expect_str_eq(text_of(seal_json_at(opened, 3), "text"), "x");
	cr_expect_str_eq(text_of(seal_json_at(opened, 3), "container"), "app");
	cr_expect_str_eq(text_of(seal_json_at(opened, 4), "text"), "y");
	cr_expect_eq(number(seal_json_at(opened, 0), "of"), 5);
	cr_expect_eq(number(seal_json_at(opened, 5), "of"), 1);
	cr_expect_str_eq(text_of(seal_json_at(opened, 5), "workload"), "shop");
	cr_expect_str_eq(text_of(seal_json_at(opened, 5), "peer"), "web");
	cr_expect_str_eq(text_of(seal_json_at(opened, 5), "ns"), "a");
	cr_expect_str_eq(text_of(seal_json_at(opened, 5), "kind"), "ConfigMap");
	cr_expect_str_eq(text_of(seal_json_at(opened, 5), "key"), ".k_-1");
	seal_json_free(reply);
	seal_json_free(body);
	seal_json_free(sealed);
}

Test(rot_keys, text_is_what_is_utf8_and_the_rest_is_data)
{
	static const struct {
		const char *data; /* base64url */
		bool is_text;
	} cases[] = {
		{ "fw", true },      /* 7f */
		{ "AQ", false },     /* 01 */
		{ "AA", false },     /* 00 */
		{ "gA", false },     /* 80 */
		{ "wIA", false },    /* c0 80: NUL, longer than it has to be */
		{ "woA", true },     /* c2 80 */
		{ "wg", false },     /* c2, cut short */
		{ "4ICA", false },   /* e0 80 80 */
		{ "4KCA", true },    /* e0 a0 80 */
		{ "7aCA", false },   /* ed a0 80: a surrogate */
		{ "7Z-_", true },    /* ed 9f bf */
		{ "8ICAgA", false }, /* f0 80 80 80 */
		{ "8JCAgA", true },  /* f0 90 80 80 */
		{ "9I-_vw", true },  /* U+10FFFF */
		{ "9JCAgA", false }, /* one beyond */
		{ "9YCAgA", false }, /* f5 */
		{ "4oKs_w", false }, /* the euro sign, then ff */
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_json *sealed, *opened = NULL;
		const struct seal_json *value;
		char body[512];

		(void)snprintf(body, sizeof(body),
			       "{'workload':'shop','objects':[{'ns':'a','kind':'Secret','name':'b',"
			       "'values':[{'key':'k','data':'%s'}]}]}",
			       cases[i].data);
		sealed = call("/v1/seal", body, 200);
		value = seal_json_at(
			array_of(seal_json_at(array_of(sealed, "objects"), 0), "values"), 0);
		cr_assert_eq(unseal(text_of(value, "sealed"), &opened), 200);
		value = seal_json_at(array_of(opened, "values"), 0);
		cr_expect_eq(seal_json_has(value, "text"), cases[i].is_text, "%s", cases[i].data);
		if (!cases[i].is_text)
			cr_expect_str_eq(text_of(value, "data"), cases[i].data);
		seal_json_free(opened);
		seal_json_free(sealed);
	}
}

#define OBJECT(name, values) "{'ns':'a','kind':'Secret','name':'" name "','values':[" values "]}"
#define ORDER(objects)       "{'workload':'shop','objects':[" objects "]}"
#define GOOD                 "{'key':'k','text':'x'}"

Test(rot_keys, refuse_to_seal_what_cannot_be_meant_and_spend_nothing)
{
	static const struct {
		const char *body, *part;
		unsigned status;
	} bad[] = {
		{ "{}", "workload", 400 },
		{ "{'workload':'shop'}", "objects", 400 },
		{ "{'workload':'shop','objects':{}}", "objects", 400 },
		{ ORDER(""), "1 to", 400 },
		{ ORDER("1"), "object 1", 400 },
		{ ORDER("{}"), "ns", 400 },
		{ "{'workload':'none','objects':[" OBJECT("b", GOOD) "]}", "none", 404 },
		{ "{'workload':'Shop','objects':[" OBJECT("b", GOOD) "]}", "workload", 400 },
		{ "{'workload':'shop','peer':'*','objects':[" OBJECT("b", GOOD) "]}", "peer", 400 },
		{ "{'workload':'shop','more':1,'objects':[" OBJECT("b", GOOD) "]}", "more", 400 },
		{ ORDER(OBJECT("b", "")), "no values", 400 },
		{ ORDER(OBJECT("B", GOOD)), "name", 400 },
		{ ORDER(OBJECT("../b", GOOD)), "name", 400 },
		{ ORDER("{'ns':'','kind':'Secret','name':'b','values':[" GOOD "]}"), "namespace",
		  400 },
		{ ORDER("{'ns':'a/b','kind':'Secret','name':'b','values':[" GOOD "]}"), "namespace",
		  400 },
		{ ORDER("{'ns':'a','kind':'Se/cret','name':'b','values':[" GOOD "]}"), "kind",
		  400 },
		{ ORDER("{'ns':'a','kind':'Secret','values':[" GOOD "]}"), "name", 400 },
		{ ORDER("{'ns':'a','kind':'Secret','name':'b'}"), "values", 400 },
		{ ORDER("{'ns':'a','kind':'Secret','name':'b','gen':9,'values':[" GOOD "]}"), "gen",
		  400 },
		{ ORDER(OBJECT("b", "1")), "value 1", 400 },
		{ ORDER(OBJECT("b", "{'text':'x'}")), "key", 400 },
		{ ORDER(OBJECT("b", "{'key':'','text':'x'}")), "key", 400 },
		{ ORDER(OBJECT("b", "{'key':'k'}")), "exactly one", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','text':'x','data':'eA'}")), "exactly one", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','text':1}")), "text", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','data':'e'}")), "data", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','data':'eA=='}")), "data", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','data':'eB'}")), "data", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','text':'x','container':'A'}")), "container", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','text':'x','gen':1}")), "gen", 400 },
		{ ORDER(OBJECT("b", GOOD "," GOOD)), "twice", 400 },
		{ ORDER(OBJECT("b", "{'key':'k','container':'c','text':'x'},"
				    "{'key':'k','container':'c','text':'y'}")),
		  "twice", 400 },
		{ ORDER(OBJECT("b", GOOD) "," OBJECT("c", GOOD) "," OBJECT("b", GOOD)), "twice",
		  400 },
		/* The good one goes with the bad one. */
		{ ORDER(OBJECT("b", GOOD) "," OBJECT("c", "{'key':'k','data':'!'}")), "a/Secret/c",
		  400 },
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		const char *code = bad[i].status == 404 ? "missing" : "invalid";

		expect_error(bad[i].status, code, bad[i].part, "POST", "/v1/seal", bad[i].body);
	}
	cr_expect_eq(generations(), 0, "a refused request spent a generation");
}

Test(rot_keys, generations_grow_with_every_sealing_of_an_object_alone)
{
	struct seal_json *reply;

	expect(200, "POST", "/v1/seal", ORDER(OBJECT("b", GOOD)));
	reply = call("/v1/seal", ORDER(OBJECT("b", GOOD) "," OBJECT("c", GOOD)), 200);
	cr_expect_eq(number(seal_json_at(array_of(reply, "objects"), 0), "gen"), 2);
	cr_expect_eq(number(seal_json_at(array_of(reply, "objects"), 1), "gen"), 1);
	seal_json_free(reply);
	cr_expect_eq(generations(), 3);
}

/* A body of one object whose value has len bytes. */
static unsigned
seal_long(size_t len, const char *member)
{
	struct seal_json *body = rig_json("{'workload':'shop'}");
	struct seal_json *object = seal_json_add_object(seal_json_set_array(body, "objects"));
	struct seal_json *values, *reply = NULL;
	char *text = malloc(len + 1);
	unsigned status;

	cr_assert_not_null(text);
	memset(text, 'A', len);
	text[len] = '\0';
	seal_json_set_str(object, "ns", "a");
	seal_json_set_str(object, "kind", "Secret");
	seal_json_set_str(object, "name", "long");
	values = seal_json_set_array(object, "values");
	object = seal_json_add_object(values);
	seal_json_set_str(object, "key", "first");
	seal_json_set_str(object, "text", "x");
	object = seal_json_add_object(values);
	seal_json_set_str(object, "key", "long");
	seal_json_set_str(object, member, text);
	status = rig_call(rig.local, "POST", "/v1/seal", body, &reply);
	seal_json_free(reply);
	seal_json_free(body);
	free(text);
	return status;
}

Test(rot_keys, an_object_has_a_mebibyte_at_most)
{
	cr_expect_eq(seal_long(VERIFY_PLAIN_MAX - 1, "text"), 200);
	cr_expect_eq(seal_long(VERIFY_PLAIN_MAX, "text"), 400, "with the other value's byte");
	cr_expect_eq(seal_long((VERIFY_PLAIN_MAX - 1) / 3 * 4, "data"), 200);
	cr_expect_eq(seal_long((VERIFY_PLAIN_MAX - 1) / 3 * 4 + 4, "data"), 400);
	cr_expect_eq(generations(), 2);
}

static unsigned
seal_many(size_t objects, size_t values)
{
	struct seal_json *body = rig_json("{'workload':'shop'}"), *reply = NULL;
	struct seal_json *list = seal_json_set_array(body, "objects");
	unsigned status;

	for (size_t i = 0; i < objects; i++) {
		struct seal_json *object = seal_json_add_object(list), *inside;
		char name[32];

		(void)snprintf(name, sizeof(name), "n%zu", i);
		seal_json_set_str(object, "ns", "a");
		seal_json_set_str(object, "kind", "Secret");
		seal_json_set_str(object, "name", name);
		inside = seal_json_set_array(object, "values");
		for (size_t j = 0; j < values; j++) {
			struct seal_json *value = seal_json_add_object(inside);

			(void)snprintf(name, sizeof(name), "k%zu", j);
			seal_json_set_str(value, "key", name);
			seal_json_set_str(value, "text", "");
		}
	}
	status = rig_call(rig.local, "POST", "/v1/seal", body, &reply);
	if (status == 200)
		cr_expect_eq(seal_json_count(array_of(reply, "objects")), objects);
	seal_json_free(reply);
	seal_json_free(body);
	return status;
}

Test(rot_keys, a_request_has_so_many_objects_and_values_at_most)
{
	cr_expect_eq(seal_many(1, VERIFY_MAX_VALUES), 200);
	cr_expect_eq(seal_many(1, VERIFY_MAX_VALUES + 1), 400);
	cr_expect_eq(seal_many(VERIFY_MAX_VALUES / 8 + 1, 8), 400);
	cr_expect_eq(generations(), 1);
	cr_expect_eq(seal_many(ROT_MAX_SEAL_OBJECTS + 1, 1), 400);
	cr_expect_eq(generations(), 1);
	cr_expect_eq(seal_many(ROT_MAX_SEAL_OBJECTS, 1), 200);
}

/* One object of so many values with long names, over TLS, to a client that takes its time. */
static unsigned
seal_named(struct rot_client *client, size_t count, size_t *ret_len)
{
	struct seal_json *body = rig_json("{'workload':'shop'}"), *object, *values;
	struct seal_bytes text = SEAL_BYTES(ROT_MAX_SEAL_BODY), reply = SEAL_BYTES(ROT_MAX_SEALED);
	unsigned status = 0;
	char name[256];

	object = seal_json_add_object(seal_json_set_array(body, "objects"));
	seal_json_set_str(object, "ns", "a");
	seal_json_set_str(object, "kind", "Secret");
	seal_json_set_str(object, "name", "n");
	values = seal_json_set_array(object, "values");
	for (size_t i = 0; i < count; i++) {
		struct seal_json *value = seal_json_add_object(values);

		(void)snprintf(name, sizeof(name), "%0240zu", i);
		seal_json_set_str(value, "key", name);
		seal_json_set_str(value, "text", "");
	}
	cr_assert_eq(seal_json_dump(body, false, &text, NULL), 0);
	cr_assert_eq(rot_client_call(client, "POST", "/v1/seal", text.data, text.len, &status,
				     &reply, NULL),
		     0);
	*ret_len = reply.len;
	seal_bytes_release(&text);
	seal_bytes_release(&reply);
	seal_json_free(body);
	return status;
}

Test(rot_keys, an_answer_is_whole_or_nothing_was_sealed)
{
	struct rot_client *admin = rig_operator(&rig, "admin");
	size_t len = 0;

	cr_expect_eq(seal_named(admin, 8500, &len), 200);
	cr_expect_gt(len, ROT_MAX_SEALED / 10 * 9, "%zu bytes prove little", len);
	cr_expect_eq(generations(), 1);
	cr_expect_eq(seal_named(admin, 12000, &len), 400);
	cr_expect_lt(len, 1000);
	cr_expect_eq(generations(), 1);
	rot_client_free(admin);
}

/* Four MiB for those two, for those who may; 64 KiB for everything and everybody else. */
Test(rot_keys, bodies_are_long_where_they_have_to_be)
{
	static const struct {
		const char *path;
		size_t len;
		unsigned status;
	} cases[] = {
		{ "/v1/seal", ROT_MAX_SEAL_BODY, 400 },
		{ "/v1/seal", ROT_MAX_SEAL_BODY + 1, 413 },
		{ "/v1/unseal", ROT_MAX_SEAL_BODY, 400 },
		{ "/v1/unseal", ROT_MAX_SEAL_BODY + 1, 413 },
		{ "/v1/eggs", ROT_MAX_BODY + 1, 413 },
		{ "/v1/sea", ROT_MAX_BODY + 1, 413 },
		{ "/v1/hatch", ROT_MAX_BODY + 1, 413 },
	};
	struct rot_client *ci = rig_operator(&rig, "ci");
	struct seal_bytes reply = SEAL_BYTES(4096);
	char *body = calloc(1, ROT_MAX_SEAL_BODY + 1);
	unsigned status = 0;

	cr_assert_not_null(body);
	memset(body, ' ', ROT_MAX_SEAL_BODY + 1);
	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		cr_assert_eq(rot_client_call(rig.local, "POST", cases[i].path, body, cases[i].len,
					     &status, &reply, NULL),
			     0, "%s", cases[i].path);
		cr_expect_eq(status, cases[i].status, "%s with %zu bytes: %u", cases[i].path,
			     cases[i].len, status);
	}
	cr_assert_eq(rot_client_call(ci, "POST", "/v1/seal", body, ROT_MAX_SEAL_BODY, &status,
				     &reply, NULL),
		     0);
	cr_expect_eq(status, 400);
	cr_assert_eq(rot_client_call(ci, "POST", "/v1/unseal", body, ROT_MAX_BODY + 1, &status,
				     &reply, NULL),
		     0);
	cr_expect_eq(status, 413, "who may not open may not fill our memory");
	free(body);
	seal_bytes_release(&reply);
	rot_client_free(ci);
}

/* ---- Opening ---- */

Test(rot_keys, open_nothing_with_any_letter_changed_or_missing)
{
	char *sealed = seal_text("shop", "web", "b", "x");
	size_t len = strlen(sealed);
	unsigned status;

	for (size_t i = 0; i < len; i++) {
		char was = sealed[i];

		sealed[i] = was == 'A' ? 'B' : 'A';
		status = unseal(sealed, NULL);
		cr_expect(status == 400 || status == 404 || status == 409, "letter %zu: %u", i,
			  status);
		sealed[i] = '\0';
		cr_expect_eq(unseal(sealed, NULL), 400, "%zu letters", i);
		sealed[i] = was;
	}
	expect_opens(sealed, "x");
	free(sealed);
}

Test(rot_keys, open_all_values_or_none)
{
	char *good = seal_text("shop", "web", "b", "plainly"), body[2048];
	struct seal_json *json, *reply = NULL;
	struct seal_bytes text = SEAL_BYTES(4096);

	(void)snprintf(body, sizeof(body), "{'values':['%s','a.b.c.d.e']}", good);
	json = rig_json(body);
	cr_expect_eq(rig_call(rig.local, "POST", "/v1/unseal", json, &reply), 400);
	cr_assert_eq(seal_json_dump(reply, false, &text, NULL), 0);
	cr_expect_null(strstr(seal_bytes_str(&text), "plainly"));
	cr_expect_not_null(strstr(seal_bytes_str(&text), "value 2"));
	expect_error(400, "invalid", "values", "POST", "/v1/unseal", "{}");
	expect_error(400, "invalid", "1 to", "POST", "/v1/unseal", "{'values':[]}");
	expect_error(400, "invalid", "value 1", "POST", "/v1/unseal", "{'values':[1]}");
	expect_error(400, "invalid", "value 1", "POST", "/v1/unseal", "{'values':['']}");
	seal_bytes_release(&text);
	seal_json_free(reply);
	seal_json_free(json);
	free(good);
}

Test(rot_keys, of_workloads_that_are_gone_open_nothing)
{
	char *sealed = seal_text("bank", "web", "b", "x");

	expect(200, "DELETE", "/v1/workloads/bank", NULL);
	cr_expect_eq(unseal(sealed, NULL), 404);
	expect(201, "POST", "/v1/workloads", "{'name':'bank'}");
	cr_expect_eq(unseal(sealed, NULL), 400, "the new bank is another one");
	free(sealed);
}

/* ---- The life of keys ---- */

static void
expect_keys(const char *path, const char *want)
{
	struct seal_json *shown = call_json(path, NULL, 200);
	const struct seal_json *keys = array_of(shown, "keys");
	char text[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < seal_json_count(keys); i++) {
		const struct seal_json *key = seal_json_at(keys, i);
		bool live = seal_json_kind(seal_json_member(key, "retired_at")) == SEAL_JSON_NULL;

		cr_expect_gt(number(key, "created_at"), 0);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%llu:%llu%s ",
					(unsigned long long)number(key, "generation"),
					(unsigned long long)number(key, "objects"),
					live ? "" : "r");
	}
	cr_expect_str_eq(text, want);
	seal_json_free(shown);
}

static void
expect_phases(const char *want)
{
	struct seal_json *shown = call_json("/v1/workloads/shop", NULL, 200);
	const struct seal_json *keys = array_of(shown, "keys");
	char text[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < seal_json_count(keys); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ",
					text_of(seal_json_at(keys, i), "phase"));
	cr_expect_str_eq(text, want);
	seal_json_free(shown);
}

Test(rot_keys, are_introduced_switched_to_and_older_ones_open_until_they_are_retired)
{
	char *old = seal_text("shop", "web", "b", "old"), *new;

	expect_keys("/v1/workloads/shop", "1:1 ");
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_keys("/v1/workloads/shop", "2:0 1:1 ");
	expect_phases("introduced active ");
	expect_keys("/v1/workloads/bank", "1:0 ");
	expect_opens(old, "old");
	free(seal_text("shop", "web", "a", "still with the first"));
	expect_keys("/v1/workloads/shop", "2:0 1:2 ");
	expect(200, "POST", "/v1/workloads/shop/keys/2/switch", NULL);
	expect(200, "POST", "/v1/workloads/shop/keys/2/switch", NULL);
	expect_phases("active old ");
	new = seal_text("shop", "web", "b", "new");
	free(seal_text("shop", "web", "a", "with the second"));
	expect_opens(new, "new");
	expect_keys("/v1/workloads/shop", "2:2 1:0 ");
	expect(200, "DELETE", "/v1/workloads/shop/keys/1", NULL);
	expect_keys("/v1/workloads/shop", "2:2 1:0r ");
	expect_phases("active retired ");
	cr_expect_eq(unseal(old, NULL), 409);
	expect_opens(new, "new");
	expect(200, "DELETE", "/v1/workloads/shop/keys/1", NULL);
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_keys("/v1/workloads/shop", "3:0 2:2 1:0r ");
	free(old);
	free(new);
}

Test(rot_keys, are_introduced_one_at_a_time_and_may_be_given_up)
{
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_error(409, "conflict", "generation 2 of 'shop' is introduced already", "POST",
		     "/v1/workloads/shop/keys", NULL);
	expect(200, "DELETE", "/v1/workloads/shop/keys/2", NULL);
	expect_error(404, "missing", "2", "POST", "/v1/workloads/shop/keys/2/switch", NULL);
	expect_phases("retired active ");
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_keys("/v1/workloads/shop", "3:0 2:0r 1:0 ");
	expect(200, "POST", "/v1/workloads/shop/keys/3/switch", NULL);
	expect_error(409, "conflict", "generation 1 is old", "POST",
		     "/v1/workloads/shop/keys/1/switch", NULL);
	expect_phases("active retired old ");
}

Test(rot_keys, are_retired_with_care)
{
	char *sealed = seal_text("shop", "web", "b", "x");

	expect_error(409, "conflict", "the one that seals", "DELETE", "/v1/workloads/shop/keys/1",
		     NULL);
	expect_error(409, "conflict", "the one that seals", "DELETE",
		     "/v1/workloads/shop/keys/1?force=1", NULL);
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_error(409, "conflict", "the one that seals", "DELETE", "/v1/workloads/shop/keys/1",
		     NULL);
	expect(200, "POST", "/v1/workloads/shop/keys/2/switch", NULL);
	expect_error(409, "conflict", "1 object", "DELETE", "/v1/workloads/shop/keys/1", NULL);
	expect_error(409, "conflict", "1 object", "DELETE", "/v1/workloads/shop/keys/1?force=0",
		     NULL);
	expect_error(400, "invalid", "force", "DELETE", "/v1/workloads/shop/keys/1?force=yes",
		     NULL);
	expect_opens(sealed, "x");
	expect(200, "DELETE", "/v1/workloads/shop/keys/1?force=1", NULL);
	cr_expect_eq(unseal(sealed, NULL), 409);
	free(sealed);
}

Test(rot_keys, that_are_not_there_are_said_to_be_missing)
{
	static const struct {
		unsigned status;
		const char *code, *method, *path;
	} bad[] = {
		{ 404, "missing", "POST", "/v1/workloads/none/keys" },
		{ 400, "invalid", "POST", "/v1/workloads/Shop/keys" },
		{ 405, "method", "GET", "/v1/workloads/shop/keys" },
		{ 404, "missing", "POST", "/v1/workloads/shop/keys/" },
		{ 405, "method", "POST", "/v1/workloads/shop/keys/1" },
		{ 404, "missing", "DELETE", "/v1/workloads/shop/keys/2" },
		{ 404, "missing", "DELETE", "/v1/workloads/none/keys/1" },
		{ 400, "invalid", "DELETE", "/v1/workloads/shop/keys/0" },
		{ 400, "invalid", "DELETE", "/v1/workloads/shop/keys/x" },
		{ 400, "invalid", "DELETE", "/v1/workloads/shop/keys/1000001" },
		{ 404, "missing", "DELETE", "/v1/workloads/shop/keys/1/2" },
		{ 404, "missing", "POST", "/v1/workloads/shop/keys/2/switch" },
		{ 404, "missing", "POST", "/v1/workloads/none/keys/1/switch" },
		{ 400, "invalid", "POST", "/v1/workloads/shop/keys/x/switch" },
		{ 400, "invalid", "POST", "/v1/workloads/shop/keys/1/switch?force=2" },
		{ 405, "method", "GET", "/v1/workloads/shop/keys/1/switch" },
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_error(bad[i].status, bad[i].code, NULL, bad[i].method, bad[i].path, NULL);
	expect_keys("/v1/workloads/shop", "1:0 ");
}

/* A workload made before there were roots. */
static void
forget_roots(void)
{
	rig_remove(rig.db, "object/");
	rig_remove(rig.db, "sealed/");
	rig_remove(rig.db, "roots/");
}

Test(rot_keys, of_an_older_workload_are_made_when_they_are_needed)
{
	char *sealed;

	forget_roots();
	expect_keys("/v1/workloads/shop", "");
	sealed = seal_text("shop", "web", "b", "x");
	expect_opens(sealed, "x");
	expect_keys("/v1/workloads/shop", "1:1 ");
	free(sealed);
	forget_roots();
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_keys("/v1/workloads/shop", "2:0 1:0 ");
}

Test(rot_keys, that_are_damaged_are_a_503_that_spends_nothing)
{
	rig_edit(rig.db, "roots/", "live",
		 "[{'generation':1,'created_at':1,'wrapped':'"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		 "A'}]" /* 61 bytes */);
	expect_error(503, "unavailable", "damaged", "POST", "/v1/seal", ORDER(OBJECT("b", GOOD)));
	cr_expect_eq(generations(), 0);
}

/* ---- Who may ---- */

Test(rot_keys, ci_seals_and_does_nothing_else_with_them)
{
	struct rot_client *ci = rig_operator(&rig, "ci");
	char *sealed = seal_text("shop", "web", "b", "x"), body[2048];

	(void)snprintf(body, sizeof(body), "{'values':['%s']}", sealed);
	expect_from(ci, 200, "POST", "/v1/seal", ORDER(OBJECT("b", GOOD)));
	expect_from(ci, 403, "POST", "/v1/unseal", body);
	expect_from(ci, 403, "POST", "/v1/workloads/shop/keys", NULL);
	expect_from(ci, 403, "POST", "/v1/workloads/shop/keys/1/switch", NULL);
	expect_from(ci, 403, "DELETE", "/v1/workloads/shop/keys/1", NULL);
	expect_from(ci, 403, "DELETE", "/v1/workloads/shop/keys/1?force=1", NULL);
	expect_keys("/v1/workloads/shop", "1:2 ");
	free(sealed);
	rot_client_free(ci);
}

/* ---- Pods ---- */

struct pod {
	struct seal_key *key;
	struct rot_credentials got;
	struct verify_ring *ring;
};

static void
take_ring(struct pod *pod)
{
	struct seal_err err = { 0 };

	verify_ring_free(pod->ring);
	pod->ring = NULL;
	cr_assert_eq(verify_ring_new(&pod->ring, pod->got.workload, pod->got.peer, &err), 0);
	for (size_t i = 0; i < pod->got.key_count; i++) {
		struct verify_key_id id;

		cr_assert_eq(verify_key_id_parse(&id, pod->got.keys[i].id, &err), 0, "%s",
			     err.text);
		cr_assert_eq(verify_ring_add(pod->ring, &id, &pod->got.keys[i].key, &err), 0, "%s",
			     err.text);
	}
}

static void
ask(struct pod *pod, struct rot_client *client, const char *path, const char *statement)
{
	struct rot_request request = { .statement = (char *)(uintptr_t)statement };
	struct seal_key *key = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	request.csr = rig_csr(key);
	rot_credentials_release(&pod->got);
	cr_assert_eq(rot_client_credentials(client, path, &request, &pod->got, &err), 0, "%s",
		     err.text);
	free(request.csr);
	seal_key_free(pod->key);
	pod->key = key;
	take_ring(pod);
}

static void
pod_hatch(struct pod *pod, const char *workload, const char *peer)
{
	struct rot_client *client;
	struct rig_egg egg;
	char order[256];

	memset(pod, 0, sizeof(*pod));
	(void)snprintf(order, sizeof(order), "{'workload':'%s','peer':'%s'}", workload, peer);
	rig_mint(&rig, order, &egg);
	client = rig_client(&rig, egg.cert, egg.key);
	ask(pod, client, "/v1/hatch", egg.statement);
	rot_client_free(client);
	rig_egg_release(&egg);
}

static struct rot_client *
pod_client(const struct pod *pod)
{
	struct seal_certs *certs = NULL;
	struct rot_client *client;

	cr_assert_eq(seal_certs_from_pem(&certs, pod->got.certificate, strlen(pod->got.certificate),
					 SEAL_CHAIN_MAX_LEN, NULL),
		     0);
	client = rig_client(&rig, certs, pod->key);
	seal_certs_free(certs);
	return client;
}

static void
pod_renew(struct pod *pod)
{
	struct rot_client *client = pod_client(pod);

	ask(pod, client, "/v1/renew", NULL);
	rot_client_free(client);
}

static void
pod_release(struct pod *pod)
{
	seal_key_free(pod->key);
	rot_credentials_release(&pod->got);
	verify_ring_free(pod->ring);
}

static int
pod_opens(const struct pod *pod, const char *sealed)
{
	struct seal_secret *plain = NULL;
	int r = verify_open_any(&plain, NULL, pod->ring, sealed, strlen(sealed), NULL);

	seal_secret_free(plain);
	return r;
}

Test(rot_keys, pods_open_what_was_sealed_for_their_own_workload_and_peer)
{
	char *sealed = seal_text("shop", "web", "b", "x");
	static const struct {
		const char *workload, *peer;
		int want;
	} pods[] = {
		{ "shop", "web", 0 },
		{ "shop", "db", SEAL_E_UNAUTH },
		{ "shop", "any", SEAL_E_UNAUTH },
		{ "bank", "web", SEAL_E_UNAUTH },
	};

	for (size_t i = 0; i < SEAL_COUNT(pods); i++) {
		struct pod pod;

		pod_hatch(&pod, pods[i].workload, pods[i].peer);
		cr_expect_eq(pod.got.key_count, VERIFY_N_PURPOSES);
		cr_expect_eq(pod_opens(&pod, sealed), pods[i].want, "%s/%s", pods[i].workload,
			     pods[i].peer);
		cr_expect_eq(pod.got.floor_count, i == 0 ? 1 : 0);
		pod_release(&pod);
	}
	free(sealed);
}

/* A value of one place under the name of another key: the tag does not fit. */
Test(rot_keys, values_do_not_change_workload_or_peer_by_their_key_id)
{
	static const char *const from = "shop/config/web/1";
	static const char *const to[] = { "shop/config/adm/1", "bank/config/web/1" };
	char *sealed = seal_text("shop", "web", "b", "x");
	struct seal_bytes head = SEAL_BYTES(4096);
	const char *rest = strchr(sealed, '.');

	cr_assert_eq(seal_base64url_decode(&head, sealed, (size_t)(rest - sealed), NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(to); i++) {
		struct seal_bytes forged = SEAL_BYTES(8192);
		char *at = strstr((char *)head.data, i == 0 ? from : to[i - 1]);

		cr_assert_not_null(at);
		memcpy(at, to[i], strlen(from));
		cr_assert_eq(seal_base64url_encode(&forged, head.data, head.len, NULL), 0);
		cr_assert_eq(seal_bytes_append_str(&forged, rest, NULL), 0);
		cr_expect_eq(unseal(seal_bytes_str(&forged), NULL), 400, "%s", to[i]);
		seal_bytes_release(&forged);
	}
	seal_bytes_release(&head);
	free(sealed);
}

Test(rot_keys, pods_get_the_floor_of_their_own_objects)
{
	struct pod pod;

	free(seal_text("shop", "web", "b", "1"));
	free(seal_text("shop", "web", "a", "1"));
	free(seal_text("shop", "web", "b", "2"));
	free(seal_text("shop", "db", "c", "1"));
	free(seal_text("bank", "web", "d", "1"));
	pod_hatch(&pod, "shop", "web");
	cr_assert_eq(pod.got.floor_count, 2);
	cr_expect_str_eq(pod.got.floor[0].object, "default/Secret/a");
	cr_expect_eq(pod.got.floor[0].gen, 1);
	cr_expect_str_eq(pod.got.floor[1].object, "default/Secret/b");
	cr_expect_eq(pod.got.floor[1].gen, 2);
	free(seal_text("shop", "web", "a", "2"));
	pod_renew(&pod);
	cr_assert_eq(pod.got.floor_count, 2);
	cr_expect_eq(pod.got.floor[0].gen, 2);
	pod_release(&pod);
}

Test(rot_keys, pods_get_generations_before_these_seal_and_lose_retired_ones)
{
	char *old = seal_text("shop", "web", "b", "x"), *new;
	struct pod pod;

	pod_hatch(&pod, "shop", "web");
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_error(409, "conflict",
		     "1 certificate(s) are of pods that have not got key generation 2", "POST",
		     "/v1/workloads/shop/keys/2/switch", NULL);
	pod_renew(&pod);
	cr_expect_eq(pod.got.key_count, 2 * VERIFY_N_PURPOSES);
	expect(200, "POST", "/v1/workloads/shop/keys/2/switch", NULL);
	new = seal_text("shop", "web", "b", "x");
	cr_expect_eq(pod_opens(&pod, new), 0);
	cr_expect_eq(pod_opens(&pod, old), 0);
	expect(200, "DELETE", "/v1/workloads/shop/keys/1", NULL);
	pod_renew(&pod);
	cr_expect_eq(pod.got.key_count, VERIFY_N_PURPOSES);
	cr_expect_eq(pod_opens(&pod, new), 0);
	cr_expect_eq(pod_opens(&pod, old), SEAL_E_UNAUTH);
	pod_release(&pod);
	free(old);
	free(new);
}

Test(rot_keys, pods_of_an_older_workload_get_keys_all_the_same)
{
	struct pod pod;

	forget_roots();
	pod_hatch(&pod, "shop", "web");
	cr_expect_eq(pod.got.key_count, VERIFY_N_PURPOSES);
	pod_release(&pod);
	expect_keys("/v1/workloads/shop", "1:0 ");
}

Test(rot_keys, are_switched_to_by_force_before_all_pods_have_them)
{
	char *new;
	struct pod pod;

	pod_hatch(&pod, "shop", "web");
	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect_error(409, "conflict", "(web ", "POST", "/v1/workloads/shop/keys/2/switch?force=0",
		     NULL);
	expect(200, "POST", "/v1/workloads/shop/keys/2/switch?force=1", NULL);
	new = seal_text("shop", "web", "b", "x");
	cr_expect_eq(pod_opens(&pod, new), SEAL_E_UNAUTH, "before it renews");
	pod_renew(&pod);
	cr_expect_eq(pod_opens(&pod, new), 0);
	pod_release(&pod);
	free(new);
}

Test(rot_keys, pods_and_eggs_may_not_do_what_operators_may)
{
	static const struct {
		const char *method, *path, *body;
	} calls[] = {
		{ "POST", "/v1/seal", ORDER(OBJECT("b", GOOD)) },
		{ "POST", "/v1/unseal", "{'values':['x']}" },
		{ "POST", "/v1/workloads/shop/keys", NULL },
		{ "DELETE", "/v1/workloads/shop/keys/1?force=1", NULL },
		{ "GET", "/v1/workloads/shop", NULL },
	};
	struct rot_client *clients[2];
	struct rig_egg egg;
	struct pod pod;

	pod_hatch(&pod, "shop", "web");
	rig_mint(&rig, "{'workload':'shop','peer':'web'}", &egg);
	clients[0] = pod_client(&pod);
	clients[1] = rig_client(&rig, egg.cert, egg.key);
	for (size_t i = 0; i < SEAL_COUNT(clients); i++) {
		for (size_t j = 0; j < SEAL_COUNT(calls); j++)
			expect_from(clients[i], 403, calls[j].method, calls[j].path, calls[j].body);
		rot_client_free(clients[i]);
	}
	cr_expect_eq(generations(), 0);
	expect_keys("/v1/workloads/shop", "1:0 ");
	rig_egg_release(&egg);
	pod_release(&pod);
}

/* ---- Containers ---- */

/* The answer to minting with these members. */
static struct seal_json *
mint(const char *order, unsigned status)
{
	struct seal_json *body = rig_json(order), *reply;
	struct seal_key *key = NULL;
	char *csr;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	csr = rig_csr(key);
	seal_json_set_str(body, "csr", csr);
	reply = call_json("/v1/eggs", body, status);
	free(csr);
	seal_key_free(key);
	seal_json_free(body);
	return reply;
}

Test(rot_keys, tokens_are_those_that_the_pod_knows)
{
	struct seal_json *reply;
	const struct seal_json *tokens = NULL;
	static const char *const names[] = { "app", "log-2" };
	struct pod pod;

	expect(201, "POST", "/v1/workloads/shop/keys", NULL);
	expect(200, "POST", "/v1/workloads/shop/keys/2/switch", NULL);
	expect(201, "POST", "/v1/workloads/shop/keys",
	       NULL); /* what seals nothing yet makes no tokens */
	reply = mint("{'workload':'shop','peer':'web','containers':['app','log-2']}", 201);
	cr_assert_eq(seal_json_get_object(reply, "tokens", &tokens, NULL), 0);
	pod_hatch(&pod, "shop", "web");
	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		struct verify_token token = { 0 }, known = { 0 };
		const char *line = text_of(tokens, names[i]);

		cr_assert_eq(verify_token_parse(&token, line, strlen(line), NULL), 0);
		cr_expect_str_eq(token.workload, "shop");
		cr_expect_str_eq(token.peer, "web");
		cr_expect_str_eq(token.container, names[i]);
		cr_expect_eq(token.generation, 2);
		cr_assert_eq(verify_token_make(&known, pod.ring, names[i], 2, NULL), 0);
		cr_expect(seal_secret_equal(token.key, known.key));
		verify_token_release(&token);
		verify_token_release(&known);
	}
	pod_release(&pod);
	seal_json_free(reply);
	reply = mint("{'workload':'shop','peer':'web'}", 201);
	cr_expect_not(seal_json_has(reply, "tokens"));
	seal_json_free(reply);
}

Test(rot_keys, tokens_are_for_containers_that_can_be_and_the_egg_goes_with_them)
{
	static const char *const bad[] = { "[1]",     "'app'",  "['']",         "['App']",
					   "['a/b']", "['-a']", "['app','app']" };
	struct seal_bytes many = SEAL_BYTES(4096);
	char order[4096];

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(order, sizeof(order), "{'workload':'shop','containers':%s}", bad[i]);
		seal_json_free(mint(order, 400));
	}
	for (int i = 0; i < 33; i++)
		cr_assert_eq(seal_bytes_append_fmt(&many, NULL, "%s'c%d'", i > 0 ? "," : "", i), 0);
	(void)snprintf(order, sizeof(order), "{'workload':'shop','containers':[%s]}",
		       seal_bytes_str(&many));
	seal_json_free(mint(order, 400));
	cr_expect_eq(rig_count(rig.db, "egg/"), 0);
	seal_bytes_release(&many);
}

/* ---- The log ---- */

Test(rot_keys, and_values_are_not_logged)
{
	static char text[65536];
	struct pod pod;
	int pipe_fds[2], old = dup(STDERR_FILENO);
	char *sealed;
	ssize_t len;

	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
	seal_log_setup("seal-rot", SEAL_LOG_DEBUG, false);
	cr_assert_eq(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
	sealed = seal_text("shop", "web", "b", "MARKED-SECRET");
	(void)unseal(sealed, NULL);
	expect_error(400, "invalid", NULL, "POST", "/v1/seal",
		     ORDER(OBJECT("b", "{'key':'k','data':'MARKED-SECRET-!'}")));
	pod_hatch(&pod, "shop", "web");
	seal_json_free(mint("{'workload':'shop','containers':['app']}", 201));
	cr_assert_eq(dup2(old, STDERR_FILENO), STDERR_FILENO);
	len = read(pipe_fds[0], text, sizeof(text) - 1);
	cr_assert_gt(len, 0);
	cr_expect_not_null(strstr(text, "event=sealed"), "nothing was recorded");
	cr_expect_not_null(strstr(text, "event=unsealed"));
	cr_expect_null(strstr(text, "MARKED"), "%s", text);
	cr_expect_null(strstr(text, "eyJ"), "a sealed value or a token: %s", text);
	pod_release(&pod);
	free(sealed);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	(void)close(old);
}
