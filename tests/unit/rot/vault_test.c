/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/vault: stores as a whole, over both engines: backed up, restored, moved, and put under another key. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/server/init.h"
#include "rot/server/store_internal.h"
#include "rot/server/vault.h"
#include "tests/unit/rot/kv_rig.h"
#include "tests/unit/rot/rig.h"

#define DOMAIN "rot.example.com"

static struct kv_rig rig;
static int64_t now;        /* the signer looks at the clock */
static char dir[PATH_MAX]; /* with everything in it */
static char home[PATH_MAX];
static char other[PATH_MAX];
static char file[PATH_MAX];

static int
init(const char *where, const struct rot_place_options *store, const struct rot_kek_source *kek,
     struct seal_err *err)
{
	char domain[SEAL_TRUST_DOMAIN_MAX + 1];
	struct seal_strv urls = { 0 };
	struct rot_init_options options = {
		.dir = where, .urls = &urls, .kek = *kek, .store = *store, .now = now
	};
	int r;

	cr_assert_eq(seal_strv_add(&urls, "https://" DOMAIN, NULL), 0);
	r = rot_init(&options, domain, err);
	seal_strv_release(&urls);
	return r;
}

static struct rot_place_options
etcd_options(const char *prefix)
{
	return (struct rot_place_options){ .store = rig.etcd.where,
					   .prefix = prefix,
					   .ca = rig.etcd.ca,
					   .cert = rig.etcd.cert,
					   .key = rig.etcd.key };
}

/* The store of DIR, as whoever serves it opens it. */
static struct rot_store *
open_store(const char *where, struct seal_err *err)
{
	const struct rot_place_options none = { .store = NULL };
	struct rot_place place;
	struct rot_kv_config config;
	struct rot_store *store = NULL;
	int fd = seal_fs_open_dir(where, SEAL_FS_PRIVATE, err);
	int r = fd < 0 ? fd : rot_place_find(&place, where, fd, &none, err);

	if (r == 0) {
		rot_place_config(&place, &config);
		r = rot_store_open(&store, &config, err);
	}
	if (r == 0)
		r = rot_place_check(&place, rot_store_id(store), err);
	if (fd >= 0)
		seal_close(fd);
	if (r < 0)
		rot_store_closep(&store);
	return store;
}

static struct rot_store *
must_open(const char *where)
{
	struct seal_err err = { 0 };
	struct rot_store *store = open_store(where, &err);

	cr_assert_not_null(store, "%s", err.text);
	return store;
}

static struct rot_signer *
signer_of(const char *where, const char *kek_name)
{
	struct rot_signer *signer = NULL;
	struct seal_secret *kek = NULL;
	struct seal_err err = { 0 };
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%.1000s/%s", where, kek_name);
	cr_assert_eq(rot_kek_read(&kek, AT_FDCWD, path, &err), 0, "%s", err.text);
	cr_assert_eq(rot_signer_start(&signer, &kek, DOMAIN, &err), 0, "%s", err.text);
	return signer;
}

/* A store in which everything there is is wrapped: CAs and roots, in use and retired. */
static void
enrich(void)
{
	struct rot_signer *signer = signer_of(home, "kek");
	struct rot_store *store = must_open(home);
	struct seal_err err = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		struct rot_root root = { 0 }, next = { 0 };
		struct rot_ca ca = { 0 };
		char name[16];

		(void)snprintf(name, sizeof(name), "shop-%u", i);
		cr_assert_eq(rot_signer_new_ca(signer, name, 1, now, &ca, &err), 0, "%s", err.text);
		cr_assert_eq(rot_signer_new_root(signer, name, 1, &root, &err), 0);
		cr_assert_eq(rot_signer_new_root(signer, name, 2, &next, &err), 0);
		cr_assert_eq(rot_store_add_workload(store, &ca, &root, false, now, &err), 0, "%s",
			     err.text);
		cr_assert_eq(rot_store_add_root(store, &next, now, &err), 0, "%s", err.text);
		if (i == 1)
			cr_assert_eq(rot_store_retire_root(store, name, 1, true, now, &err), 0,
				     "%s", err.text);
		rot_ca_release(&ca);
		rot_root_release(&root);
		rot_root_release(&next);
	}
	rot_store_close(store);
	rot_signer_free(signer);
}

