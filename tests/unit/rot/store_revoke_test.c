/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store_revoke, store_certs, store_news: what is revoked ends with all that came of it, and nothing else does. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW  INT64_C(1800000000)
#define MANY 300 /* more than etcd takes in one transaction */

TestSuite(rot_revoke_sqlite);
TestSuite(rot_revoke_etcd);

static struct kv_rig rig;
static struct rot_store *store;
static struct seal_err err;

static void
begin(void)
{
	(void)alarm(120);
	store = rig_store(&rig.config, NOW);
	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
}

static void
rot_revoke_setup_sqlite(void)
{
	kv_rig_sqlite(&rig);
	begin();
}

static void
rot_revoke_setup_etcd(void)
{
	kv_rig_etcd(&rig);
	begin();
}

static void
rot_revoke_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

/* ---- Eggs and certificates, by number ---- */

struct name {
	char text[SEAL_ID_LEN + 1];
};

static struct name
name_of(unsigned n)
{
	struct name name;

	(void)snprintf(name.text, sizeof(name.text), "%032x", n);
	return name;
}

static void
mint(unsigned n, const char *workload, const char *peer)
{
	struct rot_egg egg = { .created_at = NOW, .not_after = NOW + 1000 };

	(void)snprintf(egg.id, sizeof(egg.id), "%s", name_of(n).text);
	(void)snprintf(egg.serial, sizeof(egg.serial), "%s", name_of(n).text);
	(void)snprintf(egg.workload, sizeof(egg.workload), "%s", workload);
	(void)snprintf(egg.peer, sizeof(egg.peer), "%s", peer);
	memset(egg.key_id, (int)n, sizeof(egg.key_id));
	cr_assert_eq(rot_store_add_egg(store, &egg, &err), 0, "%s", err.text);
}

static struct rot_cert
cert_of(unsigned n)
{
	struct rot_cert cert = { .created_at = NOW,
				 .not_before = NOW - 300,
				 .not_after = NOW + 500 + n };

	(void)snprintf(cert.serial, sizeof(cert.serial), "%s", name_of(n).text);
	return cert;
}

static int
hatch(unsigned n, unsigned egg)
{
	struct rot_cert cert = cert_of(n);

	(void)snprintf(cert.egg, sizeof(cert.egg), "%s", name_of(egg).text);
	return rot_store_hatch(store, &cert, NOW, &err);
}

static int
renew(unsigned from, unsigned n)
{
	struct rot_cert cert = cert_of(n);

	return rot_store_renew(store, name_of(from).text, &cert, &err);
}

static void
issue(unsigned n, const char *workload, const char *peer)
{
	struct rot_cert cert = cert_of(n);

	(void)snprintf(cert.workload, sizeof(cert.workload), "%s", workload);
	(void)snprintf(cert.peer, sizeof(cert.peer), "%s", peer);
	cr_assert_eq(rot_store_add_cert(store, &cert, &err), 0, "%s", err.text);
}

static bool
is_revoked(unsigned n)
{
	struct rot_cert cert = { 0 };
	bool revoked;

	cr_assert_eq(rot_store_get_cert(store, name_of(n).text, &cert, &err), 0, "%s", err.text);
	revoked = cert.revoked_at != 0;
	rot_cert_release(&cert);
	return revoked;
}

static int
add_serial(void *arg, const char *serial, struct seal_err *e)
{
	return seal_strv_add(arg, serial, e);
}

/* What pods of the workload are told. */
static size_t
told(const char *workload)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv list = { 0 };

	cr_assert_eq(rot_store_each_revoked(store, workload, NOW, add_serial, &list, &err), 0);
	return list.count;
}

static uint64_t
epoch_of(const char *workload)
{
	uint64_t epoch = 0;

	cr_assert_eq(rot_store_epoch(store, workload, &epoch, &err), 0, "%s", err.text);
	return epoch;
}

/* ---- Certificates ---- */

BOTH(rot_revoke, a_certificate_ends_with_those_renewed_from_it_and_no_others)
{
	uint64_t before, count = 0;

	mint(1, "shop", "web");
	cr_assert_eq(hatch(10, 1), 0);
	cr_assert_eq(renew(10, 11), 0, "%s", err.text);
	cr_assert_eq(renew(11, 12), 0);
	cr_assert_eq(renew(11, 13), 0, "two from one");
	cr_assert_eq(renew(13, 14), 0);
	cr_assert_eq(hatch(20, 1), 0);
	before = epoch_of("shop");
	cr_assert_eq(rot_store_revoke_cert(store, name_of(11).text, NOW, &count, &err), 0, "%s",
		     err.text);
	cr_expect_eq(count, 4);
	cr_expect_not(is_revoked(10), "what it was renewed from");
	cr_expect(is_revoked(11) && is_revoked(12) && is_revoked(13) && is_revoked(14));
	cr_expect_not(is_revoked(20));
	cr_expect_eq(told("shop"), 4);
	cr_expect_gt(epoch_of("shop"), before);
	cr_expect_eq(renew(14, 15), SEAL_E_REFUSED);
	cr_expect_eq(renew(12, 15), SEAL_E_REFUSED);
	cr_expect_eq(renew(10, 15), 0, "%s", err.text);
	cr_expect_eq(store_count(store, "revoking/"), 0);
}

