/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator's credential as files: ca.pem, cert.pem, key.pem, and urls where it is complete.  Who it is and until
 * when; what is near its end says so with every verb.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/cli/cli.h"

#define DAY        86400
#define WARN_DAYS  30
#define URLS_MAX   (64u * 1024)
#define MANY_HOURS 48 /* beyond them days are told */

void
cli_credential_release(struct cli_credential *credential)
{
	seal_certs_free(credential->ca);
	seal_certs_free(credential->cert);
	seal_key_free(credential->key);
	seal_strv_release(&credential->urls);
	memset(credential, 0, sizeof(*credential));
}

static int
read_certs(struct seal_certs **ret_certs, int dirfd, const char *name, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	int r;

	r = seal_fs_read_public(&pem, dirfd, name, SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return r;
	r = seal_certs_from_pem(ret_certs, seal_bytes_str(&pem), pem.len, SEAL_CHAIN_MAX_LEN, err);
	return r < 0 ? seal_note(err, r, "%s", name) : 0;
}

static int
read_key(struct seal_key **ret_key, int dirfd, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	int r;

	r = seal_fs_read_secret(&pem, dirfd, "key.pem", SEAL_CHAIN_MAX_LEN, err);
	if (r < 0)
		return r;
	r = seal_key_from_pem(ret_key, pem, err);
	return r < 0 ? seal_note(err, r, "key.pem") : 0;
}

int
cli_urls_check(const struct seal_strv *urls, struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < urls->count; i++)
		r = seal_url_check(urls->items[i], err);
	return r;
}

/* One a line; without the file: none. */
static int
read_urls(struct seal_strv *ret_urls, int dirfd, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(URLS_MAX);
	SEAL_SCOPED(seal_strv_release) struct seal_strv urls = { 0 };
	int r = seal_fs_read_public(&text, dirfd, CLI_URLS_NAME, URLS_MAX, err);
	char *rest = (char *)text.data;
	char *line;

	if (r == SEAL_E_MISSING)
		return 0;
	if (r == 0)
		r = seal_bytes_append(&text, "", 1, err);
	rest = (char *)text.data;
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL) {
		if (line[0] != '\0')
			r = seal_strv_add(&urls, line, err);
	}
	if (r == 0)
		r = cli_urls_check(&urls, err);
	if (r < 0)
		return seal_note(err, r, CLI_URLS_NAME);
	*ret_urls = urls;
	memset(&urls, 0, sizeof(urls)); /* the caller owns it now */
	return 0;
}

/* A key that is not the certificate's would fail in the handshake, with a riddle. */
int
cli_credential_check(const struct cli_credential *credential, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *certified = NULL;
	int r = seal_cert_key(seal_certs_at(credential->cert, 0), &certified, err);

	if (r < 0)
		return r;
	if (!seal_key_same_public(certified, credential->key))
		return seal_fail(err, SEAL_E_FORMAT,
				 "key.pem is not the key of the certificate in cert.pem");
	return 0;
}

static int
describe(struct cli_credential *credential, struct seal_err *err)
{
	const struct seal_cert *leaf = seal_certs_at(credential->cert, 0);
	int r = seal_cert_identity(leaf, &credential->identity, err);

	if (r == 0)
		r = seal_cert_times(leaf, &credential->not_before, &credential->not_after, err);
	return r < 0 ? seal_note(err, r, "cert.pem") : 0;
}

int
cli_credential_read(struct cli_credential *ret_credential, int dirfd, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	int r;

	r = read_certs(&credential.ca, dirfd, "ca.pem", err);
	if (r == 0)
		r = read_certs(&credential.cert, dirfd, "cert.pem", err);
	if (r == 0)
		r = read_key(&credential.key, dirfd, err);
	if (r == 0)
		r = read_urls(&credential.urls, dirfd, err);
	if (r == 0)
		r = describe(&credential, err);
	if (r == 0)
		r = cli_credential_check(&credential, err);
	if (r < 0)
		return r;
	*ret_credential = credential;
	memset(&credential, 0, sizeof(credential)); /* the caller owns it now */
	return 0;
}

/* ---- What the root of trust has answered ---- */

static int
take_certs(struct seal_certs **ret_certs, const struct seal_json *reply, const char *member,
	   struct seal_err *err)
{
	const char *pem = NULL;
	int r = seal_json_get_str(reply, member, &pem, err);

