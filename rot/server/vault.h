/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_VAULT_H
#define SEAL_ROT_VAULT_H

/*
 * What is done to a store as a whole, by its operator, at its directory: backup and check while it is served; restore,
 * migration and another key-encryption key while it is not.  Whatever is interrupted left the store as it was, or
 * says so and is finished by doing it again.
 */

#include <stdint.h>

#include "rot/server/backup.h"
#include "rot/server/kek.h"
#include "rot/server/place.h"

struct rot_vault {
	const char *dir;
	struct rot_place_options store; /* of a store that DIR does not remember */
	int64_t now;
};

/* The store that DIR remembers, or options name, opened to be read.  For the server's process is not asked. */
SEAL_CHECKED int rot_vault_backup(const struct rot_vault *vault, const char *file, bool force,
				  struct rot_backup_info *ret_info, struct seal_err *err);

struct rot_vault_found {
	char place[ROT_PLACE_STORE_MAX + 160];
	char id[ROT_PLACE_ID_MAX + 1];
	uint64_t records;
};
/* Every checksum, and all that the engine can check.  SEAL_E_SYSTEM names what is damaged. */
SEAL_CHECKED int rot_vault_check(const struct rot_vault *vault, struct rot_vault_found *ret_found,
				 struct seal_err *err);

/*
 * Make a store of a backup.  SEAL_E_CONFLICT where there is one; with force, what DIR had is moved aside (an etcd's is
 * not: take another prefix).
 */
SEAL_CHECKED int rot_vault_restore(const struct rot_vault *vault, const char *file, bool force,
				   struct rot_backup_info *ret_info,
				   struct rot_vault_found *ret_found, struct seal_err *err);

/*
 * Move the store to where vault->store says.  From then on the old place refuses to be opened.  Naming the place where
 * it is takes a migration back that was interrupted.
 */
SEAL_CHECKED int rot_vault_migrate(const struct rot_vault *vault, struct rot_vault_found *ret_found,
				   struct seal_err *err);

struct rot_rekeyed {
	uint64_t number;
	uint64_t records;
	bool made_file;    /* DIR/kek is the new key */
	char kept_old[48]; /* the file in DIR that is the old one; "": none */
};
#define ROT_KEK_NEXT ROT_KEK_NAME ".new"
/*
 * Put everything under another key-encryption key: new_kek's, or a fresh one in DIR/kek.  SQLite: one transaction.
 * etcd: in steps; from the first on no seal-rot that has the store open can change anything, and none can open
 * it before the last.
 */
SEAL_CHECKED int rot_vault_rekey(const struct rot_vault *vault,
				 const struct rot_kek_source *old_kek,
				 const struct rot_kek_source *new_kek,
				 struct rot_rekeyed *ret_rekeyed, struct seal_err *err);

#endif
