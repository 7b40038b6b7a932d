/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key-encryption key's sources.  A key's file is hexadecimal text, so that it can be made, printed and kept in a
 * safe with ordinary tools; a passphrase is one line.
 */

#include "rot/server/kek.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fs/fs.h"

#define KEK_TEXT_LEN (2 * SEAL_KEY_LEN)
#define SECRET_MAX   4096 /* room for more than is right, so that a wrong file is told apart */

/* 128 MiB and a third of a second: RFC 7914's advice for files, of its time, times eight. */
static const struct seal_scrypt usual_cost = { .n = 1u << 17, .r = 8, .p = 1 };

/* ---- Keys ---- */

static int
parse_key(struct seal_secret **ret_kek, const struct seal_secret *text, const char *name,
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	size_t len = seal_secret_len(text);
	int r;

	if (len == KEK_TEXT_LEN + 1 && seal_secret_peek(text)[KEK_TEXT_LEN] == '\n')
		len = KEK_TEXT_LEN;
	r = seal_secret_new(&kek, SEAL_KEY_LEN, err);
	if (r < 0)
		return r;
	r = seal_hex_decode(seal_secret_bytes(kek), SEAL_KEY_LEN, seal_secret_chars(text), len,
			    NULL);
	if (r < 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "key-encryption key: '%s' does not hold 64 hexadecimal digits: "
				 "make one with: openssl rand -hex 32",
				 name);
	*ret_kek = SEAL_TAKE(kek);
	return 0;
}

int
rot_kek_read(struct seal_secret **ret_kek, int dirfd, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	/* What an operator names may be a link, as all files of a Kubernetes volume are; what lies in DIR is none. */
	r = dirfd == AT_FDCWD ? seal_fs_read_secret_linked(&text, dirfd, name, SECRET_MAX, err)
			      : seal_fs_read_secret(&text, dirfd, name, SECRET_MAX, err);
	if (r < 0)
		return seal_note(err, r, "key-encryption key");
	return parse_key(ret_kek, text, name, err);
}

int
rot_kek_text(const struct seal_secret *kek, struct seal_secret **ret_text, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r = seal_secret_new(&text, KEK_TEXT_LEN + 1, err);

	if (r < 0)
		return r;
	seal_hex_encode((char *)seal_secret_bytes(text), seal_secret_peek(kek), SEAL_KEY_LEN);
	seal_secret_bytes(text)[KEK_TEXT_LEN] = '\n';
	*ret_text = SEAL_TAKE(text);
	return 0;
}

/* ---- Passphrases ---- */

static int
read_stdin(struct seal_secret **ret_text, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	size_t len = 0;
	ssize_t n = 1;
	int r = seal_secret_new(&text, SECRET_MAX, err);

	if (r < 0)
		return r;
	while (n != 0 && len < SECRET_MAX) {
		n = read(STDIN_FILENO, seal_secret_bytes(text) + len, SECRET_MAX - len);
		if (n < 0 && errno != EINTR)
			return seal_fail_errno(err, errno, "cannot read the passphrase");
		if (n > 0)
			len += (size_t)n;
	}
	seal_secret_truncate(text, len);
	*ret_text = SEAL_TAKE(text);
	return 0;
}

static int
check_passphrase(struct seal_secret *text, struct seal_err *err)
{
	const uint8_t *bytes = seal_secret_peek(text);
	size_t len = seal_secret_len(text);

	if (len > 0 && bytes[len - 1] == '\n')
		seal_secret_truncate(text, --len);
	if (memchr(bytes, '\n', len) != NULL || memchr(bytes, '\0', len) != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "a passphrase is one line of text");
	if (len < ROT_PASSPHRASE_MIN || len > ROT_PASSPHRASE_MAX)
		return seal_fail(err, SEAL_E_FORMAT,
				 "a passphrase has %d to %d bytes: take several random words",
				 ROT_PASSPHRASE_MIN, ROT_PASSPHRASE_MAX);
	return 0;
}

static int
ask_twice(struct seal_secret **ret_text, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *again = NULL;
	int r = rot_kek_ask("New passphrase: ", &text, err);

	if (r == 0)
		r = rot_kek_ask("The same again: ", &again, err);
	if (r < 0)
		return r;
	if (!seal_secret_equal(text, again))
		return seal_fail(err, SEAL_E_REFUSED, "the two were not the same");
	*ret_text = SEAL_TAKE(text);
	return 0;
}

static int
read_passphrase(struct seal_secret **ret_text, const char *name, bool is_new, struct seal_err *err)
{
	if (strcmp(name, "-") != 0)
		return seal_fs_read_secret_linked(ret_text, AT_FDCWD, name, SECRET_MAX, err);
	if (isatty(STDIN_FILENO) == 0)
		return read_stdin(ret_text, err);
	return is_new ? ask_twice(ret_text, err) : rot_kek_ask("Passphrase: ", ret_text, err);
}

