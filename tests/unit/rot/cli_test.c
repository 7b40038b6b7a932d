/* SPDX-License-Identifier: Apache-2.0 */
/* The seal command without a root of trust: its table of verbs, its output, its files. */

#include "rot/cli/cli.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/yaml/yaml.h"

#define ARGS_MAX 16

/* Run a command line given as one text, words separated by single blanks. */
static int
run(const char *line, struct seal_err *err)
{
	char *words = strdup(line);
	char *argv[ARGS_MAX + 1] = { NULL };
	int argc = 0;
	int r;

	for (char *at = words; at != NULL && argc < ARGS_MAX;) {
		argv[argc++] = at;
		at = strchr(at, ' ');
		if (at != NULL)
			*at++ = '\0';
	}
	*err = (struct seal_err){ 0 };
	r = cli_run(argc, argv, err);
	free(words);
	return r;
}

static struct seal_json *
json_of(const char *text)
{
	struct seal_json *json = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_json_parse(&json, text, strlen(text), strlen(text), &err), 0, "%s",
		     err.text);
	return json;
}

/* ---- The table ---- */

Test(cli_verbs, stand_in_alphabetical_order)
{
	char last[64] = "";
	char name[64];

	for (size_t i = 0; i < cli_verb_count; i++) {
		cli_verb_name(&cli_verbs[i], name, sizeof(name));
		cr_expect_lt(strcmp(last, name), 0, "%s is behind %s", name, last);
		memcpy(last, name, sizeof(last));
	}
}

Test(cli_verbs, have_options_that_can_be_told_apart)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		struct seal_option table[CLI_MAX_OPTIONS];
		size_t count = cli_verb_options(&cli_verbs[i], table);

		cr_assert_leq(count, CLI_MAX_OPTIONS);
		for (size_t a = 0; a < count; a++) {
			cr_expect_neq(table[a].help[strlen(table[a].help) - 1], '.');
			cr_expect_eq(table[a].type == SEAL_OPT_FLAG, table[a].arg == NULL);
			for (size_t b = 0; b < a; b++) {
				cr_expect_lt(strcmp(table[b].name, table[a].name), 0, "--%s",
					     table[a].name);
				cr_expect(table[a].letter == 0 ||
						  table[a].letter != table[b].letter,
					  "-%c twice in %s", table[a].letter, cli_verbs[i].verb);
			}
		}
	}
}

