/* SPDX-License-Identifier: Apache-2.0 */
/* ConfigMaps and Secrets: every value is sealed, and what is no value is refused by name. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/inject/rig.h"

#define MAP(rest)    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n" rest
#define SECRET(rest) "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n" rest
#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)

static void
expect_opens(struct rig *rig, const char *path, const char *plain)
{
	SEAL_SCOPED(seal_json_freep)
	struct seal_json *json = rig_json(seal_bytes_str(&rig->out), rig->out.len);
	const struct seal_json *value = rig_at(json, path);
	char *opened;

	cr_assert_not_null(value, "%s is not there", path);
	opened = rig_open(rig, seal_json_str(value));
	cr_expect_str_eq(opened, plain);
	free(opened);
}

static void
round_of(struct rig *rig, const char *text)
{
	rig_round(rig, text, strlen(text));
}

Test(object, values_of_a_config_map_become_sealed_texts)
{
	RIG;

	(void)rig_must(&rig, MAP("data: {a: one, b: ''}\nimmutable: true\n"));
	cr_expect_eq(rig.report.sealed, 2);
	expect_opens(&rig, "0.data.a", "one");
	expect_opens(&rig, "0.data.b", "");
	cr_expect_not_null(strstr(seal_bytes_str(&rig.out), "immutable: true"));
	round_of(&rig, MAP("data: {a: one, b: ''}\nimmutable: true\nbinaryData: {z: AAEC}\n"));
}

Test(object, the_file_that_base64_becomes_is_the_sealed_text)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	struct verify_key_id id;
	struct verify_binding binding;
	const char *text;
	char command[4096];
	FILE *pipe;
	RIG;

	(void)rig_must(&rig, SECRET("data: {pw: aHVudGVyMg==}\nstringData: {t: plain}\n"));
	json = rig_json(seal_bytes_str(&rig.out), rig.out.len);
	expect_opens(&rig, "0.stringData.t", "plain");
	text = seal_json_str(rig_at(json, "0.data.pw"));
	(void)snprintf(command, sizeof(command), "printf %%s '%s' | base64 -d", text);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	memset(command, 0, sizeof(command));
	cr_assert_gt(fread(command, 1, sizeof(command) - 1, pipe), 0);
	cr_assert_eq(pclose(pipe), 0);
	cr_assert_eq(verify_peek(command, strlen(command), &id, &binding, NULL), 0);
	cr_expect_str_eq(binding.key, "pw");
	cr_expect_str_eq(binding.kind, "Secret");
	cr_expect_str_eq(id.peer, "web");
}

Test(object, a_key_in_both_members_of_a_secret_is_one_value)
{
	RIG;

	(void)rig_must(&rig, SECRET("data: {pw: b2xk}\nstringData: {pw: new}\n"));
	cr_expect_eq(rig.report.sealed, 1);
	cr_expect(rig_reports(&rig, INJECT_WARNED, "data.pw"));
	expect_opens(&rig, "0.stringData.pw", "new");
}

Test(object, what_is_no_string_is_refused_by_its_key)
{
	static const char *const values[] = { "1", "1.5",    "true", "yes",          "null",
					      "~", "{x: y}", "[x]",  "!!binary YQ==" };
	char text[256];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(values); i++) {
		(void)snprintf(text, sizeof(text), MAP("data: {port: %s}\n"), values[i]);
		rig_refuses(&rig, SEAL_E_FORMAT, "'port'", text);
		rig_refuses(&rig, SEAL_E_FORMAT, "in.yaml:4:", text);
	}
	rig_refuses(&rig, SEAL_E_FORMAT, "data must be a map", MAP("data: [a]\n"));
}

Test(object, base64_is_read_as_kubernetes_reads_it)
{
	static const char *const bad[] = { "YQ", "YQ=",      "YQ===", "_-8=", "Y Q=",
					   "=",  "YQ==YQ==", "Y===",  "####", "YQ=a" };
	char text[256];
	RIG;

	round_of(&rig, SECRET("data: {a: YQ==, b: '', c: '+/+/'}\n"));
	(void)rig_must(&rig, SECRET("data: {a: \"YW\\nJj\\r\\n\"}\n"));
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(text, sizeof(text), SECRET("data: {a: '%s'}\n"), bad[i]);
		rig_refuses(&rig, SEAL_E_FORMAT, "no base64", text);
		(void)snprintf(text, sizeof(text), MAP("binaryData: {a: '%s'}\n"), bad[i]);
		rig_refuses(&rig, SEAL_E_FORMAT, "no base64", text);
	}
}

Test(object, keys_have_kubernetes_grammar)
{
	static const char *const bad[] = { ".", "..", "..a", "a/b", "a b", "a:b", "\xc3\xa4" };
	char text[600];
	char key[300];
	RIG;

	(void)rig_must(&rig, MAP("data: {a.b-c_D.9: x1, .hidden: x2}\n"));
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(text, sizeof(text), MAP("data: {\"%s\": v}\n"), bad[i]);
		rig_refuses(&rig, SEAL_E_FORMAT, "is no key", text);
	}
	memset(key, 'k', 254);
	key[254] = '\0';
	(void)snprintf(text, sizeof(text), MAP("data: {%s: v}\n"), key);
	rig_refuses(&rig, SEAL_E_LIMIT, "254 characters", text);
	(void)snprintf(text, sizeof(text), MAP("data: {%s: v}\n"), key + 1);
	(void)rig_must(&rig, text);
	rig_refuses(&rig, SEAL_E_FORMAT, "binaryData",
		    MAP("data: {a: b1}\nbinaryData: {a: YQ==}\n"));
}

Test(object, what_kubernetes_would_not_take_is_refused_before_it_is_sealed)
{
	size_t len = 1100000;
	char *text = malloc(len + 100);
	int at = snprintf(text, 100, MAP("data: {a: '"));
	RIG;

	cr_assert_not_null(text);
	memset(text + at, 'x', len);
	memcpy(text + at + 500000, "'}\n", 4);
	cr_expect_eq(rig_inject(&rig, text, strlen(text)), 0, "%s", rig.err.text);
	memset(text + at, 'x', len);
	memcpy(text + at + 900000, "'}\n", 4);
	rig_refuses(&rig, SEAL_E_LIMIT, "once it is sealed", text);
	memset(text + at, 'x', len);
	memcpy(text + at + 1090000, "'}\n", 4);
	rig_refuses(&rig, SEAL_E_LIMIT, "1048576", text);
	free(text);
}

Test(object, secrets_for_the_cluster_stay_in_clear_and_are_reported)
{
	static const char *const types[] = { "kubernetes.io/dockercfg",
					     "kubernetes.io/dockerconfigjson",
					     "kubernetes.io/service-account-token" };
	char text[256];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(types); i++) {
		(void)snprintf(text, sizeof(text), SECRET("type: %s\ndata: {a: YQ==}\n"), types[i]);
		cr_expect_str_eq(rig_must(&rig, text), text);
		cr_expect(rig_reports(&rig, INJECT_LEFT, types[i]));
	}
	(void)rig_must(&rig, SECRET("type: kubernetes.io/tls\ndata: {tls.key: YQ==}\n"));
	cr_expect_eq(rig.report.sealed, 1);
}

Test(object, a_clear_copy_in_an_annotation_goes)
{
	RIG;

	(void)rig_must(&rig,
		       "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  annotations:\n"
		       "    kubectl.kubernetes.io/last-applied-configuration: '{hunter2}'\n"
		       "data: {a: hunter2}\n");
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "hunter2"));
	cr_expect(rig_reports(&rig, INJECT_CHANGED, "last-applied"));
}

Test(object, what_is_half_sealed_is_refused)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(65536);
	RIG;

	(void)rig_must(&rig, MAP("data: {a: one, b: two}\n"));
	cr_assert_eq(seal_bytes_append(&sealed, rig.out.data, rig.out.len, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&sealed, "  d: clear\n", NULL), 0);
	rig_refuses(&rig, SEAL_E_REFUSED, "inject the original", seal_bytes_str(&sealed));
	/* One value taken out, one key renamed, another object. */
	*strstr((char *)sealed.data, "  b: ") = '#';
	*strstr((char *)sealed.data, "  d: ") = '#';
	rig_refuses(&rig, SEAL_E_REFUSED, "1 of the 2 values", seal_bytes_str(&sealed));
	(void)rig_must(&rig, MAP("data: {a: one, b: two}\n"));
	seal_bytes_reset(&sealed);
	cr_assert_eq(seal_bytes_append(&sealed, rig.out.data, rig.out.len, NULL), 0);
	memcpy(strstr((char *)sealed.data, "  b: "), "  x: ", 5);
	rig_refuses(&rig, SEAL_E_REFUSED, "does not belong here", seal_bytes_str(&sealed));
	cr_expect_eq(rig_restore(&rig, seal_bytes_str(&sealed), sealed.len), SEAL_E_REFUSED);
}

