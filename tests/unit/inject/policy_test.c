/* SPDX-License-Identifier: Apache-2.0 */
/* What the host may hand in: made from the pod and from what the owner pins, and nothing contradictory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/spec.h"
#include "tests/unit/inject/rig.h"

#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)
#define SPEC        SEAL_SCOPED(verify_spec_freep) struct verify_spec *
#define APP         "  - name: app\n    image: i\n"
#define POD(spec)   "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec:\n" spec
#define ONE(rest)   POD("  containers:\n" APP rest)
#define WITH(spec)  POD(spec "  containers:\n" APP)
#define NOTED(note) NOTED_POD(note, "")
#define NOTED_POD(note, spec)                                                                      \
	"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n" note "spec:\n" spec    \
	"  containers:\n" APP
#define PINS(text)                                                                                 \
	NOTED("    seal-control.io/verify-policy: |\n"                                             \
	      "      " text "\n")
#define PINS_POD(text, spec)                                                                       \
	NOTED_POD("    seal-control.io/verify-policy: |\n"                                         \
		  "      " text "\n",                                                              \
		  spec)
/* An object with a template of a pod. */
#define TEMPLATED(api, kind, name, more, spec)                                                     \
	"apiVersion: " api "\nkind: " kind "\nmetadata: {" name ", namespace: shop}\nspec:\n" more \
	"  template:\n    spec:\n" spec "      containers:\n      - name: app\n        image: i\n"

/* The spec of the container "app" of the first document. */
static struct verify_spec *
spec_of(struct rig *rig, const char *text)
{
	static const char *const paths[] = {
		"0.spec.containers.0.command.1",
		"0.spec.template.spec.containers.0.command.1",
		"0.template.spec.containers.0.command.1",
		"0.spec.jobTemplate.spec.template.spec.containers.0.command.1",
	};
	SEAL_SCOPED(seal_json_freep) struct seal_json *output = NULL;
	const struct seal_json *value = NULL;
	struct verify_spec *spec = NULL;
	struct seal_err err = { 0 };
	char *plain;

	(void)rig_must(rig, text);
	output = rig_json(seal_bytes_str(&rig->out), rig->out.len);
	for (size_t i = 0; i < SEAL_COUNT(paths) && value == NULL; i++)
		value = rig_at(output, paths[i]);
	cr_assert_not_null(value, "%s", text);
	plain = rig_open(rig, seal_json_str(value));
	cr_assert_eq(verify_spec_parse(&spec, plain, strlen(plain), &err), 0, "%s", err.text);
	cr_assert_not_null(verify_spec_policy(spec));
	free(plain);
	return spec;
}

static bool
is_declared(const struct verify_spec *spec, const char *path)
{
	const struct verify_policy *policy = verify_spec_policy(spec);

	for (size_t i = 0; i < policy->mount_count; i++)
		if (strcmp(policy->mounts[i].path, path) == 0)
			return true;
	return false;
}

static struct verify_declared_mount
mount_at(const struct verify_spec *spec, const char *path)
{
	const struct verify_policy *policy = verify_spec_policy(spec);
	struct verify_declared_mount mount = { 0 };

	cr_assert(is_declared(spec, path), "%s is not declared", path);
	for (size_t i = 0; i < policy->mount_count; i++)
		if (strcmp(policy->mounts[i].path, path) == 0)
			mount = policy->mounts[i];
	return mount;
}

static void
expect_mount(const struct verify_spec *spec, const char *path, enum verify_mount_source source,
	     bool is_read_only)
{
	const struct verify_declared_mount mount = mount_at(spec, path);

	cr_expect_eq(mount.source, source, "%s", path);
	cr_expect_eq(mount.is_read_only, is_read_only, "%s", path);
	cr_expect_not(mount.is_optional, "%s", path);
	cr_expect_eq(mount.propagation, VERIFY_PRIVATE, "%s", path);
}

/* ---- Mounts ---- */

