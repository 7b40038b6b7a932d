/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one engine to the other.
 *
 *   source is marked as moved ─▶ target is filled ─▶ read back and compared ─▶ source is handed over ─▶
 *   target is a store ─▶ DIR remembers it
 *
 * At no moment can both be served: the source cannot from its mark on, the target not before it is whole.  Whoever is
 * stopped in between begins again, and comes to the same end; or, until the source is handed over, names the place
 * where the store was, and takes the mark away.
 */

#include <stdio.h>

#include "rot/server/store_internal.h"
#include "rot/server/vault_internal.h"

struct migrating {
	const struct rot_vault *vault;
	struct rot_home *home;
	struct rot_place from;
	struct rot_place to;
	struct rot_place beside;
	struct rot_kv *source;
	char to_name[ROT_KV_ORIGIN_MAX + 1];
	char origin[ROT_KV_ORIGIN_MAX + 1];
	uint64_t records;
};

static int
open_source(struct migrating *migrating, struct seal_err *err)
{
	struct rot_store store = { .kv = NULL };
	struct rot_kek_scheme scheme = ROT_KEK_SCHEME;
	struct rot_kv_config config;
	int r;

	rot_place_config(&migrating->from, &config);
	config.moved = true;
	r = rot_kv_open(&migrating->source, &config, false, err);
	if (r == 0)
		r = rot_place_check(&migrating->from, rot_kv_id(migrating->source), err);
	if (r < 0)
		return r;
	store.kv = migrating->source;
	return rot_store_kek(&store, &scheme, err);
}

/* ---- Back ---- */

/* The last step of a migration to SQLite may be all that is missing. */
static int
finish_last_step(struct migrating *migrating, struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	struct rot_kv_config config;
	int r;

	rot_place_config(&migrating->beside, &config);
	r = rot_kv_open(&kv, &config, false, err);
	if (r == 0)
		r = rot_place_check(&migrating->from, rot_kv_id(kv), err);
	rot_kv_closep(&kv);
	return r < 0 ? r : rot_vault_put_in_place(migrating->home, err);
}

static int
take_back(struct migrating *migrating, struct seal_err *err)
{
	int r;

	if (!rot_place_is_etcd(&migrating->from) && !rot_vault_has(migrating->home, ROT_DB_NAME) &&
	    rot_vault_has(migrating->home, ROT_DB_NEXT)) {
		r = finish_last_step(migrating, err);
		return r < 0 ? r : open_source(migrating, err);
	}
	r = open_source(migrating, err);
	if (r < 0)
		return r;
	if (rot_kv_moved_to(migrating->source)[0] == '\0')
		return seal_fail(err, SEAL_E_CONFLICT, "the store is there already");
	return rot_kv_move(migrating->source, NULL, err);
}

/* ---- There ---- */

static int
check_mark(const struct migrating *migrating, struct seal_err *err)
{
	const char *moved_to = rot_kv_moved_to(migrating->source);
	char from[ROT_KV_ORIGIN_MAX + 1];

	if (moved_to[0] == '\0' || strcmp(moved_to, migrating->to_name) == 0)
		return 0;
	if (rot_kv_is_handed_over(migrating->source))
		return seal_fail(err, SEAL_E_CONFLICT,
				 "the store was handed over to %s: finish that first", moved_to);
	rot_place_name(&migrating->from, from, sizeof(from));
	return seal_fail(err, SEAL_E_CONFLICT,
			 "the store was being moved to %s: finish that, or take it back with seal "
			 "store migrate --to %s",
			 moved_to, migrating->from.store);
}

/* Was the target finished before we were stopped?  Only if its source says so as well. */
static bool
is_finished(struct migrating *migrating, const struct rot_kv_config *config)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;

	if (strcmp(rot_kv_moved_to(migrating->source), migrating->to_name) != 0 ||
	    rot_kv_open(&kv, config, false, NULL) < 0 || /* whose close empties SQLite's log */
	    strcmp(rot_kv_origin(kv), migrating->origin) != 0)
		return false;
	(void)snprintf(migrating->to.id, sizeof(migrating->to.id), "%s", rot_kv_id(kv));
	return rot_kv_begin(kv, NULL) == 0 &&
	       rot_kv_count(kv, NULL, NULL, &migrating->records, NULL) == 0;
}

static int
note(const struct migrating *migrating, struct rot_kv *target, struct seal_err *err)
{
	struct rot_store store = { .kv = target };
	char subject[AUDIT_SUBJECT_MAX], from[ROT_KV_ORIGIN_MAX + 1];
	int r;

	rot_place_name(&migrating->from, from, sizeof(from));
	(void)snprintf(subject, sizeof(subject), "%.240s to %.240s", from, migrating->to_name);
	r = rot_vault_note(&store, AUDIT_MIGRATE, subject, migrating->vault->now, err);
	free(store.pending.items);
	return r;
}

