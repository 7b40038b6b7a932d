/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/spec: what is taken from a container spec, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "config-verify/spec.h"

#define SPEC  SEAL_SCOPED(verify_spec_freep) struct verify_spec *
#define BYTES SEAL_SCOPED(seal_bytes_release) struct seal_bytes

static struct verify_spec *
parse(const char *text)
{
	struct verify_spec *spec = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(verify_spec_parse(&spec, text, strlen(text), &err), 0, "%s: %s", text,
		     err.text);
	return spec;
}

static void
expect_refused(const char *text, int code)
{
	SPEC spec = NULL;
	struct seal_err err = { 0 };
	int r = verify_spec_parse(&spec, text, strlen(text), &err);

	cr_expect_eq(r, code, "%s: %d (%s)", text, r, err.text);
	cr_expect_null(spec);
	cr_expect_str_neq(err.text, "");
}

static void
expect_words(const struct seal_strv *list, size_t count, const char *const *words)
{
	cr_assert_eq(list->count, count);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(list->items[i], words[i]);
}

#define EXPECT_WORDS(list, ...)                                                                    \
	expect_words((list), SEAL_COUNT(((const char *const[]){ __VA_ARGS__ })),                   \
		     (const char *const[]){ __VA_ARGS__ })

/* A spec whose container, image or files are as given. */
#define CONTAINER(members)                                                                         \
	"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\",\"command\":["  \
	"\"/app\"]," members "}}"
#define ENV(list)  CONTAINER("\"env\":[" list "]")
#define FROM(list) CONTAINER("\"envFrom\":[" list "]")
#define TOP(member)                                                                                \
	"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\",\"command\":["  \
	"\"/app\"]}," member "}"
#define FILES(list) TOP("\"files\":[" list "]")
#define RUN(command, args, image)                                                                  \
	"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\"" command args   \
	"},\"image\":{" image "}}"

/* ---- What is run ---- */

Test(verify_spec, a_command_hides_all_of_the_image)
{
	SPEC spec = parse(RUN(",\"command\":[\"/c\",\"1\"]", ",\"args\":[\"a\"]",
			      "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"d\"]"));
	SPEC alone =
		parse(RUN(",\"command\":[\"/c\"]", "", "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"d\"]"));

	EXPECT_WORDS(verify_spec_argv(spec), "/c", "1", "a");
	cr_expect_eq(verify_spec_argv_literals(spec), 0);
	EXPECT_WORDS(verify_spec_argv(alone), "/c");
}

Test(verify_spec, arguments_follow_the_images_entry_point)
{
	SPEC spec = parse(RUN("", ",\"args\":[\"a\"]", "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"d\"]"));

	EXPECT_WORDS(verify_spec_argv(spec), "/e", "a");
	cr_expect_eq(verify_spec_argv_literals(spec), 1);
}

Test(verify_spec, without_a_word_of_the_owner_the_image_decides)
{
	SPEC both = parse(RUN("", "", "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"d\"]"));
	SPEC cmd = parse(RUN("", "", "\"Entrypoint\":null,\"Cmd\":[\"d\"]"));
	SPEC empty = parse(RUN(",\"command\":[]", ",\"args\":null", "\"Cmd\":[\"d\"]"));

	EXPECT_WORDS(verify_spec_argv(both), "/e", "d");
	cr_expect_eq(verify_spec_argv_literals(both), 2);
	EXPECT_WORDS(verify_spec_argv(cmd), "d");
	EXPECT_WORDS(verify_spec_argv(empty), "d");
}

Test(verify_spec, nothing_to_run_is_refused)
{
	expect_refused(
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\"}}",
		SEAL_E_FORMAT);
	expect_refused(RUN("", "", "\"Env\":[]"), SEAL_E_FORMAT);
	expect_refused(RUN(",\"command\":[\"\"]", "", ""), SEAL_E_FORMAT);
	expect_refused(RUN(",\"command\":\"/c\"", "", ""), SEAL_E_FORMAT);
	expect_refused(RUN(",\"command\":[1]", "", ""), SEAL_E_FORMAT);
	expect_refused(RUN(",\"command\":[null]", "", ""), SEAL_E_FORMAT);
	expect_refused(RUN(",\"command\":[\"/c\"]", ",\"args\":{}", ""), SEAL_E_FORMAT);
	expect_refused(RUN("", "", "\"Entrypoint\":\"/e\""), SEAL_E_FORMAT);
}

