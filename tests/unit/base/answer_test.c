/* SPDX-License-Identifier: Apache-2.0 */
/* base/http, the parser of answers: one reading per answer, or none. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/http/http_internal.h"

#define MAX_BODY 1000

#define OK  "HTTP/1.1 200 OK\r\n"
#define LEN "Content-Length: 2\r\n"

/* Feed in pieces of the given length, then end.  The parse is the caller's to release. */
static int
parse(struct http_answer_parse *parse, bool needs_length, const void *text, size_t len,
      size_t piece)
{
	int r = 0;

	http_answer_init(parse, MAX_BODY, needs_length);
	for (size_t at = 0; r == 0 && at < len; at += piece) {
		size_t some = len - at < piece ? len - at : piece;
		/* An exact copy, so that a sanitizer sees every step beyond it. */
		uint8_t *copy = malloc(some);

		cr_assert_not_null(copy);
		memcpy(copy, (const char *)text + at, some);
		r = http_answer_feed(parse, copy, some, NULL);
		free(copy);
	}
	return r < 0 ? r : http_answer_end(parse, NULL);
}

static int
code_of(bool needs_length, const char *text, size_t len)
{
	struct http_answer_parse answer;
	int r = parse(&answer, needs_length, text, len, len);

	cr_expect_neq(answer.stage == HTTP_ANSWER_DONE, r < 0);
	http_answer_release(&answer);
	return r;
}

static const struct {
	const char *text;
	unsigned status;
	const char *body;
	bool to_end;
} good[] = {
	{ OK LEN "\r\n{}", 200, "{}", false },
	{ OK "Date: now\r\ncontent-length:\t2 \r\nX:\r\n\r\n{}", 200, "{}", false },
	{ OK "Content-Length: 0\r\nX-Odd!#$%&'*+-.^_`|~: a:b \"c\"\r\n\r\n", 200, "", false },
	{ "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n", 304, "", false },
	{ "HTTP/1.1 404 \r\nContent-Length: 4\r\n\r\n\r\n\r\n", 404, "\r\n\r\n", false },
	{ "HTTP/1.1 599 Any \t Reason (at all)\r\n" LEN "\r\n{}", 599, "{}", false },
	{ OK "Connection: close\r\n\r\n{\"a\":1}", 200, "{\"a\":1}", true },
	{ OK "\r\n", 200, "", true },
};

Test(http_answer, is_read_when_it_is_whole)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		size_t len = strlen(good[i].text);

		for (size_t piece = 1; piece <= len; piece++) {
			struct http_answer_parse answer;

			cr_assert_eq(parse(&answer, false, good[i].text, len, piece), 0,
				     "row %zu in pieces of %zu", i, piece);
			cr_expect_eq(answer.status, good[i].status);
			cr_expect_str_eq(seal_bytes_str(&answer.body), good[i].body);
			cr_expect_null(answer.head.line.data, "row %zu keeps its head", i);
			http_answer_release(&answer);
		}
	}
}

Test(http_answer, is_refused_wherever_it_is_cut_short)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++) {
		const char *text = good[i].text;
		/* Where the connection ends the answer, the cut can only be told before its body. */
		size_t whole = good[i].to_end ? (size_t)(strstr(text, "\r\n\r\n") - text) + 4
					      : strlen(text);

		for (size_t len = 0; len < whole; len++)
			cr_expect_eq(code_of(false, text, len), SEAL_E_CLOSED, "row %zu cut at %zu",
				     i, len);
	}
}

Test(http_answer, is_refused_without_a_length_when_one_is_needed)
{
	for (size_t i = 0; i < SEAL_COUNT(good); i++)
		cr_expect_eq(code_of(true, good[i].text, strlen(good[i].text)),
			     good[i].to_end ? SEAL_E_FORMAT : 0, "row %zu", i);
}

