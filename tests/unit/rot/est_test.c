/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/est: what EST's clients send is read in one way, or not at all. */
#include "rot/server/est.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

#define ID     "0123456789abcdef0123456789abcdef"
#define LONG   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* one too many */
#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"

static const struct {
	const char *path;
	enum rot_est_operation operation;
	const char *label;
} good_paths[] = {
	{ "/.well-known/est/cacerts", ROT_EST_CACERTS, "" },
	{ "/.well-known/est/csrattrs", ROT_EST_CSRATTRS, "" },
	{ "/.well-known/est/simpleenroll", ROT_EST_ENROLL, "" },
	{ "/.well-known/est/simplereenroll", ROT_EST_REENROLL, "" },
	{ "/.well-known/est/shop/simpleenroll", ROT_EST_ENROLL, "shop" },
	{ "/.well-known/est/cacerts/cacerts", ROT_EST_CACERTS, "cacerts" },
};

Test(rot_est, knows_its_paths)
{
	for (size_t i = 0; i < SEAL_COUNT(good_paths); i++) {
		struct rot_est_target target = { 0 };

		cr_assert_eq(rot_est_target_parse(&target, good_paths[i].path, NULL), 0, "%s",
			     good_paths[i].path);
		cr_expect_eq(target.operation, good_paths[i].operation);
		cr_expect_str_eq(target.label, good_paths[i].label);
	}
}

Test(rot_est, knows_no_other_path)
{
	static const char *const bad[] = {
		"",
		"/",
		"/v1/status",
		"/.well-known/est",
		"/.well-known/est/",
		"/.well-known/est//cacerts",
		"/.well-known/est/cacerts/",
		"/.well-known/est/CACERTS",
		"/.well-known/est/fullcmc",
		"/.well-known/est/serverkeygen",
		"/.well-known/est/simpleenroll2",
		"/.well-known/est/shop",
		"/.well-known/est/shop/",
		"/.well-known/est/Shop/cacerts",
		"/.well-known/est/s/cacerts",
		"/.well-known/est/a/b/cacerts",
		"/.well-known/est/shop/cacerts/x",
		"/.well-known/est/" LONG "/cacerts",
		"/.well-known/estx/cacerts",
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct rot_est_target target = { .operation = ROT_EST_REENROLL, .label = "was" };

		cr_expect_eq(rot_est_target_parse(&target, bad[i], NULL), SEAL_E_MISSING, "%s",
			     bad[i]);
		cr_expect_str_eq(target.label, "was");
	}
}

/* "Basic " and the base64 of a text, to be freed. */
static char *
basic(const char *scheme, const void *pair, size_t len)
{
	struct seal_bytes text = SEAL_BYTES(4096);
	char *copy;

	cr_assert_eq(seal_bytes_append_str(&text, scheme, NULL), 0);
	cr_assert_eq(seal_base64_encode(&text, pair, len, NULL), 0);
	copy = seal_strndup(seal_bytes_str(&text), text.len);
	seal_bytes_release(&text);
	return copy;
}

static int
parse_pair(const char *scheme, const void *pair, size_t len, struct rot_est_user *user)
{
	char *header = basic(scheme, pair, len);
	int r = rot_est_user_parse(user, header, NULL);

	free(header);
	return r;
}

