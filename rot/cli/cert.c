/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for clients and servers outside: the key is made here, and the directory appears with
 * all its files or not at all.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs/fs.h"
#include "rot/cli/cli.h"

#define MAX_PASSWORD 1024
#define MAX_BUNDLE   (256u * 1024) /* PKCS#12: a chain, the anchors, a key */

static const struct cli_column issued_columns[] = {
	{ "SERIAL", "serial", CLI_TEXT },
	{ "WORKLOAD", "workload", CLI_TEXT },
	{ "PEER", "peer", CLI_TEXT },
	{ "HOSTNAMES", "hostnames", CLI_TEXT },
	{ "VALID FROM", "not_before", CLI_TIME },
	{ "EXPIRES", "not_after", CLI_TIME },
	{ "DIRECTORY", "directory", CLI_TEXT },
};

/* The password, owned by the caller; an empty one when no file is named. */
static int
read_password(const struct cli *cli, struct seal_secret **ret_password, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	size_t len;
	int r;

	if (cli->opt.p12_password_file == NULL)
		return 0;
	r = seal_fs_read_secret(&text, AT_FDCWD, cli->opt.p12_password_file, MAX_PASSWORD, err);
	if (r < 0)
		return r;
	len = strcspn(seal_secret_chars(text), "\r\n");
	if (len == 0 || len + 2 < seal_secret_len(text) ||
	    memchr(seal_secret_peek(text), '\0', seal_secret_len(text)) != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "'%s' must hold one line, the password",
				 cli->opt.p12_password_file);
	return seal_secret_from(ret_password, seal_secret_peek(text), len, err);
}

static int
request_cert(struct cli *cli, const struct seal_key *key, struct seal_json **ret_reply,
	     struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes csr = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	int r;

	r = seal_csr_new(&csr, key, err);
	if (r < 0)
		return r;
	request = seal_json_new();
	cli_subject(cli, request, seal_bytes_str(&csr));
	return cli_call(cli, "POST", "/v1/certs", request, ret_reply, err);
}

/* A list of certificates from a member; *ret_pem is borrowed from the answer. */
static int
read_certs(struct seal_certs **ret_certs, const char **ret_pem, const struct seal_json *reply,
	   const char *member, struct seal_err *err)
{
	int r;

	r = seal_json_get_str(reply, member, ret_pem, err);
	if (r < 0)
		return r;
	r = seal_certs_from_pem(ret_certs, *ret_pem, strlen(*ret_pem), SEAL_CHAIN_MAX_LEN, err);
	return r < 0 ? seal_note(err, r, "%s", member) : 0;
}

/* The certificate must be for our key: anything else is another's, and of no use here. */
static int
check_key(const struct seal_certs *chain, const struct seal_key *key, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *certified = NULL;
	int r;

	r = seal_cert_key(seal_certs_at(chain, 0), &certified, err);
	if (r < 0)
		return r;
	if (!seal_key_same_public(certified, key))
		return seal_fail(err, SEAL_E_FORMAT,
				 "the root of trust certified a key that is not ours");
	return 0;
}

struct material {
	const char *cert_pem;
	const char *ca_pem;
	struct seal_certs *chain;
	struct seal_certs *anchors;
	struct seal_secret *key_pem;
	struct seal_bytes bundle;
};

static void
material_release(struct material *material)
{
	seal_certs_free(material->chain);
	seal_certs_free(material->anchors);
	seal_secret_free(material->key_pem);
	seal_bytes_release(&material->bundle);
}

static int
make_material(struct material *made, const struct seal_json *reply, const struct seal_key *key,
	      const char *name, const struct seal_secret *password, struct seal_err *err)
{
	int r;

	r = read_certs(&made->chain, &made->cert_pem, reply, "certificate", err);
	if (r == 0)
		r = read_certs(&made->anchors, &made->ca_pem, reply, "ca_bundle", err);
	if (r == 0)
		r = check_key(made->chain, key, err);
	if (r == 0)
		r = seal_key_to_pem(key, &made->key_pem, err);
	if (r == 0)
		r = seal_pkcs12(&made->bundle, key, made->chain, made->anchors, name,
				password != NULL ? seal_secret_chars(password) : "", err);
	return r;
}

static int
write_material(const struct cli_place *place, const struct material *made, struct seal_err *err)
{
	const struct cli_file files[] = {
		{ "ca.pem", made->ca_pem, strlen(made->ca_pem) },
		{ "cert.pem", made->cert_pem, strlen(made->cert_pem) },
		{ "key.pem", seal_secret_peek(made->key_pem), seal_secret_len(made->key_pem) },
		{ "bundle.p12", made->bundle.data, made->bundle.len },
	};

	return cli_write_dir(place, files, SEAL_COUNT(files), err);
}

static int
report(const struct cli *cli, const struct seal_json *reply, struct seal_err *err)
{
	static const char *const shown[] = { "workload",  "peer",   "hostnames", "not_before",
					     "not_after", "serial", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();

	cli_copy_members(json, reply, shown);
	seal_json_set_str(json, "directory", cli->opt.file);
	return cli_print(cli, json, issued_columns, SEAL_COUNT(issued_columns), err);
}

/* "cert/issue" needs to know its place before anything is made. */
static int
choose_place(struct cli *cli, struct cli_place *place, struct seal_err *err)
{
	if (cli->opt.file == NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "say which directory to make for the key: -o DIR");
	return cli_place_new(place, cli->opt.file, err);
}

int
cli_cert_issue(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(cli_place_release) struct cli_place place = CLI_PLACE_NONE;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *password = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	SEAL_SCOPED(material_release)
	struct material made = { .bundle = SEAL_BYTES(MAX_BUNDLE) };
	char name[SEAL_WORKLOAD_MAX + SEAL_PEER_MAX + 2];
	int r;

	r = cli_check_subject(cli, false, err);
	if (r == 0)
		r = choose_place(cli, &place, err);
	if (r == 0)
		r = read_password(cli, &password, err);
	if (r == 0)
		r = seal_key_new(&key, err);
	if (r == 0)
		r = request_cert(cli, key, &reply, err);
	if (r < 0)
		return r;

	(void)snprintf(name, sizeof(name), "%s/%s", cli->args[0],
		       cli->opt.peer != NULL ? cli->opt.peer : SEAL_PEER_ANY);
	r = make_material(&made, reply, key, name, password, err);
	if (r == 0)
		r = write_material(&place, &made, err);
	return r < 0 ? r : report(cli, reply, err);
}