#define PROBE(member)                                                                              \
	"{\"version\":1,\"container\":{\"name\":\"web\",\"command\":[\"/app\"]}," member "}"

Test(verify_spec, a_probe_runs_its_own_command)
{
	SPEC spec = parse(PROBE("\"verify\":{\"version\":1},\"exec\":[\"/probe\",\"x\"]"));

	cr_expect(verify_spec_is_exec(spec));
	EXPECT_WORDS(verify_spec_argv(spec), "/probe", "x");
	cr_expect_eq(verify_spec_argv_literals(spec), 0);
	expect_refused(PROBE("\"verify\":{\"version\":1},\"exec\":[]"), SEAL_E_FORMAT);
	expect_refused(PROBE("\"verify\":{\"version\":1},\"exec\":[\"\"]"), SEAL_E_FORMAT);
	expect_refused(PROBE("\"verify\":{\"version\":1},\"exec\":\"/probe\""), SEAL_E_FORMAT);
}

/* ---- What the host may hand in ---- */

#define POLICY                                                                                     \
	"\"verify\":{\"version\":1,\"mode\":\"audit\",\"mounts\":[{\"path\":\"/cache\","           \
	"\"source\":\"memory\"}]}"

Test(verify_spec, who_starts_a_container_knows_what_it_may_be_handed)
{
	SPEC spec = parse(
		"{\"version\":1,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}," POLICY "}");
	const struct verify_policy *policy = verify_spec_policy(spec);

	cr_assert_not_null(policy);
	cr_expect_eq(policy->mode, VERIFY_AUDIT);
	cr_assert_eq(policy->mount_count, 1);
	cr_expect_str_eq(policy->mounts[0].path, "/cache");
}

Test(verify_spec, without_a_policy_no_container_starts)
{
	expect_refused("{\"version\":1,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}}",
		       SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]},"
		       "\"verify\":null}",
		       SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]},"
		       "\"verify\":{\"version\":1,\"mode\":\"off\"}}",
		       SEAL_E_FORMAT);
}

Test(verify_spec, what_is_run_has_a_policy_and_places_have_none)
{
	SPEC probe = parse(PROBE("\"exec\":[\"/probe\"]," POLICY));
	SPEC place = parse("{\"version\":1,\"place\":[\"/p/0/a\"]}");

	cr_assert_not_null(verify_spec_policy(probe));
	cr_expect_eq(verify_spec_policy(probe)->mode, VERIFY_AUDIT);
	cr_expect_null(verify_spec_policy(place));
	expect_refused(PROBE("\"exec\":[\"/probe\"]"), SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"place\":[\"/p/0/a\"]," POLICY "}", SEAL_E_FORMAT);
}

Test(verify_spec, what_is_forgotten_is_not_the_policy)
{
	SPEC spec = parse(
		"{\"version\":1,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}," POLICY "}");

	cr_assert_eq(verify_spec_forget(&spec, NULL), 0);
	cr_assert_not_null(verify_spec_policy(spec));
	cr_expect_eq(verify_spec_policy(spec)->mode, VERIFY_AUDIT);
	cr_expect_str_eq(verify_spec_policy(spec)->mounts[0].path, "/cache");
	cr_expect_str_eq(verify_spec_argv(spec)->items[0], "/");
}

Test(verify_spec, the_working_directory_is_the_owners_or_the_images_or_the_root)
{
	SPEC owner = parse(
		RUN(",\"command\":[\"/c\"]", ",\"workingDir\":\"/o\"", "\"WorkingDir\":\"/i\""));
	SPEC image = parse(RUN(",\"command\":[\"/c\"]", "", "\"WorkingDir\":\"/i\""));
	SPEC none =
		parse(RUN(",\"command\":[\"/c\"]", ",\"workingDir\":\"\"", "\"WorkingDir\":\"\""));

	cr_expect_str_eq(verify_spec_cwd(owner), "/o");
	cr_expect_str_eq(verify_spec_cwd(image), "/i");
	cr_expect_str_eq(verify_spec_cwd(none), "/");
}

