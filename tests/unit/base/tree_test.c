/* SPDX-License-Identifier: Apache-2.0 */
/* base/yaml/tree: streams cut into documents byte for byte, places in errors, limits, changes. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/yaml/tree.h"
#include "tests/support/alloc.h"
#include "tests/unit/base/tree_rig.h"

/* ---- Documents ---- */

struct cut {
	const char *text;
	const char *sources[5]; /* NULL-terminated */
};

/* Where each ends is told by where the next begins. */
static const struct cut cuts[] = {
	{ "", { NULL } },
	{ "a: 1\n", { "a: 1\n" } },
	{ "a: 1", { "a: 1" } },
	{ "# only\n\n", { "# only\n\n" } },
	{ "\n", { "\n" } },
	{ "---\n", { "---\n" } },
	{ "# c\n---\na: 1\n---\nb: 2\n", { "# c\n---\na: 1\n", "---\nb: 2\n" } },
	{ "---\n---\na: 1\n---\n# c\n", { "---\n", "---\na: 1\n", "---\n# c\n" } },
	{ "a: 1\n--- # why\n# c\nb: 2\n", { "a: 1\n", "--- # why\n# c\nb: 2\n" } },
	{ "a: 1\n# tail\n---\nb: 2", { "a: 1\n# tail\n", "---\nb: 2" } },
	{ "a: 1\n... # end\n# c\n---\nb: 2\n...\n# z",
	  { "a: 1\n... # end\n", "# c\n---\nb: 2\n...\n# z" } },
	{ "a: 1\n...\n...\n---\nb: 2\n", { "a: 1\n...\n", "...\n---\nb: 2\n" } },
	{ "%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n# c\n--- {b: 2}\n",
	  { "%YAML 1.1\n---\na: 1\n...\n", "%YAML 1.1\n# c\n--- {b: 2}\n" } },
	{ "a: 1\r\n---\r\nb: 2\r\n...\r\n---\r\nc: 3\r\n",
	  { "a: 1\r\n", "---\r\nb: 2\r\n...\r\n", "---\r\nc: 3\r\n" } },
	{ "a: 1\r---\rb: 2\r...\r---\rc: 3", { "a: 1\r", "---\rb: 2\r...\r", "---\rc: 3" } },
	{ "\xef\xbb\xbf"
	  "a: \xc3\xa4\n---\nb: 2\n",
	  { "\xef\xbb\xbf"
	    "a: \xc3\xa4\n",
	    "---\nb: 2\n" } },
	{ "\xef\xbb\xbf", { "\xef\xbb\xbf" } },
	/* Next line, line separator and paragraph separator end a line too. */
	{ "a: \xf0\x9f\x98\x80\xc2\x85---\xc2\x85"
	  "b: 2\xe2\x80\xa8---\xe2\x80\xa8"
	  "c: 3\xe2\x80\xa9---\xe2\x80\xa9",
	  { "a: \xf0\x9f\x98\x80\xc2\x85",
	    "---\xc2\x85"
	    "b: 2\xe2\x80\xa8",
	    "---\xe2\x80\xa8"
	    "c: 3\xe2\x80\xa9",
	    "---\xe2\x80\xa9" } },
	{ "a: 1\n...\xc2\x85---\nb: 2\n...\xe2\x80\xa9---\nc: 3\n",
	  { "a: 1\n...\xc2\x85", "---\nb: 2\n...\xe2\x80\xa9", "---\nc: 3\n" } },
	{ "{\"a\": \"\xe2\x82\xac\"}\n---\n[1]\n",
	  { "{\"a\": \"\xe2\x82\xac\"}\n", "---\n[1]\n" } },
	/* Two escapes for one letter, in JSON, move nothing. */
	{ "\xef\xbb\xbf# c\n[\"\\ud83d\\ude00\"]\n--- {\"a\": "
	  "\"\\ud83d\\ude00\\ud83d\\ude00\"}\n...\n---\nb: 2\n",
	  { "\xef\xbb\xbf# c\n[\"\\ud83d\\ude00\"]\n",
	    "--- {\"a\": \"\\ud83d\\ude00\\ud83d\\ude00\"}\n...\n", "---\nb: 2\n" } },
	{ "a: |\n  ---\n  x\n---\nb: 2\n", { "a: |\n  ---\n  x\n", "---\nb: 2\n" } },
	{ "--- |\n x\n--- >\n y\n", { "--- |\n x\n", "--- >\n y\n" } },
};

