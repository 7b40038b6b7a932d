/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs about the root of trust itself, its workloads, and who may call whom in them.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rot/cli/cli.h"

#define PATH_LEN 512

static const struct cli_column status_columns[] = {
	{ "VERSION", "version", CLI_TEXT },
	{ "TRUST DOMAIN", "trust_domain", CLI_TEXT },
	{ "URLS", "urls", CLI_TEXT },
	{ "CA FINGERPRINT", "ca_fingerprint", CLI_TEXT },
	{ "CA EXPIRES", "ca_not_after", CLI_TIME },
	{ "WORKLOADS", "workloads", CLI_TEXT },
	{ "LIVE EGGS", "eggs", CLI_TEXT },
	{ "CERTIFICATES", "certificates", CLI_TEXT },
	{ "STARTED", "started_at", CLI_TIME },
	{ "TIME", "time", CLI_TIME },
	{ "WE ARE", "caller", CLI_TEXT },
};

static const struct cli_column workload_columns[] = {
	{ "NAME", "name", CLI_TEXT },
	{ "PAIRS", "pairs", CLI_TEXT },
	{ "EGGS", "eggs", CLI_TEXT },
	{ "LIVE", "eggs_live", CLI_TEXT },
	{ "CERTIFICATES", "certificates", CLI_TEXT },
	{ "CA EXPIRES", "ca_not_after", CLI_TIME },
	{ "CREATED", "created_at", CLI_TIME },
};

static const struct cli_column one_workload_columns[] = {
	{ "NAME", "name", CLI_TEXT },
	{ "CREATED", "created_at", CLI_TIME },
	{ "POLICY EPOCH", "epoch", CLI_TEXT },
	{ "PAIRS", "pairs", CLI_TEXT },
	{ "EGGS", "eggs", CLI_TEXT },
	{ "LIVE EGGS", "eggs_live", CLI_TEXT },
	{ "CERTIFICATES", "certificates", CLI_TEXT },
	{ "CA GENERATION", "ca_generation", CLI_TEXT },
	{ "CA FINGERPRINT", "ca_fingerprint", CLI_TEXT },
	{ "CA EXPIRES", "ca_not_after", CLI_TIME },
};

static const struct cli_column pair_columns[] = {
	{ "CLIENT", "client", CLI_TEXT },
	{ "SERVER", "server", CLI_TEXT },
};

static const struct cli_column one_pair_columns[] = {
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "CLIENT", "client", CLI_TEXT },
	{ "SERVER", "server", CLI_TEXT },
	{ "POLICY EPOCH", "epoch", CLI_TEXT },
};

static const struct cli_column revoked_columns[] = {
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "EGGS ENDED", "eggs", CLI_TEXT },
	{ "CERTIFICATES ENDED", "certificates", CLI_TEXT },
};

#define COLUMNS(table) table, SEAL_COUNT(table)

static const struct cli_column expiry_columns[] = {
	{ "EXPIRES NEXT", "what", CLI_TEXT },
	{ "NAME", "name", CLI_TEXT },
	{ "GENERATION", "generation", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },
};

/* A root of trust of before there were any says nothing of them. */
static int
print_expiries(const struct cli *cli, const struct seal_json *status, struct seal_err *err)
{
	const struct seal_json *warnings = NULL;
	int r;

	if (!seal_json_has(status, "expires"))
		return 0;
	r = cli_write_out("\n", 1, err);
	if (r == 0)
		r = cli_print_list(cli, status, "expires", COLUMNS(expiry_columns), err);
	if (r < 0 || seal_json_get_array(status, "warnings", &warnings, NULL) < 0)
		return r;
	for (size_t i = 0; i < seal_json_count(warnings); i++)
		(void)fprintf(stderr, "warning: %s\n", seal_json_str(seal_json_at(warnings, i)));
	return 0;
}

int
cli_status(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *status = NULL;
	int r;

	r = cli_call(cli, "GET", "/v1/status", NULL, &status, err);
	if (r == 0)
		r = cli_print(cli, status, COLUMNS(status_columns), err);
	if (r < 0 || cli->format != CLI_TABLE)
		return r;
	return print_expiries(cli, status, err);
}

/* ---- Workloads ---- */

int
cli_workload_create(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *workload = NULL;
	int r;

	r = seal_workload_check(cli->args[0], err);
	if (r < 0)
		return r;
	request = seal_json_new();
	seal_json_set_str(request, "name", cli->args[0]);
	seal_json_set_bool(request, "open", cli->opt.open);
	r = cli_call(cli, "POST", "/v1/workloads", request, &workload, err);
	return r < 0 ? r : cli_print(cli, workload, COLUMNS(one_workload_columns), err);
}

