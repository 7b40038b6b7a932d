/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's frame: transactions, what holds for the whole root of trust, and CAs.  Workloads with their pairs,
 * eggs, certificates, and roots with the objects sealed with their keys are in files of their own.  Holds no secret:
 * keys come and go wrapped.
 */

#include <inttypes.h>

#include "base/crypto/crypto.h"
#include "rot/server/store_internal.h"

#define META_KEY   "meta"
#define CHANGE_KEY "change"
#define MAX_URLS   64

/* Overtaken so often in a row, a call of its own gives up: that is a matter of seconds. */
#define MAX_TURNS 100
#define PAUSE_MS  8

void
rot_meta_release(struct rot_meta *meta)
{
	seal_strv_release(&meta->urls);
	seal_bytes_release(&meta->statement_key);
	memset(meta, 0, sizeof(*meta));
}

/* ---- Opening ---- */

static int
new_store(struct rot_store **ret_store, const struct rot_kv_config *config, bool create,
	  struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = calloc(1, sizeof(*store));
	struct rot_kv_config adopting = *config;
	int r;

	if (store == NULL)
		return seal_fail_memory(err);
	adopting.adopt = rot_store_adopt;
	r = rot_kv_open(&store->kv, &adopting, create, err);
	if (r < 0)
		return r;
	*ret_store = SEAL_TAKE(store);
	return 0;
}

struct fresh {
	const struct rot_meta *meta;
	const struct rot_ca *system_ca;
	const struct rot_operator *admin;
	const struct rot_kek_scheme *scheme; /* NULL: a key */
};

static int
fill(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct fresh *fresh = arg;
	struct rot_kek_state state = { .is_changing = false };
	int r = rot_store_put_meta(store, fresh->meta, err);

	if (r == 0)
		r = rot_store_put_ca(store, fresh->system_ca, fresh->meta->created_at, err);
	if (r == 0 && fresh->admin != NULL)
		r = rot_store_put_operator(store, fresh->admin, err);
	if (r < 0 || fresh->scheme == NULL)
		return r;
	state.scheme = *fresh->scheme;
	return rot_store_put_kek(store, &state, err);
}

int
rot_store_create(const struct rot_kv_config *config, const struct rot_meta *meta,
		 const struct rot_ca *system_ca, const struct rot_operator *admin,
		 struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	struct fresh fresh = { .meta = meta, .system_ca = system_ca, .admin = admin };
	int r = new_store(&store, config, true, err);

	return r < 0 ? r : rot_store_change(store, fill, &fresh, err);
}

int
rot_store_begin_new(struct rot_store **ret_store, const struct rot_kv_config *config,
		    const struct rot_meta *meta, const struct rot_ca *system_ca,
		    const struct rot_operator *admin, const struct rot_kek_scheme *scheme,
		    struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = calloc(1, sizeof(*store));
	struct fresh fresh = {
		.meta = meta, .system_ca = system_ca, .admin = admin, .scheme = scheme
	};
	int r;

	if (store == NULL)
		return seal_fail_memory(err);
	r = rot_kv_fill(&store->kv, config, "seal init", err);
	if (r == 0)
		r = rot_store_change(store, fill, &fresh, err);
	if (r < 0)
		return r;
	*ret_store = SEAL_TAKE(store);
	return 0;
}

int
rot_store_filled(struct rot_store *store, struct seal_err *err)
{
	return rot_kv_filled(store->kv, err);
}

int
rot_store_open_rekey(struct rot_store **ret_store, const struct rot_kv_config *config,
		     struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	int r;

	r = new_store(&store, config, false, err);
	if (r == 0)
		r = rot_store_meta(store, &meta, err); /* is it of our schema? */
	if (r < 0)
		return r;
	*ret_store = SEAL_TAKE(store);
	return 0;
}

int
rot_store_open(struct rot_store **ret_store, const struct rot_kv_config *config,
	       struct seal_err *err)
{
	SEAL_SCOPED(rot_store_closep) struct rot_store *store = NULL;
	struct rot_kek_scheme scheme = ROT_KEK_SCHEME;
	int r = rot_store_open_rekey(&store, config, err);

	if (r == 0)
		r = rot_store_kek(store, &scheme, err); /* is its key being changed? */
	if (r < 0)
		return r;
	*ret_store = SEAL_TAKE(store);
	return 0;
}

void
rot_store_close(struct rot_store *store)
{
	if (store == NULL)
		return;
	rot_kv_close(store->kv);
	free(store->pending.items);
	free(store);
}

void
rot_store_closep(struct rot_store **store)
{
	rot_store_close(*store);
	*store = NULL;
}

int
rot_store_reread(struct rot_store *store, struct seal_err *err)
{
	return rot_kv_reread(store->kv, err);
}

int
rot_store_ping(struct rot_store *store, struct seal_err *err)
{
	return rot_kv_ping(store->kv, err);
}

const char *
rot_store_id(const struct rot_store *store)
{
	return rot_kv_id(store->kv);
}

