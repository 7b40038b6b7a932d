/* SPDX-License-Identifier: Apache-2.0 */
/* base/yaml/tree: what values mean, walking them, aliases, merges, places. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/yaml/tree.h"
#include "tests/unit/base/tree_rig.h"

struct meaning {
	const char *text; /* behind "a: " */
	enum seal_tree_kind kind;
	const char *json; /* NULL: cannot become JSON */
};

static const struct meaning meanings[] = {
	{ "", SEAL_TREE_NULL, "null" },
	{ "~", SEAL_TREE_NULL, "null" },
	{ "null", SEAL_TREE_NULL, "null" },
	{ "Null", SEAL_TREE_NULL, "null" },
	{ "NULL", SEAL_TREE_NULL, "null" },
	{ "nULL", SEAL_TREE_STRING, "\"nULL\"" },
	{ "!!null \"\"", SEAL_TREE_NULL, "null" },
	{ "\"null\"", SEAL_TREE_STRING, "\"null\"" },
	{ "true", SEAL_TREE_BOOL, "true" },
	{ "TRUE", SEAL_TREE_BOOL, "true" },
	{ "yes", SEAL_TREE_BOOL, "true" },
	{ "Yes", SEAL_TREE_BOOL, "true" },
	{ "on", SEAL_TREE_BOOL, "true" },
	{ "On", SEAL_TREE_BOOL, "true" },
	{ "false", SEAL_TREE_BOOL, "false" },
	{ "no", SEAL_TREE_BOOL, "false" },
	{ "NO", SEAL_TREE_BOOL, "false" },
	{ "off", SEAL_TREE_BOOL, "false" },
	{ "OFF", SEAL_TREE_BOOL, "false" },
	{ "!!bool \"yes\"", SEAL_TREE_BOOL, "true" },
	{ "yEs", SEAL_TREE_STRING, "\"yEs\"" },
	{ "y", SEAL_TREE_STRING, "\"y\"" },
	{ "N", SEAL_TREE_STRING, "\"N\"" },
	{ "'yes'", SEAL_TREE_STRING, "\"yes\"" },
	{ "|-\n yes", SEAL_TREE_STRING, "\"yes\"" },
	{ ">-\n 12", SEAL_TREE_STRING, "\"12\"" },
	{ "0", SEAL_TREE_NUMBER, "0" },
	{ "-0", SEAL_TREE_NUMBER, "0" },
	{ "12", SEAL_TREE_NUMBER, "12" },
	{ "+12", SEAL_TREE_NUMBER, "12" },
	{ "-12", SEAL_TREE_NUMBER, "-12" },
	{ "1_000", SEAL_TREE_NUMBER, "1000" },
	{ "0777", SEAL_TREE_NUMBER, "511" },
	{ "0o777", SEAL_TREE_NUMBER, "511" },
	{ "-0777", SEAL_TREE_NUMBER, "-511" },
	{ "08", SEAL_TREE_NUMBER, "8.0" },
	{ "0x1F", SEAL_TREE_NUMBER, "31" },
	{ "-0x1_f", SEAL_TREE_NUMBER, "-31" },
	{ "0b101", SEAL_TREE_NUMBER, "5" },
	{ "0x", SEAL_TREE_STRING, "\"0x\"" },
	{ "0b12", SEAL_TREE_STRING, "\"0b12\"" },
	{ "12a", SEAL_TREE_STRING, "\"12a\"" },
	{ "1:30", SEAL_TREE_STRING, "\"1:30\"" },
	{ "190:20:30", SEAL_TREE_STRING, "\"190:20:30\"" },
	{ "_1", SEAL_TREE_STRING, "\"_1\"" },
	{ "9223372036854775807", SEAL_TREE_NUMBER, "9223372036854775807" },
	{ "-9223372036854775808", SEAL_TREE_NUMBER, "-9223372036854775808" },
	{ "9223372036854775808", SEAL_TREE_NUMBER, NULL },
	{ "-9223372036854775809", SEAL_TREE_NUMBER, NULL },
	{ "123456789012345678901234567890", SEAL_TREE_NUMBER, NULL },
	{ "1.5", SEAL_TREE_NUMBER, "1.5" },
	{ "1.", SEAL_TREE_NUMBER, "1.0" },
	{ ".5", SEAL_TREE_NUMBER, "0.5" },
	{ "-.5", SEAL_TREE_NUMBER, "-0.5" },
	{ "1e3", SEAL_TREE_NUMBER, "1000.0" },
	{ "1_0.5e-1", SEAL_TREE_NUMBER, "1.05" },
	{ "!!float 3", SEAL_TREE_NUMBER, "3" },
	{ "!!int \"3\"", SEAL_TREE_NUMBER, "3" },
	{ "1e999", SEAL_TREE_NUMBER, NULL },
	{ ".inf", SEAL_TREE_NUMBER, NULL },
	{ "-.INF", SEAL_TREE_NUMBER, NULL },
	{ ".NaN", SEAL_TREE_NUMBER, NULL },
	{ "1e", SEAL_TREE_STRING, "\"1e\"" },
	{ ".", SEAL_TREE_STRING, "\".\"" },
	{ "+", SEAL_TREE_STRING, "\"+\"" },
	{ "1.2.3", SEAL_TREE_STRING, "\"1.2.3\"" },
	{ "nan", SEAL_TREE_STRING, "\"nan\"" },
	{ "!!str 12", SEAL_TREE_STRING, "\"12\"" },
	{ "!!str", SEAL_TREE_STRING, "\"\"" },
	{ "!!str true", SEAL_TREE_STRING, "\"true\"" },
	{ "2001-12-14", SEAL_TREE_TIME, "\"2001-12-14\"" },
	{ "2001-12-14t21:59:43.10-05:00", SEAL_TREE_TIME, "\"2001-12-14t21:59:43.10-05:00\"" },
	{ "2001-12-14 21:59:43.10 -5", SEAL_TREE_TIME, "\"2001-12-14 21:59:43.10 -5\"" },
	{ "2001-12-14T21:59:43Z", SEAL_TREE_TIME, "\"2001-12-14T21:59:43Z\"" },
	{ "!!timestamp \"2001-12-14\"", SEAL_TREE_TIME, "\"2001-12-14\"" },
	{ "'2001-12-14'", SEAL_TREE_STRING, "\"2001-12-14\"" },
	{ "2001-12-14x", SEAL_TREE_STRING, "\"2001-12-14x\"" },
	{ "2001-12-14T21:59", SEAL_TREE_STRING, "\"2001-12-14T21:59\"" },
	{ "!!binary \"QUJDRA==\"", SEAL_TREE_BINARY, "\"ABCD\"" },
	{ "!!binary |\n QUJD\n RA==", SEAL_TREE_BINARY, "\"ABCD\"" },
	{ "!!binary \"\"", SEAL_TREE_BINARY, "\"\"" },
	{ "!!binary \"/w==\"", SEAL_TREE_BINARY, NULL },
	{ "!!binary \"AA==\"", SEAL_TREE_BINARY, NULL },
	{ "\"a\\0b\"", SEAL_TREE_STRING, NULL },
	{ "\"\\x41\\u00e4\\U0001F600\\n\"", SEAL_TREE_STRING, "\"A\xc3\xa4\xf0\x9f\x98\x80\\n\"" },
	{ "{}", SEAL_TREE_MAP, "{}" },
	{ "!!map {b: 1}", SEAL_TREE_MAP, "{\"b\":1}" },
	{ "[]", SEAL_TREE_LIST, "[]" },
	{ "!!seq [~]", SEAL_TREE_LIST, "[null]" },
};

