/* SPDX-License-Identifier: Apache-2.0 */
/* rot/signer: issues what it has checked, refuses every wrong combination, signs no bytes. */
#include "rot/signer/signer.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "base/x509/verify.h"
#include "rot/wire/wire.h"
#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

static struct rig_signer rig;
static int64_t now;
static struct rot_ca system_ca, shop_ca, bank_ca;
static struct seal_key *key;
static struct seal_bytes spki = SEAL_BYTES(4096);

static void
make_ca(const char *workload, struct rot_ca *ca)
{
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_new_ca(&rig.signer, workload, 1, now, ca, &err), 0, "%s", err.text);
}

static void
setup(void)
{
	struct seal_err err = { 0 };

	now = seal_clock_now();
	rig_signer_start(&rig, 7, RIG_DOMAIN);
	make_ca("", &system_ca);
	make_ca("shop", &shop_ca);
	make_ca("bank", &bank_ca);
	cr_assert_eq(seal_key_new(&key, &err), 0, "%s", err.text);
	cr_assert_eq(seal_key_spki(key, &spki, &err), 0, "%s", err.text);
}

static void
teardown(void)
{
	rot_ca_release(&system_ca);
	rot_ca_release(&shop_ca);
	rot_ca_release(&bank_ca);
	seal_key_free(key);
	seal_bytes_release(&spki);
	rig_signer_stop(&rig);
}

TestSuite(rot_signer, .init = setup, .fini = teardown);

static struct rot_issue
for_role(enum seal_role role)
{
	struct rot_issue issue = { .identity = { .role = role,
						 .trust_domain = RIG_DOMAIN,
						 .egg = "00112233445566778899aabbccddeeff",
						 .operator_role = "admin",
						 .operator_name = "alice",
						 .workload = "shop",
						 .peer = "web" },
				   .spki = &spki,
				   .serial = { 0x40, 1 },
				   .not_before = now - ROT_BACKDATE,
				   .not_after = now + 3600 };

	return issue;
}

static void
expect_refusal(const struct rot_ca *ca, const struct rot_issue *issue, const char *what)
{
	struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_err err = { 0 };
	int r = rot_signer_issue(&rig.signer, ca, issue, &pem, &err);

	cr_expect_lt(r, 0, "issued: %s", what);
	cr_expect_neq(r, SEAL_E_CLOSED, "the signer went away over: %s", what);
	cr_expect_neq(r, SEAL_E_BUG, "%s: %s", what, err.text);
	cr_expect_eq(pem.len, 0, "left something behind: %s", what);
	seal_bytes_release(&pem);
}

static struct seal_certs *
expect_issued(const struct rot_ca *ca, const struct rot_issue *issue)
{
	struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_certs *certs = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_issue(&rig.signer, ca, issue, &pem, &err), 0, "%s", err.text);
	cr_assert_eq(seal_certs_from_pem(&certs, seal_bytes_str(&pem), pem.len, SEAL_CHAIN_MAX_LEN,
					 &err),
		     0, "%s", err.text);
	seal_bytes_release(&pem);
	return certs;
}

static struct seal_certs *
anchors_of(const struct rot_ca *ca)
{
	struct seal_certs *certs = NULL;

	cr_assert_eq(seal_certs_from_pem(&certs, seal_bytes_str(&ca->cert), ca->cert.len,
					 SEAL_CHAIN_MAX_LEN, NULL),
		     0);
	return certs;
}

