/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all containers of a pod share of their policies: its names, whom it asks for others, its service
 * account; and that what the owner pins agrees with it.  Names of pods are made as the controllers and
 * the kubelet make them; where they cannot be known nothing is pinned, and the report says so.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config-verify/policy.h"
#include "rot/inject/inject_internal.h"

#define POD_LABEL_MAX 63 /* of a pod's host name: the kubelet cuts there */
#define GENERATED_MAX 58 /* the API server cuts there, and adds five letters */

static const char verify_note[] = INJECT_ANNOTATION "verify-policy";

/* ---- The pod's names ---- */

/* Other groups name their pods as they like. */
static bool
is_kubernetes(const char *api)
{
	static const char *const groups[] = { "apps/", "batch/", "extensions/" };

	if (api[0] == '\0' || strcmp(api, "v1") == 0)
		return true;
	for (size_t i = 0; i < SEAL_COUNT(groups); i++)
		if (strncmp(api, groups[i], strlen(groups[i])) == 0)
			return true;
	return false;
}

static bool
is_indexed(const struct inject_item *item)
{
	const struct seal_tree_node *root = item->root;
	const struct seal_tree_node *job =
		strcmp(item->kind, "CronJob") == 0
			? inject_path(root, "spec", "jobTemplate", "spec", NULL)
			: inject_get(root, "spec");

	if (strcmp(item->kind, "Job") != 0 && strcmp(item->kind, "CronJob") != 0)
		return false;
	return strcmp(inject_peek_text(job, "completionMode", ""), "Indexed") == 0;
}

/* What the pod is called when it does not say it: as a whole, or how it begins. */
static void
set_generated(const struct inject_item *item, char *out, size_t size, bool *ret_whole)
{
	const struct seal_tree_node *meta = inject_get(item->root, "metadata");
	bool is_pod = strcmp(item->kind, "Pod") == 0;
	size_t len;

	out[0] = '\0';
	*ret_whole = is_pod && !item->is_generated;
	if (!is_kubernetes(item->api) || strcmp(item->kind, "PodTemplate") == 0)
		return;
	if (item->is_generated)
		(void)snprintf(out, size, "%s", inject_peek_text(meta, "generateName", ""));
	else
		(void)snprintf(out, size, "%s%s", item->binding.name, is_pod ? "" : "-");
	len = strlen(out);
	if (*ret_whole && len > POD_LABEL_MAX) {
		for (len = POD_LABEL_MAX; len > 0 && strchr("-.", out[len - 1]) != NULL;)
			len--;
		out[len] = '\0';
	} else if (!*ret_whole && len > GENERATED_MAX) {
		out[GENERATED_MAX] = '\0';
	}
}

/* A StatefulSet's pods have their names and their set's service, a Job's index its own. */
static int
read_names(const struct inject_pod *pod, const char **ret_hostname, const char **ret_subdomain,
	   struct seal_err *err)
{
	const struct inject_item *item = pod->item;
	const char *override = "";
	int r = inject_member_text(item, pod->spec, "hostname", ret_hostname, err);

	if (r == 0)
		r = inject_member_text(item, pod->spec, "subdomain", ret_subdomain, err);
	if (r == 0)
		r = inject_member_text(item, pod->spec, "hostnameOverride", &override, err);
	if (r < 0)
		return r;
	if (strcmp(item->kind, "StatefulSet") == 0) {
		*ret_hostname = "";
		*ret_subdomain =
			inject_peek_text(inject_get(item->root, "spec"), "serviceName", "");
	} else if (is_indexed(item)) {
		*ret_hostname = "";
	}
	if (override[0] != '\0')
		*ret_hostname = override;
	return 0;
}

/* With setHostnameAsFQDN the subdomain and the cluster's domain follow, as the readers of a policy know. */
static void
set_hostname(const struct inject_pod *pod, const char *hostname, struct seal_json *to)
{
	char name[VERIFY_NAME_MAX + 2];
	bool is_whole = true;

	if (hostname[0] != '\0')
		(void)snprintf(name, sizeof(name), "%s", hostname);
	else
		set_generated(pod->item, name, sizeof(name), &is_whole);
	if (name[0] != '\0')
		seal_json_set_str(to, is_whole ? "hostname" : "hostnamePrefix", name);
}

