/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eggs as text and back.  The text is a prefix that names the version, then base64url of a JSON
 * object.  Parsing believes nothing until everything has been checked: the digest over all other
 * members (an egg damaged anywhere is refused here, not by a puzzling failure later), the members, the
 * certificate, that the key is the certificate's, and that the certificate is an egg's and of this id.
 *
 * The key is a secret: the decoded JSON lives in buffers that are wiped.
 */
#include "egg/egg.h"

#include <stdlib.h>
#include <string.h>

#include "base/json/json.h"

#define STATEMENT_MAX (8u * 1024)

struct egg {
	char id[SEAL_ID_LEN + 1];
	struct seal_strv urls;
	struct seal_certs *ca;
	struct seal_certs *cert;
	struct seal_key *key;
	char *statement;
	bool plain_config;
};

static const char *const members[] = {
	"id", "rot", "ca", "cert", "key", "statement", "plain_config", "digest", NULL,
};

void
egg_free(struct egg *egg)
{
	if (egg == NULL)
		return;
	seal_strv_release(&egg->urls);
	seal_certs_free(egg->ca);
	seal_certs_free(egg->cert);
	seal_key_free(egg->key);
	free(egg->statement);
	free(egg);
}

void
egg_freep(struct egg **egg)
{
	egg_free(*egg);
}

/* Rules that hold for every egg, wherever it came from. */
static int
check_urls(const struct seal_strv *urls, struct seal_err *err)
{
	if (urls->count == 0 || urls->count > EGG_MAX_URLS)
		return seal_fail(err, SEAL_E_FORMAT, "rot: %zu URLs; 1 to %d are allowed",
				 urls->count, EGG_MAX_URLS);
	for (size_t i = 0; i < urls->count; i++) {
		int r = seal_url_check(urls->items[i], err);

		if (r < 0)
			return seal_note(err, r, "rot");
	}
	return 0;
}

static int
check_statement(const char *statement, struct seal_err *err)
{
	size_t len = strlen(statement);

	if (len == 0 || len > STATEMENT_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "statement: %zu bytes; 1 to %u are allowed",
				 len, STATEMENT_MAX);
	for (size_t i = 0; i < len; i++)
		if (statement[i] <= ' ' || statement[i] > '~')
			return seal_fail(err, SEAL_E_FORMAT, "statement: not printable ASCII");
	return 0;
}

/* The certificate is an egg's, of this id, and the key is its own. */
static int
check_credential(const char *id, const struct seal_certs *certs, const struct seal_key *key,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *certified = NULL;
	const struct seal_cert *leaf = seal_certs_at(certs, 0);
	struct seal_identity identity = { 0 };
	int r;

	r = seal_cert_identity(leaf, &identity, err);
	if (r < 0)
		return seal_note(err, r, "cert");
	if (identity.role != SEAL_ROLE_EGG || strcmp(identity.egg, id) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "cert: not a certificate of egg %s", id);
	r = seal_cert_key(leaf, &certified, err);
	if (r < 0)
		return seal_note(err, r, "cert");
	if (!seal_key_same_public(certified, key))
		return seal_fail(err, SEAL_E_FORMAT, "key: not the key of the certificate");
	return 0;
}

static int
check(const struct egg *egg, struct seal_err *err)
{
	int r;

	r = seal_id_check(egg->id, err);
	if (r < 0)
		return seal_note(err, r, "id");
	r = check_urls(&egg->urls, err);
	if (r == 0)
		r = check_statement(egg->statement, err);
	if (r == 0)
		r = check_credential(egg->id, egg->cert, egg->key, err);
	return r;
}

int
egg_new(struct egg **ret_egg, const struct egg_fields *fields, struct seal_err *err)
{
	SEAL_SCOPED(egg_freep) struct egg *egg = calloc(1, sizeof(*egg));
	int r;

	if (egg == NULL)
		return seal_fail_memory(err);
	r = seal_id_check(fields->id, err);
	if (r < 0)
		return seal_note(err, r, "egg: id");
	memcpy(egg->id, fields->id, sizeof(egg->id));
	egg->plain_config = fields->plain_config;
	egg->statement = seal_strndup(fields->statement, strlen(fields->statement));
	if (egg->statement == NULL)
		return seal_fail_memory(err);
	r = seal_strv_copy(&egg->urls, fields->urls, err);
	if (r == 0)
		r = seal_certs_copy(&egg->ca, fields->ca, err);
	if (r == 0)
		r = seal_certs_copy(&egg->cert, fields->cert, err);
	if (r == 0)
		r = seal_key_copy(&egg->key, fields->key, err);
	if (r == 0)
		r = check(egg, err);
	if (r < 0)
		return seal_note(err, r, "egg");
	*ret_egg = SEAL_TAKE(egg);
	return 0;
}

