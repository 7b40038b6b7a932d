/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resumption: what is kept when a handshake has ended well, and when it is used again.
 *
 *   full handshake ─▶ the server names the session (a random ticket) ─▶ both keep it in their tables
 *   next handshake ─▶ client: its owner admits the peer again? ─▶ offered
 *                 ─▶ server: known, of this scope, not too old, its owner admits the peer again?
 *                      yes ─▶ resumed, with a fresh key exchange (psk_dhe_ke), no certificate
 *                      no  ─▶ a full handshake, as if nothing had been offered
 *
 * The ticket is the name of an entry of the server's table and no more: nothing about the session, and
 * so no key that would have to be rotated, ever leaves the process.  It may be used again until it
 * expires: RFC 8446 appendix C.4 advises against that because an observer could link connections by
 * it, but those between two peers are linked by their addresses and the server name already; an
 * early-data replay is no matter where there is no early data.
 */
#include <openssl/err.h>
#include <string.h>
#include <time.h>

#include "base/secret/secret.h"
#include "base/tls/room.h"

/* Seconds.  Longer would save little: one handshake in so many per pair of peers is a full one. */
#define LIFETIME_S 3600

const unsigned char tls_context[4] = { 's', 'e', 'a', 'l' };

int
tls_scope_key(uint8_t ret_key[static TLS_KEY_LEN], const char *scope, const char *name,
	      struct seal_err *err)
{
	struct seal_bytes text = SEAL_BYTES(4096);
	int r = seal_bytes_append_fmt(&text, err, "%s\n%s", scope, name == NULL ? "" : name);

	if (r == 0)
		r = seal_sha256(ret_key, text.data, text.len, err);
	seal_bytes_release(&text);
	return r;
}

int64_t
tls_expiry(const struct tls_session *session, const struct seal_peer *peer)
{
	const struct tls_handshake *handshake = session->handshake;
	int64_t expires_at = (int64_t)time(NULL) + LIFETIME_S;
	int64_t own = session->tls->not_after;

	if (handshake != NULL && handshake->own_not_after != 0)
		own = handshake->own_not_after;
	if (own < expires_at)
		expires_at = own;
	if (peer->name[0] != '\0' && peer->not_after < expires_at)
		expires_at = peer->not_after;
	return expires_at;
}

bool
tls_may_meet_again(const struct tls_session *session)
{
	return !session->tls->demands || (session->handshake->source == TLS_VERIFIED &&
					  session->handshake->peer.name[0] != '\0');
}

/* Has the other side been verified in this very handshake, or need it not be? */
static bool
is_keepable(const struct tls_session *session, SSL *ssl)
{
	if (session == NULL || !session->may_resume || session->remembered ||
	    SSL_version(ssl) != TLS1_3_VERSION)
		return false;
	if (session->handshake ==
	    NULL) /* settled: only who may wait for a ticket still has these */
		return session->peer != NULL;
	return tls_may_meet_again(session);
}

static void
read_peer(const struct tls_session *session, struct seal_peer *ret_peer)
{
	if (session->handshake != NULL)
		*ret_peer = session->handshake->peer;
	else
		tls_peer_unpack(ret_peer, session->peer);
}

/* What both sides keep.  false: a session that cannot be kept. */
static bool
read_session(struct tls_kept *ret_kept, const struct tls_session *session,
	     const SSL_SESSION *native)
{
	const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(native);
	size_t psk_len = SSL_SESSION_get_master_key(native, NULL, 0);

	if (cipher == NULL || psk_len > TLS_PSK_MAX)
		return false;
	memcpy(ret_kept->scope, session->scope, TLS_KEY_LEN);
	ret_kept->cipher = SSL_CIPHER_get_protocol_id(cipher);
	ret_kept->psk_len =
		(uint8_t)SSL_SESSION_get_master_key(native, ret_kept->psk, sizeof(ret_kept->psk));
	read_peer(session, &ret_kept->peer);
	ret_kept->made_at = (int64_t)time(NULL);
	ret_kept->expires_at = tls_expiry(session, &ret_kept->peer);
	return ret_kept->expires_at > ret_kept->made_at;
}

/* ---- The server's table ---- */

static int
on_server_session(SSL *ssl, SSL_SESSION *native)
{
	struct tls_session *session = tls_session_of(ssl);
	struct tls_kept kept = { 0 };
	const unsigned char *id;
	unsigned id_len = 0;

	id = SSL_SESSION_get_id(native, &id_len);
	if (!is_keepable(session, ssl) || id_len != TLS_KEY_LEN)
		return 0;
	memcpy(kept.key, id, TLS_KEY_LEN);
	if (read_session(&kept, session, native)) {
		tls_memory_put(session->tls->memory, &kept);
		session->remembered = true;
	}
	tls_kept_release(&kept);
	return 0; /* the library's own object is not kept */
}

static const SSL_CIPHER *
cipher_of(SSL *ssl, const struct tls_kept *kept)
{
	const unsigned char id[2] = { (unsigned char)(kept->cipher >> 8),
				      (unsigned char)(kept->cipher & 0xff) };

	return SSL_CIPHER_find(ssl, id);
}

/*
 * RFC 8446 section 4.6.1: a session is resumed with a cipher of its hash.  The library has chosen the
 * cipher by now; given a session that does not fit, it would not only drop that but send no other.
 */