static int
build_pod(struct inject_pod *pod, struct seal_err *err)
{
	struct seal_json *to = seal_json_set_object(pod->policy, "pod");
	bool has_host_network = inject_is_true(pod->spec, "hostNetwork");
	const char *hostname = "";
	const char *subdomain = "";
	int r = read_names(pod, &hostname, &subdomain, err);

	if (r < 0)
		return r;
	seal_json_set_str(to, "namespace", pod->item->binding.ns);
	if (strcmp(pod->item->kind, "Pod") == 0 && !pod->item->is_generated &&
	    pod->item->binding.name[0] != '\0')
		seal_json_set_str(to, "name", pod->item->binding.name);
	/* On the host's network the name is the host's. */
	if (has_host_network)
		seal_json_set_bool(to, "hostNetwork", true);
	else
		set_hostname(pod, hostname, to);
	if (subdomain[0] != '\0')
		seal_json_set_str(to, "subdomain", subdomain);
	return 0;
}

/* ---- Aliases ---- */

static int
check_alias(const struct inject_pod *pod, const struct seal_tree_node *node, struct seal_err *err)
{
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *alone = seal_json_new();
	struct seal_err why = { 0 };
	int r;

	seal_json_set_u64(alone, "version", 1);
	seal_tree_set_in_json(
		node, seal_json_set_array(seal_json_set_object(alone, "hosts"), "aliases"), NULL);
	r = verify_policy_parse(&policy, alone, &why);
	return r < 0 ? inject_fail(pod->item, node, err, r, "%s", why.text) : 0;
}

static int
build_hosts(struct inject_pod *pod, struct seal_err *err)
{
	const struct seal_json *names = inject_pin(pod->pins, "hosts", "names");
	const struct seal_json *others = inject_pin(pod->pins, "hosts", "others");
	struct seal_json *hosts = seal_json_set_object(pod->policy, "hosts");
	struct seal_json *aliases;
	struct seal_tree_node *list = NULL;
	int r = inject_member_list(pod->item, pod->spec, "hostAliases", &list, err);

	if (r == 0 && list != NULL && seal_tree_count(list) > 0) {
		if (seal_tree_count(list) > VERIFY_MAX_NAMES)
			return inject_fail(pod->item, list, err, SEAL_E_LIMIT,
					   "more than %d hostAliases", VERIFY_MAX_NAMES);
		aliases = seal_json_set_array(hosts, "aliases");
		for (const struct seal_tree_node *at = seal_tree_first(list); r == 0 && at != NULL;
		     at = seal_tree_next_of(at)) {
			r = check_alias(pod, at, err);
			seal_tree_set_in_json(at, aliases, NULL);
		}
	}
	if (names != NULL)
		seal_json_set_copy(hosts, "names", names);
	if (others != NULL && seal_json_bool(others))
		seal_json_set_bool(hosts, "others", true);
	return r;
}

/* ---- What the sidecar looks up ---- */

static bool
has_name(const struct seal_json *list, const char *member, const char *name)
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '.')
		len--;
	for (size_t i = 0; list != NULL && i < seal_json_count(list); i++) {
		const struct seal_json *at = seal_json_at(list, i);
		const char *text =
			seal_json_str(member != NULL ? seal_json_member(at, member) : at);
		size_t is = text != NULL ? strlen(text) : 0;

		if (is > 1 && text[is - 1] == '.')
			is--;
		if (text != NULL && is == len && strncasecmp(text, name, len) == 0)
			return true;
	}
	return false;
}

/* The host of "db.shop.svc:8443"; false when there is no name in it. */
static bool
target_name(const char *target, char *out, size_t size)
{
	const char *colon = strrchr(target, ':');
	struct verify_address address;

	if (colon == NULL || colon == target || target[0] == '[' ||
	    strncmp(target, "unix:", 5) == 0)
		return false;
	(void)snprintf(out, size, "%.*s", (int)(colon - target), target);
	return verify_address_parse(&address, out, NULL) < 0;
}

static int
check_target(const struct inject_pod *pod, const char *target, struct seal_err *err)
{
	char name[256];

	if (target == NULL || !target_name(target, name, sizeof(name)) ||
	    has_name(inject_pin(pod->pins, "hosts", "names"), "name", name))
		return 0;
	return inject_fail(
		pod->item, pod->spec, err, SEAL_E_REFUSED,
		"policy: hosts.others is true, so the host could say where '%.128s' is, to "
		"which an outbound listener connects: pin it in hosts.names, or drop others",
		name);
}