/* Appends a text and the zero byte that ends it: no member holds one, so nothing is ambiguous. */
static int
put_text(struct seal_bytes *out, const struct seal_json *value, struct seal_err *err)
{
	const char *text = seal_json_str(value);

	if (text == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "a member is missing or is not a string");
	return seal_bytes_append(out, text, strlen(text) + 1, err);
}

/* What the digest is made over, in the order of seal-egg(5). */
static int
put_digested(struct seal_bytes *out, const struct seal_json *json, struct seal_err *err)
{
	static const char *const texts[] = { "ca", "cert", "key", "statement" };
	const struct seal_json *urls = NULL;
	bool plain_config = false;
	int r;

	r = put_text(out, seal_json_member(json, "id"), err);
	if (r == 0)
		r = seal_json_get_array(json, "rot", &urls, err);
	for (size_t i = 0; r == 0 && i < seal_json_count(urls); i++)
		r = put_text(out, seal_json_at(urls, i), err);
	for (size_t i = 0; r == 0 && i < SEAL_COUNT(texts); i++)
		r = put_text(out, seal_json_member(json, texts[i]), err);
	if (r == 0)
		r = seal_json_get_bool(json, "plain_config", &plain_config, err);
	if (r == 0)
		r = seal_bytes_append_str(out, plain_config ? "true" : "false", err);
	return r == 0 ? seal_bytes_append(out, "", 1, err) : r;
}

static int
digest_of(const struct seal_json *json, char hex[static 2 * SEAL_HASH_LEN + 1],
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(2 * EGG_MAX_LEN);
	uint8_t hash[SEAL_HASH_LEN];
	int r;

	r = put_digested(&text, json, err);
	if (r == 0)
		r = seal_sha256(hash, text.data, text.len, err);
	if (r < 0)
		return r;
	seal_hex_encode(hex, hash, sizeof(hash));
	return 0;
}

static int
check_digest(const struct seal_json *json, struct seal_err *err)
{
	char wanted[2 * SEAL_HASH_LEN + 1];
	const char *found = seal_json_str(seal_json_member(json, "digest"));
	int r = digest_of(json, wanted, err);

	if (r < 0)
		return r;
	if (found == NULL || strcmp(found, wanted) != 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "digest: the egg is damaged or was edited; mint another");
	return 0;
}

static int
read_certs(struct seal_certs **ret_certs, const struct seal_json *json, const char *name,
	   struct seal_err *err)
{
	const char *pem = NULL;
	int r;

	r = seal_json_get_str(json, name, &pem, err);
	if (r < 0)
		return r;
	r = seal_certs_from_pem(ret_certs, pem, strlen(pem), EGG_MAX_LEN, err);
	return r < 0 ? seal_note(err, r, "%s", name) : 0;
}

