/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_BASE_BYTES_H
#define SEAL_BASE_BYTES_H

/*
 * Bounded bytes: a buffer that has a maximum from birth, and the text encodings of RFC 4648.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err/err.h"

/*
 * A growable buffer.  data may be NULL while len is 0.  One byte beyond len is always reserved and
 * zero once anything was appended, so data may be used as a string when the content has no NUL.
 * Released memory is wiped: what passes through here may be secret.
 */
struct seal_bytes {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
};

#define SEAL_BYTES(limit)                                                                          \
	{                                                                                          \
		.max = (limit)                                                                     \
	}

void seal_bytes_init(struct seal_bytes *bytes, size_t max);
/* Wipe and free.  The value is empty afterwards and may be used again; NULL is allowed. */
void seal_bytes_release(struct seal_bytes *bytes);
/* Forget the content, keep the storage. */
void seal_bytes_reset(struct seal_bytes *bytes);
/* Drop the first len bytes (len <= bytes->len), moving the rest to the front. */
void seal_bytes_drop(struct seal_bytes *bytes, size_t len);

/* Make room for len more bytes.  SEAL_E_LIMIT beyond max. */
SEAL_CHECKED int seal_bytes_reserve(struct seal_bytes *bytes, size_t len, struct seal_err *err);
/* Append; on failure the buffer is unchanged.  SEAL_E_LIMIT beyond max. */
SEAL_CHECKED int seal_bytes_append(struct seal_bytes *bytes, const void *data, size_t len,
				   struct seal_err *err);
SEAL_CHECKED int seal_bytes_append_str(struct seal_bytes *bytes, const char *str,
				       struct seal_err *err);
SEAL_CHECKED int seal_bytes_append_fmt(struct seal_bytes *bytes, struct seal_err *err,
				       const char *fmt, ...) SEAL_PRINTF(3, 4);

/* The content as a string; "" when empty.  Valid until the next change. */
const char *seal_bytes_str(const struct seal_bytes *bytes);

/*
 * RFC 4648 section 5, base64url without padding.  Encoding appends to out.  Decoding is strict: no
 * padding, no white space, no foreign letter, and the unused bits of the last letter must be zero,
 * so that a value has exactly one spelling.  SEAL_E_FORMAT otherwise.
 */
SEAL_CHECKED int seal_base64url_encode(struct seal_bytes *out, const void *data, size_t len,
				       struct seal_err *err);
SEAL_CHECKED int seal_base64url_decode(struct seal_bytes *out, const char *text, size_t text_len,
				       struct seal_err *err);

/*
 * RFC 4648 section 4, base64 with padding.  Encoding appends one line without an end.  Decoding passes over blanks, tabs
 * and ends of lines wherever they stand, and is strict about all else; an empty text is no bytes.  SEAL_E_FORMAT.
 */
SEAL_CHECKED int seal_base64_encode(struct seal_bytes *out, const void *data, size_t len,
				    struct seal_err *err);
SEAL_CHECKED int seal_base64_decode(struct seal_bytes *out, const char *text, size_t text_len,
				    struct seal_err *err);

/* Lower-case hexadecimal.  out holds 2 * len + 1 bytes. */
void seal_hex_encode(char *out, const void *data, size_t len);
/* Exactly 2 * len lower- or upper-case digits.  SEAL_E_FORMAT otherwise. */
SEAL_CHECKED int seal_hex_decode(uint8_t *out, size_t len, const char *text, size_t text_len,
				 struct seal_err *err);

/* An exact copy of len bytes with a NUL behind; NULL when out of memory.  The caller frees. */
char *seal_strndup(const char *str, size_t len);

/* A list of strings that owns its members.  All zero is the empty list. */
struct seal_strv {
	char **items;
	size_t count;
};

void seal_strv_release(struct seal_strv *list);
/* Append a copy. */
SEAL_CHECKED int seal_strv_add(struct seal_strv *list, const char *str, struct seal_err *err);
/* Replace list by a copy of from. */
SEAL_CHECKED int seal_strv_copy(struct seal_strv *list, const struct seal_strv *from,
				struct seal_err *err);
bool seal_strv_contains(const struct seal_strv *list, const char *str);
/* Put the members in order (strcmp), and find one in a list that is: what is asked often may be long. */
void seal_strv_sort(struct seal_strv *list);
bool seal_strv_contains_sorted(const struct seal_strv *list, const char *str);
bool seal_strv_equal(const struct seal_strv *a, const struct seal_strv *b);
/*
 * Replace list by the parts of text between every sep, without the blanks around each; empty parts
 * are SEAL_E_FORMAT, the empty text is the empty list.
 */
SEAL_CHECKED int seal_strv_split(struct seal_strv *list, const char *text, char sep,
				 struct seal_err *err);

/*
 * Messages between our own processes: a writer and a reader whose error sticks.  Numbers are big
 * endian; blocks and strings are preceded by a 32-bit length.  Put or get all fields, then ask once.
 */
struct seal_writer {
	struct seal_bytes *out;
	int failed; /* 0, or the code of the first failure */
};

void seal_put_u8(struct seal_writer *w, uint8_t value);
void seal_put_u32(struct seal_writer *w, uint32_t value);
void seal_put_u64(struct seal_writer *w, uint64_t value);
void seal_put_block(struct seal_writer *w, const void *data, size_t len);
void seal_put_str(struct seal_writer *w, const char *str);
SEAL_CHECKED int seal_put_done(const struct seal_writer *w, struct seal_err *err);

struct seal_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

uint8_t seal_get_u8(struct seal_reader *r);
uint32_t seal_get_u32(struct seal_reader *r);
uint64_t seal_get_u64(struct seal_reader *r);
/* A borrowed view into the message; NULL and 0 after a failure. */
const uint8_t *seal_get_block(struct seal_reader *r, size_t *ret_len);
/* Copy into out (size bytes, NUL included).  A NUL inside, or a string too long, is a failure. */
void seal_get_str(struct seal_reader *r, char *out, size_t size);
/* Succeeds when nothing failed and nothing is left over. */
SEAL_CHECKED int seal_get_done(const struct seal_reader *r, struct seal_err *err);

#endif
