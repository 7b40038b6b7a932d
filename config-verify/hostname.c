/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of /etc/hostname: one name and nothing else, for scripts put it into commands.
 */

#include <string.h>

#include "config-verify/sysfiles_internal.h"

#define SUSPECT(rule, ...)                                                                         \
	verify_suspect(findings, VERIFY_RULE_##rule, VERIFY_HOSTNAME_FILE, 0, __VA_ARGS__)

#define KERNEL_MAX 64 /* __NEW_UTS_LEN */

static void
judge_name(const struct verify_words *word, const char *name, const struct verify_policy *policy,
	   const struct verify_self *self, struct verify_findings *findings)
{
	if (word->len > KERNEL_MAX)
		SUSPECT(HOSTNAME_FORMAT, "at most 64 bytes", "%s", name);
	if (verify_name_is_local(name))
		SUSPECT(HOSTNAME_NAME, "a name of its own", "%s", name);
	if (self != NULL && self->hostname != NULL && !verify_word_is(word, self->hostname))
		SUSPECT(HOSTNAME_NAME, self->hostname, "%.*s", VERIFY_SHOW(*word));
	if (!verify_name_is_pods(policy, name))
		SUSPECT(HOSTNAME_NAME,
			policy->pod.hostname != NULL ? policy->pod.hostname
						     : policy->pod.hostname_prefix,
			"%s", name);
}

void
verify_hostname_judge(const void *text, size_t len, const struct verify_policy *policy,
		      const struct verify_self *self, struct verify_findings *findings)
{
	struct verify_words word = { len == 0 ? "" : text, len };
	char name[VERIFY_NAME_MAX + 1];

	if (len > VERIFY_HOSTNAME_MAX) {
		SUSPECT(FILE_SIZE, "no more than a name", "%zu bytes", len);
		return;
	}
	if (word.len > 0 && word.at[word.len - 1] == '\n')
		word.len--;
	if (!verify_word_name(&word, name))
		SUSPECT(HOSTNAME_FORMAT, "a host name (RFC 1123) and at most one line end",
			word.len == 0 ? "none" : "%.*s", VERIFY_SHOW(word));
	else
		judge_name(&word, name, policy, self, findings);
}
