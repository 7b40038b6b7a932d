/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which root of trust is meant, with which credential, and one request to it.  The command line goes
 * before the environment; two answers on one level are an error, never a guess.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/cli/cli.h"

#define MAX_PAGES 100000 /* of 100 entries: a list that is longer does not end */

const char *
cli_variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ---- A remote root of trust ---- */

static int
connect_with(struct cli *cli, const struct cli_credential *credential, const struct seal_strv *urls,
	     const char *path, struct seal_err *err)
{
	const struct rot_client_config config = {
		.urls = urls, .ca = credential->ca, .cert = credential->cert, .key = credential->key
	};
	int len = snprintf(cli->credential_dir, sizeof(cli->credential_dir), "%s", path);
	int r;

	if (len < 0 || (size_t)len >= sizeof(cli->credential_dir))
		return seal_fail(err, SEAL_E_LIMIT, "the path '%.64s...' is too long", path);
	(void)snprintf(cli->where, sizeof(cli->where), "url:%s",
		       urls->count > 0 ? urls->items[0] : "");
	cli_credential_warn(credential, (int64_t)time(NULL));
	r = seal_cert_serial(seal_certs_at(credential->cert, 0), cli->credential_serial, err);
	return r < 0 ? r : rot_client_new(&cli->client, &config, err);
}

static int
connect_urls(struct cli *cli, const struct seal_strv *urls, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	char standard[PATH_MAX];
	const char *path = cli->opt.credentials;
	int r = 0;

	if (path == NULL)
		path = cli_variable("SEAL_CREDENTIALS");
	if (path == NULL) {
		r = cli_config_path("", standard, err);
		path = standard;
	}
	if (r < 0)
		return r;
	dirfd = seal_fs_open_dir(path, SEAL_FS_ANY, err);
	if (dirfd == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_MISSING,
				 "no credential in '%s': say where it is with --credentials DIR",
				 path);
	r = dirfd < 0 ? dirfd : cli_credential_read(&credential, dirfd, err);
	if (r == 0)
		r = connect_with(cli, &credential, urls, path, err);
	return r < 0 ? seal_note(err, r, "credential in '%s'", path) : 0;
}

static int
no_credentials(const struct cli *cli, const char *because, struct seal_err *err)
{
	if (cli->opt.credentials == NULL)
		return 0;
	return seal_fail(err, SEAL_E_USAGE, "--credentials goes with --url; %s", because);
}

static int
connect_profile(struct cli *cli, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	char path[PATH_MAX];
	int r = no_credentials(cli, "a profile has its own", err);

	if (r == 0)
		r = cli_profile_path(name, path, err);
	if (r == 0)
		r = cli_profile_read(name, &credential, err);
	return r < 0 ? r : connect_with(cli, &credential, &credential.urls, path, err);
}

/* ---- The local one ---- */

static int
connect_dir(struct cli *cli, const char *dir, struct seal_err *err)
{
	struct rot_client_config config = { 0 };
	char path[PATH_MAX];
	int len, r;

	r = no_credentials(cli, "the socket of --dir needs none", err);
	if (r < 0)
		return r;
	(void)snprintf(cli->where, sizeof(cli->where), "dir:%s",
		       realpath(dir, path) != NULL ? path : dir);
	len = snprintf(path, sizeof(path), "%s/rot.sock", dir);
	if (len < 0 || (size_t)len >= sizeof(path))
		return seal_fail(err, SEAL_E_LIMIT, "the path '%.64s...' is too long", dir);
	config.unix_path = path;
	cli->is_local = true;
	return rot_client_new(&cli->client, &config, err);
}

/* ---- Which of them ---- */

/* The profile in use: what 'seal profile use' chose, or the one called default, when it is there. */
static int
connect_by_choice(struct cli *cli, struct seal_err *err)
{
	char path[PATH_MAX];
	char *current = NULL;
	int r = cli_config_path("", path, NULL);

	if (r == 0)
		r = cli_profile_current(&current, err);
	else
		r = 0; /* nowhere to look */
	if (r == 0 && current != NULL)
		r = connect_profile(cli, current, err);
	else if (r == 0 && cli_profile_path(CLI_PROFILE_DEFAULT, path, NULL) == 0 &&
		 access(path, F_OK) == 0)
		r = connect_profile(cli, CLI_PROFILE_DEFAULT, err);
	else if (r == 0)
		r = seal_fail(err, SEAL_E_USAGE,
			      "say which root of trust is meant: --dir DIR, or --url URL, or "
			      "--profile NAME");
	free(current);
	return r;
}

static int
connect_by_environment(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv urls = { 0 };
	const char *dir = cli_variable("SEAL_DIR");
	const char *profile = cli_variable("SEAL_PROFILE");
	const char *url = cli_variable("SEAL_URL");
	int r;

	if ((dir != NULL) + (url != NULL) + (profile != NULL) > 1)
		return seal_fail(err, SEAL_E_USAGE,
				 "%s and %s are both set: give --dir or --url, or --profile",
				 dir != NULL ? "SEAL_DIR" : "SEAL_PROFILE",
				 url != NULL ? "SEAL_URL" : "SEAL_PROFILE");
	if (dir != NULL)
		return connect_dir(cli, dir, err);
	if (profile != NULL)
		return connect_profile(cli, profile, err);
	if (url == NULL)
		return connect_by_choice(cli, err);
	r = seal_strv_split(&urls, url, ',', err);
	if (r < 0)
		return seal_note(err, r, "SEAL_URL");
	return connect_urls(cli, &urls, err);
}

