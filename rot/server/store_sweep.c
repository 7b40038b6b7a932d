/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forgetting: certificates long expired, and workloads with all that is theirs.  What there is to delete may be more
 * than a transaction holds, so it goes in steps.  A workload is gone with the first of them, which leaves a key
 * gone/NAME; the last step deletes that.  Any process can take the next step, after any crash.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

/* Keys of one step: no more than a short moment's work. */
#define STEP_KEYS  4000
#define CERT_KEYS  6 /* a certificate and its index keys */
#define EGG_KEYS   8
#define ENROL_KEYS (ROT_ENROLMENT_CERTS + 4)
#define SPARE_KEYS 16
#define MAX_GONE   1

uint64_t
rot_store_step_of(const struct rot_store *store, uint64_t keys)
{
	uint64_t room = rot_kv_room(store->kv);

	room = room > STEP_KEYS ? STEP_KEYS : room;
	return room > SPARE_KEYS + keys ? (room - SPARE_KEYS) / keys : 1;
}

static int
delete_key(struct rot_store *store, struct rot_path key, struct seal_err *err)
{
	return rot_kv_delete(store->kv, key.text, err);
}

/* ---- Certificates ---- */

struct doomed {
	char workload[SEAL_WORKLOAD_MAX + 1];
	char egg[SEAL_ID_LEN + 1];
	char from[SEAL_SERIAL_LEN + 1]; /* the one it was renewed from */
	const char *serial;
	int64_t end;
};

static int
forget_cert(struct rot_store *store, const struct doomed *cert, struct seal_err *err)
{
	const uint64_t end = rot_path_time(cert->end);
	int r = delete_key(store, rot_path("cert/%s", cert->serial), err);

	if (r == 0)
		r = delete_key(store, rot_path("cert-end/" ROT_TIME "/%s", end, cert->serial), err);
	if (r == 0)
		r = delete_key(
			store,
			rot_path("cert-of/%s/" ROT_TIME "/%s", cert->workload, end, cert->serial),
			err);
	if (r == 0)
		r = delete_key(
			store,
			rot_path("revoked/%s/" ROT_TIME "/%s", cert->workload, end, cert->serial),
			err);
	if (r == 0 && cert->egg[0] != '\0')
		r = delete_key(store, rot_path("cert-egg/%s/%s", cert->egg, cert->serial), err);
	if (r == 0 && cert->from[0] != '\0')
		r = delete_key(
			store,
			rot_path("cert-next/%s/%s/%s", cert->workload, cert->from, cert->serial),
			err);
	return r;
}

struct purge {
	int64_t before;
	struct seal_strv keys;
	struct seal_strv owners;
};

static int
note_expired(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct purge *purge = arg;
	char owner[ROT_OWNER_MAX];
	int r;

	if (len >= sizeof(owner))
		return rot_fail_damaged(key, err);
	memcpy(owner, value, len);
	owner[len] = '\0';
	r = seal_strv_add(&purge->keys, key, err);
	return r < 0 ? r : seal_strv_add(&purge->owners, owner, err);
}

static bool
copy_part(char *out, size_t max, const char *part, size_t len)
{
	if (len > max)
		return false;
	memcpy(out, part, len);
	out[len] = '\0';
	return true;
}

/* "shop 0123... 4567...": the workload of an expired certificate, its egg, and the one it was renewed from. */
static int
split_owner(const char *owner, struct doomed *cert)
{
	const char *egg = strchr(owner, ' ');
	const char *from = egg != NULL ? strchr(egg + 1, ' ') : NULL;
	size_t egg_len;

	if (egg == NULL || egg == owner)
		return SEAL_E_FORMAT;
	egg_len = from != NULL ? (size_t)(from - egg - 1) : strlen(egg + 1);
	from = from != NULL ? from + 1 : "";
	if (!copy_part(cert->workload, SEAL_WORKLOAD_MAX, owner, (size_t)(egg - owner)) ||
	    !copy_part(cert->egg, SEAL_ID_LEN, egg + 1, egg_len) ||
	    !copy_part(cert->from, SEAL_SERIAL_LEN, from, strlen(from)))
		return SEAL_E_FORMAT;
	return 0;
}

