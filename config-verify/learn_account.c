/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be learned from a service account's directory: whose it is, and by which certificates.  Of the
 * token nothing is kept but claims that say so.
 */

#include <string.h>

#include "base/crypto/crypto.h"
#include "base/secret/secret.h"
#include "config-verify/learn_internal.h"

#define SUBJECT  "system:serviceaccount:"
#define PEM_HEAD "-----BEGIN CERTIFICATE-----"
#define PEM_TAIL "-----END CERTIFICATE-----"
#define CERT_MAX (64u * 1024)
#define MAX_LIST 32

/* ---- Certificates ---- */

/* RFC 7468: base64 with padding and line ends, made what base/bytes reads. */
static int
decode_body(struct seal_bytes *der, const char *body, size_t len, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(CERT_MAX);
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		char letter = body[i];

		if (letter == '\n' || letter == '\r' || letter == '=')
			continue;
		letter = letter == '+' ? '-' : letter == '/' ? '_' : letter;
		r = seal_bytes_append(&text, &letter, 1, err);
	}
	return r < 0 ? r : seal_base64url_decode(der, seal_bytes_str(&text), text.len, err);
}

/* What cannot be decoded is left out: the judge finds it. */
static void
put_digest(struct seal_json *list, const char *body, size_t len)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes der = SEAL_BYTES(CERT_MAX);
	uint8_t hash[SEAL_HASH_LEN];
	char text[2 * SEAL_HASH_LEN + 1];

	if (decode_body(&der, body, len, NULL) < 0 || der.len == 0 ||
	    seal_sha256(hash, der.data, der.len, NULL) < 0)
		return;
	seal_hex_encode(text, hash, sizeof(hash));
	for (size_t i = 0; i < seal_json_count(list); i++)
		if (strcmp(seal_json_str(seal_json_at(list, i)), text) == 0)
			return;
	seal_json_add_str(list, text);
}

static void
learn_cas(struct seal_json *account, const struct seal_bytes *pem)
{
	const char *at = seal_bytes_str(pem);
	struct seal_json *list = NULL;

	while ((at = strstr(at, PEM_HEAD)) != NULL) {
		const char *body = at + strlen(PEM_HEAD);
		const char *end = strstr(body, PEM_TAIL);

		if (end == NULL || (list != NULL && seal_json_count(list) == MAX_LIST))
			break;
		list = list != NULL ? list : seal_json_set_array(account, "ca");
		put_digest(list, body, (size_t)(end - body));
		at = end;
	}
	if (list != NULL && seal_json_count(list) == 0)
		seal_json_free(seal_json_take(account, "ca"));
}

/* ---- The token ---- */

/* The claims of a JWS in compact form (RFC 7515 section 7.1); the signature is the host's own. */
static int
read_claims(struct seal_json **ret_claims, const struct seal_bytes *token, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_TOKEN_MAX);
	const char *claims = strchr(seal_bytes_str(token), '.');
	size_t len;
	int r;

	if (claims == NULL)
		return seal_fail(err, SEAL_E_FORMAT, "no JWT");
	len = strcspn(claims + 1, ".");
	r = seal_base64url_decode(&text, claims + 1, len, err);
	return r < 0 ? r : seal_json_parse(ret_claims, text.data, text.len, VERIFY_TOKEN_MAX, err);
}

static void
add_audience(struct seal_json *list, const char *text)
{
	if (text != NULL && learn_can_say_text("account", "audiences", true, text))
		seal_json_add_str(list, text);
}

/* One, or a list of them (RFC 7519 section 4.1.3). */
static void
put_audiences(struct seal_json *account, const struct seal_json *claim)
{
	struct seal_json *list;

	if (claim == NULL)
		return;
	list = seal_json_set_array(account, "audiences");
	if (seal_json_kind(claim) == SEAL_JSON_ARRAY)
		for (size_t i = 0; i < seal_json_count(claim) && i < MAX_LIST; i++)
			add_audience(list, seal_json_str(seal_json_at(claim, i)));
	else
		add_audience(list, seal_json_str(claim));
	if (seal_json_count(list) == 0) /* an empty list allows nothing, and is none */
		seal_json_free(seal_json_take(account, "audiences"));
}

/* system:serviceaccount:NAMESPACE:NAME */
static void
put_subject(struct seal_json *account, const char *subject)
{
	const char *name;

	if (strncmp(subject, SUBJECT, strlen(SUBJECT)) != 0)
		return;
	name = strchr(subject + strlen(SUBJECT), ':');
	if (name != NULL && learn_can_say_text("account", "name", false, name + 1))
		seal_json_set_str(account, "name", name + 1);
}

static void
learn_token(struct seal_json *account, const struct seal_bytes *token)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *claims = NULL;
	const char *text = NULL;

	if (read_claims(&claims, token, NULL) < 0)
		return;
	if (seal_json_get_str(claims, "sub", &text, NULL) == 0)
		put_subject(account, text);
	if (seal_json_get_str(claims, "iss", &text, NULL) == 0 &&
	    learn_can_say_text("account", "issuer", false, text))
		seal_json_set_str(account, "issuer", text);
	put_audiences(account, seal_json_member(claims, "aud"));
}

static void
learn_namespace(struct seal_json *pod, const struct seal_bytes *ns)
{
	char text[VERIFY_ACCOUNT_NS_MAX + 1] = "";

	if (ns->len >= sizeof(text))
		return;
	memcpy(text, seal_bytes_str(ns), ns->len);
	text[strcspn(text, "\n")] = '\0';
	if (learn_can_say_text("pod", "namespace", false, text))
		seal_json_set_str(pod, "namespace", text);
}

int
learn_account(struct seal_json *json, struct seal_json *pod, const struct verify_sight *sight,
	      struct seal_err *err)
{
	const bool is_there = sight->ns.len + sight->ca.len + sight->token.len > 0;
	struct seal_json *account = seal_json_set_object(json, "account");

	seal_json_set_str(account, "mounted", is_there ? "yes" : "no");
	learn_namespace(pod, &sight->ns);
	learn_cas(account, &sight->ca);
	learn_token(account, &sight->token);
	return seal_json_has_failed(account) ? seal_fail_memory(err) : 0;
}
