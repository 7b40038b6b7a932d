/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/x509: verified certificates remembered.  Whether something was remembered shows in whose
 * parsed certificate the caller is left with: with what was presented, or with that of the first time.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/x509/verify.h"
#include "tests/support/pki.h"

struct world {
	struct pki_id ca;
	struct pki_id pod;
	struct seal_strv allowed;
	struct seal_peer_rules rules;
};

static void
build(struct world *world)
{
	*world = (struct world){ .ca = pki_ca("shop"), .allowed = pki_strv("web", "db", NULL) };
	world->pod = pki_pod(&world->ca, "shop", "web", "shop.example.com");
	world->rules = (struct seal_peer_rules){ .anchors = world->ca.chain,
						 .trust_domain = PKI_DOMAIN,
						 .workload = "shop",
						 .allowed = &world->allowed };
	cr_assert_eq(seal_peer_cache_new(&world->rules.cache, 2, NULL), 0);
}

static void
release_world(struct world *world)
{
	seal_peer_cache_free(world->rules.cache);
	pki_id_release(&world->ca);
	pki_id_release(&world->pod);
	seal_strv_release(&world->allowed);
}

#define WORLD(name)                                                                                \
	SEAL_SCOPED(release_world) struct world name;                                              \
	build(&(name))

/* What a handshake has: the same certificate, parsed once more. */
static struct seal_certs *
parsed_again(const struct seal_certs *chain)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(SEAL_CHAIN_MAX_LEN);
	struct seal_certs *certs = NULL;

	cr_assert_eq(seal_certs_to_pem(chain, &pem, NULL), 0);
	cr_assert_eq(seal_certs_from_pem(&certs, seal_bytes_str(&pem), pem.len, SEAL_CHAIN_MAX_LEN,
					 NULL),
		     0);
	return certs;
}

/* Verify a fresh parse; the certificate that is there afterwards, when it is not the one presented. */
static int
ask(const struct world *world, const struct pki_id *pod, enum seal_side side, int64_t now,
    const struct seal_cert **ret_shared)
{
	struct seal_certs *presented = parsed_again(pod->chain);
	const struct seal_cert *before = seal_certs_at(presented, 0);
	struct seal_peer peer = { .name = "untouched" };
	struct seal_err err = { 0 };
	int r = seal_peer_verify(&peer, &world->rules, presented, side, now, &err);

	cr_expect_eq(seal_certs_count(presented), 1);
	*ret_shared = seal_certs_at(presented, 0) == before ? NULL : seal_certs_at(presented, 0);
	if (r < 0)
		cr_expect_str_eq(peer.name, "untouched");
	else
		cr_expect_str_neq(peer.name, "untouched");
	seal_certs_free(presented);
	return r;
}

#define CLIENT SEAL_SIDE_CLIENT
#define SERVER SEAL_SIDE_SERVER

static bool
is_shared(const struct world *world, const struct pki_id *pod, enum seal_side side)
{
	const struct seal_cert *shared = NULL;

	cr_assert_eq(ask(world, pod, side, PKI_NOW, &shared), 0);
	return shared != NULL;
}

Test(peer_cache, a_peer_met_again_shares_its_first_certificate_and_is_the_same_peer)
{
	WORLD(world);
	const struct seal_cert *shared[2] = { NULL, NULL };
	struct seal_peer peers[2] = { 0 };

	cr_expect_not(is_shared(&world, &world.pod, CLIENT));
	for (int i = 0; i < 2; i++) {
		struct seal_certs *presented = parsed_again(world.pod.chain);

		cr_expect_eq(
			seal_peer_verify(&peers[i], &world.rules, presented, CLIENT, PKI_NOW, NULL),
			0);
		shared[i] = seal_certs_at(presented, 0);
		seal_certs_free(presented); /* the cache's own reference keeps it */
	}
	cr_expect_eq(shared[0], shared[1]);
	world.rules.cache = (seal_peer_cache_free(world.rules.cache), NULL);
	cr_expect_eq(
		seal_peer_verify(&peers[1], &world.rules, world.pod.chain, CLIENT, PKI_NOW, NULL),
		0);
	cr_expect_str_eq(peers[0].name, peers[1].name);
	cr_expect_str_eq(peers[0].uri, peers[1].uri);
	cr_expect_str_eq(peers[0].serial, peers[1].serial);
	cr_expect_eq(peers[0].not_before, peers[1].not_before);
	cr_expect_eq(peers[0].not_after, peers[1].not_after);
}