Test(cli_verbs, refuse_to_be_misspelt_in_one_line_that_says_what_to_do)
{
	static const struct {
		const char *line, *hint;
	} bad[] = {
		{ "seal", "seal help" },
		{ "seal frobnicate", "seal help" },
		{ "seal --frobnicate", "seal help" },
		{ "seal workload",
		  "create|delete|list|retire-ca|retire-key|rotate-ca|rotate-key|show" },
		{ "seal workload frobnicate",
		  "create|delete|list|retire-ca|retire-key|rotate-ca|rotate-key|show" },
		{ "seal workload retire-key shop --dir a", "GENERATION is missing" },
		{ "seal workload rotate-key shop 2 --dir a", "unexpected word '2'" },
		{ "seal workload rotate-key shop --force --dir a", "--force goes with --switch" },
		{ "seal workload rotate-ca shop --force --dir a", "--force goes with --switch" },
		{ "seal workload rotate-ca shop --switch --wait --dir a", "--wait does all steps" },
		{ "seal workload rotate-ca shop --timeout 5m --dir a",
		  "--timeout goes with --wait" },
		{ "seal workload rotate-ca --switch --dir a", "NAME is missing" },
		{ "seal workload retire-ca shop --dir a", "GENERATION is missing" },
		{ "seal seal", "WORKLOAD is missing" },
		{ "seal seal shop --dir a", "--kind" },
		{ "seal seal shop --kind Secret --name n --dir a", "--key is missing" },
		{ "seal seal shop --kind Secret --key k --dir a", "--name is missing" },
		{ "seal seal shop --name n --key k --dir a", "--kind is missing" },
		{ "seal unseal a b --dir a", "unexpected word 'b'" },
		{ "seal egg mint shop --container app --dir a", "-o FILE" },
		{ "seal egg mint shop --container app --container app -o x --dir a", "twice" },
		{ "seal egg mint shop --container app -o token-app --dir a", "both the egg and" },
		{ "seal egg mint shop --container= -o x --dir a", "container" },
		{ "seal workload create", "NAME is missing" },
		{ "seal workload create a b", "unexpected word 'b'" },
		{ "seal workload create shop --open --open", "--open is given twice" },
		{ "seal workload create shop --open=yes", "--open takes no value" },
		{ "seal workload create shop --peer web", "unknown option --peer" },
		{ "seal workload create shop", "--dir DIR, or --url URL" },
		{ "seal peer allow shop web", "SERVER is missing" },
		{ "seal status --dir", "--dir needs a value" },
		{ "seal status --dir a --dir b", "--dir is given twice" },
		{ "seal status --dir a --url https://b", "--dir or --url" },
		{ "seal status --dir a --credentials b", "--credentials goes with --url" },
		{ "seal status --profile a --credentials b", "--credentials goes with --url" },
		{ "seal status --profile a --dir b", "one of them" },
		{ "seal status --profile a --url https://b", "one of them" },
		{ "seal status --profile a --profile b", "--profile is given twice" },
		{ "seal operator", "add|list|renew|revoke" },
		{ "seal operator add", "NAME is missing" },
		{ "seal operator add alice --dir a", "--role admin, ci or auditor" },
		{ "seal operator add alice --role root --dir a", "--role admin, ci or auditor" },
		{ "seal operator add alice --role ci --ttl 59 --dir a", "--ttl" },
		{ "seal operator add alice --role ci --ttl 367d --dir a", "--ttl" },
		{ "seal operator renew --dir a", "socket has no credential" },
		{ "seal profile", "add|list|remove|use" },
		{ "seal profile add home", "DIR is missing" },
		{ "seal profile add home a --dir b", "unknown option --dir" },
		{ "seal completion", "missing" },
		{ "seal completion tcsh", "bash, fish or zsh" },
		{ "seal status --output xml --dir a", "table, json or yaml" },
		{ "seal egg mint shop --ttl soon -o x --dir a", "--ttl" },
		{ "seal egg mint shop --ttl 367d -o x --dir a", "--ttl" },
		{ "seal egg mint shop --max-hatches 0 -o x --dir a", "--max-hatches" },
		{ "seal egg mint shop --max-hatches -1 -o x --dir a", "--max-hatches" },
		{ "seal egg mint shop --hostname a.b --hostname a.b -o x --dir a", "twice" },
		{ "seal cert issue shop --dir a", "-o DIR" },
		{ "seal cert issue shop --ttl 59 -o x --dir a", "--ttl" },
		{ "seal cert issue shop --ttl 8d -o x --dir a", "--ttl" },
		{ "seal init", "--dir DIR" },
		{ "seal init --dir a", "--url https://" },
		{ "seal help frobnicate", "seal help" },
		{ "seal help egg frobnicate", "seal help" },
	};

	(void)unsetenv("SEAL_DIR");
	(void)unsetenv("SEAL_URL");
	(void)unsetenv("SEAL_PROFILE");
	(void)unsetenv("XDG_CONFIG_HOME");
	(void)setenv("HOME", "/nowhere", 1);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_err err;

		cr_expect_eq(run(bad[i].line, &err), SEAL_E_USAGE, "%s: %s", bad[i].line, err.text);
		cr_expect_not_null(strstr(err.text, bad[i].hint), "%s: %s", bad[i].line, err.text);
	}
}

