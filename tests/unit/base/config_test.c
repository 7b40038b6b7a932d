/* SPDX-License-Identifier: Apache-2.0 */
/* base/config: every way to give an option, and every usage error as one sentence. */
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/config/config.h"
#include "tests/support/alloc.h"

#define WORDS_MAX 16

struct values {
	uint64_t count;
	struct seal_strv hosts;
	const char *name;
	uint64_t ttl;
	bool verbose;
};

#define AT(field) offsetof(struct values, field)

static const struct seal_option options[] = {
	{ "count", 'c', SEAL_OPT_NUMBER, AT(count), "N", "how many", 1, 100 },
	{ "host", 'h', SEAL_OPT_LIST, AT(hosts), "NAME", "a host, may be repeated", 0, 0 },
	{ "name", 'n', SEAL_OPT_STR, AT(name), "NAME", "the name", 0, 0 },
	{ "ttl", 0, SEAL_OPT_DURATION, AT(ttl), "TIME", "how long", 60, 86400 },
	{ "verbose", 'v', SEAL_OPT_FLAG, AT(verbose), NULL, "say more", 0, 0 },
};

struct outcome {
	struct values values;
	const char *positional[4];
	size_t count;
	struct seal_err err;
	char *text; /* the words, to which values and positional ones point */
	int r;
};

static void
release_outcome(struct outcome *outcome)
{
	seal_strv_release(&outcome->values.hosts);
	free(outcome->text);
}

#define OUTCOME SEAL_SCOPED(release_outcome) struct outcome

/* Parse words, separated by '|', as the arguments of a program that takes two positional words. */
static struct outcome
parse(const char *words)
{
	struct outcome out = { .count = 77, .text = strdup(words) };
	char prog[] = "prog";
	char *argv[WORDS_MAX + 1] = { prog };
	char *at = out.text;
	int argc = 1;

	cr_assert_not_null(out.text);
	while (words[0] != '\0' && at != NULL) {
		cr_assert_lt(argc, WORDS_MAX);
		argv[argc++] = strsep(&at, "|");
	}
	out.r = seal_options_parse(options, SEAL_COUNT(options), argc, argv, &out.values,
				   out.positional, 2, &out.count, &out.err);
	return out;
}

Test(config_parse, takes_a_value_behind_a_space_an_equals_sign_or_a_letter)
{
	static const char *const forms[] = { "--name|x|--count|7|--ttl|2m|--verbose",
					     "--name=x|--count=7|--ttl=2m|--verbose",
					     "-n|x|-c|7|--ttl=120|-v", "-v|--ttl=120s|-c|7|-n|x" };

	for (size_t i = 0; i < SEAL_COUNT(forms); i++) {
		OUTCOME out = parse(forms[i]);

		cr_assert_eq(out.r, 0, "%s", out.err.text);
		cr_expect_str_eq(out.values.name, "x");
		cr_expect_eq(out.values.count, 7);
		cr_expect_eq(out.values.ttl, 120);
		cr_expect(out.values.verbose);
		cr_expect_eq(out.count, 0);
	}
}

Test(config_parse, keeps_defaults_when_nothing_is_said)
{
	struct values values = { .count = 5, .name = "default", .ttl = 60 };
	char *argv[] = { (char[]){ "prog" }, NULL };
	size_t count = 77;

	for (int argc = 0; argc <= 1; argc++) {
		cr_expect_eq(seal_options_parse(options, SEAL_COUNT(options), argc, argv, &values,
						NULL, 0, &count, NULL),
			     0);
		cr_expect_eq(count, 0);
		cr_expect_eq(values.count, 5);
		cr_expect_str_eq(values.name, "default");
	}
}

Test(config_parse, a_list_may_be_repeated_and_keeps_its_order)
{
	OUTCOME out = parse("--host|b|-h|a|--host=c=d|--host=");

	cr_assert_eq(out.r, 0);
	cr_assert_eq(out.values.hosts.count, 4);
	cr_expect_str_eq(out.values.hosts.items[0], "b");
	cr_expect_str_eq(out.values.hosts.items[1], "a");
	cr_expect_str_eq(out.values.hosts.items[2], "c=d");
	cr_expect_str_eq(out.values.hosts.items[3], "");
}

