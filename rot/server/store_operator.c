/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators: who holds a credential, in which role, and which of their certificates count.  A record stays when its
 * operator is revoked, until the name is given to somebody else.
 */

#include "rot/server/store_internal.h"

#define PREFIX     "operator/"
#define PREFIX_END "operator0"

bool
rot_operator_holds(const struct rot_operator *holder, const char *serial)
{
	/* An older store issued one certificate to this name, and did not note which. */
	if (holder->is_adopted)
		return true;
	return strcmp(holder->serial, serial) == 0 ||
	       (holder->previous[0] != '\0' && strcmp(holder->previous, serial) == 0);
}

const char *
rot_operator_state(const struct rot_operator *holder, int64_t now)
{
	if (holder->revoked_at != 0)
		return "revoked";
	return holder->not_after <= now ? "expired" : "live";
}

/* ---- The record ---- */

static struct rot_path
operator_key(const char *name)
{
	return rot_path(PREFIX "%s", name);
}

int
rot_store_put_operator(struct rot_store *store, const struct rot_operator *holder,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_str(record, "role", holder->role);
	seal_json_set_str(record, "serial", holder->serial);
	seal_json_set_str(record, "previous", holder->previous);
	seal_json_set_bool(record, "adopted", holder->is_adopted);
	seal_json_set_u64(record, "ttl", holder->ttl);
	seal_json_set_i64(record, "created_at", holder->created_at);
	seal_json_set_i64(record, "not_after", holder->not_after);
	seal_json_set_i64(record, "renewed_at", holder->renewed_at);
	seal_json_set_i64(record, "revoked_at", holder->revoked_at);
	return rot_record_put(store, operator_key(holder->name).text, record, ROT_RECORD_PUT, err);
}

static int
parse_operator(const struct seal_json *record, const char *key, struct rot_operator *ret_operator,
	       struct seal_err *err)
{
	static const char *const members[] = { "role",      "serial",     "previous",
					       "adopted",   "ttl",        "created_at",
					       "not_after", "renewed_at", "revoked_at",
					       NULL };
	struct rot_fields fields = { .key = key, .record = record };
	struct rot_operator holder = { 0 };
	int r;

	(void)snprintf(holder.name, sizeof(holder.name), "%s", key + strlen(PREFIX));
	rot_field_text(&fields, "role", holder.role, sizeof(holder.role));
	rot_field_text(&fields, "serial", holder.serial, sizeof(holder.serial));
	rot_field_text(&fields, "previous", holder.previous, sizeof(holder.previous));
	rot_field_bool(&fields, "adopted", &holder.is_adopted);
	rot_field_u64(&fields, "ttl", &holder.ttl);
	rot_field_time(&fields, "created_at", &holder.created_at);
	rot_field_time(&fields, "not_after", &holder.not_after);
	rot_field_time(&fields, "renewed_at", &holder.renewed_at);
	rot_field_time(&fields, "revoked_at", &holder.revoked_at);
	r = rot_fields_done(&fields, members, err);
	/* Whose certificate is not known must not be everybody's. */
	if (r == 0 && holder.is_adopted != (holder.serial[0] == '\0'))
		r = rot_fail_damaged(key, err);
	if (r < 0)
		return r;
	*ret_operator = holder;
	return 0;
}

static int
read_operator(struct rot_store *store, const char *name, struct rot_operator *ret_operator,
	      struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	const struct rot_path key = operator_key(name);
	int r = rot_record_get(store, key.text, &record, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, r, "there is no operator '%s'", name);
	return r < 0 ? r : parse_operator(record, key.text, ret_operator, err);
}

/* ---- Adding ---- */

struct operator_change {
	const struct rot_operator *holder;
	const char *name;
	const char *old_serial;
	const char *serial;
	int64_t not_after;
	int64_t now;
	struct rot_operator *ret_operator;
};