Test(cli_verbs, check_names_before_they_call_anybody)
{
	static const char *const bad[] = {
		"seal workload create Shop --dir /nowhere",
		"seal workload show .. --dir /nowhere",
		"seal peer allow shop web rot --dir /nowhere",
		"seal peer deny shop ** db --dir /nowhere",
		"seal egg list ab --dir /nowhere",
		"seal egg revoke 123 --dir /nowhere",
		"seal egg mint shop --peer * -o /nowhere/x --dir /nowhere",
		"seal egg mint shop --hostname web -o /nowhere/x --dir /nowhere",
		"seal egg mint shop --hostname a.*.example.com -o /nowhere/x --dir /nowhere",
		"seal cert issue shop --hostname *.example.com -o /nowhere/x --dir /nowhere",
		"seal init --dir /nowhere/rot --url http://rot.example.com",
		"seal egg mint shop --container App -o x --dir /nowhere",
		"seal egg mint shop --container ../app -o x --dir /nowhere",
		"seal workload rotate-key Shop --dir /nowhere",
		"seal workload rotate-ca Shop --dir /nowhere",
		"seal workload rotate-ca Shop --switch --dir /nowhere",
		"seal workload retire-ca shop one --yes --dir /nowhere",
		"seal workload retire-key Shop 1 --yes --dir /nowhere",
		"seal workload retire-key shop one --yes --dir /nowhere",
		"seal seal Shop --kind Secret --name n --key k --dir /nowhere",
		"seal seal shop --peer * --kind Secret --name n --key k --dir /nowhere",
		"seal seal shop --kind Sec/ret --name n --key k --dir /nowhere",
		"seal seal shop --kind Secret --name N --key k --dir /nowhere",
		"seal seal shop --kind Secret --name n --key a/b --dir /nowhere",
		"seal seal shop -n Default --kind Secret --name n --key k --dir /nowhere",
		"seal seal shop --kind Secret --name n --key k --container C --dir /nowhere",
		"seal init --dir /nowhere/rot --url https://rot.example.com --trust-domain A",
		"seal operator add Alice --role ci --dir /nowhere",
		"seal operator add local --role ci --dir /nowhere",
		"seal operator revoke ../x --yes --dir /nowhere",
		"seal profile add ../x /nowhere",
		"seal profile use .x",
		"seal profile remove a/b --yes",
		"seal profile add home /nowhere --url http://rot.example.com",
		"seal status --profile ../x",
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct seal_err err;

		cr_expect_eq(run(bad[i], &err), SEAL_E_FORMAT, "%s: %s", bad[i], err.text);
	}
}

Test(cli_verbs, that_destroy_need_a_yes_where_nobody_can_be_asked)
{
	struct seal_err err;
	int fd = open("/dev/null", O_RDONLY);

	cr_assert_geq(dup2(fd, STDIN_FILENO), 0);
	cr_expect_eq(run("seal workload delete shop --dir /nowhere", &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "--yes"), "%s", err.text);
	cr_expect_eq(run("seal egg revoke 00112233445566778899aabbccddeeff --dir /nowhere", &err),
		     SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "--yes"), "%s", err.text);
	cr_expect_eq(run("seal workload retire-key shop 1 --force --dir /nowhere", &err),
		     SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "--yes"), "%s", err.text);
	cr_expect_eq(run("seal operator revoke alice --dir /nowhere", &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "--yes"), "%s", err.text);
	/* With it the root of trust is called, which is not there. */
	cr_expect_eq(run("seal workload delete shop --yes --dir /nowhere", &err), SEAL_E_CLOSED);
	cr_expect_not_null(strstr(err.text, "/nowhere/rot.sock"), "%s", err.text);
}

/* ---- The manual ---- */

/* seal.1 with "\-" as a hyphen, "\fI" and the like left out. */
static void
read_manual(struct seal_bytes *page)
{
	char *at;

	cr_assert_eq(
		seal_fs_read(page, AT_FDCWD, SEAL_SOURCE_DIR "/docs/man/seal.1", page->max, NULL),
		0);
	at = (char *)page->data;
	for (char *from = at; *from != '\0'; from++) {
		if (from[0] == '\\' && from[1] == '-')
			from++;
		else if (from[0] == '\\' && from[1] == 'f' && from[2] != '\0') {
			from += 2;
			continue;
		}
		*at++ = *from;
	}
	*at = '\0';
}

/* The line behind .TP or .TQ that begins with a macro for bold letters and the name, quoted or not. */
static const char *
find_heading(const char *page, const char *name)
{
	for (const char *at = strstr(page, "\n.T"); at != NULL; at = strstr(at + 1, "\n.T")) {
		const char *line = at + strlen("\n.TP\n");

		if ((strncmp(at, "\n.TP\n.B", 7) != 0 && strncmp(at, "\n.TQ\n.B", 7) != 0))
			continue;
		line += strcspn(line, " \n");
		line += strspn(line, " \"");
		if (strncmp(line, name, strlen(name)) == 0 &&
		    strchr(" \"\n", line[strlen(name)]) != NULL)
			return line;
	}
	return NULL;
}

/* From the heading back to the section's beginning, and on to its end. */
static bool
section_has(const char *page, const char *heading, const char *text)
{
	const char *from = heading, *to, *found;

	while (from > page && strncmp(from, "\n.S", 3) != 0)
		from--;
	to = strstr(heading, "\n.S");
	found = strstr(from, text);
	return found != NULL && (to == NULL || found < to);
}