Test(rot_signer, issues_pods_that_pass_the_one_verification)
{
	struct seal_strv hostnames = pki_strv("web.example.com", "a.b.example.com", NULL);
	struct seal_strv allowed = pki_strv("web", NULL);
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct seal_certs *anchors = anchors_of(&shop_ca);
	struct seal_certs *certs;
	struct seal_peer peer;
	struct seal_err err = { 0 };
	const struct seal_peer_rules rules = { .anchors = anchors,
					       .trust_domain = RIG_DOMAIN,
					       .workload = "shop",
					       .allowed = &allowed };

	issue.dns = &hostnames;
	certs = expect_issued(&shop_ca, &issue);
	for (int side = SEAL_SIDE_CLIENT; side <= SEAL_SIDE_SERVER; side++)
		cr_expect_eq(
			seal_peer_verify(&peer, &rules, certs, (enum seal_side)side, now, &err), 0,
			"%s", err.text);
	cr_expect_str_eq(peer.uri, "spiffe://" RIG_DOMAIN "/workload/shop/peer/web");
	cr_expect_str_eq(peer.serial, "40010000000000000000000000000000");
	cr_expect(seal_cert_has_hostname(seal_certs_at(certs, 0), "web.example.com"));
	cr_expect(seal_cert_has_hostname(seal_certs_at(certs, 0), "a.b.example.com"));
	cr_expect_not(seal_cert_has_hostname(seal_certs_at(certs, 0), "b.example.com"));
	seal_certs_free(anchors);
	seal_certs_free(certs);
	seal_strv_release(&hostnames);
	seal_strv_release(&allowed);
}

static void
expect_role(enum seal_role role, enum seal_side side)
{
	struct rot_issue issue = for_role(role);
	struct seal_certs *certs = expect_issued(&system_ca, &issue);
	struct seal_certs *anchors = anchors_of(&system_ca);
	enum seal_side other = side == SEAL_SIDE_CLIENT ? SEAL_SIDE_SERVER : SEAL_SIDE_CLIENT;
	struct seal_identity identity = { 0 };
	struct seal_err err = { 0 };

	cr_expect_eq(seal_role_verify(&identity, anchors, RIG_DOMAIN, role, certs, side, now, &err),
		     0, "%s", err.text);
	cr_expect_eq(
		seal_role_verify(&identity, anchors, RIG_DOMAIN, role, certs, other, now, &err),
		SEAL_E_UNAUTH, "acts on the wrong side");
	seal_certs_free(certs);
	seal_certs_free(anchors);
}

Test(rot_signer, issues_the_system_roles_for_one_side_each)
{
	expect_role(SEAL_ROLE_ROT, SEAL_SIDE_SERVER);
	expect_role(SEAL_ROLE_EGG, SEAL_SIDE_CLIENT);
	expect_role(SEAL_ROLE_OPERATOR, SEAL_SIDE_CLIENT);
}

Test(rot_signer, keeps_cas_to_their_own)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);

	expect_refusal(&system_ca, &issue, "a pod under the system CA");
	expect_refusal(&bank_ca, &issue, "a pod under another workload's CA");
	issue = for_role(SEAL_ROLE_EGG);
	expect_refusal(&shop_ca, &issue, "an egg under a workload's CA");
	issue = for_role(SEAL_ROLE_OPERATOR);
	expect_refusal(&shop_ca, &issue, "an operator under a workload's CA");
	issue = for_role(SEAL_ROLE_ROT);
	expect_refusal(&shop_ca, &issue, "the RoT under a workload's CA");
}

Test(rot_signer, does_not_open_a_ca_under_another_name)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct rot_ca forged = bank_ca;

	/* Whether or not the right one is open already. */
	seal_certs_free(expect_issued(&shop_ca, &issue));
	(void)snprintf(forged.workload, sizeof(forged.workload), "shop");
	expect_refusal(&forged, &issue, "bank's CA called shop");
	forged = system_ca;
	(void)snprintf(forged.workload, sizeof(forged.workload), "shop");
	expect_refusal(&forged, &issue, "the system CA called shop");
	forged = shop_ca;
	forged.generation = 2;
	expect_refusal(&forged, &issue, "another generation");
	forged = shop_ca;
	forged.cert = bank_ca.cert;
	expect_refusal(&forged, &issue, "another CA's certificate");
	forged.cert = (struct seal_bytes){ 0 };
	expect_refusal(&forged, &issue, "no certificate");
}

Test(rot_signer, refuses_a_wrapped_key_with_any_bit_changed_or_cut)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct rot_ca forged = shop_ca;

	seal_certs_free(expect_issued(&shop_ca, &issue));
	for (size_t i = 0; i < shop_ca.wrapped.len; i++) {
		shop_ca.wrapped.data[i] ^= (uint8_t)(1u << (i % 8));
		expect_refusal(&shop_ca, &issue, "an altered wrapped key");
		shop_ca.wrapped.data[i] ^= (uint8_t)(1u << (i % 8));
	}
	for (size_t len = 0; len < shop_ca.wrapped.len; len++) {
		forged.wrapped.len = len;
		expect_refusal(&forged, &issue, "a wrapped key cut short");
	}
	seal_certs_free(expect_issued(&shop_ca, &issue));
}

