/* SPDX-License-Identifier: Apache-2.0 */
/* base/tls between peers: clients that do what ours would not. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/tls/tls_internal.h"
#include "tests/unit/base/tls_rig.h"

Test(tls_hostile, a_made_up_ticket_is_a_full_handshake)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	bool ok = false;
	SSL_SESSION *session = tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok));
	const unsigned char *ticket = NULL;
	size_t len = 0;

	cr_assert(ok);
	for (int made_up = 0; made_up < 2; made_up++) {
		SSL *ssl;

		SSL_SESSION_get0_ticket(session, &ticket, &len);
		cr_assert_eq(len, TLS_KEY_LEN);
		if (made_up == 1)
			*(unsigned char *)(uintptr_t)(ticket + 7) ^= 1;
		ssl = tls_rig_join(&rig, ctx, session, NULL, &ok);
		cr_assert(ok, "%s", rig.ends[SERVER].err.text);
		cr_expect_eq(SSL_session_reused(ssl), 1 - made_up);
		cr_expect_eq(rig.ends[SERVER].facts.resumed, made_up == 0);
		cr_expect_eq(rig.ends[SERVER].verified, (unsigned)made_up);
		SSL_SESSION_free(tls_rig_leave(&rig, ssl));
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
}

Test(tls_hostile, a_ticket_with_another_secret_is_no_way_in)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	uint8_t secret[32] = { 0 };
	bool ok = false;
	SSL_SESSION *session = tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok));
	size_t len = SSL_SESSION_get_master_key(session, NULL, 0);

	cr_assert(ok);
	cr_assert_eq(SSL_SESSION_set1_master_key(session, secret, len > 32 ? 32 : len), 1);
	SSL_free(tls_rig_join(&rig, ctx, session, NULL, &ok));
	cr_expect_not(ok);
	cr_expect_eq(rig.ends[SERVER].io, SEAL_IO_FAIL);
	cr_expect_str_eq(rig.ends[SERVER].peer.name, "");
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
}

/* RFC 8446 section 4.2.11: a session is of the hash of its cipher. */
Test(tls_hostile, a_client_whose_session_does_not_fit_its_ciphers_gets_one_that_does)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	SSL_SESSION *session;
	SSL *ssl;
	bool ok = false;

	cr_assert_eq(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384"), 1);
	session = tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok));
	cr_assert(ok && SSL_SESSION_is_resumable(session));

	cr_assert_eq(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"), 1);
	ssl = tls_rig_join(&rig, ctx, session, NULL, &ok);
	cr_expect(ok, "%s", rig.ends[SERVER].err.text);
	cr_expect_eq(rig.ends[SERVER].verified, 1);
	cr_expect_eq(SSL_session_reused(ssl), 0);
	SSL_SESSION_free(session);
	session = tls_rig_leave(&rig, ssl);
	cr_assert_not_null(session);
	cr_expect(SSL_SESSION_is_resumable(session), "no ticket came");

	ssl = tls_rig_join(&rig, ctx, session, NULL, &ok);
	cr_expect(ok && SSL_session_reused(ssl) == 1, "the new one is of no use");
	SSL_SESSION_free(session);
	SSL_SESSION_free(tls_rig_leave(&rig, ssl));
	SSL_CTX_free(ctx);
}

Test(tls_hostile, early_data_is_not_accepted)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	bool ok = false;
	SSL_SESSION *session = tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok));
	SSL *ssl = SSL_new(ctx);
	int fd = tls_rig_serve(&rig);
	size_t len = 0;
	int r = 0;

	cr_expect_eq(SSL_SESSION_get_max_early_data(session), 0, "it is even invited");
	cr_assert_eq(SSL_SESSION_set_max_early_data(session, 16384), 1);
	cr_assert_eq(SSL_set_fd(ssl, fd), 1);
	cr_assert_eq(SSL_set_session(ssl, session), 1);
	SSL_set_connect_state(ssl);
	cr_assert_eq(SSL_write_early_data(ssl, "replayed", 8, &len), 1);
	for (int turn = 0; turn < 10; turn++) {
		tls_rig_step(&rig, SERVER);
		r = r == 1 ? 1 : SSL_do_handshake(ssl);
	}
	cr_assert_eq(r, 1);
	cr_expect_eq(SSL_get_early_data_status(ssl), SSL_EARLY_DATA_REJECTED);
	cr_assert_eq(rig.ends[SERVER].io, SEAL_IO_DONE, "%s", rig.ends[SERVER].err.text);
	cr_expect_eq(seal_stream_read(rig.ends[SERVER].stream, seal_staging_plain(rig.staging),
				      SEAL_STAGING_LEN, &len, NULL),
		     SEAL_IO_READ, "bytes that anybody could have sent again");
	SSL_SESSION_free(tls_rig_leave(&rig, ssl));
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
}

