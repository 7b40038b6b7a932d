/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: what a container is started from is sealed, and the rest is the sidecar and memory. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/inject/rig.h"

#define POD(spec) "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" spec
#define ONE(rest) POD("  containers:\n  - name: app\n    image: i\n" rest)
#define NOTED(n, rest)                                                                             \
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {" n "}}\nspec:\n"            \
	"  containers:\n  - name: app\n    image: i\n" rest
#define CONTAINER "0.spec.containers.0"
#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)
#define OUTPUT                                                                                     \
	SEAL_SCOPED(seal_json_freep)                                                               \
	struct seal_json *output = rig_json(seal_bytes_str(&rig.out), rig.out.len)

static void
expect_str(const struct seal_json *json, const char *path, const char *value)
{
	const struct seal_json *is = rig_at(json, path);

	cr_expect(is != NULL && seal_json_str(is) != NULL, "%s is no string", path);
	if (is != NULL && seal_json_str(is) != NULL)
		cr_expect_str_eq(seal_json_str(is), value, "%s", path);
}

static void
round_of(struct rig *rig, const char *text)
{
	rig_round(rig, text, strlen(text));
}

/* ---- What becomes of a container ---- */

Test(pod, a_container_starts_from_its_sealed_spec_alone)
{
	static const char text[] =
		ONE("    command: [/bin/app]\n    args: [--pw, hunter2]\n    workingDir: /srv/\n"
		    "    env: [{name: A, value: one}, {name: B}]\n");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	cr_expect_eq(seal_json_count(rig_at(output, CONTAINER ".command")), 2);
	expect_str(output, CONTAINER ".command.0", "/seal-wrap");
	expect_str(spec, "container.args.1", "hunter2");
	expect_str(spec, "container.workingDir", "/srv/");
	expect_str(spec, "container.env.0.value", "one");
	cr_expect_null(rig_at(output, CONTAINER ".args"));
	cr_expect_null(rig_at(output, CONTAINER ".workingDir"));
	cr_expect_null(rig_at(output, CONTAINER ".env"));
	round_of(&rig, text);
}

Test(pod, every_kind_with_pods_is_known_and_others_names_are_not)
{
	static const char *const known[][2] = {
		{ "apps/v1", "Deployment" },
		{ "apps/v1", "StatefulSet" },
		{ "extensions/v1beta1", "DaemonSet" },
		{ "apps/v1beta2", "ReplicaSet" },
		{ "batch/v1", "Job" },
		{ "v1", "ReplicationController" },
	};
	char text[512];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(known); i++) {
		(void)snprintf(
			text, sizeof(text),
			"apiVersion: %s\nkind: %s\nmetadata: {name: p}\nspec: {template: {spec: "
			"{containers: [{name: a, image: i, command: [/a]}]}}}\n",
			known[i][0], known[i][1]);
		(void)rig_must(&rig, text);
		cr_expect(rig_reports(&rig, INJECT_ADDED, "sidecar"), "%s", known[i][1]);
		round_of(&rig, text);
	}
	(void)rig_must(&rig, "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: p}\nspec: "
			     "{jobTemplate: {spec: "
			     "{template: {spec: {containers: [{name: a, image: i}]}}}}}\n");
	cr_expect(rig_reports(&rig, INJECT_ADDED, "sidecar"));
	(void)rig_must(&rig, "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: p}\ntemplate: "
			     "{spec: {containers: "
			     "[{name: a, image: i}]}}\n");
	cr_expect(rig_reports(&rig, INJECT_ADDED, "sidecar"));
	(void)rig_must(
		&rig,
		"apiVersion: apps.kruise.io/v1\nkind: StatefulSet\nmetadata: {name: p}\nspec: "
		"{template: {spec: {containers: [{name: a, image: i}]}}}\n");
	cr_expect(rig_reports(&rig, INJECT_ADDED, "sidecar"));
	rig_refuses(&rig, SEAL_E_REFUSED, "not sealed",
		    "apiVersion: apps.kruise.io/v1\nkind: CloneSet\nmetadata: {name: p}\nspec: "
		    "{template: {spec: "
		    "{containers: [{name: a, image: i}]}}}\n");
}

