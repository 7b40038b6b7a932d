/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a policy that are about names: what names may lead to, and who is asked for them.
 */

#include <stdlib.h>
#include <string.h>

#include "base/names/names.h"
#include "config-verify/policy_internal.h"
#include "config-verify/sysfiles_internal.h"

#define MAX_LABEL    63
#define MAX_SEARCHES 256
#define MAX_OPTIONS  64

static const char ldh[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
/* As Kubernetes lets a search domain be spelt: "_tcp.example.com". */
static const char search_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- Names ---- */

void
verify_policy_lower(char *name)
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
	for (; *name != '\0'; name++)
		if (*name >= 'A' && *name <= 'Z')
			*name = (char)(*name - 'A' + 'a');
}

static bool
is_label(const char *label, size_t len, const char *letters)
{
	return len > 0 && len <= MAX_LABEL && strspn(label, letters) >= len && label[0] != '-' &&
	       label[len - 1] != '-';
}

static int
check_labels(const char *name, const char *letters, struct seal_err *err)
{
	const char *label = name;

	if (strlen(name) > SEAL_HOSTNAME_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "a name longer than %d characters",
				 SEAL_HOSTNAME_MAX);
	for (;;) {
		size_t len = strcspn(label, ".");

		if (!is_label(label, len, letters))
			return seal_fail(err, SEAL_E_FORMAT, "'%.128s' is no name (RFC 1123)",
					 name);
		if (label[len] == '\0')
			return 0;
		label += len + 1;
	}
}

int
verify_policy_check_hostname(const char *name, struct seal_err *err)
{
	return check_labels(name, ldh, err);
}

/* A name that is looked up; what ends in a number is an address to resolvers, never a name. */
static int
check_name(const char *name, struct seal_err *err)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot != NULL ? dot + 1 : name;
	int r = check_labels(name, ldh, err);

	if (r == 0 && last[strspn(last, "0123456789")] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "'%.128s' would be read as an address", name);
	return r;
}

static int
check_search(const char *name, struct seal_err *err)
{
	return strcmp(name, ".") == 0 ? 0 : check_labels(name, search_letters, err);
}

static int
check_option(const char *option, struct seal_err *err)
{
	size_t name = strspn(option, ldh);
	const char *rest = option + name;

	if (name == 0 || strlen(option) > MAX_LABEL || (rest[0] != '\0' && rest[0] != ':') ||
	    (rest[0] == ':' && (rest[1] == '\0' || strspn(rest + 1, ldh) != strlen(rest + 1))))
		return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no option of resolv.conf(5)",
				 option);
	return 0;
}

/* ---- Networks ---- */

static int
parse_networks(struct verify_policy_store *store, const struct seal_json *json, const char *name,
	       const struct verify_network **ret_networks, size_t *ret_count, struct seal_err *err)
{
	const struct seal_json *list = NULL;
	struct verify_network *networks;
	size_t count;
	int r = verify_policy_list(json, name, VERIFY_MAX_NETWORKS, &list, err);

	if (r < 0 || list == NULL)
		return r;
	count = seal_json_count(list);
	if (count == 0)
		return seal_fail(err, SEAL_E_FORMAT, "%s is empty: nothing would be allowed", name);
	networks = verify_policy_room(store, count, sizeof(*networks), err);
	if (networks == NULL)
		return SEAL_E_MEMORY;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *text = seal_json_str(seal_json_at(list, i));

		r = text != NULL ? verify_network_parse(&networks[i], text, err)
				 : seal_fail(err, SEAL_E_FORMAT, "it is no string");
		if (r < 0)
			r = seal_note(err, r, "%s[%zu]", name, i);
	}
	if (r < 0)
		return r;
	*ret_networks = networks;
	*ret_count = count;
	return 0;
}

static bool
is_within(const struct verify_pinned_name *pin, const struct verify_address *address)
{
	for (size_t i = 0; i < pin->network_count; i++)
		if (verify_network_has(&pin->networks[i], address))
			return true;
	return false;
}

/* ---- hosts ---- */

