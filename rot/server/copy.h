/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_COPY_H
#define SEAL_ROT_COPY_H

/* Whole stores, record by record, and what they come to: for backup, restore and migration.  Knows no record. */

#include "base/crypto/crypto.h"
#include "rot/kv/kv.h"

/* What a store holds, in the order of its keys: SHA-256 over the records as a backup has them (rot/server/backup.h). */
struct rot_sum {
	uint64_t records;
	uint8_t digest[SEAL_HASH_LEN];
};

/* One record as a backup has it: its key with its length before it, 2 bytes, and its value, 4 bytes, big endian. */
#define ROT_RECORD_HEAD 2
#define ROT_RECORD_LEN  4

/* Hand every record to fn, in order. */
struct rot_source {
	int (*each)(void *arg, rot_kv_fn fn, void *fn_arg, struct seal_err *err);
	void *arg;
};
/* All of a store, in one transaction of it. */
SEAL_CHECKED int rot_source_kv(void *kv, rot_kv_fn fn, void *fn_arg, struct seal_err *err);

SEAL_CHECKED int rot_sum_source(const struct rot_source *source, struct rot_sum *ret_sum,
				struct seal_err *err);
/* Put everything into a store that is being filled, then read it back: SEAL_E_SYSTEM when it is not the same. */
SEAL_CHECKED int rot_copy(const struct rot_source *source, struct rot_kv *to,
			  struct rot_sum *ret_sum, struct seal_err *err);

#endif
