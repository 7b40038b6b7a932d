/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log as the store keeps it.  Entries of a transaction gather in memory and are numbered and written
 * when it is committed, in it: so there is no change without its entry, no entry without its change, and the log's
 * end, which all changes contend for, is read once for each transaction, last of all.
 *
 *   audit-key         the log's id, and its key, wrapped
 *   audit-tree        the roots of the complete subtrees (rot/audit/tree.h)
 *   audit/N           an entry, as the bytes it was hashed as
 *   audit-head/SIZE   a head that was signed
 *
 * What is there is never changed; nothing here deletes it.
 */

#include <inttypes.h>

#include "rot/server/store_internal.h"

#define KEY_KEY      "audit-key"
#define TREE_KEY     ROT_AUDIT_TREE_KEY
#define ENTRY_PREFIX "audit/"
#define ENTRY_END    "audit0"
#define HEAD_PREFIX  "audit-head/"
#define HEAD_END     "audit-head0"
#define NUMBER_LEN   16
#define NUMBER       "%016" PRIx64

/* In one transaction; far beyond what a batch makes. */
#define PENDING_MAX 65536u
/* Reading the tree and writing it. */
#define TREE_ROOM 2

void
rot_audit_log_release(struct rot_audit_log *log)
{
	seal_bytes_release(&log->key);
	memset(log, 0, sizeof(*log));
}

/* ---- Id and key ---- */

int
rot_audit_log_new(struct rot_signer *signer, struct rot_audit_log *ret_log, struct seal_err *err)
{
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	uint8_t raw[SEAL_ID_LEN / 2];
	int r = seal_random(raw, sizeof(raw), err);

	if (r < 0)
		return r;
	seal_hex_encode(log.id, raw, sizeof(raw));
	seal_bytes_init(&log.key, 4096);
	r = rot_signer_new_audit_key(signer, log.id, &log.key, err);
	if (r < 0)
		return r;
	*ret_log = log;
	memset(&log, 0, sizeof(log)); /* the caller owns it now */
	return 0;
}

static int
put_log(struct rot_store *store, const struct rot_audit_log *log, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = seal_json_new();

	seal_json_set_str(record, "log", log->id);
	rot_set_bytes(record, "key", log->key.data, log->key.len);
	return rot_record_put(store, KEY_KEY, record, ROT_RECORD_PUT, err);
}

static int
read_log(struct rot_store *store, void *arg, struct seal_err *err)
{
	static const char *const members[] = { "log", "key", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *record = NULL;
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	struct rot_audit_log *ret_log = arg;
	struct rot_fields fields = { .key = KEY_KEY };
	int r = rot_record_get(store, KEY_KEY, &record, err);

	if (r < 0)
		return r;
	fields.record = record;
	seal_bytes_init(&log.key, ROT_BLOB_MAX);
	rot_field_text(&fields, "log", log.id, sizeof(log.id));
	rot_field_bytes(&fields, "key", &log.key);
	r = rot_fields_done(&fields, members, err);
	if (r == 0 && seal_id_check(log.id, NULL) < 0)
		r = rot_fail_damaged(KEY_KEY, err);
	if (r < 0)
		return r;
	*ret_log = log;
	memset(&log, 0, sizeof(log)); /* the caller owns it now */
	return 0;
}

int
rot_store_audit_log(struct rot_store *store, struct rot_audit_log *ret_log, struct seal_err *err)
{
	return rot_store_look(store, read_log, ret_log, err);
}

static int
rewrap(struct rot_store *store, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(rot_audit_log_release) struct rot_audit_log log = { 0 };
	const struct seal_bytes *key = arg;
	int r = read_log(store, &log, err);

	if (r < 0)
		return r;
	seal_bytes_reset(&log.key);
	r = seal_bytes_append(&log.key, key->data, key->len, err);
	return r < 0 ? r : put_log(store, &log, err);
}

int
rot_store_audit_rewrap(struct rot_store *store, const struct seal_bytes *key, struct seal_err *err)
{
	return rot_store_change(store, rewrap, (void *)key, err);
}

/* ---- The tree ---- */

static int
put_tree(struct rot_store *store, const struct audit_tree *tree, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_TREE_ENCODED_MAX);
	int r = audit_tree_encode(tree, &text, err);

	if (r < 0)
		return seal_note(err, SEAL_E_BUG, "the audit log's tree");
	return rot_kv_put(store->kv, TREE_KEY, text.data, text.len, err);
}

