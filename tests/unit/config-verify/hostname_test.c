/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/hostname: one name, the kernel's and the pod's. */
#include "tests/unit/config-verify/judge_rig.h"

static struct verify_findings *
judge(const char *text, size_t len, const struct verify_policy *policy, const char *kernel)
{
	const struct verify_self self = { .hostname = kernel };
	struct verify_findings *findings = judge_none();

	verify_hostname_judge(text, len, policy, kernel == NULL ? NULL : &self, findings);
	return findings;
}

static void
accepts(const char *text, const struct verify_policy *policy, const char *kernel)
{
	FINDINGS findings = judge(text, strlen(text), policy, kernel);

	judge_expect_clean(findings, text);
}

static void
refuses(const char *text, const struct verify_policy *policy, const char *kernel,
	enum verify_rule rule)
{
	FINDINGS findings = judge(text, strlen(text), policy, kernel);

	judge_expect(findings, rule, 0, text);
}

Test(verify_hostname, is_one_name)
{
	accepts("web-6d4cf56db6-x7k2p\n", NULL, NULL);
	accepts("0ad-1", NULL, NULL);
	accepts("123\n", NULL, NULL);
	accepts("web-0.sub.shop.svc.cluster.local\n", NULL, NULL);
	accepts("Node1\n", NULL, NULL);
}

Test(verify_hostname, is_nothing_else)
{
	static const char *const odd[] = {
		"",         "\n",          "web\n\n",       "web \n",       " web\n",     "-web\n",
		"web-\n",   "web_0\n",     "web.\n",        ".web\n",       "a..b\n",     "web\r\n",
		"web\r",    "$(reboot)\n", "\x1b[31mweb\n", "w\303\251b\n", "# x\nweb\n", "a b\n",
		"web\nx\n", "web;x\n",
	};
	static const char nul[] = "web-0\0evil\n";
	char text[80];
	FINDINGS findings = judge(nul, sizeof(nul) - 1, NULL, NULL);
	FINDINGS of_size = judge_none();
	static const char large[VERIFY_HOSTNAME_MAX + 1];

	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		refuses(odd[i], NULL, NULL, VERIFY_RULE_HOSTNAME_FORMAT);
	judge_expect(findings, VERIFY_RULE_HOSTNAME_FORMAT, 0, "NUL");
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	accepts(text, NULL, NULL);
	text[63] = 'a';
	text[64] = '\0';
	refuses(text, NULL, NULL, VERIFY_RULE_HOSTNAME_FORMAT);
	text[30] = '.'; /* 64 bytes are what the kernel has room for */
	accepts(text, NULL, NULL);
	text[64] = 'a';
	text[65] = '\0';
	refuses(text, NULL, NULL, VERIFY_RULE_HOSTNAME_FORMAT);
	verify_hostname_judge(large, sizeof(large), NULL, NULL, of_size);
	judge_expect(of_size, VERIFY_RULE_FILE_SIZE, 0, "too large");
}

Test(verify_hostname, is_no_localhost)
{
	refuses("localhost\n", NULL, NULL, VERIFY_RULE_HOSTNAME_NAME);
	refuses("LOCALHOST\n", NULL, "LOCALHOST", VERIFY_RULE_HOSTNAME_NAME);
	refuses("localhost.localdomain\n", NULL, NULL, VERIFY_RULE_HOSTNAME_NAME);
	refuses("web.localhost\n", NULL, NULL, VERIFY_RULE_HOSTNAME_NAME);
}

Test(verify_hostname, is_the_kernels)
{
	accepts("web-0\n", NULL, "web-0");
	refuses("web-0\n", NULL, "web-1", VERIFY_RULE_HOSTNAME_NAME);
	refuses("web-0\n", NULL, "Web-0", VERIFY_RULE_HOSTNAME_NAME);
	refuses("web-0\n", NULL, "web-01", VERIFY_RULE_HOSTNAME_NAME);
	refuses("web-0\n", NULL, "", VERIFY_RULE_HOSTNAME_NAME);
}

Test(verify_hostname, is_the_policys)
{
	struct verify_policy policy = { .pod = { .hostname = "web-0" } };

	accepts("web-0\n", &policy, "web-0");
	refuses("web-1\n", &policy, "web-1", VERIFY_RULE_HOSTNAME_NAME);
	refuses("web-0.sub.shop.svc.cluster.local\n", &policy, NULL, VERIFY_RULE_HOSTNAME_NAME);
	policy.pod.ns = "shop";
	policy.pod.subdomain = "sub";
	accepts("web-0.sub.shop.svc.cluster.local\n", &policy, NULL); /* setHostnameAsFQDN */
	refuses("web-0.sub.evil.svc.cluster.local\n", &policy, NULL, VERIFY_RULE_HOSTNAME_NAME);
	refuses("web-0.sub.shop.svc\n", &policy, NULL, VERIFY_RULE_HOSTNAME_NAME);
	policy.pod.has_host_network = true; /* then it is the node's */
	accepts("node1.example\n", &policy, NULL);
}

Test(verify_hostname, begins_as_generated_ones_do)
{
	struct verify_policy policy = { .pod = { .hostname_prefix = "web-" } };

	accepts("web-6d4cf56db6-x7k2p\n", &policy, NULL);
	refuses("web-\n", &policy, NULL, VERIFY_RULE_HOSTNAME_FORMAT);
	refuses("web\n", &policy, NULL, VERIFY_RULE_HOSTNAME_NAME);
	refuses("evil-web-1\n", &policy, NULL, VERIFY_RULE_HOSTNAME_NAME);
	refuses("web-1.evil.example\n", &policy, NULL, VERIFY_RULE_HOSTNAME_NAME);
	/* What is longer than a label is cut, and its end made one. */
	policy.pod.hostname_prefix =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa--bbbbbb";
	accepts("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", &policy, NULL);
	refuses("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", &policy, NULL,
		VERIFY_RULE_HOSTNAME_NAME);
	policy.pod.hostname_prefix =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-";
	accepts("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", &policy, NULL);
}
