/* SPDX-License-Identifier: Apache-2.0 */
/* What is misspelt, or in another place than where it belongs, does not go out in clear either. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/unit/inject/rig.h"

#define OBJECT(kind, rest) "apiVersion: v1\nkind: " kind "\nmetadata: {name: x}\n" rest
#define POD(container)                                                                             \
	OBJECT("Pod", "spec: {containers: [{name: a, image: i, command: [b], " container "}]}\n")
#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)

static void
all_refused(const char *sentence, const char *const *texts)
{
	RIG;

	for (; *texts != NULL; texts++)
		rig_refuses(&rig, SEAL_E_REFUSED, sentence, *texts);
}

Test(shape, misspelt_members_of_objects_are_refused)
{
	static const char *const texts[] = {
		OBJECT("Secret", "stringdata: {a: hunter2}\n"),
		OBJECT("Secret", "stringData: {a: b}\nData: {a: aHVudGVyMg==}\n"),
		OBJECT("Secret", "binaryData: {a: aHVudGVyMg==}\n"),
		OBJECT("ConfigMap", "stringData: {a: hunter2}\n"),
		OBJECT("ConfigMap", "x-common: &c {a: hunter2}\ndata: *c\n"),
		OBJECT("List", "items: []\ndata: {a: hunter2}\n"),
		NULL,
	};
	RIG;

	all_refused("has no member", texts);
	(void)rig_must(&rig, OBJECT("Secret", "type: Opaque\nimmutable: false\nnew: 1\n"
					      "other: null\nstringData: {a: b}\n"));
}

Test(shape, misspelt_members_of_containers_probes_and_hooks_are_refused)
{
	static const char *const texts[] = {
		POD("arg: [hunter2]"),
		POD("Env: [{name: A, value: hunter2}]"),
		POD("environment: {A: hunter2}"),
		POD("workingdir: /hunter2"),
		POD("livenessprobe: {exec: {command: [hunter2]}}"),
		POD("livenessProbe: {Exec: {command: [hunter2]}}"),
		POD("livenessProbe: {exec: {command: [a], args: [hunter2]}}"),
		POD("lifecycle: {prestop: {exec: {command: [hunter2]}}}"),
		POD("lifecycle: {preStop: {EXEC: {command: [hunter2]}}}"),
		NULL,
	};
	RIG;

	all_refused("has no member", texts);
	(void)rig_must(&rig, POD("tty: true, restartPolicyRules: [], newer: 5, lifecycle: "
				 "{stopSignal: SIGTERM, preStop: {sleep: {seconds: 1}}}"));
}

Test(shape, containers_elsewhere_in_a_kind_with_pods_are_refused)
{
	static const char *const texts[] = {
#define BAD "[{name: a, image: i, args: [hunter2]}]"
		OBJECT("Pod", "spec: [{containers: " BAD "}]\n"),
		OBJECT("Pod",
		       "spec: {containers: [{name: a, image: i}], initcontainers: " BAD "}\n"),
		OBJECT("Pod",
		       "spec: {containers: [{name: a, image: i}], EphemeralContainers: " BAD "}\n"),
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"
		"spec: {containers: " BAD "}\n",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"
		"spec: {template: {containers: " BAD "}}\n",
		"apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: x}\n"
		"spec: {tasks: [{template: {spec: {containers: " BAD "}}}]}\n",
		NULL,
	};

	all_refused("would go out in clear", texts);
}

Test(shape, objects_and_containers_in_other_kinds_are_refused_unless_exempt)
{
	static const char *const texts[] = {
		OBJECT("secret", "data: {a: aHVudGVyMg==}\n"),
		OBJECT("configMap", "data: {a: hunter2}\n"),
		"apiVersion: v2\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: hunter2}\n",
		"apiVersion: v2\nkind: SecretList\nitems: [{metadata: {name: x}, "
		"stringData: {a: hunter2}}]\n",
		OBJECT("List", "items: {a: {kind: Secret, stringData: {a: hunter2}}}\n"),
		"apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: x}\n"
		"objects: [{kind: Secret, stringData: {a: hunter2}}]\n",
		"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: x}\n"
		"spec: {templates: [{script: {image: i, source: hunter2}}]}\n",
		"apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: x}\n"
		"spec: {steps: [{image: i, command: [hunter2]}]}\n",
		NULL,
	};

	all_refused("--exempt", texts);
}

Test(shape, copies_that_tools_keep_are_removed)
{
	RIG;

	(void)rig_must(&rig,
		       "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n  annotations:\n"
		       "    kapp.k14s.io/original: '{hunter2}'\n"
		       "    objectset.rio.cattle.io/applied: hunter2\nstringData: {a: hunter2}\n");
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "hunter2"));
	(void)rig_must(&rig, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  annotations:\n"
			     "    kubectl.kubernetes.io/last-applied-configuration: {a: hunter2}\n"
			     "    kapp.k14s.io/original: '{hunter2}'\n"
			     "spec: {containers: [{name: a, image: i, command: [hunter2]}]}\n");
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "hunter2"));
}

Test(shape, listeners_for_a_pod_that_was_sealed_before_are_refused)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(65536);
	RIG;

	(void)rig_must(&rig, "spec: {containers: [{name: a, image: i, command: [b]}]}\n"
			     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n  annotations:\n"
			     "    other: kept\n    seal-control.io/inbound: 8443=8080\n");
	cr_assert_eq(seal_bytes_append(&sealed, rig.out.data, rig.out.len, NULL), 0);
	cr_assert_str_eq(rig_must(&rig, seal_bytes_str(&sealed)), seal_bytes_str(&sealed));
	cr_assert_eq(
		seal_bytes_append_str(&sealed, "    seal-control.io/inbound: 9443=8080\n", NULL),
		0);
	rig_refuses(&rig, SEAL_E_REFUSED, "sealed before", seal_bytes_str(&sealed));
}

/* ---- What is long costs no square ---- */

