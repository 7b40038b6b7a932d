/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container: what it is started from goes into its sealed spec, and what remains starts seal-wrap
 * with that as its only argument.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

/* Kept as the owner wrote them; env is put together by env.c. */
static const char *const verbatim[] = { "command",        "args",         "envFrom",
					"workingDir",     "volumeMounts", "livenessProbe",
					"readinessProbe", "startupProbe", "lifecycle" };
/* What the spec of a probe or hook needs of it. */
static const char *const shared[] = { "envFrom", "workingDir" };

/* ---- Names ---- */

static int
check_name(const struct inject_container *container, struct seal_strv *names, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	struct verify_binding binding = item->binding;
	struct seal_err why = { 0 };

	if (strlen(container->name) > VERIFY_CONTAINER_MAX)
		return inject_fail(item, container->node, err, SEAL_E_LIMIT,
				   "the name of a container is longer than %d characters",
				   VERIFY_CONTAINER_MAX);
	(void)snprintf(binding.key, sizeof(binding.key), VERIFY_SPEC_KEY);
	(void)snprintf(binding.container, sizeof(binding.container), "%s", container->name);
	binding.gen = 1;
	binding.of = 1;
	if (container->name[0] == '\0' || verify_binding_check(&binding, &why) < 0)
		return inject_fail(item, container->node, err, SEAL_E_FORMAT,
				   "'%.63s' is no name of a container", container->name);
	if (strncmp(container->name, "seal-", 5) == 0)
		return inject_fail(item, container->node, err, SEAL_E_REFUSED,
				   "%s '%s': names that begin with 'seal-' are ours",
				   container->label, container->name);
	if (seal_strv_contains(names, container->name))
		return inject_fail(item, container->node, err, SEAL_E_FORMAT,
				   "two containers named '%s'", container->name);
	return seal_strv_add(names, container->name, err);
}

/* ---- What it runs ---- */

static int
check_words(const struct inject_container *container, const char *member, bool *ret_any,
	    struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	struct seal_tree_node *list = NULL;
	const char *word = NULL;
	int r = inject_member_list(item, container->node, member, &list, err);

	*ret_any = false;
	if (r < 0 || list == NULL)
		return r;
	for (struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
	     at = seal_tree_next_of(at)) {
		r = inject_text(item, at, member, &word, err);
		if (r == 0 && !*ret_any && member[0] == 'c' && word[0] == '\0')
			r = inject_fail(item, at, err, SEAL_E_FORMAT,
					"%s '%s': an empty word as the program to run",
					container->label, container->name);
		*ret_any = true;
	}
	return r;
}

static int
check_program(const struct inject_container *container, const struct inject_image *image,
	      struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const char *name = "";
	bool has_command = false;
	bool has_args = false;
	int r = check_words(container, "command", &has_command, err);

	if (r == 0)
		r = check_words(container, "args", &has_args, err);
	if (r == 0)
		r = inject_member_text(item, container->node, "image", &name, err);
	if (r < 0 || has_command || (image != NULL && inject_image_runs(image)))
		return r;
	return inject_fail(item, container->node, err, SEAL_E_MISSING,
			   "%s '%s' has no command here, and what its image '%.128s' runs is not "
			   "known: give --image-config %s=FILE, what 'skopeo inspect --config' "
			   "prints, or write the command",
			   container->label, container->name, name, container->name);
}

static int
check_cwd(const struct inject_container *container, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const char *cwd = NULL;
	int r = inject_member_text(item, container->node, "workingDir", &cwd, err);

	if (r < 0 || cwd == NULL || cwd[0] == '\0' || cwd[0] == '/')
		return r;
	return inject_fail(item, inject_get(container->node, "workingDir"), err, SEAL_E_FORMAT,
			   "%s '%s': workingDir must be absolute", container->label,
			   container->name);
}

/* ---- The spec ---- */

static void
copy_members(const struct inject_container *container, const char *const *members, size_t count,
	     struct seal_json *to)
{
	const struct seal_tree_node *env = seal_tree_get(container->node, "env");

	seal_json_set_str(to, "name", container->name);
	if (inject_get(container->node, "env") != NULL)
		seal_json_set_copy(to, "env", container->env_spec);
	else if (env != NULL)
		seal_json_set_null(to, "env");
	for (size_t i = 0; i < count; i++) {
		const struct seal_tree_node *node = seal_tree_get(container->node, members[i]);

		if (node != NULL)
			seal_tree_set_in_json(node, to, members[i]);
	}
}

static void
add_rest(const struct inject_container *container, const struct inject_image *image,
	 struct seal_json *spec)
{
	if (image != NULL)
		inject_image_set(image, spec);
	if (seal_json_count(container->exempt) > 0)
		seal_json_set_copy(spec, "exempt", container->exempt);
	if (seal_json_count(container->loader) > 0)
		seal_json_set_copy(spec, "loader", container->loader);
}

static void
build_spec(struct inject_container *container, const struct inject_image *image)
{
	struct seal_json *spec = container->spec;

	seal_json_set_u64(spec, "version", 1);
	copy_members(container, verbatim, SEAL_COUNT(verbatim),
		     seal_json_set_object(spec, "container"));
	add_rest(container, image, spec);
	if (seal_json_count(container->files) > 0)
		seal_json_set_copy(spec, "files", container->files);
}

void
inject_container_base(const struct inject_container *container, struct seal_json *to)
{
	seal_json_set_u64(to, "version", 1);
	copy_members(container, shared, SEAL_COUNT(shared), seal_json_set_object(to, "container"));
	add_rest(container, inject_image_find(container), to);
}

