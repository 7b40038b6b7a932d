/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner pins, in YAML or JSON: the members of a policy (config-verify/policy.h) that no pod can
 * know.  Where two sources say something of one member they must say the same, for nobody could tell
 * which of them was meant to be the safe one.
 */
#include <stdio.h>
#include <string.h>

#include "config-verify/mounts.h"
#include "config-verify/policy.h"
#include "config-verify/sysfiles.h"
#include "rot/inject/inject_internal.h"

#define MAX_SECTION 3

static const struct section {
	const char *name;
	const char *members[MAX_SECTION + 1];
} sections[] = {
	{ "root", { "types", "layers", NULL } },
	{ "hosts", { "names", "others", NULL } },
	{ "resolv", { "nameservers", "searches", "options", NULL } },
	{ "account", { "issuer", "audiences", "ca", NULL } },
};

static struct seal_json *mutable(const struct seal_json *json)
{
	return (struct seal_json *)(uintptr_t)json; /* of a value that is ours */
}

const struct seal_json *
inject_pin(const struct seal_json *pins, const char *section, const char *member)
{
	const struct seal_json *at = pins != NULL ? seal_json_member(pins, section) : NULL;

	return at != NULL ? seal_json_member(at, member) : NULL;
}

/* ---- Reading ---- */

/* People copy digests as openssl prints them, in pairs with colons. */
static void
set_digests(const struct seal_tree_node *list, struct seal_json *object, const char *name)
{
	struct seal_json *array = seal_json_set_array(object, name);

	for (const struct seal_tree_node *at = seal_tree_first(list); at != NULL;
	     at = seal_tree_next_of(at)) {
		char text[128] = "";
		size_t len = 0;
		size_t used = 0;
		const char *from;

		if (seal_tree_kind(at) != SEAL_TREE_STRING) {
			seal_tree_set_in_json(at, array, NULL);
			continue;
		}
		from = seal_tree_text(at, &len);
		for (size_t i = 0; i < len && used < sizeof(text) - 1; i++)
			if (from[i] != ':' || i % 3 != 2)
				text[used++] = from[i];
		text[used] = '\0';
		seal_json_add_str(array, text);
	}
}

static void
set_member(const struct seal_tree_node *node, struct seal_json *object, const char *name)
{
	if (strcmp(name, "ca") == 0 && seal_tree_kind(node) == SEAL_TREE_LIST)
		set_digests(node, object, name);
	else
		seal_tree_set_in_json(node, object, name);
}

/* Would it be a policy?  The place is the member's. */
static int
check(const struct seal_tree *tree, const struct seal_tree_node *node, const struct seal_json *json,
      struct seal_err *err)
{
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct seal_err why = { 0 };
	int r = verify_policy_parse(&policy, json, &why);

	return r < 0 ? seal_tree_fail(tree, node, err, r, "%s", why.text) : 0;
}

static int
read_member(const struct seal_tree *tree, const struct section *section,
	    const struct seal_tree_node *node, struct seal_json *pins, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *alone = seal_json_new();
	const char *name = seal_tree_key(node);
	const struct seal_json *there = seal_json_member(pins, section->name);
	size_t i = 0;
	int r;

	while (section->members[i] != NULL && strcmp(section->members[i], name) != 0)
		i++;
	if (section->members[i] == NULL)
		return seal_tree_fail(tree, node, err, SEAL_E_FORMAT,
				      "'%.64s' is nothing that can be pinned: see seal-policy(5)",
				      name);
	seal_json_set_u64(alone, "version", 1);
	set_member(node, seal_json_set_object(alone, section->name), name);
	r = check(tree, node, alone, err);
	if (r < 0)
		return r;
	set_member(node, there != NULL ? mutable(there) : seal_json_set_object(pins, section->name),
		   name);
	return 0;
}

static int
read_section(const struct seal_tree *tree, const struct seal_tree_node *node,
	     struct seal_json *pins, struct seal_err *err)
{
	const struct section *section = NULL;
	int r = 0;

	for (size_t i = 0; i < SEAL_COUNT(sections); i++)
		if (strcmp(sections[i].name, seal_tree_key(node)) == 0)
			section = &sections[i];
	if (section == NULL)
		return seal_tree_fail(tree, node, err, SEAL_E_FORMAT,
				      "'%.64s' is nothing that can be pinned: see seal-policy(5)",
				      seal_tree_key(node));
	if (seal_tree_kind(node) != SEAL_TREE_MAP)
		return seal_tree_fail(tree, node, err, SEAL_E_FORMAT, "%s must be a map",
				      section->name);
	for (const struct seal_tree_node *at = seal_tree_first(node); r == 0 && at != NULL;
	     at = seal_tree_next_of(at))
		r = read_member(tree, section, at, pins, err);
	return r;
}

/* What nobody needs to pin is refused: the service account has a member of its own. */
static bool
is_pinnable(const char *path)
{
	return verify_is_mountable(path) && strcmp(path, VERIFY_ACCOUNT_DIR) != 0 &&
	       strcmp(path, &VERIFY_ACCOUNT_DIR[strlen("/var")]) != 0;
}

