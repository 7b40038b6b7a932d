/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators: whoever else may tell the root of trust something.  Their keys are made here, and go nowhere but into
 * their directory.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs/fs.h"
#include "rot/cli/cli.h"

static const struct cli_column list_columns[] = {
	{ "NAME", "name", CLI_TEXT },          { "ROLE", "role", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },        { "EXPIRES", "not_after", CLI_TIME },
	{ "RENEWED", "renewed_at", CLI_TIME }, { "CREATED", "created_at", CLI_TIME },
};

static const struct cli_column one_columns[] = {
	{ "NAME", "name", CLI_TEXT },          { "ROLE", "role", CLI_TEXT },
	{ "STATE", "state", CLI_TEXT },        { "SERIAL", "serial", CLI_TEXT },
	{ "CREATED", "created_at", CLI_TIME }, { "EXPIRES", "not_after", CLI_TIME },
	{ "REVOKED", "revoked_at", CLI_TIME }, { "DIRECTORY", "directory", CLI_TEXT },
};

/* What of the answer is shown; the rest is in files. */
static const char *const members[] = { "name",       "role",      "state",      "serial",
				       "created_at", "not_after", "renewed_at", "revoked_at",
				       "admins",     NULL };

static int
print_operator(const struct cli *cli, const struct seal_json *reply, const char *directory,
	       struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();

	cli_copy_members(json, reply, members);
	if (directory != NULL)
		seal_json_set_str(json, "directory", directory);
	return cli_print(cli, json, one_columns,
			 SEAL_COUNT(one_columns) - (directory == NULL ? 1 : 0), err);
}

/* A new key, and the request for a certificate of it. */
static int
new_request(struct seal_key **ret_key, struct seal_json **ret_request, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes csr = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int r;

	r = seal_key_new(&key, err);
	if (r == 0)
		r = seal_csr_new(&csr, key, err);
	if (r < 0)
		return r;
	*ret_request = seal_json_new();
	seal_json_set_str(*ret_request, "csr", seal_bytes_str(&csr));
	*ret_key = SEAL_TAKE(key);
	return 0;
}

/* ---- Adding ---- */

static int
check_order(const struct cli *cli, struct seal_err *err)
{
	static const char *const roles[] = { "admin", "auditor", "ci" };
	int r = seal_operator_check(cli->args[0], err);

	if (r < 0)
		return r;
	if (cli->opt.role == NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "say what it may do: --role admin, ci or auditor");
	for (size_t i = 0; i < SEAL_COUNT(roles); i++) {
		if (strcmp(cli->opt.role, roles[i]) == 0)
			return 0;
	}
	return seal_fail(err, SEAL_E_USAGE, "'%s' is no role: --role admin, ci or auditor",
			 cli->opt.role);
}

/* A credential that is nowhere must not stay good; told, should that fail as well. */
static int
take_back(struct cli *cli, int r, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	char path[128];

	(void)snprintf(path, sizeof(path), "/v1/operators/%s", cli->args[0]);
	if (cli_call(cli, "DELETE", path, NULL, &reply, NULL) == 0)
		return seal_note(err, r, "the operator was revoked again");
	return seal_note(err, r, "nobody has its credential: seal operator revoke %s",
			 cli->args[0]);
}

int
cli_operator_add(struct cli *cli, struct seal_err *err)
{
	const char *directory = cli->opt.file != NULL ? cli->opt.file : cli->args[0];
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int r;

	r = check_order(cli, err);
	if (r == 0)
		r = cli_place_new(&place, directory, err);
	if (r == 0)
		r = new_request(&key, &request, err);
	if (r < 0)
		return r;
	seal_json_set_str(request, "name", cli->args[0]);
	seal_json_set_str(request, "role", cli->opt.role);
	if (cli->opt.ttl != 0)
		seal_json_set_u64(request, "ttl", cli->opt.ttl);
	r = cli_call(cli, "POST", "/v1/operators", request, &reply, err);
	if (r < 0)
		return r;
	r = cli_credential_take(&credential, reply, &key, err);
	if (r == 0)
		r = cli_credential_write(&place, &credential, CLI_WRITE_NEW, err);
	if (r < 0)
		return take_back(cli, r, err);
	return print_operator(cli, reply, directory, err);
}

