/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs about eggs.  Minting makes the key pair here and assembles the egg here, so that the root
 * of trust never sees the key; showing never prints it.
 */

#include "egg/egg.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/cli/cli.h"

static const struct cli_column egg_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },
	{ "HATCHES", "hatches", CLI_TEXT },
	{ "OF", "max_hatches", CLI_LIMIT },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "HOSTNAMES", "hostnames", CLI_TEXT },
};

static const struct cli_column one_egg_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "HOSTNAMES", "hostnames", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },
	{ "HATCHES", "hatches", CLI_TEXT },
	{ "MAX HATCHES", "max_hatches", CLI_LIMIT },
	{ "PLAIN CONFIG", "plain_config", CLI_TEXT },
	{ "SERIAL", "serial", CLI_TEXT },
	{ "CREATED", "created_at", CLI_TIME },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "REVOKED", "revoked_at", CLI_TIME },
};

static const struct cli_column revoked_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "REVOKED", "revoked_at", CLI_TIME },
	{ "CERTIFICATES ENDED", "certificates", CLI_TEXT },
};

static const struct cli_column egg_file_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "ROOT OF TRUST", "urls", CLI_TEXT },
	{ "PLAIN CONFIG", "plain_config", CLI_TEXT },
	{ "SERIAL", "serial", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },
};

static const struct cli_column minted_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "HOSTNAMES", "hostnames", CLI_TEXT },
	{ "MAX HATCHES", "max_hatches", CLI_LIMIT },
	{ "PLAIN CONFIG", "plain_config", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "FILE", "file", CLI_TEXT },
	{ "TOKENS", "tokens", CLI_TEXT },
};

#define COLUMNS(table) table, SEAL_COUNT(table)
#define EGG_PATH       "/v1/eggs/"
#define EGG_PATH_LEN   (sizeof(EGG_PATH) + SEAL_ID_LEN)

/* ---- list, show, revoke ---- */

int
cli_egg_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	char query[sizeof("workload=") + SEAL_WORKLOAD_MAX] = "";
	int r = 0;

	if (cli->arg_count > 0) {
		r = seal_workload_check(cli->args[0], err);
		if (r == 0)
			(void)snprintf(query, sizeof(query), "workload=%s", cli->args[0]);
	}
	if (r == 0)
		r = cli_call_list(cli, "/v1/eggs", query, "eggs", &list, err);
	return r < 0 ? r : cli_print_list(cli, list, "eggs", COLUMNS(egg_columns), err);
}

static int
egg_path(char path[static EGG_PATH_LEN], const char *id, struct seal_err *err)
{
	int r;

	r = seal_id_check(id, err);
	if (r < 0)
		return r;
	(void)snprintf(path, EGG_PATH_LEN, EGG_PATH "%s", id);
	return 0;
}

int
cli_egg_revoke(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *egg = NULL;
	char path[EGG_PATH_LEN];
	char what[128];
	int r;

	r = egg_path(path, cli->args[0], err);
	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "revoke egg %s and all certificates that came of it",
		       cli->args[0]);
	r = cli_confirm(cli, what, err);
	if (r == 0)
		r = cli_call(cli, "DELETE", path, NULL, &egg, err);
	return r < 0 ? r : cli_print(cli, egg, COLUMNS(revoked_columns), err);
}

static int
read_egg(struct egg **ret_egg, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	/* One byte for the newline that editors and shells leave behind the line. */
	r = seal_fs_read_secret(&text, AT_FDCWD, path, EGG_MAX_LEN + 1, err);
	if (r < 0)
		return r;
	r = egg_parse(ret_egg, seal_secret_chars(text), seal_secret_len(text), err);
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}

