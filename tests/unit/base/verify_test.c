/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/x509: the verification function.  One accept, then every reason to refuse; after that the
 * public suites: x509-limbo and BetterTLS for paths, mtls-identities for who a peer is.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/fs/fs.h"
#include "base/json/json.h"
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
}

static void
release_world(struct world *world)
{
	pki_id_release(&world->ca);
	pki_id_release(&world->pod);
	seal_strv_release(&world->allowed);
}

#define WORLD(name)                                                                                \
	SEAL_SCOPED(release_world) struct world name;                                              \
	build(&(name))

static int
ask(const struct world *world, struct seal_certs *presented, struct seal_err *err)
{
	struct seal_peer peer = { .name = "untouched" };
	int r = seal_peer_verify(&peer, &world->rules, presented, SEAL_SIDE_CLIENT, PKI_NOW, err);

	if (r < 0)
		cr_expect_str_eq(peer.name, "untouched");
	return r;
}

Test(verify_peer, accepts_what_the_rot_issues_as_client_and_as_server)
{
	WORLD(world);
	struct seal_peer peer = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_CLIENT,
				      PKI_NOW, &err),
		     0, "%s", err.text);
	cr_expect_str_eq(peer.name, "web");
	cr_expect_str_eq(peer.uri, "spiffe://seal.test/workload/shop/peer/web");
	cr_expect_eq(strlen(peer.serial), 32);
	cr_expect_eq(seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_SERVER,
				      PKI_NOW, &err),
		     0, "%s", err.text);
}

Test(verify_peer, refuses_a_peer_the_policy_does_not_name)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id cache = pki_pod(&world.ca, "shop", "cache", NULL);

	cr_expect_eq(ask(&world, cache.chain, NULL), SEAL_E_REFUSED);
}

Test(verify_peer, any_in_the_policy_admits_only_peers_named_any)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id any = pki_pod(&world.ca, "shop", "any", NULL);
	SEAL_SCOPED(seal_strv_release) struct seal_strv only_any = pki_strv("any", NULL);

	cr_expect_eq(ask(&world, any.chain, NULL), SEAL_E_REFUSED);
	world.rules.allowed = &only_any;
	cr_expect_eq(ask(&world, any.chain, NULL), 0);
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_REFUSED);
}

Test(verify_peer, an_empty_policy_admits_nobody_and_a_star_everybody)
{
	WORLD(world);
	struct seal_strv nobody = { 0 };
	SEAL_SCOPED(seal_strv_release) struct seal_strv everybody = pki_strv("*", NULL);

	world.rules.allowed = &nobody;
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_REFUSED);
	world.rules.allowed = NULL;
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_REFUSED);
	world.rules.allowed = &everybody;
	cr_expect_eq(ask(&world, world.pod.chain, NULL), 0);
}

Test(verify_peer, narrowing_takes_away_and_never_adds)
{
	WORLD(world);
	SEAL_SCOPED(seal_strv_release) struct seal_strv db = pki_strv("db", NULL);
	SEAL_SCOPED(seal_strv_release) struct seal_strv cache = pki_strv("cache", NULL);
	SEAL_SCOPED(pki_id_release) struct pki_id pod = pki_pod(&world.ca, "shop", "cache", NULL);

	world.rules.narrowed = &db;
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_REFUSED);
	world.rules.narrowed = &cache;
	cr_expect_eq(ask(&world, pod.chain, NULL), SEAL_E_REFUSED);
}

Test(verify_peer, refuses_another_workload_trust_domain_or_ca)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id other_ca = pki_ca("shop");
	SEAL_SCOPED(pki_id_release) struct pki_id foreign = pki_pod(&other_ca, "shop", "web", NULL);
	SEAL_SCOPED(pki_id_release) struct pki_id sibling = pki_pod(&world.ca, "bank", "web", NULL);

	cr_expect_eq(ask(&world, foreign.chain, NULL), SEAL_E_UNAUTH);
	cr_expect_eq(ask(&world, sibling.chain, NULL), SEAL_E_UNAUTH);
	world.rules.trust_domain = "other.test";
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_UNAUTH);
}

