/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of /etc/hosts: first line by line whether every reader takes it for the same, then each
 * name with its address.  A name on several lines is judged on each: which one is used differs between
 * readers, so all must do.
 */

#include <string.h>

#include "config-verify/hosts_names.h"
#include "config-verify/sysfiles_internal.h"

/*
 * musl reads lines in pieces of this many bytes, and takes each for a line: what is only a comment or a
 * part of a name elsewhere must not begin a piece as an address.
 */
#define PIECE 511
/* Go ignores a file from the first line that does not fit into its buffer of 64 KiB; half of it will do. */
#define LINE_MAX_LEN (32u * 1024)

struct judge {
	const struct verify_policy *policy;
	const struct verify_self *self;
	struct verify_hosts_names *names;
	struct verify_findings *findings;
	size_t line;
	bool has_localhost;
};

#define SUSPECT(judge, rule, ...)                                                                  \
	verify_suspect((judge)->findings, VERIFY_RULE_##rule, VERIFY_HOSTS_FILE, (judge)->line,    \
		       __VA_ARGS__)

/* One name on a line. */
struct entry {
	char name[VERIFY_NAME_MAX + 1];
	char text[VERIFY_ADDRESS_TEXT]; /* of the address */
	struct verify_address address;
};

/* ---- Names for IPv6's own addresses ---- */

/* As Debian, SUSE, container runtimes and kubelet write them; kubelet has fe00:: where ff02:: is meant. */
static const struct {
	const char *name;
	const char *addresses[3];
} groups[] = {
	{ "ip6-localnet", { "fe00::", "fe80::", NULL } },
	{ "ip6-mcastprefix", { "fe00::", "ff00::", NULL } },
	{ "ip6-allnodes", { "fe00::1", "ff02::1", NULL } },
	{ "ip6-allrouters", { "fe00::2", "ff02::2", NULL } },
	{ "ip6-allhosts", { "fe00::3", "ff02::3", NULL } },
	{ "ipv6-localnet", { "fe00::", NULL } },
	{ "ipv6-mcastprefix", { "ff00::", NULL } },
	{ "ipv6-allnodes", { "ff02::1", NULL } },
	{ "ipv6-allrouters", { "ff02::2", NULL } },
	{ "ipv6-allhosts", { "ff02::3", NULL } },
};

/* True when the name is one of them: then it is judged. */
static bool
judge_group(struct judge *judge, const struct entry *entry)
{
	for (size_t i = 0; i < SEAL_COUNT(groups); i++) {
		const char *const *address = groups[i].addresses;

		if (strcmp(entry->name, groups[i].name) != 0)
			continue;
		while (*address != NULL && strcmp(*address, entry->text) != 0)
			address++;
		if (*address == NULL)
			SUSPECT(judge, HOSTS_UNEXPLAINED, groups[i].addresses[0], "%s for %s",
				entry->text, entry->name);
		return true;
	}
	return false;
}

/* fe00::/16 is no unicast address anybody has: kubelet's groups lie there. */
static bool
is_group_address(const struct verify_address *address)
{
	return verify_address_is_multicast(address) ||
	       (address->bytes[0] == 0xfe && address->bytes[1] == 0);
}

/* ---- The pod's own name ---- */

static bool
is_own(const struct judge *judge, const char *name)
{
	const char *own = judge->self == NULL ? NULL : judge->self->hostname;

	if (own == NULL)
		return verify_knows_name(judge->policy) && verify_name_is_pods(judge->policy, name);
	/* Where the kernel knows the whole name (setHostnameAsFQDN), the first label is another. */
	return verify_name_is_own(judge->policy, own, strlen(own), name) ||
	       verify_name_is_own(judge->policy, own, strcspn(own, "."), name);
}

static bool
is_own_address(const struct judge *judge, const struct verify_address *address)
{
	const struct verify_self *self = judge->self;

	if (self == NULL || self->address_count == 0)
		return true; /* not known, or no network at all: loopback, too */
	if (verify_address_is_loopback(address)) /* Debian has 127.0.1.1 for a node's own name */
		return judge->policy != NULL && judge->policy->pod.has_host_network;
	for (size_t i = 0; i < self->address_count; i++)
		if (memcmp(&self->addresses[i], address, sizeof(*address)) == 0)
			return true;
	return false;
}

