/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another key-encryption key.  The signer, started for this alone, is given both and wraps again what it is handed; the
 * store is told in the same transactions how far that is.
 *
 *   SQLite    one transaction: under the old key, or under the new one
 *   etcd      the first says that the key is being changed, shuts out everybody else and puts the statement key under
 *             the new one, by which it is known again; then some records at a time, in the order of their keys,
 *             with the last of them; the last transaction says that it is done
 *
 * A fresh key is in DIR/kek.new before the first transaction, and takes DIR/kek's place after the last; which is kept
 * under another name if it is the old key, and else is not touched.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "rot/server/store_internal.h"
#include "rot/server/vault_internal.h"

#define STEP 32u /* records of a step in etcd: far from its limits, of operations and of bytes */

struct rekeying {
	struct rot_home *home;
	struct rot_place place;
	const struct rot_kek_source *old_source;
	const struct rot_kek_source *new_source;
	bool makes_file;
	bool has_old_file; /* DIR/kek is the old key */
	struct rot_meta meta;
	struct rot_kek_state state;
	struct seal_secret *old_kek;
	struct seal_secret *new_kek;
	struct rot_signer *signer;
	struct rot_store *store;
	uint64_t records;
	int64_t now;
};

static void
release(struct rekeying *rekeying)
{
	rot_store_close(rekeying->store);
	rot_signer_free(rekeying->signer);
	seal_secret_free(rekeying->old_kek);
	seal_secret_free(rekeying->new_kek);
	rot_meta_release(&rekeying->meta);
}

static int
open_store(struct rekeying *rekeying, struct seal_err *err)
{
	struct rot_kv_config config;
	int r;

	rot_place_config(&rekeying->place, &config);
	r = rot_store_open_rekey(&rekeying->store, &config, err);
	return r < 0 ? r : rot_place_check(&rekeying->place, rot_store_id(rekeying->store), err);
}

/* The store is closed again: signers must not inherit it. */
static int
look(struct rekeying *rekeying, struct seal_err *err)
{
	int r = open_store(rekeying, err);

	if (r == 0)
		r = rot_store_meta(rekeying->store, &rekeying->meta, err);
	if (r == 0)
		r = rot_store_kek_state(rekeying->store, &rekeying->state, err);
	rot_store_closep(&rekeying->store);
	return r;
}

/* ---- Keys ---- */

/* 1: the statement key is under it, 0: it is not. */
static int
opens(const struct rekeying *rekeying, const struct seal_secret *kek, struct seal_err *err)
{
	SEAL_SCOPED(rot_signer_freep) struct rot_signer *signer = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *copy = NULL;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *statement = NULL;
	int r;

	r = seal_secret_from(&copy, seal_secret_peek(kek), seal_secret_len(kek), err);
	if (r == 0)
		r = rot_signer_start(&signer, &copy, rekeying->meta.trust_domain, err);
	if (r == 0)
		r = rot_signer_open_secret(signer, "statement", &rekeying->meta.statement_key,
					   &statement, err);
	if (r == SEAL_E_UNAUTH)
		return 0;
	return r < 0 ? r : 1;
}

static int
make_file(struct rekeying *rekeying, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *text = NULL;
	int r = rot_kek_new(&rekeying->new_kek, rekeying->new_source, &rekeying->state.scheme, err);

	if (r == 0)
		r = rot_kek_text(rekeying->new_kek, &text, err);
	return r < 0 ? r
		     : seal_fs_write(rekeying->home->dir_fd, ROT_KEK_NEXT, seal_secret_peek(text),
				     seal_secret_len(text), 0600, false, err);
}

static int
get_new(struct rekeying *rekeying, struct seal_err *err)
{
	bool resuming = rekeying->state.is_changing;

	if (rekeying->makes_file && rot_vault_has(rekeying->home, ROT_KEK_NEXT)) {
		rekeying->state.scheme.is_passphrase = false;
		return rot_kek_read(&rekeying->new_kek, rekeying->home->dir_fd, ROT_KEK_NEXT, err);
	}
	if (resuming && rekeying->makes_file)
		return seal_fail(err, SEAL_E_MISSING,
				 "seal rekey was begun with another key than " ROT_KEK_NEXT
				 ": give it with --new-kek-file or --new-passphrase-file");
	if (resuming)
		return rot_kek_get(&rekeying->new_kek, rekeying->new_source,
				   &rekeying->state.scheme, -1, err);
	if (rekeying->makes_file)
		return make_file(rekeying, err);
	return rot_kek_new(&rekeying->new_kek, rekeying->new_source, &rekeying->state.scheme, err);
}

