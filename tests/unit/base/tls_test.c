/* SPDX-License-Identifier: Apache-2.0 */
/* base/tls between peers: when a session is resumed, and everything when it is not. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/base/tls_rig.h"

/* ---- Resumed ---- */

Test(tls, resumes_on_both_sides_with_the_peers_of_the_first_handshake)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	for (int i = 0; i < 3; i++) {
		cr_expect(tls_rig_resumes(&rig), "%d", i);
		cr_expect_str_eq(rig.ends[SERVER].offered.name, "web");
		cr_expect_str_eq(rig.ends[CLIENT].offered.name, "db");
		cr_expect_str_eq(rig.ends[SERVER].peer.name, "web");
		cr_expect_str_eq(rig.ends[CLIENT].peer.name, "db");
		cr_expect_str_eq(rig.ends[SERVER].facts.version, "TLSv1.3");
		cr_expect_str_eq(rig.ends[SERVER].facts.cipher, rig.ends[CLIENT].facts.cipher);
	}
	cr_expect_eq(tls_memory_count(rig.ends[SERVER].tls->memory), 1);
	cr_expect_eq(tls_memory_count(rig.ends[CLIENT].tls->memory), 1);
}

Test(tls, remembers_the_whole_peer)
{
	TLS_RIG(rig);
	struct seal_peer peers[2];

	cr_expect_not(tls_rig_resumes(&rig));
	for (int i = 0; i < 2; i++)
		peers[i] = rig.ends[i].peer;
	cr_expect(tls_rig_resumes(&rig));
	for (int i = 0; i < 2; i++) {
		const struct seal_peer *peer = &rig.ends[i].peer;

		cr_expect_str_eq(peer->name, peers[i].name);
		cr_expect_str_eq(peer->uri, peers[i].uri);
		cr_expect_str_eq(peer->serial, peers[i].serial);
		cr_expect_eq(peer->not_before, peers[i].not_before);
		cr_expect_eq(peer->not_after, peers[i].not_after);
		cr_expect_geq(strlen(peer->serial), 30); /* a random one */
	}
}

Test(tls, a_session_of_one_peer_never_comes_out_as_another)
{
	TLS_RIG(rig);
	static const char *const names[] = { "web", "ops", "etl" };
	struct seal_tls *tls[SEAL_COUNT(names)];
	char serials[SEAL_COUNT(names)][SEAL_SERIAL_LEN + 1];

	for (size_t i = 0; i < SEAL_COUNT(names); i++) {
		tls_rig_become(&rig, CLIENT, pki_pod(&rig.ca, "shop", names[i], NULL));
		tls[i] = seal_tls_ref(rig.ends[CLIENT].tls);
		cr_expect_not(tls_rig_resumes(&rig));
		memcpy(serials[i], rig.ends[SERVER].peer.serial, sizeof(serials[i]));
	}
	for (size_t round = 0; round < 9; round++) {
		size_t i = (round * 2) % SEAL_COUNT(names);

		seal_tls_unref(rig.ends[CLIENT].tls);
		rig.ends[CLIENT].tls = seal_tls_ref(tls[i]);
		cr_expect(tls_rig_resumes(&rig));
		cr_expect_str_eq(rig.ends[SERVER].peer.name, names[i]);
		cr_expect_str_eq(rig.ends[SERVER].peer.serial, serials[i]);
	}
	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		seal_tls_unref(tls[i]);
}

Test(tls, another_server_at_the_same_place_is_not_taken_for_the_one_remembered)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	tls_rig_become(&rig, SERVER, pki_pod(&rig.ca, "shop", "cache", NULL));
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_str_eq(rig.ends[CLIENT].offered.name, "db", "it was not even tried");
	cr_expect_str_eq(rig.ends[CLIENT].peer.name, "cache");
	cr_expect(tls_rig_resumes(&rig));
	cr_expect_str_eq(rig.ends[CLIENT].peer.name, "cache");
}

/* ---- Not resumed ---- */

Test(tls, a_server_that_no_longer_admits_the_peer_verifies_it_anew)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	rig.ends[SERVER].admits = false;
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(rig.ends[SERVER].recalled, 1);
	cr_expect_eq(rig.ends[CLIENT].recalled, 1);
	cr_expect_str_eq(rig.ends[SERVER].peer.name, "web");
	rig.ends[SERVER].admits = true;
	cr_expect(tls_rig_resumes(&rig), "the new session is not remembered");
}

