/* SPDX-License-Identifier: Apache-2.0 */
/* base/yaml: one document as a tree, with limits; positions; the public suite. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/json/json.h"
#include "base/yaml/yaml.h"
#include "tests/support/alloc.h"
#include "tests/support/vectors.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define STRV  SEAL_SCOPED(seal_strv_release) struct seal_strv
#define YAML  SEAL_SCOPED(seal_yaml_freep) struct seal_yaml *
#define JSON  SEAL_SCOPED(seal_json_freep) struct seal_json *

static int
parse(struct seal_yaml **ret_yaml, const char *text, struct seal_err *err)
{
	return seal_yaml_parse(ret_yaml, "t.yaml", text, strlen(text), err);
}

static struct seal_yaml *
parsed(const char *text)
{
	struct seal_yaml *yaml = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(parse(&yaml, text, &err), 0, "%s", err.text);
	cr_assert_not_null(yaml);
	return yaml;
}

/* Refused at a place that the sentence begins with. */
static void
expect_refused(const char *text, size_t len, int code, const char *where)
{
	struct seal_yaml *yaml = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(seal_yaml_parse(&yaml, "t.yaml", text, len, &err), code, "'%.*s': %s",
		     (int)(len < 100 ? len : 100), text, err.text);
	cr_expect_null(yaml);
	cr_expect_eq(err.code, code);
	cr_expect_eq(strncmp(err.text, where, strlen(where)), 0, "'%s' is not at '%s'", err.text,
		     where);
	cr_expect_eq(seal_yaml_parse(&yaml, "t.yaml", text, len, NULL), code);
}

static const char sample[] = "# a comment\n"
			     "inbound:\n"
			     "  - listen: 0.0.0.0:8443\n"
			     "    peers: [web, \"db\", 'a b']\n"
			     "count: 12\n"
			     "quoted: \"12\"\n"
			     "on: true\n"
			     "off: false\n"
			     "empty:\n"
			     "block: |\n"
			     "  two\n"
			     "  lines\n"
			     "map: {a: 1, b: {c: 2}}\n";

static const struct seal_yaml_node *
at(const struct seal_yaml *yaml, const char *key)
{
	const struct seal_yaml_node *node = seal_yaml_get(seal_yaml_root(yaml), key);

	cr_assert_not_null(node, "no key %s", key);
	return node;
}

static const char *
str(const struct seal_yaml_node *node)
{
	const char *text = NULL;

	cr_assert_eq(seal_yaml_str(node, &text, NULL), 0);
	return text;
}

Test(yaml_tree, holds_what_was_written)
{
	YAML yaml = parsed(sample);
	const struct seal_yaml_node *root = seal_yaml_root(yaml);
	const struct seal_yaml_node *first = seal_yaml_at(at(yaml, "inbound"), 0);
	const struct seal_yaml_node *peers = seal_yaml_get(first, "peers");

	cr_assert_eq(seal_yaml_kind(root), SEAL_YAML_MAP);
	cr_expect_eq(seal_yaml_count(root), 8);
	cr_expect_str_eq(seal_yaml_key(root, 0), "inbound");
	cr_expect_str_eq(seal_yaml_key(root, 7), "map");
	cr_expect_eq(seal_yaml_kind(at(yaml, "inbound")), SEAL_YAML_LIST);
	cr_expect_str_eq(str(seal_yaml_get(first, "listen")), "0.0.0.0:8443");
	cr_expect_eq(seal_yaml_count(peers), 3);
	cr_expect_str_eq(str(seal_yaml_at(peers, 2)), "a b");
	cr_expect_str_eq(str(at(yaml, "empty")), "");
	cr_expect_str_eq(str(at(yaml, "block")), "two\nlines\n");
	cr_expect_str_eq(str(seal_yaml_at(root, 1)), "12");
	cr_expect_eq(seal_yaml_count(at(yaml, "map")), 2);
	cr_expect_str_eq(str(seal_yaml_get(seal_yaml_get(at(yaml, "map"), "b"), "c")), "2");
}