static bool
is_same(const struct seal_secret *one, const struct seal_secret *other)
{
	return seal_secret_len(one) == seal_secret_len(other) &&
	       seal_equal(seal_secret_peek(one), seal_secret_peek(other), seal_secret_len(one));
}

/* While the keys are here: whose is DIR/kek?  Neither's is nobody's to be moved, or replaced. */
static int
look_at_file(struct rekeying *rekeying, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *kek = NULL;
	const struct rot_home *home = rekeying->home;
	bool is_new;

	if (!rot_vault_has(home, ROT_KEK_NAME))
		return 0;
	/* What cannot be read is none of them. */
	(void)!rot_kek_read(&kek, home->dir_fd, ROT_KEK_NAME, NULL);
	is_new = kek != NULL && is_same(kek, rekeying->new_kek);
	rekeying->has_old_file =
		kek != NULL &&
		(rekeying->old_kek != NULL ? is_same(kek, rekeying->old_kek) : !is_new);
	if (rekeying->makes_file && !rekeying->has_old_file && !is_new)
		return seal_fail(err, SEAL_E_CONFLICT,
				 "%s/" ROT_KEK_NAME
				 " is not the old key: move it away, the new one "
				 "would take its place",
				 home->path);
	return 0;
}

static int
fail_wrong_old(struct seal_err *err)
{
	return seal_fail(err, SEAL_E_REFUSED,
			 "this is not the key-encryption key of this root of trust: give the right "
			 "one with --kek-file, or --kek-passphrase-file");
}

/* 1: all is done already but for the file's name. */
static int
get_keys(struct rekeying *rekeying, struct seal_err *err)
{
	struct rot_kek_state *state = &rekeying->state;
	int r, has_new;

	if (!state->is_changing)
		state->old = state->scheme;
	r = get_new(rekeying, err);
	if (r < 0)
		return seal_note(err, r, "new key");
	has_new = opens(rekeying, rekeying->new_kek, err);
	if (has_new < 0)
		return has_new;
	if (has_new == 1 && !state->is_changing)
		return rekeying->makes_file
			       ? 1
			       : seal_fail(err, SEAL_E_REFUSED,
					   "the new key-encryption key is the old one");
	if (has_new == 0 && state->is_changing)
		return seal_fail(err, SEAL_E_REFUSED,
				 "seal rekey was interrupted, and begun with another new key than "
				 "this: give that one");
	r = rot_kek_get(&rekeying->old_kek, rekeying->old_source, &state->old,
			rekeying->home->dir_fd, err);
	if (r < 0 || state->is_changing)
		return r;
	r = opens(rekeying, rekeying->old_kek, err);
	return r == 0 ? fail_wrong_old(err) : r < 0 ? r : 0;
}

/* ---- Steps ---- */

static int
rewrap(void *arg, enum rot_blob kind, const char *name, uint64_t generation,
       const struct seal_bytes *old, struct seal_bytes *new, struct seal_err *err)
{
	struct rekeying *rekeying = arg;
	int r = rot_signer_rewrap(rekeying->signer, kind, name, generation, old, new, err);

	return r == SEAL_E_UNAUTH ? fail_wrong_old(err) : r;
}

static int
rewrap_some(struct rekeying *rekeying, uint64_t limit, struct rot_kek_state *next,
	    uint64_t *ret_count, struct seal_err *err)
{
	const struct rot_rewrap how = { .fn = rewrap, .arg = rekeying };
	SEAL_SCOPED(seal_strv_release) struct seal_strv keys = { 0 };
	int r = rot_store_wrapped_keys(rekeying->store, next->done, limit, &keys, err);

	for (size_t i = 0; r == 0 && i < keys.count; i++) {
		/* The statement key is first of all, and done. */
		if (strcmp(keys.items[i], "meta") != 0)
			r = rot_store_rewrap_record(rekeying->store, keys.items[i], &how, err);
		(void)snprintf(next->done, sizeof(next->done), "%s", keys.items[i]);
	}
	*ret_count = keys.count;
	return r;
}

static int
begin_change(struct rekeying *rekeying, struct rot_kek_state *next, struct seal_err *err)
{
	const struct rot_rewrap how = { .fn = rewrap, .arg = rekeying };
	int r = rot_kv_shut_out(rekeying->store->kv, err);

	next->is_changing = true;
	next->scheme.number = next->old.number + 1;
	next->done[0] = '\0';
	return r < 0 ? r : rot_store_rewrap_record(rekeying->store, "meta", &how, err);
}

static int
note(const struct rekeying *rekeying, const struct rot_kek_state *next, struct seal_err *err)
{
	char subject[64];

	(void)snprintf(subject, sizeof(subject), "key %" PRIu64 ", %s", next->scheme.number,
		       next->scheme.is_passphrase ? "of a passphrase" : "of a file");
	return rot_vault_note(rekeying->store, AUDIT_REKEY, subject, rekeying->now, err);
}

