/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: the way from the tables of schemas 1 and 2, which files in the world are made of. */
#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "rot/kv/db.h"
#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)

/* What earlier versions made their files with (tests/support). */
static char schema_1[8192];
static char schema_2[8192];

TestSuite(rot_store_migrate);

static struct kv_rig rig;
static struct rot_store *store;

static void
read_schema(char schema[static 8192], const char *name)
{
	char path[PATH_MAX];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof(path), SEAL_SOURCE_DIR "/tests/support/%s", name);
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	len = fread(schema, 1, 8191, file);
	schema[len] = '\0';
	(void)fclose(file);
}

static void
teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

/* What shipped stays: a store of these schemas in the world was made by these bytes. */
Test(rot_store_migrate, starts_from_the_schemas_that_were)
{
	uint8_t hash[SEAL_HASH_LEN];
	char text[2 * SEAL_HASH_LEN + 1];

	read_schema(schema_1, "schema-1.sql");
	cr_assert_eq(seal_sha256(hash, schema_1, strlen(schema_1), NULL), 0);
	seal_hex_encode(text, hash, sizeof(hash));
	cr_expect_str_eq(text, "a5a7834d27e23626bf1142295642af9edfb4514de021ff6f3a255efdd0f7f796");
}

#define HASH "x'0102030405060708091011121314151617181920212223242526272829303132'"

static void
setup_1(void)
{
	kv_rig_sqlite(&rig);
	kv_rig_sql(&rig, "PRAGMA journal_mode = WAL"); /* as every store of ours has been */
	read_schema(schema_1, "schema-1.sql");
	kv_rig_sql(&rig, schema_1);
	kv_rig_sql(
		&rig,
		"INSERT INTO meta VALUES ('trust_domain', 'rot.example.com'),"
		" ('urls', 'https://rot.example.com,https://10.0.0.1'), ('created_at', '17'),"
		" ('statement_key', x'00ff10');"
		"INSERT INTO ca VALUES (NULL, 1, 11, 'system', x'00aa');"
		"INSERT INTO ca VALUES (NULL, 2, 12, 'system two', x'00ab');"
		"INSERT INTO workload VALUES (7, 'shop', 21, 3);"
		"INSERT INTO workload VALUES (9, 'bank', 22, 1);"
		"INSERT INTO ca VALUES (7, 1, 13, 'shop', x'00cc');"
		"INSERT INTO ca VALUES (9, 1, 14, 'bank', x'00dd');"
		"INSERT INTO peer_pair VALUES (7, 'any', 'any'), (7, 'web', 'db'), (7, '*', 'api'),"
		" (9, '*', '*');"
		"INSERT INTO egg VALUES (1, '00000000000000000000000000000001', 7, 'web',"
		" '*.apps.example.com,web.example.com', 31, 2000000000, 5, 2, 1, " HASH
		", '0a', NULL);"
		"INSERT INTO egg VALUES (2, '00000000000000000000000000000002', 9, 'any', '', 32,"
		" 2000000001, 0, 7, 0, zeroblob(32), '0b', 33);"
		"INSERT INTO egg VALUES (3, '00000000000000000000000000000003', 7, 'any', '', 30,"
		" 2000000001, 1, 1, 0, randomblob(32), '0c', NULL);"
		"INSERT INTO cert VALUES ('00000000000000000000000000000004', 7,"
		" '00000000000000000000000000000001', 'web', 'web.example.com', 41, 40, 2000000000,"
		" NULL);"
		"INSERT INTO cert VALUES ('00000000000000000000000000000005', 7, NULL, 'db', '', "
		"42,"
		" 40, 2000000000, 43);");
}

static void
setup_2(void)
{
	setup_1();
	read_schema(schema_2, "schema-2.sql");
	kv_rig_sql(&rig, schema_2);
	kv_rig_sql(&rig,
		   "INSERT INTO root VALUES (7, 1, 51, x'0a01', 55), (7, 2, 52, x'0a02', NULL),"
		   " (7, 3, 53, x'0a03', NULL), (9, 1, 54, x'0b01', NULL);"
		   "INSERT INTO object VALUES (7, 'web', 'a/B/c', 4, 2, 61),"
		   " (7, 'web', 'a/B/d', 9, 3, 62), (7, 'web', 'a/B/old', 1, 1, 60),"
		   " (7, 'db', 'a/B/c', 2, 2, 63);");
}

static void
open_it(void)
{
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_open(&store, &rig.config, &err), 0, "%s", err.text);
}

static void
expect_text(const struct seal_bytes *bytes, const char *hex)
{
	char text[256];

	cr_assert_lt(bytes->len, 100);
	seal_hex_encode(text, bytes->data, bytes->len);
	cr_expect_str_eq(text, hex);
}