Test(rot_signer, issues_for_more_cas_than_it_keeps_open)
{
	static struct rot_ca cas[ROT_SIGNER_MAX_KEPT + 10];
	struct rot_issue issue = for_role(SEAL_ROLE_POD);

	(void)alarm(120);
	for (size_t i = 0; i < 2 * SEAL_COUNT(cas); i++) {
		struct rot_ca *ca = &cas[i % SEAL_COUNT(cas)];
		char name[32];

		(void)snprintf(name, sizeof(name), "workload-%zu", i % SEAL_COUNT(cas));
		if (i < SEAL_COUNT(cas))
			make_ca(name, ca);
		(void)snprintf(issue.identity.workload, sizeof(issue.identity.workload), "%s",
			       name);
		seal_certs_free(expect_issued(ca, &issue));
		expect_refusal(&shop_ca, &issue, "another workload's CA");
	}
	for (size_t i = 0; i < SEAL_COUNT(cas); i++)
		rot_ca_release(&cas[i]);
}

Test(rot_signer, wraps_keys_so_that_they_cannot_be_read)
{
	cr_expect_null(memmem(shop_ca.wrapped.data, shop_ca.wrapped.len, "PRIVATE", 7));
	cr_expect_gt(shop_ca.wrapped.len, 100);
}

Test(rot_signer, with_another_kek_or_trust_domain_opens_nothing)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct seal_bytes wrapped = SEAL_BYTES(4096);
	struct seal_secret *secret = NULL;
	struct seal_err err = { 0 };
	struct rig_signer first = rig;

	cr_assert_eq(rot_signer_new_secret(&rig.signer, "statement", &wrapped, &err), 0);
	rig_signer_start(&rig, 8, RIG_DOMAIN);
	expect_refusal(&shop_ca, &issue, "a wrong key-encryption key");
	cr_expect_eq(rot_signer_open_secret(&rig.signer, "statement", &wrapped, &secret, &err),
		     SEAL_E_UNAUTH);
	rig_signer_stop(&rig);
	rig_signer_start(&rig, 7, "other.example.com");
	(void)snprintf(issue.identity.trust_domain, sizeof(issue.identity.trust_domain),
		       "other.example.com");
	expect_refusal(&shop_ca, &issue, "another trust domain");
	cr_expect_eq(rot_signer_open_secret(&rig.signer, "statement", &wrapped, &secret, &err),
		     SEAL_E_UNAUTH);
	cr_expect_null(secret);
	rig_signer_stop(&rig);
	rig = first;
	seal_bytes_release(&wrapped);
}

Test(rot_signer, refuses_identities_that_are_none)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);

	(void)snprintf(issue.identity.trust_domain, sizeof(issue.identity.trust_domain),
		       "other.example.com");
	expect_refusal(&shop_ca, &issue, "another trust domain");
	issue = for_role(SEAL_ROLE_POD);
	(void)snprintf(issue.identity.peer, sizeof(issue.identity.peer), "rot");
	expect_refusal(&shop_ca, &issue, "a reserved peer");
	(void)snprintf(issue.identity.peer, sizeof(issue.identity.peer), "*");
	expect_refusal(&shop_ca, &issue, "every peer");
	issue.identity.peer[0] = '\0';
	expect_refusal(&shop_ca, &issue, "no peer");
	(void)snprintf(issue.identity.peer, sizeof(issue.identity.peer), "web/x");
	expect_refusal(&shop_ca, &issue, "a slash in the peer");
	issue = for_role(SEAL_ROLE_EGG);
	issue.identity.egg[3] = 'X';
	expect_refusal(&system_ca, &issue, "an egg id that is none");
	issue = for_role(SEAL_ROLE_OPERATOR);
	(void)snprintf(issue.identity.operator_role, sizeof(issue.identity.operator_role), "god");
	expect_refusal(&system_ca, &issue, "a role that is none");
	issue = for_role(SEAL_ROLE_NONE);
	expect_refusal(&system_ca, &issue, "no identity");
}

