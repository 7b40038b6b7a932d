/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator does to the store as a whole, on the machine where it is: options, handed to the vault, and what has
 * to be done next.
 */

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "rot/cli/cli.h"
#include "rot/server/vault.h"

static const struct cli_column backup_columns[] = {
	{ "FILE", "file", CLI_TEXT },
	{ "STORE", "store", CLI_TEXT },
	{ "TRUST DOMAIN", "trust_domain", CLI_TEXT },
	{ "MADE", "created_at", CLI_TIME },
	{ "RECORDS", "records", CLI_TEXT },
	{ "SHA-256", "digest", CLI_TEXT },
};

static const struct cli_column restore_columns[] = {
	{ "FILE", "file", CLI_TEXT },       { "OF STORE", "from", CLI_TEXT },
	{ "MADE", "created_at", CLI_TIME }, { "RECORDS", "records", CLI_TEXT },
	{ "STORE", "store", CLI_TEXT },     { "PLACE", "place", CLI_TEXT },
	{ "NEXT", "next", CLI_TEXT },
};

static const struct cli_column store_columns[] = {
	{ "PLACE", "place", CLI_TEXT },
	{ "STORE", "store", CLI_TEXT },
	{ "RECORDS", "records", CLI_TEXT },
	{ "NEXT", "next", CLI_TEXT },
};

static const struct cli_column rekey_columns[] = {
	{ "KEY", "number", CLI_TEXT },        { "RECORDS", "records", CLI_TEXT },
	{ "KEY FILE", "kek_file", CLI_TEXT }, { "OLD KEY", "old_kek_file", CLI_TEXT },
	{ "NEXT", "next", CLI_TEXT },
};

struct rot_place_options
cli_store_options(const struct cli *cli)
{
	return (struct rot_place_options){ .store = cli->opt.store,
					   .prefix = cli->opt.store_prefix,
					   .ca = cli->opt.store_ca,
					   .cert = cli->opt.store_cert,
					   .key = cli->opt.store_key };
}

static int
need_dir(const struct cli *cli, struct rot_vault *vault, struct seal_err *err)
{
	if (cli->opt.dir == NULL || cli->opt.dir[0] == '\0')
		return seal_fail(err, SEAL_E_USAGE, "say which: --dir DIR");
	*vault = (struct rot_vault){ .dir = cli->opt.dir,
				     .store = cli_store_options(cli),
				     .now = (int64_t)time(NULL) };
	return 0;
}

static void
set_info(struct seal_json *json, const struct rot_backup_info *info)
{
	char digest[2 * SEAL_HASH_LEN + 1];

	seal_hex_encode(digest, info->digest, SEAL_HASH_LEN);
	seal_json_set_str(json, "trust_domain", info->trust_domain);
	seal_json_set_i64(json, "created_at", info->created_at);
	seal_json_set_u64(json, "records", info->records);
	seal_json_set_str(json, "digest", digest);
}

int
cli_backup(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct rot_backup_info info = { .records = 0 };
	struct rot_vault vault;
	int r = need_dir(cli, &vault, err);

	if (r == 0 && cli->opt.out == NULL)
		r = seal_fail(err, SEAL_E_USAGE, "say where to write it: -o FILE");
	if (r == 0)
		r = rot_vault_backup(&vault, cli->opt.out, cli->opt.force, &info, err);
	if (r < 0)
		return r;
	seal_json_set_str(json, "file", cli->opt.out);
	seal_json_set_str(json, "store", info.store);
	set_info(json, &info);
	return cli_print(cli, json, backup_columns, SEAL_COUNT(backup_columns), err);
}

static void
set_found(struct seal_json *json, const struct rot_vault_found *found)
{
	seal_json_set_str(json, "place", found->place);
	seal_json_set_str(json, "store", found->id);
	seal_json_set_u64(json, "records", found->records);
}