/* Every verb has a heading, every option of its own stands in its section, general ones anywhere. */
Test(cli_manual, says_what_the_table_says)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	char wanted[128];
	char name[64];

	read_manual(&page);
	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct cli_verb *verb = &cli_verbs[i];
		struct seal_option table[CLI_MAX_OPTIONS];
		size_t count = cli_verb_options(verb, table);
		const char *heading;

		cli_verb_name(verb, name, sizeof(name));
		heading = find_heading(seal_bytes_str(&page), name);
		cr_expect_not_null(heading,
				   "docs/man/seal.1 explains no verb '%s' (.TP, then .B with it)",
				   name);
		for (size_t o = 0; o < count; o++) {
			(void)snprintf(wanted, sizeof(wanted), "--%s", table[o].name);
			cr_expect_not_null(strstr(seal_bytes_str(&page), wanted),
					   "docs/man/seal.1 does not know %s", wanted);
		}
		for (size_t o = 0; heading != NULL && o < verb->option_count; o++) {
			(void)snprintf(wanted, sizeof(wanted), "--%s", verb->options[o].name);
			cr_expect(section_has(seal_bytes_str(&page), heading, wanted),
				  "docs/man/seal.1 does not explain %s in the section of '%s'",
				  wanted, name);
		}
	}
}

/* ---- Help, and what was meant ---- */

Test(cli_verbs, say_which_one_may_have_been_meant)
{
	static const struct {
		const char *line, *meant;
	} slips[] = {
		{ "seal wrokload list", "'seal workload'" },
		{ "seal stauts", "'seal status'" },
		{ "seal unsael x", "'seal unseal'" },
		{ "seal opertor list", "'seal operator'" },
		{ "seal workload shwo shop", "'seal workload show'" },
		{ "seal egg mitn shop", "'seal egg mint'" },
		{ "seal mint shop", "'seal egg mint'" },
		{ "seal help workload creat", "'seal workload create'" },
	};
	static const char *const far[] = { "seal frobnicate", "seal x", "seal list",
					   "seal workload frobnicate", "seal egg x" };
	struct seal_err err;

	for (size_t i = 0; i < SEAL_COUNT(slips); i++) {
		cr_expect_eq(run(slips[i].line, &err), SEAL_E_USAGE, "%s", slips[i].line);
		cr_expect_not_null(strstr(err.text, slips[i].meant), "%s: %s", slips[i].line,
				   err.text);
	}
	for (size_t i = 0; i < SEAL_COUNT(far); i++) {
		cr_expect_eq(run(far[i], &err), SEAL_E_USAGE, "%s", far[i]);
		cr_expect_null(strstr(err.text, "do you mean"), "%s: %s", far[i], err.text);
	}
}

/*
 * What shows a result shows it as JSON and YAML.  These print something of their own format, or nothing; another verb
 * has CLI_SHOWS, or a reason to stand here.
 */
Test(cli_verbs, have_output_for_programs)
{
	static const char *const others[] = { "audit export", "audit head", "completion",
					      "help",         "inject",     "policy kata" };
	char name[64];

	for (size_t i = 0; i < cli_verb_count; i++) {
		bool is_other = false;

		cli_verb_name(&cli_verbs[i], name, sizeof(name));
		for (size_t o = 0; o < SEAL_COUNT(others); o++)
			is_other = is_other || strcmp(others[o], name) == 0;
		cr_expect_neq(is_other, (cli_verbs[i].flags & CLI_SHOWS) != 0,
			      "'seal %s' has no --output table|json|yaml (CLI_SHOWS)", name);
	}
}

/* ---- Completion ---- */

/* What the command says to the shells, for words separated by single blanks. */
static void
completes(const char *line, char *out, size_t size)
{
	char command[512];
	struct seal_err err;
	int fds[2], saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	ssize_t n;

	(void)snprintf(command, sizeof(command), "seal __complete %s", line);
	cr_assert_eq(pipe(fds), 0);
	(void)fflush(stdout);
	cr_assert_geq(dup2(fds[1], STDOUT_FILENO), 0);
	cr_expect_eq(run(command, &err), 0);
	(void)fflush(stdout);
	cr_assert_geq(dup2(saved_out, STDOUT_FILENO), 0);
	cr_assert_geq(dup2(saved_err, STDERR_FILENO), 0);
	(void)close(fds[1]);
	n = read(fds[0], out, size - 1);
	cr_assert_geq(n, 0);
	out[n] = '\0';
	(void)close(fds[0]);
	(void)close(saved_out);
	(void)close(saved_err);
}

