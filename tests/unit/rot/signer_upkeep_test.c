/* SPDX-License-Identifier: Apache-2.0 */
/* rot/signer: CAs certified again, heads of the audit log, another key-encryption key; and nothing beyond these. */
#include <criterion/criterion.h>

#include "base/x509/verify.h"
#include "rot/audit/tree.h"
#include "rot/signer/signer.h"
#include "rot/wire/wire.h"
#include "tests/support/pki.h"
#include "tests/unit/rot/rig.h"

#define LOG   "00112233445566778899aabbccddeeff"
#define OTHER "ffeeddccbbaa99887766554433221100"

static struct rig_signer rig;
static int64_t now;
static struct rot_ca shop_ca, system_ca;
static struct rot_root shop_root;
static struct seal_bytes audit_key = SEAL_BYTES(4096), statement = SEAL_BYTES(4096);
static struct seal_bytes out = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

static void
setup(void)
{
	struct seal_err err = { 0 };

	now = seal_clock_now();
	rig_signer_start(&rig, 7, RIG_DOMAIN);
	cr_assert_eq(rot_signer_new_ca(&rig.signer, "shop", 3, now, &shop_ca, &err), 0, "%s",
		     err.text);
	cr_assert_eq(rot_signer_new_ca(&rig.signer, "", 1, now, &system_ca, &err), 0);
	cr_assert_eq(rot_signer_new_root(&rig.signer, "shop", 2, &shop_root, &err), 0);
	cr_assert_eq(rot_signer_new_secret(&rig.signer, "statement", &statement, &err), 0);
	cr_assert_eq(rot_signer_new_audit_key(&rig.signer, LOG, &audit_key, &err), 0, "%s",
		     err.text);
}

static void
teardown(void)
{
	rot_ca_release(&shop_ca);
	rot_ca_release(&system_ca);
	rot_root_release(&shop_root);
	seal_bytes_release(&audit_key);
	seal_bytes_release(&statement);
	seal_bytes_release(&out);
	rig_signer_stop(&rig);
}

TestSuite(rot_signer_upkeep, .init = setup, .fini = teardown);

/* ---- CAs ---- */

static struct seal_certs *
certs_of(const struct seal_bytes *pem)
{
	struct seal_certs *certs = NULL;

	cr_assert_eq(seal_certs_from_pem(&certs, seal_bytes_str(pem), pem->len, SEAL_CHAIN_MAX_LEN,
					 NULL),
		     0);
	cr_assert_eq(seal_certs_count(certs), 1);
	return certs;
}

static struct rot_ca
renewed(const struct rot_ca *ca)
{
	struct rot_ca again = *ca;
	struct seal_err err = { 0 };

	seal_bytes_init(&again.cert, ROT_SIGNER_PACKET_MAX);
	cr_assert_eq(rot_signer_renew_ca(&rig.signer, ca, now, &again.cert, &err), 0, "%s",
		     err.text);
	return again;
}

static void
expect_no_renewal(const struct rot_ca *ca, int64_t when, const char *what)
{
	struct seal_err err = { 0 };
	int r = rot_signer_renew_ca(&rig.signer, ca, when, &out, &err);

	cr_expect_lt(r, 0, "renewed: %s", what);
	cr_expect_neq(r, SEAL_E_CLOSED, "the signer went away over: %s", what);
	cr_expect_eq(out.len, 0, "left something behind: %s", what);
}

/* A certificate under one of the two, held against the other alone. */
static void
expect_trusted(const struct rot_ca *issuer, const struct rot_ca *anchor)
{
	struct seal_certs *anchors = certs_of(&anchor->cert), *certs;
	struct seal_bytes spki = SEAL_BYTES(1024), pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_strv allowed = pki_strv("web", NULL);
	const struct seal_peer_rules rules = { .anchors = anchors,
					       .trust_domain = RIG_DOMAIN,
					       .workload = "shop",
					       .allowed = &allowed };
	const struct rot_issue issue = { .identity = { .role = SEAL_ROLE_POD,
						       .trust_domain = RIG_DOMAIN,
						       .workload = "shop",
						       .peer = "web" },
					 .spki = &spki,
					 .serial = { 0x40, 1 },
					 .not_before = now - ROT_BACKDATE,
					 .not_after = now + 3600 };
	struct seal_key *key = NULL;
	struct seal_err err = { 0 };
	struct seal_peer peer;

	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	cr_assert_eq(rot_signer_issue(&rig.signer, issuer, &issue, &pem, &err), 0, "%s", err.text);
	certs = certs_of(&pem);
	cr_expect_eq(seal_peer_verify(&peer, &rules, certs, SEAL_SIDE_CLIENT, now, &err), 0, "%s",
		     err.text);
	seal_key_free(key);
	seal_certs_free(certs);
	seal_certs_free(anchors);
	seal_strv_release(&allowed);
	seal_bytes_release(&spki);
	seal_bytes_release(&pem);
}

