/* SPDX-License-Identifier: Apache-2.0 */
/* See kv_rig.h. */
#include "tests/unit/rot/kv_rig.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "rot/kv/etcd_internal.h"
#include "rot/kv/pages.h"

#define MUST(call)                                                                                 \
	do {                                                                                       \
		struct seal_err must_err_ = { 0 };                                                 \
		struct seal_err *err = &must_err_;                                                 \
		int must_r_ = (call);                                                              \
		cr_assert_geq(must_r_, 0, "%s: %s", #call, must_err_.text);                        \
	} while (0)

void
kv_rig_sqlite(struct kv_rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->is_sqlite = true;
	(void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/seal-kv-XXXXXX");
	cr_assert_not_null(mkdtemp(rig->dir));
	(void)snprintf(rig->path, sizeof(rig->path), "%.1000s/seal.db", rig->dir);
	(void)snprintf(rig->where, sizeof(rig->where), "sqlite:%.1010s", rig->path);
	rig->config.where = rig->where;
}

void
kv_rig_use(struct kv_rig *rig, const struct etcd *etcd)
{
	uint8_t raw[8];
	char name[17];

	MUST(seal_random(raw, sizeof(raw), err));
	seal_hex_encode(name, raw, sizeof(raw));
	(void)snprintf(rig->prefix, sizeof(rig->prefix), "/test-%s/", name);
	rig->etcd = *etcd;
	rig->config = (struct rot_kv_config){ .where = rig->etcd.where,
					      .prefix = rig->prefix,
					      .ca = rig->etcd.ca,
					      .cert = rig->etcd.cert,
					      .key = rig->etcd.key };
}

void
kv_rig_etcd(struct kv_rig *rig)
{
	struct etcd etcd;

	memset(rig, 0, sizeof(*rig));
	if (!etcd_shared(&etcd))
		cr_skip_test("there is no etcd");
	kv_rig_use(rig, &etcd);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
kv_rig_release(struct kv_rig *rig)
{
	if (rig->dir[0] != '\0')
		(void)nftw(rig->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	memset(rig, 0, sizeof(*rig));
}

struct rot_kv *
kv_rig_create(struct kv_rig *rig)
{
	struct rot_kv *kv = NULL;

	MUST(rot_kv_open(&kv, &rig->config, true, err));
	MUST(rot_kv_begin(kv, err));
	MUST(rot_kv_commit(kv, err));
	return kv;
}

/* ---- Behind SQLite's owner's back ---- */

static sqlite3 *
open_file(struct kv_rig *rig)
{
	sqlite3 *db = NULL;

	cr_assert_eq(sqlite3_open_v2(rig->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				     rot_pages_name()),
		     SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	return db;
}

void
kv_rig_sql(struct kv_rig *rig, const char *sql)
{
	sqlite3 *db = open_file(rig);
	char *why = NULL;

	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", sql, why);
	(void)sqlite3_close(db);
}

static void
get_row(struct kv_rig *rig, const char *key, struct seal_bytes *stored)
{
	sqlite3 *db = open_file(rig);
	sqlite3_stmt *stmt = NULL;

	cr_assert_eq(sqlite3_prepare_v2(db, "SELECT v FROM kv WHERE k = ?1", -1, &stmt, NULL),
		     SQLITE_OK);
	(void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW, "%s", key);
	MUST(seal_bytes_append(stored, sqlite3_column_blob(stmt, 0),
			       (size_t)sqlite3_column_bytes(stmt, 0), err));
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

static void
set_row(struct kv_rig *rig, const char *key, const void *stored, size_t len)
{
	sqlite3 *db = open_file(rig);
	sqlite3_stmt *stmt = NULL;

	cr_assert_eq(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO kv VALUES (?1, ?2)", -1, &stmt,
					NULL),
		     SQLITE_OK);
	(void)sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(stmt, 2, len > 0 ? stored : "", (int)len, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_DONE);
	(void)sqlite3_finalize(stmt);
	(void)sqlite3_close(db);
}

/* ---- Behind etcd's ---- */

static struct etcd_client *
client(struct kv_rig *rig)
{
	struct etcd_client *client = NULL;

	MUST(etcd_client_new(&client, &rig->config, rig->config.where + strlen("etcd:"), err));
	return client;
}

static void
ask(struct kv_rig *rig, const char *from, const char *to, struct etcd_page *page)
{
	const struct etcd_ask asked = { .from = from, .to = to };
	struct etcd_client *to_etcd = client(rig);

	MUST(etcd_range(to_etcd, &asked, etcd_now_ms() + 5000, page, err));
	etcd_client_free(to_etcd);
}

/* stored NULL: delete. */
static void
change(struct kv_rig *rig, const char *key, const void *stored, size_t len)
{
	struct seal_bytes body = SEAL_BYTES(ETCD_BODY_MAX);
	struct etcd_client *to_etcd = client(rig);
	struct etcd_outcome outcome = { 0 };

	MUST(seal_bytes_append_fmt(&body, err, "{\"success\":[{\"%s\":{",
				   stored != NULL ? "request_put" : "request_delete_range"));
	MUST(etcd_put_key(to_etcd, &body, "key", key, err));
	if (stored != NULL) {
		MUST(seal_bytes_append_str(&body, ",", err));
		MUST(etcd_put_value(&body, stored, len, err));
	}
	MUST(seal_bytes_append_str(&body, "}}]}", err));
	MUST(etcd_txn(to_etcd, &body, etcd_now_ms() + 5000, &outcome, err));
	cr_assert(outcome.succeeded);
	seal_bytes_release(&body);
	etcd_client_free(to_etcd);
}

/* ---- Behind either's ---- */

static void
get(struct kv_rig *rig, const char *key, struct seal_bytes *stored)
{
	struct etcd_page page = { 0 };

	seal_bytes_init(stored, 2 * ROT_KV_STORED_MAX);
	if (rig->is_sqlite) {
		get_row(rig, key, stored);
		return;
	}
	ask(rig, key, NULL, &page);
	cr_assert_eq(page.count, 1, "%s", key);
	MUST(seal_bytes_append(stored, page.items[0].value.data, page.items[0].value.len, err));
	etcd_page_release(&page);
}

void
kv_rig_set(struct kv_rig *rig, const char *key, const void *stored, size_t len)
{
	if (rig->is_sqlite)
		set_row(rig, key, stored, len);
	else
		change(rig, key, stored, len);
}

void
kv_rig_flip(struct kv_rig *rig, const char *key, size_t at, uint8_t mask)
{
	struct seal_bytes stored;

	get(rig, key, &stored);
	cr_assert_lt(at, stored.len);
	stored.data[at] ^= mask;
	kv_rig_set(rig, key, stored.data, stored.len);
	seal_bytes_release(&stored);
}

void
kv_rig_copy(struct kv_rig *rig, const char *from, const char *to)
{
	struct seal_bytes stored;

	get(rig, from, &stored);
	kv_rig_set(rig, to, stored.data, stored.len);
	seal_bytes_release(&stored);
}

/* ---- Fences ---- */

size_t
kv_rig_fences(struct kv_rig *rig)
{
	struct etcd_page page = { 0 };
	size_t count;

	ask(rig, "!fence/", "!fence0", &page);
	count = page.count;
	etcd_page_release(&page);
	return count;
}

void
kv_rig_put_fence(struct kv_rig *rig, const char *key, const char *text)
{
	change(rig, key, text, strlen(text));
}

void
kv_rig_drop_fences(struct kv_rig *rig)
{
	struct etcd_page page = { 0 };

	ask(rig, "!fence/", "!fence0", &page);
	for (size_t i = 0; i < page.count; i++)
		change(rig, page.items[i].key, NULL, 0);
	etcd_page_release(&page);
}
