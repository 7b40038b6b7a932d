/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for credentials, and telling a no for good from a no for now.
 */

#include "rot/client/client_internal.h"

/* 408 and 429 are the server's state, every other 4xx is its judgement of us. */
static enum seal_code
code_of(unsigned status)
{
	if (status == 408)
		return SEAL_E_TIMEOUT;
	if (status == 429)
		return SEAL_E_LIMIT;
	if (status >= 400 && status <= 499)
		return SEAL_E_REFUSED;
	return status >= 500 ? SEAL_E_SYSTEM : SEAL_E_FORMAT;
}

int
rot_client_explain(unsigned status, const struct seal_bytes *reply, struct seal_err *err)
{
	char code[64];
	char message[ROT_ERROR_TEXT_MAX];

	rot_error_parse(reply->data, reply->len, code, message);
	return seal_fail(err, code_of(status), "the root of trust answered %u: %s", status,
			 message[0] != '\0' ? message : "no reason given");
}

int
rot_client_not_final(struct seal_err *err)
{
	if (err != NULL)
		err->code = SEAL_E_UNAUTH;
	return SEAL_E_UNAUTH;
}

int
rot_client_credentials(struct rot_client *client, const char *path,
		       const struct rot_request *request, struct rot_credentials *ret_credentials,
		       struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes body = SEAL_BYTES(ROT_MAX_BODY);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes reply = SEAL_BYTES(ROT_MAX_CREDENTIALS);
	unsigned status = 0;
	int r;

	r = rot_request_encode(request, &body, err);
	if (r == 0)
		r = rot_client_call(client, "POST", path, body.data, body.len, &status, &reply,
				    err);
	if (r < 0)
		return seal_note(err, r == SEAL_E_REFUSED ? rot_client_not_final(err) : r, "%s",
				 path);
	if (status != 200)
		return seal_note(err, rot_client_explain(status, &reply, err), "%s", path);

	r = rot_credentials_parse(ret_credentials, reply.data, reply.len, err);
	return r < 0 ? seal_note(err, r, "%s: the answer", path) : 0;
}
