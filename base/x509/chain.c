/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path validation (RFC 5280 section 6).  OpenSSL builds and checks the path in its strict mode, with
 * the pinned anchors as its only trust; then every certificate of the path it found is held against
 * rules that OpenSSL leaves open.  Nothing here knows names or policy.
 */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "base/x509/x509_internal.h"

/* A chain of any honest length is far below; beyond it, path building could be made to cost. */
#define PRESENTED_MAX 16
#define RSA_MIN_BITS  2048

static int
unauth(struct seal_err *err, const char *what)
{
	ERR_clear_error();
	return seal_fail(err, SEAL_E_UNAUTH, "%s", what);
}

/* Named curves of 256 bits and more, RSA of 2048 and more, Ed25519. */
static int
check_key(X509 *cert, struct seal_err *err)
{
	static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1" };
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char group[32] = "";
	size_t len = 0;

	if (key == NULL)
		return unauth(err, "a certificate holds no usable key");
	if (EVP_PKEY_is_a(key, "ED25519") ||
	    (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_MIN_BITS))
		return 0;
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1)
		for (size_t i = 0; i < SEAL_COUNT(curves); i++)
			if (strcmp(group, curves[i]) == 0)
				return 0;
	return unauth(err, "a certificate's key is weak or of a kind not accepted");
}

static int
check_signature(const X509 *cert, struct seal_err *err)
{
	X509 *writable = seal_cert_native((const struct seal_cert *)cert);
	int digest = NID_undef;
	int kind = NID_undef;

	if (X509_get_signature_info(writable, &digest, &kind, NULL, NULL) == 1 &&
	    (kind == NID_ED25519 || digest == NID_sha256 || digest == NID_sha384 ||
	     digest == NID_sha512))
		return 0;
	return unauth(err, "a certificate is signed with a weak or unknown algorithm");
}

/* RFC 5280 section 4.2: no extension may appear twice. */
static int
check_no_repeats(const X509 *cert, struct seal_err *err)
{
	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		const ASN1_OBJECT *kind = X509_EXTENSION_get_object(X509_get_ext(cert, i));

		if (X509_get_ext_by_OBJ(cert, kind, i) >= 0)
			return unauth(err, "a certificate repeats an extension");
	}
	return 0;
}

/* One side of name constraints: present means not empty, and each DNS base must be a DNS name. */
static bool
subtrees_are_sound(const STACK_OF(GENERAL_SUBTREE) * subtrees)
{
	if (subtrees != NULL && sk_GENERAL_SUBTREE_num(subtrees) == 0)
		return false;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); i++) {
		const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(subtrees, i)->base;

		if (base->type == GEN_DNS) {
			const unsigned char *at = ASN1_STRING_get0_data(base->d.dNSName);
			size_t len = (size_t)ASN1_STRING_length(base->d.dNSName);

			for (size_t k = 0; k < len; k++)
				if (at[k] <= ' ' || at[k] > '~' || at[k] == '*')
					return false;
		}
	}
	return true;
}

/* RFC 5280 section 4.2.1.10: only in CA certificates, at least one subtree, sound bases. */
static int
check_name_constraints(X509 *cert, bool is_leaf, struct seal_err *err)
{
	int critical = 0;
	NAME_CONSTRAINTS *found = X509_get_ext_d2i(cert, NID_name_constraints, &critical, NULL);
	bool sound;

	if (found == NULL) {
		if (critical == -1)
			return 0;
		return unauth(err, "a certificate's name constraints are malformed");
	}
	sound = !is_leaf && (found->permittedSubtrees != NULL || found->excludedSubtrees != NULL) &&
		subtrees_are_sound(found->permittedSubtrees) &&
		subtrees_are_sound(found->excludedSubtrees);
	NAME_CONSTRAINTS_free(found);
	if (!sound)
		return unauth(err, "a certificate carries name constraints it must not carry");
	return 0;
}

