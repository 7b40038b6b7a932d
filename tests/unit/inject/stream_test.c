/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: documents, lists, unknown kinds, exemptions; all of it or nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/inject/rig.h"

#define MAP "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: one}\n"
#define SERVICE                                                                                    \
	"# why\napiVersion: v1\nkind: Service   # odd\nmetadata: {name:   s}\nspec: {ports: "      \
	"[{port: 80}]}\n"
#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)

Test(stream, what_is_not_changed_is_copied_byte_for_byte)
{
	static const char text[] =
		"%YAML 1.1\n---\n" SERVICE "--- # next\n\n\n" SERVICE "...\n---\n# end\n";
	RIG;

	cr_expect_str_eq(rig_must(&rig, text), text);
	cr_expect_eq(rig.seal_calls, 0);
	cr_expect_eq(rig.report.changed, 0);
	cr_expect_str_eq(rig_must(&rig, ""), "");
	cr_expect_not_null(strstr(rig_must(&rig, SERVICE "---\n" MAP), SERVICE));
}

Test(stream, everything_is_sealed_in_one_call_or_nothing)
{
	RIG;

	(void)rig_must(&rig, MAP
		       "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: YQ==}\n");
	cr_expect_eq(rig.seal_calls, 1);
	rig_refuses(&rig, SEAL_E_FORMAT, "in.yaml:12", MAP "---\n" SERVICE "---\nkind: Secret\n");
	rig_refuses(&rig, SEAL_E_FORMAT, "in.yaml:6", MAP "---\n\tx\n");
	rig.seal_fails = true;
	cr_expect_eq(rig_inject(&rig, MAP, strlen(MAP)), SEAL_E_REFUSED);
	cr_expect_eq(rig.out.len, 0);
}