/* ---- Transactions ---- */

int
rot_store_begin(struct rot_store *store, struct seal_err *err)
{
	store->pending.count = 0;
	return rot_kv_begin(store->kv, err);
}

/* What cannot be told in the audit log is not done. */
int
rot_store_commit(struct rot_store *store, struct seal_err *err)
{
	size_t count = store->pending.count;
	int r = rot_pending_write(store, err);

	if (r == 0)
		r = rot_kv_commit(store->kv, err);
	if (r == 0)
		store->written += count;
	else
		rot_kv_rollback(store->kv);
	store->pending.count = 0;
	return r;
}

void
rot_store_rollback(struct rot_store *store)
{
	store->pending.count = 0;
	rot_kv_rollback(store->kv);
}

int
rot_store_mark(struct rot_store *store, uint64_t *ret_mark, struct seal_err *err)
{
	int r = rot_kv_mark(store->kv, ret_mark, err);

	if (r == 0)
		store->pending.at_mark[*ret_mark] = store->pending.count;
	return r;
}

/* Of a mark that could not be ended nobody knows what is left of it: nothing of the batch may be. */
int
rot_store_keep(struct rot_store *store, uint64_t mark, struct seal_err *err)
{
	int r = rot_kv_keep(store->kv, mark, err);

	if (r < 0)
		rot_store_rollback(store);
	return r;
}

int
rot_store_undo(struct rot_store *store, uint64_t mark, struct seal_err *err)
{
	int r = rot_kv_undo(store->kv, mark, err);

	if (r < 0)
		rot_store_rollback(store);
	else
		store->pending.count = store->pending.at_mark[mark];
	return r;
}

uint64_t
rot_store_room(const struct rot_store *store)
{
	uint64_t room = rot_kv_room(store->kv);
	size_t taken = rot_pending_room(store);

	return room > taken ? room - taken : 0;
}

/* Within a batch: a change that fails leaves nothing of itself in it. */
static int
change_within(struct rot_store *store, rot_change_fn change, void *arg, struct seal_err *err)
{
	uint64_t mark = 0;
	int r = rot_store_mark(store, &mark, err);

	if (r < 0)
		return r;
	r = change(store, arg, err);
	if (r == 0)
		return rot_store_keep(store, mark, err);
	(void)!rot_store_undo(store, mark, NULL); /* or the batch fails when it is committed */
	return r;
}

static void
pause_a_little(unsigned turn)
{
	struct timespec time = { 0 };
	uint8_t dice = 0;

	if (seal_random(&dice, sizeof(dice), NULL) < 0)
		dice = 128;
	time.tv_nsec = (long)(1 + dice % (turn < PAUSE_MS ? turn + 1 : PAUSE_MS)) * 1000000;
	(void)nanosleep(&time, NULL); /* a signal ends it early: as good */
}

int
rot_store_change(struct rot_store *store, rot_change_fn change, void *arg, struct seal_err *err)
{
	int r = SEAL_E_CONFLICT;

	if (rot_kv_is_open(store->kv))
		return change_within(store, change, arg, err);
	for (unsigned turn = 0; turn < MAX_TURNS; turn++) {
		r = rot_store_begin(store, err);
		if (r == 0)
			r = change(store, arg, err);
		if (r < 0) {
			rot_store_rollback(store);
			return r;
		}
		r = rot_store_commit(store, err);
		if (r != SEAL_E_CONFLICT)
			return r;
		pause_a_little(turn);
	}
	return seal_fail(err, SEAL_E_TIMEOUT,
			 "others change the same in the store again and again: try later");
}

int
rot_store_look(struct rot_store *store, rot_change_fn look, void *arg, struct seal_err *err)
{
	int r;

	if (rot_kv_is_open(store->kv))
		return look(store, arg, err);
	r = rot_kv_begin(store->kv, err);
	if (r < 0)
		return r;
	r = look(store, arg, err);
	rot_kv_rollback(store->kv);
	return r;
}

/* ---- The word for "something is new" ---- */

/* Random, not a counter: nobody has to read it to change it, so nobody is overtaken. */
int
rot_store_touch(struct rot_store *store, struct seal_err *err)
{
	uint8_t raw[ROT_STORE_WORD_LEN / 2];
	char word[ROT_STORE_WORD_LEN + 1];
	int r = seal_random(raw, sizeof(raw), err);

	if (r < 0)
		return r;
	seal_hex_encode(word, raw, sizeof(raw));
	return rot_kv_put(store->kv, CHANGE_KEY, word, ROT_STORE_WORD_LEN, err);
}

static int
read_word(struct rot_store *store, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_KV_VALUE_MAX);
	int r = rot_kv_get(store->kv, CHANGE_KEY, &text, err);

	if (r < 0 && r != SEAL_E_MISSING)
		return r;
	if (r == 0 && text.len != ROT_STORE_WORD_LEN)
		return rot_fail_damaged(CHANGE_KEY, err);
	memcpy(arg, seal_bytes_str(&text), text.len + 1);
	return 0;
}

