/* SPDX-License-Identifier: Apache-2.0 */
/* config-verify/hosts: what /etc/hosts may say, and what not. */
#include <time.h>

#include "tests/unit/config-verify/judge_rig.h"

#define LOCAL "127.0.0.1\tlocalhost\n"
#define KUBELET                                                                                    \
	"# Kubernetes-managed hosts file.\n" LOCAL "::1\tlocalhost ip6-localhost ip6-loopback\n"   \
	"fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\n"                 \
	"fe00::2\tip6-allrouters\n"

/* A pod web-0 in shop with two addresses. */
struct pod {
	struct verify_address addresses[2];
	struct verify_self self;
	struct verify_policy policy;
};

static struct pod *
pod(void)
{
	static struct pod made;

	made = (struct pod){ .addresses = { judge_address("10.244.1.7"),
					    judge_address("fd00::7") } };
	made.self = (struct verify_self){ "web-0", made.addresses, 2, 0 };
	made.policy.pod.ns = "shop";
	made.policy.pod.subdomain = "sub";
	made.policy.pod.hostname = "web-0";
	return &made;
}

static struct verify_findings *
judge(const char *text, const struct verify_policy *policy, const struct verify_self *self)
{
	struct verify_findings *findings = judge_none();

	verify_hosts_judge(text, strlen(text), policy, self, findings);
	return findings;
}

static void
accepts(const char *text, const struct pod *of)
{
	FINDINGS findings =
		judge(text, of == NULL ? NULL : &of->policy, of == NULL ? NULL : &of->self);

	judge_expect_clean(findings, text);
}

static void
refuses(const char *text, const struct pod *of, enum verify_rule rule, size_t line)
{
	FINDINGS findings =
		judge(text, of == NULL ? NULL : &of->policy, of == NULL ? NULL : &of->self);

	judge_expect(findings, rule, line, text);
}

/* On line 2, with and without a policy. */
static void
refuses_line(const char *line, enum verify_rule rule)
{
	char text[2048];
	struct pod *of = pod();

	of->policy.hosts.has_others = true;
	(void)snprintf(text, sizeof(text), LOCAL "%s\n", line);
	refuses(text, NULL, rule, 2);
	refuses(text, of, rule, 2);
}

static void
accepts_line(const char *line)
{
	char text[2048];
	struct pod *of = pod();

	of->policy.hosts.has_others = true;
	(void)snprintf(text, sizeof(text), LOCAL "%s\n", line);
	accepts(text, NULL);
	accepts(text, of);
}

Test(verify_hosts, of_kubelet_pass)
{
	accepts(KUBELET "10.244.1.7\tweb-0\n", pod());
	accepts(KUBELET "10.244.1.7\tweb-0\n", NULL);
	accepts(KUBELET "10.244.1.7\tweb-0.sub.shop.svc.cluster.local\tweb-0\n", pod());
	accepts(KUBELET "10.244.1.7\tweb-0\nfd00::7\tweb-0\n", pod());
	accepts(KUBELET "10.244.1.7\tWeb-0\n", pod());
	accepts(KUBELET, pod());
	accepts(LOCAL "10.244.1.7 web-0", pod()); /* no line end */
}

Test(verify_hosts, of_container_runtimes_and_nodes_pass)
{
	accepts("127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4\n"
		"::1 localhost localhost.localdomain localhost6 localhost6.localdomain6\n"
		"10.244.1.7 web-0\n",
		pod());
	accepts(LOCAL "::1 localhost ip6-localhost ip6-loopback\nfe00:: ip6-localnet\n"
		      "ff00:: ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
		      "ff02::3 ip6-allhosts\n",
		pod());
	accepts("127.0.0.1 localhost a.localhost b.a.localhost\n\n  \n\t\n  # far in\n", pod());
}

Test(verify_hosts, without_a_localhost_are_refused)
{
	refuses("", NULL, VERIFY_RULE_HOSTS_LOCALHOST, 0);
	refuses("# 127.0.0.1 localhost\n", pod(), VERIFY_RULE_HOSTS_LOCALHOST, 0);
	refuses("10.244.1.7 web-0\n", pod(), VERIFY_RULE_HOSTS_LOCALHOST, 0);
	refuses("127.0.0.1 a.localhost\n", pod(), VERIFY_RULE_HOSTS_LOCALHOST, 0);
}