Test(policy, every_mount_after_injection_is_declared_and_no_other)
{
	static const char text[] =
		POD("  volumes:\n"
		    "  - {name: c, configMap: {name: conf}}\n"
		    "  - {name: m, emptyDir: {medium: Memory}}\n"
		    "  - {name: e, emptyDir: {}}\n"
		    "  - {name: h, hostPath: {path: /srv}}\n"
		    "  - {name: v, persistentVolumeClaim: {claimName: v}}\n"
		    "  - {name: x, ephemeral: {volumeClaimTemplate: {spec: {}}}}\n"
		    "  - {name: b, persistentVolumeClaim: {claimName: b}}\n"
		    "  - {name: t, projected: {sources: [{serviceAccountToken: {path: token}}]}}\n"
		    "  - {name: k, configMap: {name: kube-root-ca.crt}}\n"
		    "  containers:\n" APP "    volumeDevices: [{name: b, devicePath: /dev/xvda}]\n"
		    "    volumeMounts:\n"
		    "    - {name: c, mountPath: /etc/app/}\n"
		    "    - {name: c, mountPath: /etc/one.conf, subPath: one.conf}\n"
		    "    - {name: m, mountPath: /cache}\n"
		    "    - {name: e, mountPath: /tmp/}\n"
		    "    - {name: h, mountPath: /host, readOnly: true}\n"
		    "    - {name: v, mountPath: /data, subPath: a}\n"
		    "    - {name: x, mountPath: /scratch}\n"
		    "    - {name: t, mountPath: /tokens}\n"
		    "    - {name: k, mountPath: /ca}\n");
	RIG;
	SPEC spec = spec_of(&rig, text);

	expect_mount(spec, "/etc/app", VERIFY_FROM_MEMORY, false);
	expect_mount(spec, "/etc/one.conf", VERIFY_FROM_MEMORY, false);
	expect_mount(spec, "/run/seal-source/0", VERIFY_FROM_VOLUME, true);
	expect_mount(spec, "/run/seal", VERIFY_FROM_MEMORY, true);
	expect_mount(spec, "/cache", VERIFY_FROM_MEMORY, false);
	expect_mount(spec, "/tmp", VERIFY_FROM_VOLUME, false);
	expect_mount(spec, "/host", VERIFY_FROM_VOLUME, true);
	expect_mount(spec, "/data", VERIFY_FROM_VOLUME, false);
	expect_mount(spec, "/scratch", VERIFY_FROM_VOLUME, false);
	expect_mount(spec, "/tokens", VERIFY_FROM_ACCOUNT, true);
	expect_mount(spec, "/ca", VERIFY_FROM_VOLUME, true);
	cr_expect_eq(verify_spec_policy(spec)->mount_count, 11);
	rig_round(&rig, text, strlen(text));
}

Test(policy, propagation_is_what_the_mount_says)
{
#define PROPAGATED(p)                                                                              \
	POD("  volumes: [{name: e, emptyDir: {}}]\n  containers:\n" APP                            \
	    "    volumeMounts: [{name: e, mountPath: /e, mountPropagation: " p "}]\n")
	RIG;
	SPEC slave = spec_of(&rig, PROPAGATED("HostToContainer"));
	SPEC shared = spec_of(&rig, PROPAGATED("Bidirectional"));

	cr_expect_eq(mount_at(slave, "/e").propagation, VERIFY_SLAVE);
	cr_expect_eq(mount_at(shared, "/e").propagation, VERIFY_SHARED);
	rig_refuses(&rig, SEAL_E_FORMAT, "propagation", PROPAGATED("Everywhere"));
}

Test(policy, a_volume_of_sealed_files_and_tokens_is_a_volume)
{
	RIG;
	SPEC spec = spec_of(
		&rig, POD("  volumes:\n  - name: p\n    projected: {sources: [{secret: {name: s}}, "
			  "{serviceAccountToken: {path: token}}]}\n  containers:\n" APP
			  "    volumeMounts: [{name: p, mountPath: /p}]\n"));

	expect_mount(spec, "/run/seal-source/0", VERIFY_FROM_VOLUME, true);
	expect_mount(spec, "/p", VERIFY_FROM_MEMORY, false);
}