int
rot_store_word(struct rot_store *store, char ret_word[static ROT_STORE_WORD_LEN + 1],
	       struct seal_err *err)
{
	return rot_store_look(store, read_word, ret_word, err);
}

/* ---- What holds for the whole ---- */

int
rot_store_put_meta(struct rot_store *store, const struct rot_meta *meta, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_u64(record, "schema", ROT_STORE_SCHEMA);
	seal_json_set_str(record, "trust_domain", meta->trust_domain);
	seal_json_set_strv(record, "urls", &meta->urls);
	seal_json_set_i64(record, "created_at", meta->created_at);
	rot_set_bytes(record, "statement_key", meta->statement_key.data, meta->statement_key.len);
	return rot_record_put(store, META_KEY, record, ROT_RECORD_ADD, err);
}

static int
check_schema(const struct seal_json *record, struct seal_err *err)
{
	uint64_t schema = 0;

	if (seal_json_get_u64(record, "schema", INT64_MAX, &schema, NULL) < 0 ||
	    schema < ROT_STORE_SCHEMA)
		return rot_fail_damaged(META_KEY, err);
	if (schema > ROT_STORE_SCHEMA)
		return seal_fail(err, SEAL_E_REFUSED,
				 "the store was written by a newer seal-rot (schema %" PRIu64
				 ", this one knows %d): upgrade this seal-rot",
				 schema, ROT_STORE_SCHEMA);
	return 0;
}

static int
read_meta(struct rot_store *store, void *arg, struct seal_err *err)
{
	static const char *const members[] = { "schema",     "trust_domain",  "urls",
					       "created_at", "statement_key", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_meta_release) struct rot_meta meta = { 0 };
	struct rot_meta *ret_meta = arg;
	struct rot_fields fields = { .key = META_KEY };
	int r;

	r = rot_record_get(store, META_KEY, &record, err);
	if (r == SEAL_E_MISSING)
		return rot_fail_damaged(META_KEY, err);
	if (r == 0)
		r = check_schema(record, err);
	if (r < 0)
		return r;
	fields.record = record;
	seal_bytes_init(&meta.statement_key, ROT_BLOB_MAX);
	rot_field_text(&fields, "trust_domain", meta.trust_domain, sizeof(meta.trust_domain));
	rot_field_strv(&fields, "urls", MAX_URLS, &meta.urls);
	rot_field_time(&fields, "created_at", &meta.created_at);
	rot_field_bytes(&fields, "statement_key", &meta.statement_key);
	r = rot_fields_done(&fields, members, err);
	if (r == 0 && seal_trust_domain_check(meta.trust_domain, NULL) < 0)
		r = rot_fail_damaged(META_KEY, err);
	if (r < 0)
		return r;
	*ret_meta = meta;
	memset(&meta, 0, sizeof(meta)); /* the caller owns it now */
	return 0;
}

int
rot_store_meta(struct rot_store *store, struct rot_meta *ret_meta, struct seal_err *err)
{
	return rot_store_look(store, read_meta, ret_meta, err);
}

/* ---- Totals ---- */

struct totals_look {
	int64_t now;
	struct rot_totals totals;
};

/* Revoked certificates are few, and under their workloads. */
static int
take_revoked(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	struct totals_look *look = arg;
	const char *rest = NULL, *slash = strchr(key + strlen("revoked/"), '/');
	int64_t end = 0;

	(void)value;
	(void)len;
	if (slash == NULL || !rot_path_parts(slash + 1, "", &end, &rest))
		return rot_fail_damaged(key, err);
	if (end > look->now && look->totals.certificates > 0)
		look->totals.certificates--;
	return 0;
}

static int
count_all(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct totals_look *look = arg;
	const struct rot_path egg =
		rot_path("egg-live/" ROT_TIME "/", rot_path_time(look->now + 1));
	const struct rot_path cert =
		rot_path("cert-end/" ROT_TIME "/", rot_path_time(look->now + 1));
	const struct rot_kv_range revoked = {
		.from = "revoked/", .to = "revoked0", .keys_only = true, .loose = true
	};
	int r;

	r = rot_kv_count(store->kv, "workload/", "workload0", &look->totals.workloads, err);
	if (r == 0)
		r = rot_kv_count(store->kv, egg.text, "egg-live0", &look->totals.eggs, err);
	if (r == 0)
		r = rot_kv_count(store->kv, cert.text, "cert-end0", &look->totals.certificates,
				 err);
	if (r == 0)
		r = rot_kv_each(store->kv, &revoked, take_revoked, look, err);
	return r;
}

int
rot_store_totals(struct rot_store *store, int64_t now, struct rot_totals *ret_totals,
		 struct seal_err *err)
{
	struct totals_look look = { .now = now };
	int r = rot_store_look(store, count_all, &look, err);

	if (r == 0)
		*ret_totals = look.totals;
	return r;
}