static void
append_many(struct seal_bytes *text, const char *front, const char *end, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(seal_bytes_append_fmt(text, NULL, "%s%zu%s\n", front, i, end), 0);
}

Test(shape, many_of_anything_are_refused_or_done_in_little_time, .timeout = 240)
{
	static const struct {
		const char *head;
		const char *front; /* of each, with a number behind */
		const char *end;
		const char *refused; /* NULL: done */
	} cases[] = {
		{ "apiVersion: v1\nkind: List\nitems:\n",
		  "- {apiVersion: v1, kind: Service, metadata: {name: s", "}}", NULL },
		{ OBJECT("Pod", "spec:\n  containers: [{name: a, image: i, command: [b]}]\n"
				"  volumes:\n"),
		  "  - {name: v", "}", "volumes" },
		{ OBJECT("Pod", "spec:\n  volumes: [{name: v}]\n  containers:\n  - name: a\n"
				"    command: [b]\n    volumeMounts:\n"),
		  "    - {name: v, mountPath: /m", "}", "mounts" },
		{ OBJECT("Pod", "spec:\n  volumes: [{name: v, secret: {secretName: s}}]\n"
				"  containers:\n  - name: a\n    command: [b]\n"
				"    volumeMounts:\n"),
		  "    - {name: v, mountPath: /m", "}", "mounts" },
		{ "spec: {containers: [{name: a, command: [b]}]}\napiVersion: v1\nkind: Pod\n"
		  "metadata:\n  name: x\n  annotations:\n    seal-control.io/env-exempt: A\n",
		  "     ,A", "", "annotation" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(16u << 20);
		clock_t before;
		int r;
		RIG;

		rig.options.brief = true;
		cr_assert_eq(seal_bytes_append_str(&text, cases[i].head, NULL), 0);
		append_many(&text, cases[i].front, cases[i].end, 200000);
		before = clock();
		r = rig_inject(&rig, seal_bytes_str(&text), text.len);
		cr_expect_lt((clock() - before) / CLOCKS_PER_SEC, 10, "case %zu took too long", i);
		cr_expect_eq(r, cases[i].refused == NULL ? 0 : SEAL_E_LIMIT, "case %zu: %d %s", i,
			     r, rig.err.text);
		if (cases[i].refused != NULL)
			cr_expect_not_null(strstr(rig.err.text, cases[i].refused), "%s",
					   rig.err.text);
	}
}
