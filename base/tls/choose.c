/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server does at the beginning of a full handshake, and of that only: the library comes here
 * when it has read what the client wants and resumes nothing.  A public server shows the certificates
 * that are for the name asked for, one of each kind of key, so that every client finds one it can
 * use; those out of their time are passed over, and where none is left nobody is served.
 */
#include <string.h>
#include <time.h>

#include "base/tls/room.h"

struct choice {
	const struct tls_credential *of[TLS_KINDS];
};

static bool
is_valid(const struct tls_credential *credential, int64_t now)
{
	return now >= credential->not_before && now <= credential->not_after;
}

static bool
has_any(const struct choice *choice)
{
	return choice->of[TLS_KIND_EC] != NULL || choice->of[TLS_KIND_RSA] != NULL;
}

static void
consider(struct choice *choice, const struct tls_credential *credential, int64_t now)
{
	const struct tls_credential **at = &choice->of[credential->kind];

	if (*at == NULL && is_valid(credential, now))
		*at = credential;
}

/* RFC 6066 section 3: by name, or the first of them for a name that nobody has. */
static void
choose(struct choice *choice, const struct seal_tls *tls, const char *name, int64_t now)
{
	bool is_known = false;

	for (size_t i = 0; name != NULL && i < tls->credential_count; i++) {
		const struct tls_credential *credential = &tls->credentials[i];

		if (!seal_cert_serves(seal_certs_at(credential->chain, 0), name))
			continue;
		is_known = true;
		consider(choice, credential, now);
	}
	if (!is_known)
		consider(choice, &tls->credentials[0], now);
}

static bool
show(SSL *ssl, const struct tls_credential *credential)
{
	STACK_OF(X509) *rest = sk_X509_new_null();
	bool ok = rest != NULL;

	for (size_t i = 1; ok && i < seal_certs_count(credential->chain); i++)
		ok = sk_X509_push(rest, seal_cert_native(seal_certs_at(credential->chain, i))) != 0;
	ok = ok && SSL_use_cert_and_key(ssl, seal_cert_native(seal_certs_at(credential->chain, 0)),
					seal_key_native(credential->key), rest, 1) == 1;
	sk_X509_free(rest);
	return ok;
}

/* Sessions of this handshake end with the first of the certificates that may be shown in it. */
static bool
show_all(SSL *ssl, struct tls_handshake *handshake, const struct choice *choice)
{
	const struct tls_credential *first = tls_session_of(ssl)->tls->credentials;

	if (choice->of[first->kind] == first && choice->of[!first->kind] == NULL) {
		handshake->own_not_after = first->not_after;
		return true; /* the context's own */
	}
	/* That may be of another name, and the library would choose it by its kind. */
	SSL_certs_clear(ssl);
	for (size_t i = 0; i < TLS_KINDS; i++) {
		const struct tls_credential *credential = choice->of[i];

		if (credential == NULL)
			continue;
		if (!show(ssl, credential))
			return false;
		if (handshake->own_not_after == 0 ||
		    credential->not_after < handshake->own_not_after)
			handshake->own_not_after = credential->not_after;
	}
	return true;
}

int
tls_begin_full(SSL *ssl, void *unused)
{
	struct tls_session *session = tls_session_of(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct choice choice = { { NULL } };

	(void)unused;
	if (session == NULL || session->handshake == NULL)
		return 0;
	/* A session was found and is not resumed all the same: this client needs another. */
	if (session->handshake->source == TLS_RECALLED && SSL_set_num_tickets(ssl, 1) != 1)
		return 0;
	if (session->tls->credential_count == 0)
		return 1; /* peers have one certificate, and it is the context's */
	choose(&choice, session->tls, name, (int64_t)time(NULL));
	if (!has_any(&choice)) {
		(void)seal_fail(&session->handshake->verdict, SEAL_E_REFUSED,
				"our certificate for '%s' is not valid now",
				name == NULL ? "" : name);
		return 0;
	}
	return show_all(ssl, session->handshake, &choice) ? 1 : 0;
}