static void
setup(const struct rot_place_options *store)
{
	const struct rot_kek_source none = { .file = NULL };
	struct seal_err err = { 0 };

	(void)alarm(120);
	now = (int64_t)time(NULL);
	rig_dir_make(dir);
	(void)snprintf(home, sizeof(home), "%.1000s/rot", dir);
	(void)snprintf(other, sizeof(other), "%.1000s/other", dir);
	(void)snprintf(file, sizeof(file), "%.1000s/backup", dir);
	cr_assert_eq(init(home, store, &none, &err), 0, "%s", err.text);
	enrich();
}

static void
teardown(void)
{
	rig_dir_remove(dir);
	kv_rig_release(&rig);
}

#define BOTH(name)                                                                                 \
	static void name(void);                                                                    \
	Test(rot_vault_sqlite, name, .fini = teardown)                                             \
	{                                                                                          \
		const struct rot_place_options none = { .store = NULL };                           \
		kv_rig_sqlite(&rig);                                                               \
		setup(&none);                                                                      \
		name();                                                                            \
	}                                                                                          \
	Test(rot_vault_etcd, name, .fini = teardown)                                               \
	{                                                                                          \
		struct rot_place_options store;                                                    \
		kv_rig_etcd(&rig);                                                                 \
		store = etcd_options(rig.prefix);                                                  \
		setup(&store);                                                                     \
		name();                                                                            \
	}                                                                                          \
	static void name(void)

static struct rot_vault
vault_of(const char *where)
{
	return (struct rot_vault){ .dir = where, .now = now + 100 };
}

static void
backup(struct rot_backup_info *info)
{
	const struct rot_vault vault = vault_of(home);
	struct seal_err err = { 0 };

	cr_assert_eq(rot_vault_backup(&vault, file, false, info, &err), 0, "%s", err.text);
}

/* ---- What a store holds ---- */

struct holding {
	struct rot_sum sum;
	uint64_t workloads;
	char word[ROT_STORE_WORD_LEN + 1];
};

static int
skip_new(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	uint64_t *hash = arg;
	uint8_t digest[SEAL_HASH_LEN], key_digest[SEAL_HASH_LEN];

	/* What a restore says of itself. */
	if (strcmp(key, "restored") == 0 || strcmp(key, "change") == 0 ||
	    strncmp(key, "audit", 5) == 0)
		return 0;
	cr_assert_eq(seal_sha256(digest, value, len, err), 0);
	cr_assert_eq(seal_sha256(key_digest, key, strlen(key), err), 0);
	for (size_t i = 0; i < 8; i++)
		*hash += (uint64_t)(digest[i] ^ key_digest[i]) << (8 * i);
	return 0;
}

static uint64_t
hash_of(const char *where)
{
	struct rot_store *store = must_open(where);
	struct seal_err err = { 0 };
	uint64_t hash = 0;

	cr_assert_eq(rot_source_kv(store->kv, skip_new, &hash, &err), 0, "%s", err.text);
	rot_store_close(store);
	return hash;
}

static int
find_kind(void *arg, uint64_t n, const void *text, size_t len, struct seal_err *err)
{
	enum audit_kind *kind = arg;
	struct audit_entry entry;

	(void)n;
	cr_assert_eq(audit_entry_parse(&entry, text, len, err), 0);
	*kind = entry.kind;
	return 0;
}

static enum audit_kind
last_entry(const char *where)
{
	struct rot_store *store = must_open(where);
	enum audit_kind kind = AUDIT_KIND_COUNT;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_each_entry(store, 0, 0, find_kind, &kind, &err), 0, "%s", err.text);
	rot_store_close(store);
	return kind;
}

static void
expect_no_store(const char *where, int code, const char *part)
{
	struct seal_err err = { 0 };
	struct rot_store *store = open_store(where, &err);

	cr_expect_null(store);
	cr_expect_eq(err.code, code, "%d: %s", err.code, err.text);
	cr_expect_not_null(strstr(err.text, part), "%s", err.text);
	rot_store_close(store);
}

/* ---- Backup and restore ---- */