/* ---- One name, one address ---- */

static bool
judge_own(struct judge *judge, const struct entry *entry)
{
	if (!is_own(judge, entry->name))
		return false;
	if (!is_own_address(judge, &entry->address))
		SUSPECT(judge, HOSTS_SELF, "an address of the pod's interfaces", "%s for %s",
			entry->text, entry->name);
	return true;
}

static bool
judge_pinned(struct judge *judge, const struct entry *entry)
{
	switch (verify_hosts_pinned(judge->names, entry->name, &entry->address)) {
	case VERIFY_HOSTS_OTHER:
		SUSPECT(judge, HOSTS_PINNED, "an address in the name's networks", "%s for %s",
			entry->text, entry->name);
		return true;
	case VERIFY_HOSTS_SAME:
		return true;
	case VERIFY_HOSTS_NONE:
		break;
	}
	return false;
}

/* Aliases of a pod may be loopback, so that only the policy can tell which are not. */
static void
judge_unexplained(struct judge *judge, const struct entry *entry)
{
	if (judge->policy == NULL)
		return;
	if (verify_address_is_loopback(&entry->address))
		SUSPECT(judge, HOSTS_LOCALHOST, "localhost alone to be loopback", "%s for %s",
			entry->text, entry->name);
	else if (!judge->policy->hosts.has_others)
		SUSPECT(judge, HOSTS_UNEXPLAINED, "no such name", "%s for %s", entry->text,
			entry->name);
}

static void
judge_entry(struct judge *judge, const struct entry *entry)
{
	/* Asked for every entry, for whoever is asked for counts as present. */
	const enum verify_hosts_known alias =
		verify_hosts_alias(judge->names, entry->name, &entry->address);
	bool is_explained;

	if (judge_group(judge, entry))
		return;
	if (is_group_address(&entry->address)) {
		SUSPECT(judge, HOSTS_UNEXPLAINED, "only ip6-allnodes and its kind there",
			"%s for %s", entry->text, entry->name);
		return;
	}
	if (verify_name_is_local(entry->name)) {
		judge->has_localhost |= strcmp(entry->name, "localhost") == 0;
		if (!verify_address_is_loopback(&entry->address))
			SUSPECT(judge, HOSTS_LOCALHOST, "loopback (127.0.0.0/8, ::1)", "%s for %s",
				entry->text, entry->name);
		return;
	}
	is_explained = judge_pinned(judge, entry);
	is_explained |= judge_own(judge, entry);
	if (is_explained || alias == VERIFY_HOSTS_SAME)
		return;
	if (alias == VERIFY_HOSTS_OTHER)
		SUSPECT(judge, HOSTS_UNEXPLAINED, "the address of the pod's hostAliases",
			"%s for %s", entry->text, entry->name);
	else
		judge_unexplained(judge, entry);
}

/* ---- One line ---- */

static void
judge_name(struct judge *judge, struct entry *entry, const struct verify_words *word)
{
	if (!verify_word_name(word, entry->name)) {
		SUSPECT(judge, HOSTS_FORMAT, "a host name (RFC 1123)", "%.*s", VERIFY_SHOW(*word));
		return;
	}
	/* A pod may be called "123"; nothing else may be what is an address to inet_aton. */
	if (verify_name_is_number(entry->name) && !is_own(judge, entry->name)) {
		SUSPECT(judge, HOSTS_FORMAT, "a name that is no number", "%.*s",
			VERIFY_SHOW(*word));
		return;
	}
	judge_entry(judge, entry);
}