/* ---- Listing, revoking ---- */

int
cli_operator_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	int r = cli_call_list(cli, "/v1/operators", "", "operators", &list, err);

	return r < 0 ? r
		     : cli_print_list(cli, list, "operators", list_columns,
				      SEAL_COUNT(list_columns), err);
}

/* Is this operator the only live admin? */
static int
is_last_admin(struct cli *cli, const char *name, bool *ret_is_last, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	const struct seal_json *all = NULL;
	bool is_one = false, others = false;
	int r;

	r = cli_call_list(cli, "/v1/operators", "", "operators", &list, err);
	if (r == 0)
		r = seal_json_get_array(list, "operators", &all, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(all); i++) {
		const struct seal_json *one = seal_json_at(all, i);
		const char *who = "", *role = "", *state = "";

		r = seal_json_get_str(one, "name", &who, err);
		if (r == 0)
			r = seal_json_get_str(one, "role", &role, err);
		if (r == 0)
			r = seal_json_get_str(one, "state", &state, err);
		if (strcmp(role, "admin") != 0 || strcmp(state, "live") != 0)
			continue;
		if (strcmp(who, name) == 0)
			is_one = true;
		else
			others = true;
	}
	*ret_is_last = is_one && !others;
	return r;
}

static int
ask_to_revoke(struct cli *cli, struct seal_err *err)
{
	char question[256];
	bool is_last = false;
	int r;

	if (!cli->opt.yes && cli_can_ask()) {
		r = is_last_admin(cli, cli->args[0], &is_last, err);
		if (r < 0)
			return r;
	}
	(void)snprintf(question, sizeof(question), "revoke operator %s%s", cli->args[0],
		       is_last ? ", the last admin (only the local socket remains)" : "");
	return cli_confirm(cli, question, err);
}

int
cli_operator_revoke(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	uint64_t admins = 1;
	char path[128];
	int r;

	r = seal_operator_check(cli->args[0], err);
	if (r == 0)
		r = ask_to_revoke(cli, err);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/v1/operators/%s", cli->args[0]);
	r = cli_call(cli, "DELETE", path, NULL, &reply, err);
	if (r < 0)
		return r;
	if (seal_json_get_u64(reply, "admins", INT64_MAX, &admins, NULL) == 0 && admins == 0)
		(void)fputs("seal: warning: no admin is left: only the local socket remains "
			    "(seal --dir DIR, on the machine of seal-rot)\n",
			    stderr);
	return print_operator(cli, reply, NULL, err);
}

/* ---- Renewing one's own ---- */

/* The directory as the place where its successor will stand.  Anything else in it would be lost. */
static int
find_place(const char *path, struct cli_place *ret_place, struct seal_err *err)
{
	static const char *const ours[] = { ".",        "..",      "ca.pem",
					    "cert.pem", "key.pem", CLI_URLS_NAME };
	const struct dirent *entry;
	char full[PATH_MAX];
	DIR *dir;
	int r = 0;

	if (realpath(path, full) == NULL || (dir = opendir(full)) == NULL)
		return seal_fail_errno(err, errno, "'%s'", path);
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		bool known = false;

		for (size_t i = 0; i < SEAL_COUNT(ours); i++)
			known = known || strcmp(entry->d_name, ours[i]) == 0;
		if (!known)
			r = seal_fail(err, SEAL_E_CONFLICT,
				      "'%s' holds '%.64s' besides the credential, and is replaced "
				      "as a whole: make it a profile first (seal profile add NAME "
				      "%s)",
				      path, entry->d_name, path);
	}
	(void)closedir(dir);
	return r < 0 ? r : cli_place_old(ret_place, full, err);
}

