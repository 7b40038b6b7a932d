/* SPDX-License-Identifier: Apache-2.0 */
/* base/json: building, where a failure sticks until the text is asked for; the public vectors. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/json/json.h"
#include "tests/support/alloc.h"
#include "tests/support/vectors.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define STRV  SEAL_SCOPED(seal_strv_release) struct seal_strv
#define JSON  SEAL_SCOPED(seal_json_freep) struct seal_json *
#define MOST  (1024u * 1024)

static void
expect_dump(const struct seal_json *json, const char *text)
{
	BYTES out = SEAL_BYTES(10000);
	struct seal_err err = { 0 };

	cr_assert_eq(seal_json_dump(json, false, &out, &err), 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&out), text);
}

/* The failure is told, and nothing is written. */
static void
expect_no_dump(const struct seal_json *json, const char *why)
{
	BYTES out = SEAL_BYTES(10000);

	cr_assert_eq(seal_bytes_append_str(&out, "kept", NULL), 0);
	cr_expect_eq(seal_json_dump(json, false, &out, NULL), SEAL_E_MEMORY, "%s", why);
	cr_expect_str_eq(seal_bytes_str(&out), "kept", "%s", why);
}

/* One of everything. */
static void
fill(struct seal_json *json, const struct seal_strv *list, const struct seal_json *copied)
{
	struct seal_json *child, *array;

	seal_json_set_str(json, "s", "text \"quoted\"\n");
	seal_json_set_u64(json, "n", 7);
	seal_json_set_bool(json, "t", true);
	seal_json_set_bool(json, "f", false);
	seal_json_set_null(json, "z");
	child = seal_json_set_object(json, "o");
	seal_json_set_str(child, "x", "y");
	array = seal_json_set_array(json, "l");
	seal_json_add_str(array, "a");
	child = seal_json_add_object(array);
	seal_json_set_u64(child, "deep", 1);
	seal_json_add_copy(array, copied);
	seal_json_set_strv(json, "v", list);
	seal_json_set_copy(json, "c", copied);
}

static const char filled[] =
	"{\"s\":\"text \\\"quoted\\\"\\n\",\"n\":7,\"t\":true,\"f\":false,"
	"\"z\":null,\"o\":{\"x\":\"y\"},\"l\":[\"a\",{\"deep\":1},{\"k\":[1,2]}],"
	"\"v\":[\"p\",\"q\"],\"c\":{\"k\":[1,2]}}";

static struct seal_json *
parsed(const char *text)
{
	struct seal_json *json = NULL;

	cr_assert_eq(seal_json_parse(&json, text, strlen(text), MOST, NULL), 0);
	return json;
}

Test(json_build, numbers_of_all_kinds_are_set_and_printed_one_by_one)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *list = seal_json_set_array(json, "l");
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(4096);
	char number[SEAL_JSON_NUMBER_SIZE] = "";

	seal_json_set_i64(json, "least", INT64_MIN);
	seal_json_set_real(json, "half", 0.5);
	seal_json_set_i64(list, NULL, -1);
	seal_json_set_null(list, NULL);
	cr_assert_eq(seal_json_dump(json, false, &out, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&out),
			 "{\"l\":[-1,null],\"least\":-9223372036854775808,\"half\":0.5}");
	cr_assert_eq(
		seal_json_number(seal_json_member(json, "least"), number, sizeof(number), NULL), 0);
	cr_expect_str_eq(number, "-9223372036854775808");
	cr_assert_eq(seal_json_number(seal_json_at(list, 0), number, 3, NULL), 0);
	cr_expect_str_eq(number, "-1");
	cr_expect_eq(seal_json_number(seal_json_at(list, 0), number, 2, NULL), SEAL_E_LIMIT);
	cr_expect_eq(seal_json_number(seal_json_at(list, 1), number, sizeof(number), NULL),
		     SEAL_E_FORMAT);
	cr_expect_str_eq(number, "-1");
}

Test(json_build, a_number_json_does_not_have_fails_the_builder)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(4096);

	cr_expect_not(seal_json_has_failed(json));
	seal_json_set_real(json, "n", (double)INFINITY);
	cr_expect(seal_json_has_failed(json));
	cr_expect_lt(seal_json_dump(json, false, &out, NULL), 0);
}

Test(json_build, a_builder_can_be_told_to_fail)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(4096);

	seal_json_set_failed(seal_json_set_array(json, "l"));
	seal_json_set_failed(NULL);
	cr_expect(seal_json_has_failed(json), "what a member failed at is the object's too");
	cr_expect(seal_json_has_failed(NULL));
	cr_expect_lt(seal_json_dump(json, false, &out, NULL), 0);
}

