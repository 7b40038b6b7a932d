/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds we do not know pass through as they are, unless they seem to hold what we would have sealed: a
 * pod template, or values under names that secrets have.  Then the owner has to say that it is meant.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rot/inject/inject_internal.h"

/* Compared without case, '-' and '_'. */
static const char *const secret_names[] = {
	"accesskey",       "accesstoken", "apikey", "apitoken", "authtoken",
	"clientsecret",    "passphrase",  "passwd", "password", "privatekey",
	"secretaccesskey", "secretkey",   "token",
};

static void
squeeze(const char *key, char *out, size_t size)
{
	size_t len = 0;

	for (; *key != '\0' && len + 1 < size; key++) {
		if (*key != '-' && *key != '_')
			out[len++] = *key >= 'A' && *key <= 'Z' ? (char)(*key - 'A' + 'a') : *key;
	}
	out[len] = '\0';
}

static bool
is_secret_name(const char *key)
{
	char name[32];

	squeeze(key, name, sizeof(name));
	for (size_t i = 0; i < SEAL_COUNT(secret_names); i++) {
		if (strcmp(secret_names[i], name) == 0)
			return true;
	}
	return false;
}

static bool
is_text(const struct seal_tree_node *node)
{
	size_t len = 0;

	if (seal_tree_kind(node) != SEAL_TREE_STRING && seal_tree_kind(node) != SEAL_TREE_BINARY &&
	    seal_tree_kind(node) != SEAL_TREE_NUMBER)
		return false;
	(void)seal_tree_text(node, &len);
	return len > 0;
}

/* A list of things with an image, under the name that containers have in a pod. */
static bool
is_containers(const struct seal_tree_node *node)
{
	const char *key = seal_tree_key(node);

	if (key == NULL || (strcmp(key, "containers") != 0 && strcmp(key, "initContainers") != 0) ||
	    seal_tree_kind(node) != SEAL_TREE_LIST)
		return false;
	for (const struct seal_tree_node *at = seal_tree_first(node); at != NULL;
	     at = seal_tree_next_of(at)) {
		if (inject_get(at, "image") != NULL || inject_get(at, "command") != NULL ||
		    inject_get(at, "env") != NULL)
			return true;
	}
	return false;
}

/* What other kinds call a container (steps, script): an image, and what it runs or gets. */
static bool
is_container(const struct seal_tree_node *node)
{
	static const char *const members[] = { "command", "args",   "env",
					       "envFrom", "script", "source" };
	const struct seal_tree_node *image = inject_get(node, "image");

	for (size_t i = 0;
	     image != NULL && seal_tree_kind(image) == SEAL_TREE_STRING && i < SEAL_COUNT(members);
	     i++) {
		if (inject_get(node, members[i]) != NULL)
			return true;
	}
	return false;
}

/* A ConfigMap or Secret with values, however its kind is spelt, in an object of another kind or by itself. */
static bool
is_object(const struct seal_tree_node *node, const char *kind)
{
	static const char *const members[] = { "data", "stringData", "binaryData" };

	if (strcasestr(kind, "Secret") == NULL && strcasestr(kind, "ConfigMap") == NULL)
		return false;
	for (size_t i = 0; i < SEAL_COUNT(members); i++) {
		const struct seal_tree_node *data = inject_get(node, members[i]);

		if (data != NULL && seal_tree_count(data) > 0)
			return true;
	}
	return false;
}

/* literals of the generators of a kustomization. */
static bool
is_literals(const struct seal_tree_node *node)
{
	const char *key = seal_tree_key(node);

	return key != NULL && strcmp(key, "literals") == 0 &&
	       seal_tree_kind(node) == SEAL_TREE_LIST && seal_tree_count(node) > 0;
}

/* What is looked for, and where not. */
struct search {
	const struct seal_tree_node *skip[2];
	bool names; /* values under names of secrets, too */
};

