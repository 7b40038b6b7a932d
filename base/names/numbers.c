/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for numbers, durations and sizes as people write them: decimal, no sign, no white space, no
 * leading zero (010 means eight to some readers and ten to others).
 */

#include "base/names/names.h"

static int
parse_digits(const char *text, size_t len, uint64_t *ret_value, struct seal_err *err)
{
	uint64_t value = 0;

	if (len == 0 || (len > 1 && text[0] == '0'))
		return seal_fail(err, SEAL_E_FORMAT, "not a decimal number");
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return seal_fail(err, SEAL_E_FORMAT, "not a decimal number");
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return seal_fail(err, SEAL_E_LIMIT, "too large a number");
	}
	*ret_value = value;
	return 0;
}

int
seal_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value,
		  struct seal_err *err)
{
	uint64_t value = 0;
	int r = parse_digits(text, strlen(text), &value, err);

	if (r < 0)
		return seal_note(err, r, "'%.32s'", text);
	if (value < min || value > max)
		return seal_fail(err, SEAL_E_LIMIT, "%llu is not between %llu and %llu",
				 (unsigned long long)value, (unsigned long long)min,
				 (unsigned long long)max);
	*ret_value = value;
	return 0;
}

/* Seconds per unit; 0 for a letter that is none. */
static uint64_t
unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

int
seal_duration_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_seconds,
		    struct seal_err *err)
{
	size_t len = strlen(text);
	uint64_t unit = len == 0 ? 0 : unit_seconds(text[len - 1]);
	uint64_t value = 0;
	int r;

	r = parse_digits(text, unit == 0 ? len : len - 1, &value, err);
	if (r == SEAL_E_FORMAT)
		return seal_fail(err, r,
				 "'%.32s' is no duration: a number of seconds, or one with s, m, h "
				 "or d behind it",
				 text);
	if (r < 0 || __builtin_mul_overflow(value, unit == 0 ? 1 : unit, &value) || value < min ||
	    value > max)
		return seal_fail(err, SEAL_E_LIMIT, "'%.32s' is not between %llu and %llu seconds",
				 text, (unsigned long long)min, (unsigned long long)max);
	*ret_seconds = value;
	return 0;
}

/* How far to shift for the unit at the end of text, and how long the unit is; 0 and 0 without one. */
static unsigned
unit_shift(const char *text, size_t len, size_t *ret_unit_len)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = { { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };

	*ret_unit_len = 0;
	for (size_t i = 0; i < SEAL_COUNT(units); i++) {
		size_t unit_len = strlen(units[i].name);

		if (len < unit_len || strcmp(text + len - unit_len, units[i].name) != 0)
			continue;
		*ret_unit_len = unit_len;
		return units[i].shift;
	}
	return 0;
}

int
seal_size_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
		struct seal_err *err)
{
	size_t len = strlen(text);
	size_t unit_len;
	unsigned shift = unit_shift(text, len, &unit_len);
	uint64_t value = 0;
	int r = parse_digits(text, len - unit_len, &value, err);

	if (r == SEAL_E_FORMAT)
		return seal_fail(
			err, r,
			"'%.32s' is no size: a number of bytes, or one with KiB, MiB or GiB "
			"behind it",
			text);
	if (r < 0 || __builtin_mul_overflow(value, UINT64_C(1) << shift, &value) || value < min ||
	    value > max)
		return seal_fail(err, SEAL_E_LIMIT, "'%.32s' is not between %llu and %llu bytes",
				 text, (unsigned long long)min, (unsigned long long)max);
	*ret_bytes = value;
	return 0;
}