Test(policy, last_words_go_where_the_container_says)
{
	RIG;
	SPEC usual = spec_of(&rig, ONE("    terminationMessagePath: /dev/termination-log\n"));
	SPEC own = spec_of(&rig, ONE("    terminationMessagePath: /tmp/last\n"));

	cr_expect_not(is_declared(usual, "/dev/termination-log"));
	expect_mount(own, "/tmp/last", VERIFY_FROM_VOLUME, false);
	rig_refuses(&rig, SEAL_E_FORMAT, "terminationMessagePath",
		    ONE("    terminationMessagePath: tmp/last\n"));
}

Test(policy, volumes_of_the_image_may_be_mounted)
{
	static const char config[] = "{\"Entrypoint\":[\"/e\"],\"Volumes\":{\"/var/lib/db/\":{},\"/"
				     "cache\":{},\"bad\":{}}}";
	RIG;
	seal_json_free(rig.image.config);
	rig.image.config = NULL;
	cr_assert_eq(seal_json_parse(&rig.image.config, config, strlen(config), 4096, NULL), 0);
	SPEC spec = spec_of(&rig, POD("  volumes: [{name: e, emptyDir: {}}]\n  containers:\n" APP
				      "    volumeMounts: [{name: e, mountPath: /cache}]\n"));

	cr_expect(mount_at(spec, "/var/lib/db").is_optional);
	cr_expect_not(mount_at(spec, "/cache").is_optional);
	cr_expect_eq(verify_spec_policy(spec)->mount_count, 3);
}

#define ON_NODE "  hostNetwork: true\n"

Test(policy, a_pod_on_the_nodes_network_is_warned_of_unless_names_are_pinned)
{
	static const char what[] = "hostNetwork without pins of hosts";
	RIG;

	(void)rig_must(&rig, WITH(ON_NODE));
	cr_expect(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig, PINS_POD("resolv: {nameservers: [10.0.0.1]}", ON_NODE));
	cr_expect(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig, PINS_POD("hosts: {others: false}", ON_NODE));
	cr_expect(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig, PINS_POD("hosts: {others: true}", ON_NODE));
	cr_expect_not(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig,
		       PINS_POD("hosts: {names: [{name: n1, networks: [10.0.0.1]}]}", ON_NODE));
	cr_expect_not(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig, PINS_POD("mode: audit", ON_NODE));
	cr_expect_not(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig, WITH("  hostNetwork: false\n"));
	cr_expect_not(rig_reports(&rig, INJECT_WARNED, what));
	(void)rig_must(&rig, WITH("  shareProcessNamespace: true\n"));
	cr_expect(rig_reports(&rig, INJECT_WARNED, "shareProcessNamespace"));
}

Test(policy, mounts_that_seal_wrap_will_not_start_under_are_warned_of)
{
	RIG;

	(void)rig_must(&rig, POD("  volumes: [{name: e, emptyDir: {}}]\n  containers:\n" APP
				 "    volumeMounts: [{name: e, mountPath: /usr/lib}]\n"));
	cr_expect(rig_reports(&rig, INJECT_WARNED, "mount at /usr/lib"));
}

#define IN_MEMORY(mounts)                                                                          \
	POD("  volumes:\n  - {name: m, emptyDir: {medium: Memory}}\n  - {name: e, emptyDir: {}}\n" \
	    "  containers:\n" APP "    volumeMounts: [" mounts "]\n")

/* The volume whose parts share a memory; "" for memory of its own. */
static void
expect_volume(const char *mounts, const char *path, const char *volume)
{
	RIG;
	SPEC spec = spec_of(&rig, mounts);
	const struct verify_declared_mount mount = mount_at(spec, path);

	cr_expect_eq(mount.source, VERIFY_FROM_MEMORY);
	cr_expect_str_eq(mount.volume != NULL ? mount.volume : "", volume, "%s", path);
}

Test(policy, parts_of_one_memory_are_told)
{
	expect_volume(IN_MEMORY("{name: m, mountPath: /a}"), "/a", "");
	expect_volume(IN_MEMORY("{name: m, mountPath: /a, subPath: x/y}"), "/a", "m");
	expect_volume(IN_MEMORY("{name: m, mountPath: /a}, {name: m, mountPath: /b}"), "/a", "m");
	expect_volume(IN_MEMORY("{name: m, mountPath: /a, subPath: x}, "
				"{name: m, mountPath: /b, subPath: y}"),
		      "/b", "m");
	expect_volume(IN_MEMORY("{name: m, mountPath: /a}"), "/run/seal", "");
}

