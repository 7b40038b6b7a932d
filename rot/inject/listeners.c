/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of the sidecar, seal-proxy.yaml(5) as JSON: from annotations in the short spelling of
 * seal-proxy's options, or a whole file in one.  What the proxy itself checks is left to it, but for
 * what would only show when the pod does not start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

static struct seal_json *mutable(const struct seal_json *json)
{
	return (struct seal_json *)(uintptr_t)json; /* of a value that is ours */
}

/* ---- Ports ---- */

/* The port of "8443", "0.0.0.0:8443", "[::]:8443"; "" of a unix socket. */
static const char *
port_text(const char *address)
{
	const char *colon = strrchr(address, ':');

	if (strncmp(address, "unix:", 5) == 0)
		return "";
	return colon != NULL ? colon + 1 : address;
}

static int
check_port(const char *address, struct seal_err *err)
{
	const char *text = port_text(address);
	uint64_t port = 0;

	if (text[0] == '\0' && strncmp(address, "unix:", 5) == 0)
		return 0;
	if (seal_number_parse(text, 1, UINT16_MAX, &port, NULL) < 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' has no port", address);
	return 0;
}

static int
remember(struct seal_strv *ports, const char *address, struct seal_err *err)
{
	const char *port = port_text(address);

	if (port[0] == '\0' || seal_strv_contains(ports, port))
		return 0;
	return seal_strv_add(ports, port, err);
}

/* ---- LISTEN=TARGET[,TARGET][/PEERS] ---- */

static int
add_list(struct seal_json *listener, const char *member, const char *text, bool are_addresses,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };
	int r = seal_strv_split(&list, text, ',', err);

	if (r == 0 && list.count == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "no %s", member);
	for (size_t i = 0; r == 0 && are_addresses && i < list.count; i++)
		r = check_port(list.items[i], err);
	if (r < 0)
		return r;
	seal_json_set_strv(listener, member, &list);
	return 0;
}

