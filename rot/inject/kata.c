/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy has to know of a pod: every container that may be created, and every command that may be
 * executed in one.  A container that seal inject did not make is none of these, and refused by its name.
 */
#include "rot/inject/kata.h"

#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"
#include "rot/inject/kata_internal.h"

struct kata_reader {
	const struct kata_options *options;
	struct seal_json *data; /* of the policy */
	struct seal_json *containers;
	struct seal_json *execs;
	char object[VERIFY_OBJECT_MAX]; /* "": no pod yet */
	bool has_proxy;
};

static int
refuse(const struct kata_place *place, const struct seal_tree_node *node, const char *what,
       struct seal_err *err)
{
	return inject_fail(place->item, node, err, SEAL_E_REFUSED,
			   "container '%.63s' was not injected: %s; run seal inject first, this "
			   "reads what that wrote",
			   place->name, what);
}

/* ---- Words that were sealed ---- */

/* Sealed for this object, this key and this container; of placeholders, whose files they are is not known. */
static int
check_sealed(const struct kata_place *place, const struct seal_tree_node *node, const char *key,
	     struct seal_err *err)
{
	const struct verify_binding *own = &place->item->binding;
	bool is_place = strcmp(key, INJECT_PLACE_KEY) == 0;
	struct verify_binding is = { .gen = 0 };
	struct verify_key_id id = { .generation = 0 };
	const char *text = "";
	size_t len;
	int r = inject_text(place->item, node, "a word of a command", &text, err);

	if (r < 0)
		return r;
	len = strlen(text);
	if (verify_peek(text, len, &id, &is, NULL) < 0)
		return refuse(place, node, "what it starts from is not sealed", err);
	if (strcmp(is.ns, own->ns) != 0 || strcmp(is.kind, own->kind) != 0 ||
	    strcmp(is.name, own->name) != 0 || strcmp(is.key, key) != 0 ||
	    (!is_place && strcmp(is.container, place->name) != 0))
		return refuse(place, node, "what it starts from was sealed for another place", err);
	return 0;
}

/* [seal-wrap, value], and nothing else. */
static int
check_command(const struct kata_place *place, const struct seal_tree_node *holder, const char *key,
	      struct seal_tree_node **ret_command, struct seal_err *err)
{
	const char *program = "";
	int r = inject_member_list(place->item, holder, "command", ret_command, err);

	if (r < 0)
		return r;
	if (*ret_command == NULL || seal_tree_count(*ret_command) != 2)
		return refuse(place, holder, "its command is not seal-wrap and one value", err);
	r = inject_text(place->item, seal_tree_first(*ret_command), "a program", &program, err);
	if (r == 0 && program[0] != '/')
		return refuse(place, *ret_command, "its program has no absolute path", err);
	return r < 0 ? r
		     : check_sealed(place, seal_tree_next_of(seal_tree_first(*ret_command)), key,
				    err);
}

static struct seal_json *
add_container(const struct kata_place *place)
{
	struct seal_json *to = seal_json_add_object(place->reader->containers);

	seal_json_set_str(to, "name", place->name);
	return to;
}

static int
add_words(const struct kata_place *place, const struct seal_tree_node *list, struct seal_json *to,
	  struct seal_err *err)
{
	int r = 0;

	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		const char *word = "";

		r = inject_text(place->item, at, "a word of a command", &word, err);
		seal_json_add_str(to, word);
	}
	return r;
}

/* ---- The sidecar ---- */

/* It is linked dynamically: no variable may come that was not written down. */
static int
set_variables(const struct kata_place *place, struct seal_json *to, struct seal_err *err)
{
	struct seal_json *list = seal_json_set_array(to, "variables");
	struct seal_tree_node *env = NULL;
	int r = inject_member_list(place->item, place->node, "env", &env, err);

	for (struct seal_tree_node *at = env != NULL ? seal_tree_first(env) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(64u * 1024);
		const char *name = "";
		const char *value = "";

		r = inject_member_text(place->item, at, "name", &name, err);
		if (r == 0)
			r = inject_member_text(place->item, at, "value", &value, err);
		if (r == 0 && inject_get(at, "valueFrom") != NULL)
			r = refuse(place, at, "a variable of it comes from elsewhere", err);
		if (r == 0)
			r = seal_bytes_append_fmt(&text, err, "%s=%s", name, value);
		seal_json_add_str(list, seal_bytes_str(&text));
	}
	if (r == 0 && inject_get(place->node, "envFrom") != NULL)
		r = refuse(place, place->node, "its variables come from elsewhere", err);
	seal_json_set_bool(to, "any_variable", false);
	return r;
}

