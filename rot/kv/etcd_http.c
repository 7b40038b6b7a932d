/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTPS request at a time, over connections that stay.  The only door to libcurl.  Nothing of the surroundings
 * counts: no proxy, no redirect, no certificate but the ones we were given.  Knows nothing of etcd.
 */

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/fs/fs.h"
#include "base/secret/secret.h"
#include "rot/kv/etcd_internal.h"

#define PEM_MAX (256u * 1024)

struct etcd_http {
	CURL *curl;
	struct curl_slist *headers;
	struct seal_bytes ca;
	struct seal_bytes cert;
	struct seal_secret *key;
	struct seal_strv files; /* where these came from, in this order */
	char why[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
start_library(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT); /* then no handle can be made, which is seen */
}

void
etcd_http_free(struct etcd_http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	seal_bytes_release(&http->ca);
	seal_bytes_release(&http->cert);
	seal_secret_free(http->key);
	seal_strv_release(&http->files);
	free(http);
}

static void
free_http(struct etcd_http **http)
{
	etcd_http_free(*http);
	*http = NULL;
}

static int
read_files(struct etcd_http *http, const struct rot_kv_config *config, struct seal_err *err)
{
	int r;

	if (config->ca == NULL || config->cert == NULL || config->key == NULL)
		return seal_fail(
			err, SEAL_E_USAGE,
			"etcd needs the files of its CA, of our certificate and of its key");
	r = seal_fs_read_public(&http->ca, AT_FDCWD, config->ca, PEM_MAX, err);
	if (r < 0)
		return seal_note(err, r, "etcd's CA %s", config->ca);
	r = seal_fs_read_public(&http->cert, AT_FDCWD, config->cert, PEM_MAX, err);
	if (r < 0)
		return seal_note(err, r, "certificate for etcd %s", config->cert);
	r = seal_fs_read_secret_linked(&http->key, AT_FDCWD, config->key, PEM_MAX, err);
	if (r < 0)
		return seal_note(err, r, "key for etcd %s", config->key);
	r = seal_strv_add(&http->files, config->ca, err);
	if (r == 0)
		r = seal_strv_add(&http->files, config->cert, err);
	return r < 0 ? r : seal_strv_add(&http->files, config->key, err);
}

static struct curl_blob
blob(const void *data, size_t len)
{
	/* The library does not write into it. */
	return (struct curl_blob){ .data = (void *)(uintptr_t)data,
				   .len = len,
				   .flags = CURL_BLOB_NOCOPY };
}

static CURLcode
set_identity(struct etcd_http *http)
{
	struct curl_blob ca = blob(http->ca.data, http->ca.len);
	struct curl_blob cert = blob(http->cert.data, http->cert.len);
	struct curl_blob key = blob(seal_secret_peek(http->key), seal_secret_len(http->key));
	CURLcode code;

	code = curl_easy_setopt(http->curl, CURLOPT_CAINFO_BLOB, &ca);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_CAPATH, NULL);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_SSLCERT_BLOB, &cert);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_SSLKEY_BLOB, &key);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_SSLVERSION,
					(long)CURL_SSLVERSION_TLSv1_2);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	return code;
}

static size_t
receive(char *data, size_t size, size_t count, void *arg)
{
	/* One short of what was given ends the transfer. */
	return seal_bytes_append(arg, data, size * count, NULL) == 0 ? size * count : 0;
}

static CURLcode
set_manners(struct etcd_http *http)
{
	CURLcode code;

	code = curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "https");
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_FOLLOWLOCATION, 0L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_PROXY,
					""); /* none, whatever the environment says */
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_HTTP_VERSION,
					(long)CURL_HTTP_VERSION_1_1);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS,
					(long)ETCD_CONNECT_MS);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_MAXCONNECTS, (long)ETCD_MAX_HOSTS);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->why);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, receive);
	return code;
}

static int
make_headers(struct etcd_http *http, struct seal_err *err)
{
	/* No "Expect: 100-continue": it costs a turn, and old gateways do not answer it. */
	static const char *const lines[] = { "Content-Type: application/json", "Expect:" };

	for (size_t i = 0; i < SEAL_COUNT(lines); i++) {
		struct curl_slist *longer = curl_slist_append(http->headers, lines[i]);

		if (longer == NULL)
			return seal_fail_memory(err);
		http->headers = longer;
	}
	return 0;
}