static bool
has_line(const char *text, const char *start)
{
	size_t len = strlen(start);

	for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n') {
		if (strncmp(text, start, len) == 0 && strchr("\t\n", text[len]) != NULL)
			return true;
	}
	return false;
}

Test(cli_completion, knows_every_verb_and_every_option)
{
	char out[16384], line[128], option[64];

	(void)unsetenv("SEAL_DIR");
	(void)unsetenv("SEAL_URL");
	(void)unsetenv("SEAL_PROFILE");
	for (size_t i = 0; i < cli_verb_count; i++) {
		struct seal_option table[CLI_MAX_OPTIONS];
		size_t count = cli_verb_options(&cli_verbs[i], table);
		char name[64];

		completes("", out, sizeof(out));
		cr_expect(has_line(out, cli_verbs[i].verb), "seal <TAB> lacks %s",
			  cli_verbs[i].verb);
		if (cli_verbs[i].sub != NULL) {
			(void)snprintf(line, sizeof(line), "%s ", cli_verbs[i].verb);
			completes(line, out, sizeof(out));
			cr_expect(has_line(out, cli_verbs[i].sub), "seal %s<TAB> lacks %s", line,
				  cli_verbs[i].sub);
		}
		cli_verb_name(&cli_verbs[i], name, sizeof(name));
		(void)snprintf(line, sizeof(line), "%s --", name);
		completes(line, out, sizeof(out));
		for (size_t o = 0; o < count; o++) {
			(void)snprintf(option, sizeof(option), "--%s", table[o].name);
			cr_expect(has_line(out, option), "seal %s<TAB> lacks %s", line, option);
		}
	}
}

Test(cli_completion, knows_what_every_argument_and_value_is)
{
	for (size_t i = 0; i < cli_verb_count; i++) {
		const struct cli_verb *verb = &cli_verbs[i];
		struct seal_option table[CLI_MAX_OPTIONS];
		size_t count = cli_verb_options(verb, table);
		char name[64], arg[32];

		cli_verb_name(verb, name, sizeof(name));
		for (size_t n = 0; n < verb->max_args; n++)
			cr_expect(cli_complete_knows_arg(verb, n, arg, sizeof(arg)),
				  "what is %s of 'seal %s'? add it to places[] in "
				  "rot/cli/offer.c",
				  arg, name);
		for (size_t o = 0; o < count; o++)
			cr_expect(cli_complete_knows_option(verb, &table[o]),
				  "what is %s of 'seal %s --%s'? add it to places[] or values[] in "
				  "rot/cli/offer.c",
				  table[o].arg, name, table[o].name);
	}
}

Test(cli_completion, knows_what_stands_where)
{
	static const struct {
		const char *line, *wanted;
	} cases[] = {
		{ "status --output ", "yaml" },
		{ "status --output=y", "--output=yaml" },
		{ "status --output = y", "yaml" }, /* as bash takes it apart */
		{ "status --output =", "json" },
		{ "policy kata --output ", "rego" },
		{ "audit list --kind egg", "egg.mint" },
		{ "seal shop --kind ", "Secret" },
		{ "operator add x --role au", "auditor" },
		{ "--dir /nowhere workload sh", "show" },
		{ "completion z", "zsh" },
		{ "help egg mi", "mint" },
		{ "inject -f ", ":files" },
		{ "egg show ", ":files" },
		{ "status --dir ", ":directories" },
		{ "profile add x ", ":directories" },
	};
	static const struct {
		const char *line, *unwanted;
	} others[] = {
		{ "status --dir /nowhere --", "--dir" }, /* said already */
		{ "status -- --", "--dir" },
		{ "status ", "workload" },
		{ "frobnicate ", "list" },
		{ "status --output y", "json" },
	};
	char out[16384];

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		completes(cases[i].line, out, sizeof(out));
		cr_expect(has_line(out, cases[i].wanted), "seal %s<TAB>: %s", cases[i].line, out);
	}
	for (size_t i = 0; i < SEAL_COUNT(others); i++) {
		completes(others[i].line, out, sizeof(out));
		cr_expect_not(has_line(out, others[i].unwanted), "seal %s<TAB>: %s", others[i].line,
			      out);
	}
}

Test(cli_completion, is_silent_where_nobody_answers)
{
	char out[1024];

	(void)setenv("SEAL_DIR", "/nowhere", 1);
	completes("workload show ", out, sizeof(out));
	cr_expect_str_eq(out, "");
	(void)setenv("SEAL_URL", "https://127.0.0.1:1", 1); /* both: an error elsewhere */
	completes("workload show ", out, sizeof(out));
	cr_expect_str_eq(out, "");
	(void)unsetenv("SEAL_DIR");
	(void)unsetenv("SEAL_URL");
}

