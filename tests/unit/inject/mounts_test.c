/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts: sealed files are handed in elsewhere and appear in memory where they were expected. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/inject/rig.h"

#define VOLUMES                                                                                    \
	"  volumes:\n"                                                                             \
	"  - {name: c, configMap: {name: conf, defaultMode: 0640, optional: true}}\n"              \
	"  - {name: i, secret: {secretName: s, items: [{key: k1, path: d/one, mode: 0500}, {key: " \
	"k2, path: two}]}}\n"                                                                      \
	"  - {name: e, emptyDir: {}}\n"                                                            \
	"  - {name: h, hostPath: {path: /}}\n"                                                     \
	"  - name: p\n    projected:\n      sources:\n"                                            \
	"      - {secret: {name: s, items: [{key: k1, path: a/k1}]}}\n"                            \
	"      - {configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}}\n"    \
	"      - {serviceAccountToken: {path: token}}\n"                                           \
	"      - {downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: "                     \
	"metadata.labels}}]}}\n"
#define POD(mounts)                                                                                \
	"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" VOLUMES                          \
	"  containers:\n  - name: app\n    image: i\n    securityContext: {runAsUser: 7}\n"        \
	"    volumeMounts: [" mounts "]\n"
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

static uint64_t
number_at(const struct seal_json *json, const char *path)
{
	const struct seal_json *is = rig_at(json, path);

	cr_assert_not_null(is, "%s is not there", path);
	return seal_json_u64(is);
}

Test(mounts, of_a_config_map_become_a_source_and_memory)
{
	static const char text[] =
		POD("{name: c, mountPath: /etc/app/, readOnly: true}, {name: e, mountPath: /tmp}");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	cr_expect_eq(number_at(output, "0.spec.volumes.0.configMap.defaultMode"), 0444);
	expect_str(output, CONTAINER ".volumeMounts.0.mountPath", "/run/seal-source/0");
	cr_expect(seal_json_bool(rig_at(output, CONTAINER ".volumeMounts.0.readOnly")));
	expect_str(output, CONTAINER ".volumeMounts.1.name", "seal-files-0");
	expect_str(output, CONTAINER ".volumeMounts.1.mountPath", "/etc/app");
	expect_str(output, CONTAINER ".volumeMounts.2.mountPath", "/tmp");
	expect_str(output, CONTAINER ".volumeMounts.3.mountPath", "/run/seal");
	expect_str(output, "0.spec.volumes.5.emptyDir.medium", "Memory");
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "files.0.source", "/run/seal-source/0");
	expect_str(spec, "files.0.target", "/etc/app");
	expect_str(spec, "files.0.objects.0.name", "conf");
	cr_expect(seal_json_bool(rig_at(spec, "files.0.objects.0.optional")));
	cr_expect_eq(number_at(spec, "files.0.mode"), 0640);
	expect_str(spec, "container.volumeMounts.0.mountPath", "/etc/app/");
	rig_round(&rig, text, strlen(text));
}

Test(mounts, items_keep_their_modes_in_the_spec_only)
{
	static const char text[] = POD("{name: i, mountPath: /s}");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	cr_expect_null(rig_at(output, "0.spec.volumes.1.secret.items.0.mode"));
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "files.0.source", "/run/seal-source/1");
	expect_str(spec, "files.0.objects.0.items.0.path", "d/one");
	cr_expect_eq(number_at(spec, "files.0.objects.0.items.0.mode"), 0500);
	rig_round(&rig, text, strlen(text));
}

