/* SPDX-License-Identifier: Apache-2.0 */
/* base/names: SPIFFE IDs have four shapes, one spelling each. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/names/names.h"

#define HEX "0123456789abcdef0123456789abcdef"
#define TD  "spiffe://seal.test"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *uri;
	struct seal_identity id;
} good[] = {
	{ TD "/rot", { SEAL_ROLE_ROT, "seal.test", "", "", "", "", "" } },
	{ "spiffe://a/rot", { SEAL_ROLE_ROT, "a", "", "", "", "", "" } },
	{ "spiffe://10.0.0.1/rot", { SEAL_ROLE_ROT, "10.0.0.1", "", "", "", "", "" } },
	{ TD "/egg/" HEX, { SEAL_ROLE_EGG, "seal.test", HEX, "", "", "", "" } },
	{ TD "/operator/admin/alice",
	  { SEAL_ROLE_OPERATOR, "seal.test", "", "admin", "alice", "", "" } },
	{ TD "/operator/ci/ci", { SEAL_ROLE_OPERATOR, "seal.test", "", "ci", "ci", "", "" } },
	{ TD "/workload/shop/peer/web", { SEAL_ROLE_POD, "seal.test", "", "", "", "shop", "web" } },
	{ TD "/workload/any/peer/any", { SEAL_ROLE_POD, "seal.test", "", "", "", "any", "any" } },
	{ TD "/workload/peer/peer/workload",
	  { SEAL_ROLE_POD, "seal.test", "", "", "", "peer", "workload" } },
	{ TD "/workload/x" X50 "xxxxxxxxx/peer/x" X50 "xxxxxxxxxxxx",
	  { SEAL_ROLE_POD, "seal.test", "", "", "", "x" X50 "xxxxxxxxx", "x" X50 "xxxxxxxxxxxx" } },
};

static bool
same(const struct seal_identity *a, const struct seal_identity *b)
{
	return a->role == b->role && strcmp(a->trust_domain, b->trust_domain) == 0 &&
	       strcmp(a->egg, b->egg) == 0 && strcmp(a->operator_role, b->operator_role) == 0 &&
	       strcmp(a->operator_name, b->operator_name) == 0 &&
	       strcmp(a->workload, b->workload) == 0 && strcmp(a->peer, b->peer) == 0;
}

Test(identity, each_of_the_four_shapes_is_read_and_written_back)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		struct seal_identity id;
		char uri[SEAL_IDENTITY_URI_MAX];

		memset(&id, '?', sizeof(id));
		cr_assert_eq(seal_identity_parse(&id, good[i].uri, strlen(good[i].uri), NULL), 0,
			     "%s", good[i].uri);
		cr_expect(same(&id, &good[i].id), "%s", good[i].uri);
		seal_identity_format(&id, uri);
		cr_expect_str_eq(uri, good[i].uri);
	}
}

Test(identity, nobody_has_no_uri)
{
	const struct seal_identity nobody = { .role = SEAL_ROLE_NONE, .trust_domain = "a" };
	char uri[SEAL_IDENTITY_URI_MAX] = "?";

	seal_identity_format(&nobody, uri);
	cr_expect_str_eq(uri, "");
}

/* Refused with one dull sentence, and nothing written. */
static void
expect_refused(const char *uri, size_t len)
{
	struct seal_identity id = { .role = SEAL_ROLE_NONE, .trust_domain = "kept" };
	struct seal_err err = { 0 };

	cr_expect_eq(seal_identity_parse(&id, uri, len, &err), SEAL_E_FORMAT, "accepted '%.*s'",
		     (int)len, uri);
	cr_expect_eq(id.role, SEAL_ROLE_NONE);
	cr_expect_str_eq(id.trust_domain, "kept");
	cr_expect_str_eq(err.text, "not a SPIFFE ID of this system");
}

