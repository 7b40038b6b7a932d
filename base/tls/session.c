/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: what its owner brings, who decides about the other side, and what its handshake
 * came to.  Everything here hangs on the library's session and goes in two steps: when the owner has
 * settled, what only the handshake needed; and when no ticket can come any more, the rest.
 *
 * A handshake is worth what its verification was.  The library says "complete"; seal_tls_finish asks
 * in addition that this very handshake was either verified or resumed from a session of ours, whose
 * peer the owner has just admitted again.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret/secret.h"
#include "base/tls/room.h"

static const struct seal_peer nobody;

static void
free_handshake(struct tls_handshake *handshake)
{
	if (handshake == NULL)
		return;
	free(handshake->alpn);
	free(handshake);
}

static void
free_session(struct tls_session *session)
{
	if (session == NULL)
		return;
	free_handshake(session->handshake);
	free(session->peer);
	seal_tls_unref(session->tls);
	free(session);
}

static void
on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	free_session(ptr);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int session_index = -1;

static void
make_index(void)
{
	session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
}

struct tls_session *
tls_session_of(const SSL *ssl)
{
	return session_index < 0 ? NULL : SSL_get_ex_data(ssl, session_index);
}

static struct tls_handshake *
handshake_of(const void *ssl)
{
	const struct tls_session *session = tls_session_of(ssl);

	return session == NULL ? NULL : session->handshake;
}

/* The names in the form in which RFC 7301 sends them. */
static int
pack_alpn(struct tls_handshake *handshake, const struct seal_strv *names, struct seal_err *err)
{
	size_t total = 0;

	for (size_t i = 0; names != NULL && i < names->count; i++) {
		size_t len = strlen(names->items[i]);

		if (len == 0 || len > SEAL_ALPN_MAX)
			return seal_fail(err, SEAL_E_BUG, "an ALPN protocol of %zu bytes", len);
		total += len + 1;
	}
	if (total == 0)
		return 0;
	handshake->alpn = malloc(total);
	if (handshake->alpn == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < names->count; i++) {
		size_t len = strlen(names->items[i]);

		handshake->alpn[handshake->alpn_len] = (uint8_t)len;
		memcpy(handshake->alpn + handshake->alpn_len + 1, names->items[i], len);
		handshake->alpn_len += len + 1;
	}
	return 0;
}

/* Is the name in the list? */
static bool
has_protocol(const uint8_t *list, size_t list_len, const uint8_t *name, size_t len)
{
	for (size_t at = 0; at < list_len; at += (size_t)list[at] + 1)
		if (list[at] == len && at + 1 + len <= list_len &&
		    memcmp(list + at + 1, name, len) == 0)
			return true;
	return false;
}

