/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups, written and read.  A file is read to its end, and its digest compared, before anything of it is used; and
 * every record is judged again when it is.
 */

#include "rot/server/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/json/json.h"
#include "base/names/names.h"
#include "rot/server/store_internal.h"

#define MAGIC_LEN  (sizeof(ROT_BACKUP_MAGIC) - 1)
#define HEADER_MAX 65536u
#define LEN_LEN    4

/* ---- Writing ---- */

struct writing {
	FILE *file;
	struct seal_digest *digest;
	uint64_t records;
};

static int
fail_write(const char *path, struct seal_err *err)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return seal_fail(err, SEAL_E_SYSTEM, "%s: the disk is full", path);
	return seal_fail_errno(err, errno, "cannot write %s", path);
}

static int
put(struct writing *writing, const void *data, size_t len, struct seal_err *err)
{
	if (len > 0 && fwrite(data, 1, len, writing->file) != len)
		return fail_write("the backup", err);
	return seal_digest_add(writing->digest, data, len, err);
}

static int
put_number(struct writing *writing, size_t bytes, size_t number, struct seal_err *err)
{
	uint8_t raw[sizeof(number)];

	for (size_t i = bytes; i-- > 0; number >>= 8)
		raw[i] = (uint8_t)number;
	return put(writing, raw, bytes, err);
}

static int
put_record(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct writing *writing = arg;
	int r = put_number(writing, ROT_RECORD_HEAD, strlen(key), err);

	writing->records++;
	if (r == 0)
		r = put(writing, key, strlen(key), err);
	if (r == 0)
		r = put_number(writing, ROT_RECORD_LEN, len, err);
	return r < 0 ? r : put(writing, value, len, err);
}

static int
put_header(struct writing *writing, const struct rot_backup_info *info, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(HEADER_MAX);
	int r;

	seal_json_set_str(header, "store", info->store);
	seal_json_set_str(header, "trust_domain", info->trust_domain);
	seal_json_set_u64(header, "schema", info->schema);
	seal_json_set_i64(header, "created_at", info->created_at);
	seal_json_set_u64(header, "records", info->records);
	r = seal_json_dump(header, false, &text, err);
	if (r == 0)
		r = put(writing, ROT_BACKUP_MAGIC, MAGIC_LEN, err);
	if (r == 0)
		r = put_number(writing, LEN_LEN, text.len, err);
	return r < 0 ? r : put(writing, text.data, text.len, err);
}