/* ---- Credentials ---- */

Test(cli_credential, is_warned_of_before_it_ends)
{
	const int64_t day = 86400;

	cr_expect_eq(cli_credential_notice(0, 365 * day), 30 * day);
	cr_expect_eq(cli_credential_notice(0, 300 * day), 30 * day);
	cr_expect_eq(cli_credential_notice(0, 90 * day), 9 * day);
	cr_expect_eq(cli_credential_notice(0, 100), 10);
}

Test(cli_profile, has_a_name_that_is_a_file_of_its_own)
{
	static const char *const good[] = { "default", "a", "Home-2", "eu.prod_1", "0" };
	static const char *const bad[] = { "",    ".",   "..",  ".x",      "-x",
					   "a/b", "a b", "a\n", "\xc3\xa9" };
	char *path = calloc(1, PATH_MAX);

	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect_eq(cli_profile_check(good[i], NULL), 0, "%s", good[i]);
	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_eq(cli_profile_check(bad[i], NULL), SEAL_E_FORMAT, "'%s'", bad[i]);
	(void)setenv("XDG_CONFIG_HOME", "/x", 1);
	(void)setenv("HOME", "/h", 1);
	cr_assert_eq(cli_profile_path("eu", path, NULL), 0);
	cr_expect_str_eq(path, "/x/seal/profiles/eu");
	(void)setenv("XDG_CONFIG_HOME", "", 1);
	cr_assert_eq(cli_profile_path("eu", path, NULL), 0);
	cr_expect_str_eq(path, "/h/.config/seal/profiles/eu");
	(void)unsetenv("HOME");
	cr_expect_eq(cli_profile_path("eu", path, NULL), SEAL_E_USAGE);
	free(path);
}

/* ---- Output ---- */

static const struct cli_column columns[] = {
	{ "NAME", "name", CLI_TEXT },       { "WHEN", "when", CLI_TIME },
	{ "OF", "of", CLI_LIMIT },          { "PLAIN", "plain", CLI_TEXT },
	{ "HOSTNAMES", "hosts", CLI_TEXT },
};

static void
expect_rendered(enum cli_format format, const char *json_text, const char *member,
		const char *expected)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(65536);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = json_of(json_text);
	struct seal_err err = { 0 };
	int r;

	if (member != NULL)
		r = cli_render_list(format, json, member, columns, SEAL_COUNT(columns), &out, &err);
	else
		r = cli_render(format, json, columns, SEAL_COUNT(columns), &out, &err);
	cr_assert_eq(r, 0, "%s", err.text);
	cr_expect_str_eq(seal_bytes_str(&out), expected);
}

Test(cli_table, is_aligned)
{
	expect_rendered(
		CLI_TABLE,
		"{\"rows\":[{\"name\":\"a\",\"when\":0,\"of\":0,\"plain\":true,\"hosts\":[]},"
		"{\"name\":\"longer\",\"when\":1800000000,\"of\":12,\"plain\":false,"
		"\"hosts\":[\"x.example.com\",\"y.example.com\"]}]}",
		"rows",
		"NAME    WHEN                  OF         PLAIN  HOSTNAMES\n"
		"a       1970-01-01T00:00:00Z  unlimited  yes    -\n"
		"longer  2027-01-15T08:00:00Z  12         no     x.example.com,y.example.com\n");
	expect_rendered(CLI_TABLE, "{\"rows\":[]}", "rows", "NAME  WHEN  OF  PLAIN  HOSTNAMES\n");
}

Test(cli_table, of_one_object_has_a_line_for_each_member)
{
	expect_rendered(CLI_TABLE, "{\"name\":{\"a\":\"x\",\"b\":\"y\"},\"when\":null,\"other\":1}",
			NULL,
			"NAME       x/y\n"
			"WHEN       -\n"
			"OF         -\n"
			"PLAIN      -\n"
			"HOSTNAMES  -\n");
}

Test(cli_table, lets_no_text_drive_the_terminal)
{
	expect_rendered(CLI_TABLE, "{\"name\":\"a\\u001b[2J\\nb\\u00e9\"}", NULL,
			"NAME       a?[2J?b??\n"
			"WHEN       -\n"
			"OF         -\n"
			"PLAIN      -\n"
			"HOSTNAMES  -\n");
}

