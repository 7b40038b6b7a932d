/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/environment, config-verify/argv: what an application is started with. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "config-verify/environment.h"

#define SPEC        SEAL_SCOPED(verify_spec_freep) struct verify_spec *
#define ENVIRONMENT SEAL_SCOPED(verify_environment_freep) struct verify_environment *
#define COMMAND     SEAL_SCOPED(verify_command_release) struct verify_command

/*
 * Sealed values here are "KIND/NAME/KEY/GEN/OF=plain": opened by who compares what is asked for with what
 * is written.  "NUL" stands for a plaintext with a NUL.
 */
static int
open_written(void *arg, const struct verify_object *object, const char *key, const char *text,
	     size_t text_len, struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	     struct seal_err *err)
{
	unsigned *opened = arg;
	unsigned long gen = 0;
	unsigned long of = 0;
	char wanted[600];
	const char *plain = strchr(text, '=');
	const size_t len = (size_t)snprintf(wanted, sizeof(wanted), "%s/%s/%s/", object->kind,
					    object->name, key);

	cr_assert_eq(strlen(text), text_len);
	if (plain == NULL || strncmp(text, wanted, len) != 0 ||
	    sscanf(text + len, "%lu/%lu", &gen, &of) != 2)
		return seal_fail(err, SEAL_E_REFUSED, "another value");
	(*opened)++;
	*ret_binding = (struct verify_binding){ .gen = gen, .of = of };
	(void)snprintf(ret_binding->key, sizeof(ret_binding->key), "%s", key);
	plain++;
	if (strcmp(plain, "NUL") == 0)
		return seal_secret_from(ret_plain, "a\0b", 3, err);
	return *plain == '\0' ? 0 : seal_secret_from(ret_plain, plain, strlen(plain), err);
}

static unsigned opened;

static int
build(struct verify_environment **ret_environment, const struct verify_spec *spec,
      const char *const *host, struct seal_err *err)
{
	const struct verify_opener opener = { .open = open_written, .arg = &opened };
	const struct verify_surroundings around = {
		.host = host,
		.home = "/home/app",
		.hostname = "web-0",
	};

	return verify_environment_new(ret_environment, spec, &around, &opener, err);
}

static struct verify_spec *
parse(const char *text)
{
	struct verify_spec *spec = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(verify_spec_parse(&spec, text, strlen(text), &err), 0, "%s: %s", text,
		     err.text);
	return spec;
}

#define HOST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING   ((const char *const[]){ NULL })
#define SPEC_OF(members, more)                                                                     \
	"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\",\"command\":["  \
	"\"/app\"]," members "}" more "}"
#define ENV(list)   SPEC_OF("\"env\":[" list "]", "")
#define FROM(more)  SPEC_OF("\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"" more "}}]", "")
#define VALUE(n, v) "{\"name\":\"" n "\",\"value\":\"" v "\"}"
#define KEY(n, k, o)                                                                               \
	"{\"name\":\"" n "\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"" k "\"" o  \
	"}}}"
#define FIELD(n) "{\"name\":\"" n "\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"x\"}}}"

static void
expect_value(const char *text, const char *const *host, const char *name, const char *want)
{
	SPEC spec = parse(text);
	ENVIRONMENT environment = NULL;
	struct seal_err err = { 0 };
	const char *got;

	cr_assert_eq(build(&environment, spec, host, &err), 0, "%s", err.text);
	got = verify_environment_get(environment, name);
	if (want == NULL)
		cr_expect_null(got, "%s is '%s'", name, got);
	else
		cr_expect_str_eq(got == NULL ? "(unset)" : got, want);
}

static void
expect_refused(const char *text, const char *const *host, int code, const char *word)
{
	SPEC spec = parse(text);
	ENVIRONMENT environment = NULL;
	struct seal_err err = { 0 };
	int r = build(&environment, spec, host, &err);

	cr_expect_eq(r, code, "%s: %d (%s)", text, r, err.text);
	cr_expect_null(environment);
	cr_expect_not_null(strstr(err.text, word), "no '%s' in: %s", word, err.text);
	cr_expect_null(strstr(err.text, "MARKED"), "%s", err.text);
}

