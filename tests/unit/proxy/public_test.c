/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "proxy/public.h"
#include "proxy/sealed.h"
#include "tests/support/pki.h"
#include "tests/support/place.h"
#include "tests/unit/proxy/sealed_rig.h"

#define PATH_LEN 64

static struct pki_id ca;
static char cert_path[PATH_LEN], key_path[PATH_LEN], cert2_path[PATH_LEN], key2_path[PATH_LEN];
static char clients_path[PATH_LEN];
static struct proxy_certificate_files files[PROXY_MAX_CERTIFICATES + 1];
static struct proxy_listener_config listener;
static struct seal_err err;

static void
name_file(char path[static PATH_LEN], const char *name)
{
	(void)snprintf(path, PATH_LEN, "%s/%s", place_path, name);
}

static void
put_certs(const char *name, const struct seal_certs *certs)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(100000);

	cr_assert_eq(seal_certs_to_pem(certs, &pem, &err), 0);
	place_put(name, seal_bytes_str(&pem), 0644);
}

static void
put_id(const struct pki_id *id, const char *cert, const char *key)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;

	put_certs(cert, id->chain);
	cr_assert_eq(seal_key_to_pem(id->key, &pem, &err), 0);
	place_put(key, seal_secret_chars(pem), 0600);
}

static struct pki_id
site(const char *name, int64_t not_before, int64_t not_after)
{
	struct seal_strv dns = pki_strv(name, NULL);
	const struct seal_cert_spec spec = { .kind = SEAL_CERT_SERVER,
					     .common_name = name,
					     .uri = "https://example.com",
					     .dns = &dns,
					     .not_before = not_before,
					     .not_after = not_after };
	struct pki_id id = pki_issue(&ca, &spec);

	seal_strv_release(&dns);
	return id;
}

static void
put_site(const char *name, int64_t not_before, int64_t not_after, const char *cert, const char *key)
{
	struct pki_id id = site(name, not_before, not_after);

	put_id(&id, cert, key);
	pki_id_release(&id);
}

static void
enter(void)
{
	place_enter();
	name_file(cert_path, "tls.crt");
	name_file(key_path, "tls.key");
	name_file(cert2_path, "two.crt");
	name_file(key2_path, "two.key");
	name_file(clients_path, "clients.pem");
	files[0] = (struct proxy_certificate_files){ .certificate = cert_path, .key = key_path };
	files[1] = (struct proxy_certificate_files){ .certificate = cert2_path, .key = key2_path };
	listener = (struct proxy_listener_config){ .direction = PROXY_PUBLIC,
						   .certificates = files,
						   .certificate_count = 1 };
	ca = pki_ca("a public CA");
	put_site("www.example.com", 0, PKI_NOW + 1000, "tls.crt", "tls.key");
}

static void
leave(void)
{
	pki_id_release(&ca);
	place_leave();
}

TestSuite(proxy_public, .init = enter, .fini = leave);

static struct proxy_public *
load(void)
{
	struct proxy_public *public = NULL;

	cr_assert_eq(proxy_public_load(&public, &listener, NULL, PKI_NOW, &err), 0, "%s", err.text);
	return public;
}

/* Refused with the code, leaving nothing behind, and naming the file. */
static void
expect_refused(int code, const char *says)
{
	struct proxy_public *public = NULL;

	cr_expect_eq(proxy_public_load(&public, &listener, NULL, PKI_NOW, &err), code, "%d: %s",
		     err.code, err.text);
	cr_expect_null(public);
	cr_expect_not_null(strstr(err.text, says), "'%s' is not in: %s", says, err.text);
}

/* ---- sealed ---- */

static char sealed_in[] = "site";

/* The file's content as a value of that Secret, sealed; the name of a file is its key. */
static void
seal_file(const char *file, const char *secret, const char *key, uint64_t gen)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(65536);
	struct verify_ring *ring = sealed_ring("shop", "web", SEALED_GEN(2));
	struct verify_binding at = sealed_at("Secret", secret, key, gen);
	char *value;

	cr_assert_eq(seal_fs_read(&text, place_dir, file, text.max, NULL), 0);
	value = sealed_value(ring, &at, seal_bytes_str(&text));
	place_put(file, value, 0666); /* whoever may write there cannot write this */
	free(value);
	verify_ring_free(ring);
}

