/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JWE compact serialization with direct encryption: header, no encrypted key, nonce, ciphertext, tag.
 * The associated data is the header as it was written (RFC 7516 section 5.1, step 14), so nothing is
 * re-encoded before it is authenticated.  Refuses every algorithm but its own.
 */
#include "base/jwe/jwe.h"

#include <string.h>

#include "base/crypto/crypto.h"

#define PART_COUNT 5

enum part { PART_HEADER, PART_KEY, PART_NONCE, PART_TEXT, PART_TAG };

struct part_view {
	const char *at;
	size_t len;
};

static const char not_ours[] = "not a JWE with alg dir and enc A256GCM";

static int
split(struct part_view parts[static PART_COUNT], const char *text, size_t text_len,
      struct seal_err *err)
{
	const char *at = text;
	const char *end = text + text_len;

	for (size_t i = 0; i < PART_COUNT; i++) {
		const char *dot = memchr(at, '.', (size_t)(end - at));
		bool last = i == PART_COUNT - 1;

		if (last != (dot == NULL))
			return seal_fail(err, SEAL_E_FORMAT, "%s", not_ours);
		parts[i].at = at;
		parts[i].len = (size_t)((last ? end : dot) - at);
		at = last ? end : dot + 1;
	}
	if (parts[PART_KEY].len != 0) /* dir: no encrypted key */
		return seal_fail(err, SEAL_E_FORMAT, "%s", not_ours);
	return 0;
}

static bool
member_is(const struct seal_json *header, const char *name, const char *wanted)
{
	const char *value = NULL;

	return seal_json_get_str(header, name, &value, NULL) == 0 && strcmp(value, wanted) == 0;
}

static int
parse_header(struct seal_json **ret_header, const struct part_view *part, struct seal_err *err)
{
	static const char *const known[] = { "alg", "enc", "kid", "seal", NULL };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SEAL_JWE_HEADER_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	int r;

	r = seal_base64url_decode(&text, part->at, part->len, err);
	if (r < 0)
		return seal_note(err, r, "JWE header");
	r = seal_json_parse(&header, text.data, text.len, SEAL_JWE_HEADER_MAX, err);
	if (r < 0)
		return seal_note(err, r, "JWE header");
	/* An unknown member could change the meaning (zip, crit): refused, not ignored. */
	r = seal_json_only(header, known, err);
	if (r < 0)
		return seal_note(err, r, "JWE header");
	if (!member_is(header, "alg", "dir") || !member_is(header, "enc", "A256GCM"))
		return seal_fail(err, SEAL_E_FORMAT, "%s", not_ours);
	*ret_header = SEAL_TAKE(header);
	return 0;
}

int
seal_jwe_header(struct seal_json **ret_header, const char *text, size_t text_len,
		struct seal_err *err)
{
	struct part_view parts[PART_COUNT] = { 0 };
	int r;

	r = split(parts, text, text_len, err);
	if (r < 0)
		return r;
	return parse_header(ret_header, &parts[PART_HEADER], err);
}

/* Nonce alone, ciphertext and tag joined as the cipher wants them. */
static int
decode_parts(const struct part_view parts[static PART_COUNT], struct seal_bytes *nonce,
	     struct seal_bytes *sealed, struct seal_err *err)
{
	size_t before;
	int r;

	r = seal_base64url_decode(nonce, parts[PART_NONCE].at, parts[PART_NONCE].len, err);
	if (r < 0)
		return seal_note(err, r, "JWE nonce");
	r = seal_base64url_decode(sealed, parts[PART_TEXT].at, parts[PART_TEXT].len, err);
	if (r < 0)
		return seal_note(err, r, "JWE ciphertext");
	before = sealed->len;
	r = seal_base64url_decode(sealed, parts[PART_TAG].at, parts[PART_TAG].len, err);
	if (r < 0)
		return seal_note(err, r, "JWE tag");
	if (nonce->len != SEAL_NONCE_LEN || sealed->len - before != SEAL_TAG_LEN)
		return seal_fail(err, SEAL_E_FORMAT, "%s", not_ours);
	return 0;
}

int
seal_jwe_open(struct seal_secret **ret_plain, struct seal_json **ret_header,
	      const struct seal_secret *key, const char *text, size_t text_len,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes nonce = SEAL_BYTES(SEAL_NONCE_LEN);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(text_len);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = NULL;
	struct part_view parts[PART_COUNT] = { 0 };
	int r;

	r = split(parts, text, text_len, err);
	if (r < 0)
		return r;
	r = parse_header(&header, &parts[PART_HEADER], err);
	if (r < 0)
		return r;
	r = decode_parts(parts, &nonce, &sealed, err);
	if (r < 0)
		return r;
	r = seal_aead_open(&plain, key, nonce.data, parts[PART_HEADER].at, parts[PART_HEADER].len,
			   sealed.data, sealed.len, err);
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	if (ret_header != NULL)
		*ret_header = SEAL_TAKE(header);
	return 0;
}

/* The protected header, encoded, is both the first part and the associated data. */
static int
put_header(struct seal_bytes *out, const char *kid, const struct seal_json *extra,
	   struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SEAL_JWE_HEADER_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *header = seal_json_new();
	int r;

	seal_json_set_str(header, "alg", "dir");
	seal_json_set_str(header, "enc", "A256GCM");
	seal_json_set_str(header, "kid", kid);
	if (extra != NULL)
		seal_json_set_copy(header, "seal", extra);
	r = seal_json_dump(header, false, &text, err);
	if (r < 0)
		return seal_note(err, r, "JWE header");
	return seal_base64url_encode(out, text.data, text.len, err);
}

static int
put_part(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	int r = seal_bytes_append(out, ".", 1, err);

	return r < 0 ? r : seal_base64url_encode(out, data, len, err);
}

int
seal_jwe_seal(struct seal_bytes *out, const struct seal_secret *key, const char *kid,
	      const struct seal_json *extra, const void *plain, size_t plain_len,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes value = SEAL_BYTES(out->max);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes sealed = SEAL_BYTES(out->max);
	uint8_t nonce[SEAL_NONCE_LEN];
	int r;

	r = put_header(&value, kid, extra, err);
	if (r < 0)
		return r;
	r = seal_random(nonce, sizeof(nonce), err);
	if (r < 0)
		return r;
	r = seal_aead_seal(&sealed, key, nonce, value.data, value.len, plain, plain_len, err);
	if (r < 0)
		return r;
	r = put_part(&value, NULL, 0, err);
	if (r == 0)
		r = put_part(&value, nonce, sizeof(nonce), err);
	if (r == 0)
		r = put_part(&value, sealed.data, sealed.len - SEAL_TAG_LEN, err);
	if (r == 0)
		r = put_part(&value, sealed.data + sealed.len - SEAL_TAG_LEN, SEAL_TAG_LEN, err);
	if (r < 0)
		return r;
	return seal_bytes_append(out, value.data, value.len, err);
}