/* ---- Who may set what ---- */

Test(verify_environment, holds_what_the_spec_says_and_defaults_and_nothing_else)
{
	SPEC spec = parse(ENV(VALUE("A", "1")));
	ENVIRONMENT environment = NULL;
	static const char *const want[] = { ("PATH=" VERIFY_DEFAULT_PATH), "HOME=/home/app",
					    "HOSTNAME=web-0", "A=1" };
	char *const *strings;
	size_t count = 0;

	cr_assert_eq(build(&environment, spec,
			   HOST("A=host", "EVIL=1", "PATH=/evil", "HOME=/evil", "HOSTNAME=evil",
				"TERM=xterm", "LD_PRELOAD=/evil.so"),
			   NULL),
		     0);
	for (strings = verify_environment_strings(environment); strings[count] != NULL; count++)
		cr_expect(count < SEAL_COUNT(want) && strcmp(strings[count], want[count]) == 0,
			  "%s", strings[count]);
	cr_expect_eq(count, SEAL_COUNT(want));
}

Test(verify_environment, later_variables_replace_earlier_ones)
{
	static const char text[] = SPEC_OF(
		"\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"}},{\"secretRef\":{\"name\":\"s\"}}]"
		","
		"\"env\":[" VALUE("D", "env") "," VALUE("D", "env2") "]",
		",\"image\":{\"Env\":[\"A=image\",\"B=image\",\"C=image\",\"D=image\",\"PATH=/i\","
		"\"HOME=/i\",\"HOSTNAME=i\"]}");
	const char *const *host =
		HOST("SEAL_FROM_0_B=ConfigMap/m/B/1/3=map", "SEAL_FROM_0_C=ConfigMap/m/C/1/3=map",
		     "SEAL_FROM_0_D=ConfigMap/m/D/1/3=map", "SEAL_FROM_1_C=Secret/s/C/1/2=secret",
		     "SEAL_FROM_1_D=Secret/s/D/1/2=secret");

	expect_value(text, host, "A", "image");
	expect_value(text, host, "B", "map");
	expect_value(text, host, "C", "secret");
	expect_value(text, host, "D", "env2");
	expect_value(text, host, "PATH", "/i");
	expect_value(text, host, "HOME", "/i");
	expect_value(text, host, "HOSTNAME", "i");
}

Test(verify_environment, exempt_variables_come_from_the_host_but_hide_no_owners)
{
	static const char text[] = SPEC_OF(
		"\"env\":[" VALUE("A", "owner") "," VALUE("B", "$(E)") "]",
		",\"exempt\":[\"A\",\"E\",\"I\",\"ABSENT\"],\"image\":{\"Env\":[\"I=image\"]}");
	const char *const *host = HOST("A=host", "E=host", "I=host", "F=host");

	expect_value(text, host, "A", "owner");
	expect_value(text, host, "E", "host");
	expect_value(text, host, "I", "host");
	expect_value(text, host, "B", "host");
	expect_value(text, host, "F", NULL);
	expect_value(text, host, "ABSENT", NULL);
}

Test(verify_environment, variables_that_choose_code_need_the_owners_word_wherever_they_come_from)
{
	expect_refused(ENV(VALUE("LD_PRELOAD", "MARKED")), NOTHING, SEAL_E_REFUSED, "LD_PRELOAD");
	expect_refused(SPEC_OF("\"env\":[]", ",\"image\":{\"Env\":[\"LD_LIBRARY_PATH=MARKED\"]}"),
		       NOTHING, SEAL_E_REFUSED, "LD_LIBRARY_PATH");
	expect_refused(FROM(""), HOST("SEAL_FROM_0_LD_AUDIT=ConfigMap/m/LD_AUDIT/1/1=MARKED"),
		       SEAL_E_REFUSED, "LD_AUDIT");
	expect_refused(
		SPEC_OF("\"envFrom\":[{\"prefix\":\"LD_\",\"configMapRef\":{\"name\":\"m\"}}]", ""),
		HOST("SEAL_FROM_0_AUDIT=ConfigMap/m/AUDIT/1/1=MARKED"), SEAL_E_REFUSED, "LD_AUDIT");
	expect_refused(ENV(KEY("BASH_ENV", "k", "")), HOST("SEAL_ENV_0=Secret/s/k/1/1=MARKED"),
		       SEAL_E_REFUSED, "BASH_ENV");
	expect_refused(ENV(FIELD("NODE_OPTIONS")), HOST("SEAL_ENV_0=MARKED"), SEAL_E_REFUSED,
		       "NODE_OPTIONS");
}