Test(tree_types, plain_text_means_what_kubernetes_takes_it_for)
{
	for (size_t i = 0; i < SEAL_COUNT(meanings); i++) {
		char text[256], json[256];
		JSON value = NULL;

		(void)snprintf(text, sizeof(text), "a: %s\n", meanings[i].text);
		TREE tree = only_tree(text);
		struct seal_tree_node *root = seal_tree_root(tree);

		cr_expect_eq(seal_tree_kind(seal_tree_get(root, "a")), meanings[i].kind,
			     "'%s' is %s", text,
			     seal_tree_kind_name(seal_tree_kind(seal_tree_get(root, "a"))));
		(void)snprintf(json, sizeof(json), "{\"a\":%s}",
			       meanings[i].json == NULL ? "" : meanings[i].json);
		if (meanings[i].json != NULL) {
			expect_json(tree, json);
		} else {
			struct seal_err err = { 0 };

			cr_expect_lt(seal_tree_to_json(tree, root, &value, &err), 0, "'%s'", text);
			cr_expect_null(value);
			cr_expect_eq(strncmp(err.text, "t.yaml:1:4: $.a: ", 17), 0, "%s", err.text);
		}
	}
}

Test(tree_types, two_escapes_are_one_letter_in_json_and_text_elsewhere)
{
	STREAM stream = stream_of(
		"{\"a\\\\\": [\"x\\ud83d\\ude00y\", \"\\\\ud83d\\\\ude00\", -1.5, {}, [], true]}\n"
		"---\na: |-\n  {\"b\": \"\\ud83d\\ude00\"}\n--- # c\n# d\n[\"\\uD83D\\uDE00\"]");
	static const char *const jsons[] = {
		"{\"a\\\\\":[\"x\xf0\x9f\x98\x80y\",\"\\\\ud83d\\\\ude00\",-1.5,{},[],true]}",
		"{\"a\":\"{\\\"b\\\": \\\"\\\\ud83d\\\\ude00\\\"}\"}",
		"[\"\xf0\x9f\x98\x80\"]",
	};

	for (size_t i = 0; i < SEAL_COUNT(jsons); i++) {
		TREE tree = next_tree(stream);

		cr_assert_not_null(tree);
		expect_json(tree, jsons[i]);
		cr_expect_eq(seal_tree_is_json(tree), i != 1);
	}
}

