/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for command lines: what a table of options says, the parser does and --help prints.  Knows
 * nothing of what the options mean.
 */

#include "base/config/config.h"

#include <assert.h>

#include "base/names/names.h"

/* Rows seen are bits of one number. */
#define OPTION_COUNT_MAX 64

struct parse {
	const struct seal_option *options;
	size_t option_count;
	char *values; /* the caller's structure */
	uint64_t seen;
};

/* An option as it was written: "--name", "-x". */
#define WRITTEN_MAX 64

static const struct seal_option *
find_name(const struct parse *parse, const char *name, size_t len)
{
	for (size_t i = 0; i < parse->option_count; i++) {
		const struct seal_option *option = &parse->options[i];

		if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
			return option;
	}
	return NULL;
}

static const struct seal_option *
find_letter(const struct parse *parse, char letter)
{
	for (size_t i = 0; i < parse->option_count; i++) {
		if (letter != '\0' && parse->options[i].letter == letter)
			return &parse->options[i];
	}
	return NULL;
}

static int
set_number(const struct seal_option *option, void *at, const char *value, struct seal_err *err)
{
	struct seal_err why = { 0 };
	uint64_t number = 0;
	int r;

	if (option->type == SEAL_OPT_DURATION)
		r = seal_duration_parse(value, option->min, option->max, &number, &why);
	else
		r = seal_number_parse(value, option->min, option->max, &number, &why);
	if (r < 0)
		return seal_fail(err, SEAL_E_USAGE, "--%s: %s", option->name, why.text);
	memcpy(at, &number, sizeof(number));
	return 0;
}

static int
set_value(const struct parse *parse, const struct seal_option *option, const char *value,
	  struct seal_err *err)
{
	void *at = parse->values + option->offset;
	const bool on = true;

	switch (option->type) {
	case SEAL_OPT_FLAG:
		memcpy(at, &on, sizeof(on));
		return 0;
	case SEAL_OPT_STR:
		memcpy(at, &value, sizeof(value));
		return 0;
	case SEAL_OPT_LIST:
		return seal_strv_add(at, value, err);
	case SEAL_OPT_NUMBER:
	case SEAL_OPT_DURATION:
		return set_number(option, at, value, err);
	}
	return seal_fail(err, SEAL_E_BUG, "--%s has no type", option->name);
}

static int
check_repeat(struct parse *parse, const struct seal_option *option, struct seal_err *err)
{
	uint64_t bit = UINT64_C(1) << (option - parse->options);

	if ((parse->seen & bit) != 0 && option->type != SEAL_OPT_LIST)
		return seal_fail(err, SEAL_E_USAGE, "--%s is given twice, give it once",
				 option->name);
	parse->seen |= bit;
	return 0;
}

/*
 * Apply one option.  inlined is what stood behind '=', or NULL; next is the following word, or NULL.
 * Returns how many words were used up, 1 or 2.
 */
static int
apply(struct parse *parse, const struct seal_option *option, const char *inlined, const char *next,
      struct seal_err *err)
{
	const char *value = inlined != NULL ? inlined : next;
	int r = check_repeat(parse, option, err);

	if (r < 0)
		return r;
	if (option->type == SEAL_OPT_FLAG) {
		if (inlined != NULL)
			return seal_fail(err, SEAL_E_USAGE, "--%s takes no value", option->name);
		r = set_value(parse, option, NULL, err);
		return r < 0 ? r : 1;
	}
	if (value == NULL)
		return seal_fail(err, SEAL_E_USAGE, "--%s needs a value: --%s %s", option->name,
				 option->name, option->arg);
	/* More likely the value was forgotten than that it looks like an option. */
	if (inlined == NULL && value[0] == '-' && value[1] != '\0')
		return seal_fail(err, SEAL_E_USAGE,
				 "--%s needs a value; if '%.64s' is meant, write --%s=%.64s",
				 option->name, value, option->name, value);
	r = set_value(parse, option, value, err);
	if (r < 0)
		return r;
	return inlined != NULL ? 1 : 2;
}

static int
parse_option(struct parse *parse, const char *word, const char *next, struct seal_err *err)
{
	const struct seal_option *option;
	const char *inlined = NULL;
	size_t len = strlen(word);

	if (word[1] == '-') {
		const char *equals = strchr(word, '=');

		inlined = equals == NULL ? NULL : equals + 1;
		len = equals == NULL ? len : (size_t)(equals - word);
		option = find_name(parse, word + 2, len - 2);
	} else {
		option = len == 2 ? find_letter(parse, word[1]) : NULL;
	}
	if (option == NULL)
		return seal_fail(err, SEAL_E_USAGE, "unknown option %.*s, see --help",
				 len > WRITTEN_MAX ? WRITTEN_MAX : (int)len, word);
	return apply(parse, option, inlined, next, err);
}

int
seal_options_parse(const struct seal_option *options, size_t option_count, int argc, char **argv,
		   void *values, const char **positional, size_t max_positional,
		   size_t *ret_positional, struct seal_err *err)
{
	struct parse parse = { options, option_count, values, 0 };
	size_t count = 0;
	bool ended = false;
	int r;

	assert(option_count <= OPTION_COUNT_MAX);
	for (int i = 1; i < argc; i += r) {
		const char *word = argv[i];

		r = 1;
		if (!ended && strcmp(word, "--") == 0) {
			ended = true;
		} else if (!ended && word[0] == '-' && word[1] != '\0') {
			r = parse_option(&parse, word, i + 1 < argc ? argv[i + 1] : NULL, err);
			if (r < 0)
				return r;
		} else if (count == max_positional) {
			return seal_fail(err, SEAL_E_USAGE, "unexpected word '%.64s', see --help",
					 word);
		} else {
			positional[count++] = word;
		}
	}
	*ret_positional = count;
	return 0;
}

/* "--name ARG", without the short form. */
static size_t
width_of(const struct seal_option *option)
{
	return strlen(option->name) + (option->arg == NULL ? 0 : strlen(option->arg) + 1);
}

void
seal_options_help(FILE *out, const struct seal_option *options, size_t option_count)
{
	size_t widest = 0;

	for (size_t i = 0; i < option_count; i++)
		widest = width_of(&options[i]) > widest ? width_of(&options[i]) : widest;
	for (size_t i = 0; i < option_count; i++) {
		const struct seal_option *option = &options[i];
		char letter[5] = "    ";

		if (option->letter != '\0')
			(void)snprintf(letter, sizeof(letter), "-%c, ", option->letter);
		/* A stream that fails keeps its error for whoever closes it. */
		(void)fprintf(out, "  %s--%s%s%s%*s  %s\n", letter, option->name,
			      option->arg == NULL ? "" : " ",
			      option->arg == NULL ? "" : option->arg,
			      (int)(widest - width_of(option)), "", option->help);
	}
}
