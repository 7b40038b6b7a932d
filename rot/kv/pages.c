/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every page of the file with a checksum of itself and its number in its last bytes: set when the page is written
 * into the file, compared when it is read from there.  What a disk has changed is found wherever it lies: also where
 * a key would merely seem not to be there, or a page of long ago to be one of now.  The log beside the file has
 * checksums of its own.
 *
 * SQLite leaves room at the end of its pages when it is told to, and looks at files through methods that can be
 * replaced: both are documented.  SQLite itself only ever sees zeros there, and so does the log; a page with zeros
 * was therefore brought into the file by another tool, which found it in the log, or is one whose end the disk has
 * lost.  So they are looked for before the file is used (rot_db_settle), and are damage once it is insisted.  What
 * another tool has changed in a page that had a checksum is damage.
 */

#include "rot/kv/pages.h"

#include <endian.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

#define NAME "seal-pages"

#define PAGE_MIN  512u
#define PAGE_MAX  65536u
#define SUM_LEN   8u
#define SIZE_AT   16 /* in the header of the first page: its size, big endian; 1 is 65536 */
#define ROOM_AT   20 /* and how many bytes are left free at the end */
#define SIZE_HEAD 100

/* A main file: ours, then the real one. */
struct pages {
	sqlite3_file base;
	uint32_t size; /* of a page; 0: not known yet */
	bool summed;
	bool insist; /* on a checksum in every page */
	uint8_t copy[PAGE_MAX];
	_Alignas(sqlite3_int64) uint8_t real[]; /* as SQLite aligns what it hands us */
};

static sqlite3_vfs vfs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static sqlite3_vfs *
beneath(void)
{
	return vfs.pAppData;
}

static struct pages *
pages_of(sqlite3_file *file)
{
	return (struct pages *)file;
}

static sqlite3_file *
real(sqlite3_file *file)
{
	return (sqlite3_file *)(void *)pages_of(file)->real;
}

/* ---- The checksum ---- */

/* Each step is one to one: a page that differs in one word has another sum, whatever the word. */
static void
sum(const uint8_t *page, uint32_t size, uint64_t number, uint8_t out[static SUM_LEN])
{
	uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15) + size;

	for (uint32_t i = 0; i < size - SUM_LEN; i += 8) {
		uint64_t word;

		memcpy(&word, page + i, sizeof(word));
		hash = (hash ^ le64toh(word)) * UINT64_C(0xd6e8feb86659fd93);
		hash ^= hash >> 32;
	}
	hash |= hash == 0; /* zeros say that there is none */
	for (unsigned i = 0; i < SUM_LEN; i++)
		out[i] = (uint8_t)(hash >> 8 * i);
}

static void
read_header(struct pages *pages, const uint8_t *head)
{
	uint32_t size = (uint32_t)head[SIZE_AT] << 8 | head[SIZE_AT + 1];

	if (memcmp(head, "SQLite format 3", 16) != 0)
		return;
	size = size == 1 ? PAGE_MAX : size;
	if (size < PAGE_MIN || (size & (size - 1)) != 0)
		return;
	pages->size = size;
	pages->summed = head[ROOM_AT] == SUM_LEN;
}

static bool
is_page(const struct pages *pages, int amount, sqlite3_int64 offset)
{
	return pages->summed && (uint32_t)amount == pages->size &&
	       offset % (sqlite3_int64)pages->size == 0;
}

/* ---- Reading and writing ---- */

static int
read_file(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
	static const uint8_t none[SUM_LEN];
	struct pages *pages = pages_of(file);
	uint8_t want[SUM_LEN], *found;
	int code = real(file)->pMethods->xRead(real(file), out, amount, offset);

	if (code != SQLITE_OK)
		return code;
	if (offset == 0 && amount >= SIZE_HEAD)
		read_header(pages, out);
	if (!is_page(pages, amount, offset))
		return SQLITE_OK;
	found = (uint8_t *)out + pages->size - SUM_LEN;
	sum(out, pages->size, (uint64_t)offset / pages->size, want);
	if (memcmp(want, found, SUM_LEN) != 0 &&
	    (pages->insist || memcmp(none, found, SUM_LEN) != 0))
		return SQLITE_IOERR_DATA;
	memset(found, 0, SUM_LEN);
	return SQLITE_OK;
}

static int
write_file(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
	struct pages *pages = pages_of(file);

	if (offset == 0 && amount >= SIZE_HEAD)
		read_header(pages, data);
	if (is_page(pages, amount, offset)) {
		memcpy(pages->copy, data, (size_t)amount);
		sum(pages->copy, pages->size, (uint64_t)offset / pages->size,
		    pages->copy + pages->size - SUM_LEN);
		data = pages->copy;
	}
	return real(file)->pMethods->xWrite(real(file), data, amount, offset);
}