Test(tree_types, a_scalar_is_its_bytes)
{
	TREE tree = only_tree("a: \"x\\0y\"\nb: !!binary \"AAH/\"\nc: [1]\n");
	struct seal_tree_node *root = seal_tree_root(tree);
	size_t len = 0;

	cr_expect_eq(memcmp(seal_tree_text(seal_tree_get(root, "a"), &len), "x\0y", 4), 0);
	cr_expect_eq(len, 3);
	cr_expect_eq(memcmp(seal_tree_text(seal_tree_get(root, "b"), &len), "\0\1\xff", 4), 0);
	cr_expect_eq(len, 3);
	cr_expect_null(seal_tree_text(seal_tree_get(root, "c"), &len));
	cr_expect_eq(len, 0);
	cr_expect_null(seal_tree_text(NULL, NULL));
}

Test(tree_types, keys_that_all_read_alike_are_strings_and_say_what_they_were)
{
	TREE tree = only_tree("404: a\n-7: b\n1.5: c\ntrue: d\nn: e\n2001-01-01: f\n'5': g\n"
			      "&k x: h\n? y\n: i\n");
	static const struct {
		const char *key;
		enum seal_tree_kind kind;
	} keys[] = {
		{ "404", SEAL_TREE_NUMBER }, { "-7", SEAL_TREE_NUMBER },
		{ "1.5", SEAL_TREE_NUMBER }, { "true", SEAL_TREE_BOOL },
		{ "n", SEAL_TREE_STRING },   { "2001-01-01", SEAL_TREE_STRING },
		{ "5", SEAL_TREE_STRING },   { "x", SEAL_TREE_STRING },
		{ "y", SEAL_TREE_STRING },
	};
	const struct seal_tree_node *at = seal_tree_first(seal_tree_root(tree));

	for (size_t i = 0; i < SEAL_COUNT(keys); i++, at = seal_tree_next_of(at)) {
		cr_assert_not_null(at);
		cr_expect_str_eq(seal_tree_key(at), keys[i].key);
		cr_expect_eq(seal_tree_key_kind(at), keys[i].kind, "%s", keys[i].key);
	}
	cr_expect_null(at);
	expect_written(tree, "\"404\": a\n\"-7\": b\n\"1.5\": c\n\"true\": d\n\"n\": e\n"
			     "2001-01-01: f\n\"5\": g\nx: h\n\"y\": i\n");
}