static int
show_file(struct cli *cli, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	char serial[SEAL_SERIAL_LEN + 1];
	const struct seal_cert *cert;
	int64_t not_before;
	int64_t not_after;
	int r;

	r = read_egg(&egg, path, err);
	if (r < 0)
		return r;
	cert = seal_certs_at(egg_cert(egg), 0);
	r = seal_cert_times(cert, &not_before, &not_after, err);
	if (r == 0)
		r = seal_cert_serial(cert, serial, err);
	if (r < 0)
		return r;

	json = seal_json_new();
	seal_json_set_str(json, "id", egg_id(egg));
	seal_json_set_strv(json, "urls", egg_urls(egg));
	seal_json_set_bool(json, "plain_config", egg_plain_config(egg));
	seal_json_set_str(json, "serial", serial);
	seal_json_set_u64(json, "not_after", not_after < 0 ? 0 : (uint64_t)not_after);
	return cli_print(cli, json, COLUMNS(egg_file_columns), err);
}

int
cli_egg_show(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *egg = NULL;
	char path[EGG_PATH_LEN];
	int r;

	if (seal_id_check(cli->args[0], NULL) < 0)
		return show_file(cli, cli->args[0], err);
	r = egg_path(path, cli->args[0], err);
	if (r == 0)
		r = cli_call(cli, "GET", path, NULL, &egg, err);
	return r < 0 ? r : cli_print(cli, egg, COLUMNS(one_egg_columns), err);
}

/* ---- mint ---- */

/* The parts of an egg, from the answer. */
struct parts {
	const char *id;
	const char *statement;
	const char *certificate;
	const char *ca;
	struct seal_strv urls;
	bool plain_config;
};

static void
parts_release(struct parts *parts)
{
	seal_strv_release(&parts->urls);
}

static int
read_parts(struct parts *parts, const struct seal_json *reply, struct seal_err *err)
{
	int r;

	r = seal_json_get_str(reply, "id", &parts->id, err);
	if (r == 0)
		r = seal_json_get_str(reply, "statement", &parts->statement, err);
	if (r == 0)
		r = seal_json_get_str(reply, "certificate", &parts->certificate, err);
	if (r == 0)
		r = seal_json_get_str(reply, "ca", &parts->ca, err);
	if (r == 0)
		r = seal_json_get_strv(reply, "urls", EGG_MAX_URLS, &parts->urls, err);
	if (r == 0)
		r = seal_json_get_bool(reply, "plain_config", &parts->plain_config, err);
	return r;
}

/* Encode, and read back as a pod will: an egg that cannot hatch must not leave the house. */
static int
encode(struct seal_secret **ret_text, const struct egg_fields *fields, struct seal_err *err)
{
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	SEAL_SCOPED(egg_freep) struct egg *again = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	r = egg_new(&egg, fields, err);
	if (r == 0)
		r = egg_encode(egg, &text, err);
	if (r == 0)
		r = egg_parse(&again, seal_secret_chars(text), seal_secret_len(text), err);
	if (r < 0)
		return r;
	*ret_text = SEAL_TAKE(text);
	return 0;
}

static int
assemble(struct seal_secret **ret_text, const struct seal_json *reply, const struct seal_key *key,
	 struct seal_err *err)
{
	SEAL_SCOPED(parts_release) struct parts parts = { 0 };
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *ca = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *cert = NULL;
	struct egg_fields fields = { .key = key };
	int r;

