/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker whose state is replaced by another one of the same certificate, as the root of trust's news do: who may
 * stay, who must go, and what of all that is kept.
 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "proxy/admit.h"
#include "tests/unit/proxy/rig.h"

struct pair {
	int client;
	int server;
};

static struct pair
join(struct rig *rig)
{
	struct pair pair = { .client = rig_connect_out(rig) };

	rig_send(pair.client, "hello");
	pair.server = rig_accept(rig, 5000);
	cr_assert_geq(pair.server, 0, "the application was never called");
	rig_expect(pair.server, "hello");
	return pair;
}

static void
close_pair(struct pair *pair)
{
	close(pair->client);
	close(pair->server);
}

static void
expect_alive(struct pair *pair)
{
	rig_send(pair->client, "untouched");
	rig_expect(pair->server, "untouched");
	rig_send(pair->server, "as before");
	rig_expect(pair->client, "as before");
}

static void
expect_closed(struct pair *pair)
{
	cr_expect_eq(rig_next(pair->server), -1, "it goes on");
	cr_expect_eq(rig_next(pair->client), -1);
}

static void
expect_refused(struct rig *rig)
{
	int client = rig_connect_out(rig);

	cr_expect_leq(rig_next(client), 0);
	cr_expect_lt(rig_accept(rig, 50), 0, "the application was called");
	close(client);
}

/* ---- A side whose certificate stays while its policy changes ---- */

struct side {
	struct pki_id id;
	struct proxy_identity_state *state; /* the latest, referenced */
};

struct words {
	const struct seal_certs *anchors;
	const char *allowed;
	const char *revoked; /* serials, or "" */
	const struct seal_certs *former;
};

static struct proxy_identity_state *
make_state(struct rig *rig, struct side *side, const struct words *words)
{
	struct proxy_identity_state *state = NULL;
	struct seal_strv allowed = { 0 };
	struct seal_strv revoked = { 0 };
	struct proxy_state_parts parts = { .chain = side->id.chain,
					   .anchors = words->anchors,
					   .former = words->former,
					   .key = side->id.key,
					   .clients = &allowed,
					   .servers = &allowed,
					   .revoked = &revoked,
					   .like = side->state,
					   .generation = ++rig->generation,
					   .max_sessions = 16,
					   .now = seal_clock_now() };
	struct seal_err err = { 0 };

	cr_assert_eq(seal_strv_split(&allowed, words->allowed, ',', &err), 0);
	cr_assert_eq(seal_strv_split(&revoked, words->revoked, ',', &err), 0);
	seal_strv_sort(&revoked);
	cr_assert_eq(proxy_state_new(&state, &parts, &err), 0, "%s", err.text);
	seal_strv_release(&allowed);
	seal_strv_release(&revoked);
	return state;
}

static void
do_nothing(struct rig *rig)
{
	(void)rig;
}

static void
wait_round(struct rig *rig)
{
	rig_call(rig, do_nothing); /* the loop has been round: what was published is taken */
	rig_call(rig, do_nothing);
}

/* Publish what the words say, about the certificate that the side has. */
static void
tell(struct rig *rig, enum rig_side which, struct side *side, const struct words *words)
{
	struct proxy_identity_state *state = make_state(rig, side, words);

	proxy_state_unref(side->state);
	side->state = proxy_state_ref(state);
	proxy_worker_publish(rig->workers[which], state);
	wait_round(rig);
}

/* The side becomes this peer, by a certificate of that CA. */
static void
become(struct rig *rig, enum rig_side which, struct side *side, const struct pki_id *ca,
       const char *peer, const struct words *words)
{
	proxy_state_unref(SEAL_TAKE(side->state));
	pki_id_release(&side->id);
	side->id = pki_pod(ca, "shop", peer, NULL);
	tell(rig, which, side, words);
}

static void
side_release(struct side *side)
{
	proxy_state_unref(side->state);
	pki_id_release(&side->id);
}

static void
serial_of(const struct side *side, char serial[static SEAL_SERIAL_LEN + 1])
{
	cr_assert_eq(seal_cert_serial(seal_certs_at(side->id.chain, 0), serial, NULL), 0);
}

/* ---- Revocation ---- */

Test(news, of_a_revoked_certificate_close_its_connections_and_no_others)
{
	struct side in = { 0 };
	struct side out = { 0 };
	char serial[SEAL_SERIAL_LEN + 1];
	struct words words;
	struct pair gone;
	struct pair kept;
	struct rig rig;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	gone = join(&rig);
	serial_of(&out, serial);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	kept = join(&rig);

	words.revoked = serial;
	tell(&rig, RIG_IN, &in, &words);
	expect_closed(&gone);
	expect_alive(&kept);
	cr_expect_eq(rig_counters(&rig, RIG_IN).withdrawn, 1);
	close_pair(&gone);
	close_pair(&kept);
	side_release(&in);
	side_release(&out);
	rig_stop(&rig);
}