typedef int (*get_fn)(struct rot_kv *kv, const char *key, struct seal_bytes *value,
		      struct seal_err *err);

static int
read_tree(struct rot_store *store, get_fn get, struct audit_tree *ret_tree, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ROT_KV_VALUE_MAX);
	int r = get(store->kv, TREE_KEY, &text, err);

	if (r == SEAL_E_MISSING)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the store has no audit log, or lost the end of it: '%s'",
				 TREE_KEY);
	if (r < 0)
		return r;
	r = audit_tree_parse(ret_tree, text.data, text.len, err);
	return r == SEAL_E_FORMAT ? rot_fail_damaged(TREE_KEY, err) : r;
}

static int
get_tree(struct rot_store *store, void *arg, struct seal_err *err)
{
	return read_tree(store, rot_kv_get, arg, err);
}

int
rot_store_audit_tree(struct rot_store *store, struct audit_tree *ret_tree, struct seal_err *err)
{
	return rot_store_look(store, get_tree, ret_tree, err);
}

/* ---- The beginning ---- */

struct beginning {
	const struct rot_audit_log *log;
	const char *subject;
	int64_t now;
};

static int
begin(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct beginning *beginning = arg;
	const struct audit_tree nothing = { 0 };
	struct audit_entry entry = { .time = beginning->now, .kind = AUDIT_INIT, .count = 1 };
	bool has = false;
	int r = rot_record_has(store, KEY_KEY, &has, err);

	if (r < 0)
		return r;
	if (has)
		return seal_fail(err, SEAL_E_CONFLICT, "the store has an audit log already");
	r = put_log(store, beginning->log, err);
	if (r == 0)
		r = put_tree(store, &nothing, err);
	if (r < 0)
		return r;
	(void)snprintf(entry.actor, sizeof(entry.actor), "rot");
	(void)snprintf(entry.subject, sizeof(entry.subject), "%s", beginning->subject);
	return rot_store_audit_add(store, &entry, err);
}

int
rot_store_audit_begin(struct rot_store *store, const struct rot_audit_log *log, const char *subject,
		      int64_t now, struct seal_err *err)
{
	struct beginning beginning = { .log = log, .subject = subject, .now = now };

	return rot_store_change(store, begin, &beginning, err);
}

/* ---- Adding ---- */

/* Whatever is wrong with an entry, it is we who made it. */
static int
encode(const struct audit_entry *entry, struct seal_bytes *out, struct seal_err *err)
{
	int r = audit_entry_encode(entry, out, err);

	return r < 0 && r != SEAL_E_MEMORY ? seal_note(err, SEAL_E_BUG, "an entry of the audit log")
					   : r;
}

static int
grow(struct rot_pending *pending, struct seal_err *err)
{
	size_t room = pending->room == 0 ? 16 : 2 * pending->room;
	struct audit_entry *items;

	if (pending->count < pending->room)
		return 0;
	if (pending->count >= PENDING_MAX)
		return seal_fail(err, SEAL_E_BUG, "more than %u entries in one transaction",
				 PENDING_MAX);
	items = reallocarray(pending->items, room, sizeof(*items));
	if (items == NULL)
		return seal_fail_memory(err);
	pending->items = items;
	pending->room = room;
	return 0;
}

static int
add(struct rot_store *store, void *arg, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
	struct rot_pending *pending = &store->pending;
	struct audit_entry entry = *(const struct audit_entry *)arg;
	int r;

	entry.n = 0;
	r = encode(&entry, &text, err); /* now, while it is this change alone that fails */
	if (r == 0)
		r = grow(pending, err);
	if (r == 0)
		pending->items[pending->count++] = entry;
	return r;
}

int
rot_store_audit_add(struct rot_store *store, const struct audit_entry *entry, struct seal_err *err)
{
	if (rot_kv_is_open(store->kv))
		return add(store, (void *)entry, err);
	return rot_store_change(store, add, (void *)entry, err);
}

uint64_t
rot_store_audit_written(const struct rot_store *store)
{
	return store->written;
}

size_t
rot_pending_room(const struct rot_store *store)
{
	return store->pending.count + TREE_ROOM;
}

