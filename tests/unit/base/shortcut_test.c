/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/tls: the shortcut to elliptic keys.  Each test is a process of its own, so keys and certificates
 * can be made before it is taken and after.  with-shortcut.sh runs other suites with it taken first.
 */
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/base/tls_rig.h"

#define SCALAR_LEN 32

__attribute__((constructor)) static void
take_first_when_told(void)
{
	if (getenv("SEAL_TEST_SHORTCUT") != NULL && !seal_tls_shortcut())
		(void)fprintf(stderr, "SKIP: this OpenSSL has no shortcut\n");
}

/* A certificate read from its DER, which the caller may have damaged; NULL when it cannot be. */
static struct seal_certs *
read_again(X509 *cert)
{
	uint8_t *der = NULL;
	const uint8_t *at;
	struct seal_certs *certs = NULL;
	X509 *again;
	int len;

	cr_assert_gt(i2d_re_X509_tbs(cert, NULL), 0); /* or it would repeat what it once read */
	len = i2d_X509(cert, &der);
	cr_assert_gt(len, 0);
	at = der;
	again = d2i_X509(NULL, &at, len);
	OPENSSL_free(der);
	if (again == NULL)
		return NULL;
	cr_assert_eq(seal_certs_new(&certs, NULL), 0);
	cr_assert_eq(seal_certs_add(certs, (struct seal_cert *)again, NULL), 0);
	X509_free(again);
	return certs;
}

static int
verify(const struct pki_id *ca, const struct seal_certs *chain)
{
	const struct seal_chain_opts opts = { .now = PKI_NOW, .side = SEAL_SIDE_CLIENT };

	return seal_chain_verify(ca->chain, chain, &opts, NULL);
}

static int
verify_again(const struct pki_id *ca, X509 *cert)
{
	struct seal_certs *chain = read_again(cert);
	int r = chain == NULL ? SEAL_E_FORMAT : verify(ca, chain);

	seal_certs_free(chain);
	return r;
}

static X509 *
leaf_of(const struct pki_id *id)
{
	return seal_cert_native(seal_certs_at(id->chain, 0));
}

static void
make_request(const struct seal_key *key, struct seal_key **ret_key)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes csr = SEAL_BYTES(8192);
	struct seal_err err = { 0 };

	cr_assert_eq(seal_csr_new(&csr, key, &err), 0, "%s", err.text);
	cr_assert_eq(seal_csr_public_key(ret_key, seal_bytes_str(&csr), csr.len, &err), 0, "%s",
		     err.text);
}

Test(shortcut, can_be_taken_again_and_says_the_same)
{
	bool first = seal_tls_shortcut();

	cr_expect_eq(seal_tls_shortcut(), first);
	cr_expect_eq(first, OpenSSL_version_num() < 0x30200000L);
}

Test(shortcut, keys_of_before_and_after_are_as_good_as_each_other)
{
	struct seal_key *keys[2] = { NULL, NULL };

	for (int i = 0; i < 2; i++) {
		SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
		SEAL_SCOPED(seal_key_freep) struct seal_key *asked = NULL;
		SEAL_SCOPED(seal_key_freep) struct seal_key *read = NULL;

		cr_assert_eq(seal_key_new(&keys[i], NULL), 0);
		(void)seal_tls_shortcut();
		make_request(keys[i], &asked);
		cr_expect(seal_key_same_public(asked, keys[i]));
		cr_assert_eq(seal_key_to_pem(keys[i], &pem, NULL), 0);
		cr_assert_eq(seal_key_from_pem(&read, pem, NULL), 0);
		cr_expect(seal_key_same_public(read, keys[i]));
		seal_key_free(SEAL_TAKE(asked));
		make_request(read, &asked);
		cr_expect(seal_key_same_public(asked, keys[i]));
	}
	cr_expect_not(seal_key_same_public(keys[0], keys[1]));
	seal_key_free(keys[0]);
	seal_key_free(keys[1]);
}

