/* SPDX-License-Identifier: Apache-2.0 */
/* What was injected and then edited: never the policy of a pod that it no longer is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/inject/rig.h"

#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)

struct edit {
	const char *from;
	const char *to;
};

static const char pod[] = "apiVersion: v1\n"
			  "kind: Pod\n"
			  "metadata: {name: p, namespace: shop}\n"
			  "spec:\n"
			  "  hostname: one\n"
			  "  subdomain: sub\n"
			  "  serviceAccountName: robot\n"
			  "  automountServiceAccountToken: false\n"
			  "  enableServiceLinks: false\n"
			  "  setHostnameAsFQDN: true\n"
			  "  dnsPolicy: None\n"
			  "  dnsConfig:\n"
			  "    nameservers: [10.0.0.1]\n"
			  "    searches: [a.example]\n"
			  "    options: [{name: ndots, value: \"2\"}]\n"
			  "  hostAliases:\n"
			  "  - {ip: 10.0.0.2, hostnames: [db]}\n"
			  "  containers:\n"
			  "  - name: app\n"
			  "    image: i\n"
			  "    command: [/bin/app]\n"
			  "    terminationMessagePath: /last\n"
			  "    volumeMounts:\n"
			  "    - {name: data, mountPath: /data}\n"
			  "    - {name: conf, mountPath: /conf}\n"
			  "  volumes:\n"
			  "  - {name: data, emptyDir: {medium: Memory}}\n"
			  "  - {name: conf, configMap: {name: c}}\n";

/* A manifest with one text in it replaced, for the caller to free. */
static char *
edited(const char *text, const struct edit *edit)
{
	const char *at = strstr(text, edit->from);
	char *made = NULL;

	cr_assert_not_null(at, "no '%s' in: %s", edit->from, text);
	cr_assert_gt(asprintf(&made, "%.*s%s%s", (int)(at - text), text, edit->to,
			      at + strlen(edit->from)),
		     0);
	return made;
}

/* Inject, edit each, and inject that. */
static void
expect_refused(const char *original, const struct edit *edits, size_t count)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes injected = SEAL_BYTES(INJECT_MAX_OUT);
	RIG;

	cr_assert_eq(seal_bytes_append_str(&injected, rig_must(&rig, original), NULL), 0);
	cr_assert_str_eq(rig_must(&rig, seal_bytes_str(&injected)), seal_bytes_str(&injected));
	for (size_t i = 0; i < count; i++) {
		char *text = edited(seal_bytes_str(&injected), &edits[i]);

		rig_refuses(&rig, SEAL_E_REFUSED, "changed since it was sealed", text);
		free(text);
	}
}

static void
expect_unchanged(const char *original, const struct edit *edits, size_t count)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes injected = SEAL_BYTES(INJECT_MAX_OUT);
	RIG;

	cr_assert_eq(seal_bytes_append_str(&injected, rig_must(&rig, original), NULL), 0);
	for (size_t i = 0; i < count; i++) {
		char *text = edited(seal_bytes_str(&injected), &edits[i]);

		cr_expect_eq(rig_inject(&rig, text, strlen(text)), 0, "%s: %s", edits[i].to,
			     rig.err.text);
		cr_expect_eq(rig.seal_calls, 0);
		cr_expect_str_eq(seal_bytes_str(&rig.out), text);
		free(text);
	}
}