Test(verify_peer, refuses_the_revoked_and_the_expired)
{
	WORLD(world);
	SEAL_SCOPED(seal_strv_release) struct seal_strv revoked = { 0 };
	char serial[SEAL_SERIAL_LEN + 1];
	struct seal_peer peer = { 0 };
	struct seal_peer kept;
	int64_t from = 0;
	int64_t to = 0;

	cr_assert_eq(seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_CLIENT,
				      PKI_NOW, NULL),
		     0);
	kept = peer;
	cr_assert_eq(seal_cert_times(seal_certs_at(world.pod.chain, 0), &from, &to, NULL), 0);
	cr_expect_eq(seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_CLIENT,
				      to + 1, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_CLIENT,
				      from - 1, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_peer_check_policy(&kept, &world.rules, to + 1, NULL), SEAL_E_UNAUTH);
	cr_assert_eq(seal_cert_serial(seal_certs_at(world.pod.chain, 0), serial, NULL), 0);
	cr_assert_eq(seal_strv_add(&revoked, serial, NULL), 0);
	world.rules.revoked = &revoked;
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_REFUSED);
	cr_expect_eq(seal_peer_check_policy(&kept, &world.rules, PKI_NOW, NULL), SEAL_E_REFUSED);
}

Test(verify_peer, refuses_one_revoked_among_many)
{
	WORLD(world);
	SEAL_SCOPED(seal_strv_release) struct seal_strv revoked = { 0 };
	char serial[SEAL_SERIAL_LEN + 1];
	char other[SEAL_SERIAL_LEN + 1];

	for (unsigned i = 0; i < 2000; i++) {
		(void)snprintf(other, sizeof(other), "%02x%030x", i % 127, i);
		cr_assert_eq(seal_strv_add(&revoked, other, NULL), 0);
	}
	seal_strv_sort(&revoked);
	world.rules.revoked = &revoked;
	cr_expect_eq(ask(&world, world.pod.chain, NULL), 0);
	cr_assert_eq(seal_cert_serial(seal_certs_at(world.pod.chain, 0), serial, NULL), 0);
	cr_assert_eq(seal_strv_add(&revoked, serial, NULL), 0);
	seal_strv_sort(&revoked);
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_REFUSED);
}

/* A peer known from before: its CA is looked for, by name and key together, among the anchors of now. */
Test(verify_peer, refuses_the_known_whose_ca_is_trusted_no_more)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id namesake = pki_ca("shop");
	const struct seal_cert_spec other_name = { .kind = SEAL_CERT_CA,
						   .common_name = "another name",
						   .not_before = PKI_NOW - 1000,
						   .not_after = PKI_NOW + 1000 };
	struct seal_cert_spec again = other_name;
	struct seal_peer peer = { 0 };
	struct seal_err err = { 0 };

	cr_assert_eq(seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_CLIENT,
				      PKI_NOW, NULL),
		     0);
	cr_expect_eq(seal_peer_check_policy(&peer, &world.rules, PKI_NOW, NULL), 0);
	world.rules.anchors = namesake.chain;
	cr_expect_eq(seal_peer_check_policy(&peer, &world.rules, PKI_NOW, &err), SEAL_E_UNAUTH);
	cr_expect_not_null(strstr(err.text, "trusted no more"), "%s", err.text);
	world.rules.anchors = NULL;
	cr_expect_eq(seal_peer_check_policy(&peer, &world.rules, PKI_NOW, NULL), SEAL_E_UNAUTH);
	again.common_name = "shop";
	for (int i = 0; i < 2;
	     i++) { /* the same key under another name; both as before, issued again */
		struct seal_certs *anchors = NULL;
		struct seal_cert *cert = NULL;

		cr_assert_eq(seal_cert_issue(&cert, i == 0 ? &other_name : &again, world.ca.key,
					     NULL, world.ca.key, &err),
			     0);
		cr_assert_eq(seal_certs_new(&anchors, NULL), 0);
		cr_assert_eq(seal_certs_add(anchors, cert, NULL), 0);
		world.rules.anchors = anchors;
		cr_expect_eq(seal_peer_check_policy(&peer, &world.rules, PKI_NOW, NULL),
			     i == 0 ? SEAL_E_UNAUTH : 0);
		seal_certs_free(anchors);
		seal_cert_free(cert);
	}
}