Test(verify_spec, the_working_directory_has_one_spelling)
{
	static const char *const rows[][2] = { { "/a/b/", "/a/b" },   { "//a//b", "/a/b" },
					       { "/./a/.", "/a" },    { "/", "/" },
					       { "///", "/" },        { "/.", "/" },
					       { "/a/...", "/a/..." } };

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char text[256];
		SPEC spec = NULL;

		(void)snprintf(text, sizeof(text), CONTAINER("\"workingDir\":\"%s\""), rows[i][0]);
		spec = parse(text);
		cr_expect_str_eq(verify_spec_cwd(spec), rows[i][1]);
	}
	expect_refused(CONTAINER("\"workingDir\":\"relative\""), SEAL_E_FORMAT);
	expect_refused(CONTAINER("\"workingDir\":\"/a/../b\""), SEAL_E_FORMAT);
	expect_refused(CONTAINER("\"workingDir\":\"/a\\n\""), SEAL_E_FORMAT);
	expect_refused(CONTAINER("\"workingDir\":7"), SEAL_E_FORMAT);
}

/* ---- Variables ---- */

Test(verify_spec, variables_come_in_the_order_in_which_kubernetes_evaluates_them)
{
	SPEC spec = parse(
		"{\"version\":1,\"verify\":{\"version\":1},\"image\":{\"Env\":[\"PATH=/"
		"bin\",\"E=a=b\"]},\"container\":{\"name\":\"web\","
		"\"command\":[\"/app\"],"
		"\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"B\"},"
		"{\"name\":\"C\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\","
		"\"optional\":true}}},"
		"{\"name\":\"D\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}}],"
		"\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"}},{\"prefix\":\"P_\",\"secretRef\":"
		"{\"name\":\"s\"}}]"
		"}}");
	static const struct verify_env want[] = {
		{ .kind = VERIFY_ENV_VALUE, .name = "PATH", .value = "/bin" },
		{ .kind = VERIFY_ENV_VALUE, .name = "E", .value = "a=b" },
		{ .kind = VERIFY_ENV_FROM,
		  .variable = "SEAL_FROM_0_",
		  .prefix = "",
		  .object = { "ConfigMap", "m", false } },
		{ .kind = VERIFY_ENV_FROM,
		  .variable = "SEAL_FROM_1_",
		  .prefix = "P_",
		  .object = { "Secret", "s", false } },
		{ .kind = VERIFY_ENV_VALUE, .name = "A", .value = "1" },
		{ .kind = VERIFY_ENV_VALUE, .name = "B", .value = "" },
		{ .kind = VERIFY_ENV_OBJECT,
		  .name = "C",
		  .variable = "SEAL_ENV_2",
		  .key = "k",
		  .object = { "Secret", "s", true } },
		{ .kind = VERIFY_ENV_HOST, .name = "D", .variable = "SEAL_ENV_3" },
	};

	cr_assert_eq(verify_spec_env_count(spec), SEAL_COUNT(want));
	for (size_t i = 0; i < SEAL_COUNT(want); i++) {
		const struct verify_env *env = verify_spec_env(spec, i);

		cr_expect_eq(env->kind, want[i].kind);
		cr_expect_str_eq(env->name == NULL ? "" : env->name,
				 want[i].name == NULL ? "" : want[i].name);
		cr_expect_str_eq(env->value == NULL ? "" : env->value,
				 want[i].value == NULL ? "" : want[i].value);
		cr_expect_str_eq(env->variable == NULL ? "" : env->variable,
				 want[i].variable == NULL ? "" : want[i].variable);
		cr_expect_str_eq(env->key == NULL ? "" : env->key,
				 want[i].key == NULL ? "" : want[i].key);
		cr_expect_eq(env->object.optional, want[i].object.optional);
		cr_expect_eq(verify_spec_env_is_literal(spec, i), i < 2);
	}
	cr_expect_null(verify_spec_env(spec, SEAL_COUNT(want)));
	/* The Secret is used twice, once not optionally. */
	cr_assert_eq(verify_spec_object_count(spec), 2);
	cr_expect_str_eq(verify_spec_object(spec, 1)->name, "s");
	cr_expect_not(verify_spec_object(spec, 1)->optional);
	cr_expect_null(verify_spec_object(spec, 2));
}

