/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: each member is taken as it is written, and what is unknown, too much or contradictory refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-verify/finding.h"
#include "config-verify/policy.h"

#define POLICY         SEAL_SCOPED(verify_policy_freep) struct verify_policy *
#define WITH(member)   "{\"version\":1," member "}"
#define MOUNT(members) WITH("\"mounts\":[{" members "}]")
#define DIGEST         "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static int
try(const char *text, struct verify_policy **ret_policy, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;

	cr_assert_eq(seal_json_parse(&json, text, strlen(text), 1024u * 1024, NULL), 0, "%.200s",
		     text);
	return verify_policy_parse(ret_policy, json, err); /* the text is gone afterwards */
}

static struct verify_policy *
parse(const char *text)
{
	struct verify_policy *policy = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(try(text, &policy, &err), 0, "%.200s: %s", text, err.text);
	return policy;
}

static void
expect_refused(enum seal_code code, const char *sentence, const char *text)
{
	struct verify_policy *policy = NULL;
	struct seal_err err = { 0 };
	int r = try(text, &policy, &err);

	cr_expect_eq(r, code, "%d (%s) for %.200s", r, err.text, text);
	cr_expect_not_null(strstr(err.text, sentence), "'%s' is not in: %s", sentence, err.text);
	cr_expect_null(policy);
}

/* PREFIX, count times ITEM with a number in it, SUFFIX. */
static char *
many(const char *prefix, const char *item, size_t count, const char *suffix)
{
	size_t size = strlen(prefix) + strlen(suffix) + count * (strlen(item) + 24) + 1;
	char *text = calloc(1, size);
	size_t len;

	cr_assert_not_null(text);
	len = (size_t)snprintf(text, size, "%s", prefix);
	for (size_t i = 0; i < count; i++) {
		const char *at = strchr(item, '#');

		len += (size_t)snprintf(text + len, size - len, "%s%.*s%zu%s", i > 0 ? "," : "",
					(int)(at - item), item, i, at + 1);
	}
	(void)snprintf(text + len, size - len, "%s", suffix);
	return text;
}

static void
expect_many(int code, const char *prefix, const char *item, size_t count, const char *suffix)
{
	char *text = many(prefix, item, count, suffix);
	struct verify_policy *policy = NULL;
	struct seal_err err = { 0 };

	cr_expect_eq(try(text, &policy, &err), code, "%zu of %s: %s", count, item, err.text);
	verify_policy_free(policy);
	free(text);
}

/* ---- The whole ---- */

Test(verify_policy, the_least_pins_nothing_and_enforces)
{
	POLICY policy = parse("{\"version\":1}");

	cr_expect_eq(policy->mode, VERIFY_ENFORCE);
	cr_expect_eq(policy->mount_count, 0);
	cr_expect_null(policy->root.types);
	cr_expect_null(policy->pod.ns);
	cr_expect_not(policy->hosts.has_others);
	cr_expect_not(policy->resolv.is_server_pinned);
	cr_expect_not(policy->resolv.is_search_pinned);
	cr_expect_not(policy->resolv.is_option_pinned);
	cr_expect_eq(policy->account.mounted, VERIFY_ANY);
	cr_expect(policy->has_services);
}

Test(verify_policy, what_is_no_policy_is_refused)
{
	expect_refused(SEAL_E_FORMAT, "version", "{}");
	expect_refused(SEAL_E_FORMAT, "version 2", "{\"version\":2}");
	expect_refused(SEAL_E_FORMAT, "version", "{\"version\":\"1\"}");
	expect_refused(SEAL_E_FORMAT, "another", WITH("\"another\":1"));
	expect_refused(SEAL_E_FORMAT, "root", WITH("\"root\":{\"type\":[]}"));
	expect_refused(SEAL_E_FORMAT, "pod", WITH("\"pod\":{\"nickname\":\"a\"}"));
	expect_refused(SEAL_E_FORMAT, "hosts", WITH("\"hosts\":{\"other\":true}"));
	expect_refused(SEAL_E_FORMAT, "resolv", WITH("\"resolv\":{\"search\":[]}"));
	expect_refused(SEAL_E_FORMAT, "account", WITH("\"account\":{\"cas\":[]}"));
	expect_refused(SEAL_E_FORMAT, "root", WITH("\"root\":null"));
	expect_refused(SEAL_E_FORMAT, "hosts", WITH("\"hosts\":[]"));
}