/* ---- Service account ---- */

static enum verify_presence
mounted(const char *text)
{
	RIG;
	SPEC spec = spec_of(&rig, text);

	return verify_spec_policy(spec)->account.mounted;
}

#define AT_ITS_PLACE(volume)                                                                       \
	POD("  automountServiceAccountToken: false\n  volumes: [{name: t, " volume                 \
	    "}]\n  containers:\n" APP "    volumeMounts: [{name: t, mountPath: "                   \
	    "/var/run/secrets/kubernetes.io/serviceaccount}]\n")

#define WHOLE                                                                                      \
	"projected: {sources: [{serviceAccountToken: {path: token}}, "                             \
	"{configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}}, "            \
	"{downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}]}"
#define TOKEN(more) "projected: {sources: [{serviceAccountToken: {path: token" more "}}]}"

Test(policy, a_service_account_is_there_when_the_pod_says_so)
{
	cr_expect_eq(mounted(ONE("")), VERIFY_ANY);
	cr_expect_eq(mounted(WITH("  automountServiceAccountToken: true\n")), VERIFY_YES);
	cr_expect_eq(mounted(WITH("  automountServiceAccountToken: false\n")), VERIFY_NO);
	cr_expect_eq(mounted(AT_ITS_PLACE(WHOLE)), VERIFY_YES);
	cr_expect_eq(mounted(AT_ITS_PLACE(TOKEN(""))), VERIFY_ANY);
	cr_expect_eq(mounted(AT_ITS_PLACE("secret: {secretName: s}")), VERIFY_ANY);
	cr_expect_eq(mounted(AT_ITS_PLACE("emptyDir: {}")), VERIFY_NO);
}

Test(policy, a_token_is_asked_for_a_pinned_audience)
{
	static const char file[] = "account: {audiences: [api, vault]}";
	const struct inject_input pins = { "pins.yaml", file, sizeof(file) - 1 };
	RIG;
	rig.options.policy = &pins;

	(void)rig_must(&rig, AT_ITS_PLACE(TOKEN("")));
	(void)rig_must(&rig, AT_ITS_PLACE(TOKEN(", audience: vault")));
	rig_refuses(&rig, SEAL_E_REFUSED, "audience 'other'",
		    AT_ITS_PLACE(TOKEN(", audience: other")));
}

Test(policy, the_accounts_name_is_the_pods_or_default)
{
	RIG;
	SPEC none = spec_of(&rig, ONE(""));
	SPEC named = spec_of(&rig, WITH("  serviceAccountName: web\n"));
	SPEC old = spec_of(&rig, WITH("  serviceAccount: old\n"));

	cr_expect_str_eq(verify_spec_policy(none)->account.name, "default");
	cr_expect_str_eq(verify_spec_policy(named)->account.name, "web");
	cr_expect_str_eq(verify_spec_policy(old)->account.name, "old");
}