Test(verify_hosts, lead_localhost_and_its_kind_to_loopback_alone)
{
	static const char *const names[] = {
		"localhost",     "LOCALHOST",    "localhost.localdomain", "localhost6",
		"ip6-localhost", "ip6-loopback", "a.localhost",           "localhost4.localdomain4",
	};
	char line[128];

	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		(void)snprintf(line, sizeof(line), "6.6.6.6 %s", names[i]);
		refuses_line(line, VERIFY_RULE_HOSTS_LOCALHOST);
		(void)snprintf(line, sizeof(line), "2001:db8::6\tweb-x\t%s # x", names[i]);
		refuses_line(line, VERIFY_RULE_HOSTS_LOCALHOST);
		(void)snprintf(line, sizeof(line), "127.0.0.1 %s", names[i]);
		accepts_line(line);
	}
	refuses_line("10.244.1.7 localhost", VERIFY_RULE_HOSTS_LOCALHOST);
}

Test(verify_hosts, lead_other_names_to_loopback_only_where_the_policy_does)
{
	static const char *const names[] = { "foo.local", "bar.local" };
	struct pod *of = pod();
	const struct verify_alias alias = { judge_address("127.0.0.1"), names, 2 };
	const struct verify_network loopback = judge_network("127.0.0.0/8");
	const struct verify_pinned_name pinned = { "baz.local", &loopback, 1 };

	of->policy.hosts.has_others = true;
	refuses(LOCAL "127.0.0.1 rot.example\n", of, VERIFY_RULE_HOSTS_LOCALHOST, 2);
	refuses(LOCAL "::1 rot.example\n", of, VERIFY_RULE_HOSTS_LOCALHOST, 2);
	refuses(LOCAL "127.9.9.9 rot.example\n", of, VERIFY_RULE_HOSTS_LOCALHOST, 2);
	accepts(LOCAL "127.0.0.1 foo.local\n", NULL); /* who could tell */
	of->policy.hosts.aliases = &alias;
	of->policy.hosts.alias_count = 1;
	of->policy.hosts.names = &pinned;
	of->policy.hosts.name_count = 1;
	accepts(LOCAL "# Entries added by HostAliases.\n127.0.0.1\tfoo.local\tbar.local\n"
		      "127.0.0.1 baz.local\n",
		of);
	refuses(LOCAL "127.0.0.1\tfoo.local\tbar.local\n127.0.0.2 foo.local\n", of,
		VERIFY_RULE_HOSTS_UNEXPLAINED, 3);
}

Test(verify_hosts, lead_the_pods_name_to_its_own_address)
{
	refuses(LOCAL "10.244.1.8 web-0\n", pod(), VERIFY_RULE_HOSTS_SELF, 2);
	refuses(LOCAL "10.244.1.7 web-0\n10.244.1.8 WEB-0\n", pod(), VERIFY_RULE_HOSTS_SELF, 3);
	refuses(LOCAL "fd00::8 web-0\n", pod(), VERIFY_RULE_HOSTS_SELF, 2);
	refuses(LOCAL "10.9.9.9 web-0.sub.shop.svc.cluster.local\n", pod(), VERIFY_RULE_HOSTS_SELF,
		2);
	refuses(LOCAL "127.0.1.1 web-0\n", pod(), VERIFY_RULE_HOSTS_SELF, 2);
}

Test(verify_hosts, may_have_the_pods_name_on_loopback_on_a_node_or_without_a_network)
{
	struct pod *of = pod();

	of->policy.pod.has_host_network = true;
	accepts(LOCAL "127.0.1.1 web-0\n", of);
	of->policy.pod.has_host_network = false;
	of->self.address_count = 0;
	accepts(LOCAL "127.0.0.1 web-0\n", of);
	accepts(LOCAL "10.9.9.9 web-0\n", of); /* its address is not known */
}