Test(verify_policy, the_mode_is_one_of_two)
{
	POLICY audit = parse(WITH("\"mode\":\"audit\""));
	POLICY enforce = parse(WITH("\"mode\":\"enforce\""));

	cr_expect_eq(audit->mode, VERIFY_AUDIT);
	cr_expect_eq(enforce->mode, VERIFY_ENFORCE);
	expect_refused(SEAL_E_FORMAT, "mode", WITH("\"mode\":\"Audit\""));
	expect_refused(SEAL_E_FORMAT, "mode", WITH("\"mode\":\"\""));
	expect_refused(SEAL_E_FORMAT, "mode", WITH("\"mode\":true"));
}

Test(verify_policy, the_root_is_pinned_by_type_and_layers)
{
	POLICY policy = parse(WITH("\"root\":{\"types\":[\"overlay\",\"fuse.x-y\"],\"layers\":7}"));
	POLICY layers = parse(WITH("\"root\":{\"layers\":1}"));

	cr_assert_eq(policy->root.type_count, 2);
	cr_expect_str_eq(policy->root.types[1], "fuse.x-y");
	cr_expect_eq(policy->root.layers, 7);
	cr_expect_eq(layers->root.layers, 1);
	expect_refused(SEAL_E_FORMAT, "types", WITH("\"root\":{\"types\":[]}"));
	expect_refused(SEAL_E_FORMAT, "root", WITH("\"root\":{\"types\":[\"Overlay\"]}"));
	expect_refused(SEAL_E_FORMAT, "root", WITH("\"root\":{\"types\":[1]}"));
	expect_refused(SEAL_E_LIMIT, "layers", WITH("\"root\":{\"layers\":0}"));
	expect_refused(SEAL_E_LIMIT, "layers", WITH("\"root\":{\"layers\":1025}"));
	expect_refused(SEAL_E_REFUSED, "overlay",
		       WITH("\"root\":{\"types\":[\"virtiofs\"],\"layers\":2}"));
}

/* ---- Mounts ---- */

Test(verify_policy, mounts_are_taken_as_they_are_declared)
{
	POLICY policy = parse(WITH("\"mounts\":[{\"path\":\"/a\",\"source\":\"memory\"},"
				   "{\"path\":\"/b/c\",\"source\":\"volume\",\"readOnly\":true,"
				   "\"optional\":true,\"propagation\":\"HostToContainer\"},"
				   "{\"path\":\"/d\",\"source\":\"account\",\"readOnly\":false,"
				   "\"propagation\":\"Bidirectional\"}]"));

	cr_assert_eq(policy->mount_count, 3);
	cr_expect_eq(policy->mounts[0].source, VERIFY_FROM_MEMORY);
	cr_expect_eq(policy->mounts[0].propagation, VERIFY_PRIVATE);
	cr_expect_not(policy->mounts[0].is_read_only || policy->mounts[0].is_optional);
	cr_expect_str_eq(policy->mounts[1].path, "/b/c");
	cr_expect_eq(policy->mounts[1].source, VERIFY_FROM_VOLUME);
	cr_expect_eq(policy->mounts[1].propagation, VERIFY_SLAVE);
	cr_expect(policy->mounts[1].is_read_only && policy->mounts[1].is_optional);
	cr_expect_eq(policy->mounts[2].source, VERIFY_FROM_ACCOUNT);
	cr_expect_eq(policy->mounts[2].propagation, VERIFY_SHARED);
}

Test(verify_policy, mounts_that_cannot_be_meant_are_refused)
{
	expect_refused(SEAL_E_FORMAT, "source", MOUNT("\"path\":\"/a\""));
	expect_refused(SEAL_E_FORMAT, "path", MOUNT("\"source\":\"memory\""));
	expect_refused(SEAL_E_FORMAT, "tmpfs", MOUNT("\"path\":\"/a\",\"source\":\"tmpfs\""));
	expect_refused(SEAL_E_FORMAT, "absolute", MOUNT("\"path\":\"a\",\"source\":\"memory\""));
	expect_refused(SEAL_E_FORMAT, "mounts[0]", MOUNT("\"path\":\"/a/\",\"source\":\"memory\""));
	expect_refused(SEAL_E_FORMAT, "mounts[0]",
		       MOUNT("\"path\":\"/a/../b\",\"source\":\"memory\""));
	expect_refused(SEAL_E_REFUSED, "root", MOUNT("\"path\":\"/\",\"source\":\"memory\""));
	expect_refused(SEAL_E_FORMAT, "propagation",
		       MOUNT("\"path\":\"/a\",\"source\":\"memory\",\"propagation\":\"none\""));
	expect_refused(SEAL_E_FORMAT, "readOnly",
		       MOUNT("\"path\":\"/a\",\"source\":\"memory\",\"readOnly\":\"true\""));
	expect_refused(SEAL_E_FORMAT, "size",
		       MOUNT("\"path\":\"/a\",\"source\":\"memory\",\"size\":1"));
	expect_refused(SEAL_E_FORMAT, "mounts", WITH("\"mounts\":{}"));
	expect_refused(SEAL_E_FORMAT, "mounts[0]", WITH("\"mounts\":[\"/a\"]"));
	expect_refused(SEAL_E_REFUSED, "twice",
		       WITH("\"mounts\":[{\"path\":\"/a\",\"source\":\"memory\"},"
			    "{\"path\":\"/a\",\"source\":\"memory\"}]"));
}