Test(json_build, a_member_is_taken_out_of_its_object)
{
	struct seal_json *json = seal_json_new();
	SEAL_SCOPED(seal_json_freep) struct seal_json *member = NULL;

	seal_json_set_str(json, "a", "x");
	member = seal_json_take(json, "a");
	cr_expect_null(seal_json_take(json, "a"));
	cr_expect_not(seal_json_has(json, "a"));
	seal_json_free(json);
	cr_expect_str_eq(seal_json_str(member), "x");
}

Test(json_build, writes_what_was_set_in_that_order)
{
	JSON json = seal_json_new();
	JSON copied = parsed("{\"k\":[1,2]}");
	STRV list = { 0 };

	cr_assert_eq(seal_strv_split(&list, "p,q", ',', NULL), 0);
	fill(json, &list, copied);
	expect_dump(json, filled);
	seal_json_freep(&copied);
	expect_dump(json, filled); /* a copy is a copy */
	expect_dump(seal_json_member(json, "o"), "{\"x\":\"y\"}");
	expect_dump(seal_json_member(json, "l"), "[\"a\",{\"deep\":1},{\"k\":[1,2]}]");
	expect_dump(seal_json_member(json, "n"), "7");
	expect_dump(seal_json_member(json, "z"), "null");
}

Test(json_build, what_was_parsed_is_written_back)
{
	JSON json = parsed(filled);
	BYTES out = SEAL_BYTES(10000);

	expect_dump(json, filled);
	cr_expect_eq(seal_json_dump(json, true, &out, NULL), 0);
	cr_expect_not_null(strstr(seal_bytes_str(&out), "\n  \"n\": 7,\n"));
}

Test(json_build, a_member_set_twice_has_its_last_value)
{
	JSON json = seal_json_new();

	seal_json_set_str(json, "a", "first");
	seal_json_set_u64(json, "a", 2);
	expect_dump(json, "{\"a\":2}");
}

Test(json_build, a_value_that_is_none_fails_when_the_text_is_asked_for)
{
	static const char *const names[] = { "a string that is no UTF-8", "no string",
					     "a name that is no UTF-8",
					     "a number beyond the library's", "no value to copy" };

	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		JSON json = seal_json_new();

		if (i == 0)
			seal_json_set_str(json, "a", "\xff");
		else if (i == 1)
			seal_json_set_str(json, "a", NULL);
		else if (i == 2)
			seal_json_set_str(json, "\xff", "a");
		else if (i == 3)
			seal_json_set_u64(json, "a", (uint64_t)INT64_MAX + 1);
		else
			seal_json_set_copy(json, "a", NULL);
		seal_json_set_str(json, "b", "fine");
		expect_no_dump(json, names[i]);
	}
}

Test(json_build, a_failure_deep_inside_fails_the_whole)
{
	JSON json = seal_json_new();
	struct seal_json *array = seal_json_set_array(json, "l");
	struct seal_json *child = seal_json_add_object(array);

	expect_dump(json, "{\"l\":[{}]}");
	seal_json_set_str(seal_json_set_object(child, "x"), "s", "\xff");
	expect_no_dump(json, "three levels down");
	expect_no_dump(array, "two levels down");
}

Test(json_build, a_failure_is_copied_with_the_value)
{
	JSON broken = seal_json_new();
	JSON json = seal_json_new();
	JSON other = seal_json_new();

	seal_json_set_str(seal_json_set_object(broken, "x"), "s", "\xff");
	seal_json_set_copy(json, "copy", broken);
	expect_no_dump(json, "the copy of a broken value");
	seal_json_add_copy(seal_json_set_array(other, "l"), broken);
	expect_no_dump(other, "the copy of a broken element");
}

Test(json_build, the_wrong_kind_of_parent_is_a_failure)
{
	JSON json = seal_json_new();
	JSON other = seal_json_new();
	struct seal_json *array = seal_json_set_array(json, "l");

	seal_json_set_str(array, "name", "in an array");
	expect_no_dump(json, "a member of an array");
	seal_json_add_str(other, "an element of an object");
	expect_no_dump(other, "an element of an object");
}

Test(json_build, nothing_can_be_built_on_nothing)
{
	STRV list = { 0 };

	cr_assert_eq(seal_strv_add(&list, "a", NULL), 0);
	fill(NULL, &list, NULL);
	cr_expect_null(seal_json_set_object(NULL, "a"));
	expect_no_dump(NULL, "no value");
}

