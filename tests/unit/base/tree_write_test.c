/* SPDX-License-Identifier: Apache-2.0 */
/* base/yaml/tree: writing, changing, carrying values to JSON and back. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/yaml/tree.h"
#include "tests/unit/base/tree_rig.h"

struct writing {
	const char *text;
	const char *written;
};

static const struct writing writings[] = {
	{ "# c\na: 1 # d\nb:   x\n", "a: 1\nb: x\n" },
	{ "--- # c\na: 1\n... # e\n", "---\na: 1\n...\n" },
	{ "%YAML 1.1\n--- {a: 1, b: [x, y]}\n", "---\na: 1\nb:\n- x\n- y\n" },
	{ "a:\n    - b:\n          - c\n", "a:\n- b:\n  - c\n" },
	{ "- - a\n  - b\n- - - c\n- []\n- {}\n", "- - a\n  - b\n- - - c\n- []\n- {}\n" },
	{ "- {a: {b: [1]}, c: 2}\n", "- a:\n    b:\n    - 1\n  c: 2\n" },
	{ "a:\nb: ~\nc: Null\nd: yes\ne: 0x1F\nf: 1_000\n",
	  "a: null\nb: ~\nc: Null\nd: yes\ne: 0x1F\nf: 1_000\n" },
	{ "a: 2001-12-14\nb: y\nc: 1:30\n", "a: 2001-12-14\nb: y\nc: 1:30\n" },
	{ "a: 'x'\nb: \"y\"\nc: |\n  two\n  lines\nd: >\n  a\n  b\n",
	  "a: \"x\"\nb: \"y\"\nc: \"two\\nlines\\n\"\nd: \"a b\\n\"\n" },
	{ "a: two\n  words\n", "a: two words\n" },
	{ "a: two\n\n  lines\n", "a: \"two\\nlines\"\n" },
	{ "a: it's \"so\" #not\n", "a: it's \"so\"\n" },
	{ "a: x#y:z\n", "a: x#y:z\n" },
	{ "[-1, '-', \"?\", a]\n", "- -1\n- \"-\"\n- \"?\"\n- a\n" },
	{ "a: \"\\0\\a\\b\\t\\n\\v\\f\\r\\e\\\"\\\\\\/\\N\\_\\L\\P\\x7f\\ufeff\\ufffe\"\n",
	  "a: "
	  "\"\\u0000\\u0007\\b\\t\\n\\u000b\\f\\r\\u001b\\\"\\\\/"
	  "\\u0085\xc2\xa0\\u2028\\u2029\\u007f\\ufeff\\ufffe\"\n" },
	{ "a: \xc3\xa4 \xf0\x9f\x98\x80\nb: \"\xe2\x82\xac\"\n",
	  "a: \xc3\xa4 \xf0\x9f\x98\x80\nb: \"\xe2\x82\xac\"\n" },
	{ "a: !!str 12\nb: !!int \"12\"\nc: !!binary \"QUI=\"\nd: !!null ''\n",
	  "a: \"12\"\nb: 12\nc: !!binary \"QUI=\"\nd: null\n" },
	{ "a: &x {b: 1}\nc: *x\nd: {<<: *x}\n", "a:\n  b: 1\nc:\n  b: 1\nd:\n  b: 1\n" },
	{ "\"a b\": 1\n'c': 2\n\"\": 3\n", "\"a b\": 1\n\"c\": 2\n\"\": 3\n" },
	{ "a b: 1\n? c\n: 2\n", "a b: 1\nc: 2\n" },
	{ "plain\n", "plain\n" },
	{ "'12'\n", "\"12\"\n" },
	{ "[]\n", "[]\n" },
	{ "---\n", "---\n" },
	{ "# only\n", "" },
	{ "&x\n...\n", "---\n...\n" },
	/* JSON stays JSON, and what only resembles it does not become it. */
	{ "{\"a\":1,\"b\":[true,null,\"x\\u0041\\/\"],\"c\":{},\"d\":-1.5e3}",
	  "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null,\n    \"xA/\"\n  ],\n  \"c\": {},\n  "
	  "\"d\": -1.5e3\n}\n" },
	{ "---\n[\"a\"]\n", "---\n[\n  \"a\"\n]\n" },
	{ "{\"a\": 'x'}\n", "\"a\": \"x\"\n" },
	{ "{a: 1}\n", "a: 1\n" },
	{ "{\"a\": yes}\n", "\"a\": yes\n" },
	{ "{\"a\": 0x1}\n", "\"a\": 0x1\n" },
	{ "{\"a\": &x 1}\n", "\"a\": 1\n" },
	{ "{\"a\": !!str 1}\n", "\"a\": \"1\"\n" },
	{ "{\"a\": }\n", "\"a\": null\n" },
	{ "\"a\"\n", "\"a\"\n" },
};

