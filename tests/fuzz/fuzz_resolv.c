/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/: any bytes as /etc/resolv.conf, without a policy, under a dnsPolicy, and with everything pinned. */
#include <assert.h>

#include "config-verify/sysfiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
judge(const uint8_t *data, size_t size, const struct verify_policy *policy)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	int r = verify_findings_new(&findings, NULL);

	assert(r == 0);
	verify_resolv_judge(data, size, policy, findings);
	return verify_findings_count(findings);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const searches[] = { "a.example", "b.example" };
	static const char *const options[] = { "ndots:5" };
	static const char *const policies[] = { "ClusterFirst", "Default", "None",
						"ClusterFirstWithHostNet" };
	struct verify_network server;
	struct verify_policy policy = { .pod = { .ns = "shop" } };
	const size_t open = judge(data, size, NULL);
	size_t found;
	int r = verify_network_parse(&server, "10.96.0.0/12", NULL);

	assert(r == 0);
	/* One of them for each input: most of the time goes into judging the same text again. */
	policy.resolv.policy = policies[size % SEAL_COUNT(policies)];
	found = judge(data, size, &policy);
	assert(open == 0 || found > 0); /* what is wrong without a policy is wrong with one */
	policy.resolv.is_server_pinned = policy.resolv.is_search_pinned =
		policy.resolv.is_option_pinned = true;
	policy.resolv.servers = &server;
	policy.resolv.server_count = 1;
	policy.resolv.searches = searches;
	policy.resolv.search_count = SEAL_COUNT(searches);
	policy.resolv.options = options;
	policy.resolv.option_count = SEAL_COUNT(options);
	found = judge(data, size, &policy);
	assert(open == 0 || found > 0);
	return 0;
}