Test(stream, a_dry_run_looks_at_everything_and_seals_nothing)
{
	RIG;

	rig.options.seal = NULL;
	cr_expect_eq(rig_inject(&rig, MAP, strlen(MAP)), 0);
	cr_expect_eq(rig.out.len, 0);
	cr_expect_eq(rig.report.sealed, 1);
	cr_expect(rig_reports(&rig, INJECT_SEALED, "data.a"));
	rig_refuses(&rig, SEAL_E_FORMAT, "'b'",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {b: 1}\n");
}

Test(stream, lists_are_looked_into)
{
	static const char list[] =
		"apiVersion: v1\nkind: List\nitems:\n"
		"- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: one}}\n"
		"- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret, "
		"metadata: {name: s}, stringData: {b: two}}]}\n";
	RIG;

	(void)rig_must(&rig, list);
	cr_expect_eq(rig.report.sealed, 2);
	rig_round(&rig, list, strlen(list));
	(void)rig_must(&rig, "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: c}, "
			     "data: {a: one}}\n");
	cr_expect_eq(rig.report.sealed, 1);
	rig_refuses(&rig, SEAL_E_LIMIT, "lists in lists",
		    "{kind: List, items: [{kind: List, items: [{kind: List, items: [{kind: List, "
		    "items: "
		    "[{kind: List, items: [{kind: List, items: []}]}]}]}]}]}\n");
}

Test(stream, several_inputs_are_one_stream)
{
	const struct inject_input inputs[] = { { "a.yaml", MAP, strlen(MAP) - 1 },
					       { "b.yaml", SERVICE, strlen(SERVICE) },
					       { "c.yaml", "kind: [", 7 } };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	RIG;

	cr_assert_eq(inject_manifests(&rig.options, inputs, 2, &rig.out, &rig.report, &rig.err), 0);
	json = rig_json(seal_bytes_str(&rig.out), rig.out.len);
	cr_expect_str_eq(seal_json_str(rig_at(json, "1.kind")), "Service");
	seal_bytes_reset(&rig.out);
	cr_expect_lt(inject_manifests(&rig.options, inputs, 3, &rig.out, &rig.report, &rig.err), 0);
	cr_expect_not_null(strstr(rig.err.text, "c.yaml:"), "%s", rig.err.text);
	cr_expect_eq(rig.out.len, 0);
}

Test(stream, what_comes_twice_gets_two_generations_and_a_warning)
{
	RIG;

	(void)rig_must(&rig, MAP "---\n" MAP);
	cr_expect(rig_reports(&rig, INJECT_WARNED, "there again"));
	rig_refuses(&rig, SEAL_E_REFUSED, "generateName",
		    "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\nspec: {containers: "
		    "[{name: a, image: i}]}\n"
		    "---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\nspec: "
		    "{containers: [{name: a, image: i}]}\n");
}

Test(stream, unknown_kinds_with_secrets_or_containers_are_refused_unless_exempt)
{
	static const char *const texts[] = {
		"apiVersion: x/v1\nkind: Vault\nmetadata: {name: v}\nspec: {password: hunter2}\n",
		"apiVersion: x/v1\nkind: Vault\nmetadata: {name: v}\nspec: {a: [{client-secret: "
		"hunter2}]}\n",
		"apiVersion: x/v1\nkind: MySecret\nmetadata: {name: v}\ndata: {a: b1}\n",
		"apiVersion: x/v1\nkind: Vault\nmetadata: {name: v}\nsecretGenerator: [{literals: "
		"[a=b]}]\n",
		"apiVersion: x/v1\nkind: Vault\nmetadata: {name: v}\nspec: {template: {spec: "
		"{containers: [{image: i}]}}}\n",
		"apiVersion: other/v1\nkind: Secret\nmetadata: {name: v}\nstringData: {a: b1}\n",
	};
	SEAL_SCOPED(seal_strv_release) struct seal_strv exempt = { 0 };
	char text[512];
	RIG;

	cr_assert_eq(seal_strv_split(&exempt, "Vault/v,MySecret/v,Secret/v", ',', NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		rig.options.exempt = NULL;
		rig_refuses(&rig, SEAL_E_REFUSED, "--exempt", texts[i]);
		rig.options.exempt = &exempt;
		cr_expect_str_eq(rig_must(&rig, texts[i]), texts[i]);
		cr_expect(rig_reports(&rig, INJECT_LEFT, "in clear"));
	}
	rig.options.exempt = NULL;
	(void)snprintf(text, sizeof(text), "%s%s",
		       "apiVersion: x/v1\nkind: Vault\nspec: {password: p}\n",
		       "metadata: {name: v, annotations: {seal-control.io/exempt: 'true'}}\n");
	cr_expect_str_eq(rig_must(&rig, text), text);
	(void)rig_must(&rig, "apiVersion: x/v1\nkind: Issuer\nspec: {passwordSecretRef: {name: p}, "
			     "token: ''}\n");
}

Test(stream, annotations_of_ours_that_are_misspelt_are_refused)
{
	RIG;

	rig_refuses(&rig, SEAL_E_FORMAT, "seal-control.io/exemp'",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: "
		    "{seal-control.io/exemp: 'true'}}\n");
	rig_refuses(&rig, SEAL_E_FORMAT, "\"true\" or \"false\"",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: "
		    "{seal-control.io/exempt: 'on!'}}\n");
}

Test(stream, only_one_half_can_be_asked_for)
{
	static const char pod[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
				  "spec: {containers: [{name: a, image: i}]}\n";
	char text[512];
	RIG;

	(void)snprintf(text, sizeof(text), "%s---\n%s", MAP, pod);
	rig.options.only = INJECT_SEAL;
	cr_expect_not_null(strstr(rig_must(&rig, text), pod));
	cr_expect_eq(rig.report.sealed, 1);
	rig.options.only = INJECT_SIDECAR;
	cr_expect_not_null(strstr(rig_must(&rig, text), MAP));
	cr_expect(rig_reports(&rig, INJECT_ADDED, "seal-proxy"));
}

Test(stream, json_stays_json)
{
	static const char text[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"},"
		"\"data\":{\"a\":\"one\"}}";
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	RIG;

	(void)rig_must(&rig, text);
	cr_expect_eq(seal_json_parse(&json, rig.out.data, rig.out.len, 65536, NULL), 0);
	rig_round(&rig, text, strlen(text));
}

Test(stream, streams_stay_apart_whatever_the_second_begins_with)
{
	static const char service[] = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
	static const char *const seconds[] = {
		"\357\273\277apiVersion: v1\nkind: Service\nmetadata: {name: b}\n",
		"---a: x\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n",
		"--- # x\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n",
	};

	for (size_t i = 0; i < SEAL_COUNT(seconds); i++) {
		const struct inject_input inputs[] = {
			{ "one.yaml", service, strlen(service) },
			{ "two.yaml", seconds[i], strlen(seconds[i]) },
		};
		SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
		RIG;

		cr_assert_eq(
			inject_manifests(&rig.options, inputs, 2, &rig.out, &rig.report, &rig.err),
			0, "%zu: %s", i, rig.err.text);
		json = rig_json(seal_bytes_str(&rig.out), rig.out.len);
		cr_expect_str_eq(seal_json_str(rig_at(json, "0.metadata.name")), "a", "%zu", i);
		cr_expect_str_eq(seal_json_str(rig_at(json, "1.metadata.name")), "b", "%zu", i);
	}
}