/* ---- What remains ---- */

static void
set_or_remove(struct inject_container *container, const char *member, const struct seal_json *list)
{
	if (seal_json_count(list) > 0)
		seal_tree_set_json(container->pod->item->tree, container->node, member, list);
	else
		seal_tree_remove(container->node, member);
}

static int
finish(struct inject_container *container, struct seal_err *err)
{
	struct inject_item *item = container->pod->item;
	char placeholder[INJECT_PLACEHOLDER];
	int r = inject_plan_json(item, container->node, VERIFY_SPEC_KEY, container->name,
				 container->spec, placeholder, err);

	if (r < 0)
		return r;
	inject_set_strings(item->tree, container->node, "command",
			   (const char *[]){ item->run->options->wrap_path, placeholder, NULL });
	seal_tree_remove(container->node, "args");
	seal_tree_remove(container->node, "workingDir");
	set_or_remove(container, "env", container->env);
	set_or_remove(container, "envFrom", container->from);
	set_or_remove(container, "volumeMounts", container->mounts);
	inject_note(item, container->node, INJECT_SEALED, NULL,
		    "%s %s: command, arguments, working directory, mounts", container->label,
		    container->name);
	return 0;
}

/* The init container that makes the files over which single files are mounted. */
static int
add_place(struct inject_container *container, struct seal_err *err)
{
	static const char *const same[] = { "image", "imagePullPolicy", "securityContext",
					    "resources" };
	struct inject_item *item = container->pod->item;
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = NULL;
	struct seal_json *made;
	struct seal_json *words;
	char placeholder[INJECT_PLACEHOLDER];
	char name[64];
	int r;

	if (seal_json_count(container->place_paths) == 0)
		return 0;
	spec = seal_json_new();
	seal_json_set_u64(spec, "version", 1);
	seal_json_set_str(seal_json_set_object(spec, "container"), "name", container->name);
	seal_json_set_copy(spec, "place", container->place_paths);
	r = inject_plan_json(item, container->node, INJECT_PLACE_KEY, container->name, spec,
			     placeholder, err);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), INJECT_PLACE_PREFIX "%zu", container->index);
	made = seal_json_add_object(container->pod->places);
	seal_json_set_str(made, "name", name);
	for (size_t i = 0; i < SEAL_COUNT(same); i++) {
		const struct seal_tree_node *node = seal_tree_get(container->node, same[i]);

		if (node != NULL)
			seal_tree_set_in_json(node, made, same[i]);
	}
	words = seal_json_set_array(made, "command");
	seal_json_add_str(words, item->run->options->wrap_path);
	seal_json_add_str(words, placeholder);
	seal_json_set_copy(made, "volumeMounts", container->place_mounts);
	inject_note(item, container->node, INJECT_ADDED,
		    "a mount of one file needs that file to be there", "init container %s", name);
	return 0;
}

/* ---- One container ---- */

static int
transform(struct inject_container *container, struct seal_err *err)
{
	const struct inject_image *image = inject_image_find(container);
	int r = check_program(container, image, err);

	if (r == 0)
		r = check_cwd(container, err);
	if (r == 0)
		r = inject_env(container, err);
	if (r == 0)
		r = inject_mounts(container, err);
	if (r < 0)
		return r;
	build_spec(container, image);
	r = inject_policy(container, err);
	if (r == 0)
		r = inject_probes(container, err);
	if (r == 0)
		r = add_place(container, err);
	return r < 0 ? r : finish(container, err);
}

static int
each_container(struct inject_pod *pod, struct seal_tree_node *node, bool is_init, size_t index,
	       struct seal_strv *names, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *all = seal_json_new();
	struct inject_container container = {
		.pod = pod,
		.node = node,
		.name = "",
		.label = is_init ? "init container" : "container",
		.index = index,
		.spec = seal_json_set_object(all, "spec"),
		.env = seal_json_set_array(all, "env"),
		.env_spec = seal_json_set_array(all, "env_spec"),
		.from = seal_json_set_array(all, "from"),
		.mounts = seal_json_set_array(all, "mounts"),
		.files = seal_json_set_array(all, "files"),
		.place_mounts = seal_json_set_array(all, "place_mounts"),
		.place_paths = seal_json_set_array(all, "place_paths"),
		.exempt = seal_json_set_array(all, "exempt"),
		.loader = seal_json_set_array(all, "loader"),
	};
	int r;

	if (seal_tree_kind(node) != SEAL_TREE_MAP)
		return inject_fail(pod->item, node, err, SEAL_E_FORMAT,
				   "a container must be a map");
	r = inject_check_shape(pod->item, node, INJECT_SHAPE_CONTAINER, err);
	if (r == 0)
		r = inject_member_text(pod->item, node, "name", &container.name, err);
	if (r == 0)
		r = check_name(&container, names, err);
	return r < 0 ? r : transform(&container, err);
}

int
inject_containers(struct inject_pod *pod, struct seal_err *err)
{
	static const char *const lists[] = { "initContainers", "containers" };
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	struct seal_tree_node *list = NULL;
	size_t index = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(lists); i++) {
		r = inject_member_list(pod->item, pod->spec, lists[i], &list, err);
		if (r < 0)
			return r;
		for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
		     r == 0 && at != NULL; at = seal_tree_next_of(at))
			r = each_container(pod, at, i == 0, index++, &names, err);
	}
	if (r == 0 && (list == NULL || seal_tree_count(list) == 0))
		return inject_fail(pod->item, pod->spec, err, SEAL_E_FORMAT,
				   "a pod without containers");
	return r;
}
