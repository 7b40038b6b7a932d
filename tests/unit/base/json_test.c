/* SPDX-License-Identifier: Apache-2.0 */
/* base/json: what is read and refused, typed access, and building without checking each step. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/json/json.h"
#include "tests/support/alloc.h"
#include "tests/support/vectors.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define STRV  SEAL_SCOPED(seal_strv_release) struct seal_strv
#define JSON  SEAL_SCOPED(seal_json_freep) struct seal_json *
#define MOST  (1024u * 1024)

static int
parse(struct seal_json **ret_json, const char *text, struct seal_err *err)
{
	return seal_json_parse(ret_json, text, strlen(text), MOST, err);
}

static struct seal_json *
parsed(const char *text)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(parse(&json, text, &err), 0, "%s: %s", text, err.text);
	cr_assert_not_null(json);
	return json;
}

static void
expect_refused(const char *text, size_t len, int code)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(seal_json_parse(&json, text, len, MOST, &err), code, "'%.*s': %s",
		     (int)(len < 100 ? len : 100), text, err.text);
	cr_expect_null(json);
	cr_expect_eq(err.code, code);
}

Test(json_parse, the_outermost_value_is_an_object)
{
	static const char *const bad[] = { "",     " ",    "[]",    "[{}]", "1",       "\"x\"",
					   "true", "null", "{} {}", "{}x",  "{},",     "{}}",
					   "x{}",  "{",    "}",     "{]",   "{\"a\"}", "{\"a\":}" };
	JSON json = parsed(" \t\r\n{} \n");

	cr_expect_null(seal_json_next(json, NULL));
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_refused(bad[i], strlen(bad[i]), SEAL_E_FORMAT);
	expect_refused(NULL, 0, SEAL_E_FORMAT);
}

Test(json_parse, nothing_stands_behind_the_value_not_even_a_nul)
{
	expect_refused("{}\0", 3, SEAL_E_FORMAT);
	expect_refused("{}\0{}", 5, SEAL_E_FORMAT);
	expect_refused("\0{}", 3, SEAL_E_FORMAT);
	expect_refused("\xef\xbb\xbf{}", 5, SEAL_E_FORMAT);
}

Test(json_parse, strings_have_no_nul_and_valid_utf8)
{
	static const char *const bad[] = {
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"x\\u0000y\"}",
		"{\"\\u0000\":1}",
		"{\"a\\u0000b\":1}",
		"{\"a\":\"\x80\"}",
		"{\"a\":\"\xff\"}",
		"{\"a\":\"\xc0\xaf\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		"{\"a\":\"\xc3\"}",
		"{\"\xff\":1}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\\udc00\"}",
		"{\"a\":\"\\ud800\\u0041\"}",
		"{\"a\":\"\xf4\x90\x80\x80\"}",
		"{\"a\":\"line\nbreak\"}",
		"{\"a\":\"tab\t\"}",
		"{\"a\":\"\\x41\"}",
		"{'a':1}",
	};
	JSON json = parsed("{\"a\":\"\\ud834\\udd1e\\u00e9\xc3\xa9\"}");
	const char *str = NULL;

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_refused(bad[i], strlen(bad[i]), SEAL_E_FORMAT);
	expect_refused("{\"a\":\"\0\"}", 9, SEAL_E_FORMAT);
	cr_expect_eq(seal_json_get_str(json, "a", &str, NULL), 0);
	cr_expect_str_eq(str, "\xf0\x9d\x84\x9e\xc3\xa9\xc3\xa9");
}

Test(json_parse, no_member_occurs_twice)
{
	static const char *const bad[] = {
		"{\"a\":1,\"a\":1}",         "{\"a\":1,\"b\":2,\"a\":3}",
		"{\"a\":1,\"\\u0061\":1}",   "{\"\":1,\"\":2}",
		"{\"x\":{\"a\":1,\"a\":2}}", "{\"x\":[{\"a\":1,\"a\":2}]}",
		"{\"a\":null,\"a\":null}",
	};
	JSON fine = parsed("{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]},\"A\":1,\"a \":1}");
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_expect(seal_json_has(fine, "a "));
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_refused(bad[i], strlen(bad[i]), SEAL_E_FORMAT);
	cr_expect_eq(parse(&json, bad[0], &err), SEAL_E_FORMAT);
	cr_expect_not_null(strstr(err.text, "twice"));
}

Test(json_parse, longer_than_allowed_is_not_looked_at)
{
	struct seal_json *json = NULL;

	cr_expect_eq(seal_json_parse(&json, "{}", 2, 1, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_json_parse(&json, NULL, SIZE_MAX, 100, NULL), SEAL_E_LIMIT);
	cr_expect_null(json);
	cr_expect_eq(seal_json_parse(&json, "{}", 2, 2, NULL), 0);
	seal_json_free(json);
}

/* An object around depth - 1 levels of open and close. */
static size_t
nest(char *to, unsigned depth, const char *open, const char *close)
{
	size_t len = 0;

	memcpy(to, "{\"v\":", 5);
	len = 5;
	for (unsigned i = 1; i < depth; i++, len += strlen(open))
		memcpy(to + len, open, strlen(open));
	to[len++] = '1';
	for (unsigned i = 1; i < depth; i++, len += strlen(close))
		memcpy(to + len, close, strlen(close));
	to[len++] = '}';
	return len;
}