static void
expect_the_whole(void)
{
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	SEAL_SCOPED(rot_ca_release) struct rot_ca ca = { 0 };
	struct seal_bytes bundle = SEAL_BYTES(1024);

	cr_assert_eq(rot_store_meta(store, &meta, NULL), 0);
	cr_expect_str_eq(meta.trust_domain, "rot.example.com");
	cr_assert_eq(meta.urls.count, 2);
	cr_expect_str_eq(meta.urls.items[1], "https://10.0.0.1");
	cr_expect_eq(meta.created_at, 17);
	expect_text(&meta.statement_key, "00ff10");
	cr_assert_eq(rot_store_ca(store, "", &ca, NULL), 0);
	cr_expect_eq(ca.generation, 2);
	expect_text(&ca.wrapped, "00ab");
	cr_assert_eq(rot_store_ca_bundle(store, "", &bundle, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&bundle), "system twosystem");
	seal_bytes_release(&bundle);
}

static int
note_pair(void *arg, const char *client, const char *server, struct seal_err *err)
{
	return seal_bytes_append_fmt(arg, err, "%s>%s ", client, server);
}

static void
expect_workloads(void)
{
	struct seal_bytes text = SEAL_BYTES(1024);
	struct rot_workload workload = { 0 };
	struct rot_totals totals = { 0 };

	cr_assert_eq(rot_store_get_workload(store, "shop", NOW, &workload, NULL), 0);
	cr_expect_eq(workload.created_at, 21);
	cr_expect_eq(workload.epoch, 3);
	cr_expect_eq(workload.pairs, 3);
	cr_expect_eq(workload.eggs, 2);
	cr_expect_eq(workload.eggs_live, 1, "one is spent");
	cr_expect_eq(workload.certificates, 1, "one is revoked");
	cr_assert_eq(rot_store_each_pair(store, "shop", note_pair, &text, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&text), "*>api any>any web>db ");
	cr_assert_eq(rot_store_totals(store, NOW, &totals, NULL), 0);
	cr_expect_eq(totals.workloads, 2);
	cr_expect_eq(totals.eggs, 1);
	cr_expect_eq(totals.certificates, 1);
	seal_bytes_release(&text);
}

static int
note_egg(void *arg, const struct rot_egg *egg, struct seal_err *err)
{
	return seal_bytes_append_fmt(arg, err, "%s ", egg->id + SEAL_ID_LEN - 1);
}

static void
expect_eggs(void)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	struct rot_cert cert = { 0 };
	struct seal_bytes text = SEAL_BYTES(1024);

	cr_assert_eq(rot_store_get_egg(store, "00000000000000000000000000000001", &egg, NULL), 0);
	cr_expect_str_eq(egg.workload, "shop");
	cr_expect_str_eq(egg.peer, "web");
	cr_expect_eq(egg.hostnames.count, 2);
	cr_expect_eq(egg.created_at, 31);
	cr_expect_eq(egg.not_after, 2000000000);
	cr_expect_eq(egg.max_hatches, 5);
	cr_expect_eq(egg.hatches, 2, "the budget came back");
	cr_expect(egg.plain_config);
	cr_expect_eq(egg.key_id[0], 1);
	cr_expect_eq(egg.key_id[31], 0x32);
	cr_expect_str_eq(egg.serial, "0a");
	cr_assert_eq(rot_store_each_egg(store, "", "", 10, note_egg, &text, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&text), "3 1 2 ", "by age: %s", seal_bytes_str(&text));
	cr_assert_eq(rot_store_get_cert(store, "00000000000000000000000000000004", &cert, NULL), 0);
	cr_expect_str_eq(cert.egg, "00000000000000000000000000000001");
	cr_expect_str_eq(cert.hostnames.items[0], "web.example.com");
	cr_expect_eq(cert.not_before, 40);
	rot_cert_release(&cert);
	memset(&cert, 0, sizeof(cert));
	cr_assert_eq(rot_store_get_cert(store, "00000000000000000000000000000005", &cert, NULL), 0);
	cr_expect_str_eq(cert.egg, "");
	cr_expect_eq(cert.revoked_at, 43);
	rot_cert_release(&cert);
	seal_bytes_release(&text);
}

static void
expect_no_tables(void)
{
	cr_expect_eq(rig_sql_number(rig.path,
				    "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
				    " AND name NOT LIKE 'sqlite_%'"),
		     1);
	cr_expect_eq(rig_sql_number(rig.path, "PRAGMA user_version"), 4);
}

Test(rot_store_migrate, keeps_everything_of_schema_1_and_is_ready_for_roots, .init = setup_1,
     .fini = teardown)
{
	struct rot_roots roots = { .count = 0 };
	struct rot_root root;

	open_it();
	expect_the_whole();
	expect_workloads();
	expect_eggs();
	expect_no_tables();
	cr_assert_eq(rot_store_roots(store, "shop", &roots, NULL), 0);
	cr_expect_eq(roots.count, 0, "a workload made before has no root yet");
	rig_fake_root(&root, "shop", 1);
	cr_expect_eq(rot_store_add_root(store, &root, NOW, NULL), 0);
	rot_root_release(&root);
	rot_store_close(store);
	store = NULL;
	open_it(); /* not a second time */
	expect_eggs();
}