Test(cli_json, is_what_the_root_of_trust_said)
{
	expect_rendered(CLI_JSON, "{\"b\":1,\"a\":[\"x\"],\"n\":null}", NULL,
			"{\n  \"b\": 1,\n  \"a\": [\n    \"x\"\n  ],\n  \"n\": null\n}\n");
}

Test(cli_yaml, writes_every_kind_of_value)
{
	expect_rendered(
		CLI_YAML,
		"{\"name\":\"shop\",\"n\":7,\"t\":true,\"f\":false,\"z\":null,\"e\":[],\"o\":{},"
		"\"l\":[\"web\",\"*\"],\"m\":{\"x\":{\"y\":1}},\"r\":[{\"a\":1,\"b\":\"c\"}],"
		"\"pem\":\"-----BEGIN X-----\\nAA==\\n-----END X-----\\n\"}",
		NULL,
		"name: shop\n\"n\": 7\nt: true\nf: false\nz: null\ne: []\no: {}\n"
		"l:\n  - web\n  - \"*\"\nm:\n  x:\n    \"y\": 1\nr:\n  -\n    a: 1\n    b: c\n"
		"pem: |\n  -----BEGIN X-----\n  AA==\n  -----END X-----\n");
}

/* Whatever the text, a reader of YAML gets it back, and as text. */
Test(cli_yaml, is_read_back_as_the_same_text)
{
	static const char *const texts[] = {
		"",
		"yes",
		"No",
		"null",
		"~",
		"1",
		"1.5",
		"0x1f",
		"-",
		"- a",
		"a: b",
		"a #b",
		"#",
		"*",
		"&a",
		"!t",
		"%a",
		"@a",
		"'q'",
		"\"q",
		"back\\",
		"[a]",
		"{a}",
		" lead",
		"trail ",
		"two\nlines",
		"two\nlines\n",
		"\n",
		"a\n\n",
		" a\nb\n",
		"a \nb\n",
		"\x01",
		"\xc3\xa9",
		"\xe2\x82\xac",
		"\xf0\x9f\x94\x92",
		"2027-01-15T08:00:00Z",
		"a.b/c-d_e",
		"|",
		">",
		"a,b",
		"=",
		"<<",
		"\t",
		"a\tb",
		"\x7f",
		"\xef\xbb\xbf",
		".inf",
	};

	for (size_t i = 0; i < SEAL_COUNT(texts); i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(65536);
		SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
		SEAL_SCOPED(seal_yaml_freep) struct seal_yaml *yaml = NULL;
		struct seal_err err = { 0 };
		const char *got = NULL;
		bool truth;

		seal_json_set_str(json, "text", texts[i]);
		cr_assert_eq(cli_yaml(json, &out, &err), 0, "%s", err.text);
		cr_assert_eq(seal_yaml_parse(&yaml, "test", seal_bytes_str(&out), out.len, &err), 0,
			     "%s in %s", err.text, seal_bytes_str(&out));
		cr_assert_eq(seal_yaml_str(seal_yaml_get(seal_yaml_root(yaml), "text"), &got, &err),
			     0, "%s", err.text);
		cr_expect_str_eq(got, texts[i], "from %s", seal_bytes_str(&out));
		cr_expect_lt(
			seal_yaml_bool(seal_yaml_get(seal_yaml_root(yaml), "text"), &truth, NULL),
			0, "%s is a truth", seal_bytes_str(&out));
	}
}

Test(cli_format, has_three_names)
{
	enum cli_format format = CLI_TABLE;

	cr_expect_eq(cli_format_parse(&format, "json", NULL), 0);
	cr_expect_eq(format, CLI_JSON);
	cr_expect_eq(cli_format_parse(&format, "yaml", NULL), 0);
	cr_expect_eq(format, CLI_YAML);
	cr_expect_eq(cli_format_parse(&format, "JSON", NULL), SEAL_E_USAGE);
	cr_expect_eq(cli_format_parse(&format, "", NULL), SEAL_E_USAGE);
	cr_expect_eq(format, CLI_YAML);
}

/* ---- Files ---- */

struct room {
	char path[32];
	int fd;
};