static void
expect_life(enum seal_role role, int64_t seconds, bool allowed)
{
	const struct rot_ca *ca = role == SEAL_ROLE_POD ? &shop_ca : &system_ca;
	struct rot_issue issue = for_role(role);

	issue.not_after = now + seconds;
	if (allowed)
		seal_certs_free(expect_issued(ca, &issue));
	else
		expect_refusal(ca, &issue, "a lifetime out of bounds");
}

Test(rot_signer, keeps_lifetimes_within_their_limits)
{
	expect_life(SEAL_ROLE_POD, ROT_MIN_LIFETIME - 1, false);
	expect_life(SEAL_ROLE_POD, ROT_MIN_LIFETIME, true);
	expect_life(SEAL_ROLE_POD, ROT_MAX_LIFETIME, true);
	expect_life(SEAL_ROLE_POD, ROT_MAX_LIFETIME + 1, false);
	expect_life(SEAL_ROLE_EGG, 0, false);
	expect_life(SEAL_ROLE_EGG, 1, true);
	expect_life(SEAL_ROLE_EGG, 366 * 86400, true);
	expect_life(SEAL_ROLE_EGG, 366 * 86400 + 1, false);
	expect_life(SEAL_ROLE_OPERATOR, 365 * 86400, true);
	expect_life(SEAL_ROLE_OPERATOR, 367 * 86400, false);
	expect_life(SEAL_ROLE_ROT, 7 * 86400, true);
	expect_life(SEAL_ROLE_ROT, 31 * 86400, false);
	expect_life(SEAL_ROLE_POD, -3600, false);
	expect_life(SEAL_ROLE_POD, INT64_MAX - now, false);
}

Test(rot_signer, dates_nothing_ahead_or_back)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct rot_ca ca = { 0 };

	issue.not_before += 3600;
	issue.not_after += 3600;
	expect_refusal(&shop_ca, &issue, "a certificate for later");
	issue.not_before -= 7200;
	issue.not_after -= 7200;
	expect_refusal(&shop_ca, &issue, "a certificate of the past");
	issue.not_before = -1;
	expect_refusal(&shop_ca, &issue, "a time before 1970");
	cr_expect_lt(rot_signer_new_ca(&rig.signer, "later", 1, now + 3600, &ca, NULL), 0);
	cr_expect_lt(rot_signer_new_ca(&rig.signer, "never", 1, 0, &ca, NULL), 0);
}

/* A machine whose clock was never set. */
static int64_t
stopped_clock(void)
{
	return 0;
}

Test(rot_signer, refuses_without_a_believable_clock)
{
	struct rot_signer_state state = rig.state;
	struct seal_bytes message = SEAL_BYTES(1024), reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };

	state.clock = stopped_clock;
	seal_put_u8(&w, ROT_OP_NEW_CA);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 1);
	seal_put_u64(&w, 0);
	rot_signer_answer(&state, message.data, message.len, &reply);
	cr_expect_neq(reply.data[0], 0, "made a CA in 1970");
	seal_bytes_release(&message);
	seal_bytes_release(&reply);
}

static void
expect_names_refused(enum seal_role role, bool as_ips, const char *what, const char *first, ...)
{
	struct rot_issue issue = for_role(role);
	struct seal_strv names = { 0 };
	va_list args;

	va_start(args, first);
	for (const char *name = first; name != NULL; name = va_arg(args, const char *))
		cr_assert_eq(seal_strv_add(&names, name, NULL), 0);
	va_end(args);
	if (as_ips)
		issue.ips = &names;
	else
		issue.dns = &names;
	expect_refusal(role == SEAL_ROLE_POD ? &shop_ca : &system_ca, &issue, what);
	seal_strv_release(&names);
}

