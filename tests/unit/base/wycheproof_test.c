/* SPDX-License-Identifier: Apache-2.0 */
/* base/crypto and base/jwe against Project Wycheproof: AES-256-GCM, HMAC and HKDF with SHA-256, JWE. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/crypto/crypto.h"
#include "base/fs/fs.h"
#include "base/json/json.h"
#include "base/jwe/jwe.h"
#include "tests/support/pki.h"

#define SUITE_MAX (8u * 1024 * 1024)
#define FIELD_MAX 16384

static struct seal_json *
load(const char *file)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_closep) int dir = -1;
	struct seal_json *suite = NULL;
	struct seal_err err = { 0 };
	char path[512];

	if (pki_vectors("wycheproof", path, sizeof(path)) == NULL)
		cr_skip_test("no vectors");
	dir = seal_fs_open_dir(path, SEAL_FS_ANY, &err);
	cr_assert_geq(dir, 0, "%s", err.text);
	cr_assert_eq(seal_fs_read(&text, dir, file, SUITE_MAX, &err), 0, "%s", err.text);
	cr_assert_eq(seal_json_parse(&suite, text.data, text.len, SUITE_MAX, &err), 0, "%s",
		     err.text);
	return suite;
}

struct field {
	uint8_t data[FIELD_MAX];
	size_t len;
};

static void
read_field(struct field *field, const struct seal_json *test, const char *name)
{
	const char *hex = seal_json_str(seal_json_member(test, name));

	cr_assert_not_null(hex);
	field->len = strlen(hex) / 2;
	cr_assert_leq(field->len, sizeof(field->data));
	cr_assert_eq(seal_hex_decode(field->data, field->len, hex, strlen(hex), NULL), 0);
}

static bool
is_valid(const struct seal_json *test)
{
	return strcmp(seal_json_str(seal_json_member(test, "result")), "valid") == 0;
}

static uint64_t
size_of(const struct seal_json *group, const char *name)
{
	return seal_json_u64(seal_json_member(group, name));
}

static void
play_gcm(const struct seal_json *test)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(2 * FIELD_MAX);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	struct field k, iv, aad, msg, ct, tag;
	int r;

	read_field(&k, test, "key");
	read_field(&iv, test, "iv");
	read_field(&aad, test, "aad");
	read_field(&msg, test, "msg");
	read_field(&ct, test, "ct");
	read_field(&tag, test, "tag");
	cr_assert_eq(seal_secret_from(&key, k.data, k.len, NULL), 0);
	cr_assert_eq(seal_bytes_append(&sealed, ct.data, ct.len, NULL), 0);
	cr_assert_eq(seal_bytes_append(&sealed, tag.data, tag.len, NULL), 0);
	r = seal_aead_open(&plain, key, iv.data, aad.data, aad.len, sealed.data, sealed.len, NULL);
	if (!is_valid(test)) {
		cr_expect_eq(r, SEAL_E_UNAUTH);
		cr_expect_null(plain);
		return;
	}
	cr_assert_eq(r, 0);
	cr_expect_eq(seal_secret_len(plain), msg.len);
	cr_expect_eq(memcmp(seal_secret_peek(plain), msg.data, msg.len), 0);
}

Test(wycheproof, aes_256_gcm_opens_the_valid_and_refuses_the_invalid)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *suite = load("aes_gcm_test.json");
	const struct seal_json *groups = seal_json_member(suite, "testGroups");
	size_t played = 0;

	for (size_t g = 0; g < seal_json_count(groups); g++) {
		const struct seal_json *group = seal_json_at(groups, g);
		const struct seal_json *tests = seal_json_member(group, "tests");

		if (size_of(group, "keySize") != 256 || size_of(group, "ivSize") != 96 ||
		    size_of(group, "tagSize") != 128)
			continue;
		for (size_t i = 0; i < seal_json_count(tests); i++, played++)
			play_gcm(seal_json_at(tests, i));
	}
	cr_expect_gt(played, 20);
}

Test(wycheproof, hmac_sha256_agrees)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *suite = load("hmac_sha256_test.json");
	const struct seal_json *groups = seal_json_member(suite, "testGroups");
	size_t played = 0;

	for (size_t g = 0; g < seal_json_count(groups); g++) {
		const struct seal_json *group = seal_json_at(groups, g);
		const struct seal_json *tests = seal_json_member(group, "tests");

		for (size_t i = 0; size_of(group, "tagSize") == 256 && i < seal_json_count(tests);
		     i++, played++) {
			const struct seal_json *test = seal_json_at(tests, i);
			SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
			uint8_t mac[SEAL_HASH_LEN];
			struct field k, msg, tag;

			read_field(&k, test, "key");
			read_field(&msg, test, "msg");
			read_field(&tag, test, "tag");
			cr_assert_eq(seal_secret_from(&key, k.data, k.len, NULL), 0);
			cr_assert_eq(seal_hmac_sha256(mac, key, msg.data, msg.len, NULL), 0);
			cr_expect_eq(tag.len == sizeof(mac) && seal_equal(mac, tag.data, tag.len),
				     is_valid(test));
		}
	}
	cr_expect_gt(played, 20);
}

/* The part that seal_hkdf offers: no salt, text as info, 32 bytes out. */
Test(wycheproof, hkdf_sha256_agrees)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *suite = load("hkdf_sha256_test.json");
	const struct seal_json *groups = seal_json_member(suite, "testGroups");
	size_t played = 0;

	for (size_t g = 0; g < seal_json_count(groups); g++) {
		const struct seal_json *tests = seal_json_member(seal_json_at(groups, g), "tests");

		for (size_t i = 0; i < seal_json_count(tests); i++) {
			const struct seal_json *test = seal_json_at(tests, i);
			SEAL_SCOPED(seal_secret_freep) struct seal_secret *root = NULL;
			SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
			struct field ikm, salt, info, okm;

			if (!is_valid(test))
				continue;
			read_field(&salt, test, "salt");
			read_field(&info, test, "info");
			read_field(&okm, test, "okm");
			read_field(&ikm, test, "ikm");
			info.data[info.len] = '\0';
			if (salt.len != 0 || okm.len > SEAL_KEY_LEN || ikm.len == 0 ||
			    strlen((char *)info.data) != info.len)
				continue;
			cr_assert_eq(seal_secret_from(&root, ikm.data, ikm.len, NULL), 0);
			cr_assert_eq(seal_hkdf(&key, root, (char *)info.data, NULL), 0);
			cr_expect_eq(memcmp(seal_secret_peek(key), okm.data, okm.len), 0);
			played++;
		}
	}
	cr_expect_gt(played, 2);
}

/* None of them is direct encryption: whatever else they are, here they are refused at sight. */
Test(wycheproof, every_other_kind_of_jwe_is_refused)
{
	SEAL_SCOPED(seal_json_freep)
	struct seal_json *suite = load("json_web_encryption_test.json");
	const struct seal_json *groups = seal_json_member(suite, "testGroups");
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *key = NULL;
	size_t played = 0;

	cr_assert_eq(seal_secret_new(&key, SEAL_KEY_LEN, NULL), 0);
	for (size_t g = 0; g < seal_json_count(groups); g++) {
		const struct seal_json *tests = seal_json_member(seal_json_at(groups, g), "tests");

		for (size_t i = 0; i < seal_json_count(tests); i++, played++) {
			const char *jwe =
				seal_json_str(seal_json_member(seal_json_at(tests, i), "jwe"));
			SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;

			cr_assert_not_null(jwe);
			cr_expect_eq(seal_jwe_open(&plain, NULL, key, jwe, strlen(jwe), NULL),
				     SEAL_E_FORMAT);
			cr_expect_null(plain);
		}
	}
	cr_expect_gt(played, 50);
}
