/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of the store's engines: what a key, a value and a transaction may be, the checksum that every value
 * is kept with, and the record by which a store knows itself.
 *
 *   stored value:  checksum (16 bytes) | value
 *   checksum:      SHA-256 (value | key | length of the key, 32 bit, big endian), its first 16 bytes
 */

#include "rot/kv/kv.h"

#include <inttypes.h>

#include "base/crypto/crypto.h"
#include "base/json/json.h"
#include "rot/kv/kv_internal.h"

#define SELF_MAX 4096
/* Stored value, key and length, to be summed as one. */
#define SCRATCH_MAX (ROT_KV_STORED_MAX + ROT_KV_KEY_MAX + 4)
#define ID_MAX      80

/* What a store says of itself. */
struct self {
	char id[ROT_KV_ID_LEN + 1];
	bool filling;
	char origin[ROT_KV_ORIGIN_MAX + 1];
	char moved_to[ROT_KV_ORIGIN_MAX + 1];
	bool handed_over;
};

struct rot_kv {
	const struct rot_kv_engine *engine;
	void *state;
	rot_kv_adopt_fn adopt;
	bool fresh; /* to be created by the first commit */
	bool open;  /* within a transaction */
	uint64_t marks;
	struct seal_bytes scratch;
	bool reader;
	bool moved; /* may be */
	struct self self;
	char id[ID_MAX];
};

static const struct rot_kv_engine *const engines[] = { &rot_kv_sqlite, &rot_kv_etcd };

static int load(struct rot_kv *kv, struct seal_err *err);
static int check_open(const struct rot_kv *kv, struct seal_err *err);
static int create(struct rot_kv *kv, struct seal_err *err);
static int put(struct rot_kv *kv, const char *key, const void *value, size_t len, bool add,
	       struct seal_err *err);
static int get(struct rot_kv *kv, const char *key, struct seal_bytes *value, struct seal_err *err);

/* ---- Opening ---- */

static const struct rot_kv_engine *
find_engine(const char *where, const char **ret_rest)
{
	for (size_t i = 0; i < SEAL_COUNT(engines); i++) {
		size_t len = strlen(engines[i]->scheme);

		if (strncmp(where, engines[i]->scheme, len) == 0 && where[len] == ':') {
			*ret_rest = where + len + 1;
			return engines[i];
		}
	}
	return NULL;
}

static int
open_as(struct rot_kv **ret_kv, const struct rot_kv_config *config, enum rot_kv_mode mode,
	struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = calloc(1, sizeof(*kv));
	const char *rest = NULL;
	int r;

	if (kv == NULL)
		return seal_fail_memory(err);
	seal_bytes_init(&kv->scratch, SCRATCH_MAX);
	kv->adopt = config->adopt;
	kv->fresh = mode == ROT_KV_CREATE;
	kv->reader = mode == ROT_KV_READ;
	kv->moved = config->moved;
	kv->engine = find_engine(config->where, &rest);
	if (kv->engine == NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "a store is named sqlite:PATH or etcd:https://HOST:PORT,...");
	r = kv->engine->open(&kv->state, config, rest, mode, err);
	if (r == 0 && (mode == ROT_KV_OPEN || mode == ROT_KV_READ))
		r = load(kv, err);
	if (r < 0)
		return r;
	*ret_kv = SEAL_TAKE(kv);
	return 0;
}

int
rot_kv_open(struct rot_kv **ret_kv, const struct rot_kv_config *config, bool create_it,
	    struct seal_err *err)
{
	return open_as(ret_kv, config, create_it ? ROT_KV_CREATE : ROT_KV_OPEN, err);
}

int
rot_kv_open_reader(struct rot_kv **ret_kv, const struct rot_kv_config *config, struct seal_err *err)
{
	return open_as(ret_kv, config, ROT_KV_READ, err);
}

void
rot_kv_close(struct rot_kv *kv)
{
	if (kv == NULL)
		return;
	rot_kv_rollback(kv);
	if (kv->state != NULL)
		kv->engine->close(kv->state);
	seal_bytes_release(&kv->scratch);
	free(kv);
}