Test(proxy_public, sealed_files_are_opened_where_they_belong)
{
	struct proxy_opener opener = { .keys = sealed_keys(), .ns = "shop" };

	files[0].secret = sealed_in;
	listener.client_ca = clients_path;
	listener.opener = &opener;
	put_id(&ca, "clients.pem", "unused.key");
	seal_file("tls.crt", "site", "tls.crt", 4);
	seal_file("tls.key", "site", "tls.key", 4);
	seal_file("clients.pem", "site", "clients.pem", 4);
	{
		struct proxy_public *public = load();

		cr_expect_eq(public->not_after, PKI_NOW + 1000);
		cr_expect_not_null(public->client_anchors);
		proxy_public_unref(public);
	}
	listener.opener = NULL;
	expect_refused(SEAL_E_REFUSED, "only with a sealed configuration");
	proxy_keys_free(opener.keys);
}

Test(proxy_public, sealed_files_of_another_place_in_clear_or_older_are_refused)
{
	static const struct {
		const char *file;
		const char *secret;
		const char *key; /* NULL: in clear */
		uint64_t gen;
		int code;
		const char *says;
	} rows[] = {
		{ "tls.crt", "other", "tls.crt", 5, SEAL_E_REFUSED, "sealed for object" },
		{ "tls.crt", "site", "tls.key", 5, SEAL_E_REFUSED, "sealed for key" },
		{ "tls.crt", "site", NULL, 5, SEAL_E_REFUSED, "tls.crt': it is not sealed" },
		{ "tls.key", "site", NULL, 5, SEAL_E_REFUSED, "tls.key': it is not sealed" },
		{ "clients.pem", "site", NULL, 5, SEAL_E_REFUSED, "clients.pem': it is not" },
		{ "tls.key", "site", "tls.key", 3, SEAL_E_CONFLICT, "older than 4" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		static const char *const names[] = { "tls.crt", "tls.key", "clients.pem" };
		struct proxy_opener opener = { .keys = sealed_keys(), .ns = "shop" };

		files[0].secret = sealed_in;
		listener.client_ca = clients_path;
		listener.opener = &opener;
		put_site("www.example.com", 0, PKI_NOW + 1000, "tls.crt", "tls.key");
		put_id(&ca, "clients.pem", "unused.key");
		for (size_t k = 0; k < SEAL_COUNT(names); k++) {
			if (strcmp(names[k], rows[i].file) != 0)
				seal_file(names[k], "site", names[k], 4);
			else if (rows[i].key != NULL)
				seal_file(names[k], rows[i].secret, rows[i].key, rows[i].gen);
		}
		err = (struct seal_err){ 0 };
		expect_refused(rows[i].code, rows[i].says);
		proxy_keys_free(opener.keys);
	}
}

Test(proxy_public, a_certificate_and_its_key_are_taken)
{
	struct proxy_public *public = load();

	cr_expect_eq(public->not_after, PKI_NOW + 1000);
	cr_expect_null(public->client_anchors);
	cr_expect_eq(proxy_public_ref(public), public);
	proxy_public_unref(public);
	proxy_public_unref(public);
	proxy_public_unref(NULL);
}

/* What public CAs sign most: made by another program, valid around the real clock. */
Test(proxy_public, rsa_and_p384_certificates_are_taken)
{
	static const char *const kinds[] = { "rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384" };

	for (size_t i = 0; i < SEAL_COUNT(kinds); i++) {
		struct proxy_public *public = NULL;
		char command[512];

		(void)snprintf(command, sizeof(command),
			       "openssl req -x509 -newkey %s -nodes -subj /CN=www.example.com "
			       "-addext subjectAltName=DNS:www.example.com -days 2 -keyout %s "
			       "-out %s 2>/dev/null",
			       kinds[i], key_path, cert_path);
		if (system(command) != 0) /* NOLINT(cert-env33-c): a constant command */
			cr_skip_test("needs openssl");
		cr_expect_eq(proxy_public_load(&public, &listener, NULL, time(NULL), &err), 0,
			     "%s: %s", kinds[i], err.text);
		proxy_public_unref(public);
	}
}

Test(proxy_public, the_certificate_that_ends_first_counts)
{
	struct proxy_public *public;

	put_site("api.example.com", 0, PKI_NOW + 10, "two.crt", "two.key");
	listener.certificate_count = 2;
	public = load();
	cr_expect_eq(public->not_after, PKI_NOW + 10);
	proxy_public_unref(public);
}

Test(proxy_public, the_key_must_be_the_first_certificates)
{
	struct pki_id other = site("www.example.com", 0, 0);

	put_id(&other, "other.crt", "tls.key");
	expect_refused(SEAL_E_REFUSED, "tls.key' is not that of the first certificate in '");
	pki_id_release(&other);

	/* A chain the wrong way round: the CA comes first. */
	other = site("www.example.com", 0, 0);
	put_id(&other, "tls.crt", "tls.key");
	{
		SEAL_SCOPED(seal_certs_freep) struct seal_certs *turned = NULL;

		cr_assert_eq(seal_certs_copy(&turned, ca.chain, &err), 0);
		cr_assert_eq(seal_certs_add(turned, seal_certs_at(other.chain, 0), &err), 0);
		put_certs("tls.crt", turned);
	}
	expect_refused(SEAL_E_REFUSED, "tls.crt");
	pki_id_release(&other);
}

Test(proxy_public, a_mismatch_in_the_second_pair_is_found_too)
{
	struct pki_id other = site("api.example.com", 0, 0);

	put_site("api.example.com", 0, 0, "two.crt", "two.key");
	put_id(&other, "other.crt", "two.key");
	listener.certificate_count = 2;
	expect_refused(SEAL_E_REFUSED, "two.key");
	pki_id_release(&other);
}

Test(proxy_public, a_certificate_out_of_its_time_is_refused)
{
	put_site("www.example.com", 0, PKI_NOW - 1, "tls.crt", "tls.key");
	expect_refused(SEAL_E_REFUSED, "tls.crt' has expired");
	put_site("www.example.com", PKI_NOW + 1, 0, "tls.crt", "tls.key");
	expect_refused(SEAL_E_REFUSED, "tls.crt' is not valid yet");
	put_site("www.example.com", PKI_NOW - 1, PKI_NOW, "tls.crt", "tls.key");
	proxy_public_unref(load());
	put_site("www.example.com", PKI_NOW, PKI_NOW + 1, "tls.crt", "tls.key");
	proxy_public_unref(load());
}

Test(proxy_public, what_ended_while_it_served_does_not_keep_others_from_being_renewed)
{
	struct proxy_public *before;
	struct proxy_public *after = NULL;

	put_site("api.example.com", 0, PKI_NOW + 10, "two.crt", "two.key");
	listener.certificate_count = 2;
	before = load();
	cr_expect_eq(proxy_public_over(before, PKI_NOW + 10), 0);
	cr_expect_eq(proxy_public_over(before, PKI_NOW + 11), 1);
	cr_expect_eq(proxy_public_over(before, PKI_NOW + 1001), 2);

	put_site("www.example.com", 0, PKI_NOW + 2000, "tls.crt", "tls.key");
	cr_assert_eq(proxy_public_load(&after, &listener, before, PKI_NOW + 11, &err), 0, "%s",
		     err.text);
	cr_expect_eq(proxy_public_over(after, PKI_NOW + 11), 1);
	proxy_public_unref(SEAL_TAKE(after));

	/* At a start, and for another one that is over, nothing speaks in its favour. */
	cr_expect_eq(proxy_public_load(&after, &listener, NULL, PKI_NOW + 11, &err),
		     SEAL_E_REFUSED);
	put_site("api.example.com", 0, PKI_NOW + 5, "two.crt", "two.key");
	cr_expect_eq(proxy_public_load(&after, &listener, before, PKI_NOW + 11, &err),
		     SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "two.crt' has expired"), "%s", err.text);
	cr_expect_null(after);
	proxy_public_unref(before);
}

