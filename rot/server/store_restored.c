/* SPDX-License-Identifier: Apache-2.0 */
/* A store that came from a backup knows it: from which, and when. */

#include "rot/server/store_internal.h"

int
rot_store_put_restored(struct rot_store *store, const struct rot_restored *restored,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_str(record, "store", restored->store);
	seal_json_set_i64(record, "backup_at", restored->backup_at);
	seal_json_set_i64(record, "restored_at", restored->restored_at);
	return rot_record_put(store, "restored", record, ROT_RECORD_PUT, err);
}

static int
read_restored(struct rot_store *store, void *arg, struct seal_err *err)
{
	static const char *const members[] = { "store", "backup_at", "restored_at", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	struct rot_restored restored = { .restored_at = 0 };
	struct rot_fields fields = { .key = "restored" };
	int r = rot_record_get(store, "restored", &record, err);

	if (r < 0)
		return r == SEAL_E_MISSING ? 0 : r;
	fields.record = record;
	rot_field_text(&fields, "store", restored.store, sizeof(restored.store));
	rot_field_time(&fields, "backup_at", &restored.backup_at);
	rot_field_time(&fields, "restored_at", &restored.restored_at);
	r = rot_fields_done(&fields, members, err);
	if (r == 0)
		*(struct rot_restored *)arg = restored;
	return r;
}

int
rot_store_restored(struct rot_store *store, struct rot_restored *ret_restored, struct seal_err *err)
{
	return rot_store_look(store, read_restored, ret_restored, err);
}