Test(verify_policy, every_list_has_its_limit)
{
	static const char mount[] = "{\"path\":\"/m#\",\"source\":\"memory\"}";

	expect_many(0, "{\"version\":1,\"mounts\":[", mount, VERIFY_MAX_MOUNTS, "]}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"mounts\":[", mount, VERIFY_MAX_MOUNTS + 1,
		    "]}");
	expect_many(0, "{\"version\":1,\"hosts\":{\"names\":[",
		    "{\"name\":\"n#.a\",\"networks\":[\"::/0\"]}", VERIFY_MAX_NAMES, "]}}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"hosts\":{\"names\":[",
		    "{\"name\":\"n#.a\",\"networks\":[\"::/0\"]}", VERIFY_MAX_NAMES + 1, "]}}");
	expect_many(0, "{\"version\":1,\"resolv\":{\"nameservers\":[", "\"10.0.0.#\"",
		    VERIFY_MAX_NETWORKS, "]}}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"resolv\":{\"nameservers\":[", "\"10.0.0.#\"",
		    VERIFY_MAX_NETWORKS + 1, "]}}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"hosts\":{\"aliases\":[",
		    "{\"ip\":\"10.0.0.1\",\"hostnames\":[\"a#x\",\"b\"]}", VERIFY_MAX_NAMES / 2 + 1,
		    "]}}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"resolv\":{\"searches\":[", "\"s#x\"", 257,
		    "]}}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"resolv\":{\"options\":[", "\"ndots:#\"", 65,
		    "]}}");
	expect_many(SEAL_E_LIMIT, "{\"version\":1,\"account\":{\"audiences\":[", "\"a#\"", 65,
		    "]}}");
}

/* ---- The pod ---- */

Test(verify_policy, a_pod_has_a_name_or_what_it_begins_with)
{
	POLICY exact = parse(WITH("\"pod\":{\"namespace\":\"shop\",\"hostname\":\"web.x\","
				  "\"subdomain\":\"front\",\"hostNetwork\":true}"));
	POLICY prefix = parse(WITH("\"pod\":{\"hostnamePrefix\":\"web-\"}"));

	cr_expect_str_eq(exact->pod.ns, "shop");
	cr_expect_str_eq(exact->pod.hostname, "web.x");
	cr_expect_str_eq(exact->pod.subdomain, "front");
	cr_expect(exact->pod.has_host_network);
	cr_expect_str_eq(prefix->pod.hostname_prefix, "web-");
	cr_expect_null(prefix->pod.hostname);
	expect_refused(SEAL_E_REFUSED, "both",
		       WITH("\"pod\":{\"hostname\":\"a\",\"hostnamePrefix\":\"b-\"}"));
	expect_refused(SEAL_E_FORMAT, "name", WITH("\"pod\":{\"name\":\"Web\"}"));
	expect_refused(SEAL_E_FORMAT, "name", WITH("\"pod\":{\"name\":\"\"}"));
	expect_refused(SEAL_E_FORMAT, "name", WITH("\"pod\":{\"name\":\"a/b\"}"));
	expect_refused(SEAL_E_FORMAT, "namespace", WITH("\"pod\":{\"namespace\":\"a.b\"}"));
	expect_refused(SEAL_E_FORMAT, "namespace", WITH("\"pod\":{\"namespace\":\"\"}"));
	expect_refused(SEAL_E_FORMAT, "hostname", WITH("\"pod\":{\"hostname\":\"Web\"}"));
	expect_refused(SEAL_E_FORMAT, "hostname", WITH("\"pod\":{\"hostname\":\"web-\"}"));
	expect_refused(SEAL_E_FORMAT, "hostname", WITH("\"pod\":{\"hostname\":\"a..b\"}"));
	expect_refused(SEAL_E_FORMAT, "hostnamePrefix", WITH("\"pod\":{\"hostnamePrefix\":\"\"}"));
	expect_refused(SEAL_E_FORMAT, "hostnamePrefix",
		       WITH("\"pod\":{\"hostnamePrefix\":\"-a\"}"));
	expect_refused(SEAL_E_FORMAT, "hostNetwork", WITH("\"pod\":{\"hostNetwork\":1}"));
}

