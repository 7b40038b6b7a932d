/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/yaml against the public suite.  It is a suite for YAML 1.2 and the library beneath reads 1.1,
 * so what is refused is not held against it; what is accepted must mean the same.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/json/json.h"
#include "base/yaml/yaml.h"
#include "tests/support/vectors.h"

#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes
#define YAML  SEAL_SCOPED(seal_yaml_freep) struct seal_yaml *
#define JSON  SEAL_SCOPED(seal_json_freep) struct seal_json *
#define SUITE "yaml-test-suite"

static bool same(const struct seal_yaml_node *node, const struct seal_json *json);

static bool
same_scalar(const struct seal_yaml_node *node, const struct seal_json *json)
{
	const char *text = NULL;
	uint64_t number = 0;
	bool truth = false;

	if (seal_yaml_str(node, &text, NULL) < 0)
		return false;
	switch (seal_json_kind(json)) {
	case SEAL_JSON_STRING:
		return strcmp(text, seal_json_str(json)) == 0;
	case SEAL_JSON_NULL:
		return strcmp(text, "") == 0 || strcmp(text, "null") == 0 || strcmp(text, "~") == 0;
	case SEAL_JSON_BOOL:
		return seal_yaml_bool(node, &truth, NULL) == 0 && truth == seal_json_bool(json);
	case SEAL_JSON_NUMBER:
		/* Only whole numbers can be compared. */
		return seal_yaml_u64(node, 0, UINT64_MAX, &number, NULL) < 0 ||
		       number == seal_json_u64(json);
	default:
		return false;
	}
}

static bool
same_list(const struct seal_yaml_node *node, const struct seal_json *json)
{
	if (seal_json_kind(json) != SEAL_JSON_ARRAY ||
	    seal_yaml_count(node) != seal_json_count(json))
		return false;
	for (size_t i = 0; i < seal_yaml_count(node); i++) {
		if (!same(seal_yaml_at(node, i), seal_json_at(json, i)))
			return false;
	}
	return true;
}

static bool
same_map(const struct seal_yaml_node *node, const struct seal_json *json)
{
	size_t count = 0;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return false;
	for (const char *name = seal_json_next(json, NULL); name != NULL;
	     name = seal_json_next(json, name), count++) {
		const struct seal_yaml_node *value = seal_yaml_get(node, name);

		if (value == NULL || !same(value, seal_json_member(json, name)))
			return false;
	}
	return count == seal_yaml_count(node);
}

static bool
same(const struct seal_yaml_node *node, const struct seal_json *json)
{
	switch (seal_yaml_kind(node)) {
	case SEAL_YAML_LIST:
		return same_list(node, json);
	case SEAL_YAML_MAP:
		return same_map(node, json);
	default:
		return same_scalar(node, json);
	}
}

/* The value the suite gives, in an object's member v; NULL when it gives none that we can read. */
static struct seal_json *
expected(const char *name)
{
	BYTES text = SEAL_BYTES(VECTORS_MOST);
	struct seal_json *json = NULL;
	char *value = NULL;
	size_t len = vectors_sibling(SUITE, name, ".json", &value);

	if (value == NULL)
		return NULL;
	cr_assert_eq(seal_bytes_append_str(&text, "{\"v\":", NULL), 0);
	cr_assert_eq(seal_bytes_append(&text, value, len, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "}", NULL), 0);
	free(value);
	if (seal_json_parse(&json, text.data, text.len, VECTORS_MOST, NULL) < 0)
		return NULL;
	return json;
}

struct verdicts {
	size_t accepted, refused, compared;
};

static void
try_vector(void *arg, const char *name, const char *text, size_t len)
{
	struct verdicts *verdicts = arg;
	struct seal_err err = { 0 };
	YAML yaml = NULL;
	JSON json = expected(name);
	int r = seal_yaml_parse(&yaml, name, text, len, &err);

	cr_expect_eq(r == 0, yaml != NULL, "%s", name);
	verdicts->accepted += r == 0;
	verdicts->refused += r != 0;
	if (r < 0)
		cr_expect_eq(strncmp(err.text, name, strlen(name)), 0, "%s", err.text);
	if (r == 0 && json != NULL) {
		const struct seal_yaml_node *root = seal_yaml_root(yaml);
		const struct seal_json *value = seal_json_member(json, "v");

		verdicts->compared++;
		cr_expect(root == NULL ? seal_json_kind(value) == SEAL_JSON_NULL
				       : same(root, value),
			  "%s means something else", name);
	}
	for (size_t cut = 0; cut < len; cut++) {
		YAML part = NULL;

		r = seal_yaml_parse(&part, name, text, cut, NULL);
		if ((r == 0) != (part != NULL))
			cr_assert_fail("%zu bytes of %s", cut, name);
	}
}

Test(yaml_vectors, the_public_suite_is_survived_and_means_the_same, .timeout = 300)
{
	struct verdicts verdicts = { 0 };
	size_t count = vectors_each(SUITE, ".yaml", try_vector, &verdicts);

	if (count == 0)
		cr_skip_test("no vectors");
	printf(SUITE ": %zu files, %zu accepted, %zu refused, %zu compared\n", count,
	       verdicts.accepted, verdicts.refused, verdicts.compared);
	cr_expect_gt(verdicts.accepted, 60);
	cr_expect_gt(verdicts.compared, 40);
	cr_expect_gt(verdicts.refused, 30);
}
