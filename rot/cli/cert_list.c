/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that were issued, to pods and to those outside: who has them, and ending them.
 */

#include <stdio.h>
#include <string.h>

#include "rot/cli/cli.h"

static const struct cli_column list_columns[] = {
	{ "SERIAL", "serial", CLI_TEXT },     { "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },         { "STATE", "state", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME }, { "EGG", "egg", CLI_TEXT },
};

static const struct cli_column one_columns[] = {
	{ "SERIAL", "serial", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "HOSTNAMES", "hostnames", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },
	{ "EGG", "egg", CLI_TEXT },
	{ "RENEWED FROM", "renewed_from", CLI_TEXT },
	{ "VALID FROM", "not_before", CLI_TIME },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "REVOKED", "revoked_at", CLI_TIME },
};

static const struct cli_column revoked_columns[] = {
	{ "SERIAL", "serial", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "REVOKED", "revoked_at", CLI_TIME },
	{ "CERTIFICATES ENDED", "certificates", CLI_TEXT },
};

#define COLUMNS(table) table, SEAL_COUNT(table)
#define CERT_PATH      "/v1/certs/"
#define CERT_PATH_LEN  (sizeof(CERT_PATH) + SEAL_SERIAL_LEN)
#define QUERY_LEN      (sizeof("workload=&state=revoked") + SEAL_WORKLOAD_MAX)

static int
add_state(const struct cli *cli, char query[static QUERY_LEN], struct seal_err *err)
{
	static const char *const states[] = { "live", "revoked", "expired" };
	const char *state = cli->opt.state != NULL ? cli->opt.state : states[0];
	size_t len = strlen(query);

	for (size_t i = 0; i < SEAL_COUNT(states); i++) {
		if (strcmp(states[i], state) == 0) {
			(void)snprintf(query + len, QUERY_LEN - len, "%sstate=%s",
				       len > 0 ? "&" : "", state);
			return 0;
		}
	}
	if (strcmp(state, "all") == 0)
		return 0;
	return seal_fail(err, SEAL_E_USAGE, "--state is live, revoked, expired or all, not '%s'",
			 state);
}

int
cli_cert_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	char query[QUERY_LEN] = "";
	int r = 0;

	if (cli->arg_count > 0) {
		r = seal_workload_check(cli->args[0], err);
		if (r == 0)
			(void)snprintf(query, sizeof(query), "workload=%s", cli->args[0]);
	}
	if (r == 0)
		r = add_state(cli, query, err);
	if (r == 0)
		r = cli_call_list(cli, "/v1/certs", query, "certificates", &list, err);
	return r < 0 ? r : cli_print_list(cli, list, "certificates", COLUMNS(list_columns), err);
}

/* As openssl shows it, too: in capitals, with colons. */
static int
cert_path(char path[static CERT_PATH_LEN], const char *text, struct seal_err *err)
{
	char serial[SEAL_ID_LEN + 1] = "";
	size_t len = 0;

	for (const char *at = text; *at != '\0' && len <= SEAL_ID_LEN; at++) {
		if (*at == ':')
			continue;
		if (len == SEAL_ID_LEN)
			len = SEAL_ID_LEN + 1;
		else
			serial[len++] = (char)(*at >= 'A' && *at <= 'F' ? *at - 'A' + 'a' : *at);
	}
	if (len != SEAL_ID_LEN || seal_id_check(serial, NULL) < 0)
		return seal_fail(err, SEAL_E_USAGE,
				 "'%.64s' is no serial number of ours: 32 hexadecimal digits, see "
				 "'seal cert list'",
				 text);
	(void)snprintf(path, CERT_PATH_LEN, CERT_PATH "%s", serial);
	return 0;
}

int
cli_cert_show(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *cert = NULL;
	char path[CERT_PATH_LEN];
	int r = cert_path(path, cli->args[0], err);

	if (r == 0)
		r = cli_call(cli, "GET", path, NULL, &cert, err);
	return r < 0 ? r : cli_print(cli, cert, COLUMNS(one_columns), err);
}

int
cli_cert_revoke(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *cert = NULL;
	char path[CERT_PATH_LEN];
	char what[128];
	int r = cert_path(path, cli->args[0], err);

	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "revoke certificate %.40s and those renewed from it",
		       path + strlen(CERT_PATH));
	r = cli_confirm(cli, what, err);
	if (r == 0)
		r = cli_call(cli, "DELETE", path, NULL, &cert, err);
	return r < 0 ? r : cli_print(cli, cert, COLUMNS(revoked_columns), err);
}