int
cli_connect(struct cli *cli, struct seal_err *err)
{
	const bool dir = cli->opt.dir != NULL, urls = cli->opt.urls.count > 0;
	const bool profile = cli->opt.profile != NULL;

	if (cli->client != NULL)
		return 0;
	if (dir + urls + profile > 1)
		return seal_fail(err, SEAL_E_USAGE,
				 "give --dir or --url or --profile, one of them");
	if (dir)
		return connect_dir(cli, cli->opt.dir, err);
	if (urls)
		return connect_urls(cli, &cli->opt.urls, err);
	if (profile)
		return connect_profile(cli, cli->opt.profile, err);
	return connect_by_environment(cli, err);
}

/* ---- One request ---- */

static enum seal_code
code_of(unsigned status)
{
	switch (status) {
	case 400:
		return SEAL_E_FORMAT;
	case 401:
	case 403:
		return SEAL_E_REFUSED;
	case 404:
		return SEAL_E_MISSING;
	case 409:
		return SEAL_E_CONFLICT;
	case 413:
	case 429:
		return SEAL_E_LIMIT;
	default:
		return SEAL_E_SYSTEM;
	}
}

static int
explain(unsigned status, const struct seal_bytes *reply, struct seal_err *err)
{
	char code[64];
	char message[ROT_ERROR_TEXT_MAX];

	rot_error_parse(reply->data, reply->len, code, message);
	if (message[0] == '\0')
		return seal_fail(err, code_of(status),
				 "the root of trust answered %u and gave no reason", status);
	if (status == 429 || status >= 500)
		return seal_fail(err, code_of(status), "%s (%s): try again later", message, code);
	return seal_fail(err, code_of(status), "%s", message);
}

/* A socket that does not answer has one likely reason. */
static int
advise(struct seal_err *err, int r)
{
	struct seal_err told = { 0 };

	if (err == NULL || r != SEAL_E_CLOSED)
		return r;
	told = *err;
	return seal_fail(err, SEAL_E_CLOSED, "%.400s: is seal-rot --dir running?", told.text);
}

/* The answer as it came. */
static int
call_raw(struct cli *cli, const char *method, const char *path, const struct seal_json *body,
	 struct seal_bytes *reply, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_MAX_SEAL_BODY);
	unsigned status = 0;
	int r;

	r = cli_connect(cli, err);
	if (r == 0 && body != NULL)
		r = seal_json_dump(body, false, &text, err);
	if (r < 0)
		return r;
	r = rot_client_call(cli->client, method, path, body != NULL ? text.data : NULL, text.len,
			    &status, reply, err);
	if (r < 0)
		return cli->is_local ? advise(err, r) : r;
	return status >= 300 ? explain(status, reply, err) : 0;
}

int
cli_call(struct cli *cli, const char *method, const char *path, const struct seal_json *body,
	 struct seal_json **ret_reply, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes reply = SEAL_BYTES(CLI_MAX_REPLY);
	int r = call_raw(cli, method, path, body, &reply, err);

	if (r < 0)
		return r;
	r = seal_json_parse(ret_reply, reply.data, reply.len, CLI_MAX_REPLY, err);
	return r < 0 ? seal_note(err, r, "the answer of the root of trust") : 0;
}

int
cli_call_text(struct cli *cli, const char *path, struct seal_bytes *reply, struct seal_err *err)
{
	return call_raw(cli, "GET", path, NULL, reply, err);
}

int
cli_call_where(struct cli *cli, char *out, size_t size, struct seal_err *err)
{
	int r = cli_connect(cli, err);

	if (r < 0)
		return r;
	(void)snprintf(out, size, "%s", cli->where);
	return 0;
}

/* ---- Lists in pages ---- */

/* Add a page to the list; *after becomes the place to continue from, or NULL: that was the last. */
static int
add_page(struct cli *cli, const char *path, const char *member, struct seal_json *all,
	 struct seal_bytes *after, bool *ret_more, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *page = NULL;
	const struct seal_json *entries = NULL;
	const char *next = NULL;
	int r;

	r = cli_call(cli, "GET", path, NULL, &page, err);
	if (r == 0)
		r = seal_json_get_array(page, member, &entries, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < seal_json_count(entries); i++)
		seal_json_add_copy(all, seal_json_at(entries, i));

	*ret_more = seal_json_has(page, "next");
	if (!*ret_more)
		return 0;
	r = seal_json_get_str(page, "next", &next, err);
	if (r < 0)
		return r;
	/* It goes into the next request's path as it is: names and ids are of these letters. */
	if (next[strspn(next, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		return seal_fail(err, SEAL_E_FORMAT, "the root of trust continues at '%s'", next);
	seal_bytes_reset(after);
	return seal_bytes_append_str(after, next, err);
}

int
cli_call_list(struct cli *cli, const char *path, const char *query, const char *member,
	      struct seal_json **ret_list, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes after = SEAL_BYTES(256);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes where = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = seal_json_new();
	struct seal_json *all = seal_json_set_array(list, member);
	bool more = true;
	int r = 0;

	for (int page = 0; more && page < MAX_PAGES; page++) {
		seal_bytes_reset(&where);
		r = seal_bytes_append_fmt(&where, err, "%s?limit=100%s%s%s%s", path,
					  query[0] != '\0' ? "&" : "", query,
					  after.len > 0 ? "&after=" : "", seal_bytes_str(&after));
		if (r == 0)
			r = add_page(cli, seal_bytes_str(&where), member, all, &after, &more, err);
		if (r < 0)
			return r;
	}
	if (more)
		return seal_fail(err, SEAL_E_LIMIT, "the list does not end");
	*ret_list = SEAL_TAKE(list);
	return 0;
}