Test(tls, a_peer_admitted_from_memory_no_more_and_refused_anew_stays_outside)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	rig.ends[SERVER].admits = false;
	rig.ends[SERVER].verdict = -1;
	cr_expect_not(tls_rig_connect(&rig));
	cr_expect_eq(rig.ends[SERVER].err.code, SEAL_E_REFUSED);
	cr_expect_str_eq(rig.ends[SERVER].peer.name, "");
}

Test(tls, a_client_that_no_longer_admits_the_peer_offers_nothing)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	rig.ends[CLIENT].admits = false;
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(rig.ends[CLIENT].recalled, 1);
	cr_expect_eq(rig.ends[SERVER].recalled, 0, "it was offered");
}

Test(tls, a_session_is_of_no_use_in_another_scope)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	rig.ends[SERVER].scope = "there";
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(rig.ends[SERVER].recalled, 0);
	cr_expect_eq(rig.ends[CLIENT].recalled, 1);
	rig.ends[CLIENT].scope = "there";
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(rig.ends[CLIENT].recalled, 0);
	cr_expect(tls_rig_resumes(&rig));
}

Test(tls, a_client_offers_nothing_to_a_server_of_another_name)
{
	TLS_RIG(rig);

	cr_expect_not(tls_rig_resumes(&rig));
	rig.ends[CLIENT].server_name = "cache.example.com";
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(rig.ends[CLIENT].recalled, 0);
	rig.ends[CLIENT].server_name = NULL;
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(rig.ends[CLIENT].recalled, 0);
	rig.ends[CLIENT].server_name = "db.example.com";
	cr_expect(tls_rig_resumes(&rig));
}

Test(tls, without_a_scope_nothing_is_remembered)
{
	for (int side = 0; side < 2; side++) {
		TLS_RIG(rig);

		rig.ends[side].scope = NULL;
		cr_expect_not(tls_rig_resumes(&rig));
		cr_expect_not(tls_rig_resumes(&rig));
		cr_expect_eq(tls_memory_count(rig.ends[side].tls->memory), 0);
		cr_expect_eq(rig.ends[SERVER].recalled + rig.ends[CLIENT].recalled, 0);
	}
}

Test(tls, a_new_generation_of_either_side_begins_anew)
{
	for (enum tls_rig_side side = SERVER; side <= CLIENT; side++) {
		TLS_RIG(rig);

		cr_expect_not(tls_rig_resumes(&rig));
		cr_expect(tls_rig_resumes(&rig));
		tls_rig_renew(&rig, side, 16);
		cr_expect_not(tls_rig_resumes(&rig));
		cr_expect_eq(rig.ends[SERVER].recalled, 0);
		cr_expect(tls_rig_resumes(&rig));
	}
}

Test(tls, who_keeps_no_sessions_never_resumes)
{
	for (enum tls_rig_side side = SERVER; side <= CLIENT; side++) {
		TLS_RIG(rig);

		tls_rig_renew(&rig, side, 0);
		for (int i = 0; i < 3; i++)
			cr_expect_not(tls_rig_resumes(&rig));
		cr_expect_eq(rig.ends[SERVER].recalled + rig.ends[CLIENT].recalled, 0);
	}
}

Test(tls, a_refused_peer_leaves_no_session_behind)
{
	for (int side = 0; side < 2; side++) {
		TLS_RIG(rig);

		rig.ends[side].verdict = -1;
		cr_expect_not(tls_rig_connect(&rig));
		cr_expect_eq(tls_memory_count(rig.ends[SERVER].tls->memory), 0);
		cr_expect_eq(tls_memory_count(rig.ends[CLIENT].tls->memory), 0);
	}
}

Test(tls, more_clients_than_fit_push_out_the_one_away_for_longest)
{
	TLS_RIG(rig);
	struct seal_tls *tls[3];

	tls_rig_renew(&rig, SERVER, 2);
	for (size_t i = 0; i < 3; i++) {
		tls_rig_renew(&rig, CLIENT, 4);
		tls[i] = seal_tls_ref(rig.ends[CLIENT].tls);
		cr_expect_not(tls_rig_resumes(&rig));
	}
	cr_expect_eq(tls_memory_count(rig.ends[SERVER].tls->memory), 2);
	seal_tls_unref(rig.ends[CLIENT].tls);
	for (size_t i = 3; i-- > 0;) {
		rig.ends[CLIENT].tls = tls[i];
		cr_expect_eq(tls_rig_resumes(&rig), i > 0);
	}
	seal_tls_unref(tls[1]);
	seal_tls_unref(tls[2]); /* the rig has the other one */
}