static int
check_any(X509 *cert, bool is_leaf, bool is_anchor, struct seal_err *err)
{
	int r;

	if (X509_get_version(cert) != X509_VERSION_3)
		return unauth(err, "a certificate is not of version 3");
	if ((X509_get_extension_flags(cert) & EXFLAG_INVALID) != 0)
		return unauth(err, "a certificate has malformed extensions");
	r = check_key(cert, err);
	if (r == 0 && !is_anchor) /* an anchor is trusted for being pinned, not for its signature */
		r = check_signature(cert, err);
	if (r == 0)
		r = check_no_repeats(cert, err);
	if (r == 0)
		r = check_name_constraints(cert, is_leaf, err);
	return r;
}

/* RFC 5280 section 4.2.1.12, without the wildcard anyExtendedKeyUsage. */
static int
check_extended_usage(X509 *leaf, enum seal_side side, struct seal_err *err)
{
	uint32_t wanted = side == SEAL_SIDE_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
	uint32_t found;

	if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0)
		return unauth(err, "the certificate names no extended key usage");
	found = X509_get_extended_key_usage(leaf);
	if ((found & XKU_ANYEKU) != 0)
		return unauth(err, "the certificate is for any extended key usage");
	if ((found & wanted) == 0)
		return unauth(err, side == SEAL_SIDE_SERVER
					   ? "the certificate is not for servers (EKU serverAuth)"
					   : "the certificate is not for clients (EKU clientAuth)");
	return 0;
}

static int
check_leaf(X509 *leaf, enum seal_side side, struct seal_err *err)
{
	uint32_t usage = X509_get_key_usage(leaf); /* all ones when the extension is absent */

	if ((X509_get_extension_flags(leaf) & EXFLAG_CA) != 0 || X509_check_ca(leaf) != 0)
		return unauth(err, "a CA certificate presented as a peer");
	if ((usage & KU_DIGITAL_SIGNATURE) == 0)
		return unauth(err, "the certificate's key usage forbids signatures");
	if (usage != UINT32_MAX && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)
		return unauth(err, "the certificate's key usage is a CA's");
	return check_extended_usage(leaf, side, err);
}

/*
 * Name constraints speak of names, wildcards of sets of them: neither RFC says what a wildcard means
 * beneath a constraint that some member of its set would break.  So there are none beneath any, nor
 * names that are no names.
 */
static int
check_constrained(const STACK_OF(X509) * path, struct seal_err *err)
{
	SEAL_SCOPED(seal_alt_names_release) struct seal_alt_names names = { 0 };
	bool constrained = false;
	bool sound;

	for (int i = 1; i < sk_X509_num(path); i++)
		if (X509_get_ext_by_NID(sk_X509_value(path, i), NID_name_constraints, -1) >= 0)
			constrained = true;
	if (!constrained)
		return 0;
	sound = seal_alt_names_read(&names, (const struct seal_cert *)sk_X509_value(path, 0),
				    NULL) == 0 &&
		!names.odd_dns;
	for (size_t i = 0; sound && i < names.dns.count; i++)
		sound = names.dns.items[i][0] != '*';
	return sound ? 0 : unauth(err, "a wildcard or malformed name beneath name constraints");
}

static int
check_path(const STACK_OF(X509) * path, enum seal_side side, struct seal_err *err)
{
	int count = sk_X509_num(path);
	int r = 0;

	/* A pinned certificate is an issuer, never a peer: a path has both a leaf and an anchor. */
	if (count < 2)
		return unauth(err, "the certificate is a trust anchor itself");
	for (int i = 0; r == 0 && i < count; i++)
		r = check_any(sk_X509_value(path, i), i == 0, i == count - 1, err);
	if (r == 0)
		r = check_leaf(sk_X509_value(path, 0), side, err);
	if (r == 0)
		r = check_constrained(path, err);
	return r;
}

static void
free_store_ctx(X509_STORE_CTX **ctx)
{
	X509_STORE_CTX_free(*ctx);
}