Test(tree_types, children_come_in_order)
{
	TREE tree = only_tree("- {b: 1, a: 2}\n- []\n- x\n");
	struct seal_tree_node *root = seal_tree_root(tree), *at = seal_tree_first(root);

	cr_expect_eq(seal_tree_count(root), 3);
	cr_expect_str_eq(seal_tree_key(seal_tree_first(at)), "b");
	cr_expect_str_eq(seal_tree_key(seal_tree_next_of(seal_tree_first(at))), "a");
	cr_expect_null(seal_tree_next_of(seal_tree_next_of(seal_tree_first(at))));
	at = seal_tree_next_of(at);
	cr_expect_eq(seal_tree_count(at), 0);
	cr_expect_null(seal_tree_first(at));
	at = seal_tree_next_of(at);
	cr_expect_null(seal_tree_first(at));
	cr_expect_null(seal_tree_key(at));
	cr_expect_null(seal_tree_next_of(at));
	cr_expect_null(seal_tree_next_of(root));
	cr_expect_null(seal_tree_get(root, "a"), "a list has no keys");
	cr_expect_null(seal_tree_get(NULL, "a"));
	cr_expect_eq(seal_tree_count(NULL), 0);
}

/* ---- Aliases and merges ---- */

struct sameness {
	const char *text;
	const char *json;
};

static const struct sameness samenesses[] = {
	{ "a: &x 1\nb: *x\n", "{\"a\":1,\"b\":1}" },
	{ "a: &x {p: [1, &y 2]}\nb: *x\nc: *y\n",
	  "{\"a\":{\"p\":[1,2]},\"b\":{\"p\":[1,2]},\"c\":2}" },
	{ "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
	{ "&x a: 1\nb: *x\n", "{\"a\":1,\"b\":\"a\"}" },
	{ "a: &x k\n*x : 1\n", "{\"a\":\"k\",\"k\":1}" },
	{ "a: &x 404\n*x : 1\n", "{\"a\":404,\"404\":1}" },
	{ "- &x {}\n- *x\n- [*x]\n", "[{},{},[{}]]" },
	{ "a: &x\nb: *x\n", "{\"a\":null,\"b\":null}" },
	/* A merge gives what is not there already. */
	{ "b: &b {p: 1, q: 2}\nc: {<<: *b, q: 3, r: 4}\n",
	  "{\"b\":{\"p\":1,\"q\":2},\"c\":{\"p\":1,\"q\":3,\"r\":4}}" },
	{ "c: {r: 4, <<: {p: 1, q: 2}, s: 5}\n", "{\"c\":{\"r\":4,\"p\":1,\"q\":2,\"s\":5}}" },
	{ "<<: [{a: 1, b: 1}, {b: 2, c: 2}]\nd: 3\n", "{\"a\":1,\"b\":1,\"c\":2,\"d\":3}" },
	{ "x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nz: {<<: *y, c: 3}\n",
	  "{\"x\":{\"a\":1},\"y\":{\"a\":1,\"b\":2},\"z\":{\"a\":1,\"b\":2,\"c\":3}}" },
	{ "<<: {z: 0, <<: {a: 1, b: 1}}\nb: 2\n", "{\"z\":0,\"a\":1,\"b\":2}" },
	{ "<<: [{r: 1, <<: {s: 1}}, {r: 2, s: 2, t: 2}]\n", "{\"r\":1,\"s\":1,\"t\":2}" },
	{ "<<: {}\n", "{}" },
	{ "<<: []\na: 1\n", "{\"a\":1}" },
	{ "!!merge <<: {a: 1}\n", "{\"a\":1}" },
	{ "\"<<\": {a: 1}\n", "{\"<<\":{\"a\":1}}" },
	{ "a: <<\n", "{\"a\":\"<<\"}" },
};

Test(tree_types, aliases_and_merges_stand_for_what_they_name)
{
	for (size_t i = 0; i < SEAL_COUNT(samenesses); i++) {
		TREE tree = only_tree(samenesses[i].text);

		expect_json(tree, samenesses[i].json);
	}
}

Test(tree_types, a_merge_of_many_keys_is_quick, .timeout = 120)
{
	BYTES text = SEAL_BYTES(16u << 20);

	cr_assert_eq(seal_bytes_append_str(&text, "a: &a\n", NULL), 0);
	for (int i = 0; i < 200000; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "  k%d: v\n", i), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "b:\n  <<: *a\n  k7: w\n", NULL), 0);
	TREE tree = only_tree(seal_bytes_str(&text));
	struct seal_tree_node *b = seal_tree_get(seal_tree_root(tree), "b");

	cr_expect_eq(seal_tree_count(b), 200000);
	cr_expect_str_eq(seal_tree_text(seal_tree_get(b, "k7"), NULL), "w");
	cr_expect_str_eq(seal_tree_text(seal_tree_get(b, "k8"), NULL), "v");
}