/* Within a transaction; *ret_more: the key is not changed yet. */
static int
step(struct rekeying *rekeying, bool *ret_more, struct seal_err *err)
{
	bool all_at_once = rot_kv_room(rekeying->store->kv) == UINT64_MAX;
	struct rot_kek_state next = rekeying->state;
	bool first = !next.is_changing;
	uint64_t count = 0, limit = all_at_once ? UINT32_MAX : STEP;
	int r = first ? begin_change(rekeying, &next, err) : 0;

	/* In etcd others may still have written until the first step was done. */
	if (r == 0 && (!first || all_at_once)) {
		r = rewrap_some(rekeying, limit, &next, &count, err);
		next.is_changing = count == limit;
	}
	if (r == 0)
		r = rot_store_put_kek(rekeying->store, &next, err);
	if (r == 0 && !next.is_changing)
		r = note(rekeying, &next, err);
	if (r == 0)
		r = rot_store_commit(rekeying->store, err);
	if (r < 0)
		return r;
	rekeying->state = next;
	rekeying->records += count;
	*ret_more = next.is_changing;
	return 0;
}

static int
change(struct rekeying *rekeying, struct seal_err *err)
{
	bool more = true;
	int r = 0;

	while (r == 0 && more) {
		r = rot_store_begin(rekeying->store, err);
		if (r == 0)
			r = step(rekeying, &more, err);
		rot_store_rollback(rekeying->store);
	}
	return r;
}

/* ---- Files ---- */

/* Backups are under it, and under those that were kept before. */
static int
keep_old_file(const struct rekeying *rekeying, char *kept, size_t size, struct seal_err *err)
{
	const uint64_t number = rekeying->state.scheme.number - 1;
	int r;

	(void)snprintf(kept, size, ROT_KEK_NAME ".%" PRIu64, number);
	r = rot_vault_rename_new(rekeying->home, ROT_KEK_NAME, kept, err);
	if (r != SEAL_E_CONFLICT)
		return r;
	(void)snprintf(kept, size, ROT_KEK_NAME ".%" PRIu64 ".%" PRId64, number, rekeying->now);
	return rot_vault_rename_new(rekeying->home, ROT_KEK_NAME, kept, err);
}

static int
settle_files(struct rekeying *rekeying, struct rot_rekeyed *rekeyed, struct seal_err *err)
{
	struct rot_home *home = rekeying->home;
	int r = 0;

	if (rekeying->has_old_file)
		r = keep_old_file(rekeying, rekeyed->kept_old, sizeof(rekeyed->kept_old), err);
	if (r == 0 && rekeying->makes_file) {
		r = rot_vault_rename(home, ROT_KEK_NEXT, ROT_KEK_NAME, err);
		rekeyed->made_file = r == 0;
	}
	return r;
}

static int
rekey(struct rekeying *rekeying, struct seal_err *err)
{
	bool is_done;
	int r = look(rekeying, err);

	if (r == 0)
		r = get_keys(rekeying, err);
	if (r < 0)
		return r;
	is_done = r == 1;
	r = look_at_file(rekeying, err);
	if (r < 0 || is_done)
		return r;
	r = rot_signer_start_rekey(&rekeying->signer, &rekeying->old_kek, &rekeying->new_kek,
				   rekeying->meta.trust_domain, err);
	if (r == 0)
		r = open_store(rekeying, err);
	return r < 0 ? r : change(rekeying, err);
}

int
rot_vault_rekey(const struct rot_vault *vault, const struct rot_kek_source *old_kek,
		const struct rot_kek_source *new_kek, struct rot_rekeyed *ret_rekeyed,
		struct seal_err *err)
{
	SEAL_SCOPED(rot_home_release) struct rot_home home = ROT_HOME;
	SEAL_SCOPED(release)
	struct rekeying rekeying = {
		.home = &home,
		.old_source = old_kek,
		.new_source = new_kek,
		.now = vault->now,
		.makes_file = new_kek->file == NULL && new_kek->passphrase_file == NULL,
	};
	struct rot_rekeyed rekeyed = { .made_file = false };
	int r = rot_home_open(&home, vault->dir, err);

	if (r == 0)
		r = rot_place_find(&rekeying.place, home.path, home.dir_fd, &vault->store, err);
	if (r == 0)
		r = rekey(&rekeying, err);
	if (r == 0)
		r = settle_files(&rekeying, &rekeyed, err);
	if (r < 0)
		return r;
	rekeyed.number = rekeying.state.scheme.number;
	rekeyed.records = rekeying.records;
	*ret_rekeyed = rekeyed;
	return 0;
}