Test(tree_write, documents_are_written_plainly_and_the_same_once_more)
{
	for (size_t i = 0; i < SEAL_COUNT(writings); i++) {
		TREE tree = only_tree(writings[i].text);

		expect_written(tree, writings[i].written);
		if (writings[i].written[0] == '\0')
			continue;
		TREE again = only_tree(writings[i].written);
		expect_written(again, writings[i].written);
		cr_expect_eq(seal_tree_is_json(tree), seal_tree_is_json(again), "'%s'",
			     writings[i].text);
	}
}

Test(tree_write, only_json_is_called_json)
{
	static const char *const yes[] = { "{}", "[]", "{\"a\": [1, \"b\"]}",
					   "---\n{\"a\": null}\n" };
	static const char *const no[] = { "1",           "\"a\"",        "{a: 1}",
					  "{\"a\": b}",  "{\"a\": 01}",  "{\"a\": .5}",
					  "{\"a\": +1}", "{\"a\": 'b'}", "a: {}",
					  "- [1]",       "[&x 1]",       "[!!str \"a\"]" };

	for (size_t i = 0; i < SEAL_COUNT(yes); i++) {
		TREE tree = only_tree(yes[i]);
		cr_expect(seal_tree_is_json(tree), "%s", yes[i]);
	}
	for (size_t i = 0; i < SEAL_COUNT(no); i++) {
		TREE tree = only_tree(no[i]);
		cr_expect_not(seal_tree_is_json(tree), "%s", no[i]);
	}
}

Test(tree_write, a_key_too_long_to_be_found_by_its_colon_is_announced)
{
	char text[2200], key[1500];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	(void)snprintf(text, sizeof(text), "a:\n  ? %s\n  : [1, 2]\n", key);
	TREE tree = only_tree(text);

	(void)snprintf(text, sizeof(text), "a:\n  ? %s\n  :\n  - 1\n  - 2\n", key);
	expect_written(tree, text);
	TREE again = only_tree(text);
	expect_written(again, text);
}

Test(tree_write, writing_fails_whole_when_it_fails)
{
	TREE tree = only_tree("a: 1\n");
	BYTES out = SEAL_BYTES(16);

	cr_assert_eq(seal_bytes_append_str(&out, "before", NULL), 0);
	seal_tree_set_str(tree, seal_tree_root(tree), "b", "longer than what is left");
	cr_expect_eq(seal_tree_write(tree, &out, NULL), SEAL_E_LIMIT);
	cr_expect_str_eq(seal_bytes_str(&out), "before");
}

Test(tree_write, bytes_that_are_no_text_are_not_written)
{
	TREE tree = only_tree("a: 1\n");
	BYTES out = SEAL_BYTES(1024);
	struct seal_err err = { 0 };

	seal_tree_make_str(tree, seal_tree_get(seal_tree_root(tree), "a"), "x\xff", 2);
	cr_expect_eq(seal_tree_write(tree, &out, &err), SEAL_E_FORMAT);
	cr_expect_eq(out.len, 0);
	cr_expect_str_eq(err.text, "t.yaml:1:4: $.a: bytes that are no UTF-8");
}

/* ---- Changes ---- */

Test(tree_change, strings_of_ours_are_plain_only_where_nobody_can_mistake_them)
{
	static const struct writing texts[] = {
		{ "plain", "plain" },
		{ "/run/seal", "/run/seal" },
		{ "img:1.2@sha256:ab", "img:1.2@sha256:ab" },
		{ "a=b", "a=b" },
		{ "", "\"\"" },
		{ "yes", "\"yes\"" },
		{ "Y", "\"Y\"" },
		{ "n", "\"n\"" },
		{ "Null", "\"Null\"" },
		{ "~", "\"~\"" },
		{ "12", "\"12\"" },
		{ "8443=8080", "\"8443=8080\"" },
		{ "-a", "\"-a\"" },
		{ ".inf", "\".inf\"" },
		{ "=", "\"=\"" },
		{ "<<", "\"<<\"" },
		{ "a b", "\"a b\"" },
		{ "a:", "\"a:\"" },
		{ "a#b", "\"a#b\"" },
		{ "{a", "\"{a\"" },
		{ "a,b", "\"a,b\"" },
		{ "a\n", "\"a\\n\"" },
		{ "\xc3\xa4", "\"\xc3\xa4\"" },
	};

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		TREE tree = only_tree("a: 1\n");
		char expected[128];

		seal_tree_set_str(tree, seal_tree_root(tree), "a", texts[i].text);
		seal_tree_set_str(tree, seal_tree_root(tree),
				  texts[i].text[0] == '\0' ? "b" : texts[i].text, "v");
		(void)snprintf(expected, sizeof(expected), "a: %s\n%s: v\n", texts[i].written,
			       texts[i].text[0] == '\0' ? "b" : texts[i].written);
		expect_written(tree, expected);
		TREE again = only_tree(expected);
		expect_written(again, expected);
	}
}