/* Whoever may add any name may add those. */
static int
check_outbound(const struct inject_pod *pod, struct seal_err *err)
{
	const struct seal_json *others = inject_pin(pod->pins, "hosts", "others");
	const struct seal_json *list = seal_json_member(pod->proxy, "outbound");
	int r = 0;

	if (others == NULL || !seal_json_bool(others) || list == NULL ||
	    seal_json_kind(list) != SEAL_JSON_ARRAY)
		return 0;
	for (size_t i = 0; r == 0 && i < seal_json_count(list); i++) {
		const struct seal_json *at = seal_json_at(list, i);
		const struct seal_json *connect = seal_json_kind(at) == SEAL_JSON_OBJECT
							  ? seal_json_member(at, "connect")
							  : NULL;

		if (connect != NULL && seal_json_kind(connect) == SEAL_JSON_ARRAY)
			for (size_t k = 0; r == 0 && k < seal_json_count(connect); k++)
				r = check_target(pod, seal_json_str(seal_json_at(connect, k)), err);
		else if (connect != NULL)
			r = check_target(pod, seal_json_str(connect), err);
	}
	return r;
}

/* ---- resolv.conf ---- */

static bool
is_in_networks(const struct seal_json *networks, const char *text)
{
	struct verify_address address;

	if (verify_address_parse(&address, text, NULL) < 0)
		return false;
	for (size_t i = 0; i < seal_json_count(networks); i++) {
		const char *at = seal_json_str(seal_json_at(networks, i));
		struct verify_network network;

		if (at != NULL && verify_network_parse(&network, at, NULL) == 0 &&
		    verify_network_has(&network, &address))
			return true;
	}
	return false;
}

/* "ndots:5", or an option without a value. */
static int
option_text(const struct inject_pod *pod, const struct seal_tree_node *node, char *out, size_t size,
	    struct seal_err *err)
{
	const char *name = "";
	const char *value = "";
	int r = inject_member_text(pod->item, node, "name", &name, err);

	if (r == 0)
		r = inject_member_text(pod->item, node, "value", &value, err);
	if (r == 0 &&
	    (size_t)snprintf(out, size, "%s%s%s", name, value[0] != '\0' ? ":" : "", value) >= size)
		return inject_fail(pod->item, node, err, SEAL_E_LIMIT,
				   "an option that is too long");
	return r;
}

/* One list of dnsConfig: all of it must be what the owner pins, if anything. */
static int
read_dns(const struct inject_pod *pod, const struct seal_tree_node *config, const char *member,
	 struct seal_json *to, struct seal_err *err)
{
	const struct seal_json *pin = inject_pin(pod->pins, "resolv", member);
	struct seal_tree_node *list = NULL;
	int r = inject_member_list(pod->item, config, member, &list, err);

	for (const struct seal_tree_node *at = list != NULL ? seal_tree_first(list) : NULL;
	     r == 0 && at != NULL; at = seal_tree_next_of(at)) {
		const char *text = "";
		char option[512];

		if (strcmp(member, "options") == 0) {
			r = option_text(pod, at, option, sizeof(option), err);
			text = option;
		} else {
			r = inject_text(pod->item, at, member, &text, err);
		}
		if (r < 0)
			return r;
		seal_json_add_str(to, text);
		if (pin != NULL &&
		    !(strcmp(member, "nameservers") == 0 ? is_in_networks(pin, text)
							 : has_name(pin, NULL, text)))
			return inject_fail(pod->item, at, err, SEAL_E_REFUSED,
					   "'%.128s' of dnsConfig is not among the pinned %s", text,
					   member);
	}
	return r;
}

static int
build_resolv(struct inject_pod *pod, struct seal_err *err)
{
	static const char *const members[] = { "nameservers", "searches", "options" };
	SEAL_SCOPED(seal_json_freep) struct seal_json *said = seal_json_new();
	struct seal_json *resolv = seal_json_set_object(pod->policy, "resolv");
	struct seal_tree_node *config = NULL;
	const char *policy = "ClusterFirst";
	int r = inject_member_text(pod->item, pod->spec, "dnsPolicy", &policy, err);

	if (r == 0)
		r = inject_member_map(pod->item, pod->spec, "dnsConfig", &config, err);
	if (r < 0)
		return r;
	/* The kubelet's own exception. */
	if (strcmp(policy, "ClusterFirst") == 0 && inject_is_true(pod->spec, "hostNetwork"))
		policy = "Default";
	seal_json_set_str(resolv, "policy", policy);
	for (size_t i = 0; i < SEAL_COUNT(members); i++) {
		const struct seal_json *pin = inject_pin(pod->pins, "resolv", members[i]);
		struct seal_json *list = seal_json_set_array(said, members[i]);

		r = config != NULL ? read_dns(pod, config, members[i], list, err) : 0;
		if (r < 0)
			return r;
		if (strcmp(policy, "None") == 0 && seal_json_count(list) > 0)
			seal_json_set_copy(resolv, members[i], list);
		else if (strcmp(policy, "None") != 0 && pin != NULL)
			seal_json_set_copy(resolv, members[i], pin);
	}
	return 0;
}