static int
purge_step(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct purge *purge = arg;
	const struct rot_path to = rot_path("cert-end/" ROT_TIME "/", rot_path_time(purge->before));
	const struct rot_kv_range range = { .from = "cert-end/",
					    .to = to.text,
					    .limit = rot_store_step_of(store, CERT_KEYS),
					    .loose = true };
	int r;

	seal_strv_release(&purge->keys); /* of a turn before */
	seal_strv_release(&purge->owners);
	r = rot_kv_each(store->kv, &range, note_expired, purge, err);
	for (size_t i = 0; r == 0 && i < purge->keys.count; i++) {
		const char *key = purge->keys.items[i];
		struct doomed cert = { 0 };

		if (!rot_path_parts(key, "cert-end/", &cert.end, &cert.serial) ||
		    split_owner(purge->owners.items[i], &cert) < 0)
			return rot_fail_damaged(key, err);
		r = forget_cert(store, &cert, err);
	}
	return r;
}

int
rot_store_purge(struct rot_store *store, int64_t before, struct seal_err *err)
{
	struct purge purge = { .before = before };
	size_t count;
	int r = rot_store_change(store, purge_step, &purge, err);

	count = purge.keys.count;
	seal_strv_release(&purge.keys);
	seal_strv_release(&purge.owners);
	return r < 0 ? r : count > 0;
}

/* ---- What a workload leaves ---- */

struct step {
	struct rot_store *store;
	const char *name;
	uint64_t count; /* of what was swept */
	bool full;      /* no more in this transaction */
};

/* So much was swept of as much as could have been. */
static void
advance(struct step *step, uint64_t count, uint64_t limit)
{
	step->count += count;
	step->full = step->full || count == limit || step->count >= STEP_KEYS ||
		     rot_kv_room(step->store->kv) <= SPARE_KEYS + EGG_KEYS;
}

static int
sweep_certs(struct step *step, struct seal_err *err)
{
	const struct rot_path prefix = rot_path("cert-of/%s/", step->name);
	const struct rot_path to = rot_path("cert-of/%s0", step->name);
	uint64_t limit = rot_store_step_of(step->store, CERT_KEYS);
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	struct doomed cert = { 0 };
	int r;

	(void)snprintf(cert.workload, sizeof(cert.workload), "%s", step->name);
	r = rot_range_keys(step->store, prefix.text, to.text, limit, &keys, err);
	for (size_t i = 0; r == 0 && i < keys.count; i++) {
		if (!rot_path_parts(keys.items[i], prefix.text, &cert.end, &cert.serial))
			return rot_fail_damaged(keys.items[i], err);
		r = forget_cert(step->store, &cert, err);
	}
	advance(step, keys.count, limit);
	return r;
}

/* Delete a range, as far as it fits. */
static int
sweep_range(struct step *step, struct rot_path from, struct rot_path to, struct seal_err *err)
{
	uint64_t limit = rot_store_step_of(step->store, 1), count = 0;
	int r = rot_range_delete(step->store, from.text, to.text, limit, &count, err);

	advance(step, count, limit);
	return r;
}

/* One egg: what was born of it, and itself when that is gone. */
static int
sweep_egg(struct step *step, const char *id, struct seal_err *err)
{
	int r = sweep_range(step, rot_path("cert-egg/%s/", id), rot_path("cert-egg/%s0", id), err);

	if (r < 0 || step->full)
		return r;
	r = rot_store_drop_egg(step->store, id, err);
	advance(step, EGG_KEYS, UINT64_MAX);
	return r;
}

static int
sweep_eggs(struct step *step, struct seal_err *err)
{
	const struct rot_path prefix = rot_path("egg-of/%s/", step->name);
	const struct rot_path to = rot_path("egg-of/%s0", step->name);
	uint64_t limit = rot_store_step_of(step->store, EGG_KEYS);
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = rot_range_keys(step->store, prefix.text, to.text, limit, &keys, err);

	for (size_t i = 0; r == 0 && !step->full && i < keys.count; i++)
		r = sweep_egg(step, strrchr(keys.items[i], '/') + 1, err);
	advance(step, keys.count, limit);
	return r;
}