Test(policy, what_the_option_says_no_annotation_can_weaken)
{
	static const char file[] = "mode: enforce\nhosts: {others: false}\n";
	const struct inject_input pins = { "pins.yaml", file, sizeof(file) - 1 };
	RIG;
	rig.options.policy = &pins;

	rig_refuses(&rig, SEAL_E_REFUSED, "mode is pinned twice",
		    NOTED("    seal-control.io/verify: audit\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "hosts.others is pinned twice",
		    PINS("hosts: {others: true}"));
	(void)rig_must(&rig, NOTED("    seal-control.io/verify: enforce\n"));
}

Test(policy, pins_that_come_too_late_are_warned_of)
{
	static const char file[] = "resolv: {nameservers: [10.96.0.10]}";
	const struct inject_input pins = { "pins.yaml", file, sizeof(file) - 1 };
	char *before;
	RIG;

	before = strdup(rig_must(&rig, ONE("")));
	(void)rig_must(&rig, before);
	cr_expect_not(rig_reports(&rig, INJECT_WARNED, "--policy"));
	rig.options.policy = &pins;
	cr_expect_str_eq(rig_must(&rig, before), before);
	cr_expect(rig_reports(&rig, INJECT_WARNED, "--policy"));
	free(before);
}

/* ---- Names ---- */

static void
expect_name(const char *text, const char *hostname, const char *prefix)
{
	RIG;
	SPEC spec = spec_of(&rig, text);
	const struct verify_policy *policy = verify_spec_policy(spec);

	if (hostname == NULL)
		cr_expect_null(policy->pod.hostname, "%s", text);
	else
		cr_expect_str_eq(policy->pod.hostname, hostname, "%s", text);
	if (prefix == NULL)
		cr_expect_null(policy->pod.hostname_prefix, "%s", text);
	else
		cr_expect_str_eq(policy->pod.hostname_prefix, prefix, "%s", text);
}

#define TEN   "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN

Test(policy, pods_are_called_as_the_cluster_calls_them)
{
	expect_name(ONE(""), "p", NULL);
	expect_name(WITH("  hostname: own\n"), "own", NULL);
	expect_name(WITH("  hostname: own\n  hostnameOverride: other.example\n"), "other.example",
		    NULL);
	expect_name("apiVersion: v1\nkind: Pod\nmetadata: {generateName: gen-}\nspec:\n"
		    "  containers:\n" APP,
		    NULL, "gen-");
	expect_name("apiVersion: v1\nkind: Pod\nmetadata: {name: " FIFTY TEN "aa-bc}\nspec:\n"
		    "  containers:\n" APP,
		    FIFTY TEN "aa", NULL);
	expect_name(TEMPLATED("apps/v1", "Deployment", "name: web", "", ""), NULL, "web-");
	expect_name(TEMPLATED("apps/v1", "Deployment", "name: web", "", "      hostname: own\n"),
		    "own", NULL);
	expect_name(TEMPLATED("apps/v1", "Deployment", "name: " FIFTY TEN, "", ""), NULL,
		    FIFTY "aaaaaaaa");
	expect_name(TEMPLATED("apps/v1", "DaemonSet", "name: web", "", ""), NULL, "web-");
	expect_name(TEMPLATED("v1", "ReplicationController", "name: web", "", ""), NULL, "web-");
	expect_name(TEMPLATED("batch/v1", "Job", "name: web", "", "      hostname: own\n"), "own",
		    NULL);
	expect_name(TEMPLATED("batch/v1", "Job", "name: web", "  completionMode: Indexed\n",
			      "      hostname: own\n"),
		    NULL, "web-");
	expect_name(TEMPLATED("apps.kruise.io/v1", "StatefulSet", "name: web", "", ""), NULL, NULL);
	expect_name(WITH("  hostNetwork: true\n  hostname: own\n"), NULL, NULL);
}

Test(policy, pods_of_templates_and_cron_jobs_are_called_as_they_can_be_known)
{
	expect_name("apiVersion: v1\nkind: PodTemplate\nmetadata: {name: t}\ntemplate:\n  spec:\n"
		    "    containers:\n    - name: app\n      image: i\n",
		    NULL, NULL);
	expect_name("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec:\n"
		    "  jobTemplate:\n    spec:\n      template:\n        spec:\n"
		    "          containers:\n          - name: app\n            image: i\n",
		    NULL, "nightly-");
}

Test(policy, a_stateful_sets_pods_have_its_service)
{
	RIG;
	SPEC spec = spec_of(&rig, TEMPLATED("apps/v1", "StatefulSet", "name: db",
					    "  serviceName: peers\n",
					    "      hostname: own\n      subdomain: own\n"));
	const struct verify_policy *policy = verify_spec_policy(spec);

	cr_expect_str_eq(policy->pod.hostname_prefix, "db-");
	cr_expect_null(policy->pod.hostname);
	cr_expect_str_eq(policy->pod.subdomain, "peers");
	cr_expect_str_eq(policy->pod.ns, "shop");
}

Test(policy, aliases_are_the_pods)
{
	RIG;
	SPEC spec = spec_of(&rig, WITH("  hostAliases: [{ip: 10.1.2.3, hostnames: [db, DB.shop]}, "
				       "{ip: \"fd00::1\", hostnames: [six]}]\n"));
	const struct verify_policy *policy = verify_spec_policy(spec);

	cr_assert_eq(policy->hosts.alias_count, 2);
	cr_expect_str_eq(policy->hosts.aliases[0].names[1], "db.shop");
	cr_expect_not(policy->hosts.has_others);
	rig_refuses(&rig, SEAL_E_FORMAT, "in.yaml:5:17",
		    WITH("  hostAliases: [{ip: 10.1.2, hostnames: [db]}]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "hostAliases[0]",
		    WITH("  hostAliases: [{ip: 10.1.2.3}]\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "loopback",
		    WITH("  hostAliases: [{ip: 10.1.2.3, hostnames: [localhost]}]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "hostAliases", WITH("  hostAliases: {ip: 10.1.2.3}\n"));
}

/* ---- resolv.conf ---- */

Test(policy, resolvers_are_the_pods_where_it_says_all_of_them)
{
	RIG;
	SPEC usual = spec_of(&rig, WITH("  dnsConfig: {options: [{name: ndots, value: \"2\"}]}\n"));
	SPEC none = spec_of(&rig, WITH("  dnsPolicy: None\n  dnsConfig: {nameservers: [1.1.1.1], "
				       "searches: [a.example], options: [{name: ndots, value: "
				       "\"2\"}, {name: edns0}]}\n"));
	SPEC host = spec_of(&rig, WITH("  hostNetwork: true\n  dnsPolicy: ClusterFirst\n"));
	const struct verify_policy *policy = verify_spec_policy(none);

	cr_expect_str_eq(verify_spec_policy(usual)->resolv.policy, "ClusterFirst");
	cr_expect_not(verify_spec_policy(usual)->resolv.is_option_pinned);
	cr_expect_str_eq(policy->resolv.policy, "None");
	cr_expect_eq(policy->resolv.server_count, 1);
	cr_expect_str_eq(policy->resolv.searches[0], "a.example");
	cr_assert_eq(policy->resolv.option_count, 2);
	cr_expect_str_eq(policy->resolv.options[0], "ndots:2");
	cr_expect_str_eq(policy->resolv.options[1], "edns0");
	cr_expect_str_eq(verify_spec_policy(host)->resolv.policy, "Default");
	cr_expect(verify_spec_policy(host)->pod.has_host_network);
	rig_refuses(&rig, SEAL_E_REFUSED, "nameservers", WITH("  dnsPolicy: None\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "dnsPolicy", WITH("  dnsPolicy: Whatever\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "nameservers",
		    WITH("  dnsPolicy: None\n  dnsConfig: {nameservers: [dns.example]}\n"));
}

Test(policy, service_links_are_the_pods)
{
	RIG;
	SPEC usual = spec_of(&rig, ONE(""));
	SPEC without = spec_of(&rig, WITH("  enableServiceLinks: false\n"));

	cr_expect(verify_spec_policy(usual)->has_services);
	cr_expect_not(verify_spec_policy(without)->has_services);
}

Test(policy, a_policy_is_no_longer_than_a_reader_takes)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1024u * 1024);
	int r = seal_bytes_append_str(&text,
				      POD("  volumes: [{name: e, emptyDir: {}}]\n"
					  "  containers:\n" APP "    volumeMounts:\n"),
				      NULL);
	RIG;

	for (int i = 0; r == 0 && i < 1000; i++) {
		char line[160];

		(void)snprintf(line, sizeof(line), "    - {name: e, mountPath: /" FIFTY "/%d}\n",
			       i);
		r = seal_bytes_append_str(&text, line, NULL);
	}
	cr_assert_eq(r, 0);
	rig_refuses(&rig, SEAL_E_LIMIT, "policy is more than", seal_bytes_str(&text));
}

/* ---- Pins ---- */

static const char all_pins[] =
	"mode: audit\n"
	"root: {types: [overlay], layers: 3}\n"
	"hosts: {names: [{name: db.shop.svc, networks: [10.0.0.0/8]}], others: false}\n"
	"resolv: {nameservers: [10.96.0.10], searches: [shop.svc], options: [ndots:5]}\n"
	"account:\n  issuer: https://k.example\n  audiences: [api]\n  ca: "
	"[\"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
	"DD:"
	"EE:FF\"]\n";

static void
expect_all_pins(const struct verify_policy *policy)
{
	cr_expect_eq(policy->mode, VERIFY_AUDIT);
	cr_expect_str_eq(policy->root.types[0], "overlay");
	cr_expect_eq(policy->root.layers, 3);
	cr_expect_str_eq(policy->hosts.names[0].name, "db.shop.svc");
	cr_expect_eq(policy->resolv.server_count, 1);
	cr_expect_str_eq(policy->resolv.searches[0], "shop.svc");
	cr_expect_str_eq(policy->resolv.options[0], "ndots:5");
	cr_expect_str_eq(policy->account.issuer, "https://k.example");
	cr_expect_str_eq(policy->account.audiences[0], "api");
	cr_expect_eq(policy->account.ca_count, 1);
}

Test(policy, all_pins_of_a_file_reach_every_container)
{
	const struct inject_input file = { "pins.yaml", all_pins, sizeof(all_pins) - 1 };
	RIG;
	rig.options.policy = &file;
	SPEC spec = spec_of(&rig, ONE(""));

	expect_all_pins(verify_spec_policy(spec));
	cr_expect(rig_reports(&rig, INJECT_ADDED, "policy (audit): pinned: "));
	cr_expect(rig_reports(&rig, INJECT_ADDED, "name servers"));
	rig_round(&rig, ONE(""), strlen(ONE("")));
}

Test(policy, an_annotation_pins_and_leaves_the_output)
{
	static const char text[] = NOTED(
		"    seal-control.io/verify: audit\n"
		"    seal-control.io/verify-policy: |\n"
		"      resolv: {nameservers: [10.96.0.0/12]}\n"
		"      hosts: {names: [{name: secret-peer.example, networks: [10.0.0.0/8]}]}\n");
	RIG;
	SPEC spec = spec_of(&rig, text);

	cr_expect_eq(verify_spec_policy(spec)->mode, VERIFY_AUDIT);
	cr_expect_eq(verify_spec_policy(spec)->resolv.server_count, 1);
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "secret-peer"));
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "seal-control.io/verify"));
	rig_round(&rig, text, strlen(text));
}

