/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/: without memory nothing passes. */
#include "tests/support/alloc.h"
#include "tests/unit/config-verify/judge_rig.h"

static const char *const names[] = { "a.example" };
static const char hosts[] = "127.0.0.1 localhost\n10.0.0.1 a.example\n";
static const char *const environment[] = { "A_SERVICE_HOST=10.0.0.1", "A_SERVICE_PORT=80", NULL };

static void
judge_hosts(struct verify_findings *findings)
{
	const struct verify_alias alias = { judge_address("10.0.0.1"), names, 1 };
	const struct verify_policy policy = { .hosts = { .aliases = &alias, .alias_count = 1 } };

	verify_hosts_judge(hosts, sizeof(hosts) - 1, &policy, NULL, findings);
}

static void
judge_environment(struct verify_findings *findings)
{
	verify_environment_judge(environment, NULL, findings);
}

static void
expect_closed(void (*judge)(struct verify_findings *findings), const char *what)
{
	FINDINGS enough = judge_none();
	bool failed = true;
	size_t n = 1;

	judge(enough);
	judge_expect_clean(enough, what);
	for (; failed; n++) {
		FINDINGS findings = judge_none();

		alloc_fail_at(n);
		judge(findings);
		failed = alloc_call_off();
		cr_expect_eq(verify_findings_count(findings) > 0, failed, "%s, allocation %zu",
			     what, n);
	}
	cr_expect_gt(n, 2, "%s needs memory", what);
}

Test(verify_memory, wanting_for_hosts_is_a_finding)
{
	expect_closed(judge_hosts, "hosts");
}

Test(verify_memory, wanting_for_the_environment_is_a_finding)
{
	expect_closed(judge_environment, "environment");
}