Test(tree_types, what_an_alias_became_changes_for_itself)
{
	TREE tree = only_tree("a: &x {b: [c]}\nd: *x\n");
	struct seal_tree_node *d = seal_tree_get(seal_tree_root(tree), "d");

	seal_tree_make_str(tree, seal_tree_first(seal_tree_get(d, "b")), "new", 3);
	seal_tree_set_str(tree, d, "e", "f");
	expect_json(tree, "{\"a\":{\"b\":[\"c\"]},\"d\":{\"b\":[\"new\"],\"e\":\"f\"}}");
}

/* ---- Places ---- */

Test(tree_types, an_error_names_line_column_and_path)
{
	TREE tree = only_tree("# c\nspec:\n  containers:\n  - env:\n    - name: A\n    - name: B\n"
			      "      \"seal-control.io/x y\": \xc3\xa4\n");
	struct seal_tree_node *env = seal_tree_first(
		seal_tree_get(seal_tree_get(seal_tree_root(tree), "spec"), "containers"));
	struct seal_tree_node *second =
		seal_tree_next_of(seal_tree_first(seal_tree_get(env, "env")));
	struct seal_err err = { 0 };
	char where[256];

	cr_expect_eq(seal_tree_fail(tree, seal_tree_get(second, "name"), &err, SEAL_E_REFUSED,
				    "no '%s' here", "B"),
		     SEAL_E_REFUSED);
	cr_expect_str_eq(err.text, "t.yaml:6:13: $.spec.containers[0].env[1].name: no 'B' here");
	cr_expect_eq(err.code, SEAL_E_REFUSED);
	seal_tree_where(tree, seal_tree_get(second, "seal-control.io/x y"), where, sizeof(where));
	cr_expect_str_eq(where,
			 "t.yaml:7:30: $.spec.containers[0].env[1][\"seal-control.io/x y\"]");
	seal_tree_where(tree, seal_tree_root(tree), where, sizeof(where));
	cr_expect_str_eq(where, "t.yaml:2:1: $");
	seal_tree_where(tree, NULL, where, sizeof(where));
	cr_expect_str_eq(where, "t.yaml");
	seal_tree_set_str(tree, second, "value", "v");
	seal_tree_where(tree, seal_tree_get(second, "value"), where, sizeof(where));
	cr_expect_str_eq(where, "t.yaml: $.spec.containers[0].env[1].value");
}

Test(tree_types, a_path_too_long_to_print_keeps_its_end)
{
	TREE tree = only_tree(
		"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "
		"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "
		"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "
		"{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: "
		"[the, end]}}}}\n");
	struct seal_tree_node *node = seal_tree_root(tree);
	char where[512];

	while (seal_tree_first(node) != NULL)
		node = seal_tree_first(node);
	seal_tree_where(tree, node, where, sizeof(where));
	cr_expect_not_null(strstr(where, ": ...."), "%s", where);
	cr_expect_str_eq(where + strlen(where) - 5, "aa[0]");
}

Test(tree, json_in_which_the_library_would_fold_lines_is_refused)
{
	TREE tree = NULL;

	expect_refused("{\"a\":\"x\xc2\x85y\"}", SEAL_E_FORMAT, "t.yaml");
	expect_refused("{\"a\":\"x \xe2\x80\xa8y\"}", SEAL_E_FORMAT, "t.yaml");
	expect_refused("a: b\n--- {\"a\":\"x\xe2\x80\xa9 y\"}", SEAL_E_FORMAT, "t.yaml");
	tree = only_tree("{\"a\":\"x\xe2\x80\xa8y\\u0085\"}");
	expect_json(tree, "{\"a\":\"x\xe2\x80\xa8y\xc2\x85\"}");
}