static int
copy(struct migrating *migrating, struct rot_kv *target, struct seal_err *err)
{
	const struct rot_source source = { .each = rot_source_kv, .arg = migrating->source };
	struct rot_sum sum = { .records = 0 };
	int r = rot_copy(&source, target, &sum, err);

	if (r == 0)
		r = note(migrating, target, err);
	/* It failed, and the target is no store: then this one is served on, if it was not handed over already. */
	if (r < 0 && rot_kv_move(migrating->source, NULL, NULL) < 0)
		return seal_note(err, r, "run it again");
	if (r < 0)
		return r;
	migrating->records = sum.records;
	(void)snprintf(migrating->to.id, sizeof(migrating->to.id), "%s", rot_kv_id(target));
	/* Who takes the source back at this moment fails, or we do. */
	r = rot_kv_hand_over(migrating->source, err);
	if (r == 0)
		r = rot_kv_filled(target, err);
	return r < 0 ? seal_note(err, r, "run it again") : 0;
}

static int
move(struct migrating *migrating, struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *target = NULL;
	struct rot_kv_config config;
	struct seal_err why = { 0 };
	int r;

	rot_place_config(&migrating->beside, &config);
	if (is_finished(migrating, &config))
		return 0;
	if (!rot_place_is_etcd(&migrating->to))
		rot_vault_drop_next(migrating->home);
	r = rot_kv_fill(&target, &config, migrating->origin, &why);
	if (r < 0)
		return seal_fail(err, r, "%s: %s%s", migrating->to_name, why.text,
				 r == SEAL_E_CONFLICT ? ": name another prefix (--store-prefix)"
						      : "");
	r = rot_kv_move(migrating->source, migrating->to_name, err);
	return r < 0 ? r : copy(migrating, target, err);
}

static int
remember(struct migrating *migrating, struct seal_err *err)
{
	struct rot_home *home = migrating->home;
	bool to_file = !rot_place_is_etcd(&migrating->to);
	int r = 0;

	if (to_file)
		r = rot_vault_put_aside(home, "moved", err);
	if (r == 0)
		r = rot_place_write(&migrating->to, home->dir_fd, err);
	return r < 0 || !to_file ? r : rot_vault_put_in_place(home, err);
}

static int
migrate(struct migrating *migrating, struct seal_err *err)
{
	int r = open_source(migrating, err);

	if (r == 0)
		r = check_mark(migrating, err);
	if (r < 0)
		return r;
	(void)snprintf(migrating->origin, sizeof(migrating->origin), "store %s",
		       rot_kv_id(migrating->source));
	r = move(migrating, err);
	return r < 0 ? r : remember(migrating, err);
}

static bool
is_same(const struct rot_place *a, const struct rot_place *b)
{
	if (!rot_place_is_etcd(a) && !rot_place_is_etcd(b))
		return true;
	return strcmp(a->store, b->store) == 0 && strcmp(a->prefix, b->prefix) == 0;
}

int
rot_vault_migrate(const struct rot_vault *vault, struct rot_vault_found *ret_found,
		  struct seal_err *err)
{
	const struct rot_place_options none = { .store = NULL };
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	struct migrating migrating = { .vault = vault, .home = &home };
	int r;

	r = rot_home_open(&home, vault->dir, err);
	if (r == 0)
		r = rot_place_find(&migrating.from, home.path, home.dir_fd, &none, err);
	if (r < 0)
		return r;
	/* Without credentials for it, naming where it is. */
	if (strcmp(vault->store.store, migrating.from.store) == 0 && vault->store.prefix == NULL)
		migrating.to = migrating.from;
	else
		r = rot_place_make(&migrating.to, home.path, &vault->store, err);
	if (r == 0)
		r = rot_vault_beside(&migrating.to, &home, &migrating.beside, err);
	if (r < 0)
		return r;
	rot_place_name(&migrating.to, migrating.to_name, sizeof(migrating.to_name));
	r = is_same(&migrating.from, &migrating.to) ? take_back(&migrating, err)
						    : migrate(&migrating, err);
	if (r == 0)
		rot_vault_describe(&migrating.to,
				   migrating.to.id[0] != '\0' ? migrating.to.id
							      : rot_kv_id(migrating.source),
				   migrating.records, ret_found);
	rot_kv_close(migrating.source);
	return r;
}