Test(proxy_public, without_a_plausible_clock_nothing_is_judged)
{
	struct proxy_public *public = NULL;

	cr_expect_eq(proxy_public_load(&public, &listener, NULL, SEAL_CLOCK_FLOOR - 1, &err),
		     SEAL_E_REFUSED);
	cr_expect_not_null(strstr(err.text, "clock"));
	cr_expect_null(public);
}

Test(proxy_public, files_that_hold_nothing_of_the_kind_are_refused)
{
	static const char *const bad[] = { "", "\n", "hello",
					   "-----BEGIN CERTIFICATE-----\nAAAA\n" };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		put_site("www.example.com", 0, 0, "tls.crt", "tls.key");
		place_put("tls.crt", bad[i], 0644);
		expect_refused(SEAL_E_FORMAT, "tls.crt'");
		put_site("www.example.com", 0, 0, "tls.crt", "tls.key");
		place_put("tls.key", bad[i], 0600);
		expect_refused(SEAL_E_FORMAT, "tls.key'");
	}
}

Test(proxy_public, missing_and_too_long_files_are_refused)
{
	static char text[20000];

	cr_assert_eq(unlink(key_path), 0);
	expect_refused(SEAL_E_MISSING, "tls.key");
	memset(text, '\n', sizeof(text) - 1);
	place_put("tls.key", text, 0600);
	expect_refused(SEAL_E_LIMIT, "tls.key");
	place_put("tls.crt", text, 0644);
	expect_refused(SEAL_E_LIMIT, "tls.crt");
	cr_assert_eq(unlink(cert_path), 0);
	expect_refused(SEAL_E_MISSING, "tls.crt");
}