Test(policy, what_is_no_pin_is_refused_where_it_stands)
{
	RIG;

	rig_refuses(&rig, SEAL_E_FORMAT, "verify-policy:1:6", PINS("pod: {hostname: x}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "verify-policy:2:11", PINS("root:\n        layers: many"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.hosts.aliases", PINS("hosts: {aliases: []}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.services", PINS("services: false"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.version", PINS("version: 1"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.resolv.policy", PINS("resolv: {policy: None}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.account.mounted", PINS("account: {mounted: \"no\"}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.resolv.nameservers",
		    PINS("resolv: {nameservers: [10.0.0.1/8]}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "$.account.ca", PINS("account: {ca: [\"00\"]}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "mode", PINS("mode: off"));
	rig_refuses(&rig, SEAL_E_FORMAT, "resolv must be a map", PINS("resolv: []"));
	rig_refuses(&rig, SEAL_E_FORMAT, "must be a map", PINS("just text"));
	rig_refuses(&rig, SEAL_E_FORMAT, "in.yaml:6:36: $.metadata.annotations",
		    PINS("pod: {hostname: x}"));
	rig_refuses(&rig, SEAL_E_FORMAT, "enforce",
		    NOTED("    seal-control.io/verify: yes please\n"));
}

Test(policy, a_file_that_is_no_policy_is_refused_whatever_the_stream_holds)
{
	static const char *const bad[] = { "", "- a\n", "mode: x\n",
					   "mode: audit\n---\nmode: audit\n",
					   "resolv: {dns: []}\n" };
	const char *map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		const struct inject_input file = { "pins.yaml", bad[i], strlen(bad[i]) };
		RIG;
		rig.options.policy = &file;
		rig_refuses(&rig, SEAL_E_FORMAT, "pins.yaml", map);
	}
}

Test(policy, two_sources_must_agree)
{
	const struct inject_input file = { "pins.yaml", all_pins, sizeof(all_pins) - 1 };
	RIG;
	rig.options.policy = &file;
	SPEC spec = spec_of(&rig, PINS("resolv: {options: [ndots:5]}"));

	expect_all_pins(verify_spec_policy(spec));
	rig_refuses(&rig, SEAL_E_REFUSED, "resolv.options", PINS("resolv: {options: [ndots:6]}"));
	rig_refuses(&rig, SEAL_E_REFUSED, "hosts.others", PINS("hosts: {others: true}"));
	rig_refuses(&rig, SEAL_E_REFUSED, "mode", PINS("mode: enforce"));
	rig_refuses(&rig, SEAL_E_REFUSED, "mode", NOTED("    seal-control.io/verify: enforce\n"));
}

Test(policy, pins_that_the_pod_contradicts_are_refused)
{
	RIG;
	SPEC spec =
		spec_of(&rig, PINS_POD("resolv: {nameservers: [10.0.0.0/8], options: [ndots:2]}",
				       "  dnsConfig: {nameservers: [10.1.2.3], options: [{name: "
				       "ndots, value: \"2\"}]}\n"));

	cr_expect_eq(verify_spec_policy(spec)->resolv.servers[0].bits, 96 + 8);
	rig_refuses(&rig, SEAL_E_REFUSED, "11.1.2.3",
		    PINS_POD("resolv: {nameservers: [10.0.0.0/8]}",
			     "  dnsConfig: {nameservers: [11.1.2.3]}\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "b.example",
		    PINS_POD("resolv: {searches: [a.example]}",
			     "  dnsConfig: {searches: [A.example., b.example]}\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "ndots:3",
		    PINS_POD("resolv: {options: [ndots:2]}",
			     "  dnsPolicy: None\n  dnsConfig: {nameservers: [1.1.1.1], options: "
			     "[{name: ndots, value: \"3\"}]}\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "outside",
		    PINS_POD("hosts: {names: [{name: db, networks: [10.0.0.0/8]}]}",
			     "  hostAliases: [{ip: 11.1.2.3, hostnames: [db]}]\n"));
}

#define OUTBOUND(targets, pins)                                                                    \
	NOTED("    seal-control.io/outbound: \"5432=" targets "/db\"\n"                            \
	      "    seal-control.io/verify-policy: |\n      " pins "\n")

Test(policy, names_that_listeners_connect_to_are_pinned_or_cannot_be_there)
{
	RIG;

	(void)rig_must(&rig, OUTBOUND("db.shop.svc:8443", "hosts: {others: false}"));
	(void)rig_must(&rig, OUTBOUND("10.0.0.1:8443,[fd00::1]:8443", "hosts: {others: true}"));
	(void)rig_must(&rig,
		       OUTBOUND("db.shop.svc:8443", "hosts: {others: true, names: [{name: "
						    "DB.shop.svc., networks: [10.0.0.0/8]}]}"));
	rig_refuses(&rig, SEAL_E_REFUSED, "pin it in hosts.names, or drop others",
		    OUTBOUND("db.shop.svc:8443", "hosts: {others: true}"));
	rig_refuses(&rig, SEAL_E_REFUSED, "'other'",
		    OUTBOUND("db.shop.svc:8443,other:1",
			     "hosts: {others: true, names: [{name: db.shop.svc, networks: "
			     "[10.0.0.0/8]}]}"));
}

Test(policy, what_is_pinned_after_injection_is_refused)
{
	RIG;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(INJECT_MAX_OUT);
	const char *out = rig_must(&rig, ONE(""));
	const char *meta = strstr(out, "metadata:");
	const char *name = meta != NULL ? strstr(meta, "name:") : NULL;
	int r;

	cr_assert_not_null(name);
	r = seal_bytes_append(&text, out, (size_t)(name - out), NULL);
	if (r == 0)
		r = seal_bytes_append_str(&text, "annotations: {seal-control.io/verify: audit}\n  ",
					  NULL);
	if (r == 0)
		r = seal_bytes_append_str(&text, name, NULL);
	cr_assert_eq(r, 0);
	rig_refuses(&rig, SEAL_E_REFUSED, "sealed before", seal_bytes_str(&text));
}
