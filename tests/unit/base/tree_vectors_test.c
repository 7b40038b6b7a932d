/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/yaml/tree against whole folders: what is accepted is written again with the same values, and writing
 * that again changes nothing.  What other readers see of it is yaml-readers.sh's.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "base/yaml/tree.h"
#include "tests/support/vectors.h"
#include "tests/unit/base/tree_rig.h"

#define OUT_MAX (8u << 20)

struct verdicts {
	size_t accepted, refused, compared;
};

/* Everything written, and everything as JSON: a line each. */
static int
digest(const char *name, const char *text, size_t len, struct seal_bytes *written,
       struct seal_bytes *json, struct seal_err *err)
{
	STREAM stream = NULL;
	size_t at = 0, part = 0;
	int r = seal_tree_stream_new(&stream, name, text, len, err);

	while (r == 0) {
		TREE tree = NULL;
		JSON value = NULL;

		r = seal_tree_next(stream, &tree, err);
		if (r < 0 || tree == NULL)
			break;
		cr_assert_eq(seal_tree_source(tree, &part), text + at, "%s", name);
		at += part;
		cr_assert_eq(seal_tree_write(tree, written, err), 0, "%s: %s", name, err->text);
		if (seal_tree_root(tree) == NULL)
			continue;
		/* Numbers too large for it, and the like, are compared as they are written. */
		if (seal_tree_to_json(tree, seal_tree_root(tree), &value, NULL) == 0)
			cr_assert_eq(seal_json_dump(value, false, json, NULL), 0);
		cr_assert_eq(seal_bytes_append_str(json, "\n", NULL), 0);
	}
	cr_assert(r < 0 || at == len, "%s: %zu of %zu bytes", name, at, len);
	return r;
}

