/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was sealed before: it is left as it is when it is whole, and refused when it is half one thing
 * and half another, because sealing what somebody changed afterwards would give it our authority.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

/* The values of one object so far, and what they say of themselves. */
struct count {
	const struct inject_item *item;
	size_t sealed;
	size_t clear;
	uint64_t gen;
	uint64_t of;
	const struct seal_tree_node *one_clear;
};

static int
check_place(const struct count *count, const struct seal_tree_node *node,
	    const struct verify_binding *is, const char *key, const char *container,
	    struct seal_err *err)
{
	const struct verify_binding *expect = &count->item->binding;

	if (strcmp(is->ns, expect->ns) == 0 && strcmp(is->kind, expect->kind) == 0 &&
	    strcmp(is->name, expect->name) == 0 && strcmp(is->key, key) == 0 &&
	    strcmp(is->container, container) == 0 &&
	    (count->sealed == 0 || (is->gen == count->gen && is->of == count->of)))
		return 0;
	return inject_fail(
		count->item, node, err, SEAL_E_REFUSED,
		"sealed for %s/%s/%s key %s%s%s, generation %llu: it does not belong here; "
		"inject the original",
		is->ns, is->kind, is->name, is->key, is->container[0] != '\0' ? " container " : "",
		is->container, (unsigned long long)is->gen);
}

static int
look(struct count *count, const struct seal_tree_node *node, const char *text, size_t len,
     const char *key, const char *container, struct seal_err *err)
{
	struct verify_key_id id = { 0 };
	struct verify_binding binding = { 0 };
	int r;

	if (len < 3 || memcmp(text, "eyJ", 3) != 0 ||
	    verify_peek(text, len, &id, &binding, NULL) < 0) {
		count->clear++;
		count->one_clear = node;
		return 0;
	}
	r = check_place(count, node, &binding, key, container, err);
	if (r < 0)
		return r;
	count->gen = binding.gen;
	count->of = binding.of;
	count->sealed++;
	return 0;
}

/* ---- ConfigMap and Secret ---- */

static int
look_at_value(struct count *count, const struct seal_tree_node *node, bool is_base64,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(SEAL_TREE_MAX_LEN);

	/* What is wrong with a value in clear is said when it is sealed. */
	if (inject_object_value(count->item, node, is_base64, &text, NULL) < 0) {
		count->clear++;
		count->one_clear = node;
		return 0;
	}
	return look(count, node, seal_bytes_str(&text), text.len, seal_tree_key(node), "", err);
}

/* The same key in both members of a Secret is one value. */
static bool
is_twin(const struct inject_item *item, const char *key)
{
	const struct inject_member *members = inject_members(item);

	return inject_get(inject_get(item->root, members[0].name), key) != NULL;
}

static int
look_at_members(struct count *count, struct seal_err *err)
{
	const struct inject_member *members = inject_members(count->item);
	int r = 0;

	for (size_t i = 0; r == 0 && members[i].name != NULL; i++) {
		const struct seal_tree_node *map = inject_get(count->item->root, members[i].name);

		if (map == NULL || seal_tree_kind(map) != SEAL_TREE_MAP)
			continue;
		for (struct seal_tree_node *at = seal_tree_first(map); r == 0 && at != NULL;
		     at = seal_tree_next_of(at)) {
			if (i == 0 || !is_twin(count->item, seal_tree_key(at)))
				r = look_at_value(count, at, members[i].is_base64, err);
		}
	}
	return r;
}

static int
judge(const struct count *count, struct seal_err *err)
{
	if (count->sealed == 0)
		return 0;
	if (count->clear > 0)
		return inject_fail(count->item, count->one_clear, err, SEAL_E_REFUSED,
				   "in clear, but %s was sealed before: inject the original",
				   count->item->label);
	if (count->sealed != count->of)
		return inject_fail(count->item, count->item->root, err, SEAL_E_REFUSED,
				   "%zu of the %llu values that were sealed are here: inject the "
				   "original",
				   count->sealed, (unsigned long long)count->of);
	inject_note(count->item, count->item->root, INJECT_UNCHANGED, "sealed before",
		    "%s, generation %llu", count->item->kind, (unsigned long long)count->gen);
	return 1;
}

int
inject_object_again(const struct inject_item *item, struct seal_err *err)
{
	struct count count = { .item = item };
	int r = look_at_members(&count, err);

	return r < 0 ? r : judge(&count, err);
}