BOTH(what_was_backed_up_is_what_is_restored_under_another_name)
{
	const struct rot_vault vault = vault_of(other);
	struct rot_restored restored = { .restored_at = 0 };
	struct rot_backup_info info, read;
	struct rot_vault_found found;
	struct rot_store *first, *second;
	struct seal_err err = { 0 };
	char word[ROT_STORE_WORD_LEN + 1], again[ROT_STORE_WORD_LEN + 1];
	struct stat st;

	backup(&info);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(rot_vault_restore(&vault, file, false, &read, &found, &err), 0, "%s",
		     err.text);
	cr_expect_eq(memcmp(info.digest, read.digest, sizeof(info.digest)), 0);
	cr_expect_eq(info.records, read.records);
	cr_expect_eq(read.created_at, now + 100);
	cr_expect_str_eq(read.trust_domain, DOMAIN);
	cr_expect_eq(hash_of(other), hash_of(home));
	cr_expect_eq(last_entry(other), AUDIT_RESTORE);
	first = must_open(home);
	second = must_open(other);
	cr_expect_str_neq(rot_store_id(first), rot_store_id(second));
	cr_expect_str_eq(rot_store_id(first), info.store);
	cr_expect_str_eq(rot_store_id(second), found.id);
	cr_assert_eq(rot_store_word(first, word, &err), 0);
	cr_assert_eq(rot_store_word(second, again, &err), 0);
	cr_expect_str_neq(word, again, "pods are not told");
	cr_assert_eq(rot_store_restored(second, &restored, &err), 0, "%s", err.text);
	cr_expect_eq(restored.backup_at, now + 100);
	cr_assert_eq(rot_store_restored(first, &restored, &err), 0);
	rot_store_close(first);
	rot_store_close(second);
}

BOTH(a_backup_overwrites_nothing_unless_told)
{
	const struct rot_vault vault = vault_of(home);
	struct rot_backup_info info, next;
	struct seal_err err = { 0 };

	backup(&info);
	cr_expect_eq(rot_vault_backup(&vault, file, false, &next, &err), SEAL_E_CONFLICT);
	cr_expect_eq(rot_vault_backup(&vault, file, true, &next, &err), 0, "%s", err.text);
	cr_expect_eq(memcmp(info.digest, next.digest, sizeof(info.digest)), 0);
}

static int
read_backup(const char *path)
{
	struct rot_backup *got = NULL;
	struct seal_err err = { 0 };
	int r = rot_backup_open(&got, path, &err);

	cr_expect(r == 0 || got == NULL);
	cr_expect(r == 0 || err.text[0] != '\0');
	rot_backup_close(got);
	return r;
}

Test(rot_vault_sqlite, no_byte_of_a_backup_can_be_changed_or_lost, .fini = teardown)
{
	const struct rot_place_options none = { .store = NULL };
	struct seal_bytes good = SEAL_BYTES(1u << 20);
	struct rot_backup_info info;
	char bad[PATH_MAX];
	int fd;

	kv_rig_sqlite(&rig);
	setup(&none);
	backup(&info);
	(void)snprintf(bad, sizeof(bad), "%.1000s/bad", dir);
	cr_assert_eq(seal_fs_read(&good, AT_FDCWD, file, good.max, NULL), 0);
	cr_assert_eq(read_backup(file), 0);
	cr_assert_eq(seal_fs_write(AT_FDCWD, bad, good.data, good.len, 0600, true, NULL), 0);
	fd = open(bad, O_RDWR);
	cr_assert_geq(fd, 0);
	for (size_t at = 0; at < good.len; at++) {
		uint8_t byte = (uint8_t)(good.data[at] ^ 1u << (at % 8));

		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
		cr_expect_lt(read_backup(bad), 0, "byte %zu", at);
		cr_assert_eq(pwrite(fd, good.data + at, 1, (off_t)at), 1);
	}
	cr_assert_eq(read_backup(bad), 0);
	for (size_t len = good.len; len > 0; len -= len > 7 ? 1 + len % 7 : 1) {
		cr_assert_eq(ftruncate(fd, (off_t)len - 1), 0);
		cr_expect_lt(read_backup(bad), 0, "%zu bytes", len - 1);
	}
	(void)close(fd);
	seal_bytes_release(&good);
}

