/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a backup to a store.  SQLite's file is made beside its place and renamed; etcd is filled in steps, and a store
 * only after the last.  A restored store has a name of its own, and says since when it is one.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "rot/server/store_internal.h"
#include "rot/server/vault_internal.h"

struct restoring {
	const struct rot_vault *vault;
	struct rot_home *home;
	struct rot_backup *backup;
	struct rot_place place;  /* where it will be */
	struct rot_place beside; /* where it is made */
	char origin[ROT_KV_ORIGIN_MAX + 1];
};

static int
choose_place(struct restoring *restoring, bool force, struct seal_err *err)
{
	const struct rot_vault *vault = restoring->vault;
	const char *dir = restoring->home->path;
	int dir_fd = restoring->home->dir_fd;
	int r;

	if (rot_place_is_taken(dir_fd) && !force)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%s holds a root of trust already: name another directory, or "
				 "give --force to move it aside",
				 dir);
	/* After an interruption DIR may remember a place without there being anything yet. */
	r = vault->store.store == NULL && rot_vault_has(restoring->home, ROT_PLACE_NAME)
		    ? rot_place_find(&restoring->place, dir, dir_fd, &vault->store, err)
		    : rot_place_make(&restoring->place, dir, &vault->store, err);
	return r < 0 ? r
		     : rot_vault_beside(&restoring->place, restoring->home, &restoring->beside,
					err);
}

/* ---- Filling ---- */

/* What is said in the store of its having been restored. */
static int
say_restored(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct restoring *restoring = arg;
	const struct rot_backup_info *info = rot_backup_info(restoring->backup);
	struct rot_restored restored = { .backup_at = info->created_at,
					 .restored_at = restoring->vault->now };
	char subject[AUDIT_SUBJECT_MAX];
	int r;

	(void)snprintf(restored.store, sizeof(restored.store), "%.*s",
		       (int)sizeof(restored.store) - 1, info->store);
	(void)snprintf(subject, sizeof(subject), "store %.100s, backup of %" PRId64, info->store,
		       info->created_at);
	r = rot_store_put_restored(store, &restored, err);
	if (r == 0)
		r = rot_vault_note(store, AUDIT_RESTORE, subject, restoring->vault->now, err);
	return r < 0 ? r : rot_store_touch(store, err);
}

static int
fill(struct restoring *restoring, struct rot_kv *kv, struct seal_err *err)
{
	const struct rot_source source = { .each = rot_backup_each, .arg = restoring->backup };
	struct rot_store store = { .kv = kv };
	struct rot_sum sum = { .records = 0 };
	int r = rot_copy(&source, kv, &sum, err);

	if (r == 0)
		r = rot_store_change(&store, say_restored, restoring, err);
	free(store.pending.items);
	if (r == 0)
		r = rot_kv_filled(kv, err);
	if (r == 0)
		(void)snprintf(restoring->place.id, sizeof(restoring->place.id), "%s",
			       rot_kv_id(kv));
	return r;
}

static int
find_tree(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	return strcmp(key, ROT_AUDIT_TREE_KEY) != 0 ? 0 : audit_tree_parse(arg, value, len, err);
}

/* Has the store's audit log nothing beyond the backup's, but that it was restored? */
static bool
is_unused(struct restoring *restoring, struct rot_kv *kv)
{
	struct audit_tree before = { .size = 0 }, after = { .size = 0 }; /* 0: there is none */

	return rot_backup_each(restoring->backup, find_tree, &before, NULL) == 0 &&
	       rot_source_kv(kv, find_tree, &after, NULL) == 0 &&
	       after.size == (before.size > 0 ? before.size + 1 : 0);
}

/* Is what is there already what we would make?  Then it was made, and DIR was not told. */
static int
adopt(struct restoring *restoring, const struct rot_kv_config *config, struct seal_err *why,
      struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	int r = rot_kv_open_reader(&kv, config, NULL);

	if (r < 0 || strcmp(rot_kv_origin(kv), restoring->origin) != 0 || !is_unused(restoring, kv))
		return seal_fail(err, SEAL_E_CONFLICT, "%s: name another place%s", why->text,
				 rot_place_is_etcd(&restoring->place)
					 ? ", for instance with --store-prefix"
					 : "");
	(void)snprintf(restoring->place.id, sizeof(restoring->place.id), "%s", rot_kv_id(kv));
	return 0;
}

static int
make(struct restoring *restoring, struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	struct rot_kv_config config;
	struct seal_err why = { 0 };
	int r;

	if (!rot_place_is_etcd(&restoring->place))
		rot_vault_drop_next(restoring->home);
	rot_place_config(&restoring->beside, &config);
	r = rot_kv_fill(&kv, &config, restoring->origin, &why);
	if (r == SEAL_E_CONFLICT)
		return adopt(restoring, &config, &why, err);
	if (r < 0)
		return seal_fail(err, r, "%s", why.text);
	return fill(restoring, kv, err);
}

/* ---- Putting it into place ---- */

static int
settle(struct restoring *restoring, struct seal_err *err)
{
	struct rot_home *home = restoring->home;
	char word[48];
	int r = 0;

	(void)snprintf(word, sizeof(word), "replaced-%" PRId64, restoring->vault->now);
	if (rot_vault_has(home, ROT_DB_NAME) || rot_vault_has(home, ROT_DB_NAME "-wal"))
		r = rot_vault_put_aside(home, word, err);
	if (r == 0)
		r = rot_place_write(&restoring->place, home->dir_fd, err);
	if (r < 0 || rot_place_is_etcd(&restoring->place))
		return r;
	return rot_vault_put_in_place(home, err);
}

static int
restore(struct restoring *restoring, bool force, struct seal_err *err)
{
	char digest[2 * SEAL_HASH_LEN + 1];
	int r;

	seal_hex_encode(digest, rot_backup_info(restoring->backup)->digest, SEAL_HASH_LEN);
	(void)snprintf(restoring->origin, sizeof(restoring->origin), "backup %s", digest);
	r = choose_place(restoring, force, err);
	if (r == 0)
		r = make(restoring, err);
	return r < 0 ? r : settle(restoring, err);
}

int
rot_vault_restore(const struct rot_vault *vault, const char *file, bool force,
		  struct rot_backup_info *ret_info, struct rot_vault_found *ret_found,
		  struct seal_err *err)
{
	SEAL_SCOPED(rot_backup_closep) struct rot_backup *backup = NULL;
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	struct restoring restoring = { .vault = vault, .home = &home };
	int r;

	/* First of all: what is damaged is not even given a directory. */
	r = rot_backup_open(&backup, file, err);
	if (r == 0)
		r = rot_home_open_any(&home, vault->dir, true, err);
	if (r < 0)
		return r;
	restoring.backup = backup;
	r = restore(&restoring, force, err);
	if (r < 0)
		return r;
	*ret_info = *rot_backup_info(backup);
	rot_vault_describe(&restoring.place, restoring.place.id, ret_info->records, ret_found);
	return 0;
}