Test(json_parse, is_as_deep_as_the_limit_and_no_deeper)
{
	static char text[100000];
	static const unsigned deep[] = { SEAL_JSON_MAX_DEPTH + 1, SEAL_JSON_MAX_DEPTH + 2, 2000,
					 10000 };
	struct seal_json *json = NULL;
	size_t len;

	for (unsigned depth = 1; depth <= SEAL_JSON_MAX_DEPTH; depth++) {
		len = nest(text, depth, "[", "]");
		cr_expect_eq(seal_json_parse(&json, text, len, MOST, NULL), 0, "%u", depth);
		seal_json_freep(&json);
		len = nest(text, depth, "{\"a\":", "}");
		cr_expect_eq(seal_json_parse(&json, text, len, MOST, NULL), 0, "%u", depth);
		seal_json_freep(&json);
	}
	for (size_t i = 0; i < SEAL_COUNT(deep); i++) {
		len = nest(text, deep[i], "[", "]");
		expect_refused(text, len, SEAL_E_LIMIT);
		len = nest(text, deep[i], "{\"a\":", "}");
		expect_refused(text, len, SEAL_E_LIMIT);
	}
}

Test(json_parse, brackets_inside_strings_are_no_depth_and_quotes_hide_none)
{
	static char text[1000];
	JSON many = NULL;
	size_t len;

	/* Side by side is not deep. */
	many = parsed("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\","
		      "\"b\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\","
		      "\"c\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}");
	/* An escaped quote, or an escaped backslash and the end: neither hides the depth. */
	len = nest(text, SEAL_JSON_MAX_DEPTH + 1, "[\"\\\"\",", "]");
	expect_refused(text, len, SEAL_E_LIMIT);
	len = nest(text, SEAL_JSON_MAX_DEPTH + 1, "[\"\\\\\",", "]");
	expect_refused(text, len, SEAL_E_LIMIT);
	len = nest(text, SEAL_JSON_MAX_DEPTH, "[\"\\\"\",", "]");
	cr_expect_eq(seal_json_parse(&(struct seal_json *){ NULL }, "", 0, 0, NULL), SEAL_E_FORMAT);
	seal_json_freep(&many);
	cr_expect_eq(seal_json_parse(&many, text, len, MOST, NULL), 0);
}

static const char sample[] = "{\"s\":\"text\",\"n\":7,\"t\":true,\"f\":false,\"z\":null,\"r\":1.5,"
			     "\"neg\":-1,\"big\":9223372036854775807,\"o\":{\"x\":\"y\"},"
			     "\"l\":[\"a\",\"b\"],\"mixed\":[\"a\",1],\"e\":[],\"empty\":\"\"}";

