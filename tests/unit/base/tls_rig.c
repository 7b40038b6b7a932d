/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_rig.h.  Failures abort the test. */
#include "tests/unit/base/tls_rig.h"

#include <criterion/criterion.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSIONS 64
#define TURNS    20

/* Whoever presents a certificate of the RoT's is who it says; the real verification is base/x509's. */
static int
verify(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer, struct seal_err *err)
{
	struct tls_rig_end *end = arg;
	const struct seal_cert *leaf = seal_certs_at(presented, 0);
	struct seal_identity identity;
	struct seal_peer peer = { 0 };

	end->verified++;
	if (end->verdict != 0)
		return seal_fail(err, SEAL_E_REFUSED, "not you");
	if (end->gives_no_name || seal_cert_identity(leaf, &identity, NULL) < 0)
		return 0; /* a client from outside */
	(void)snprintf(peer.name, sizeof(peer.name), "%s", identity.peer);
	(void)snprintf(peer.uri, sizeof(peer.uri), "spiffe://%s/%s", PKI_DOMAIN, identity.peer);
	cr_assert_eq(seal_cert_serial(leaf, peer.serial, NULL), 0);
	cr_assert_eq(seal_cert_times(leaf, &peer.not_before, &peer.not_after, NULL), 0);
	*ret_peer = peer;
	return 0;
}

static bool
resume(void *arg, const struct seal_peer *peer)
{
	struct tls_rig_end *end = arg;

	end->recalled++;
	end->offered = *peer;
	return end->admits;
}

void
tls_rig_renew(struct tls_rig *rig, enum tls_rig_side side, size_t max_sessions)
{
	struct tls_rig_end *end = &rig->ends[side];
	const struct seal_tls_config config = {
		.side = side == SERVER ? SEAL_SIDE_SERVER : SEAL_SIDE_CLIENT,
		.chain = end->id.chain,
		.key = end->id.key,
		.max_sessions = max_sessions,
	};
	struct seal_err err = { 0 };

	seal_tls_unref(end->tls);
	end->tls = NULL;
	cr_assert_eq(seal_tls_new(&end->tls, &config, &err), 0, "%s", err.text);
}

void
tls_rig_become(struct tls_rig *rig, enum tls_rig_side side, struct pki_id id)
{
	pki_id_release(&rig->ends[side].id);
	rig->ends[side].id = id;
	tls_rig_renew(rig, side, SESSIONS);
}

void
tls_rig_start(struct tls_rig *rig)
{
	struct seal_err err = { 0 };

	*rig = (struct tls_rig){ .ca = pki_ca("ca") };
	cr_assert_eq(seal_staging_new(&rig->staging, &err), 0);
	for (enum tls_rig_side side = SERVER; side <= CLIENT; side++) {
		rig->ends[side].scope = "here";
		rig->ends[side].admits = true;
		tls_rig_become(rig, side,
			       pki_pod(&rig->ca, "shop", side == SERVER ? "db" : "web", NULL));
	}
	rig->ends[CLIENT].server_name = "db.example.com";
}

void
tls_rig_hang_up(struct tls_rig *rig)
{
	for (int i = 0; i < 2; i++) {
		seal_stream_free(rig->ends[i].stream, false);
		rig->ends[i].stream = NULL;
	}
}

void
tls_rig_stop(struct tls_rig *rig)
{
	tls_rig_hang_up(rig);
	for (int i = 0; i < 2; i++) {
		seal_tls_unref(rig->ends[i].tls);
		pki_id_release(&rig->ends[i].id);
		seal_strv_release(&rig->ends[i].alpn);
	}
	pki_id_release(&rig->ca);
	seal_staging_free(rig->staging);
}

void
tls_rig_open(struct tls_rig *rig, enum tls_rig_side side, int fd)
{
	struct tls_rig_end *end = &rig->ends[side];
	const struct seal_tls_session_config config = {
		.server_name = end->server_name,
		.alpn = &end->alpn,
		.scope = end->scope,
		.verify = end->has_no_verifier ? NULL : verify,
		.resume = resume,
		.arg = end,
		.anonymous = end->anonymous,
	};

	end->verified = 0;
	end->recalled = 0;
	end->io = SEAL_IO_READ;
	end->err = (struct seal_err){ 0 };
	end->peer = (struct seal_peer){ 0 };
	end->offered = (struct seal_peer){ 0 };
	cr_assert_eq(
		seal_stream_new_tls(&end->stream, fd, rig->staging, end->tls, &config, &end->err),
		0, "%s", end->err.text);
}

void
tls_rig_step(struct tls_rig *rig, enum tls_rig_side side)
{
	struct tls_rig_end *end = &rig->ends[side];

	if (end->io != SEAL_IO_READ && end->io != SEAL_IO_WRITE)
		return;
	end->io = seal_stream_handshake(end->stream, &end->err);
	if (end->io != SEAL_IO_DONE)
		return;
	seal_stream_facts(end->stream, &end->facts);
	(void)snprintf(end->alpn_text, sizeof(end->alpn_text), "%s", end->facts.alpn);
	(void)snprintf(end->server_name_text, sizeof(end->server_name_text), "%s",
		       end->facts.server_name);
	end->peer = *seal_stream_peer(end->stream);
	seal_stream_settle(end->stream);
}

static bool
carries_a_byte(struct tls_rig *rig, enum tls_rig_side from)
{
	struct tls_rig_end *to = &rig->ends[1 - from];
	size_t got = 0;

	if (seal_stream_write(rig->ends[from].stream, "x", 1, &rig->ends[from].err) != SEAL_IO_DONE)
		return false;
	to->io = seal_stream_read(to->stream, seal_staging_plain(rig->staging), SEAL_STAGING_LEN,
				  &got, &to->err);
	return to->io == SEAL_IO_DONE && got == 1;
}