Test(mounts, of_one_file_get_a_placeholder_from_an_init_container)
{
	static const char text[] = POD("{name: i, mountPath: /etc/one.conf, subPath: d/one}, "
				       "{name: c, mountPath: /x, subPath: k}");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *place = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, "0.spec.initContainers.0.name", "seal-proxy");
	expect_str(output, "0.spec.initContainers.1.name", "seal-place-0");
	cr_expect_eq(number_at(output, "0.spec.initContainers.1.securityContext.runAsUser"), 7);
	expect_str(output, "0.spec.initContainers.1.volumeMounts.0.mountPath", "/run/seal-place/0");
	expect_str(output, "0.spec.initContainers.1.volumeMounts.2.mountPath", "/run/seal");
	expect_str(output, CONTAINER ".volumeMounts.1.subPath", "one");
	place = rig_spec(&rig, output, "0.spec.initContainers.1.command.1");
	expect_str(place, "place.0", "/run/seal-place/0/one");
	expect_str(place, "place.1", "/run/seal-place/1/k");
	expect_str(place, "container.name", "app");
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "files.0.file", "d/one");
	expect_str(spec, "files.0.target", "/etc/one.conf");
	rig_round(&rig, text, strlen(text));
}

Test(mounts, of_a_directory_in_a_volume_hold_what_is_below)
{
	static const char text[] = POD("{name: i, mountPath: /s, subPath: d}");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	cr_expect_null(rig_at(output, "0.spec.initContainers.1"));
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "files.0.source", "/run/seal-source/1/d");
	expect_str(spec, "files.0.objects.0.items.0.path", "one");
	cr_expect_null(rig_at(spec, "files.0.objects.0.items.1"));
	rig_round(&rig, text, strlen(text));
}

Test(mounts, projected_volumes_say_what_comes_in_clear)
{
	static const char text[] = POD("{name: p, mountPath: /var/p}");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	spec = rig_spec(&rig, output, CONTAINER ".command.1");
	expect_str(spec, "files.0.objects.0.name", "s");
	expect_str(spec, "files.0.plain.0", "ca.crt");
	expect_str(spec, "files.0.plain.1", "token");
	expect_str(spec, "files.0.plain.2", "labels");
	rig_round(&rig, text, strlen(text));
}

Test(mounts, two_of_one_volume_share_a_source_and_nothing_else)
{
	static const char text[] = POD("{name: c, mountPath: /a}, {name: c, mountPath: /b}");
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, CONTAINER ".volumeMounts.0.mountPath", "/run/seal-source/0");
	expect_str(output, CONTAINER ".volumeMounts.1.name", "seal-files-0");
	expect_str(output, CONTAINER ".volumeMounts.2.name", "seal-files-1");
	cr_expect_eq(seal_json_count(rig_at(output, CONTAINER ".volumeMounts")), 4);
	rig_round(&rig, text, strlen(text));
}