	if (r == 0)
		r = seal_certs_from_pem(ret_certs, pem, strlen(pem), SEAL_CHAIN_MAX_LEN, err);
	return r < 0 ? seal_note(err, r, "the root of trust's answer: %s", member) : 0;
}

int
cli_credential_take(struct cli_credential *ret_credential, const struct seal_json *reply,
		    struct seal_key **key, struct seal_err *err)
{
	SEAL_SCOPED(cli_credential_release) struct cli_credential credential = { 0 };
	int r;

	credential.key = SEAL_TAKE(*key);
	r = take_certs(&credential.ca, reply, "ca", err);
	if (r == 0)
		r = take_certs(&credential.cert, reply, "certificate", err);
	if (r == 0)
		r = seal_json_get_strv(reply, "urls", CLI_MAX_URLS, &credential.urls, err);
	if (r == 0)
		r = cli_urls_check(&credential.urls, err);
	if (r == 0)
		r = describe(&credential, err);
	if (r == 0 && cli_credential_check(&credential, NULL) < 0)
		r = seal_fail(err, SEAL_E_FORMAT,
			      "the root of trust certified a key that is not ours");
	if (r < 0)
		return r;
	*ret_credential = credential;
	memset(&credential, 0, sizeof(credential)); /* the caller owns it now */
	return 0;
}

/* ---- As files ---- */

int
cli_credential_write(const struct cli_place *place, const struct cli_credential *credential,
		     enum cli_write_how how, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes ca = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes cert = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes urls = SEAL_BYTES(URLS_MAX);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	int r;

	r = seal_certs_to_pem(credential->ca, &ca, err);
	if (r == 0)
		r = seal_certs_to_pem(credential->cert, &cert, err);
	if (r == 0)
		r = seal_key_to_pem(credential->key, &key, err);
	for (size_t i = 0; r == 0 && i < credential->urls.count; i++)
		r = seal_bytes_append_fmt(&urls, err, "%s\n", credential->urls.items[i]);
	if (r < 0)
		return r;

	const struct cli_file files[] = {
		{ "ca.pem", ca.data, ca.len },
		{ "cert.pem", cert.data, cert.len },
		{ "key.pem", seal_secret_peek(key), seal_secret_len(key) },
		{ CLI_URLS_NAME, urls.data, urls.len },
	};
	size_t count = urls.len > 0 ? SEAL_COUNT(files) : SEAL_COUNT(files) - 1;

	return how == CLI_WRITE_NEW ? cli_write_dir(place, files, count, err)
				    : cli_replace_dir(place, files, count, err);
}

/* ---- The end of its life ---- */

/*
 * How long before its end it is spoken of: 30 days, or a tenth of a life that is shorter, so that a pipeline's
 * credential of a day is not always near its end.
 */
int64_t
cli_credential_notice(int64_t not_before, int64_t not_after)
{
	int64_t tenth = (not_after - not_before) / 10;

	return tenth < INT64_C(1) * WARN_DAYS * DAY ? tenth : INT64_C(1) * WARN_DAYS * DAY;
}

static void
tell_left(int64_t left, char *out, size_t size)
{
	if (left >= INT64_C(1) * MANY_HOURS * 3600)
		(void)snprintf(out, size, "%lld days", (long long)(left / DAY));
	else if (left >= 2 * INT64_C(3600))
		(void)snprintf(out, size, "%lld hours", (long long)(left / 3600));
	else
		(void)snprintf(out, size, "%lld minutes", (long long)(left / 60));
}

/* To standard error, once: what was asked for is done all the same. */
void
cli_credential_warn(const struct cli_credential *credential, int64_t now)
{
	int64_t left = credential->not_after - now;
	const char *name = credential->identity.operator_name;
	char text[32];

	if (credential->identity.role != SEAL_ROLE_OPERATOR ||
	    left >= cli_credential_notice(credential->not_before, credential->not_after))
		return;
	if (left <= 0) {
		(void)fprintf(stderr,
			      "seal: warning: the credential of operator '%s' has expired: ask an "
			      "admin for another (seal operator add)\n",
			      name);
		return;
	}
	tell_left(left, text, sizeof(text));
	(void)fprintf(stderr,
		      "seal: warning: the credential of operator '%s' expires in %s: renew it with "
		      "'seal operator renew'\n",
		      name, text);
}
