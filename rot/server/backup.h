/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_BACKUP_H
#define SEAL_ROT_BACKUP_H

/*
 * A backup: one file, of one form for both engines (docs/BACKUP.md).
 *
 *   "seal-backup.1\n"
 *   length of the header, 4 bytes, big endian; the header, JSON
 *   each record, in the order of their keys: key with its length before it, 2 bytes; value, 4 bytes
 *   SHA-256 of everything before it
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto/crypto.h"
#include "base/names/names.h"
#include "rot/server/copy.h"

#define ROT_BACKUP_MAGIC "seal-backup.1\n"

struct rot_backup_info {
	char store[ROT_KV_ORIGIN_MAX + 1]; /* which it is of */
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	uint64_t schema;
	int64_t created_at;
	uint64_t records;
	uint8_t digest[SEAL_HASH_LEN]; /* the file's last bytes */
};

/*
 * Write what the store holds at one moment; kv is a reader.  The file is there whole, on disk, mode 0600, or not at
 * all.  Without replace, SEAL_E_CONFLICT when something is there.
 */
SEAL_CHECKED int rot_backup_write(struct rot_kv *kv, const char *path, bool replace, int64_t now,
				  struct rot_backup_info *ret_info, struct seal_err *err);

/* One that was read once, to the end, and is what it was when it was written. */
struct rot_backup;
SEAL_CHECKED int rot_backup_open(struct rot_backup **ret_backup, const char *path,
				 struct seal_err *err);
void rot_backup_close(struct rot_backup *backup);
void rot_backup_closep(struct rot_backup **backup);
const struct rot_backup_info *rot_backup_info(const struct rot_backup *backup);
/* For struct rot_source; arg is the backup. */
SEAL_CHECKED int rot_backup_each(void *backup, rot_kv_fn fn, void *fn_arg, struct seal_err *err);

#endif