/* ---- Names ---- */

Test(verify_policy, names_are_compared_in_lower_case_and_without_a_final_dot)
{
	POLICY policy =
		parse(WITH("\"hosts\":{\"aliases\":[{\"ip\":\"10.1.2.3\",\"hostnames\":[\"DB\","
			   "\"db.shop.svc\"]}],\"names\":[{\"name\":\"Db.Shop.SVC.\",\"networks\":"
			   "[\"10.0.0.0/8\",\"fd00::/8\"]}],\"others\":true}"));

	cr_assert_eq(policy->hosts.alias_count, 1);
	cr_assert_eq(policy->hosts.aliases[0].name_count, 2);
	cr_expect_str_eq(policy->hosts.aliases[0].names[0], "db");
	cr_assert_eq(policy->hosts.name_count, 1);
	cr_expect_str_eq(policy->hosts.names[0].name, "db.shop.svc");
	cr_assert_eq(policy->hosts.names[0].network_count, 2);
	cr_expect_eq(policy->hosts.names[0].networks[0].bits, 96 + 8);
	cr_expect(policy->hosts.has_others);
}

#define ALIAS(ip, names)                                                                           \
	WITH("\"hosts\":{\"aliases\":[{\"ip\":\"" ip "\",\"hostnames\":[" names "]}]}")
#define PIN(name, networks)                                                                        \
	WITH("\"hosts\":{\"names\":[{\"name\":\"" name "\",\"networks\":[" networks "]}]}")

Test(verify_policy, aliases_and_pins_that_no_resolver_reads_alike_are_refused)
{
	expect_refused(SEAL_E_FORMAT, "aliases[0]", ALIAS("10.1.2", "\"a\""));
	expect_refused(SEAL_E_FORMAT, "aliases[0]", ALIAS("fe80::1%eth0", "\"a\""));
	expect_refused(SEAL_E_FORMAT, "no hostnames", ALIAS("10.1.2.3", ""));
	expect_refused(SEAL_E_FORMAT, "a_b", ALIAS("10.1.2.3", "\"a_b\""));
	expect_refused(SEAL_E_FORMAT, "address", ALIAS("10.1.2.3", "\"10.1.2.4\""));
	expect_refused(SEAL_E_FORMAT, "aliases[0]", ALIAS("10.1.2.3", "\"a b\""));
	expect_refused(SEAL_E_FORMAT, "aliases[0]",
		       WITH("\"hosts\":{\"aliases\":[{\"hostnames\":[\"a\"]}]}"));
	expect_refused(SEAL_E_FORMAT, "aliases[0]",
		       WITH("\"hosts\":{\"aliases\":[{\"ip\":\"::2\",\"names\":[\"a\"]}]}"));
	expect_refused(SEAL_E_FORMAT, "names[0]", PIN("", "\"10.0.0.0/8\""));
	expect_refused(SEAL_E_FORMAT, "names[0]", PIN(".", "\"10.0.0.0/8\""));
	expect_refused(SEAL_E_FORMAT, "networks", PIN("a", ""));
	expect_refused(SEAL_E_FORMAT, "networks[0]", PIN("a", "\"10.0.0.1/8\""));
	expect_refused(SEAL_E_FORMAT, "networks[1]", PIN("a", "\"10.0.0.1\",\"10.0.0.0/33\""));
	expect_refused(SEAL_E_FORMAT, "networks[0]", PIN("a", "7"));
	expect_refused(SEAL_E_FORMAT, "networks", WITH("\"hosts\":{\"names\":[{\"name\":\"a\"}]}"));
	expect_refused(SEAL_E_FORMAT, "others", WITH("\"hosts\":{\"others\":\"yes\"}"));
}

