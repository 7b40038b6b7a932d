/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eggs: one record each, found by age, by workload and by key, and counted while they can hatch.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define MAX_HOSTNAMES 64

void
rot_egg_release(struct rot_egg *egg)
{
	seal_strv_release(&egg->hostnames);
}

/* ---- The record ---- */

static struct rot_path
egg_key(const char *id)
{
	return rot_path("egg/%s", id);
}

static int
write_egg(struct rot_store *store, const struct rot_egg *egg, enum rot_record_how how,
	  struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	char key_id[2 * SEAL_HASH_LEN + 1];

	seal_hex_encode(key_id, egg->key_id, sizeof(egg->key_id));
	seal_json_set_str(record, "workload", egg->workload);
	seal_json_set_str(record, "peer", egg->peer);
	seal_json_set_strv(record, "hostnames", &egg->hostnames);
	seal_json_set_i64(record, "created_at", egg->created_at);
	seal_json_set_i64(record, "not_after", egg->not_after);
	seal_json_set_u64(record, "max_hatches", egg->max_hatches);
	seal_json_set_u64(record, "hatches", egg->hatches);
	seal_json_set_bool(record, "plain_config", egg->plain_config);
	seal_json_set_str(record, "key_id", key_id);
	seal_json_set_str(record, "serial", egg->serial);
	seal_json_set_i64(record, "revoked_at", egg->revoked_at);
	seal_json_set_u64(record, "order", egg->order);
	return rot_record_put(store, egg_key(egg->id).text, record, how, err);
}

static int
parse_egg(const struct seal_json *record, const char *key, struct rot_egg *egg,
	  struct seal_err *err)
{
	static const char *const members[] = { "workload",   "peer",         "hostnames",
					       "created_at", "not_after",    "max_hatches",
					       "hatches",    "plain_config", "key_id",
					       "serial",     "revoked_at",   "order",
					       NULL };
	struct rot_fields fields = { .key = key, .record = record };
	char key_id[2 * SEAL_HASH_LEN + 1] = "";
	int r;

	rot_field_text(&fields, "workload", egg->workload, sizeof(egg->workload));
	rot_field_text(&fields, "peer", egg->peer, sizeof(egg->peer));
	rot_field_strv(&fields, "hostnames", MAX_HOSTNAMES, &egg->hostnames);
	rot_field_time(&fields, "created_at", &egg->created_at);
	rot_field_time(&fields, "not_after", &egg->not_after);
	rot_field_u64(&fields, "max_hatches", &egg->max_hatches);
	rot_field_u64(&fields, "hatches", &egg->hatches);
	rot_field_bool(&fields, "plain_config", &egg->plain_config);
	rot_field_text(&fields, "key_id", key_id, sizeof(key_id));
	rot_field_text(&fields, "serial", egg->serial, sizeof(egg->serial));
	rot_field_time(&fields, "revoked_at", &egg->revoked_at);
	rot_field_u64(&fields, "order", &egg->order);
	r = rot_fields_done(&fields, members, err);
	if (r == 0 && seal_hex_decode(egg->key_id, SEAL_HASH_LEN, key_id, strlen(key_id), NULL) < 0)
		r = rot_fail_damaged(key, err);
	return r;
}

static int
read_egg(struct rot_store *store, const char *id, struct rot_egg *ret_egg, struct seal_err *err)
{
	const struct rot_path key = egg_key(id);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = rot_record_get(store, key.text, &record, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, r, "there is no egg '%s'", id);
	if (r == 0)
		r = parse_egg(record, key.text, &egg, err);
	if (r < 0)
		return r;
	(void)snprintf(egg.id, sizeof(egg.id), "%s", id);
	*ret_egg = egg;
	memset(&egg, 0, sizeof(egg)); /* the caller owns it now */
	return 0;
}

/* ---- Index keys ---- */

static bool
can_hatch(const struct rot_egg *egg)
{
	return egg->revoked_at == 0 && (egg->max_hatches == 0 || egg->hatches < egg->max_hatches);
}

/* Counted by its end, as long as nothing but that keeps it from hatching. */
static int
set_live(struct rot_store *store, const struct rot_egg *egg, bool live, struct seal_err *err)
{
	const uint64_t end = rot_path_time(egg->not_after);
	const struct rot_path all = rot_path("egg-live/" ROT_TIME "/%s", end, egg->id);
	const struct rot_path of =
		rot_path("egg-live-of/%s/" ROT_TIME "/%s", egg->workload, end, egg->id);
	int r = live ? rot_record_flag(store, all.text, err)
		     : rot_kv_delete(store->kv, all.text, err);

	if (r == 0)
		r = live ? rot_record_flag(store, of.text, err)
			 : rot_kv_delete(store->kv, of.text, err);
	return r;
}