static int
read_mount(const struct seal_tree *tree, const struct seal_tree_node *node, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *alone = seal_json_new();
	const char *path;
	int r;

	seal_json_set_u64(alone, "version", 1);
	seal_tree_set_in_json(node, seal_json_set_array(alone, "mounts"), NULL);
	r = check(tree, node, alone, err);
	if (r < 0)
		return r;
	if (inject_get(node, "volume") != NULL)
		return seal_tree_fail(tree, node, err, SEAL_E_REFUSED,
				      "'volume' is for volumes of the pod, which nobody pins");
	path = inject_peek_text(node, "path", "/");
	return is_pinnable(path) ? 0
				 : seal_tree_fail(tree, node, err, SEAL_E_REFUSED,
						  "nothing can be pinned at '%.128s'", path);
}

static int
read_mounts(const struct seal_tree *tree, const struct seal_tree_node *node, struct seal_json *pins,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *alone = seal_json_new();
	int r;

	seal_json_set_u64(alone, "version", 1);
	seal_tree_set_in_json(node, alone, "mounts");
	if (seal_tree_kind(node) == SEAL_TREE_LIST)
		for (const struct seal_tree_node *at = seal_tree_first(node); at != NULL;
		     at = seal_tree_next_of(at)) {
			r = read_mount(tree, at, err);
			if (r < 0)
				return r;
		}
	r = check(tree, node, alone, err);
	if (r == 0)
		seal_tree_set_in_json(node, pins, "mounts");
	return r;
}

static int
read_pins(struct seal_tree *tree, struct seal_json *pins, struct seal_err *err)
{
	const struct seal_tree_node *root = seal_tree_root(tree);
	int r = 0;

	if (root == NULL || seal_tree_kind(root) != SEAL_TREE_MAP)
		return seal_tree_fail(tree, root, err, SEAL_E_FORMAT, "a policy must be a map");
	for (const struct seal_tree_node *at = seal_tree_first(root); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		if (strcmp(seal_tree_key(at), "mode") == 0)
			seal_tree_set_in_json(at, pins, "mode");
		else if (strcmp(seal_tree_key(at), "mounts") == 0)
			r = read_mounts(tree, at, pins, err);
		else
			r = read_section(tree, at, pins, err);
	}
	seal_json_set_u64(pins, "version", 1);
	return r < 0 ? r : check(tree, root, pins, err);
}

int
inject_pins_read(struct seal_json **ret_pins, const struct inject_input *input,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;
	SEAL_SCOPED(seal_tree_freep) struct seal_tree *more = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *pins = NULL;
	int r;

	if (input->len > VERIFY_POLICY_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "%s: a policy of more than %u bytes",
				 input->name, VERIFY_POLICY_MAX);
	r = seal_tree_stream_new(&stream, input->name, input->text, input->len, err);
	if (r == 0)
		r = seal_tree_next(stream, &tree, err);
	if (r < 0)
		return r;
	if (tree == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "%s: there is no policy in it", input->name);
	pins = seal_json_new();
	r = read_pins(tree, pins, err);
	if (r == 0)
		r = seal_tree_next(stream, &more, err);
	if (r == 0 && more != NULL && seal_tree_root(more) != NULL)
		return seal_tree_fail(more, seal_tree_root(more), err, SEAL_E_FORMAT,
				      "a policy is one document");
	if (r < 0)
		return r;
	*ret_pins = SEAL_TAKE(pins);
	return 0;
}

/* ---- Two of them ---- */

static bool
same(const struct seal_json *a, const struct seal_json *b)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *one = seal_json_new();
	SEAL_SCOPED(seal_json_freep) struct seal_json *other = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes left = SEAL_BYTES(2 * VERIFY_POLICY_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes right = SEAL_BYTES(2 * VERIFY_POLICY_MAX);

	seal_json_set_copy(one, "v", a);
	seal_json_set_copy(other, "v", b);
	return seal_json_dump(one, false, &left, NULL) == 0 &&
	       seal_json_dump(other, false, &right, NULL) == 0 &&
	       strcmp(seal_bytes_str(&left), seal_bytes_str(&right)) == 0;
}

static int
merge_member(struct seal_json *into, const struct seal_json *from, const char *section,
	     const char *member, struct seal_err *err)
{
	const struct seal_json *at = section != NULL ? seal_json_member(into, section) : into;
	const struct seal_json *there = at != NULL ? seal_json_member(at, member) : NULL;

	if (there == NULL) {
		seal_json_set_copy(at != NULL ? mutable(at) : seal_json_set_object(into, section),
				   member, from);
		return 0;
	}
	if (same(there, from))
		return 0;
	return seal_fail(err, SEAL_E_REFUSED, "%s%s%s is pinned twice, to two values",
			 section != NULL ? section : "", section != NULL ? "." : "", member);
}

int
inject_pins_merge(struct seal_json *into, const struct seal_json *from, struct seal_err *err)
{
	static const char *const whole[] = { "mode", "mounts" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(whole); i++) {
		const struct seal_json *pin = seal_json_member(from, whole[i]);

		if (pin != NULL)
			r = merge_member(into, pin, NULL, whole[i], err);
	}
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(sections); i++) {
		const struct section *section = &sections[i];

		for (size_t k = 0; r == 0 && section->members[k] != NULL; k++) {
			const struct seal_json *pin =
				inject_pin(from, section->name, section->members[k]);

			if (pin != NULL)
				r = merge_member(into, pin, section->name, section->members[k],
						 err);
		}
	}
	return r;
}