Test(verify_environment, the_owners_word_does_not_hold_for_the_host)
{
#define ALLOWED ",\"loader\":[\"LD_PRELOAD\"]"
	expect_value(SPEC_OF("\"env\":[" VALUE("LD_PRELOAD", "/x.so") "]", ALLOWED), NOTHING,
		     "LD_PRELOAD", "/x.so");
	expect_value(SPEC_OF("\"env\":[]", ALLOWED), HOST("LD_PRELOAD=/evil.so"), "LD_PRELOAD",
		     NULL);
	expect_refused(SPEC_OF("\"env\":[" FIELD("LD_PRELOAD") "]", ALLOWED), HOST("SEAL_ENV_0=x"),
		       SEAL_E_REFUSED, "LD_PRELOAD");
	expect_refused(SPEC_OF("\"env\":[" VALUE("LD_AUDIT", "x") "]", ALLOWED), NOTHING,
		       SEAL_E_REFUSED, "LD_AUDIT");
}

Test(verify_environment, the_terminals_kind_stays_on_a_terminal_when_it_is_a_word)
{
	static const struct {
		bool has_terminal;
		const char *term;
		const char *want;
	} rows[] = {
		{ true, "TERM=xterm-256color", "xterm-256color" },
		{ false, "TERM=xterm", NULL },
		{ true, "TERM=", NULL },
		{ true, "TERM=../x", NULL },
		{ true, "TERM=a b", NULL },
		{ true, "OTHER=x", NULL },
	};
	const struct verify_opener opener = { .open = open_written, .arg = &opened };
	SPEC spec = parse(ENV(""));

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		ENVIRONMENT environment = NULL;
		const struct verify_surroundings around = {
			.host = HOST(rows[i].term),
			.home = "/",
			.hostname = "bad name",
			.has_terminal = rows[i].has_terminal,
		};
		const char *got;

		cr_assert_eq(verify_environment_new(&environment, spec, &around, &opener, NULL), 0);
		got = verify_environment_get(environment, "TERM");
		cr_expect((got == NULL) == (rows[i].want == NULL) &&
				  (got == NULL || strcmp(got, rows[i].want) == 0),
			  "%s", rows[i].term);
		cr_expect_null(verify_environment_get(environment, "HOSTNAME"));
	}
}

/* ---- References ---- */

Test(verify_environment, references_see_what_the_kubelet_would_know_by_then)
{
#define REFERENCES                                                                                                                \
	SPEC_OF("\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"}}],\"env\":[" VALUE(                                              \
			"EARLY",                                                                                                  \
			"$("                                                                                                      \
			"LAT"                                                                                                     \
			"E)") "," VALUE("LATE",                                                                                   \
					"l") "," KEY("K", "k",                                                                    \
						     "") "," FIELD("F") "," VALUE("ALL",                                          \
										  "$(M)-$("                                       \
										  "LATE)-$("                                      \
										  "K)-$(F)-$"                                     \
										  "(I)-$("                                        \
										  "PATH)-$$("                                     \
										  "M)") "," VALUE("SELF",                         \
												  "1") "," VALUE("SELF",          \
														 "$(SELF)2") "]", \
		",\"image\":{\"Env\":[\"I=$(M)\"]}")
	const char *const *host = HOST("SEAL_FROM_0_M=ConfigMap/m/M/1/1=$(LATE)",
				       "SEAL_ENV_2=Secret/s/k/1/1=key", "SEAL_ENV_3=field");

	expect_value(REFERENCES, host, "EARLY", "$(LATE)");
	expect_value(REFERENCES, host, "M", "$(LATE)");
	expect_value(REFERENCES, host, "I", "$(M)");
	expect_value(REFERENCES, host, "ALL", "$(LATE)-l-key-field-$(I)-$(PATH)-$(M)");
	expect_value(REFERENCES, host, "SELF", "12");
}

