/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several roots of trust by name.  A profile is a directory with a credential and the URLs it is for:
 *
 *   $XDG_CONFIG_HOME/seal/       ~/.config/seal
 *     current                    the name of the profile that 'seal profile use' chose
 *     profiles/NAME/             0700
 *       ca.pem cert.pem key.pem urls                                                     0600
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/cli/cli.h"

#define CURRENT_NAME "current"
#define MAX_NAME     64

static const struct cli_column columns[] = {
	{ "NAME", "name", CLI_TEXT },
	{ "CURRENT", "current", CLI_TEXT },
	{ "ROLE", "role", CLI_TEXT },
	{ "OPERATOR", "operator", CLI_TEXT },
	{ "TRUST DOMAIN", "trust_domain", CLI_TEXT },
	{ "URLS", "urls", CLI_TEXT },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "PROBLEM", "problem", CLI_TEXT },
};

/* A problem has a column of its own in lists alone: otherwise it is the error. */
#define ONE_COLUMNS (SEAL_COUNT(columns) - 1)

/* ---- Names and places ---- */

int
cli_config_path(const char *below, char out[static PATH_MAX], struct seal_err *err)
{
	const char *config = cli_variable("XDG_CONFIG_HOME");
	const char *home = cli_variable("HOME");
	int len;

	if (config == NULL && home == NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "neither XDG_CONFIG_HOME nor HOME is set: say where the "
				 "credential is with --credentials DIR");
	len = snprintf(out, PATH_MAX, "%s%s/seal%s%s", config != NULL ? config : home,
		       config != NULL ? "" : "/.config", below[0] != '\0' ? "/" : "", below);
	if (len < 0 || len >= PATH_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "the path of the configuration is too long");
	return 0;
}

int
cli_profile_check(const char *name, struct seal_err *err)
{
	size_t len = strlen(name);

	if (len > 0 && len <= MAX_NAME && name[0] != '.' && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		    len)
		return 0;
	return seal_fail(err, SEAL_E_FORMAT,
			 "'%.64s' is no name for a profile: up to %d letters, digits, '.', '_' and "
			 "'-', a letter or digit first",
			 name, MAX_NAME);
}

int
cli_profile_path(const char *name, char out[static PATH_MAX], struct seal_err *err)
{
	char below[MAX_NAME + 16];
	int r = cli_profile_check(name, err);

	if (r < 0)
		return r;
	(void)snprintf(below, sizeof(below), "profiles/%s", name);
	return cli_config_path(below, out, err);
}

int
cli_profile_current(char **ret_name, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(MAX_NAME + 1);
	char path[PATH_MAX];
	size_t len;
	int r;

	r = cli_config_path(CURRENT_NAME, path, err);
	if (r == 0)
		r = seal_fs_read_public(&text, AT_FDCWD, path, text.max, err);
	if (r == SEAL_E_MISSING) {
		*ret_name = NULL;
		return 0;
	}
	if (r < 0)
		return r;
	len = strcspn(seal_bytes_str(&text), "\n");
	*ret_name = seal_strndup(seal_bytes_str(&text), len);
	if (*ret_name == NULL)
		return seal_fail_memory(err);
	r = cli_profile_check(*ret_name, err);
	if (r == 0)
		return 0;
	free(*ret_name);
	*ret_name = NULL;
	return seal_note(err, r, "%s", path);
}

static int
no_profile(const char *name, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING,
			 "there is no profile '%s': 'seal profile list' shows what there is", name);
}

/* Its directory, open, nobody else's. */
static int
open_profile(const char *name, struct seal_err *err)
{
	char path[PATH_MAX];
	int r = cli_profile_path(name, path, err);

	if (r == 0)
		r = seal_fs_open_dir(path, SEAL_FS_PRIVATE, err);
	return r == SEAL_E_MISSING ? no_profile(name, err) : r;
}

int
cli_profile_read(const char *name, struct cli_credential *ret_credential, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	SEAL_SCOPED(seal_closep) int dirfd = open_profile(name, err);
	int r;

	if (dirfd < 0)
		return dirfd;
	r = cli_credential_read(&credential, dirfd, err);
	if (r == 0 && credential.urls.count == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "it says no URL in '%s'", CLI_URLS_NAME);
	if (r < 0)
		return seal_note(err, r, "profile '%s'", name);
	*ret_credential = credential;
	memset(&credential, 0, sizeof(credential)); /* the caller owns it now */
	return 0;
}