Test(json_parse, refuses_every_truncation)
{
	for (size_t len = 0; len < sizeof(sample) - 1; len++) {
		char *copy = malloc(len + 1);

		cr_assert_not_null(copy);
		memcpy(copy + 1, sample, len);
		expect_refused(copy + 1, len, SEAL_E_FORMAT);
		free(copy);
	}
}

Test(json_parse, a_sentence_never_repeats_the_text)
{
	static const char *const bad[] = { "{\"a\":hunter2}",
					   "{\"a\":\"hunter2}",
					   "{\"hunter2\" 1}",
					   "hunter2",
					   "{\"hunter2\":1,\"hunter2\":2}",
					   "{\"a\":\"hunter2\" x}" };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_json *json = NULL;
		struct seal_err err = { 0 };

		cr_expect_eq(parse(&json, bad[i], &err), SEAL_E_FORMAT);
		cr_expect_null(strstr(err.text, "hunter2"), "%s", err.text);
		cr_expect_gt(strlen(err.text), 10);
	}
}

Test(json_parse, gives_up_wherever_memory_ends)
{
	JSON whole = parsed(sample); /* what is set up once is there */

	cr_expect(seal_json_has(whole, "empty"));
	for (size_t n = 1;; n++) {
		struct seal_json *json = NULL;
		int r;

		alloc_fail_at(n);
		r = parse(&json, sample, NULL);
		if (!alloc_call_off()) {
			seal_json_free(json);
			break;
		}
		cr_expect_eq(r, SEAL_E_MEMORY, "allocation %zu: %d", n, r);
		cr_expect_null(json);
		cr_assert_lt(n, 1000);
	}
}

/* Every getter on member name, when it is none of the types in fits. */
static void
expect_getters(const struct seal_json *json, const char *name, const char *fits, int code)
{
	const char *str = "kept";
	uint64_t number = 77;
	bool truth = true;
	const struct seal_json *object = NULL, *array = NULL;
	STRV list = { 0 };
	int r[] = {
		strchr(fits, 's') ? code : seal_json_get_str(json, name, &str, NULL),
		strchr(fits, 'n') ? code : seal_json_get_u64(json, name, 10, &number, NULL),
		strchr(fits, 'b') ? code : seal_json_get_bool(json, name, &truth, NULL),
		strchr(fits, 'o') ? code : seal_json_get_object(json, name, &object, NULL),
		strchr(fits, 'a') ? code : seal_json_get_array(json, name, &array, NULL),
		strchr(fits, 'l') ? code : seal_json_get_strv(json, name, 10, &list, NULL),
	};

	for (size_t i = 0; i < SEAL_COUNT(r); i++)
		cr_expect_eq(r[i], code, "getter %zu of '%s': %d", i, name, r[i]);
	cr_expect_str_eq(str, "kept");
	cr_expect_eq(number, 77);
	cr_expect(truth);
	cr_expect(object == NULL && array == NULL && list.count == 0);
}

Test(json_get, another_type_is_malformed_and_changes_nothing)
{
	JSON json = parsed(sample);

	expect_getters(json, "s", "s", SEAL_E_FORMAT);
	expect_getters(json, "n", "n", SEAL_E_FORMAT);
	expect_getters(json, "t", "b", SEAL_E_FORMAT);
	expect_getters(json, "f", "b", SEAL_E_FORMAT);
	expect_getters(json, "z", "", SEAL_E_FORMAT);
	expect_getters(json, "r", "", SEAL_E_FORMAT);
	expect_getters(json, "o", "o", SEAL_E_FORMAT);
	expect_getters(json, "l", "al", SEAL_E_FORMAT);
	expect_getters(json, "mixed", "a", SEAL_E_FORMAT);
}

