/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an injected pod its sealed policies were made from, as a digest that the sidecar carries in clear:
 * who edits that afterwards would keep a policy of another pod.  It is no secret and no proof, for everything in
 * it is in the manifest, and who could exchange both has the manifest anyway: it finds mistakes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "rot/inject/inject_internal.h"

/* ---- A node as text, whatever the order of its members ---- */

static int
by_key(const void *a, const void *b)
{
	const struct seal_tree_node *const *one = a;
	const struct seal_tree_node *const *other = b;

	return strcmp(seal_tree_key(*one), seal_tree_key(*other));
}

static void
free_nodes(const struct seal_tree_node ***nodes)
{
	free(*nodes);
}

/* The children of a list as they are, of a map by their keys; a scalar has none. */
static const struct seal_tree_node **
children_of(const struct seal_tree_node *node, size_t count)
{
	const struct seal_tree_node **nodes = calloc(count + 1, sizeof(*nodes));
	size_t i = 0;

	if (nodes == NULL)
		return NULL;
	for (const struct seal_tree_node *at = count > 0 ? seal_tree_first(node) : NULL; at != NULL;
	     at = seal_tree_next_of(at))
		nodes[i++] = at;
	if (i > 0 && seal_tree_kind(node) == SEAL_TREE_MAP)
		qsort(nodes, count, sizeof(*nodes), by_key);
	return nodes;
}

/* Every text is followed by its end, so that no two nodes are written alike. */
static int
add_text(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	return seal_bytes_append(out, text, strlen(text) + 1, err);
}

static int
add_scalar(struct seal_bytes *out, const struct seal_tree_node *node, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = seal_json_new();

	seal_tree_set_in_json(node, seal_json_set_array(list, "is"), NULL);
	return seal_json_dump(list, false, out, err);
}

static int
add_node(struct seal_bytes *out, const struct seal_tree_node *node, struct seal_err *err)
{
	bool is_map = seal_tree_kind(node) == SEAL_TREE_MAP;
	bool is_whole = is_map || seal_tree_kind(node) == SEAL_TREE_LIST;
	size_t count = is_whole ? seal_tree_count(node) : 0;
	SEAL_SCOPED(free_nodes) const struct seal_tree_node **nodes = children_of(node, count);
	int r;

	if (nodes == NULL)
		return seal_fail_memory(err);
	if (!is_whole)
		return add_scalar(out, node, err);
	r = add_text(out, is_map ? "{" : "[", err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (is_map)
			r = add_text(out, seal_tree_key(nodes[i]), err);
		if (r == 0)
			r = add_node(out, nodes[i], err);
	}
	return r < 0 ? r : add_text(out, is_map ? "}" : "]", err);
}

/* ---- What policies are made from ---- */

static int
add_member(struct seal_bytes *out, const struct seal_tree_node *map, const char *name,
	   struct seal_err *err)
{
	const struct seal_tree_node *node = inject_get(map, name);
	int r = add_text(out, name, err);

	return r < 0 || node == NULL ? r : add_node(out, node, err);
}

static int
add_members(struct seal_bytes *out, const struct seal_tree_node *map, const char *const *names,
	    struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && names[i] != NULL; i++)
		r = add_member(out, map, names[i], err);
	return r;
}

/* Kubernetes writes down what is its default. */
static int
add_with_default(struct seal_bytes *out, const struct seal_tree_node *map, const char *name,
		 const char *value, struct seal_err *err)
{
	bool is_default = strcmp(inject_peek_text(map, name, value), value) == 0;

	return is_default ? add_text(out, name, err) : add_member(out, map, name, err);
}

static int
add_containers(struct seal_bytes *out, const struct seal_tree_node *spec, const char *list_name,
	       struct seal_err *err)
{
	static const char *const members[] = { "name", "volumeMounts", "envFrom", NULL };
	const struct seal_tree_node *list = inject_get(spec, list_name);
	int r = add_text(out, list_name, err);

	if (list == NULL || seal_tree_kind(list) != SEAL_TREE_LIST)
		return r;
	for (const struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		if (strcmp(inject_peek_text(at, "name", ""), VERIFY_PROXY_NAME) == 0)
			continue; /* it carries the digest */
		r = add_members(out, at, members, err);
		if (r == 0)
			r = add_with_default(out, at, "terminationMessagePath",
					     INJECT_TERMINATION_LOG, err);
	}
	return r;
}

static int
add_pod(struct seal_bytes *out, const struct seal_tree_node *spec, struct seal_err *err)
{
	static const char *const members[] = { "volumes",
					       "hostAliases",
					       "dnsConfig",
					       "hostname",
					       "subdomain",
					       "hostnameOverride",
					       "setHostnameAsFQDN",
					       "automountServiceAccountToken",
					       "hostNetwork",
					       "enableServiceLinks",
					       "ephemeralContainers",
					       NULL };
	const char *account = inject_peek_text(spec, "serviceAccountName",
					       inject_peek_text(spec, "serviceAccount", "default"));
	int r = add_members(out, spec, members, err);

	if (r == 0)
		r = add_with_default(out, spec, "dnsPolicy", "ClusterFirst", err);
	if (r == 0)
		r = add_text(out, account[0] != '\0' ? account : "default", err);
	if (r == 0)
		r = add_containers(out, spec, "initContainers", err);
	return r < 0 ? r : add_containers(out, spec, "containers", err);
}

/* What its controller makes of names: a StatefulSet, an Indexed Job. */
static int
add_object(struct seal_bytes *out, const struct inject_item *item, struct seal_err *err)
{
	static const char *const members[] = { "serviceName", "completionMode", NULL };
	const struct seal_tree_node *spec = inject_get(item->root, "spec");
	int r = add_text(out, item->api, err);

	if (r == 0)
		r = add_members(out, spec, members, err);
	return r < 0 ? r
		     : add_members(out, inject_path(spec, "jobTemplate", "spec", NULL), members,
				   err);
}

int
inject_depends(const struct inject_item *item, const struct seal_tree_node *spec,
	       char ret_digest[static INJECT_DEPENDS_SIZE], struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(INJECT_MAX_OUT);
	uint8_t hash[SEAL_HASH_LEN];
	int r = add_object(&text, item, err);

	if (r == 0)
		r = add_pod(&text, spec, err);
	if (r == 0)
		r = seal_sha256(hash, text.data, text.len, err);
	if (r < 0)
		return r;
	seal_hex_encode(ret_digest, hash, sizeof(hash));
	return 0;
}
