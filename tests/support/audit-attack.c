/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit-attack STORE ACTION N: what somebody does to a stored audit log who can write to the store (sqlite:PATH), knows
 * its form and has no key.  Entries get new numbers where they must, the tree is made to fit, and heads that cannot
 * be any more are removed; what is left looks whole.
 *
 *   change N     another subject        remove N     one entry less       insert N    one entry more
 *   swap N       with the one behind    truncate N   N and all behind     newlog 0    another log's id
 *   raw N        N is removed, and nothing else is touched
 *   heads 0      all heads are removed, and nothing else is touched
 *
 * KEEP_HEADS in the environment: the heads stay.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json/json.h"
#include "rot/audit/entry.h"
#include "rot/audit/tree.h"
#include "rot/kv/kv.h"

#define ENTRIES_MAX 100000
#define MUST(call)                                                                                 \
	do {                                                                                       \
		struct seal_err must_err_ = { 0 };                                                 \
		struct seal_err *err = &must_err_;                                                 \
		if ((call) < 0) {                                                                  \
			(void)fprintf(stderr, "audit-attack: %s: %s\n", #call, must_err_.text);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static struct rot_kv *kv;
static struct audit_entry *entries;
static size_t count;
static char heads[ENTRIES_MAX][40];
static size_t head_count;

static int
take_entry(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	(void)arg;
	(void)key;
	if (count == ENTRIES_MAX)
		return seal_fail(err, SEAL_E_LIMIT, "too many entries");
	return audit_entry_parse(&entries[count++], value, len, err);
}

static int
take_head(void *arg, const char *key, const void *value, size_t len, struct seal_err *err)
{
	(void)arg;
	(void)value;
	(void)len;
	(void)err;
	(void)snprintf(heads[head_count++], sizeof(heads[0]), "%s", key);
	return 0;
}

static void
read_log(void)
{
	const struct rot_kv_range log = { .from = "audit/", .to = "audit0" };
	const struct rot_kv_range kept = { .from = "audit-head/", .to = "audit-head0" };

	MUST(rot_kv_each(kv, &log, take_entry, NULL, err));
	MUST(rot_kv_each(kv, &kept, take_head, NULL, err));
}

static void
drop_entry(size_t n)
{
	char key[40];

	(void)snprintf(key, sizeof(key), "audit/%016zx", n);
	MUST(rot_kv_delete(kv, key, err));
}

static void
drop_heads(void)
{
	for (size_t i = 0; i < head_count; i++)
		MUST(rot_kv_delete(kv, heads[i], err));
}

/* Everything from "from" on, which had "before" entries, as it is now. */
static void
write_log(size_t before)
{
	struct seal_bytes text = SEAL_BYTES(AUDIT_ENTRY_MAX), tree_text = SEAL_BYTES(1u << 16);
	struct audit_tree tree = { 0 };
	uint8_t leaf[SEAL_HASH_LEN];
	char key[40];

	for (size_t i = 0; i < before; i++)
		drop_entry(i);
	for (size_t i = 0; i < count; i++) {
		seal_bytes_reset(&text);
		entries[i].n = i;
		MUST(audit_entry_encode(&entries[i], &text, err));
		MUST(audit_leaf(text.data, text.len, leaf, err));
		MUST(audit_tree_add(&tree, leaf, err));
		(void)snprintf(key, sizeof(key), "audit/%016zx", i);
		MUST(rot_kv_put(kv, key, text.data, text.len, err));
	}
	MUST(audit_tree_encode(&tree, &tree_text, err));
	MUST(rot_kv_put(kv, "audit-tree", tree_text.data, tree_text.len, err));
	seal_bytes_release(&text);
	seal_bytes_release(&tree_text);
}

/* Another id: the key does not open for it, so no head can be signed. */
static void
rename_log(void)
{
	struct seal_bytes text = SEAL_BYTES(1u << 16), fresh = SEAL_BYTES(1u << 16);
	struct seal_json *record = NULL;

	MUST(rot_kv_get(kv, "audit-key", &text, err));
	MUST(seal_json_parse(&record, text.data, text.len, text.len, err));
	seal_json_set_str(record, "log", "00000000000000000000000000000000");
	MUST(seal_json_dump(record, false, &fresh, err));
	MUST(rot_kv_put(kv, "audit-key", fresh.data, fresh.len, err));
	seal_json_free(record);
	seal_bytes_release(&text);
	seal_bytes_release(&fresh);
}

/* Whether the log is to be written anew. */
static bool
attack(const char *action, size_t n)
{
	struct audit_entry swapped;

	if (strcmp(action, "raw") == 0) {
		drop_entry(n);
		return false;
	}
	if (strcmp(action, "newlog") == 0) {
		rename_log();
		return false;
	}
	if (strcmp(action, "heads") == 0)
		return false;
	if (strcmp(action, "change") == 0) {
		(void)snprintf(entries[n].subject, sizeof(entries[n].subject), "harmless");
	} else if (strcmp(action, "remove") == 0) {
		memmove(entries + n, entries + n + 1, (count - n - 1) * sizeof(*entries));
		count--;
	} else if (strcmp(action, "insert") == 0) {
		memmove(entries + n + 1, entries + n, (count - n) * sizeof(*entries));
		(void)snprintf(entries[n].subject, sizeof(entries[n].subject), "invented");
		count++;
	} else if (strcmp(action, "swap") == 0) {
		swapped = entries[n];
		entries[n] = entries[n + 1];
		entries[n + 1] = swapped;
	} else if (strcmp(action, "truncate") == 0) {
		count = n;
	} else {
		(void)fprintf(stderr, "audit-attack: %s?\n", action);
		exit(2);
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct rot_kv_config config = { 0 };
	size_t n, before;

	if (argc != 4)
		return 2;
	config.where = argv[1];
	n = strtoul(argv[3], NULL, 10);
	entries = calloc(ENTRIES_MAX + 1, sizeof(*entries));
	if (entries == NULL)
		return 1;
	MUST(rot_kv_open(&kv, &config, false, err));
	MUST(rot_kv_begin(kv, err));
	read_log();
	before = count;
	if (n + 1 >= count && strcmp(argv[2], "truncate") != 0)
		return 2;
	if (attack(argv[2], n))
		write_log(before);
	if (strcmp(argv[2], "raw") != 0 && getenv("KEEP_HEADS") == NULL)
		drop_heads();
	MUST(rot_kv_commit(kv, err));
	rot_kv_close(kv);
	(void)printf("%zu\n", before);
	free(entries);
	return 0;
}
