/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables of a container: literal ones go into the spec, those whose value the cluster provides
 * come by names of ours, and what the owner exempted stays.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

static int
check_name(struct inject_container *container, const struct seal_tree_node *node, const char *name,
	   struct seal_err *err)
{
	const struct inject_pod *pod = container->pod;
	struct seal_err why = { 0 };

	if (verify_variable_check(name, &why) < 0)
		return inject_fail(pod->item, node, err, SEAL_E_FORMAT, "%s '%s': %s",
				   container->label, container->name, why.text);
	if (strncmp(name, "SEAL_", 5) == 0)
		return inject_fail(pod->item, node, err, SEAL_E_REFUSED,
				   "%s '%s': variable %s: names that begin with SEAL_ are ours",
				   container->label, container->name, name);
	return 0;
}

/*
 * What chooses the code that runs.  A value that stands in the manifest is its owner's word, which is
 * sealed; one that comes from elsewhere has to be meant.
 */
static int
check_loader(struct inject_container *container, const struct seal_tree_node *entry,
	     const char *name, bool is_literal, struct seal_err *err)
{
	const struct inject_pod *pod = container->pod;

	if (!verify_is_loader_variable(name))
		return 0;
	if (!seal_strv_contains(&pod->rules.loader, name) && !is_literal)
		return inject_fail(pod->item, entry, err, SEAL_E_REFUSED,
				   "%s '%s': variable %s chooses the code that runs; if that is "
				   "meant, name it in annotation " INJECT_ANNOTATION
				   "allow-loader-env",
				   container->label, container->name, name);
	if (!seal_strv_contains(&pod->rules.loader, name))
		inject_note(pod->item, entry, INJECT_WARNED,
			    "it chooses the code that runs; sealed as it is written here",
			    "%s %s: env %s", container->label, container->name, name);
	seal_json_add_str(container->loader, name);
	return 0;
}

/* ---- env ---- */

static int
add_literal(struct inject_container *container, const struct seal_tree_node *entry,
	    const char *name, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const char *value = NULL;
	int r = inject_member_text(item, entry, "value", &value, err);

	if (r < 0)
		return r;
	if (!seal_strv_contains(&container->pod->rules.env_exempt, name)) {
		inject_note(item, entry, INJECT_SEALED, NULL, "%s %s: env %s", container->label,
			    container->name, name);
		return 0;
	}
	if (verify_is_loader_variable(name))
		return inject_fail(item, entry, err, SEAL_E_REFUSED,
				   "variable %s chooses the code that runs: it cannot be exempt",
				   name);
	seal_json_add_str(container->exempt, name);
	seal_tree_set_in_json(entry, container->env, NULL);
	inject_note(item, entry, INJECT_LEFT, "env-exempt, as the owner said",
		    "%s %s: env %s in clear", container->label, container->name, name);
	return 0;
}

/* The kind of object a valueFrom takes a key of, and its name; NULL: it is another source. */
static int
read_reference(struct inject_container *container, const struct seal_tree_node *from,
	       const char **ret_kind, const char **ret_name, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	struct seal_tree_node *map = inject_get(from, "configMapKeyRef");
	struct seal_tree_node *secret = inject_get(from, "secretKeyRef");
	struct seal_tree_node *ref = map != NULL ? map : secret;
	const char *key = NULL;
	int r;

	*ret_kind = NULL;
	if (ref == NULL && inject_get(from, "fieldRef") == NULL &&
	    inject_get(from, "resourceFieldRef") == NULL)
		return inject_fail(item, from, err, SEAL_E_REFUSED,
				   "a source of a variable that is not known here");
	if (ref == NULL)
		return 0;
	r = inject_member_text(item, ref, "name", ret_name, err);
	if (r == 0)
		r = inject_member_text(item, ref, "key", &key, err);
	if (r < 0)
		return r;
	if (*ret_name == NULL || key == NULL)
		return inject_fail(item, ref, err, SEAL_E_FORMAT,
				   "which object, and which key of it? name and key are needed");
	*ret_kind = map != NULL ? "ConfigMap" : "Secret";
	return 0;
}

/*
 * To the container an object in clear is like everything else that comes from the host: so the spec says
 * fieldRef, and what the owner wrote stays in the output, from where it is restored.
 */
static void
say_host(struct inject_container *container, const char *name)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *entry = seal_json_new();
	struct seal_json *field =
		seal_json_set_object(seal_json_set_object(entry, "valueFrom"), "fieldRef");

	seal_json_set_str(entry, "name", name);
	seal_json_set_str(field, "fieldPath", "plain");
	seal_json_add_copy(container->env_spec, entry);
}

