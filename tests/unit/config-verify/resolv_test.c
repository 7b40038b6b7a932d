/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/resolv: what /etc/resolv.conf may say, and what not. */
#include "tests/unit/config-verify/judge_rig.h"

#define SERVER  "nameserver 10.96.0.10\n"
#define SEARCH  "search shop.svc.cluster.local svc.cluster.local cluster.local\n"
#define KUBELET SEARCH SERVER "options ndots:5\n"

static struct verify_findings *
judge(const char *text, const struct verify_policy *policy)
{
	struct verify_findings *findings = judge_none();

	verify_resolv_judge(text, strlen(text), policy, findings);
	return findings;
}

static void
accepts(const char *text, const struct verify_policy *policy)
{
	FINDINGS findings = judge(text, policy);

	judge_expect_clean(findings, text);
}

static void
refuses(const char *text, const struct verify_policy *policy, enum verify_rule rule, size_t line)
{
	FINDINGS findings = judge(text, policy);

	judge_expect(findings, rule, line, text);
}

static void
refuses_line(const char *line, enum verify_rule rule)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), SERVER "%s\n", line);
	refuses(text, NULL, rule, 2);
}

static void
accepts_line(const char *line)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), SERVER "%s\n", line);
	accepts(text, NULL);
}

Test(verify_resolv, of_kubelet_passes)
{
	const struct verify_policy policy = { .pod = { .ns = "shop" },
					      .resolv = { .policy = "ClusterFirst" } };

	accepts(KUBELET, NULL);
	accepts(KUBELET, &policy);
	accepts("\n" KUBELET, &policy);
	accepts(SEARCH SERVER "nameserver fd00::a\noptions ndots:5 edns0", &policy);
	accepts(SERVER "options ndots:5\n", &policy);
	accepts("search shop.svc.cluster.local eu-west-1.compute.internal\n" SERVER, &policy);
	accepts("# comment\n; another\n \t \n" SERVER "search .\n", NULL);
	accepts("nameserver\t10.96.0.10 \nsearch\ta.b. \n", NULL);
}

Test(verify_resolv, names_servers_by_address_alone)
{
	static const char *const odd[] = {
		"nameserver",
		"nameserver dns.example",
		"nameserver 10.0.0.1:53",
		"nameserver [fd00::1]:53",
		"nameserver fe80::1%eth0",
		"nameserver 010.0.0.1",
		"nameserver 10.1",
		"nameserver 167772161",
		"nameserver 0.0.0.0",
		"nameserver ::",
		"nameserver 224.0.0.251",
		"nameserver ff02::fb",
		"nameserver 255.255.255.255",
		"nameserver ::ffff:10.0.0.1",
		"nameserver fe80::1",
		"nameserver #",
	};

	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		refuses_line(odd[i], VERIFY_RULE_RESOLV_SERVER);
	accepts_line("nameserver 8.8.8.8");
	accepts_line("nameserver 169.254.20.10");
}

Test(verify_resolv, names_one_to_three_servers)
{
	refuses("", NULL, VERIFY_RULE_RESOLV_SERVER, 0);
	refuses(SEARCH, NULL, VERIFY_RULE_RESOLV_SERVER, 0);
	refuses("#" SERVER, NULL, VERIFY_RULE_RESOLV_SERVER, 0);
	accepts(SERVER SERVER "nameserver fd00::a\n", NULL);
	refuses(SERVER SERVER SERVER "nameserver 10.96.0.11\n", NULL, VERIFY_RULE_RESOLV_SERVER, 4);
}

Test(verify_resolv, names_a_server_on_loopback_only_in_the_nodes_network)
{
	struct verify_policy policy = { .mode = VERIFY_ENFORCE };
	const char *text = "nameserver 127.0.0.53\n";

	refuses(text, &policy, VERIFY_RULE_RESOLV_SERVER, 1);
	refuses("nameserver ::1\n", &policy, VERIFY_RULE_RESOLV_SERVER, 1);
	policy.resolv.policy = "ClusterFirst";
	refuses(text, &policy, VERIFY_RULE_RESOLV_SERVER, 1);
	policy.resolv.policy = "Default";
	accepts(text, &policy);
	policy.resolv.policy = NULL;
	policy.pod.has_host_network = true;
	accepts(text, &policy);
	accepts(text, NULL); /* who could tell */
}

Test(verify_resolv, keeps_pinned_servers_within_their_networks)
{
	const struct verify_network networks[] = { judge_network("10.96.0.0/12"),
						   judge_network("fd00::a") };
	struct verify_policy policy = {
		.resolv = { .is_server_pinned = true, .servers = networks, .server_count = 2 }
	};

	accepts(SERVER, &policy);
	accepts(SERVER "nameserver fd00::a\n", &policy);
	refuses(SERVER "nameserver fd00::b\n", &policy, VERIFY_RULE_RESOLV_SERVER, 2);
	refuses("nameserver 6.6.6.6\n", &policy, VERIFY_RULE_RESOLV_SERVER, 1);
	refuses("nameserver 127.0.0.1\n", &policy, VERIFY_RULE_RESOLV_SERVER, 1);
	policy.resolv.server_count = 0;
	refuses(SERVER, &policy, VERIFY_RULE_RESOLV_SERVER, 1);
}

