/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of /etc/resolv.conf.  glibc, musl, Go and c-ares differ in what they overlook: blanks in
 * front, words behind, which of two lines counts, where a comment begins.  Only what all of them read the
 * same is in order; then servers, domains and options are compared with the policy.
 */

#include <string.h>

#include "config-verify/resolv_options.h"
#include "config-verify/sysfiles_internal.h"

#define MAX_SERVERS    3    /* MAXNS: glibc and musl read no more, others do */
#define MAX_SEARCHES   32   /* Kubernetes' own limits */
#define MAX_SEARCH_LEN 2048 /* bytes of all, with the blanks between */
#define LINE_LEN       255  /* musl passes over longer ones */
#define KEYWORD_LEN    7    /* "search " */

struct judge {
	const struct verify_policy *policy;
	struct verify_findings *findings;
	size_t line;
	struct verify_address servers[MAX_SERVERS];
	size_t server_count;
	size_t search_line; /* of "search" or "domain"; 0: none yet */
	char searches[MAX_SEARCHES][VERIFY_NAME_MAX + 1];
	size_t search_count;
	struct verify_resolv_options options;
};

#define SUSPECT(judge, rule, ...)                                                                  \
	verify_suspect((judge)->findings, VERIFY_RULE_##rule, VERIFY_RESOLV_FILE, (judge)->line,   \
		       __VA_ARGS__)

/* dnsPolicy of the pod; "" when it is not said. */
static const char *
dns_policy(const struct verify_policy *policy)
{
	return policy == NULL || policy->resolv.policy == NULL ? "" : policy->resolv.policy;
}

/* Exactly what dnsConfig lists. */
static bool
is_exact(const struct verify_policy *policy)
{
	return strcmp(dns_policy(policy), "None") == 0;
}

/* ---- Name servers ---- */

static bool
is_pinned_server(const struct verify_policy *policy, const struct verify_address *address)
{
	for (size_t i = 0; i < policy->resolv.server_count; i++)
		if (verify_network_has(&policy->resolv.servers[i], address))
			return true;
	return false;
}

/* A server on loopback is the node's (127.0.0.53), which only a pod in the node's network reaches. */
static bool
may_be_loopback(const struct verify_policy *policy)
{
	return policy == NULL || policy->pod.has_host_network ||
	       strcmp(dns_policy(policy), "Default") == 0;
}

static void
judge_address(struct judge *judge, const struct verify_address *address)
{
	const struct verify_policy *policy = judge->policy;
	const char *flaw = verify_address_flaw(address);
	char text[VERIFY_ADDRESS_TEXT];

	verify_address_format(address, text);
	if (flaw == NULL && !verify_address_is_v4(address) && address->bytes[0] == 0xfe &&
	    (address->bytes[1] & 0xc0) == 0x80)
		flaw = "a link-local address without its link";
	if (flaw != NULL)
		SUSPECT(judge, RESOLV_SERVER, "an address that can be connected to", "%s, %s", text,
			flaw);
	else if (policy != NULL && (policy->resolv.is_server_pinned || is_exact(policy))) {
		if (!is_pinned_server(policy, address))
			SUSPECT(judge, RESOLV_SERVER, "a server in the networks of the policy",
				"%s", text);
	} else if (verify_address_is_loopback(address) && !may_be_loopback(policy))
		SUSPECT(judge, RESOLV_SERVER, "a server outside the pod", "%s", text);
}

static void
judge_server(struct judge *judge, struct verify_words rest)
{
	struct verify_words word = { "none", 4 };
	struct verify_words more;
	struct verify_address address;

	(void)verify_next_word(&rest, &word); /* "none" is no address */
	if (!verify_word_address(&word, &address)) {
		SUSPECT(judge, RESOLV_SERVER, "an IP address without port and zone", "%.*s",
			VERIFY_SHOW(word));
		return;
	}
	if (verify_next_word(&rest, &more))
		SUSPECT(judge, RESOLV_FORMAT, "one address on the line", "%.*s behind it",
			VERIFY_SHOW(more));
	if (judge->server_count == MAX_SERVERS) {
		SUSPECT(judge, RESOLV_SERVER, "at most three servers: not all readers take more",
			"%.*s", VERIFY_SHOW(word));
		return;
	}
	judge->servers[judge->server_count++] = address;
	judge_address(judge, &address);
}

/* With dnsPolicy None each server of dnsConfig is there. */
static void
judge_servers(struct judge *judge)
{
	const struct verify_policy *policy = judge->policy;
	char text[VERIFY_ADDRESS_TEXT];

	if (judge->server_count == 0)
		SUSPECT(judge, RESOLV_SERVER, "a name server (without one it is 127.0.0.1)",
			"none");
	if (!is_exact(policy))
		return;
	for (size_t i = 0; i < policy->resolv.server_count && i < MAX_SERVERS; i++) {
		bool is_there = false;

		for (size_t j = 0; j < judge->server_count; j++)
			is_there |=
				verify_network_has(&policy->resolv.servers[i], &judge->servers[j]);
		verify_address_format(&policy->resolv.servers[i].address, text);
		if (!is_there)
			SUSPECT(judge, RESOLV_SERVER, "every server of the policy", "no %s", text);
	}
}

/* ---- Search domains ---- */

/* A domain may be written with its final dot; "." is the root, what systemd writes for none. */
static bool
read_domain(struct verify_words word, char out[static VERIFY_NAME_MAX + 1])
{
	if (verify_word_is(&word, ".")) {
		memcpy(out, ".", 2);
		return true;
	}
	if (word.len > 1 && word.at[word.len - 1] == '.')
		word.len--;
	return verify_word_name(&word, out);
}