static int
read_proxy(const struct kata_place *place, struct seal_err *err)
{
	struct seal_json *to = add_container(place);
	struct seal_json *words = seal_json_set_array(to, "args");
	struct seal_tree_node *command = NULL;
	struct seal_tree_node *args = NULL;
	const char *option = "";
	int r = inject_member_list(place->item, place->node, "command", &command, err);

	if (r == 0)
		r = inject_member_list(place->item, place->node, "args", &args, err);
	if (r < 0)
		return r;
	if (args == NULL || seal_tree_count(args) != 2)
		return refuse(place, place->node, "its arguments are not --sealed-config VALUE",
			      err);
	r = inject_text(place->item, seal_tree_first(args), "an argument", &option, err);
	if (r == 0 && strcmp(option, "--sealed-config") != 0)
		r = refuse(place, args, "its arguments are not --sealed-config VALUE", err);
	if (r == 0)
		r = check_sealed(place, seal_tree_next_of(seal_tree_first(args)), VERIFY_PROXY_KEY,
				 err);
	if (command == NULL || seal_tree_count(command) == 0)
		seal_json_add_str(words, place->options->proxy_path);
	if (r == 0)
		r = add_words(place, command, words, err);
	if (r == 0)
		r = add_words(place, args, words, err);
	if (r == 0)
		r = set_variables(place, to, err);
	place->reader->has_proxy = true;
	return r < 0 ? r : kata_set_rest(place, to, err);
}

/* ---- The others ---- */

static int
read_exec(const struct kata_place *place, const struct seal_tree_node *handler, const char *key,
	  struct seal_err *err)
{
	struct seal_tree_node *command = NULL;
	struct seal_tree_node *exec = NULL;
	struct seal_json *words;
	int r;

	if (handler == NULL)
		return 0;
	r = inject_member_map(place->item, handler, "exec", &exec, err);
	if (r < 0 || exec == NULL)
		return r;
	r = check_command(place, exec, key, &command, err);
	if (r < 0)
		return r;
	words = seal_json_set_array(place->reader->execs, NULL);
	return add_words(place, command, words, err);
}

static int
read_execs(const struct kata_place *place, struct seal_err *err)
{
	static const char *const probes[] = { "livenessProbe", "readinessProbe", "startupProbe" };
	static const char *const hooks[] = { "postStart", "preStop" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(probes); i++)
		r = read_exec(place, inject_get(place->node, probes[i]), probes[i], err);
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(hooks); i++)
		r = read_exec(place, inject_path(place->node, "lifecycle", hooks[i], NULL),
			      hooks[i], err);
	return r;
}

static int
read_wrapped(const struct kata_place *place, struct seal_err *err)
{
	bool is_place = strncmp(place->name, INJECT_PLACE_PREFIX, strlen(INJECT_PLACE_PREFIX)) == 0;
	struct seal_tree_node *command = NULL;
	struct seal_json *to;
	int r = check_command(place, place->node, is_place ? INJECT_PLACE_KEY : VERIFY_SPEC_KEY,
			      &command, err);

	if (r < 0)
		return r;
	if (inject_get(place->node, "args") != NULL)
		return refuse(place, inject_get(place->node, "args"), "it has arguments", err);
	to = add_container(place);
	r = add_words(place, command, seal_json_set_array(to, "args"), err);
	seal_json_set_array(to, "variables");
	seal_json_set_bool(to, "any_variable",
			   true); /* seal-wrap is static, and takes what it is to */
	if (r == 0)
		r = kata_set_rest(place, to, err);
	return r < 0 ? r : read_execs(place, err);
}

static int
read_container(struct kata_place *place, struct seal_err *err)
{
	int r;

	place->name = "";
	if (seal_tree_kind(place->node) != SEAL_TREE_MAP)
		return inject_fail(place->item, place->node, err, SEAL_E_FORMAT,
				   "a container must be a map");
	r = inject_member_text(place->item, place->node, "name", &place->name, err);
	if (r < 0)
		return r;
	return strcmp(place->name, VERIFY_PROXY_NAME) == 0 ? read_proxy(place, err)
							   : read_wrapped(place, err);
}

/* ---- The pod ---- */

/*
 * Those that container runtimes set themselves, and those of the manifest.  With any other (route_localnet) the
 * host could reach the loopback.
 */
static int
read_sysctls(const struct kata_place *place, struct seal_err *err)
{
	struct seal_json *to = seal_json_set_object(place->reader->data, "sysctls");
	struct seal_tree_node *context = NULL;
	struct seal_tree_node *list = NULL;
	int r = inject_member_map(place->item, place->pod, "securityContext", &context, err);

	seal_json_set_str(to, "net.ipv4.ip_unprivileged_port_start", "0");
	seal_json_set_str(to, "net.ipv4.ping_group_range", "0 2147483647");
	if (r == 0 && context != NULL)
		r = inject_member_list(place->item, context, "sysctls", &list, err);
	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		const char *name = "";
		const char *value = "";

		r = inject_member_text(place->item, at, "name", &name, err);
		if (r == 0)
			r = inject_member_text(place->item, at, "value", &value, err);
		if (r == 0)
			seal_json_set_str(to, name, value);
	}
	return r;
}

