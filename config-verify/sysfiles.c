/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the judgements of system files have in common.  Knows no file, and judges only what no file may
 * hold: bytes on which readers differ.
 */

#include "config-verify/sysfiles_internal.h"

#include <string.h>
#include <strings.h>

#include "config-verify/policy_internal.h"

/* ---- Lines and words ---- */

struct verify_lines
verify_lines_of(const void *text, size_t len)
{
	const char *at = len == 0 ? "" : text; /* of an empty file there may be no text at all */

	return (struct verify_lines){ .at = at, .end = at + len };
}

bool
verify_next_line(struct verify_lines *lines, struct verify_words *ret_line)
{
	const char *end;

	if (lines->at == lines->end)
		return false;
	end = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
	ret_line->at = lines->at;
	ret_line->len = (size_t)((end == NULL ? lines->end : end) - lines->at);
	lines->at = end == NULL ? lines->end : end + 1;
	lines->number++;
	return true;
}

bool
verify_next_word(struct verify_words *line, struct verify_words *ret_word)
{
	size_t len = 0;

	while (line->len > 0 && verify_is_blank(line->at[0])) {
		line->at++;
		line->len--;
	}
	while (len < line->len && !verify_is_blank(line->at[len]))
		len++;
	if (len == 0)
		return false;
	*ret_word = (struct verify_words){ line->at, len };
	line->at += len;
	line->len -= len;
	return true;
}

bool
verify_word_is(const struct verify_words *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->at, text, word->len) == 0;
}

static const char *
odd_byte(const struct verify_words *line)
{
	for (size_t i = 0; i < line->len; i++)
		if ((line->at[i] < ' ' && line->at[i] != '\t') || line->at[i] > '~')
			return line->at + i;
	return NULL;
}

bool
verify_text_judge(const char *file, const void *text, size_t len, size_t max, enum verify_rule rule,
		  struct verify_findings *findings)
{
	struct verify_lines lines = verify_lines_of(text, len);
	struct verify_words line;

	if (len > max) {
		verify_suspect(findings, VERIFY_RULE_FILE_SIZE, file, 0,
			       "no more than such a file can have", "%zu bytes, beyond %zu", len,
			       max);
		return false;
	}
	while (verify_next_line(&lines, &line)) {
		const char *odd = odd_byte(&line);

		if (odd != NULL)
			verify_suspect(findings, rule, file, lines.number,
				       "printable ASCII, blanks and line feeds",
				       "byte 0x%02x at column %zu", (unsigned char)*odd,
				       (size_t)(odd - line.at) + 1);
	}
	return true;
}

/* ---- Names and addresses ---- */

bool
verify_word_address(const struct verify_words *word, struct verify_address *ret_address)
{
	char text[VERIFY_ADDRESS_TEXT];

	if (word->len >= sizeof(text) || memchr(word->at, '\0', word->len) != NULL)
		return false;
	memcpy(text, word->at, word->len);
	text[word->len] = '\0';
	return verify_address_parse(ret_address, text, NULL) == 0;
}

bool
verify_word_name(const struct verify_words *word, char out[static VERIFY_NAME_MAX + 1])
{
	if (word->len == 0 || word->len > VERIFY_NAME_MAX ||
	    memchr(word->at, '\0', word->len) != NULL)
		return false;
	for (size_t i = 0; i < word->len; i++)
		out[i] = (char)(word->at[i] >= 'A' && word->at[i] <= 'Z' ? word->at[i] | 0x20
									 : word->at[i]);
	out[word->len] = '\0';
	return verify_policy_check_hostname(out, NULL) == 0;
}

bool
verify_name_is_number(const char *name)
{
	for (;;) {
		const bool is_hex = name[0] == '0' && name[1] == 'x';
		const size_t len = strcspn(name, ".");
		const char *digits = is_hex ? "0123456789abcdef" : "0123456789";

		if (strspn(name + (is_hex ? 2 : 0), digits) + (is_hex ? 2 : 0) < len)
			return false;
		if (name[len] == '\0')
			return true;
		name += len + 1;
	}
}