Test(rot_signer_upkeep, a_renewed_ca_is_the_same_ca_with_another_ten_years)
{
	struct rot_ca again = renewed(&shop_ca);
	struct seal_certs *before = certs_of(&shop_ca.cert), *after = certs_of(&again.cert);
	char name[2][64], serial[2][SEAL_SERIAL_LEN + 1];
	struct seal_key *keys[2] = { NULL, NULL };
	int64_t from = 0, to = 0;

	seal_cert_common_name(seal_certs_at(before, 0), name[0], sizeof(name[0]));
	seal_cert_common_name(seal_certs_at(after, 0), name[1], sizeof(name[1]));
	cr_expect_str_eq(name[0], "shop 3");
	cr_expect_str_eq(name[1], name[0]);
	cr_assert_eq(seal_cert_key(seal_certs_at(before, 0), &keys[0], NULL), 0);
	cr_assert_eq(seal_cert_key(seal_certs_at(after, 0), &keys[1], NULL), 0);
	cr_expect(seal_key_same_public(keys[0], keys[1]));
	cr_assert_eq(seal_cert_times(seal_certs_at(after, 0), &from, &to, NULL), 0);
	cr_expect_eq(from, now - ROT_BACKDATE);
	cr_expect_eq(to, now + ROT_SIGNER_CA_LIFETIME);
	cr_expect(seal_cert_is_ca(seal_certs_at(after, 0)));
	cr_assert_eq(seal_cert_serial(seal_certs_at(before, 0), serial[0], NULL), 0);
	cr_assert_eq(seal_cert_serial(seal_certs_at(after, 0), serial[1], NULL), 0);
	cr_expect_str_neq(serial[0], serial[1]);
	seal_key_free(keys[0]);
	seal_key_free(keys[1]);
	seal_certs_free(before);
	seal_certs_free(after);
	seal_bytes_release(&again.cert);
}

Test(rot_signer_upkeep, what_either_certificate_of_a_ca_issued_is_good_under_both)
{
	struct rot_ca again = renewed(&shop_ca);

	expect_trusted(&shop_ca, &shop_ca);
	expect_trusted(&shop_ca, &again);
	expect_trusted(&again, &shop_ca);
	expect_trusted(&again, &again);
	seal_bytes_release(&again.cert);
}

Test(rot_signer_upkeep, the_system_ca_is_renewed_again_and_again)
{
	struct rot_ca second = renewed(&system_ca), third = renewed(&second);

	cr_expect_gt(third.cert.len, 0);
	seal_bytes_release(&second.cert);
	seal_bytes_release(&third.cert);
}

Test(rot_signer_upkeep, no_ca_is_renewed_under_another_name_key_or_time)
{
	struct rot_ca lie = shop_ca;

	lie.generation = 4;
	expect_no_renewal(&lie, now, "another generation");
	lie = shop_ca;
	(void)snprintf(lie.workload, sizeof(lie.workload), "bank");
	expect_no_renewal(&lie, now, "another workload");
	lie = shop_ca;
	lie.workload[0] = '\0';
	expect_no_renewal(&lie, now, "a workload's CA as the system CA");
	lie = shop_ca;
	lie.cert = system_ca.cert;
	expect_no_renewal(&lie, now, "another CA's certificate");
	lie = shop_ca;
	lie.wrapped = system_ca.wrapped;
	expect_no_renewal(&lie, now, "another CA's key");
	lie = shop_ca;
	lie.wrapped = audit_key;
	expect_no_renewal(&lie, now, "the audit log's key");
	expect_no_renewal(&shop_ca, now + 2 * ROT_SIGNER_SKEW, "ahead of time");
	expect_no_renewal(&shop_ca, now - 2 * ROT_SIGNER_SKEW, "behind time");
	expect_no_renewal(&shop_ca, -1, "before all time");
	expect_no_renewal(&shop_ca, INT64_MAX, "after all time");
}

