/* SPDX-License-Identifier: Apache-2.0 */
/* base/tls: servers that say so serve who shows no certificate; nobody else does, and one that is shown is verified. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/tls/tls_internal.h"
#include "tests/unit/base/tls_rig.h"

/* Does the handshake of a client without a certificate succeed? */
static bool
nobody_is_served(struct tls_rig *rig, int max_version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool ok = false;
	SSL *ssl;

	cr_assert_not_null(ctx);
	if (max_version != 0)
		cr_assert_eq(SSL_CTX_set_max_proto_version(ctx, max_version), 1);
	ssl = tls_rig_join(rig, ctx, NULL, "db.example.com", &ok);
	SSL_SESSION_free(tls_rig_leave(rig, ssl));
	SSL_CTX_free(ctx);
	return ok;
}

Test(tls_anonymous, who_shows_nothing_is_served_where_that_is_said)
{
	TLS_RIG(rig);

	tls_rig_renew(&rig, SERVER, 0);
	rig.ends[SERVER].anonymous = true;
	cr_expect(nobody_is_served(&rig, 0), "%s", rig.ends[SERVER].err.text);
	cr_expect_eq(rig.ends[SERVER].verified, 0, "there is nothing to verify");
	cr_expect_str_eq(rig.ends[SERVER].peer.name, "");
	cr_expect_not(nobody_is_served(&rig, TLS1_2_VERSION), "still of the peers' policy");
}

Test(tls_anonymous, and_nowhere_else_with_the_same_credential)
{
	TLS_RIG(rig);

	tls_rig_renew(&rig, SERVER, 0);
	rig.ends[SERVER].anonymous = true;
	cr_assert(nobody_is_served(&rig, 0));
	rig.ends[SERVER].anonymous = false;
	cr_expect_not(nobody_is_served(&rig, 0));
	cr_expect_eq(rig.ends[SERVER].io, SEAL_IO_FAIL);
}

Test(tls_anonymous, a_certificate_that_is_shown_is_verified)
{
	TLS_RIG(rig);

	tls_rig_renew(&rig, SERVER, 0);
	rig.ends[SERVER].anonymous = true;
	cr_assert(tls_rig_connect(&rig));
	cr_expect_eq(rig.ends[SERVER].verified, 1);
	cr_expect_str_eq(rig.ends[SERVER].peer.name, "web");
	rig.ends[SERVER].verdict = SEAL_E_UNAUTH;
	cr_expect_not(tls_rig_connect(&rig), "refused, and let in all the same");
	cr_expect_eq(rig.ends[SERVER].verified, 1);
}

static int
never_called(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	     struct seal_err *err)
{
	(void)arg;
	(void)presented;
	(void)ret_peer;
	return seal_fail(err, SEAL_E_BUG, "called");
}

Test(tls_anonymous, is_not_for_clients_nor_for_who_remembers)
{
	TLS_RIG(rig);
	const struct seal_tls_session_config config = { .anonymous = true };
	struct seal_tls_session_config verified = { .anonymous = true };
	void *ssl = NULL;

	verified.verify = never_called;
	cr_expect_eq(seal_tls_session(&ssl, rig.ends[SERVER].tls, &verified, NULL), SEAL_E_BUG);
	tls_rig_renew(&rig, CLIENT, 0);
	cr_expect_eq(seal_tls_session(&ssl, rig.ends[CLIENT].tls, &verified, NULL), SEAL_E_BUG);
	tls_rig_renew(&rig, SERVER, 0);
	cr_expect_eq(seal_tls_session(&ssl, rig.ends[SERVER].tls, &config, NULL), SEAL_E_BUG,
		     "and nobody to verify what is shown");
	cr_expect_null(ssl);
}