static uint8_t *
find(uint8_t *text, size_t len, const void *what, size_t what_len)
{
	return memmem(text, len, what, what_len);
}

/* RFC 8446 section 4.2.9: without a key exchange of its own, a session would not be forward secret. */
Test(tls_hostile, a_client_that_offers_no_fresh_key_exchange_is_not_resumed)
{
	static const uint8_t modes[] = { 0, 0x2d, 0, 2, 1, 1 };  /* psk_dhe_ke */
	static const uint8_t chosen[] = { 0, 0x29, 0, 2, 0, 0 }; /* the first PSK */
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	bool ok = false;
	SSL_SESSION *session = tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok));

	cr_assert(ok);
	for (int without = 0; without < 2; without++) {
		SSL *ssl = SSL_new(ctx);
		int fd = tls_rig_serve(&rig);
		BIO *out = BIO_new(BIO_s_mem());
		uint8_t text[4096];
		ssize_t len;
		uint8_t *at;

		SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
		cr_assert_eq(SSL_set_session(ssl, session), 1);
		SSL_set_connect_state(ssl);
		cr_assert_eq(SSL_do_handshake(ssl), -1);
		len = BIO_read(out, text, sizeof(text));
		cr_assert_gt(len, 0);
		at = find(text, (size_t)len, modes, sizeof(modes));
		cr_assert_not_null(at);
		if (without == 1)
			at[5] = 0; /* psk_ke */
		cr_assert_eq(write(fd, text, (size_t)len), len);
		tls_rig_step(&rig, SERVER);
		cr_expect_eq(rig.ends[SERVER].recalled, without == 0 ? 1u : 0u);
		len = read(fd, text, sizeof(text));
		cr_assert_gt(len, 5);
		cr_expect_eq(find(text, (size_t)len, chosen, sizeof(chosen)) != NULL, without == 0);
		SSL_free(ssl);
		tls_rig_hang_up(&rig);
		close(fd);
	}
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
}

Test(tls_hostile, peers_speak_nothing_older_than_1_3)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	bool ok = true;

	cr_assert_eq(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
	SSL_SESSION_free(tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok)));
	cr_expect_not(ok);
	cr_expect_eq(rig.ends[SERVER].io, SEAL_IO_FAIL);
	cr_expect_eq(rig.ends[SERVER].verified, 0);
	SSL_CTX_free(ctx);
}

Test(tls_hostile, a_client_without_a_certificate_is_refused)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool ok = true;

	SSL_SESSION_free(tls_rig_leave(&rig, tls_rig_join(&rig, ctx, NULL, NULL, &ok)));
	cr_expect_not(ok);
	cr_expect_eq(rig.ends[SERVER].io, SEAL_IO_FAIL);
	cr_expect_eq(tls_memory_count(rig.ends[SERVER].tls->memory), 0);
	SSL_CTX_free(ctx);
}

/* ---- What is left behind ---- */

static int
admit_nobody(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	     struct seal_err *err)
{
	(void)arg, (void)presented, (void)ret_peer;
	return seal_fail(err, SEAL_E_REFUSED, "nobody");
}

Test(tls_hostile, leaves_nothing_of_what_may_be_keys_in_buffers_that_others_get_next)
{
	TLS_RIG(rig);

	for (int side = 0; side < 2; side++)
		for (int wipes = 0; wipes < 2; wipes++) {
			const struct seal_tls_session_config config = { .verify = admit_nobody,
									.wipes = wipes == 1 };
			void *ssl = NULL;

			cr_assert_eq(seal_tls_session(&ssl, rig.ends[side].tls, &config, NULL), 0);
			cr_expect_eq((SSL_get_options(ssl) & SSL_OP_CLEANSE_PLAINTEXT) != 0,
				     wipes == 1);
			SSL_free(ssl);
		}
}