Test(rot_est, reads_an_id_and_the_digest_of_a_secret)
{
	static const char *const schemes[] = { "Basic ", "basic ", "BASIC  " };
	uint8_t hash[SEAL_HASH_LEN];

	cr_assert_eq(seal_sha256(hash, SECRET, strlen(SECRET), NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(schemes); i++) {
		struct rot_est_user user = { 0 };

		cr_assert_eq(parse_pair(schemes[i], ID ":" SECRET, strlen(ID ":" SECRET), &user),
			     0);
		cr_expect_str_eq(user.id, ID);
		cr_expect_arr_eq(user.hash, hash, sizeof(hash));
	}
}

Test(rot_est, takes_nothing_else_for_a_user)
{
	static const char *const pairs[] = {
		"",
		":",
		ID,
		ID ":",
		":" SECRET,
		"admin:admin",
		ID ":" SECRET "x",
		ID ";" SECRET,
		"0123456789ABCDEF0123456789ABCDEF:" SECRET,
		"0123456789abcdef0123456789abcdeg:" SECRET,
	};
	static const char *const headers[] = {
		"",           "Basic",           "Basic ",        "Bearer abc",
		"Basic !!!!", "Basic MDEy MzQ1", "Basic MDEyMzQ",
	};
	static const char with_nul[] = ID ":abcdefghijklmnopqrst\0vwxyzABCDEFGHIJKLMNOPQ";
	struct rot_est_user user = { .id = "was" };

	cr_expect_eq(rot_est_user_parse(&user, NULL, NULL), SEAL_E_UNAUTH);
	for (size_t i = 0; i < SEAL_COUNT(pairs); i++)
		cr_expect_eq(parse_pair("Basic ", pairs[i], strlen(pairs[i]), &user), SEAL_E_UNAUTH,
			     "%s", pairs[i]);
	for (size_t i = 0; i < SEAL_COUNT(headers); i++)
		cr_expect_eq(rot_est_user_parse(&user, headers[i], NULL), SEAL_E_UNAUTH, "%s",
			     headers[i]);
	cr_expect_eq(parse_pair("Basic ", with_nul, sizeof(with_nul) - 1, &user), SEAL_E_UNAUTH);
	cr_expect_eq(parse_pair("Digest ", ID ":" SECRET, strlen(ID ":" SECRET), &user),
		     SEAL_E_UNAUTH);
	cr_expect_str_eq(user.id, "was");
}

/* ---- Requests ---- */

/* The base64 between the lines of PEM, with its ends of lines. */
static struct seal_bytes
request(const struct seal_key *key)
{
	struct seal_bytes body = SEAL_BYTES(8192);
	char *pem = rig_csr(key), *from = strchr(pem, '\n') + 1, *to = strstr(from, "-----END");

	cr_assert_eq(seal_bytes_append(&body, from, (size_t)(to - from), NULL), 0);
	free(pem);
	return body;
}

static int
read_key(struct seal_key **ret_key, const char *type, const struct seal_bytes *body)
{
	return rot_est_key(ret_key, type, body->data, body->len, NULL);
}

Test(rot_est, reads_a_request_in_lines_or_not)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct seal_bytes lines, line = SEAL_BYTES(8192), odd = SEAL_BYTES(8192);

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	lines = request(key);
	for (size_t i = 0; i < lines.len; i++) {
		if (lines.data[i] != '\n')
			cr_assert_eq(seal_bytes_append(&line, lines.data + i, 1, NULL), 0);
		cr_assert_eq(seal_bytes_append(&odd, lines.data + i, 1, NULL), 0);
		if (i % 7 == 0)
			cr_assert_eq(seal_bytes_append_str(&odd, "\r\n \t", NULL), 0);
	}
	for (int i = 0; i < 3; i++) {
		const struct seal_bytes *body = i == 0 ? &lines : i == 1 ? &line : &odd;
		const char *type = i == 0   ? "application/pkcs10"
				   : i == 1 ? "Application/PKCS10; charset=x"
					    : NULL;
		SEAL_SCOPED(seal_key_freep) struct seal_key *found = NULL;

		cr_assert_eq(read_key(&found, type, body), 0);
		cr_expect(seal_key_same_public(key, found));
	}
	seal_bytes_release(&lines);
	seal_bytes_release(&line);
	seal_bytes_release(&odd);
}

Test(rot_est, takes_nothing_else_for_a_request)
{
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	struct seal_key *found = NULL;
	struct seal_bytes body, big = SEAL_BYTES(2 * ROT_EST_MAX_BODY);
	char *pem;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	body = request(key);
	cr_expect_eq(read_key(&found, "text/plain", &body), SEAL_E_FORMAT);
	cr_expect_eq(read_key(&found, "application/pkcs100", &body), SEAL_E_FORMAT);
	cr_expect_eq(read_key(&found, "", &body), SEAL_E_FORMAT);
	cr_expect_eq(rot_est_key(&found, NULL, "", 0, NULL), SEAL_E_FORMAT);
	pem = rig_csr(key);
	cr_expect_eq(rot_est_key(&found, NULL, pem, strlen(pem), NULL), SEAL_E_FORMAT);
	free(pem);
	for (size_t cut = 0; cut + 1 < body.len; cut++)
		cr_expect_lt(rot_est_key(&found, NULL, body.data, cut, NULL), 0, "%zu", cut);
	for (size_t at = 0; at + 4 < body.len; at++) {
		uint8_t was = body.data[at];

		body.data[at] = was == 'A' ? 'B' : 'A';
		if (was != '\n')
			cr_expect_lt(read_key(&found, NULL, &body), 0, "letter %zu", at);
		body.data[at] = was;
	}
	cr_assert_eq(seal_bytes_append(&big, body.data, body.len, NULL), 0);
	while (big.len <= ROT_EST_MAX_BODY)
		cr_assert_eq(seal_bytes_append_str(&big, "\n", NULL), 0);
	cr_expect_eq(read_key(&found, NULL, &big), SEAL_E_LIMIT);
	cr_expect_null(found);
	seal_bytes_release(&body);
	seal_bytes_release(&big);
}

/* ---- Answers ---- */

Test(rot_est, answers_with_lines_of_base64)
{
	struct pki_id ca = pki_ca("shop");
	struct seal_bytes pem = SEAL_BYTES(65536), out = SEAL_BYTES(65536), der = SEAL_BYTES(65536);
	const char *at;

	cr_assert_eq(seal_certs_to_pem(ca.chain, &pem, NULL), 0);
	cr_assert_eq(rot_est_answer(&out, seal_bytes_str(&pem), pem.len, NULL), 0);
	for (at = seal_bytes_str(&out); *at != '\0'; at += strcspn(at, "\n") + 1)
		cr_expect_leq(strcspn(at, "\n"), 64);
	cr_expect_eq(out.data[out.len - 1], '\n');
	cr_assert_eq(seal_base64_decode(&der, seal_bytes_str(&out), out.len, NULL), 0);
	/* SEQUENCE { OBJECT signedData */
	cr_assert_gt(der.len, 20);
	cr_expect_eq(der.data[0], 0x30);
	cr_expect_lt(rot_est_answer(&out, "no certificate", 14, NULL), 0);
	seal_bytes_release(&pem);
	seal_bytes_release(&out);
	seal_bytes_release(&der);
	pki_id_release(&ca);
}