static int
sweep_enrolments(struct step *step, struct seal_err *err)
{
	const struct rot_path prefix = rot_path("enrol-of/%s/", step->name);
	const struct rot_path to = rot_path("enrol-of/%s0", step->name);
	uint64_t limit = rot_store_step_of(step->store, ENROL_KEYS);
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = rot_range_keys(step->store, prefix.text, to.text, limit, &keys, err);

	for (size_t i = 0; r == 0 && i < keys.count; i++)
		r = rot_store_drop_enrolment(step->store, strrchr(keys.items[i], '/') + 1, 0, err);
	advance(step, keys.count, limit);
	return r;
}

static int
sweep_ranges(struct step *step, struct seal_err *err)
{
	static const char *const ranges[] = { "object",   "sealed",    "root",      "revoked",
					      "revoking", "cert-next", "ca-retired" };
	int r = 0;

	for (size_t i = 0; r == 0 && !step->full && i < SEAL_COUNT(ranges); i++)
		r = sweep_range(step, rot_path("%s/%s/", ranges[i], step->name),
				rot_path("%s/%s0", ranges[i], step->name), err);
	return r;
}

static int
sweep_records(struct step *step, struct seal_err *err)
{
	static const char *const records[] = { "ca", "roots", "policy", "epoch", "gone" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(records); i++)
		r = delete_key(step->store, rot_path("%s/%s", records[i], step->name), err);
	return r;
}

static int
sweep_step(struct rot_store *store, const char *name, struct seal_err *err)
{
	static int (*const phases[])(struct step *, struct seal_err *) = {
		sweep_certs, sweep_eggs, sweep_enrolments, sweep_ranges, sweep_records
	};
	struct step step = { .store = store, .name = name };
	bool still = false;
	int r;

	/* Compared when this commits: by then another process may have swept, and the name be used anew. */
	r = rot_record_has(store, rot_path("gone/%s", name).text, &still, err);
	for (size_t i = 0; r == 0 && still && !step.full && i < SEAL_COUNT(phases); i++)
		r = phases[i](&step, err);
	return r;
}

struct sweep {
	const char *name; /* NULL: whichever comes first */
	bool any;
};

static int
sweep_once(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct sweep *sweep = arg;
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r;

	r = rot_range_keys(store, "gone/", "gone0", MAX_GONE, &keys, err);
	sweep->any = keys.count > 0;
	return r < 0 || !sweep->any ? r : sweep_step(store, keys.items[0] + strlen("gone/"), err);
}

int
rot_store_sweep(struct rot_store *store, struct seal_err *err)
{
	struct sweep sweep = { 0 };
	bool any = false;
	int r = rot_store_revoke_step(store, &any, err); /* others wait to hear of that */

	if (r == 0 && !any)
		r = rot_store_change(store, sweep_once, &sweep, err);
	return r < 0 ? r : any || sweep.any;
}

/* ---- Deleting ---- */

static int
mark_gone(struct rot_store *store, void *arg, struct seal_err *err)
{
	const char *name = arg;
	int r = rot_store_need_workload(store, name, err);

	if (r == 0)
		r = delete_key(store, rot_path("workload/%s", name), err);
	if (r == 0)
		r = delete_key(store, rot_path("epoch/%s", name), err);
	if (r == 0)
		r = rot_record_flag(store, rot_path("gone/%s", name).text, err);
	return r < 0 ? r : rot_store_touch(store, err);
}

int
rot_store_delete_workload(struct rot_store *store, const char *name, struct seal_err *err)
{
	char copy[SEAL_WORKLOAD_MAX + 1];
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", name);
	r = rot_store_change(store, mark_gone, copy, err);
	if (r < 0 || rot_kv_is_open(store->kv))
		return r;
	/* It is gone.  That the rest goes may fail here, and is then tried again. */
	do {
		r = rot_store_sweep(store, NULL);
	} while (r == 1);
	return 0;
}