Test(shortcut, a_private_half_that_is_not_the_public_halfs_is_refused)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pem = SEAL_BYTES(8192);
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *secret = NULL;
	struct seal_key *key = NULL;
	EVP_PKEY *whole = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "prime256v1");
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "prime256v1");
	uint8_t *der = NULL;
	uint8_t point[65];
	uint8_t other_point[65];
	size_t len = 0;
	int der_len = i2d_PrivateKey(whole, &der);
	char *text = NULL;
	BIO *bio = BIO_new(BIO_s_mem());

	EVP_PKEY_get_octet_string_param(whole, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len);
	EVP_PKEY_get_octet_string_param(other, OSSL_PKEY_PARAM_PUB_KEY, other_point,
					sizeof(other_point), &len);
	cr_assert_eq(len, sizeof(point));
	for (int at = 0; at + (int)len <= der_len; at++)
		if (memcmp(der + at, point, len) == 0)
			memcpy(der + at, other_point, len);
	cr_assert_eq(PEM_write_bio(bio, "EC PRIVATE KEY", "", der, der_len) > 0, 1);
	cr_assert_eq(seal_bytes_append(&pem, (BIO_get_mem_data(bio, &text), text),
				       (size_t)BIO_get_mem_data(bio, &text), NULL),
		     0);
	cr_assert_eq(seal_secret_from(&secret, pem.data, pem.len, NULL), 0);
	for (int i = 0; i < 2; i++) {
		cr_expect_lt(seal_key_from_pem(&key, secret, NULL), 0);
		cr_expect_null(key);
		(void)seal_tls_shortcut();
	}
	BIO_free(bio);
	OPENSSL_free(der);
	EVP_PKEY_free(whole);
	EVP_PKEY_free(other);
}

/* Each certificate is read and verified on the long way, then on the short one. */
Test(shortcut, refuses_and_accepts_the_same_certificates)
{
	SEAL_SCOPED(pki_id_release) struct pki_id ca = pki_ca("ca");
	SEAL_SCOPED(pki_id_release) struct pki_id good = pki_pod(&ca, "shop", "web", NULL);
	SEAL_SCOPED(pki_id_release) struct pki_id bent = pki_pod(&ca, "shop", "web", NULL);
	SEAL_SCOPED(pki_id_release) struct pki_id torn = pki_pod(&ca, "shop", "web", NULL);
	const ASN1_BIT_STRING *signature = NULL;
	ASN1_BIT_STRING *point = X509_get0_pubkey_bitstr(leaf_of(&bent));

	X509_get0_signature(&signature, NULL, leaf_of(&torn));
	point->data[64] ^= 1;
	signature->data[signature->length - 1] ^= 1;
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(verify_again(&ca, leaf_of(&good)), 0);
		cr_expect_lt(verify_again(&ca, leaf_of(&bent)), 0);
		cr_expect_eq(verify_again(&ca, leaf_of(&torn)), SEAL_E_UNAUTH);
		(void)seal_tls_shortcut();
	}
}

/* Whatever its signature says, which is wrong once the point was changed. */
static bool
has_usable_key(X509 *cert)
{
	struct seal_certs *chain = read_again(cert);
	struct seal_key *key = NULL;
	bool usable = chain != NULL && seal_cert_key(seal_certs_at(chain, 0), &key, NULL) == 0;

	seal_key_free(key);
	seal_certs_free(chain);
	return usable;
}

Test(shortcut, a_point_that_is_not_on_its_curve_is_no_key)
{
	static const uint8_t forms[] = { 0x00, 0x01, 0x05, 0x08, 0xff };
	SEAL_SCOPED(pki_id_release) struct pki_id ca = pki_ca("ca");

	for (int taken = 0; taken < 2; taken++) {
		for (size_t at = 1; at <= 64; at += 7) {
			SEAL_SCOPED(pki_id_release)
			struct pki_id id = pki_pod(&ca, "shop", "web", NULL);

			/* One coordinate alone leads off the curve, but for a handful of values. */
			X509_get0_pubkey_bitstr(leaf_of(&id))->data[at] ^= 0x10;
			cr_expect_not(has_usable_key(leaf_of(&id)), "byte %zu", at);
		}
		for (size_t i = 0; i < SEAL_COUNT(forms); i++) {
			SEAL_SCOPED(pki_id_release)
			struct pki_id id = pki_pod(&ca, "shop", "web", NULL);

			cr_expect(has_usable_key(leaf_of(&id)));
			X509_get0_pubkey_bitstr(leaf_of(&id))->data[0] = forms[i];
			cr_expect_not(has_usable_key(leaf_of(&id)), "form %02x", forms[i]);
		}
		for (int len = 0; len < 65; len += 8) {
			SEAL_SCOPED(pki_id_release)
			struct pki_id id = pki_pod(&ca, "shop", "web", NULL);

			X509_get0_pubkey_bitstr(leaf_of(&id))->length = len;
			cr_expect_not(has_usable_key(leaf_of(&id)), "length %d", len);
		}
		if (taken == 0 && !seal_tls_shortcut())
			break;
		/* What the shortcut cannot do with keys it did not see made is to issue. */
		pki_id_release(&ca);
		ca = pki_ca("ca");
	}
}

