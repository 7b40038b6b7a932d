/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for news.  The one answer that ends a pod's life, "sync refused", is told apart here from all that
 * merely went wrong.
 */

#include <inttypes.h>
#include <string.h>

#include "rot/client/client_internal.h"

/* The root of trust's own word: the status alone may be anybody's on the way to a handler. */
static bool
is_refusal(unsigned status, const struct seal_bytes *reply)
{
	char code[64];
	char message[ROT_ERROR_TEXT_MAX];

	rot_error_parse(reply->data, reply->len, code, message);
	return status == 403 && strcmp(code, "refused") == 0;
}

/* One that is older than this question answers like all servers to what they do not know. */
static bool
is_unknown(unsigned status)
{
	return status == 404 || status == 405 || status == 501;
}

static int
fail(unsigned status, const struct seal_bytes *reply, struct seal_err *err)
{
	int r = rot_client_explain(status, reply, err);

	if (is_unknown(status))
		r = SEAL_E_MISSING;
	else if (r == SEAL_E_REFUSED && !is_refusal(status, reply))
		r = SEAL_E_FORMAT;
	if (err != NULL)
		err->code = r;
	return r;
}

/* Nobody has answered: whatever the reason, it is not the root of trust's word. */
static int
unanswered(int r, struct seal_err *err)
{
	return r == SEAL_E_REFUSED || r == SEAL_E_MISSING ? rot_client_not_final(err) : r;
}

int
rot_client_sync(struct rot_client *client, uint64_t epoch, struct rot_sync *ret_sync,
		bool *ret_changed, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes reply = SEAL_BYTES(ROT_MAX_SYNC);
	SEAL_SCOPED(rot_sync_release) struct rot_sync sync = { 0 };
	char path[64];
	const struct rot_call call = { .method = "GET", .path = path, .whole_ms = client->sync_ms };
	unsigned status = 0;
	int r;

	(void)snprintf(path, sizeof(path), "/v1/sync?epoch=%" PRIu64, epoch);
	r = rot_client_run(client, &call, &status, &reply, err);
	if (r < 0)
		return seal_note(err, unanswered(r, err), "/v1/sync");
	if (status == 204) {
		*ret_changed = false;
		return 0;
	}
	if (status != 200)
		return seal_note(err, fail(status, &reply, err), "/v1/sync");
	r = rot_sync_parse(&sync, reply.data, reply.len, err);
	if (r < 0)
		return seal_note(err, unanswered(r, err), "/v1/sync: the answer");
	*ret_sync = sync;
	sync = (struct rot_sync){ 0 }; /* the caller owns it now */
	*ret_changed = true;
	return 0;
}