Test(verify_environment, what_references_make_too_long_is_refused)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SPEC_MAX);

	cr_assert_eq(
		seal_bytes_append_str(&text,
				      "{\"version\":1,\"verify\":{\"version\":1},\"container\":{"
				      "\"name\":\"web\",\"command\":[\"/a\"],"
				      "\"env\":[{\"name\":\"V0\",\"value\":\"0123456789abcdef\"}",
				      NULL),
		0);
	for (int i = 1; i < 16; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL,
						   ",{\"name\":\"V%d\",\"value\":\"$(V%d)$(V%d)\"}",
						   i, i - 1, i - 1),
			     0);
	cr_assert_eq(seal_bytes_append_str(&text, "]}}", NULL), 0);
	expect_refused(seal_bytes_str(&text), NOTHING, SEAL_E_LIMIT, "V13");
}

/* ---- Sealed values ---- */

Test(verify_environment, a_key_is_opened_from_its_own_variable)
{
	expect_value(ENV(VALUE("A", "1") "," KEY("B", "k", "")),
		     HOST("SEAL_ENV_1=Secret/s/k/1/9=x"), "B", "x");
	expect_value(ENV(KEY("B", "k", "")), HOST("SEAL_ENV_0=Secret/s/k/1/9="), "B", "");
	expect_refused(ENV(KEY("B", "k", "")), HOST("SEAL_ENV_1=Secret/s/k/1/9=MARKED"),
		       SEAL_E_MISSING, "B");
	expect_refused(ENV(KEY("B", "k", "")), HOST("SEAL_ENV_0=Secret/s/j/1/9=MARKED"),
		       SEAL_E_REFUSED, "B");
	expect_refused(ENV(KEY("B", "k", "")), HOST("SEAL_ENV_0=Secret/t/k/1/9=MARKED"),
		       SEAL_E_REFUSED, "Secret s");
	expect_refused(ENV(KEY("B", "k", "")), HOST("SEAL_ENV_0=MARKED"), SEAL_E_REFUSED, "B");
	expect_refused(ENV(KEY("B", "k", "")), HOST("SEAL_ENV_0="), SEAL_E_REFUSED, "B");
}

Test(verify_environment, what_is_optional_may_be_absent_but_not_wrong)
{
#define OPTIONAL ",\"optional\":true"
	expect_value(ENV(VALUE("B", "before") "," KEY("B", "k", OPTIONAL)), NOTHING, "B", "before");
	expect_value(ENV(KEY("B", "k", OPTIONAL)), NOTHING, "B", NULL);
	expect_refused(ENV(KEY("B", "k", OPTIONAL)), HOST("SEAL_ENV_0=MARKED"), SEAL_E_REFUSED,
		       "B");
	expect_value(FROM(OPTIONAL), NOTHING, "B", NULL);
	expect_refused(FROM(OPTIONAL), HOST("SEAL_FROM_0_B=ConfigMap/m/B/1/2=MARKED"),
		       SEAL_E_MISSING, "2 values");
}