Test(news, of_a_revoked_certificate_end_its_sessions_too)
{
	struct side in = { 0 };
	struct side out = { 0 };
	char serial[SEAL_SERIAL_LEN + 1];
	struct words words;
	struct pair pair;
	struct rig rig;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	for (int i = 0; i < 2; i++) {
		pair = join(&rig);
		expect_alive(&pair); /* the ticket has come */
		close_pair(&pair);
		cr_assert_eq(rig_wait_open(&rig, RIG_OUT, 0), 0);
	}
	cr_assert_eq(rig_counters(&rig, RIG_IN).resumed, 1, "the control: sessions are resumed");
	serial_of(&out, serial);
	words.revoked = serial;
	tell(&rig, RIG_IN, &in, &words);
	expect_refused(&rig);
	cr_expect_eq(rig_counters(&rig, RIG_IN).resumed, 1);
	cr_expect_eq(rig_counters(&rig, RIG_IN).refused, 1);
	side_release(&in);
	side_release(&out);
	rig_stop(&rig);
}

Test(news, that_concern_nobody_here_leave_sessions_to_be_resumed)
{
	struct side in = { 0 };
	struct side out = { 0 };
	struct words words;
	struct pair pair;
	struct rig rig;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	pair = join(&rig);
	expect_alive(&pair);
	words.allowed = "db,web,ops";
	words.revoked = "40000000000000000000000000000001";
	tell(&rig, RIG_IN, &in, &words);
	tell(&rig, RIG_OUT, &out, &words);
	expect_alive(&pair);
	close_pair(&pair);
	pair = join(&rig);
	cr_expect_eq(rig_counters(&rig, RIG_IN).resumed, 1);
	close_pair(&pair);
	side_release(&in);
	side_release(&out);
	rig_stop(&rig);
}

/* ---- CAs ---- */

/* Both sides under both CAs; peers of either. */
static void
bundle_of_two(struct seal_certs **ret_bundle, const struct pki_id *a, const struct pki_id *b)
{
	cr_assert_eq(seal_certs_new(ret_bundle, NULL), 0);
	cr_assert_eq(seal_certs_add(*ret_bundle, seal_certs_at(a->chain, 0), NULL), 0);
	cr_assert_eq(seal_certs_add(*ret_bundle, seal_certs_at(b->chain, 0), NULL), 0);
}

Test(news, of_a_ca_that_is_gone_close_the_connections_of_its_peers_and_end_their_sessions)
{
	struct pki_id next = pki_ca("the next CA of shop");
	struct seal_certs *both = NULL;
	struct side in = { 0 };
	struct side out = { 0 };
	struct words words;
	struct pair gone;
	struct pair kept;
	struct rig rig;

	rig_start(&rig, NULL);
	bundle_of_two(&both, &rig.ca, &next);
	words = (struct words){ both, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &next, "web", &words);
	kept = join(&rig);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	gone = join(&rig);
	expect_alive(&gone);

	/* Its own certificate is of the CA that goes, as that of a pod that has not renewed yet. */
	words.anchors = next.chain;
	tell(&rig, RIG_IN, &in, &words);
	expect_closed(&gone);
	expect_alive(&kept);
	cr_expect_eq(rig_counters(&rig, RIG_IN).withdrawn, 1);
	expect_refused(&rig);
	cr_expect_eq(rig_counters(&rig, RIG_IN).resumed, 0);
	close_pair(&gone);
	close_pair(&kept);
	side_release(&in);
	side_release(&out);
	seal_certs_free(both);
	pki_id_release(&next);
	rig_stop(&rig);
}

Test(news, of_a_ca_retired_in_good_order_keep_its_connections_and_end_handshakes_under_way)
{
	const struct proxy_listener_config listener = { .direction = PROXY_INBOUND };
	struct pki_id next = pki_ca("the next CA of shop");
	struct proxy_identity_state *then;
	struct seal_certs *both = NULL;
	struct seal_peer peer = { 0 };
	struct seal_err err = { 0 };
	struct side in = { 0 };
	struct side out = { 0 };
	struct words words;
	struct pair pair;
	struct rig rig;

	rig_start(&rig, NULL);
	bundle_of_two(&both, &rig.ca, &next);
	words = (struct words){ both, "db,web", "", NULL };
	become(&rig, RIG_IN, &in, &next, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	pair = join(&rig);
	then = proxy_state_ref(in.state);
	cr_assert_eq(proxy_admit_verify(&peer, &listener, then, NULL, out.id.chain,
					seal_clock_now(), &err),
		     0, "%s", err.text);
	cr_expect_eq(proxy_admit_late(&peer, &listener, then, then, seal_clock_now(), &err), 0);

	words.anchors = next.chain;
	words.former = rig.ca.chain;
	tell(&rig, RIG_IN, &in, &words);
	expect_alive(&pair);
	cr_expect_eq(proxy_admit_recheck(&peer, &listener, then, in.state, seal_clock_now(), &err),
		     0);
	cr_expect_eq(proxy_admit_late(&peer, &listener, then, in.state, seal_clock_now(), &err),
		     SEAL_E_UNAUTH);
	expect_refused(&rig);
	close_pair(&pair);
	proxy_state_unref(then);
	side_release(&in);
	side_release(&out);
	seal_certs_free(both);
	pki_id_release(&next);
	rig_stop(&rig);
}

Test(news, of_a_ca_issued_again_for_its_key_touch_nobody)
{
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_CA,
					     .common_name = "workload shop",
					     .not_before = SEAL_CLOCK_FLOOR,
					     .not_after = seal_clock_now() + 1000000 };
	struct seal_certs *again = NULL;
	struct seal_cert *cert = NULL;
	struct side in = { 0 };
	struct side out = { 0 };
	struct seal_err err = { 0 };
	struct words words;
	struct pair pair;
	struct rig rig;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	pair = join(&rig);
	cr_assert_eq(seal_cert_issue(&cert, &spec, rig.ca.key, NULL, rig.ca.key, &err), 0, "%s",
		     err.text);
	cr_assert_eq(seal_certs_new(&again, NULL), 0);
	cr_assert_eq(seal_certs_add(again, cert, NULL), 0);
	words.anchors = again;
	tell(&rig, RIG_IN, &in, &words);
	expect_alive(&pair);
	close_pair(&pair);
	side_release(&in);
	side_release(&out);
	seal_certs_free(again);
	seal_cert_free(cert);
	rig_stop(&rig);
}