Test(verify_spec, variables_that_are_none_are_refused)
{
	static const char *const bad[] = {
		CONTAINER("\"env\":{}"),
		ENV("1"),
		ENV("null"),
		ENV("{}"),
		ENV("{\"name\":\"\"}"),
		ENV("{\"name\":\"A=B\",\"value\":\"1\"}"),
		ENV("{\"name\":\"A\\n\",\"value\":\"1\"}"),
		ENV("{\"name\":\"A\",\"value\":1}"),
		ENV("{\"name\":\"A\",\"vale\":\"1\"}"),
		ENV("{\"name\":\"A\",\"value\":\"1\",\"valueFrom\":{\"fieldRef\":{}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":1}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"fieldRef\":1}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"fileKeyRef\":{}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"fieldRef\":{},\"resourceFieldRef\":{}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\"}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"key\":\"k\"}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"../"
		    "s\",\"key\":\"k\"}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"a/"
		    "b\"}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"\"}}"
		    "}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\","
		    "\"optional\":1}}}"),
		ENV("{\"name\":\"A\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\","
		    "\"ns\":\"x\"}}}"),
		CONTAINER("\"envFrom\":{}"),
		FROM("1"),
		FROM("{}"),
		FROM("{\"prefix\":\"P\"}"),
		FROM("{\"configMapRef\":{}}"),
		FROM("{\"configMapRef\":{\"name\":\"\"}}"),
		FROM("{\"configMapRef\":{\"name\":\"m\",\"key\":\"k\"}}"),
		FROM("{\"configMapRef\":{\"name\":\"m\"},\"secretRef\":{\"name\":\"s\"}}"),
		FROM("{\"prefix\":\"=\",\"configMapRef\":{\"name\":\"m\"}}"),
		TOP("\"image\":{\"Env\":[\"PATH\"]}"),
		TOP("\"image\":{\"Env\":[\"=x\"]}"),
		TOP("\"image\":{\"Env\":[1]}"),
		TOP("\"image\":{\"Env\":{}}"),
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_refused(bad[i], SEAL_E_FORMAT);
}

Test(verify_spec, a_refusal_repeats_no_value)
{
	static const char *const bad[] = {
		ENV("{\"name\":\"A\",\"value\":\"MARKED\",\"valueFrom\":{\"fieldRef\":{}}}"),
		TOP("\"image\":{\"Env\":[\"MARKED\"]}"),
		CONTAINER("\"args\":[\"MARKED\",7]"),
		CONTAINER("\"env\":[\"MARKED\"]"),
		("{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\","
		 "\"command\":[\"MARKED\"]}"),
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		SPEC spec = NULL;
		struct seal_err err = { 0 };

		cr_assert_lt(verify_spec_parse(&spec, bad[i], strlen(bad[i]), &err), 0);
		cr_expect_null(strstr(err.text, "MARKED"), "%s", err.text);
	}
}

Test(verify_spec, more_variables_than_there_can_be_are_refused)
{
	BYTES text = SEAL_BYTES(VERIFY_SPEC_MAX);

	cr_assert_eq(seal_bytes_append_str(&text, TOP("\"image\":{\"Env\":[\"A=\""), NULL), 0);
	text.len -= 1; /* the brace of TOP */
	for (int i = 0; i < VERIFY_MAX_ENV; i++)
		cr_assert_eq(seal_bytes_append_str(&text, ",\"A=\"", NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "]}}", NULL), 0);
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT);
}

/* ---- Files ---- */

Test(verify_spec, files_are_taken_as_they_are_written)
{
	SPEC spec = parse(FILES(
		"{\"source\":\"/run/seal-source/0\",\"target\":\"/etc/"
		"app\",\"mode\":256,\"objects\":["
		"{\"kind\":\"ConfigMap\",\"name\":\"m\",\"items\":[{\"key\":\"a\",\"path\":\"d/"
		"a\",\"mode\":320},"
		"{\"key\":\"b\",\"path\":\"b\"}]},"
		"{\"kind\":\"Secret\",\"name\":\"s\",\"optional\":true}],\"plain\":[\"labels\",\"x/"
		"y\"]},"
		"{\"source\":\"/run/seal-source/1\",\"target\":\"/etc/one\",\"file\":\"sub/one\","
		"\"objects\":[{\"kind\":\"ConfigMap\",\"name\":\"m\"}]}"));
	const struct verify_files *first = verify_spec_files(spec, 0);
	const struct verify_files *second = verify_spec_files(spec, 1);

	cr_assert_eq(verify_spec_files_count(spec), 2);
	cr_expect_str_eq(first->source, "/run/seal-source/0");
	cr_expect_str_eq(first->target, "/etc/app");
	cr_expect_null(first->file);
	cr_expect_eq(first->mode, 0400);
	cr_assert_eq(first->object_count, 2);
	cr_assert_eq(first->objects[0].item_count, 2);
	cr_expect_str_eq(first->objects[0].items[0].key, "a");
	cr_expect_str_eq(first->objects[0].items[0].path, "d/a");
	cr_expect_eq(first->objects[0].items[0].mode, 0500);
	cr_expect_eq(first->objects[0].items[1].mode, 0);
	cr_expect_eq(first->objects[1].item_count, 0);
	cr_expect(first->objects[1].object.optional);
	cr_assert_eq(first->plain_count, 2);
	cr_expect_str_eq(first->plain[1], "x/y");
	cr_expect_str_eq(second->file, "sub/one");
	cr_expect_eq(verify_spec_object_count(spec), 2);
	cr_expect_null(verify_spec_files(spec, 2));
}