void
rot_kv_closep(struct rot_kv **kv)
{
	rot_kv_close(*kv);
	*kv = NULL;
}

const char *
rot_kv_id(const struct rot_kv *kv)
{
	return kv->id;
}

const char *
rot_kv_origin(const struct rot_kv *kv)
{
	return kv->self.origin;
}

const char *
rot_kv_moved_to(const struct rot_kv *kv)
{
	return kv->self.moved_to;
}

bool
rot_kv_is_handed_over(const struct rot_kv *kv)
{
	return kv->self.handed_over;
}

int
rot_kv_reread(struct rot_kv *kv, struct seal_err *err)
{
	return kv->engine->reread != NULL ? kv->engine->reread(kv->state, err) : 0;
}

int
rot_kv_ping(struct rot_kv *kv, struct seal_err *err)
{
	return kv->engine->ping(kv->state, err);
}

static void
set_self(struct rot_kv *kv, const struct self *self)
{
	const char *holder = kv->engine->holder(kv->state);

	kv->self = *self;
	(void)snprintf(kv->id, sizeof(kv->id), "%s%s%s", self->id, holder[0] != '\0' ? "@" : "",
		       holder);
}

struct rot_db *
rot_kv_db(struct rot_kv *kv)
{
	return kv->engine->db(kv->state);
}

/* ---- What a store says of itself ---- */

static int
name_it(struct self *self, struct seal_err *err)
{
	uint8_t raw[ROT_KV_ID_LEN / 2];
	int r = seal_random(raw, sizeof(raw), err);

	if (r == 0)
		seal_hex_encode(self->id, raw, sizeof(raw));
	return r;
}

static int
write_self(struct rot_kv *kv, const struct self *self, bool add, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SELF_MAX);
	int r;

	seal_json_set_u64(record, "form", ROT_KV_FORM);
	seal_json_set_str(record, "id", self->id);
	if (self->filling)
		seal_json_set_bool(record, "filling", true);
	if (self->origin[0] != '\0')
		seal_json_set_str(record, "origin", self->origin);
	if (self->moved_to[0] != '\0')
		seal_json_set_str(record, "moved_to", self->moved_to);
	if (self->handed_over)
		seal_json_set_bool(record, "handed_over", true);
	r = seal_json_dump(record, false, &text, err);
	if (r == 0)
		r = put(kv, ROT_KV_SELF, text.data, text.len, add, err);
	return r;
}

static int
copy_member(const struct seal_json *record, const char *name, char *out, size_t size)
{
	const char *text = NULL;

	if (!seal_json_has(record, name))
		return 0;
	if (seal_json_get_str(record, name, &text, NULL) < 0 || strlen(text) >= size)
		return SEAL_E_FORMAT;
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int
parse_self(const struct seal_json *record, struct self *self)
{
	static const char *const members[] = { "form",     "id",          "filling", "origin",
					       "moved_to", "handed_over", NULL };
	int r = seal_json_only(record, members, NULL);

	if (r == 0)
		r = copy_member(record, "id", self->id, sizeof(self->id));
	if (r == 0 && strlen(self->id) != ROT_KV_ID_LEN)
		r = SEAL_E_FORMAT;
	if (r == 0)
		r = copy_member(record, "origin", self->origin, sizeof(self->origin));
	if (r == 0)
		r = copy_member(record, "moved_to", self->moved_to, sizeof(self->moved_to));
	if (r == 0 && seal_json_has(record, "filling"))
		r = seal_json_get_bool(record, "filling", &self->filling, NULL);
	if (r == 0 && seal_json_has(record, "handed_over"))
		r = seal_json_get_bool(record, "handed_over", &self->handed_over, NULL);
	return r;
}

static int
read_self(struct rot_kv *kv, struct self *self, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SELF_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	uint64_t form = 0;
	int r;

	r = get(kv, ROT_KV_SELF, &text, err);
	if (r == SEAL_E_MISSING)
		return seal_fail(err, r, "there is no store: make one with seal init");
	if (r < 0)
		return r;
	r = seal_json_parse(&record, text.data, text.len, SELF_MAX, err);
	if (r == 0)
		r = seal_json_get_u64(record, "form", INT64_MAX, &form, err);
	if (r == 0 && form > ROT_KV_FORM)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was written by a newer seal-rot (form %" PRIu64
				 ", this one knows %d): upgrade this seal-rot",
				 form, ROT_KV_FORM);
	if (r == 0)
		r = parse_self(record, self);
	if (r < 0 || form != ROT_KV_FORM)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store is damaged: it does not know itself");
	return 0;
}

/* May it be opened? */
static int
judge_self(const struct rot_kv *kv, const struct self *self, struct seal_err *err)
{
	if (self->filling)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was never filled: a restore or a migration was "
				 "interrupted, run it again (from %s)",
				 self->origin);
	if (self->moved_to[0] != '\0' && !kv->moved)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was moved to %s: serve that one; if seal store migrate "
				 "was interrupted, run it again",
				 self->moved_to);
	return 0;
}