static int
parse_alias(struct verify_policy_store *store, const struct seal_json *json,
	    struct verify_alias *alias, struct seal_err *err)
{
	static const char *const known[] = { "ip", "hostnames", NULL };
	const struct seal_json *names = NULL;
	const char *ip = NULL;
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "it must be an object");
	r = seal_json_only(json, known, err);
	if (r == 0)
		r = seal_json_get_str(json, "ip", &ip, err);
	if (r == 0)
		r = verify_address_parse(&alias->address, ip, err);
	if (r == 0)
		r = verify_policy_list(json, "hostnames", VERIFY_MAX_NAMES, &names, err);
	if (r == 0 && (names == NULL || seal_json_count(names) == 0))
		r = seal_fail(err, SEAL_E_FORMAT, "no hostnames");
	if (r == 0)
		r = verify_policy_texts(store, names, check_name, true, &alias->names,
					&alias->name_count, err);
	for (size_t i = 0; r == 0 && i < alias->name_count; i++)
		if (verify_name_is_local(alias->names[i]) &&
		    !verify_address_is_loopback(&alias->address))
			r = seal_fail(err, SEAL_E_REFUSED, "'%.64s' is loopback, not %.64s",
				      alias->names[i], ip);
	return r;
}

static int
parse_aliases(struct verify_policy_store *store, const struct seal_json *hosts,
	      struct seal_err *err)
{
	const struct seal_json *list = NULL;
	struct verify_alias *aliases;
	size_t names = 0;
	int r = verify_policy_list(hosts, "aliases", VERIFY_MAX_NAMES, &list, err);

	if (r < 0 || list == NULL)
		return r;
	aliases = verify_policy_room(store, seal_json_count(list), sizeof(*aliases), err);
	if (aliases == NULL)
		return SEAL_E_MEMORY;
	store->policy.hosts.aliases = aliases;
	for (size_t i = 0; i < seal_json_count(list); i++) {
		r = parse_alias(store, seal_json_at(list, i), &aliases[i], err);
		if (r < 0)
			return seal_note(err, r, "aliases[%zu]", i);
		store->policy.hosts.alias_count++;
		names += aliases[i].name_count;
	}
	if (names > VERIFY_MAX_NAMES)
		return seal_fail(err, SEAL_E_LIMIT, "aliases: more than %d names",
				 VERIFY_MAX_NAMES);
	return 0;
}

static int
check_pin(const struct verify_policy *policy, const struct verify_pinned_name *pin,
	  struct seal_err *err)
{
	for (size_t i = 0; i < policy->hosts.name_count; i++)
		if (strcmp(policy->hosts.names[i].name, pin->name) == 0)
			return seal_fail(err, SEAL_E_REFUSED, "'%.128s' is pinned twice",
					 pin->name);
	for (size_t i = 0; verify_name_is_local(pin->name) && i < pin->network_count; i++)
		if (!verify_address_is_loopback(&pin->networks[i].address))
			return seal_fail(err, SEAL_E_REFUSED,
					 "'%.64s' is loopback, and pinned elsewhere", pin->name);
	for (size_t i = 0; i < policy->hosts.alias_count; i++) {
		const struct verify_alias *alias = &policy->hosts.aliases[i];

		for (size_t k = 0; k < alias->name_count; k++)
			if (strcmp(alias->names[k], pin->name) == 0 &&
			    !is_within(pin, &alias->address))
				return seal_fail(err, SEAL_E_REFUSED,
						 "'%.128s' is an alias outside of its networks",
						 pin->name);
	}
	return 0;
}

static int
parse_pin(struct verify_policy_store *store, const struct seal_json *json,
	  struct verify_pinned_name *pin, struct seal_err *err)
{
	static const char *const known[] = { "name", "networks", NULL };
	const char *text = NULL;
	char *name;
	int r;

	if (seal_json_kind(json) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT, "it must be an object");
	r = seal_json_only(json, known, err);
	if (r == 0)
		r = seal_json_get_str(json, "name", &text, err);
	if (r < 0)
		return r;
	name = verify_policy_copy(store, text, err);
	if (name == NULL)
		return SEAL_E_MEMORY;
	verify_policy_lower(name);
	pin->name = name;
	r = check_name(name, err);
	if (r == 0)
		r = parse_networks(store, json, "networks", &pin->networks, &pin->network_count,
				   err);
	if (r == 0 && pin->networks == NULL)
		return seal_fail(err, SEAL_E_MISSING, "'networks' is missing");
	return r < 0 ? r : check_pin(&store->policy, pin, err);
}