Test(verify_policy, names_that_contradict_each_other_are_refused)
{
	static const char both[] =
		"\"hosts\":{\"aliases\":[{\"ip\":\"10.1.2.3\",\"hostnames\":[\"db\"]}],"
		"\"names\":[{\"name\":\"DB.\",\"networks\":[\"%s\"]}]}";
	char text[512];
	char whole[600];
	POLICY inside = NULL;
	POLICY loopback = NULL;

	(void)snprintf(text, sizeof(text), both, "10.1.0.0/16");
	(void)snprintf(whole, sizeof(whole), "{\"version\":1,%s}", text);
	inside = parse(whole);
	cr_expect_eq(inside->hosts.name_count, 1);
	(void)snprintf(text, sizeof(text), both, "10.2.0.0/16");
	(void)snprintf(whole, sizeof(whole), "{\"version\":1,%s}", text);
	expect_refused(SEAL_E_REFUSED, "outside", whole);
	expect_refused(SEAL_E_REFUSED, "twice",
		       WITH("\"hosts\":{\"names\":[{\"name\":\"a\",\"networks\":[\"::2\"]},"
			    "{\"name\":\"A\",\"networks\":[\"::2\"]}]}"));
	expect_refused(SEAL_E_REFUSED, "loopback", ALIAS("10.1.2.3", "\"localhost\""));
	expect_refused(SEAL_E_REFUSED, "loopback", ALIAS("10.1.2.3", "\"a.localhost\""));
	expect_refused(SEAL_E_REFUSED, "loopback", ALIAS("10.1.2.3", "\"a\",\"IP6-localhost\""));
	/* All that the judgement of /etc/hosts takes for this machine: it would refuse the alias later. */
	expect_refused(SEAL_E_REFUSED, "loopback", ALIAS("10.1.2.3", "\"localhost6\""));
	expect_refused(SEAL_E_REFUSED, "loopback", PIN("ipv6-loopback", "\"::/0\""));
	expect_refused(SEAL_E_REFUSED, "loopback", PIN("localhost", "\"::/0\""));
	loopback = parse(ALIAS("127.0.0.1", "\"localhost\",\"app\""));
	cr_expect_eq(loopback->hosts.alias_count, 1);
}

/* ---- resolv.conf ---- */

Test(verify_policy, resolvers_are_pinned_where_something_is_said)
{
	POLICY policy =
		parse(WITH("\"resolv\":{\"policy\":\"ClusterFirst\",\"nameservers\":[\"10.96.0.0/"
			   "12\",\"fd00::a\"],\"searches\":[\"Shop.svc.\",\".\",\"_x.a\"],"
			   "\"options\":[\"ndots:5\",\"trust-ad\"]}"));
	POLICY none = parse(WITH("\"resolv\":{\"policy\":\"None\",\"nameservers\":[\"1.1.1.1\"]}"));
	POLICY empty = parse(WITH("\"resolv\":{\"searches\":[]}"));

	cr_expect_str_eq(policy->resolv.policy, "ClusterFirst");
	cr_expect(policy->resolv.is_server_pinned && policy->resolv.server_count == 2);
	cr_expect_eq(policy->resolv.servers[1].bits, 128);
	cr_assert_eq(policy->resolv.search_count, 3);
	cr_expect_str_eq(policy->resolv.searches[0], "shop.svc");
	cr_expect_str_eq(policy->resolv.searches[1], ".");
	cr_assert_eq(policy->resolv.option_count, 2);
	cr_expect_str_eq(policy->resolv.options[1], "trust-ad");
	cr_expect(none->resolv.is_search_pinned && none->resolv.search_count == 0);
	cr_expect(none->resolv.is_option_pinned && none->resolv.option_count == 0);
	cr_expect(empty->resolv.is_search_pinned && empty->resolv.search_count == 0);
	cr_expect_not(empty->resolv.is_server_pinned || empty->resolv.is_option_pinned);
}