BOTH(a_damaged_backup_leaves_no_directory)
{
	const struct rot_vault vault = vault_of(other);
	struct seal_bytes text = SEAL_BYTES(1u << 20);
	struct rot_backup_info info;
	struct rot_vault_found found;
	struct seal_err err = { 0 };

	backup(&info);
	cr_assert_eq(seal_fs_read(&text, AT_FDCWD, file, text.max, NULL), 0);
	text.data[text.len / 2] ^= 1;
	cr_assert_eq(seal_fs_write(AT_FDCWD, file, text.data, text.len, 0600, true, NULL), 0);
	cr_expect_eq(rot_vault_restore(&vault, file, false, &info, &found, &err), SEAL_E_FORMAT,
		     "%s", err.text);
	cr_expect_neq(access(other, F_OK), 0);
	seal_bytes_release(&text);
}

BOTH(a_store_that_is_there_is_restored_over_only_when_told_and_kept_aside)
{
	struct rot_vault vault = vault_of(home);
	struct rot_backup_info info;
	struct rot_vault_found found;
	struct seal_err err = { 0 };
	char prefix[80];

	backup(&info);
	cr_expect_eq(rot_vault_restore(&vault, file, false, &info, &found, &err), SEAL_E_CONFLICT);
	if (!rig.is_sqlite) { /* not even then */
		cr_expect_eq(rot_vault_restore(&vault, file, true, &info, &found, &err),
			     SEAL_E_CONFLICT);
		cr_expect_not_null(strstr(err.text, "--store-prefix"), "%s", err.text);
		(void)snprintf(prefix, sizeof(prefix), "%.60sagain/", rig.prefix);
		vault.store = etcd_options(prefix);
	}
	cr_assert_eq(rot_vault_restore(&vault, file, true, &info, &found, &err), 0, "%s", err.text);
	cr_expect_eq(last_entry(home), AUDIT_RESTORE);
}