Test(json_get, a_missing_member_is_missing_and_named)
{
	JSON json = parsed(sample);
	struct seal_err err = { 0 };
	const char *str = NULL;

	expect_getters(json, "nope", "", SEAL_E_MISSING);
	expect_getters(json, "", "", SEAL_E_MISSING);
	expect_getters(json, "S", "", SEAL_E_MISSING);
	expect_getters(seal_json_member(json, "s"), "s", "", SEAL_E_MISSING);
	cr_expect_eq(seal_json_get_str(json, "nope", &str, &err), SEAL_E_MISSING);
	cr_expect_not_null(strstr(err.text, "'nope'"));
	cr_expect_eq(seal_json_get_str(json, "n", &str, &err), SEAL_E_FORMAT);
	cr_expect_not_null(strstr(err.text, "'n'"));
}

Test(json_get, gives_what_is_there)
{
	JSON json = parsed(sample);
	const char *str = NULL;
	uint64_t number = 0;
	bool truth = false;
	const struct seal_json *child = NULL;

	cr_expect_eq(seal_json_get_str(json, "s", &str, NULL), 0);
	cr_expect_str_eq(str, "text");
	cr_expect_eq(seal_json_get_str(json, "empty", &str, NULL), 0);
	cr_expect_str_eq(str, "");
	cr_expect_eq(seal_json_get_u64(json, "n", 7, &number, NULL), 0);
	cr_expect_eq(number, 7);
	cr_expect_eq(seal_json_get_u64(json, "big", UINT64_MAX, &number, NULL), 0);
	cr_expect_eq(number, INT64_MAX);
	cr_expect_eq(seal_json_get_bool(json, "t", &truth, NULL), 0);
	cr_expect(truth);
	cr_expect_eq(seal_json_get_bool(json, "f", &truth, NULL), 0);
	cr_expect_not(truth);
	cr_expect_eq(seal_json_get_object(json, "o", &child, NULL), 0);
	cr_expect_eq(seal_json_get_str(child, "x", &str, NULL), 0);
	cr_expect_eq(seal_json_get_array(json, "l", &child, NULL), 0);
	cr_expect_eq(seal_json_count(child), 2);
	cr_expect(seal_json_has(json, "z"));
	cr_expect_not(seal_json_has(json, "nope"));
}