Test(yaml_tree, beyond_its_ends_there_is_nothing)
{
	YAML yaml = parsed(sample);
	const struct seal_yaml_node *root = seal_yaml_root(yaml);
	const struct seal_yaml_node *list = at(yaml, "inbound");
	const struct seal_yaml_node *scalar = at(yaml, "count");

	cr_expect_null(seal_yaml_at(root, 8));
	cr_expect_null(seal_yaml_at(root, SIZE_MAX));
	cr_expect_null(seal_yaml_at(root, SIZE_MAX / 2 + 1));
	cr_expect_null(seal_yaml_key(root, 8));
	cr_expect_null(seal_yaml_get(root, "nope"));
	cr_expect_null(seal_yaml_get(root, ""));
	cr_expect_null(seal_yaml_get(root, "Count"));
	cr_expect_null(seal_yaml_at(list, 1));
	cr_expect_null(seal_yaml_key(list, 0));
	cr_expect_null(seal_yaml_get(list, "listen"));
	cr_expect_eq(seal_yaml_count(scalar), 0);
	cr_expect_null(seal_yaml_at(scalar, 0));
	cr_expect_null(seal_yaml_key(scalar, 0));
	cr_expect_null(seal_yaml_get(scalar, "x"));
	cr_expect_eq(seal_yaml_count(NULL), 0);
	cr_expect_null(seal_yaml_at(NULL, 0));
	cr_expect_null(seal_yaml_key(NULL, 0));
	cr_expect_null(seal_yaml_get(NULL, "x"));
	seal_yaml_free(NULL);
}

Test(yaml_tree, an_empty_document_has_no_root)
{
	static const char *const empty[] = { "",
					     " ",
					     "\n\n",
					     "# only a comment",
					     "---",
					     "---\n",
					     "---\n...\n",
					     "%YAML 1.1\n---\n",
					     "\xef\xbb\xbf",
					     "--- # x" };

	for (size_t i = 0; i < SEAL_COUNT(empty); i++) {
		YAML yaml = parsed(empty[i]);

		cr_expect_null(seal_yaml_root(yaml), "'%s'", empty[i]);
	}
}

Test(yaml_tree, a_root_may_be_of_any_kind)
{
	YAML scalar = parsed("just text");
	YAML list = parsed("[]");
	YAML map = parsed("{}");
	YAML quoted = parsed("\"\"");

	cr_expect_str_eq(str(seal_yaml_root(scalar)), "just text");
	cr_expect_eq(seal_yaml_kind(seal_yaml_root(list)), SEAL_YAML_LIST);
	cr_expect_eq(seal_yaml_count(seal_yaml_root(list)), 0);
	cr_expect_eq(seal_yaml_kind(seal_yaml_root(map)), SEAL_YAML_MAP);
	cr_expect_str_eq(str(seal_yaml_root(quoted)), "");
}

