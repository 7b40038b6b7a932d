/* SPDX-License-Identifier: Apache-2.0 */
/* base/crypto: derivation, AES-256-GCM, key pairs and signing requests. */
#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto/crypto.h"

#define FREE_SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *
#define FREE_KEY    SEAL_SCOPED(seal_key_freep) struct seal_key *

static struct seal_secret *
secret(const char *text)
{
	struct seal_secret *ret = NULL;

	cr_assert_eq(seal_secret_from(&ret, text, strlen(text), NULL), 0);
	return ret;
}

static const uint8_t nonce[SEAL_NONCE_LEN] = { 1, 2, 3 };
static const char key_text[] = "0123456789abcdef0123456789abcdef";

Test(crypto_aead, opens_what_was_sealed_whatever_its_length)
{
	FREE_SECRET key = secret(key_text);
	static const char text[] = "a secret that is long enough to be cut at many places";

	for (size_t len = 0; len <= strlen(text); len++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(1024);
		FREE_SECRET plain = NULL;

		cr_assert_eq(seal_aead_seal(&out, key, nonce, "aad", 3, text, len, NULL), 0);
		cr_assert_eq(out.len, len + SEAL_TAG_LEN);
		cr_assert_eq(seal_aead_open(&plain, key, nonce, "aad", 3, out.data, out.len, NULL),
			     0);
		cr_assert_eq(seal_secret_len(plain), len);
		cr_expect_eq(memcmp(seal_secret_peek(plain), text, len), 0);
	}
}

Test(crypto_aead, refuses_every_bit_flip_and_truncation)
{
	FREE_SECRET key = secret(key_text);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(1024);

	cr_assert_eq(seal_aead_seal(&out, key, nonce, "aad", 3, "secret", 6, NULL), 0);
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		FREE_SECRET plain = NULL;

		out.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		cr_expect_eq(seal_aead_open(&plain, key, nonce, "aad", 3, out.data, out.len, NULL),
			     SEAL_E_UNAUTH, "bit %zu", bit);
		cr_expect_null(plain);
		out.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t len = 0; len < out.len; len++) {
		FREE_SECRET plain = NULL;

		cr_expect_eq(seal_aead_open(&plain, key, nonce, "aad", 3, out.data, len, NULL),
			     SEAL_E_UNAUTH, "%zu bytes", len);
		cr_expect_null(plain);
	}
}