/* Make the file of an earlier version ours, in one transaction. */
static int
adopt(struct rot_kv *kv, uint64_t version, struct seal_err *err)
{
	int r;

	kv->fresh = true;
	r = rot_kv_begin(kv, err);
	if (r == 0)
		r = kv->adopt(kv, rot_kv_db(kv), version, err);
	if (r == 0)
		r = rot_kv_commit(kv, err);
	rot_kv_rollback(kv);
	return r < 0 ? seal_note(err, r, "upgrade from schema %" PRIu64, version) : 0;
}

static int
load(struct rot_kv *kv, struct seal_err *err)
{
	struct self self = { .filling = false };
	uint64_t version = kv->engine->older(kv->state);
	int r;

	if (version != 0 && (kv->adopt == NULL || kv->reader))
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was written by an older seal-rot (schema %" PRIu64
				 "): serve it once to upgrade it",
				 version);
	if (version != 0)
		return adopt(kv, version, err);
	r = rot_kv_begin(kv, err);
	if (r == 0)
		r = read_self(kv, &self, err);
	rot_kv_rollback(kv);
	if (r == 0)
		r = judge_self(kv, &self, err);
	if (r == 0)
		set_self(kv, &self);
	return r;
}

/* ---- Filling and moving ---- */

#define EMPTY_STEP 100 /* below what etcd takes at once */

static int
fail_full(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	(void)arg;
	(void)key;
	(void)value;
	(void)len;
	return seal_fail(err, SEAL_E_CONFLICT, "it holds something that is no store");
}

/* Take the place, from nobody or from whoever has left it unfilled. */
static int
take_place(struct rot_kv *kv, struct self *self, struct seal_err *err)
{
	const struct rot_kv_range any = { .limit = 1, .keys_only = true };
	struct self before = { .filling = false };
	struct seal_err why = { 0 };
	int r;

	r = rot_kv_begin(kv, err);
	if (r < 0)
		return r;
	r = read_self(kv, &before, &why);
	if (r == 0 && !before.filling)
		return seal_fail(err, SEAL_E_CONFLICT, "it holds a store already");
	if (r < 0 && r != SEAL_E_MISSING)
		return seal_fail(err, r, "%s", why.text);
	if (r == SEAL_E_MISSING)
		r = rot_kv_each(kv, &any, fail_full, NULL, err);
	if (r == 0)
		r = write_self(kv, self, false, err);
	return r < 0 ? r : rot_kv_commit(kv, err);
}

struct found {
	char keys[EMPTY_STEP][ROT_KV_KEY_MAX + 1];
	size_t count;
};

static int
note_found(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct found *found = arg;

	(void)value;
	(void)len;
	(void)err;
	memcpy(found->keys[found->count++], key, strlen(key) + 1);
	return 0;
}