Test(http_answer, is_refused_when_it_could_be_another)
{
	static const char *const bad[] = {
		OK LEN "\r\n{}x",
		OK "Content-Length: 0\r\n\r\nx",
		OK LEN LEN "\r\n{}",
		OK LEN "Content-Length: 3\r\n\r\n{}",
		OK "Content-Length: 02\r\n\r\n{}",
		OK "Content-Length: 2x\r\n\r\n{}",
		OK "Content-Length: -2\r\n\r\n{}",
		OK "Content-Length: +2\r\n\r\n{}",
		OK "Content-Length: 0x2\r\n\r\n{}",
		OK "Content-Length: 2, 2\r\n\r\n{}",
		OK "Content-Length: 18446744073709551618\r\n\r\n{}",
		OK "Content-Length:\r\n\r\n{}",
		OK LEN "Transfer-Encoding: chunked\r\n\r\n{}",
		OK "transfer-encoding: identity\r\n\r\n{}",
		OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		OK LEN " folded\r\n\r\n{}",
		OK LEN "no colon\r\n\r\n{}",
		OK LEN ": no name\r\n\r\n{}",
		OK "Content-Length : 2\r\n\r\n{}",
		OK "Content-Length: 2\n\r\n\r\n{}",
		OK "X: \rContent-Length: 2\r\n\r\n{}",
		OK "X: \x80\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n" LEN "\r\n{}",
		"HTTP/1.1 204 No Content\r\n\r\n{}",
		"HTTP/1.1 304 Not Modified\r\n" LEN "\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" OK LEN "\r\n{}",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 199 x\r\n" LEN "\r\n{}",
		"HTTP/1.1 600 x\r\n" LEN "\r\n{}",
		"HTTP/1.1 000 x\r\n" LEN "\r\n{}",
		"HTTP/1.0 200 OK\r\n" LEN "\r\n{}",
		"HTTP/2 200 OK\r\n" LEN "\r\n{}",
		"http/1.1 200 OK\r\n" LEN "\r\n{}",
		"HTTP/1.1 20 OK\r\n" LEN "\r\n{}",
		"HTTP/1.1 2000 OK\r\n" LEN "\r\n{}",
		"HTTP/1.1 2 0 OK\r\n" LEN "\r\n{}",
		"HTTP/1.1 200\r\n" LEN "\r\n{}",
		"HTTP/1.1  200 OK\r\n" LEN "\r\n{}",
		"\r\n" OK LEN "\r\n{}",
		LEN "\r\n{}",
		"SSH-2.0-OpenSSH\r\n\r\n",
		"\r\n\r\n",
	};

	for (size_t i = 0; i < SEAL_COUNT(bad); i++)
		cr_expect_eq(code_of(false, bad[i], strlen(bad[i])), SEAL_E_FORMAT, "row %zu", i);
	cr_expect_eq(code_of(false, OK "X: \0\r\n\r\n", strlen(OK) + 8), SEAL_E_FORMAT);
}

/* A text of so many letters between two others. */
static int
code_of_long(const char *before, size_t count, const char *after)
{
	struct seal_bytes text = SEAL_BYTES(100000);
	int r = seal_bytes_append_str(&text, before, NULL);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = seal_bytes_append_str(&text, "x", NULL);
	if (r == 0)
		r = seal_bytes_append_str(&text, after, NULL);
	cr_assert_eq(r, 0);
	r = code_of(false, seal_bytes_str(&text), text.len);
	seal_bytes_release(&text);
	return r;
}

Test(http_answer, has_a_head_and_a_body_of_limited_length)
{
	const size_t room = HTTP_ANSWER_HEAD_MAX - strlen(OK "X: \r\n\r\n");

	cr_expect_eq(code_of_long(OK "X: ", room, "\r\n\r\n"), 0);
	cr_expect_eq(code_of_long(OK "X: ", room + 1, "\r\n\r\n"), SEAL_E_LIMIT);
	cr_expect_eq(code_of_long(OK "\r\n", MAX_BODY, ""), 0);
	cr_expect_eq(code_of_long(OK "\r\n", MAX_BODY + 1, ""), SEAL_E_LIMIT);
	cr_expect_eq(code_of_long(OK "Content-Length: 1000\r\n\r\n", MAX_BODY, ""), 0);
	/* Said before any of it came. */
	cr_expect_eq(code_of_long(OK "Content-Length: 1001\r\n\r\n", 0, ""), SEAL_E_LIMIT);
	cr_expect_eq(code_of_long(OK "Content-Length: 999999999999999999\r\n\r\n", 0, ""),
		     SEAL_E_LIMIT);
}

Test(http_answer, has_a_limited_number_of_headers)
{
	struct seal_bytes text = SEAL_BYTES(10000);

	cr_assert_eq(seal_bytes_append_str(&text, OK LEN, NULL), 0);
	for (int i = 1; i < HTTP_HEADERS_MAX; i++)
		cr_assert_eq(seal_bytes_append_str(&text, "X: y\r\n", NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "\r\n{}", NULL), 0);
	cr_expect_eq(code_of(false, seal_bytes_str(&text), text.len), 0);

	seal_bytes_reset(&text);
	cr_assert_eq(seal_bytes_append_str(&text, OK LEN, NULL), 0);
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		cr_assert_eq(seal_bytes_append_str(&text, "X: y\r\n", NULL), 0);
	cr_assert_eq(seal_bytes_append_str(&text, "\r\n{}", NULL), 0);
	cr_expect_eq(code_of(false, seal_bytes_str(&text), text.len), SEAL_E_LIMIT);
	seal_bytes_release(&text);
}
