/* SPDX-License-Identifier: Apache-2.0 */
/* rot/server/store: enrolments are spent once, and end with all that came of them. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/rot/rig.h"
#include "tests/unit/rot/store_rig.h"

#define NOW INT64_C(1800000000)

static struct kv_rig rig;
static struct rot_store *store;

static void
prepare(void)
{
	store = rig_store(&rig.config, NOW);
	rig_add_workload(store, "shop", false, NOW);
	rig_add_workload(store, "bank", false, NOW);
}

static void
rot_enrol_setup_sqlite(void)
{
	(void)alarm(60);
	kv_rig_sqlite(&rig);
	prepare();
}

static void
rot_enrol_setup_etcd(void)
{
	(void)alarm(60);
	kv_rig_etcd(&rig);
	prepare();
}

static void
rot_enrol_teardown(void)
{
	rot_store_close(store);
	store = NULL;
	kv_rig_release(&rig);
}

static const char *
number(unsigned n)
{
	static _Thread_local char text[8][SEAL_ID_LEN + 1];
	static _Thread_local unsigned turn;
	char *at = text[turn++ % 8];

	(void)snprintf(at, sizeof(text[0]), "%032x", n);
	return at;
}

static int
add(unsigned n, const char *workload, int64_t not_after)
{
	struct rot_enrolment enrolment = {
		.peer = "web", .lifetime = 100, .created_at = NOW, .not_after = not_after
	};
	struct seal_err err = { 0 };
	int r;

	(void)snprintf(enrolment.id, sizeof(enrolment.id), "%s", number(n));
	(void)snprintf(enrolment.workload, sizeof(enrolment.workload), "%s", workload);
	memset(enrolment.secret, (int)n, sizeof(enrolment.secret));
	cr_assert_eq(seal_strv_add(&enrolment.hostnames, "web.example.com", &err), 0);
	r = rot_store_add_enrolment(store, &enrolment, &err);
	rot_enrolment_release(&enrolment);
	return r;
}

static struct rot_enrolment
get(unsigned n)
{
	struct rot_enrolment enrolment = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_get_enrolment(store, number(n), &enrolment, &err), 0, "%s",
		     err.text);
	rot_enrolment_release(&enrolment);
	return enrolment;
}

/* A certificate that claims to be of others: what the enrolment says counts. */
static struct rot_cert
make_cert(unsigned serial, int64_t now)
{
	struct rot_cert cert = { .workload = "bank",
				 .peer = "boss",
				 .created_at = now,
				 .not_before = now - 300,
				 .not_after = now + 100,
				 .ca = 1,
				 .newest_ca = 1 };

	(void)snprintf(cert.serial, sizeof(cert.serial), "%s", number(serial));
	(void)snprintf(cert.egg, sizeof(cert.egg), "%s", number(7));
	return cert;
}

static int
enrol_in(struct rot_store *in, unsigned n, unsigned serial, int64_t now)
{
	struct rot_cert cert = make_cert(serial, now);

	return rot_store_enrol(in, number(n), &cert, now, NULL);
}

static int
enrol(unsigned n, unsigned serial, int64_t now)
{
	return enrol_in(store, n, serial, now);
}

static int
reenrol(unsigned old, unsigned serial, int64_t now)
{
	struct rot_cert cert = make_cert(serial, now);

	return rot_store_reenrol(store, number(old), &cert, now, NULL);
}

static int64_t
revoked_at(unsigned serial)
{
	struct rot_cert cert = { 0 };

	cr_assert_eq(rot_store_get_cert(store, number(serial), &cert, NULL), 0);
	rot_cert_release(&cert);
	return cert.revoked_at;
}

BOTH(rot_enrol, a_credential_is_spent_once_and_its_certificate_has_its_names)
{
	struct rot_enrolment found = { 0 };
	struct rot_cert cert = { 0 };

	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_assert_eq(enrol(1, 101, NOW), 0);
	cr_expect_eq(enrol(1, 102, NOW), SEAL_E_REFUSED);
	cr_expect_eq(store_count(store, "cert/"), 1);
	cr_assert_eq(rot_store_get_cert(store, number(101), &cert, NULL), 0);
	cr_expect_str_eq(cert.workload, "shop");
	cr_expect_str_eq(cert.peer, "web");
	cr_expect_str_eq(cert.egg, "");
	cr_assert_eq(cert.hostnames.count, 1);
	cr_expect_str_eq(cert.hostnames.items[0], "web.example.com");
	rot_cert_release(&cert);
	cr_expect_eq(get(1).spent_at, NOW);
	cr_expect_eq(get(1).cert_count, 1);
	cr_assert_eq(rot_store_enrolment_of(store, number(101), &found, NULL), 0);
	cr_expect_str_eq(found.id, number(1));
	rot_enrolment_release(&found);
	cr_expect_eq(rot_store_enrolment_of(store, number(102), &found, NULL), SEAL_E_MISSING);
}

