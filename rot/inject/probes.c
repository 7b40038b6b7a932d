/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes and hooks: commands are sealed, each as a value of its own, and probes of ports that the proxy
 * owns now are reported, or rewritten when the owner asks for that.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

static const char *const probes[] = { "livenessProbe", "readinessProbe", "startupProbe" };
static const char *const hooks[] = { "postStart", "preStop" };

/* ---- Commands ---- */

static int
check_command(const struct inject_container *container, struct seal_tree_node *exec,
	      const char *key, struct seal_tree_node **ret_command, struct seal_err *err)
{
	const struct inject_item *item = container->pod->item;
	const char *word = "";
	int r = inject_member_list(item, exec, "command", ret_command, err);

	if (r == 0 && (*ret_command == NULL || seal_tree_count(*ret_command) == 0))
		r = inject_fail(item, exec, err, SEAL_E_FORMAT, "%s without a command", key);
	if (r < 0)
		return r;
	for (struct seal_tree_node *at = seal_tree_first(*ret_command); r == 0 && at != NULL;
	     at = seal_tree_next_of(at))
		r = inject_text(item, at, "a word of a command", &word, err);
	if (r == 0 && inject_text(item, seal_tree_first(*ret_command), "", &word, err) == 0 &&
	    word[0] == '\0')
		r = inject_fail(item, exec, err, SEAL_E_FORMAT, "%s with an empty command", key);
	return r;
}

static int
seal_exec(struct inject_container *container, struct seal_tree_node *exec, const char *key,
	  struct seal_err *err)
{
	struct inject_item *item = container->pod->item;
	SEAL_SCOPED(seal_json_freep) struct seal_json *spec = seal_json_new();
	struct seal_tree_node *command = NULL;
	char placeholder[INJECT_PLACEHOLDER];
	int r = inject_check_shape(item, exec, INJECT_SHAPE_EXEC, err);

	if (r == 0)
		r = check_command(container, exec, key, &command, err);
	if (r < 0)
		return r;
	inject_container_base(container, spec);
	seal_tree_set_in_json(command, spec, "exec");
	seal_json_set_copy(spec, "verify", seal_json_member(container->spec, "verify"));
	r = inject_plan_json(item, exec, key, container->name, spec, placeholder, err);
	if (r < 0)
		return r;
	inject_set_strings(item->tree, exec, "command",
			   (const char *[]){ item->run->options->wrap_path, placeholder, NULL });
	inject_note(item, exec, INJECT_SEALED, NULL, "%s %s: command of %s", container->label,
		    container->name, key);
	return 0;
}

/* ---- Probes of ports ---- */

/* The port a probe speaks to, as digits; "" when it has none.  Names are those of the container's ports. */
static void
port_of(const struct inject_container *container, const struct seal_tree_node *probe, char *out,
	size_t size)
{
	const struct seal_tree_node *port = inject_get(probe, "port");
	const struct seal_tree_node *ports = inject_get(container->node, "ports");
	size_t len = 0;

	out[0] = '\0';
	if (port == NULL ||
	    (seal_tree_kind(port) != SEAL_TREE_NUMBER && seal_tree_kind(port) != SEAL_TREE_STRING))
		return;
	(void)snprintf(out, size, "%s", seal_tree_text(port, &len));
	if (seal_tree_kind(port) == SEAL_TREE_NUMBER || ports == NULL ||
	    seal_tree_kind(ports) != SEAL_TREE_LIST)
		return;
	for (const struct seal_tree_node *at = seal_tree_first(ports); at != NULL;
	     at = seal_tree_next_of(at)) {
		const struct seal_tree_node *name = inject_get(at, "name");
		const struct seal_tree_node *number = inject_get(at, "containerPort");

		if (name != NULL && number != NULL && seal_tree_kind(name) == SEAL_TREE_STRING &&
		    seal_tree_kind(number) == SEAL_TREE_NUMBER &&
		    strcmp(seal_tree_text(name, &len), seal_tree_text(port, &len)) == 0)
			(void)snprintf(out, size, "%s", seal_tree_text(number, &len));
	}
}

