/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements: JSON sealed with base/jwe under a key that only the root of trust has.  What is opened
 * was written by us, and is checked all the same: a statement outlives the release that wrote it.
 */
#include "egg/statement.h"

#include <string.h>

#include "base/json/json.h"
#include "base/jwe/jwe.h"
#include "egg/egg.h"

#define STATEMENT_MAX (8u * 1024)
#define KID           "rot/statement/1"

void
egg_statement_release(struct egg_statement *statement)
{
	seal_strv_release(&statement->hostnames);
}

int
egg_statement_seal(const struct egg_statement *statement, const struct seal_secret *key,
		   struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(STATEMENT_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	char key_id[2 * SEAL_HASH_LEN + 1];
	int r;

	seal_hex_encode(key_id, statement->key_id, SEAL_HASH_LEN);
	seal_json_set_str(json, "id", statement->id);
	seal_json_set_str(json, "key_id", key_id);
	seal_json_set_str(json, "workload", statement->workload);
	seal_json_set_str(json, "peer", statement->peer);
	seal_json_set_strv(json, "hostnames", &statement->hostnames);
	seal_json_set_u64(json, "not_after", (uint64_t)statement->not_after);
	seal_json_set_u64(json, "max_hatches", statement->max_hatches);
	r = seal_json_dump(json, false, &plain, err);
	if (r == 0)
		r = seal_jwe_seal(out, key, KID, NULL, plain.data, plain.len, err);
	return r < 0 ? seal_note(err, r, "statement") : 0;
}

/* Copy a member that check accepts into out. */
static int
read_name(const struct seal_json *json, const char *name, char *out, size_t size,
	  int (*check)(const char *, struct seal_err *), struct seal_err *err)
{
	const char *value = NULL;
	size_t len;
	int r;

	r = seal_json_get_str(json, name, &value, err);
	if (r == 0)
		r = check(value, err);
	if (r < 0)
		return r;
	len = strlen(value);
	if (len >= size)
		return seal_fail(err, SEAL_E_LIMIT, "%s is too long", name);
	memcpy(out, value, len + 1);
	return 0;
}

static int
read_key_id(const struct seal_json *json, uint8_t key_id[static SEAL_HASH_LEN],
	    struct seal_err *err)
{
	const char *hex = NULL;
	int r = seal_json_get_str(json, "key_id", &hex, err);

	return r < 0 ? r : seal_hex_decode(key_id, SEAL_HASH_LEN, hex, strlen(hex), err);
}

static int
read_hostnames(const struct seal_json *json, struct seal_strv *list, struct seal_err *err)
{
	int r = seal_json_get_strv(json, "hostnames", EGG_MAX_HOSTNAMES, list, err);

	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = seal_hostname_pattern_check(list->items[i], err);
	return r;
}

static int
read_members(struct egg_statement *statement, const struct seal_json *json, struct seal_err *err)
{
	static const char *const members[] = { "id",        "key_id",    "workload",    "peer",
					       "hostnames", "not_after", "max_hatches", NULL };
	uint64_t not_after = 0;
	int r;

	r = seal_json_only(json, members, err);
	if (r == 0)
		r = read_name(json, "id", statement->id, sizeof(statement->id), seal_id_check, err);
	if (r == 0)
		r = read_key_id(json, statement->key_id, err);
	if (r == 0)
		r = read_name(json, "workload", statement->workload, sizeof(statement->workload),
			      seal_workload_check, err);
	if (r == 0)
		r = read_name(json, "peer", statement->peer, sizeof(statement->peer),
			      seal_peer_check, err);
	if (r == 0)
		r = read_hostnames(json, &statement->hostnames, err);
	if (r == 0)
		r = seal_json_get_u64(json, "not_after", INT64_MAX, &not_after, err);
	if (r == 0)
		r = seal_json_get_u64(json, "max_hatches", UINT32_MAX, &statement->max_hatches,
				      err);
	statement->not_after = (int64_t)not_after;
	return r;
}

int
egg_statement_open(struct egg_statement *ret_statement, const struct seal_secret *key,
		   const char *text, size_t text_len, struct seal_err *err)
{
	SEAL_SCOPED(egg_statement_release) struct egg_statement statement = { 0 };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r;

	if (text_len > STATEMENT_MAX)
		return seal_fail(err, SEAL_E_FORMAT, "statement: too long");
	r = seal_jwe_open(&plain, NULL, key, text, text_len, err);
	if (r == 0)
		r = seal_json_parse(&json, seal_secret_peek(plain), seal_secret_len(plain),
				    STATEMENT_MAX, err);
	if (r == 0)
		r = read_members(&statement, json, err);
	if (r < 0)
		return seal_note(err, r == SEAL_E_UNAUTH ? r : SEAL_E_FORMAT, "statement");
	*ret_statement = statement;
	statement = (struct egg_statement){ 0 };
	return 0;
}