#define S      "\"source\":\"/s\","
#define T      "\"target\":\"/t\","
#define O      "\"objects\":[{\"kind\":\"ConfigMap\",\"name\":\"m\"}]"
#define I(row) "\"objects\":[{\"kind\":\"ConfigMap\",\"name\":\"m\",\"items\":[" row "]}]"

Test(verify_spec, files_that_could_lie_elsewhere_or_nowhere_are_refused)
{
	static const char *const bad[] = {
		TOP("\"files\":{}"),
		FILES("1"),
		FILES("{" S T "\"objects\":[]}"),
		FILES("{" S T "\"objects\":{}}"),
		FILES("{" S T "\"objects\":[1]}"),
		FILES("{" T O "}"),
		FILES("{" S O "}"),
		FILES("{" S T "\"what\":1," O "}"),
		FILES("{\"source\":\"s\"," T O "}"),
		FILES("{\"source\":\"/s/../x\"," T O "}"),
		FILES("{\"source\":\"/\"," T O "}"),
		FILES("{" S "\"target\":\"t\"," O "}"),
		FILES("{" S "\"target\":\"/t/\"," O "}"),
		FILES("{" S "\"target\":\"/\"," O "}"),
		FILES("{" S "\"target\":\"/../t\"," O "}"),
		FILES("{" S T O ",\"file\":\"\"}"),
		FILES("{" S T O ",\"file\":\"/x\"}"),
		FILES("{" S T O ",\"file\":\"../x\"}"),
		FILES("{" S T O ",\"file\":\"a/../x\"}"),
		FILES("{" S T O ",\"file\":7}"),
		FILES("{" S T O ",\"mode\":\"0400\"}"),
		FILES("{" S T O "},{" S T O "}"),
		FILES("{" S T "\"objects\":[{\"kind\":\"ConfigMap\"}]}"),
		FILES("{" S T "\"objects\":[{\"name\":\"m\"}]}"),
		FILES("{" S T "\"objects\":[{\"kind\":\"Pod\",\"name\":\"m\"}]}"),
		FILES("{" S T "\"objects\":[{\"kind\":\"ConfigMap\",\"name\":\"M\"}]}"),
		FILES("{" S T "\"objects\":[{\"kind\":\"ConfigMap\",\"name\":\"m\",\"x\":1}]}"),
		FILES("{" S T I("") "}"),
		FILES("{" S T I("1") "}"),
		FILES("{" S T I("{\"key\":\"k\"}") "}"),
		FILES("{" S T I("{\"path\":\"k\"}") "}"),
		FILES("{" S T I("{\"key\":\"a/b\",\"path\":\"k\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"/k\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"..k\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"a/../k\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"a//k\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"a/\"}") "}"),
		FILES("{" S T I("{\"key\":\"k\",\"path\":\"k\",\"x\":1}") "}"),
		FILES("{" S T "\"plain\":[\"../x\"]}"),
		FILES("{" S T "\"plain\":[\"/x\"]}"),
		FILES("{" S T "\"plain\":[1]}"),
		FILES("{" S T "\"plain\":[]}"),
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_refused(bad[i], SEAL_E_FORMAT);
	expect_refused(FILES("{" S T O ",\"mode\":512}"), SEAL_E_LIMIT);
}

Test(verify_spec, more_objects_than_there_can_be_are_refused)
{
	BYTES text = SEAL_BYTES(VERIFY_SPEC_MAX);

	cr_assert_eq(seal_bytes_append_str(&text,
					   "{\"version\":1,\"verify\":{\"version\":1},"
					   "\"container\":{\"name\":\"web\",\"command\":[\"/a\"],"
					   "\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"}}",
					   NULL),
		     0);
	for (int i = 1; i < VERIFY_MAX_OBJECTS; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL,
						   ",{\"configMapRef\":{\"name\":\"m%d\"}}", i),
			     0);
	cr_assert_eq(seal_bytes_append_str(&text, "]}}", NULL), 0);
	{
		SPEC spec = parse(seal_bytes_str(&text));

		cr_expect_eq(verify_spec_object_count(spec), VERIFY_MAX_OBJECTS);
	}
	text.len -= 3;
	cr_assert_eq(seal_bytes_append_str(&text, ",{\"secretRef\":{\"name\":\"m\"}}]}}", NULL), 0);
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT);
}

