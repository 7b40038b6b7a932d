/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asking end of the local socket: one request, one answer, one deadline over all.  It blocks; it is
 * a command of its own, not part of a running proxy.  Whoever answers may be anybody who could make a
 * socket at that path: the answer is bounded, parsed strictly and printed without its control letters.
 */
#include "proxy/control.h"

#include <string.h>

#include "base/http/ask.h"

#define DEADLINE_MS 5000

/* What a failure to ask means to people.  Of what was answered instead, the parser speaks. */
static int
failure(const char *path, int r, struct seal_err *err)
{
	switch (r) {
	case SEAL_E_MISSING:
		return seal_fail(err, SEAL_E_MISSING,
				 "no seal-proxy answers at %s: is it running, with --control?",
				 path);
	case SEAL_E_REFUSED:
		return seal_fail(err, SEAL_E_REFUSED,
				 "%s is not open to you: ask as the user of seal-proxy, or as root",
				 path);
	case SEAL_E_TIMEOUT:
		return seal_fail(
			err, SEAL_E_TIMEOUT,
			"seal-proxy at %s did not answer within %d seconds: is it stopped?", path,
			DEADLINE_MS / 1000);
	default:
		return seal_note(err, r, "%s", path);
	}
}

/* What the proxy says about a refusal, when that can be read. */
static int
refusal(unsigned status, const struct seal_bytes *answer, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *root = NULL;
	const struct seal_json *error = NULL;
	const char *message = "no reason given";

	if (seal_json_parse(&root, answer->data, answer->len, PROXY_STATUS_MAX, NULL) == 0 &&
	    seal_json_get_object(root, "error", &error, NULL) == 0 &&
	    seal_json_get_str(error, "message", &message, NULL) < 0)
		message = "no reason given";
	return seal_fail(err, SEAL_E_REFUSED, "seal-proxy says no (%u): %s", status, message);
}

static int
ask_for(const char *path, const char *method, const char *target, struct seal_bytes *ret_answer,
	struct seal_err *err)
{
	struct seal_endpoint to = { .is_unix = true };
	const struct seal_ask ask = {
		.to = &to,
		.method = method,
		.path = target,
		.needs_length = true,
		.timeout_ms = DEADLINE_MS,
	};
	unsigned status = 0;
	int r;

	if (strlen(path) >= sizeof(to.host))
		return seal_fail(err, SEAL_E_LIMIT, "the path of the socket is too long");
	memcpy(to.host, path, strlen(path) + 1);
	r = seal_ask(&ask, &status, ret_answer, err);
	if (r < 0)
		return failure(path, r, err);
	return status < 300 ? 0 : refusal(status, ret_answer, err);
}

static int
print_json(const struct seal_json *status, FILE *out, struct seal_err *err)
{
	/* Indenting makes it longer than it came. */
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes text = SEAL_BYTES(4 * (size_t)PROXY_STATUS_MAX);
	int r = seal_json_dump(status, true, &text, err);

	if (r == 0)
		(void)fprintf(out, "%s\n", seal_bytes_str(&text)); /* the stream keeps its error */
	return r;
}

int
proxy_control_status(const struct proxy_status_query *query, FILE *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes answer = SEAL_BYTES(PROXY_STATUS_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *status = NULL;
	const char *target = query->connections ? "/v1/status?connections=1" : "/v1/status";
	int r = ask_for(query->socket_path, "GET", target, &answer, err);

	if (r == 0)
		r = seal_json_parse(&status, answer.data, answer.len, PROXY_STATUS_MAX, err);
	if (r < 0)
		return r;
	return query->json ? print_json(status, out, err) : proxy_status_print(status, out, err);
}

int
proxy_control_log_level(const char *socket_path, const char *level, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release)
	struct seal_bytes answer = SEAL_BYTES(PROXY_STATUS_MAX);
	enum seal_level parsed = SEAL_LOG_INFO;
	char target[64];
	int r = seal_level_parse(&parsed, level, err);

	if (r < 0)
		return seal_note(err, SEAL_E_USAGE, "log-level");
	(void)snprintf(target, sizeof(target), "/v1/log-level?level=%s", seal_level_name(parsed));
	return ask_for(socket_path, "PUT", target, &answer, err);
}