/* Why the node should not go out in clear, or NULL. */
static const char *
why_not(const struct search *search, const struct seal_tree_node *node, bool has_key)
{
	if (is_object(node, inject_peek_text(node, "kind", "")))
		return "it is an object with values";
	if (is_container(node))
		return "it is a container";
	if (has_key && is_containers(node))
		return "it holds containers, as the template of a pod";
	if (has_key && is_literals(node))
		return "it holds literal values";
	if (has_key && search->names && is_secret_name(seal_tree_key(node)) && is_text(node))
		return "by its name it is a secret";
	return NULL;
}

/* The first node below that should not go out in clear; why it is.  Trees are at most 64 deep. */
static const struct seal_tree_node *
find_clear(const struct search *search, const struct seal_tree_node *node, const char **ret_why)
{
	const struct seal_tree_node *found = NULL;
	bool is_map = seal_tree_kind(node) == SEAL_TREE_MAP;

	if (!is_map && seal_tree_kind(node) != SEAL_TREE_LIST)
		return NULL;
	for (const struct seal_tree_node *at = seal_tree_first(node); found == NULL && at != NULL;
	     at = seal_tree_next_of(at)) {
		if (at == search->skip[0] || at == search->skip[1])
			continue;
		*ret_why = why_not(search, at, is_map);
		found = *ret_why != NULL ? at : find_clear(search, at, ret_why);
	}
	return found;
}

int
inject_check_beside(struct inject_item *item, const struct seal_tree_node *one,
		    const struct seal_tree_node *other, struct seal_err *err)
{
	const struct search search = { .skip = { one, other } };
	const char *why = NULL;
	const struct seal_tree_node *clear = find_clear(&search, item->root, &why);

	if (clear == NULL)
		return 0;
	return inject_fail(item, clear, err, SEAL_E_REFUSED,
			   "%s, and would go out in clear: it is not where this kind (%s) has its "
			   "pod's",
			   why, item->kind);
}

static const struct seal_tree_node *
find_data(const struct inject_item *item, const char **ret_why)
{
	if (!is_object(item->root, item->kind))
		return NULL;
	*ret_why = "by its kind it is an object with values";
	return item->root;
}

static void
label(struct inject_item *item)
{
	const struct seal_tree_node *meta = inject_get(item->root, "metadata");
	const char *ns = inject_peek_text(meta, "namespace", item->run->options->ns);
	const char *name = inject_peek_text(meta, "name", "");

	(void)snprintf(item->binding.name, sizeof(item->binding.name), "%s", name);
	(void)snprintf(item->label, sizeof(item->label), "%.63s/%.100s/%.253s", ns, item->kind,
		       name);
}

int
inject_unknown(struct inject_item *item, struct seal_err *err)
{
	SEAL_SCOPED(inject_rules_release) struct inject_rules rules = { 0 };
	const struct search search = { .names = true };
	const struct seal_tree_node *clear;
	const char *why = NULL;
	int r;

	label(item);
	r = inject_rules_read(&rules, item, NULL, err);
	if (r < 0)
		return r;
	clear = find_clear(&search, item->root, &why);
	if (clear == NULL)
		clear = find_data(item, &why);
	if (clear == NULL) {
		inject_note(item, item->root, INJECT_LEFT, "nothing in this kind is sealed", "%s",
			    item->kind);
		return 0;
	}
	if (!rules.exempt && !inject_is_exempt(item))
		return inject_fail(
			item, clear, err, SEAL_E_REFUSED,
			"%s, and would go out in clear: this kind (%s) is not sealed; if "
			"that is meant, say so: --exempt %s/%s, or annotation " INJECT_ANNOTATION
			"exempt: \"true\"",
			why, item->kind, item->kind, item->binding.name);
	inject_note(item, clear, INJECT_LEFT, "exempt, as the owner said", "%s in clear: %s",
		    item->kind, why);
	return 0;
}
