/* SPDX-License-Identifier: Apache-2.0 */
/* See store_rig.h. */
#include "tests/unit/rot/store_rig.h"

#include <criterion/criterion.h>

struct walk {
	struct rot_store *store;
	const char *prefix;
	const char *member;
	uint64_t value;
	int64_t sum;
	struct seal_strv keys;
};

static int
note_key(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct walk *walk = arg;

	(void)value;
	(void)len;
	if (strncmp(key, walk->prefix, strlen(walk->prefix)) != 0)
		return 0;
	return seal_strv_add(&walk->keys, key, err);
}

static int
each_record(struct rot_store *store, struct walk *walk, bool edit, struct seal_err *err)
{
	const struct rot_kv_range all = { .keys_only = true, .loose = true };
	int r = rot_kv_each(store->kv, &all, note_key, walk, err);

	walk->sum = walk->member == NULL ? (int64_t)walk->keys.count : 0;
	for (size_t i = 0; walk->member != NULL && r == 0 && i < walk->keys.count; i++) {
		const struct seal_json *value;
		struct seal_json *record = NULL;

		r = rot_record_get(store, walk->keys.items[i], &record, err);
		if (r < 0)
			return r;
		value = seal_json_member(record, walk->member);
		cr_assert_not_null(value, "%s has no %s", walk->keys.items[i], walk->member);
		walk->sum += seal_json_kind(value) == SEAL_JSON_ARRAY
				     ? (int64_t)seal_json_count(value)
				     : (int64_t)seal_json_u64(value);
		if (edit) {
			seal_json_set_u64(record, walk->member, walk->value);
			r = rot_record_put(store, walk->keys.items[i], record, ROT_RECORD_PUT, err);
		}
		seal_json_free(record);
	}
	seal_strv_release(&walk->keys);
	return r;
}

static int
look(struct rot_store *store, void *arg, struct seal_err *err)
{
	return each_record(store, arg, false, err);
}

static int
change(struct rot_store *store, void *arg, struct seal_err *err)
{
	return each_record(store, arg, true, err);
}

int64_t
store_count(struct rot_store *store, const char *prefix)
{
	return store_sum(store, prefix, NULL);
}

int64_t
store_sum(struct rot_store *store, const char *prefix, const char *member)
{
	struct walk walk = { .prefix = prefix, .member = member };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_look(store, look, &walk, &err), 0, "%s", err.text);
	return walk.sum;
}

void
store_edit(struct rot_store *store, const char *prefix, const char *member, uint64_t value)
{
	struct walk walk = { .prefix = prefix, .member = member, .value = value };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_change(store, change, &walk, &err), 0, "%s", err.text);
}