Test(verify_policy, resolvers_that_cannot_be_meant_are_refused)
{
	expect_refused(SEAL_E_REFUSED, "None", WITH("\"resolv\":{\"policy\":\"None\"}"));
	expect_refused(SEAL_E_FORMAT, "dnsPolicy", WITH("\"resolv\":{\"policy\":\"none\"}"));
	expect_refused(SEAL_E_FORMAT, "nameservers", WITH("\"resolv\":{\"nameservers\":[]}"));
	expect_refused(SEAL_E_FORMAT, "nameservers[0]",
		       WITH("\"resolv\":{\"nameservers\":[\"dns.example\"]}"));
	expect_refused(SEAL_E_FORMAT, "resolv", WITH("\"resolv\":{\"searches\":[\"a b\"]}"));
	expect_refused(SEAL_E_FORMAT, "resolv", WITH("\"resolv\":{\"searches\":[\"\"]}"));
	expect_refused(SEAL_E_FORMAT, "resolv", WITH("\"resolv\":{\"searches\":[1]}"));
	expect_refused(SEAL_E_FORMAT, "option", WITH("\"resolv\":{\"options\":[\"ndots:\"]}"));
	expect_refused(SEAL_E_FORMAT, "option", WITH("\"resolv\":{\"options\":[\"n d\"]}"));
	expect_refused(SEAL_E_FORMAT, "option", WITH("\"resolv\":{\"options\":[\"\"]}"));
}

/* ---- Service account ---- */

Test(verify_policy, a_service_account_is_taken_as_it_is_written)
{
	POLICY policy =
		parse(WITH("\"account\":{\"mounted\":\"yes\",\"name\":\"web\",\"issuer\":"
			   "\"https://k.example\",\"audiences\":[\"a\",\"b\"],\"ca\":[\"" DIGEST
			   "\"]},\"services\":false"));

	cr_expect_eq(policy->account.mounted, VERIFY_YES);
	cr_expect_str_eq(policy->account.name, "web");
	cr_expect_str_eq(policy->account.issuer, "https://k.example");
	cr_assert_eq(policy->account.audience_count, 2);
	cr_expect_str_eq(policy->account.audiences[1], "b");
	cr_assert_eq(policy->account.ca_count, 1);
	cr_expect_eq(policy->account.cas[0][1], 0x11);
	cr_expect_eq(policy->account.cas[0][31], 0xff);
	cr_expect_not(policy->has_services);
}

Test(verify_policy, a_service_account_that_cannot_be_meant_is_refused)
{
	expect_refused(SEAL_E_FORMAT, "mounted", WITH("\"account\":{\"mounted\":true}"));
	expect_refused(SEAL_E_FORMAT, "mounted", WITH("\"account\":{\"mounted\":\"maybe\"}"));
	expect_refused(SEAL_E_FORMAT, "name", WITH("\"account\":{\"name\":\"\"}"));
	expect_refused(SEAL_E_FORMAT, "issuer", WITH("\"account\":{\"issuer\":\"\"}"));
	expect_refused(SEAL_E_FORMAT, "issuer", WITH("\"account\":{\"issuer\":\"a b\"}"));
	expect_refused(SEAL_E_FORMAT, "audiences", WITH("\"account\":{\"audiences\":[]}"));
	expect_refused(SEAL_E_FORMAT, "account", WITH("\"account\":{\"audiences\":[\"\"]}"));
	expect_refused(SEAL_E_FORMAT, "ca", WITH("\"account\":{\"ca\":[]}"));
	expect_refused(SEAL_E_FORMAT, "ca[0]", WITH("\"account\":{\"ca\":[\"00\"]}"));
	expect_refused(SEAL_E_FORMAT, "ca[1]",
		       WITH("\"account\":{\"ca\":[\"" DIGEST "\",\"" DIGEST "00\"]}"));
	expect_refused(SEAL_E_FORMAT, "services", WITH("\"services\":\"no\""));
	expect_refused(SEAL_E_REFUSED, "declared",
		       WITH("\"account\":{\"mounted\":\"no\"},\"mounts\":[{\"path\":"
			    "\"/var/run/secrets/kubernetes.io/serviceaccount\",\"source\":"
			    "\"account\"}]"));
}

Test(verify_policy, every_rule_has_a_paragraph_in_the_documentation)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(1024u * 1024);
	FILE *file = fopen(SEAL_SOURCE_DIR "/docs/VERIFY.md", "re");
	char piece[4096];
	size_t n;

	cr_assert_not_null(file);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		cr_assert_eq(seal_bytes_append(&text, piece, n, NULL), 0);
	(void)fclose(file);
	for (int rule = 0; rule < VERIFY_RULE_COUNT; rule++) {
		char name[80];

		(void)snprintf(name, sizeof(name), "\n**`%s`** ",
			       verify_rule_name((enum verify_rule)rule));
		cr_expect_not_null(strstr(seal_bytes_str(&text), name), "no paragraph for%s", name);
	}
}
