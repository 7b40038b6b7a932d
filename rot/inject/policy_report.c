/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy pins, and what it leaves to the host, as two lines for people.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

struct words {
	char text[INJECT_WHAT_MAX - 64];
};

static void
add(struct words *words, const char *word)
{
	size_t len = strlen(words->text);

	(void)snprintf(words->text + len, sizeof(words->text) - len, "%s%s", len > 0 ? ", " : "",
		       word);
}

/* A member that is there is pinned, unless it is left to the host. */
static void
sort(const struct inject_pod *pod, const char *section, const char *member, const char *word,
     struct words *pinned, struct words *left)
{
	add(inject_pin(pod->policy, section, member) != NULL ? pinned : left, word);
}

static bool
is_none(const struct inject_pod *pod)
{
	const struct seal_json *policy = inject_pin(pod->policy, "resolv", "policy");

	return policy != NULL && strcmp(seal_json_str(policy), "None") == 0;
}

/* There /etc/hosts is the node's, and has its names. */
static void
warn_of_node(const struct inject_pod *pod, bool is_enforced)
{
	if (is_enforced && inject_pin(pod->policy, "pod", "hostNetwork") != NULL &&
	    inject_pin(pod->policy, "hosts", "others") == NULL &&
	    inject_pin(pod->policy, "hosts", "names") == NULL)
		inject_note(pod->item, inject_get(pod->spec, "hostNetwork"), INJECT_WARNED,
			    "/etc/hosts and /etc/resolv.conf are the node's, whose names nothing "
			    "explains: without hosts.names or hosts.others pinned, seal-wrap "
			    "refuses most nodes",
			    "hostNetwork without pins of hosts");
}

void
inject_policy_explain(const struct inject_pod *pod)
{
	struct words pinned = { "mounts, namespace" };
	struct words left = { "" };
	const struct seal_json *mode = seal_json_member(pod->policy, "mode");
	bool has_name = inject_pin(pod->policy, "pod", "hostname") != NULL ||
			inject_pin(pod->policy, "pod", "hostnamePrefix") != NULL;

	add(has_name ? &pinned : &left, "host name");
	add(&pinned, "name of the service account");
	sort(pod, "root", "types", "type of the root file system", &pinned, &left);
	sort(pod, "root", "layers", "number of its layers", &pinned, &left);
	if (inject_pin(pod->policy, "hosts", "aliases") != NULL)
		add(&pinned, "host aliases");
	if (inject_pin(pod->policy, "hosts", "names") != NULL)
		add(&pinned, "where names lead");
	if (seal_json_member(pod->pins, "mounts") != NULL)
		add(&left, "what is in pinned mounts");
	add(inject_pin(pod->policy, "hosts", "others") != NULL ? &left : &pinned,
	    "other names in /etc/hosts");
	sort(pod, "resolv", "nameservers", "name servers", &pinned, &left);
	add(is_none(pod) || inject_pin(pod->policy, "resolv", "searches") != NULL ? &pinned : &left,
	    "search domains");
	add(is_none(pod) || inject_pin(pod->policy, "resolv", "options") != NULL ? &pinned : &left,
	    "resolver options");
	sort(pod, "account", "issuer", "issuer of tokens", &pinned, &left);
	sort(pod, "account", "audiences", "their audience", &pinned, &left);
	sort(pod, "account", "ca", "the cluster's CA", &pinned, &left);
	inject_note(pod->item, pod->spec, INJECT_ADDED, NULL, "policy (%s): pinned: %s",
		    mode != NULL ? seal_json_str(mode) : "enforce", pinned.text);
	inject_note(pod->item, pod->spec, INJECT_ADDED, NULL, "policy: left to the host: %s",
		    left.text[0] != '\0' ? left.text : "nothing");
	warn_of_node(pod, mode == NULL);
}