/* A server, of whatever make, that stumbles over what is offered shall get another chance. */
Test(tls, a_session_over_which_a_server_stumbled_is_not_offered_again)
{
	TLS_RIG(rig);
	static const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, 80 }; /* fatal, internal_error */
	struct tls_rig_end *client = &rig.ends[CLIENT];
	int fds[2];

	cr_expect_not(tls_rig_resumes(&rig));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	tls_rig_open(&rig, CLIENT, fds[1]);
	tls_rig_step(&rig, CLIENT);
	cr_expect_eq(client->recalled, 1);
	cr_assert_eq(write(fds[0], alert, sizeof(alert)), (ssize_t)sizeof(alert));
	tls_rig_step(&rig, CLIENT);
	cr_expect_eq(client->io, SEAL_IO_FAIL);
	tls_rig_hang_up(&rig);
	close(fds[0]);
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_eq(client->recalled, 0);
	cr_expect(tls_rig_resumes(&rig));
}

/* ---- How long ---- */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The client's and the server's entry for the session they have. */
static void
read_entries(struct tls_rig *rig, struct tls_kept kept[static 2])
{
	uint8_t scope[TLS_KEY_LEN];
	const unsigned char *ticket = NULL;
	SSL_SESSION *native;
	size_t len = 0;

	cr_assert_eq(tls_scope_key(scope, "here", "db.example.com", NULL), 0);
	cr_assert(tls_memory_get(rig->ends[CLIENT].tls->memory, scope, scope, time(NULL),
				 &kept[CLIENT]));
	native = tls_record_read(&kept[CLIENT]);
	cr_assert_not_null(native);
	SSL_SESSION_get0_ticket(native, &ticket, &len);
	cr_assert_eq(len, TLS_KEY_LEN, "the ticket is more than a name");
	cr_assert_eq(tls_scope_key(scope, "here", NULL, NULL), 0);
	cr_assert(tls_memory_get(rig->ends[SERVER].tls->memory, ticket, scope, time(NULL),
				 &kept[SERVER]));
	SSL_SESSION_free(native);
}

static struct pki_id
short_lived(struct tls_rig *rig, const char *name, int64_t until)
{
	struct seal_strv dns = pki_strv("any", name, NULL);
	char uri[SEAL_IDENTITY_URI_MAX];
	const struct seal_cert_spec spec = {
		.kind = SEAL_CERT_POD,
		.common_name = name,
		.uri = uri,
		.dns = &dns,
		.not_after = until,
	};
	struct pki_id id;

	(void)snprintf(uri, sizeof(uri), "spiffe://%s/workload/shop/peer/%s", PKI_DOMAIN, name);
	id = pki_issue(&rig->ca, &spec);
	seal_strv_release(&dns);
	return id;
}

Test(tls, a_session_ends_within_the_hour_and_with_the_first_of_both_certificates)
{
	static const int64_t lives[][2] = { { 1000000, 1000000 }, { 600, 1200 }, { 1200, 600 } };

	for (size_t i = 0; i < SEAL_COUNT(lives); i++) {
		TLS_RIG(rig);
		struct tls_kept kept[2] = { 0 };
		int64_t now = time(NULL);
		int64_t end = least(now + 3600, now + least(lives[i][0], lives[i][1]));

		tls_rig_become(&rig, SERVER, short_lived(&rig, "db", now + lives[i][0]));
		tls_rig_become(&rig, CLIENT, short_lived(&rig, "web", now + lives[i][1]));
		cr_expect_not(tls_rig_resumes(&rig));
		read_entries(&rig, kept);
		for (int side = 0; side < 2; side++) {
			cr_expect_geq(kept[side].expires_at, end);
			cr_expect_leq(kept[side].expires_at, i == 0 ? end + 5 : end);
			tls_kept_release(&kept[side]);
		}
	}
}

static bool
contains(const uint8_t *where, size_t len, const uint8_t *what, size_t what_len)
{
	for (size_t at = 0; at + what_len <= len; at++)
		if (memcmp(where + at, what, what_len) == 0)
			return true;
	return false;
}

Test(tls, both_sides_keep_the_same_secret_apart_and_no_certificate)
{
	TLS_RIG(rig);
	struct tls_kept kept[2] = { 0 };
	SSL_SESSION *native;

	cr_expect_not(tls_rig_resumes(&rig));
	read_entries(&rig, kept);
	cr_assert_eq(kept[CLIENT].psk_len, kept[SERVER].psk_len);
	cr_expect_arr_eq(kept[CLIENT].psk, kept[SERVER].psk, kept[SERVER].psk_len);
	cr_expect_eq(kept[SERVER].record.len, 0);
	cr_expect_leq(kept[CLIENT].record.len, 200);
	cr_expect_not(contains(kept[CLIENT].record.data, kept[CLIENT].record.len, kept[CLIENT].psk,
			       kept[CLIENT].psk_len));
	native = tls_record_read(&kept[CLIENT]);
	cr_assert_not_null(native);
	cr_expect_null(SSL_SESSION_get0_peer(native));
	SSL_SESSION_free(native);
	for (int side = 0; side < 2; side++)
		tls_kept_release(&kept[side]);
}

