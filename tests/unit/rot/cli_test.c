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
		{ "seal workload", "create|delete|list|retire-key|rotate-key|show" },
		{ "seal workload frobnicate", "create|delete|list|retire-key|rotate-key|show" },
		{ "seal workload retire-key shop --dir a", "GENERATION is missing" },
		{ "seal workload rotate-key shop 2 --dir a", "unexpected word '2'" },
		{ "seal workload rotate-key shop --force --dir a", "unknown option --force" },
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
	/* With it the root of trust is called, which is not there. */
	cr_expect_eq(run("seal workload delete shop --yes --dir /nowhere", &err), SEAL_E_CLOSED);
	cr_expect_not_null(strstr(err.text, "/nowhere/rot.sock"), "%s", err.text);
}

/* The manual has every verb and every option, and none that is not there. */
Test(cli_manual, says_what_the_table_says)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	char wanted[128];
	char name[64];
	char *at;

	cr_assert_eq(
		seal_fs_read(&page, AT_FDCWD, SEAL_SOURCE_DIR "/docs/man/seal.1", page.max, NULL),
		0);
	at = (char *)page.data;
	for (char *from = at; *from != '\0'; from++) { /* "\-" is a hyphen */
		if (from[0] == '\\' && from[1] == '-')
			from++;
		*at++ = *from;
	}
	*at = '\0';
	for (size_t i = 0; i < cli_verb_count; i++) {
		struct seal_option table[CLI_MAX_OPTIONS];
		size_t count = cli_verb_options(&cli_verbs[i], table);

		cli_verb_name(&cli_verbs[i], name, sizeof(name));
		cr_expect_not_null(strstr(seal_bytes_str(&page), name), "%s", name);
		for (size_t o = 0; o < count; o++) {
			(void)snprintf(wanted, sizeof(wanted), "--%s", table[o].name);
			cr_expect_not_null(strstr(seal_bytes_str(&page), wanted), "%s", wanted);
		}
	}
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
