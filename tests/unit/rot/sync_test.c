/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod is told between two certificates, written and read back, and everything that is none of it. */

#include "rot/wire/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/pki.h"

#define ONE "40000000000000000000000000000001"
#define TWO "4fffffffffffffffffffffffffffffff"
#define SYNC                                                                                       \
	"{\"epoch\":7,\"clients\":[\"*\"],\"servers\":[\"db\",\"cache\"],\"ca_bundle\":\"B\","     \
	"\"revoked\":[\"" TWO "\",\"" ONE "\"],"                                                   \
	"\"floor\":{\"b/Secret/y\":2,\"a/ConfigMap/x\":9007199254740992},"                         \
	"\"keys\":[\"shop/data/web/1\",\"shop/config/web/1\"],\"renew\":true}"

/* What is refused leaves nothing behind. */
static int
parse(const char *text, size_t len)
{
	struct rot_sync got = { 0 };
	struct seal_err err = { 0 };
	int r = rot_sync_parse(&got, text, len, &err);

	if (r < 0) {
		cr_expect_eq(got.clients.count + got.servers.count + got.revoked.count, 0);
		cr_expect_eq(got.keys.count + got.floor_count, 0);
		cr_expect_null(got.ca_bundle, "left something behind: %.*s", (int)len, text);
		cr_expect_null(got.floor);
		cr_expect_eq(err.code, r, "%s", err.text);
		cr_expect_neq(err.text[0], '\0');
	}
	rot_sync_release(&got);
	return r;
}

/* text with the first occurrence of from replaced by to.  Owned by the caller. */
static char *
with(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out = NULL;

	cr_assert_not_null(at, "'%s' is not in '%s'", from, text);
	cr_assert_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
	return out;
}

Test(wire_sync, comes_back_as_it_was_sent_and_in_order)
{
	struct rot_floor floor[] = { { (char *)(uintptr_t) "b/Secret/y", 2 },
				     { (char *)(uintptr_t) "a/ConfigMap/x", 3 } };
	struct rot_sync sent = { .epoch = UINT64_C(1) << 40,
				 .ca_bundle = (char *)(uintptr_t) "B\n",
				 .floor = floor,
				 .floor_count = 2,
				 .renew = true };
	struct rot_sync got = { 0 };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_SYNC);

	sent.clients = pki_strv("*", NULL);
	sent.servers = pki_strv("db", "any", NULL);
	sent.revoked = pki_strv(TWO, ONE, NULL);
	sent.keys = pki_strv("shop/data/web/1", "shop/config/web/1", NULL);
	cr_assert_eq(rot_sync_encode(&sent, &body, NULL), 0);
	cr_assert_eq(rot_sync_parse(&got, body.data, body.len, NULL), 0);
	cr_expect_eq(got.epoch, sent.epoch);
	cr_expect_str_eq(got.ca_bundle, "B\n");
	cr_expect(got.renew);
	cr_expect(seal_strv_equal(&got.clients, &sent.clients));
	cr_expect(seal_strv_equal(&got.servers, &sent.servers));
	cr_assert_eq(got.revoked.count, 2);
	cr_expect_str_eq(got.revoked.items[0], ONE);
	cr_expect_str_eq(got.revoked.items[1], TWO);
	cr_assert_eq(got.keys.count, 2);
	cr_expect_str_eq(got.keys.items[0], "shop/config/web/1");
	cr_assert_eq(got.floor_count, 2);
	cr_expect_str_eq(got.floor[0].object, "a/ConfigMap/x");
	cr_expect_eq(got.floor[0].gen, 3);
	rot_sync_release(&got);
	cr_expect_null(got.ca_bundle);
	cr_expect_eq(got.revoked.count, 0);
	seal_strv_release(&sent.clients);
	seal_strv_release(&sent.servers);
	seal_strv_release(&sent.revoked);
	seal_strv_release(&sent.keys);
	seal_bytes_release(&body);
}