Test(pod, without_a_command_the_image_must_be_known)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, ONE("    args: [x1]\n"));
	OUTPUT;
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "image.Entrypoint.0", "/bin/image-entry");
	expect_str(spec, "image.Env.0", "PATH=/bin");
	cr_expect_null(rig_at(spec, "image.User"));
	rig.options.image_count = 0;
	rig_refuses(&rig, SEAL_E_MISSING, "--image-config app=", ONE(""));
	rig_refuses(&rig, SEAL_E_MISSING, "'i'", ONE("    command: []\n"));
	(void)rig_must(&rig, ONE("    command: [/bin/app]\n"));
	rig.options.image_count = 1;
	rig.image.match = "other";
	rig_refuses(&rig, SEAL_E_MISSING, "--image-config", ONE(""));
	rig.image.match = "i";
	(void)rig_must(&rig, ONE(""));
	rig.image.match = "app";
	(void)rig_must(&rig, ONE(""));
}

Test(pod, variables_of_objects_come_by_names_of_ours)
{
	static const char text[] = ONE(
		"    env:\n    - {name: A, value: one}\n"
		"    - {name: HUNTERNAME, valueFrom: {secretKeyRef: {name: s, key: pw, optional: "
		"true}}}\n"
		"    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n"
		"    envFrom: [{prefix: X_, configMapRef: {name: c}}, {secretRef: {name: s}}]\n");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, CONTAINER ".env.0.name", "SEAL_ENV_1");
	expect_str(output, CONTAINER ".env.0.valueFrom.secretKeyRef.key", "pw");
	expect_str(output, CONTAINER ".env.1.name", "SEAL_ENV_2");
	expect_str(output, CONTAINER ".envFrom.0.prefix", "SEAL_FROM_0_");
	expect_str(output, CONTAINER ".envFrom.1.prefix", "SEAL_FROM_1_");
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "HUNTERNAME"));
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "container.env.1.valueFrom.secretKeyRef.name", "s");
	expect_str(spec, "container.envFrom.0.prefix", "X_");
	cr_expect(rig_reports(&rig, INJECT_LEFT, "IP comes from the host as SEAL_ENV_2"));
	round_of(&rig, text);
}

Test(pod, variables_that_cannot_be_are_refused)
{
	static const struct {
		enum seal_code code;
		const char *sentence;
		const char *entry;
	} rows[] = {
		{ SEAL_E_FORMAT, "'A=B'", "{name: 'A=B', value: x1}" },
		{ SEAL_E_FORMAT, "without a name", "{value: x1}" },
		{ SEAL_E_FORMAT, "NUL", "{name: A, value: \"x\\0y\"}" },
		{ SEAL_E_FORMAT, "must be a string", "{name: A, value: 1}" },
		{ SEAL_E_FORMAT, "must be a string", "{name: A, value: true}" },
		{ SEAL_E_FORMAT, "must be a map", "A" },
		{ SEAL_E_FORMAT, "value and a valueFrom",
		  "{name: A, value: x1, valueFrom: {fieldRef: {fieldPath: a}}}" },
		{ SEAL_E_FORMAT, "which object", "{name: A, valueFrom: {secretKeyRef: {key: a}}}" },
		{ SEAL_E_REFUSED, "not known here",
		  "{name: A, valueFrom: {fileKeyRef: {key: a}}}" },
		{ SEAL_E_REFUSED, "are ours", "{name: SEAL_X, value: x1}" },
		{ SEAL_E_REFUSED, "are ours", "{name: SEAL_ENV_0, value: x1}" },
		{ SEAL_E_REFUSED, "allow-loader-env",
		  "{name: LD_PRELOAD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}" },
		{ SEAL_E_REFUSED, "allow-loader-env",
		  "{name: LD_LIBRARY_PATH, valueFrom: {secretKeyRef: {name: s, key: a}}}" },
	};
	char text[512];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		(void)snprintf(text, sizeof(text), ONE("    env: [%s]\n"), rows[i].entry);
		rig_refuses(&rig, rows[i].code, rows[i].sentence, text);
	}
	rig_refuses(&rig, SEAL_E_FORMAT, "configMapRef", ONE("    envFrom: [{prefix: a}]\n"));
}

