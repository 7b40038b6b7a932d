/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sidecar, and the volumes and init containers that come with it: what is in the pod for us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

#define PROXY_UID      65532
#define RUN_SIZE_LIMIT "16Mi"

/* ---- Its parts ---- */

static void
set_security(struct seal_json *proxy)
{
	struct seal_json *security = seal_json_set_object(proxy, "securityContext");

	seal_json_set_bool(security, "allowPrivilegeEscalation", false);
	seal_json_add_str(
		seal_json_set_array(seal_json_set_object(security, "capabilities"), "drop"), "ALL");
	seal_json_set_bool(security, "readOnlyRootFilesystem", true);
	seal_json_set_bool(security, "runAsNonRoot", true);
	seal_json_set_u64(security, "runAsUser", PROXY_UID);
	seal_json_set_u64(security, "runAsGroup", PROXY_UID);
	seal_json_set_str(seal_json_set_object(security, "seccompProfile"), "type",
			  "RuntimeDefault");
}

static void
set_resources(struct seal_json *proxy)
{
	struct seal_json *resources = seal_json_set_object(proxy, "resources");
	struct seal_json *requests = seal_json_set_object(resources, "requests");

	seal_json_set_str(requests, "cpu", "10m");
	seal_json_set_str(requests, "memory", "32Mi");
	seal_json_set_str(seal_json_set_object(resources, "limits"), "memory", "128Mi");
}

static void
set_probe(const struct inject_pod *pod, struct seal_json *proxy, const char *member,
	  const char *path, uint64_t period, uint64_t failures)
{
	struct seal_json *probe = seal_json_set_object(proxy, member);
	struct seal_json *get = seal_json_set_object(probe, "httpGet");

	seal_json_set_str(get, "path", path);
	seal_json_set_u64(get, "port", pod->health_port);
	seal_json_set_u64(probe, "periodSeconds", period);
	seal_json_set_u64(probe, "failureThreshold", failures);
}

static void
set_ports(const struct inject_pod *pod, struct seal_json *proxy)
{
	struct seal_json *ports;

	if (pod->open.count == 0)
		return;
	ports = seal_json_set_array(proxy, "ports");
	for (size_t i = 0; i < pod->open.count; i++) {
		struct seal_json *port = seal_json_add_object(ports);
		uint64_t number = 0;

		/* Every one of them was read as a number before. */
		if (seal_number_parse(pod->open.items[i], 1, UINT16_MAX, &number, NULL) == 0)
			seal_json_set_u64(port, "containerPort", number);
		seal_json_set_str(port, "protocol", "TCP");
	}
}

static void
add_mount(struct seal_json *mounts, const char *name, const char *path, bool read_only)
{
	struct seal_json *mount = seal_json_add_object(mounts);

	seal_json_set_str(mount, "name", name);
	seal_json_set_str(mount, "mountPath", path);
	if (read_only)
		seal_json_set_bool(mount, "readOnly", true);
}

static void
set_mounts(const struct inject_pod *pod, struct seal_json *proxy)
{
	struct seal_json *mounts = seal_json_set_array(proxy, "volumeMounts");

	add_mount(mounts, INJECT_RUN_VOLUME, INJECT_RUN_DIR, false);
	for (size_t i = 0; i < seal_json_count(pod->public); i++) {
		const struct seal_json *entry = seal_json_at(pod->public, i);

		add_mount(mounts, seal_json_str(seal_json_member(entry, "volume")),
			  seal_json_str(seal_json_member(entry, "directory")), true);
	}
}

static void
add_variable(struct seal_json *env, const char *name, const char *value)
{
	struct seal_json *variable = seal_json_add_object(env);

	seal_json_set_str(variable, "name", name);
	seal_json_set_str(variable, "value", value);
}

static int
set_env(const struct inject_pod *pod, struct seal_json *proxy, struct seal_err *err)
{
	struct seal_json *env = seal_json_set_array(proxy, "env");
	char digest[INJECT_DEPENDS_SIZE];
	int r = inject_depends(pod->item, pod->spec, digest, err);

	if (r < 0)
		return r;
	if (pod->rules.hostnames != NULL)
		add_variable(env, "HOSTNAMES", pod->rules.hostnames);
	add_variable(env, INJECT_DEPENDS_VAR, digest);
	return 0;
}

static int
build(const struct inject_pod *pod, const char *sealed, struct seal_json *proxy,
      struct seal_err *err)
{
	struct seal_json *args;

	seal_json_set_str(proxy, "name", VERIFY_PROXY_NAME);
	seal_json_set_str(proxy, "image", pod->item->run->options->proxy_image);
	seal_json_set_str(proxy, "restartPolicy", "Always");
	args = seal_json_set_array(proxy, "args");
	seal_json_add_str(args, "--sealed-config");
	seal_json_add_str(args, sealed);
	set_ports(pod, proxy);
	set_security(proxy);
	set_resources(proxy);
	set_probe(pod, proxy, "startupProbe", "/readyz", 1, 120);
	set_probe(pod, proxy, "readinessProbe", "/readyz", 5, 3);
	set_probe(pod, proxy, "livenessProbe", "/healthz", 10, 3);
	set_mounts(pod, proxy);
	return set_env(pod, proxy, err);
}

/* ---- Into the pod ---- */

static int
seal_config(struct inject_pod *pod, char placeholder[static INJECT_PLACEHOLDER],
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *value = seal_json_new();

	seal_json_set_u64(value, "version", 1);
	seal_json_set_copy(value, "config", pod->proxy);
	seal_json_set_copy(value, "pod", pod->kept);
	return inject_plan_json(pod->item, pod->spec, VERIFY_PROXY_KEY, VERIFY_PROXY_NAME, value,
				placeholder, err);
}

static void
add_volumes(struct inject_pod *pod)
{
	struct seal_tree *tree = pod->item->tree;
	struct seal_tree_node *volumes = seal_tree_need_list(tree, pod->spec, "volumes");

	inject_add_memory(pod, INJECT_RUN_VOLUME, RUN_SIZE_LIMIT);
	for (size_t i = 0; i < seal_json_count(pod->memory); i++)
		(void)seal_tree_add_json(tree, volumes, seal_json_at(pod->memory, i));
	inject_note(pod->item, pod->spec, INJECT_ADDED, NULL, "%zu volumes",
		    seal_json_count(pod->memory));
}

int
inject_sidecar(struct inject_pod *pod, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *proxy = seal_json_new();
	struct seal_tree *tree = pod->item->tree;
	struct seal_tree_node *list;
	char placeholder[INJECT_PLACEHOLDER];
	int r = seal_config(pod, placeholder, err);

	if (r < 0)
		return r;
	add_volumes(pod);
	list = seal_tree_need_list(tree, pod->spec, "initContainers");
	for (size_t i = seal_json_count(pod->places); i > 0; i--)
		(void)seal_tree_push_json(tree, list, seal_json_at(pod->places, i - 1));
	r = build(pod, placeholder, proxy, err); /* the pod is whole now, but for it */
	if (r < 0)
		return r;
	(void)seal_tree_push_json(tree, list, proxy);
	inject_note(pod->item, pod->spec, INJECT_ADDED,
		    pod->open.count > 0 ? NULL : "without inbound listeners",
		    "sidecar " VERIFY_PROXY_NAME);
	return 0;
}