/* Its timing stays the owner's. */
static void
rewrite(struct inject_container *container, struct seal_tree_node *probe)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *hold = seal_json_new();
	struct seal_json *get = seal_json_set_object(hold, "httpGet");

	seal_json_set_str(get, "path", "/readyz");
	seal_json_set_u64(get, "port", container->pod->health_port);
	seal_tree_remove(probe, "tcpSocket");
	seal_tree_remove(probe, "grpc");
	seal_tree_set_json(container->pod->item->tree, probe, "httpGet", get);
}

static void
look_at_port(struct inject_container *container, struct seal_tree_node *probe, const char *key)
{
	static const char *const ways[] = { "httpGet", "tcpSocket", "grpc" };
	const struct inject_pod *pod = container->pod;
	const struct seal_tree_node *way = NULL;
	char port[32];

	for (size_t i = 0; way == NULL && i < SEAL_COUNT(ways); i++)
		way = inject_get(probe, ways[i]);
	if (way == NULL)
		return;
	if (inject_get(way, "httpHeaders") != NULL)
		inject_note(pod->item, way, INJECT_WARNED,
			    "the host sends them, so they are in clear", "%s %s: headers of %s",
			    container->label, container->name, key);
	port_of(container, way, port, sizeof(port));
	if (!seal_strv_contains(&pod->owned, port))
		return;
	if (pod->rules.probes == NULL)
		inject_note(pod->item, way, INJECT_WARNED,
			    "the proxy owns that port's traffic: annotation " INJECT_ANNOTATION
			    "probes \"readyz\" asks the proxy instead, \"keep\" leaves it",
			    "%s %s: %s asks the application's own port %s", container->label,
			    container->name, key, port);
	else if (strcmp(pod->rules.probes, "readyz") == 0) {
		rewrite(container, probe);
		inject_note(pod->item, probe, INJECT_CHANGED, "as the owner said",
			    "%s %s: %s asks the proxy's /readyz", container->label, container->name,
			    key);
	}
}

/* ---- All of them ---- */

static int
each_probe(struct inject_container *container, const char *key, struct seal_err *err)
{
	struct seal_tree_node *probe = NULL;
	struct seal_tree_node *exec = NULL;
	int r = inject_member_map(container->pod->item, container->node, key, &probe, err);

	if (r == 0)
		r = inject_member_map(container->pod->item, probe, "exec", &exec, err);
	if (r == 0)
		r = inject_check_shape(container->pod->item, probe, INJECT_SHAPE_HANDLER, err);
	if (r < 0 || probe == NULL)
		return r;
	if (exec != NULL)
		return seal_exec(container, exec, key, err);
	look_at_port(container, probe, key);
	return 0;
}

static int
each_hook(struct inject_container *container, const struct seal_tree_node *lifecycle,
	  const char *key, struct seal_err *err)
{
	struct seal_tree_node *hook = NULL;
	struct seal_tree_node *exec = NULL;
	int r = inject_member_map(container->pod->item, lifecycle, key, &hook, err);

	if (r == 0)
		r = inject_member_map(container->pod->item, hook, "exec", &exec, err);
	if (r == 0)
		r = inject_check_shape(container->pod->item, hook, INJECT_SHAPE_HANDLER, err);
	if (r < 0 || hook == NULL)
		return r;
	if (exec != NULL)
		return seal_exec(container, exec, key, err);
	if (inject_path(hook, "httpGet", "httpHeaders", NULL) != NULL)
		inject_note(container->pod->item, hook, INJECT_WARNED,
			    "the host sends them, so they are in clear", "%s %s: headers of %s",
			    container->label, container->name, key);
	return 0;
}

int
inject_probes(struct inject_container *container, struct seal_err *err)
{
	struct seal_tree_node *lifecycle = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(probes); i++)
		r = each_probe(container, probes[i], err);
	if (r == 0)
		r = inject_member_map(container->pod->item, container->node, "lifecycle",
				      &lifecycle, err);
	if (r == 0)
		r = inject_check_shape(container->pod->item, lifecycle, INJECT_SHAPE_LIFECYCLE,
				       err);
	for (size_t i = 0; r == 0 && lifecycle != NULL && i < SEAL_COUNT(hooks); i++)
		r = each_hook(container, lifecycle, hooks[i], err);
	return r;
}