Test(json_get, numbers_keep_to_their_range)
{
	JSON json = parsed("{\"a\":7,\"neg\":-1,\"least\":-9223372036854775808,\"real\":7.0,"
			   "\"exp\":7e0,\"zero\":0}");
	uint64_t number = 77;

	cr_expect_eq(seal_json_get_u64(json, "a", 6, &number, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_json_get_u64(json, "neg", UINT64_MAX, &number, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_json_get_u64(json, "least", UINT64_MAX, &number, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_json_get_u64(json, "real", 10, &number, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_json_get_u64(json, "exp", 10, &number, NULL), SEAL_E_FORMAT);
	cr_expect_eq(number, 77);
	cr_expect_eq(seal_json_get_u64(json, "zero", 0, &number, NULL), 0);
	expect_refused("{\"a\":9223372036854775808}", 25, SEAL_E_FORMAT);
	expect_refused("{\"a\":1e999}", 11, SEAL_E_FORMAT);
}

Test(json_get, a_list_of_strings_has_a_limit_and_replaces_only_on_success)
{
	JSON json = parsed(sample);
	STRV list = { 0 };

	cr_assert_eq(seal_strv_add(&list, "old", NULL), 0);
	cr_expect_eq(seal_json_get_strv(json, "l", 1, &list, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_json_get_strv(json, "mixed", 9, &list, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_json_get_strv(json, "nope", 9, &list, NULL), SEAL_E_MISSING);
	for (size_t n = 1; n <= 4; n++) {
		alloc_fail_at(n);
		cr_expect_eq(seal_json_get_strv(json, "l", 9, &list, NULL), SEAL_E_MEMORY);
		cr_expect(alloc_call_off());
	}
	cr_assert_eq(list.count, 1);
	cr_expect_str_eq(list.items[0], "old");
	cr_expect_eq(seal_json_get_strv(json, "l", 2, &list, NULL), 0);
	cr_assert_eq(list.count, 2);
	cr_expect_str_eq(list.items[1], "b");
	cr_expect_eq(seal_json_get_strv(json, "e", 0, &list, NULL), 0);
	cr_expect_eq(list.count, 0);
}

Test(json_only, names_the_first_member_that_is_not_expected)
{
	static const char *const ab[] = { "a", "b", NULL };
	static const char *const none[] = { NULL };
	JSON fine = parsed("{\"b\":1}");
	JSON more = parsed("{\"a\":1,\"A\":2,\"x\\nforged\":3}");
	JSON odd = parsed("{\"x\\nforged\":3}");
	JSON empty = parsed("{}");
	struct seal_err err = { 0 };

	cr_expect_eq(seal_json_only(fine, ab, NULL), 0);
	cr_expect_eq(seal_json_only(empty, none, NULL), 0);
	cr_expect_eq(seal_json_only(fine, none, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_json_only(more, ab, &err), SEAL_E_FORMAT);
	cr_expect_not_null(strstr(err.text, "'A'"), "%s", err.text);
	cr_expect_eq(seal_json_only(odd, ab, &err), SEAL_E_FORMAT);
	cr_expect_null(strchr(err.text, '\n'));
}

Test(json_walk, members_come_in_the_order_they_were_written)
{
	JSON json = parsed("{\"z\":1,\"a\":2,\"m\":3,\"\":4}");
	static const char *const want[] = { "z", "a", "m", "" };
	const char *name = NULL;

	for (size_t i = 0; i < SEAL_COUNT(want); i++) {
		name = seal_json_next(json, name);
		cr_assert_not_null(name);
		cr_expect_str_eq(name, want[i]);
		cr_expect_eq(seal_json_u64(seal_json_member(json, name)), i + 1);
	}
	cr_expect_null(seal_json_next(json, name));
	cr_expect_null(seal_json_next(json, "no such member"));
}

Test(json_walk, values_tell_their_kind)
{
	JSON json = parsed(sample);
	static const struct {
		const char *name;
		enum seal_json_kind kind;
	} cases[] = {
		{ "s", SEAL_JSON_STRING }, { "n", SEAL_JSON_NUMBER }, { "r", SEAL_JSON_NUMBER },
		{ "t", SEAL_JSON_BOOL },   { "f", SEAL_JSON_BOOL },   { "z", SEAL_JSON_NULL },
		{ "o", SEAL_JSON_OBJECT }, { "l", SEAL_JSON_ARRAY },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		cr_expect_eq(seal_json_kind(seal_json_member(json, cases[i].name)), cases[i].kind,
			     "%s", cases[i].name);
	cr_expect_eq(seal_json_u64(seal_json_member(json, "neg")), 0);
	cr_expect_eq(seal_json_u64(seal_json_member(json, "s")), 0);
	cr_expect_null(seal_json_member(json, "nope"));
	cr_expect_null(seal_json_str(seal_json_member(json, "n")));
	cr_expect_null(seal_json_str(seal_json_member(json, "nope")));
	cr_expect(seal_json_bool(seal_json_member(json, "t")));
	cr_expect_not(seal_json_bool(seal_json_member(json, "s")));
	cr_expect_null(seal_json_at(seal_json_member(json, "l"), 2));
	cr_expect_null(seal_json_at(seal_json_member(json, "l"), SIZE_MAX));
	cr_expect_null(seal_json_at(seal_json_member(json, "o"), 0));
	cr_expect_eq(seal_json_count(seal_json_member(json, "o")), 0);
	cr_expect_eq(seal_json_count(seal_json_member(json, "nope")), 0);
	seal_json_free(NULL);
}
