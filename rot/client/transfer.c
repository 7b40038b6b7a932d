/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt at one URL: whom to believe, and what is sent along.
 *
 * The root of trust is whoever holds a certificate of the pinned system CA with the SPIFFE role rot in
 * our trust domain.  The name in the URL proves nothing: it may be a Service, a Route or an address,
 * and may change; the system's trust store is never asked.
 */

#include "rot/client/client_internal.h"

#include <string.h>
#include <time.h>

#include "base/http/ask.h"
#include "base/x509/verify.h"

#define STALL_MS 10000u /* a peer that moves nothing for so long has stopped */

static const char *const headers[] = {
	("User-Agent: seal/" SEAL_VERSION),
	"Accept: application/json",
	"Content-Type: application/json",
};

static int
verify_peer(void *arg, struct seal_certs *presented, struct seal_peer *ret_peer,
	    struct seal_err *err)
{
	struct rot_client *client = arg;
	struct seal_identity identity;
	int r;

	(void)ret_peer; /* the root of trust is no peer */
	r = seal_role_verify(&identity, client->ca, client->trust_domain, SEAL_ROLE_ROT, presented,
			     SEAL_SIDE_SERVER, (int64_t)time(NULL), err);
	client->verified = r == 0;
	return r < 0 ? seal_note(err, r, "the server's certificate") : 0;
}

static int
find_endpoint(struct seal_endpoint *to, const struct rot_client *client, const char *url,
	      struct seal_err *err)
{
	size_t len = strlen(url);

	*to = (struct seal_endpoint){ .is_unix = client->is_local };
	if (!client->is_local)
		return seal_url_split(url, to->host, &to->port, err);
	if (len >= sizeof(to->host))
		return seal_fail(err, SEAL_E_LIMIT, "the path of the socket is too long");
	memcpy(to->host, url, len + 1);
	return 0;
}

int
rot_client_attempt(struct rot_client *client, const char *url, const struct rot_call *call,
		   uint32_t timeout_ms, unsigned *ret_status, struct seal_bytes *reply,
		   struct seal_err *err)
{
	struct seal_bytes answer = SEAL_BYTES(reply->max);
	struct seal_endpoint to;
	const struct seal_ask ask = {
		.to = &to,
		.tls = client->tls,
		.verify = verify_peer,
		.verify_arg = client,
		.method = call->method,
		.path = call->path,
		.headers = headers,
		.header_count = SEAL_COUNT(headers),
		.body = call->body,
		.body_len = call->body_len,
		.timeout_ms = timeout_ms,
		/* Who asks for more time than usual awaits an answer that may rest. */
		.stall_ms = call->whole_ms == 0 && timeout_ms <= ROT_TIMEOUT_MS ? STALL_MS : 0,
		.abort = client->abort,
	};
	unsigned status = 0;
	int r = find_endpoint(&to, client, url, err);

	client->verified = false;
	if (r == 0)
		r = seal_ask(&ask, &status, &answer, err);
	/* Whatever may one day go wrong below: unverified answers are none. */
	if (r == 0 && !client->is_local && !client->verified)
		r = seal_fail(err, SEAL_E_BUG, "the answer came from a peer nobody verified");
	if (r < 0) {
		seal_bytes_release(&answer);
		/* To our callers nobody at a socket is nobody at a URL. */
		return r == SEAL_E_MISSING && client->is_local
			       ? seal_note(err, SEAL_E_CLOSED, "%s", url)
			       : seal_note(err, r, "%s", url);
	}
	seal_bytes_release(reply);
	*reply = answer;
	*ret_status = status;
	return 0;
}