Test(mounts, that_cannot_be_are_refused)
{
	static const struct {
		enum seal_code code;
		const char *sentence;
		const char *mount;
	} rows[] = {
		{ SEAL_E_FORMAT, "no volume 'z'", "{name: z, mountPath: /a}" },
		{ SEAL_E_FORMAT, "without a name", "{mountPath: /a}" },
		{ SEAL_E_FORMAT, "without a mountPath", "{name: c}" },
		{ SEAL_E_FORMAT, "':'", "{name: c, mountPath: '/a:b'}" },
		{ SEAL_E_FORMAT, "absolute", "{name: c, mountPath: a}" },
		{ SEAL_E_FORMAT, "'..'", "{name: c, mountPath: /a/../b}" },
		{ SEAL_E_FORMAT, "empty part", "{name: c, mountPath: /a//b}" },
		{ SEAL_E_FORMAT, "two mounts",
		  "{name: c, mountPath: /a}, {name: e, mountPath: /a/}" },
		{ SEAL_E_REFUSED, "hide the image", "{name: c, mountPath: /}" },
		{ SEAL_E_REFUSED, "kernel's own", "{name: e, mountPath: /proc/x}" },
		{ SEAL_E_REFUSED, "/sys or /dev", "{name: c, mountPath: /dev/x}" },
		{ SEAL_E_REFUSED, "/sys or /dev", "{name: c, mountPath: /sys}" },
		{ SEAL_E_REFUSED, "is ours", "{name: e, mountPath: /run/seal}" },
		{ SEAL_E_REFUSED, "is ours", "{name: e, mountPath: /run/seal-source/0}" },
		{ SEAL_E_REFUSED, "is ours", "{name: e, mountPath: /run/seal-place}" },
		{ SEAL_E_REFUSED, "seal-wrap", "{name: e, mountPath: /seal-wrap}" },
		{ SEAL_E_REFUSED, "token", "{name: e, mountPath: /etc}" },
		{ SEAL_E_REFUSED, "token", "{name: e, mountPath: /etc/seal}" },
		{ SEAL_E_FORMAT, "'..'", "{name: c, mountPath: /a, subPath: ../x}" },
		{ SEAL_E_FORMAT, "'..'", "{name: c, mountPath: /a, subPath: x/../../y}" },
		{ SEAL_E_FORMAT, "relative", "{name: c, mountPath: /a, subPath: /x}" },
		{ SEAL_E_REFUSED, "no such file", "{name: i, mountPath: /a, subPath: k1}" },
		{ SEAL_E_REFUSED, "no such file", "{name: c, mountPath: /a, subPath: x/y}" },
		{ SEAL_E_REFUSED, "subPathExpr", "{name: c, mountPath: /a, subPathExpr: $(A)}" },
	};
	char text[2048];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		(void)snprintf(text, sizeof(text), POD("%s"), rows[i].mount);
		rig_refuses(&rig, rows[i].code, rows[i].sentence, text);
	}
	(void)rig_must(&rig, POD("{name: e, mountPath: /dev/shm}, {name: h, mountPath: /sys/fs}, "
				 "{name: e, mountPath: /run}"));
	cr_expect(rig_reports(&rig, INJECT_WARNED, "hostPath"));
	cr_expect(rig_reports(&rig, INJECT_WARNED, "/sys/fs"));
}

Test(mounts, volumes_that_cannot_be_are_refused)
{
	static const char *const rows[][2] = {
		{ "two volumes", "{name: a, emptyDir: {}}, {name: a, emptyDir: {}}" },
		{ "are ours", "{name: seal-run, emptyDir: {}}" },
		{ "without a name", "{emptyDir: {}}" },
		{ "no secretName", "{name: a, secret: {}}" },
		{ "relative", "{name: a, secret: {secretName: s, items: [{key: a, path: ../x}]}}" },
		{ "relative", "{name: a, secret: {secretName: s, items: [{key: a, path: /x}]}}" },
		{ "key and path", "{name: a, secret: {secretName: s, items: [{key: a}]}}" },
		{ "not known here",
		  "{name: a, projected: {sources: [{secret: {name: s}}, {other: {}}]}}" },
		{ "by items", "{name: a, projected: {sources: [{secret: {name: s}}, {configMap: "
			      "{name: plain}}]}}" },
	};
	char text[1024];
	RIG;

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		(void)snprintf(text, sizeof(text),
			       "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: "
			       "{seal-control.io/plain-objects: ConfigMap/plain}}\nspec:\n  "
			       "volumes: [%s]\n"
			       "  containers: [{name: c, image: i, volumeMounts: [{name: a, "
			       "mountPath: /a}]}]\n",
			       rows[i][1]);
		cr_expect_lt(rig_inject(&rig, text, strlen(text)), 0, "%s", rows[i][1]);
		cr_expect_not_null(strstr(rig.err.text, rows[i][0]), "%s: %s", rows[i][1],
				   rig.err.text);
	}
}

Test(mounts, of_objects_in_clear_stay)
{
	static const char text[] =
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: "
		"{seal-control.io/plain-objects: ConfigMap/plain}}\nspec:\n  volumes: [{name: a, "
		"configMap: {name: plain}}]\n"
		"  containers: [{name: c, image: i, volumeMounts: [{name: a, mountPath: /a}]}]\n";
	RIG;

	(void)rig_must(&rig, text);
	OUTPUT;
	expect_str(output, CONTAINER ".volumeMounts.0.mountPath", "/a");
	cr_expect_null(rig_at(output, "0.spec.volumes.0.configMap.defaultMode"));
	rig_round(&rig, text, strlen(text));
}
