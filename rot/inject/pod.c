/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that has a pod in it: where the pod is, what is true of it as a whole, and the order of the
 * work.
 */
#include <stdlib.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

#define MAX_KEPT_NOTE (32u * 1024) /* bytes of an annotation that is kept for the way back */

/* ---- Where the pod is ---- */

static const struct kind {
	const char *kind;
	bool is_core; /* apiVersion: v1 */
	const char *path[5];
} kinds[] = {
	{ "CronJob", false, { "spec", "jobTemplate", "spec", "template", NULL } },
	{ "DaemonSet", false, { "spec", "template", NULL } },
	{ "Deployment", false, { "spec", "template", NULL } },
	{ "Job", false, { "spec", "template", NULL } },
	{ "Pod", true, { NULL } },
	{ "PodTemplate", true, { "template", NULL } },
	{ "ReplicaSet", false, { "spec", "template", NULL } },
	{ "ReplicationController", true, { "spec", "template", NULL } },
	{ "StatefulSet", false, { "spec", "template", NULL } },
};

/* Kinds of that name have the same shape in the groups of others (kruise's StatefulSet). */
static bool
is_workload_group(const char *api)
{
	return api[0] == '\0' || strchr(api, '/') != NULL;
}

static const struct kind *
find_kind(const char *kind, const char *api)
{
	for (size_t i = 0; i < SEAL_COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		if (kinds[i].is_core ? api[0] == '\0' || strcmp(api, "v1") == 0
				     : is_workload_group(api))
			return &kinds[i];
	}
	return NULL;
}

bool
inject_is_pod_kind(const char *kind, const char *api)
{
	return find_kind(kind, api) != NULL;
}

bool
inject_find_pod(const struct inject_item *item, struct seal_tree_node **ret_spec,
		struct seal_tree_node **ret_meta)
{
	const struct kind *kind = find_kind(item->kind, item->api);
	struct seal_tree_node *at = item->root;

	for (size_t i = 0; kind->path[i] != NULL && at != NULL; i++)
		at = inject_get(at, kind->path[i]);
	*ret_meta = inject_get(at, "metadata");
	*ret_spec = inject_get(at, "spec");
	return *ret_spec != NULL && seal_tree_kind(*ret_spec) == SEAL_TREE_MAP;
}

/* ---- What is true of the pod as a whole ---- */

static int
check_pod(const struct inject_pod *pod, struct seal_err *err)
{
	static const struct {
		const char *member;
		const char *why;
	} doubtful[] = {
		{ "hostNetwork",
		  "the node's loopback is not the pod's: plaintext is in reach of others" },
		{ "hostPID", "the pod shares the node's processes" },
		{ "hostIPC", "the pod shares the node's memory segments" },
		{ "shareProcessNamespace",
		  "other containers can stop and read the application, and seal-wrap that watches "
		  "it, as the same user or root: it does what it can" },
	};
	struct seal_tree_node *ephemeral = NULL;
	int r = inject_member_list(pod->item, pod->spec, "ephemeralContainers", &ephemeral, err);

	if (r < 0)
		return r;
	if (ephemeral != NULL && seal_tree_count(ephemeral) > 0)
		return inject_fail(pod->item, ephemeral, err, SEAL_E_REFUSED,
				   "ephemeralContainers: debugging from outside has no place in a "
				   "sealed pod");
	for (size_t i = 0; i < SEAL_COUNT(doubtful); i++) {
		if (inject_is_true(pod->spec, doubtful[i].member))
			inject_note(pod->item, inject_get(pod->spec, doubtful[i].member),
				    INJECT_WARNED, doubtful[i].why, "%s", doubtful[i].member);
	}
	return 0;
}

/* Absent, null, or a list: all three come back as they were. */
static void
keep_list(struct inject_pod *pod, const char *member)
{
	const struct seal_tree_node *node = seal_tree_get(pod->spec, member);

	if (node == NULL)
		return;
	if (seal_tree_kind(node) == SEAL_TREE_NULL)
		seal_json_set_null(pod->kept, member);
	else
		pod->kept_volumes = seal_json_set_array(pod->kept, member);
}

/* ---- Annotations that leave the output ---- */

/* They say who speaks with whom, what is sealed now, or repeat the object in clear. */
static const char *const consumed[] = { INJECT_ANNOTATION "inbound",
					INJECT_ANNOTATION "outbound",
					INJECT_ANNOTATION "public",
					INJECT_ANNOTATION "proxy-config",
					INJECT_ANNOTATION "verify",
					INJECT_ANNOTATION "verify-policy",
					INJECT_COPIES };