/* The CA's own key under another name, or as a certificate that is no CA's: only the signer could have made it. */
Test(rot_signer_upkeep, no_ca_is_renewed_over_a_certificate_that_is_not_its_own_in_name_and_kind)
{
	static const struct {
		enum seal_cert_kind kind;
		const char *name;
		bool good;
	} tries[] = { { SEAL_CERT_CA, "shop 3", true },
		      { SEAL_CERT_CA, "shop 4", false },
		      { SEAL_CERT_CA, "seal system 3", false },
		      { SEAL_CERT_CLIENT, "shop 3", false } };
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	SEAL_SCOPED(seal_key_freep) struct seal_key *key = NULL;
	const struct rot_signer_name name = { ROT_BLOB_CA, "shop", 3 };

	cr_assert_eq(rot_signer_unwrap_as(&pem, &rig.state, &name, shop_ca.wrapped.data,
					  shop_ca.wrapped.len, NULL),
		     0);
	cr_assert_eq(seal_key_from_pem(&key, pem, NULL), 0);
	for (size_t i = 0; i < SEAL_COUNT(tries); i++) {
		SEAL_SCOPED(seal_cert_freep) struct seal_cert *cert = NULL;
		const struct seal_cert_spec spec = { .kind = tries[i].kind,
						     .common_name = tries[i].name,
						     .not_before = now - 60,
						     .not_after = now + 60 };
		struct rot_ca lie = shop_ca;

		seal_bytes_init(&lie.cert, SEAL_CHAIN_MAX_LEN);
		cr_assert_eq(seal_cert_issue(&cert, &spec, key, NULL, key, NULL), 0);
		cr_assert_eq(seal_cert_to_pem(cert, &lie.cert, NULL), 0);
		if (tries[i].good)
			cr_expect_eq(rot_signer_renew_ca(&rig.signer, &lie, now, &out, NULL), 0);
		else
			expect_no_renewal(&lie, now, tries[i].name);
		seal_bytes_reset(&out);
		seal_bytes_release(&lie.cert);
	}
}

/* ---- heads ---- */

static struct audit_head
head_of(uint64_t size, uint8_t root)
{
	struct audit_head head = { .log = LOG, .size = size, .time = now };

	memset(head.root, root, sizeof(head.root));
	return head;
}

static int
sign(const struct audit_head *head, const struct seal_bytes *wrapped)
{
	struct seal_err err = { 0 };

	seal_bytes_reset(&out);
	return rot_signer_sign_head(&rig.signer, wrapped, head, &out, &err);
}

static void
expect_unsigned(const struct audit_head *head, const struct seal_bytes *wrapped, int code,
		const char *what)
{
	cr_expect_eq(sign(head, wrapped), code, "signed: %s", what);
	cr_expect_eq(out.len, 0, "left something behind: %s", what);
}

Test(rot_signer_upkeep, signs_heads_that_its_public_key_verifies)
{
	struct audit_head head = head_of(500, 0xab), read = { 0 };
	struct seal_key *key = NULL;
	uint8_t id[SEAL_HASH_LEN];
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_audit_public(&rig.signer, LOG, &audit_key, &key, &err), 0, "%s",
		     err.text);
	cr_assert_eq(seal_key_id(key, id, NULL), 0);
	cr_assert_eq(sign(&head, &audit_key), 0);
	cr_assert_eq(audit_head_parse(&read, out.data, out.len, &err), 0, "%s", err.text);
	cr_expect_str_eq(read.log, LOG);
	cr_expect_eq(read.size, 500);
	cr_expect_eq(read.time, now);
	cr_expect_arr_eq(read.root, head.root, sizeof(head.root));
	cr_expect_arr_eq(read.key_id, id, sizeof(id), "another key than it shows");
	seal_key_free(key);
}