static struct rot_path
hash_key(const struct rot_egg *egg)
{
	char key_id[2 * SEAL_HASH_LEN + 1];

	seal_hex_encode(key_id, egg->key_id, sizeof(egg->key_id));
	return rot_path("egg-key/%s", key_id);
}

/* Where it stands among all eggs, and among those of its workload. */
#define AGE ROT_TIME "/%04" PRIx64 "/%s"

static struct rot_path
age_key(const struct rot_egg *egg)
{
	return rot_path("egg-at/" AGE, rot_path_time(egg->created_at), egg->order, egg->id);
}

static struct rot_path
age_of_key(const struct rot_egg *egg)
{
	return rot_path("egg-of/%s/" AGE, egg->workload, rot_path_time(egg->created_at), egg->order,
			egg->id);
}

static int
take_order(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	uint64_t *order = arg;
	const char *rest = NULL;
	int64_t made = 0;
	char *end = NULL;

	(void)value;
	(void)len;
	if (!rot_path_parts(key, "egg-at/", &made, &rest))
		return rot_fail_damaged(key, err);
	*order = strtoull(rest, &end, 16) + 1;
	return *end == '/' ? 0 : rot_fail_damaged(key, err);
}

/* The place behind the last of the same second. */
static int
find_order(struct rot_store *store, int64_t created_at, uint64_t *ret_order, struct seal_err *err)
{
	const uint64_t made = rot_path_time(created_at);
	const struct rot_path from = rot_path("egg-at/" ROT_TIME "/", made);
	const struct rot_path to = rot_path("egg-at/" ROT_TIME "0", made);
	const struct rot_kv_range last = {
		.from = from.text, .to = to.text, .limit = 1, .backwards = true, .keys_only = true
	};

	*ret_order = 0;
	return rot_kv_each(store->kv, &last, take_order, ret_order, err);
}

int
rot_store_put_egg(struct rot_store *store, const struct rot_egg *asked, struct seal_err *err)
{
	struct rot_egg egg = *asked; /* its list is lent */
	bool used = false;
	int r;

	/* Asked for, not just added: a key that is used stays so, however often this is tried. */
	r = rot_record_has(store, hash_key(&egg).text, &used, err);
	if (r == 0 && used)
		r = SEAL_E_CONFLICT;
	if (r == 0)
		r = find_order(store, egg.created_at, &egg.order, err);
	if (r == 0)
		r = rot_kv_put(store->kv, hash_key(&egg).text, egg.id, strlen(egg.id), err);
	if (r == 0)
		r = write_egg(store, &egg, ROT_RECORD_ADD, err);
	if (r == SEAL_E_CONFLICT)
		return seal_fail(err, r, "this key belongs to another egg: make a fresh one");
	if (r == 0)
		r = rot_record_flag(store, age_key(&egg).text, err);
	if (r == 0)
		r = rot_record_flag(store, age_of_key(&egg).text, err);
	return r < 0 || !can_hatch(&egg) ? r : set_live(store, &egg, true, err);
}

int
rot_store_drop_egg(struct rot_store *store, const char *id, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = read_egg(store, id, &egg, err);

	if (r == 0)
		r = rot_kv_delete(store->kv, egg_key(id).text, err);
	if (r == 0)
		r = rot_kv_delete(store->kv, hash_key(&egg).text, err);
	if (r == 0)
		r = rot_kv_delete(store->kv, age_key(&egg).text, err);
	if (r == 0)
		r = rot_kv_delete(store->kv, age_of_key(&egg).text, err);
	return r < 0 ? r : set_live(store, &egg, false, err);
}

/* ---- Calls ---- */

static int
add_egg(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct rot_egg *egg = arg;
	int r = rot_store_need_workload(store, egg->workload, err);

	return r < 0 ? r : rot_store_put_egg(store, egg, err);
}

int
rot_store_add_egg(struct rot_store *store, const struct rot_egg *egg, struct seal_err *err)
{
	struct rot_egg fresh = *egg; /* its lists are lent */

	return rot_store_change(store, add_egg, &fresh, err);
}

struct egg_look {
	const char *id;
	const char *workload;
	uint64_t limit;
	int64_t now;
	rot_egg_fn fn;
	void *arg;
	struct rot_egg *ret_egg;
};

static int
look_at_egg(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct egg_look *look = arg;

	return read_egg(store, look->id, look->ret_egg, err);
}