Test(verify_resolv, searches_the_namespace_first)
{
	struct verify_policy policy = { .pod = { .ns = "shop" },
					.resolv = { .policy = "ClusterFirst" } };

	refuses("search evil.example\n" SERVER, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
	refuses("search evil.example shop.svc.cluster.local\n" SERVER, &policy,
		VERIFY_RULE_RESOLV_SEARCH, 1);
	refuses("search shop2.svc.cluster.local\n" SERVER, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
	refuses("search shop.svc\n" SERVER, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
	accepts("search evil.example\n" SERVER, NULL); /* nothing says which */
	policy.pod.has_host_network = true;            /* then the node's are used */
	accepts("search node.example\n" SERVER, &policy);
	policy.resolv.policy = "ClusterFirstWithHostNet";
	refuses("search node.example\n" SERVER, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
	accepts(KUBELET, &policy);
	policy.resolv.policy = "Default";
	accepts("search node.example\n" SERVER, &policy);
}

Test(verify_resolv, keeps_the_order_of_pinned_domains)
{
	static const char *const searches[] = { "shop.svc.cluster.local", "svc.cluster.local",
						"cluster.local", "a.example" };
	struct verify_policy policy = {
		.resolv = { .is_search_pinned = true, .searches = searches, .search_count = 4 }
	};

	accepts(KUBELET, &policy);
	accepts(SERVER, &policy);
	accepts("search Shop.svc.cluster.local. a.example\n" SERVER, &policy);
	refuses("search evil.example\n" SERVER, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
	refuses("search a.example cluster.local\n" SERVER, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
	refuses(SERVER "domain evil.example\n", &policy, VERIFY_RULE_RESOLV_SEARCH, 2);
	policy.resolv.search_count = 0;
	refuses(KUBELET, &policy, VERIFY_RULE_RESOLV_SEARCH, 1);
}

Test(verify_resolv, is_exactly_dnsconfig_with_policy_none)
{
	static const char *const searches[] = { "a.example", "b.example" };
	static const char *const options[] = { "ndots:2", "edns0" };
	const struct verify_network servers[] = { judge_network("10.0.0.1"),
						  judge_network("127.0.0.1") };
	const struct verify_policy policy = { .resolv = { .policy = "None",
							  .servers = servers,
							  .server_count = 2,
							  .searches = searches,
							  .search_count = 2,
							  .options = options,
							  .option_count = 2 } };
	const struct verify_policy nothing = {
		.resolv = { .policy = "None", .servers = servers, .server_count = 1 }
	};
#define SERVERS "nameserver 127.0.0.1\nnameserver 10.0.0.1\n"
#define DOMAINS "search a.example b.example\n"
#define OPTIONS "options edns0 ndots:2\n"

	accepts(SERVERS DOMAINS OPTIONS, &policy);
	refuses("nameserver 10.0.0.1\n" DOMAINS OPTIONS, &policy, VERIFY_RULE_RESOLV_SERVER, 0);
	refuses(SERVERS "nameserver 10.0.0.2\n" DOMAINS OPTIONS, &policy, VERIFY_RULE_RESOLV_SERVER,
		3);
	refuses(SERVERS OPTIONS, &policy, VERIFY_RULE_RESOLV_SEARCH, 0);
	refuses(SERVERS "search b.example\n" OPTIONS, &policy, VERIFY_RULE_RESOLV_SEARCH, 3);
	refuses(SERVERS "search b.example a.example\n" OPTIONS, &policy, VERIFY_RULE_RESOLV_SEARCH,
		3);
	refuses(SERVERS "search a.example b.example c.example\n" OPTIONS, &policy,
		VERIFY_RULE_RESOLV_SEARCH, 3);
	refuses(SERVERS DOMAINS "options ndots:2\n", &policy, VERIFY_RULE_RESOLV_OPTION, 0);
	refuses(SERVERS DOMAINS "options ndots:3 edns0\n", &policy, VERIFY_RULE_RESOLV_OPTION, 4);
	refuses(SERVERS DOMAINS OPTIONS "options rotate\n", &policy, VERIFY_RULE_RESOLV_OPTION, 5);
	accepts("nameserver 10.0.0.1\n", &nothing);
	refuses("nameserver 10.0.0.1\nsearch a.example\n", &nothing, VERIFY_RULE_RESOLV_SEARCH, 2);
	refuses("nameserver 10.0.0.1\noptions ndots:5\n", &nothing, VERIFY_RULE_RESOLV_OPTION, 2);
}

Test(verify_resolv, searches_by_one_line_of_at_most_32_domains)
{
	char text[4096] = "search";

	refuses(SERVER "domain a.b\nsearch c.d\n", NULL, VERIFY_RULE_RESOLV_FORMAT, 3);
	refuses(SERVER "search a.b\nsearch c.d\n", NULL, VERIFY_RULE_RESOLV_FORMAT, 3);
	accepts(SERVER "domain a.b\n", NULL);
	refuses_line("domain a.b c.d", VERIFY_RULE_RESOLV_SEARCH);
	refuses_line("search", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("search a_b.c", VERIFY_RULE_RESOLV_SEARCH);
	refuses_line("search a.b # c", VERIFY_RULE_RESOLV_SEARCH);
	refuses_line("search a..b", VERIFY_RULE_RESOLV_SEARCH);
	for (int i = 0; i < 32; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       " a%02d.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", i);
	accepts_line(text);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " x");
	refuses_line(text, VERIFY_RULE_RESOLV_SEARCH);
}

Test(verify_resolv, has_known_options_within_their_ranges)
{
	static const char *const good[] = {
		"ndots:0",    "ndots:15",  "timeout:1", "timeout:30",     "attempts:1",
		"attempts:5", "rotate",    "edns0",     "single-request", "single-request-reopen",
		"use-vc",     "no-reload", "no-aaaa",   "ndots:5 rotate", "ndots:5 ndots:5",
	};
	static const char *const odd[] = {
		"ndots:16",  "ndots:99",   "ndots:",     "ndots",
		"ndots:-1",  "ndots:05",   "ndots:5x",   "ndots:0x5",
		"timeout:0", "timeout:31", "attempts:0", "attempts:6",
		"debug",     "trust-ad",   "inet6",      "rotate:1",
		"Rotate",    "#",          "ndots: 5",   "ndots:99999999999999999999",
		"insecure1", "tcp",        "unknown:5",  "ndots:5 ndots:6",
	};
	char line[128];

	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		(void)snprintf(line, sizeof(line), "options %s", good[i]);
		accepts_line(line);
	}
	for (size_t i = 0; i < SEAL_COUNT(odd); i++) {
		(void)snprintf(line, sizeof(line), "options %s", odd[i]);
		refuses_line(line, VERIFY_RULE_RESOLV_OPTION);
	}
	refuses(SERVER "options ndots:5\noptions ndots:6\n", NULL, VERIFY_RULE_RESOLV_OPTION, 3);
}

Test(verify_resolv, has_pinned_options_all_and_no_others)
{
	static const char *const options[] = { "ndots:5", "trust-ad" };
	struct verify_policy policy = {
		.resolv = { .is_option_pinned = true, .options = options, .option_count = 2 }
	};

	accepts(SERVER "options trust-ad ndots:5\n", &policy);
	accepts(SERVER "options trust-ad\noptions ndots:5\n", &policy);
	refuses(SERVER "options ndots:5\n", &policy, VERIFY_RULE_RESOLV_OPTION, 0);
	refuses(SERVER "options trust-ad ndots:5 rotate\n", &policy, VERIFY_RULE_RESOLV_OPTION, 2);
	/* Named and not pinned: allowed, not demanded. */
	policy.resolv.is_option_pinned = false;
	accepts(SERVER "options trust-ad rotate\n", &policy);
}

Test(verify_resolv, has_keywords_in_front_and_nothing_behind)
{
	refuses_line(" nameserver 10.96.0.11", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("\tsearch a.b", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line(" # comment", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("nameserver 10.96.0.11 10.96.0.12", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("nameserver 10.96.0.11 # mine", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("Nameserver 10.96.0.11", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("lookup file bind", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("sortlist 130.155.160.0/255.255.240.0", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("searchevil.example", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("family inet4", VERIFY_RULE_RESOLV_FORMAT);
}

Test(verify_resolv, has_no_byte_and_no_line_on_which_readers_part)
{
	static const char nul[] = SERVER "#\0\nnameserver 6.6.6.6\n";
	static char large[VERIFY_RESOLV_MAX + 1];
	char line[400];
	FINDINGS findings = judge_none();
	FINDINGS of_size = judge_none();

	refuses_line("#\rnameserver 6.6.6.6", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("# caf\xc3\xa9", VERIFY_RULE_RESOLV_FORMAT);
	refuses_line("#\x0bnameserver 6.6.6.6", VERIFY_RULE_RESOLV_FORMAT);
	memset(line, '#', sizeof(line));
	line[255] = '\0';
	accepts_line(line);
	line[255] = '#';
	line[256] = '\0';
	refuses_line(line, VERIFY_RULE_RESOLV_FORMAT);
	verify_resolv_judge(nul, sizeof(nul) - 1, NULL, findings);
	judge_expect(findings, VERIFY_RULE_RESOLV_FORMAT, 2, "NUL");
	memset(large, '\n', sizeof(large));
	verify_resolv_judge(large, sizeof(large), NULL, of_size);
	judge_expect(of_size, VERIFY_RULE_FILE_SIZE, 0, "too large");
}
