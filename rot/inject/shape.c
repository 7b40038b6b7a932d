/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members that Kubernetes does not have where they stand: misspelt ones, mostly ("stringdata", "arg").  The
 * cluster refuses or ignores them, but it has read them by then, so they are refused here.
 */
#include <string.h>

#include "rot/inject/inject_internal.h"

static const char *const config_map[] = { "apiVersion", "kind",      "metadata", "data",
					  "binaryData", "immutable", NULL };
static const char *const secret[] = { "apiVersion", "kind",      "metadata", "data",
				      "stringData", "immutable", "type",     NULL };
static const char *const list[] = { "apiVersion", "kind", "metadata", "items", NULL };
static const char *const container[] = { "name",
					 "image",
					 "command",
					 "args",
					 "workingDir",
					 "ports",
					 "envFrom",
					 "env",
					 "resources",
					 "resizePolicy",
					 "restartPolicy",
					 "restartPolicyRules",
					 "volumeMounts",
					 "volumeDevices",
					 "livenessProbe",
					 "readinessProbe",
					 "startupProbe",
					 "lifecycle",
					 "terminationMessagePath",
					 "terminationMessagePolicy",
					 "imagePullPolicy",
					 "securityContext",
					 "stdin",
					 "stdinOnce",
					 "tty",
					 NULL };
static const char *const lifecycle[] = { "postStart", "preStop", "stopSignal", NULL };
static const char *const handler[] = { "exec", "httpGet", "tcpSocket", "grpc", "sleep", NULL };
static const char *const exec[] = { "command", NULL };

static const struct shape {
	const char *what;
	const char *const *members;
} shapes[] = {
	[INJECT_SHAPE_CONFIG_MAP] = { "a ConfigMap", config_map },
	[INJECT_SHAPE_SECRET] = { "a Secret", secret },
	[INJECT_SHAPE_LIST] = { "a list", list },
	[INJECT_SHAPE_CONTAINER] = { "a container", container },
	[INJECT_SHAPE_LIFECYCLE] = { "lifecycle", lifecycle },
	[INJECT_SHAPE_HANDLER] = { "a probe or hook", handler },
	[INJECT_SHAPE_EXEC] = { "exec", exec },
};

static bool
is_known(const char *const *members, const char *name)
{
	while (*members != NULL && strcmp(*members, name) != 0)
		members++;
	return *members != NULL;
}

/* Numbers and booleans give nothing away: a newer Kubernetes may have them, as probes have many. */
static bool
is_harmless(const struct seal_tree_node *node)
{
	enum seal_tree_kind kind = seal_tree_kind(node);

	return kind == SEAL_TREE_NULL || kind == SEAL_TREE_NUMBER || kind == SEAL_TREE_BOOL;
}

int
inject_check_shape(const struct inject_item *item, const struct seal_tree_node *map,
		   enum inject_shape shape, struct seal_err *err)
{
	if (map == NULL || seal_tree_kind(map) != SEAL_TREE_MAP)
		return 0;
	for (const struct seal_tree_node *at = seal_tree_first(map); at != NULL;
	     at = seal_tree_next_of(at)) {
		if (!is_known(shapes[shape].members, seal_tree_key(at)) && !is_harmless(at))
			return inject_fail(item, at, err, SEAL_E_REFUSED,
					   "%s has no member '%.64s', which would go out in clear",
					   shapes[shape].what, seal_tree_key(at));
	}
	return 0;
}