Test(config_parse, leaves_positional_words_in_order_wherever_they_stand)
{
	static const char *const forms[] = { "one|two|-v", "one|-v|two", "-v|one|two",
					     "-v|--|one|two", "one|-v|--|two" };

	for (size_t i = 0; i < SEAL_COUNT(forms); i++) {
		OUTCOME out = parse(forms[i]);

		cr_assert_eq(out.r, 0, "%s", forms[i]);
		cr_assert_eq(out.count, 2);
		cr_expect_str_eq(out.positional[0], "one");
		cr_expect_str_eq(out.positional[1], "two");
		cr_expect(out.values.verbose);
	}
}

Test(config_parse, behind_two_dashes_nothing_is_an_option)
{
	OUTCOME out = parse("--|-v|--name");
	OUTCOME dashes = parse("--|--");

	cr_assert_eq(out.r, 0);
	cr_assert_eq(out.count, 2);
	cr_expect_str_eq(out.positional[0], "-v");
	cr_expect_str_eq(out.positional[1], "--name");
	cr_expect_not(out.values.verbose);
	cr_assert_eq(dashes.count, 1);
	cr_expect_str_eq(dashes.positional[0], "--");
}

Test(config_parse, one_dash_is_a_word_and_a_value)
{
	OUTCOME out = parse("-|--name|-");

	cr_assert_eq(out.r, 0);
	cr_assert_eq(out.count, 1);
	cr_expect_str_eq(out.positional[0], "-");
	cr_expect_str_eq(out.values.name, "-");
}

Test(config_parse, a_value_that_looks_like_an_option_needs_the_equals_sign)
{
	OUTCOME out = parse("--name=-v|--host=--host");

	cr_assert_eq(out.r, 0);
	cr_expect_str_eq(out.values.name, "-v");
	cr_expect_str_eq(out.values.hosts.items[0], "--host");
	cr_expect_not(out.values.verbose);
}