/* ---- The rest ---- */

Test(verify_spec, names_of_exempt_and_loader_variables_are_taken)
{
	SPEC spec =
		parse(TOP("\"exempt\":[\"KUBERNETES_SERVICE_HOST\"],\"loader\":[\"LD_PRELOAD\"]"));

	EXPECT_WORDS(verify_spec_exempt(spec), "KUBERNETES_SERVICE_HOST");
	EXPECT_WORDS(verify_spec_loader(spec), "LD_PRELOAD");
	expect_refused(TOP("\"exempt\":[\"A=B\"]"), SEAL_E_FORMAT);
	expect_refused(TOP("\"exempt\":\"A\""), SEAL_E_FORMAT);
	expect_refused(TOP("\"exempt\":[\"LD_PRELOAD\"]"), SEAL_E_FORMAT);
	expect_refused(TOP("\"exempt\":[\"LD_PRELOAD\"],\"loader\":[\"LD_PRELOAD\"]"),
		       SEAL_E_FORMAT);
	expect_refused(TOP("\"loader\":[\"\"]"), SEAL_E_FORMAT);
}

Test(verify_spec, placeholders_need_no_container)
{
	SPEC spec = parse("{\"version\":1,\"place\":[\"/p/0/a\"]}");

	EXPECT_WORDS(verify_spec_place(spec), "/p/0/a");
	expect_refused("{\"version\":1,\"place\":[]}", SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"place\":[\"a\"]}", SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"place\":[\"/a/../b\"]}", SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"place\":[\"/\"]}", SEAL_E_FORMAT);
	expect_refused("{\"version\":1,\"place\":[\"/a\"],\"exec\":[\"/b\"]}", SEAL_E_FORMAT);
}

Test(verify_spec, what_is_not_understood_is_refused)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"version\":1}",
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":null}",
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":[]}",
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"command\":[\"/a\"]}}",
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"\","
		"\"command\":[\"/a\"]}}",
		"{\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}}",
		"{\"version\":0,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}}",
		"{\"version\":2,\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}}",
		"{\"version\":\"1\",\"container\":{\"name\":\"web\",\"command\":[\"/a\"]}}",
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\","
		"\"command\":[\"/a\"]}} ,",
		TOP("\"mounts\":[]"),
		TOP("\"image\":{\"User\":\"0\"}"),
		TOP("\"image\":[]"),
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		expect_refused(bad[i], SEAL_E_FORMAT);
}

Test(verify_spec, every_truncation_is_refused)
{
	static const char text[] = TOP("\"exempt\":[\"A\"],\"image\":{\"Env\":[\"B=c\"]}");

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		SPEC spec = NULL;

		cr_expect_lt(verify_spec_parse(&spec, text, len, NULL), 0, "%zu bytes", len);
		cr_expect_null(spec);
	}
}

Test(verify_spec, a_text_longer_than_one_argument_could_carry_is_refused)
{
	BYTES text = SEAL_BYTES(2 * VERIFY_SPEC_MAX);

	cr_assert_eq(seal_bytes_append_str(&text, CONTAINER("\"workingDir\":\"/\""), NULL), 0);
	while (text.len <= VERIFY_SPEC_MAX)
		cr_assert_eq(seal_bytes_append_str(&text, " ", NULL), 0);
	expect_refused(seal_bytes_str(&text), SEAL_E_LIMIT);
	text.len = VERIFY_SPEC_MAX;
	text.data[text.len] = '\0';
	{
		SPEC spec = parse(seal_bytes_str(&text));

		cr_expect_str_eq(verify_spec_container(spec), "web");
	}
}