int
etcd_http_new(struct etcd_http **ret_http, const struct rot_kv_config *config, struct seal_err *err)
{
	SEAL_SCOPED(free_http) struct etcd_http *http = calloc(1, sizeof(*http));
	CURLcode code;
	int r;

	if (http == NULL)
		return seal_fail_memory(err);
	seal_bytes_init(&http->ca, PEM_MAX);
	seal_bytes_init(&http->cert, PEM_MAX);
	r = read_files(http, config, err);
	if (r == 0)
		r = make_headers(http, err);
	if (r < 0)
		return r;
	(void)pthread_once(&once, start_library); /* fails only for an invalid argument */
	http->curl = curl_easy_init();
	if (http->curl == NULL)
		return seal_fail_memory(err);
	code = set_identity(http);
	if (code == CURLE_OK)
		code = set_manners(http);
	if (code != CURLE_OK)
		return seal_fail(err, SEAL_E_SYSTEM, "libcurl cannot what is needed: %s",
				 curl_easy_strerror(code));
	*ret_http = SEAL_TAKE(http);
	return 0;
}

static bool
has_same_files(const struct etcd_http *one, const struct etcd_http *other)
{
	return strcmp(seal_bytes_str(&one->ca), seal_bytes_str(&other->ca)) == 0 &&
	       strcmp(seal_bytes_str(&one->cert), seal_bytes_str(&other->cert)) == 0 &&
	       seal_secret_len(one->key) == seal_secret_len(other->key) &&
	       seal_equal(seal_secret_peek(one->key), seal_secret_peek(other->key),
			  seal_secret_len(one->key));
}

int
etcd_http_reread(struct etcd_http **http, struct seal_err *err)
{
	SEAL_SCOPED(free_http) struct etcd_http *fresh = NULL;
	const struct rot_kv_config config = { .ca = (*http)->files.items[0],
					      .cert = (*http)->files.items[1],
					      .key = (*http)->files.items[2] };
	struct etcd_http *old = *http;
	int r = etcd_http_new(&fresh, &config, err);

	if (r < 0 || has_same_files(old, fresh))
		return r;
	*http = fresh;
	fresh = old; /* to be freed, with its connections */
	return 0;
}

static int
fail(const struct etcd_http *http, CURLcode code, const char *url, struct seal_err *err)
{
	const char *why = http->why[0] != '\0' ? http->why : curl_easy_strerror(code);

	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return seal_fail_memory(err);
	case CURLE_WRITE_ERROR:
		return seal_fail(err, SEAL_E_LIMIT, "%s: the answer is too long", url);
	case CURLE_OPERATION_TIMEDOUT:
		return seal_fail(err, SEAL_E_TIMEOUT, "%s: %s", url, why);
	default:
		return seal_fail(err, SEAL_E_CLOSED, "%s: %s", url, why);
	}
}

static CURLcode
set_request(struct etcd_http *http, const char *url, const struct seal_bytes *body,
	    uint64_t timeout_ms, struct seal_bytes *answer)
{
	CURLcode code;

	code = curl_easy_setopt(http->curl, CURLOPT_URL, url);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE,
					(curl_off_t)body->len);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, seal_bytes_str(body));
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (code == CURLE_OK)
		code = curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, answer);
	return code;
}

int
etcd_http_post(struct etcd_http *http, const char *url, const struct seal_bytes *body,
	       uint64_t timeout_ms, struct seal_bytes *answer, long *ret_status, bool *ret_sent,
	       struct seal_err *err)
{
	long sent = 0;
	CURLcode code;

	http->why[0] = '\0';
	*ret_sent = false;
	code = set_request(http, url, body, timeout_ms, answer);
	if (code == CURLE_OK)
		code = curl_easy_perform(http->curl);
	if (curl_easy_getinfo(http->curl, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK || sent > 0)
		*ret_sent = true;
	if (code == CURLE_OK)
		code = curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, ret_status);
	return code == CURLE_OK ? 0 : fail(http, code, url, err);
}