static int
add_reference(struct inject_container *container, const struct seal_tree_node *entry, size_t index,
	      const char *name, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const struct seal_tree_node *from = inject_get(entry, "valueFrom");
	struct seal_json *env;
	const char *kind = NULL;
	const char *object = NULL;
	char variable[64];
	int r = read_reference(container, from, &kind, &object, err);

	if (r < 0)
		return r;
	(void)snprintf(variable, sizeof(variable), VERIFY_ENV_VAR "%zu", index);
	env = seal_json_add_object(container->env);
	seal_json_set_str(env, "name", variable);
	seal_tree_set_in_json(from, env, "valueFrom");
	if (kind == NULL || inject_is_plain(container->pod, kind, object)) {
		inject_note(item, entry, INJECT_LEFT,
			    kind == NULL ? "only the cluster knows its value"
					 : "its object is in clear, as the owner said",
			    "%s %s: env %s comes from the host as %s", container->label,
			    container->name, name, variable);
		if (kind != NULL) {
			say_host(container, name);
			return 0;
		}
	} else {
		inject_note(item, entry, INJECT_SEALED, NULL, "%s %s: env %s from %s %s",
			    container->label, container->name, name, kind, object);
	}
	seal_tree_set_in_json(entry, container->env_spec, NULL);
	return 0;
}

static int
add_variable(struct inject_container *container, const struct seal_tree_node *entry, size_t index,
	     struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const struct seal_tree_node *value = inject_get(entry, "value");
	const char *name = NULL;
	size_t len = 0;
	int r;

	if (seal_tree_kind(entry) != SEAL_TREE_MAP)
		return inject_fail(item, entry, err, SEAL_E_FORMAT, "a variable must be a map");
	r = inject_member_text(item, entry, "name", &name, err);
	if (r == 0 && name == NULL)
		r = inject_fail(item, entry, err, SEAL_E_FORMAT, "a variable without a name");
	if (r == 0)
		r = check_name(container, entry, name, err);
	if (r == 0)
		r = check_loader(container, entry, name, inject_get(entry, "valueFrom") == NULL,
				 err);
	if (r < 0)
		return r;
	if (inject_get(entry, "valueFrom") == NULL) {
		r = add_literal(container, entry, name, err);
		if (r == 0)
			seal_tree_set_in_json(entry, container->env_spec, NULL);
		return r;
	}
	if (value != NULL &&
	    (seal_tree_kind(value) != SEAL_TREE_STRING || seal_tree_text(value, &len)[0] != '\0'))
		return inject_fail(item, entry, err, SEAL_E_FORMAT,
				   "variable %s has a value and a valueFrom", name);
	return add_reference(container, entry, index, name, err);
}

/* ---- envFrom ---- */

static int
add_from(struct inject_container *container, const struct seal_tree_node *entry, size_t index,
	 struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	struct seal_tree_node *map = inject_get(entry, "configMapRef");
	struct seal_tree_node *ref = map != NULL ? map : inject_get(entry, "secretRef");
	const char *kind = map != NULL ? "ConfigMap" : "Secret";
	const char *name = NULL;
	struct seal_json *from;
	char prefix[64];
	int r;

	if (ref == NULL)
		return inject_fail(item, entry, err, SEAL_E_FORMAT,
				   "envFrom has a configMapRef or a secretRef");
	r = inject_member_text(item, ref, "name", &name, err);
	if (r < 0)
		return r;
	if (name == NULL)
		return inject_fail(item, ref, err, SEAL_E_FORMAT, "which %s is meant?", kind);
	if (inject_is_plain(container->pod, kind, name))
		return inject_fail(item, ref, err, SEAL_E_REFUSED,
				   "%s %s is in clear: name the variables that are wanted of it "
				   "under env, one by one",
				   kind, name);
	(void)snprintf(prefix, sizeof(prefix), VERIFY_FROM_PREFIX "%zu_", index);
	from = seal_json_add_object(container->from);
	seal_json_set_str(from, "prefix", prefix);
	seal_tree_set_in_json(ref, from, map != NULL ? "configMapRef" : "secretRef");
	inject_note(item, entry, INJECT_SEALED, NULL, "%s %s: all variables of %s %s",
		    container->label, container->name, kind, name);
	return 0;
}

/* ---- Both ---- */

typedef int (*add_fn)(struct inject_container *container, const struct seal_tree_node *entry,
		      size_t index, struct seal_err *err);

static int
each(struct inject_container *container, const char *member, add_fn add, struct seal_err *err)
{
	struct seal_tree_node *list = NULL;
	size_t index = 0;
	int r = inject_member_list(container->pod->item, container->node, member, &list, err);

	if (r < 0 || list == NULL)
		return r;
	if (seal_tree_count(list) > VERIFY_MAX_ENV)
		return inject_fail(container->pod->item, list, err, SEAL_E_LIMIT,
				   "%s '%s' has more than %d variables", container->label,
				   container->name, VERIFY_MAX_ENV);
	for (struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
	     at = seal_tree_next_of(at))
		r = add(container, at, index++, err);
	return r;
}

int
inject_env(struct inject_container *container, struct seal_err *err)
{
	int r = each(container, "envFrom", add_from, err);

	return r < 0 ? r : each(container, "env", add_variable, err);
}
