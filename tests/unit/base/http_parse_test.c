/* SPDX-License-Identifier: Apache-2.0 */
/* base/http, the parser: one reading per request, or none. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/http/http_internal.h"

#define MAX_BODY 1000

#define HOST "Host: rot.seal.test\r\n"

struct outcome {
	enum http_stage stage;
	unsigned status;
	size_t used;
};

/* Feed in pieces of the given length; parse is the caller's to release. */
static struct outcome
feed(struct http_parse *parse, const void *text, size_t len, size_t piece)
{
	struct outcome outcome = { 0 };

	http_parse_init(parse, MAX_BODY);
	for (size_t at = 0; at < len; at += piece) {
		size_t some = len - at < piece ? len - at : piece;
		/* An exact copy, so that a sanitizer sees every step beyond it. */
		uint8_t *copy = malloc(some);
		size_t used;

		cr_assert_not_null(copy);
		memcpy(copy, (const char *)text + at, some);
		used = http_parse_feed(parse, copy, some);
		free(copy);
		cr_assert_leq(used, some);
		outcome.used += used;
		if (used < some)
			break;
	}
	outcome.stage = parse->stage;
	outcome.status = parse->status;
	return outcome;
}

static unsigned
status_of(const char *text, size_t len)
{
	struct http_parse parse;
	struct outcome outcome = feed(&parse, text, len, len);

	http_parse_release(&parse);
	return outcome.stage == HTTP_STAGE_BAD    ? outcome.status
	       : outcome.stage == HTTP_STAGE_DONE ? 0
						  : 1;
}

static const struct {
	const char *text;
	const char *method;
	const char *path;
	const char *body;
} good[] = {
	{ "GET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "" },
	{ "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n", "GET", "/v1/status", "" },
	{ "GET /v1/status HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/v1/status", "" },
	{ "GET / HTTP/1.1\r\nHost:\t [::1]:8443 \t\r\n\r\n", "GET", "/", "" },
	{ "DELETE /v1/eggs/a%2Db%7e HTTP/1.1\r\n" HOST "\r\n", "DELETE", "/v1/eggs/a-b~", "" },
	{ "POST /v1/hatch HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\n{  }", "POST", "/v1/hatch",
	  "{  }" },
	{ "POST / HTTP/1.1\r\ncontent-LENGTH:5 \r\n" HOST "\r\n\r\n\r\n\0", "POST", "/",
	  "\r\n\r\n" },
	{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "POST", "/", "" },
	{ "POST / HTTP/1.1\r\n" HOST "\r\n", "POST", "/", "" },
	{ "GET / HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Odd!#$%&'*+-.^_`|~: a:b \"c\"\r\n\r\n", "GET",
	  "/", "" },
	{ "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, , TE\r\n\r\n", "GET", "/", "" },
	{ "ABCDEFGHIJKLMNOP / HTTP/1.1\r\n" HOST "\r\n", "ABCDEFGHIJKLMNOP", "/", "" },
};

/* The row whose body ends in a NUL is longer than strlen says. */
static size_t
good_len(size_t i)
{
	return strlen(good[i].text) + (strstr(good[i].text, "LENGTH:5") != NULL ? 1 : 0);
}

Test(http_parse, accepts_what_rfc_9112_allows_and_we_need)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		struct http_parse parse;
		size_t len = good_len(i);
		struct outcome outcome = feed(&parse, good[i].text, len, len);

		cr_assert_eq(outcome.stage, HTTP_STAGE_DONE, "row %zu: status %u", i,
			     outcome.status);
		cr_expect_eq(outcome.used, len, "row %zu", i);
		cr_expect_str_eq(parse.method, good[i].method);
		cr_expect_str_eq(parse.target.path, good[i].path);
		cr_expect_eq(parse.body.len, parse.length);
		cr_expect_eq(
			memcmp(seal_bytes_str(&parse.body), good[i].body, strlen(good[i].body)), 0);
		cr_expect_null(parse.head.line.data, "row %zu keeps its head", i);
		http_parse_release(&parse);
	}
}