Test(yaml_refuse, everything_clever_with_its_position)
{
	static const struct {
		const char *text, *where;
	} cases[] = {
		{ "a: 1\nb: 2\na: 3\n", "t.yaml:3:1: " },
		{ "x:\n  - {a: 1, a: 2}\n", "t.yaml:2:12: " },
		{ "\"a\": 1\n'a': 2\n", "t.yaml:2:1: " },
		{ "a: 1\n? a\n: 2\n", "t.yaml:2:3: " },
		{ "a: &x 1\nb: *x\n", "t.yaml:2:4: " },
		{ "a: &x [*x]\n", "t.yaml:1:8: " },
		{ "*x", "t.yaml:1:1: " },
		{ "a: &x {b: 1}\nc:\n  <<: *x\n", "t.yaml:3:3: " },
		{ "<<: {a: 1}\n", "t.yaml:1:1: " },
		{ "a: !!int 1\n", "t.yaml:1:4: " },
		{ "a: !!binary aGk=\n", "t.yaml:1:4: " },
		{ "a: !custom x\n", "t.yaml:1:4: " },
		{ "a: !<tag:evil> x\n", "t.yaml:1:4: " },
		{ "a: ! x\n", "t.yaml:1:4: " },
		{ "a: !!set {b}\n", "t.yaml:1:4: " },
		{ "a: !!omap [b: 1]\n", "t.yaml:1:4: " },
		{ "a: !!str [b]\n", "t.yaml:1:4: " },
		{ "a: 1\n---\nb: 2\n", "t.yaml:2:1: " },
		{ "---\n---\n", "t.yaml:2:1: " },
		{ "a: 1\n...\n---\n", "t.yaml:3:1: " },
		{ "a: 1\n...\nb: 2\n", "t.yaml:3:1: " },
		{ "[a]: 1\n", "t.yaml:1:1: " },
		{ "{a: 1}: 2\n", "t.yaml:1:1: " },
		{ "? - a\n: b\n", "t.yaml:1:3: " },
		{ ": a\n", "t.yaml:1:1: " },
		{ "{: a}", "t.yaml:1:2: " },
		{ "\"a\\0b\": 1\n", "t.yaml:1:1: " },
		{ "a: [1, 2\n", "t.yaml:" },
		{ "a: {b: 1\n", "t.yaml:" },
		{ "a: \"unclosed\n", "t.yaml:" },
		{ "a: 'unclosed\n", "t.yaml:" },
		{ "a: b: c\n", "t.yaml:1:5: " },
		{ "a: 1\n b: 2\n", "t.yaml:2:3: " },
		{ "\ta: 1\n", "t.yaml:1:1: " },
		{ "a: @x\n", "t.yaml:1:4: " },
		{ "a: `x\n", "t.yaml:1:4: " },
		{ "a: %x\n", "t.yaml:1:4: " },
		{ "a: \"\\x\"\n", "t.yaml:1:" },
		{ "a: \"\\ud800\"\n", "t.yaml:1:" },
		{ "%YAML 2.0\n---\na: 1\n", "t.yaml:1:1: " },
		{ "a: \x01\n", "t.yaml:" },
		{ "a: \x7f\n", "t.yaml:" },
		{ "a: \xff\n", "t.yaml:" },
		{ "a: \xc0\xaf\n", "t.yaml:" },
		{ "a: \xed\xa0\x80\n", "t.yaml:" },
		{ "a: \xc3", "t.yaml:" },
		{ "\xff\xfe"
		  "a",
		  "t.yaml:" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		expect_refused(cases[i].text, strlen(cases[i].text), SEAL_E_FORMAT, cases[i].where);
	expect_refused("a: \0b\n", 6, SEAL_E_FORMAT, "t.yaml:");
	expect_refused("a: 1\n\0", 6, SEAL_E_FORMAT, "t.yaml:");
	expect_refused("\xff\xfe"
		       "a\0:\0 \0b\0",
		       10, SEAL_E_FORMAT, "t.yaml:");
}

Test(yaml_refuse, of_several_twins_the_first_is_named)
{
	expect_refused("z: 1\nb: 1\nc: 1\nc: 2\nb: 2\nz: 2\n", 30, SEAL_E_FORMAT, "t.yaml:4:1: ");
}

Test(yaml_refuse, a_hostile_name_or_key_makes_one_line)
{
	struct seal_yaml *yaml = NULL;
	struct seal_err err = { 0 };
	static const char twins[] = "\"x\\nforged\": 1\n\"x\\nforged\": 2\n";

	cr_expect_eq(seal_yaml_parse(&yaml, "a\nb.yaml", twins, strlen(twins), &err),
		     SEAL_E_FORMAT);
	cr_expect_null(strchr(err.text, '\n'));
	cr_expect_eq(strncmp(err.text, "a?b.yaml:2:1: ", 14), 0);
}

Test(yaml_tree, the_tags_of_the_core_and_unused_anchors_are_let_pass)
{
	YAML yaml = parsed("a: !!str 12\nb: !!seq [x]\nc: !!map {y: 1}\nd: &anchor z\n");
	uint64_t number = 77;

	cr_expect_str_eq(str(at(yaml, "a")), "12");
	cr_expect_eq(seal_yaml_u64(at(yaml, "a"), 0, 99, &number, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_yaml_count(at(yaml, "b")), 1);
	cr_expect_eq(seal_yaml_count(at(yaml, "c")), 1);
	cr_expect_str_eq(str(at(yaml, "d")), "z");
}

/* times levels of open, x, and as many of close. */
static void
nest(struct seal_bytes *out, size_t times, const char *open, const char *close)
{
	for (size_t i = 0; i < times; i++)
		cr_assert_eq(seal_bytes_append_str(out, open, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(out, "x", NULL), 0);
	for (size_t i = 0; i < times; i++)
		cr_assert_eq(seal_bytes_append_str(out, close, NULL), 0);
}

Test(yaml_limits, is_as_deep_as_the_limit_and_no_deeper)
{
	static const char *const forms[][2] = { { "[", "]" }, { "{a: ", "}" }, { "- ", "" } };
	static const size_t deep[] = { SEAL_YAML_MAX_DEPTH + 1, SEAL_YAML_MAX_DEPTH + 2, 5000 };

	for (size_t f = 0; f < SEAL_COUNT(forms); f++) {
		BYTES fits = SEAL_BYTES(100000);
		YAML yaml = NULL;

		nest(&fits, SEAL_YAML_MAX_DEPTH, forms[f][0], forms[f][1]);
		cr_expect_eq(
			seal_yaml_parse(&yaml, "t.yaml", seal_bytes_str(&fits), fits.len, NULL), 0);
		for (size_t i = 0; i < SEAL_COUNT(deep); i++) {
			BYTES text = SEAL_BYTES(100000);

			nest(&text, deep[i], forms[f][0], forms[f][1]);
			expect_refused(seal_bytes_str(&text), text.len, SEAL_E_LIMIT, "t.yaml:1:");
		}
	}
}

Test(yaml_limits, longer_than_the_limit_is_not_looked_at)
{
	struct seal_yaml *yaml = NULL;

	cr_expect_eq(seal_yaml_parse(&yaml, "t", NULL, (size_t)SEAL_YAML_MAX_LEN + 1, NULL),
		     SEAL_E_LIMIT);
	cr_expect_eq(seal_yaml_parse(&yaml, "t", NULL, SIZE_MAX, NULL), SEAL_E_LIMIT);
	cr_expect_null(yaml);
}

/* Repetition of what a scanner may be slow at; every answer will do, in good time. */
Test(yaml_limits, no_text_takes_long, .timeout = 60)
{
	static const char *const units[] = {
		"[",      "{",        "- ",           "? ",    ": ",
		",",      "!",        "&a ",          "*a ",   "%",
		"\"",     "'",        "|\n",          ">",     "#",
		" ",      "\t",       "\n",           "a",     "a: ",
		"a:\n ",  "\\",       "- a\n",        "\"\" ", "[]",
		"{},",    "? a\n",    "--- a\n",      "...\n", "a\n\n",
		"\r",     "\xc2\x85", "\xe2\x80\xa8", "[a,",   "{a: {",
		"!!str ",
	};

	for (size_t i = 0; i < SEAL_COUNT(units); i++) {
		BYTES text = SEAL_BYTES(300000);
		YAML yaml = NULL;
		int r;

		while (text.len < 200000)
			cr_assert_eq(seal_bytes_append_str(&text, units[i], NULL), 0);
		r = seal_yaml_parse(&yaml, "t", seal_bytes_str(&text), text.len, NULL);
		cr_expect_eq(r == 0, yaml != NULL);
	}
}

Test(yaml_limits, many_keys_do_not_cost_their_square, .timeout = 60)
{
	BYTES text = SEAL_BYTES(SEAL_YAML_MAX_LEN);
	YAML yaml = NULL;

	for (unsigned i = 0; i < 100000; i++)
		cr_assert_eq(
			seal_bytes_append_fmt(&text, NULL, "key-%u: %u\n", i * 7919 % 100000, i),
			0);
	cr_expect_eq(seal_yaml_parse(&yaml, "t", seal_bytes_str(&text), text.len, NULL), 0);
	cr_expect_eq(seal_yaml_count(seal_yaml_root(yaml)), 100000);
}

Test(yaml_parse, survives_every_truncation_and_every_flipped_byte)
{
	static const uint8_t flips[] = { 0x01, 0x20, 0x80, 0xff };

	for (size_t len = 0; len < sizeof(sample); len++) {
		char *copy = malloc(len + 1);
		YAML cut = NULL;
		int r;

		cr_assert_not_null(copy);
		memcpy(copy + 1, sample, len);
		r = seal_yaml_parse(&cut, "t", copy + 1, len, NULL);
		cr_expect_eq(r == 0, cut != NULL);
		free(copy);
	}
	for (size_t i = 0; i < (sizeof(sample) - 1) * SEAL_COUNT(flips); i++) {
		char copy[sizeof(sample)];
		YAML flipped = NULL;
		int r;

		memcpy(copy, sample, sizeof(sample));
		copy[i / 4] = (char)(copy[i / 4] ^ flips[i % 4]);
		r = seal_yaml_parse(&flipped, "t", copy, sizeof(sample) - 1, NULL);
		if ((r == 0) != (flipped != NULL))
			cr_assert_fail("byte %zu", i / 4);
	}
}

Test(yaml_parse, gives_up_wherever_memory_ends)
{
	size_t n;

	for (n = 1;; n++) {
		struct seal_yaml *yaml = NULL;
		struct seal_err err = { 0 };
		int r;

		alloc_fail_at(n);
		r = parse(&yaml, sample, &err);
		if (!alloc_call_off()) {
			cr_expect_eq(r, 0);
			seal_yaml_free(yaml);
			break;
		}
		cr_expect_eq(r, SEAL_E_MEMORY, "allocation %zu", n);
		cr_expect_null(yaml);
		cr_assert_lt(n, 1000);
	}
	cr_expect_gt(n, 20, "nothing failed");
}

Test(yaml_get, a_truth_is_true_or_false_and_not_quoted)
{
	static const char *const bad[] = {
		"True",  "TRUE",   "yes",       "on",         "1",      "0",
		"''",    "'true'", "\"false\"", "!!str true", "[true]", "{true: 1}",
		"truee", "tru",    "|\n true",  "null",       "~",      ""
	};
	bool value = false;

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		BYTES text = SEAL_BYTES(100);
		YAML yaml = NULL;
		struct seal_err err = { 0 };

		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "v: %s\n", bad[i]), 0);
		yaml = parsed(seal_bytes_str(&text));
		cr_expect_eq(seal_yaml_bool(at(yaml, "v"), &value, &err), SEAL_E_FORMAT, "%s",
			     bad[i]);
		cr_expect_eq(strncmp(err.text, "t.yaml:1:", 9), 0, "%s", err.text);
		cr_expect_not(value);
	}
	YAML yaml = parsed("t: true\nf: false\n");

	cr_expect_eq(seal_yaml_bool(at(yaml, "t"), &value, NULL), 0);
	cr_expect(value);
	cr_expect_eq(seal_yaml_bool(at(yaml, "f"), &value, NULL), 0);
	cr_expect_not(value);
	cr_expect_eq(seal_yaml_bool(NULL, &value, NULL), SEAL_E_MISSING);
}

Test(yaml_get, a_number_is_decimal_unquoted_and_in_range)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "5", 0 },
		{ "10", 0 },
		{ "4", SEAL_E_LIMIT },
		{ "11", SEAL_E_LIMIT },
		{ "18446744073709551621", SEAL_E_LIMIT },
		{ "05", SEAL_E_FORMAT },
		{ "0x5", SEAL_E_FORMAT },
		{ "0o5", SEAL_E_FORMAT },
		{ "5.0", SEAL_E_FORMAT },
		{ "-5", SEAL_E_FORMAT },
		{ "+5", SEAL_E_FORMAT },
		{ "5_0", SEAL_E_FORMAT },
		{ "1:0", SEAL_E_FORMAT },
		{ "5 6", SEAL_E_FORMAT },
		{ "'5'", SEAL_E_FORMAT },
		{ "\"5\"", SEAL_E_FORMAT },
		{ "|\n 5", SEAL_E_FORMAT },
		{ "[5]", SEAL_E_FORMAT },
		{ "", SEAL_E_FORMAT },
		{ "five", SEAL_E_FORMAT },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		BYTES text = SEAL_BYTES(100);
		YAML yaml = NULL;
		struct seal_err err = { 0 };
		uint64_t value = 77;
		int r;

		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "v: %s\n", cases[i].text), 0);
		yaml = parsed(seal_bytes_str(&text));
		r = seal_yaml_u64(at(yaml, "v"), 5, 10, &value, &err);
		cr_expect_eq(r, cases[i].r, "'%s': %d", cases[i].text, r);
		cr_expect_eq(err.code, cases[i].r);
		cr_expect(r == 0 || (value == 77 && strncmp(err.text, "t.yaml:1:", 9) == 0), "%s",
			  err.text);
		cr_expect_eq(seal_yaml_u64(at(yaml, "v"), 5, 10, &value, NULL), cases[i].r);
	}
}