BOTH(rot_revoke, a_certificate_is_revoked_once)
{
	uint64_t before, count = 7;

	mint(1, "shop", "web");
	cr_assert_eq(hatch(10, 1), 0);
	cr_assert_eq(rot_store_revoke_cert(store, name_of(10).text, NOW, &count, &err), 0);
	cr_expect_eq(count, 1);
	before = epoch_of("shop");
	cr_assert_eq(rot_store_revoke_cert(store, name_of(10).text, NOW + 1, &count, &err), 0);
	cr_expect_eq(count, 0);
	cr_expect_eq(epoch_of("shop"), before, "nothing has changed");
	cr_expect_eq(rot_store_revoke_cert(store, name_of(99).text, NOW, &count, &err),
		     SEAL_E_MISSING);
}

/* ---- Eggs ---- */

BOTH(rot_revoke, an_egg_ends_with_all_its_descendants_however_many)
{
	uint64_t bank = epoch_of("bank"), count = 0;
	unsigned n;

	mint(1, "shop", "web");
	mint(2, "shop", "web");
	for (n = 0; n < MANY; n++)
		cr_assert_eq(hatch(100 + n, 1), 0, "%s", err.text);
	cr_assert_eq(renew(100, 100 + MANY), 0);
	cr_assert_eq(hatch(10, 2), 0);
	issue(11, "shop", "web");
	cr_assert_eq(rot_store_revoke_egg(store, name_of(1).text, NOW, &count, &err), 0, "%s",
		     err.text);
	cr_expect_eq(count, MANY + 1);
	cr_expect_eq(told("shop"), MANY + 1);
	for (n = 0; n <= MANY; n++)
		cr_expect(is_revoked(100 + n), "%u", n);
	cr_expect_not(is_revoked(10));
	cr_expect_not(is_revoked(11));
	cr_expect_eq(hatch(12, 1), SEAL_E_REFUSED);
	cr_expect_eq(hatch(12, 2), 0);
	cr_expect_eq(store_count(store, "revoking/"), 0);
	cr_expect_eq(epoch_of("bank"), bank, "another workload");
}

BOTH(rot_revoke, what_has_just_ended_by_one_clock_and_not_by_another_is_revoked_too)
{
	mint(1, "shop", "web");
	cr_assert_eq(hatch(10, 1), 0, "%s", err.text);
	cr_assert_eq(renew(10, 11), 0, "%s", err.text);
	cr_assert_eq(hatch(12, 1), 0, "%s", err.text);
	cr_assert_eq(rot_store_revoke_cert(store, name_of(10).text, NOW + 500 + 250, NULL, &err), 0,
		     "%s", err.text);
	cr_expect(is_revoked(10) && is_revoked(11));
	cr_expect_not(is_revoked(12));
	cr_assert_eq(rot_store_revoke_egg(store, name_of(1).text, NOW + 500 + 250, NULL, &err), 0,
		     "%s", err.text);
	cr_expect(is_revoked(12));
	cr_expect_eq(store_count(store, "revoking/"), 0);
}

BOTH(rot_revoke, the_first_commit_ends_an_egg_and_a_crash_after_it_loses_nothing)
{
	bool any = false, is = false;
	uint64_t count = 0;
	unsigned steps = 0;

	mint(1, "shop", "web");
	for (unsigned n = 0; n < MANY; n++)
		cr_assert_eq(hatch(100 + n, 1), 0, "%s", err.text);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_revoke_egg(store, name_of(1).text, NOW, &count, &err), 0, "%s",
		     err.text);
	cr_assert_eq(rot_store_commit(store, &err), 0, "%s", err.text);
	cr_expect_eq(count, MANY);
	cr_expect_eq(told("shop"), 0, "not marked yet");
	cr_assert_eq(rot_store_is_revoking(store, "shop", &is, &err), 0);
	cr_expect(is);
	cr_assert_eq(rot_store_is_revoking(store, "bank", &is, &err), 0);
	cr_expect_not(is);
	cr_expect_eq(renew(100, 99), SEAL_E_REFUSED, "dead at once");
	cr_expect_eq(hatch(99, 1), SEAL_E_REFUSED);
	/* Here the process dies; another one sweeps. */
	rot_store_close(store);
	cr_assert_eq(rot_store_open(&store, &rig.config, &err), 0, "%s", err.text);
	do {
		uint64_t before = epoch_of("shop");

		cr_assert_eq(rot_store_revoke_step(store, &any, &err), 0, "%s", err.text);
		cr_expect(!any || epoch_of("shop") > before, "pods hear of each step");
		cr_assert_lt(++steps, MANY);
	} while (any);
	cr_expect_eq(told("shop"), MANY);
	cr_assert_eq(rot_store_is_revoking(store, "shop", &is, &err), 0);
	cr_expect_not(is);
}