Test(tree_change, members_are_set_in_place_or_at_the_end)
{
	TREE tree = only_tree("a: {x: 1}\nb: [1]\nc: s\n");
	struct seal_tree_node *root = seal_tree_root(tree);
	JSON value = json_of("{\"k\":[1,-2,1.5,1e20,true,null,\"s\",{}]}");

	seal_tree_set_str(tree, root, "b", "was a list");
	seal_tree_set_json(tree, root, "a", value);
	seal_tree_set_json(tree, root, "d", seal_json_member(value, "k"));
	seal_tree_make_str(tree, seal_tree_get(root, "c"), "x\0y", 3);
	expect_written(tree, "a:\n  k:\n  - 1\n  - -2\n  - 1.5\n  - 1.0e+20\n  - true\n  - null\n "
			     " - s\n  - {}\n"
			     "b: \"was a list\"\nc: \"x\\u0000y\"\n"
			     "d:\n- 1\n- -2\n- 1.5\n- 1.0e+20\n- true\n- null\n- s\n- {}\n");
}

Test(tree_change, lists_grow_at_both_ends)
{
	TREE tree = only_tree("l: [b]\n");
	struct seal_tree_node *root = seal_tree_root(tree);
	struct seal_tree_node *list = seal_tree_need_list(tree, root, "l");
	struct seal_tree_node *fresh = seal_tree_need_list(tree, root, "m");
	JSON value = json_of("{\"v\":\"x\",\"w\":\"y\"}");

	cr_expect_not_null(seal_tree_add_json(tree, list, seal_json_member(value, "v")));
	cr_expect_not_null(seal_tree_push_json(tree, list, seal_json_member(value, "w")));
	cr_expect_not_null(seal_tree_push_json(tree, fresh, seal_json_member(value, "v")));
	cr_expect_not_null(seal_tree_push_json(tree, fresh, seal_json_member(value, "w")));
	cr_expect_not_null(seal_tree_add_json(tree, fresh, value));
	expect_json(tree,
		    "{\"l\":[\"y\",\"b\",\"x\"],\"m\":[\"y\",\"x\",{\"v\":\"x\",\"w\":\"y\"}]}");
}

Test(tree_change, what_is_absent_or_null_becomes_the_map_that_is_needed)
{
	TREE tree = only_tree("a:\nb: {x: 1}\nc: 1\n");
	struct seal_tree_node *root = seal_tree_root(tree);
	BYTES out = SEAL_BYTES(1024);

	seal_tree_set_str(tree, seal_tree_need_map(tree, root, "a"), "k", "v");
	seal_tree_set_str(tree, seal_tree_need_map(tree, root, "b"), "k", "v");
	seal_tree_set_str(tree, seal_tree_need_map(tree, root, "d"), "k", "v");
	expect_written(tree, "a:\n  k: v\nb:\n  x: 1\n  k: v\nc: 1\nd:\n  k: v\n");
	/* Something else is not overwritten. */
	cr_expect_null(seal_tree_need_list(tree, root, "c"));
	cr_expect_eq(seal_tree_write(tree, &out, NULL), SEAL_E_FORMAT);
	cr_expect_eq(out.len, 0);
}

Test(tree_change, a_change_to_nothing_sticks)
{
	JSON value = json_of("{}");
	BYTES out = SEAL_BYTES(1024);

	for (int i = 0; i < 7; i++) {
		TREE tree = only_tree("a: 1\nl: []\n");
		struct seal_tree_node *list = seal_tree_get(seal_tree_root(tree), "l");

		if (i == 0)
			seal_tree_set_str(tree, NULL, "k", "v");
		else if (i == 1)
			seal_tree_make_str(tree, NULL, "v", 1);
		else if (i == 2)
			seal_tree_set_json(tree, list, "k", value);
		else if (i == 3)
			cr_expect_null(seal_tree_add_json(tree, seal_tree_root(tree), value));
		else if (i == 4)
			cr_expect_null(seal_tree_add_json(tree, list, NULL));
		else if (i == 5)
			cr_expect_null(seal_tree_push_json(tree, NULL, value));
		else
			cr_expect_null(seal_tree_need_map(tree, list, "k"));
		cr_expect_lt(seal_tree_write(tree, &out, NULL), 0, "%d", i);
		cr_expect_eq(out.len, 0);
	}
}