static int
note_root(void *arg, const struct rot_root_info *info, struct seal_err *err)
{
	return seal_bytes_append_fmt(arg, err, "%d:%d:%d ", (int)info->generation,
				     (int)info->objects, (int)info->retired_at);
}

Test(rot_store_migrate, keeps_everything_of_schema_2, .init = setup_2, .fini = teardown)
{
	struct seal_bytes text = SEAL_BYTES(1024);
	struct rot_roots roots = { .count = 0 };
	struct rot_floor *floor = NULL;
	size_t count = 0;

	open_it();
	expect_the_whole();
	expect_workloads();
	expect_eggs();
	expect_no_tables();
	cr_assert_eq(rot_store_roots(store, "shop", &roots, NULL), 0);
	cr_assert_eq(roots.count, 2);
	cr_expect_eq(roots.items[0].generation, 3);
	expect_text(&roots.items[1].wrapped, "0a02");
	rot_roots_release(&roots);
	cr_assert_eq(rot_store_each_root(store, "shop", 10, note_root, &text, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&text), "3:1:0 2:2:0 1:1:55 ");
	cr_assert_eq(rot_store_floor(store, "shop", "web", &floor, &count, NULL), 0);
	cr_assert_eq(count, 2, "what only a retired key opens is not on the floor");
	cr_expect_str_eq(floor[0].object, "a/B/c");
	cr_expect_eq(floor[0].gen, 4);
	cr_expect_eq(floor[1].gen, 9);
	rot_floor_free(floor, count);
	seal_bytes_release(&text);
}

/* Whatever is wrong in the middle: the old file stays as it was. */
/* The one certificate that was ever issued to an operator: nobody noted which it was. */
Test(rot_store_migrate, makes_a_record_of_the_first_admin, .init = setup_2, .fini = teardown)
{
	struct rot_operator admin = { 0 };

	open_it();
	cr_assert_eq(rot_store_get_operator(store, "first", &admin, NULL), 0);
	cr_expect_str_eq(admin.role, "admin");
	cr_expect(admin.is_adopted);
	cr_expect(rot_operator_holds(&admin, "0123456789abcdef0123456789abcdef"));
	cr_expect_eq(admin.not_after - admin.created_at, 365 * 86400);
	cr_expect_eq(store_count(store, "operator/"), 1);
}

Test(rot_store_migrate, that_fails_leaves_what_was, .init = setup_2, .fini = teardown)
{
	static const char *const damages[][2] = {
		{ "PRAGMA ignore_check_constraints = 1; UPDATE egg SET key_id = x'00' WHERE seq = "
		  "1",
		  "UPDATE egg SET key_id = " HASH " WHERE seq = 1" },
		{ "UPDATE meta SET value = 'no domain' WHERE key = 'trust_domain'",
		  "UPDATE meta SET value = 'rot.example.com' WHERE key = 'trust_domain'" },
		{ "ALTER TABLE object RENAME TO hidden", "ALTER TABLE hidden RENAME TO object" },
		{ "CREATE TABLE kv (mine)", "DROP TABLE kv" },
		{ "UPDATE root SET generation = 8 WHERE generation = 3 AND workload_id = 7",
		  "UPDATE root SET generation = 3 WHERE generation = 8" },
	};

	for (size_t i = 0; i < SEAL_COUNT(damages); i++) {
		struct seal_err err = { 0 };

		kv_rig_sql(&rig, damages[i][0]);
		cr_expect_lt(rot_store_open(&store, &rig.config, &err), 0, "damage %zu", i);
		cr_expect_null(store);
		cr_expect_not_null(strstr(err.text, "upgrade from schema 2"), "%s", err.text);
		cr_expect_eq(rig_sql_number(rig.path, "PRAGMA user_version"), 2);
		cr_expect_eq(rig_sql_number(rig.path, "SELECT count(*) FROM egg"), 3);
		kv_rig_sql(&rig, damages[i][1]);
	}
	open_it();
	expect_eggs();
}

/* A process killed in the middle of it. */
Test(rot_store_migrate, that_is_killed_leaves_what_was, .init = setup_2, .fini = teardown)
{
	pid_t pid = fork();
	int status = 0;

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct rot_db *db = NULL;

		/* All of it but the commit. */
		if (rot_db_open(&db, rig.path, ROT_DB_WRITE, NULL, 0, NULL) < 0 ||
		    rot_db_begin(db, NULL) < 0 ||
		    rot_db_exec(db,
				"DROP TABLE cert; DROP TABLE egg; CREATE TABLE kv (k);"
				"PRAGMA user_version = 3",
				NULL) < 0)
			_exit(1);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	open_it();
	expect_eggs();
}
