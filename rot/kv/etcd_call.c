/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd's JSON gateway: a question in, an answer out, by whichever member answers.  Keys and values
 * are base64 (RFC 4648 section 4), 64-bit numbers are strings.
 */

#include <inttypes.h>

#include "base/names/names.h"
#include "rot/kv/etcd_internal.h"

#define URL_MAX 512
/* Between rounds in which no member answered. */
#define PAUSE_MS     25
#define PAUSE_MAX_MS 200

/* gRPC's codes, as the gateway hands them on. */
enum grpc {
	GRPC_INVALID = 3,
	GRPC_FORBIDDEN = 7,
	GRPC_EXHAUSTED = 8,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNAUTHENTICATED = 16,
};

struct etcd_client {
	struct etcd_http *http;
	struct seal_strv hosts;
	size_t current; /* which of them answered last */
	struct etcd_names names;
	struct seal_bytes body;
	struct seal_bytes answer;
};

uint64_t
etcd_now_ms(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
pause_ms(uint64_t ms)
{
	const struct timespec time = { .tv_nsec = (long)(ms * 1000000) };

	(void)nanosleep(&time, NULL); /* a signal ends it early: as good */
}

/* ---- The client ---- */

void
etcd_client_free(struct etcd_client *client)
{
	if (client == NULL)
		return;
	etcd_http_free(client->http);
	seal_strv_release(&client->hosts);
	seal_bytes_release(&client->body);
	seal_bytes_release(&client->answer);
	free(client);
}

static void
free_client(struct etcd_client **client)
{
	etcd_client_free(*client);
	*client = NULL;
}

int
etcd_client_reread(struct etcd_client *client, struct seal_err *err)
{
	return etcd_http_reread(&client->http, err);
}

const char *
etcd_client_cluster(const struct etcd_client *client)
{
	return client->names.cluster;
}

static int
set_hosts(struct etcd_client *client, const char *endpoints, struct seal_err *err)
{
	int r = seal_strv_split(&client->hosts, endpoints, ',', err);

	if (r < 0 || client->hosts.count == 0)
		return seal_fail(err, SEAL_E_USAGE, "etcd is named etcd:https://HOST:PORT,...");
	if (client->hosts.count > ETCD_MAX_HOSTS)
		return seal_fail(err, SEAL_E_LIMIT, "more than %d addresses of etcd",
				 ETCD_MAX_HOSTS);
	for (size_t i = 0; i < client->hosts.count; i++) {
		char *host = client->hosts.items[i];

		r = seal_url_check(host, NULL);
		if (r < 0)
			return seal_fail(err, SEAL_E_USAGE,
					 "'%.256s' is no address of etcd: https://HOST:PORT", host);
		if (host[strlen(host) - 1] == '/')
			host[strlen(host) - 1] = '\0';
	}
	return 0;
}

static int
set_prefix(struct etcd_client *client, const char *prefix, struct seal_err *err)
{
	size_t len;

	if (prefix == NULL)
		prefix = "/seal/";
	len = strlen(prefix);
	if (len == 0 || len > ETCD_PREFIX_MAX || prefix[len - 1] != '/')
		return seal_fail(err, SEAL_E_USAGE,
				 "a prefix in etcd ends in '/' and has at most %d letters",
				 ETCD_PREFIX_MAX);
	for (size_t i = 0; i < len; i++) {
		if (prefix[i] <= ' ' || prefix[i] > '~')
			return seal_fail(err, SEAL_E_USAGE,
					 "a prefix in etcd is printable and without blanks");
	}
	memcpy(client->names.prefix, prefix, len + 1);
	return 0;
}

int
etcd_client_new(struct etcd_client **ret_client, const struct rot_kv_config *config,
		const char *endpoints, struct seal_err *err)
{
	SEAL_SCOPED(free_client) struct etcd_client *client = calloc(1, sizeof(*client));
	int r;

	if (client == NULL)
		return seal_fail_memory(err);
	seal_bytes_init(&client->body, ETCD_BODY_MAX);
	seal_bytes_init(&client->answer, ETCD_ANSWER_MAX);
	r = set_hosts(client, endpoints, err);
	if (r == 0)
		r = set_prefix(client, config->prefix, err);
	if (r == 0)
		r = etcd_http_new(&client->http, config, err);
	if (r < 0)
		return r;
	*ret_client = SEAL_TAKE(client);
	return 0;
}

/* ---- base64 ---- */

/* The floor has base64url without padding: the same but for two letters and the end. */
static int
put_base64(struct seal_bytes *out, const void *data, size_t len, struct seal_err *err)
{
	size_t start = out->len;
	int r = seal_base64url_encode(out, data, len, err);

	if (r < 0)
		return r;
	for (size_t i = start; i < out->len; i++) {
		if (out->data[i] == '-')
			out->data[i] = '+';
		else if (out->data[i] == '_')
			out->data[i] = '/';
	}
	return seal_bytes_append(out, "==", len % 3 == 0 ? 0 : 3 - len % 3, err);
}

int
etcd_put_key(struct etcd_client *client, struct seal_bytes *body, const char *name, const char *key,
	     struct seal_err *err)
{
	char whole[ETCD_PREFIX_MAX + ROT_KV_KEY_MAX + 2];
	int n = snprintf(whole, sizeof(whole), "%s%s", client->names.prefix, key);
	int r;

	if (n < 0 || (size_t)n >= sizeof(whole))
		return seal_fail(err, SEAL_E_BUG, "a key that is too long");
	r = seal_bytes_append_fmt(body, err, "\"%s\":\"", name);
	if (r == 0)
		r = put_base64(body, whole, (size_t)n, err);
	return r < 0 ? r : seal_bytes_append_str(body, "\"", err);
}

int
etcd_put_value(struct seal_bytes *body, const void *value, size_t len, struct seal_err *err)
{
	int r = seal_bytes_append_str(body, "\"value\":\"", err);

	if (r == 0)
		r = put_base64(body, value, len, err);
	return r < 0 ? r : seal_bytes_append_str(body, "\"", err);
}

/* ---- Asking ---- */

/* What an attempt came to. */
enum attempt {
	ATTEMPT_ANSWERED, /* the answer is there, or etcd's refusal for good */
	ATTEMPT_NOT_SENT, /* nothing can have come of it */
	ATTEMPT_LOST,     /* something may have */
};

/* An error of etcd's own.  Those that pass with time, or with another member, are SEAL_E_CLOSED. */
static int
judge(const char *host, long status, uint64_t code, const char *message, struct seal_err *err)
{
	if (strstr(message, "too many operations") != NULL ||
	    strstr(message, "too large") != NULL || strstr(message, "larger than max") != NULL)
		return seal_fail(err, SEAL_E_LIMIT,
				 "etcd takes no transaction of this size: %.200s", message);
	switch (code) {
	case GRPC_INVALID:
		return seal_fail(err, SEAL_E_BUG, "%s does not understand us: %.200s", host,
				 message);
	case GRPC_OUT_OF_RANGE:
		return seal_fail(err, SEAL_E_CONFLICT, "etcd has forgotten what was read: %.200s",
				 message);
	case GRPC_FORBIDDEN:
	case GRPC_UNAUTHENTICATED:
		return seal_fail(err, SEAL_E_SYSTEM, "%s does not let us in: %.200s", host,
				 message);
	case GRPC_EXHAUSTED:
		if (strstr(message, "space") != NULL)
			return seal_fail(
				err, SEAL_E_SYSTEM,
				"etcd is full: nothing was changed, compact and defragment it, "
				"or raise its quota");
		break;
	default:
		break;
	}
	return seal_fail(err, SEAL_E_CLOSED, "%s: %ld %.200s", host, status, message);
}

static int
fail_status(struct etcd_client *client, long status, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const char *host = client->hosts.items[client->current];
	const char *message = "";
	uint64_t code = 0;

	if (seal_json_parse(&json, client->answer.data, client->answer.len, ETCD_ANSWER_MAX,
			    NULL) == 0) {
		if (seal_json_get_u64(json, "code", 100, &code, NULL) < 0)
			code = 0;
		if (seal_json_get_str(json, "message", &message, NULL) < 0 &&
		    seal_json_get_str(json, "error", &message, NULL) < 0)
			message = "";
	}
	return judge(host, status, code, message, err);
}

static enum attempt
attempt(struct etcd_client *client, const char *path, const struct seal_bytes *body,
	uint64_t timeout_ms, bool once, int *ret_r, struct seal_err *err)
{
	char url[URL_MAX];
	bool sent = false;
	long status = 0;
	int n, r;

	seal_bytes_reset(&client->answer);
	n = snprintf(url, sizeof(url), "%s%s", client->hosts.items[client->current], path);
	if (n < 0 || (size_t)n >= sizeof(url)) {
		*ret_r = seal_fail(err, SEAL_E_LIMIT, "the address of etcd is too long");
		return ATTEMPT_ANSWERED;
	}
	r = etcd_http_post(client->http, url, body, timeout_ms, &client->answer, &status, &sent,
			   err);
	/* Whatever kept us from reading the answer, memory or its length, it may have said yes. */
	if (r < 0 && sent && once) {
		*ret_r = r;
		return ATTEMPT_LOST;
	}
	if (r == 0 && status != 200)
		r = fail_status(client, status, err);
	*ret_r = r;
	if (r == SEAL_E_CLOSED || r == SEAL_E_TIMEOUT)
		return sent ? ATTEMPT_LOST : ATTEMPT_NOT_SENT;
	return ATTEMPT_ANSWERED;
}

static uint64_t
time_left(uint64_t deadline_ms)
{
	uint64_t now = etcd_now_ms();
	uint64_t left = now < deadline_ms ? deadline_ms - now : 0;

	return left < ETCD_REQUEST_MS ? left : ETCD_REQUEST_MS;
}

/*
 * Ask one member after the other until one answers.  With once, an attempt that may have been heard is the last:
 * *ret_lost.
 */
static int
ask(struct etcd_client *client, const char *path, const struct seal_bytes *body,
    uint64_t deadline_ms, bool once, bool *ret_lost, struct seal_json **ret_json,
    uint64_t *ret_revision, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	uint64_t pause = PAUSE_MS;
	enum attempt got = ATTEMPT_NOT_SENT;
	struct seal_err why = { .text = "no time is left" };
	int r = 0;

	for (size_t tries = 1; got != ATTEMPT_ANSWERED; tries++) {
		if (time_left(deadline_ms) == 0)
			return seal_fail(err, SEAL_E_TIMEOUT, "etcd does not answer: %.400s",
					 why.text);
		got = attempt(client, path, body, time_left(deadline_ms), once, &r, &why);
		*ret_lost = got == ATTEMPT_LOST;
		if (got == ATTEMPT_ANSWERED)
			break;
		client->current = (client->current + 1) % client->hosts.count;
		if (got == ATTEMPT_LOST && once)
			return 0;
		if (tries % client->hosts.count == 0) {
			pause_ms(pause);
			pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
		}
	}
	if (r < 0)
		return seal_fail(err, r, "%s", why.text);
	r = etcd_answer_parse(&client->names, client->answer.data, client->answer.len, &json,
			      ret_revision, err);
	*ret_lost =
		once && r < 0 && r != SEAL_E_REFUSED; /* what cannot be read may have said yes */
	if (r < 0)
		return seal_note(err, r, "%s", client->hosts.items[client->current]);
	*ret_json = SEAL_TAKE(json);
	return 0;
}

/* ---- Questions ---- */

static int
write_range(struct etcd_client *client, const struct etcd_ask *ask, uint64_t limit,
	    struct seal_err *err)
{
	struct seal_bytes *body = &client->body;
	int r;

	seal_bytes_reset(body);
	r = seal_bytes_append_str(body, "{", err);
	if (r == 0)
		r = etcd_put_key(client, body, "key", ask->from, err);
	if (r == 0 && ask->to != NULL) {
		r = seal_bytes_append_str(body, ",", err);
		if (r == 0)
			r = etcd_put_key(client, body, "range_end", ask->to, err);
	}
	if (r == 0 && ask->revision > 0)
		r = seal_bytes_append_fmt(body, err, ",\"revision\":\"%" PRIu64 "\"",
					  ask->revision);
	if (r == 0 && limit > 0)
		r = seal_bytes_append_fmt(body, err, ",\"limit\":\"%" PRIu64 "\"", limit);
	if (r == 0 && ask->backwards)
		r = seal_bytes_append_str(
			body, ",\"sort_order\":\"DESCEND\",\"sort_target\":\"KEY\"", err);
	if (r == 0 && ask->keys_only)
		r = seal_bytes_append_str(body, ",\"keys_only\":true", err);
	return r < 0 ? r : seal_bytes_append_str(body, "}", err);
}

static int
range_once(struct etcd_client *client, const struct etcd_ask *asked, uint64_t limit,
	   uint64_t deadline_ms, struct etcd_page *ret_page, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	SEAL_SCOPED(etcd_page_release) struct etcd_page page = { 0 };
	bool lost = false;
	int r;

	r = write_range(client, asked, limit, err);
	if (r == 0)
		r = ask(client, "/v3/kv/range", &client->body, deadline_ms, false, &lost, &json,
			&page.revision, err);
	if (r == 0)
		r = etcd_answer_page(&client->names, json, &page, err);
	if (r < 0)
		return r;
	*ret_page = page;
	memset(&page, 0, sizeof(page)); /* the caller owns it now */
	return 0;
}

int
etcd_range(struct etcd_client *client, const struct etcd_ask *asked, uint64_t deadline_ms,
	   struct etcd_page *ret_page, struct seal_err *err)
{
	uint64_t limit = asked->limit;
	int r;

	/* A page of large values may be too long: then ask for fewer. */
	while ((r = range_once(client, asked, limit, deadline_ms, ret_page, err)) == SEAL_E_LIMIT &&
	       limit > 1)
		limit /= 4;
	return r;
}

int
etcd_txn(struct etcd_client *client, const struct seal_bytes *body, uint64_t deadline_ms,
	 struct etcd_outcome *outcome, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	bool lost = false;
	int r;

	memset(outcome, 0, sizeof(*outcome));
	r = ask(client, "/v3/kv/txn", body, deadline_ms, true, &lost, &json, &outcome->revision,
		err);
	if (lost)
		return 0;
	if (r < 0)
		return r;
	/* What cannot be read may have said yes. */
	if (etcd_answer_outcome(&client->names, json, outcome, NULL) == 0)
		outcome->known = true;
	return 0;
}