/* ---- Pods ---- */

const char *
inject_command_value(const struct seal_tree_node *command, size_t *ret_len)
{
	const struct seal_tree_node *program;
	const struct seal_tree_node *value;

	if (command == NULL || seal_tree_kind(command) != SEAL_TREE_LIST ||
	    seal_tree_count(command) != 2)
		return NULL;
	program = seal_tree_first(command);
	value = seal_tree_next_of(program);
	if (seal_tree_kind(program) != SEAL_TREE_STRING ||
	    seal_tree_kind(value) != SEAL_TREE_STRING)
		return NULL; /* the program may be at another place than the one that is now asked for */
	return seal_tree_text(value, ret_len);
}

static int
look_at_command(struct count *count, const struct seal_tree_node *node,
		const struct seal_tree_node *command, const char *key, const char *container,
		struct seal_err *err)
{
	size_t len = 0;
	const char *text = inject_command_value(command, &len);

	return look(count, node, text != NULL ? text : "", text != NULL ? len : 0, key, container,
		    err);
}

/* Variables that an injected container may have: ours, and what the owner exempted. */
static bool
is_injected_env(const struct inject_rules *rules, const struct seal_tree_node *entry)
{
	const struct seal_tree_node *name = inject_get(entry, "name");
	size_t len = 0;

	if (name == NULL || seal_tree_kind(name) != SEAL_TREE_STRING)
		return false;
	if (strncmp(seal_tree_text(name, &len), VERIFY_ENV_VAR, strlen(VERIFY_ENV_VAR)) == 0)
		return true;
	/* Of plain objects nothing but the reference is there. */
	return inject_get(entry, "valueFrom") != NULL ||
	       seal_strv_contains(&rules->env_exempt, seal_tree_text(name, &len));
}

static void
look_at_rest(struct count *count, const struct inject_rules *rules,
	     const struct seal_tree_node *container)
{
	static const char *const gone[] = { "args", "workingDir" };
	const struct seal_tree_node *env = inject_get(container, "env");

	for (size_t i = 0; i < SEAL_COUNT(gone); i++) {
		if (inject_get(container, gone[i]) != NULL) {
			count->clear++;
			count->one_clear = inject_get(container, gone[i]);
		}
	}
	if (env == NULL || seal_tree_kind(env) != SEAL_TREE_LIST)
		return;
	for (const struct seal_tree_node *at = seal_tree_first(env); at != NULL;
	     at = seal_tree_next_of(at)) {
		if (is_injected_env(rules, at))
			continue;
		count->clear++;
		count->one_clear = at;
	}
}

static int
look_at_hooks(struct count *count, const struct seal_tree_node *container, const char *name,
	      struct seal_err *err)
{
	static const char *const probes[] = { "livenessProbe", "readinessProbe", "startupProbe" };
	static const char *const hooks[] = { "postStart", "preStop" };
	const struct seal_tree_node *exec;
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(probes); i++) {
		exec = inject_path(container, probes[i], "exec", NULL);
		if (exec != NULL)
			r = look_at_command(count, exec, inject_get(exec, "command"), probes[i],
					    name, err);
	}
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(hooks); i++) {
		exec = inject_path(container, "lifecycle", hooks[i], "exec", NULL);
		if (exec != NULL)
			r = look_at_command(count, exec, inject_get(exec, "command"), hooks[i],
					    name, err);
	}
	return r;
}

/* The sidecar's last argument, and the place of the init container that makes placeholders. */
static int
look_at_ours(struct count *count, const struct seal_tree_node *container, const char *name,
	     bool *ret_ours, struct seal_err *err)
{
	struct verify_key_id id = { 0 };
	struct verify_binding binding = { 0 };
	const struct seal_tree_node *args = inject_get(container, "args");
	const struct seal_tree_node *value;
	size_t len = 0;
	const char *text;

	*ret_ours = true;
	if (strcmp(name, VERIFY_PROXY_NAME) == 0) {
		value = args != NULL && seal_tree_count(args) == 2
				? seal_tree_next_of(seal_tree_first(args))
				: NULL;
		text = value != NULL && seal_tree_kind(value) == SEAL_TREE_STRING
			       ? seal_tree_text(value, &len)
			       : "";
		return look(count, container, text, len, VERIFY_PROXY_KEY, VERIFY_PROXY_NAME, err);
	}
	*ret_ours = strncmp(name, INJECT_PLACE_PREFIX, strlen(INJECT_PLACE_PREFIX)) == 0;
	if (!*ret_ours)
		return 0;
	text = inject_command_value(inject_get(container, "command"), &len);
	/* Whose files it makes is not in its name; what else it says is looked at as usual. */
	if (text == NULL || verify_peek(text, len, &id, &binding, NULL) < 0)
		binding.container[0] = '\0';
	return look_at_command(count, container, inject_get(container, "command"), INJECT_PLACE_KEY,
			       binding.container, err);
}

