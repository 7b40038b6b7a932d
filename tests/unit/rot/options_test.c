/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/options: the command line of seal-rot, and its manual. */
#include "rot/server/options.h"

#include <criterion/criterion.h>
#include <fcntl.h>

#include "base/fs/fs.h"

#define MAX_WORDS 16

static int
parse(struct rot_options *options, struct seal_err *err, const char *first, ...)
{
	char *argv[MAX_WORDS] = { (char *)(uintptr_t) "seal-rot" };
	va_list args;
	int argc = 1;

	va_start(args, first);
	for (const char *word = first; word != NULL; word = va_arg(args, const char *))
		argv[argc++] = (char *)(uintptr_t)word;
	va_end(args);
	return rot_options_parse(options, argc, argv, err);
}

Test(rot_options, have_the_defaults_the_manual_states)
{
	struct rot_options options = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(parse(&options, &err, "--dir", "/x", NULL), 0, "%s", err.text);
	cr_expect_str_eq(options.dir, "/x");
	cr_expect_eq(options.lifetime, 86400);
	cr_expect_eq(options.rate_per_egg, 50);
	cr_expect_eq(options.rate_per_address, 200);
	cr_expect_eq(options.level, SEAL_LOG_INFO);
	cr_expect_not(options.log_json);
	cr_expect_null(options.health);
	cr_expect_null(options.listen);
	cr_expect_null(options.kek_file);
}

Test(rot_options, are_taken_as_given)
{
	struct rot_options options = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(parse(&options, &err, "--dir=/x", "--lifetime", "1m", "--rate-per-egg", "0",
			   "--log-format", "json", "--log-level=debug", "--health", "8080", NULL),
		     0, "%s", err.text);
	cr_expect_eq(options.lifetime, 60);
	cr_expect_eq(options.rate_per_egg, 0);
	cr_expect_eq(options.level, SEAL_LOG_DEBUG);
	cr_expect(options.log_json);
	cr_expect_str_eq(options.health, "8080");
	cr_expect_eq(parse(&options, &err, "--help", NULL), 0, "help needs no directory");
	cr_expect_eq(parse(&options, &err, "--version", NULL), 0);
}

Test(rot_options, that_cannot_be_meant_are_usage_errors_and_change_nothing)
{
	static const char *const lines[][4] = {
		{ NULL },
		{ "--dir" },
		{ "--dir=/x", "--lifetime=59s" },
		{ "--dir=/x", "--lifetime=8d" },
		{ "--dir=/x", "--lifetime=soon" },
		{ "--dir=/x", "--rate-per-egg=-1" },
		{ "--dir=/x", "--rate-per-address=1000001" },
		{ "--dir=/x", "--log-format=xml" },
		{ "--dir=/x", "--log-level=loud" },
		{ "--dir=/x", "--dir=/y" },
		{ "--dir=/x", "--colour" },
		{ "--dir=/x", "surplus" },
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		struct rot_options options = { .lifetime = 7 };
		struct seal_err err = { 0 };

		cr_expect_eq(parse(&options, &err, lines[i][0], lines[i][1], lines[i][2], NULL),
			     SEAL_E_USAGE, "took line %zu", i);
		cr_expect_neq(err.text[0], '\0', "no sentence for line %zu", i);
		cr_expect_eq(options.lifetime, 7, "line %zu changed something", i);
	}
}

Test(rot_options, each_stand_in_the_manual_and_no_others_do)
{
	struct seal_bytes page = SEAL_BYTES(65536);
	struct seal_err err = { 0 };
	size_t listed = 0;

	cr_assert_eq(seal_fs_read(&page, AT_FDCWD, SEAL_SOURCE_DIR "/docs/man/seal-rot.8", page.max,
				  &err),
		     0, "%s", err.text);
	for (size_t i = 0; i < rot_options_count; i++) {
		const struct seal_option *option = &rot_options_table[i];
		char item[128];

		(void)snprintf(item, sizeof(item), "-%s%s%s\n", option->name,
			       option->arg != NULL ? " Ar " : "",
			       option->arg != NULL ? option->arg : "");
		cr_expect_not_null(strstr(seal_bytes_str(&page), item), "--%s is not described",
				   option->name);
		cr_expect(i == 0 || strcmp(rot_options_table[i - 1].name, option->name) < 0,
			  "--%s is out of order", option->name);
	}
	for (const char *at = seal_bytes_str(&page); (at = strstr(at, "\n.It Fl ")) != NULL; at++)
		listed++;
	cr_expect_eq(listed, rot_options_count);
	seal_bytes_release(&page);
}

Test(rot_options, print_their_help)
{
	char text[8192] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	cr_assert_not_null(out);
	rot_options_help(out);
	cr_assert_eq(fclose(out), 0);
	cr_expect_not_null(strstr(text, "usage: seal-rot --dir DIR"));
	for (size_t i = 0; i < rot_options_count; i++)
		cr_expect_not_null(strstr(text, rot_options_table[i].help));
}
