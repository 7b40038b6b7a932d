/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which options a resolver may be given by the host, and their ranges: those beyond which readers cut,
 * each at another place.
 */

#include "config-verify/resolv_options.h"

#include <string.h>

#include "base/names/names.h"

#define SUSPECT(line, ...)                                                                         \
	verify_suspect(findings, VERIFY_RULE_RESOLV_OPTION, VERIFY_RESOLV_FILE, (line), __VA_ARGS__)

/*
 * Not among them: debug (prints what is asked), trust-ad (believes the host's word that an answer was
 * signed), inet6 and the ip6- ones (change what an address is), insecure1 and insecure2 (answers from
 * anybody), no-check-names (names with odd bytes).
 */
static const struct {
	const char *name; /* with ':' it has a value */
	uint64_t min;
	uint64_t max;
} known[] = {
	{ "ndots:", 0, 15 },
	{ "timeout:", 1, 30 },
	{ "attempts:", 1, 5 },
	{ "rotate", 0, 0 },
	{ "edns0", 0, 0 },
	{ "single-request", 0, 0 },
	{ "single-request-reopen", 0, 0 },
	{ "use-vc", 0, 0 },
	{ "no-reload", 0, 0 },
	{ "no-aaaa", 0, 0 },
	{ "no-tld-query", 0, 0 },
};

/* As far as it decides which option it is: "ndots:" of "ndots:5". */
static size_t
name_len(const struct verify_words *word)
{
	const char *colon = memchr(word->at, ':', word->len);

	return colon == NULL ? word->len : (size_t)(colon - word->at) + 1;
}

static bool
is_in_range(const struct verify_words *word, size_t at, uint64_t min, uint64_t max)
{
	char text[8];
	uint64_t value;
	const size_t len = word->len - at;

	if (len == 0 || len >= sizeof(text) || (word->at[at] == '0' && len > 1))
		return false;
	memcpy(text, word->at + at, len);
	text[len] = '\0';
	return strlen(text) == len && seal_number_parse(text, min, max, &value, NULL) == 0;
}

static bool
is_same(const struct verify_words *a, const struct verify_words *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

static bool
is_pinned(const struct verify_policy *policy)
{
	return policy != NULL &&
	       (policy->resolv.is_option_pinned ||
		(policy->resolv.policy != NULL && strcmp(policy->resolv.policy, "None") == 0));
}

static bool
is_in_policy(const struct verify_policy *policy, const struct verify_words *word)
{
	for (size_t i = 0; i < policy->resolv.option_count; i++)
		if (verify_word_is(word, policy->resolv.options[i]))
			return true;
	return false;
}

static void
judge_known(const struct verify_words *word, size_t line, struct verify_findings *findings)
{
	const size_t len = name_len(word);

	for (size_t i = 0; i < SEAL_COUNT(known); i++) {
		if (strlen(known[i].name) != len || memcmp(known[i].name, word->at, len) != 0)
			continue;
		if (word->at[len - 1] == ':' && !is_in_range(word, len, known[i].min, known[i].max))
			SUSPECT(line, "a number in the option's range", "%.*s", VERIFY_SHOW(*word));
		return;
	}
	SUSPECT(line, "an option that is known and does no harm", "%.*s", VERIFY_SHOW(*word));
}

/* Twice with different values: which one counts is the reader's. */
static void
judge_once(struct verify_resolv_options *options, const struct verify_words *word, size_t line,
	   struct verify_findings *findings)
{
	const struct verify_words name = { word->at, name_len(word) };

	for (size_t i = 0; i < options->count; i++) {
		const struct verify_words met = { options->met[i].at, name_len(&options->met[i]) };

		if (is_same(&options->met[i], word))
			return;
		if (is_same(&met, &name)) {
			SUSPECT(line, "one value for each option", "%.*s", VERIFY_SHOW(*word));
			return;
		}
	}
	if (options->count < VERIFY_MAX_OPTIONS)
		options->met[options->count++] = *word;
	else
		SUSPECT(line, "fewer options", "%.*s", VERIFY_SHOW(*word));
}

void
verify_resolv_options_judge(struct verify_resolv_options *options, struct verify_words rest,
			    size_t line, const struct verify_policy *policy,
			    struct verify_findings *findings)
{
	struct verify_words word;

	while (verify_next_word(&rest, &word)) {
		judge_once(options, &word, line, findings);
		/* What the owner asked for is the owner's to know. */
		if (policy != NULL && is_in_policy(policy, &word))
			continue;
		judge_known(&word, line, findings);
		if (is_pinned(policy))
			SUSPECT(line, "an option of the policy", "%.*s", VERIFY_SHOW(word));
	}
}

void
verify_resolv_options_end(const struct verify_resolv_options *options,
			  const struct verify_policy *policy, struct verify_findings *findings)
{
	if (!is_pinned(policy))
		return;
	for (size_t i = 0; i < policy->resolv.option_count; i++) {
		const char *option = policy->resolv.options[i];
		bool is_there = false;

		for (size_t j = 0; j < options->count; j++)
			is_there |= verify_word_is(&options->met[j], option);
		if (!is_there)
			SUSPECT((size_t)0, "every option of the policy", "no %s", option);
	}
}