/* What an earlier attempt has left, one step of it: 1 when there may be more. */
static int
empty_step(struct rot_kv *kv, struct found *found, struct seal_err *err)
{
	const struct rot_kv_range some = { .limit = EMPTY_STEP, .keys_only = true, .loose = true };
	int r = rot_kv_begin(kv, err);

	found->count = 0;
	if (r == 0)
		r = rot_kv_each(kv, &some, note_found, found, err);
	for (size_t i = 0; r == 0 && i < found->count; i++)
		r = rot_kv_delete(kv, found->keys[i], err);
	if (r == 0)
		r = rot_kv_commit(kv, err);
	rot_kv_rollback(kv);
	return r < 0 ? r : found->count > 0;
}

int
rot_kv_fill(struct rot_kv **ret_kv, const struct rot_kv_config *config, const char *origin,
	    struct seal_err *err)
{
	SEAL_SCOPED(rot_kv_closep) struct rot_kv *kv = NULL;
	struct self self = { .filling = true };
	struct found *found;
	int r;

	r = open_as(&kv, config, ROT_KV_FILL, err);
	if (r == 0)
		r = name_it(&self, err);
	if (r < 0)
		return r;
	(void)snprintf(self.origin, sizeof(self.origin), "%s", origin);
	r = take_place(kv, &self, err);
	rot_kv_rollback(kv);
	if (r < 0)
		return r;
	set_self(kv, &self);
	found = malloc(sizeof(*found));
	if (found == NULL)
		return seal_fail_memory(err);
	do
		r = empty_step(kv, found, err);
	while (r == 1);
	free(found);
	if (r == 0)
		*ret_kv = SEAL_TAKE(kv);
	return r;
}

static int
change_self(struct rot_kv *kv, const struct self *self, struct seal_err *err)
{
	int r = rot_kv_begin(kv, err);

	if (r == 0)
		r = write_self(kv, self, false, err);
	if (r == 0)
		r = rot_kv_commit(kv, err);
	rot_kv_rollback(kv);
	if (r == 0)
		set_self(kv, self);
	return r;
}

int
rot_kv_filled(struct rot_kv *kv, struct seal_err *err)
{
	struct self self = kv->self;

	self.filling = false;
	return change_self(kv, &self, err);
}

int
rot_kv_move(struct rot_kv *kv, const char *to, struct seal_err *err)
{
	struct self self = kv->self;

	if (self.handed_over && (to == NULL || strcmp(to, self.moved_to) != 0))
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was handed over to %s: run the migration again to "
				 "finish it",
				 self.moved_to);
	(void)snprintf(self.moved_to, sizeof(self.moved_to), "%s", to != NULL ? to : "");
	return change_self(kv, &self, err);
}

int
rot_kv_hand_over(struct rot_kv *kv, struct seal_err *err)
{
	struct self self = { .filling = false };
	int r = rot_kv_begin(kv, err);

	if (r == 0)
		r = read_self(kv, &self, err);
	rot_kv_rollback(kv);
	if (r < 0)
		return r;
	if (self.moved_to[0] == '\0' || strcmp(self.moved_to, kv->self.moved_to) != 0)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was taken back meanwhile: it is served where it was");
	self.handed_over = true;
	return change_self(kv, &self, err);
}

int
rot_kv_shut_out(struct rot_kv *kv, struct seal_err *err)
{
	int r = check_open(kv, err);

	return r < 0 ? r : write_self(kv, &kv->self, false, err);
}

/* ---- Transactions ---- */

static int
create(struct rot_kv *kv, struct seal_err *err)
{
	struct self self = { .filling = false };
	int r = kv->engine->create(kv->state, err);

	if (r == 0)
		r = name_it(&self, err);
	if (r == 0)
		r = write_self(kv, &self, true, err);
	if (r == 0)
		set_self(kv, &self);
	return r;
}

int
rot_kv_begin(struct rot_kv *kv, struct seal_err *err)
{
	int r;

	if (kv->open)
		return seal_fail(err, SEAL_E_BUG, "a transaction within a transaction");
	r = kv->engine->begin(kv->state, err);
	if (r < 0)
		return r;
	kv->open = true;
	kv->marks = 0;
	if (kv->fresh)
		r = create(kv, err);
	if (r < 0)
		rot_kv_rollback(kv);
	return r;
}

