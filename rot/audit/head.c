/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads as text: written, signed, and read back in their one spelling.  Whose key a head is signed with, and
 * whether the log is what it says, is asked elsewhere.
 */
#include <inttypes.h>
#include <string.h>

#include "rot/audit/entry.h"
#include "rot/audit/head.h"
#include "rot/audit/tree.h"

#define TITLE    "seal-audit-head 1"
#define TEXT_MAX 192u /* the key is the longest, 122 letters */

/*
 * The SubjectPublicKeyInfo of every P-256 key in the uncompressed form (RFC 5480) begins like this, and the point
 * follows.  No other spelling of a key is a head's.
 */
static const uint8_t spki_start[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };
#define SPKI_LEN (sizeof(spki_start) + 64)

static int
check_head(const struct audit_head *head, struct seal_err *err)
{
	int r;

	if (strnlen(head->log, sizeof(head->log)) == sizeof(head->log))
		return seal_fail(err, SEAL_E_FORMAT, "audit head: the log's id is too long");
	r = seal_id_check(head->log, err);
	if (r < 0)
		return seal_note(err, r, "audit head");
	if (head->size > AUDIT_SIZE_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "audit head: an impossible size");
	if (head->time < 0 || head->time > AUDIT_TIME_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "audit head: an impossible time");
	return 0;
}

int
audit_head_begin(const struct audit_head *head, const struct seal_key *key, struct seal_bytes *out,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes spki = SEAL_BYTES(1024);
	int r = check_head(head, err);

	if (r == 0)
		r = seal_key_spki(key, &spki, err);
	if (r == 0)
		r = seal_bytes_append_fmt(&text, err, "%s\n%s\n%" PRIu64 "\n%" PRId64 "\n", TITLE,
					  head->log, head->size, head->time);
	if (r == 0)
		r = seal_base64url_encode(&text, head->root, sizeof(head->root), err);
	if (r == 0)
		r = seal_bytes_append_str(&text, "\n", err);
	if (r == 0)
		r = seal_base64url_encode(&text, spki.data, spki.len, err);
	if (r == 0)
		r = seal_bytes_append_str(&text, "\n", err);
	return r < 0 ? r : seal_bytes_append(out, text.data, text.len, err);
}

int
audit_head_sign(const struct audit_head *head, const struct seal_key *key, struct seal_bytes *out,
		struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_HEAD_MAX);
	uint8_t signature[SEAL_SIGNATURE_LEN];
	int r = audit_head_begin(head, key, &text, err);

	if (r == 0)
		r = seal_key_sign(key, text.data, text.len, signature, err);
	if (r == 0)
		r = seal_base64url_encode(&text, signature, sizeof(signature), err);
	if (r == 0)
		r = seal_bytes_append_str(&text, "\n", err);
	return r < 0 ? r : seal_bytes_append(out, text.data, text.len, err);
}

/* ---- Reading ---- */

struct lines {
	const char *at;
	const char *end;
};

/* The next line, without its end, as a string. */
static int
get_line(struct lines *in, char line[static TEXT_MAX], struct seal_err *err)
{
	const char *stop = memchr(in->at, '\n', (size_t)(in->end - in->at));
	size_t len = stop != NULL ? (size_t)(stop - in->at) : TEXT_MAX;

	if (len >= TEXT_MAX || memchr(in->at, '\0', len) != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "a line is missing or too long");
	memcpy(line, in->at, len);
	line[len] = '\0';
	in->at = stop + 1;
	return 0;
}

static int
get_number(struct lines *in, uint64_t max, uint64_t *ret_value, struct seal_err *err)
{
	char line[TEXT_MAX] = "";
	int r = get_line(in, line, err);

	if (r == 0)
		r = seal_number_parse(line, 0, max, ret_value, err);
	return r == SEAL_E_LIMIT ? seal_note(err, SEAL_E_FORMAT, "number") : r;
}

/* A line of base64url that is exactly len bytes. */
static int
get_raw(struct lines *in, void *out, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes raw = SEAL_BYTES(TEXT_MAX);
	char line[TEXT_MAX] = "";
	int r = get_line(in, line, err);

	if (r == 0)
		r = seal_base64url_decode(&raw, line, strlen(line), err);
	if (r < 0)
		return r;
	if (raw.len != len)
		return seal_fail(err, SEAL_E_FORMAT, "a line of %zu bytes, not %zu", raw.len, len);
	memcpy(out, raw.data, len);
	return 0;
}

static int
get_key(struct lines *in, struct seal_key **ret_key, uint8_t ret_id[static SEAL_HASH_LEN],
	struct seal_err *err)
{
	uint8_t spki[SPKI_LEN];
	int r = get_raw(in, spki, sizeof(spki), err);

	if (r < 0)
		return r;
	if (memcmp(spki, spki_start, sizeof(spki_start)) != 0)
		return seal_fail(err, SEAL_E_FORMAT, "the key is not an ECDSA P-256 key");
	r = seal_key_from_spki(ret_key, spki, sizeof(spki), err);
	return r < 0 ? seal_note(err, SEAL_E_FORMAT, "key")
		     : seal_sha256(ret_id, spki, sizeof(spki), err);
}

static int
get_title(struct lines *in, struct seal_err *err)
{
	char line[TEXT_MAX] = "";
	int r = get_line(in, line, err);

	if (r < 0)
		return r;
	return strcmp(line, TITLE) == 0 ? 0 : seal_fail(err, SEAL_E_FORMAT, "it begins otherwise");
}

static int
get_members(struct lines *in, struct audit_head *head, struct seal_err *err)
{
	char line[TEXT_MAX] = "";
	uint64_t time = 0;
	int r = get_title(in, err);

	if (r == 0)
		r = get_line(in, line, err);
	if (r == 0)
		r = seal_id_check(line, err);
	if (r == 0)
		memcpy(head->log, line, sizeof(head->log));
	if (r == 0)
		r = get_number(in, AUDIT_SIZE_MAX, &head->size, err);
	if (r == 0)
		r = get_number(in, AUDIT_TIME_MAX, &time, err);
	head->time = (int64_t)time;
	return r < 0 ? r : get_raw(in, head->root, sizeof(head->root), err);
}

static int
get_head(struct lines *in, struct audit_head *head, struct seal_err *err)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	uint8_t signature[SEAL_SIGNATURE_LEN];
	const char *start = in->at;
	size_t signed_len;
	int r = get_members(in, head, err);

	if (r == 0)
		r = get_key(in, &key, head->key_id, err);
	if (r < 0)
		return r;
	signed_len = (size_t)(in->at - start);
	r = get_raw(in, signature, sizeof(signature), err);
	if (r < 0)
		return r;
	if (in->at != in->end)
		return seal_fail(err, SEAL_E_FORMAT, "something follows the signature");
	return seal_key_verify(key, start, signed_len, signature, err);
}

int
audit_head_parse(struct audit_head *ret_head, const void *text, size_t len, struct seal_err *err)
{
	struct audit_head head = { 0 };
	struct lines in = { .at = text, .end = (const char *)text + len };
	int r;

	if (len == 0 || len > AUDIT_HEAD_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "audit head: 1 to %u bytes", AUDIT_HEAD_MAX);
	r = get_head(&in, &head, err);
	if (r < 0)
		return seal_note(err, r, "audit head");
	*ret_head = head;
	return 0;
}