Test(proxy_public, a_key_that_others_may_read_is_refused)
{
	static const mode_t bad[] = { 0604, 0644, 0444, 0602, 0620, 0666 };

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		cr_assert_eq(chmod(key_path, bad[i]), 0);
		expect_refused(SEAL_E_REFUSED, "tls.key' is open to others");
	}
	cr_assert_eq(chmod(key_path, 0400), 0);
	proxy_public_unref(load());
}

Test(proxy_public, a_certificate_that_others_may_write_is_refused)
{
	cr_assert_eq(chmod(cert_path, 0664), 0);
	expect_refused(SEAL_E_REFUSED, "tls.crt' may be written by others");
}

/* fsGroup gives what is root's to a group, readable. */
Test(proxy_public, a_key_of_roots_may_be_a_groups_to_read)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(chmod(key_path, 0440), 0);
	proxy_public_unref(load());
	cr_assert_eq(chmod(key_path, 0640), 0);
	proxy_public_unref(load());
	cr_assert_eq(chown(key_path, 65534, 65534), 0);
	expect_refused(SEAL_E_REFUSED, "tls.key' belongs to user 65534");
}

Test(proxy_public, no_certificate_and_too_many_are_refused)
{
	for (size_t i = 0; i < SEAL_COUNT(files); i++)
		files[i] = files[0];
	listener.certificate_count = 0;
	expect_refused(SEAL_E_LIMIT, "0 certificates");
	listener.certificate_count = PROXY_MAX_CERTIFICATES + 1;
	expect_refused(SEAL_E_LIMIT, "65 certificates");
}

/* Volumes of Kubernetes: each file a link into ..data, itself a link to the folder of the day. */
static void
link_volume(const char *day)
{
	(void)unlinkat(place_dir, "..new", 0); /* mostly not there */
	cr_assert_eq(symlinkat(day, place_dir, "..new"), 0);
	cr_assert_eq(renameat(place_dir, "..new", place_dir, "..data"), 0);
}

Test(proxy_public, the_links_of_a_kubernetes_volume_are_followed_and_their_turn_is_noticed)
{
	struct proxy_public *public;
	uint64_t first, second;

	cr_assert_eq(mkdirat(place_dir, "day1", 0700), 0);
	cr_assert_eq(mkdirat(place_dir, "day2", 0700), 0);
	put_site("www.example.com", 0, PKI_NOW + 1, "day1/tls.crt", "day1/tls.key");
	put_site("www.example.com", 0, PKI_NOW + 2, "day2/tls.crt", "day2/tls.key");
	cr_assert_eq(unlink(cert_path) + unlink(key_path), 0);
	cr_assert_eq(symlinkat("..data/tls.crt", place_dir, "tls.crt"), 0);
	cr_assert_eq(symlinkat("..data/tls.key", place_dir, "tls.key"), 0);

	link_volume("day1");
	first = proxy_public_mark(&listener);
	cr_expect_eq(proxy_public_mark(&listener), first);
	public = load();
	cr_expect_eq(public->not_after, PKI_NOW + 1);
	proxy_public_unref(public);

	link_volume("day2");
	second = proxy_public_mark(&listener);
	cr_expect_neq(second, first);
	public = load();
	cr_expect_eq(public->not_after, PKI_NOW + 2);
	proxy_public_unref(public);
	cr_assert_eq(fchmodat(place_dir, "day2/tls.key", 0644, 0), 0);
	expect_refused(SEAL_E_REFUSED, "tls.key' is open to others");
}

