/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConfigMap and Secret: every value sealed, so that the file the kubelet makes of it is the sealed text.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

static const struct inject_member config_map[] = { { "data", false },
						   { "binaryData", true },
						   { NULL, false } };
/* What stands in both counts as stringData says, so that comes first. */
static const struct inject_member secret[] = { { "stringData", false },
					       { "data", true },
					       { NULL, false } };

const struct inject_member *
inject_members(const struct inject_item *item)
{
	return strcmp(item->kind, "Secret") == 0 ? secret : config_map;
}

/* ---- One value ---- */

/* What Kubernetes lets a key be; the sealed value's own grammar is the same. */
static int
check_key(const struct inject_item *item, const struct seal_tree_node *node, struct seal_err *err)
{
	static const char letters[] =
		"-._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	const char *key = seal_tree_key(node);
	size_t len = strlen(key);

	if (len > VERIFY_NAME_MAX)
		return inject_fail(item, node, err, SEAL_E_LIMIT,
				   "a key of %zu characters: at most %d", len, VERIFY_NAME_MAX);
	if (len == 0 || strspn(key, letters) != len || strcmp(key, ".") == 0 ||
	    strncmp(key, "..", 2) == 0)
		return inject_fail(
			item, node, err, SEAL_E_FORMAT,
			"'%.64s' is no key: letters, digits, '-', '_' and '.', and not '.' "
			"or beginning with '..'",
			key);
	return 0;
}

int
inject_object_value(const struct inject_item *item, const struct seal_tree_node *node,
		    bool is_base64, struct seal_bytes *out, struct seal_err *err)
{
	enum seal_tree_kind kind = seal_tree_kind(node);
	struct seal_err why = { 0 };
	size_t len = 0;
	const char *text;

	if (kind != SEAL_TREE_STRING && kind != SEAL_TREE_TIME)
		return inject_fail(item, node, err, SEAL_E_FORMAT,
				   "the value of '%.64s' must be a string, and is %s: put quotes "
				   "around it",
				   seal_tree_key(node), seal_tree_kind_name(kind));
	text = seal_tree_text(node, &len);
	if (!is_base64)
		return seal_bytes_append(out, text, len, err);
	if (inject_base64_decode(out, text, len, &why) < 0)
		return inject_fail(item, node, err, SEAL_E_FORMAT, "the value of '%.64s' is %s",
				   seal_tree_key(node), why.text);
	return 0;
}

static int
seal_value(struct inject_item *item, struct seal_tree_node *node,
	   const struct inject_member *member, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes plain = SEAL_BYTES(SEAL_TREE_MAX_LEN);
	char placeholder[INJECT_PLACEHOLDER];
	bool is_base64 = member->is_base64;
	int r = inject_object_value(item, node, is_base64, &plain, err);

	if (r == 0)
		r = inject_plan_value(item, seal_tree_key(node), "", plain.data, plain.len,
				      is_base64, placeholder, err);
	if (r < 0)
		return r;
	if (seal_tree_kind(node) == SEAL_TREE_TIME)
		inject_note(item, node, INJECT_WARNED,
			    "it looks like a time: put quotes around it if it is text", "%s.%s",
			    member->name, seal_tree_key(node));
	seal_tree_make_str(item->tree, node, placeholder, strlen(placeholder));
	inject_note(item, node, INJECT_SEALED, NULL, "%s.%s", member->name, seal_tree_key(node));
	return 0;
}

/* ---- The members ---- */

/*
 * A key that both members have.  Of a Secret stringData counts: what it says stands in both, sealed once,
 * because the number of values is part of what is sealed.  Of a ConfigMap it is an error to Kubernetes, too.
 */
static int
seal_twin(struct inject_item *item, struct seal_tree_node *node, const struct seal_tree_node *twin,
	  struct seal_err *err)
{
	char placeholder[INJECT_PLACEHOLDER];
	size_t len = 0;
	int r;