BOTH(rot_revoke, what_is_half_revoked_goes_with_its_workload)
{
	mint(1, "shop", "web");
	cr_assert_eq(hatch(10, 1), 0);
	cr_assert_eq(rot_store_begin(store, &err), 0);
	cr_assert_eq(rot_store_revoke_egg(store, name_of(1).text, NOW, NULL, &err), 0);
	cr_assert_eq(rot_store_commit(store, &err), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", &err), 0, "%s", err.text);
	cr_expect_eq(store_count(store, "revoking/"), 0);
	cr_expect_eq(store_count(store, "cert-next/"), 0);
	cr_expect_eq(store_count(store, "epoch/shop"), 0);
	rig_add_workload(store, "shop", false, NOW);
	cr_expect_eq(told("shop"), 0);
}

/* ---- Peers ---- */

BOTH(rot_revoke, a_peer_ends_with_its_eggs_and_certificates_and_no_other_does)
{
	struct rot_egg egg = { 0 };
	uint64_t eggs = 0, certs = 0;

	mint(1, "shop", "web");
	mint(2, "shop", "web");
	mint(3, "shop", "db");
	mint(4, "bank", "web");
	cr_assert_eq(hatch(10, 1), 0);
	cr_assert_eq(renew(10, 11), 0);
	cr_assert_eq(hatch(12, 3), 0);
	cr_assert_eq(hatch(13, 4), 0);
	issue(14, "shop", "web");
	issue(15, "shop", "db");
	cr_assert_eq(rot_store_revoke_peer(store, "shop", "web", NOW, &eggs, &certs, &err), 0, "%s",
		     err.text);
	cr_expect_eq(eggs, 2);
	cr_expect_eq(certs, 3);
	cr_expect(is_revoked(10) && is_revoked(11) && is_revoked(14));
	cr_expect_not(is_revoked(12) || is_revoked(13) || is_revoked(15));
	cr_expect_eq(hatch(16, 1), SEAL_E_REFUSED);
	cr_expect_eq(hatch(16, 2), SEAL_E_REFUSED);
	cr_expect_eq(hatch(16, 3), 0);
	cr_expect_eq(hatch(17, 4), 0);
	cr_assert_eq(rot_store_get_egg(store, name_of(2).text, &egg, &err), 0);
	cr_expect_eq(egg.revoked_at, NOW);
	rot_egg_release(&egg);
	/* What is made for it later is not touched. */
	mint(5, "shop", "web");
	cr_expect_eq(hatch(18, 5), 0);
	cr_assert_eq(rot_store_revoke_peer(store, "shop", "nobody", NOW, &eggs, &certs, &err), 0);
	cr_expect_eq(eggs + certs, 0);
	cr_expect_eq(rot_store_revoke_peer(store, "none", "web", NOW, &eggs, &certs, &err),
		     SEAL_E_MISSING);
	cr_expect_eq(store_count(store, "revoking/"), 0);
}

/* ---- The list's end ---- */

Test(rot_revoke_sqlite, says_what_to_do_when_pods_can_be_told_no_more,
     .init = rot_revoke_setup_sqlite, .fini = rot_revoke_teardown)
{
	uint64_t count = 0;

	mint(1, "shop", "web");
	mint(2, "shop", "web");
	cr_assert_eq(rot_store_begin(store, &err), 0);
	for (unsigned n = 0; n <= ROT_MAX_REVOKED; n++)
		cr_assert_eq(hatch(100 + n, 1), 0, "%s", err.text);
	cr_assert_eq(hatch(10, 2), 0);
	cr_assert_eq(rot_store_commit(store, &err), 0);
	cr_assert_eq(rot_store_revoke_egg(store, name_of(1).text, NOW, &count, &err), 0);
	cr_expect_eq(count, ROT_MAX_REVOKED + 1);
	cr_expect_eq(told("shop"), ROT_MAX_REVOKED);
	cr_expect(is_revoked(100), "whose end is nearest: not told, but revoked");
	cr_expect_eq(rot_store_revoke_cert(store, name_of(10).text, NOW, &count, &err),
		     SEAL_E_CONFLICT);
	cr_expect_not_null(strstr(err.text, "seal workload rotate-ca shop"), "%s", err.text);
	cr_expect_not(is_revoked(10));
}

/* ---- Listing ---- */

struct list {
	size_t count;
	char first[SEAL_SERIAL_LEN + 1];
	char last[SEAL_SERIAL_LEN + 1];
};

static int
note(void *arg, const struct rot_cert *cert, struct seal_err *e)
{
	struct list *list = arg;

	(void)e;
	if (list->count++ == 0)
		memcpy(list->first, cert->serial, sizeof(list->first));
	memcpy(list->last, cert->serial, sizeof(list->last));
	return 0;
}

static struct list
list(const char *workload, enum rot_cert_state state, const char *after, uint64_t limit,
     int64_t now)
{
	struct list found = { 0 };

	cr_assert_eq(
		rot_store_each_cert(store, workload, state, after, limit, now, note, &found, &err),
		0, "%s", err.text);
	return found;
}

BOTH(rot_revoke, lists_certificates_by_state_and_page_by_page)
{
	struct list page;
	size_t seen = 0;

	for (unsigned n = 0; n < 10; n++)
		issue(10 + n, n < 7 ? "shop" : "bank", "web");
	cr_assert_eq(rot_store_revoke_cert(store, name_of(12).text, NOW, NULL, &err), 0);
	cr_assert_eq(rot_store_revoke_cert(store, name_of(18).text, NOW, NULL, &err), 0);
	cr_expect_eq(list("", ROT_CERT_ANY, "", 100, NOW).count, 10);
	cr_expect_eq(list("shop", ROT_CERT_ANY, "", 100, NOW).count, 7);
	cr_expect_eq(list("", ROT_CERT_LIVE, "", 100, NOW).count, 8);
	cr_expect_eq(list("shop", ROT_CERT_LIVE, "", 100, NOW).count, 6);
	cr_expect_eq(list("", ROT_CERT_REVOKED, "", 100, NOW).count, 2);
	cr_expect_eq(list("bank", ROT_CERT_REVOKED, "", 100, NOW).count, 1);
	cr_expect_eq(list("", ROT_CERT_EXPIRED, "", 100, NOW).count, 0);
	/* 10 ends at NOW + 510, … */
	cr_expect_eq(list("", ROT_CERT_EXPIRED, "", 100, NOW + 515).count, 5);
	cr_expect_eq(list("shop", ROT_CERT_LIVE, "", 100, NOW + 515).count, 1);
	cr_expect_eq(list("", ROT_CERT_REVOKED, "", 100, NOW + 515).count, 2, "still said");
	for (const char *after = ""; seen < 10; after = page.last) {
		page = list("", ROT_CERT_ANY, after, 3, NOW);
		cr_assert_gt(page.count, 0);
		cr_expect_str_eq(page.first, name_of(10 + (unsigned)seen).text, "by their end");
		seen += page.count;
	}
	cr_expect_eq(seen, 10);
	page = list("", ROT_CERT_REVOKED, name_of(18).text, 3, NOW);
	cr_expect_eq(page.count, 1, "bank before shop");
	cr_expect_str_eq(page.first, name_of(12).text);
	cr_expect_eq(
		rot_store_each_cert(store, "none", ROT_CERT_ANY, "", 1, NOW, note, &page, &err),
		SEAL_E_MISSING);
	cr_expect_eq(rot_store_each_cert(store, "", ROT_CERT_ANY, name_of(99).text, 1, NOW, note,
					 &page, &err),
		     SEAL_E_MISSING);
}

/* ---- Epochs ---- */

BOTH(rot_revoke, an_epoch_is_never_given_twice_not_even_to_a_store_that_went_back)
{
	uint64_t first = epoch_of("shop"), second, third = 0;

	cr_expect_gt(first, UINT64_C(1) << 50, "the clock's microseconds");
	cr_expect_lt(first, UINT64_C(1) << 53, "exact in every reader of JSON");
	cr_expect_neq(first, epoch_of("bank"));
	cr_assert_eq(rot_store_add_pair(store, "shop", "web", "db", &second, &err), 0);
	cr_expect_gt(second, first);
	/* The store begins again, as one from a backup does. */
	cr_assert_eq(rot_store_delete_workload(store, "shop", &err), 0);
	rig_add_workload(store, "shop", false, NOW);
	cr_assert_eq(rot_store_epoch(store, "shop", &third, &err), 0);
	cr_expect_neq(third, first);
	cr_expect_neq(third, second);
}
