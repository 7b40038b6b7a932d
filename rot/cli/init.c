/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a root of trust: the options, checked, handed to the room that does it, and what to do next.
 */

#include <stdio.h>
#include <time.h>

#include "rot/cli/cli.h"
#include "rot/server/init.h"

static const struct cli_column init_columns[] = {
	{ "DIRECTORY", "dir", CLI_TEXT },      { "TRUST DOMAIN", "trust_domain", CLI_TEXT },
	{ "URLS", "urls", CLI_TEXT },          { "STORE", "store", CLI_TEXT },
	{ "KEY FILE", "kek_file", CLI_TEXT },  { "CREDENTIAL", "credentials", CLI_TEXT },
	{ "SERVE IT WITH", "next", CLI_TEXT }, { "USE IT WITH", "use", CLI_TEXT },
};

static int
check_options(const struct cli *cli, struct seal_err *err)
{
	int r;

	if (cli->opt.dir == NULL)
		return seal_fail(
			err, SEAL_E_USAGE,
			"say where to make it: seal init --dir DIR --url https://HOST[:PORT]");
	if (cli->opt.urls.count == 0)
		return seal_fail(err, SEAL_E_USAGE,
				 "say where it will be reached: --url https://HOST[:PORT]");
	for (size_t i = 0; i < cli->opt.urls.count; i++) {
		r = seal_url_check(cli->opt.urls.items[i], err);
		if (r < 0)
			return seal_note(err, r, "--url");
	}
	if (cli->opt.kek_file != NULL && cli->opt.kek_passphrase_file != NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "--kek-file and --kek-passphrase-file: a store is under one key");
	if (cli->opt.trust_domain == NULL)
		return 0;
	r = seal_trust_domain_check(cli->opt.trust_domain, err);
	return r < 0 ? seal_note(err, r, "--trust-domain") : 0;
}

/* A member made of the directory and what stands before and behind it. */
static int
set_around(struct seal_json *json, const char *member, const char *before, const char *dir,
	   const char *behind, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes path = SEAL_BYTES(8192);
	int r;

	r = seal_bytes_append_fmt(&path, err, "%s%s%s", before, dir, behind);
	if (r == 0)
		seal_json_set_str(json, member, seal_bytes_str(&path));
	return r;
}

static int
report(const struct cli *cli, const char *trust_domain, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	int r = 0;

	seal_json_set_str(json, "dir", cli->opt.dir);
	seal_json_set_str(json, "trust_domain", trust_domain);
	seal_json_set_strv(json, "urls", &cli->opt.urls);
	seal_json_set_str(json, "store", cli->opt.store != NULL ? cli->opt.store : "sqlite");
	if (cli->opt.kek_file != NULL)
		seal_json_set_str(json, "kek_file", cli->opt.kek_file);
	else if (cli->opt.kek_passphrase_file == NULL)
		r = set_around(json, "kek_file", "", cli->opt.dir, "/" ROT_KEK_NAME, err);
	if (r == 0)
		r = set_around(json, "credentials", "", cli->opt.dir, "/admin", err);
	if (r == 0 && cli->format == CLI_TABLE)
		r = set_around(json, "next", "seal-rot --dir ", cli->opt.dir, "", err);
	if (r == 0 && cli->format == CLI_TABLE)
		r = set_around(json, "use", "seal profile add default ", cli->opt.dir, "/admin",
			       err);
	return r < 0 ? r : cli_print(cli, json, init_columns, SEAL_COUNT(init_columns), err);
}

int
cli_init(struct cli *cli, struct seal_err *err)
{
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1] = "";
	struct rot_init_options options = {
		.dir = cli->opt.dir,
		.urls = &cli->opt.urls,
		.trust_domain = cli->opt.trust_domain,
		.kek = { .file = cli->opt.kek_file,
			 .passphrase_file = cli->opt.kek_passphrase_file },
		.store = cli_store_options(cli),
		.now = (int64_t)time(NULL),
	};
	int r;

	r = check_options(cli, err);
	if (r == 0)
		r = rot_init(&options, trust_domain, err);
	return r < 0 ? r : report(cli, trust_domain, err);
}