/* It is sealed, as all that the owner wrote; but he should know what it does. */
Test(pod, a_written_variable_that_chooses_code_is_sealed_with_a_warning)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, ONE("    env: [{name: LD_PRELOAD, value: /l.so}]\n"));
	OUTPUT;
	cr_expect(rig_reports(&rig, INJECT_WARNED, "env LD_PRELOAD"));
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "loader.0", "LD_PRELOAD");
	expect_str(spec, "container.env.0.value", "/l.so");
}

#define MOUNTED                                                                                    \
	"    volumeMounts: [{name: v, mountPath: /etc/app}]\n"                                     \
	"  volumes: [{name: v, configMap: {name: c}}]\n"

Test(pod, files_are_for_every_user_when_the_owner_says_so)
{
	static const char text[] = NOTED("seal-control.io/file-access: all", MOUNTED);
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	cr_expect_not_null(rig_at(spec, "files.0.shared"));
	round_of(&rig, text);
	rig_refuses(&rig, SEAL_E_FORMAT, "file-access",
		    NOTED("seal-control.io/file-access: 'yes'", MOUNTED));
}

Test(pod, exemptions_are_by_name_and_reported)
{
	static const char text[] = NOTED(
		"seal-control.io/env-exempt: 'TZ', seal-control.io/allow-loader-env: 'LD_PRELOAD', "
		"seal-control.io/plain-objects: 'ConfigMap/plain'",
		"    env:\n    - {name: TZ, value: UTC0}\n    - {name: LD_PRELOAD, value: /l.so}\n"
		"    - {name: P, valueFrom: {configMapKeyRef: {name: plain, key: k}}}\n");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, CONTAINER ".env.0.name", "TZ");
	expect_str(output, CONTAINER ".env.0.value", "UTC0");
	expect_str(output, CONTAINER ".env.1.name", "SEAL_ENV_2");
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "exempt.0", "TZ");
	expect_str(spec, "loader.0", "LD_PRELOAD");
	cr_expect_not_null(rig_at(spec, "container.env.2.valueFrom.fieldRef"));
	cr_expect(rig_reports(&rig, INJECT_LEFT, "env TZ in clear"));
	cr_expect(rig_reports(&rig, INJECT_LEFT, "env P"));
	round_of(&rig, text);
	rig_refuses(&rig, SEAL_E_REFUSED, "cannot be exempt",
		    NOTED("seal-control.io/env-exempt: LD_PRELOAD, "
			  "seal-control.io/allow-loader-env: LD_PRELOAD",
			  "    env: [{name: LD_PRELOAD, value: x1}]\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "one by one",
		    NOTED("seal-control.io/plain-objects: 'ConfigMap/plain'",
			  "    envFrom: [{configMapRef: {name: plain}}]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "ConfigMap/NAME",
		    NOTED("seal-control.io/plain-objects: 'plain'", "    command: [/a]\n"));
}

Test(pod, probes_and_hooks_carry_their_own_specs)
{
	static const char text[] =
		ONE("    command: [/a]\n    env: [{name: A, value: one}]\n"
		    "    livenessProbe: {exec: {command: [check, hunter2]}, periodSeconds: 3}\n"
		    "    lifecycle: {postStart: {exec: {command: [sh, -c, id]}}, preStop: {sleep: "
		    "{seconds: 1}}}\n");
	SEAL_SCOPED(seal_json_freep) struct seal_json *probe = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *hook = NULL;
	RIG;

	(void)rig_must(&rig, text);
	cr_expect_eq(rig.report.sealed, 4);
	OUTPUT;
	probe = rig_spec(&rig, output, CONTAINER ".livenessProbe.exec.command.1");
	expect_str(probe, "exec.1", "hunter2");
	expect_str(probe, "container.env.0.value", "one");
	cr_expect_null(rig_at(probe, "container.command"));
	hook = rig_spec(&rig, output, CONTAINER ".lifecycle.postStart.exec.command.1");
	expect_str(hook, "exec.0", "sh");
	round_of(&rig, text);
	rig_refuses(&rig, SEAL_E_FORMAT, "without a command",
		    ONE("    livenessProbe: {exec: {}}\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "empty command",
		    ONE("    lifecycle: {preStop: {exec: {command: ['']}}}\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "must be a string",
		    ONE("    startupProbe: {exec: {command: [a, 1]}}\n"));
}

Test(pod, what_cannot_be_handed_over_is_refused_with_a_remedy)
{
	char *text = malloc(200000);
	int at = snprintf(text, 200, ONE("    command: [/a, '"));
	RIG;

	memset(text + at, 'x', 100000);
	memcpy(text + at + 90000, "']\n", 4);
	cr_expect_eq(rig_inject(&rig, text, strlen(text)), 0, "%s", rig.err.text);
	memset(text + at, 'x', 100000);
	memcpy(text + at + 99000, "']\n", 4);
	rig_refuses(&rig, SEAL_E_LIMIT, "move variables into a ConfigMap", text);
	free(text);
}

Test(pod, containers_that_cannot_be_are_refused)
{
	RIG;

	rig_refuses(&rig, SEAL_E_FORMAT, "two containers",
		    POD("  initContainers: [{name: a, image: i}]\n"
			"  containers: [{name: a, image: i}]\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "are ours",
		    POD("  containers: [{name: seal-x, image: i}]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "no name", POD("  containers: [{name: A_B, image: i}]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "no name", POD("  containers: [{image: i}]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "without containers", POD("  containers: []\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "empty word", ONE("    command: ['']\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "must be a string", ONE("    args: [1]\n"));
	rig_refuses(&rig, SEAL_E_FORMAT, "absolute", ONE("    workingDir: srv\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "ephemeralContainers",
		    POD("  ephemeralContainers: [{name: d, image: i}]\n  containers: [{name: a, "
			"image: i}]\n"));
}

/* ---- The sidecar ---- */

Test(pod, the_sidecar_is_first_hardened_and_carries_its_listeners_sealed)
{
	static const char text[] = NOTED(
		"seal-control.io/inbound: '8443=8080/web,db', seal-control.io/outbound: "
		"\"5432=db.shop:8443/db;\\n6379=unix:/run/x.sock/cache\", "
		"seal-control.io/hostnames: a.example.com",
		"    command: [/a]\n  initContainers: [{name: i, image: i, command: [/i]}]\n");
	SEAL_SCOPED(seal_json_freep) struct seal_json *config = NULL;
	char *plain;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, "0.spec.initContainers.0.name", "seal-proxy");
	expect_str(output, "0.spec.initContainers.0.restartPolicy", "Always");
	expect_str(output, "0.spec.initContainers.0.securityContext.capabilities.drop.0", "ALL");
	expect_str(output, "0.spec.initContainers.0.securityContext.seccompProfile.type",
		   "RuntimeDefault");
	expect_str(output, "0.spec.initContainers.0.env.0.value", "a.example.com");
	expect_str(output, "0.spec.initContainers.1.name", "i");
	cr_expect_eq(seal_json_u64(rig_at(output, "0.spec.initContainers.0.ports.0.containerPort")),
		     8443);
	cr_expect_null(strstr(seal_bytes_str(&rig.out), "db.shop"));
	cr_expect_not_null(strstr(seal_bytes_str(&rig.out), "seal-control.io/hostnames"));
	plain = rig_open(&rig, seal_json_str(rig_at(output, "0.spec.initContainers.0.args.1")));
	cr_assert_eq(seal_json_parse(&config, plain, strlen(plain), 65536, NULL), 0);
	free(plain);
	expect_str(config, "config.inbound.0.listen", "8443");
	expect_str(config, "config.inbound.0.forward.0", "8080");
	expect_str(config, "config.inbound.0.peers.1", "db");
	expect_str(config, "config.outbound.0.connect.0", "db.shop:8443");
	expect_str(config, "config.outbound.1.connect.0", "unix:/run/x.sock");
	expect_str(config, "config.outbound.1.peers.0", "cache");
	expect_str(config, "config.health", "0.0.0.0:15020");
	round_of(&rig, text);
}

Test(pod, a_whole_proxy_configuration_may_be_given)
{
	static const char text[] = NOTED("seal-control.io/proxy-config: \"inbound:\\n- {listen: "
					 "8443, forward: [8080]}\\nhealth: 0.0.0.0:16000\\n\"",
					 "    readinessProbe: {tcpSocket: {port: 8080}}\n");
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	cr_expect_eq(
		seal_json_u64(rig_at(output, "0.spec.initContainers.0.startupProbe.httpGet.port")),
		16000);
	cr_expect(rig_reports(&rig, INJECT_WARNED, "own port 8080"));
	round_of(&rig, text);
	rig_refuses(&rig, SEAL_E_FORMAT, "proxy-config",
		    NOTED("seal-control.io/proxy-config: 'a: ['", ""));
	rig_refuses(&rig, SEAL_E_FORMAT, "no seal-proxy.yaml",
		    NOTED("seal-control.io/proxy-config: hello", ""));
	rig_refuses(&rig, SEAL_E_FORMAT, "health",
		    NOTED("seal-control.io/proxy-config: 'health: unix:/x'", ""));
}

Test(pod, listeners_that_cannot_be_are_refused)
{
	static const char *const bad[] = { "8443",       "8443=", "=8080",   "0=8080",
					   "70000=8080", "a=b",   "8443=x:y" };
	char text[512];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		(void)snprintf(text, sizeof(text), NOTED("seal-control.io/inbound: '%s'", ""),
			       bad[i]);
		rig_refuses(&rig, SEAL_E_FORMAT, "seal-control.io/inbound", text);
	}
	rig_refuses(&rig, SEAL_E_FORMAT, "name the Secret",
		    NOTED("seal-control.io/public: '443=8080'", ""));
	rig_refuses(&rig, SEAL_E_FORMAT, "no name of a Secret",
		    NOTED("seal-control.io/public: '443=8080/A_B'", ""));
}

Test(pod, probes_of_ports_the_proxy_owns_are_warned_of_rewritten_or_kept)
{
	static const char probe[] =
		"    ports: [{name: http, containerPort: 8080}]\n"
		"    readinessProbe: {httpGet: {port: http, path: /x}, periodSeconds: 7}\n";
	char text[512];
	RIG;

	(void)snprintf(text, sizeof(text), NOTED("seal-control.io/inbound: '8443=8080'", "%s"),
		       probe);
	(void)rig_must(&rig, text);
	cr_expect(rig_reports(&rig, INJECT_WARNED, "readinessProbe"));
	(void)snprintf(
		text, sizeof(text),
		NOTED("seal-control.io/inbound: '8443=8080', seal-control.io/probes: keep", "%s"),
		probe);
	(void)rig_must(&rig, text);
	cr_expect_not(rig_reports(&rig, INJECT_WARNED, "readinessProbe"));
	(void)snprintf(
		text, sizeof(text),
		NOTED("seal-control.io/inbound: '8443=8080', seal-control.io/probes: readyz", "%s"),
		probe);
	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, CONTAINER ".readinessProbe.httpGet.path", "/readyz");
	cr_expect_eq(seal_json_u64(rig_at(output, CONTAINER ".readinessProbe.periodSeconds")), 7);
	round_of(&rig, text);
	rig_refuses(&rig, SEAL_E_FORMAT, "probes", NOTED("seal-control.io/probes: off!", ""));
}

Test(pod, annotations_of_object_and_template_must_agree)
{
	static const char text[] =
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, annotations: "
		"{seal-control.io/inbound: '%s'}}\nspec: {template: {metadata: {annotations: "
		"{seal-control.io/inbound: '1=2', x: z1}}, spec: {containers: [{name: a, image: "
		"i}]}}}\n";
	char made[512];
	RIG;

	(void)snprintf(made, sizeof(made), text, "1=2");
	round_of(&rig, made);
	(void)snprintf(made, sizeof(made), text, "1=3");
	rig_refuses(&rig, SEAL_E_FORMAT, "says two things", made);
}

Test(pod, the_certificate_of_a_public_listener_is_a_sealed_secret)
{
	static const char text[] =
		NOTED("seal-control.io/public: '443=8080/cert;444=8080/cert'", "");
	static const char whole[] = NOTED("seal-control.io/proxy-config: 'public: [{listen: 443, "
					  "forward: 8080, secret: s1, certificate: "
					  "/c/a.crt, key: /c/a.key, certificates: [{secret: s2, "
					  "certificate: /d/b.crt, key: /d/b.key}]}]'",
					  "");
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, "0.spec.volumes.0.name", "seal-public-0");
	expect_str(output, "0.spec.volumes.0.secret.secretName", "cert");
	expect_str(output, "0.spec.initContainers.0.volumeMounts.1.mountPath",
		   "/run/seal-public/cert");
	cr_expect_null(rig_at(output, "0.spec.initContainers.0.volumeMounts.2"));
	rig_round(&rig, text, strlen(text));
	(void)rig_must(&rig, whole);
	cr_expect_not_null(strstr(seal_bytes_str(&rig.out), "mountPath: /d"));
	rig_round(&rig, whole, strlen(whole));
	rig_refuses(&rig, SEAL_E_FORMAT, "absolute path",
		    NOTED("seal-control.io/proxy-config: 'public: [{listen: 443, forward: 8080, "
			  "secret: s1, "
			  "certificate: a.crt, key: a.key}]'",
			  ""));
}

/* ---- Once more ---- */

Test(pod, what_was_changed_after_it_was_sealed_is_refused)
{
	static const char *const changes[][2] = {
		{ "        name: app\n", "        name: ap2\n" },
		{ "    image: i\n", "    args: [x]\n    image: i\n" },
		{ "    image: i\n", "    env: [{name: A, value: x1}]\n    image: i\n" },
		{ "    image: i\n", "    workingDir: /x\n    image: i\n" },
		{ "    image: i\n", "    livenessProbe: {exec: {command: [x1]}}\n    image: i\n" },
		{ "  containers:\n",
		  "  containers:\n  - name: more\n    image: i\n    command: [/x]\n" },
		{ "kind: Pod", "kind: PodTemplate" },
	};
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(65536);
	RIG;

	(void)rig_must(&rig, ONE("    command: [/a]\n"));
	cr_assert_eq(seal_bytes_append(&sealed, rig.out.data, rig.out.len, NULL), 0);
	for (size_t i = 1; i + 1 < SEAL_COUNT(changes); i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(65536);
		const char *all = seal_bytes_str(&sealed);
		const char *at = strstr(all, changes[i][0]);

		cr_assert_not_null(at, "%s", changes[i][0]);
		cr_assert_eq(seal_bytes_append(&text, all, (size_t)(at - all), NULL), 0);
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "%s%s", changes[i][1],
						   at + strlen(changes[i][0])),
			     0);
		rig_refuses(&rig, SEAL_E_REFUSED, "inject the original", seal_bytes_str(&text));
	}
}
