/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document that carries the policy: TOML with the policy as a literal string, which cannot hold three
 * apostrophes; a policy of ours holds none.
 */
#include <string.h>

#include "base/crypto/crypto.h"
#include "rot/inject/inject_internal.h"
#include "rot/inject/kata_internal.h"

#define STORED_MAX 65535u /* of one block: RFC 1951 section 3.2.4 */

static const char *const names[] = { [KATA_SHA256] = "sha256", [KATA_SHA384] = "sha384" };

const char *
kata_algorithm_name(enum kata_algorithm algorithm)
{
	return names[algorithm];
}

/* RFC 1952 section 8, bit by bit: it is done once. */
static uint32_t
crc32_of(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320 & (0u - (crc & 1)));
	}
	return ~crc;
}

static void
put_little(uint8_t *at, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

int
kata_gzip(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	/* No name and no time, so that the same text is always the same. */
	static const uint8_t head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
	const uint8_t *from = data;
	size_t left = len;
	uint8_t tail[8];
	int r = seal_bytes_append(out, head, sizeof(head), err);

	do {
		const uint32_t part = left > STORED_MAX ? STORED_MAX : (uint32_t)left;
		uint8_t block[5] = { part == left };

		put_little(block + 1, part, 2);
		put_little(block + 3, ~part, 2);
		if (r == 0)
			r = seal_bytes_append(out, block, sizeof(block), err);
		if (r == 0)
			r = seal_bytes_append(out, from, part, err);
		from += part;
		left -= part;
	} while (r == 0 && left > 0);
	put_little(tail, crc32_of(data, len), 4);
	put_little(tail + 4, (uint32_t)len, 4);
	return r < 0 ? r : seal_bytes_append(out, tail, sizeof(tail), err);
}

static int
set_digest(struct kata_result *result, enum kata_algorithm algorithm, struct seal_err *err)
{
	uint8_t hash[SEAL_SHA384_LEN];
	size_t len = algorithm == KATA_SHA384 ? SEAL_SHA384_LEN : SEAL_HASH_LEN;
	const struct seal_bytes *of = &result->initdata;
	int r = algorithm == KATA_SHA384 ? seal_sha384(hash, of->data, of->len, err)
					 : seal_sha256(hash, of->data, of->len, err);

	for (size_t i = 0; r == 0 && i < len; i++)
		(void)snprintf(result->digest + 2 * i, 3, "%02x", hash[i]);
	return r;
}

int
kata_initdata_write(struct kata_result *result, enum kata_algorithm algorithm, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes zipped = SEAL_BYTES(2 * INJECT_MAX_OUT);
	int r;

	if (memmem(result->policy.data, result->policy.len, "'", 1) != NULL)
		return seal_fail(err, SEAL_E_BUG, "an apostrophe in the policy");
	r = seal_bytes_append_fmt(&result->initdata, err,
				  "version = \"0.1.0\"\nalgorithm = \"%s\"\n\n[data]\n"
				  "\"policy.rego\" = '''\n",
				  kata_algorithm_name(algorithm));
	if (r == 0)
		r = seal_bytes_append(&result->initdata, result->policy.data, result->policy.len,
				      err);
	if (r == 0)
		r = seal_bytes_append_str(&result->initdata, "'''\n", err);
	if (r == 0)
		r = set_digest(result, algorithm, err);
	if (r == 0)
		r = kata_gzip(&zipped, result->initdata.data, result->initdata.len, err);
	return r < 0 ? r : inject_base64_encode(&result->annotation, zipped.data, zipped.len, err);
}
