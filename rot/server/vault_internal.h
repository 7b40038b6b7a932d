/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_VAULT_INTERNAL_H
#define SEAL_ROT_VAULT_INTERNAL_H

/* Between the files of the vault: directories with their files put into place. */

#include "rot/server/home.h"
#include "rot/server/store.h"
#include "rot/server/vault.h"

#define ROT_DB_NEXT ROT_DB_NAME ".new" /* a store that is being filled */

/* An entry of the store's audit log, if it has one, by whoever runs this; part of the transaction that is open, if one is. */
SEAL_CHECKED int rot_vault_note(struct rot_store *store, enum audit_kind kind, const char *subject,
				int64_t now, struct seal_err *err);
void rot_vault_describe(const struct rot_place *place, const char *id, uint64_t records,
			struct rot_vault_found *found);
/* The same place, but for SQLite its file under another name, in DIR. */
SEAL_CHECKED int rot_vault_beside(const struct rot_place *place, const struct rot_home *home,
				  struct rot_place *ret_place, struct seal_err *err);
bool rot_vault_has(const struct rot_home *home, const char *name);
/* Give DIR/seal.db, with whatever SQLite has put beside it, the name seal.db.WORD. */
SEAL_CHECKED int rot_vault_put_aside(const struct rot_home *home, const char *word,
				     struct seal_err *err);
/* DIR/seal.db.new becomes DIR/seal.db, where nothing is any more. */
SEAL_CHECKED int rot_vault_put_in_place(const struct rot_home *home, struct seal_err *err);
/* Whatever is left of one that was never finished. */
void rot_vault_drop_next(const struct rot_home *home);
SEAL_CHECKED int rot_vault_rename(const struct rot_home *home, const char *from, const char *to,
				  struct seal_err *err);
/* The same, but SEAL_E_CONFLICT when something has the name already. */
SEAL_CHECKED int rot_vault_rename_new(const struct rot_home *home, const char *from, const char *to,
				      struct seal_err *err);

#endif
