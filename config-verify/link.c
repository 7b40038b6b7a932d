/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-wrap and the agent: a connection opens what one container's spec names, so the first thing said on
 * each is the spec, on the first one and on every one after the sidecar was started again.
 */

#include <string.h>

#include "config-verify/wrap.h"

static bool
see_to_signals(void *arg)
{
	struct wrap *wrap = arg;

	return verify_supervisor_step(wrap->supervisor);
}

struct verify_meanwhile
wrap_meanwhile(struct wrap *wrap)
{
	return (struct verify_meanwhile){
		.fd = wrap->supervisor == NULL ? -1 : verify_supervisor_fd(wrap->supervisor),
		.act = see_to_signals,
		.arg = wrap,
	};
}

int
wrap_link(struct wrap *wrap, uint32_t wait_ms, struct seal_secret **ret_spec,
	  struct verify_binding *ret_binding, struct seal_err *err)
{
	const struct verify_meanwhile meanwhile = wrap_meanwhile(wrap);
	const struct verify_request request = {
		.kind = VERIFY_ASK_SPEC,
		.data = (const uint8_t *)wrap->sealed,
		.data_len = strlen(wrap->sealed),
	};
	SEAL_SCOPED(verify_client_freep) struct verify_client *client = NULL;
	int r;

	verify_client_free(SEAL_TAKE(wrap->client));
	r = verify_client_new(&client, VERIFY_AGENT_PATH, &wrap->token, wait_ms, &meanwhile, err);
	if (r < 0)
		return r;
	r = verify_client_ask(client, &request, ret_spec, ret_binding, err);
	if (r < 0)
		return seal_note(err, r, "the container spec");
	wrap->client = SEAL_TAKE(client);
	return 0;
}

static int
open_value(void *arg, const struct verify_object *object, const char *key, const char *text,
	   size_t text_len, struct seal_secret **ret_plain, struct verify_binding *ret_binding,
	   struct seal_err *err)
{
	struct wrap *wrap = arg;
	struct verify_request request = {
		.kind = VERIFY_ASK_OPEN,
		.data = (const uint8_t *)text,
		.data_len = text_len,
	};

	if (wrap->client == NULL)
		return seal_fail(err, SEAL_E_CLOSED, "the agent is gone");
	if (text_len == 0)
		return seal_fail(err, SEAL_E_FORMAT, "it is empty, not a sealed value");
	/* Names come from a spec that was checked: they fit. */
	(void)snprintf(request.object_kind, sizeof(request.object_kind), "%s", object->kind);
	(void)snprintf(request.object_name, sizeof(request.object_name), "%s", object->name);
	(void)snprintf(request.key, sizeof(request.key), "%s", key);
	return verify_client_ask(wrap->client, &request, ret_plain, ret_binding, err);
}

struct verify_opener
wrap_opener(struct wrap *wrap)
{
	return (struct verify_opener){ .open = open_value, .arg = wrap };
}