Test(again, what_a_policy_was_made_from_cannot_be_edited)
{
	static const struct edit edits[] = {
		{ "hostname: one", "hostname: two" },
		{ "  hostname: one\n", "" },
		{ "subdomain: sub", "subdomain: other" },
		{ "serviceAccountName: robot", "serviceAccountName: admin" },
		{ "  serviceAccountName: robot\n", "" },
		{ "automountServiceAccountToken: false", "automountServiceAccountToken: true" },
		{ "  automountServiceAccountToken: false\n", "" },
		{ "enableServiceLinks: false", "enableServiceLinks: true" },
		{ "setHostnameAsFQDN: true", "setHostnameAsFQDN: false" },
		{ "dnsPolicy: None", "dnsPolicy: ClusterFirst" },
		{ "  dnsPolicy: None\n", "" },
		{ "10.0.0.1", "10.0.0.9" },
		{ "a.example", "b.example" },
		{ "\"2\"", "\"3\"" },
		{ "10.0.0.2", "10.0.0.3" },
		{ "- db\n", "- db2\n" },
		{ "spec:\n", "spec:\n  hostNetwork: true\n" },
		{ "spec:\n", "spec:\n  hostnameOverride: x\n" },
		{ "spec:\n", "spec:\n  ephemeralContainers: [{name: e, image: e}]\n" },
		{ "terminationMessagePath: /last", "terminationMessagePath: /other" },
		{ "    terminationMessagePath: /last\n", "" },
		{ "mountPath: /data\n", "mountPath: /other\n" },
		{ "mountPath: /data\n", "mountPath: /data\n      readOnly: true\n" },
		{ "mountPath: /data\n",
		  "mountPath: /data\n      mountPropagation: Bidirectional\n" },
		{ "medium: Memory", "medium: \"\"" },
		{ "SEAL_POD_DIGEST", "SEAL_POD_DIGESTS" },
		{ "image: i\n", "image: i\n    envFrom: [{configMapRef: {name: x}}]\n" },
	};

	expect_refused(pod, edits, SEAL_COUNT(edits));
}

Test(again, what_a_controller_makes_names_from_cannot_be_edited)
{
	static const char set[] =
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec:\n"
		"  serviceName: svc\n  template:\n    spec:\n      containers:\n"
		"      - {name: app, image: i, command: [/bin/app]}\n";
	static const char job[] =
		"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n"
		"  completionMode: Indexed\n  template:\n    spec:\n      containers:\n"
		"      - {name: app, image: i, command: [/bin/app]}\n";
	static const char cron[] =
		"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: j}\nspec:\n"
		"  jobTemplate:\n    spec:\n      completionMode: Indexed\n      template:\n"
		"        spec:\n          containers:\n"
		"          - {name: app, image: i, command: [/bin/app]}\n";
	static const struct edit service[] = {
		{ "serviceName: svc", "serviceName: other" },
		{ "apiVersion: apps/v1", "apiVersion: apps.kruise.io/v1" },
	};
	static const struct edit mode[] = { { "completionMode: Indexed",
					      "completionMode: NonIndexed" } };

	expect_refused(set, service, SEAL_COUNT(service));
	expect_refused(job, mode, SEAL_COUNT(mode));
	expect_refused(cron, mode, SEAL_COUNT(mode));
}

Test(again, what_no_policy_depends_on_may_be_edited)
{
	static const struct edit edits[] = {
		{ "image: i\n", "image: other\n" },
		{ "spec:\n", "spec:\n  nodeSelector: {a: b}\n" },
		{ "spec:\n", "spec:\n  restartPolicy: Never\n" },
		{ "image: i\n", "image: i\n    resources: {limits: {cpu: 1}}\n" },
		/* What Kubernetes writes down itself, or another order. */
		{ "spec:\n", "spec:\n  serviceAccount: robot\n" },
		{ "    terminationMessagePath: /last\n",
		  "    terminationMessagePolicy: File\n    terminationMessagePath: /last\n" },
		{ "- ip: 10.0.0.2\n    hostnames:\n    - db\n",
		  "- hostnames: [db]\n    ip: 10.0.0.2\n" },
	};
	static const char plain[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
				    "  containers:\n  - name: app\n    image: i\n"
				    "    command: [/bin/app]\n";
	static const struct edit defaults[] = {
		{ "spec:\n", "spec:\n  dnsPolicy: ClusterFirst\n" },
		{ "spec:\n", "spec:\n  serviceAccountName: default\n" },
		{ "image: i\n", "image: i\n    terminationMessagePath: /dev/termination-log\n" },
	};

	expect_unchanged(pod, edits, SEAL_COUNT(edits));
	expect_unchanged(plain, defaults, SEAL_COUNT(defaults));
}