/*
 * The place of the first one must be free: otherwise the tree was put back behind our back, and entries that were
 * promised to stay would be overwritten.
 */
static int
put_entry(struct rot_store *store, uint64_t n, const struct seal_bytes *text, bool is_first,
	  struct seal_err *err)
{
	const struct rot_path key = rot_path(ENTRY_PREFIX NUMBER, n);
	int r;

	if (!is_first)
		return rot_kv_put(store->kv, key.text, text->data, text->len, err);
	r = rot_kv_add(store->kv, key.text, text->data, text->len, err);
	if (r == SEAL_E_CONFLICT)
		return seal_fail(err, SEAL_E_SYSTEM,
				 "the audit log was altered behind our back: there is an entry "
				 "%" PRIu64 " beyond its end; run seal audit verify",
				 n);
	return r;
}

static int
append(struct rot_store *store, struct audit_tree *tree, struct audit_entry *entry, bool is_first,
       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX);
	uint8_t leaf[SEAL_HASH_LEN];
	int r;

	entry->n = tree->size;
	r = encode(entry, &text, err);
	if (r < 0)
		return r;
	r = audit_leaf(text.data, text.len, leaf, err);
	if (r == 0)
		r = audit_tree_add(tree, leaf, err);
	if (r < 0) /* it is full, or hashing failed: no fault of the request's */
		return seal_note(err, SEAL_E_SYSTEM, "the audit log");
	return put_entry(store, entry->n, &text, is_first, err);
}

int
rot_pending_write(struct rot_store *store, struct seal_err *err)
{
	struct rot_pending *pending = &store->pending;
	struct audit_tree tree = { 0 };
	int r;

	if (pending->count == 0)
		return 0;
	r = read_tree(store, rot_kv_get_newest, &tree, err); /* all else has been read */
	for (size_t i = 0; r == 0 && i < pending->count; i++)
		r = append(store, &tree, &pending->items[i], i == 0, err);
	return r < 0 ? r : put_tree(store, &tree, err);
}

/* ---- Heads ---- */

struct head {
	uint64_t size;
	const char *text;
	size_t len;
};

static int
put_head(struct rot_store *store, void *arg, struct seal_err *err)
{
	const struct head *head = arg;
	const struct rot_path key = rot_path(HEAD_PREFIX NUMBER, head->size);

	return rot_kv_put(store->kv, key.text, head->text, head->len, err);
}

int
rot_store_audit_add_head(struct rot_store *store, uint64_t size, const char *text, size_t len,
			 struct seal_err *err)
{
	struct head head = { .size = size, .text = text, .len = len };

	return rot_store_change(store, put_head, &head, err);
}

/* ---- Reading ---- */

struct walk {
	const char *prefix;
	const char *end;
	uint64_t from;
	uint64_t limit;
	rot_audit_fn fn;
	void *arg;
};

static int
take(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	const struct walk *walk = arg;
	const char *digits = key + strlen(walk->prefix);

	if (strlen(digits) != NUMBER_LEN || strspn(digits, "0123456789abcdef") != NUMBER_LEN)
		return rot_fail_damaged(key, err);
	return walk->fn(walk->arg, strtoull(digits, NULL, 16), value, len, err);
}

static int
run_walk(struct rot_store *store, void *arg, struct seal_err *err)
{
	struct walk *walk = arg;
	const struct rot_path from = rot_path("%s" NUMBER, walk->prefix, walk->from);
	const struct rot_kv_range range = {
		.from = from.text, .to = walk->end, .limit = walk->limit, .loose = true
	};

	return rot_kv_each(store->kv, &range, take, walk, err);
}

int
rot_store_each_entry(struct rot_store *store, uint64_t from, uint64_t limit, rot_audit_fn fn,
		     void *arg, struct seal_err *err)
{
	struct walk walk = { ENTRY_PREFIX, ENTRY_END, from, limit, fn, arg };

	return rot_store_look(store, run_walk, &walk, err);
}

int
rot_store_each_head(struct rot_store *store, uint64_t from, uint64_t limit, rot_audit_fn fn,
		    void *arg, struct seal_err *err)
{
	struct walk walk = { HEAD_PREFIX, HEAD_END, from, limit, fn, arg };

	return rot_store_look(store, run_walk, &walk, err);
}
