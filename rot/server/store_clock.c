/* SPDX-License-Identifier: Apache-2.0 */
/* The time at which something was last issued, as far as it was written down. */

#include "rot/server/store_internal.h"

#define CLOCK_KEY "clock"

static int
read_clock(struct rot_store *store, void *arg, struct seal_err *err)
{
	static const char *const members[] = { "issued_at", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_fields fields = { .key = CLOCK_KEY };
	int64_t *ret_time = arg;
	int r = rot_record_get(store, CLOCK_KEY, &record, err);

	*ret_time = 0;
	if (r < 0)
		return r == SEAL_E_MISSING ? 0 : r;
	fields.record = record;
	rot_field_time(&fields, "issued_at", ret_time);
	return rot_fields_done(&fields, members, err);
}

int
rot_store_clock(struct rot_store *store, int64_t *ret_time, struct seal_err *err)
{
	return rot_store_look(store, read_clock, ret_time, err);
}

static int
write_clock(struct rot_store *store, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	const int64_t *time = arg;

	seal_json_set_i64(record, "issued_at", *time);
	return rot_record_put(store, CLOCK_KEY, record, ROT_RECORD_PUT, err);
}

int
rot_store_set_clock(struct rot_store *store, int64_t time, struct seal_err *err)
{
	return rot_store_change(store, write_clock, &time, err);
}