Test(tree_stream, the_sources_of_all_documents_are_the_whole_text)
{
	for (size_t i = 0; i < SEAL_COUNT(cuts); i++) {
		STREAM stream = stream_of(cuts[i].text);
		size_t at = 0;

		for (size_t k = 0;; k++) {
			TREE tree = next_tree(stream);
			size_t len = 0;

			if (tree == NULL) {
				cr_expect_null(cuts[i].sources[k], "'%s' has more", cuts[i].text);
				break;
			}
			cr_assert_not_null(cuts[i].sources[k], "'%s' has less", cuts[i].text);
			cr_expect_eq(seal_tree_source(tree, &len), cuts[i].text + at);
			cr_expect(len == strlen(cuts[i].sources[k]) &&
					  memcmp(cuts[i].text + at, cuts[i].sources[k], len) == 0,
				  "%zu of '%s' is '%.*s'", k, cuts[i].text, (int)len,
				  cuts[i].text + at);
			at += len;
		}
		cr_expect_eq(at, strlen(cuts[i].text), "'%s'", cuts[i].text);
	}
}

Test(tree_stream, a_document_without_content_has_no_root)
{
	static const char *const empty[] = { "# only\n", "---\n", "--- # c\n", "---\n...\n" };

	for (size_t i = 0; i < SEAL_COUNT(empty); i++) {
		TREE tree = only_tree(empty[i]);

		cr_expect_null(seal_tree_root(tree), "'%s'", empty[i]);
		cr_expect_not(seal_tree_is_json(tree));
	}
	TREE null = only_tree("--- null\n");
	cr_expect_eq(seal_tree_kind(seal_tree_root(null)), SEAL_TREE_NULL);
	cr_expect_not_null(seal_tree_root(null));
}

Test(tree_stream, after_a_failure_nothing_more_is_read)
{
	STREAM stream = stream_of("a: 1\n---\nb: [\n---\nc: 3\n");
	struct seal_tree *tree = NULL;
	struct seal_err err = { 0 };

	seal_tree_free(next_tree(stream));
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(seal_tree_next(stream, &tree, &err), SEAL_E_FORMAT);
		cr_expect_null(tree);
	}
}

Test(tree_stream, trees_outlive_their_stream)
{
	struct seal_tree_stream *stream = stream_of("a: {b: [c, d]}\n");
	TREE tree = next_tree(stream);

	seal_tree_stream_free(stream);
	expect_json(tree, "{\"a\":{\"b\":[\"c\",\"d\"]}}");
}

/* ---- Refusals ---- */

struct refusal {
	const char *text;
	int code;
	const char *where; /* the sentence begins so */
};