/* Within the reader's one transaction: the count, the header's own record, all of them. */
static int
put_all(struct writing *writing, struct rot_kv *kv, struct rot_backup_info *info,
	struct seal_err *err)
{
	const struct rot_kv_range all = { .loose = true };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes meta = SEAL_BYTES(ROT_KV_VALUE_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	struct rot_kek_scheme scheme = ROT_KEK_SCHEME;
	struct rot_store store = { .kv = kv };
	const char *domain = NULL;
	int r;

	/* Half of it under one key, half under another: whoever restores it needs both. */
	r = rot_store_kek(&store, &scheme, err);
	if (r < 0)
		return r;
	r = rot_kv_get(kv, "meta", &meta, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: 'meta'");
	if (r == 0)
		r = seal_json_parse(&json, meta.data, meta.len, ROT_KV_VALUE_MAX, err);
	if (r == 0)
		r = seal_json_get_str(json, "trust_domain", &domain, err);
	if (r == 0)
		r = seal_json_get_u64(json, "schema", INT64_MAX, &info->schema, err);
	if (r == 0)
		r = rot_kv_count(kv, NULL, NULL, &info->records, err);
	if (r < 0)
		return r;
	(void)snprintf(info->trust_domain, sizeof(info->trust_domain), "%s", domain);
	r = put_header(writing, info, err);
	if (r == 0)
		r = rot_kv_each(kv, &all, put_record, writing, err);
	if (r == 0 && writing->records != info->records)
		r = seal_fail(err, SEAL_E_SYSTEM, "the store is damaged: it miscounts itself");
	return r;
}

static int
write_file(struct writing *writing, struct rot_kv *kv, const char *path,
	   struct rot_backup_info *info, struct seal_err *err)
{
	int r = rot_kv_begin(kv, err);

	if (r == 0)
		r = put_all(writing, kv, info, err);
	rot_kv_rollback(kv);
	if (r == 0)
		r = seal_digest_end(writing->digest, info->digest, err);
	if (r < 0)
		return r;
	if (fwrite(info->digest, 1, SEAL_HASH_LEN, writing->file) != SEAL_HASH_LEN ||
	    fflush(writing->file) != 0 || fsync(fileno(writing->file)) < 0)
		return fail_write(path, err);
	return 0;
}

/* The directory, so that the name itself is on disk before we say it is done. */
static int
sync_dir(const char *path, struct seal_err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd, r = 0;

	if (slash != NULL)
		(void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path),
			       path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		r = fail_write(dir, err);
	if (fd >= 0)
		seal_close(fd);
	return r;
}

/* Give the finished file its name. */
static int
publish(const char *from, const char *path, bool replace, struct seal_err *err)
{
	if (!replace && link(from, path) < 0)
		return errno == EEXIST ? seal_fail(err, SEAL_E_CONFLICT,
						   "'%s' is there already: name another file, or "
						   "give --force",
						   path)
				       : fail_write(path, err);
	if (replace && rename(from, path) < 0)
		return fail_write(path, err);
	return sync_dir(path, err);
}

static int
open_file(struct writing *writing, char *temporary, struct seal_err *err)
{
	int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */

	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot write beside '%s'", temporary);
	writing->file = fdopen(fd, "w");
	if (writing->file != NULL)
		return 0;
	seal_close(fd);
	(void)unlink(temporary);
	return seal_fail_memory(err);
}

int
rot_backup_write(struct rot_kv *kv, const char *path, bool replace, int64_t now,
		 struct rot_backup_info *ret_info, struct seal_err *err)
{
	struct rot_backup_info info = { .created_at = now };
	struct writing writing = { .file = NULL };
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof(temporary), "%s.new-XXXXXX", path);
	int r;

	if (path[0] == '\0' || n < 0 || (size_t)n >= sizeof(temporary))
		return seal_fail(err, SEAL_E_LIMIT, "'%s' is no path for a file", path);
	if (!replace && access(path, F_OK) == 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "'%s' is there already: name another file, or give --force", path);
	r = seal_digest_new(&writing.digest, err);
	if (r < 0)
		return r;
	r = open_file(&writing, temporary, err);
	if (r == 0) {
		(void)snprintf(info.store, sizeof(info.store), "%s", rot_kv_id(kv));
		r = write_file(&writing, kv, path, &info, err);
		if (fclose(writing.file) != 0 && r == 0)
			r = fail_write(path, err);
		if (r == 0)
			r = publish(temporary, path, replace, err);
		(void)unlink(temporary); /* after a rename it is gone */
	}
	seal_digest_free(writing.digest);
	if (r == 0)
		*ret_info = info;
	return r;
}

/* ---- Reading ---- */

struct rot_backup {
	FILE *file;
	char *path;
	long records_at;
	struct rot_backup_info info;
	struct seal_digest *digest; /* while it is read the first time */
};

void
rot_backup_close(struct rot_backup *backup)
{
	if (backup == NULL)
		return;
	if (backup->file != NULL)
		(void)fclose(backup->file); /* it was only read */
	seal_digest_free(backup->digest);
	free(backup->path);
	free(backup);
}

void
rot_backup_closep(struct rot_backup **backup)
{
	rot_backup_close(*backup);
	*backup = NULL;
}

const struct rot_backup_info *
rot_backup_info(const struct rot_backup *backup)
{
	return &backup->info;
}

static int
fail_damaged(const struct rot_backup *backup, const char *what, struct seal_err *err)
{
	if (ferror(backup->file))
		return seal_fail_errno(err, errno, "cannot read '%s'", backup->path);
	return seal_fail(err, SEAL_E_FORMAT, "the backup '%s' is damaged: %s", backup->path, what);
}

static int
get(struct rot_backup *backup, void *out, size_t len, struct seal_err *err)
{
	if (len > 0 && fread(out, 1, len, backup->file) != len)
		return fail_damaged(backup, "it is cut short", err);
	return backup->digest != NULL ? seal_digest_add(backup->digest, out, len, err) : 0;
}

static int
get_number(struct rot_backup *backup, size_t bytes, size_t *ret_number, struct seal_err *err)
{
	uint8_t raw[LEN_LEN];
	size_t number = 0;
	int r = get(backup, raw, bytes, err);

	for (size_t i = 0; r == 0 && i < bytes; i++)
		number = number << 8 | raw[i];
	if (r == 0)
		*ret_number = number;
	return r;
}

static int
parse_header(struct rot_backup *backup, const struct seal_bytes *text, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	struct rot_backup_info *info = &backup->info;
	const char *store = "", *domain = "";
	uint64_t created_at = 0;
	int r;

	r = seal_json_parse(&header, text->data, text->len, HEADER_MAX, NULL);
	if (r == 0)
		r = seal_json_get_str(header, "store", &store, NULL);
	if (r == 0)
		r = seal_json_get_str(header, "trust_domain", &domain, NULL);
	if (r == 0)
		r = seal_json_get_u64(header, "schema", INT64_MAX, &info->schema, NULL);
	if (r == 0)
		r = seal_json_get_u64(header, "created_at", INT64_MAX, &created_at, NULL);
	if (r == 0)
		r = seal_json_get_u64(header, "records", INT64_MAX, &info->records, NULL);
	if (r < 0 || strlen(store) >= sizeof(info->store) ||
	    strlen(domain) >= sizeof(info->trust_domain))
		return fail_damaged(backup, "its header", err);
	(void)snprintf(info->store, sizeof(info->store), "%s", store);
	(void)snprintf(info->trust_domain, sizeof(info->trust_domain), "%s", domain);
	info->created_at = (int64_t)created_at;
	if (info->schema > ROT_STORE_SCHEMA)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the backup '%s' was written by a newer seal (schema %" PRIu64
				 ", this one knows %d): upgrade this seal",
				 backup->path, info->schema, ROT_STORE_SCHEMA);
	return 0;
}

static int
get_header(struct rot_backup *backup, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(HEADER_MAX);
	uint8_t magic[MAGIC_LEN], raw[512];
	size_t len = 0;
	int r = get(backup, magic, MAGIC_LEN, err);

	if (r == 0 && memcmp(magic, ROT_BACKUP_MAGIC, MAGIC_LEN) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' is no backup of a root of trust",
				 backup->path);
	if (r == 0)
		r = get_number(backup, LEN_LEN, &len, err);
	if (r == 0 && len > HEADER_MAX)
		return fail_damaged(backup, "its header", err);
	while (r == 0 && len > 0) {
		size_t part = len < sizeof(raw) ? len : sizeof(raw);

		r = get(backup, raw, part, err);
		if (r == 0)
			r = seal_bytes_append(&text, raw, part, err);
		len -= part;
	}
	return r < 0 ? r : parse_header(backup, &text, err);
}

/* One record into the two buffers, of ROT_KV_KEY_MAX + 1 and ROT_KV_VALUE_MAX bytes. */
static int
get_record(struct rot_backup *backup, char *key, uint8_t *value, size_t *ret_len,
	   struct seal_err *err)
{
	size_t key_len = 0, len = 0;
	int r = get_number(backup, ROT_RECORD_HEAD, &key_len, err);