Test(object, each_peer_gets_its_own_and_namespaces_their_names)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	struct verify_key_id id;
	struct verify_binding binding;
	const char *text;
	RIG;

	(void)rig_must(&rig,
		       "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  namespace: ns1\n"
		       "  annotations: {seal-control.io/peer: db}\ndata: {a: one}\n");
	json = rig_json(seal_bytes_str(&rig.out), rig.out.len);
	text = seal_json_str(rig_at(json, "0.data.a"));
	cr_assert_eq(verify_peek(text, strlen(text), &id, &binding, NULL), 0);
	cr_expect_str_eq(id.peer, "db");
	cr_expect_str_eq(binding.ns, "ns1");
	cr_expect_eq(binding.of, 1);
	rig_refuses(&rig, SEAL_E_FORMAT, "admin",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: "
		    "{seal-control.io/peer: admin}}\ndata: {a: one}\n");
}

Test(object, names_must_be_names)
{
	RIG;

	rig_refuses(&rig, SEAL_E_FORMAT, "without metadata.name",
		    "apiVersion: v1\nkind: ConfigMap\ndata: {a: b1}\n");
	rig_refuses(&rig, SEAL_E_FORMAT, "not rendered",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Values.x }}'}\ndata: "
		    "{a: b1}\n");
	rig_refuses(&rig, SEAL_E_FORMAT, "namespace",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: A_B}\ndata: "
		    "{a: b1}\n");
	rig_refuses(&rig, SEAL_E_FORMAT, "name must be a string",
		    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 7}\ndata: {a: b1}\n");
}