static int
read_list(struct kata_place *place, const char *member, struct seal_err *err)
{
	struct seal_tree_node *list = NULL;
	int r = inject_member_list(place->item, place->pod, member, &list, err);

	for (struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		place->node = at;
		r = read_container(place, err);
	}
	return r;
}

static int
read_pod(struct kata_place *place, struct seal_err *err)
{
	static const char *const lists[] = { "initContainers", "containers",
					     "ephemeralContainers" };
	struct kata_reader *reader = place->reader;
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(lists); i++)
		r = read_list(place, lists[i], err);
	if (r == 0 && !reader->has_proxy)
		return inject_fail(place->item, place->pod, err, SEAL_E_REFUSED,
				   "there is no sidecar: run seal inject first, this reads what "
				   "that wrote");
	seal_json_set_bool(reader->data, "shared_pids",
			   inject_is_true(place->pod, "shareProcessNamespace"));
	return r < 0 ? r : read_sysctls(place, err);
}

static int
visit(struct inject_item *item, struct seal_err *err)
{
	struct kata_reader *reader = item->run->reader;
	struct kata_place place = { .reader = reader, .options = reader->options, .item = item };
	struct seal_tree_node *spec = NULL;
	struct seal_tree_node *meta;
	int r;

	if (!inject_is_pod_kind(item->kind, item->api) || !inject_find_pod(item, &spec, &meta))
		return 0;
	r = inject_item_identify(item, err);
	if (r < 0)
		return r;
	if (reader->object[0] != '\0')
		return inject_fail(item, item->root, err, SEAL_E_CONFLICT,
				   "a second pod, %s beside %s: each has a policy of its own, give "
				   "them one by one",
				   item->label, reader->object);
	(void)snprintf(reader->object, sizeof(reader->object), "%s", item->label);
	place.pod = spec;
	return read_pod(&place, err);
}

static void
run_release(struct inject_run *run)
{
	seal_bytes_release(&run->draft);
}

static int
read_all(struct kata_reader *reader, const struct inject_input *inputs, size_t input_count,
	 struct seal_err *err)
{
	const struct inject_options options = { .ns = reader->options->ns };
	SEAL_SCOPED(inject_report_release) struct inject_report report = { 0 };
	SEAL_SCOPED(run_release)
	struct inject_run run = { .options = &options,
				  .report = &report,
				  .draft = SEAL_BYTES(INJECT_MAX_OUT),
				  .visit = visit,
				  .reader = reader };
	int r = 0;

	for (size_t i = 0; r == 0 && i < input_count; i++) {
		run.name = inputs[i].name;
		r = inject_walk(&run, inputs[i].text, inputs[i].len, err);
	}
	if (r == 0 && reader->object[0] == '\0')
		return seal_fail(err, SEAL_E_MISSING, "there is no pod in the manifests");
	return r;
}

void
kata_result_release(struct kata_result *result)
{
	seal_bytes_release(&result->policy);
	seal_bytes_release(&result->initdata);
	seal_bytes_release(&result->annotation);
}

int
inject_kata(const struct kata_options *options, const struct inject_input *inputs,
	    size_t input_count, struct kata_result *ret_result, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *data = seal_json_new();
	SEAL_SCOPED(kata_result_release)
	struct kata_result result = { .policy = SEAL_BYTES(INJECT_MAX_OUT),
				      .initdata = SEAL_BYTES(INJECT_MAX_OUT),
				      .annotation = SEAL_BYTES(2 * INJECT_MAX_OUT) };
	struct kata_reader reader = { .options = options, .data = data };
	int r;

	reader.containers = seal_json_set_array(data, "containers");
	reader.execs = seal_json_set_array(data, "execs");
	seal_json_set_bool(data, "guest_pull", !options->allow_host_images);
	r = read_all(&reader, inputs, input_count, err);
	if (r == 0 && seal_json_has_failed(data))
		r = seal_fail_memory(err);
	if (r == 0)
		r = kata_rego_write(&result.policy, data, options, err);
	if (r == 0)
		r = kata_initdata_write(&result, options->algorithm, err);
	if (r < 0)
		return r;
	memcpy(result.object, reader.object, sizeof(result.object));
	*ret_result = result;
	result = (struct kata_result){ .policy = SEAL_BYTES(0) };
	return 0;
}
