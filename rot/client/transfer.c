/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt at one URL: every option of libcurl, what it calls back, and what its failures mean.
 *
 * libcurl's own checks of the peer (VERIFYPEER, VERIFYHOST) are off because ours take their place on
 * the same SSL_CTX: the root of trust is whoever holds a certificate of the pinned system CA with the
 * SPIFFE role rot in our trust domain.  The name in the URL proves nothing: it may be a Service, a
 * Route or an address, and may change; the system's trust store is never asked.
 */

#include "rot/client/client_internal.h"

#include <string.h>
#include <time.h>

#include "base/names/names.h"
#include "base/x509/verify.h"

#define CONNECT_TIMEOUT_MS 5000L        /* TCP and TLS */
#define SLOW_BYTES         10L          /* per second: less than this ... */
#define SLOW_SECONDS       10L          /* ... for so long is a peer that has stopped */
#define MAX_HEAD           (16u * 1024) /* status line and headers: ours are a few hundred bytes */

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

/* ---- What libcurl asks of us ---- */

static CURLcode
on_context(CURL *curl, void *ctx, void *arg)
{
	struct rot_client *client = arg;

	(void)curl;
	if (seal_tls_apply(ctx, &client->tls, verify_peer, client, &client->verdict,
			   &client->verdict) < 0)
		return CURLE_SSL_CERTPROBLEM;
	return CURLE_OK;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct rot_client *client = arg;
	size_t len = size * count; /* size is 1, says the manual */

	if (seal_bytes_append(&client->reply, data, len, &client->verdict) < 0)
		return 0;
	return len;
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	struct rot_client *client = arg;
	size_t len = size * count;

	(void)data;
	client->head_len += len;
	if (client->head_len > MAX_HEAD) {
		(void)seal_fail(&client->verdict, SEAL_E_LIMIT, "the reply's headers do not end");
		return 0;
	}
	return len;
}

static int
on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	const struct rot_client *client = arg;

	(void)down_all, (void)down, (void)up_all, (void)up;
	return client->abort != NULL && atomic_load(client->abort);
}

/* ---- One attempt ---- */

static void
set_protocols(CURL *curl, bool local)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, local ? "http" : "https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, local ? CURLPROTO_HTTP : CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	/* Calls are rare: none relies on what an earlier connection had proved. */
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
}

static void
set_tls(struct rot_client *client)
{
	CURL *curl = client->curl;

	curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_context);
	curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, client);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L); /* see the top of this file */
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

static void
set_limits(struct rot_client *client)
{
	CURL *curl = client->curl;
	long timeout_ms = (long)client->timeout_ms;

	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	/* Who asks for more time than usual awaits an answer that may rest: the total alone bounds it. */
	if (client->timeout_ms <= ROT_TIMEOUT_MS) {
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
	}
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
}

static void
set_request(struct rot_client *client, const struct rot_call *call)
{
	CURL *curl = client->curl;

	curl_easy_setopt(curl, CURLOPT_USERAGENT, "seal/" SEAL_VERSION);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
	if (call->body != NULL || strcmp(call->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
				 call->body != NULL ? (const char *)call->body : "");
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

/* The setters above fail only for want of memory, and then the URL, set last, fails as well. */
static int
prepare(struct rot_client *client, const char *base, const struct rot_call *call,
	struct seal_err *err)
{
	struct seal_bytes url = SEAL_BYTES(4096);
	size_t base_len = strlen(base);
	CURLcode code = CURLE_OK;
	int r;

	while (base_len > 0 && base[base_len - 1] == '/')
		base_len--;
	r = seal_bytes_append(&url, base, base_len, err);
	if (r == 0)
		r = seal_bytes_append_str(&url, call->path, err);

	curl_easy_reset(client->curl);
	set_protocols(client->curl, client->unix_path != NULL);
	if (client->unix_path != NULL)
		code = curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, client->unix_path);
	else
		set_tls(client);
	set_limits(client);
	set_request(client, call);
	if (r == 0 && code == CURLE_OK)
		code = curl_easy_setopt(client->curl, CURLOPT_URL, seal_bytes_str(&url));
	seal_bytes_release(&url);

	if (r == 0 && code != CURLE_OK)
		return seal_fail(err, SEAL_E_SYSTEM, "%s", curl_easy_strerror(code));
	return r;
}

static enum seal_code
code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return SEAL_E_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
		return SEAL_E_MISSING;
	case CURLE_COULDNT_CONNECT:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return SEAL_E_CLOSED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_PEER_FAILED_VERIFICATION:
		return SEAL_E_UNAUTH;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
		return SEAL_E_FORMAT;
	case CURLE_OUT_OF_MEMORY:
		return SEAL_E_MEMORY;
	default:
		return SEAL_E_SYSTEM;
	}
}

/* Our own verdict says more than the library's report that somebody stopped it. */
static int
explain(const struct rot_client *client, CURLcode code, struct seal_err *err)
{
	long errnum = 0;

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return seal_fail(err, SEAL_E_CLOSED, "given up on request");
	if (client->verdict.code < 0)
		return seal_fail(err, (enum seal_code)client->verdict.code, "%s",
				 client->verdict.text);
	if (code == CURLE_COULDNT_CONNECT && client->unix_path != NULL &&
	    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &errnum) == CURLE_OK && errnum != 0)
		return seal_fail(err, SEAL_E_CLOSED, "nobody answers: %s", strerror((int)errnum));
	return seal_fail(err, code_of(code), "%s",
			 client->reason[0] != '\0' ? client->reason : curl_easy_strerror(code));
}

int
rot_client_attempt(struct rot_client *client, const char *base, const struct rot_call *call,
		   unsigned *ret_status, struct seal_err *err)
{
	long status = 0;
	CURLcode code;
	int r;

	seal_bytes_reset(&client->reply);
	client->head_len = 0;
	client->verified = false;
	client->verdict = (struct seal_err){ 0 };
	client->reason[0] = '\0';

	r = prepare(client, base, call, err);
	if (r < 0)
		return r;
	code = curl_easy_perform(client->curl);
	if (code != CURLE_OK)
		return explain(client, code, err);
	/* Whatever a library may one day do with our callback: unverified answers are none. */
	if (client->unix_path == NULL && !client->verified)
		return seal_fail(err, SEAL_E_BUG, "the answer came from a peer nobody verified");
	(void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 599)
		return seal_fail(err, SEAL_E_FORMAT, "answered with the status %ld", status);
	*ret_status = (unsigned)status;
	return 0;
}