Test(verify_peer, refuses_everything_when_the_clock_is_not_readable)
{
	WORLD(world);
	struct seal_peer peer = { 0 };

	cr_expect_eq(
		seal_peer_verify(&peer, &world.rules, world.pod.chain, SEAL_SIDE_CLIENT, 0, NULL),
		SEAL_E_UNAUTH);
}

Test(verify_peer, demands_the_host_name_only_when_asked_to)
{
	WORLD(world);

	world.rules.hostname = "shop.example.com";
	cr_expect_eq(ask(&world, world.pod.chain, NULL), 0);
	world.rules.hostname = "bank.example.com";
	cr_expect_eq(ask(&world, world.pod.chain, NULL), SEAL_E_UNAUTH);
}

Test(verify_peer, refuses_a_certificate_issued_by_another_pod)
{
	WORLD(world);
	SEAL_SCOPED(pki_id_release) struct pki_id forged = pki_pod(&world.pod, "shop", "db", NULL);
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;

	cr_assert_eq(seal_certs_new(&chain, NULL), 0);
	cr_assert_eq(seal_certs_add(chain, seal_certs_at(forged.chain, 0), NULL), 0);
	cr_assert_eq(seal_certs_add(chain, seal_certs_at(world.pod.chain, 0), NULL), 0);
	cr_expect_eq(ask(&world, chain, NULL), SEAL_E_UNAUTH);
}

Test(verify_peer, refuses_the_anchor_itself_and_an_empty_chain)
{
	WORLD(world);
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *none = NULL;

	cr_expect_eq(ask(&world, world.ca.chain, NULL), SEAL_E_UNAUTH);
	cr_assert_eq(seal_certs_new(&none, NULL), 0);
	cr_expect_eq(ask(&world, none, NULL), SEAL_E_UNAUTH);
}

