/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/: any text as a policy; one that passes keeps its promises. */
#include <assert.h>
#include <string.h>

#include "config-verify/policy.h"
#include "config-verify/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_at_mounts(const struct verify_policy *policy)
{
	assert(policy->mount_count <= VERIFY_MAX_MOUNTS);
	for (size_t i = 0; i < policy->mount_count; i++) {
		assert(verify_path_check(policy->mounts[i].path, NULL) == 0);
		for (size_t k = 0; k < i; k++)
			assert(strcmp(policy->mounts[i].path, policy->mounts[k].path) != 0);
	}
}

static void
look_at_name(const char *name)
{
	struct verify_address address;

	assert(name[0] != '\0' && strlen(name) <= 253);
	assert(verify_address_parse(&address, name, NULL) < 0);
	for (; *name != '\0'; name++)
		assert(*name > ' ' && *name <= '~' && !(*name >= 'A' && *name <= 'Z'));
}

static void
look_at_hosts(const struct verify_policy *policy)
{
	for (size_t i = 0; i < policy->hosts.alias_count; i++) {
		assert(policy->hosts.aliases[i].name_count > 0);
		for (size_t k = 0; k < policy->hosts.aliases[i].name_count; k++)
			look_at_name(policy->hosts.aliases[i].names[k]);
	}
	for (size_t i = 0; i < policy->hosts.name_count; i++) {
		const struct verify_pinned_name *pin = &policy->hosts.names[i];

		look_at_name(pin->name);
		assert(pin->network_count > 0 && pin->network_count <= VERIFY_MAX_NETWORKS);
		for (size_t k = 0; k < pin->network_count; k++)
			assert(pin->networks[k].bits <= 128);
	}
}

static void
look_at_rest(const struct verify_policy *policy)
{
	size_t length = 0;

	assert(policy->pod.hostname == NULL || policy->pod.hostname_prefix == NULL);
	assert(policy->resolv.is_server_pinned == (policy->resolv.server_count > 0));
	if (policy->resolv.policy != NULL && strcmp(policy->resolv.policy, "None") == 0)
		assert(policy->resolv.is_server_pinned && policy->resolv.is_search_pinned);
	for (size_t i = 0; i < policy->resolv.search_count; i++)
		length += strlen(policy->resolv.searches[i]);
	for (size_t i = 0; i < policy->resolv.option_count; i++)
		length += strlen(policy->resolv.options[i]);
	for (size_t i = 0; i < policy->account.audience_count; i++)
		length += strlen(policy->account.audiences[i]);
	for (size_t i = 0; i < policy->account.ca_count; i++)
		length += policy->account.cas[i][SEAL_HASH_LEN - 1] != 0;
	for (size_t i = 0; i < policy->root.type_count; i++)
		length += strlen(policy->root.types[i]);
	assert(length <= VERIFY_POLICY_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	struct seal_err err = { 0 };

	if (seal_json_parse(&json, data, size, VERIFY_POLICY_MAX, NULL) < 0)
		return 0;
	if (verify_policy_parse(&policy, json, &err) < 0) {
		assert(policy == NULL && err.text[0] != '\0');
		return 0;
	}
	look_at_mounts(policy);
	look_at_hosts(policy);
	look_at_rest(policy);
	return 0;
}