Test(shortcut, a_curve_spelled_out_instead_of_named_is_refused)
{
	for (int taken = 0; taken < 2; taken++) {
		SEAL_SCOPED(pki_id_release) struct pki_id ca = pki_ca("ca");
		SEAL_SCOPED(pki_id_release) struct pki_id id = pki_pod(&ca, "shop", "web", NULL);
		EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
		struct seal_key *read = NULL;
		X509_PUBKEY *public = NULL;
		uint8_t *params = NULL;
		ASN1_STRING *sequence = ASN1_STRING_new();
		const uint8_t *point = NULL;
		int params_len;
		int point_len = 0;
		uint8_t *der = NULL;
		int der_len;

		EC_GROUP_set_asn1_flag(group, OPENSSL_EC_EXPLICIT_CURVE);
		params_len = i2d_ECPKParameters(group, &params);
		cr_assert_gt(params_len, 100);
		cr_assert_eq(ASN1_STRING_set(sequence, params, params_len), 1);
		public = X509_get_X509_PUBKEY(leaf_of(&id));
		cr_assert_eq(X509_PUBKEY_get0_param(NULL, &point, &point_len, NULL, public), 1);
		cr_assert_eq(X509_PUBKEY_set0_param(
				     public, OBJ_nid2obj(NID_X9_62_id_ecPublicKey), V_ASN1_SEQUENCE,
				     sequence, OPENSSL_memdup(point, (size_t)point_len), point_len),
			     1);
		der_len = i2d_X509_PUBKEY(public, &der);
		cr_assert_gt(der_len, 100);
		cr_expect_lt(seal_key_from_spki(&read, der, (size_t)der_len, NULL), 0);
		cr_expect_lt(verify_again(&ca, leaf_of(&id)), 0);
		OPENSSL_free(der);
		OPENSSL_free(params);
		EC_GROUP_free(group);
		if (!seal_tls_shortcut())
			break;
	}
}

/* How often the scalar, as the library holds numbers, stands in memory that may be swapped or dumped. */
static unsigned
copies_outside(const uint8_t scalar[static SCALAR_LEN])
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned found = 0;

	cr_assert_not_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from = 0;
		unsigned long to = 0;
		const uint8_t *at;

		if (strstr(line, "[heap]") == NULL || sscanf(line, "%lx-%lx rw", &from, &to) != 2)
			continue;
		for (at = (const uint8_t *)from; at + SCALAR_LEN <= (const uint8_t *)to; at++)
			if (*at == *scalar && memcmp(at, scalar, SCALAR_LEN) == 0)
				found++;
	}
	(void)fclose(maps);
	return found;
}

static void
read_scalar(const struct seal_key *key, uint8_t *scalar)
{
	BIGNUM *number = BN_secure_new();

	cr_assert_eq(EVP_PKEY_get_bn_param(seal_key_native(key), OSSL_PKEY_PARAM_PRIV_KEY, &number),
		     1);
	cr_assert_eq(BN_bn2lebinpad(number, scalar, SCALAR_LEN), SCALAR_LEN);
	BN_clear_free(number);
}

Test(shortcut, private_keys_stay_in_protected_memory)
{
	uint8_t *scalar;
	uint8_t *control;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer's heap is elsewhere");
#endif
	if (getenv("SEAL_UNDER_VALGRIND") != NULL)
		cr_skip_test("valgrind's heap is elsewhere");
	cr_assert_eq(seal_process_harden(NULL), 0);
	scalar = OPENSSL_secure_zalloc(SCALAR_LEN);
	for (int i = 0; i < 2; i++) {
		struct seal_key *made = NULL;
		struct seal_key *read = NULL;
		struct seal_key *asked = NULL;
		struct seal_secret *pem = NULL;
		size_t before = CRYPTO_secure_used();

		cr_assert_eq(seal_key_new(&made, NULL), 0);
		cr_expect_gt(CRYPTO_secure_used(), before);
		cr_assert_eq(seal_key_to_pem(made, &pem, NULL), 0);
		(void)seal_tls_shortcut();
		cr_assert_eq(seal_key_from_pem(&read, pem, NULL), 0);
		make_request(made, &asked);
		seal_key_free(SEAL_TAKE(asked));
		make_request(read, &asked);
		read_scalar(made, scalar);
		cr_expect_eq(copies_outside(scalar), 0);
		control = malloc(SCALAR_LEN);
		memcpy(control, scalar, SCALAR_LEN);
		cr_expect_eq(copies_outside(scalar), 1, "this test sees nothing");
		OPENSSL_cleanse(control, SCALAR_LEN);
		free(control);
		seal_key_free(made);
		seal_key_free(read);
		seal_key_free(asked);
		seal_secret_free(pem);
		if (i > 0) /* the first makes what the process keeps */
			cr_expect_leq(CRYPTO_secure_used(), before, "something stayed");
	}
	OPENSSL_secure_clear_free(scalar, SCALAR_LEN);
}