Test(peer_cache, a_client_known_is_no_server_known)
{
	WORLD(world);

	cr_expect_not(is_shared(&world, &world.pod, CLIENT));
	cr_expect_not(is_shared(&world, &world.pod, SERVER));
	cr_expect(is_shared(&world, &world.pod, CLIENT));
	cr_expect(is_shared(&world, &world.pod, SERVER));
}

Test(peer_cache, another_certificate_of_the_same_peer_is_another)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release)
	struct pki_id next = pki_pod(&world.ca, "shop", "web", "shop.example.com");

	cr_expect_not(is_shared(&world, &world.pod, CLIENT));
	cr_expect_not(is_shared(&world, &next, CLIENT));
}

Test(peer_cache, what_was_refused_is_not_remembered)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id other_ca = pki_ca("shop");
	SEAL_SCOPED(pki_id_release) struct pki_id foreign = pki_pod(&other_ca, "shop", "web", NULL);
	const struct seal_cert *shared = NULL;

	for (int i = 0; i < 3; i++) {
		cr_expect_eq(ask(&world, &foreign, CLIENT, PKI_NOW, &shared), SEAL_E_UNAUTH);
		cr_expect_null(shared);
	}
}

Test(peer_cache, policy_is_asked_every_time)
{
	WORLD(world);
	SEAL_SCOPED(seal_strv_release) struct seal_strv revoked = { 0 };
	SEAL_SCOPED(seal_strv_release) struct seal_strv only_db = pki_strv("db", NULL);
	const struct seal_cert *shared = NULL;
	char serial[SEAL_SERIAL_LEN + 1];

	cr_expect_not(is_shared(&world, &world.pod, CLIENT));
	world.rules.narrowed = &only_db;
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), SEAL_E_REFUSED);
	world.rules.narrowed = NULL;
	world.rules.allowed = &only_db;
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), SEAL_E_REFUSED);
	world.rules.allowed = &world.allowed;
	cr_assert_eq(seal_cert_serial(seal_certs_at(world.pod.chain, 0), serial, NULL), 0);
	cr_assert_eq(seal_strv_add(&revoked, serial, NULL), 0);
	world.rules.revoked = &revoked;
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), SEAL_E_REFUSED);
	world.rules.revoked = NULL;
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), 0);
	cr_expect_not_null(shared, "forgotten by a refusal");
}

Test(peer_cache, the_host_name_is_asked_every_time)
{
	WORLD(world);
	const struct seal_cert *shared = NULL;

	world.rules.hostname = "shop.example.com";
	cr_expect_not(is_shared(&world, &world.pod, SERVER));
	cr_expect(is_shared(&world, &world.pod, SERVER));
	world.rules.hostname = "bank.example.com";
	cr_expect_eq(ask(&world, &world.pod, SERVER, PKI_NOW, &shared), SEAL_E_UNAUTH);
}