BOTH(rot_enrol, what_is_expired_revoked_or_unknown_is_refused_and_leaves_nothing)
{
	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_expect_eq(enrol(1, 101, NOW + 10), SEAL_E_REFUSED, "expired");
	cr_expect_eq(enrol(2, 101, NOW), SEAL_E_REFUSED, "unknown");
	cr_assert_eq(rot_store_revoke_enrolment(store, number(1), NOW, NULL), 0);
	cr_expect_eq(enrol(1, 101, NOW), SEAL_E_REFUSED, "revoked");
	cr_expect_eq(add(3, "nothere", NOW + 10), SEAL_E_MISSING);
	cr_expect_eq(store_count(store, "cert"), 0);
	cr_expect_eq(store_count(store, "enrolled/"), 0);
	cr_expect_eq(get(1).spent_at, 0);
	cr_expect_eq(store_count(store, "enrol/"), 1);
}

struct racer {
	pthread_t thread;
	struct rot_store *store;
	unsigned serial;
	int result;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;

	racer->result = enrol_in(racer->store, 1, racer->serial, NOW);
	return NULL;
}

/* Processes with a connection each, as replicas have. */
Test(rot_enrol_etcd, of_many_that_race_one_wins, .init = rot_enrol_setup_etcd,
     .fini = rot_enrol_teardown)
{
	struct racer racers[8] = { 0 };
	unsigned won = 0;

	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		racers[i].serial = 101 + i;
		cr_assert_eq(rot_store_open(&racers[i].store, &rig.config, NULL), 0);
	}
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++)
		cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (unsigned i = 0; i < SEAL_COUNT(racers); i++) {
		cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
		won += racers[i].result == 0;
		cr_expect(racers[i].result == 0 || racers[i].result == SEAL_E_REFUSED, "%d",
			  racers[i].result);
		rot_store_close(racers[i].store);
	}
	cr_expect_eq(won, 1);
	cr_expect_eq(store_count(store, "cert/"), 1);
}

BOTH(rot_enrol, only_what_came_of_an_enrolment_is_followed)
{
	struct rot_cert issued = make_cert(201, NOW);

	cr_assert_eq(rot_store_add_cert(store, &issued, NULL), 0);
	cr_expect_eq(reenrol(201, 202, NOW), SEAL_E_REFUSED, "of seal cert issue");
	cr_expect_eq(reenrol(203, 202, NOW), SEAL_E_REFUSED, "unknown");
	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_assert_eq(enrol(1, 101, NOW), 0);
	cr_expect_eq(reenrol(101, 102, NOW + 50), 0);
	cr_expect_eq(reenrol(101, 103, NOW + 50), 0, "its answer may have been lost");
	cr_expect_eq(reenrol(103, 104, NOW + 50), 0);
	cr_expect_eq(get(1).cert_count, 4);
	cr_assert_eq(rot_store_revoke_cert(store, number(102), NOW + 60, NULL, NULL), 0);
	cr_expect_eq(reenrol(102, 105, NOW + 60), SEAL_E_REFUSED, "revoked");
	cr_expect_eq(reenrol(104, 105, NOW + 60), 0, "another of the same");
	cr_assert_eq(rot_store_revoke_cert(store, number(101), NOW + 70, NULL, NULL), 0);
	cr_expect_eq(reenrol(105, 106, NOW + 70), SEAL_E_REFUSED, "all that followed the first");
	cr_expect_eq(store_count(store, "cert/"), 6);
}

BOTH(rot_enrol, an_enrolment_ends_with_all_its_certificates)
{
	char word[ROT_STORE_WORD_LEN + 1], after[ROT_STORE_WORD_LEN + 1];

	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_assert_eq(add(2, "shop", NOW + 10), 0);
	cr_assert_eq(enrol(1, 101, NOW), 0);
	cr_assert_eq(reenrol(101, 102, NOW), 0);
	cr_assert_eq(enrol(2, 103, NOW), 0);
	cr_assert_eq(rot_store_word(store, word, NULL), 0);
	cr_assert_eq(rot_store_revoke_enrolment(store, number(1), NOW + 5, NULL), 0);
	cr_assert_eq(rot_store_word(store, after, NULL), 0);
	cr_expect_str_neq(word, after, "pods would not hear of it");
	cr_expect_eq(revoked_at(101), NOW + 5);
	cr_expect_eq(revoked_at(102), NOW + 5);
	cr_expect_eq(revoked_at(103), 0);
	cr_expect_eq(reenrol(102, 104, NOW + 5), SEAL_E_REFUSED);
	cr_assert_eq(rot_store_revoke_enrolment(store, number(1), NOW + 9, NULL), 0, "again");
	cr_expect_eq(get(1).revoked_at, NOW + 5);
	cr_expect_eq(rot_store_revoke_enrolment(store, number(9), NOW, NULL), SEAL_E_MISSING);
}