	if (r == 0 && (key_len == 0 || key_len > ROT_KV_KEY_MAX))
		return fail_damaged(backup, "a key", err);
	if (r == 0)
		r = get(backup, key, key_len, err);
	if (r < 0)
		return r;
	key[key_len] = '\0';
	r = get_number(backup, ROT_RECORD_LEN, &len, err);
	if (r == 0 && (strlen(key) != key_len || len > ROT_KV_VALUE_MAX))
		return fail_damaged(backup, "a record", err);
	if (r == 0)
		r = get(backup, value, len, err);
	if (r == 0)
		*ret_len = len;
	return r;
}

struct walk {
	struct rot_backup *backup;
	char key[ROT_KV_KEY_MAX + 1];
	char last[ROT_KV_KEY_MAX + 1];
	uint8_t value[ROT_KV_VALUE_MAX];
};

static int
walk_records(struct walk *walk, rot_kv_fn fn, void *fn_arg, struct seal_err *err)
{
	struct rot_backup *backup = walk->backup;

	for (uint64_t i = 0; i < backup->info.records; i++) {
		size_t len = 0;
		int r = get_record(backup, walk->key, walk->value, &len, err);

		if (r == 0 && i > 0 && strcmp(walk->last, walk->key) >= 0)
			r = fail_damaged(backup, "its order", err);
		if (r == 0 && fn != NULL)
			r = fn(fn_arg, walk->key, walk->value, len, err);
		if (r < 0)
			return r;
		memcpy(walk->last, walk->key, sizeof(walk->last));
	}
	return 0;
}

static int
each_record(struct rot_backup *backup, rot_kv_fn fn, void *fn_arg, struct seal_err *err)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (walk == NULL)
		return seal_fail_memory(err);
	walk->backup = backup;
	r = walk_records(walk, fn, fn_arg, err);
	free(walk);
	return r;
}

