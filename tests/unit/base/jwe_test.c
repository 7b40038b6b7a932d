/* SPDX-License-Identifier: Apache-2.0 */
/* base/jwe: what it seals it opens, and nothing else. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "base/jwe/jwe.h"

#define FREE_SECRET SEAL_SCOPED(seal_secret_freep) struct seal_secret *

static struct seal_secret *
key_of(char letter)
{
	struct seal_secret *key = NULL;
	char text[SEAL_KEY_LEN];

	memset(text, letter, sizeof(text));
	cr_assert_eq(seal_secret_from(&key, text, sizeof(text), NULL), 0);
	return key;
}

static void
make(struct seal_bytes *out, const struct seal_secret *key)
{
	cr_assert_eq(seal_jwe_seal(out, key, "shop/config/web/1", NULL, "secret", 6, NULL), 0);
}

Test(jwe, opens_what_it_sealed)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(8192);
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	FREE_SECRET key = key_of('k');
	FREE_SECRET plain = NULL;
	const char *kid = NULL;

	make(&out, key);
	cr_assert_eq(seal_jwe_open(&plain, &header, key, seal_bytes_str(&out), out.len, NULL), 0);
	cr_assert_eq(seal_secret_len(plain), 6);
	cr_expect_eq(memcmp(seal_secret_peek(plain), "secret", 6), 0);
	cr_assert_eq(seal_json_get_str(header, "kid", &kid, NULL), 0);
	cr_expect_str_eq(kid, "shop/config/web/1");
}

Test(jwe, never_seals_twice_alike)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes a = SEAL_BYTES(8192);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes b = SEAL_BYTES(8192);
	FREE_SECRET key = key_of('k');

	make(&a, key);
	make(&b, key);
	cr_expect_str_neq(seal_bytes_str(&a), seal_bytes_str(&b));
}

Test(jwe, refuses_every_truncation_and_every_changed_letter)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(8192);
	FREE_SECRET key = key_of('k');

	make(&out, key);
	for (size_t len = 0; len < out.len; len++) {
		FREE_SECRET plain = NULL;

		cr_expect_lt(seal_jwe_open(&plain, NULL, key, seal_bytes_str(&out), len, NULL), 0,
			     "%zu of %zu bytes", len, out.len);
		cr_expect_null(plain);
	}
	for (size_t at = 0; at < out.len; at++)
		for (int bit = 0; bit < 8; bit++) {
			FREE_SECRET plain = NULL;

			out.data[at] ^= (uint8_t)(1u << bit);
			cr_expect_lt(
				seal_jwe_open(&plain, NULL, key, (char *)out.data, out.len, NULL),
				0, "bit %d of byte %zu", bit, at);
			cr_expect_null(plain);
			out.data[at] ^= (uint8_t)(1u << bit);
		}
}

Test(jwe, refuses_another_key)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes out = SEAL_BYTES(8192);
	FREE_SECRET key = key_of('k');
	FREE_SECRET other = key_of('o');
	FREE_SECRET plain = NULL;

	make(&out, key);
	cr_expect_eq(seal_jwe_open(&plain, NULL, other, seal_bytes_str(&out), out.len, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_null(plain);
}

/* Headers by other hands: whatever changes the meaning must not be ignored. */
Test(jwe, refuses_foreign_headers)
{
	static const char *const headers[] = {
		"{}",
		"{\"alg\":\"dir\"}",
		"{\"alg\":\"dir\",\"enc\":\"A128GCM\"}",
		"{\"alg\":\"A256KW\",\"enc\":\"A256GCM\"}",
		"{\"alg\":\"none\",\"enc\":\"A256GCM\"}",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"zip\":\"DEF\"}",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"crit\":[\"x\"]}",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"alg\":\"dir\"}",
		"[\"dir\"]",
		"{\"alg\":\"dir\",\"enc\":\"A256GCM\"",
		"",
	};

	for (size_t i = 0; i < SEAL_COUNT(headers); i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(8192);
		SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;

		cr_assert_eq(seal_base64url_encode(&text, headers[i], strlen(headers[i]), NULL), 0);
		cr_assert_eq(seal_bytes_append_str(
				     &text, "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", NULL),
			     0);
		cr_expect_lt(seal_jwe_header(&header, seal_bytes_str(&text), text.len, NULL), 0,
			     "%s", headers[i]);
		cr_expect_null(header);
	}
}