/* ---- What is kept ---- */

Test(news, keep_no_state_for_the_connections_that_outlive_it)
{
	struct proxy_identity_state *first;
	struct side in = { 0 };
	struct side out = { 0 };
	struct words words;
	struct pair pair;
	struct rig rig;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	pair = join(&rig);
	first = proxy_state_ref(in.state);
	cr_expect_gt(atomic_load(&first->refs), 2);
	for (int i = 0; i < 10; i++)
		tell(&rig, RIG_IN, &in, &words);
	cr_expect_eq(atomic_load(&first->refs), 1, "somebody holds the first state");
	cr_expect_eq(first->as_server, in.state->as_server, "another TLS side, without sessions");
	expect_alive(&pair);
	proxy_state_unref(first);
	close_pair(&pair);
	side_release(&in);
	side_release(&out);
	rig_stop(&rig);
}

/* ---- The end of our own certificate ---- */

static struct proxy_identity_state *severed;
static struct proxy_identity_state *after;

/* In the loop's thread: it takes only the second. */
static void
publish_both(struct rig *rig)
{
	proxy_worker_publish(rig->workers[RIG_IN], SEAL_TAKE(severed));
	if (after != NULL)
		proxy_worker_publish(rig->workers[RIG_IN], SEAL_TAKE(after));
}

Test(news, of_our_own_withdrawal_close_everything_until_there_is_another_identity)
{
	struct side in = { 0 };
	struct side out = { 0 };
	struct words words;
	struct pair pair;
	struct rig rig;
	int client;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	pair = join(&rig);
	cr_assert_eq(proxy_state_sever(&severed, in.state, ++rig.generation, NULL), 0);
	cr_expect_not(proxy_state_is_valid(severed, seal_clock_now()));
	cr_expect_eq(severed->severed, 1);
	rig_call(&rig, publish_both);
	wait_round(&rig);
	expect_closed(&pair);
	cr_expect_not(proxy_worker_is_ready(rig.workers[RIG_IN]));
	client = rig_connect_out(&rig);
	cr_expect_leq(rig_next(client), 0);
	cr_expect_eq(rig_counters(&rig, RIG_IN).no_identity, 1);
	close(client);
	close_pair(&pair);

	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	cr_expect(proxy_worker_is_ready(rig.workers[RIG_IN]));
	pair = join(&rig);
	expect_alive(&pair);
	close_pair(&pair);
	side_release(&in);
	side_release(&out);
	rig_stop(&rig);
}

Test(news, of_our_own_withdrawal_close_everything_even_when_another_identity_overtakes_them)
{
	struct side in = { 0 };
	struct side out = { 0 };
	struct side next = { 0 };
	struct words words;
	struct pair pair;
	struct rig rig;

	rig_start(&rig, NULL);
	words = (struct words){ rig.ca.chain, "db,web", "" };
	become(&rig, RIG_IN, &in, &rig.ca, "db", &words);
	become(&rig, RIG_OUT, &out, &rig.ca, "web", &words);
	pair = join(&rig);
	cr_assert_eq(proxy_state_sever(&severed, in.state, ++rig.generation, NULL), 0);
	next.id = pki_pod(&rig.ca, "shop", "db", NULL);
	after = make_state(&rig, &next, &words);
	after->severed = severed->severed;
	rig_call(&rig, publish_both);
	wait_round(&rig);
	expect_closed(&pair);
	close_pair(&pair);
	pair = join(&rig);
	expect_alive(&pair);
	close_pair(&pair);
	side_release(&in);
	side_release(&out);
	side_release(&next);
	rig_stop(&rig);
}