static struct room
room_new(void)
{
	struct room room = { .path = "/tmp/seal-cli.XXXXXX" };

	cr_assert_not_null(mkdtemp(room.path));
	cr_assert_eq(chdir(room.path), 0);
	room.fd = open(room.path, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(room.fd, 0);
	return room;
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

Test(cli_place, is_where_nothing_is_yet)
{
	struct room room = room_new();
	struct cli_place place = CLI_PLACE_NONE;
	static const char *const good[] = { "new",      "./new", "sub/new",
					    "sub//new", "new/",  "sub/new//" };

	cr_assert_eq(mkdir("sub", 0700), 0);
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		cr_assert_eq(cli_place_new(&place, good[i], NULL), 0, "%s", good[i]);
		cr_expect_str_eq(place.name, "new");
		cli_place_release(&place);
	}
	cr_assert_eq(symlink("/nowhere", "link"), 0);
	cr_expect_eq(cli_place_new(&place, "sub", NULL), SEAL_E_CONFLICT);
	cr_expect_eq(cli_place_new(&place, "link", NULL), SEAL_E_CONFLICT);
	cr_expect_eq(cli_place_new(&place, "gone/new", NULL), SEAL_E_MISSING);
	cr_expect_eq(cli_place_new(&place, "", NULL), SEAL_E_USAGE);
	cr_expect_eq(cli_place_new(&place, ".", NULL), SEAL_E_USAGE);
	cr_expect_eq(cli_place_new(&place, "sub/..", NULL), SEAL_E_USAGE);
	cr_expect_eq(cli_place_new(&place, "/", NULL), SEAL_E_USAGE);
	cr_expect_eq(place.dirfd, -1);
	(void)unlink("link");
	(void)rmdir("sub");
	(void)rmdir(room.path);
	(void)close(room.fd);
}

Test(cli_directory, is_private_and_whole)
{
	static const struct cli_file files[] = { { "a", "1", 1 }, { "b", "22", 2 } };
	struct cli_place place = CLI_PLACE_NONE;
	struct room room = room_new();
	struct stat st;

	(void)umask(0);
	cr_assert_eq(cli_place_new(&place, "made", NULL), 0);
	cr_assert_eq(cli_write_dir(&place, files, 2, NULL), 0);
	cr_expect_eq(mode_of("made"), 0700);
	cr_expect_eq(mode_of("made/a"), 0600);
	cr_expect_eq(mode_of("made/b"), 0600);
	cr_expect_eq(stat("made/b", &st), 0);
	cr_expect_eq(st.st_size, 2);
	cli_place_release(&place);
	(void)unlink("made/a");
	(void)unlink("made/b");
	(void)rmdir("made");
	cr_expect_eq(rmdir(room.path), 0, "something else was left");
	(void)close(room.fd);
}

Test(cli_directory, appears_with_everything_or_not_at_all)
{
	static const struct cli_file files[] = { { "a", "1", 1 }, { "no/such", "22", 2 } };
	static const struct cli_file one[] = { { "a", "1", 1 } };
	struct cli_place place = CLI_PLACE_NONE;
	struct room room = room_new();

	cr_assert_eq(cli_place_new(&place, "made", NULL), 0);
	cr_expect_lt(cli_write_dir(&place, files, 2, NULL), 0);
	cr_expect_eq(mode_of("made"), 0);
	/* Somebody was faster: theirs stays, ours goes. */
	cr_assert_eq(mkdir("made", 0755), 0);
	cr_expect_eq(cli_write_dir(&place, one, 1, NULL), SEAL_E_CONFLICT);
	cr_expect_eq(rmdir("made"), 0, "files were put into a directory of somebody else");
	cli_place_release(&place);
	cr_expect_eq(rmdir(room.path), 0, "a draft was left");
	(void)close(room.fd);
}

Test(cli_files, appear_together_or_not_at_all)
{
	static const struct cli_file files[] = { { "a", "1", 1 }, { "b", "22", 2 } };
	struct room room = room_new();

	(void)umask(0);
	cr_assert_eq(cli_write_files(room.fd, files, 2, NULL), 0);
	cr_expect_eq(mode_of("a"), 0600);
	cr_expect_eq(mode_of("b"), 0600);
	(void)unlink("a");
	/* The second one is there: it stays, the first one goes. */
	cr_expect_eq(cli_write_files(room.fd, files, 2, NULL), SEAL_E_CONFLICT);
	cr_expect_eq(mode_of("a"), 0);
	cr_expect_eq(mode_of("b"), 0600);
	(void)unlink("b");
	cr_expect_eq(rmdir(room.path), 0, "something else was left");
	(void)close(room.fd);
}