static int
derive(struct seal_secret **ret_kek, struct seal_secret *text, const struct rot_kek_scheme *scheme,
       struct seal_err *err)
{
	int r = check_passphrase(text, err);

	return r < 0 ? r
		     : seal_scrypt(ret_kek, text, scheme->salt, sizeof(scheme->salt), &scheme->cost,
				   err);
}

/* ---- Choosing ---- */

int
rot_kek_source_check(const struct rot_kek_source *source, struct seal_err *err)
{
	if (source->file != NULL && source->passphrase_file != NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "a key file and a passphrase file: a store is under one of them");
	return 0;
}

/* systemd's LoadCredential=: false when there is none. */
static bool
find_credential(char path[static PATH_MAX])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (dir == NULL || dir[0] != '/')
		return false;
	n = snprintf(path, PATH_MAX, "%s/" ROT_KEK_CREDENTIAL, dir);
	return n > 0 && n < PATH_MAX && access(path, F_OK) == 0;
}

static int
get_key(struct seal_secret **ret_kek, const struct rot_kek_source *source, int dir_fd,
	struct seal_err *err)
{
	char path[PATH_MAX];

	if (source->passphrase_file != NULL)
		return seal_fail(err, SEAL_E_REFUSED,
				 "this root of trust is under a key, not a passphrase: give "
				 "--kek-file instead of --kek-passphrase-file");
	if (source->file != NULL)
		return rot_kek_read(ret_kek, AT_FDCWD, source->file, err);
	if (find_credential(path))
		return rot_kek_read(ret_kek, AT_FDCWD, path, err);
	if (dir_fd >= 0 && faccessat(dir_fd, ROT_KEK_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return rot_kek_read(ret_kek, dir_fd, ROT_KEK_NAME, err);
	return seal_fail(err, SEAL_E_MISSING,
			 "there is no key-encryption key: put it into DIR/" ROT_KEK_NAME
			 ", or give --kek-file, or the systemd credential " ROT_KEK_CREDENTIAL);
}

static int
get_passphrase(struct seal_secret **ret_text, const struct rot_kek_source *source,
	       struct seal_err *err)
{
	char path[PATH_MAX];
	int r;

	if (source->file != NULL)
		return seal_fail(err, SEAL_E_REFUSED,
				 "this root of trust is under a passphrase: give "
				 "--kek-passphrase-file instead of --kek-file");
	if (source->passphrase_file != NULL)
		return read_passphrase(ret_text, source->passphrase_file, false, err);
	if (find_credential(path))
		return seal_fs_read_secret_linked(ret_text, AT_FDCWD, path, SECRET_MAX, err);
	r = rot_kek_ask("Passphrase: ", ret_text, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, r,
				 "this root of trust is under a passphrase: give "
				 "--kek-passphrase-file or the systemd "
				 "credential " ROT_KEK_CREDENTIAL ", or start it at a terminal");
	return r;
}

int
rot_kek_get(struct seal_secret **ret_kek, const struct rot_kek_source *source,
	    const struct rot_kek_scheme *scheme, int dir_fd, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r = rot_kek_source_check(source, err);

	if (r == 0 && !scheme->is_passphrase)
		return get_key(ret_kek, source, dir_fd, err);
	if (r == 0)
		r = get_passphrase(&text, source, err);
	if (r == 0)
		r = derive(ret_kek, text, scheme, err);
	return r < 0 ? seal_note(err, r, "passphrase") : 0;
}

static int
new_from_passphrase(struct seal_secret **ret_kek, const char *name, struct rot_kek_scheme *scheme,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r;

	scheme->is_passphrase = true;
	scheme->cost = usual_cost;
	r = seal_random(scheme->salt, sizeof(scheme->salt), err);
	if (r == 0)
		r = read_passphrase(&text, name, true, err);
	if (r == 0)
		r = derive(ret_kek, text, scheme, err);
	return r < 0 ? seal_note(err, r, "passphrase") : 0;
}

static int
new_at_random(struct seal_secret **ret_kek, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	int r = seal_secret_new(&kek, SEAL_KEY_LEN, err);

	if (r == 0)
		r = seal_random(seal_secret_bytes(kek), SEAL_KEY_LEN, err);
	if (r == 0)
		*ret_kek = SEAL_TAKE(kek);
	return r;
}

int
rot_kek_new(struct seal_secret **ret_kek, const struct rot_kek_source *source,
	    struct rot_kek_scheme *scheme, struct seal_err *err)
{
	int r = rot_kek_source_check(source, err);

	if (r < 0)
		return r;
	if (source->passphrase_file != NULL)
		return new_from_passphrase(ret_kek, source->passphrase_file, scheme, err);
	scheme->is_passphrase = false;
	if (source->file != NULL)
		return rot_kek_read(ret_kek, AT_FDCWD, source->file, err);
	return new_at_random(ret_kek, err);
}