int
cli_workload_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	int r;

	r = cli_call_list(cli, "/v1/workloads", "", "workloads", &list, err);
	return r < 0 ? r : cli_print_list(cli, list, "workloads", COLUMNS(workload_columns), err);
}

/* Names are checked before they go into a path: no letter of theirs needs an escape. */
static int
workload_path(const struct cli *cli, char path[static PATH_LEN], struct seal_err *err)
{
	int r;

	r = seal_workload_check(cli->args[0], err);
	if (r < 0)
		return r;
	(void)snprintf(path, PATH_LEN, "/v1/workloads/%s", cli->args[0]);
	return 0;
}

int
cli_workload_show(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *workload = NULL;
	char path[PATH_LEN];
	int r;

	r = workload_path(cli, path, err);
	if (r == 0)
		r = cli_call(cli, "GET", path, NULL, &workload, err);
	if (r == 0)
		r = cli_print(cli, workload, COLUMNS(one_workload_columns), err);
	if (r < 0 || cli->format != CLI_TABLE)
		return r;
	return cli_print_generations(cli, workload, err);
}

int
cli_workload_delete(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *workload = NULL;
	char path[PATH_LEN];
	char what[PATH_LEN];
	int r;

	r = workload_path(cli, path, err);
	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what), "delete workload '%s' with its CA, policy and eggs",
		       cli->args[0]);
	r = cli_confirm(cli, what, err);
	if (r == 0)
		r = cli_call(cli, "DELETE", path, NULL, &workload, err);
	return r < 0 ? r : cli_print(cli, workload, COLUMNS(one_workload_columns), err);
}

/* ---- Pairs ---- */

static int
check_pair(const struct cli *cli, struct seal_err *err)
{
	int r;

	r = seal_workload_check(cli->args[0], err);
	if (r < 0)
		return r;
	r = seal_peer_or_every_check(cli->args[1], err);
	if (r < 0)
		return seal_note(err, r, "the client");
	r = seal_peer_or_every_check(cli->args[2], err);
	return r < 0 ? seal_note(err, r, "the server") : 0;
}

int
cli_peer_allow(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *pair = NULL;
	int r;

	r = check_pair(cli, err);
	if (r < 0)
		return r;
	request = seal_json_new();
	seal_json_set_str(request, "workload", cli->args[0]);
	seal_json_set_str(request, "client", cli->args[1]);
	seal_json_set_str(request, "server", cli->args[2]);
	r = cli_call(cli, "POST", "/v1/peers", request, &pair, err);
	return r < 0 ? r : cli_print(cli, pair, COLUMNS(one_pair_columns), err);
}

int
cli_peer_deny(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *pair = NULL;
	char path[PATH_LEN];
	int r;

	r = check_pair(cli, err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/v1/peers?workload=%s&client=%s&server=%s",
		       cli->args[0], cli->args[1], cli->args[2]);
	r = cli_call(cli, "DELETE", path, NULL, &pair, err);
	return r < 0 ? r : cli_print(cli, pair, COLUMNS(one_pair_columns), err);
}

int
cli_peer_revoke(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = seal_json_new();
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	char what[256];
	int r;

	r = seal_workload_check(cli->args[0], err);
	if (r == 0)
		r = seal_peer_check(cli->args[1], err);
	if (r < 0)
		return r;
	(void)snprintf(what, sizeof(what),
		       "revoke all certificates, eggs and enrolments of peer %s of %s",
		       cli->args[1], cli->args[0]);
	r = cli_confirm(cli, what, err);
	if (r < 0)
		return r;
	seal_json_set_str(request, "workload", cli->args[0]);
	seal_json_set_str(request, "peer", cli->args[1]);
	r = cli_call(cli, "POST", "/v1/peers/revoke", request, &reply, err);
	return r < 0 ? r : cli_print(cli, reply, COLUMNS(revoked_columns), err);
}

int
cli_peer_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	char path[PATH_LEN];
	int r;

	r = seal_workload_check(cli->args[0], err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/v1/peers?workload=%s", cli->args[0]);
	r = cli_call(cli, "GET", path, NULL, &list, err);
	return r < 0 ? r : cli_print_list(cli, list, "pairs", COLUMNS(pair_columns), err);
}