static void
expect_kept(const char *head, const char *authorization, const char *content_type)
{
	struct http_parse parse;
	char text[1024];

	(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n", head);
	cr_assert_eq(feed(&parse, text, strlen(text), 3).stage, HTTP_STAGE_DONE, "%s", head);
	for (int i = 0; i < 2; i++) {
		const char *want = i == 0 ? authorization : content_type;
		const char *got =
			http_parse_kept(&parse, i == 0 ? "authorization" : "content-type");

		cr_expect_eq(got == NULL, want == NULL, "%s", head);
		if (got != NULL && want != NULL)
			cr_expect_str_eq(got, want);
	}
	cr_expect_null(http_parse_kept(&parse, "host"), "not one of them");
	http_parse_release(&parse);
}

Test(http_parse, keeps_what_handlers_read)
{
	expect_kept("", NULL, NULL);
	expect_kept("Authorization: Basic abc= \r\n", "Basic abc=", NULL);
	expect_kept("AUTHORIZATION:x\r\ncontent-Type: a/b; c=d\r\n", "x", "a/b; c=d");
	expect_kept("Authorization:\r\n", "", NULL);
	expect_kept("X-Authorization: x\r\n", NULL, NULL);
}

Test(http_parse, refuses_a_second_answer_to_who_is_calling)
{
	static const char *const twice[] = {
		"Authorization: a\r\nAuthorization: a\r\n",
		"Authorization:\r\nauthorization: b\r\n",
		"Content-Type: a/b\r\nContent-Type: a/b\r\n",
	};

	for (size_t i = 0; i < SEAL_COUNT(twice); i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n", twice[i]);
		cr_expect_eq(status_of(text, strlen(text)), 400, "%s", twice[i]);
	}
}

Test(http_parse, reads_the_same_however_the_bytes_are_cut)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		size_t len = good_len(i);

		for (size_t piece = 1; piece < len; piece++) {
			struct http_parse parse;
			struct outcome outcome = feed(&parse, good[i].text, len, piece);

			cr_expect_eq(outcome.stage, HTTP_STAGE_DONE, "row %zu in pieces of %zu", i,
				     piece);
			cr_expect_eq(outcome.used, len);
			cr_expect_str_eq(parse.target.path, good[i].path);
			cr_expect_eq(parse.body.len, parse.length);
			http_parse_release(&parse);
		}
	}
}

Test(http_parse, finishes_no_truncated_request)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		for (size_t len = 0; len < good_len(i); len++) {
			struct http_parse parse;
			struct outcome outcome = feed(&parse, good[i].text, len, len);

			cr_expect(outcome.stage < HTTP_STAGE_DONE, "row %zu cut at %zu", i, len);
			cr_expect_eq(outcome.used, len);
			http_parse_release(&parse);
		}
	}
}

Test(http_parse, leaves_the_next_request_alone)
{
	const char two[] = "POST /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"
			   "GET /b HTTP/1.1\r\n" HOST "\r\n";
	const char *second = strstr(two, "GET /b");
	struct http_parse parse;
	struct outcome outcome = feed(&parse, two, strlen(two), strlen(two));

	cr_expect_eq(outcome.stage, HTTP_STAGE_DONE);
	cr_expect_eq(outcome.used, (size_t)(second - two));
	cr_expect_str_eq(seal_bytes_str(&parse.body), "hi");
	cr_expect_eq(http_parse_feed(&parse, (const uint8_t *)second, strlen(second)), 0);
	http_parse_release(&parse);
}

