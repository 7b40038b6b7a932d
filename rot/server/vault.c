/* SPDX-License-Identifier: Apache-2.0 */
/* Backup and check, which need nobody's leave; and what the others share. */

#include "rot/server/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/server/vault_internal.h"

#define TRIES 3 /* etcd may be compacted while it is read */

static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", "-lock" };

/* Its lock is not taken: it may be served. */
static int
find(const struct rot_vault *vault, struct rot_place *place, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int dir_fd = seal_fs_open_dir(vault->dir, SEAL_FS_PRIVATE, err);

	if (dir_fd < 0)
		return seal_note(err, dir_fd, "%s", vault->dir);
	return rot_place_find(place, vault->dir, dir_fd, &vault->store, err);
}

static int
open_reader(const struct rot_vault *vault, struct rot_place *place, struct rot_kv **ret_kv,
	    struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	struct rot_kv_config config;
	int r = find(vault, place, err);

	if (r < 0)
		return r;
	rot_place_config(place, &config);
	r = rot_kv_open_reader(&kv, &config, err);
	if (r == 0)
		r = rot_place_check(place, rot_kv_id(kv), err);
	if (r == 0)
		*ret_kv = SEAL_TAKE(kv);
	return r;
}

int
rot_vault_backup(const struct rot_vault *vault, const char *file, bool force,
		 struct rot_backup_info *ret_info, struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	struct rot_place place = { .store = "" };
	int r = open_reader(vault, &place, &kv, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < TRIES; i++) {
		r = rot_backup_write(kv, file, force, vault->now, ret_info, err);
		if (r != SEAL_E_CONFLICT || !rot_place_is_etcd(&place) || access(file, F_OK) == 0)
			break;
	}
	return r;
}

int
rot_vault_note(struct rot_store *store, enum audit_kind kind, const char *subject, int64_t now,
	       struct seal_err *err)
{
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	struct audit_entry entry = { .time = now, .kind = kind, .count = 1 };
	int r = rot_store_audit_log(store, &log, err);

	if (r < 0)
		return r == SEAL_E_MISSING ? 0 : r; /* one of before there were logs */
	(void)snprintf(entry.actor, sizeof(entry.actor), "local/%lu", (unsigned long)getuid());
	(void)snprintf(entry.subject, sizeof(entry.subject), "%s", subject);
	return rot_store_audit_add(store, &entry, err);
}

void
rot_vault_describe(const struct rot_place *place, const char *id, uint64_t records,
		   struct rot_vault_found *found)
{
	rot_place_name(place, found->place, sizeof(found->place));
	(void)snprintf(found->id, sizeof(found->id), "%s", id);
	found->records = records;
}

int
rot_vault_check(const struct rot_vault *vault, struct rot_vault_found *ret_found,
		struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	struct rot_place place = { .store = "" };
	uint64_t records = 0;
	int r = open_reader(vault, &place, &kv, err);

	if (r == 0)
		r = rot_kv_check(kv, &records, err);
	if (r == 0)
		rot_vault_describe(&place, rot_kv_id(kv), records, ret_found);
	return r;
}

/* ---- Files in DIR ---- */

int
rot_vault_beside(const struct rot_place *place, const struct rot_home *home,
		 struct rot_place *ret_place, struct seal_err *err)
{
	struct rot_place beside = *place;
	int n;

	if (!rot_place_is_etcd(place)) {
		n = snprintf(beside.where, sizeof(beside.where), "sqlite:%s/" ROT_DB_NEXT,
			     home->path);
		if (n < 0 || (size_t)n >= PATH_MAX)
			return seal_fail(err, SEAL_E_LIMIT, "%s: the path is too long", home->path);
	}
	*ret_place = beside;
	return 0;
}

bool
rot_vault_has(const struct rot_home *home, const char *name)
{
	return faccessat(home->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
rename_it(const struct rot_home *home, const char *from, const char *to, unsigned flags,
	  struct seal_err *err)
{
	if (renameat2(home->dir_fd, from, home->dir_fd, to, flags) < 0)
		return errno == EEXIST ? seal_fail(err, SEAL_E_CONFLICT, "%s/%s exists already",
						   home->path, to)
				       : seal_fail_errno(err, errno, "cannot rename %s/%s",
							 home->path, from);
	if (fsync(home->dir_fd) < 0)
		return seal_fail_errno(err, errno, "cannot write %s", home->path);
	return 0;
}

int
rot_vault_rename(const struct rot_home *home, const char *from, const char *to,
		 struct seal_err *err)
{
	return rename_it(home, from, to, 0, err);
}

int
rot_vault_rename_new(const struct rot_home *home, const char *from, const char *to,
		     struct seal_err *err)
{
	return rename_it(home, from, to, RENAME_NOREPLACE, err);
}

int
rot_vault_put_aside(const struct rot_home *home, const char *word, struct seal_err *err)
{
	char from[64], to[128];
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(suffixes); i++) {
		(void)snprintf(from, sizeof(from), ROT_DB_NAME "%s", suffixes[i]);
		(void)snprintf(to, sizeof(to), ROT_DB_NAME ".%.32s%s", word, suffixes[i]);
		if (rot_vault_has(home, from))
			r = rot_vault_rename(home, from, to, err);
	}
	return r;
}

int
rot_vault_put_in_place(const struct rot_home *home, struct seal_err *err)
{
	int r;

	/* A log that belongs to another file would be taken for this one's. */
	if (rot_vault_has(home, ROT_DB_NAME) || rot_vault_has(home, ROT_DB_NAME "-wal") ||
	    rot_vault_has(home, ROT_DB_NEXT "-wal"))
		return seal_fail(err, SEAL_E_BUG, "%s is not free", home->path);
	r = rot_vault_rename(home, ROT_DB_NEXT, ROT_DB_NAME, err);
	if (r == 0)
		rot_vault_drop_next(home);
	return r;
}

void
rot_vault_drop_next(const struct rot_home *home)
{
	char name[64];

	for (size_t i = 0; i < SEAL_COUNT(suffixes); i++) {
		(void)snprintf(name, sizeof(name), ROT_DB_NEXT "%s", suffixes[i]);
		(void)unlinkat(home->dir_fd, name, 0); /* mostly there is none */
	}
}