/* Names that contradict each other, or that only look like ours. */
Test(verify_peer, refuses_names_that_do_not_tell_one_story)
{
	static const struct {
		const char *uri;
		const char *dns[4];
	} cases[] = {
		{ "spiffe://seal.test/workload/shop/peer/web", { "web", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", "db", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", "web", "db", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", "web", "*.any", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", "web", "*.x.com", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", "WEB", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web", { "any", "web", "", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web/", { "any", "web", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/web?x", { "any", "web", NULL } },
		{ "spiffe://seal.test:1/workload/shop/peer/web", { "any", "web", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/w%65b", { "any", "web", NULL } },
		{ "SPIFFE://seal.test/workload/shop/peer/web", { "any", "web", NULL } },
		{ "spiffe://seal.test/workload/shop/peer/", { "any", "web", NULL } },
		{ "spiffe://seal.test/workload/shop", { "any", "web", NULL } },
		{ "spiffe://seal.test", { "any", "web", NULL } },
		{ "spiffe://seal.test/egg/00112233445566778899aabbccddeeff", { "any", "web" } },
		{ "spiffe://seal.test/operator/admin/alice", { "any", "web", NULL } },
		{ "spiffe://seal.test/rot", { "any", "web", NULL } },
		{ NULL, { "any", "web", NULL } },
	};
	WORLD(world);
	SEAL_SCOPED(seal_strv_release) struct seal_strv everybody = pki_strv("*", NULL);

	world.rules.allowed = &everybody;
	for (size_t i = 0; i < SEAL_COUNT(cases); i++) {
		struct seal_strv dns =
			pki_strv(cases[i].dns[0], cases[i].dns[1], cases[i].dns[2], NULL);
		struct seal_cert_spec spec = { .kind = SEAL_CERT_POD,
					       .common_name = "web",
					       .uri = cases[i].uri,
					       .dns = &dns };
		struct pki_id pod = pki_issue(&world.ca, &spec);

		cr_expect_eq(ask(&world, pod.chain, NULL), SEAL_E_UNAUTH, "case %zu: %s", i,
			     cases[i].uri);
		pki_id_release(&pod);
		seal_strv_release(&dns);
	}
}

Test(verify_peer, refuses_a_certificate_for_the_other_side_only)
{
	WORLD(world);
	SEAL_SCOPED(seal_strv_release) struct seal_strv dns = pki_strv("any", "web", NULL);
	struct seal_cert_spec spec = { .kind = SEAL_CERT_CLIENT,
				       .common_name = "web",
				       .uri = "spiffe://seal.test/workload/shop/peer/web",
				       .dns = &dns };
	SEAL_SCOPED(pki_id_release) struct pki_id client = pki_issue(&world.ca, &spec);
	struct seal_peer peer = { 0 };

	cr_expect_eq(ask(&world, client.chain, NULL), 0);
	cr_expect_eq(seal_peer_verify(&peer, &world.rules, client.chain, SEAL_SIDE_SERVER, PKI_NOW,
				      NULL),
		     SEAL_E_UNAUTH);
}

/* Choosing what to show follows clients; whom to believe is stricter, on the same certificate. */
Test(verify_host, a_public_certificate_serves_names_as_clients_compare_them)
{
	struct pki_id ca = pki_ca("a public CA");
	struct seal_strv dns = pki_strv("www.example.com", "Shop.Example.COM", "*.wild.example.com",
					"with_underscore.example.com", "localhost", NULL);
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_SERVER,
					     .common_name = "cn.example.com",
					     .dns = &dns };
	struct pki_id id = pki_issue(&ca, &spec);
	const struct seal_cert *cert = seal_certs_at(id.chain, 0);
	static const char *const served[] = { "www.example.com",    "WWW.Example.com",
					      "shop.example.com",   "a.wild.example.com",
					      "A.WILD.example.com", "with_underscore.example.com",
					      "localhost" };
	static const char *const others[] = {
		"",
		"example.com",
		"cn.example.com",
		"wild.example.com",
		"a.b.wild.example.com",
		".example.com",
		".",
		"www.example.com.evil",
		"*.example.com",
	};

	for (size_t i = 0; i < SEAL_COUNT(served); i++)
		cr_expect(seal_cert_serves(cert, served[i]), "%s", served[i]);
	for (size_t i = 0; i < SEAL_COUNT(others); i++)
		cr_expect_not(seal_cert_serves(cert, others[i]), "%s", others[i]);
	cr_expect(seal_cert_has_hostname(cert, "www.example.com"));
	cr_expect_not(seal_cert_has_hostname(cert, "WWW.Example.com"));
	cr_expect_not(seal_cert_has_hostname(cert, "shop.example.com"));
	seal_strv_release(&dns);
	pki_id_release(&id);
	pki_id_release(&ca);
}

Test(verify_role, tells_eggs_operators_and_the_rot_apart)
{
	WORLD(world);
	struct seal_cert_spec spec = { .kind = SEAL_CERT_CLIENT,
				       .common_name = "egg",
				       .uri = "spiffe://seal.test/egg/"
					      "00112233445566778899aabbccddeeff" };
	SEAL_SCOPED(pki_id_release) struct pki_id egg = pki_issue(&world.ca, &spec);
	struct seal_identity who = { 0 };

	cr_expect_eq(seal_role_verify(&who, world.ca.chain, PKI_DOMAIN, SEAL_ROLE_EGG, egg.chain,
				      SEAL_SIDE_CLIENT, PKI_NOW, NULL),
		     0);
	cr_expect_str_eq(who.egg, "00112233445566778899aabbccddeeff");
	cr_expect_eq(seal_role_verify(&who, world.ca.chain, PKI_DOMAIN, SEAL_ROLE_NONE, egg.chain,
				      SEAL_SIDE_CLIENT, PKI_NOW, NULL),
		     0);
	cr_expect_eq(seal_role_verify(&who, world.ca.chain, PKI_DOMAIN, SEAL_ROLE_ROT, egg.chain,
				      SEAL_SIDE_CLIENT, PKI_NOW, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_role_verify(&who, world.ca.chain, PKI_DOMAIN, SEAL_ROLE_EGG, egg.chain,
				      SEAL_SIDE_SERVER, PKI_NOW, NULL),
		     SEAL_E_UNAUTH);
	cr_expect_eq(seal_role_verify(&who, world.ca.chain, "other.test", SEAL_ROLE_EGG, egg.chain,
				      SEAL_SIDE_CLIENT, PKI_NOW, NULL),
		     SEAL_E_UNAUTH);
	/* A pod certificate under the system CA is nobody here. */
	cr_expect_eq(seal_role_verify(&who, world.ca.chain, PKI_DOMAIN, SEAL_ROLE_NONE,
				      world.pod.chain, SEAL_SIDE_CLIENT, PKI_NOW, NULL),
		     SEAL_E_UNAUTH);
}

/* ---- the public suites ---- */

#define SUITE_MAX (8u * 1024 * 1024)

static int
append_pems(struct seal_bytes *out, const struct seal_json *array)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < seal_json_count(array); i++)
		r = seal_bytes_append_str(out, seal_json_str(seal_json_at(array, i)), NULL);
	return r;
}

static int64_t
time_of(const struct seal_json *test)
{
	const char *text = seal_json_str(seal_json_member(test, "validation_time"));
	struct tm tm = { 0 };

	if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return (int64_t)time(NULL);
	return (int64_t)timegm(&tm);
}

/* What the verification function says to a case: path, then the host name where one is expected. */
static bool
accepts(const struct seal_json *test)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes anchors_pem = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes chain_pem = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	const char *kind = seal_json_str(seal_json_member(test, "validation_kind"));
	const struct seal_chain_opts opts = { .now = time_of(test),
					      .side = strcmp(kind, "CLIENT") == 0
							      ? SEAL_SIDE_CLIENT
							      : SEAL_SIDE_SERVER,
					      .max_between = 8 };
	const struct seal_json *name = seal_json_member(test, "expected_peer_name");

	if (append_pems(&anchors_pem, seal_json_member(test, "trusted_certs")) < 0 ||
	    seal_bytes_append_str(&chain_pem,
				  seal_json_str(seal_json_member(test, "peer_certificate")),
				  NULL) < 0 ||
	    append_pems(&chain_pem, seal_json_member(test, "untrusted_intermediates")) < 0)
		cr_assert_fail("cannot read a case");
	if (seal_certs_from_pem(&anchors, seal_bytes_str(&anchors_pem), anchors_pem.len, SUITE_MAX,
				NULL) < 0 ||
	    seal_certs_from_pem(&chain, seal_bytes_str(&chain_pem), chain_pem.len, SUITE_MAX,
				NULL) < 0 ||
	    seal_chain_verify(anchors, chain, &opts, NULL) < 0)
		return false;
	if (name == NULL || seal_json_kind(name) != SEAL_JSON_OBJECT)
		return true;
	/* Peers have no IP names: a demand for one is refused. */
	return strcmp(seal_json_str(seal_json_member(name, "kind")), "DNS") == 0 &&
	       seal_cert_has_hostname(seal_certs_at(chain, 0),
				      seal_json_str(seal_json_member(name, "value")));
}

/* The advice for a case: the column of expect.tsv. */
static void
advice_of(const char *table, const char *id, unsigned column, char *out, size_t size)
{
	size_t id_len = strlen(id);

	out[0] = '\0';
	for (const char *line = table; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, id, id_len) != 0 || line[id_len] != '\t')
			continue;
		for (unsigned i = 0; i < column; i++)
			line = strchr(line, '\t') + 1;
		(void)snprintf(out, size, "%.*s", (int)strcspn(line, "\t\n"), line);
		return;
	}
}

