/* SPDX-License-Identifier: Apache-2.0 */
/* base/crypto: signatures by P-256 keys, in the one form, of the very bytes. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "base/json/json.h"
#include "tests/support/pki.h"

#define SUITE_MAX (8u * 1024 * 1024)

static const char message[] = "what was said";

Test(sign, what_a_key_signs_it_verifies_and_no_other_does)
{
	struct seal_key *key = NULL, *other = NULL;
	uint8_t signature[SEAL_SIGNATURE_LEN], again[SEAL_SIGNATURE_LEN];
	struct seal_err err = { 0 };

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_new(&other, NULL), 0);
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(seal_key_sign(key, message, sizeof(message), signature, &err), 0, "%s",
			     err.text);
		cr_assert_eq(seal_key_verify(key, message, sizeof(message), signature, &err), 0);
	}
	cr_expect_eq(seal_key_verify(other, message, sizeof(message), signature, &err),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_key_verify(key, message, sizeof(message) - 1, signature, &err),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_key_verify(key, "", 0, signature, &err), SEAL_E_UNAUTH);
	cr_assert_eq(seal_key_sign(key, message, sizeof(message), again, NULL), 0);
	cr_expect_arr_neq(signature, again, sizeof(again), "the nonce came twice");
	seal_key_free(key);
	seal_key_free(other);
}

Test(sign, a_signature_with_any_bit_changed_is_none)
{
	struct seal_key *key = NULL;
	uint8_t signature[SEAL_SIGNATURE_LEN];

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_sign(key, message, sizeof(message), signature, NULL), 0);
	for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_expect_eq(seal_key_verify(key, message, sizeof(message), signature, NULL),
			     SEAL_E_UNAUTH, "bit %zu", bit);
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	memset(signature, 0, sizeof(signature));
	cr_expect_eq(seal_key_verify(key, message, sizeof(message), signature, NULL),
		     SEAL_E_UNAUTH);
	memset(signature, 0xff, sizeof(signature));
	cr_expect_eq(seal_key_verify(key, message, sizeof(message), signature, NULL),
		     SEAL_E_UNAUTH);
	seal_key_free(key);
}

/* One INTEGER of at most 32 bytes as DER writes it, right-aligned; how much was read, 0 for none. */
static size_t
take_integer(const uint8_t *at, size_t len, uint8_t out[static SEAL_SIGNATURE_LEN / 2])
{
	size_t n, zero;

	if (len < 3 || at[0] != 0x02 || at[1] < 1 || at[1] > 33 || (size_t)at[1] + 2 > len)
		return 0;
	n = at[1];
	zero = n > 1 && at[2] == 0 ? 1 : 0;
	if ((at[2] & 0x80) != 0 || (zero != 0 && (at[3] & 0x80) == 0) || n - zero > 32)
		return 0;
	memset(out, 0, SEAL_SIGNATURE_LEN / 2);
	memcpy(out + 32 - (n - zero), at + 2 + zero, n - zero);
	return n + 2;
}

/* A signature in DER that has the fixed form, too; the suite's others are about reading DER. */
static bool
to_fixed(const uint8_t *der, size_t len, uint8_t out[static SEAL_SIGNATURE_LEN])
{
	size_t first, second;

	if (len < 8 || len > 72 || der[0] != 0x30 || der[1] != len - 2)
		return false;
	first = take_integer(der + 2, len - 2, out);
	second = first == 0 ? 0 : take_integer(der + 2 + first, len - 2 - first, out + 32);
	return second != 0 && 2 + first + second == len;
}

static size_t
hex(const struct seal_json *object, const char *name, uint8_t *out, size_t size)
{
	const char *text = NULL;

	cr_assert_eq(seal_json_get_str(object, name, &text, NULL), 0);
	if (strlen(text) / 2 > size)
		return SIZE_MAX;
	cr_assert_eq(seal_hex_decode(out, strlen(text) / 2, text, strlen(text), NULL), 0);
	return strlen(text) / 2;
}

static bool
run_test(const struct seal_key *key, const struct seal_json *test)
{
	uint8_t der[128], fixed[SEAL_SIGNATURE_LEN], msg[1024];
	const char *want = NULL;
	uint64_t id = 0;
	size_t len = hex(test, "sig", der, sizeof(der)), msg_len;

	if (len == SIZE_MAX || !to_fixed(der, len, fixed))
		return false;
	msg_len = hex(test, "msg", msg, sizeof(msg));
	cr_assert_neq(msg_len, SIZE_MAX);
	cr_assert_eq(seal_json_get_str(test, "result", &want, NULL), 0);
	cr_assert_eq(seal_json_get_u64(test, "tcId", 1000000, &id, NULL), 0);
	cr_expect_eq(seal_key_verify(key, msg, msg_len, fixed, NULL),
		     strcmp(want, "valid") == 0 ? 0 : SEAL_E_UNAUTH, "test %llu",
		     (unsigned long long)id);
	return true;
}

Test(sign, agrees_with_wycheproof)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *suite = NULL;
	SEAL_SCOPED(seal_closep) int dir = -1;
	const struct seal_json *groups = NULL;
	size_t ran = 0;
	char path[512];

	if (pki_vectors("wycheproof", path, sizeof(path)) == NULL)
		cr_skip_test("no vectors");
	dir = seal_fs_open_dir(path, SEAL_FS_ANY, NULL);
	cr_assert_geq(dir, 0);
	cr_assert_eq(seal_fs_read(&text, dir, "ecdsa_secp256r1_sha256_test.json", SUITE_MAX, NULL),
		     0);
	cr_assert_eq(seal_json_parse(&suite, text.data, text.len, SUITE_MAX, NULL), 0);
	cr_assert_eq(seal_json_get_array(suite, "testGroups", &groups, NULL), 0);
	for (size_t i = 0; i < seal_json_count(groups); i++) {
		const struct seal_json *group = seal_json_at(groups, i), *tests = NULL;
		struct seal_key *key = NULL;
		uint8_t spki[128];
		size_t len = hex(group, "publicKeyDer", spki, sizeof(spki));

		cr_assert_eq(seal_key_from_spki(&key, spki, len, NULL), 0);
		cr_assert_eq(seal_json_get_array(group, "tests", &tests, NULL), 0);
		for (size_t j = 0; j < seal_json_count(tests); j++)
			ran += run_test(key, seal_json_at(tests, j));
		seal_key_free(key);
	}
	cr_expect_geq(ran, 130, "%zu tests only", ran);
}
