/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short lists for who looks at the whole: the newest eggs, the certificates that expire next.  Each reads so many keys,
 * and the records of these, however many there are.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

struct watch_look {
	const char *workload;
	uint64_t limit;
	int64_t now;
	rot_egg_fn egg_fn;
	rot_cert_fn cert_fn;
	void *arg;
	uint64_t *ret_count;
};

/* "PREFIX/", or "PREFIX-of/WORKLOAD/", with what follows. */
static struct rot_path
range_end(const struct watch_look *look, const char *all, const char *of, const char *rest)
{
	return look->workload[0] == '\0' ? rot_path("%s%s", all, rest)
					 : rot_path("%s/%s%s", of, look->workload, rest);
}

static int
add_key(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	(void)value;
	(void)len;
	return seal_strv_add(arg, strrchr(key, '/') + 1, err);
}

/* The last part of each key. */
static int
read_ids(struct rot_store *store, const struct rot_path *from, const struct rot_path *to,
	 uint64_t limit, bool backwards, struct seal_strv *ids, struct seal_err *err)
{
	const struct rot_kv_range range = { .from = from->text,
					    .to = to->text,
					    .limit = limit,
					    .backwards = backwards,
					    .keys_only = true,
					    .loose = true };

	return limit == 0 ? 0 : rot_kv_each(store->kv, &range, add_key, ids, err);
}

static int
look_at_eggs(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct watch_look *look = arg;
	const struct rot_path from = range_end(look, "egg-at", "egg-of", "/");
	const struct rot_path to = range_end(look, "egg-at", "egg-of", "0");
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	int r = rot_kv_count(store->kv, from.text, to.text, look->ret_count, err);

	if (r == 0)
		r = read_ids(store, &from, &to, look->limit, true, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.count; i++) {
		SEAL_SCOPED(rot_egg_release) struct rot_egg egg = { 0 };

		r = rot_store_get_egg(store, ids.items[i], &egg, err);
		if (r == 0)
			r = look->egg_fn(look->arg, &egg, err);
	}
	return r;
}

int
rot_store_newest_eggs(struct rot_store *store, const char *workload, uint64_t limit, rot_egg_fn fn,
		      void *arg, uint64_t *ret_count, struct seal_err *err)
{
	struct watch_look look = { .workload = workload,
				   .limit = limit,
				   .egg_fn = fn,
				   .arg = arg,
				   .ret_count = ret_count };

	return rot_store_look(store, look_at_eggs, &look, err);
}

static int
look_at_certs(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct watch_look *look = arg;
	char now[32];
	struct rot_path from, to;
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	int r;

	(void)snprintf(now, sizeof(now), "/" ROT_TIME "/", rot_path_time(look->now));
	from = range_end(look, "cert-end", "cert-of", now);
	to = range_end(look, "cert-end", "cert-of", "0");
	r = read_ids(store, &from, &to, look->limit, false, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.count; i++) {
		SEAL_SCOPED(rot_cert_release) struct rot_cert cert = { 0 };

		r = rot_store_get_cert(store, ids.items[i], &cert, err);
		if (r == 0)
			r = look->cert_fn(look->arg, &cert, err);
	}
	return r;
}

int
rot_store_next_certs(struct rot_store *store, const char *workload, int64_t now, uint64_t limit,
		     rot_cert_fn fn, void *arg, struct seal_err *err)
{
	struct watch_look look = {
		.workload = workload, .limit = limit, .now = now, .cert_fn = fn, .arg = arg
	};

	return rot_store_look(store, look_at_certs, &look, err);
}