	if (strcmp(item->kind, "Secret") != 0)
		return inject_fail(item, node, err, SEAL_E_FORMAT,
				   "'%.64s' is in data and in binaryData", seal_tree_key(node));
	r = inject_plan_repeat(item, seal_tree_text(twin, &len), placeholder, err);
	if (r < 0)
		return r;
	seal_tree_make_str(item->tree, node, placeholder, strlen(placeholder));
	inject_note(item, node, INJECT_WARNED, "stringData has the key, too, and counts",
		    "data.%s: replaced by what stringData says", seal_tree_key(node));
	return 0;
}

static int
seal_member(struct inject_item *item, const struct inject_member *member,
	    const struct seal_tree_node *first, struct seal_err *err)
{
	struct seal_tree_node *map = NULL;
	int r = inject_member_map(item, item->root, member->name, &map, err);

	if (r < 0 || map == NULL)
		return r;
	for (struct seal_tree_node *at = seal_tree_first(map); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		const struct seal_tree_node *same =
			first != NULL ? seal_tree_get(first, seal_tree_key(at)) : NULL;

		r = check_key(item, at, err);
		if (r == 0 && same != NULL)
			r = seal_twin(item, at, same, err);
		else if (r == 0)
			r = seal_value(item, at, member, err);
	}
	return r;
}

/* What the cluster itself must read; a sealed one would be of no use to it. */
static bool
is_for_cluster(const char *type)
{
	static const char *const types[] = { "kubernetes.io/dockercfg",
					     "kubernetes.io/dockerconfigjson",
					     "kubernetes.io/service-account-token" };

	for (size_t i = 0; type != NULL && i < SEAL_COUNT(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

static int
seal_members(struct inject_item *item, struct seal_err *err)
{
	const struct inject_member *members = inject_members(item);
	const struct seal_tree_node *first;
	int r = inject_item_once(item, err);

	if (r == 0)
		r = seal_member(item, &members[0], NULL, err);
	first = inject_get(item->root, members[0].name);
	for (size_t i = 1; r == 0 && members[i].name != NULL; i++)
		r = seal_member(item, &members[i], first, err);
	if (r < 0)
		return r;
	inject_drop_copies(item);
	if (!item->changed)
		inject_note(item, item->root, INJECT_UNCHANGED, "it holds no value", "%s",
			    item->kind);
	return 0;
}

int
inject_object(struct inject_item *item, struct seal_err *err)
{
	SEAL_SCOPED(inject_rules_release) struct inject_rules rules = { 0 };
	const char *type = NULL;
	int r = inject_item_identify(item, err);

	if (r == 0)
		r = inject_rules_read(&rules, item, NULL, err);
	if (r == 0)
		r = inject_peer_read(item, NULL, err);
	if (r == 0 && strcmp(item->kind, "Secret") == 0)
		r = inject_member_text(item, item->root, "type", &type, err);
	if (r < 0)
		return r;
	if (item->run->options->only == INJECT_SIDECAR || rules.exempt || inject_is_exempt(item)) {
		inject_note(item, item->root, INJECT_LEFT,
			    rules.exempt || inject_is_exempt(item) ? "exempt, as the owner said"
								   : "--only sidecar",
			    "%s in clear", item->kind);
		return 0;
	}
	if (is_for_cluster(type)) {
		inject_note(item, item->root, INJECT_LEFT, "the cluster itself reads this type",
			    "%s of type %s in clear", item->kind, type);
		return 0;
	}
	r = inject_check_shape(item, item->root,
			       strcmp(item->kind, "Secret") == 0 ? INJECT_SHAPE_SECRET
								 : INJECT_SHAPE_CONFIG_MAP,
			       err);
	if (r == 0)
		r = inject_object_again(item, err);
	if (r < 0)
		return r;
	return r > 0 ? 0 : seal_members(item, err);
}