/* The library's serialisation, from the field with this tag to its end. */
static size_t
field_of(SSL_SESSION *native, uint8_t wanted, uint8_t field[static 16])
{
	uint8_t *der = NULL;
	int len = i2d_SSL_SESSION(native, &der);
	size_t found = 0;

	for (int at = len - 8; at > 0 && found == 0; at--)
		if (der[at] == wanted && der[at + 1] < 8 && der[at + 2] == 2 &&
		    der[at + 3] == der[at + 1] - 2) {
			found = (size_t)der[at + 1] + 2;
			memcpy(field, der + at, found);
		}
	OPENSSL_free(der);
	return found;
}

Test(tls, a_record_gives_back_what_the_library_had)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	struct tls_kept kept = { .key = { 7 },
				 .made_at = time(NULL),
				 .expires_at = time(NULL) + 1000 };
	const unsigned char *tickets[2] = { NULL, NULL };
	size_t lens[2] = { 0, 0 };
	uint8_t fields[2][16] = { { 0 } };
	uint8_t psk[TLS_PSK_MAX];
	SSL_SESSION *natives[2];
	bool ok = false;

	natives[0] = tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok));
	cr_assert(ok);
	cr_assert_not_null(natives[0]);
	kept.cipher = SSL_CIPHER_get_protocol_id(SSL_SESSION_get0_cipher(natives[0]));
	kept.psk_len = (uint8_t)SSL_SESSION_get_master_key(natives[0], kept.psk, sizeof(kept.psk));
	cr_assert(tls_record_write(&kept, natives[0]));
	natives[1] = tls_record_read(&kept);
	cr_assert_not_null(natives[1]);
	for (int i = 0; i < 2; i++)
		SSL_SESSION_get0_ticket(natives[i], &tickets[i], &lens[i]);
	cr_assert_eq(lens[0], lens[1]);
	cr_expect_arr_eq(tickets[0], tickets[1], lens[0]);
	cr_expect_eq(SSL_SESSION_get_ticket_lifetime_hint(natives[1]), 3600);
	cr_expect_eq(SSL_SESSION_get0_cipher(natives[0]), SSL_SESSION_get0_cipher(natives[1]));
	cr_expect_eq(SSL_SESSION_get_master_key(natives[1], psk, sizeof(psk)), kept.psk_len);
	cr_expect_arr_eq(psk, kept.psk, kept.psk_len);
	cr_expect_eq(SSL_SESSION_get_time(natives[1]), (long)kept.made_at);
	cr_expect_eq(SSL_SESSION_get_timeout(natives[1]), 1000);
	/* Tag 14: what is added to the ticket's age. */
	cr_expect_gt(field_of(natives[0], 0xae, fields[0]), 4);
	cr_expect_gt(field_of(natives[1], 0xae, fields[1]), 4);
	cr_expect_arr_eq(fields[0], fields[1], sizeof(fields[0]));
	for (int i = 0; i < 2; i++)
		SSL_SESSION_free(natives[i]);
	tls_kept_release(&kept);
	SSL_CTX_free(ctx);
}

Test(tls, nothing_is_kept_of_whom_the_verifier_gave_no_name)
{
	TLS_RIG(rig);

	for (enum tls_rig_side side = SERVER; side <= CLIENT; side++)
		rig.ends[side].gives_no_name = true;
	for (int i = 0; i < 2; i++)
		cr_expect_not(tls_rig_resumes(&rig));
	for (enum tls_rig_side side = SERVER; side <= CLIENT; side++)
		cr_expect_eq(tls_memory_count(rig.ends[side].tls->memory), 0);
}

Test(tls, a_certificate_that_is_over_leaves_no_session_to_resume)
{
	for (enum tls_rig_side side = SERVER; side <= CLIENT; side++) {
		TLS_RIG(rig);

		tls_rig_become(&rig, side, short_lived(&rig, "late", time(NULL) - 1));
		cr_expect_not(tls_rig_resumes(&rig));
		cr_expect_not(tls_rig_resumes(&rig));
		cr_expect_eq(rig.ends[SERVER].recalled, 0);
	}
}