/* Whatever the answer says, it must be us, and no more than us. */
static int
check_same(const struct cli_credential *old, const struct cli_credential *next,
	   struct seal_err *err)
{
	char was[SEAL_IDENTITY_URI_MAX], is[SEAL_IDENTITY_URI_MAX];

	seal_identity_format(&old->identity, was);
	seal_identity_format(&next->identity, is);
	if (strcmp(was, is) != 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "the root of trust answered with a certificate for '%s'", is);
	return 0;
}

static int
renewed_meanwhile(const struct cli *cli, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_CONFLICT,
			 "the credential in '%s' has just been renewed by somebody else",
			 cli->credential_dir);
}

/*
 * One renewal at a time: each ends all certificates but the one it was asked with and the new one.  The lock is on
 * the directory, which the renewal replaces; it lasts until ret_dirfd is closed.
 */
static int
lock_own(const struct cli *cli, const struct cli_place *place, int *ret_dirfd, struct seal_err *err)
{
	struct stat locked, there;

	*ret_dirfd = openat(place->dirfd, place->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dirfd < 0)
		return seal_fail_errno(err, errno, "'%s'", cli->credential_dir);
	if (flock(*ret_dirfd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? seal_fail(err, SEAL_E_CONFLICT,
					   "the credential in '%s' is just being renewed by "
					   "somebody else",
					   cli->credential_dir)
			       : seal_fail_errno(err, errno, "'%s'", cli->credential_dir);
	if (fstat(*ret_dirfd, &locked) < 0 ||
	    fstatat(place->dirfd, place->name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return seal_fail_errno(err, errno, "'%s'", cli->credential_dir);
	if (locked.st_dev != there.st_dev || locked.st_ino != there.st_ino)
		return renewed_meanwhile(cli, err);
	return 0;
}

/* It must be the one that we have connected with. */
static int
read_own(const struct cli *cli, int dirfd, struct cli_credential *ret_credential,
	 struct seal_err *err)
{
	char serial[SEAL_SERIAL_LEN + 1];
	int r = cli_credential_read(ret_credential, dirfd, err);

	if (r == 0)
		r = seal_cert_serial(seal_certs_at(ret_credential->cert, 0), serial, err);
	if (r == 0 && strcmp(serial, cli->credential_serial) != 0)
		r = renewed_meanwhile(cli, err);
	return r;
}

int
cli_operator_renew(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	SEAL_SCOPED(cli_credential_release) struct cli_credential old = { 0 };
	SEAL_SCOPED(cli_credential_release) struct cli_credential next = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	int r;

	r = cli_connect(cli, err);
	if (r == 0 && cli->is_local)
		return seal_fail(err, SEAL_E_USAGE,
				 "the local socket has no credential: renew one with --profile, or "
				 "--url and --credentials");
	if (r == 0)
		r = find_place(cli->credential_dir, &place, err);
	if (r == 0)
		r = lock_own(cli, &place, &dirfd, err);
	if (r == 0)
		r = read_own(cli, dirfd, &old, err);
	if (r == 0)
		r = new_request(&key, &request, err);
	if (r == 0)
		r = cli_call(cli, "POST", "/v1/operators/self/renew", request, &reply, err);
	if (r == 0)
		r = cli_credential_take(&next, reply, &key, err);
	if (r == 0)
		r = check_same(&old, &next, err);
	if (r < 0)
		return r;
	/* Where it is reached is its owner's choice, and stays. */
	seal_strv_release(&next.urls);
	next.urls = old.urls;
	memset(&old.urls, 0, sizeof(old.urls));
	r = cli_credential_write(&place, &next, CLI_WRITE_OVER, err);
	return r < 0 ? r : print_operator(cli, reply, cli->credential_dir, err);
}
