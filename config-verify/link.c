/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal-wrap and the agent: a connection opens what one container's spec names, so the first thing said on
 * each is the spec, on the first one and on every one after the sidecar was started again.
 */

#include <poll.h>
#include <string.h>

#include "config-verify/wrap.h"

#define NOT_YET_MS   10000 /* a probe or hook may be that much earlier than its application */
#define ASK_AGAIN_MS 100

static bool
attend(void *arg)
{
	return wrap_attend(arg);
}

struct verify_meanwhile
wrap_meanwhile(struct wrap *wrap)
{
	return (struct verify_meanwhile){
		.fd = wrap->waker >= 0 ? wrap->waker : verify_supervisor_fd(wrap->supervisor),
		.act = attend,
		.arg = wrap,
	};
}

int
wrap_pause(struct wrap *wrap, int ms, struct seal_err *err)
{
	const struct verify_meanwhile meanwhile = wrap_meanwhile(wrap);
	struct pollfd polled = { .fd = meanwhile.fd, .events = POLLIN };

	if (poll(&polled, 1, ms) > 0 && !meanwhile.act(meanwhile.arg))
		return seal_fail(err, SEAL_E_CLOSED, "stopped while waiting");
	return 0;
}

/*
 * "Not yet" is asked again: a hook comes at the same time as the application that it belongs to, and is not to
 * fail for having been quicker.
 */
static int
ask_spec(struct wrap *wrap, uint32_t wait_ms, struct seal_secret **ret_spec,
	 struct verify_binding *ret_binding, struct seal_err *err)
{
	const struct verify_request request = {
		.kind = VERIFY_ASK_SPEC,
		.data = (const uint8_t *)wrap->sealed,
		.data_len = strlen(wrap->sealed),
	};
	const uint64_t deadline = verify_now_ms() + (wait_ms < NOT_YET_MS ? wait_ms : NOT_YET_MS);
	int r;

	while ((r = verify_client_ask(wrap->client, &request, ret_spec, ret_binding, err)) ==
		       SEAL_E_TIMEOUT &&
	       verify_client_is_open(wrap->client) && verify_now_ms() < deadline) {
		r = wrap_pause(wrap, ASK_AGAIN_MS, err);
		if (r < 0)
			return r;
	}
	return r;
}

int
wrap_call(struct wrap *wrap, uint32_t wait_ms, struct seal_err *err)
{
	const struct verify_meanwhile meanwhile = wrap_meanwhile(wrap);

	verify_client_free(SEAL_TAKE(wrap->client));
	return verify_client_new(&wrap->client, VERIFY_AGENT_PATH, &wrap->token, wait_ms,
				 &meanwhile, err);
}

int
wrap_link(struct wrap *wrap, uint32_t wait_ms, struct seal_secret **ret_spec,
	  struct verify_binding *ret_binding, struct seal_err *err)
{
	int r = wrap_call(wrap, wait_ms, err);

	if (r < 0)
		return r;
	r = ask_spec(wrap, wait_ms, ret_spec, ret_binding, err);
	if (r < 0) {
		verify_client_free(SEAL_TAKE(wrap->client));
		return seal_note(err, r, "the container spec");
	}
	return 0;
}

/*
 * What an application starts with is of one version of each object, be it in variables or in files: the host
 * hands them in separately, and could give of each another one.
 */
static int
check_version(struct wrap *wrap, const struct verify_object *object, uint64_t gen,
	      struct seal_err *err)
{
	for (size_t i = 0; i < verify_spec_object_count(wrap->spec); i++) {
		const struct verify_object *known = verify_spec_object(wrap->spec, i);

		if (strcmp(known->kind, object->kind) != 0 ||
		    strcmp(known->name, object->name) != 0)
			continue;
		if (wrap->gens[i] != 0 && wrap->gens[i] != gen)
			return seal_fail(err, SEAL_E_CONFLICT,
					 "the host hands in two versions of %s %s, %llu and %llu",
					 object->kind, object->name,
					 (unsigned long long)wrap->gens[i],
					 (unsigned long long)gen);
		wrap->gens[i] = gen;
	}
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
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *plain = NULL;
	struct verify_binding binding = { .gen = 0 };
	int r;

	if (wrap->client == NULL)
		return seal_fail(err, SEAL_E_CLOSED, "the agent is gone");
	if (text_len == 0)
		return seal_fail(err, SEAL_E_FORMAT, "it is empty, not a sealed value");
	/* Names come from a spec that was checked: they fit. */
	(void)snprintf(request.object_kind, sizeof(request.object_kind), "%s", object->kind);
	(void)snprintf(request.object_name, sizeof(request.object_name), "%s", object->name);
	(void)snprintf(request.key, sizeof(request.key), "%s", key);
	r = verify_client_ask(wrap->client, &request, &plain, &binding, err);
	if (r == 0 && !wrap->is_started)
		r = check_version(wrap, object, binding.gen, err);
	if (r < 0)
		return r;
	*ret_plain = SEAL_TAKE(plain);
	*ret_binding = binding;
	return 0;
}

struct verify_opener
wrap_opener(struct wrap *wrap)
{
	return (struct verify_opener){ .open = open_value, .arg = wrap };
}
