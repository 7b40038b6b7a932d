/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTPS request at a time to a root of trust.  This file answers for who is spoken with, how long
 * that may take and how much may come back.  It knows nothing of what is said.
 *
 * libcurl's own checks of the peer (VERIFYPEER, VERIFYHOST) are off because ours take their place on
 * the same SSL_CTX: the root of trust is whoever holds a certificate of the pinned system CA with the
 * SPIFFE role rot in our trust domain.  The name in the URL proves nothing: it may be a Service, a
 * Route or an address, and may change; the system's trust store is never asked.
 */

#include "rot/client/client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/names/names.h"
#include "base/tls/tls.h"
#include "base/x509/verify.h"
#include "rot/client/client_internal.h"

#define CONNECT_TIMEOUT_MS 5000L        /* TCP and TLS (design section 13) */
#define DEFAULT_TIMEOUT_MS 15000u       /* a whole call: a hatch is one signature and one commit */
#define SLOW_BYTES         10L          /* per second: less than this ... */
#define SLOW_SECONDS       10L          /* ... for so long is a peer that has stopped */
#define MAX_HEAD           (16u * 1024) /* status line and headers: ours are a few hundred bytes */
#define MAX_URLS           16

struct rot_client {
	CURL *curl;
	struct curl_slist *headers;
	struct seal_strv urls; /* for a Unix socket the one, made-up, URL */
	char *unix_path;
	struct seal_certs *ca;
	struct seal_certs *cert;
	struct seal_key *key;
	struct seal_tls_config tls;
	char trust_domain[SEAL_TRUST_DOMAIN_MAX + 1];
	uint32_t timeout_ms;
	const atomic_bool *abort;

	/* The attempt under way. */
	struct seal_bytes reply;
	size_t head_len;
	bool verified;
	struct seal_err verdict; /* why the peer was not believed, or the reply not taken */
	char reason[CURL_ERROR_SIZE];
};

/* One request, as the caller put it. */
struct call {
	const char *method;
	const char *path;
	const void *body;
	size_t body_len;
};

/* ---- Who we are, and who they are ---- */

static int
copy_certs(struct seal_certs **ret_certs, const struct seal_certs *from, struct seal_err *err)
{
	SEAL_SCOPED(seal_certs_freep) struct seal_certs *certs = NULL;
	int r;

	r = seal_certs_new(&certs, err);
	for (size_t i = 0; r == 0 && i < seal_certs_count(from); i++)
		r = seal_certs_add(certs, seal_certs_at(from, i), err);
	if (r < 0)
		return r;
	*ret_certs = SEAL_TAKE(certs);
	return 0;
}

static int
copy_key(struct seal_key **ret_key, const struct seal_key *from, struct seal_err *err)
{
	SEAL_SCOPED(seal_secret_freep) struct seal_secret *pem = NULL;
	int r;

	r = seal_key_to_pem(from, &pem, err);
	if (r < 0)
		return r;
	return seal_key_from_pem(ret_key, pem, err);
}

/* The root of trust must be of the trust domain that our own certificate names. */
static int
copy_credential(struct rot_client *client, const struct rot_client_config *config,
		struct seal_err *err)
{
	struct seal_identity self;
	int r;

	if (config->ca == NULL || config->cert == NULL || config->key == NULL ||
	    seal_certs_count(config->ca) == 0 || seal_certs_count(config->cert) == 0)
		return seal_fail(err, SEAL_E_BUG, "a client without CA, certificate or key");

	r = copy_certs(&client->ca, config->ca, err);
	if (r == 0)
		r = copy_certs(&client->cert, config->cert, err);
	if (r == 0)
		r = copy_key(&client->key, config->key, err);
	if (r == 0)
		r = seal_cert_identity(seal_certs_at(client->cert, 0), &self, err);
	if (r < 0)
		return seal_note(err, r, "our own credential");

	memcpy(client->trust_domain, self.trust_domain, sizeof(client->trust_domain));
	client->tls = (struct seal_tls_config){
		.side = SEAL_SIDE_CLIENT,
		.chain = client->cert,
		.key = client->key,
	};
	return 0;
}