Test(rot_signer_upkeep, never_takes_a_head_back)
{
	struct audit_head first = head_of(500, 1), other = head_of(500, 2),
			  shorter = head_of(499, 1), longer = head_of(501, 3),
			  empty = head_of(0, 9);

	cr_assert_eq(sign(&first, &audit_key), 0);
	cr_expect_eq(sign(&first, &audit_key), 0, "the same again");
	expect_unsigned(&other, &audit_key, SEAL_E_REFUSED, "another root at the same size");
	expect_unsigned(&shorter, &audit_key, SEAL_E_REFUSED, "one entry less");
	expect_unsigned(&empty, &audit_key, SEAL_E_REFUSED, "no entries at all");
	cr_expect_eq(sign(&longer, &audit_key), 0, "it goes on");
	expect_unsigned(&first, &audit_key, SEAL_E_REFUSED, "what was signed before");
}

Test(rot_signer_upkeep, a_head_that_was_refused_leaves_no_trace)
{
	struct audit_head far = head_of(AUDIT_SIZE_MAX, 1), first = head_of(500, 1);

	far.time = now + 3600;
	expect_unsigned(&far, &audit_key, SEAL_E_REFUSED, "not dated now");
	far = head_of(AUDIT_SIZE_MAX + 1, 1);
	expect_unsigned(&far, &audit_key, SEAL_E_FORMAT, "an impossible size");
	cr_expect_eq(sign(&first, &audit_key), 0);
}

Test(rot_signer_upkeep, signs_no_head_but_now_and_for_the_keys_own_log)
{
	struct audit_head head = head_of(500, 1);

	head.time = now + 2 * ROT_SIGNER_SKEW;
	expect_unsigned(&head, &audit_key, SEAL_E_REFUSED, "ahead of time");
	head.time = now - 2 * ROT_SIGNER_SKEW;
	expect_unsigned(&head, &audit_key, SEAL_E_REFUSED, "behind time");
	head.time = -1;
	expect_unsigned(&head, &audit_key, SEAL_E_FORMAT, "before all time");
	head = head_of(500, 1);
	(void)snprintf(head.log, sizeof(head.log), OTHER);
	expect_unsigned(&head, &audit_key, SEAL_E_UNAUTH, "another log");
	head.log[0] = 'F';
	expect_unsigned(&head, &audit_key, SEAL_E_FORMAT, "no log's id");
	head.log[0] = '\0';
	expect_unsigned(&head, &audit_key, SEAL_E_FORMAT, "no log");
	head = head_of(500, 1);
	expect_unsigned(&head, &shop_ca.wrapped, SEAL_E_UNAUTH, "with a CA's key");
	expect_unsigned(&head, &shop_root.wrapped, SEAL_E_UNAUTH, "with a root");
	expect_unsigned(&head, &statement, SEAL_E_UNAUTH, "with a secret");
}