Test(rot_signer, refuses_names_that_are_not_granted_by_any_rule)
{
	expect_names_refused(SEAL_ROLE_POD, false, "a peer name as host name", "db", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "any as host name", "any", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "a wildcard", "*.example.com", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "upper case", "Web.example.com", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "an empty name", "", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "a dot at the end", "web.example.com.", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "an address", "10.0.0.1", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "a line break", "web.example.com\nx", NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "one good, one bad", "web.example.com", "bad",
			     NULL);
	expect_names_refused(SEAL_ROLE_POD, false, "a name twice", "web.example.com",
			     "web.example.com", NULL);
	expect_names_refused(SEAL_ROLE_POD, true, "a pod's address", "10.0.0.1", NULL);
	expect_names_refused(SEAL_ROLE_EGG, false, "an egg's host name", "web.example.com", NULL);
	expect_names_refused(SEAL_ROLE_EGG, true, "an egg's address", "10.0.0.1", NULL);
	expect_names_refused(SEAL_ROLE_OPERATOR, false, "an operator's host name",
			     "web.example.com", NULL);
	expect_names_refused(SEAL_ROLE_ROT, false, "the RoT by a wildcard", "*.example.com", NULL);
	expect_names_refused(SEAL_ROLE_ROT, true, "the RoT by no address", "example", NULL);
}

Test(rot_signer, refuses_more_host_names_than_a_pod_may_have)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct seal_strv names = { 0 };
	char name[64];

	for (int i = 0; i < ROT_MAX_HOSTNAMES; i++) {
		(void)snprintf(name, sizeof(name), "h%d.example.com", i);
		cr_assert_eq(seal_strv_add(&names, name, NULL), 0);
	}
	issue.dns = &names;
	seal_certs_free(expect_issued(&shop_ca, &issue));
	cr_assert_eq(seal_strv_add(&names, "more.example.com", NULL), 0);
	expect_refusal(&shop_ca, &issue, "33 host names");
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "m%d.example.com", i);
		cr_assert_eq(seal_strv_add(&names, name, NULL), 0);
	}
	expect_refusal(&shop_ca, &issue, "more names than a message holds");
	seal_strv_release(&names);
}

Test(rot_signer, takes_positive_serial_numbers_only)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);

	memset(issue.serial, 0, sizeof(issue.serial));
	expect_refusal(&shop_ca, &issue, "zero");
	issue.serial[0] = 0x80;
	expect_refusal(&shop_ca, &issue, "a negative number");
}

Test(rot_signer, certifies_p256_keys_only_and_never_the_cas_own)
{
	struct rot_issue issue = for_role(SEAL_ROLE_POD);
	struct seal_bytes other = SEAL_BYTES(4096);
	struct seal_certs *anchors = anchors_of(&shop_ca);
	struct seal_key *ca_key = NULL;

	issue.spki = &other;
	expect_refusal(&shop_ca, &issue, "no key");
	cr_assert_eq(seal_bytes_append_str(&other, "not a key", NULL), 0);
	expect_refusal(&shop_ca, &issue, "text for a key");
	seal_bytes_reset(&other);
	cr_assert_eq(seal_bytes_append(&other, spki.data, spki.len, NULL), 0);
	cr_assert_eq(seal_bytes_append(&other, "x", 1, NULL), 0);
	expect_refusal(&shop_ca, &issue, "a key and more");
	seal_bytes_reset(&other);
	cr_assert_eq(seal_cert_key(seal_certs_at(anchors, 0), &ca_key, NULL), 0);
	cr_assert_eq(seal_key_spki(ca_key, &other, NULL), 0);
	expect_refusal(&shop_ca, &issue, "the CA's own key");
	seal_key_free(ca_key);
	seal_certs_free(anchors);
	seal_bytes_release(&other);
}

Test(rot_signer, makes_no_ca_of_a_wrong_name_or_generation)
{
	static const char *const names[] = { "sh", "Shop", "1shop", "shop/x", "shop\n" };
	struct rot_ca ca = { 0 };
	struct seal_err err = { 0 };

	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		cr_expect_lt(rot_signer_new_ca(&rig.signer, names[i], 1, now, &ca, &err), 0,
			     "made a CA for '%s'", names[i]);
	cr_expect_lt(rot_signer_new_ca(&rig.signer, "shop", 0, now, &ca, &err), 0);
	cr_expect_lt(rot_signer_new_ca(&rig.signer, "shop", 1000, now, &ca, &err), 0);
	cr_expect_null(ca.cert.data);
}