static const struct refusal refusals[] = {
	{ "a: 1\na: 2\n", SEAL_E_FORMAT, "t.yaml:2:4: $.a: this key occurs twice" },
	{ "x:\n- b: {c: 1, \"c\": 2}\n", SEAL_E_FORMAT, "t.yaml:2:18: $.x[0].b.c: this key" },
	{ "\"1\": a\n1: b\n", SEAL_E_FORMAT, "t.yaml:2:4: $.1: this key" },
	{ "a: *x\n", SEAL_E_FORMAT, "t.yaml:1:4: an alias that names nothing" },
	{ "a: &x 1\n---\nb: *x\n", SEAL_E_FORMAT, "t.yaml:3:4: an alias" },
	{ "&x [a, *x]\n", SEAL_E_FORMAT, "t.yaml:1:8: an alias that lies inside" },
	{ "a: &x {b: {c: *x}}\n", SEAL_E_FORMAT, "t.yaml:1:15: an alias that lies inside" },
	{ "a: !foo b\n", SEAL_E_FORMAT, "t.yaml:1:4: a tag that is not supported" },
	{ "a: ! b\n", SEAL_E_FORMAT, "t.yaml:1:4: a tag that is not supported" },
	{ "a: !!set {b}\n", SEAL_E_FORMAT, "t.yaml:1:4: a tag " },
	{ "a: !!map [b]\n", SEAL_E_FORMAT, "t.yaml:1:4: a tag " },
	{ "a: !!int b\n", SEAL_E_FORMAT, "t.yaml:1:4: this is no !!int" },
	{ "a: !!int 1.5\n", SEAL_E_FORMAT, "t.yaml:1:4: this is no !!int" },
	{ "a: !!bool 1\n", SEAL_E_FORMAT, "t.yaml:1:4: this is no !!bool" },
	{ "a: !!null x\n", SEAL_E_FORMAT, "t.yaml:1:4: this is no !!null" },
	{ "a: !!timestamp x\n", SEAL_E_FORMAT, "t.yaml:1:4: this is no !!timestamp" },
	{ "a: !!binary \"a\"\n", SEAL_E_FORMAT, "t.yaml:1:4: !!binary is not base64" },
	{ "a: !!binary \"QUI\"\n", SEAL_E_FORMAT, "t.yaml:1:4: !!binary" },
	{ "a: !!binary \"Q===\"\n", SEAL_E_FORMAT, "t.yaml:1:4: !!binary" },
	{ "a: !!binary \"QQ==QQ==\"\n", SEAL_E_FORMAT, "t.yaml:1:4: !!binary" },
	{ "a: !!binary \"Q-_=\"\n", SEAL_E_FORMAT, "t.yaml:1:4: !!binary" },
	{ "yes: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ on key 'yes'" },
	{ "True: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "0x1f: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "010: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "1_0: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "1.50: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "-0: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "1e3: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "12345678901234567: a\n", SEAL_E_FORMAT, "t.yaml:1:1: readers differ" },
	{ "~: a\n", SEAL_E_FORMAT, "t.yaml:1:1: a key that is no string but null" },
	{ ": a\n", SEAL_E_FORMAT, "t.yaml:1:1: did not find expected key" },
	{ "{a: 1}: b\n", SEAL_E_FORMAT, "t.yaml:1:1: a key that is no string but a map" },
	{ "? [a]\n: b\n", SEAL_E_FORMAT, "t.yaml:1:3: a key that is no string but a list" },
	{ "a: &x [1]\n*x : b\n", SEAL_E_FORMAT, "t.yaml:2:1: a key that is no string but a list" },
	{ "!!binary QQ==: b\n", SEAL_E_FORMAT, "t.yaml:1:1: a key that is no string but !!binary" },
	{ "\"a\\0b\": c\n", SEAL_E_FORMAT, "t.yaml:1:1: a key with a NUL inside" },
	{ "a: \"\\ud800\"\n", SEAL_E_FORMAT, "t.yaml:1:" },
	{ "a: \"\\udc00\\ud800\"\n", SEAL_E_FORMAT, "t.yaml:1:" },
	{ "a: \"\\ud83d\\ude00\"\n", SEAL_E_FORMAT, "t.yaml:1:" },
	{ "[\"\\ud83d\\ude00\", \"\\ud83d\"]\n", SEAL_E_FORMAT, "t.yaml:1:" },
	{ "[\"\\ude00\\ud83d\"]\n", SEAL_E_FORMAT, "t.yaml:1:" },
	{ "[\"\\ud83d\\u0041\"]\n", SEAL_E_FORMAT, "t.yaml:1:" },
	{ "a: 1\nb:\tc: d\n", SEAL_E_FORMAT, "t.yaml:2:" },
	{ "a:\n\tb: c\n", SEAL_E_FORMAT, "t.yaml:2:1: found character that cannot start" },
	{ "a: x\x01\n", SEAL_E_FORMAT, "t.yaml:1:5: control characters" },
	{ "a: b\nb: x\xff\n", SEAL_E_FORMAT, "t.yaml:2:5: invalid leading UTF-8" },
	{ "{\"a\": 1} {\"b\": 2}\n", SEAL_E_FORMAT, "t.yaml:1:10: " },
	{ "a: {{ .Values.x }}\n", SEAL_E_FORMAT, "t.yaml:1:5: a key that is no string" },
	{ "a: {<<: 1}\n", SEAL_E_FORMAT, "t.yaml:1:9: $.a[\"<<\"]: a merge (<<) takes a map" },
	{ "<<:\n", SEAL_E_FORMAT, "t.yaml:1:4: $[\"<<\"]: a merge (<<) takes a map" },
	{ "<<: [{a: 1}, b]\n", SEAL_E_FORMAT, "t.yaml:1:14: $[\"<<\"][1]: a merge" },
	{ "<<: {a: 1}\n<<: {b: 1}\n", SEAL_E_FORMAT,
	  "t.yaml:2:5: $[\"<<\"]: this key occurs twice" },
	{ "a: 1\n<<: {a: 2}\n", SEAL_E_FORMAT,
	  "t.yaml:1:4: $.a: readers differ on a key in front" },
};

Test(tree, what_readers_would_not_agree_on_is_refused_with_its_place)
{
	for (size_t i = 0; i < SEAL_COUNT(refusals); i++)
		expect_refused(refusals[i].text, refusals[i].code, refusals[i].where);
}

Test(tree, a_twin_among_many_keys_is_found)
{
	BYTES text = SEAL_BYTES(1 << 20);

	for (int i = 0; i < 20000; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "k%d: v\n", (i * 7919) % 20000), 0);
	seal_tree_free(only_tree(seal_bytes_str(&text)));
	cr_assert_eq(seal_bytes_append_str(&text, "k17: v\n", NULL), 0);
	expect_refused(seal_bytes_str(&text), SEAL_E_FORMAT, "t.yaml:20001:6: $.k17: this key");
}

