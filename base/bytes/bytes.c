/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the bounded buffer: it never grows beyond its maximum, never overflows a length, and
 * leaves no copy behind in memory it gives back.  Knows nothing of what the bytes mean.
 */

#include "base/bytes/bytes.h"

#include <assert.h>
#include <stdarg.h>

/* Most values are smaller than this; it saves the first few doublings. */
#define FIRST_CAP 64

void
seal_bytes_init(struct seal_bytes *bytes, size_t max)
{
	*bytes = (struct seal_bytes){ .max = max };
}

void
seal_bytes_release(struct seal_bytes *bytes)
{
	if (bytes == NULL)
		return;
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->cap);
	free(bytes->data);
	bytes->data = NULL;
	bytes->len = 0;
	bytes->cap = 0;
}

void
seal_bytes_reset(struct seal_bytes *bytes)
{
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->cap);
	bytes->len = 0;
}

void
seal_bytes_drop(struct seal_bytes *bytes, size_t len)
{
	size_t left;

	assert(len <= bytes->len);
	if (len == 0)
		return;
	left = bytes->len - len;
	memmove(bytes->data, bytes->data + len, left);
	explicit_bzero(bytes->data + left, len);
	bytes->len = left;
}

/* Move the content to a block of cap bytes.  No realloc: it could leave a copy behind. */
static int
grow(struct seal_bytes *bytes, size_t cap, struct seal_err *err)
{
	uint8_t *data = calloc(1, cap);

	if (data == NULL)
		return seal_fail_memory(err);
	if (bytes->data != NULL) {
		memcpy(data, bytes->data, bytes->len);
		explicit_bzero(bytes->data, bytes->cap);
		free(bytes->data);
	}
	bytes->data = data;
	bytes->cap = cap;
	return 0;
}

int
seal_bytes_reserve(struct seal_bytes *bytes, size_t len, struct seal_err *err)
{
	size_t need, most, cap;

	if (bytes->len > bytes->max || len > bytes->max - bytes->len)
		return seal_fail(err, SEAL_E_LIMIT, "longer than the limit of %zu bytes",
				 bytes->max);
	if (__builtin_add_overflow(bytes->len + len, 1, &need))
		return seal_fail_memory(err);
	if (need <= bytes->cap)
		return 0;

	most = bytes->max == SIZE_MAX ? SIZE_MAX : bytes->max + 1;
	cap = bytes->cap < FIRST_CAP / 2 ? FIRST_CAP / 2 : bytes->cap;
	cap = cap > most / 2 ? most : cap * 2;
	return grow(bytes, cap < need ? need : cap, err);
}

int
seal_bytes_append(struct seal_bytes *bytes, const void *data, size_t len, struct seal_err *err)
{
	int r;

	if (len == 0)
		return 0;
	r = seal_bytes_reserve(bytes, len, err);
	if (r < 0)
		return r;
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	bytes->data[bytes->len] = '\0';
	return 0;
}

int
seal_bytes_append_str(struct seal_bytes *bytes, const char *str, struct seal_err *err)
{
	return seal_bytes_append(bytes, str, strlen(str), err);
}

int
seal_bytes_append_fmt(struct seal_bytes *bytes, struct seal_err *err, const char *fmt, ...)
{
	va_list args;
	int len, r;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return seal_fail(err, SEAL_E_BUG, "a text could not be formatted");
	if (len == 0)
		return 0;
	r = seal_bytes_reserve(bytes, (size_t)len, err);
	if (r < 0)
		return r;
	va_start(args, fmt);
	(void)vsnprintf((char *)bytes->data + bytes->len, (size_t)len + 1, fmt, args);
	va_end(args);
	bytes->len += (size_t)len;
	return 0;
}

const char *
seal_bytes_str(const struct seal_bytes *bytes)
{
	return bytes->len == 0 ? "" : (const char *)bytes->data;
}
