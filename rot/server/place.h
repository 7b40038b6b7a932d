/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_PLACE_H
#define SEAL_ROT_PLACE_H

/*
 * Where the store of a root of trust is.  DIR/store remembers it, with the store's id, for whatever works on DIR;
 * without that file it is DIR/seal.db.  JSON:
 *
 *   {"store":"sqlite", "id":ID}
 *   {"store":"etcd:https://HOST:PORT,…", "prefix":…, "ca":PATH, "cert":PATH, "key":PATH, "id":ID}
 */

#include <limits.h>
#include <stdbool.h>

#include "base/err/err.h"
#include "rot/kv/kv.h"

#define ROT_DB_NAME    "seal.db"
#define ROT_PLACE_NAME "store"

/* What the command line says; NULL: nothing. */
struct rot_place_options {
	const char *store; /* "sqlite" or "etcd:…" */
	const char *prefix;
	const char *ca;
	const char *cert;
	const char *key;
};

#define ROT_PLACE_STORE_MAX 1024
#define ROT_PLACE_ID_MAX    80

struct rot_place {
	char store[ROT_PLACE_STORE_MAX + 1];
	char prefix[129];
	char ca[PATH_MAX];
	char cert[PATH_MAX];
	char key[PATH_MAX];
	char id[ROT_PLACE_ID_MAX + 1]; /* "": not known */
	char where[PATH_MAX + 16];     /* for the engine */
};

bool rot_place_is_etcd(const struct rot_place *place);
/* Made of options alone; dir: DIR, for SQLite.  SEAL_E_USAGE when they cannot be meant. */
SEAL_CHECKED int rot_place_make(struct rot_place *ret_place, const char *dir,
				const struct rot_place_options *options, struct seal_err *err);
/*
 * What DIR says, and what the options say instead.  SEAL_E_MISSING when there is neither, nor a seal.db.  The id that
 * DIR remembers is kept whatever the options say.
 */
SEAL_CHECKED int rot_place_find(struct rot_place *ret_place, const char *dir, int dir_fd,
				const struct rot_place_options *options, struct seal_err *err);
/* Does DIR hold, or point at, a store? */
bool rot_place_is_taken(int dir_fd);
/* Remember it, whole or not at all. */
SEAL_CHECKED int rot_place_write(const struct rot_place *place, int dir_fd, struct seal_err *err);
/* Lent to the place. */
void rot_place_config(const struct rot_place *place, struct rot_kv_config *ret_config);
/* SEAL_E_REFUSED, naming both, when the store that was found is not the one that DIR remembers. */
SEAL_CHECKED int rot_place_check(const struct rot_place *place, const char *id,
				 struct seal_err *err);
/* For people: "sqlite", or "etcd:… below PREFIX". */
void rot_place_name(const struct rot_place *place, char *out, size_t size);

#endif