static int
add_operator(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct operator_change *change = arg;
	struct rot_operator there;
	int r = read_operator(store, change->holder->name, &there, err);

	if (r < 0 && r != SEAL_E_MISSING)
		return r;
	/* The certificates of whoever had the name before stay refused: they are other ones. */
	if (r == 0 && strcmp(rot_operator_state(&there, change->now), "live") == 0)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "there is an operator '%s' already, with the role %s: revoke it "
				 "first, or choose another name",
				 there.name, there.role);
	return rot_store_put_operator(store, change->holder, err);
}

int
rot_store_add_operator(struct rot_store *store, const struct rot_operator *holder, int64_t now,
		       struct seal_err *err)
{
	struct operator_change change = { .holder = holder, .now = now };

	return rot_store_change(store, add_operator, &change, err);
}

/* ---- Reading ---- */

static int
look_at_operator(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct operator_change *look = arg;

	return read_operator(store, look->name, look->ret_operator, err);
}

int
rot_store_get_operator(struct rot_store *store, const char *name, struct rot_operator *ret_operator,
		       struct seal_err *err)
{
	struct operator_change look = { .name = name, .ret_operator = ret_operator };

	return rot_store_look(store, look_at_operator, &look, err);
}

struct operator_walk {
	const char *after;
	uint64_t limit;
	rot_operator_fn fn;
	void *arg;
};

static int
give_operator(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	const struct operator_walk *walk = arg;
	struct rot_operator holder;
	int r = rot_record_parse(key, value, len, &record, err);

	if (r == 0)
		r = parse_operator(record, key, &holder, err);
	return r < 0 ? r : walk->fn(walk->arg, &holder, err);
}

static int
walk_operators(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct operator_walk *walk = arg;
	/* The first name that is greater: no name has a letter below '-'. */
	const struct rot_path from =
		rot_path(PREFIX "%s%s", walk->after, walk->after[0] != '\0' ? "!" : "");
	const struct rot_kv_range range = {
		.from = from.text, .to = PREFIX_END, .limit = walk->limit, .loose = true
	};

	return rot_kv_each(store->kv, &range, give_operator, arg, err);
}

int
rot_store_each_operator(struct rot_store *store, const char *after, uint64_t limit,
			rot_operator_fn fn, void *arg, struct seal_err *err)
{
	struct operator_walk walk = { .after = after, .limit = limit, .fn = fn, .arg = arg };

	return rot_store_look(store, walk_operators, &walk, err);
}

/* ---- Revoking, renewing ---- */

static int
revoke_operator(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct operator_change *change = arg;
	struct rot_operator holder;
	int r = read_operator(store, change->name, &holder, err);

	if (r < 0 || holder.revoked_at != 0)
		return r;
	holder.revoked_at = change->now;
	return rot_store_put_operator(store, &holder, err);
}

int
rot_store_revoke_operator(struct rot_store *store, const char *name, int64_t now,
			  struct seal_err *err)
{
	struct operator_change change = { .name = name, .now = now };

	return rot_store_change(store, revoke_operator, &change, err);
}

static int
renew_operator(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct operator_change *change = arg;
	struct rot_operator holder;
	int r = read_operator(store, change->name, &holder, err);

	if (r < 0)
		return r;
	if (holder.revoked_at != 0 || !rot_operator_holds(&holder, change->old_serial))
		return seal_fail(err, SEAL_E_REFUSED, "this credential was revoked");
	/* The one it was asked with stays good, should the answer be lost; any third one does not. */
	(void)snprintf(holder.previous, sizeof(holder.previous), "%s", change->old_serial);
	(void)snprintf(holder.serial, sizeof(holder.serial), "%s", change->serial);
	holder.is_adopted = false;
	holder.not_after = change->not_after;
	holder.renewed_at = change->now;
	r = rot_store_put_operator(store, &holder, err);
	if (r == 0)
		*change->ret_operator = holder;
	return r;
}

int
rot_store_renew_operator(struct rot_store *store, const char *name, const char *old_serial,
			 const char *serial, int64_t not_after, int64_t now,
			 struct rot_operator *ret_operator, struct seal_err *err)
{
	struct operator_change change = { .name = name,
					  .old_serial = old_serial,
					  .serial = serial,
					  .not_after = not_after,
					  .now = now,
					  .ret_operator = ret_operator };

	return rot_store_change(store, renew_operator, &change, err);
}