int
cli_restore(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct rot_backup_info info = { .records = 0 };
	struct rot_vault_found found = { .records = 0 };
	struct rot_vault vault;
	int r = need_dir(cli, &vault, err);

	if (r == 0 && cli->opt.force)
		r = cli_confirm(cli, "Move aside what is there, and restore the backup?", err);
	if (r == 0)
		r = rot_vault_restore(&vault, cli->args[0], cli->opt.force, &info, &found, err);
	if (r < 0)
		return r;
	seal_json_set_str(json, "file", cli->args[0]);
	seal_json_set_str(json, "from", info.store);
	set_info(json, &info);
	set_found(json, &found);
	if (cli->format == CLI_TABLE)
		seal_json_set_str(json, "next",
				  "put its key-encryption key in place, start seal-rot, and see "
				  "docs/BACKUP.md: what was issued since the backup is not known");
	return cli_print(cli, json, restore_columns, SEAL_COUNT(restore_columns), err);
}

int
cli_store_check(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct rot_vault_found found = { .records = 0 };
	struct rot_vault vault;
	int r = need_dir(cli, &vault, err);

	if (r == 0)
		r = rot_vault_check(&vault, &found, err);
	if (r < 0)
		return r;
	set_found(json, &found);
	return cli_print(cli, json, store_columns, SEAL_COUNT(store_columns) - 1, err);
}

int
cli_store_migrate(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct rot_vault_found found = { .records = 0 };
	struct rot_vault vault;
	int r = need_dir(cli, &vault, err);

	if (r == 0 && cli->opt.to == NULL)
		r = seal_fail(err, SEAL_E_USAGE,
			      "say where to: --to sqlite, or --to etcd:https://HOST:PORT,...");
	if (r < 0)
		return r;
	vault.store.store = cli->opt.to;
	r = rot_vault_migrate(&vault, &found, err);
	if (r < 0)
		return r;
	set_found(json, &found);
	if (cli->format == CLI_TABLE)
		seal_json_set_str(json, "next",
				  "start seal-rot; where the store was it can no longer be served");
	return cli_print(cli, json, store_columns, SEAL_COUNT(store_columns), err);
}

/* ---- The key-encryption key ---- */

static int
set_path(struct seal_json *json, const char *name, const char *dir, const char *file,
	 struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes path = SEAL_BYTES(8192);
	int r = seal_bytes_append_fmt(&path, err, "%s/%s", dir, file);

	if (r == 0)
		seal_json_set_str(json, name, seal_bytes_str(&path));
	return r;
}

static int
report_rekey(const struct cli *cli, const struct rot_rekeyed *rekeyed, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	int r = 0;

	seal_json_set_u64(json, "number", rekeyed->number);
	seal_json_set_u64(json, "records", rekeyed->records);
	if (rekeyed->made_file)
		r = set_path(json, "kek_file", cli->opt.dir, ROT_KEK_NAME, err);
	else if (cli->opt.new_kek_file != NULL)
		seal_json_set_str(json, "kek_file", cli->opt.new_kek_file);
	if (r == 0 && rekeyed->kept_old[0] != '\0')
		r = set_path(json, "old_kek_file", cli->opt.dir, rekeyed->kept_old, err);
	if (cli->format == CLI_TABLE)
		seal_json_set_str(json, "next",
				  "keep the old key as long as the backups that are under it");
	return r < 0 ? r : cli_print(cli, json, rekey_columns, SEAL_COUNT(rekey_columns), err);
}

int
cli_rekey(struct cli *cli, struct seal_err *err)
{
	const struct rot_kek_source old_kek = { .file = cli->opt.kek_file,
						.passphrase_file = cli->opt.kek_passphrase_file };
	const struct rot_kek_source new_kek = { .file = cli->opt.new_kek_file,
						.passphrase_file = cli->opt.new_passphrase_file };
	struct rot_rekeyed rekeyed = { .number = 0 };
	struct rot_vault vault;
	int r = need_dir(cli, &vault, err);

	if (r == 0)
		r = rot_kek_source_check(&old_kek, err);
	if (r == 0)
		r = rot_kek_source_check(&new_kek, err);
	if (r == 0)
		r = rot_vault_rekey(&vault, &old_kek, &new_kek, &rekeyed, err);
	return r < 0 ? r : report_rekey(cli, &rekeyed, err);
}