static int
look_at_container(struct count *count, const struct inject_rules *rules,
		  const struct seal_tree_node *container, struct seal_err *err)
{
	const struct seal_tree_node *node = inject_get(container, "name");
	bool ours = false;
	const char *name;
	size_t len = 0;
	int r;

	if (node == NULL || seal_tree_kind(node) != SEAL_TREE_STRING) {
		count->clear++;
		count->one_clear = container;
		return 0;
	}
	name = seal_tree_text(node, &len);
	r = look_at_ours(count, container, name, &ours, err);
	if (r < 0 || ours)
		return r;
	r = look_at_command(count, container, inject_get(container, "command"), VERIFY_SPEC_KEY,
			    name, err);
	if (r == 0)
		r = look_at_hooks(count, container, name, err);
	if (r == 0)
		look_at_rest(count, rules, container);
	return r;
}

/* What the sidecar says of the pod that was sealed; "": nothing, or there is none. */
static const char *
told_depends(const struct seal_tree_node *spec)
{
	const struct seal_tree_node *list = inject_get(spec, "initContainers");
	const struct seal_tree_node *env = NULL;

	if (list == NULL || seal_tree_kind(list) != SEAL_TREE_LIST)
		return "";
	for (const struct seal_tree_node *at = seal_tree_first(list); at != NULL;
	     at = seal_tree_next_of(at))
		if (strcmp(inject_peek_text(at, "name", ""), VERIFY_PROXY_NAME) == 0)
			env = inject_get(at, "env");
	if (env == NULL || seal_tree_kind(env) != SEAL_TREE_LIST)
		return "";
	for (const struct seal_tree_node *at = seal_tree_first(env); at != NULL;
	     at = seal_tree_next_of(at))
		if (strcmp(inject_peek_text(at, "name", ""), INJECT_DEPENDS_VAR) == 0)
			return inject_peek_text(at, "value", "");
	return "";
}

/* All is sealed, but was it for this pod?  Policies cannot be opened here, so that they are not made anew. */
static int
check_depends(const struct inject_item *item, const struct seal_tree_node *spec,
	      struct seal_err *err)
{
	char digest[INJECT_DEPENDS_SIZE];
	int r = inject_depends(item, spec, digest, err);

	if (r < 0 || strcmp(told_depends(spec), digest) == 0)
		return r;
	return inject_fail(
		item, spec, err, SEAL_E_REFUSED,
		"%s was changed since it was sealed, in what its policies were made from "
		"(volumes, mounts, names, DNS, service account): inject the original",
		item->label);
}

int
inject_pod_again(const struct inject_item *item, const struct seal_tree_node *spec,
		 const struct inject_rules *rules, struct seal_err *err)
{
	static const char *const lists[] = { "initContainers", "containers" };
	struct count count = { .item = item };
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(lists); i++) {
		const struct seal_tree_node *list = inject_get(spec, lists[i]);

		if (list == NULL || seal_tree_kind(list) != SEAL_TREE_LIST)
			continue;
		for (const struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
		     at = seal_tree_next_of(at))
			r = look_at_container(&count, rules, at, err);
	}
	if (r == 0)
		r = judge(&count, err);
	if (r <= 0)
		return r;
	r = check_depends(item, spec, err);
	if (r < 0)
		return r;
	/* They left with the first injection: whoever wrote them since means to change something. */
	if (rules->inbound != NULL || rules->outbound != NULL || rules->public != NULL ||
	    rules->proxy_config != NULL || rules->verify != NULL || rules->verify_policy != NULL)
		return inject_fail(item, inject_get(item->root, "metadata"), err, SEAL_E_REFUSED,
				   "listeners or a policy in annotations, but %s was sealed "
				   "before: inject the original",
				   item->label);
	if (item->run->pins != NULL)
		inject_note(item, item->root, INJECT_WARNED,
			    "what it says has to be sealed: inject the original",
			    "--policy does not reach what was sealed before");
	return 1;
}