static int
read_key(struct seal_key **ret_key, const struct seal_json *json, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	const char *text = NULL;
	int r;

	r = seal_json_get_str(json, "key", &text, err);
	if (r < 0)
		return r;
	if (text[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "key: empty");
	r = seal_secret_from(&pem, text, strlen(text), err);
	if (r == 0)
		r = seal_key_from_pem(ret_key, pem, err);
	return r < 0 ? seal_note(err, r, "key") : 0;
}

static int
read_texts(struct egg *egg, const struct seal_json *json, struct seal_err *err)
{
	const char *id = "";
	const char *statement = "";
	int r;

	r = seal_json_get_str(json, "id", &id, err);
	if (r == 0)
		r = seal_id_check(id, err);
	if (r == 0)
		r = seal_json_get_str(json, "statement", &statement, err);
	if (r < 0)
		return r;
	memcpy(egg->id, id, sizeof(egg->id));
	egg->statement = seal_strndup(statement, strlen(statement));
	if (egg->statement == NULL)
		return seal_fail_memory(err);
	r = seal_json_get_strv(json, "rot", EGG_MAX_URLS, &egg->urls, err);
	if (r == 0)
		r = seal_json_get_bool(json, "plain_config", &egg->plain_config, err);
	return r;
}

static int
read_members(struct egg *egg, const struct seal_json *json, struct seal_err *err)
{
	int r;

	r = seal_json_only(json, members, err);
	if (r == 0)
		r = check_digest(json, err);
	if (r == 0)
		r = read_texts(egg, json, err);
	if (r == 0)
		r = read_certs(&egg->ca, json, "ca", err);
	if (r == 0)
		r = read_certs(&egg->cert, json, "cert", err);
	if (r == 0)
		r = read_key(&egg->key, json, err);
	return r == 0 ? check(egg, err) : r;
}

/* The caller of egg_parse acts on two things only: malformed, or too long (or our own trouble). */
static int
as_format(int r)
{
	switch (r) {
	case SEAL_E_LIMIT:
	case SEAL_E_MEMORY:
	case SEAL_E_SYSTEM:
	case SEAL_E_BUG:
		return r;
	default:
		return SEAL_E_FORMAT;
	}
}

int
egg_parse(struct egg **ret_egg, const char *text, size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(EGG_MAX_LEN);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	const size_t prefix_len = strlen(EGG_PREFIX);
	int r;

	if (text_len > 0 && text[text_len - 1] == '\n')
		text_len--;
	if (text_len > EGG_MAX_LEN)
		return seal_fail(err, SEAL_E_LIMIT, "egg: %zu bytes; at most %u", text_len,
				 EGG_MAX_LEN);
	if (text_len < prefix_len || memcmp(text, EGG_PREFIX, prefix_len) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "egg: does not begin with '%s'", EGG_PREFIX);
	egg = calloc(1, sizeof(*egg));
	if (egg == NULL)
		return seal_fail_memory(err);
	r = seal_base64url_decode(&plain, text + prefix_len, text_len - prefix_len, err);
	if (r == 0)
		r = seal_json_parse(&json, plain.data, plain.len, EGG_MAX_LEN, err);
	if (r == 0)
		r = read_members(egg, json, err);
	if (r < 0)
		return seal_note(err, as_format(r), "egg");
	*ret_egg = SEAL_TAKE(egg);
	return 0;
}

static int
put_pem(struct seal_json *json, const char *name, const struct seal_certs *certs,
	struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(EGG_MAX_LEN);
	int r = seal_certs_to_pem(certs, &pem, err);

	if (r < 0)
		return seal_note(err, r, "egg: %s", name);
	seal_json_set_str(json, name, seal_bytes_str(&pem));
	return 0;
}

static int
put_members(const struct egg *egg, struct seal_json *json, struct seal_err *err)
{
	char digest[2 * SEAL_HASH_LEN + 1];
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	int r;

	seal_json_set_str(json, "id", egg->id);
	seal_json_set_strv(json, "rot", &egg->urls);
	seal_json_set_str(json, "statement", egg->statement);
	seal_json_set_bool(json, "plain_config", egg->plain_config);
	r = put_pem(json, "ca", egg->ca, err);
	if (r == 0)
		r = put_pem(json, "cert", egg->cert, err);
	if (r == 0)
		r = seal_key_to_pem(egg->key, &pem, err);
	if (r < 0)
		return r;
	seal_json_set_str(json, "key", seal_secret_chars(pem));
	r = digest_of(json, digest, err);
	if (r < 0)
		return r;
	seal_json_set_str(json, "digest", digest);
	return 0;
}

int
egg_encode(const struct egg *egg, struct seal_secret **ret_text, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(EGG_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(EGG_MAX_LEN);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	int r;

	r = put_members(egg, json, err);
	if (r == 0)
		r = seal_json_dump(json, false, &plain, err);
	if (r == 0)
		r = seal_bytes_append_str(&text, EGG_PREFIX, err);
	if (r == 0)
		r = seal_base64url_encode(&text, plain.data, plain.len, err);
	if (r < 0)
		return seal_note(err, r, "egg");
	return seal_secret_from(ret_text, text.data, text.len, err);
}

const char *
egg_id(const struct egg *egg)
{
	return egg->id;
}

const struct seal_strv *
egg_urls(const struct egg *egg)
{
	return &egg->urls;
}

const struct seal_certs *
egg_ca(const struct egg *egg)
{
	return egg->ca;
}

const struct seal_certs *
egg_cert(const struct egg *egg)
{
	return egg->cert;
}

const struct seal_key *
egg_key(const struct egg *egg)
{
	return egg->key;
}

const char *
egg_statement(const struct egg *egg)
{
	return egg->statement;
}

bool
egg_plain_config(const struct egg *egg)
{
	return egg->plain_config;
}