Test(peer_cache, the_clock_is_asked_every_time)
{
	WORLD(world);
	struct seal_strv dns = pki_strv("any", "web", NULL);
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_POD,
					     .common_name = "web",
					     .uri = "spiffe://" PKI_DOMAIN
						    "/workload/shop/peer/web",
					     .dns = &dns,
					     .not_before = PKI_NOW - 100,
					     .not_after = PKI_NOW + 100 };
	SEAL_SCOPED(pki_id_release) struct pki_id pod = pki_issue(&world.ca, &spec);
	const struct seal_cert *shared = NULL;

	seal_strv_release(&dns);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(ask(&world, &pod, CLIENT, PKI_NOW + 99, &shared), 0);
		cr_expect_eq(ask(&world, &pod, CLIENT, PKI_NOW + 101, &shared), SEAL_E_UNAUTH);
		cr_expect_eq(ask(&world, &pod, CLIENT, PKI_NOW - 100, &shared), 0);
		cr_expect_eq(ask(&world, &pod, CLIENT, PKI_NOW - 101, &shared), SEAL_E_UNAUTH);
		cr_expect_eq(ask(&world, &pod, CLIENT, 0, &shared), SEAL_E_UNAUTH);
	}
}

Test(peer_cache, an_anchor_that_has_ended_ends_what_stood_on_it)
{
	WORLD(world);
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_CA,
					     .common_name = "shop",
					     .not_before = PKI_NOW - 100,
					     .not_after = PKI_NOW + 100 };
	SEAL_SCOPED(pki_id_release) struct pki_id ca = pki_issue(NULL, &spec);
	SEAL_SCOPED(pki_id_release) struct pki_id pod = pki_pod(&ca, "shop", "web", NULL);
	const struct seal_cert *shared = NULL;

	world.rules.anchors = ca.chain;
	cr_expect_not(is_shared(&world, &pod, CLIENT));
	cr_expect(is_shared(&world, &pod, CLIENT));
	cr_expect_eq(ask(&world, &pod, CLIENT, PKI_NOW + 101, &shared), SEAL_E_UNAUTH);
	cr_expect_eq(ask(&world, &pod, CLIENT, PKI_NOW - 101, &shared), SEAL_E_UNAUTH);
}

Test(peer_cache, serves_only_the_rules_it_began_with)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id other_ca = pki_ca("shop");
	const struct seal_peer_rules before = world.rules;
	const struct seal_cert *shared = NULL;

	cr_expect_not(is_shared(&world, &world.pod, CLIENT));
	world.rules.anchors = other_ca.chain;
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), SEAL_E_UNAUTH);
	world.rules = before;
	world.rules.workload = "bank";
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), SEAL_E_UNAUTH);
	world.rules = before;
	world.rules.trust_domain = "other.test";
	cr_expect_eq(ask(&world, &world.pod, CLIENT, PKI_NOW, &shared), SEAL_E_UNAUTH);
	world.rules = before;
	cr_expect(is_shared(&world, &world.pod, CLIENT));
}

Test(peer_cache, a_leaf_in_company_is_verified_each_time)
{
	WORLD(world);
	struct seal_certs *presented;
	struct seal_peer peer = { 0 };

	for (int i = 0; i < 2; i++) {
		const struct seal_cert *before;

		presented = parsed_again(world.pod.chain);
		before = seal_certs_at(presented, 0);
		cr_assert_eq(seal_certs_add(presented, seal_certs_at(world.ca.chain, 0), NULL), 0);
		cr_expect_eq(
			seal_peer_verify(&peer, &world.rules, presented, CLIENT, PKI_NOW, NULL), 0);
		cr_expect_eq(seal_certs_at(presented, 0), before);
		seal_certs_free(presented);
	}
	cr_expect_not(is_shared(&world, &world.pod, CLIENT));
}

Test(peer_cache, keeps_no_more_than_it_may)
{
	WORLD(world);
	struct pki_id pods[3];

	for (int i = 0; i < 3; i++) {
		pods[i] = pki_pod(&world.ca, "shop", "db", NULL);
		cr_expect_not(is_shared(&world, &pods[i], CLIENT));
	}
	cr_expect(is_shared(&world, &pods[2], CLIENT));
	cr_expect(is_shared(&world, &pods[1], CLIENT));
	cr_expect_not(is_shared(&world, &pods[0], CLIENT));
	for (int i = 0; i < 3; i++)
		pki_id_release(&pods[i]);
}
