/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of docs/ROT-PROTOCOL.md as structures and back: requests of pods, and errors; what pods
 * get is in credentials.c.  This room answers for their shape: which members there are, of which type, within which limits, spelling names as base/names allows.
 * It knows nothing of certificates, policy or the network, and believes nobody: both ends parse what
 * the other one sent with the same suspicion.
 */

#include "rot/wire/wire.h"

#include "base/json/json.h"
#include "rot/wire/wire_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
rot_wire_malformed(struct seal_err *err, int r)
{
	if (r != SEAL_E_MISSING)
		return r;
	if (err != NULL)
		err->code = SEAL_E_FORMAT;
	return SEAL_E_FORMAT;
}

int
rot_wire_text(char **ret_text, const struct seal_json *object, const char *name,
	      struct seal_err *err)
{
	const char *text;
	char *copy;
	int r;

	r = seal_json_get_str(object, name, &text, err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	if (text[0] == '\0')
		return seal_fail(err, SEAL_E_FORMAT, "member '%s' is empty", name);

	copy = seal_strndup(text, strlen(text));
	if (copy == NULL)
		return seal_fail_memory(err);
	*ret_text = copy;
	return 0;
}

int
rot_wire_names(struct seal_strv *list, const struct seal_json *object, const char *name, size_t max,
	       rot_wire_check_fn check, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv all = { 0 };
	int r;

	r = seal_json_get_strv(object, name, max, &all, err);
	if (r < 0)
		return rot_wire_malformed(err, r);

	for (size_t i = 0; i < all.count; i++) {
		r = check(all.items[i], err);
		if (r < 0)
			return seal_note(err, r, "member '%s'", name);
		if (seal_strv_contains(list, all.items[i]))
			return seal_fail(err, SEAL_E_FORMAT, "member '%s' repeats '%s'", name,
					 all.items[i]);
		r = seal_strv_add(list, all.items[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int
rot_wire_name(char *out, size_t max, const struct seal_json *object, const char *name,
	      rot_wire_check_fn check, struct seal_err *err)
{
	const char *text;
	int r;

	r = seal_json_get_str(object, name, &text, err);
	if (r < 0)
		return rot_wire_malformed(err, r);
	r = check(text, err);
	if (r < 0)
		return seal_note(err, r, "member '%s'", name);
	if (strlen(text) > max)
		return seal_fail(err, SEAL_E_LIMIT, "member '%s' is too long", name);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

void
rot_request_release(struct rot_request *request)
{
	free(request->statement);
	free(request->csr);
	seal_strv_release(&request->hostnames);
	*request = (struct rot_request){ 0 };
}

int
rot_request_encode(const struct rot_request *request, struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();

	seal_json_set_str(json, "csr", request->csr);
	if (request->statement != NULL) {
		seal_json_set_str(json, "statement", request->statement);
		seal_json_set_strv(json, "hostnames", &request->hostnames);
	}
	return seal_json_dump(json, false, out, err);
}

/* What only a hatch has: which egg, and the host names chosen (none when the member is absent). */
static int
parse_hatch(struct rot_request *request, const struct seal_json *json, struct seal_err *err)
{
	int r;

	r = rot_wire_text(&request->statement, json, "statement", err);
	if (r < 0 || !seal_json_has(json, "hostnames"))
		return r;
	return rot_wire_names(&request->hostnames, json, "hostnames", ROT_MAX_HOSTNAMES,
			      seal_hostname_check, err);
}

int
rot_request_parse(struct rot_request *ret_request, bool want_statement, const void *body,
		  size_t body_len, struct seal_err *err)
{
	/* Evidence is for attestation policies, of which no workload can have one yet. */
	static const char *const hatch[] = { "csr", "evidence", "hostnames", "statement", NULL };
	static const char *const renewal[] = { "csr", "evidence", NULL };
	SEAL_SCOPED(rot_request_release) struct rot_request request = { 0 };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	int r;

	r = seal_json_parse(&json, body, body_len, ROT_MAX_BODY, err);
	if (r < 0)
		return r;
	r = seal_json_only(json, want_statement ? hatch : renewal, err);
	if (r < 0)
		return r;
	r = rot_wire_text(&request.csr, json, "csr", err);
	if (r < 0)
		return r;
	if (want_statement) {
		r = parse_hatch(&request, json, err);
		if (r < 0)
			return r;
	}

	*ret_request = request;
	request = (struct rot_request){ 0 }; /* the caller owns it now */
	return 0;
}

/* Copy what fits of text, one printable line of it: it will be shown to people. */
static void
copy_shown(char *out, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[len] = '\0';
}

void
rot_error_parse(const void *body, size_t body_len, char code[static 64],
		char message[static ROT_ERROR_TEXT_MAX])
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const struct seal_json *error = NULL;
	const char *text;

	code[0] = '\0';
	message[0] = '\0';
	if (seal_json_parse(&json, body, body_len, ROT_MAX_BODY, NULL) < 0)
		return;
	if (seal_json_get_object(json, "error", &error, NULL) < 0)
		return;
	if (seal_json_get_str(error, "code", &text, NULL) == 0)
		copy_shown(code, 64, text);
	if (seal_json_get_str(error, "message", &text, NULL) == 0)
		copy_shown(message, ROT_ERROR_TEXT_MAX, text);
}

int
rot_error_encode(const char *code, const char *message, struct seal_bytes *out,
		 struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *error = seal_json_set_object(json, "error");

	seal_json_set_str(error, "code", code);
	seal_json_set_str(error, "message", message);
	return seal_json_dump(json, false, out, err);
}