/* ---- Limits ---- */

static void
nest(struct seal_bytes *text, const char *open, size_t depth, const char *close)
{
	for (size_t i = 0; i < depth; i++)
		cr_assert_eq(seal_bytes_append_str(text, open, NULL), 0);
	for (size_t i = 0; i < depth; i++)
		cr_assert_eq(seal_bytes_append_str(text, close, NULL), 0);
}

Test(tree_limits, sixty_four_levels_are_read_and_no_more)
{
	BYTES good = SEAL_BYTES(1 << 20);
	BYTES bad = SEAL_BYTES(1 << 20);
	BYTES block = SEAL_BYTES(1 << 20);

	nest(&good, "[", SEAL_TREE_MAX_DEPTH, "]");
	seal_tree_free(only_tree(seal_bytes_str(&good)));
	nest(&bad, "[", SEAL_TREE_MAX_DEPTH + 1, "]");
	expect_refused(seal_bytes_str(&bad), SEAL_E_LIMIT, "t.yaml:1:65: deeper than 64 levels");
	nest(&block, "- ", 50000, "");
	expect_refused(seal_bytes_str(&block), SEAL_E_LIMIT, "t.yaml:1:129: deeper");
	seal_bytes_reset(&bad);
	nest(&bad, "{a: ", 50000, "}");
	expect_refused(seal_bytes_str(&bad), SEAL_E_LIMIT, "t.yaml:1:257: deeper");
}

Test(tree_limits, depth_counts_through_aliases)
{
	BYTES text = SEAL_BYTES(1 << 20);

	/* Forty levels, and an alias to them thirty levels down. */
	cr_assert_eq(seal_bytes_append_str(&text, "a: &x ", NULL), 0);
	nest(&text, "[", 40, "]");
	cr_assert_eq(
		seal_bytes_append_str(
			&text, "\nb: [[[[[[[[[[[[[[[[[[[[[[[*x]]]]]]]]]]]]]]]]]]]]]]]\n", NULL),
		0);
	seal_tree_free(only_tree(seal_bytes_str(&text)));
	cr_assert_eq(
		seal_bytes_append_str(
			&text, "c: [[[[[[[[[[[[[[[[[[[[[[[[*x]]]]]]]]]]]]]]]]]]]]]]]]\n", NULL),
		0);
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT, "t.yaml:3:28: deeper than 64");
}

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* always there */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Sanitizers take their own time, and their own memory. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif
#define SLOWER (SANITIZED ? 20 : 3)
#define LARGER (SANITIZED ? 5 : 1)