Test(proxy_public, every_kind_of_change_changes_the_mark)
{
	uint64_t before, now = proxy_public_mark(&listener);

	before = now;
	place_put("tls.key", "other", 0600);
	now = proxy_public_mark(&listener);
	cr_expect_neq(now, before, "content");
	before = now;
	cr_assert_eq(chmod(cert_path, 0600), 0);
	now = proxy_public_mark(&listener);
	cr_expect_neq(now, before, "mode");
	before = now;
	cr_assert_eq(unlink(cert_path), 0);
	now = proxy_public_mark(&listener);
	cr_expect_neq(now, before, "gone");
	before = now;
	put_certs("clients.pem", ca.chain);
	listener.client_ca = clients_path;
	now = proxy_public_mark(&listener);
	cr_expect_neq(now, before, "client CA");
	before = now;
	cr_assert_eq(seal_fs_write(place_dir, "clients.pem", "new", 3, 0644, true, &err), 0);
	cr_expect_neq(proxy_public_mark(&listener), before, "replaced");
}

Test(proxy_public, the_client_ca_holds_cas_only)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *mixed = NULL;
	struct pki_id leaf = site("www.example.com", 0, 0);
	struct proxy_public *public;

	listener.client_ca = clients_path;
	expect_refused(SEAL_E_MISSING, "clients.pem");
	place_put("clients.pem", "", 0644);
	expect_refused(SEAL_E_FORMAT, "clients.pem");
	put_certs("clients.pem", leaf.chain);
	expect_refused(SEAL_E_REFUSED, "certificate 1 in '");
	cr_assert_eq(seal_certs_copy(&mixed, ca.chain, &err), 0);
	cr_assert_eq(seal_certs_add(mixed, seal_certs_at(leaf.chain, 0), &err), 0);
	put_certs("clients.pem", mixed);
	expect_refused(SEAL_E_REFUSED, "clients.pem' is not a CA's");
	put_certs("clients.pem", ca.chain);
	public = load();
	cr_expect_eq(seal_certs_count(public->client_anchors), 1);
	proxy_public_unref(public);
	pki_id_release(&leaf);
}

static struct pki_id
client(const struct pki_id *issuer, enum seal_cert_kind kind, const char *name, int64_t not_after)
{
	const struct seal_cert_spec spec = { .kind = kind,
					     .common_name = name,
					     .uri = "https://example.com/jo",
					     .not_after = not_after };

	return pki_issue(issuer, &spec);
}

static void
expect_stranger(const struct proxy_public *public, struct pki_id id, int64_t now)
{
	char name[SEAL_HOSTNAME_MAX + 1] = "before";

	cr_expect_eq(proxy_public_verify(public, id.chain, now, name, &err), SEAL_E_UNAUTH);
	cr_expect_str_eq(name, "before");
	pki_id_release(&id);
}

Test(proxy_public, a_client_of_the_client_ca_is_known_by_its_common_name)
{
	char name[SEAL_HOSTNAME_MAX + 1] = "before";
	struct pki_id jo = client(&ca, SEAL_CERT_CLIENT, "Jo Doe", 0);
	struct pki_id stranger = pki_ca("a public CA");
	struct proxy_public *public;

	put_certs("clients.pem", ca.chain);
	listener.client_ca = clients_path;
	public = load();
	cr_expect_eq(proxy_public_verify(public, jo.chain, PKI_NOW, name, &err), 0, "%s", err.text);
	cr_expect_str_eq(name, "Jo Doe");

	expect_stranger(public, client(&stranger, SEAL_CERT_CLIENT, "Jo Doe", 0), PKI_NOW);
	expect_stranger(public, client(&ca, SEAL_CERT_SERVER, "Jo Doe", 0), PKI_NOW);
	expect_stranger(public, client(&ca, SEAL_CERT_CLIENT, "Jo Doe", PKI_NOW - 1), PKI_NOW);
	expect_stranger(public, client(&ca, SEAL_CERT_CLIENT, "Jo Doe", 0), SEAL_CLOCK_FLOOR - 1);
	pki_id_release(&stranger);
	pki_id_release(&jo);
	proxy_public_unref(public);
}

Test(proxy_public, a_client_is_not_verified_by_a_listener_that_asks_for_none)
{
	struct pki_id jo = client(&ca, SEAL_CERT_CLIENT, "Jo Doe", 0);
	struct proxy_public *public = load();

	expect_stranger(public, jo, PKI_NOW);
	proxy_public_unref(public);
}