static bool
fits(SSL *ssl, const struct tls_kept *kept)
{
	const SSL_CIPHER *chosen = SSL_get_pending_cipher(ssl);
	const SSL_CIPHER *cipher = cipher_of(ssl, kept);

	return chosen != NULL && cipher != NULL &&
	       SSL_CIPHER_get_handshake_digest(chosen) == SSL_CIPHER_get_handshake_digest(cipher);
}

static SSL_SESSION *
revive(SSL *ssl, const struct tls_kept *kept)
{
	const SSL_CIPHER *cipher = cipher_of(ssl, kept);
	SSL_SESSION *native = SSL_SESSION_new();

	if (native != NULL && cipher != NULL &&
	    SSL_SESSION_set1_master_key(native, kept->psk, kept->psk_len) == 1 &&
	    SSL_SESSION_set_cipher(native, cipher) == 1 &&
	    SSL_SESSION_set_protocol_version(native, TLS1_3_VERSION) == 1 &&
	    SSL_SESSION_set1_id(native, kept->key, TLS_KEY_LEN) == 1 &&
	    SSL_SESSION_set1_id_context(native, tls_context, sizeof(tls_context)) == 1) {
		(void)SSL_SESSION_set_time(native, (long)kept->made_at);
		(void)SSL_SESSION_set_timeout(native, (long)(kept->expires_at - kept->made_at));
		return native;
	}
	ERR_clear_error();
	SSL_SESSION_free(native);
	return NULL;
}

static SSL_SESSION *
on_lookup(SSL *ssl, const unsigned char *id, int id_len, int *ret_copy)
{
	struct tls_session *session = tls_session_of(ssl);
	struct tls_handshake *handshake = session == NULL ? NULL : session->handshake;
	SSL_SESSION *native = NULL;
	struct tls_kept kept = { 0 };

	*ret_copy = 0; /* what is returned is the library's */
	if (handshake == NULL || !session->may_resume || id_len != TLS_KEY_LEN ||
	    SSL_version(ssl) != TLS1_3_VERSION)
		return NULL;
	if (tls_memory_get(session->tls->memory, id, session->scope, (int64_t)time(NULL), &kept) &&
	    fits(ssl, &kept) && handshake->resume(handshake->arg, &kept.peer))
		native = revive(ssl, &kept);
	if (native != NULL) {
		handshake->source = TLS_RECALLED;
		handshake->peer = kept.peer;
		memcpy(handshake->recalled, kept.key, TLS_KEY_LEN);
		(void)SSL_set_num_tickets(ssl, 0); /* the client has one; choose.c gives it back */
	}
	tls_kept_release(&kept);
	return native;
}

/* ---- The client's ---- */

static int
on_client_session(SSL *ssl, SSL_SESSION *native)
{
	struct tls_session *session = tls_session_of(ssl);
	struct tls_kept kept = { 0 };

	if (!is_keepable(session, ssl))
		return 0;
	memcpy(kept.key, session->scope, TLS_KEY_LEN);
	if (read_session(&kept, session, native) && tls_record_write(&kept, native))
		tls_memory_put(session->tls->memory, &kept);
	tls_kept_release(&kept);
	session->remembered = true; /* one of each connection, however many are sent */
	return 0;
}

int
tls_offer(SSL *ssl, struct tls_session *session, struct seal_err *err)
{
	struct tls_handshake *handshake = session->handshake;
	SSL_SESSION *native = NULL;
	struct tls_kept kept = { 0 };
	int r = 0;

	if (tls_memory_get(session->tls->memory, session->scope, session->scope,
			   (int64_t)time(NULL), &kept) &&
	    handshake->resume(handshake->arg, &kept.peer))
		native = tls_record_read(&kept);
	if (native != NULL) {
		if (SSL_set_session(ssl, native) != 1)
			r = seal_fail_ssl(err, "cannot offer to resume a session");
		handshake->source = TLS_RECALLED;
		handshake->peer = kept.peer;
		memcpy(handshake->recalled, kept.key, TLS_KEY_LEN);
	}
	SSL_SESSION_free(native);
	tls_kept_release(&kept);
	return r;
}

/* ---- Both ---- */

int
tls_use_memory(struct seal_tls *tls, struct seal_err *err)
{
	long mode = SSL_SESS_CACHE_NO_INTERNAL;

	/* Also without a table: a session that is nobody's could otherwise be taken for one. */
	if (SSL_CTX_set_session_id_context(tls->ctx, tls_context, sizeof(tls_context)) != 1)
		return seal_fail_ssl(err, "cannot name the sessions");
	if (tls->memory == NULL) {
		SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
		return 0;
	}
	if (tls->side == SEAL_SIDE_SERVER) {
		SSL_CTX_sess_set_new_cb(tls->ctx, on_server_session);
		SSL_CTX_sess_set_get_cb(tls->ctx, on_lookup);
		mode |= SSL_SESS_CACHE_SERVER;
	} else {
		SSL_CTX_sess_set_new_cb(tls->ctx, on_client_session);
		mode |= SSL_SESS_CACHE_CLIENT;
	}
	SSL_CTX_set_session_cache_mode(tls->ctx, mode);
	SSL_CTX_set_timeout(tls->ctx, LIFETIME_S); /* what a server tells its clients */
	return 0;
}