/* ---- list ---- */

static void
set_profile(struct seal_json *object, const char *name, bool is_current,
	    const struct cli_credential *credential)
{
	seal_json_set_str(object, "name", name);
	seal_json_set_bool(object, "current", is_current);
	seal_json_set_str(object, "role", credential->identity.operator_role);
	seal_json_set_str(object, "operator", credential->identity.operator_name);
	seal_json_set_str(object, "trust_domain", credential->identity.trust_domain);
	seal_json_set_strv(object, "urls", &credential->urls);
	seal_json_set_i64(object, "not_after", credential->not_after);
}

/* One that cannot be read is there all the same, with what is wrong with it. */
static void
add_profile(struct seal_json *list, const char *name, const char *current)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	struct seal_json *object = seal_json_add_object(list);
	struct seal_err why = { 0 };
	bool is_current = strcmp(name, current) == 0;

	if (cli_profile_read(name, &credential, &why) == 0) {
		set_profile(object, name, is_current, &credential);
		return;
	}
	seal_json_set_str(object, "name", name);
	seal_json_set_bool(object, "current", is_current);
	seal_json_set_str(object, "problem", why.text);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_name(const struct dirent *entry)
{
	return cli_profile_check(entry->d_name, NULL) == 0;
}

int
cli_profile_names(struct seal_strv *ret_names, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int count, r;

	r = cli_config_path("profiles", path, err);
	if (r < 0)
		return r;
	count = scandir(path, &entries, is_name, by_name);
	if (count < 0 && errno != ENOENT)
		return seal_fail_errno(err, errno, "'%s'", path);
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = seal_strv_add(&names, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	if (r < 0)
		return r;
	*ret_names = names;
	memset(&names, 0, sizeof(names)); /* the caller owns it now */
	return 0;
}

int
cli_profile_list(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *list = NULL;
	struct seal_json *all;
	char *current = NULL;
	int r;

	r = cli_profile_names(&names, err);
	if (r == 0)
		r = cli_profile_current(&current, err);
	if (r < 0)
		return r;
	list = seal_json_new();
	all = seal_json_set_array(list, "profiles");
	for (size_t i = 0; i < names.count; i++)
		add_profile(all, names.items[i], current != NULL ? current : CLI_PROFILE_DEFAULT);
	free(current);
	return cli_print_list(cli, list, "profiles", columns, SEAL_COUNT(columns), err);
}

static int
print_profile(const struct cli *cli, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	char *current = NULL;
	int r;

	r = cli_profile_current(&current, err);
	if (r == 0)
		r = cli_profile_read(name, &credential, err);
	if (r == 0) {
		set_profile(json, name,
			    strcmp(name, current != NULL ? current : CLI_PROFILE_DEFAULT) == 0,
			    &credential);
		r = cli_print(cli, json, columns, ONE_COLUMNS, err);
	}
	free(current);
	return r;
}

/* ---- add ---- */

/* Every directory down to the profiles'; those that are there are left as they are. */
static int
make_dirs(struct seal_err *err)
{
	char path[PATH_MAX];
	int r = cli_config_path("profiles", path, err);

	for (char *at = path + 1; r == 0 && at != NULL; at++) {
		at = strchr(at, '/');
		if (at != NULL)
			*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			r = seal_fail_errno(err, errno, "cannot make '%s'", path);
		if (at == NULL)
			break;
		*at = '/';
	}
	return r;
}

static int
read_source(const struct cli *cli, struct cli_credential *credential, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dirfd = seal_fs_open_dir(cli->args[1], SEAL_FS_ANY, err);
	int r = dirfd < 0 ? dirfd : cli_credential_read(credential, dirfd, err);

	if (r < 0)
		return seal_note(err, r, "credential in '%s'", cli->args[1]);
	if (credential->identity.role != SEAL_ROLE_OPERATOR)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' holds no operator's credential",
				 cli->args[1]);
	if (cli->opt.urls.count > 0) {
		seal_strv_release(&credential->urls);
		r = seal_strv_copy(&credential->urls, &cli->opt.urls, err);
	}
	if (r == 0 && credential->urls.count == 0)
		return seal_fail(err, SEAL_E_USAGE,
				 "say where its root of trust is: --url https://HOST[:PORT]");
	return r;
}