Test(rot_signer, hands_out_one_secret_only)
{
	struct seal_bytes wrapped = SEAL_BYTES(4096);
	struct seal_secret *secret = NULL, *again = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_new_secret(&rig.signer, "statement", &wrapped, &err), 0, "%s",
		     err.text);
	cr_assert_eq(rot_signer_open_secret(&rig.signer, "statement", &wrapped, &secret, &err), 0);
	cr_expect_eq(seal_secret_len(secret), SEAL_KEY_LEN);
	cr_assert_eq(rot_signer_open_secret(&rig.signer, "statement", &wrapped, &again, &err), 0);
	cr_expect(seal_secret_equal(secret, again));
	cr_expect_null(memmem(wrapped.data, wrapped.len, seal_secret_peek(secret), SEAL_KEY_LEN));
	seal_secret_free(again);
	again = NULL;
	cr_expect_lt(rot_signer_open_secret(&rig.signer, "other", &wrapped, &again, &err), 0);
	cr_expect_lt(rot_signer_open_secret(&rig.signer, "", &wrapped, &again, &err), 0);
	cr_expect_lt(rot_signer_new_secret(&rig.signer, "other", &wrapped, &err), 0);
	cr_expect_lt(
		rot_signer_open_secret(&rig.signer, "statement", &shop_ca.wrapped, &again, &err), 0,
		"a CA's key was handed out as a secret");
	cr_expect_null(again);
	seal_secret_free(secret);
	seal_bytes_release(&wrapped);
}

Test(rot_signer, knows_eleven_messages_and_none_that_signs_bytes)
{
	struct seal_bytes message = SEAL_BYTES(1024);
	struct seal_writer w = { .out = &message };

	seal_put_u8(&w, 0);
	seal_put_block(&w, "sign this", 9);
	seal_put_str(&w, "shop");
	for (unsigned op = 0; op < 256; op++) {
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

		message.data[0] = (uint8_t)op;
		rot_signer_answer(&rig.state, message.data, message.len, &reply);
		cr_assert_gt(reply.len, 0);
		cr_expect_neq(reply.data[0], 0, "operation %u was carried out", op);
		if (op < ROT_OP_NEW_CA || op > ROT_OP_SIGN_HEAD)
			cr_expect_eq(reply.data[0], (uint8_t)-SEAL_E_REFUSED, "operation %u", op);
		seal_bytes_release(&reply);
	}
	seal_bytes_release(&message);
}

/* A good message for each operation; the reader is expected to want all of it and no more. */
static void
expect_exact(const struct seal_bytes *message)
{
	struct seal_bytes longer = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

	for (size_t len = 0; len <= message->len; len++) {
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

		rot_signer_answer(&rig.state, message->data, len, &reply);
		cr_assert_gt(reply.len, 0);
		cr_expect_eq(reply.data[0] == 0, len == message->len,
			     "operation %u with %zu of %zu bytes", message->data[0], len,
			     message->len);
		seal_bytes_release(&reply);
	}
	cr_assert_eq(seal_bytes_append(&longer, message->data, message->len, NULL), 0);
	cr_assert_eq(seal_bytes_append(&longer, "", 1, NULL), 0);
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	rot_signer_answer(&rig.state, longer.data, longer.len, &reply);
	cr_expect_neq(reply.data[0], 0, "operation %u with a byte too many", message->data[0]);
	seal_bytes_release(&reply);
	seal_bytes_release(&longer);
}

Test(rot_signer, refuses_every_truncation_and_every_addition)
{
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };
	const uint8_t serial[16] = { 0x40 };

	seal_put_u8(&w, ROT_OP_NEW_CA);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 1);
	seal_put_u64(&w, (uint64_t)now);
	expect_exact(&message);
	seal_bytes_reset(&message);

	seal_put_u8(&w, ROT_OP_ISSUE);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 1);
	seal_put_block(&w, shop_ca.cert.data, shop_ca.cert.len);
	seal_put_block(&w, shop_ca.wrapped.data, shop_ca.wrapped.len);
	seal_put_str(&w, "spiffe://" RIG_DOMAIN "/workload/shop/peer/web");
	seal_put_u32(&w, 1);
	seal_put_str(&w, "web.example.com");
	seal_put_u32(&w, 0);
	seal_put_block(&w, spki.data, spki.len);
	seal_put_block(&w, serial, sizeof(serial));
	seal_put_u64(&w, (uint64_t)(now - ROT_BACKDATE));
	seal_put_u64(&w, (uint64_t)(now + 3600));
	expect_exact(&message);
	seal_bytes_reset(&message);

	seal_put_u8(&w, ROT_OP_NEW_SECRET);
	seal_put_str(&w, "statement");
	expect_exact(&message);
	seal_bytes_release(&message);
}