Test(verify_environment, an_object_taken_whole_is_whole)
{
	const char *const *two = HOST("SEAL_FROM_0_a=ConfigMap/m/a/3/2=1",
				      "SEAL_FROM_0_b.c-d=ConfigMap/m/b.c-d/3/2=2");

	expect_value(FROM(""), two, "a", "1");
	expect_value(FROM(""), two, "b.c-d", "2");
	expect_refused(FROM(""), NOTHING, SEAL_E_MISSING, "ConfigMap m");
	expect_refused(FROM(""), HOST("SEAL_FROM_0_a=ConfigMap/m/a/3/2=MARKED"), SEAL_E_MISSING,
		       "2 values");
	expect_refused(
		FROM(""),
		HOST("SEAL_FROM_0_a=ConfigMap/m/a/3/1=MARKED", "SEAL_FROM_0_b=ConfigMap/m/b/3/1=x"),
		SEAL_E_MISSING, "1 values");
	/* One of them twice does not make it two. */
	expect_refused(
		FROM(""),
		HOST("SEAL_FROM_0_a=ConfigMap/m/a/3/2=MARKED", "SEAL_FROM_0_a=ConfigMap/m/a/3/2=x"),
		SEAL_E_MISSING, "2 values");
	expect_refused(FROM(""), HOST("SEAL_FROM_0_b=ConfigMap/m/a/3/1=MARKED"), SEAL_E_REFUSED,
		       "ConfigMap m");
	expect_refused(FROM(""), HOST("SEAL_FROM_0_=ConfigMap/m//3/1=MARKED"), SEAL_E_MISSING,
		       "ConfigMap m");
}

Test(verify_environment, values_of_two_versions_of_an_object_are_refused)
{
	expect_refused(
		FROM(""),
		HOST("SEAL_FROM_0_a=ConfigMap/m/a/3/2=MARKED", "SEAL_FROM_0_b=ConfigMap/m/b/4/2=x"),
		SEAL_E_CONFLICT, "two versions");
	expect_refused(ENV(KEY("A", "a", "") "," KEY("B", "b", "")),
		       HOST("SEAL_ENV_0=Secret/s/a/4/2=MARKED", "SEAL_ENV_1=Secret/s/b/3/2=x"),
		       SEAL_E_CONFLICT, "two versions");
	/* Each object counts for itself. */
	expect_value(SPEC_OF("\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"}}],\"env\":[" KEY(
				     "A", "a", "") "]",
			     ""),
		     HOST("SEAL_FROM_0_a=ConfigMap/m/a/3/1=1", "SEAL_ENV_0=Secret/s/a/4/2=2"), "A",
		     "2");
}

Test(verify_environment, the_owners_prefix_stands_before_the_key)
{
	expect_value(
		SPEC_OF("\"envFrom\":[{\"prefix\":\"P_\",\"configMapRef\":{\"name\":\"m\"}}]", ""),
		HOST("SEAL_FROM_0_a=ConfigMap/m/a/1/1=x"), "P_a", "x");
}

Test(verify_environment, prefixes_of_variables_do_not_run_into_each_other)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SPEC_MAX);

	/* SEAL_FROM_1_ and SEAL_FROM_11_, SEAL_ENV_1 and SEAL_ENV_11 */
	cr_assert_eq(seal_bytes_append_str(
			     &text,
			     "{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":"
			     "\"web\",\"command\":[\"/a\"],"
			     "\"envFrom\":[{\"configMapRef\":{\"name\":\"m0\",\"optional\":true}}",
			     NULL),
		     0);
	for (int i = 1; i < 12; i++)
		cr_assert_eq(seal_bytes_append_fmt(
				     &text, NULL,
				     ",{\"configMapRef\":{\"name\":\"m%d\",\"optional\":true}}", i),
			     0);
	cr_assert_eq(seal_bytes_append_str(&text, "]}}", NULL), 0);
	expect_value(seal_bytes_str(&text), HOST("SEAL_FROM_11_a=ConfigMap/m11/a/1/1=eleven"), "a",
		     "eleven");
	expect_refused(seal_bytes_str(&text), HOST("SEAL_FROM_1_a=ConfigMap/m11/a/1/1=MARKED"),
		       SEAL_E_REFUSED, "ConfigMap m1");
}