/* The clients of a public listener are no peers: behind the slash is the Secret of its certificate. */
static int
add_certificate(struct seal_json *listener, const char *secret, struct seal_err *err)
{
	struct verify_binding binding = {
		.ns = "any", .kind = "Secret", .key = "any", .gen = 1, .of = 1
	};
	char path[VERIFY_NAME_MAX + 64];

	if (secret == NULL)
		return seal_fail(err, SEAL_E_FORMAT,
				 "name the Secret of its certificate: LISTEN=TARGET/SECRET");
	if ((size_t)snprintf(binding.name, sizeof(binding.name), "%s", secret) >=
		    sizeof(binding.name) ||
	    verify_binding_check(&binding, NULL) < 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no name of a Secret", secret);
	seal_json_set_str(listener, "secret", secret);
	(void)snprintf(path, sizeof(path), INJECT_PUBLIC_DIR "/%s/tls.crt", secret);
	seal_json_set_str(listener, "certificate", path);
	(void)snprintf(path, sizeof(path), INJECT_PUBLIC_DIR "/%s/tls.key", secret);
	seal_json_set_str(listener, "key", path);
	return 0;
}

/* Takes text apart in place. */
static int
add_listener(struct seal_json *list, const char *direction, char *text, struct seal_err *err)
{
	const char *target = strcmp(direction, "outbound") == 0 ? "connect" : "forward";
	bool is_public = strcmp(direction, "public") == 0;
	struct seal_json *listener = seal_json_add_object(list);
	char *targets = strchr(text, '=');
	char *peers;
	int r;

	if (targets == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is not LISTEN=TARGET", text);
	*targets++ = '\0';
	peers = seal_spec_peers(targets);
	if (peers != NULL)
		*peers++ = '\0';
	r = check_port(text, err);
	if (r == 0 && is_public)
		r = add_certificate(listener, peers, err);
	if (r < 0)
		return r;
	seal_json_set_str(listener, "listen", text);
	r = add_list(listener, target, targets, true, err);
	if (r == 0 && peers != NULL && !is_public)
		r = add_list(listener, "peers", peers, false, err);
	return r;
}

static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
		text[--len] = '\0';
	return text;
}

static void
free_strp(char **text)
{
	free(*text);
}

static int
add_listeners(struct inject_pod *pod, const char *direction, const char *text, struct seal_err *err)
{
	SEAL_SCOPED(free_strp) char *copy = text != NULL ? seal_strndup(text, strlen(text)) : NULL;
	const struct seal_json *there = seal_json_member(pod->proxy, direction);
	struct seal_json *list;
	struct seal_err why = { 0 };
	char *rest = copy;

	if (text == NULL)
		return 0;
	if (copy == NULL)
		return seal_fail_memory(err);
	list = there != NULL ? mutable(there) : seal_json_set_array(pod->proxy, direction);
	while (rest != NULL) {
		char *part = trim(strsep(&rest, ";\n"));

		if (part[0] != '\0' && add_listener(list, direction, part, &why) < 0)
			return inject_fail(pod->item, pod->spec, err, SEAL_E_FORMAT,
					   "annotation " INJECT_ANNOTATION "%s: %s", direction,
					   why.text);
	}
	return 0;
}

/* ---- A whole file ---- */

static int
read_file(struct inject_pod *pod, struct seal_err *err)
{
	const char *text = pod->rules.proxy_config;
	SEAL_SCOPED(seal_tree_stream_freep) struct seal_tree_stream *stream = NULL;
	SEAL_SCOPED(seal_tree_freep) struct seal_tree *tree = NULL;
	struct seal_err why = { 0 };
	int r;

	if (text == NULL) {
		pod->proxy = seal_json_set_object(pod->all, "proxy");
		return 0;
	}
	r = seal_tree_stream_new(&stream, INJECT_ANNOTATION "proxy-config", text, strlen(text),
				 &why);
	if (r == 0)
		r = seal_tree_next(stream, &tree, &why);
	if (r < 0)
		return inject_fail(pod->item, pod->spec, err, SEAL_E_FORMAT, "%s", why.text);
	if (tree == NULL || seal_tree_root(tree) == NULL ||
	    seal_tree_kind(seal_tree_root(tree)) != SEAL_TREE_MAP)
		return inject_fail(pod->item, pod->spec, err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION
				   "proxy-config is no seal-proxy.yaml");
	seal_tree_set_in_json(seal_tree_root(tree), pod->all, "proxy");
	pod->proxy = mutable(seal_json_member(pod->all, "proxy"));
	return pod->proxy != NULL ? 0 : seal_fail_memory(err);
}

/* A text, or a number as people write ports. */
static void
text_of(const struct seal_json *value, char *out, size_t size)
{
	out[0] = '\0';
	if (value == NULL)
		return;
	if (seal_json_kind(value) == SEAL_JSON_STRING)
		(void)snprintf(out, size, "%s", seal_json_str(value));
	else if (seal_json_kind(value) == SEAL_JSON_NUMBER)
		(void)snprintf(out, size, "%llu", (unsigned long long)seal_json_u64(value));
}

/* ---- What the others need to know of it ---- */

static int
remember_listener(struct inject_pod *pod, const struct seal_json *listener, struct seal_err *err)
{
	const struct seal_json *forward = seal_json_member(listener, "forward");
	size_t count = 1;
	char text[256];
	int r;

	text_of(seal_json_member(listener, "listen"), text, sizeof(text));
	r = check_port(text, NULL) == 0 ? remember(&pod->open, text, err) : 0;
	if (forward != NULL && seal_json_kind(forward) == SEAL_JSON_ARRAY)
		count = seal_json_count(forward);
	for (size_t i = 0; r == 0 && forward != NULL && i < count; i++) {
		text_of(seal_json_kind(forward) == SEAL_JSON_ARRAY ? seal_json_at(forward, i)
								   : forward,
			text, sizeof(text));
		r = remember(&pod->owned, text, err);
	}
	return r;
}

static int
remember_direction(struct inject_pod *pod, const char *direction, struct seal_err *err)
{
	const struct seal_json *list = seal_json_member(pod->proxy, direction);
	int r = 0;

	if (list == NULL || seal_json_kind(list) != SEAL_JSON_ARRAY)
		return 0;
	for (size_t i = 0; r == 0 && i < seal_json_count(list); i++) {
		if (seal_json_kind(seal_json_at(list, i)) == SEAL_JSON_OBJECT)
			r = remember_listener(pod, seal_json_at(list, i), err);
	}
	return r;
}

static int
settle_health(struct inject_pod *pod, struct seal_err *err)
{
	const struct seal_json *health = seal_json_member(pod->proxy, "health");
	char text[256];

	if (health == NULL || seal_json_kind(health) == SEAL_JSON_NULL) {
		(void)snprintf(text, sizeof(text), "0.0.0.0:%d", INJECT_HEALTH_PORT);
		seal_json_set_str(pod->proxy, "health", text);
		pod->health_port = INJECT_HEALTH_PORT;
		return 0;
	}
	text_of(health, text, sizeof(text));
	if (seal_number_parse(port_text(text), 1, UINT16_MAX, &pod->health_port, NULL) < 0)
		return inject_fail(pod->item, pod->spec, err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION
				   "proxy-config: health has no port that the cluster could ask");
	return 0;
}

int
inject_listeners(struct inject_pod *pod, struct seal_err *err)
{
	int r = read_file(pod, err);

	if (r == 0)
		r = add_listeners(pod, "inbound", pod->rules.inbound, err);
	if (r == 0)
		r = add_listeners(pod, "outbound", pod->rules.outbound, err);
	if (r == 0)
		r = add_listeners(pod, "public", pod->rules.public, err);
	if (r == 0)
		r = remember_direction(pod, "inbound", err);
	if (r == 0)
		r = remember_direction(pod, "public", err);
	if (r == 0)
		r = inject_public(pod, err);
	return r < 0 ? r : settle_health(pod, err);
}
