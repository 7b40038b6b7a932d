/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_KV_PAGES_H
#define SEAL_ROT_KV_PAGES_H

/*
 * Checksums in the pages of a SQLite file, by the way SQLite looks at files ("VFS").  A file has them when it was
 * made, or rewritten, after rot_pages_ask; then a page that is not as it was written is SQLITE_IOERR_DATA.
 */

#include <sqlite3.h>
#include <stdbool.h>

/* The name to open a file by. */
const char *rot_pages_name(void);
/* Before anything is in the file, or before VACUUM: from then on its pages have room for checksums. */
int rot_pages_ask(sqlite3 *db);
/* After the first page was read or written. */
bool rot_pages_are_summed(sqlite3 *db);
/* Is there a page in the file whose checksum is missing? */
int rot_pages_are_bare(sqlite3 *db, bool *ret_bare);
/* From now on such a page is damage. */
void rot_pages_insist(sqlite3 *db);

#endif