Test(wire_sync, of_nothing_is_empty_lists)
{
	static const char text[] = "{\"epoch\":0,\"clients\":[],\"servers\":[],\"ca_bundle\":\"B\","
				   "\"revoked\":[],\"floor\":{},\"keys\":[],\"renew\":false}";
	struct rot_sync got = { 0 };
	struct seal_bytes body = SEAL_BYTES(ROT_MAX_SYNC);

	cr_assert_eq(rot_sync_parse(&got, text, strlen(text), NULL), 0);
	cr_expect_not(got.renew);
	cr_assert_eq(rot_sync_encode(&got, &body, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&body), text);
	rot_sync_release(&got);
	seal_bytes_release(&body);
}

Test(wire_sync, may_have_members_of_later_versions)
{
	char *text = with(SYNC, "{", "{\"later\":{\"x\":[1]},");

	cr_expect_eq(parse(text, strlen(text)), 0);
	free(text);
	cr_expect_eq(parse(SYNC, strlen(SYNC)), 0);
}

Test(wire_sync, refuses_every_truncation)
{
	for (size_t n = 0; n < strlen(SYNC); n++)
		cr_expect_lt(parse(SYNC, n), 0, "accepted %zu bytes", n);
}

Test(wire_sync, refuses_missing_wrong_and_impossible_members)
{
	static const struct {
		const char *from, *to;
		int want;
	} bad[] = {
		{ "\"epoch\":7,", "", SEAL_E_FORMAT },
		{ "\"clients\":[\"*\"],", "", SEAL_E_FORMAT },
		{ "\"servers\":[\"db\",\"cache\"],", "", SEAL_E_FORMAT },
		{ "\"ca_bundle\":\"B\",", "", SEAL_E_FORMAT },
		{ "\"revoked\":", "\"revokd\":", SEAL_E_FORMAT },
		{ "\"floor\":", "\"flor\":", SEAL_E_FORMAT },
		{ "\"keys\":", "\"keyz\":", SEAL_E_FORMAT },
		{ ",\"renew\":true", "", SEAL_E_FORMAT },
		{ "\"epoch\":7", "\"epoch\":\"7\"", SEAL_E_FORMAT },
		{ "\"epoch\":7", "\"epoch\":7.5", SEAL_E_FORMAT },
		{ "\"epoch\":7", "\"epoch\":-1", SEAL_E_LIMIT },
		{ "\"epoch\":7", "\"epoch\":7,\"epoch\":8", SEAL_E_FORMAT },
		{ "[\"*\"]", "\"*\"", SEAL_E_FORMAT },
		{ "[\"*\"]", "[\"\"]", SEAL_E_FORMAT }, /* the empty name let everybody in */
		{ "[\"*\"]", "[\"**\"]", SEAL_E_FORMAT },
		{ "[\"*\"]", "[\"web\",\"web\"]", SEAL_E_FORMAT },
		{ "[\"*\"]", "[\"rot\"]", SEAL_E_FORMAT },
		{ "\"cache\"", "\"db\"", SEAL_E_FORMAT },
		{ "\"cache\"", "7", SEAL_E_FORMAT },
		{ "\"B\"", "\"\"", SEAL_E_FORMAT },
		{ "\"B\"", "null", SEAL_E_FORMAT },
		{ "\"B\"", "[\"B\"]", SEAL_E_FORMAT },
		{ "\"" ONE "\"", "\"" TWO "\"", SEAL_E_FORMAT }, /* twice */
		{ "\"" ONE "\"", "\"\"", SEAL_E_FORMAT },
		{ "\"" ONE "\"", "\"4\"", SEAL_E_FORMAT },
		{ "\"" ONE "\"", "\"" ONE "00\"", SEAL_E_FORMAT },
		{ TWO, "4FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", SEAL_E_FORMAT },
		{ TWO, "4ffffffffffffffffffffffffffffff ", SEAL_E_FORMAT },
		{ TWO, "4ffffffffffffffffffffffffffffffg", SEAL_E_FORMAT },
		{ "\"" ONE "\"", "1", SEAL_E_FORMAT },
		{ "\"revoked\":[", "\"revoked\":{}, \"x\":[", SEAL_E_FORMAT },
		{ "b/Secret/y", "b/Secret", SEAL_E_FORMAT },
		{ "\"a/ConfigMap/x\"", "\"b/Secret/y\"", SEAL_E_FORMAT }, /* twice */
		{ ":2,", ":0,", SEAL_E_FORMAT },
		{ "9007199254740992", "9007199254740993", SEAL_E_LIMIT },
		{ "\"shop/config/web/1\"", "\"shop/data/web/1\"", SEAL_E_FORMAT }, /* twice */
		{ "\"shop/config/web/1\"", "\"\"", SEAL_E_FORMAT },
		{ "\"shop/config/web/1\"", "\"shop/config web/1\"", SEAL_E_FORMAT },
		{ "\"shop/config/web/1\"", "\"shop/config/w\u00eb\"", SEAL_E_FORMAT },
		{ "\"shop/config/web/1\"", "{}", SEAL_E_FORMAT },
		{ "\"renew\":true", "\"renew\":1", SEAL_E_FORMAT },
		{ "\"renew\":true", "\"renew\":\"true\"", SEAL_E_FORMAT },
		{ "\"renew\":true", "\"renew\":null", SEAL_E_FORMAT },
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		char *text = with(SYNC, bad[i].from, bad[i].to);
		int r = parse(text, strlen(text));

		cr_expect_eq(r, bad[i].want, "%d for %s", r, text);
		free(text);
	}
}

