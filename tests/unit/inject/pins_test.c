/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that the owner pins: what a runtime adds to a pod, in the policy of each container. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/inject/rig.h"

#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)
#define APP "  - name: app\n    image: i\n"
#define PINS_POD(mounts, spec)                                                                     \
	"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n"                        \
	"    seal-control.io/verify-policy: |\n"                                                   \
	"      mounts: [" mounts "]\n"                                                             \
	"spec:\n  containers:\n" APP spec
#define PINS(mounts)   PINS_POD(mounts, "")
#define VOLUME(more)   "    volumeMounts: [{name: v, mountPath: /v" more "}]\n"
#define IN_VOLUME(is)  "  volumes: [{name: v, " is "}]\n"
#define COMMAND(index) "0.spec.containers." index ".command.1"

static const struct seal_json *
mounts_of(struct rig *rig, const char *text, const char *command, struct seal_json **ret_spec)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *output = NULL;

	(void)rig_must(rig, text);
	output = rig_json(seal_bytes_str(&rig->out), rig->out.len);
	*ret_spec = rig_spec(rig, output, command);
	return rig_at(*ret_spec, "verify.mounts");
}

static void
expect_mount(const struct seal_json *mounts, size_t index, const char *text)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes is = SEAL_BYTES(4096);

	cr_assert_lt(index, seal_json_count(mounts));
	cr_assert_eq(seal_json_dump(seal_json_at(mounts, index), false, &is, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&is), text);
}

Test(pinned_mounts, are_declared_as_they_are_written)
{
	static const char text[] =
		PINS("{path: /run/secrets, source: volume, readOnly: true}, "
		     "{path: /etc/passwd, source: volume, optional: true}, "
		     "{path: /usr/lib/x86_64-linux-gnu/libgpu.so.1, source: volume, "
		     "propagation: HostToContainer}, {path: /scratch, source: memory}");
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	const struct seal_json *mounts;
	RIG;

	mounts = mounts_of(&rig, text, COMMAND("0"), &spec);
	cr_expect_eq(seal_json_count(mounts), 5, "and the memory of seal");
	expect_mount(mounts, 1,
		     "{\"path\":\"/run/secrets\",\"source\":\"volume\",\"readOnly\":true}");
	expect_mount(mounts, 2,
		     "{\"path\":\"/etc/passwd\",\"source\":\"volume\",\"optional\":true}");
	expect_mount(mounts, 3,
		     "{\"path\":\"/usr/lib/x86_64-linux-gnu/libgpu.so.1\",\"source\":\"volume\","
		     "\"propagation\":\"HostToContainer\"}");
	expect_mount(mounts, 4, "{\"path\":\"/scratch\",\"source\":\"memory\"}");
	cr_expect(rig_reports(&rig, INJECT_ADDED, "what is in pinned mounts"));
	rig_round(&rig, text, strlen(text));
}

Test(pinned_mounts, are_for_every_container_and_come_from_a_file_too)
{
	static const char pins[] = "mounts: [{path: /run/secrets, source: volume}]\n";
	const struct inject_input file = { "pins.yaml", pins, sizeof(pins) - 1 };
	RIG;

	rig.options.policy = &file;
	for (unsigned i = 0; i < 2; i++) {
		SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;

		expect_mount(mounts_of(&rig,
				       "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
				       "  containers:\n  - {name: a, image: i}\n"
				       "  - {name: b, image: i}\n",
				       i == 0 ? COMMAND("0") : COMMAND("1"), &spec),
			     1, "{\"path\":\"/run/secrets\",\"source\":\"volume\"}");
	}
	(void)rig_must(&rig, PINS("{path: /run/secrets, source: volume}"));
	rig_refuses(&rig, SEAL_E_REFUSED, "mounts is pinned twice",
		    PINS("{path: /run/secrets, source: volume, optional: true}"));
	rig_refuses(&rig, SEAL_E_REFUSED, "mounts is pinned twice",
		    PINS("{path: /run/secrets, source: volume}, {path: /x, source: volume}"));
}