Test(rot_vault_etcd, a_restored_store_is_taken_for_ours_until_it_is_used, .fini = teardown)
{
	const struct rot_place_options none = { .store = NULL };
	struct audit_entry entry = { .kind = AUDIT_RESTORE, .count = 1, .actor = "rot" };
	struct rot_vault vault;
	struct rot_backup_info info;
	struct rot_vault_found found, again;
	struct rot_store *store;
	struct seal_err err = { 0 };
	char path[PATH_MAX];

	kv_rig_etcd(&rig);
	setup(&none);
	backup(&info);
	vault = vault_of(other);
	vault.store = etcd_options(rig.prefix);
	cr_assert_eq(rot_vault_restore(&vault, file, false, &info, &found, &err), 0, "%s",
		     err.text);
	(void)snprintf(path, sizeof(path), "%.1000s/" ROT_PLACE_NAME, other);
	cr_assert_eq(unlink(path), 0, "as if it had been interrupted");
	cr_assert_eq(rot_vault_restore(&vault, file, false, &info, &again, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(again.id, found.id);
	store = must_open(other);
	entry.time = now + 101;
	cr_assert_eq(rot_store_audit_add(store, &entry, &err), 0, "%s", err.text);
	rot_store_close(store);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(rot_vault_restore(&vault, file, false, &info, &again, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "--store-prefix"), "%s", err.text);
}

BOTH(a_store_of_another_name_is_refused_with_both_names)
{
	char path[PATH_MAX], text[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%.1000s/store", home);
	rot_store_close(must_open(home));
	fd = open(path, O_RDWR);
	cr_assert_geq(fd, 0);
	memset(text, 0, sizeof(text));
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 0);
	cr_assert_not_null(strstr(text, "\"id\": \""));
	memset(strstr(text, "\"id\": \"") + 7, '7', 8);
	cr_assert_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	(void)close(fd);
	expect_no_store(home, SEAL_E_REFUSED, "remembers store 77777777");
}

/* ---- Checking ---- */

BOTH(a_check_counts_what_is_there)
{
	const struct rot_vault vault = vault_of(home);
	struct rot_vault_found found = { .records = 0 };
	struct rot_backup_info info;
	struct seal_err err = { 0 };

	backup(&info);
	cr_assert_eq(rot_vault_check(&vault, &found, &err), 0, "%s", err.text);
	cr_expect_eq(found.records, info.records);
	cr_expect_str_eq(found.id, info.store);
}

/* ---- Migration ---- */

Test(rot_vault_etcd, moves_there_and_back_whole, .fini = teardown)
{
	const struct rot_place_options none = { .store = NULL };
	struct rot_vault vault = vault_of(home);
	struct rot_vault_found found;
	struct rot_store *store;
	struct seal_err err = { 0 };
	uint64_t before;
	char first[ROT_PLACE_ID_MAX + 1];

	kv_rig_etcd(&rig);
	setup(&none);
	before = hash_of(home);
	store = must_open(home);
	(void)snprintf(first, sizeof(first), "%s", rot_store_id(store));
	rot_store_close(store);
	vault = vault_of(home);
	vault.store = etcd_options(rig.prefix);
	cr_assert_eq(rot_vault_migrate(&vault, &found, &err), 0, "%s", err.text);
	cr_expect_eq(hash_of(home), before);
	cr_expect_eq(last_entry(home), AUDIT_MIGRATE);
	cr_expect_eq(rot_vault_migrate(&vault, &found, &err), SEAL_E_CONFLICT, "again");
	vault.store = (struct rot_place_options){ .store = "sqlite" };
	cr_assert_eq(rot_vault_migrate(&vault, &found, &err), 0, "%s", err.text);
	cr_expect_eq(hash_of(home), before);
	vault.store = etcd_options(rig.prefix);
	cr_expect_eq(rot_vault_migrate(&vault, &found, &err), SEAL_E_CONFLICT,
		     "the prefix holds what was moved away");
	cr_expect_eq(hash_of(home), before, "a migration that was refused changed something");
}

Test(rot_vault_etcd, a_store_that_was_handed_over_is_not_taken_back, .fini = teardown)
{
	const struct rot_place_options none = { .store = NULL };
	struct rot_vault vault;
	struct rot_vault_found found, again;
	struct seal_err err = { 0 };
	char path[PATH_MAX];

	kv_rig_etcd(&rig);
	setup(&none);
	vault = vault_of(home);
	vault.store = etcd_options(rig.prefix);
	cr_assert_eq(rot_vault_migrate(&vault, &found, &err), 0, "%s", err.text);
	/* As if it had been interrupted before DIR was told. */
	(void)snprintf(path, sizeof(path), "%.1000s/" ROT_PLACE_NAME, home);
	cr_assert_eq(unlink(path), 0);
	vault.store = (struct rot_place_options){ .store = "sqlite" };
	cr_expect_eq(rot_vault_migrate(&vault, &again, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "run the migration again"), "%s", err.text);
	expect_no_store(home, SEAL_E_REFUSED, "was moved to etcd");
	vault.store = etcd_options(rig.prefix);
	cr_assert_eq(rot_vault_migrate(&vault, &again, &err), 0, "%s", err.text);
	cr_expect_str_eq(again.id, found.id);
	rot_store_close(must_open(home));
}

/* ---- Keys ---- */

static int
opens(void *arg, enum rot_blob kind, const char *name, uint64_t generation,
      const struct seal_bytes *old, struct seal_bytes *new, struct seal_err *err)
{
	return rot_signer_rewrap(arg, kind, name, generation, old, new, err);
}

/* How many records open, all of them wrapped things, with a key that is in DIR; they stay as they are. */
static unsigned
count_opened(const char *kek_name, unsigned *ret_all)
{
	struct rot_store *store;
	struct rot_signer *signer = NULL;
	struct seal_secret *kek = NULL, *scratch = NULL;
	struct seal_strv keys = { 0 };
	struct seal_err err = { 0 };
	char path[PATH_MAX];
	unsigned opened = 0;

	(void)snprintf(path, sizeof(path), "%.1000s/%s", home, kek_name);
	cr_assert_eq(rot_kek_read(&kek, AT_FDCWD, path, &err), 0, "%s", err.text);
	cr_assert_eq(seal_secret_new(&scratch, SEAL_KEY_LEN, &err), 0);
	cr_assert_eq(rot_signer_start_rekey(&signer, &kek, &scratch, DOMAIN, &err), 0, "%s",
		     err.text);
	store = must_open(home);
	const struct rot_rewrap how = { .fn = opens, .arg = signer };
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_wrapped_keys(store, "", 1000, &keys, &err), 0, "%s", err.text);
	for (size_t i = 0; i < keys.count; i++)
		opened += rot_store_rewrap_record(store, keys.items[i], &how, &err) == 0;
	rot_store_rollback(store);
	*ret_all = (unsigned)keys.count;
	seal_strv_release(&keys);
	rot_store_close(store);
	rot_signer_free(signer);
	return opened;
}

BOTH(another_key_is_everythings_key)
{
	const struct rot_kek_source none = { .file = NULL };
	const struct rot_vault vault = vault_of(home);
	struct rot_rekeyed rekeyed;
	struct seal_err err = { 0 };
	unsigned all = 0;

	cr_expect_eq(count_opened("kek", &all), all);
	cr_expect_geq(all, 1 + 1 + 4 + 3 + 1, "audit-key, meta, CAs, roots, one retired: %u", all);
	cr_assert_eq(rot_vault_rekey(&vault, &none, &none, &rekeyed, &err), 0, "%s", err.text);
	cr_expect(rekeyed.made_file);
	cr_expect_str_eq(rekeyed.kept_old, "kek.1");
	cr_expect_eq(rekeyed.number, 2);
	cr_expect_eq(count_opened("kek", &all), all);
	cr_expect_eq(count_opened("kek.1", &all), 0);
	cr_expect_eq(last_entry(home), AUDIT_REKEY);
}

/* The key of DIR under that name, as it was written. */
static void
read_key(const char *name, char text[static 80])
{
	char path[PATH_MAX];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "%.1000s/%s", home, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s", path);
	len = read(fd, text, 79);
	cr_assert_geq(len, 0);
	text[len] = '\0';
	seal_close(fd);
}

static void
write_secret(const char *name, const char *text, char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%.1000s/%s", dir, name);
	cr_assert_eq(seal_fs_write(AT_FDCWD, path, text, strlen(text), 0600, true, NULL), 0);
}

BOTH(no_key_takes_the_name_of_another)
{
	const struct rot_kek_source none = { .file = NULL };
	const struct rot_vault vault = vault_of(home);
	struct rot_rekeyed rekeyed;
	struct seal_err err = { 0 };
	char path[PATH_MAX], name[64], old[80], text[80];

	read_key("kek", old);
	write_secret("rot/kek.1", "kept before\n", path);
	cr_assert_eq(rot_vault_rekey(&vault, &none, &none, &rekeyed, &err), 0, "%s", err.text);
	(void)snprintf(name, sizeof(name), "kek.1.%lld", (long long)now + 100);
	cr_expect_str_eq(rekeyed.kept_old, name);
	read_key("kek.1", text);
	cr_expect_str_eq(text, "kept before\n");
	read_key(name, text);
	cr_expect_str_eq(text, old);
}

BOTH(a_key_that_is_not_the_old_one_is_not_moved)
{
	static const char stray[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
	char path[PATH_MAX], old_path[PATH_MAX], new_path[PATH_MAX], text[80];
	const struct rot_kek_source none = { .file = NULL }, old = { .file = old_path },
				    fresh = { .file = new_path };
	const struct rot_vault vault = vault_of(home);
	uint64_t before = hash_of(home);
	struct rot_rekeyed rekeyed;
	struct seal_err err = { 0 };

	read_key("kek", text);
	write_secret("old", text, old_path);
	write_secret("new", "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
		     new_path);
	write_secret("rot/kek", stray, path);
	cr_expect_eq(rot_vault_rekey(&vault, &old, &none, &rekeyed, &err), SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "move it away"), "%s", err.text);
	cr_expect_eq(hash_of(home), before);
	cr_assert_eq(rot_vault_rekey(&vault, &old, &fresh, &rekeyed, &err), 0, "%s", err.text);
	cr_expect_str_eq(rekeyed.kept_old, "");
	read_key("kek", text);
	cr_expect_str_eq(text, stray);
}

BOTH(a_wrong_old_key_changes_nothing)
{
	char path[PATH_MAX];
	const struct rot_kek_source none = { .file = NULL }, wrong = { .file = path };
	const struct rot_vault vault = vault_of(home);
	uint64_t before = hash_of(home);
	struct rot_rekeyed rekeyed;
	struct seal_err err = { 0 };

	write_secret("wrong", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
		     path);
	cr_expect_eq(rot_vault_rekey(&vault, &wrong, &none, &rekeyed, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "not the key-encryption key"), "%s", err.text);
	cr_expect_eq(hash_of(home), before);
}

/* As an interruption after the first steps leaves it. */
static void
interrupt_rekey(void)
{
	struct rot_store *store = must_open(home);
	struct rot_kek_state state = { .is_changing = false };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_kek_state(store, &state, &err), 0);
	state.old = state.scheme;
	state.scheme.number++;
	state.is_changing = true;
	(void)snprintf(state.done, sizeof(state.done), "ca/shop-0");
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_put_kek(store, &state, &err), 0, "%s", err.text);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	rot_store_close(store);
}