/* The JSON a suite gives, one document's, as we would print it; false when it gives none, or several. */
static bool
expected_json(const char *folder, const char *name, struct seal_bytes *out)
{
	BYTES text = SEAL_BYTES(VECTORS_MOST);
	JSON json = NULL;
	JSON value = NULL;
	char *own = NULL;
	size_t len = vectors_sibling(folder, name, ".json", &own);

	if (own == NULL)
		return false;
	cr_assert_eq(seal_bytes_append_str(&text, "{\"v\":", NULL), 0);
	cr_assert_eq(seal_bytes_append(&text, own, len, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "}", NULL), 0);
	free(own);
	if (seal_json_parse(&json, text.data, text.len, VECTORS_MOST, NULL) < 0)
		return false;
	value = seal_json_take(json, "v");
	cr_assert_eq(seal_json_dump(value, false, out, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(out, "\n", NULL), 0);
	return true;
}

static void
check_twice(const char *name, const struct seal_bytes *written, const struct seal_bytes *json)
{
	BYTES again = SEAL_BYTES(OUT_MAX);
	BYTES same = SEAL_BYTES(OUT_MAX);
	struct seal_err err = { 0 };
	int r = digest(name, seal_bytes_str(written), written->len, &again, &same, &err);

	cr_expect_eq(r, 0, "%s is not read again: %s", name, err.text);
	cr_expect_str_eq(seal_bytes_str(&same), seal_bytes_str(json), "%s", name);
	cr_expect(again.len == written->len &&
			  memcmp(again.data == NULL ? (const void *)"" : again.data,
				 seal_bytes_str(written), again.len) == 0,
		  "%s is written otherwise once more", name);
}

static bool
is_one_of(const char *const *names, const char *name)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static int
try_one(struct verdicts *verdicts, const char *folder, const char *name, const char *text,
	size_t len)
{
	BYTES written = SEAL_BYTES(OUT_MAX);
	BYTES json = SEAL_BYTES(OUT_MAX);
	BYTES expected = SEAL_BYTES(OUT_MAX);
	struct seal_err err = { 0 };
	int r = digest(name, text, len, &written, &json, &err);

	verdicts->accepted += r == 0;
	verdicts->refused += r < 0;
	if (r < 0) {
		cr_expect_eq(strncmp(err.text, name, strlen(name)), 0, "%s", err.text);
		return r;
	}
	check_twice(name, &written, &json);
	if (folder != NULL && expected_json(folder, name, &expected)) {
		verdicts->compared++;
		cr_expect_str_eq(seal_bytes_str(&json), seal_bytes_str(&expected), "%s", name);
	}
	return 0;
}

/* ---- The suite of YAML ---- */

static void
try_suite(void *arg, const char *name, const char *text, size_t len)
{
	/* What is binary is decoded here; the others have no content, and so no value at all. */
	static const char *const odd[] = { "565N-00.yaml", "DK95-07.yaml", "MUS6-02.yaml", NULL };

	(void)try_one(arg, is_one_of(odd, name) ? NULL : "yaml-test-suite", name, text, len);
	for (size_t cut = 0; cut < len; cut++) {
		BYTES written = SEAL_BYTES(OUT_MAX);
		BYTES json = SEAL_BYTES(OUT_MAX);
		struct seal_err err = { 0 };

		if (digest(name, text, cut, &written, &json, &err) < 0)
			cr_expect_neq(err.code, SEAL_E_BUG, "%s", err.text);
	}
}

Test(tree_vectors, the_suite_of_yaml_keeps_its_values, .timeout = 120)
{
	struct verdicts verdicts = { 0 };
	size_t count = vectors_each("yaml-test-suite", ".yaml", try_suite, &verdicts);

	if (count == 0)
		cr_skip_test("no vectors");
	printf("yaml-test-suite: %zu files, %zu accepted, %zu refused, %zu compared\n", count,
	       verdicts.accepted, verdicts.refused, verdicts.compared);
	cr_expect_gt(verdicts.accepted, 110);
	cr_expect_gt(verdicts.refused, 70);
	cr_expect_gt(verdicts.compared, 90);
}

/* ---- Hostile manifests, as far as parsing goes ---- */

static const char *const hostile[] = { "deep-flow.yaml",  "deep.yaml",        "dup-key.yaml",
				       "helm.yaml",       "json-dup.json",    "surrogate.yaml",
				       "tab-indent.yaml", "undef-alias.yaml", NULL };

static void
try_hostile(void *arg, const char *name, const char *text, size_t len)
{
	struct verdicts *verdicts = arg;
	clock_t begin = clock();
	int r = try_one(verdicts, NULL, name, text, len);

	cr_expect_eq(r < 0, is_one_of(hostile, name), "%s", name);
	if (strncmp(name, "deep", 4) == 0)
		cr_expect_lt(clock() - begin, CLOCKS_PER_SEC / 5, "%s", name);
}

Test(tree_vectors, hostile_manifests_are_refused_where_they_are_no_yaml, .timeout = 120)
{
	struct verdicts verdicts = { 0 };

	if (vectors_each("hostile-manifests", ".yaml", try_hostile, &verdicts) == 0)
		cr_skip_test("no vectors");
	cr_expect_eq(vectors_each("hostile-manifests", ".json", try_hostile, &verdicts), 2);
	cr_expect_eq(verdicts.refused, SEAL_COUNT(hostile) - 1);
}

/* ---- Manifests ---- */

/* A key twice; Kubernetes' strict reading refuses them too. */
static const char *const twins[] = { "127-examples-etcd-controller.yaml",
				     "128-examples-etcd-discovery-controller.yaml",
				     "129-examples-openshift-controller.yaml", NULL };

static void
try_manifest(void *arg, const char *name, const char *text, size_t len)
{
	cr_expect_eq(try_one(arg, NULL, name, text, len) < 0, is_one_of(twins, name), "%s", name);
}

Test(tree_vectors, real_manifests_keep_their_values, .timeout = 120)
{
	struct verdicts verdicts = { 0 };

	if (vectors_each("k8s-manifests", "l", try_manifest, &verdicts) == 0)
		cr_skip_test("no vectors");
	(void)vectors_each("k8s-manifests", ".json", try_manifest, &verdicts); /* a few more */
	printf("k8s-manifests: %zu accepted, %zu refused\n", verdicts.accepted, verdicts.refused);
	cr_expect_gt(verdicts.accepted, 200);
	cr_expect_eq(verdicts.refused, SEAL_COUNT(twins) - 1);
}

/* ---- JSON ---- */

/*
 * JSON that is not read: a key twice; a bare DEL, which YAML does not allow.  What is no JSON may well be
 * YAML (n_), and what is neither here nor there (i_) may be either.
 */
static const char *const unread[] = { "y_object_duplicated_key.json",
				      "y_object_duplicated_key_and_value.json",
				      "y_string_unescaped_char_delete.json", NULL };

static void
try_json(void *arg, const char *name, const char *text, size_t len)
{
	int r = try_one(arg, NULL, name, text, len);

	if (name[0] == 'y')
		cr_expect_eq(r < 0, is_one_of(unread, name), "%s", name);
}

Test(tree_vectors, json_is_yaml, .timeout = 120)
{
	struct verdicts verdicts = { 0 };

	if (vectors_each("json-parsing", ".json", try_json, &verdicts) == 0)
		cr_skip_test("no vectors");
	printf("json-parsing: %zu accepted, %zu refused\n", verdicts.accepted, verdicts.refused);
	cr_expect_gt(verdicts.refused, 60);
}