Test(yaml_get, a_string_is_one_value_without_a_nul)
{
	YAML yaml = parsed("nul: \"a\\0b\"\nlist: [a]\nmap: {a: b}\nok: \"\\x41\\u00e9\"\n");
	const char *text = "kept";
	struct seal_err err = { 0 };

	cr_expect_eq(seal_yaml_str(at(yaml, "nul"), &text, &err), SEAL_E_FORMAT);
	cr_expect_eq(strncmp(err.text, "t.yaml:1:6: ", 12), 0, "%s", err.text);
	cr_expect_eq(seal_yaml_str(at(yaml, "list"), &text, &err), SEAL_E_FORMAT);
	cr_expect_not_null(strstr(err.text, "list"));
	cr_expect_eq(seal_yaml_str(at(yaml, "map"), &text, &err), SEAL_E_FORMAT);
	cr_expect_not_null(strstr(err.text, "map"));
	cr_expect_eq(seal_yaml_str(NULL, &text, NULL), SEAL_E_MISSING);
	cr_expect_str_eq(text, "kept");
	cr_expect_str_eq(str(at(yaml, "ok")), "A\xc3\xa9");
}

Test(yaml_get, a_list_of_strings_may_be_one_string)
{
	YAML yaml = parsed("one: a\nmany: [a, 'b', 3]\nnone: []\nnested: [a, [b]]\nmap: {a: b}\n"
			   "nul: [\"\\0\"]\n");
	STRV list = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(seal_strv_add(&list, "old", NULL), 0);
	cr_expect_eq(seal_yaml_strv(at(yaml, "nested"), &list, &err), SEAL_E_FORMAT);
	cr_expect_eq(strncmp(err.text, "t.yaml:4:13: ", 13), 0, "%s", err.text);
	cr_expect_eq(seal_yaml_strv(at(yaml, "map"), &list, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_yaml_strv(at(yaml, "nul"), &list, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_yaml_strv(NULL, &list, NULL), SEAL_E_MISSING);
	alloc_fail_at(3);
	cr_expect_eq(seal_yaml_strv(at(yaml, "many"), &list, NULL), SEAL_E_MEMORY);
	cr_expect(alloc_call_off());
	cr_assert_eq(list.count, 1);
	cr_expect_str_eq(list.items[0], "old");
	cr_expect_eq(seal_yaml_strv(at(yaml, "many"), &list, NULL), 0);
	cr_assert_eq(list.count, 3);
	cr_expect_str_eq(list.items[2], "3");
	cr_expect_eq(seal_yaml_strv(at(yaml, "one"), &list, NULL), 0);
	cr_assert_eq(list.count, 1);
	cr_expect_str_eq(list.items[0], "a");
	cr_expect_eq(seal_yaml_strv(at(yaml, "none"), &list, NULL), 0);
	cr_expect_eq(list.count, 0);
}

Test(yaml_only, names_the_first_unknown_key_and_where)
{
	static const char *const ab[] = { "a", "b", NULL };
	YAML fine = parsed("b: 1\na: 2\n");
	YAML more = parsed("a: 1\n\"x\\ny\": 2\nc: 3\n");
	YAML list = parsed("[a]");
	struct seal_err err = { 0 };

	cr_expect_eq(seal_yaml_only(seal_yaml_root(fine), ab, NULL), 0);
	cr_expect_eq(seal_yaml_only(seal_yaml_root(more), ab, &err), SEAL_E_FORMAT);
	cr_expect_str_eq(err.text, "t.yaml:2:1: unknown key 'x?y'");
	cr_expect_eq(seal_yaml_only(seal_yaml_root(list), ab, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_yaml_only(NULL, ab, NULL), SEAL_E_MISSING);
}
