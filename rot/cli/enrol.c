/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials for enrolment over EST: made by the root of trust, shown once.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rot/cli/cli.h"

#define LINE_MAX_LEN 512u
#define ID_PATH      "/v1/enrolments/"
#define ID_PATH_LEN  (sizeof(ID_PATH) + SEAL_ID_LEN)

/* The one is here, or there. */
#define MADE_COLUMNS(title, member)                                                                \
	{ "ID", "id", CLI_TEXT }, { title, member, CLI_TEXT },                                     \
		{ "WORKLOAD", "workload", CLI_TEXT }, { "PEER", "peer", CLI_TEXT },                \
		{ "HOSTNAMES", "hostnames", CLI_TEXT }, { "CERTIFICATE TTL", "ttl", CLI_TEXT },    \
	{                                                                                          \
		"EXPIRES", "not_after", CLI_TIME                                                   \
	}

static const struct cli_column shown_columns[] = { MADE_COLUMNS("SECRET", "secret") };
static const struct cli_column written_columns[] = { MADE_COLUMNS("FILE", "file") };

static const struct cli_column list_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "SPENT", "spent_at", CLI_TIME },
	{ "CERTIFICATES", "serials", CLI_TEXT },
};

static const struct cli_column one_columns[] = {
	{ "ID", "id", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "HOSTNAMES", "hostnames", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },
	{ "CREATED", "created_at", CLI_TIME },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "SPENT", "spent_at", CLI_TIME },
	{ "REVOKED", "revoked_at", CLI_TIME },
	{ "CERTIFICATES", "serials", CLI_TEXT },
};

#define COLUMNS(table) table, SEAL_COUNT(table)

/* ---- enrol ---- */

/* -o is a file, but for the words that it means elsewhere: a file of that name is ./json. */
static int
choose_place(struct cli *cli, struct cli_place *place, struct seal_err *err)
{
	static const char *const formats[] = { "json", "yaml", "table" };
	const char *name = cli->opt.file;

	if (name == NULL)
		return 0;
	for (size_t i = 0; i < SEAL_COUNT(formats); i++) {
		if (strcmp(name, formats[i]) == 0) {
			cli->opt.file = NULL;
			return cli_format_parse(&cli->format, name, err);
		}
	}
	return cli_place_new(place, name, err);
}

/* What curl -K reads: a secret that is on no command line. */
static int
write_file(const struct cli_place *place, const char *id, const char *secret, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes line = SEAL_BYTES(LINE_MAX_LEN);
	struct cli_file file = { .name = place->name };
	int r = seal_bytes_append_fmt(&line, err, "user = \"%s:%s\"\n", id, secret);

	if (r < 0)
		return r;
	file.data = line.data;
	file.len = line.len;
	return cli_write_files(place->dirfd, &file, 1, err);
}

static int
id_path(char path[static ID_PATH_LEN], const char *id, struct seal_err *err)
{
	int r = seal_id_check(id, err);

	if (r == 0)
		(void)snprintf(path, ID_PATH_LEN, ID_PATH "%s", id);
	return r;
}

/* A credential nobody got is revoked, so that nothing is left half done. */
static int
withdraw(struct cli *cli, const char *id, int r, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *gone = NULL;
	char path[ID_PATH_LEN];

	if (id_path(path, id, NULL) < 0 || cli_call(cli, "DELETE", path, NULL, &gone, NULL) < 0)
		return seal_note(err, r, "nothing was written, revoke enrolment %s", id);
	return seal_note(err, r, "nothing was written, enrolment %s was revoked", id);
}

/* To the file, and what may be seen to standard output; or all of it there. */
static int
deliver(const struct cli *cli, const struct cli_place *place, const struct seal_json *reply,
	const char *id, const char *secret, struct seal_err *err)
{
	static const char *const shown[] = { "id",         "workload",  "peer", "hostnames", "ttl",
					     "created_at", "not_after", "ca",   NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	int r;

	cli_copy_members(json, reply, shown);
	if (place->dirfd < 0) {
		seal_json_set_str(json, "secret", secret);
		return cli_print(cli, json, COLUMNS(shown_columns), err);
	}
	r = write_file(place, id, secret, err);
	if (r < 0)
		return r;
	seal_json_set_str(json, "file", cli->opt.file);
	r = cli_print(cli, json, COLUMNS(written_columns), err);
	if (r < 0)
		(void)unlinkat(place->dirfd, place->name, 0); /* the enrolment is withdrawn */
	return r;
}

int
cli_cert_enrol(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	const char *id = NULL, *secret = NULL;
	int r;

	r = cli_check_subject(cli, false, err);
	if (r == 0)
		r = choose_place(cli, &place, err);
	if (r < 0)
		return r;
	request = seal_json_new();
	cli_subject(cli, request, NULL);
	if (cli->opt.expires != 0)
		seal_json_set_u64(request, "expires", cli->opt.expires);
	r = cli_call(cli, "POST", "/v1/enrolments", request, &reply, err);
	if (r == 0)
		r = seal_json_get_str(reply, "id", &id, err);
	if (r == 0)
		r = seal_json_get_str(reply, "secret", &secret, err);
	if (r < 0)
		return r;
	r = deliver(cli, &place, reply, id, secret, err);
	return r < 0 ? withdraw(cli, id, r, err) : 0;
}

/* ---- list, revoke ---- */

int
cli_enrolment_list(struct cli *cli, struct seal_err *err)
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
		r = cli_call_list(cli, "/v1/enrolments", query, "enrolments", &list, err);
	return r < 0 ? r : cli_print_list(cli, list, "enrolments", COLUMNS(list_columns), err);
}

int
cli_enrolment_revoke(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *enrolment = NULL;
	char path[ID_PATH_LEN];
	char what[160];
	int r;

	r = id_path(path, cli->args[0], err);
	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what),
		       "revoke enrolment %s and the certificates that came of it", cli->args[0]);
	r = cli_confirm(cli, what, err);
	if (r == 0)
		r = cli_call(cli, "DELETE", path, NULL, &enrolment, err);
	return r < 0 ? r : cli_print(cli, enrolment, COLUMNS(one_columns), err);
}