/* Also after a failure that has ended it from below: nothing may then be written outside of one. */
static int
check_open(const struct rot_kv *kv, struct seal_err *err)
{
	if (!kv->open)
		return seal_fail(err, SEAL_E_BUG, "the store is used outside of a transaction");
	if (!kv->engine->is_open(kv->state))
		return seal_fail(err, SEAL_E_SYSTEM, "the store has given up this transaction");
	return 0;
}

int
rot_kv_commit(struct rot_kv *kv, struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0 && kv->reader)
		r = seal_fail(err, SEAL_E_BUG, "the store was opened to be read");
	if (r == 0)
		r = kv->engine->commit(kv->state, err);
	if (r < 0) {
		rot_kv_rollback(kv);
		return r;
	}
	kv->open = false;
	kv->fresh = false;
	return 0;
}

void
rot_kv_rollback(struct rot_kv *kv)
{
	if (!kv->open)
		return;
	kv->engine->rollback(kv->state);
	kv->open = false;
}

bool
rot_kv_is_open(const struct rot_kv *kv)
{
	return kv->open;
}

uint64_t
rot_kv_room(const struct rot_kv *kv)
{
	return kv->engine->room(kv->state);
}

int
rot_kv_mark(struct rot_kv *kv, uint64_t *ret_mark, struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0 && kv->marks == ROT_KV_MARKS_MAX)
		r = seal_fail(err, SEAL_E_BUG, "more than %d marks", ROT_KV_MARKS_MAX);
	if (r == 0)
		r = kv->engine->mark(kv->state, kv->marks + 1, err);
	if (r < 0)
		return r;
	*ret_mark = ++kv->marks;
	return 0;
}

static int
end_mark(struct rot_kv *kv, uint64_t mark,
	 int (*how)(void *state, uint64_t mark, struct seal_err *err), struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0 && (mark == 0 || mark > kv->marks))
		r = seal_fail(err, SEAL_E_BUG, "a mark that has ended");
	if (r == 0)
		r = how(kv->state, mark, err);
	if (r == 0)
		kv->marks = mark - 1;
	return r;
}

int
rot_kv_undo(struct rot_kv *kv, uint64_t mark, struct seal_err *err)
{
	return end_mark(kv, mark, kv->engine->undo, err);
}

int
rot_kv_keep(struct rot_kv *kv, uint64_t mark, struct seal_err *err)
{
	return end_mark(kv, mark, kv->engine->keep, err);
}

/* ---- Keys and values ---- */

static int
check_key(const char *key, struct seal_err *err)
{
	size_t len = strlen(key);

	if (len == 0 || len > ROT_KV_KEY_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "a key of the store has 1 to %u letters",
				 ROT_KV_KEY_MAX);
	if (key[0] == '!')
		return seal_fail(err, SEAL_E_BUG, "a key of the store's own");
	for (size_t i = 0; i < len; i++) {
		if (key[i] <= ' ' || key[i] > '~')
			return seal_fail(err, SEAL_E_FORMAT,
					 "a key of the store is printable and without blanks");
	}
	return 0;
}

static int
fail_damaged(const char *key, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_SYSTEM, "the store is damaged, restore a backup: '%s'", key);
}

/* The checksum of what lies in scratch behind the room for it: the value. */
static int
sum(struct seal_bytes *scratch, const char *key, uint8_t ret_sum[static ROT_KV_SUM_LEN],
    struct seal_err *err)
{
	struct seal_writer writer = { .out = scratch };
	uint8_t hash[SEAL_HASH_LEN];
	size_t len = scratch->len;
	int r;

	r = seal_bytes_append(scratch, key, strlen(key), err);
	if (r < 0)
		return r;
	seal_put_u32(&writer, (uint32_t)strlen(key));
	r = seal_put_done(&writer, err);
	if (r == 0)
		r = seal_sha256(hash, scratch->data + ROT_KV_SUM_LEN, scratch->len - ROT_KV_SUM_LEN,
				err);
	if (r < 0)
		return r;
	memcpy(ret_sum, hash, ROT_KV_SUM_LEN);
	scratch->len = len;
	return 0;
}

