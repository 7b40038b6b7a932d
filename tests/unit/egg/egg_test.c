/* SPDX-License-Identifier: Apache-2.0 */
/* egg/: eggs and statements; whatever is not exactly right is refused, and leaves nothing behind. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/json/json.h"
#include "egg/egg.h"
#include "egg/statement.h"
#include "tests/support/pki.h"

#define ID "00112233445566778899aabbccddeeff"

struct parts {
	struct pki_id ca;
	struct pki_id credential;
	struct seal_strv urls;
};

static struct parts
make_parts(const char *id)
{
	struct parts parts = { .ca = pki_ca("system"),
			       .urls = pki_strv("https://rot.example.com:8443", NULL) };
	char uri[SEAL_IDENTITY_URI_MAX];
	struct seal_cert_spec spec = { .kind = SEAL_CERT_CLIENT, .common_name = id, .uri = uri };

	(void)snprintf(uri, sizeof(uri), "spiffe://%s/egg/%s", PKI_DOMAIN, id);
	parts.credential = pki_issue(&parts.ca, &spec);
	return parts;
}

static void
release_parts(struct parts *parts)
{
	pki_id_release(&parts->ca);
	pki_id_release(&parts->credential);
	seal_strv_release(&parts->urls);
}

static struct egg_fields
fields_of(const struct parts *parts)
{
	return (struct egg_fields){ .id = ID,
				    .urls = &parts->urls,
				    .ca = parts->ca.chain,
				    .cert = parts->credential.chain,
				    .key = parts->credential.key,
				    .statement = "opaque.text" };
}

static struct seal_secret *
good_egg(const struct parts *parts)
{
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	struct egg_fields fields = fields_of(parts);
	struct seal_secret *text = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(egg_new(&egg, &fields, &err), 0, "%s", err.text);
	cr_assert_eq(egg_encode(egg, &text, &err), 0, "%s", err.text);
	return text;
}

Test(egg_parse, gives_back_what_was_encoded)
{
	SEAL_SCOPED(release_parts) struct parts parts = make_parts(ID);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = good_egg(&parts);
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(egg_parse(&egg, seal_secret_chars(text), seal_secret_len(text), &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(egg_id(egg), ID);
	cr_expect_str_eq(egg_statement(egg), "opaque.text");
	cr_expect_not(egg_plain_config(egg));
	cr_expect(seal_strv_equal(egg_urls(egg), &parts.urls));
	cr_expect_eq(seal_certs_count(egg_ca(egg)), 1);
	cr_expect_eq(seal_certs_count(egg_cert(egg)), 1);
	cr_expect(seal_key_same_public(egg_key(egg), parts.credential.key));
}

Test(egg_parse, takes_one_newline_at_the_end_and_no_more)
{
	SEAL_SCOPED(release_parts) struct parts parts = make_parts(ID);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = good_egg(&parts);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes line = SEAL_BYTES(2 * EGG_MAX_LEN);
	SEAL_SCOPED(egg_freep) struct egg *egg = NULL;
	SEAL_SCOPED(egg_freep) struct egg *none = NULL;

	cr_assert_eq(seal_bytes_append_str(&line, seal_secret_chars(text), NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&line, "\n", NULL), 0);
	cr_expect_eq(egg_parse(&egg, seal_bytes_str(&line), line.len, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&line, "\n", NULL), 0);
	cr_expect_eq(egg_parse(&none, seal_bytes_str(&line), line.len, NULL), SEAL_E_FORMAT);
	cr_expect_null(none);
}

Test(egg_parse, refuses_every_truncation)
{
	SEAL_SCOPED(release_parts) struct parts parts = make_parts(ID);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = good_egg(&parts);

	for (size_t len = 0; len < seal_secret_len(text); len++) {
		struct egg *egg = NULL;

		cr_expect_eq(egg_parse(&egg, seal_secret_chars(text), len, NULL), SEAL_E_FORMAT,
			     "accepted %zu bytes", len);
		cr_expect_null(egg, "left an egg behind after %zu bytes", len);
	}
}

Test(egg_parse, refuses_every_flipped_bit, .timeout = 120)
{
	SEAL_SCOPED(release_parts) struct parts parts = make_parts(ID);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = good_egg(&parts);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes copy = SEAL_BYTES(EGG_MAX_LEN);

	cr_assert_eq(seal_bytes_append(&copy, seal_secret_peek(text), seal_secret_len(text), NULL),
		     0);
	for (size_t bit = 0; bit < copy.len * 8; bit++) {
		struct egg *egg = NULL;

		copy.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		cr_expect_eq(egg_parse(&egg, (const char *)copy.data, copy.len, NULL),
			     SEAL_E_FORMAT, "bit %zu of byte %zu", bit % 8, bit / 8);
		cr_expect_null(egg);
		copy.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

Test(egg_parse, refuses_another_version)
{
	struct egg *egg = NULL;

	cr_expect_eq(egg_parse(&egg, "seal-egg.2.e30", 14, NULL), SEAL_E_FORMAT);
	cr_expect_eq(egg_parse(&egg, "e30", 3, NULL), SEAL_E_FORMAT);
	cr_expect_null(egg);
}

Test(egg_parse, refuses_what_is_too_long_without_reading_it)
{
	static char text[EGG_MAX_LEN + 2];
	struct egg *egg = NULL;

	memset(text, 'A', sizeof(text));
	memcpy(text, EGG_PREFIX, strlen(EGG_PREFIX));
	cr_expect_eq(egg_parse(&egg, text, EGG_MAX_LEN + 1, NULL), SEAL_E_LIMIT);
	cr_expect_null(egg);
}

static void
feed(struct seal_bytes *out, const struct seal_json *value)
{
	const char *text = seal_json_str(value);

	if (text != NULL)
		cr_assert_eq(seal_bytes_append(out, text, strlen(text) + 1, NULL), 0);
}

/* The digest as seal-egg(5) describes it, by other hands: what is refused is not refused for it. */
static void
put_digest(struct seal_json *json)
{
	static const char *const texts[] = { "ca", "cert", "key", "statement" };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes all = SEAL_BYTES(2 * EGG_MAX_LEN);
	const struct seal_json *urls = seal_json_member(json, "rot");
	const bool plain =
		seal_json_kind(seal_json_member(json, "plain_config")) == SEAL_JSON_BOOL &&
		seal_json_bool(seal_json_member(json, "plain_config"));
	char hex[2 * SEAL_HASH_LEN + 1];
	uint8_t hash[SEAL_HASH_LEN];

	feed(&all, seal_json_member(json, "id"));
	for (size_t i = 0; seal_json_kind(urls) == SEAL_JSON_ARRAY && i < seal_json_count(urls);
	     i++)
		feed(&all, seal_json_at(urls, i));
	for (size_t i = 0; i < SEAL_COUNT(texts); i++)
		feed(&all, seal_json_member(json, texts[i]));
	cr_assert_eq(seal_bytes_append_str(&all, plain ? "true" : "false", NULL), 0);
	cr_assert_eq(seal_bytes_append(&all, "", 1, NULL), 0);
	cr_assert_eq(seal_sha256(hash, all.data, all.len, NULL), 0);
	seal_hex_encode(hex, hash, sizeof(hash));
	seal_json_set_str(json, "digest", hex);
}