int
rot_backup_each(void *arg, rot_kv_fn fn, void *fn_arg, struct seal_err *err)
{
	struct rot_backup *backup = arg;

	if (fseek(backup->file, backup->records_at, SEEK_SET) < 0)
		return seal_fail_errno(err, errno, "cannot read '%s'", backup->path);
	return each_record(backup, fn, fn_arg, err);
}

/* To the end, which is its digest. */
static int
read_whole(struct rot_backup *backup, struct seal_err *err)
{
	uint8_t sum[SEAL_HASH_LEN];
	int r = get_header(backup, err);

	backup->records_at = r == 0 ? ftell(backup->file) : 0;
	if (r == 0 && backup->records_at < 0)
		return seal_fail_errno(err, errno, "cannot read '%s'", backup->path);
	if (r == 0)
		r = each_record(backup, NULL, NULL, err);
	if (r == 0)
		r = seal_digest_end(backup->digest, sum, err);
	if (r < 0)
		return r;
	seal_digest_free(backup->digest);
	backup->digest = NULL;
	r = get(backup, backup->info.digest, SEAL_HASH_LEN, err);
	if (r < 0)
		return r;
	if (memcmp(sum, backup->info.digest, sizeof(sum)) != 0)
		return fail_damaged(backup, "its bytes are not those that were written", err);
	return fgetc(backup->file) == EOF ? 0
					  : fail_damaged(backup, "something stands behind it", err);
}

int
rot_backup_open(struct rot_backup **ret_backup, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(rot_backup_closep) struct rot_backup *backup = calloc(1, sizeof(*backup));
	int r;

	if (backup == NULL)
		return seal_fail_memory(err);
	backup->path = seal_strndup(path, strlen(path));
	if (backup->path == NULL)
		return seal_fail_memory(err);
	backup->file = fopen(path, "re");
	if (backup->file == NULL)
		return seal_fail_errno(err, errno, "cannot open '%s'", path);
	r = seal_digest_new(&backup->digest, err);
	if (r == 0)
		r = read_whole(backup, err);
	if (r < 0)
		return r;
	*ret_backup = SEAL_TAKE(backup);
	return 0;
}