int
cli_profile_add(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	char path[PATH_MAX];
	int r;

	r = cli_profile_path(cli->args[0], path, err);
	if (r == 0)
		r = cli_urls_check(&cli->opt.urls, err);
	if (r == 0)
		r = read_source(cli, &credential, err);
	if (r == 0)
		r = make_dirs(err);
	if (r < 0)
		return r;
	r = cli_place_new(&place, path, err);
	if (r == SEAL_E_CONFLICT)
		return seal_fail(err, r,
				 "there is a profile '%s' already: choose another name, or remove "
				 "it (seal profile remove %s)",
				 cli->args[0], cli->args[0]);
	if (r == 0)
		r = cli_credential_write(&place, &credential, CLI_WRITE_NEW, err);
	if (r < 0)
		return r;
	cli_credential_warn(&credential, (int64_t)time(NULL));
	return print_profile(cli, cli->args[0], err);
}

/* ---- use, remove ---- */

static int
open_config(struct seal_err *err)
{
	char path[PATH_MAX];
	int r = cli_config_path("", path, err);

	return r < 0 ? r : seal_fs_open_dir(path, SEAL_FS_ANY, err);
}

int
cli_profile_use(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	char text[MAX_NAME + 2];
	int r = cli_profile_read(cli->args[0], &credential, err);

	if (r < 0)
		return r;
	dirfd = open_config(err);
	if (dirfd < 0)
		return dirfd;
	(void)snprintf(text, sizeof(text), "%s\n", cli->args[0]);
	r = seal_fs_write(dirfd, CURRENT_NAME, text, strlen(text), 0600, true, err);
	return r < 0 ? r : print_profile(cli, cli->args[0], err);
}

/* What we made, and nothing else. */
static int
remove_files(const char *name, struct seal_err *err)
{
	static const char *const files[] = { "key.pem", "cert.pem", "ca.pem", CLI_URLS_NAME };
	SEAL_SCOPED(seal_closep) int dirfd = -1;
	char path[PATH_MAX];
	int r = cli_profile_path(name, path, err);

	if (r < 0)
		return r;
	dirfd = seal_fs_open_dir(path, SEAL_FS_ANY, err);
	if (dirfd < 0)
		return dirfd;
	for (size_t i = 0; i < SEAL_COUNT(files); i++) {
		if (unlinkat(dirfd, files[i], 0) < 0 && errno != ENOENT)
			return seal_fail_errno(err, errno, "cannot remove '%s/%s'", path, files[i]);
	}
	if (rmdir(path) < 0)
		return seal_fail_errno(err, errno, "cannot remove '%s'", path);
	return 0;
}

/* No longer the one in use; a current file that cannot be read stays for its reader to tell. */
static int
forget_current(const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dirfd = open_config(err);
	char *current = NULL;
	int r = dirfd < 0 ? dirfd : cli_profile_current(&current, err);

	if (r == 0 && current != NULL && strcmp(current, name) == 0 &&
	    unlinkat(dirfd, CURRENT_NAME, 0) < 0)
		r = seal_fail_errno(err, errno, "cannot remove '%s'", CURRENT_NAME);
	free(current);
	return r;
}

int
cli_profile_remove(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	static const struct cli_column removed[] = { { "REMOVED", "name", CLI_TEXT } };
	char question[MAX_NAME + 64];
	char path[PATH_MAX];
	struct stat st;
	int r = cli_profile_path(cli->args[0], path, err);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? no_profile(cli->args[0], err)
				       : seal_fail_errno(err, errno, "'%s'", path);
	(void)snprintf(question, sizeof(question), "remove profile %s with its key", cli->args[0]);
	r = cli_confirm(cli, question, err);
	if (r == 0)
		r = remove_files(cli->args[0], err);
	if (r == 0)
		r = forget_current(cli->args[0], err);
	if (r < 0)
		return r;
	json = seal_json_new();
	seal_json_set_str(json, "name", cli->args[0]);
	return cli_print(cli, json, removed, SEAL_COUNT(removed), err);
}