Test(shortcut, peers_of_before_and_after_shake_hands)
{
	TLS_RIG(rig);

	cr_expect(tls_rig_connect(&rig));
	(void)seal_tls_shortcut();
	tls_rig_renew(&rig, SERVER, 16);
	cr_expect(tls_rig_connect(&rig));
	tls_rig_renew(&rig, CLIENT, 16);
	cr_expect(tls_rig_connect(&rig));
	cr_expect(tls_rig_resumes(&rig));
	cr_expect_str_eq(rig.ends[SERVER].peer.name, "web");
	cr_expect_str_eq(rig.ends[CLIENT].peer.name, "db");
}

Test(shortcut, an_elliptic_key_exchange_works_as_before)
{
	TLS_RIG(rig);
	SSL_CTX *ctx = tls_rig_native(&rig);
	bool ok = false;
	SSL *ssl;

	(void)seal_tls_shortcut();
	cr_assert_eq(SSL_CTX_set1_groups_list(ctx, "P-384:P-256"),
		     1); /* ours asks for the second */
	ssl = tls_rig_join(&rig, ctx, NULL, NULL, &ok);
	cr_expect(ok);
	cr_expect_eq(SSL_get_negotiated_group(ssl), NID_X9_62_prime256v1);
	SSL_SESSION_free(tls_rig_leave(&rig, ssl));
	SSL_CTX_free(ctx);
}

/* Our public server by that certificate, to a client that takes one group only; served or not. */
static bool
serves_public(const struct pki_id *id, const char *group, bool *ret_right)
{
	TLS_RIG(rig);
	struct tls_rig_end *server = &rig.ends[SERVER];
	const struct seal_tls_credential credential = { id->chain, id->key };
	const struct seal_tls_public_config config = { .credentials = &credential,
						       .credential_count = 1 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool ok = false;
	SSL *ssl;

	seal_tls_unref(SEAL_TAKE(server->tls));
	cr_assert_eq(seal_tls_new_public(&server->tls, &config, NULL), 0);
	server->has_no_verifier = true;
	cr_assert_eq(SSL_CTX_set1_groups_list(ctx, group), 1);
	ssl = tls_rig_join(&rig, ctx, NULL, NULL, &ok);
	*ret_right = ok && X509_cmp(SSL_get0_peer_certificate(ssl), leaf_of(id)) == 0;
	SSL_SESSION_free(tls_rig_leave(&rig, ssl));
	SSL_CTX_free(ctx);
	return ok;
}

Test(shortcut, public_certificates_of_every_kind_serve_as_before)
{
	static const char *const groups[] = { "X25519", "P-256", "P-384" };
	bool right = false;

	for (int i = 0; i < 2; i++) {
		SEAL_SCOPED(pki_id_release)
		struct pki_id p384 =
			tls_rig_foreign(EVP_PKEY_Q_keygen(NULL, NULL, "EC", SN_secp384r1),
					"shop.example.com", 86400);
		SEAL_SCOPED(pki_id_release)
		struct pki_id rsa = tls_rig_foreign(EVP_RSA_gen(2048), "shop.example.com", 86400);

		for (size_t k = 0; k < SEAL_COUNT(groups); k++) {
			cr_expect(serves_public(&p384, groups[k], &right) && right, "P-384 by %s",
				  groups[k]);
			cr_expect(serves_public(&rsa, groups[k], &right) && right, "RSA by %s",
				  groups[k]);
		}
		cr_expect_not(serves_public(&p384, "P-521", &right));
		(void)seal_tls_shortcut();
	}
}

Test(shortcut, a_p384_signature_that_is_bent_is_refused)
{
	for (int i = 0; i < 2; i++) {
		SEAL_SCOPED(pki_id_release)
		struct pki_id id =
			tls_rig_foreign(EVP_PKEY_Q_keygen(NULL, NULL, "EC", SN_secp384r1),
					"shop.example.com", 86400);
		EVP_PKEY *key = X509_get0_pubkey(leaf_of(&id));
		const ASN1_BIT_STRING *signature = NULL;

		cr_expect_eq(X509_verify(leaf_of(&id), key), 1);
		X509_get0_signature(&signature, NULL, leaf_of(&id));
		signature->data[signature->length - 1] ^= 1;
		cr_expect_neq(X509_verify(leaf_of(&id), key), 1);
		(void)seal_tls_shortcut();
	}
}