#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static const struct {
	const char *text;
	unsigned status;
} bad[] = {
	/* the request line */
	{ "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /  HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
	{ "GET\t/\tHTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /\r\n" HOST "\r\n", 400 },
	{ "GET\r\n" HOST "\r\n", 400 },
	{ "/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "get / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "G=T / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.0\r\n\r\n", 505 },
	{ "GET / HTTP/1.2\r\n" HOST "\r\n", 505 },
	{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
	{ "GET / http/1.1\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/1.10\r\n" HOST "\r\n", 400 },
	{ "GET / HTTP/11\r\n" HOST "\r\n", 400 },
	{ "GET / HTTPS/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://rot/ HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET rot:443 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "CONNECT rot:443 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400 },
	/* line ends */
	{ "GET / HTTP/1.1\n" HOST "\r\n", 400 },
	{ GET HOST "\n", 400 },
	{ GET "Host: x\n\r\n", 400 },
	{ GET "Host: x\r\r\n\r\n", 400 },
	{ GET "Host: x\ry: z\r\n\r\n", 400 },
	{ "GET /\r HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ GET HOST "\r\r\n", 400 },
	{ GET HOST "X-A: b\rTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ GET HOST "X-A: b\r\r\n\r\n", 400 },
	{ GET HOST "X-A:\r \r\n\r\n", 400 },
	/* headers */
	{ GET "\r\n", 400 },
	{ GET HOST HOST "\r\n", 400 },
	{ GET "Host: a b\r\n\r\n", 400 },
	{ GET "Host: a,b\r\n\r\n", 400 },
	{ GET "Host: user@a\r\n\r\n", 400 },
	{ GET " " HOST "\r\n", 400 },
	{ GET HOST " folded\r\n\r\n", 400 },
	{ GET HOST "\tfolded\r\n\r\n", 400 },
	{ GET HOST "X-A: b\r\n c\r\n\r\n", 400 },
	{ GET HOST "X-A : b\r\n\r\n", 400 },
	{ GET HOST "X A: b\r\n\r\n", 400 },
	{ GET HOST "X(A): b\r\n\r\n", 400 },
	{ GET HOST ": b\r\n\r\n", 400 },
	{ GET HOST "X-A\r\n\r\n", 400 },
	{ GET HOST "X-A: \x01\r\n\r\n", 400 },
	{ GET HOST "X-A: \x7f\r\n\r\n", 400 },
	{ GET HOST "X-A: \xc3\xa9\r\n\r\n", 400 },
	{ GET HOST "Connection: a=b\r\n\r\n", 400 },
	/* framing */
	{ POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400 },
	{ POST "Content-Length: 1, 1\r\n\r\nx", 400 },
	{ POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400 },
	{ POST "Content-Length:\r\n\r\n", 400 },
	{ POST "Content-Length: +1\r\n\r\nx", 400 },
	{ POST "Content-Length: -1\r\n\r\nx", 400 },
	{ POST "Content-Length: 0x1\r\n\r\nx", 400 },
	{ POST "Content-Length: 1 1\r\n\r\nx", 400 },
	{ POST "Content-Length: 01\r\n\r\nx", 400 },
	{ POST "Content-Length: 1.0\r\n\r\nx", 400 },
	{ POST "Content-Length: 18446744073709551617\r\n\r\nx", 400 },
	{ POST "Content-Length: 9999999999999999999999\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: identity\r\n\r\n", 501 },
	{ POST "transfer-encoding:\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400 },
	{ POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
	{ POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400 },
	{ POST "Transfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n", 400 },
	{ POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 417 },
	{ POST "Expect: something\r\n\r\n", 417 },
	{ GET HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", 501 },
	{ POST "Content-Length: 1001\r\n\r\n", 413 },
	{ POST "Content-Length: 1073741824\r\n\r\n", 413 },
	{ POST "Content-Length: 999999999999999999\r\n\r\n", 413 },
};

Test(http_parse, refuses_what_could_be_read_two_ways)
{
	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		size_t len = strlen(bad[i].text);
		struct http_parse parse;
		struct outcome whole, bytewise;

		whole = feed(&parse, bad[i].text, len, len);
		http_parse_release(&parse);
		cr_expect_eq(whole.stage, HTTP_STAGE_BAD, "row %zu: %s", i, bad[i].text);
		cr_expect_eq(whole.status, bad[i].status, "row %zu: %u, %s", i, whole.status,
			     bad[i].text);
		bytewise = feed(&parse, bad[i].text, len, 1);
		cr_expect_null(parse.body.data, "row %zu took a body", i);
		http_parse_release(&parse);
		cr_expect_eq(bytewise.stage, HTTP_STAGE_BAD, "row %zu bytewise", i);
		cr_expect_eq(bytewise.status, bad[i].status, "row %zu bytewise", i);
	}
}

Test(http_parse, refuses_a_nul_anywhere_in_the_head)
{
	const char text[] = "GET /v1 HTTP/1.1\r\n" HOST "X-A: b\r\n\r\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char copy[sizeof(text)];

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		cr_expect_eq(status_of(copy, sizeof(text) - 1), 400, "NUL at %zu", i);
	}
}

/* A head of exactly len bytes, padded in one header. */
static char *
head_of(size_t len)
{
	const char begin[] = GET HOST "X: ";
	const char end[] = "\r\n\r\n";
	char *head = malloc(len + 1);

	cr_assert_not_null(head);
	memset(head, 'x', len);
	memcpy(head, begin, sizeof(begin) - 1);
	memcpy(head + len - (sizeof(end) - 1), end, sizeof(end));
	return head;
}

Test(http_parse, limits_the_head_to_8_kib)
{
	char *head = head_of(SEAL_HTTP_HEAD_MAX);
	char *line = calloc(1, SEAL_HTTP_HEAD_MAX + 2);
	struct http_parse parse;

	cr_expect_eq(status_of(head, SEAL_HTTP_HEAD_MAX), 0);
	free(head);
	head = head_of(SEAL_HTTP_HEAD_MAX + 1);
	cr_expect_eq(status_of(head, SEAL_HTTP_HEAD_MAX + 1), 431);
	cr_expect_eq(feed(&parse, head, SEAL_HTTP_HEAD_MAX + 1, 1).status, 431);
	http_parse_release(&parse);
	free(head);
	cr_assert_not_null(line);
	memset(line, 'A', SEAL_HTTP_HEAD_MAX + 1);
	cr_expect_eq(status_of(line, SEAL_HTTP_HEAD_MAX + 1), 431, "a request line without end");
	free(line);
}

Test(http_parse, limits_the_number_of_headers)
{
	char text[4096];
	int len = snprintf(text, sizeof(text), GET HOST);

	for (int i = 1; i < HTTP_HEADERS_MAX; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "a:b\r\n");
	(void)snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
	cr_expect_eq(status_of(text, strlen(text)), 0);
	(void)snprintf(text + len, sizeof(text) - (size_t)len, "a:b\r\n\r\n");
	cr_expect_eq(status_of(text, strlen(text)), 431);
}

Test(http_parse, reserves_nothing_for_a_body_that_was_only_promised)
{
	const char text[] = POST "Content-Length: 1000\r\n\r\nx";
	struct http_parse parse;
	struct outcome outcome = feed(&parse, text, strlen(text), strlen(text));

	cr_expect_eq(outcome.stage, HTTP_STAGE_BODY);
	cr_expect_lt(parse.body.cap, 200);
	http_parse_release(&parse);
}

Test(http_parse, knows_when_the_peer_wants_to_close)
{
	static const struct {
		const char *value;
		bool close;
	} rows[] = {
		{ "close", true },    { "Close", true },       { "keep-alive, CLOSE", true },
		{ "close,TE", true }, { "keep-alive", false }, { "closed", false },
		{ "x-close", false }, { "clos", false },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char text[128];
		struct http_parse parse;
		struct outcome outcome;

		(void)snprintf(text, sizeof(text), GET HOST "Connection: %s\r\n\r\n",
			       rows[i].value);
		outcome = feed(&parse, text, strlen(text), strlen(text));
		cr_expect_eq(outcome.stage, HTTP_STAGE_DONE);
		cr_expect_eq(parse.wants_close, rows[i].close, "%s", rows[i].value);
		http_parse_release(&parse);
	}
}

static const char *
param(const struct http_target *target, const char *name)
{
	for (size_t i = 0; i < target->param_count; i++) {
		if (strcmp(target->params[i].name, name) == 0)
			return target->params[i].value;
	}
	return NULL;
}

Test(http_target, decodes_parameters_once)
{
	const char text[] = "/v1/peers?workload=shop&client=*&server=%61ny&q=a%2526%3Db&e=&u=/?";
	struct http_target target = { 0 };

	cr_assert_eq(http_target_parse(&target, text, strlen(text), NULL), 0);
	cr_expect_str_eq(target.path, "/v1/peers");
	cr_expect_eq(target.param_count, 6);
	cr_expect_str_eq(param(&target, "workload"), "shop");
	cr_expect_str_eq(param(&target, "client"), "*");
	cr_expect_str_eq(param(&target, "server"), "any");
	cr_expect_str_eq(param(&target, "q"), "a%26=b");
	cr_expect_str_eq(param(&target, "e"), "");
	cr_expect_str_eq(param(&target, "u"), "/?");
	cr_expect_null(param(&target, "none"));
	http_target_release(&target);
}

Test(http_target, refuses_ambiguous_and_malformed_targets)
{
	static const char *const rows[] = {
		"",          "v1",          "//",      "/a//b",   "/.",
		"/..",       "/a/../b",     "/a/.",    "/%2e",    "/%2E%2e/b",
		"/a%2fb",    "/a%2Fb",      "/%",      "/%4",     "/%4g",
		"/%g4",      "/%00",        "/%0a",    "/%7f",    "/%80",
		"/%c3%a9",   "/a b",        "/a\"b",   "/a#b",    "/a\\b",
		"/a|b",      "/a^b",        "/{a}",    "/[a]",    "/?",
		"/?a",       "/?=b",        "/?a=b&",  "/?&a=b",  "/?a=b&&c=d",
		"/?a=b&a=c", "/?a=b&%61=c", "/?a=b+c", "/?a=%00", "/?a=%",
		"/?a=%2",    "/?a=#",       "/?a=%ff", "/?a%=b",  "/?a=b c",
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct http_target target = { 0 };

		cr_expect_eq(http_target_parse(&target, rows[i], strlen(rows[i]), NULL),
			     SEAL_E_FORMAT, "accepted '%s'", rows[i]);
		cr_expect_null(target.text, "'%s' left something behind", rows[i]);
	}
	cr_expect_eq(http_target_parse(&(struct http_target){ 0 }, "/a\0b", 4, NULL),
		     SEAL_E_FORMAT);
}

Test(http_target, limits_the_number_of_parameters)
{
	char text[256] = "/?a=1";
	struct http_target target = { 0 };
	size_t len = strlen(text);

	for (int i = 1; i < HTTP_PARAMS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "&%c=1", 'a' + i);
	cr_assert_eq(http_target_parse(&target, text, len, NULL), 0);
	cr_expect_eq(target.param_count, HTTP_PARAMS_MAX);
	http_target_release(&target);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "&z=1");
	cr_expect_eq(http_target_parse(&target, text, len, NULL), SEAL_E_FORMAT);
}