bool
verify_name_is_local(const char *name)
{
	static const char *const locals[] = {
		"localhost",      "localhost.localdomain",
		"localhost4",     "localhost4.localdomain4",
		"localhost6",     "localhost6.localdomain6",
		"ip6-localhost",  "ip6-loopback",
		"ipv6-localhost", "ipv6-loopback",
		"loopback",
	};
	static const char suffix[] = ".localhost"; /* RFC 6761 section 6.3 */
	const size_t len = strlen(name);

	for (size_t i = 0; i < SEAL_COUNT(locals); i++)
		if (strcmp(name, locals[i]) == 0)
			return true;
	return len > sizeof(suffix) - 1 && strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0;
}

bool
verify_address_is_multicast(const struct verify_address *address)
{
	if (verify_address_is_v4(address))
		return (address->bytes[12] & 0xf0) == 0xe0;
	return address->bytes[0] == 0xff;
}

const char *
verify_address_flaw(const struct verify_address *address)
{
	static const uint8_t zero[12];
	const uint8_t *bytes = address->bytes;

	if (verify_address_is_multicast(address))
		return "a multicast address";
	if (verify_address_is_v4(address)) {
		if (bytes[12] == 0)
			return "an address of \"this network\""; /* RFC 1122 section 3.2.1.3 */
		return bytes[12] >= 0xf0 ? "a reserved address" : NULL;
	}
	if (memcmp(bytes, zero, sizeof(zero)) != 0 || verify_address_is_loopback(address))
		return NULL;
	/* RFC 4291 section 2.5.5.1: some systems still connect to the IPv4 address within. */
	return "the unspecified address, or an IPv4-compatible one";
}

/* ---- The pod's own names ---- */

bool
verify_knows_name(const struct verify_policy *policy)
{
	return policy != NULL && !policy->pod.has_host_network &&
	       (policy->pod.hostname != NULL || policy->pod.hostname_prefix != NULL);
}

/* Does text begin with part, letters in any case?  Then *text is behind it. */
static bool
take(const char **text, const char *part, size_t len)
{
	if (strncasecmp(*text, part, len) != 0)
		return false;
	*text += len;
	return true;
}

/* "", or ".SUBDOMAIN.NAMESPACE.svc.ZONE". */
static bool
is_pods_domain(const struct verify_policy *policy, const char *rest)
{
	if (rest[0] == '\0')
		return true;
	if (policy == NULL || policy->pod.subdomain == NULL || policy->pod.ns == NULL)
		return false;
	return take(&rest, ".", 1) &&
	       take(&rest, policy->pod.subdomain, strlen(policy->pod.subdomain)) &&
	       take(&rest, ".", 1) && take(&rest, policy->pod.ns, strlen(policy->pod.ns)) &&
	       take(&rest, ".svc.", 5) && rest[0] != '\0';
}

bool
verify_name_is_own(const struct verify_policy *policy, const char *own, size_t own_len,
		   const char *name)
{
	return own_len > 0 && take(&name, own, own_len) && is_pods_domain(policy, name);
}

/* A longer host name is cut at 63 letters, and '-' and '.' are taken off the end that it then has. */
static size_t
cut_len(const char *name)
{
	size_t len = VERIFY_LABEL_MAX;

	while (len > 0 && (name[len - 1] == '-' || name[len - 1] == '.'))
		len--;
	return len;
}

bool
verify_name_is_pods(const struct verify_policy *policy, const char *name)
{
	const char *prefix = policy == NULL ? NULL : policy->pod.hostname_prefix;

	if (!verify_knows_name(policy))
		return true;
	if (policy->pod.hostname != NULL)
		return verify_name_is_own(policy, policy->pod.hostname,
					  strlen(policy->pod.hostname), name);
	if (strlen(prefix) >= VERIFY_LABEL_MAX)
		return verify_name_is_own(policy, prefix, cut_len(prefix), name);
	if (!take(&name, prefix, strlen(prefix)) || name[0] == '\0' || name[0] == '.')
		return false;
	return is_pods_domain(policy, name + strcspn(name, "."));
}