/* RFC 7301 section 3.2, the server's choice, in our order. */
int
tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		const unsigned char *in, unsigned in_len, void *unused)
{
	const struct tls_handshake *handshake = handshake_of(ssl);

	(void)unused;
	if (handshake == NULL || handshake->alpn == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t at = 0; at < handshake->alpn_len; at += (size_t)handshake->alpn[at] + 1)
		if (has_protocol(in, in_len, handshake->alpn + at + 1, handshake->alpn[at])) {
			*out = handshake->alpn + at + 1;
			*out_len = handshake->alpn[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
new_session(struct tls_session **ret_session, struct seal_tls *tls,
	    const struct seal_tls_session_config *config, struct seal_err *err)
{
	struct tls_session *session = calloc(1, sizeof(*session));
	struct tls_handshake *handshake = calloc(1, sizeof(*handshake));
	int r;

	if (session == NULL || handshake == NULL) {
		free(session);
		free(handshake);
		return seal_fail_memory(err);
	}
	*handshake = (struct tls_handshake){ .verify = config->verify,
					     .resume = config->resume,
					     .arg = config->arg };
	session->handshake = handshake;
	session->tls = seal_tls_ref(tls);
	session->demands = tls->demands && !config->anonymous;
	session->may_resume =
		tls->memory != NULL && config->scope != NULL && config->resume != NULL;
	r = pack_alpn(handshake, config->alpn, err);
	if (r == 0 && session->may_resume)
		r = tls_scope_key(session->scope, config->scope, config->server_name, err);
	if (r < 0) {
		free_session(session);
		return r;
	}
	*ret_session = session;
	return 0;
}

static int
set_up_client(SSL *ssl, struct tls_session *session, const char *server_name, struct seal_err *err)
{
	const struct tls_handshake *handshake = session->handshake;

	SSL_set_connect_state(ssl);
	if (server_name != NULL && SSL_set_tlsext_host_name(ssl, server_name) != 1)
		return seal_fail_ssl(err, "cannot send the server name '%s'", server_name);
	/* Of all the library's calls, this one says 0 for success. */
	if (handshake->alpn != NULL &&
	    SSL_set_alpn_protos(ssl, handshake->alpn, (unsigned)handshake->alpn_len) != 0)
		return seal_fail_ssl(err, "cannot offer ALPN protocols");
	return session->may_resume ? tls_offer(ssl, session, err) : 0;
}

static int
set_up_server(SSL *ssl, const struct tls_session *session, struct seal_err *err)
{
	SSL_set_accept_state(ssl);
	/* Asked for it in any case; without one the handshake then goes on. */
	if (session->tls->demands && !session->demands)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	/* One ticket after a full handshake; ticket.c takes it back when a session is resumed. */
	if (session->may_resume && SSL_set_num_tickets(ssl, 1) != 1)
		return seal_fail_ssl(err, "cannot prepare resumption");
	return 0;
}

int
seal_tls_session(void **ret_ssl, struct seal_tls *tls, const struct seal_tls_session_config *config,
		 struct seal_err *err)
{
	struct tls_session *session = NULL;
	SSL *ssl;
	int r;

	if (config->verify == NULL && tls->demands)
		return seal_fail(err, SEAL_E_BUG, "a connection between peers and no verifier");
	if (config->anonymous && (tls->side != SEAL_SIDE_SERVER || tls->memory != NULL))
		return seal_fail(err, SEAL_E_BUG,
				 "only servers, and without resumption, serve anybody");
	if (CRYPTO_THREAD_run_once(&once, make_index) != 1 || session_index < 0)
		return seal_fail_ssl(err, "cannot prepare TLS");
	r = new_session(&session, tls, config, err);
	if (r < 0)
		return r;
	ssl = SSL_new(tls->ctx);
	if (ssl == NULL || SSL_set_ex_data(ssl, session_index, session) != 1) {
		free_session(session);
		SSL_free(ssl);
		return seal_fail_memory(err);
	}
	if (config->wipes)
		(void)SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT); /* tells what is set */
	r = tls->side == SEAL_SIDE_CLIENT ? set_up_client(ssl, session, config->server_name, err)
					  : set_up_server(ssl, session, err);
	if (r < 0) {
		SSL_free(ssl);
		return r;
	}
	*ret_ssl = ssl;
	return 0;
}

/* Called by OpenSSL, in full handshakes only, with what was presented: the leaf first. */
int
tls_ask_verifier(X509_STORE_CTX *store, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_handshake *handshake = handshake_of(ssl);
	struct seal_certs *presented = (struct seal_certs *)X509_STORE_CTX_get0_untrusted(store);
	struct seal_peer peer = { 0 };

	(void)unused;
	if (handshake != NULL && handshake->verify != NULL && seal_certs_count(presented) > 0 &&
	    handshake->verify(handshake->arg, presented, &peer, &handshake->verdict) == 0) {
		/* The verifier may have put an equal in the leaf's place, and let go of this one. */
		X509_STORE_CTX_set_cert(store, seal_cert_native(seal_certs_at(presented, 0)));
		X509_STORE_CTX_set_error(store, X509_V_OK);
		handshake->source = TLS_VERIFIED;
		handshake->peer = peer;
		if (!tls_may_meet_again(tls_session_of(ssl)))
			(void)SSL_set_num_tickets(ssl, 0); /* sets a number */
		return 1;
	}
	if (handshake != NULL && handshake->verdict.code == 0)
		(void)seal_fail(&handshake->verdict, SEAL_E_UNAUTH, "the peer was not admitted");
	/* One alert for every reason. */
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* Resumed, and from the session of which the owner admitted the peer. */
static int
check_resumed(const SSL *ssl, const struct tls_handshake *handshake, struct seal_err *err)
{
	unsigned len = 0;
	const unsigned char *id = SSL_SESSION_get_id(SSL_get0_session(ssl), &len);

	if (handshake->source != TLS_RECALLED || len != TLS_KEY_LEN ||
	    memcmp(id, handshake->recalled, TLS_KEY_LEN) != 0)
		return seal_fail(err, SEAL_E_BUG, "a session was resumed that is not ours");
	return 0;
}

int
seal_tls_finish(void *ssl, struct seal_err *err)
{
	struct tls_session *session = tls_session_of(ssl);
	struct tls_handshake *handshake = handshake_of(ssl);
	const unsigned char *chosen = NULL;
	unsigned chosen_len = 0;

	if (handshake == NULL)
		return seal_fail(err, SEAL_E_BUG, "a handshake complete twice");
	if (SSL_session_reused(ssl) == 1) {
		int r = check_resumed(ssl, handshake, err);

		if (r < 0)
			return r;
	} else if (handshake->source != TLS_VERIFIED) {
		/* Offered or looked up, but not taken: that peer is not this one. */
		handshake->source = TLS_NOBODY;
		handshake->peer = nobody;
		if (session->demands)
			return seal_fail(err, SEAL_E_BUG, "a handshake without verification");
	}
	if (session->may_resume && SSL_session_reused(ssl) != 1 && tls_may_meet_again(session))
		session->expires_at = tls_expiry(session, &handshake->peer);
	SSL_get0_alpn_selected(ssl, &chosen, &chosen_len);
	if (chosen_len > 0 &&
	    !has_protocol(handshake->alpn, handshake->alpn_len, chosen, chosen_len))
		return seal_fail(err, SEAL_E_FORMAT, "the server chose a protocol not offered");
	return 0;
}

struct seal_err
seal_tls_verdict(void *ssl)
{
	const struct tls_session *session = tls_session_of(ssl);
	const struct tls_handshake *handshake = handshake_of(ssl);

	if (handshake == NULL)
		return (struct seal_err){ 0 };
	/* A server that trips over an old session shall not do so for ever. */
	if (session->tls->side == SEAL_SIDE_CLIENT && handshake->source == TLS_RECALLED)
		tls_memory_drop(session->tls->memory, session->scope);
	return handshake->verdict;
}

const struct seal_peer *
seal_tls_peer(const void *ssl)
{
	const struct tls_handshake *handshake = handshake_of(ssl);

	return handshake == NULL ? &nobody : &handshake->peer;
}

void
seal_tls_facts(const void *ssl, struct seal_tls_facts *ret_facts, const char **ret_alpn,
	       size_t *ret_alpn_len)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const char *cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;

	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	*ret_alpn = (const char *)alpn;
	*ret_alpn_len = alpn_len;
	*ret_facts = (struct seal_tls_facts){ .version = SSL_get_version(ssl),
					      .cipher = cipher == NULL ? "" : cipher,
					      .alpn = "",
					      .server_name = name == NULL ? "" : name,
					      /* the library's own call is not for const */
					      .resumed = SSL_session_reused(
								 (SSL *)(uintptr_t)ssl) == 1 };
}

/* A client's ticket comes after its handshake; a server's has been sent with it. */
static bool
awaits_ticket(const void *ssl, const struct tls_session *session)
{
	return session->tls->side == SEAL_SIDE_CLIENT && session->expires_at != 0 &&
	       !session->remembered && SSL_get_shutdown(ssl) == 0;
}

void
seal_tls_settle(void *ssl)
{
	struct tls_session *session = tls_session_of(ssl);

	if (session == NULL || session->handshake == NULL)
		return;
	if (awaits_ticket(ssl, session)) {
		session->peer = tls_peer_pack(&session->handshake->peer);
		if (session->peer != NULL) {
			free_handshake(session->handshake);
			session->handshake = NULL;
			return;
		}
	}
	(void)SSL_set_ex_data(ssl, session_index, NULL); /* there is room: it was set before */
	free_session(session);
}