/* ---- What is handed on ---- */

static int
close_file(sqlite3_file *file)
{
	return real(file)->pMethods->xClose(real(file));
}

static int
truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
	return real(file)->pMethods->xTruncate(real(file), size);
}

static int
sync_file(sqlite3_file *file, int flags)
{
	return real(file)->pMethods->xSync(real(file), flags);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	return real(file)->pMethods->xFileSize(real(file), ret_size);
}

static int
lock_file(sqlite3_file *file, int how)
{
	return real(file)->pMethods->xLock(real(file), how);
}

static int
unlock_file(sqlite3_file *file, int how)
{
	return real(file)->pMethods->xUnlock(real(file), how);
}

static int
check_lock(sqlite3_file *file, int *ret_held)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), ret_held);
}

static int
control_file(sqlite3_file *file, int op, void *arg)
{
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int
sector_size(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int
characteristics(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int
shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret_map)
{
	return real(file)->pMethods->xShmMap(real(file), region, size, extend, ret_map);
}

static int
shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void
shm_barrier(sqlite3_file *file)
{
	real(file)->pMethods->xShmBarrier(real(file));
}

static int
shm_unmap(sqlite3_file *file, int delete_it)
{
	return real(file)->pMethods->xShmUnmap(real(file), delete_it);
}

/* Of version 2: a file that is mapped would be read past us. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = close_file,
	.xRead = read_file,
	.xWrite = write_file,
	.xTruncate = truncate_file,
	.xSync = sync_file,
	.xFileSize = file_size,
	.xLock = lock_file,
	.xUnlock = unlock_file,
	.xCheckReservedLock = check_lock,
	.xFileControl = control_file,
	.xSectorSize = sector_size,
	.xDeviceCharacteristics = characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

static int
open_file(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct pages *pages = pages_of(file);
	int code;

	(void)self;
	if ((flags & SQLITE_OPEN_MAIN_DB) == 0)
		return beneath()->xOpen(beneath(), name, file, flags, ret_flags);
	pages->base.pMethods = NULL;
	pages->size = 0;
	pages->summed = false;
	pages->insist = false;
	code = beneath()->xOpen(beneath(), name, real(file), flags, ret_flags);
	if (code == SQLITE_OK)
		pages->base.pMethods = &methods;
	return code;
}

static void
install(void)
{
	sqlite3_vfs *first = sqlite3_vfs_find(NULL);

	if (first == NULL)
		return; /* then no file can be opened by our name, which is seen */
	vfs = *first;
	vfs.zName = NAME;
	vfs.pNext = NULL;
	vfs.pAppData = first;
	vfs.szOsFile = (int)sizeof(struct pages) + first->szOsFile;
	vfs.xOpen = open_file;
	(void)sqlite3_vfs_register(&vfs, 0); /* the same */
}

const char *
rot_pages_name(void)
{
	(void)pthread_once(&once, install); /* fails only for an invalid argument */
	return NAME;
}

int
rot_pages_ask(sqlite3 *db)
{
	int room = SUM_LEN;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &room);
}

/* Ours, with checksums, or NULL. */
static struct pages *
find_summed(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    file == NULL || file->pMethods != &methods || !pages_of(file)->summed)
		return NULL;
	return pages_of(file);
}

bool
rot_pages_are_summed(sqlite3 *db)
{
	return find_summed(db) != NULL;
}

int
rot_pages_are_bare(sqlite3 *db, bool *ret_bare)
{
	static const uint8_t none[SUM_LEN];
	struct pages *pages = find_summed(db);
	sqlite3_file *file = pages != NULL ? real(&pages->base) : NULL;
	uint8_t found[SUM_LEN];
	sqlite3_int64 size = 0;
	int code = SQLITE_OK;

	*ret_bare = false;
	if (file != NULL)
		code = file->pMethods->xFileSize(file, &size);
	for (sqlite3_int64 end = file != NULL ? pages->size : 1;
	     code == SQLITE_OK && !*ret_bare && end <= size; end += pages->size) {
		code = file->pMethods->xRead(file, found, SUM_LEN, end - (int)SUM_LEN);
		*ret_bare = memcmp(found, none, SUM_LEN) == 0;
	}
	return code;
}

void
rot_pages_insist(sqlite3 *db)
{
	struct pages *pages = find_summed(db);

	if (pages != NULL)
		pages->insist = true;
}
