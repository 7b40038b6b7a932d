/* SPDX-License-Identifier: Apache-2.0 */
/* base/tls for the public: certificates by name, older clients, and clients that have none. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/base/tls_rig.h"

#define CREDENTIALS 6
#define DAY         86400
#define OVER        (-10)

struct public
{
	struct tls_rig rig;
	/* shop.example.com, *.wild.example.com, rsa.example.com, both.example.com twice, p384.example.com */
	struct pki_id ids[CREDENTIALS]; /* the third and fourth are RSA ones */
	SSL_CTX *client;                /* has no certificate */
	SSL *ssl;
	bool ok;
};

static struct pki_id
make_server(struct public *public, const char *name, int64_t ends)
{
	struct seal_strv dns = pki_strv(name, NULL);
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_SERVER,
					     .common_name = name,
					     .uri = "spiffe://seal.test/rot",
					     .dns = &dns,
					     .not_before = time(NULL) - 86400,
					     .not_after = time(NULL) + ends };
	struct pki_id id = pki_issue(&public->rig.ca, &spec);

	seal_strv_release(&dns);
	return id;
}

static void
serve(struct public *public, bool asks_clients)
{
	struct tls_rig_end *server = &public->rig.ends[SERVER];
	struct seal_tls_credential credentials[CREDENTIALS];
	const struct seal_tls_public_config config = {
		.credentials = credentials,
		.credential_count = CREDENTIALS,
		.client_anchors = asks_clients ? public->rig.ca.chain : NULL,
		.max_sessions = 16,
	};
	struct seal_err err = { 0 };

	for (size_t i = 0; i < CREDENTIALS; i++)
		credentials[i] =
			(struct seal_tls_credential){ public->ids[i].chain, public->ids[i].key };
	seal_tls_unref(server->tls);
	server->tls = NULL;
	cr_assert_eq(seal_tls_new_public(&server->tls, &config, &err), 0, "%s", err.text);
	server->has_no_verifier = !asks_clients;
}

static void
start(struct public *public)
{
	*public = (struct public){ .client = SSL_CTX_new(TLS_client_method()) };
	tls_rig_start(&public->rig);
	public->ids[0] = make_server(public, "shop.example.com", DAY);
	public->ids[1] = make_server(public, "*.wild.example.com", DAY);
	public->ids[2] = tls_rig_foreign(EVP_RSA_gen(2048), "rsa.example.com", DAY);
	public->ids[3] = tls_rig_foreign(EVP_RSA_gen(2048), "both.example.com", DAY);
	public->ids[4] = make_server(public, "both.example.com", DAY);
	public->ids[5] = tls_rig_foreign(EVP_PKEY_Q_keygen(NULL, NULL, "EC", SN_secp384r1),
					 "p384.example.com", DAY);
	serve(public, false);
}

static void
stop(struct public *public)
{
	SSL_CTX_free(public->client);
	for (size_t i = 0; i < CREDENTIALS; i++)
		pki_id_release(&public->ids[i]);
	tls_rig_stop(&public->rig);
}

#define PUBLIC(name)                                                                               \
	SEAL_SCOPED(stop) struct public name;                                                      \
	start(&(name))

/* Which of the certificates a client sees that asks for a name. */
static int
seen_by(struct public *public, const char *name)
{
	SSL *ssl = tls_rig_join(&public->rig, public->client, NULL, name, &public->ok);
	const X509 *seen = SSL_get0_peer_certificate(ssl);
	int which = -1;

	for (int i = 0; seen != NULL && i < CREDENTIALS; i++)
		if (X509_cmp(seen, seal_cert_native(seal_certs_at(public->ids[i].chain, 0))) == 0)
			which = i;
	SSL_SESSION_free(tls_rig_leave(&public->rig, ssl));
	return public->ok ? which : -1;
}

static void
limit_to(struct public *public, int version)
{
	cr_assert_eq(SSL_CTX_set_min_proto_version(public->client, version), 1);
	cr_assert_eq(SSL_CTX_set_max_proto_version(public->client, version), 1);
}