BOTH(a_store_whose_key_is_being_changed_is_not_served_and_knows_its_new_key)
{
	char path[PATH_MAX];
	const struct rot_kek_source none = { .file = NULL }, another = { .file = path };
	const struct rot_vault vault = vault_of(home);
	struct rot_rekeyed rekeyed;
	struct seal_err err = { 0 };

	interrupt_rekey();
	expect_no_store(home, SEAL_E_REFUSED, "seal rekey was interrupted");
	write_secret("another",
		     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", path);
	cr_expect_eq(rot_vault_rekey(&vault, &none, &another, &rekeyed, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "another new key"), "%s", err.text);
}

BOTH(a_store_whose_key_is_being_changed_is_not_backed_up)
{
	const struct rot_vault vault = vault_of(home);
	struct rot_backup_info info;
	struct seal_err err = { 0 };

	interrupt_rekey();
	cr_expect_eq(rot_vault_backup(&vault, file, false, &info, &err), SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "seal rekey was interrupted"), "%s", err.text);
	cr_expect_lt(access(file, F_OK), 0);
}

BOTH(a_passphrase_and_its_cost_are_in_the_store)
{
	char path[PATH_MAX];
	const struct rot_kek_source none = { .file = NULL }, words = { .passphrase_file = path };
	const struct rot_vault vault = vault_of(home);
	struct rot_kek_scheme scheme = ROT_KEK_SCHEME;
	struct seal_secret *kek = NULL;
	struct rot_rekeyed rekeyed;
	struct rot_store *store;
	struct seal_err err = { 0 };

	write_secret("words", "correct horse battery staple\n", path);
	cr_assert_eq(rot_vault_rekey(&vault, &none, &words, &rekeyed, &err), 0, "%s", err.text);
	store = must_open(home);
	cr_assert_eq(rot_store_kek(store, &scheme, &err), 0, "%s", err.text);
	rot_store_close(store);
	cr_expect(scheme.is_passphrase);
	cr_expect_geq(scheme.cost.n, 1u << 17);
	cr_expect_eq(rot_kek_get(&kek, &words, &scheme, -1, &err), 0, "%s", err.text);
	seal_secret_free(kek);
	kek = NULL;
	write_secret("words", "too short\n", path);
	cr_expect_eq(rot_kek_get(&kek, &words, &scheme, -1, &err), SEAL_E_FORMAT);
	write_secret("words", "two lines are\nno passphrase\n", path);
	cr_expect_eq(rot_kek_get(&kek, &words, &scheme, -1, &err), SEAL_E_FORMAT);
	cr_expect_null(kek);
}