static int
parse_pins(struct verify_policy_store *store, const struct seal_json *hosts, struct seal_err *err)
{
	const struct seal_json *list = NULL;
	struct verify_pinned_name *pins;
	int r = verify_policy_list(hosts, "names", VERIFY_MAX_NAMES, &list, err);

	if (r < 0 || list == NULL)
		return r;
	pins = verify_policy_room(store, seal_json_count(list), sizeof(*pins), err);
	if (pins == NULL)
		return SEAL_E_MEMORY;
	store->policy.hosts.names = pins;
	for (size_t i = 0; i < seal_json_count(list); i++) {
		r = parse_pin(store, seal_json_at(list, i), &pins[i], err);
		if (r < 0)
			return seal_note(err, r, "names[%zu]", i);
		store->policy.hosts.name_count++;
	}
	return 0;
}

int
verify_policy_parse_hosts(struct verify_policy_store *store, const struct seal_json *json,
			  struct seal_err *err)
{
	static const char *const known[] = { "aliases", "names", "others", NULL };
	const struct seal_json *hosts = NULL;
	int r = verify_policy_object(json, "hosts", known, &hosts, err);

	if (r < 0 || hosts == NULL)
		return r;
	r = parse_aliases(store, hosts, err);
	if (r == 0)
		r = parse_pins(store, hosts, err);
	if (r == 0 && seal_json_has(hosts, "others"))
		r = seal_json_get_bool(hosts, "others", &store->policy.hosts.has_others, err);
	return r < 0 ? seal_note(err, r, "hosts") : 0;
}

/* ---- resolv.conf ---- */

static int
check_dns_policy(const char *text, struct seal_err *err)
{
	static const char *const policies[] = { "ClusterFirst", "ClusterFirstWithHostNet",
						"Default", "None" };

	for (size_t i = 0; i < SEAL_COUNT(policies); i++)
		if (strcmp(policies[i], text) == 0)
			return 0;
	return seal_fail(err, SEAL_E_FORMAT, "'%.64s' is no dnsPolicy", text);
}

static int
parse_resolv_lists(struct verify_policy_store *store, const struct seal_json *resolv,
		   struct seal_err *err)
{
	struct verify_policy *policy = &store->policy;
	const struct seal_json *searches = NULL;
	const struct seal_json *options = NULL;
	int r = parse_networks(store, resolv, "nameservers", &policy->resolv.servers,
			       &policy->resolv.server_count, err);

	if (r == 0)
		r = verify_policy_list(resolv, "searches", MAX_SEARCHES, &searches, err);
	if (r == 0 && searches != NULL)
		r = verify_policy_texts(store, searches, check_search, true,
					&policy->resolv.searches, &policy->resolv.search_count,
					err);
	if (r == 0)
		r = verify_policy_list(resolv, "options", MAX_OPTIONS, &options, err);
	if (r == 0 && options != NULL)
		r = verify_policy_texts(store, options, check_option, false,
					&policy->resolv.options, &policy->resolv.option_count, err);
	policy->resolv.is_server_pinned = policy->resolv.servers != NULL;
	policy->resolv.is_search_pinned = searches != NULL;
	policy->resolv.is_option_pinned = options != NULL;
	return r;
}

int
verify_policy_parse_resolv(struct verify_policy_store *store, const struct seal_json *json,
			   struct seal_err *err)
{
	static const char *const known[] = { "policy", "nameservers", "searches", "options", NULL };
	struct verify_policy *policy = &store->policy;
	const struct seal_json *resolv = NULL;
	int r = verify_policy_object(json, "resolv", known, &resolv, err);

	if (r < 0 || resolv == NULL)
		return r;
	r = verify_policy_text(store, resolv, "policy", check_dns_policy, &policy->resolv.policy,
			       err);
	if (r == 0)
		r = parse_resolv_lists(store, resolv, err);
	if (r < 0)
		return seal_note(err, r, "resolv");
	if (policy->resolv.policy == NULL || strcmp(policy->resolv.policy, "None") != 0)
		return 0;
	/* Nothing is added by the cluster: what is not said is not there. */
	if (!policy->resolv.is_server_pinned)
		return seal_fail(err, SEAL_E_REFUSED, "resolv: dnsPolicy None, and no nameservers");
	policy->resolv.is_search_pinned = true;
	policy->resolv.is_option_pinned = true;
	return 0;
}