Test(verify_hosts, know_the_pods_name_from_the_kernel_or_the_policy)
{
	struct pod *of = pod();

	of->self.hostname = NULL;
	accepts(LOCAL "10.244.1.7 web-0\n", of);
	refuses(LOCAL "10.244.1.7 web-1\n", of, VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	of->policy.pod.hostname = NULL;
	of->policy.pod.hostname_prefix = "web-";
	accepts(LOCAL "10.244.1.7 web-5d9-x7k2p\n", of);
	refuses(LOCAL "10.244.1.8 web-5d9-x7k2p\n", of, VERIFY_RULE_HOSTS_SELF, 2);
	refuses(LOCAL "10.244.1.7 web-\n", of, VERIFY_RULE_HOSTS_FORMAT, 2);
	refuses(LOCAL "10.244.1.7 web-x.evil.example\n", of, VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	refuses(LOCAL "10.244.1.7 xweb-1\n", of, VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	/* setHostnameAsFQDN */
	of->self.hostname = "web-0.sub.shop.svc.cluster.local";
	accepts(LOCAL "10.244.1.7 web-0.sub.shop.svc.cluster.local web-0\n", of);
	refuses(LOCAL "10.244.1.8 web-0\n", of, VERIFY_RULE_HOSTS_SELF, 2);
}

Test(verify_hosts, have_no_name_that_nothing_explains)
{
	struct pod *of = pod();

	refuses(LOCAL "10.0.0.9 rot.example\n", of, VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	refuses(LOCAL "10.244.1.7 rot.example\n", of, VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	refuses(LOCAL "169.254.1.2 host.containers.internal host.docker.internal\n", of,
		VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	refuses(LOCAL "10.244.1.7 web-0.other.shop.svc.cluster.local\n", of,
		VERIFY_RULE_HOSTS_UNEXPLAINED, 2);
	refuses(LOCAL "10.244.1.7 web-0.sub.shop.svc.\n", of, VERIFY_RULE_HOSTS_FORMAT, 2);
	of->policy.hosts.has_others = true;
	accepts(LOCAL "10.0.0.9 rot.example\n169.254.1.2 host.containers.internal\n", of);
	accepts(LOCAL "10.0.0.9 rot.example xn--80ak6aa92e.example\n", NULL);
}

Test(verify_hosts, keep_pinned_names_within_their_networks)
{
	const struct verify_network networks[] = { judge_network("10.96.0.0/12"),
						   judge_network("fd00::/8") };
	const struct verify_pinned_name names[] = {
		{ "rot.example", networks, 2 },
		{ "db.example", networks, 1 },
		{ "never.example", NULL, 0 },
	};
	struct pod *of = pod();

	of->policy.hosts.names = names;
	of->policy.hosts.name_count = SEAL_COUNT(names);
	of->policy.hosts.has_others = true;
	accepts(LOCAL "10.96.0.1 ROT.example\nfd12::1 rot.example\n10.100.0.1 db.example\n", of);
	refuses(LOCAL "6.6.6.6 rot.example\n", of, VERIFY_RULE_HOSTS_PINNED, 2);
	refuses(LOCAL "10.96.0.1 rot.example\n6.6.6.6 x.example Rot.Example\n", of,
		VERIFY_RULE_HOSTS_PINNED, 3);
	refuses(LOCAL "fd12::1 db.example\n", of, VERIFY_RULE_HOSTS_PINNED, 2);
	refuses(LOCAL "127.0.0.1 rot.example\n", of, VERIFY_RULE_HOSTS_PINNED, 2);
	refuses(LOCAL "10.96.0.1 never.example\n", of, VERIFY_RULE_HOSTS_PINNED, 2);
	accepts(LOCAL, of); /* a pinned name need not be there */
}

Test(verify_hosts, have_every_alias_and_at_its_address)
{
	static const char *const one[] = { "a.example", "b.example" };
	static const char *const two[] = { "a.example", "localhost" };
	const struct verify_alias aliases[] = {
		{ judge_address("10.1.2.3"), one, 2 },
		{ judge_address("10.1.2.4"), two, 1 },
		{ judge_address("10.1.2.3"), one, 1 },
		{ judge_address("127.0.0.1"), two + 1, 1 },
	};
	struct pod *of = pod();

	of->policy.hosts.aliases = aliases;
	of->policy.hosts.alias_count = SEAL_COUNT(aliases);
	accepts(KUBELET "10.244.1.7\tweb-0\n\n# Entries added by HostAliases.\n"
			"10.1.2.3\ta.example\tb.example\n10.1.2.4\ta.example\n",
		of);
	refuses(LOCAL "10.1.2.3 a.example\n10.1.2.4 a.example\n", of, VERIFY_RULE_HOSTS_MISSING, 0);
	refuses(LOCAL "10.1.2.3 a.example b.example\n", of, VERIFY_RULE_HOSTS_MISSING, 0);
	of->policy.hosts.has_others = true;
	refuses(LOCAL "10.1.2.3 a.example b.example\n10.1.2.4 a.example\n10.1.2.5 b.example\n", of,
		VERIFY_RULE_HOSTS_UNEXPLAINED, 4);
	refuses(LOCAL "10.1.2.3 a.example b.example\n10.1.2.4 a.example b.example\n", of,
		VERIFY_RULE_HOSTS_UNEXPLAINED, 3);
}

Test(verify_hosts, have_ipv6s_groups_where_they_are)
{
	refuses_line("10.0.0.1 ip6-allnodes", VERIFY_RULE_HOSTS_UNEXPLAINED);
	refuses_line("fe00::7 ip6-allnodes", VERIFY_RULE_HOSTS_UNEXPLAINED);
	refuses_line("ff02::2 ip6-allnodes", VERIFY_RULE_HOSTS_UNEXPLAINED);
	refuses_line("ff02::1 rot.example", VERIFY_RULE_HOSTS_UNEXPLAINED);
	refuses_line("fe00::1 rot.example", VERIFY_RULE_HOSTS_UNEXPLAINED);
	refuses_line("fe00::1 localhost", VERIFY_RULE_HOSTS_UNEXPLAINED);
}

Test(verify_hosts, have_addresses_that_every_reader_takes_for_the_same)
{
	static const char *const odd[] = {
		"0.0.0.0 x",
		":: x",
		"224.0.0.1 x",
		"255.255.255.255 x",
		"240.0.0.1 x",
		"0177.0.0.1 x",
		"127.1 x",
		"0x7f000001 x",
		"::ffff:6.6.6.6 x",
		"::ffff:606:606 x",
		"::6.6.6.6 x",
		"fe80::1%eth0 x",
		"1.2.3.4:80 x",
		"[::1] x",
		"x 1.2.3.4",
		"x",
		"1.2.3.4.5 x",
		"0.1.2.3 x",
		"2130706433 localhost",
	};

	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		if (strcmp(odd[i], "224.0.0.1 x") != 0)
			refuses_line(odd[i], VERIFY_RULE_HOSTS_FORMAT);
	refuses_line("224.0.0.1 x", VERIFY_RULE_HOSTS_UNEXPLAINED);
}

Test(verify_hosts, have_names_that_every_reader_takes_for_the_same)
{
	static const char *const odd[] = {
		"10.0.0.9",           "10.0.0.9 ",
		"10.0.0.9 # x",       "10.0.0.9 my_svc",
		"10.0.0.9 -x",        "10.0.0.9 x-",
		"10.0.0.9 x.",        "10.0.0.9 .x",
		"10.0.0.9 a..b",      "10.0.0.9 .",
		"10.0.0.9 a/b",       "10.0.0.9 a:b",
		"10.0.0.9 *.example", "10.0.0.9 1.2.3.4",
		"10.0.0.9 12",        "10.0.0.9 0x7f000001",
		"10.0.0.9 127.0x1",   "10.0.0.9 good $(reboot)",
		" 10.0.0.9 x",        "\t10.0.0.9 x",
		"10.0.0.9 a;b",       "10.0.0.9 \"a\"",
	};

	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		refuses_line(odd[i], VERIFY_RULE_HOSTS_FORMAT);
	accepts_line("10.0.0.9 0ad-7c9 1a 0x7g web.1#comment");
}

Test(verify_hosts, may_name_a_pod_that_is_called_by_a_number)
{
	struct pod *of = pod();

	of->self.hostname = "123";
	of->policy.pod.hostname = "123";
	accepts(LOCAL "10.244.1.7 123\n", of);
	refuses(LOCAL "10.244.1.7 124\n", of, VERIFY_RULE_HOSTS_FORMAT, 2);
}

Test(verify_hosts, have_no_byte_on_which_readers_part)
{
	static const char *const odd[] = {
		"# \r6.6.6.6 localhost", "10.0.0.9 a\r",
		"10.0.0.9\302\240a",     "10.0.0.9 loc\xd0\xb0lhost",
		"10.0.0.9 a\x1b]0;x",    "# \x0b",
		"10.0.0.9 a\fb",         "# \x7f",
		"# caf\xc3\xa9",
	};
	static const char nul[] = LOCAL "# \0\n6.6.6.6 x\n";

	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		refuses_line(odd[i], VERIFY_RULE_HOSTS_FORMAT);
	FINDINGS findings = judge_none();

	verify_hosts_judge(nul, sizeof(nul) - 1, NULL, NULL, findings);
	judge_expect(findings, VERIFY_RULE_HOSTS_FORMAT, 2, "NUL");
}

/* LOCAL and a line of len bytes that begins and ends as given, filled with fill. */
static char *
long_line(char *text, size_t size, const char *begin, char fill, size_t len, const char *end)
{
	size_t at = (size_t)snprintf(text, size, LOCAL "%s", begin);
	size_t until = strlen(LOCAL) + len - strlen(end);

	cr_assert(at <= until && until + strlen(end) < size);
	memset(text + at, fill, until - at);
	memcpy(text + until, end, strlen(end) + 1);
	return text;
}

Test(verify_hosts, have_no_line_of_which_a_reader_with_a_small_buffer_makes_two)
{
	static char text[70000];

	accepts(long_line(text, sizeof(text), "#", 'x', 511, ""), NULL);
	refuses(long_line(text, sizeof(text), "#", 'x', 512, ""), NULL, VERIFY_RULE_HOSTS_FORMAT,
		2);
	refuses(long_line(text, sizeof(text), "#", 'x', 530, "6.6.6.6 localhost"), NULL,
		VERIFY_RULE_HOSTS_FORMAT, 2);
	/* The second piece begins as an address. */
	refuses(long_line(text, sizeof(text), "10.0.0.1 a", ' ', 511 + 18, " 0x06060606 victim"),
		NULL, VERIFY_RULE_HOSTS_FORMAT, 2);
	refuses(long_line(text, sizeof(text), "10.0.0.1 a", ' ', 511 + 15, "a0x06060606 evil"),
		NULL, VERIFY_RULE_HOSTS_FORMAT, 2);
	accepts(long_line(text, sizeof(text), "10.0.0.1 a", ' ', 600, " b.example"), NULL);
	refuses(long_line(text, sizeof(text), "10.0.0.1 a", ' ', 40000, " b"), NULL,
		VERIFY_RULE_HOSTS_FORMAT, 2);
}

Test(verify_hosts, bound_names_and_labels)
{
	char text[1024];
	char name[300];

	memset(name, 'a', sizeof(name));
	for (size_t i = 50; i < sizeof(name); i += 50)
		name[i] = '.';
	(void)snprintf(text, sizeof(text), "10.0.0.9 %.253s", name);
	accepts_line(text);
	(void)snprintf(text, sizeof(text), "10.0.0.9 %.254s", name);
	refuses_line(text, VERIFY_RULE_HOSTS_FORMAT);
	memset(name, 'b', sizeof(name));
	(void)snprintf(text, sizeof(text), "10.0.0.9 %.63s.x", name);
	accepts_line(text);
	(void)snprintf(text, sizeof(text), "10.0.0.9 %.64s.x", name);
	refuses_line(text, VERIFY_RULE_HOSTS_FORMAT);
}

static double
ms_since(const struct timespec *start)
{
	struct timespec now;

	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

/* Judge so many lines, or so many bytes of them; how long it took, in milliseconds. */
static double
timed(const char *domain, size_t bytes, size_t lines, const struct verify_policy *policy,
      size_t *ret_count)
{
	char *text = malloc(bytes + 64);
	struct timespec start;
	FINDINGS findings = judge_none();
	size_t len = strlen(LOCAL);
	double took;

	cr_assert_not_null(text);
	memcpy(text, LOCAL, len);
	for (unsigned i = 0; i < lines && len < bytes - 64; i++)
		len += (size_t)snprintf(text + len, 64, "10.0.0.%u n%u%s\n", i % 250 + 1, i,
					domain);
	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &start), 0);
	verify_hosts_judge(text, len, policy, NULL, findings);
	took = ms_since(&start);
	*ret_count = verify_findings_count(findings);
	free(text);
	return took;
}

Test(verify_hosts, of_any_size_are_judged_in_time)
{
	static char names[1000][32];
	static const char *list[1000];
	struct verify_alias aliases[1000];
	struct verify_policy policy = { .hosts = { aliases, 1000, NULL, 0, false } };
	size_t count;
	double took;

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%u.example", i);
		list[i] = names[i];
		aliases[i] = (struct verify_alias){ judge_address("10.0.0.1"), &list[i], 1 };
		aliases[i].address.bytes[15] = (uint8_t)(i % 250 + 1);
	}
	took = timed(".example", 1u << 20, 1000, &policy, &count);
	fprintf(stderr, "hosts: 1,000 lines, all aliases: %.2f ms\n", took);
	cr_expect_eq(count, 0);
	cr_expect_lt(took, 100.0);
	took = timed(".example", 1u << 20, 1u << 20, &policy, &count);
	fprintf(stderr, "hosts: 1 MiB, %zu findings: %.2f ms\n", count, took);
	cr_expect_gt(count, 10000);
	cr_expect_lt(took, 5000.0);
	took = timed("", 1u << 20, 1u << 20, NULL, &count);
	fprintf(stderr, "hosts: 1 MiB, nothing found: %.2f ms\n", took);
	cr_expect_eq(count, 0);
	cr_expect_lt(took, 1000.0);
}

Test(verify_hosts, beyond_a_mebibyte_are_refused_whole)
{
	static char text[VERIFY_HOSTS_MAX + 1];
	FINDINGS findings = judge_none();

	memset(text, '\n', sizeof(text));
	verify_hosts_judge(text, sizeof(text), NULL, NULL, findings);
	judge_expect(findings, VERIFY_RULE_FILE_SIZE, 0, "too large");
}
