/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two policies, set in one place: for peers and for the public.
 * The library's own verification, and with it the system's trust, is never reached; who decides
 * instead is session.c's, what is resumed is ticket.c's.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/tls/room.h"

static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			     "TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256";
static const char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512";
/* For browsers and older clients: still only forward secrecy and authenticated encryption. */
static const char public_suites_12[] =
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char public_groups[] = "X25519:P-256:P-384";
static const char public_signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:"
					"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
					"RSA+SHA256:RSA+SHA384:RSA+SHA512";

/* ---- Life of a context ---- */

static int
new_tls(struct seal_tls **ret_tls, enum seal_side side, size_t max_sessions, struct seal_err *err)
{
	SEAL_SCOPED(seal_tls_unrefp) struct seal_tls *tls = calloc(1, sizeof(*tls));
	int r = 0;

	if (tls == NULL)
		return seal_fail_memory(err);
	atomic_init(&tls->refs, 1);
	tls->side = side;
	tls->not_after = INT64_MAX;
	tls->ctx =
		SSL_CTX_new(side == SEAL_SIDE_SERVER ? TLS_server_method() : TLS_client_method());
	if (tls->ctx == NULL)
		return seal_fail_ssl(err, "cannot make a TLS context");
	if (max_sessions > 0)
		r = tls_memory_new(&tls->memory, max_sessions, err);
	if (r == 0)
		r = tls_use_memory(tls, err);
	if (r < 0)
		return r;
	*ret_tls = SEAL_TAKE(tls);
	return 0;
}

struct seal_tls *
seal_tls_ref(struct seal_tls *tls)
{
	atomic_fetch_add(&tls->refs, 1);
	return tls;
}

void
seal_tls_unref(struct seal_tls *tls)
{
	if (tls == NULL || atomic_fetch_sub(&tls->refs, 1) != 1)
		return;
	SSL_CTX_free(tls->ctx);
	tls_memory_free(tls->memory);
	for (size_t i = 0; i < tls->credential_count; i++) {
		seal_certs_free(tls->credentials[i].chain);
		seal_key_free(tls->credentials[i].key);
	}
	free(tls->credentials);
	free(tls);
}

void
seal_tls_unrefp(struct seal_tls **tls)
{
	seal_tls_unref(*tls);
}

/* ---- What both policies have in common ---- */

static int
use_credential(SSL_CTX *ctx, const struct seal_certs *chain, const struct seal_key *key,
	       struct seal_err *err)
{
	const struct seal_cert *leaf = seal_certs_at(chain, 0);

	if (leaf == NULL)
		return seal_fail(err, SEAL_E_BUG, "no certificate to present");
	if (SSL_CTX_use_certificate(ctx, seal_cert_native(leaf)) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, seal_key_native(key)) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return seal_fail_ssl(err, "the certificate and the key do not belong together");
	for (size_t i = 1; i < seal_certs_count(chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, seal_cert_native(seal_certs_at(chain, i))) != 1)
			return seal_fail_ssl(err, "cannot use the certificate chain");
	return 0;
}

static int
note_end(struct seal_tls *tls, const struct seal_cert *leaf, struct seal_err *err)
{
	int64_t from = 0;
	int64_t to = 0;
	int r = seal_cert_times(leaf, &from, &to, err);

	if (r == 0 && to < tls->not_after)
		tls->not_after = to;
	return r;
}

/*
 * No tickets that carry state: a session is named to the client and kept here.  No automatic chain: the
 * anchors are pinned by the peer, and sending or rebuilding them costs a fifth of a handshake.
 * Released buffers: an idle session holds none.
 */
static void
set_habits(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, SEAL_CHAIN_MAX_LEN);
	(void)SSL_CTX_set_num_tickets(ctx, 0); /* session.c asks for one; always succeeds */
}

/* ---- Peers ---- */

static int
set_peer_policy(SSL_CTX *ctx, const struct seal_tls_config *config, struct seal_err *err)
{
	int mode = SSL_VERIFY_PEER;

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, suites) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, signatures) != 1)
		return seal_fail_ssl(err, "cannot set the TLS policy");
	set_habits(ctx);
	if (config->side == SEAL_SIDE_SERVER)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	return use_credential(ctx, config->chain, config->key, err);
}