Test(rot_signer, state_takes_keys_of_the_right_length_only)
{
	struct rot_signer_state state;
	struct seal_secret *kek = NULL;

	cr_assert_eq(seal_secret_new(&kek, 16, NULL), 0);
	cr_expect_eq(rot_signer_state_init(&state, kek, RIG_DOMAIN, NULL), SEAL_E_FORMAT);
	seal_secret_free(kek);
	cr_assert_eq(seal_secret_new(&kek, 32, NULL), 0);
	cr_expect_lt(rot_signer_state_init(&state, kek, "not a domain", NULL), 0);
	seal_secret_free(kek);
}

/* ---- the process ---- */

static struct rot_signer *
fork_signer(void)
{
	struct rot_signer *signer = NULL;
	struct seal_secret *kek = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(seal_secret_new(&kek, SEAL_KEY_LEN, &err), 0);
	memset(seal_secret_bytes(kek), 9, SEAL_KEY_LEN);
	cr_assert_eq(rot_signer_start(&signer, &kek, RIG_DOMAIN, &err), 0, "%s", err.text);
	cr_expect_null(kek, "the caller still holds the key");
	return signer;
}

Test(rot_signer_process, serves_over_its_socket)
{
	struct rot_signer *signer = fork_signer();
	struct rot_ca ca = { 0 };
	struct seal_err err = { 0 };

	cr_expect_eq(rot_signer_new_ca(signer, "shop", 1, seal_clock_now(), &ca, &err), 0, "%s",
		     err.text);
	cr_expect_eq(rot_signer_new_ca(signer, "SHOP", 1, seal_clock_now(), &ca, &err),
		     SEAL_E_FORMAT);
	rot_ca_release(&ca);
	rot_signer_free(signer);
}

Test(rot_signer_process, keeps_no_descriptor_but_its_socket_and_standard_error)
{
	struct rot_signer *signer = fork_signer();
	struct rot_ca ca = { 0 };
	char path[64];
	DIR *fds;
	unsigned above = 0;

	/* One answer proves that it has settled. */
	cr_assert_eq(rot_signer_new_ca(signer, "shop", 1, seal_clock_now(), &ca, NULL), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)signer->pid);
	fds = opendir(path);
	cr_assert_not_null(fds);
	for (struct dirent *entry = readdir(fds); entry != NULL; entry = readdir(fds))
		above += entry->d_name[0] != '.' &&
			 (strlen(entry->d_name) > 1 || entry->d_name[0] > '3');
	(void)closedir(fds);
	cr_expect_eq(above, 0, "%u more descriptors", above);
	rot_ca_release(&ca);
	rot_signer_free(signer);
}

Test(rot_signer_process, that_was_killed_is_noticed_and_fails_every_call)
{
	struct rot_signer *signer = fork_signer();
	struct pollfd poller = { .fd = rot_signer_fd(signer), .events = POLLIN };
	struct rot_ca ca = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(kill(signer->pid, SIGKILL), 0);
	cr_expect_eq(poll(&poller, 1, 5000), 1, "nothing to be seen on the descriptor");
	for (int i = 0; i < 2; i++)
		cr_expect_eq(rot_signer_new_ca(signer, "shop", 1, seal_clock_now(), &ca, &err),
			     SEAL_E_CLOSED, "%s", err.text);
	cr_expect_null(ca.cert.data);
	rot_signer_free(signer);
}

