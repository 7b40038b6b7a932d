/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for messages between our own processes: what a writer put, a reader gets, and nothing
 * else is taken for a message.  The first failure sticks.
 */

#include "base/bytes/bytes.h"

#include <assert.h>

static void
put(struct seal_writer *w, const void *data, size_t len)
{
	if (w->failed == 0)
		w->failed = seal_bytes_append(w->out, data, len, NULL);
}

void
seal_put_u8(struct seal_writer *w, uint8_t value)
{
	put(w, &value, sizeof(value));
}

void
seal_put_u32(struct seal_writer *w, uint32_t value)
{
	uint8_t wire[4];

	for (unsigned i = 0; i < sizeof(wire); i++)
		wire[i] = (uint8_t)(value >> (24 - 8 * i));
	put(w, wire, sizeof(wire));
}

void
seal_put_u64(struct seal_writer *w, uint64_t value)
{
	seal_put_u32(w, (uint32_t)(value >> 32));
	seal_put_u32(w, (uint32_t)value);
}

void
seal_put_block(struct seal_writer *w, const void *data, size_t len)
{
	if (len > UINT32_MAX) {
		w->failed = w->failed != 0 ? w->failed : SEAL_E_LIMIT;
		return;
	}
	seal_put_u32(w, (uint32_t)len);
	put(w, data, len);
}

void
seal_put_str(struct seal_writer *w, const char *str)
{
	seal_put_block(w, str, strlen(str));
}

int
seal_put_done(const struct seal_writer *w, struct seal_err *err)
{
	switch (w->failed) {
	case 0:
		return 0;
	case SEAL_E_MEMORY:
		return seal_fail_memory(err);
	case SEAL_E_LIMIT:
		return seal_fail(err, SEAL_E_LIMIT, "a message beyond its limit");
	default:
		return seal_fail(err, w->failed, "a message could not be written");
	}
}

/* The next len bytes; NULL once anything failed. */
static const uint8_t *
take(struct seal_reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->failed || len > (size_t)(r->end - r->at)) {
		r->failed = true;
		return NULL;
	}
	r->at += len;
	return at;
}

uint8_t
seal_get_u8(struct seal_reader *r)
{
	const uint8_t *at = take(r, 1);

	return at == NULL ? 0 : at[0];
}

uint32_t
seal_get_u32(struct seal_reader *r)
{
	const uint8_t *at = take(r, 4);

	if (at == NULL)
		return 0;
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t
seal_get_u64(struct seal_reader *r)
{
	uint64_t high = seal_get_u32(r);
	uint64_t low = seal_get_u32(r);

	return r->failed ? 0 : high << 32 | low;
}

const uint8_t *
seal_get_block(struct seal_reader *r, size_t *ret_len)
{
	size_t len = seal_get_u32(r);
	const uint8_t *at = take(r, len);

	*ret_len = at == NULL ? 0 : len;
	return at;
}

void
seal_get_str(struct seal_reader *r, char *out, size_t size)
{
	size_t len;
	const uint8_t *at = seal_get_block(r, &len);

	assert(size > 0);
	out[0] = '\0';
	if (at == NULL)
		return;
	if (len >= size || memchr(at, '\0', len) != NULL) {
		r->failed = true;
		return;
	}
	memcpy(out, at, len);
	out[len] = '\0';
}

int
seal_get_done(const struct seal_reader *r, struct seal_err *err)
{
	if (r->failed)
		return seal_fail(err, SEAL_E_FORMAT, "a message is malformed");
	if (r->at != r->end)
		return seal_fail(err, SEAL_E_FORMAT, "a message has bytes left over");
	return 0;
}