Test(verify_environment, a_value_no_variable_can_hold_is_refused)
{
	expect_refused(ENV(KEY("A", "k", "")), HOST("SEAL_ENV_0=Secret/s/k/1/1=NUL"),
		       SEAL_E_REFUSED, "NUL");
}

Test(verify_environment, what_only_the_cluster_knows_comes_in_clear)
{
	expect_value(ENV(FIELD("IP")), HOST("SEAL_ENV_0=10.0.0.1", "IP=evil"), "IP", "10.0.0.1");
	expect_value(ENV(FIELD("IP")), HOST("SEAL_ENV_0="), "IP", "");
	expect_refused(ENV(FIELD("IP")), HOST("IP=evil"), SEAL_E_MISSING, "IP");
}

/* ---- Commands ---- */

static void
expect_command(const char *text, const char *key, size_t count, const char *const *want)
{
	SPEC spec = parse(text);
	ENVIRONMENT environment = NULL;
	COMMAND command = { 0 };

	cr_assert_eq(
		build(&environment, spec,
		      HOST("SEAL_ENV_1=Secret/s/k/1/1=key", "SEAL_FROM_0_M=ConfigMap/m/M/1/1=map"),
		      NULL),
		0);
	cr_assert_eq(verify_command_make(&command, spec, key, environment, NULL), 0);
	cr_assert_eq(command.count, count);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(command.argv[i], want[i]);
	cr_expect_null(command.argv[count]);
}

#define EXPECT_COMMAND(text, key, ...)                                                             \
	expect_command((text), (key), SEAL_COUNT(((const char *const[]){ __VA_ARGS__ })),          \
		       (const char *const[]){ __VA_ARGS__ })
#define WORDS                                                                                      \
	"\"envFrom\":[{\"configMapRef\":{\"name\":\"m\"}}],"                                       \
	"\"env\":[" VALUE("A", "$(M)a") "," KEY("K", "k", "") "]"

Test(verify_command, a_containers_words_are_expanded_with_all_that_is_known)
{
	EXPECT_COMMAND("{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\","
		       "\"command\":[\"/c\",\"$(A)\"],"
		       "\"args\":[\"$(K)$(M)\",\"$(HOME)\",\"$$(A)\",\"\"]," WORDS "}}",
		       "spec", "/c", "mapa", "keymap", "$(HOME)", "$(A)", "");
}

Test(verify_command, words_of_the_image_are_left_as_they_are)
{
	EXPECT_COMMAND("{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\","
		       "\"args\":[\"$(A)\"]," WORDS
		       "},\"image\":{\"Entrypoint\":[\"/e\",\"$(A)\"]}}",
		       "spec", "/e", "$(A)", "mapa");
	EXPECT_COMMAND(
		"{\"version\":1,\"verify\":{\"version\":1},\"container\":{\"name\":\"web\"," WORDS
		"},\"image\":{\"Entrypoint\":[\"$(A)\"],\"Cmd\":[\"$$\"]}}",
		"spec", "$(A)", "$$");
}

Test(verify_command, a_probe_sees_what_was_written_and_a_hook_sees_nothing)
{
#define EXEC                                                                                       \
	"{\"version\":1,\"verify\":{\"version\":1},\"exec\":[\"/"                                  \
	"p\",\"$(A)\",\"$(K)\",\"$(M)\",\"$$\"],"                                                  \
	"\"container\":{\"name\":\"web\",\"command\":[\"/c\"]," WORDS "}}"
	EXPECT_COMMAND(EXEC, "livenessProbe", "/p", "$(M)a", "", "$(M)", "$");
	EXPECT_COMMAND(EXEC, "readinessProbe", "/p", "$(M)a", "", "$(M)", "$");
	EXPECT_COMMAND(EXEC, "startupProbe", "/p", "$(M)a", "", "$(M)", "$");
	EXPECT_COMMAND(EXEC, "preStop", "/p", "$(A)", "$(K)", "$(M)", "$$");
	EXPECT_COMMAND(EXEC, "postStart", "/p", "$(A)", "$(K)", "$(M)", "$$");
}