static void
consume(struct inject_pod *pod, struct seal_tree_node *meta, const char *member)
{
	struct seal_tree_node *notes = inject_get(meta, "annotations");
	struct seal_json *kept = NULL;

	for (size_t i = 0; i < SEAL_COUNT(consumed); i++) {
		const struct seal_tree_node *note = inject_get(notes, consumed[i]);
		size_t len = 0;
		bool fits;

		if (note == NULL)
			continue;
		(void)seal_tree_text(note, &len);
		fits = seal_tree_kind(note) == SEAL_TREE_STRING && len <= MAX_KEPT_NOTE;
		if (kept == NULL)
			kept = seal_json_set_object(pod->kept, member);
		if (fits)
			seal_tree_set_in_json(note, kept, consumed[i]);
		inject_note(pod->item, note, fits ? INJECT_SEALED : INJECT_CHANGED,
			    fits ? NULL
				 : "removed, and no text, or too long to be kept for seal unseal",
			    "annotation %s", consumed[i]);
		seal_tree_remove(notes, consumed[i]);
	}
	if (kept != NULL && seal_tree_count(notes) == 0)
		seal_tree_remove(meta, "annotations");
}

/* ---- The work ---- */

static void
pod_release(struct inject_pod *pod)
{
	inject_rules_release(&pod->rules);
	seal_strv_release(&pod->owned);
	seal_strv_release(&pod->open);
	seal_json_free(pod->all);
	free(pod->volumes);
}

static void
pod_init(struct inject_pod *pod)
{
	pod->all = seal_json_new();
	pod->kept = seal_json_set_object(pod->all, "kept");
	pod->places = seal_json_set_array(pod->all, "places");
	pod->memory = seal_json_set_array(pod->all, "memory");
	keep_list(pod, "initContainers");
	pod->kept_volumes = NULL;
	keep_list(pod, "volumes");
}

static int
transform(struct inject_pod *pod, struct seal_err *err)
{
	struct inject_item *item = pod->item;
	int r = inject_item_once(item, err);

	if (r == 0)
		r = check_pod(pod, err);
	if (r == 0)
		r = inject_check_beside(item, inject_get(pod->spec, "containers"),
					inject_get(pod->spec, "initContainers"), err);
	if (r < 0)
		return r;
	pod_init(pod);
	r = inject_listeners(pod, err);
	if (r == 0)
		r = inject_policy_pod(pod, err);
	if (r == 0)
		r = inject_volumes(pod, err);
	if (r == 0)
		r = inject_containers(pod, err);
	if (r < 0)
		return r;
	inject_volumes_open(pod);
	if (pod->meta != inject_get(item->root, "metadata"))
		consume(pod, pod->meta, "annotations");
	consume(pod, inject_get(item->root, "metadata"), "objectAnnotations");
	return inject_sidecar(pod, err);
}

static bool
is_exempt(const struct inject_pod *pod)
{
	return pod->rules.exempt || inject_is_exempt(pod->item) ||
	       pod->item->run->options->only == INJECT_SEAL;
}

/* 1: there is nothing to do; 0: there is. */
static int
is_left(struct inject_pod *pod, struct seal_err *err)
{
	struct inject_item *item = pod->item;
	bool exempt = pod->rules.exempt || inject_is_exempt(item);

	if (!exempt && item->run->options->only != INJECT_SEAL)
		return inject_pod_again(item, pod->spec, &pod->rules, err);
	inject_note(item, item->root, INJECT_LEFT,
		    exempt ? "exempt, as the owner said" : "--only seal", "%s in clear",
		    item->kind);
	return 1;
}

int
inject_pod(struct inject_item *item, struct seal_err *err)
{
	SEAL_SCOPED(pod_release) struct inject_pod pod = { .item = item };
	struct seal_tree_node *template_meta;
	bool has_pod = inject_find_pod(item, &pod.spec, &pod.meta);
	int r = inject_item_identify(item, err);

	template_meta = pod.meta != inject_get(item->root, "metadata") ? pod.meta : NULL;
	if (r == 0)
		r = inject_rules_read(&pod.rules, item, template_meta, err);
	if (r == 0)
		r = inject_peer_read(item, template_meta, err);
	if (r < 0)
		return r;
	if (!has_pod) {
		if (!is_exempt(&pod))
			r = inject_check_beside(item, NULL, NULL, err);
		if (r < 0)
			return r;
		inject_note(item, item->root, INJECT_UNCHANGED, "it has no pod template", "%s",
			    item->kind);
		inject_drop_copies(item);
		return 0;
	}
	r = is_left(&pod, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return transform(&pod, err);
}