/* Leave the stored form of a value in scratch. */
static int
wrap(struct seal_bytes *scratch, const char *key, const void *value, size_t len,
     struct seal_err *err)
{
	static const uint8_t room[ROT_KV_SUM_LEN];
	uint8_t digest[ROT_KV_SUM_LEN];
	int r;

	seal_bytes_reset(scratch);
	r = seal_bytes_append(scratch, room, sizeof(room), err);
	if (r == 0)
		r = seal_bytes_append(scratch, value, len, err);
	if (r == 0)
		r = sum(scratch, key, digest, err);
	if (r == 0)
		memcpy(scratch->data, digest, sizeof(digest));
	return r;
}

int
rot_kv_wrap(struct seal_bytes *out, const char *key, const void *value, size_t len,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes scratch = SEAL_BYTES(SCRATCH_MAX);
	int r = wrap(&scratch, key, value, len, err);

	return r < 0 ? r : seal_bytes_append(out, scratch.data, scratch.len, err);
}

/* Is what lies in scratch the stored form of a value of this key? */
static int
verify(struct seal_bytes *scratch, const char *key, struct seal_err *err)
{
	uint8_t digest[ROT_KV_SUM_LEN];
	int r;

	if (scratch->len < ROT_KV_SUM_LEN || scratch->len > ROT_KV_STORED_MAX)
		return fail_damaged(key, err);
	r = sum(scratch, key, digest, err);
	if (r < 0)
		return r;
	return memcmp(digest, scratch->data, sizeof(digest)) == 0 ? 0 : fail_damaged(key, err);
}

static int
get_by(struct rot_kv *kv, const char *key, struct seal_bytes *value,
       int (*how)(void *state, const char *key, struct seal_bytes *stored, struct seal_err *err),
       struct seal_err *err)
{
	int r;

	seal_bytes_reset(&kv->scratch);
	r = how(kv->state, key, &kv->scratch, err);
	if (r == SEAL_E_LIMIT)
		return fail_damaged(key, err);
	if (r == 0)
		r = verify(&kv->scratch, key, err);
	if (r < 0)
		return r;
	return seal_bytes_append(value, kv->scratch.data + ROT_KV_SUM_LEN,
				 kv->scratch.len - ROT_KV_SUM_LEN, err);
}

static int
get(struct rot_kv *kv, const char *key, struct seal_bytes *value, struct seal_err *err)
{
	return get_by(kv, key, value, kv->engine->get, err);
}

int
rot_kv_get(struct rot_kv *kv, const char *key, struct seal_bytes *value, struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0)
		r = check_key(key, err);
	return r < 0 ? r : get(kv, key, value, err);
}

int
rot_kv_get_newest(struct rot_kv *kv, const char *key, struct seal_bytes *value,
		  struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0)
		r = check_key(key, err);
	return r < 0 ? r : get_by(kv, key, value, kv->engine->get_newest, err);
}

static int
put(struct rot_kv *kv, const char *key, const void *value, size_t len, bool add,
    struct seal_err *err)
{
	int r = wrap(&kv->scratch, key, value, len, err);

	if (r < 0)
		return r;
	return kv->engine->put(kv->state, key, kv->scratch.data, kv->scratch.len, add, err);
}

static int
check_put(struct rot_kv *kv, const char *key, size_t len, struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0)
		r = check_key(key, err);
	if (r == 0 && len > ROT_KV_VALUE_MAX)
		r = seal_fail(err, SEAL_E_LIMIT, "a value of the store has at most %u bytes: '%s'",
			      ROT_KV_VALUE_MAX, key);
	return r;
}

int
rot_kv_put(struct rot_kv *kv, const char *key, const void *value, size_t len, struct seal_err *err)
{
	int r = check_put(kv, key, len, err);

	return r < 0 ? r : put(kv, key, value, len, false, err);
}

int
rot_kv_add(struct rot_kv *kv, const char *key, const void *value, size_t len, struct seal_err *err)
{
	int r = check_put(kv, key, len, err);

	return r < 0 ? r : put(kv, key, value, len, true, err);
}

