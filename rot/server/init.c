/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a root of trust: everything is written into a directory beside the wanted one, which becomes
 * it in one rename.  Whoever looks sees a whole root of trust or none.
 */

#include "rot/server/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "rot/server/store.h"
#include "rot/signer/signer.h"
#include "rot/wire/wire.h"

#define ADMIN_DIR "admin"

/* What is under construction. */
struct site {
	const struct rot_init_options *options;
	char path[PATH_MAX]; /* of the temporary directory; "" when there is none */
	int fd;
	int admin_fd;
	struct rot_signer *signer;
	struct rot_kek_scheme scheme;
	struct rot_place place;
	struct rot_store *store; /* not finished yet */
	struct rot_meta meta;
	struct rot_ca system_ca;
	struct rot_operator admin;
	struct seal_bytes admin_cert;
	struct seal_secret *admin_key; /* PEM */
};

/* Everything that may be in a directory we made, innermost first. */
static const char *const made[] = {
	ADMIN_DIR "/ca.pem",    ADMIN_DIR "/cert.pem", ADMIN_DIR "/key.pem", ADMIN_DIR "/urls",
	ROT_KEK_NAME,           ROT_PLACE_NAME,        ROT_DB_NAME "-shm",   ROT_DB_NAME "-wal",
	ROT_DB_NAME "-journal", ROT_DB_NAME "-lock",   ROT_DB_NAME,
};

static int check_options(struct site *site, struct seal_err *err);
static int check_target(const char *dir, struct seal_err *err);
static int make_directory(struct site *site, struct seal_err *err);
static int start_signer(struct site *site, struct seal_err *err);
static int make_keys(struct site *site, struct seal_err *err);
static int make_admin(struct site *site, struct seal_err *err);
static int write_all(struct site *site, struct seal_err *err);
static int move_into_place(struct site *site, struct seal_err *err);
static int finish_store(struct site *site, struct seal_err *err);

static void
release_site(struct site *site)
{
	rot_signer_free(site->signer);
	rot_store_close(site->store);
	rot_meta_release(&site->meta);
	rot_ca_release(&site->system_ca);
	seal_bytes_release(&site->admin_cert);
	seal_secret_free(site->admin_key);
	if (site->path[0] != '\0') {
		for (size_t i = 0; i < SEAL_COUNT(made); i++)
			(void)unlinkat(site->fd, made[i], 0); /* may never have been made */
		(void)unlinkat(site->fd, ADMIN_DIR, AT_REMOVEDIR);
		(void)rmdir(site->path);
	}
	if (site->admin_fd >= 0)
		seal_close(site->admin_fd);
	if (site->fd >= 0)
		seal_close(site->fd);
}

int
rot_init(const struct rot_init_options *options,
	 char ret_trust_domain[static SEAL_TRUST_DOMAIN_MAX + 1], struct seal_err *err)
{
	SEAL_SCOPED(release_site)
	struct site site = {
		.options = options,
		.fd = -1,
		.admin_fd = -1,
		.admin_cert = SEAL_BYTES(SEAL_CHAIN_MAX_LEN),
	};
	int r;

	r = check_options(&site, err);
	if (r == 0)
		r = check_target(options->dir, err);
	if (r == 0)
		r = make_directory(&site, err);
	if (r == 0)
		r = start_signer(&site, err);
	if (r == 0)
		r = make_keys(&site, err);
	if (r == 0)
		r = make_admin(&site, err);
	if (r == 0)
		r = write_all(&site, err);
	if (r == 0)
		r = move_into_place(&site, err);
	if (r == 0 && site.store != NULL)
		r = finish_store(&site, err);
	if (r < 0)
		return r;
	(void)snprintf(ret_trust_domain, SEAL_TRUST_DOMAIN_MAX + 1, "%s", site.meta.trust_domain);
	return 0;
}

static int
check_urls(const struct seal_strv *urls, struct seal_err *err)
{
	int r;

	if (urls->count == 0)
		return seal_fail(err, SEAL_E_USAGE, "a root of trust needs at least one URL");
	if (urls->count > ROT_MAX_URLS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d URLs", ROT_MAX_URLS);
	for (size_t i = 0; i < urls->count; i++) {
		r = seal_url_check(urls->items[i], err);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++) {
			if (strcmp(urls->items[i], urls->items[j]) == 0)
				return seal_fail(err, SEAL_E_FORMAT, "the URL '%s' is there twice",
						 urls->items[i]);
		}
	}
	return 0;
}

static int
check_options(struct site *site, struct seal_err *err)
{
	const struct rot_init_options *options = site->options;
	char host[SEAL_HOSTNAME_MAX + 1];
	const char *domain = options->trust_domain;
	uint16_t port;
	int r;

	r = check_urls(options->urls, err);
	if (r < 0)
		return r;
	if (domain == NULL) {
		r = seal_url_split(options->urls->items[0], host, &port, err);
		if (r < 0)
			return r;
		domain = host;
	}
	r = seal_trust_domain_check(domain, err);
	if (r < 0)
		return seal_note(err, r,
				 options->trust_domain != NULL
					 ? "trust domain"
					 : "trust domain from the URL (choose one with "
					   "--trust-domain)");
	(void)snprintf(site->meta.trust_domain, sizeof(site->meta.trust_domain), "%s", domain);
	site->meta.created_at = options->now;
	return seal_strv_copy(&site->meta.urls, options->urls, err);
}