BOTH(rot_enrol, so_many_certificates_at_a_time_and_expired_ones_make_room)
{
	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_assert_eq(enrol(1, 101, NOW), 0);
	for (unsigned i = 1; i < ROT_ENROLMENT_CERTS; i++)
		cr_assert_eq(reenrol(101, 101 + i, NOW + 50), 0);
	cr_expect_eq(reenrol(101, 150, NOW + 99), SEAL_E_LIMIT);
	cr_expect_eq(store_count(store, "enrolled/"), ROT_ENROLMENT_CERTS);
	cr_expect_eq(reenrol(102, 150, NOW + 100), 0, "the first has expired");
	cr_expect_eq(get(1).cert_count, ROT_ENROLMENT_CERTS);
	cr_expect_eq(store_count(store, "enrolled/"), ROT_ENROLMENT_CERTS);
	cr_expect_eq(reenrol(101, 151, NOW + 100), SEAL_E_REFUSED, "forgotten with its end");
	cr_assert_eq(rot_store_revoke_enrolment(store, number(1), NOW + 101, NULL), 0,
		     "as many as can be are revoked at once");
}

static int
note(void *arg, const struct rot_enrolment *enrolment, struct seal_err *err)
{
	return seal_strv_add(arg, enrolment->id, err);
}

static void
expect_page(const char *workload, const char *after, uint64_t limit, unsigned first, unsigned last)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv ids = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(rot_store_each_enrolment(store, workload, after, limit, note, &ids, &err), 0,
		     "%s", err.text);
	cr_assert_eq(ids.count, last - first + 1, "%zu", ids.count);
	for (unsigned i = first; i <= last; i++)
		cr_expect_str_eq(ids.items[i - first], number(i));
}

BOTH(rot_enrol, lists_by_page_and_by_workload)
{
	for (unsigned i = 1; i <= 6; i++)
		cr_assert_eq(add(i, i <= 4 ? "bank" : "shop", NOW + 10), 0);
	expect_page("", "", 10, 1, 6);
	expect_page("", number(2), 3, 3, 5);
	expect_page("bank", "", 10, 1, 4);
	expect_page("shop", number(5), 10, 6, 6);
	cr_expect_eq(rot_store_each_enrolment(store, "nothere", "", 1, note, NULL, NULL),
		     SEAL_E_MISSING);
	cr_expect_eq(rot_store_each_enrolment(store, "", number(9), 1, note, NULL, NULL),
		     SEAL_E_MISSING);
}

static void
purge_all(int64_t before)
{
	struct seal_err err = { 0 };
	int r;

	while ((r = rot_store_purge_enrolments(store, before, &err)) == 1)
		continue;
	cr_assert_eq(r, 0, "%s", err.text);
}

BOTH(rot_enrol, is_forgotten_when_nothing_of_it_is_of_use)
{
	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_assert_eq(add(2, "shop", NOW + 10), 0);
	cr_assert_eq(enrol(1, 101, NOW), 0);
	cr_assert_eq(reenrol(101, 102, NOW + 50), 0);
	purge_all(NOW + 10);
	cr_expect_eq(store_count(store, "enrol/"), 2, "not before its end");
	purge_all(NOW + 20);
	cr_expect_eq(store_count(store, "enrol/"), 1, "the unspent one");
	purge_all(NOW + 149);
	cr_expect_eq(reenrol(102, 103, NOW + 149), 0, "it lives on");
	purge_all(NOW + 1000);
	cr_expect_eq(store_count(store, "enrol"), 0, "with all its keys");
}

BOTH(rot_enrol, goes_with_its_workload)
{
	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	cr_assert_eq(add(2, "bank", NOW + 10), 0);
	cr_assert_eq(add(3, "shop", NOW + 10), 0);
	cr_assert_eq(enrol(1, 101, NOW), 0);
	cr_assert_eq(reenrol(101, 102, NOW), 0);
	cr_assert_eq(rot_store_delete_workload(store, "shop", NULL), 0);
	cr_expect_eq(enrol(3, 103, NOW), SEAL_E_REFUSED);
	cr_expect_eq(reenrol(101, 103, NOW), SEAL_E_REFUSED);
	cr_expect_eq(store_count(store, "enrol/"), 1);
	cr_expect_eq(store_count(store, "enrolled/"), 0);
	purge_all(NOW + 1000);
	cr_expect_eq(store_count(store, "enrol"), 0);
}

BOTH(rot_enrol, a_damaged_record_is_said_and_not_used)
{
	cr_assert_eq(add(1, "shop", NOW + 10), 0);
	store_edit(store, "enrol/", "hostnames", 1);
	cr_expect_eq(enrol(1, 101, NOW), SEAL_E_SYSTEM);
	cr_expect_eq(store_count(store, "cert/"), 0);
}