/* ---- Where the store is ---- */

Test(rot_place, is_refused_when_it_cannot_be_meant)
{
	static const struct rot_place_options wrong[] = {
		{ .store = "etcd" },
		{ .store = "etcd:http://a:2379", .ca = "a", .cert = "b", .key = "c" },
		{ .store = "etcd:https://a:2379" },
		{ .store = "etcd:https://a:2379", .ca = "a", .cert = "b" },
		{ .store = "mysql:" },
		{ .store = "" },
		{ .store = "sqlite", .ca = "a" },
		{ .prefix = "/x/" },
	};
	struct seal_err err = { 0 };

	for (size_t i = 0; i < SEAL_COUNT(wrong); i++) {
		struct rot_place place = { .store = "untouched" };

		cr_expect_eq(rot_place_make(&place, "/x", &wrong[i], &err), SEAL_E_USAGE, "%zu: %s",
			     i, err.text);
		cr_expect_str_eq(place.store, "untouched");
	}
}

Test(rot_place, keeps_paths_that_hold_from_elsewhere)
{
	const struct rot_place_options options = { .store = "etcd:https://a:2379",
						   .ca = "ca.pem",
						   .cert = "/etc/cert.pem",
						   .key = "key" };
	struct rot_place place;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_place_make(&place, "/x", &options, &err), 0, "%s", err.text);
	cr_expect_eq(place.ca[0], '/');
	cr_expect_str_eq(place.cert, "/etc/cert.pem");
}