Test(rot_signer_upkeep, does_not_open_an_audit_key_with_any_bit_changed)
{
	struct audit_head head = head_of(500, 1);

	for (size_t i = 0; i < audit_key.len * 8; i++) {
		audit_key.data[i / 8] ^= (uint8_t)(1u << (i % 8));
		expect_unsigned(&head, &audit_key, SEAL_E_UNAUTH, "a changed key");
		audit_key.data[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
}

Test(rot_signer_upkeep, signs_for_few_logs_in_its_life)
{
	for (unsigned i = 0; i <= ROT_SIGNER_MAX_LOGS; i++) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes wrapped = SEAL_BYTES(4096);
		struct audit_head head = head_of(1, 1);

		(void)snprintf(head.log, sizeof(head.log), "%032u", i);
		cr_assert_eq(rot_signer_new_audit_key(&rig.signer, head.log, &wrapped, NULL), 0);
		cr_expect_eq(sign(&head, &wrapped), i < ROT_SIGNER_MAX_LOGS ? 0 : SEAL_E_LIMIT);
	}
}

Test(rot_signer_upkeep, makes_and_shows_audit_keys_for_logs_only)
{
	static const char *const logs[] = { "", "log", OTHER "0",
					    "FFEEDDCCBBAA99887766554433221100",
					    "ffeeddccbbaa9988776655443322110\n" };
	struct seal_key *key = NULL;

	for (size_t i = 0; i < SEAL_COUNT(logs); i++) {
		cr_expect_eq(rot_signer_new_audit_key(&rig.signer, logs[i], &out, NULL),
			     SEAL_E_FORMAT, "'%s'", logs[i]);
		cr_expect_eq(rot_signer_audit_public(&rig.signer, logs[i], &audit_key, &key, NULL),
			     SEAL_E_FORMAT, "'%s'", logs[i]);
	}
	cr_expect_eq(rot_signer_audit_public(&rig.signer, OTHER, &audit_key, &key, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(rot_signer_audit_public(&rig.signer, LOG, &shop_ca.wrapped, &key, NULL),
		     SEAL_E_UNAUTH, "a CA's public key as the log's");
	cr_expect_eq(out.len, 0);
	cr_expect_null(key);
}

/* The log's key certifies nothing, and opens as no CA's key. */
Test(rot_signer_upkeep, the_audit_key_is_no_cas_key)
{
	struct seal_bytes spki = SEAL_BYTES(1024);
	const struct rot_issue issue = { .identity = { .role = SEAL_ROLE_POD,
						       .trust_domain = RIG_DOMAIN,
						       .workload = "shop",
						       .peer = "web" },
					 .spki = &spki,
					 .serial = { 0x40, 1 },
					 .not_before = now - ROT_BACKDATE,
					 .not_after = now + 3600 };
	struct rot_ca lie = shop_ca;
	struct seal_secret *plain = NULL;
	struct seal_key *key = NULL;

	lie.wrapped = audit_key;
	cr_assert_eq(seal_key_new(&key, NULL), 0);
	cr_assert_eq(seal_key_spki(key, &spki, NULL), 0);
	cr_expect_eq(rot_signer_issue(&rig.signer, &lie, &issue, &out, NULL), SEAL_E_UNAUTH);
	cr_expect_lt(rot_signer_open_secret(&rig.signer, "statement", &audit_key, &plain, NULL), 0,
		     "the log's key was handed out");
	cr_expect_null(plain);
	cr_expect_eq(out.len, 0);
	seal_key_free(key);
	seal_bytes_release(&spki);
}

/* ---- another key-encryption key ---- */

static struct seal_secret *
kek_of(uint8_t byte)
{
	struct seal_secret *kek = NULL;

	cr_assert_eq(seal_secret_new(&kek, SEAL_KEY_LEN, NULL), 0);
	memset(seal_secret_bytes(kek), byte, SEAL_KEY_LEN);
	return kek;
}

/* One that has both keys, in a process of its own as for seal rekey. */
static struct rot_signer *
start_rekey(uint8_t old_byte, uint8_t new_byte)
{
	struct seal_secret *old_kek = kek_of(old_byte), *new_kek = kek_of(new_byte);
	struct rot_signer *signer = NULL;
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_start_rekey(&signer, &old_kek, &new_kek, RIG_DOMAIN, &err), 0, "%s",
		     err.text);
	cr_expect_null(old_kek, "the caller still holds a key");
	cr_expect_null(new_kek, "the caller still holds a key");
	return signer;
}

static struct seal_bytes
rewrapped(struct rot_signer *signer, enum rot_blob kind, const char *name, uint64_t generation,
	  const struct seal_bytes *wrapped)
{
	struct seal_bytes again = SEAL_BYTES(4096);
	struct seal_err err = { 0 };

	cr_assert_eq(rot_signer_rewrap(signer, kind, name, generation, wrapped, &again, &err), 0,
		     "%s", err.text);
	cr_assert_eq(again.len, wrapped->len);
	cr_expect_arr_neq(again.data, wrapped->data, again.len);
	return again;
}

Test(rot_signer_upkeep, all_that_is_wrapped_again_opens_under_the_new_key_and_is_the_same)
{
	struct rot_signer *signer = start_rekey(7, 8);
	struct rot_ca ca = shop_ca, system = system_ca;
	struct rot_root root = shop_root;
	struct seal_bytes secret, log;
	struct seal_secret *plain[2] = { NULL, NULL };
	struct verify_ring *rings[2] = { NULL, NULL };
	struct seal_key *keys[2] = { NULL, NULL };
	struct rig_signer next;

	ca.wrapped = rewrapped(signer, ROT_BLOB_CA, "shop", 3, &shop_ca.wrapped);
	system.wrapped = rewrapped(signer, ROT_BLOB_CA, "", 1, &system_ca.wrapped);
	root.wrapped = rewrapped(signer, ROT_BLOB_ROOT, "shop", 2, &shop_root.wrapped);
	secret = rewrapped(signer, ROT_BLOB_SECRET, "statement", 0, &statement);
	log = rewrapped(signer, ROT_BLOB_AUDIT_KEY, LOG, 0, &audit_key);
	rot_signer_free(signer);
	rig_signer_start(&next, 8, RIG_DOMAIN);

	cr_assert_eq(rot_signer_open_secret(&rig.signer, "statement", &statement, &plain[0], NULL),
		     0);
	cr_assert_eq(rot_signer_open_secret(&next.signer, "statement", &secret, &plain[1], NULL),
		     0);
	cr_expect(seal_secret_equal(plain[0], plain[1]));
	cr_assert_eq(rot_signer_derive(&rig.signer, &shop_root, 1, "web", ROT_PURPOSES_ALL,
				       &rings[0], NULL),
		     0);
	cr_assert_eq(
		rot_signer_derive(&next.signer, &root, 1, "web", ROT_PURPOSES_ALL, &rings[1], NULL),
		0);
	cr_expect(seal_secret_equal(verify_ring_find(rings[0], VERIFY_DATA, 2),
				    verify_ring_find(rings[1], VERIFY_DATA, 2)));
	cr_assert_eq(rot_signer_audit_public(&rig.signer, LOG, &audit_key, &keys[0], NULL), 0);
	cr_assert_eq(rot_signer_audit_public(&next.signer, LOG, &log, &keys[1], NULL), 0);
	cr_expect(seal_key_same_public(keys[0], keys[1]));
	/* Renewing demands that certificate and key belong together. */
	cr_expect_eq(rot_signer_renew_ca(&next.signer, &ca, now, &out, NULL), 0);
	cr_expect_eq(rot_signer_renew_ca(&next.signer, &system, now, &out, NULL), 0);
	/* Each opens under its own key only. */
	seal_bytes_reset(&out);
	cr_expect_eq(rot_signer_renew_ca(&next.signer, &shop_ca, now, &out, NULL), SEAL_E_UNAUTH);
	cr_expect_eq(rot_signer_renew_ca(&rig.signer, &ca, now, &out, NULL), SEAL_E_UNAUTH);

	for (int i = 0; i < 2; i++) {
		seal_secret_free(plain[i]);
		verify_ring_free(rings[i]);
		seal_key_free(keys[i]);
	}
	rig_signer_stop(&next);
	seal_bytes_release(&ca.wrapped);
	seal_bytes_release(&system.wrapped);
	seal_bytes_release(&root.wrapped);
	seal_bytes_release(&secret);
	seal_bytes_release(&log);
}

static void
expect_not_rewrapped(struct rot_signer *signer, enum rot_blob kind, const char *name,
		     uint64_t generation, const struct seal_bytes *wrapped, int code)
{
	struct seal_err err = { 0 };

	cr_expect_eq(rot_signer_rewrap(signer, kind, name, generation, wrapped, &out, &err), code,
		     "kind %d '%s' %llu: %s", (int)kind, name, (unsigned long long)generation,
		     err.text);
	cr_expect_eq(out.len, 0);
}

Test(rot_signer_upkeep, wraps_nothing_again_that_it_cannot_open_as_what_it_is_called)
{
	struct rot_signer *signer = start_rekey(7, 8), *wrong = start_rekey(9, 8);
	const struct seal_bytes *ca = &shop_ca.wrapped;
	struct seal_bytes again;

	expect_not_rewrapped(signer, ROT_BLOB_CA, "shop", 4, ca, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_CA, "bank", 3, ca, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_CA, "", 3, ca, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_ROOT, "shop", 3, ca, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_SECRET, "statement", 3, ca, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_AUDIT_KEY, LOG, 3, ca, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_AUDIT_KEY, OTHER, 0, &audit_key, SEAL_E_UNAUTH);
	expect_not_rewrapped(signer, ROT_BLOB_CA, "Shop", 3, ca, SEAL_E_FORMAT);
	expect_not_rewrapped(signer, ROT_BLOB_ROOT, "", 2, &shop_root.wrapped, SEAL_E_FORMAT);
	expect_not_rewrapped(signer, ROT_BLOB_SECRET, "other", 0, &statement, SEAL_E_REFUSED);
	expect_not_rewrapped(signer, ROT_BLOB_AUDIT_KEY, "log", 0, &audit_key, SEAL_E_FORMAT);
	expect_not_rewrapped(signer, ROT_BLOB_COUNT, "shop", 3, ca, SEAL_E_REFUSED);
	expect_not_rewrapped(signer, (enum rot_blob)255, "shop", 3, ca, SEAL_E_REFUSED);
	expect_not_rewrapped(wrong, ROT_BLOB_CA, "shop", 3, ca, SEAL_E_UNAUTH);
	again = rewrapped(signer, ROT_BLOB_CA, "shop", 3, ca);
	expect_not_rewrapped(signer, ROT_BLOB_CA, "shop", 3, &again, SEAL_E_UNAUTH);
	for (size_t i = 0; i < shop_ca.wrapped.len * 8; i++) {
		shop_ca.wrapped.data[i / 8] ^= (uint8_t)(1u << (i % 8));
		expect_not_rewrapped(signer, ROT_BLOB_CA, "shop", 3, ca, SEAL_E_UNAUTH);
		shop_ca.wrapped.data[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	seal_bytes_release(&again);
	rot_signer_free(signer);
	rot_signer_free(wrong);
}

/* A subverted server must not get keys wrapped under one it knows. */
Test(rot_signer_upkeep, a_signer_that_serves_wraps_nothing_again)
{
	expect_not_rewrapped(&rig.signer, ROT_BLOB_CA, "shop", 3, &shop_ca.wrapped, SEAL_E_REFUSED);
	expect_not_rewrapped(&rig.signer, ROT_BLOB_SECRET, "statement", 0, &statement,
			     SEAL_E_REFUSED);
}

Test(rot_signer_upkeep, a_signer_that_rewraps_does_nothing_else)
{
	struct rot_signer *signer = start_rekey(7, 8);
	struct audit_head head = head_of(500, 1);
	struct seal_secret *secret = NULL;
	struct verify_ring *ring = NULL;
	struct seal_key *key = NULL;
	struct rot_root root = { 0 };
	struct rot_ca ca = { 0 };

	cr_expect_eq(rot_signer_new_ca(signer, "shop", 4, now, &ca, NULL), SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_renew_ca(signer, &shop_ca, now, &out, NULL), SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_new_root(signer, "shop", 3, &root, NULL), SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_new_secret(signer, "statement", &out, NULL), SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_open_secret(signer, "statement", &statement, &secret, NULL),
		     SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_derive(signer, &shop_root, 1, "web", ROT_PURPOSES_ALL, &ring, NULL),
		     SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_new_audit_key(signer, LOG, &out, NULL), SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_audit_public(signer, LOG, &audit_key, &key, NULL), SEAL_E_REFUSED);
	cr_expect_eq(rot_signer_sign_head(signer, &audit_key, &head, &out, NULL), SEAL_E_REFUSED);
	cr_expect_eq(out.len, 0);
	rot_signer_free(signer);
}

Test(rot_signer_upkeep, no_signer_is_started_to_change_a_key_for_itself_or_for_none)
{
	struct seal_secret *old_kek = kek_of(7), *new_kek = kek_of(7);
	struct rot_signer *signer = NULL;

	cr_expect_eq(rot_signer_start_rekey(&signer, &old_kek, &new_kek, RIG_DOMAIN, NULL),
		     SEAL_E_REFUSED);
	cr_expect_null(old_kek);
	cr_expect_null(new_kek);
	old_kek = kek_of(7);
	cr_assert_eq(seal_secret_new(&new_kek, 31, NULL), 0);
	cr_expect_eq(rot_signer_start_rekey(&signer, &old_kek, &new_kek, RIG_DOMAIN, NULL),
		     SEAL_E_FORMAT);
	cr_expect_null(signer);
}

/* The signer asks for itself, too, and stays what it was. */
Test(rot_signer_upkeep, a_state_takes_another_key_only_when_it_is_another)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *same = kek_of(7), *next = kek_of(8);
	struct rot_signer_state state;
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *half = NULL;

	cr_assert_eq(seal_secret_new(&half, 16, NULL), 0);
	cr_assert_eq(rot_signer_state_init(&state, same, RIG_DOMAIN, NULL), 0);
	cr_expect_eq(rot_signer_state_rekey(&state, same, NULL), SEAL_E_REFUSED);
	cr_expect_not(state.is_rekeying);
	cr_expect_eq(rot_signer_state_rekey(&state, half, NULL), SEAL_E_FORMAT);
	cr_expect_not(state.is_rekeying);
	cr_expect_eq(rot_signer_state_rekey(&state, next, NULL), 0);
	cr_expect(state.is_rekeying);
	rot_signer_state_release(&state);
}

/* ---- messages ---- */

static void
expect_exact(const struct rot_signer_state *state, struct seal_bytes *message)
{
	for (size_t len = 0; len <= message->len; len++) {
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);

		rot_signer_answer(state, message->data, len, &reply);
		cr_assert_gt(reply.len, 0);
		cr_expect_eq(reply.data[0] == 0, len == message->len,
			     "operation %u with %zu of %zu bytes", message->data[0], len,
			     message->len);
		seal_bytes_release(&reply);
	}
	cr_assert_eq(seal_bytes_append(message, "", 1, NULL), 0);
	struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	rot_signer_answer(state, message->data, message->len, &reply);
	cr_expect_neq(reply.data[0], 0, "operation %u with a byte too many", message->data[0]);
	seal_bytes_release(&reply);
	seal_bytes_reset(message);
}

Test(rot_signer_upkeep, refuses_every_truncation_and_every_addition)
{
	struct seal_bytes message = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
	struct seal_writer w = { .out = &message };
	struct seal_secret *kek = kek_of(7), *next = kek_of(8);
	const struct audit_head head = head_of(500, 1);
	struct rot_signer_state state;

	seal_put_u8(&w, ROT_OP_RENEW_CA);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 3);
	seal_put_block(&w, shop_ca.cert.data, shop_ca.cert.len);
	seal_put_block(&w, shop_ca.wrapped.data, shop_ca.wrapped.len);
	seal_put_u64(&w, (uint64_t)now);
	expect_exact(&rig.state, &message);

	seal_put_u8(&w, ROT_OP_NEW_AUDIT_KEY);
	seal_put_str(&w, LOG);
	expect_exact(&rig.state, &message);

	seal_put_u8(&w, ROT_OP_AUDIT_PUBLIC);
	seal_put_str(&w, LOG);
	seal_put_block(&w, audit_key.data, audit_key.len);
	expect_exact(&rig.state, &message);

	seal_put_u8(&w, ROT_OP_SIGN_HEAD);
	seal_put_str(&w, LOG);
	seal_put_block(&w, audit_key.data, audit_key.len);
	seal_put_u64(&w, head.size);
	seal_put_u64(&w, (uint64_t)head.time);
	seal_put_block(&w, head.root, sizeof(head.root));
	expect_exact(&rig.state, &message);

	cr_assert_eq(rot_signer_state_init(&state, kek, RIG_DOMAIN, NULL), 0);
	cr_assert_eq(rot_signer_state_rekey(&state, next, NULL), 0);
	seal_put_u8(&w, ROT_OP_REWRAP);
	seal_put_u8(&w, ROT_BLOB_CA);
	seal_put_str(&w, "shop");
	seal_put_u64(&w, 3);
	seal_put_block(&w, shop_ca.wrapped.data, shop_ca.wrapped.len);
	expect_exact(&state, &message);
	rot_signer_state_release(&state);
	seal_secret_free(kek);
	seal_secret_free(next);
	seal_bytes_release(&message);
}

/* The head's members are all that the caller chooses: a root of another length is no root. */
Test(rot_signer_upkeep, signs_roots_of_the_right_length_only)
{
	uint8_t root[64] = { 0 };

	for (size_t len = 0; len <= sizeof(root); len++) {
		struct seal_bytes message = SEAL_BYTES(4096);
		struct seal_bytes reply = SEAL_BYTES(ROT_SIGNER_PACKET_MAX);
		struct seal_writer w = { .out = &message };

		seal_put_u8(&w, ROT_OP_SIGN_HEAD);
		seal_put_str(&w, LOG);
		seal_put_block(&w, audit_key.data, audit_key.len);
		seal_put_u64(&w, 500);
		seal_put_u64(&w, (uint64_t)now);
		seal_put_block(&w, root, len);
		rot_signer_answer(&rig.state, message.data, message.len, &reply);
		cr_assert_gt(reply.len, 0);
		cr_expect_eq(reply.data[0] == 0, len == SEAL_HASH_LEN, "%zu bytes", len);
		seal_bytes_release(&message);
		seal_bytes_release(&reply);
	}
}
