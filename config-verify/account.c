/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a service account's namespace and ca.crt.  What a file holds is never shown where it
 * might be a key.
 */

#include <stdint.h>
#include <string.h>

#include "base/x509/x509.h"
#include "config-verify/sysfiles_internal.h"

void
verify_namespace_judge(const char *file, const void *text, size_t len,
		       const struct verify_policy *policy, struct verify_findings *findings)
{
	const struct verify_words word = { len == 0 ? "" : text, len };
	char name[VERIFY_NAME_MAX + 1];

	if (len > VERIFY_ACCOUNT_NS_MAX)
		verify_suspect(findings, VERIFY_RULE_FILE_SIZE, file, 0, "no more than a name",
			       "%zu bytes", len);
	else if (!verify_word_name(&word, name) || len > VERIFY_LABEL_MAX ||
		 strchr(name, '.') != NULL || !verify_word_is(&word, name))
		verify_suspect(findings, VERIFY_RULE_ACCOUNT_NAMESPACE, file, 0,
			       "a namespace (RFC 1123 label) and nothing behind",
			       len == 0 ? "none" : "%.*s", VERIFY_SHOW(word));
	else if (policy != NULL && policy->pod.ns != NULL && strcmp(policy->pod.ns, name) != 0)
		verify_suspect(findings, VERIFY_RULE_ACCOUNT_NAMESPACE, file, 0, policy->pod.ns,
			       "%s", name);
}

/* ---- ca.crt ---- */

#define SUSPECT_CA(line, ...)                                                                      \
	verify_suspect(findings, VERIFY_RULE_ACCOUNT_CA, file, (line), __VA_ARGS__)

/*
 * Readers differ on what begins a block, and pass over what they do not know: so the dashes are there for
 * certificates alone, and as RFC 7468 has them.  Returns the number of blocks, 0 with any doubt.
 */
static size_t
judge_frames(const char *file, const void *text, size_t len, struct verify_findings *findings)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static const char end[] = "-----END CERTIFICATE-----";
	struct verify_lines lines = verify_lines_of(text, len);
	struct verify_words line;
	size_t count = 0;
	bool is_inside = false;
	bool is_good = true;

	while (is_good && verify_next_line(&lines, &line)) {
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		if (memmem(line.at, line.len, "-----", 5) == NULL)
			continue;
		is_good = verify_word_is(&line, is_inside ? end : begin);
		count += is_inside ? 1 : 0;
		is_inside = !is_inside;
	}
	if (is_good && !is_inside && count > 0)
		return count;
	SUSPECT_CA(is_good ? 0 : lines.number, "certificates in PEM and nothing else",
		   count == 0 && is_good && !is_inside ? "none" : "another block, or half of one");
	return 0;
}

static bool
is_pinned(const struct verify_policy *policy, const uint8_t hash[static SEAL_HASH_LEN])
{
	for (size_t i = 0; i < policy->account.ca_count; i++)
		if (memcmp(policy->account.cas[i], hash, SEAL_HASH_LEN) == 0)
			return true;
	return false;
}

/* An application believes each of them, so that one beside the pinned ones is one too many. */
static void
judge_pins(const char *file, const struct seal_certs *certs, const struct verify_policy *policy,
	   struct verify_findings *findings)
{
	uint8_t hash[SEAL_HASH_LEN];
	char text[2 * SEAL_HASH_LEN + 1];

	for (size_t i = 0; i < seal_certs_count(certs); i++) {
		if (seal_cert_fingerprint(seal_certs_at(certs, i), hash, NULL) < 0) {
			SUSPECT_CA(0, "certificates", "number %zu has no digest", i + 1);
			continue;
		}
		seal_hex_encode(text, hash, sizeof(hash));
		if (!is_pinned(policy, hash))
			SUSPECT_CA(0, "pinned certificates only", "SHA-256 %s", text);
	}
}

void
verify_ca_judge(const char *file, const void *text, size_t len, const struct verify_policy *policy,
		struct verify_findings *findings)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	size_t count;

	if (len > VERIFY_CA_MAX) {
		verify_suspect(findings, VERIFY_RULE_FILE_SIZE, file, 0,
			       "no more than such a file can have", "%zu bytes", len);
		return;
	}
	count = judge_frames(file, text, len, findings);
	if (count == 0)
		return;
	if (memchr(text, '\0', len) != NULL ||
	    seal_certs_from_pem(&certs, text, len, VERIFY_CA_MAX, NULL) < 0 ||
	    seal_certs_count(certs) != count)
		SUSPECT_CA(0, "certificates in PEM and nothing else", "what is none");
	else if (policy != NULL && policy->account.ca_count > 0)
		judge_pins(file, certs, policy, findings);
}