static void
run_suite(const char *folder, const char *file)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes table = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *suite = NULL;
	SEAL_SCOPED(seal_closep) int dir = -1;
	const struct seal_json *tests = NULL;
	struct seal_err err = { 0 };
	char path[512];
	size_t refused = 0;
	size_t accepted = 0;
	size_t valid = 0;
	size_t strict = 0;

	if (pki_vectors(folder, path, sizeof(path)) == NULL)
		cr_skip_test("no vectors");
	dir = seal_fs_open_dir(path, SEAL_FS_ANY, &err);
	cr_assert_geq(dir, 0, "%s", err.text);
	cr_assert_eq(seal_fs_read(&text, dir, file, SUITE_MAX, &err), 0, "%s", err.text);
	cr_assert_eq(seal_fs_read(&table, dir, "expect.tsv", SUITE_MAX, &err), 0, "%s", err.text);
	cr_assert_eq(seal_json_parse(&suite, text.data, text.len, SUITE_MAX, &err), 0, "%s",
		     err.text);
	cr_assert_eq(seal_json_get_array(suite, "testcases", &tests, &err), 0, "%s", err.text);
	for (size_t i = 0; i < seal_json_count(tests); i++) {
		const struct seal_json *test = seal_json_at(tests, i);
		const char *id = seal_json_str(seal_json_member(test, "id"));
		char advice[64];
		bool got;

		advice_of(seal_bytes_str(&table), id, 3, advice, sizeof(advice));
		got = accepts(test);
		if (strcmp(advice, "reject") == 0)
			cr_expect_not(got, "accepted %s", id);
		if (strcmp(advice, "accept") == 0) {
			valid++;
			strict += !got;
			if (!got)
				fprintf(stderr, "%s: valid, and refused: %s\n", folder, id);
		}
		accepted += got;
		refused += !got;
	}
	/*
	 * Being stricter is a choice (a leaf that names no extended key usage, say) that is no danger;
	 * refusing much of what is valid would be a fault all the same.
	 */
	cr_expect_leq(4 * strict, valid, "%zu of %zu valid ones refused", strict, valid);
	cr_expect_gt(refused, 50);
	cr_expect_gt(accepted, 10);
	fprintf(stderr, "%s: %zu refused, %zu accepted\n", folder, refused, accepted);
}