int
rot_kv_delete(struct rot_kv *kv, const char *key, struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r == 0)
		r = check_key(key, err);
	return r < 0 ? r : kv->engine->delete (kv->state, key, err);
}

/* ---- Ranges ---- */

struct walk {
	struct rot_kv *kv;
	const struct rot_kv_range *range; /* with bounds */
	rot_kv_fn fn;
	void *arg;
	char last[ROT_KV_KEY_MAX + 1];
};

/* A damaged index may hand out keys twice, in disorder, or from elsewhere. */
static int
check_order(struct walk *walk, const char *key, struct seal_err *err)
{
	int order = walk->last[0] != '\0' ? strcmp(key, walk->last) : 0;

	if (check_key(key, NULL) < 0 || strcmp(key, walk->range->from) < 0 ||
	    strcmp(key, walk->range->to) >= 0 ||
	    (walk->last[0] != '\0' && (walk->range->backwards ? order >= 0 : order <= 0)))
		return fail_damaged(walk->range->from, err);
	memcpy(walk->last, key, strlen(key) + 1);
	return 0;
}

static int
step(void *arg, const char *key, const void *stored, size_t len, struct seal_err *err)
{
	struct walk *walk = arg;
	struct seal_bytes *scratch = &walk->kv->scratch;
	int r = check_order(walk, key, err);

	if (r < 0)
		return r;
	if (walk->range->keys_only)
		return walk->fn(walk->arg, key, "", 0, err);
	seal_bytes_reset(scratch);
	if (len > ROT_KV_STORED_MAX)
		return fail_damaged(key, err);
	r = seal_bytes_append(scratch, stored, len, err);
	if (r == 0)
		r = verify(scratch, key, err);
	if (r < 0)
		return r;
	return walk->fn(walk->arg, key, (const uint8_t *)stored + ROT_KV_SUM_LEN,
			len - ROT_KV_SUM_LEN, err);
}

int
rot_kv_each(struct rot_kv *kv, const struct rot_kv_range *range, rot_kv_fn fn, void *arg,
	    struct seal_err *err)
{
	struct rot_kv_range bound = *range;
	struct walk walk = { .kv = kv, .range = &bound, .fn = fn, .arg = arg };
	int r = check_open(kv, err);

	if (r < 0)
		return r;
	if (range->from == NULL || strcmp(range->from, ROT_KV_FIRST) < 0)
		bound.from = ROT_KV_FIRST;
	if (range->to == NULL)
		bound.to = ROT_KV_LAST;
	if (strcmp(bound.from, bound.to) >= 0)
		return 0;
	return kv->engine->each(kv->state, &bound, step, &walk, err);
}

int
rot_kv_count(struct rot_kv *kv, const char *from, const char *to, uint64_t *ret_count,
	     struct seal_err *err)
{
	int r = check_open(kv, err);

	if (r < 0)
		return r;
	if (from == NULL || strcmp(from, ROT_KV_FIRST) < 0)
		from = ROT_KV_FIRST;
	if (to == NULL)
		to = ROT_KV_LAST;
	if (strcmp(from, to) < 0)
		return kv->engine->count(kv->state, from, to, ret_count, err);
	*ret_count = 0;
	return 0;
}

/* ---- The whole ---- */

static int
count_one(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	uint64_t *count = arg;

	(void)key;
	(void)value;
	(void)len;
	(void)err;
	++*count;
	return 0;
}

int
rot_kv_check(struct rot_kv *kv, uint64_t *ret_keys, struct seal_err *err)
{
	const struct rot_kv_range all = { 0 };
	struct self self = { .filling = false };
	uint64_t count = 0;
	int r;

	r = kv->engine->check(kv->state, err);
	if (r == 0)
		r = rot_kv_begin(kv, err);
	if (r < 0)
		return r;
	r = read_self(kv, &self, err);
	if (r == 0)
		r = rot_kv_each(kv, &all, count_one, &count, err);
	rot_kv_rollback(kv);
	if (r == 0)
		*ret_keys = count;
	return r;
}
