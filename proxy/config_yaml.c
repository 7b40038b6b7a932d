/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML spelling of the configuration: docs/man/seal-proxy.yaml.5.  Every failure names file, line
 * and column.
 */
#include "base/yaml/yaml.h"
#include "proxy/config_internal.h"

/* Put the node's place in front of what a setter said. */
static int
fail_at(const struct seal_yaml_node *node, const struct seal_err *inner, struct seal_err *err)
{
	int r = inner->code;

	(void)seal_yaml_fail(node, err, "%s", inner->text); /* its code is always "format" */
	if (err != NULL)
		err->code = r;
	return r;
}

static int
set_origin(struct proxy_listener_config *listener, const struct seal_yaml_node *node,
	   struct seal_err *err)
{
	struct seal_err place = { 0 };
	char *end;

	/* The room tells places only in sentences: make one and keep its front. */
	(void)seal_yaml_fail(node, &place, "here");
	end = strrchr(place.text, ':');
	listener->origin = seal_strndup(place.text, end == NULL ? strlen(place.text)
								: (size_t)(end - place.text));
	return listener->origin == NULL ? seal_fail_memory(err) : 0;
}

static int
read_listen(struct proxy_listener_config *listener, const struct seal_yaml_node *map,
	    struct seal_err *err)
{
	const struct seal_yaml_node *node = seal_yaml_get(map, "listen");
	struct seal_err inner = { 0 };
	const char *text = NULL;
	int r;

	if (node == NULL)
		return seal_yaml_fail(map, err, "no 'listen'");
	r = seal_yaml_str(node, &text, err);
	if (r < 0)
		return r;
	r = proxy_listener_set_listen(listener, text, &inner);
	return r < 0 ? fail_at(node, &inner, err) : 0;
}

typedef int (*add_fn)(struct proxy_listener_config *listener, const char *text,
		      struct seal_err *err);

/* One scalar or a list of them, each handed to add; never an empty list. */
static int
read_each(struct proxy_listener_config *listener, const struct seal_yaml_node *node, add_fn add,
	  struct seal_err *err)
{
	bool is_list = seal_yaml_kind(node) == SEAL_YAML_LIST;
	size_t count = is_list ? seal_yaml_count(node) : 1;

	if (count == 0)
		return seal_yaml_fail(node, err, "the list is empty");
	for (size_t i = 0; i < count; i++) {
		const struct seal_yaml_node *item = is_list ? seal_yaml_at(node, i) : node;
		struct seal_err inner = { 0 };
		const char *text = NULL;
		int r = seal_yaml_str(item, &text, err);

		if (r < 0)
			return r;
		r = add(listener, text, &inner);
		if (r < 0)
			return fail_at(item, &inner, err);
	}
	return 0;
}

static int
read_listener(struct proxy_listener_config *listener, const struct seal_yaml_node *map,
	      struct seal_err *err)
{
	static const char *const inbound_keys[] = { "listen", "forward", "peers", NULL };
	static const char *const outbound_keys[] = { "listen", "connect", "server-name", "peers",
						     NULL };
	bool inbound = listener->direction == PROXY_INBOUND;
	const char *target_key = inbound ? "forward" : "connect";
	const struct seal_yaml_node *node;
	int r;

	if (seal_yaml_kind(map) != SEAL_YAML_MAP)
		return seal_yaml_fail(map, err, "a listener is a map with 'listen' and '%s'",
				      target_key);
	r = seal_yaml_only(map, inbound ? inbound_keys : outbound_keys, err);
	if (r == 0)
		r = set_origin(listener, map, err);
	if (r == 0)
		r = read_listen(listener, map, err);
	if (r < 0)
		return r;
	node = seal_yaml_get(map, target_key);
	if (node == NULL)
		return seal_yaml_fail(map, err, "no '%s'", target_key);
	r = read_each(listener, node, proxy_listener_add_target, err);
	node = seal_yaml_get(map, "peers");
	if (r == 0 && node != NULL)
		r = read_each(listener, node, proxy_listener_add_peer, err);
	node = seal_yaml_get(map, "server-name");
	if (r == 0 && node != NULL && seal_yaml_kind(node) != SEAL_YAML_SCALAR)
		return seal_yaml_fail(node, err, "server-name is one name");
	if (r == 0 && node != NULL)
		r = read_each(listener, node, proxy_listener_set_server_name, err);
	return r;
}

static int
read_section(struct proxy_config *config, enum proxy_direction direction,
	     const struct seal_yaml_node *list, struct seal_err *err)
{
	if (list == NULL)
		return 0;
	if (seal_yaml_kind(list) != SEAL_YAML_LIST)
		return seal_yaml_fail(list, err, "a list of listeners is expected");
	for (size_t i = 0; i < seal_yaml_count(list); i++) {
		SEAL_SCOPED(proxy_listener_release)
		struct proxy_listener_config listener = { .direction = direction };
		const struct seal_yaml_node *node = seal_yaml_at(list, i);
		struct seal_err inner = { 0 };
		int r = read_listener(&listener, node, err);

		if (r < 0)
			return r;
		r = proxy_config_add(config, &listener, &inner);
		if (r < 0)
			return fail_at(node, &inner, err);
	}
	return 0;
}

static int
read_document(struct proxy_config *config, const struct seal_yaml *yaml, const char *name,
	      struct seal_err *err)
{
	static const char *const keys[] = { "inbound", "outbound", NULL };
	const struct seal_yaml_node *root = seal_yaml_root(yaml);
	int r;

	if (root == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "%s:1:1: the file is empty", name);
	if (seal_yaml_kind(root) != SEAL_YAML_MAP)
		return seal_yaml_fail(root, err, "a map with 'inbound' and 'outbound' is expected");
	r = seal_yaml_only(root, keys, err);
	if (r == 0)
		r = read_section(config, PROXY_INBOUND, seal_yaml_get(root, "inbound"), err);
	if (r == 0)
		r = read_section(config, PROXY_OUTBOUND, seal_yaml_get(root, "outbound"), err);
	return r;
}

/* Forget the listeners added since there were count. */
static void
roll_back(struct proxy_config *config, size_t count)
{
	while (config->listener_count > count)
		proxy_listener_release(&config->listeners[--config->listener_count]);
}

int
proxy_config_add_yaml(struct proxy_config *config, const char *name, const char *text,
		      size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_yaml_freep) struct seal_yaml *yaml = NULL;
	size_t before = config->listener_count;
	int r;

	if (text_len > PROXY_MAX_CONFIG)
		return seal_fail(err, SEAL_E_LIMIT, "%s: longer than %u bytes", name,
				 PROXY_MAX_CONFIG);
	r = seal_yaml_parse(&yaml, name, text, text_len, err);
	if (r == 0)
		r = read_document(config, yaml, name, err);
	if (r < 0)
		roll_back(config, before);
	return r;
}