static long
peak_kib(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
	return usage.ru_maxrss;
}

/* Each line stands for ten of the one above it. */
Test(tree_limits, a_bomb_of_aliases_is_refused_before_it_is_built, .timeout = 120)
{
	BYTES text = SEAL_BYTES(1 << 20);
	double begin = seconds();

	cr_assert_eq(seal_bytes_append_str(&text, "a0: &a0 lol\n", NULL), 0);
	for (int i = 1; i < 12; i++) {
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "a%d: &a%d [", i, i), 0);
		for (int k = 0; k < 10; k++)
			cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "*a%d, ", i - 1), 0);
		cr_assert_eq(seal_bytes_append_str(&text, "]\n", NULL), 0);
	}
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT, "t.yaml:8:");
	cr_expect_lt(seconds() - begin, 2 * SLOWER);
}

Test(tree_limits, text_is_counted_as_often_as_aliases_repeat_it, .timeout = 120)
{
	BYTES text = SEAL_BYTES(32u << 20);

	cr_assert_eq(seal_bytes_append_str(&text, "- &a \"", NULL), 0);
	for (int i = 0; i < 1024 * 1024 / 8; i++)
		cr_assert_eq(seal_bytes_append_str(&text, "aaaaaaaa", NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "\"\n", NULL), 0);
	for (int i = 0; i < 15; i++)
		cr_assert_eq(seal_bytes_append_str(&text, "- *a\n", NULL), 0);
	seal_tree_free(only_tree(seal_bytes_str(&text)));
	cr_assert_eq(seal_bytes_append_str(&text, "- *a\n", NULL), 0);
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT,
		       "t.yaml:17:3: more than 16777216 bytes");
}

Test(tree_limits, a_text_beyond_16_mib_is_not_looked_at)
{
	struct seal_tree_stream *stream = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(seal_tree_stream_new(&stream, "t.yaml", "", SEAL_TREE_MAX_LEN + 1, &err),
		     SEAL_E_LIMIT);
	cr_expect_null(stream);
	cr_expect_str_eq(err.text, "t.yaml: longer than 16777216 bytes");
}

Test(tree_limits, more_than_two_million_values_are_refused, .timeout = 120)
{
	BYTES text = SEAL_BYTES(16u << 20);
	long before;

	for (int i = 0; i < SEAL_TREE_MAX_NODES / 10 + 1; i++)
		cr_assert_eq(seal_bytes_append_str(&text, "- [1,2,3,4,5,6,7,8,9]\n", NULL), 0);
	before = peak_kib();
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT, "t.yaml:200000:");
	cr_expect_lt(peak_kib() - before, 150L * 1024 * LARGER);
}

Test(tree_limits, many_tag_directives_are_refused)
{
	BYTES text = SEAL_BYTES(1 << 20);

	for (int i = 0; i < 101; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "%%TAG !a%d! tag:x\n", i), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "---\na: 1\n", NULL), 0);
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT, "t.yaml: more than 100 %TAG");
}

Test(tree_limits, sixteen_mib_of_documents_are_read_and_written_in_time, .timeout = 120)
{
	static const char one[] = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"
				  "  labels: {app: web, tier: \"1\"}\ndata:\n  a: \"b\"\n";
	BYTES text = SEAL_BYTES(SEAL_TREE_MAX_LEN);
	BYTES out = SEAL_BYTES(64u << 20);
	double begin;
	long before;

	/* Instrumented, a part of it shows as much. */
	while (text.len + strlen(one) <= SEAL_TREE_MAX_LEN / (SANITIZED ? 8 : 1))
		cr_assert_eq(seal_bytes_append_str(&text, one, NULL), 0);
	before = peak_kib();
	begin = seconds();
	STREAM stream = stream_of(seal_bytes_str(&text));
	for (;;) {
		TREE tree = next_tree(stream);

		if (tree == NULL)
			break;
		cr_assert_eq(seal_tree_write(tree, &out, NULL), 0);
	}
	printf("16 MiB of documents: %.2f s, %ld KiB more\n", seconds() - begin,
	       peak_kib() - before);
	cr_expect_lt(seconds() - begin, 1.5 * SLOWER);
	cr_expect_lt(peak_kib() - before, 150L * 1024 * LARGER);
	cr_expect_gt(out.len, text.len);
}

