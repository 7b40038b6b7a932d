/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS policy, set in one place for contexts of ours and of libcurl.  Sessions carry the verifier
 * of their owner; the library's own verification, and with it the system's trust, is never reached.
 *
 * No session tickets and no session cache: a resumed session would carry an identity that was
 * verified earlier, under rules that may have changed.
 */
#include "base/tls/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			     "TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256";
static const char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512";

struct seal_tls {
	atomic_uint refs;
	enum seal_side side;
	SSL_CTX *ctx;
};

/* Who decides about the other side, attached to a session or to a context. */
struct verifier {
	seal_tls_verify_fn verify;
	void *arg;
	struct seal_err *err;
};

static void
free_verifier(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	free(ptr);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int session_index = -1;
static int context_index = -1;

static void
make_indexes(void)
{
	session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_verifier);
	context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_verifier);
}

static int
prepare(struct seal_err *err)
{
	if (CRYPTO_THREAD_run_once(&once, make_indexes) != 1 || session_index < 0 ||
	    context_index < 0)
		return seal_fail_ssl(err, "cannot prepare TLS");
	return 0;
}

static struct verifier *
new_verifier(seal_tls_verify_fn verify, void *arg, struct seal_err *verify_err)
{
	struct verifier *verifier = malloc(sizeof(*verifier));

	if (verifier != NULL)
		*verifier = (struct verifier){ verify, arg, verify_err };
	return verifier;
}

/* Called by OpenSSL with what was presented; the stack holds the leaf first. */
static int
ask_verifier(X509_STORE_CTX *store, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct verifier *verifier = SSL_get_ex_data(ssl, session_index);
	const struct seal_certs *presented;

	(void)unused;
	if (verifier == NULL)
		verifier = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
	presented = (const struct seal_certs *)X509_STORE_CTX_get0_untrusted(store);
	if (verifier != NULL && seal_certs_count(presented) > 0 &&
	    verifier->verify(verifier->arg, presented, verifier->err) == 0) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	/* One alert for every reason. */
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static int
use_credential(SSL_CTX *ctx, const struct seal_tls_config *config, struct seal_err *err)
{
	const struct seal_cert *leaf = seal_certs_at(config->chain, 0);

	if (leaf == NULL)
		return seal_fail(err, SEAL_E_BUG, "no certificate to present");
	if (SSL_CTX_use_certificate(ctx, seal_cert_native(leaf)) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, seal_key_native(config->key)) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return seal_fail_ssl(err, "the certificate and the key do not belong together");
	for (size_t i = 1; i < seal_certs_count(config->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx,
					    seal_cert_native(seal_certs_at(config->chain, i))) != 1)
			return seal_fail_ssl(err, "cannot use the certificate chain");
	return 0;
}

static int
set_policy(SSL_CTX *ctx, const struct seal_tls_config *config, struct seal_err *err)
{
	int mode = SSL_VERIFY_PEER;

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, suites) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
	    SSL_CTX_set1_sigalgs_list(ctx, signatures) != 1 || SSL_CTX_set_num_tickets(ctx, 0) != 1)
		return seal_fail_ssl(err, "cannot set the TLS policy");
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	/*
	 * No automatic chain: our anchors are pinned by the peer, sending or rebuilding them costs a
	 * fifth of a handshake.  Released buffers: an idle session holds none.
	 */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, SEAL_CHAIN_MAX_LEN);
	if (config->side == SEAL_SIDE_SERVER)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, ask_verifier, NULL);
	return use_credential(ctx, config, err);
}

int
seal_tls_new(struct seal_tls **ret_tls, const struct seal_tls_config *config, struct seal_err *err)
{
	SEAL_SCOPED(seal_tls_unrefp) struct seal_tls *tls = NULL;
	int r;

	r = prepare(err);
	if (r < 0)
		return r;
	tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return seal_fail_memory(err);
	atomic_init(&tls->refs, 1);
	tls->side = config->side;
	tls->ctx = SSL_CTX_new(config->side == SEAL_SIDE_SERVER ? TLS_server_method()
								: TLS_client_method());
	if (tls->ctx == NULL)
		return seal_fail_ssl(err, "cannot make a TLS context");
	r = set_policy(tls->ctx, config, err);
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
	free(tls);
}

void
seal_tls_unrefp(struct seal_tls **tls)
{
	seal_tls_unref(*tls);
}

int
seal_tls_apply(void *native_ctx, const struct seal_tls_config *config, seal_tls_verify_fn verify,
	       void *arg, struct seal_err *verify_err, struct seal_err *err)
{
	struct verifier *verifier;
	int r;

	r = prepare(err);
	if (r < 0)
		return r;
	verifier = new_verifier(verify, arg, verify_err);
	if (verifier == NULL)
		return seal_fail_memory(err);
	free(SSL_CTX_get_ex_data(native_ctx, context_index));
	if (SSL_CTX_set_ex_data(native_ctx, context_index, verifier) != 1) {
		free(verifier);
		return seal_fail_ssl(err, "cannot attach the verifier");
	}
	return set_policy(native_ctx, config, err);
}

static int
set_up_session(SSL *ssl, const struct seal_tls *tls, const char *server_name,
	       struct verifier *verifier, struct seal_err *err)
{
	if (SSL_set_ex_data(ssl, session_index, verifier) != 1) {
		free(verifier);
		return seal_fail_ssl(err, "cannot attach the verifier");
	}
	if (server_name != NULL && SSL_set_tlsext_host_name(ssl, server_name) != 1)
		return seal_fail_ssl(err, "cannot send the server name '%s'", server_name);
	if (tls->side == SEAL_SIDE_SERVER)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return 0;
}

int
seal_tls_session(void **ret_ssl, struct seal_tls *tls, const char *server_name,
		 seal_tls_verify_fn verify, void *arg, struct seal_err *verify_err,
		 struct seal_err *err)
{
	struct verifier *verifier = new_verifier(verify, arg, verify_err);
	SSL *ssl = SSL_new(tls->ctx);
	int r;

	if (verifier == NULL || ssl == NULL) {
		free(verifier);
		SSL_free(ssl);
		return seal_fail_memory(err);
	}
	r = set_up_session(ssl, tls, server_name, verifier, err);
	if (r < 0) {
		SSL_free(ssl);
		return r;
	}
	*ret_ssl = ssl; /* it holds a reference to the context */
	return 0;
}