Test(tls, a_connection_between_peers_has_a_verifier)
{
	TLS_RIG(rig);

	for (int i = 0; i < 2; i++) {
		const struct seal_tls_session_config config = { .scope = "here" };
		void *ssl = NULL;

		cr_expect_eq(seal_tls_session(&ssl, rig.ends[i].tls, &config, NULL), SEAL_E_BUG);
		cr_expect_null(ssl);
	}
}

/* ---- Names and protocols ---- */

static void
offer(struct tls_rig *rig, const char *server_list, const char *client_list)
{
	const char *lists[2] = { server_list, client_list };

	for (int i = 0; i < 2; i++) {
		seal_strv_release(&rig->ends[i].alpn);
		rig->ends[i].alpn = (struct seal_strv){ 0 };
		cr_assert_eq(seal_strv_split(&rig->ends[i].alpn, lists[i], ',', NULL), 0);
	}
}

Test(tls, the_server_chooses_the_protocol_in_its_own_order)
{
	static const struct {
		const char *server;
		const char *client;
		const char *chosen;
	} cases[] = {
		{ "h2,http/1.1", "http/1.1,h2", "h2" },
		{ "http/1.1,h2", "h2,http/1.1", "http/1.1" },
		{ "h2,http/1.1", "http/1.1", "http/1.1" },
		{ "h2", "spdy,h2c,h2", "h2" }, /* not what only begins like it */
		{ "", "h2,http/1.1", "" },     /* we have no opinion */
		{ "h2", "", "" },              /* nothing offered */
		{ "", "", "" },
	};
	TLS_RIG(rig);

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		offer(&rig, cases[i].server, cases[i].client);
		cr_assert(tls_rig_connect(&rig), "case %zu: %s", i, rig.ends[SERVER].err.text);
		for (int side = 0; side < 2; side++)
			cr_expect_str_eq(rig.ends[side].alpn_text, cases[i].chosen,
					 "case %zu, side %d: %s", i, side,
					 rig.ends[side].alpn_text);
	}
	cr_expect(rig.ends[SERVER].facts.resumed, "resumed ones were not among these");
}

Test(tls, no_protocol_in_common_is_a_failure)
{
	static const char *const lists[][2] = { { "h2", "http/1.1" },
						{ "h2", "h" },
						{ "h", "h2" },
						{ "h2,http/1.1", "http/1.0,h2c" } };
	TLS_RIG(rig);

	for (size_t i = 0; i < SEAL_COUNT(lists); i++) {
		offer(&rig, lists[i][0], lists[i][1]);
		cr_expect_not(tls_rig_connect(&rig), "case %zu", i);
		cr_expect_eq(rig.ends[SERVER].io, SEAL_IO_FAIL);
		cr_expect_eq(rig.ends[CLIENT].io, SEAL_IO_FAIL);
		cr_expect_eq(rig.ends[SERVER].verified, 0);
	}
}

Test(tls, a_protocol_has_a_name_of_1_to_255_bytes)
{
	TLS_RIG(rig);
	char longest[SEAL_ALPN_MAX + 2];

	memset(longest, 'p', sizeof(longest));
	longest[SEAL_ALPN_MAX] = '\0';
	offer(&rig, longest, longest);
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_str_eq(rig.ends[CLIENT].alpn_text, longest);
	longest[SEAL_ALPN_MAX] = 'p';
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "" : longest;
		char text[SEAL_ALPN_MAX + 2];
		char *items[1] = { text };
		const struct seal_strv list = { .items = items, .count = 1 };
		struct seal_tls_session_config config = { .alpn = &list };
		void *ssl = NULL;

		memcpy(text, name, i == 0 ? 1 : sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		config.verify = (seal_tls_verify_fn)(uintptr_t)1; /* never called */
		cr_expect_eq(seal_tls_session(&ssl, rig.ends[0].tls, &config, NULL), SEAL_E_BUG);
		cr_expect_null(ssl);
	}
}

Test(tls, both_sides_know_the_server_name_also_when_resumed)
{
	TLS_RIG(rig);

	for (int resumed = 0; resumed < 2; resumed++) {
		cr_expect_eq(tls_rig_resumes(&rig), resumed == 1);
		cr_expect_str_eq(rig.ends[SERVER].server_name_text, "db.example.com");
		cr_expect_str_eq(rig.ends[CLIENT].server_name_text, "db.example.com");
	}
	rig.ends[CLIENT].server_name = NULL;
	cr_expect_not(tls_rig_resumes(&rig));
	cr_expect_str_eq(rig.ends[SERVER].server_name_text, "");
	cr_expect_str_eq(rig.ends[CLIENT].server_name_text, "");
}