/* ---- Memory ---- */

static int
read_change_and_write(struct seal_bytes *out)
{
	static const char text[] =
		"a: &x {b: [1, two, \"three\"], c: !!binary QUJD}\n"
		"d: {<<: *x, e: 1, f: 2, g: 3, h: 4, i: 5, j: 6, k: 7, l: 8, m: 9, n: 1}\n";
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	TREE tree = NULL;
	JSON json = NULL;
	struct seal_tree_node *root;
	int r = seal_tree_stream_new(&stream, "t.yaml", text, strlen(text), NULL);

	if (r == 0)
		r = seal_tree_next(stream, &tree, NULL);
	if (r < 0)
		return r;
	root = seal_tree_root(tree);
	r = seal_tree_to_json(tree, seal_tree_get(root, "a"), &json, NULL);
	if (r < 0)
		return r;
	seal_tree_set_str(tree, root, "new", "text");
	seal_tree_set_json(tree, root, "copy", json);
	(void)seal_tree_add_json(tree, seal_tree_need_list(tree, root, "list"), json);
	(void)seal_tree_push_json(tree, seal_tree_need_list(tree, root, "list"), json);
	return seal_tree_write(tree, out, NULL);
}

Test(tree, running_out_of_memory_anywhere_is_a_failure_and_no_leak)
{
	BYTES whole = SEAL_BYTES(1 << 20);
	size_t n = 1;

	cr_assert_eq(read_change_and_write(&whole), 0);
	for (;; n++) {
		BYTES out = SEAL_BYTES(1 << 20);
		int r;

		alloc_fail_at(n);
		r = read_change_and_write(&out);
		if (!alloc_call_off())
			break;
		if (r < 0)
			cr_expect_eq(r, SEAL_E_MEMORY, "allocation %zu: %d", n, r);
		else
			cr_expect_str_eq(seal_bytes_str(&out), seal_bytes_str(&whole), "%zu", n);
	}
	cr_expect_gt(n, 10);
}

Test(tree, every_truncation_is_read_or_refused)
{
	static const char text[] =
		"%YAML 1.1\n---\na: &x {\"b\\u00e4\": [1, 'two', \"\\x41\"]}\n"
		"c: |+\n  x\n\n? d\n: *x\ne: !!binary |\n  QUJD\n...\n# \xe2\x82\xac\n"
		"--- >-\n  f\n  g\n";

	for (size_t len = 0; len < sizeof(text); len++) {
		/* A block of exactly that size, so that reading behind it is seen. */
		char *part = malloc(len == 0 ? 1 : len);
		struct seal_tree_stream *stream = NULL;
		struct seal_tree *tree = NULL;
		int r;

		cr_assert_not_null(part);
		memcpy(part, text, len);
		r = seal_tree_stream_new(&stream, "t.yaml", part, len, NULL);
		for (;;) {
			if (r == 0)
				r = seal_tree_next(stream, &tree, NULL);
			if (r < 0 || tree == NULL)
				break;
			seal_tree_freep(&tree);
		}
		cr_expect_null(tree);
		seal_tree_stream_free(stream);
		free(part);
	}
}

Test(tree, secrets_that_look_like_tags_or_aliases_are_not_repeated)
{
	static const char *const texts[] = { "a: *hunter2\n", "a: !hunter2\n", "a: !hunter2 {}\n",
					     "a: &hunter2 [*hunter2]\n" };

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		STREAM stream = stream_of(texts[i]);
		TREE tree = NULL;
		struct seal_err err = { 0 };

		cr_expect_eq(seal_tree_next(stream, &tree, &err), SEAL_E_FORMAT);
		cr_expect_null(strstr(err.text, "hunter2"), "%s", err.text);
	}
}