/* Take the good egg's JSON apart, put one member in another way, and expect a refusal. */
static void
expect_refused(const struct parts *parts, const char *member, const char *json_value)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = good_egg(parts);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(EGG_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes wrapped = SEAL_BYTES(1024);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(2 * EGG_MAX_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes egg_text = SEAL_BYTES(2 * EGG_MAX_LEN);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *patch = NULL;
	const size_t prefix = strlen(EGG_PREFIX);
	struct egg *egg = NULL;

	cr_assert_eq(seal_base64url_decode(&plain, seal_secret_chars(text) + prefix,
					   seal_secret_len(text) - prefix, NULL),
		     0);
	cr_assert_eq(seal_json_parse(&json, plain.data, plain.len, EGG_MAX_LEN, NULL), 0);
	cr_assert_eq(seal_bytes_append_fmt(&wrapped, NULL, "{\"v\":%s}", json_value), 0);
	cr_assert_eq(seal_json_parse(&patch, wrapped.data, wrapped.len, 1024, NULL), 0);
	seal_json_set_copy(json, member, seal_json_member(patch, "v"));
	put_digest(json);
	cr_assert_eq(seal_json_dump(json, false, &out, NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&egg_text, EGG_PREFIX, NULL), 0);
	cr_assert_eq(seal_base64url_encode(&egg_text, out.data, out.len, NULL), 0);
	cr_expect_eq(egg_parse(&egg, seal_bytes_str(&egg_text), egg_text.len, NULL), SEAL_E_FORMAT,
		     "%s = %s", member, json_value);
	cr_expect_null(egg, "%s = %s", member, json_value);
	egg_free(egg);
}

Test(egg_parse, refuses_members_that_are_not_right)
{
	SEAL_SCOPED(release_parts) struct parts parts = make_parts(ID);
	static const char *const cases[][2] = {
		{ "id", "\"00112233445566778899aabbccddeefe\"" },
		{ "id", "\"00112233445566778899AABBCCDDEEFF\"" },
		{ "id", "\"\"" },
		{ "id", "7" },
		{ "rot", "[]" },
		{ "rot", "\"https://rot.example.com\"" },
		{ "rot", "[\"http://rot.example.com\"]" },
		{ "rot", "[\"https://user@rot.example.com\"]" },
		{ "rot", "[\"https://rot.example.com/?x\"]" },
		{ "rot", "[7]" },
		{ "ca", "\"\"" },
		{ "ca", "\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"" },
		{ "cert", "null" },
		{ "key", "\"\"" },
		{ "key", "\"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n\"" },
		{ "statement", "\"\"" },
		{ "statement", "\"with space\"" },
		{ "statement", "{}" },
		{ "plain_config", "1" },
		{ "plain_config", "\"true\"" },
		{ "surprise", "true" },
		{ "plain_config", "null" },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++)
		expect_refused(&parts, cases[i][0], cases[i][1]);
}

Test(egg_new, refuses_a_key_or_certificate_of_somebody_else)
{
	SEAL_SCOPED(release_parts) struct parts parts = make_parts(ID);
	SEAL_SCOPED(release_parts)
	struct parts other = make_parts("ffeeddccbbaa99887766554433221100");
	struct egg_fields fields = fields_of(&parts);
	struct egg *egg = NULL;

	fields.key = other.credential.key;
	cr_expect_eq(egg_new(&egg, &fields, NULL), SEAL_E_FORMAT);
	fields.cert = other.credential.chain;
	cr_expect_eq(egg_new(&egg, &fields, NULL), SEAL_E_FORMAT);
	cr_expect_null(egg);
}

static struct seal_secret *
statement_key(char letter)
{
	struct seal_secret *key = NULL;
	char raw[SEAL_KEY_LEN];

	memset(raw, letter, sizeof(raw));
	cr_assert_eq(seal_secret_from(&key, raw, sizeof(raw), NULL), 0);
	return key;
}

static struct egg_statement
good_statement(void)
{
	struct egg_statement statement = {
		.id = ID, .workload = "shop", .peer = "web", .not_after = PKI_NOW, .max_hatches = 7
	};

	memset(statement.key_id, 0x5a, sizeof(statement.key_id));
	statement.hostnames = pki_strv("*.apps.example.com", "shop.example.com", NULL);
	return statement;
}

Test(egg_statement, opens_what_it_sealed)
{
	SEAL_SCOPED(egg_statement_release) struct egg_statement statement = good_statement();
	SEAL_SCOPED(egg_statement_release) struct egg_statement back = { 0 };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = statement_key('s');
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(16384);
	struct seal_err err = { 0 };

	cr_assert_eq(egg_statement_seal(&statement, key, &text, &err), 0, "%s", err.text);
	cr_assert_eq(egg_statement_open(&back, key, seal_bytes_str(&text), text.len, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(back.id, ID);
	cr_expect_str_eq(back.workload, "shop");
	cr_expect_str_eq(back.peer, "web");
	cr_expect_eq(back.not_after, PKI_NOW);
	cr_expect_eq(back.max_hatches, 7);
	cr_expect(seal_strv_equal(&back.hostnames, &statement.hostnames));
	cr_expect_eq(memcmp(back.key_id, statement.key_id, SEAL_HASH_LEN), 0);
}

Test(egg_statement, refuses_flips_truncations_and_other_keys)
{
	SEAL_SCOPED(egg_statement_release) struct egg_statement statement = good_statement();
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = statement_key('s');
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *other = statement_key('o');
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(16384);

	cr_assert_eq(egg_statement_seal(&statement, key, &text, NULL), 0);
	for (size_t len = 0; len < text.len; len++) {
		struct egg_statement back = { 0 };

		cr_expect_lt(egg_statement_open(&back, key, seal_bytes_str(&text), len, NULL), 0);
		cr_expect_eq(back.id[0], '\0');
	}
	for (size_t bit = 0; bit < text.len * 8; bit++) {
		struct egg_statement back = { 0 };

		text.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		cr_expect_lt(egg_statement_open(&back, key, (char *)text.data, text.len, NULL), 0,
			     "bit %zu", bit);
		cr_expect_eq(back.id[0], '\0');
		text.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (int once = 0; once < 1; once++) {
		struct egg_statement back = { 0 };

		cr_expect_eq(
			egg_statement_open(&back, other, seal_bytes_str(&text), text.len, NULL),
			SEAL_E_UNAUTH);
	}
}
