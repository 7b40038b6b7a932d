/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aliases and pinned names of a policy, each in an array sorted by name, aliases by address as well.
 */

#include "config-verify/hosts_names.h"

#include <stdlib.h>
#include <string.h>

struct alias {
	const char *name;
	const struct verify_address *address;
	bool is_seen;
};

struct verify_hosts_names {
	struct alias *aliases;
	size_t alias_count;
	const struct verify_pinned_name **pinned;
	size_t pinned_count;
};

static int
compare_aliases(const void *left, const void *right)
{
	const struct alias *a = left;
	const struct alias *b = right;
	int order = strcmp(a->name, b->name);

	return order != 0 ? order : memcmp(a->address, b->address, sizeof(*a->address));
}

static int
compare_pinned(const void *left, const void *right)
{
	const struct verify_pinned_name *const *a = left;
	const struct verify_pinned_name *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

/* Aliases that are written twice are one. */
static void
forget_twins(struct verify_hosts_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->alias_count; i++)
		if (kept == 0 ||
		    compare_aliases(&names->aliases[kept - 1], &names->aliases[i]) != 0)
			names->aliases[kept++] = names->aliases[i];
	names->alias_count = kept;
}

static int
fill_aliases(struct verify_hosts_names *names, const struct verify_policy *policy,
	     struct seal_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->hosts.alias_count; i++)
		count += policy->hosts.aliases[i].name_count;
	names->aliases = calloc(count + 1, sizeof(*names->aliases));
	if (names->aliases == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < policy->hosts.alias_count; i++) {
		const struct verify_alias *alias = &policy->hosts.aliases[i];

		for (size_t j = 0; j < alias->name_count; j++)
			names->aliases[names->alias_count++] =
				(struct alias){ alias->names[j], &alias->address, false };
	}
	qsort(names->aliases, names->alias_count, sizeof(*names->aliases), compare_aliases);
	forget_twins(names);
	return 0;
}

static int
fill_pinned(struct verify_hosts_names *names, const struct verify_policy *policy,
	    struct seal_err *err)
{
	names->pinned = calloc(policy->hosts.name_count + 1, sizeof(*names->pinned));
	if (names->pinned == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < policy->hosts.name_count; i++)
		names->pinned[names->pinned_count++] = &policy->hosts.names[i];
	qsort(names->pinned, names->pinned_count, sizeof(*names->pinned), compare_pinned);
	return 0;
}

int
verify_hosts_names_new(struct verify_hosts_names **ret_names, const struct verify_policy *policy,
		       struct seal_err *err)
{
	SEAL_SCOPED(verify_hosts_names_freep)
	struct verify_hosts_names *names = calloc(1, sizeof(*names));
	int r = 0;

	if (names == NULL)
		return seal_fail_memory(err);
	if (policy != NULL)
		r = fill_aliases(names, policy, err);
	if (r == 0 && policy != NULL)
		r = fill_pinned(names, policy, err);
	if (r < 0)
		return r;
	*ret_names = SEAL_TAKE(names);
	return 0;
}

void
verify_hosts_names_free(struct verify_hosts_names *names)
{
	if (names == NULL)
		return;
	free(names->aliases);
	free(names->pinned);
	free(names);
}

void
verify_hosts_names_freep(struct verify_hosts_names **names)
{
	verify_hosts_names_free(SEAL_TAKE(*names));
}

/* A name that is said twice has the networks of both. */
enum verify_hosts_known
verify_hosts_pinned(const struct verify_hosts_names *names, const char *name,
		    const struct verify_address *address)
{
	size_t low = 0;
	size_t high = names->pinned_count;
	enum verify_hosts_known known = VERIFY_HOSTS_NONE;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (strcmp(names->pinned[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < names->pinned_count && strcmp(names->pinned[low]->name, name) == 0; low++) {
		known = VERIFY_HOSTS_OTHER;
		for (size_t i = 0; i < names->pinned[low]->network_count; i++)
			if (verify_network_has(&names->pinned[low]->networks[i], address))
				return VERIFY_HOSTS_SAME;
	}
	return known;
}

enum verify_hosts_known
verify_hosts_alias(struct verify_hosts_names *names, const char *name,
		   const struct verify_address *address)
{
	const struct alias wanted = { name, address, false };
	size_t low = 0;
	size_t high = names->alias_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_aliases(&names->aliases[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < names->alias_count && compare_aliases(&names->aliases[low], &wanted) == 0) {
		names->aliases[low].is_seen = true;
		return VERIFY_HOSTS_SAME;
	}
	/* Not that address: then its neighbours tell whether the name has others. */
	if ((low < names->alias_count && strcmp(names->aliases[low].name, name) == 0) ||
	    (low > 0 && strcmp(names->aliases[low - 1].name, name) == 0))
		return VERIFY_HOSTS_OTHER;
	return VERIFY_HOSTS_NONE;
}

void
verify_hosts_missing(const struct verify_hosts_names *names,
		     void (*fn)(void *arg, const char *name, const struct verify_address *address),
		     void *arg)
{
	for (size_t i = 0; i < names->alias_count; i++)
		if (!names->aliases[i].is_seen)
			fn(arg, names->aliases[i].name, names->aliases[i].address);
}