/* ---- The rest ---- */

static int
build_account(struct inject_pod *pod, struct seal_err *err)
{
	static const char *const members[] = { "issuer", "audiences", "ca" };
	struct seal_json *account = seal_json_set_object(pod->policy, "account");
	const char *name = "";
	int r = inject_member_text(pod->item, pod->spec, "serviceAccountName", &name, err);

	if (r == 0 && name[0] == '\0') /* its old name */
		r = inject_member_text(pod->item, pod->spec, "serviceAccount", &name, err);
	seal_json_set_str(account, "name", name[0] != '\0' ? name : "default");
	for (size_t i = 0; i < SEAL_COUNT(members); i++) {
		const struct seal_json *pin = inject_pin(pod->pins, "account", members[i]);

		if (pin != NULL)
			seal_json_set_copy(account, members[i], pin);
	}
	return r;
}

static void
build_rest(struct inject_pod *pod)
{
	const struct seal_json *mode = seal_json_member(pod->pins, "mode");
	const struct seal_json *root = seal_json_member(pod->pins, "root");
	const struct seal_tree_node *links = inject_get(pod->spec, "enableServiceLinks");

	if (mode != NULL && strcmp(seal_json_str(mode), "enforce") != 0)
		seal_json_set_copy(pod->policy, "mode", mode);
	if (root != NULL)
		seal_json_set_copy(pod->policy, "root", root);
	if (links != NULL && !inject_is_true(pod->spec, "enableServiceLinks"))
		seal_json_set_bool(pod->policy, "services", false);
}

/* ---- Pins: of the whole stream, of the annotation, and its short form ---- */

static int
merge(struct inject_pod *pod, const struct seal_json *from, struct seal_err *err)
{
	struct seal_err why = { 0 };
	int r = inject_pins_merge(pod->pins, from, &why);

	return r < 0 ? inject_fail(pod->item, pod->spec, err, r,
				   "annotations and --policy contradict each other: %s", why.text)
		     : 0;
}

/* Where the owner wrote it. */
static const struct seal_tree_node *
note_node(const struct inject_pod *pod)
{
	const struct seal_tree_node *node =
		inject_path(pod->meta, "annotations", verify_note, NULL);

	if (node == NULL)
		node = inject_path(pod->item->root, "metadata", "annotations", verify_note, NULL);
	return node != NULL ? node : pod->spec;
}

static int
read_all_pins(struct inject_pod *pod, struct seal_err *err)
{
	const struct inject_run *run = pod->item->run;
	const char *text = pod->rules.verify_policy;
	const struct inject_input input = { verify_note, text, text != NULL ? strlen(text) : 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *own = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *mode = seal_json_new();
	struct seal_err why = { 0 };
	int r = run->pins != NULL ? merge(pod, run->pins, err) : 0;

	if (r == 0 && text != NULL && inject_pins_read(&own, &input, &why) < 0)
		return inject_fail(pod->item, note_node(pod), err, why.code, "%s", why.text);
	if (r == 0 && own != NULL)
		r = merge(pod, own, err);
	if (r < 0 || pod->rules.verify == NULL)
		return r;
	seal_json_set_str(mode, "mode", pod->rules.verify);
	return merge(pod, mode, err);
}

/* Contradictions between the parts show before any container is looked at. */
static int
check_whole(const struct inject_pod *pod, struct seal_err *err)
{
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct seal_err why = { 0 };
	int r = verify_policy_parse(&policy, pod->policy, &why);

	return r < 0 ? inject_fail(pod->item, pod->spec, err, r, "%s", why.text) : 0;
}

int
inject_policy_pod(struct inject_pod *pod, struct seal_err *err)
{
	int r;

	pod->pins = seal_json_set_object(pod->all, "pins");
	pod->policy = seal_json_set_object(pod->all, "policy");
	seal_json_set_u64(pod->policy, "version", 1);
	r = read_all_pins(pod, err);
	if (r < 0)
		return r;
	build_rest(pod);
	r = build_pod(pod, err);
	if (r == 0)
		r = build_hosts(pod, err);
	if (r == 0)
		r = build_resolv(pod, err);
	if (r == 0)
		r = build_account(pod, err);
	if (r == 0)
		r = check_outbound(pod, err);
	if (r == 0)
		r = check_whole(pod, err);
	if (r == 0)
		inject_policy_explain(pod);
	return r;
}