Test(crypto_aead, refuses_another_key_nonce_or_context)
{
	FREE_SECRET key = secret(key_text);
	FREE_SECRET other = secret("0123456789abcdef0123456789abcdeF");
	FREE_SECRET plain = NULL;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(1024);
	const uint8_t wrong[SEAL_NONCE_LEN] = { 1, 2, 4 };

	cr_assert_eq(seal_aead_seal(&out, key, nonce, "aad", 3, "secret", 6, NULL), 0);
	cr_expect_eq(seal_aead_open(&plain, other, nonce, "aad", 3, out.data, out.len, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_aead_open(&plain, key, wrong, "aad", 3, out.data, out.len, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_aead_open(&plain, key, nonce, "aaD", 3, out.data, out.len, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_aead_open(&plain, key, nonce, "", 0, out.data, out.len, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_null(plain);
}

Test(crypto_aead, refuses_to_write_beyond_the_buffer)
{
	FREE_SECRET key = secret(key_text);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(SEAL_TAG_LEN + 5);

	cr_expect_eq(seal_aead_seal(&out, key, nonce, NULL, 0, "secret", 6, NULL), SEAL_E_LIMIT);
	cr_expect_eq(out.len, 0);
}

Test(crypto_hkdf, separates_purposes_and_repeats_itself)
{
	FREE_SECRET root = secret(key_text);
	FREE_SECRET a = NULL;
	FREE_SECRET again = NULL;
	FREE_SECRET b = NULL;

	cr_assert_eq(seal_hkdf(&a, root, "config/web", NULL), 0);
	cr_assert_eq(seal_hkdf(&again, root, "config/web", NULL), 0);
	cr_assert_eq(seal_hkdf(&b, root, "config/db", NULL), 0);
	cr_expect_eq(seal_secret_len(a), SEAL_KEY_LEN);
	cr_expect(seal_secret_equal(a, again));
	cr_expect_not(seal_secret_equal(a, b));
}

/* RFC 5869 appendix A.3: SHA-256, no salt, no info (the first 32 of its 42 bytes). */
Test(crypto_hkdf, matches_the_published_vector)
{
	FREE_SECRET root = NULL;
	FREE_SECRET key = NULL;
	uint8_t ikm[22];
	char hex[2 * SEAL_KEY_LEN + 1];

	memset(ikm, 0x0b, sizeof(ikm));
	cr_assert_eq(seal_secret_from(&root, ikm, sizeof(ikm), NULL), 0);
	cr_assert_eq(seal_hkdf(&key, root, "", NULL), 0);
	seal_hex_encode(hex, seal_secret_peek(key), SEAL_KEY_LEN);
	cr_expect_str_eq(hex, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

Test(crypto_digest, matches_published_values)
{
	FREE_SECRET key = secret("key");
	uint8_t hash[SEAL_HASH_LEN];
	char hex[2 * SEAL_HASH_LEN + 1];

	cr_assert_eq(seal_sha256(hash, "abc", 3, NULL), 0);
	seal_hex_encode(hex, hash, sizeof(hash));
	cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	cr_assert_eq(seal_hmac_sha256(hash, key, "The quick brown fox jumps over the lazy dog", 43,
				      NULL),
		     0);
	seal_hex_encode(hex, hash, sizeof(hash));
	cr_expect_str_eq(hex, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

Test(crypto_key, survives_the_way_through_pem)
{
	FREE_KEY key = NULL;
	FREE_KEY back = NULL;
	FREE_KEY other = NULL;
	FREE_SECRET pem = NULL;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_new(&other, NULL), 0);
	cr_assert_eq(seal_key_to_pem(key, &pem, NULL), 0);
	cr_assert_eq(seal_key_from_pem(&back, pem, NULL), 0);
	cr_expect(seal_key_same_public(key, back));
	cr_expect_not(seal_key_same_public(key, other));
}

Test(crypto_key, refuses_keys_of_another_kind)
{
	/* Public test values: P-384, RSA 1024 and Ed25519 keys generated for this test. */
	static const char *const pems[] = {
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
		"-----END PRIVATE KEY-----\n",
		"-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----\n",
		"not a key",
		"",
	};

	for (size_t i = 0; i < SEAL_COUNT(pems); i++) {
		FREE_SECRET pem = NULL;
		FREE_KEY key = NULL;

		if (pems[i][0] == '\0')
			continue;
		pem = secret(pems[i]);
		cr_expect_lt(seal_key_from_pem(&key, pem, NULL), 0, "case %zu", i);
		cr_expect_null(key);
	}
}

/* PKCS#8 states both halves: letters 49 to 89 of the body are the private one's alone. */
Test(crypto_key, refuses_a_private_half_that_is_not_the_public_halfs)
{
	FREE_KEY key = NULL;
	FREE_SECRET pem = NULL;
	char *body;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_to_pem(key, &pem, NULL), 0);
	body = strchr((char *)seal_secret_bytes(pem), '\n') + 1;
	for (size_t at = 49; at < 64; at++) {
		FREE_KEY back = NULL;
		char was = body[at];

		body[at] = was == 'A' ? 'B' : 'A';
		cr_expect_eq(seal_key_from_pem(&back, pem, NULL), SEAL_E_FORMAT, "letter %zu", at);
		cr_expect_null(back);
		body[at] = was;
	}
}

/* What a command prints; NULL when it cannot be run. */
static struct seal_secret *
made_by(const char *command)
{
	static char text[16384];
	FILE *out = popen(command, "re"); /* NOLINT(cert-env33-c): constant commands */
	size_t len = out == NULL ? 0 : fread(text, 1, sizeof(text) - 1, out);

	text[len] = '\0';
	if (out == NULL || pclose(out) != 0)
		return NULL;
	return secret(text);
}

static const struct {
	const char *command;
	int verdict;
} site_keys[] = {
	{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", 0 },
	{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", 0 },
	{ "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null", 0 },
	{ "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 2>/dev/null", 0 },
	{ "openssl genrsa -traditional 2048 2>/dev/null", 0 },
	{ "openssl ecparam -name prime256v1 -genkey -noout", 0 },
	{ "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 2>/dev/null",
	  SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2047 2>/dev/null",
	  SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4104 2>/dev/null",
	  SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 2>/dev/null",
	  SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 "
	  "-pkeyopt ec_param_enc:explicit",
	  SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm ED25519", SEAL_E_REFUSED },
	{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:x",
	  SEAL_E_FORMAT },
	{ "echo no key", SEAL_E_FORMAT },
};

Test(crypto_key, of_a_site_is_of_a_kind_that_public_cas_sign)
{
	for (size_t i = 0; i < SEAL_COUNT(site_keys); i++) {
		FREE_SECRET pem = made_by(site_keys[i].command);
		FREE_KEY key = NULL;

		if (pem == NULL)
			cr_skip_test("needs openssl");
		cr_expect_eq(seal_key_from_site_pem(&key, pem, NULL), site_keys[i].verdict, "%s",
			     site_keys[i].command);
		cr_expect_eq(key != NULL, site_keys[i].verdict == 0);
	}
}

/* A letter of PKCS#8 that is the private half's alone; of the modulus, which both halves share. */
Test(crypto_key, of_a_site_is_whole)
{
	static const struct {
		const char *command;
		size_t at;
	} rows[] = {
		{ "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", 52 },
		{ "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null", 100 },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		FREE_SECRET pem = made_by(rows[i].command);
		FREE_KEY key = NULL;
		char *letter;

		if (pem == NULL)
			cr_skip_test("needs openssl");
		letter = strchr((char *)seal_secret_bytes(pem), '\n') + 1 + rows[i].at;
		*letter = *letter == 'A' ? 'B' : 'A';
		cr_expect_eq(seal_key_from_site_pem(&key, pem, NULL), SEAL_E_FORMAT, "%s",
			     rows[i].command);
		cr_expect_null(key);
	}
}

Test(crypto_key, spki_is_read_whole_or_not_at_all)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	FREE_KEY key = NULL;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	for (size_t len = 0; len <= spki.len + 1; len++) {
		uint8_t copy[256] = { 0 };
		FREE_KEY back = NULL;

		memcpy(copy, spki.data, len < spki.len ? len : spki.len);
		if (len == spki.len)
			cr_expect_eq(seal_key_from_spki(&back, copy, len, NULL), 0);
		else
			cr_expect_eq(seal_key_from_spki(&back, copy, len, NULL), SEAL_E_FORMAT,
				     "%zu bytes", len);
	}
}

static void
expect_as_the_library_has_it(const struct seal_key *key)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(seal_key_native(key), &der);

	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	cr_expect_eq((int)spki.len, len);
	cr_expect_eq(memcmp(spki.data, der, spki.len), 0);
	OPENSSL_free(der);
}

Test(crypto_key, spki_is_what_the_library_writes_whatever_the_form_of_the_point)
{
	static const char *const forms[] = { "uncompressed", "compressed", "hybrid" };

	for (size_t i = 0; i < SEAL_COUNT(forms); i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
		FREE_KEY key = NULL;
		FREE_KEY back = NULL;

		cr_assert_eq(seal_key_new(&key, NULL), 0);
		/* Keys of the shortcut have one form. */
		cr_assert(EVP_PKEY_set_utf8_string_param(seal_key_native(key),
							 OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
							 forms[i]) == 1 ||
			  getenv("SEAL_TEST_SHORTCUT") != NULL);
		expect_as_the_library_has_it(key);
		cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
		cr_assert_eq(seal_key_from_spki(&back, spki.data, spki.len, NULL), 0, "%s",
			     forms[i]);
		cr_expect(seal_key_same_public(key, back));
		expect_as_the_library_has_it(back);
	}
}

Test(crypto_key, spki_with_a_bit_changed_is_taken_only_if_the_library_does)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	FREE_KEY key = NULL;
	unsigned taken = 0;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	for (size_t bit = 0; bit < 8 * spki.len; bit++) {
		const uint8_t *at = spki.data;
		FREE_KEY back = NULL;
		EVP_PKEY *theirs;

		spki.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		theirs = d2i_PUBKEY(NULL, &at, (long)spki.len);
		if (seal_key_from_spki(&back, spki.data, spki.len, NULL) == 0) {
			taken++;
			cr_expect_eq(EVP_PKEY_eq(theirs, seal_key_native(back)), 1, "bit %zu", bit);
		}
		EVP_PKEY_free(theirs);
		spki.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* The same point in its hybrid form; the same string with 1, 2 or 4 bits not used that are zero. */
	cr_expect_leq(taken, 4);
}

Test(crypto_csr, gives_back_the_key_it_was_made_for)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(8192);
	FREE_KEY key = NULL;
	FREE_KEY found = NULL;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_csr_new(&pem, key, NULL), 0);
	cr_assert_eq(seal_csr_public_key(&found, seal_bytes_str(&pem), pem.len, NULL), 0);
	cr_expect(seal_key_same_public(key, found));
}

/* The request within PEM. */
static void
unwrap(struct seal_bytes *der, const struct seal_bytes *pem)
{
	const char *from = strchr(seal_bytes_str(pem), '\n') + 1;
	const char *to = strstr(from, "-----END");

	cr_assert_eq(seal_base64_decode(der, from, (size_t)(to - from), NULL), 0);
}

Test(crypto_csr, reads_der_whole_and_unaltered)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(8192);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes der = SEAL_BYTES(8192);
	FREE_KEY key = NULL;
	FREE_KEY found = NULL;
	FREE_KEY none = NULL;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_csr_new(&pem, key, NULL), 0);
	unwrap(&der, &pem);
	cr_assert_eq(seal_csr_public_key_der(&found, der.data, der.len, NULL), 0);
	cr_expect(seal_key_same_public(key, found));
	for (size_t cut = 0; cut < der.len; cut++)
		cr_expect_eq(seal_csr_public_key_der(&none, der.data, cut, NULL), SEAL_E_FORMAT);
	for (size_t bit = 0; bit < 8 * der.len; bit++) {
		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_lt(seal_csr_public_key_der(&none, der.data, der.len, NULL), 0, "bit %zu",
			     bit);
		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	cr_assert_eq(seal_bytes_append(&der, "", 1, NULL), 0);
	cr_expect_eq(seal_csr_public_key_der(&none, der.data, der.len, NULL), SEAL_E_FORMAT);
	cr_expect_eq(seal_csr_public_key_der(&none, der.data, 9000, NULL), SEAL_E_LIMIT);
	cr_expect_null(none);
}

Test(crypto_csr, refuses_truncations_additions_and_forgeries)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(16384);
	FREE_KEY key = NULL;
	size_t len;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_csr_new(&pem, key, NULL), 0);
	len = pem.len;
	for (size_t cut = 0; cut + 1 < len; cut++) { /* the last newline may go */
		FREE_KEY found = NULL;

		cr_expect_lt(seal_csr_public_key(&found, seal_bytes_str(&pem), cut, NULL), 0,
			     "%zu of %zu bytes", cut, len);
		cr_expect_null(found);
	}
	for (size_t at = 40; at < len - 40; at++) { /* letters of the base64 body */
		FREE_KEY found = NULL;
		uint8_t was = pem.data[at];

		pem.data[at] = was == 'A' ? 'B' : 'A';
		if (was != '\n')
			cr_expect_lt(seal_csr_public_key(&found, seal_bytes_str(&pem), len, NULL),
				     0, "changed letter %zu", at);
		pem.data[at] = was;
	}
	for (int twice = 0; twice < 1; twice++) {
		FREE_KEY found = NULL;

		cr_assert_eq(seal_bytes_reserve(&pem, len, NULL), 0); /* the source must not move */
		cr_assert_eq(seal_bytes_append(&pem, pem.data, len, NULL), 0);
		cr_expect_eq(seal_csr_public_key(&found, seal_bytes_str(&pem), pem.len, NULL),
			     SEAL_E_FORMAT);
	}
}