Test(rot_signer_process, ignores_the_terminals_signals_and_ends_with_its_server)
{
	struct rot_signer *signer = fork_signer();
	struct rot_ca ca = { 0 };
	pid_t pid = signer->pid;

	cr_assert_eq(rot_signer_new_ca(signer, "shop", 1, seal_clock_now(), &ca, NULL), 0);
	rot_ca_release(&ca);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	cr_assert_eq(kill(pid, SIGINT), 0);
	cr_expect_eq(rot_signer_new_ca(signer, "shop", 1, seal_clock_now(), &ca, NULL), 0);
	rot_ca_release(&ca);
	rot_signer_free(signer);
	cr_expect(kill(pid, 0) < 0 && errno == ESRCH, "it lives on");
}

Test(rot_signer_process, dies_when_its_server_is_killed)
{
	int fds[2];
	pid_t server, signer = 0;
	bool gone = false;

	cr_assert_eq(pipe(fds), 0);
	server = fork();
	if (server == 0) {
		struct rot_signer *mine = fork_signer();
		struct rot_ca ca = { 0 };

		if (rot_signer_new_ca(mine, "shop", 1, seal_clock_now(), &ca, NULL) < 0 ||
		    write(fds[1], &mine->pid, sizeof(mine->pid)) < 0)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	cr_assert_eq(read(fds[0], &signer, sizeof(signer)), (ssize_t)sizeof(signer));
	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert_eq(waitpid(server, NULL, 0), server);
	for (int i = 0; !gone && i < 500; i++) {
		char path[64], state[256] = "";
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)signer);
		file = fopen(path, "r");
		/* Where nobody reaps orphans it stays as a zombie: dead all the same. */
		if (file == NULL || fgets(state, sizeof(state), file) == NULL ||
		    strstr(state, ") Z ") != NULL)
			gone = true;
		if (file != NULL)
			(void)fclose(file);
		(void)usleep(10000);
	}
	cr_expect(gone, "the signer outlived its server");
}

/* What a subverted signer would try; the number of the first attempt that succeeds, 0 for none. */
static int
try_to_break_out(void)
{
	char name[] = "true";
	char *const argv[] = { name, NULL };

	if (open("/etc/passwd", O_RDONLY) >= 0)
		return 1;
	if (open("/tmp/stolen", O_WRONLY | O_CREAT, 0600) >= 0)
		return 2;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		return 3;
	if (syscall(SYS_clone, 17, 0, 0, 0, 0) >= 0)
		return 4;
	if (execve("/bin/true", argv, &argv[1]) == 0 || kill(getppid(), 0) == 0)
		return 5;
	if (syscall(SYS_ptrace, 0, 0, 0, 0) >= 0 || prctl(PR_SET_DUMPABLE, 1) >= 0)
		return 6;
	return 0;
}

Test(rot_signer_process, once_confined_reaches_nothing_but_its_socket)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		if (!rot_signer_confine())
			_exit(99);
		_exit(try_to_break_out());
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status), "killed by %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == 99)
		cr_skip_test("no system call filter on this machine");
	cr_expect_eq(WEXITSTATUS(status), 0, "attempt %d succeeded", WEXITSTATUS(status));
}

Test(rot_signer_process, serves_confined)
{
	struct rot_signer *signer = fork_signer();
	struct rot_ca ca = { 0 };
	char path[64], line[256];
	bool filtered = false;
	FILE *status;

	cr_assert_eq(rot_signer_new_ca(signer, "shop", 1, seal_clock_now(), &ca, NULL), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)signer->pid);
	status = fopen(path, "r");
	cr_assert_not_null(status);
	while (fgets(line, sizeof(line), status) != NULL)
		filtered = filtered || strcmp(line, "Seccomp:\t2\n") == 0;
	(void)fclose(status);
#if defined(__x86_64__) || defined(__aarch64__)
	cr_expect(filtered, "the signer's system calls are not filtered");
#endif
	rot_ca_release(&ca);
	rot_signer_free(signer);
}

Test(rot_signer_process, is_not_started_with_a_key_of_the_wrong_length)
{
	struct rot_signer *signer = NULL;
	struct seal_secret *kek = NULL;

	cr_assert_eq(seal_secret_new(&kek, 31, NULL), 0);
	cr_expect_eq(rot_signer_start(&signer, &kek, RIG_DOMAIN, NULL), SEAL_E_FORMAT);
	cr_expect_null(signer);
	cr_expect_null(kek);
}