static void
judge_words(struct judge *judge, struct verify_words rest)
{
	struct entry entry;
	struct verify_words word;
	const char *flaw;
	bool is_first = true;

	if (rest.len == 0 || !verify_next_word(&rest, &word))
		return;
	if (!verify_word_address(&word, &entry.address)) {
		SUSPECT(judge, HOSTS_FORMAT, "an IP address in its usual form, without a zone",
			"%.*s", VERIFY_SHOW(word));
		return;
	}
	verify_address_format(&entry.address, entry.text);
	flaw = verify_address_flaw(&entry.address);
	if (flaw != NULL && !is_group_address(&entry.address)) {
		SUSPECT(judge, HOSTS_FORMAT, "an address that can be connected to", "%s, %s",
			entry.text, flaw);
		return;
	}
	for (; verify_next_word(&rest, &word); is_first = false)
		judge_name(judge, &entry, &word);
	if (is_first)
		SUSPECT(judge, HOSTS_FORMAT, "a name behind the address", "%s alone", entry.text);
}

/* Would musl take what begins here for a line with an address? */
static bool
is_piece_address(struct verify_words piece)
{
	static const char digits[] = "0123456789abcdefABCDEFxX.";
	struct verify_words word;

	if (!verify_next_word(&piece, &word))
		return false;
	if (memchr(word.at, ':', word.len) != NULL)
		return true;
	for (size_t i = 0; i < word.len; i++)
		if (memchr(digits, word.at[i], sizeof(digits) - 1) == NULL)
			return false;
	return word.at[0] >= '0' && word.at[0] <= '9';
}

static void
judge_length(struct judge *judge, const struct verify_words *line, size_t entry_len)
{
	bool is_odd = line->len > LINE_MAX_LEN || (line->len > PIECE && entry_len < line->len);

	for (size_t at = PIECE; !is_odd && at < line->len; at += PIECE)
		is_odd = is_piece_address((struct verify_words){ line->at + at, line->len - at });
	if (is_odd)
		SUSPECT(judge, HOSTS_FORMAT, "lines that every reader takes for one",
			"a line of %zu bytes", line->len);
}

static void
judge_line(struct judge *judge, const struct verify_words *line)
{
	const char *comment = memchr(line->at, '#', line->len);
	struct verify_words rest = *line;
	struct verify_words word;

	if (comment != NULL)
		rest.len = (size_t)(comment - line->at);
	judge_length(judge, line, rest.len);
	/* musl ignores an entry behind blanks, others do not. */
	if (line->len > 0 && verify_is_blank(line->at[0])) {
		struct verify_words copy = rest;

		if (verify_next_word(&copy, &word))
			SUSPECT(judge, HOSTS_FORMAT, "no blanks in front of the address", "%.*s",
				VERIFY_SHOW(word));
	}
	judge_words(judge, rest);
}

/* ---- The file ---- */

static void
miss_alias(void *arg, const char *name, const struct verify_address *address)
{
	struct judge *judge = arg;
	char text[VERIFY_ADDRESS_TEXT];

	verify_address_format(address, text);
	SUSPECT(judge, HOSTS_MISSING, "every alias of the pod", "no %s for %s", text, name);
}

void
verify_hosts_judge(const void *text, size_t len, const struct verify_policy *policy,
		   const struct verify_self *self, struct verify_findings *findings)
{
	SEAL_SCOPED(verify_hosts_names_freep) struct verify_hosts_names *names = NULL;
	struct judge judge = { .policy = policy, .self = self, .findings = findings };
	struct verify_lines lines = verify_lines_of(text, len);
	struct verify_words line;

	if (!verify_text_judge(VERIFY_HOSTS_FILE, text, len, VERIFY_HOSTS_MAX,
			       VERIFY_RULE_HOSTS_FORMAT, findings))
		return;
	if (verify_hosts_names_new(&names, policy, NULL) < 0) {
		SUSPECT(&judge, HOSTS_FORMAT, "enough of it", "no memory to judge the file");
		return;
	}
	judge.names = names;
	while (verify_next_line(&lines, &line)) {
		judge.line = lines.number;
		judge_line(&judge, &line);
	}
	judge.line = 0;
	/* Who finds no localhost here asks the name servers. */
	if (!judge.has_localhost)
		SUSPECT(&judge, HOSTS_LOCALHOST, "127.0.0.1 or ::1 for localhost", "no localhost");
	verify_hosts_missing(names, miss_alias, &judge);
}