/* So many serials and keys, the names of keys len letters long. */
static int
parse_many(size_t serials, size_t keys, int len, size_t clients)
{
	struct seal_bytes text = SEAL_BYTES((size_t)16 * 1024 * 1024);
	int r;

	cr_assert_eq(seal_bytes_append_str(&text,
					   "{\"epoch\":7,\"servers\":[],\"ca_bundle\":\"B\","
					   "\"floor\":{},\"renew\":false,\"revoked\":[",
					   NULL),
		     0);
	for (size_t i = serials; i > 0; i--)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "%s\"%032zx\"",
						   i < serials ? "," : "", i),
			     0);
	cr_assert_eq(seal_bytes_append_str(&text, "],\"keys\":[", NULL), 0);
	for (size_t i = 0; i < keys; i++)
		cr_assert_eq(
			seal_bytes_append_fmt(&text, NULL, "%s\"%0*zu\"", i > 0 ? "," : "", len, i),
			0);
	cr_assert_eq(seal_bytes_append_str(&text, "],\"clients\":[", NULL), 0);
	for (size_t i = 0; i < clients; i++)
		cr_assert_eq(seal_bytes_append_fmt(&text, NULL, "%s\"p%zu\"", i > 0 ? "," : "", i),
			     0);
	cr_assert_eq(seal_bytes_append_str(&text, "]}", NULL), 0);
	r = parse(seal_bytes_str(&text), text.len);
	seal_bytes_release(&text);
	return r;
}

Test(wire_sync, bounds_its_lists)
{
	cr_expect_eq(parse_many(ROT_MAX_REVOKED, ROT_MAX_KEYS, 16, ROT_MAX_PEERS), 0);
	cr_expect_eq(parse_many(ROT_MAX_REVOKED + 1, 0, 16, 0), SEAL_E_LIMIT);
	cr_expect_eq(parse_many(0, ROT_MAX_KEYS + 1, 16, 0), SEAL_E_LIMIT);
	cr_expect_eq(parse_many(0, 1, ROT_KEY_ID_MAX, 0), 0);
	cr_expect_eq(parse_many(0, 1, ROT_KEY_ID_MAX + 1, 0), SEAL_E_LIMIT);
	cr_expect_eq(parse_many(0, 0, 16, ROT_MAX_PEERS + 1), SEAL_E_LIMIT);
}

Test(wire_sync, bounds_the_answer)
{
	size_t len = ROT_MAX_SYNC + 1;
	char *text = malloc(len);

	cr_assert_not_null(text);
	memset(text, ' ', len);
	memcpy(text, SYNC, strlen(SYNC));
	cr_expect_eq(parse(text, len), SEAL_E_LIMIT);
	cr_expect_eq(parse(text, len - 1), 0);
	free(text);
}