/* The parameters of the search.  Purpose is left to check_leaf and check_path, but for the CAs. */
static int
set_params(X509_STORE_CTX *ctx, const struct seal_chain_opts *opts, struct seal_err *err)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	int purpose =
		opts->side == SEAL_SIDE_SERVER ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;

	X509_VERIFY_PARAM_set_time(param, (time_t)opts->now);
	X509_VERIFY_PARAM_set_depth(param, (int)opts->max_between);
	X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits, RFC 7525 */
	/* Partial chains: what is pinned is the end of the path, be it self-signed or not. */
	if (X509_VERIFY_PARAM_set_flags(param,
					X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
	    X509_VERIFY_PARAM_set_purpose(param, purpose) != 1)
		return seal_fail_ssl(err, "cannot prepare the verification");
	return 0;
}

/* When all of a path is valid: from the last of its beginnings to the first of its ends; and its end. */
static int
read_window(const STACK_OF(X509) * path, struct seal_window *ret_window, struct seal_err *err)
{
	struct seal_window window = { .from = INT64_MIN, .to = INT64_MAX };
	const X509 *last = sk_X509_value(path, sk_X509_num(path) - 1);
	int r = seal_anchor_id((const struct seal_cert *)last, window.anchor, err);

	if (r < 0)
		return r;

	for (int i = 0; i < sk_X509_num(path); i++) {
		const struct seal_cert *cert = (const struct seal_cert *)sk_X509_value(path, i);
		int64_t from = 0;
		int64_t to = 0;

		r = seal_cert_times(cert, &from, &to, err);
		if (r < 0)
			return seal_note(err, SEAL_E_UNAUTH, "path");
		if (from > window.from)
			window.from = from;
		if (to < window.to)
			window.to = to;
	}
	*ret_window = window;
	return 0;
}

int
seal_anchor_id(const struct seal_cert *anchor, uint8_t ret_id[static SEAL_HASH_LEN],
	       struct seal_err *err)
{
	uint8_t both[2 * SEAL_HASH_LEN];
	unsigned name_len = 0;
	unsigned key_len = 0;

	if (X509_NAME_digest(X509_get_subject_name(native_cert(anchor)), EVP_sha256(), both,
			     &name_len) != 1 ||
	    X509_pubkey_digest(native_cert(anchor), EVP_sha256(), both + SEAL_HASH_LEN, &key_len) !=
		    1 ||
	    name_len != SEAL_HASH_LEN || key_len != SEAL_HASH_LEN)
		return seal_fail_ssl(err, "cannot digest a CA's name and key");
	return seal_sha256(ret_id, both, sizeof(both), err);
}

int
seal_chain_verify(const struct seal_certs *anchors, const struct seal_certs *presented,
		  const struct seal_chain_opts *opts, struct seal_err *err)
{
	struct seal_window ignored = { 0 };

	return seal_chain_verify_window(anchors, presented, opts, &ignored, err);
}

int
seal_chain_verify_window(const struct seal_certs *anchors, const struct seal_certs *presented,
			 const struct seal_chain_opts *opts, struct seal_window *ret_window,
			 struct seal_err *err)
{
	SEAL_SCOPED(free_store_ctx) X509_STORE_CTX *ctx = NULL;
	X509 *leaf = native_cert(seal_certs_at(presented, 0));
	int r;

	if (opts->now < SEAL_CLOCK_FLOOR)
		return unauth(err, "the clock cannot be right; nothing can be verified");
	if (leaf == NULL || seal_certs_count(anchors) == 0)
		return unauth(err, "no certificate, or no trust anchor");
	if (seal_certs_count(presented) > PRESENTED_MAX)
		return unauth(err, "too many certificates presented");
	ctx = X509_STORE_CTX_new();
	if (ctx == NULL || X509_STORE_CTX_init(ctx, NULL, leaf, native_certs(presented)) != 1)
		return seal_fail_ssl(err, "cannot prepare the verification");
	X509_STORE_CTX_set0_trusted_stack(ctx, native_certs(anchors));
	r = set_params(ctx, opts, err);
	if (r < 0)
		return r;
	if (X509_verify_cert(ctx) != 1)
		return unauth(err, X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	r = check_path(X509_STORE_CTX_get0_chain(ctx), opts->side, err);
	return r < 0 ? r : read_window(X509_STORE_CTX_get0_chain(ctx), ret_window, err);
}