Test(verify_chain, refuses_what_x509_limbo_says_a_private_ca_must_refuse, .timeout = 120)
{
	run_suite("x509-limbo", "limbo.json");
}

Test(verify_chain, refuses_what_bettertls_says_must_be_refused, .timeout = 120)
{
	run_suite("bettertls", "bettertls-limbo.json");
}

static struct seal_certs *
read_certs(int dir, const char *name, size_t max)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(SUITE_MAX);
	struct seal_certs *certs = NULL;

	if (seal_fs_read(&pem, dir, name, SUITE_MAX, NULL) < 0 ||
	    seal_certs_from_pem(&certs, seal_bytes_str(&pem), pem.len, max, NULL) < 0)
		return NULL;
	return certs;
}

/* One row of INDEX.tsv: name, as_client, as_server. */
static void
play_identity(const struct seal_peer_rules *rules, int dir, const char *row)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *chain = NULL;
	char name[64];
	char verdicts[2][16];
	char file[80];

	if (sscanf(row, "%63s %15s %15s", name, verdicts[0], verdicts[1]) != 3)
		return;
	(void)snprintf(file, sizeof(file), "%s.pem", name);
	chain = read_certs(dir, file, SEAL_CHAIN_MAX_LEN);
	for (int side = SEAL_SIDE_CLIENT; side <= SEAL_SIDE_SERVER; side++) {
		struct seal_peer peer = { 0 };
		struct seal_err err = { 0 };
		bool ok =
			chain != NULL && seal_peer_verify(&peer, rules, chain, (enum seal_side)side,
							  (int64_t)time(NULL), &err) == 0;

		if (strcmp(verdicts[side], "reject") == 0)
			cr_expect_not(ok, "%s accepted on side %d", name, side);
		if (strcmp(verdicts[side], "accept") == 0)
			cr_expect(ok, "%s refused on side %d: %s", name, side, err.text);
	}
}

Test(verify_peer, agrees_with_every_verdict_of_mtls_identities)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes index = SEAL_BYTES(SUITE_MAX);
	SEAL_SCOPED(seal_strv_release)
	struct seal_strv allowed = pki_strv("any", "web", "db", NULL);
	SEAL_SCOPED(seal_strv_release) struct seal_strv rows = { 0 };
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *anchors = NULL;
	SEAL_SCOPED(seal_closep) int dir = -1;
	struct seal_peer_rules rules = { .trust_domain = "seal.test",
					 .workload = "shop",
					 .allowed = &allowed };
	char path[512];

	if (pki_vectors("mtls-identities", path, sizeof(path)) == NULL)
		cr_skip_test("no vectors");
	dir = seal_fs_open_dir(path, SEAL_FS_ANY, NULL);
	cr_assert_geq(dir, 0);
	anchors = read_certs(dir, "workload-ca.pem", SEAL_CHAIN_MAX_LEN);
	cr_assert_not_null(anchors);
	rules.anchors = anchors;
	cr_assert_eq(seal_fs_read(&index, dir, "INDEX.tsv", SUITE_MAX, NULL), 0);
	index.data[index.len - 1] = '\0'; /* the last newline would be an empty row */
	cr_assert_eq(seal_strv_split(&rows, seal_bytes_str(&index), '\n', NULL), 0);
	cr_assert_gt(rows.count, 40);
	for (size_t i = 1; i < rows.count; i++)
		play_identity(&rules, dir, rows.items[i]);
}