Test(tree_change, members_and_elements_are_taken_out)
{
	TREE tree = only_tree("a: 1\nb: [x, y, z]\nc: {d: 1}\n");
	struct seal_tree_node *root = seal_tree_root(tree), *b = seal_tree_get(root, "b");

	seal_tree_remove(root, "a");
	seal_tree_remove(root, "absent");
	seal_tree_drop(seal_tree_next_of(seal_tree_first(b)));
	seal_tree_remove(seal_tree_get(root, "c"), "d");
	expect_json(tree, "{\"b\":[\"x\",\"z\"],\"c\":{}}");
	seal_tree_drop(seal_tree_next_of(seal_tree_first(b)));
	seal_tree_drop(seal_tree_first(b));
	cr_expect_eq(seal_tree_count(b), 0);
	seal_tree_drop(root); /* has no parent */
	seal_tree_drop(NULL);
	expect_written(tree, "b: []\nc: {}\n");
}

Test(tree_change, a_changed_json_document_is_still_json)
{
	TREE tree = only_tree("{\"a\": {\"b\": 1}}\n");
	struct seal_tree_node *a = seal_tree_get(seal_tree_root(tree), "a");

	seal_tree_set_str(tree, a, "c", "plain");
	seal_tree_remove(a, "b");
	(void)seal_tree_need_list(tree, a, "d");
	expect_written(tree, "{\n  \"a\": {\n    \"c\": \"plain\",\n    \"d\": []\n  }\n}\n");
}

/* ---- To JSON ---- */

Test(tree_json, any_value_can_be_carried)
{
	TREE tree = only_tree("a: {b: [1, -2, 1.5, yes, ~, 2001-01-01, x]}\n");
	struct seal_tree_node *list = seal_tree_first(seal_tree_get(seal_tree_root(tree), "a"));
	struct seal_json *object = seal_json_new();
	BYTES out = SEAL_BYTES(1024);

	seal_tree_set_in_json(list, object, "m");
	for (const struct seal_tree_node *at = seal_tree_first(list); at != NULL;
	     at = seal_tree_next_of(at))
		seal_tree_set_in_json(at, object, "n");
	seal_tree_set_in_json(seal_tree_first(list), seal_json_set_array(object, "o"), NULL);
	cr_assert_eq(seal_json_dump(object, false, &out, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&out), "{\"m\":[1,-2,1.5,true,null,\"2001-01-01\",\"x\"],"
					       "\"n\":\"x\",\"o\":[1]}");
	seal_json_free(object);
}

Test(tree_json, what_json_cannot_carry_fails_the_builder)
{
	static const char *const texts[] = { "\"a\\0b\"\n", ".inf\n", "[!!binary \"/w==\"]\n" };

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		TREE tree = only_tree(texts[i]);
		JSON object = seal_json_new();
		BYTES out = SEAL_BYTES(1024);

		seal_tree_set_in_json(seal_tree_root(tree), object, "m");
		cr_expect_lt(seal_json_dump(object, false, &out, NULL), 0, "%s", texts[i]);
	}
	TREE empty = only_tree("# c\n");
	JSON object = seal_json_new();
	BYTES out = SEAL_BYTES(1024);

	seal_tree_set_in_json(seal_tree_root(empty), object, "m");
	cr_expect_lt(seal_json_dump(object, false, &out, NULL), 0);
}

Test(tree_json, a_value_deeper_than_json_is_refused)
{
	TREE good = only_tree("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
	TREE bad =
		only_tree("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
	struct seal_err err = { 0 };
	JSON json = NULL;

	cr_expect_eq(seal_tree_to_json(good, seal_tree_root(good), &json, &err), 0, "%s", err.text);
	seal_json_freep(&json);
	cr_expect_eq(seal_tree_to_json(bad, seal_tree_root(bad), &json, &err), SEAL_E_LIMIT);
	cr_expect_null(json);
	cr_expect_eq(seal_tree_to_json(bad, NULL, &json, &err), SEAL_E_MISSING);
}