Test(config_usage, every_error_is_one_sentence_that_names_what_is_wrong)
{
	static const struct {
		const char *words;
		const char *says;
	} cases[] = {
		{ "--nope", "--nope" },
		{ "--nope=1", "--nope" },
		{ "--nam|x", "--nam" },
		{ "--names=x", "--names" },
		{ "--Name=x", "--Name" },
		{ "--=x", "unknown option --" },
		{ "---name=x", "---name" },
		{ "-x", "-x" },
		{ "-vv", "-vv" },
		{ "-nx", "-nx" },
		{ "-n=x", "-n" },
		{ "-name|x", "-name" },
		{ "-\xc3\xa9", "unknown option" },
		{ "--name", "--name needs a value" },
		{ "-n", "--name needs a value" },
		{ "--name|--", "--name needs a value" },
		{ "--name|-v", "--name=-v" },
		{ "--host|--name|x", "--host=--name" },
		{ "--verbose=1", "--verbose takes no value" },
		{ "--verbose=", "--verbose takes no value" },
		{ "--name=a|--name=b", "--name is given twice" },
		{ "--name=a|-n|a", "--name is given twice" },
		{ "-v|--verbose", "--verbose is given twice" },
		{ "--count=1|--count=1", "--count is given twice" },
		{ "--count=0", "--count: " },
		{ "--count=101", "--count: " },
		{ "--count=18446744073709551617", "--count: " },
		{ "--count=", "--count: " },
		{ "--count=+1", "--count: " },
		{ "--count=-1", "--count: " },
		{ "--count= 1", "--count: " },
		{ "--count=1 ", "--count: " },
		{ "--count=0x1", "--count: " },
		{ "--count=01", "--count: " },
		{ "--count=1.0", "--count: " },
		{ "--count=1m", "--count: " },
		{ "--ttl=59", "--ttl: " },
		{ "--ttl=2d", "--ttl: " },
		{ "--ttl=1w", "--ttl: " },
		{ "--ttl=m", "--ttl: " },
		{ "--ttl=213503982334602d", "--ttl: " },
		{ "one|two|three", "'three'" },
		{ "one|two|", "unexpected word ''" },
		{ "--|one|two|--", "'--'" },
		{ "one|two|bad\nword", "'bad?word'" },
		{ "--bad\nname=x", "--bad?name" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		OUTCOME out = parse(cases[i].words);

		cr_expect_eq(out.r, SEAL_E_USAGE, "'%s'", cases[i].words);
		cr_expect_eq(out.err.code, SEAL_E_USAGE);
		cr_expect_not_null(strstr(out.err.text, cases[i].says), "'%s' for '%s'",
				   out.err.text, cases[i].words);
		cr_expect_null(strchr(out.err.text, '\n'));
		cr_expect_eq(out.count, 77, "'%s' changed the count", cases[i].words);
	}
}

Test(config_usage, what_stands_behind_an_equals_sign_is_not_repeated)
{
	OUTCOME unknown = parse("--passwort=hunter2");
	OUTCOME flag = parse("--verbose=hunter2");

	cr_expect_null(strstr(unknown.err.text, "hunter2"));
	cr_expect_null(strstr(flag.err.text, "hunter2"));
}

Test(config_usage, long_words_make_a_short_sentence)
{
	char words[900];

	for (int form = 0; form < 3; form++) {
		static const char *const starts[] = { "--", "one|two|", "--name|--" };
		size_t start = strlen(starts[form]);

		memset(words, 'x', sizeof(words) - 1);
		memcpy(words, starts[form], start);
		words[sizeof(words) - 1] = '\0';
		OUTCOME out = parse(words);

		cr_expect_eq(out.r, SEAL_E_USAGE);
		cr_expect_lt(strlen(out.err.text), 250);
	}
}

Test(config_usage, a_repeated_option_keeps_its_first_value)
{
	OUTCOME out = parse("--name=a|--name=b");

	cr_expect_str_eq(out.values.name, "a");
}

Test(config_parse, says_so_when_memory_is_gone)
{
	for (size_t n = 1; n <= 2; n++) {
		alloc_fail_at(n);
		OUTCOME out = parse("--host=a");

		cr_expect(alloc_call_off());
		cr_expect_eq(out.r, SEAL_E_MEMORY);
	}
}

Test(config_parse, the_last_of_sixty_four_rows_counts_like_the_first)
{
	struct seal_option many[64];
	char names[64][8];
	bool values[64] = { false };
	char *argv[] = { (char[]){ "prog" }, (char[]){ "--n63" }, (char[]){ "--n31" },
			 (char[]){ "--n63" } };
	size_t count;

	for (size_t i = 0; i < 64; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%02u", (unsigned)i);
		many[i] = (struct seal_option){ .name = names[i],
						.type = SEAL_OPT_FLAG,
						.offset = i * sizeof(bool),
						.help = "" };
	}
	cr_expect_eq(seal_options_parse(many, 64, 3, argv, values, NULL, 0, &count, NULL), 0);
	cr_expect(values[31] && values[63] && !values[0] && !values[62]);
	cr_expect_eq(seal_options_parse(many, 64, 4, argv, values, NULL, 0, &count, NULL),
		     SEAL_E_USAGE);
}

Test(config_help, prints_an_aligned_line_for_each_row)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert_not_null(out);
	seal_options_help(out, options, SEAL_COUNT(options));
	seal_options_help(out, NULL, 0);
	cr_assert_eq(fclose(out), 0);
	cr_expect_str_eq(text, "  -c, --count N    how many\n"
			       "  -h, --host NAME  a host, may be repeated\n"
			       "  -n, --name NAME  the name\n"
			       "      --ttl TIME   how long\n"
			       "  -v, --verbose    say more\n");
	free(text);
}