static void
make_sockets(int fds[static 2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

bool
tls_rig_connect(struct tls_rig *rig)
{
	int fds[2];
	bool ok;

	make_sockets(fds);
	tls_rig_open(rig, SERVER, fds[SERVER]);
	tls_rig_open(rig, CLIENT, fds[CLIENT]);
	for (int turn = 0; turn < TURNS; turn++) {
		tls_rig_step(rig, CLIENT);
		tls_rig_step(rig, SERVER);
	}
	ok = rig->ends[SERVER].io == SEAL_IO_DONE && rig->ends[CLIENT].io == SEAL_IO_DONE &&
	     carries_a_byte(rig, SERVER) && carries_a_byte(rig, CLIENT);
	tls_rig_hang_up(rig);
	return ok;
}

bool
tls_rig_resumes(struct tls_rig *rig)
{
	cr_assert(tls_rig_connect(rig), "server: %s; client: %s", rig->ends[SERVER].err.text,
		  rig->ends[CLIENT].err.text);
	cr_assert_eq(rig->ends[SERVER].facts.resumed, rig->ends[CLIENT].facts.resumed);
	for (int i = 0; i < 2; i++) {
		/* Who was not verified now has been admitted from memory, and the other way round. */
		cr_assert_eq(rig->ends[i].verified, rig->ends[i].facts.resumed ? 0 : 1);
		cr_assert(!rig->ends[i].facts.resumed || rig->ends[i].recalled == 1);
	}
	return rig->ends[SERVER].facts.resumed;
}

int
tls_rig_serve(struct tls_rig *rig)
{
	int fds[2];

	make_sockets(fds);
	tls_rig_open(rig, SERVER, fds[SERVER]);
	return fds[CLIENT];
}

SSL_CTX *
tls_rig_native(struct tls_rig *rig)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	const struct pki_id *id = &rig->ends[CLIENT].id;

	cr_assert_not_null(ctx);
	cr_assert_eq(SSL_CTX_use_certificate(ctx, seal_cert_native(seal_certs_at(id->chain, 0))),
		     1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(ctx, seal_key_native(id->key)), 1);
	return ctx;
}

SSL *
tls_rig_join(struct tls_rig *rig, SSL_CTX *ctx, SSL_SESSION *session, const char *name,
	     bool *ret_ok)
{
	int fd = tls_rig_serve(rig);
	SSL *ssl = SSL_new(ctx);
	int r = 0;

	cr_assert_not_null(ssl);
	cr_assert_eq(SSL_set_fd(ssl, fd), 1);
	SSL_set_connect_state(ssl);
	if (name != NULL)
		cr_assert_eq(SSL_set_tlsext_host_name(ssl, name), 1);
	if (session != NULL)
		cr_assert_eq(SSL_set_session(ssl, session), 1);
	for (int turn = 0; turn < TURNS; turn++) {
		if (r != 1)
			r = SSL_do_handshake(ssl);
		tls_rig_step(rig, SERVER);
	}
	*ret_ok = r == 1 && rig->ends[SERVER].io == SEAL_IO_DONE;
	return ssl;
}

SSL_SESSION *
tls_rig_leave(struct tls_rig *rig, SSL *ssl)
{
	SSL_SESSION *session = NULL;
	char byte = 0;

	if (rig->ends[SERVER].io == SEAL_IO_DONE) {
		cr_assert_eq(seal_stream_write(rig->ends[SERVER].stream, "x", 1, NULL),
			     SEAL_IO_DONE);
		cr_assert_eq(SSL_read(ssl, &byte, 1), 1);
		session = SSL_get1_session(ssl);
	}
	(void)SSL_shutdown(ssl); /* else the library holds the session for a bad one */
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	tls_rig_hang_up(rig);
	return session;
}

struct pki_id
tls_rig_foreign(EVP_PKEY *key, const char *name, long ends)
{
	X509 *cert = X509_new();
	BIO *pem = BIO_new(BIO_s_mem());
	struct pki_id id = { 0 };
	char alt_name[128];
	char *text = NULL;
	long len;
	X509_EXTENSION *extension;

	(void)snprintf(alt_name, sizeof(alt_name), "DNS:%s", name);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt_name);
	cr_assert(key != NULL && cert != NULL && pem != NULL && extension != NULL);
	cr_assert_eq(X509_set_version(cert, X509_VERSION_3), 1);
	cr_assert_eq(ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711), 1);
	cr_assert_not_null(X509_gmtime_adj(X509_getm_notBefore(cert), -86400));
	cr_assert_not_null(X509_gmtime_adj(X509_getm_notAfter(cert), ends));
	cr_assert_eq(X509_set_pubkey(cert, key), 1);
	cr_assert_eq(X509_add_ext(cert, extension, -1), 1);
	cr_assert_gt(X509_sign(cert, key, EVP_sha256()), 0);
	cr_assert_eq(PEM_write_bio_X509(pem, cert), 1);
	len = BIO_get_mem_data(pem, &text);
	cr_assert_eq(seal_certs_from_pem(&id.chain, text, (size_t)len, SEAL_CHAIN_MAX_LEN, NULL),
		     0);
	id.key = seal_key_wrap(key);
	X509_EXTENSION_free(extension);
	X509_free(cert);
	BIO_free(pem);
	return id;
}