int
rot_store_get_egg(struct rot_store *store, const char *id, struct rot_egg *ret_egg,
		  struct seal_err *err)
{
	struct egg_look look = { .id = id, .ret_egg = ret_egg };

	return rot_store_look(store, look_at_egg, &look, err);
}

/* Where the page begins: behind the egg named, or at the first. */
static int
page_start(struct rot_store *store, const struct egg_look *look, const char *prefix,
	   struct rot_path *ret_from, struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r;

	*ret_from = rot_path("%s", prefix);
	if (look->id[0] == '\0')
		return 0;
	r = read_egg(store, look->id, &egg, err);
	if (r == 0)
		*ret_from = rot_path("%s" AGE "!", prefix, rot_path_time(egg.created_at), egg.order,
				     egg.id);
	return r;
}

static int
hand_out(struct rot_store *store, const struct egg_look *look, const char *key,
	 struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = read_egg(store, strrchr(key, '/') + 1, &egg, err);

	if (r == SEAL_E_MISSING)
		return rot_fail_damaged(key, err);
	return r < 0 ? r : look->fn(look->arg, &egg, err);
}

static int
look_at_eggs(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct egg_look *look = arg;
	bool all = look->workload[0] == '\0';
	const struct rot_path prefix =
		all ? rot_path("egg-at/") : rot_path("egg-of/%s/", look->workload);
	const struct rot_path to =
		all ? rot_path("egg-at0") : rot_path("egg-of/%s0", look->workload);
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	struct rot_path from;
	int r = 0;

	if (!all)
		r = rot_store_need_workload(store, look->workload, err);
	if (r == 0)
		r = page_start(store, look, prefix.text, &from, err);
	if (r == 0 && look->limit > 0)
		r = rot_range_keys(store, from.text, to.text, look->limit, &keys, err);
	for (size_t i = 0; r == 0 && i < keys.count; i++)
		r = hand_out(store, look, keys.items[i], err);
	return r;
}

int
rot_store_each_egg(struct rot_store *store, const char *workload, const char *after, uint64_t limit,
		   rot_egg_fn fn, void *arg, struct seal_err *err)
{
	struct egg_look look = {
		.id = after, .workload = workload, .limit = limit, .fn = fn, .arg = arg
	};

	return rot_store_look(store, look_at_eggs, &look, err);
}

struct of_peer {
	const char *peer;
	bool is;
};

static int
compare_peer(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct of_peer *of = arg;
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = rot_record_parse(key, value, len, &record, err);

	if (r == 0)
		r = parse_egg(record, key, &egg, err);
	of->is = r == 0 && strcmp(egg.peer, of->peer) == 0;
	return r;
}

int
rot_store_is_egg_of(struct rot_store *store, const char *id, const char *peer, bool *ret_is,
		    struct seal_err *err)
{
	const struct rot_path from = egg_key(id), to = rot_path("egg/%s!", id);
	const struct rot_kv_range range = { .from = from.text, .to = to.text, .loose = true };
	struct of_peer of = { .peer = peer };
	int r = rot_kv_each(store->kv, &range, compare_peer, &of, err);

	if (r == 0)
		*ret_is = of.is;
	return r;
}

int
rot_store_mark_egg(struct rot_store *store, const char *id, int64_t now,
		   char ret_workload[static SEAL_WORKLOAD_MAX + 1], bool *ret_was_good,
		   struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = read_egg(store, id, &egg, err);

	if (r < 0)
		return r;
	memcpy(ret_workload, egg.workload, sizeof(egg.workload));
	*ret_was_good = egg.revoked_at == 0;
	if (egg.revoked_at != 0)
		return 0;
	egg.revoked_at = now;
	r = write_egg(store, &egg, ROT_RECORD_PUT, err);
	return r < 0 ? r : set_live(store, &egg, false, err);
}

int
rot_store_spend_egg(struct rot_store *store, const char *id, int64_t now, struct rot_egg *ret_egg,
		    struct seal_err *err)
{
	SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };
	int r = read_egg(store, id, &egg, err);

	if (r == 0 && (!can_hatch(&egg) || egg.not_after <= now))
		r = SEAL_E_MISSING;
	if (r == 0)
		r = rot_store_need_workload(store, egg.workload, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_REFUSED, "egg revoked, expired, spent or gone");
	if (r < 0)
		return r;
	egg.hatches++;
	r = write_egg(store, &egg, ROT_RECORD_PUT, err);
	if (r == 0 && !can_hatch(&egg))
		r = set_live(store, &egg, false, err);
	if (r < 0)
		return r;
	*ret_egg = egg;
	memset(&egg, 0, sizeof(egg)); /* the caller owns it now */
	return 0;
}