int
seal_tls_new(struct seal_tls **ret_tls, const struct seal_tls_config *config, struct seal_err *err)
{
	SEAL_SCOPED(seal_tls_unrefp) struct seal_tls *tls = NULL;
	int r = new_tls(&tls, config->side, config->max_sessions, err);

	if (r < 0)
		return r;
	tls->demands = true;
	r = set_peer_policy(tls->ctx, config, err);
	if (r == 0)
		r = note_end(tls, seal_certs_at(config->chain, 0), err);
	if (r < 0)
		return r;
	SSL_CTX_set_cert_verify_callback(tls->ctx, tls_ask_verifier, NULL);
	SSL_CTX_set_alpn_select_cb(tls->ctx, tls_select_alpn, NULL);
	if (config->side == SEAL_SIDE_SERVER)
		SSL_CTX_set_cert_cb(tls->ctx, tls_begin_full, NULL);
	*ret_tls = SEAL_TAKE(tls);
	return 0;
}

/* ---- The public ---- */

static int
note_credential(struct seal_tls *tls, struct tls_credential *credential, struct seal_err *err)
{
	const struct seal_cert *leaf = seal_certs_at(credential->chain, 0);
	int r;

	if (leaf == NULL)
		return seal_fail(err, SEAL_E_BUG, "no certificate to present");
	credential->kind = EVP_PKEY_is_a(seal_key_native(credential->key), "RSA") == 1
				   ? TLS_KIND_RSA
				   : TLS_KIND_EC;
	r = seal_cert_times(leaf, &credential->not_before, &credential->not_after, err);
	return r < 0 ? r : note_end(tls, leaf, err);
}

static int
copy_credentials(struct seal_tls *tls, const struct seal_tls_public_config *config,
		 struct seal_err *err)
{
	if (config->credential_count == 0)
		return seal_fail(err, SEAL_E_BUG, "no certificate to present");
	tls->credentials = calloc(config->credential_count, sizeof(*tls->credentials));
	if (tls->credentials == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < config->credential_count; i++) {
		struct tls_credential *credential = &tls->credentials[tls->credential_count++];
		int r = seal_certs_copy(&credential->chain, config->credentials[i].chain, err);

		if (r == 0)
			r = seal_key_copy(&credential->key, config->credentials[i].key, err);
		if (r == 0)
			r = note_credential(tls, credential, err);
		if (r < 0)
			return r;
	}
	return use_credential(tls->ctx, tls->credentials[0].chain, tls->credentials[0].key, err);
}

static int
set_public_policy(SSL_CTX *ctx, bool ask_clients, struct seal_err *err)
{
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, suites) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, public_suites_12) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, public_groups) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, public_signatures) != 1)
		return seal_fail_ssl(err, "cannot set the TLS policy");
	set_habits(ctx);
	SSL_CTX_set_verify(ctx,
			   ask_clients ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
				       : SSL_VERIFY_NONE,
			   NULL);
	return 0;
}

int
seal_tls_new_public(struct seal_tls **ret_tls, const struct seal_tls_public_config *config,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_tls_unrefp) struct seal_tls *tls = NULL;
	int r = new_tls(&tls, SEAL_SIDE_SERVER, config->max_sessions, err);

	if (r < 0)
		return r;
	tls->demands = config->client_anchors != NULL;
	r = set_public_policy(tls->ctx, tls->demands, err);
	if (r == 0)
		r = copy_credentials(tls, config, err);
	if (r < 0)
		return r;
	SSL_CTX_set_cert_verify_callback(tls->ctx, tls_ask_verifier, NULL);
	SSL_CTX_set_alpn_select_cb(tls->ctx, tls_select_alpn, NULL);
	/* Not the server name's own callback: this one comes when the name has been parsed, always. */
	SSL_CTX_set_cert_cb(tls->ctx, tls_begin_full, NULL);
	*ret_tls = SEAL_TAKE(tls);
	return 0;
}