static int
verify_peer(void *arg, const struct seal_certs *presented, struct seal_err *err)
{
	struct rot_client *client = arg;
	struct seal_identity identity;
	int r;

	r = seal_role_verify(&identity, client->ca, client->trust_domain, SEAL_ROLE_ROT, presented,
			     SEAL_SIDE_SERVER, (int64_t)time(NULL), err);
	client->verified = r == 0;
	return r;
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
	if (client->timeout_ms <= DEFAULT_TIMEOUT_MS) {
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
set_request(struct rot_client *client, const struct call *call)
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
prepare(struct rot_client *client, const char *base, const struct call *call, struct seal_err *err)
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
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return seal_fail(err, SEAL_E_CLOSED, "given up on request");
	if (client->verdict.code < 0)
		return seal_fail(err, (enum seal_code)client->verdict.code, "%s",
				 client->verdict.text);
	return seal_fail(err, code_of(code), "%s",
			 client->reason[0] != '\0' ? client->reason : curl_easy_strerror(code));
}

static int
attempt(struct rot_client *client, const char *base, const struct call *call, unsigned *ret_status,
	struct seal_err *err)
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

/* Move what came in to the caller's buffer, which must hold nothing yet. */
static void
hand_over(struct rot_client *client, struct seal_bytes *reply)
{
	seal_bytes_release(reply);
	*reply = client->reply;
	seal_bytes_init(&client->reply, reply->max);
}

static bool
is_final(const struct rot_client *client, int r)
{
	if (client->abort != NULL && atomic_load(client->abort))
		return true;
	return r == SEAL_E_MEMORY || r == SEAL_E_BUG;
}

static int
check_call(const struct rot_client *client, const struct call *call, struct seal_err *err)
{
	if (call->path[0] != '/')
		return seal_fail(err, SEAL_E_BUG, "the path '%s' does not start with '/'",
				 call->path);
	if (call->body == NULL && call->body_len != 0)
		return seal_fail(err, SEAL_E_BUG, "a body of %zu bytes that is not there",
				 call->body_len);
	if (client->abort != NULL && atomic_load(client->abort))
		return seal_fail(err, SEAL_E_CLOSED, "given up on request");
	return 0;
}

int
rot_client_call(struct rot_client *client, const char *method, const char *path, const void *body,
		size_t body_len, unsigned *ret_status, struct seal_bytes *reply,
		struct seal_err *err)
{
	const struct call call = { method, path, body, body_len };
	bool answered = false;
	int r;

	r = check_call(client, &call, err);
	if (r < 0)
		return r;

	seal_bytes_init(&client->reply, reply->max);
	for (size_t i = 0; i < client->urls.count; i++) {
		const char *base =
			client->unix_path != NULL ? client->unix_path : client->urls.items[i];
		unsigned status = 0;

		r = attempt(client, client->urls.items[i], &call, &status, err);
		if (r < 0)
			r = seal_note(err, r, "%s", base);
		if (r == 0) {
			answered = true;
			*ret_status = status;
			hand_over(client, reply);
		}
		if ((r == 0 && status < 500) || is_final(client, r))
			break;
	}
	seal_bytes_release(&client->reply);
	return answered ? 0 : r;
}

/* ---- Life of a client ---- */

static int
copy_urls(struct rot_client *client, const struct rot_client_config *config, struct seal_err *err)
{
	int r;

	if (config->unix_path != NULL) {
		client->unix_path = seal_strndup(config->unix_path, strlen(config->unix_path));
		if (client->unix_path == NULL)
			return seal_fail_memory(err);
		return seal_strv_add(&client->urls, "http://localhost", err);
	}
	if (config->urls == NULL || config->urls->count == 0 || config->urls->count > MAX_URLS)
		return seal_fail(err, SEAL_E_USAGE,
				 "one to %d URLs of the root of trust are needed", MAX_URLS);
	for (size_t i = 0; i < config->urls->count; i++) {
		r = seal_url_check(config->urls->items[i], err);
		if (r < 0)
			return r;
	}
	return seal_strv_copy(&client->urls, config->urls, err);
}

/* "Expect:" keeps libcurl from asking leave before it sends a body. */
static int
make_headers(struct rot_client *client, struct seal_err *err)
{
	static const char *const lines[] = {
		"Accept: application/json",
		"Content-Type: application/json",
		"Expect:",
	};

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		struct curl_slist *longer = curl_slist_append(client->headers, lines[i]);

		if (longer == NULL)
			return seal_fail_memory(err);
		client->headers = longer;
	}
	return 0;
}

int
rot_client_new(struct rot_client **ret_client, const struct rot_client_config *config,
	       struct seal_err *err)
{
	SEAL_SCOPED(rot_client_freep) struct rot_client *client = NULL;
	int r;

	r = rot_curl_setup(err);
	if (r < 0)
		return r;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return seal_fail_memory(err);
	client->timeout_ms = config->timeout_ms != 0 ? config->timeout_ms : DEFAULT_TIMEOUT_MS;
	client->abort = config->abort;

	r = copy_urls(client, config, err);
	if (r == 0 && config->unix_path == NULL)
		r = copy_credential(client, config, err);
	if (r == 0)
		r = make_headers(client, err);
	if (r < 0)
		return r;
	client->curl = curl_easy_init();
	if (client->curl == NULL)
		return seal_fail_memory(err);
	*ret_client = SEAL_TAKE(client);
	return 0;
}

void
rot_client_free(struct rot_client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->curl); /* first: it may still look at what follows */
	curl_slist_free_all(client->headers);
	seal_strv_release(&client->urls);
	free(client->unix_path);
	seal_certs_free(client->ca);
	seal_certs_free(client->cert);
	seal_key_free(client->key);
	seal_bytes_release(&client->reply);
	free(client);
}

void
rot_client_freep(struct rot_client **client)
{
	rot_client_free(*client);
}