Test(json_build, tells_so_wherever_memory_ends)
{
	JSON copied = parsed("{\"k\":[1,2]}");
	STRV list = { 0 };
	size_t n;

	cr_assert_eq(seal_strv_split(&list, "p,q", ',', NULL), 0);
	for (n = 1;; n++) {
		BYTES out = SEAL_BYTES(10000);
		JSON json = NULL;
		int r;

		alloc_fail_at(n);
		json = seal_json_new();
		fill(json, &list, copied);
		r = seal_json_dump(json, false, &out, NULL);
		if (!alloc_call_off()) {
			cr_expect_str_eq(seal_bytes_str(&out), filled);
			break;
		}
		/* The library may do without an allocation; then the text must be whole. */
		cr_expect(r == SEAL_E_MEMORY || strcmp(seal_bytes_str(&out), filled) == 0,
			  "allocation %zu: %d %s", n, r, seal_bytes_str(&out));
		cr_expect(r == 0 || out.len == 0);
		cr_assert_lt(n, 1000);
	}
	cr_expect_gt(n, 20, "nothing failed");
}

Test(json_build, keeps_to_the_limit_of_its_output)
{
	/* What is last is long: what is left out in its favour must not pass for the whole. */
	static const char text[] = "{\"a\":{\"b\":\"c\"},\"a-name-that-is-rather-long\":1}";
	JSON json = parsed(text);

	for (size_t max = 0; max < sizeof(text) - 1; max++) {
		BYTES out = SEAL_BYTES(max);

		cr_expect_eq(seal_json_dump(json, false, &out, NULL), SEAL_E_LIMIT, "%zu: %s", max,
			     seal_bytes_str(&out));
		cr_expect_eq(out.len, 0);
		for (size_t i = 0; i < out.cap; i++) {
			if (out.data[i] != 0)
				cr_assert_fail("left byte %zu behind", i);
		}
	}
}

/* JSONTestSuite.  y_ must be accepted, n_ must not, of the rest no crash is asked. */
struct verdicts {
	size_t accepted, refused;
};

/* Valid JSON that we refuse: repeated members, and NUL inside strings. */
static bool
is_too_clever(const char *name)
{
	static const char *const ours[] = {
		"y_object_duplicated_key.json",
		"y_object_duplicated_key_and_value.json",
		"y_object_escaped_null_in_key.json",
		"y_string_null_escape.json",
	};

	for (size_t i = 0; i < SEAL_COUNT(ours); i++) {
		if (strcmp(name, ours[i]) == 0)
			return true;
	}
	return false;
}

static void
expect_verdict(struct verdicts *verdicts, const char *name, const char *text, size_t len,
	       bool is_object)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };
	int r = seal_json_parse(&json, text, len, MOST, &err);

	cr_expect_eq(r == 0, json != NULL, "%s", name);
	if (name[0] == 'n')
		cr_expect_lt(r, 0, "accepted %s", name);
	else if (name[0] == 'y')
		cr_expect_eq(r == 0, is_object && !is_too_clever(name), "%s: %s", name, err.text);
	verdicts->accepted += r == 0;
	verdicts->refused += r != 0;
	seal_json_free(json);
}

static void
try_vector(void *arg, const char *name, const char *text, size_t len)
{
	BYTES inside = SEAL_BYTES(MOST);
	const char *first = text;

	while (first < text + len && strchr(" \t\r\n", *first) != NULL)
		first++;
	expect_verdict(arg, name, text, len, first < text + len && *first == '{');
	/* And as the member of an object, so that all kinds of values are met. */
	cr_assert_eq(seal_bytes_append_str(&inside, "{\"v\":", NULL), 0);
	cr_assert_eq(seal_bytes_append(&inside, text, len, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&inside, "}", NULL), 0);
	expect_verdict(arg, name, seal_bytes_str(&inside), inside.len, true);
	for (size_t cut = 0; len < 1000 && cut < inside.len; cut++) {
		struct seal_json *json = NULL;

		if (seal_json_parse(&json, inside.data, cut, MOST, NULL) == 0 || json != NULL)
			cr_assert_fail("accepted %zu bytes of %s", cut, name);
	}
}

Test(json_vectors, the_public_suite_is_answered_as_it_should_be)
{
	struct verdicts verdicts = { 0 };
	size_t count = vectors_each("json-parsing", ".json", try_vector, &verdicts);

	if (count == 0)
		cr_skip_test("no vectors");
	printf("json-parsing: %zu files, %zu accepted, %zu refused\n", count, verdicts.accepted,
	       verdicts.refused);
	cr_expect_gt(verdicts.accepted, 40);
	cr_expect_gt(verdicts.refused, 100);
}