static const char *const odd[] = {
	"",
	"spiffe:",
	"spiffe://",
	"spiffe:///rot",
	"spiffe://seal.test",
	"spiffe://seal.test/",
	/* other schemes and cases */
	"SPIFFE://seal.test/rot",
	"Spiffe://seal.test/rot",
	"spiffe:/seal.test/rot",
	"spiffe:seal.test/rot",
	"spiffes://seal.test/rot",
	"https://seal.test/rot",
	" spiffe://seal.test/rot",
	"spiffe://Seal.test/rot",
	TD "/ROT",
	TD "/Workload/shop/peer/web",
	TD "/workload/Shop/peer/web",
	TD "/workload/shop/PEER/web",
	TD "/workload/shop/peer/Web",
	/* slashes */
	TD "/rot/",
	TD "//rot",
	TD "/rot//",
	TD "/workload/shop/peer/web/",
	TD "//workload/shop/peer/web",
	TD "/workload//shop/peer/web",
	TD "/workload/shop//peer/web",
	TD "/workload/shop/peer//web",
	TD "/workload/shop/peer/",
	TD "/workload/shop/peer",
	TD "/workload/shop/",
	TD "/workload/shop",
	TD "/workload",
	TD "/workload/shop/peer/web/x",
	TD "/workload/shop/peer/web/peer/db",
	TD "/workload/shop/web",
	TD "/workload/shop/peers/web",
	TD "/workloads/shop/peer/web",
	TD "/./workload/shop/peer/web",
	TD "/workload/shop/../shop/peer/web",
	TD "/workload/shop/peer/../web",
	TD "/workload/../peer/web",
	/* authority */
	"spiffe://seal.test:443/rot",
	"spiffe://seal.test:/rot",
	"spiffe://u@seal.test/rot",
	"spiffe://u:p@seal.test/rot",
	"spiffe://@seal.test/rot",
	"spiffe://[::1]/rot",
	"spiffe://seal.test./rot",
	"spiffe://.seal.test/rot",
	"spiffe://seal..test/rot",
	"spiffe://seal_test/rot",
	"spiffe://*.test/rot",
	"spiffe://*/rot",
	"spiffe://-a/rot",
	"spiffe://s\xc3\xa9/rot",
	/* escapes, query, fragment, parameters, blanks */
	"spiffe://seal%2etest/rot",
	TD "/%72ot",
	TD "/workload/shop/peer/w%65b",
	TD "/workload/shop/peer%2fweb",
	TD "%2frot",
	TD "/rot?",
	TD "/rot?x=1",
	TD "/rot#",
	TD "/rot#x",
	TD "/rot;x",
	TD "/workload/shop/peer/web?",
	TD "/workload/shop/peer/web#",
	TD "/workload/shop/peer/web ",
	TD "/workload/shop/peer/web\n",
	TD "/workload/sh op/peer/web",
	TD "\\rot",
	TD "/rot\\",
	/* names that are none */
	TD "/workload/ab/peer/web",
	TD "/workload/1ab/peer/web",
	TD "/workload/rot/peer/web",
	TD "/workload/localhost/peer/web",
	TD "/workload/shop/peer/*",
	TD "/workload/*/peer/web",
	TD "/workload/shop/peer/admin",
	TD "/workload/shop/peer/egg",
	TD "/workload/shop/peer/web-",
	TD "/workload/shop/peer/-web",
	TD "/workload/shop/peer/1",
	TD "/workload/shop/peer/a.b",
	TD "/workload/shop/peer/w\xc3\xa9",
	TD "/workload/x" X50 X50 "/peer/web",
	TD "/workload/shop/peer/x" X50 X50,
	/* eggs and operators */
	TD "/egg",
	TD "/egg/",
	TD "/egg/1",
	TD "/egg/" HEX "0",
	TD "/egg/" HEX "/",
	TD "/egg/" HEX "/x",
	TD "/egg/0123456789ABCDEF0123456789ABCDEF",
	TD "/egg/0123456789abcdef0123456789abcdeg",
	TD "/eggs/" HEX,
	TD "/operator",
	TD "/operator/admin",
	TD "/operator/admin/",
	TD "/operator//alice",
	TD "/operator/admin/alice/x",
	TD "/operator/admin/Alice",
	TD "/operator/admin/a.b",
	TD "/operator/admin/a_b",
	TD "/operator/admin/*",
	TD "/operator/*/alice",
	TD "/operator/-/alice",
	TD "/operator/admin/alice-",
	TD "/rot/rot",
	TD "/rots",
	TD "/ro",
	TD "/any",
	TD "/signer",
};

Test(identity, every_odd_spelling_is_nobodys)
{
	for (size_t i = 0; i < SEAL_COUNT(odd); i++)
		expect_refused(odd[i], strlen(odd[i]));
}

Test(identity, every_truncation_that_is_no_shape_of_its_own_is_refused)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		const char *uri = good[i].uri;
		const char *last = strrchr(uri, '/') + 1;

		/* Shorter names at the end are names too; eggs and the root of trust have none. */
		for (size_t len = 0; len < strlen(uri); len++) {
			if (uri + len <= last || good[i].id.role == SEAL_ROLE_EGG ||
			    good[i].id.role == SEAL_ROLE_ROT)
				expect_refused(uri, len);
		}
	}
}

Test(identity, a_nul_is_no_end)
{
	static const char hidden[] = TD "/rot\0.evil";
	static const char in_name[] = TD "/workload/shop/peer/web\0x";
	static const char first[] = "\0" TD "/rot";

	expect_refused(hidden, sizeof(hidden) - 1);
	expect_refused(hidden, strlen(hidden) + 1);
	expect_refused(in_name, sizeof(in_name) - 1);
	expect_refused(in_name, strlen(in_name) + 1);
	expect_refused(first, sizeof(first) - 1);
}

Test(identity, every_foreign_byte_at_every_place_is_refused)
{
	static const char uri[] = TD "/workload/shop/peer/web";
	char copy[sizeof(uri)];

	for (size_t at = 0; at < sizeof(uri) - 1; at++) {
		for (int c = 0; c < 256; c++) {
			struct seal_identity id = { 0 };

			if (c != 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789-./:", c) != NULL)
				continue;
			memcpy(copy, uri, sizeof(uri));
			copy[at] = (char)c;
			if (seal_identity_parse(&id, copy, sizeof(uri) - 1, NULL) !=
				    SEAL_E_FORMAT ||
			    id.role != SEAL_ROLE_NONE)
				cr_assert_fail("byte %d at %zu", c, at);
		}
	}
}

Test(identity, the_longest_identity_fits_and_nothing_longer_is_read)
{
	char uri[1200];
	char back[SEAL_IDENTITY_URI_MAX];
	struct seal_identity id = { 0 };
	size_t len;

	/* A trust domain of 253 letters. */
	memcpy(uri, "spiffe://", 9);
	memset(uri + 9, 'x', 253);
	uri[9 + 63] = uri[9 + 127] = uri[9 + 191] = '.';
	len = 9 + 253 +
	      (size_t)snprintf(uri + 262, 300, "/workload/x%s%s/peer/x%s%s", X50, "xxxxxxxxx", X50,
			       "xxxxxxxxxxxx");
	cr_expect_eq(seal_identity_parse(&id, uri, len, NULL), 0);
	seal_identity_format(&id, back);
	cr_expect_str_eq(back, uri);
	memset(uri, 'x', sizeof(uri));
	memcpy(uri, "spiffe://", 9);
	for (len = 500; len < 520; len++)
		expect_refused(uri, len);
	expect_refused(uri, sizeof(uri));
}