	r = read_parts(&parts, reply, err);
	if (r == 0)
		r = seal_certs_from_pem(&ca, parts.ca, strlen(parts.ca), SEAL_CHAIN_MAX_LEN, err);
	if (r == 0)
		r = seal_certs_from_pem(&cert, parts.certificate, strlen(parts.certificate),
					SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return r;
	fields.id = parts.id;
	fields.urls = &parts.urls;
	fields.ca = ca;
	fields.cert = cert;
	fields.statement = parts.statement;
	fields.plain_config = parts.plain_config;
	return encode(ret_text, &fields, err);
}

/* The line and its newline, to standard output, or to the file with the tokens beside it. */
static int
deliver(const struct cli_place *place, const struct seal_secret *text,
	const struct cli_tokens *tokens, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes line = SEAL_BYTES(EGG_MAX_LEN + 1);
	struct cli_file files[CLI_MAX_CONTAINERS + 1];
	int r;

	r = seal_bytes_append(&line, seal_secret_peek(text), seal_secret_len(text), err);
	if (r == 0)
		r = seal_bytes_append_str(&line, "\n", err);
	if (r < 0)
		return r;
	if (place->dirfd < 0)
		return cli_write_out(line.data, line.len, err);
	for (size_t i = 0; i < tokens->count; i++)
		files[i] = tokens->files[i];
	files[tokens->count] = (struct cli_file){ place->name, line.data, line.len };
	return cli_write_files(place->dirfd, files, tokens->count + 1, err);
}

/* An egg nobody got is revoked, so that nothing is left half done; who may not do that is told to. */
static int
withdraw(struct cli *cli, const struct seal_json *reply, int r, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *gone = NULL;
	char path[EGG_PATH_LEN];
	const char *id = NULL;

	if (seal_json_get_str(reply, "id", &id, NULL) < 0 || egg_path(path, id, NULL) < 0)
		return seal_note(err, r, "no egg was written");
	if (cli_call(cli, "DELETE", path, NULL, &gone, NULL) < 0)
		return seal_note(err, r, "no egg was written, revoke %s", id);
	return seal_note(err, r, "no egg was written, %s was revoked", id);
}

/* What people and programs are told: everything but what went into the egg. */
static int
report(const struct cli *cli, const struct seal_json *reply, const struct cli_tokens *tokens,
       struct seal_err *err)
{
	static const char *const shown[] = { "id",         "workload",    "peer",
					     "hostnames",  "max_hatches", "plain_config",
					     "created_at", "not_after",   "serial",
					     NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *files;

	cli_copy_members(json, reply, shown);
	seal_json_set_str(json, "file", cli->opt.file);
	files = seal_json_set_array(json, "tokens");
	for (size_t i = 0; i < tokens->count; i++)
		seal_json_add_str(files, tokens->files[i].name);
	return cli_print(cli, json, COLUMNS(minted_columns), err);
}

static int
request_egg(struct cli *cli, const struct seal_key *key, struct seal_json **ret_reply,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes csr = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	int r;

	r = seal_csr_new(&csr, key, err);
	if (r < 0)
		return r;
	request = seal_json_new();
	cli_subject(cli, request, seal_bytes_str(&csr));
	if (cli->opt.max_hatches != 0)
		seal_json_set_u64(request, "max_hatches", cli->opt.max_hatches);
	seal_json_set_bool(request, "plain_config", cli->opt.plain_config);
	if (cli->opt.containers.count > 0)
		seal_json_set_strv(request, "containers", &cli->opt.containers);
	return cli_call(cli, "POST", "/v1/eggs", request, ret_reply, err);
}

static int
choose_place(const struct cli *cli, struct cli_place *place, struct seal_err *err)
{
	if (cli->opt.file != NULL)
		return cli_place_new(place, cli->opt.file, err);
	if (cli->opt.containers.count > 0)
		return seal_fail(err, SEAL_E_USAGE,
				 "--container writes files: say where the egg goes with -o FILE");
	if (isatty(STDOUT_FILENO))
		return seal_fail(err, SEAL_E_USAGE,
				 "an egg holds a key and is not shown: say where to with -o FILE");
	if (cli->opt.output != NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "--output goes with -o FILE; otherwise the egg itself is printed");
	return 0;
}

int
cli_egg_mint(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	SEAL_SCOPED(cli_tokens_release) struct cli_tokens tokens = { 0 };
	int r;

	r = cli_check_subject(cli, true, err);
	if (r == 0)
		r = choose_place(cli, &place, err);
	if (r == 0)
		r = cli_tokens_check(cli, &place, err);
	if (r == 0)
		r = seal_key_new(&key, err);
	if (r == 0)
		r = request_egg(cli, key, &reply, err);
	if (r < 0)
		return r;

	r = assemble(&text, reply, key, err);
	if (r == 0)
		r = cli_tokens_read(cli, reply, &tokens, err);
	if (r == 0)
		r = deliver(&place, text, &tokens, err);
	if (r < 0)
		return withdraw(cli, reply, r, err);
	return cli->opt.file != NULL ? report(cli, reply, &tokens, err) : 0;
}