Test(pinned_mounts, may_say_what_the_pod_says_and_nothing_else_of_its_paths)
{
	RIG;

#define DATA IN_VOLUME("emptyDir: {}")
	(void)rig_must(&rig, PINS_POD("{path: /v, source: volume}", VOLUME("") DATA));
	(void)rig_must(&rig, PINS_POD("{path: /v, source: volume, readOnly: true}",
				      VOLUME(", readOnly: true") DATA));
	(void)rig_must(&rig, PINS_POD("{path: /v, source: volume, propagation: None, readOnly: "
				      "false, optional: false}",
				      VOLUME("") DATA));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned as another mount than the pod's",
		    PINS_POD("{path: /v, source: memory}", VOLUME("") DATA));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned",
		    PINS_POD("{path: /v, source: volume, readOnly: true}", VOLUME("") DATA));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned",
		    PINS_POD("{path: /v, source: volume}", VOLUME(", readOnly: true") DATA));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned",
		    PINS_POD("{path: /v, source: volume, optional: true}", VOLUME("") DATA));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned",
		    PINS_POD("{path: /v, source: volume, propagation: Bidirectional}",
			     VOLUME("") DATA));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned",
		    PINS_POD("{path: /v, source: volume}",
			     VOLUME("/") IN_VOLUME("emptyDir: {medium: Memory}")));
	/* Sealed files are in memory. */
	rig_refuses(&rig, SEAL_E_REFUSED, "'/v' is pinned",
		    PINS_POD("{path: /v, source: volume, readOnly: true}",
			     VOLUME("") IN_VOLUME("configMap: {name: c}")));
	rig_refuses(
		&rig, SEAL_E_REFUSED, "'/last' is pinned",
		PINS_POD("{path: /last, source: memory}", "    terminationMessagePath: /last\n"));
	rig_refuses(&rig, SEAL_E_REFUSED, "'/run/seal' is pinned",
		    PINS("{path: /run/seal, source: volume}"));
}

Test(pinned_mounts, are_refused_where_nothing_may_be_mounted)
{
	static const char *const paths[] = {
		"/",
		"/etc",
		"/proc",
		"/proc/driver",
		"/sys",
		"/sys/x",
		"/etc/seal",
		"/etc/seal/token",
		"/etc/ld.so.preload",
		"/usr",
		"/usr/bin",
		"/lib",
		"/usr/lib/x86_64-linux-gnu",
		"/dev",
		"/dev/null",
		"/var/run/secrets/kubernetes.io/serviceaccount",
		"/run/secrets/kubernetes.io/serviceaccount",
	};

	for (size_t i = 0; i < SEAL_COUNT(paths); i++) {
		char *text = NULL;
		RIG;

		cr_assert_gt(asprintf(&text, PINS("{path: %s, source: volume}"), paths[i]), 0);
		rig_refuses(&rig, SEAL_E_REFUSED, "verify-policy:1:", text);
		free(text);
	}
}

Test(pinned_mounts, that_are_malformed_are_refused_where_they_stand)
{
	static const struct {
		const char *text;
		enum seal_code code;
	} rows[] = {
		{ "[x]", SEAL_E_FORMAT },
		{ "{path: /x, source: volume}", SEAL_E_FORMAT },
		{ "[{source: volume}]", SEAL_E_FORMAT },
		{ "[{path: /x}]", SEAL_E_FORMAT },
		{ "[{path: x, source: volume}]", SEAL_E_FORMAT },
		{ "[{path: /x/, source: volume}]", SEAL_E_FORMAT },
		{ "[{path: /x/../y, source: volume}]", SEAL_E_FORMAT },
		{ "[{path: /x, source: disk}]", SEAL_E_FORMAT },
		{ "[{path: /x, kind: volume}]", SEAL_E_FORMAT },
		{ "[{path: /x, source: volume, colour: red}]", SEAL_E_FORMAT },
		{ "[{path: /x, source: volume, readOnly: 1}]", SEAL_E_FORMAT },
		{ "[{path: /x, source: volume, optional: null}]", SEAL_E_FORMAT },
		{ "[{path: /x, source: volume, propagation: shared}]", SEAL_E_FORMAT },
		{ "[{path: /x, source: memory, volume: v}]", SEAL_E_REFUSED },
		{ "[{path: /x, source: volume}, {path: /x, source: volume}]", SEAL_E_REFUSED },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char *text = NULL;
		RIG;

		cr_assert_gt(asprintf(&text,
				      "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n"
				      "  annotations:\n    seal-control.io/verify-policy: |\n"
				      "      mounts: %s\nspec:\n  containers:\n" APP,
				      rows[i].text),
			     0);
		rig_refuses(&rig, rows[i].code, "verify-policy:1:", text);
		free(text);
	}
}