static void
judge_search(struct judge *judge, struct verify_words rest, bool is_domain)
{
	struct verify_words word;
	const size_t max = is_domain ? 1 : MAX_SEARCHES;
	bool is_empty = true;

	if (judge->search_line > 0) {
		SUSPECT(judge, RESOLV_FORMAT, "one line of search or domain: readers differ",
			"another than line %zu", judge->search_line);
		return;
	}
	judge->search_line = judge->line;
	for (; verify_next_word(&rest, &word); is_empty = false) {
		if (judge->search_count == max) {
			SUSPECT(judge, RESOLV_SEARCH, is_domain ? "one domain" : "at most 32",
				"%.*s", VERIFY_SHOW(word));
			return;
		}
		if (read_domain(word, judge->searches[judge->search_count]))
			judge->search_count++;
		else
			SUSPECT(judge, RESOLV_SEARCH, "a domain (RFC 1123)", "%.*s",
				VERIFY_SHOW(word));
	}
	if (is_empty)
		SUSPECT(judge, RESOLV_FORMAT, "a domain", "none on the line");
}

/* <namespace>.svc.<zone> */
static bool
is_first_domain(const char *domain, const char *ns)
{
	const size_t len = strlen(ns);

	return strncmp(domain, ns, len) == 0 && strncmp(domain + len, ".svc.", 5) == 0 &&
	       domain[len + 5] != '\0';
}

static void
judge_cluster_search(struct judge *judge)
{
	const struct verify_policy *policy = judge->policy;
	const bool is_first =
		strcmp(dns_policy(policy), "ClusterFirst") == 0 && !policy->pod.has_host_network;

	if (!is_first && strcmp(dns_policy(policy), "ClusterFirstWithHostNet") != 0)
		return;
	if (policy->pod.ns == NULL || judge->search_count == 0 ||
	    is_first_domain(judge->searches[0], policy->pod.ns))
		return;
	SUSPECT(judge, RESOLV_SEARCH, "the namespace's services first", "%s", judge->searches[0]);
}

/* Of the policy's list some may be missing, but the order is its own, for it decides what is found. */
static void
judge_pinned_search(struct judge *judge)
{
	const struct verify_policy *policy = judge->policy;
	const bool exact = is_exact(policy);
	char wanted[VERIFY_NAME_MAX + 1];
	size_t at = 0;

	for (size_t i = 0; i < policy->resolv.search_count; i++) {
		const char *pinned = policy->resolv.searches[i];

		if (!read_domain((struct verify_words){ pinned, strlen(pinned) }, wanted))
			continue;
		if (at < judge->search_count && strcmp(judge->searches[at], wanted) == 0)
			at++;
		else if (exact)
			SUSPECT(judge, RESOLV_SEARCH, "every domain of the policy, in its order",
				"no %s at place %zu", wanted, i + 1);
	}
	if (at < judge->search_count)
		SUSPECT(judge, RESOLV_SEARCH, "the domains of the policy, in its order", "%s",
			judge->searches[at]);
}

static void
judge_searches(struct judge *judge)
{
	const struct verify_policy *policy = judge->policy;

	judge->line = judge->search_line;
	if (policy == NULL)
		return;
	if (policy->resolv.is_search_pinned || is_exact(policy))
		judge_pinned_search(judge);
	else
		judge_cluster_search(judge);
}

/* ---- Lines ---- */

static void
judge_length(struct judge *judge, const struct verify_words *line, bool is_search)
{
	const size_t max = is_search ? MAX_SEARCH_LEN + KEYWORD_LEN : LINE_LEN;

	if (line->len > max)
		SUSPECT(judge, RESOLV_FORMAT, "lines that every reader takes", "one of %zu bytes",
			line->len);
}

static void
judge_line(struct judge *judge, const struct verify_words *line)
{
	struct verify_words rest = *line;
	struct verify_words word;
	const bool is_search = line->len >= KEYWORD_LEN && memcmp(line->at, "search", 6) == 0;

	judge_length(judge, line, is_search);
	if (line->len == 0 || line->at[0] == '#' || line->at[0] == ';' ||
	    !verify_next_word(&rest, &word))
		return;
	if (word.at != line->at)
		SUSPECT(judge, RESOLV_FORMAT, "no blanks in front of the keyword", "%.*s",
			VERIFY_SHOW(word));
	if (verify_word_is(&word, "nameserver"))
		judge_server(judge, rest);
	else if (verify_word_is(&word, "search") || verify_word_is(&word, "domain"))
		judge_search(judge, rest, word.at[0] == 'd');
	else if (verify_word_is(&word, "options"))
		verify_resolv_options_judge(&judge->options, rest, judge->line, judge->policy,
					    judge->findings);
	else
		SUSPECT(judge, RESOLV_FORMAT, "nameserver, search, domain or options", "%.*s",
			VERIFY_SHOW(word));
}

void
verify_resolv_judge(const void *text, size_t len, const struct verify_policy *policy,
		    struct verify_findings *findings)
{
	struct judge judge = { .policy = policy, .findings = findings };
	struct verify_lines lines = verify_lines_of(text, len);
	struct verify_words line;

	if (!verify_text_judge(VERIFY_RESOLV_FILE, text, len, VERIFY_RESOLV_MAX,
			       VERIFY_RULE_RESOLV_FORMAT, findings))
		return;
	while (verify_next_line(&lines, &line)) {
		judge.line = lines.number;
		judge_line(&judge, &line);
	}
	judge.line = 0;
	judge_servers(&judge);
	verify_resolv_options_end(&judge.options, policy, findings);
	judge_searches(&judge);
}
