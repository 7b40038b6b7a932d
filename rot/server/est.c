/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats of RFC 7030.  Whatever is read here comes from somebody who has not been heard yet.
 */

#include "rot/server/est.h"

#include <string.h>
#include <strings.h>

#define EST_PREFIX   "/.well-known/est/"
#define BASIC        "Basic "
#define USER_MAX     512u /* an id, a colon, a secret */
#define PEM_MAX      (256u * 1024)
#define ANSWER_MAX   (512u * 1024)
#define LINE_LETTERS 64 /* as RFC 7030's own examples and OpenSSL have it */

/* ---- Which operation ---- */

static const struct {
	const char *name;
	enum rot_est_operation operation;
} operations[] = {
	{ "cacerts", ROT_EST_CACERTS },
	{ "csrattrs", ROT_EST_CSRATTRS },
	{ "simpleenroll", ROT_EST_ENROLL },
	{ "simplereenroll", ROT_EST_REENROLL },
};

static int
no_such_thing(struct seal_err *err)
{
	return seal_fail(err, SEAL_E_MISSING,
			 "no such resource: cacerts, csrattrs, simpleenroll and simplereenroll "
			 "are served");
}

int
rot_est_target_parse(struct rot_est_target *ret_target, const char *path, struct seal_err *err)
{
	struct rot_est_target target = { 0 };
	const char *slash;

	if (strncmp(path, EST_PREFIX, strlen(EST_PREFIX)) != 0)
		return no_such_thing(err);
	path += strlen(EST_PREFIX);
	slash = strchr(path, '/');
	if (slash != NULL) {
		size_t len = (size_t)(slash - path);

		if (len >= sizeof(target.label))
			return no_such_thing(err);
		memcpy(target.label, path, len);
		if (seal_workload_check(target.label, NULL) < 0)
			return no_such_thing(err);
		path = slash + 1;
	}
	for (size_t i = 0; i < SEAL_COUNT(operations); i++) {
		if (strcmp(path, operations[i].name) != 0)
			continue;
		target.operation = operations[i].operation;
		*ret_target = target;
		return 0;
	}
	return no_such_thing(err);
}

/* ---- Who is calling ---- */

static int
no_user(struct seal_err *err)
{
	return seal_fail(err, SEAL_E_UNAUTH, "no user and password in the form of an enrolment's");
}

static int
split_user(struct rot_est_user *user, const struct seal_bytes *pair, struct seal_err *err)
{
	const char *text = seal_bytes_str(pair);
	const char *secret = text + SEAL_ID_LEN + 1;

	/* Of one length, which also says that there is no NUL in it. */
	if (pair->len != SEAL_ID_LEN + 1 + ROT_EST_SECRET_LEN || strlen(text) != pair->len ||
	    text[SEAL_ID_LEN] != ':')
		return no_user(err);
	memcpy(user->id, text, SEAL_ID_LEN);
	if (seal_id_check(user->id, NULL) < 0)
		return no_user(err);
	return seal_sha256(user->hash, secret, ROT_EST_SECRET_LEN, err);
}

int
rot_est_user_parse(struct rot_est_user *ret_user, const char *header, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes pair = SEAL_BYTES(USER_MAX);
	struct rot_est_user user = { 0 };
	int r;

	if (header == NULL)
		return seal_fail(err, SEAL_E_UNAUTH, "no user and password");
	if (strncasecmp(header, BASIC, strlen(BASIC)) != 0)
		return no_user(err);
	header += strlen(BASIC);
	header += strspn(header, " ");
	if (strpbrk(header, " \t") != NULL)
		return no_user(err);
	r = seal_base64_decode(&pair, header, strlen(header), NULL);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0)
		return no_user(err);
	r = split_user(&user, &pair, err);
	if (r < 0)
		return r;
	*ret_user = user;
	return 0;
}

/* ---- The request ---- */

/* The media type without its parameters, in any case of letters (RFC 9110 section 8.3.1). */
static bool
is_pkcs10(const char *content_type)
{
	size_t len = strcspn(content_type, "; \t");

	return len == strlen("application/pkcs10") &&
	       strncasecmp(content_type, "application/pkcs10", len) == 0;
}

int
rot_est_key(struct seal_key **ret_key, const char *content_type, const void *body, size_t len,
	    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes der = SEAL_BYTES(ROT_EST_MAX_BODY);
	int r;

	if (content_type != NULL && !is_pkcs10(content_type))
		return seal_fail(err, SEAL_E_FORMAT,
				 "the body has to be of the type application/pkcs10");
	if (len > ROT_EST_MAX_BODY)
		return seal_fail(err, SEAL_E_LIMIT, "the body is longer than %u bytes",
				 ROT_EST_MAX_BODY);
	r = seal_base64_decode(&der, body, len, NULL);
	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r < 0 || der.len == 0)
		return seal_fail(err, SEAL_E_FORMAT,
				 "the body has to be base64 of a request in DER, without the lines "
				 "that PEM puts around it");
	r = seal_csr_public_key_der(ret_key, der.data, der.len, err);
	/* Whatever is wrong with it, it is the request that is wrong. */
	if (r == SEAL_E_REFUSED || r == SEAL_E_UNAUTH)
		r = SEAL_E_FORMAT;
	return r;
}

/* ---- The answer ---- */

static int
append_lines(struct seal_bytes *out, const char *text, size_t len, struct seal_err *err)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < len; at += LINE_LETTERS) {
		size_t left = len - at;

		r = seal_bytes_append(out, text + at, left < LINE_LETTERS ? left : LINE_LETTERS,
				      err);
		if (r == 0)
			r = seal_bytes_append_str(out, "\n", err);
	}
	return r;
}

int
rot_est_answer(struct seal_bytes *out, const char *pem, size_t pem_len, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes der = SEAL_BYTES(PEM_MAX);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(ANSWER_MAX);
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	int r = seal_certs_from_pem(&certs, pem, pem_len, PEM_MAX, err);

	if (r == 0)
		r = seal_certs_to_pkcs7(certs, &der, err);
	if (r == 0)
		r = seal_base64_encode(&text, der.data, der.len, err);
	return r < 0 ? r : append_lines(out, seal_bytes_str(&text), text.len, err);
}