Test(tls_public, serves_clients_without_a_certificate_in_1_3_and_1_2)
{
	PUBLIC(public);
	static const struct {
		int version;
		const char *name;
	} cases[] = { { TLS1_3_VERSION, "TLSv1.3" }, { TLS1_2_VERSION, "TLSv1.2" } };

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		limit_to(&public, cases[i].version);
		cr_expect_eq(seen_by(&public, "shop.example.com"), 0);
		cr_expect_str_eq(public.rig.ends[SERVER].facts.version, cases[i].name);
		cr_expect_str_eq(public.rig.ends[SERVER].server_name_text, "shop.example.com");
		cr_expect_str_eq(public.rig.ends[SERVER].peer.name, "");
		cr_expect_not(public.rig.ends[SERVER].facts.resumed);
		cr_expect_eq(public.rig.ends[SERVER].verified, 0);
	}
}

Test(tls_public, refuses_what_is_older_or_weaker)
{
	static const char *const suites[] = { "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
					      "ECDHE-RSA-AES256-SHA384",
					      "DHE-RSA-AES128-GCM-SHA256" };
	PUBLIC(public);

	SSL_CTX_set_security_level(public.client, 0);
	limit_to(&public, TLS1_1_VERSION);
	cr_expect_eq(seen_by(&public, "rsa.example.com"), -1);
	cr_expect_eq(public.rig.ends[SERVER].io, SEAL_IO_FAIL);
	limit_to(&public, TLS1_2_VERSION);
	for (size_t i = 0; i < SEAL_COUNT(suites); i++) {
		cr_assert_eq(SSL_CTX_set_cipher_list(public.client, suites[i]), 1);
		cr_expect_eq(seen_by(&public, "rsa.example.com"), -1, "%s", suites[i]);
		cr_expect_eq(public.rig.ends[SERVER].io, SEAL_IO_FAIL);
	}
	cr_assert_eq(SSL_CTX_set_cipher_list(public.client, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
	cr_expect_eq(seen_by(&public, "rsa.example.com"), 2);
}

Test(tls_public, chooses_the_certificate_by_name_in_1_3_and_1_2)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	static const struct {
		const char *name;
		int which;
	} cases[] = {
		{ "shop.example.com", 0 },
		{ "SHOP.Example.com", 0 },
		{ "a.wild.example.com", 1 },
		{ "A.WILD.EXAMPLE.COM", 1 },
		{ "rsa.example.com", 2 },
		{ "Rsa.Example.Com", 2 },
		/* nobody's: the first one */
		{ NULL, 0 },
		{ "unknown.example.com", 0 },
		{ "wild.example.com", 0 },
		{ "a.b.wild.example.com", 0 },
		{ "rsa.example.com.evil", 0 },
	};
	PUBLIC(public);

	for (size_t v = 0; v < SEAL_COUNT(versions); v++) {
		limit_to(&public, versions[v]);
		for (size_t i = 0; i < SEAL_COUNT(cases); i++)
			cr_expect_eq(seen_by(&public, cases[i].name), cases[i].which,
				     "case %zu of version %zu", i, v);
	}
}

Test(tls_public, an_rsa_client_of_another_name_gets_no_other_certificate)
{
	PUBLIC(public);

	/* The first certificate is no RSA one, and the one that is has another name. */
	limit_to(&public, TLS1_2_VERSION);
	cr_assert_eq(SSL_CTX_set_cipher_list(public.client, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
	cr_expect_eq(seen_by(&public, "shop.example.com"), -1);
	cr_expect_eq(seen_by(&public, "rsa.example.com"), 2);
	cr_assert_eq(SSL_CTX_set_cipher_list(public.client, "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
	cr_expect_eq(seen_by(&public, "rsa.example.com"), -1);
	cr_expect_eq(seen_by(&public, "shop.example.com"), 0);
}

Test(tls_public, a_name_with_keys_of_two_kinds_has_one_for_every_client)
{
	static const struct {
		int version;
		const char *suite; /* of 1.2 */
		const char *signatures;
		int which;
	} cases[] = {
		/* Who can do both is shown the cheaper one, wherever it stands in the list. */
		{ TLS1_3_VERSION, NULL, "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", 4 },
		{ TLS1_3_VERSION, NULL, "RSA-PSS+SHA256:ECDSA+SHA256:RSA+SHA256", 4 },
		{ TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", NULL,
		  4 },
		/* Who can do one is shown that. */
		{ TLS1_3_VERSION, NULL, "ECDSA+SHA256", 4 },
		{ TLS1_3_VERSION, NULL, "RSA-PSS+SHA256:RSA+SHA256", 3 },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL, 4 },
		{ TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL, 3 },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		PUBLIC(public);

		limit_to(&public, cases[i].version);
		if (cases[i].suite != NULL)
			cr_assert_eq(SSL_CTX_set_cipher_list(public.client, cases[i].suite), 1);
		if (cases[i].signatures != NULL)
			cr_assert_eq(SSL_CTX_set1_sigalgs_list(public.client, cases[i].signatures),
				     1);
		cr_expect_eq(seen_by(&public, "both.example.com"), cases[i].which, "case %zu", i);
	}
}

/* The index-th certificate is one that ends so many seconds from now. */
static void
put_end(struct public *public, size_t at, int64_t ends)
{
	static const char *const names[] = { "shop.example.com", "*.wild.example.com",
					     "rsa.example.com", "both.example.com",
					     "both.example.com" };

	pki_id_release(&public->ids[at]);
	public->ids[at] = at == 2 || at == 3 ? tls_rig_foreign(EVP_RSA_gen(2048), names[at], ends)
					     : make_server(public, names[at], ends);
	serve(public, false);
}

Test(tls_public, a_certificate_that_is_over_stops_only_those_who_would_see_it)
{
	static const struct {
		size_t over;
		const char *refused;
		const char *served;
		int which;
	} cases[] = {
		{ 0, "shop.example.com", "a.wild.example.com", 1 },
		{ 0, "nobody.example.com", "rsa.example.com", 2 },
		{ 0, NULL, "both.example.com", 4 },
		{ 1, "a.wild.example.com", "shop.example.com", 0 },
		{ 2, "rsa.example.com", "nobody.example.com", 0 },
		{ 2, "rsa.example.com", NULL, 0 },
	};

	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		PUBLIC(public);

		put_end(&public, cases[i].over, OVER);
		cr_expect_eq(seen_by(&public, cases[i].refused), -1, "case %zu", i);
		cr_expect_eq(public.rig.ends[SERVER].io, SEAL_IO_FAIL);
		cr_expect_eq(public.rig.ends[SERVER].err.code, SEAL_E_REFUSED);
		cr_expect_not_null(strstr(public.rig.ends[SERVER].err.text, "not valid now"), "%s",
				   public.rig.ends[SERVER].err.text);
		cr_expect_eq(seen_by(&public, cases[i].served), cases[i].which, "case %zu", i);
	}
}

Test(tls_public, of_two_for_a_name_the_valid_one_is_shown)
{
	PUBLIC(public);

	put_end(&public, 4, OVER);
	cr_expect_eq(seen_by(&public, "both.example.com"), 3);
	put_end(&public, 3, OVER);
	cr_expect_eq(seen_by(&public, "both.example.com"), -1);
	put_end(&public, 4, DAY);
	cr_expect_eq(seen_by(&public, "both.example.com"), 4);
	/* And who can only see the one that is over sees none. */
	limit_to(&public, TLS1_2_VERSION);
	cr_assert_eq(SSL_CTX_set_cipher_list(public.client, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
	cr_expect_eq(seen_by(&public, "both.example.com"), -1);
}

Test(tls_public, shows_and_proves_a_p384_certificate)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	PUBLIC(public);

	for (size_t i = 0; i < SEAL_COUNT(versions); i++) {
		limit_to(&public, versions[i]);
		cr_expect_eq(seen_by(&public, "p384.example.com"), 5);
	}
	/* Whoever takes other signatures only is not served with it. */
	limit_to(&public, TLS1_3_VERSION);
	cr_assert_eq(SSL_CTX_set1_sigalgs_list(public.client, "ECDSA+SHA256"), 1);
	cr_expect_neq(seen_by(&public, "p384.example.com"), 5);
	cr_assert_eq(SSL_CTX_set1_sigalgs_list(public.client, "ECDSA+SHA384"), 1);
	cr_expect_eq(seen_by(&public, "p384.example.com"), 5);
}

Test(tls_public, agrees_on_keys_by_each_group_and_by_no_other)
{
	static const struct {
		const char *group;
		bool served;
	} cases[] = {
		{ "X25519", true }, { "P-256", true }, { "P-384", true },
		{ "P-521", false }, { "X448", false },
	};
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	PUBLIC(public);

	for (size_t i = 0; i < 2 * SEAL_COUNT(cases); i++) {
		const char *group = cases[i / 2].group;

		limit_to(&public, versions[i % 2]);
		cr_assert_eq(SSL_CTX_set1_groups_list(public.client, group), 1);
		cr_expect_eq(seen_by(&public, "rsa.example.com") == 2, cases[i / 2].served, "%s",
			     group);
	}
}

/* Handshake with the session of the last time.  Was it resumed? */
static bool
resumes(struct public *public, SSL_SESSION **session)
{
	SSL *ssl = tls_rig_join(&public->rig, public->client, *session, "shop.example.com",
				&public->ok);
	bool resumed = SSL_session_reused(ssl) == 1;

	cr_assert(public->ok, "%s", public->rig.ends[SERVER].err.text);
	cr_assert_eq(public->rig.ends[SERVER].facts.resumed, resumed);
	SSL_SESSION_free(*session);
	*session = tls_rig_leave(&public->rig, ssl);
	return resumed;
}

Test(tls_public, resumes_clients_that_nobody_asked_who_they_are)
{
	PUBLIC(public);
	SSL_SESSION *session = NULL;

	cr_expect_not(resumes(&public, &session));
	cr_expect(resumes(&public, &session));
	cr_expect(resumes(&public, &session));
	cr_expect_eq(public.rig.ends[SERVER].recalled, 1);
	cr_expect_str_eq(public.rig.ends[SERVER].offered.name, "");
	public.rig.ends[SERVER].admits = false;
	cr_expect_not(resumes(&public, &session));
	SSL_SESSION_free(session);
}

Test(tls_public, a_session_ends_with_the_certificate_it_was_begun_with_and_no_other)
{
	PUBLIC(public);
	SSL_SESSION *session = NULL;

	put_end(&public, 2, OVER);
	cr_expect_not(resumes(&public, &session));
	cr_expect(resumes(&public, &session), "what another certificate came to is no matter");
	put_end(&public, 0, 2);
	cr_expect_not(resumes(&public, &session));
	cr_expect(resumes(&public, &session));
	sleep(3);
	(void)seen_by(&public, "rsa.example.com");
	{
		SSL *ssl = tls_rig_join(&public.rig, public.client, session, "shop.example.com",
					&public.ok);

		cr_expect_not(public.ok, "resumed although its certificate is over");
		SSL_SESSION_free(tls_rig_leave(&public.rig, ssl));
	}
	SSL_SESSION_free(session);
}

Test(tls_public, never_resumes_1_2)
{
	for (int asks = 0; asks < 2; asks++) {
		PUBLIC(public);
		SSL_SESSION *session = NULL;

		if (asks == 1) {
			SSL_CTX_free(public.client);
			public.client = tls_rig_native(&public.rig);
			serve(&public, true);
		}
		limit_to(&public, TLS1_2_VERSION);
		for (int i = 0; i < 3; i++) {
			cr_expect_not(resumes(&public, &session));
			cr_expect_eq(public.rig.ends[SERVER].recalled, 0);
			cr_expect_eq(public.rig.ends[SERVER].verified, asks == 1 ? 1u : 0u);
		}
		cr_expect_eq(tls_memory_count(public.rig.ends[SERVER].tls->memory), 0);
		SSL_SESSION_free(session);
	}
}

Test(tls_public, with_anchors_a_client_needs_a_certificate)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	PUBLIC(public);

	serve(&public, true);
	for (size_t i = 0; i < SEAL_COUNT(versions); i++) {
		limit_to(&public, versions[i]);
		cr_expect_eq(seen_by(&public, NULL), -1);
		cr_expect_eq(public.rig.ends[SERVER].io, SEAL_IO_FAIL);
		cr_expect_eq(public.rig.ends[SERVER].verified, 0);
	}
	cr_expect_eq(tls_memory_count(public.rig.ends[SERVER].tls->memory), 0);
}

Test(tls_public, with_anchors_the_verifier_decides)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
	PUBLIC(public);

	SSL_CTX_free(public.client);
	public.client = tls_rig_native(&public.rig);
	serve(&public, true);
	for (size_t i = 0; i < SEAL_COUNT(versions); i++) {
		limit_to(&public, versions[i]);
		public.rig.ends[SERVER].verdict = 0;
		cr_expect_eq(seen_by(&public, "rsa.example.com"), 2);
		cr_expect_eq(public.rig.ends[SERVER].verified, 1);
		cr_expect_str_eq(public.rig.ends[SERVER].peer.name, "web");
		public.rig.ends[SERVER].verdict = -1;
		cr_expect_eq(seen_by(&public, "rsa.example.com"), -1);
		cr_expect_eq(public.rig.ends[SERVER].verified, 1);
		cr_expect_eq(public.rig.ends[SERVER].err.code, SEAL_E_REFUSED);
	}
}

Test(tls_public, a_resumed_client_is_who_was_verified)
{
	PUBLIC(public);
	SSL_SESSION *session = NULL;

	SSL_CTX_free(public.client);
	public.client = tls_rig_native(&public.rig);
	serve(&public, true);
	cr_expect_not(resumes(&public, &session));
	cr_expect(resumes(&public, &session));
	cr_expect_eq(public.rig.ends[SERVER].verified, 0);
	cr_expect_str_eq(public.rig.ends[SERVER].peer.name, "web");
	/* A session begun without a certificate, at a server that then demands one. */
	SSL_SESSION_free(session);
	session = NULL;
	serve(&public, false);
	cr_expect_not(resumes(&public, &session));
	serve(&public, true);
	cr_expect_not(resumes(&public, &session));
	cr_expect_eq(public.rig.ends[SERVER].verified, 1);
	SSL_SESSION_free(session);
}

Test(tls_public, without_anchors_nobody_is_asked)
{
	PUBLIC(public);

	SSL_CTX_free(public.client);
	public.client = tls_rig_native(&public.rig);
	public.rig.ends[SERVER].has_no_verifier = false;
	public.rig.ends[SERVER].verdict = -1;
	cr_expect_eq(seen_by(&public, NULL), 0);
	cr_expect_eq(public.rig.ends[SERVER].verified, 0);
	cr_expect_str_eq(public.rig.ends[SERVER].peer.name, "");
}

Test(tls_public, refuses_to_be_made_of_what_does_not_belong_together)
{
	PUBLIC(public);
	const struct seal_tls_credential wrong = { public.ids[0].chain, public.ids[2].key };
	struct seal_tls_public_config config = { .credentials = &wrong, .credential_count = 1 };
	struct seal_tls *tls = NULL;

	cr_expect_eq(seal_tls_new_public(&tls, &config, NULL), SEAL_E_CRYPTO);
	config.credential_count = 0;
	cr_expect_eq(seal_tls_new_public(&tls, &config, NULL), SEAL_E_BUG);
	cr_expect_null(tls);
}
