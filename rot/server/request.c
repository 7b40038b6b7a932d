/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what an operator sent: each value is checked against its rule before a handler sees it,
 * and a sentence says which one broke which rule.
 */

#include "rot/server/api_internal.h"

/* A member left out is the request's fault, not a thing that does not exist. */
static int
absent(const char *kind, const char *name, struct seal_err *err)
{
	return seal_fail(err, SEAL_E_FORMAT, "the %s '%s' is missing", kind, name);
}

int
rot_body_name(const struct rot_call *call, const char *name, const char *fallback,
	      rot_check_fn check, const char **ret_text, struct seal_err *err)
{
	const char *text = fallback;
	int r;

	if (seal_json_has(call->body, name)) {
		r = seal_json_get_str(call->body, name, &text, err);
		if (r == 0)
			r = check(text, err);
		if (r < 0)
			return seal_note(err, r, "%s", name);
	}
	if (text == NULL)
		return absent("member", name, err);
	*ret_text = text;
	return 0;
}

int
rot_body_number(const struct rot_call *call, const char *name, uint64_t fallback, uint64_t min,
		uint64_t max, uint64_t *ret_value, struct seal_err *err)
{
	uint64_t value = fallback;
	int r;

	if (seal_json_has(call->body, name)) {
		r = seal_json_get_u64(call->body, name, max, &value, err);
		if (r < 0)
			return r;
	}
	if (value < min)
		return seal_fail(err, SEAL_E_LIMIT, "%s: at least %llu", name,
				 (unsigned long long)min);
	*ret_value = value;
	return 0;
}

int
rot_body_flag(const struct rot_call *call, const char *name, bool *ret_value, struct seal_err *err)
{
	if (!seal_json_has(call->body, name)) {
		*ret_value = false;
		return 0;
	}
	return seal_json_get_bool(call->body, name, ret_value, err);
}

static int
check_names(const char *name, const struct seal_strv *names, rot_check_fn check,
	    struct seal_err *err)
{
	int r;

	for (size_t i = 0; i < names->count; i++) {
		r = check(names->items[i], err);
		if (r < 0)
			return seal_note(err, r, "%s", name);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(names->items[i], names->items[j]) == 0)
				return seal_fail(err, SEAL_E_FORMAT, "%s: '%s' is there twice",
						 name, names->items[i]);
		}
	}
	return 0;
}

int
rot_body_names(const struct rot_call *call, const char *name, rot_check_fn check,
	       struct seal_strv *ret_names, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv names = { 0 };
	int r;

	if (!seal_json_has(call->body, name))
		return 0;
	r = seal_json_get_strv(call->body, name, ROT_MAX_HOSTNAMES, &names, err);
	if (r == 0)
		r = check_names(name, &names, check, err);
	if (r < 0)
		return r;
	*ret_names = names;
	memset(&names, 0, sizeof(names)); /* the caller owns it now */
	return 0;
}

static int
check_nothing(const char *text, struct seal_err *err)
{
	(void)text;
	(void)err;
	return 0;
}

int
rot_body_key(const struct rot_call *call, struct seal_key **ret_key, struct seal_err *err)
{
	const char *csr = NULL;
	int r;

	r = rot_body_name(call, "csr", NULL, check_nothing, &csr, err);
	if (r < 0)
		return r;
	r = seal_csr_public_key(ret_key, csr, strlen(csr), err);
	if (r == SEAL_E_FORMAT || r == SEAL_E_REFUSED || r == SEAL_E_UNAUTH) {
		/* Whatever is wrong with it, it is the request that is wrong. */
		r = seal_note(err, SEAL_E_FORMAT, "csr");
	}
	return r;
}

int
rot_query_name(const struct rot_call *call, const char *name, const char *fallback,
	       rot_check_fn check, const char **ret_text, struct seal_err *err)
{
	const char *text = seal_http_query(call->request, name);
	int r;

	if (text == NULL && fallback == NULL)
		return absent("query parameter", name, err);
	if (text != NULL) {
		r = check(text, err);
		if (r < 0)
			return seal_note(err, r, "%s", name);
	}
	*ret_text = text != NULL ? text : fallback;
	return 0;
}

int
rot_query_number(const struct rot_call *call, const char *name, uint64_t fallback, uint64_t max,
		 uint64_t *ret_value, struct seal_err *err)
{
	const char *text = seal_http_query(call->request, name);
	int r;

	if (text == NULL) {
		*ret_value = fallback;
		return 0;
	}
	r = seal_number_parse(text, 0, max, ret_value, err);
	return r < 0 ? seal_note(err, r, "%s", name) : 0;
}

void
rot_call_about(struct rot_call *call, const char *workload)
{
	(void)snprintf(call->workload, sizeof(call->workload), "%s", workload);
}

bool
rot_call_name(struct rot_call *call, const char *separator, const char *name, size_t left)
{
	size_t size = sizeof(call->subject);
	size_t len = strlen(call->subject);

	if (len + strlen(separator) + strlen(name) + sizeof(", and 99999 more") > size) {
		(void)snprintf(call->subject + len, size - len, ", and %zu more", left);
		return false;
	}
	(void)snprintf(call->subject + len, size - len, "%s%s", separator, name);
	return true;
}

int
rot_query_limit(const struct rot_call *call, uint64_t *ret_limit, struct seal_err *err)
{
	const char *text = seal_http_query(call->request, "limit");
	int r;

	if (text == NULL) {
		*ret_limit = ROT_PAGE_DEFAULT;
		return 0;
	}
	r = seal_number_parse(text, 1, ROT_PAGE_MAX, ret_limit, err);
	return r < 0 ? seal_note(err, r, "limit") : 0;
}

int
rot_query_flag(const struct rot_call *call, const char *name, bool *ret_value, struct seal_err *err)
{
	const char *text = seal_http_query(call->request, name);

	if (text != NULL && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return seal_fail(err, SEAL_E_FORMAT, "%s is 0 or 1", name);
	*ret_value = text != NULL && text[0] == '1';
	return 0;
}