/* A friendly answer; what counts is the rename. */
static int
check_target(const char *dir, struct seal_err *err)
{
	char db[PATH_MAX], place[PATH_MAX];
	struct stat st;
	int n = snprintf(db, sizeof(db), "%s/%s", dir, ROT_DB_NAME);

	/* Room for the temporary name and what is in it. */
	if (dir[0] == '\0' || n < 0 || (size_t)n >= sizeof(db) - 64)
		return seal_fail(err, SEAL_E_LIMIT, "'%s' is no path for a directory", dir);
	if (lstat(dir, &st) < 0)
		return errno == ENOENT ? 0 : seal_fail_errno(err, errno, "%s", dir);
	if (!S_ISDIR(st.st_mode))
		return seal_fail(err, SEAL_E_CONFLICT, "'%s' is not a directory", dir);
	(void)snprintf(place, sizeof(place), "%s/%s", dir, ROT_PLACE_NAME);
	if (lstat(db, &st) == 0 || lstat(place, &st) == 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "'%s' holds a root of trust already: serve it with seal-rot "
				 "--dir %s, or name another directory",
				 dir, dir);
	return 0;
}

static int
make_directory(struct site *site, struct seal_err *err)
{
	const char *dir = site->options->dir;
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	(void)snprintf(site->path, sizeof(site->path), "%.*s.new-XXXXXX", (int)len, dir);
	if (mkdtemp(site->path) == NULL) {
		int errnum = errno;

		site->path[0] = '\0';
		if (errnum == ENOENT)
			return seal_fail(err, SEAL_E_MISSING,
					 "the directory above '%s' does not exist: make it first",
					 dir);
		return seal_fail_errno(err, errnum, "cannot make a directory beside '%s'", dir);
	}
	site->fd = open(site->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (site->fd < 0)
		return seal_fail_errno(err, errno, "%s", site->path);
	if (mkdirat(site->fd, ADMIN_DIR, 0700) < 0)
		return seal_fail_errno(err, errno, "%s/%s", site->path, ADMIN_DIR);
	site->admin_fd = openat(site->fd, ADMIN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (site->admin_fd < 0)
		return seal_fail_errno(err, errno, "%s/%s", site->path, ADMIN_DIR);
	return 0;
}

/* A fresh key-encryption key, written before it is used. */
static int
write_kek(struct site *site, const struct seal_secret *kek, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r = rot_kek_text(kek, &text, err);

	return r < 0 ? r
		     : seal_fs_write(site->fd, ROT_KEK_NAME, seal_secret_peek(text),
				     seal_secret_len(text), 0600, false, err);
}

static int
start_signer(struct site *site, struct seal_err *err)
{
	const struct rot_kek_source *source = &site->options->kek;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	int r;

	site->scheme.number = 1;
	r = rot_kek_new(&kek, source, &site->scheme, err);
	if (r == 0 && source->file == NULL && source->passphrase_file == NULL)
		r = write_kek(site, kek, err);
	if (r < 0)
		return r;
	return rot_signer_start(&site->signer, &kek, site->meta.trust_domain, err);
}

static int
make_keys(struct site *site, struct seal_err *err)
{
	int r;

	r = rot_signer_new_ca(site->signer, "", 1, site->options->now, &site->system_ca, err);
	if (r < 0)
		return r;
	seal_bytes_init(&site->meta.statement_key, 4096);
	return rot_signer_new_secret(site->signer, "statement", &site->meta.statement_key, err);
}

static int
issue_admin(struct site *site, const struct seal_bytes *spki, struct seal_err *err)
{
	const int64_t now = site->options->now;
	struct rot_issue issue = {
		.identity = { .role = SEAL_ROLE_OPERATOR,
			      .operator_role = "admin",
			      .operator_name = ROT_ADMIN_NAME },
		.spki = spki,
		.not_before = now - ROT_BACKDATE,
		.not_after = now + ROT_ADMIN_SECONDS,
	};
	int r;

	(void)snprintf(issue.identity.trust_domain, sizeof(issue.identity.trust_domain), "%s",
		       site->meta.trust_domain);
	r = seal_random(issue.serial, sizeof(issue.serial), err);
	if (r < 0)
		return r;
	issue.serial[0] = (uint8_t)((issue.serial[0] & 0x3f) | 0x40); /* positive, 16 bytes */
	site->admin = (struct rot_operator){ .name = ROT_ADMIN_NAME,
					     .role = "admin",
					     .ttl = ROT_ADMIN_SECONDS,
					     .created_at = now,
					     .not_after = issue.not_after };
	seal_hex_encode(site->admin.serial, issue.serial, sizeof(issue.serial));
	return rot_signer_issue(site->signer, &site->system_ca, &issue, &site->admin_cert, err);
}

/* The first operator's key is made here and goes nowhere but into its file. */
static int
make_admin(struct site *site, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(4096);
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	int r;

	r = seal_key_new(&key, err);
	if (r == 0)
		r = seal_key_spki(key, &spki, err);
	if (r == 0)
		r = seal_key_to_pem(key, &site->admin_key, err);
	if (r == 0)
		r = issue_admin(site, &spki, err);
	return r;
}

/* Entry 0 of the audit log: what was made, and for whom. */
static int
begin_audit(struct site *site, struct seal_err *err)
{
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	char subject[AUDIT_SUBJECT_MAX];
	int r;

	(void)snprintf(subject, sizeof(subject), "%s: %s for operator/admin/%s",
		       site->meta.trust_domain, site->admin.serial, ROT_ADMIN_NAME);
	r = rot_audit_log_new(site->signer, &log, err);
	return r < 0 ? r
		     : rot_store_audit_begin(site->store, &log, subject, site->options->now, err);
}

/* Where it will be, and where it is made: SQLite's file is in the directory that is renamed. */
static int
write_store(struct site *site, struct seal_err *err)
{
	struct rot_kv_config config;
	int r;

	r = rot_place_make(&site->place, site->path, &site->options->store, err);
	if (r < 0)
		return r;
	rot_place_config(&site->place, &config);
	r = rot_store_begin_new(&site->store, &config, &site->meta, &site->system_ca, &site->admin,
				&site->scheme, err);
	if (r == 0)
		r = begin_audit(site, err);
	if (r < 0)
		return r;
	(void)snprintf(site->place.id, sizeof(site->place.id), "%s", rot_store_id(site->store));
	r = rot_place_write(&site->place, site->fd, err);
	/* In etcd it becomes a store once the directory, with the key, is in its place. */
	if (r < 0 || rot_place_is_etcd(&site->place))
		return r;
	r = rot_store_filled(site->store, err);
	rot_store_closep(&site->store); /* while its path is true */
	return r;
}

/* Where the credential is for: with them it is a whole profile (rot/cli/profile.c). */
static int
write_urls(const struct site *site, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(64u * 1024);
	int r = 0;

	for (size_t i = 0; r == 0 && i < site->options->urls->count; i++)
		r = seal_bytes_append_fmt(&text, err, "%s\n", site->options->urls->items[i]);
	return r < 0 ? r
		     : seal_fs_write(site->admin_fd, "urls", text.data, text.len, 0600, false, err);
}

static int
write_all(struct site *site, struct seal_err *err)
{
	int r;

	r = seal_fs_write(site->admin_fd, "ca.pem", site->system_ca.cert.data,
			  site->system_ca.cert.len, 0600, false, err);
	if (r == 0)
		r = seal_fs_write(site->admin_fd, "cert.pem", site->admin_cert.data,
				  site->admin_cert.len, 0600, false, err);
	if (r == 0)
		r = seal_fs_write(site->admin_fd, "key.pem", seal_secret_peek(site->admin_key),
				  seal_secret_len(site->admin_key), 0600, false, err);
	if (r == 0)
		r = write_urls(site, err);
	if (r == 0)
		r = write_store(site, err);
	return r;
}

/* The parent directory, so that the rename itself is on disk before we say it is done. */
static int
sync_parent(const char *dir, struct seal_err *err)
{
	char parent[PATH_MAX];
	size_t len = strlen(dir);
	int fd, r = 0;

	while (len > 1 && dir[len - 1] == '/')
		len--;
	while (len > 0 && dir[len - 1] != '/')
		len--;
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)len, dir);
	fd = open(len > 0 ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return seal_fail_errno(err, errno, "cannot open the directory above '%s'", dir);
	if (fsync(fd) < 0)
		r = seal_fail_errno(err, errno, "cannot write the directory above '%s'", dir);
	seal_close(fd);
	return r;
}

static int
move_into_place(struct site *site, struct seal_err *err)
{
	const char *dir = site->options->dir;

	if (fsync(site->admin_fd) < 0 || fsync(site->fd) < 0)
		return seal_fail_errno(err, errno, "cannot write '%s'", site->path);
	if (rename(site->path, dir) <
	    0) { /* takes the place of nothing, or of an empty directory */
		if (errno == ENOTEMPTY || errno == EEXIST)
			return seal_fail(err, SEAL_E_CONFLICT,
					 "'%s' is not empty: name a directory that does not exist",
					 dir);
		if (errno == EBUSY || errno == EXDEV)
			return seal_fail(err, SEAL_E_CONFLICT,
					 "'%s' is a mount point: name a directory below it", dir);
		return seal_fail_errno(err, errno, "cannot make '%s'", dir);
	}
	site->path[0] = '\0'; /* it is no longer ours to remove */
	return sync_parent(dir, err);
}

static int
finish_store(struct site *site, struct seal_err *err)
{
	int r = rot_store_filled(site->store, err);

	return r < 0 ? seal_note(err, r, "remove '%s' and run seal init again", site->options->dir)
		     : 0;
}
